"""Receives what is in a POSIX message queue, the highest priority first, and removes the queue.

Run it after mq_priority_sender: what is not there yet cannot come first.
"""

import argparse

import unipc


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    arguments = parser.parse_args()
    with unipc.Mq.open(arguments.name, access="receive") as queue:
        while queue.queued() > 0:
            message = queue.receive_message(timeout=0)
            print(f"Priority {message.priority}: {message.data.decode(errors='replace')}")
    unipc.Mq.unlink(arguments.name)


if __name__ == "__main__":
    main()
