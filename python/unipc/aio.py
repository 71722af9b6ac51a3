"""The streams, datagrams, seqpackets, POSIX message queues and file followers for asyncio: the same names, awaited. What blocks in unipc
suspends the task here; no threads are used.

    async with await unipc.aio.Stream.connect_unix("/run/app.sock") as stream:
        await stream.write_all(b"hello")

A time limit is asyncio's: `async with asyncio.timeout(1):`. One task may read while another writes; a second one in the same direction is a
RuntimeError. Names of hosts are looked up by the event loop's resolver.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from typing import TYPE_CHECKING, Any, Self, TypeVar

import unipc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from _typeshed import FileDescriptorLike, ReadableBuffer, StrPath, WriteableBuffer

__all__ = ["Datagram", "FileFollower", "Framed", "Listener", "Mq", "Seqpacket", "SeqpacketListener", "Stream"]

_Result = TypeVar("_Result")

# A full queue of a Unix listener has no descriptor that tells when it has room.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.000_05, 0.01


class _Waiting:
    """A task that waits for a descriptor, and the loop that it runs in."""

    def __init__(self, fd: int, *, for_reading: bool) -> None:
        self.loop = asyncio.get_running_loop()
        self.done = self.loop.create_future()
        self._fd, self._for_reading, self._is_registered = fd, for_reading, True
        (self.loop.add_reader if for_reading else self.loop.add_writer)(fd, self.wake)

    def wake(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def end(self) -> None:
        """Before the descriptor is closed, whose number may be another file's at once."""
        if self._is_registered and not self.loop.is_closed():
            (self.loop.remove_reader if self._for_reading else self.loop.remove_writer)(self._fd)
        self._is_registered = False


class _Handle:
    """What they have in common: an object of unipc, and the tasks that wait for its descriptor."""

    def __init__(
        self,
        handle: unipc.Stream
        | unipc.Listener
        | unipc.Framed
        | unipc.Mq
        | unipc.Datagram
        | unipc.SeqpacketListener
        | unipc.Seqpacket
        | unipc.FileFollower,
    ) -> None:
        self._handle = handle
        self._reading: _Waiting | None = None
        self._writing: _Waiting | None = None

    async def _read(self, attempt: Callable[[], _Result]) -> _Result:
        if self._reading is not None:
            raise RuntimeError("another task waits for the same direction")
        while True:
            try:
                return attempt()
            except BlockingIOError:
                waiting = self._reading = _Waiting(self._handle.fileno(), for_reading=True)
                try:
                    await waiting.done
                finally:
                    self._reading = None
                    waiting.end()

    async def _write(self, attempt: Callable[[], _Result]) -> _Result:
        if self._writing is not None:
            raise RuntimeError("another task waits for the same direction")
        while True:
            try:
                return attempt()
            except BlockingIOError:
                waiting = self._writing = _Waiting(self._handle.fileno(), for_reading=False)
                try:
                    await waiting.done
                finally:
                    self._writing = None
                    waiting.end()

    def fileno(self) -> int:
        """The descriptor, which stays the object's."""
        return self._handle.fileno()

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self._handle.closed

    def close(self) -> None:
        """Closes it; again is fine, and it needs no loop. A task that waits for it gets ValueError.

        In another thread than that of such a task, it is closed as soon as the task's loop comes to it.
        """
        for waiting in (self._reading, self._writing):
            if waiting is not None and waiting.loop.is_running() and waiting.loop is not _running_loop():
                # The loop may be closed by now, and then nothing waits.
                with contextlib.suppress(RuntimeError):
                    waiting.loop.call_soon_threadsafe(self._close)
                    return
        self._close()

    def _close(self) -> None:
        for waiting in (self._reading, self._writing):
            if waiting is not None:
                waiting.end()
                waiting.wake()
        self._handle.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class Stream(_Handle):
    """A stream of bytes; see unipc.Stream."""

    _handle: unipc.Stream

    def __init__(self, stream: unipc.Stream) -> None:
        super().__init__(stream)

    @staticmethod
    async def connect_unix(path: StrPath, *, any_owner: bool = False, wait_for_listener: bool = False) -> Stream:
        """Connects to a Unix socket; see unipc.Stream.connect_unix."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return Stream(unipc.Stream.connect_unix(path, timeout=0, any_owner=any_owner))
            except BlockingIOError:
                pass
            except (FileNotFoundError, ConnectionRefusedError):
                if not wait_for_listener:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    @staticmethod
    async def connect_tcp(host: str | None, port: int, *, nodelay: bool = True, family: int = 0) -> Stream:
        """Connects to a host and port; no host is loopback. See unipc.Stream.connect_tcp, whose errors these are."""
        # The resolver would take the port modulo 65536.
        if not 1 <= port <= 65535:
            raise OSError(errno.EINVAL, f"connect to TCP: Invalid argument; a peer's port is 1 to 65535, not {port}")
        families = {0: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}
        if family not in families:
            raise OSError(errno.EINVAL, f"connect to TCP: Invalid argument; family is 4, 6, or 0 for both, not {family}")
        loop, name = asyncio.get_running_loop(), host or "localhost"
        if name.startswith("[") and name.endswith("]"):
            name = name[1:-1]
        try:
            addresses = await loop.getaddrinfo(name, port, family=families[family], type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            # UnicodeError: no name has labels like that.
            raise OSError(errno.EADDRNOTAVAIL, f"connect to TCP: Cannot assign requested address; {error}", host) from None
        problem: OSError = ConnectionRefusedError(f"{host}:{port} has no address")
        for kind, _, protocol, _, address in addresses:
            connection = socket.socket(kind, socket.SOCK_STREAM, protocol)
            try:
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, nodelay)
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

    async def read(self, size: int) -> bytes:
        """Reads what there is, at least one byte and at most size; b"" is the end."""
        return await self._read(lambda: self._handle.read(size, timeout=0))

    async def read_into(self, buffer: WriteableBuffer) -> int:
        """Reads what there is into a buffer, and gives how many bytes; 0 is the end."""
        return await self._read(lambda: self._handle.read_into(buffer, timeout=0))

    async def read_exact(self, size: int) -> bytes:
        """Reads exactly size bytes. EndOfStream if nothing comes any more, Truncated if the end comes in the middle.

        A task that is cancelled meanwhile, as by asyncio.timeout, loses what had come; read and read_into lose nothing.
        """
        buffer = bytearray(size)
        view, done = memoryview(buffer), 0
        while done < size:
            count = await self.read_into(view[done:])
            if count == 0:
                raise _end(done, size)
            done += count
        return bytes(buffer)

    async def send_fds(self, data: ReadableBuffer, fds: Sequence[FileDescriptorLike]) -> None:
        """Writes everything, and sends descriptors with the first byte; see unipc.Stream.send_fds."""
        head = memoryview(data).cast("B")
        # One byte takes them along, and either goes or does not.
        await self._write(lambda: self._handle.send_fds(head[:1], fds, timeout=0))
        await self.write_all(head[1:])

    async def receive_fds(self, size: int, maximum: int = 1) -> tuple[bytes, list[int]]:
        """Reads what there is, and takes descriptors; see unipc.Stream.receive_fds."""
        return await self._read(lambda: self._handle.receive_fds(size, maximum, timeout=0))

    async def write(self, data: ReadableBuffer) -> int:
        """Writes what there is room for, at least one byte, and gives how many."""
        return await self._write(lambda: self._handle.write(data, timeout=0))

    async def write_all(self, data: ReadableBuffer) -> None:
        """Writes everything. Of a task that is cancelled meanwhile, a part may have gone out."""
        view = memoryview(data).cast("B")
        while view:
            view = view[await self.write(view) :]


def _end(done: int, size: int) -> unipc.Error:
    if done == 0:
        return unipc.EndOfStream(-10001, "read stream exactly: the other side has ended")
    error = unipc.Truncated(-10008, f"read stream exactly: the stream ended in the middle; {done} of {size} bytes came")
    error.transferred = done
    return error


class Listener(_Handle):
    """A listening socket; see unipc.Listener. `async for` accepts one connection after the other."""

    _handle: unipc.Listener

    def __init__(self, listener: unipc.Listener) -> None:
        super().__init__(listener)

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
        """Takes the next connection."""
        return Stream(await self._read(lambda: self._handle.accept(timeout=0)))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Stream:
        try:
            return await self.accept()
        except ValueError:
            if self.closed:
                raise StopAsyncIteration from None
            raise


class Framed(_Handle):
    """Messages on a stream; see unipc.Framed. `async for` receives until the end, or until it is closed."""

    _handle: unipc.Framed

    def __init__(self, stream: Stream, *, largest: int = 0) -> None:
        if stream._reading is not None or stream._writing is not None:
            raise RuntimeError("a task waits for the stream")
        super().__init__(unipc.Framed(stream._handle, largest=largest))

    async def send(self, message: ReadableBuffer) -> None:
        """Sends a message. A task that is cancelled meanwhile may have sent it: the rest goes out with the next send or flush."""
        await self._write(lambda: self._handle.send(message, timeout=0))
        await self.flush()

    async def flush(self) -> None:
        """Writes what a send has kept."""
        await self._write(lambda: self._handle.flush(timeout=0))

    async def receive(self) -> bytes:
        """Receives a message. A task that is cancelled meanwhile has lost nothing."""
        return await self._read(lambda: self._handle.receive(timeout=0))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self.receive()
        except unipc.EndOfStream:
            raise StopAsyncIteration from None
        except ValueError:
            if self.closed:
                raise StopAsyncIteration from None
            raise


class Mq(_Handle):
    """A POSIX message queue; see unipc.Mq, whose constructors do not wait: `unipc.aio.Mq(unipc.Mq.open("jobs"))`."""

    _handle: unipc.Mq

    def __init__(self, queue: unipc.Mq) -> None:
        super().__init__(queue)

    async def send(self, message: ReadableBuffer, priority: int = 0) -> None:
        """Sends a message; see unipc.Mq.send."""
        await self._write(lambda: self._handle.send(message, priority, timeout=0))

    async def receive(self) -> bytes:
        """Receives a message; see unipc.Mq.receive."""
        return await self._read(lambda: self._handle.receive(timeout=0))

    async def receive_message(self) -> unipc.Message:
        """Receives a message together with its priority; see unipc.Mq.receive_message."""
        return await self._read(lambda: self._handle.receive_message(timeout=0))


class FileFollower(_Handle):
    """A follower of a file; see unipc.FileFollower: `unipc.aio.FileFollower(unipc.FileFollower("app.log"))`.

    It looks every half second, also when inotify has told nothing, and probes where there is none.
    """

    _handle: unipc.FileFollower

    def __init__(self, follower: unipc.FileFollower) -> None:
        super().__init__(follower)

    async def _follow(self, attempt: Callable[[], _Result]) -> _Result:
        pause = _FIRST_PAUSE
        while True:
            try:
                async with asyncio.timeout(0.5):
                    return await self._read(attempt)
            except TimeoutError:
                continue
            except unipc.Unavailable:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def receive(self) -> bytes:
        """Receives a record; see unipc.FileFollower.receive."""
        return await self._follow(lambda: self._handle.receive(timeout=0))

    async def receive_event(self) -> unipc.FileEvent:
        """Receives a record, or what has happened to the file; see unipc.FileFollower.receive_event."""
        return await self._follow(lambda: self._handle.receive_event(timeout=0))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self.receive()
        except ValueError:
            if self.closed:
                raise StopAsyncIteration from None
            raise


class Datagram(_Handle):
    """A datagram socket, Unix or UDP; see unipc.Datagram."""

    _handle: unipc.Datagram

    def __init__(self, datagram: unipc.Datagram) -> None:
        super().__init__(datagram)

    @staticmethod
    def open_unix(path: StrPath | None = None, **options: Any) -> Datagram:
        """See unipc.Datagram.open_unix."""
        return Datagram(unipc.Datagram.open_unix(path, **options))

    @staticmethod
    def open_udp(host: str | None = None, port: int = 0, **options: Any) -> Datagram:
        """See unipc.Datagram.open_udp."""
        return Datagram(unipc.Datagram.open_udp(host, port, **options))

    def connect(self, address: StrPath, *, any_owner: bool = False) -> None:
        """Gives the socket its receiver."""
        self._handle.connect(address, timeout=0, any_owner=any_owner)

    async def send(self, data: ReadableBuffer) -> None:
        """Sends a message to whom the socket is connected to."""
        await self._write(lambda: self._handle.send(data, timeout=0))

    async def send_to(self, data: ReadableBuffer, address: StrPath) -> None:
        """Sends a message to an address."""
        await self._probe(lambda: self._handle.send_to(data, address, timeout=0))

    async def send_fds(self, data: ReadableBuffer, fds: Sequence[FileDescriptorLike], address: StrPath | None = None) -> None:
        """Sends a message with descriptors."""
        await self._probe(lambda: self._handle.send_fds(data, fds, address, timeout=0))

    async def _probe(self, attempt: Callable[[], _Result]) -> _Result:
        # The socket is writable also while the receiver of an address is full.
        pause = _FIRST_PAUSE
        while True:
            try:
                return attempt()
            except BlockingIOError:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def receive(self, size: int = 0) -> bytes:
        """Receives a message."""
        return await self._read(lambda: self._handle.receive(size, timeout=0))

    async def receive_from(self, size: int = 0) -> tuple[bytes, str]:
        """Receives a message, and the address of its sender."""
        return await self._read(lambda: self._handle.receive_from(size, timeout=0))

    async def receive_message(self, size: int = 0) -> unipc.Message:
        """Receives a message and what is known of it."""
        return await self._read(lambda: self._handle.receive_message(size, timeout=0))

    async def receive_fds(self, size: int = 0, maximum: int = 1) -> tuple[bytes, list[int]]:
        """Receives a message and descriptors."""
        return await self._read(lambda: self._handle.receive_fds(size, maximum, timeout=0))

    def join(self, group: str, interface: str | None = None) -> None:
        """Joins a multicast group."""
        self._handle.join(group, interface)

    def leave(self, group: str, interface: str | None = None) -> None:
        """Leaves a multicast group."""
        self._handle.leave(group, interface)

    def address(self) -> str:
        """Where it receives."""
        return self._handle.address()

    def port(self) -> int:
        """The port of a UDP socket."""
        return self._handle.port()


class SeqpacketListener(_Handle):
    """A SEQPACKET socket that listens; see unipc.SeqpacketListener. `async for` accepts one connection after the other."""

    _handle: unipc.SeqpacketListener

    def __init__(self, listener: unipc.SeqpacketListener) -> None:
        super().__init__(listener)

    @staticmethod
    def open_unix(path: StrPath, **options: Any) -> SeqpacketListener:
        """See unipc.SeqpacketListener.open_unix."""
        return SeqpacketListener(unipc.SeqpacketListener.open_unix(path, **options))

    def address(self) -> str:
        """Where it listens."""
        return self._handle.address()

    async def accept(self) -> Seqpacket:
        """Takes the next connection."""
        return Seqpacket(await self._read(lambda: self._handle.accept(timeout=0)))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Seqpacket:
        try:
            return await self.accept()
        except ValueError:
            if self.closed:
                raise StopAsyncIteration from None
            raise


class Seqpacket(_Handle):
    """Messages on a connection; see unipc.Seqpacket. `async for` receives until the end."""

    _handle: unipc.Seqpacket

    def __init__(self, socket: unipc.Seqpacket) -> None:
        super().__init__(socket)

    @staticmethod
    async def connect_unix(path: StrPath, *, any_owner: bool = False, wait_for_listener: bool = False, **options: Any) -> Seqpacket:
        """See unipc.Seqpacket.connect_unix."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return Seqpacket(unipc.Seqpacket.connect_unix(path, timeout=0, any_owner=any_owner, **options))
            except BlockingIOError:
                pass
            except (FileNotFoundError, ConnectionRefusedError):
                if not wait_for_listener:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def send(self, data: ReadableBuffer) -> None:
        """Sends a message."""
        await self._write(lambda: self._handle.send(data, timeout=0))

    async def send_fds(self, data: ReadableBuffer, fds: Sequence[FileDescriptorLike]) -> None:
        """Sends a message with descriptors."""
        await self._write(lambda: self._handle.send_fds(data, fds, timeout=0))

    async def receive(self, size: int = 0) -> bytes:
        """Receives a message."""
        return await self._read(lambda: self._handle.receive(size, timeout=0))

    async def receive_message(self, size: int = 0) -> unipc.Message:
        """Receives a message and what is known of it."""
        return await self._read(lambda: self._handle.receive_message(size, timeout=0))

    async def receive_fds(self, size: int = 0, maximum: int = 1) -> tuple[bytes, list[int]]:
        """Receives a message and descriptors."""
        return await self._read(lambda: self._handle.receive_fds(size, maximum, timeout=0))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self.receive()
        except unipc.EndOfStream:
            raise StopAsyncIteration from None
        except ValueError:
            if self.closed:
                raise StopAsyncIteration from None
            raise
