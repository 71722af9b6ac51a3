"""A pool of five connections, counted by a semaphore in shared memory that knows its holders.

Five processes acquire a connection, and the sixth waits. One holder is killed: its place comes back by itself, and the sixth goes on. (A
named semaphore cannot do that: its place would be lost for ever.)
"""

import contextlib
import signal

import unipc
from example import PATIENCE, child

POOL = 5


class Pool:
    """Three semaphores, one after the other in the memory."""

    def __init__(self, memory: unipc.Memory) -> None:
        self.connections = unipc.Semaphore.from_buffer(memory)
        self.reported = unipc.Semaphore.from_buffer(memory, unipc.Semaphore.SIZE)  # a child has done what it was started for
        self.finish = unipc.Semaphore.from_buffer(memory, 2 * unipc.Semaphore.SIZE)  # a holder may give its connection back


def report(pool: Pool, text: str) -> None:
    print(text, flush=True)
    pool.reported.post()


def hold(pool: Pool) -> None:
    with pool.connections:  # no holder's death can make this wait for ever
        report(pool, "Connection acquired")
        pool.finish.wait(timeout=PATIENCE)


def sixth(pool: Pool) -> None:
    if pool.connections.try_wait():
        raise AssertionError("the sixth was to find none free")
    report(pool, "The sixth waits")
    with pool.connections:
        report(pool, "Connection acquired by the sixth, after a holder was killed")
        pool.finish.wait(timeout=PATIENCE)


def run(pool: Pool) -> None:
    pool.connections.init_recovering(POOL)  # the others begin at 0, as zero bytes do
    with contextlib.ExitStack() as children:
        victim = children.enter_context(child(hold, pool, ends_with=-signal.SIGKILL))
        pool.reported.wait(timeout=PATIENCE)
        for role in [hold] * (POOL - 1) + [sixth]:
            children.enter_context(child(role, pool))
            pool.reported.wait(timeout=PATIENCE)
        victim.kill()
        pool.reported.wait(timeout=PATIENCE)  # the sixth's
        for _ in range(POOL):
            pool.finish.post()
    print(f"Free at the end: {pool.connections.value()}")


def main() -> None:
    with unipc.Memory.anonymous(3 * unipc.Semaphore.SIZE) as memory:
        run(Pool(memory))


if __name__ == "__main__":
    main()
