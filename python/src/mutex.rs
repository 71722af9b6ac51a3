//! The mutex at a place in shared memory.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use unipc::Wait;
use unipc::sync::{self, MutexKind};

use crate::error::{Raise, invalid};
use crate::in_place::{InPlace, acquire, guard, tried};

/// A mutex at a place in shared memory, whose holder may die. Zero bytes are an unlocked mutex.
///
/// `with mutex:` locks; lock with a timeout and lock_recover give a Guard for a with statement.
/// It is owned by a thread: only the thread that locked it can unlock it. 128 bytes at a
/// multiple of 8; only processes of one pid namespace and one C library can share it, others
/// get Incompatible. It keeps the memory mapped. It trusts everyone who can write the page: the
/// C library has its list of the locks that are held in there, and follows it.
/// Source: pthread_mutexattr_setrobust(3).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Mutex(InPlace);

impl Mutex {
    pub(crate) fn object(&self) -> &sync::Mutex {
        // SAFETY: the only type that a place of this class is made for.
        unsafe { self.0.object() }
    }
}

#[pymethods]
impl Mutex {
    /// Its size in bytes.
    #[classattr]
    const SIZE: usize = size_of::<sync::Mutex>();

    /// The mutex at an offset of a writable buffer: a Memory, a memoryview, a ctypes structure over
    /// one.
    /// Errors: ValueError for a place that is not inside or not aligned.
    #[staticmethod]
    #[pyo3(signature = (source, offset=0))]
    fn from_buffer(source: &Bound<'_, PyAny>, offset: usize) -> PyResult<Mutex> {
        InPlace::new::<sync::Mutex>(source, offset).map(Mutex)
    }

    /// Makes the mutex anew, unlocked, whatever bytes stood there; zero bytes need no init. Nobody
    /// may use it meanwhile.
    ///
    /// kind: "plain": the holder who locks again waits for itself; "recursive": holds it once more;
    /// "error_checking": OSError with EDEADLK.
    #[pyo3(signature = (kind="plain"))]
    fn init(&self, py: Python<'_>, kind: &str) -> PyResult<()> {
        let kind = match kind {
            "plain" => MutexKind::Plain,
            "recursive" => MutexKind::Recursive,
            "error_checking" => MutexKind::ErrorChecking,
            _ => return Err(invalid("the kind is \"plain\", \"recursive\" or \"error_checking\"")),
        };
        // SAFETY: the place is valid and aligned; nobody uses it meanwhile, as the documentation asks.
        unsafe { sync::Mutex::init(self.0.place(), kind) }.raise(py)
    }

    /// Locks.
    /// Errors: OSError with EOWNERDEAD if a holder died and nobody has repaired since, and then it
    /// is not held; BlockingIOError, TimeoutError; OSError with EDEADLK for the holder of an
    /// error-checking one; Incompatible.
    #[pyo3(signature = (*, timeout=None))]
    fn lock(slf: Bound<'_, Self>, timeout: Option<f64>) -> PyResult<Guard> {
        let mutex = slf.get().object();
        acquire(slf.py(), timeout, |wait| mutex.lock_raw(wait))?;
        Ok(Guard::new(slf, false))
    }

    /// Locks if nobody holds it; whether it did. Errors as lock.
    fn try_lock(&self, py: Python<'_>) -> PyResult<bool> {
        tried(py, self.object().lock_raw(Wait::NEVER))
    }

    /// Locks also when the last holder died; the guard's needs_repair tells.
    /// Errors as lock, but EOWNERDEAD.
    #[pyo3(signature = (*, timeout=None))]
    fn lock_recover(slf: Bound<'_, Self>, timeout: Option<f64>) -> PyResult<Guard> {
        let mutex = slf.get().object();
        let needs_repair = acquire(slf.py(), timeout, |wait| mutex.lock_recover_raw(wait))?;
        Ok(Guard::new(slf, needs_repair))
    }

    /// Ends the need for repair. Errors: PermissionError unless the calling thread holds the mutex.
    fn mark_consistent(&self, py: Python<'_>) -> PyResult<()> {
        self.object().mark_consistent().raise(py)
    }

    /// Unlocks. A need for repair that was not met stays.
    /// Errors: PermissionError unless the calling thread holds the mutex.
    fn unlock(&self, py: Python<'_>) -> PyResult<()> {
        self.object().unlock().raise(py)
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        let mutex = slf.get().object();
        acquire(slf.py(), None, |wait| mutex.lock_raw(wait))?;
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
    /// Holds a Mutex; the end of its with statement unlocks it.
    Guard of Mutex,
    /// Whether a holder died and nobody has repaired what the mutex protects since.
    needs_repair
}
