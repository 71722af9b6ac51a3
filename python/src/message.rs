//! A message together with what is known of it, for all kinds.

use std::os::fd::{IntoRawFd, OwnedFd};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use unipc::message::MessageInfo;

use crate::stream::Credentials;

/// A message and what is known of it. What the mechanism does not know is zero, or None.
#[pyclass(frozen, get_all, module = "unipc")]
pub(crate) struct Message {
    /// Its bytes.
    data: Py<PyBytes>,
    /// Its priority; the highest comes first.
    priority: u32,
    /// The type of a System V message.
    r#type: i64,
    /// Its number in the order of sending.
    sequence: u64,
    /// How many before it were lost to this receiver.
    lost: u64,
    /// How often it has been delivered, this time included.
    attempts: u32,
    /// Who sent it, as the kernel vouches for.
    sender: Option<Py<Credentials>>,
    /// A pidfd of the sender, if pidfds were asked for; the receiver closes it.
    sender_pidfd: Option<i32>,
}

impl Message {
    pub(crate) fn of(py: Python<'_>, data: &[u8], info: &MessageInfo) -> PyResult<Message> {
        Message::with_pidfd(py, data, info, None)
    }

    pub(crate) fn with_pidfd(py: Python<'_>, data: &[u8], info: &MessageInfo, pidfd: Option<OwnedFd>) -> PyResult<Message> {
        let sender = info.sender.as_ref().map(|sender| Py::new(py, Credentials::of(sender))).transpose()?;
        Ok(Message {
            data: PyBytes::new(py, data).unbind(),
            priority: info.priority,
            r#type: info.kind,
            sequence: info.sequence,
            lost: info.lost,
            attempts: info.attempts,
            sender,
            sender_pidfd: pidfd.map(IntoRawFd::into_raw_fd),
        })
    }
}

#[pymethods]
impl Message {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut text = format!("Message({}", self.data.bind(py).repr()?);
        let numbers = [
            ("priority", i128::from(self.priority)),
            ("type", self.r#type.into()),
            ("sequence", self.sequence.into()),
            ("lost", self.lost.into()),
            ("attempts", self.attempts.into()),
        ];
        for (name, number) in numbers.into_iter().filter(|(_, number)| *number != 0) {
            text.push_str(&format!(", {name}={number}"));
        }
        if let Some(sender) = &self.sender {
            text.push_str(&format!(", sender={}", sender.bind(py).repr()?));
        }
        Ok(text + ")")
    }
}
