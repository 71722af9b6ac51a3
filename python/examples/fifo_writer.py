"""Sends one message through a FIFO, once; its partner is fifo_reader. Either may start first, and creates the FIFO.

The message ends with the stream.
"""

import argparse

import unipc
from example import PATIENCE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    arguments = parser.parse_args()
    with unipc.Stream.open_or_create_fifo_writer(arguments.path, timeout=PATIENCE) as writer:
        writer.write_all(b"Hello FIFO!", timeout=PATIENCE)


if __name__ == "__main__":
    main()
