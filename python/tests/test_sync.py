"""The other locks in shared memory."""

from __future__ import annotations

import ctypes
import errno
import os
import threading

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
