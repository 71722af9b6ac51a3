//! The event at a place in shared memory.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use unipc::sync;

use crate::error::Raise;
use crate::in_place::{InPlace, acquire, tried};

/// An event at a place in shared memory: something has happened, and whoever waits for it goes
/// on. Zero bytes are one of manual reset that is not set.
///
/// Of manual reset it is a gate: once set it lets everybody through until reset. Of automatic
/// reset (init) each setting lets one through. 128 bytes at a multiple of 8. It belongs to
/// nobody, trusts everyone who can write the page, works across pid namespaces, and keeps the
/// memory mapped.
/// Source: futex(2).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Event(InPlace);

impl Event {
    fn object(&self) -> &sync::Event {
        // SAFETY: the only type that a place of this class is made for.
        unsafe { self.0.object() }
    }
}

#[pymethods]
impl Event {
    /// Its size in bytes.
    #[classattr]
    const SIZE: usize = size_of::<sync::Event>();

    /// The event at an offset of a writable buffer: a Memory, a memoryview, a ctypes structure over
    /// one.
    /// Errors: ValueError for a place that is not inside or not aligned.
    #[staticmethod]
    #[pyo3(signature = (source, offset=0))]
    fn from_buffer(source: &Bound<'_, PyAny>, offset: usize) -> PyResult<Event> {
        InPlace::new::<sync::Event>(source, offset).map(Event)
    }

    /// Makes the event anew, whatever bytes stood there; zero bytes need no init. Nobody may use it
    /// meanwhile.
    #[pyo3(signature = (*, automatic_reset=false, set=false))]
    fn init(&self, automatic_reset: bool, set: bool) {
        let fresh = if automatic_reset { sync::Event::automatic_reset(set) } else { sync::Event::manual_reset(set) };
        // SAFETY: the place is valid and aligned; nobody uses it meanwhile, as the documentation asks.
        unsafe { sync::Event::init(self.0.place(), fresh) };
    }

    /// Sets it, and wakes those who wait: all, or one of automatic reset. Errors: Incompatible.
    fn set(&self, py: Python<'_>) -> PyResult<()> {
        self.object().set().raise(py)
    }

    /// Ends the setting; whether it was set. Errors: Incompatible.
    fn reset(&self, py: Python<'_>) -> PyResult<bool> {
        self.object().reset().raise(py)
    }

    /// Whether it is set at this moment. Errors: Incompatible.
    fn is_set(&self, py: Python<'_>) -> PyResult<bool> {
        self.object().is_set().raise(py)
    }

    /// Waits until it is set. Errors: BlockingIOError, TimeoutError; Incompatible.
    #[pyo3(signature = (*, timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
        acquire(py, timeout, |wait| self.object().wait(wait))
    }

    /// Goes through if it is set; whether it was. Errors: Incompatible.
    fn try_wait(&self, py: Python<'_>) -> PyResult<bool> {
        tried(py, self.object().try_wait())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.get().0.reduce(slf.as_any())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.traverse(&visit)
    }
}
