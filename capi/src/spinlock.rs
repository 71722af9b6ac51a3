//! Spinlocks in the user's memory.

use std::ffi::c_int;

use unipc_core::Error;
use unipc_core::sync::Spinlock;

use crate::error::UNIPC_NEEDS_REPAIR;
use crate::sync::{at_once, in_place};
use crate::wait::waiting;
use crate::{guard, guard_unit};

/// A spinlock for memory that processes share, whose holder may die. For critical sections of a few instructions. All-zero bytes are a valid, unlocked
/// one.
///
/// It is owned by a thread, and locking it again is -EDEADLK. It must not be moved or copied while in use. Processes that share it live in one pid
/// namespace; others get UNIPC_INCOMPATIBLE. It trusts everyone who can write the page.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_spinlock {
    /// Not for use.
    pub opaque: [u64; 16],
}

const _: () = assert!(size_of::<unipc_spinlock>() == size_of::<Spinlock>() && align_of::<unipc_spinlock>() == align_of::<Spinlock>());

/// # Safety
/// As [`unipc_spinlock_lock`].
unsafe fn spinlock<'a>(operation: &'static str, spinlock: *const unipc_spinlock) -> Result<&'a Spinlock, Error> {
    // SAFETY: the caller's promise.
    unsafe { in_place(operation, spinlock) }
}

/// Makes the spinlock anew, unlocked, whatever bytes stood there. Zero bytes need no init. Nobody may use the spinlock meanwhile.
///
/// @param spinlock  where, at a multiple of 8 bytes
/// @return          0; -EINVAL: NULL or misaligned
///
/// Threads: none may use the spinlock meanwhile. Signal-safe: no. Since 0.1. See pthread_spin_init(3).
///
/// # Safety
/// `spinlock` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_spinlock_init(spinlock: *mut unipc_spinlock) -> c_int {
    guard_unit(|| {
        // SAFETY: the caller's promise; any bytes are a valid `Spinlock` to refer to.
        unsafe { self::spinlock("initialise spinlock", spinlock) }?;
        // SAFETY: not NULL, aligned, and used by nobody else, as the caller promises.
        unsafe { Spinlock::init(spinlock.cast()) };
        Ok(())
    })
}

/// Locks the spinlock, and fails if a holder died inside and nobody has repaired since. Use unipc_spinlock_lock_recover to repair.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         0: held; -EOWNERDEAD: not held, a holder died; -EAGAIN: another holds it and the timeout is zero; -ETIMEDOUT; -ECANCELED:
///                 the bound stop token; -EDEADLK: the caller holds it already; -EINVAL: NULL or misaligned; UNIPC_INCOMPATIBLE: no spinlock of
///                 this ABI and pid namespace. A negative result: not held.
///
/// It spins for some microseconds, then sleeps. Threads: any; the lock is the calling thread's. Fork: the child does not hold it. Signal-safe: no.
/// Since 0.1. See pthread_spin_lock(3), futex(2).
///
/// # Safety
/// `spinlock` is NULL or an object in memory that is only used through these functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_spinlock_lock(spinlock: *mut unipc_spinlock, timeout: i64) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe { if at_once(spinlock, Spinlock::lock_at_once) { 0 } else { lock_slowly(spinlock, timeout) } }
}

/// # Safety
/// As [`unipc_spinlock_lock`].
#[cold]
unsafe extern "C" fn lock_slowly(spinlock: *mut unipc_spinlock, timeout: i64) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| waiting(timeout, |wait| unsafe { self::spinlock("lock spinlock", spinlock) }?.lock_raw(wait)))
}

/// unipc_spinlock_lock without waiting: -EAGAIN if another holds it.
///
/// @return  as unipc_spinlock_lock
///
/// Threads: any. Signal-safe: no. Since 0.1. See pthread_spin_trylock(3).
///
/// # Safety
/// As unipc_spinlock_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_spinlock_try_lock(spinlock: *mut unipc_spinlock) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { unipc_spinlock_lock(spinlock, 0) }
}

/// Locks the spinlock also when the last holder died inside.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         0: held; UNIPC_NEEDS_REPAIR: held, and a holder died since the last unipc_spinlock_mark_consistent: repair what the spinlock
///                 protects, then mark it. Negative: not held, as unipc_spinlock_lock but for -EOWNERDEAD.
///
/// Unlocking without marking, or dying, passes the need for repair on to the next. Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// As unipc_spinlock_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_spinlock_lock_recover(spinlock: *mut unipc_spinlock, timeout: i64) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe { if at_once(spinlock, Spinlock::lock_at_once) { 0 } else { lock_recover_slowly(spinlock, timeout) } }
}

/// # Safety
/// As [`unipc_spinlock_lock`].
#[cold]
unsafe extern "C" fn lock_recover_slowly(spinlock: *mut unipc_spinlock, timeout: i64) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        let spinlock = unsafe { self::spinlock("lock spinlock to recover", spinlock) }?;
        let needs_repair = waiting(timeout, |wait| spinlock.lock_recover_raw(wait))?;
        Ok(if needs_repair { UNIPC_NEEDS_REPAIR } else { 0 })
    })
}

/// Ends the need for repair, after the repair. The caller holds the spinlock, and goes on holding it.
///
/// @return  0; -EPERM: the calling thread does not hold the spinlock; -EINVAL; UNIPC_INCOMPATIBLE
///
/// Threads: the holder. Signal-safe: no. Since 0.1.
///
/// # Safety
/// As unipc_spinlock_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_spinlock_mark_consistent(spinlock: *mut unipc_spinlock) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { self::spinlock("mark spinlock consistent", spinlock) }?.mark_consistent())
}

/// Unlocks the spinlock.
///
/// @return  0; -EPERM: the calling thread does not hold the spinlock; -EINVAL; UNIPC_INCOMPATIBLE
///
/// Threads: the holder. Signal-safe: no. Since 0.1. See pthread_spin_unlock(3).
///
/// # Safety
/// As unipc_spinlock_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_spinlock_unlock(spinlock: *mut unipc_spinlock) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe { if at_once(spinlock, Spinlock::unlock_at_once) { 0 } else { unlock_slowly(spinlock) } }
}

/// # Safety
/// As [`unipc_spinlock_lock`].
#[cold]
unsafe extern "C" fn unlock_slowly(spinlock: *mut unipc_spinlock) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { self::spinlock("unlock spinlock", spinlock) }?.unlock())
}
