"""A server on a Unix socket that serves one client after the other; its partner is unix_client.

A message ends when the client shuts its writing direction down; a client that says nothing gets no answer, and what goes wrong with one
client is not the end of the server.
"""

import argparse
import itertools
import sys

import unipc
from example import PATIENCE, read_text, until_signal


def answer(client: unipc.Stream) -> None:
    if message := read_text(client):
        print(f"Received: {message}", flush=True)
        client.write_all(b"ACK", timeout=PATIENCE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="appears when the server listens, and is removed at the end")
    parser.add_argument("--count", type=int, help="end after so many clients; else SIGTERM ends the server")
    arguments = parser.parse_args()
    with until_signal(), unipc.Listener.open_unix(arguments.path) as listener:
        for client in itertools.islice(listener, arguments.count):
            try:
                with client:
                    answer(client)
            except (ConnectionError, TimeoutError, ValueError) as error:
                print(f"client: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
