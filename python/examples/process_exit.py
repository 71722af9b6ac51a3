"""The end of children, and how they ended, by pidfds in one poll: whichever ends first is told of first."""

import selectors
import signal

import unipc
from example import PATIENCE

SCRIPTS = {"first": "exit 0", "second": "exit 3", "third": "exec sleep 100"}


def main() -> None:
    ended: dict[str, unipc.ExitStatus] = {}
    with selectors.DefaultSelector() as selector:
        children = {name: unipc.Process.spawn(["sh", "-c", script]) for name, script in SCRIPTS.items()}
        for name, process in children.items():
            selector.register(process, selectors.EVENT_READ, name)
        while len(ended) < len(children):
            for key, _ in selector.select(PATIENCE):
                ended[key.data] = children[key.data].wait(timeout=0)
                selector.unregister(key.fileobj)
            if len(ended) == 2:
                children["third"].send_signal(signal.SIGKILL)
    for name, process in children.items():
        status = ended[name]
        print(f"{name}: exited with {status.code}" if status.code is not None else f"{name}: killed by signal {status.signal}")
        process.close()


if __name__ == "__main__":
    main()
