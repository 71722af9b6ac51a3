//! Signals: sent, waited for, blocked.
//!
//! A signal interrupts a process wherever it is. Two things follow. A *handler* may do almost nothing: it may have interrupted `malloc`, or `printf`, or a lock. And a
//! flag that a handler sets is looked at too late: `while (!flag) pause()` sleeps for ever when the signal comes between the look and the sleep. The way out is that a
//! signal becomes something to *read*, beside everything else that a loop waits for. [`Signals`] does that in two ways:
//!
//! * [`Signals::catch`]: a handler, installed here, that only writes a record into a pipe (the *self-pipe*). It works in any program, whatever other
//!   threads it has, and other handlers of the same signal still run.
//! * [`Signals::block`]: a signalfd. No handler at all, but the signal has to be blocked in *every* thread, or it is delivered to one that
//!   does not block it: call it first in `main`, before any thread is made.
//!
//! Standard signals (below `SIGRTMIN`) do not queue: a second one that comes while the first is pending is dropped, with its value. Whoever
//! counts, or sends data, uses the real-time ones, which queue, in order, up to `RLIMIT_SIGPENDING`.
//!
//! A process number may have been reused when the signal is sent: [`Target::Pidfd`] cannot meet a stranger.
//!
//! [signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html), [signal-safety(7)](https://man7.org/linux/man-pages/man7/signal-safety.7.html)

mod catch;
mod mask;
mod received;
mod send;
mod signalfd;
mod table;

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;

pub use mask::Blocked;
pub use received::Received;
pub use send::{Target, send, send_value};
pub use table::{DefaultAction, Signal, describe, number_of, real_time, signals};

use crate::error::{Context, Error, Result, check};
use crate::wait::{Deadline, Wait, timespec};

/// Signals that become something to read.
///
/// It costs two descriptors when it catches, one when it blocks. In a child made by `fork` it is refused with
/// [`Failure::Forked`](crate::Failure::Forked): the child makes its own. When the last handle of a signal is dropped, what was there before is
/// restored: the disposition, or the thread's mask. A blocked signal that is pending then is delivered.
#[derive(Debug)]
pub struct Signals(Way);

#[derive(Debug)]
enum Way {
    Catch(catch::SelfPipe),
    Block(signalfd::SignalFd),
}

impl Signals {
    /// Records the signals in a handler, in whichever thread it runs, from now until the handle is dropped. Any number of handles may catch the same
    /// signal: each gets it. A handler that was there before still runs, after ours.
    ///
    /// Real-time signals keep their order if one thread alone does not block them. No signal is lost without a trace: when the pipe of 2048
    /// records is full, [`Received::lost`] says how many had no room, and one of each kind is still reported.
    ///
    /// Errors: `EINVAL` for no signals, or one that cannot be caught; `EMFILE`, `ENFILE`; `EAGAIN` when there are 64 handles already, or eight
    /// handlers of ours lie under those of others.
    pub fn catch(signals: &[i32]) -> Result<Signals> {
        catch::SelfPipe::new("catch signals", signals).map(Way::Catch).map(Signals)
    }

    /// Blocks the signals in the calling thread and reads them from a signalfd. Threads that it makes later inherit the mask; in those that exist
    /// already the caller blocks them itself, or they are delivered there. The thread that made the handle gets its mask back if it
    /// drops the handle, too.
    ///
    /// Two handles that block the same signal compete for it. Errors: as [`Signals::catch`].
    pub fn block(signals: &[i32]) -> Result<Signals> {
        signalfd::SignalFd::new("block signals", signals).map(Way::Block).map(Signals)
    }

    /// The next signal. Errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]); [`Failure::Forked`](crate::Failure::Forked).
    pub fn receive<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<Received> {
        let mut deadline = Deadline::new("receive signal", wait);
        match &self.0 {
            Way::Catch(pipe) => pipe.receive(&mut deadline),
            Way::Block(descriptor) => descriptor.receive(&mut deadline),
        }
    }
}

impl AsFd for Signals {
    /// Readable while there is a signal to receive.
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Way::Catch(pipe) => pipe.as_fd(),
            Way::Block(descriptor) => descriptor.as_fd(),
        }
    }
}

/// Takes the next of these signals that is pending for the process or the calling thread, or waits for it. The caller has blocked them
/// ([`Blocked::new`]), or they are delivered elsewhere.
///
/// Of several that are pending the smallest number comes first. Errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]); `EINVAL`.
pub fn take<'a>(signals: &[i32], wait: impl Into<Wait<'a>>) -> Result<Received> {
    const OPERATION: &str = "wait for signal";
    let set = set_of(OPERATION, signals)?;
    let mut deadline = Deadline::new(OPERATION, wait);
    let mut length = 0;
    loop {
        let limit = timespec(length);
        // Nothing but a signal ends a plain wait, so it needs no look beforehand.
        let limit = if deadline.is_plain() { std::ptr::null() } else { &raw const limit };
        // SAFETY: zero bytes are a valid siginfo.
        let mut information: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: the set is initialised, the information valid to write to, the time valid or none.
        match check(unsafe { libc::sigtimedwait(&set, &mut information, limit) }) {
            Ok(_) => return Ok(Received::of(&information)),
            Err(Errno::EINTR) if deadline.is_plain() => {}
            Err(Errno::EAGAIN | Errno::EINTR) => length = deadline.slice(i64::MAX)?,
            Err(errno) => return Err(Error::os(OPERATION, errno)),
        }
    }
}

/// The set of these signals. `EINVAL` for none, for a number that is no signal, and for those that nobody can catch or block.
fn set_of(operation: &'static str, signals: &[i32]) -> Result<libc::sigset_t> {
    if signals.is_empty() {
        return Err(Error::os(operation, Errno::EINVAL).hint("no signal is named"));
    }
    // SAFETY: the set is initialised by sigemptyset before it is used.
    let mut set = unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        set
    };
    for number in signals {
        check_catchable(operation, *number)?;
        // SAFETY: the set is initialised.
        check(unsafe { libc::sigaddset(&mut set, *number) }).during_on(operation, &number.to_string())?;
    }
    Ok(set)
}

fn check_catchable(operation: &'static str, number: i32) -> Result<()> {
    let refused = |remedy: String| Err(Error::os(operation, Errno::EINVAL).on(number.to_string()).hint(remedy));
    match describe(number) {
        None => refused(format!("there is no such signal: they go from 1 to {}", table::LARGEST)),
        Some(signal) if matches!(number, libc::SIGKILL | libc::SIGSTOP) => refused(format!("nobody can catch or block {}", signal.name)),
        // Returning from a handler of these runs the faulty instruction again, for ever; blocked they kill.
        Some(signal) if matches!(number, libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL) => {
            refused(format!("{} says that the program cannot go on", signal.name))
        }
        Some(_) => Ok(()),
    }
}
