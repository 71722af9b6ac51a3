//! One test at a time, in a directory of its own, that leaves nothing behind.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use unipc_tests::{Leaks, TemporaryDirectory};

/// A test's turn: children that other tests fork would inherit its descriptors, and keep streams open that it wants to see end.
pub struct Alone {
    // Dropped in this order: the directory goes before the fixture looks.
    directory: TemporaryDirectory,
    _leaks: Leaks,
}

impl Alone {
    /// Waits for the turn.
    pub fn new() -> Alone {
        super::waits::prepare();
        let leaks = Leaks::watch();
        Alone { directory: TemporaryDirectory::new(), _leaks: leaks }
    }

    /// A path in the directory.
    pub fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    /// What is in the directory.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// Runs `work` while a signal interrupts this thread every millisecond.
pub fn in_a_storm<T>(work: impl FnOnce() -> T) -> T {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: an action of zero bytes has no flags and an empty mask; the handler does nothing. Without SA_RESTART each call is interrupted.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
    }
    // SAFETY: always succeeds.
    let target = unsafe { libc::pthread_self() };
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                // SAFETY: the thread lives: it waits for this one at the end of the scope.
                unsafe { libc::pthread_kill(target, libc::SIGUSR1) };
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        is_over.store(true, Ordering::Release);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The status flags of a description: `O_NONBLOCK` and others.
pub fn flags(descriptor: impl std::os::fd::AsFd) -> libc::c_int {
    use std::os::fd::AsRawFd;
    // SAFETY: F_GETFL returns an integer.
    let flags = unsafe { libc::fcntl(descriptor.as_fd().as_raw_fd(), libc::F_GETFL) };
    assert!(flags >= 0);
    flags
}

/// Whether this is root, who may play other users.
pub fn is_root() -> bool {
    // SAFETY: always succeeds.
    unsafe { libc::geteuid() == 0 }
}
