"""Event counters, timers, signals, processes."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import threading
import time
import types
from pathlib import Path

import pytest

import unipc

HANG = 20.0
FIRST = signal.SIGRTMIN


def _readable(thing: unipc.EventFd | unipc.Signals | unipc.Process) -> bool:
    return bool(select.select([thing], [], [], 0)[0])


def test_a_counter_sums_and_a_semaphore_counts() -> None:
    with unipc.EventFd(2) as counter, unipc.EventFd(2, semaphore=True) as semaphore:
        counter.add(40)
        assert counter.value() == 42 and _readable(counter)
        assert counter.take() == 42 and not _readable(counter)
        with pytest.raises(BlockingIOError):
            counter.take(timeout=0)
        with pytest.raises(TimeoutError):
            counter.take(timeout=0.01)
        assert [semaphore.take(timeout=0) for _ in range(2)] == [1, 1]
        counter.add(2**64 - 2)
        with pytest.raises(BlockingIOError):
            counter.add(timeout=0)
        with pytest.raises(OSError, match="holds") as refused:
            counter.add(2**64 - 1)
        assert refused.value.errno == errno.EINVAL


def test_a_counter_crosses_a_fork_and_the_standard_library() -> None:
    with unipc.EventFd() as counter:
        if (pid := os.fork()) == 0:
            os.eventfd_write(counter.fileno(), 5)
            os._exit(0)
        assert counter.take(timeout=HANG) == 5
        os.waitpid(pid, 0)
    adopted = unipc.EventFd.from_fd(os.eventfd(7))
    fd = adopted.into_fd()
    assert adopted.closed and os.eventfd_read(fd) == 7
    os.close(fd)
    with pytest.raises(unipc.WrongKind):
        unipc.EventFd.from_fd(0)
    with pytest.raises(ValueError, match="closed"):
        adopted.take()


def test_closing_wakes_who_waits() -> None:
    counter = unipc.EventFd()
    threading.Timer(0.05, counter.close).start()
    with pytest.raises(ValueError, match="closed"):
        counter.take(timeout=HANG)


def test_a_timer() -> None:
    with pytest.raises(ValueError, match="clock"):
        unipc.Timer("realtime")  # type: ignore[arg-type]
    for clock in ("monotonic", "boottime"):
        with unipc.Timer(clock) as timer:  # type: ignore[arg-type]
            assert timer.state() == (None, None)
            timer.set(0.02)
            assert timer.wait(timeout=HANG) == 1
            timer.set_at(timer.now() + 0.01, 0.01)
            time.sleep(0.05)
            assert timer.wait(timeout=HANG) >= 3
            timer.cancel()
            with pytest.raises(TimeoutError):
                timer.wait(timeout=0.02)
            for wrong in (float("nan"), float("inf"), 1e300):
                with pytest.raises(ValueError):
                    timer.set(wrong)


@pytest.mark.parametrize("block", [False, True])
def test_signals_are_read(block: bool) -> None:
    before = signal.getsignal(signal.SIGHUP), signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with unipc.Signals([signal.SIGHUP, FIRST], block=block) as signals:
        assert not _readable(signals)
        for value in range(10):
            unipc.send_signal(os.getpid(), FIRST, value=value, thread=threading.get_native_id())
        assert [signals.receive(timeout=HANG).value for _ in range(10)] == list(range(10))
        unipc.send_signal(os.getpid(), signal.SIGHUP, thread=threading.get_native_id())
        got = next(signals)
        assert (got.signal, got.value, got.sender_pid, got.sender_uid, got.lost) == (signal.SIGHUP, None, os.getpid(), os.getuid(), 0)
        assert "SIGHUP" in repr(got)
        with pytest.raises(BlockingIOError):
            signals.receive(timeout=0)
        if (pid := os.fork()) == 0:
            try:
                signals.receive(timeout=0)
            except unipc.Forked:
                os._exit(0)
            os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0
    assert before == (signal.getsignal(signal.SIGHUP), signal.pthread_sigmask(signal.SIG_BLOCK, []))


def test_pythons_own_handler_runs_too() -> None:
    ran: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: ran.append(number))
    try:
        with unipc.Signals([signal.SIGUSR1]) as signals:
            unipc.send_signal(os.getpid(), signal.SIGUSR1)
            assert signals.receive(timeout=HANG).signal == signal.SIGUSR1
        assert ran == [signal.SIGUSR1]
        os.kill(os.getpid(), signal.SIGUSR1)
        assert len(ran) == 2
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_what_is_not_ours_is_still_interrupted() -> None:
    class Interrupted(Exception):
        pass

    def interrupt(number: int, frame: types.FrameType | None) -> None:
        raise Interrupted

    reader, writer = os.pipe()
    before = signal.signal(signal.SIGUSR1, interrupt)
    late = threading.Timer(HANG, os.write, (writer, b"x"))
    early = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        late.start()
        with unipc.Signals([signal.SIGUSR1]) as signals:
            early.start()
            with pytest.raises(Interrupted):
                os.read(reader, 1)
            assert signals.receive(timeout=HANG).signal == signal.SIGUSR1
    finally:
        late.cancel()
        early.join()
        late.join()
        signal.signal(signal.SIGUSR1, before)
        os.close(reader)
        os.close(writer)


def test_blocked_signals_are_taken() -> None:
    with unipc.BlockedSignals([signal.SIGHUP, FIRST]):
        with unipc.BlockedSignals([signal.SIGHUP]):
            pass
        unipc.send_signal(os.getpid(), FIRST, value=3, thread=threading.get_native_id())
        unipc.send_signal(os.getpid(), signal.SIGHUP, thread=threading.get_native_id())
        assert unipc.take_signal([signal.SIGHUP, FIRST], timeout=HANG).signal == signal.SIGHUP
        assert unipc.take_signal([signal.SIGHUP, FIRST]).value == 3
        with pytest.raises(TimeoutError):
            unipc.take_signal([FIRST], timeout=0.01)
    assert signal.SIGHUP not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_what_cannot_be_sent_is_refused() -> None:
    for wrong in (signal.SIGKILL, 0, 65):
        with pytest.raises(OSError) as refused:
            unipc.Signals([wrong])
        assert refused.value.errno == errno.EINVAL
    with pytest.raises(ProcessLookupError):
        unipc.send_signal(2**31 - 1, signal.SIGCONT)
    for send in (lambda: unipc.send_signal(-1, 0), lambda: unipc.send_signal_to_group(1, 0)):
        with pytest.raises(OSError) as refused:
            send()
        assert refused.value.errno == errno.EINVAL


def test_the_table_is_what_the_standard_library_knows() -> None:
    table = {known.number: known for known in unipc.signal_table()}
    for number in signal.valid_signals():
        assert int(number) in table
        if isinstance(number, signal.Signals):
            assert number.name in (table[number].name, "SIGRTMIN", "SIGRTMAX")
    assert table[signal.SIGCHLD].default_action == "ignore" and table[signal.SIGTERM].usage


def test_a_child_with_the_descriptors_that_were_named(tmp_path: Path) -> None:
    reader, writer = unipc.pipe()
    with reader:
        script = "echo $A; pwd; ls /proc/self/fd | tr '\\n' ' '; exit 7"
        child = unipc.Process.spawn(
            ["sh", "-c", script],
            environment={"A": "b", "PATH": "/bin:/usr/bin"},
            directory=tmp_path,
            fds={0: None, 1: writer, 9: writer.fileno()},
        )
        writer.close()
        text = b""
        while part := reader.read(1000, timeout=HANG):
            text += part
        with child:
            status = child.wait(timeout=HANG)
            assert (status.code, status.signal, status.shell_status) == (7, None, 7)
            assert child.wait(timeout=0) == status
    assert text.decode().split() == ["b", str(tmp_path), "0", "1", "2", "3", "9"]
    with pytest.raises(FileNotFoundError):
        unipc.Process.spawn(["no-such-program-here"])
    with pytest.raises(ValueError, match="argument"):
        unipc.Process.spawn([])
    with pytest.raises(PermissionError):
        unipc.Process.spawn([str(tmp_path)])


def test_the_end_of_children_and_of_strangers() -> None:
    with subprocess.Popen(["sleep", "100"]) as own, unipc.Process.open(own.pid) as process:
        assert process.pid == own.pid and not _readable(process)
        with pytest.raises(TimeoutError):
            process.wait(timeout=0.02)
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=HANG)
        assert (status.signal, status.shell_status) == (signal.SIGTERM, 128 + signal.SIGTERM)
        assert "SIGTERM" in repr(status) and _readable(process)
        with pytest.raises(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        own.returncode = 0  # it was waited for here
    with unipc.Process.from_fd(os.pidfd_open(os.getppid())) as parent, pytest.raises(BlockingIOError):
        parent.wait(timeout=0)
    with pytest.raises(unipc.WrongKind):
        unipc.Process.from_fd(0)


def test_a_pipeline_does_what_the_shells_does() -> None:
    reader, writer = unipc.pipe()
    commands = [["printf", "b\\na\\n"], ["sort"], ["no-such-program-here"], ["wc", "-c"]]
    with reader, unipc.Pipeline.spawn(commands, stdout=writer) as pipeline:
        writer.close()
        assert reader.read(100, timeout=HANG) == b"0\n"
        statuses = [status.shell_status for status in pipeline.wait(timeout=HANG)]
        assert statuses[2:] == [127, 0] and pipeline.pids[2] == 0
    with unipc.Pipeline.spawn([["sleep", "100"], ["cat"]]) as pipeline:
        with pytest.raises(TimeoutError):
            pipeline.wait(timeout=0.02)
        pipeline.send_signal(signal.SIGKILL)
        assert pipeline.wait(timeout=HANG)[0].signal == signal.SIGKILL


def test_an_interval_shorter_than_the_clock_is_an_interval() -> None:
    with unipc.Timer() as timer:
        timer.set(0.001, 1e-10)
        assert timer.wait(timeout=HANG) > 0
        assert timer.wait(timeout=HANG) > 0
        assert timer.state()[1] == 1e-9
        timer.set(0.001, 0)
        timer.wait(timeout=HANG)
        assert timer.state() == (None, None)


def test_spawn_takes_what_its_types_promise(tmp_path: Path) -> None:
    true = Path("/bin/true")
    spawns = [
        lambda: unipc.Process.spawn([true, "x"], program=true, directory=tmp_path, environment=os.environ),
        lambda: unipc.Process.spawn(["true"], fds=types.MappingProxyType({1: None})),
        lambda: unipc.Pipeline.spawn([[true], ["cat"]], environment=types.MappingProxyType({"PATH": "/bin:/usr/bin"})),
    ]
    statuses = set()
    for spawn in spawns:
        with spawn() as spawned:
            status = spawned.wait(timeout=HANG)
            statuses.update(status if isinstance(status, list) else [status])
    assert len(statuses) == 1
    for wrong in ("A=B", ""):
        with pytest.raises(ValueError, match="name of a variable"):
            unipc.Process.spawn(["true"], environment={wrong: "x"})
    for descriptor, error in ((1 << 40, OverflowError), (-1, ValueError), ("1", TypeError), (b"", TypeError)):
        with pytest.raises(error):
            unipc.Process.spawn(["true"], fds={1: descriptor})  # type: ignore[dict-item]


def test_a_line_is_no_command() -> None:
    for spawn in (lambda: unipc.Process.spawn("ls -l"), lambda: unipc.Pipeline.spawn(["ls -l"])):
        with pytest.raises(TypeError, match=r"list of words, .* not 'ls -l'"):
            spawn()


def test_values_can_be_kept_in_sets(tmp_path: Path) -> None:
    first, second = unipc.Stream.pair_unix()
    with first, second:
        assert len({first.peer_credentials(), second.peer_credentials()}) == 1
    holder, other = unipc.FileLock(tmp_path / "lock"), unipc.FileLock(tmp_path / "lock")
    with holder:
        assert len({other.find_holder(), other.find_holder()}) == 1
    holder.close()
    other.close()
    with unipc.Signals([signal.SIGUSR1]) as signals:
        os.kill(os.getpid(), signal.SIGUSR1)
        received = signals.receive(timeout=HANG)
        assert {received} == {received}
