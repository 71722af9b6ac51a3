"""A semaphore without a name of its own lies in shared memory, beside the data that it guards; partner: semaphore_in_memory_consumer.

The memory gets its name after the semaphore was made: nobody meets a half-made one, and a live one is never made anew. The semaphore
begins at 0; the producer posts when the data stand there.
"""

import argparse
import ctypes

import unipc


class Shared(ctypes.Structure):  # as the consumer has it
    _fields_ = [("ready", unipc.c_semaphore), ("counter", ctypes.c_int32), ("data", ctypes.c_char * 1024)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    arguments = parser.parse_args()
    with unipc.Memory.create(arguments.name, ctypes.sizeof(Shared), unpublished=True) as memory:
        shared = Shared.from_buffer(memory)
        ready = unipc.Semaphore.from_buffer(shared.ready)
        ready.init()  # a unit for each message; none yet
        memory.publish()
        shared.data = b"Hello shared memory!"
        shared.counter += 1
        ready.post()


if __name__ == "__main__":
    main()
