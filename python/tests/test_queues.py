"""POSIX and System V message queues, also with other modules on the other end."""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import posix_ipc
import pytest
import sysv_ipc
import targets
from conftest import stop_helpers

import unipc
import unipc.aio

HANG = 20.0


@pytest.fixture
def key() -> int:
    # Of this process, and not the next test's.
    return 0x56000000 + os.getpid() % 0x10000 * 0x100 + time.monotonic_ns() % 0x100


@pytest.fixture
def queue(name: str) -> Iterator[unipc.Mq]:
    with unipc.Mq.create(name, capacity=3, largest=16, temporary=True) as queue:
        yield queue


@pytest.fixture
def typed(key: int) -> Iterator[unipc.SysvQueue]:
    with unipc.SysvQueue.create(key, temporary=True) as queue:
        yield queue


def test_priorities_and_what_is_known(queue: unipc.Mq, name: str) -> None:
    assert (queue.name, queue.capacity, queue.largest, queue.access, queue.queued()) == (name, 3, 16, "both", 0)
    with unipc.Mq.open("/" + name, access="send") as sender:
        sender.send(b"low", 1)
        sender.send(bytearray(b"high"), 10)
        sender.send(b"", priority=1)
        with pytest.raises(BlockingIOError):
            sender.send(b"full", timeout=0)
        with pytest.raises(TimeoutError):
            sender.send(b"full", timeout=0.01)
        with pytest.raises(OSError, match="sending alone") as refused:
            sender.receive()
        assert refused.value.errno == errno.EBADF
    assert queue.queued() == 3
    message = queue.receive_message()
    assert (message.data, message.priority, message.type, message.sender) == (b"high", 10, 0, None)
    assert repr(message) == "Message(b'high', priority=10)"
    buffer = bytearray(16)
    assert queue.receive_into(buffer) == 3
    assert buffer[:3] == b"low"
    assert queue.receive() == b""
    with pytest.raises(BlockingIOError):
        queue.receive(timeout=0)


def test_limits_are_told(queue: unipc.Mq, name: str) -> None:
    with pytest.raises(OSError, match="17 bytes, the queue's limit is 16") as refused:
        queue.send(bytes(17))
    assert refused.value.errno == errno.EMSGSIZE
    with pytest.raises(OSError, match="15 bytes, and the queue needs 16"):
        queue.receive_into(bytearray(15))
    with pytest.raises(OSError, match="32767"):
        queue.send(b"", 32768)
    with pytest.raises(FileExistsError):
        unipc.Mq.create(name)
    with pytest.raises(unipc.WrongSize):
        unipc.Mq.open(name, largest=17)
    with pytest.raises(FileNotFoundError):
        unipc.Mq.open(name + "-not")
    with pytest.raises(ValueError, match="access"):
        unipc.Mq.open(name, access="all")  # type: ignore[arg-type]
    with pytest.raises(OSError, match="msg_max is"):
        unipc.Mq.create(name + "-large", capacity=1 << 40)
    with unipc.Mq.create(name + "-large", capacity=2, largest=8192, temporary=True) as large:
        large.send(bytes(8192))
        assert large.receive() == bytes(8192)


def test_a_handle_is_closed_and_released(queue: unipc.Mq, name: str) -> None:
    twin = unipc.Mq.from_fd(unipc.Mq.open(name).into_fd())
    assert twin.name is None
    assert "fd=" in repr(twin)
    twin.send(b"x")
    assert queue.receive() == b"x"
    waiter = threading.Timer(0.05, twin.close)
    waiter.start()
    with pytest.raises(ValueError, match="closed"):
        twin.receive()
    waiter.join()
    twin.close()
    assert twin.closed
    with pytest.raises(unipc.WrongKind):
        unipc.Mq.from_fd(0)


def test_its_descriptor_and_a_signal_tell(queue: unipc.Mq) -> None:
    told: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: told.append(number))
    try:
        queue.notify_signal(signal.SIGUSR1, 5)
        with pytest.raises(OSError, match="already"):
            queue.notify_signal(signal.SIGUSR1)
        assert select.select([queue], [queue], [], 0) == ([], [queue], [])
        queue.send(b"x")
        assert select.select([queue], [queue], [], 0) == ([queue], [queue], [])
        assert told == [signal.SIGUSR1]
        queue.receive()
        queue.notify_signal(signal.SIGUSR1)
        queue.cancel_notify()
        queue.send(b"x")
        assert told == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_queues_travel_to_children(queue: unipc.Mq, typed: unipc.SysvQueue) -> None:
    try:
        for method in ("fork", "spawn"):
            child = multiprocessing.get_context(method).Process(target=targets.echo_to_typed, args=(queue, typed))
            child.start()
            queue.send(b"message", timeout=HANG)
            assert typed.receive(2, timeout=HANG) == b"message of a child"
            child.join()
            assert child.exitcode == 0
    finally:
        stop_helpers()


def test_posix_ipc_is_understood(queue: unipc.Mq, name: str) -> None:
    theirs = posix_ipc.MessageQueue("/" + name)
    assert (theirs.max_messages, theirs.max_message_size) == (3, 16)
    theirs.send(b"theirs", priority=4)
    message = queue.receive_message(timeout=HANG)
    assert (message.data, message.priority) == (b"theirs", 4)
    queue.send(b"ours", 9, timeout=HANG)
    assert theirs.receive(HANG) == (b"ours", 9)
    theirs.close()
    made = posix_ipc.MessageQueue("/" + name + "-made", posix_ipc.O_CREX, max_messages=2, max_message_size=5)
    try:
        with unipc.Mq.open(name + "-made") as opened:
            assert (opened.capacity, opened.largest) == (2, 5)
            made.send(b"12345")
            assert opened.receive(timeout=HANG) == b"12345"
    finally:
        made.close()
        unipc.Mq.unlink(name + "-made")


def test_tasks_send_and_receive(queue: unipc.Mq, name: str) -> None:
    async def work() -> list[bytes]:
        got: list[bytes] = []

        async def receive() -> None:
            async with unipc.aio.Mq(unipc.Mq.open(name)) as receiver:
                got.extend([await receiver.receive() for _ in range(50)])
                assert (await receiver.receive_message()).priority == 3

        async with unipc.aio.Mq(unipc.Mq.open(name)) as sender, asyncio.timeout(HANG), asyncio.TaskGroup() as group:
            group.create_task(receive())
            for number in range(50):
                await sender.send(str(number).encode())
            while queue.queued():
                await asyncio.sleep(0.001)
            await sender.send(b"last", 3)
        return got

    assert asyncio.run(work()) == [str(number).encode() for number in range(50)]


def test_a_receiver_chooses_by_type(typed: unipc.SysvQueue, key: int) -> None:
    assert typed.key == key
    with unipc.SysvQueue.open(key) as sender:
        for data, kind in ((b"c", 3), (b"a", 1), (b"b", 2), (b"", 4)):
            sender.send(data, kind)
    assert typed.next_size(4) == 0
    assert typed.next_size(5) is None
    assert typed.receive(2) == b"b"
    message = typed.receive_message(3, all_but=True)
    assert (message.data, message.type, message.priority) == (b"a", 1, 0)
    assert typed.receive_message(-(2**62)).type == 3
    status = typed.status()
    assert (status.messages, status.bytes, status.last_sender_pid) == (1, 0, os.getpid())
    assert (status.id, status.uid) == (typed.id, os.geteuid())
    assert typed.receive() == b""
    for arguments in ({"type": 0}, {"type": 7}, {"type": -7}):
        with pytest.raises(BlockingIOError):
            typed.receive(**arguments, timeout=0)
    with pytest.raises(TimeoutError):
        typed.receive(timeout=0.02)
    with pytest.raises(ValueError, match="all_but"):
        typed.receive(all_but=True)
    with pytest.raises(OSError, match="type"):
        typed.send(b"x", 0)


def test_limits_and_removal_are_told(typed: unipc.SysvQueue, key: int) -> None:
    with pytest.raises(OSError, match=r"kernel/msgmax|the queue holds") as refused:
        typed.send(bytes(1 << 20))
    assert refused.value.errno == errno.EMSGSIZE
    typed.send(bytes(8000), 5)
    with pytest.raises(OSError, match="7999 bytes") as refused:
        typed.receive_into(bytearray(7999))
    assert refused.value.errno == errno.E2BIG
    assert typed.receive() == bytes(8000)
    typed.send(b"hello", 5)
    buffer = bytearray(4)
    assert typed.receive_into(buffer, 5, cut=True) == 4
    assert buffer == b"hell"
    typed.set_limit(10)
    typed.set_mode(0o640)
    typed.set_owner(gid=os.getegid())
    assert (typed.status().limit, typed.status().mode) == (10, 0o640)
    with pytest.raises(FileExistsError):
        unipc.SysvQueue.create(key)
    waiter = threading.Timer(0.05, typed.remove)
    waiter.start()
    with pytest.raises(OSError, match="was removed") as refused:
        typed.receive()
    assert refused.value.errno == errno.EIDRM
    waiter.join()
    with pytest.raises(FileNotFoundError):
        unipc.SysvQueue.open(key)
    with pytest.raises(OSError, match="was removed"):
        unipc.SysvQueue.open_id(typed.id)


def test_sysv_ipc_is_understood(typed: unipc.SysvQueue, key: int, tmp_path: Path) -> None:
    assert unipc.sysv_key(tmp_path, 65) == sysv_ipc.ftok(str(tmp_path), 65, silence_warning=True)
    with pytest.raises(FileNotFoundError):
        unipc.sysv_key(tmp_path / "not", 65)
    theirs = sysv_ipc.MessageQueue(key)
    assert theirs.id == typed.id
    theirs.send(b"theirs", type=4)
    message = typed.receive_message(4, timeout=HANG)
    assert (message.data, message.type) == (b"theirs", 4)
    typed.send(b"ours", 9, timeout=HANG)
    assert theirs.receive(type=9) == (b"ours", 9)
    made = sysv_ipc.MessageQueue(key ^ 0x01000000, sysv_ipc.IPC_CREX)
    try:
        with unipc.SysvQueue.open(key ^ 0x01000000) as opened:
            made.send(b"made")
            assert opened.receive(timeout=HANG) == b"made"
    finally:
        unipc.SysvQueue.remove_key(key ^ 0x01000000)
