"""What threads and handlers may do to each other."""

from __future__ import annotations

import ctypes
import gc
import itertools
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy
import pytest

import unipc

HANG = 20.0


def test_errors_of_memory_do_not_stop_the_interpreter() -> None:
    """The exception's class is Python code, which switches threads."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with unipc.Memory.memfd("unipc-test", 1 << 16, checked=True) as memory:
            os.ftruncate(memory.fileno(), 4096)
            end = time.monotonic() + 0.5

            def fail() -> None:
                while time.monotonic() < end:
                    with pytest.raises(unipc.WrongSize):
                        memory.read(8192, 10)

            def look() -> None:
                while time.monotonic() < end:
                    assert memory.size == 1 << 16

            threads = [threading.Thread(target=work, daemon=True) for work in (fail, look)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(HANG)
    finally:
        sys.setswitchinterval(interval)


def _longest_stall(work: Callable[[], object]) -> float:
    """How long another thread stood still meanwhile."""
    ticks, done = [time.monotonic()], threading.Event()

    def tick() -> None:
        while not done.is_set():
            time.sleep(0.001)
            ticks.append(time.monotonic())

    ticking = threading.Thread(target=tick)
    ticking.start()
    work()
    done.set()
    ticking.join()
    return max(later - earlier for earlier, later in itertools.pairwise(ticks))


def test_long_calls_let_other_threads_run() -> None:
    size = 1 << 28
    data = bytes(size)

    def work() -> None:
        with unipc.Memory.memfd("unipc-test", size, sparse=True) as memory:
            memory.write(0, data)
            memory.read(0, size)
            working = threading.Thread(target=memory.prefault)
            working.start()
            while working.is_alive():
                assert memory.size == size

    def share_of_time() -> float:
        start = time.monotonic()
        stall = _longest_stall(work)
        return stall / (time.monotonic() - start)

    # What is held is held for a whole call. The machine may be busy, but not with the same every time.
    assert min(share_of_time() for _ in range(3)) < 0.2


def test_a_change_waits_for_readers_and_they_for_it() -> None:
    with unipc.Memory.memfd("unipc-test", 1 << 20) as memory:
        errors: list[BaseException] = []
        end = time.monotonic() + 0.3

        def use(work: Callable[[], object]) -> None:
            try:
                while time.monotonic() < end:
                    work()
            except BaseException as error:
                errors.append(error)

        sizes = iter(range(1 << 20, 1 << 30, 4096))
        works: list[Callable[[], object]] = [
            lambda: memory.resize(next(sizes)),
            lambda: memory.read(0, 1 << 20),
            lambda: memory.read(0, 100),
            lambda: memory.write(0, bytes(1 << 18)),
            memory.prefault,
        ]
        threads = [threading.Thread(target=use, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(HANG)
        assert errors == []


class _LateError(Exception):
    transferred: int


@pytest.fixture
def raise_soon() -> Iterator[Callable[[], None]]:
    def late(*_: object) -> None:
        raise _LateError

    before = signal.signal(signal.SIGALRM, late)
    yield lambda: signal.setitimer(signal.ITIMER_REAL, 0.05) and None
    signal.signal(signal.SIGALRM, before)


def test_what_had_passed_is_noted_on_what_a_handler_raises(raise_soon: Callable[[], None]) -> None:
    first, second = unipc.Stream.pair_unix()
    second.write(b"abc")
    raise_soon()
    with pytest.raises(_LateError) as late:
        first.read_exact(5)
    assert late.value.transferred == 3
    raise_soon()
    with pytest.raises(_LateError) as late:
        first.write_all(bytes(10**7))
    assert 0 < late.value.transferred < 10**7
    received = second.read_exact(late.value.transferred)
    assert received == bytes(late.value.transferred)
    second.write(b"ab")
    closing = threading.Timer(0.05, first.close)
    closing.start()
    with pytest.raises(ValueError, match="closed") as closed:
        first.read_exact(5)
    assert vars(closed.value) == {"transferred": 2}
    closing.join()
    second.close()


def test_whether_a_message_counts_as_sent_is_noted(raise_soon: Callable[[], None]) -> None:
    first, second = unipc.Stream.pair_unix()
    with unipc.Framed(first) as sender, unipc.Framed(second) as receiver:
        message = bytes(10**6)
        raise_soon()
        with pytest.raises(_LateError) as late:
            sender.send(message)
        assert late.value.transferred == len(message)
        raise_soon()
        # What is kept of the first has to go out before: nothing of this one does.
        with pytest.raises(_LateError) as late:
            sender.send(b"another")
        assert late.value.transferred == 0
        receiving = threading.Thread(target=lambda: sender.flush(timeout=HANG))
        receiving.start()
        assert receiver.receive(timeout=HANG) == message
        receiving.join()


def test_a_handler_may_close_what_is_waited_for() -> None:
    reader, writer = unipc.pipe()
    before = signal.signal(signal.SIGALRM, lambda *_: reader.close())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(ValueError, match="closed"):
            reader.read(1, timeout=HANG)
    finally:
        signal.signal(signal.SIGALRM, before)
        writer.close()


def test_one_limit_holds_for_a_large_message() -> None:
    first, second = unipc.Stream.pair_unix()
    with unipc.Framed(first) as receiver, second:

        def feed() -> None:
            time.sleep(0.4)
            second.write_all((5000).to_bytes(4, "big"))
            time.sleep(0.4)
            second.write_all(bytes(5000))

        feeding = threading.Thread(target=feed)
        feeding.start()
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            receiver.receive(timeout=0.5)
        assert time.monotonic() - start < 0.75
        feeding.join()
        assert receiver.receive(timeout=HANG) == bytes(5000)


def test_the_address_of_a_closed_listener_is_free(path: Path) -> None:
    port = 0
    for _ in range(5):
        for again in (lambda: unipc.Listener.open_unix(path), lambda: unipc.Listener.open_unix("@unipc-test-again")):
            listener = again()
            accepting = threading.Thread(target=lambda listener=listener: list(listener))
            accepting.start()
            time.sleep(0.01)
            listener.close()
            again().close()
            accepting.join()
    with unipc.Listener.open_tcp() as listener:
        port = listener.port()
        accepting = threading.Thread(target=lambda: list(listener))
        accepting.start()
        time.sleep(0.01)
        listener.close()
        unipc.Listener.open_tcp(port=port).close()
        accepting.join()


def test_iterating_ends_with_a_close_elsewhere() -> None:
    first, second = unipc.Stream.pair_unix()
    for iterated in (unipc.Framed(first), unipc.Signals([signal.SIGUSR1]), unipc.Listener.open_unix("@unipc-test-ends")):
        closing = threading.Timer(0.05, iterated.close)
        closing.start()
        assert [*iterated] == []
        closing.join()
    second.close()


def _read(stream: unipc.Stream) -> str:
    try:
        stream.read(1, timeout=0.02)
    except TimeoutError:
        return "timed out"
    except OSError:
        return "stopped"
    return "read"


def test_stop_tokens_end_with_their_own_statement() -> None:
    reader, writer = unipc.pipe()
    first, second = unipc.Stop(), unipc.Stop()

    def scope(stop: unipc.Stop) -> Iterator[None]:
        with stop.bound():
            yield

    outer, inner = scope(first), scope(second)
    next(outer)
    next(inner)
    outer.close()
    first.request()
    assert _read(reader) == "timed out"
    second.request()
    assert _read(reader) == "stopped"
    inner.close()
    assert _read(reader) == "timed out"
    bound = first.bound()
    with bound, bound:
        problems: list[str] = []

        def leave() -> None:
            try:
                bound.__exit__(None, None, None)
            except RuntimeError as error:
                problems.append(str(error))

        elsewhere = threading.Thread(target=leave)
        elsewhere.start()
        elsewhere.join()
        assert problems == ["this with statement was not entered in this thread"]
        assert _read(reader) == "stopped"
    assert _read(reader) == "timed out"
    reader.close()
    writer.close()


def test_signals_are_blocked_in_any_thread_and_left_there() -> None:
    blocked = unipc.BlockedSignals([signal.SIGUSR1])
    problems: list[object] = []

    def use() -> None:
        with blocked, blocked:
            problems.append(signal.SIGUSR1 in signal.pthread_sigmask(signal.SIG_BLOCK, []))
        problems.append(signal.SIGUSR1 in signal.pthread_sigmask(signal.SIG_BLOCK, []))
        with pytest.raises(RuntimeError, match="entered"):
            blocked.__exit__(None, None, None)

    with blocked:
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
        assert problems == [True, True]  # A new thread has what its maker has blocked.
        assert signal.SIGUSR1 in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.SIGUSR1 not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    kept = []
    thread = threading.Thread(target=lambda: kept.append(unipc.BlockedSignals([signal.SIGUSR2]).__enter__()))
    thread.start()
    thread.join()
    kept.clear()


class _Locked(ctypes.Structure):
    _fields_ = (
        ("rwlock", unipc.c_rwlock),
        ("barrier", unipc.c_barrier),
        ("semaphore", unipc.c_semaphore),
        ("lock", unipc.c_mutex),
        ("spinlock", unipc.c_spinlock),
        ("condvar", unipc.c_condvar),
        ("event", unipc.c_event),
    )


def test_a_structure_may_keep_its_own_locks() -> None:
    with unipc.Memory.anonymous(4096) as memory:
        structure = _Locked.from_buffer(memory)
        structure.kept = [
            unipc.Mutex.from_buffer(structure.lock).lock(),
            unipc.Semaphore.from_buffer(structure.semaphore),
            unipc.Spinlock.from_buffer(structure.spinlock),
            unipc.Mutex.from_buffer(memoryview(structure)),
            unipc.RwLock.from_buffer(structure.rwlock).read(),
            unipc.Barrier.from_buffer(structure.barrier),
            unipc.Condvar.from_buffer(structure.condvar),
            unipc.Event.from_buffer(structure.event),
        ]
        gone = weakref.ref(structure)
        structure.kept[0].__exit__(None, None, None)
        structure.kept[4].__exit__(None, None, None)
        del structure
        gc.collect()
        assert gone() is None


def test_a_resize_gives_back_what_nobody_sees(name: str) -> None:
    def mappings() -> int:
        return Path("/proc/self/maps").read_text().count("unipc-test")

    with unipc.Memory.memfd("unipc-test", 4096, sparse=True) as memory:
        atomic = memory.atomic_i64(0)
        for pages in range(2, 100):
            memory.resize(4096 * pages)
        assert mappings() == 2
        atomic.store(7)
        del atomic
        memory.resize(4096)
        memory.resize(8192)
        assert mappings() == 1
        # Of arrays some know the object alone.
        array = numpy.ndarray(8192, dtype="u1", buffer=memory)
        memory.resize(4096 * 3)
        memory.refresh()
        assert (array[0], mappings()) == (7, 2)
