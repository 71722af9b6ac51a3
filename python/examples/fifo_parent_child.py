"""A FIFO is a pipe with a name in the file system. Here a child writes to it and its parent reads; the message ends with the stream.

Opening waits for the other side, within a limit: a child that dies before it opens costs the parent an error and not its life.
"""

import os
import sys
import tempfile

import unipc
from example import PATIENCE, child, read_text


def send(path: str) -> None:
    with unipc.Stream.open_fifo_writer(path, timeout=PATIENCE) as writer:
        writer.write_all(b"Hello via FIFO!", timeout=PATIENCE)


def main(path: str = f"{tempfile.gettempdir()}/unipc-fifo-{os.getpid()}") -> None:
    unipc.create_fifo(path)
    try:
        with child(send, path), unipc.Stream.open_fifo_reader(path, timeout=PATIENCE) as reader:
            print(f"Received: {read_text(reader)}")
    finally:
        unipc.unlink_fifo(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
