//! Every way that processes on a machine talk to each other, in one vocabulary.
//!
//! | module | what it is |
//! |---|---|
//! | [`stream`] | bytes without boundaries: pipes, FIFOs, Unix and TCP sockets, and messages framed on them |
//! | [`message`] | messages, whose boundaries are kept |
//! | [`memory`] | the same pages in several processes |
//! | [`sync`] | waiting for each other: a mutex whose holder may die, semaphores |
//! | [`event`] | something happened: counters, timers, signals, the exit of a process |
//! | [`mod@file`] | files between processes: locks, contents replaced in one step, records appended and followed |
//! | [`process`] | children started with exactly the descriptors named, and pipelines of them |
//! | [`shared`] | what the structures in shared memory are made of |
//! | [`advise`] | what each mechanism is like, and whether this machine has it |
//! | [`error`] | what can go wrong, told so that the reader can act |
//! | [`wait`] | how long a call may wait, and how it is ended early |
//! | [`descriptor`] | descriptors taken over from elsewhere |
//! | [`name`] | names of objects, and their limits |
//!
//! The rules that every call keeps: a timeout that is one monotonic deadline ([`Wait`]); a [`Stop`] token that ends any wait from a signal
//! handler or a thread; interrupted system calls repeated; descriptors close-on-exec from birth; names checked and never shortened; objects
//! of strangers refused unless asked for; nothing acquired when a call fails.

pub mod advise;
pub mod descriptor;
pub mod error;
pub mod event;
pub mod file;
pub mod memory;
pub mod message;
pub mod name;
pub mod process;
pub mod shared;
mod socket;
pub mod stream;
pub mod sync;
mod sysv;
pub mod wait;

pub use error::{Error, Failure, Reason, Result};
pub use nix::errno::Errno;
pub use wait::{Stop, Timeout, Wait};

/// The Rust that the README shows.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
