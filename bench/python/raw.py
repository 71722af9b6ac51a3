"""The reference for Python: os.read and os.write, the methods of socket, fcntl.fcntl, os.eventfd_write and os.eventfd_read, os.kill and signal.sigwaitinfo."""

import fcntl
import os
import signal
import socket
import struct
import sys
from functools import cache, partial

from harness import Ends, Job, Processes, Read, measure_lock, measure_messages, measure_notices, parse, report, take_turns


def read_descriptor(fd: int, size: int) -> Read:
    def read() -> bytes:
        message = os.read(fd, size)
        while len(message) < size:
            more = os.read(fd, size - len(message))
            if not more:
                sys.exit("the other process has ended")
            message += more
        return message

    return read


def read_socket(connection: socket.socket, size: int) -> Read:
    message = bytearray(size)
    view = memoryview(message)

    def read() -> bytearray:
        done = connection.recv_into(view)
        while done < size:
            more = connection.recv_into(view[done:])
            if more == 0:
                sys.exit("the other process has ended")
            done += more
        return message

    return read


def on_descriptors(size: int, reader: int, writer: int) -> Ends:
    return read_descriptor(reader, size), partial(os.write, writer)


def on_socket(size: int, connection: socket.socket) -> Ends:
    return read_socket(connection, size), connection.sendall


def on_pipes(job: Job) -> list[int]:
    there, back = os.pipe(), os.pipe()

    def open_ends(is_peer: bool, size: int) -> Ends:
        return on_descriptors(size, there[0], back[1]) if is_peer else on_descriptors(size, back[0], there[1])

    return measure_messages(job, open_ends)


def on_fifos(job: Job) -> list[int]:
    os.mkfifo("there")
    os.mkfifo("back")

    @cache
    def opened(is_peer: bool) -> tuple[int, int]:
        if is_peer:
            return os.open("there", os.O_RDONLY), os.open("back", os.O_WRONLY)
        writer = os.open("there", os.O_WRONLY)
        return os.open("back", os.O_RDONLY), writer

    return measure_messages(job, lambda is_peer, size: on_descriptors(size, *opened(is_peer)))


def on_pair(job: Job) -> list[int]:
    kinds = {"unix": socket.SOCK_STREAM, "datagram": socket.SOCK_DGRAM, "seqpacket": socket.SOCK_SEQPACKET}
    pair = socket.socketpair(socket.AF_UNIX, kinds[job.mechanism])
    return measure_messages(job, lambda is_peer, size: on_socket(size, pair[is_peer]))


def on_udp(job: Job) -> list[int]:
    pair = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for one in pair:
        one.bind(("127.0.0.1", 0))
    pair[0].connect(pair[1].getsockname())
    pair[1].connect(pair[0].getsockname())
    return measure_messages(job, lambda is_peer, size: on_socket(size, pair[is_peer]))


def on_tcp(job: Job) -> list[int]:
    listener = socket.create_server(("127.0.0.1", 0))

    @cache
    def connected(is_peer: bool) -> socket.socket:
        connection = socket.create_connection(listener.getsockname()) if is_peer else listener.accept()[0]
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    return measure_messages(job, lambda is_peer, size: on_socket(size, connected(is_peer)))


def on_eventfds(job: Job) -> list[int]:
    there, back = os.eventfd(0), os.eventfd(0)
    calls = ((partial(os.eventfd_write, fd, 1), partial(os.eventfd_read, fd)) for fd in (there, back))
    return measure_notices(job, *calls)


def on_signals(job: Job) -> list[int]:
    number = signal.SIGRTMIN
    signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    processes = Processes()

    def post() -> None:
        os.kill(processes.other(), number)

    def wait() -> None:
        signal.sigwaitinfo([number])

    return take_turns(job, (post, wait), (post, wait))


class FileLock:
    """The whole file, by an open file description."""

    F_OFD_SETLK, F_OFD_SETLKW = 37, 38

    def __init__(self) -> None:
        self.fd = os.open("lock", os.O_RDWR | os.O_CREAT, 0o600)
        self.taken, self.released = (struct.pack("hhqqi", kind, os.SEEK_SET, 0, 0, 0) for kind in (fcntl.F_WRLCK, fcntl.F_UNLCK))

    def __enter__(self) -> None:
        fcntl.fcntl(self.fd, self.F_OFD_SETLKW, self.taken)

    def __exit__(self, *_: object) -> None:
        fcntl.fcntl(self.fd, self.F_OFD_SETLK, self.released)


def on_file_lock(job: Job) -> list[int]:
    return measure_lock(job, FileLock())


MECHANISMS = {
    "file-lock": on_file_lock,
    "pipe": on_pipes,
    "fifo": on_fifos,
    "unix": on_pair,
    "tcp": on_tcp,
    "datagram": on_pair,
    "seqpacket": on_pair,
    "udp": on_udp,
    "eventfd": on_eventfds,
    "signal": on_signals,
}


def main() -> None:
    job = parse()
    report(job, MECHANISMS[job.mechanism](job))


main()
