//! An event at a place in shared memory: something has happened, and whoever waits for it goes on.
//!
//! A flag in memory that others poll costs a processor, or the time between two looks; a flag and a futex side by side lose the wake-up that falls
//! between the look and the sleep. Here flag and sleepers are one word (`word.rs`), so that no order of set and wait loses anything: set first, and the
//! wait does not sleep; wait first, and the set rings.
//!
//! There are two kinds:
//!
//! * *manual reset*, the kind of zero bytes: a gate. Once set it lets everybody through until [`reset`](Event::reset). Who waits while it is
//!   set goes on, also if it is reset before the waiter comes to run: each setting has a number of its own.
//! * *automatic reset*: a turnstile. Each setting lets one through, and setting it twice before anybody comes is setting it once; who has
//!   to count uses a [`Semaphore`](super::Semaphore).
//!
//! An event belongs to nobody, so nobody's death leaves it locked. But whoever takes the setting of an automatic one and is killed before it has acted
//! takes it along: let what is to be done stand in memory, and let each who wakes look there for more than one thing. A setter that is killed
//! before it rings delays the others by half a second at most.
//!
//! [futex(2)](https://man7.org/linux/man-pages/man2/futex.2.html)

use std::sync::atomic::Ordering;

use super::LONGEST_SLEEP;
use super::identity::{Identity, Kind};
use super::word::Word;
use crate::error::Result;
use crate::wait::{Deadline, Wait};

/// An event for memory that processes share. Zero bytes are a manual-reset event that is not set.
///
/// 128 bytes. It must not be moved or copied while in use. Any process may set, reset and wait, across pid namespaces, too; `fork` changes nothing.
#[repr(C, align(8))]
#[derive(Debug)]
pub struct Event {
    identity: Identity,
    /// The value: number of the setting 31 | is set 1.
    state: Word,
    room: [u64; 14],
}

const _: () = assert!(size_of::<Event>() == 128 && align_of::<Event>() == 8);

const SET: u32 = 1;
/// One setting.
const SETTING: u32 = 2;

impl Default for Event {
    fn default() -> Event {
        Event::manual_reset(false)
    }
}

impl Event {
    /// A gate, open if `set`; to be put into memory before others use it.
    pub const fn manual_reset(set: bool) -> Event {
        Event { identity: Identity::unused(), state: Word::new(set as u32), room: [0; 14] }
    }

    /// A turnstile, which lets one through at once if `set`; to be put into memory before others use it.
    pub fn automatic_reset(set: bool) -> Event {
        let event = Event::manual_reset(set);
        // Cannot fail: nobody has used it.
        let _ = event.identity.claim(Kind::AutomaticEvent, "initialise event", || ());
        event
    }

    /// Writes a new event to `place`, whatever bytes stood there.
    ///
    /// # Safety
    /// `place` is valid for writes of an `Event` and aligned, and nobody uses the event meanwhile.
    pub unsafe fn init(place: *mut Event, event: Event) {
        // SAFETY: the caller's promise.
        unsafe {
            (*place).identity.clear();
            place.write(event);
        }
    }

    /// Waits until it is set. One of automatic reset is not set any more then.
    ///
    /// Errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]); [`Failure::Incompatible`](crate::Failure::Incompatible).
    #[inline]
    pub fn wait<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<()> {
        if self.pass_at_once() { Ok(()) } else { self.wait_slowly(wait.into()) }
    }

    /// [`wait`](Event::wait) without waiting: `EAGAIN` if it is not set.
    pub fn try_wait(&self) -> Result<()> {
        self.wait(Wait::NEVER)
    }

    /// Sets it, and wakes those who wait. A second setting changes nothing.
    #[inline]
    pub fn set(&self) -> Result<()> {
        if self.set_at_once() { Ok(()) } else { self.set_slowly() }
    }

    /// Ends the setting; who waits from now on waits for the next. Gives whether it was set.
    pub fn reset(&self) -> Result<bool> {
        self.is_automatic("reset event")?;
        Ok(self.state.0.fetch_and(!u64::from(SET), Ordering::AcqRel) as u32 & SET != 0)
    }

    /// Whether it is set at this moment.
    pub fn is_set(&self) -> Result<bool> {
        self.is_automatic("read event")?;
        Ok(self.state.value(Ordering::Acquire) & SET != 0)
    }

    /// Goes through if it is set, in a few instructions that cannot panic. `false` says nothing: use [`wait`](Event::wait).
    #[doc(hidden)]
    #[inline]
    pub fn pass_at_once(&self) -> bool {
        if self.identity.is_ready_for_anyone(Kind::Event) {
            return self.state.value(Ordering::Acquire) & SET != 0;
        }
        self.identity.is_ready_for_anyone(Kind::AutomaticEvent) && self.take()
    }

    /// Sets it, without what the first use does, in a few instructions that cannot panic. `false` says nothing: use [`set`](Event::set).
    #[doc(hidden)]
    #[inline]
    pub fn set_at_once(&self) -> bool {
        let (sleepers, is_ready) = if self.identity.is_ready_for_anyone(Kind::Event) {
            (i32::MAX, true)
        } else {
            (1, self.identity.is_ready_for_anyone(Kind::AutomaticEvent))
        };
        if is_ready {
            self.set_and_ring(sleepers);
        }
        is_ready
    }

    #[cold]
    fn set_slowly(&self) -> Result<()> {
        let count = if self.is_automatic("set event")? { 1 } else { i32::MAX };
        self.set_and_ring(count);
        Ok(())
    }

    fn set_and_ring(&self, count: i32) {
        // Written also when it is set already: a mere look would let whoever takes that setting miss what the caller has written before.
        self.state.change(count, |value| Some(if value & SET == 0 { value.wrapping_add(SETTING) | SET } else { value }));
    }

    #[cold]
    fn wait_slowly(&self, wait: Wait<'_>) -> Result<()> {
        const OPERATION: &str = "wait for event";
        let is_automatic = self.is_automatic(OPERATION)?;
        let mut deadline = Deadline::new(OPERATION, wait);
        let first = self.state.value(Ordering::Acquire);
        loop {
            let seen = self.state.value(Ordering::Acquire);
            let passes = if is_automatic { self.take() } else { seen & SET != 0 || seen & !SET != first & !SET };
            if passes {
                return Ok(());
            }
            let until = deadline.until(LONGEST_SLEEP)?;
            self.state.sleep(seen & !SET, until);
        }
    }

    /// Takes the one setting of an automatic event.
    #[inline]
    fn take(&self) -> bool {
        let seen = self.state.0.load(Ordering::Relaxed);
        let less = |seen: u64| (seen as u32 & SET != 0).then(|| seen & !u64::from(SET));
        seen as u32 & SET != 0 && self.state.0.fetch_update(Ordering::Acquire, Ordering::Relaxed, less).is_ok()
    }

    /// Which of the two it is; an unused object becomes one of manual reset.
    fn is_automatic(&self, operation: &'static str) -> Result<bool> {
        if self.identity.is_ready(Kind::Event) {
            return Ok(false);
        }
        if self.identity.is_ready(Kind::AutomaticEvent) {
            return Ok(true);
        }
        self.identity.claim(Kind::Event, operation, || ())?;
        Ok(false)
    }
}
