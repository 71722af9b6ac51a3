//! The C library's part: a process-shared robust mutex, and sleeps that end on the monotonic clock.
//!
//! A robust mutex stands in its holder's list of held locks, which the kernel walks when the thread dies. That list, one per thread, belongs to
//! the C library, so the mutex must be the C library's too. `pthread_mutex_clocklock` and `sem_clockwait` came with glibc 2.30; a C library
//! without them sleeps on the realtime clock in slices so short that a clock jump delays by one slice at most.
//!
//! [pthread_mutexattr_setrobust(3)](https://man7.org/linux/man-pages/man3/pthread_mutexattr_setrobust.3.html),
//! [sem_wait(3)](https://man7.org/linux/man-pages/man3/sem_wait.3.html)

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use libc::{c_int, pthread_mutex_t, sem_t, timespec};

use super::mutex::MutexKind;

/// Where the kernel finds the owner's thread number: [robust futexes](https://docs.kernel.org/locking/robust-futex-ABI.html).
const LOCK_WORD: usize = if cfg!(target_env = "musl") { 4 } else { 0 };
const OWNER: u32 = 0x3fff_ffff;

#[cfg(target_env = "gnu")]
unsafe extern "C" {
    fn pthread_mutex_clocklock(mutex: *mut pthread_mutex_t, clock: libc::clockid_t, until: *const timespec) -> c_int;
    fn sem_clockwait(semaphore: *mut sem_t, clock: libc::clockid_t, until: *const timespec) -> c_int;
}

/// Locks, or gives ETIMEDOUT at `until` on the monotonic clock. The errno is the result.
///
/// # Safety
/// `mutex` points to an initialised mutex.
#[cfg(target_env = "gnu")]
pub(super) unsafe fn lock_until(mutex: *mut pthread_mutex_t, until: timespec) -> c_int {
    // SAFETY: the caller's promise; `until` lives through the call.
    unsafe { pthread_mutex_clocklock(mutex, libc::CLOCK_MONOTONIC, &until) }
}

/// As above, in one short slice of the realtime clock.
///
/// # Safety
/// `mutex` points to an initialised mutex.
#[cfg(not(target_env = "gnu"))]
pub(super) unsafe fn lock_until(mutex: *mut pthread_mutex_t, until: timespec) -> c_int {
    let slice = realtime_slice(until);
    // SAFETY: the caller's promise; `slice` lives through the call.
    unsafe { libc::pthread_mutex_timedlock(mutex, &slice) }
}

/// Takes a unit, or fails with ETIMEDOUT at `until` on the monotonic clock; errno says why.
///
/// # Safety
/// `semaphore` points to an initialised semaphore.
#[cfg(target_env = "gnu")]
pub(super) unsafe fn wait_until(semaphore: *mut sem_t, until: timespec) -> c_int {
    // SAFETY: the caller's promise; `until` lives through the call.
    unsafe { sem_clockwait(semaphore, libc::CLOCK_MONOTONIC, &until) }
}

/// As above, in one short slice of the realtime clock.
///
/// # Safety
/// `semaphore` points to an initialised semaphore.
#[cfg(not(target_env = "gnu"))]
pub(super) unsafe fn wait_until(semaphore: *mut sem_t, until: timespec) -> c_int {
    let slice = realtime_slice(until);
    // SAFETY: the caller's promise; `slice` lives through the call.
    unsafe { libc::sem_timedwait(semaphore, &slice) }
}

#[cfg(not(target_env = "gnu"))]
fn realtime_slice(until: timespec) -> timespec {
    const SLICE: i64 = 10_000_000;
    let left = (until.tv_sec as i64 * 1_000_000_000 + until.tv_nsec as i64 - crate::wait::now()).clamp(0, SLICE);
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid to write to; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut time) };
    let nanoseconds = time.tv_nsec as i64 + left;
    timespec { tv_sec: time.tv_sec + nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000 }
}

/// How an unlocked mutex differs from zero bytes: one word, the kind.
#[derive(Debug, Clone, Copy)]
struct KindWord {
    offset: usize,
    plain: u32,
    recursive: u32,
    error_checking: u32,
}

/// Found out by asking the C library, not by knowing its layout. `None` where a zeroed mutex differs in more than a word.
fn kind_word() -> Option<KindWord> {
    static KNOWN: AtomicBool = AtomicBool::new(false);
    static FOUND: [AtomicU32; 4] = [const { AtomicU32::new(0) }; 4];
    if !KNOWN.load(Ordering::Acquire) {
        // Several threads may find out at the same time, and find the same. No lock: whoever holds it when another thread forks holds it for
        // ever in the child.
        let words = find_kind_word()?;
        FOUND.iter().zip(words).for_each(|(place, word)| place.store(word, Ordering::Relaxed));
        KNOWN.store(true, Ordering::Release);
    }
    let [offset, plain, recursive, error_checking] = FOUND.each_ref().map(|word| word.load(Ordering::Relaxed));
    Some(KindWord { offset: offset as usize, plain, recursive, error_checking })
}

/// The offset, and the three values.
fn find_kind_word() -> Option<[u32; 4]> {
    let (offset, plain) = only_word(libc::PTHREAD_MUTEX_NORMAL)?;
    let (_, recursive) = only_word(libc::PTHREAD_MUTEX_RECURSIVE).filter(|word| word.0 == offset)?;
    let (_, error_checking) = only_word(libc::PTHREAD_MUTEX_ERRORCHECK).filter(|word| word.0 == offset)?;
    Some([offset as u32, plain, recursive, error_checking])
}

/// The offset and value of the only non-zero word of a fresh robust, process-shared mutex of the type.
fn only_word(mutex_type: c_int) -> Option<(usize, u32)> {
    const WORDS: usize = size_of::<pthread_mutex_t>() / 4;
    let mut attributes = MaybeUninit::uninit();
    let mut mutex = MaybeUninit::<pthread_mutex_t>::zeroed();
    // SAFETY: both objects are local; the attributes are initialised before use and destroyed after.
    let fine = unsafe {
        libc::pthread_mutexattr_init(attributes.as_mut_ptr()) == 0
            && libc::pthread_mutexattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED) == 0
            && libc::pthread_mutexattr_setrobust(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_ROBUST) == 0
            && libc::pthread_mutexattr_settype(attributes.as_mut_ptr(), mutex_type) == 0
            && libc::pthread_mutex_init(mutex.as_mut_ptr(), attributes.as_ptr()) == 0
            && libc::pthread_mutexattr_destroy(attributes.as_mut_ptr()) == 0
    };
    if !fine {
        return None;
    }
    // SAFETY: the mutex was zeroed before it was initialised, so every byte of it has a value; it is as large and aligned as the words.
    let words = unsafe { mutex.as_ptr().cast::<[u32; WORDS]>().read() };
    let mut non_zero = words.iter().enumerate().filter(|(_, word)| **word != 0);
    match (non_zero.next(), non_zero.next()) {
        (Some((index, word)), None) => Some((index * 4, *word)),
        _ => None,
    }
}

/// Whether robust mutexes can start from zero bytes here.
pub(super) fn is_available() -> bool {
    kind_word().is_some()
}

/// Makes zeroed bytes a robust, process-shared mutex, in one compare-and-swap: it may be repeated, by anyone, at any time.
///
/// # Safety
/// `mutex` points to memory that is a mutex of ours or zero, and that is only used atomically or through the C library.
pub(super) unsafe fn set_kind(mutex: *mut pthread_mutex_t, kind: MutexKind) {
    let Some(word) = kind_word() else { return };
    let value = match kind {
        MutexKind::Plain => word.plain,
        MutexKind::Recursive => word.recursive,
        MutexKind::ErrorChecking => word.error_checking,
    };
    // SAFETY: the offset lies inside the mutex and is a multiple of four; the caller's promise for the rest.
    let place = unsafe { AtomicU32::from_ptr(mutex.cast::<u8>().add(word.offset).cast()) };
    let _ = place.compare_exchange(0, value, Ordering::AcqRel, Ordering::Relaxed);
}

/// Whether the calling thread holds the mutex, by the word that the kernel itself goes by.
///
/// # Safety
/// `mutex` points to an initialised mutex.
pub(super) unsafe fn is_held_by_caller(mutex: *mut pthread_mutex_t) -> bool {
    // SAFETY: the lock word lies inside the mutex and is aligned; it is only changed atomically.
    let word = unsafe { AtomicU32::from_ptr(mutex.cast::<u8>().add(LOCK_WORD).cast()) };
    // SAFETY: gettid always succeeds.
    let own = unsafe { libc::syscall(libc::SYS_gettid) } as u32;
    word.load(Ordering::Relaxed) & OWNER == own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_mutex_is_zero_but_for_its_kind() {
        let word = kind_word().expect("this C library's robust mutexes can start from zero bytes");
        assert_eq!(word.offset % 4, 0);
        assert!(word.plain != word.recursive && word.recursive != word.error_checking);
    }
}
