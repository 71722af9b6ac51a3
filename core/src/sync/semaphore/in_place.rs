//! A counting semaphore at a place in shared memory.
//!
//! A semaphore has no owner, so a process that is killed between `wait` and `post` takes its unit with it: a pool of connections shrinks by one at
//! every crash. A *recovering* semaphore writes down who holds each unit, in one compare-and-swap that is the taking itself, and whoever finds no
//! unit free looks whether a holder has died. A holder is a process: its number and its start time, so that a number that comes again is not
//! mistaken.
//!
//! The poster changes the value first and looks for sleepers second, the sleeper announces itself first and looks at the value second (the kernel
//! does, inside the futex call); one of the two sees the other. A poster that is killed between the two rings nobody: no sleep is longer than half
//! a second.
//!
//! [sem_overview(7)](https://man7.org/linux/man-pages/man7/sem_overview.7.html)

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use nix::errno::Errno;

use super::LARGEST_VALUE;
use crate::error::{Error, Result};
use crate::process::ProcessId;
use crate::sync::identity::{Identity, Kind};
use crate::sync::{LONGEST_SLEEP, futex};
use crate::wait::{Deadline, Wait};

/// The most units of a recovering semaphore.
pub const PLACES: usize = 56;

/// How often someone who waits for a recovering semaphore looks for dead holders, in nanoseconds.
const LOOK_FOR_DEAD: i64 = 100_000_000;

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
    /// Plain: the value. Recovering: changes with every unit that comes back. The sleepers' word.
    word: AtomicU32,
    /// How many sleep, at least; one that was killed in its sleep stays counted, which costs a vain wake-up per post.
    sleepers: AtomicU32,
    reserved: AtomicU32,
    /// Recovering: who holds each unit, 0 for none.
    places: [AtomicU64; PLACES],
    room: [u64; 5],
}

const _: () = assert!(size_of::<Semaphore>() == 512 && align_of::<Semaphore>() == 8);

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
            word: AtomicU32::new(0),
            sleepers: AtomicU32::new(0),
            reserved: AtomicU32::new(0),
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
        semaphore.word.store(value, Ordering::Relaxed);
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
    pub fn wait<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<()> {
        const OPERATION: &str = "wait for semaphore";
        if self.is_recovering(OPERATION)? {
            return self.wait_for_place(Deadline::new(OPERATION, wait));
        }
        if self.take() {
            return Ok(());
        }
        self.wait_for_value(Deadline::new(OPERATION, wait))
    }

    /// Takes a unit if one is free: else `EAGAIN`.
    pub fn try_wait(&self) -> Result<()> {
        self.wait(Wait::NEVER)
    }

    /// Gives a unit back, and wakes one who waits.
    ///
    /// Errors: `EOVERFLOW` beyond `i32::MAX`; `EPERM` from a process that holds no unit of a recovering semaphore.
    pub fn post(&self) -> Result<()> {
        const OPERATION: &str = "post semaphore";
        if self.is_recovering(OPERATION)? {
            return self.return_place(OPERATION);
        }
        let raise = |value: u32| (value < LARGEST_VALUE).then(|| value + 1);
        if self.word.fetch_update(Ordering::SeqCst, Ordering::Relaxed, raise).is_err() {
            return Err(Error::os(OPERATION, Errno::EOVERFLOW).hint(format!("the limit is {LARGEST_VALUE}")));
        }
        self.ring(1);
        Ok(())
    }

    /// How many units are free at this moment. A dead holder's unit counts when somebody who found none free has freed it.
    pub fn value(&self) -> Result<u32> {
        if !self.is_recovering("read semaphore")? {
            return Ok(self.word.load(Ordering::Relaxed));
        }
        Ok(self.places().iter().filter(|place| place.load(Ordering::Relaxed) == 0).count() as u32)
    }

    /// Which of the two it is; an unused object becomes a plain one.
    #[inline]
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

    #[inline]
    fn take(&self) -> bool {
        self.word.fetch_update(Ordering::Acquire, Ordering::Relaxed, |value| value.checked_sub(1)).is_ok()
    }

    #[cold]
    fn wait_for_value(&self, mut deadline: Deadline<'_>) -> Result<()> {
        loop {
            self.sleep(&mut deadline, 0, LONGEST_SLEEP)?;
            if self.take() {
                return Ok(());
            }
        }
    }

    fn wait_for_place(&self, mut deadline: Deadline<'_>) -> Result<()> {
        let own = ProcessId::own().word();
        loop {
            let seen = self.word.load(Ordering::SeqCst);
            if self.take_place(own) || (self.free_places_of_the_dead() && self.take_place(own)) {
                return Ok(());
            }
            self.sleep(&mut deadline, seen, LOOK_FOR_DEAD)?;
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
        self.word.fetch_add(1, Ordering::SeqCst);
        self.ring(1);
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
            self.word.fetch_add(1, Ordering::SeqCst);
            self.ring(freed);
        }
        freed > 0
    }

    fn places(&self) -> &[AtomicU64] {
        let limit = (self.limit.load(Ordering::Relaxed) as usize).min(PLACES);
        &self.places[..limit]
    }

    fn sleep(&self, deadline: &mut Deadline<'_>, expected: u32, longest: i64) -> Result<()> {
        let until = deadline.until(longest)?;
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        futex::wait(&self.word, expected, until);
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }

    fn ring(&self, count: i32) {
        if self.sleepers.load(Ordering::SeqCst) != 0 {
            futex::wake(&self.word, count);
        }
    }
}
