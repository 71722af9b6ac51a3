//! Event counters and timers.

use std::os::fd::{IntoRawFd, OwnedFd};
use std::time::Duration;

use pyo3::prelude::*;
use unipc::event::{self, EventCounter, EventCounterOptions};

use crate::error::{Raise, invalid};
use crate::handle::{Handle, describe, fileno, reduce};
use crate::stream::adopt;

/// A counter that wakes, for a process and its children, or whoever is sent its descriptor.
///
/// The sender writes its data first and then adds; the receiver takes first and then reads all
/// the data there is, however large the number was. initial: what the counter begins with.
/// semaphore: each take takes one. It costs one descriptor; parent and child share the counter,
/// and it travels to multiprocessing children. `with` closes it.
/// Errors: OSError with EMFILE, ENFILE. Source: eventfd(2).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct EventFd {
    handle: Handle<EventCounter>,
}

impl EventFd {
    fn of(counter: EventCounter) -> EventFd {
        EventFd { handle: Handle::new("event counter", counter) }
    }
}

#[pymethods]
impl EventFd {
    #[new]
    #[pyo3(signature = (initial=0, *, semaphore=false))]
    fn new(py: Python<'_>, initial: u32, semaphore: bool) -> PyResult<EventFd> {
        EventCounter::create(&EventCounterOptions { initial, semaphore }).raise(py).map(EventFd::of)
    }

    /// Takes over an eventfd from elsewhere. In failure it stays the caller's. One that blocks
    /// stays so, and then add outwaits its timeout if another takes, in this moment, the room that
    /// it has asked for; so does take before Linux 5.8.
    /// Errors: WrongKind; OSError with EBADF.
    #[staticmethod]
    fn from_fd(py: Python<'_>, fd: i32) -> PyResult<EventFd> {
        adopt(py, fd, EventCounter::adopt).map(EventFd::of)
    }

    /// Adds to the counter and wakes who waits. It waits itself only while the sum would exceed
    /// 2**64 - 2.
    /// Errors: BlockingIOError, TimeoutError: no room; OSError with EINVAL for 2**64 - 1.
    #[pyo3(signature = (value=1, *, timeout=None))]
    fn add(&self, py: Python<'_>, value: u64, timeout: Option<f64>) -> PyResult<()> {
        self.handle.wait(py, timeout, |counter, wait| counter.add(value, wait))
    }

    /// Takes what the counter has and leaves 0; of one in semaphore mode, takes 1. Waits while it
    /// is 0.
    /// Errors: BlockingIOError, TimeoutError.
    #[pyo3(signature = (*, timeout=None))]
    fn take(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<u64> {
        self.handle.wait(py, timeout, |counter, wait| counter.take(wait))
    }

    /// What the counter has at this moment; nothing is taken. Errors: Unavailable without /proc.
    fn value(&self, py: Python<'_>) -> PyResult<u64> {
        self.handle.share()?.value().raise(py)
    }

    /// The descriptor, which stays the counter's: readable while it is not 0. It does not block,
    /// unless it was adopted so.
    fn fileno(&self) -> PyResult<i32> {
        fileno(&self.handle)
    }

    /// Gives the descriptor away; this object is closed.
    /// Errors: ValueError while another thread uses it.
    fn into_fd(&self) -> PyResult<i32> {
        Ok(OwnedFd::from(self.handle.take()?).into_raw_fd())
    }

    /// Closes the counter; again is fine. Who waits in it wakes with ValueError.
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
        reduce(slf.as_any(), "reduce_descriptor")
    }

    fn __repr__(&self) -> String {
        format!("<unipc.EventFd {}>", describe(&self.handle))
    }
}

/// Seconds as the core has them; less than zero is zero, and a part of a nanosecond a whole one: zero would be none.
fn seconds(seconds: f64) -> PyResult<Duration> {
    if seconds.is_nan() {
        return Err(invalid("a time is a number of seconds"));
    }
    let time = Duration::try_from_secs_f64(seconds.max(0.0)).map_err(|_| invalid("the time is too far"))?;
    Ok(if seconds > 0.0 { time.max(Duration::from_nanos(1)) } else { time })
}

/// A timer that is a descriptor. Expirations that nobody took are counted.
///
/// clock: "monotonic", which stands still while the machine sleeps, or "boottime", which does
/// not; neither can be set. It is not set at first. It costs one descriptor; parent and child
/// share it, and it travels to multiprocessing children. `with` closes it.
/// Errors: OSError with EMFILE, ENFILE. Source: timerfd_create(2).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Timer {
    handle: Handle<event::Timer>,
}

impl Timer {
    fn of(timer: event::Timer) -> Timer {
        Timer { handle: Handle::new("timer", timer) }
    }
}

#[pymethods]
impl Timer {
    #[new]
    #[pyo3(signature = (clock="monotonic"))]
    fn new(py: Python<'_>, clock: &str) -> PyResult<Timer> {
        let clock = match clock {
            "monotonic" => event::Clock::Monotonic,
            "boottime" => event::Clock::Boottime,
            _ => return Err(invalid("the clock is \"monotonic\" or \"boottime\"")),
        };
        event::Timer::create(clock).raise(py).map(Timer::of)
    }

    /// Takes over a timerfd of one of the two clocks from elsewhere. In failure it stays the
    /// caller's.
    /// Errors: WrongKind; OSError with EBADF.
    #[staticmethod]
    fn from_fd(py: Python<'_>, fd: i32) -> PyResult<Timer> {
        adopt(py, fd, event::Timer::adopt).map(Timer::of)
    }

    /// Expires after so many seconds, and then every interval if that is above zero. What was set
    /// before is forgotten.
    #[pyo3(signature = (first, interval=0.0))]
    fn set(&self, py: Python<'_>, first: f64, interval: f64) -> PyResult<()> {
        self.handle.share()?.set(seconds(first)?, seconds(interval)?).raise(py)
    }

    /// Expires at a time of its clock, as now gives it (at once if that is past), and then every
    /// interval if that is above zero, without drift.
    #[pyo3(signature = (at, interval=0.0))]
    fn set_at(&self, py: Python<'_>, at: f64, interval: f64) -> PyResult<()> {
        self.handle.share()?.set_at(seconds(at)?, seconds(interval)?).raise(py)
    }

    /// Does not expire any more.
    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        self.handle.share()?.cancel().raise(py)
    }

    /// Waits for an expiration; gives how many there were since the last call.
    /// Errors: BlockingIOError, TimeoutError.
    #[pyo3(signature = (*, timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<u64> {
        self.handle.wait(py, timeout, |timer, wait| timer.wait(wait))
    }

    /// The seconds until the next expiration, and between two; None for what is not set.
    fn state(&self, py: Python<'_>) -> PyResult<(Option<f64>, Option<f64>)> {
        let state = self.handle.share()?.state().raise(py)?;
        Ok((state.remaining.map(|time| time.as_secs_f64()), state.interval.map(|time| time.as_secs_f64())))
    }

    /// The time by its clock, in seconds.
    fn now(&self) -> PyResult<f64> {
        Ok(self.handle.share()?.clock().now().as_secs_f64())
    }

    /// The descriptor, which stays the timer's: readable while there is an expiration that nobody
    /// took.
    fn fileno(&self) -> PyResult<i32> {
        fileno(&self.handle)
    }

    /// Gives the descriptor away; this object is closed.
    /// Errors: ValueError while another thread uses it.
    fn into_fd(&self) -> PyResult<i32> {
        Ok(OwnedFd::from(self.handle.take()?).into_raw_fd())
    }

    /// Closes the timer; again is fine. Who waits for it wakes with ValueError.
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
        reduce(slf.as_any(), "reduce_descriptor")
    }

    fn __repr__(&self) -> String {
        format!("<unipc.Timer {}>", describe(&self.handle))
    }
}
