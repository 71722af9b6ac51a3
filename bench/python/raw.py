"""The reference for Python: os.read and os.write, the methods of socket."""

import os
import socket
import sys
from functools import cache, partial

from harness import Ends, Job, Read, measure_streams, parse, report


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

    return measure_streams(job, open_ends)


def on_fifos(job: Job) -> list[int]:
    os.mkfifo("there")
    os.mkfifo("back")

    @cache
    def opened(is_peer: bool) -> tuple[int, int]:
        if is_peer:
            return os.open("there", os.O_RDONLY), os.open("back", os.O_WRONLY)
        writer = os.open("there", os.O_WRONLY)
        return os.open("back", os.O_RDONLY), writer

    return measure_streams(job, lambda is_peer, size: on_descriptors(size, *opened(is_peer)))


def on_pair(job: Job) -> list[int]:
    pair = socket.socketpair()
    return measure_streams(job, lambda is_peer, size: on_socket(size, pair[is_peer]))


def on_tcp(job: Job) -> list[int]:
    listener = socket.create_server(("127.0.0.1", 0))

    @cache
    def connected(is_peer: bool) -> socket.socket:
        connection = socket.create_connection(listener.getsockname()) if is_peer else listener.accept()[0]
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    return measure_streams(job, lambda is_peer, size: on_socket(size, connected(is_peer)))


def main() -> None:
    job = parse()
    measure = {"pipe": on_pipes, "fifo": on_fifos, "unix": on_pair, "tcp": on_tcp}[job.mechanism]
    report(job, measure(job))


main()
