"""The command unipc."""

import signal
import sys

from unipc._unipc import main as run


def main() -> int:
    # The command is no Python program: an interruption ends it at once.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return run(sys.argv)


if __name__ == "__main__":
    sys.exit(main())
