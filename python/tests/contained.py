"""Runs a command, then ends every process that it has left, whatever group or session that is in; exits as the command does."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    # What loses its parent becomes ours.
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Of what a terminal sends to all, the command makes what it likes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    command = subprocess.Popen(sys.argv[1:], preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    signal.signal(signal.SIGTERM, lambda *_: command.kill())
    status = command.wait()
    while left := Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        for child in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(int(child), 0)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
