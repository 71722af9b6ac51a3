"""A parent waits for its child's signal at a named semaphore that begins at 0.

The name is new, so no older value can be in it, and it goes when the parent closes. The order of the lines is the program's, not the
scheduler's, also when they go into a pipe: each is written out before the other process can know of it.
"""

import os
import sys

import unipc
from example import PATIENCE, child


def work(semaphore: unipc.PosixSemaphore) -> None:
    print("Child: doing work...")
    sum(range(1000000))
    print("Child: signaling parent", flush=True)
    semaphore.post()


def main(name: str = f"unipc-signal-{os.getpid()}") -> None:
    with unipc.PosixSemaphore.create(name, temporary=True) as semaphore:
        print("Parent: waiting for signal...", flush=True)
        with child(work, semaphore):
            semaphore.wait(timeout=PATIENCE)  # a child that died would never post
            print("Parent: received signal!")


if __name__ == "__main__":
    main(*sys.argv[1:])
