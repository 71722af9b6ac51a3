"""A named semaphore guards a counter in POSIX shared memory. Each process opens both by name, as unrelated programs would.

Whoever reads takes the semaphore too: without it, nothing says which value it sees.
"""

import contextlib
import ctypes
import os
import sys

import unipc
from example import PATIENCE, child

PROCESSES = 4
INCREMENTS = 100000
SIZE = ctypes.sizeof(ctypes.c_int64)


def work(name: str) -> None:
    with unipc.Memory.open(name, size=SIZE) as memory, unipc.PosixSemaphore.open(name) as guard:
        counter = ctypes.c_int64.from_buffer(memory)
        for _ in range(INCREMENTS):
            guard.wait(timeout=PATIENCE)
            counter.value += 1
            guard.post()


def main(name: str = f"unipc-guarded-{os.getpid()}") -> None:
    with (
        unipc.Memory.create(name, SIZE, temporary=True) as memory,
        unipc.PosixSemaphore.create(name, 0, temporary=True) as guard,
    ):
        with contextlib.ExitStack() as children:
            for _ in range(PROCESSES):
                children.enter_context(child(work, name))
            guard.post()  # nobody counts before all are there
        guard.wait(timeout=PATIENCE)
        print(f"{PROCESSES} processes x {INCREMENTS} increments = {ctypes.c_int64.from_buffer(memory).value}")
        guard.post()


if __name__ == "__main__":
    main(*sys.argv[1:])
