"""What goes with its maker goes at the end of the process, however Python ends it."""

from __future__ import annotations

import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

import pytest
import targets
from conftest import stop_helpers

import unipc

PROGRAM = """
import sys, threading, time, unipc
which, name, path = sys.argv[1:]
kept = [
    unipc.Memory.create(name, 4096, temporary=True),
    unipc.Memory.create_file(path + ".file", 4096, temporary=True),
    unipc.PosixSemaphore.create(name, temporary=True),
    unipc.Mq.create(name, temporary=True),
    unipc.Listener.open_unix(path),
    unipc.SeqpacketListener.open_unix(path + ".packets"),
    unipc.Datagram.open_unix(path + ".datagrams"),
]
queue = unipc.SysvQueue.create_private(temporary=True)
print(queue.id)
def run(*calls):
    for call in calls:
        threading.Thread(target=call, daemon=True).start()
    time.sleep(0.05)
if which == "a thread runs":
    run(lambda: time.sleep(100))
if which == "threads wait":
    run(kept[2].wait, kept[3].receive, kept[4].accept, kept[5].accept, kept[6].receive)
if which == "closed in a wait":
    run(kept[2].wait, kept[3].receive)
    for handle in kept[2:4]:
        handle.close()
    threading.excepthook = lambda *_: None
if which == "an exception":
    raise SystemExit
"""


@pytest.mark.parametrize("which", ["nothing", "a thread runs", "threads wait", "closed in a wait", "an exception"])
def test_no_name_stays(which: str, name: str, path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM, which, name, str(path)], capture_output=True, text=True, check=True)
    assert ended.stderr == ""
    _nothing_stays(name, path)
    with pytest.raises(OSError, match="removed"):
        unipc.SysvQueue.open_id(int(ended.stdout))


def _nothing_stays(name: str, path: Path) -> None:
    assert not [found for found in Path("/dev/shm").iterdir() if name in found.name]
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_no_name_of_a_child_stays(method: str, name: str, path: Path) -> None:
    child = get_context(method).Process(target=targets.keep_names, args=(name, path))
    child.start()
    child.join(20)
    assert child.exitcode == 0
    child.close()
    _nothing_stays(name, path)
    stop_helpers()
