//! Sleeping on a word in memory.

use std::ffi::{c_int, c_void};
use std::sync::atomic::AtomicU32;

use unipc_core::Error;
use unipc_core::sync::{futex_requeue, futex_wait, futex_wake};

use crate::sync::in_place;
use crate::wait::waiting;
use crate::{guard, guard_unit, invalid};

/// # Safety
/// `word` is NULL or valid for reads and writes of 32 bits during `'a`, by atomic means alone.
unsafe fn word_at<'a>(operation: &'static str, word: *const c_void) -> Result<&'a AtomicU32, Error> {
    if !word.cast::<AtomicU32>().is_aligned() {
        return Err(invalid(operation, "the word stands at a multiple of 4 bytes"));
    }
    // SAFETY: aligned; the caller's promise for the rest.
    unsafe { in_place(operation, word) }
}

/// Sleeps while a 32-bit word is what is expected, for those who build their own: `uint32_t`, `_Atomic uint32_t` or `std::atomic<uint32_t>`, in memory that
/// processes share or in one's own.
///
/// It returns at once if the word is something else, when it is woken, and within half a second also when a waker has changed the word and was
/// killed before it could ring. It may return for no reason: look at the word again, in a loop.
///
/// @param word      where, at a multiple of 4 bytes
/// @param expected  the value to sleep by
/// @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return          0: look again; -EAGAIN, -ETIMEDOUT, -ECANCELED: the word is what was expected; -EINVAL: NULL or misaligned
///
/// Threads: any. Fork: parent and child sleep on the same word if they share the memory. Signal-safe: no. Since 0.1. See futex(2).
///
/// # Safety
/// `word` is NULL or valid for reads of 32 bits, which are changed by atomic means alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_futex_wait(word: *const c_void, expected: u32, timeout: i64) -> c_int {
    // SAFETY: the caller's promise; the word is only loaded.
    guard_unit(|| waiting(timeout, |wait| futex_wait(unsafe { word_at("wait on word in memory", word) }?, expected, wait)))
}

/// Wakes some of those who sleep on a word, of any process. Change the word first, atomically.
///
/// @param word   where, at a multiple of 4 bytes
/// @param count  how many at most; UINT32_MAX: all
/// @return       how many; -EINVAL: NULL or misaligned
///
/// Threads: any. Signal-safe: no. Since 0.1. See futex(2).
///
/// # Safety
/// `word` is NULL or valid for reads of 32 bits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_futex_wake(word: *const c_void, count: u32) -> c_int {
    // SAFETY: the caller's promise; only the address is used.
    guard(|| unsafe { word_at("wake sleepers on word in memory", word) }.map(|word| futex_wake(word, count) as c_int))
}

/// Wakes some of those who sleep on a word, and has others sleep on another word from now on, if the word still is what is expected. So the next holder
/// of a lock wakes them one by one. One that was moved looks at its own word again within half a second, and then returns.
///
/// @param word      where they sleep
/// @param expected  what the word must be
/// @param wake      how many to wake at most
/// @param other     where others are to sleep
/// @param move      how many of these at most; UINT32_MAX: all
/// @return          how many were woken and moved; -EAGAIN: the word is another; -EINVAL: NULL or misaligned
///
/// Threads: any. Signal-safe: no. Since 0.1. See FUTEX_CMP_REQUEUE in futex(2).
///
/// # Safety
/// `word` and `other` are NULL or valid for reads of 32 bits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_futex_requeue(word: *const c_void, expected: u32, wake: u32, other: *const c_void, r#move: u32) -> c_int {
    const OPERATION: &str = "move sleepers to another word";
    guard(|| {
        // SAFETY: the caller's promise; the kernel reads the first, and uses the address of the second.
        let (word, other) = unsafe { (word_at(OPERATION, word)?, word_at(OPERATION, other)?) };
        futex_requeue(word, expected, wake, other, r#move).map(|count| count as c_int)
    })
}
