"""What travels by its name, and arrives as it was."""

from __future__ import annotations

import os
import pickle
from multiprocessing import get_context
from pathlib import Path

import pytest
import targets
from conftest import stop_helpers

import unipc

HANG = 20.0


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_what_was_asked_for_at_opening_is_asked_for_again(method: str, name: str) -> None:
    with (
        unipc.Memory.create(name, 4096, temporary=True),
        unipc.Mq.create(name, temporary=True),
        unipc.PosixSemaphore.create(name, temporary=True),
        unipc.SysvQueue.create_private(temporary=True) as typed,
    ):
        if os.geteuid() == 0:
            os.chown(f"/dev/shm/{name}", 12345, 12345)
            os.chown(f"/dev/shm/sem.{name}", 12345, 12345)
        first, second = unipc.Stream.pair_unix()
        with (
            unipc.Memory.open(name, any_owner=True, checked=True) as memory,
            unipc.Mq.open(name, any_owner=True) as queue,
            unipc.PosixSemaphore.open(name, any_owner=True) as semaphore,
            unipc.SysvQueue.open_id(typed.id, any_owner=True) as again,
            second,
            unipc.Framed(first) as answers,
        ):
            child = get_context(method).Process(target=targets.look_at, args=(memory, queue, semaphore, again, second))
            child.start()
            assert answers.receive(timeout=HANG) == b"True True True True True"
            child.join(HANG)
            child.close()
    stop_helpers()


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_what_has_a_descriptor_travels_by_it(method: str, tmp_path: Path) -> None:
    other = unipc.Process.spawn(["sleep", "100"])
    with (
        unipc.EventFd(3, semaphore=True) as counter,
        unipc.EventFd() as answer,
        unipc.Timer("boottime") as timer,
        unipc.FileLock(tmp_path / "lock", kind="flock", any_owner=True) as lock,
        other,
    ):
        lock.lock()
        child = get_context(method).Process(target=targets.use_counters, args=(counter, answer, timer, lock, other))
        child.start()
        # The timer is set there, and expires here.
        assert timer.wait(timeout=HANG) == 1
        assert answer.take(timeout=HANG) == 1
        # It is another holder there.
        lock.unlock()
        assert answer.take(timeout=HANG) == 7
        assert counter.take(timeout=0) == 1
        with pytest.raises(BlockingIOError):
            counter.take(timeout=0)
        assert not lock.try_lock()
        answer.add(1)
        child.join(HANG)
        assert child.exitcode == 0
        child.close()
        assert lock.try_lock()
        # The child could send it a signal, and could not be told how it ended.
        assert other.wait(timeout=HANG).signal == 15
    lock.close()
    stop_helpers()


def test_another_file_is_not_locked_for_the_one_that_was_sent(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = unipc.FileLock(path, read_only=True)
    pickled = pickle.dumps(lock)
    again = pickle.loads(pickled)
    assert (again.path, again.kind, again.read_only, again.any_owner) == (str(path), "ofd", True, False)
    again.close()
    path.unlink()
    with pytest.raises(FileNotFoundError):
        pickle.loads(pickled)
    path.touch()
    with pytest.raises(FileNotFoundError, match="another"):
        pickle.loads(pickled)
    lock.close()


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_sockets_that_keep_boundaries(method: str, tmp_path: Path) -> None:
    path = str(tmp_path / "server")
    datagrams, ends = unipc.Datagram.pair_unix(credentials=True), unipc.Seqpacket.pair_unix()
    with datagrams[0], datagrams[1], ends[0], ends[1], unipc.SeqpacketListener.open_unix(path, credentials=True) as listener:
        datagrams[0].send(b"x")
        ends[0].send(b"x")
        child = get_context(method).Process(target=targets.answer_packets, args=(datagrams[1], ends[1], listener, path))
        child.start()
        assert ends[0].receive(timeout=HANG) == b"True True False"
        child.join(HANG)
        child.close()
        assert Path(path).exists()
    stop_helpers()


def test_another_object_of_the_same_name_is_not_taken_for_it(name: str) -> None:
    for kind in (lambda: unipc.Memory.create(name, 4096), lambda: unipc.Mq.create(name)):
        with kind() as meant:
            pickled = pickle.dumps(meant)
            pickle.loads(pickled).close()
            type(meant).unlink(name)
            with pytest.raises(FileNotFoundError):
                pickle.loads(pickled)
            # While the one that is meant still is there, so no other can have its number.
            with kind(), pytest.raises(FileNotFoundError, match="another"):
                pickle.loads(pickled)
            type(meant).unlink(name)


def test_what_cannot_travel_says_so(tmp_path: Path) -> None:
    with unipc.Memory.anonymous(4096) as nameless, pytest.raises(TypeError, match="anonymous"):
        pickle.dumps(nameless)
    (tmp_path / "file").write_bytes(b"x")
    with unipc.Memory.open_file(tmp_path / "file", copy_on_write=True) as private, pytest.raises(TypeError, match="private"):
        pickle.dumps(private)
    with unipc.FileLock.from_fd(os.open(tmp_path / "file", os.O_RDWR)) as lock, pytest.raises(TypeError, match="of a descriptor"):
        pickle.dumps(lock)
    lock.close()
    first, second = unipc.Stream.pair_unix()
    pipeline = unipc.Pipeline.spawn([["true"]])
    pipeline.wait(timeout=HANG)
    staying = [unipc.Framed(first), unipc.FileFollower(tmp_path / "file"), unipc.Poller(), unipc.Signals([10]), pipeline]
    try:
        staying.append(unipc.Ring())
    except unipc.Unavailable:
        # Not on every machine; it is refused where all others are.
        assert unipc.Ring.__reduce__ is not object.__reduce__
    for handle in staying:
        with handle, pytest.raises(TypeError, match=f"a {type(handle).__name__} stays in its process: "):
            pickle.dumps(handle)
    second.close()
    with pytest.raises(TypeError, match="EventFd"):
        pickle.dumps(unipc.Stop())


@pytest.mark.parametrize(
    "kind",
    [
        unipc.Error,
        unipc.EndOfStream,
        unipc.Forked,
        unipc.Incompatible,
        unipc.InternalError,
        unipc.Truncated,
        unipc.Unavailable,
        unipc.WrongKind,
        unipc.WrongSize,
    ],
)
def test_errors_can_be_made_and_travel(kind: type[unipc.Error]) -> None:
    error = kind()
    assert (error.code, error.errno, error.filename, str(error)) == (kind.code, None, None, kind.__doc__)
    again = pickle.loads(pickle.dumps(kind(-10001, "what went wrong", "name")))
    assert (type(again), again.code, again.strerror, again.filename) == (kind, -10001, "what went wrong", "name")
