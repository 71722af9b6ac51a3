"""Writes a text into a mapped file, for mapped_file_reader, and waits until it is on the disk. The file outlives this program.

It gets its name after it was filled, so that no reader meets it empty. Other processes see a store at once; the flush is for the disk.
"""

import argparse

import unipc


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    message = b"Hello from mmap!"
    with unipc.Memory.create_file(parser.parse_args().path, 4096, unpublished=True) as file:
        memoryview(file)[: len(message)] = message  # nobody else has it yet
        file.flush()
        file.publish()


if __name__ == "__main__":
    main()
