"""An event loop that waits for a client and for SIGTERM at the same time: the signal is a descriptor beside the socket."""

import os
import selectors
import signal

import unipc
from example import PATIENCE, child


def client(ours: unipc.Stream, theirs: unipc.Stream, server: int) -> None:
    ours.close()
    with theirs:
        theirs.write_all(b"hello from the client", timeout=PATIENCE)
        theirs.read_exact(2, timeout=PATIENCE)  # it has been read
        unipc.send_signal(server, signal.SIGTERM)


def serve(stream: unipc.Stream, signals: unipc.Signals) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(signals, selectors.EVENT_READ)
        selector.register(stream, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select(PATIENCE):
                if key.fileobj is signals and signals.receive(timeout=0).signal == signal.SIGTERM:
                    print("Shutting down gracefully...")
                    return
                if key.fileobj is stream:
                    if text := stream.read(100, timeout=0):
                        print(f"Received: {text.decode()}")
                        stream.write_all(b"OK", timeout=PATIENCE)
                    else:  # the client has left
                        selector.unregister(stream)


def main() -> None:
    with unipc.Signals([signal.SIGTERM]) as signals:
        ours, theirs = unipc.Stream.pair_unix()
        with child(client, ours, theirs, os.getpid()), ours:
            theirs.close()
            serve(ours, signals)


if __name__ == "__main__":
    main()
