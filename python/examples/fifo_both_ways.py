"""Two FIFOs make a conversation: PATH.request carries the request, PATH.answer the answer. Messages end with their streams.

Both sides open the two in the same order; in different orders each would wait for the other.
"""

import os
import sys
import tempfile

import unipc
from example import PATIENCE, child, read_text


def send(path: str, text: str) -> None:
    with unipc.Stream.open_fifo_writer(path, timeout=PATIENCE) as writer:
        writer.write_all(text.encode(), timeout=PATIENCE)


def receive(path: str) -> str:
    with unipc.Stream.open_fifo_reader(path, timeout=PATIENCE) as reader:
        return read_text(reader)


def ask(path: str) -> None:
    send(f"{path}.request", "What is six times seven?")
    print(f"Client received: {receive(f'{path}.answer')}")


def serve(path: str) -> None:
    print(f"Server received: {receive(f'{path}.request')}", flush=True)  # before the client learns that it may print
    send(f"{path}.answer", "42")


def main(path: str = f"{tempfile.gettempdir()}/unipc-both-{os.getpid()}") -> None:
    fifos = [f"{path}.request", f"{path}.answer"]
    for fifo in fifos:
        unipc.create_fifo(fifo)
    try:
        with child(ask, path):
            serve(path)
    finally:
        for fifo in fifos:
            unipc.unlink_fifo(fifo)


if __name__ == "__main__":
    main(*sys.argv[1:])
