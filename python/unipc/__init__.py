"""Every way that processes on a machine talk to each other.

Streams of bytes: pipe, Stream, Listener; Framed has messages on one; create_fifo, transfer, tee.
Messages: Datagram, Seqpacket, SeqpacketListener, Mq, SysvQueue.
Memory: Memory, and in it Atomic, Mutex, RwLock, Spinlock, Condvar, Semaphore, Event, Barrier.
Locks with a name: PosixSemaphore, SysvSemaphores, FileLock.
Events: EventFd, Timer, Signals, send_signal; Poller waits for many, Ring reads and writes many.
Processes: Process, Pipeline.
Files: replace_file, append_record, FileFollower.
For asyncio: unipc.aio. Who ends waits from another thread: Stop.

Timeouts are in seconds; None waits for ever, 0 does not wait (BlockingIOError), and running
out is TimeoutError. What the system refuses is the builtin subclass of OSError, with errno and
filename; what no errno describes is a subclass of unipc.Error. KeyboardInterrupt ends every
wait. Sizes, offsets and capacities are in bytes, modes are numbers like 0o600.
"""

from __future__ import annotations

from unipc._errors import EndOfStream, Error, Forked, Incompatible, InternalError, Truncated, Unavailable, WrongKind, WrongSize
from unipc._unipc import (
    Atomic,
    Barrier,
    BlockedSignals,
    Condvar,
    Credentials,
    Datagram,
    Event,
    EventFd,
    ExitStatus,
    FileEvent,
    FileFollower,
    FileLock,
    FileLockHolder,
    Framed,
    Guard,
    Listener,
    Memory,
    Message,
    Mq,
    Mutex,
    Pipeline,
    Poller,
    PollerEvent,
    PollerEvents,
    PosixSemaphore,
    PosixSemaphoreStatus,
    Process,
    ReceivedSignal,
    Ring,
    RingCompletion,
    RwLock,
    RwLockGuard,
    Semaphore,
    Seqpacket,
    SeqpacketListener,
    SignalDescription,
    Signals,
    Spinlock,
    SpinlockGuard,
    Stop,
    Stream,
    SysvMemoryStatus,
    SysvOperation,
    SysvQueue,
    SysvQueueStatus,
    SysvSemaphores,
    SysvSemaphoresStatus,
    Timer,
    Transferred,
    __version__,
    append_record,
    create_fifo,
    pipe,
    replace_file,
    send_signal,
    send_signal_to_group,
    signal_table,
    sysv_key,
    take_descriptor,
    take_signal,
    tee,
    transfer,
    unlink_fifo,
)

# Type checkers take it for true; importing it from typing costs more time than all the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from unipc._structures import c_barrier as c_barrier
    from unipc._structures import c_condvar as c_condvar
    from unipc._structures import c_event as c_event
    from unipc._structures import c_mutex as c_mutex
    from unipc._structures import c_rwlock as c_rwlock
    from unipc._structures import c_semaphore as c_semaphore
    from unipc._structures import c_spinlock as c_spinlock

__all__ = [
    "Atomic",
    "Barrier",
    "BlockedSignals",
    "Condvar",
    "Credentials",
    "Datagram",
    "EndOfStream",
    "Error",
    "Event",
    "EventFd",
    "ExitStatus",
    "FileEvent",
    "FileFollower",
    "FileLock",
    "FileLockHolder",
    "Forked",
    "Framed",
    "Guard",
    "Incompatible",
    "InternalError",
    "Listener",
    "Memory",
    "Message",
    "Mq",
    "Mutex",
    "Pipeline",
    "Poller",
    "PollerEvent",
    "PollerEvents",
    "PosixSemaphore",
    "PosixSemaphoreStatus",
    "Process",
    "ReceivedSignal",
    "Ring",
    "RingCompletion",
    "RwLock",
    "RwLockGuard",
    "Semaphore",
    "Seqpacket",
    "SeqpacketListener",
    "SignalDescription",
    "Signals",
    "Spinlock",
    "SpinlockGuard",
    "Stop",
    "Stream",
    "SysvMemoryStatus",
    "SysvOperation",
    "SysvQueue",
    "SysvQueueStatus",
    "SysvSemaphores",
    "SysvSemaphoresStatus",
    "Timer",
    "Transferred",
    "Truncated",
    "Unavailable",
    "WrongKind",
    "WrongSize",
    "__version__",
    "append_record",
    "c_barrier",
    "c_condvar",
    "c_event",
    "c_mutex",
    "c_rwlock",
    "c_semaphore",
    "c_spinlock",
    "create_fifo",
    "get_include",
    "pipe",
    "replace_file",
    "send_signal",
    "send_signal_to_group",
    "signal_table",
    "sysv_key",
    "take_descriptor",
    "take_signal",
    "tee",
    "transfer",
    "unlink_fifo",
]


def get_include() -> str:
    """The directory of unipc.h and unipc.hpp, for compilers."""
    import os.path

    return os.path.join(os.path.dirname(__file__), "include")


def __dir__() -> list[str]:
    """Also the types of ctypes, which are made when they are first asked for."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> object:
    """Makes the types of ctypes: that costs time to import, and few need it."""
    if name.startswith("c_") and name in __all__:
        import unipc._structures

        return getattr(unipc._structures, name)
    raise AttributeError(f"module 'unipc' has no attribute {name!r}")
