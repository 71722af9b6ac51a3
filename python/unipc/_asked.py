"""The twins for asyncio of what has no descriptor that tells a loop: they ask."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Self

import unipc
from unipc._awaiting import Closing, Twin, probe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from types import TracebackType

    from _typeshed import ReadableBuffer, WriteableBuffer


class SysvQueue(Closing[unipc.SysvQueue]):
    """A System V message queue; see unipc.SysvQueue:
    `unipc.aio.SysvQueue(unipc.SysvQueue.open(key))`.
    """

    async def send(self, message: ReadableBuffer, type: int = 1) -> None:
        """Sends a message of a type; see unipc.SysvQueue.send."""
        await probe(lambda: self._handle.send(message, type, timeout=0))

    async def receive(self, type: int = 0, *, all_but: bool = False) -> bytes:
        """Receives a message; see unipc.SysvQueue.receive."""
        return await probe(lambda: self._handle.receive(type, all_but=all_but, timeout=0))

    async def receive_message(self, type: int = 0, *, all_but: bool = False) -> unipc.Message:
        """Receives a message together with its type; see unipc.SysvQueue.receive_message."""
        return await probe(lambda: self._handle.receive_message(type, all_but=all_but, timeout=0))

    async def receive_into(self, buffer: WriteableBuffer, type: int = 0, *, all_but: bool = False, cut: bool = False) -> int:
        """Receives a message into a buffer, and gives its length; see unipc.SysvQueue.receive_into."""
        return await probe(lambda: self._handle.receive_into(buffer, type, all_but=all_but, cut=cut, timeout=0))


class Pipeline(Closing[unipc.Pipeline]):
    """Programs that run at the same time; see unipc.Pipeline."""

    async def wait(self) -> list[unipc.ExitStatus]:
        """Waits until every stage has ended; see unipc.Pipeline.wait."""
        return await probe(lambda: self._handle.wait(timeout=0))


class FileLock(Closing[unipc.FileLock]):
    """A file, opened to be locked; see unipc.FileLock:
    `unipc.aio.FileLock(unipc.FileLock("app.lock"))`.

    `async with` holds it exclusively, all of it. Tasks that are to keep each other out have an
    object each, and none of kind "record", whose locks are the process's.
    """

    async def lock(self, *, shared: bool = False, start: int = 0, length: int = 0) -> None:
        """Locks a range of bytes; see unipc.FileLock.lock. A task that is cancelled meanwhile has
        locked nothing.
        """
        await probe(lambda: self._handle.lock(shared=shared, start=start, length=length, timeout=0))

    async def upgrade(self, *, start: int = 0, length: int = 0) -> None:
        """Makes a shared lock exclusive; see unipc.FileLock.upgrade. A task that is cancelled
        meanwhile has the shared lock as before.
        """
        await probe(lambda: self._handle.upgrade(start=start, length=length, timeout=0))

    def unlock(self, *, start: int = 0, length: int = 0) -> None:
        """Gives a range back; see unipc.FileLock.unlock."""
        self._handle.unlock(start=start, length=length)

    @contextlib.asynccontextmanager
    async def held(self, *, shared: bool = False, start: int = 0, length: int = 0) -> AsyncIterator[Self]:
        """Holds a range for the length of an `async with`; see unipc.FileLock.held."""
        await self.lock(shared=shared, start=start, length=length)
        try:
            yield self
        finally:
            self._give_back(start, length)

    def _give_back(self, start: int, length: int) -> None:
        # When it was closed meanwhile, the lock has gone with it.
        if not self.closed:
            self._handle.unlock(start=start, length=length)

    async def __aenter__(self) -> Self:
        await self.lock()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._give_back(0, 0)


class Event(Twin[unipc.Event]):
    """An event at a place in shared memory; see unipc.Event:
    `unipc.aio.Event(unipc.Event.from_buffer(memory))`.
    """

    async def wait(self) -> None:
        """Waits until it is set; see unipc.Event.wait."""
        await probe(lambda: self._handle.wait(timeout=0))


class Semaphore(Twin[unipc.Semaphore]):
    """A semaphore at a place in shared memory; see unipc.Semaphore. `async with` takes a unit and
    gives it back.
    """

    async def wait(self) -> None:
        """Takes a unit; see unipc.Semaphore.wait."""
        await probe(lambda: self._handle.wait(timeout=0))

    async def __aenter__(self) -> Self:
        await self.wait()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._handle.post()


class PosixSemaphore(Closing[unipc.PosixSemaphore]):
    """A named semaphore; see unipc.PosixSemaphore. `async with` closes it."""

    async def wait(self) -> None:
        """Takes a unit; see unipc.PosixSemaphore.wait."""
        await probe(lambda: self._handle.wait(timeout=0))


class SysvSemaphores(Closing[unipc.SysvSemaphores]):
    """A set of System V semaphores; see unipc.SysvSemaphores."""

    async def wait(self, semaphore: int = 0, *, undo: bool = False) -> None:
        """Takes a unit; see unipc.SysvSemaphores.wait."""
        await probe(lambda: self._handle.wait(semaphore, undo=undo, timeout=0))

    async def wait_zero(self, semaphore: int = 0) -> None:
        """Waits until a semaphore has no unit; see unipc.SysvSemaphores.wait_zero."""
        await probe(lambda: self._handle.wait_zero(semaphore, timeout=0))

    async def operate(self, operations: Sequence[unipc.SysvOperation]) -> None:
        """Does all the operations in one step; see unipc.SysvSemaphores.operate."""
        await probe(lambda: self._handle.operate(operations, timeout=0))
