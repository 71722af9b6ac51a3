//! Reader-writer locks in the user's memory.

use std::ffi::c_int;

use unipc_core::Error;
use unipc_core::sync::RwLock;

use crate::error::UNIPC_NEEDS_REPAIR;
use crate::sync::{at_once, in_place};
use crate::wait::waiting;
use crate::{guard, guard_unit};

/// The most readers of a unipc_rwlock at a time; the next one waits.
pub const UNIPC_RWLOCK_READERS: u32 = 112;

/// A reader-writer lock for memory that processes share, whose holders may die: a dead reader's share comes back, a dead writer is told. All-zero bytes
/// are a valid, unlocked one.
///
/// It is owned by threads, and locking it again is -EDEADLK, a second share too. A writer that waits turns new readers away. It must not be moved or
/// copied while in use; a place at a multiple of 64 bytes is the fastest. Processes that share it live in one pid namespace; others get
/// UNIPC_INCOMPATIBLE. It trusts everyone who can write the page.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_rwlock {
    /// Not for use.
    pub opaque: [u64; 128],
}

const _: () = {
    assert!(size_of::<unipc_rwlock>() == size_of::<RwLock>() && align_of::<unipc_rwlock>() == align_of::<RwLock>());
    assert!(UNIPC_RWLOCK_READERS as usize == unipc_core::sync::READERS);
};

/// # Safety
/// As [`unipc_rwlock_read_lock`].
unsafe fn rwlock<'a>(operation: &'static str, rwlock: *const unipc_rwlock) -> Result<&'a RwLock, Error> {
    // SAFETY: the caller's promise.
    unsafe { in_place(operation, rwlock) }
}

fn repair(needs_repair: bool) -> c_int {
    if needs_repair { UNIPC_NEEDS_REPAIR } else { 0 }
}

/// Makes the lock anew, unlocked, whatever bytes stood there. Zero bytes need no init. Nobody may use the lock meanwhile.
///
/// @param rwlock  where, at a multiple of 8 bytes
/// @return        0; -EINVAL: NULL or misaligned
///
/// Threads: none may use the lock meanwhile. Signal-safe: no. Since 0.1. See pthread_rwlock_init(3p).
///
/// # Safety
/// `rwlock` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_rwlock_init(rwlock: *mut unipc_rwlock) -> c_int {
    guard_unit(|| {
        // SAFETY: the caller's promise; any bytes are a valid `RwLock` to refer to.
        unsafe { self::rwlock("initialise reader-writer lock", rwlock) }?;
        // SAFETY: not NULL, aligned, and used by nobody else, as the caller promises.
        unsafe { RwLock::init(rwlock.cast()) };
        Ok(())
    })
}

/// Takes a share, and fails if a writer died inside and nobody has repaired since. Use unipc_rwlock_read_lock_recover to repair.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         0: held; -EOWNERDEAD: not held, a writer died; -EAGAIN: a writer is there, or UNIPC_RWLOCK_READERS readers, and the timeout is
///                 zero; -ETIMEDOUT; -ECANCELED: the bound stop token; -EDEADLK: the caller holds the lock already; -EINVAL: NULL or misaligned;
///                 UNIPC_INCOMPATIBLE: no such lock of this ABI and pid namespace. A negative result: not held.
///
/// Threads: any; the share is the calling thread's. Fork: the child does not hold it. Signal-safe: no. Since 0.1. See pthread_rwlock_rdlock(3p).
///
/// # Safety
/// `rwlock` is NULL or an object in memory that is only used through these functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_rwlock_read_lock(rwlock: *mut unipc_rwlock, timeout: i64) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe { if at_once(rwlock, RwLock::read_at_once) { 0 } else { read_slowly(rwlock, timeout) } }
}

/// # Safety
/// As [`unipc_rwlock_read_lock`].
#[cold]
unsafe extern "C" fn read_slowly(rwlock: *mut unipc_rwlock, timeout: i64) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| waiting(timeout, |wait| unsafe { self::rwlock("read-lock", rwlock) }?.read_raw(wait)))
}

/// unipc_rwlock_read_lock without waiting: -EAGAIN if a writer is there.
///
/// @return  as unipc_rwlock_read_lock
///
/// Threads: any. Signal-safe: no. Since 0.1. See pthread_rwlock_tryrdlock(3p).
///
/// # Safety
/// As unipc_rwlock_read_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_rwlock_try_read_lock(rwlock: *mut unipc_rwlock) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { unipc_rwlock_read_lock(rwlock, 0) }
}

/// Takes a share; if a writer died inside, the whole lock, to repair.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         0: a share is held; UNIPC_NEEDS_REPAIR: the whole lock is held, and a writer died since the last
///                 unipc_rwlock_mark_consistent: repair what it protects, then mark it. Negative: not held, as unipc_rwlock_read_lock but for
///                 -EOWNERDEAD.
///
/// Unlocking without marking, or dying, passes the need for repair on to the next. Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// As unipc_rwlock_read_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_rwlock_read_lock_recover(rwlock: *mut unipc_rwlock, timeout: i64) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe { if at_once(rwlock, RwLock::read_at_once) { 0 } else { read_recover_slowly(rwlock, timeout) } }
}

/// # Safety
/// As [`unipc_rwlock_read_lock`].
#[cold]
unsafe extern "C" fn read_recover_slowly(rwlock: *mut unipc_rwlock, timeout: i64) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        let rwlock = unsafe { self::rwlock("read-lock to recover", rwlock) }?;
        waiting(timeout, |wait| rwlock.read_recover_raw(wait)).map(repair)
    })
}

/// Takes the whole lock, and fails if a writer died inside and nobody has repaired since. Use unipc_rwlock_write_lock_recover to repair.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         as unipc_rwlock_read_lock
///
/// Threads: any; the lock is the calling thread's. Fork: the child does not hold it. Signal-safe: no. Since 0.1. See pthread_rwlock_wrlock(3p).
///
/// # Safety
/// As unipc_rwlock_read_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_rwlock_write_lock(rwlock: *mut unipc_rwlock, timeout: i64) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe { if at_once(rwlock, RwLock::write_at_once) { 0 } else { write_slowly(rwlock, timeout) } }
}

/// # Safety
/// As [`unipc_rwlock_read_lock`].
#[cold]
unsafe extern "C" fn write_slowly(rwlock: *mut unipc_rwlock, timeout: i64) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| waiting(timeout, |wait| unsafe { self::rwlock("write-lock", rwlock) }?.write_raw(wait)))
}

/// unipc_rwlock_write_lock without waiting: -EAGAIN if another holds the lock or a share.
///
/// @return  as unipc_rwlock_read_lock
///
/// Threads: any. Signal-safe: no. Since 0.1. See pthread_rwlock_trywrlock(3p).
///
/// # Safety
/// As unipc_rwlock_read_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_rwlock_try_write_lock(rwlock: *mut unipc_rwlock) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { unipc_rwlock_write_lock(rwlock, 0) }
}

/// Takes the whole lock also when a writer died inside.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         0: held; UNIPC_NEEDS_REPAIR: held, and a writer died since the last unipc_rwlock_mark_consistent: repair what it protects, then
///                 mark it. Negative: not held, as unipc_rwlock_read_lock but for -EOWNERDEAD.
///
/// Unlocking without marking, or dying, passes the need for repair on to the next. Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// As unipc_rwlock_read_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_rwlock_write_lock_recover(rwlock: *mut unipc_rwlock, timeout: i64) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe { if at_once(rwlock, RwLock::write_at_once) { 0 } else { write_recover_slowly(rwlock, timeout) } }
}

/// # Safety
/// As [`unipc_rwlock_read_lock`].
#[cold]
unsafe extern "C" fn write_recover_slowly(rwlock: *mut unipc_rwlock, timeout: i64) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        let rwlock = unsafe { self::rwlock("write-lock to recover", rwlock) }?;
        waiting(timeout, |wait| rwlock.write_recover_raw(wait)).map(repair)
    })
}

/// Ends the need for repair, after the repair. The caller holds the whole lock, and goes on holding it.
///
/// @return  0; -EPERM: the calling thread does not hold the whole lock; -EINVAL; UNIPC_INCOMPATIBLE
///
/// Threads: the holder. Signal-safe: no. Since 0.1.
///
/// # Safety
/// As unipc_rwlock_read_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_rwlock_mark_consistent(rwlock: *mut unipc_rwlock) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { self::rwlock("mark reader-writer lock consistent", rwlock) }?.mark_consistent())
}

/// Unlocks the lock, be it a share or the whole.
///
/// @return  0; -EPERM: the calling thread does not hold the lock; -EINVAL; UNIPC_INCOMPATIBLE
///
/// Threads: the holder. Signal-safe: no. Since 0.1. See pthread_rwlock_unlock(3p).
///
/// # Safety
/// As unipc_rwlock_read_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_rwlock_unlock(rwlock: *mut unipc_rwlock) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe { if at_once(rwlock, RwLock::unlock_at_once) { 0 } else { unlock_slowly(rwlock) } }
}

/// # Safety
/// As [`unipc_rwlock_read_lock`].
#[cold]
unsafe extern "C" fn unlock_slowly(rwlock: *mut unipc_rwlock) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { self::rwlock("unlock reader-writer lock", rwlock) }?.unlock())
}
