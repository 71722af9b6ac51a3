//! Unix sockets that listen, of either type: bound under a temporary name, given their permissions, put to listen, and only then linked into place.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::address::{self, check_path};
use super::place::{Place, bind, listen};
use crate::descriptor::make_blocking;
use crate::error::{Context, Result};
use crate::name::{self, OwnedName};
use crate::wait::Wait;

const DEFAULT_BACKLOG: u32 = 128;

/// How a Unix listener is made.
#[derive(Debug, Clone, Default)]
pub struct UnixListenOptions {
    /// The permissions of the path, set whatever the umask says; 0 is 0600. To connect, one needs to write.
    pub mode: u32,
    /// The group of the path, by name or number.
    pub group: Option<String>,
    /// How many connections may wait to be accepted; 0 is 128.
    pub backlog: u32,
}

/// A socket that listens. It is non-blocking from birth, since several processes may accept from it after `fork`.
#[derive(Debug)]
pub(crate) struct Listening {
    /// Dropped first: as long as the socket listens, nobody reclaims the path, and so nobody's new path can be the one that is removed here.
    path: Option<OwnedName>,
    socket: OwnedFd,
    /// Whether the description is ours to change.
    is_adopted: bool,
}

impl Listening {
    /// Listens with a socket of a type that has connections: `SOCK_STREAM`, `SOCK_SEQPACKET`.
    pub(crate) fn open(operation: &'static str, kind: libc::c_int, path: &str, options: &UnixListenOptions) -> Result<Listening> {
        check_path(operation, path)?;
        let mode = name::permissions(operation, options.mode)?;
        let group = options.group.as_deref().map(|group| name::group(operation, group)).transpose()?;
        let backlog = if options.backlog == 0 { DEFAULT_BACKLOG } else { options.backlog };
        let backlog = libc::c_int::try_from(backlog).unwrap_or(libc::c_int::MAX);
        let socket = super::create(libc::AF_UNIX, kind | libc::SOCK_NONBLOCK).during(operation)?;
        if kind == libc::SOCK_SEQPACKET {
            // For its connections, which have it from the listener, and from the first message on.
            super::set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_PASSCRED, 1 as libc::c_int).during(operation)?;
        }
        if path.starts_with('@') {
            bind(socket.as_fd(), path).during_on(operation, path)?;
            listen(socket.as_fd(), backlog).during_on(operation, path)?;
            return Ok(Listening { path: None, socket, is_adopted: false });
        }
        let place = Place::of(operation, path)?;
        let draft = place.bind_for_now(socket.as_fd(), path)?;
        place.set_permissions(&draft, mode, group).during_on(operation, path)?;
        listen(socket.as_fd(), backlog).during_on(operation, path)?;
        let identity = place.publish(&draft, path)?;
        Ok(Listening { path: Some(OwnedName::new(place.path(), identity)), socket, is_adopted: false })
    }

    pub(crate) fn of_adopted(socket: OwnedFd) -> Listening {
        Listening { path: None, socket, is_adopted: true }
    }

    pub(crate) fn accept(&self, operation: &'static str, wait: Wait<'_>) -> Result<OwnedFd> {
        super::accept(operation, self.socket.as_fd(), wait)
    }

    pub(crate) fn address(&self) -> Result<String> {
        match &self.path {
            // The kernel only knows the temporary name that it was bound under.
            Some(name) => Ok(address::path_to_text(name.path())),
            None => address::text("get address of listener", self.socket.as_fd(), libc::getsockname),
        }
    }

    pub(crate) fn remove_path(&self) {
        if let Some(name) = &self.path {
            name.remove();
        }
    }

    /// The path stays. The descriptor is blocking, as programs expect; an adopted one is as it was.
    pub(crate) fn into_descriptor(self) -> OwnedFd {
        if let Some(name) = self.path {
            name.keep();
        }
        if !self.is_adopted {
            let _ = make_blocking(self.socket.as_fd());
        }
        self.socket
    }
}

impl AsFd for Listening {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
