"""Several processes count in shared memory under a mutex that lies beside the counter. Zero bytes are an unlocked mutex.

With --kill-holder one more process dies while it holds the mutex, in the middle of a change. Whoever locks next is told, and restores
the value from its backup; the death costs nothing.
"""

import argparse
import contextlib
import ctypes
import os
import signal

import unipc
from example import PATIENCE, child


class Shared(ctypes.Structure):
    _fields_ = [
        ("lock", unipc.c_mutex),
        ("start", unipc.c_semaphore),  # nobody counts before all are there
        ("value", ctypes.c_int64),
        ("backup", ctypes.c_int64),  # the value before the change that is under way
        ("repairs", ctypes.c_int64),
    ]


def lock(mutex: unipc.Mutex, shared: Shared) -> unipc.Guard:
    guard = mutex.lock_recover(timeout=PATIENCE)
    if guard.needs_repair:  # held, and the last holder died
        shared.value = shared.backup
        shared.repairs += 1
        guard.mark_consistent()
    return guard


def work(shared: Shared, increments: int) -> None:
    mutex = unipc.Mutex.from_buffer(shared.lock)
    unipc.Semaphore.from_buffer(shared.start).wait(timeout=PATIENCE)
    for _ in range(increments):
        with lock(mutex, shared):
            shared.backup = shared.value
            shared.value += 1


def die_holding(shared: Shared) -> None:
    """Dies in the middle of a change."""
    with lock(unipc.Mutex.from_buffer(shared.lock), shared):
        shared.backup = shared.value
        shared.value += 1000000
        os.kill(os.getpid(), signal.SIGKILL)


def run(shared: Shared, kill_holder: bool, processes: int, increments: int) -> None:
    start = unipc.Semaphore.from_buffer(shared.start)
    with contextlib.ExitStack() as children:
        if kill_holder:
            children.enter_context(child(die_holding, shared, ends_with=-signal.SIGKILL))
        for _ in range(processes):
            children.enter_context(child(work, shared, increments))
        for _ in range(processes):
            start.post()
    with lock(unipc.Mutex.from_buffer(shared.lock), shared):  # repairs, if nobody came after the one that died
        print(f"{processes} processes x {increments} increments = {shared.value}")
        if kill_holder:
            print(f"Repairs after a killed holder: {shared.repairs}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kill-holder", action="store_true")
    parser.add_argument("processes", type=int, nargs="?", default=4)
    parser.add_argument("increments", type=int, nargs="?", default=100000)
    arguments = parser.parse_args()
    with unipc.Memory.anonymous(ctypes.sizeof(Shared)) as memory:
        run(Shared.from_buffer(memory), arguments.kill_holder, arguments.processes, arguments.increments)


if __name__ == "__main__":
    main()
