"""Signals without any handler: they are blocked, and read from a signalfd. A program with threads does this before any thread is made."""

import os
import signal

import unipc
from example import PATIENCE, child


def send(parent: int) -> None:
    unipc.send_signal(parent, signal.SIGHUP)
    unipc.send_signal(parent, signal.SIGTERM)


def main() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with unipc.Signals([signal.SIGHUP, signal.SIGTERM], block=True) as signals, child(send, os.getpid()):
        while signals.receive(timeout=PATIENCE).signal != signal.SIGTERM:
            print("SIGHUP: the configuration would be read anew")
        print("SIGTERM: the end")
    print("The mask is", "what it was" if signal.pthread_sigmask(signal.SIG_BLOCK, []) == before else "changed")


if __name__ == "__main__":
    main()
