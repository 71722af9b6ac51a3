"""A message waits in the kernel: it is received when the process that has sent it is gone.

So it is with POSIX and with System V message queues. The queues outlive everybody, too; here they go when the parent closes them.
"""

import os
import sys

import unipc
from example import PATIENCE, child


def send_both(posix: unipc.Mq, sysv: unipc.SysvQueue) -> None:
    posix.send(b"I outlive my sender", timeout=PATIENCE)
    sysv.send(b"I outlive my sender", timeout=PATIENCE)


def main(name: str = f"unipc-left-{os.getpid()}") -> None:
    with (
        unipc.Mq.create(name, capacity=1, largest=64, temporary=True) as posix,
        unipc.SysvQueue.create_private(temporary=True) as sysv,
    ):
        with child(send_both, posix, sysv):
            pass
        print("The sender is gone")
        print(f"Received from the POSIX queue: {posix.receive(timeout=0).decode()}")
        print(f"Received from the System V queue: {sysv.receive(timeout=0).decode()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
