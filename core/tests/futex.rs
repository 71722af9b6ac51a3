//! Sleeping on a word that real processes share.

mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use support::contained::contained;
use support::process::Child;
use support::shared::SharedPages;
use support::waits::{ends_in_every_way, prepare};
use unipc::Wait;
use unipc::sync::{futex_requeue, futex_wait, futex_wake};

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);

fn in_a_process(work: impl FnOnce()) {
    prepare();
    contained(|_| work());
}

/// Sleeps until the word is something else.
fn sleep(word: &AtomicU32, expected: u32, wait: Wait<'_>) -> i32 {
    while word.load(Ordering::Acquire) == expected {
        if futex_wait(word, expected, wait).is_err() {
            return 1;
        }
    }
    0
}

#[test]
fn every_wait_ends() {
    in_a_process(|| {
        let word = SharedPages::<AtomicU32>::zeroed();
        ends_in_every_way("futex_wait", |wait| futex_wait(&word, 0, wait).unwrap_err());
        // Something else is no wait, whatever its limit.
        for wait in [Wait::NEVER, Wait::FOREVER, HANG.into()] {
            futex_wait(&word, 1, wait).unwrap();
            futex_wait(&word, u32::MAX, wait).unwrap();
        }
    });
}

#[test]
fn two_processes_take_turns() {
    in_a_process(|| {
        let word = SharedPages::<AtomicU32>::zeroed();
        for wait in [Wait::FOREVER, HANG.into()] {
            word.store(0, Ordering::SeqCst);
            let turn = |own: u32| {
                for round in 0..1000 {
                    let before = 2 * round + own;
                    while word.load(Ordering::Acquire) != before {
                        futex_wait(&word, before.wrapping_sub(1), wait).unwrap();
                    }
                    word.store(before + 1, Ordering::Release);
                    futex_wake(&word, 1);
                }
                0
            };
            let other = Child::fork(|| turn(1));
            turn(0);
            assert_eq!(other.wait(), 0);
            assert_eq!(word.load(Ordering::SeqCst), 2000);
        }
    });
}

#[test]
fn as_many_wake_as_asked_for() {
    in_a_process(|| {
        let words = SharedPages::<[AtomicU32; 2]>::zeroed();
        let [word, other] = &*words;
        assert_eq!(futex_wake(word, u32::MAX), 0);
        // Each returns whatever the word is then: so it is known who was woken.
        let sleepers: Vec<_> = (0..4).map(|_| Child::fork(|| i32::from(futex_wait(word, 0, Wait::FOREVER).is_err()))).collect();
        let mut woken = 0;
        let start = Instant::now();
        // All sleep as soon as four of them can be moved to where they are, without waking one.
        while futex_requeue(word, 0, 0, word, u32::MAX).unwrap() != 4 {
            assert!(start.elapsed() < HANG);
            std::thread::yield_now();
        }
        while woken < 2 {
            assert!(start.elapsed() < HANG);
            woken += futex_wake(word, 1);
        }
        assert_eq!(futex_requeue(word, 1, 1, other, 1).unwrap_err().errno(), Some(Errno::EAGAIN), "the word is another");
        // One between two sleeps is in no queue: it comes back to the word, which is as it was.
        while futex_requeue(word, 0, 0, other, 1).unwrap() != 1 {
            assert!(start.elapsed() < HANG);
        }
        word.store(1, Ordering::SeqCst);
        futex_wake(other, u32::MAX);
        futex_wake(word, u32::MAX);
        sleepers.into_iter().for_each(|sleeper| assert_eq!(sleeper.wait(), 0));
    });
}

#[test]
fn a_waker_killed_before_it_rings_is_no_hang() {
    in_a_process(|| {
        let word = SharedPages::<AtomicU32>::zeroed();
        let sleeper = Child::fork(|| sleep(&word, 0, Wait::FOREVER));
        std::thread::sleep(Duration::from_millis(50));
        let start = Instant::now();
        word.store(1, Ordering::SeqCst);
        assert_eq!(sleeper.wait(), 0);
        assert!(start.elapsed() < HANG / 4, "{:?}", start.elapsed());
    });
}
