//! What the objects at a place in shared memory have in common.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use unipc::{Errno, Wait};

use crate::buffer::Buffer;
use crate::error::{Raise, invalid};
use crate::wait::waiting;

/// An object of the core in the memory that a buffer lends.
pub(crate) struct InPlace {
    buffer: Buffer,
    offset: usize,
    /// For pickling: the memory knows how to travel.
    source: Py<PyAny>,
}

impl InPlace {
    /// `ValueError` for a place that is not inside or not aligned.
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

/// Takes what a peer may hold. The first attempt keeps the interpreter's lock: it does not wait.
pub(crate) fn acquire<R: Send>(py: Python<'_>, timeout: Option<f64>, take: impl Fn(Wait<'_>) -> unipc::Result<R> + Sync) -> PyResult<R> {
    match take(Wait::NEVER) {
        Err(error) if error.is(Errno::EAGAIN) => waiting(py, timeout, &|| true, &take),
        other => other.raise(py),
    }
}

/// Whether an attempt that does not wait has got it.
pub(crate) fn tried(py: Python<'_>, result: unipc::Result<()>) -> PyResult<bool> {
    match result {
        Err(error) if error.is(Errno::EAGAIN) => Ok(false),
        other => other.raise(py).map(|()| true),
    }
}

/// The class of those who hold a lock: `$guard` holds a `$lock`.
macro_rules! guard {
    ($(#[$document:meta])* $guard:ident of $lock:ident, $(#[$repair:meta])* needs_repair) => {
        $(#[$document])*
        #[pyclass(frozen, weakref, module = "unipc")]
        pub(crate) struct $guard {
            lock: Py<$lock>,
            needs_repair: std::sync::atomic::AtomicBool,
        }

        impl $guard {
            fn new(lock: Bound<'_, $lock>, needs_repair: bool) -> $guard {
                $guard { lock: lock.unbind(), needs_repair: needs_repair.into() }
            }
        }

        #[pymethods]
        impl $guard {
            $(#[$repair])*
            #[getter]
            fn needs_repair(&self) -> bool {
                self.needs_repair.load(std::sync::atomic::Ordering::Relaxed)
            }

            /// To be called when the repair is done. Without it the next holder is told again.
            /// Errors: PermissionError unless the calling thread holds it.
            fn mark_consistent(&self, py: Python<'_>) -> PyResult<()> {
                self.lock.get().mark_consistent(py)?;
                self.needs_repair.store(false, std::sync::atomic::Ordering::Relaxed);
                Ok(())
            }

            fn __enter__(slf: Py<Self>) -> Py<Self> {
                slf
            }

            #[pyo3(signature = (kind, error, traceback, /))]
            fn __exit__(&self, py: Python<'_>, kind: Py<PyAny>, error: Py<PyAny>, traceback: Py<PyAny>) -> PyResult<()> {
                let _ = (kind, error, traceback);
                self.lock.get().unlock(py)
            }

            fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
                visit.call(&self.lock)
            }
        }
    };
}

pub(crate) use guard;
