"""Sends SIGINT, SIGUSR1 and SIGUSR2 to a process, by a pidfd: if the process ends meanwhile, nobody else gets them."""

import signal
import sys

import unipc


def main(pid: str) -> None:
    with unipc.Process.open(int(pid)) as process:
        for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
            process.send_signal(number)


if __name__ == "__main__":
    main(*sys.argv[1:])
