"""One wait over everything: a child sends a word by each of eight ways, and its parent waits for all of them in one poller.

The events come in any order. Shared memory has no descriptor: the child writes into it and then adds to an eventfd, which has.
"""

import contextlib
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import unipc
from example import PATIENCE, child


def main() -> None:
    with contextlib.ExitStack() as stack:
        own = stack.enter_context
        path = Path(own(tempfile.TemporaryDirectory())) / "fifo"
        pipe, pipe_writer = map(own, unipc.pipe())
        fifo = own(unipc.Stream.open_or_create_fifo_reader(path, keep_open=True, timeout=PATIENCE))
        queue = own(unipc.Mq.create(f"unipc-one-poll-{os.getpid()}", temporary=True))
        stream, stream_far = map(own, unipc.Stream.pair_unix())
        datagram, datagram_far = map(own, unipc.Datagram.pair_unix())
        counter, notice = own(unipc.EventFd()), own(unipc.EventFd())
        signals = own(unipc.Signals([signal.SIGUSR1], block=True))
        memory = own(unipc.Memory.anonymous(4096))
        poller = own(unipc.Poller())

        def send(parent: int) -> None:
            pipe_writer.write_all(b"by pipe", timeout=PATIENCE)
            with unipc.Stream.open_fifo_writer(path, timeout=PATIENCE) as writer:
                writer.write_all(b"by FIFO", timeout=PATIENCE)
            queue.send(b"by queue", timeout=PATIENCE)
            stream_far.write_all(b"by stream", timeout=PATIENCE)
            datagram_far.send(b"by datagram", timeout=PATIENCE)
            counter.add(42, timeout=PATIENCE)
            unipc.send_signal(parent, signal.SIGUSR1)
            memory.write(0, b"by memory")
            notice.add(timeout=PATIENCE)

        def shared() -> str:
            notice.take(timeout=0)
            return memory.read(0, 9).decode()

        # How each is taken without waiting: the poller has said that it is there.
        ways: dict[str, tuple[unipc.Poller | object, Callable[[], str]]] = {
            "pipe": (pipe, lambda: pipe.read(100, timeout=0).decode()),
            "FIFO": (fifo, lambda: fifo.read(100, timeout=0).decode()),
            "message queue": (queue, lambda: queue.receive(timeout=0).decode()),
            "Unix stream": (stream, lambda: stream.read(100, timeout=0).decode()),
            "Unix datagram": (datagram, lambda: datagram.receive(timeout=0).decode()),
            "eventfd": (counter, lambda: str(counter.take(timeout=0))),
            "signal": (signals, lambda: signal.Signals(signals.receive(timeout=0).signal).name),
            "shared memory": (notice, shared),
        }
        for name, (source, _) in ways.items():
            poller.add(source, name)  # type: ignore[arg-type]
        texts: dict[str, str] = {}
        with child(send, os.getpid()):
            while len(texts) < len(ways):
                for event in poller.wait(timeout=PATIENCE):
                    texts[event.token] = ways[event.token][1]()
        for name in ways:
            print(f"{name}: {texts[name]}")


if __name__ == "__main__":
    main()
