"""The Python of the pages: programs run, and what is a part of one is correct with the names that its page speaks of."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

DOCUMENTS = Path(__file__).parents[2] / "docs"
HANG = 100.0

DECLARATIONS = """
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

import unipc
import unipc.aio

fd: int
handle: Callable[..., object]
line: bytes
picture: bytes
read_configuration: Callable[[], object]
table: Any
work_is_left: Callable[[], bool]
condvar: unipc.Condvar
listener: unipc.Listener
memory: unipc.Memory
mutex: unipc.Mutex
client: unipc.Stream
log: unipc.Stream
reader: unipc.Stream
server: unipc.Stream
writer: unipc.Stream
queue: unipc.SysvQueue
peer: socket.socket
"""


def _blocks() -> list[tuple[str, str]]:
    pattern = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [(page.name, block) for page in sorted(DOCUMENTS.glob("*.md")) for block in pattern.findall(page.read_text())]


PROGRAMS = [(page, block) for page, block in _blocks() if "import unipc" in block]
PARTS = [(page, block) for page, block in _blocks() if "import unipc" not in block]


@pytest.mark.parametrize(("page", "program"), PROGRAMS, ids=[page for page, _ in PROGRAMS])
def test_programs_run(page: str, program: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", program.replace("/tmp/", f"{tmp_path}/")]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=HANG, check=False)
    assert (ended.returncode, ended.stderr) == (0, ""), page
    assert ended.stdout


def test_parts_are_correct(tmp_path: Path) -> None:
    assert len(PARTS) > 10
    functions = []
    for number, (page, part) in enumerate(PARTS):
        body = textwrap.indent(part.replace("socket.send_fds(peer", "_socket.send_fds(peer"), "    ")
        functions.append(f"def part_{number}() -> None:  # {page}\n{body}\n")
    # A page's own variables are the function's.
    text = DECLARATIONS + "\nimport socket as _socket\n\n" + "\n".join(functions)
    (tmp_path / "parts.py").write_text(text)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-incremental", "--config-file", "/dev/null", "parts.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + text
