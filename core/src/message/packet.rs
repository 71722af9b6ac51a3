//! What all sockets that keep boundaries share: one message in, one message out, or nothing.
//!
//! The kernel hands over as much of a message as there is room for and throws the rest away; here that is an error that tells the size, never a message
//! that looks whole. To have the room in time, [`next_size`](Packets::next_size) looks at the message without taking it.
//!
//! On a connection the end reads as zero bytes, and so does an empty message. What tells them apart is control data: with `SO_TIMESTAMPNS` the kernel
//! puts a time beside every message, and none beside the end. (`MSG_EOR` is not set by Linux; poll says "hung up" also while messages still
//! wait; `SO_PASSCRED` would do, but gives the socket an abstract name as soon as it sends.) Who has no room for the time is told that some was cut
//! off, which is enough, and cheaper.
//!
//! `send` and `recv` take 0.1 to 0.2 µs less than `sendmsg` and `recvmsg`, so what is nothing but bytes goes by them.
//!
//! A receiver whose queue is full makes the sender wait. Poll on the sender's socket only knows of its own room and of the one that it is connected to,
//! and says no if either has none; so for a message to an address a helper socket is connected there and polled.
//!
//! [recvmsg(2)](https://man7.org/linux/man-pages/man2/recvmsg.2.html), [unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html),
//! [socket(7)](https://man7.org/linux/man-pages/man7/socket.7.html)

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;

use super::MessageInfo;
use crate::error::{Context, Error, Failure, Result, check};
use crate::socket::control::{self, Arrived, SO_PASSPIDFD, Wanted};
use crate::socket::{self, address};
use crate::wait::{Deadline, Wait, is_ready};

/// How long a sender whose own buffer is full sleeps before it looks again, in nanoseconds.
const LONGEST_SLEEP: i64 = 10_000_000;

/// A message with all that came beside its bytes.
#[derive(Debug)]
pub struct Received {
    /// Its size, and who sent it if credentials were asked for.
    pub info: MessageInfo,
    /// The descriptors that came with it, close-on-exec and the receiver's.
    pub descriptors: Vec<OwnedFd>,
    /// A pidfd of the sender, if pidfds were asked for and the kernel has them (Linux 6.5).
    pub sender_pidfd: Option<OwnedFd>,
    /// The address of the sender of a datagram: `/path`, `@name`, `127.0.0.1:80`; empty for one without, and on a connection.
    pub address: String,
}

/// An address in the kernel's form.
pub(crate) struct Address {
    storage: libc::sockaddr_storage,
    length: libc::socklen_t,
}

impl Address {
    /// A path or an abstract name.
    pub(crate) fn of_unix(operation: &'static str, path: &str) -> Result<Address> {
        address::check_path(operation, path)?;
        let (own, length) = address::of_unix(path).during_on(operation, path)?;
        // SAFETY: zero bytes are a valid address of no family.
        let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        // SAFETY: the storage is large enough and aligned for every address.
        unsafe { (&raw mut storage).cast::<libc::sockaddr_un>().write(own) };
        Ok(Address { storage, length })
    }

    /// An address and port.
    pub(crate) fn of_inet(address: std::net::SocketAddr) -> Address {
        let address = socket2::SockAddr::from(address);
        // SAFETY: zero bytes are a valid address of no family.
        let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        // SAFETY: the address is valid for reads of its length, which no address has more of than the storage.
        unsafe { (&raw mut storage).cast::<u8>().copy_from_nonoverlapping(address.as_ptr().cast(), address.len() as usize) };
        Address { storage, length: address.len() }
    }

    fn family(&self) -> libc::c_int {
        self.storage.ss_family.into()
    }
}

/// What is asked of every message of a socket.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Extras {
    pub(crate) credentials: bool,
    pub(crate) pidfds: bool,
    pub(crate) send_buffer: usize,
    pub(crate) receive_buffer: usize,
}

/// A socket that keeps the boundaries of messages.
#[derive(Debug)]
pub(crate) struct Packets {
    socket: OwnedFd,
    /// Whether it is a connection, which has an end.
    has_end: bool,
    /// Whether the kernel puts a time beside every message.
    is_timed: bool,
    credentials: bool,
    pidfds: bool,
    /// The peer has closed without reading everything: told after its last message.
    was_reset: AtomicBool,
}

impl Packets {
    pub(crate) fn new(operation: &'static str, socket: OwnedFd, has_end: bool, extras: &Extras) -> Result<Packets> {
        Packets::adopt(operation, socket, has_end, extras).map_err(|(_, error)| error)
    }

    /// Takes over a socket of the right type; gives back one that does not take the options.
    pub(crate) fn adopt(
        operation: &'static str,
        socket: OwnedFd,
        has_end: bool,
        extras: &Extras,
    ) -> std::result::Result<Packets, (OwnedFd, Error)> {
        match Packets::set_up(operation, socket.as_fd(), has_end, extras) {
            Ok((is_timed, pidfds)) => {
                let was_reset = AtomicBool::new(false);
                Ok(Packets { socket, has_end, is_timed, credentials: extras.credentials, pidfds, was_reset })
            }
            Err(error) => Err((socket, error)),
        }
    }

    /// Sets the options; whether messages are timed, and bring pidfds.
    fn set_up(operation: &'static str, socket: BorrowedFd<'_>, has_end: bool, extras: &Extras) -> Result<(bool, bool)> {
        let set = |name, value: libc::c_int| socket::set_option(socket, libc::SOL_SOCKET, name, value);
        if extras.credentials {
            set(libc::SO_PASSCRED, 1).during(operation)?;
        }
        // A kernel before 6.5 has none, and then no message brings one.
        let pidfds = extras.pidfds && set(SO_PASSPIDFD, 1).is_ok();
        for (name, size) in [(libc::SO_SNDBUF, extras.send_buffer), (libc::SO_RCVBUF, extras.receive_buffer)] {
            if size != 0 {
                // The kernel doubles it for its own needs.
                set(name, libc::c_int::try_from(size).unwrap_or(libc::c_int::MAX)).during(operation)?;
            }
        }
        let is_timed = has_end && set(libc::SO_TIMESTAMPNS, 1).is_ok();
        Ok((is_timed, pidfds))
    }

    pub(crate) fn into_descriptor(self) -> OwnedFd {
        self.socket
    }

    /// Sends a message whole, or not at all.
    pub(crate) fn send(
        &self,
        operation: &'static str,
        to: Option<&Address>,
        data: &[u8],
        descriptors: &[BorrowedFd<'_>],
        wait: Wait<'_>,
    ) -> Result<()> {
        control::check_count(operation, descriptors.len())?;
        let mut deadline = Deadline::new(operation, wait);
        let flags = if deadline.is_plain() { 0 } else { libc::MSG_DONTWAIT };
        let address = to.map(|to| (&to.storage, to.length));
        let is_bytes = to.is_none() && descriptors.is_empty();
        let mut was_ready = false;
        loop {
            let sent = if is_bytes {
                // SAFETY: the bytes are valid for reads.
                check(unsafe { libc::send(self.socket.as_raw_fd(), data.as_ptr().cast(), data.len(), flags | libc::MSG_NOSIGNAL) })
                    .map(drop)
            } else {
                control::send(self.socket.as_fd(), address, data, descriptors, flags).map(drop)
            };
            match sent {
                Ok(()) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => self.wait_for_room(to, &mut deadline, &mut was_ready)?,
                Err(errno) => return Err(self.explain(operation, errno, data.len())),
            }
        }
    }

    /// Sleeps until the socket is ready for `events`. `was_ready` is for the next sleep of the same call.
    ///
    /// An error that is queued for who reads such errors (`IP_RECVERR`) has poll return until it was read. It is not for us to take, so the call probes then.
    fn wait_for(&self, events: libc::c_short, deadline: &mut Deadline<'_>, was_ready: &mut bool) -> Result<()> {
        if *was_ready && self.has_errors_alone(events) {
            return deadline.pause();
        }
        *was_ready = true;
        deadline.ready(self.socket.as_fd(), events)
    }

    #[cold]
    fn has_errors_alone(&self, events: libc::c_short) -> bool {
        let mut polled = libc::pollfd { fd: self.socket.as_raw_fd(), events, revents: 0 };
        // SAFETY: one valid entry.
        let count = unsafe { libc::poll(&mut polled, 1, 0) };
        count == 1 && polled.revents & events == 0 && polled.revents & libc::POLLERR != 0
    }

    fn wait_for_room(&self, to: Option<&Address>, deadline: &mut Deadline<'_>, was_ready: &mut bool) -> Result<()> {
        let receiver = to.filter(|to| to.family() == libc::AF_UNIX && !deadline.never_waits());
        let Some(receiver) = receiver else {
            return self.wait_for(libc::POLLOUT, deadline, was_ready);
        };
        if self.has_full_buffer() {
            // Connected to a receiver that is full as well, the socket stays unready when it has room again.
            return deadline.ready_or(self.socket.as_fd(), libc::POLLOUT, LONGEST_SLEEP);
        }
        let helper = socket::create(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK).and_then(|helper| {
            // SAFETY: the address is valid for reads of its length.
            check(unsafe { libc::connect(helper.as_raw_fd(), (&raw const receiver.storage).cast(), receiver.length) })?;
            Ok(helper)
        });
        match helper {
            Ok(helper) => deadline.ready(helper.as_fd(), libc::POLLOUT),
            // It is gone, which the next attempt tells, or there is no descriptor left.
            Err(_) => deadline.pause(),
        }
    }

    /// Whether what was sent and is not received yet fills the socket's own buffer. What it is connected to does not count, as it does for poll.
    fn has_full_buffer(&self) -> bool {
        let mut unreceived: libc::c_int = 0;
        // SAFETY: the number is valid to write to.
        let asked = check(unsafe { libc::ioctl(self.socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut unreceived) });
        let room: libc::c_int = socket::option(self.socket.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF).unwrap_or(libc::c_int::MAX);
        // The kernel's count is larger by one.
        asked.is_ok() && unreceived.saturating_add(1) >= room
    }

    #[cold]
    fn explain(&self, operation: &'static str, errno: Errno, size: usize) -> Error {
        let error = Error::os(operation, errno);
        match errno {
            Errno::EMSGSIZE => {
                let room: libc::c_int = socket::option(self.socket.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF).unwrap_or(0);
                error.hint(format!("the message has {size} bytes, the socket's buffer {room}"))
            }
            Errno::ENOENT | Errno::ECONNREFUSED => error.hint("nobody receives there"),
            Errno::ETOOMANYREFS => error.hint("too many descriptors are on their way already"),
            _ => error,
        }
    }

    /// The size of the next message, which stays.
    pub(crate) fn next_size(&self, operation: &'static str, wait: Wait<'_>) -> Result<usize> {
        let wanted = Wanted { time: self.is_timed, ..Default::default() };
        Ok(self.take(&mut Deadline::new(operation, wait), &mut [], wanted, libc::MSG_PEEK)?.size)
    }

    /// Where there is no end, nothing beside the bytes is needed. Descriptors that come with them are closed by the kernel.
    fn take_bytes(&self, deadline: &mut Deadline<'_>, buffer: &mut [u8]) -> Result<usize> {
        let flags = libc::MSG_TRUNC | if deadline.is_plain() { 0 } else { libc::MSG_DONTWAIT };
        let mut was_ready = false;
        loop {
            // SAFETY: the buffer is valid for writes.
            match check(unsafe { libc::recv(self.socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), flags) }) {
                Ok(size) => return Ok(size as usize),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => self.wait_for(libc::POLLIN, deadline, &mut was_ready)?,
                Err(errno) => return Err(Error::os(deadline.operation(), errno)),
            }
        }
    }

    /// Receives a message with up to `maximum` descriptors.
    pub(crate) fn receive(
        &self,
        operation: &'static str,
        buffer: &mut [u8],
        maximum: usize,
        wants_address: bool,
        wait: Wait<'_>,
    ) -> Result<Received> {
        if maximum == 0 && !wants_address && !self.credentials && !self.pidfds {
            let mut deadline = Deadline::new(operation, wait);
            let size = match self.has_end {
                true => self.take(&mut deadline, buffer, Wanted::default(), 0)?.size,
                false => self.take_bytes(&mut deadline, buffer)?,
            };
            check_size(operation, size, buffer.len())?;
            let info = MessageInfo { size, ..Default::default() };
            return Ok(Received { info, descriptors: Vec::new(), sender_pidfd: None, address: String::new() });
        }
        let wanted =
            Wanted { descriptors: maximum, credentials: self.credentials, pidfd: self.pidfds, time: self.is_timed, address: wants_address };
        let arrived = self.take(&mut Deadline::new(operation, wait), buffer, wanted, 0)?;
        check_size(operation, arrived.size, buffer.len())?;
        if maximum != 0 {
            arrived.judge(operation, maximum)?;
        }
        // A socket from elsewhere may tell more than it was asked for here.
        let sender = arrived.credentials.filter(|_| self.credentials);
        let info = MessageInfo { size: arrived.size, sender, ..Default::default() };
        let address = arrived.address.map(|found| address::to_text(&found.0, found.1)).unwrap_or_default();
        // Descriptors that nobody has asked for are closed here.
        let descriptors = if maximum == 0 { Vec::new() } else { arrived.descriptors };
        Ok(Received { info, descriptors, sender_pidfd: arrived.pidfd.filter(|_| self.pidfds), address })
    }

    fn take(&self, deadline: &mut Deadline<'_>, buffer: &mut [u8], wanted: Wanted, flags: libc::c_int) -> Result<Arrived> {
        let flags = flags | libc::MSG_TRUNC | if deadline.is_plain() { 0 } else { libc::MSG_DONTWAIT };
        let mut was_ready = false;
        loop {
            match control::receive(self.socket.as_fd(), &mut [IoSliceMut::new(buffer)], wanted, flags) {
                Ok(arrived) if arrived.size == 0 && self.is_end(&arrived) => return Err(self.end(deadline.operation())),
                Ok(arrived) => return Ok(arrived),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => self.wait_for(libc::POLLIN, deadline, &mut was_ready)?,
                // It is reported before the messages that came first.
                Err(Errno::ECONNRESET) if self.has_end => self.was_reset.store(true, Ordering::Relaxed),
                Err(errno) => return Err(Error::os(deadline.operation(), errno)),
            }
        }
    }

    fn is_end(&self, arrived: &Arrived) -> bool {
        // Where the kernel puts no time, an empty message right before the end is lost.
        self.has_end && if self.is_timed { !arrived.has_control && !arrived.is_cut } else { is_ready(self.socket.as_fd(), libc::POLLRDHUP) }
    }

    #[cold]
    fn end(&self, operation: &'static str) -> Error {
        if self.was_reset.swap(false, Ordering::Relaxed) {
            return Error::os(operation, Errno::ECONNRESET).hint("the peer has closed without receiving everything");
        }
        Error::failure(operation, Failure::End)
    }
}

fn check_size(operation: &'static str, size: usize, room: usize) -> Result<()> {
    if size <= room {
        return Ok(());
    }
    let remedy = format!("the message had {size} bytes, the buffer {room}; it is lost");
    Err(Error::os(operation, Errno::EMSGSIZE).hint(remedy).after(size))
}

impl AsFd for Packets {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
