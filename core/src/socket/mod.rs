//! What all sockets share: addresses, paths, connecting, options, control data, and accepting without burning the processor.

pub(crate) mod address;
pub(crate) mod connecting;
pub(crate) mod control;
pub(crate) mod listening;
pub(crate) mod peer;
pub(crate) mod place;
pub(crate) mod resolve;

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use crate::error::{Context, Error, Failure, Result, check};
use crate::wait::{Deadline, Timeout, Wait, is_ready};

/// How long an accept that finds no descriptor or memory left waits for some, in nanoseconds, before it says so.
const LONGEST_SHORTAGE: i64 = 100_000_000;

/// A new socket, close-on-exec.
pub(crate) fn create(family: libc::c_int, kind: libc::c_int) -> std::result::Result<OwnedFd, Errno> {
    // SAFETY: socket takes integers.
    let raw = check(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Two connected Unix sockets, close-on-exec.
pub(crate) fn pair(kind: libc::c_int) -> std::result::Result<(OwnedFd, OwnedFd), Errno> {
    let mut ends = [-1; 2];
    // SAFETY: the array has room for the two descriptors.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0, ends.as_mut_ptr()) })?;
    // SAFETY: the kernel has just given us these descriptors; nobody else owns them.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// Reads an option of fixed size. `T` is plain data, valid for zero bytes.
pub(crate) fn option<T: Copy>(descriptor: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int) -> std::result::Result<T, Errno> {
    // SAFETY: the callers' types are made of integers.
    let mut value: T = unsafe { std::mem::zeroed() };
    let mut size = size_of::<T>() as libc::socklen_t;
    // SAFETY: the value is valid for writes of `size` bytes.
    check(unsafe { libc::getsockopt(descriptor.as_raw_fd(), level, name, (&raw mut value).cast(), &mut size) })?;
    Ok(value)
}

/// Sets an option of fixed size.
pub(crate) fn set_option<T: Copy>(
    descriptor: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: T,
) -> std::result::Result<(), Errno> {
    let size = size_of::<T>() as libc::socklen_t;
    // SAFETY: the value is valid for reads of `size` bytes.
    check(unsafe { libc::setsockopt(descriptor.as_raw_fd(), level, name, (&raw const value).cast(), size) })?;
    Ok(())
}

/// Refuses a socket that is no stream, or that listens when it should not, or the other way round.
pub(crate) fn require_stream(operation: &'static str, descriptor: BorrowedFd<'_>, listening: bool) -> Result<()> {
    require(operation, descriptor, libc::SOCK_STREAM, listening)
}

/// Refuses a socket of another type, or that listens when it should not, or the other way round.
pub(crate) fn require(operation: &'static str, descriptor: BorrowedFd<'_>, kind: libc::c_int, listening: bool) -> Result<()> {
    let number = descriptor.as_raw_fd().to_string();
    let get = |name| option::<libc::c_int>(descriptor, libc::SOL_SOCKET, name).during_on(operation, &number);
    let refuse = |remedy: &'static str| Err(Error::failure(operation, Failure::WrongKind).on(&*number).hint(remedy));
    match get(libc::SO_TYPE)? {
        found if found == kind => {}
        libc::SOCK_STREAM => return refuse("it is a socket of bytes, not of messages"),
        libc::SOCK_DGRAM if kind == libc::SOCK_SEQPACKET => return refuse("it is a socket of messages without a connection"),
        libc::SOCK_SEQPACKET if kind == libc::SOCK_DGRAM => return refuse("it is a socket of messages with a connection"),
        _ => return refuse("it is a socket of messages, not of bytes"),
    }
    match (get(libc::SO_ACCEPTCONN)? != 0, listening) {
        (true, false) => refuse("it is a listening socket"),
        (false, true) => refuse("it is a socket that does not listen"),
        _ => Ok(()),
    }
}

/// The address family of a socket.
pub(crate) fn family(descriptor: BorrowedFd<'_>) -> std::result::Result<libc::c_int, Errno> {
    option(descriptor, libc::SOL_SOCKET, libc::SO_DOMAIN)
}

/// Accepts a connection.
///
/// A connection that was aborted while it waited is passed over. When no descriptor or memory is left, the connection stays in the queue and the
/// listener stays readable, so a caller that simply tries again would spin: the shortage is waited out for up to 100 ms before it is told.
pub(crate) fn accept(operation: &'static str, listener: BorrowedFd<'_>, wait: Wait<'_>) -> Result<OwnedFd> {
    let mut deadline = Deadline::new(operation, wait);
    let mut shortage: Option<Deadline<'_>> = None;
    loop {
        // An adopted listener may be blocking, and another process may take the connection between poll and accept: poll first, so that
        // this is the only case in which accept can sleep.
        if !deadline.is_plain() && shortage.is_none() {
            wait_for_connection(&mut deadline, listener)?;
        }
        // SAFETY: no address is asked for.
        let result = check(unsafe { libc::accept4(listener.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_CLOEXEC) });
        match result {
            // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
            Ok(raw) => return Ok(unsafe { OwnedFd::from_raw_fd(raw) }),
            Err(Errno::EINTR | Errno::ECONNABORTED | Errno::EPROTO) => {}
            Err(Errno::EAGAIN) => {
                shortage = None;
                deadline.ready(listener, libc::POLLIN)?;
            }
            // The kernel looks for a descriptor before it looks for a connection.
            Err(Errno::EMFILE | Errno::ENFILE) if !is_ready(listener, libc::POLLIN) => deadline.ready(listener, libc::POLLIN)?,
            Err(errno @ (Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM)) => {
                let patience = shortage.get_or_insert_with(|| Deadline::new(operation, Timeout::from_nanoseconds(LONGEST_SHORTAGE)));
                let hint = "the connection stays in the queue until something is closed";
                let told = || Error::os(operation, errno).hint(hint);
                deadline.remaining().map_err(|error| if error.is_given_up() { error } else { told() })?;
                patience.pause().map_err(|_| told())?;
            }
            Err(errno) => return Err(Error::os(operation, errno)),
        }
    }
}

fn wait_for_connection(deadline: &mut Deadline<'_>, listener: BorrowedFd<'_>) -> Result<()> {
    if deadline.never_waits() && !is_ready(listener, libc::POLLIN) {
        return deadline.remaining().map(drop);
    }
    if deadline.never_waits() {
        return Ok(());
    }
    deadline.ready(listener, libc::POLLIN)
}
