"""The in-place objects as fields of ctypes structures."""

import ctypes


class c_mutex(ctypes.Structure):  # noqa: N801 - as ctypes names its types
    """Room for a unipc_mutex: Mutex.from_buffer(structure.field) is the mutex."""

    _fields_ = [("_opaque", ctypes.c_uint64 * 16)]


class c_semaphore(ctypes.Structure):  # noqa: N801
    """Room for a unipc_semaphore: Semaphore.from_buffer(structure.field) is the semaphore."""

    _fields_ = [("_opaque", ctypes.c_uint64 * 64)]


class c_spinlock(ctypes.Structure):  # noqa: N801
    """Room for a unipc_spinlock: Spinlock.from_buffer(structure.field) is the spinlock."""

    _fields_ = [("_opaque", ctypes.c_uint64 * 16)]


class c_event(ctypes.Structure):  # noqa: N801
    """Room for a unipc_event: Event.from_buffer(structure.field) is the event."""

    _fields_ = [("_opaque", ctypes.c_uint64 * 16)]


class c_rwlock(ctypes.Structure):  # noqa: N801
    """Room for a unipc_rwlock: RwLock.from_buffer(structure.field) is the lock."""

    _fields_ = [("_opaque", ctypes.c_uint64 * 128)]


class c_condvar(ctypes.Structure):  # noqa: N801
    """Room for a unipc_condvar: Condvar.from_buffer(structure.field) is the condition variable."""

    _fields_ = [("_opaque", ctypes.c_uint64 * 16)]


class c_barrier(ctypes.Structure):  # noqa: N801
    """Room for a unipc_barrier: Barrier.from_buffer(structure.field) is the barrier."""

    _fields_ = [("_opaque", ctypes.c_uint64 * 64)]


for _room in (c_mutex, c_semaphore, c_spinlock, c_event, c_rwlock, c_condvar, c_barrier):
    _room.__module__ = "unipc"
