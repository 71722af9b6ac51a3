//! Semaphores: at a place in shared memory, and by name.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use unipc::sync::{self, PosixSemaphoreOptions};
use unipc::{Errno, Wait};

use crate::error::Raise;
use crate::handle::{Handle, reduce};
use crate::in_place::{InPlace, acquire, tried};
use crate::wait::waiting;

/// A counting semaphore at a place in shared memory. Zero bytes are a plain semaphore of value
/// 0.
///
/// `with semaphore:` takes a unit and gives it back. 512 bytes at a multiple of 8. A recovering
/// one (init_recovering) gets units back from processes that died with them. It trusts everyone
/// who can write the page. It keeps the memory mapped.
/// Source: sem_overview(7).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Semaphore(InPlace);

impl Semaphore {
    pub(crate) fn object(&self) -> &sync::Semaphore {
        // SAFETY: the only type that a place of this class is made for.
        unsafe { self.0.object() }
    }

    fn set(&self, semaphore: sync::Semaphore) {
        // SAFETY: the place is valid and aligned; nobody uses it meanwhile, as the documentation asks.
        unsafe { sync::Semaphore::init(self.0.place(), semaphore) };
    }
}

#[pymethods]
impl Semaphore {
    /// Its size in bytes.
    #[classattr]
    const SIZE: usize = size_of::<sync::Semaphore>();

    /// The most units of a recovering one.
    #[classattr]
    const PLACES: usize = sync::PLACES;

    /// The semaphore at an offset of a writable buffer: a Memory, a memoryview, a ctypes structure
    /// over one.
    /// Errors: ValueError for a place that is not inside or not aligned.
    #[staticmethod]
    #[pyo3(signature = (source, offset=0))]
    fn from_buffer(source: &Bound<'_, PyAny>, offset: usize) -> PyResult<Semaphore> {
        InPlace::new::<sync::Semaphore>(source, offset).map(Semaphore)
    }

    /// Makes it a plain semaphore of a value, whatever bytes stood there. Nobody may use it
    /// meanwhile.
    /// Errors: OSError with EINVAL above 2**31 - 1.
    #[pyo3(signature = (value=0))]
    fn init(&self, py: Python<'_>, value: u32) -> PyResult<()> {
        self.set(sync::Semaphore::new(value).raise(py)?);
        Ok(())
    }

    /// Makes it a recovering semaphore of 1 to PLACES units, all free: the units of processes that
    /// die come back.
    /// Errors: OSError with EINVAL.
    fn init_recovering(&self, py: Python<'_>, units: u32) -> PyResult<()> {
        self.set(sync::Semaphore::recovering(units).raise(py)?);
        Ok(())
    }

    /// Takes a unit. Errors: BlockingIOError, TimeoutError; Incompatible.
    #[pyo3(signature = (*, timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
        acquire(py, timeout, |wait| self.object().wait(wait))
    }

    /// Takes a unit if one is free; whether it did.
    fn try_wait(&self, py: Python<'_>) -> PyResult<bool> {
        tried(py, self.object().try_wait())
    }

    /// Gives a unit back, and wakes one who waits.
    /// Errors: OSError with EOVERFLOW; PermissionError from a process that holds no unit of a
    /// recovering one.
    fn post(&self, py: Python<'_>) -> PyResult<()> {
        self.object().post().raise(py)
    }

    /// How many units are free at this moment.
    fn value(&self, py: Python<'_>) -> PyResult<u32> {
        self.object().value().raise(py)
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        slf.get().wait(slf.py(), None)?;
        Ok(slf)
    }

    #[pyo3(signature = (kind, error, traceback, /))]
    fn __exit__(&self, py: Python<'_>, kind: Py<PyAny>, error: Py<PyAny>, traceback: Py<PyAny>) -> PyResult<()> {
        let _ = (kind, error, traceback);
        self.post(py)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.get().0.reduce(slf.as_any())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.traverse(&visit)
    }
}

/// A named semaphore, which plain C programs open with sem_open.
///
/// It costs one mapping and no descriptor, works in children made by fork, and stays until it
/// is unlinked. The unit of a process that dies is lost; Semaphore.init_recovering does not
/// lose it. Pickling opens it by its name. `with` closes it.
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct PosixSemaphore {
    handle: Handle<sync::PosixSemaphore>,
    #[pyo3(get)]
    /// The name.
    name: String,
    #[pyo3(get)]
    /// Whether it was asked for whoever owns it.
    any_owner: bool,
}

/// What a named semaphore is like at a moment.
#[pyclass(frozen, get_all, module = "unipc")]
pub(crate) struct PosixSemaphoreStatus {
    /// Its name, without a slash.
    name: String,
    /// How many units are free; None where we may not read it.
    value: Option<u32>,
    /// Its permissions.
    mode: u32,
    /// Its owner.
    uid: u32,
    /// Its group.
    gid: u32,
}

#[pymethods]
impl PosixSemaphoreStatus {
    fn __repr__(&self) -> String {
        let value = self.value.map_or_else(|| "None".to_owned(), |value| value.to_string());
        format!("PosixSemaphoreStatus({:?}, value={value}, mode={:#o}, uid={})", self.name, self.mode, self.uid)
    }
}

impl PosixSemaphoreStatus {
    fn of(found: sync::PosixSemaphoreStatus) -> PosixSemaphoreStatus {
        PosixSemaphoreStatus { name: found.name, value: found.value, mode: found.mode, uid: found.uid, gid: found.gid }
    }
}

type OpenNamed = fn(&str, &PosixSemaphoreOptions<'_>) -> unipc::Result<sync::PosixSemaphore>;

/// The three constructors differ in the core's function alone.
fn named(
    py: Python<'_>,
    name: String,
    patience: Option<f64>,
    options: PosixSemaphoreOptions<'_>,
    open: OpenNamed,
) -> PyResult<PosixSemaphore> {
    let (any_owner, temporary) = (options.any_owner, options.temporary);
    let call = |wait_for_creator: Wait<'_>| open(&name, &PosixSemaphoreOptions { wait_for_creator, ..options });
    let handle = Handle::new("semaphore", waiting(py, patience, &|| true, call)?);
    if temporary {
        handle.remove_at_exit(py)?;
    }
    Ok(PosixSemaphore { handle, name, any_owner })
}

impl PosixSemaphore {
    /// How many units are free; `None` when it is closed.
    pub(crate) fn free(&self) -> Option<unipc::Result<u32>> {
        self.handle.share().ok().map(|semaphore| semaphore.value())
    }
}

#[pymethods]
impl PosixSemaphore {
    /// Creates a named semaphore, exclusively. Nobody meets it half made.
    ///
    /// name: at most 251 bytes; the leading slash is optional. value: how many units are free at
    /// first. mode: the permissions, set whatever the umask says; 0 is 0o600. group: by name or
    /// number. temporary removes the name when this handle is closed.
    /// Errors: FileExistsError; OSError with EINVAL, ENAMETOOLONG, ENOSPC; PermissionError.
    /// Source: sem_open(3).
    #[staticmethod]
    #[pyo3(signature = (name, value=0, *, mode=0, group=None, temporary=false))]
    fn create(py: Python<'_>, name: String, value: u32, mode: u32, group: Option<String>, temporary: bool) -> PyResult<PosixSemaphore> {
        let options = PosixSemaphoreOptions { value, mode, group, temporary, ..Default::default() };
        named(py, name, Some(0.0), options, sync::PosixSemaphore::create)
    }

    /// Opens a named semaphore that exists. any_owner accepts one of a user other than oneself and
    /// root; wait_for_creator: seconds, None for ever.
    ///
    /// Errors: FileNotFoundError; PermissionError; WrongKind; WrongSize for a file that is no
    /// semaphore of this C library.
    #[staticmethod]
    #[pyo3(
        signature = (name, *, any_owner=false, wait_for_creator=Some(0.0)),
        text_signature = "(name, *, any_owner=False, wait_for_creator=0)"
    )]
    fn open(py: Python<'_>, name: String, any_owner: bool, wait_for_creator: Option<f64>) -> PyResult<PosixSemaphore> {
        let options = PosixSemaphoreOptions { any_owner, ..Default::default() };
        named(py, name, wait_for_creator, options, sync::PosixSemaphore::open)
    }

    /// Opens a named semaphore, or creates it if there is none: the value counts only for the one
    /// who creates. There is no creator to wait for: a semaphore comes whole.
    /// Arguments and errors as open and create.
    #[staticmethod]
    #[pyo3(signature = (name, value=0, *, mode=0, group=None, any_owner=false, temporary=false))]
    fn open_or_create(
        py: Python<'_>,
        name: String,
        value: u32,
        mode: u32,
        group: Option<String>,
        any_owner: bool,
        temporary: bool,
    ) -> PyResult<PosixSemaphore> {
        let options = PosixSemaphoreOptions { value, mode, group, any_owner, temporary, ..Default::default() };
        named(py, name, Some(0.0), options, sync::PosixSemaphore::open_or_create)
    }

    /// Removes the name. Who has the semaphore open goes on using it.
    /// Errors: FileNotFoundError; PermissionError. Source: sem_unlink(3).
    #[staticmethod]
    fn unlink(py: Python<'_>, name: &str) -> PyResult<()> {
        py.detach(|| sync::PosixSemaphore::unlink(name)).raise(py)
    }

    /// What the semaphore of a name is like now, whoever owns it.
    /// Errors: FileNotFoundError; WrongKind, WrongSize for what is no semaphore.
    #[staticmethod]
    fn status(py: Python<'_>, name: &str) -> PyResult<PosixSemaphoreStatus> {
        sync::PosixSemaphore::status(name).raise(py).map(PosixSemaphoreStatus::of)
    }

    /// The named semaphores that there are, everybody's, in the order of their names.
    /// Source: sem_overview(7).
    #[staticmethod]
    fn list(py: Python<'_>) -> PyResult<Vec<PosixSemaphoreStatus>> {
        let found = py.detach(sync::PosixSemaphore::list).raise(py)?;
        Ok(found.into_iter().map(PosixSemaphoreStatus::of).collect())
    }

    /// Takes a unit. Errors: BlockingIOError, TimeoutError.
    #[pyo3(signature = (*, timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
        match self.handle.share()?.try_wait() {
            Err(error) if error.is(Errno::EAGAIN) => self.handle.wait(py, timeout, |semaphore, wait| semaphore.wait(wait)),
            other => other.raise(py),
        }
    }

    /// Takes a unit if one is free; whether it did.
    fn try_wait(&self, py: Python<'_>) -> PyResult<bool> {
        tried(py, self.handle.share()?.try_wait())
    }

    /// Gives a unit back, and wakes one who waits. Errors: OSError with EOVERFLOW.
    fn post(&self, py: Python<'_>) -> PyResult<()> {
        self.handle.share()?.post().raise(py)
    }

    /// How many units are free at this moment.
    fn value(&self, py: Python<'_>) -> PyResult<u32> {
        self.handle.share()?.value().raise(py)
    }

    /// Closes the handle; again is fine. Who waits in it wakes with ValueError.
    fn close(&self) {
        self.handle.close();
    }

    /// Whether the handle is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.handle.is_closed()
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (kind, error, traceback, /))]
    fn __exit__(&self, kind: Py<PyAny>, error: Py<PyAny>, traceback: Py<PyAny>) {
        let _ = (kind, error, traceback);
        self.handle.close();
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reduce(slf.as_any(), "reduce_posix_semaphore")
    }

    fn __repr__(&self) -> String {
        format!("<unipc.PosixSemaphore {:?}{}>", self.name, if self.handle.is_closed() { " closed" } else { "" })
    }
}
