"""A publisher sends what it publishes to every subscriber's own POSIX message queue.

A queue gives each message to one receiver, so publishing takes one queue for each. The publisher does not wait: a subscriber that is too
slow loses messages, and nobody else does. The third subscriber comes late, and its queue holds two messages.
"""

import contextlib
import os
import sys

import unipc
from example import PATIENCE, child

MESSAGES = 5
CAPACITIES = (MESSAGES, MESSAGES, 2)


def subscribe(queue: unipc.Mq, number: int) -> None:
    """Receives until the empty message that ends it."""
    heard = []
    while message := queue.receive(timeout=PATIENCE):
        heard.append(message.decode())
    print(f"Subscriber {number}: {', '.join(heard)}", flush=True)


def publish(queues: list[unipc.Mq], message: bytes, dropped: list[int]) -> None:
    for index, queue in enumerate(queues):
        try:
            queue.send(message, timeout=0)
        except BlockingIOError:
            dropped[index] += 1


def main(name: str = f"unipc-subscriber-{os.getpid()}") -> None:
    dropped = [0] * len(CAPACITIES)
    with contextlib.ExitStack() as stack:
        queues = [
            stack.enter_context(unipc.Mq.create(f"{name}-{number}", capacity=capacity, largest=64, temporary=True))
            for number, capacity in enumerate(CAPACITIES, 1)
        ]
        subscribers = [child(subscribe, queue, number) for number, queue in enumerate(queues, 1)]
        for subscriber in subscribers[:-1]:
            subscriber.__enter__()
        for number in range(1, MESSAGES + 1):
            publish(queues, f"message {number}".encode(), dropped)
        subscribers[-1].__enter__()
        # One after the other, so that their lines come in this order.
        for queue, subscriber in zip(queues, subscribers, strict=True):
            queue.send(b"", timeout=PATIENCE)
            subscriber.__exit__(None, None, None)
    for number, count in enumerate(dropped, 1):
        if count:
            print(f"{count} messages were dropped for subscriber {number}")


if __name__ == "__main__":
    main(*sys.argv[1:])
