"""A TCP server on the loopback interface, on purpose: what listens on every address is open to the network; its partner is tcp_client.

A message ends when the client ends the stream.
"""

import argparse
import itertools
import sys

import unipc
from example import read_text, until_signal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int, help="0: the system chooses, and the first line says what")
    parser.add_argument("--count", type=int, help="end after so many clients; else SIGTERM ends the server")
    arguments = parser.parse_args()
    with until_signal(), unipc.Listener.open_tcp("127.0.0.1", arguments.port) as listener:
        print(f"Port: {listener.port()}", flush=True)
        for client in itertools.islice(listener, arguments.count):
            try:
                with client:
                    print(f"Message from client: {read_text(client)}", flush=True)
            except (ConnectionError, TimeoutError, ValueError) as error:  # its misfortune is not the server's
                print(f"client: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
