"""Puts a million numbers into shared memory and has hybrid_server sum them up: eight megabytes that no socket carries.

The memory is temporary: its name goes when this program closes it, whatever the server answered. It may be started first.
"""

import argparse
import array
import os

import unipc
from example import PATIENCE

COUNT = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    parser.add_argument("name", nargs="?", default=f"unipc-hybrid-{os.getpid()}", help="of the memory")
    arguments = parser.parse_args()
    with unipc.Memory.create(arguments.name, 8 * COUNT, temporary=True) as memory:
        memory.write(0, array.array("q", range(COUNT)))  # the request goes out after this, and orders it
        stream = unipc.Stream.connect_unix(arguments.path, timeout=PATIENCE, wait_for_listener=True)
        with unipc.Framed(stream) as server:
            server.send(f"{arguments.name} {COUNT}".encode(), timeout=PATIENCE)
            print(f"Client: the sum is {server.receive(timeout=PATIENCE).decode()}")


if __name__ == "__main__":
    main()
