//! The Rust worker: the same command line, processes and loops as the C workers in `c/worker.h`, with the calls of the crate.

mod calls;
mod messages;
mod sync;

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What to measure. The order of the fields is the command line that every worker understands.
#[derive(Debug, clap::Args)]
pub struct Job {
    mechanism: String,
    metric: String,
    size: usize,
    cpu: usize,
    peer_cpu: usize,
    samples: usize,
    batch: usize,
}

impl Job {
    /// Samples before those that count: caches, branch predictors and page tables have seen everything then.
    fn warm_up(&self) -> usize {
        self.samples / 10 + 1
    }

    fn operations(&self) -> usize {
        (self.warm_up() + self.samples) * self.batch
    }

    fn is_round_trip(&self) -> bool {
        self.metric == "round_trip_ns"
    }

    /// Times `operation` once for each sample.
    fn time(&self, mut operation: impl FnMut() -> Outcome<()>) -> Outcome<Vec<u64>> {
        for _ in 0..self.warm_up() {
            operation()?;
        }
        let mut times = Vec::with_capacity(self.samples);
        for _ in 0..self.samples {
            let start = Instant::now();
            operation()?;
            times.push(start.elapsed().as_nanos() as u64);
        }
        Ok(times)
    }
}

fn pin(cpu: usize) -> Outcome<()> {
    // SAFETY: zero bytes are an empty set of CPUs.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: CPU_SET checks its index.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the set is valid and of the size that is told.
    if unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) } != 0 {
        return Err(format!("CPU {cpu}: {}", std::io::Error::last_os_error()).into());
    }
    Ok(())
}

/// Runs `peer` in a child, pinned to its CPU, and `measure` here, pinned too.
fn with_peer<T>(job: &Job, peer: impl FnOnce() -> Outcome<()>, measure: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    with_known_peer(job, peer, |_| measure())
}

/// [`with_peer`], for a `measure` that needs the number of the peer's process.
fn with_known_peer<T>(job: &Job, peer: impl FnOnce() -> Outcome<()>, measure: impl FnOnce(i32) -> Outcome<T>) -> Outcome<T> {
    // SAFETY: this program has one thread, so the child finds every lock of the libraries free.
    match unsafe { libc::fork() } {
        -1 => Err(std::io::Error::last_os_error().into()),
        0 => {
            let outcome = pin(job.peer_cpu).and_then(|()| peer());
            if let Err(error) = &outcome {
                eprintln!("peer: {error}");
            }
            // SAFETY: ends the child at once; nothing of the parent's is run or written twice.
            unsafe { libc::_exit(i32::from(outcome.is_err())) }
        }
        child => {
            pin(job.cpu)?;
            let result = measure(child)?;
            let mut status = 0;
            // SAFETY: our own child; the status is valid to write to.
            if unsafe { libc::waitpid(child, &mut status, 0) } != child || status != 0 {
                return Err(format!("the peer failed: {status:#x}").into());
            }
            Ok(result)
        }
    }
}

fn measure(job: &Job) -> Outcome<Vec<u64>> {
    match job.mechanism.as_str() {
        "mutex" | "spinlock" | "rwlock-read" | "rwlock-write" => sync::lock(job),
        "mutex-contended" | "spinlock-contended" => sync::contended_lock(job),
        "file-lock" => sync::file_lock(job),
        "semaphore" => sync::semaphore(job),
        "posix-semaphore" => sync::posix_semaphore(job),
        "sysv-semaphore" => sync::sysv_semaphore(job),
        "event" => sync::event(job),
        "condvar" => sync::condvar(job),
        "barrier" => sync::barrier(job),
        "eventfd" => sync::eventfd(job),
        "signal" => sync::signal(job),
        "futex" => calls::futex(job),
        "poller" => calls::poller(job),
        "memory" => calls::copy(job),
        "timer" => calls::timer(job),
        "transfer" => calls::blocks(job),
        "spawn" => calls::spawn(job),
        "fd-passing" => calls::descriptors(job),
        _ => messages::measure(job),
    }
}

/// Measures, and prints the samples on one line.
pub fn run(job: &Job) -> ExitCode {
    match measure(job) {
        Ok(times) => {
            let words: Vec<String> = times.iter().map(u64::to_string).collect();
            println!("{}", words.join(" "));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", job.mechanism);
            ExitCode::FAILURE
        }
    }
}
