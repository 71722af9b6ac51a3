"""The tests' own hardness: one that hangs ends the run, and nothing that a run has started outlives it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
HANG = 60.0


def _run(tmp_path: Path, test: str, *options: str) -> subprocess.CompletedProcess[str]:
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "conftest.py").write_text((HERE / "conftest.py").read_text())
    (tests / "test_it.py").write_text(test)
    (tmp_path / "pyproject.toml").write_text((HERE.parent / "pyproject.toml").read_text())
    command = [sys.executable, str(HERE / "contained.py"), sys.executable, "-m", "pytest", "-q", *options]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=HANG, check=False)


def _is_gone(number: int) -> bool:
    end = time.monotonic() + HANG
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("call", ["time.sleep(1000)", "unipc.EventFd().take()"])
def test_a_test_that_hangs_ends_the_run(tmp_path: Path, call: str) -> None:
    program = f"""
import subprocess, time
from pathlib import Path
import unipc
def test_hangs():
    child = subprocess.Popen(["setsid", "sleep", "1000"])
    Path("child").write_text(str(child.pid))
    {call}
"""
    ended = _run(tmp_path, program, "-o", "faulthandler_timeout=1")
    assert ended.returncode == 1
    assert "Timeout (0:00:01)!" in ended.stderr and "in test_hangs" in ended.stderr
    assert _is_gone(int((tmp_path / "child").read_text()))


def test_children_that_a_test_leaves_are_its_failure(tmp_path: Path) -> None:
    program = """
import os, subprocess, time
from pathlib import Path
def test_leaves_one():
    child = subprocess.Popen(["sh", "-c", "sleep 1000 & echo $! >grandchild; sleep 1000"])
    while not Path("grandchild").exists() or not Path("grandchild").read_text():
        time.sleep(0.01)
    Path("child").write_text(str(child.pid))
    child.returncode = 0  # no warning of subprocess's
def test_next():
    number = Path("child").read_text()
    assert not Path(f"/proc/{number}").exists()
def test_a_child_that_fails_runs_no_other_test():
    if os.fork() == 0:
        raise AssertionError
    assert os.wait()[1] == 70 << 8
    assert 0
"""
    ended = _run(tmp_path, program)
    assert ended.returncode == 1 and "1 failed, 2 passed, 1 error" in ended.stdout, ended.stdout
    assert "raise AssertionError" in ended.stdout.partition("Captured stderr")[2]
    assert _is_gone(int((tmp_path / "grandchild").read_text()))


def test_names_of_others_are_not_blamed(tmp_path: Path) -> None:
    program = """
from pathlib import Path
from conftest import OWN
def test_foreign(request):
    path = Path(f"/dev/shm/unipc-test-another-{OWN}")
    path.touch()
    request.session.config.add_cleanup(path.unlink)
def test_own(request):
    path = Path(f"/dev/shm/{OWN}-left")
    path.touch()
    request.session.config.add_cleanup(path.unlink)
"""
    ended = _run(tmp_path, program)
    assert "2 passed, 1 error" in ended.stdout and "names" in ended.stdout, ended.stdout
    assert not [name for name in Path("/dev/shm").iterdir() if name.name.endswith("-left")]
