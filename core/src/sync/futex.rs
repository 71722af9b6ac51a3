//! Sleeping on a word in shared memory.
//!
//! The kernel compares the word with what the sleeper expects and puts it to sleep in one step, so a change between the look and the sleep is
//! not missed. The waker changes the word first and rings second. Shared futexes: keyed by page, not by address.
//!
//! [futex(2)](https://man7.org/linux/man-pages/man2/futex.2.html)

use std::sync::atomic::{AtomicU32, Ordering};

use libc::timespec;
use nix::errno::Errno;

use super::LONGEST_SLEEP;
use crate::error::{Error, Result, check};
use crate::wait::{Deadline, Wait};

/// How often whoever waits looks before it sleeps: some microseconds on more than one processor; once if it does not wait, or if nobody can run meanwhile.
/// How many processors there are is asked once.
pub(crate) fn spins(deadline: &Deadline<'_>) -> u32 {
    const SPINS: u32 = 200;
    static KNOWN: AtomicU32 = AtomicU32::new(0);
    if deadline.never_waits() {
        return 1;
    }
    match KNOWN.load(Ordering::Relaxed) {
        0 => {
            let spins = if std::thread::available_parallelism().is_ok_and(|count| count.get() == 1) { 1 } else { SPINS };
            KNOWN.store(spins, Ordering::Relaxed);
            spins
        }
        known => known,
    }
}

/// Every ring.
const ANY: u32 = u32::MAX;

/// Sleeps while `word` is `expected`, at most until `until` on the monotonic clock. Returns for any reason, also for none: look again.
pub(crate) fn wait(word: &AtomicU32, expected: u32, until: timespec) {
    wait_for_some(word, expected, until, ANY);
}

/// [`wait`] for rings that share a bit with `bells`.
pub(crate) fn wait_for_some(word: &AtomicU32, expected: u32, until: timespec, bells: u32) {
    // SAFETY: the word and the time live through the call. FUTEX_WAIT_BITSET takes an absolute time of the monotonic clock.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT_BITSET,
            expected,
            std::ptr::from_ref(&until),
            std::ptr::null::<u32>(),
            bells,
        );
    }
}

/// Wakes up to `count` sleepers.
pub(crate) fn wake(word: &AtomicU32, count: i32) {
    // SAFETY: the word lives through the call; the kernel only uses its address.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, count) };
}

/// Sleeps while `word` is `expected`, for those who build their own: in memory that processes share, or in one's own.
///
/// Returns at once if the word is something else, when it is woken, and also when a waker has changed the word and was killed before it could ring: within
/// half a second. It may return for no reason: look at the word again, in a loop. Errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]) while
/// the word is what was expected.
pub fn futex_wait<'a>(word: &AtomicU32, expected: u32, wait: impl Into<Wait<'a>>) -> Result<()> {
    const OPERATION: &str = "wait on word in memory";
    let mut deadline = Deadline::new(OPERATION, wait);
    while word.load(Ordering::Acquire) == expected {
        let until = deadline.until(LONGEST_SLEEP)?;
        let (until, none) = (std::ptr::from_ref(&until), std::ptr::null::<u32>());
        // SAFETY: the word and the time live through the call. FUTEX_WAIT_BITSET takes an absolute time of the monotonic clock.
        match check(unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT_BITSET, expected, until, none, ANY) }) {
            Ok(_) | Err(Errno::EAGAIN) => return Ok(()),
            Err(Errno::ETIMEDOUT | Errno::EINTR) => {}
            Err(errno) => return Err(Error::os(OPERATION, errno)),
        }
    }
    Ok(())
}

/// Wakes up to `count` of those who sleep on `word`, of any process, and tells how many. Change the word first.
pub fn futex_wake(word: &AtomicU32, count: u32) -> usize {
    let count = count.min(i32::MAX as u32);
    // SAFETY: the word lives through the call; the kernel only uses its address.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, count) };
    woken.max(0) as usize
}

/// Wakes up to `wake` of those who sleep on `word`, and has up to `move_on` of the others sleep on `other` from now on, if `word` still is `expected`; tells
/// how many both are. So a lock's next holder wakes them one by one, and they do not all run for it at once. `EAGAIN` if `word` has changed.
///
/// One that was moved looks at its own word again within half a second, and then returns.
pub fn futex_requeue(word: &AtomicU32, expected: u32, wake: u32, other: &AtomicU32, move_on: u32) -> Result<usize> {
    const OPERATION: &str = "move sleepers to another word";
    let (wake, move_on) = (wake.min(i32::MAX as u32), move_on.min(i32::MAX as u32) as usize);
    // SAFETY: both words live through the call; the kernel takes the second count where others have a time.
    let moved =
        check(unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_CMP_REQUEUE, wake, move_on, other.as_ptr(), expected) });
    moved.map(|count| count as usize).map_err(|errno| Error::os(OPERATION, errno))
}

/// Wakes up to `count` sleepers of those whose bells share a bit with `bells`.
pub(crate) fn wake_some(word: &AtomicU32, count: i32, bells: u32) {
    let nothing = std::ptr::null::<u32>();
    // SAFETY: the word lives through the call; the kernel only uses its address.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE_BITSET, count, nothing, nothing, bells) };
}
