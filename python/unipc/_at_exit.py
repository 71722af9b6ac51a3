"""Names that go with their maker go at the end of the process: those that are temporary, and the paths of sockets.

The interpreter ends most objects by itself, but not those that a running thread still has, and in the children of multiprocessing none.
"""

from __future__ import annotations

import atexit
import sys

from unipc._unipc import _remove_names


def register() -> None:
    """Called when a process makes the first such object, a child made by fork as well."""
    atexit.register(_remove_names)
    # Its children do not come past atexit. Late, since they may have children of their own.
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, _remove_names, exitpriority=-100)
