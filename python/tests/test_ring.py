"""Rings: many reads and writes at once, where the machine has io_uring."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import unipc

HANG = 20.0


@pytest.fixture
def ring() -> Iterator[unipc.Ring]:
    try:
        ring = unipc.Ring(64)
    except unipc.Unavailable as why:
        assert "io_uring" in str(why)
        pytest.skip(str(why))
    with ring:
        yield ring


def test_reads_and_writes_complete_with_their_tokens(ring: unipc.Ring, tmp_path: Path) -> None:
    near, far = socket.socketpair()
    reader, writer = unipc.pipe()
    with near, far, reader, writer, (tmp_path / "file").open("w+b", buffering=0) as file:
        ring.read(reader, 100, 1)
        ring.read(near.fileno(), 100, 2)
        ring.write(writer, b"to a pipe", 3)
        ring.write(far, memoryview(b"to a socket"), 4)
        ring.write(file, bytearray(b"to a file"), 5, offset=3)
        told = {}
        while ring.in_flight:
            told.update({done.token: done for done in ring.wait(timeout=HANG)})
        assert {token: done.data for token, done in told.items() if token < 3} == {1: b"to a pipe", 2: b"to a socket"}
        assert [told[token].count for token in (3, 4, 5)] == [9, 11, 9]
        assert all(done.error is None for done in told.values()) and "count=9" in repr(told[1])
        ring.read(file, 100, 6, offset=6)
        assert ring.wait(timeout=HANG)[0].data == b"a file"
        assert ring.wait() == []


def test_ends_and_errors(ring: unipc.Ring) -> None:
    reader, writer = unipc.pipe()
    with reader:
        ring.read(reader, 10, 1)
        with pytest.raises(BlockingIOError):
            ring.wait(timeout=0)
        with pytest.raises(TimeoutError):
            ring.wait(timeout=0.01)
        assert ring.cancel(2) == 0 and ring.cancel(1) == 1
        (done,) = ring.wait(timeout=HANG)
        assert isinstance(done.error, OSError) and done.error.errno == errno.ECANCELED and "error=" in repr(done)
        ring.read(reader, 10, 1)
        writer.close()
        (done,) = ring.wait(timeout=HANG)
        assert (done.count, done.data, done.error) == (0, b"", None)
    reader, writer = unipc.pipe()
    reader.close()
    with writer:
        ring.write(writer, b"x")
        (done,) = ring.wait(timeout=HANG)
        assert isinstance(done.error, BrokenPipeError)
    with pytest.raises(OSError, match="Bad file"):
        ring.read(1 << 30, 1)
        raise ring.wait(timeout=HANG)[0].error or AssertionError
    with pytest.raises(ValueError):
        ring.read(0, 1 << 62)
    with pytest.raises(TypeError):
        ring.write(0, "text")  # type: ignore[arg-type]
    for wrong in (0, 32769):
        with pytest.raises(OSError, match="1 to 32768"):
            unipc.Ring(wrong)


def test_full_closed_and_forked(ring: unipc.Ring) -> None:
    reader, writer = unipc.pipe()
    with reader, writer:
        for token in range(64):
            ring.read(reader, 1, token)
        with pytest.raises(BlockingIOError, match="64 are in flight"):
            ring.read(reader, 1)
        child = os.fork()
        if child == 0:
            try:
                ring.wait(timeout=0)
            except unipc.Forked:
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        ring.close()
        assert ring.closed and "closed" in repr(ring)
        writer.write_all(b"mine")
        assert reader.read(10) == b"mine"
    with pytest.raises(ValueError):
        ring.wait()
