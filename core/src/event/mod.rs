//! Something happened: counters, timers, signals, the exit of a process.
//!
//! An event carries little or nothing; it says that there is something to look at. Everything here is a descriptor that becomes readable, so
//! that one loop can wait for all of them, and for sockets and pipes beside them.
//!
//! | type | what happened |
//! |---|---|
//! | [`EventCounter`] | another process or thread has added to a counter |
//! | [`Timer`] | a time has come |
//! | [`signal::Signals`] | a signal has arrived |
//! | [`ProcessExit`] | a process has ended |
//!
//! [`Poller`] is that loop's wait: over these, over everything else that has a descriptor, and over what has none and is asked instead.
//!
//! `Ring` (feature `io_uring`) has the kernel do many reads and writes at once, and is told as each completes.

mod eventfd;
mod poller;
mod process_exit;
#[cfg(feature = "io_uring")]
mod ring;
pub mod signal;
mod timer;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

pub use eventfd::{EventCounter, EventCounterOptions};
pub use poller::{Event, Events, Interest, Poller, Probe, Ready, Source, probe};
pub(crate) use process_exit::reap_left;
pub use process_exit::{ExitStatus, ProcessExit};
#[cfg(feature = "io_uring")]
pub use ring::{Completion, Operation, Ring};
pub use timer::{Clock, Timer, TimerState};

use crate::descriptor::close_on_exec;
use crate::error::{Context, Error, Failure, Result, check};
use crate::wait::{Deadline, is_ready};

/// Does not wait, in `preadv2`.
const RWF_NOWAIT: libc::c_int = 0x8;

/// Reads one record from a descriptor whose reads give whole records: an eventfd, a timerfd, a signalfd.
///
/// Our own descriptions may block or not, and those of others we leave as they are. A call that must not sleep says so itself (`RWF_NOWAIT`, for
/// eventfd since Linux 5.8, for the others since 6.10). Where the kernel does not know that, poll is asked before, which is as good unless somebody
/// else reads the same blocking description between the two.
fn read_record(descriptor: BorrowedFd<'_>, record: &mut [u8], deadline: &mut Deadline<'_>) -> Result<usize> {
    loop {
        let attempt = if deadline.is_plain() { read(descriptor, record) } else { read_now(descriptor, record) };
        match attempt {
            Ok(size) => return Ok(size),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => deadline.ready(descriptor, libc::POLLIN)?,
            Err(errno) => return Err(Error::os(deadline.operation(), errno)),
        }
    }
}

fn read(descriptor: BorrowedFd<'_>, record: &mut [u8]) -> std::result::Result<usize, Errno> {
    // SAFETY: the buffer is valid for writes of its length.
    check(unsafe { libc::read(descriptor.as_raw_fd(), record.as_mut_ptr().cast(), record.len()) }).map(|size| size as usize)
}

fn read_now(descriptor: BorrowedFd<'_>, record: &mut [u8]) -> std::result::Result<usize, Errno> {
    let vector = libc::iovec { iov_base: record.as_mut_ptr().cast(), iov_len: record.len() };
    // SAFETY: the vector refers to a buffer that is valid for writes. Offset -1 is the current position, which these do not have.
    match check(unsafe { libc::preadv2(descriptor.as_raw_fd(), &vector, 1, -1, RWF_NOWAIT) }) {
        Ok(size) => Ok(size as usize),
        // The kernel, or what stands between it and us, does not know the flag for this kind.
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EPERM | Errno::EINVAL | Errno::ESPIPE) => {
            if is_ready(descriptor, libc::POLLIN) {
                read(descriptor, record)
            } else {
                Err(Errno::EAGAIN)
            }
        }
        Err(errno) => Err(errno),
    }
}

/// Takes over a descriptor without a file behind it, if it is of the kind that the kernel calls `kind`: `[eventfd]`.
fn adopt_kind(operation: &'static str, kind: &str, what: &str, descriptor: OwnedFd) -> std::result::Result<OwnedFd, (OwnedFd, Error)> {
    let number = descriptor.as_raw_fd();
    let found = std::fs::read_link(format!("/proc/self/fd/{number}")).map(|link| link.to_string_lossy().into_owned());
    let checked = match found {
        Ok(link) if link == format!("anon_inode:{kind}") => close_on_exec(descriptor.as_fd()).during(operation),
        Ok(link) => {
            Err(Error::failure(operation, Failure::WrongKind).on(number.to_string()).hint(format!("it is not {what} but {link:?}")))
        }
        Err(error) => Err(error).during_on(operation, "/proc/self/fd"),
    };
    match checked {
        Ok(()) => Ok(descriptor),
        Err(error) => Err((descriptor, error)),
    }
}

/// A field of `/proc/self/fdinfo/N`, which says of such descriptors what nothing else does.
fn fdinfo(descriptor: BorrowedFd<'_>, field: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", descriptor.as_raw_fd())).ok()?;
    text.lines().find_map(|line| Some(line.strip_prefix(field)?.strip_prefix(':')?.trim().to_owned()))
}
