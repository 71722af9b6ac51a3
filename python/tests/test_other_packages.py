"""The packages posix_ipc and sysv_ipc in another process, which knows nothing of unipc: whoever makes an object, the other side uses it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import posix_ipc
import pytest

import unipc

HANG = 20.0


class Other:
    """A program of the other package; it is told its arguments, and ends with its standard input."""

    def __init__(self, program: str, *arguments: object) -> None:
        imports = "import mmap, os, sys, time, posix_ipc, sysv_ipc\n"
        command = [sys.executable, "-c", imports + program, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        self.process.communicate(timeout=HANG)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def key() -> Iterator[int]:
    key = 0x58000000 + os.getpid() % 0x10000 * 0x100 + time.monotonic_ns() % 0x100
    yield key
    for remove in (unipc.SysvSemaphores.remove_key, unipc.SysvQueue.remove_key, unipc.Memory.remove_key_sysv):
        with pytest.raises(FileNotFoundError):
            remove(key)


def test_system_v_semaphore_of_ours(key: int) -> None:
    with unipc.SysvSemaphores.create(key, [0, 3], mode=0o640, temporary=True) as ours:
        other = Other(
            """
theirs = sysv_ipc.Semaphore(int(sys.argv[1]))
assert theirs.mode == 0o640 and theirs.o_time != 0
theirs.undo = True
theirs.release(5)
print(theirs.id, flush=True)
sys.stdin.read()
""",
            key,
        )
        assert other.hear() == str(ours.id)
        assert ours.last_process() == other.process.pid
        ours.operate([unipc.SysvOperation(0, -1)], timeout=HANG)
        assert ours.values() == [4, 3]
        other.kill()
        # What it gave is taken back as far as it is there.
        assert ours.values() == [0, 3]
        waiter = Other("sysv_ipc.Semaphore(int(sys.argv[1])).acquire(delta=2)", key)
        end = time.monotonic() + HANG
        while ours.waiters() == 0:
            assert time.monotonic() < end
        ours.operate([unipc.SysvOperation(0, 2)])
        waiter.end()


def test_system_v_semaphore_of_theirs(key: int) -> None:
    other = Other(
        """
theirs = sysv_ipc.Semaphore(int(sys.argv[1]), sysv_ipc.IPC_CREX, mode=0o600, initial_value=2)
print(theirs.id, flush=True)
theirs.Z()
theirs.release()
sys.stdin.read()
theirs.remove()
""",
        key,
    )
    id = int(other.hear())
    with unipc.SysvSemaphores.open(key) as ours:
        assert (ours.id, len(ours), ours.value()) == (id, 1, 2)
        ours.operate([unipc.SysvOperation(0, -2)], timeout=HANG)
        ours.wait(timeout=HANG)
        other.end()
        with pytest.raises(OSError, match="was removed"):
            ours.post()


def test_a_dead_sysv_ipc_gives_back(key: int) -> None:
    with unipc.SysvSemaphores.create(key, [1], temporary=True) as ours:
        other = Other(
            """
theirs = sysv_ipc.Semaphore(int(sys.argv[1]))
theirs.undo = True
theirs.acquire()
print("held", flush=True)
sys.stdin.read()
""",
            key,
        )
        assert other.hear() == "held"
        assert not ours.try_wait()
        os.kill(other.process.pid, signal.SIGKILL)
        ours.wait(timeout=HANG)
        other.kill()


@pytest.mark.parametrize("is_ours", [True, False])
def test_named_semaphore(name: str, is_ours: bool) -> None:
    here, there = name, name + "-answer"
    program = """
flags = 0 if sys.argv[1] == "True" else posix_ipc.O_CREX
here, there = (posix_ipc.Semaphore("/" + name, flags, mode=0o600) for name in sys.argv[2:])
print(here.value, flush=True)
here.acquire()
there.release()
sys.stdin.read()
"""
    if is_ours:
        unipc.PosixSemaphore.create(here).close()
        unipc.PosixSemaphore.create(there).close()
    other = Other(program, is_ours, here, there)
    assert other.hear() == "0"
    with unipc.PosixSemaphore.open(here) as first, unipc.PosixSemaphore.open(there) as second:
        first.post()
        second.wait(timeout=HANG)
        assert (unipc.PosixSemaphore.status(here).value, unipc.PosixSemaphore.status(here).mode) == (0, 0o600)
    other.end()
    posix_ipc.unlink_semaphore("/" + here)
    unipc.PosixSemaphore.unlink(there)


@pytest.mark.parametrize("is_ours", [True, False])
def test_posix_queue(name: str, is_ours: bool) -> None:
    here, there = name, name + "-answer"
    program = """
made = {} if sys.argv[1] == "True" else dict(flags=posix_ipc.O_CREX, max_messages=2, max_message_size=16)
here, there = (posix_ipc.MessageQueue("/" + name, **made) for name in sys.argv[2:])
print(here.max_messages, here.max_message_size, flush=True)
data, priority = here.receive(20)
there.send(data[::-1], priority=priority + 1)
sys.stdin.read()
"""
    if is_ours:
        unipc.Mq.create(here, capacity=2, largest=16).close()
        unipc.Mq.create(there, capacity=2, largest=16).close()
    other = Other(program, is_ours, here, there)
    assert other.hear() == "2 16"
    with unipc.Mq.open(here) as first, unipc.Mq.open(there) as second:
        first.send(b"ours", 6)
        message = second.receive_message(timeout=HANG)
        assert (message.data, message.priority) == (b"sruo", 7)
    other.end()
    posix_ipc.unlink_message_queue("/" + here)
    unipc.Mq.unlink(there)


@pytest.mark.parametrize("is_ours", [True, False])
def test_system_v_queue(key: int, is_ours: bool) -> None:
    program = """
theirs = sysv_ipc.MessageQueue(int(sys.argv[2]), 0 if sys.argv[1] == "True" else sysv_ipc.IPC_CREX, mode=0o600)
print(theirs.id, flush=True)
data, kind = theirs.receive(type=-5)
theirs.send(data[::-1], type=9)
sys.stdin.read()
"""
    if is_ours:
        unipc.SysvQueue.create(key).close()
    other = Other(program, is_ours, key)
    id = int(other.hear())
    with unipc.SysvQueue.open(key) as ours:
        assert ours.id == id
        ours.send(b"not this", 6)
        ours.send(b"this", 5)
        assert ours.receive(9, timeout=HANG) == b"siht"
        assert ours.receive() == b"not this"
        other.end()
        ours.remove()


@pytest.mark.parametrize("is_ours", [True, False])
def test_posix_memory(name: str, is_ours: bool) -> None:
    program = """
size = {} if sys.argv[1] == "True" else dict(flags=posix_ipc.O_CREX, size=4096)
theirs = posix_ipc.SharedMemory("/" + sys.argv[2], **size)
with mmap.mmap(theirs.fd, theirs.size) as mapped:
    theirs.close_fd()
    mapped[:6] = b"theirs"
    print(len(mapped), flush=True)
    assert sys.stdin.read(1) == "x"
    assert mapped[100:104] == b"ours"
"""
    if is_ours:
        unipc.Memory.create(name, 4096).close()
    other = Other(program, is_ours, name)
    assert other.hear() == "4096"
    with unipc.Memory.open(name) as ours:
        assert ours.read(0, 6) == b"theirs"
        ours.write(100, b"ours")
        other.process.communicate("x", timeout=HANG)
    assert other.process.returncode == 0
    posix_ipc.unlink_shared_memory("/" + name)


@pytest.mark.parametrize("is_ours", [True, False])
def test_system_v_memory(key: int, is_ours: bool) -> None:
    program = """
size = {} if sys.argv[1] == "True" else dict(flags=sysv_ipc.IPC_CREX, size=4096, mode=0o600)
theirs = sysv_ipc.SharedMemory(int(sys.argv[2]), **size)
theirs.write(b"theirs")
print(theirs.size, flush=True)
assert sys.stdin.read(1) == "x"
assert theirs.read(4, 100) == b"ours"
theirs.detach()
"""
    if is_ours:
        unipc.Memory.create_sysv(key, 4096).close()
    other = Other(program, is_ours, key)
    assert other.hear() == "4096"
    with unipc.Memory.open_sysv(key) as ours:
        assert ours.read(0, 6) == b"theirs"
        ours.write(100, b"ours")
        other.process.communicate("x", timeout=HANG)
    assert other.process.returncode == 0
    unipc.Memory.remove_key_sysv(key)
