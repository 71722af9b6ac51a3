"""A named semaphore guards a counter in a mapped file.

Each process opens both by name, as unrelated programs would, and flushes before it lets the next one in: what is on the disk is never
ahead of what was counted. A holder that is killed keeps the semaphore for ever; where that matters, a mutex in the memory tells the next.
"""

import contextlib
import ctypes
import os
import pathlib
import sys
import tempfile

import unipc
from example import PATIENCE, child

PROCESSES = 4
INCREMENTS = 250
SIZE = ctypes.sizeof(ctypes.c_int64)


def work(path: str, name: str) -> None:
    with unipc.Memory.open_file(path, size=SIZE) as file, unipc.PosixSemaphore.open(name) as guard:
        counter = ctypes.c_int64.from_buffer(file)
        for _ in range(INCREMENTS):
            guard.wait(timeout=PATIENCE)
            counter.value += 1
            file.flush(0, SIZE)
            guard.post()


def main(path: str = f"{tempfile.gettempdir()}/unipc-guarded-{os.getpid()}") -> None:
    name = pathlib.Path(path).name
    with (
        unipc.Memory.create_file(path, SIZE, temporary=True) as file,
        unipc.PosixSemaphore.create(name, 1, temporary=True),
    ):
        with contextlib.ExitStack() as children:
            for _ in range(PROCESSES):
                children.enter_context(child(work, path, name))
        counted = ctypes.c_int64.from_buffer(file).value
        stored = int.from_bytes(pathlib.Path(path).read_bytes(), sys.byteorder)  # who maps nothing reads the same
        print(f"{PROCESSES} processes x {INCREMENTS} increments = {counted}, in the file: {stored}")


if __name__ == "__main__":
    main(*sys.argv[1:])
