"""A file of numbers, each guarded by a lock on its own bytes: two processes that change different numbers do not wait for each other, two
that change the same one do. The kernel gives the locks of a killed process back.

These are the locks of fcntl, in the form that belongs to the open file (F_OFD_SETLK): the older form is lost whenever the process closes
any descriptor of the file, whoever in it has opened that.
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

import unipc
from example import PATIENCE, child

PROCESSES = 4
INCREMENTS = 500
SIZE = 8


def value(lock: unipc.FileLock) -> int:
    return int.from_bytes(os.pread(lock.fileno(), SIZE, 0), sys.byteorder)


def count(path: str) -> None:
    with contextlib.closing(unipc.FileLock(path, create=False)) as lock:
        for _ in range(INCREMENTS):
            with lock.held(length=SIZE, timeout=PATIENCE):
                # Read only now: what was read before the lock was held may be old.
                os.pwrite(lock.fileno(), (value(lock) + 1).to_bytes(SIZE, sys.byteorder), 0)


def look(path: str) -> None:
    """What somebody else sees while this process holds number 1."""
    with contextlib.closing(unipc.FileLock(path, create=False)) as other:
        for number in (1, 2):
            held = other.find_holder(start=number * SIZE, length=SIZE) is not None
            print(f"Number {number} is locked by another: {'yes' if held else 'no'}", flush=True)


def main(path: str = f"{tempfile.gettempdir()}/unipc-records-{os.getpid()}") -> None:
    with contextlib.closing(unipc.FileLock(path)) as lock:
        lock.lock(start=SIZE, length=SIZE, timeout=PATIENCE)
        look(path)
        with contextlib.ExitStack() as children:
            for _ in range(PROCESSES):
                children.enter_context(child(count, path))
        print(f"{PROCESSES} processes x {INCREMENTS} increments = {value(lock)}")
    Path(path).unlink()  # nobody is left who could have it open


if __name__ == "__main__":
    main(*sys.argv[1:])
