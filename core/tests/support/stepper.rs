//! Runs a child one instruction at a time and kills it at a chosen one: [ptrace(2)](https://man7.org/linux/man-pages/man2/ptrace.2.html).

use std::time::{Duration, Instant};

use super::process::Child;

/// How a single step ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// The child has executed one instruction, or entered a signal handler.
    Done,
    /// The instruction is a system call that sleeps. The step goes on; ask again with [`Stepper::finish`].
    Sleeping,
    /// The child has exited with this status.
    Exited(i32),
}

/// A traced child that stands still between two instructions.
pub struct Stepper {
    child: Child,
}

impl Stepper {
    /// Starts a child that runs `prepare` at full speed and stops itself right before `work`.
    pub fn start(prepare: impl FnOnce(), work: impl FnOnce() -> i32) -> Stepper {
        let child = Child::fork(|| {
            prepare();
            // SAFETY: the child asks to be traced by its parent and stops itself.
            unsafe {
                assert_eq!(libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0), 0);
                libc::raise(libc::SIGSTOP);
            }
            work()
        });
        let mut status = 0;
        // SAFETY: the child is ours and the status valid to write to.
        assert_eq!(unsafe { libc::waitpid(child.id(), &mut status, 0) }, child.id());
        assert!(libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGSTOP, "{status:#x}");
        Stepper { child }
    }

    /// Executes one instruction.
    pub fn step(&mut self) -> Step {
        // SAFETY: the child is traced by us and stopped; no signal is passed on.
        assert_eq!(unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, self.child.id(), 0, 0) }, 0);
        self.finish(Duration::from_millis(20))
    }

    /// Lets it run until it sleeps in a futex call; ask [`finish`](Stepper::finish) for the end of that call. `false` if it came to its end without.
    pub fn run_into_sleep(&mut self) -> bool {
        loop {
            // SAFETY: the child is traced by us and stopped; no signal is passed on. It stops again at the next system call, or at the end of this one.
            assert_eq!(unsafe { libc::ptrace(libc::PTRACE_SYSCALL, self.child.id(), 0, 0) }, 0);
            loop {
                match self.finish(Duration::from_millis(5)) {
                    Step::Done => break,
                    Step::Sleeping if is_asleep(self.child.id()) => return true,
                    Step::Sleeping => {}
                    Step::Exited(status) => {
                        assert_eq!(status, 0);
                        return false;
                    }
                }
            }
        }
    }

    /// Executes `count` instructions that need nobody else; `false` if the child came to its end before, with status 0.
    pub fn advance(&mut self, count: u32) -> bool {
        /// A hang, generously: a child that does not get the processor is not asleep.
        const HANG: Duration = Duration::from_secs(20);
        for _ in 0..count {
            let step = match self.step() {
                Step::Sleeping => self.finish(HANG),
                other => other,
            };
            match step {
                Step::Done => {}
                Step::Sleeping => panic!("the child hangs"),
                Step::Exited(status) => {
                    assert_eq!(status, 0);
                    return false;
                }
            }
        }
        true
    }

    /// Waits for a step to end; gives [`Step::Sleeping`] when it has not after `patience`.
    pub fn finish(&mut self, patience: Duration) -> Step {
        let limit = Instant::now() + patience;
        let mut status = 0;
        for attempt in 0u64.. {
            // SAFETY: the child is ours and the status valid to write to.
            let found = unsafe { libc::waitpid(self.child.id(), &mut status, libc::WNOHANG) };
            if found == self.child.id() {
                break;
            }
            if attempt % 256 == 255 && Instant::now() > limit {
                return Step::Sleeping;
            }
            // The child has the same processor.
            std::thread::yield_now();
        }
        if libc::WIFSTOPPED(status) {
            return Step::Done;
        }
        self.child.forget();
        Step::Exited(if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -libc::WTERMSIG(status) })
    }

    /// Lets go of the child, stopped by SIGSTOP where it stands; [`Stopped::go_on`] ends that.
    pub fn stop(self) -> Stopped {
        // SAFETY: the child is traced by us and stopped.
        assert_eq!(unsafe { libc::ptrace(libc::PTRACE_DETACH, self.child.id(), 0, libc::SIGSTOP) }, 0);
        Stopped { child: self.child }
    }

    /// Kills the child where it stands, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill();
    }
}

/// A child that stands still, as after SIGSTOP by a user.
pub struct Stopped {
    child: Child,
}

impl Stopped {
    /// Lets it run to its end: the exit status, or minus the signal.
    pub fn go_on(self) -> i32 {
        // SAFETY: the child is ours and not waited for yet, so the number is still its own.
        unsafe { libc::kill(self.child.id(), libc::SIGCONT) };
        self.child.wait()
    }
}

/// Whether the kernel says that the process sleeps in the futex call.
pub fn is_asleep(id: libc::pid_t) -> bool {
    let call = std::fs::read_to_string(format!("/proc/{id}/syscall")).unwrap_or_default();
    call.split(' ').next() == Some(&libc::SYS_futex.to_string())
}
