//! Files that processes exchange: replaced, appended to, followed.

use std::os::fd::AsRawFd;
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use unipc::Wait;
use unipc::file::exchange::{self, AppendOptions, Durability, Followed, Follower, FollowerOptions, ReplaceOptions};

use crate::buffer::Buffer;
use crate::error::{Raise, invalid};
use crate::handle::{Handle, reduce, until_closed};
use crate::stream::path_text;
use crate::wait::waiting;

/// Replaces a file's content in one step, or makes the file. Who opens it has the old content
/// or the new one, whole, whoever is killed meanwhile; who has the old one open keeps it.
///
/// Permissions, owner and group stay, unless asked for otherwise; ACLs, extended attributes and
/// other hard links do not come along. mode: set whatever the umask says; 0 is that of the old
/// file, or 0o600. group: by name or number. take_ownership: where the old file's owner and
/// group cannot be kept, the new one may be the process's. follow_links: replace what a
/// symbolic link at the end of the path points to. sync: "all": content and name are on the
/// disk when it returns; "content": after a crash of the machine it is the old or the new one;
/// "nothing": it may be empty then.
/// Errors: FileNotFoundError of the directory; PermissionError, also where owner or group
/// cannot be kept; OSError with ENOSPC, EDQUOT, EFBIG, EIO, EROFS, ELOOP, EBUSY; WrongKind. The
/// old content is still there, but for what the directory itself says, which comes after the
/// step.
/// Source: rename(2), fsync(2).
#[pyfunction]
#[pyo3(signature = (path, data, *, mode=0, group=None, take_ownership=false, follow_links=false, sync="all"))]
#[expect(clippy::too_many_arguments, reason = "keywords")]
pub(crate) fn replace_file(
    py: Python<'_>,
    path: PathBuf,
    data: &Bound<'_, PyAny>,
    mode: u32,
    group: Option<String>,
    take_ownership: bool,
    follow_links: bool,
    sync: &str,
) -> PyResult<()> {
    let durability = match sync {
        "all" => Durability::All,
        "content" => Durability::Content,
        "nothing" => Durability::Nothing,
        _ => return Err(invalid("sync is \"all\", \"content\" or \"nothing\"")),
    };
    let (path, data) = (path_text(path)?, Buffer::readable(data)?);
    let options = ReplaceOptions { mode, group, take_ownership, follow_links, durability };
    py.detach(|| exchange::replace(&path, data.bytes(), &options)).raise(py)
}

/// Appends a record, which is a line, to a file that others append to; the file is made if
/// there is none. Readers see it whole or not at all.
///
/// record: bytes without a newline, which is added. Writers keep each other out by a flock of
/// the file, as flock(1) takes it; timeout is for that. A writer that is killed in the middle
/// leaves a torn record; the next one ends it with byte 0x18 and a newline, and followers pass
/// over such lines. The file may be rotated by a rename at any time. mode and group are for a
/// file that is made. any_owner accepts a file of a user other than oneself and root. sync
/// waits until the record is on the disk, and with the first of a file its name.
/// Errors: BlockingIOError, TimeoutError: another is appending; OSError with EINVAL: a newline
/// inside; with ENOSPC, EDQUOT, EFBIG, EIO: not appended, though a torn part may stand there;
/// with ELOOP; FileNotFoundError of the directory; PermissionError; WrongKind.
/// Source: open(2), flock(2).
#[pyfunction]
#[pyo3(signature = (path, record, *, mode=0, group=None, any_owner=false, sync=false, timeout=None))]
#[expect(clippy::too_many_arguments, reason = "keywords")]
pub(crate) fn append_record(
    py: Python<'_>,
    path: PathBuf,
    record: &Bound<'_, PyAny>,
    mode: u32,
    group: Option<String>,
    any_owner: bool,
    sync: bool,
    timeout: Option<f64>,
) -> PyResult<()> {
    let (path, record) = (path_text(path)?, Buffer::readable(record)?);
    let options = AppendOptions { mode, group, any_owner, sync };
    // Copied: what is looked at for newlines is what is written, whatever another thread does to the buffer.
    let record = record.bytes().to_vec();
    waiting(py, timeout, &|| true, |wait| exchange::append(&path, &record, &options, wait))
}

/// What a follower has received.
#[pyclass(frozen, get_all, module = "unipc")]
pub(crate) struct FileEvent {
    /// "record"; "replaced": another file has the name; "truncated": the file is shorter than what
    /// was read; "deleted": no file has the name.
    kind: &'static str,
    /// The record, without its newline; empty for what is none.
    data: Py<PyBytes>,
    /// Where in the file the record begins.
    offset: u64,
    /// Where the next one begins.
    end: u64,
    /// How many torn records were passed over since the last one that was received.
    torn: u64,
}

#[pymethods]
impl FileEvent {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let data = self.data.bind(py).repr()?;
        Ok(format!("<unipc.FileEvent {} data={data} offset={} torn={}>", self.kind, self.offset, self.torn))
    }
}

/// Receives the records that are appended to a file: whole lines, in their order, without the
/// newline. It sees the file replaced, truncated, deleted and made again. Iterating gives one
/// record after the other, for ever; `with` closes it.
///
/// from_end begins at the first record that is not complete yet, start at a byte: where an
/// earlier follower has left off. largest: the longest record; 0 is 1 MiB; a longer one is
/// OSError with EMSGSIZE, and is passed over. any_owner accepts files of users other than
/// oneself and root. follow_links: follow a symbolic link at the end of the path.
/// wait_for_creator: seconds, None for ever.
/// Errors: FileNotFoundError; PermissionError; WrongKind; OSError with ELOOP. It costs two
/// descriptors, and at most the longest record and 64 KiB. One thread at a time receives; after
/// a fork, one of the two processes: Forked in a child, if a thread of the parent was
/// receiving.
/// Source: inotify(7).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct FileFollower {
    handle: Handle<Follower>,
    #[pyo3(get)]
    /// The path.
    path: String,
    descriptor: Option<i32>,
}

impl FileFollower {
    fn next(&self, py: Python<'_>, timeout: Option<f64>, events: bool) -> PyResult<(Vec<u8>, Followed)> {
        self.handle.wait_alone(
            py,
            timeout,
            |follower, wait| if events { follower.receive_event_vec(wait) } else { follower.receive_vec(wait) },
        )
    }
}

#[pymethods]
impl FileFollower {
    #[new]
    #[pyo3(
        signature = (path, *, from_end=false, start=0, largest=0, any_owner=false, follow_links=false, wait_for_creator=Some(0.0)),
        text_signature = "(path, *, from_end=False, start=0, largest=0, any_owner=False, follow_links=False, wait_for_creator=0)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        from_end: bool,
        start: u64,
        largest: usize,
        any_owner: bool,
        follow_links: bool,
        wait_for_creator: Option<f64>,
    ) -> PyResult<FileFollower> {
        let path = path_text(path)?;
        let open = |wait_for_creator: Wait<'_>| {
            Follower::open(&path, &FollowerOptions { from_end, start, largest, any_owner, follow_links, wait_for_creator })
        };
        let follower = waiting(py, wait_for_creator, &|| true, open)?;
        let descriptor = follower.fd().ok().map(|descriptor| descriptor.as_raw_fd());
        Ok(FileFollower { handle: Handle::new("file follower", follower), path, descriptor })
    }

    /// The next record, whatever happens to the file meanwhile.
    /// Errors: BlockingIOError, TimeoutError: no whole record has come; OSError with EMSGSIZE;
    /// where another file has the name, what opening it says, until it can be opened.
    #[pyo3(signature = (*, timeout=None))]
    fn receive<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Bound<'py, PyBytes>> {
        self.next(py, timeout, false).map(|(record, _)| PyBytes::new(py, &record))
    }

    /// As receive, and tells what has happened to the file: replacement and deletion after the last
    /// record of the old one. A file that was truncated and has grown again by then goes unseen.
    /// Errors as receive.
    #[pyo3(signature = (*, timeout=None))]
    fn receive_event(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<FileEvent> {
        let (record, found) = self.next(py, timeout, true)?;
        let kind = match found.event {
            exchange::FileEvent::Record => "record",
            exchange::FileEvent::Replaced => "replaced",
            exchange::FileEvent::Truncated => "truncated",
            exchange::FileEvent::Deleted => "deleted",
        };
        let data = PyBytes::new(py, &record).unbind();
        Ok(FileEvent { kind, data, offset: found.offset, end: found.end, torn: found.torn })
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        until_closed(py, &self.handle, self.receive(py, None))
    }

    /// The descriptor, which stays the object's: readable until a call with timeout=0 raises
    /// BlockingIOError. Do not read from it. Receive every half second besides: it does not tell
    /// that the directory was renamed and made anew, or that a link that is followed points
    /// elsewhere. unipc.aio.FileFollower does so.
    /// Errors: Unavailable where inotify is not to be had, or does not tell, as on network file
    /// systems: then probe.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        match self.descriptor {
            // While another thread receives, it is the same as ever.
            Some(_) if self.handle.is_closed() => Err(invalid("the file follower is closed")),
            Some(descriptor) => Ok(descriptor),
            None => self.handle.share()?.fd().map(|descriptor| descriptor.as_raw_fd()).raise(py),
        }
    }

    /// Closes it; again is fine. Who waits in it wakes with ValueError.
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
        format!("<unipc.FileFollower {:?}{}>", self.path, if self.handle.is_closed() { " closed" } else { "" })
    }
}
