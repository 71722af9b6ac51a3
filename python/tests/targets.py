"""What children run that multiprocessing starts afresh."""

from __future__ import annotations

import pickle
import signal
import time
from pathlib import Path

import unipc


def answer(stream: unipc.Stream, listener: unipc.Listener) -> None:
    with stream, listener:
        stream.write(b"from the child: " + str(listener.port()).encode())


def answer_packets(datagram: unipc.Datagram, connection: unipc.Seqpacket, listener: unipc.SeqpacketListener, path: str) -> None:
    with datagram, connection, listener, unipc.Seqpacket.connect_unix(path) as client, listener.accept() as accepted:
        client.send(b"x")
        told = [accepted.receive_message(), datagram.receive_message(), connection.receive_message()]
        connection.send(" ".join(str(message.sender is not None) for message in told).encode())


def count(memory: unipc.Memory, mutex: unipc.Mutex, semaphore: unipc.PosixSemaphore, rounds: int) -> None:
    number = memory.atomic_i64(128)
    for _ in range(rounds):
        with mutex:
            number.store(number.load("relaxed") + 1, "relaxed")
    semaphore.post()


def die_with_the_lock(mutex: unipc.Mutex, stream: unipc.Stream) -> None:
    mutex.lock()
    stream.write(b"locked")
    stream.read(1)


def greet(memory: unipc.Memory) -> None:
    memory.write(0, b"hello")
    memory.close()


def echo_to_typed(queue: unipc.Mq, typed: unipc.SysvQueue) -> None:
    with queue, typed:
        typed.send(queue.receive(timeout=20) + b" of a child", 2, timeout=20)


_kept: list[object] = []


def keep_names(name: str, path: Path) -> None:
    _kept.append(unipc.Memory.create(name, 4096, temporary=True))
    _kept.append(unipc.PosixSemaphore.create(name, temporary=True))
    _kept.append(unipc.Listener.open_unix(path))


def look_at(memory: unipc.Memory, queue: unipc.Mq, semaphore: unipc.PosixSemaphore, typed: unipc.SysvQueue, answers: unipc.Stream) -> None:
    with memory, queue, semaphore, typed, unipc.Framed(answers) as framed:
        text = f"{memory.checked} {memory.any_owner} {queue.any_owner} {semaphore.any_owner} {typed.any_owner}"
        framed.send(text.encode())


def use_counters(counter: unipc.EventFd, answer: unipc.EventFd, timer: unipc.Timer, lock: unipc.FileLock, other: unipc.Process) -> None:
    with counter, answer, timer, other:
        assert counter.take() + counter.take() == 2
        assert timer.now() > 0 and not lock.try_lock()
        timer.set(0.001)
        answer.add(1)
        lock.lock(timeout=20)
        answer.add(7)
        other.send_signal(signal.SIGTERM)
        assert other.wait(timeout=20).code is None
        # Taken by the parent, when it has seen that the lock is held.
        while answer.value() != 1:
            time.sleep(0.001)
    lock.close()


def try_to_open(pickled: bytes, answers: unipc.Stream) -> None:
    with unipc.Framed(answers) as framed:
        try:
            pickle.loads(pickled)
        except OSError as error:
            framed.send(type(error).__name__.encode())
        else:
            framed.send(b"opened")


def give_two(semaphores: unipc.SysvSemaphores) -> None:
    with semaphores:
        semaphores.operate([unipc.SysvOperation(1, 2)], timeout=20)
