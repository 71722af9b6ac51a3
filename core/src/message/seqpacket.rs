//! Unix SEQPACKET sockets: a connection as a stream has it, with the boundaries of messages.
//!
//! The end is told from an empty message, a message that does not fit is an error that tells its size, and a path is published, reclaimed and removed as
//! that of a stream listener. A peer that closes without having received everything is `ECONNRESET`, told after its own last message.
//!
//! The largest message is what the sender's buffer holds, some 200 KB unless [`SeqpacketOptions::send_buffer`] says more.
//!
//! [unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html)

use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;

use super::MessageInfo;
use super::packet::{Extras, Packets, Received};
use crate::descriptor::close_on_exec;
use crate::error::{Context, Error, Result, check};
use crate::socket::listening::{Listening, UnixListenOptions};
use crate::socket::{self, address, connecting, connecting::UnixConnectOptions, peer, peer::Credentials};
use crate::wait::{Deadline, Wait};

const SEND: &str = "send to seqpacket socket";
const RECEIVE: &str = "receive from seqpacket socket";
const ADOPT: &str = "adopt seqpacket socket";

/// What a seqpacket connection tells of its messages.
#[derive(Debug, Clone, Default)]
pub struct SeqpacketOptions {
    /// Tell with every message who sent it.
    pub credentials: bool,
    /// Give a pidfd of the sender with every message, where the kernel has that (Linux 6.5).
    pub pidfds: bool,
    /// Bytes of the sending buffer, which bound the largest message; 0 is the system's.
    pub send_buffer: usize,
}

impl SeqpacketOptions {
    fn extras(&self) -> Extras {
        Extras { credentials: self.credentials, pidfds: self.pidfds, send_buffer: self.send_buffer, receive_buffer: 0 }
    }
}

/// A seqpacket socket that listens. Dropping it removes the path that it published, if that still is its own, and not in a child.
#[derive(Debug)]
pub struct SeqpacketListener {
    listening: Listening,
    /// Connections are born with `SO_PASSCRED`: set after `accept`, it would miss what a client sends in between.
    tells: AtomicBool,
}

impl SeqpacketListener {
    /// Listens on a path, or on an abstract name that begins with `@`. Errors as [`UnixListener::open`](crate::stream::UnixListener::open).
    pub fn open(path: &str, options: &UnixListenOptions) -> Result<SeqpacketListener> {
        let listening = Listening::open("listen on seqpacket socket", libc::SOCK_SEQPACKET, path, options)?;
        Ok(SeqpacketListener { listening, tells: AtomicBool::new(true) })
    }

    /// Takes the next connection. Errors as [`UnixListener::accept`](crate::stream::UnixListener::accept).
    pub fn accept<'a>(&self, options: &SeqpacketOptions, wait: impl Into<Wait<'a>>) -> Result<Seqpacket> {
        const OPERATION: &str = "accept on seqpacket socket";
        let is_asked = options.credentials || options.pidfds;
        if is_asked && !self.tells.swap(true, Ordering::Relaxed) {
            pass_credentials(self.as_fd(), true).during(OPERATION)?;
        }
        let connection = Seqpacket::of(OPERATION, self.listening.accept(OPERATION, wait.into())?, options)?;
        if !options.credentials && self.tells.load(Ordering::Relaxed) {
            pass_credentials(connection.as_fd(), false).during(OPERATION)?;
        }
        Ok(connection)
    }

    /// Takes over a seqpacket socket that listens. What is refused is given back.
    pub fn adopt(descriptor: OwnedFd) -> std::result::Result<SeqpacketListener, (OwnedFd, Error)> {
        match require(descriptor.as_fd(), true) {
            Ok(()) => Ok(SeqpacketListener { listening: Listening::of_adopted(descriptor), tells: AtomicBool::new(false) }),
            Err(error) => Err((descriptor, error)),
        }
    }

    /// Removes the path now, as dropping the listener does, and lets it listen on: for the end of a process, whose threads may still have it.
    pub fn remove_temporary(&self) {
        self.listening.remove_path();
    }

    /// Where it listens: `/path` or `@name`.
    pub fn address(&self) -> Result<String> {
        self.listening.address()
    }
}

impl AsFd for SeqpacketListener {
    /// Readable while there is a connection to accept.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listening.as_fd()
    }
}

impl From<SeqpacketListener> for OwnedFd {
    /// The path stays.
    fn from(listener: SeqpacketListener) -> OwnedFd {
        if listener.tells.into_inner() {
            let _ = pass_credentials(listener.listening.as_fd(), false);
        }
        listener.listening.into_descriptor()
    }
}

/// A connection that carries messages, both ways.
///
/// It costs one descriptor. `fork` hands it on; several processes may send and receive, each message goes to one.
#[derive(Debug)]
pub struct Seqpacket {
    packets: Packets,
    /// The path that we connected to.
    peer: Option<Box<str>>,
}

impl Seqpacket {
    fn of(operation: &'static str, descriptor: OwnedFd, options: &SeqpacketOptions) -> Result<Seqpacket> {
        Ok(Seqpacket { packets: Packets::new(operation, descriptor, true, &options.extras())?, peer: None })
    }

    /// Connects to a path, or to an abstract name that begins with `@`. Errors as [`UnixStream::connect`](crate::stream::UnixStream::connect);
    /// `EPROTOTYPE` if the socket there is of another type.
    pub fn connect<'a>(
        path: &str,
        connect: &UnixConnectOptions,
        options: &SeqpacketOptions,
        wait: impl Into<Wait<'a>>,
    ) -> Result<Seqpacket> {
        const OPERATION: &str = "connect to seqpacket socket";
        let mut deadline = Deadline::new(OPERATION, wait);
        let socket = connecting::connect(libc::SOCK_SEQPACKET, path, connect, &mut deadline)?;
        Ok(Seqpacket { peer: Some(path.into()), ..Seqpacket::of(OPERATION, socket, options)? })
    }

    /// Two connected ends, for a process and the child that it forks.
    pub fn pair(options: &SeqpacketOptions) -> Result<(Seqpacket, Seqpacket)> {
        const OPERATION: &str = "create pair of seqpacket sockets";
        let (first, second) = socket::pair(libc::SOCK_SEQPACKET).during(OPERATION)?;
        Ok((Seqpacket::of(OPERATION, first, options)?, Seqpacket::of(OPERATION, second, options)?))
    }

    /// Takes over a connected seqpacket socket. What is refused is given back. `SO_TIMESTAMPNS` is set on it: see the module.
    pub fn adopt(descriptor: OwnedFd, options: &SeqpacketOptions) -> std::result::Result<Seqpacket, (OwnedFd, Error)> {
        if let Err(error) = require(descriptor.as_fd(), false) {
            return Err((descriptor, error));
        }
        Packets::adopt(ADOPT, descriptor, true, &options.extras()).map(|packets| Seqpacket { packets, peer: None })
    }

    /// Sends a message, an empty one too, whole or not at all.
    ///
    /// Errors: `EPIPE`, `ECONNRESET` if nobody receives any more; `EMSGSIZE` if it is larger than the buffer; `EAGAIN`, `ETIMEDOUT`, `ECANCELED`
    /// while the peer's queue is full (see [`Wait`]).
    pub fn send<'a>(&self, data: &[u8], wait: impl Into<Wait<'a>>) -> Result<()> {
        self.packets.send(SEND, None, data, &[], wait.into())
    }

    /// Sends a message with descriptors, whole or not at all. `EINVAL` above [`MOST_DESCRIPTORS`](super::MOST_DESCRIPTORS).
    pub fn send_descriptors<'a>(&self, data: &[u8], descriptors: &[BorrowedFd<'_>], wait: impl Into<Wait<'a>>) -> Result<()> {
        self.packets.send(SEND, None, data, descriptors, wait.into())
    }

    /// Receives a message. Descriptors that come with it are closed.
    ///
    /// Errors: [`Failure::End`](crate::Failure::End); `EMSGSIZE` if it did not fit: it is lost, and [`Error::transferred`] tells its size; `ECONNRESET` in place of the end
    /// if the peer has not received everything; `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]).
    pub fn receive<'a>(&self, buffer: &mut [u8], wait: impl Into<Wait<'a>>) -> Result<MessageInfo> {
        Ok(self.receive_descriptors(buffer, 0, wait)?.info)
    }

    /// Receives a message and up to `maximum` descriptors. More than that is `EPROTO`, and `EMFILE` if this process has no room for them: the message
    /// is lost then, and all that came with it is closed.
    pub fn receive_descriptors<'a>(&self, buffer: &mut [u8], maximum: usize, wait: impl Into<Wait<'a>>) -> Result<Received> {
        self.packets.receive(RECEIVE, buffer, maximum, false, wait.into())
    }

    /// The size of the next message, which stays.
    pub fn next_size<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<usize> {
        self.packets.next_size(RECEIVE, wait.into())
    }

    /// Ends one direction or both.
    pub fn shutdown(&self, how: Shutdown) -> Result<()> {
        let how = match how {
            Shutdown::Read => libc::SHUT_RD,
            Shutdown::Write => libc::SHUT_WR,
            Shutdown::Both => libc::SHUT_RDWR,
        };
        // SAFETY: shutdown takes integers.
        check(unsafe { libc::shutdown(self.as_fd().as_raw_fd(), how) }).during("shut seqpacket socket down")?;
        Ok(())
    }

    /// Who is at the other end, as the kernel noted it when the connection was made.
    pub fn peer_credentials(&self) -> Result<Credentials> {
        peer::credentials(self.as_fd())
    }

    /// A pidfd of the process at the other end. [`Failure::Unavailable`](crate::Failure::Unavailable) before Linux 6.5.
    pub fn peer_pidfd(&self) -> Result<OwnedFd> {
        peer::pidfd(self.as_fd())
    }

    /// The supplementary groups of the process at the other end.
    pub fn peer_groups(&self) -> Result<Vec<u32>> {
        peer::groups(self.as_fd())
    }

    /// What the security module calls the process at the other end. [`Failure::Unavailable`](crate::Failure::Unavailable) without one.
    pub fn peer_label(&self) -> Result<String> {
        peer::label(self.as_fd())
    }

    /// The address of the other end: `/path`, `@name`, or empty.
    pub fn peer_address(&self) -> Result<String> {
        let known = address::text("get address of peer", self.as_fd(), libc::getpeername)?;
        Ok(self.peer.as_deref().map_or(known, str::to_owned))
    }
}

impl AsFd for Seqpacket {
    /// Readable while there is a message, or the end.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.packets.as_fd()
    }
}

impl From<Seqpacket> for OwnedFd {
    fn from(socket: Seqpacket) -> OwnedFd {
        socket.packets.into_descriptor()
    }
}

fn pass_credentials(socket: BorrowedFd<'_>, is_wanted: bool) -> std::result::Result<(), Errno> {
    socket::set_option(socket, libc::SOL_SOCKET, libc::SO_PASSCRED, libc::c_int::from(is_wanted))
}

fn require(descriptor: BorrowedFd<'_>, listening: bool) -> Result<()> {
    socket::require(ADOPT, descriptor, libc::SOCK_SEQPACKET, listening)?;
    close_on_exec(descriptor).during(ADOPT)
}
