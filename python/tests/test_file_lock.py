"""Locks on files: between objects, processes, and with Python's own fcntl."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, get_args

import pytest

import unipc

HANG = 20.0
Kind = Literal["ofd", "flock", "record"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opened(stack: ExitStack, path: Path, kind: Kind) -> unipc.FileLock:
    lock = unipc.FileLock(path, kind=kind)
    stack.callback(lock.close)
    return lock


# What another process of plain Python gets.
PLAIN = """
import fcntl, sys
path, kind, shared, start, length = sys.argv[1], sys.argv[2], sys.argv[3] == "True", int(sys.argv[4]), int(sys.argv[5])
with open(path, "r+b") as file:
    how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    try:
        if kind == "flock":
            fcntl.flock(file, how)
        else:
            fcntl.lockf(file, how, length, start)
    except BlockingIOError:
        sys.exit(7)
"""


def plain_gets(path: Path, kind: Kind, *, shared: bool = False, start: int = 0, length: int = 0) -> bool:
    arguments = [str(path), kind, str(shared), str(start), str(length)]
    status = subprocess.run([sys.executable, "-c", PLAIN, *arguments]).returncode
    assert status in (0, 7)
    return status == 0


@pytest.mark.parametrize("kind", KINDS)
def test_with_holds_it_and_gives_it_back(stack: ExitStack, path: Path, kind: Kind) -> None:
    lock = opened(stack, path, kind)
    assert (lock.kind, lock.path, lock.closed) == (kind, str(path), False)
    assert path.stat().st_mode & 0o777 == 0o600
    with lock as same:
        assert same is lock
        assert not plain_gets(path, kind) and not plain_gets(path, kind, shared=True)
        os.pwrite(lock.fileno(), b"written", 0)
    assert plain_gets(path, kind)
    assert path.read_bytes() == b"written"
    with lock.held(shared=True, timeout=0) as same:
        assert same is lock
        assert plain_gets(path, kind, shared=True) and not plain_gets(path, kind)
        lock.upgrade(timeout=HANG)
        assert not plain_gets(path, kind, shared=True)
        lock.downgrade()
        assert plain_gets(path, kind, shared=True)
    assert plain_gets(path, kind)
    with pytest.raises(RuntimeError), lock:
        raise RuntimeError
    assert plain_gets(path, kind)


@pytest.mark.parametrize("kind", ["ofd", "flock"])
def test_objects_keep_each_other_out(stack: ExitStack, path: Path, kind: Kind) -> None:
    first, second = opened(stack, path, kind), opened(stack, path, kind)
    with first:
        assert not second.try_lock()
        with pytest.raises(BlockingIOError):
            second.lock(timeout=0)
        with pytest.raises(TimeoutError) as late:
            second.lock(shared=True, timeout=0.03)
        assert late.value.filename == str(path)
        found = second.find_holder()
        assert found is not None and (found.shared, found.start, found.length) == (False, 0, 0)
        assert found.pid == (os.getpid() if kind == "flock" else None)
        threading.Timer(0.05, first.unlock).start()
        second.lock(timeout=HANG)
        second.unlock()
    assert second.try_lock(shared=True) and first.try_lock(shared=True)
    with pytest.raises(TimeoutError):
        first.upgrade(timeout=0.02)
    assert not opened(stack, path, kind).try_lock()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_held_is_not_locked(stack: ExitStack, path: Path, kind: Kind) -> None:
    lock = opened(stack, path, kind)
    for call in (lock.upgrade, lock.downgrade):
        with pytest.raises(PermissionError):
            call()
    lock.unlock()
    assert plain_gets(path, kind)


@pytest.mark.parametrize("kind", ["ofd", "record"])
def test_ranges(stack: ExitStack, path: Path, kind: Kind) -> None:
    lock = opened(stack, path, kind)
    lock.lock(start=10, length=5)
    for start, length, free in [(0, 10, True), (14, 1, False), (15, 0, True), (0, 0, False)]:
        assert plain_gets(path, "record", start=start, length=length) == free
    lock.unlock(start=12, length=1)
    assert plain_gets(path, "record", start=12, length=1)
    with pytest.raises(OSError) as beyond:
        lock.lock(start=2**63, length=1)
    assert beyond.value.errno == errno.EINVAL
    with pytest.raises(OSError) as ranged:
        opened(stack, path, "flock").lock(start=1)
    assert ranged.value.errno == errno.EINVAL


def test_plain_fcntl_keeps_ours_out_and_is_told(stack: ExitStack, path: Path) -> None:
    lock = opened(stack, path, "ofd")
    program = "import fcntl, sys\nf = open(sys.argv[1], 'r+b')\nfcntl.lockf(f, fcntl.LOCK_EX, 3, 7)\nprint(flush=True)\nsys.stdin.read()"
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdin is not None
        other.stdout.readline()
        assert not lock.try_lock(shared=True)
        found = lock.find_holder(shared=True)
        assert found is not None and (found.pid, found.shared, found.start, found.length) == (other.pid, False, 7, 3)
        assert repr(found) == f"<unipc.FileLockHolder pid={other.pid} shared=False start=7 length=3>"
        assert lock.try_lock(start=10)
        lock.unlock()
        other.kill()
    lock.lock(timeout=HANG)
    assert lock.find_holder() is None


def test_the_close_of_any_descriptor_loses_a_record_lock(stack: ExitStack, path: Path) -> None:
    for kind in KINDS:
        lock = opened(stack, path, kind)
        lock.lock()
        path.read_bytes()
        assert plain_gets(path, kind) == (kind == "record")
        lock.close()


def test_threads_have_an_object_each(stack: ExitStack, path: Path) -> None:
    count = 0

    def add() -> None:
        nonlocal count
        lock = unipc.FileLock(path)
        for _ in range(50):
            with lock:
                count, before = -1, count
                assert before >= 0
                count = before + 1
        lock.close()

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count == 150


def test_close_wakes_a_waiter_and_loses_the_lock(stack: ExitStack, path: Path) -> None:
    holder, waiter = opened(stack, path, "ofd"), opened(stack, path, "ofd")
    holder.lock()
    threading.Timer(0.05, waiter.close).start()
    with pytest.raises(ValueError, match="closed"):
        waiter.lock()
    assert waiter.closed and repr(waiter) == f'<unipc.FileLock "{path}" ofd closed>'
    for call in (waiter.lock, waiter.unlock, waiter.fileno, waiter.find_holder, waiter.upgrade, waiter.into_fd):
        with pytest.raises(ValueError, match="closed"):
            call()
    with holder:
        holder.close()
    assert opened(stack, path, "ofd").try_lock()


def test_descriptors_come_and_go(stack: ExitStack, path: Path) -> None:
    lock = opened(stack, path, "flock")
    lock.lock()
    fd = lock.into_fd()
    assert lock.closed and not os.get_inheritable(fd)
    assert not plain_gets(path, "flock")
    again = unipc.FileLock.from_fd(fd, kind="flock")
    assert again.path is None and again.fileno() == fd
    fcntl.flock(fd, fcntl.LOCK_UN)
    assert plain_gets(path, "flock")
    again.close()
    with pytest.raises(OSError) as bad:
        unipc.FileLock.from_fd(-1)
    assert bad.value.errno == errno.EBADF


def test_what_is_refused(stack: ExitStack, path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        unipc.FileLock(path, create=False)
    with pytest.raises(ValueError, match="kind"):
        unipc.FileLock(path, kind="posix")  # type: ignore[arg-type]
    with pytest.raises(unipc.WrongKind):
        unipc.FileLock("/dev/null", any_owner=True)
    assert not path.exists()
    stack.callback(unipc.FileLock(path, mode=0o644).close)
    read_only = unipc.FileLock(path, create=False, read_only=True)
    stack.callback(read_only.close)
    assert read_only.try_lock(shared=True)
    with pytest.raises(OSError) as wrong:
        read_only.lock()
    assert wrong.value.errno == errno.EBADF
