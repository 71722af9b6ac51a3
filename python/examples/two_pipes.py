"""Two pipes make a conversation: one carries the request, the other the answer.

A message ends with its stream, so each side closes its writing end when it has spoken. Neither can fill one pipe while the other waits
to be read, which is how two pipes deadlock.
"""

import unipc
from example import PATIENCE, child, read_text


def answer(requests: tuple[unipc.Stream, unipc.Stream], answers: tuple[unipc.Stream, unipc.Stream]) -> None:
    requests[1].close()
    answers[0].close()
    with requests[0] as reader, answers[1] as writer:
        print(f"Child received: {read_text(reader)}", flush=True)  # before the parent learns that it may print
        writer.write_all(b"42", timeout=PATIENCE)


def main() -> None:
    requests, answers = unipc.pipe(), unipc.pipe()
    with child(answer, requests, answers), answers[0] as reader:
        requests[0].close()
        answers[1].close()
        with requests[1] as writer:
            writer.write_all(b"What is six times seven?", timeout=PATIENCE)
        print(f"Parent received: {read_text(reader)}")


if __name__ == "__main__":
    main()
