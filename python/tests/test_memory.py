from __future__ import annotations

import ctypes
import errno
import gc
import mmap
import multiprocessing
import os
import pickle
import threading
import time
from multiprocessing import shared_memory
from pathlib import Path

import numpy as np
import posix_ipc
import pytest
import targets
from conftest import stop_helpers

import unipc

HANG = 20.0


class Counter(ctypes.Structure):
    _fields_ = [("lock", unipc.c_mutex), ("value", ctypes.c_int64), ("backup", ctypes.c_int64)]


def test_memory_is_read_written_and_removed(name: str) -> None:
    with unipc.Memory.create(name, 100, mode=0o640, temporary=True) as memory:
        assert Path(f"/dev/shm/{name}").stat().st_mode & 0o777 == 0o640
        assert (memory.name, memory.size, len(memory), memory.was_created, memory.read_only) == (name, 100, 100, True, False)
        memory.write(90, b"0123456789")
        with unipc.Memory.open(name, read_only=True) as other:
            assert other.read(90, 10) == b"0123456789"
            buffer = bytearray(5)
            other.read_into(95, buffer)
            assert buffer == b"56789"
            with pytest.raises(PermissionError):
                other.write(0, b"x")
            with pytest.raises(TypeError, match="not writable"):
                ctypes.c_char.from_buffer(other)
            with pytest.raises(TypeError):
                memoryview(other)[0] = 1
        for offset, size in ((91, 10), (101, 0), (0, 101), (1 << 62, 1), (0, 1 << 62)):
            with pytest.raises(OSError, match="do not lie within") as outside:
                memory.read(offset, size)
            assert outside.value.errno == errno.EINVAL
        with pytest.raises(FileExistsError) as taken:
            unipc.Memory.create(name, 1)
        assert taken.value.filename == name
        with pytest.raises(unipc.WrongSize):
            unipc.Memory.open(name, size=101)
    with pytest.raises(FileNotFoundError):
        unipc.Memory.open(name)
    with pytest.raises(ValueError, match="closed"):
        memory.read(0, 1)
    assert "closed" in repr(memory)


def test_views_see_the_same_pages(name: str) -> None:
    with unipc.Memory.open_or_create(name, 4096, temporary=True) as memory, unipc.Memory.open(name) as other:
        view = memoryview(memory)
        view[10:15] = b"hello"
        assert bytes(memoryview(other)[10:15]) == b"hello"
        numbers = np.frombuffer(other, dtype=np.int32)
        numbers[:] = np.arange(1024)
        assert view.cast("i")[1023] == 1023
        view.release()


VIEWS = {
    "frombuffer": lambda memory: np.frombuffer(memory, np.uint8),
    "ndarray": lambda memory: np.ndarray(4096, np.uint8, buffer=memory),
    "memoryview": memoryview,
}


@pytest.mark.parametrize("make", VIEWS.values(), ids=VIEWS)
def test_pages_stay_mapped_while_a_view_lives(name: str, make) -> None:
    memory = unipc.Memory.create(name, 4096, temporary=True)
    view = make(memory)
    memory.close()
    assert not Path(f"/dev/shm/{name}").exists()
    del memory
    gc.collect()
    view[4095] = 7
    assert view[4095] == 7


def test_a_resize_moves_no_view(name: str) -> None:
    with unipc.Memory.create(name, 4096, temporary=True) as memory, unipc.Memory.open(name) as other:
        before = np.ndarray(4096, np.uint8, buffer=memory)
        before[0] = 1
        memory.resize(1 << 20)
        assert memory.size == 1 << 20
        memory.write((1 << 20) - 1, b"z")
        before[1] = 2
        assert memory.read(0, 2) == b"\x01\x02"
        assert other.size == 4096
        other.refresh()
        assert other.read((1 << 20) - 1, 1) == b"z"


def test_it_is_filled_before_it_has_its_name(name: str) -> None:
    with unipc.Memory.create(name, 10, unpublished=True, temporary=True) as memory:
        with pytest.raises(FileNotFoundError):
            unipc.Memory.open(name)
        memory.write(0, b"ready")
        memory.publish()
        with unipc.Memory.open(name) as other:
            assert other.read(0, 5) == b"ready"


def test_an_opener_waits_for_the_creator(name: str) -> None:
    made: list[unipc.Memory] = []
    late = threading.Timer(0.05, lambda: made.append(unipc.Memory.create(name, 10, temporary=True)))
    late.start()
    with unipc.Memory.open(name, wait_for_creator=HANG) as memory:
        assert memory.size == 10
    late.join()
    made.pop().close()
    with pytest.raises(FileNotFoundError):
        unipc.Memory.open(name, wait_for_creator=0.02)


def test_other_packages_share_it(name: str) -> None:
    with unipc.Memory.create(name, 4096, temporary=True) as memory:
        memory.write(0, b"from unipc")
        theirs = posix_ipc.SharedMemory(f"/{name}")
        with mmap.mmap(theirs.fd, 4096) as mapped:
            assert mapped[:10] == b"from unipc"
            mapped[:14] = b"from posix_ipc"
        theirs.close_fd()
        assert memory.read(0, 14) == b"from posix_ipc"
    standard = shared_memory.SharedMemory(create=True, size=100)
    standard.buf[:3] = b"abc"
    with unipc.Memory.open(standard.name) as opened:
        assert opened.read(0, 3) == b"abc"
    standard.close()
    standard.unlink()
    stop_helpers()


def test_a_memfd_is_mapped_by_its_descriptor() -> None:
    fd = os.memfd_create("test")
    os.ftruncate(fd, 100)
    with unipc.Memory.from_fd(fd, size=100) as memory:
        memory.write(0, b"x")
        assert os.pread(memory.fileno(), 1, 0) == b"x"
        with pytest.raises(ValueError, match="closed"):
            os.close(memory.into_fd())
            memory.fileno()


def test_atomics_have_width_sign_and_order() -> None:
    with unipc.Memory.anonymous(64) as memory:
        unsigned, signed = memory.atomic_u32(0), memory.atomic_i32(0)
        assert unsigned.fetch_sub(1) == 0
        assert (unsigned.load("acquire"), signed.load("relaxed")) == (2**32 - 1, -1)
        signed.store(5, "release")
        assert unsigned.exchange(6, "acquire_release") == 5
        assert unsigned.compare_exchange(6, 7) == (True, 6)
        assert unsigned.compare_exchange(6, 8, "release") == (False, 7)
        large = memory.atomic_u64(8)
        large.store(2**64 - 1)
        assert memory.atomic_i64(8).fetch_add(2) == -1
        assert large.load() == 1
        for wrong in (-1, 2**32):
            with pytest.raises(OverflowError):
                unsigned.store(wrong)
        with pytest.raises(ValueError, match="release"):
            unsigned.load("release")
        with pytest.raises(ValueError, match="acquire"):
            unsigned.store(1, "acquire")
        with pytest.raises(ValueError, match="order"):
            unsigned.load("strict")
        for offset in (1, 62, 64, 1 << 62):
            with pytest.raises(OSError, match="memory"):
                memory.atomic_u32(offset)


def test_a_structure_holds_its_lock(name: str) -> None:
    memory = unipc.Memory.create(name, ctypes.sizeof(Counter), temporary=True)
    shared = Counter.from_buffer(memory)
    lock = unipc.Mutex.from_buffer(shared.lock)
    assert ctypes.sizeof(unipc.c_mutex) == unipc.Mutex.SIZE
    assert ctypes.sizeof(unipc.c_semaphore) == unipc.Semaphore.SIZE
    memory.close()
    with lock:
        shared.value += 1
        assert lock.try_lock() is False
    child = os.fork()
    if child == 0:
        lock.lock()
        shared.value = 99
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    with pytest.raises(OSError, match="died") as died:
        lock.lock()
    assert died.value.errno == errno.EOWNERDEAD
    with lock.lock_recover() as guard:
        assert guard.needs_repair
        shared.value = shared.backup
    with lock.lock_recover() as guard:
        assert guard.needs_repair
        guard.mark_consistent()
        assert not guard.needs_repair
    with lock.lock(timeout=0) as guard:
        assert not guard.needs_repair
    assert shared.value == 0


def test_the_kinds_of_mutex() -> None:
    with unipc.Memory.anonymous(4096) as memory:
        mutex = unipc.Mutex.from_buffer(memory, 128)
        mutex.init("recursive")
        with mutex, mutex:
            pass
        mutex.init("error_checking")
        with mutex, pytest.raises(OSError, match="deadlock"):
            mutex.lock()
        with pytest.raises(PermissionError):
            mutex.unlock()
        with pytest.raises(PermissionError):
            mutex.mark_consistent()
        with pytest.raises(ValueError, match="kind"):
            mutex.init("strange")
        for offset in (4096, 4096 - 127, 4, 1 << 62):
            with pytest.raises(ValueError, match="bytes"):
                unipc.Mutex.from_buffer(memory, offset)
        memory.write(0, b"\xff" * 8)
        with pytest.raises(unipc.Incompatible):
            unipc.Mutex.from_buffer(memory, 0).lock()


def test_a_mutex_is_waited_for() -> None:
    with unipc.Memory.anonymous(128) as memory:
        mutex = unipc.Mutex.from_buffer(memory)
        held, done = threading.Event(), threading.Event()

        def hold() -> None:
            with mutex:
                held.set()
                done.wait()

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait()
        with pytest.raises(BlockingIOError):
            mutex.lock(timeout=0)
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            mutex.lock(timeout=0.05)
        assert time.monotonic() - start >= 0.05
        threading.Timer(0.05, done.set).start()
        with mutex.lock(timeout=HANG):
            pass
        holder.join()


def test_semaphores_count() -> None:
    with unipc.Memory.anonymous(1024) as memory:
        plain, recovering = unipc.Semaphore.from_buffer(memory), unipc.Semaphore.from_buffer(memory, 512)
        plain.init(1)
        with plain:
            assert plain.value() == 0
            assert not plain.try_wait()
            with pytest.raises(TimeoutError):
                plain.wait(timeout=0.01)
        assert plain.value() == 1
        recovering.init_recovering(1)
        child = os.fork()
        if child == 0:
            recovering.wait()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        recovering.wait(timeout=HANG)
        recovering.post()
        with pytest.raises(PermissionError):
            recovering.post()


def test_named_semaphores_are_those_of_others(name: str) -> None:
    with unipc.PosixSemaphore.create(name, 2, temporary=True) as semaphore:
        theirs = posix_ipc.Semaphore(f"/{name}")
        theirs.acquire()
        assert semaphore.value() == 1
        semaphore.wait(timeout=HANG)
        assert semaphore.try_wait() is False
        threading.Timer(0.05, theirs.release).start()
        semaphore.wait(timeout=HANG)
        semaphore.post()
        assert theirs.value == 1
        theirs.close()
        with pytest.raises(FileExistsError):
            unipc.PosixSemaphore.create(name)
        with unipc.PosixSemaphore.open_or_create(name, 7) as other:
            assert other.value() == 1
        assert (semaphore.name, semaphore.closed) == (name, False)
    with pytest.raises(FileNotFoundError):
        unipc.PosixSemaphore.open(name)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_named_objects_travel_by_name(name: str, method: str) -> None:
    context = multiprocessing.get_context(method)
    with (
        unipc.Memory.create(name, 4096, temporary=True) as memory,
        unipc.PosixSemaphore.create(f"{name}-done", temporary=True) as done,
    ):
        mutex = unipc.Mutex.from_buffer(memory)
        children = [context.Process(target=targets.count, args=(memory, mutex, done, 2000)) for _ in range(2)]
        for child in children:
            child.start()
        for _ in children:
            done.wait(timeout=HANG)
        for child in children:
            child.join(HANG)
            assert child.exitcode == 0
            child.close()
        assert memory.atomic_i64(128).load() == 4000
        del mutex
    stop_helpers()


def test_a_copy_of_a_lock_is_refused() -> None:
    with unipc.Memory.anonymous(4096) as memory:
        mutex = unipc.Mutex.from_buffer(memoryview(memory))
        with pytest.raises(TypeError, match="travels with its Memory"):
            pickle.dumps(mutex)
        with pytest.raises(TypeError, match="anonymous"):
            pickle.dumps(memory)
