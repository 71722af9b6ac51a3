//! Waiting for each other.
//!
//! [`Mutex`], [`Spinlock`], [`RwLock`], [`Condvar`], [`Event`], [`Barrier`] and [`Semaphore`] live in memory that the user has, at a place of the user's
//! choice, and may be used by every process that maps it. All-zero bytes are a valid object, but for the barrier, which must be told its parties: freshly
//! made memory can be used by several processes at once without a race over who initialises it.
//! [`PosixSemaphore`] is a kernel-visible name that plain C programs open with `sem_open`, [`SysvSemaphores`] what they get with `semget`.
//!
//! [`futex_wait`] and [`futex_wake`] are what all of them are made of, for those who build their own.
//!
//! Objects in memory trust everyone who can write the page: a hostile writer can make a lock useless, and, since the C library keeps its list
//! of held locks there, worse. Share them among programs of one trust; between others use messages.

mod barrier;
mod condvar;
mod event;
pub(crate) mod futex;
mod identity;
mod mutex;
mod native;
#[cfg_attr(
    not(all(target_env = "gnu", target_pointer_width = "64", any(target_arch = "x86_64", target_arch = "aarch64"))),
    path = "no_robust_list.rs"
)]
mod robust_list;
mod rwlock;
mod semaphore;
mod spinlock;
mod word;

pub use barrier::{Barrier, PARTIES};
pub use condvar::Condvar;
pub use event::Event;
pub use futex::{futex_requeue, futex_wait, futex_wake};
pub use mutex::{Mutex, MutexGuard, MutexKind};
pub use rwlock::{READERS, RwLock, RwLockGuard};
pub use semaphore::{
    PLACES, PosixSemaphore, PosixSemaphoreOptions, PosixSemaphoreStatus, Semaphore, SysvOperation, SysvSemaphores, SysvSemaphoresOptions,
    SysvSemaphoresStatus,
};
pub use spinlock::{Spinlock, SpinlockGuard};

/// How often someone who waits looks whether the one it waits for is dead, in nanoseconds.
const LOOK_FOR_DEAD: i64 = 100_000_000;

/// The longest sleep for something that another process must wake: a waker may be killed, or stopped, just before it rings.
const LONGEST_SLEEP: i64 = 500_000_000;
