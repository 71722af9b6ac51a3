"""Ends of what a loop waits for: with and without the loop, in other threads, in failures."""

from __future__ import annotations

import asyncio
import errno
import threading
from pathlib import Path

import pytest

import unipc
import unipc.aio

HANG = 20.0


def test_close_needs_no_loop(path: Path) -> None:
    unipc.aio.Listener.open_unix(path).close()

    async def make() -> unipc.aio.Listener:
        listener = unipc.aio.Listener.open_unix(path)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await listener.accept()
        return listener

    listener = asyncio.run(make())
    listener.close()
    assert listener.closed
    loop = asyncio.new_event_loop()
    reader, writer = (unipc.aio.Stream(end) for end in unipc.pipe())
    waiting = loop.create_task(reader.read(1))
    loop.run_until_complete(asyncio.sleep(0))
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        loop.run_until_complete(waiting)
    reader, writer_again = (unipc.aio.Stream(end) for end in unipc.pipe())
    abandoned = loop.create_task(reader.read(1))
    loop.run_until_complete(asyncio.sleep(0))
    abandoned.cancel()
    loop.run_until_complete(asyncio.gather(abandoned, return_exceptions=True))
    loop.close()
    for stream in (reader, writer, writer_again):
        stream.close()


def test_close_in_another_thread_wakes() -> None:
    async def main() -> None:
        for has_loop in (False, True):
            reader, writer = (unipc.aio.Stream(end) for end in unipc.pipe())

            async def close_there(reader: unipc.aio.Stream = reader) -> None:
                reader.close()

            close = (lambda there=close_there: asyncio.run(there())) if has_loop else reader.close
            waiting = asyncio.create_task(reader.read(1))
            await asyncio.sleep(0.01)
            closing = threading.Thread(target=close)
            closing.start()
            async with asyncio.timeout(HANG):
                with pytest.raises(ValueError, match="closed"):
                    await waiting
            closing.join()
            assert reader.closed
            writer.close()

    asyncio.run(main())


def test_iterating_ends_with_a_close() -> None:
    async def main() -> None:
        first, second = unipc.Stream.pair_unix()
        framed = unipc.aio.Framed(unipc.aio.Stream(first))
        asyncio.get_running_loop().call_later(0.02, framed.close)
        async with asyncio.timeout(HANG):
            assert [message async for message in framed] == []
        second.close()

    asyncio.run(main())


def test_a_stream_that_a_task_waits_for_is_not_framed() -> None:
    async def main() -> None:
        first, second = unipc.Stream.pair_unix()
        async with unipc.aio.Stream(first) as stream:
            waiting = asyncio.create_task(stream.read(1))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="waits"):
                unipc.aio.Framed(stream)
            second.close()
            assert await waiting == b""

    asyncio.run(main())


def test_a_loop_that_refuses_leaves_the_direction_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    async def main() -> None:
        first, second = unipc.Stream.pair_unix()
        async with unipc.aio.Stream(first) as stream, unipc.aio.Stream(second) as other:
            with monkeypatch.context() as patch:
                patch.setattr(asyncio.get_running_loop(), "add_reader", refuse)
                for _ in range(2):
                    with pytest.raises(OSError, match="no room"):
                        await stream.read(1)
            await other.write(b"x")
            assert await stream.read(1) == b"x"

    asyncio.run(main())


def test_connecting_fails_as_without_asyncio() -> None:
    async def main() -> None:
        with unipc.Listener.open_tcp() as listener:
            wrong = listener.port() + 65536
            for port in (wrong, 0, -1):
                with pytest.raises(OSError, match="port") as refused:
                    await unipc.aio.Stream.connect_tcp(None, port)
                assert refused.value.errno == errno.EINVAL
            with pytest.raises(OSError, match="family") as refused:
                await unipc.aio.Stream.connect_tcp(None, listener.port(), family=5)
            assert refused.value.errno == errno.EINVAL
            (await unipc.aio.Stream.connect_tcp("[127.0.0.1]", listener.port())).close()
        for host in ("nonexistent.invalid", "a" * 100 + ".invalid"):
            with pytest.raises(OSError, match="connect to TCP") as unknown:
                await unipc.aio.Stream.connect_tcp(host, 1)
            assert (unknown.value.errno, unknown.value.filename) == (errno.EADDRNOTAVAIL, host)

    asyncio.run(main())
