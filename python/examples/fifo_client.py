"""Sends one line from standard input to fifo_server. It may be started before the server: it waits for the FIFO and for its reader."""

import argparse
import select

import unipc
from example import PATIENCE

LARGEST = select.PIPE_BUF - 4  # as the server's: what goes out in one piece


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    arguments = parser.parse_args()
    line = input("Enter message: ")
    writer = unipc.Stream.open_fifo_writer(arguments.path, timeout=PATIENCE, wait_for_creator=PATIENCE)
    with unipc.Framed(writer, largest=LARGEST) as server:
        server.send(line.encode(), timeout=PATIENCE)


if __name__ == "__main__":
    main()
