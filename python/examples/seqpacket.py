"""SEQPACKET: a connection as a stream has it, and every message in one piece.

The client sends three messages at once, the second one empty, and ends. The server receives three, and then the end: an empty message is
not the end. What does not fit into the buffer is an error that tells the size, not half a message.
"""

import errno
import os
import sys
import tempfile

import unipc
from example import PATIENCE, child


def send_all(listener: unipc.SeqpacketListener, path: str) -> None:
    listener.close()  # in a child this removes no path
    with unipc.Seqpacket.connect_unix(path, timeout=PATIENCE) as server:
        for message in (b"one", b"", b"a message that is too long for the server"):
            server.send(message, timeout=PATIENCE)


def receive_all(client: unipc.Seqpacket) -> None:
    while True:
        try:
            message = client.receive(20, timeout=PATIENCE)
            print(f'A message of {len(message)} bytes: "{message.decode()}"')
        except unipc.EndOfStream:
            print("The end")
            return
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            print(f"A message of {vars(error)['transferred']} bytes did not fit into 20")


def main(path: str = f"{tempfile.gettempdir()}/unipc-seqpacket-{os.getpid()}") -> None:
    with (
        unipc.SeqpacketListener.open_unix(path) as listener,
        child(send_all, listener, path),
        listener.accept(timeout=PATIENCE) as client,
    ):
        receive_all(client)


if __name__ == "__main__":
    main(*sys.argv[1:])
