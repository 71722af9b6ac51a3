from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import unipc
import unipc.aio

HANG = 20.0


async def _echo(listener: unipc.aio.Listener) -> None:
    async for stream in listener:
        async with unipc.aio.Framed(stream) as served:
            async for message in served:
                await served.send(message)


def test_a_server_and_its_clients(path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(HANG), unipc.aio.Listener.open_unix(path) as listener:
            server = asyncio.create_task(_echo(listener))
            messages = [b"", b"one", bytes(3_000_000)]
            async with unipc.aio.Framed(await unipc.aio.Stream.connect_unix(path)) as client:
                for message in messages:
                    await client.send(message)
                    assert await client.receive() == message
            listener.close()
            await server

    asyncio.run(main())


def test_many_tasks_share_a_thread() -> None:
    async def talk(number: int, port: int) -> None:
        async with await unipc.aio.Stream.connect_tcp("127.0.0.1", port) as stream:
            await stream.write_all(str(number).encode().rjust(8))
            assert await stream.read_exact(8) == str(number).encode().rjust(8)

    async def serve(stream: unipc.aio.Stream) -> None:
        async with stream:
            await stream.write_all(await stream.read_exact(8))

    async def main() -> None:
        async with asyncio.timeout(HANG), unipc.aio.Listener.open_tcp() as listener, asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(talk(number, listener.port()))
            for _ in range(20):
                group.create_task(serve(await listener.accept()))

    asyncio.run(main())


def test_ends_and_limits() -> None:
    async def main() -> None:
        reader, writer = (unipc.aio.Stream(stream) for stream in unipc.pipe())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await reader.read(1)
        waiting = asyncio.create_task(reader.read(1))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task"):
            await reader.read(1)
        await writer.write(b"x")
        assert await waiting == b"x"
        await writer.write(b"ab")
        writer.close()
        with pytest.raises(unipc.Truncated) as cut:
            await reader.read_exact(3)
        assert cut.value.transferred == 2
        with pytest.raises(unipc.EndOfStream):
            await reader.read_exact(3)
        assert await reader.read(1) == b""
        reader.close()
        reader, writer = (unipc.aio.Stream(stream) for stream in unipc.pipe())
        waiting = asyncio.create_task(reader.read(1))
        await asyncio.sleep(0.01)
        reader.close()
        with pytest.raises(ValueError, match="closed"):
            await waiting
        writer.close()

    asyncio.run(main())


def test_a_listener_that_comes_late(path: Path) -> None:
    async def main() -> None:
        with pytest.raises(FileNotFoundError):
            await unipc.aio.Stream.connect_unix(path)
        connecting = asyncio.create_task(unipc.aio.Stream.connect_unix(path, wait_for_listener=True))
        await asyncio.sleep(0.02)
        async with unipc.aio.Listener.open_unix(path), asyncio.timeout(HANG):
            (await connecting).close()

    asyncio.run(main())


def test_a_follower_is_awaited(path: Path) -> None:
    class Silent:
        """A follower without inotify."""

        def __init__(self, follower: unipc.FileFollower) -> None:
            self.follower = follower

        def __getattr__(self, name: str) -> object:
            return getattr(self.follower, name)

        def fileno(self) -> int:
            raise unipc.Unavailable(0, "no inotify")

    async def main(follower: unipc.FileFollower) -> None:
        async with asyncio.timeout(HANG), unipc.aio.FileFollower(follower) as log:
            assert await log.receive() == b"first"
            asyncio.get_running_loop().call_later(0.02, unipc.append_record, path, b"second")
            async for record in log:
                assert record == b"second"
                break
            asyncio.get_running_loop().call_later(0.02, path.unlink)
            assert (await log.receive_event()).kind == "deleted"
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await log.receive()
            waiting = asyncio.create_task(log.receive())
            await asyncio.sleep(0.01)
            log.close()
            with pytest.raises(ValueError, match="closed"):
                await waiting

    for wrap in (lambda follower: follower, Silent):
        unipc.append_record(path, b"first")
        asyncio.run(main(wrap(unipc.FileFollower(path))))  # type: ignore[no-untyped-call]
