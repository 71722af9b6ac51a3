//! Unix SEQPACKET sockets.

use std::net::Shutdown;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use unipc::Wait;
use unipc::message::{self, Received, SeqpacketOptions};
use unipc::stream::{UnixConnectOptions, UnixListenOptions};

use crate::buffer::Buffer;
use crate::datagram::{Descriptors, Taken, borrowed, released, take};
use crate::error::{Raise, invalid, is_end};
use crate::handle::{Handle, describe, fileno, reduce, until_closed};
use crate::message::Message;
use crate::stream::{Credentials, adopt, path_text};

/// A Unix SEQPACKET socket that listens. Iterating accepts one connection after the other,
/// until another thread closes it.
///
/// It costs a descriptor and works in children made by fork. `with` closes it, and removes the
/// path that it published, if that still is its own.
/// Source: unix(7).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct SeqpacketListener {
    handle: Handle<message::SeqpacketListener>,
    options: SeqpacketOptions,
}

#[pymethods]
impl SeqpacketListener {
    /// Listens on a path, or on an abstract name that begins with @. See Listener.open_unix;
    /// credentials, pidfds and send_buffer are for the connections that are accepted, see
    /// Seqpacket.
    #[staticmethod]
    #[pyo3(signature = (path, *, mode=0, group=None, backlog=0, credentials=false, pidfds=false, send_buffer=0))]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn open_unix(
        py: Python<'_>,
        path: PathBuf,
        mode: u32,
        group: Option<String>,
        backlog: u32,
        credentials: bool,
        pidfds: bool,
        send_buffer: usize,
    ) -> PyResult<SeqpacketListener> {
        let path = path_text(path)?;
        let listener = py.detach(|| message::SeqpacketListener::open(&path, &UnixListenOptions { mode, group, backlog })).raise(py)?;
        let options = SeqpacketOptions { credentials, pidfds, send_buffer };
        let handle = Handle::new("listener", listener);
        handle.remove_at_exit(py)?;
        Ok(SeqpacketListener { handle, options })
    }

    /// Takes over a SEQPACKET socket that listens. One that is refused stays the caller's:
    /// WrongKind.
    #[staticmethod]
    #[pyo3(signature = (fd, *, credentials=false, pidfds=false))]
    fn from_fd(py: Python<'_>, fd: i32, credentials: bool, pidfds: bool) -> PyResult<SeqpacketListener> {
        let listener = adopt(py, fd, message::SeqpacketListener::adopt)?;
        Ok(SeqpacketListener {
            handle: Handle::new("listener", listener),
            options: SeqpacketOptions { credentials, pidfds, ..Default::default() },
        })
    }

    /// Takes the next connection. Errors as Listener.accept.
    #[pyo3(signature = (*, timeout=None))]
    fn accept(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Seqpacket> {
        self.handle.wait(py, timeout, |listener, wait| listener.accept(&self.options, wait)).map(Seqpacket::of)
    }

    /// Where it listens.
    fn address(&self, py: Python<'_>) -> PyResult<String> {
        self.handle.share()?.address().raise(py)
    }

    /// The descriptor, which stays the socket's: readable while there is something to receive.
    fn fileno(&self) -> PyResult<i32> {
        fileno(&self.handle)
    }

    /// Gives the descriptor away, and the socket is closed. The path stays. ValueError while
    /// another thread uses it.
    fn into_fd(&self) -> PyResult<i32> {
        Ok(OwnedFd::from(self.handle.take()?).into_raw_fd())
    }

    /// Closes the socket; again is fine. Who waits in it wakes with ValueError; close waits for
    /// that, so that the address is free afterwards.
    fn close(&self, py: Python<'_>) {
        self.handle.close_wholly(py);
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.handle.is_closed()
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Seqpacket>> {
        until_closed(py, &self.handle, self.accept(py, None))
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (kind, error, traceback, /))]
    fn __exit__(&self, py: Python<'_>, kind: Py<PyAny>, error: Py<PyAny>, traceback: Py<PyAny>) {
        let _ = (kind, error, traceback);
        self.handle.close_wholly(py);
    }

    /// What connections tell of their messages: credentials, pidfds.
    fn _told(&self) -> (bool, bool) {
        (self.options.credentials, self.options.pidfds)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reduce(slf.as_any(), "reduce_seqpacket_listener")
    }

    fn __repr__(&self) -> String {
        format!("<unipc.SeqpacketListener {}>", describe(&self.handle))
    }
}

/// A Unix SEQPACKET connection: messages whose boundaries are kept, in order, both ways, and an
/// end. Iterating receives until the end.
///
/// timeout is in seconds, None waits for ever, 0 does not wait. It costs a descriptor and works
/// in children made by fork, where each message goes to one of the receivers. `with` closes it.
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Seqpacket {
    handle: Handle<message::Seqpacket>,
}

impl Seqpacket {
    fn of(socket: message::Seqpacket) -> Seqpacket {
        Seqpacket { handle: Handle::new("seqpacket socket", socket) }
    }

    fn take(&self, py: Python<'_>, size: usize, maximum: usize, timeout: Option<f64>) -> PyResult<(Taken, Received)> {
        self.handle.wait(py, timeout, |socket, wait| {
            let receive = |buffer: &mut [u8], wait| socket.receive_descriptors(buffer, maximum, wait);
            take("receive from seqpacket socket", size, (timeout, wait), |wait| socket.next_size(wait), receive)
        })
    }
}

#[pymethods]
impl Seqpacket {
    /// Connects to a path, or to an abstract name that begins with @.
    /// Arguments and errors as Stream.connect_unix; OSError with EPROTOTYPE if the socket there is
    /// of another type.
    ///
    /// credentials: tell with every message who sent it; pidfds: also by a pidfd, where the kernel
    /// has that (Linux 6.5). send_buffer: bytes, which bound the largest message; 0 is the
    /// system's.
    #[staticmethod]
    #[pyo3(signature = (path, *, timeout=None, any_owner=false, wait_for_listener=false, credentials=false, pidfds=false, send_buffer=0))]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn connect_unix(
        py: Python<'_>,
        path: PathBuf,
        timeout: Option<f64>,
        any_owner: bool,
        wait_for_listener: bool,
        credentials: bool,
        pidfds: bool,
        send_buffer: usize,
    ) -> PyResult<Seqpacket> {
        let (path, connect) = (path_text(path)?, UnixConnectOptions { any_owner, wait_for_listener });
        let options = SeqpacketOptions { credentials, pidfds, send_buffer };
        let connected = |wait: Wait<'_>| message::Seqpacket::connect(&path, &connect, &options, wait);
        crate::wait::waiting(py, timeout, &|| true, connected).map(Seqpacket::of)
    }

    /// Two connected ends, for a process and its child. Source: socketpair(2).
    #[staticmethod]
    #[pyo3(signature = (*, credentials=false, pidfds=false, send_buffer=0))]
    fn pair_unix(py: Python<'_>, credentials: bool, pidfds: bool, send_buffer: usize) -> PyResult<(Seqpacket, Seqpacket)> {
        let options = SeqpacketOptions { credentials, pidfds, send_buffer };
        let (first, second) = message::Seqpacket::pair(&options).raise(py)?;
        Ok((Seqpacket::of(first), Seqpacket::of(second)))
    }

    /// Takes over a connected SEQPACKET socket. One that is refused stays the caller's: WrongKind.
    #[staticmethod]
    #[pyo3(signature = (fd, *, credentials=false, pidfds=false))]
    fn from_fd(py: Python<'_>, fd: i32, credentials: bool, pidfds: bool) -> PyResult<Seqpacket> {
        let options = SeqpacketOptions { credentials, pidfds, ..Default::default() };
        adopt(py, fd, |descriptor| message::Seqpacket::adopt(descriptor, &options)).map(Seqpacket::of)
    }

    /// Sends a message, b"" too, whole or not at all.
    ///
    /// Errors: BrokenPipeError, ConnectionResetError if nobody receives any more; OSError with
    /// EMSGSIZE; BlockingIOError, TimeoutError while the peer is full.
    #[pyo3(signature = (data, *, timeout=None))]
    fn send(&self, py: Python<'_>, data: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<()> {
        let data = Buffer::readable(data)?;
        self.handle.wait(py, timeout, |socket, wait| socket.send(data.bytes(), wait))
    }

    /// Sends a message with descriptors (numbers, or objects with fileno()), at most 253. They stay
    /// open here, too.
    /// Errors as send.
    #[pyo3(signature = (data, fds, *, timeout=None))]
    fn send_fds(&self, py: Python<'_>, data: &Bound<'_, PyAny>, fds: Vec<Bound<'_, PyAny>>, timeout: Option<f64>) -> PyResult<()> {
        let (data, fds) = (Buffer::readable(data)?, Descriptors::of(fds)?);
        let numbers = fds.numbers();
        self.handle.wait(py, timeout, |socket, wait| socket.send_descriptors(data.bytes(), &borrowed(&numbers), wait))
    }

    /// Receives a message, of any size, or of at most size bytes; b"" is an empty one.
    ///
    /// Errors: EndOfStream; ConnectionResetError in its place if the peer has not received
    /// everything; OSError with EMSGSIZE if it is larger: it is lost, and .transferred tells its
    /// size; BlockingIOError, TimeoutError.
    #[pyo3(signature = (size=0, *, timeout=None))]
    fn receive<'py>(&self, py: Python<'py>, size: usize, timeout: Option<f64>) -> PyResult<Bound<'py, PyBytes>> {
        let (data, _) = self.take(py, size, 0, timeout)?;
        Ok(PyBytes::new(py, data.data()))
    }

    /// Receives a message into a buffer, and gives its length: 0 for an empty one, too.
    /// Errors as receive.
    #[pyo3(signature = (buffer, *, timeout=None))]
    fn receive_into(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<usize> {
        let mut buffer = Buffer::writable(buffer)?;
        Ok(self.handle.wait(py, timeout, |socket, wait| socket.receive(buffer.bytes_mut(), wait))?.size)
    }

    /// Receives a message and what is known of it: its sender, if credentials or pidfds were asked
    /// for.
    /// Errors as receive.
    #[pyo3(signature = (size=0, *, timeout=None))]
    fn receive_message(&self, py: Python<'_>, size: usize, timeout: Option<f64>) -> PyResult<Message> {
        let (data, received) = self.take(py, size, 0, timeout)?;
        Message::with_pidfd(py, data.data(), &received.info, received.sender_pidfd)
    }

    /// Receives a message of at most size bytes (0: any), and up to maximum descriptors, which the
    /// caller closes. They are close-on-exec.
    ///
    /// Errors as receive; OSError with EPROTO if the peer sent more, EMFILE if there is no room for
    /// them: all are closed then.
    #[pyo3(signature = (size=0, maximum=1, *, timeout=None))]
    fn receive_fds<'py>(
        &self,
        py: Python<'py>,
        size: usize,
        maximum: usize,
        timeout: Option<f64>,
    ) -> PyResult<(Bound<'py, PyBytes>, Vec<i32>)> {
        let (data, received) = self.take(py, size, maximum, timeout)?;
        Ok((PyBytes::new(py, data.data()), released(received.descriptors)))
    }

    /// The size of the next message, which stays. Errors as receive.
    #[pyo3(signature = (*, timeout=None))]
    fn next_size(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<usize> {
        self.handle.wait(py, timeout, |socket, wait| socket.next_size(wait))
    }

    /// Ends a direction: "read", "write" or "both". The peer then meets the end.
    #[pyo3(signature = (direction="both"))]
    fn shutdown(&self, py: Python<'_>, direction: &str) -> PyResult<()> {
        let how = match direction {
            "read" => Shutdown::Read,
            "write" => Shutdown::Write,
            "both" => Shutdown::Both,
            _ => return Err(invalid("a direction is \"read\", \"write\" or \"both\"")),
        };
        self.handle.share()?.shutdown(how).raise(py)
    }

    /// Who is at the other end, as the kernel noted it when the connection was made.
    fn peer_credentials(&self, py: Python<'_>) -> PyResult<Credentials> {
        Ok(Credentials::of(&self.handle.share()?.peer_credentials().raise(py)?))
    }

    /// A pidfd of the process at the other end, which the caller closes.
    /// Errors: Unavailable before Linux 6.5.
    fn peer_pidfd(&self, py: Python<'_>) -> PyResult<i32> {
        Ok(self.handle.share()?.peer_pidfd().raise(py)?.into_raw_fd())
    }

    /// The supplementary groups of the process at the other end.
    fn peer_groups(&self, py: Python<'_>) -> PyResult<Vec<u32>> {
        self.handle.share()?.peer_groups().raise(py)
    }

    /// What the security module (SELinux, AppArmor, Smack) calls the process at the other end.
    /// Errors: Unavailable without one.
    fn peer_label(&self, py: Python<'_>) -> PyResult<String> {
        self.handle.share()?.peer_label().raise(py)
    }

    /// The address of the other end; "" if it has none.
    fn peer_address(&self, py: Python<'_>) -> PyResult<String> {
        self.handle.share()?.peer_address().raise(py)
    }

    /// The descriptor, which stays the socket's: readable while there is something to receive.
    fn fileno(&self) -> PyResult<i32> {
        fileno(&self.handle)
    }

    /// Gives the descriptor away, and the socket is closed. ValueError while another thread uses
    /// it.
    fn into_fd(&self) -> PyResult<i32> {
        Ok(OwnedFd::from(self.handle.take()?).into_raw_fd())
    }

    /// Closes the socket; again is fine. Who waits in it wakes with ValueError.
    fn close(&self) {
        self.handle.close();
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.handle.is_closed()
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        match self.receive(py, 0, None) {
            Err(error) if is_end(py, &error) => Ok(None),
            other => until_closed(py, &self.handle, other),
        }
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
        reduce(slf.as_any(), "reduce_seqpacket")
    }

    fn __repr__(&self) -> String {
        format!("<unipc.Seqpacket {}>", describe(&self.handle))
    }
}
