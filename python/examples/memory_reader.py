"""Reads the counter that memory_writer has left, without the right to write, and removes the memory. May be started first."""

import argparse
import ctypes

import unipc
from example import PATIENCE


class Shared(ctypes.Structure):  # as memory_writer has it
    _fields_ = [("counter", ctypes.c_int32), ("message", ctypes.c_char * 256)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    arguments = parser.parse_args()
    size = ctypes.sizeof(Shared)  # no smaller object will do
    with unipc.Memory.open(arguments.name, size=size, read_only=True, wait_for_creator=PATIENCE) as memory:
        print(f"Counter: {Shared.from_buffer_copy(memory).counter}")  # ctypes has no view of what cannot be written
    unipc.Memory.unlink(arguments.name)


if __name__ == "__main__":
    main()
