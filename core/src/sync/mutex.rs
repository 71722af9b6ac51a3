//! A mutex in shared memory whose holder may die.
//!
//! The danger of a lock between processes is the holder that is killed inside the critical section: an ordinary lock then stays locked for ever,
//! and what it protects is half changed. Here the kernel releases the lock of a dead thread, and the next one learns of it:
//!
//! * [`lock`](Mutex::lock) refuses with `EOWNERDEAD`, *not held*: for programs that cannot repair;
//! * [`lock_recover`](Mutex::lock_recover) gives the lock together with the duty to repair ([`MutexGuard::needs_repair`]). The duty stays until
//!   [`mark_consistent`](MutexGuard::mark_consistent), also when the repairer dies or gives up.
//!
//! The order that makes this hold: the need for repair is written *before* the C library is told that the mutex is consistent again. Killed
//! between the two, the kernel marks the mutex once more.
//!
//! Locking a healthy mutex that is free, and unlocking it when nobody waits, are a few instructions of our own (`robust_list.rs`); all the rest is the
//! C library's. Both work on the same object.
//!
//! A thread that is woken may be killed or stopped before it takes the lock, and its wake-up is lost with it; so no sleep here is longer than
//! half a second, and then looks again.
//!
//! [pthread_mutex_lock(3p)](https://man7.org/linux/man-pages/man3/pthread_mutex_lock.3p.html),
//! [pthread_mutexattr_setrobust(3)](https://man7.org/linux/man-pages/man3/pthread_mutexattr_setrobust.3.html),
//! [get_robust_list(2)](https://man7.org/linux/man-pages/man2/get_robust_list.2.html)

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::pthread_mutex_t;
use nix::errno::Errno;

use super::identity::{Identity, Kind};
use super::{LONGEST_SLEEP, native, robust_list};
use crate::error::{Error, Failure, Result};
use crate::process;
use crate::wait::{Deadline, Wait};

/// What happens when the holder locks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MutexKind {
    /// It waits for itself, until its timeout. The kind of zero bytes.
    #[default]
    Plain,
    /// It holds the lock once more, and must unlock as often.
    Recursive,
    /// It is told: `EDEADLK`.
    ErrorChecking,
}

/// A mutex for memory that processes share. Zero bytes are an unlocked mutex of [`MutexKind::Plain`].
///
/// 128 bytes. It is owned by a thread: only the thread that locked it can unlock it. It must not be moved or copied while in use, and only
/// processes of one pid namespace and one C library can share it; others are refused with [`Failure::Incompatible`]. `fork` does not inherit
/// the lock: the child is not the holder.
#[repr(C, align(8))]
#[derive(Debug)]
pub struct Mutex {
    identity: Identity,
    needs_repair: AtomicU32,
    reserved: AtomicU32,
    native: UnsafeCell<pthread_mutex_t>,
    room: [u8; 128 - 16 - size_of::<pthread_mutex_t>()],
}

const _: () = assert!(size_of::<Mutex>() == 128 && align_of::<Mutex>() == 8);

// SAFETY: everything inside is atomic, or a process-shared mutex of the C library, made for use from many threads.
unsafe impl Sync for Mutex {}
// SAFETY: an unlocked mutex belongs to no thread; a locked one cannot be moved, since its guard borrows it.
unsafe impl Send for Mutex {}

impl Default for Mutex {
    fn default() -> Mutex {
        Mutex::new(MutexKind::Plain)
    }
}

impl Mutex {
    /// An unlocked mutex, to be put into memory before others use it.
    pub fn new(kind: MutexKind) -> Mutex {
        let mutex = Mutex {
            identity: Identity::unused(),
            needs_repair: AtomicU32::new(0),
            reserved: AtomicU32::new(0),
            // SAFETY: zero bytes are valid for the C library's union of integers.
            native: UnsafeCell::new(unsafe { std::mem::zeroed() }),
            room: [0; _],
        };
        // SAFETY: the mutex is zeroed and ours alone.
        unsafe { native::set_kind(mutex.native.get(), kind) };
        mutex
    }

    /// Makes the mutex at `place` anew, whatever bytes stood there.
    ///
    /// Fails with [`Failure::Unavailable`] where the C library has no robust mutexes that start from zero bytes.
    ///
    /// # Safety
    /// `place` is valid for writes of a `Mutex` and aligned, and nobody uses the mutex meanwhile.
    pub unsafe fn init(place: *mut Mutex, kind: MutexKind) -> Result<()> {
        require_native("initialise mutex")?;
        // SAFETY: the caller's promise.
        unsafe {
            (*place).identity.clear();
            place.write(Mutex::new(kind));
        }
        Ok(())
    }

    /// Locks, and fails with `EOWNERDEAD`, not held, if a holder died and nobody has repaired since.
    ///
    /// Other errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]); `EDEADLK` for the holder of an error-checking mutex;
    /// [`Failure::Incompatible`].
    #[inline]
    pub fn lock<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<MutexGuard<'_>> {
        self.lock_raw(wait)?;
        Ok(MutexGuard::of(self, false))
    }

    /// [`lock`](Mutex::lock) without waiting: `EAGAIN` if another holds it.
    pub fn try_lock(&self) -> Result<MutexGuard<'_>> {
        self.lock(Wait::NEVER)
    }

    /// Locks also when the last holder died; the guard then [needs repair](MutexGuard::needs_repair).
    ///
    /// Errors as [`lock`](Mutex::lock), but `EOWNERDEAD`.
    #[inline]
    pub fn lock_recover<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<MutexGuard<'_>> {
        let needs_repair = self.lock_recover_raw(wait)?;
        Ok(MutexGuard::of(self, needs_repair))
    }

    /// [`lock`](Mutex::lock) for callers who cannot keep a guard; pair it with [`unlock`](Mutex::unlock).
    #[inline]
    pub fn lock_raw<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<()> {
        if self.lock_at_once() { Ok(()) } else { self.lock_slowly(wait.into()) }
    }

    #[cold]
    fn lock_slowly(&self, wait: Wait<'_>) -> Result<()> {
        const OPERATION: &str = "lock mutex";
        if self.acquire(OPERATION, wait)? {
            self.release(OPERATION)?;
            return Err(Error::os(OPERATION, Errno::EOWNERDEAD).hint("a holder died; lock to recover, and repair"));
        }
        Ok(())
    }

    /// [`lock_recover`](Mutex::lock_recover) for callers who cannot keep a guard: `true` if repair is needed.
    #[inline]
    pub fn lock_recover_raw<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<bool> {
        if self.lock_at_once() { Ok(false) } else { self.lock_recover_slowly(wait.into()) }
    }

    #[cold]
    fn lock_recover_slowly(&self, wait: Wait<'_>) -> Result<bool> {
        self.acquire("lock mutex to recover", wait)
    }

    /// Locks if the mutex is plain, free, and needs no repair, in a few instructions that cannot panic. `false` says nothing: use the others.
    #[doc(hidden)]
    #[inline]
    pub fn lock_at_once(&self) -> bool {
        // SAFETY: a mutex that is ready is initialised, and the inline path is allowed only when the list is understood.
        let is_held = self.identity.is_ready_inline(Kind::Mutex) && unsafe { robust_list::lock(self.native.get()) };
        // Looked at while it is held: who wrote the word held it.
        is_held && (self.needs_repair.load(Ordering::Relaxed) == 0 || self.let_go())
    }

    /// The need for repair is told by the slow way, which locks once more.
    #[cold]
    #[inline(never)]
    fn let_go(&self) -> bool {
        // SAFETY: the mutex is initialised and held by this thread.
        unsafe { libc::pthread_mutex_unlock(self.native.get()) };
        false
    }

    /// Unlocks if the calling thread holds the mutex and nobody waits, in a few instructions that cannot panic. `false` says nothing.
    #[doc(hidden)]
    #[inline]
    pub fn unlock_at_once(&self) -> bool {
        // SAFETY: as for `lock_at_once`.
        self.identity.is_ready_inline(Kind::Mutex) && unsafe { robust_list::unlock(self.native.get()) }
    }

    /// Ends the need for repair. `EPERM` unless the calling thread holds the mutex.
    pub fn mark_consistent(&self) -> Result<()> {
        const OPERATION: &str = "mark mutex consistent";
        let native = self.native(OPERATION)?;
        // SAFETY: the mutex is initialised, as `native` has seen to.
        if !unsafe { native::is_held_by_caller(native) } {
            return Err(not_the_holder(OPERATION));
        }
        self.needs_repair.store(0, Ordering::Release);
        Ok(())
    }

    /// Unlocks. `EPERM` unless the calling thread holds the mutex. A need for repair that was not met stays.
    #[inline]
    pub fn unlock(&self) -> Result<()> {
        if self.unlock_at_once() { Ok(()) } else { self.unlock_slowly() }
    }

    #[cold]
    fn unlock_slowly(&self) -> Result<()> {
        self.release("unlock mutex")
    }

    fn acquire(&self, operation: &'static str, wait: Wait<'_>) -> Result<bool> {
        let native = self.native(operation)?;
        // SAFETY: the mutex is initialised, as `native` has seen to.
        let mut result = unsafe { libc::pthread_mutex_trylock(native) };
        if result == libc::EBUSY {
            result = self.acquire_waiting(native, Deadline::new(operation, wait))?;
        }
        match result {
            0 => Ok(self.needs_repair.load(Ordering::Acquire) != 0),
            libc::EOWNERDEAD => {
                self.needs_repair.store(1, Ordering::Release);
                // SAFETY: we hold the mutex, whose owner died.
                unsafe { libc::pthread_mutex_consistent(native) };
                Ok(true)
            }
            errno => Err(Error::os(operation, Errno::from_raw(errno))),
        }
    }

    #[cold]
    fn acquire_waiting(&self, native: *mut pthread_mutex_t, mut deadline: Deadline<'_>) -> Result<libc::c_int> {
        loop {
            let until = deadline.until(LONGEST_SLEEP)?;
            // SAFETY: the mutex is initialised, as the caller has seen to.
            let result = unsafe { native::lock_until(native, until) };
            if result != libc::ETIMEDOUT {
                return Ok(result);
            }
        }
    }

    fn release(&self, operation: &'static str) -> Result<()> {
        let native = self.native(operation)?;
        // SAFETY: the mutex is initialised, as `native` has seen to. A robust mutex checks that its holder calls.
        match unsafe { libc::pthread_mutex_unlock(native) } {
            0 => Ok(()),
            libc::EPERM => Err(not_the_holder(operation)),
            errno => Err(Error::os(operation, Errno::from_raw(errno))),
        }
    }

    /// The C library's mutex, set up if this is its first use. Whoever comes here tries inline the next time, if that can be.
    fn native(&self, operation: &'static str) -> Result<*mut pthread_mutex_t> {
        if !self.identity.is_ready(Kind::Mutex) {
            self.first_use(operation)?;
        }
        if process::inline_namespace() == 0 && robust_list::is_understood() && robust_list::is_registered() {
            process::allow_inline();
        }
        Ok(self.native.get())
    }

    #[cold]
    fn first_use(&self, operation: &'static str) -> Result<()> {
        require_native(operation)?;
        // SAFETY: the object is zero or a mutex of ours, since its identity is zero or a mutex's.
        self.identity.claim(Kind::Mutex, operation, || unsafe { native::set_kind(self.native.get(), MutexKind::Plain) })
    }
}

fn require_native(operation: &'static str) -> Result<()> {
    if native::is_available() {
        return Ok(());
    }
    Err(Error::failure(operation, Failure::Unavailable).hint("this C library has no robust mutex that starts from zero bytes"))
}

#[cold]
fn not_the_holder(operation: &'static str) -> Error {
    Error::os(operation, Errno::EPERM).hint("only the thread that holds the mutex can do this")
}

/// Holds a [`Mutex`]; dropping it unlocks.
///
/// It stays with its thread, since the lock is the thread's.
#[derive(Debug)]
#[must_use = "dropping the guard unlocks the mutex"]
pub struct MutexGuard<'a> {
    mutex: &'a Mutex,
    needs_repair: bool,
    of_this_thread: PhantomData<*const ()>,
}

impl<'a> MutexGuard<'a> {
    #[inline]
    fn of(mutex: &'a Mutex, needs_repair: bool) -> MutexGuard<'a> {
        MutexGuard { mutex, needs_repair, of_this_thread: PhantomData }
    }

    /// The mutex that is held.
    pub(super) fn mutex(&self) -> &'a Mutex {
        self.mutex
    }

    /// The mutex was unlocked and locked again: what was learned then counts.
    pub(super) fn note_repair(&mut self, needs_repair: bool) {
        self.needs_repair = needs_repair;
    }

    /// Whether a holder died and nobody has repaired what the mutex protects since.
    pub fn needs_repair(&self) -> bool {
        self.needs_repair
    }

    /// To be called when the repair is done. Without it the next holder is told again.
    pub fn mark_consistent(&mut self) {
        if self.mutex.mark_consistent().is_ok() {
            self.needs_repair = false;
        }
    }
}

impl Drop for MutexGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // Fails only in a child made by fork, which never held the lock.
        let _ = self.mutex.unlock();
    }
}
