//! The spinlock at a place in shared memory.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use unipc::sync;
use unipc::{Errno, Wait};

use crate::error::Raise;
use crate::mutex::InPlace;
use crate::wait::waiting;

/// A spinlock at a place in shared memory, whose holder may die. Zero bytes are an unlocked one.
///
/// For critical sections of a few instructions, shared with programs in C or C++. `with spinlock:` locks; lock with a timeout and lock_recover give a
/// SpinlockGuard for a with statement. It is owned by a thread, and locking it again is OSError with EDEADLK. 128 bytes at a multiple of 8; only
/// processes of one pid namespace can share it, others get Incompatible. It trusts everyone who can write the page. It keeps the memory mapped. Source: futex(2).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Spinlock(InPlace);

impl Spinlock {
    fn object(&self) -> &sync::Spinlock {
        // SAFETY: the only type that a place of this class is made for.
        unsafe { self.0.object() }
    }

    /// The first attempt keeps the interpreter's lock: it does not wait.
    fn acquire<R: Send>(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        lock: impl Fn(&sync::Spinlock, Wait<'_>) -> unipc::Result<R> + Sync,
    ) -> PyResult<R> {
        let spinlock = self.object();
        match lock(spinlock, Wait::NEVER) {
            Err(error) if error.is(Errno::EAGAIN) => waiting(py, timeout, &|| true, |wait| lock(spinlock, wait)),
            other => other.raise(py),
        }
    }
}

#[pymethods]
impl Spinlock {
    /// Its size in bytes.
    #[classattr]
    const SIZE: usize = size_of::<sync::Spinlock>();

    /// The spinlock at an offset of a writable buffer: a Memory, a memoryview, a ctypes structure over one. Errors: ValueError for a place that is not
    /// inside or not aligned.
    #[staticmethod]
    #[pyo3(signature = (source, offset=0))]
    fn from_buffer(source: &Bound<'_, PyAny>, offset: usize) -> PyResult<Spinlock> {
        InPlace::new::<sync::Spinlock>(source, offset).map(Spinlock)
    }

    /// Makes the spinlock anew, unlocked, whatever bytes stood there; zero bytes need no init. Nobody may use it meanwhile.
    fn init(&self) {
        // SAFETY: the place is valid and aligned; nobody uses it meanwhile, as the documentation asks.
        unsafe { sync::Spinlock::init(self.0.place()) };
    }

    /// Locks. Errors: OSError with EOWNERDEAD if a holder died and nobody has repaired since, and then it is not held; BlockingIOError,
    /// TimeoutError; OSError with EDEADLK for the holder; Incompatible.
    #[pyo3(signature = (*, timeout=None))]
    fn lock(slf: Bound<'_, Self>, timeout: Option<f64>) -> PyResult<SpinlockGuard> {
        slf.get().acquire(slf.py(), timeout, |spinlock, wait| spinlock.lock_raw(wait))?;
        Ok(SpinlockGuard { spinlock: slf.unbind(), needs_repair: AtomicBool::new(false) })
    }

    /// Locks if nobody holds it; whether it did. Errors as lock.
    fn try_lock(&self, py: Python<'_>) -> PyResult<bool> {
        match self.object().lock_raw(Wait::NEVER) {
            Err(error) if error.is(Errno::EAGAIN) => Ok(false),
            other => other.raise(py).map(|()| true),
        }
    }

    /// Locks also when the last holder died; the guard's needs_repair tells. Errors as lock, but EOWNERDEAD.
    #[pyo3(signature = (*, timeout=None))]
    fn lock_recover(slf: Bound<'_, Self>, timeout: Option<f64>) -> PyResult<SpinlockGuard> {
        let needs_repair = slf.get().acquire(slf.py(), timeout, |spinlock, wait| spinlock.lock_recover_raw(wait))?;
        Ok(SpinlockGuard { spinlock: slf.unbind(), needs_repair: AtomicBool::new(needs_repair) })
    }

    /// Ends the need for repair. Errors: PermissionError unless the calling thread holds the spinlock.
    fn mark_consistent(&self, py: Python<'_>) -> PyResult<()> {
        self.object().mark_consistent().raise(py)
    }

    /// Unlocks. A need for repair that was not met stays. Errors: PermissionError unless the calling thread holds the spinlock.
    fn unlock(&self, py: Python<'_>) -> PyResult<()> {
        self.object().unlock().raise(py)
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        slf.get().acquire(slf.py(), None, |spinlock, wait| spinlock.lock_raw(wait))?;
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

/// Holds a Spinlock; the end of its with statement unlocks it.
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct SpinlockGuard {
    spinlock: Py<Spinlock>,
    needs_repair: AtomicBool,
}

#[pymethods]
impl SpinlockGuard {
    /// Whether a holder died and nobody has repaired what the spinlock protects since.
    #[getter]
    fn needs_repair(&self) -> bool {
        self.needs_repair.load(Ordering::Relaxed)
    }

    /// To be called when the repair is done. Without it the next holder is told again.
    fn mark_consistent(&self, py: Python<'_>) -> PyResult<()> {
        self.spinlock.get().mark_consistent(py)?;
        self.needs_repair.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (kind, error, traceback, /))]
    fn __exit__(&self, py: Python<'_>, kind: Py<PyAny>, error: Py<PyAny>, traceback: Py<PyAny>) -> PyResult<()> {
        let _ = (kind, error, traceback);
        self.spinlock.get().unlock(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.spinlock)
    }
}
