"""Children made by fork while threads of the parent are in the middle of calls."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import unipc

HANG = 20.0


def _in_child(work: Callable[[], object]) -> str:
    """What `work` gives in a child, or raises there; a child that hangs is ended."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(HANG))
        try:
            answer = str(work())
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    try:
        return os.read(reader, 1000).decode() if os.waitpid(child, 0)[1] == 0 else "hangs"
    finally:
        os.close(reader)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.mark.parametrize("how", ["close", "into_fd"])
def test_close_in_a_child_closes(how: str) -> None:
    reader, writer = unipc.Stream.pair_unix()
    fd = reader.fileno()
    waiting = threading.Thread(target=lambda: reader.read(1))
    waiting.start()
    time.sleep(0.05)

    def close() -> bool:
        if how == "into_fd":
            os.close(reader.into_fd())
        reader.close()
        return _is_open(fd)

    assert _in_child(close) == "False"
    writer.write(b"x")
    waiting.join()
    assert reader.fileno() == fd
    reader.close()
    writer.close()


def test_a_wait_that_forks_goes_on_in_both() -> None:
    """A signal's handler runs in the middle of a wait; what it closes stays until the wait has woken."""
    reader, writer = unipc.Stream.pair_unix()
    fd = reader.fileno()
    children: list[int] = []

    def fork(*_: object) -> None:
        children.append(os.fork())
        if children != [0]:
            writer.write(b"x")
            return
        reader.close()
        if not _is_open(fd):
            os._exit(1)

    before = signal.signal(signal.SIGALRM, fork)
    answer, status = b"", 3
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        answer = reader.read(1, timeout=HANG)
    except ValueError:
        status = 2 if _is_open(fd) else 0
    finally:
        if children == [0]:
            os._exit(status)
        signal.signal(signal.SIGALRM, before)
    assert answer == b"x"
    assert os.waitpid(children[0], 0)[1] == 0
    reader.close()
    writer.close()


def test_a_child_is_told_that_a_message_was_half_received() -> None:
    first, second = unipc.Stream.pair_unix()
    framed, other = unipc.Framed(first), unipc.Framed(second)
    waiting = threading.Thread(target=framed.receive)
    waiting.start()
    time.sleep(0.05)
    assert _in_child(lambda: framed.receive(timeout=1)).startswith("Forked")
    assert _in_child(lambda: framed.send(b"from the child")) == "None"
    assert _in_child(lambda: framed.into_stream().fileno()) == str(framed.fileno())
    assert other.receive() == b"from the child"
    other.send(b"")
    waiting.join()
    framed.close()
    other.close()


def test_a_child_is_told_that_its_parent_follows_a_file(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("first\n")
    follower = unipc.FileFollower(log)
    assert follower.receive() == b"first"
    assert _in_child(lambda: _raised(lambda: follower.receive(timeout=0.01))) == "TimeoutError"
    waiting = threading.Thread(target=lambda: list(follower))
    waiting.start()
    time.sleep(0.05)
    assert _in_child(lambda: _raised(follower.receive)) == "Forked"
    start = time.monotonic()
    with pytest.raises(BlockingIOError):
        follower.receive(timeout=0)
    with pytest.raises(TimeoutError):
        follower.receive(timeout=0.05)
    assert time.monotonic() - start < 1
    follower.close()
    waiting.join()


def _raised(work: Callable[[], object]) -> str:
    try:
        work()
    except Exception as error:
        return type(error).__name__
    return "nothing"


def test_memory_that_a_thread_works_on_can_be_used() -> None:
    with unipc.Memory.memfd("unipc-test", 1 << 28, sparse=True) as memory:
        memory.write(0, b"x")
        working = threading.Thread(target=memory.prefault)
        working.start()
        assert _in_child(lambda: (memory.size, memory.read(0, 1), memory.close())) == f"({1 << 28}, b'x', None)"
        working.join()
        # Half of a change is no state to go on from.
        working = threading.Thread(target=lambda: [memory.resize((1 << 20) + step % 2) for step in range(2000)])
        working.start()
        answers = {_in_child(lambda: memory.size).split(":")[0] for _ in range(20)}
        working.join()
        assert answers <= {str(1 << 28), str(1 << 20), str((1 << 20) + 1), "Forked"}
