//! One word on which processes sleep, and in which those who ring see the sleepers.
//!
//! The lower half is a value, at which the kernel looks; the upper one counts sleepers. Whoever changes the value sees in the same step whether
//! anybody must be woken, so that nothing has to be ordered between two words, and no wake-up is lost, since all changes of one word have one
//! order:
//!
//! * the sleeper announced itself before the change: whoever changes the value sees it there, and rings. The kernel compares the value and puts the
//!   sleeper to sleep in one step, under the lock that the ring takes, too, and the change came before the ring: either the sleeper sleeps
//!   when the ring comes, or the comparison sees the changed value and it does not sleep;
//! * or after: then its announcement, a change of the same word, comes after the value's, and so does the kernel's comparison.
//!
//! One that is killed between the change and the ring rings nobody: no sleep is longer than half a second.
//!
//! [futex(2)](https://man7.org/linux/man-pages/man2/futex.2.html)

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::futex;

/// sleepers 32 | value 32
///
/// The sleepers: how many there are, at least; one that was killed in its sleep stays counted, which costs vain wake-ups. If so many die that
/// the number overflows, it does so out of the word.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Word(pub(super) AtomicU64);

/// One sleeper, in the upper half.
pub(super) const SLEEPER: u64 = 1 << 32;

impl Word {
    pub(super) const fn new(value: u32) -> Word {
        Word(AtomicU64::new(value as u64))
    }

    #[inline(always)]
    pub(super) fn value(&self, order: Ordering) -> u32 {
        self.0.load(order) as u32
    }

    /// Makes the value another one, if `next` gives one; then wakes up to `count` sleepers. The value from before, and whether it was changed.
    pub(super) fn change(&self, count: i32, next: impl Fn(u32) -> Option<u32>) -> (u32, bool) {
        let whole = |seen: u64| next(seen as u32).map(|value| seen & !(SLEEPER - 1) | u64::from(value));
        let (seen, is_changed) = match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, whole) {
            Ok(seen) => (seen, true),
            Err(seen) => (seen, false),
        };
        // Also for a value that was there before: whoever wrote it may have died before it rang.
        if seen >= SLEEPER {
            self.ring(count);
        }
        (seen as u32, is_changed)
    }

    #[cold]
    pub(super) fn ring(&self, count: i32) {
        futex::wake(self.half(), count);
    }

    /// Sleeps while the value is `expected`, at most until `until`.
    pub(super) fn sleep(&self, expected: u32, until: libc::timespec) {
        self.announce();
        self.sleep_announced(expected, until);
        self.withdraw();
    }

    /// Counts the caller among the sleepers.
    pub(super) fn announce(&self) {
        self.0.fetch_add(SLEEPER, Ordering::Relaxed);
    }

    /// [`sleep`](Word::sleep) of one who has announced itself.
    pub(super) fn sleep_announced(&self, expected: u32, until: libc::timespec) {
        futex::wait(self.half(), expected, until);
    }

    /// Takes the announcement back.
    pub(super) fn withdraw(&self) {
        self.0.fetch_sub(SLEEPER, Ordering::Relaxed);
    }

    /// The half that the kernel looks at. Only its address is used: as an atomic the word is always used whole.
    fn half(&self) -> &AtomicU32 {
        let lower = if cfg!(target_endian = "big") { 1 } else { 0 };
        // SAFETY: a half of the word is aligned, and lives as long; nobody loads or stores through the reference.
        unsafe { &*self.0.as_ptr().cast::<AtomicU32>().add(lower) }
    }
}
