//! Bytes of Python objects, borrowed by the buffer protocol.
//!
//! While a buffer is held its owner neither moves nor frees the bytes; other threads may change them, as with any buffer of Python.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use pyo3::ffi;
use pyo3::prelude::*;

/// Contiguous bytes of an object.
pub(crate) struct Buffer {
    view: Box<ffi::Py_buffer>,
    of_python: PhantomData<*const ()>,
}

// SAFETY: the view is only released under the interpreter's lock; its address and length do not change.
unsafe impl Send for Buffer {}
// SAFETY: as above.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Bytes to read from.
    pub(crate) fn readable(object: &Bound<'_, PyAny>) -> PyResult<Buffer> {
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
        let view = unsafe { Box::from_raw(Box::into_raw(view).cast()) };
        Ok(Buffer { view, of_python: PhantomData })
    }

    pub(crate) fn len(&self) -> usize {
        self.view.len as usize
    }

    /// The first byte; not NULL.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        if self.view.buf.is_null() { std::ptr::NonNull::dangling().as_ptr() } else { self.view.buf.cast() }
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
        // An interpreter that is gone needs nothing back.
        // SAFETY: the view is held and released once, under the lock.
        let _ = Python::try_attach(|_| unsafe { ffi::PyBuffer_Release(&mut *self.view) });
    }
}
