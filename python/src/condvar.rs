//! The condition variable at a place in shared memory.

use std::sync::Mutex as Once;

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use unipc::sync;

use crate::error::Raise;
use crate::in_place::InPlace;
use crate::mutex::Mutex;
use crate::wait::waiting;

/// A condition variable at a place in shared memory, used with a Mutex beside it. Zero bytes
/// are a valid one.
///
/// Who changes: `with mutex: change(); condvar.notify_one()`. Who waits: `with mutex:
/// condvar.wait_while(mutex, lambda: not ready())`. Every wait ends with the mutex held, also
/// by an error. 128 bytes at a multiple of 8. It trusts everyone who can write the page. It
/// keeps the memory mapped.
/// Source: pthread_cond_wait(3p).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Condvar(InPlace);

impl Condvar {
    fn object(&self) -> &sync::Condvar {
        // SAFETY: the only type that a place of this class is made for.
        unsafe { self.0.object() }
    }
}

#[pymethods]
impl Condvar {
    /// Its size in bytes.
    #[classattr]
    const SIZE: usize = size_of::<sync::Condvar>();

    /// The condition variable at an offset of a writable buffer: a Memory, a memoryview, a ctypes
    /// structure over one.
    /// Errors: ValueError for a place that is not inside or not aligned.
    #[staticmethod]
    #[pyo3(signature = (source, offset=0))]
    fn from_buffer(source: &Bound<'_, PyAny>, offset: usize) -> PyResult<Condvar> {
        InPlace::new::<sync::Condvar>(source, offset).map(Condvar)
    }

    /// Makes it anew, whatever bytes stood there; zero bytes need no init. Nobody may use it
    /// meanwhile.
    fn init(&self) {
        // SAFETY: the place is valid and aligned; nobody uses it meanwhile, as the documentation asks.
        unsafe { sync::Condvar::init(self.0.place()) };
    }

    /// Unlocks the mutex, sleeps until it is notified, and locks the mutex again. Gives whether a
    /// holder died meanwhile: then repair, and mark the mutex consistent. It may return without a
    /// reason: look again.
    ///
    /// Errors, with the mutex held again: BlockingIOError, TimeoutError. With the mutex as it was:
    /// PermissionError unless the calling thread holds it; Incompatible.
    #[pyo3(signature = (mutex, *, timeout=None))]
    fn wait(&self, py: Python<'_>, mutex: &Bound<'_, Mutex>, timeout: Option<f64>) -> PyResult<bool> {
        let mutex = mutex.get().object();
        waiting(py, timeout, &|| true, |wait| self.object().wait_raw(mutex, wait))
    }

    /// Waits while condition() is true, which is called with the mutex held, at first and after
    /// every wake-up. One time for all sleeps together. Gives whether a holder died meanwhile: then
    /// the condition may be anything.
    /// Errors as wait, and what the condition raises, with the mutex held.
    #[pyo3(signature = (mutex, condition, *, timeout=None))]
    fn wait_while(&self, py: Python<'_>, mutex: &Bound<'_, Mutex>, condition: Py<PyAny>, timeout: Option<f64>) -> PyResult<bool> {
        let mutex = mutex.get().object();
        let raised = Once::new(None);
        let mut holds = || match Python::attach(|py| condition.call0(py)?.is_truthy(py)) {
            Ok(holds) => holds,
            Err(error) => {
                if let Ok(mut place) = raised.lock() {
                    *place = Some(error);
                }
                false
            }
        };
        let result = waiting(py, timeout, &|| true, |wait| self.object().wait_while_raw(mutex, wait, &mut holds));
        match raised.into_inner() {
            Ok(Some(error)) => Err(error),
            _ => result,
        }
    }

    /// Wakes at least one of those who wait, if there are any. To be called with the mutex held,
    /// after the change.
    /// Errors: Incompatible.
    fn notify_one(&self, py: Python<'_>) -> PyResult<()> {
        self.object().notify_one().raise(py)
    }

    /// Wakes all who wait. To be called with the mutex held, after the change.
    /// Errors: Incompatible.
    fn notify_all(&self, py: Python<'_>) -> PyResult<()> {
        self.object().notify_all().raise(py)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.get().0.reduce(slf.as_any())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.traverse(&visit)
    }
}
