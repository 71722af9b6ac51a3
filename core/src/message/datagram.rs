//! Unix datagram sockets: messages from anybody to one receiver, without a connection and, on one machine, without loss.
//!
//! A datagram socket has no end: a receiver is not told when its senders leave, and a sender learns that the receiver is gone by `ECONNREFUSED` or
//! `ENOENT` at its next message. A receiver that is slow makes senders wait (the kernel queues `net.unix.max_dgram_qlen` messages, 10 as a rule; a
//! connected pair as much as the sender's buffer holds).
//!
//! Who wants an answer needs an address of its own: a path, or `@` for an abstract name of the kernel's choice. The path of a dead receiver is
//! reclaimed, that of a live one never. Since the receiver sees the name that a socket was bound under, it is bound in its place, and the race with a
//! reclaimer is kept out by a lock of the directory.
//!
//! [unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html)

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::packet::{Address, Extras, Packets, Received};
use super::{MessageInfo, UdpSocket};
use crate::descriptor::close_on_exec;
use crate::error::{Context, Error, Failure, Result};
use crate::name::{self, OwnedName};
use crate::socket::place::{Place, bind, bind_anywhere};
use crate::socket::{self, address, connecting, connecting::UnixConnectOptions};
use crate::wait::{Deadline, Wait};

const OPEN: &str = "open Unix datagram socket";
const SEND: &str = "send datagram";
const RECEIVE: &str = "receive datagram";
const ADOPT: &str = "adopt datagram socket";

/// How a Unix datagram socket is made.
#[derive(Debug, Clone, Default)]
pub struct DatagramOptions {
    /// The permissions of the path, set whatever the umask says; 0 is 0600. To send there, one needs to write.
    pub mode: u32,
    /// The group of the path, by name or number.
    pub group: Option<String>,
    /// Tell with every message who sent it.
    pub credentials: bool,
    /// Give a pidfd of the sender with every message, where the kernel has that (Linux 6.5).
    pub pidfds: bool,
    /// Bytes of the sending buffer, which bound the largest message; 0 is the system's.
    pub send_buffer: usize,
}

impl DatagramOptions {
    fn extras(&self) -> Extras {
        Extras { credentials: self.credentials, pidfds: self.pidfds, send_buffer: self.send_buffer, receive_buffer: 0 }
    }
}

/// A Unix datagram socket.
///
/// It costs one descriptor. `fork` hands it on; each message goes to one of several receivers. Dropping it removes the path that it was bound to, if
/// that still is its own, and not in a child.
#[derive(Debug)]
pub struct UnixDatagram {
    /// Dropped first, see the listener.
    path: Option<OwnedName>,
    packets: Packets,
}

impl UnixDatagram {
    /// Receives at a path, at an abstract name that begins with `@`, or at `@` alone: a name of the kernel's choice, which
    /// [`address`](UnixDatagram::address) tells.
    ///
    /// Errors: `ENAMETOOLONG` above [`LONGEST_PATH`](crate::stream::LONGEST_PATH), counted from the root; `EADDRINUSE` if somebody receives or listens
    /// there; [`Failure::WrongKind`] if there is anything but a socket at the path; `ENOENT` without the directory; `EACCES` also for a directory that
    /// may not be read; `EBUSY` if others keep the directory locked for 2 s.
    pub fn open(path: &str, options: &DatagramOptions) -> Result<UnixDatagram> {
        let mode = name::permissions(OPEN, options.mode)?;
        let group = options.group.as_deref().map(|group| name::group(OPEN, group)).transpose()?;
        let mut datagram = UnixDatagram::unnamed(options)?;
        if path == "@" {
            bind_anywhere(datagram.as_fd()).during_on(OPEN, path)?;
            return Ok(datagram);
        }
        address::check_path(OPEN, path)?;
        if path.starts_with('@') {
            bind(datagram.as_fd(), path).during_on(OPEN, path)?;
        } else {
            datagram.path = Some(Place::of(OPEN, path)?.bind_here(datagram.as_fd(), path, mode, group)?);
        }
        Ok(datagram)
    }

    /// A socket without an address, which only sends. (With credentials, the kernel gives it an abstract name when it sends.)
    pub fn unnamed(options: &DatagramOptions) -> Result<UnixDatagram> {
        let socket = socket::create(libc::AF_UNIX, libc::SOCK_DGRAM).during(OPEN)?;
        Ok(UnixDatagram { path: None, packets: Packets::new(OPEN, socket, false, &options.extras())? })
    }

    /// Two sockets that send to each other, for a process and the child that it forks.
    pub fn pair(options: &DatagramOptions) -> Result<(UnixDatagram, UnixDatagram)> {
        const OPERATION: &str = "create pair of datagram sockets";
        let (first, second) = socket::pair(libc::SOCK_DGRAM).during(OPERATION)?;
        let of = |socket| Ok(UnixDatagram { path: None, packets: Packets::new(OPERATION, socket, false, &options.extras())? });
        Ok((of(first)?, of(second)?))
    }

    /// Gives the socket its receiver: from now on `send` goes there, and only what comes from there is received.
    ///
    /// Errors: `ENOENT`; `ECONNREFUSED` if nobody receives there; [`Failure::WrongKind`], `ELOOP` for what is no socket; `EPROTOTYPE` for a socket of another
    /// type; `EPERM` if the path is another user's (an abstract name has no owner: ask for credentials), or the receiver is connected to somebody else;
    /// `EAGAIN`, `ETIMEDOUT`, `ECANCELED` while it is waited for.
    pub fn connect<'a>(&self, path: &str, options: &UnixConnectOptions, wait: impl Into<Wait<'a>>) -> Result<()> {
        connecting::direct(self.as_fd(), path, options, &mut Deadline::new("connect Unix datagram socket", wait))
    }

    /// Sends to the receiver that the socket is connected to.
    ///
    /// Errors: `ENOTCONN`; `ECONNREFUSED` if it is gone: connect again; `EMSGSIZE` if the message is larger than the buffer; `EAGAIN`, `ETIMEDOUT`,
    /// `ECANCELED` while its queue is full (see [`Wait`]).
    pub fn send<'a>(&self, data: &[u8], wait: impl Into<Wait<'a>>) -> Result<()> {
        self.packets.send(SEND, None, data, &[], wait.into())
    }

    /// Sends to an address: a path, or an abstract name that begins with `@`. Whose it is is not looked at. Errors as [`connect`](UnixDatagram::connect)
    /// and [`send`](UnixDatagram::send).
    pub fn send_to<'a>(&self, path: &str, data: &[u8], wait: impl Into<Wait<'a>>) -> Result<()> {
        self.send_descriptors(Some(path), data, &[], wait)
    }

    /// Sends a message with descriptors, to an address or to the receiver that the socket is connected to, whole or not at all. `EINVAL` above
    /// [`MOST_DESCRIPTORS`](super::MOST_DESCRIPTORS).
    pub fn send_descriptors<'a>(
        &self,
        path: Option<&str>,
        data: &[u8],
        descriptors: &[BorrowedFd<'_>],
        wait: impl Into<Wait<'a>>,
    ) -> Result<()> {
        let address = path.map(|path| Address::of_unix(SEND, path)).transpose()?;
        let sent = self.packets.send(SEND, address.as_ref(), data, descriptors, wait.into());
        sent.map_err(|error| path.map_or(error.clone(), |path| error.on(path)))
    }

    /// Receives a message. Descriptors that come with it are closed.
    ///
    /// Errors: `EMSGSIZE` if it did not fit: it is lost, and [`Error::transferred`] tells its size; `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]).
    pub fn receive<'a>(&self, buffer: &mut [u8], wait: impl Into<Wait<'a>>) -> Result<MessageInfo> {
        Ok(self.packets.receive(RECEIVE, buffer, 0, false, wait.into())?.info)
    }

    /// Receives a message, and the address of its sender: empty if that has none.
    pub fn receive_from<'a>(&self, buffer: &mut [u8], wait: impl Into<Wait<'a>>) -> Result<(MessageInfo, String)> {
        let received = self.packets.receive(RECEIVE, buffer, 0, true, wait.into())?;
        Ok((received.info, received.address))
    }

    /// Receives a message and up to `maximum` descriptors. More than that is `EPROTO`, and `EMFILE` if this process has no room for them: the message
    /// is lost then, and all that came with it is closed.
    pub fn receive_descriptors<'a>(&self, buffer: &mut [u8], maximum: usize, wait: impl Into<Wait<'a>>) -> Result<Received> {
        self.packets.receive(RECEIVE, buffer, maximum, true, wait.into())
    }

    /// The size of the next message, which stays.
    pub fn next_size<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<usize> {
        self.packets.next_size(RECEIVE, wait.into())
    }

    /// Where it receives: `/path`, `@name`, or empty.
    pub fn address(&self) -> Result<String> {
        address::text("get address of datagram socket", self.as_fd(), libc::getsockname)
    }
}

impl AsFd for UnixDatagram {
    /// Readable while there is a message.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.packets.as_fd()
    }
}

impl From<UnixDatagram> for OwnedFd {
    /// The path stays.
    fn from(datagram: UnixDatagram) -> OwnedFd {
        if let Some(name) = datagram.path {
            name.keep();
        }
        datagram.packets.into_descriptor()
    }
}

/// A datagram socket of either family.
#[derive(Debug)]
pub enum Datagram {
    /// On this machine.
    Unix(UnixDatagram),
    /// On any.
    Udp(UdpSocket),
}

impl Datagram {
    /// Removes the path now, as dropping the socket does, and lets it be used on: for the end of a process, whose threads may still have it.
    pub fn remove_temporary(&self) {
        if let Datagram::Unix(UnixDatagram { path: Some(path), .. }) = self {
            path.remove();
        }
    }

    /// Takes over a datagram socket. What is refused is given back, with [`Failure::WrongKind`].
    pub fn adopt(descriptor: OwnedFd, options: &DatagramOptions) -> std::result::Result<Datagram, (OwnedFd, Error)> {
        let looked_at = socket::require(ADOPT, descriptor.as_fd(), libc::SOCK_DGRAM, false)
            .and_then(|()| close_on_exec(descriptor.as_fd()).during(ADOPT))
            .and_then(|()| socket::family(descriptor.as_fd()).during(ADOPT));
        match looked_at {
            Ok(libc::AF_UNIX) => Packets::adopt(ADOPT, descriptor, false, &options.extras())
                .map(|packets| Datagram::Unix(UnixDatagram { path: None, packets })),
            Ok(libc::AF_INET | libc::AF_INET6) => UdpSocket::adopt(descriptor).map(Datagram::Udp),
            Ok(_) => Err((descriptor, Error::failure(ADOPT, Failure::WrongKind).hint("it is neither Unix nor UDP"))),
            Err(error) => Err((descriptor, error)),
        }
    }

    /// Gives the socket its receiver: a path, an abstract name, or for UDP an address and port.
    pub fn connect<'a>(&self, address: &str, options: &UnixConnectOptions, wait: impl Into<Wait<'a>>) -> Result<()> {
        match self {
            Datagram::Unix(socket) => socket.connect(address, options, wait),
            Datagram::Udp(socket) => socket.connect(address),
        }
    }

    /// Sends to an address, or to the receiver that the socket is connected to.
    pub fn send<'a>(&self, address: Option<&str>, data: &[u8], wait: impl Into<Wait<'a>>) -> Result<()> {
        match (self, address) {
            (Datagram::Unix(socket), address) => socket.send_descriptors(address, data, &[], wait),
            (Datagram::Udp(socket), Some(address)) => socket.send_to(address, data, wait),
            (Datagram::Udp(socket), None) => socket.send(data, wait),
        }
    }

    /// Sends with descriptors. `EOPNOTSUPP` for UDP.
    pub fn send_descriptors<'a>(
        &self,
        address: Option<&str>,
        data: &[u8],
        descriptors: &[BorrowedFd<'_>],
        wait: impl Into<Wait<'a>>,
    ) -> Result<()> {
        match self {
            Datagram::Unix(socket) => socket.send_descriptors(address, data, descriptors, wait),
            Datagram::Udp(_) if !descriptors.is_empty() => Err(only_unix(SEND)),
            Datagram::Udp(_) => self.send(address, data, wait),
        }
    }

    /// Receives a message.
    pub fn receive<'a>(&self, buffer: &mut [u8], wait: impl Into<Wait<'a>>) -> Result<MessageInfo> {
        match self {
            Datagram::Unix(socket) => socket.receive(buffer, wait),
            Datagram::Udp(socket) => socket.receive(buffer, wait),
        }
    }

    /// Receives a message, the address of its sender, and up to `maximum` descriptors, which UDP never has.
    pub fn receive_descriptors<'a>(&self, buffer: &mut [u8], maximum: usize, wait: impl Into<Wait<'a>>) -> Result<Received> {
        self.receive_with(buffer, maximum, true, wait)
    }

    /// [`receive_descriptors`](Datagram::receive_descriptors), and the address only if it is wanted.
    pub fn receive_with<'a>(&self, buffer: &mut [u8], maximum: usize, wants_address: bool, wait: impl Into<Wait<'a>>) -> Result<Received> {
        let packets = match self {
            Datagram::Unix(socket) => &socket.packets,
            Datagram::Udp(socket) => socket.packets(),
        };
        packets.receive(RECEIVE, buffer, maximum, wants_address, wait.into())
    }

    /// The size of the next message, which stays.
    pub fn next_size<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<usize> {
        match self {
            Datagram::Unix(socket) => socket.next_size(wait),
            Datagram::Udp(socket) => socket.next_size(wait),
        }
    }

    /// Where it receives.
    pub fn address(&self) -> Result<String> {
        match self {
            Datagram::Unix(socket) => socket.address(),
            Datagram::Udp(socket) => socket.address(),
        }
    }

    /// The UDP socket, for what only that has: `EOPNOTSUPP` for a Unix socket.
    pub fn udp(&self) -> Result<&UdpSocket> {
        match self {
            Datagram::Udp(socket) => Ok(socket),
            Datagram::Unix(_) => Err(Error::os("use UDP socket", nix::errno::Errno::EOPNOTSUPP).hint("it is a Unix socket")),
        }
    }
}

#[cold]
fn only_unix(operation: &'static str) -> Error {
    Error::os(operation, nix::errno::Errno::EOPNOTSUPP).hint("only a Unix socket carries descriptors")
}

impl AsFd for Datagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Datagram::Unix(socket) => socket.as_fd(),
            Datagram::Udp(socket) => socket.as_fd(),
        }
    }
}

impl From<Datagram> for OwnedFd {
    /// The path of a Unix socket stays.
    fn from(datagram: Datagram) -> OwnedFd {
        match datagram {
            Datagram::Unix(socket) => socket.into(),
            Datagram::Udp(socket) => socket.into(),
        }
    }
}
