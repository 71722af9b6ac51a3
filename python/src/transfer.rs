//! Bytes between descriptors, without a copy where that can be.

use std::os::fd::BorrowedFd;

use pyo3::prelude::*;
use unipc::stream::{self, TransferOptions, TransferWay};

use crate::error::invalid;
use crate::poller::number_of;
use crate::wait::{waiting, waiting_for};

/// What transfer has done.
#[pyclass(frozen, get_all, module = "unipc")]
pub(crate) struct Transferred {
    /// How many bytes the destination has got.
    bytes: u64,
    /// The way that it went: "splice", "splice twice", "sendfile", "copy_file_range", "read and
    /// write".
    way: &'static str,
    /// Whether the source has ended.
    at_end: bool,
}

#[pymethods]
impl Transferred {
    fn __repr__(&self) -> String {
        let at_end = if self.at_end { "True" } else { "False" };
        format!("Transferred(bytes={}, way='{}', at_end={at_end})", self.bytes, self.way)
    }
}

/// Transfers bytes from any descriptor to any by the fastest way that the pair allows: pipes,
/// sockets, files, terminals; each an int, or an object with fileno(), which is not to be
/// closed meanwhile.
///
/// length: how many bytes; None is to the end. source_offset, destination_offset: where in a
/// file; its position stays then, and moves otherwise. way: this way alone. A failure says how
/// many bytes have arrived in its attribute transferred.
/// Errors: BrokenPipeError, ConnectionResetError; BlockingIOError, TimeoutError; OSError with
/// ENOSPC, EBADF, ESPIPE, EINVAL.
/// Source: splice(2), sendfile(2), copy_file_range(2).
#[pyfunction]
#[pyo3(signature = (source, destination, *, length=None, source_offset=None, destination_offset=None, way=None, timeout=None))]
#[expect(clippy::too_many_arguments, reason = "keywords of Python")]
pub(crate) fn transfer(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    destination: &Bound<'_, PyAny>,
    length: Option<u64>,
    source_offset: Option<u64>,
    destination_offset: Option<u64>,
    way: Option<&str>,
    timeout: Option<f64>,
) -> PyResult<Transferred> {
    let named = |name: &str| TransferWay::ALL.into_iter().find(|way| way.name() == name);
    let way = way.map(|name| named(name).ok_or_else(|| invalid("there is no such way"))).transpose()?;
    let options = TransferOptions { length, source_offset, destination_offset, way };
    let (source, destination) = (number_of(source)?, number_of(destination)?);
    let call = |wait: unipc::Wait<'_>| {
        // SAFETY: not -1; the objects live through the call, and the kernel looks whether there are such descriptors.
        let (source, destination) = unsafe { (BorrowedFd::borrow_raw(source), BorrowedFd::borrow_raw(destination)) };
        stream::transfer(source, destination, &options, wait)
    };
    let done = waiting_for(py, timeout, &|| true, |done| done.bytes as usize, call)?;
    Ok(Transferred { bytes: done.bytes, way: done.way.name(), at_end: done.at_end })
}

/// Duplicates what is in a pipe into another, without taking it out: at least a byte, at most
/// length; gives how many, 0 at the end. The next call begins with the same byte again unless
/// somebody has read it: so read, or transfer, what was duplicated.
/// Errors: BrokenPipeError; BlockingIOError, TimeoutError; OSError with EINVAL for what is no
/// pipe.
/// Source: tee(2).
#[pyfunction]
#[pyo3(signature = (source, destination, length, *, timeout=None))]
pub(crate) fn tee(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    destination: &Bound<'_, PyAny>,
    length: usize,
    timeout: Option<f64>,
) -> PyResult<usize> {
    let (source, destination) = (number_of(source)?, number_of(destination)?);
    waiting(py, timeout, &|| true, |wait| {
        // SAFETY: as above.
        let (source, destination) = unsafe { (BorrowedFd::borrow_raw(source), BorrowedFd::borrow_raw(destination)) };
        stream::tee(source, destination, length, wait)
    })
}
