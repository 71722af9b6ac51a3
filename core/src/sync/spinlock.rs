//! A spinlock in shared memory whose holder may die.
//!
//! For critical sections of a few instructions, and wherever the C library has no robust mutex: it is all our own. One word says who holds it, the
//! thread's number and when it started, and taking the lock is writing that word by one compare-and-swap; so there is no moment at which it is held
//! and nobody knows by whom. A plain flag would stay set for ever when its holder is killed, and every waiter would burn a processor over it.
//!
//! Whoever finds it held spins for a short while, then sleeps, and looks every 100 ms, before the first sleep too, whether the holder is dead. If so
//! it takes over, by one compare-and-swap from that very holder:
//!
//! * [`lock`](Spinlock::lock) then refuses with `EOWNERDEAD`, *not held*;
//! * [`lock_recover`](Spinlock::lock_recover) gives the lock with the duty to repair, which stays until
//!   [`mark_consistent`](SpinlockGuard::mark_consistent), also when the repairer dies.
//!
//! The order that makes this hold: first the word is taken over, then the need for repair is written. Killed between the two, the one that took over
//! is a dead holder itself, and the next one does the same. A stopped holder (`SIGSTOP`) is not dead: the others wait, as long as they want to.
//!
//! A sleeper marks the word, so that the holder rings when it lets go; a woken one takes the lock with the mark, since there may be more. A waker
//! that is killed before it rings, or a woken thread that is killed before it locks, delays the others by 100 ms at most.
//!
//! [futex(2)](https://man7.org/linux/man-pages/man2/futex.2.html), [proc_pid_stat(5)](https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html)

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use nix::errno::Errno;

use super::identity::{Identity, Kind};
use super::{LOOK_FOR_DEAD, futex};
use crate::error::{Error, Result};
use crate::process::ThreadId;
use crate::wait::{Deadline, Wait};

/// Marks the owner's word: somebody sleeps.
const SLEEPERS: u64 = 1 << 63;

/// A spinlock for memory that processes share. Zero bytes are an unlocked one.
///
/// 128 bytes. It is owned by a thread: only the thread that locked it can unlock it, and locking again is `EDEADLK`. It must not be moved or copied
/// while in use, and only processes of one pid namespace can share it; others are refused with
/// [`Failure::Incompatible`](crate::Failure::Incompatible). `fork` does not inherit the lock; a program that calls `execve` goes on holding it.
#[repr(C, align(8))]
#[derive(Debug)]
pub struct Spinlock {
    identity: Identity,
    /// A [`ThreadId`], perhaps marked with [`SLEEPERS`]; 0 for nobody.
    owner: AtomicU64,
    needs_repair: AtomicU32,
    reserved: AtomicU32,
    room: [u64; 13],
}

const _: () = assert!(size_of::<Spinlock>() == 128 && align_of::<Spinlock>() == 8);

impl Default for Spinlock {
    fn default() -> Spinlock {
        Spinlock::new()
    }
}

impl Spinlock {
    /// An unlocked spinlock, to be put into memory before others use it.
    pub const fn new() -> Spinlock {
        Spinlock {
            identity: Identity::unused(),
            owner: AtomicU64::new(0),
            needs_repair: AtomicU32::new(0),
            reserved: AtomicU32::new(0),
            room: [0; 13],
        }
    }

    /// Makes the spinlock at `place` anew, whatever bytes stood there.
    ///
    /// # Safety
    /// `place` is valid for writes of a `Spinlock` and aligned, and nobody uses the spinlock meanwhile.
    pub unsafe fn init(place: *mut Spinlock) {
        // SAFETY: the caller's promise.
        unsafe {
            (*place).identity.clear();
            place.write(Spinlock::new());
        }
    }

    /// Locks, and fails with `EOWNERDEAD`, not held, if a holder died and nobody has repaired since.
    ///
    /// Other errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]); `EDEADLK` for the holder;
    /// [`Failure::Incompatible`](crate::Failure::Incompatible).
    #[inline]
    pub fn lock<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<SpinlockGuard<'_>> {
        self.lock_raw(wait)?;
        Ok(SpinlockGuard::of(self, false))
    }

    /// [`lock`](Spinlock::lock) without waiting: `EAGAIN` if another holds it.
    pub fn try_lock(&self) -> Result<SpinlockGuard<'_>> {
        self.lock(Wait::NEVER)
    }

    /// Locks also when the last holder died; the guard then [needs repair](SpinlockGuard::needs_repair).
    ///
    /// Errors as [`lock`](Spinlock::lock), but `EOWNERDEAD`.
    #[inline]
    pub fn lock_recover<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<SpinlockGuard<'_>> {
        let needs_repair = self.lock_recover_raw(wait)?;
        Ok(SpinlockGuard::of(self, needs_repair))
    }

    /// [`lock`](Spinlock::lock) for callers who cannot keep a guard; pair it with [`unlock`](Spinlock::unlock).
    #[inline]
    pub fn lock_raw<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<()> {
        if self.lock_at_once() { Ok(()) } else { self.lock_slowly(wait.into()) }
    }

    #[cold]
    fn lock_slowly(&self, wait: Wait<'_>) -> Result<()> {
        const OPERATION: &str = "lock spinlock";
        if self.acquire(OPERATION, wait)? {
            self.release(ThreadId::own().word());
            return Err(Error::os(OPERATION, Errno::EOWNERDEAD).hint("a holder died; lock to recover, and repair"));
        }
        Ok(())
    }

    /// [`lock_recover`](Spinlock::lock_recover) for callers who cannot keep a guard: `true` if repair is needed.
    #[inline]
    pub fn lock_recover_raw<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<bool> {
        if self.lock_at_once() { Ok(false) } else { self.lock_recover_slowly(wait.into()) }
    }

    #[cold]
    fn lock_recover_slowly(&self, wait: Wait<'_>) -> Result<bool> {
        self.acquire("lock spinlock to recover", wait)
    }

    /// Locks if it is free and needs no repair, in a few instructions that cannot panic. `false` says nothing: use the others.
    #[doc(hidden)]
    #[inline]
    pub fn lock_at_once(&self) -> bool {
        let Some(own) = self.known_thread() else { return false };
        // Looked at while it is held: who wrote the word held it. The slow way locks once more.
        self.owner.compare_exchange(0, own, Ordering::Acquire, Ordering::Relaxed).is_ok()
            && (self.needs_repair.load(Ordering::Relaxed) == 0 || !self.release(own))
    }

    /// Unlocks if the calling thread holds it, in a few instructions that cannot panic. `false` says nothing.
    #[doc(hidden)]
    #[inline]
    pub fn unlock_at_once(&self) -> bool {
        self.known_thread().is_some_and(|own| self.release(own))
    }

    /// The calling thread, if it is known and the spinlock set up for it.
    #[inline(always)]
    fn known_thread(&self) -> Option<u64> {
        if self.identity.is_ready_here(Kind::Spinlock) { ThreadId::known() } else { None }
    }

    /// Ends the need for repair. `EPERM` unless the calling thread holds the spinlock.
    pub fn mark_consistent(&self) -> Result<()> {
        const OPERATION: &str = "mark spinlock consistent";
        self.check(OPERATION)?;
        if self.owner.load(Ordering::Relaxed) & !SLEEPERS != ThreadId::own().word() {
            return Err(not_the_holder(OPERATION));
        }
        self.needs_repair.store(0, Ordering::Release);
        Ok(())
    }

    /// Unlocks. `EPERM` unless the calling thread holds the spinlock. A need for repair that was not met stays.
    #[inline]
    pub fn unlock(&self) -> Result<()> {
        if self.unlock_at_once() { Ok(()) } else { self.unlock_slowly() }
    }

    #[cold]
    fn unlock_slowly(&self) -> Result<()> {
        const OPERATION: &str = "unlock spinlock";
        self.check(OPERATION)?;
        if self.release(ThreadId::own().word()) { Ok(()) } else { Err(not_the_holder(OPERATION)) }
    }

    fn check(&self, operation: &'static str) -> Result<()> {
        if self.identity.is_ready(Kind::Spinlock) { Ok(()) } else { self.identity.claim(Kind::Spinlock, operation, || ()) }
    }

    /// Gives whether repair is needed.
    fn acquire(&self, operation: &'static str, wait: Wait<'_>) -> Result<bool> {
        self.check(operation)?;
        let own = ThreadId::own().word();
        if self.owner.compare_exchange(0, own, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.acquire_waiting(own, Deadline::new(operation, wait))?;
        }
        Ok(self.needs_repair.load(Ordering::Relaxed) != 0)
    }

    #[cold]
    fn acquire_waiting(&self, own: u64, mut deadline: Deadline<'_>) -> Result<()> {
        let spins = futex::spins(&deadline);
        for _ in 0..spins {
            let seen = self.owner.load(Ordering::Relaxed);
            if seen & !SLEEPERS == own {
                return Err(Error::os(deadline.operation(), Errno::EDEADLK).hint("this thread holds the spinlock already"));
            }
            if seen == 0 && self.take(0, own) {
                return Ok(());
            }
            std::hint::spin_loop();
        }
        loop {
            let seen = self.owner.load(Ordering::Relaxed);
            if seen == 0 {
                // There may be other sleepers, of whom nothing is written once the word was zero.
                if self.take(0, own | SLEEPERS) {
                    return Ok(());
                }
                continue;
            }
            if ThreadId::from_word(seen & !SLEEPERS).is_dead() {
                if self.take(seen, own | SLEEPERS) {
                    self.needs_repair.store(1, Ordering::Release);
                    return Ok(());
                }
                continue;
            }
            let until = deadline.until(LOOK_FOR_DEAD)?;
            if seen & SLEEPERS == 0 && !self.take(seen, seen | SLEEPERS) {
                continue;
            }
            futex::wait(self.half(), (seen >> 32) as u32 | (SLEEPERS >> 32) as u32, until);
        }
    }

    fn take(&self, from: u64, to: u64) -> bool {
        self.owner.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Whether the thread `own` held it.
    #[inline]
    fn release(&self, own: u64) -> bool {
        // Nobody takes it from a thread that lives; others only add the mark.
        let is_held = self.owner.load(Ordering::Relaxed) & !SLEEPERS == own;
        if is_held && self.owner.swap(0, Ordering::Release) & SLEEPERS != 0 {
            self.ring();
        }
        is_held
    }

    #[cold]
    fn ring(&self) {
        futex::wake(self.half(), 1);
    }

    /// The half with the thread's number and the mark, at which the kernel looks. Only its address is used: the word is always used whole.
    fn half(&self) -> &AtomicU32 {
        let upper = if cfg!(target_endian = "big") { 0 } else { 1 };
        // SAFETY: a half of the word is aligned, and lives as long; nobody loads or stores through the reference.
        unsafe { &*self.owner.as_ptr().cast::<AtomicU32>().add(upper) }
    }
}

#[cold]
fn not_the_holder(operation: &'static str) -> Error {
    Error::os(operation, Errno::EPERM).hint("only the thread that holds the spinlock can do this")
}

/// Holds a [`Spinlock`]; dropping it unlocks. It stays with its thread, since the lock is the thread's.
#[derive(Debug)]
#[must_use = "dropping the guard unlocks the spinlock"]
pub struct SpinlockGuard<'a> {
    spinlock: &'a Spinlock,
    needs_repair: bool,
    of_this_thread: PhantomData<*const ()>,
}

impl<'a> SpinlockGuard<'a> {
    fn of(spinlock: &'a Spinlock, needs_repair: bool) -> SpinlockGuard<'a> {
        SpinlockGuard { spinlock, needs_repair, of_this_thread: PhantomData }
    }

    /// Whether a holder died and nobody has repaired what the spinlock protects since.
    pub fn needs_repair(&self) -> bool {
        self.needs_repair
    }

    /// To be called when the repair is done. Without it the next holder is told again.
    pub fn mark_consistent(&mut self) {
        if self.spinlock.mark_consistent().is_ok() {
            self.needs_repair = false;
        }
    }
}

impl Drop for SpinlockGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // Fails only in a child made by fork, which never held the lock.
        let _ = self.spinlock.unlock();
    }
}
