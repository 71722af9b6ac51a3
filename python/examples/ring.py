"""Many reads and writes in one wait (io_uring): eight children each want a number squared, and the parent has all of its reads in flight.

Where the machine has no io_uring, it says why on standard error, and does the same one by one.
"""

import contextlib
import sys

import unipc
from example import PATIENCE, child

CHILDREN = 8
# A token that no child has.
WRITE = CHILDREN


def ask(stream: unipc.Stream, number: int) -> None:
    stream.write_all(str(number).encode(), timeout=PATIENCE)
    assert int(stream.read(15, timeout=PATIENCE)) == number**2


def by_ring(ring: unipc.Ring, streams: list[unipc.Stream]) -> dict[int, int]:
    questions: dict[int, int] = {}
    for which, stream in enumerate(streams):
        ring.read(stream, 15, which)
    while ring.in_flight:
        for done in ring.wait(timeout=PATIENCE):
            if done.error:
                raise done.error
            if done.token != WRITE:
                questions[done.token] = int(done.data)
                ring.write(streams[done.token], str(int(done.data) ** 2).encode(), WRITE)
    return questions


def one_by_one(streams: list[unipc.Stream]) -> dict[int, int]:
    questions: dict[int, int] = {}
    for which, stream in enumerate(streams):
        questions[which] = int(stream.read(15, timeout=PATIENCE))
        stream.write_all(str(questions[which] ** 2).encode(), timeout=PATIENCE)
    return questions


def main() -> None:
    with contextlib.ExitStack() as stack:
        streams = []
        for number in range(1, CHILDREN + 1):
            near, far = map(stack.enter_context, unipc.Stream.pair_unix())
            stack.enter_context(child(ask, far, number))
            streams.append(near)
        try:
            ring = stack.enter_context(unipc.Ring())
        except unipc.Unavailable as why:
            print(f"one by one: {why}", file=sys.stderr)
            questions = one_by_one(streams)
        else:
            print("by io_uring", file=sys.stderr)
            questions = by_ring(ring, streams)
    for which in range(CHILDREN):
        print(f"child {which + 1}: {questions[which]} squared is {questions[which] ** 2}")


if __name__ == "__main__":
    main()
