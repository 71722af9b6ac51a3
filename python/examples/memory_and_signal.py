"""Shared memory for the data, a signal as the notification. Standard signals coalesce, so a signal says "look", never "one more"."""

import os
import signal

import unipc
from example import PATIENCE, child

COUNT = 100


def write(memory: unipc.Memory, parent: int) -> None:
    with memoryview(memory) as view, view.cast("q") as words:
        written = memory.atomic_i64(0)
        for value in range(1, COUNT + 1):
            words[value] = value
            written.store(value, "release")
            unipc.send_signal(parent, signal.SIGUSR1)


def main() -> None:
    # Signals that come late find us listening: the child is waited for first.
    with (
        unipc.Signals([signal.SIGUSR1]) as signals,
        unipc.Memory.anonymous(8 + 8 * COUNT) as memory,
        child(write, memory, os.getpid()),
        memoryview(memory) as view,
        view.cast("q") as words,
    ):
        written, read = memory.atomic_i64(0), 0
        while read < COUNT:
            signals.receive(timeout=PATIENCE)
            read = written.load("acquire")
        print(f"Received {read} values, the last is {words[read]}")


if __name__ == "__main__":
    main()
