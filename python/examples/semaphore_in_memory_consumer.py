"""Waits at the semaphore in the memory of semaphore_in_memory_producer for the data, prints them, and removes the memory.

May be started first.
"""

import argparse
import ctypes

import unipc
from example import PATIENCE


class Shared(ctypes.Structure):  # as the producer has it
    _fields_ = [("ready", unipc.c_semaphore), ("counter", ctypes.c_int32), ("data", ctypes.c_char * 1024)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    arguments = parser.parse_args()
    with unipc.Memory.open(arguments.name, size=ctypes.sizeof(Shared), wait_for_creator=PATIENCE) as memory:
        shared = Shared.from_buffer(memory)
        unipc.Semaphore.from_buffer(shared.ready).wait(timeout=PATIENCE)
        print(f"Data: {shared.data.decode(errors='replace')}, Counter: {shared.counter}")
    unipc.Memory.unlink(arguments.name)


if __name__ == "__main__":
    main()
