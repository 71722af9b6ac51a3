"""Receives a message from a POSIX message queue that somebody else makes, before or after, and removes the queue."""

import argparse

import unipc
from example import PATIENCE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    arguments = parser.parse_args()
    with unipc.Mq.open(arguments.name, access="receive", wait_for_creator=PATIENCE) as queue:
        print(f"Received: {queue.receive(timeout=PATIENCE).decode(errors='replace')}")
    unipc.Mq.unlink(arguments.name)


if __name__ == "__main__":
    main()
