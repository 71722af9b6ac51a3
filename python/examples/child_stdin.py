"""A child whose standard input is a pipe: it sees what is written, and the end when the writer has closed."""

import unipc
from example import PATIENCE

SCRIPT = "while read -r line; do echo \"Child read: $line\"; done; echo 'Child: the end'"


def main() -> None:
    reader, writer = unipc.pipe()
    with reader:
        process = unipc.Process.spawn(["sh", "-c", SCRIPT], fds={0: reader})
    with process:
        with writer:  # at the end of the block the child meets the end
            writer.write_all(b"Hello from parent!\n", timeout=PATIENCE)
        if process.wait(timeout=PATIENCE).code != 0:
            raise ChildProcessError("the child has failed")


if __name__ == "__main__":
    main()
