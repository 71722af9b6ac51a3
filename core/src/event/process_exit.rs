//! The end of a process: pidfd.
//!
//! A process number means nothing once the process was waited for: the next process may have it. A pidfd means this process and no other, whatever becomes of the
//! number, and it is readable when the process has ended.
//!
//! The race is between the number and the pidfd. For a child that was not waited for there is none: its number stays its own. For a stranger
//! the correct order is to open the pidfd first, and then to look whether it is the process that was meant (its start time, its socket's
//! credentials), never the other way round. [`ByteStream::peer_pidfd`](crate::stream::ByteStream::peer_pidfd) gives one without any number.
//!
//! The kernel tells the status of a process to its parent alone; of others it tells that they have ended.
//!
//! [pidfd_open(2)](https://man7.org/linux/man-pages/man2/pidfd_open.2.html), [waitid(2)](https://man7.org/linux/man-pages/man2/waitid.2.html)

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;

use super::signal::{self, Target};
use super::{adopt_kind, fdinfo};
use crate::error::{Context, Error, Failure, Result, check};
use crate::wait::{Deadline, Wait};

/// How a process has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExitStatus {
    /// It has exited with this code, 0 to 255.
    Exited(i32),
    /// A signal has ended it.
    Killed {
        /// The signal.
        signal: i32,
        /// Whether it left a core dump.
        dumped_core: bool,
    },
    /// It is no child of ours, or somebody else has waited for it: the kernel does not tell us.
    Unknown,
}

impl ExitStatus {
    /// Whether it has exited with 0.
    pub fn is_success(self) -> bool {
        self == ExitStatus::Exited(0)
    }

    /// As a shell has it in `$?`: the code, or 128 and the signal; `None` if it is unknown.
    pub fn shell_status(self) -> Option<i32> {
        match self {
            ExitStatus::Exited(code) => Some(code),
            ExitStatus::Killed { signal, .. } => Some(128 + signal),
            ExitStatus::Unknown => None,
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitStatus::Exited(code) => write!(formatter, "exited with {code}"),
            ExitStatus::Killed { signal, dumped_core } => {
                let name = signal::describe(*signal).map_or_else(|| format!("signal {signal}"), |signal| signal.name);
                write!(formatter, "killed by {name}{}", if *dumped_core { ", core dumped" } else { "" })
            }
            ExitStatus::Unknown => formatter.write_str("ended"),
        }
    }
}

/// A process whose end can be waited for.
///
/// It costs one descriptor. `fork` hands it on, but the child is not the parent of the process, and learns no status. Dropping it does nothing to
/// the process; a child that was not waited for is then waited for by this library, whenever it starts another or drops another.
#[derive(Debug)]
pub struct ProcessExit {
    /// `None` only while it is dropped.
    pidfd: Option<OwnedFd>,
    pid: i32,
    /// Known, once it was waited for.
    status: Mutex<Option<ExitStatus>>,
    /// Whether we have started it, and clean up after it.
    is_ours: bool,
}

impl ProcessExit {
    /// The process that has this number now. Errors: `ESRCH`; `EINVAL` for a thread's number, and for 0 and less;
    /// [`Failure::Unavailable`] before Linux 5.3.
    pub fn open(pid: i32) -> Result<ProcessExit> {
        const OPERATION: &str = "open process";
        // SAFETY: pidfd_open takes integers. The descriptor is close-on-exec from birth.
        match check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) }) {
            // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
            Ok(raw) => Ok(ProcessExit::of(unsafe { OwnedFd::from_raw_fd(raw as libc::c_int) }, pid, false)),
            Err(Errno::ENOSYS) => Err(Error::failure(OPERATION, Failure::Unavailable).hint("the kernel has no pidfd")),
            Err(errno) => Err(Error::os(OPERATION, errno).on(pid.to_string())),
        }
    }

    /// Takes over a pidfd from elsewhere. What is refused is given back, with [`Failure::WrongKind`].
    pub fn adopt(pidfd: OwnedFd) -> std::result::Result<ProcessExit, (OwnedFd, Error)> {
        const OPERATION: &str = "adopt pidfd";
        let Some(pid) = fdinfo(pidfd.as_fd(), "Pid") else {
            // Of another kind, or no descriptor of ours at all.
            return adopt_kind(OPERATION, "[pidfd]", "a pidfd", pidfd).map(|pidfd| ProcessExit::of(pidfd, 0, false));
        };
        if let Err(errno) = crate::descriptor::close_on_exec(pidfd.as_fd()) {
            return Err((pidfd, Error::os(OPERATION, errno)));
        }
        Ok(ProcessExit::of(pidfd, pid.parse().unwrap_or(0).max(0), false))
    }

    pub(crate) fn of(pidfd: OwnedFd, pid: i32, is_ours: bool) -> ProcessExit {
        ProcessExit { pidfd: Some(pidfd), pid, status: Mutex::new(None), is_ours }
    }

    /// The number that the process had when the handle was made; 0 if it was adopted when the process was gone, or in a pid namespace that is not ours.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Waits for the end of the process and gives how it has ended. A child is thereby waited for, and its number free; asking again gives the same answer.
    ///
    /// Errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]).
    pub fn wait<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<ExitStatus> {
        self.wait_within(&mut Deadline::new("wait for process", wait))
    }

    pub(crate) fn wait_within(&self, deadline: &mut Deadline<'_>) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.poll(deadline.operation())? {
                return Ok(status);
            }
            deadline.ready(self.as_fd(), libc::POLLIN)?;
        }
    }

    /// Sends a signal to this process and to no other. Errors: `ESRCH` once it was waited for; `EPERM`; `EINVAL`.
    pub fn send_signal(&self, signal: i32) -> Result<()> {
        signal::send(Target::Pidfd(self.as_fd()), signal)
    }

    /// How it has ended; `None` if it runs.
    fn poll(&self, operation: &'static str) -> Result<Option<ExitStatus>> {
        let mut known = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            *known = match reap(self.as_fd()).during(operation)? {
                Reaped::Running => None,
                Reaped::Status(status) => Some(status),
                // Poll alone can tell whether a stranger has ended.
                Reaped::NoChild => crate::wait::is_ready(self.as_fd(), libc::POLLIN).then_some(ExitStatus::Unknown),
            };
        }
        Ok(*known)
    }
}

enum Reaped {
    Running,
    NoChild,
    Status(ExitStatus),
}

/// Waits for a child that has ended, and does not wait for one that has not.
fn reap(pidfd: BorrowedFd<'_>) -> std::result::Result<Reaped, Errno> {
    // SAFETY: zero bytes are a valid siginfo.
    let mut told: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the place is valid to write to.
    match check(unsafe { libc::waitid(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, &mut told, libc::WEXITED | libc::WNOHANG) }) {
        // SAFETY: zero stays in the field if no child has ended; else the fields are those of SIGCHLD.
        Ok(_) => Ok(match unsafe { (told.si_pid(), told.si_code, told.si_status()) } {
            (0, ..) => Reaped::Running,
            (_, libc::CLD_EXITED, code) => Reaped::Status(ExitStatus::Exited(code)),
            (_, code, signal) => Reaped::Status(ExitStatus::Killed { signal, dumped_core: code == libc::CLD_DUMPED }),
        }),
        Err(Errno::ECHILD | Errno::EINVAL) => Ok(Reaped::NoChild),
        Err(errno) => Err(errno),
    }
}

/// Children that were started here, whose handle is gone, and that were still running then: a list whose head is exchanged, so that a child made by fork
/// never finds a lock held by a thread of its parent.
static LEFT: AtomicPtr<Left> = AtomicPtr::new(std::ptr::null_mut());

struct Left {
    pidfd: OwnedFd,
    next: *mut Left,
}

fn leave(mut left: Box<Left>) {
    left.next = LEFT.load(Ordering::Relaxed);
    let left = Box::into_raw(left);
    // SAFETY: the element is ours until it is the head.
    while let Err(head) = unsafe { LEFT.compare_exchange_weak((*left).next, left, Ordering::Release, Ordering::Relaxed) } {
        // SAFETY: as above.
        unsafe { (*left).next = head };
    }
}

/// Waits for those of them that have ended, so that they are no zombies.
pub(crate) fn reap_left(another: Option<OwnedFd>) {
    let mut next = LEFT.swap(std::ptr::null_mut(), Ordering::Acquire);
    let still_runs = |pidfd: &OwnedFd| matches!(reap(pidfd.as_fd()), Ok(Reaped::Running));
    while !next.is_null() {
        // SAFETY: the whole list was taken, so it is ours; each element was made by `Box::into_raw`.
        let left = unsafe { Box::from_raw(next) };
        next = left.next;
        if still_runs(&left.pidfd) {
            leave(left);
        }
    }
    if let Some(pidfd) = another.filter(still_runs) {
        leave(Box::new(Left { pidfd, next: std::ptr::null_mut() }));
    }
}

impl AsFd for ProcessExit {
    /// Readable when the process has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_ref().expect("it is there until the drop").as_fd()
    }
}

impl From<ProcessExit> for OwnedFd {
    /// The pidfd; a child has to be waited for by the caller.
    fn from(mut process: ProcessExit) -> OwnedFd {
        process.pidfd.take().expect("it is there until the drop")
    }
}

impl Drop for ProcessExit {
    fn drop(&mut self) {
        let is_over = self.status.get_mut().unwrap_or_else(PoisonError::into_inner).is_some();
        if let Some(pidfd) = self.pidfd.take().filter(|_| self.is_ours && !is_over) {
            reap_left(Some(pidfd));
        }
    }
}
