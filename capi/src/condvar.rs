//! Condition variables in the user's memory.

use std::ffi::{c_int, c_void};

use unipc_core::Error;
use unipc_core::sync::{Condvar, Mutex};

use crate::error::UNIPC_NEEDS_REPAIR;
use crate::sync::{at_once, in_place, unipc_mutex};
use crate::wait::waiting;
use crate::{guard, guard_unit, invalid};

/// A condition variable for memory that processes share, used with a unipc_mutex beside it. All-zero bytes are a valid one.
///
/// The order: lock, change, notify, unlock; and who waits locks, looks, waits as long as it must, unlocks. Then nobody is stranded by a process that is
/// killed, wherever that happens. It must not be moved or copied while in use. It trusts everyone who can write the page.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_condvar {
    /// Not for use.
    pub opaque: [u64; 16],
}

const _: () = assert!(size_of::<unipc_condvar>() == size_of::<Condvar>() && align_of::<unipc_condvar>() == align_of::<Condvar>());

/// # Safety
/// As [`unipc_condvar_wait`].
unsafe fn condvar<'a>(operation: &'static str, condvar: *const unipc_condvar) -> Result<&'a Condvar, Error> {
    // SAFETY: the caller's promise.
    unsafe { in_place(operation, condvar) }
}

fn repair(needs_repair: bool) -> c_int {
    if needs_repair { UNIPC_NEEDS_REPAIR } else { 0 }
}

/// Makes the condition variable anew, whatever bytes stood there. Zero bytes need no init. Nobody may use it meanwhile.
///
/// @param condvar  where, at a multiple of 8 bytes
/// @return         0; -EINVAL: NULL or misaligned
///
/// Threads: none may use it meanwhile. Signal-safe: no. Since 0.1. See pthread_cond_init(3p).
///
/// # Safety
/// `condvar` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_condvar_init(condvar: *mut unipc_condvar) -> c_int {
    guard_unit(|| {
        // SAFETY: the caller's promise; any bytes are a valid `Condvar` to refer to.
        unsafe { self::condvar("initialise condition variable", condvar) }?;
        // SAFETY: not NULL, aligned, and used by nobody else, as the caller promises.
        unsafe { Condvar::init(condvar.cast()) };
        Ok(())
    })
}

/// Unlocks the mutex, sleeps until it is notified, and locks the mutex again. It may return without a reason: look again. For a condition within a
/// time use unipc_condvar_wait_while, since a second wait has the whole time again.
///
/// @param mutex    held by the calling thread, once
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never sleeps. Locking the mutex again is not counted.
/// @return         0; UNIPC_NEEDS_REPAIR: a holder of the mutex died: repair, and unipc_mutex_mark_consistent. With the mutex held as well: -EAGAIN:
///                 the timeout is zero; -ETIMEDOUT; -ECANCELED: the bound stop token. With the mutex as it was: -EPERM: the caller does not hold it;
///                 -EINVAL: NULL or misaligned; UNIPC_INCOMPATIBLE.
///
/// Threads: any that holds the mutex. Fork: the child does not hold the mutex. Signal-safe: no. Since 0.1. See pthread_cond_wait(3p).
///
/// # Safety
/// Both are NULL or objects in memory that are only used through these functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_condvar_wait(condvar: *mut unipc_condvar, mutex: *mut unipc_mutex, timeout: i64) -> c_int {
    const OPERATION: &str = "wait for condition variable";
    guard(|| {
        // SAFETY: the caller's promise, for both.
        let (condvar, mutex) = unsafe { (self::condvar(OPERATION, condvar)?, in_place::<Mutex, _>(OPERATION, mutex)?) };
        waiting(timeout, |wait| condvar.wait_raw(mutex, wait)).map(repair)
    })
}

/// Waits while `condition(argument)` is not 0. It is called with the mutex held, at first and after every wake-up, at least every half second. One
/// time for all sleeps together.
///
/// @param mutex      held by the calling thread, once
/// @param condition  looks at what the mutex protects: not 0 to go on waiting. It must return, not throw or jump.
/// @param argument   handed to it
/// @param timeout    as unipc_condvar_wait
/// @return           0: the condition is 0; UNIPC_NEEDS_REPAIR: a holder died, and the condition may be anything; negative: as unipc_condvar_wait
///
/// Threads: any that holds the mutex. Fork: the child does not hold the mutex. Signal-safe: no. Since 0.1. See pthread_cond_timedwait(3p).
///
/// # Safety
/// As unipc_condvar_wait; `condition` is NULL or a function that may be called with `argument`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_condvar_wait_while(
    condvar: *mut unipc_condvar,
    mutex: *mut unipc_mutex,
    condition: Option<unsafe extern "C" fn(argument: *mut c_void) -> c_int>,
    argument: *mut c_void,
    timeout: i64,
) -> c_int {
    const OPERATION: &str = "wait for condition";
    guard(|| {
        // SAFETY: the caller's promise, for both.
        let (condvar, mutex) = unsafe { (self::condvar(OPERATION, condvar)?, in_place::<Mutex, _>(OPERATION, mutex)?) };
        let condition = condition.ok_or_else(|| invalid(OPERATION, "a NULL pointer where a function is needed"))?;
        // SAFETY: the caller's promise.
        let mut holds = || unsafe { condition(argument) } != 0;
        waiting(timeout, |wait| condvar.wait_while_raw(mutex, wait, &mut holds)).map(repair)
    })
}

/// Wakes at least one of those who wait, if there are any. To be called after the change, before the mutex is unlocked.
///
/// @return  0; -EINVAL: NULL or misaligned; UNIPC_INCOMPATIBLE: no condition variable of this ABI
///
/// Threads: any. Signal-safe: no. Since 0.1. See pthread_cond_signal(3p).
///
/// # Safety
/// As unipc_condvar_wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_condvar_notify_one(condvar: *mut unipc_condvar) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe { if at_once(condvar, Condvar::has_nobody_to_wake) { 0 } else { notify(condvar, Condvar::notify_one) } }
}

/// Wakes all who wait. To be called after the change, before the mutex is unlocked.
///
/// @return  as unipc_condvar_notify_one
///
/// Threads: any. Signal-safe: no. Since 0.1. See pthread_cond_broadcast(3p).
///
/// # Safety
/// As unipc_condvar_wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_condvar_notify_all(condvar: *mut unipc_condvar) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe { if at_once(condvar, Condvar::has_nobody_to_wake) { 0 } else { notify(condvar, Condvar::notify_all) } }
}

/// # Safety
/// As [`unipc_condvar_wait`].
#[cold]
unsafe fn notify(condvar: *mut unipc_condvar, wake: fn(&Condvar) -> Result<(), Error>) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| wake(unsafe { self::condvar("signal condition variable", condvar) }?))
}
