"""The Python package, as its users write it: every wait is for ever."""

import ctypes
import os
from functools import cache

import unipc
from harness import Ends, Job, measure_contended_lock, measure_lock, measure_semaphores, measure_streams, parse, report


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

    return measure_streams(job, open_ends)


def on_fifos(job: Job) -> list[int]:
    unipc.create_fifo("there")
    unipc.create_fifo("back")

    @cache
    def opened(is_peer: bool) -> tuple[unipc.Stream, unipc.Stream]:
        if is_peer:
            return unipc.Stream.open_fifo_reader("there"), unipc.Stream.open_fifo_writer("back")
        writer = unipc.Stream.open_fifo_writer("there")
        return unipc.Stream.open_fifo_reader("back"), writer

    return measure_streams(job, lambda is_peer, size: ends(size, *opened(is_peer)))


def on_pair(job: Job) -> list[int]:
    pair = unipc.Stream.pair_unix()
    return measure_streams(job, lambda is_peer, size: ends(size, pair[is_peer], pair[is_peer]))


def on_tcp(job: Job) -> list[int]:
    listener = unipc.Listener.open_tcp("127.0.0.1")

    @cache
    def connected(is_peer: bool) -> unipc.Stream:
        return unipc.Stream.connect_tcp("127.0.0.1", listener.port()) if is_peer else listener.accept()

    return measure_streams(job, lambda is_peer, size: ends(size, connected(is_peer), connected(is_peer)))


def make_table() -> Table:
    return Table.from_buffer(unipc.Memory.anonymous(ctypes.sizeof(Table)))


def on_lock(job: Job) -> list[int]:
    table = make_table()
    lock = unipc.Mutex.from_buffer(table.lock)
    if job.mechanism == "mutex":
        return measure_lock(job, lock)
    return measure_contended_lock(job, lock, table)


def on_semaphores(job: Job) -> list[int]:
    table = make_table()
    return measure_semaphores(job, unipc.Semaphore.from_buffer(table.there), unipc.Semaphore.from_buffer(table.back))


def open_named(what: str) -> unipc.PosixSemaphore:
    name = f"unipc-bench-{os.getpid()}-{what}"
    semaphore = unipc.PosixSemaphore.create(name)
    unipc.PosixSemaphore.unlink(name)  # the peer inherits it
    return semaphore


def on_named_semaphores(job: Job) -> list[int]:
    return measure_semaphores(job, open_named("there"), open_named("back"))


MECHANISMS = {
    "pipe": on_pipes,
    "fifo": on_fifos,
    "unix": on_pair,
    "tcp": on_tcp,
    "mutex": on_lock,
    "mutex-contended": on_lock,
    "semaphore": on_semaphores,
    "posix-semaphore": on_named_semaphores,
}


def main() -> None:
    job = parse()
    report(job, MECHANISMS[job.mechanism](job))


main()
