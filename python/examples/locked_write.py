"""flock: the writer has the file to itself, readers share it. The child cannot read half of what is written.

The child opens the file itself: through the object that it has inherited it would be the same holder as its parent, and would not wait.
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

import unipc
from example import PATIENCE, child


def read_shared(path: str) -> None:
    with contextlib.closing(unipc.FileLock(path, kind="flock", create=False)) as lock, lock.held(shared=True, timeout=PATIENCE):
        print(os.pread(lock.fileno(), 64, 0).decode(), end="", flush=True)


def main(path: str = f"{tempfile.gettempdir()}/unipc-locked-{os.getpid()}") -> None:
    # The lock is given back before the child is waited for.
    with contextlib.closing(unipc.FileLock(path, kind="flock")) as lock, contextlib.ExitStack() as children, lock:
        children.enter_context(child(read_shared, path))
        os.write(lock.fileno(), b"Locked ")
        os.write(lock.fileno(), b"write\n")
    Path(path).unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
