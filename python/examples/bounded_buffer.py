"""Several producers and consumers share a buffer of ten places, kept by three semaphores.

How many places are free, how many are full, and one whose only unit lets one process at a time change the buffer. The order matters: first
a place, then the buffer. The other way round a producer that finds no place free would hold the buffer for ever.
"""

import contextlib
import ctypes
from collections.abc import Iterator

import unipc
from example import PATIENCE, child

PLACES, PRODUCERS, CONSUMERS, EACH = 10, 3, 3, 3000
ITEMS = PRODUCERS * EACH


class Shared(ctypes.Structure):
    _fields_ = [
        ("free_places", unipc.c_semaphore),
        ("full_places", unipc.c_semaphore),
        ("buffer", unipc.c_semaphore),
        ("items", ctypes.c_uint32 * PLACES),
        ("first", ctypes.c_uint32),
        ("count", ctypes.c_uint32),
        ("consumed", ctypes.c_uint8 * ITEMS),
    ]


class Buffer:
    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.free_places = unipc.Semaphore.from_buffer(shared.free_places)
        self.full_places = unipc.Semaphore.from_buffer(shared.full_places)
        self.semaphore = unipc.Semaphore.from_buffer(shared.buffer)

    @contextlib.contextmanager
    def changing(self, takes: unipc.Semaphore, gives: unipc.Semaphore) -> Iterator[None]:
        takes.wait(timeout=PATIENCE)
        self.semaphore.wait(timeout=PATIENCE)
        yield
        self.semaphore.post()
        gives.post()


def produce(shared: Shared, producer: int) -> None:
    buffer = Buffer(shared)
    for number in range(EACH):
        with buffer.changing(buffer.free_places, buffer.full_places):
            shared.items[(shared.first + shared.count) % PLACES] = producer * EACH + number
            shared.count += 1


def consume(shared: Shared) -> None:
    buffer = Buffer(shared)
    for _ in range(ITEMS // CONSUMERS):
        with buffer.changing(buffer.full_places, buffer.free_places):
            shared.consumed[shared.items[shared.first]] += 1
            shared.first = (shared.first + 1) % PLACES
            shared.count -= 1


def main() -> None:
    with unipc.Memory.anonymous(ctypes.sizeof(Shared)) as memory:
        shared = Shared.from_buffer(memory)
        buffer = Buffer(shared)
        buffer.free_places.init(PLACES)  # no place is full: zero bytes say so
        buffer.semaphore.init(1)
        with contextlib.ExitStack() as children:
            for producer in range(PRODUCERS):
                children.enter_context(child(produce, shared, producer))
            for _ in range(CONSUMERS):
                children.enter_context(child(consume, shared))
        if set(shared.consumed) != {1}:
            raise ValueError("an item was not consumed once")
    print(f"{PRODUCERS} producers, {CONSUMERS} consumers, {ITEMS} items: each was consumed once")


if __name__ == "__main__":
    main()
