"""System V shared memory between two processes that know nothing of each other but a file: the key is made of it, as ftok does.

"temporary" removes the memory when its creator closes; the pages go with the last process. Without that it would stay until somebody
removes it (ipcrm -m) or the machine restarts.
"""

import os
import pathlib
import sys
import tempfile

import unipc
from example import child


def write(path: str) -> None:
    key = unipc.sysv_key(path, ord("M"))  # the same file, the same key
    with unipc.Memory.open_sysv(key) as memory:
        memory.write(0, b"Hello from child (System V)!")


def main(path: str = f"{tempfile.gettempdir()}/unipc-key-{os.getpid()}") -> None:
    file = pathlib.Path(path)
    file.touch(mode=0o600, exist_ok=False)  # a key needs a file that is there
    try:
        with unipc.Memory.create_sysv(unipc.sysv_key(path, ord("M")), 4096, temporary=True) as memory:
            with child(write, path):
                pass
            message, _, _ = memory.read(0, 100).partition(b"\0")
            print(f"Parent read: {message.decode()}")
    finally:
        file.unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
