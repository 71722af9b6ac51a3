//! How calls wait: without the interpreter's lock, asking now and then whether they still should, with the stop token that the thread has bound.

use std::cell::RefCell;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::ThreadId;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use unipc::{Errno, Timeout, Wait};

use crate::error::{Raise, invalid, note_transferred, raise};
use crate::handle::reduce;

thread_local! {
    /// The tokens that are bound to the thread, each with the number of its with statement.
    static BOUND: RefCell<Vec<(u64, unipc::Stop)>> = const { RefCell::new(Vec::new()) };
}

/// Whether any thread has ever bound a token: most programs do not, and then nobody looks.
static IN_USE: AtomicBool = AtomicBool::new(false);

/// Seconds, or `None` for ever.
pub(crate) fn timeout(seconds: Option<f64>) -> PyResult<Timeout> {
    match seconds {
        None => Ok(Timeout::FOREVER),
        Some(seconds) if seconds.is_nan() => Err(invalid("a timeout is a number of seconds, or None")),
        // The conversion saturates: beyond 292 years is for ever, below zero never waits. A part of a nanosecond still is a wait.
        Some(seconds) => Ok(Timeout::from_nanoseconds((seconds * 1e9).ceil() as i64)),
    }
}

/// Runs a call of the core that may wait. `is_open` says whether the object is still there: another thread may close it meanwhile.
///
/// A signal's Python handler runs in the main thread alone, so only there a wait is interrupted to run it; if it raises, the wait ends with that.
#[inline]
pub(crate) fn waiting<R: Send>(
    py: Python<'_>,
    seconds: Option<f64>,
    is_open: &(dyn Fn() -> bool + Sync),
    call: impl FnOnce(Wait<'_>) -> unipc::Result<R> + Send,
) -> PyResult<R> {
    attempted(py, seconds, is_open, call).map_err(|(error, _)| error)
}

/// [`waiting`] for a call that may do a part: what it raises says in any case how much had passed. `passed` is how many bytes a result stands for, which is
/// lost to an exception of a handler.
#[inline]
pub(crate) fn waiting_for<R: Send>(
    py: Python<'_>,
    seconds: Option<f64>,
    is_open: &(dyn Fn() -> bool + Sync),
    passed: impl FnOnce(&R) -> usize,
    call: impl FnOnce(Wait<'_>) -> unipc::Result<R> + Send,
) -> PyResult<R> {
    attempted(py, seconds, is_open, call).map_err(|failed| noted(py, failed, passed))
}

/// The exception, and what the call had done.
pub(crate) type Failed<R> = (PyErr, unipc::Result<R>);

/// The exception, which says how much had passed.
pub(crate) fn noted<R>(py: Python<'_>, (error, done): Failed<R>, passed: impl FnOnce(&R) -> usize) -> PyErr {
    note_transferred(py, &error, done.as_ref().map_or_else(unipc::Error::transferred, passed));
    error
}

/// What [`waiting`] and [`waiting_for`] have in common.
#[inline]
pub(crate) fn attempted<R: Send>(
    py: Python<'_>,
    seconds: Option<f64>,
    is_open: &(dyn Fn() -> bool + Sync),
    call: impl FnOnce(Wait<'_>) -> unipc::Result<R> + Send,
) -> Result<R, Failed<R>> {
    let timeout = timeout(seconds).map_err(|error| (error, Err(unipc::Error::os("wait", Errno::EINVAL))))?;
    let raised = Mutex::new(None);
    // A handler may close the object.
    let is_wanted = || (!runs_handlers() || run_handlers(&raised)) && is_open();
    let stop = bound();
    let result = py.detach(|| call(Wait::new(timeout, stop.as_ref()).while_wanted(&is_wanted)));
    // Whatever the result: what a handler has raised must not be lost.
    if let Some(raised) = raised.into_inner().unwrap_or(None) {
        return Err((raised, result));
    }
    match result {
        Ok(done) => Ok(done),
        Err(error) if error.is(Errno::EINTR) && !is_open() => Err((invalid("closed while it was waited for"), Err(error))),
        Err(error) => Err((raise(py, &error), Err(error))),
    }
}

/// Whether Python's signal handlers run in this thread: the one that the interpreter was started in, which is the process's first.
fn runs_handlers() -> bool {
    // SAFETY: both always succeed.
    unsafe { libc::syscall(libc::SYS_gettid) == libc::c_long::from(libc::getpid()) }
}

/// Runs the handlers of signals that have come; whether none has raised an exception.
fn run_handlers(raised: &Mutex<Option<PyErr>>) -> bool {
    // An interpreter that is ending runs none any more.
    let Some(result) = Python::try_attach(|py| py.check_signals()) else { return true };
    match result {
        Ok(()) => true,
        Err(error) => {
            if let Ok(mut place) = raised.lock() {
                *place = Some(error);
            }
            false
        }
    }
}

fn bound() -> Option<unipc::Stop> {
    if !IN_USE.load(Ordering::Relaxed) {
        return None;
    }
    BOUND.try_with(|bound| bound.borrow().last().map(|(_, stop)| stop.clone())).ok().flatten()
}

/// A stop token: ends waits from another thread. Each wait of a thread that has bound the token
/// (``with stop.bound():``) then fails with ``OSError`` of errno ``ECANCELED``, now and until
/// `reset`.
///
/// It costs one descriptor. After fork, parent and child share it: a request in either ends the
/// waits of both.
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Stop(unipc::Stop);

#[pymethods]
impl Stop {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Stop> {
        unipc::Stop::new().raise(py).map(Stop)
    }

    /// Ends every wait that uses the token.
    fn request(&self) {
        self.0.request();
    }

    /// Makes the token usable again. A request that comes at the same time may be lost.
    fn reset(&self) {
        self.0.reset();
    }

    /// Whether a request stands.
    fn is_requested(&self) -> bool {
        self.0.is_requested()
    }

    /// Binds the token to the calling thread for the length of a with statement; the one that was
    /// bound last counts. RuntimeError if the statement ends in another thread than it began in.
    fn bound(slf: Py<Self>) -> Bound {
        Bound { stop: slf, entered: Entered::default() }
    }

    /// A descriptor that is readable while a request stands. It stays the token's.
    fn fileno(&self) -> i32 {
        self.0.as_fd().as_raw_fd()
    }

    fn __reduce__<'py>(slf: &pyo3::Bound<'py, Self>) -> PyResult<pyo3::Bound<'py, PyAny>> {
        reduce(slf.as_any(), "refuse")
    }

    fn __repr__(&self) -> String {
        format!("<unipc.Stop requested={}>", if self.0.is_requested() { "True" } else { "False" })
    }
}

/// What `Stop.bound` gives.
#[pyclass(frozen, module = "unipc", name = "_Bound")]
pub(crate) struct Bound {
    stop: Py<Stop>,
    entered: Entered<u64>,
}

#[pymethods]
impl Bound {
    fn __enter__(&self, py: Python<'_>) -> Py<Stop> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        IN_USE.store(true, Ordering::Relaxed);
        BOUND.with(|bound| bound.borrow_mut().push((number, self.stop.get().0.clone())));
        self.entered.push(number);
        self.stop.clone_ref(py)
    }

    #[pyo3(signature = (kind, error, traceback, /))]
    fn __exit__(&self, kind: Py<PyAny>, error: Py<PyAny>, traceback: Py<PyAny>) -> PyResult<()> {
        let _ = (kind, error, traceback);
        let number = self.entered.pop()?;
        BOUND.with(|bound| bound.borrow_mut().retain(|(other, _)| *other != number));
        Ok(())
    }
}

/// What the with statements of an object have done, each in the thread that it runs in.
pub(crate) struct Entered<E>(Mutex<Vec<(ThreadId, E)>>);

impl<E> Default for Entered<E> {
    fn default() -> Entered<E> {
        Entered(Mutex::default())
    }
}

impl<E> Entered<E> {
    pub(crate) fn push(&self, entry: E) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((std::thread::current().id(), entry));
    }

    /// The last one of this thread. `RuntimeError` if there is none.
    pub(crate) fn pop(&self) -> PyResult<E> {
        let own = std::thread::current().id();
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match entries.iter().rposition(|(thread, _)| *thread == own) {
            Some(place) => Ok(entries.remove(place).1),
            None => Err(PyRuntimeError::new_err("this with statement was not entered in this thread")),
        }
    }
}
