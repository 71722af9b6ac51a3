"""Descriptors that travel, over every type of Unix socket, whatever the peer sends; and those that are taken."""

from __future__ import annotations

import array
import asyncio
import contextlib
import errno
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_datagram import forked

import unipc
import unipc.aio

HANG = 20.0
MOST = 253
TYPES = {
    "stream": (unipc.Stream, socket.SOCK_STREAM),
    "datagram": (unipc.Datagram, socket.SOCK_DGRAM),
    "seqpacket": (unipc.Seqpacket, socket.SOCK_SEQPACKET),
}
EXPECTED = ["content 0", "content 1", "content 2"]

_Socket = unipc.Stream | unipc.Datagram | unipc.Seqpacket


@pytest.fixture
def files(tmp_path: Path) -> Iterator[list[int]]:
    fds = []
    for index in range(3):
        path = tmp_path / f"file{index}"
        path.write_text(f"content {index}")
        fds.append(os.open(path, os.O_RDONLY))
    yield fds
    for fd in fds:
        os.close(fd)


@pytest.fixture(params=TYPES)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[_Socket, _Socket]]:
    first, second = TYPES[request.param][0].pair_unix()
    with first, second:
        yield first, second


@pytest.fixture(params=TYPES)
def hostile(request: pytest.FixtureRequest) -> Iterator[tuple[_Socket, socket.socket]]:
    """Ours, and a plain socket that sends to it."""
    kind, number = TYPES[request.param]
    first, plain = socket.socketpair(socket.AF_UNIX, number)
    with kind.from_fd(first.detach()) as ours, plain:
        yield ours, plain


def contents(fds: list[int]) -> list[str]:
    found = []
    for fd in fds:
        assert not os.get_inheritable(fd)
        found.append(os.pread(fd, 100, 0).decode())
        os.close(fd)
    return found


def rights(fds: list[int]) -> tuple[int, int, bytes]:
    return socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds).tobytes()


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_one_and_several(pair: tuple[_Socket, _Socket], files: list[int]) -> None:
    first, second = pair
    for count in (1, 2, 3):
        first.send_fds(b"files", files[:count])
        data, fds = second.receive_fds(100, 3)
        assert data == b"files" and contents(fds) == EXPECTED[:count]
    with open(f"/proc/self/fd/{files[2]}") as opened:
        first.send_fds(b"files", [files[0], opened])
    data, fds = second.receive_fds(100, 2)
    assert data == b"files" and contents(fds) == ["content 0", "content 2"]
    with pytest.raises(ValueError):
        first.send_fds(b"x", [-1])
    with pytest.raises(OSError) as caught:
        first.send_fds(b"x", [1 << 20])
    assert caught.value.errno == errno.EBADF
    with pytest.raises(AttributeError):
        first.send_fds(b"x", ["no descriptor"])  # type: ignore[list-item]


def test_limits(pair: tuple[_Socket, _Socket], files: list[int]) -> None:
    first, second = pair
    before = descriptors()
    for count in (MOST - 1, MOST):
        first.send_fds(b"x", files[:1] * count)
        data, fds = second.receive_fds(1, count)
        assert data == b"x" and len(fds) == count
        for fd in fds:
            os.close(fd)
    with pytest.raises(OSError) as caught:
        first.send_fds(b"x", files[:1] * (MOST + 1))
    assert caught.value.errno == errno.EINVAL
    for maximum, sent in ((1, 2), (2, 3), (3, 4), (2, MOST)):
        first.send_fds(b"x", files[:1] * sent)
        with pytest.raises(OSError) as caught:
            second.receive_fds(1, maximum)
        assert caught.value.errno == errno.EPROTO and descriptors() == before


def test_what_nobody_asked_for_is_closed(pair: tuple[_Socket, _Socket], files: list[int]) -> None:
    first, second = pair
    before = descriptors()
    for sent in (1, 2, MOST):
        first.send_fds(b"abc", files[:1] * sent)
        assert (second.read(100) if isinstance(second, unipc.Stream) else second.receive()) == b"abc"
        first.send_fds(b"abc", files[:1] * sent)
        assert second.receive_fds(100, 0) == (b"abc", [])
        assert descriptors() == before


def test_a_receiver_without_room(pair: tuple[_Socket, _Socket], files: list[int]) -> None:
    first, second = pair

    def receive() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        hoard = []
        with contextlib.suppress(OSError):
            while True:
                hoard.append(os.dup(0))
        for _ in range(2):
            os.close(hoard.pop())
        first.send_fds(b"x", files)
        with pytest.raises(OSError) as caught:
            second.receive_fds(1, 3)
        assert caught.value.errno == errno.EMFILE
        os.close(hoard.pop())
        first.send_fds(b"x", files)
        data, fds = second.receive_fds(1, 3)
        assert data == b"x" and contents(fds) == EXPECTED

    with forked(receive):
        pass


def test_a_hostile_peer(hostile: tuple[_Socket, socket.socket], files: list[int]) -> None:
    ours, plain = hostile
    before = descriptors()

    def received(maximum: int) -> tuple[bytes, list[int]]:
        return ours.receive_fds(100, maximum, timeout=HANG)

    # Too many, in one piece of control data and in several.
    for control in ([rights(files[:1] * 5)], [rights(files[:1] * MOST)], [rights(files[:2]), rights(files)]):
        plain.sendmsg([b"x"], control)
        with pytest.raises(OSError) as caught:
            received(4)
        assert caught.value.errno == errno.EPROTO and descriptors() == before
    plain.sendmsg([b"x"], [rights(files[:2]), rights(files[2:])])
    data, fds = received(3)
    assert data == b"x" and contents(fds) == EXPECTED
    # None at all in what says that there are some.
    plain.sendmsg([b"x"], [rights([])])
    assert received(4) == (b"x", [])
    # Credentials that nobody asked for, true ones: the kernel refuses others.
    credentials = array.array("i", [os.getpid(), os.getuid(), os.getgid()]).tobytes()
    plain.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, credentials), rights(files)])
    data, fds = received(3)
    assert data == b"x" and contents(fds) == EXPECTED
    # No byte of data: on a stream the kernel sends nothing at all, else it is an empty message.
    plain.sendmsg([b""], [rights(files)])
    if isinstance(ours, unipc.Stream):
        with pytest.raises(BlockingIOError):
            ours.receive_fds(100, 3, timeout=0)
    else:
        data, fds = received(3)
        assert data == b"" and contents(fds) == EXPECTED
        plain.sendmsg([b""], [rights(files)])
        assert ours.receive() == b""
        plain.sendmsg([b"larger than the buffer"], [rights(files)])
        with pytest.raises(OSError) as caught:
            ours.receive_fds(5, 3)
        assert caught.value.errno == errno.EMSGSIZE
    # Without any.
    plain.send(b"plain")
    assert received(4) == (b"plain", [])
    assert descriptors() == before
    if not isinstance(ours, unipc.Datagram):
        plain.close()
        if isinstance(ours, unipc.Stream):
            assert received(4) == (b"", [])
        else:
            with pytest.raises(unipc.EndOfStream):
                received(4)


def test_the_socket_module_understands(hostile: tuple[_Socket, socket.socket], files: list[int]) -> None:
    ours, plain = hostile
    socket.send_fds(plain, [b"files"], files)
    data, fds = ours.receive_fds(100, 3)
    assert data == b"files" and contents(fds) == EXPECTED
    ours.send_fds(b"files", files)
    data, fds, flags, _ = socket.recv_fds(plain, 100, 3)
    # Which it makes inheritable.
    for fd in fds:
        os.set_inheritable(fd, False)
    assert data == b"files" and contents(list(fds)) == EXPECTED and not flags & socket.MSG_CTRUNC


def test_where_it_cannot_be(files: list[int]) -> None:
    reader, writer = unipc.pipe()
    with reader, writer:
        with pytest.raises(OSError) as caught:
            writer.send_fds(b"x", files)
        assert caught.value.errno == errno.EOPNOTSUPP
        with pytest.raises(OSError) as caught:
            reader.receive_fds(1)
        assert caught.value.errno == errno.EOPNOTSUPP
    first, second = unipc.Stream.pair_unix()
    with first, second:
        with pytest.raises(OSError) as caught:
            first.send_fds(b"", files)
        assert caught.value.errno == errno.EINVAL
        with pytest.raises(BlockingIOError):
            second.receive_fds(1, timeout=0)
        with pytest.raises(TimeoutError):
            second.receive_fds(1, timeout=0.01)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to play another user")
def test_a_privileged_side_opens_for_an_unprivileged_one(pair: tuple[_Socket, _Socket], tmp_path: Path) -> None:
    first, second = pair
    secret = tmp_path / "secret"
    secret.write_text("content")
    secret.chmod(0o600)

    def worker() -> None:
        os.setresuid(12345, 12345, 12345)
        with pytest.raises(PermissionError):
            secret.open()
        _, fds = second.receive_fds(10, timeout=HANG)
        assert contents(fds) == ["content"]

    with forked(worker), secret.open() as opened:
        first.send_fds(b"here", [opened])


def test_a_descriptor_is_taken_from_a_process(files: list[int]) -> None:
    reader, writer = os.pipe()
    with forked(lambda: os._exit(os.read(reader, 1) != b"x")) as pid:
        pidfd = os.pidfd_open(pid)
        try:
            assert contents([unipc.take_descriptor(pidfd, files[1])]) == ["content 1"]
        except (PermissionError, unipc.Unavailable) as error:
            print(f"not permitted here: {error}")
        with pytest.raises((OSError, unipc.Unavailable)):
            unipc.take_descriptor(pidfd, 1 << 20)
        with pytest.raises(OSError) as caught:
            unipc.take_descriptor(files[0], 0)
        assert caught.value.errno == errno.EBADF
        with pytest.raises(ValueError):
            unipc.take_descriptor(-1, 0)
        os.close(pidfd)
        os.write(writer, b"x")
    os.close(reader)
    os.close(writer)


def test_asyncio(files: list[int]) -> None:
    async def main() -> None:
        for plain_class, wrapper in (
            (unipc.Stream, unipc.aio.Stream),
            (unipc.Datagram, unipc.aio.Datagram),
            (unipc.Seqpacket, unipc.aio.Seqpacket),
        ):
            one, other = plain_class.pair_unix()
            async with wrapper(one) as first, wrapper(other) as second:  # type: ignore[arg-type]
                receiving = asyncio.create_task(second.receive_fds(100, 3))
                await asyncio.sleep(0)
                await first.send_fds(b"f", files)
                data, fds = await receiving
                assert data == b"f" and contents(fds) == EXPECTED
        # More than the socket holds: the descriptors go with the first byte.
        one, other = unipc.Stream.pair_unix()
        async with unipc.aio.Stream(one) as first, unipc.aio.Stream(other) as second:
            sending = asyncio.create_task(first.send_fds(bytes(1 << 20), files))
            data, fds = await second.receive_fds(100, 3)
            assert contents(fds) == EXPECTED
            total = len(data)
            while total < 1 << 20:
                total += len(await second.read(1 << 16))
            await sending

    asyncio.run(asyncio.wait_for(main(), HANG))
