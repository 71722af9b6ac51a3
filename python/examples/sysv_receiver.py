"""Receives a message of a type from a System V message queue, whatever came before it, and removes the queue."""

import argparse

import unipc
from example import PATIENCE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="a file that both programs know")
    parser.add_argument("type", type=int, nargs="?", default=1)
    parser.add_argument("--keep", action="store_true", help="leave the queue for others")
    arguments = parser.parse_args()
    with unipc.SysvQueue.open(unipc.sysv_key(arguments.path, 65), wait_for_creator=PATIENCE) as queue:
        print(f"Received: {queue.receive(arguments.type, timeout=PATIENCE).decode(errors='replace')}")
        if not arguments.keep:
            queue.remove()


if __name__ == "__main__":
    main()
