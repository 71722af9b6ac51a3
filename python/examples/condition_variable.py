"""A producer and a consumer hand items over through shared memory, and sleep instead of polling.

A condition variable says when the buffer is READY, another when it was PROCESSED. The state is looked at and changed under the mutex, and
who changes it notifies before it unlocks: no change falls between a look and a sleep.
"""

import ctypes
import sys

import unipc
from example import PATIENCE, child

EMPTY, READY, PROCESSED = range(3)


class Shared(ctypes.Structure):
    _fields_ = [
        ("lock", unipc.c_mutex),
        ("ready", unipc.c_condvar),
        ("processed", unipc.c_condvar),
        ("state", ctypes.c_int),
        ("item", ctypes.c_long),
        ("square", ctypes.c_long),
    ]


class Buffer:
    """The two sides of the buffer; every method is called with the mutex held."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.lock = unipc.Mutex.from_buffer(shared.lock)
        self.changed = {READY: unipc.Condvar.from_buffer(shared.ready), PROCESSED: unipc.Condvar.from_buffer(shared.processed)}

    def wait_until(self, state: int) -> None:
        if self.changed[state].wait_while(self.lock, lambda: self.shared.state != state, timeout=PATIENCE):
            raise ChildProcessError("the other side died in the middle of a change")

    def announce(self, state: int) -> None:
        """Change, then notify."""
        self.shared.state = state
        self.changed[state].notify_one()


def consume(shared: Shared, items: int) -> None:
    buffer = Buffer(shared)
    with buffer.lock:
        for _ in range(items):
            buffer.wait_until(READY)
            shared.square = shared.item**2
            buffer.announce(PROCESSED)


def produce(shared: Shared, items: int) -> None:
    buffer = Buffer(shared)
    with buffer.lock:
        for item in range(1, items + 1):
            shared.item = item
            buffer.announce(READY)
            if item <= 3:
                print(f"READY: {item}")
            buffer.wait_until(PROCESSED)
            if shared.square != item**2:
                raise ValueError(shared.square)
            if item <= 3:
                print(f"PROCESSED: {shared.square}")
    print(f"{items} items, none lost")


def main() -> None:
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with unipc.Memory.anonymous(ctypes.sizeof(Shared)) as memory:
        shared = Shared.from_buffer(memory)  # zero bytes: nothing to initialise
        with child(consume, shared, items):
            produce(shared, items)


if __name__ == "__main__":
    main()
