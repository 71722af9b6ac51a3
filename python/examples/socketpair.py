"""A socket pair for a conversation between a parent and its child: one call, both directions, framed messages.

The parent asks, the child answers, until the parent ends the stream.
"""

import unipc
from example import PATIENCE, child


def answer(stream: unipc.Stream, other: unipc.Stream) -> None:
    other.close()
    with unipc.Framed(stream) as parent:
        for question in parent:
            text = question.decode()
            print(f"Child was asked: {text}", flush=True)  # before the parent learns that it may print
            parent.send(f"{text} has {len(text)} letters".encode(), timeout=PATIENCE)


def main() -> None:
    ours, theirs = unipc.Stream.pair_unix()
    with child(answer, theirs, ours), unipc.Framed(ours) as other:
        theirs.close()
        for question in ("pipe", "socket", "semaphore"):
            other.send(question.encode(), timeout=PATIENCE)
            print(f"Parent was told: {other.receive(timeout=PATIENCE).decode()}", flush=True)


if __name__ == "__main__":
    main()
