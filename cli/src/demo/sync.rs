//! Locks and semaphores: two processes take turns, and where the mechanism promises something about it, the second one is killed as it holds.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use unipc::Wait;
use unipc::memory::{self, Memory, Shared};
use unipc::sync::{Mutex, PosixSemaphore, PosixSemaphoreOptions, Semaphore};

use super::times::Times;
use super::{Outcome, PATIENCE, Peer, Report, Stage, raw};

unipc::shareable! {
    struct Table {
        lock: Mutex,
        there: Semaphore,
        back: Semaphore,
        pool: Semaphore,
        count: AtomicU64,
        turn: AtomicU32,
        // What is timed stands on cache lines that nobody else looks at.
        _apart: [AtomicU64; 16],
        raw: [raw::Room; 2],
    }
}

/// A table that goes with its handle, and the name of which the second process is told.
struct Owned {
    table: Shared<Table>,
    name: String,
}

impl Owned {
    fn create(stage: &Stage, what: &str) -> Outcome<Owned> {
        let name = stage.name(what);
        Ok(Owned { table: memory::create::<Table>(&name)?, name })
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = Memory::unlink(&self.name);
    }
}

/// Waits until the word has reached a value, or passed it; for what happens once, not for what is timed.
pub(super) fn await_word(word: &AtomicU32, value: u32) -> Outcome<()> {
    let start = Instant::now();
    while word.load(Ordering::Acquire) < value {
        if start.elapsed() > PATIENCE {
            return Err("the other process does not answer".into());
        }
        // The other process may be measuring.
        std::thread::sleep(Duration::from_micros(50));
    }
    Ok(())
}

/// Adds one in two steps that only the lock keeps together.
fn add_one(table: &Table) -> Outcome<()> {
    let guard = table.lock.lock(PATIENCE)?;
    let value = table.count.load(Ordering::Relaxed);
    table.count.store(std::hint::black_box(value) + 1, Ordering::Relaxed);
    drop(guard);
    Ok(())
}

pub(super) fn mutex(stage: &Stage) -> Outcome<Report> {
    let owned = Owned::create(stage, "mutex")?;
    let table = &owned.table;
    let mut peer = Peer::start("mutex", &[&owned.name, &stage.rounds.to_string()])?;
    await_word(&table.turn, 1)?;
    table.turn.store(2, Ordering::Release);
    (0..stage.rounds).try_for_each(|_| add_one(table))?;
    await_word(&table.turn, 3)?;
    let raw = raw::Mutex::init(&table.raw[0])?;
    // The other process waits meanwhile: whom the lock would go to is chance, and no measure.
    let library = || {
        drop(table.lock.lock(PATIENCE)?);
        Ok(())
    };
    let times = stage.time_batches(library, || Ok(raw.lock().and_then(|()| raw.unlock())?))?;
    table.turn.store(4, Ordering::Release);
    await_word(&table.turn, 5)?;
    let (count, expected) = (table.count.load(Ordering::Relaxed), 2 * u64::from(stage.rounds));
    if count != expected {
        return Err(format!("two processes counted to {count}, not to {expected}").into());
    }
    peer.kill()?;
    match table.lock.lock(PATIENCE) {
        Err(error) if error.code() == -libc::EOWNERDEAD => {}
        Err(error) => return Err(error.into()),
        Ok(_) => return Err("the death of a holder was not told".into()),
    }
    let mut guard = table.lock.lock_recover(PATIENCE)?;
    if !guard.needs_repair() {
        return Err("the need for repair was not told".into());
    }
    guard.mark_consistent();
    drop(guard);
    drop(table.lock.lock(Wait::NEVER)?);
    Ok(Report { sent: format!("2 x {} additions", stage.rounds), arrived: format!("{count}; killed holder repaired"), times })
}

pub(super) fn peer_of_mutex(name: &str, rounds: &str) -> Outcome<()> {
    let table = memory::open::<Table>(name)?;
    table.turn.store(1, Ordering::Release);
    await_word(&table.turn, 2)?;
    for _ in 0..rounds.parse::<u32>()? {
        add_one(&table)?;
    }
    table.turn.store(3, Ordering::Release);
    // The other side counts and measures; it would wait for ever for what is held from here on.
    await_word(&table.turn, 4)?;
    let _held = table.lock.lock(PATIENCE)?;
    table.turn.store(5, Ordering::Release);
    wait_to_be_killed()
}

/// The first process kills this one; if it is gone itself, the wait ends.
pub(super) fn wait_to_be_killed() -> Outcome<()> {
    std::thread::sleep(PATIENCE);
    Err("nobody has killed the second process".into())
}

pub(super) fn semaphore(stage: &Stage) -> Outcome<Report> {
    let owned = Owned::create(stage, "semaphore")?;
    let table = &owned.table;
    let [raw_there, raw_back] = table.raw.each_ref().map(raw::Semaphore::in_place);
    raw_there.init(0)?;
    raw_back.init(0)?;
    let peer = Peer::start("semaphore", &[&owned.name, &stage.rounds.to_string()])?;
    let library = || {
        table.there.post()?;
        Ok(table.back.wait(PATIENCE)?)
    };
    let times = stage.time(library, || Ok(raw_there.post().and_then(|()| raw_back.wait())?))?;
    peer.finish()?;
    report_of_turns(stage, table.count.load(Ordering::Relaxed), times)
}

fn report_of_turns(stage: &Stage, count: u64, times: Times) -> Outcome<Report> {
    if count != u64::from(stage.rounds) {
        return Err(format!("{count} of {} units arrived", stage.rounds).into());
    }
    Ok(Report { sent: format!("{count} units"), arrived: format!("{count}, each answered"), times })
}

pub(super) fn peer_of_semaphore(name: &str, rounds: &str) -> Outcome<()> {
    let table = memory::open::<Table>(name)?;
    let [raw_there, raw_back] = table.raw.each_ref().map(raw::Semaphore::in_place);
    for _ in 0..rounds.parse::<u32>()? {
        table.there.wait(PATIENCE)?;
        table.count.fetch_add(1, Ordering::Relaxed);
        table.back.post()?;
        raw_there.wait()?;
        raw_back.post()?;
    }
    Ok(())
}

fn take_and_give(table: &Table) -> Outcome<()> {
    table.pool.wait(PATIENCE)?;
    Ok(table.pool.post()?)
}

pub(super) fn semaphore_recover(stage: &Stage) -> Outcome<Report> {
    let owned = Owned::create(stage, "recover")?;
    let table = &owned.table;
    // SAFETY: a valid place in the memory, and nobody else has been told its name yet.
    unsafe { Semaphore::init((&raw const table.pool).cast_mut(), Semaphore::recovering(1)?) };
    let mut peer = Peer::start("semaphore-recover", &[&owned.name, &stage.rounds.to_string()])?;
    await_word(&table.turn, 1)?;
    table.turn.store(2, Ordering::Release);
    (0..stage.rounds).try_for_each(|_| take_and_give(table))?;
    await_word(&table.turn, 3)?;
    let raw = raw::Semaphore::in_place(&table.raw[0]);
    raw.init(1)?;
    let times = stage.time_batches(|| take_and_give(table), || Ok(raw.wait().and_then(|()| raw.post())?))?;
    table.turn.store(4, Ordering::Release);
    await_word(&table.turn, 5)?;
    match table.pool.try_wait() {
        Err(error) if error.code() == -libc::EAGAIN => {}
        Err(error) => return Err(error.into()),
        Ok(()) => return Err("two processes hold the only unit".into()),
    }
    peer.kill()?;
    table.pool.wait(PATIENCE)?;
    table.pool.post()?;
    Ok(Report { sent: "1 unit, its holder killed".to_owned(), arrived: "the unit came back".to_owned(), times })
}

pub(super) fn peer_of_semaphore_recover(name: &str, rounds: &str) -> Outcome<()> {
    let table = memory::open::<Table>(name)?;
    table.turn.store(1, Ordering::Release);
    await_word(&table.turn, 2)?;
    (0..rounds.parse::<u32>()?).try_for_each(|_| take_and_give(&table))?;
    table.turn.store(3, Ordering::Release);
    await_word(&table.turn, 4)?;
    table.pool.wait(PATIENCE)?;
    table.turn.store(5, Ordering::Release);
    wait_to_be_killed()
}

pub(super) fn posix_semaphore(stage: &Stage) -> Outcome<Report> {
    let options = PosixSemaphoreOptions { temporary: true, ..Default::default() };
    let names = [stage.name("there"), stage.name("back")];
    let there = PosixSemaphore::create(&names[0], &options)?;
    let back = PosixSemaphore::create(&names[1], &options)?;
    let peer = Peer::start("posix-semaphore", &[&names[0], &names[1], &stage.rounds.to_string()])?;
    let (raw_there, raw_back) = (raw::Semaphore::open(&names[0])?, raw::Semaphore::open(&names[1])?);
    let mut count = 0;
    let library = || {
        there.post()?;
        back.wait(PATIENCE)?;
        count += 1;
        Ok(())
    };
    let times = stage.time(library, || Ok(raw_there.post().and_then(|()| raw_back.wait())?))?;
    peer.finish()?;
    report_of_turns(stage, count, times)
}

pub(super) fn peer_of_posix_semaphore(there: &str, back: &str, rounds: &str) -> Outcome<()> {
    let (raw_there, raw_back) = (raw::Semaphore::open(there)?, raw::Semaphore::open(back)?);
    let there = PosixSemaphore::open(there, &PosixSemaphoreOptions::default())?;
    let back = PosixSemaphore::open(back, &PosixSemaphoreOptions::default())?;
    for _ in 0..rounds.parse::<u32>()? {
        there.wait(PATIENCE)?;
        back.post()?;
        raw_there.wait()?;
        raw_back.post()?;
    }
    Ok(())
}
