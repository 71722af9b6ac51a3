//! Unix stream sockets: both ways, between any processes of a machine, with the peer's identity vouched for by the kernel.
//!
//! Three races belong to a path. A socket that is bound but does not listen yet refuses who comes too early: here it is bound under a temporary name,
//! gets its permissions, listens, and only then is linked into place. A path that a dead server left behind must be reclaimed, and that of a
//! live one never: whoever wants to reclaim asks the kernel first, under a lock of the directory, and compares the inode before unlinking. And
//! the path that is removed at the end must still be one's own.
//!
//! [unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html)

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;

use super::{UnixStream, socket};
use crate::descriptor::{c_path, make_blocking, open_raw, status};
use crate::error::{Context, Error, Failure, Result, check};
use crate::memory::publish::unusual_suffix;
use crate::name::{self, Identity, OwnedName};
use crate::wait::{Deadline, Wait};

const LISTEN: &str = "listen on Unix socket";
const CONNECT: &str = "connect to Unix socket";

/// The longest path, and the longest abstract name, in bytes.
pub const LONGEST_PATH: usize = 107;

const DEFAULT_BACKLOG: u32 = 128;

/// How long a reclaimer waits for another one in the same directory.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

const SO_PEERPIDFD: libc::c_int = 77;

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

/// How a connection is made.
#[derive(Debug, Clone, Default)]
pub struct UnixConnectOptions {
    /// Accept a listener of a user other than oneself and root.
    pub any_owner: bool,
    /// Wait for the listener to appear.
    pub wait_for_listener: bool,
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    /// The process that connected, listened or made the pair; 0 if it is in a pid namespace that is not ours. The number may have been reused.
    pub pid: i32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

/// A listening Unix socket.
///
/// It costs one descriptor. It is non-blocking from birth, since several processes may accept from it after `fork`. Dropping it removes the path
/// that it published, if that still is its own, and not in a child.
#[derive(Debug)]
pub struct UnixListener {
    /// Dropped first: as long as the socket listens, nobody reclaims the path, and so nobody's new path can be the one that is removed here.
    path: Option<OwnedName>,
    socket: OwnedFd,
    /// Whether the description is ours to change.
    is_adopted: bool,
}

impl UnixListener {
    /// Listens on a path, or on an abstract name that begins with `@`.
    ///
    /// Errors: `ENAMETOOLONG` above [`LONGEST_PATH`]; `EADDRINUSE` if somebody listens there, or uses the socket in another way;
    /// [`Failure::WrongKind`] if there is anything but a socket at the path; `ENOENT` without the directory; `EBUSY` if others in the directory
    /// hold up the reclaiming of a dead server's path for 2 s.
    pub fn open(path: &str, options: &UnixListenOptions) -> Result<UnixListener> {
        check_path(LISTEN, path)?;
        let mode = name::permissions(LISTEN, options.mode)?;
        let group = options.group.as_deref().map(|group| name::group(LISTEN, group)).transpose()?;
        let backlog = if options.backlog == 0 { DEFAULT_BACKLOG } else { options.backlog };
        let backlog = libc::c_int::try_from(backlog).unwrap_or(libc::c_int::MAX);
        let socket = socket::create(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_NONBLOCK).during(LISTEN)?;
        if path.starts_with('@') {
            bind(socket.as_fd(), path).during_on(LISTEN, path)?;
            listen(socket.as_fd(), backlog).during_on(LISTEN, path)?;
            return Ok(UnixListener { path: None, socket, is_adopted: false });
        }
        let place = Place::of(path)?;
        let draft = place.bind_for_now(socket.as_fd(), path)?;
        place.set_permissions(&draft, mode, group).during_on(LISTEN, path)?;
        listen(socket.as_fd(), backlog).during_on(LISTEN, path)?;
        let identity = place.publish(&draft, path)?;
        Ok(UnixListener { path: Some(OwnedName::new(place.path(), identity)), socket, is_adopted: false })
    }

    pub(super) fn of_adopted(socket: OwnedFd) -> UnixListener {
        UnixListener { path: None, socket, is_adopted: true }
    }

    /// Takes the next connection.
    ///
    /// Errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]); `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM` after a shortage that lasted 100 ms, or
    /// at once for a caller that does not wait: the connection then stays in the queue.
    pub fn accept<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<UnixStream> {
        socket::accept("accept on Unix socket", self.socket.as_fd(), wait.into()).map(UnixStream::of)
    }

    /// Where it listens: `/path` or `@name`.
    pub fn address(&self) -> Result<String> {
        match &self.path {
            // The kernel only knows the temporary name that it was bound under.
            Some(name) => Ok(name.path().to_owned()),
            None => super::address_text("get address of listener", self.socket.as_fd(), libc::getsockname),
        }
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl From<UnixListener> for OwnedFd {
    /// The path stays. The descriptor is blocking, as programs expect; an adopted one is as it was.
    fn from(listener: UnixListener) -> OwnedFd {
        if let Some(name) = listener.path {
            name.keep();
        }
        if !listener.is_adopted {
            let _ = make_blocking(listener.socket.as_fd());
        }
        listener.socket
    }
}

impl UnixStream {
    /// Connects to a path, or to an abstract name that begins with `@`.
    ///
    /// Errors: `ENOENT`; `ECONNREFUSED` if nobody listens; [`Failure::WrongKind`] if there is no socket at the path, `ELOOP` for a link; `EPERM` if
    /// the listener is another user's; `EACCES`; `EAGAIN`, `ETIMEDOUT`, `ECANCELED` while its queue is full (see [`Wait`]); `ENAMETOOLONG`.
    pub fn connect<'a>(path: &str, options: &UnixConnectOptions, wait: impl Into<Wait<'a>>) -> Result<UnixStream> {
        check_path(CONNECT, path)?;
        let mut deadline = Deadline::new(CONNECT, wait);
        loop {
            let failure = match connect_pinned(path, &mut deadline) {
                Ok(socket) => {
                    let owner = peer_credentials(socket.as_fd())?.uid;
                    name::trust_owner(CONNECT, path, owner, options.any_owner)?;
                    let mut stream = UnixStream::of(socket);
                    stream.0.peer = Some(path.into());
                    return Ok(stream);
                }
                Err(error) => error.on(path),
            };
            let may_come = failure.is(Errno::ENOENT) || failure.is(Errno::ECONNREFUSED);
            if !may_come || !options.wait_for_listener || deadline.never_waits() {
                return Err(if failure.is(Errno::ECONNREFUSED) { failure.hint("nobody listens there") } else { failure });
            }
            deadline.pause().map_err(|error| error.on(path).hint("nobody listens there"))?;
        }
    }

    /// Two connected ends, for a process and the child that it forks: socketpair(2).
    pub fn pair() -> Result<(UnixStream, UnixStream)> {
        let mut ends = [-1; 2];
        // SAFETY: the array has room for the two descriptors.
        check(unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0, ends.as_mut_ptr()) })
            .during("create pair of Unix sockets")?;
        // SAFETY: the kernel has just given us these descriptors; nobody else owns them.
        let (first, second) = unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) };
        Ok((UnixStream::of(first), UnixStream::of(second)))
    }
}

pub(super) fn peer_credentials(descriptor: BorrowedFd<'_>) -> Result<Credentials> {
    const OPERATION: &str = "get credentials of peer";
    require_unix(OPERATION, descriptor)?;
    let found: libc::ucred = socket::option(descriptor, libc::SOL_SOCKET, libc::SO_PEERCRED).during(OPERATION)?;
    Ok(Credentials { pid: found.pid, uid: found.uid, gid: found.gid })
}

pub(super) fn peer_pidfd(descriptor: BorrowedFd<'_>) -> Result<OwnedFd> {
    const OPERATION: &str = "get pidfd of peer";
    require_unix(OPERATION, descriptor)?;
    match socket::option::<libc::c_int>(descriptor, libc::SOL_SOCKET, SO_PEERPIDFD) {
        // SAFETY: the kernel has just given us this descriptor, close-on-exec; nobody else owns it.
        Ok(raw) => Ok(unsafe { OwnedFd::from_raw_fd(raw) }),
        Err(Errno::ENOPROTOOPT) => Err(Error::failure(OPERATION, Failure::Unavailable).hint("it came with Linux 6.5")),
        Err(errno) => Err(Error::os(OPERATION, errno)),
    }
}

/// TCP answers SO_PEERCRED with nobody at all instead of an error.
fn require_unix(operation: &'static str, descriptor: BorrowedFd<'_>) -> Result<()> {
    match socket::family(descriptor) {
        Ok(libc::AF_UNIX) => Ok(()),
        _ => Err(Error::os(operation, Errno::EOPNOTSUPP).hint("only a Unix socket has them")),
    }
}

/// The directory and the name in it, pinned, so that a long directory does not matter to the temporary name.
struct Place {
    directory: OwnedFd,
    directory_path: PathBuf,
    name: String,
}

/// The name that a socket is bound under until it listens; removed when dropped.
struct Draft<'a> {
    place: &'a Place,
    name: String,
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        let _ = self.place.unlink(&self.name);
    }
}

impl Place {
    fn of(path: &str) -> Result<Place> {
        let absolute = std::path::absolute(path).during_on(LISTEN, path)?;
        let (Some(parent), Some(name)) = (absolute.parent(), Path::new(path).file_name().and_then(|name| name.to_str())) else {
            return Err(Error::os(LISTEN, Errno::EINVAL).on(path).hint("a path ends in a name"));
        };
        if path.ends_with('/') {
            return Err(Error::os(LISTEN, Errno::EINVAL).on(path).hint("a path ends in a name"));
        }
        let text = parent.to_str().unwrap_or(".");
        let directory = open_raw(text, libc::O_PATH | libc::O_DIRECTORY, 0)
            .map_err(|errno| Error::os(LISTEN, errno).on(path).hint(format!("the directory {} cannot be used", parent.display())))?;
        Ok(Place { directory, directory_path: parent.to_owned(), name: name.to_owned() })
    }

    fn path(&self) -> String {
        self.directory_path.join(&self.name).to_string_lossy().into_owned()
    }

    fn bind_for_now(&self, socket: BorrowedFd<'_>, path: &str) -> Result<Draft<'_>> {
        loop {
            let name = format!(".unipc-{}", unusual_suffix());
            let for_now = format!("/proc/self/fd/{}/{name}", self.directory.as_raw_fd());
            match bind(socket, &for_now) {
                Ok(()) => return Ok(Draft { place: self, name }),
                Err(Errno::EADDRINUSE) => {}
                Err(errno) => return Err(Error::os(LISTEN, errno).on(path)),
            }
        }
    }

    /// The name is nobody else's, and until it listens nobody can connect: there is no hurry with the permissions.
    fn set_permissions(&self, draft: &Draft<'_>, mode: u32, group: Option<u32>) -> std::result::Result<(), Errno> {
        let name = c_path(&draft.name)?;
        if let Some(group) = group {
            let flags = libc::AT_SYMLINK_NOFOLLOW;
            // SAFETY: the name is NUL-terminated and lives through the call; -1 leaves the owner as it is.
            check(unsafe { libc::fchownat(self.directory.as_raw_fd(), name.as_ptr(), libc::uid_t::MAX, group, flags) })?;
        }
        // SAFETY: as above.
        check(unsafe { libc::fchmodat(self.directory.as_raw_fd(), name.as_ptr(), mode as libc::mode_t, 0) })?;
        Ok(())
    }

    /// Links the listening socket into its place, exclusively; a dead server's path is reclaimed.
    fn publish(&self, draft: &Draft<'_>, path: &str) -> Result<Identity> {
        let identity = Identity::of(&self.status(&draft.name).during_on(LISTEN, path)?);
        loop {
            match self.link(&draft.name) {
                Ok(()) => return Ok(identity),
                Err(Errno::EEXIST) => self.reclaim(path)?,
                Err(errno) => return Err(Error::os(LISTEN, errno).on(path)),
            }
        }
    }

    /// Removes the path if it is a socket that nobody answers on.
    fn reclaim(&self, path: &str) -> Result<()> {
        self.refuse_if_alive(path)?;
        let _lock = self.lock(path)?;
        // Whoever had the lock before may have put a live one there.
        let Some(found) = self.refuse_if_alive(path)? else { return Ok(()) };
        match self.status(&self.name) {
            Ok(status) if Identity::of(&status) == found => self.unlink(&self.name).during_on(LISTEN, path),
            // Changed since: look again.
            _ => Ok(()),
        }
    }

    /// What stands at the path, if it is a dead socket; `None` if nothing does any more.
    fn refuse_if_alive(&self, path: &str) -> Result<Option<Identity>> {
        let status = match self.status(&self.name) {
            Ok(status) => status,
            Err(Errno::ENOENT) => return Ok(None),
            Err(errno) => return Err(Error::os(LISTEN, errno).on(path)),
        };
        if name::kind(&status) != libc::S_IFSOCK {
            return Err(name::wrong_kind(LISTEN, path, "a socket", &status));
        }
        match probe(path).during_on(LISTEN, path)? {
            Err(Errno::ECONNREFUSED) => Ok(Some(Identity::of(&status))),
            Err(Errno::ENOENT) => Ok(None),
            // A stream, a datagram socket, or one that we may not ask.
            _ => Err(Error::os(LISTEN, Errno::EADDRINUSE).on(path).hint("somebody uses it")),
        }
    }

    fn lock(&self, path: &str) -> Result<OwnedFd> {
        let directory = open_raw(&self.directory_path.to_string_lossy(), libc::O_RDONLY | libc::O_DIRECTORY, 0).map_err(|errno| {
            Error::os(LISTEN, errno).on(path).hint("a dead server's path cannot be reclaimed without reading its directory")
        })?;
        let mut deadline = Deadline::new(LISTEN, LOCK_PATIENCE);
        // SAFETY: flock takes integers.
        while let Err(errno) = check(unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }) {
            if errno != Errno::EWOULDBLOCK && errno != Errno::EINTR {
                return Err(Error::os(LISTEN, errno).on(path));
            }
            if deadline.pause().is_err() {
                return Err(Error::os(LISTEN, Errno::EBUSY).on(path).hint("somebody keeps the directory locked"));
            }
        }
        Ok(directory)
    }

    fn status(&self, name: &str) -> std::result::Result<libc::stat, Errno> {
        nix::sys::stat::fstatat(&self.directory, name, nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW)
    }

    fn link(&self, from: &str) -> std::result::Result<(), Errno> {
        let (from, to) = (c_path(from)?, c_path(&self.name)?);
        let directory = self.directory.as_raw_fd();
        // SAFETY: both names are NUL-terminated and live through the call.
        check(unsafe { libc::linkat(directory, from.as_ptr(), directory, to.as_ptr(), 0) })?;
        Ok(())
    }

    fn unlink(&self, name: &str) -> std::result::Result<(), Errno> {
        let name = c_path(name)?;
        // SAFETY: the name is NUL-terminated and lives through the call.
        check(unsafe { libc::unlinkat(self.directory.as_raw_fd(), name.as_ptr(), 0) })?;
        Ok(())
    }
}

/// Whether the socket at a path belongs to anybody: ECONNREFUSED if not.
///
/// It asks with a socket of another type. The kernel looks for the socket first and at its type second, so a live one answers EPROTOTYPE, also
/// before it listens, and its server never sees the question; a connection would have to be accepted.
///
/// The outer error is that nothing could be asked.
fn probe(path: &str) -> std::result::Result<std::result::Result<(), Errno>, Errno> {
    let socket = socket::create(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK)?;
    Ok(connect_once(socket.as_fd(), path))
}

/// Pins what is at the path, so that no link is followed and what is no socket is told as such, and connects through the pin.
fn connect_pinned(path: &str, deadline: &mut Deadline<'_>) -> Result<OwnedFd> {
    if path.starts_with('@') {
        return connect(path, deadline);
    }
    let pinned = open_raw(path, libc::O_PATH | libc::O_NOFOLLOW, 0).during(CONNECT)?;
    let status = status(pinned.as_fd()).during(CONNECT)?;
    if name::kind(&status) != libc::S_IFSOCK {
        return Err(name::wrong_kind(CONNECT, path, "a socket", &status));
    }
    match connect(&format!("/proc/self/fd/{}", pinned.as_raw_fd()), deadline) {
        // There is no /proc.
        Err(error) if error.is(Errno::ENOENT) || error.is(Errno::ENOTDIR) => connect(path, deadline),
        other => other,
    }
}

/// Connects, and waits while the listener's queue is full. The kernel offers no readiness for that, but a limit on the sender's patience.
fn connect(path: &str, deadline: &mut Deadline<'_>) -> Result<OwnedFd> {
    let plain = deadline.is_plain();
    let flags = if plain { 0 } else { libc::SOCK_NONBLOCK };
    let socket = socket::create(libc::AF_UNIX, libc::SOCK_STREAM | flags).during(CONNECT)?;
    let mut has_limit = false;
    loop {
        match connect_once(socket.as_fd(), path) {
            Ok(()) => break,
            // In the plain case the kernel's patience has no end that a signal could put off.
            Err(Errno::EINTR) if !has_limit => {}
            Err(Errno::EAGAIN | Errno::EINTR) => {
                let slice = deadline.slice(i64::MAX)?;
                make_blocking(socket.as_fd()).during(CONNECT)?;
                set_patience(socket.as_fd(), slice).during(CONNECT)?;
                has_limit = true;
            }
            Err(errno) => return Err(Error::os(CONNECT, errno)),
        }
    }
    if has_limit {
        set_patience(socket.as_fd(), 0).during(CONNECT)?;
    }
    make_blocking(socket.as_fd()).during(CONNECT)?;
    Ok(socket)
}

/// Zero nanoseconds are no limit.
fn set_patience(socket: BorrowedFd<'_>, nanoseconds: i64) -> std::result::Result<(), Errno> {
    let microseconds = if nanoseconds == 0 { 0 } else { (nanoseconds / 1000).max(1) };
    let limit = libc::timeval { tv_sec: (microseconds / 1_000_000) as _, tv_usec: (microseconds % 1_000_000) as libc::suseconds_t };
    socket::set_option(socket, libc::SOL_SOCKET, libc::SO_SNDTIMEO, limit)
}

fn connect_once(socket: BorrowedFd<'_>, path: &str) -> std::result::Result<(), Errno> {
    let (address, length) = address(path)?;
    // SAFETY: the address is valid for reads of `length` bytes.
    check(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), length) })?;
    Ok(())
}

fn bind(socket: BorrowedFd<'_>, path: &str) -> std::result::Result<(), Errno> {
    let (address, length) = address(path)?;
    // SAFETY: the address is valid for reads of `length` bytes.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) })?;
    Ok(())
}

fn listen(socket: BorrowedFd<'_>, backlog: libc::c_int) -> std::result::Result<(), Errno> {
    // SAFETY: listen takes integers.
    check(unsafe { libc::listen(socket.as_raw_fd(), backlog) })?;
    Ok(())
}

fn check_path(operation: &'static str, path: &str) -> Result<()> {
    match path.strip_prefix('@') {
        Some("") => Err(Error::os(operation, Errno::EINVAL).on(path).hint("an abstract name has at least one character")),
        Some(name) => name::path(operation, name, LONGEST_PATH),
        None => name::path(operation, path, LONGEST_PATH),
    }
}

const PATH_OFFSET: usize = std::mem::offset_of!(libc::sockaddr_un, sun_path);

/// The kernel's form: a path with its NUL, an abstract name behind a NUL and without one at the end.
fn address(path: &str) -> std::result::Result<(libc::sockaddr_un, libc::socklen_t), Errno> {
    // SAFETY: zero bytes are a valid sockaddr_un.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    if path.len() > LONGEST_PATH + usize::from(path.starts_with('@')) {
        return Err(Errno::ENAMETOOLONG);
    }
    for (place, byte) in address.sun_path.iter_mut().zip(path.bytes()) {
        *place = byte as libc::c_char;
    }
    let mut length = PATH_OFFSET + path.len();
    if path.starts_with('@') {
        address.sun_path[0] = 0;
    } else {
        length += 1;
    }
    Ok((address, length as libc::socklen_t))
}

pub(super) fn address_to_text(address: &libc::sockaddr_un, length: libc::socklen_t) -> String {
    let used = (length as usize).clamp(PATH_OFFSET, PATH_OFFSET + address.sun_path.len()) - PATH_OFFSET;
    let bytes: Vec<u8> = address.sun_path[..used].iter().map(|byte| *byte as u8).collect();
    match bytes.split_first() {
        None => String::new(),
        Some((0, name)) => format!("@{}", String::from_utf8_lossy(name)),
        Some(_) => String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or(&[])).into_owned(),
    }
}
