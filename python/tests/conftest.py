"""After every test: no descriptor, name in /dev/shm, mapping of one, thread or child more than before."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
import traceback
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

# Names of these tests alone begin so: others may use the directory at the same time.
OWN = f"unipc-test-{os.getpid()}"
_PROCESS = os.getpid()


def _descriptors() -> set[str]:
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        # The directory's own is gone by now.
        with contextlib.suppress(OSError):
            found.add(f"{link.name} -> {link.readlink()}")
    return found


def _names() -> set[str]:
    names = {path.name for path in Path("/dev/shm").iterdir()}
    return {name for name in names if name.removeprefix("sem.") == OWN or name.removeprefix("sem.").startswith(OWN + "-")}


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


def _end_children() -> list[int]:
    """Ends the children that there are, and gives their numbers. One that has ended counts: the test ought to have waited for it."""
    children = [int(number) for path in Path("/proc/self/task").glob("*/children") for number in path.read_text().split()]
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)
    return children


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call() -> Iterator[None]:
    try:
        return (yield)
    finally:
        # A child that was to end in its test, and has failed there: neither the report nor the other tests are its own.
        if os.getpid() != _PROCESS:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(70)


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    before = _descriptors(), _names(), _mappings(), threading.active_count()
    yield
    gc.collect()
    children = _end_children()
    after = _descriptors(), _names(), _mappings(), threading.active_count()
    for what, was, now in zip(("descriptors", "names", "mappings", "threads"), before, after, strict=True):
        assert now == was, what
    assert children == []


@pytest.fixture
def name() -> str:
    return f"{OWN}-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "socket"
