//! Files that are complete before they have a name.
//!
//! The classic order, create, set the size, fill, lets an opener in between meet an empty object, and its first access is SIGBUS. Here the file has no
//! name (`O_TMPFILE`) until it has its size, its pages, its permissions and its content; `linkat` then gives the name in one exclusive step. A
//! creator that is killed on the way leaves nothing behind.
//!
//! The pages are reserved at once: a full `/dev/shm` is an error here, and not a signal at some later store. The last page reserved also sets the
//! size, so that an object which grows does so in one step. Who fails half-way gives back what was reserved, and must not take with it what another process
//! has added meanwhile: sizes are changed under a lock of the object ([`SizeLock`]).
//!
//! [open(2)](https://man7.org/linux/man-pages/man2/open.2.html), [linkat(2)](https://man7.org/linux/man-pages/man2/linkat.2.html),
//! [fallocate(2)](https://man7.org/linux/man-pages/man2/fallocate.2.html)

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::errno::Errno;

use super::{Access, room};
use crate::descriptor::{c_path, open_raw, reopen, set_permissions, status};
use crate::error::{Context, Error, Result, check, human_size};
use crate::name::{self, Identity, OwnedName};
use crate::wait::Deadline;

/// Where glibc and musl keep POSIX shared memory and named semaphores.
pub(crate) const DIRECTORY: &str = "/dev/shm";

/// How much is reserved per call. fallocate starts over when a signal interrupts it, so a large piece under a storm of signals never ends.
const PIECE: u64 = 1 << 20;
/// What a piece shrinks to when signals keep coming.
const SMALLEST_PIECE: u64 = 4096;

/// A file that has no name yet.
#[derive(Debug)]
pub(crate) struct Draft {
    descriptor: OwnedFd,
    /// Where there are no nameless files: the name for the time being. It goes when the draft goes, published or not.
    name_for_now: Option<OwnedName>,
}

impl Draft {
    /// Makes a file of `size` zero bytes with exactly these permissions; `reserve` sees to it that there is room for every byte.
    pub(crate) fn create(
        operation: &'static str,
        directory: &str,
        size: usize,
        mode: u32,
        group: Option<u32>,
        reserve: bool,
    ) -> Result<Draft> {
        let draft = Draft::without_size(directory)
            .map_err(|errno| Error::os(operation, errno).hint(format!("no file can be made in {directory}")))?;
        set_permissions(draft.descriptor(), mode, group).map_err(|errno| explain_permissions(operation, errno, group))?;
        // Nobody else knows it yet.
        set_size(operation, draft.descriptor(), 0, size, reserve, true)?;
        Ok(draft)
    }

    fn without_size(directory: &str) -> std::result::Result<Draft, Errno> {
        match open_raw(directory, libc::O_TMPFILE | libc::O_RDWR, 0o600) {
            // O_TMPFILE contains O_DIRECTORY: an old kernel or file system takes it for an attempt to write a directory.
            Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::ENOSYS) => Draft::with_temporary_name(directory),
            Err(errno) => Err(errno),
            // Without /proc a nameless file could never get a name.
            Ok(descriptor) if name::status(link_to(descriptor.as_fd())).is_err() => Draft::with_temporary_name(directory),
            Ok(descriptor) => Ok(Draft { descriptor, name_for_now: None }),
        }
    }

    fn with_temporary_name(directory: &str) -> std::result::Result<Draft, Errno> {
        loop {
            let path = format!("{directory}/.unipc-{}", unusual_suffix());
            match open_raw(&path, libc::O_CREAT | libc::O_EXCL | libc::O_RDWR | libc::O_NOFOLLOW, 0o600) {
                Ok(descriptor) => {
                    let identity = Identity::of(&status(descriptor.as_fd())?);
                    return Ok(Draft { descriptor, name_for_now: Some(OwnedName::new(path, identity)) });
                }
                Err(Errno::EEXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// The open file.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// What tells this file from others of the same name.
    pub(crate) fn identity(&self) -> std::result::Result<Identity, Errno> {
        Ok(Identity::of(&status(self.descriptor())?))
    }

    /// Gives the file its name, exclusively: `EEXIST` if it is taken, and the draft can try another.
    pub(crate) fn publish(&self, path: impl AsRef<OsStr>) -> std::result::Result<(), Errno> {
        let from = match &self.name_for_now {
            Some(name) => c_path(name.path())?,
            None => c_path(link_to(self.descriptor()))?,
        };
        let to = c_path(path)?;
        // SAFETY: both paths are NUL-terminated and live through the call.
        check(unsafe { libc::linkat(libc::AT_FDCWD, from.as_ptr(), libc::AT_FDCWD, to.as_ptr(), libc::AT_SYMLINK_FOLLOW) })?;
        Ok(())
    }

    /// The open file, and no draft any more.
    pub(crate) fn into_descriptor(self) -> OwnedFd {
        self.descriptor
    }
}

/// The link that the kernel keeps for an open file, also for a nameless one.
fn link_to(descriptor: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", descriptor.as_raw_fd())
}

#[cold]
fn explain_permissions(operation: &'static str, errno: Errno, group: Option<u32>) -> Error {
    let error = Error::os(operation, errno);
    match group {
        Some(group) if errno == Errno::EPERM => error.hint(format!("we are no member of group {group}")),
        _ => error,
    }
}

/// A suffix that no other process and no other call of this one is likely to use; the name is taken exclusively all the same.
pub(crate) fn unusual_suffix() -> String {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    format!("{:x}-{:x}-{:x}", std::process::id(), crate::wait::now(), call)
}

/// The right to change the size of an object, which one has at a time, until it is dropped.
///
/// It is a lock of an open file description, on a byte behind the end of every object, where nobody else locks who does not lock the whole; and on a
/// description of its own, since children made by `fork` share the object's. Where there can be none (another user's object that was received, no
/// `/proc`, no descriptor left), the object's own has to do.
#[derive(Debug)]
pub(super) struct SizeLock<'a> {
    given: BorrowedFd<'a>,
    own: Option<OwnedFd>,
    is_held: bool,
}

/// How long one waits for others who change the size.
const SIZE_PATIENCE: Duration = Duration::from_secs(10);

impl<'a> SizeLock<'a> {
    /// Takes the lock of an object that is open for writing. `EBUSY` if somebody else keeps it for 10 s.
    pub(super) fn take(operation: &'static str, descriptor: BorrowedFd<'a>) -> Result<SizeLock<'a>> {
        let own = reopen(descriptor, libc::O_RDWR | libc::O_NOCTTY).ok();
        let mut lock = SizeLock { given: descriptor, own, is_held: false };
        let mut deadline = Deadline::new(operation, SIZE_PATIENCE);
        loop {
            match lock.ask(libc::F_OFD_SETLK, libc::F_WRLCK) {
                Ok(_) => {
                    lock.is_held = true;
                    return Ok(lock);
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN | Errno::EACCES) if lock.is_another_ones() => {
                    if deadline.pause().is_err() {
                        return Err(
                            Error::os(operation, Errno::EBUSY).hint("another process is changing the size of the object and does not end")
                        );
                    }
                }
                // Whoever has locked the whole object sees to it; or the file system has no locks.
                Err(_) => return Ok(lock),
            }
        }
    }

    /// Whether nobody else can be changing the size who asks as we do: then what was reserved can be given back.
    pub(super) fn is_exclusive(&self) -> bool {
        self.is_held && self.own.is_some()
    }

    /// Whether it is held for a change of size, or was a moment ago, and not by a lock of the whole.
    fn is_another_ones(&self) -> bool {
        match self.ask(libc::F_OFD_GETLK, libc::F_WRLCK) {
            Ok(found) => libc::c_int::from(found.l_type) == libc::F_UNLCK || (found.l_start == LOCKED_BYTE && found.l_len == 1),
            Err(_) => false,
        }
    }

    fn ask(&self, command: libc::c_int, kind: libc::c_int) -> std::result::Result<libc::flock, Errno> {
        let descriptor = self.own.as_ref().map_or(self.given, AsFd::as_fd);
        // SAFETY: zero bytes are a valid flock.
        let mut range: libc::flock = unsafe { std::mem::zeroed() };
        range.l_type = kind as libc::c_short;
        range.l_whence = libc::SEEK_SET as libc::c_short;
        (range.l_start, range.l_len) = (LOCKED_BYTE, 1);
        // SAFETY: the range is valid to read and write.
        check(unsafe { libc::fcntl(descriptor.as_raw_fd(), command, &raw mut range) })?;
        Ok(range)
    }
}

impl Drop for SizeLock<'_> {
    fn drop(&mut self) {
        if self.is_held {
            // Closing alone would leave it to a child that another thread has forked meanwhile.
            let _ = self.ask(libc::F_OFD_SETLK, libc::F_UNLCK);
        }
    }
}

const LOCKED_BYTE: libc::off_t = libc::off_t::MAX - 1;

/// Makes the object `size` bytes large, which was `old` bytes; `reserve` sees to it that there is room for every byte that is added.
///
/// On failure the size is what it was, and if the caller has the object for itself, so is the room. `ENOSPC` and `ENOMEM` say how much is left.
pub(crate) fn set_size(
    operation: &'static str,
    descriptor: BorrowedFd<'_>,
    old: u64,
    size: usize,
    reserve: bool,
    is_exclusive: bool,
) -> Result<()> {
    let length = libc::off_t::try_from(size).map_err(|_| too_large(operation, size))?;
    let wanted = size as u64;
    if reserve && wanted > old {
        room::require(operation, descriptor, wanted - old)?;
        match grow_in_pieces(descriptor, old, wanted) {
            Ok(()) => return Ok(()),
            // A file system that cannot reserve cannot be asked to.
            Err(Errno::EOPNOTSUPP) => {}
            Err(errno) => {
                if is_exclusive {
                    give_back(descriptor, old, old);
                }
                return Err(explain_size(operation, descriptor, errno, wanted - old));
            }
        }
    }
    truncate(descriptor, length).map_err(|errno| explain_size(operation, descriptor, errno, wanted))
}

fn truncate(descriptor: BorrowedFd<'_>, length: libc::off_t) -> std::result::Result<(), Errno> {
    loop {
        // SAFETY: ftruncate takes integers.
        match check(unsafe { libc::ftruncate(descriptor.as_raw_fd(), length) }) {
            Err(Errno::EINTR) => {}
            other => return other.map(drop),
        }
    }
}

/// Reserves behind the end of the file; only the last piece changes its size.
fn grow_in_pieces(descriptor: BorrowedFd<'_>, from: u64, to: u64) -> std::result::Result<(), Errno> {
    let (mut at, mut piece) = (from, PIECE);
    while at < to {
        let length = piece.min(to - at);
        let flags = if at + length == to { 0 } else { libc::FALLOC_FL_KEEP_SIZE };
        // SAFETY: fallocate takes integers.
        match check(unsafe { libc::fallocate(descriptor.as_raw_fd(), flags, at as libc::off_t, length as libc::off_t) }) {
            Ok(_) => at += length,
            // A single page is never interrupted for ever.
            Err(Errno::EINTR) => piece = (piece / 2).max(SMALLEST_PIECE),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Frees what was reserved behind `old` bytes, unless somebody who does not ask for the lock has changed the size from `now` meanwhile.
pub(super) fn give_back(descriptor: BorrowedFd<'_>, now: u64, old: u64) {
    if status(descriptor).is_ok_and(|status| status.st_size as u64 == now) {
        // Nobody is to be told: the failure that led here is.
        let _ = truncate(descriptor, old as libc::off_t);
    }
}

fn too_large(operation: &'static str, size: usize) -> Error {
    Error::os(operation, Errno::EINVAL).hint(format!("{size} bytes are more than any object can have"))
}

#[cold]
fn explain_size(operation: &'static str, descriptor: BorrowedFd<'_>, errno: Errno, needed: u64) -> Error {
    match errno {
        Errno::ENOSPC => room::no_space(operation, descriptor, needed),
        // A sealed memory, for instance: the size is not the trouble.
        Errno::EPERM => Error::os(operation, errno).hint("the size of the object may not be changed"),
        _ => Error::os(operation, errno).hint(format!("{} were asked for", human_size(needed))),
    }
}

/// Opens an object by its path: a regular file, not through a link, and not a stranger's.
pub(crate) fn open_object(
    operation: &'static str,
    path: &str,
    name: &str,
    access: Access,
    any_owner: bool,
) -> Result<(OwnedFd, libc::stat)> {
    let mode = match access {
        Access::ReadWrite => libc::O_RDWR,
        Access::ReadOnly | Access::CopyOnWrite => libc::O_RDONLY,
    };
    // O_NONBLOCK: a FIFO that somebody planted under the name does not hold us up.
    let descriptor = match open_raw(path, mode | libc::O_NOFOLLOW | libc::O_NONBLOCK, 0) {
        Ok(descriptor) => descriptor,
        Err(errno) => return Err(explain_open(operation, path, name, errno)),
    };
    let status = status(descriptor.as_fd()).during_on(operation, name)?;
    if name::kind(&status) != libc::S_IFREG {
        return Err(name::wrong_kind(operation, name, "a regular file", &status));
    }
    name::trust_owner(operation, name, status.st_uid, any_owner)?;
    Ok((descriptor, status))
}

/// A directory or link under the name is told as such, not as EISDIR and ELOOP alone.
#[cold]
fn explain_open(operation: &'static str, path: &str, name: &str, errno: Errno) -> Error {
    match name::status(path) {
        Ok(status) if name::kind(&status) != libc::S_IFREG => name::wrong_kind(operation, name, "a regular file", &status),
        Ok(status) if errno == Errno::EACCES => {
            let remedy = format!("it belongs to user {} and has mode {:#o}", status.st_uid, status.st_mode & 0o7777);
            Error::os(operation, errno).on(name).hint(remedy)
        }
        _ => Error::os(operation, errno).on(name),
    }
}
