"""A Unix socket in one program: the parent serves, its child is the client. A stream keeps no boundaries: the messages are framed.

The parent listens before it forks, so the child never comes too early.
"""

import os
import sys
import tempfile

import unipc
from example import PATIENCE, child


def ask(path: str) -> None:
    with unipc.Framed(unipc.Stream.connect_unix(path, timeout=PATIENCE)) as server:
        server.send(b"Hello from client!", timeout=PATIENCE)
        print(f"Client received: {server.receive(timeout=PATIENCE).decode()}")


def main(path: str = f"{tempfile.gettempdir()}/unipc-socket-{os.getpid()}") -> None:
    with unipc.Listener.open_unix(path) as listener, child(ask, path), unipc.Framed(listener.accept(timeout=PATIENCE)) as client:
        print(f"Server received: {client.receive(timeout=PATIENCE).decode()}", flush=True)  # before the client learns that it may print
        client.send(b"Hello from server!", timeout=PATIENCE)


if __name__ == "__main__":
    main(*sys.argv[1:])
