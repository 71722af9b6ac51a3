"""A set of System V semaphores: a lock that comes back from a holder that was killed, and two things that are taken in one step.

What a process does with undo the kernel takes back when the process ends, however it does. It takes back what was given with undo, too:
both sides of a pair are done so.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time

import unipc
from example import PATIENCE, child

PROCESSES = 4
INCREMENTS = 1000
LOCK, TOLD, FORK, KNIFE = range(4)


def count(semaphores: unipc.SysvSemaphores, counter: ctypes.c_int64) -> None:
    for _ in range(INCREMENTS):
        semaphores.wait(LOCK, undo=True, timeout=PATIENCE)
        counter.value += 1
        semaphores.post(LOCK, undo=True)


def hold(semaphores: unipc.SysvSemaphores) -> None:
    semaphores.wait(LOCK, undo=True, timeout=PATIENCE)
    semaphores.post(TOLD)  # this stays given
    time.sleep(PATIENCE)


def eat(semaphores: unipc.SysvSemaphores, first: int, second: int) -> None:
    """Each begins with the other thing. Taken one after the other, this would not last long."""
    for _ in range(INCREMENTS):
        semaphores.operate([unipc.SysvOperation(thing, -1, undo=True) for thing in (first, second)], timeout=PATIENCE)
        semaphores.operate([unipc.SysvOperation(thing, 1, undo=True) for thing in (first, second)], timeout=PATIENCE)


def counting(semaphores: unipc.SysvSemaphores) -> None:
    with unipc.Memory.anonymous(ctypes.sizeof(ctypes.c_int64)) as memory:
        counter = ctypes.c_int64.from_buffer(memory)
        with contextlib.ExitStack() as children:
            for _ in range(PROCESSES):
                children.enter_context(child(count, semaphores, counter))
        print(f"{PROCESSES} processes x {INCREMENTS} increments = {counter.value}")


def dying(semaphores: unipc.SysvSemaphores) -> None:
    with child(hold, semaphores, ends_with=-signal.SIGKILL) as holder:
        semaphores.wait(TOLD, timeout=PATIENCE)
        assert not semaphores.try_wait(LOCK)
        print("The lock is held")
        assert holder.pid is not None
        os.kill(holder.pid, signal.SIGKILL)
        semaphores.wait(LOCK, undo=True, timeout=PATIENCE)
    print("Its holder was killed, and it came back")
    semaphores.post(LOCK, undo=True)


def main(path: str | None = None) -> None:
    values = [1, 0, 1, 1]
    with (
        unipc.SysvSemaphores.create_private(values, temporary=True)
        if path is None
        else unipc.SysvSemaphores.create(unipc.sysv_key(path, 1), values, temporary=True)
    ) as semaphores:
        counting(semaphores)
        dying(semaphores)
        with child(eat, semaphores, KNIFE, FORK):
            eat(semaphores, FORK, KNIFE)
        print(f"Two that take two things, each in its order, {INCREMENTS} times: no deadlock")


if __name__ == "__main__":
    main(*sys.argv[1:])
