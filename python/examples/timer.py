"""A timer that ticks as a descriptor, without drift; then real-time signals, which queue: all arrive, in the order of sending."""

import os
import signal
import threading

import unipc
from example import PATIENCE


def ticks() -> None:
    with unipc.Timer() as timer:
        start, seen = timer.now(), 0
        timer.set(0.01, 0.01)
        while seen < 3:
            seen += timer.wait(timeout=PATIENCE)
        print("3 ticks in", "no less" if timer.now() - start >= 0.03 else "less", "than 30 ms")


def queue() -> None:
    number = signal.SIGRTMIN
    with unipc.BlockedSignals([number]):
        for value in range(1, 6):
            unipc.send_signal(os.getpid(), number, value=value, thread=threading.get_native_id())
        print("Queued while nobody looked:", *(unipc.take_signal([number], timeout=PATIENCE).value for _ in range(5)))


if __name__ == "__main__":
    ticks()
    queue()
