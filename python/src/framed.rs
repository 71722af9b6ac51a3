//! Messages on a stream.

use std::mem::MaybeUninit;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use unipc::Wait;
use unipc::stream::{self, FrameLimit};

use crate::buffer::Buffer;
use crate::error::{Raise, is_end};
use crate::handle::{Handle, describe, fileno, reduce, until_closed};
use crate::stream::Stream;

/// Messages up to this many bytes pass through the stack.
const SMALL: usize = 4096;

/// Messages on a stream of bytes: a length in four bytes, most significant first, then the
/// bytes. Iterating receives until the end, or until another thread closes it.
///
/// It takes the stream over. largest: the limit of a message in either direction, checked
/// before memory is taken; 0 is 16 MiB. A wait that runs out in the middle of a message loses
/// nothing. One thread may send while another receives; a second in the same direction gets
/// OSError with EBUSY, and Forked in a child that was forked meanwhile.
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Framed {
    handle: Handle<stream::Framed>,
}

#[pymethods]
impl Framed {
    #[new]
    #[pyo3(signature = (stream, *, largest=0))]
    fn new(py: Python<'_>, stream: &Stream, largest: usize) -> PyResult<Framed> {
        let largest = FrameLimit::new(largest).raise(py)?;
        Ok(Framed { handle: Handle::new("framed stream", stream::Framed::new(stream.handle.take()?, largest)) })
    }

    /// Sends a message. If time runs out after a part of it went out, the message counts as sent:
    /// the rest goes out with the next send or flush.
    ///
    /// Errors: OSError with EMSGSIZE above the limit; BlockingIOError, TimeoutError: nothing of it
    /// went out; BrokenPipeError, ConnectionResetError. KeyboardInterrupt, or what else a signal's
    /// handler raises: the message counts as sent if the exception's attribute transferred is its
    /// length.
    #[pyo3(signature = (message, *, timeout=None))]
    fn send(&self, py: Python<'_>, message: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<()> {
        let message = Buffer::readable(message)?;
        self.handle.wait_for(py, timeout, |()| message.len(), |framed, wait| framed.send(message.bytes(), wait))
    }

    /// Writes what send has kept. Errors as send.
    #[pyo3(signature = (*, timeout=None))]
    fn flush(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
        self.handle.wait(py, timeout, |framed, wait| framed.flush(wait))
    }

    /// Receives a message; b"" is an empty one.
    ///
    /// Errors: EndOfStream between messages, Truncated inside one; OSError with EBADMSG if it is
    /// above the limit, and then for ever; BlockingIOError, TimeoutError: what has come of it is
    /// kept.
    #[pyo3(signature = (*, timeout=None))]
    fn receive<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Bound<'py, PyBytes>> {
        let mut small = [const { MaybeUninit::<u8>::uninit() }; SMALL];
        // SAFETY: room for that many bytes. They are written by system calls, and read only where they have been written.
        let small = unsafe { std::slice::from_raw_parts_mut(small.as_mut_ptr().cast::<u8>(), SMALL) };
        let received = self.handle.wait(py, timeout, |framed, wait| framed.receive_cow(small, wait))?;
        Ok(PyBytes::new(py, &received))
    }

    /// Receives a message into a buffer, and gives its length.
    /// Errors as receive; OSError with EMSGSIZE if the buffer is too small: the message stays, and
    /// next_size says how large it is.
    #[pyo3(signature = (buffer, *, timeout=None))]
    fn receive_into(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<usize> {
        let mut buffer = Buffer::writable(buffer)?;
        self.handle.wait(py, timeout, |framed, wait| framed.receive(buffer.bytes_mut(), wait))
    }

    /// The size of the message whose receiving has begun, or None.
    fn next_size(&self) -> PyResult<Option<usize>> {
        Ok(self.handle.share()?.next_size())
    }

    /// The stream underneath; the framing is closed. What was received or kept in part is lost.
    fn into_stream(&self) -> PyResult<Stream> {
        Ok(Stream::of(self.handle.take()?.into_stream()))
    }

    /// The descriptor, which stays the stream's: readable while there is something to receive.
    fn fileno(&self) -> PyResult<i32> {
        fileno(&self.handle)
    }

    /// Closes the stream; again is fine. What send has kept is written if that needs no waiting.
    /// Who waits wakes with ValueError.
    fn close(&self) {
        if let Ok(framed) = self.handle.share() {
            let _ = framed.flush(Wait::NEVER);
        }
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
        match self.receive(py, None) {
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
        self.close();
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reduce(slf.as_any(), "refuse")
    }

    fn __repr__(&self) -> String {
        format!("<unipc.Framed {}>", describe(&self.handle))
    }
}
