//! UDP: messages between machines, to one, to all, or to a group, that may be lost, doubled or overtaken.
//!
//! On loopback nothing is doubled or overtaken, but a receiver whose buffer is full still loses messages, and the sender is not told: whoever needs every
//! message takes a Unix datagram socket or numbers them. A connected socket learns by `ECONNREFUSED` that nobody receives there, in whatever call comes
//! next.
//!
//! Several receivers of a group share the port ([`UdpOptions::reuse_address`]); each gets each message. A socket that has joined a group still
//! receives what is sent to its address alone, so it is bound to the group's address or looks at where messages come from.
//!
//! [udp(7)](https://man7.org/linux/man-pages/man7/udp.7.html), [ip(7)](https://man7.org/linux/man-pages/man7/ip.7.html),
//! [ipv6(7)](https://man7.org/linux/man-pages/man7/ipv6.7.html)

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use socket2::{Domain, InterfaceIndexOrAddress, SockAddr, SockRef, Socket, Type};

use super::MessageInfo;
use super::packet::{Address, Extras, Packets};
use crate::descriptor::{c_path, make_blocking};
use crate::error::{Context, Error, Result};
use crate::socket::address;
use crate::socket::resolve::{check_port, literal, no_address, resolve};
use crate::wait::Wait;

const OPEN: &str = "open UDP socket";
const SEND: &str = "send UDP message";
const RECEIVE: &str = "receive UDP message";

/// How a UDP socket is made.
#[derive(Debug, Clone, Default)]
pub struct UdpOptions {
    /// Which addresses: 4, 6, or 0 for both.
    pub family: u32,
    /// Allow sending to a broadcast address.
    pub broadcast: bool,
    /// Let several sockets have the address and port, each of which receives what is sent to a group: `SO_REUSEADDR`.
    pub reuse_address: bool,
    /// Let several sockets share the port, each message going to one of them: `SO_REUSEPORT`.
    pub reuse_port: bool,
    /// How many networks a message to a group may cross; `None` is 1, this network alone; 0 is this machine alone.
    pub multicast_ttl: Option<u32>,
    /// Whether this machine's members receive what it sends to a group. `None` is yes. On the loopback interface they always do.
    pub multicast_loop: Option<bool>,
    /// The interface, by name (`lo`) or number, that messages to a group go out by.
    pub multicast_interface: Option<String>,
    /// Bytes of the sending buffer; 0 is the system's.
    pub send_buffer: usize,
    /// Bytes of the receiving buffer, above which messages are lost; 0 is the system's.
    pub receive_buffer: usize,
}

/// A UDP socket. It costs one descriptor. `fork` hands it on; each message goes to one of several receivers.
#[derive(Debug)]
pub struct UdpSocket {
    packets: Packets,
    is_ipv6: bool,
}

impl UdpSocket {
    /// Binds to an address and port. No host is loopback; port 0 is the system's choice, and [`UdpSocket::port`] tells it.
    ///
    /// Errors: `EINVAL` for a port above 65535, an unknown family or interface; `EADDRINUSE`; `EADDRNOTAVAIL` for a name that is not known, or an address
    /// that is not this machine's; `EACCES` for a port below 1024.
    pub fn open(host: Option<&str>, port: u32, options: &UdpOptions) -> Result<UdpSocket> {
        let port = check_port(OPEN, port)?;
        let addresses = resolve(OPEN, host, port, options.family)?;
        let mut last = no_address(OPEN, host);
        for address in addresses {
            match bind(address, options) {
                Ok(socket) => {
                    let extras = Extras { send_buffer: options.send_buffer, receive_buffer: options.receive_buffer, ..Default::default() };
                    let packets = Packets::new(OPEN, socket.into(), false, &extras)?;
                    return Ok(UdpSocket { packets, is_ipv6: address.is_ipv6() });
                }
                Err(error) => last = error.on(address.to_string()),
            }
        }
        Err(last)
    }

    pub(super) fn packets(&self) -> &Packets {
        &self.packets
    }

    pub(super) fn adopt(descriptor: OwnedFd) -> std::result::Result<UdpSocket, (OwnedFd, Error)> {
        let is_ipv6 = crate::socket::family(descriptor.as_fd()) == Ok(libc::AF_INET6);
        Packets::adopt("adopt datagram socket", descriptor, false, &Extras::default()).map(|packets| UdpSocket { packets, is_ipv6 })
    }

    /// Gives the socket its receiver, `127.0.0.1:80` or `[::1]:80`: from now on `send` goes there, and only what comes from there is received.
    pub fn connect(&self, address: &str) -> Result<()> {
        const OPERATION: &str = "connect UDP socket";
        let address = self.parse(OPERATION, address)?;
        SockRef::from(&self.packets).connect(&SockAddr::from(address)).during_on(OPERATION, &address.to_string())
    }

    /// Sends to the receiver that the socket is connected to.
    ///
    /// Errors: `EDESTADDRREQ` without one; `ECONNREFUSED` if an earlier message met nobody; `EMSGSIZE` above 65507 bytes; `EAGAIN`, `ETIMEDOUT`,
    /// `ECANCELED` while the sending buffer is full (see [`Wait`]).
    pub fn send<'a>(&self, data: &[u8], wait: impl Into<Wait<'a>>) -> Result<()> {
        self.packets.send(SEND, None, data, &[], wait.into())
    }

    /// Sends to an address, `127.0.0.1:80` or `[::1]:80`. `EACCES` for a broadcast address unless [`UdpOptions::broadcast`] is set; `EINVAL` for what
    /// is no address: names are not looked up here.
    pub fn send_to<'a>(&self, address: &str, data: &[u8], wait: impl Into<Wait<'a>>) -> Result<()> {
        let to = Address::of_inet(self.parse(SEND, address)?);
        self.packets.send(SEND, Some(&to), data, &[], wait.into()).map_err(|error| error.on(address))
    }

    /// Receives a message.
    ///
    /// Errors: `EMSGSIZE` if it did not fit: it is lost, and [`Error::transferred`] tells its size; `ECONNREFUSED` on a connected socket if nobody is
    /// there; `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]).
    pub fn receive<'a>(&self, buffer: &mut [u8], wait: impl Into<Wait<'a>>) -> Result<MessageInfo> {
        Ok(self.packets.receive(RECEIVE, buffer, 0, false, wait.into())?.info)
    }

    /// Receives a message, and the address of its sender.
    pub fn receive_from<'a>(&self, buffer: &mut [u8], wait: impl Into<Wait<'a>>) -> Result<(MessageInfo, String)> {
        let received = self.packets.receive(RECEIVE, buffer, 0, true, wait.into())?;
        Ok((received.info, received.address))
    }

    /// The size of the next message, which stays.
    pub fn next_size<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<usize> {
        self.packets.next_size(RECEIVE, wait.into())
    }

    /// Joins a group, on an interface by name or number; `None` is the system's choice.
    ///
    /// Errors: `EINVAL` for what is no group, or is of the other family; `ENODEV` for an interface that is not there; `EADDRINUSE` if it has joined already.
    pub fn join(&self, group: &str, interface: Option<&str>) -> Result<()> {
        const OPERATION: &str = "join multicast group";
        let socket = SockRef::from(&self.packets);
        match self.group(OPERATION, group, interface)? {
            (IpAddr::V4(address), index) => socket.join_multicast_v4_n(&address, &InterfaceIndexOrAddress::Index(index)),
            (IpAddr::V6(address), index) => socket.join_multicast_v6(&address, index),
        }
        .during_on(OPERATION, group)
    }

    /// Leaves a group. `EADDRNOTAVAIL` if it has not joined it there.
    pub fn leave(&self, group: &str, interface: Option<&str>) -> Result<()> {
        const OPERATION: &str = "leave multicast group";
        let socket = SockRef::from(&self.packets);
        match self.group(OPERATION, group, interface)? {
            (IpAddr::V4(address), index) => socket.leave_multicast_v4_n(&address, &InterfaceIndexOrAddress::Index(index)),
            (IpAddr::V6(address), index) => socket.leave_multicast_v6(&address, index),
        }
        .during_on(OPERATION, group)
    }

    /// The port that it is bound to.
    pub fn port(&self) -> Result<u16> {
        const OPERATION: &str = "get port of UDP socket";
        let address = SockRef::from(&self.packets).local_addr().during(OPERATION)?;
        address.as_socket().map(|address| address.port()).ok_or_else(|| Error::os(OPERATION, Errno::EAFNOSUPPORT))
    }

    /// Where it receives: `127.0.0.1:80`, `[::1]:80`.
    pub fn address(&self) -> Result<String> {
        address::text("get address of UDP socket", self.as_fd(), libc::getsockname)
    }

    fn parse(&self, operation: &'static str, address: &str) -> Result<SocketAddr> {
        let wrong = |remedy: &'static str| Error::os(operation, Errno::EINVAL).on(address).hint(remedy);
        let parsed: SocketAddr = address.parse().map_err(|_| wrong("an address is like 127.0.0.1:80 or [::1]:80"))?;
        if parsed.port() == 0 {
            return Err(wrong("a receiver's port is 1 to 65535"));
        }
        if parsed.is_ipv6() != self.is_ipv6 {
            return Err(wrong("the socket is of the other family"));
        }
        Ok(parsed)
    }

    fn group(&self, operation: &'static str, group: &str, interface: Option<&str>) -> Result<(IpAddr, u32)> {
        let found = literal(group).filter(|address| address.is_multicast() && address.is_ipv6() == self.is_ipv6);
        let remedy = "no group of the socket's family; groups are 224.0.0.0 to 239.255.255.255, and ff00::/8";
        let address = found.ok_or_else(|| Error::os(operation, Errno::EINVAL).on(group).hint(remedy))?;
        Ok((address, interface.map_or(Ok(0), |interface| interface_index(operation, interface))?))
    }
}

impl AsFd for UdpSocket {
    /// Readable while there is a message.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.packets.as_fd()
    }
}

impl From<UdpSocket> for OwnedFd {
    fn from(socket: UdpSocket) -> OwnedFd {
        socket.packets.into_descriptor()
    }
}

fn bind(address: SocketAddr, options: &UdpOptions) -> Result<Socket> {
    let interface = options.multicast_interface.as_deref().map(|interface| interface_index(OPEN, interface)).transpose()?;
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM.cloexec(), None).during(OPEN)?;
    set_up(&socket, address, options, interface).during(OPEN)?;
    socket.bind(&SockAddr::from(address)).during(OPEN)?;
    make_blocking(socket.as_fd()).during(OPEN)?;
    Ok(socket)
}

fn set_up(socket: &Socket, address: SocketAddr, options: &UdpOptions, interface: Option<u32>) -> std::io::Result<()> {
    socket.set_broadcast(options.broadcast)?;
    socket.set_reuse_address(options.reuse_address)?;
    socket.set_reuse_port(options.reuse_port)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
        socket.set_multicast_hops_v6(options.multicast_ttl.unwrap_or(1))?;
        socket.set_multicast_loop_v6(options.multicast_loop.unwrap_or(true))?;
        return interface.map_or(Ok(()), |index| socket.set_multicast_if_v6(index));
    }
    socket.set_multicast_ttl_v4(options.multicast_ttl.unwrap_or(1))?;
    socket.set_multicast_loop_v4(options.multicast_loop.unwrap_or(true))?;
    let Some(index) = interface else { return Ok(()) };
    let request = libc::ip_mreqn {
        imr_multiaddr: libc::in_addr { s_addr: 0 },
        imr_address: libc::in_addr { s_addr: 0 },
        imr_ifindex: index as libc::c_int,
    };
    crate::socket::set_option(socket.as_fd(), libc::IPPROTO_IP, libc::IP_MULTICAST_IF, request).map_err(std::io::Error::from)
}

/// The number of an interface given by name or number.
fn interface_index(operation: &'static str, interface: &str) -> Result<u32> {
    if let Ok(number @ 1..) = interface.parse::<u32>() {
        return Ok(number);
    }
    let name = c_path(interface).during_on(operation, interface)?;
    // SAFETY: the name is NUL-terminated and lives through the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(Error::os(operation, Errno::ENODEV).on(interface).hint("there is no such interface")),
        index => Ok(index),
    }
}
