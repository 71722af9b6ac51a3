//! The reader-writer lock at a place in shared memory.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use unipc::Wait;
use unipc::sync;

use crate::error::Raise;
use crate::in_place::{InPlace, acquire, guard, tried};

/// A reader-writer lock at a place in shared memory, whose holders may die. Zero bytes are an
/// unlocked one.
///
/// `with lock.read():` shares it with other readers, `with lock.write():` holds it alone. A
/// dead reader's share comes back; a dead writer is told. It is owned by threads, and locking
/// it again, a share too, is OSError with EDEADLK. 1024 bytes at a multiple of 8, best of 64;
/// only processes of one pid namespace can share it, others get Incompatible. It trusts
/// everyone who can write the page. It keeps the memory mapped.
/// Source: pthread_rwlock_rdlock(3p), futex(2).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct RwLock(InPlace);

impl RwLock {
    fn object(&self) -> &sync::RwLock {
        // SAFETY: the only type that a place of this class is made for.
        unsafe { self.0.object() }
    }

    /// The call gives whether repair is needed.
    fn acquire(
        slf: Bound<'_, Self>,
        timeout: Option<f64>,
        lock: impl Fn(&sync::RwLock, Wait<'_>) -> unipc::Result<bool> + Sync,
    ) -> PyResult<RwLockGuard> {
        let object = slf.get().object();
        let needs_repair = acquire(slf.py(), timeout, |wait| lock(object, wait))?;
        Ok(RwLockGuard::new(slf, needs_repair))
    }
}

#[pymethods]
impl RwLock {
    /// Its size in bytes.
    #[classattr]
    const SIZE: usize = size_of::<sync::RwLock>();

    /// The most readers at a time; the next one waits.
    #[classattr]
    const READERS: usize = sync::READERS;

    /// The lock at an offset of a writable buffer: a Memory, a memoryview, a ctypes structure over
    /// one.
    /// Errors: ValueError for a place that is not inside or not aligned.
    #[staticmethod]
    #[pyo3(signature = (source, offset=0))]
    fn from_buffer(source: &Bound<'_, PyAny>, offset: usize) -> PyResult<RwLock> {
        InPlace::new::<sync::RwLock>(source, offset).map(RwLock)
    }

    /// Makes the lock anew, unlocked, whatever bytes stood there; zero bytes need no init. Nobody
    /// may use it meanwhile.
    fn init(&self) {
        // SAFETY: the place is valid and aligned; nobody uses it meanwhile, as the documentation asks.
        unsafe { sync::RwLock::init(self.0.place()) };
    }

    /// Takes a share.
    /// Errors: OSError with EOWNERDEAD if a writer died and nobody has repaired since, and then it
    /// is not held; BlockingIOError, TimeoutError; OSError with EDEADLK for a thread that holds it;
    /// Incompatible.
    #[pyo3(signature = (*, timeout=None))]
    fn read(slf: Bound<'_, Self>, timeout: Option<f64>) -> PyResult<RwLockGuard> {
        RwLock::acquire(slf, timeout, |lock, wait| lock.read_raw(wait).map(|()| false))
    }

    /// Takes the whole lock. Errors as read.
    #[pyo3(signature = (*, timeout=None))]
    fn write(slf: Bound<'_, Self>, timeout: Option<f64>) -> PyResult<RwLockGuard> {
        RwLock::acquire(slf, timeout, |lock, wait| lock.write_raw(wait).map(|()| false))
    }

    /// Takes a share, or, if a writer died, the whole lock: the guard's needs_repair tells.
    /// Errors as read, but EOWNERDEAD.
    #[pyo3(signature = (*, timeout=None))]
    fn read_recover(slf: Bound<'_, Self>, timeout: Option<f64>) -> PyResult<RwLockGuard> {
        RwLock::acquire(slf, timeout, |lock, wait| lock.read_recover_raw(wait))
    }

    /// Takes the whole lock also when a writer died; the guard's needs_repair tells.
    /// Errors as read, but EOWNERDEAD.
    #[pyo3(signature = (*, timeout=None))]
    fn write_recover(slf: Bound<'_, Self>, timeout: Option<f64>) -> PyResult<RwLockGuard> {
        RwLock::acquire(slf, timeout, |lock, wait| lock.write_recover_raw(wait))
    }

    /// Takes a share if no writer is there; whether it did. Unlock it by unlock. Errors as read.
    fn try_read(&self, py: Python<'_>) -> PyResult<bool> {
        tried(py, self.object().read_raw(Wait::NEVER))
    }

    /// Takes the whole lock if nobody holds any of it; whether it did. Unlock it by unlock.
    /// Errors as read.
    fn try_write(&self, py: Python<'_>) -> PyResult<bool> {
        tried(py, self.object().write_raw(Wait::NEVER))
    }

    /// Ends the need for repair.
    /// Errors: PermissionError unless the calling thread holds the whole lock.
    fn mark_consistent(&self, py: Python<'_>) -> PyResult<()> {
        self.object().mark_consistent().raise(py)
    }

    /// Unlocks, be it a share or the whole. A need for repair that was not met stays.
    /// Errors: PermissionError unless the calling thread holds the lock.
    fn unlock(&self, py: Python<'_>) -> PyResult<()> {
        self.object().unlock().raise(py)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.get().0.reduce(slf.as_any())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.traverse(&visit)
    }
}

guard! {
    /// Holds an RwLock, a share or the whole; the end of its with statement unlocks it.
    RwLockGuard of RwLock,
    /// Whether a writer died and nobody has repaired what the lock protects since. Then this holds
    /// the whole lock, also if a share was asked for.
    needs_repair
}
