//! Which signals the calling thread holds back: [pthread_sigmask(3)](https://man7.org/linux/man-pages/man3/pthread_sigmask.3.html).
//!
//! A thread may want the same signal held back for several reasons at once, and the first that ends must not let it through. So each thread counts.

use std::cell::RefCell;
use std::marker::PhantomData;

use super::set_of;
use super::table::LARGEST;
use crate::error::Result;

/// Signals that the thread holds back, until this is dropped. What comes meanwhile is delivered then.
///
/// Blocks may be nested and ended in any order. It belongs to the thread that made it.
#[derive(Debug)]
pub struct Blocked {
    _held: Held,
    /// A mask is of one thread.
    _thread: PhantomData<*const ()>,
}

impl Blocked {
    /// Holds the signals back. Errors: `EINVAL` for none, or one that cannot be blocked.
    pub fn new(signals: &[i32]) -> Result<Blocked> {
        Ok(Blocked { _held: Held::new("block signals", signals)?, _thread: PhantomData })
    }
}

/// How often a signal is held back in this thread, and whether it was by somebody else before us.
#[derive(Clone, Copy)]
struct Count {
    holders: u32,
    was_blocked: bool,
}

thread_local! {
    static COUNTS: RefCell<[Count; LARGEST as usize + 1]> = const { RefCell::new([Count { holders: 0, was_blocked: false }; LARGEST as usize + 1]) };
}

/// [`Blocked`] that may be dropped in another thread, and then changes nothing.
#[derive(Debug)]
pub(super) struct Held {
    signals: Vec<i32>,
    thread: libc::pid_t,
}

impl Held {
    pub(super) fn new(operation: &'static str, signals: &[i32]) -> Result<Held> {
        let set = set_of(operation, signals)?;
        let mut signals = signals.to_vec();
        signals.sort_unstable();
        signals.dedup();
        let before = change(libc::SIG_BLOCK, &set);
        let _ = COUNTS.try_with(|counts| {
            let mut counts = counts.borrow_mut();
            for number in &signals {
                let count = &mut counts[*number as usize];
                if count.holders == 0 {
                    // SAFETY: the set was filled by pthread_sigmask.
                    count.was_blocked = unsafe { libc::sigismember(&before, *number) } == 1;
                }
                count.holders += 1;
            }
        });
        Ok(Held { signals, thread: thread() })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.thread != thread() {
            return;
        }
        // SAFETY: the set is initialised by sigemptyset before it is used; the numbers are signals.
        let set = unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&mut set);
            let _ = COUNTS.try_with(|counts| {
                let mut counts = counts.borrow_mut();
                for number in &self.signals {
                    let count = &mut counts[*number as usize];
                    count.holders = count.holders.saturating_sub(1);
                    if count.holders == 0 && !count.was_blocked {
                        libc::sigaddset(&mut set, *number);
                    }
                }
            });
            set
        };
        change(libc::SIG_UNBLOCK, &set);
    }
}

/// Changes the mask and gives the one before.
fn change(how: libc::c_int, set: &libc::sigset_t) -> libc::sigset_t {
    // SAFETY: the set is initialised, the place for the old one valid to write to; it does not fail with such arguments.
    unsafe {
        let mut before = std::mem::zeroed();
        libc::pthread_sigmask(how, set, &mut before);
        before
    }
}

/// After fork the child's thread has another number: the mask that it inherited is then its own affair.
fn thread() -> libc::pid_t {
    // SAFETY: always succeeds.
    unsafe { libc::syscall(libc::SYS_gettid) as libc::pid_t }
}
