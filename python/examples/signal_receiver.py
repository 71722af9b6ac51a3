"""Signals as something to read: a handler of the library records them, and the program takes one after the other, in its own time.

Its partner is signal_sender. It ends with SIGUSR2.
"""

import os
import signal

import unipc
from example import PATIENCE


def main() -> None:
    with unipc.Signals([signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2]) as signals:
        print(f"PID: {os.getpid()}, waiting for SIGUSR1...", flush=True)
        while (got := _next(signals)) != signal.SIGUSR2:
            print("Received signal!" if got == signal.SIGUSR1 else f"Received signal: {got}", flush=True)
    print("Received SIGUSR2 as well")


def _next(signals: unipc.Signals) -> int:
    return signals.receive(timeout=PATIENCE).signal


if __name__ == "__main__":
    # Python's own handler of SIGINT would run too, and raise KeyboardInterrupt.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    main()
