from __future__ import annotations

import array
import errno
import multiprocessing
import os
import selectors
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import targets
from conftest import stop_helpers

import unipc

HANG = 20.0


def test_bytes_pass_through_a_pipe_and_its_end_is_seen() -> None:
    reader, writer = unipc.pipe()
    with reader:
        with writer:
            assert writer.write(b"hello") == 5
            assert reader.read(100) == b"hello"
            writer.write_all(bytes(range(256)))
        assert reader.read_exact(256) == bytes(range(256))
        assert reader.read(1) == b""
        with pytest.raises(unipc.EndOfStream) as raised:
            reader.read_exact(1)
        assert isinstance(raised.value, EOFError)
        assert isinstance(raised.value, OSError)
        assert raised.value.code == -10001


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 65536, 1 << 20])
def test_every_size_arrives_whole(size: int) -> None:
    first, second = unipc.Stream.pair_unix()
    data = os.urandom(size)
    with first, second:
        sender = threading.Thread(target=first.write_all, args=(data,))
        sender.start()
        assert second.read_exact(size, timeout=HANG) == data
        sender.join()
        sender = threading.Thread(target=first.write_all, args=(data,))
        sender.start()
        got = bytearray()
        while len(got) < size:
            got += second.read(size, timeout=HANG)
        sender.join()
        assert got == data


def test_any_buffer_is_written_and_filled() -> None:
    reader, writer = unipc.pipe()
    with reader, writer:
        numbers = array.array("i", [1, 2, 3])
        for data in (bytearray(b"ab"), memoryview(b"xaby")[1:3], numbers):
            assert writer.write(data) == memoryview(data).nbytes
        buffer = bytearray(4)
        assert reader.read_into(buffer) == 4
        assert buffer == b"abab"
        filled = array.array("i", [0, 0, 0])
        reader.read_exact_into(filled)
        assert filled == numbers
        assert writer.write_vectored([b"one", b"", b"two"]) == 6
        parts = [bytearray(2), bytearray(4)]
        assert reader.read_vectored_into(parts) == 6
        assert parts == [b"on", b"etwo"]
        with pytest.raises(BufferError):
            reader.read_into(b"constant")
        with pytest.raises(TypeError):
            writer.write("text")


def test_not_waiting_and_running_out_are_told_apart() -> None:
    reader, writer = unipc.pipe()
    with reader, writer:
        with pytest.raises(BlockingIOError) as never:
            reader.read(1, timeout=0)
        assert never.value.errno == errno.EAGAIN
        start = time.monotonic()
        with pytest.raises(TimeoutError) as late:
            reader.read(1, timeout=0.05)
        assert late.value.errno == errno.ETIMEDOUT
        assert time.monotonic() - start >= 0.05
        with pytest.raises(BlockingIOError):
            reader.read(1, timeout=-1)
        with pytest.raises(ValueError, match="seconds"):
            reader.read(1, timeout=float("nan"))
        writer.write(b"x")
        assert reader.read(1, timeout=float("inf")) == b"x"


def test_how_much_had_passed_is_told() -> None:
    reader, writer = unipc.pipe()
    with reader, writer:
        writer.write(b"abc")
        with pytest.raises(TimeoutError) as late:
            reader.read_exact(5, timeout=0.02)
        assert late.value.transferred == 3
        room = writer.capacity()
        with pytest.raises(TimeoutError) as full:
            writer.write_all(bytes(room + 1), timeout=0.02)
        assert full.value.transferred == room


def test_that_nothing_had_passed_is_told(tmp_path: Path) -> None:
    reader, writer = unipc.pipe()
    first, second = unipc.Stream.pair_unix()
    with reader, writer, first, second, unipc.Framed(first) as framed:
        calls: list[Callable[[float], object]] = [
            lambda timeout: reader.read_exact(1, timeout=timeout),
            lambda timeout: reader.read_exact_into(bytearray(1), timeout=timeout),
            lambda timeout: unipc.transfer(reader, 1, timeout=timeout),
        ]
        for call in calls:
            for timeout, kind in ((0.0, BlockingIOError), (0.001, TimeoutError)):
                with pytest.raises(kind) as nothing:
                    call(timeout)
                assert vars(nothing.value) == {"transferred": 0}
        writer.write_all(bytes(writer.capacity()))
        with pytest.raises(BlockingIOError) as full:
            writer.write_all(b"x", timeout=0)
        assert vars(full.value) == {"transferred": 0}
        with pytest.raises(unipc.EndOfStream) as ended:
            second.shutdown("write")
            framed.into_stream().read_exact(1)
        assert ended.value.transferred == 0
    third, fourth = unipc.Stream.pair_unix()
    fourth.close()
    with third, pytest.raises(BrokenPipeError) as broken:
        third.send_fds(b"x", [0])
    assert vars(broken.value) == {"transferred": 0}


def test_errors_have_errno_and_filename(path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        unipc.Stream.connect_unix(path)
    assert missing.value.errno == errno.ENOENT
    assert missing.value.filename == str(path)
    path.write_text("")
    with pytest.raises(unipc.WrongKind) as wrong:
        unipc.Stream.connect_unix(path)
    assert wrong.value.filename == str(path)
    assert wrong.value.errno is None
    assert str(path) in str(wrong.value)
    reader, writer = unipc.pipe()
    reader.close()
    with writer, pytest.raises(BrokenPipeError):
        writer.write(b"x")


def test_a_closed_stream_says_so() -> None:
    reader, writer = unipc.pipe()
    writer.close()
    writer.close()
    assert writer.closed
    assert "closed" in repr(writer)
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"x")
    with pytest.raises(ValueError, match="closed"):
        writer.fileno()
    reader.close()


def test_closing_wakes_who_waits() -> None:
    reader, writer = unipc.pipe()
    results: list[BaseException] = []

    def wait() -> None:
        try:
            reader.read(1)
        except ValueError as error:
            results.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.05)
    reader.close()
    waiting.join(HANG)
    assert not waiting.is_alive()
    assert "closed" in str(results[0])
    writer.close()


def test_other_threads_run_while_one_waits() -> None:
    reader, writer = unipc.pipe()
    with reader, writer:
        late = threading.Timer(0.05, writer.write, args=(b"x",))
        late.start()
        assert reader.read(1, timeout=HANG) == b"x"
        late.join()


def test_fileno_suits_selectors() -> None:
    first, second = unipc.Stream.pair_unix()
    with first, second, selectors.DefaultSelector() as selector:
        selector.register(second, selectors.EVENT_READ)
        assert selector.select(0) == []
        first.write(b"x")
        assert len(selector.select(HANG)) == 1


def test_descriptors_come_and_go() -> None:
    fds = os.pipe()
    reader, writer = (unipc.Stream.from_fd(fd) for fd in fds)
    assert not os.get_inheritable(fds[0])
    writer.write(b"x")
    fd = reader.into_fd()
    assert reader.closed
    assert os.read(fd, 10) == b"x"
    os.close(fd)
    writer.close()
    with pytest.raises(OSError, match="adopt") as bad:
        unipc.Stream.from_fd(-1)
    assert bad.value.errno == errno.EBADF
    directory = os.open("/", os.O_RDONLY)
    with pytest.raises(unipc.WrongKind):
        unipc.Stream.from_fd(directory)
    os.close(directory)


def test_a_listener_accepts_and_knows_its_peer(path: Path) -> None:
    with unipc.Listener.open_unix(path, mode=0o640) as listener:
        assert path.stat().st_mode & 0o777 == 0o640
        assert listener.address() == str(path)
        with unipc.Stream.connect_unix(path, timeout=HANG) as client, listener.accept(timeout=HANG) as served:
            peer = served.peer_credentials()
            assert (peer.pid, peer.uid, peer.gid) == (os.getpid(), os.geteuid(), os.getegid())
            assert repr(peer) == f"Credentials(pid={os.getpid()}, uid={os.geteuid()}, gid={os.getegid()})"
            assert client.peer_address() == str(path)
            os.close(served.peer_pidfd())
            client.shutdown("write")
            assert served.read(1) == b""
        with pytest.raises(ValueError, match="no port"):
            listener.port()
        with pytest.raises(BlockingIOError):
            listener.accept(timeout=0)
    assert not path.exists()


def test_iteration_ends_when_the_listener_is_closed() -> None:
    listener = unipc.Listener.open_tcp()
    served: list[bytes] = []

    def serve() -> None:
        for stream in listener:
            with stream:
                served.append(stream.read(10))

    server = threading.Thread(target=serve)
    server.start()
    with unipc.Stream.connect_tcp("127.0.0.1", listener.port(), timeout=HANG) as client:
        client.write(b"hello")
        client.shutdown("write")
        client.read(1, timeout=HANG)
    listener.close()
    server.join(HANG)
    assert not server.is_alive()
    assert served == [b"hello"]


def test_a_refused_connection_is_told() -> None:
    with unipc.Listener.open_tcp() as listener:
        port = listener.port()
    with pytest.raises(ConnectionRefusedError):
        unipc.Stream.connect_tcp("localhost", port, timeout=HANG)


def test_both_ends_of_a_fifo(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    unipc.create_fifo(fifo, mode=0o620)
    assert fifo.stat().st_mode & 0o777 == 0o620
    with pytest.raises(FileExistsError):
        unipc.create_fifo(fifo)
    with pytest.raises(BlockingIOError):
        unipc.Stream.open_fifo_writer(fifo, timeout=0)
    with unipc.Stream.open_fifo_reader(fifo, unpaired=True) as reader, unipc.Stream.open_fifo_writer(fifo, timeout=HANG) as writer:
        writer.write(b"x")
        assert reader.read(10) == b"x"
    unipc.unlink_fifo(fifo)
    with pytest.raises(FileNotFoundError):
        unipc.unlink_fifo(fifo)


def test_messages_keep_their_boundaries() -> None:
    first, second = unipc.Stream.pair_unix()
    with unipc.Framed(first, largest=1 << 20) as sender, unipc.Framed(second) as receiver:
        assert first.closed
        messages = [b"", b"one", bytes(5000), os.urandom(100_000)]
        thread = threading.Thread(target=lambda: [sender.send(message) for message in messages])
        thread.start()
        assert [receiver.receive(timeout=HANG) for _ in messages] == messages
        thread.join()
        with pytest.raises(OSError, match="limit") as large:
            sender.send(bytes((1 << 20) + 1))
        assert large.value.errno == errno.EMSGSIZE
        sender.send(b"twelve bytes")
        with pytest.raises(OSError, match="buffer") as small:
            receiver.receive_into(bytearray(4))
        assert small.value.errno == errno.EMSGSIZE
        assert receiver.next_size() == 12
        buffer = bytearray(20)
        assert receiver.receive_into(buffer) == 12
        assert buffer[:12] == b"twelve bytes"
        sender.send(b"a")
        sender.send(b"b")
        sender.close()
        assert list(receiver) == [b"a", b"b"]


def test_one_direction_is_for_one_thread_at_a_time() -> None:
    first, second = unipc.Stream.pair_unix()
    with unipc.Framed(first) as here, unipc.Framed(second) as there:
        receiving = threading.Thread(target=lambda: here.receive(timeout=HANG))
        receiving.start()
        time.sleep(0.05)
        with pytest.raises(OSError, match="another thread") as busy:
            here.receive(timeout=1)
        assert busy.value.errno == errno.EBUSY
        here.send(b"the other way is free")
        there.send(b"end")
        receiving.join(HANG)
        assert there.receive(timeout=HANG) == b"the other way is free"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_streams_travel_to_children(method: str) -> None:
    context = multiprocessing.get_context(method)
    ours, theirs = unipc.Stream.pair_unix()
    with ours, unipc.Listener.open_tcp() as listener:
        child = context.Process(target=targets.answer, args=(theirs, listener))
        child.start()
        theirs.close()
        assert ours.read(100, timeout=HANG) == f"from the child: {listener.port()}".encode()
        assert ours.read(1, timeout=HANG) == b""
        child.join(HANG)
        assert child.exitcode == 0
        child.close()
    stop_helpers()


def test_a_stop_token_ends_a_wait() -> None:
    stop = unipc.Stop()
    reader, writer = unipc.pipe()
    with reader, writer:
        with stop.bound() as bound:
            assert bound is stop
            timer = threading.Timer(0.05, stop.request)
            timer.start()
            with pytest.raises(OSError, match="Stopped") as stopped:
                reader.read(1, timeout=HANG)
            assert stopped.value.errno == errno.ECANCELED
            timer.join()
            assert stop.is_requested()
            stop.reset()
            with pytest.raises(TimeoutError):
                reader.read(1, timeout=0.01)
            stop.request()
        with pytest.raises(TimeoutError):
            reader.read(1, timeout=0.01)
