//! Handles that any thread may close while others use them.
//!
//! A call takes a share of the object for its length, so the descriptor that it waits on stays its own, and no other file's, until it has woken.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use unipc::Wait;

use crate::error::invalid;
use crate::wait::waiting;

/// An object of the core, until it is closed.
pub(crate) struct Handle<T> {
    what: &'static str,
    object: Mutex<Option<Arc<T>>>,
}

impl<T: Send + Sync> Handle<T> {
    pub(crate) fn new(what: &'static str, object: T) -> Handle<T> {
        Handle { what, object: Mutex::new(Some(Arc::new(object))) }
    }

    /// A share of the object. `ValueError` when it is closed.
    #[inline]
    pub(crate) fn share(&self) -> PyResult<Arc<T>> {
        self.locked().clone().ok_or_else(|| invalid(format!("the {} is closed", self.what)))
    }

    /// A call that may wait, and ends with `ValueError` when another thread closes the object.
    #[inline]
    pub(crate) fn wait<R: Send>(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        call: impl FnOnce(&T, Wait<'_>) -> unipc::Result<R> + Send,
    ) -> PyResult<R> {
        let object = self.share()?;
        waiting(py, timeout, &|| !self.is_closed(), |wait| call(&object, wait))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.locked().is_none()
    }

    /// Lets go of the object; it is gone when the last call that uses it has returned.
    pub(crate) fn close(&self) {
        let object = self.locked().take();
        drop(object);
    }

    /// Takes the object out of the handle, which is then closed. `ValueError` while a call uses it.
    pub(crate) fn take(&self) -> PyResult<T> {
        let mut place = self.locked();
        let Some(object) = place.take() else { return Err(invalid(format!("the {} is closed", self.what))) };
        Arc::try_unwrap(object).map_err(|shared| {
            *place = Some(shared);
            invalid(format!("another thread uses the {}", self.what))
        })
    }

    fn locked(&self) -> MutexGuard<'_, Option<Arc<T>>> {
        // Nothing that is done under the lock can leave the place half changed.
        self.object.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `fd=5`, or `closed`.
pub(crate) fn describe<T: Send + Sync + std::os::fd::AsFd>(handle: &Handle<T>) -> String {
    use std::os::fd::AsRawFd;
    handle.share().map_or_else(|_| "closed".to_owned(), |object| format!("fd={}", object.as_fd().as_raw_fd()))
}

/// The descriptor, which stays the object's.
pub(crate) fn fileno<T: Send + Sync + std::os::fd::AsFd>(handle: &Handle<T>) -> PyResult<i32> {
    use std::os::fd::AsRawFd;
    Ok(handle.share()?.as_fd().as_raw_fd())
}

/// What to call, and with what, to have an object again on the other side of a pickle: `unipc._pickling` knows.
pub(crate) fn reduce<'py>(object: &pyo3::Bound<'py, PyAny>, how: &str) -> PyResult<pyo3::Bound<'py, PyAny>> {
    object.py().import("unipc._pickling")?.call_method1(how, (object,))
}
