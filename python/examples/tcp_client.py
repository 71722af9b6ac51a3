"""Sends a message to tcp_server over the loopback interface. The message ends with the stream."""

import argparse

import unipc
from example import PATIENCE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("message", nargs="?", default="Hello from the client!")
    arguments = parser.parse_args()
    with unipc.Stream.connect_tcp("127.0.0.1", arguments.port, timeout=PATIENCE, wait_for_listener=True) as server:
        server.write_all(arguments.message.encode(), timeout=PATIENCE)


if __name__ == "__main__":
    main()
