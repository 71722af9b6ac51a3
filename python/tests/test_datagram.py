"""Datagram sockets, Unix and UDP."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import unipc
import unipc.aio

HANG = 20.0
GROUP = "239.255.77.2"


@contextlib.contextmanager
def forked(child: Callable[[], None]) -> Iterator[int]:
    """Runs the function in a child, whose success is asked for at the end."""
    pid = os.fork()
    if pid == 0:
        try:
            child()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
        finally:
            os._exit(1)
    yield pid
    assert os.waitpid(pid, 0)[1] == 0


def test_datagrams_keep_boundaries_and_tell_where_they_come_from(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    with unipc.Datagram.open_unix(path, credentials=True) as log, unipc.Datagram.open_unix("@") as sender:
        assert log.address() == path and oct(Path(path).stat().st_mode & 0o777) == "0o600"
        sender.send_to(b"one", path)
        sender.send_to(b"", path)
        sender.connect(path)
        sender.send(b"x" * 10000)
        assert log.receive_from() == (b"one", sender.address())
        message = log.receive_message()
        assert message.data == b"" and message.sender is not None
        assert (message.sender.pid, message.sender.uid, message.sender.gid) == (os.getpid(), os.geteuid(), os.getegid())
        assert log.next_size() == 10000
        with pytest.raises(OSError) as caught:
            log.receive(9999)
        assert caught.value.errno == errno.EMSGSIZE and caught.value.transferred == 10000  # type: ignore[attr-defined]
        assert message.sender_pidfd is None
        with pytest.raises(BlockingIOError):
            log.receive(timeout=0)
        with pytest.raises(TimeoutError):
            log.receive(timeout=0.01)
        with pytest.raises(OSError) as caught:
            unipc.Datagram.open_unix(path)
        assert caught.value.errno == errno.EADDRINUSE
    assert not Path(path).exists()
    with unipc.Datagram.open_unix() as nobody, pytest.raises(FileNotFoundError):
        nobody.send_to(b"x", path)


def test_a_message_brings_a_pidfd_of_its_sender() -> None:
    for kind in (unipc.Datagram, unipc.Seqpacket):
        first, second = kind.pair_unix(pidfds=True)
        with first, second:
            with forked(lambda first=first: first.send(b"x")):  # type: ignore[misc]
                message = second.receive_message(timeout=HANG)
                if message.sender_pidfd is not None:
                    assert not os.get_inheritable(message.sender_pidfd)
                    os.close(message.sender_pidfd)
            first.send(b"x")
            assert second.receive_fds() == (b"x", [])
            first.send(b"x")
            pidfd = second.receive_message().sender_pidfd
            if pidfd is not None:
                signal.pidfd_send_signal(pidfd, 0)
                os.close(pidfd)


def test_sizes_at_the_limits() -> None:
    first, second = unipc.Datagram.pair_unix(send_buffer=1 << 16)
    with first, second:
        buffer = bytearray(10)
        for size in (9, 10):
            first.send(b"x" * size)
            assert second.receive_into(buffer) == size and buffer[:size] == b"x" * size
            first.send(b"x" * size)
            assert second.receive(10) == b"x" * size
        for receive in (second.receive_into, lambda buffer: second.receive(len(buffer))):
            first.send(b"x" * 11)
            with pytest.raises(OSError) as caught:
                receive(buffer)
            assert caught.value.errno == errno.EMSGSIZE
        # The largest message that the kernel lets out of this buffer.
        low, high = 1 << 16, 1 << 18
        while high - low > 1:
            size = (low + high) // 2
            try:
                first.send(bytes(size))
                assert len(second.receive()) == size
                low = size
            except OSError as error:
                assert error.errno == errno.EMSGSIZE
                high = size
        for size in (low - 1, low):
            first.send(bytes(size))
            assert second.next_size() == size and len(second.receive()) == size
        with pytest.raises(OSError):
            first.send(bytes(low + 1))
    with unipc.Datagram.open_udp() as server, unipc.Datagram.open_udp() as client:
        for size in (65506, 65507):
            client.send_to(bytes(size), server.address())
            assert len(server.receive(timeout=HANG)) == size
        with pytest.raises(OSError) as caught:
            client.send_to(bytes(65508), server.address())
        assert caught.value.errno == errno.EMSGSIZE


def test_large_messages_beyond_the_kept_room() -> None:
    first, second = unipc.Datagram.pair_unix(send_buffer=1 << 20)
    with first, second:
        try:
            first.send(b"large" * 80_000, timeout=0)
        except OSError as error:
            assert error.errno == errno.EMSGSIZE
            pytest.skip("net.core.wmem_max does not let larger messages out")
        assert second.receive() == b"large" * 80_000


def test_several_receivers_lose_no_message_whatever_its_size(tmp_path: Path) -> None:
    # Who has looked at a small message may get a large one.
    path, results = str(tmp_path / "jobs"), str(tmp_path / "results")
    with unipc.Datagram.open_unix(path) as jobs, unipc.Datagram.open_unix(results) as counts, contextlib.ExitStack() as stack:

        def consume() -> None:
            total = 0
            while (message := jobs.receive(timeout=HANG)) != b"end":
                assert message == message[:1] * len(message)
                total += 1
            counts.send_to(str(total).encode(), results, timeout=HANG)

        for _ in range(3):
            stack.enter_context(forked(consume))
        with unipc.Datagram.open_unix() as sender:
            for number in range(600):
                sender.send_to(b"ab"[number % 2 : number % 2 + 1] * (1, 40_000)[number % 2], path, timeout=HANG)
            for _ in range(3):
                sender.send_to(b"end", path, timeout=HANG)
        assert sum(int(counts.receive(timeout=HANG)) for _ in range(3)) == 600


def test_a_receiver_that_is_killed_leaves_a_path_that_the_next_one_takes(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    program = f"import unipc; log = unipc.Datagram.open_unix({path!r}); print(flush=True); log.receive()"
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline()
            with pytest.raises(OSError) as caught:
                unipc.Datagram.open_unix(path)
            assert caught.value.errno == errno.EADDRINUSE
            process.kill()
        assert process.returncode == -signal.SIGKILL
        with unipc.Datagram.open_unix() as sender, pytest.raises(ConnectionRefusedError):
            sender.send_to(b"x", path)
    with unipc.Datagram.open_unix(path) as log, unipc.Datagram.open_unix() as sender:
        sender.send_to(b"x", path)
        assert log.receive() == b"x"
    assert not Path(path).exists()


def test_only_the_maker_removes_the_path(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    with unipc.Datagram.open_unix(path) as log:
        with forked(log.close):
            pass
        assert Path(path).exists()
        with unipc.Datagram.open_unix() as sender, forked(lambda: sender.send_to(b"from the child", path)):
            pass
        assert log.receive(timeout=HANG) == b"from the child"
    assert not Path(path).exists()
    with unipc.Datagram.open_unix(path) as log:
        fd = log.into_fd()
    assert Path(path).exists()
    os.close(fd)
    Path(path).unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to play another user")
def test_another_user(tmp_path: Path) -> None:
    path, open_path = str(tmp_path / "closed"), str(tmp_path / "open")
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o711)
    with unipc.Datagram.open_unix(path) as closed, unipc.Datagram.open_unix(open_path, mode=0o666, credentials=True) as opened:

        def be_another() -> None:
            os.setresuid(12345, 12345, 12345)
            with unipc.Datagram.open_unix() as sender:
                with pytest.raises(PermissionError):
                    sender.send_to(b"x", path)
                sender.send_to(b"x", open_path)

        with forked(be_another):
            message = opened.receive_message(timeout=HANG)
            assert message.sender is not None and message.sender.uid == 12345
        with pytest.raises(BlockingIOError):
            closed.receive(timeout=0)


def test_udp() -> None:
    with unipc.Datagram.open_udp() as server, unipc.Datagram.open_udp() as client:
        client.send_to(b"hello", server.address())
        data, sender = server.receive_from()
        assert (data, sender) == (b"hello", client.address()) and server.port() > 0
        server.send_to(b"answer", sender)
        assert client.receive() == b"answer"
        with pytest.raises(OSError):
            client.send_fds(b"x", [0], server.address())
        client.connect(server.address())
        client.send(b"")
        assert server.receive() == b""
        address = server.address()
        with pytest.raises(OSError) as caught:
            unipc.Datagram.open_udp("127.0.0.1", server.port())
        assert caught.value.errno == errno.EADDRINUSE
    with unipc.Datagram.open_udp() as client:
        client.connect(address)
        with pytest.raises(ConnectionRefusedError):
            for _ in range(100):
                client.send(b"nobody is there")
    with unipc.Datagram.open_udp("::1") as server, unipc.Datagram.open_udp(family=6) as client:
        client.send_to(b"by IPv6", server.address())
        assert server.receive_from() == (b"by IPv6", client.address()) and server.address().startswith("[::1]:")


def test_groups() -> None:
    with contextlib.ExitStack() as stack:

        def member(port: int = 0, **options: bool | int) -> unipc.Datagram:
            made = unipc.Datagram.open_udp("0.0.0.0", port, reuse_address=True, multicast_interface="lo", **options)  # type: ignore[arg-type]
            return stack.enter_context(made)

        first = member()
        second = member(first.port(), multicast_ttl=0)
        silent = member(multicast_loop=False, multicast_ttl=255)
        address = f"{GROUP}:{first.port()}"
        for socket_ in (first, second):
            socket_.join(GROUP, "lo")
        with pytest.raises(OSError) as caught:
            first.join(GROUP, "lo")
        assert caught.value.errno == errno.EADDRINUSE
        with pytest.raises(OSError):
            first.join(GROUP, "no such interface")
        for sender in (first, second):
            sender.send_to(b"to all", address)
            assert [first.receive(timeout=HANG), second.receive(timeout=HANG)] == [b"to all"] * 2
        first.leave(GROUP, "lo")
        first.send_to(b"to the other", address)
        assert second.receive(timeout=HANG) == b"to the other"
        with socket.socket(fileno=silent.into_fd()) as plain:
            assert plain.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 255
            assert plain.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP) == 0
    with unipc.Datagram.open_unix() as nothing, pytest.raises(OSError) as caught:
        nothing.join(GROUP)
    assert caught.value.errno == errno.EOPNOTSUPP


def test_a_broadcast_is_asked_for() -> None:
    with unipc.Datagram.open_udp("127.255.255.255") as server, unipc.Datagram.open_udp() as client:
        with pytest.raises(PermissionError):
            client.send_to(b"x", server.address())
        with unipc.Datagram.open_udp("0.0.0.0", broadcast=True) as allowed:
            allowed.send_to(b"to all", server.address())
        assert server.receive(timeout=HANG) == b"to all"


def test_the_socket_module_understands(tmp_path: Path) -> None:
    with unipc.Datagram.open_unix(tmp_path / "ours") as ours, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as theirs:
        theirs.bind(str(tmp_path / "theirs"))
        theirs.sendto(b"hello", str(tmp_path / "ours"))
        assert ours.receive_from() == (b"hello", str(tmp_path / "theirs"))
        ours.send_to(b"answer", tmp_path / "theirs")
        assert theirs.recvfrom(100) == (b"answer", str(tmp_path / "ours"))
        theirs.sendto(b"x" * 100_000, str(tmp_path / "ours"))
        assert len(ours.receive()) == 100_000
    with unipc.Datagram.open_udp() as ours, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs:
        theirs.bind(("127.0.0.1", 0))
        theirs.sendto(b"hello", ("127.0.0.1", ours.port()))
        assert ours.receive_from() == (b"hello", f"127.0.0.1:{theirs.getsockname()[1]}")
        ours.send_to(b"answer", f"127.0.0.1:{theirs.getsockname()[1]}")
        assert theirs.recv(100) == b"answer"
    plain = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    plain.bind(str(tmp_path / "adopted"))
    with unipc.Datagram.from_fd(plain.detach()) as adopted, unipc.Datagram.open_unix() as sender:
        sender.send_to(b"x", tmp_path / "adopted")
        assert adopted.receive() == b"x"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream, pytest.raises(unipc.WrongKind):
        unipc.Datagram.from_fd(stream.fileno())


def test_socat(tmp_path: Path) -> None:
    with unipc.Datagram.open_unix(tmp_path / "log") as log:
        subprocess.run(["socat", "-u", "-", f"UNIX-SENDTO:{tmp_path}/log"], input=b"from socat", check=True)
        assert log.receive(timeout=HANG) == b"from socat"
    with unipc.Datagram.open_udp() as server:
        subprocess.run(["socat", "-u", "-", f"UDP-SENDTO:{server.address()}"], input=b"by UDP", check=True)
        assert server.receive(timeout=HANG) == b"by UDP"
    echo = subprocess.Popen(["socat", f"UNIX-RECVFROM:{tmp_path}/echo,fork", "EXEC:cat"])
    try:
        with unipc.Datagram.open_unix(tmp_path / "client") as client:
            client.connect(tmp_path / "echo", timeout=HANG, wait_for_listener=True)
            for message in (b"one", b"two"):
                client.send(message)
                assert client.receive(timeout=HANG) == message
    finally:
        echo.terminate()
        echo.wait(HANG)
    with unipc.Datagram.open_udp() as client:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        echo = subprocess.Popen(["socat", f"UDP-RECVFROM:{port},bind=127.0.0.1,fork", "EXEC:cat"])
        try:
            answer = None
            while answer is None:
                # Lost until socat is there.
                client.send_to(b"echo", f"127.0.0.1:{port}")
                with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                    answer = client.receive(timeout=0.1)
            assert answer == b"echo"
        finally:
            echo.terminate()
            echo.wait(HANG)


def test_asyncio(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "log"
        async with unipc.aio.Datagram.open_unix(path, credentials=True) as log, unipc.aio.Datagram.open_unix("@") as sender:

            async def flood() -> None:
                for number in range(1000):
                    await sender.send_to(str(number).encode(), path)

            flooding = asyncio.create_task(flood())
            for number in range(1000):
                assert await log.receive() == str(number).encode()
            await flooding
            sender.connect(path)
            flooding = asyncio.create_task(flood())
            for number in range(1000):
                assert (await log.receive_from())[0] == str(number).encode()
            await flooding
            receiving = asyncio.create_task(log.receive_message())
            await asyncio.sleep(0)
            await sender.send(b"the last")
            message = await receiving
            assert message.data == b"the last" and message.sender is not None and message.sender.pid == os.getpid()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await log.receive()
            waiting = asyncio.create_task(log.receive())
            await asyncio.sleep(0)
            log.close()
            with pytest.raises(ValueError):
                await waiting
        async with unipc.aio.Datagram.open_udp("0.0.0.0", multicast_interface="lo") as member:
            member.join(GROUP, "lo")
            await member.send_to(b"to all", f"{GROUP}:{member.port()}")
            assert (await member.receive_from())[0] == b"to all"
            member.leave(GROUP, "lo")

    asyncio.run(asyncio.wait_for(main(), HANG))


def test_a_handler_that_receives_while_its_thread_does() -> None:
    first, second = unipc.Datagram.pair_unix()
    got: list[bytes] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: got.append(second.receive(timeout=HANG)))
    try:
        with first, second:
            first.send(b"before")
            assert second.receive() == b"before"

            def send() -> None:
                os.kill(os.getpid(), signal.SIGUSR1)
                first.send(b"one")
                first.send(b"two")

            timer = threading.Timer(0.05, send)
            timer.start()
            got.append(second.receive(timeout=HANG))
            timer.join()
            assert sorted(got) == [b"one", b"two"]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_closed_socket_wakes_who_waits() -> None:
    first, second = unipc.Datagram.pair_unix()
    with second:
        threading.Timer(0.05, first.close).start()
        with pytest.raises(ValueError):
            first.receive()
        assert first.closed and "closed" in repr(first)
