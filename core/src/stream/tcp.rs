//! TCP, for peers that may move off the machine one day.
//!
//! Its delays are options here, set for conversation: `TCP_NODELAY` is on, since a small message that waits for the acknowledgement of the one
//! before costs 40 ms. A listener is on loopback unless told otherwise.
//!
//! [tcp(7)](https://man7.org/linux/man-pages/man7/tcp.7.html), [ip(7)](https://man7.org/linux/man-pages/man7/ip.7.html),
//! [getaddrinfo(3)](https://man7.org/linux/man-pages/man3/getaddrinfo.3.html)

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc;
use std::time::Duration;

use nix::errno::Errno;
use socket2::{Domain, SockAddr, SockRef, Socket, TcpKeepalive, Type};

use super::TcpStream;
use crate::descriptor::make_blocking;
use crate::error::{Context, Error, Result};
use crate::socket::{
    self, address,
    resolve::{check_port, literal, no_address, resolve},
};
use crate::wait::{Deadline, Stop, Wait, is_ready};

const LISTEN: &str = "listen on TCP";
const CONNECT: &str = "connect to TCP";

const DEFAULT_BACKLOG: u32 = 128;

/// How a TCP listener or connection is made.
#[derive(Debug, Clone, Default)]
pub struct TcpOptions {
    /// Send small pieces at once. `None` is on.
    pub nodelay: Option<bool>,
    /// Ask a silent peer whether it lives. `None` is off.
    pub keep_alive: Option<bool>,
    /// Seconds of silence before the first question; 0 is the system's.
    pub keep_alive_idle: u32,
    /// Seconds between questions; 0 is the system's.
    pub keep_alive_interval: u32,
    /// Questions without an answer before the connection is given up; 0 is the system's.
    pub keep_alive_count: u32,
    /// Listener: how many connections may wait to be accepted; 0 is 128.
    pub backlog: u32,
    /// Which addresses: 4, 6, or 0 for both.
    pub family: u32,
    /// Listener: let several listeners share the port, `SO_REUSEPORT`.
    pub reuse_port: bool,
    /// Connect: try again while the connection is refused.
    pub wait_for_listener: bool,
    /// Connect: look a name up on a helper thread, so that the wait covers it. The resolver of the C library has no limit of its own that a call
    /// could set; literals never need it.
    pub resolve_on_thread: bool,
}

/// A listening TCP socket.
///
/// It costs one descriptor. It is non-blocking from birth, since several processes may accept from it after `fork`.
#[derive(Debug)]
pub struct TcpListener {
    socket: OwnedFd,
    /// Whether the description is ours to change.
    is_adopted: bool,
    options: TcpOptions,
}

impl TcpListener {
    /// Listens on an address and port. No host is loopback; port 0 is the system's choice, and [`TcpListener::port`] tells it.
    ///
    /// Errors: `EINVAL` for a port above 65535 or an unknown family; `EADDRINUSE`; `EADDRNOTAVAIL` for a name that is not known, or an address that
    /// is not this machine's; `EACCES` for a port below 1024.
    pub fn open(host: Option<&str>, port: u32, options: &TcpOptions) -> Result<TcpListener> {
        let port = check_port(LISTEN, port)?;
        let addresses = resolve(LISTEN, host, port, options.family)?;
        let mut last = None;
        for address in addresses {
            match listen(address, options) {
                Ok(socket) => return Ok(TcpListener { socket: socket.into(), is_adopted: false, options: options.clone() }),
                Err(error) => last = Some(Err(error).during_on(LISTEN, &address.to_string())),
            }
        }
        last.unwrap_or_else(|| Err(no_address(LISTEN, host)))
    }

    pub(super) fn of_adopted(socket: OwnedFd) -> TcpListener {
        TcpListener { socket, is_adopted: true, options: TcpOptions::default() }
    }

    /// Takes the next connection, and gives it the listener's options. Errors as [`UnixListener::accept`](super::UnixListener::accept).
    pub fn accept<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<TcpStream> {
        const OPERATION: &str = "accept on TCP";
        let socket = socket::accept(OPERATION, self.socket.as_fd(), wait.into())?;
        // A peer that has gone already fails here; its stream will tell.
        let _ = apply(SockRef::from(&socket), &self.options);
        Ok(TcpStream::of(socket))
    }

    /// The port that it listens on.
    pub fn port(&self) -> Result<u16> {
        const OPERATION: &str = "get port of listener";
        let address = SockRef::from(&self.socket).local_addr().during(OPERATION)?;
        address.as_socket().map(|address| address.port()).ok_or_else(|| Error::os(OPERATION, Errno::EAFNOSUPPORT))
    }

    /// Where it listens: `127.0.0.1:80`, `[::1]:80`.
    pub fn address(&self) -> Result<String> {
        address::text("get address of listener", self.socket.as_fd(), libc::getsockname)
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl From<TcpListener> for OwnedFd {
    /// The descriptor is blocking, as programs expect; an adopted one is as it was.
    fn from(listener: TcpListener) -> OwnedFd {
        if !listener.is_adopted {
            let _ = make_blocking(listener.socket.as_fd());
        }
        listener.socket
    }
}

impl TcpStream {
    /// Connects to a name, an IPv4 or an IPv6 literal (in brackets or not). No host is loopback. Each address of a name is tried in turn, within the
    /// one wait.
    ///
    /// Errors: `EINVAL` for port 0 or above 65535; `ECONNREFUSED`; `EADDRNOTAVAIL` for a name that is not known; `EHOSTUNREACH`, `ENETUNREACH`;
    /// `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]).
    pub fn connect<'a>(host: Option<&str>, port: u32, options: &TcpOptions, wait: impl Into<Wait<'a>>) -> Result<TcpStream> {
        let mut deadline = Deadline::new(CONNECT, wait);
        let port = check_port(CONNECT, port)?;
        if port == 0 {
            return Err(Error::os(CONNECT, Errno::EINVAL).hint("port 0 is for listeners; a peer has 1 to 65535"));
        }
        let addresses = resolve_within(&mut deadline, host, port, options)?;
        loop {
            let mut last = no_address(CONNECT, host);
            for address in &addresses {
                match connect(*address, options, &mut deadline) {
                    Ok(socket) => return Ok(TcpStream::of(socket.into())),
                    Err(error) => last = error.on(address.to_string()),
                }
                // The kernel's own ETIMEDOUT is about this address alone.
                if last.is(Errno::EAGAIN) || last.is_given_up() || (last.is(Errno::ETIMEDOUT) && deadline.remaining().is_err()) {
                    return Err(last);
                }
            }
            if !last.is(Errno::ECONNREFUSED) || !options.wait_for_listener || deadline.never_waits() {
                return Err(last);
            }
            deadline.pause().map_err(|error| error.on(last.object().unwrap_or_default()).hint("nobody listens there"))?;
        }
    }
}

fn listen(address: SocketAddr, options: &TcpOptions) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking().cloexec(), None)?;
    // A port whose connections are only just gone can be used again.
    socket.set_reuse_address(true)?;
    if options.reuse_port {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&SockAddr::from(address))?;
    let backlog = if options.backlog == 0 { DEFAULT_BACKLOG } else { options.backlog };
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket)
}

/// Starts the connection, waits until it stands or has failed, and asks which.
fn connect(address: SocketAddr, options: &TcpOptions, deadline: &mut Deadline<'_>) -> Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking().cloexec(), None).during(CONNECT)?;
    apply(SockRef::from(&socket), options).during(CONNECT)?;
    if let Err(error) = socket.connect(&SockAddr::from(address)) {
        // An interrupted attempt goes on like one in progress.
        match error.raw_os_error() {
            // On the same machine it mostly stands already, which is all that a caller who does not wait can get.
            Some(libc::EINPROGRESS | libc::EINTR) if is_ready(socket.as_fd(), libc::POLLOUT) => {}
            Some(libc::EINPROGRESS | libc::EINTR) => deadline.ready(socket.as_fd(), libc::POLLOUT)?,
            _ => return Err(error).during(CONNECT),
        }
        if let Some(error) = socket.take_error().during(CONNECT)? {
            return Err(error).during(CONNECT);
        }
    }
    // A port that the system hands out can be handed to this very socket, which then connects to itself. The address that was asked for may be one that
    // stands for another, as 0.0.0.0 does. Of a peer that has gone already there is none.
    if socket.peer_addr().is_ok_and(|peer| socket.local_addr().is_ok_and(|local| local.as_socket() == peer.as_socket())) {
        return Err(Error::os(CONNECT, Errno::ECONNREFUSED).hint("nobody listens there"));
    }
    make_blocking(socket.as_fd()).during(CONNECT)?;
    Ok(socket)
}

fn apply(socket: SockRef<'_>, options: &TcpOptions) -> std::io::Result<()> {
    socket.set_tcp_nodelay(options.nodelay.unwrap_or(true))?;
    if options.keep_alive != Some(true) {
        return Ok(());
    }
    let seconds = |value: u32| Duration::from_secs(value.into());
    let mut keep_alive = TcpKeepalive::new();
    if options.keep_alive_idle != 0 {
        keep_alive = keep_alive.with_time(seconds(options.keep_alive_idle));
    }
    if options.keep_alive_interval != 0 {
        keep_alive = keep_alive.with_interval(seconds(options.keep_alive_interval));
    }
    if options.keep_alive_count != 0 {
        keep_alive = keep_alive.with_retries(options.keep_alive_count);
    }
    socket.set_tcp_keepalive(&keep_alive)
}

fn resolve_within(deadline: &mut Deadline<'_>, host: Option<&str>, port: u16, options: &TcpOptions) -> Result<Vec<SocketAddr>> {
    let family = options.family;
    let needs_resolver = host.is_some_and(|host| literal(host).is_none());
    if !options.resolve_on_thread || !needs_resolver {
        return resolve(CONNECT, host, port, family);
    }
    let done = Stop::new()?;
    let (sender, receiver) = mpsc::channel();
    let (bell, host) = (done.clone(), host.map(str::to_owned));
    // The thread ends with the resolver's own patience, also when nobody waits for it any more.
    std::thread::Builder::new()
        .name("unipc-resolve".into())
        .spawn(move || {
            let _ = sender.send(resolve(CONNECT, host.as_deref(), port, family));
            bell.request();
        })
        .during(CONNECT)?;
    deadline.ready(done.as_fd(), libc::POLLIN)?;
    receiver.recv().unwrap_or_else(|_| Err(Error::os(CONNECT, Errno::EIO).hint("the resolver failed")))
}
