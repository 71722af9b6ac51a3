//! A counter that wakes: eventfd.
//!
//! The cheapest way to say "look at the shared memory": eight bytes of state in the kernel, one descriptor, nothing to frame. Additions that come before the
//! other side looks are summed, so a fast sender never fills it and a slow receiver learns how many there were.
//!
//! The race is between the data and the notice. The correct order: the sender writes the data, *then* adds; the receiver takes, *then* reads all
//! the data that is there, however large the number was. Who reads the data first and takes afterwards throws the notice of the newest data away, and
//! sleeps on it.
//!
//! It has no name: the other process inherits it, or is sent it over a Unix socket.
//!
//! [eventfd(2)](https://man7.org/linux/man-pages/man2/eventfd.2.html)

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU8, Ordering};

use nix::errno::Errno;

use super::{adopt_kind, fdinfo, read, read_record};
use crate::error::{Context, Error, Result, check};
use crate::wait::{Deadline, Wait, is_ready};

/// The largest value that the counter can have.
const LARGEST: u64 = u64::MAX - 1;

/// How a counter is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventCounterOptions {
    /// What it begins with.
    pub initial: u32,
    /// [`EventCounter::take`] takes one, not all.
    pub semaphore: bool,
}

/// An eventfd. It costs one descriptor; `fork` hands it on, and parent and child then share the counter.
///
/// ```
/// use unipc::event::EventCounter;
/// let counter = EventCounter::create(&Default::default())?;
/// counter.add(2, None)?;
/// counter.add(40, None)?;
/// assert_eq!(counter.take(None)?, 42);
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Debug)]
pub struct EventCounter {
    descriptor: OwnedFd,
    /// Somebody else's, whose plain reads and writes may sleep.
    blocks: bool,
    /// How many takes still begin with poll, since one has found nothing: who waits for each notice would begin each time with a read in vain.
    polls_first: AtomicU8,
}

/// What one read in vain is worth.
const POLLS_AFTER_VAIN_READ: u8 = 8;

impl EventCounter {
    /// Makes a counter. Its description does not block: who reads it by other means polls before. Errors: `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn create(options: &EventCounterOptions) -> Result<EventCounter> {
        let flags = libc::EFD_CLOEXEC | libc::EFD_NONBLOCK | if options.semaphore { libc::EFD_SEMAPHORE } else { 0 };
        // SAFETY: eventfd takes integers.
        let raw = check(unsafe { libc::eventfd(options.initial, flags) }).during("create event counter")?;
        // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
        Ok(EventCounter { descriptor: unsafe { OwnedFd::from_raw_fd(raw) }, blocks: false, polls_first: AtomicU8::new(0) })
    }

    /// Takes over an eventfd from elsewhere. What is refused is given back, with [`Failure::WrongKind`](crate::Failure::WrongKind).
    ///
    /// One that blocks stays so. The kernel has no write to it that does not wait: [`add`](EventCounter::add) asks for room before, and if another
    /// takes that room in this moment, waits beyond its limit. The same holds for [`take`](EventCounter::take) before Linux 5.8.
    pub fn adopt(descriptor: OwnedFd) -> std::result::Result<EventCounter, (OwnedFd, Error)> {
        adopt_kind("adopt event counter", "[eventfd]", "an eventfd", descriptor).map(|descriptor| EventCounter {
            blocks: blocks(descriptor.as_fd()),
            descriptor,
            polls_first: AtomicU8::new(0),
        })
    }

    /// Adds to the counter and wakes who waits. It waits itself only while the sum would exceed 2^64 - 2. Adding 0 wakes nobody.
    ///
    /// Errors: `EINVAL` for 2^64 - 1; `EAGAIN`, `ETIMEDOUT`, `ECANCELED` when there is no room (see [`Wait`]).
    pub fn add<'a>(&self, value: u64, wait: impl Into<Wait<'a>>) -> Result<()> {
        const OPERATION: &str = "add to event counter";
        if value > LARGEST {
            return Err(Error::os(OPERATION, Errno::EINVAL).hint(format!("the counter holds {LARGEST} at most")));
        }
        let mut deadline = Deadline::new(OPERATION, wait);
        let bytes = value.to_ne_bytes();
        loop {
            if self.blocks && !deadline.is_plain() && !self.has_room(value) {
                // Poll says yes when there is room for one.
                if is_ready(self.as_fd(), libc::POLLOUT) {
                    deadline.pause()?
                } else {
                    deadline.ready(self.as_fd(), libc::POLLOUT)?
                }
                continue;
            }
            // SAFETY: the buffer is valid for reads of its length.
            match check(unsafe { libc::write(self.descriptor.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) }) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                // Poll says yes when there is room for one.
                Err(Errno::EAGAIN) if is_ready(self.as_fd(), libc::POLLOUT) => deadline.pause()?,
                Err(Errno::EAGAIN) => deadline.ready(self.as_fd(), libc::POLLOUT)?,
                Err(errno) => return Err(Error::os(OPERATION, errno)),
            }
        }
    }

    /// Takes what the counter has and leaves 0; of one in semaphore mode, takes 1. Waits while it is 0.
    ///
    /// Errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]).
    pub fn take<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<u64> {
        let mut value = [0; 8];
        let mut deadline = Deadline::new("take from event counter", wait);
        if !self.blocks && !deadline.never_waits() {
            match self.polls_first.load(Ordering::Relaxed) {
                0 => match read(self.as_fd(), &mut value) {
                    Ok(_) => return Ok(u64::from_ne_bytes(value)),
                    Err(Errno::EAGAIN) => self.polls_first.store(POLLS_AFTER_VAIN_READ, Ordering::Relaxed),
                    // Whatever it is, it comes again below.
                    Err(_) => {}
                },
                left => self.polls_first.store(left - 1, Ordering::Relaxed),
            }
            deadline.ready(self.as_fd(), libc::POLLIN)?;
        }
        read_record(self.as_fd(), &mut value, &mut deadline)?;
        Ok(u64::from_ne_bytes(value))
    }

    /// What the counter has at this moment, without taking it. [`Failure::Unavailable`](crate::Failure::Unavailable) without /proc.
    pub fn value(&self) -> Result<u64> {
        self.look()
            .ok_or_else(|| Error::failure("read event counter", crate::Failure::Unavailable).hint("/proc/self/fdinfo does not tell it"))
    }

    /// Whether a blocking write of `value` would return at once. Poll knows it for one; for more the counter has to be looked at.
    fn has_room(&self, value: u64) -> bool {
        if !is_ready(self.as_fd(), libc::POLLOUT) {
            return false;
        }
        value <= 1 || self.look().is_none_or(|now| now <= LARGEST - value)
    }

    fn look(&self) -> Option<u64> {
        u64::from_str_radix(&fdinfo(self.as_fd(), "eventfd-count")?, 16).ok()
    }
}

/// Whether it may sleep in a plain read or write.
fn blocks(descriptor: BorrowedFd<'_>) -> bool {
    // SAFETY: F_GETFL takes no argument.
    let flags = unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_GETFL) };
    flags & libc::O_NONBLOCK == 0
}

impl AsFd for EventCounter {
    /// Readable while the counter is not 0.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl From<EventCounter> for OwnedFd {
    fn from(counter: EventCounter) -> OwnedFd {
        counter.descriptor
    }
}
