"""KeyboardInterrupt ends every wait, whichever thread the signal arrives in."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Literal

import pytest
from conftest import OWN

import unipc

# Promised is a tenth of a second.
HANG = 20.0
PROMISED = 0.1


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def _empty_pipe(stack: ExitStack) -> unipc.Stream:
    reader, writer = unipc.pipe()
    stack.enter_context(writer)
    return stack.enter_context(reader)


def _full_pipe(stack: ExitStack) -> unipc.Stream:
    reader, writer = unipc.pipe()
    stack.enter_context(reader)
    writer.write_all(bytes(writer.capacity()))
    return stack.enter_context(writer)


def _pair(stack: ExitStack) -> tuple[unipc.Stream, unipc.Stream]:
    first, second = unipc.Stream.pair_unix()
    return stack.enter_context(first), stack.enter_context(second)


def _framed(stack: ExitStack) -> unipc.Framed:
    first, second = _pair(stack)
    del second
    return stack.enter_context(unipc.Framed(first, largest=1 << 24))


def _listener(stack: ExitStack, path: Path, backlog: int = 0) -> unipc.Listener:
    return stack.enter_context(unipc.Listener.open_unix(path, backlog=backlog))


def _full_queue(stack: ExitStack, path: Path) -> Callable[[], object]:
    _listener(stack, path, 1)
    while True:
        try:
            stack.enter_context(unipc.Stream.connect_unix(path, timeout=0))
        except BlockingIOError:
            return lambda: unipc.Stream.connect_unix(path)


def _fifo(path: Path) -> Path:
    unipc.create_fifo(path)
    return path


def _held_elsewhere(stack: ExitStack, hold: Callable[[], AbstractContextManager[object]]) -> None:
    """By another thread, until the end."""
    held, done = threading.Event(), threading.Event()

    def run() -> None:
        with hold():
            held.set()
            done.wait()

    holder = threading.Thread(target=run)
    holder.start()
    stack.callback(holder.join)
    stack.callback(done.set)
    held.wait()


def _held(stack: ExitStack) -> unipc.Mutex:
    mutex = unipc.Mutex.from_buffer(stack.enter_context(unipc.Memory.anonymous(128)))
    _held_elsewhere(stack, lambda: mutex)
    return mutex


def _spun(stack: ExitStack) -> unipc.Spinlock:
    spinlock = unipc.Spinlock.from_buffer(stack.enter_context(unipc.Memory.anonymous(128)))
    _held_elsewhere(stack, lambda: spinlock)
    return spinlock


def _written(stack: ExitStack) -> unipc.RwLock:
    lock = unipc.RwLock.from_buffer(stack.enter_context(unipc.Memory.anonymous(1024)))
    _held_elsewhere(stack, lock.write)
    return lock


def _condvar(stack: ExitStack, wait: Callable[[unipc.Condvar, unipc.Mutex], object]) -> Callable[[], object]:
    memory = stack.enter_context(unipc.Memory.anonymous(256))
    mutex, condvar = unipc.Mutex.from_buffer(memory), unipc.Condvar.from_buffer(memory, 128)

    def hold_and_wait() -> None:
        with mutex:
            wait(condvar, mutex)

    return hold_and_wait


def _barrier(stack: ExitStack) -> unipc.Barrier:
    barrier = unipc.Barrier.from_buffer(stack.enter_context(unipc.Memory.anonymous(512)))
    barrier.init(2)
    return barrier


def _semaphore(stack: ExitStack, recovering: bool) -> unipc.Semaphore:
    semaphore = unipc.Semaphore.from_buffer(stack.enter_context(unipc.Memory.anonymous(512)))
    if recovering:
        semaphore.init_recovering(1)
        semaphore.wait()
    return semaphore


def _named(stack: ExitStack) -> unipc.PosixSemaphore:
    return stack.enter_context(unipc.PosixSemaphore.create(OWN, temporary=True))


def _mq(stack: ExitStack, messages: int = 0) -> unipc.Mq:
    queue = stack.enter_context(unipc.Mq.create(OWN, capacity=1, largest=8, temporary=True))
    for _ in range(messages):
        queue.send(b"x")
    return queue


def _sysv_queue(stack: ExitStack, messages: int = 0) -> unipc.SysvQueue:
    queue = stack.enter_context(unipc.SysvQueue.create_private(limit=1, temporary=True))
    for _ in range(messages):
        queue.send(b"x")
    return queue


def _sysv_semaphores(stack: ExitStack, units: int = 0) -> unipc.SysvSemaphores:
    return stack.enter_context(unipc.SysvSemaphores.create_private([units], temporary=True))


def _word(stack: ExitStack) -> unipc.Atomic:
    return stack.enter_context(unipc.Memory.anonymous(4)).atomic_u32(0)


def _follower(stack: ExitStack, path: Path) -> unipc.FileFollower:
    unipc.replace_file(path, b"", sync="nothing")
    return stack.enter_context(unipc.FileFollower(path))


def _locked_file(stack: ExitStack, path: Path, kind: Literal["ofd", "flock"]) -> unipc.FileLock:
    holder, other = unipc.FileLock(path, kind=kind), unipc.FileLock(path, kind=kind)
    stack.callback(holder.close)
    stack.callback(other.close)
    holder.lock()
    return other


def _shared_file(stack: ExitStack, path: Path) -> unipc.FileLock:
    holder, other = unipc.FileLock(path), unipc.FileLock(path)
    for lock in (holder, other):
        stack.callback(lock.close)
        lock.lock(shared=True)
    return other


def _unwritable(stack: ExitStack) -> Callable[[], object]:
    framed = _framed(stack)
    try:
        while True:
            framed.send(bytes(1 << 20), timeout=0)
    except BlockingIOError:
        return framed.flush


def _sleeper(stack: ExitStack) -> unipc.Process:
    def end() -> None:
        sleeper.send_signal(signal.SIGKILL)
        sleeper.wait()
        sleeper.close()

    sleeper = unipc.Process.spawn(["sleep", "100"])
    stack.callback(end)
    return sleeper


def _sleepers(stack: ExitStack) -> unipc.Pipeline:
    def end() -> None:
        sleepers.send_signal(signal.SIGKILL)
        sleepers.wait()
        sleepers.close()

    sleepers = unipc.Pipeline.spawn([["sleep", "100"], ["cat"]])
    stack.callback(end)
    return sleepers


def _taking(stack: ExitStack) -> Callable[[], object]:
    stack.enter_context(unipc.BlockedSignals([signal.SIGHUP]))
    return lambda: unipc.take_signal([signal.SIGHUP])


def _flying(stack: ExitStack) -> unipc.Ring:
    try:
        ring = stack.enter_context(unipc.Ring())
    except unipc.Unavailable as why:
        pytest.skip(str(why))
    ring.read(_empty_pipe(stack), 1)
    return ring


def _asking(stack: ExitStack) -> unipc.Poller:
    poller, memory = stack.enter_context(unipc.Poller()), stack.enter_context(unipc.Memory.anonymous(4096))
    poller.add(unipc.Semaphore.from_buffer(memory))
    return poller


def _full_counter(stack: ExitStack) -> unipc.EventFd:
    counter = stack.enter_context(unipc.EventFd())
    counter.add(2**64 - 2)
    return counter


def _socket(stack: ExitStack, kind: type[unipc.Datagram] | type[unipc.Seqpacket]) -> unipc.Datagram | unipc.Seqpacket:
    first, second = kind.pair_unix()
    stack.enter_context(second)
    return stack.enter_context(first)


def _full(stack: ExitStack, kind: type[unipc.Datagram] | type[unipc.Seqpacket]) -> unipc.Datagram | unipc.Seqpacket:
    first = _socket(stack, kind)
    while True:
        try:
            first.send(bytes(4096), timeout=0)
        except BlockingIOError:
            return first


def _full_log(stack: ExitStack, path: Path) -> unipc.Datagram:
    stack.enter_context(unipc.Datagram.open_unix(path))
    sender = stack.enter_context(unipc.Datagram.open_unix())
    while True:
        try:
            sender.send_to(b"x", path, timeout=0)
        except BlockingIOError:
            return sender


def _seqpacket_listener(stack: ExitStack, path: Path) -> unipc.SeqpacketListener:
    return stack.enter_context(unipc.SeqpacketListener.open_unix(path))


WAITS: dict[str, Callable[[ExitStack, Path], Callable[[], object]]] = {
    "read": lambda stack, path: lambda reader=_empty_pipe(stack): reader.read(1),
    "read_into": lambda stack, path: lambda reader=_empty_pipe(stack): reader.read_into(bytearray(1)),
    "read_exact": lambda stack, path: lambda reader=_empty_pipe(stack): reader.read_exact(5000),
    "read_exact_into": lambda stack, path: lambda reader=_empty_pipe(stack): reader.read_exact_into(bytearray(1)),
    "read_vectored_into": lambda stack, path: lambda reader=_empty_pipe(stack): reader.read_vectored_into([bytearray(1)]),
    "read from a socket": lambda stack, path: lambda pair=_pair(stack): pair[0].read(1),
    "write": lambda stack, path: lambda writer=_full_pipe(stack): writer.write(b"x"),
    "write_all": lambda stack, path: lambda pair=_pair(stack): pair[0].write_all(bytes(1 << 24)),
    "write_vectored": lambda stack, path: lambda writer=_full_pipe(stack): writer.write_vectored([b"x", b"y"]),
    "accept": lambda stack, path: lambda listener=_listener(stack, path): listener.accept(),
    "next of a listener": lambda stack, path: lambda listener=_listener(stack, path): next(listener),
    "connect_unix": _full_queue,
    "connect_unix, no listener": lambda stack, path: lambda: unipc.Stream.connect_unix(path, wait_for_listener=True),
    "connect_tcp, no listener": lambda stack, path: lambda: unipc.Stream.connect_tcp(None, 1, wait_for_listener=True),
    "open_fifo_reader": lambda stack, path: lambda fifo=_fifo(path): unipc.Stream.open_fifo_reader(fifo),
    "open_fifo_writer": lambda stack, path: lambda fifo=_fifo(path): unipc.Stream.open_fifo_writer(fifo),
    "open_fifo_reader, no path": lambda stack, path: lambda: unipc.Stream.open_fifo_reader(path, wait_for_creator=None),
    "receive": lambda stack, path: lambda framed=_framed(stack): framed.receive(),
    "receive_into": lambda stack, path: lambda framed=_framed(stack): framed.receive_into(bytearray(1)),
    "next of a framed stream": lambda stack, path: lambda framed=_framed(stack): next(framed),
    "flush": lambda stack, path: _unwritable(stack),
    "open a memory": lambda stack, path: lambda: unipc.Memory.open(f"{OWN}-nobody", wait_for_creator=None),
    "open a file as memory": lambda stack, path: lambda: unipc.Memory.open_file(path / "nobody", wait_for_creator=None),
    "open System V memory": lambda stack, path: lambda: unipc.Memory.open_sysv(0x58585858, wait_for_creator=None),
    "lock": lambda stack, path: lambda mutex=_held(stack): mutex.lock(),
    "with mutex": lambda stack, path: lambda mutex=_held(stack): mutex.__enter__(),
    "lock_recover": lambda stack, path: lambda mutex=_held(stack): mutex.lock_recover(),
    "lock a spinlock": lambda stack, path: lambda spinlock=_spun(stack): spinlock.lock(),
    "with spinlock": lambda stack, path: lambda spinlock=_spun(stack): spinlock.__enter__(),
    "lock_recover a spinlock": lambda stack, path: lambda spinlock=_spun(stack): spinlock.lock_recover(),
    "event": lambda stack, path: lambda event=unipc.Event.from_buffer(stack.enter_context(unipc.Memory.anonymous(128))): event.wait(),
    "read-lock": lambda stack, path: lambda lock=_written(stack): lock.read(),
    "read-lock to recover": lambda stack, path: lambda lock=_written(stack): lock.read_recover(),
    "write-lock": lambda stack, path: lambda lock=_written(stack): lock.write(),
    "write-lock to recover": lambda stack, path: lambda lock=_written(stack): lock.write_recover(),
    "condition variable": lambda stack, path: _condvar(stack, lambda condvar, mutex: condvar.wait(mutex)),
    "condition": lambda stack, path: _condvar(stack, lambda condvar, mutex: condvar.wait_while(mutex, lambda: True)),
    "barrier": lambda stack, path: lambda barrier=_barrier(stack): barrier.wait(),
    "semaphore": lambda stack, path: lambda semaphore=_semaphore(stack, False): semaphore.wait(),
    "recovering semaphore": lambda stack, path: lambda semaphore=_semaphore(stack, True): semaphore.wait(),
    "named semaphore": lambda stack, path: lambda semaphore=_named(stack): semaphore.wait(),
    "System V semaphores": lambda stack, path: lambda semaphores=_sysv_semaphores(stack): semaphores.wait(),
    "System V semaphores to be zero": lambda stack, path: lambda semaphores=_sysv_semaphores(stack, 1): semaphores.wait_zero(),
    "several System V semaphores": lambda stack, path: (
        lambda semaphores=_sysv_semaphores(stack): semaphores.operate([unipc.SysvOperation(0, -2, undo=True)])
    ),
    "open System V semaphores": lambda stack, path: lambda: unipc.SysvSemaphores.open(0x7FFFFFFF, wait_for_creator=None),
    "futex_wait": lambda stack, path: lambda word=_word(stack): word.futex_wait(0),
    "send to a queue": lambda stack, path: lambda queue=_mq(stack, 1): queue.send(b"x"),
    "receive from a queue": lambda stack, path: lambda queue=_mq(stack): queue.receive(),
    "receive_message from a queue": lambda stack, path: lambda queue=_mq(stack): queue.receive_message(),
    "receive_into from a queue": lambda stack, path: lambda queue=_mq(stack): queue.receive_into(bytearray(8)),
    "open a queue": lambda stack, path: lambda: unipc.Mq.open(f"{OWN}-nobody", wait_for_creator=None),
    "send to a System V queue": lambda stack, path: lambda queue=_sysv_queue(stack, 1): queue.send(b"x"),
    "receive from a System V queue": lambda stack, path: lambda queue=_sysv_queue(stack): queue.receive(),
    "receive_message from a System V queue": lambda stack, path: lambda queue=_sysv_queue(stack): queue.receive_message(),
    "receive_into from a System V queue": lambda stack, path: lambda queue=_sysv_queue(stack): queue.receive_into(bytearray(8)),
    "open a System V queue": lambda stack, path: lambda: unipc.SysvQueue.open(0x7FFFFFFF, wait_for_creator=None),
    "lock a file": lambda stack, path: lambda lock=_locked_file(stack, path, "ofd"): lock.lock(),
    "with a locked file": lambda stack, path: lambda lock=_locked_file(stack, path, "flock"): lock.__enter__(),
    "upgrade a file lock": lambda stack, path: lambda lock=_shared_file(stack, path): lock.upgrade(),
    "append a record": lambda stack, path: lambda held=_locked_file(stack, path, "flock"): unipc.append_record(path, b"x"),
    "receive from a file": lambda stack, path: lambda follower=_follower(stack, path): follower.receive(),
    "receive_event from a file": lambda stack, path: lambda follower=_follower(stack, path): follower.receive_event(),
    "next record of a file": lambda stack, path: lambda follower=_follower(stack, path): next(follower),
    "follow a file that is to come": lambda stack, path: lambda: unipc.FileFollower(path, wait_for_creator=None),
    "open a named semaphore": lambda stack, path: lambda: unipc.PosixSemaphore.open(f"{OWN}-nobody", wait_for_creator=None),
    "wait for events": lambda stack, path: stack.enter_context(unipc.Poller()).wait,
    "wait for a ring": lambda stack, path: _flying(stack).wait,
    "wait for what is asked": lambda stack, path: _asking(stack).wait,
    "transfer": lambda stack, path: lambda pipe=_empty_pipe(stack), full=_full_pipe(stack): unipc.transfer(pipe, full),
    "duplicate a pipe": lambda stack, path: lambda pipe=_empty_pipe(stack), full=_full_pipe(stack): unipc.tee(pipe, full, 1),
    "take from a counter": lambda stack, path: lambda counter=stack.enter_context(unipc.EventFd()): counter.take(),
    "add to a counter": lambda stack, path: lambda counter=_full_counter(stack): counter.add(),
    "timer": lambda stack, path: lambda timer=stack.enter_context(unipc.Timer()): timer.wait(),
    "signals": lambda stack, path: lambda signals=stack.enter_context(unipc.Signals([signal.SIGHUP])): signals.receive(),
    "signals of a signalfd": lambda stack, path: (
        lambda signals=stack.enter_context(unipc.Signals([signal.SIGHUP], block=True)): signals.receive()
    ),
    "take_signal": lambda stack, path: _taking(stack),
    "end of a process": lambda stack, path: lambda process=_sleeper(stack): process.wait(),
    "end of a pipeline": lambda stack, path: lambda pipeline=_sleepers(stack): pipeline.wait(),
    "Stream.receive_fds": lambda stack, path: lambda stream=_pair(stack)[0]: stream.receive_fds(1),
    "Stream.send_fds": lambda stack, path: lambda stream=_pair(stack)[0]: stream.send_fds(bytes(1 << 24), [0]),
    "Datagram.receive": lambda stack, path: _socket(stack, unipc.Datagram).receive,
    "Datagram.receive_from": lambda stack, path: lambda socket=_full_log(stack, path): socket.receive_from(),
    "Datagram.receive_into": lambda stack, path: lambda socket=_socket(stack, unipc.Datagram): socket.receive_into(bytearray(1)),
    "Datagram.receive_message": lambda stack, path: _socket(stack, unipc.Datagram).receive_message,
    "Datagram.receive_fds": lambda stack, path: _socket(stack, unipc.Datagram).receive_fds,
    "Datagram.next_size": lambda stack, path: _socket(stack, unipc.Datagram).next_size,
    "Datagram.send": lambda stack, path: lambda socket=_full(stack, unipc.Datagram): socket.send(bytes(4096)),
    "Datagram.send_fds": lambda stack, path: lambda socket=_full(stack, unipc.Datagram): socket.send_fds(bytes(4096), [0]),
    "Datagram.send_to": lambda stack, path: lambda socket=_full_log(stack, path): socket.send_to(b"x", path),
    "Datagram.connect": lambda stack, path: lambda socket=_socket(stack, unipc.Datagram): socket.connect(path, wait_for_listener=True),
    "Seqpacket.receive": lambda stack, path: _socket(stack, unipc.Seqpacket).receive,
    "Seqpacket.receive_into": lambda stack, path: lambda socket=_socket(stack, unipc.Seqpacket): socket.receive_into(bytearray(1)),
    "Seqpacket.receive_message": lambda stack, path: _socket(stack, unipc.Seqpacket).receive_message,
    "Seqpacket.receive_fds": lambda stack, path: _socket(stack, unipc.Seqpacket).receive_fds,
    "Seqpacket.next_size": lambda stack, path: _socket(stack, unipc.Seqpacket).next_size,
    "Seqpacket.send": lambda stack, path: lambda socket=_full(stack, unipc.Seqpacket): socket.send(bytes(4096)),
    "Seqpacket.send_fds": lambda stack, path: lambda socket=_full(stack, unipc.Seqpacket): socket.send_fds(bytes(4096), [0]),
    "Seqpacket.connect_unix": lambda stack, path: lambda: unipc.Seqpacket.connect_unix(path, wait_for_listener=True),
    "SeqpacketListener.accept": lambda stack, path: _seqpacket_listener(stack, path).accept,
}


def _interrupted_after(wait: Callable[[], object], interrupt: Callable[[], None]) -> float:
    sent = [0.0]

    def send() -> None:
        time.sleep(0.07)
        sent[0] = time.monotonic()
        interrupt()

    sender = threading.Thread(target=send)
    try:
        # On a busy machine it may come before the wait has begun.
        with pytest.raises(KeyboardInterrupt):
            sender.start()
            wait()
        return time.monotonic() - sent[0]
    finally:
        sender.join()


@pytest.mark.parametrize("what", WAITS)
def test_an_interrupt_ends(what: str, stack: ExitStack, path: Path) -> None:
    wait = WAITS[what](stack, path)
    # Ten times what is promised: the machine may be busy.
    assert _interrupted_after(wait, lambda: os.kill(os.getpid(), signal.SIGINT)) < 10 * PROMISED
    # In the thread that sends it: the kernel's call in the main thread is not interrupted.
    own = threading.get_ident
    assert _interrupted_after(wait, lambda: signal.pthread_kill(own(), signal.SIGINT)) < 10 * PROMISED


def test_other_handlers_run_and_the_wait_goes_on() -> None:
    reader, writer = unipc.pipe()
    ran: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: ran.append(number))
    try:
        with reader, writer:
            for _ in range(3):
                threading.Timer(0.03, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
                with pytest.raises(TimeoutError):
                    reader.read(1, timeout=0.15)
            assert ran == [signal.SIGUSR1] * 3
            threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
            late = threading.Timer(0.1, lambda: writer.write(b"x"))
            late.start()
            assert reader.read(1, timeout=HANG) == b"x"
            late.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
