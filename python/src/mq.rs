//! POSIX message queues.

use std::os::fd::IntoRawFd;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use unipc::Wait;
use unipc::message::{self, MessageInfo, MqAccess, MqOptions};

use crate::buffer::Buffer;
use crate::error::{Raise, invalid};
use crate::handle::{Handle, describe, fileno, reduce};
use crate::message::Message;
use crate::stream::adopt;
use crate::wait::waiting;

/// Messages up to this many bytes, which is the system's own choice, pass through the stack.
const SMALL: usize = 8192;

/// A POSIX message queue: a bounded number of messages of a bounded size, the highest priority
/// first, the oldest first within one. What plain C programs open with mq_open.
///
/// A message outlives its sender; the queue stays until it is unlinked or the machine restarts.
/// It costs a descriptor and works in children made by fork; pickling opens it by its name, or
/// takes the descriptor along. `with` closes it.
/// Source: mq_overview(7).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Mq {
    handle: Handle<message::Mq>,
    #[pyo3(get)]
    /// The name; None for one of a descriptor.
    name: Option<String>,
    #[pyo3(get)]
    /// How many messages it holds.
    capacity: usize,
    #[pyo3(get)]
    /// The largest message in bytes, and so the smallest buffer for receive_into.
    largest: usize,
    #[pyo3(get)]
    /// Whether it was asked for whoever owns it.
    any_owner: bool,
    access: MqAccess,
}

type OpenNamed = fn(&str, &MqOptions<'_>) -> unipc::Result<message::Mq>;

/// The three constructors differ in the core's function alone.
fn named(py: Python<'_>, name: String, patience: Option<f64>, options: MqOptions<'_>, open: OpenNamed) -> PyResult<Mq> {
    let (access, any_owner, temporary) = (options.access, options.any_owner, options.temporary);
    let call = |wait_for_creator: Wait<'_>| open(&name, &MqOptions { wait_for_creator, ..options });
    let queue = waiting(py, patience, &|| true, call)?;
    let queue = Mq { any_owner, ..Mq::of(queue, Some(name), access) };
    if temporary {
        queue.handle.remove_at_exit(py)?;
    }
    Ok(queue)
}

fn access_of(access: &str) -> PyResult<MqAccess> {
    match access {
        "both" => Ok(MqAccess::Both),
        "receive" => Ok(MqAccess::Receive),
        "send" => Ok(MqAccess::Send),
        _ => Err(invalid("access is \"both\", \"receive\" or \"send\"")),
    }
}

impl Mq {
    fn of(queue: message::Mq, name: Option<String>, access: MqAccess) -> Mq {
        let (capacity, largest) = (queue.capacity(), queue.largest());
        Mq { handle: Handle::new("message queue", queue), name, capacity, largest, any_owner: false, access }
    }

    /// Receives, and makes something of what has come.
    fn received<R>(&self, py: Python<'_>, timeout: Option<f64>, make: impl FnOnce(&[u8], &MessageInfo) -> PyResult<R>) -> PyResult<R> {
        if self.largest > SMALL {
            let (message, info) = self.handle.wait(py, timeout, |queue, wait| queue.receive_vec(wait))?;
            return make(&message, &info);
        }
        let mut small = [0; SMALL];
        let info = self.handle.wait(py, timeout, |queue, wait| queue.receive(&mut small, wait))?;
        make(&small[..info.size], &info)
    }
}

#[pymethods]
impl Mq {
    /// Creates a queue, exclusively.
    ///
    /// name: at most 255 bytes; the leading slash is optional. capacity: how many messages it
    /// holds; 0 is the system's choice, mostly 10. largest: the largest message in bytes; 0 is the
    /// system's choice, mostly 8192. mode: the permissions, set whatever the umask says; 0 is
    /// 0o600. group: by name or number. access: "both", "receive" or "send". temporary removes the
    /// name when this handle is closed.
    /// Errors: FileExistsError; OSError with EINVAL: sizes beyond the system's limits; with EMFILE:
    /// RLIMIT_MSGQUEUE has no room for it, or no descriptor is left; with ENOSPC: too many queues;
    /// with ENAMETOOLONG; PermissionError. The text names the limit.
    /// Source: mq_open(3).
    #[staticmethod]
    #[pyo3(signature = (name, *, capacity=0, largest=0, mode=0, group=None, access="both", temporary=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn create(
        py: Python<'_>,
        name: String,
        capacity: usize,
        largest: usize,
        mode: u32,
        group: Option<String>,
        access: &str,
        temporary: bool,
    ) -> PyResult<Mq> {
        let options = MqOptions { capacity, largest, mode, group, access: access_of(access)?, temporary, ..Default::default() };
        named(py, name, Some(0.0), options, message::Mq::create)
    }

    /// Opens a queue that exists.
    ///
    /// largest: the least that will do; 0 for any. any_owner accepts a queue of a user other than
    /// oneself and root. wait_for_creator: seconds, None for ever.
    /// Errors: FileNotFoundError; PermissionError; WrongSize if its messages are smaller.
    #[staticmethod]
    #[pyo3(
        signature = (name, *, largest=0, access="both", any_owner=false, wait_for_creator=Some(0.0)),
        text_signature = "(name, *, largest=0, access='both', any_owner=False, wait_for_creator=0)"
    )]
    fn open(py: Python<'_>, name: String, largest: usize, access: &str, any_owner: bool, wait_for_creator: Option<f64>) -> PyResult<Mq> {
        let options = MqOptions { largest, access: access_of(access)?, any_owner, ..Default::default() };
        named(py, name, wait_for_creator, options, message::Mq::open)
    }

    /// Opens a queue, or creates it if there is none: the capacity counts only for the one who
    /// creates. There is no creator to wait for: a queue comes whole.
    /// Arguments and errors as open and create.
    #[staticmethod]
    #[pyo3(signature = (name, *, capacity=0, largest=0, mode=0, group=None, access="both", any_owner=false, temporary=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn open_or_create(
        py: Python<'_>,
        name: String,
        capacity: usize,
        largest: usize,
        mode: u32,
        group: Option<String>,
        access: &str,
        any_owner: bool,
        temporary: bool,
    ) -> PyResult<Mq> {
        let access = access_of(access)?;
        let options = MqOptions { capacity, largest, mode, group, access, any_owner, temporary, ..Default::default() };
        named(py, name, Some(0.0), options, message::Mq::open_or_create)
    }

    /// Removes the name. Who has the queue open goes on using it.
    /// Errors: FileNotFoundError; PermissionError. Source: mq_unlink(3).
    #[staticmethod]
    fn unlink(py: Python<'_>, name: &str) -> PyResult<()> {
        py.detach(|| message::Mq::unlink(name)).raise(py)
    }

    /// Takes over the descriptor of a queue. One that is refused stays the caller's.
    /// Errors: OSError with EBADF; WrongKind.
    #[staticmethod]
    fn from_fd(py: Python<'_>, fd: i32) -> PyResult<Mq> {
        adopt(py, fd, message::Mq::from_descriptor).map(|queue| Mq::of(queue, None, MqAccess::Both))
    }

    /// Gives the descriptor away; the handle is closed. The name stays, also of a temporary queue.
    fn into_fd(&self) -> PyResult<i32> {
        Ok(self.handle.take()?.into_descriptor().into_raw_fd())
    }

    /// Sends a message, of a priority up to 32767; the highest is received first.
    ///
    /// Errors: OSError with EMSGSIZE above the queue's limit, with EINVAL for a priority that there
    /// is not, with EBADF on one opened for receiving; BlockingIOError, TimeoutError while it is
    /// full.
    /// Source: mq_send(3).
    #[pyo3(signature = (message, priority=0, *, timeout=None))]
    fn send(&self, py: Python<'_>, message: &Bound<'_, PyAny>, priority: u32, timeout: Option<f64>) -> PyResult<()> {
        let message = Buffer::readable(message)?;
        self.handle.wait(py, timeout, |queue, wait| queue.send(message.bytes(), priority, wait))
    }

    /// Receives the oldest message of the highest priority.
    ///
    /// Errors: OSError with EBADF on one opened for sending; BlockingIOError, TimeoutError while it
    /// is empty.
    /// Source: mq_receive(3).
    #[pyo3(signature = (*, timeout=None))]
    fn receive<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Bound<'py, PyBytes>> {
        self.received(py, timeout, |data, _| Ok(PyBytes::new(py, data)))
    }

    /// Receives a message together with its priority. Errors as receive.
    #[pyo3(signature = (*, timeout=None))]
    fn receive_message(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Message> {
        self.received(py, timeout, |data, info| Message::of(py, data, info))
    }

    /// Receives a message into a buffer, and gives its length.
    /// Errors as receive; OSError with EMSGSIZE for a buffer smaller than largest: the message
    /// stays.
    #[pyo3(signature = (buffer, *, timeout=None))]
    fn receive_into(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<usize> {
        let mut buffer = Buffer::writable(buffer)?;
        self.handle.wait(py, timeout, |queue, wait| queue.receive(buffer.bytes_mut(), wait).map(|info| info.size))
    }

    /// How many messages are in it now.
    fn queued(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.handle.share()?.attributes().raise(py)?.queued)
    }

    /// Asks for a signal when a message comes into the empty queue and nobody waits in a receive.
    /// Once: ask again, and then empty the queue. Only one process can be told, and closing any
    /// handle of the queue ends it; fileno is there for event loops, and has no such limits.
    ///
    /// Errors: OSError with EBUSY if somebody is told already, with EINVAL for what is no signal.
    /// Source: mq_notify(3).
    #[pyo3(signature = (signal, value=0))]
    fn notify_signal(&self, py: Python<'_>, signal: i32, value: isize) -> PyResult<()> {
        self.handle.share()?.notify_signal(signal, value).raise(py)
    }

    /// Takes back what notify_signal has asked for.
    fn cancel_notify(&self, py: Python<'_>) -> PyResult<()> {
        self.handle.share()?.cancel_notify().raise(py)
    }

    /// "both", "receive" or "send".
    #[getter]
    fn access(&self) -> &'static str {
        match self.access {
            MqAccess::Both => "both",
            MqAccess::Receive => "receive",
            MqAccess::Send => "send",
        }
    }

    /// The descriptor, which stays the queue's: readable while there is a message, writable while
    /// there is room.
    fn fileno(&self) -> PyResult<i32> {
        fileno(&self.handle)
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
        reduce(slf.as_any(), "reduce_mq")
    }

    fn __repr__(&self) -> String {
        match &self.name {
            Some(name) => format!("<unipc.Mq {name:?} {}>", describe(&self.handle)),
            None => format!("<unipc.Mq {}>", describe(&self.handle)),
        }
    }
}
