"""An anonymous pipe carries bytes from a parent to its child. The message ends with the stream.

Each side closes the end that it does not use: the child would otherwise hold a writing end itself and never meet the end.
"""

import sys

import unipc
from example import PATIENCE, child, read_text


def receive(reader: unipc.Stream, writer: unipc.Stream, label: str) -> None:
    writer.close()
    with reader:
        print(f"{label}: {read_text(reader)}")


def main(label: str = "Child received") -> None:
    reader, writer = unipc.pipe()
    with child(receive, reader, writer, label), writer:  # left from right to left: the child meets the end, then it is waited for
        reader.close()
        writer.write_all(b"Hello from parent!", timeout=PATIENCE)


if __name__ == "__main__":
    main(*sys.argv[1:])
