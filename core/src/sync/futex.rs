//! Sleeping on a word in shared memory.
//!
//! The kernel compares the word with what the sleeper expects and puts it to sleep in one step, so a change between the look and the sleep is
//! not missed. The waker changes the word first and rings second. Shared futexes: keyed by page, not by address.
//!
//! [futex(2)](https://man7.org/linux/man-pages/man2/futex.2.html)

use std::sync::atomic::AtomicU32;

use libc::timespec;

/// Sleeps while `word` is `expected`, at most until `until` on the monotonic clock. Returns for any reason, also for none: look again.
pub(crate) fn wait(word: &AtomicU32, expected: u32, until: timespec) {
    const ANY: u32 = u32::MAX;
    // SAFETY: the word and the time live through the call. FUTEX_WAIT_BITSET takes an absolute time of the monotonic clock.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT_BITSET,
            expected,
            std::ptr::from_ref(&until),
            std::ptr::null::<u32>(),
            ANY,
        );
    }
}

/// Wakes up to `count` sleepers.
pub(crate) fn wake(word: &AtomicU32, count: i32) {
    // SAFETY: the word lives through the call; the kernel only uses its address.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, count) };
}
