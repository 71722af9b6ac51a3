"""One log, many senders: each message is a Unix datagram, so lines never mix, and a sender that dies tears none.

There is no connection: whoever may write to the path may send. A log that is slow makes the senders wait; nothing is lost.
"""

import contextlib
import os
import sys
import tempfile

import unipc
from example import PATIENCE, child

SENDERS, LINES = 4, 100


def send_lines(log: unipc.Datagram, path: str, sender: int) -> None:
    log.close()  # in a child this removes no path
    with unipc.Datagram.open_unix() as datagram:
        datagram.connect(path, timeout=PATIENCE)
        for line in range(LINES):
            datagram.send(f"{sender} {line} the answer is {line * sender}".encode(), timeout=PATIENCE)


def main(path: str = f"{tempfile.gettempdir()}/unipc-log-{os.getpid()}") -> None:
    counts = [0] * SENDERS
    with unipc.Datagram.open_unix(path) as log, contextlib.ExitStack() as children:
        for sender in range(SENDERS):
            children.enter_context(child(send_lines, log, path, sender))
        for _ in range(SENDERS * LINES):
            text = log.receive(timeout=PATIENCE).decode()
            sender = int(text.split()[0])
            line = counts[sender]
            if text != f"{sender} {line} the answer is {line * sender}":
                raise ValueError(f"not what was sent: {text}")
            counts[sender] += 1
    for sender, count in enumerate(counts):
        print(f"Sender {sender}: {count} lines, in order")


if __name__ == "__main__":
    main(*sys.argv[1:])
