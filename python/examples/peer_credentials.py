"""A server that asks the kernel who is at the other end, and refuses every user but its own.

The kernel notes process, user and group when the connection is made: a client cannot lie about them. The second client runs as user
65534, which takes root; without root the server allows nobody's user but one that we are not.
"""

import os
import select
import sys

import unipc
from example import PATIENCE, child, read_text

OTHER_USER = 65534


def ask(listener: unipc.Listener, name: str, user: int) -> None:
    listener.close()
    if user != os.geteuid():
        os.setgid(OTHER_USER)
        os.setuid(user)
    with unipc.Stream.connect_unix(name, timeout=PATIENCE) as server:
        print(f"Client was told: {read_text(server)}")


def wait_for_exit(peer: unipc.Stream) -> None:
    """Waits until the peer has exited. A pidfd names the very process, even when its number is used again."""
    try:
        pidfd = peer.peer_pidfd()
    except unipc.Unavailable:
        return
    ready, _, _ = select.select([pidfd], [], [], PATIENCE)
    os.close(pidfd)
    if not ready:
        raise TimeoutError("the peer has not exited")


def judge(peer: unipc.Stream, pid: int | None, allowed: int) -> None:
    who = peer.peer_credentials()
    if who.pid != pid:
        raise PermissionError(f"connected: process {who.pid}, not the child {pid}")
    user, answer = ("the allowed", "welcome") if who.uid == allowed else ("another", "refused")
    print(f"A peer of {user} user: {answer}", flush=True)  # before the client prints
    peer.write_all(answer.encode(), timeout=PATIENCE)
    peer.shutdown()
    wait_for_exit(peer)


def meet(listener: unipc.Listener, name: str, user: int, allowed: int) -> None:
    """One client of the user, judged by a server that allows the other."""
    with child(ask, listener, name, user) as client, listener.accept(timeout=PATIENCE) as peer:
        judge(peer, client.pid, allowed)


def main(name: str = f"@unipc-credentials-{os.getpid()}") -> None:  # in the abstract namespace no file permissions hide us
    own = os.geteuid()
    with unipc.Listener.open_unix(name) as listener:
        meet(listener, name, own, allowed=own)
        if own == 0:
            meet(listener, name, OTHER_USER, allowed=own)
        else:
            print("not root: the second server allows another user than ours instead", file=sys.stderr)
            meet(listener, name, own, allowed=own + 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
