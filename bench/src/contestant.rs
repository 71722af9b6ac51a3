//! The workers: what each is compared with, and the commands that start them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::case::Case;
use crate::place::Place;
use crate::root;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contestant {
    RawC,
    C,
    Rust,
    RawPython,
    Python,
}

/// In the order in which the first round runs them.
pub const ALL: [Contestant; 5] = [Contestant::RawC, Contestant::C, Contestant::Rust, Contestant::RawPython, Contestant::Python];

impl Contestant {
    pub fn title(self) -> &'static str {
        match self {
            Contestant::RawC => "raw C",
            Contestant::C => "C ABI",
            Contestant::Rust => "Rust",
            Contestant::RawPython => "raw Python",
            Contestant::Python => "Python",
        }
    }

    /// The language in the results; the references have none.
    pub fn language(self) -> Option<&'static str> {
        match self {
            Contestant::RawC | Contestant::RawPython => None,
            Contestant::C => Some("c"),
            Contestant::Rust => Some("rust"),
            Contestant::Python => Some("python"),
        }
    }

    /// Python itself has no queue of the kernel's, and no lock or semaphore between processes that do not descend from one another.
    pub fn runs(self, case: &Case) -> bool {
        self != Contestant::RawPython || case.is_in_python()
    }

    /// Whom it is compared with.
    pub fn reference(self, case: &Case) -> Contestant {
        if self == Contestant::Python && case.is_in_python() { Contestant::RawPython } else { Contestant::RawC }
    }
}

/// The calls that a reference makes.
pub fn calls(reference: Contestant, case: &Case) -> &'static str {
    match (reference, case.mechanism) {
        (Contestant::RawPython, "pipe" | "fifo") => "raw Python: os.write, os.read",
        (Contestant::RawPython, "datagram" | "seqpacket" | "udp") => "raw Python: socket.send, socket.recv_into",
        (Contestant::RawPython, "file-lock") => "raw Python: fcntl.fcntl",
        (Contestant::RawPython, "eventfd") => "raw Python: os.eventfd_write, os.eventfd_read",
        (Contestant::RawPython, "signal") => "raw Python: os.kill, signal.sigwaitinfo",
        (Contestant::RawPython, _) => "raw Python: socket.sendall, socket.recv_into",
        (_, "pipe" | "fifo") => "raw C: write, read",
        (_, "unix" | "tcp" | "datagram" | "seqpacket" | "udp") => "raw C: send, recv",
        (_, "mq") => "raw C: mq_send, mq_receive",
        (_, "sysv-queue") => "raw C: msgsnd, msgrcv",
        (_, "sysv-semaphore") => "raw C: semop",
        (_, "event") => "raw C: sem_post, sem_wait in shared memory",
        (_, "condvar") => "raw C: process-shared pthread_cond_signal, pthread_cond_wait, robust mutex",
        (_, "barrier") => "raw C: process-shared pthread_barrier_wait, twice",
        (_, "spinlock" | "spinlock-contended") => "raw C: pthread_spin_lock, pthread_spin_unlock",
        (_, "rwlock-read") => "raw C: process-shared pthread_rwlock_rdlock, pthread_rwlock_unlock",
        (_, "rwlock-write") => "raw C: process-shared pthread_rwlock_wrlock, pthread_rwlock_unlock",
        (_, "file-lock") => "raw C: fcntl with F_OFD_SETLKW",
        (_, "eventfd") => "raw C: write, read of an eventfd",
        (_, "signal") => "raw C: sigqueue, sigwaitinfo",
        (_, "futex") => "raw C: futex",
        (_, "poller") => "raw C: epoll_wait, write, read of an eventfd",
        (_, "memory") => "raw C: memcpy",
        (_, "timer") => "raw C: timerfd_settime",
        (_, "transfer") => "raw C: splice",
        (_, "spawn") => "raw C: posix_spawn, waitpid",
        (_, "fd-passing") => "raw C: sendmsg, recvmsg",
        (_, "semaphore") => "raw C: sem_post, sem_wait in shared memory",
        (_, "posix-semaphore") => "raw C: sem_post, sem_wait of sem_open",
        _ => "raw C: robust process-shared pthread_mutex_lock, pthread_mutex_unlock",
    }
}

/// The programs, ready to be started.
#[derive(Debug)]
pub struct Contestants {
    raw_c: PathBuf,
    c: PathBuf,
    rust: PathBuf,
    python: Option<PathBuf>,
}

impl Contestants {
    /// Compiles the C workers, the one of the library against its shared form, as users link it.
    pub fn prepare(place: &Place, libraries: Option<&Path>, python: Option<&Path>) -> Result<Contestants, String> {
        let rust = std::env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
        let libraries = libraries.or(rust.parent()).unwrap_or(Path::new("."));
        let shared = libraries.join("libunipc.so");
        let shared = shared.canonicalize().map_err(|error| format!("{}: {error}", shared.display()))?;
        // Programs look for the library by its soname, which it gets when it is installed.
        let library = place.path().join("lib");
        let linked = std::fs::create_dir(&library).and_then(|()| std::os::unix::fs::symlink(&shared, library.join("libunipc.so.0")));
        linked.map_err(|error| format!("{}: {error}", library.display()))?;

        let (raw_c, c) = (place.path().join("raw"), place.path().join("capi"));
        compile("raw.c", &raw_c, &["-pthread".into()])?;
        let include = format!("-I{}", root().join("include").display());
        compile("capi.c", &c, &[include, shared.display().to_string(), format!("-Wl,-rpath,{}", library.display())])?;
        // Workers run in another directory. A bare name is looked for as everywhere, and an environment's link is not followed.
        let stays = |path: &Path| if path.components().count() > 1 { std::path::absolute(path) } else { Ok(path.to_owned()) };
        let python = python.map(stays).transpose().map_err(|error| format!("the path of Python: {error}"))?;
        Ok(Contestants { raw_c, c, rust, python })
    }

    pub fn present(&self) -> impl Iterator<Item = Contestant> {
        let has_python = self.python.is_some();
        ALL.into_iter().filter(move |who| has_python || !matches!(who, Contestant::RawPython | Contestant::Python))
    }

    /// The command that measures a case: `samples` samples, on these CPUs.
    pub fn command(&self, who: Contestant, case: &Case, samples: usize, cpus: (usize, usize)) -> Command {
        let mut command = match (who, &self.python) {
            (Contestant::RawC, _) => Command::new(&self.raw_c),
            (Contestant::C, _) => Command::new(&self.c),
            (Contestant::RawPython, Some(python)) => script(python, "raw.py"),
            (Contestant::Python, Some(python)) => script(python, "wheel.py"),
            _ => {
                let mut command = Command::new(&self.rust);
                command.arg("worker");
                command
            }
        };
        command.args([case.mechanism, case.metric.name()]).args([case.size, cpus.0, cpus.1, samples, case.batch].map(|n| n.to_string()));
        command
    }
}

fn script(python: &Path, name: &str) -> Command {
    let mut command = Command::new(python);
    // Nothing is written into the source tree.
    command.arg("-B").arg(root().join("bench/python").join(name));
    command
}

fn compile(source: &str, program: &Path, more: &[String]) -> Result<(), String> {
    let mut command = Command::new("cc");
    command.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]);
    command.arg(root().join("bench/c").join(source)).arg("-o").arg(program).args(more);
    let status = command.status().map_err(|error| format!("cc cannot be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{source} cannot be compiled")) }
}
