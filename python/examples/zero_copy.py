"""Bytes that never pass through the process which sends them on: a file to a socket by sendfile, a pipe to a pipe by splice.

The library takes the fastest way that a pair of descriptors allows, and says which it was.
"""

import tempfile

import unipc
from example import PATIENCE, child

DATA = bytes((index * 7 + index // 251) & 255 for index in range(1_000_000))


def write_all(writer: unipc.Stream) -> None:
    writer.write_all(DATA, timeout=PATIENCE)


def check_all(reader: unipc.Stream, others_end: unipc.Stream) -> None:
    others_end.close()
    got = bytearray()
    while part := reader.read(65536, timeout=PATIENCE):
        got += part
    if got != DATA:
        raise ValueError("what arrived is not what was sent")


def report(what: str, done: unipc.Transferred) -> None:
    print(f"{what}: {done.bytes} bytes by {done.way}, all as they were")


def file_to_socket() -> None:
    near, far = unipc.Stream.pair_unix()
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(DATA)
        file.seek(0)
        with child(check_all, far, near):
            far.close()
            done = unipc.transfer(file, near, timeout=PATIENCE)
            near.close()  # the end
    report("File to socket", done)


def pipe_to_pipe() -> None:
    source, writer = unipc.pipe()
    reader, destination = unipc.pipe()
    with source, reader, child(write_all, writer):
        writer.close()
        with child(check_all, reader, destination):
            done = unipc.transfer(source, destination, timeout=PATIENCE)
            destination.close()  # the end
    report("Pipe to pipe", done)


if __name__ == "__main__":
    file_to_socket()
    pipe_to_pipe()
