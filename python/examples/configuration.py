"""A configuration that many processes read and one replaces.

Each version is a file of its own, complete before it is renamed over the one before: a reader has the old or the new, never a mixture,
and who has mapped the old one keeps it whole.
"""

import contextlib
import os
import struct
import sys
import tempfile
from pathlib import Path

import unipc
from example import PATIENCE, child

READERS = 3
VERSIONS = 50
SETTINGS = struct.Struct("=5000i")


def publish(path: str, version: int) -> None:
    with unipc.Memory.create_file(f"{path}.new", SETTINGS.size, unpublished=True) as file:
        file.write(0, SETTINGS.pack(*[version] * 5000))
        file.flush()  # after a power failure, too, it is the old or the new
        file.publish()
    Path(f"{path}.new").replace(path)


def read(path: str) -> None:
    version = 0
    while version < VERSIONS:
        with unipc.Memory.open_file(path, size=SETTINGS.size, read_only=True, wait_for_creator=PATIENCE) as file:
            versions = set(SETTINGS.unpack_from(memoryview(file)))  # nobody changes this file
        if len(versions) != 1:
            raise ValueError(f"a mixture of versions: {versions}")
        version = versions.pop()


def main(path: str = f"{tempfile.gettempdir()}/unipc-configuration-{os.getpid()}") -> None:
    try:
        with contextlib.ExitStack() as children:
            for _ in range(READERS):
                children.enter_context(child(read, path))
            for version in range(1, VERSIONS + 1):
                publish(path, version)
    finally:
        Path(path).unlink()
    print(f"{READERS} readers have seen version {VERSIONS}, and no mixture")


if __name__ == "__main__":
    main(*sys.argv[1:])
