//! Signals.

use pyo3::prelude::*;
use unipc::event::signal::{self, Blocked, Received, Target};

use crate::error::Raise;
use crate::handle::{Handle, describe, fileno, reduce, until_closed};
use crate::wait::{Entered, waiting};

/// A signal that was received.
#[pyclass(frozen, get_all, eq, hash, module = "unipc")]
#[derive(PartialEq, Hash)]
pub(crate) struct ReceivedSignal {
    /// Its number.
    signal: i32,
    /// Why it came: SI_USER, SI_QUEUE and so on, of sigaction(2).
    code: i32,
    /// The value that it was sent with, or None.
    value: Option<i32>,
    /// The process that sent it, or the child that it is about, or None; 0 in a pid namespace that
    /// is not ours.
    sender_pid: Option<i32>,
    /// The real user of that process, or None.
    sender_uid: Option<u32>,
    /// How many signals to this object had no room before it.
    lost: u64,
}

impl From<Received> for ReceivedSignal {
    fn from(received: Received) -> ReceivedSignal {
        let Received { signal, code, value, sender_pid, sender_uid, lost } = received;
        ReceivedSignal { signal, code, value, sender_pid, sender_uid, lost }
    }
}

#[pymethods]
impl ReceivedSignal {
    fn __repr__(&self) -> String {
        let shown = |number: Option<i32>| number.map_or_else(|| "None".to_owned(), |number| number.to_string());
        let name = signal::describe(self.signal).map_or_else(|| self.signal.to_string(), |known| known.name);
        format!("<unipc.ReceivedSignal {name} value={} sender_pid={}>", shown(self.value), shown(self.sender_pid))
    }
}

/// Signals that become something to read, beside everything else that a loop waits for.
///
/// By default a handler records them (the self-pipe), in whichever thread it runs; a handler
/// that was there before, Python's own too, still runs. With block the signals are blocked in
/// the calling thread and read from a signalfd: call it before other threads are made. Several
/// objects may take the same signal in handlers, and each gets it. It costs two descriptors,
/// one with block. After a fork it is refused in the child (Forked). Closing restores what was
/// there before. Iterating gives one signal after the other, until another thread closes it.
/// Errors: OSError with EINVAL for what cannot be caught; with EAGAIN when there are 64
/// already.
/// Source: signal(7), signalfd(2).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Signals {
    handle: Handle<signal::Signals>,
}

#[pymethods]
impl Signals {
    #[new]
    #[pyo3(signature = (signals, *, block=false))]
    fn new(py: Python<'_>, signals: Vec<i32>, block: bool) -> PyResult<Signals> {
        let made = if block { signal::Signals::block(&signals) } else { signal::Signals::catch(&signals) };
        Ok(Signals { handle: Handle::new("signals", made.raise(py)?) })
    }

    /// The next signal. Errors: BlockingIOError, TimeoutError; Forked.
    #[pyo3(signature = (*, timeout=None))]
    fn receive(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<ReceivedSignal> {
        self.handle.wait(py, timeout, |signals, wait| signals.receive(wait)).map(ReceivedSignal::from)
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<ReceivedSignal>> {
        until_closed(py, &self.handle, self.receive(py, None))
    }

    /// The descriptor, which stays the object's: readable while there is a signal to receive.
    fn fileno(&self) -> PyResult<i32> {
        fileno(&self.handle)
    }

    /// Takes the signals no longer; again is fine. Who waits wakes with ValueError.
    fn close(&self) {
        self.handle.close();
    }

    /// Whether it is closed.
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
        reduce(slf.as_any(), "refuse")
    }

    fn __repr__(&self) -> String {
        format!("<unipc.Signals {}>", describe(&self.handle))
    }
}

/// Holds signals back in the calling thread for the length of a with statement. What comes
/// meanwhile is delivered then. It may be nested.
/// Errors: OSError with EINVAL for what cannot be blocked; RuntimeError if the statement ends
/// in another thread than it began in.
/// Source: pthread_sigmask(3).
#[pyclass(frozen, module = "unipc")]
pub(crate) struct BlockedSignals {
    signals: Vec<i32>,
    entered: Entered<InItsThread>,
}

/// What was blocked in a thread, which the same thread ends.
struct InItsThread {
    _blocked: Blocked,
}

// SAFETY: it notes its thread, and dropped in another, as when that has ended inside the with statement, it changes nothing.
unsafe impl Send for InItsThread {}

#[pymethods]
impl BlockedSignals {
    #[new]
    fn new(signals: Vec<i32>) -> BlockedSignals {
        BlockedSignals { signals, entered: Entered::default() }
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        let blocked = Blocked::new(&slf.get().signals).raise(slf.py())?;
        slf.get().entered.push(InItsThread { _blocked: blocked });
        Ok(slf)
    }

    #[pyo3(signature = (kind, error, traceback, /))]
    fn __exit__(&self, kind: Py<PyAny>, error: Py<PyAny>, traceback: Py<PyAny>) -> PyResult<()> {
        let _ = (kind, error, traceback);
        self.entered.pop().map(drop)
    }
}

/// Waits for one of these signals, which the caller has blocked (BlockedSignals). Of several
/// that are pending the smallest number comes first.
/// Errors: BlockingIOError, TimeoutError; OSError with EINVAL. Source: sigtimedwait(2).
#[pyfunction]
#[pyo3(signature = (signals, *, timeout=None))]
pub(crate) fn take_signal(py: Python<'_>, signals: Vec<i32>, timeout: Option<f64>) -> PyResult<ReceivedSignal> {
    waiting(py, timeout, &|| true, |wait| signal::take(&signals, wait)).map(ReceivedSignal::from)
}

/// Sends a signal to a process, or with thread to that thread of it. With a value, real-time
/// signals queue, in order, each with its own. 0 sends none, and asks whether one could be
/// sent.
/// Errors: ProcessLookupError; PermissionError; OSError with EINVAL; BlockingIOError when no
/// more can be queued.
/// Source: kill(2), sigqueue(3), tgkill(2).
#[pyfunction]
#[pyo3(signature = (pid, signal, *, value=None, thread=None))]
pub(crate) fn send_signal(py: Python<'_>, pid: i32, signal: i32, value: Option<i32>, thread: Option<i32>) -> PyResult<()> {
    let target = thread.map_or(Target::Process(pid), |thread| Target::Thread { process: pid, thread });
    send(target, signal, value).raise(py)
}

/// Sends a signal to every process of a group; 0 is the caller's own.
/// Errors: as send_signal. Source: killpg(3).
#[pyfunction]
pub(crate) fn send_signal_to_group(py: Python<'_>, group: i32, signal: i32) -> PyResult<()> {
    signal::send(Target::Group(group), signal).raise(py)
}

pub(crate) fn send(target: Target<'_>, signal: i32, value: Option<i32>) -> unipc::Result<()> {
    match value {
        Some(value) => signal::send_value(target, signal, value),
        None => signal::send(target, signal),
    }
}

/// What is known of a signal of this system.
#[pyclass(frozen, get_all, module = "unipc")]
pub(crate) struct SignalDescription {
    /// Its number.
    number: i32,
    /// "SIGUSR1", "SIGRTMIN+3".
    name: String,
    /// "terminate", "core dump", "ignore", "stop" or "continue".
    default_action: &'static str,
    /// When it comes.
    description: &'static str,
    /// What programs do with it.
    usage: &'static str,
}

#[pymethods]
impl SignalDescription {
    fn __repr__(&self) -> String {
        format!("<unipc.SignalDescription {} {}>", self.number, self.name)
    }
}

/// Every signal of this system, by number. Source: signal(7).
#[pyfunction]
pub(crate) fn signal_table() -> Vec<SignalDescription> {
    let row = |known: signal::Signal| SignalDescription {
        number: known.number,
        name: known.name,
        default_action: known.action.name(),
        description: known.description,
        usage: known.usage,
    };
    signal::signals().into_iter().map(row).collect()
}
