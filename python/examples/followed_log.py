"""A log file that two processes write, one reads as it grows, and that is rotated meanwhile by a rename.

Every record arrives, whole and once: writers look under the lock whether the file still has its name, and the reader leaves the old file
only when nobody can be adding to it any more. What a writer that was killed left in the middle of a line is passed over.
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

import unipc
from example import PATIENCE, child

WRITERS = 2
RECORDS = 100


def write_log(path: str, writer: int) -> None:
    for number in range(RECORDS):
        unipc.append_record(path, b"writer %d record %d" % (writer, number), timeout=PATIENCE)


def read_log(path: str, log: unipc.FileFollower) -> None:
    """Receives all, and takes the file away from its name after a quarter of them."""
    following = [0] * WRITERS
    torn = 0
    while (received := sum(following)) < WRITERS * RECORDS:
        event = log.receive_event(timeout=PATIENCE)
        torn += event.torn
        if event.kind != "record":
            continue  # another file has the name: its first record is next
        _, writer, _, number = event.data.split()
        if int(number) != following[int(writer)]:
            raise ValueError(f"not the next record: {event.data!r}")
        following[int(writer)] += 1
        if received + 1 == WRITERS * RECORDS // 4:
            Path(path).rename(f"{path}.old")
    print(f"{WRITERS * RECORDS} records of {WRITERS} writers received, through a rotation")
    print(f"{torn} torn record passed over")


def main(path: str = f"{tempfile.gettempdir()}/unipc-log-{os.getpid()}") -> None:
    # A writer that knows nothing of the library, and dies in the middle.
    Path(path).write_bytes(b"half a rec")
    Path(path).chmod(0o600)
    with unipc.FileFollower(path) as log, contextlib.ExitStack() as children:
        for writer in range(WRITERS):
            children.enter_context(child(write_log, path, writer))
        read_log(path, log)
    for name in (f"{path}.old", path):
        Path(name).unlink(missing_ok=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
