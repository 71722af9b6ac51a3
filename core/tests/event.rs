//! Event counters and timers.

mod support;

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use support::alone::{Alone, flags};
use support::process::{Child, kills};
use support::waits::ends_in_every_way;
use unipc::event::{Clock, EventCounter, EventCounterOptions, Timer};
use unipc::{Failure, Wait};

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);
const LARGEST: u64 = u64::MAX - 1;

fn counter(initial: u32, semaphore: bool) -> EventCounter {
    EventCounter::create(&EventCounterOptions { initial, semaphore }).unwrap()
}

/// Whether poll calls it readable.
fn is_readable(descriptor: impl AsFd) -> bool {
    let mut polled = [libc::pollfd { fd: descriptor.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 }];
    // SAFETY: the array is valid for its length.
    unsafe { libc::poll(polled.as_mut_ptr(), 1, 0) == 1 && polled[0].revents & libc::POLLIN != 0 }
}

/// A raw eventfd.
fn raw_eventfd(initial: u32, flags: libc::c_int) -> OwnedFd {
    // SAFETY: eventfd takes integers; the descriptor is fresh.
    unsafe { OwnedFd::from_raw_fd(libc::eventfd(initial, flags)) }
}

#[test]
fn a_counter_sums_and_is_taken_whole() {
    let _alone = Alone::new();
    let event = counter(7, false);
    assert!(is_readable(&event));
    event.add(35, None).unwrap();
    assert_eq!(event.value().unwrap(), 42);
    assert_eq!(event.take(None).unwrap(), 42);
    assert!(!is_readable(&event));
    event.add(0, None).unwrap();
    assert!(!is_readable(&event));
    assert_ne!(flags(&event) & libc::O_NONBLOCK, 0);
    ends_in_every_way("take", |wait| event.take(wait).unwrap_err());
}

#[test]
fn a_semaphore_gives_one_at_a_time() {
    let _alone = Alone::new();
    let event = counter(0, true);
    event.add(3, Wait::NEVER).unwrap();
    for _ in 0..3 {
        assert_eq!(event.take(Wait::NEVER).unwrap(), 1);
    }
    assert!(event.take(Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
}

#[test]
fn a_full_counter_makes_the_sender_wait() {
    let _alone = Alone::new();
    for nonblocking in [0, libc::EFD_NONBLOCK] {
        let event = EventCounter::adopt(raw_eventfd(0, nonblocking)).unwrap();
        assert!(event.add(u64::MAX, None).unwrap_err().is(Errno::EINVAL));
        event.add(LARGEST - 1, Wait::NEVER).unwrap();
        assert!(event.add(2, Wait::NEVER).unwrap_err().is(Errno::EAGAIN), "room for one alone");
        event.add(1, Wait::NEVER).unwrap();
        for value in [1, 2, LARGEST] {
            ends_in_every_way("add", |wait| event.add(value, wait).unwrap_err());
        }
        std::thread::scope(|scope| {
            scope.spawn(|| event.add(5, HANG).unwrap());
            scope.spawn(|| event.add(5, None).unwrap());
            std::thread::sleep(Duration::from_millis(20));
            assert_eq!(event.take(HANG).unwrap(), LARGEST);
        });
        assert_eq!(event.take(HANG).unwrap(), 10);
        assert_eq!(flags(&event) & libc::O_NONBLOCK, if nonblocking == 0 { 0 } else { libc::O_NONBLOCK });
    }
}

#[test]
fn two_processes_count_together_and_lose_nothing() {
    let _alone = Alone::new();
    let event = counter(0, false);
    const EACH: u64 = 20_000;
    let child = Child::fork(|| {
        for _ in 0..EACH {
            event.add(1, HANG).unwrap();
        }
        0
    });
    let mut sum = 0;
    while sum < EACH {
        sum += event.take(HANG).unwrap();
    }
    assert_eq!(sum, EACH);
    assert_eq!(child.wait(), 0);
}

#[test]
fn a_killed_sender_leaves_whole_numbers() {
    let _alone = Alone::new();
    let event = counter(0, false);
    for round in 0..kills() {
        let mut child = Child::fork(|| {
            loop {
                event.add(1 << 20, HANG).unwrap();
            }
        });
        event.take(HANG).unwrap();
        std::thread::sleep(Duration::from_micros(round * 7 % 300));
        child.kill();
        if let Ok(rest) = event.take(Wait::NEVER) {
            assert_eq!(rest % (1 << 20), 0);
        }
    }
}

#[test]
fn two_takers_with_a_limit_never_wait_beyond_it() {
    let _alone = Alone::new();
    let event = counter(0, true);
    std::thread::scope(|scope| {
        let takers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut taken = 0u64;
                    loop {
                        match event.take(Duration::from_millis(200)) {
                            Ok(one) => taken += one,
                            Err(error) => {
                                assert!(error.is(Errno::ETIMEDOUT), "{error}");
                                return taken;
                            }
                        }
                    }
                })
            })
            .collect();
        for _ in 0..2000 {
            event.add(1, None).unwrap();
        }
        let taken: u64 = takers.into_iter().map(|taker| taker.join().unwrap()).sum();
        assert_eq!(taken, 2000);
    });
}

#[test]
fn who_does_not_wait_never_does_whatever_others_add_and_take() {
    let _alone = Alone::new();
    let event = counter(0, false);
    let (over, turns) = (AtomicBool::new(false), [AtomicU64::new(0), AtomicU64::new(0)]);
    let mut slept = false;
    std::thread::scope(|scope| {
        let adders = turns.each_ref().map(|turns| {
            let (event, over) = (&event, &over);
            scope.spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    let _ = event.add(LARGEST, Wait::NEVER);
                    turns.fetch_add(1, Ordering::SeqCst);
                }
            })
        });
        for _ in 0..100 {
            for _ in 0..50 {
                let _ = event.take(Wait::NEVER);
                std::thread::sleep(Duration::from_micros(50));
            }
            // Nobody takes now, so that who has begun to sleep goes on sleeping.
            let (seen, start) = (turns.each_ref().map(|turns| turns.load(Ordering::SeqCst)), Instant::now());
            while turns.iter().zip(seen).any(|(turns, seen)| turns.load(Ordering::SeqCst) < seen + 2) && start.elapsed() < HANG / 4 {
                std::thread::yield_now();
            }
            slept = start.elapsed() >= HANG / 4;
            if slept {
                break;
            }
        }
        over.store(true, Ordering::SeqCst);
        while adders.iter().any(|adder| !adder.is_finished()) {
            let _ = event.take(Duration::from_millis(1));
        }
    });
    assert!(!slept);
}

#[test]
fn only_an_eventfd_is_adopted_and_it_works_with_plain_calls() {
    let _alone = Alone::new();
    let event = EventCounter::adopt(raw_eventfd(3, 0)).unwrap();
    assert_eq!(event.take(HANG).unwrap(), 3);
    let plain = OwnedFd::from(event);
    let eight = 8u64.to_ne_bytes();
    // SAFETY: the bytes are valid to read.
    assert_eq!(unsafe { libc::write(plain.as_raw_fd(), eight.as_ptr().cast(), 8) }, 8);
    assert_eq!(EventCounter::adopt(plain).unwrap().take(None).unwrap(), 8);
    let file: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
    let number = file.as_raw_fd();
    let (file, error) = EventCounter::adopt(file).unwrap_err();
    assert!(error.is_failure(Failure::WrongKind) && file.as_raw_fd() == number, "{error}");
    let (timer, error) = EventCounter::adopt(Timer::create(Clock::Monotonic).unwrap().into()).unwrap_err();
    assert!(error.is_failure(Failure::WrongKind) && error.to_string().contains("timerfd"), "{error}");
    Timer::adopt(timer).unwrap();
}

#[test]
fn a_timer_expires_once() {
    let _alone = Alone::new();
    for clock in [Clock::Monotonic, Clock::Boottime] {
        let timer = Timer::create(clock).unwrap();
        assert_eq!(timer.state().unwrap(), Default::default());
        ends_in_every_way("wait for a timer that is not set", |wait| timer.wait(wait).unwrap_err());
        let start = Instant::now();
        timer.set(Duration::from_millis(30), Duration::ZERO).unwrap();
        let state = timer.state().unwrap();
        assert!(state.remaining.unwrap() <= Duration::from_millis(30) && state.interval.is_none());
        assert_eq!(timer.wait(None).unwrap(), 1);
        assert!(start.elapsed() >= Duration::from_millis(30));
        assert!(timer.wait(Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
        timer.set(Duration::ZERO, Duration::ZERO).unwrap();
        assert_eq!(timer.wait(HANG).unwrap(), 1, "zero is at once, not never");
    }
}

#[test]
fn a_period_counts_what_was_missed_and_does_not_drift() {
    let _alone = Alone::new();
    let timer = Timer::create(Clock::Monotonic).unwrap();
    let start = Instant::now();
    timer.set(Duration::from_millis(5), Duration::from_millis(5)).unwrap();
    std::thread::sleep(Duration::from_millis(52));
    assert!(timer.wait(HANG).unwrap() >= 10);
    let mut seen = 0;
    timer.set(Duration::from_millis(5), Duration::from_millis(5)).unwrap();
    let again = Instant::now();
    while seen < 20 {
        seen += timer.wait(HANG).unwrap();
    }
    assert!(again.elapsed() >= Duration::from_millis(99), "{:?}", again.elapsed());
    assert!(start.elapsed() < HANG);
    timer.cancel().unwrap();
    assert!(timer.wait(Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
    assert_eq!(timer.state().unwrap(), Default::default());
}

#[test]
fn an_absolute_time_may_be_past_and_may_be_far() {
    let _alone = Alone::new();
    for clock in [Clock::Monotonic, Clock::Boottime] {
        let timer = Timer::create(clock).unwrap();
        timer.set_at(clock.now() - Duration::from_millis(1), Duration::ZERO).unwrap();
        assert_eq!(timer.wait(HANG).unwrap(), 1);
        let at = clock.now() + Duration::from_millis(20);
        timer.set_at(at, Duration::from_secs(1000)).unwrap();
        assert_eq!(timer.wait(HANG).unwrap(), 1);
        assert!(clock.now() >= at);
        timer.set(Duration::from_secs(u64::from(u32::MAX)), Duration::ZERO).unwrap();
        assert!(timer.set(Duration::MAX, Duration::ZERO).unwrap_err().is(Errno::EINVAL));
        let adopted = Timer::adopt(timer.into()).unwrap();
        assert_eq!(adopted.clock(), clock);
        assert!(adopted.state().unwrap().remaining.is_some());
    }
    // SAFETY: timerfd_create takes integers; the descriptor is fresh.
    let settable = unsafe { OwnedFd::from_raw_fd(libc::timerfd_create(libc::CLOCK_REALTIME, 0)) };
    assert!(Timer::adopt(settable).unwrap_err().1.is_failure(Failure::WrongKind));
}

#[test]
fn a_blocking_timer_of_somebody_else_is_left_as_it_is() {
    let _alone = Alone::new();
    // SAFETY: timerfd_create takes integers; the descriptor is fresh.
    let plain = unsafe { OwnedFd::from_raw_fd(libc::timerfd_create(libc::CLOCK_MONOTONIC, 0)) };
    let timer = Timer::adopt(plain).unwrap();
    ends_in_every_way("wait for an adopted timer", |wait| timer.wait(wait).unwrap_err());
    assert_eq!(flags(&timer) & libc::O_NONBLOCK, 0);
    let child = Child::fork(|| {
        timer.set(Duration::from_millis(1), Duration::ZERO).unwrap();
        0
    });
    assert_eq!(timer.wait(HANG).unwrap(), 1, "the child has set the same timer");
    assert_eq!(child.wait(), 0);
}
