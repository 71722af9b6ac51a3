"""Memory without a name, shared with a child by fork. The parent stores a value while the child runs.

A semaphore beside the value tells the child when it stands there; its zero bytes are a valid semaphore without a unit.
"""

import ctypes

import unipc
from example import PATIENCE, child


class Shared(ctypes.Structure):
    _fields_ = [("stored", unipc.c_semaphore), ("value", ctypes.c_int)]


def read(shared: Shared) -> None:
    unipc.Semaphore.from_buffer(shared.stored).wait(timeout=PATIENCE)
    print(f"Child reads: {shared.value}")


def main() -> None:
    with unipc.Memory.anonymous(ctypes.sizeof(Shared)) as memory:
        shared = Shared.from_buffer(memory)
        with child(read, shared):
            shared.value = 42
            unipc.Semaphore.from_buffer(shared.stored).post()


if __name__ == "__main__":
    main()
