//! The other objects in shared memory: two processes use one together, and where somebody may die holding it, the second one is killed.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use unipc::Wait;
use unipc::memory;
use unipc::sync::{Barrier, Condvar, Event, Mutex, RwLock, Spinlock};

use super::raw_locks as raw;
use super::sync::{await_word, wait_to_be_killed};
use super::{Outcome, PATIENCE, Peer, Report, Stage};

unipc::shareable! {
    struct Table {
        spinlock: Spinlock,
        rwlock: RwLock,
        mutex: Mutex,
        changed: Condvar,
        there: Event,
        back: Event,
        barrier: Barrier,
        count: AtomicU64,
        turn: AtomicU32,
        // What is timed stands on cache lines that nobody else looks at.
        _apart: [AtomicU64; 16],
        raw: [raw::Room; 2],
    }
}

/// A table that goes with its handle, and the name of which the second process is told.
struct Owned {
    table: memory::Shared<Table>,
    name: String,
}

impl Owned {
    fn create(stage: &Stage, what: &str) -> Outcome<Owned> {
        let name = stage.name(what);
        Ok(Owned { table: memory::create::<Table>(&name)?, name })
    }

    fn peer(&self, stage: &Stage, mechanism: &str) -> Outcome<Peer> {
        Peer::start(mechanism, &[&self.name, &stage.rounds.to_string()])
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = memory::Memory::unlink(&self.name);
    }
}

/// Adds one in two steps that only a lock keeps together.
fn add_one(table: &Table) {
    let value = table.count.load(Ordering::Relaxed);
    table.count.store(std::hint::black_box(value) + 1, Ordering::Relaxed);
}

fn require_sum(table: &Table, stage: &Stage) -> Outcome<u64> {
    let (count, expected) = (table.count.load(Ordering::Relaxed), 2 * u64::from(stage.rounds));
    if count == expected { Ok(count) } else { Err(format!("two processes counted to {count}, not to {expected}").into()) }
}

fn require_death_told<T>(result: unipc::Result<T>) -> Outcome<()> {
    match result {
        Err(error) if error.code() == -libc::EOWNERDEAD => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err("the death of a holder was not told".into()),
    }
}

pub(super) fn spinlock(stage: &Stage) -> Outcome<Report> {
    let owned = Owned::create(stage, "spinlock")?;
    let table = &owned.table;
    let mut peer = owned.peer(stage, "spinlock")?;
    count_together(table, stage.rounds, || Ok(table.spinlock.lock(PATIENCE)?))?;
    let raw = raw::Spinlock::init(&table.raw[0])?;
    let library = || {
        drop(table.spinlock.lock(PATIENCE)?);
        Ok(())
    };
    let times = stage.time_batches(library, || Ok(raw.lock_and_unlock()?))?;
    let count = require_sum(table, stage)?;
    let_it_die(table, &mut peer)?;
    require_death_told(table.spinlock.lock(PATIENCE))?;
    let mut guard = table.spinlock.lock_recover(PATIENCE)?;
    if !guard.needs_repair() {
        return Err("the need for repair was not told".into());
    }
    guard.mark_consistent();
    drop(guard);
    drop(table.spinlock.lock(Wait::NEVER)?);
    Ok(Report { sent: format!("2 x {} additions", stage.rounds), arrived: format!("{count}; killed holder repaired"), times })
}

pub(super) fn peer_of_spinlock(name: &str, rounds: &str) -> Outcome<()> {
    let table = memory::open::<Table>(name)?;
    count_with_first(&table, rounds, || Ok(table.spinlock.lock(PATIENCE)?))?;
    let _held = table.spinlock.lock(PATIENCE)?;
    table.turn.store(5, Ordering::Release);
    wait_to_be_killed()
}

/// The first process's part: both count under the lock, by turns as it comes.
fn count_together<G>(table: &Table, rounds: u32, lock: impl Fn() -> Outcome<G>) -> Outcome<()> {
    await_word(&table.turn, 1)?;
    table.turn.store(2, Ordering::Release);
    for _ in 0..rounds {
        let guard = lock()?;
        add_one(table);
        drop(guard);
    }
    await_word(&table.turn, 3)
}

/// The second process's part, until it is to hold the lock and die.
fn count_with_first<G>(table: &Table, rounds: &str, lock: impl Fn() -> Outcome<G>) -> Outcome<()> {
    table.turn.store(1, Ordering::Release);
    await_word(&table.turn, 2)?;
    for _ in 0..rounds.parse::<u32>()? {
        let guard = lock()?;
        add_one(table);
        drop(guard);
    }
    table.turn.store(3, Ordering::Release);
    // The other side counts and measures; it would wait for ever for what is held from here on.
    await_word(&table.turn, 4)
}

fn let_it_die(table: &Table, peer: &mut Peer) -> Outcome<()> {
    table.turn.store(4, Ordering::Release);
    await_word(&table.turn, 5)?;
    peer.kill()
}

pub(super) fn rwlock(stage: &Stage) -> Outcome<Report> {
    let owned = Owned::create(stage, "rwlock")?;
    let table = &owned.table;
    let mut peer = owned.peer(stage, "rwlock")?;
    count_together(table, stage.rounds, || Ok(table.rwlock.write(PATIENCE)?))?;
    let raw = raw::RwLock::init(&table.raw[0])?;
    let library = || {
        drop(table.rwlock.read(PATIENCE)?);
        Ok(())
    };
    let times = stage.time_batches(library, || Ok(raw.read_and_unlock()?))?;
    let count = require_sum(table, stage)?;
    let_it_die(table, &mut peer)?;
    require_death_told(table.rwlock.read(PATIENCE))?;
    let mut guard = table.rwlock.read_recover(PATIENCE)?;
    if !guard.needs_repair() {
        return Err("the need for repair was not told".into());
    }
    guard.mark_consistent();
    drop(guard);
    drop(table.rwlock.read(Wait::NEVER)?);
    Ok(Report { sent: format!("2 x {} additions", stage.rounds), arrived: format!("{count}; killed writer repaired"), times })
}

pub(super) fn peer_of_rwlock(name: &str, rounds: &str) -> Outcome<()> {
    let table = memory::open::<Table>(name)?;
    count_with_first(&table, rounds, || Ok(table.rwlock.write(PATIENCE)?))?;
    let _held = table.rwlock.write(PATIENCE)?;
    table.turn.store(5, Ordering::Release);
    wait_to_be_killed()
}

/// Waits under the mutex until the count is odd, or even, and adds one.
fn take_turn(table: &Table, is_odd: bool) -> Outcome<()> {
    let mut guard = table.mutex.lock(PATIENCE)?;
    table.changed.wait_while(&mut guard, PATIENCE, || (table.count.load(Ordering::Relaxed) % 2 == 1) != is_odd)?;
    add_one(table);
    Ok(table.changed.notify_one()?)
}

pub(super) fn condvar(stage: &Stage) -> Outcome<Report> {
    let owned = Owned::create(stage, "condvar")?;
    let table = &owned.table;
    let raw = raw::Condvar::init(&table.raw)?;
    let peer = owned.peer(stage, "condvar")?;
    let library = || {
        take_turn(table, false)?;
        let mut guard = table.mutex.lock(PATIENCE)?;
        Ok(table.changed.wait_while(&mut guard, PATIENCE, || table.count.load(Ordering::Relaxed) % 2 == 1)?)
    };
    let times = stage.time(library, || Ok(raw.change(1, 2)?))?;
    peer.finish()?;
    let count = require_sum(table, stage)?;
    Ok(Report { sent: format!("{} changes", stage.rounds), arrived: format!("{}, each answered", count / 2), times })
}

pub(super) fn peer_of_condvar(name: &str, rounds: &str) -> Outcome<()> {
    let table = memory::open::<Table>(name)?;
    let raw = raw::Condvar::of(&table.raw);
    for _ in 0..rounds.parse::<u32>()? {
        take_turn(&table, true)?;
        raw.answer(1, 2)?;
    }
    Ok(())
}

pub(super) fn event(stage: &Stage) -> Outcome<Report> {
    let owned = Owned::create(stage, "event")?;
    let table = &owned.table;
    // SAFETY: valid places in the memory, and nobody else has been told its name yet.
    unsafe {
        Event::init((&raw const table.there).cast_mut(), Event::automatic_reset(false));
        Event::init((&raw const table.back).cast_mut(), Event::automatic_reset(false));
    }
    let [raw_there, raw_back] = table.raw.each_ref().map(super::raw::Semaphore::in_place);
    raw_there.init(0)?;
    raw_back.init(0)?;
    let peer = owned.peer(stage, "event")?;
    let library = || {
        table.there.set()?;
        Ok(table.back.wait(PATIENCE)?)
    };
    let times = stage.time(library, || Ok(raw_there.post().and_then(|()| raw_back.wait())?))?;
    peer.finish()?;
    let count = table.count.load(Ordering::Relaxed);
    if count != u64::from(stage.rounds) {
        return Err(format!("{count} of {} settings arrived", stage.rounds).into());
    }
    Ok(Report { sent: format!("{count} settings"), arrived: format!("{count}, each answered"), times })
}

pub(super) fn peer_of_event(name: &str, rounds: &str) -> Outcome<()> {
    let table = memory::open::<Table>(name)?;
    let [raw_there, raw_back] = table.raw.each_ref().map(super::raw::Semaphore::in_place);
    for _ in 0..rounds.parse::<u32>()? {
        table.there.wait(PATIENCE)?;
        table.count.fetch_add(1, Ordering::Relaxed);
        table.back.set()?;
        raw_there.wait()?;
        raw_back.post()?;
    }
    Ok(())
}

pub(super) fn barrier(stage: &Stage) -> Outcome<Report> {
    let owned = Owned::create(stage, "barrier")?;
    let table = &owned.table;
    // SAFETY: a valid place in the memory, and nobody else has been told its name yet.
    unsafe { Barrier::init((&raw const table.barrier).cast_mut(), Barrier::new(2)?) };
    let raw = raw::Barrier::init(&table.raw[0])?;
    let mut peer = owned.peer(stage, "barrier")?;
    let library = || Ok(table.barrier.wait(PATIENCE).map(drop)?);
    // The raw one has no time limit: the other party's place is taken when the rounds come to a halt.
    let give_up = || drop(raw.wait());
    let times = stage.time_until(&give_up, library, || Ok(raw.wait()?))?;
    await_word(&table.turn, 5)?;
    peer.kill()?;
    require_death_told(table.barrier.wait(PATIENCE))?;
    if !table.barrier.reset()? {
        return Err("the barrier is not broken".into());
    }
    Ok(Report { sent: format!("2 parties, {} rounds", stage.rounds), arrived: "all in step; killed party told".to_owned(), times })
}

pub(super) fn peer_of_barrier(name: &str, rounds: &str) -> Outcome<()> {
    super::messages::end_with_parent();
    let table = memory::open::<Table>(name)?;
    let raw = raw::Barrier::of(&table.raw[0]);
    for _ in 0..rounds.parse::<u32>()? {
        table.barrier.wait(PATIENCE)?;
        raw.wait()?;
    }
    table.turn.store(5, Ordering::Release);
    wait_to_be_killed()
}
