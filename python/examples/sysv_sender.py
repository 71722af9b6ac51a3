"""Sends a message of a type to a System V message queue, for sysv_receiver. The message outlives this program.

Both programs find the queue by the key of a file that they know.
"""

import argparse

import unipc
from example import PATIENCE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="a file that both programs know")
    parser.add_argument("type", type=int, nargs="?", default=1)
    parser.add_argument("text", nargs="?", default="Hello World")
    arguments = parser.parse_args()
    with unipc.SysvQueue.open_or_create(unipc.sysv_key(arguments.path, 65)) as queue:
        queue.send(arguments.text.encode(), arguments.type, timeout=PATIENCE)
    print(f"Sent: {arguments.text}")


if __name__ == "__main__":
    main()
