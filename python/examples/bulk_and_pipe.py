"""Memory carries the bulk, pipes say what is ready.

The parent fills a block and sends its number, the child works on the bytes where they are, and sends the number back when the block is
free again. A pipe orders: what was stored before the number was sent is seen by who has received it. And it wakes: nobody spins.
"""

import contextlib

import unipc
from example import PATIENCE, child

BLOCKS = 2  # one is filled while the other is worked on
ROUNDS = 16
SIZE = 1 << 20
Pipe = tuple[unipc.Stream, unipc.Stream]


def work(memory: unipc.Memory, ready: Pipe, empty: Pipe) -> None:
    ready[1].close()
    empty[0].close()
    total = count = length = 0
    with memoryview(memory) as bulk, ready[0] as numbers, empty[1] as answers:
        while number := numbers.read(1, timeout=PATIENCE):  # nothing: the parent has closed its end
            block = bulk[number[0] * SIZE : (number[0] + 1) * SIZE]
            total += sum(block)
            length += len(block)
            count += 1
            with contextlib.suppress(BrokenPipeError):  # the parent needs no more blocks
                answers.write_all(number, timeout=PATIENCE)
    print(f"Child: {count} blocks, {length} bytes, sum {total}")


def main() -> None:
    ready, empty = unipc.pipe(), unipc.pipe()
    with unipc.Memory.anonymous(BLOCKS * SIZE) as memory, child(work, memory, ready, empty):
        ready[0].close()
        empty[1].close()
        with memoryview(memory) as bulk, ready[1] as numbers, empty[0] as answers:
            for turn in range(ROUNDS):
                number = turn if turn < BLOCKS else answers.read_exact(1, timeout=PATIENCE)[0]
                bulk[number * SIZE : (number + 1) * SIZE] = bytes([turn]) * SIZE
                numbers.write_all(bytes([number]), timeout=PATIENCE)


if __name__ == "__main__":
    main()
