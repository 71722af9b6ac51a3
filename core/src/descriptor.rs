//! Descriptors: adopted, reopened, described.
//!
//! A descriptor is a number in one process; the *description* behind it (position, O_NONBLOCK, locks) may be shared with others through
//! `dup`, `fork` and descriptor passing. So a flag of a description is changed only while it is surely ours alone: right after its creation.
//! A description of our own for the same pipe or file comes from opening `/proc/self/fd/N`.
//!
//! [proc_pid_fd(5)](https://man7.org/linux/man-pages/man5/proc_pid_fd.5.html), [fcntl(2)](https://man7.org/linux/man-pages/man2/fcntl.2.html)

use std::ffi::{CString, OsStr};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;

use crate::error::{Context, Error, Failure, Result, check};

/// Takes over a descriptor that the caller hands to us. It becomes close-on-exec when something is made of it.
///
/// Fails with `EBADF` if the number names no open descriptor; then nothing was taken over.
///
/// # Safety
/// The caller owns the descriptor and gives it away: nobody else closes it afterwards.
pub unsafe fn adopt(descriptor: RawFd) -> Result<OwnedFd> {
    if descriptor < 0 {
        return Err(Error::os("adopt descriptor", Errno::EBADF).on(descriptor.to_string()));
    }
    // SAFETY: F_GETFD returns an integer.
    check(unsafe { libc::fcntl(descriptor, libc::F_GETFD) }).during_on("adopt descriptor", &descriptor.to_string())?;
    // SAFETY: it is open, as fcntl has just shown, and the caller gives it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// A copy of another process's descriptor, close-on-exec: `number` is what that process calls it, `pidfd` the process.
///
/// It takes the right to trace the process: the same user, and no more privileges; a system may ask for more.
///
/// Errors: `EPERM`; `EBADF` if the process has no such descriptor, or `pidfd` is none; `ESRCH` if it has ended; `EMFILE`;
/// [`Failure::Unavailable`] before Linux 5.6, or where a sandbox refuses the call.
///
/// [pidfd_getfd(2)](https://man7.org/linux/man-pages/man2/pidfd_getfd.2.html)
pub fn take(pidfd: BorrowedFd<'_>, number: RawFd) -> Result<OwnedFd> {
    const OPERATION: &str = "take descriptor of process";
    let no_flags: libc::c_uint = 0;
    // SAFETY: pidfd_getfd takes integers.
    match check(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), number, no_flags) }) {
        // SAFETY: the kernel has just given us this descriptor, close-on-exec; nobody else owns it.
        Ok(raw) => Ok(unsafe { OwnedFd::from_raw_fd(raw as RawFd) }),
        Err(Errno::ENOSYS) => Err(Error::failure(OPERATION, Failure::Unavailable).hint("it came with Linux 5.6, or a sandbox refuses it")),
        Err(errno @ Errno::EPERM) => Err(Error::os(OPERATION, errno).hint("it takes the right to trace the process")),
        Err(errno) => Err(Error::os(OPERATION, errno).on(number.to_string())),
    }
}

/// Sees to it that no program started later inherits an adopted descriptor.
pub(crate) fn close_on_exec(descriptor: BorrowedFd<'_>) -> std::result::Result<(), Errno> {
    // SAFETY: F_SETFD takes an integer.
    check(unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
    Ok(())
}

/// A new description of the same object, with status flags of our own.
pub(crate) fn reopen(descriptor: BorrowedFd<'_>, flags: libc::c_int) -> std::result::Result<OwnedFd, Errno> {
    open_raw(format!("/proc/self/fd/{}", descriptor.as_raw_fd()), flags, 0)
}

/// `open(2)`, close-on-exec, repeated when a signal interrupts it.
pub(crate) fn open_raw(path: impl AsRef<OsStr>, flags: libc::c_int, mode: libc::mode_t) -> std::result::Result<OwnedFd, Errno> {
    let path = c_path(path)?;
    loop {
        // SAFETY: the path is NUL-terminated and lives through the call.
        match check(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC, mode as libc::c_uint) }) {
            // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
            Ok(raw) => return Ok(unsafe { OwnedFd::from_raw_fd(raw) }),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// A path for a system call; a NUL inside is EINVAL, not the end of the name.
pub(crate) fn c_path(path: impl AsRef<OsStr>) -> std::result::Result<CString, Errno> {
    CString::new(path.as_ref().as_bytes()).map_err(|_| Errno::EINVAL)
}

/// The status of an open object.
pub(crate) fn status(descriptor: BorrowedFd<'_>) -> std::result::Result<libc::stat, Errno> {
    nix::sys::stat::fstat(descriptor)
}

/// Clears O_NONBLOCK. Only for a description that this process has just made.
pub(crate) fn make_blocking(descriptor: BorrowedFd<'_>) -> std::result::Result<(), Errno> {
    // SAFETY: F_GETFL and F_SETFL take and return integers.
    let flags = check(unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: as above.
    check(unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFL, flags & !libc::O_NONBLOCK) })?;
    Ok(())
}

/// The access mode (`O_RDONLY`, `O_WRONLY`, `O_RDWR`) of a description.
pub(crate) fn access_mode(descriptor: BorrowedFd<'_>) -> std::result::Result<libc::c_int, Errno> {
    // SAFETY: F_GETFL returns an integer.
    let flags = check(unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_GETFL) })?;
    Ok(flags & libc::O_ACCMODE)
}

/// Sets permissions and, if asked, the group of an object that we have just made: exactly, whatever the umask says.
pub(crate) fn set_permissions(descriptor: BorrowedFd<'_>, mode: u32, group: Option<u32>) -> std::result::Result<(), Errno> {
    if let Some(group) = group {
        // SAFETY: fchown takes integers; -1 leaves the owner as it is.
        check(unsafe { libc::fchown(descriptor.as_raw_fd(), libc::uid_t::MAX, group) })?;
    }
    // After the group, since a change of owner clears the set-id bits.
    // SAFETY: fchmod takes integers.
    check(unsafe { libc::fchmod(descriptor.as_raw_fd(), mode as libc::mode_t) })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn adopting_nonsense_is_refused() {
        for number in [-1, i32::MIN, i32::MAX] {
            // SAFETY: these numbers name no descriptor.
            assert!(unsafe { adopt(number) }.unwrap_err().is(Errno::EBADF));
        }
    }

    #[test]
    fn an_adopted_descriptor_is_close_on_exec() {
        let file = std::fs::File::open("/dev/null").unwrap();
        // SAFETY: dup gives a descriptor that the test owns.
        let raw = unsafe { libc::dup(file.as_raw_fd()) };
        // SAFETY: it is given away here and only here.
        let adopted = unsafe { adopt(raw) }.unwrap();
        close_on_exec(adopted.as_fd()).unwrap();
        // SAFETY: F_GETFD returns an integer.
        assert_eq!(unsafe { libc::fcntl(adopted.as_raw_fd(), libc::F_GETFD) } & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    }

    #[test]
    fn a_reopened_description_has_flags_of_its_own() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let twin = reopen(file.as_fd(), libc::O_RDONLY | libc::O_NONBLOCK).unwrap();
        // SAFETY: F_GETFL returns an integer.
        let flags = |fd: BorrowedFd<'_>| unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) } & libc::O_NONBLOCK;
        assert_eq!(flags(file.as_fd()), 0);
        assert_ne!(flags(twin.as_fd()), 0);
        make_blocking(twin.as_fd()).unwrap();
        assert_eq!(flags(twin.as_fd()), 0);
    }

    #[test]
    fn a_nul_inside_a_path_is_refused() {
        assert_eq!(open_raw("/dev/null\0x", libc::O_RDONLY, 0).unwrap_err(), Errno::EINVAL);
    }
}
