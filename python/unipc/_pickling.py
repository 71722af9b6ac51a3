"""How objects travel to other processes: named ones by their name, the others by their descriptor, which multiprocessing carries.

A name may belong to another object by the time it arrives, so what tells one from the other goes along where the kernel has it.
"""

from __future__ import annotations

import errno
import os
import socket
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from unipc._unipc import (
    Datagram,
    EventFd,
    FileLock,
    Listener,
    Memory,
    Mq,
    Mutex,
    PosixSemaphore,
    Process,
    Semaphore,
    Seqpacket,
    SeqpacketListener,
    Stream,
    SysvQueue,
    SysvSemaphores,
    Timer,
)

_SO_PASSPIDFD = 76


class _Descriptor(Protocol):
    def detach(self) -> int: ...


_Adopting = Stream | Listener | EventFd | Timer | Process | Mq

_Found = TypeVar("_Found", Memory, Mq, FileLock)


def reduce_descriptor(handle: _Adopting) -> tuple[Any, tuple[Any, ...]]:
    return rebuild_descriptor, (type(handle), DupFd(handle.fileno()))


def rebuild_descriptor(kind: type[_Adopting], descriptor: _Descriptor) -> _Adopting:
    return kind.from_fd(descriptor.detach())


def _told(fd: int) -> tuple[bool, bool]:
    """Whether a socket tells credentials and pidfds of its messages."""
    told = []
    with socket.socket(fileno=os.dup(fd)) as plain:
        for option in (socket.SO_PASSCRED, _SO_PASSPIDFD):
            try:
                told.append(plain.getsockopt(socket.SOL_SOCKET, option) != 0)
            except OSError:  # only Unix sockets, and not in every kernel
                told.append(False)
    return told[0], told[1]


def reduce_datagram(datagram: Datagram) -> tuple[Any, tuple[Any, ...]]:
    return rebuild_datagram, (DupFd(datagram.fileno()), *_told(datagram.fileno()))


def rebuild_datagram(descriptor: _Descriptor, credentials: bool, pidfds: bool) -> Datagram:
    return Datagram.from_fd(descriptor.detach(), credentials=credentials, pidfds=pidfds)


def reduce_seqpacket(connection: Seqpacket) -> tuple[Any, tuple[Any, ...]]:
    return rebuild_seqpacket, (DupFd(connection.fileno()), *_told(connection.fileno()))


def rebuild_seqpacket(descriptor: _Descriptor, credentials: bool, pidfds: bool) -> Seqpacket:
    return Seqpacket.from_fd(descriptor.detach(), credentials=credentials, pidfds=pidfds)


def reduce_seqpacket_listener(listener: SeqpacketListener) -> tuple[Any, tuple[Any, ...]]:
    # What it asks of its connections, not what the socket itself has.
    credentials, pidfds = listener._told()  # type: ignore[attr-defined]
    return rebuild_seqpacket_listener, (DupFd(listener.fileno()), credentials, pidfds)


def rebuild_seqpacket_listener(descriptor: _Descriptor, credentials: bool, pidfds: bool) -> SeqpacketListener:
    return SeqpacketListener.from_fd(descriptor.detach(), credentials=credentials, pidfds=pidfds)


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _same(found: _Found, identity: tuple[int, int], name: str) -> _Found:
    """What was found under a name, if it is what was meant."""
    if _identity(found.fileno()) == identity:
        return found
    found.close()
    raise FileNotFoundError(errno.ENOENT, "the object that was sent is gone; its name belongs to another one", name)


def reduce_memory(memory: Memory) -> tuple[Any, tuple[Any, ...]]:
    if memory.copy_on_write:
        raise TypeError("a private copy stays in its process")
    if memory.name is not None:
        identity = _identity(memory.fileno())
        return rebuild_named_memory, (memory.name, identity, memory.size, memory.read_only, memory.any_owner, memory.checked)
    try:
        descriptor = memory.fileno()
    except OSError:
        pass
    else:
        return rebuild_memory, (DupFd(descriptor), memory.size, memory.read_only, memory.offset, memory.checked)
    try:
        identifier = memory.status_sysv().id
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        raise TypeError("anonymous memory is for children made by fork: it has neither a name nor a descriptor to travel by") from None
    return rebuild_sysv_memory, (identifier, memory.size, memory.read_only, memory.any_owner)


def rebuild_named_memory(name: str, identity: tuple[int, int], size: int, read_only: bool, any_owner: bool, checked: bool) -> Memory:
    return _same(Memory.open(name, size=size, read_only=read_only, any_owner=any_owner, checked=checked), identity, name)


def rebuild_memory(descriptor: _Descriptor, size: int, read_only: bool, offset: int | None, checked: bool) -> Memory:
    if offset is None:
        return Memory.from_fd(descriptor.detach(), size=size, read_only=read_only, checked=checked)
    return Memory.from_fd(descriptor.detach(), offset=offset, length=size, read_only=read_only, checked=checked)


def rebuild_sysv_memory(identifier: int, size: int, read_only: bool, any_owner: bool) -> Memory:
    return Memory.open_id_sysv(identifier, size=size, read_only=read_only, any_owner=any_owner)


def reduce_mq(queue: Mq) -> tuple[Any, tuple[Any, ...]]:
    if queue.name is not None:
        return rebuild_named_mq, (queue.name, _identity(queue.fileno()), queue.access, queue.any_owner)
    return reduce_descriptor(queue)


def rebuild_named_mq(name: str, identity: tuple[int, int], access: Literal["both", "receive", "send"], any_owner: bool) -> Mq:
    return _same(Mq.open(name, access=access, any_owner=any_owner), identity, name)


def reduce_sysv_queue(queue: SysvQueue) -> tuple[Any, tuple[Any, ...]]:
    return rebuild_sysv_queue, (queue.id, queue.any_owner)


def rebuild_sysv_queue(identifier: int, any_owner: bool) -> SysvQueue:
    return SysvQueue.open_id(identifier, any_owner=any_owner)


def reduce_sysv_semaphores(semaphores: SysvSemaphores) -> tuple[Any, tuple[Any, ...]]:
    return rebuild_sysv_semaphores, (semaphores.id, semaphores.any_owner)


def rebuild_sysv_semaphores(identifier: int, any_owner: bool) -> SysvSemaphores:
    return SysvSemaphores.open_id(identifier, any_owner=any_owner)


def reduce_posix_semaphore(semaphore: PosixSemaphore) -> tuple[Any, tuple[Any, ...]]:
    return rebuild_posix_semaphore, (semaphore.name, semaphore.any_owner)


def rebuild_posix_semaphore(name: str, any_owner: bool) -> PosixSemaphore:
    return PosixSemaphore.open(name, any_owner=any_owner)


def reduce_file_lock(lock: FileLock) -> tuple[Any, tuple[Any, ...]]:
    if lock.path is None:
        raise TypeError("a FileLock of a descriptor stays in its process: the other one would share its locks and not be kept out")
    identity = _identity(lock.fileno())
    return rebuild_file_lock, (str(Path(lock.path).absolute()), identity, lock.kind, lock.read_only, lock.any_owner)


def rebuild_file_lock(
    path: str, identity: tuple[int, int], kind: Literal["ofd", "flock", "record"], read_only: bool, any_owner: bool
) -> FileLock:
    return _same(FileLock(path, kind=kind, create=False, read_only=read_only, any_owner=any_owner), identity, path)


_STAYS = {
    "FileFollower": "it reads a place of its own; open another one there",
    "Framed": "a part of a message may be in it; send its stream, by into_stream",
    "Pipeline": "its programs are this process's children",
    "Poller": "its sources are this process's descriptors",
    "Ring": "its operations are this process's",
    "Signals": "signals are received by the process that has asked for them",
    "Stop": "it ends the waits of this process's threads; send an EventFd",
}


def refuse(stays: object) -> None:
    kind = type(stays).__name__
    raise TypeError(f"a {kind} stays in its process: {_STAYS[kind]}")


def reduce_in_place(kind: type[Mutex] | type[Semaphore], source: object, offset: int) -> tuple[Any, tuple[Any, ...]]:
    if not isinstance(source, Memory):
        # A pickle of any other buffer is a copy of its bytes, and a copy of a lock locks nothing.
        raise TypeError(f"a {kind.__name__} travels with its Memory; this one was made from a {type(source).__name__}")
    return kind.from_buffer, (source, offset)
