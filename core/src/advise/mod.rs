//! What each mechanism is like, and whether this machine has it.
//!
//! A program that chooses between mechanisms asks three questions: can the two processes share it (are they related, do they need a name, are
//! they on one machine), does it carry what they say (bytes or messages, how large, to how many), and what is left when one of them dies.
//! [`MECHANISMS`] answers them in one table. [`Mechanism::probe`] tries the mechanism for real, in this process, and leaves nothing behind: a
//! version number of the kernel says nothing about a sandbox that refuses the call.

mod memory;
mod probe;

use std::fmt;

/// The five shapes that a mechanism can have.
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
}

impl Shape {
    /// One word for it.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Stream => "stream",
            Shape::Message => "message",
            Shape::Memory => "memory",
            Shape::Sync => "sync",
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
        MECHANISMS.iter().find(|mechanism| mechanism.name == name)
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

/// Every mechanism that this library has.
pub static MECHANISMS: &[Mechanism] = &[
    Mechanism {
        name: "pipe",
        title: "anonymous pipe",
        shape: Shape::Stream,
        relatedness: "related, or a descriptor handed over",
        naming: "none: inherited descriptors",
        boundaries: "none; a write of up to 4096 bytes stays whole",
        direction: "one way",
        parties: "any number of each; every byte to one reader",
        priority: "no",
        pollable: "yes",
        descriptors: "no",
        credentials: "no",
        persistence: "until the last end is closed",
        zero_copy: "splice, between descriptors",
        size_limit: "64 KiB in flight, settable up to the system's limit",
        cross_machine: "no",
        synchronisation: "full blocks the writer, empty the reader",
        complexity: "low: close the ends that are not used",
        try_here: probe::pipe,
    },
    Mechanism {
        name: "fifo",
        title: "FIFO",
        shape: Shape::Stream,
        relatedness: "any, one machine",
        naming: "a path",
        boundaries: "none; a write of up to 4096 bytes stays whole",
        direction: "one way; two for a conversation",
        parties: "any number of each; every byte to one reader",
        priority: "no",
        pollable: "yes",
        descriptors: "no",
        credentials: "no; permissions of the path",
        persistence: "the path until unlinked, the bytes until the last end is closed",
        zero_copy: "splice, between descriptors",
        size_limit: "64 KiB in flight, settable up to the system's limit",
        cross_machine: "no",
        synchronisation: "opening waits for the other side; then as a pipe",
        complexity: "low to medium: the end comes between two clients",
        try_here: probe::fifo,
    },
    Mechanism {
        name: "unix",
        title: "Unix stream socket at a path",
        shape: Shape::Stream,
        relatedness: "any, one machine",
        naming: "a path of at most 107 bytes",
        boundaries: "none; frame the messages",
        direction: "two ways",
        parties: "a server and any number of clients, a connection each",
        priority: "no",
        pollable: "yes",
        descriptors: "yes",
        credentials: "pid, uid, gid, and a pidfd since Linux 6.5",
        persistence: "the path until unlinked, the connection until closed",
        zero_copy: "splice, sendfile",
        size_limit: "socket buffers, about 200 KiB in flight",
        cross_machine: "no",
        synchronisation: "full blocks the writer, empty the reader",
        complexity: "medium",
        try_here: probe::unix,
    },
    Mechanism {
        name: "unix-abstract",
        title: "Unix stream socket with an abstract name",
        shape: Shape::Stream,
        relatedness: "any in one network namespace",
        naming: "@ and at most 107 bytes; no file",
        boundaries: "none; frame the messages",
        direction: "two ways",
        parties: "a server and any number of clients, a connection each",
        priority: "no",
        pollable: "yes",
        descriptors: "yes",
        credentials: "pid, uid, gid, and a pidfd since Linux 6.5; no permissions on the name",
        persistence: "the name until the listener is closed",
        zero_copy: "splice, sendfile",
        size_limit: "socket buffers, about 200 KiB in flight",
        cross_machine: "no",
        synchronisation: "full blocks the writer, empty the reader",
        complexity: "medium: anyone may take the name, so check who is there",
        try_here: probe::unix_abstract,
    },
    Mechanism {
        name: "unix-pair",
        title: "pair of connected Unix sockets",
        shape: Shape::Stream,
        relatedness: "related, or a descriptor handed over",
        naming: "none: inherited descriptors",
        boundaries: "none; frame the messages",
        direction: "two ways",
        parties: "two ends",
        priority: "no",
        pollable: "yes",
        descriptors: "yes",
        credentials: "of whoever made the pair",
        persistence: "until both ends are closed",
        zero_copy: "splice, sendfile",
        size_limit: "socket buffers, about 200 KiB in flight",
        cross_machine: "no",
        synchronisation: "full blocks the writer, empty the reader",
        complexity: "low",
        try_here: probe::unix_pair,
    },
    Mechanism {
        name: "tcp4",
        title: "TCP over IPv4",
        shape: Shape::Stream,
        relatedness: "any, any machine",
        naming: "an address or name, and a port",
        boundaries: "none; frame the messages",
        direction: "two ways",
        parties: "a server and any number of clients, a connection each",
        priority: "no",
        pollable: "yes",
        descriptors: "no",
        credentials: "no: authenticate yourself",
        persistence: "the connection until closed",
        zero_copy: "splice, sendfile",
        size_limit: "socket buffers, grown by the system",
        cross_machine: "yes",
        synchronisation: "full blocks the writer, empty the reader",
        complexity: "medium to high: names, half-open connections, strangers",
        try_here: probe::tcp4,
    },
    Mechanism {
        name: "tcp6",
        title: "TCP over IPv6",
        shape: Shape::Stream,
        relatedness: "any, any machine",
        naming: "an address or name, and a port",
        boundaries: "none; frame the messages",
        direction: "two ways",
        parties: "a server and any number of clients, a connection each",
        priority: "no",
        pollable: "yes",
        descriptors: "no",
        credentials: "no: authenticate yourself",
        persistence: "the connection until closed",
        zero_copy: "splice, sendfile",
        size_limit: "socket buffers, grown by the system",
        cross_machine: "yes",
        synchronisation: "full blocks the writer, empty the reader",
        complexity: "medium to high: names, half-open connections, strangers",
        try_here: probe::tcp6,
    },
    Mechanism {
        name: "framed",
        title: "messages framed on a stream",
        shape: Shape::Message,
        relatedness: "as the stream below",
        naming: "as the stream below",
        boundaries: "kept: a length before each message",
        direction: "as the stream below",
        parties: "one at each end",
        priority: "no",
        pollable: "yes",
        descriptors: "no",
        credentials: "as the stream below",
        persistence: "as the stream below",
        zero_copy: "no",
        size_limit: "settable, 16 MiB at first, 4 GiB at most",
        cross_machine: "as the stream below",
        synchronisation: "as the stream below",
        complexity: "low",
        try_here: probe::unix_pair,
    },
    Mechanism {
        name: "mq",
        title: "POSIX message queue",
        shape: Shape::Message,
        relatedness: "any, one machine",
        naming: "a name of at most 255 bytes",
        boundaries: "kept",
        direction: "every way; one way by convention",
        parties: "any number of each; every message to one receiver",
        priority: "yes: 0 to 32767, the highest first",
        pollable: "yes",
        descriptors: "no",
        credentials: "no; permissions of the queue",
        persistence: "until unlinked, or the machine restarts; messages outlive their senders",
        zero_copy: "no",
        size_limit: "10 messages of 8 KiB, more with privilege",
        cross_machine: "no",
        synchronisation: "full blocks the sender, empty the receiver; a signal on arrival",
        complexity: "low",
        try_here: probe::mq,
    },
    Mechanism {
        name: "sysv-queue",
        title: "System V message queue",
        shape: Shape::Message,
        relatedness: "any, one machine",
        naming: "a number, made of a path; or none",
        boundaries: "kept",
        direction: "every way; by types in one queue",
        parties: "any number of each; every message to one receiver",
        priority: "by type: the lowest first, if the receiver asks so",
        pollable: "no",
        descriptors: "no",
        credentials: "permissions of the queue; the last sender's pid",
        persistence: "until removed, or the machine restarts; messages outlive their senders",
        zero_copy: "no",
        size_limit: "messages of 8 KiB, 16 KiB in the queue, more with privilege",
        cross_machine: "no",
        synchronisation: "full blocks the sender, empty the receiver; a wait with a limit is up to 10 ms late",
        complexity: "medium: nothing goes by itself, private queues neither",
        try_here: probe::sysv_queue,
    },
    Mechanism {
        name: "memory",
        title: "POSIX shared memory",
        shape: Shape::Memory,
        relatedness: "any, one machine",
        naming: "a name of at most 255 bytes",
        boundaries: "none: bytes at offsets",
        direction: "every way",
        parties: "any number of each",
        priority: "no",
        pollable: "no",
        descriptors: "no",
        credentials: "no; permissions of the object",
        persistence: "until unlinked and unmapped, or the machine restarts",
        zero_copy: "yes",
        size_limit: "/dev/shm, half of the machine's memory by default",
        cross_machine: "no",
        synchronisation: "none: add a mutex, a semaphore or atomics",
        complexity: "high: whoever writes may die or lie in the middle",
        try_here: probe::memory,
    },
    Mechanism {
        name: "anonymous",
        title: "anonymous shared memory",
        shape: Shape::Memory,
        relatedness: "related by fork",
        naming: "none: inherited",
        boundaries: "none: bytes at offsets",
        direction: "every way",
        parties: "any number of each",
        priority: "no",
        pollable: "no",
        descriptors: "no",
        credentials: "no",
        persistence: "until the last process unmaps it",
        zero_copy: "yes",
        size_limit: "the machine's memory",
        cross_machine: "no",
        synchronisation: "none: add a mutex, a semaphore or atomics",
        complexity: "medium: nothing to name and nothing to clean up",
        try_here: probe::anonymous,
    },
    memory::FILE,
    memory::MEMFD,
    memory::SYSV,
    Mechanism {
        name: "mutex",
        title: "robust mutex in shared memory",
        shape: Shape::Sync,
        relatedness: "any that share the memory, one pid namespace",
        naming: "a place in shared memory",
        boundaries: "does not apply",
        direction: "does not apply",
        parties: "one holder, any number that wait",
        priority: "no",
        pollable: "no",
        descriptors: "no",
        credentials: "no; trusts who can write the page",
        persistence: "as the memory it lies in",
        zero_copy: "does not apply",
        size_limit: "128 bytes each",
        cross_machine: "no",
        synchronisation: "exclusion; a holder's death is told to the next",
        complexity: "medium: repair what a dead holder left",
        try_here: probe::mutex,
    },
    Mechanism {
        name: "semaphore",
        title: "semaphore in shared memory",
        shape: Shape::Sync,
        relatedness: "any that share the memory",
        naming: "a place in shared memory",
        boundaries: "does not apply",
        direction: "does not apply",
        parties: "any number that wait and post",
        priority: "no",
        pollable: "no",
        descriptors: "no",
        credentials: "no; trusts who can write the page",
        persistence: "as the memory it lies in",
        zero_copy: "does not apply",
        size_limit: "512 bytes each; a count up to 2147483647",
        cross_machine: "no",
        synchronisation: "counting; a dead process keeps what it took",
        complexity: "medium",
        try_here: probe::semaphore,
    },
    Mechanism {
        name: "semaphore-recover",
        title: "semaphore in shared memory that gets back a dead holder's unit",
        shape: Shape::Sync,
        relatedness: "any that share the memory, one pid namespace",
        naming: "a place in shared memory",
        boundaries: "does not apply",
        direction: "does not apply",
        parties: "at most 56 holders, any number that wait",
        priority: "no",
        pollable: "no",
        descriptors: "no",
        credentials: "no; trusts who can write the page",
        persistence: "as the memory it lies in",
        zero_copy: "does not apply",
        size_limit: "512 bytes each; 56 units",
        cross_machine: "no",
        synchronisation: "counting; the units of the dead come back",
        complexity: "low: a pool that cannot leak",
        try_here: probe::semaphore_recover,
    },
    Mechanism {
        name: "posix-semaphore",
        title: "named POSIX semaphore",
        shape: Shape::Sync,
        relatedness: "any, one machine",
        naming: "a name of at most 251 bytes",
        boundaries: "does not apply",
        direction: "does not apply",
        parties: "any number that wait and post",
        priority: "no",
        pollable: "no",
        descriptors: "no",
        credentials: "no; permissions of the object",
        persistence: "until unlinked, or the machine restarts",
        zero_copy: "does not apply",
        size_limit: "a count up to 2147483647",
        cross_machine: "no",
        synchronisation: "counting; a dead process keeps what it took",
        complexity: "medium: a killed holder's unit is lost",
        try_here: probe::posix_semaphore,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_characteristic_is_told() {
        for (index, mechanism) in MECHANISMS.iter().enumerate() {
            assert!(std::ptr::eq(Mechanism::find(mechanism.name).unwrap(), &MECHANISMS[index]), "{}", mechanism.name);
            for (characteristic, text) in mechanism.characteristics() {
                assert!(!text.is_empty(), "{} of {}", characteristic, mechanism.name);
            }
        }
        assert!(Mechanism::find("telepathy").is_none());
    }

    #[test]
    fn every_probe_answers_and_what_this_system_needs_to_run_tests_is_supported() {
        for mechanism in MECHANISMS {
            let availability = mechanism.probe();
            if mechanism.name != "tcp6" {
                assert_eq!(availability, Availability::Supported, "{}", mechanism.name);
            }
        }
    }
}
