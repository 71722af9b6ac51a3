"""Leaves a counter and a message in POSIX shared memory, for memory_reader. The memory outlives this program.

It gets its name after it was filled, so that no reader meets it empty or without its size.
"""

import argparse
import ctypes

import unipc


class Shared(ctypes.Structure):  # as memory_reader has it
    _fields_ = [("counter", ctypes.c_int32), ("message", ctypes.c_char * 256)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    arguments = parser.parse_args()
    with unipc.Memory.create(arguments.name, ctypes.sizeof(Shared), unpublished=True) as memory:
        shared = Shared.from_buffer(memory)
        shared.counter = 42
        shared.message = b"Hello from shared memory!"
        memory.publish()


if __name__ == "__main__":
    main()
