//! Many reads and writes at once: io_uring.

use std::os::fd::BorrowedFd;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use unipc::event::{self, Operation};
use unipc::{Errno, Error};

use crate::buffer::Buffer;
use crate::error::{Raise, invalid, raise};
use crate::handle::{Handle, describe, fileno, reduce};
use crate::poller::number_of;

/// What has become of an operation of a Ring.
#[pyclass(frozen, module = "unipc")]
pub(crate) struct RingCompletion {
    #[pyo3(get)]
    /// What the operation was given.
    token: u64,
    #[pyo3(get)]
    /// How many bytes were read or written; of a read, 0 is the end. 0 if it has failed.
    count: usize,
    #[pyo3(get)]
    /// What was read, or was to be written.
    data: Py<PyBytes>,
    #[pyo3(get)]
    /// The exception that says why it has failed; None if it has not.
    error: Option<Py<PyAny>>,
}

#[pymethods]
impl RingCompletion {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (token, count) = (self.token, self.count);
        Ok(match &self.error {
            None => format!("<unipc.RingCompletion token={token} count={count}>"),
            Some(error) => format!("<unipc.RingCompletion token={token} error={}>", error.bind(py).repr()?),
        })
    }
}

/// Many reads and writes handed to the kernel at once (io_uring): each is told when it
/// completes, in any order. Nothing has to be ready before.
///
/// Two writes to one stream that are in flight together may be done in either order: submit the
/// next when the last has completed. What is in flight when the thread that has submitted it
/// ends is cancelled, at the latest when its turn comes. It costs one descriptor; a child made
/// by fork gets Forked. capacity: how many operations may be in flight. `with` closes it, which
/// cancels what is in flight and waits for it.
/// Errors: Unavailable: the kernel has no io_uring, the sysctl kernel.io_uring_disabled turns
/// it off, or a sandbox refuses it; OSError with EINVAL, EMFILE, ENFILE, ENOMEM.
/// Source: io_uring(7).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Ring {
    handle: Handle<event::Ring>,
}

impl Ring {
    fn submit(
        &self,
        py: Python<'_>,
        number: i32,
        offset: Option<u64>,
        make: impl for<'a> FnOnce(&'a BorrowedFd<'a>) -> Operation<'a> + Send,
    ) -> PyResult<()> {
        self.handle.change(py, |ring| {
            if number < 0 {
                return Err(Error::os("submit to ring", Errno::EBADF));
            }
            // SAFETY: not -1, and borrowed for this call alone; the kernel says whether it is open.
            let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
            let operation = make(&descriptor);
            ring.submit(&mut vec![match offset {
                Some(offset) => operation.at(offset),
                None => operation,
            }])
        })
    }
}

#[pymethods]
impl Ring {
    #[new]
    #[pyo3(signature = (capacity=256))]
    fn new(py: Python<'_>, capacity: usize) -> PyResult<Ring> {
        event::Ring::available().raise(py)?;
        Ok(Ring { handle: Handle::new("ring", event::Ring::new(capacity).raise(py)?) })
    }

    /// Reads up to size bytes, at least one or the end, when there are some. It does not wait for
    /// that.
    ///
    /// source: an int, or something with fileno(); it may be closed meanwhile. token: a number that
    /// comes back. offset: where in a file, whose position stays.
    /// Errors: BlockingIOError: capacity operations are in flight; Unavailable: a sandbox was
    /// entered since; Forked. All else the completion tells.
    #[pyo3(signature = (source, size, token=0, *, offset=None))]
    fn read(&self, py: Python<'_>, source: &Bound<'_, PyAny>, size: usize, token: u64, offset: Option<u64>) -> PyResult<()> {
        let mut room = Vec::new();
        room.try_reserve_exact(size).map_err(|_| invalid("there is no memory for so many bytes"))?;
        self.submit(py, number_of(source)?, offset, |descriptor| Operation::read(descriptor, room, token))
    }

    /// Writes as many of the bytes as there is room for, at least one, when there is. It does not
    /// wait for that; the bytes are copied. A write whose reader is gone completes with
    /// BrokenPipeError. Parameters and errors: as read.
    #[pyo3(signature = (destination, data, token=0, *, offset=None))]
    fn write(
        &self,
        py: Python<'_>,
        destination: &Bound<'_, PyAny>,
        data: &Bound<'_, PyAny>,
        token: u64,
        offset: Option<u64>,
    ) -> PyResult<()> {
        let bytes = Buffer::readable(data)?.bytes().to_vec();
        self.submit(py, number_of(destination)?, offset, |descriptor| Operation::write(descriptor, bytes, token))
    }

    /// Waits until something has completed; gives a list of that, at most maximum. With nothing in
    /// flight it gives an empty list at once. A time that is up cancels nothing.
    /// Errors: BlockingIOError, TimeoutError: nothing has completed; Forked.
    #[pyo3(signature = (*, maximum=64, timeout=None))]
    fn wait(&self, py: Python<'_>, maximum: usize, timeout: Option<f64>) -> PyResult<Vec<RingCompletion>> {
        let done = self.handle.wait_alone(py, timeout, |ring, wait| ring.wait(maximum, wait))?;
        let told = done.into_iter().map(|done| RingCompletion {
            token: done.token,
            count: *done.result.as_ref().unwrap_or(&0),
            data: PyBytes::new(py, &done.buffer).unbind(),
            error: done.result.err().map(|error| raise(py, &error).into_value(py).into_any()),
        });
        Ok(told.collect())
    }

    /// Asks the kernel to cancel the operations with this token; gives how many there are in
    /// flight. Each completes all the same, with OSError of ECANCELED or as if nothing had been
    /// asked.
    /// Errors: Unavailable, Forked.
    fn cancel(&self, py: Python<'_>, token: u64) -> PyResult<usize> {
        self.handle.change(py, |ring| ring.cancel(token))
    }

    /// How many operations were submitted and not told yet.
    #[getter]
    fn in_flight(&self, py: Python<'_>) -> PyResult<usize> {
        self.handle.with(py, |ring| Ok(ring.in_flight()))
    }

    /// The descriptor, for a poller: readable while something has completed that was not told.
    fn fileno(&self) -> PyResult<i32> {
        fileno(&self.handle)
    }

    /// Closes the ring; again is fine. What is in flight is cancelled, and waited for.
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
        format!("<unipc.Ring {}>", describe(&self.handle))
    }
}
