//! A condition variable in shared memory: sleep until somebody says that what a mutex protects has changed.
//!
//! A process that polls for a change burns a processor, or is late by the time between two looks. The danger of sleeping instead is the change that
//! falls between the look and the sleep: nobody would say it again. So the sleeper looks under the [`Mutex`], and reads a number before it lets the
//! mutex go; each signal changes the number, and the kernel puts the sleeper to sleep only if it still is the same.
//!
//! There is no list of waiters that a dead process could leave half-linked: just the number, and how many sleep (`word.rs`). Nobody waits for anybody but
//! through the mutex, so that a process that is killed or stopped at any instruction of a wait or a signal strands nobody.
//!
//! The order that makes this hold: *lock, change, signal, unlock*. Then a signaller that is killed has either changed the number, or dies
//! holding the mutex. A waiter wakes by itself every half second, sees either, and [`wait`](Condvar::wait) returns, in the second case with the need for
//! repair. Who unlocks first and signals then is faster by nothing, and if it is killed in between, a plain wait does not learn of the change.
//! [`wait_while`](Condvar::wait_while) does, since it looks at the condition whenever it wakes.
//!
//! A wait ends with the mutex held, whatever else it says: woken, too late, stopped. A holder's death outranks all of these. A wait may end
//! without a signal for it (a spurious one), so look again; and since a second wait would have the whole time again, use `wait_while` for a condition
//! within a time.
//!
//! [pthread_cond_wait(3p)](https://man7.org/linux/man-pages/man3/pthread_cond_wait.3p.html),
//! [futex(2)](https://man7.org/linux/man-pages/man2/futex.2.html)

use std::sync::atomic::Ordering;

use super::LONGEST_SLEEP;
use super::identity::{Identity, Kind};
use super::mutex::{Mutex, MutexGuard};
use super::word::{SLEEPER, Word};
use crate::error::Result;
use crate::wait::{Deadline, Wait};

/// A condition variable for memory that processes share, used with a [`Mutex`] beside it. Zero bytes are a valid one.
///
/// 128 bytes. It must not be moved or copied while in use. It belongs to nobody and works wherever its mutex does; `fork` changes nothing.
#[repr(C, align(8))]
#[derive(Debug)]
pub struct Condvar {
    identity: Identity,
    /// The value changes with every signal that anybody may wait for.
    state: Word,
    room: [u64; 14],
}

const _: () = assert!(size_of::<Condvar>() == 128 && align_of::<Condvar>() == 8);

impl Default for Condvar {
    fn default() -> Condvar {
        Condvar::new()
    }
}

/// How a sleep ended; the mutex is held again.
struct Woken {
    needs_repair: bool,
    /// Nobody signalled; half a second is over.
    by_itself: bool,
}

impl Condvar {
    /// A condition variable, to be put into memory before others use it.
    pub const fn new() -> Condvar {
        Condvar { identity: Identity::unused(), state: Word::new(0), room: [0; 14] }
    }

    /// Makes the condition variable at `place` anew, whatever bytes stood there.
    ///
    /// # Safety
    /// `place` is valid for writes of a `Condvar` and aligned, and nobody uses it meanwhile.
    pub unsafe fn init(place: *mut Condvar) {
        // SAFETY: the caller's promise.
        unsafe {
            (*place).identity.clear();
            place.write(Condvar::new());
        }
    }

    /// Lets the mutex go, sleeps until a signal, and locks the mutex again. If a holder died meanwhile, the guard [needs
    /// repair](MutexGuard::needs_repair).
    ///
    /// Errors, with the mutex held again: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]). With the mutex as it was:
    /// [`Failure::Incompatible`](crate::Failure::Incompatible), `EPERM` if the guard's mutex is not held. A mutex held twice, of the recursive
    /// kind, stays locked.
    pub fn wait<'a>(&self, guard: &mut MutexGuard<'_>, wait: impl Into<Wait<'a>>) -> Result<()> {
        let needs_repair = self.wait_raw(guard.mutex(), wait)?;
        guard.note_repair(needs_repair);
        Ok(())
    }

    /// Waits while `condition` says so, which is called with the mutex held, at first and after every wake-up. One time for all sleeps together.
    ///
    /// It returns early, too, when a holder has died and the guard [needs repair](MutexGuard::needs_repair): what the condition looks at may be
    /// half-changed. Errors as [`wait`](Condvar::wait).
    pub fn wait_while<'a>(&self, guard: &mut MutexGuard<'_>, wait: impl Into<Wait<'a>>, mut condition: impl FnMut() -> bool) -> Result<()> {
        let needs_repair = self.wait_while_raw(guard.mutex(), wait, &mut condition)?;
        guard.note_repair(needs_repair);
        Ok(())
    }

    /// [`wait`](Condvar::wait) for callers who keep no guard: `true` if repair is needed.
    pub fn wait_raw<'a>(&self, mutex: &Mutex, wait: impl Into<Wait<'a>>) -> Result<bool> {
        const OPERATION: &str = "wait for condition variable";
        self.check(OPERATION)?;
        let mut deadline = Deadline::new(OPERATION, wait);
        // Announced until the mutex is held for good: a signal in between must find somebody, since nobody looks whether it came.
        self.state.announce();
        let seen = self.state.value(Ordering::Acquire);
        let end = loop {
            match self.sleep(mutex, seen, &mut deadline) {
                Ok(woken) if !woken.needs_repair && woken.by_itself => {}
                end => break end.map(|woken| woken.needs_repair),
            }
        };
        self.state.withdraw();
        end
    }

    /// [`wait_while`](Condvar::wait_while) for callers who keep no guard: `true` if repair is needed.
    pub fn wait_while_raw<'a>(&self, mutex: &Mutex, wait: impl Into<Wait<'a>>, condition: &mut dyn FnMut() -> bool) -> Result<bool> {
        const OPERATION: &str = "wait for condition";
        self.check(OPERATION)?;
        let mut deadline = Deadline::new(OPERATION, wait);
        while condition() {
            self.state.announce();
            let seen = self.state.value(Ordering::Acquire);
            let end = self.sleep(mutex, seen, &mut deadline);
            self.state.withdraw();
            if end?.needs_repair {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Wakes at least one of those who wait, if there are any. Call it with the mutex held, after the change.
    #[inline]
    pub fn notify_one(&self) -> Result<()> {
        if self.has_nobody_to_wake() { Ok(()) } else { self.notify(1) }
    }

    /// Wakes all who wait. Call it with the mutex held, after the change.
    #[inline]
    pub fn notify_all(&self) -> Result<()> {
        if self.has_nobody_to_wake() { Ok(()) } else { self.notify(i32::MAX) }
    }

    /// Whether a signal has nothing to do, in a few instructions that cannot panic. `false` says nothing.
    ///
    /// Who waits has announced itself while it held the mutex. So whoever has locked the mutex since sees it; and who has not, cannot know of it.
    #[doc(hidden)]
    #[inline]
    pub fn has_nobody_to_wake(&self) -> bool {
        self.identity.is_ready_for_anyone(Kind::Condvar) && self.state.0.load(Ordering::Acquire) < SLEEPER
    }

    #[cold]
    fn notify(&self, count: i32) -> Result<()> {
        self.check("signal condition variable")?;
        if !self.has_nobody_to_wake() {
            self.state.change(count, |value| Some(value.wrapping_add(1)));
        }
        Ok(())
    }

    fn check(&self, operation: &'static str) -> Result<()> {
        if self.identity.is_ready_for_anyone(Kind::Condvar) { Ok(()) } else { self.identity.claim(Kind::Condvar, operation, || ()) }
    }

    /// Sleeps once, at most half a second. The caller has announced itself and seen the number with the mutex held: what is signalled from there on is
    /// meant for this sleep, too.
    fn sleep(&self, mutex: &Mutex, seen: u32, deadline: &mut Deadline<'_>) -> Result<Woken> {
        // Not held by the caller: nothing has happened.
        mutex.unlock()?;
        let end = self.sleep_unlocked(seen, deadline);
        let needs_repair = mutex.lock_recover_raw(Wait::FOREVER)?;
        let by_itself = self.state.value(Ordering::Acquire) == seen;
        match end {
            Err(error) if by_itself && !needs_repair => Err(error),
            _ => Ok(Woken { needs_repair, by_itself }),
        }
    }

    /// Until the number is another, or half a second is over.
    fn sleep_unlocked(&self, seen: u32, deadline: &mut Deadline<'_>) -> Result<()> {
        let end = crate::wait::now().saturating_add(LONGEST_SLEEP);
        while self.state.value(Ordering::Acquire) == seen {
            let left = end - crate::wait::now();
            if left <= 0 {
                break;
            }
            let until = deadline.until(left)?;
            self.state.sleep_announced(seen, until);
        }
        Ok(())
    }
}
