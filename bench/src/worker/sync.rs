//! Locks, and what one process wakes the other by: alone, and between the two.

use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use unipc::event::signal::{self, Blocked, Target};
use unipc::event::{EventCounter, EventCounterOptions};
use unipc::sync::{Mutex, PosixSemaphore, PosixSemaphoreOptions, Semaphore};
use unipc::{Wait, memory};

use super::{Job, Outcome, pin, with_known_peer, with_peer};

/// Keeps what stands in it on cache lines of its own.
const APART: usize = 16;

unipc::shareable! {
    struct Table {
        lock: Mutex,
        number: AtomicU64,
        _apart: [AtomicU64; APART],
        there: Semaphore,
        back: Semaphore,
    }
}

pub(super) fn lock(job: &Job) -> Outcome<Vec<u64>> {
    let table = memory::anonymous::<Table>()?;
    pin(job.cpu)?;
    // What a program would find through a pointer is not known to the compiler here either.
    let lock = black_box(&table.lock);
    job.time(|| {
        for _ in 0..job.batch {
            drop(lock.lock(Wait::FOREVER)?);
        }
        Ok(())
    })
}

/// Adds one under the lock until the number is reached, by both together; so both work to the end of the sample.
fn race(table: &Table, goal: u64) -> Outcome<()> {
    loop {
        let guard = table.lock.lock(Wait::FOREVER)?;
        let number = table.number.load(Ordering::Relaxed);
        if number >= goal {
            return Ok(());
        }
        table.number.store(number + 1, Ordering::Relaxed);
        drop(guard);
    }
}

pub(super) fn contended_lock(job: &Job) -> Outcome<Vec<u64>> {
    let table = memory::anonymous::<Table>()?;
    let (mut there_reader, mut there_writer) = std::io::pipe()?;
    let (mut back_reader, mut back_writer) = std::io::pipe()?;
    let rounds = 1..=(job.warm_up() + job.samples) as u64;
    let batch = job.batch as u64;
    let peer = || {
        for round in rounds {
            there_reader.read_exact(&mut [0])?;
            race(&table, round * batch)?;
            back_writer.write_all(&[0])?;
        }
        Ok(())
    };
    let mut goal = 0;
    let mut sample = || {
        goal += batch;
        let start = Instant::now();
        there_writer.write_all(&[0])?;
        race(&table, goal)?;
        let time = start.elapsed().as_nanos() as u64;
        back_reader.read_exact(&mut [0])?;
        Ok(time)
    };
    let measure = || {
        let times: Outcome<Vec<u64>> = (0..job.warm_up() + job.samples).map(|_| sample()).collect();
        Ok(times?.split_off(job.warm_up()))
    };
    with_peer(job, peer, measure)
}

fn alone(job: &Job, post: impl Fn() -> unipc::Result<()>, wait: impl Fn() -> unipc::Result<()>) -> Outcome<Vec<u64>> {
    pin(job.cpu)?;
    job.time(|| {
        for _ in 0..job.batch {
            post()?;
            wait()?;
        }
        Ok(())
    })
}

/// A post and a wait of either semaphore, without looking at which kind it is.
struct Turns<P, W> {
    post: P,
    wait: W,
}

fn in_turns<P, W>(job: &Job, there: Turns<P, W>, back: Turns<P, W>) -> Outcome<Vec<u64>>
where
    P: Fn() -> unipc::Result<()>,
    W: Fn() -> unipc::Result<()>,
{
    let peer = || {
        for _ in 0..job.operations() {
            (there.wait)()?;
            (back.post)()?;
        }
        Ok(())
    };
    with_peer(job, peer, || job.time(|| Ok((there.post)().and_then(|()| (back.wait)())?)))
}

pub(super) fn semaphore(job: &Job) -> Outcome<Vec<u64>> {
    let table = memory::anonymous::<Table>()?;
    let turns = |semaphore| {
        let semaphore: &Semaphore = black_box(semaphore);
        Turns { post: || semaphore.post(), wait: || semaphore.wait(Wait::FOREVER) }
    };
    let (there, back) = (turns(&table.there), turns(&table.back));
    if job.is_round_trip() { in_turns(job, there, back) } else { alone(job, there.post, there.wait) }
}

pub(super) fn posix_semaphore(job: &Job) -> Outcome<Vec<u64>> {
    let open = |what| {
        let name = format!("unipc-bench-{}-{what}", std::process::id());
        let semaphore = PosixSemaphore::create(&name, &PosixSemaphoreOptions::default())?;
        // The peer inherits it.
        PosixSemaphore::unlink(&name).map(|()| semaphore)
    };
    let (there, back) = (open("there")?, open("back")?);
    fn turns(semaphore: &PosixSemaphore) -> Turns<impl Fn() -> unipc::Result<()>, impl Fn() -> unipc::Result<()>> {
        Turns { post: || semaphore.post(), wait: || semaphore.wait(Wait::FOREVER) }
    }
    let (there, back) = (turns(&there), turns(&back));
    if job.is_round_trip() { in_turns(job, there, back) } else { alone(job, there.post, there.wait) }
}

pub(super) fn eventfd(job: &Job) -> Outcome<Vec<u64>> {
    let create = || EventCounter::create(&EventCounterOptions::default());
    let (there, back) = (create()?, create()?);
    fn turns(counter: &EventCounter) -> Turns<impl Fn() -> unipc::Result<()>, impl Fn() -> unipc::Result<()>> {
        Turns { post: || counter.add(1, Wait::FOREVER), wait: || counter.take(Wait::FOREVER).map(drop) }
    }
    let (there, back) = (turns(&there), turns(&back));
    if job.is_round_trip() { in_turns(job, there, back) } else { alone(job, there.post, there.wait) }
}

/// Both block the signal before there are two, so none comes too early.
pub(super) fn signal(job: &Job) -> Outcome<Vec<u64>> {
    let number = *signal::real_time().start();
    let _blocked = Blocked::new(&[number])?;
    let parent = std::process::id() as i32;
    let take = || signal::take(&[number], Wait::FOREVER);
    let peer = || {
        for _ in 0..job.operations() {
            take()?;
            signal::send_value(Target::Process(parent), number, 1)?;
        }
        Ok(())
    };
    // The peer is the one child.
    let measure = |peer| {
        job.time(|| {
            signal::send_value(Target::Process(peer), number, 1)?;
            take()?;
            Ok(())
        })
    };
    with_known_peer(job, peer, measure)
}
