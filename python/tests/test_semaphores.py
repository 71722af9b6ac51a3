"""System V semaphores, what named ones are like, and sleeping on words in memory."""

from __future__ import annotations

import errno
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Iterator

import pytest
import sysv_ipc
import targets
from conftest import stop_helpers

import unipc

HANG = 20.0
Op = unipc.SysvOperation


@pytest.fixture
def key() -> int:
    # Of this process, and not the next test's.
    return 0x57000000 + os.getpid() % 0x10000 * 0x100 + time.monotonic_ns() % 0x100


@pytest.fixture
def semaphores(key: int) -> Iterator[unipc.SysvSemaphores]:
    with unipc.SysvSemaphores.create(key, [1, 0, 5], temporary=True) as semaphores:
        yield semaphores


def test_several_operations_are_one_step(semaphores: unipc.SysvSemaphores, key: int) -> None:
    assert (semaphores.key, len(semaphores), semaphores.values()) == (key, 3, [1, 0, 5])
    with unipc.SysvSemaphores.open(key, count=3) as twin:
        assert twin.id == semaphores.id
        twin.operate([Op(0, -1), Op(1, 2), Op(2, -5), Op(2, 0)], timeout=HANG)
        assert semaphores.values() == [0, 2, 0]
        with pytest.raises(BlockingIOError):
            twin.operate([Op(1, -1), Op(0, -1)], timeout=0)
        with pytest.raises(TimeoutError):
            twin.operate([Op(1, -1), Op(0, -1)], timeout=0.02)
        with pytest.raises(BlockingIOError):
            twin.operate([Op(0, -1, at_once=True)])
        assert semaphores.try_wait(1)
        assert not semaphores.try_wait()
        semaphores.post()
        semaphores.wait(timeout=HANG)
        semaphores.wait_zero(timeout=HANG)
        with pytest.raises(TimeoutError):
            semaphores.wait_zero(1, timeout=0.02)
    assert semaphores.last_process(1) == os.getpid()
    semaphores.set_values([3, 2, 1])
    semaphores.set_value(2, 9)
    assert [semaphores.value(0), semaphores.value(2)] == [3, 9]
    semaphores.set_mode(0o640)
    semaphores.set_owner(gid=os.getgid())
    status = semaphores.status()
    assert (status.count, status.mode, status.uid, status.creator_uid) == (3, 0o640, os.getuid(), os.getuid())
    assert status.operated_at <= time.time() + 1
    assert (status.id, status.key) == (semaphores.id, semaphores.key or 0)
    assert repr(status) == f"SysvSemaphoresStatus(count=3, mode=0o640, uid={os.getuid()})"
    assert repr(Op(1, -2, undo=True)) == "SysvOperation(1, -2, undo=True)"
    assert Op(1, 2) == Op(1, 2) != Op(1, 2, at_once=True)


def test_limits_and_removal_are_told(semaphores: unipc.SysvSemaphores, key: int) -> None:
    with pytest.raises(OSError, match="SEMVMX") as refused:
        semaphores.set_value(0, 32768)
    assert refused.value.errno == errno.ERANGE
    with pytest.raises(OSError, match="has 3 semaphores") as refused:
        semaphores.post(3)
    assert refused.value.errno == errno.EFBIG
    with pytest.raises(OSError, match="SEMOPM") as refused:
        semaphores.operate([Op(0, 1)] * 100_000)
    assert refused.value.errno == errno.E2BIG
    with pytest.raises(OSError, match="no operation"):
        semaphores.operate([])
    with pytest.raises(OSError, match="2 values were given"):
        semaphores.set_values([1, 2])
    with pytest.raises(OSError, match="SEMMSL"):
        unipc.SysvSemaphores.create_private([0] * 65536)
    with pytest.raises(FileExistsError):
        unipc.SysvSemaphores.create(key)
    with pytest.raises(unipc.WrongSize):
        unipc.SysvSemaphores.open(key, count=4)
    with pytest.raises(OverflowError):
        semaphores.set_value(0, -1)
    assert unipc.SysvSemaphores.open_or_create(key, [7]).values() == [1, 0, 5]
    remover = threading.Timer(0.05, semaphores.remove)
    remover.start()
    with pytest.raises(OSError, match="was removed") as refused:
        semaphores.wait(1)
    assert refused.value.errno == errno.EIDRM
    remover.join()
    with pytest.raises(FileNotFoundError):
        unipc.SysvSemaphores.open(key)
    with pytest.raises(FileNotFoundError):
        unipc.SysvSemaphores.remove_key(key)
    with pytest.raises(OSError, match="was removed"):
        unipc.SysvSemaphores.open_id(semaphores.id)


def test_a_creator_that_has_not_finished_is_waited_for(key: int) -> None:
    # As a creator leaves it that has set the values, and not yet the permissions.
    foreign = sysv_ipc.Semaphore(key, sysv_ipc.IPC_CREX, mode=0o610, initial_value=1)
    try:
        begin = time.monotonic()
        with pytest.raises(OSError, match="has not finished") as busy:
            unipc.SysvSemaphores.open_or_create(key, wait_for_creator=0.05)
        assert busy.value.errno == errno.EBUSY and time.monotonic() - begin >= 0.05
        finish = threading.Timer(0.05, setattr, (foreign, "mode", 0o600))
        finish.start()
        with unipc.SysvSemaphores.open_or_create(key, wait_for_creator=None) as found:
            assert found.values() == [1]
        finish.join()
    finally:
        foreign.remove()


def test_a_dead_holder_gives_back(semaphores: unipc.SysvSemaphores) -> None:
    child = os.fork()
    if child == 0:
        semaphores.operate([Op(0, -1, undo=True), Op(2, -3, undo=True), Op(2, -1)])
        semaphores.post(1)
        time.sleep(HANG)
        os._exit(1)
    semaphores.wait(1, timeout=HANG)
    assert semaphores.values() == [0, 0, 1]
    os.kill(child, signal.SIGKILL)
    semaphores.wait(0, undo=True, timeout=HANG)
    os.waitpid(child, 0)
    assert semaphores.values() == [0, 0, 4]
    semaphores.post(0, undo=True)


def test_a_handle_is_closed_and_travels(semaphores: unipc.SysvSemaphores) -> None:
    twin = pickle.loads(pickle.dumps(semaphores))
    assert repr(twin) == f"<unipc.SysvSemaphores id={semaphores.id} count=3>"
    closer = threading.Timer(0.05, twin.close)
    closer.start()
    with pytest.raises(ValueError, match="closed"):
        twin.wait(1)
    closer.join()
    twin.close()
    assert twin.closed
    try:
        for method in ("fork", "spawn"):
            child = multiprocessing.get_context(method).Process(target=targets.give_two, args=(semaphores,))
            child.start()
            semaphores.operate([Op(1, -2)], timeout=HANG)
            child.join()
            assert child.exitcode == 0
    finally:
        stop_helpers()


def test_waiters_are_counted(semaphores: unipc.SysvSemaphores) -> None:
    threads = [threading.Thread(target=semaphores.wait, args=(1,)), threading.Thread(target=semaphores.wait_zero, args=(2,))]
    for thread in threads:
        thread.start()
    end = time.monotonic() + HANG
    # Who waits in Python leaves the queue for a moment now and then.
    while (semaphores.waiters(1), semaphores.waiters_for_zero(2)) != (1, 1):
        assert time.monotonic() < end
    semaphores.operate([Op(1, 1), Op(2, -5)])
    for thread in threads:
        thread.join()


def test_named_semaphores_are_described(name: str) -> None:
    with unipc.PosixSemaphore.create(name, 3, mode=0o640, temporary=True):
        status = unipc.PosixSemaphore.status("/" + name)
        assert (status.name, status.value, status.mode, status.uid, status.gid) == (name, 3, 0o640, os.getuid(), os.getgid())
        assert [found.value for found in unipc.PosixSemaphore.list() if found.name == name] == [3]
        assert repr(status) == f'PosixSemaphoreStatus("{name}", value=3, mode=0o640, uid={os.getuid()})'
    with pytest.raises(FileNotFoundError):
        unipc.PosixSemaphore.status(name)


def test_a_word_is_slept_on() -> None:
    with unipc.Memory.anonymous(64) as memory:
        word, other, wide = memory.atomic_u32(0), memory.atomic_i32(4), memory.atomic_u64(8)
        with pytest.raises(BlockingIOError):
            word.futex_wait(0, timeout=0)
        with pytest.raises(TimeoutError):
            other.futex_wait(0, timeout=0.02)
        word.futex_wait(1)
        other.futex_wait(-1)
        assert word.futex_wake() == 0
        assert word.futex_requeue(0, 1, other, 5) == 0
        with pytest.raises(BlockingIOError):
            word.futex_requeue(1, 1, other, 5)
        for call in (lambda: wide.futex_wait(0), wide.futex_wake, lambda: word.futex_requeue(0, 1, wide, 1)):
            with pytest.raises(ValueError, match="64 bits"):
                call()
        child = os.fork()
        if child == 0:
            while word.load() == 0:
                word.futex_wait(0, timeout=HANG)
            other.store(-7)
            other.futex_wake()
            os._exit(0)
        word.store(1)
        word.futex_wake()
        while other.load() == 0:
            other.futex_wait(0, timeout=HANG)
        assert other.load() == -7
        assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("order", ["relaxed", "acquire", "release", "acquire_release", "sequential"])
def test_bits_are_changed_in_every_order(order: unipc._unipc._Order) -> None:
    with unipc.Memory.anonymous(64) as memory:
        for atomic, limit in ((memory.atomic_u32(0), 1 << 32), (memory.atomic_u64(8), 1 << 64)):
            atomic.store(limit - 4)
            assert atomic.fetch_and(6, order) == limit - 4
            assert atomic.fetch_or(9, order) == 4
            assert atomic.fetch_xor(limit - 1, order) == 13
            assert atomic.load() == limit - 14
        for signed in (memory.atomic_i32(16), memory.atomic_i64(24)):
            assert [signed.fetch_or(-4, order), signed.fetch_and(6, order), signed.fetch_xor(-1, order), signed.load()] == [0, -4, 4, -5]
