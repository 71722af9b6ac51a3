"""What waits in unipc, for asyncio: the same names, awaited.

    async with await unipc.aio.Stream.connect_unix("/run/app.sock") as stream:
        await stream.write_all(b"hello")

A twin is made from an object of unipc, `unipc.aio.Timer(unipc.Timer())`, has the calls that
wait, and that object as `handle` for all others. A time limit is asyncio's: `async with
asyncio.timeout(1):`. A task that is cancelled has taken and locked nothing. One task may
read while another writes; a second one in the same direction is a RuntimeError. Names of
hosts are looked up by the event loop's resolver.

What has a descriptor waits for it. What has none is asked, from every 50 microseconds to
every 10 milliseconds: FileLock, Pipeline, SysvQueue, Event, Semaphore, PosixSemaphore,
SysvSemaphores. No threads are used but by in_thread, which runs any other call that waits,
and opens FIFOs. Mutex, Spinlock, RwLock, Condvar and Barrier belong to threads, and all tasks
of a loop are one thread: they have no twin.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING, Any, TypeVar

import unipc
from unipc._asked import Event, FileLock, Pipeline, PosixSemaphore, Semaphore, SysvQueue, SysvSemaphores
from unipc._awaiting import FIRST_PAUSE, LONGEST_PAUSE, File, Handle, Iterated, in_thread, probe, without_listener

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _typeshed import FileDescriptorLike, ReadableBuffer, StrPath, WriteableBuffer

__all__ = [
    "Datagram",
    "Event",
    "EventFd",
    "FileFollower",
    "FileLock",
    "Framed",
    "Listener",
    "Mq",
    "Pipeline",
    "Poller",
    "PosixSemaphore",
    "Process",
    "Ring",
    "Semaphore",
    "Seqpacket",
    "SeqpacketListener",
    "Signals",
    "Stream",
    "SysvQueue",
    "SysvSemaphores",
    "Timer",
    "in_thread",
]


_Result = TypeVar("_Result")


class Stream(Handle[unipc.Stream]):
    """A stream of bytes; see unipc.Stream."""

    @staticmethod
    async def connect_unix(path: StrPath, *, any_owner: bool = False, wait_for_listener: bool = False) -> Stream:
        """Connects to a Unix socket; see unipc.Stream.connect_unix."""
        # A full queue of a Unix listener has no descriptor that tells when it has room.
        connect = lambda: unipc.Stream.connect_unix(path, timeout=0, any_owner=any_owner)  # noqa: E731
        return Stream(await probe(connect, *without_listener(wait_for_listener)))

    @staticmethod
    async def connect_tcp(
        host: str | None,
        port: int,
        *,
        nodelay: bool = True,
        keep_alive: bool = False,
        keep_alive_idle: int = 0,
        keep_alive_interval: int = 0,
        keep_alive_count: int = 0,
        family: int = 0,
        wait_for_listener: bool = False,
    ) -> Stream:
        """Connects to a host and port; no host is loopback. See unipc.Stream.connect_tcp, whose errors
        these are.
        """
        # The resolver would take the port modulo 65536.
        if not 1 <= port <= 65535:
            raise OSError(errno.EINVAL, f"connect to TCP: Invalid argument; a peer's port is 1 to 65535, not {port}")
        families = {0: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}
        if family not in families:
            raise OSError(errno.EINVAL, f"connect to TCP: Invalid argument; family is 4, 6, or 0 for both, not {family}")
        loop, name = asyncio.get_running_loop(), host or "localhost"
        if name.startswith("[") and name.endswith("]"):
            name = name[1:-1]
        options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(nodelay)), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(keep_alive))]
        intervals = {
            socket.TCP_KEEPIDLE: keep_alive_idle,
            socket.TCP_KEEPINTVL: keep_alive_interval,
            socket.TCP_KEEPCNT: keep_alive_count,
        }
        options += [(socket.IPPROTO_TCP, option, number) for option, number in intervals.items() if number]
        pause = FIRST_PAUSE
        while True:
            try:
                addresses = await loop.getaddrinfo(name, port, family=families[family], type=socket.SOCK_STREAM)
            except (socket.gaierror, UnicodeError) as error:
                # UnicodeError: no name has labels like that.
                raise OSError(errno.EADDRNOTAVAIL, f"connect to TCP: Cannot assign requested address; {error}", host) from None
            try:
                return await _connect_to(addresses, options, f"{host}:{port} has no address")
            except ConnectionRefusedError:
                if not wait_for_listener:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    @staticmethod
    async def open_fifo_reader(path: StrPath, **options: Any) -> Stream:
        """Opens the reading end of a FIFO, and waits for a writer, in a thread; the options are
        those of unipc.Stream.open_fifo_reader.
        """
        return Stream(await in_thread(unipc.Stream.open_fifo_reader, path, **options))

    @staticmethod
    async def open_fifo_writer(path: StrPath, **options: Any) -> Stream:
        """Opens the writing end of a FIFO, and waits for a reader, in a thread; the options are
        those of unipc.Stream.open_fifo_writer.
        """
        return Stream(await in_thread(unipc.Stream.open_fifo_writer, path, **options))

    @staticmethod
    async def open_or_create_fifo_reader(path: StrPath, **options: Any) -> Stream:
        """As open_fifo_reader; see unipc.Stream.open_or_create_fifo_reader."""
        return Stream(await in_thread(unipc.Stream.open_or_create_fifo_reader, path, **options))

    @staticmethod
    async def open_or_create_fifo_writer(path: StrPath, **options: Any) -> Stream:
        """As open_fifo_writer; see unipc.Stream.open_or_create_fifo_writer."""
        return Stream(await in_thread(unipc.Stream.open_or_create_fifo_writer, path, **options))

    async def read(self, size: int) -> bytes:
        """Reads what there is, at least one byte and at most size; b"" is the end."""
        return await self._read(lambda: self._handle.read(size, timeout=0))

    async def read_into(self, buffer: WriteableBuffer) -> int:
        """Reads what there is into a buffer, and gives how many bytes; 0 is the end."""
        return await self._read(lambda: self._handle.read_into(buffer, timeout=0))

    async def read_exact(self, size: int) -> bytes:
        """Reads exactly size bytes. EndOfStream if nothing comes any more, Truncated if the end comes
        in the middle.

        A task that is cancelled meanwhile, as by asyncio.timeout, loses what had come; read and
        read_into lose nothing. Whatever is raised, its attribute transferred says how much had
        come; so it does on the CancelledError that a TimeoutError has as its cause.
        """
        buffer = bytearray(size)
        await self.read_exact_into(buffer)
        return bytes(buffer)

    async def read_exact_into(self, buffer: WriteableBuffer) -> None:
        """Fills the buffer. Errors as read_exact."""
        done, size = 0, memoryview(buffer).nbytes

        def attempt() -> None:
            nonlocal done
            try:
                self._handle._read_exact_from(buffer, done, timeout=0)
            except OSError as error:
                before, done = done, done + getattr(error, "transferred", 0)
                # What has come in earlier attempts belongs to it.
                if before and isinstance(error, EOFError):
                    text = f"read stream exactly: the stream ended in the middle; {done} of {size} bytes came"
                    raise unipc.Truncated(-10008, text) from None
                raise

        try:
            await self._read(attempt)
        except BaseException as error:
            error.transferred = done  # type: ignore[attr-defined]
            raise

    async def read_vectored_into(self, buffers: Sequence[WriteableBuffer]) -> int:
        """Reads into several buffers in turn; see unipc.Stream.read_vectored_into."""
        return await self._read(lambda: self._handle.read_vectored_into(buffers, timeout=0))

    async def send_fds(self, data: ReadableBuffer, fds: Sequence[FileDescriptorLike]) -> None:
        """Writes everything, and sends descriptors with the first byte; see unipc.Stream.send_fds."""
        await self._write_all(data, lambda: self._handle.send_fds(data, fds, timeout=0))

    async def receive_fds(self, size: int, maximum: int = 1) -> tuple[bytes, list[int]]:
        """Reads what there is, and takes descriptors; see unipc.Stream.receive_fds."""
        return await self._read(lambda: self._handle.receive_fds(size, maximum, timeout=0))

    async def write(self, data: ReadableBuffer) -> int:
        """Writes what there is room for, at least one byte, and gives how many."""
        return await self._write(lambda: self._handle.write(data, timeout=0))

    async def write_all(self, data: ReadableBuffer) -> None:
        """Writes everything. Of a task that is cancelled meanwhile, a part may have gone out.

        Whatever is raised, its attribute transferred says how much; so it does on the
        CancelledError that a TimeoutError has as its cause.
        """
        await self._write_all(data, lambda: self._handle.write_all(data, timeout=0))

    async def write_vectored(self, parts: Sequence[ReadableBuffer]) -> int:
        """Writes from several pieces in turn; see unipc.Stream.write_vectored."""
        return await self._write(lambda: self._handle.write_vectored(parts, timeout=0))

    async def _write_all(self, data: ReadableBuffer, begin: Callable[[], None]) -> None:
        done = 0

        def attempt() -> None:
            nonlocal done
            try:
                if done == 0:
                    begin()
                else:
                    self._handle._write_all_from(data, done, timeout=0)
            except OSError as error:
                done += getattr(error, "transferred", 0)
                raise

        try:
            await self._write(attempt)
        except BaseException as error:
            error.transferred = done  # type: ignore[attr-defined]
            raise


async def _connect_to(addresses: Sequence[tuple[Any, ...]], options: Sequence[tuple[int, int, int]], nowhere: str) -> Stream:
    """To the first address that accepts."""
    loop = asyncio.get_running_loop()
    problem: OSError = ConnectionRefusedError(nowhere)
    for kind, _, protocol, _, address in addresses:
        connection = socket.socket(kind, socket.SOCK_STREAM, protocol)
        try:
            connection.setblocking(False)
            for option in options:
                connection.setsockopt(*option)
            await loop.sock_connect(connection, address)
        except OSError as error:
            connection.close()
            problem = error
            continue
        except BaseException:
            connection.close()
            raise
        connection.setblocking(True)
        return Stream(unipc.Stream.from_fd(connection.detach()))
    raise problem


class Listener(Iterated[unipc.Listener, Stream]):
    """A listening socket; see unipc.Listener. `async for` accepts one connection after the other."""

    @staticmethod
    def open_unix(path: StrPath, **options: Any) -> Listener:
        """Listens on a path or an abstract name; the options are those of unipc.Listener.open_unix."""
        return Listener(unipc.Listener.open_unix(path, **options))

    @staticmethod
    def open_tcp(host: str | None = None, port: int = 0, **options: Any) -> Listener:
        """Listens on an address and port; the options are those of unipc.Listener.open_tcp."""
        return Listener(unipc.Listener.open_tcp(host, port, **options))

    def port(self) -> int:
        """The port of a TCP listener."""
        return self._handle.port()

    def address(self) -> str:
        """Where it listens."""
        return self._handle.address()

    async def accept(self) -> Stream:
        """Takes the next connection; see unipc.Listener.accept."""
        return Stream(await self._read(lambda: self._handle.accept(timeout=0)))

    async def _next(self) -> Stream:
        return await self.accept()


class Framed(Iterated[unipc.Framed, bytes]):
    """Messages on a stream; see unipc.Framed. `async for` receives until the end, or until it is
    closed.

    stream: a Stream of this module, which it takes over.
    """

    def __init__(self, stream: Stream, *, largest: int = 0) -> None:
        if stream._reading is not None or stream._writing is not None:
            raise RuntimeError("a task waits for the stream")
        super().__init__(unipc.Framed(stream._handle, largest=largest))

    async def send(self, message: ReadableBuffer) -> None:
        """Sends a message; see unipc.Framed.send.

        A task that is cancelled meanwhile may have sent it: the rest goes out with the next send or
        flush.
        """
        await self._write(lambda: self._handle.send(message, timeout=0))
        await self.flush()

    async def flush(self) -> None:
        """Writes what a send has kept; see unipc.Framed.flush."""
        await self._write(lambda: self._handle.flush(timeout=0))

    async def receive(self) -> bytes:
        """Receives a message; see unipc.Framed.receive. A task that is cancelled meanwhile has lost
        nothing.
        """
        return await self._read(lambda: self._handle.receive(timeout=0))

    async def receive_into(self, buffer: WriteableBuffer) -> int:
        """Receives a message into a buffer, and gives its length; see unipc.Framed.receive_into."""
        return await self._read(lambda: self._handle.receive_into(buffer, timeout=0))

    async def _next(self) -> bytes:
        return await self.receive()


class Mq(Handle[unipc.Mq]):
    """A POSIX message queue; see unipc.Mq: `unipc.aio.Mq(unipc.Mq.open("jobs"))`."""

    async def send(self, message: ReadableBuffer, priority: int = 0) -> None:
        """Sends a message; see unipc.Mq.send."""
        await self._write(lambda: self._handle.send(message, priority, timeout=0))

    async def receive(self) -> bytes:
        """Receives a message; see unipc.Mq.receive."""
        return await self._read(lambda: self._handle.receive(timeout=0))

    async def receive_message(self) -> unipc.Message:
        """Receives a message together with its priority; see unipc.Mq.receive_message."""
        return await self._read(lambda: self._handle.receive_message(timeout=0))

    async def receive_into(self, buffer: WriteableBuffer) -> int:
        """Receives a message into a buffer, and gives its length; see unipc.Mq.receive_into."""
        return await self._read(lambda: self._handle.receive_into(buffer, timeout=0))


class FileFollower(Iterated[unipc.FileFollower, bytes]):
    """A follower of a file; see unipc.FileFollower:
    `unipc.aio.FileFollower(unipc.FileFollower("app.log"))`.

    It looks every half second, also when inotify has told nothing, and probes where there is
    none.
    """

    async def _follow(self, attempt: Callable[[], _Result]) -> _Result:
        self._check_free(self._reading)
        pause = FIRST_PAUSE
        while True:
            try:
                return attempt()
            except BlockingIOError:
                pass
            try:
                await self._readable(0.5)
            except unipc.Unavailable:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def receive(self) -> bytes:
        """Receives a record; see unipc.FileFollower.receive."""
        return await self._follow(lambda: self._handle.receive(timeout=0))

    async def receive_event(self) -> unipc.FileEvent:
        """Receives a record, or what has happened to the file; see unipc.FileFollower.receive_event."""
        return await self._follow(lambda: self._handle.receive_event(timeout=0))

    async def _next(self) -> bytes:
        return await self.receive()


class _Packets(Handle[File]):
    """What receives messages whose boundaries are kept."""

    _handle: Any

    async def receive(self, size: int = 0) -> bytes:
        """Receives a message, of any size, or of at most size bytes."""
        received: bytes = await self._read(lambda: self._handle.receive(size, timeout=0))
        return received

    async def receive_into(self, buffer: WriteableBuffer) -> int:
        """Receives a message into a buffer, and gives its length."""
        size: int = await self._read(lambda: self._handle.receive_into(buffer, timeout=0))
        return size

    async def receive_message(self, size: int = 0) -> unipc.Message:
        """Receives a message and what is known of it."""
        message: unipc.Message = await self._read(lambda: self._handle.receive_message(size, timeout=0))
        return message

    async def receive_fds(self, size: int = 0, maximum: int = 1) -> tuple[bytes, list[int]]:
        """Receives a message, and up to maximum descriptors, which the caller closes."""
        received: tuple[bytes, list[int]] = await self._read(lambda: self._handle.receive_fds(size, maximum, timeout=0))
        return received

    async def next_size(self) -> int:
        """The size of the next message, which stays."""
        size: int = await self._read(lambda: self._handle.next_size(timeout=0))
        return size


class Datagram(_Packets[unipc.Datagram]):
    """A datagram socket, Unix or UDP; see unipc.Datagram."""

    @staticmethod
    def open_unix(path: StrPath | None = None, **options: Any) -> Datagram:
        """Makes a Unix socket; the options are those of unipc.Datagram.open_unix."""
        return Datagram(unipc.Datagram.open_unix(path, **options))

    @staticmethod
    def open_udp(host: str | None = None, port: int = 0, **options: Any) -> Datagram:
        """Makes a UDP socket; the options are those of unipc.Datagram.open_udp."""
        return Datagram(unipc.Datagram.open_udp(host, port, **options))

    def connect(self, address: StrPath, *, any_owner: bool = False) -> None:
        """Gives the socket its receiver; see unipc.Datagram.connect."""
        self._handle.connect(address, timeout=0, any_owner=any_owner)

    async def send(self, data: ReadableBuffer) -> None:
        """Sends a message to whom the socket is connected to; see unipc.Datagram.send."""
        await self._write(lambda: self._handle.send(data, timeout=0))

    # The socket is writable also while the receiver of an address is full.

    async def send_to(self, data: ReadableBuffer, address: StrPath) -> None:
        """Sends a message to an address; see unipc.Datagram.send_to."""
        await probe(lambda: self._handle.send_to(data, address, timeout=0))

    async def send_fds(self, data: ReadableBuffer, fds: Sequence[FileDescriptorLike], address: StrPath | None = None) -> None:
        """Sends a message with descriptors; see unipc.Datagram.send_fds."""
        await probe(lambda: self._handle.send_fds(data, fds, address, timeout=0))

    async def receive_from(self, size: int = 0) -> tuple[bytes, str]:
        """Receives a message, and the address of its sender; see unipc.Datagram.receive_from."""
        received: tuple[bytes, str] = await self._read(lambda: self._handle.receive_from(size, timeout=0))
        return received

    def join(self, group: str, interface: str | None = None) -> None:
        """Joins a multicast group; see unipc.Datagram.join."""
        self._handle.join(group, interface)

    def leave(self, group: str, interface: str | None = None) -> None:
        """Leaves a multicast group; see unipc.Datagram.leave."""
        self._handle.leave(group, interface)

    def address(self) -> str:
        """Where it receives."""
        address: str = self._handle.address()
        return address

    def port(self) -> int:
        """The port of a UDP socket."""
        port: int = self._handle.port()
        return port


class SeqpacketListener(Iterated[unipc.SeqpacketListener, "Seqpacket"]):
    """A SEQPACKET socket that listens; see unipc.SeqpacketListener. `async for` accepts one
    connection after the other.
    """

    @staticmethod
    def open_unix(path: StrPath, **options: Any) -> SeqpacketListener:
        """Listens on a path or an abstract name; the options are those of
        unipc.SeqpacketListener.open_unix.
        """
        return SeqpacketListener(unipc.SeqpacketListener.open_unix(path, **options))

    def address(self) -> str:
        """Where it listens."""
        return self._handle.address()

    async def accept(self) -> Seqpacket:
        """Takes the next connection; see unipc.SeqpacketListener.accept."""
        return Seqpacket(await self._read(lambda: self._handle.accept(timeout=0)))

    async def _next(self) -> Seqpacket:
        return await self.accept()


class Seqpacket(_Packets[unipc.Seqpacket], Iterated[unipc.Seqpacket, bytes]):
    """Messages on a connection; see unipc.Seqpacket. `async for` receives until the end."""

    @staticmethod
    async def connect_unix(path: StrPath, *, any_owner: bool = False, wait_for_listener: bool = False, **options: Any) -> Seqpacket:
        """Connects to a path or an abstract name; the options are those of
        unipc.Seqpacket.connect_unix.
        """
        connect = lambda: unipc.Seqpacket.connect_unix(path, timeout=0, any_owner=any_owner, **options)  # noqa: E731
        return Seqpacket(await probe(connect, *without_listener(wait_for_listener)))

    async def send(self, data: ReadableBuffer) -> None:
        """Sends a message; see unipc.Seqpacket.send."""
        await self._write(lambda: self._handle.send(data, timeout=0))

    async def send_fds(self, data: ReadableBuffer, fds: Sequence[FileDescriptorLike]) -> None:
        """Sends a message with descriptors; see unipc.Seqpacket.send_fds."""
        await self._write(lambda: self._handle.send_fds(data, fds, timeout=0))

    async def _next(self) -> bytes:
        return await self.receive()


class EventFd(Handle[unipc.EventFd]):
    """An event counter; see unipc.EventFd."""

    async def add(self, value: int = 1) -> None:
        """Adds to the counter; see unipc.EventFd.add."""
        await self._write(lambda: self._handle.add(value, timeout=0))

    async def take(self) -> int:
        """Takes what the counter has; see unipc.EventFd.take."""
        return await self._read(lambda: self._handle.take(timeout=0))


class Timer(Handle[unipc.Timer]):
    """A timer; see unipc.Timer, which sets it: `timer.handle.set(0.1)`."""

    async def wait(self) -> int:
        """Waits for an expiration; gives how many there were since the last call."""
        return await self._read(lambda: self._handle.wait(timeout=0))


class Signals(Iterated[unipc.Signals, unipc.ReceivedSignal]):
    """Signals to be received; see unipc.Signals. `async for` gives one after the other."""

    async def receive(self) -> unipc.ReceivedSignal:
        """The next signal; see unipc.Signals.receive."""
        return await self._read(lambda: self._handle.receive(timeout=0))

    async def _next(self) -> unipc.ReceivedSignal:
        return await self.receive()


class Process(Handle[unipc.Process]):
    """A process whose end can be waited for; see unipc.Process:
    `unipc.aio.Process(unipc.Process.spawn(["sleep", "1"]))`.
    """

    async def wait(self) -> unipc.ExitStatus:
        """Waits for the end of the process; see unipc.Process.wait."""
        return await self._read(lambda: self._handle.wait(timeout=0))


class Ring(Handle[unipc.Ring]):
    """Many reads and writes at once; see unipc.Ring."""

    async def wait(self, *, maximum: int = 64) -> list[unipc.RingCompletion]:
        """Waits until something has completed; see unipc.Ring.wait."""
        return await self._read(lambda: self._handle.wait(maximum=maximum, timeout=0))


class Poller(Handle[unipc.Poller]):
    """One wait over many; see unipc.Poller. Add sources by this, or at least not while a task
    waits for it.
    """

    def add(
        self, source: FileDescriptorLike | unipc.SysvQueue | unipc.PosixSemaphore | unipc.Semaphore, token: object = None, **options: Any
    ) -> int:
        """Watches an object; the options are those of unipc.Poller.add."""
        return self._added(self._handle.add(source, token, **options))

    def add_sysv_semaphore(self, semaphores: unipc.SysvSemaphores | int, index: int = 0, token: object = None, **options: Any) -> int:
        """Watches one semaphore of a System V set; the options are those of
        unipc.Poller.add_sysv_semaphore.
        """
        return self._added(self._handle.add_sysv_semaphore(semaphores, index, token, **options))

    def _added(self, source: int) -> int:
        # Who waits may have to ask from now on.
        if self._reading is not None:
            self._reading.wake()
        return source

    async def wait(self, *, maximum: int = 64) -> unipc.PollerEvents:
        """Waits until something happens; gives an iterator over the events. See unipc.Poller.wait."""
        self._check_free(self._reading)
        pause = FIRST_PAUSE
        while True:
            try:
                return self._handle.wait(maximum=maximum, timeout=0)
            except BlockingIOError:
                await self._readable(pause if self._handle.is_asking() else None)
            pause = min(pause * 2, LONGEST_PAUSE)
