"""Sends a message to a POSIX message queue of the system's own size, for mq_receiver."""

import argparse

import unipc
from example import PATIENCE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    arguments = parser.parse_args()
    with unipc.Mq.open_or_create(arguments.name, access="send") as queue:
        queue.send(b"Hello via message queue!", timeout=PATIENCE)


if __name__ == "__main__":
    main()
