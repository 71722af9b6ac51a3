//! Streams of bytes: pipes, FIFOs, Unix and TCP connections.

use std::io::{IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::path::PathBuf;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use unipc::stream::{self, ByteStream, FifoOptions, FifoReader, FifoWriter, TcpOptions, UnixConnectOptions, UnixStream};
use unipc::{Timeout, Wait, descriptor};

use crate::buffer::Buffer;
use crate::datagram::{Descriptors, borrowed, released};
use crate::error::{Raise, invalid};
use crate::handle::{Handle, describe, fileno, reduce};
use crate::wait::{timeout as to_timeout, waiting};

/// A path as text: what the file system protocol gives, in UTF-8.
pub(crate) fn path_text(path: PathBuf) -> PyResult<String> {
    path.into_os_string().into_string().map_err(|_| invalid("a path that is not UTF-8"))
}

/// Takes over a descriptor from Python; one that is refused stays the caller's.
pub(crate) fn adopt<T>(py: Python<'_>, fd: i32, take: impl FnOnce(OwnedFd) -> Result<T, (OwnedFd, unipc::Error)>) -> PyResult<T> {
    // SAFETY: the caller gives the descriptor away, as the method's documentation says.
    let owned = unsafe { descriptor::adopt(fd) }.raise(py)?;
    take(owned)
        .map_err(|(owned, error)| {
            let _ = owned.into_raw_fd();
            error
        })
        .raise(py)
}

/// Who is at the other end of a Unix socket, as the kernel noted it when the connection was
/// made.
#[pyclass(frozen, get_all, eq, hash, module = "unipc")]
#[derive(PartialEq, Hash)]
pub(crate) struct Credentials {
    /// The process that connected, listened or made the pair; 0 in a pid namespace that is not
    /// ours. The number may have been reused.
    pid: i32,
    /// Its effective user.
    uid: u32,
    /// Its effective group.
    gid: u32,
}

impl Credentials {
    pub(crate) fn of(found: &stream::Credentials) -> Credentials {
        Credentials { pid: found.pid, uid: found.uid, gid: found.gid }
    }
}

#[pymethods]
impl Credentials {
    fn __repr__(&self) -> String {
        format!("Credentials(pid={}, uid={}, gid={})", self.pid, self.uid, self.gid)
    }
}

/// Makes a pipe and gives its reading and its writing end, both close-on-exec.
///
/// capacity: how many bytes it holds, rounded up; 0 is the system's choice, 64 KiB.
/// Errors: OSError with EMFILE, ENFILE; PermissionError above /proc/sys/fs/pipe-max-size.
/// Source: pipe(7).
#[pyfunction]
#[pyo3(signature = (*, capacity=0))]
pub(crate) fn pipe(py: Python<'_>, capacity: usize) -> PyResult<(Stream, Stream)> {
    let ends = if capacity == 0 { stream::pipe() } else { stream::pipe_with_capacity(capacity) };
    let (reader, writer) = ends.raise(py)?;
    Ok((Stream::of(reader.into()), Stream::of(writer.into())))
}

/// Makes a FIFO, exclusively.
///
/// mode: the permissions, set whatever the umask says; 0 is 0o600. group: by name or number.
/// Errors: FileExistsError if there is anything at the path; FileNotFoundError without its
/// directory.
/// Source: mkfifo(3), fifo(7).
#[pyfunction]
#[pyo3(signature = (path, *, mode=0, group=None))]
pub(crate) fn create_fifo(py: Python<'_>, path: PathBuf, mode: u32, group: Option<String>) -> PyResult<()> {
    stream::create_fifo(&path_text(path)?, &FifoOptions { mode, group, ..Default::default() }).raise(py)
}

/// Removes a FIFO. Errors: FileNotFoundError; WrongKind for anything but a FIFO, which stays.
#[pyfunction]
pub(crate) fn unlink_fifo(py: Python<'_>, path: PathBuf) -> PyResult<()> {
    stream::unlink_fifo(&path_text(path)?).raise(py)
}

/// A copy of another process's descriptor, close-on-exec, which the caller closes: number is
/// what that process calls it, pidfd the process.
///
/// Errors: PermissionError without the right to trace it; OSError with EBADF;
/// ProcessLookupError; Unavailable before Linux 5.6.
/// Source: pidfd_getfd(2).
#[pyfunction]
pub(crate) fn take_descriptor(py: Python<'_>, pidfd: i32, number: i32) -> PyResult<i32> {
    if pidfd < 0 {
        return Err(invalid("a descriptor is a number from 0"));
    }
    // SAFETY: it is not negative; the kernel refuses what is not open.
    let pidfd = unsafe { std::os::fd::BorrowedFd::borrow_raw(pidfd) };
    Ok(descriptor::take(pidfd, number).raise(py)?.into_raw_fd())
}

/// A stream of bytes: a pipe end, a FIFO end, a Unix or TCP connection, or a descriptor taken
/// over.
///
/// Bytes arrive in order and none is lost, but there are no boundaries: what was written in one
/// piece may be read in several (see Framed). timeout is in seconds, None waits for ever, 0
/// does not wait: BlockingIOError; when it runs out: TimeoutError. KeyboardInterrupt ends any
/// wait. A stream costs a descriptor, works in children made by fork, and travels to
/// multiprocessing children. `with` closes it. Another thread's close wakes who waits, with
/// ValueError.
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Stream {
    pub(crate) handle: Handle<ByteStream>,
}

impl Stream {
    pub(crate) fn of(stream: ByteStream) -> Stream {
        Stream { handle: Handle::new("stream", stream) }
    }
}

#[pymethods]
impl Stream {
    /// Two connected Unix sockets, for a process and its child. Source: socketpair(2).
    #[staticmethod]
    fn pair_unix(py: Python<'_>) -> PyResult<(Stream, Stream)> {
        let (first, second) = UnixStream::pair().raise(py)?;
        Ok((Stream::of(first.into()), Stream::of(second.into())))
    }

    /// Connects to a Unix socket: a path, or an abstract name that begins with @. At most 107
    /// bytes.
    ///
    /// any_owner accepts a listener of a user other than oneself and root; wait_for_listener waits
    /// for one to appear.
    /// Errors: FileNotFoundError, ConnectionRefusedError if nobody listens; WrongKind if it is no
    /// socket; PermissionError for a listener of another user; BlockingIOError, TimeoutError while
    /// its queue is full.
    /// Source: unix(7).
    #[staticmethod]
    #[pyo3(signature = (path, *, timeout=None, any_owner=false, wait_for_listener=false))]
    fn connect_unix(py: Python<'_>, path: PathBuf, timeout: Option<f64>, any_owner: bool, wait_for_listener: bool) -> PyResult<Stream> {
        let (path, options) = (path_text(path)?, UnixConnectOptions { any_owner, wait_for_listener });
        let connected = waiting(py, timeout, &|| true, |wait| UnixStream::connect(&path, &options, wait))?;
        Ok(Stream::of(connected.into()))
    }

    /// Connects to a host and port by TCP. No host is loopback. Each address of a name is tried in
    /// turn, within the one timeout.
    ///
    /// nodelay sends small pieces at once. keep_alive asks a silent peer whether it lives: first
    /// after keep_alive_idle seconds, then every keep_alive_interval, keep_alive_count times; 0 is
    /// the system's. family: 4, 6, or 0 for both.
    /// Errors: ConnectionRefusedError; OSError with EADDRNOTAVAIL for a name that is not known,
    /// EHOSTUNREACH, ENETUNREACH; BlockingIOError, TimeoutError.
    /// Source: tcp(7), ip(7).
    #[staticmethod]
    #[pyo3(signature = (host, port, *, timeout=None, nodelay=true, keep_alive=false, keep_alive_idle=0, keep_alive_interval=0, keep_alive_count=0,
        family=0, wait_for_listener=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn connect_tcp(
        py: Python<'_>,
        host: Option<String>,
        port: u32,
        timeout: Option<f64>,
        nodelay: bool,
        keep_alive: bool,
        keep_alive_idle: u32,
        keep_alive_interval: u32,
        keep_alive_count: u32,
        family: u32,
        wait_for_listener: bool,
    ) -> PyResult<Stream> {
        let (nodelay, keep_alive) = (Some(nodelay), Some(keep_alive));
        let options = TcpOptions {
            nodelay,
            keep_alive,
            keep_alive_idle,
            keep_alive_interval,
            keep_alive_count,
            family,
            wait_for_listener,
            // A resolver that hangs must not keep KeyboardInterrupt away.
            resolve_on_thread: true,
            ..Default::default()
        };
        let connect = |wait: Wait<'_>| stream::TcpStream::connect(host.as_deref(), port, &options, wait);
        Ok(Stream::of(waiting(py, timeout, &|| true, connect)?.into()))
    }

    /// Opens the reading end of a FIFO, and waits for a writer.
    ///
    /// capacity: bytes; 0 is the system's. any_owner accepts the FIFO of a user other than oneself
    /// and root. keep_open holds a writing end too, so that the end never comes between two
    /// writers, and waits for none. unpaired does not wait for a writer. wait_for_creator: seconds
    /// to wait for the path to appear.
    /// Errors: FileNotFoundError; PermissionError; WrongKind for what is no FIFO; BlockingIOError,
    /// TimeoutError if no writer comes.
    /// Source: fifo(7).
    #[staticmethod]
    #[pyo3(
        signature = (path, *, timeout=None, capacity=0, any_owner=false, keep_open=false, unpaired=false, wait_for_creator=Some(0.0)),
        text_signature = "(path, *, timeout=None, capacity=0, any_owner=False, keep_open=False, unpaired=False, wait_for_creator=0)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn open_fifo_reader(
        py: Python<'_>,
        path: PathBuf,
        timeout: Option<f64>,
        capacity: usize,
        any_owner: bool,
        keep_open: bool,
        unpaired: bool,
        wait_for_creator: Option<f64>,
    ) -> PyResult<Stream> {
        let (path, wait_for_creator) = (path_text(path)?, to_timeout(wait_for_creator)?);
        let options = FifoOptions { capacity, any_owner, keep_open, unpaired, wait_for_creator, ..Default::default() };
        Ok(Stream::of(waiting(py, timeout, &|| true, |wait| FifoReader::open(&path, &options, wait))?.into()))
    }

    /// Opens the writing end of a FIFO, and waits for a reader.
    /// Arguments and errors as open_fifo_reader.
    #[staticmethod]
    #[pyo3(
        signature = (path, *, timeout=None, capacity=0, any_owner=false, wait_for_creator=Some(0.0)),
        text_signature = "(path, *, timeout=None, capacity=0, any_owner=False, wait_for_creator=0)"
    )]
    fn open_fifo_writer(
        py: Python<'_>,
        path: PathBuf,
        timeout: Option<f64>,
        capacity: usize,
        any_owner: bool,
        wait_for_creator: Option<f64>,
    ) -> PyResult<Stream> {
        let (path, wait_for_creator) = (path_text(path)?, to_timeout(wait_for_creator)?);
        let options = FifoOptions { capacity, any_owner, wait_for_creator, ..Default::default() };
        Ok(Stream::of(waiting(py, timeout, &|| true, |wait| FifoWriter::open(&path, &options, wait))?.into()))
    }

    /// As open_fifo_reader, and makes the FIFO if there is none. mode: the permissions, set
    /// whatever the umask says; 0 is 0o600. group: by name or number.
    /// Errors as open_fifo_reader and create_fifo.
    #[staticmethod]
    #[pyo3(signature = (path, *, timeout=None, mode=0, group=None, capacity=0, any_owner=false, keep_open=false, unpaired=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn open_or_create_fifo_reader(
        py: Python<'_>,
        path: PathBuf,
        timeout: Option<f64>,
        mode: u32,
        group: Option<String>,
        capacity: usize,
        any_owner: bool,
        keep_open: bool,
        unpaired: bool,
    ) -> PyResult<Stream> {
        let (path, wait_for_creator) = (path_text(path)?, Timeout::NEVER_WAIT);
        let options = FifoOptions { mode, group, capacity, any_owner, keep_open, unpaired, wait_for_creator };
        Ok(Stream::of(waiting(py, timeout, &|| true, |wait| FifoReader::open_or_create(&path, &options, wait))?.into()))
    }

    /// As open_fifo_writer, and makes the FIFO if there is none. mode: the permissions, set
    /// whatever the umask says; 0 is 0o600. group: by name or number.
    /// Errors as open_fifo_writer and create_fifo.
    #[staticmethod]
    #[pyo3(signature = (path, *, timeout=None, mode=0, group=None, capacity=0, any_owner=false))]
    fn open_or_create_fifo_writer(
        py: Python<'_>,
        path: PathBuf,
        timeout: Option<f64>,
        mode: u32,
        group: Option<String>,
        capacity: usize,
        any_owner: bool,
    ) -> PyResult<Stream> {
        let path = path_text(path)?;
        let options = FifoOptions { mode, group, capacity, any_owner, ..Default::default() };
        Ok(Stream::of(waiting(py, timeout, &|| true, |wait| FifoWriter::open_or_create(&path, &options, wait))?.into()))
    }

    /// Takes over a descriptor that carries bytes: a pipe, a FIFO, a connected stream socket, a
    /// terminal, a file. It is the stream's from now on.
    ///
    /// Errors: OSError with EBADF; WrongKind. The descriptor then stays the caller's.
    #[staticmethod]
    fn from_fd(py: Python<'_>, fd: i32) -> PyResult<Stream> {
        adopt(py, fd, ByteStream::adopt).map(Stream::of)
    }

    /// Gives the descriptor to the caller, who closes it; the stream is closed.
    fn into_fd(&self) -> PyResult<i32> {
        Ok(OwnedFd::from(self.handle.take()?).into_raw_fd())
    }

    /// Reads what there is, at least one byte and at most size; b"" is the end.
    /// Errors: ConnectionResetError; OSError with EBADF for an end that is not for reading;
    /// BlockingIOError, TimeoutError: nothing has come.
    /// Source: read(2), recv(2).
    #[pyo3(signature = (size, *, timeout=None))]
    fn read<'py>(&self, py: Python<'py>, size: usize, timeout: Option<f64>) -> PyResult<Bound<'py, PyBytes>> {
        let (bytes, mut fresh) = new_bytes(py, size)?;
        let count = self.handle.wait(py, timeout, |stream, wait| stream.read_within(fresh.bytes_mut(), wait))?;
        if count == size { Ok(bytes) } else { Ok(PyBytes::new(py, &fresh.bytes_mut()[..count])) }
    }

    /// Reads what there is into a buffer, at least one byte, and gives how many; 0 is the end.
    /// Errors as read.
    #[pyo3(signature = (buffer, *, timeout=None))]
    fn read_into(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<usize> {
        let mut buffer = Buffer::writable(buffer)?;
        self.handle.wait(py, timeout, |stream, wait| stream.read_within(buffer.bytes_mut(), wait))
    }

    /// Reads exactly size bytes.
    /// Errors: EndOfStream if nothing comes any more; Truncated if the end comes in the middle;
    /// else errors as read. The exception's attribute transferred says how many bytes had come,
    /// which are lost: read_exact_into keeps them. So it does on what a signal's handler raises.
    #[pyo3(signature = (size, *, timeout=None))]
    fn read_exact<'py>(&self, py: Python<'py>, size: usize, timeout: Option<f64>) -> PyResult<Bound<'py, PyBytes>> {
        let (bytes, mut fresh) = new_bytes(py, size)?;
        self.handle.wait_for(py, timeout, |()| size, |stream, wait| stream.read_exact_within(fresh.bytes_mut(), wait))?;
        Ok(bytes)
    }

    /// Fills the buffer. Errors as read_exact.
    #[pyo3(signature = (buffer, *, timeout=None))]
    fn read_exact_into(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<()> {
        self.read_exact_from(py, buffer, 0, timeout)
    }

    /// read_exact_into of what begins at a byte: for unipc.aio, which goes on with what is left of
    /// any buffer.
    #[pyo3(name = "_read_exact_from", signature = (buffer, start, *, timeout=None))]
    fn read_exact_from(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>, start: usize, timeout: Option<f64>) -> PyResult<()> {
        let mut buffer = Buffer::writable(buffer)?;
        let rest = buffer.bytes_mut().get_mut(start..).unwrap_or_default();
        let size = rest.len();
        self.handle.wait_for(py, timeout, |()| size, |stream, wait| stream.read_exact_within(rest, wait))
    }

    /// Reads into several buffers in turn, the first 1024 of them.
    /// Errors as read. Source: readv(2).
    #[pyo3(signature = (buffers, *, timeout=None))]
    fn read_vectored_into(&self, py: Python<'_>, buffers: Vec<Bound<'_, PyAny>>, timeout: Option<f64>) -> PyResult<usize> {
        let mut buffers = buffers.iter().map(Buffer::writable).collect::<PyResult<Vec<_>>>()?;
        self.handle.wait(py, timeout, |stream, wait| {
            let mut slices: Vec<_> = buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer.bytes_mut())).collect();
            stream.read_vectored_within(&mut slices, wait)
        })
    }

    /// Writes what there is room for, at least one byte, and gives how many.
    /// Errors: BrokenPipeError if nobody reads any more, and no signal; BlockingIOError,
    /// TimeoutError: there is no room.
    /// Source: write(2), send(2).
    #[pyo3(signature = (data, *, timeout=None))]
    fn write(&self, py: Python<'_>, data: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<usize> {
        let data = Buffer::readable(data)?;
        self.handle.wait(py, timeout, |stream, wait| stream.write_within(data.bytes(), wait))
    }

    /// Writes everything.
    /// Errors as write; the exception's attribute transferred says how many bytes had gone out,
    /// also on what a signal's handler raises.
    #[pyo3(signature = (data, *, timeout=None))]
    fn write_all(&self, py: Python<'_>, data: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<()> {
        self.write_all_from(py, data, 0, timeout)
    }

    /// write_all of what begins at a byte: for unipc.aio, which goes on with what is left of any
    /// buffer.
    #[pyo3(name = "_write_all_from", signature = (data, start, *, timeout=None))]
    fn write_all_from(&self, py: Python<'_>, data: &Bound<'_, PyAny>, start: usize, timeout: Option<f64>) -> PyResult<()> {
        let data = Buffer::readable(data)?;
        let rest = data.bytes().get(start..).unwrap_or_default();
        self.handle.wait_for(py, timeout, |()| rest.len(), |stream, wait| stream.write_all_within(rest, wait))
    }

    /// Writes from several pieces in turn, the first 1024 of them.
    /// Errors as write. Source: writev(2).
    #[pyo3(signature = (parts, *, timeout=None))]
    fn write_vectored(&self, py: Python<'_>, parts: Vec<Bound<'_, PyAny>>, timeout: Option<f64>) -> PyResult<usize> {
        let parts = parts.iter().map(Buffer::readable).collect::<PyResult<Vec<_>>>()?;
        self.handle.wait(py, timeout, |stream, wait| {
            let slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part.bytes())).collect();
            stream.write_vectored_within(&slices, wait)
        })
    }

    /// Ends a direction of a socket, "read" or "write", or "both".
    /// Errors: OSError with EOPNOTSUPP for a pipe, whose end is closed instead.
    #[pyo3(signature = (direction="both"))]
    fn shutdown(&self, py: Python<'_>, direction: &str) -> PyResult<()> {
        let how = match direction {
            "read" => Shutdown::Read,
            "write" => Shutdown::Write,
            "both" => Shutdown::Both,
            _ => return Err(invalid("the direction is \"read\", \"write\" or \"both\"")),
        };
        self.handle.share()?.shutdown(how).raise(py)
    }

    /// How many bytes a pipe holds. Errors: OSError with EOPNOTSUPP for anything else.
    fn capacity(&self, py: Python<'_>) -> PyResult<usize> {
        self.handle.share()?.capacity().raise(py)
    }

    /// Sets how many bytes a pipe holds; gives what was got, which is rounded up.
    /// Errors: PermissionError above /proc/sys/fs/pipe-max-size; OSError with EBUSY below what it
    /// holds at the moment.
    fn set_capacity(&self, py: Python<'_>, capacity: usize) -> PyResult<usize> {
        self.handle.share()?.set_capacity(capacity).raise(py)
    }

    /// Who is at the other end of a Unix socket. Errors: OSError with EOPNOTSUPP for anything else.
    fn peer_credentials(&self, py: Python<'_>) -> PyResult<Credentials> {
        Ok(Credentials::of(&self.handle.share()?.peer_credentials().raise(py)?))
    }

    /// A pidfd of the process at the other end of a Unix socket, which the caller closes.
    /// Errors: Unavailable before Linux 6.5.
    fn peer_pidfd(&self, py: Python<'_>) -> PyResult<i32> {
        Ok(self.handle.share()?.peer_pidfd().raise(py)?.into_raw_fd())
    }

    /// The supplementary groups of the process at the other end of a Unix socket.
    fn peer_groups(&self, py: Python<'_>) -> PyResult<Vec<u32>> {
        self.handle.share()?.peer_groups().raise(py)
    }

    /// What the security module (SELinux, AppArmor, Smack) calls the process at the other end of a
    /// Unix socket.
    /// Errors: Unavailable without one.
    fn peer_label(&self, py: Python<'_>) -> PyResult<String> {
        self.handle.share()?.peer_label().raise(py)
    }

    /// Writes everything to a Unix socket, and sends descriptors (numbers, or objects with
    /// fileno()), at most 253, with the first byte. They stay open here, too.
    ///
    /// Errors: OSError with EINVAL without a byte, EOPNOTSUPP for anything but a Unix socket,
    /// ETOOMANYREFS; else errors as write_all. If .transferred is not 0, the descriptors went out.
    #[pyo3(signature = (data, fds, *, timeout=None))]
    fn send_fds(&self, py: Python<'_>, data: &Bound<'_, PyAny>, fds: Vec<Bound<'_, PyAny>>, timeout: Option<f64>) -> PyResult<()> {
        let (data, fds) = (Buffer::readable(data)?, Descriptors::of(fds)?);
        let numbers = fds.numbers();
        let sent = |stream: &ByteStream, wait: Wait<'_>| stream.send_descriptors(data.bytes(), &borrowed(&numbers), wait);
        self.handle.wait_for(py, timeout, |()| data.len(), sent)
    }

    /// Reads what there is from a Unix socket, at least one byte and at most size, and takes up to
    /// maximum descriptors that come with it, which the caller closes. They are close-on-exec.
    /// (b"", []) is the end. An ordinary read closes what comes.
    ///
    /// Errors: OSError with EPROTO if the peer sent more, EMFILE if there is no room for them: all
    /// are closed then, and the bytes are lost; else errors as read.
    #[pyo3(signature = (size, maximum=1, *, timeout=None))]
    fn receive_fds<'py>(
        &self,
        py: Python<'py>,
        size: usize,
        maximum: usize,
        timeout: Option<f64>,
    ) -> PyResult<(Bound<'py, PyBytes>, Vec<i32>)> {
        let (_, mut fresh) = new_bytes(py, size)?;
        let (count, received) =
            self.handle.wait(py, timeout, |stream, wait| stream.receive_descriptors(fresh.bytes_mut(), maximum, wait))?;
        Ok((PyBytes::new(py, &fresh.bytes_mut()[..count]), released(received)))
    }

    /// The address of the other end: "/path", "@name", "127.0.0.1:80", "[::1]:80"; "" for a Unix
    /// socket that has none.
    fn peer_address(&self, py: Python<'_>) -> PyResult<String> {
        self.handle.share()?.peer_address().raise(py)
    }

    /// The descriptor, which stays the stream's.
    fn fileno(&self) -> PyResult<i32> {
        fileno(&self.handle)
    }

    /// Closes the stream; again is fine. Who waits in it wakes with ValueError.
    fn close(&self) {
        self.handle.close();
    }

    /// Whether the stream is closed.
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
        format!("<unipc.Stream {}>", describe(&self.handle))
    }
}

/// The bytes of an object that nobody else knows yet.
pub(crate) struct Fresh(*mut u8, usize);

// SAFETY: the object is alive as long as its creator's call, and the bytes are nobody else's until then.
unsafe impl Send for Fresh {}

impl Fresh {
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the object has room for that many bytes. They are written by system calls, and read only where they have been written.
        unsafe { std::slice::from_raw_parts_mut(self.0, self.1) }
    }
}

/// A bytes object to be filled, without zeroing it first. `MemoryError` if there is no room.
pub(crate) fn new_bytes(py: Python<'_>, size: usize) -> PyResult<(Bound<'_, PyBytes>, Fresh)> {
    let length = isize::try_from(size).map_err(|_| invalid("no object is that large"))?;
    // SAFETY: NULL leaves the content open; the result is a new reference or NULL with an exception set.
    let object = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyBytes_FromStringAndSize(std::ptr::null(), length)) }?;
    // SAFETY: it is a bytes object.
    let bytes = unsafe { object.cast_into_unchecked::<PyBytes>() };
    // SAFETY: as above.
    let start = unsafe { ffi::PyBytes_AsString(bytes.as_ptr()) };
    Ok((bytes, Fresh(start.cast(), size)))
}
