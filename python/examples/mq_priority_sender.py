"""Leaves two messages in a POSIX message queue, for mq_priority_receiver: the one of low priority first.

Who comes first, sender or receiver, makes the queue.
"""

import argparse

import unipc
from example import PATIENCE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    arguments = parser.parse_args()
    with unipc.Mq.open_or_create(arguments.name, capacity=10, largest=256, access="send") as queue:
        queue.send(b"Low priority", 1, timeout=PATIENCE)
        queue.send(b"High priority!", 10, timeout=PATIENCE)


if __name__ == "__main__":
    main()
