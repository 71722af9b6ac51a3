"""Opens the semaphore that semaphore_init makes, waiting until it is there, and enters a critical section."""

import argparse

import unipc
from example import PATIENCE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    arguments = parser.parse_args()
    with unipc.PosixSemaphore.open(arguments.name, wait_for_creator=PATIENCE) as semaphore:
        semaphore.wait(timeout=PATIENCE)
        print("In critical section", flush=True)
        semaphore.post()


if __name__ == "__main__":
    main()
