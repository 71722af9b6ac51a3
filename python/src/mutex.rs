//! The mutex at a place in shared memory.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use unipc::sync::{self, MutexKind};
use unipc::{Errno, Wait};

use crate::buffer::Buffer;
use crate::error::{Raise, invalid};
use crate::wait::waiting;

/// An object of the core in the memory that a buffer lends.
pub(crate) struct InPlace {
    buffer: Buffer,
    offset: usize,
    /// For pickling: the memory knows how to travel.
    pub(crate) source: Py<PyAny>,
}

impl InPlace {
    pub(crate) fn new<T>(source: &Bound<'_, PyAny>, offset: usize) -> PyResult<InPlace> {
        let buffer = Buffer::writable(source)?;
        let (size, room) = (size_of::<T>(), buffer.len());
        if offset > room || size > room - offset {
            return Err(invalid(format!("{size} bytes at {offset} do not lie within the {room} bytes of the buffer")));
        }
        if !(buffer.as_ptr() as usize + offset).is_multiple_of(align_of::<T>()) {
            return Err(invalid(format!("the place is not at a multiple of {} bytes", align_of::<T>())));
        }
        Ok(InPlace { buffer, offset, source: source.clone().unbind() })
    }

    pub(crate) fn place<T>(&self) -> *mut T {
        // SAFETY: the object lies inside the buffer, as `new` has checked.
        unsafe { self.buffer.as_ptr().add(self.offset).cast() }
    }

    /// # Safety
    /// `T` is the type that `new` was called with, and made of atomics: any bytes are a valid one.
    pub(crate) unsafe fn object<T>(&self) -> &T {
        // SAFETY: inside the buffer and aligned, as `new` has checked; lent while `self` lives.
        unsafe { &*self.place::<T>() }
    }

    /// For the collector of cycles: a structure may keep the lock that is in it.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.source)?;
        self.buffer.traverse(visit)
    }

    /// What to call, and with what, to have the object on the other side of a pickle.
    pub(crate) fn reduce<'py>(&self, object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = object.py();
        py.import("unipc._pickling")?.call_method1("reduce_in_place", (object.get_type(), &self.source, self.offset))
    }
}

/// A mutex at a place in shared memory, whose holder may die. Zero bytes are an unlocked mutex.
///
/// `with mutex:` locks; lock with a timeout and lock_recover give a Guard for a with statement. It is owned by a thread: only the thread that locked
/// it can unlock it. 128 bytes at a multiple of 8; only processes of one pid namespace and one C library can share it, others get Incompatible. It
/// keeps the memory mapped. It trusts everyone who can write the page: the C library has its list of the locks that are held in there, and follows it.
/// Source: pthread_mutexattr_setrobust(3).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Mutex(InPlace);

impl Mutex {
    pub(crate) fn object(&self) -> &sync::Mutex {
        // SAFETY: the only type that a place of this class is made for.
        unsafe { self.0.object() }
    }

    /// The first attempt keeps the interpreter's lock: it does not wait.
    fn acquire<R: Send>(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        lock: impl Fn(&sync::Mutex, Wait<'_>) -> unipc::Result<R> + Sync,
    ) -> PyResult<R> {
        let mutex = self.object();
        match lock(mutex, Wait::NEVER) {
            Err(error) if error.is(Errno::EAGAIN) => waiting(py, timeout, &|| true, |wait| lock(mutex, wait)),
            other => other.raise(py),
        }
    }
}

#[pymethods]
impl Mutex {
    /// Its size in bytes.
    #[classattr]
    const SIZE: usize = size_of::<sync::Mutex>();

    /// The mutex at an offset of a writable buffer: a Memory, a memoryview, a ctypes structure over one. Errors: ValueError for a place that is not
    /// inside or not aligned.
    #[staticmethod]
    #[pyo3(signature = (source, offset=0))]
    fn from_buffer(source: &Bound<'_, PyAny>, offset: usize) -> PyResult<Mutex> {
        InPlace::new::<sync::Mutex>(source, offset).map(Mutex)
    }

    /// Makes the mutex anew, unlocked, whatever bytes stood there; zero bytes need no init. Nobody may use it meanwhile.
    ///
    /// kind: "plain": the holder who locks again waits for itself; "recursive": holds it once more; "error_checking": OSError with EDEADLK.
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

    /// Locks. Errors: OSError with EOWNERDEAD if a holder died and nobody has repaired since, and then it is not held; BlockingIOError,
    /// TimeoutError; OSError with EDEADLK for the holder of an error-checking one; Incompatible.
    #[pyo3(signature = (*, timeout=None))]
    fn lock(slf: Bound<'_, Self>, timeout: Option<f64>) -> PyResult<Guard> {
        slf.get().acquire(slf.py(), timeout, |mutex, wait| mutex.lock_raw(wait))?;
        Ok(Guard { mutex: slf.unbind(), needs_repair: AtomicBool::new(false) })
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
    fn lock_recover(slf: Bound<'_, Self>, timeout: Option<f64>) -> PyResult<Guard> {
        let needs_repair = slf.get().acquire(slf.py(), timeout, |mutex, wait| mutex.lock_recover_raw(wait))?;
        Ok(Guard { mutex: slf.unbind(), needs_repair: AtomicBool::new(needs_repair) })
    }

    /// Ends the need for repair. Errors: PermissionError unless the calling thread holds the mutex.
    fn mark_consistent(&self, py: Python<'_>) -> PyResult<()> {
        self.object().mark_consistent().raise(py)
    }

    /// Unlocks. A need for repair that was not met stays. Errors: PermissionError unless the calling thread holds the mutex.
    fn unlock(&self, py: Python<'_>) -> PyResult<()> {
        self.object().unlock().raise(py)
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        slf.get().acquire(slf.py(), None, |mutex, wait| mutex.lock_raw(wait))?;
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

/// Holds a Mutex; the end of its with statement unlocks it.
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Guard {
    mutex: Py<Mutex>,
    needs_repair: AtomicBool,
}

#[pymethods]
impl Guard {
    /// Whether a holder died and nobody has repaired what the mutex protects since.
    #[getter]
    fn needs_repair(&self) -> bool {
        self.needs_repair.load(Ordering::Relaxed)
    }

    /// To be called when the repair is done. Without it the next holder is told again.
    fn mark_consistent(&self, py: Python<'_>) -> PyResult<()> {
        self.mutex.get().mark_consistent(py)?;
        self.needs_repair.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (kind, error, traceback, /))]
    fn __exit__(&self, py: Python<'_>, kind: Py<PyAny>, error: Py<PyAny>, traceback: Py<PyAny>) -> PyResult<()> {
        let _ = (kind, error, traceback);
        self.mutex.get().unlock(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.mutex)
    }
}
