//! Unix and TCP sockets: listening, accepting, connecting, and who the peer is.

use std::ffi::{c_char, c_int};
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};

use unipc_core::Error;
use unipc_core::stream::{
    ByteStream, Listener, TcpListener, TcpOptions, TcpStream, UnixConnectOptions, UnixListenOptions, UnixListener, UnixStream,
};

use crate::error::{UNIPC_OFF, UNIPC_ON};
use crate::stream::{adopt, unipc_stream};
use crate::wait::waiting;
use crate::{
    Versioned, close, fd_of, guard, guard_new, guard_size, guard_unit, initialise, input, invalid, optional_text, options, store,
    store_text, switch, text,
};

/// A socket that listens: Unix or TCP. A handle costs one descriptor. fork hands it on; several processes may accept from it.
pub struct unipc_listener(Listener);

/// Options of unipc_listener_open_unix. Begin with UNIPC_UNIX_LISTEN_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_unix_listen_options {
    /// sizeof(unipc_unix_listen_options)
    pub struct_size: usize,
    /// the group of the path, by name or number; NULL: the process's
    pub group: *const c_char,
    /// permissions of the path, set whatever the umask says; 0: 0600. To connect, one needs to write.
    pub mode: u32,
    /// how many connections may wait to be accepted; 0: 128
    pub backlog: u32,
}

// SAFETY: repr(C), begins with the size, made of integers and a pointer that may be NULL.
unsafe impl Versioned for unipc_unix_listen_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_UNIX_LISTEN_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_unix_listen_options_init(options: *mut unipc_unix_listen_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// Options of unipc_stream_connect_unix. Begin with UNIPC_UNIX_CONNECT_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_unix_connect_options {
    /// sizeof(unipc_unix_connect_options)
    pub struct_size: usize,
    /// 1 accepts a listener of a user other than oneself and root
    pub any_owner: u32,
    /// 1 waits, within the timeout, for the listener to appear
    pub wait_for_listener: u32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_unix_connect_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_UNIX_CONNECT_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_unix_connect_options_init(options: *mut unipc_unix_connect_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// Listens on a path, or on an abstract name that begins with "@". The path appears when the socket listens, not before; the path of a server that
/// has died is reclaimed, that of a live one never.
///
/// @param path      at most 107 bytes, for an abstract name without the "@"
/// @param options   mode, group, backlog; NULL: 0600, 128
/// @param listener  receives the handle, or NULL on failure; close it with unipc_listener_close
/// @return          0; -EADDRINUSE: somebody listens there; UNIPC_WRONG_KIND: there is something else at the path, and it stays; -ENOENT: no such
///                  directory; -EACCES, -EROFS, -ENOSPC; -EBUSY: the directory is kept locked; -ENAMETOOLONG; -EINVAL: NULL, an empty path, mode or
///                  group; -E2BIG, -EMFILE, -ENFILE
///
/// Threads: any. Signal-safe: no. Since 0.1. See unix(7).
///
/// # Safety
/// `path` is NULL or a string; `options` is NULL or as large as it says; `listener` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_listener_open_unix(
    path: *const c_char,
    options: *const unipc_unix_listen_options,
    listener: *mut *mut unipc_listener,
) -> c_int {
    const OPERATION: &str = "listen on Unix socket";
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(OPERATION, listener, || {
            let options = self::options(OPERATION, options)?;
            let own = UnixListenOptions {
                mode: options.mode,
                group: optional_text(OPERATION, options.group)?.map(str::to_owned),
                backlog: options.backlog,
            };
            UnixListener::open(text(OPERATION, path)?, &own).map(|listener| unipc_listener(Listener::Unix(listener)))
        })
    }
}

/// Connects to a path, or to an abstract name that begins with "@".
///
/// @param path     at most 107 bytes, for an abstract name without the "@"
/// @param options  any_owner, wait_for_listener; NULL: listeners of oneself and root, that are there
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param stream   receives the handle, or NULL on failure; close it with unipc_stream_close
/// @return         0; -ENOENT; -ECONNREFUSED: nobody listens; UNIPC_WRONG_KIND: no socket; -ELOOP: a symbolic link; -EPERM: the listener is another user's;
///                 -EACCES; -EAGAIN, -ETIMEDOUT: its queue is full; -ETIMEDOUT: also if wait_for_listener and nobody came to listen; -ECANCELED: the bound
///                 stop token; -ENAMETOOLONG; -EINVAL: NULL or empty; -E2BIG, -EMFILE, -ENFILE
///
/// Threads: any. Signal-safe: no. Since 0.1. See unix(7).
///
/// # Safety
/// `path` is NULL or a string; `options` is NULL or as large as it says; `stream` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_connect_unix(
    path: *const c_char,
    options: *const unipc_unix_connect_options,
    timeout: i64,
    stream: *mut *mut unipc_stream,
) -> c_int {
    const OPERATION: &str = "connect to Unix socket";
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(OPERATION, stream, || {
            let options = self::options(OPERATION, options)?;
            let own = UnixConnectOptions {
                any_owner: switch(OPERATION, options.any_owner)?,
                wait_for_listener: switch(OPERATION, options.wait_for_listener)?,
            };
            let path = text(OPERATION, path)?;
            let stream = waiting(timeout, |wait| UnixStream::connect(path, &own, wait))?;
            Ok(unipc_stream(ByteStream::from(stream)))
        })
    }
}

/// Who is at the other end of a Unix socket, as the kernel noted it when the connection was made. Begin with UNIPC_CREDENTIALS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_credentials {
    /// sizeof(unipc_credentials)
    pub struct_size: usize,
    /// the process that connected, listened or made the pair; 0: it is in another pid namespace. The number may have been reused since.
    pub pid: i32,
    /// its effective user
    pub uid: u32,
    /// its effective group
    pub gid: u32,
    /// zero
    pub reserved: u32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_credentials {}

/// Sets struct_size and zeroes the rest, as UNIPC_CREDENTIALS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `credentials` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_credentials_init(credentials: *mut unipc_credentials) {
    // SAFETY: the caller's promise.
    unsafe { initialise(credentials) }
}

/// Who is at the other end of a Unix socket.
///
/// @param credentials  receives the answer; its struct_size is set
/// @return             0; -EOPNOTSUPP: no Unix socket; -EINVAL: NULL, struct_size not set
///
/// Threads: any. Signal-safe: no. Since 0.1. See unix(7), SO_PEERCRED.
///
/// # Safety
/// `stream` is NULL or a live handle; `credentials` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_peer_credentials(stream: *const unipc_stream, credentials: *mut unipc_credentials) -> c_int {
    const OPERATION: &str = "get credentials of peer";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let found = input(OPERATION, stream)?.0.peer_credentials()?;
        let answer = unipc_credentials { struct_size: 0, pid: found.pid, uid: found.uid, gid: found.gid, reserved: 0 };
        store(OPERATION, credentials, &answer)
    })
}

/// A pidfd of the process at the other end of a Unix socket, which no reuse of its number can mislead: for waiting until it exits, and for signals.
///
/// @return  a descriptor that is the caller's, close-on-exec; UNIPC_UNAVAILABLE: before Linux 6.5; -ESRCH: it is gone; -EOPNOTSUPP: no Unix socket;
///          -EINVAL: NULL; -EMFILE, -ENFILE
///
/// Threads: any. Signal-safe: no. Since 0.1. See pidfd_open(2).
///
/// # Safety
/// `stream` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_peer_pidfd(stream: *const unipc_stream) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| Ok(unsafe { input("get pidfd of peer", stream) }?.0.peer_pidfd()?.into_raw_fd()))
}

/// Options of TCP. Begin with UNIPC_TCP_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_tcp_options {
    /// sizeof(unipc_tcp_options)
    pub struct_size: usize,
    /// UNIPC_ON or UNIPC_OFF: send small pieces at once; 0: on
    pub nodelay: u32,
    /// UNIPC_ON or UNIPC_OFF: ask a silent peer whether it lives; 0: off
    pub keep_alive: u32,
    /// seconds of silence before the first question; 0: the system's
    pub keep_alive_idle: u32,
    /// seconds between questions; 0: the system's
    pub keep_alive_interval: u32,
    /// questions without an answer before the connection is given up; 0: the system's
    pub keep_alive_count: u32,
    /// listener: how many connections may wait to be accepted; 0: 128
    pub backlog: u32,
    /// 4, 6, or 0 for both
    pub family: u32,
    /// listener: 1 lets several listeners share the port
    pub reuse_port: u32,
    /// connect: 1 tries again, within the timeout, while the connection is refused
    pub wait_for_listener: u32,
    /// connect: 1 looks a name up on a helper thread, so that the timeout covers it
    pub resolve_on_thread: u32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_tcp_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_TCP_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_tcp_options_init(options: *mut unipc_tcp_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// A switch that has a default of its own.
fn choice(operation: &'static str, value: u32) -> Result<Option<bool>, Error> {
    match value {
        0 => Ok(None),
        UNIPC_ON => Ok(Some(true)),
        UNIPC_OFF => Ok(Some(false)),
        _ => Err(invalid(operation, "a choice is 0, UNIPC_ON or UNIPC_OFF")),
    }
}

/// # Safety
/// `options` is NULL or as large as it says.
unsafe fn tcp_options(operation: &'static str, options: *const unipc_tcp_options) -> Result<TcpOptions, Error> {
    // SAFETY: the caller's promise.
    let options = unsafe { self::options(operation, options) }?;
    Ok(TcpOptions {
        nodelay: choice(operation, options.nodelay)?,
        keep_alive: choice(operation, options.keep_alive)?,
        keep_alive_idle: options.keep_alive_idle,
        keep_alive_interval: options.keep_alive_interval,
        keep_alive_count: options.keep_alive_count,
        backlog: options.backlog,
        family: options.family,
        reuse_port: switch(operation, options.reuse_port)?,
        wait_for_listener: switch(operation, options.wait_for_listener)?,
        resolve_on_thread: switch(operation, options.resolve_on_thread)?,
    })
}

/// Listens on a TCP address and port.
///
/// @param host      a name, an IPv4 or an IPv6 literal ("0.0.0.0" is every IPv4 address); NULL: loopback
/// @param port      0 to 65535; 0: the system chooses, and unipc_listener_port tells
/// @param options   backlog, family, reuse_port; the rest is given to the accepted connections; NULL: defaults
/// @param listener  receives the handle, or NULL on failure; close it with unipc_listener_close
/// @return          0; -EADDRINUSE; -EADDRNOTAVAIL: an unknown name, or not this machine's address; -EACCES: a port below 1024; -EINVAL: NULL, port,
///                  family; -E2BIG, -EMFILE, -ENFILE
///
/// Threads: any. Signal-safe: no. Since 0.1. See tcp(7), ip(7), ipv6(7).
///
/// # Safety
/// `host` is NULL or a string; `options` is NULL or as large as it says; `listener` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_listener_open_tcp(
    host: *const c_char,
    port: u32,
    options: *const unipc_tcp_options,
    listener: *mut *mut unipc_listener,
) -> c_int {
    const OPERATION: &str = "listen on TCP";
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(OPERATION, listener, || {
            let (host, options) = (optional_text(OPERATION, host)?, tcp_options(OPERATION, options)?);
            TcpListener::open(host, port, &options).map(|listener| unipc_listener(Listener::Tcp(listener)))
        })
    }
}

/// Connects to a TCP address and port. Each address of a name is tried in turn, within the one timeout.
///
/// @param host     a name, an IPv4 or an IPv6 literal; NULL: loopback
/// @param port     1 to 65535
/// @param options  nodelay, keep_alive, family, wait_for_listener, resolve_on_thread; NULL: defaults
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param stream   receives the handle, or NULL on failure; close it with unipc_stream_close
/// @return         0; -ECONNREFUSED; -EADDRNOTAVAIL: an unknown name; -EHOSTUNREACH, -ENETUNREACH; -EAGAIN, -ETIMEDOUT: no answer; -ETIMEDOUT: also if
///                 wait_for_listener and nobody came to listen; -ECANCELED: the bound stop token; -EINVAL: NULL, port, family; -E2BIG, -EMFILE, -ENFILE
///
/// Threads: any. Signal-safe: no. Since 0.1. See tcp(7), getaddrinfo(3).
///
/// # Safety
/// `host` is NULL or a string; `options` is NULL or as large as it says; `stream` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_connect_tcp(
    host: *const c_char,
    port: u32,
    options: *const unipc_tcp_options,
    timeout: i64,
    stream: *mut *mut unipc_stream,
) -> c_int {
    const OPERATION: &str = "connect to TCP";
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(OPERATION, stream, || {
            let (host, options) = (optional_text(OPERATION, host)?, tcp_options(OPERATION, options)?);
            let stream = waiting(timeout, |wait| TcpStream::connect(host, port, &options, wait))?;
            Ok(unipc_stream(ByteStream::from(stream)))
        })
    }
}

/// Takes the next connection.
///
/// When no descriptor or memory is left, the connection stays in the queue, and the call waits for some, within its timeout and 100 ms at most,
/// before it says so; a loop around it does not burn the processor.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param stream   receives the handle, or NULL on failure; close it with unipc_stream_close
/// @return         0; -EAGAIN, -ETIMEDOUT: nobody came; -ECANCELED: the bound stop token; -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM: a shortage;
///                 -EINVAL: NULL
///
/// Threads: any, several at once. Fork: several processes may accept. Signal-safe: no. Since 0.1. See accept(2).
///
/// # Safety
/// `listener` is NULL or a live handle; `stream` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_listener_accept(listener: *mut unipc_listener, timeout: i64, stream: *mut *mut unipc_stream) -> c_int {
    const OPERATION: &str = "accept";
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(OPERATION, stream, || {
            let listener = input(OPERATION, listener.cast_const())?;
            waiting(timeout, |wait| listener.0.accept(wait)).map(unipc_stream)
        })
    }
}

/// The port that a TCP listener listens on.
///
/// @return  1 to 65535; -EOPNOTSUPP: a Unix listener; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `listener` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_listener_port(listener: *const unipc_listener) -> c_int {
    const OPERATION: &str = "get port of listener";
    // SAFETY: the caller's promise.
    guard(|| match &unsafe { input(OPERATION, listener) }?.0 {
        Listener::Tcp(listener) => Ok(c_int::from(listener.port()?)),
        Listener::Unix(_) => Err(Error::from_code(OPERATION, -libc::EOPNOTSUPP).hint("a Unix listener has a path")),
    })
}

/// Where the listener listens: "/path", "@name", "127.0.0.1:80", "[::1]:80".
///
/// @param buffer    where the text goes, always NUL-terminated; NULL if only the length is wanted
/// @param capacity  bytes in buffer; a longer text is cut
/// @return          the length of the whole text without the NUL; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See getsockname(2).
///
/// # Safety
/// `listener` is NULL or a live handle; `buffer` is NULL or valid for writes of `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_listener_address(listener: *const unipc_listener, buffer: *mut c_char, capacity: usize) -> isize {
    // SAFETY: the caller's promise.
    guard_size(|| unsafe { Ok(store_text(&input("get address of listener", listener)?.0.address()?, buffer, capacity)) })
}

/// The descriptor, which stays the handle's: readable while there is a connection to accept. For poll, epoll and event loops.
///
/// @return  the descriptor; -EINVAL: NULL
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `listener` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_listener_fd(listener: *const unipc_listener) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { fd_of(listener, |listener| listener.0.as_fd()) }
}

/// Takes over a socket that listens, for instance from a service manager. It is taken over on success alone, and made close-on-exec. A blocking one
/// stays blocking; if other processes accept from it too, an accept with a timeout may then wait longer.
///
/// @param fd        an open descriptor
/// @param listener  receives the handle, or NULL on failure; close it with unipc_listener_close
/// @return          0; -EBADF; UNIPC_WRONG_KIND: no stream socket that listens; -ENOTSOCK; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// The caller owns `fd`; `listener` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_listener_from_fd(fd: c_int, listener: *mut *mut unipc_listener) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { guard_new("adopt listener", listener, || adopt(fd, Listener::adopt).map(unipc_listener)) }
}

/// Gives the descriptor away; the handle is gone. The path of a Unix listener stays.
///
/// @return  the descriptor, which is the caller's; -EINVAL: NULL
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `listener` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_listener_into_fd(listener: *mut unipc_listener) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { input("release listener", listener.cast_const()) }?;
        // SAFETY: a handle, made by `Box::into_raw`, that the caller gives back.
        Ok(OwnedFd::from(unsafe { Box::from_raw(listener) }.0).into_raw_fd())
    })
}

/// Closes the listener; NULL is fine. The path that it published is removed, unless another socket has taken it.
///
/// Threads: none may use the handle meanwhile. Fork: closing in a child removes no path. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `listener` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_listener_close(listener: *mut unipc_listener) {
    // SAFETY: the caller's promise.
    unsafe { close(listener) }
}
