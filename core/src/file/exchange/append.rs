//! Records added to a file that others add to.

use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;

use super::{LONGEST_PATH, TORN, directory_of};
use crate::descriptor::{open_raw, status};
use crate::error::{Context, Error, Result, check};
use crate::file::lock::{FileLock, FileLockOptions, LockKind, LockMode, LockRange};
use crate::name::{self, Identity};
use crate::wait::{Deadline, Wait};

const OPERATION: &str = "append record";

/// How a record is appended.
#[derive(Debug, Clone, Default)]
pub struct AppendOptions {
    /// The permissions of a file that is made, set whatever the umask says; 0 is 0600.
    pub mode: u32,
    /// The group of a file that is made, by name or number.
    pub group: Option<String>,
    /// Accept a file of a user other than oneself and root.
    pub any_owner: bool,
    /// Wait until the record is on the disk, and with the first of a file its name.
    pub sync: bool,
}

/// Appends one record, a line, to a file, which is made if there is none: whole, or not at all. Symbolic links are not followed.
///
/// Writers keep each other out by a `flock` of the file, so `flock FILE sh -c 'echo … >>FILE'` joins in. The wait is for that lock. A program that appends
/// without it (`>>` of a shell) does no harm as long as it writes whole lines by one write each. Each call opens the file, as it may have been rotated, and
/// closes it; nothing is held between calls. A process that holds a flock of the file itself keeps itself out.
///
/// Errors: `EINVAL`: the record contains a newline, or ends with [`TORN`]; `EAGAIN`, `ETIMEDOUT`, `ECANCELED`: another is appending, or was stopped at it;
/// `ENOSPC`, `EDQUOT`, `EIO`, `EFBIG`: the record may stand there torn, and readers pass over it; `ENOENT` of the directory, `EACCES` (it takes
/// reading and writing), `ELOOP`; `EPERM`: another user's; [`Failure::WrongKind`](crate::Failure::WrongKind).
pub fn append<'a>(path: &str, record: &[u8], options: &AppendOptions, wait: impl Into<Wait<'a>>) -> Result<()> {
    name::path(OPERATION, path, LONGEST_PATH)?;
    let refused = |hint| Err(Error::os(OPERATION, Errno::EINVAL).on(path).hint(hint));
    if record.contains(&b'\n') {
        return refused("a record is a line, and has no newline inside");
    }
    if record.last() == Some(&TORN) {
        return refused("a line that ends with byte 0x18 is a torn one to readers");
    }
    let how = FileLockOptions {
        kind: LockKind::Flock,
        mode: options.mode,
        group: options.group.clone(),
        any_owner: options.any_owner,
        ..Default::default()
    };
    let mut deadline = Deadline::new(OPERATION, wait);
    let file = loop {
        let file = FileLock::open_or_create_by(OPERATION, path, &how)?;
        file.acquire_by(OPERATION, LockMode::Exclusive, LockRange::WHOLE, &mut deadline)?;
        // Locked: from here on nobody leaves this file for another. But it may have lost its name while we waited.
        let identity = Identity::of(&status(file.as_fd()).during_on(OPERATION, path)?);
        match name::status(path) {
            Ok(found) if Identity::of(&found) == identity => break file,
            Ok(_) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(Error::os(OPERATION, errno).on(path)),
        }
    };
    let is_first = status(file.as_fd()).during_on(OPERATION, path)?.st_size == 0;
    let written = write(&file, record);
    // Not by closing alone: a child that another thread has forked meanwhile would keep the lock as long as it lives.
    file.unlock(LockRange::WHOLE)?;
    written.during_on(OPERATION, path)?;
    if options.sync {
        nix::unistd::fdatasync(&file).during_on(OPERATION, path)?;
        if is_first {
            open_raw(directory_of(path), libc::O_RDONLY | libc::O_DIRECTORY, 0)
                .and_then(|directory| super::replace::sync(directory.as_fd()))
                .map_err(|errno| {
                    Error::os(OPERATION, errno).on(path).hint("the record is in the file, whose name perhaps is not on the disk")
                })?;
        }
    }
    Ok(())
}

/// One write, at the end, wherever that is by then.
fn write(file: &FileLock, record: &[u8]) -> std::result::Result<(), Errno> {
    let descriptor = file.as_fd();
    // SAFETY: F_SETFL takes an integer. The description is ours alone.
    check(unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFL, libc::O_APPEND) })?;
    let mut line = Vec::with_capacity(record.len() + 3);
    let size = status(descriptor)?.st_size;
    let mut last = [b'\n'];
    if size > 0 {
        // SAFETY: the buffer is valid to write to.
        check(unsafe { libc::pread(descriptor.as_raw_fd(), last.as_mut_ptr().cast(), 1, size - 1) })?;
    }
    if last != [b'\n'] {
        line.extend_from_slice(&[TORN, b'\n']);
    }
    line.extend_from_slice(record);
    line.push(b'\n');
    let mut rest = line.as_slice();
    while !rest.is_empty() {
        match nix::unistd::write(descriptor, rest) {
            Ok(count) => rest = &rest[count..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
