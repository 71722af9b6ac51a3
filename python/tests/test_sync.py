"""The other locks in shared memory."""

from __future__ import annotations

import ctypes
import errno
import os
import pickle
import threading
from collections.abc import Callable

import pytest

import unipc

HANG = 20.0


def test_a_spinlock_tells_of_a_dead_holder() -> None:
    with unipc.Memory.anonymous(4096) as memory:
        lock = unipc.Spinlock.from_buffer(memory, 128)
        assert ctypes.sizeof(unipc.c_spinlock) == unipc.Spinlock.SIZE == 128
        with lock:
            with pytest.raises(OSError, match="deadlock"):
                lock.try_lock()
            refused: list[type[BaseException]] = []

            def other() -> None:
                assert lock.try_lock() is False
                for timeout in (0, 0.02):
                    try:
                        lock.lock(timeout=timeout)
                    except OSError as error:
                        refused.append(type(error))

            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
            assert refused == [BlockingIOError, TimeoutError]
        with pytest.raises(PermissionError):
            lock.unlock()
        with pytest.raises(PermissionError):
            lock.mark_consistent()
        child = os.fork()
        if child == 0:
            lock.lock()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        with pytest.raises(OSError, match="died") as died:
            lock.lock(timeout=HANG)
        assert died.value.errno == errno.EOWNERDEAD
        with lock.lock_recover(timeout=HANG) as guard:
            assert guard.needs_repair
        with lock.lock_recover() as guard:
            assert guard.needs_repair
            guard.mark_consistent()
            assert not guard.needs_repair
        with lock.lock(timeout=0) as guard:
            assert not guard.needs_repair
        memory.write(128, b"\xff" * 8)
        with pytest.raises(unipc.Incompatible):
            lock.lock()
        lock.init()
        assert lock.try_lock()
        lock.unlock()
        with pytest.raises(ValueError, match="bytes"):
            unipc.Spinlock.from_buffer(memory, 4)


def in_child(work: Callable[[], object]) -> None:
    """Runs it in a process of its own, which ends right after."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_an_event_is_a_gate_or_a_turnstile() -> None:
    with unipc.Memory.anonymous(4096) as memory:
        event = unipc.Event.from_buffer(memory)
        assert ctypes.sizeof(unipc.c_event) == unipc.Event.SIZE == 128
        assert not event.is_set()
        assert not event.try_wait()
        assert not event.reset()
        for timeout, error in ((0, BlockingIOError), (0.02, TimeoutError)):
            with pytest.raises(error):
                event.wait(timeout=timeout)
        in_child(event.set)
        event.wait(timeout=HANG)
        event.wait()
        assert event.is_set()
        assert event.reset()
        event.init(automatic_reset=True, set=True)
        assert event.try_wait()
        assert not event.try_wait()
        other = in_thread(lambda: event.wait(timeout=HANG))
        event.set()
        other.join()
        assert not event.is_set()
        memory.write(0, b"\xff" * 8)
        with pytest.raises(unipc.Incompatible):
            event.set()
        with pytest.raises(ValueError, match="bytes"):
            unipc.Event.from_buffer(memory, 4)


def test_a_reader_writer_lock() -> None:
    with unipc.Memory.anonymous(4096) as memory:
        lock = unipc.RwLock.from_buffer(memory, 64)
        assert ctypes.sizeof(unipc.c_rwlock) == unipc.RwLock.SIZE == 1024
        assert unipc.RwLock.READERS == 112
        with lock.read() as share:
            assert not share.needs_repair
            with pytest.raises(OSError, match="deadlock"):
                lock.write()

            def reads() -> None:
                with lock.read(timeout=HANG):
                    pass
                assert lock.try_read()
                lock.unlock()
                assert not lock.try_write()
                with pytest.raises(TimeoutError):
                    lock.write(timeout=0.02)

            in_child(reads)
        with lock.write(timeout=HANG):

            def refused() -> None:
                assert not lock.try_read()
                with pytest.raises(BlockingIOError):
                    lock.read(timeout=0)

            in_child(refused)
        with pytest.raises(PermissionError):
            lock.unlock()
        in_child(lock.try_read)
        assert lock.try_write()
        lock.unlock()
        in_child(lock.try_write)
        for attempt in (lock.read, lock.write):
            with pytest.raises(OSError, match="died") as died:
                attempt(timeout=HANG)
            assert died.value.errno == errno.EOWNERDEAD
        with lock.read_recover(timeout=HANG) as guard:
            assert guard.needs_repair
        with lock.write_recover() as guard:
            assert guard.needs_repair
            guard.mark_consistent()
            assert not guard.needs_repair
        with lock.read_recover() as guard:
            assert not guard.needs_repair
            with pytest.raises(PermissionError):
                lock.mark_consistent()
        lock.init()
        memory.write(64, b"\xff" * 8)
        with pytest.raises(unipc.Incompatible):
            lock.read()


def test_a_condition_variable() -> None:
    class Room(ctypes.Structure):
        _fields_ = [("mutex", unipc.c_mutex), ("changed", unipc.c_condvar), ("value", ctypes.c_int64)]

    room = Room.from_buffer(unipc.Memory.anonymous(ctypes.sizeof(Room)))
    mutex, changed = unipc.Mutex.from_buffer(room.mutex), unipc.Condvar.from_buffer(room.changed)
    assert ctypes.sizeof(unipc.c_condvar) == unipc.Condvar.SIZE == 128
    changed.notify_one()
    changed.notify_all()
    with pytest.raises(PermissionError):
        changed.wait(mutex)
    with mutex:
        for timeout, error in ((0, BlockingIOError), (0.02, TimeoutError)):
            with pytest.raises(error):
                changed.wait(mutex, timeout=timeout)
            with pytest.raises(error):
                changed.wait_while(mutex, lambda: True, timeout=timeout)
        with pytest.raises(ZeroDivisionError):
            changed.wait_while(mutex, lambda: 1 / 0)
        assert not changed.wait_while(mutex, lambda: False, timeout=0)
    child = os.fork()
    if child == 0:
        for _ in range(5):
            with mutex:
                room.value += 1
                changed.notify_one()
        os._exit(0)
    with mutex:
        assert not changed.wait_while(mutex, lambda: room.value < 5, timeout=HANG)
    assert os.waitpid(child, 0)[1] == 0
    with mutex:
        child = os.fork()
        if child == 0:
            mutex.lock()
            os._exit(0)
        assert changed.wait(mutex, timeout=HANG)
        mutex.mark_consistent()
    assert os.waitpid(child, 0)[1] == 0
    # Threads of one process, of which one holds the interpreter's lock.

    def waits() -> None:
        with mutex:
            changed.wait_while(mutex, lambda: room.value < 100)

    waiting = in_thread(waits)
    while room.value < 100:
        with mutex:
            room.value += 1
            changed.notify_all()
    waiting.join()
    changed.init()


def test_a_barrier() -> None:
    with unipc.Memory.anonymous(4096) as memory:
        barrier = unipc.Barrier.from_buffer(memory)
        assert ctypes.sizeof(unipc.c_barrier) == unipc.Barrier.SIZE == 512
        for call in (barrier.wait, barrier.join, barrier.leave, barrier.reset, barrier.is_broken):
            with pytest.raises(OSError, match="initialised"):
                call()
        for wrong in (0, unipc.Barrier.PARTIES + 1):
            with pytest.raises(OSError, match="1 to 56"):
                barrier.init(wrong)
        barrier.init(2)
        for timeout, error in ((0, BlockingIOError), (0.02, TimeoutError)):
            with pytest.raises(error):
                barrier.wait(timeout=timeout)

        def comes() -> None:
            for _ in range(20):
                lasts.append(barrier.wait(timeout=HANG))
            barrier.leave()

        lasts: list[bool] = []
        other = in_thread(comes)
        mine = [barrier.wait(timeout=HANG) for _ in range(20)]
        other.join()
        assert sum(lasts) + sum(mine) == 20
        in_child(barrier.join)
        with pytest.raises(OSError, match="died") as died:
            barrier.wait(timeout=HANG)
        assert died.value.errno == errno.EOWNERDEAD
        assert barrier.is_broken()
        assert barrier.reset()
        assert not barrier.reset()
        barrier.leave()
        with pytest.raises(PermissionError):
            barrier.leave()


def test_they_travel_to_other_processes(name: str) -> None:
    with unipc.Memory.create(name, 4096, temporary=True) as memory:
        for place in (unipc.Event, unipc.RwLock, unipc.Condvar, unipc.Barrier, unipc.Spinlock):
            copy = pickle.loads(pickle.dumps(place.from_buffer(memory, 1024)))
            assert type(copy) is place
