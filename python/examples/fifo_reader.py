"""Receives one message through a FIFO, once, and removes the FIFO; its partner is fifo_writer. Either may start first.

The message ends with the stream.
"""

import argparse

import unipc
from example import PATIENCE, read_text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    arguments = parser.parse_args()
    with unipc.Stream.open_or_create_fifo_reader(arguments.path, timeout=PATIENCE) as reader:
        try:
            print(f"Received: {read_text(reader)}")
        finally:
            unipc.unlink_fifo(arguments.path)


if __name__ == "__main__":
    main()
