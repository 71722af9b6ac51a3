"""What the examples need and what is not their lesson: children, signals, reading to the end."""

import contextlib
import errno
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkProcess

import unipc

# Nobody waits for ever for a peer that may have died: this is how many seconds an example is patient.
PATIENCE = 20.0


@contextlib.contextmanager
def child(work: Callable[..., None], *arguments: object, ends_with: int = 0) -> Iterator[ForkProcess]:
    """Runs work in a child made by fork while the block runs here; then waits for the child, which must have ended as it was to.

    What was made before the fork the child has too, each of the two its own handle of it.
    """
    process = multiprocessing.get_context("fork").Process(target=work, args=arguments)
    process.start()
    try:
        yield process
    finally:
        process.join()
    if process.exitcode != ends_with:
        raise ChildProcessError(f"the child ended with {process.exitcode}, not {ends_with}")


@contextlib.contextmanager
def until_signal() -> Iterator[None]:
    """SIGTERM or SIGINT ends the block at its next wait, in good order: what is under way when the signal comes is done to its end."""
    stop = unipc.Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.request())
    try:
        with stop.bound():
            yield
    except OSError as error:
        if error.errno != errno.ECANCELED:
            raise


def read_text(stream: unipc.Stream, largest: int = 1000) -> str:
    """Reads until the other side ends the stream. One read is never taken for a whole message: a stream may deliver it in pieces."""
    text = b""
    while part := stream.read(largest + 1 - len(text), timeout=PATIENCE):
        text += part
        if len(text) > largest:
            raise ValueError(f"the message is longer than {largest} bytes")
    return text.decode(errors="replace")
