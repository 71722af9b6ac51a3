"""POSIX shared memory between a parent and its child: the child writes, the parent reads after the child has ended.

Memory brings no order of its own; here the end of the child is the order. "temporary" removes the name when the parent closes.
"""

import os
import sys

import unipc
from example import child


def write(memory: unipc.Memory) -> None:
    memory.write(0, b"Hello from child process!")


def main(name: str = f"unipc-memory-{os.getpid()}") -> None:
    with unipc.Memory.create(name, 4096, temporary=True) as memory:
        with child(write, memory):  # the child has the same pages
            pass
        message, _, _ = memory.read(0, 100).partition(b"\0")
        print(f"Parent read: {message.decode()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
