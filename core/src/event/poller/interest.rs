//! What a source is watched for, and what has happened to it.

use std::fmt;
use std::ops::BitOr;

/// What a source is watched for, and how often it is told. A hang-up and an error are told unasked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Interest(u32);

impl Interest {
    /// Nothing but hang-ups and errors.
    pub const NONE: Interest = Interest(0);
    /// There is something to read, to receive or to take, or a connection to accept; or the other side will write no more.
    pub const READABLE: Interest = Interest(1);
    /// There is room.
    pub const WRITABLE: Interest = Interest(2);
    /// There is urgent data, or something exceptional, as poll's `POLLPRI` says.
    pub const PRIORITY: Interest = Interest(4);
    /// Told when it *becomes* so, not as long as it is so. Whoever is told goes on until `EAGAIN`, or is not told again.
    pub const EDGE: Interest = Interest(16);
    /// Told once; [`Poller::modify`](super::Poller::modify) arms it again. So that of several threads one alone works on a source.
    pub const ONE_SHOT: Interest = Interest(32);

    const ALL: u32 = 1 | 2 | 4 | 16 | 32;

    /// The C ABI's form; `None` if it has other bits.
    pub fn from_bits(bits: u32) -> Option<Interest> {
        (bits & !Interest::ALL == 0).then_some(Interest(bits))
    }

    /// The C ABI's form.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether it has all that the other has.
    pub fn contains(self, other: Interest) -> bool {
        self.0 & other.0 == other.0
    }

    /// What may be told to who is interested in this.
    pub(super) fn told(self) -> u32 {
        self.0 & 7 | Ready::UNASKED
    }

    pub(super) fn to_epoll(self) -> u32 {
        const TABLE: [(Interest, i32); 5] = [
            (Interest::READABLE, libc::EPOLLIN | libc::EPOLLRDHUP),
            (Interest::WRITABLE, libc::EPOLLOUT),
            (Interest::PRIORITY, libc::EPOLLPRI),
            (Interest::EDGE, libc::EPOLLET),
            (Interest::ONE_SHOT, libc::EPOLLONESHOT),
        ];
        TABLE.iter().filter(|(interest, _)| self.contains(*interest)).fold(0, |bits, (_, flag)| bits | *flag as u32)
    }
}

impl BitOr for Interest {
    type Output = Interest;

    fn bitor(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(u32, &str); 5] = [(1, "READABLE"), (2, "WRITABLE"), (4, "PRIORITY"), (16, "EDGE"), (32, "ONE_SHOT")];
        write_bits(formatter, "Interest", self.0, &NAMES)
    }
}

/// What has happened to a source.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Ready(u32);

impl Ready {
    /// Nothing.
    pub const NOTHING: Ready = Ready(0);
    /// See [`Interest::READABLE`].
    pub const READABLE: Ready = Ready(1);
    /// See [`Interest::WRITABLE`].
    pub const WRITABLE: Ready = Ready(2);
    /// See [`Interest::PRIORITY`].
    pub const PRIORITY: Ready = Ready(4);
    /// The other side has gone. What it has written before can still be read.
    pub const HANG_UP: Ready = Ready(64);
    /// The other side of a socket will write no more.
    pub const PEER_CLOSED: Ready = Ready(128);
    /// Something is wrong with it; the next call on it says what. A pipe's writing end says so when there is no reader.
    pub const ERROR: Ready = Ready(256);
    /// Nothing has happened to a source: [`Poller::wake`](super::Poller::wake) was called.
    pub const WOKEN: Ready = Ready(512);

    const UNASKED: u32 = 64 | 128 | 256;

    /// The C ABI's form.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether it has all that the other has.
    pub fn contains(self, other: Ready) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether a call that reads, receives or accepts is worth while: something is there, or the end, or an error that it tells.
    pub fn is_readable(self) -> bool {
        self.0 & (1 | Ready::UNASKED) != 0
    }

    /// Whether a call that writes or sends is worth while: there is room, or an error that it tells.
    pub fn is_writable(self) -> bool {
        self.0 & (2 | 64 | 256) != 0
    }

    /// Whether the poller was woken.
    pub fn is_woken(self) -> bool {
        self.contains(Ready::WOKEN)
    }

    pub(super) fn masked(self, mask: u32) -> Ready {
        Ready(self.0 & mask)
    }

    /// All that a source may be ready for: a file.
    pub(super) fn always(interest: Interest) -> Ready {
        Ready(interest.bits() & 3)
    }

    pub(super) fn of_epoll(events: u32) -> Ready {
        const TABLE: [(i32, Ready); 6] = [
            (libc::EPOLLIN, Ready::READABLE),
            (libc::EPOLLOUT, Ready::WRITABLE),
            (libc::EPOLLPRI, Ready::PRIORITY),
            (libc::EPOLLHUP, Ready::HANG_UP),
            (libc::EPOLLRDHUP, Ready::PEER_CLOSED),
            (libc::EPOLLERR, Ready::ERROR),
        ];
        TABLE.iter().filter(|(flag, _)| events & *flag as u32 != 0).fold(Ready::NOTHING, |all, (_, ready)| all | *ready)
    }
}

impl BitOr for Ready {
    type Output = Ready;

    fn bitor(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(u32, &str); 7] =
            [(1, "READABLE"), (2, "WRITABLE"), (4, "PRIORITY"), (64, "HANG_UP"), (128, "PEER_CLOSED"), (256, "ERROR"), (512, "WOKEN")];
        write_bits(formatter, "Ready", self.0, &NAMES)
    }
}

fn write_bits(formatter: &mut fmt::Formatter<'_>, what: &str, bits: u32, names: &[(u32, &str)]) -> fmt::Result {
    let set: Vec<&str> = names.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect();
    write!(formatter, "{what}({})", set.join(" | "))
}
