"""Many processes read a table in shared memory, few change it: a reader-writer lock lets the readers in together, and each writer alone.

With --kill-writer one more writer dies in the middle of a change. Whoever comes next, reader or writer, gets the whole lock, is told, and
makes the table whole again from the last complete version. With --kill-reader a reader dies inside: it has changed nothing, and its share
comes back by itself.
"""

import argparse
import contextlib
import ctypes
import os
import signal

import unipc
from example import PATIENCE, child

ENTRIES, READERS, WRITERS, ROUNDS = 16, 4, 2, 2000


class Shared(ctypes.Structure):
    _fields_ = [
        ("lock", unipc.c_rwlock),
        ("start", unipc.c_semaphore),  # nobody begins before all are there
        ("version", ctypes.c_long),  # the last complete one: every entry has its number
        ("entries", ctypes.c_long * ENTRIES),
        ("repairs", ctypes.c_long),
    ]


def repaired(guard: unipc.RwLockGuard, shared: Shared) -> unipc.RwLockGuard:
    if guard.needs_repair:  # the whole lock is held, and the last writer died
        for index in range(ENTRIES):
            shared.entries[index] = shared.version
        shared.repairs += 1
        guard.mark_consistent()
    return guard


def read_once(shared: Shared, lock: unipc.RwLock) -> None:
    with repaired(lock.read_recover(timeout=PATIENCE), shared):
        if set(shared.entries) != {shared.version}:
            raise ValueError("half a version")


def write_once(shared: Shared, lock: unipc.RwLock, dies: bool = False) -> None:
    with repaired(lock.write_recover(timeout=PATIENCE), shared):
        for index in range(ENTRIES):
            if dies and index == ENTRIES // 2:
                os.kill(os.getpid(), signal.SIGKILL)
            shared.entries[index] = shared.version + 1
        shared.version += 1


def write_and_die(shared: Shared) -> None:
    write_once(shared, unipc.RwLock.from_buffer(shared.lock), dies=True)


def read_and_die(shared: Shared) -> None:
    lock = unipc.RwLock.from_buffer(shared.lock)
    read_once(shared, lock)
    with lock.read(timeout=PATIENCE):
        os.kill(os.getpid(), signal.SIGKILL)


def work(shared: Shared, writes: bool) -> None:
    lock = unipc.RwLock.from_buffer(shared.lock)
    unipc.Semaphore.from_buffer(shared.start).wait(timeout=PATIENCE)
    for _ in range(ROUNDS):
        if writes:
            write_once(shared, lock)
        else:
            read_once(shared, lock)


def run(shared: Shared, kill_writer: bool, kill_reader: bool) -> None:
    start = unipc.Semaphore.from_buffer(shared.start)
    with contextlib.ExitStack() as children:
        for number in range(READERS + WRITERS):
            children.enter_context(child(work, shared, number < WRITERS))
        # The reader that dies takes its share before the writer that dies has left the table to be repaired.
        if kill_reader:
            children.enter_context(child(read_and_die, shared, ends_with=-signal.SIGKILL))
        if kill_writer:
            children.enter_context(child(write_and_die, shared, ends_with=-signal.SIGKILL))
        for _ in range(READERS + WRITERS):
            start.post()
    read_once(shared, unipc.RwLock.from_buffer(shared.lock))  # repairs, if nobody came after the one that died
    print(f"{shared.version} versions written, no reader saw half of one")
    if kill_writer:
        print(f"Repairs after a killed writer: {shared.repairs}")
    elif kill_reader:
        print(f"Repairs after a killed reader: {shared.repairs}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kill-writer", action="store_true")
    parser.add_argument("--kill-reader", action="store_true")
    arguments = parser.parse_args()
    with unipc.Memory.anonymous(ctypes.sizeof(Shared)) as memory:
        run(Shared.from_buffer(memory), arguments.kill_writer, arguments.kill_reader)


if __name__ == "__main__":
    main()
