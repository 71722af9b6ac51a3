"""Signals that carry a number, and who sent them. Standard signals do not queue; real-time signals do, in order: all of theirs arrive."""

import os
import signal

import unipc
from example import PATIENCE, child


def send(parent: int) -> None:
    unipc.send_signal(parent, signal.SIGUSR1, value=42)
    for value in range(1, 6):
        unipc.send_signal(parent, signal.SIGRTMIN, value=value)


def main() -> None:
    with unipc.Signals([signal.SIGUSR1, signal.SIGRTMIN]) as signals, child(send, os.getpid()) as process:
        queued: list[int | None] = []
        first = False
        while len(queued) < 5 or not first:
            got = signals.receive(timeout=PATIENCE)
            if got.signal == signal.SIGUSR1:
                print(f"Signal: {got.signal}\nData: {got.value}\nFrom the child: {'yes' if got.sender_pid == process.pid else 'no'}")
                first = True
            else:
                queued.append(got.value)
        print("Queued:", *queued)


if __name__ == "__main__":
    main()
