//! Counting semaphores: at a place in the user's memory, by name, and in System V sets.

mod in_place;
mod posix;
mod sysv;
mod sysv_limits;

pub use in_place::{PLACES, Semaphore};
pub use posix::{PosixSemaphore, PosixSemaphoreOptions, PosixSemaphoreStatus};
pub use sysv::{SysvOperation, SysvSemaphores, SysvSemaphoresOptions, SysvSemaphoresStatus};

/// The largest value: `SEM_VALUE_MAX`.
const LARGEST_VALUE: u32 = i32::MAX as u32;
