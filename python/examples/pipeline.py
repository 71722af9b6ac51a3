"""A pipeline as a shell makes it: each program reads what the one before it writes, and every one's status is known.

A program that does not exist is a stage with status 127.
"""

import sys

import unipc
from example import PATIENCE


def run(*commands: list[str]) -> None:
    sys.stdout.flush()
    with unipc.Pipeline.spawn(commands) as pipeline:
        print("Statuses:", *(status.shell_status for status in pipeline.wait(timeout=PATIENCE)))


def main() -> None:
    run(["printf", "b\\na\\nc\\n"], ["sort"], ["tr", "a-z", "A-Z"])
    run(["no-such-program-here"], ["sh", "-c", "cat; exit 3"])


if __name__ == "__main__":
    main()
