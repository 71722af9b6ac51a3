//! What the tests of this crate share.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod alone;
pub mod contained;
pub mod objects;
pub mod process;
pub mod queues;
pub mod shared;
pub mod stepper;
pub mod waits;
