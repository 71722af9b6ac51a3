//! Handlers of signals that others have installed, before ours and over it.
//!
//! What a test changes of a process it changes in a child: dispositions belong to processes, and this one has threads of its own.

mod support;

use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use support::alone::Alone;
use support::process::Child;
use unipc::Wait;
use unipc::event::signal::{self, Signals, Target};

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);
const NUMBER: i32 = libc::SIGUSR1;

type Function = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// Runs it in a child, and fails if it panics there.
fn in_child(work: impl FnOnce()) {
    let child = Child::fork(|| {
        // SAFETY: alarm takes an integer: a hang ends this child alone.
        unsafe { libc::alarm(100) };
        work();
        0
    });
    assert_eq!(child.wait(), 0, "see above");
}

/// Installs a handler with these flags, if it is none of SIG_DFL and SIG_IGN; what was there before.
fn install(handler: usize, flags: libc::c_int) -> libc::sigaction {
    // SAFETY: a valid action; the handlers used are async-signal-safe.
    unsafe {
        let (mut action, mut before): (libc::sigaction, libc::sigaction) = (std::mem::zeroed(), std::mem::zeroed());
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(NUMBER, &action, &mut before), 0);
        before
    }
}

fn current() -> libc::sigaction {
    // SAFETY: NULL changes nothing; the place is valid to write to.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        assert_eq!(libc::sigaction(NUMBER, std::ptr::null(), &mut now), 0);
        now
    }
}

/// Sends one; it arrives there once, if anywhere.
fn arrives(signals: Option<&Signals>) {
    signal::send(Target::Process(std::process::id() as i32), NUMBER).unwrap();
    if let Some(signals) = signals {
        assert_eq!(signals.receive(HANG).unwrap().signal, NUMBER);
        assert!(signals.receive(Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
    }
}

static CALLS: AtomicI32 = AtomicI32::new(0);
static FIRST: AtomicUsize = AtomicUsize::new(0);
static SECOND: AtomicUsize = AtomicUsize::new(0);

extern "C" fn counts(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    CALLS.fetch_add(1, Ordering::SeqCst);
}

/// Calls what was there before it, as others do who share a signal.
fn pass(on: &AtomicUsize, number: libc::c_int, information: *mut libc::siginfo_t, context: *mut libc::c_void) {
    CALLS.fetch_add(1, Ordering::SeqCst);
    let next = on.load(Ordering::SeqCst);
    if next != libc::SIG_DFL && next != libc::SIG_IGN {
        // SAFETY: it was a handler of this signal.
        let next: Function = unsafe { std::mem::transmute(next) };
        next(number, information, context);
    }
}

extern "C" fn first(number: libc::c_int, information: *mut libc::siginfo_t, context: *mut libc::c_void) {
    pass(&FIRST, number, information, context);
}

extern "C" fn second(number: libc::c_int, information: *mut libc::siginfo_t, context: *mut libc::c_void) {
    pass(&SECOND, number, information, context);
}

fn address(function: Function) -> usize {
    function as usize
}

/// How often the others' handlers run when one is sent.
fn calls_of_one(signals: Option<&Signals>) -> i32 {
    let before = CALLS.load(Ordering::SeqCst);
    arrives(signals);
    CALLS.load(Ordering::SeqCst) - before
}

#[test]
fn a_handler_that_chains_to_ours_lies_between_without_a_circle() {
    let _alone = Alone::new();
    for original in [libc::SIG_DFL, libc::SIG_IGN, address(counts)] {
        in_child(|| {
            let counted = i32::from(original == address(counts));
            install(original, libc::SA_SIGINFO);
            let signals = Signals::catch(&[NUMBER]).unwrap();
            FIRST.store(install(address(first), libc::SA_SIGINFO).sa_sigaction, Ordering::SeqCst);
            assert_eq!(calls_of_one(Some(&signals)), 1 + counted);
            drop(signals);
            assert_eq!(current().sa_sigaction, address(first), "theirs stays");
            assert_eq!(calls_of_one(None), 1 + counted);
            // As often as one likes.
            for _ in 0..100 {
                let signals = Signals::catch(&[NUMBER]).unwrap();
                assert_eq!(calls_of_one(Some(&signals)), 1 + counted);
                drop(signals);
                assert_eq!(current().sa_sigaction, address(first));
                assert_eq!(calls_of_one(None), 1 + counted);
            }
            // Another one over that.
            let signals = Signals::catch(&[NUMBER]).unwrap();
            let over = install(address(second), libc::SA_SIGINFO).sa_sigaction;
            SECOND.store(over, Ordering::SeqCst);
            assert_eq!(calls_of_one(Some(&signals)), 2 + counted);
            drop(signals);
            let signals = Signals::catch(&[NUMBER]).unwrap();
            assert_eq!(calls_of_one(Some(&signals)), 2 + counted);
            // They go, from the top: what each has found is there again, and goes on.
            install(over, libc::SA_SIGINFO);
            assert_eq!(calls_of_one(Some(&signals)), 1 + counted);
            install(FIRST.load(Ordering::SeqCst), libc::SA_SIGINFO);
            assert_eq!(calls_of_one(Some(&signals)), counted);
            drop(signals);
            assert_eq!(current().sa_sigaction, original);
        });
    }
}

#[test]
fn a_handler_that_calls_nobody_hides_ours_only_until_it_is_opened_anew() {
    let _alone = Alone::new();
    in_child(|| {
        let mut signals = Signals::catch(&[NUMBER]).unwrap();
        for _ in 0..100 {
            install(address(counts), libc::SA_SIGINFO);
            drop(signals);
            assert_eq!(current().sa_sigaction, address(counts));
            assert_eq!(calls_of_one(None), 1);
            signals = Signals::catch(&[NUMBER]).unwrap();
            assert_eq!(calls_of_one(Some(&signals)), 1);
        }
        drop(signals);
        assert_eq!(current().sa_sigaction, address(counts));
        install(libc::SIG_DFL, 0);
        drop(Signals::catch(&[NUMBER]).unwrap());
        assert_eq!(current().sa_sigaction, libc::SIG_DFL);
    });
}

#[test]
fn system_calls_are_interrupted_as_before() {
    let _alone = Alone::new();
    for (original, flags, restarts) in [
        (libc::SIG_DFL, 0, true),
        (libc::SIG_IGN, 0, true),
        (address(counts), libc::SA_SIGINFO, false),
        (address(counts), libc::SA_SIGINFO | libc::SA_RESTART, true),
    ] {
        in_child(|| {
            install(original, flags);
            let signals = Signals::catch(&[NUMBER]).unwrap();
            assert_eq!(current().sa_flags & libc::SA_RESTART != 0, restarts);
            if !restarts {
                let (parent, mut ends) = (std::process::id() as i32, [-1; 2]);
                // SAFETY: the array has room for the two descriptors.
                assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
                let over = AtomicI32::new(0);
                std::thread::scope(|scope| {
                    // SAFETY: always succeeds.
                    let thread = unsafe { libc::gettid() };
                    let over = &over;
                    scope.spawn(move || {
                        while over.load(Ordering::SeqCst) == 0 {
                            std::thread::sleep(Duration::from_millis(10));
                            signal::send(Target::Thread { process: parent, thread }, NUMBER).unwrap();
                        }
                    });
                    // SAFETY: the buffer is valid for a byte.
                    let count = unsafe { libc::read(ends[0], [0u8].as_mut_ptr().cast(), 1) };
                    let errno = Errno::last();
                    over.store(1, Ordering::SeqCst);
                    assert_eq!((count, errno), (-1, Errno::EINTR));
                });
                assert_eq!(signals.receive(HANG).unwrap().signal, NUMBER);
            }
            drop(signals);
            let after = current();
            assert_eq!((after.sa_sigaction, after.sa_flags & libc::SA_RESTART), (original, flags & libc::SA_RESTART));
        });
    }
}
