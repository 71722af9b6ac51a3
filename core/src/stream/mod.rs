//! Bytes without boundaries: pipes, FIFOs, Unix and TCP sockets, and messages framed on them.
//!
//! A stream keeps order and loses nothing, but it keeps no boundaries: what was written in one piece may be read in several. So a message on a
//! stream has a length of its own ([`Framed`]), or ends with the stream.
//!
//! Each type has the standard traits, which wait for ever, and calls named `..._within`, which take a [`Wait`]. [`ByteStream`] is any of them.

mod descriptors;
mod endpoint;
mod fifo;
mod framed;
mod pipe;
mod tcp;
mod transfer;
mod unix;

use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub use endpoint::ignore_sigpipe;
pub use fifo::{FifoOptions, create_fifo, unlink_fifo};
pub use framed::{FrameLimit, Framed, LARGEST_BY_DEFAULT};
pub use pipe::{pipe, pipe_with_capacity};
pub use tcp::{TcpListener, TcpOptions};
pub use transfer::{TransferOptions, TransferWay, Transferred, tee, transfer, vmsplice, vmsplice_unchecked};
pub use unix::{UnixConnectOptions, UnixListenOptions, UnixListener};

pub use crate::socket::{address::LONGEST_PATH, peer::Credentials};

use crate::error::{Context, Error, Result};
use crate::socket::{self, address, peer};
use crate::wait::Wait;
use endpoint::{Endpoint, Kind};

/// Any stream of bytes: a pipe end, a FIFO end, a Unix or TCP connection, or something adopted.
///
/// It costs one descriptor; a FIFO, and a pipe on a kernel before 6.4, a second one with the first call that has a limit. `fork` hands it on. Dropping it in one
/// thread while another waits in it is ruled out by the borrow.
#[derive(Debug)]
pub struct ByteStream {
    endpoint: Endpoint,
    /// A writing end of the same FIFO, so that its reader never meets the end.
    _held_open: Option<OwnedFd>,
    /// The path that we connected to: the kernel knows a listener only by the name that it was bound under.
    peer: Option<Box<str>>,
}

impl ByteStream {
    fn of(descriptor: OwnedFd, kind: Kind) -> ByteStream {
        ByteStream { endpoint: Endpoint::new(descriptor, kind), _held_open: None, peer: None }
    }

    /// Takes over a descriptor that carries bytes: a pipe, a FIFO, a connected stream socket, a terminal, a file. What is refused is given back, with
    /// [`Failure::WrongKind`](crate::Failure::WrongKind).
    pub fn adopt(descriptor: OwnedFd) -> std::result::Result<ByteStream, (OwnedFd, Error)> {
        Endpoint::adopt(descriptor).map(|endpoint| ByteStream { endpoint, _held_open: None, peer: None })
    }

    /// Reads what there is, at least one byte; 0 is the end, or an empty buffer.
    #[inline]
    pub fn read_within<'a>(&self, buffer: &mut [u8], wait: impl Into<Wait<'a>>) -> Result<usize> {
        self.endpoint.read(buffer, wait.into())
    }

    /// Writes what there is room for, at least one byte. `EPIPE` if nobody reads any more.
    #[inline]
    pub fn write_within<'a>(&self, data: &[u8], wait: impl Into<Wait<'a>>) -> Result<usize> {
        self.endpoint.write(data, wait.into())
    }

    /// Fills the buffer. [`Failure::End`](crate::Failure::End) if nothing comes any more, [`Failure::Truncated`](crate::Failure::Truncated) if
    /// the end comes in the middle; [`Error::transferred`] says how much came.
    #[inline]
    pub fn read_exact_within<'a>(&self, buffer: &mut [u8], wait: impl Into<Wait<'a>>) -> Result<()> {
        self.endpoint.read_exact(buffer, wait.into())
    }

    /// Writes everything; [`Error::transferred`] says how much went out before a failure.
    #[inline]
    pub fn write_all_within<'a>(&self, data: &[u8], wait: impl Into<Wait<'a>>) -> Result<()> {
        self.endpoint.write_all(data, wait.into())
    }

    /// Reads into several buffers, the first 1024 of them.
    pub fn read_vectored_within<'a>(&self, buffers: &mut [IoSliceMut<'_>], wait: impl Into<Wait<'a>>) -> Result<usize> {
        self.endpoint.read_vectored(buffers, wait.into())
    }

    /// Writes from several pieces, the first 1024 of them.
    pub fn write_vectored_within<'a>(&self, parts: &[IoSlice<'_>], wait: impl Into<Wait<'a>>) -> Result<usize> {
        self.endpoint.write_vectored(parts, wait.into())
    }

    /// Ends one direction or both of a socket. `EOPNOTSUPP` for a pipe.
    pub fn shutdown(&self, how: Shutdown) -> Result<()> {
        self.endpoint.shutdown(how)
    }

    /// How many bytes a pipe holds. `EOPNOTSUPP` for anything else.
    pub fn capacity(&self) -> Result<usize> {
        pipe::capacity(&self.endpoint)
    }

    /// Sets how many bytes a pipe holds; gives what was got, which is rounded up. `EPERM` above `/proc/sys/fs/pipe-max-size`, `EBUSY` below
    /// what it holds at the moment.
    pub fn set_capacity(&self, capacity: usize) -> Result<usize> {
        pipe::set_capacity(&self.endpoint, capacity)
    }

    /// Who is at the other end of a Unix socket, as the kernel noted it when the connection was made. `EOPNOTSUPP` for anything else.
    pub fn peer_credentials(&self) -> Result<Credentials> {
        peer::credentials(self.as_fd())
    }

    /// A pidfd of the process at the other end of a Unix socket, which no reuse of its number can mislead.
    /// [`Failure::Unavailable`](crate::Failure::Unavailable) before Linux 6.5.
    pub fn peer_pidfd(&self) -> Result<OwnedFd> {
        peer::pidfd(self.as_fd())
    }

    /// The supplementary groups of the process at the other end of a Unix socket, as it had them when the connection was made.
    pub fn peer_groups(&self) -> Result<Vec<u32>> {
        peer::groups(self.as_fd())
    }

    /// What the security module (SELinux, AppArmor, Smack) calls the process at the other end of a Unix socket.
    /// [`Failure::Unavailable`](crate::Failure::Unavailable) without such a module.
    pub fn peer_label(&self) -> Result<String> {
        peer::label(self.as_fd())
    }

    /// The address of the other end: `/path`, `@name`, `127.0.0.1:80`, `[::1]:80`; empty for a Unix socket that has none.
    pub fn peer_address(&self) -> Result<String> {
        let known = address::text("get address of peer", self.as_fd(), libc::getpeername)?;
        Ok(self.peer.as_deref().map_or(known, str::to_owned))
    }
}

impl AsFd for ByteStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.endpoint.as_fd()
    }
}

impl From<ByteStream> for OwnedFd {
    /// A writing end that [`FifoOptions::keep_open`] held is closed: the end can come again.
    fn from(stream: ByteStream) -> OwnedFd {
        stream.endpoint.into_descriptor()
    }
}

/// A listener of either family.
#[derive(Debug)]
pub enum Listener {
    /// On a path or an abstract name.
    Unix(UnixListener),
    /// On an address and port.
    Tcp(TcpListener),
}

impl Listener {
    /// Takes over a listening stream socket, for instance from a service manager. What is refused is given back, with
    /// [`Failure::WrongKind`](crate::Failure::WrongKind).
    pub fn adopt(descriptor: OwnedFd) -> std::result::Result<Listener, (OwnedFd, Error)> {
        const OPERATION: &str = "adopt listener";
        let accepted = socket::require_stream(OPERATION, descriptor.as_fd(), true)
            .and_then(|()| crate::descriptor::close_on_exec(descriptor.as_fd()).during(OPERATION));
        if let Err(error) = accepted {
            return Err((descriptor, error));
        }
        match socket::family(descriptor.as_fd()) {
            Ok(libc::AF_UNIX) => Ok(Listener::Unix(UnixListener::of_adopted(descriptor))),
            Ok(libc::AF_INET | libc::AF_INET6) => Ok(Listener::Tcp(TcpListener::of_adopted(descriptor))),
            Ok(_) => Err((descriptor, Error::failure(OPERATION, crate::Failure::WrongKind).hint("it is neither Unix nor TCP"))),
            Err(errno) => Err((descriptor, Error::os(OPERATION, errno))),
        }
    }

    /// Takes the next connection.
    pub fn accept<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<ByteStream> {
        match self {
            Listener::Unix(listener) => listener.accept(wait).map(ByteStream::from),
            Listener::Tcp(listener) => listener.accept(wait).map(ByteStream::from),
        }
    }

    /// Removes the path now, as dropping the listener does, and lets it listen on: for the end of a process, whose threads may still have it.
    pub fn remove_temporary(&self) {
        match self {
            Listener::Unix(listener) => listener.remove_temporary(),
            Listener::Tcp(_) => {}
        }
    }

    /// Where it listens: `/path`, `@name`, `127.0.0.1:80`, `[::1]:80`.
    pub fn address(&self) -> Result<String> {
        match self {
            Listener::Unix(listener) => listener.address(),
            Listener::Tcp(listener) => listener.address(),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Unix(listener) => listener.as_fd(),
            Listener::Tcp(listener) => listener.as_fd(),
        }
    }
}

impl From<Listener> for OwnedFd {
    /// The path of a Unix listener stays.
    fn from(listener: Listener) -> OwnedFd {
        match listener {
            Listener::Unix(listener) => listener.into(),
            Listener::Tcp(listener) => listener.into(),
        }
    }
}

/// Declares a stream with a type of its own.
macro_rules! stream_type {
    ($(#[$attribute:meta])* $name:ident, $kind:expr, $families:expr) => {
        $(#[$attribute])*
        #[derive(Debug)]
        pub struct $name(ByteStream);

        impl $name {
            fn of(descriptor: OwnedFd) -> $name {
                $name(ByteStream::of(descriptor, $kind))
            }
        }

        impl std::ops::Deref for $name {
            type Target = ByteStream;

            fn deref(&self) -> &ByteStream {
                &self.0
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.as_fd()
            }
        }

        impl From<$name> for ByteStream {
            fn from(stream: $name) -> ByteStream {
                stream.0
            }
        }

        impl From<$name> for OwnedFd {
            fn from(stream: $name) -> OwnedFd {
                stream.0.into()
            }
        }

        impl TryFrom<OwnedFd> for $name {
            type Error = Error;

            /// Closes a descriptor that is refused.
            fn try_from(descriptor: OwnedFd) -> Result<$name> {
                const FAMILIES: &[libc::c_int] = $families;
                let stream = ByteStream::adopt(descriptor).map_err(|(_, error)| error)?;
                let has_family = || socket::family(stream.as_fd()).is_ok_and(|family| FAMILIES.contains(&family));
                if stream.endpoint.kind() != $kind || !(FAMILIES.is_empty() || has_family()) {
                    return Err(Error::failure("adopt stream", crate::Failure::WrongKind));
                }
                Ok($name(stream))
            }
        }
    };
}

/// The standard traits: reading, without a limit of time.
macro_rules! standard_read {
    ($($name:ident),*) => { $(
        impl io::Read for $name {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                Ok(self.read_within(buffer, Wait::FOREVER)?)
            }

            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                Ok(self.read_vectored_within(buffers, Wait::FOREVER)?)
            }
        }
    )* };
}

/// The standard traits: writing, without a limit of time.
macro_rules! standard_write {
    ($($name:ident),*) => { $(
        impl io::Write for $name {
            fn write(&mut self, data: &[u8]) -> io::Result<usize> {
                Ok(self.write_within(data, Wait::FOREVER)?)
            }

            fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
                Ok(self.write_vectored_within(parts, Wait::FOREVER)?)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    )* };
}

stream_type!(
    /// The end of a pipe that bytes come out of.
    PipeReader,
    Kind::Pipe,
    &[]
);
stream_type!(
    /// The end of a pipe that bytes go into.
    PipeWriter,
    Kind::Pipe,
    &[]
);
stream_type!(
    /// The end of a FIFO that bytes come out of.
    FifoReader,
    Kind::Pipe,
    &[]
);
stream_type!(
    /// The end of a FIFO that bytes go into.
    FifoWriter,
    Kind::Pipe,
    &[]
);
stream_type!(
    /// A Unix socket connection, both ways.
    UnixStream,
    Kind::Socket,
    &[libc::AF_UNIX]
);
stream_type!(
    /// A TCP connection, both ways.
    TcpStream,
    Kind::Socket,
    &[libc::AF_INET, libc::AF_INET6]
);
standard_read!(ByteStream, PipeReader, FifoReader, UnixStream, TcpStream);
standard_write!(ByteStream, PipeWriter, FifoWriter, UnixStream, TcpStream);
