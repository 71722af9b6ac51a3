"""The Python package, as its users write it: every wait is for ever."""

from __future__ import annotations

import ctypes
import os
import signal
from functools import cache, partial

import unipc
from harness import Ends, Job, Processes, Turn, measure_contended_lock, measure_lock, measure_messages, measure_notices, parse, report, take_turns


class Table(ctypes.Structure):
    _fields_ = [
        ("lock", unipc.c_mutex),
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
    there, back = unipc.SysvQueue.private(temporary=True), unipc.SysvQueue.private(temporary=True)

    def open_ends(is_peer: bool, _: int) -> Ends:
        return (there.receive, back.send) if is_peer else (back.receive, there.send)

    return measure_messages(job, open_ends)


def make_table() -> Table:
    return Table.from_buffer(unipc.Memory.anonymous(ctypes.sizeof(Table)))


def on_lock(job: Job) -> list[int]:
    table = make_table()
    lock = unipc.Mutex.from_buffer(table.lock)
    if job.mechanism == "mutex":
        return measure_lock(job, lock)
    return measure_contended_lock(job, lock, table)


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
    "semaphore": on_semaphores,
    "posix-semaphore": on_named_semaphores,
    "eventfd": on_eventfds,
    "signal": on_signals,
}


def main() -> None:
    job = parse()
    report(job, MECHANISMS[job.mechanism](job))


main()
