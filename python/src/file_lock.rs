//! Locks on files.

use std::os::fd::IntoRawFd;
use std::path::PathBuf;

use pyo3::prelude::*;
use unipc::file::lock::{self, FileLockOptions, LockKind, LockMode, LockRange};
use unipc::{Errno, Wait};

use crate::error::{Raise, invalid};
use crate::handle::{Handle, describe, fileno, reduce};
use crate::in_place::tried;
use crate::stream::{adopt, path_text};

/// A file, opened to be locked; an empty one is made if there is none. `with` holds it
/// exclusively, all of it.
///
/// kind is who holds the lock. "ofd": the open file, on ranges of bytes. "flock": the open
/// file, all of it, as flock(1) does. "record": the process, on ranges, as fcntl.lockf does;
/// the close of any descriptor of the file in the process, whoever opened it, loses the lock,
/// and threads are not kept apart. "ofd" and "record" meet each other; "flock" meets its like
/// alone.
///
/// The kernel drops the lock when its holder dies. It binds nobody who does not ask for it.
/// Threads that are to keep each other out have an object each: one that locks twice changes
/// its lock. A child made by fork shares the lock, but for "record": an unlock there is one for
/// both. A lock file stays where it is: who removes it while another has it open leaves that
/// one with a lock that nobody else finds.
///
/// mode: the permissions of a new file, set whatever the umask says; 0 is 0o600. group: by name
/// or number. read_only is enough for a flock, and for shared locks of the other kinds.
/// any_owner accepts a file of a user other than oneself and root. create=False leaves it at
/// files that exist.
/// Errors: FileNotFoundError; PermissionError; WrongKind for what is no regular file; OSError
/// with ELOOP for a link. It costs a descriptor. Pickling opens the file by its path, as
/// another holder that holds nothing.
/// Source: fcntl_locking(2), flock(2).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct FileLock {
    handle: Handle<lock::FileLock>,
    kind: LockKind,
    #[pyo3(get)]
    /// The path; None for one of a descriptor.
    path: Option<String>,
    #[pyo3(get)]
    /// Whether the file was opened to read only.
    read_only: bool,
    #[pyo3(get)]
    /// Whether it was asked for whoever owns it.
    any_owner: bool,
}

/// A lock that is in the way.
#[pyclass(frozen, get_all, eq, hash, module = "unipc")]
#[derive(PartialEq, Hash)]
pub(crate) struct FileLockHolder {
    /// The process; None where the kernel does not tell: of "ofd" locks, and of processes in
    /// another pid namespace.
    pid: Option<i32>,
    /// Whether others may share it.
    shared: bool,
    /// The first byte that it is on.
    start: u64,
    /// How many bytes; 0 is all from the start.
    length: u64,
}

#[pymethods]
impl FileLockHolder {
    fn __repr__(&self) -> String {
        let pid = self.pid.map_or_else(|| "None".to_owned(), |pid| pid.to_string());
        let shared = if self.shared { "True" } else { "False" };
        format!("<unipc.FileLockHolder pid={pid} shared={shared} start={} length={}>", self.start, self.length)
    }
}

/// What `FileLock.held` gives.
#[pyclass(frozen, module = "unipc", name = "_HeldFile")]
pub(crate) struct HeldFile {
    lock: Py<FileLock>,
    mode: LockMode,
    range: LockRange,
    timeout: Option<f64>,
}

#[pymethods]
impl HeldFile {
    fn __enter__(&self, py: Python<'_>) -> PyResult<Py<FileLock>> {
        self.lock.get().take(py, self.mode, self.range, self.timeout)?;
        Ok(self.lock.clone_ref(py))
    }

    #[pyo3(signature = (kind, error, traceback, /))]
    fn __exit__(&self, py: Python<'_>, kind: Py<PyAny>, error: Py<PyAny>, traceback: Py<PyAny>) -> PyResult<()> {
        let _ = (kind, error, traceback);
        self.lock.get().give_back(py, self.range)
    }
}

fn mode_of(shared: bool) -> LockMode {
    if shared { LockMode::Shared } else { LockMode::Exclusive }
}

fn kind_of(kind: &str) -> PyResult<LockKind> {
    match kind {
        "ofd" => Ok(LockKind::Ofd),
        "flock" => Ok(LockKind::Flock),
        "record" => Ok(LockKind::Record),
        _ => Err(invalid("kind is \"ofd\", \"flock\" or \"record\"")),
    }
}

impl FileLock {
    fn take(&self, py: Python<'_>, mode: LockMode, range: LockRange, timeout: Option<f64>) -> PyResult<()> {
        match self.handle.share()?.acquire(mode, range, Wait::NEVER) {
            Err(error) if error.is(Errno::EAGAIN) => self.handle.wait(py, timeout, |lock, wait| lock.acquire(mode, range, wait)),
            other => other.raise(py),
        }
    }

    /// When the handle is closed inside the with statement, the lock has gone with it.
    fn give_back(&self, py: Python<'_>, range: LockRange) -> PyResult<()> {
        self.handle.share().map_or(Ok(()), |lock| lock.unlock(range).raise(py))
    }
}

#[pymethods]
impl FileLock {
    #[new]
    #[pyo3(signature = (path, *, kind="ofd", create=true, mode=0, group=None, read_only=false, any_owner=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        kind: &str,
        create: bool,
        mode: u32,
        group: Option<String>,
        read_only: bool,
        any_owner: bool,
    ) -> PyResult<FileLock> {
        let (path, kind) = (path_text(path)?, kind_of(kind)?);
        let options = FileLockOptions { kind, read_only, mode, group, any_owner };
        let open = if create { lock::FileLock::open_or_create } else { lock::FileLock::open };
        let file = py.detach(|| open(&path, &options)).raise(py)?;
        Ok(FileLock { handle: Handle::new("file lock", file), kind, path: Some(path), read_only, any_owner })
    }

    /// Takes over a descriptor of a file; of a directory too, for a flock. One that is refused
    /// stays the caller's.
    /// Errors: OSError with EBADF.
    #[staticmethod]
    #[pyo3(signature = (fd, *, kind="ofd"))]
    fn from_fd(py: Python<'_>, fd: i32, kind: &str) -> PyResult<FileLock> {
        let kind = kind_of(kind)?;
        let file = adopt(py, fd, |descriptor| lock::FileLock::adopt(descriptor, kind))?;
        Ok(FileLock { handle: Handle::new("file lock", file), kind, path: None, read_only: false, any_owner: false })
    }

    /// Locks a range of bytes; a length of 0 is all from the start, however the file grows. What
    /// this object holds in it is converted.
    ///
    /// The kernel has no limit for these waits, so they probe, from every 50 us to every 10 ms.
    /// Errors: BlockingIOError, TimeoutError; OSError with EBADF: exclusive, but open to read only;
    /// with ENOLCK; with EINVAL: a range beyond what a file can have, or of a flock.
    #[pyo3(signature = (*, shared=false, start=0, length=0, timeout=None))]
    fn lock(&self, py: Python<'_>, shared: bool, start: u64, length: u64, timeout: Option<f64>) -> PyResult<()> {
        self.take(py, mode_of(shared), LockRange { start, length }, timeout)
    }

    /// Locks a range if nobody else holds it; whether it did.
    #[pyo3(signature = (*, shared=false, start=0, length=0))]
    fn try_lock(&self, py: Python<'_>, shared: bool, start: u64, length: u64) -> PyResult<bool> {
        tried(py, self.handle.share()?.acquire(mode_of(shared), LockRange { start, length }, Wait::NEVER))
    }

    /// Holds a range for the length of a with statement. Arguments and errors as lock.
    #[pyo3(signature = (*, shared=false, start=0, length=0, timeout=None))]
    fn held(slf: Py<Self>, shared: bool, start: u64, length: u64, timeout: Option<f64>) -> HeldFile {
        HeldFile { lock: slf, mode: mode_of(shared), range: LockRange { start, length }, timeout }
    }

    /// Makes a shared lock exclusive, and waits until the other sharers have gone.
    ///
    /// Two that upgrade at once wait for each other, so give it a timeout. A flock is given back
    /// first: others may have changed the file before the exclusive lock is there. When it fails
    /// the lock is shared as before, or the error is OSError with ENOLCK: another took the file,
    /// nothing is held. What is not held is not locked: PermissionError. Else errors as lock.
    #[pyo3(signature = (*, start=0, length=0, timeout=None))]
    fn upgrade(&self, py: Python<'_>, start: u64, length: u64, timeout: Option<f64>) -> PyResult<()> {
        self.handle.wait(py, timeout, |lock, wait| lock.upgrade(LockRange { start, length }, wait))
    }

    /// Makes an exclusive lock shared, without letting anybody write in between. What is not held
    /// is not locked: PermissionError.
    #[pyo3(signature = (*, start=0, length=0))]
    fn downgrade(&self, py: Python<'_>, start: u64, length: u64) -> PyResult<()> {
        self.handle.share()?.downgrade(LockRange { start, length }).raise(py)
    }

    /// Gives a range back, or a part of one. What is not held is no error.
    #[pyo3(signature = (*, start=0, length=0))]
    fn unlock(&self, py: Python<'_>, start: u64, length: u64) -> PyResult<()> {
        self.handle.share()?.unlock(LockRange { start, length }).raise(py)
    }

    /// A lock of others that keeps this object from locking a range; None if nothing does. It may
    /// be gone by now.
    ///
    /// Errors: Unavailable for a flock, without /proc/locks.
    #[pyo3(signature = (*, shared=false, start=0, length=0))]
    fn find_holder(&self, py: Python<'_>, shared: bool, start: u64, length: u64) -> PyResult<Option<FileLockHolder>> {
        let found = self.handle.share()?.find_holder(mode_of(shared), LockRange { start, length }).raise(py)?;
        Ok(found.map(|found| FileLockHolder {
            pid: found.process,
            shared: found.mode == LockMode::Shared,
            start: found.range.start,
            length: found.range.length,
        }))
    }

    /// "ofd", "flock" or "record".
    #[getter]
    fn kind(&self) -> &'static str {
        match self.kind {
            LockKind::Ofd => "ofd",
            LockKind::Flock => "flock",
            LockKind::Record => "record",
        }
    }

    /// The descriptor, which stays the object's: to read and write the file, as with os.pread and
    /// os.pwrite.
    fn fileno(&self) -> PyResult<i32> {
        fileno(&self.handle)
    }

    /// Gives the descriptor away and closes the object. Its locks stay until the descriptor is
    /// closed.
    fn into_fd(&self) -> PyResult<i32> {
        Ok(std::os::fd::OwnedFd::from(self.handle.take()?).into_raw_fd())
    }

    /// Closes the file, and gives back what is held; again is fine. Who waits in it wakes with
    /// ValueError.
    fn close(&self) {
        self.handle.close();
    }

    /// Whether the object is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.handle.is_closed()
    }

    fn __enter__(slf: Py<Self>, py: Python<'_>) -> PyResult<Py<Self>> {
        slf.get().take(py, LockMode::Exclusive, LockRange::WHOLE, None)?;
        Ok(slf)
    }

    #[pyo3(signature = (kind, error, traceback, /))]
    fn __exit__(&self, py: Python<'_>, kind: Py<PyAny>, error: Py<PyAny>, traceback: Py<PyAny>) -> PyResult<()> {
        let _ = (kind, error, traceback);
        self.give_back(py, LockRange::WHOLE)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reduce(slf.as_any(), "reduce_file_lock")
    }

    fn __repr__(&self) -> String {
        match &self.path {
            Some(path) => format!("<unipc.FileLock {path:?} {} {}>", self.kind(), describe(&self.handle)),
            None => format!("<unipc.FileLock {} {}>", self.kind(), describe(&self.handle)),
        }
    }
}
