//! Connecting to Unix sockets.
//!
//! [connect(2)](https://man7.org/linux/man-pages/man2/connect.2.html), [unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html)

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::address::{check_path, of_unix};
use crate::descriptor::{make_blocking, open_raw, status};
use crate::error::{Context, Error, Result, check};
use crate::name;
use crate::wait::Deadline;

/// How a connection is made.
#[derive(Debug, Clone, Default)]
pub struct UnixConnectOptions {
    /// Accept a listener of a user other than oneself and root.
    pub any_owner: bool,
    /// Wait for the listener to appear.
    pub wait_for_listener: bool,
}

/// Connects a fresh socket of a type that has connections, and looks whose the listener is.
pub(crate) fn connect(kind: libc::c_int, path: &str, options: &UnixConnectOptions, deadline: &mut Deadline<'_>) -> Result<OwnedFd> {
    let operation = deadline.operation();
    check_path(operation, path)?;
    await_listener(path, options, deadline, |deadline| {
        let socket = through_pin(operation, path, |address, _| connect_fresh(kind, address, deadline))?;
        let owner = super::peer::credentials(socket.as_fd())?.uid;
        name::trust_owner(operation, path, owner, options.any_owner)?;
        Ok(socket)
    })
}

/// Gives a datagram socket its receiver. Whose the path is decides: the kernel does not tell whose a datagram socket is, nor an abstract name.
pub(crate) fn direct(socket: BorrowedFd<'_>, path: &str, options: &UnixConnectOptions, deadline: &mut Deadline<'_>) -> Result<()> {
    let operation = deadline.operation();
    check_path(operation, path)?;
    await_listener(path, options, deadline, |_| {
        through_pin(operation, path, |address, owner| {
            if let Some(owner) = owner {
                name::trust_owner(operation, path, owner, options.any_owner)?;
            }
            connect_once(socket, address).during(operation)
        })
    })
}

/// Repeats what fails because nobody is there yet.
fn await_listener<T>(
    path: &str,
    options: &UnixConnectOptions,
    deadline: &mut Deadline<'_>,
    mut attempt: impl FnMut(&mut Deadline<'_>) -> Result<T>,
) -> Result<T> {
    loop {
        let failure = match attempt(deadline) {
            Err(error) if error.object().is_none() => error.on(path),
            other => return other,
        };
        let may_come = failure.is(Errno::ENOENT) || failure.is(Errno::ECONNREFUSED);
        if !may_come || !options.wait_for_listener || deadline.never_waits() {
            return Err(if failure.is(Errno::ECONNREFUSED) { failure.hint("nobody listens there") } else { failure });
        }
        deadline.pause().map_err(|error| error.on(path).hint("nobody listens there"))?;
    }
}

/// Pins what is at the path, so that no link is followed and what is no socket is told as such, and connects through the pin. An abstract name
/// needs no pin, and has no owner.
fn through_pin<T>(operation: &'static str, path: &str, mut connect: impl FnMut(&str, Option<u32>) -> Result<T>) -> Result<T> {
    if path.starts_with('@') {
        return connect(path, None);
    }
    let pinned = open_raw(path, libc::O_PATH | libc::O_NOFOLLOW, 0).during(operation)?;
    let status = status(pinned.as_fd()).during(operation)?;
    if name::kind(&status) != libc::S_IFSOCK {
        return Err(name::wrong_kind(operation, path, "a socket", &status));
    }
    match connect(&format!("/proc/self/fd/{}", pinned.as_raw_fd()), Some(status.st_uid)) {
        // There is no /proc.
        Err(error) if error.is(Errno::ENOENT) || error.is(Errno::ENOTDIR) => connect(path, Some(status.st_uid)),
        other => other,
    }
}

/// Connects, and waits while the listener's queue is full. The kernel offers no readiness for that, but a limit on the sender's patience.
fn connect_fresh(kind: libc::c_int, path: &str, deadline: &mut Deadline<'_>) -> Result<OwnedFd> {
    let plain = deadline.is_plain();
    let flags = if plain { 0 } else { libc::SOCK_NONBLOCK };
    let socket = super::create(libc::AF_UNIX, kind | flags).during(deadline.operation())?;
    let mut has_limit = false;
    loop {
        match connect_once(socket.as_fd(), path) {
            Ok(()) => break,
            // In the plain case the kernel's patience has no end that a signal could put off.
            Err(Errno::EINTR) if !has_limit => {}
            Err(Errno::EAGAIN | Errno::EINTR) => {
                let slice = deadline.slice(i64::MAX)?;
                make_blocking(socket.as_fd()).during(deadline.operation())?;
                set_patience(socket.as_fd(), slice).during(deadline.operation())?;
                has_limit = true;
            }
            Err(errno) => return Err(Error::os(deadline.operation(), errno)),
        }
    }
    if has_limit {
        set_patience(socket.as_fd(), 0).during(deadline.operation())?;
    }
    make_blocking(socket.as_fd()).during(deadline.operation())?;
    Ok(socket)
}

/// Zero nanoseconds are no limit.
fn set_patience(socket: BorrowedFd<'_>, nanoseconds: i64) -> std::result::Result<(), Errno> {
    let microseconds = if nanoseconds == 0 { 0 } else { (nanoseconds / 1000).max(1) };
    let limit = libc::timeval { tv_sec: (microseconds / 1_000_000) as _, tv_usec: (microseconds % 1_000_000) as libc::suseconds_t };
    super::set_option(socket, libc::SOL_SOCKET, libc::SO_SNDTIMEO, limit)
}

/// `connect(2)`.
pub(crate) fn connect_once(socket: BorrowedFd<'_>, path: &str) -> std::result::Result<(), Errno> {
    let (address, length) = of_unix(path)?;
    // SAFETY: the address is valid for reads of `length` bytes.
    check(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), length) })?;
    Ok(())
}
