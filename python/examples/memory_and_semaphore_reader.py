"""Waits for what memory_and_semaphore_writer writes, reads it, and removes memory and semaphore. Either may start first."""

import argparse

import unipc
from example import PATIENCE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    name = parser.parse_args().name
    with unipc.Memory.open_or_create(name, 4096) as memory, unipc.PosixSemaphore.open_or_create(name) as ready:
        ready.wait(timeout=PATIENCE)
        message, _, _ = memory.read(0, 100).partition(b"\0")
        print(f"Reader read: {message.decode(errors='replace')}")
    unipc.PosixSemaphore.unlink(name)
    unipc.Memory.unlink(name)


if __name__ == "__main__":
    main()
