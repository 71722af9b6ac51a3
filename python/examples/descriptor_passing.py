"""A privileged side opens files that the worker may not open, and sends it the open descriptors: several at once.

The worker has given up its rights (with root it becomes user 65534, else the files have lost all permissions). What it was sent works all
the same: rights are looked at when a file is opened. It takes two descriptors at most, however many are sent.
"""

import os
import sys
import tempfile
from pathlib import Path

import unipc
from example import PATIENCE, child

WORKER = 65534


def work(privileged: unipc.Stream, other: unipc.Stream, opened: list[int], path: str) -> None:
    other.close()
    for fd in opened:
        os.close(fd)  # it gets them through the socket alone
    if os.geteuid() == 0:
        os.setgid(WORKER)
        os.setuid(WORKER)
    try:
        os.close(os.open(path, os.O_RDONLY))
        print("Worker opens the file itself: it may")
    except PermissionError as error:
        print(f"Worker opens the file itself: {error.strerror}")
    label, fds = privileged.receive_fds(16, 2, timeout=PATIENCE)
    print(f"Worker was sent {len(fds)} files with {len(label)} bytes: {label.decode()}")
    for fd in fds:
        with open(fd) as file:
            print(f"Worker reads: {file.read()}")


def make(path: str, number: int) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, f"secret {number}".encode())
    os.lseek(fd, 0, os.SEEK_SET)
    os.fchmod(fd, 0)
    return fd


def main(prefix: str = f"{tempfile.gettempdir()}/descriptor_passing-{os.getpid()}") -> None:
    paths = [f"{prefix}.{number}" for number in range(2)]
    fds = [make(path, number + 1) for number, path in enumerate(paths)]
    try:
        ours, theirs = unipc.Stream.pair_unix()
        with ours, child(work, theirs, ours, fds, paths[0]):
            theirs.close()
            ours.send_fds(b"files", fds, timeout=PATIENCE)
    finally:
        for fd, path in zip(fds, paths, strict=True):
            os.close(fd)
            Path(path).unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
