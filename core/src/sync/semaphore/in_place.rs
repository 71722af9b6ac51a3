//! A counting semaphore at a place in shared memory.
//!
//! A semaphore has no owner, so a process that is killed between `wait` and `post` takes its unit with it: a pool of connections shrinks by one at
//! every crash. A *recovering* semaphore writes down who holds each unit, in one compare-and-swap that is the taking itself, and whoever finds no
//! unit free looks whether a holder has died. A holder is a process: its number and its start time, so that a number that comes again is not
//! mistaken.
//!
//! The value and the number of sleepers are the halves of one word, so the poster raises the one and sees the other in a single
//! step, and no wake-up is lost: `word.rs`. A poster that is killed between the change and the ring rings nobody: no sleep is longer than half a second.
//!
//! [sem_overview(7)](https://man7.org/linux/man-pages/man7/sem_overview.7.html)

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use nix::errno::Errno;

use super::LARGEST_VALUE;
use crate::error::{Error, Result};
use crate::process::ProcessId;
use crate::sync::identity::{Identity, Kind};
use crate::sync::word::Word;
use crate::sync::{LONGEST_SLEEP, LOOK_FOR_DEAD};
use crate::wait::{Deadline, Wait};

/// The most units of a recovering semaphore.
pub const PLACES: usize = 56;

/// A counting semaphore for memory that processes share. Zero bytes are a plain semaphore of value 0.
///
/// 512 bytes. It must not be moved or copied while in use. A plain one may be posted by anyone, and works across pid namespaces; a recovering one
/// gets units back only from the processes that took them, within one pid namespace. After `fork`, units stay the parent's.
#[repr(C, align(8))]
#[derive(Debug)]
pub struct Semaphore {
    identity: Identity,
    /// Recovering: how many places are in use.
    limit: AtomicU32,
    reserved: AtomicU32,
    state: State,
    /// Recovering: who holds each unit, 0 for none.
    places: [AtomicU64; PLACES],
    room: [u64; 5],
}

const _: () = assert!(size_of::<Semaphore>() == 512 && align_of::<Semaphore>() == 8);

/// sleepers 32 | value 32
///
/// The value. Plain: how many units are free. Recovering: changes with every unit that comes back.
#[derive(Debug)]
#[repr(transparent)]
struct State(Word);

impl State {
    #[inline(always)]
    fn value(&self) -> u32 {
        self.0.value(Ordering::Relaxed)
    }

    /// Takes one from the value, if it is not zero and nobody comes between.
    #[inline(always)]
    fn lower_at_once(&self) -> bool {
        let seen = self.0.0.load(Ordering::Relaxed);
        seen as u32 != 0 && self.0.0.compare_exchange(seen, seen - 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes one from the value, if it is not zero.
    fn lower(&self) -> bool {
        let less = |seen: u64| (seen as u32 != 0).then(|| seen - 1);
        self.0.0.fetch_update(Ordering::Acquire, Ordering::Relaxed, less).is_ok()
    }

    /// Adds one to a value below the largest, and wakes a sleeper.
    ///
    /// One addition, which needs neither a look before nor a second attempt. If it found the largest value, it is taken back: the half has room
    /// for as many at a time as there can be threads.
    #[inline(always)]
    fn raise(&self) -> bool {
        let seen = self.0.0.fetch_add(1, Ordering::Release);
        if seen < u64::from(LARGEST_VALUE) { true } else { self.raised(seen) }
    }

    #[cold]
    #[inline(never)]
    fn raised(&self, seen: u64) -> bool {
        if seen as u32 >= LARGEST_VALUE {
            self.0.0.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        self.0.ring(1);
        true
    }
}

impl Default for Semaphore {
    fn default() -> Semaphore {
        Semaphore::blank()
    }
}

impl Semaphore {
    fn blank() -> Semaphore {
        Semaphore {
            identity: Identity::unused(),
            limit: AtomicU32::new(0),
            reserved: AtomicU32::new(0),
            state: State(Word::new(0)),
            places: [const { AtomicU64::new(0) }; PLACES],
            room: [0; 5],
        }
    }

    /// A plain semaphore, to be put into memory before others use it. `EINVAL` for a value above `i32::MAX`.
    pub fn new(value: u32) -> Result<Semaphore> {
        if value > LARGEST_VALUE {
            let remedy = format!("the value is {value}, the limit {LARGEST_VALUE}");
            return Err(Error::os("initialise semaphore", Errno::EINVAL).hint(remedy));
        }
        let semaphore = Semaphore::blank();
        semaphore.state.0.0.store(u64::from(value), Ordering::Relaxed);
        Ok(semaphore)
    }

    /// A recovering semaphore of `units` units, all free, to be put into memory before others use it. `EINVAL` for none or more than [`PLACES`].
    pub fn recovering(units: u32) -> Result<Semaphore> {
        if units == 0 || units as usize > PLACES {
            let remedy = format!("a recovering semaphore has 1 to {PLACES} units, not {units}");
            return Err(Error::os("initialise semaphore", Errno::EINVAL).hint(remedy));
        }
        let semaphore = Semaphore::blank();
        semaphore.limit.store(units, Ordering::Relaxed);
        semaphore.identity.claim(Kind::RecoveringSemaphore, "initialise semaphore", || ())?;
        Ok(semaphore)
    }

    /// Writes a new semaphore to `place`, whatever bytes stood there.
    ///
    /// # Safety
    /// `place` is valid for writes of a `Semaphore` and aligned, and nobody uses the semaphore meanwhile.
    pub unsafe fn init(place: *mut Semaphore, semaphore: Semaphore) {
        // SAFETY: the caller's promise.
        unsafe {
            (*place).identity.clear();
            place.write(semaphore);
        }
    }

    /// Takes a unit. Errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]);
    /// [`Failure::Incompatible`](crate::Failure::Incompatible).
    #[inline]
    pub fn wait<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<()> {
        if self.take_at_once() { Ok(()) } else { self.wait_slowly(wait.into()) }
    }

    #[cold]
    fn wait_slowly(&self, wait: Wait<'_>) -> Result<()> {
        const OPERATION: &str = "wait for semaphore";
        let deadline = Deadline::new(OPERATION, wait);
        if self.is_recovering(OPERATION)? { self.wait_for_place(deadline) } else { self.wait_for_value(deadline) }
    }

    /// Takes a unit of a plain semaphore if one is free, in a few instructions that cannot panic. `false` says nothing: use [`wait`](Self::wait).
    #[doc(hidden)]
    #[inline]
    pub fn take_at_once(&self) -> bool {
        self.identity.is_ready_for_anyone(Kind::Semaphore) && self.state.lower_at_once()
    }

    /// Posts to a plain semaphore, in a few instructions that cannot panic. `false` says nothing: use [`post`](Self::post).
    #[doc(hidden)]
    #[inline]
    pub fn post_at_once(&self) -> bool {
        self.identity.is_ready_for_anyone(Kind::Semaphore) && self.state.raise()
    }

    /// Takes a unit if one is free: else `EAGAIN`.
    pub fn try_wait(&self) -> Result<()> {
        self.wait(Wait::NEVER)
    }

    /// Gives a unit back, and wakes one who waits.
    ///
    /// Errors: `EOVERFLOW` beyond `i32::MAX`; `EPERM` from a process that holds no unit of a recovering semaphore.
    #[inline]
    pub fn post(&self) -> Result<()> {
        if self.post_at_once() { Ok(()) } else { self.post_slowly() }
    }

    #[cold]
    fn post_slowly(&self) -> Result<()> {
        const OPERATION: &str = "post semaphore";
        if self.is_recovering(OPERATION)? {
            return self.return_place(OPERATION);
        }
        if !self.state.raise() {
            return Err(Error::os(OPERATION, Errno::EOVERFLOW).hint(format!("the limit is {LARGEST_VALUE}")));
        }
        Ok(())
    }

    /// How many units are free at this moment. A dead holder's unit counts when somebody who found none free has freed it.
    pub fn value(&self) -> Result<u32> {
        if !self.is_recovering("read semaphore")? {
            return Ok(self.state.value().min(LARGEST_VALUE));
        }
        Ok(self.places().iter().filter(|place| place.load(Ordering::Relaxed) == 0).count() as u32)
    }

    /// Which of the two it is; an unused object becomes a plain one.
    fn is_recovering(&self, operation: &'static str) -> Result<bool> {
        if self.identity.is_ready(Kind::Semaphore) {
            return Ok(false);
        }
        if self.identity.is_ready(Kind::RecoveringSemaphore) {
            return Ok(true);
        }
        self.first_use(operation)
    }

    #[cold]
    fn first_use(&self, operation: &'static str) -> Result<bool> {
        let recovering = self.limit.load(Ordering::Relaxed) != 0;
        let kind = if recovering && !self.identity.is_unused() { Kind::RecoveringSemaphore } else { Kind::Semaphore };
        self.identity.claim(kind, operation, || ())?;
        Ok(kind == Kind::RecoveringSemaphore)
    }

    fn wait_for_value(&self, mut deadline: Deadline<'_>) -> Result<()> {
        while !self.state.lower() {
            let until = deadline.until(LONGEST_SLEEP)?;
            self.state.0.sleep(0, until);
        }
        Ok(())
    }

    fn wait_for_place(&self, mut deadline: Deadline<'_>) -> Result<()> {
        let own = ProcessId::own().word();
        loop {
            // Before the look at the places: a unit that comes back after it changes the value.
            let seen = self.state.0.value(Ordering::Acquire);
            if self.take_place(own) || (self.free_places_of_the_dead() && self.take_place(own)) {
                return Ok(());
            }
            let until = deadline.until(LOOK_FOR_DEAD)?;
            self.state.0.sleep(seen, until);
        }
    }

    fn take_place(&self, own: u64) -> bool {
        let free = |place: &&AtomicU64| place.load(Ordering::Relaxed) == 0;
        let take = |place: &AtomicU64| place.compare_exchange(0, own, Ordering::Acquire, Ordering::Relaxed).is_ok();
        self.places().iter().filter(free).any(take)
    }

    fn return_place(&self, operation: &'static str) -> Result<()> {
        let own = ProcessId::own().word();
        let give = |place: &AtomicU64| place.compare_exchange(own, 0, Ordering::Release, Ordering::Relaxed).is_ok();
        if !self.places().iter().any(give) {
            return Err(Error::os(operation, Errno::EPERM).hint("this process holds no unit of the recovering semaphore"));
        }
        self.state.0.change(1, |value| Some(value.wrapping_add(1)));
        Ok(())
    }

    /// Gives back what dead processes held. Several may do so at once: each place is freed by one compare-and-swap from that very holder.
    fn free_places_of_the_dead(&self) -> bool {
        let mut freed = 0;
        for place in self.places() {
            let holder = place.load(Ordering::Relaxed);
            if holder == 0 || !ProcessId::from_word(holder).is_dead() {
                continue;
            }
            if place.compare_exchange(holder, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                freed += 1;
            }
        }
        if freed > 0 {
            self.state.0.change(freed, |value| Some(value.wrapping_add(1)));
        }
        freed > 0
    }

    fn places(&self) -> &[AtomicU64] {
        let limit = (self.limit.load(Ordering::Relaxed) as usize).min(PLACES);
        &self.places[..limit]
    }
}
