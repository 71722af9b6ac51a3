"""What children run that multiprocessing starts afresh."""

from __future__ import annotations

import unipc


def answer(stream: unipc.Stream, listener: unipc.Listener) -> None:
    with stream, listener:
        stream.write(b"from the child: " + str(listener.port()).encode())


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
