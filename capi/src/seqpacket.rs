//! Unix SEQPACKET sockets.

use std::ffi::{c_char, c_int, c_void};
use std::net::Shutdown;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};

use unipc_core::Error;
use unipc_core::message::{Seqpacket, SeqpacketListener, SeqpacketOptions};
use unipc_core::stream::UnixListenOptions;

use crate::datagram::{connect_options, told};
use crate::descriptors::{check_room, descriptors, hand_over, store_groups};
use crate::message::unipc_message_info;
use crate::socket::{unipc_credentials, unipc_unix_connect_options, unipc_unix_listen_options};
use crate::stream::{UNIPC_SHUTDOWN_BOTH, UNIPC_SHUTDOWN_READ, UNIPC_SHUTDOWN_WRITE, adopt, new_pair};
use crate::wait::waiting;
use crate::{
    Versioned, buffer, bytes, close, fd_of, guard, guard_new, guard_size, guard_unit, initialise, input, invalid, optional_text, options,
    store, store_text, switch, text,
};

/// A Unix SEQPACKET connection: messages whose boundaries are kept, in order, both ways, and an end.
///
/// A handle costs one descriptor. fork hands it on; each message goes to one of several receivers. Any threads may send and receive.
pub struct unipc_seqpacket(Seqpacket);

/// A SEQPACKET socket that listens. A handle costs one descriptor. fork hands it on; several processes may accept from it.
pub struct unipc_seqpacket_listener(SeqpacketListener);

/// Options of seqpacket connections. Begin with UNIPC_SEQPACKET_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_seqpacket_options {
    /// sizeof(unipc_seqpacket_options)
    pub struct_size: usize,
    /// bytes of the sending buffer, which bound the largest message; 0: the system's, about 200 KB
    pub send_buffer: usize,
    /// 1 tells with every message who sent it
    pub credentials: u32,
    /// 1 gives a pidfd of the sender with every message, where the kernel has that (Linux 6.5)
    pub pidfds: u32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_seqpacket_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_SEQPACKET_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_options_init(options: *mut unipc_seqpacket_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// # Safety
/// `options` is NULL or as large as it says.
unsafe fn seqpacket_options(operation: &'static str, options: *const unipc_seqpacket_options) -> Result<SeqpacketOptions, Error> {
    // SAFETY: the caller's promise.
    let options = unsafe { self::options(operation, options) }?;
    Ok(SeqpacketOptions {
        credentials: switch(operation, options.credentials)?,
        pidfds: switch(operation, options.pidfds)?,
        send_buffer: options.send_buffer,
    })
}

/// Listens on a path, or on an abstract name that begins with "@", as unipc_listener_open_unix does for streams.
///
/// @param path      at most 107 bytes, for an abstract name without the "@"
/// @param options   mode, group, backlog; NULL: 0600, 128
/// @param listener  receives the handle, or NULL on failure; close it with unipc_seqpacket_listener_close
/// @return          as unipc_listener_open_unix
///
/// Threads: any. Signal-safe: no. Since 0.1. See unix(7).
///
/// # Safety
/// `path` is NULL or a string; `options` is NULL or as large as it says; `listener` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_listener_open_unix(
    path: *const c_char,
    options: *const unipc_unix_listen_options,
    listener: *mut *mut unipc_seqpacket_listener,
) -> c_int {
    const OPERATION: &str = "listen on seqpacket socket";
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(OPERATION, listener, || {
            let options = self::options(OPERATION, options)?;
            let own = UnixListenOptions {
                mode: options.mode,
                group: optional_text(OPERATION, options.group)?.map(str::to_owned),
                backlog: options.backlog,
            };
            SeqpacketListener::open(text(OPERATION, path)?, &own).map(unipc_seqpacket_listener)
        })
    }
}

/// Takes the next connection, as unipc_listener_accept does for streams.
///
/// @param options    credentials, pidfds, send_buffer of the connection; NULL: defaults
/// @param timeout    nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param seqpacket  receives the handle, or NULL on failure; close it with unipc_seqpacket_close
/// @return           as unipc_listener_accept; -E2BIG
///
/// Threads: any, several at once. Fork: several processes may accept. Signal-safe: no. Since 0.1. See accept(2).
///
/// # Safety
/// `listener` is NULL or a live handle; `options` is NULL or as large as it says; `seqpacket` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_listener_accept(
    listener: *mut unipc_seqpacket_listener,
    options: *const unipc_seqpacket_options,
    timeout: i64,
    seqpacket: *mut *mut unipc_seqpacket,
) -> c_int {
    const OPERATION: &str = "accept on seqpacket socket";
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(OPERATION, seqpacket, || {
            let (listener, options) = (input(OPERATION, listener.cast_const())?, seqpacket_options(OPERATION, options)?);
            waiting(timeout, |wait| listener.0.accept(&options, wait)).map(unipc_seqpacket)
        })
    }
}

/// Where the listener listens: "/path", "@name".
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
pub unsafe extern "C" fn unipc_seqpacket_listener_address(
    listener: *const unipc_seqpacket_listener,
    buffer: *mut c_char,
    capacity: usize,
) -> isize {
    // SAFETY: the caller's promise.
    guard_size(|| unsafe { Ok(store_text(&input("get address of listener", listener)?.0.address()?, buffer, capacity)) })
}

/// Takes over a seqpacket socket that listens. It is taken over on success alone, and made close-on-exec.
///
/// @param fd        an open descriptor
/// @param listener  receives the handle, or NULL on failure; close it with unipc_seqpacket_listener_close
/// @return          0; -EBADF; UNIPC_WRONG_KIND: no seqpacket socket that listens; -ENOTSOCK; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// The caller owns `fd`; `listener` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_listener_from_fd(fd: c_int, listener: *mut *mut unipc_seqpacket_listener) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { guard_new("adopt seqpacket socket", listener, || adopt(fd, SeqpacketListener::adopt).map(unipc_seqpacket_listener)) }
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
pub unsafe extern "C" fn unipc_seqpacket_listener_fd(listener: *const unipc_seqpacket_listener) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { fd_of(listener, |listener| listener.0.as_fd()) }
}

/// Gives the descriptor away; the handle is gone. The path stays.
///
/// @return  the descriptor, which is the caller's; -EINVAL: NULL
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `listener` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_listener_into_fd(listener: *mut unipc_seqpacket_listener) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { input("release listener", listener.cast_const()) }?;
        // SAFETY: a handle, made by `Box::into_raw`, that the caller gives back.
        Ok(OwnedFd::from(unsafe { Box::from_raw(listener) }.0).into_raw_fd())
    })
}

/// Closes it; NULL is fine. The path that it published is removed, unless another socket has taken it.
///
/// Threads: none may use the handle meanwhile. Fork: closing in a child removes no path. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `listener` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_listener_close(listener: *mut unipc_seqpacket_listener) {
    // SAFETY: the caller's promise.
    unsafe { close(listener) }
}

/// Connects to a path, or to an abstract name that begins with "@".
///
/// @param path       at most 107 bytes, for an abstract name without the "@"
/// @param connect    any_owner, wait_for_listener; NULL: listeners of oneself and root, that are there
/// @param options    credentials, pidfds, send_buffer; NULL: defaults
/// @param timeout    nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param seqpacket  receives the handle, or NULL on failure; close it with unipc_seqpacket_close
/// @return           as unipc_stream_connect_unix; -EPROTOTYPE: a socket of another type
///
/// Threads: any. Signal-safe: no. Since 0.1. See unix(7).
///
/// # Safety
/// `path` is NULL or a string; the options are NULL or as large as they say; `seqpacket` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_connect_unix(
    path: *const c_char,
    connect: *const unipc_unix_connect_options,
    options: *const unipc_seqpacket_options,
    timeout: i64,
    seqpacket: *mut *mut unipc_seqpacket,
) -> c_int {
    const OPERATION: &str = "connect to seqpacket socket";
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(OPERATION, seqpacket, || {
            let (path, connect) = (text(OPERATION, path)?, connect_options(OPERATION, connect)?);
            let options = seqpacket_options(OPERATION, options)?;
            waiting(timeout, |wait| Seqpacket::connect(path, &connect, &options, wait)).map(unipc_seqpacket)
        })
    }
}

/// Two connected ends, for a process and the child that it forks.
///
/// @param options  credentials, pidfds, send_buffer; NULL: defaults
/// @param first    receives one end, or NULL on failure; close it with unipc_seqpacket_close
/// @param second   receives the other end, or NULL on failure; close it with unipc_seqpacket_close
/// @return         0; -EMFILE, -ENFILE, -ENOBUFS; -EINVAL: NULL; -E2BIG
///
/// Threads: any. Signal-safe: no. Since 0.1. See socketpair(2).
///
/// # Safety
/// `options` is NULL or as large as it says; the out-pointers are NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_pair_unix(
    options: *const unipc_seqpacket_options,
    first: *mut *mut unipc_seqpacket,
    second: *mut *mut unipc_seqpacket,
) -> c_int {
    const OPERATION: &str = "create pair of seqpacket sockets";
    // SAFETY: the caller's promise.
    unsafe {
        new_pair(OPERATION, first, second, || {
            let (first, second) = Seqpacket::pair(&seqpacket_options(OPERATION, options)?)?;
            Ok((unipc_seqpacket(first), unipc_seqpacket(second)))
        })
    }
}

/// Sends a message, whole or not at all.
///
/// @param data     may be NULL if length is 0
/// @param length   bytes; 0 is a message, too
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         0; -EPIPE, -ECONNRESET: nobody receives any more; -EMSGSIZE: larger than the buffer; -EAGAIN, -ETIMEDOUT: the peer's queue is full;
///                 -ECANCELED: the bound stop token; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See send(2).
///
/// # Safety
/// `seqpacket` is NULL or a live handle; `data` is valid for reads of `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_send(seqpacket: *mut unipc_seqpacket, data: *const c_void, length: usize, timeout: i64) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { unipc_seqpacket_send_fds(seqpacket, data, length, std::ptr::null(), 0, timeout) }
}

/// Sends a message with descriptors, whole or not at all. They stay the caller's, too.
///
/// @param data      may be NULL if length is 0
/// @param length    bytes; 0 is a message, too
/// @param fds       descriptors
/// @param fd_count  how many, at most UNIPC_MOST_FDS
/// @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return          as unipc_seqpacket_send; -EBADF; -ETOOMANYREFS: too many are on their way
///
/// Threads: any. Signal-safe: no. Since 0.1. See unix(7), SCM_RIGHTS.
///
/// # Safety
/// `seqpacket` is NULL or a live handle; `data` and `fds` are valid for reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_send_fds(
    seqpacket: *mut unipc_seqpacket,
    data: *const c_void,
    length: usize,
    fds: *const c_int,
    fd_count: usize,
    timeout: i64,
) -> c_int {
    const OPERATION: &str = "send to seqpacket socket";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let (seqpacket, data) = (input(OPERATION, seqpacket.cast_const())?, bytes(OPERATION, data, length)?);
        let fds = descriptors(OPERATION, fds, fd_count)?;
        waiting(timeout, |wait| seqpacket.0.send_descriptors(data, fds, wait))
    })
}

/// Receives a message.
///
/// @param buffer    where to; may be NULL if capacity is 0
/// @param capacity  bytes
/// @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param info      receives the size, also with -EMSGSIZE, and who sent it if credentials were asked for; may be NULL
/// @return          its length, 0 for an empty message; UNIPC_END: the peer has ended; -ECONNRESET: it has, without receiving everything; -EMSGSIZE: the
///                  message did not fit and is lost (unipc_seqpacket_next_size looks before); -EAGAIN, -ETIMEDOUT: nothing came; -ECANCELED: the bound
///                  stop token; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See recv(2).
///
/// # Safety
/// `seqpacket` is NULL or a live handle; `buffer` is valid for writes of `capacity` bytes; `info` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_receive(
    seqpacket: *mut unipc_seqpacket,
    buffer: *mut c_void,
    capacity: usize,
    timeout: i64,
    info: *mut unipc_message_info,
) -> isize {
    let mut none = 0;
    // SAFETY: the caller's promise.
    unsafe { unipc_seqpacket_receive_fds(seqpacket, buffer, capacity, std::ptr::null_mut(), 0, &mut none, timeout, info) }
}

/// Receives a message and the descriptors that come with it, which are close-on-exec.
///
/// @param buffer    where to; may be NULL if capacity is 0
/// @param capacity  bytes
/// @param fds       receives the descriptors, which are then the caller's
/// @param maximum   how many there is room for
/// @param fd_count  receives how many came; 0 in failure
/// @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param info      as unipc_seqpacket_receive
/// @return          as unipc_seqpacket_receive; -EPROTO: the peer sent more than maximum; -EMFILE: this process has no room for them (in both cases the
///                  message is lost, and all is closed)
///
/// Threads: any. Signal-safe: no. Since 0.1. See unix(7), recvmsg(2).
///
/// # Safety
/// As unipc_seqpacket_receive; `fds` is NULL or valid for writes of `maximum` numbers; `fd_count` is NULL or valid to write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_receive_fds(
    seqpacket: *mut unipc_seqpacket,
    buffer: *mut c_void,
    capacity: usize,
    fds: *mut c_int,
    maximum: usize,
    fd_count: *mut usize,
    timeout: i64,
    info: *mut unipc_message_info,
) -> isize {
    const OPERATION: &str = "receive from seqpacket socket";
    // SAFETY: the caller's promise.
    guard_size(|| unsafe {
        check_room(OPERATION, fds, maximum, fd_count)?;
        let (seqpacket, buffer) = (input(OPERATION, seqpacket.cast_const())?, self::buffer(OPERATION, buffer, capacity)?);
        let receive = || waiting(timeout, |wait| seqpacket.0.receive_descriptors(buffer, maximum, wait));
        let received = told(OPERATION, info, receive)?;
        hand_over(received.descriptors, fds, fd_count);
        Ok(received.info.size)
    })
}

/// The size of the next message, which stays.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         bytes; else as unipc_seqpacket_receive
///
/// Threads: any; another receiver may take the message. Signal-safe: no. Since 0.1. See recv(2), MSG_PEEK.
///
/// # Safety
/// `seqpacket` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_next_size(seqpacket: *mut unipc_seqpacket, timeout: i64) -> isize {
    const OPERATION: &str = "receive from seqpacket socket";
    // SAFETY: the caller's promise.
    guard_size(|| waiting(timeout, |wait| unsafe { input(OPERATION, seqpacket.cast_const()) }?.0.next_size(wait)))
}

/// Ends one direction or both: the peer then meets the end.
///
/// @param how  UNIPC_SHUTDOWN_READ, UNIPC_SHUTDOWN_WRITE or UNIPC_SHUTDOWN_BOTH
/// @return     0; -EINVAL: NULL, how
///
/// Threads: any; it wakes those that wait. Signal-safe: no. Since 0.1. See shutdown(2).
///
/// # Safety
/// `seqpacket` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_shutdown(seqpacket: *mut unipc_seqpacket, how: c_int) -> c_int {
    const OPERATION: &str = "shut seqpacket socket down";
    guard_unit(|| {
        let how = match how {
            UNIPC_SHUTDOWN_READ => Shutdown::Read,
            UNIPC_SHUTDOWN_WRITE => Shutdown::Write,
            UNIPC_SHUTDOWN_BOTH => Shutdown::Both,
            _ => return Err(invalid(OPERATION, "one of UNIPC_SHUTDOWN_READ, _WRITE, _BOTH")),
        };
        // SAFETY: the caller's promise.
        unsafe { input(OPERATION, seqpacket.cast_const()) }?.0.shutdown(how)
    })
}

/// Who is at the other end, as the kernel noted it when the connection was made.
///
/// @param credentials  receives the answer; its struct_size is set
/// @return             0; -EINVAL: NULL, struct_size not set
///
/// Threads: any. Signal-safe: no. Since 0.1. See unix(7), SO_PEERCRED.
///
/// # Safety
/// `seqpacket` is NULL or a live handle; `credentials` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_peer_credentials(seqpacket: *const unipc_seqpacket, credentials: *mut unipc_credentials) -> c_int {
    const OPERATION: &str = "get credentials of peer";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let found = input(OPERATION, seqpacket)?.0.peer_credentials()?;
        let answer = unipc_credentials { struct_size: 0, pid: found.pid, uid: found.uid, gid: found.gid, reserved: 0 };
        store(OPERATION, credentials, &answer)
    })
}

/// A pidfd of the process at the other end, as unipc_stream_peer_pidfd.
///
/// @return  a descriptor that is the caller's, close-on-exec; UNIPC_UNAVAILABLE: before Linux 6.5; -ESRCH: it is gone; -EINVAL: NULL; -EMFILE, -ENFILE
///
/// Threads: any. Signal-safe: no. Since 0.1. See pidfd_open(2).
///
/// # Safety
/// `seqpacket` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_peer_pidfd(seqpacket: *const unipc_seqpacket) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| Ok(unsafe { input("get pidfd of peer", seqpacket) }?.0.peer_pidfd()?.into_raw_fd()))
}

/// The supplementary groups of the process at the other end, as unipc_stream_peer_groups.
///
/// @param groups    receives them; NULL if only the count is wanted
/// @param capacity  how many there is room for
/// @return          how many there are; -ENODATA: nobody is there; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See unix(7), SO_PEERGROUPS.
///
/// # Safety
/// `seqpacket` is NULL or a live handle; `groups` is NULL or valid for writes of `capacity` numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_peer_groups(seqpacket: *const unipc_seqpacket, groups: *mut u32, capacity: usize) -> isize {
    // SAFETY: the caller's promise.
    guard_size(|| unsafe { Ok(store_groups(&input("get groups of peer", seqpacket)?.0.peer_groups()?, groups, capacity)) })
}

/// What the security module calls the process at the other end, as unipc_stream_peer_label.
///
/// @param buffer    where the text goes, always NUL-terminated; NULL if only the length is wanted
/// @param capacity  bytes in buffer; a longer text is cut
/// @return          the length of the whole text without the NUL; UNIPC_UNAVAILABLE: no such module; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See unix(7), SO_PEERSEC.
///
/// # Safety
/// `seqpacket` is NULL or a live handle; `buffer` is NULL or valid for writes of `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_peer_label(seqpacket: *const unipc_seqpacket, buffer: *mut c_char, capacity: usize) -> isize {
    // SAFETY: the caller's promise.
    guard_size(|| unsafe { Ok(store_text(&input("get label of peer", seqpacket)?.0.peer_label()?, buffer, capacity)) })
}

/// The address of the other end: "/path", "@name", or "".
///
/// @param buffer    where the text goes, always NUL-terminated; NULL if only the length is wanted
/// @param capacity  bytes in buffer; a longer text is cut
/// @return          the length of the whole text without the NUL; -ENOTCONN; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See getpeername(2).
///
/// # Safety
/// `seqpacket` is NULL or a live handle; `buffer` is NULL or valid for writes of `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_peer_address(seqpacket: *const unipc_seqpacket, buffer: *mut c_char, capacity: usize) -> isize {
    // SAFETY: the caller's promise.
    guard_size(|| unsafe { Ok(store_text(&input("get address of peer", seqpacket)?.0.peer_address()?, buffer, capacity)) })
}

/// Takes over a connected seqpacket socket. It is taken over on success alone, and made close-on-exec; SO_TIMESTAMPNS is set on it.
///
/// @param fd         an open descriptor
/// @param options    credentials, pidfds, send_buffer; NULL: defaults
/// @param seqpacket  receives the handle, or NULL on failure; close it with unipc_seqpacket_close
/// @return           0; -EBADF; UNIPC_WRONG_KIND: no seqpacket socket, or it listens; -ENOTSOCK; -EINVAL: NULL; -E2BIG
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// The caller owns `fd`; `options` is NULL or as large as it says; `seqpacket` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_from_fd(
    fd: c_int,
    options: *const unipc_seqpacket_options,
    seqpacket: *mut *mut unipc_seqpacket,
) -> c_int {
    const OPERATION: &str = "adopt seqpacket socket";
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(OPERATION, seqpacket, || {
            let options = seqpacket_options(OPERATION, options)?;
            adopt(fd, |descriptor| Seqpacket::adopt(descriptor, &options)).map(unipc_seqpacket)
        })
    }
}

/// The descriptor, which stays the handle's: readable while there is something to receive. For poll, epoll and event loops.
///
/// @return  the descriptor; -EINVAL: NULL
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `seqpacket` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_fd(seqpacket: *const unipc_seqpacket) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { fd_of(seqpacket, |seqpacket| seqpacket.0.as_fd()) }
}

/// Gives the descriptor away; the handle is gone.
///
/// @return  the descriptor, which is the caller's; -EINVAL: NULL
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `seqpacket` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_into_fd(seqpacket: *mut unipc_seqpacket) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { input("release seqpacket socket", seqpacket.cast_const()) }?;
        // SAFETY: a handle, made by `Box::into_raw`, that the caller gives back.
        Ok(OwnedFd::from(unsafe { Box::from_raw(seqpacket) }.0).into_raw_fd())
    })
}

/// Closes it; NULL is fine.
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `seqpacket` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_seqpacket_close(seqpacket: *mut unipc_seqpacket) {
    // SAFETY: the caller's promise.
    unsafe { close(seqpacket) }
}
