//! The barrier at a place in shared memory.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use unipc::sync;

use crate::error::Raise;
use crate::in_place::InPlace;
use crate::wait::waiting;

/// A barrier at a place in shared memory: nobody goes on before all parties have come, round
/// after round. It must be initialised with their number.
///
/// A party is a thread, from its join or first wait until it leaves. One that dies breaks the
/// barrier: every wait is OSError with EOWNERDEAD until reset. 512 bytes at a multiple of 8;
/// only processes of one pid namespace can share it, others get Incompatible. It trusts
/// everyone who can write the page. It keeps the memory mapped.
/// Source: pthread_barrier_wait(3p), futex(2).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Barrier(InPlace);

impl Barrier {
    fn object(&self) -> &sync::Barrier {
        // SAFETY: the only type that a place of this class is made for.
        unsafe { self.0.object() }
    }
}

#[pymethods]
impl Barrier {
    /// Its size in bytes.
    #[classattr]
    const SIZE: usize = size_of::<sync::Barrier>();

    /// The most parties.
    #[classattr]
    const PARTIES: usize = sync::PARTIES;

    /// The barrier at an offset of a writable buffer: a Memory, a memoryview, a ctypes structure
    /// over one.
    /// Errors: ValueError for a place that is not inside or not aligned.
    #[staticmethod]
    #[pyo3(signature = (source, offset=0))]
    fn from_buffer(source: &Bound<'_, PyAny>, offset: usize) -> PyResult<Barrier> {
        InPlace::new::<sync::Barrier>(source, offset).map(Barrier)
    }

    /// Makes the barrier for 1 to PARTIES parties, whatever bytes stood there. Nobody may use it
    /// meanwhile.
    /// Errors: OSError with EINVAL.
    fn init(&self, py: Python<'_>, parties: u32) -> PyResult<()> {
        let fresh = sync::Barrier::new(parties).raise(py)?;
        // SAFETY: the place is valid and aligned; nobody uses it meanwhile, as the documentation asks.
        unsafe { sync::Barrier::init(self.0.place(), fresh) };
        Ok(())
    }

    /// Makes the calling thread a party, if it is none yet: from here on its death breaks the
    /// barrier.
    /// Errors: OSError with EUSERS if all places are taken, EOWNERDEAD if it is broken, EINVAL if
    /// it was not initialised; Incompatible.
    fn join(&self, py: Python<'_>) -> PyResult<()> {
        self.object().join().raise(py)
    }

    /// Gives the calling thread's place up. Errors: PermissionError if it is no party.
    fn leave(&self, py: Python<'_>) -> PyResult<()> {
        self.object().leave().raise(py)
    }

    /// Waits until all parties have come; joins at first, if need be. True to the last to come.
    /// Errors: OSError with EOWNERDEAD if a party has died; BlockingIOError, TimeoutError, and then
    /// the caller has not come; those of join.
    #[pyo3(signature = (*, timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        waiting(py, timeout, &|| true, |wait| self.object().wait(wait))
    }

    /// Ends the break, after what the dead have left half done is mended; whether it was broken.
    /// Errors: OSError with EINVAL; Incompatible.
    fn reset(&self, py: Python<'_>) -> PyResult<bool> {
        self.object().reset().raise(py)
    }

    /// Whether a party has died, and nobody has reset the barrier since.
    /// Errors: OSError with EINVAL; Incompatible.
    fn is_broken(&self, py: Python<'_>) -> PyResult<bool> {
        self.object().is_broken().raise(py)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.get().0.reduce(slf.as_any())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.traverse(&visit)
    }
}
