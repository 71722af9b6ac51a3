"""Writes into POSIX shared memory and says so by a named semaphore; its partner is memory_and_semaphore_reader. Either may start first.

The semaphore begins at 0 and counts what stands ready: a reader waits for the data, and not merely for its turn.
"""

import argparse

import unipc


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    name = parser.parse_args().name
    message = "Hello from writer process!"
    with unipc.Memory.open_or_create(name, 4096) as memory, unipc.PosixSemaphore.open_or_create(name) as ready:
        memory.write(0, message.encode())
        print(f"Writer wrote: {message}", flush=True)  # before the reader learns that it may print
        ready.post()


if __name__ == "__main__":
    main()
