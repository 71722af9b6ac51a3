//! The C library's own locks in memory that processes share, to compare with.

use std::io::{Error, Result};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::PATIENCE;
pub(super) use super::raw::Room;

fn check(errno: libc::c_int) -> Result<()> {
    if errno == 0 { Ok(()) } else { Err(Error::from_raw_os_error(errno)) }
}

fn place<T>(room: &Room) -> *mut T {
    const { assert!(size_of::<T>() <= size_of::<Room>() && align_of::<T>() <= align_of::<Room>()) };
    ptr::from_ref(room).cast_mut().cast()
}

/// A spinlock: no holder is known, no death told.
#[derive(Clone, Copy)]
pub(super) struct Spinlock(*mut libc::pthread_spinlock_t);

impl Spinlock {
    pub(super) fn init(room: &Room) -> Result<Spinlock> {
        let spinlock = Spinlock(place(room));
        // SAFETY: room for a spinlock that nobody uses yet.
        check(unsafe { libc::pthread_spin_init(spinlock.0, libc::PTHREAD_PROCESS_SHARED) })?;
        Ok(spinlock)
    }

    pub(super) fn lock_and_unlock(self) -> Result<()> {
        // SAFETY: the spinlock is initialised.
        unsafe {
            check(libc::pthread_spin_lock(self.0))?;
            check(libc::pthread_spin_unlock(self.0))
        }
    }
}

/// A reader-writer lock: a dead reader's share is lost.
#[derive(Clone, Copy)]
pub(super) struct RwLock(*mut libc::pthread_rwlock_t);

impl RwLock {
    pub(super) fn init(room: &Room) -> Result<RwLock> {
        let lock = RwLock(place(room));
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the attributes are initialised first; room for a lock that nobody uses yet.
        unsafe {
            check(libc::pthread_rwlockattr_init(attributes.as_mut_ptr()))?;
            check(libc::pthread_rwlockattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED))?;
            check(libc::pthread_rwlock_init(lock.0, attributes.as_ptr()))?;
        }
        Ok(lock)
    }

    pub(super) fn read_and_unlock(self) -> Result<()> {
        // SAFETY: the lock is initialised.
        unsafe {
            check(libc::pthread_rwlock_rdlock(self.0))?;
            check(libc::pthread_rwlock_unlock(self.0))
        }
    }
}

/// A mutex, a condition variable and a turn, in two rooms.
#[derive(Clone, Copy)]
pub(super) struct Condvar<'a> {
    mutex: super::raw::Mutex<'a>,
    condition: *mut libc::pthread_cond_t,
    turn: &'a AtomicU32,
}

impl<'a> Condvar<'a> {
    pub(super) fn of(rooms: &'a [Room; 2]) -> Condvar<'a> {
        let [first, second] = rooms;
        // Behind the condition variable there is room for the turn.
        const { assert!(size_of::<libc::pthread_cond_t>() <= size_of::<Room>() - 8) };
        let turn: *const AtomicU32 = ptr::from_ref(&second[7]).cast();
        // SAFETY: half of a word that lives as long and is only used atomically, and by nobody as a whole.
        let turn = unsafe { &*turn };
        Condvar { mutex: super::raw::Mutex::of(first), condition: place(second), turn }
    }

    pub(super) fn init(rooms: &'a [Room; 2]) -> Result<Condvar<'a>> {
        super::raw::Mutex::init(&rooms[0])?;
        let condvar = Condvar::of(rooms);
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the attributes are initialised first; room for a condition variable that nobody uses yet.
        unsafe {
            check(libc::pthread_condattr_init(attributes.as_mut_ptr()))?;
            check(libc::pthread_condattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED))?;
            check(libc::pthread_cond_init(condvar.condition, attributes.as_ptr()))?;
        }
        Ok(condvar)
    }

    /// Sets the turn, and waits until it is another.
    pub(super) fn change(self, to: u32, until: u32) -> Result<()> {
        self.mutex.lock()?;
        self.turn.store(to, Ordering::Relaxed);
        // SAFETY: the condition variable is initialised.
        check(unsafe { libc::pthread_cond_signal(self.condition) })?;
        self.wait(until)?;
        self.mutex.unlock()
    }

    /// Waits for a turn, and sets another.
    pub(super) fn answer(self, turn: u32, to: u32) -> Result<()> {
        self.mutex.lock()?;
        self.wait(turn)?;
        self.turn.store(to, Ordering::Relaxed);
        // SAFETY: the condition variable is initialised.
        check(unsafe { libc::pthread_cond_signal(self.condition) })?;
        self.mutex.unlock()
    }

    fn wait(self, turn: u32) -> Result<()> {
        let limit = std::time::SystemTime::now() + PATIENCE;
        let limit = limit.duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::MAX);
        let limit = libc::timespec { tv_sec: limit.as_secs() as libc::time_t, tv_nsec: limit.subsec_nanos() as libc::c_long };
        while self.turn.load(Ordering::Relaxed) != turn {
            // SAFETY: both are initialised, and the mutex held.
            check(unsafe { libc::pthread_cond_timedwait(self.condition, self.mutex.pointer(), &limit) })?;
        }
        Ok(())
    }
}

/// A barrier of two: the death of one lets the other wait for ever.
#[derive(Clone, Copy)]
pub(super) struct Barrier(*mut libc::pthread_barrier_t);

// SAFETY: made for use from many threads and processes.
unsafe impl Sync for Barrier {}
// SAFETY: as above.
unsafe impl Send for Barrier {}

impl Barrier {
    pub(super) fn of(room: &Room) -> Barrier {
        Barrier(place(room))
    }

    pub(super) fn init(room: &Room) -> Result<Barrier> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the attributes are initialised first; room for a barrier that nobody uses yet.
        unsafe {
            check(libc::pthread_barrierattr_init(attributes.as_mut_ptr()))?;
            check(libc::pthread_barrierattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED))?;
            check(libc::pthread_barrier_init(place(room), attributes.as_ptr(), 2))?;
        }
        Ok(Barrier::of(room))
    }

    pub(super) fn wait(self) -> Result<()> {
        // SAFETY: the barrier is initialised.
        match unsafe { libc::pthread_barrier_wait(self.0) } {
            libc::PTHREAD_BARRIER_SERIAL_THREAD => Ok(()),
            errno => check(errno),
        }
    }
}
