"""Failures that no errno describes."""

from __future__ import annotations


class Error(OSError):
    """A failure that no errno describes; `errno` is None.

    code is the number that the C library returns, strerror says what was tried and why it
    failed, filename is the object's name or None; transferred is how many bytes had passed when
    it failed.
    """

    code: int = -10003
    transferred: int = 0

    def __init__(self, code: int | None = None, strerror: str | None = None, filename: str | None = None) -> None:
        code = type(self).code if code is None else code
        super().__init__(code, type(self).__doc__ if strerror is None else strerror, filename)
        self.code = code
        self.errno = None

    def __str__(self) -> str:
        return str(self.strerror) if self.filename is None else f"{self.strerror}: {self.filename!r}"


class EndOfStream(Error, EOFError):
    """The other side has ended: nothing more will come."""

    code = -10001


class Truncated(Error, EOFError):
    """The stream ended inside a message, or inside what was to be read whole."""

    code = -10008


class Forked(Error):
    """The handle was made by the parent process and does not work in a child made by fork."""

    code = -10002


class InternalError(Error):
    """A bug in this library was caught at its border."""

    code = -10003


class Unavailable(Error):
    """This build or this system cannot do it."""

    code = -10004


class WrongKind(Error):
    """The name belongs to an object of another kind: a file that is no FIFO, no socket, no memory."""

    code = -10005


class WrongSize(Error):
    """The object is smaller than what was asked for."""

    code = -10006


class Incompatible(Error):
    """An object in memory was made by another ABI, is of another kind, or belongs to another pid
    namespace.
    """

    code = -10007


# As tracebacks show them, and pickles name them.
for _kind in (Error, EndOfStream, Truncated, Forked, InternalError, Unavailable, WrongKind, WrongSize, Incompatible):
    _kind.__module__ = "unipc"
