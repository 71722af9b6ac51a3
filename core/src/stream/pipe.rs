//! Anonymous pipes: one way, between relatives.
//!
//! The end comes to the reader when the *last* writing end is closed. A parent that keeps its copy of the writing end after `fork` waits for ever
//! for an end that it holds back itself; both ends are close-on-exec here, so that no program started later holds one by accident.
//!
//! [pipe(2)](https://man7.org/linux/man-pages/man2/pipe.2.html), [pipe(7)](https://man7.org/linux/man-pages/man7/pipe.7.html)

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use super::endpoint::{Endpoint, Kind};
use super::{PipeReader, PipeWriter};
use crate::error::{Context, Error, Result, check};

/// Makes a pipe of the system's capacity, 64 KiB as a rule.
///
/// ```
/// use std::io::{Read, Write};
/// let (mut reader, mut writer) = unipc::stream::pipe()?;
/// writer.write_all(b"Hello from parent!")?;
/// drop(writer);
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "Hello from parent!");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn pipe() -> Result<(PipeReader, PipeWriter)> {
    let mut ends = [-1; 2];
    // SAFETY: the array has room for the two descriptors.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }).during("create pipe")?;
    // SAFETY: the kernel has just given us these descriptors; nobody else owns them.
    let (reader, writer) = unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) };
    Ok((PipeReader::of(reader), PipeWriter::of(writer)))
}

/// Makes a pipe that holds at least `capacity` bytes; 0 is the system's. Errors as [`ByteStream::set_capacity`](super::ByteStream::set_capacity).
pub fn pipe_with_capacity(capacity: usize) -> Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = pipe()?;
    if capacity != 0 {
        writer.set_capacity(capacity)?;
    }
    Ok((reader, writer))
}

pub(super) fn capacity(endpoint: &Endpoint) -> Result<usize> {
    const OPERATION: &str = "get capacity of pipe";
    require_pipe(OPERATION, endpoint)?;
    // SAFETY: F_GETPIPE_SZ returns an integer.
    let size = check(unsafe { libc::fcntl(endpoint.as_fd().as_raw_fd(), libc::F_GETPIPE_SZ) }).during(OPERATION)?;
    Ok(size as usize)
}

pub(super) fn set_capacity(endpoint: &Endpoint, capacity: usize) -> Result<usize> {
    const OPERATION: &str = "set capacity of pipe";
    require_pipe(OPERATION, endpoint)?;
    let wanted = libc::c_int::try_from(capacity)
        .ok()
        .filter(|wanted| *wanted > 0)
        .ok_or_else(|| Error::os(OPERATION, Errno::EINVAL).hint(format!("a pipe holds 1 to {} bytes, not {capacity}", libc::c_int::MAX)))?;
    // SAFETY: F_SETPIPE_SZ takes and returns an integer.
    match check(unsafe { libc::fcntl(endpoint.as_fd().as_raw_fd(), libc::F_SETPIPE_SZ, wanted) }) {
        Ok(size) => Ok(size as usize),
        Err(errno @ Errno::EPERM) => {
            let limit = std::fs::read_to_string("/proc/sys/fs/pipe-max-size").unwrap_or_default();
            let limit = limit.trim().to_owned();
            Err(Error::os(OPERATION, errno).hint(format!("{capacity} bytes are more than /proc/sys/fs/pipe-max-size, {limit}")))
        }
        Err(errno) => Err(Error::os(OPERATION, errno)),
    }
}

fn require_pipe(operation: &'static str, endpoint: &Endpoint) -> Result<()> {
    if endpoint.kind() == Kind::Pipe {
        return Ok(());
    }
    Err(Error::os(operation, Errno::EOPNOTSUPP).hint("only a pipe has one"))
}
