"""What the two Python workers share: the command line, the two pinned processes, the loops that are timed, the samples on standard output.

The same loops as in c/worker.h. A worker brings its calls: for streams and messages two functions, one that writes a message and one that gives the
next; for locks the objects themselves; for what one process wakes the other by two functions, one that posts and one that waits.

Command line:  worker MECHANISM METRIC SIZE CPU PEER_CPU SAMPLES BATCH
Output:        one line, the nanoseconds of each sample; a sample is BATCH operations
"""

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any, NoReturn

Write = Callable[[bytes | bytearray], Any]
Read = Callable[[], bytes | bytearray]
Ends = tuple[Read, Write]


@dataclass(frozen=True)
class Job:
    mechanism: str
    metric: str
    size: int
    cpu: int
    peer_cpu: int
    samples: int
    batch: int

    @property
    def warm_up(self) -> int:
        """Samples before those that count: caches and branch predictors have seen everything then."""
        return self.samples // 10 + 1

    @property
    def operations(self) -> int:
        return (self.warm_up + self.samples) * self.batch

    @property
    def is_round_trip(self) -> bool:
        return self.metric == "round_trip_ns"


def parse() -> Job:
    mechanism, metric, *numbers = sys.argv[1:]
    return Job(mechanism, metric, *map(int, numbers))


def report(job: Job, times: list[int]) -> None:
    print(*times[job.warm_up :])


def pin(cpu: int) -> None:
    os.sched_setaffinity(0, [cpu])


def end_peer(play: Callable[[], None]) -> NoReturn:
    status = 1
    try:
        play()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def with_peer(job: Job, peer: Callable[[], None], measure: Callable[[], list[int]]) -> list[int]:
    """Runs `peer` in a child, pinned to its CPU, and `measure` here, pinned too."""
    child = os.fork()
    if child == 0:
        pin(job.peer_cpu)
        end_peer(peer)
    pin(job.cpu)
    times = measure()
    if os.waitpid(child, 0)[1] != 0:
        sys.exit("the peer failed")
    return times


# ---- Streams and messages


def compare_whole(job: Job, read: Read, write: Write) -> None:
    """Before the clock runs, every byte crosses twice and is compared."""
    message = bytes((i * 7 + 1) % 256 for i in range(job.size))
    write(message)
    if read() != message:
        sys.exit("a message came back changed")


def round_trips(job: Job, read: Read, write: Write) -> list[int]:
    message = bytearray(job.size)
    times = []
    for number in range(job.warm_up + job.samples):
        start = perf_counter_ns()
        message[0] = message[-1] = number & 255
        write(message)
        back = read()
        if back[0] != number & 255 or back[-1] != number & 255:
            sys.exit(f"message {number} is another")
        times.append(perf_counter_ns() - start)
    return times


def echo(job: Job, read: Read, write: Write) -> None:
    for _ in range(job.operations):
        write(read())


def send_batches(job: Job, read_one: Read, write: Write) -> list[int]:
    """A sample ends when the other side says that it has read the whole batch."""
    message = bytearray(job.size)
    times = []
    for sample in range(job.warm_up + job.samples):
        start = perf_counter_ns()
        for number in range(sample * job.batch, (sample + 1) * job.batch):
            message[0] = message[-1] = number & 255
            write(message)
        read_one()
        times.append(perf_counter_ns() - start)
    return times


def receive_batches(job: Job, read: Read, write: Write) -> None:
    for number in range(job.operations):
        message = read()
        if message[0] != number & 255 or message[-1] != number & 255:
            sys.exit(f"message {number} is another")
        if (number + 1) % job.batch == 0:
            write(b"x")


def measure_messages(job: Job, open_ends: Callable[[bool, int], Ends]) -> list[int]:
    """`open_ends` opens one side's calls, for messages of a size; it can be asked again for another size."""

    def peer() -> None:
        read, write = open_ends(True, job.size)
        write(read())
        (echo if job.is_round_trip else receive_batches)(job, read, write)

    def measure() -> list[int]:
        read, write = open_ends(False, job.size)
        compare_whole(job, read, write)
        if job.is_round_trip:
            return round_trips(job, read, write)
        return send_batches(job, open_ends(False, 1)[0], write)

    return with_peer(job, peer, measure)


# ---- Locks


def measure_lock(job: Job, lock: AbstractContextManager[Any]) -> list[int]:
    pin(job.cpu)
    times = []
    for _ in range(job.warm_up + job.samples):
        start = perf_counter_ns()
        for _ in range(job.batch):
            with lock:
                pass
        times.append(perf_counter_ns() - start)
    return times


def race(lock: AbstractContextManager[Any], shared: Any, goal: int) -> None:
    """Adds one under the lock until the number is reached, by both together; so both work to the end of the sample."""
    while True:
        with lock:
            if shared.number >= goal:
                return
            shared.number += 1


def measure_contended_lock(job: Job, lock: AbstractContextManager[Any], shared: Any) -> list[int]:
    there, back = os.pipe(), os.pipe()
    goals = range(job.batch, job.operations + 1, job.batch)

    def peer() -> None:
        for goal in goals:
            os.read(there[0], 1)
            race(lock, shared, goal)
            os.write(back[1], b"x")

    def measure() -> list[int]:
        times = []
        for goal in goals:
            start = perf_counter_ns()
            os.write(there[1], b"x")
            race(lock, shared, goal)
            times.append(perf_counter_ns() - start)
            os.read(back[0], 1)
        return times

    return with_peer(job, peer, measure)


# ---- Notices

Turn = tuple[Callable[[], Any], Callable[[], Any]]


def measure_calls(job: Job, do: Callable[[], Any], undo: Callable[[], Any]) -> list[int]:
    """One process alone, by the batch."""
    pin(job.cpu)
    times = []
    for _ in range(job.warm_up + job.samples):
        start = perf_counter_ns()
        for _ in range(job.batch):
            do()
            undo()
        times.append(perf_counter_ns() - start)
    return times


def measure_notices(job: Job, there: Turn, back: Turn) -> list[int]:
    """Each is a pair: what posts, and what waits."""
    return take_turns(job, there, back) if job.is_round_trip else measure_calls(job, *there)


def take_turns(job: Job, there: Turn, back: Turn) -> list[int]:
    def peer() -> None:
        wait, post = there[1], back[0]
        for _ in range(job.operations):
            wait()
            post()

    def measure() -> list[int]:
        post, wait = there[0], back[1]
        times = []
        for _ in range(job.warm_up + job.samples):
            start = perf_counter_ns()
            post()
            wait()
            times.append(perf_counter_ns() - start)
        return times

    return with_peer(job, peer, measure)


class Processes:
    """The numbers of the two: the peer is the only child, and asks for its parent."""

    def __init__(self) -> None:
        self.parent = os.getpid()
        self.child = 0

    def other(self) -> int:
        if os.getpid() != self.parent:
            return self.parent
        if self.child == 0:
            with open(f"/proc/self/task/{self.parent}/children") as children:
                self.child = int(children.read())
        return self.child
