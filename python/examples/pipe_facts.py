"""What a pipe does, measured: how much it holds, what happens when it is full, when its end comes, and when nobody reads any more."""

import errno

import unipc
from example import PATIENCE, child

BLOCK = bytes(4096)


def fill(writer: unipc.Stream) -> int:
    """Writes until the pipe is full; how many bytes fitted."""
    written = 0
    while True:
        try:
            written += writer.write(BLOCK, timeout=0)
        except BlockingIOError:
            return written


def drain(reader: unipc.Stream) -> str:
    """Reads what is there; then the end comes, or the name of an error."""
    try:
        while reader.read(len(BLOCK), timeout=0):
            pass
    except OSError as error:
        return name(error)
    return "the end"


def name(error: OSError) -> str:
    return errno.errorcode[error.errno or 0]


def full(reader: unipc.Stream, writer: unipc.Stream) -> None:
    """A writer waits at a full pipe, and goes on when somebody reads."""
    try:
        writer.write(b"x", timeout=0.02)
    except TimeoutError as error:
        print(f"Writing into the full pipe for 20 ms: {name(error)}")
    with child(writer.write_all, BLOCK):  # waits
        reader.read_exact(len(BLOCK), timeout=PATIENCE)
    print(f"After {len(BLOCK)} bytes were read, the waiting writer went on")


def hold(until: unipc.Stream, other: unipc.Stream) -> None:
    other.close()
    until.read(1, timeout=PATIENCE)


def end(reader: unipc.Stream, writer: unipc.Stream) -> None:
    """The end comes when the last writer has closed: here a child holds a second writing end until we let go of a pipe of its own."""
    until, let_go = unipc.pipe()
    with child(hold, until, let_go), let_go:
        until.close()
        writer.close()
        print(f"One of two writers has closed: {drain(reader)}")
    print(f"Both have closed: {drain(reader)}")


def no_reader() -> None:
    reader, writer = unipc.pipe()
    reader.close()
    with writer:
        try:
            writer.write(b"x", timeout=PATIENCE)
        except BrokenPipeError as error:
            print(f"Writing without a reader: {name(error)}, and no signal")


def main() -> None:
    reader, writer = unipc.pipe()
    with reader, writer:
        print(f"Capacity: {writer.capacity()} bytes, and {fill(writer)} fitted")
        full(reader, writer)
        end(reader, writer)
    no_reader()


if __name__ == "__main__":
    main()
