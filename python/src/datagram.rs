//! Datagram sockets, Unix and UDP.

use std::cell::Cell;
use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use unipc::message::{self, DatagramOptions, Received, UdpOptions, UdpSocket, UnixDatagram};
use unipc::stream::UnixConnectOptions;
use unipc::{Errno, Wait};

use crate::buffer::Buffer;
use crate::error::Raise;
use crate::handle::{Handle, describe, fileno, reduce};
use crate::message::Message;
use crate::stream::{adopt, path_text};

/// Descriptors of Python's: numbers, or objects with fileno(), which are kept alive as long as this.
pub(crate) struct Descriptors<'py> {
    _objects: Vec<Bound<'py, PyAny>>,
    numbers: Vec<i32>,
}

impl<'py> Descriptors<'py> {
    pub(crate) fn of(objects: Vec<Bound<'py, PyAny>>) -> PyResult<Descriptors<'py>> {
        let number = |object: &Bound<'py, PyAny>| match object.extract::<i32>() {
            Ok(number) => Ok(number),
            Err(_) => object.call_method0("fileno")?.extract(),
        };
        let numbers = objects.iter().map(number).collect::<PyResult<Vec<i32>>>()?;
        if numbers.iter().any(|number| *number < 0) {
            return Err(crate::error::invalid("a descriptor is a number from 0"));
        }
        Ok(Descriptors { _objects: objects, numbers })
    }

    /// The numbers, for use without the interpreter's lock.
    pub(crate) fn numbers(&self) -> Vec<i32> {
        self.numbers.clone()
    }
}

/// The kernel refuses what is not open.
pub(crate) fn borrowed(numbers: &[i32]) -> Vec<BorrowedFd<'_>> {
    // SAFETY: none of them is negative; they are used in one system call, which looks at them itself.
    numbers.iter().map(|number| unsafe { BorrowedFd::borrow_raw(*number) }).collect()
}

/// Numbers that are the caller's to close.
pub(crate) fn released(descriptors: Vec<OwnedFd>) -> Vec<i32> {
    descriptors.into_iter().map(IntoRawFd::into_raw_fd).collect()
}

/// What room there is at least for a message whose size was asked first: several processes may receive from a socket, and the next message may be
/// another one than was looked at. It holds every message of UDP, and on Unix sockets every one that a default buffer lets out.
const ROOM: usize = 1 << 18;

thread_local! {
    static ROOM_OF_THREAD: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A message in the thread's room, which a handler of signals that receives meanwhile does not find there.
pub(crate) struct Taken {
    room: Vec<u8>,
    size: usize,
}

impl Taken {
    pub(crate) fn data(&self) -> &[u8] {
        &self.room[..self.size]
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.room.len() == ROOM {
            ROOM_OF_THREAD.set(std::mem::take(&mut self.room));
        }
    }
}

/// Receives a message of at most `size` bytes, or, for 0, of any size.
pub(crate) fn take<'a>(
    operation: &'static str,
    mut size: usize,
    (timeout, mut wait): (Option<f64>, Wait<'a>),
    next_size: impl FnOnce(Wait<'a>) -> unipc::Result<usize>,
    receive: impl FnOnce(&mut [u8], Wait<'a>) -> unipc::Result<Received>,
) -> unipc::Result<(Taken, Received)> {
    let start = Instant::now();
    if size == 0 {
        size = next_size(wait)?.max(ROOM);
        // Another receiver may be faster: what then is waited for has to come in what is left of the time.
        if let Some(limit) = timeout.filter(|limit| *limit > 0.0).and_then(|limit| Duration::try_from_secs_f64(limit).ok()) {
            wait = wait.with_timeout(limit.saturating_sub(start.elapsed()).max(Duration::from_nanos(1)));
        }
    }
    let mut taken = Taken { room: ROOM_OF_THREAD.take(), size };
    let missing = size.max(ROOM).saturating_sub(taken.room.len());
    taken.room.try_reserve_exact(missing).map_err(|_| unipc::Error::os(operation, Errno::ENOMEM))?;
    taken.room.resize(taken.room.len() + missing, 0);
    let received = receive(&mut taken.room[..size], wait)?;
    taken.size = received.info.size;
    Ok((taken, received))
}

/// A datagram socket, Unix or UDP: messages whose boundaries are kept, without a connection and
/// without an end.
///
/// On one machine a Unix datagram is never lost: a full receiver makes the sender wait. UDP
/// loses what a receiver's buffer has no room for. Addresses are text: "/path", "@name"; for
/// UDP "127.0.0.1:80", "[::1]:80". timeout is in seconds, None waits for ever, 0 does not wait.
/// A socket costs a descriptor and works in children made by fork, where each message goes to
/// one of the receivers. `with` closes it, and removes the path that it was bound to, if that
/// still is its own.
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Datagram {
    handle: Handle<message::Datagram>,
}

impl Datagram {
    fn of(datagram: message::Datagram) -> Datagram {
        Datagram { handle: Handle::new("datagram socket", datagram) }
    }

    fn take(&self, py: Python<'_>, size: usize, maximum: usize, wants_address: bool, timeout: Option<f64>) -> PyResult<(Taken, Received)> {
        self.handle.wait(py, timeout, |socket, wait| {
            let receive = |buffer: &mut [u8], wait| socket.receive_with(buffer, maximum, wants_address, wait);
            take("receive datagram", size, (timeout, wait), |wait| socket.next_size(wait), receive)
        })
    }
}

#[pymethods]
impl Datagram {
    /// A Unix datagram socket that receives at a path, or at an abstract name that begins with @; @
    /// alone is a name of the kernel's choice, which address() tells; None only sends. The path of
    /// a dead receiver is reclaimed, that of a live one never.
    ///
    /// mode: the permissions of the path, set whatever the umask says; 0 is 0o600. group: by name
    /// or number. credentials: tell with every message who sent it; pidfds: also by a pidfd, where
    /// the kernel has that (Linux 6.5). send_buffer: bytes, which bound the largest message; 0 is
    /// the system's.
    /// Errors: OSError with EADDRINUSE if somebody is there, ENAMETOOLONG above 107 bytes;
    /// WrongKind if there is anything but a socket.
    /// Source: unix(7).
    #[staticmethod]
    #[pyo3(signature = (path=None, *, mode=0, group=None, credentials=false, pidfds=false, send_buffer=0))]
    fn open_unix(
        py: Python<'_>,
        path: Option<PathBuf>,
        mode: u32,
        group: Option<String>,
        credentials: bool,
        pidfds: bool,
        send_buffer: usize,
    ) -> PyResult<Datagram> {
        let options = DatagramOptions { mode, group, credentials, pidfds, send_buffer };
        let socket = match path.map(path_text).transpose()? {
            Some(path) => py.detach(|| UnixDatagram::open(&path, &options)),
            None => UnixDatagram::unnamed(&options),
        };
        let datagram = Datagram::of(message::Datagram::Unix(socket.raise(py)?));
        datagram.handle.remove_at_exit(py)?;
        Ok(datagram)
    }

    /// Two Unix datagram sockets that send to each other, for a process and its child.
    /// Source: socketpair(2).
    #[staticmethod]
    #[pyo3(signature = (*, credentials=false, pidfds=false, send_buffer=0))]
    fn pair_unix(py: Python<'_>, credentials: bool, pidfds: bool, send_buffer: usize) -> PyResult<(Datagram, Datagram)> {
        let options = DatagramOptions { credentials, pidfds, send_buffer, ..Default::default() };
        let (first, second) = UnixDatagram::pair(&options).raise(py)?;
        Ok((Datagram::of(message::Datagram::Unix(first)), Datagram::of(message::Datagram::Unix(second))))
    }

    /// A UDP socket bound to an address and port. No host is loopback; port 0 is the system's
    /// choice, which port() tells.
    ///
    /// broadcast allows sending to a broadcast address. reuse_address lets several sockets have the
    /// address and port, each of which receives what is sent to a group; with reuse_port each
    /// message goes to one. multicast_interface (name or number), multicast_ttl, multicast_loop are
    /// for sending to groups.
    /// Errors: OSError with EADDRINUSE, EADDRNOTAVAIL, ENODEV. Source: udp(7), ip(7), ipv6(7).
    #[staticmethod]
    #[pyo3(signature = (host=None, port=0, *, family=0, broadcast=false, reuse_address=false, reuse_port=false, multicast_ttl=1,
        multicast_loop=true, multicast_interface=None, send_buffer=0, receive_buffer=0))]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn open_udp(
        py: Python<'_>,
        host: Option<String>,
        port: u32,
        family: u32,
        broadcast: bool,
        reuse_address: bool,
        reuse_port: bool,
        multicast_ttl: u32,
        multicast_loop: bool,
        multicast_interface: Option<String>,
        send_buffer: usize,
        receive_buffer: usize,
    ) -> PyResult<Datagram> {
        let options = UdpOptions {
            family,
            broadcast,
            reuse_address,
            reuse_port,
            multicast_ttl: Some(multicast_ttl),
            multicast_loop: Some(multicast_loop),
            multicast_interface,
            send_buffer,
            receive_buffer,
        };
        let socket = py.detach(|| UdpSocket::open(host.as_deref(), port, &options)).raise(py)?;
        Ok(Datagram::of(message::Datagram::Udp(socket)))
    }

    /// Takes over a datagram socket. One that is refused stays the caller's: WrongKind.
    #[staticmethod]
    #[pyo3(signature = (fd, *, credentials=false, pidfds=false))]
    fn from_fd(py: Python<'_>, fd: i32, credentials: bool, pidfds: bool) -> PyResult<Datagram> {
        let options = DatagramOptions { credentials, pidfds, ..Default::default() };
        adopt(py, fd, |descriptor| message::Datagram::adopt(descriptor, &options)).map(Datagram::of)
    }

    /// Gives the socket its receiver: send then goes there, and only what comes from there is
    /// received.
    ///
    /// any_owner accepts a path of a user other than oneself and root; wait_for_listener waits for
    /// the receiver to appear, up to the timeout.
    /// Errors: FileNotFoundError, ConnectionRefusedError if nobody receives there; WrongKind;
    /// PermissionError; BlockingIOError, TimeoutError.
    /// Source: connect(2).
    #[pyo3(signature = (address, *, timeout=None, any_owner=false, wait_for_listener=false))]
    fn connect(&self, py: Python<'_>, address: PathBuf, timeout: Option<f64>, any_owner: bool, wait_for_listener: bool) -> PyResult<()> {
        let (address, options) = (path_text(address)?, UnixConnectOptions { any_owner, wait_for_listener });
        self.handle.wait(py, timeout, |socket, wait| socket.connect(&address, &options, wait))
    }

    /// Sends a message to whom the socket is connected to.
    ///
    /// Errors: OSError with ENOTCONN or EDESTADDRREQ if it is not, EMSGSIZE; ConnectionRefusedError
    /// if nobody receives there; BlockingIOError, TimeoutError while the receiver is full.
    #[pyo3(signature = (data, *, timeout=None))]
    fn send(&self, py: Python<'_>, data: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<()> {
        let data = Buffer::readable(data)?;
        self.handle.wait(py, timeout, |socket, wait| socket.send(None, data.bytes(), wait))
    }

    /// Sends a message to an address. Errors as connect and send.
    #[pyo3(signature = (data, address, *, timeout=None))]
    fn send_to(&self, py: Python<'_>, data: &Bound<'_, PyAny>, address: PathBuf, timeout: Option<f64>) -> PyResult<()> {
        let (data, address) = (Buffer::readable(data)?, path_text(address)?);
        self.handle.wait(py, timeout, |socket, wait| socket.send(Some(&address), data.bytes(), wait))
    }

    /// Sends a message with descriptors (numbers, or objects with fileno()), at most 253, to an
    /// address or to whom the socket is connected to. They stay open here, too.
    /// Errors as send; OSError with EOPNOTSUPP for UDP, ETOOMANYREFS.
    #[pyo3(signature = (data, fds, address=None, *, timeout=None))]
    fn send_fds(
        &self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        fds: Vec<Bound<'_, PyAny>>,
        address: Option<PathBuf>,
        timeout: Option<f64>,
    ) -> PyResult<()> {
        let (data, fds, address) = (Buffer::readable(data)?, Descriptors::of(fds)?, address.map(path_text).transpose()?);
        let numbers = fds.numbers();
        let sent = |socket: &message::Datagram, wait: Wait<'_>| {
            socket.send_descriptors(address.as_deref(), data.bytes(), &borrowed(&numbers), wait)
        };
        self.handle.wait(py, timeout, sent)
    }

    /// Receives a message, of any size, or of at most size bytes.
    ///
    /// Errors: OSError with EMSGSIZE if it is larger: it is lost, and .transferred tells its size;
    /// BlockingIOError, TimeoutError.
    #[pyo3(signature = (size=0, *, timeout=None))]
    fn receive<'py>(&self, py: Python<'py>, size: usize, timeout: Option<f64>) -> PyResult<Bound<'py, PyBytes>> {
        let (data, _) = self.take(py, size, 0, false, timeout)?;
        Ok(PyBytes::new(py, data.data()))
    }

    /// Receives a message into a buffer, and gives its length. Errors as receive.
    #[pyo3(signature = (buffer, *, timeout=None))]
    fn receive_into(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<usize> {
        let mut buffer = Buffer::writable(buffer)?;
        Ok(self.handle.wait(py, timeout, |socket, wait| socket.receive_with(buffer.bytes_mut(), 0, false, wait))?.info.size)
    }

    /// Receives a message, and the address of its sender: "" if that has none. Errors as receive.
    #[pyo3(signature = (size=0, *, timeout=None))]
    fn receive_from<'py>(&self, py: Python<'py>, size: usize, timeout: Option<f64>) -> PyResult<(Bound<'py, PyBytes>, String)> {
        let (data, received) = self.take(py, size, 0, true, timeout)?;
        Ok((PyBytes::new(py, data.data()), received.address))
    }

    /// Receives a message and what is known of it: its sender, if credentials or pidfds were asked
    /// for.
    /// Errors as receive.
    #[pyo3(signature = (size=0, *, timeout=None))]
    fn receive_message(&self, py: Python<'_>, size: usize, timeout: Option<f64>) -> PyResult<Message> {
        let (data, received) = self.take(py, size, 0, false, timeout)?;
        Message::with_pidfd(py, data.data(), &received.info, received.sender_pidfd)
    }

    /// Receives a message of at most size bytes (0: any), and up to maximum descriptors, which the
    /// caller closes. They are close-on-exec.
    ///
    /// Errors as receive; OSError with EPROTO if the sender sent more, EMFILE if there is no room
    /// for them: all are closed then.
    #[pyo3(signature = (size=0, maximum=1, *, timeout=None))]
    fn receive_fds<'py>(
        &self,
        py: Python<'py>,
        size: usize,
        maximum: usize,
        timeout: Option<f64>,
    ) -> PyResult<(Bound<'py, PyBytes>, Vec<i32>)> {
        let (data, received) = self.take(py, size, maximum, false, timeout)?;
        Ok((PyBytes::new(py, data.data()), released(received.descriptors)))
    }

    /// The size in bytes of the next message, which stays.
    /// Errors: BlockingIOError, TimeoutError: there is none.
    #[pyo3(signature = (*, timeout=None))]
    fn next_size(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<usize> {
        self.handle.wait(py, timeout, |socket, wait| socket.next_size(wait))
    }

    /// Joins a multicast group, on an interface by name or number; None is the system's choice.
    /// Errors: OSError with EADDRINUSE if it has joined already, ENODEV, EINVAL; EOPNOTSUPP for a
    /// Unix socket.
    #[pyo3(signature = (group, interface=None))]
    fn join(&self, py: Python<'_>, group: &str, interface: Option<&str>) -> PyResult<()> {
        self.handle.share()?.udp().and_then(|socket| socket.join(group, interface)).raise(py)
    }

    /// Leaves a multicast group.
    #[pyo3(signature = (group, interface=None))]
    fn leave(&self, py: Python<'_>, group: &str, interface: Option<&str>) -> PyResult<()> {
        self.handle.share()?.udp().and_then(|socket| socket.leave(group, interface)).raise(py)
    }

    /// Where the socket receives; "" for nowhere.
    fn address(&self, py: Python<'_>) -> PyResult<String> {
        self.handle.share()?.address().raise(py)
    }

    /// The port of a UDP socket.
    fn port(&self, py: Python<'_>) -> PyResult<u16> {
        self.handle.share()?.udp().and_then(UdpSocket::port).raise(py)
    }

    /// The descriptor, which stays the socket's: readable while there is something to receive.
    fn fileno(&self) -> PyResult<i32> {
        fileno(&self.handle)
    }

    /// Gives the descriptor away, and the socket is closed. The path of a Unix socket stays.
    /// ValueError while another thread uses it.
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

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (kind, error, traceback, /))]
    fn __exit__(&self, kind: Py<PyAny>, error: Py<PyAny>, traceback: Py<PyAny>) {
        let _ = (kind, error, traceback);
        self.handle.close();
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reduce(slf.as_any(), "reduce_datagram")
    }

    fn __repr__(&self) -> String {
        format!("<unipc.Datagram {}>", describe(&self.handle))
    }
}
