"""A child sends one message with a priority to its parent, through a POSIX message queue.

The name goes when the parent closes. The child is waited for first: the message is in the queue, and not in the child.
"""

import os
import sys

import unipc
from example import PATIENCE, child


def work(queue: unipc.Mq) -> None:
    queue.send(b"Hello via message queue!", priority=1, timeout=PATIENCE)


def main(name: str = f"unipc-queue-{os.getpid()}") -> None:
    with unipc.Mq.create(name, capacity=10, largest=256, temporary=True) as queue:
        with child(work, queue):
            pass
        message = queue.receive_message(timeout=PATIENCE)
        print(f"Received (prio={message.priority}): {message.data.decode()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
