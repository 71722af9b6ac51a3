//! Unix stream sockets: both ways, between any processes of a machine, with the peer's identity vouched for by the kernel.
//!
//! Three races belong to a path. A socket that is bound but does not listen yet refuses who comes too early: here it is bound under a temporary name,
//! gets its permissions, listens, and only then is linked into place. A path that a dead server left behind must be reclaimed, and that of a
//! live one never: whoever wants to reclaim asks the kernel first, under a lock of the directory, and compares the inode before unlinking. And
//! the path that is removed at the end must still be one's own.
//!
//! [unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html)

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::UnixStream;
use crate::error::{Context, Result};
use crate::socket::{self, connecting, listening::Listening};
pub use crate::socket::{connecting::UnixConnectOptions, listening::UnixListenOptions};
use crate::wait::{Deadline, Wait};

/// A listening Unix socket.
///
/// It costs one descriptor. It is non-blocking from birth, since several processes may accept from it after `fork`. Dropping it removes the path
/// that it published, if that still is its own, and not in a child.
#[derive(Debug)]
pub struct UnixListener(Listening);

impl UnixListener {
    /// Listens on a path, or on an abstract name that begins with `@`.
    ///
    /// Errors: `ENAMETOOLONG` above [`LONGEST_PATH`](super::LONGEST_PATH); `EADDRINUSE` if somebody listens there, or uses the socket in another way;
    /// [`Failure::WrongKind`](crate::Failure::WrongKind) if there is anything but a socket at the path; `ENOENT` without the directory; `EBUSY` if others in the directory
    /// hold up the reclaiming of a dead server's path for 2 s.
    pub fn open(path: &str, options: &UnixListenOptions) -> Result<UnixListener> {
        Listening::open("listen on Unix socket", libc::SOCK_STREAM, path, options).map(UnixListener)
    }

    pub(super) fn of_adopted(socket: OwnedFd) -> UnixListener {
        UnixListener(Listening::of_adopted(socket))
    }

    /// Takes the next connection.
    ///
    /// Errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]); `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM` after a shortage that lasted 100 ms, or
    /// at once for a caller that does not wait: the connection then stays in the queue.
    pub fn accept<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<UnixStream> {
        self.0.accept("accept on Unix socket", wait.into()).map(UnixStream::of)
    }

    /// Removes the path now, as dropping the listener does, and lets it listen on: for the end of a process, whose threads may still have it.
    pub fn remove_temporary(&self) {
        self.0.remove_path();
    }

    /// Where it listens: `/path` or `@name`.
    pub fn address(&self) -> Result<String> {
        self.0.address()
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<UnixListener> for OwnedFd {
    /// The path stays. The descriptor is blocking, as programs expect; an adopted one is as it was.
    fn from(listener: UnixListener) -> OwnedFd {
        listener.0.into_descriptor()
    }
}

impl UnixStream {
    /// Connects to a path, or to an abstract name that begins with `@`.
    ///
    /// Errors: `ENOENT`; `ECONNREFUSED` if nobody listens; [`Failure::WrongKind`](crate::Failure::WrongKind) if there is no socket at the path, `ELOOP` for a link; `EPERM` if
    /// the listener is another user's; `EACCES`; `EPROTOTYPE` for a socket of messages; `EAGAIN`, `ETIMEDOUT`, `ECANCELED` while its queue is full (see [`Wait`]); `ENAMETOOLONG`.
    pub fn connect<'a>(path: &str, options: &UnixConnectOptions, wait: impl Into<Wait<'a>>) -> Result<UnixStream> {
        let mut deadline = Deadline::new("connect to Unix socket", wait);
        let mut stream = UnixStream::of(connecting::connect(libc::SOCK_STREAM, path, options, &mut deadline)?);
        stream.0.peer = Some(path.into());
        Ok(stream)
    }

    /// Two connected ends, for a process and the child that it forks: socketpair(2).
    pub fn pair() -> Result<(UnixStream, UnixStream)> {
        let (first, second) = socket::pair(libc::SOCK_STREAM).during("create pair of Unix sockets")?;
        Ok((UnixStream::of(first), UnixStream::of(second)))
    }
}
