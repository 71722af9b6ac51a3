"""After every test: no descriptor, name in /dev/shm, mapping of one, thread or child more than before."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest


def _descriptors() -> set[str]:
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        # The directory's own is gone by now.
        with contextlib.suppress(OSError):
            found.add(f"{link.name} -> {link.readlink()}")
    return found


def _names() -> set[str]:
    # Of these tests alone: others may use the directory at the same time.
    return {path.name for path in Path("/dev/shm").iterdir() if "unipc-test" in path.name}


def _mappings() -> list[str]:
    with open("/proc/self/maps") as maps:
        return sorted(
            line.split(maxsplit=5)[5].strip() for line in maps if "unipc-test" in line or "(deleted)" in line or "/dev/zero" in line
        )


def stop_helpers() -> None:
    """Ends the processes that multiprocessing keeps for later."""
    from multiprocessing import forkserver, resource_tracker

    forkserver._forkserver._stop()
    resource_tracker._resource_tracker._stop()


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    before = _descriptors(), _names(), _mappings(), threading.active_count()
    yield
    gc.collect()
    after = _descriptors(), _names(), _mappings(), threading.active_count()
    for what, was, now in zip(("descriptors", "names", "mappings", "threads"), before, after, strict=True):
        assert now == was, what
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.fixture
def name() -> str:
    return f"unipc-test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "socket"
