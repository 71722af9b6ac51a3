"""Several processes count in shared memory without a lock: each addition is atomic.

The counter is a word at an offset of the memory. No order with other data is needed, so the additions are relaxed.
"""

import argparse
import contextlib
import os

import unipc
from example import child

COUNTER = 0
START = 8  # nobody counts before all are there


def work(memory: unipc.Memory, increments: int) -> None:
    counter, start = memory.atomic_i64(COUNTER), memory.atomic_i64(START)
    while not start.load("acquire"):
        os.sched_yield()
    for _ in range(increments):
        counter.fetch_add(1, "relaxed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("processes", type=int, nargs="?", default=4)
    parser.add_argument("increments", type=int, nargs="?", default=100000)
    arguments = parser.parse_args()
    with unipc.Memory.anonymous(16) as memory:
        with contextlib.ExitStack() as children:
            for _ in range(arguments.processes):
                children.enter_context(child(work, memory, arguments.increments))
            memory.atomic_i64(START).store(1, "release")
        value = memory.atomic_i64(COUNTER).load("acquire")
        print(f"{arguments.processes} processes x {arguments.increments} increments = {value}")


if __name__ == "__main__":
    main()
