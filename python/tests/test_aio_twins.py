"""Everything else that waits: it suspends its task alone, and a task that is cancelled has taken nothing."""

from __future__ import annotations

import array
import asyncio
import errno
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import OWN

import unipc
import unipc.aio

HANG = 20.0

Twin = Any
"""What waits, how it waits, and what ends the wait."""
Case = tuple[Callable[[], Coroutine[Any, Any, Any]], Callable[[], object]]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def _memory(stack: ExitStack) -> unipc.Memory:
    return stack.enter_context(unipc.Memory.anonymous(4096))


def _event_fd(stack: ExitStack, path: Path) -> Case:
    counter = unipc.aio.EventFd(stack.enter_context(unipc.EventFd()))
    return counter.take, counter.handle.add


def _full_event_fd(stack: ExitStack, path: Path) -> Case:
    counter = unipc.aio.EventFd(stack.enter_context(unipc.EventFd()))
    counter.handle.add(2**64 - 2)
    return counter.add, counter.handle.take


def _timer(stack: ExitStack, path: Path) -> Case:
    timer = unipc.aio.Timer(stack.enter_context(unipc.Timer()))
    return timer.wait, lambda: timer.handle.set(0.001)


def _signals(stack: ExitStack, path: Path) -> Case:
    signals = unipc.aio.Signals(stack.enter_context(unipc.Signals([signal.SIGUSR1])))
    return signals.receive, lambda: os.kill(os.getpid(), signal.SIGUSR1)


def _process(stack: ExitStack, path: Path) -> Case:
    process = unipc.Process.spawn(["sleep", "100"])
    stack.callback(process.close)
    return unipc.aio.Process(process).wait, lambda: process.send_signal(signal.SIGKILL)


def _pipeline(stack: ExitStack, path: Path) -> Case:
    pipeline = stack.enter_context(unipc.Pipeline.spawn([["sleep", "100"], ["cat"]]))
    return unipc.aio.Pipeline(pipeline).wait, lambda: pipeline.send_signal(signal.SIGKILL)


def _ring(stack: ExitStack, path: Path) -> Case:
    try:
        ring = stack.enter_context(unipc.Ring())
    except unipc.Unavailable as why:
        pytest.skip(str(why))
    reader, writer = unipc.pipe()
    stack.enter_context(reader)
    stack.enter_context(writer)
    ring.read(reader, 1)
    return unipc.aio.Ring(ring).wait, lambda: writer.write(b"x")


def _poller(stack: ExitStack, path: Path) -> Case:
    poller = unipc.aio.Poller(stack.enter_context(unipc.Poller()))
    counter = stack.enter_context(unipc.EventFd())
    poller.add(counter)
    assert not poller.handle.is_asking()
    return poller.wait, counter.add


def _asking_poller(stack: ExitStack, path: Path) -> Case:
    poller = unipc.aio.Poller(stack.enter_context(unipc.Poller()))
    semaphores = stack.enter_context(unipc.SysvSemaphores.create_private([0, 0], temporary=True))

    async def wait() -> None:
        waiting, source = asyncio.create_task(poller.wait()), None
        try:
            await asyncio.sleep(0.001)
            source = poller.add_sysv_semaphore(semaphores, 1)
            assert poller.handle.is_asking()
            (event,) = await waiting
            assert event.token is semaphores
        finally:
            # It may be cancelled before it has added anything.
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            if source is not None:
                poller.handle.remove(source)

    return wait, lambda: semaphores.post(1)


def _file_lock(stack: ExitStack, path: Path) -> Case:
    holder, other = unipc.FileLock(path), unipc.FileLock(path)
    stack.callback(holder.close)
    stack.callback(other.close)
    holder.lock()

    async def lock() -> None:
        async with unipc.aio.FileLock(other):
            assert not holder.try_lock()
        assert holder.try_lock()
        holder.unlock()

    return lock, holder.unlock


def _upgrade(stack: ExitStack, path: Path) -> Case:
    holder, other = unipc.FileLock(path), unipc.FileLock(path)
    stack.callback(holder.close)
    stack.callback(other.close)
    holder.lock(shared=True)
    other.lock(shared=True)
    return unipc.aio.FileLock(other).upgrade, holder.unlock


def _sysv_queue(stack: ExitStack, path: Path) -> Case:
    queue = stack.enter_context(unipc.SysvQueue.create_private(temporary=True))
    return lambda: unipc.aio.SysvQueue(queue).receive(2), lambda: queue.send(b"x", 2)


def _full_sysv_queue(stack: ExitStack, path: Path) -> Case:
    queue = stack.enter_context(unipc.SysvQueue.create_private(limit=1, temporary=True))
    queue.send(b"x")
    return lambda: unipc.aio.SysvQueue(queue).send(b"y"), queue.receive


def _event(stack: ExitStack, path: Path) -> Case:
    event = unipc.Event.from_buffer(_memory(stack))
    return unipc.aio.Event(event).wait, event.set


def _semaphore(stack: ExitStack, path: Path) -> Case:
    semaphore = unipc.Semaphore.from_buffer(_memory(stack))
    return unipc.aio.Semaphore(semaphore).wait, semaphore.post


def _named_semaphore(stack: ExitStack, path: Path) -> Case:
    semaphore = stack.enter_context(unipc.PosixSemaphore.create(OWN, temporary=True))
    return unipc.aio.PosixSemaphore(semaphore).wait, semaphore.post


def _sysv_semaphores(stack: ExitStack, path: Path) -> Case:
    semaphores = stack.enter_context(unipc.SysvSemaphores.create_private([0], temporary=True))
    return unipc.aio.SysvSemaphores(semaphores).wait, semaphores.post


def _sysv_zero(stack: ExitStack, path: Path) -> Case:
    semaphores = stack.enter_context(unipc.SysvSemaphores.create_private([1], temporary=True))
    return unipc.aio.SysvSemaphores(semaphores).wait_zero, semaphores.wait


def _sysv_operations(stack: ExitStack, path: Path) -> Case:
    semaphores = stack.enter_context(unipc.SysvSemaphores.create_private([1], temporary=True))
    operations = [unipc.SysvOperation(0, -2)]
    return lambda: unipc.aio.SysvSemaphores(semaphores).operate(operations), semaphores.post


def _threaded(stack: ExitStack, path: Path) -> Case:
    reader, writer = unipc.pipe()
    into, other = unipc.pipe()
    for end in (reader, writer, into, other):
        stack.enter_context(end)

    def write() -> None:
        writer.write(b"x")
        writer.close()

    return lambda: unipc.aio.in_thread(unipc.transfer, reader, other), write


CASES = [
    _event_fd,
    _full_event_fd,
    _timer,
    _signals,
    _process,
    _pipeline,
    _ring,
    _poller,
    _asking_poller,
    _file_lock,
    _upgrade,
    _sysv_queue,
    _full_sysv_queue,
    _event,
    _semaphore,
    _named_semaphore,
    _sysv_semaphores,
    _sysv_zero,
    _sysv_operations,
    _threaded,
]


@asynccontextmanager
async def executor() -> AsyncIterator[None]:
    yield
    # asyncio.run does so only after the loop is left, and the fixture counts threads.
    await asyncio.get_running_loop().shutdown_default_executor()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__.strip("_"))
def test_a_wait_suspends_its_task_and_can_be_cancelled(case: Callable[[ExitStack, Path], Case], stack: ExitStack, path: Path) -> None:
    wait, end = case(stack, path)

    async def main() -> None:
        async with asyncio.timeout(HANG), executor():
            for _ in range(2):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await wait()
            waiting = asyncio.create_task(wait())
            await asyncio.sleep(0.01)
            assert not waiting.done()
            end()
            await waiting

    asyncio.run(main())


def test_a_cancelled_task_leaves_no_lock(path: Path) -> None:
    """At whatever moment it is cancelled, also when the lock comes free."""
    holder, other = unipc.FileLock(path), unipc.FileLock(path)

    async def hold(lock: unipc.aio.FileLock) -> None:
        async with lock.held():
            await asyncio.sleep(HANG)

    async def main() -> None:
        lock = unipc.aio.FileLock(other)
        for moment in range(60):
            holder.lock(timeout=0)
            waiting = asyncio.create_task(hold(lock))
            asyncio.get_running_loop().call_later(0.002, holder.unlock)
            await asyncio.sleep(0.0001 * moment)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            holder.unlock()
            assert holder.try_lock()
            # The timer may be late.
            await asyncio.sleep(0.003)
            holder.unlock()
        async with lock:
            lock.close()
        assert lock.closed and holder.try_lock()

    asyncio.run(main())
    holder.close()


def test_tasks_keep_each_other_out(path: Path) -> None:
    count = 0

    async def add() -> None:
        nonlocal count
        lock = unipc.aio.FileLock(unipc.FileLock(path))
        for _ in range(10):
            async with lock.held(start=5, length=1):
                count, before = -1, count
                await asyncio.sleep(0)
                assert before >= 0
                count = before + 1
        lock.close()

    async def main() -> None:
        async with asyncio.timeout(HANG), asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(add())

    asyncio.run(main())
    assert count == 40


def test_in_thread_gives_results_and_raises(path: Path) -> None:
    async def main() -> None:
        async with executor():
            assert await unipc.aio.in_thread(len, b"abc") == 3
            with pytest.raises(FileNotFoundError):
                await unipc.aio.in_thread(unipc.Memory.open, OWN + "-nobody")
            stops: list[BaseException] = []

            def wait() -> None:
                try:
                    unipc.Stream.open_fifo_reader(path)
                except OSError as error:
                    stops.append(error)
                    raise

            unipc.create_fifo(path)
            waiting = asyncio.create_task(unipc.aio.in_thread(wait))
            await asyncio.sleep(0.02)
            waiting.cancel()
            begin = time.monotonic()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert time.monotonic() - begin < HANG
            assert [getattr(error, "errno", None) for error in stops] == [errno.ECANCELED]

    asyncio.run(main())


def test_closing_ends_the_wait(stack: ExitStack) -> None:
    async def main() -> None:
        poller, counter = unipc.aio.Poller(unipc.Poller()), unipc.aio.EventFd(unipc.EventFd())
        queue = unipc.aio.SysvQueue(unipc.SysvQueue.create_private(temporary=True))
        signals = unipc.aio.Signals(unipc.Signals([signal.SIGUSR1]))
        twins: list[tuple[Twin, Callable[[], Coroutine[Any, Any, Any]]]] = [
            (poller, poller.wait),
            (counter, counter.take),
            (queue, queue.receive),
        ]
        for twin, wait in twins:
            waiting = asyncio.create_task(wait())
            await asyncio.sleep(0.01)
            with pytest.raises(RuntimeError) if twin is not queue else stack:
                if twin is not queue:
                    await wait()
            threading.Thread(target=twin.close).start()
            async with asyncio.timeout(HANG):
                with pytest.raises(ValueError, match="closed"):
                    await waiting
            assert twin.closed and "closed" in repr(twin)
        asyncio.get_running_loop().call_later(0.01, signals.close)
        async with asyncio.timeout(HANG):
            assert [received async for received in signals] == []

    asyncio.run(main())


def test_bytes_of_any_shape_are_written() -> None:
    """Whatever the blocking calls take; and what they refuse, with their words."""

    async def main() -> None:
        first, second = unipc.Stream.pair_unix()
        async with unipc.aio.Stream(first) as near, unipc.aio.Stream(second) as far:
            wide = memoryview(array.array("i", range(6))).cast("B").cast("i", (2, 3))
            await near.write_all(wide)
            assert await far.read_exact(24) == wide.tobytes()
            await near.write_all(memoryview(b"").cast("B"))
            gap = memoryview(b"abcdef")[::2]
            with pytest.raises(BufferError) as plain:
                first.write_all(gap)
            for call in (near.write_all, near.write, lambda data: near.send_fds(data, [0])):
                with pytest.raises(BufferError) as refused:
                    await call(gap)
                assert str(refused.value) == str(plain.value)
            large = memoryview(bytes(range(256)) * 20_000).cast("B", (20_000, 256))
            sending = asyncio.create_task(near.send_fds(large, [0]))
            await asyncio.sleep(0.01)
            data, fds = await far.receive_fds(10)
            assert (data, len(fds)) == (bytes(range(10)), 1)
            os.close(fds[0])
            assert await far.read_exact(256 * 20_000 - 10) == large.tobytes()[10:]
            await sending

    asyncio.run(main())


def test_whole_buffers_and_several() -> None:
    async def main() -> None:
        first, second = unipc.Stream.pair_unix()
        async with unipc.aio.Stream(first) as near, unipc.aio.Stream(second) as far:
            numbers = array.array("i", bytes(24))
            filling = asyncio.create_task(far.read_exact_into(memoryview(numbers).cast("B").cast("i", (2, 3))))
            await near.write_all(bytes([1] * 10))
            await asyncio.sleep(0.01)
            assert not filling.done()
            assert await near.write_vectored([bytes([1] * 10), bytes([1] * 4), b"next"]) == 18
            await filling
            assert numbers.tobytes() == bytes([1] * 24)
            parts = [bytearray(2), bytearray(10)]
            assert await far.read_vectored_into(parts) == 4
            assert parts[0] + parts[1][:2] == b"next"
            await near.write_all(b"ab")
            near.close()
            with pytest.raises(unipc.Truncated, match="2 of 3 bytes") as cut:
                await far.read_exact(3)
            assert cut.value.transferred == 2
            with pytest.raises(unipc.EndOfStream) as ended:
                await far.read_exact_into(bytearray(3))
            assert ended.value.transferred == 0
            with pytest.raises(BufferError):
                await far.read_exact_into(b"abc")  # type: ignore[arg-type]

    asyncio.run(main())


def test_the_end_in_the_middle_of_a_wait_is_truncation() -> None:
    async def main() -> None:
        first, second = unipc.Stream.pair_unix()
        async with unipc.aio.Stream(first) as near, unipc.aio.Stream(second) as far:
            reading = asyncio.create_task(far.read_exact(5))
            await near.write_all(b"abc")
            await asyncio.sleep(0.01)
            # Both in one attempt.
            near.handle.write(b"d")
            near.close()
            with pytest.raises(unipc.Truncated, match="4 of 5 bytes") as cut:
                await reading
            assert (cut.value.code, cut.value.transferred) == (-10008, 4)

    asyncio.run(main())


def test_messages_into_buffers_and_their_sizes(stack: ExitStack) -> None:
    async def main() -> None:
        buffer = bytearray(10)
        for kind in (unipc.Datagram, unipc.Seqpacket):
            first, second = kind.pair_unix()
            async with getattr(unipc.aio, kind.__name__)(first) as near, getattr(unipc.aio, kind.__name__)(second) as far:
                asked = asyncio.create_task(far.next_size())
                await asyncio.sleep(0.001)
                await near.send(b"hello")
                assert await asked == 5
                assert await far.receive_into(buffer) == 5 and buffer[:5] == b"hello"
        ends = unipc.Stream.pair_unix()
        async with unipc.aio.Framed(unipc.aio.Stream(ends[0])) as one, unipc.aio.Framed(unipc.aio.Stream(ends[1])) as other:
            await one.send(b"frame")
            assert await other.receive_into(buffer) == 5 and buffer[:5] == b"frame"
        queue = stack.enter_context(unipc.SysvQueue.create_private(temporary=True))
        twin = unipc.aio.SysvQueue(queue)
        await twin.send(b"long message", 3)
        assert await twin.receive_into(buffer, 3, cut=True) == 10 and buffer == b"long messa"
        await twin.send(b"y", 3)
        message = await twin.receive_message(-5)
        assert (message.data, message.type) == (b"y", 3)

    asyncio.run(main())


def test_both_ends_of_a_fifo(path: Path) -> None:
    async def main() -> None:
        async with executor(), asyncio.timeout(HANG):
            for opens in (("open_or_create_fifo_reader", "open_or_create_fifo_writer"), ("open_fifo_reader", "open_fifo_writer")):
                reading, writing = (asyncio.create_task(getattr(unipc.aio.Stream, open_end)(path)) for open_end in opens)
                async with await reading as reader, await writing as writer:
                    await writer.write_all(b"x")
                    assert await reader.read(1) == b"x"
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await unipc.aio.Stream.open_fifo_writer(path)

    asyncio.run(main())


def test_how_much_had_passed_is_told() -> None:
    async def main() -> None:
        first, second = unipc.Stream.pair_unix()
        near, far = unipc.aio.Stream(first), unipc.aio.Stream(second)
        await near.write_all(b"abc")
        for call, least in ((lambda: far.read_exact(10), 3), (lambda: near.write_all(bytes(10**7)), 1)):
            with pytest.raises(TimeoutError) as late:
                async with asyncio.timeout(0.02):
                    await call()
            assert isinstance(late.value.__cause__, asyncio.CancelledError)
            assert vars(late.value.__cause__)["transferred"] >= least
        far.close()
        with pytest.raises((BrokenPipeError, ConnectionResetError)) as broken:
            await near.write_all(b"x")
        assert vars(broken.value) == {"transferred": 0}
        near.close()

    asyncio.run(main())


def test_tcp_options_and_late_listeners() -> None:
    async def main() -> None:
        with unipc.Listener.open_tcp() as listener:
            port = listener.port()
        connecting = asyncio.create_task(unipc.aio.Stream.connect_tcp("127.0.0.1", port, wait_for_listener=True, keep_alive=True))
        await asyncio.sleep(0.03)
        assert not connecting.done()
        async with unipc.aio.Listener.open_tcp(None, port), asyncio.timeout(HANG):
            (await connecting).close()
        with pytest.raises(ConnectionRefusedError):
            await unipc.aio.Stream.connect_tcp("127.0.0.1", port, keep_alive_idle=10, keep_alive_interval=5, keep_alive_count=2)

    asyncio.run(main())
