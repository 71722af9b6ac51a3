//! The stop token: shared by threads, and by a process and the children that it forks.

mod support;

use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use support::alone::Alone;
use support::process::Child;
use unipc::event::EventCounter;
use unipc::{Stop, Wait};

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);

fn is_readable(stop: &Stop) -> bool {
    let mut polled = [libc::pollfd { fd: stop.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 }];
    // SAFETY: the array is valid for its length.
    unsafe { libc::poll(polled.as_mut_ptr(), 1, 0) == 1 }
}

/// How a wait of this length with the token ends, for what never comes.
fn end(stop: &Stop, length: Duration) -> Errno {
    let never = EventCounter::create(&Default::default()).unwrap();
    let error = never.take(Wait::new(length, Some(stop))).unwrap_err();
    [Errno::ECANCELED, Errno::ETIMEDOUT].into_iter().find(|errno| error.is(*errno)).unwrap()
}

/// That the token says the same in every way.
fn says(stop: &Stop, requested: bool) {
    assert_eq!((stop.is_requested(), is_readable(stop)), (requested, requested));
    let expected = if requested { Errno::ECANCELED } else { Errno::ETIMEDOUT };
    assert_eq!(end(stop, if requested { HANG } else { Duration::from_millis(1) }), expected);
}

#[test]
fn parent_and_child_share_a_request_and_its_end() {
    let _alone = Alone::new();
    let stop = Stop::new().unwrap();
    let counter = || EventCounter::create(&Default::default()).unwrap();
    let (there, back) = (counter(), counter());
    let child = Child::fork(|| {
        for _ in 0..10 {
            there.take(HANG).unwrap();
            says(&stop, true);
            back.add(1, None).unwrap();
            there.take(HANG).unwrap();
            says(&stop, false);
            stop.request();
            says(&stop, true);
            back.add(1, None).unwrap();
            there.take(HANG).unwrap();
            stop.reset();
            back.add(1, None).unwrap();
        }
        0
    });
    for _ in 0..10 {
        says(&stop, false);
        stop.request();
        there.add(1, None).unwrap();
        back.take(HANG).unwrap();
        stop.reset();
        says(&stop, false);
        there.add(1, None).unwrap();
        back.take(HANG).unwrap();
        says(&stop, true);
        there.add(1, None).unwrap();
        back.take(HANG).unwrap();
    }
    assert_eq!(child.wait(), 0);
}

#[test]
fn requests_and_resets_at_once_leave_a_token_that_agrees_with_itself() {
    let _alone = Alone::new();
    let stop = Stop::new().unwrap();
    for round in 0..2000 {
        std::thread::scope(|scope| {
            scope.spawn(|| stop.request());
            if round % 2 == 0 {
                std::thread::yield_now();
            }
            stop.reset();
        });
        assert_eq!(stop.is_requested(), is_readable(&stop), "round {round}");
        stop.reset();
        assert!(!stop.is_requested() && !is_readable(&stop));
    }
}

#[test]
fn a_limit_of_descriptors_below_what_is_open_ends_no_wait() {
    let _alone = Alone::new();
    let child = Child::fork(|| {
        let stop = Stop::new().unwrap();
        let counter = EventCounter::create(&Default::default()).unwrap();
        let take = |length: Duration| counter.take(Wait::new(length, Some(&stop)));
        // The kernel polls no more descriptors together than a process may have.
        let limit = libc::rlimit { rlim_cur: 1, rlim_max: 1 };
        // SAFETY: the limit is valid to read.
        unsafe { assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0) };
        assert!(take(Duration::from_millis(20)).unwrap_err().is(Errno::ETIMEDOUT));
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(20));
                counter.add(1, None).unwrap();
            });
            assert_eq!(take(HANG).unwrap(), 1);
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(20));
                over.store(true, Ordering::SeqCst);
                stop.request();
            });
            assert!(take(HANG).unwrap_err().is(Errno::ECANCELED));
            assert!(over.load(Ordering::SeqCst));
        });
        0
    });
    assert_eq!(child.wait(), 0);
}
