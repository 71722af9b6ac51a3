//! What each mechanism is like, and whether this machine has it.
//!
//! A program that chooses between mechanisms asks three questions: can the two processes share it (are they related, do they need a name, are
//! they on one machine), does it carry what they say (bytes or messages, how large, to how many), and what is left when one of them dies.
//! [`mechanisms`] answers them in one table. [`Mechanism::probe`] tries the mechanism for real, in this process, and leaves nothing behind: a
//! version number of the kernel says nothing about a sandbox that refuses the call.

mod event;
mod file;
mod memory;
mod message;
mod probe;
mod stream;
mod sync;

use std::fmt;

/// The shapes that a mechanism can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shape {
    /// Bytes without boundaries.
    Stream,
    /// Boundaries kept.
    Message,
    /// The same pages.
    Memory,
    /// Waiting for each other.
    Sync,
    /// That something has happened.
    Event,
    /// Files as a meeting place.
    File,
}

impl Shape {
    /// One word for it.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Stream => "stream",
            Shape::Message => "message",
            Shape::Memory => "memory",
            Shape::Sync => "sync",
            Shape::Event => "event",
            Shape::File => "file",
        }
    }
}

/// Whether a mechanism works here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// The system does it.
    Supported,
    /// It works, by this other means.
    Emulated(String),
    /// It does not work, for this reason.
    Unavailable(String),
}

impl Availability {
    /// One word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Availability::Supported => "supported",
            Availability::Emulated(_) => "emulated",
            Availability::Unavailable(_) => "unavailable",
        }
    }

    /// How, or why not.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Availability::Supported => None,
            Availability::Emulated(how) => Some(how),
            Availability::Unavailable(why) => Some(why),
        }
    }
}

impl fmt::Display for Availability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())?;
        match self.detail() {
            Some(detail) => write!(formatter, " ({detail})"),
            None => Ok(()),
        }
    }
}

/// How many characteristics are told of each mechanism.
pub const CHARACTERISTICS: usize = 15;

/// One mechanism and what it is like.
#[derive(Debug)]
pub struct Mechanism {
    /// What commands call it: `unix`.
    pub name: &'static str,
    /// What people call it: `Unix stream socket`.
    pub title: &'static str,
    /// Which of the shapes it has.
    pub shape: Shape,
    /// Which processes can share it.
    pub relatedness: &'static str,
    /// How the other side finds it.
    pub naming: &'static str,
    /// Whether it keeps the boundaries of messages.
    pub boundaries: &'static str,
    /// Which way the data goes.
    pub direction: &'static str,
    /// How many may read and write.
    pub parties: &'static str,
    /// Whether something may overtake.
    pub priority: &'static str,
    /// Whether poll and epoll can wait for it.
    pub pollable: &'static str,
    /// Whether it can carry descriptors.
    pub descriptors: &'static str,
    /// Whether it says who the other side is.
    pub credentials: &'static str,
    /// How long it outlives its users.
    pub persistence: &'static str,
    /// Whether data can pass without a copy.
    pub zero_copy: &'static str,
    /// How much it holds.
    pub size_limit: &'static str,
    /// Whether it reaches another machine.
    pub cross_machine: &'static str,
    /// Whether it also makes one side wait for the other.
    pub synchronisation: &'static str,
    /// How much there is to get wrong.
    pub complexity: &'static str,
    try_here: fn() -> Availability,
}

impl Mechanism {
    /// The mechanism of that name.
    pub fn find(name: &str) -> Option<&'static Mechanism> {
        mechanisms().find(|mechanism| mechanism.name == name)
    }

    /// Tries the mechanism on this machine, now. It costs some system calls and leaves nothing behind.
    pub fn probe(&self) -> Availability {
        (self.try_here)()
    }

    /// The characteristics with their names, in the order of the fields.
    pub fn characteristics(&self) -> [(&'static str, &'static str); CHARACTERISTICS] {
        [
            ("relatedness", self.relatedness),
            ("naming", self.naming),
            ("boundaries", self.boundaries),
            ("direction", self.direction),
            ("readers and writers", self.parties),
            ("priority", self.priority),
            ("pollable", self.pollable),
            ("passes descriptors", self.descriptors),
            ("credentials", self.credentials),
            ("persistence", self.persistence),
            ("zero copy", self.zero_copy),
            ("size limit", self.size_limit),
            ("cross-machine", self.cross_machine),
            ("synchronisation", self.synchronisation),
            ("complexity", self.complexity),
        ]
    }
}

/// All of them, by their shapes.
static TABLES: &[&[Mechanism]] =
    &[stream::MECHANISMS, message::MECHANISMS, memory::MECHANISMS, sync::MECHANISMS, event::MECHANISMS, file::MECHANISMS];

/// Every mechanism that this library has, in the order of their shapes.
pub fn mechanisms() -> impl Iterator<Item = &'static Mechanism> {
    TABLES.iter().copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_characteristic_is_told() {
        for mechanism in mechanisms() {
            assert!(std::ptr::eq(Mechanism::find(mechanism.name).unwrap(), mechanism), "{}", mechanism.name);
            for (characteristic, text) in mechanism.characteristics() {
                assert!(!text.is_empty(), "{} of {}", characteristic, mechanism.name);
            }
        }
        assert!(Mechanism::find("telepathy").is_none());
    }

    #[test]
    fn every_probe_answers_and_what_every_linux_has_is_supported() {
        for mechanism in mechanisms() {
            let availability = mechanism.probe();
            if !["tcp6", "ring"].contains(&mechanism.name) {
                assert_eq!(availability, Availability::Supported, "{}", mechanism.name);
            }
        }
    }
}
