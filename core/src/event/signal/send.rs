//! Sending: [kill(2)](https://man7.org/linux/man-pages/man2/kill.2.html), [tgkill(2)](https://man7.org/linux/man-pages/man2/tgkill.2.html),
//! [pidfd_send_signal(2)](https://man7.org/linux/man-pages/man2/pidfd_send_signal.2.html),
//! [rt_sigqueueinfo(2)](https://man7.org/linux/man-pages/man2/rt_sigqueueinfo.2.html).

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;

use super::received::value_of;
use super::table;
use crate::error::{Error, Failure, Result, check};

/// Who gets a signal.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// A process. The number may have been reused; that of a child that was not waited for has not.
    Process(i32),
    /// Every process of a group; 0 is the caller's own.
    Group(i32),
    /// A thread of a process, by the numbers that `gettid` and `getpid` give.
    Thread {
        /// The process.
        process: i32,
        /// The thread.
        thread: i32,
    },
    /// The process of a pidfd, and no other.
    Pidfd(BorrowedFd<'a>),
}

impl std::fmt::Display for Target<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Process(process) => write!(formatter, "process {process}"),
            Target::Group(group) => write!(formatter, "group {group}"),
            Target::Thread { process, thread } => write!(formatter, "thread {thread} of process {process}"),
            Target::Pidfd(descriptor) => write!(formatter, "pidfd {}", descriptor.as_raw_fd()),
        }
    }
}

/// Sends a signal. 0 sends none, and only asks whether one could be sent. It never waits.
///
/// Errors: `ESRCH` if there is nobody (a zombie counts as somebody, for a pidfd not once it was waited for); `EPERM`; `EINVAL` for a number that is no signal, and
/// for targets that mean everybody; `EAGAIN` when no more real-time signals can be queued.
pub fn send(target: Target<'_>, signal: i32) -> Result<()> {
    const OPERATION: &str = "send signal";
    check_target(OPERATION, target, signal)?;
    // SAFETY: all take integers; NULL stands for the information that kill gives.
    let result = unsafe {
        match target {
            Target::Process(process) => libc::kill(process, signal),
            Target::Group(group) => libc::kill(-group, signal),
            Target::Thread { process, thread } => libc::syscall(libc::SYS_tgkill, process, thread, signal) as libc::c_int,
            Target::Pidfd(descriptor) => send_pidfd(descriptor, signal, std::ptr::null()),
        }
    };
    told(OPERATION, target, result)
}

/// Sends a signal with a value to a process, a thread or by a pidfd. Real-time signals queue, in order, each with its value; of a standard
/// signal that is pending already nothing arrives.
///
/// Errors: as [`send`]; `EAGAIN` beyond `RLIMIT_SIGPENDING`; `EOPNOTSUPP` for a group.
pub fn send_value(target: Target<'_>, signal: i32, value: i32) -> Result<()> {
    const OPERATION: &str = "send signal with value";
    check_target(OPERATION, target, signal)?;
    let information = Queued::new(signal, value);
    let pointer = &raw const information;
    // SAFETY: the information has the size and layout that the kernel reads.
    let result = unsafe {
        match target {
            Target::Process(process) => libc::syscall(libc::SYS_rt_sigqueueinfo, process, signal, pointer) as libc::c_int,
            Target::Thread { process, thread } => {
                libc::syscall(libc::SYS_rt_tgsigqueueinfo, process, thread, signal, pointer) as libc::c_int
            }
            Target::Pidfd(descriptor) => send_pidfd(descriptor, signal, pointer),
            Target::Group(_) => {
                let remedy = "the kernel sends values to single processes and threads only";
                return Err(Error::os(OPERATION, Errno::EOPNOTSUPP).on(target.to_string()).hint(remedy));
            }
        }
    };
    told(OPERATION, target, result)
}

/// # Safety
/// `information` is NULL or valid.
unsafe fn send_pidfd(descriptor: BorrowedFd<'_>, signal: i32, information: *const Queued) -> libc::c_int {
    // SAFETY: the caller's promise; no flags.
    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, descriptor.as_raw_fd(), signal, information, 0) as libc::c_int }
}

fn check_target(operation: &'static str, target: Target<'_>, signal: i32) -> Result<()> {
    let refused = |remedy: String| Err(Error::os(operation, Errno::EINVAL).on(target.to_string()).hint(remedy));
    if signal != 0 && table::describe(signal).is_none() {
        return refused(format!("there is no signal {signal}: they go from 1 to {}", table::LARGEST));
    }
    match target {
        // To kill, 0 and -1 mean the own group and everybody.
        Target::Process(process) if process <= 0 => refused("a process has a number above 0".to_owned()),
        // kill(-1) means everybody, not group 1.
        Target::Group(group) if group < 0 || group == 1 => refused("a group has a number above 1, or is 0, the own one".to_owned()),
        Target::Thread { process, thread } if process <= 0 || thread <= 0 => refused("numbers are above 0".to_owned()),
        _ => Ok(()),
    }
}

fn told(operation: &'static str, target: Target<'_>, result: libc::c_int) -> Result<()> {
    let Err(errno) = check(result) else { return Ok(()) };
    let error = Error::os(operation, errno).on(target.to_string());
    Err(match errno {
        Errno::EAGAIN => error.hint("its user has as many signals queued as RLIMIT_SIGPENDING allows"),
        Errno::ENOSYS => Error::failure(operation, Failure::Unavailable).on(target.to_string()).hint("the kernel has no pidfd"),
        _ => error,
    })
}

/// The part of the kernel's siginfo that a sender fills; 128 bytes.
#[repr(C)]
struct Queued {
    signal: i32,
    error: i32,
    code: i32,
    #[cfg(target_pointer_width = "64")]
    padding: i32,
    pid: i32,
    uid: u32,
    value: libc::sigval,
    #[cfg(target_pointer_width = "64")]
    rest: [u64; 12],
    #[cfg(not(target_pointer_width = "64"))]
    rest: [u32; 26],
}

const _: () = assert!(size_of::<Queued>() == size_of::<libc::siginfo_t>());

impl Queued {
    fn new(signal: i32, value: i32) -> Queued {
        Queued {
            signal,
            error: 0,
            code: libc::SI_QUEUE,
            #[cfg(target_pointer_width = "64")]
            padding: 0,
            pid: std::process::id() as i32,
            // SAFETY: always succeeds.
            uid: unsafe { libc::getuid() },
            value: value_of(value),
            rest: Default::default(),
        }
    }
}
