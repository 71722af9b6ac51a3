"""A mistake, and how it is done well: one FIFO for both ways, and a Unix socket, which has two directions.

A FIFO is one stream of bytes: who opens it for both ways gets back what it has written itself, whenever it reads before the other side.
"""

import os
import sys
import tempfile

import unipc
from example import PATIENCE, child


def ask(out: unipc.Stream, back: unipc.Stream, expected: int, how: str) -> None:
    """Asks, and says what came back. Neither side ends the stream, so it is agreed how long each message is."""
    out.write_all(b"request", timeout=PATIENCE)
    print(f'{how}: sent "request", received "{back.read_exact(expected, timeout=PATIENCE).decode()}"')


def mistake(path: str) -> None:
    with unipc.Stream.open_or_create_fifo_reader(path, timeout=0, unpaired=True) as reader:  # nobody else has it open
        try:
            with unipc.Stream.open_fifo_writer(path, timeout=PATIENCE) as writer:
                ask(writer, reader, len("request"), "Mistake, one FIFO for both ways")
        finally:
            unipc.unlink_fifo(path)


def serve(listener: unipc.Listener) -> None:
    with listener.accept(timeout=PATIENCE) as client:
        client.read_exact(len("request"), timeout=PATIENCE)
        client.write_all(b"response", timeout=PATIENCE)


def corrected(path: str) -> None:
    with (
        unipc.Listener.open_unix(path) as listener,
        child(serve, listener),
        unipc.Stream.connect_unix(path, timeout=PATIENCE) as server,
    ):
        ask(server, server, len("response"), "Corrected, a Unix socket")


def main(path: str = f"{tempfile.gettempdir()}/unipc-mistake-{os.getpid()}") -> None:
    mistake(path)
    corrected(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
