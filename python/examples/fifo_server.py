"""A server that reads messages from a FIFO, from one client after the other; its partner is fifo_client.

keep_open makes the server hold a writing end itself: the stream does not end when a client leaves, so nothing is lost between two
clients. A message of at most 4092 bytes goes out with its length in one piece of PIPE_BUF bytes, which the kernel never mixes with others.
"""

import argparse
import itertools
import select

import unipc
from example import until_signal

LARGEST = select.PIPE_BUF - 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="is created where it is missing, and removed at the end")
    parser.add_argument("--count", type=int, help="end after so many messages; else SIGTERM ends the server")
    arguments = parser.parse_args()
    with until_signal():
        reader = unipc.Stream.open_or_create_fifo_reader(arguments.path, timeout=0, keep_open=True)
        with unipc.Framed(reader, largest=LARGEST) as clients:
            try:
                for message in itertools.islice(clients, arguments.count):
                    print(f"Received: {message.decode(errors='replace')}", flush=True)
            finally:
                unipc.unlink_fifo(arguments.path)  # first the name: nobody writes what nobody will read


if __name__ == "__main__":
    main()
