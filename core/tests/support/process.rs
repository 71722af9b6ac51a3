//! Children that a test makes, and that never outlive it.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// How many processes a test kills at random moments: UNIPC_TEST_KILLS, or 100.
pub fn kills() -> u64 {
    std::env::var("UNIPC_TEST_KILLS").map_or(100, |text| text.parse().expect("UNIPC_TEST_KILLS is a number"))
}

/// A forked child; killed and waited for when dropped.
pub struct Child {
    id: libc::pid_t,
}

impl Child {
    /// Forks. The child runs `work`, which must not return into the test harness, and exits with what it gives; 101 for a panic.
    pub fn fork(work: impl FnOnce() -> i32) -> Child {
        // SAFETY: the child leaves by _exit. Between the two it uses what the tests know to work after fork.
        match unsafe { libc::fork() } {
            -1 => panic!("fork: {}", std::io::Error::last_os_error()),
            0 => {
                let status = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(101);
                // SAFETY: ends the child without the exit handlers that belong to the parent.
                unsafe { libc::_exit(status) }
            }
            id => Child { id },
        }
    }

    /// The process id.
    pub fn id(&self) -> libc::pid_t {
        self.id
    }

    /// Waits for the end: the exit status, or minus the signal. A child that hangs is killed, and the test fails.
    pub fn wait(mut self) -> i32 {
        let limit = Instant::now() + Duration::from_secs(120);
        // SAFETY: no memory is involved; the child is ours and not waited for yet.
        let file = unsafe { libc::syscall(libc::SYS_pidfd_open, self.id, 0) };
        assert!(file >= 0, "pidfd_open: {}", std::io::Error::last_os_error());
        // SAFETY: the descriptor was just made and is ours.
        let file = unsafe { OwnedFd::from_raw_fd(file as i32) };
        let mut entry = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        loop {
            let left = limit.saturating_duration_since(Instant::now());
            // SAFETY: one valid entry.
            match unsafe { libc::poll(&mut entry, 1, left.as_millis() as i32) } {
                1 => return self.reap(),
                0 => panic!("a child hangs: {}", std::fs::read_to_string(format!("/proc/{}/syscall", self.id)).unwrap_or_default()),
                _ => assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::EINTR)),
            }
        }
    }

    /// Kills it with SIGKILL and waits for the end.
    pub fn kill(&mut self) {
        if self.id > 0 {
            // SAFETY: the child is ours and not waited for yet, so the number is still its own.
            unsafe { libc::kill(self.id, libc::SIGKILL) };
            self.reap();
        }
    }

    /// Notes that somebody else has waited for it.
    pub fn forget(&mut self) {
        self.id = 0;
    }

    fn reap(&mut self) -> i32 {
        let mut status = 0;
        loop {
            // SAFETY: the child is ours and the status valid to write to.
            let found = unsafe { libc::waitpid(self.id, &mut status, 0) };
            if found == self.id {
                break;
            }
            assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::EINTR));
        }
        self.id = 0;
        if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -libc::WTERMSIG(status) }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}
