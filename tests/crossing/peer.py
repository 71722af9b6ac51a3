"""The Python peer of the crossing tests: every role by the module unipc. The protocol with the test is told in peer.h."""

import ctypes
import errno
import os
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path

import unipc

PATIENCE = 20.0  # seconds that a peer is waited for that may have died
BYTES = 200001
CUT = 1 << 20
PAGE = 4096
TOGETHER = 500  # how often two peers use each lock together
SIZES = (0, 1, select.PIPE_BUF - 1, select.PIPE_BUF, select.PIPE_BUF + 1, 70000)
SALT_BYTES, SALT_MEMORY, SALT_TO_SERVER, SALT_TO_CLIENT, SALT_FRAMES = range(1, 6)


def pattern(length: int, salt: int) -> bytes:
    return bytes((index * 131 + (index >> 8) + salt * 17) & 255 for index in range(length))


def check(condition: bool, what: object = "") -> None:
    """Not assert: that can be switched off."""
    if not condition:
        raise RuntimeError(f"not so: {what}")


def fails(number: int, call: Callable[[], object]) -> None:
    """The call must fail with this errno."""
    try:
        result = call()
    except OSError as error:
        check(error.errno == number, f"{error!r} has errno {error.errno}, not {number}")
    else:
        raise RuntimeError(f"{result!r} instead of errno {number}")


def say(line: str) -> None:
    print(line, flush=True)


def await_go() -> None:
    check(sys.stdin.readline() == "go\n", "the test says go")


def await_death() -> None:
    sys.stdin.read()
    raise RuntimeError("the test is gone")


# ---- one mutex and what it guards


class Counter(ctypes.Structure):
    _fields_ = [("lock", unipc.c_mutex), ("value", ctypes.c_int64), ("backup", ctypes.c_int64)]


def open_counter(name: str) -> tuple[Counter, unipc.Mutex]:
    shared = Counter.from_buffer(unipc.Memory.open_or_create(name, ctypes.sizeof(Counter)))
    return shared, unipc.Mutex.from_buffer(shared.lock)


def await_change(shared: Counter, lock: unipc.Mutex, last: int) -> None:
    end, seen = time.monotonic() + PATIENCE, last
    while seen == last:
        check(time.monotonic() < end, "the other one counts")
        time.sleep(0.001)
        with lock.lock(timeout=PATIENCE):
            seen = shared.value


def count(name: str, times: str) -> None:
    """Each waits for the other's first, or two that are fast might never meet; and ten times it sleeps in the middle of counting, where the
    mutex alone keeps the other one out.
    """
    shared, lock = open_counter(name)
    taken_turns, last = 0, 0
    say("ready")
    await_go()
    for number in range(int(times)):
        with lock.lock(timeout=PATIENCE):
            seen = shared.value
            if number % (int(times) // 10) == 0:
                time.sleep(0.001)
            if number > 0 and seen != last:
                taken_turns += 1
            last = seen + 1
            shared.value = last
        if number == 0:
            await_change(shared, lock, last)
    say(f"counted {taken_turns}")


def hold(name: str) -> None:
    shared, lock = open_counter(name)
    with lock.lock(timeout=PATIENCE):
        shared.backup = shared.value
        shared.value = -1
        say("locked")
        await_death()


def recover(name: str) -> None:
    shared, lock = open_counter(name)
    check(not lock.try_lock(), "another holds it")
    say("waiting")
    fails(errno.EOWNERDEAD, lambda: lock.lock(timeout=PATIENCE))
    fails(errno.EOWNERDEAD, lock.try_lock)
    with lock.lock_recover(timeout=PATIENCE) as guard:
        check(guard.needs_repair, "the holder died")
        check(shared.value == -1, shared.value)
        shared.value = shared.backup
        guard.mark_consistent()
        check(not guard.needs_repair, "it is repaired")
    say("repaired")


def clean(name: str, value: str) -> None:
    shared, lock = open_counter(name)
    with lock.lock(timeout=PATIENCE):
        check(shared.value == int(value), shared.value)
    with lock.lock_recover(timeout=PATIENCE) as guard:
        check(not guard.needs_repair, "nothing is to be repaired")


# ---- the other locks, and what they guard


class Table(ctypes.Structure):
    _fields_ = [
        ("mutex", unipc.c_mutex),
        ("changed", unipc.c_condvar),
        ("spinlock", unipc.c_spinlock),
        ("there", unipc.c_event),
        ("back", unipc.c_event),
        ("barrier", unipc.c_barrier),
        ("rwlock", unipc.c_rwlock),
        ("spun", ctypes.c_int64),
        ("written", ctypes.c_int64),
        ("backup", ctypes.c_int64),
        ("turns", ctypes.c_int64),
    ]


class Locks:
    def __init__(self, name: str) -> None:
        self.table = table = Table.from_buffer(unipc.Memory.open_or_create(name, ctypes.sizeof(Table)))
        self.mutex = unipc.Mutex.from_buffer(table.mutex)
        self.changed = unipc.Condvar.from_buffer(table.changed)
        self.spinlock = unipc.Spinlock.from_buffer(table.spinlock)
        self.there = unipc.Event.from_buffer(table.there)
        self.back = unipc.Event.from_buffer(table.back)
        self.barrier = unipc.Barrier.from_buffer(table.barrier)
        self.rwlock = unipc.RwLock.from_buffer(table.rwlock)

    def use_together(self, number: int) -> None:
        """Every lock, many times each; number 0 goes first where somebody has to."""
        table = self.table
        for _ in range(TOGETHER):
            self.barrier.wait(timeout=PATIENCE)
            with self.spinlock.lock(timeout=PATIENCE):
                table.spun += 1
            with self.rwlock.write(timeout=PATIENCE):
                table.written += 1
                table.backup = table.written
            with self.rwlock.read(timeout=PATIENCE):
                check(table.backup == table.written, "nobody writes meanwhile")
            with self.mutex.lock(timeout=PATIENCE):
                check(not self.changed.wait_while(self.mutex, lambda: table.turns % 2 != number, timeout=PATIENCE), "nobody has died")
                table.turns += 1
                self.changed.notify_one()
            if number == 0:
                self.there.set()
                self.back.wait(timeout=PATIENCE)
            else:
                self.there.wait(timeout=PATIENCE)
                self.back.set()
        self.barrier.wait(timeout=PATIENCE)
        check((table.spun, table.written, table.turns) == (2 * TOGETHER,) * 3, (table.spun, table.written, table.turns))
        self.barrier.wait(timeout=PATIENCE)  # both have looked


def locks_first(name: str) -> None:
    locks = Locks(name)
    locks.there.init(automatic_reset=True)
    locks.back.init(automatic_reset=True)
    locks.barrier.init(2)
    say("made")
    locks.use_together(0)
    with locks.spinlock, locks.rwlock.write(timeout=PATIENCE):
        locks.table.written = -1
        say("locked")
        await_death()


def locks_second(name: str) -> None:
    locks = Locks(name)
    locks.use_together(1)
    say("together")
    await_go()
    fails(errno.EOWNERDEAD, lambda: locks.rwlock.write(timeout=PATIENCE))
    with locks.rwlock.read_recover(timeout=PATIENCE) as guard:
        check(guard.needs_repair, "the writer died")
        check(locks.table.written == -1, locks.table.written)
        locks.table.written = locks.table.backup
        guard.mark_consistent()
    with locks.rwlock.read(timeout=0):
        pass
    with locks.spinlock.lock_recover(timeout=PATIENCE) as held:
        check(held.needs_repair, "the holder died")
        held.mark_consistent()
    fails(errno.EOWNERDEAD, lambda: locks.barrier.wait(timeout=PATIENCE))
    check(locks.barrier.reset(), "the barrier was broken")


# ---- messages


def send_pattern(framed: unipc.Framed, size: int, salt: int) -> None:
    framed.send(pattern(size, salt), timeout=PATIENCE)


def receive_pattern(framed: unipc.Framed, size: int, salt: int) -> bytes:
    message = framed.receive(timeout=PATIENCE)
    check(len(message) == size, f"{len(message)} bytes, not {size}")
    check(message == pattern(size, salt), f"the {size} bytes are those that were sent")
    return message


def receive_end(framed: unipc.Framed, end: type[unipc.Error] = unipc.EndOfStream) -> None:
    try:
        message = framed.receive(timeout=PATIENCE)
    except end as error:
        check(isinstance(error, EOFError), f"{error!r} is an EOFError")
    else:
        raise RuntimeError(f"{len(message)} bytes instead of {end.__name__}")


# ---- one FIFO


def fifo_read(path: str) -> None:
    stream = unipc.Stream.open_or_create_fifo_reader(path, timeout=PATIENCE)
    check(stream.read_exact(BYTES, timeout=PATIENCE) == pattern(BYTES, SALT_BYTES), "the bytes are those that were written")
    with unipc.Framed(stream) as framed:
        for number, size in enumerate(SIZES):
            receive_pattern(framed, size, SALT_FRAMES + number)
        receive_end(framed)
        receive_end(framed)
    unipc.unlink_fifo(path)


def fifo_write(path: str) -> None:
    stream = unipc.Stream.open_fifo_writer(path, timeout=PATIENCE, wait_for_creator=PATIENCE)
    stream.write_all(pattern(BYTES, SALT_BYTES), timeout=PATIENCE)
    with unipc.Framed(stream) as framed:
        for number, size in enumerate(SIZES):
            send_pattern(framed, size, SALT_FRAMES + number)


def fifo_read_cut(path: str) -> None:
    with unipc.Framed(unipc.Stream.open_or_create_fifo_reader(path, timeout=PATIENCE)) as framed:
        say("open")
        await_go()
        receive_pattern(framed, 5, SALT_FRAMES)
        receive_end(framed, unipc.Truncated)
        fails(errno.EBADMSG, lambda: framed.receive(timeout=PATIENCE))
    unipc.unlink_fifo(path)


def fifo_write_cut(path: str) -> None:
    framed = unipc.Framed(unipc.Stream.open_fifo_writer(path, timeout=PATIENCE, wait_for_creator=PATIENCE))
    send_pattern(framed, 5, SALT_FRAMES)
    # Nobody reads: what does not fit into the FIFO is kept, and lost with the process.
    framed.send(pattern(CUT, SALT_FRAMES), timeout=0.02)
    say("cut")
    await_death()


# ---- one Unix socket


def listen_at(path: str) -> unipc.Listener:
    listener = unipc.Listener.open_unix(path)
    say("listening")
    return listener


def connect_to(path: str) -> unipc.Stream:
    return unipc.Stream.connect_unix(path, timeout=PATIENCE, wait_for_listener=True)


def tell_peer(stream: unipc.Stream) -> None:
    peer = stream.peer_credentials()
    check(peer.uid == os.geteuid(), peer)
    say(f"peer {peer.pid}")


def unix_serve(path: str) -> None:
    with listen_at(path) as listener:
        stream = listener.accept(timeout=PATIENCE)
        tell_peer(stream)
        framed = unipc.Framed(stream)
        for number, size in enumerate(SIZES):
            framed.send(receive_pattern(framed, size, SALT_TO_SERVER + number), timeout=PATIENCE)
        for number, size in enumerate(SIZES):
            send_pattern(framed, size, SALT_TO_CLIENT + number)
            receive_pattern(framed, size, SALT_TO_CLIENT + number)
        receive_end(framed)
        # The client has ended its direction alone.
        with framed.into_stream() as stream:
            stream.write_all(b"last", timeout=PATIENCE)


def unix_connect(path: str) -> None:
    stream = connect_to(path)
    tell_peer(stream)
    framed = unipc.Framed(stream)
    for number, size in enumerate(SIZES):
        send_pattern(framed, size, SALT_TO_SERVER + number)
        receive_pattern(framed, size, SALT_TO_SERVER + number)
    for number, size in enumerate(SIZES):
        framed.send(receive_pattern(framed, size, SALT_TO_CLIENT + number), timeout=PATIENCE)
    with framed.into_stream() as stream:
        stream.shutdown("write")
        check(stream.read_exact(4, timeout=PATIENCE) == b"last", "the last words")
        check(stream.read(1, timeout=PATIENCE) == b"", "nothing comes after the last words")


def unix_serve_hold(path: str) -> None:
    """Takes one message, and leaves what else there is unread."""
    listener = listen_at(path)
    framed = unipc.Framed(listener.accept(timeout=PATIENCE))
    receive_pattern(framed, 5, SALT_TO_SERVER)
    say("served")
    await_death()


def unix_lose(path: str, messages: str) -> None:
    """A server that dies with something unread resets the connection; else it ends."""
    with unipc.Framed(connect_to(path)) as framed:
        for _ in range(int(messages)):
            send_pattern(framed, 5, SALT_TO_SERVER)
        say("sent")
        if messages == "1":
            receive_end(framed)
        else:
            fails(errno.ECONNRESET, lambda: framed.receive(timeout=PATIENCE))


# ---- one memory and one named semaphore


def memory_write(name: str) -> None:
    with unipc.Memory.create(name, PAGE) as memory, unipc.PosixSemaphore.create(name) as filled:
        say("created")
        await_go()
        with memoryview(memory) as view:
            view[:] = pattern(PAGE, SALT_MEMORY)
        filled.post()
        say("posted")
        await_go()
        fails(errno.ENOENT, lambda: unipc.Memory.unlink(name))  # the reader has done it
        unipc.PosixSemaphore.unlink(name)


def memory_read(name: str) -> None:
    fails(errno.ENOENT, lambda: unipc.Memory.open(name))
    fails(errno.ENOENT, lambda: unipc.PosixSemaphore.open(name))
    say("starting")
    with (
        unipc.Memory.open(name, size=PAGE, wait_for_creator=PATIENCE) as memory,
        unipc.PosixSemaphore.open(name, wait_for_creator=PATIENCE) as filled,
    ):
        check(not filled.try_wait(), "nothing is posted yet")
        say("opened")
        filled.wait(timeout=PATIENCE)
        with memoryview(memory) as view:
            check(bytes(view) == pattern(PAGE, SALT_MEMORY), "the bytes are those that were written")
        fails(errno.ETIMEDOUT, lambda: filled.wait(timeout=0.02))  # it was one unit
        unipc.Memory.unlink(name)
        say("read")


ROLES: dict[str, Callable[..., None]] = {
    "count": count,
    "hold": hold,
    "recover": recover,
    "clean": clean,
    "locks-first": locks_first,
    "locks-second": locks_second,
    "fifo-read": fifo_read,
    "fifo-write": fifo_write,
    "fifo-read-cut": fifo_read_cut,
    "fifo-write-cut": fifo_write_cut,
    "unix-serve": unix_serve,
    "unix-connect": unix_connect,
    "unix-serve-hold": unix_serve_hold,
    "unix-lose": unix_lose,
    "memory-write": memory_write,
    "memory-read": memory_read,
}


def main() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    ROLES[sys.argv[1]](*sys.argv[2:])
    after = len(list(Path("/proc/self/fd").iterdir()))
    say("done")
    check(after <= before, f"{after} descriptors, {before} before")


if __name__ == "__main__":
    main()
