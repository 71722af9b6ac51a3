"""Several processes write one log file, each line in two pieces, and a named semaphore keeps the lines whole.

A semaphore belongs to nobody: when its holder is killed, its unit is lost and all wait for ever. So the holder notes its process number
in shared memory, and who has waited too long looks whether that process lives. If it does not, one of those who wait takes the lock over
and removes the unfinished line. (A mutex, as in shared_mutex, does all this by itself.)
"""

import argparse
import contextlib
import functools
import io
import os
import signal
import time
from collections.abc import Iterator

import unipc
from example import PATIENCE


def remove_unfinished_line(file: io.FileIO) -> None:
    file.seek(0)
    text = file.read()
    whole = text.rfind(b"\n") + 1
    if whole != len(text):
        file.truncate(whole)
        print("Noticed: the holder was killed; its unfinished line is removed")


def lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


@contextlib.contextmanager
def locked(semaphore: unipc.PosixSemaphore, holder: unipc.Atomic, file: io.FileIO) -> Iterator[None]:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            semaphore.wait(timeout=0.1)
        except TimeoutError:
            if time.monotonic() > end:
                raise
            dead = holder.load("acquire")
            if dead == 0 or lives(dead):  # 0: it was just given back
                continue
            taken, _ = holder.compare_exchange(dead, os.getpid(), "acquire_release")
            if not taken:
                continue
            remove_unfinished_line(file)  # the lock is ours, taken over from a dead holder
        else:
            holder.store(os.getpid(), "release")
        break
    try:
        yield
    finally:
        holder.store(0, "release")
        semaphore.post()


def write_lines(arguments: argparse.Namespace) -> None:
    with (
        unipc.Memory.open_or_create(arguments.name, 4) as memory,
        unipc.PosixSemaphore.open_or_create(arguments.name, 1) as semaphore,  # 1 counts only for who creates it
        open(arguments.file, "a+b", buffering=0, opener=functools.partial(os.open, mode=0o600)) as file,
    ):
        holder = memory.atomic_u32(0)
        for i in range(1, arguments.lines + 1):
            with locked(semaphore, holder, file):
                file.write(b"Log message")
                if arguments.die and i == arguments.lines:
                    os.kill(os.getpid(), signal.SIGKILL)
                file.write(f" {i} from Process {arguments.label}\n".encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("file", nargs="?")
    parser.add_argument("label", nargs="?")
    parser.add_argument("lines", nargs="?", type=int)
    parser.add_argument("--die", action="store_true", help="be killed in the middle of the last line")
    parser.add_argument("--remove", action="store_true", help="remove the semaphore and the memory")
    arguments = parser.parse_args()
    if arguments.remove:
        unipc.PosixSemaphore.unlink(arguments.name)
        unipc.Memory.unlink(arguments.name)
    elif arguments.lines is None:
        parser.error("file, label and lines, or --remove")
    else:
        write_lines(arguments)


if __name__ == "__main__":
    main()
