//! System V message queues, and System V keys.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use unipc::Wait;
use unipc::message::{self, SysvQueueOptions, Which};

use crate::buffer::Buffer;
use crate::error::{Raise, invalid};
use crate::handle::{Handle, reduce};
use crate::message::Message;
use crate::stream::path_text;
use crate::wait::waiting;

/// The key of a System V object that belongs to a file: the number that ftok gives, so that
/// plain C programs agree.
///
/// id: 1 to 255, for several objects of one file. Two files may give one key, and a file that
/// is deleted and made anew gives another one.
/// Errors: FileNotFoundError and what else stat raises; OSError with EINVAL.
/// Source: ftok(3), sysvipc(7).
#[pyfunction]
pub(crate) fn sysv_key(py: Python<'_>, path: PathBuf, id: u8) -> PyResult<i32> {
    unipc::name::sysv_key(&path_text(path)?, id).raise(py)
}

/// What a System V message queue is like at a moment. Times are in seconds since 1970, 0 for
/// never.
#[pyclass(frozen, get_all, module = "unipc")]
pub(crate) struct SysvQueueStatus {
    /// The kernel's number of it.
    id: i32,
    /// Its key; 0 for a private one.
    key: i32,
    /// How many messages are in it.
    messages: u64,
    /// How many bytes these have.
    bytes: u64,
    /// How many bytes it holds, and how many messages.
    limit: u64,
    /// The process that sent last, 0 for none.
    last_sender_pid: i32,
    /// The process that received last, 0 for none.
    last_receiver_pid: i32,
    /// When it was sent to last.
    sent_at: i64,
    /// When it was received from last.
    received_at: i64,
    /// When it was made, or its limit or rights were changed.
    changed_at: i64,
    /// Its permissions.
    mode: u32,
    /// Its owner.
    uid: u32,
    /// Its group.
    gid: u32,
    /// Who made it, and has an owner's rights as well.
    creator_uid: u32,
    /// The group of who made it.
    creator_gid: u32,
}

#[pymethods]
impl SysvQueueStatus {
    fn __repr__(&self) -> String {
        format!("SysvQueueStatus(messages={}, bytes={}, limit={})", self.messages, self.bytes, self.limit)
    }
}

/// A System V message queue: messages with a type, of which a receiver chooses. What plain C
/// programs get with msgget.
///
/// It stays until it is removed or the machine restarts. A handle costs memory alone and works
/// in children made by fork; pickling opens the queue by its id. It is no descriptor: who waits
/// probes, and is up to 10 ms late. `with` closes it.
/// Source: sysvipc(7), msgop(2).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct SysvQueue {
    handle: Handle<message::SysvQueue>,
    #[pyo3(get)]
    /// The kernel's number for it, as ipcs -q shows it.
    id: i32,
    #[pyo3(get)]
    /// The key that it was made or opened by; None for a private one.
    key: Option<i32>,
    #[pyo3(get)]
    /// Whether it was asked for whoever owns it.
    any_owner: bool,
}

/// The constructors differ in the core's function alone.
fn made(
    py: Python<'_>,
    patience: Option<f64>,
    options: SysvQueueOptions<'_>,
    open: impl FnOnce(&SysvQueueOptions<'_>) -> unipc::Result<message::SysvQueue> + Send,
) -> PyResult<SysvQueue> {
    let (any_owner, temporary) = (options.any_owner, options.temporary);
    let call = |wait_for_creator: Wait<'_>| open(&SysvQueueOptions { wait_for_creator, ..options });
    let queue = waiting(py, patience, &|| true, call)?;
    let (id, key) = (queue.id(), queue.key());
    let handle = Handle::new("System V queue", queue);
    if temporary {
        handle.remove_at_exit(py)?;
    }
    Ok(SysvQueue { handle, id, key, any_owner })
}

/// As the kernel numbers it: 0 is any, n that type, -n the lowest up to n.
pub(crate) fn which(kind: i64, all_but: bool) -> PyResult<Which> {
    Ok(match kind {
        kind if all_but && kind < 1 => return Err(invalid("all_but needs a type of at least 1")),
        kind if all_but => Which::AllBut(kind),
        0 => Which::Any,
        1.. => Which::Type(kind),
        _ => Which::LowestUpTo(kind.saturating_neg()),
    })
}

impl SysvQueue {
    /// The kernel's number for it.
    pub(crate) fn identifier(&self) -> i32 {
        self.id
    }
}

#[pymethods]
impl SysvQueue {
    /// Creates a queue under a key, exclusively.
    ///
    /// key: not 0; sysv_key makes one of a path. limit: how many bytes of messages it holds; 0 is
    /// the system's choice, kernel.msgmnb. mode: the permissions; 0 is 0o600. group: by name or
    /// number. temporary removes the queue when this handle is closed.
    /// Errors: FileExistsError; OSError with ENOSPC: too many queues; PermissionError: a limit
    /// above kernel.msgmnb, or a group of others; OSError with EINVAL. The text names the limit.
    /// Source: msgget(2).
    #[staticmethod]
    #[pyo3(signature = (key, *, limit=0, mode=0, group=None, temporary=false))]
    fn create(py: Python<'_>, key: i32, limit: usize, mode: u32, group: Option<String>, temporary: bool) -> PyResult<SysvQueue> {
        let options = SysvQueueOptions { limit, mode, group, temporary, ..Default::default() };
        made(py, Some(0.0), options, |options| message::SysvQueue::create(key, options))
    }

    /// Creates a queue without a key, for children and for who is told its id. Unless it is
    /// temporary, it stays.
    /// Errors as create.
    #[staticmethod]
    #[pyo3(signature = (*, limit=0, mode=0, group=None, temporary=false))]
    fn create_private(py: Python<'_>, limit: usize, mode: u32, group: Option<String>, temporary: bool) -> PyResult<SysvQueue> {
        let options = SysvQueueOptions { limit, mode, group, temporary, ..Default::default() };
        made(py, Some(0.0), options, message::SysvQueue::create_private)
    }

    /// Opens a queue that exists. any_owner accepts one that a user other than oneself and root
    /// owns or made; wait_for_creator: seconds, None for ever.
    /// Errors: FileNotFoundError; PermissionError.
    #[staticmethod]
    #[pyo3(
        signature = (key, *, any_owner=false, wait_for_creator=Some(0.0)),
        text_signature = "(key, *, any_owner=False, wait_for_creator=0)"
    )]
    fn open(py: Python<'_>, key: i32, any_owner: bool, wait_for_creator: Option<f64>) -> PyResult<SysvQueue> {
        let options = SysvQueueOptions { any_owner, ..Default::default() };
        made(py, wait_for_creator, options, |options| message::SysvQueue::open(key, options))
    }

    /// Opens a queue, or creates it if there is none: the limit counts only for the one who
    /// creates. There is no creator to wait for: a queue comes whole.
    /// Arguments and errors as open and create.
    #[staticmethod]
    #[pyo3(signature = (key, *, limit=0, mode=0, group=None, any_owner=false, temporary=false))]
    fn open_or_create(
        py: Python<'_>,
        key: i32,
        limit: usize,
        mode: u32,
        group: Option<String>,
        any_owner: bool,
        temporary: bool,
    ) -> PyResult<SysvQueue> {
        let options = SysvQueueOptions { limit, mode, group, any_owner, temporary, ..Default::default() };
        made(py, Some(0.0), options, |options| message::SysvQueue::open_or_create(key, options))
    }

    /// Opens a queue by its id, which its creator has told.
    /// Errors: OSError with EIDRM if there is none; PermissionError.
    #[staticmethod]
    #[pyo3(signature = (id, *, any_owner=false))]
    fn open_id(py: Python<'_>, id: i32, any_owner: bool) -> PyResult<SysvQueue> {
        let options = SysvQueueOptions { any_owner, ..Default::default() };
        made(py, Some(0.0), options, |options| message::SysvQueue::open_id(id, options))
    }

    /// Removes the queue of a key, with all that is in it.
    /// Errors: FileNotFoundError; PermissionError. Source: msgctl(2).
    #[staticmethod]
    fn remove_key(py: Python<'_>, key: i32) -> PyResult<()> {
        message::SysvQueue::remove_key(key).raise(py)
    }

    /// Removes the queue with all that is in it: who waits in it gets OSError with EIDRM.
    /// Errors: OSError with EIDRM if it is gone already; PermissionError.
    fn remove(&self, py: Python<'_>) -> PyResult<()> {
        self.handle.share()?.remove().raise(py)
    }

    /// Sends a message of a type, at least 1.
    ///
    /// Errors: OSError with EMSGSIZE above kernel.msgmax, or above all that the queue holds; with
    /// EINVAL for another type; with EIDRM when the queue is removed; PermissionError;
    /// BlockingIOError, TimeoutError while it is full.
    /// Source: msgsnd(2).
    #[pyo3(signature = (message, r#type=1, *, timeout=None))]
    fn send(&self, py: Python<'_>, message: &Bound<'_, PyAny>, r#type: i64, timeout: Option<f64>) -> PyResult<()> {
        let message = Buffer::readable(message)?;
        self.handle.wait(py, timeout, |queue, wait| queue.send(message.bytes(), r#type, wait))
    }

    /// Receives a message. type: 0 for the oldest; n for the oldest of type n, or with all_but of
    /// any other; -n for the lowest type there is, up to n.
    ///
    /// Errors: OSError with EIDRM when the queue is removed; PermissionError; BlockingIOError,
    /// TimeoutError while there is no such message.
    /// Source: msgrcv(2).
    #[pyo3(signature = (r#type=0, *, all_but=false, timeout=None))]
    fn receive<'py>(&self, py: Python<'py>, r#type: i64, all_but: bool, timeout: Option<f64>) -> PyResult<Bound<'py, PyBytes>> {
        let which = which(r#type, all_but)?;
        let (message, _) = self.handle.wait(py, timeout, |queue, wait| queue.receive_vec(which, wait))?;
        Ok(PyBytes::new(py, &message))
    }

    /// Receives a message together with its type. Arguments and errors as receive.
    #[pyo3(signature = (r#type=0, *, all_but=false, timeout=None))]
    fn receive_message(&self, py: Python<'_>, r#type: i64, all_but: bool, timeout: Option<f64>) -> PyResult<Message> {
        let which = which(r#type, all_but)?;
        let (message, info) = self.handle.wait(py, timeout, |queue, wait| queue.receive_vec(which, wait))?;
        Message::of(py, &message, &info)
    }

    /// Receives a message into a buffer, and gives its length.
    /// Errors as receive; OSError with E2BIG if the buffer is too small: the message stays, unless
    /// cut says that what does not fit is to be lost.
    #[pyo3(signature = (buffer, r#type=0, *, all_but=false, cut=false, timeout=None))]
    fn receive_into(
        &self,
        py: Python<'_>,
        buffer: &Bound<'_, PyAny>,
        r#type: i64,
        all_but: bool,
        cut: bool,
        timeout: Option<f64>,
    ) -> PyResult<usize> {
        let (mut buffer, which) = (Buffer::writable(buffer)?, which(r#type, all_but)?);
        let info = self.handle.wait(py, timeout, |queue, wait| match cut {
            false => queue.receive(buffer.bytes_mut(), which, wait),
            true => queue.receive_cut(buffer.bytes_mut(), which, wait),
        })?;
        Ok(info.size)
    }

    /// The length of the message that such a receive would give now, None if there is none.
    /// Errors: Unavailable where the kernel does not let us look.
    #[pyo3(signature = (r#type=0, *, all_but=false))]
    fn next_size(&self, py: Python<'_>, r#type: i64, all_but: bool) -> PyResult<Option<usize>> {
        self.handle.share()?.next_size(which(r#type, all_but)?).raise(py)
    }

    /// What the queue is like now.
    /// Errors: PermissionError without the right to read; OSError with EIDRM.
    fn status(&self, py: Python<'_>) -> PyResult<SysvQueueStatus> {
        let found = self.handle.share()?.status().raise(py)?;
        Ok(SysvQueueStatus {
            id: found.id,
            key: found.key,
            messages: found.messages,
            bytes: found.bytes,
            limit: found.limit,
            last_sender_pid: found.last_sender_pid,
            last_receiver_pid: found.last_receiver_pid,
            sent_at: found.sent_at,
            received_at: found.received_at,
            changed_at: found.changed_at,
            mode: found.mode,
            uid: found.uid,
            gid: found.gid,
            creator_uid: found.creator_uid,
            creator_gid: found.creator_gid,
        })
    }

    /// Changes how many bytes of messages it holds.
    /// Errors: PermissionError above kernel.msgmnb; OSError with EINVAL for none, with EIDRM.
    fn set_limit(&self, py: Python<'_>, bytes: usize) -> PyResult<()> {
        self.handle.share()?.set_limit(bytes).raise(py)
    }

    /// Changes the permissions; 0 is 0o600. Errors: PermissionError; OSError with EINVAL, EIDRM.
    fn set_mode(&self, py: Python<'_>, mode: u32) -> PyResult<()> {
        self.handle.share()?.set_mode(mode).raise(py)
    }

    /// Changes owner, group or both; None leaves it. Whoever made the queue keeps an owner's rights.
    /// Errors: PermissionError; OSError with EIDRM.
    #[pyo3(signature = (uid=None, gid=None))]
    fn set_owner(&self, py: Python<'_>, uid: Option<u32>, gid: Option<u32>) -> PyResult<()> {
        self.handle.share()?.set_owner(uid, gid).raise(py)
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
        reduce(slf.as_any(), "reduce_sysv_queue")
    }

    fn __repr__(&self) -> String {
        format!("<unipc.SysvQueue id={}{}>", self.id, if self.handle.is_closed() { " closed" } else { "" })
    }
}
