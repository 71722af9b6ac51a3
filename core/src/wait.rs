//! How long a call may wait, and how it is ended early.
//!
//! Every call that can wait takes `impl Into<Wait>`: a [`Timeout`], and a [`Stop`] token if the caller has one. The rules:
//!
//! * the first attempt costs nothing here: the clock is read, and the token looked at, only when the call is about to sleep;
//! * then one `CLOCK_MONOTONIC` deadline holds for the rest of the call, whatever signals and clock jumps happen;
//! * waiting for ever without a token is one plain blocking system call;
//! * where the kernel sleeps on a descriptor, the token's own descriptor is polled beside it; where it cannot (semaphores, locks), the
//!   sleep is cut into slices of 50 ms; where it has no timeout at all, the call probes, from every 50 µs to every 10 ms;
//! * a caller with a runtime of its own, which must run its signal handlers in the middle of a wait, is asked after every sleep of 50 ms, and
//!   after every signal, whether it still wants to wait ([`Wait::while_wanted`]).
//!
//! A flag that a signal handler sets is not enough to end a wait: the signal may arrive between the look at the flag and the sleep, and the
//! sleep then lasts for ever. The token therefore also is a descriptor that stays readable.
//!
//! [poll(2)](https://man7.org/linux/man-pages/man2/poll.2.html), [eventfd(2)](https://man7.org/linux/man-pages/man2/eventfd.2.html)

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::errno::Errno;

use crate::error::{Context, Error, Result, check};

/// The longest sleep that does not look at a stop token, or ask the caller.
const SLICE: i64 = 50_000_000;

/// How long a call may wait: not at all, for some nanoseconds, or for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timeout(i64);

impl Timeout {
    /// Never wait: what cannot be done at once fails with `EAGAIN`.
    pub const NEVER_WAIT: Timeout = Timeout(0);
    /// Wait without a limit.
    pub const FOREVER: Timeout = Timeout(i64::MAX);

    /// The C ABI's form: zero or less never waits, `i64::MAX` is for ever.
    pub const fn from_nanoseconds(nanoseconds: i64) -> Timeout {
        Timeout(if nanoseconds < 0 { 0 } else { nanoseconds })
    }

    fn is_forever(self) -> bool {
        self == Timeout::FOREVER
    }
}

impl From<Duration> for Timeout {
    /// A duration beyond 292 years is for ever.
    fn from(duration: Duration) -> Timeout {
        Timeout(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl From<Option<Duration>> for Timeout {
    /// `None` waits for ever.
    fn from(duration: Option<Duration>) -> Timeout {
        duration.map_or(Timeout::FOREVER, Timeout::from)
    }
}

/// A timeout together with what may end the wait before it.
#[derive(Clone, Copy)]
pub struct Wait<'a> {
    timeout: Timeout,
    stop: Option<&'a Stop>,
    is_wanted: Option<&'a (dyn Fn() -> bool + Sync)>,
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = self.is_wanted.is_some();
        formatter.debug_struct("Wait").field("timeout", &self.timeout).field("stop", &self.stop).field("asked", &asked).finish()
    }
}

impl<'a> Wait<'a> {
    /// Waits as long as `timeout` says, and no longer than until `stop` is requested.
    pub fn new(timeout: impl Into<Timeout>, stop: Option<&'a Stop>) -> Wait<'a> {
        Wait { timeout: timeout.into(), stop, is_wanted: None }
    }

    /// Asks `is_wanted` whenever a sleep ends without what was waited for: after a signal, and at least every 50 ms. The wait fails with
    /// `EINTR` when the answer is no. For language runtimes, whose signal handlers do not run inside the kernel's.
    pub fn while_wanted(self, is_wanted: &'a (dyn Fn() -> bool + Sync)) -> Wait<'a> {
        Wait { is_wanted: Some(is_wanted), ..self }
    }

    /// Whether one plain blocking call will do: no limit, no token, nobody to ask.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.timeout.is_forever() && self.stop.is_none() && self.is_wanted.is_none()
    }

    /// The same token with another timeout.
    pub fn with_timeout(self, timeout: impl Into<Timeout>) -> Wait<'a> {
        Wait { timeout: timeout.into(), ..self }
    }

    /// Waits without a limit.
    pub const FOREVER: Wait<'static> = Wait { timeout: Timeout::FOREVER, stop: None, is_wanted: None };
    /// Does not wait.
    pub const NEVER: Wait<'static> = Wait { timeout: Timeout::NEVER_WAIT, stop: None, is_wanted: None };
}

impl<T: Into<Timeout>> From<T> for Wait<'_> {
    fn from(timeout: T) -> Self {
        Wait::new(timeout, None)
    }
}

impl<'a> From<&'a Stop> for Wait<'a> {
    /// For ever, or until the token is requested.
    fn from(stop: &'a Stop) -> Self {
        Wait::new(Timeout::FOREVER, Some(stop))
    }
}

/// Ends waits from a signal handler or from another thread: each then fails with `ECANCELED`.
///
/// Clones are the same token. It costs one descriptor and one page. After `fork` parent and child share it: a request in either ends the waits of both, and a
/// reset in either holds for both.
#[derive(Debug, Clone)]
pub struct Stop {
    inner: Arc<StopInner>,
}

#[derive(Debug)]
struct StopInner {
    requested: SharedFlag,
    event: OwnedFd,
}

/// A flag on a page that processes made by `fork` have in common.
#[derive(Debug)]
struct SharedFlag(NonNull<AtomicBool>);

// SAFETY: it is an atomic, and the page stays until the flag is dropped.
unsafe impl Send for SharedFlag {}
// SAFETY: as above.
unsafe impl Sync for SharedFlag {}

impl SharedFlag {
    fn new() -> std::result::Result<SharedFlag, Errno> {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, where the kernel likes it.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), size_of::<AtomicBool>(), access, kind, -1, 0) };
        if start == libc::MAP_FAILED { Err(Errno::last()) } else { NonNull::new(start.cast()).map(SharedFlag).ok_or(Errno::ENOMEM) }
    }
}

impl Drop for SharedFlag {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody borrows the flag any more.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<AtomicBool>()) };
    }
}

impl std::ops::Deref for SharedFlag {
    type Target = AtomicBool;

    fn deref(&self) -> &AtomicBool {
        // SAFETY: the page is there as long as the flag, aligned, and zero at first, which is false; nothing else than atomics touches it.
        unsafe { self.0.as_ref() }
    }
}

impl Stop {
    /// A token that is not requested. Fails with `EMFILE` or `ENFILE` when no descriptor is left, `ENOMEM` when no page is.
    pub fn new() -> Result<Stop> {
        const OPERATION: &str = "create stop token";
        // SAFETY: eventfd has no memory-safety preconditions.
        let raw = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) }).during(OPERATION)?;
        // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
        let event = unsafe { OwnedFd::from_raw_fd(raw) };
        let requested = SharedFlag::new().during(OPERATION)?;
        // So that the page is there when a signal handler needs it.
        requested.store(false, Ordering::SeqCst);
        Ok(Stop { inner: Arc::new(StopInner { requested, event }) })
    }

    /// Ends every wait that uses the token, now and until [`reset`](Stop::reset). Async-signal-safe; errno is left as it was.
    pub fn request(&self) {
        let saved = Errno::last_raw();
        self.inner.requested.store(true, Ordering::SeqCst);
        let one = 1u64.to_ne_bytes();
        // SAFETY: the buffer is valid for its length. A full counter fails with EAGAIN and is readable all the same.
        unsafe { libc::write(self.inner.event.as_raw_fd(), one.as_ptr().cast(), one.len()) };
        // A reset between the two has taken away the flag alone.
        if !self.is_requested() && is_ready(self.as_fd(), libc::POLLIN) {
            self.inner.requested.store(true, Ordering::SeqCst);
        }
        Errno::set_raw(saved);
    }

    /// Makes the token usable again. A request that comes at the same time may be lost.
    pub fn reset(&self) {
        let mut counter = [0u8; 8];
        // SAFETY: the buffer is valid for its length. An empty counter fails with EAGAIN, which is what we want of it.
        unsafe { libc::read(self.inner.event.as_raw_fd(), counter.as_mut_ptr().cast(), counter.len()) };
        self.inner.requested.store(false, Ordering::SeqCst);
        // One that came between the two stands.
        if is_ready(self.as_fd(), libc::POLLIN) {
            self.inner.requested.store(true, Ordering::SeqCst);
        }
    }

    /// Whether a request stands. Async-signal-safe.
    pub fn is_requested(&self) -> bool {
        self.inner.requested.load(Ordering::SeqCst)
    }
}

impl AsFd for Stop {
    /// Readable while a request stands.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.event.as_fd()
    }
}

/// Now, on the clock that every deadline uses: `CLOCK_MONOTONIC`, in nanoseconds.
#[allow(clippy::useless_conversion, reason = "on 32-bit systems the fields are narrower")]
pub(crate) fn now() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec to write to; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    i64::from(time.tv_sec) * 1_000_000_000 + i64::from(time.tv_nsec)
}

pub(crate) fn timespec(nanoseconds: i64) -> libc::timespec {
    libc::timespec { tv_sec: (nanoseconds / 1_000_000_000) as libc::time_t, tv_nsec: (nanoseconds % 1_000_000_000) as libc::c_long }
}

/// The progress of one call's wait.
///
/// A call makes its attempt; if that would block, it asks the deadline to [`ready`](Deadline::ready), [`pause`](Deadline::pause) or
/// [`until`](Deadline::until), each of which fails when there is no time left, and tries again.
#[derive(Debug)]
pub struct Deadline<'a> {
    operation: &'static str,
    wait: Wait<'a>,
    at: Option<i64>,
    next_pause: i64,
    has_slept: bool,
    /// How many bytes have passed since the clock was last looked at.
    unlooked: usize,
}

/// How many bytes may pass before a call that never has to sleep looks at the clock all the same.
pub(crate) const PIECE: usize = 4 << 20;

impl<'a> Deadline<'a> {
    /// The deadline of one call of `operation`. The clock starts at the first sleep.
    pub fn new(operation: &'static str, wait: impl Into<Wait<'a>>) -> Deadline<'a> {
        Deadline { operation, wait: wait.into(), at: None, next_pause: 50_000, has_slept: false, unlooked: 0 }
    }

    /// What the call does, for its errors.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Whether one plain blocking call will do: no limit, no token, nobody to ask.
    pub fn is_plain(&self) -> bool {
        self.wait.is_plain()
    }

    /// Whether the caller does not want to wait at all.
    pub fn never_waits(&self) -> bool {
        self.wait.timeout == Timeout::NEVER_WAIT
    }

    /// The nanoseconds that are left for a sleep, `None` for ever.
    ///
    /// Fails with `EAGAIN` if the caller does not wait, `ETIMEDOUT` if time is up, `ECANCELED` if the token is requested, `EINTR` if the caller does
    /// not want to wait any more.
    pub fn remaining(&mut self) -> Result<Option<i64>> {
        if self.never_waits() {
            return Err(Error::os(self.operation, Errno::EAGAIN));
        }
        // Not before the first sleep: the caller has just decided to wait.
        if self.has_slept && self.wait.is_wanted.is_some_and(|is_wanted| !is_wanted()) {
            return Err(Error::os(self.operation, Errno::EINTR));
        }
        self.has_slept = true;
        if self.wait.stop.is_some_and(Stop::is_requested) {
            return Err(Error::os(self.operation, Errno::ECANCELED));
        }
        if self.wait.timeout.is_forever() {
            return Ok(None);
        }
        let now = now();
        let at = *self.at.get_or_insert_with(|| now.saturating_add(self.wait.timeout.0));
        if at <= now {
            return Err(Error::os(self.operation, Errno::ETIMEDOUT));
        }
        Ok(Some(at - now))
    }

    /// Notes that bytes have passed: a peer who is always ready must not put the end of the wait off.
    pub(crate) fn passed(&mut self, bytes: usize) {
        self.unlooked = self.unlooked.saturating_add(bytes);
    }

    /// Fails as [`remaining`](Deadline::remaining) does, after every [`PIECE`] that has passed; never for a caller who does not wait anyway.
    #[inline]
    pub(crate) fn look(&mut self) -> Result<()> {
        if self.unlooked < PIECE || self.never_waits() {
            return Ok(());
        }
        self.unlooked = 0;
        self.remaining().map(drop)
    }

    /// Sleeps until `descriptor` is ready for `events` (`POLLIN`, `POLLOUT`), or has hung up.
    pub fn ready(&mut self, descriptor: BorrowedFd<'_>, events: libc::c_short) -> Result<()> {
        loop {
            let remaining = self.remaining()?;
            let stop = self.wait.stop.map_or(-1, |stop| stop.as_fd().as_raw_fd());
            let mut polled = [
                libc::pollfd { fd: descriptor.as_raw_fd(), events, revents: 0 },
                libc::pollfd { fd: stop, events: libc::POLLIN, revents: 0 },
            ];
            let count = 1 + usize::from(stop >= 0);
            let length = if self.wait.is_wanted.is_some() { Some(remaining.unwrap_or(i64::MAX).min(SLICE)) } else { remaining };
            poll(&mut polled[..count], length).during(self.operation)?;
            if polled[0].revents & libc::POLLNVAL != 0 {
                return Err(Error::os(self.operation, Errno::EBADF));
            }
            if polled[0].revents != 0 {
                return Ok(());
            }
            self.check_stop(polled[1].revents)?;
        }
    }

    /// Sleeps until `descriptor` is ready for `events`, but no longer than `longest` nanoseconds: for what wakes us mostly, and not always.
    pub fn ready_or(&mut self, descriptor: BorrowedFd<'_>, events: libc::c_short, longest: i64) -> Result<()> {
        let mut length = self.remaining()?.unwrap_or(i64::MAX).min(longest);
        if self.wait.is_wanted.is_some() {
            length = length.min(SLICE);
        }
        let stop = self.wait.stop.map_or(-1, |stop| stop.as_fd().as_raw_fd());
        let mut polled =
            [libc::pollfd { fd: descriptor.as_raw_fd(), events, revents: 0 }, libc::pollfd { fd: stop, events: libc::POLLIN, revents: 0 }];
        let count = 1 + usize::from(stop >= 0);
        poll(&mut polled[..count], Some(length)).during(self.operation)?;
        if polled[0].revents != 0 { Ok(()) } else { self.check_stop(polled[1].revents) }
    }

    /// Sleeps before the next probe of something that cannot wake us: 50 µs at first, 10 ms in the end.
    pub fn pause(&mut self) -> Result<()> {
        let remaining = self.remaining()?;
        let length = self.next_pause(remaining);
        self.sleep_once(-1, 0, Some(length))
    }

    /// One sleep of [`ready`](Deadline::ready), or with `probes` of [`pause`](Deadline::pause), which `descriptor` ends as well. It asks nobody, so it may be
    /// done where others wait for its end: `remaining` is what [`remaining`](Deadline::remaining) has given right before.
    pub(crate) fn sleep_beside(&mut self, descriptor: BorrowedFd<'_>, remaining: Option<i64>, probes: bool) -> Result<()> {
        let length = match probes {
            true => Some(self.next_pause(remaining)),
            false if self.wait.is_wanted.is_some() => Some(remaining.unwrap_or(i64::MAX).min(SLICE)),
            false => remaining,
        };
        self.sleep_once(descriptor.as_raw_fd(), libc::POLLIN, length)
    }

    fn next_pause(&mut self, remaining: Option<i64>) -> i64 {
        let length = self.next_pause.min(remaining.unwrap_or(i64::MAX));
        self.next_pause = (self.next_pause * 2).min(10_000_000);
        length
    }

    /// A number below zero is no descriptor.
    fn sleep_once(&mut self, descriptor: libc::c_int, events: libc::c_short, length: Option<i64>) -> Result<()> {
        let stop = self.wait.stop.map_or(-1, |stop| stop.as_fd().as_raw_fd());
        let mut polled = [libc::pollfd { fd: stop, events: libc::POLLIN, revents: 0 }, libc::pollfd { fd: descriptor, events, revents: 0 }];
        let count = 1 + usize::from(descriptor >= 0);
        poll(&mut polled[..count], length).during(self.operation)?;
        if polled[1].revents != 0 { Ok(()) } else { self.check_stop(polled[0].revents) }
    }

    /// The end of the next sleep that can see no descriptor, at most `longest` nanoseconds from now, on the monotonic clock.
    pub fn until(&mut self, longest: i64) -> Result<libc::timespec> {
        let length = self.slice(longest)?;
        Ok(timespec(now().saturating_add(length)))
    }

    /// The length of the next sleep that can see no descriptor, in nanoseconds, at most `longest`.
    pub fn slice(&mut self, longest: i64) -> Result<i64> {
        let remaining = self.remaining()?.unwrap_or(i64::MAX).min(longest);
        let is_cut = self.wait.stop.is_some() || self.wait.is_wanted.is_some();
        Ok(if is_cut { remaining.min(SLICE) } else { remaining })
    }

    /// What a poll has said of the token's descriptor.
    fn check_stop(&self, revents: libc::c_short) -> Result<()> {
        if revents & libc::POLLIN == 0 { Ok(()) } else { Err(Error::os(self.operation, Errno::ECANCELED)) }
    }
}

/// One poll; a signal ends it early, like an event. `None` has no limit.
fn poll(polled: &mut [libc::pollfd], nanoseconds: Option<i64>) -> std::result::Result<(), Errno> {
    let (start, count) = (polled.as_mut_ptr(), polled.len() as libc::nfds_t);
    let result = match nanoseconds {
        // SAFETY: the array is valid for its length.
        None => unsafe { libc::poll(start, count, -1) },
        // Whole milliseconds, as a slice is, need no time to be copied in and out.
        // SAFETY: as above.
        Some(length @ 0..=SLICE) if length % 1_000_000 == 0 => unsafe { libc::poll(start, count, (length / 1_000_000) as libc::c_int) },
        // SAFETY: as above; the limit is a valid timespec, and no mask is given.
        Some(length) => unsafe { libc::ppoll(start, count, &timespec(length), std::ptr::null()) },
    };
    match check(result) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(Errno::EINVAL) if polled.len() > 1 => poll_one_by_one(polled, nanoseconds),
        Err(errno) => Err(errno),
    }
}

/// Where RLIMIT_NOFILE is smaller than the number of descriptors, the kernel does not poll them together.
#[cold]
fn poll_one_by_one(polled: &mut [libc::pollfd], nanoseconds: Option<i64>) -> std::result::Result<(), Errno> {
    let mut length = nanoseconds.unwrap_or(i64::MAX).min(SLICE / 5);
    for one in &mut *polled {
        poll(std::slice::from_mut(one), Some(0))?;
        if one.revents != 0 {
            length = 0;
        }
    }
    poll(&mut polled[..1], Some(length))
}

/// Whether a descriptor is ready for `events`, or has hung up, at this moment.
pub(crate) fn is_ready(descriptor: BorrowedFd<'_>, events: libc::c_short) -> bool {
    let mut polled = [libc::pollfd { fd: descriptor.as_raw_fd(), events, revents: 0 }];
    poll(&mut polled, Some(0)).is_ok() && polled[0].revents != 0
}

/// Repeats `attempt` while it fails with one of `errnos`, for as long as `patience` lasts; then gives its last error.
///
/// For objects that another process is about to create.
pub(crate) fn await_creator<T>(
    operation: &'static str,
    patience: Wait<'_>,
    may_come: impl Fn(&Error) -> bool,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let mut deadline = Deadline::new(operation, patience);
    loop {
        match attempt() {
            Err(error) if may_come(&error) => match deadline.pause() {
                Ok(()) => {}
                Err(stopped) if stopped.is_given_up() => return Err(stopped),
                Err(_) => return Err(error),
            },
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_waiting_and_running_out_are_told_apart() {
        let stop = Stop::new().unwrap();
        let never = Deadline::new("wait", Timeout::NEVER_WAIT).ready(stop.as_fd(), libc::POLLIN).unwrap_err();
        assert!(never.is(Errno::EAGAIN));
        let before = now();
        let late = Deadline::new("wait", Duration::from_millis(20)).ready(stop.as_fd(), libc::POLLIN).unwrap_err();
        assert!(late.is(Errno::ETIMEDOUT));
        assert!(now() - before >= 20_000_000);
    }

    #[test]
    fn a_stop_token_ends_every_kind_of_sleep() {
        let idle = Stop::new().unwrap();
        let stop = Stop::new().unwrap();
        stop.request();
        let mut deadline = Deadline::new("wait", &stop);
        assert!(deadline.ready(idle.as_fd(), libc::POLLIN).unwrap_err().is(Errno::ECANCELED));
        assert!(deadline.pause().unwrap_err().is(Errno::ECANCELED));
        assert!(deadline.slice(1).unwrap_err().is(Errno::ECANCELED));
        stop.reset();
        assert!(!stop.is_requested());
        assert_eq!(Deadline::new("wait", &stop).slice(i64::MAX).unwrap(), SLICE);
    }

    #[test]
    fn a_request_from_another_thread_wakes_a_sleeper() {
        let idle = Stop::new().unwrap();
        let stop = Stop::new().unwrap();
        let other = stop.clone();
        std::thread::scope(|scope| {
            scope.spawn(move || other.request());
            assert!(Deadline::new("wait", &stop).ready(idle.as_fd(), libc::POLLIN).unwrap_err().is(Errno::ECANCELED));
        });
    }

    #[test]
    fn extreme_timeouts_do_not_overflow() {
        assert_eq!(Timeout::from_nanoseconds(i64::MIN), Timeout::NEVER_WAIT);
        assert_eq!(Timeout::from(Duration::MAX), Timeout::FOREVER);
        let mut deadline = Deadline::new("wait", Timeout::from_nanoseconds(i64::MAX - 1));
        assert!(deadline.remaining().unwrap().unwrap() > 0);
        assert!(deadline.until(i64::MAX).is_ok());
    }

    #[test]
    fn a_closed_descriptor_is_an_error_and_no_hang() {
        // SAFETY: the number is far above any limit, so it names no descriptor, and it is not closed by the borrow.
        let closed = unsafe { BorrowedFd::borrow_raw(i32::MAX - 1) };
        assert!(Deadline::new("wait", Wait::FOREVER).ready(closed, libc::POLLIN).unwrap_err().is(Errno::EBADF));
    }
}
