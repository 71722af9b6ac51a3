//! Bytes of Python objects, borrowed by the buffer protocol.
//!
//! While a buffer is held its owner neither moves nor frees the bytes; other threads may change them, as with any buffer of Python.

use std::mem::MaybeUninit;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3::{PyTraverseError, PyVisit};

/// Contiguous bytes of an object.
pub(crate) struct Buffer {
    start: *mut u8,
    length: usize,
    lent: Lent,
}

/// What keeps the bytes where they are.
enum Lent {
    /// A bytes object: it needs no more than to live.
    Bytes { object: Py<PyAny> },
    /// A view of any other: released at the end.
    View(Box<ffi::Py_buffer>),
}

// SAFETY: what is lent is only given back under the interpreter's lock; address and length do not change.
unsafe impl Send for Buffer {}
// SAFETY: as above.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Bytes to read from.
    pub(crate) fn readable(object: &Bound<'_, PyAny>) -> PyResult<Buffer> {
        if let Ok(bytes) = object.cast_exact::<PyBytes>() {
            let (bytes, object) = (bytes.as_bytes(), object.clone().unbind());
            return Ok(Buffer { start: bytes.as_ptr().cast_mut(), length: bytes.len(), lent: Lent::Bytes { object } });
        }
        Buffer::get(object, ffi::PyBUF_SIMPLE)
    }

    /// Bytes to write to. `BufferError` for those of `bytes` and other objects that do not change.
    pub(crate) fn writable(object: &Bound<'_, PyAny>) -> PyResult<Buffer> {
        Buffer::get(object, ffi::PyBUF_WRITABLE)
    }

    fn get(object: &Bound<'_, PyAny>, flags: std::ffi::c_int) -> PyResult<Buffer> {
        let mut view = Box::new(MaybeUninit::<ffi::Py_buffer>::zeroed());
        // SAFETY: the object is alive, the view is writable, the interpreter's lock is held.
        if unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), view.as_mut_ptr(), flags) } != 0 {
            return Err(PyErr::fetch(object.py()));
        }
        // SAFETY: filled by the call that has just succeeded; it does not move, since exporters may point into it.
        let view: Box<ffi::Py_buffer> = unsafe { Box::from_raw(Box::into_raw(view).cast()) };
        // Of no bytes the address may be NULL.
        let start = if view.buf.is_null() { std::ptr::NonNull::dangling().as_ptr() } else { view.buf.cast() };
        Ok(Buffer { start, length: view.len as usize, lent: Lent::View(view) })
    }

    /// For the collector of cycles.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.lent {
            Lent::Bytes { object } => visit.call(object),
            Lent::View(view) if view.obj.is_null() => Ok(()),
            // SAFETY: not NULL, and the view's own reference, which lives as long as the view; a Py has the layout of a pointer.
            Lent::View(view) => visit.call(unsafe { &*(&raw const view.obj).cast::<Py<PyAny>>() }),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// The first byte; not NULL.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.start
    }

    /// The bytes, to be handed to the kernel or copied.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the exporter promises that many bytes while the view is held. They are read by system calls and copies, for which another
        // thread's change at the same time is a matter of which bytes arrive.
        unsafe { std::slice::from_raw_parts(self.as_ptr(), self.len()) }
    }

    /// The bytes, to be filled.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and the view was asked for as writable.
        unsafe { std::slice::from_raw_parts_mut(self.as_ptr(), self.len()) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Lent::View(view) = &mut self.lent {
            // An interpreter that is gone needs nothing back.
            // SAFETY: the view is held and released once, under the lock.
            let _ = Python::try_attach(|_| unsafe { ffi::PyBuffer_Release(&mut **view) });
        }
    }
}
