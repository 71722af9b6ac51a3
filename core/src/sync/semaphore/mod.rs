//! Counting semaphores: at a place in the user's memory, and by name.

mod in_place;
mod posix;

pub use in_place::{PLACES, Semaphore};
pub use posix::{PosixSemaphore, PosixSemaphoreOptions};

/// The largest value: `SEM_VALUE_MAX`.
const LARGEST_VALUE: u32 = i32::MAX as u32;
