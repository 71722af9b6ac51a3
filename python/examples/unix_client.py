"""Sends a message to unix_server and prints its answer. It waits for the server to listen, so it may be started first."""

import argparse

import unipc
from example import PATIENCE, read_text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    parser.add_argument("message", nargs="?", default="Hello from the client!")
    arguments = parser.parse_args()
    with unipc.Stream.connect_unix(arguments.path, timeout=PATIENCE, wait_for_listener=True) as server:
        server.write_all(arguments.message.encode(), timeout=PATIENCE)
        server.shutdown("write")  # the message ends here
        print(f"Answer: {read_text(server)}")


if __name__ == "__main__":
    main()
