"""Several processes update a few words in shared memory, thousands of times each: a short critical section, for which a spinlock is enough.

Who finds it held spins for some microseconds, then sleeps: a plain loop would burn a processor for as long as the holder is not running.
With --kill-holder one more process dies inside; whoever comes next is told.
"""

import argparse
import contextlib
import ctypes
import os
import signal

import unipc
from example import PATIENCE, child

PROCESSES, UPDATES = 4, 50000


class Shared(ctypes.Structure):
    _fields_ = [
        ("lock", unipc.c_spinlock),
        ("count", ctypes.c_long),  # these two belong together: the sum of 1 to count
        ("sum", ctypes.c_long),
        ("repairs", ctypes.c_long),
    ]


def total(count: int) -> int:
    return count * (count + 1) // 2


def update(shared: Shared, lock: unipc.Spinlock, dies: bool = False) -> None:
    with lock.lock_recover(timeout=PATIENCE) as guard:
        if guard.needs_repair:  # the last holder died between the two
            shared.sum = total(shared.count)
            shared.repairs += 1
            guard.mark_consistent()
        if dies:
            shared.sum += 1000000
            os.kill(os.getpid(), signal.SIGKILL)
        shared.count += 1
        shared.sum += shared.count


def die_holding(shared: Shared) -> None:
    update(shared, unipc.Spinlock.from_buffer(shared.lock), dies=True)


def work(shared: Shared) -> None:
    lock = unipc.Spinlock.from_buffer(shared.lock)
    for _ in range(UPDATES):
        update(shared, lock)


def run(shared: Shared, kill_holder: bool) -> None:
    if kill_holder:
        with child(die_holding, shared, ends_with=-signal.SIGKILL):
            pass
    with contextlib.ExitStack() as children:
        for _ in range(PROCESSES):
            children.enter_context(child(work, shared))
    right = "right" if shared.sum == total(shared.count) else "wrong"
    print(f"{PROCESSES} processes x {UPDATES} updates = {shared.count}, sum {right}")
    if kill_holder:
        print(f"Repairs after a killed holder: {shared.repairs}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kill-holder", action="store_true")
    arguments = parser.parse_args()
    with unipc.Memory.anonymous(ctypes.sizeof(Shared)) as memory:
        run(Shared.from_buffer(memory), arguments.kill_holder)


if __name__ == "__main__":
    main()
