//! One wait over many: what is told, to whom, and when no more.

mod support;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use support::alone::{Alone, in_a_storm};
use support::contained::{contained, is_root};
use support::process::{Child, kills};
use support::queues::random_time;
use support::waits::ends_in_every_way;
use unipc::event::{Clock, EventCounter, EventCounterOptions, Events, Interest, Poller, Ready, Source, Timer};
use unipc::stream::{UnixStream, pipe};
use unipc::{Failure, Stop, Wait};

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(60);

fn counter(initial: u32) -> EventCounter {
    EventCounter::create(&EventCounterOptions { initial, semaphore: false }).unwrap()
}

/// The tokens and what happened, of one wait.
fn found<'a>(poller: &Poller, capacity: usize, wait: impl Into<Wait<'a>>) -> Vec<(u64, Ready)> {
    let mut events = Events::with_capacity(capacity);
    match poller.wait(&mut events, wait) {
        Ok(_) => events.map(|event| (event.token, event.ready)).collect(),
        Err(error) if error.is(Errno::EAGAIN) || error.is(Errno::ETIMEDOUT) => Vec::new(),
        Err(error) => panic!("{error}"),
    }
}

fn tokens(poller: &Poller, capacity: usize) -> Vec<u64> {
    found(poller, capacity, Wait::NEVER).into_iter().map(|(token, _)| token).collect()
}

fn duplicate(descriptor: impl AsFd) -> OwnedFd {
    descriptor.as_fd().try_clone_to_owned().unwrap()
}

/// A number, as whoever has closed it still has it.
fn number(number: i32) -> BorrowedFd<'static> {
    // SAFETY: the tests look what the kernel says of it, and nothing closes it.
    unsafe { BorrowedFd::borrow_raw(number) }
}

#[test]
fn a_level_is_told_again_an_edge_is_not_and_once_is_once() {
    let _alone = Alone::new();
    let poller = Poller::new().unwrap();
    let (level, edge, once) = (counter(0), counter(0), counter(0));
    poller.add(&level, Interest::READABLE, 1).unwrap();
    poller.add(&edge, Interest::READABLE | Interest::EDGE, 2).unwrap();
    let armed = poller.add(&once, Interest::READABLE | Interest::ONE_SHOT, 3).unwrap();
    assert_eq!(poller.source_count().unwrap(), 3);
    assert_eq!(tokens(&poller, 8), []);
    for event in [&level, &edge, &once] {
        event.add(1, None).unwrap();
    }
    let mut all = found(&poller, 8, None);
    all.sort_by_key(|(token, _)| *token);
    assert_eq!(all, [(1, Ready::READABLE), (2, Ready::READABLE), (3, Ready::READABLE)]);
    assert_eq!(tokens(&poller, 8), [1]);
    for event in [&level, &edge, &once] {
        event.add(1, None).unwrap();
    }
    let mut again = tokens(&poller, 8);
    again.sort_unstable();
    assert_eq!(again, [1, 2]);
    level.take(None).unwrap();
    poller.modify(armed, Interest::READABLE | Interest::ONE_SHOT).unwrap();
    assert_eq!(tokens(&poller, 8), [3]);
    assert_eq!(tokens(&poller, 8), []);
    poller.modify(armed, Interest::READABLE | Interest::WRITABLE).unwrap();
    assert_eq!(found(&poller, 8, None), [(3, Ready::READABLE | Ready::WRITABLE)]);
    poller.modify(armed, Interest::NONE).unwrap();
    assert_eq!(tokens(&poller, 8), []);
}

#[test]
fn ends_are_told_unasked() {
    let _alone = Alone::new();
    let poller = Poller::new().unwrap();
    let (reader, writer) = pipe().unwrap();
    let (near, far) = UnixStream::pair().unwrap();
    let (lonely, nobody) = pipe().unwrap();
    poller.add(&reader, Interest::NONE, 1).unwrap();
    poller.add(&near, Interest::READABLE, 2).unwrap();
    poller.add(&nobody, Interest::NONE, 3).unwrap();
    assert_eq!(tokens(&poller, 8), []);
    drop(writer);
    far.shutdown(std::net::Shutdown::Write).unwrap();
    drop(lonely);
    let mut all = found(&poller, 8, None);
    all.sort_by_key(|(token, _)| *token);
    assert_eq!(all, [(1, Ready::HANG_UP), (2, Ready::READABLE | Ready::PEER_CLOSED), (3, Ready::ERROR)]);
    assert!(all.iter().all(|(_, ready)| ready.is_readable()));
}

#[test]
fn what_cannot_be_registered_is_refused() {
    let _alone = Alone::new();
    let poller = Poller::new().unwrap();
    let event = counter(0);
    let source = poller.add(&event, Interest::READABLE, 1).unwrap();
    assert!(poller.add(&event, Interest::READABLE, 2).unwrap_err().is(Errno::EEXIST));
    let copy = duplicate(&event);
    let second = poller.add(&copy, Interest::READABLE, 2).unwrap();
    assert!(poller.add(&poller, Interest::READABLE, 3).is_err());
    assert!(poller.add(number(1 << 29), Interest::READABLE, 3).unwrap_err().is(Errno::EBADF));
    let other = Poller::new().unwrap();
    other.add(&poller, Interest::READABLE, 4).unwrap();
    assert!(poller.add(&other, Interest::READABLE, 4).unwrap_err().is(Errno::ELOOP));
    poller.remove(source).unwrap();
    for gone in [source, Source::from_bits(u64::MAX), Source::from_bits(7), Source::from_bits(1 << 32)] {
        assert!(poller.remove(gone).unwrap_err().is(Errno::ENOENT));
        assert!(poller.modify(gone, Interest::READABLE).unwrap_err().is(Errno::ENOENT));
    }
    let again = poller.add(&event, Interest::READABLE, 5).unwrap();
    assert_ne!(again, source);
    assert_eq!(poller.source_count().unwrap(), 2);
    event.add(1, None).unwrap();
    let mut both = tokens(&poller, 8);
    both.sort_unstable();
    assert_eq!(both, [2, 5]);
    assert_eq!(found(&other, 1, None), [(4, Ready::READABLE)]);
    poller.remove(second).unwrap();
    assert_eq!(Interest::from_bits(8), None);
    assert_eq!(Interest::from_bits(0b11_0111).unwrap().bits(), 0b11_0111);
}

#[test]
fn a_wait_ends_in_every_way() {
    let _alone = Alone::new();
    let poller = Poller::new().unwrap();
    let mut events = Events::with_capacity(4);
    ends_in_every_way("wait for events", |wait| poller.wait(&mut events, wait).unwrap_err());
    let event = counter(0);
    poller.add(&event, Interest::READABLE, 1).unwrap();
    ends_in_every_way("wait for events", |wait| poller.wait(&mut events, wait).unwrap_err());
    let never = poller.add_probe(Box::new(|_| Ok(Ready::NOTHING)), Interest::READABLE, 2).unwrap();
    let mut calls = 0;
    ends_in_every_way("wait for events, asking", |wait| {
        calls += 1;
        poller.wait(&mut events, wait).unwrap_err()
    });
    poller.remove(never).unwrap();
    event.add(1, None).unwrap();
    let stop = Stop::new().unwrap();
    stop.request();
    // What is there is told all the same.
    assert_eq!(poller.wait(&mut events, &stop).unwrap(), 1);
    assert_eq!(in_a_storm(|| (0..200).map(|_| found(&poller, 4, None).len()).sum::<usize>()), 200);
    event.take(None).unwrap();
    in_a_storm(|| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(SHORT);
                event.add(1, None).unwrap();
            });
            assert_eq!(found(&poller, 4, None), [(1, Ready::READABLE)]);
        });
    });
}

#[test]
fn a_removed_source_of_the_same_batch_is_not_told() {
    let _alone = Alone::new();
    let poller = Poller::new().unwrap();
    let all: Vec<EventCounter> = (0..10).map(|_| counter(1)).collect();
    let sources: Vec<Source> =
        all.iter().enumerate().map(|(token, event)| poller.add(event, Interest::READABLE, token as u64).unwrap()).collect();
    let mut events = Events::with_capacity(10);
    assert_eq!(poller.wait(&mut events, None).unwrap(), 10);
    let first = events.next().unwrap();
    for source in &sources {
        if *source != first.source {
            poller.remove(*source).unwrap();
        }
    }
    // Their places are used again, by sources that have nothing to tell.
    let quiet: Vec<EventCounter> = (0..9).map(|_| counter(0)).collect();
    for event in &quiet {
        poller.add(event, Interest::READABLE, 100).unwrap();
    }
    assert_eq!(events.next(), None);
    assert_eq!(tokens(&poller, 20), [first.token]);
    // And what one is not interested in any more is not told, either.
    poller.wait(&mut events, None).unwrap();
    poller.modify(first.source, Interest::WRITABLE | Interest::ONE_SHOT).unwrap();
    assert_eq!(events.next(), None);
}

#[test]
fn ten_thousand_sources() {
    contained(|_| {
        const COUNT: usize = 10_000;
        let limit = libc::rlimit { rlim_cur: COUNT as u64 + 200, rlim_max: COUNT as u64 + 200 };
        // SAFETY: the limit is valid.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } != 0 {
            support::contained::not_looked("this system gives no 10,000 descriptors");
            return;
        }
        let poller = Poller::new().unwrap();
        let all: Vec<EventCounter> = (0..COUNT).map(|_| counter(0)).collect();
        let mut sources = Vec::new();
        for (token, event) in all.iter().enumerate() {
            sources.push(poller.add(event, Interest::READABLE, token as u64).unwrap());
        }
        assert_eq!(poller.source_count().unwrap(), COUNT);
        assert_eq!(tokens(&poller, 16), []);
        for picked in [0, 1, COUNT / 2, COUNT - 2, COUNT - 1] {
            all[picked].add(1, None).unwrap();
            assert_eq!(tokens(&poller, 16), [picked as u64]);
            all[picked].take(None).unwrap();
        }
        for event in &all {
            event.add(1, None).unwrap();
        }
        // With little room everybody has a turn before anybody has a second.
        let mut seen = vec![0u32; COUNT];
        for _ in 0..COUNT / 100 {
            for token in tokens(&poller, 100) {
                seen[token as usize] += 1;
            }
        }
        assert!(seen.iter().all(|times| *times == 1));
        assert_eq!(tokens(&poller, 2 * COUNT).len(), COUNT);
        for source in sources {
            poller.remove(source).unwrap();
        }
        assert_eq!(tokens(&poller, 16), []);
        assert_eq!(poller.source_count().unwrap(), 0);
    });
}

#[test]
fn nobody_starves_with_room_for_one() {
    let alone = Alone::new();
    let poller = Poller::new().unwrap();
    let events: Vec<EventCounter> = (0..5).map(|_| counter(1)).collect();
    for (token, event) in events.iter().enumerate() {
        poller.add(event, Interest::READABLE, token as u64).unwrap();
    }
    for token in 5..8 {
        poller.add_probe(Box::new(|_| Ok(Ready::READABLE)), Interest::READABLE, token).unwrap();
    }
    let file = std::fs::File::create(alone.path("file")).unwrap();
    poller.add(&file, Interest::READABLE | Interest::WRITABLE, 8).unwrap();
    for capacity in 1..5 {
        let mut seen = [0; 9];
        for _ in 0..40 {
            for token in tokens(&poller, capacity) {
                seen[token as usize] += 1;
            }
        }
        assert!(seen.iter().all(|times| *times >= 3), "{capacity}: {seen:?}");
    }
    poller.wake().unwrap();
    assert!((0..20).any(|_| found(&poller, 1, None)[0].1.is_woken()));
}

#[test]
fn files_and_directories_always_are_ready() {
    let alone = Alone::new();
    let poller = Poller::new().unwrap();
    let file = std::fs::File::create(alone.path("file")).unwrap();
    let directory = std::fs::File::open("/").unwrap();
    let source = poller.add(&file, Interest::READABLE | Interest::WRITABLE, 1).unwrap();
    assert_eq!(found(&poller, 4, None), [(1, Ready::READABLE | Ready::WRITABLE)]);
    assert_eq!(found(&poller, 4, HANG), [(1, Ready::READABLE | Ready::WRITABLE)]);
    poller.modify(source, Interest::READABLE | Interest::ONE_SHOT).unwrap();
    assert_eq!(found(&poller, 4, None), [(1, Ready::READABLE)]);
    assert_eq!(tokens(&poller, 4), []);
    poller.modify(source, Interest::WRITABLE | Interest::EDGE).unwrap();
    assert_eq!(found(&poller, 4, None), [(1, Ready::WRITABLE)]);
    assert_eq!(found(&poller, 4, SHORT), []);
    poller.add(&directory, Interest::READABLE, 2).unwrap();
    assert_eq!(tokens(&poller, 4), [2]);
    poller.remove(source).unwrap();
    assert_eq!(tokens(&poller, 4), [2]);
}

#[test]
fn a_wake_up_ends_a_wait_or_the_next() {
    let _alone = Alone::new();
    let poller = Poller::new().unwrap();
    poller.wake().unwrap();
    poller.wake().unwrap();
    assert_eq!(found(&poller, 4, None), [(0, Ready::WOKEN)]);
    assert_eq!(tokens(&poller, 4), []);
    for wait in [Wait::FOREVER, Wait::from(HANG)] {
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| found(&poller, 4, wait));
            std::thread::sleep(Duration::from_millis(5));
            poller.wake().unwrap();
            assert_eq!(waiter.join().unwrap(), [(0, Ready::WOKEN)]);
        });
    }
    // Each of two waiters needs one.
    std::thread::scope(|scope| {
        let waiters: Vec<_> = (0..2).map(|_| scope.spawn(|| found(&poller, 4, None))).collect();
        let mut told = 0;
        while waiters.iter().any(|waiter| !waiter.is_finished()) {
            poller.wake().unwrap();
            told += 1;
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(told >= 2);
    });
}

#[test]
fn a_signal_handler_may_wake() {
    static WOKEN: AtomicPtr<Poller> = AtomicPtr::new(std::ptr::null_mut());
    extern "C" fn wake(_: libc::c_int) {
        // SAFETY: set before the handler, and valid as long as there is the handler.
        unsafe { &*WOKEN.load(Ordering::Acquire) }.wake().unwrap();
    }
    let _alone = Alone::new();
    let poller = Poller::new().unwrap();
    WOKEN.store((&raw const poller).cast_mut(), Ordering::Release);
    // SAFETY: an action of zero bytes has no flags and an empty mask; the handler calls only what is async-signal-safe.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = wake as extern "C" fn(libc::c_int) as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR2, &action, std::ptr::null_mut()), 0);
    }
    // SAFETY: always succeeds.
    let target = unsafe { libc::pthread_self() };
    for round in 0..100u64 {
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(Duration::from_micros(round * 7 % 300));
                // SAFETY: the thread waits for this one.
                unsafe { libc::pthread_kill(target, libc::SIGUSR2) };
            });
            assert_eq!(found(&poller, 4, None), [(0, Ready::WOKEN)]);
        });
    }
    // SAFETY: SIG_DFL is a disposition.
    unsafe { libc::signal(libc::SIGUSR2, libc::SIG_DFL) };
}

#[test]
fn what_is_added_while_others_sleep_is_seen() {
    let alone = Alone::new();
    for sleepers in [1, 3] {
        for wait in [Wait::FOREVER, Wait::from(HANG)] {
            let poller = Poller::new().unwrap();
            let event = counter(1);
            let file = std::fs::File::create(alone.path("file")).unwrap();
            let adders: [&(dyn Fn() -> Source + Sync); 3] =
                [&|| poller.add(&event, Interest::READABLE, 1).unwrap(), &|| poller.add(&file, Interest::READABLE, 1).unwrap(), &|| {
                    poller.add_probe(Box::new(|_| Ok(Ready::READABLE)), Interest::READABLE, 1).unwrap()
                }];
            for add in adders {
                std::thread::scope(|scope| {
                    let waiters: Vec<_> = (0..sleepers).map(|_| scope.spawn(|| found(&poller, 4, wait))).collect();
                    std::thread::sleep(Duration::from_millis(5));
                    let source = add();
                    for waiter in waiters {
                        assert_eq!(waiter.join().unwrap(), [(1, Ready::READABLE)]);
                    }
                    poller.remove(source).unwrap();
                });
            }
        }
    }
}

/// A removal in another thread: no hand-out that begins after it has returned gives the token.
#[test]
fn removal_holds_under_load() {
    let _alone = Alone::new();
    const SOURCES: usize = 64;
    const ROUNDS: usize = 4000;
    let poller = Poller::new().unwrap();
    let is_over = AtomicBool::new(false);
    let handed_out = AtomicUsize::new(0);
    let all: Vec<EventCounter> = (0..SOURCES).map(|_| counter(1)).collect();
    // A token is never used again: which are removed.
    let removed: Vec<AtomicBool> = (0..SOURCES * ROUNDS).map(|_| AtomicBool::new(false)).collect();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut events = Events::with_capacity(16);
                while !is_over.load(Ordering::Acquire) {
                    poller.wait(&mut events, HANG).unwrap();
                    loop {
                        let start: Vec<u64> = recent(&removed);
                        let Some(event) = events.next() else { break };
                        if !event.ready.is_woken() {
                            assert!(!start.contains(&event.token), "told after its removal");
                            handed_out.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        let mut sources: Vec<Option<(Source, u64)>> = vec![None; SOURCES];
        let mut seed = 7;
        for token in 0..ROUNDS as u64 {
            let place = token as usize % SOURCES;
            if let Some((source, token)) = sources[place].take() {
                poller.remove(source).unwrap();
                removed[token as usize].store(true, Ordering::SeqCst);
                LAST_REMOVED.store(token as usize, Ordering::SeqCst);
            }
            sources[place] = Some((poller.add(&all[place], Interest::READABLE, token).unwrap(), token));
            if token % 3 == 0 {
                let (source, _) = sources[seed as usize % SOURCES].unwrap_or(sources[place].unwrap());
                poller.modify(source, Interest::READABLE | if token % 2 == 0 { Interest::EDGE } else { Interest::NONE }).unwrap();
            }
            random_time(&mut seed, 20);
        }
        is_over.store(true, Ordering::Release);
        for event in &all {
            event.add(1, None).unwrap();
        }
        poller.wake().unwrap();
    });
    println!("{} hand-outs beside {ROUNDS} removals", handed_out.load(Ordering::Relaxed));
    assert!(handed_out.load(Ordering::Relaxed) > 0);
}

static LAST_REMOVED: AtomicUsize = AtomicUsize::new(0);

/// The tokens whose removal has returned, of those that a batch may still have.
fn recent(removed: &[AtomicBool]) -> Vec<u64> {
    let last = LAST_REMOVED.load(Ordering::SeqCst);
    let is_removed = |token: &usize| removed[*token].load(Ordering::SeqCst);
    (last.saturating_sub(200)..=last).filter(is_removed).map(|token| token as u64).collect()
}

#[test]
fn a_descriptor_closed_before_its_removal() {
    let _alone = Alone::new();
    let poller = Poller::new().unwrap();
    let kept = counter(0);
    let kept_source = poller.add(&kept, Interest::READABLE, 1).unwrap();
    // The last copy: the kernel lets go of it.
    let gone = counter(1);
    let source = poller.add(&gone, Interest::READABLE, 2).unwrap();
    drop(gone);
    assert_eq!(tokens(&poller, 4), []);
    assert!(poller.modify(source, Interest::READABLE).unwrap_err().is(Errno::EBADF));
    poller.remove(source).unwrap();

    // Not the last: the kernel goes on, until the source is removed.
    let once = counter(1);
    let once_source = poller.add(&once, Interest::READABLE | Interest::ONE_SHOT, 9).unwrap();
    assert_eq!(tokens(&poller, 4), [9]);
    let closed = counter(1);
    let copy = duplicate(&closed);
    let source = poller.add(&closed, Interest::READABLE, 3).unwrap();
    drop(closed);
    assert_eq!(tokens(&poller, 4), [3]);
    poller.remove(source).unwrap();
    assert_eq!(tokens(&poller, 4), []);
    assert_eq!(watched(&poller), 3, "the wake-up and two sources: the leftover has gone");
    let before = cpu_time();
    assert_eq!(found(&poller, 4, Duration::from_millis(200)), []);
    assert!(cpu_time() - before < Duration::from_millis(100), "it spins");
    kept.add(1, None).unwrap();
    assert_eq!(tokens(&poller, 4), [1]);
    poller.modify(once_source, Interest::READABLE | Interest::ONE_SHOT).unwrap();
    let mut both = tokens(&poller, 4);
    both.sort_unstable();
    assert_eq!(both, [1, 9]);
    kept.take(None).unwrap();
    poller.remove(once_source).unwrap();
    drop(copy);

    // The number comes again, for something else, while a copy of the first lives.
    let first = counter(1);
    let copy = duplicate(&first);
    let raw = first.as_fd().as_raw_fd();
    let old = poller.add(&first, Interest::READABLE, 4).unwrap();
    drop(first);
    let second = counter(0);
    assert_eq!(second.as_fd().as_raw_fd(), raw, "the lowest free number");
    let new = poller.add(&second, Interest::READABLE, 5).unwrap();
    assert_eq!(tokens(&poller, 4), [], "superseded");
    assert_eq!(tokens(&poller, 4), []);
    second.add(1, None).unwrap();
    assert_eq!(tokens(&poller, 4), [5]);
    poller.remove(old).unwrap();
    assert_eq!(tokens(&poller, 4), [5]);
    poller.remove(new).unwrap();
    drop((second, copy));

    // The same again under the same number, from a copy.
    let first = counter(1);
    let raw = first.as_fd().as_raw_fd();
    let copy = duplicate(&first);
    let old = poller.add(&first, Interest::READABLE, 6).unwrap();
    drop(first);
    poller.remove(old).unwrap();
    let back = duplicate(&copy);
    assert_eq!(back.as_raw_fd(), raw);
    poller.add(&back, Interest::READABLE, 7).unwrap();
    assert_eq!(tokens(&poller, 4), [7]);
    poller.remove(kept_source).unwrap();
}

/// How many entries the kernel has.
fn watched(poller: &Poller) -> usize {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", poller.as_fd().as_raw_fd())).unwrap();
    text.lines().filter(|line| line.starts_with("tfd:")).count()
}

fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place is valid, and the clock exists.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn a_move_to_a_fresh_epoll_loses_no_sleeper() {
    let _alone = Alone::new();
    for wait in [Wait::FOREVER, Wait::from(HANG)] {
        let poller = Poller::new().unwrap();
        let closed = counter(0);
        let copy = EventCounter::adopt(duplicate(&closed)).unwrap();
        let source = poller.add(&closed, Interest::READABLE | Interest::EDGE, 1).unwrap();
        drop(closed);
        poller.remove(source).unwrap();
        let events: Vec<EventCounter> = (0..3).map(|_| counter(0)).collect();
        std::thread::scope(|scope| {
            let waiters: Vec<_> = (0..3).map(|_| scope.spawn(|| found(&poller, 1, wait))).collect();
            std::thread::sleep(Duration::from_millis(5));
            // One of them meets it, and moves.
            copy.add(1, None).unwrap();
            std::thread::sleep(Duration::from_millis(5));
            assert_eq!(watched(&poller), 1);
            for (token, event) in events.iter().enumerate() {
                poller.add(event, Interest::READABLE | Interest::ONE_SHOT, token as u64).unwrap();
                event.add(1, None).unwrap();
            }
            let mut told: Vec<u64> = waiters.into_iter().map(|waiter| waiter.join().unwrap()[0].0).collect();
            told.sort_unstable();
            assert_eq!(told, [0, 1, 2]);
        });
    }
}

#[test]
fn a_child_is_refused_and_changes_nothing() {
    let _alone = Alone::new();
    let poller = Poller::new().unwrap();
    let event = counter(1);
    let source = poller.add(&event, Interest::READABLE, 1).unwrap();
    let mut events = Events::with_capacity(4);
    poller.wait(&mut events, None).unwrap();
    let child = Child::fork(|| {
        assert!(poller.add(counter(0), Interest::READABLE, 2).unwrap_err().is_failure(Failure::Forked));
        assert!(poller.modify(source, Interest::NONE).unwrap_err().is_failure(Failure::Forked));
        assert!(poller.remove(source).unwrap_err().is_failure(Failure::Forked));
        assert!(poller.wait(&mut events, None).unwrap_err().is_failure(Failure::Forked));
        assert!(poller.wake().unwrap_err().is_failure(Failure::Forked));
        assert!(poller.source_count().unwrap_err().is_failure(Failure::Forked));
        assert_eq!(events.next(), None);
        // Its own works.
        let own = Poller::new().unwrap();
        own.add(&event, Interest::READABLE, 3).unwrap();
        assert_eq!(tokens(&own, 4), [3]);
        0
    });
    assert_eq!(child.wait(), 0);
    assert_eq!(tokens(&poller, 4), [1]);
    drop(events);
}

#[test]
fn many_kinds_in_one_wait() {
    let _alone = Alone::new();
    let poller = Poller::new().unwrap();
    let (reader, writer) = pipe().unwrap();
    let (near, far) = UnixStream::pair().unwrap();
    let timer = Timer::create(Clock::Monotonic).unwrap();
    let stop = Stop::new().unwrap();
    poller.add(&reader, Interest::READABLE, 1).unwrap();
    poller.add(&near, Interest::READABLE, 2).unwrap();
    poller.add(&timer, Interest::READABLE, 3).unwrap();
    poller.add(&stop, Interest::READABLE, 4).unwrap();
    writer.write_all_within(b"x", None).unwrap();
    far.write_all_within(b"x", None).unwrap();
    timer.set(Duration::from_millis(1), Duration::ZERO).unwrap();
    stop.request();
    let end = Instant::now() + HANG;
    while tokens(&poller, 8).len() < 4 {
        assert!(Instant::now() < end);
    }
}

#[test]
fn a_writer_that_is_killed_is_told() {
    let _alone = Alone::new();
    let poller = Poller::new().unwrap();
    let rounds = kills();
    let mut seed = 11;
    for round in 0..rounds {
        let (reader, writer) = pipe().unwrap();
        let source = poller.add(&reader, Interest::READABLE, round).unwrap();
        let mut child = Child::fork(|| {
            loop {
                writer.write_all_within(&[7; 100], None).unwrap();
            }
        });
        drop(writer);
        random_time(&mut seed, 500);
        child.kill();
        let mut buffer = [0; 4096];
        loop {
            let all = found(&poller, 4, HANG);
            assert_eq!(all[0].0, round);
            if all[0].1 == Ready::HANG_UP {
                break;
            }
            reader.read_within(&mut buffer, Wait::NEVER).unwrap();
        }
        poller.remove(source).unwrap();
    }
    println!("{rounds} writers killed");
}

#[test]
fn who_may_not_look_at_an_object_cannot_register_it() {
    if !is_root() {
        return;
    }
    contained(|_| {
        // SAFETY: these take integers.
        let (queue, set) = unsafe { (libc::msgget(libc::IPC_PRIVATE, 0o600), libc::semget(libc::IPC_PRIVATE, 1, 0o600)) };
        let child = Child::fork(|| {
            support::queues::become_user(4711);
            let poller = Poller::new().unwrap();
            let probe = unipc::event::probe::sysv_queue(queue, Default::default());
            let added = probe.and_then(|probe| poller.add_probe(probe, Interest::READABLE, 1));
            assert!(added.unwrap_err().is(Errno::EACCES));
            let probe = unipc::event::probe::sysv_semaphore(set, 0, 1);
            assert!(poller.add_probe(probe, Interest::READABLE, 1).unwrap_err().is(Errno::EACCES));
            assert_eq!(poller.source_count().unwrap(), 0);
            0
        });
        assert_eq!(child.wait(), 0);
        // SAFETY: these take integers, and no structure to remove.
        unsafe {
            libc::msgctl(queue, libc::IPC_RMID, std::ptr::null_mut());
            libc::semctl(set, 0, libc::IPC_RMID);
        }
    });
}

#[test]
fn room_for_more_than_there_is_memory_for_is_less() {
    assert_eq!(Events::with_capacity(0).capacity(), 1);
    assert_eq!(Events::with_capacity(65_536).capacity(), 65_536);
    assert_eq!(Events::with_capacity(usize::MAX).capacity(), 65_536);
}
