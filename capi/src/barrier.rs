//! Barriers in the user's memory.

use std::ffi::c_int;

use unipc_core::Error;
use unipc_core::sync::Barrier;

use crate::sync::in_place;
use crate::wait::waiting;
use crate::{guard, guard_unit};

/// The most parties of a unipc_barrier.
pub const UNIPC_BARRIER_PARTIES: u32 = 56;

/// A barrier for memory that processes share: nobody goes on before all parties have come, round after round. A party that dies breaks it, with an error
/// for all. All-zero bytes are none: it must be initialised with the number of its parties.
///
/// A party is a thread. It must not be moved or copied while in use. Processes that share it live in one pid namespace; others get UNIPC_INCOMPATIBLE. It
/// trusts everyone who can write the page.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_barrier {
    /// Not for use.
    pub opaque: [u64; 64],
}

const _: () = {
    assert!(size_of::<unipc_barrier>() == size_of::<Barrier>() && align_of::<unipc_barrier>() == align_of::<Barrier>());
    assert!(UNIPC_BARRIER_PARTIES as usize == unipc_core::sync::PARTIES);
};

/// # Safety
/// As [`unipc_barrier_wait`].
unsafe fn barrier<'a>(operation: &'static str, barrier: *const unipc_barrier) -> Result<&'a Barrier, Error> {
    // SAFETY: the caller's promise.
    unsafe { in_place(operation, barrier) }
}

/// Makes the barrier, whatever bytes stood there. Nobody may use it meanwhile: initialise it before others see the memory.
///
/// @param barrier  where, at a multiple of 8 bytes
/// @param parties  1 to UNIPC_BARRIER_PARTIES
/// @return         0; -EINVAL: NULL, misaligned, number out of range
///
/// Threads: none may use the barrier meanwhile. Signal-safe: no. Since 0.1. See pthread_barrier_init(3p).
///
/// # Safety
/// `barrier` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_barrier_init(barrier: *mut unipc_barrier, parties: u32) -> c_int {
    guard_unit(|| {
        // SAFETY: the caller's promise; any bytes are a valid `Barrier` to refer to.
        unsafe { self::barrier("initialise barrier", barrier) }?;
        let fresh = Barrier::new(parties)?;
        // SAFETY: not NULL, aligned, and used by nobody else, as the caller promises.
        unsafe { Barrier::init(barrier.cast(), fresh) };
        Ok(())
    })
}

/// Makes the calling thread a party, if it is none yet: from here on its death breaks the barrier. unipc_barrier_wait does it too, if need be.
///
/// @return  0; -EUSERS: all places are taken; -EOWNERDEAD: the barrier is broken; -EINVAL: NULL, misaligned, not initialised; UNIPC_INCOMPATIBLE: no
///          barrier of this ABI and pid namespace
///
/// Threads: any; the place is the calling thread's. Fork: the child is no party. Signal-safe: no. Since 0.1.
///
/// # Safety
/// As unipc_barrier_wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_barrier_join(barrier: *mut unipc_barrier) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { self::barrier("join barrier", barrier) }?.join())
}

/// Gives the calling thread's place up, for another to join. A party that ends without leaving breaks the barrier.
///
/// @return  0; -EPERM: the calling thread is no party; -EINVAL: NULL, misaligned, not initialised; UNIPC_INCOMPATIBLE
///
/// Threads: the party. Signal-safe: no. Since 0.1.
///
/// # Safety
/// As unipc_barrier_wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_barrier_leave(barrier: *mut unipc_barrier) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { self::barrier("leave barrier", barrier) }?.leave())
}

/// Waits until all parties have come.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         1 to the last to come, 0 to the others; -EOWNERDEAD: a party died, and the barrier is broken for all until unipc_barrier_reset;
///                 -EAGAIN: others are missing and the timeout is zero; -ETIMEDOUT; -ECANCELED: the bound stop token; -EUSERS: all places are
///                 taken by others; -EINVAL: NULL, misaligned, not initialised; UNIPC_INCOMPATIBLE. A negative result: the caller has not come.
///
/// Threads: any; the place is the calling thread's. Fork: the child is no party. Signal-safe: no. Since 0.1. See pthread_barrier_wait(3p).
///
/// # Safety
/// `barrier` is NULL or an object in memory that is only used through these functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_barrier_wait(barrier: *mut unipc_barrier, timeout: i64) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        let barrier = unsafe { self::barrier("wait at barrier", barrier) }?;
        waiting(timeout, |wait| barrier.wait(wait)).map(c_int::from)
    })
}

/// Ends the break, after what the dead have left half done is mended: their places are free, and a round begins in which nobody has come.
///
/// @return  1: it was broken; 0: it was not; -EINVAL: NULL, misaligned, not initialised; UNIPC_INCOMPATIBLE
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// As unipc_barrier_wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_barrier_reset(barrier: *mut unipc_barrier) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe { self::barrier("reset barrier", barrier) }?.reset().map(c_int::from))
}

/// Whether a party has died, and nobody has reset the barrier since.
///
/// @return  1 or 0; -EINVAL: NULL, misaligned, not initialised; UNIPC_INCOMPATIBLE
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// As unipc_barrier_wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_barrier_is_broken(barrier: *const unipc_barrier) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe { self::barrier("read barrier", barrier) }?.is_broken().map(c_int::from))
}
