"""Shared memory for the data, an eventfd to say that there is some.

The writer writes first and then adds; the reader takes first and then reads all there is: so it never sleeps on data.
"""

import unipc
from example import PATIENCE, child

COUNT = 1000


def write(memory: unipc.Memory, counter: unipc.EventFd) -> None:
    with memoryview(memory) as view, view.cast("q") as words:
        written = memory.atomic_i64(0)
        for value in range(1, COUNT + 1):
            words[value] = value
            written.store(value, "release")
            counter.add(timeout=PATIENCE)


def main() -> None:
    with unipc.Memory.anonymous(8 + 8 * COUNT) as memory, unipc.EventFd() as counter, child(write, memory, counter):
        with memoryview(memory) as view, view.cast("q") as words:
            written, read, total = memory.atomic_i64(0), 0, 0
            while read < COUNT:
                counter.take(timeout=PATIENCE)
                there = written.load("acquire")
                total += sum(words[read + 1 : there + 1])
                read = there
        print(f"Received {read} values, their sum is {total}")


if __name__ == "__main__":
    main()
