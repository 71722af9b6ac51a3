"""One producer gives a thousand jobs to four workers through a POSIX message queue: each job goes to exactly one.

The queue holds ten jobs: a producer that is ahead waits. The last message for each worker is an empty one of the lowest priority, which
nobody receives while there is a job left. What was done is counted in shared memory, a counter for each job.
"""

import contextlib
import os
import sys

import unipc
from example import PATIENCE, child

JOBS = 1000
WORKERS = 4
URGENCY = 5


def work(queue: unipc.Mq, done: unipc.Memory) -> None:
    while job := queue.receive(timeout=PATIENCE):
        done.atomic_u32(4 * int.from_bytes(job, "little")).fetch_add(1)


def produce(queue: unipc.Mq) -> None:
    for job in range(JOBS):
        queue.send(job.to_bytes(4, "little"), URGENCY, timeout=PATIENCE)
    for _ in range(WORKERS):
        queue.send(b"", 0, timeout=PATIENCE)


def main(name: str = f"unipc-jobs-{os.getpid()}") -> None:
    with unipc.Mq.create(name, capacity=10, largest=4, temporary=True) as queue, unipc.Memory.anonymous(4 * JOBS) as done:
        with contextlib.ExitStack() as workers:
            for _ in range(WORKERS):
                workers.enter_context(child(work, queue, done))
            produce(queue)
        counters = [done.atomic_u32(4 * job).load() for job in range(JOBS)]
        if counters != [1] * JOBS:
            raise RuntimeError("a job was done twice, or not at all")
        print(f"{JOBS} jobs by {WORKERS} workers: each was done once")


if __name__ == "__main__":
    main(*sys.argv[1:])
