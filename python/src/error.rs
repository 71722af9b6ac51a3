//! Errors as Python has them: the builtin subclass of `OSError` with errno and filename, or a class of `unipc.Error` where no errno says it.

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use unipc::{Error, Failure, Reason};

/// The exception for a failed operation.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    let mut text = format!("{}: {}", error.operation(), error.reason());
    if let Some(remedy) = error.remedy() {
        text.push_str("; ");
        text.push_str(remedy);
    }
    let object = error.object().map(str::to_owned);
    let raised = match error.reason() {
        // OSError(errno, text, filename) makes the subclass that belongs to the errno.
        Reason::Os(errno) => PyOSError::new_err((errno as i32, text, object)),
        Reason::Failure(failure) => own_class(py, failure)
            .and_then(|class| class.call1((failure as i32, text, object)))
            .map_or_else(|problem| problem, PyErr::from_value),
    };
    if error.transferred() != 0 {
        note_transferred(py, &raised, error.transferred());
    }
    raised
}

/// Notes on an exception how many bytes had passed before it.
pub(crate) fn note_transferred(py: Python<'_>, raised: &PyErr, bytes: usize) {
    // An exception that has no room for it is raised all the same.
    let _ = raised.value(py).setattr("transferred", bytes);
}

fn own_class(py: Python<'_>, failure: Failure) -> PyResult<pyo3::Bound<'_, PyAny>> {
    let name = match failure {
        Failure::End => "EndOfStream",
        Failure::Forked => "Forked",
        Failure::Unavailable => "Unavailable",
        Failure::WrongKind => "WrongKind",
        Failure::WrongSize => "WrongSize",
        Failure::Incompatible => "Incompatible",
        Failure::Truncated => "Truncated",
        _ => "InternalError",
    };
    py.import("unipc._errors")?.getattr(name)
}

/// Whether an exception says that nothing more will come.
pub(crate) fn is_end(py: Python<'_>, error: &PyErr) -> bool {
    own_class(py, Failure::End).is_ok_and(|class| error.matches(py, class).unwrap_or(false))
}

/// Results of the core as results of Python.
pub(crate) trait Raise<T> {
    fn raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> Raise<T> for unipc::Result<T> {
    fn raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| raise(py, &error))
    }
}

/// `ValueError`, for arguments that cannot be.
pub(crate) fn invalid(text: impl Into<String>) -> PyErr {
    PyValueError::new_err(text.into())
}
