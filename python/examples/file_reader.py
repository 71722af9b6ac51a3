"""Reads the two lines that file_writer leaves. May be started first: it waits for the file, and for whole lines."""

import argparse

import unipc
from example import PATIENCE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    arguments = parser.parse_args()
    with unipc.FileFollower(arguments.path, wait_for_creator=PATIENCE) as file:
        for _ in range(2):
            print(f"Read: {file.receive(timeout=PATIENCE).decode()}")


if __name__ == "__main__":
    main()
