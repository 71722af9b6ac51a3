"""The Python package, as its users write it: every wait is for ever."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache, partial
from typing import Any

import unipc
from harness import (
    Ends,
    Job,
    Processes,
    Turn,
    measure_calls,
    measure_contended_lock,
    measure_lock,
    measure_messages,
    measure_notices,
    parse,
    report,
    take_turns,
)


class Table(ctypes.Structure):
    _fields_ = [
        ("lock", unipc.c_mutex),
        ("spinlock", unipc.c_spinlock),
        ("rwlock", unipc.c_rwlock),
        ("condition", unipc.c_condvar),
        ("turns", ctypes.c_uint32 * 2),
        ("barrier", unipc.c_barrier),
        ("events", unipc.c_event * 2),
        ("number", ctypes.c_uint64),
        ("there", unipc.c_semaphore),
        ("back", unipc.c_semaphore),
    ]


def ends(size: int, reader: unipc.Stream, writer: unipc.Stream) -> Ends:
    message = bytearray(size)

    def read() -> bytearray:
        reader.read_exact_into(message)
        return message

    return read, writer.write_all


def on_pipes(job: Job) -> list[int]:
    there, back = unipc.pipe(), unipc.pipe()

    def open_ends(is_peer: bool, size: int) -> Ends:
        return ends(size, there[0], back[1]) if is_peer else ends(size, back[0], there[1])

    return measure_messages(job, open_ends)


def on_fifos(job: Job) -> list[int]:
    unipc.create_fifo("there")
    unipc.create_fifo("back")

    @cache
    def opened(is_peer: bool) -> tuple[unipc.Stream, unipc.Stream]:
        if is_peer:
            return unipc.Stream.open_fifo_reader("there"), unipc.Stream.open_fifo_writer("back")
        writer = unipc.Stream.open_fifo_writer("there")
        return unipc.Stream.open_fifo_reader("back"), writer

    return measure_messages(job, lambda is_peer, size: ends(size, *opened(is_peer)))


def on_pair(job: Job) -> list[int]:
    pair = unipc.Stream.pair_unix()
    return measure_messages(job, lambda is_peer, size: ends(size, pair[is_peer], pair[is_peer]))


def on_tcp(job: Job) -> list[int]:
    listener = unipc.Listener.open_tcp("127.0.0.1")

    @cache
    def connected(is_peer: bool) -> unipc.Stream:
        return unipc.Stream.connect_tcp("127.0.0.1", listener.port()) if is_peer else listener.accept()

    return measure_messages(job, lambda is_peer, size: ends(size, connected(is_peer), connected(is_peer)))


def socket_ends(size: int, socket: unipc.Datagram | unipc.Seqpacket) -> Ends:
    return partial(socket.receive, size), socket.send


def on_datagrams(job: Job) -> list[int]:
    pair = unipc.Datagram.pair_unix()
    return measure_messages(job, lambda is_peer, size: socket_ends(size, pair[is_peer]))


def on_seqpackets(job: Job) -> list[int]:
    pair = unipc.Seqpacket.pair_unix()
    return measure_messages(job, lambda is_peer, size: socket_ends(size, pair[is_peer]))


def on_udp(job: Job) -> list[int]:
    pair = [unipc.Datagram.open_udp("127.0.0.1") for _ in range(2)]
    pair[0].connect(pair[1].address())
    pair[1].connect(pair[0].address())
    return measure_messages(job, lambda is_peer, size: socket_ends(size, pair[is_peer]))


def on_mqs(job: Job) -> list[int]:
    def create(what: str) -> unipc.Mq:
        name = f"unipc-bench-{os.getpid()}-{what}"
        mq = unipc.Mq.create(name, capacity=10, largest=8192)
        unipc.Mq.unlink(name)  # the peer inherits it
        return mq

    there, back = create("there"), create("back")

    def open_ends(is_peer: bool, _: int) -> Ends:
        return (there.receive, back.send) if is_peer else (back.receive, there.send)

    return measure_messages(job, open_ends)


def on_sysv_queues(job: Job) -> list[int]:
    there, back = unipc.SysvQueue.create_private(temporary=True), unipc.SysvQueue.create_private(temporary=True)

    def open_ends(is_peer: bool, _: int) -> Ends:
        return (there.receive, back.send) if is_peer else (back.receive, there.send)

    return measure_messages(job, open_ends)


def make_table() -> Table:
    return Table.from_buffer(unipc.Memory.anonymous(ctypes.sizeof(Table)))


class Held:
    """A lock whose guard is made anew each time."""

    def __init__(self, lock: Callable[[], AbstractContextManager[Any]]) -> None:
        self.lock = lock

    def __enter__(self) -> None:
        self.guard = self.lock()

    def __exit__(self, *_: object) -> None:
        self.guard.__exit__(None, None, None)


def on_lock(job: Job) -> list[int]:
    table = make_table()
    locks = {
        "mutex": lambda: unipc.Mutex.from_buffer(table.lock),
        "spinlock": lambda: unipc.Spinlock.from_buffer(table.spinlock),
        "rwlock-read": lambda: Held(unipc.RwLock.from_buffer(table.rwlock).read),
        "rwlock-write": lambda: Held(unipc.RwLock.from_buffer(table.rwlock).write),
        "file-lock": lambda: unipc.FileLock("lock"),
    }
    lock = locks[job.mechanism.removesuffix("-contended")]()
    if job.mechanism.endswith("-contended"):
        return measure_contended_lock(job, lock, table)
    return measure_lock(job, lock)


def turn(semaphore: unipc.Semaphore | unipc.PosixSemaphore) -> Turn:
    return semaphore.post, semaphore.wait


def on_semaphores(job: Job) -> list[int]:
    table = make_table()
    return measure_notices(job, turn(unipc.Semaphore.from_buffer(table.there)), turn(unipc.Semaphore.from_buffer(table.back)))


def open_named(what: str) -> unipc.PosixSemaphore:
    name = f"unipc-bench-{os.getpid()}-{what}"
    semaphore = unipc.PosixSemaphore.create(name)
    unipc.PosixSemaphore.unlink(name)  # the peer inherits it
    return semaphore


def on_named_semaphores(job: Job) -> list[int]:
    return measure_notices(job, turn(open_named("there")), turn(open_named("back")))


def on_sysv_semaphores(job: Job) -> list[int]:
    semaphores = unipc.SysvSemaphores.create_private([0, 0], temporary=True)
    there, back = ((partial(semaphores.post, index), partial(semaphores.wait, index)) for index in (0, 1))
    return measure_notices(job, there, back)


def on_events(job: Job) -> list[int]:
    table = make_table()
    there, back = (unipc.Event.from_buffer(event) for event in table.events)
    there.init(automatic_reset=True)
    back.init(automatic_reset=True)
    return measure_notices(job, (there.set, there.wait), (back.set, back.wait))


def on_condvars(job: Job) -> list[int]:
    table = make_table()
    mutex, condition = unipc.Mutex.from_buffer(table.lock), unipc.Condvar.from_buffer(table.condition)

    def turn_of(index: int) -> Turn:
        turns = table.turns

        def post() -> None:
            with mutex:
                turns[index] = 1
                condition.notify_one()

        def wait() -> None:
            with mutex:
                condition.wait_while(mutex, lambda: turns[index] == 0)
                turns[index] = 0

        return post, wait

    return measure_notices(job, turn_of(0), turn_of(1))


def on_barriers(job: Job) -> list[int]:
    barrier = unipc.Barrier.from_buffer(make_table().barrier)
    barrier.init(2)
    return measure_notices(job, (barrier.wait, barrier.wait), (barrier.wait, barrier.wait))


def on_eventfds(job: Job) -> list[int]:
    there, back = unipc.EventFd(), unipc.EventFd()
    return measure_notices(job, (there.add, there.take), (back.add, back.take))


def on_signals(job: Job) -> list[int]:
    number = signal.SIGRTMIN
    processes = Processes()

    def post() -> None:
        unipc.send_signal(processes.other(), number)

    def wait() -> None:
        unipc.take_signal([number])

    with unipc.BlockedSignals([number]):
        return take_turns(job, (post, wait), (post, wait))


def on_memory(job: Job) -> list[int]:
    memory = unipc.Memory.anonymous(job.size)
    message = bytearray(job.size)
    return measure_calls(job, partial(memory.write, 0, message), partial(memory.read_into, 0, message))


def on_timer(job: Job) -> list[int]:
    timer = unipc.Timer()
    return measure_calls(job, partial(timer.set, 1.0), timer.cancel)


def on_blocks(job: Job) -> list[int]:
    blocks, nowhere = os.open("blocks", os.O_RDWR | os.O_CREAT), os.open("/dev/null", os.O_WRONLY)
    os.truncate(blocks, job.size)
    reader, writer = unipc.pipe()
    return measure_calls(
        job,
        partial(unipc.transfer, blocks, writer, length=job.size, source_offset=0),
        partial(unipc.transfer, reader, nowhere, length=job.size),
    )


def on_children(job: Job) -> list[int]:
    children: list[unipc.Process] = []

    def start() -> None:
        children.append(unipc.Process.spawn(["true"], program="/bin/true"))

    return measure_calls(job, start, lambda: children.pop().wait())


def on_descriptors(job: Job) -> list[int]:
    one, other = unipc.Stream.pair_unix()
    passed = os.open("/dev/null", os.O_WRONLY)

    def receive() -> None:
        os.close(other.receive_fds(1)[1][0])

    return measure_calls(job, partial(one.send_fds, b"x", [passed]), receive)


def on_poller(job: Job) -> list[int]:
    def turn_of(counter: unipc.EventFd) -> Turn:
        @cache
        def watcher() -> unipc.Poller:
            poller = unipc.Poller()
            poller.add(counter)
            return poller

        def wait() -> None:
            watcher().wait()
            counter.take()

        return counter.add, wait

    return measure_notices(job, turn_of(unipc.EventFd()), turn_of(unipc.EventFd()))


def on_futex(job: Job) -> list[int]:
    memory = unipc.Memory.anonymous(64)

    def turn_of(place: int) -> Turn:
        word = memory.atomic_u32(place)

        def post() -> None:
            word.store(1)
            word.futex_wake()

        def wait() -> None:
            while word.load() == 0:
                try:
                    word.futex_wait(0)
                except BlockingIOError:
                    pass
            word.store(0)

        return post, wait

    return measure_notices(job, turn_of(0), turn_of(4))


MECHANISMS = {
    "pipe": on_pipes,
    "fifo": on_fifos,
    "unix": on_pair,
    "tcp": on_tcp,
    "datagram": on_datagrams,
    "seqpacket": on_seqpackets,
    "udp": on_udp,
    "mq": on_mqs,
    "sysv-queue": on_sysv_queues,
    "mutex": on_lock,
    "mutex-contended": on_lock,
    "spinlock": on_lock,
    "spinlock-contended": on_lock,
    "rwlock-read": on_lock,
    "rwlock-write": on_lock,
    "file-lock": on_lock,
    "sysv-semaphore": on_sysv_semaphores,
    "event": on_events,
    "condvar": on_condvars,
    "barrier": on_barriers,
    "semaphore": on_semaphores,
    "posix-semaphore": on_named_semaphores,
    "eventfd": on_eventfds,
    "signal": on_signals,
    "futex": on_futex,
    "poller": on_poller,
    "fd-passing": on_descriptors,
    "transfer": on_blocks,
    "timer": on_timer,
    "spawn": on_children,
    "memory": on_memory,
}


def main() -> None:
    job = parse()
    report(job, MECHANISMS[job.mechanism](job))


main()
