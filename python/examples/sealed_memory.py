"""A memfd travels over a socket to a process that does not trust its sender. It is accepted when it is sealed.

Then nobody can make it smaller, which would be a fatal signal here, or change it while it is read. The sender fills, seals, and then
sends; what it sends first is not sealed, and refused.
"""

import os
import socket

import unipc
from example import PATIENCE, child

NEEDED = unipc.Memory.SEAL_SHRINK | unipc.Memory.SEAL_GROW | unipc.Memory.SEAL_WRITE


def send(channel: socket.socket, other_end: socket.socket) -> None:
    other_end.close()
    with channel, unipc.Memory.memfd("message", 4096) as memory:
        memory.write(0, b"Hello from sealed memory!")
        socket.send_fds(channel, [b"!"], [memory.fileno()])  # too early
        channel.recv(1)
        memory.seal(NEEDED)
        socket.send_fds(channel, [b"!"], [memory.fileno()])


def receive(channel: socket.socket) -> None:
    _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    if len(descriptors) != 1:
        raise ConnectionError("no descriptor came")
    try:
        memory = unipc.Memory.from_fd(descriptors[0], size=100, read_only=True, require_seals=NEEDED)
    except OSError:
        os.close(descriptors[0])  # it is taken over on success alone
        raise
    with memory:
        text, _, _ = memory.read(0, 100).partition(b"\0")
        print(f"Received: {text.decode(errors='replace')}")


def main() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    ours.settimeout(PATIENCE)
    with ours, child(send, theirs, ours):
        theirs.close()
        try:
            receive(ours)
        except PermissionError:
            print("Refused: not sealed")
            ours.sendall(b"!")
            receive(ours)


if __name__ == "__main__":
    main()
