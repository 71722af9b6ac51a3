"""How objects travel to other processes: named ones by their name, the others by their descriptor, which multiprocessing carries."""

from __future__ import annotations

from multiprocessing.reduction import DupFd
from typing import Any, Literal, Protocol

from unipc._unipc import Listener, Memory, Mq, Mutex, PosixSemaphore, Semaphore, Stream, SysvQueue


class _Descriptor(Protocol):
    def detach(self) -> int: ...


def reduce_stream(stream: Stream) -> tuple[Any, tuple[Any, ...]]:
    return rebuild_stream, (DupFd(stream.fileno()),)


def rebuild_stream(descriptor: _Descriptor) -> Stream:
    return Stream.from_fd(descriptor.detach())


def reduce_listener(listener: Listener) -> tuple[Any, tuple[Any, ...]]:
    return rebuild_listener, (DupFd(listener.fileno()),)


def rebuild_listener(descriptor: _Descriptor) -> Listener:
    return Listener.from_fd(descriptor.detach())


def reduce_memory(memory: Memory) -> tuple[Any, tuple[Any, ...]]:
    if memory.name is not None and not memory.copy_on_write:
        return rebuild_named_memory, (memory.name, memory.size, memory.read_only)
    if memory.copy_on_write:
        raise TypeError("a private copy stays in its process")
    try:
        identifier = memory.sysv_status().id
    except OSError:
        return rebuild_memory, (DupFd(memory.fileno()), memory.size, memory.read_only, memory.offset, memory.checked)
    return rebuild_sysv_memory, (identifier, memory.size, memory.read_only)


def rebuild_named_memory(name: str, size: int, read_only: bool) -> Memory:
    return Memory.open(name, size=size, read_only=read_only)


def rebuild_memory(descriptor: _Descriptor, size: int, read_only: bool, offset: int | None, checked: bool) -> Memory:
    if offset is None:
        return Memory.from_fd(descriptor.detach(), size=size, read_only=read_only, checked=checked)
    return Memory.from_fd(descriptor.detach(), offset=offset, length=size, read_only=read_only, checked=checked)


def rebuild_sysv_memory(identifier: int, size: int, read_only: bool) -> Memory:
    return Memory.open_sysv_id(identifier, size=size, read_only=read_only)


def reduce_mq(queue: Mq) -> tuple[Any, tuple[Any, ...]]:
    if queue.name is not None:
        return rebuild_named_mq, (queue.name, queue.access)
    return rebuild_mq, (DupFd(queue.fileno()),)


def rebuild_named_mq(name: str, access: Literal["both", "receive", "send"]) -> Mq:
    return Mq.open(name, access=access)


def rebuild_mq(descriptor: _Descriptor) -> Mq:
    return Mq.from_fd(descriptor.detach())


def reduce_sysv_queue(queue: SysvQueue) -> tuple[Any, tuple[Any, ...]]:
    return SysvQueue.open_id, (queue.id,)


def reduce_posix_semaphore(semaphore: PosixSemaphore) -> tuple[Any, tuple[Any, ...]]:
    return PosixSemaphore.open, (semaphore.name,)


def reduce_in_place(kind: type[Mutex] | type[Semaphore], source: object, offset: int) -> tuple[Any, tuple[Any, ...]]:
    if not isinstance(source, Memory):
        # A pickle of any other buffer is a copy of its bytes, and a copy of a lock locks nothing.
        raise TypeError(f"a {kind.__name__} travels with its Memory; this one was made from a {type(source).__name__}")
    return kind.from_buffer, (source, offset)
