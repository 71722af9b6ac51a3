//! A reader-writer lock in shared memory whose holders may die.
//!
//! For data that many read and few change. An ordinary one counts its readers, and a reader that is killed stays counted: no writer ever gets in
//! again. Here every reader stands by name in a place of its own, and one word names the writer. Taking either is one compare-and-swap, so there is no
//! moment at which somebody holds the lock and nobody knows who.
//!
//! * A dead *reader* has changed nothing: its place is taken back by the writer that waits for it.
//! * A dead *writer* may have left the data half-changed. [`read`](RwLock::read) and [`write`](RwLock::write) then refuse with `EOWNERDEAD`, *not held*;
//!   [`read_recover`](RwLock::read_recover) and [`write_recover`](RwLock::write_recover) both give the lock *exclusively*, with the duty to repair,
//!   which stays until [`mark_consistent`](RwLockGuard::mark_consistent), also when the repairer dies.
//!
//! The order that makes this hold. A reader writes its place first and looks for a writer second; a writer writes its word first and looks at the
//! places second. In the one order that all these operations have, at least one of the two sees the other; a reader that sees a writer leaves again.
//! The writer sets `dirty` when it has found no reader, and clears it before it gives its word up. So one that dies with `dirty` set may have changed
//! something, and one that dies without, in the wait for readers, has not.
//!
//! Who waits: a writer that has its word turns new readers away, so that readers who come and go cannot keep it out; writers who come without a
//! pause can keep readers out. Locking twice is `EDEADLK`, also a second share: it would wait for a writer that waits for the first.
//! Whoever waits looks every 100 ms, before the first sleep too, whether the one it waits for is dead. A stopped holder (`SIGSTOP`) is not.
//!
//! A thread's number says where it looks for a place first, each line of places being another cache line, so that readers seldom meet. With
//! all [`READERS`] places taken the next reader looks again and again, at least every 10 ms.
//!
//! [pthread_rwlock_rdlock(3p)](https://man7.org/linux/man-pages/man3/pthread_rwlock_rdlock.3p.html),
//! [futex(2)](https://man7.org/linux/man-pages/man2/futex.2.html)

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, compiler_fence};

use nix::errno::Errno;

use super::identity::{Identity, Kind};
use super::{LOOK_FOR_DEAD, futex};
use crate::error::{Error, Result};
use crate::process::ThreadId;
use crate::wait::{Deadline, Wait};

/// The most readers at a time; the next one waits.
pub const READERS: usize = LINES * PER_LINE;

const LINES: usize = 14;
const PER_LINE: usize = 8;

/// In the writer's word: writers sleep.
const WRITERS_SLEEP: u64 = 1 << 63;
/// In the writer's word: readers sleep.
const READERS_SLEEP: u64 = 1 << 62;
/// In the writer's word: a writer died inside, and nobody has repaired since.
const REPAIR: u64 = 1 << 61;
/// In the writer's word: the [`ThreadId`]. Thread numbers are less than 2^22.
const OWNER: u64 = REPAIR - 1;

/// Which sleepers a ring is for.
const RING_READERS: u32 = 1;
const RING_WRITERS: u32 = 2;

/// A reader-writer lock for memory that processes share. Zero bytes are an unlocked one.
///
/// 1024 bytes, best at a multiple of 64. It is owned by threads: only a thread that locked it can unlock it. It must not be moved or copied while in use,
/// and only processes of one pid namespace can share it; others are refused with [`Failure::Incompatible`](crate::Failure::Incompatible). `fork` does not
/// inherit the lock; a program that calls `execve` goes on holding it.
#[repr(C, align(8))]
#[derive(Debug)]
pub struct RwLock {
    identity: Identity,
    /// Who writes or waits to write, and marks; [`REPAIR`] or 0 for nobody.
    writer: AtomicU64,
    /// Which lines of places have ever been used: the others need no look.
    used: AtomicU32,
    /// Whether a reader may stand elsewhere than at its first place: else one look says whether a thread reads already.
    displaced: AtomicU32,
    /// A writer may have changed something.
    dirty: AtomicU32,
    reserved: AtomicU32,
    room: [u64; 4],
    /// Changes when a reader leaves while a writer waits, who sleeps on it.
    left: AtomicU32,
    reserved_left: AtomicU32,
    room_left: [u64; 7],
    /// A [`ThreadId`] each; 0 for nobody.
    places: [AtomicU64; READERS],
}

const _: () = assert!(size_of::<RwLock>() == 1024 && align_of::<RwLock>() == 8);

impl Default for RwLock {
    fn default() -> RwLock {
        RwLock::new()
    }
}

/// What became of an attempt to take a place.
enum Entry {
    Entered,
    WriterCame,
    Full,
}

/// What to do next about a writer's word that is not 0.
enum Next {
    /// Look at it again.
    Again,
    /// Nobody holds the lock, and the data need repair: take it exclusively.
    Take,
}

impl RwLock {
    /// An unlocked lock, to be put into memory before others use it.
    pub const fn new() -> RwLock {
        const fn word() -> AtomicU32 {
            AtomicU32::new(0)
        }
        RwLock {
            identity: Identity::unused(),
            writer: AtomicU64::new(0),
            used: word(),
            displaced: word(),
            dirty: word(),
            reserved: word(),
            room: [0; 4],
            left: word(),
            reserved_left: word(),
            room_left: [0; 7],
            places: [const { AtomicU64::new(0) }; READERS],
        }
    }

    /// Makes the lock at `place` anew, whatever bytes stood there.
    ///
    /// # Safety
    /// `place` is valid for writes of an `RwLock` and aligned, and nobody uses the lock meanwhile.
    pub unsafe fn init(place: *mut RwLock) {
        // SAFETY: the caller's promise.
        unsafe {
            (*place).identity.clear();
            place.write(RwLock::new());
        }
    }

    /// Takes a share. Fails with `EOWNERDEAD`, not held, if a writer died and nobody has repaired since.
    ///
    /// Other errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]); `EDEADLK` for a thread that holds the lock;
    /// [`Failure::Incompatible`](crate::Failure::Incompatible).
    #[inline]
    pub fn read<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<RwLockGuard<'_>> {
        self.read_raw(wait)?;
        Ok(RwLockGuard::of(self, false))
    }

    /// [`read`](RwLock::read) without waiting: `EAGAIN` if a writer is there.
    pub fn try_read(&self) -> Result<RwLockGuard<'_>> {
        self.read(Wait::NEVER)
    }

    /// Takes a share, or, if a writer died, the whole lock: the guard then [needs repair](RwLockGuard::needs_repair).
    ///
    /// Errors as [`read`](RwLock::read), but `EOWNERDEAD`.
    #[inline]
    pub fn read_recover<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<RwLockGuard<'_>> {
        let needs_repair = self.read_recover_raw(wait)?;
        Ok(RwLockGuard::of(self, needs_repair))
    }

    /// Takes the whole lock. Errors as [`read`](RwLock::read).
    #[inline]
    pub fn write<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<RwLockGuard<'_>> {
        self.write_raw(wait)?;
        Ok(RwLockGuard::of(self, false))
    }

    /// [`write`](RwLock::write) without waiting: `EAGAIN` if another holds it.
    pub fn try_write(&self) -> Result<RwLockGuard<'_>> {
        self.write(Wait::NEVER)
    }

    /// Takes the whole lock also when a writer died; the guard then [needs repair](RwLockGuard::needs_repair).
    #[inline]
    pub fn write_recover<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<RwLockGuard<'_>> {
        let needs_repair = self.write_recover_raw(wait)?;
        Ok(RwLockGuard::of(self, needs_repair))
    }

    /// [`read`](RwLock::read) for callers who cannot keep a guard; pair it with [`unlock`](RwLock::unlock).
    #[inline]
    pub fn read_raw<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<()> {
        if self.read_at_once() { Ok(()) } else { self.read_slowly("read-lock", wait.into(), false).map(drop) }
    }

    /// [`read_recover`](RwLock::read_recover) for callers who cannot keep a guard: `true` if repair is needed, and the lock held exclusively.
    #[inline]
    pub fn read_recover_raw<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<bool> {
        if self.read_at_once() { Ok(false) } else { self.read_slowly("read-lock to recover", wait.into(), true) }
    }

    /// [`write`](RwLock::write) for callers who cannot keep a guard; pair it with [`unlock`](RwLock::unlock).
    #[inline]
    pub fn write_raw<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<()> {
        if self.write_at_once() { Ok(()) } else { self.write_slowly("write-lock", wait.into(), false).map(drop) }
    }

    /// [`write_recover`](RwLock::write_recover) for callers who cannot keep a guard: `true` if repair is needed.
    #[inline]
    pub fn write_recover_raw<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<bool> {
        if self.write_at_once() { Ok(false) } else { self.write_slowly("write-lock to recover", wait.into(), true) }
    }

    /// Ends the need for repair. `EPERM` unless the calling thread holds the whole lock.
    pub fn mark_consistent(&self) -> Result<()> {
        const OPERATION: &str = "mark reader-writer lock consistent";
        self.check(OPERATION)?;
        if self.writer.load(Ordering::Relaxed) & OWNER != ThreadId::own().word() {
            return Err(not_the_holder(OPERATION));
        }
        self.writer.fetch_and(!REPAIR, Ordering::AcqRel);
        Ok(())
    }

    /// Unlocks, be it a share or the whole. `EPERM` unless the calling thread holds the lock. A need for repair that was not met stays.
    #[inline]
    pub fn unlock(&self) -> Result<()> {
        if self.unlock_at_once() { Ok(()) } else { self.unlock_slowly() }
    }

    /// Takes a share if that is simple, in a few instructions that cannot panic. `false` says nothing: use the others.
    #[doc(hidden)]
    #[inline]
    pub fn read_at_once(&self) -> bool {
        let Some(own) = self.known_thread() else { return false };
        let (place, line) = self.first_place(own);
        // The thread itself sets `displaced` before it can come here a second time.
        let is_simple = self.writer.load(Ordering::Relaxed) == 0
            && self.displaced.load(Ordering::Relaxed) == 0
            // With the release of who has set it: a writer that does not see the line in use is told by `writer` below.
            && self.used.load(Ordering::Acquire) & line != 0
            && place.compare_exchange(0, own, Ordering::SeqCst, Ordering::Relaxed).is_ok();
        is_simple && (self.writer.load(Ordering::SeqCst) == 0 || !self.leave(place))
    }

    /// Takes the whole lock if nobody holds any of it, in a few instructions that cannot panic. `false` says nothing.
    #[doc(hidden)]
    #[inline]
    pub fn write_at_once(&self) -> bool {
        let Some(own) = self.known_thread() else { return false };
        if self.writer.compare_exchange(0, own, Ordering::SeqCst, Ordering::Relaxed).is_err() {
            return false;
        }
        if !self.has_no_readers() {
            self.give_up_word();
            return false;
        }
        self.begin_to_write();
        true
    }

    /// Unlocks if that is simple, in a few instructions that cannot panic. `false` says nothing.
    #[doc(hidden)]
    #[inline]
    pub fn unlock_at_once(&self) -> bool {
        let Some(own) = self.known_thread() else { return false };
        let (place, _) = self.first_place(own);
        if place.load(Ordering::Relaxed) == own {
            return self.leave(place);
        }
        // The mark of a need for repair makes the word another one.
        if self.writer.load(Ordering::Relaxed) != own {
            return false;
        }
        self.end_writing();
        true
    }

    /// The calling thread, if it is known and the lock set up for it.
    #[inline(always)]
    fn known_thread(&self) -> Option<u64> {
        if self.identity.is_ready_here(Kind::RwLock) { ThreadId::known() } else { None }
    }

    fn check(&self, operation: &'static str) -> Result<()> {
        if self.identity.is_ready(Kind::RwLock) { Ok(()) } else { self.identity.claim(Kind::RwLock, operation, || ()) }
    }

    /// Where the thread looks first, and the bit of the line in `used`. Threads with successive numbers look in different lines.
    #[inline(always)]
    fn first_place(&self, own: u64) -> (&AtomicU64, u32) {
        let number = (own >> 32) as usize;
        let line = number % LINES;
        (&self.places[line * PER_LINE + number / LINES % PER_LINE], 1 << line)
    }

    fn place_of(&self, own: u64) -> Option<&AtomicU64> {
        self.places.iter().find(|place| place.load(Ordering::Relaxed) == own)
    }

    /// Gives a place up, and rings for a writer that may wait for it. Gives `true`.
    #[inline]
    fn leave(&self, place: &AtomicU64) -> bool {
        place.swap(0, Ordering::SeqCst);
        if self.writer.load(Ordering::SeqCst) != 0 {
            self.ring_writer();
        }
        true
    }

    #[cold]
    fn ring_writer(&self) {
        self.left.fetch_add(1, Ordering::SeqCst);
        futex::wake(&self.left, i32::MAX);
    }

    #[inline(always)]
    fn has_no_readers(&self) -> bool {
        let mut lines = self.used.load(Ordering::SeqCst) & ((1 << LINES) - 1);
        while lines != 0 {
            let first = lines.trailing_zeros() as usize * PER_LINE;
            if self.places[first..first + PER_LINE].iter().any(|place| place.load(Ordering::SeqCst) != 0) {
                return false;
            }
            lines &= lines - 1;
        }
        true
    }

    /// To be called when no reader is left; the caller may change the data afterwards.
    #[inline(always)]
    fn begin_to_write(&self) {
        if self.displaced.load(Ordering::Relaxed) != 0 {
            self.displaced.store(0, Ordering::Relaxed);
        }
        self.dirty.store(1, Ordering::Relaxed);
        // Somebody reads it who comes when this thread is dead, and then everything counts that it has executed: no other order matters.
        compiler_fence(Ordering::SeqCst);
    }

    /// By the writer, when the data are in order.
    #[inline(always)]
    fn end_writing(&self) {
        self.dirty.store(0, Ordering::Release);
        let seen = self.writer.swap(0, Ordering::SeqCst);
        if seen & (WRITERS_SLEEP | READERS_SLEEP) != 0 {
            self.ring(seen);
        }
    }

    /// By the one that the word names: gives it up. A need for repair stays.
    #[cold]
    fn give_up_word(&self) {
        let repair = self.writer.load(Ordering::Relaxed) & REPAIR;
        self.ring(self.writer.swap(repair, Ordering::SeqCst) | repair);
    }

    /// Wakes those who sleep for a word that was `seen`: all readers, and one writer, or all if they are to learn of a need for repair.
    #[cold]
    fn ring(&self, seen: u64) {
        if seen & READERS_SLEEP != 0 {
            futex::wake_some(self.half(), i32::MAX, RING_READERS);
        }
        if seen & WRITERS_SLEEP != 0 {
            futex::wake_some(self.half(), if seen & REPAIR == 0 { 1 } else { i32::MAX }, RING_WRITERS);
        }
    }

    #[cold]
    fn unlock_slowly(&self) -> Result<()> {
        const OPERATION: &str = "unlock reader-writer lock";
        self.check(OPERATION)?;
        let own = ThreadId::own().word();
        if let Some(place) = self.place_of(own) {
            self.leave(place);
            return Ok(());
        }
        let seen = self.writer.load(Ordering::Relaxed);
        if seen & OWNER != own {
            return Err(not_the_holder(OPERATION));
        }
        if seen & REPAIR == 0 {
            self.end_writing()
        } else {
            self.give_up_word()
        }
        Ok(())
    }

    #[cold]
    fn read_slowly(&self, operation: &'static str, wait: Wait<'_>, recovers: bool) -> Result<bool> {
        let mut turn = self.turn(operation, wait, recovers, RING_READERS)?;
        loop {
            let seen = self.writer.load(Ordering::SeqCst);
            if seen != 0 {
                match turn.look(seen)? {
                    Next::Again => continue,
                    Next::Take => match turn.write()? {
                        Some(needs_repair) => return Ok(needs_repair),
                        None => continue,
                    },
                }
            }
            match self.enter(turn.own) {
                Entry::Entered => return Ok(false),
                Entry::WriterCame => {}
                Entry::Full if self.free_places_of_the_dead() => {}
                Entry::Full => turn.deadline.pause()?,
            }
        }
    }

    #[cold]
    fn write_slowly(&self, operation: &'static str, wait: Wait<'_>, recovers: bool) -> Result<bool> {
        // A writer is never told that there is nothing to repair any more.
        self.turn(operation, wait, recovers, RING_WRITERS)?.write().map(Option::unwrap_or_default)
    }

    /// What every call that is not simple begins with.
    fn turn<'a>(&'a self, operation: &'static str, wait: Wait<'a>, recovers: bool, bell: u32) -> Result<Turn<'a>> {
        self.check(operation)?;
        let own = ThreadId::own().word();
        if self.place_of(own).is_some() {
            return Err(held_already(operation));
        }
        let deadline = Deadline::new(operation, wait);
        let spins = futex::spins(&deadline);
        Ok(Turn { lock: self, own, recovers, bell, spins, carried: 0, deadline })
    }

    /// Takes any place.
    fn enter(&self, own: u64) -> Entry {
        let (first, _) = self.first_place(own);
        let start = (std::ptr::from_ref(first).addr() - self.places.as_ptr().addr()) / size_of::<AtomicU64>();
        for index in (start..READERS).chain(0..start) {
            let place = &self.places[index];
            if place.load(Ordering::Relaxed) != 0 {
                continue;
            }
            // Before the place is taken: a writer that does not see the line is seen.
            self.used.fetch_or(1 << (index / PER_LINE), Ordering::SeqCst);
            if place.compare_exchange(0, own, Ordering::SeqCst, Ordering::Relaxed).is_err() {
                continue;
            }
            if self.writer.load(Ordering::SeqCst) != 0 {
                self.leave(place);
                return Entry::WriterCame;
            }
            if index != start {
                // Not before it is certain that no writer clears it.
                self.displaced.store(1, Ordering::Relaxed);
            }
            return Entry::Entered;
        }
        Entry::Full
    }

    /// Each place is freed by one compare-and-swap from that very reader, so that several may do so at once.
    fn free_places_of_the_dead(&self) -> bool {
        let mut freed = false;
        for place in &self.places {
            let reader = place.load(Ordering::Relaxed);
            if reader != 0 && ThreadId::from_word(reader).is_dead() {
                freed |= place.compare_exchange(reader, 0, Ordering::SeqCst, Ordering::Relaxed).is_ok();
            }
        }
        freed
    }

    fn exchange(&self, from: u64, to: u64) -> bool {
        self.writer.compare_exchange(from, to, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    /// The half with the thread's number and the marks, at which the kernel looks. Only its address is used: the word is always used whole.
    fn half(&self) -> &AtomicU32 {
        let upper = if cfg!(target_endian = "big") { 0 } else { 1 };
        // SAFETY: a half of the word is aligned, and lives as long; nobody loads or stores through the reference.
        unsafe { &*self.writer.as_ptr().cast::<AtomicU32>().add(upper) }
    }
}

/// One call that waits for the lock.
struct Turn<'a> {
    lock: &'a RwLock,
    own: u64,
    recovers: bool,
    /// For which ring it sleeps.
    bell: u32,
    /// How often it still looks before it sleeps.
    spins: u32,
    /// The mark of the writers that may sleep beside it, of whom nothing is written once the word was zero.
    carried: u64,
    deadline: Deadline<'a>,
}

impl Turn<'_> {
    fn look(&mut self, seen: u64) -> Result<Next> {
        let (lock, owner) = (self.lock, seen & OWNER);
        if owner == self.own {
            return Err(held_already(self.deadline.operation()));
        }
        if owner == 0 {
            return match seen & REPAIR {
                // Marks alone: nobody of us writes that.
                0 => Ok(self.replace(seen, 0)),
                _ if self.recovers => Ok(Next::Take),
                _ => Err(Error::os(self.deadline.operation(), Errno::EOWNERDEAD).hint("a writer died; lock to recover, and repair")),
            };
        }
        if self.spins > 0 {
            self.spins -= 1;
            std::hint::spin_loop();
            return Ok(Next::Again);
        }
        if ThreadId::from_word(owner).is_dead() {
            // Belongs to the word that is seen: whoever changes it has changed the word before.
            let is_damaged = seen & REPAIR != 0 || lock.dirty.load(Ordering::Acquire) != 0;
            return Ok(self.replace(seen, if is_damaged { REPAIR } else { 0 }));
        }
        let until = self.deadline.until(LOOK_FOR_DEAD)?;
        let mark = if self.bell == RING_READERS { READERS_SLEEP } else { WRITERS_SLEEP };
        if seen & mark == 0 && !lock.exchange(seen, seen | mark) {
            return Ok(Next::Again);
        }
        futex::wait_for_some(lock.half(), ((seen | mark) >> 32) as u32, until, self.bell);
        self.carried = mark & WRITERS_SLEEP;
        Ok(Next::Again)
    }

    /// Makes a word that names nobody alive one that names nobody, and wakes those who wait for that.
    fn replace(&self, seen: u64, word: u64) -> Next {
        if self.lock.exchange(seen, word) {
            self.lock.ring(seen | word);
        }
        Next::Again
    }

    /// Takes the whole lock: first the word, then it waits until the readers are gone. Gives whether repair is needed; `None` for a reader, who wants the
    /// whole for a repair alone, if another has repaired meanwhile.
    fn write(&mut self) -> Result<Option<bool>> {
        let needs_repair = loop {
            let seen = self.lock.writer.load(Ordering::SeqCst);
            if seen & REPAIR == 0 && self.bell == RING_READERS {
                return Ok(None);
            }
            if seen != 0 && matches!(self.look(seen)?, Next::Again) {
                continue;
            }
            if self.lock.exchange(seen, self.own | seen & REPAIR | self.carried) {
                break seen & REPAIR != 0;
            }
        };
        if let Err(error) = self.wait_for_readers() {
            self.lock.give_up_word();
            return Err(error);
        }
        self.lock.begin_to_write();
        Ok(Some(needs_repair))
    }

    fn wait_for_readers(&mut self) -> Result<()> {
        let lock = self.lock;
        loop {
            let seen = lock.left.load(Ordering::SeqCst);
            if lock.has_no_readers() {
                return Ok(());
            }
            if self.spins > 0 {
                self.spins -= 1;
                std::hint::spin_loop();
                continue;
            }
            if lock.free_places_of_the_dead() {
                continue;
            }
            let until = self.deadline.until(LOOK_FOR_DEAD)?;
            futex::wait(&lock.left, seen, until);
        }
    }
}

#[cold]
fn held_already(operation: &'static str) -> Error {
    Error::os(operation, Errno::EDEADLK).hint("this thread holds the reader-writer lock already")
}

#[cold]
fn not_the_holder(operation: &'static str) -> Error {
    Error::os(operation, Errno::EPERM).hint("only a thread that holds the reader-writer lock can do this")
}

/// Holds an [`RwLock`], a share or the whole; dropping it unlocks. It stays with its thread, since the lock is the thread's.
#[derive(Debug)]
#[must_use = "dropping the guard unlocks the reader-writer lock"]
pub struct RwLockGuard<'a> {
    lock: &'a RwLock,
    needs_repair: bool,
    of_this_thread: PhantomData<*const ()>,
}

impl<'a> RwLockGuard<'a> {
    #[inline]
    fn of(lock: &'a RwLock, needs_repair: bool) -> RwLockGuard<'a> {
        RwLockGuard { lock, needs_repair, of_this_thread: PhantomData }
    }

    /// Whether a writer died and nobody has repaired what the lock protects since. Then this guard holds the whole lock, also if a share was asked for.
    pub fn needs_repair(&self) -> bool {
        self.needs_repair
    }

    /// To be called when the repair is done. Without it the next holder is told again.
    pub fn mark_consistent(&mut self) {
        if self.lock.mark_consistent().is_ok() {
            self.needs_repair = false;
        }
    }
}

impl Drop for RwLockGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // Fails only in a child made by fork, which never held the lock.
        let _ = self.lock.unlock();
    }
}
