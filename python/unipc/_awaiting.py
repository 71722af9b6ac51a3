"""How a task waits: for a descriptor, or by asking. What the classes of unipc.aio have in
common.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Generic, ParamSpec, Protocol, Self, TypeVar

import unipc

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Closable(Protocol):
    @property
    def closed(self) -> bool: ...
    def close(self) -> None: ...


class WithDescriptor(Closable, Protocol):
    def fileno(self) -> int: ...


Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")
Wrapped = TypeVar("Wrapped")
Object = TypeVar("Object", bound=Closable)
File = TypeVar("File", bound=WithDescriptor)

# As unipc probes.
FIRST_PAUSE, LONGEST_PAUSE = 0.000_05, 0.01


async def probe(attempt: Callable[[], Result], *retried: type[Exception]) -> Result:
    """Until an attempt is not refused, where nothing tells when to try again."""
    refusals: tuple[type[Exception], ...] = (BlockingIOError, *retried)
    pause = FIRST_PAUSE
    while True:
        try:
            return attempt()
        except refusals:
            await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def without_listener(is_waited_for: bool) -> tuple[type[Exception], ...]:
    return (FileNotFoundError, ConnectionRefusedError) if is_waited_for else ()


async def in_thread(call: Callable[Parameters, Result], /, *arguments: Parameters.args, **keywords: Parameters.kwargs) -> Result:
    """Runs a call of unipc that waits, in a thread of the loop's executor.

    `await in_thread(unipc.transfer, source, destination)`. When the task is cancelled a stop
    token ends the wait, and the task goes on as soon as the call has returned. What it got all
    the same is dropped: so lock by FileLock and not by this. A limit is asyncio's, or the
    call's own timeout.
    """
    stop = unipc.Stop()

    def run() -> Result:
        with stop.bound():
            return call(*arguments, **keywords)

    running = asyncio.create_task(asyncio.to_thread(run))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.request()
        while not running.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        if not running.cancelled():
            running.exception()
        raise


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


class Twin(Generic[Wrapped]):
    """What all have in common: an object of unipc."""

    def __init__(self, handle: Wrapped, /) -> None:
        self._handle = handle

    @property
    def handle(self) -> Wrapped:
        """The object of unipc, for the calls that do not wait."""
        return self._handle

    def __repr__(self) -> str:
        return f"<unipc.aio.{type(self).__name__} of {self._handle!r}>"


class Closing(Twin[Object]):
    """What can be closed. The end of `async with` does."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self._handle.closed

    def close(self) -> None:
        """Closes it; again is fine. A task that waits for it gets ValueError."""
        self._handle.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()


class Handle(Closing[File]):
    """What has a descriptor, and tasks that wait for it."""

    def __init__(self, handle: File, /) -> None:
        super().__init__(handle)
        self._reading: _Waiting | None = None
        self._writing: _Waiting | None = None

    async def _read(self, attempt: Callable[[], Result]) -> Result:
        self._check_free(self._reading)
        while True:
            try:
                return attempt()
            except BlockingIOError:
                await self._readable()

    async def _readable(self, longest: float | None = None) -> None:
        """Until the descriptor is readable, and no longer than so many seconds."""
        waiting = self._reading = _Waiting(self._handle.fileno(), for_reading=True)
        limit = None if longest is None else waiting.loop.call_later(longest, waiting.wake)
        try:
            await waiting.done
        finally:
            if limit is not None:
                limit.cancel()
            self._reading = None
            waiting.end()

    async def _write(self, attempt: Callable[[], Result]) -> Result:
        self._check_free(self._writing)
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

    def _check_free(self, waiting: _Waiting | None) -> None:
        if waiting is not None:
            raise RuntimeError("another task waits for the same direction")

    def fileno(self) -> int:
        """The descriptor, which stays the object's."""
        return self._handle.fileno()

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


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class Iterated(Handle[File], Generic[File, Result]):
    """What `async for` goes over: until the end, or until it is closed."""

    async def _next(self) -> Result:
        raise NotImplementedError

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Result:
        try:
            return await self._next()
        except unipc.EndOfStream:
            raise StopAsyncIteration from None
        except ValueError:
            if self.closed:
                raise StopAsyncIteration from None
            raise
