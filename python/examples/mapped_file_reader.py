"""Reads the text that mapped_file_writer leaves in a file, without the right to write. May be started first.

read goes through the kernel: if somebody shortens the file meanwhile, it is an exception, where a view would be a fatal signal.
"""

import argparse

import unipc
from example import PATIENCE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    with unipc.Memory.open_file(parser.parse_args().path, size=100, read_only=True, wait_for_creator=PATIENCE) as file:
        message, _, _ = file.read(0, 100).partition(b"\0")
        print(f"Content: {message.decode(errors='replace')}")


if __name__ == "__main__":
    main()
