"""Makes a named semaphore of value 1 for semaphore_use, and removes it at the end of its time.

It is made exclusively: one that exists may be in use, and its value is not ours to assume.
"""

import argparse

import unipc


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--remove", action="store_true")
    arguments = parser.parse_args()
    if arguments.remove:
        unipc.PosixSemaphore.unlink(arguments.name)
    else:
        unipc.PosixSemaphore.create(arguments.name, 1).close()  # the name stays


if __name__ == "__main__":
    main()
