//! Every way in which a wait must end when nothing comes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use unipc::{Error, Stop, Wait};

use super::alone::in_a_storm;

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);

/// A wait that is to run out, longer than any system call.
const SHORT: Duration = Duration::from_millis(60);

/// Tries a call that cannot succeed: without waiting, until its time is up, the same in a storm of signals, and with a stop token that is requested
/// before the call, in it by another thread, and in it by a signal handler; and by a caller who is asked.
pub fn ends_in_every_way(what: &str, mut call: impl FnMut(Wait<'_>) -> Error) {
    let never = call(Wait::NEVER);
    assert!(never.is(Errno::EAGAIN), "{what}: {never}");
    for is_stormy in [false, true] {
        let start = Instant::now();
        let late = if is_stormy { in_a_storm(|| call(SHORT.into())) } else { call(SHORT.into()) };
        assert!(late.is(Errno::ETIMEDOUT), "{what}: {late}");
        assert!(start.elapsed() >= SHORT && start.elapsed() < HANG, "{what}: {:?}", start.elapsed());
    }
    let stop = handled();
    let requests: [fn(libc::pthread_t); 2] = [|_| handled().request(), request_in_handler];
    for request in requests {
        stop.reset();
        // SAFETY: always succeeds.
        let caller = unsafe { libc::pthread_self() };
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // Mostly while the call sleeps; before and after are right, too.
                std::thread::sleep(Duration::from_millis(5));
                request(caller);
            });
            let stopped = call(Wait::new(HANG, Some(stop)));
            assert!(stopped.is(Errno::ECANCELED), "{what}: {stopped}");
        });
        let stopped = call(Wait::from(stop));
        assert!(stopped.is(Errno::ECANCELED), "{what}: {stopped}");
    }
    stop.reset();
    // Asked after the first sleep it goes on, after the second it does not want to any more.
    let asked = AtomicU32::new(0);
    let given_up = call(Wait::from(HANG).while_wanted(&|| asked.fetch_add(1, Ordering::Relaxed) == 0));
    assert!(given_up.is(Errno::EINTR), "{what}: {given_up}");
    assert_eq!(asked.load(Ordering::Relaxed), 2, "{what}");
}

/// Makes what a test program makes once and keeps, so that the fixture does not take it for left behind.
pub fn prepare() {
    handled();
}

/// The token that the signal handler requests.
fn handled() -> &'static Stop {
    static STOP: OnceLock<Stop> = OnceLock::new();
    STOP.get_or_init(|| Stop::new().unwrap())
}

/// Requests the token in a handler that runs in the caller's thread.
fn request_in_handler(caller: libc::pthread_t) {
    extern "C" fn handler(_: libc::c_int) {
        handled().request();
    }
    // SAFETY: an action of zero bytes has no flags and an empty mask; the token was made before, so the handler only loads, stores and writes.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as extern "C" fn(libc::c_int) as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR2, &action, std::ptr::null_mut()), 0);
        assert_eq!(libc::pthread_kill(caller, libc::SIGUSR2), 0);
    }
}
