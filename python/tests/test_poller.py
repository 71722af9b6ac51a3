"""Pollers and transfers."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from pathlib import Path

import posix_ipc
import pytest
import sysv_ipc

import unipc

HANG = 20.0
DATA = bytes(range(251)) * 4000


def test_tokens_levels_edges_and_once() -> None:
    with unipc.Poller() as poller, unipc.EventFd(1) as level, unipc.EventFd(1) as edge, unipc.EventFd(1) as once:
        poller.add(level)
        poller.add(edge, "edge", edge=True)
        source = poller.add(once.fileno(), ("any", "object"), one_shot=True)
        assert poller.source_count() == 3
        events = list(poller.wait(timeout=HANG))
        assert {event.token for event in events} == {level, "edge", ("any", "object")}
        assert all(event.readable and not (event.writable or event.priority or event.woken) for event in events)
        assert [event.token for event in poller.wait()] == [level]
        level.take()
        with pytest.raises(TimeoutError):
            poller.wait(timeout=0.01)
        with pytest.raises(BlockingIOError):
            poller.wait(timeout=0)
        poller.modify(source, readable=False, writable=True)
        (event,) = poller.wait()
        assert event.writable and event.source == source and "writable" in repr(event)
        with pytest.raises(FileExistsError):
            poller.add(edge)
        with pytest.raises(OSError, match="Bad file"):
            poller.add(1 << 29)
        with pytest.raises(TypeError):
            poller.add("text")  # type: ignore[arg-type]
        poller.remove(source)
        with pytest.raises(FileNotFoundError):
            poller.remove(source)
        with pytest.raises(FileNotFoundError):
            poller.modify(source)
        with pytest.raises(ValueError):
            poller.wait(maximum=0)
        with unipc.Poller() as outer:
            outer.add(poller)
            assert "fd=" in repr(poller) and "token=" in repr(event)
    assert poller.closed
    with pytest.raises(ValueError):
        poller.wait()


def test_a_removed_source_of_the_same_batch_is_not_given() -> None:
    with unipc.Poller() as poller:
        counters = [unipc.EventFd(1) for _ in range(10)]
        sources = {poller.add(counter): counter for counter in counters}
        events = poller.wait(maximum=10)
        assert len(events) == 10
        first = next(events)
        for source in sources:
            if source != first.source:
                poller.remove(source)
        assert list(events) == []
        for counter in counters:
            counter.close()


def test_ends_and_files(tmp_path: Path) -> None:
    reader, writer = unipc.pipe()
    with unipc.Poller() as poller, reader, open(tmp_path / "file", "w") as file:
        poller.add(reader, 1)
        writer.write_all(b"last words")
        writer.close()
        (event,) = poller.wait(timeout=HANG)
        assert event.readable and event.hang_up and not event.error
        reader.read(100)
        (event,) = poller.wait(timeout=HANG)
        assert event.hang_up and not event.readable
        near, far = socket.socketpair()
        poller.add(near, 2)
        far.shutdown(socket.SHUT_WR)
        assert any(event.token == 2 and event.peer_closed for event in poller.wait())
        poller.add(file, 3, writable=True)
        assert any(event.token == 3 and event.writable for _ in range(3) for event in poller.wait())
        near.close()
        far.close()


def test_what_has_no_descriptor_is_asked(name: str) -> None:
    foreign = sysv_ipc.MessageQueue(None, sysv_ipc.IPC_CREX)
    units = sysv_ipc.Semaphore(None, sysv_ipc.IPC_CREX)
    queue = unipc.SysvQueue.open_id(foreign.id)
    named = posix_ipc.Semaphore(f"/{name}", posix_ipc.O_CREX)
    try:
        with unipc.Poller() as poller, unipc.PosixSemaphore.open(name) as semaphore, unipc.Memory.anonymous(4096) as memory:
            in_memory = unipc.Semaphore.from_buffer(memory)
            poller.add(queue, 1, type=5)
            poller.add_sysv_semaphore(units.id, token=2)
            poller.add(semaphore, 3)
            poller.add(in_memory, 4)
            with pytest.raises(TimeoutError):
                poller.wait(timeout=0.05)
            foreign.send(b"other", type=4)
            with pytest.raises(BlockingIOError):
                poller.wait(timeout=0)
            later = threading.Timer(0.05, lambda: foreign.send(b"hello", type=5))
            later.start()
            assert [event.token for event in poller.wait()] == [1]
            later.join()
            assert queue.receive(type=5, timeout=0) == b"hello"
            units.release()
            assert [event.token for event in poller.wait(timeout=HANG)] == [2]
            units.acquire()
            named.release()
            assert [event.token for event in poller.wait(timeout=HANG)] == [3]
            semaphore.wait(timeout=0)
            in_memory.post()
            assert [event.token for event in poller.wait(timeout=HANG)] == [4]
            in_memory.wait(timeout=0)
            foreign.remove()
            (event,) = poller.wait(timeout=HANG)
            assert event.error and event.hang_up
            del in_memory
    finally:
        units.remove()
        queue.close()
        named.unlink()
        named.close()


def test_a_set_of_semaphores_is_watched_as_an_object() -> None:
    semaphores = unipc.SysvSemaphores.create_private([0, 2], temporary=True)
    with unipc.Poller() as poller:
        with pytest.raises(TypeError, match="add_sysv_semaphore"):
            poller.add(semaphores)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            poller.add_sysv_semaphore("1")  # type: ignore[arg-type]
        assert not poller.is_asking()
        source = poller.add_sysv_semaphore(semaphores, 1, units=3)
        assert poller.is_asking()
        with pytest.raises(BlockingIOError):
            poller.wait(timeout=0)
        semaphores.post(1)
        (event,) = poller.wait(timeout=HANG)
        assert event.token is semaphores and event.readable
        number = poller.add_sysv_semaphore(semaphores.id, 0, units=0)
        assert {event.token is semaphores or event.token for event in poller.wait(timeout=HANG)} == {True, semaphores.id}
        poller.remove(number)
        semaphores.close()
        (event,) = poller.wait(timeout=HANG)
        assert event.error
        poller.remove(source)
        assert not poller.is_asking()
    with pytest.raises(ValueError, match="closed"):
        poller.is_asking()


def test_wake_ups_closing_and_forks() -> None:
    poller = unipc.Poller()
    poller.wake()
    (event,) = poller.wait()
    assert event.woken and event.token is None
    waiter = threading.Thread(target=lambda: list(poller.wait()))
    waiter.start()
    time.sleep(0.01)
    poller.wake()
    waiter.join(HANG)
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            poller.wait()
        except ValueError as error:
            raised.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            poller.wait(timeout=0)
        except unipc.Forked:
            status = 0
        os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    time.sleep(0.01)
    poller.close()
    waiter.join(HANG)
    assert not waiter.is_alive() and len(raised) == 1


def test_a_signal_handler_may_use_the_poller_that_waits() -> None:
    """While another thread adds the first source that is asked, which has to get every sleeper out."""
    with unipc.Poller() as poller, unipc.EventFd() as counter, unipc.Memory.anonymous(4096) as memory:
        semaphore = unipc.Semaphore.from_buffer(memory)
        poller.add(counter)
        is_over = threading.Event()

        def handler(number: int, frame: object) -> None:
            del number, frame
            with unipc.EventFd() as other:
                poller.remove(poller.add(other))

        def adder() -> None:
            while not is_over.is_set():
                poller.remove(poller.add(semaphore))
                os.kill(os.getpid(), signal.SIGUSR1)

        before = signal.signal(signal.SIGUSR1, handler)
        thread = threading.Thread(target=adder)
        thread.start()
        try:
            with pytest.raises(TimeoutError):
                poller.wait(timeout=0.5)
        finally:
            is_over.set()
            thread.join(HANG)
            signal.signal(signal.SIGUSR1, before)
        assert not thread.is_alive()


def test_transfers_say_their_way(tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_bytes(DATA)
    near, far = socket.socketpair()
    got = bytearray()

    def reader() -> None:
        while data := far.recv(65536):
            got.extend(data)

    thread = threading.Thread(target=reader)
    thread.start()
    with near, far, open(path, "rb", buffering=0) as file:
        done = unipc.transfer(file, near)
        assert (done.bytes, done.way, done.at_end) == (len(DATA), "sendfile", True)
        assert "sendfile" in repr(done)
        near.shutdown(socket.SHUT_WR)
        thread.join(HANG)
        assert got == DATA
        with open(tmp_path / "copy", "wb", buffering=0) as copy:
            done = unipc.transfer(file, copy, length=100, source_offset=51, destination_offset=7)
            assert (done.bytes, done.way, done.at_end) == (100, "copy_file_range", False)
            assert unipc.transfer(file, copy, source_offset=0, way="read and write").way == "read and write"
        assert (tmp_path / "copy").read_bytes() == DATA
        with pytest.raises(ValueError):
            unipc.transfer(file, near, way="by hand")


def test_pipes_are_spliced_and_duplicated() -> None:
    reader, writer = unipc.pipe()
    other, into = unipc.pipe()
    with reader, other, into:
        with pytest.raises(TimeoutError):
            unipc.transfer(reader, into, timeout=0.01)
        with pytest.raises(BlockingIOError):
            unipc.tee(reader, into, 4, timeout=0)
        writer.write_all(b"zero copy")
        assert unipc.tee(reader, into, 4) == 4
        writer.close()
        done = unipc.transfer(reader, into, timeout=HANG)
        assert (done.bytes, done.way, done.at_end) == (9, "splice", True)
        assert other.read_exact(13) == b"zerozero copy"
        assert unipc.tee(reader, into, 4) == 0
    full, stuffed = unipc.pipe()
    with full, stuffed, open("/dev/zero", "rb", buffering=0) as zero:
        with pytest.raises(TimeoutError) as late:
            unipc.transfer(zero, stuffed, timeout=0.02)
        assert late.value.transferred == stuffed.capacity()  # type: ignore[attr-defined]
        full.close()
        with pytest.raises(BrokenPipeError):
            unipc.transfer(zero, stuffed)
