"""Files, memfds and System V memory, beside the mmap module and the packages posix_ipc and sysv_ipc."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import multiprocessing
import os
import pickle
import socket
from collections.abc import Iterator
from pathlib import Path

import posix_ipc
import pytest
import sysv_ipc
import targets
from conftest import stop_helpers

import unipc

HANG = 20.0


@pytest.fixture
def key() -> Iterator[int]:
    number = 0x57000000 | (os.getpid() & 0xFFFFFF)
    yield number
    with pytest.raises(FileNotFoundError):
        unipc.Memory.remove_key_sysv(number)


def test_a_file_is_shared_with_the_mmap_module(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with unipc.Memory.create_file(path, 9000, mode=0o640) as memory:
        assert (path.stat().st_mode & 0o777, path.stat().st_size, memory.checked, memory.name) == (0o640, 9000, True, None)
        memory.write(8192, b"from unipc")
        memory.flush(8192, 10)
        with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as theirs:
            assert theirs[8192:8202] == b"from unipc"
            theirs[0:9] = b"from mmap"
        assert memory.read(0, 9) == b"from mmap"
        memory.resize(20_000)
        assert path.stat().st_size == 20_000
        with pytest.raises(FileExistsError):
            unipc.Memory.create_file(path, 1)
        with unipc.Memory.open_or_create_file(str(path), 1) as other:
            assert (other.was_created, other.size) == (False, 20_000)
    with unipc.Memory.open_file(path, offset=8192, length=10, copy_on_write=True) as copy:
        assert (copy.size, copy.offset, copy.copy_on_write) == (10, 8192, True)
        copy.write(0, b"PRIVATE")
        assert copy.read(0, 10) == b"PRIVATEipc"
        with pytest.raises(OSError, match="private") as nowhere:
            copy.flush()
        assert nowhere.value.errno == errno.EOPNOTSUPP
        with pytest.raises(TypeError, match="private copy"):
            pickle.dumps(copy)
    assert path.read_bytes()[8192:8202] == b"from unipc"
    with pytest.raises(OSError, match="page size") as between:
        unipc.Memory.open_file(path, offset=1)
    assert between.value.errno == errno.EINVAL


def test_a_file_that_is_shortened_is_an_exception(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with unipc.Memory.create_file(path, 9000) as memory:
        os.truncate(path, 10)
        with pytest.raises(unipc.WrongSize, match="10 bytes now"):
            memory.read(5000, 1)
        with pytest.raises(unipc.WrongSize):
            memory.write(10, b"x")
        memory.refresh()
        assert memory.size == 10


def test_flush_and_advice() -> None:
    with unipc.Memory.memfd("advice", 10_000, prefault=True) as memory:
        for wait in (True, False):
            memory.flush(1, 9_999, wait=wait, invalidate=True)
        for advice in ("normal", "random", "sequential", "will need", "don't need"):
            memory.advise(advice, 4096, 100)
        with pytest.raises(ValueError, match="advice"):
            memory.advise("whatever")  # type: ignore[arg-type]
        with pytest.raises(OSError, match="do not lie within"):
            memory.flush(0, 10_001)
        memory.pin()
        memory.unpin()
        memory.prefault()
        assert memory.page_size == mmap.PAGESIZE
    with unipc.Memory.anonymous(100, prefault=True, huge_pages="try") as memory:
        assert memory.page_size >= mmap.PAGESIZE
    with pytest.raises(ValueError, match="huge_pages"):
        unipc.Memory.anonymous(1, huge_pages="perhaps")  # type: ignore[arg-type]


def test_a_sealed_memfd_travels_over_a_socket() -> None:
    required = unipc.Memory.SEAL_SHRINK | unipc.Memory.SEAL_WRITE
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs, unipc.Memory.memfd("bulk", 5000) as memory:
        memory.write(0, b"the bulk")
        socket.send_fds(theirs, [b"!"], [memory.fileno()])
        _, (fd,), _, _ = socket.recv_fds(ours, 1, 1)
        with pytest.raises(PermissionError, match="lacks the seals that were required: shrink, write"):
            unipc.Memory.from_fd(fd, read_only=True, require_seals=required)
        os.close(fd)
        memory.seal(required)
        assert memory.read_only
        assert memory.seals() & ~unipc.Memory.SEAL_EXEC == required
        assert fcntl.fcntl(memory.fileno(), fcntl.F_GET_SEALS) & required == required
        with pytest.raises(PermissionError):
            memory.write(0, b"x")
        fd = memory.read_only_fd()
        with pytest.raises(PermissionError):
            unipc.Memory.from_fd(fd)
        socket.send_fds(theirs, [b"!"], [fd])
        os.close(fd)
        _, (fd,), _, _ = socket.recv_fds(ours, 1, 1)
        with unipc.Memory.from_fd(fd, read_only=True, require_seals=required) as received:
            assert received.read(0, 8) == b"the bulk"


def test_a_memfd_has_its_group() -> None:
    # Root may choose, others have theirs.
    group = 12345 if os.geteuid() == 0 else os.getgid()
    with unipc.Memory.memfd("grouped", 100, mode=0o640, group=str(group)) as memory:
        status = os.fstat(memory.fileno())
        assert (status.st_mode & 0o777, status.st_gid) == (0o640, group)
    with unipc.Memory.create_private_sysv(100, mode=0o640, group=str(group), temporary=True) as memory:
        assert memory.status_sysv().gid == group
    with pytest.raises(OSError, match="group"):
        unipc.Memory.memfd("grouped", 100, group="there is no such")


def test_a_view_keeps_a_memfd_from_being_sealed() -> None:
    with unipc.Memory.memfd("view", 100) as memory:
        view = memoryview(memory)
        with pytest.raises(OSError, match="view") as busy:
            memory.seal(unipc.Memory.SEAL_WRITE)
        assert busy.value.errno == errno.EBUSY
        view[0] = 1
        del view


def test_system_v_memory_is_shared_with_sysv_ipc(key: int) -> None:
    with unipc.Memory.create_sysv(key, 1000, mode=0o640, temporary=True) as memory:
        memory.write(0, b"from unipc")
        theirs = sysv_ipc.SharedMemory(key)
        assert theirs.read(10) == b"from unipc"
        theirs.write(b"from sysv_ipc", 500)
        assert memory.read(500, 13) == b"from sysv_ipc"
        status = memory.status_sysv()
        assert (status.key, status.size, status.attached, status.mode, status.is_removed) == (key, 1000, 2, 0o640, False)
        assert (status.creator_pid, status.uid, status.id) == (os.getpid(), os.geteuid(), theirs.id)
        assert str(status.id) in repr(status)
        memory.set_mode_sysv(0o600)
        memory.set_owner_sysv(gid=os.getegid())
        assert (memory.status_sysv().mode, memory.status_sysv().gid) == (0o600, os.getegid())
        theirs.detach()
        with unipc.Memory.open_sysv(key, size=1000, read_only=True) as reader, pytest.raises(PermissionError):
            reader.write(0, b"x")
        with pytest.raises(unipc.WrongSize):
            unipc.Memory.open_sysv(key, size=1001)
        with pytest.raises(FileExistsError):
            unipc.Memory.create_sysv(key, 1)
    theirs = sysv_ipc.SharedMemory(key, sysv_ipc.IPC_CREX, size=100, mode=0o600)
    theirs.write(b"first")
    with unipc.Memory.open_or_create_sysv(key, 100) as memory:
        assert (memory.was_created, memory.read(0, 5)) == (False, b"first")
        memory.remove_sysv()
        with pytest.raises(OSError, match="no descriptor"):
            memory.fileno()
    theirs.detach()
    with pytest.raises(OSError, match="key 0"):
        unipc.Memory.open_sysv(0)


def test_posix_ipc_and_ctypes_see_the_same_memory(name: str) -> None:
    with unipc.Memory.create(name, 4096, temporary=True) as memory:
        theirs = posix_ipc.SharedMemory(f"/{name}")
        with mmap.mmap(theirs.fd, 0) as mapped:
            theirs.close_fd()
            mapped[0:5] = b"posix"
            assert memory.read(0, 5) == b"posix"
    with unipc.Memory.create_private_sysv(64, temporary=True) as segment:
        assert segment.status_sysv().is_removed
        word = ctypes.c_uint64.from_buffer(segment)
        word.value = 7
        assert segment.atomic_u64(0).load() == 7
        del word


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_every_kind_travels_to_another_process(tmp_path: Path, method: str) -> None:
    context = multiprocessing.get_context(method)
    path = tmp_path / "file"
    path.write_bytes(bytes(9000))
    with (
        unipc.Memory.open_file(path, offset=4096, length=100) as part,
        unipc.Memory.memfd("travels", 5000) as memfd,
        unipc.Memory.create_private_sysv(5000, temporary=True) as segment,
    ):
        for memory in (part, memfd, segment):
            child = context.Process(target=targets.greet, args=(memory,))
            child.start()
            child.join(HANG)
            assert child.exitcode == 0
            child.close()
            assert memory.read(0, 5) == b"hello"
    assert path.read_bytes()[4096:4101] == b"hello"
    stop_helpers()
