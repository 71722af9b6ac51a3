//! Locks on files: who may use what at a time, kept by the kernel and dropped by it when the holder dies.
//!
//! They are advisory: they bind who asks for one, and nobody else. The three kinds differ in who holds the lock, and so in what loses it:
//!
//! | | [`LockKind::Ofd`] | [`LockKind::Flock`] | [`LockKind::Record`] |
//! |---|---|---|---|
//! | the holder | the open file | the open file | the process |
//! | what of | ranges | the whole file | ranges |
//! | `close` of another descriptor of the same file | nothing | nothing | **loses every lock of the process on the file** |
//! | `dup` | shares the lock | shares the lock | the same process |
//! | `fork` | the child shares the lock | the child shares the lock | the child has none |
//! | threads, each with a handle of its own | kept apart | kept apart | not kept apart |
//! | upgrade | atomic | lets others in between | atomic |
//! | a circle of plain waits | hangs | hangs | `EDEADLK` |
//! | who holds it | mode and range, no process | process, from `/proc/locks` | process, mode and range |
//! | exclusive takes | a file open to write | any | a file open to write |
//! | meets | record and OFD locks | flocks | record and OFD locks |
//!
//! Choose OFD locks; a flock where the other side is `flock(1)`; record locks where the other side uses `fcntl` *and* wants to know the process.
//!
//! A process number means something within one pid namespace. Of a holder in another one that is not below ours the kernel gives 0 for a record lock and nothing at
//! all for a flock, unless `/proc` is that of an outer namespace: then its number is a foreign one. [`LockHolder::process`] is `None` then, and a flock that `/proc`
//! does not show is not told.
//!
//! The race is in removing: who unlinks a lock file while another has it open leaves that one with a lock on a file that nobody else will find. A lock
//! file stays. And what was read before the lock was held may be old: lock first, then read.
//!
//! The kernel gives none of these waits a limit. A wait for ever without a token is one blocking call, served in order; any other probes, from every
//! 50 µs to every 10 ms, and so may be overtaken.
//!
//! [fcntl_locking(2)](https://man7.org/linux/man-pages/man2/fcntl_locking.2.html), [flock(2)](https://man7.org/linux/man-pages/man2/flock.2.html),
//! [proc_locks(5)](https://man7.org/linux/man-pages/man5/proc_locks.5.html)

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;

use crate::descriptor::{close_on_exec, open_raw, set_permissions, status};
use crate::error::{Context, Error, Failure, Result, check};
use crate::name;
use crate::process::{self, Birth};
use crate::wait::{Deadline, Wait};

const LOCK: &str = "lock file";
const UPGRADE: &str = "upgrade file lock";
const DOWNGRADE: &str = "downgrade file lock";
const UNLOCK: &str = "unlock file";
const HOLDER: &str = "find holder of file lock";

/// The last byte that a file can have; a lock to it is one to the end, however the file grows.
const LAST_BYTE: u64 = i64::MAX as u64;

/// Which of the kernel's locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LockKind {
    /// A lock of the open file, on ranges: `F_OFD_SETLK`.
    #[default]
    Ofd,
    /// A lock of the open file, on the whole of it: `flock`.
    Flock,
    /// A lock of the process, on ranges: `F_SETLK`.
    Record,
}

/// Whether others may hold it as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LockMode {
    /// One holder.
    #[default]
    Exclusive,
    /// Any number of holders, all of them shared.
    Shared,
}

/// The bytes that a lock is on. There need be none: a lock beyond the end of a file is a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LockRange {
    /// The first byte.
    pub start: u64,
    /// How many; 0 is all from the start, however the file grows.
    pub length: u64,
}

impl LockRange {
    /// The whole file.
    pub const WHOLE: LockRange = LockRange { start: 0, length: 0 };
}

/// A lock that is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockHolder {
    /// The process, where the kernel tells: not for OFD locks, which may be of several, and not for one in another pid namespace that is not below
    /// ours. The process that took a flock may have ended since, and left it to a child.
    pub process: Option<i32>,
    /// How it is held.
    pub mode: LockMode,
    /// The bytes that it is on.
    pub range: LockRange,
}

/// How a file is opened to be locked.
#[derive(Debug, Clone, Default)]
pub struct FileLockOptions {
    /// Which of the kernel's locks.
    pub kind: LockKind,
    /// Open it to read only: enough for a flock, and for the shared mode of the others.
    pub read_only: bool,
    /// Create: the permissions, set whatever the umask says; 0 is 0600.
    pub mode: u32,
    /// Create: the group, by name or number.
    pub group: Option<String>,
    /// Open: accept a file of a user other than oneself and root.
    pub any_owner: bool,
}

/// A file, opened to be locked. It costs one descriptor. Dropping it gives back what it holds.
///
/// Threads that are to keep each other out have each a handle of its own: to lock through one handle twice changes its lock, and does not wait for it.
/// After `fork` the child's copy is the same holder (but for [`LockKind::Record`]): an [`unlock`](FileLock::unlock) there unlocks for the parent; a guard
/// dropped there, or the handle, does not.
///
/// ```
/// use unipc::file::lock::{FileLock, FileLockOptions, LockMode};
/// # let path = std::env::temp_dir().join(format!("unipc-doc-lock-{}", std::process::id()));
/// # let path = path.to_str().unwrap();
/// let file = FileLock::open_or_create(path, &FileLockOptions::default())?;
/// let guard = file.lock(LockMode::Exclusive, None)?;
/// // ... read and write what the file stands for
/// drop(guard);
/// # std::fs::remove_file(path).unwrap();
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Debug)]
pub struct FileLock {
    descriptor: OwnedFd,
    kind: LockKind,
    path: Option<String>,
}

impl FileLock {
    /// Opens a regular file that exists. Symbolic links at the end of the path are not followed.
    ///
    /// Errors: `ENOENT`, `EACCES`; `EPERM` for a file of another user; `ELOOP`; [`Failure::WrongKind`] for what is no regular file.
    pub fn open(path: &str, options: &FileLockOptions) -> Result<FileLock> {
        open("open file to lock", path, options)
    }

    /// As [`FileLock::open`], and makes an empty file if there is none.
    pub fn open_or_create(path: &str, options: &FileLockOptions) -> Result<FileLock> {
        FileLock::open_or_create_by("open or create file to lock", path, options)
    }

    /// [`FileLock::open_or_create`] as a part of another operation.
    pub(super) fn open_or_create_by(operation: &'static str, path: &str, options: &FileLockOptions) -> Result<FileLock> {
        let mode = name::permissions(operation, options.mode)?;
        let group = options.group.as_deref().map(|group| name::group(operation, group)).transpose()?;
        loop {
            match open(operation, path, options) {
                Err(error) if error.is(Errno::ENOENT) => {}
                other => return other,
            }
            // Not more than the owner's rights until the group is right.
            match open_raw(path, access(options) | libc::O_CREAT | libc::O_EXCL, 0o600) {
                Ok(descriptor) => {
                    set_permissions(descriptor.as_fd(), mode, group).map_err(|errno| {
                        let _ = name::unlink(path);
                        Error::os(operation, errno).on(path)
                    })?;
                    return Ok(FileLock { descriptor, kind: options.kind, path: Some(path.to_owned()) });
                }
                // Another process was faster.
                Err(Errno::EEXIST) => {}
                Err(errno) => return Err(Error::os(operation, errno).on(path)),
            }
        }
    }

    /// Takes over a descriptor of a file, of whatever kind the kernel locks: also a directory, for a flock. What is refused is given back.
    ///
    /// The lock is that of the descriptor's open file, and shared with its other descriptors, unless the kind is [`LockKind::Record`].
    pub fn adopt(descriptor: OwnedFd, kind: LockKind) -> std::result::Result<FileLock, (OwnedFd, Error)> {
        match close_on_exec(descriptor.as_fd()).during("adopt file to lock") {
            Ok(()) => Ok(FileLock { descriptor, kind, path: None }),
            Err(error) => Err((descriptor, error)),
        }
    }

    /// Which of the kernel's locks it takes.
    pub fn kind(&self) -> LockKind {
        self.kind
    }

    /// Locks the whole file. Errors as [`FileLock::acquire`].
    pub fn lock<'a>(&self, mode: LockMode, wait: impl Into<Wait<'a>>) -> Result<FileGuard<'_>> {
        self.lock_range(mode, LockRange::WHOLE, wait)
    }

    /// Locks a range. Errors as [`FileLock::acquire`].
    pub fn lock_range<'a>(&self, mode: LockMode, range: LockRange, wait: impl Into<Wait<'a>>) -> Result<FileGuard<'_>> {
        self.acquire(mode, range, wait)?;
        Ok(FileGuard { lock: self, range, mode: Some(mode), birth: Birth::now() })
    }

    /// Locks a range without a guard: until [`FileLock::unlock`], or the end of the handle. What this handle holds in the range it converts, and
    /// neighbouring ranges of one mode become one.
    ///
    /// Errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` while another holds it (see [`Wait`]); `EDEADLK`: record locks of processes that wait for each other, in
    /// a plain wait; `EBADF`: exclusive, but not open to write; `EINVAL`: a range beyond what a file can have, or of a flock; `ENOLCK`: the system's
    /// table of locks is full, or the file system has none.
    pub fn acquire<'a>(&self, mode: LockMode, range: LockRange, wait: impl Into<Wait<'a>>) -> Result<()> {
        self.take(LOCK, mode, range, wait.into())
    }

    /// Gives a range back, or a part of one. What is not held is no error.
    pub fn unlock(&self, range: LockRange) -> Result<()> {
        self.attempt(UNLOCK, libc::F_UNLCK, range, false)?.map_err(|errno| self.explain(UNLOCK, None, errno))
    }

    /// Makes a shared lock exclusive, and waits until the other sharers have gone. One that is exclusive already stays so.
    ///
    /// Errors as [`FileLock::acquire`]; `EPERM` if not all of the range is held, and nothing is locked then. (That the kernel tells in `/proc`; where it
    /// is missing, the caller is believed, and the range is locked.)
    ///
    /// OFD and record locks keep the shared lock meanwhile, and when it fails. Two that upgrade at once wait for each other, so give it a limit: one of
    /// them then has to let go. A flock is given back first: others may have changed the file before the exclusive lock is there, so read it again; and
    /// when it fails, the shared lock is taken again, or the error is `ENOLCK`: nothing is held any more.
    pub fn upgrade<'a>(&self, range: LockRange, wait: impl Into<Wait<'a>>) -> Result<()> {
        self.require_held(UPGRADE, range)?;
        let failed = match self.take(UPGRADE, LockMode::Exclusive, range, wait.into()) {
            Err(error) if self.kind == LockKind::Flock && error.is_end_of_wait() => error,
            other => return other,
        };
        match self.take(UPGRADE, LockMode::Shared, range, Wait::NEVER) {
            Ok(()) => Err(failed),
            Err(_) => Err(self.error(UPGRADE, Errno::ENOLCK).hint("another took the file meanwhile: the shared lock is lost")),
        }
    }

    /// Makes an exclusive lock shared; it does not wait, and lets nobody write in between. One that is shared already stays so. `EPERM` if not all of the
    /// range is held, as [`FileLock::upgrade`].
    pub fn downgrade(&self, range: LockRange) -> Result<()> {
        self.require_held(DOWNGRADE, range)?;
        self.take(DOWNGRADE, LockMode::Shared, range, Wait::NEVER)
    }

    /// A lock of others that keeps this handle from locking the range in this mode; `None` if nothing does. It may be gone when this returns.
    ///
    /// [`Failure::Unavailable`] for a flock without `/proc/locks`. `None` also for a flock that `/proc/locks` does not show: on file systems whose device
    /// numbers differ there (btrfs, some overlays), and of a process in a pid namespace that is not below ours. Only a try tells for sure.
    pub fn find_holder(&self, mode: LockMode, range: LockRange) -> Result<Option<LockHolder>> {
        let mut request = self.request(HOLDER, fcntl_type(mode), range)?;
        let command = match self.kind {
            LockKind::Ofd => libc::F_OFD_GETLK,
            LockKind::Record => libc::F_GETLK,
            LockKind::Flock => return self.holder_of_flock(mode),
        };
        // SAFETY: the request is a valid flock structure to read and write.
        check(unsafe { libc::fcntl(self.descriptor.as_raw_fd(), command, &mut request) })
            .map_err(|errno| self.explain(HOLDER, Some(mode), errno))?;
        let mode = match libc::c_int::from(request.l_type) {
            libc::F_UNLCK => return Ok(None),
            libc::F_RDLCK => LockMode::Shared,
            _ => LockMode::Exclusive,
        };
        let range = LockRange { start: request.l_start as u64, length: request.l_len as u64 };
        Ok(Some(LockHolder { process: (request.l_pid > 0).then_some(request.l_pid), mode, range }))
    }

    fn take(&self, operation: &'static str, mode: LockMode, range: LockRange, wait: Wait<'_>) -> Result<()> {
        self.acquire_by(operation, mode, range, &mut Deadline::new(operation, wait))
    }

    /// [`FileLock::acquire`] as a part of another operation.
    pub(super) fn acquire_by(&self, operation: &'static str, mode: LockMode, range: LockRange, deadline: &mut Deadline<'_>) -> Result<()> {
        loop {
            match self.attempt(operation, fcntl_type(mode), range, deadline.is_plain())? {
                Ok(()) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) if !deadline.is_plain() => deadline.pause().map_err(|error| self.named(error))?,
                Err(errno) => return Err(self.explain(operation, Some(mode), errno)),
            }
        }
    }

    /// One system call.
    fn attempt(
        &self,
        operation: &'static str,
        what: libc::c_int,
        range: LockRange,
        blocks: bool,
    ) -> Result<std::result::Result<(), Errno>> {
        let request = self.request(operation, what, range)?;
        let descriptor = self.descriptor.as_raw_fd();
        let result = match self.kind {
            LockKind::Flock => {
                let how = match what {
                    libc::F_UNLCK => libc::LOCK_UN,
                    libc::F_RDLCK => libc::LOCK_SH,
                    _ => libc::LOCK_EX,
                };
                // SAFETY: flock takes integers.
                unsafe { libc::flock(descriptor, if blocks { how } else { how | libc::LOCK_NB }) }
            }
            LockKind::Ofd | LockKind::Record => {
                let command = match (self.kind, blocks) {
                    (LockKind::Ofd, false) => libc::F_OFD_SETLK,
                    (LockKind::Ofd, true) => libc::F_OFD_SETLKW,
                    (_, false) => libc::F_SETLK,
                    (_, true) => libc::F_SETLKW,
                };
                // SAFETY: the request is a valid flock structure to read.
                unsafe { libc::fcntl(descriptor, command, &request) }
            }
        };
        Ok(check(result).map(|_| ()))
    }

    fn request(&self, operation: &'static str, what: libc::c_int, range: LockRange) -> Result<libc::flock> {
        if self.kind == LockKind::Flock && range != LockRange::WHOLE {
            return Err(self.error(operation, Errno::EINVAL).hint("a flock is on the whole file; take an OFD lock for a range"));
        }
        let (start, length) = (libc::off_t::try_from(range.start), libc::off_t::try_from(range.length));
        let (Ok(start), Ok(length)) = (start, length) else { return Err(self.beyond(operation)) };
        // The last byte of the largest file is number off_t::MAX.
        if length > 0 && start.checked_add(length - 1).is_none() {
            return Err(self.beyond(operation));
        }
        // SAFETY: a structure of integers, of which all zero is a valid one.
        let mut request: libc::flock = unsafe { std::mem::zeroed() };
        request.l_type = what as libc::c_short;
        request.l_whence = libc::SEEK_SET as libc::c_short;
        request.l_start = start;
        request.l_len = length;
        Ok(request)
    }

    /// `EPERM` unless all of the range is held, in whatever mode: the kernel locks and converts by one call, and does not say which it did.
    fn require_held(&self, operation: &'static str, range: LockRange) -> Result<()> {
        let request = self.request(operation, libc::F_UNLCK, range)?;
        let last = if request.l_len == 0 { LAST_BYTE } else { range.start + (range.length - 1) };
        // Who cannot ask believes the caller.
        let is_held = self.held().map_or(true, |held| covers(held, range.start, last));
        if is_held { Ok(()) } else { Err(self.error(operation, Errno::EPERM).hint("not all of it is held")) }
    }

    /// The first and the last bytes of the locks that this handle holds, as `/proc/self/fdinfo` tells them.
    fn held(&self) -> std::io::Result<Vec<(u64, u64)>> {
        let (kind, numbers) = match self.kind {
            LockKind::Ofd => ("OFDLCK", vec![self.descriptor.as_raw_fd()]),
            LockKind::Flock => ("FLOCK", vec![self.descriptor.as_raw_fd()]),
            // The process holds them, and each is told with the descriptor that the first of its bytes were locked by.
            LockKind::Record => ("POSIX", self.all_of_this_file()?),
        };
        let mut held = Vec::new();
        for number in numbers {
            match std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")) {
                Ok(told) => held.extend(told.lines().filter_map(|line| held_line(line, kind))),
                // Another thread has closed it since.
                Err(_) if number != self.descriptor.as_raw_fd() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(held)
    }

    /// All descriptors of this process that have this file open.
    fn all_of_this_file(&self) -> std::io::Result<Vec<RawFd>> {
        let identity = |path: &str| std::fs::metadata(path).map(|found| (found.dev(), found.ino()));
        let own = identity(&format!("/proc/self/fd/{}", self.descriptor.as_raw_fd()))?;
        let numbers = std::fs::read_dir("/proc/self/fd")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        Ok(numbers.filter(|number: &RawFd| identity(&format!("/proc/self/fd/{number}")).is_ok_and(|found| found == own)).collect())
    }

    /// What `/proc/locks` tells of others' flocks on this file; our own are those of `/proc/self/fdinfo`.
    fn holder_of_flock(&self, mode: LockMode) -> Result<Option<LockHolder>> {
        let unavailable = |_| self.named(Error::failure(HOLDER, Failure::Unavailable)).hint("/proc/locks cannot be read");
        let status = status(self.descriptor.as_fd()).map_err(|errno| self.error(HOLDER, errno))?;
        let file = format!("{:02x}:{:02x}:{}", libc::major(status.st_dev), libc::minor(status.st_dev), status.st_ino);
        let own = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", self.descriptor.as_raw_fd())).map_err(unavailable)?;
        let all = std::fs::read_to_string("/proc/locks").map_err(unavailable)?;
        let own: Option<(LockMode, i32)> =
            own.lines().filter_map(|line| line.strip_prefix("lock:")).find_map(|line| flock_line(line, None));
        let is_ours = process::procfs_is_of_our_namespace();
        let mut skipped = false;
        for found in all.lines().filter_map(|line| flock_line(line, Some(&file))) {
            // Other descriptions of this process have lines that look the same: of all these one is ours.
            if own == Some(found) && !skipped {
                skipped = true;
                continue;
            }
            let (held, process) = found;
            if mode == LockMode::Exclusive || held == LockMode::Exclusive {
                return Ok(Some(LockHolder { process: (is_ours && process > 0).then_some(process), mode: held, range: LockRange::WHOLE }));
            }
        }
        Ok(None)
    }

    #[cold]
    fn error(&self, operation: &'static str, errno: Errno) -> Error {
        self.named(Error::os(operation, errno))
    }

    #[cold]
    fn named(&self, error: Error) -> Error {
        match &self.path {
            Some(path) => error.on(path.as_str()),
            None => error,
        }
    }

    #[cold]
    fn beyond(&self, operation: &'static str) -> Error {
        self.error(operation, Errno::EINVAL).hint("a file has no byte beyond 2^63 - 1")
    }

    #[cold]
    fn explain(&self, operation: &'static str, mode: Option<LockMode>, errno: Errno) -> Error {
        let error = self.error(operation, errno);
        match (errno, mode) {
            (Errno::EBADF, Some(LockMode::Exclusive)) => error.hint("an exclusive lock takes a file that is open to write"),
            (Errno::EBADF, Some(LockMode::Shared)) => error.hint("a shared lock takes a file that is open to read"),
            (Errno::EDEADLK, _) => error.hint("the holder waits for a lock of this process"),
            (Errno::ENOLCK, _) => error.hint("the table of locks is full, or this file system has none"),
            _ => error,
        }
    }
}

impl AsFd for FileLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl From<FileLock> for OwnedFd {
    /// The locks stay, until the descriptor is closed.
    fn from(lock: FileLock) -> OwnedFd {
        lock.descriptor
    }
}

/// A held lock, given back when dropped; in a child made by `fork` it stays the parent's.
#[derive(Debug)]
#[must_use = "the lock is given back when the guard is dropped"]
pub struct FileGuard<'a> {
    lock: &'a FileLock,
    range: LockRange,
    mode: Option<LockMode>,
    birth: Birth,
}

impl FileGuard<'_> {
    /// How it is held; `None` after an upgrade of a flock that has lost it.
    pub fn mode(&self) -> Option<LockMode> {
        self.mode
    }

    /// See [`FileLock::upgrade`].
    pub fn upgrade<'a>(&mut self, wait: impl Into<Wait<'a>>) -> Result<()> {
        match self.lock.upgrade(self.range, wait) {
            Ok(()) => self.mode = Some(LockMode::Exclusive),
            Err(error) => {
                if self.lock.kind == LockKind::Flock && error.is(Errno::ENOLCK) {
                    self.mode = None;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// See [`FileLock::downgrade`].
    pub fn downgrade(&mut self) -> Result<()> {
        self.lock.downgrade(self.range)?;
        self.mode = Some(LockMode::Shared);
        Ok(())
    }
}

impl Drop for FileGuard<'_> {
    fn drop(&mut self) {
        if self.birth.is_here() {
            // To unlock what is open does not fail.
            let _ = self.lock.unlock(self.range);
        }
    }
}

fn fcntl_type(mode: LockMode) -> libc::c_int {
    match mode {
        LockMode::Exclusive => libc::F_WRLCK,
        LockMode::Shared => libc::F_RDLCK,
    }
}

fn access(options: &FileLockOptions) -> libc::c_int {
    if options.read_only { libc::O_RDONLY } else { libc::O_RDWR }
}

fn open(operation: &'static str, path: &str, options: &FileLockOptions) -> Result<FileLock> {
    name::path(operation, path, libc::PATH_MAX as usize - 1)?;
    // Not blocking, or a FIFO would wait for its other side.
    let descriptor = match open_raw(path, access(options) | libc::O_NOFOLLOW | libc::O_NONBLOCK, 0) {
        Ok(descriptor) => descriptor,
        // What a directory, a socket, or a FIFO say to it.
        Err(errno @ (Errno::EISDIR | Errno::ENXIO | Errno::ELOOP)) => {
            return Err(match name::status(path) {
                Ok(found) if name::kind(&found) != libc::S_IFREG => name::wrong_kind(operation, path, "a regular file", &found),
                _ => Error::os(operation, errno).on(path),
            });
        }
        Err(errno @ Errno::EACCES) if !options.read_only => {
            return Err(Error::os(operation, errno).on(path).hint("a shared lock, and a flock, take a file that is open to read only"));
        }
        Err(errno) => return Err(Error::os(operation, errno).on(path)),
    };
    let found = status(descriptor.as_fd()).during_on(operation, path)?;
    if name::kind(&found) != libc::S_IFREG {
        return Err(name::wrong_kind(operation, path, "a regular file", &found));
    }
    name::trust_owner(operation, path, found.st_uid, options.any_owner)?;
    crate::descriptor::make_blocking(descriptor.as_fd()).during_on(operation, path)?;
    Ok(FileLock { descriptor, kind: options.kind, path: Some(path.to_owned()) })
}

/// Mode and process of a flock in a line of `/proc/locks`: `1: FLOCK ADVISORY WRITE 711 08:01:4711 0 EOF`. Who waits for it is marked by an arrow.
fn flock_line(line: &str, file: Option<&str>) -> Option<(LockMode, i32)> {
    let mut words = line.split_ascii_whitespace().skip(1);
    if words.next() != Some("FLOCK") {
        return None;
    }
    let mode = match words.nth(1)? {
        "READ" => LockMode::Shared,
        "WRITE" => LockMode::Exclusive,
        _ => return None,
    };
    let process = words.next()?.parse().ok()?;
    let on = words.next()?;
    file.is_none_or(|file| file == on).then_some((mode, process))
}

/// First and last byte in a line of `/proc/self/fdinfo`: `lock:\t1: OFDLCK ADVISORY  WRITE -1 08:01:4711 0 EOF`.
fn held_line(line: &str, kind: &str) -> Option<(u64, u64)> {
    let mut words = line.strip_prefix("lock:")?.split_ascii_whitespace().skip(1);
    if words.next() != Some(kind) {
        return None;
    }
    let (first, last) = (words.nth(4)?.parse().ok()?, words.next()?);
    Some((first, if last == "EOF" { LAST_BYTE } else { last.parse().ok()? }))
}

/// Whether the pieces together have every byte from the first to the last.
fn covers(mut pieces: Vec<(u64, u64)>, first: u64, last: u64) -> bool {
    pieces.sort_unstable();
    let mut missing = first;
    for (start, end) in pieces {
        match end {
            _ if start > missing => return false,
            end if end >= last => return true,
            end if end >= missing => missing = end + 1,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_read_from_a_line() {
        assert_eq!(held_line("lock:\t1: OFDLCK ADVISORY  WRITE -1 08:01:4711 10 19", "OFDLCK"), Some((10, 19)));
        assert_eq!(held_line("lock:\t2: POSIX  ADVISORY  READ 711 fe:01:4711 0 EOF", "POSIX"), Some((0, LAST_BYTE)));
        assert_eq!(held_line("lock:\t1: FLOCK  ADVISORY  READ 711 08:01:4711 0 EOF", "POSIX"), None);
        assert_eq!(held_line("pos:\t0", "FLOCK"), None);
    }

    #[test]
    fn pieces_cover_what_lies_in_them_without_a_gap() {
        assert!(covers(vec![(10, 19), (0, 9)], 0, 19) && covers(vec![(0, 5), (2, 9)], 3, 9) && covers(vec![(0, LAST_BYTE)], 7, LAST_BYTE));
        assert!(
            !covers(vec![], 0, 0) && !covers(vec![(0, 8), (10, 19)], 0, 19) && !covers(vec![(0, 8)], 0, 9) && !covers(vec![(1, 9)], 0, 9)
        );
        assert!(covers(vec![(0, 0), (3, 3)], 3, 3));
    }
}
