//! Who is at the other end of a Unix socket, as the kernel vouches for.
//!
//! The kernel notes the peer when a connection is made or a pair is created, and never again: a process that hands its end on speaks with the first
//! one's credentials. Where that matters, each message can carry its sender's (option `credentials` of datagrams and seqpackets).
//!
//! [unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html), [pidfd_open(2)](https://man7.org/linux/man-pages/man2/pidfd_open.2.html)

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use crate::error::{Context, Error, Failure, Result, check};

const SO_PEERPIDFD: libc::c_int = 77;

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    /// The process that connected, listened or made the pair; 0 if it is in a pid namespace that is not ours. The number may have been reused.
    pub pid: i32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

pub(crate) fn credentials(descriptor: BorrowedFd<'_>) -> Result<Credentials> {
    const OPERATION: &str = "get credentials of peer";
    require_unix(OPERATION, descriptor)?;
    let found: libc::ucred = super::option(descriptor, libc::SOL_SOCKET, libc::SO_PEERCRED).during(OPERATION)?;
    Ok(Credentials { pid: found.pid, uid: found.uid, gid: found.gid })
}

pub(crate) fn pidfd(descriptor: BorrowedFd<'_>) -> Result<OwnedFd> {
    const OPERATION: &str = "get pidfd of peer";
    require_unix(OPERATION, descriptor)?;
    match super::option::<libc::c_int>(descriptor, libc::SOL_SOCKET, SO_PEERPIDFD) {
        // SAFETY: the kernel has just given us this descriptor, close-on-exec; nobody else owns it.
        Ok(raw) => Ok(unsafe { OwnedFd::from_raw_fd(raw) }),
        Err(Errno::ENOPROTOOPT) => Err(Error::failure(OPERATION, Failure::Unavailable).hint("it came with Linux 6.5")),
        Err(errno) => Err(Error::os(OPERATION, errno)),
    }
}

/// TCP answers SO_PEERCRED with nobody at all instead of an error.
fn require_unix(operation: &'static str, descriptor: BorrowedFd<'_>) -> Result<()> {
    match super::family(descriptor) {
        Ok(libc::AF_UNIX) => Ok(()),
        _ => Err(Error::os(operation, Errno::EOPNOTSUPP).hint("only a Unix socket has them")),
    }
}

/// The supplementary groups of the peer, as it had them when the connection was made. Bounded: the kernel allows 65536.
pub(crate) fn groups(descriptor: BorrowedFd<'_>) -> Result<Vec<u32>> {
    const OPERATION: &str = "get groups of peer";
    require_unix(OPERATION, descriptor)?;
    let bytes = variable_option(descriptor, libc::SO_PEERGROUPS).map_err(|errno| match errno {
        Errno::ENODATA => Error::os(OPERATION, errno).hint("nobody is at the other end"),
        errno => Error::os(OPERATION, errno),
    })?;
    Ok(bytes.chunks_exact(4).map(|group| u32::from_ne_bytes([group[0], group[1], group[2], group[3]])).collect())
}

/// What the security module calls the peer.
pub(crate) fn label(descriptor: BorrowedFd<'_>) -> Result<String> {
    const OPERATION: &str = "get security label of peer";
    require_unix(OPERATION, descriptor)?;
    match variable_option(descriptor, libc::SO_PEERSEC) {
        // Some modules count a NUL at the end, others do not.
        Ok(bytes) => Ok(String::from_utf8_lossy(bytes.strip_suffix(&[0]).unwrap_or(&bytes)).into_owned()),
        Err(Errno::ENOPROTOOPT | Errno::EOPNOTSUPP) => {
            Err(Error::failure(OPERATION, Failure::Unavailable).hint("no security module of this system labels sockets"))
        }
        Err(errno) => Err(Error::os(OPERATION, errno)),
    }
}

/// Reads an option whose size the kernel tells by `ERANGE` when the room is too small.
fn variable_option(descriptor: BorrowedFd<'_>, name: libc::c_int) -> std::result::Result<Vec<u8>, Errno> {
    let mut value = vec![0u8; 256];
    loop {
        let mut size = value.len() as libc::socklen_t;
        // SAFETY: the value is valid for writes of `size` bytes.
        let result = unsafe { libc::getsockopt(descriptor.as_raw_fd(), libc::SOL_SOCKET, name, value.as_mut_ptr().cast(), &mut size) };
        match check(result) {
            Ok(_) => {
                value.truncate(size as usize);
                return Ok(value);
            }
            Err(Errno::ERANGE) if size as usize > value.len() => value.resize(size as usize, 0),
            Err(errno) => return Err(errno),
        }
    }
}
