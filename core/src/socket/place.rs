//! Paths of Unix sockets: published, reclaimed and never stolen.
//!
//! A path that a dead server left behind must be reclaimed, and that of a live one never: whoever wants to reclaim asks the kernel first, under a
//! lock of the directory, and compares the inode before unlinking. And the path that is removed at the end must still be one's own.
//!
//! A socket that listens is bound under a temporary name and linked into its place when it is complete. A datagram socket cannot: receivers see the name
//! that it was bound under, and would answer there. It is bound in its place, with no more permissions than it is to have, under the same lock: between
//! the moment that the path appears and the moment that the kernel knows whose it is, a reclaimer would take it for dead.
//!
//! [unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html), [flock(2)](https://man7.org/linux/man-pages/man2/flock.2.html)

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;

use super::address::{LONGEST_PATH, of_bytes};
use super::connecting::connect_once;
use crate::descriptor::{c_path, open_raw};
use crate::error::{Context, Error, Result, check};
use crate::memory::publish::unusual_suffix;
use crate::name::{self, Identity, OwnedName};
use crate::wait::Deadline;

/// How long a reclaimer waits for another one in the same directory.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// The directory and the name in it, pinned, so that a long directory does not matter to the temporary name.
pub(crate) struct Place {
    operation: &'static str,
    directory: OwnedFd,
    directory_path: PathBuf,
    name: String,
}

/// The name that a socket is bound under until it listens; removed when dropped.
pub(crate) struct Draft<'a> {
    place: &'a Place,
    name: String,
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        let _ = self.place.unlink(&self.name);
    }
}

impl Place {
    pub(crate) fn of(operation: &'static str, path: &str) -> Result<Place> {
        let absolute = std::path::absolute(path).during_on(operation, path)?;
        let (Some(parent), Some(name)) = (absolute.parent(), Path::new(path).file_name().and_then(|name| name.to_str())) else {
            return Err(Error::os(operation, Errno::EINVAL).on(path).hint("a path ends in a name"));
        };
        if path.ends_with('/') {
            return Err(Error::os(operation, Errno::EINVAL).on(path).hint("a path ends in a name"));
        }
        let directory = open_raw(parent, libc::O_PATH | libc::O_DIRECTORY, 0)
            .map_err(|errno| Error::os(operation, errno).on(path).hint(format!("the directory {} cannot be used", parent.display())))?;
        Ok(Place { operation, directory, directory_path: parent.to_owned(), name: name.to_owned() })
    }

    /// The absolute path.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory_path.join(&self.name)
    }

    pub(crate) fn bind_for_now(&self, socket: BorrowedFd<'_>, path: &str) -> Result<Draft<'_>> {
        loop {
            let name = format!(".unipc-{}", unusual_suffix());
            let for_now = format!("/proc/self/fd/{}/{name}", self.directory.as_raw_fd());
            match bind(socket, &for_now) {
                Ok(()) => return Ok(Draft { place: self, name }),
                Err(Errno::EADDRINUSE) => {}
                Err(errno) => return Err(Error::os(self.operation, errno).on(path)),
            }
        }
    }

    /// The name is nobody else's, and until it listens nobody can connect: there is no hurry with the permissions.
    pub(crate) fn set_permissions(&self, draft: &Draft<'_>, mode: u32, group: Option<u32>) -> std::result::Result<(), Errno> {
        self.set_permissions_of(&draft.name, mode, group)
    }

    fn set_permissions_of(&self, name: &str, mode: u32, group: Option<u32>) -> std::result::Result<(), Errno> {
        let pinned = open_at(self.directory.as_fd(), name, libc::O_PATH | libc::O_NOFOLLOW)?;
        let link = c_path(format!("/proc/self/fd/{}", pinned.as_raw_fd()))?;
        let name = c_path(name)?;
        if let Some(group) = group {
            let flags = libc::AT_SYMLINK_NOFOLLOW;
            // SAFETY: the name is NUL-terminated and lives through the call; -1 leaves the owner as it is.
            check(unsafe { libc::fchownat(self.directory.as_raw_fd(), name.as_ptr(), libc::uid_t::MAX, group, flags) })?;
        }
        // Through the pin, since chmod follows links. SAFETY: as above.
        check(unsafe { libc::chmod(link.as_ptr(), mode as libc::mode_t) })?;
        Ok(())
    }

    /// Links the listening socket into its place, exclusively; a dead server's path is reclaimed.
    pub(crate) fn publish(&self, draft: &Draft<'_>, path: &str) -> Result<Identity> {
        let identity = Identity::of(&self.status(&draft.name).during_on(self.operation, path)?);
        loop {
            match self.link(&draft.name) {
                Ok(()) => return Ok(identity),
                Err(Errno::EEXIST) => self.reclaim(path)?,
                Err(errno) => return Err(Error::os(self.operation, errno).on(path)),
            }
        }
    }

    /// Binds a datagram socket in its place, exclusively; a dead one's path is reclaimed.
    ///
    /// The file gets the permissions of the socket's own inode, less those that the umask takes: never more than it is to have, and as long as it does not
    /// have its group, nothing for any.
    pub(crate) fn bind_here(&self, socket: BorrowedFd<'_>, path: &str, mode: u32, group: Option<u32>) -> Result<OwnedName> {
        let absolute = self.path();
        let length = absolute.as_os_str().len();
        if length > LONGEST_PATH {
            let remedy = format!("from the root the path has {length} bytes, the limit is {LONGEST_PATH}");
            return Err(Error::os(self.operation, Errno::ENAMETOOLONG).on(path).hint(remedy));
        }
        let first = if group.is_some() { mode & 0o700 } else { mode };
        // SAFETY: fchmod takes integers.
        check(unsafe { libc::fchmod(socket.as_raw_fd(), first as libc::mode_t) }).during_on(self.operation, path)?;
        self.refuse_if_alive(path)?;
        let _lock = self.lock(path)?;
        loop {
            match bind(socket, &absolute) {
                Ok(()) => break,
                Err(Errno::EADDRINUSE) => self.reclaim_locked(path)?,
                Err(errno) => return Err(Error::os(self.operation, errno).on(path)),
            }
        }
        let status = self.status(&self.name).during_on(self.operation, path)?;
        let name = OwnedName::new(absolute, Identity::of(&status));
        self.set_permissions_of(&self.name, mode, group).during_on(self.operation, path)?;
        Ok(name)
    }

    /// Removes the path if it is a socket that nobody answers on.
    fn reclaim(&self, path: &str) -> Result<()> {
        self.refuse_if_alive(path)?;
        let _lock = self.lock(path)?;
        // Whoever had the lock before may have put a live one there.
        self.reclaim_locked(path)
    }

    fn reclaim_locked(&self, path: &str) -> Result<()> {
        let Some(found) = self.refuse_if_alive(path)? else { return Ok(()) };
        match self.status(&self.name) {
            Ok(status) if Identity::of(&status) == found => self.unlink(&self.name).during_on(self.operation, path),
            // Changed since: look again.
            _ => Ok(()),
        }
    }

    /// What stands at the path, if it is a dead socket; `None` if nothing does any more.
    fn refuse_if_alive(&self, path: &str) -> Result<Option<Identity>> {
        let status = match self.status(&self.name) {
            Ok(status) => status,
            Err(Errno::ENOENT) => return Ok(None),
            Err(errno) => return Err(Error::os(self.operation, errno).on(path)),
        };
        if name::kind(&status) != libc::S_IFSOCK {
            return Err(name::wrong_kind(self.operation, path, "a socket", &status));
        }
        match probe(path).during_on(self.operation, path)? {
            Err(Errno::ECONNREFUSED) => Ok(Some(Identity::of(&status))),
            Err(Errno::ENOENT) => Ok(None),
            // A stream, a datagram socket, or one that we may not ask.
            _ => Err(Error::os(self.operation, Errno::EADDRINUSE).on(path).hint("somebody uses it")),
        }
    }

    fn lock(&self, path: &str) -> Result<OwnedFd> {
        let directory = open_raw(&self.directory_path, libc::O_RDONLY | libc::O_DIRECTORY, 0).map_err(|errno| {
            Error::os(self.operation, errno).on(path).hint("a dead server's path cannot be reclaimed without reading its directory")
        })?;
        let mut deadline = Deadline::new(self.operation, LOCK_PATIENCE);
        // SAFETY: flock takes integers.
        while let Err(errno) = check(unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }) {
            if errno != Errno::EWOULDBLOCK && errno != Errno::EINTR {
                return Err(Error::os(self.operation, errno).on(path));
            }
            if deadline.pause().is_err() {
                return Err(Error::os(self.operation, Errno::EBUSY).on(path).hint("somebody keeps the directory locked"));
            }
        }
        Ok(directory)
    }

    fn status(&self, name: &str) -> std::result::Result<libc::stat, Errno> {
        nix::sys::stat::fstatat(&self.directory, name, nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW)
    }

    fn link(&self, from: &str) -> std::result::Result<(), Errno> {
        let (from, to) = (c_path(from)?, c_path(&self.name)?);
        let directory = self.directory.as_raw_fd();
        // SAFETY: both names are NUL-terminated and live through the call.
        check(unsafe { libc::linkat(directory, from.as_ptr(), directory, to.as_ptr(), 0) })?;
        Ok(())
    }

    fn unlink(&self, name: &str) -> std::result::Result<(), Errno> {
        let name = c_path(name)?;
        // SAFETY: the name is NUL-terminated and lives through the call.
        check(unsafe { libc::unlinkat(self.directory.as_raw_fd(), name.as_ptr(), 0) })?;
        Ok(())
    }
}

/// `openat(2)`, close-on-exec.
fn open_at(directory: BorrowedFd<'_>, name: &str, flags: libc::c_int) -> std::result::Result<OwnedFd, Errno> {
    let name = c_path(name)?;
    // SAFETY: the name is NUL-terminated and lives through the call.
    let raw = check(unsafe { libc::openat(directory.as_raw_fd(), name.as_ptr(), flags | libc::O_CLOEXEC) })?;
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Whether the socket at a path belongs to anybody: ECONNREFUSED if not.
///
/// It asks with a socket of another type. The kernel looks for the socket first and at its type second, so a live one answers EPROTOTYPE, also
/// before it listens, and its server never sees the question; a connection would have to be accepted.
///
/// The outer error is that nothing could be asked.
fn probe(path: &str) -> std::result::Result<std::result::Result<(), Errno>, Errno> {
    let socket = super::create(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK)?;
    Ok(connect_once(socket.as_fd(), path))
}

pub(crate) fn bind(socket: BorrowedFd<'_>, path: impl AsRef<OsStr>) -> std::result::Result<(), Errno> {
    let (address, length) = of_bytes(path.as_ref().as_bytes())?;
    // SAFETY: the address is valid for reads of `length` bytes.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) })?;
    Ok(())
}

/// Binds to an abstract name of the kernel's choice.
pub(crate) fn bind_anywhere(socket: BorrowedFd<'_>) -> std::result::Result<(), Errno> {
    let family = libc::AF_UNIX as libc::sa_family_t;
    // SAFETY: a family alone is a valid address, which the kernel completes.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const family).cast(), size_of_val(&family) as libc::socklen_t) })?;
    Ok(())
}

pub(crate) fn listen(socket: BorrowedFd<'_>, backlog: libc::c_int) -> std::result::Result<(), Errno> {
    // SAFETY: listen takes integers.
    check(unsafe { libc::listen(socket.as_raw_fd(), backlog) })?;
    Ok(())
}
