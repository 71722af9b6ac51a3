//! Listeners, Unix and TCP.

use std::os::fd::{IntoRawFd, OwnedFd};
use std::path::PathBuf;

use pyo3::prelude::*;
use unipc::stream::{self, TcpListener, TcpOptions, UnixListenOptions, UnixListener};

use crate::error::{Raise, invalid};
use crate::handle::{Handle, describe, fileno, reduce, until_closed};
use crate::stream::{Stream, adopt, path_text};

/// A listening Unix or TCP socket. Iterating accepts one connection after the other, until
/// another thread closes it.
///
/// It costs a descriptor, works in children made by fork, and travels to multiprocessing
/// children. `with` closes it, and removes the path that it published, if that still is its
/// own.
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Listener {
    handle: Handle<stream::Listener>,
}

impl Listener {
    fn of(listener: stream::Listener) -> Listener {
        Listener { handle: Handle::new("listener", listener) }
    }
}

#[pymethods]
impl Listener {
    /// Listens on a path, or on an abstract name that begins with @. The path appears when it
    /// listens; one that a dead server left behind is reclaimed, a live one never.
    ///
    /// mode: the permissions of the path, set whatever the umask says; 0 is 0o600. group: by name
    /// or number. backlog: how many connections may wait to be accepted; 0 is 128.
    /// Errors: OSError with EADDRINUSE if somebody listens there, ENAMETOOLONG above 107 bytes;
    /// WrongKind if there is anything but a socket; FileNotFoundError without the directory.
    /// Source: unix(7).
    #[staticmethod]
    #[pyo3(signature = (path, *, mode=0, group=None, backlog=0))]
    fn open_unix(py: Python<'_>, path: PathBuf, mode: u32, group: Option<String>, backlog: u32) -> PyResult<Listener> {
        let path = path_text(path)?;
        let listener = py.detach(|| UnixListener::open(&path, &UnixListenOptions { mode, group, backlog })).raise(py)?;
        let listener = Listener::of(stream::Listener::Unix(listener));
        listener.handle.remove_at_exit(py)?;
        Ok(listener)
    }

    /// Listens on an address and port. No host is loopback; port 0 is the system's choice, which
    /// port() tells.
    ///
    /// The options are those of Stream.connect_tcp, for the connections that are accepted;
    /// reuse_port lets several listeners share the port.
    /// Errors: OSError with EADDRINUSE, EADDRNOTAVAIL; PermissionError for a port below 1024.
    /// Source: tcp(7), ip(7).
    #[staticmethod]
    #[pyo3(signature = (host=None, port=0, *, nodelay=true, keep_alive=false, keep_alive_idle=0, keep_alive_interval=0, keep_alive_count=0,
        backlog=0, family=0, reuse_port=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn open_tcp(
        py: Python<'_>,
        host: Option<String>,
        port: u32,
        nodelay: bool,
        keep_alive: bool,
        keep_alive_idle: u32,
        keep_alive_interval: u32,
        keep_alive_count: u32,
        backlog: u32,
        family: u32,
        reuse_port: bool,
    ) -> PyResult<Listener> {
        let options = TcpOptions {
            nodelay: Some(nodelay),
            keep_alive: Some(keep_alive),
            keep_alive_idle,
            keep_alive_interval,
            keep_alive_count,
            backlog,
            family,
            reuse_port,
            ..Default::default()
        };
        let listener = py.detach(|| TcpListener::open(host.as_deref(), port, &options)).raise(py)?;
        Ok(Listener::of(stream::Listener::Tcp(listener)))
    }

    /// Takes over a listening stream socket, for instance from a service manager.
    /// Errors: OSError with EBADF; WrongKind. The descriptor then stays the caller's.
    #[staticmethod]
    fn from_fd(py: Python<'_>, fd: i32) -> PyResult<Listener> {
        adopt(py, fd, stream::Listener::adopt).map(Listener::of)
    }

    /// Gives the descriptor to the caller, who closes it; the listener is closed, and its path
    /// stays.
    fn into_fd(&self) -> PyResult<i32> {
        Ok(OwnedFd::from(self.handle.take()?).into_raw_fd())
    }

    /// Takes the next connection.
    /// Errors: BlockingIOError, TimeoutError; OSError with EMFILE, ENFILE after a shortage of 100
    /// ms, and the connection stays in the queue.
    /// Source: accept(2).
    #[pyo3(signature = (*, timeout=None))]
    fn accept(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Stream> {
        self.handle.wait(py, timeout, |listener, wait| listener.accept(wait)).map(Stream::of)
    }

    /// The port that a TCP listener listens on. Errors: ValueError for a Unix socket.
    fn port(&self, py: Python<'_>) -> PyResult<u16> {
        match &*self.handle.share()? {
            stream::Listener::Tcp(listener) => listener.port().raise(py),
            stream::Listener::Unix(_) => Err(invalid("a Unix socket has no port")),
        }
    }

    /// Where it listens: "/path", "@name", "127.0.0.1:80", "[::1]:80".
    fn address(&self, py: Python<'_>) -> PyResult<String> {
        self.handle.share()?.address().raise(py)
    }

    /// The descriptor, which stays the listener's: readable while a connection waits.
    fn fileno(&self) -> PyResult<i32> {
        fileno(&self.handle)
    }

    /// Closes the listener; again is fine. Who waits in accept wakes with ValueError; close waits
    /// for that, so that the address is free afterwards.
    fn close(&self, py: Python<'_>) {
        self.handle.close_wholly(py);
    }

    /// Whether the listener is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.handle.is_closed()
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Stream>> {
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

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reduce(slf.as_any(), "reduce_descriptor")
    }

    fn __repr__(&self) -> String {
        format!("<unipc.Listener {}>", describe(&self.handle))
    }
}
