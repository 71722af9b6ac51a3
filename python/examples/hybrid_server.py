"""Sums up numbers that stand in shared memory, for clients that say over a Unix socket where; its partner is hybrid_client.

The socket is for control, the memory for data. What a client says is checked: a name that is none, a memory that is not there or too
small is that client's error, and not the server's.
"""

import argparse
import array
import itertools
import sys

import unipc
from example import PATIENCE, until_signal


def sum_up(request: str) -> int:
    name, count = request.split()
    size = 8 * int(count)
    # checked: a client that makes it smaller meanwhile does not end the server.
    with unipc.Memory.open(name, size=size, read_only=True, checked=True) as memory:
        total = sum(array.array("q", memory.read(0, size)))
    print(f"Server: {count} numbers, sum {total}", flush=True)
    return total


def answer(client: unipc.Framed) -> None:
    request = client.receive(timeout=PATIENCE)
    try:
        text = str(sum_up(request.decode()))
    except (OSError, ValueError) as error:
        print(f"request: {error}", file=sys.stderr)
        text = "error"
    client.send(text.encode(), timeout=PATIENCE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="appears when the server listens, and is removed at the end")
    parser.add_argument("--count", type=int, help="end after so many clients; else SIGTERM ends the server")
    arguments = parser.parse_args()
    with until_signal(), unipc.Listener.open_unix(arguments.path) as listener:
        for client in itertools.islice(listener, arguments.count):
            try:
                with unipc.Framed(client) as framed:
                    answer(framed)
            except (ConnectionError, TimeoutError, unipc.Error) as error:
                print(f"client: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
