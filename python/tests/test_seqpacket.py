"""SEQPACKET sockets."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from test_datagram import forked

import unipc
import unipc.aio

HANG = 20.0


def test_a_connection_has_an_end_and_empty_messages(tmp_path: Path) -> None:
    path = tmp_path / "server"
    with unipc.SeqpacketListener.open_unix(path) as listener, unipc.Seqpacket.connect_unix(path) as client, listener.accept() as server:
        for message in (b"one", b"", b"three"):
            client.send(message)
        client.shutdown("write")
        assert list(server) == [b"one", b"", b"three"]
        with pytest.raises(unipc.EndOfStream):
            server.receive()
        server.send(b"still")
        assert client.receive() == b"still"
        assert client.peer_address() == listener.address() == str(path)
        assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert not (tmp_path / "server").exists()


def test_sizes_at_the_limits() -> None:
    first, second = unipc.Seqpacket.pair_unix()
    with first, second:
        buffer = bytearray(10)
        for size in (0, 9, 10):
            first.send(b"x" * size)
            assert second.next_size() == size
            assert second.receive_into(buffer) == size and buffer[:size] == b"x" * size
            first.send(b"x" * size)
            assert second.receive(10) == b"x" * size
        for receive in (second.receive_into, lambda buffer: second.receive(len(buffer))):
            first.send(b"x" * 11)
            with pytest.raises(OSError) as caught:
                receive(buffer)
            assert caught.value.errno == errno.EMSGSIZE and caught.value.transferred == 11  # type: ignore[attr-defined]
        with pytest.raises(OSError) as caught:
            first.send(bytes(1 << 24))
        assert caught.value.errno == errno.EMSGSIZE


def test_who_is_there(tmp_path: Path) -> None:
    with unipc.SeqpacketListener.open_unix(tmp_path / "server", credentials=True) as listener:

        def talk() -> None:
            with unipc.Seqpacket.connect_unix(tmp_path / "server") as client:
                client.send(b"it is me")
                with forked(lambda: client.send(b"and my child")):
                    pass
                client.receive(timeout=HANG)

        with forked(talk) as pid, listener.accept(timeout=HANG) as server:
            peer = server.peer_credentials()
            assert (peer.pid, peer.uid, peer.gid) == (pid, os.geteuid(), os.getegid())
            assert sorted(server.peer_groups()) == sorted(os.getgroups())
            try:
                label = server.peer_label()
                assert label
            except unipc.Unavailable:
                pass
            try:
                pidfd = server.peer_pidfd()
                signal.pidfd_send_signal(pidfd, 0)
                os.close(pidfd)
            except unipc.Unavailable:
                assert tuple(map(int, os.uname().release.split(".")[:2])) < (6, 5) or not os.uname().release[0].isdigit()
            message = server.receive_message(timeout=HANG)
            assert message.data == b"it is me" and message.sender is not None and message.sender.pid == pid
            message = server.receive_message(timeout=HANG)
            # The connection is the parent's, the message its child's.
            assert message.data == b"and my child" and message.sender is not None and message.sender.pid not in (pid, os.getpid())
            server.send(b"enough")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to play another user")
def test_another_user(tmp_path: Path) -> None:
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o711)
    closed, opened = tmp_path / "closed", tmp_path / "open"
    with unipc.SeqpacketListener.open_unix(closed), unipc.SeqpacketListener.open_unix(opened, mode=0o666) as listener:

        def be_another() -> None:
            os.setgroups([777])
            os.setresgid(12346, 12346, 12346)
            os.setresuid(12345, 12345, 12345)
            with pytest.raises(PermissionError):
                unipc.Seqpacket.connect_unix(closed)
            with unipc.Seqpacket.connect_unix(opened) as client, pytest.raises(unipc.EndOfStream):
                client.receive(timeout=HANG)

        with forked(be_another), listener.accept(timeout=HANG) as server:
            peer = server.peer_credentials()
            assert (peer.uid, peer.gid, server.peer_groups()) == (12345, 12346, [777])


def test_a_peer_that_is_killed_leaves_whole_messages(tmp_path: Path) -> None:
    path, rounds = tmp_path / "server", random.Random(7)
    with unipc.SeqpacketListener.open_unix(path) as listener:
        for _ in range(20):

            def send() -> None:
                with unipc.Seqpacket.connect_unix(path) as client:
                    for number in range(1 << 30):
                        client.send(b"%d " % number * 100)

            pid = os.fork()
            if pid == 0:
                try:
                    send()
                finally:
                    os._exit(1)
            with listener.accept(timeout=HANG) as server:
                time.sleep(rounds.random() / 200)
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                for number, message in enumerate(server):
                    assert message == b"%d " % number * 100


def test_a_listener_that_is_killed_leaves_a_path_that_the_next_one_takes(tmp_path: Path) -> None:
    path = str(tmp_path / "server")
    program = f"import unipc; listener = unipc.SeqpacketListener.open_unix({path!r}); print(flush=True); listener.accept()"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        with pytest.raises(OSError) as caught:
            unipc.SeqpacketListener.open_unix(path)
        assert caught.value.errno == errno.EADDRINUSE
        process.kill()
    with pytest.raises(ConnectionRefusedError):
        unipc.Seqpacket.connect_unix(path)
    with unipc.SeqpacketListener.open_unix(path) as listener:
        with forked(listener.close):
            pass
        with unipc.Seqpacket.connect_unix(path) as client, listener.accept(timeout=HANG) as server:
            with forked(lambda: client.send(b"from the child")):
                pass
            assert server.receive(timeout=HANG) == b"from the child"
    assert not Path(path).exists()


def test_a_peer_that_did_not_take_everything_is_told() -> None:
    first, second = unipc.Seqpacket.pair_unix()
    with first:
        first.send(b"never read")
        second.send(b"the last word")
        second.close()
        assert first.receive() == b"the last word"
        with pytest.raises(ConnectionResetError):
            first.receive()
        with pytest.raises(BrokenPipeError):
            first.send(b"x")


def test_the_socket_module_understands(tmp_path: Path) -> None:
    with unipc.SeqpacketListener.open_unix(tmp_path / "ours") as listener:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as plain:
            plain.connect(str(tmp_path / "ours"))
            with listener.accept() as accepted:
                for message in (b"one", b"", b"three"):
                    plain.send(message)
                    assert accepted.receive() == message
                    accepted.send(message)
                    assert plain.recv(100) == message
                plain.close()
                assert list(accepted) == []
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream, pytest.raises(OSError) as caught:
            stream.connect(str(tmp_path / "ours"))
        assert caught.value.errno == errno.EPROTOTYPE
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as plain:
        plain.bind(str(tmp_path / "theirs"))
        plain.listen()
        with unipc.Seqpacket.connect_unix(tmp_path / "theirs") as client:
            accepted_plain, _ = plain.accept()
            with accepted_plain:
                client.send(b"hello")
                assert accepted_plain.recv(100) == b"hello"
                accepted_plain.send(b"answer")
                assert client.receive() == b"answer"
            with pytest.raises(unipc.EndOfStream):
                client.receive()
        with unipc.SeqpacketListener.from_fd(plain.detach()) as adopted, unipc.Seqpacket.connect_unix(tmp_path / "theirs"):
            adopted.accept(timeout=HANG).close()
    with unipc.SeqpacketListener.open_unix(tmp_path / "ours") as listener, pytest.raises(unipc.WrongKind):
        unipc.Seqpacket.from_fd(listener.fileno())
    first, second = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with second, unipc.Seqpacket.from_fd(first.detach(), credentials=True) as adopted_end:
        second.send(b"x")
        message = adopted_end.receive_message()
        assert message.sender is not None and message.sender.pid == os.getpid()


def test_socat(tmp_path: Path) -> None:
    with unipc.SeqpacketListener.open_unix(tmp_path / "ours") as listener:
        process = subprocess.Popen(["socat", "-t", "5", f"UNIX-CONNECT:{tmp_path}/ours,type=5", "EXEC:cat"])
        with listener.accept(timeout=HANG) as echo:
            for message in (b"one", b"two"):
                echo.send(message)
                assert echo.receive(timeout=HANG) == message
        process.wait(HANG)
    process = subprocess.Popen(["socat", "-t", "5", f"UNIX-LISTEN:{tmp_path}/theirs,type=5", "EXEC:cat"])
    with unipc.Seqpacket.connect_unix(tmp_path / "theirs", timeout=HANG, wait_for_listener=True) as echo:
        for message in (b"one", b"two"):
            echo.send(message)
            assert echo.receive(timeout=HANG) == message
    process.wait(HANG)


def test_asyncio(tmp_path: Path) -> None:
    async def main() -> None:
        async with unipc.aio.SeqpacketListener.open_unix(tmp_path / "server") as listener:

            async def serve() -> None:
                async for peer in listener:
                    async with peer:
                        async for message in peer:
                            await peer.send(message + b"!")

            task = asyncio.create_task(serve())
            for _ in range(3):
                async with await unipc.aio.Seqpacket.connect_unix(tmp_path / "server") as client:
                    for message in (b"one", b"", b"three"):
                        await client.send(message)
                        assert await client.receive() == message + b"!"
            await asyncio.sleep(0)
            listener.close()
            await task

        async def late() -> None:
            async with await unipc.aio.Seqpacket.connect_unix(tmp_path / "late", wait_for_listener=True) as client:
                await client.send(b"x" * 1000)

        connecting = asyncio.create_task(late())
        await asyncio.sleep(0.02)
        async with unipc.aio.SeqpacketListener.open_unix(tmp_path / "late", credentials=True) as listener:
            async with await listener.accept() as server:
                message = await server.receive_message()
                assert message.data == b"x" * 1000 and message.sender is not None and message.sender.pid == os.getpid()
            await connecting

    asyncio.run(asyncio.wait_for(main(), HANG))


def test_a_closed_socket_wakes_who_waits(tmp_path: Path) -> None:
    first, second = unipc.Seqpacket.pair_unix()
    with second:
        threading.Timer(0.05, first.close).start()
        with pytest.raises(ValueError):
            first.receive()
        assert first.closed and "closed" in repr(first)
    listener = unipc.SeqpacketListener.open_unix(tmp_path / "server")
    threading.Timer(0.05, listener.close).start()
    assert list(listener) == []
