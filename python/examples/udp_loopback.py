"""UDP on loopback: a question and its answer, and one message to every member of a group.

The server knows the client by the address that comes with the message. Both members of the group are bound to the same port; each gets
every message that is sent to the group. On loopback nothing is doubled or overtaken, but a full receiver loses messages without a word:
UDP is for those who can bear that.
"""

import unipc
from example import PATIENCE, child

GROUP = "239.255.77.3"


def ask(address: str) -> None:
    with unipc.Datagram.open_udp() as client:
        client.connect(address)
        client.send(b"Hello via UDP!", timeout=PATIENCE)
        print(f"Client received: {client.receive(timeout=PATIENCE).decode()}")


def converse() -> None:
    with unipc.Datagram.open_udp() as server, child(ask, server.address()):
        message, client = server.receive_from(timeout=PATIENCE)
        print(f"Server received: {message.decode()}", flush=True)  # before the client prints
        server.send_to(b"Hello client!", client, timeout=PATIENCE)


def member(port: int = 0) -> unipc.Datagram:
    datagram = unipc.Datagram.open_udp("0.0.0.0", port, reuse_address=True, multicast_interface="lo")
    datagram.join(GROUP, "lo")
    return datagram


def tell_everybody() -> None:
    with member() as first, member(first.port()) as second:
        first.send_to(b"Hello everybody!", f"{GROUP}:{first.port()}", timeout=PATIENCE)
        for number, one in enumerate((first, second), start=1):
            print(f"Member {number} received: {one.receive(timeout=PATIENCE).decode()}")


def main() -> None:
    converse()
    tell_everybody()


if __name__ == "__main__":
    main()
