"""A service that looks at who sent each message, not only at who connected.

A connection tells who made it. When its end is handed on to another process, or the process has given up its rights since, only the
message can tell who speaks now: the kernel writes process, user and group beside it. Here one end of a pair is used by a child that has
become user 65534 (which takes root; without root it stays ours).
"""

import os

import unipc
from example import PATIENCE, child

OTHER_USER = 65534


def speak(service: unipc.Seqpacket, other: unipc.Seqpacket) -> None:
    other.close()
    with service:
        service.send(b"as myself", timeout=PATIENCE)
        if os.geteuid() == 0:
            os.setgid(OTHER_USER)
            os.setuid(OTHER_USER)
        service.send(b"as somebody else", timeout=PATIENCE)


def hear(client: unipc.Seqpacket, pid: int | None, own: int) -> None:
    maker = client.peer_credentials().pid
    print(f"The connection was made by {'the service itself' if maker == os.getpid() else 'another process'}")
    number = 0
    while True:
        try:
            message = client.receive_message(timeout=PATIENCE)
        except unipc.EndOfStream:
            return
        sender = message.sender
        is_child = sender is not None and sender.pid == pid
        # Without root the second message is refused by number: its sender could not change.
        allowed = is_child and (sender is not None and sender.uid == own if own == 0 else number == 0)
        who = "the child" if is_child else "a stranger"
        print(f'"{message.data.decode()}" was sent by {who}: {"done" if allowed else "refused"}')
        number += 1


def main() -> None:
    ours, theirs = unipc.Seqpacket.pair_unix(credentials=True)
    with ours, child(speak, theirs, ours) as process:
        theirs.close()
        hear(ours, process.pid, os.geteuid())


if __name__ == "__main__":
    main()
