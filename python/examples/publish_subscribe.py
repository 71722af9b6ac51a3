"""Publish and subscribe on Unix sockets: a broker sends each message to those who have asked for its topic.

A subscriber connects by SEQPACKET, and its first message names its topics. The broker publishes without waiting: a subscriber
whose queue is full is dropped, so that a slow one holds nobody up.
"""

import contextlib
import os
import sys
import tempfile

import unipc
from example import PATIENCE, child


def subscribe(listener: unipc.SeqpacketListener, path: str, topics: str) -> None:
    listener.close()  # in a child this removes no path
    with unipc.Seqpacket.connect_unix(path, timeout=PATIENCE) as broker:
        broker.send(topics.encode(), timeout=PATIENCE)
        heard = [message.decode() for message in broker]
    print(f"Subscriber of {topics} received", *(f"[{message}]" for message in heard), flush=True)


class Broker:
    def __init__(self) -> None:
        self.subscribers: dict[unipc.Seqpacket, set[str]] = {}

    def add(self, subscriber: unipc.Seqpacket) -> None:
        self.subscribers[subscriber] = set(subscriber.receive(timeout=PATIENCE).decode().split())

    def publish(self, topic: str, text: str) -> None:
        for subscriber, topics in list(self.subscribers.items()):
            if topic in topics:
                try:
                    subscriber.send(f"{topic}: {text}".encode(), timeout=0)
                except OSError:  # gone, or too slow
                    del self.subscribers[subscriber]
                    subscriber.close()


def main(path: str = f"{tempfile.gettempdir()}/unipc-broker-{os.getpid()}") -> None:
    broker = Broker()
    with unipc.SeqpacketListener.open_unix(path) as listener:
        children = []
        for topics in ("news", "news sport"):
            process = child(subscribe, listener, path, topics)
            process.__enter__()
            children.append(process)
            broker.add(listener.accept(timeout=PATIENCE))  # from now on it misses nothing
        broker.publish("news", "sockets have boundaries")
        broker.publish("sport", "two to one")
        broker.publish("weather", "rain, which nobody asked for")
        broker.publish("news", "the end is no message")
        for subscriber, process in zip(broker.subscribers, children, strict=True):
            # Closing alone would not do: children that were made later have inherited the connection.
            with contextlib.suppress(OSError):
                subscriber.shutdown()
            subscriber.close()
            process.__exit__(None, None, None)


if __name__ == "__main__":
    main(*sys.argv[1:])
