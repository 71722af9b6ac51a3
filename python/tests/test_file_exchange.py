"""Files replaced, appended to and followed: between objects, processes, and with plain Python on the other side."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import unipc

HANG = 20.0


def test_replace_keeps_what_is_asked_and_readers_have_old_or_new(path: Path) -> None:
    unipc.replace_file(path, b"first")
    assert path.read_bytes() == b"first" and stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open("rb") as old:
        unipc.replace_file(path, bytearray(b"second"), mode=0o640, sync="content")
        assert old.read() == b"first"
    unipc.replace_file(path, memoryview(b"third"), sync="nothing")
    assert path.read_bytes() == b"third" and stat.S_IMODE(path.stat().st_mode) == 0o640
    link = path.with_suffix(".link")
    link.symlink_to(path.name)
    try:
        with pytest.raises(OSError) as refused:
            unipc.replace_file(link, b"")
        assert refused.value.errno == errno.ELOOP and refused.value.filename == str(link)
        unipc.replace_file(link, b"fourth", follow_links=True)
        assert link.is_symlink() and path.read_bytes() == b"fourth"
    finally:
        link.unlink()
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_what_cannot_be_replaced_or_appended_to(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        unipc.replace_file(path / "file", b"")
    with pytest.raises(unipc.WrongKind):
        unipc.replace_file("/dev/null", b"")
    with pytest.raises(ValueError, match="sync"):
        unipc.replace_file(path, b"", sync="some")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        unipc.replace_file(path, "text")  # type: ignore[arg-type]
    for record in (b"two\nlines", b"torn\x18"):
        with pytest.raises(OSError) as refused:
            unipc.append_record(path, record)
        assert refused.value.errno == errno.EINVAL
    with pytest.raises(FileNotFoundError):
        unipc.FileFollower(path)
    assert not path.exists()


def test_records_are_received_whole_and_in_order(path: Path) -> None:
    unipc.append_record(path, b"first")
    with unipc.FileFollower(path) as follower:
        assert (follower.path, follower.closed, repr(follower)) == (str(path), False, f'<unipc.FileFollower "{path}">')
        unipc.append_record(path, b"", sync=True)
        with path.open("ab") as plain:
            plain.write(b"plain\nhalf")
        assert [follower.receive(timeout=0) for _ in range(3)] == [b"first", b"", b"plain"]
        with pytest.raises(BlockingIOError):
            follower.receive(timeout=0)
        with pytest.raises(TimeoutError) as late:
            follower.receive(timeout=0.02)
        assert late.value.filename == str(path)
        # Nobody goes on with the half one: the next writer ends it.
        unipc.append_record(path, b"next")
        event = follower.receive_event(timeout=HANG)
        assert (event.kind, event.data, event.torn, event.end - event.offset) == ("record", b"next", 1, 5)
        assert repr(event).startswith("<unipc.FileEvent record data=b'next'")
        with unipc.FileFollower(path, start=event.offset) as second:
            assert next(second) == b"next"
    assert path.read_bytes() == b"first\n\nplain\nhalf\x18\nnext\n"
    assert follower.closed
    for call in (follower.receive, follower.receive_event, follower.fileno):
        with pytest.raises(ValueError, match="closed"):
            call()


def test_what_happens_to_the_file_is_told(path: Path) -> None:
    unipc.append_record(path, b"old")
    with unipc.FileFollower(path, from_end=True) as follower:
        unipc.append_record(path, b"last")
        unipc.replace_file(path, b"new\n")
        path.write_bytes(b"")
        unipc.append_record(path, b"x")
        path.unlink()
        events = [follower.receive_event(timeout=HANG) for _ in range(2)]
        assert [(event.kind, event.data) for event in events] == [("record", b"last"), ("deleted", b"")]
        threading.Timer(0.02, unipc.append_record, (path, b"again")).start()
        assert follower.receive_event(timeout=HANG).kind == "replaced"
        assert follower.receive(timeout=HANG) == b"again"
        os.truncate(path, 0)
        assert follower.receive_event(timeout=HANG).kind == "truncated"


def test_the_descriptor_wakes_pollers(path: Path) -> None:
    unipc.append_record(path, b"first")
    with unipc.FileFollower(path) as follower:
        seen = []
        for number in range(3):
            while True:
                assert select.select([follower], [], [], HANG)[0]
                try:
                    seen.append(follower.receive(timeout=0))
                except BlockingIOError:
                    break
            unipc.append_record(path, str(number).encode())
    assert seen == [b"first", b"0", b"1"]


def test_a_record_may_be_too_long(path: Path) -> None:
    for size in (10, 11, 9):
        unipc.append_record(path, b"x" * size)
    with unipc.FileFollower(path, largest=10) as follower:
        assert len(follower.receive()) == 10
        with pytest.raises(OSError) as long:
            follower.receive(timeout=HANG)
        assert long.value.errno == errno.EMSGSIZE
        assert len(follower.receive()) == 9


def test_plain_python_and_we_keep_each_other_out(path: Path) -> None:
    unipc.append_record(path, b"ours")
    with path.open("ab") as plain:
        fcntl.flock(plain, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            unipc.append_record(path, b"early", timeout=0)
        plain.write(b"theirs\n")
    program = "import sys, unipc\nfor i in range(200): unipc.append_record(sys.argv[1], b'%d' % i * 50, timeout=20)"
    processes = [subprocess.Popen([sys.executable, "-c", program, str(path)]) for _ in range(2)]
    with unipc.FileFollower(path) as follower:
        counts = {number: 0 for number in range(200)}
        assert [follower.receive(), follower.receive()] == [b"ours", b"theirs"]
        for _ in range(400):
            record = follower.receive(timeout=HANG)
            number = int(record[: len(record) // 50])
            assert record == b"%d" % number * 50
            counts[number] += 1
    assert [process.wait() for process in processes] == [0, 0]
    assert set(counts.values()) == {2}


def test_close_wakes_a_waiter_and_threads_take_turns(path: Path) -> None:
    unipc.append_record(path, b"first")
    follower = unipc.FileFollower(path, from_end=True)
    waiting = threading.Event()
    outcome: list[BaseException] = []

    def wait() -> None:
        waiting.set()
        try:
            follower.receive()
        except ValueError as error:
            outcome.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait()
    with pytest.raises((BlockingIOError, TimeoutError)):
        follower.receive(timeout=0.05)
    assert follower.fileno() >= 0
    follower.close()
    thread.join(HANG)
    assert len(outcome) == 1 and "closed" in str(outcome[0])
