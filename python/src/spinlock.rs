//! The spinlock at a place in shared memory.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use unipc::Wait;
use unipc::sync;

use crate::error::Raise;
use crate::in_place::{InPlace, acquire, guard, tried};

/// A spinlock at a place in shared memory, whose holder may die. Zero bytes are an unlocked
/// one.
///
/// For critical sections of a few instructions, shared with programs in C or C++. `with
/// spinlock:` locks; lock with a timeout and lock_recover give a SpinlockGuard for a with
/// statement. It is owned by a thread, and locking it again is OSError with EDEADLK. 128 bytes
/// at a multiple of 8; only processes of one pid namespace can share it, others get
/// Incompatible. It trusts everyone who can write the page. It keeps the memory mapped.
/// Source: futex(2).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Spinlock(InPlace);

impl Spinlock {
    fn object(&self) -> &sync::Spinlock {
        // SAFETY: the only type that a place of this class is made for.
        unsafe { self.0.object() }
    }
}

#[pymethods]
impl Spinlock {
    /// Its size in bytes.
    #[classattr]
    const SIZE: usize = size_of::<sync::Spinlock>();

    /// The spinlock at an offset of a writable buffer: a Memory, a memoryview, a ctypes structure
    /// over one.
    /// Errors: ValueError for a place that is not inside or not aligned.
    #[staticmethod]
    #[pyo3(signature = (source, offset=0))]
    fn from_buffer(source: &Bound<'_, PyAny>, offset: usize) -> PyResult<Spinlock> {
        InPlace::new::<sync::Spinlock>(source, offset).map(Spinlock)
    }

    /// Makes the spinlock anew, unlocked, whatever bytes stood there; zero bytes need no init.
    /// Nobody may use it meanwhile.
    fn init(&self) {
        // SAFETY: the place is valid and aligned; nobody uses it meanwhile, as the documentation asks.
        unsafe { sync::Spinlock::init(self.0.place()) };
    }

    /// Locks.
    /// Errors: OSError with EOWNERDEAD if a holder died and nobody has repaired since, and then it
    /// is not held; BlockingIOError, TimeoutError; OSError with EDEADLK for the holder;
    /// Incompatible.
    #[pyo3(signature = (*, timeout=None))]
    fn lock(slf: Bound<'_, Self>, timeout: Option<f64>) -> PyResult<SpinlockGuard> {
        let spinlock = slf.get().object();
        acquire(slf.py(), timeout, |wait| spinlock.lock_raw(wait))?;
        Ok(SpinlockGuard::new(slf, false))
    }

    /// Locks if nobody holds it; whether it did. Errors as lock.
    fn try_lock(&self, py: Python<'_>) -> PyResult<bool> {
        tried(py, self.object().lock_raw(Wait::NEVER))
    }

    /// Locks also when the last holder died; the guard's needs_repair tells.
    /// Errors as lock, but EOWNERDEAD.
    #[pyo3(signature = (*, timeout=None))]
    fn lock_recover(slf: Bound<'_, Self>, timeout: Option<f64>) -> PyResult<SpinlockGuard> {
        let spinlock = slf.get().object();
        let needs_repair = acquire(slf.py(), timeout, |wait| spinlock.lock_recover_raw(wait))?;
        Ok(SpinlockGuard::new(slf, needs_repair))
    }

    /// Ends the need for repair.
    /// Errors: PermissionError unless the calling thread holds the spinlock.
    fn mark_consistent(&self, py: Python<'_>) -> PyResult<()> {
        self.object().mark_consistent().raise(py)
    }

    /// Unlocks. A need for repair that was not met stays.
    /// Errors: PermissionError unless the calling thread holds the spinlock.
    fn unlock(&self, py: Python<'_>) -> PyResult<()> {
        self.object().unlock().raise(py)
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        let spinlock = slf.get().object();
        acquire(slf.py(), None, |wait| spinlock.lock_raw(wait))?;
        Ok(slf)
    }

    #[pyo3(signature = (kind, error, traceback, /))]
    fn __exit__(&self, py: Python<'_>, kind: Py<PyAny>, error: Py<PyAny>, traceback: Py<PyAny>) -> PyResult<()> {
        let _ = (kind, error, traceback);
        self.unlock(py)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.get().0.reduce(slf.as_any())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.traverse(&visit)
    }
}

guard! {
    /// Holds a Spinlock; the end of its with statement unlocks it.
    SpinlockGuard of Spinlock,
    /// Whether a holder died and nobody has repaired what the spinlock protects since.
    needs_repair
}
