"""Leaves two lines in a regular file, for file_reader. The reader may be there already: it sees no file, or the whole of it.

Who creates the file and then writes shows an empty one first, and then perhaps half a line.
"""

import argparse

import unipc


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    arguments = parser.parse_args()
    unipc.replace_file(arguments.path, f"Hello from writer!\nCounter: {42}\n".encode())


if __name__ == "__main__":
    main()
