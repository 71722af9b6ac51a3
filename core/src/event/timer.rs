//! Timers that are descriptors: timerfd.
//!
//! A timer expires beside everything else that a loop waits for, and what was missed is counted: a loop that was busy for three periods takes 3, once.
//!
//! A period that is kept by sleeping after the work drifts by the length of the work; a periodic timer does not: its expirations lie at `first + n * interval`
//! whatever happens between them. A time of day is the wrong clock for periods, as it can be set: the clocks here only go forward. The one that counts the time that the machine was asleep is
//! [`Clock::Boottime`].
//!
//! The race is in setting it anew: an expiration that nobody has taken yet is forgotten by [`Timer::set`], and one that comes while it is set counts for
//! the new time. So whoever sets it asks no question about the old one.
//!
//! [timerfd_create(2)](https://man7.org/linux/man-pages/man2/timerfd_create.2.html)

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;

use super::{adopt_kind, fdinfo, read_record};
use crate::error::{Context, Error, Result, check};
use crate::wait::{Deadline, Wait};

/// The clock that a timer goes by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Clock {
    /// `CLOCK_MONOTONIC`: never set, stands still while the machine sleeps.
    #[default]
    Monotonic,
    /// `CLOCK_BOOTTIME`: never set, goes on while the machine sleeps.
    Boottime,
}

impl Clock {
    fn number(self) -> libc::clockid_t {
        match self {
            Clock::Monotonic => libc::CLOCK_MONOTONIC,
            Clock::Boottime => libc::CLOCK_BOOTTIME,
        }
    }

    /// The time by this clock, since its zero: what [`Timer::set_at`] takes.
    pub fn now(self) -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is valid to write to; both clocks always exist.
        unsafe { libc::clock_gettime(self.number(), &mut time) };
        duration(time)
    }
}

/// When a timer will expire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimerState {
    /// The time until the next expiration; `None` for a timer that is not set, or will not expire any more.
    pub remaining: Option<Duration>,
    /// The time between two expirations; `None` for one that expires once.
    pub interval: Option<Duration>,
}

/// A timerfd. It costs one descriptor; `fork` hands it on, and parent and child then share the timer: an expiration that one takes the other does not see.
#[derive(Debug)]
pub struct Timer {
    descriptor: OwnedFd,
    clock: Clock,
}

impl Timer {
    /// Makes a timer that is not set. Errors: `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn create(clock: Clock) -> Result<Timer> {
        // Non-blocking: the description is our own, and kernels before 6.10 have no other way not to wait.
        // SAFETY: timerfd_create takes integers.
        let raw = check(unsafe { libc::timerfd_create(clock.number(), libc::TFD_CLOEXEC | libc::TFD_NONBLOCK) }).during("create timer")?;
        // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
        Ok(Timer { descriptor: unsafe { OwnedFd::from_raw_fd(raw) }, clock })
    }

    /// Takes over a timerfd from elsewhere, set or not. What is refused is given back, with [`Failure::WrongKind`](crate::Failure::WrongKind).
    pub fn adopt(descriptor: OwnedFd) -> std::result::Result<Timer, (OwnedFd, Error)> {
        const OPERATION: &str = "adopt timer";
        let descriptor = adopt_kind(OPERATION, "[timerfd]", "a timerfd", descriptor)?;
        let clock = match fdinfo(descriptor.as_fd(), "clockid").as_deref() {
            None | Some("1") => Clock::Monotonic,
            Some("7") => Clock::Boottime,
            Some(other) => {
                let error =
                    Error::failure(OPERATION, crate::Failure::WrongKind).hint(format!("it goes by clock {other}, which can be set"));
                return Err((descriptor, error));
            }
        };
        Ok(Timer { descriptor, clock })
    }

    /// The clock that it goes by.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Expires after `first`, and then every `interval` if that is not zero. What was set before is forgotten, expirations that nobody has taken too.
    pub fn set(&self, first: Duration, interval: Duration) -> Result<()> {
        self.change("set timer", first, interval, 0)
    }

    /// Expires at a time of its clock (at once, if that is past), and then every `interval` if that is not zero.
    pub fn set_at(&self, at: Duration, interval: Duration) -> Result<()> {
        self.change("set timer", at, interval, libc::TFD_TIMER_ABSTIME)
    }

    /// Does not expire any more. Expirations that nobody has taken are forgotten.
    pub fn cancel(&self) -> Result<()> {
        let none = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        self.apply("cancel timer", &libc::itimerspec { it_interval: none, it_value: none }, 0)
    }

    /// Waits for an expiration, and gives how many there were since the last call or since it was set. A timer that is not set never expires.
    ///
    /// Errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]).
    pub fn wait<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<u64> {
        let mut expirations = [0; 8];
        read_record(self.as_fd(), &mut expirations, &mut Deadline::new("wait for timer", wait))?;
        Ok(u64::from_ne_bytes(expirations))
    }

    /// When it will expire next.
    pub fn state(&self) -> Result<TimerState> {
        // SAFETY: zero bytes are a valid itimerspec.
        let mut now: libc::itimerspec = unsafe { std::mem::zeroed() };
        // SAFETY: the place is valid to write to.
        check(unsafe { libc::timerfd_gettime(self.descriptor.as_raw_fd(), &mut now) }).during("read timer")?;
        let known = |time| Some(duration(time)).filter(|duration| !duration.is_zero());
        Ok(TimerState { remaining: known(now.it_value), interval: known(now.it_interval) })
    }

    fn change(&self, operation: &'static str, first: Duration, interval: Duration, flags: libc::c_int) -> Result<()> {
        // Zero would mean "never" to the kernel.
        let first = first.max(Duration::from_nanos(1));
        let times = libc::itimerspec { it_value: timespec(operation, first)?, it_interval: timespec(operation, interval)? };
        self.apply(operation, &times, flags)
    }

    fn apply(&self, operation: &'static str, times: &libc::itimerspec, flags: libc::c_int) -> Result<()> {
        // SAFETY: the times are valid to read; NULL asks for no old ones.
        check(unsafe { libc::timerfd_settime(self.descriptor.as_raw_fd(), flags, times, std::ptr::null_mut()) }).during(operation)?;
        Ok(())
    }
}

fn duration(time: libc::timespec) -> Duration {
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn timespec(operation: &'static str, duration: Duration) -> Result<libc::timespec> {
    let seconds =
        libc::time_t::try_from(duration.as_secs()).map_err(|_| Error::os(operation, Errno::EINVAL).hint("the time is too far"))?;
    Ok(libc::timespec { tv_sec: seconds, tv_nsec: duration.subsec_nanos() as libc::c_long })
}

impl AsFd for Timer {
    /// Readable when there is an expiration that nobody has taken.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl From<Timer> for OwnedFd {
    /// A timer made here is non-blocking.
    fn from(timer: Timer) -> OwnedFd {
        timer.descriptor
    }
}
