//! Locks, and what one process wakes the other by: alone, and between the two.

use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use unipc::event::signal::{self, Blocked, Target};
use unipc::event::{EventCounter, EventCounterOptions};
use unipc::file::lock::{FileLock, FileLockOptions, LockMode};
use unipc::sync::{
    Barrier, Condvar, Event, Mutex, PosixSemaphore, PosixSemaphoreOptions, RwLock, Semaphore, Spinlock, SysvSemaphores,
    SysvSemaphoresOptions,
};
use unipc::{Wait, memory};

use super::{Job, Outcome, pin, with_known_peer, with_peer};

/// Keeps what stands in it on cache lines of its own.
const APART: usize = 16;

unipc::shareable! {
    struct Table {
        lock: Mutex,
        spinlock: Spinlock,
        rwlock: RwLock,
        number: AtomicU64,
        _apart: [AtomicU64; APART],
        there: Semaphore,
        back: Semaphore,
        _apart_too: [AtomicU64; APART],
        condition: Condvar,
        turns: [AtomicU32; 2],
        barrier: Barrier,
        set_there: Event,
        set_back: Event,
    }
}

pub(super) fn lock(job: &Job) -> Outcome<Vec<u64>> {
    let table = memory::anonymous::<Table>()?;
    pin(job.cpu)?;
    // What a program would find through a pointer is not known to the compiler here either.
    let table = black_box(&*table);
    match job.mechanism.as_str() {
        "spinlock" => repeat(job, || table.spinlock.lock(Wait::FOREVER)),
        "rwlock-read" => repeat(job, || table.rwlock.read(Wait::FOREVER)),
        "rwlock-write" => repeat(job, || table.rwlock.write(Wait::FOREVER)),
        _ => repeat(job, || table.lock.lock(Wait::FOREVER)),
    }
}

/// Takes the lock and lets go of it, by the batch.
fn repeat<G>(job: &Job, lock: impl Fn() -> unipc::Result<G>) -> Outcome<Vec<u64>> {
    job.time(|| {
        for _ in 0..job.batch {
            drop(lock()?);
        }
        Ok(())
    })
}

pub(super) fn file_lock(job: &Job) -> Outcome<Vec<u64>> {
    let lock = FileLock::open_or_create("lock", &FileLockOptions::default())?;
    pin(job.cpu)?;
    repeat(job, || lock.lock(LockMode::Exclusive, Wait::FOREVER))
}

/// Adds one under the lock until the number is reached, by both together; so both work to the end of the sample.
fn race<G>(table: &Table, lock: &impl Fn() -> unipc::Result<G>, goal: u64) -> Outcome<()> {
    loop {
        let guard = lock()?;
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
    match job.mechanism.as_str() {
        "spinlock-contended" => contend(job, &table, || table.spinlock.lock(Wait::FOREVER)),
        _ => contend(job, &table, || table.lock.lock(Wait::FOREVER)),
    }
}

fn contend<G>(job: &Job, table: &Table, lock: impl Fn() -> unipc::Result<G>) -> Outcome<Vec<u64>> {
    let (mut there_reader, mut there_writer) = std::io::pipe()?;
    let (mut back_reader, mut back_writer) = std::io::pipe()?;
    let rounds = 1..=(job.warm_up() + job.samples) as u64;
    let batch = job.batch as u64;
    let peer = || {
        for round in rounds {
            there_reader.read_exact(&mut [0])?;
            race(table, &lock, round * batch)?;
            back_writer.write_all(&[0])?;
        }
        Ok(())
    };
    let mut goal = 0;
    let mut sample = || {
        goal += batch;
        let start = Instant::now();
        there_writer.write_all(&[0])?;
        race(table, &lock, goal)?;
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

pub(super) fn alone(job: &Job, post: impl Fn() -> unipc::Result<()>, wait: impl Fn() -> unipc::Result<()>) -> Outcome<Vec<u64>> {
    pin(job.cpu)?;
    job.time(|| {
        for _ in 0..job.batch {
            post()?;
            wait()?;
        }
        Ok(())
    })
}

/// What one process wakes the other by, without looking at which kind it is.
pub(super) struct Turns<P, W> {
    pub(super) post: P,
    pub(super) wait: W,
}

pub(super) fn in_turns<P, W>(job: &Job, there: Turns<P, W>, back: Turns<P, W>) -> Outcome<Vec<u64>>
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

pub(super) fn event(job: &Job) -> Outcome<Vec<u64>> {
    let table = memory::anonymous::<Table>()?;
    for event in [&table.set_there, &table.set_back] {
        // SAFETY: it is in memory that nobody else has yet.
        unsafe { Event::init(std::ptr::from_ref(event).cast_mut(), Event::automatic_reset(false)) };
    }
    let turns = |event| {
        let event: &Event = black_box(event);
        Turns { post: || event.set(), wait: || event.wait(Wait::FOREVER) }
    };
    let (there, back) = (turns(&table.set_there), turns(&table.set_back));
    if job.is_round_trip() { in_turns(job, there, back) } else { alone(job, there.post, there.wait) }
}

pub(super) fn condvar(job: &Job) -> Outcome<Vec<u64>> {
    let table = memory::anonymous::<Table>()?;
    let table = black_box(&*table);
    let turns = |index: usize| Turns {
        post: move || {
            let guard = table.lock.lock(Wait::FOREVER)?;
            table.turns[index].store(1, Ordering::Relaxed);
            table.condition.notify_one()?;
            drop(guard);
            Ok(())
        },
        wait: move || {
            let mut guard = table.lock.lock(Wait::FOREVER)?;
            table.condition.wait_while(&mut guard, Wait::FOREVER, || table.turns[index].load(Ordering::Relaxed) == 0)?;
            table.turns[index].store(0, Ordering::Relaxed);
            Ok(())
        },
    };
    in_turns(job, turns(0), turns(1))
}

pub(super) fn barrier(job: &Job) -> Outcome<Vec<u64>> {
    let table = memory::anonymous::<Table>()?;
    // SAFETY: it is in memory that nobody else has yet.
    unsafe { Barrier::init((&raw const table.barrier).cast_mut(), Barrier::new(2)?) };
    let barrier: &Barrier = black_box(&table.barrier);
    let meet = || barrier.wait(Wait::FOREVER).map(drop);
    in_turns(job, Turns { post: meet, wait: meet }, Turns { post: meet, wait: meet })
}

pub(super) fn sysv_semaphore(job: &Job) -> Outcome<Vec<u64>> {
    let set = SysvSemaphores::create_private(&SysvSemaphoresOptions { values: vec![0; 2], temporary: true, ..Default::default() })?;
    let turns = |index| {
        let set = &set;
        Turns { post: move || set.post(index), wait: move || set.wait(index, Wait::FOREVER) }
    };
    let (there, back) = (turns(0), turns(1));
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
