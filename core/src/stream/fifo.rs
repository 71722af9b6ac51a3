//! FIFOs: pipes with a path, for processes that are no relatives.
//!
//! Opening one end waits for the other. The kernel gives that wait no limit, so with a limit a reader opens without blocking and looks whether a
//! writer has come; a writer tries again until a reader is there.
//!
//! A reader that serves one client after another meets the end whenever the last client leaves, and what the next one writes while the reader
//! reopens can be lost. [`FifoOptions::keep_open`] holds a writing end too, so that the end never comes.
//!
//! Who waits for the other side waits at the FIFO that it has found. If that is unlinked and made anew meanwhile, the two never meet: a server keeps
//! its FIFO (`open_or_create`) and does not make it anew.
//!
//! One FIFO for both ways does not work: each side may read what it has written itself.
//!
//! What is at the path is pinned by an `O_PATH` descriptor, looked at, and then opened through it, so that what was checked is what is opened.
//!
//! [fifo(7)](https://man7.org/linux/man-pages/man7/fifo.7.html), [mkfifo(3)](https://man7.org/linux/man-pages/man3/mkfifo.3.html)

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::{FifoReader, FifoWriter};
use crate::descriptor::{c_path, make_blocking, open_raw, status};
use crate::error::{Context, Error, Result, check};
use crate::name::{self, Identity};
use crate::wait::{Deadline, Timeout, Wait, await_creator, is_ready};

const OPEN_READER: &str = "open FIFO to read";
const OPEN_WRITER: &str = "open FIFO to write";

/// How a FIFO is made and opened.
#[derive(Debug, Clone)]
pub struct FifoOptions {
    /// Create: the permissions, set whatever the umask says; 0 is 0600.
    pub mode: u32,
    /// Create: the group, by name or number.
    pub group: Option<String>,
    /// Open: how many bytes it holds; 0 is the system's choice.
    pub capacity: usize,
    /// Open: accept a FIFO of a user other than oneself and root.
    pub any_owner: bool,
    /// Reader: hold a writing end too, so that the end never comes. It does not wait for a writer.
    pub keep_open: bool,
    /// Reader: do not wait for a writer.
    pub unpaired: bool,
    /// Open: how long to wait for another process to create the path.
    pub wait_for_creator: Timeout,
}

impl Default for FifoOptions {
    /// For the owner alone, of the system's capacity, each end waiting for the other.
    fn default() -> Self {
        FifoOptions {
            mode: 0,
            group: None,
            capacity: 0,
            any_owner: false,
            keep_open: false,
            unpaired: false,
            wait_for_creator: Timeout::NEVER_WAIT,
        }
    }
}

/// Makes a FIFO, exclusively: `EEXIST` if there is anything at the path.
pub fn create_fifo(path: &str, options: &FifoOptions) -> Result<()> {
    const OPERATION: &str = "create FIFO";
    check_path(OPERATION, path)?;
    let mode = name::permissions(OPERATION, options.mode)?;
    let group = options.group.as_deref().map(|group| name::group(OPERATION, group)).transpose()?;
    let c_path = c_path(path).during_on(OPERATION, path)?;
    // Not more than the owner's rights until the group is right.
    // SAFETY: the path is NUL-terminated and lives through the call.
    check(unsafe { libc::mkfifo(c_path.as_ptr(), 0o600) }).map_err(|errno| explain_missing(OPERATION, path, errno))?;
    let pinned = pin(OPERATION, path, false)?;
    set_permissions(pinned.as_fd(), mode, group).map_err(|errno| {
        let _ = name::unlink(path);
        Error::os(OPERATION, errno).on(path)
    })
}

/// Removes a FIFO. [`Failure::WrongKind`](crate::Failure::WrongKind) for anything else, which stays.
pub fn unlink_fifo(path: &str) -> Result<()> {
    const OPERATION: &str = "unlink FIFO";
    check_path(OPERATION, path)?;
    let status = name::status(path).during_on(OPERATION, path)?;
    if name::kind(&status) != libc::S_IFIFO {
        return Err(name::wrong_kind(OPERATION, path, "a FIFO", &status));
    }
    name::unlink_if_same(path, Identity::of(&status)).during_on(OPERATION, path)
}

impl FifoReader {
    /// Opens the reading end, and waits for a writer unless the options say otherwise.
    ///
    /// Errors: `ENOENT`; `EPERM` for another user's FIFO; `ELOOP` for a link; [`Failure::WrongKind`](crate::Failure::WrongKind) for what is no
    /// FIFO; `EAGAIN`, `ETIMEDOUT`, `ECANCELED` if no writer comes (see [`Wait`]).
    pub fn open<'a>(path: &str, options: &FifoOptions, wait: impl Into<Wait<'a>>) -> Result<FifoReader> {
        let wait = wait.into();
        let pinned = pin_when_created(OPEN_READER, path, options, wait)?;
        let mut deadline = Deadline::new(OPEN_READER, wait);
        let alone = options.unpaired || options.keep_open;
        let plain = deadline.is_plain() && !alone;
        let flags = if plain { libc::O_RDONLY } else { libc::O_RDONLY | libc::O_NONBLOCK };
        let descriptor = open_pinned(&pinned, path, flags).during_on(OPEN_READER, path)?;
        if !plain {
            if !alone {
                wait_for_writer(descriptor.as_fd(), &mut deadline).map_err(|error| error.on(path))?;
            }
            make_blocking(descriptor.as_fd()).during_on(OPEN_READER, path)?;
        }
        let mut reader = FifoReader::of(descriptor);
        if options.keep_open {
            let writer = open_pinned(&pinned, path, libc::O_WRONLY | libc::O_NONBLOCK).during_on(OPEN_READER, path)?;
            reader.0._held_open = Some(writer);
        }
        apply_capacity(&reader.0, options)?;
        Ok(reader)
    }

    /// As [`FifoReader::open`], and makes the FIFO if there is none.
    pub fn open_or_create<'a>(path: &str, options: &FifoOptions, wait: impl Into<Wait<'a>>) -> Result<FifoReader> {
        create_if_missing(path, options)?;
        FifoReader::open(path, options, wait)
    }
}

impl FifoWriter {
    /// Opens the writing end, and waits for a reader. Errors as [`FifoReader::open`].
    pub fn open<'a>(path: &str, options: &FifoOptions, wait: impl Into<Wait<'a>>) -> Result<FifoWriter> {
        let wait = wait.into();
        let pinned = pin_when_created(OPEN_WRITER, path, options, wait)?;
        let mut deadline = Deadline::new(OPEN_WRITER, wait);
        let plain = deadline.is_plain();
        let flags = if plain { libc::O_WRONLY } else { libc::O_WRONLY | libc::O_NONBLOCK };
        let descriptor = loop {
            match open_pinned(&pinned, path, flags) {
                Ok(descriptor) => break descriptor,
                // No reader yet.
                Err(Errno::ENXIO) => deadline.pause().map_err(|error| error.on(path))?,
                Err(errno) => return Err(Error::os(OPEN_WRITER, errno).on(path)),
            }
        };
        if !plain {
            make_blocking(descriptor.as_fd()).during_on(OPEN_WRITER, path)?;
        }
        let writer = FifoWriter::of(descriptor);
        apply_capacity(&writer.0, options)?;
        Ok(writer)
    }

    /// As [`FifoWriter::open`], and makes the FIFO if there is none.
    pub fn open_or_create<'a>(path: &str, options: &FifoOptions, wait: impl Into<Wait<'a>>) -> Result<FifoWriter> {
        create_if_missing(path, options)?;
        FifoWriter::open(path, options, wait)
    }
}

fn create_if_missing(path: &str, options: &FifoOptions) -> Result<()> {
    match create_fifo(path, options) {
        Err(error) if error.is(Errno::EEXIST) => Ok(()),
        other => other,
    }
}

fn check_path(operation: &'static str, path: &str) -> Result<()> {
    name::path(operation, path, libc::PATH_MAX as usize - 1)
}

fn pin_when_created(operation: &'static str, path: &str, options: &FifoOptions, wait: Wait<'_>) -> Result<OwnedFd> {
    check_path(operation, path)?;
    let missing = |error: &Error| error.is(Errno::ENOENT);
    await_creator(operation, wait.with_timeout(options.wait_for_creator), missing, || pin(operation, path, options.any_owner))
}

/// Holds on to the FIFO at the path without opening it, after a look at what and whose it is.
fn pin(operation: &'static str, path: &str, any_owner: bool) -> Result<OwnedFd> {
    let pinned = open_raw(path, libc::O_PATH | libc::O_NOFOLLOW, 0).map_err(|errno| explain_missing(operation, path, errno))?;
    let status = status(pinned.as_fd()).during_on(operation, path)?;
    if name::kind(&status) != libc::S_IFIFO {
        return Err(name::wrong_kind(operation, path, "a FIFO", &status));
    }
    name::trust_owner(operation, path, status.st_uid, any_owner)?;
    Ok(pinned)
}

/// Opens what is pinned. Where /proc is missing the path is opened, and must still lead to the same FIFO.
fn open_pinned(pinned: &OwnedFd, path: &str, flags: libc::c_int) -> std::result::Result<OwnedFd, Errno> {
    match open_raw(format!("/proc/self/fd/{}", pinned.as_raw_fd()), flags, 0) {
        Err(Errno::ENOENT | Errno::ENOTDIR) => {}
        other => return other,
    }
    let descriptor = open_raw(path, flags | libc::O_NOFOLLOW, 0)?;
    if Identity::of(&status(descriptor.as_fd())?) != Identity::of(&status(pinned.as_fd())?) {
        return Err(Errno::ESTALE);
    }
    Ok(descriptor)
}

fn wait_for_writer(reader: BorrowedFd<'_>, deadline: &mut Deadline<'_>) -> Result<()> {
    let (_scratch_reader, scratch_writer) = super::pipe()?;
    while !has_writer(reader, scratch_writer.as_fd()).during(OPEN_READER)? {
        deadline.pause()?;
    }
    Ok(())
}

/// Whether a writer is there, or has been.
///
/// poll tells of a writer that has written or left, but not of one that only has opened. tee does: it copies a byte into a scratch pipe, without
/// taking it, and fails with EAGAIN only while there is a writer who could still write one.
fn has_writer(reader: BorrowedFd<'_>, scratch: BorrowedFd<'_>) -> std::result::Result<bool, Errno> {
    if is_ready(reader, libc::POLLIN) {
        return Ok(true);
    }
    // SAFETY: tee takes descriptors and integers.
    match check(unsafe { libc::tee(reader.as_raw_fd(), scratch.as_raw_fd(), 1, libc::SPLICE_F_NONBLOCK) }) {
        Ok(count) => Ok(count > 0),
        Err(Errno::EAGAIN) => Ok(true),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn apply_capacity(stream: &super::ByteStream, options: &FifoOptions) -> Result<()> {
    if options.capacity != 0 {
        stream.set_capacity(options.capacity)?;
    }
    Ok(())
}

/// Sets owner group and mode of what an O_PATH descriptor holds on to.
fn set_permissions(pinned: BorrowedFd<'_>, mode: u32, group: Option<u32>) -> std::result::Result<(), Errno> {
    let path = c_path(format!("/proc/self/fd/{}", pinned.as_raw_fd()))?;
    if let Some(group) = group {
        // SAFETY: the path is NUL-terminated and lives through the call; -1 leaves the owner as it is.
        check(unsafe { libc::chown(path.as_ptr(), libc::uid_t::MAX, group) })?;
    }
    // SAFETY: as above.
    check(unsafe { libc::chmod(path.as_ptr(), mode as libc::mode_t) })?;
    Ok(())
}

/// ENOENT may mean the FIFO or its directory: say which.
#[cold]
fn explain_missing(operation: &'static str, path: &str, errno: Errno) -> Error {
    let error = Error::os(operation, errno).on(path);
    let Some(directory) = std::path::Path::new(path).parent().filter(|directory| *directory != std::path::Path::new("")) else {
        return error;
    };
    match errno {
        Errno::ENOENT if !directory.exists() => error.hint(format!("the directory {} does not exist", directory.display())),
        _ => error,
    }
}
