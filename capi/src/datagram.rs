//! Datagram sockets, Unix and UDP.

use std::ffi::{c_char, c_int, c_void};
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};

use unipc_core::Error;
use unipc_core::message::{Datagram, DatagramOptions, MessageInfo, Received, UdpOptions, UdpSocket, UnixDatagram};
use unipc_core::stream::UnixConnectOptions;

use crate::descriptors::{check_room, descriptors, hand_over};
use crate::error::{UNIPC_OFF, UNIPC_ON};
use crate::message::{store_info, store_info_and_pidfd, unipc_message_info};
use crate::socket::unipc_unix_connect_options;
use crate::stream::{adopt, new_pair};
use crate::wait::waiting;
use crate::{
    Versioned, buffer, bytes, close, fd_of, guard, guard_new, guard_size, guard_unit, initialise, input, invalid, optional_text, options,
    store_text, switch, text,
};

/// A datagram socket, Unix or UDP: messages whose boundaries are kept, without a connection and without an end. On one machine a Unix datagram is
/// never lost; UDP is, when a receiver's buffer is full.
///
/// A handle costs one descriptor. fork hands it on; each message goes to one of several receivers. Any threads may send and receive.
pub struct unipc_datagram(Datagram);

/// Options of Unix datagram sockets. Begin with UNIPC_DATAGRAM_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_datagram_options {
    /// sizeof(unipc_datagram_options)
    pub struct_size: usize,
    /// the group of the path, by name or number; NULL: the process's
    pub group: *const c_char,
    /// bytes of the sending buffer, which bound the largest message; 0: the system's, about 200 KB
    pub send_buffer: usize,
    /// permissions of the path, set whatever the umask says; 0: 0600. To send there, one needs to write.
    pub mode: u32,
    /// 1 tells with every message who sent it
    pub credentials: u32,
    /// 1 gives a pidfd of the sender with every message, where the kernel has that (Linux 6.5)
    pub pidfds: u32,
}

// SAFETY: repr(C), begins with the size, made of integers and pointers that may be NULL.
unsafe impl Versioned for unipc_datagram_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_DATAGRAM_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_options_init(options: *mut unipc_datagram_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// # Safety
/// `options` is NULL or as large as it says, with a group that is NULL or a string.
unsafe fn datagram_options(operation: &'static str, options: *const unipc_datagram_options) -> Result<DatagramOptions, Error> {
    // SAFETY: the caller's promise.
    let options = unsafe { self::options(operation, options) }?;
    Ok(DatagramOptions {
        mode: options.mode,
        // SAFETY: the caller's promise.
        group: unsafe { optional_text(operation, options.group) }?.map(str::to_owned),
        credentials: switch(operation, options.credentials)?,
        pidfds: switch(operation, options.pidfds)?,
        send_buffer: options.send_buffer,
    })
}

/// A Unix datagram socket that receives at a path, or at an abstract name that begins with "@". The path of a receiver that has died is reclaimed, that
/// of a live one never.
///
/// @param path      at most 107 bytes, counted from the root; "@" alone: an abstract name of the kernel's choice, which unipc_datagram_address tells;
///                  NULL: none, the socket only sends
/// @param options   mode, group, credentials, pidfds, send_buffer; NULL: defaults
/// @param datagram  receives the handle, or NULL on failure; close it with unipc_datagram_close
/// @return          0; -EADDRINUSE: somebody is there; UNIPC_WRONG_KIND: there is something else at the path, and it stays; -ENOENT: no such directory;
///                  -EACCES, -EROFS, -ENOSPC; -EBUSY: the directory is kept locked; -ENAMETOOLONG; -EINVAL: NULL, an empty path, mode or group; -E2BIG,
///                  -EMFILE, -ENFILE
///
/// Threads: any. Signal-safe: no. Since 0.1. See unix(7).
///
/// # Safety
/// `path` is NULL or a string; `options` is NULL or as large as it says; `datagram` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_open_unix(
    path: *const c_char,
    options: *const unipc_datagram_options,
    datagram: *mut *mut unipc_datagram,
) -> c_int {
    const OPERATION: &str = "open Unix datagram socket";
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(OPERATION, datagram, || {
            let options = datagram_options(OPERATION, options)?;
            let socket = match optional_text(OPERATION, path)? {
                Some(path) => UnixDatagram::open(path, &options)?,
                None => UnixDatagram::unnamed(&options)?,
            };
            Ok(unipc_datagram(Datagram::Unix(socket)))
        })
    }
}

/// Two Unix datagram sockets that send to each other, for a process and the child that it forks.
///
/// @param options  credentials, pidfds, send_buffer; NULL: defaults
/// @param first    receives one, or NULL on failure; close it with unipc_datagram_close
/// @param second   receives the other, or NULL on failure; close it with unipc_datagram_close
/// @return         0; -EMFILE, -ENFILE, -ENOBUFS; -EINVAL: NULL; -E2BIG
///
/// Threads: any. Signal-safe: no. Since 0.1. See socketpair(2).
///
/// # Safety
/// `options` is NULL or as large as it says; the out-pointers are NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_pair_unix(
    options: *const unipc_datagram_options,
    first: *mut *mut unipc_datagram,
    second: *mut *mut unipc_datagram,
) -> c_int {
    const OPERATION: &str = "create pair of datagram sockets";
    let of = |socket| unipc_datagram(Datagram::Unix(socket));
    // SAFETY: the caller's promise.
    unsafe {
        new_pair(OPERATION, first, second, || {
            let (first, second) = UnixDatagram::pair(&datagram_options(OPERATION, options)?)?;
            Ok((of(first), of(second)))
        })
    }
}

/// multicast_ttl: messages to a group stay on this machine.
pub const UNIPC_THIS_MACHINE: u32 = 256;

/// Options of UDP sockets. Begin with UNIPC_UDP_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_udp_options {
    /// sizeof(unipc_udp_options)
    pub struct_size: usize,
    /// the interface, by name ("lo") or number, that messages to a group go out by; NULL: the system's choice
    pub multicast_interface: *const c_char,
    /// bytes of the sending buffer; 0: the system's
    pub send_buffer: usize,
    /// bytes of the receiving buffer, above which messages are lost; 0: the system's
    pub receive_buffer: usize,
    /// 4, 6, or 0 for both
    pub family: u32,
    /// 1 allows sending to a broadcast address
    pub broadcast: u32,
    /// 1 lets several sockets have the address and port, each of which receives what is sent to a group
    pub reuse_address: u32,
    /// 1 lets several sockets share the port, each message going to one of them
    pub reuse_port: u32,
    /// how many networks a message to a group may cross, 1 to 255, or UNIPC_THIS_MACHINE; 0: 1, this network alone
    pub multicast_ttl: u32,
    /// UNIPC_ON or UNIPC_OFF: this machine's members receive what it sends to a group; 0: on
    pub multicast_loop: u32,
}

// SAFETY: repr(C), begins with the size, made of integers and pointers that may be NULL.
unsafe impl Versioned for unipc_udp_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_UDP_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_udp_options_init(options: *mut unipc_udp_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// A UDP socket, bound to an address and port.
///
/// @param host      a name, an IPv4 or an IPv6 literal ("0.0.0.0" is every IPv4 address); NULL: loopback
/// @param port      0 to 65535; 0: the system chooses, and unipc_datagram_port tells
/// @param options   NULL: defaults
/// @param datagram  receives the handle, or NULL on failure; close it with unipc_datagram_close
/// @return          0; -EADDRINUSE; -EADDRNOTAVAIL: an unknown name, or not this machine's address; -EACCES: a port below 1024; -ENODEV: no such interface;
///                  -EINVAL: NULL, port, family; -E2BIG, -EMFILE, -ENFILE
///
/// Threads: any. Signal-safe: no. Since 0.1. See udp(7), ip(7), ipv6(7).
///
/// # Safety
/// `host` is NULL or a string; `options` is NULL or as large as it says; `datagram` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_open_udp(
    host: *const c_char,
    port: u32,
    options: *const unipc_udp_options,
    datagram: *mut *mut unipc_datagram,
) -> c_int {
    const OPERATION: &str = "open UDP socket";
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(OPERATION, datagram, || {
            let options = self::options(OPERATION, options)?;
            let own = UdpOptions {
                family: options.family,
                broadcast: switch(OPERATION, options.broadcast)?,
                reuse_address: switch(OPERATION, options.reuse_address)?,
                reuse_port: switch(OPERATION, options.reuse_port)?,
                multicast_ttl: match options.multicast_ttl {
                    0 => None,
                    UNIPC_THIS_MACHINE => Some(0),
                    networks => Some(networks),
                },
                multicast_loop: match options.multicast_loop {
                    0 => None,
                    UNIPC_ON => Some(true),
                    UNIPC_OFF => Some(false),
                    _ => return Err(invalid(OPERATION, "a choice is 0, UNIPC_ON or UNIPC_OFF")),
                },
                multicast_interface: optional_text(OPERATION, options.multicast_interface)?.map(str::to_owned),
                send_buffer: options.send_buffer,
                receive_buffer: options.receive_buffer,
            };
            let socket = UdpSocket::open(optional_text(OPERATION, host)?, port, &own)?;
            Ok(unipc_datagram(Datagram::Udp(socket)))
        })
    }
}

/// Joins a multicast group.
///
/// @param group      an IPv4 or IPv6 literal
/// @param interface  by name or number; NULL: the system's choice
/// @return           0; -EADDRINUSE: it has joined already; -ENODEV: no such interface; -EOPNOTSUPP: a Unix socket; -EINVAL: NULL, no group, the other family
///
/// Threads: any. Signal-safe: no. Since 0.1. See ip(7), IP_ADD_MEMBERSHIP.
///
/// # Safety
/// `datagram` is NULL or a live handle; `group` and `interface` are NULL or strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_join_udp(datagram: *mut unipc_datagram, group: *const c_char, interface: *const c_char) -> c_int {
    const OPERATION: &str = "join multicast group";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let socket = input(OPERATION, datagram.cast_const())?.0.udp()?;
        socket.join(text(OPERATION, group)?, optional_text(OPERATION, interface)?)
    })
}

/// Leaves a multicast group.
///
/// @param group      an IPv4 or IPv6 literal
/// @param interface  as it was joined
/// @return           0; -EADDRNOTAVAIL: it has not joined; else as unipc_datagram_join_udp
///
/// Threads: any. Signal-safe: no. Since 0.1. See ip(7), IP_DROP_MEMBERSHIP.
///
/// # Safety
/// As unipc_datagram_join_udp.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_leave_udp(datagram: *mut unipc_datagram, group: *const c_char, interface: *const c_char) -> c_int {
    const OPERATION: &str = "leave multicast group";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let socket = input(OPERATION, datagram.cast_const())?.0.udp()?;
        socket.leave(text(OPERATION, group)?, optional_text(OPERATION, interface)?)
    })
}

/// Gives the socket its receiver: unipc_datagram_send then goes there, and only what comes from there is received.
///
/// @param address  "/path", "@name"; for UDP "127.0.0.1:80" or "[::1]:80", never a name
/// @param options  Unix: any_owner, wait_for_listener; NULL: receivers of oneself and root, that are there
/// @param timeout  nanoseconds to wait for the receiver to appear; UNIPC_FOREVER; zero or less never waits
/// @return         0; -ENOENT; -ECONNREFUSED: nobody receives there; UNIPC_WRONG_KIND, -ELOOP: no socket; -EPROTOTYPE: a socket of another type; -EPERM: the path
///                 is another user's, or the receiver is connected to somebody else; -EACCES; -EAGAIN, -ETIMEDOUT, -ECANCELED; -EINVAL: NULL, no address; -E2BIG
///
/// Threads: any. Signal-safe: no. Since 0.1. See connect(2).
///
/// # Safety
/// `datagram` is NULL or a live handle; `address` is NULL or a string; `options` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_connect(
    datagram: *mut unipc_datagram,
    address: *const c_char,
    options: *const unipc_unix_connect_options,
    timeout: i64,
) -> c_int {
    const OPERATION: &str = "connect datagram socket";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let (datagram, address) = (input(OPERATION, datagram.cast_const())?, text(OPERATION, address)?);
        let options = connect_options(OPERATION, options)?;
        waiting(timeout, |wait| datagram.0.connect(address, &options, wait))
    })
}

/// # Safety
/// `options` is NULL or as large as it says.
pub(crate) unsafe fn connect_options(
    operation: &'static str,
    options: *const unipc_unix_connect_options,
) -> Result<UnixConnectOptions, Error> {
    // SAFETY: the caller's promise.
    let options = unsafe { self::options(operation, options) }?;
    Ok(UnixConnectOptions {
        any_owner: switch(operation, options.any_owner)?,
        wait_for_listener: switch(operation, options.wait_for_listener)?,
    })
}

/// Sends a message to whom the socket is connected to.
///
/// @param data     may be NULL if length is 0
/// @param length   bytes; 0 is a message, too
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         0; -ENOTCONN, -EDESTADDRREQ: it is not; -ECONNREFUSED: nobody receives there; -EMSGSIZE: larger than the buffer, or than 65507 bytes by
///                 UDP; -EAGAIN, -ETIMEDOUT: the receiver's queue is full; -ECANCELED: the bound stop token; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See send(2).
///
/// # Safety
/// `datagram` is NULL or a live handle; `data` is valid for reads of `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_send(datagram: *mut unipc_datagram, data: *const c_void, length: usize, timeout: i64) -> c_int {
    const OPERATION: &str = "send datagram";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let (datagram, data) = (input(OPERATION, datagram.cast_const())?, bytes(OPERATION, data, length)?);
        waiting(timeout, |wait| datagram.0.send(None, data, wait))
    })
}

/// Sends a message to an address. Whose it is is not looked at.
///
/// @param address  "/path", "@name"; for UDP "127.0.0.1:80" or "[::1]:80", never a name
/// @param data     may be NULL if length is 0
/// @param length   bytes; 0 is a message, too
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         as unipc_datagram_send; -ENOENT: there is no such path; -EPROTOTYPE: a socket of another type; -EACCES: the path, or a broadcast
///                 address without the option; -EINVAL: NULL, no address
///
/// Threads: any. Signal-safe: no. Since 0.1. See send(2).
///
/// # Safety
/// `datagram` is NULL or a live handle; `address` is NULL or a string; `data` is valid for reads of `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_send_to(
    datagram: *mut unipc_datagram,
    address: *const c_char,
    data: *const c_void,
    length: usize,
    timeout: i64,
) -> c_int {
    const OPERATION: &str = "send datagram";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let (datagram, address) = (input(OPERATION, datagram.cast_const())?, text(OPERATION, address)?);
        let data = bytes(OPERATION, data, length)?;
        waiting(timeout, |wait| datagram.0.send(Some(address), data, wait))
    })
}

/// Sends a message with descriptors, whole or not at all. They stay the caller's, too.
///
/// @param address   as unipc_datagram_send_to; NULL: whom the socket is connected to
/// @param data      may be NULL if length is 0
/// @param length    bytes; 0 is a message, too
/// @param fds       descriptors
/// @param fd_count  how many, at most UNIPC_MOST_FDS
/// @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return          as unipc_datagram_send_to; -EBADF; -ETOOMANYREFS: too many are on their way; -EOPNOTSUPP: UDP
///
/// Threads: any. Signal-safe: no. Since 0.1. See unix(7), SCM_RIGHTS.
///
/// # Safety
/// `datagram` is NULL or a live handle; `address` is NULL or a string; `data` and `fds` are valid for reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_send_fds(
    datagram: *mut unipc_datagram,
    address: *const c_char,
    data: *const c_void,
    length: usize,
    fds: *const c_int,
    fd_count: usize,
    timeout: i64,
) -> c_int {
    const OPERATION: &str = "send datagram";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let (datagram, address) = (input(OPERATION, datagram.cast_const())?, optional_text(OPERATION, address)?);
        let (data, fds) = (bytes(OPERATION, data, length)?, descriptors(OPERATION, fds, fd_count)?);
        waiting(timeout, |wait| datagram.0.send_descriptors(address, data, fds, wait))
    })
}

/// Receives, and tells the caller what came, also in failure: how large a message was that did not fit.
///
/// # Safety
/// `info` is NULL or as large as it says.
pub(crate) unsafe fn told(
    operation: &'static str,
    info: *mut unipc_message_info,
    receive: impl FnOnce() -> Result<Received, Error>,
) -> Result<Received, Error> {
    // A wrong size is found out before there is a message that it could cost.
    // SAFETY: the caller's promise.
    unsafe { store_info(operation, info, &MessageInfo::default()) }?;
    match receive() {
        Ok(mut received) => {
            let pidfd = received.sender_pidfd.take();
            // SAFETY: the caller's promise.
            unsafe { store_info_and_pidfd(operation, info, &received.info, pidfd) }?;
            Ok(received)
        }
        Err(error) => {
            let lost = MessageInfo { size: error.transferred(), ..Default::default() };
            // SAFETY: the caller's promise.
            unsafe { store_info_and_pidfd(operation, info, &lost, None) }?;
            Err(error)
        }
    }
}

/// Receives a message.
///
/// @param buffer    where to; may be NULL if capacity is 0
/// @param capacity  bytes
/// @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param info      receives the size, also with -EMSGSIZE, and who sent it if credentials were asked for; may be NULL
/// @return          its length, 0 for an empty message; -EMSGSIZE: it did not fit and is lost (unipc_datagram_next_size looks before); -ECONNREFUSED: connected
///                  by UDP to where nobody is; -EAGAIN, -ETIMEDOUT: nothing came; -ECANCELED: the bound stop token; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See recv(2).
///
/// # Safety
/// `datagram` is NULL or a live handle; `buffer` is valid for writes of `capacity` bytes; `info` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_receive(
    datagram: *mut unipc_datagram,
    buffer: *mut c_void,
    capacity: usize,
    timeout: i64,
    info: *mut unipc_message_info,
) -> isize {
    // SAFETY: the caller's promise.
    unsafe { unipc_datagram_receive_from(datagram, buffer, capacity, timeout, info, std::ptr::null_mut(), 0) }
}

/// Receives a message, and the address of its sender.
///
/// @param address           receives the sender's address as unipc_datagram_send_to takes it, "" for none, always NUL-terminated; may be NULL
/// @param address_capacity  bytes; 128 are enough for every address
/// @return                  as unipc_datagram_receive
///
/// Threads: any. Signal-safe: no. Since 0.1. See recv(2).
///
/// # Safety
/// As unipc_datagram_receive; `address` is NULL or valid for writes of `address_capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_receive_from(
    datagram: *mut unipc_datagram,
    buffer: *mut c_void,
    capacity: usize,
    timeout: i64,
    info: *mut unipc_message_info,
    address: *mut c_char,
    address_capacity: usize,
) -> isize {
    const OPERATION: &str = "receive datagram";
    // SAFETY: the caller's promise.
    guard_size(|| unsafe {
        let (datagram, buffer) = (input(OPERATION, datagram.cast_const())?, self::buffer(OPERATION, buffer, capacity)?);
        let receive = || waiting(timeout, |wait| datagram.0.receive_with(buffer, 0, !address.is_null(), wait));
        let received = told(OPERATION, info, receive)?;
        store_text(&received.address, address, address_capacity);
        Ok(received.info.size)
    })
}

/// Receives a message and the descriptors that come with it, which are close-on-exec.
///
/// @param buffer    where to; may be NULL if capacity is 0
/// @param capacity  bytes
/// @param fds       receives the descriptors, which are then the caller's
/// @param maximum   how many there is room for
/// @param fd_count  receives how many came; 0 in failure
/// @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param info      as unipc_datagram_receive
/// @return          as unipc_datagram_receive; -EPROTO: the sender sent more than maximum; -EMFILE: this process has no room for them (in both cases the
///                  message is lost, and all is closed)
///
/// Threads: any. Signal-safe: no. Since 0.1. See unix(7), recvmsg(2).
///
/// # Safety
/// As unipc_datagram_receive; `fds` is NULL or valid for writes of `maximum` numbers; `fd_count` is NULL or valid to write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_receive_fds(
    datagram: *mut unipc_datagram,
    buffer: *mut c_void,
    capacity: usize,
    fds: *mut c_int,
    maximum: usize,
    fd_count: *mut usize,
    timeout: i64,
    info: *mut unipc_message_info,
) -> isize {
    const OPERATION: &str = "receive datagram";
    // SAFETY: the caller's promise.
    guard_size(|| unsafe {
        check_room(OPERATION, fds, maximum, fd_count)?;
        let (datagram, buffer) = (input(OPERATION, datagram.cast_const())?, self::buffer(OPERATION, buffer, capacity)?);
        let receive = || waiting(timeout, |wait| datagram.0.receive_with(buffer, maximum, false, wait));
        let received = told(OPERATION, info, receive)?;
        hand_over(received.descriptors, fds, fd_count);
        Ok(received.info.size)
    })
}

/// The size of the next message, which stays.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         bytes; else as unipc_datagram_receive
///
/// Threads: any; another receiver may take the message. Signal-safe: no. Since 0.1. See recv(2), MSG_PEEK.
///
/// # Safety
/// `datagram` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_next_size(datagram: *mut unipc_datagram, timeout: i64) -> isize {
    // SAFETY: the caller's promise.
    guard_size(|| waiting(timeout, |wait| unsafe { input("receive datagram", datagram.cast_const()) }?.0.next_size(wait)))
}

/// Where the socket receives: "/path", "@name", "127.0.0.1:80", "[::1]:80"; "" for nowhere.
///
/// @param buffer    where the text goes, always NUL-terminated; NULL if only the length is wanted
/// @param capacity  bytes in buffer; a longer text is cut
/// @return          the length of the whole text without the NUL; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See getsockname(2).
///
/// # Safety
/// `datagram` is NULL or a live handle; `buffer` is NULL or valid for writes of `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_address(datagram: *const unipc_datagram, buffer: *mut c_char, capacity: usize) -> isize {
    // SAFETY: the caller's promise.
    guard_size(|| unsafe { Ok(store_text(&input("get address of datagram socket", datagram)?.0.address()?, buffer, capacity)) })
}

/// The port of a UDP socket.
///
/// @return  1 to 65535; -EOPNOTSUPP: a Unix socket; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `datagram` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_port(datagram: *const unipc_datagram) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| Ok(c_int::from(unsafe { input("get port of UDP socket", datagram) }?.0.udp()?.port()?)))
}

/// Takes over a datagram socket, Unix or UDP. It is taken over on success alone, and made close-on-exec.
///
/// @param fd        an open descriptor
/// @param options   Unix: credentials, pidfds, send_buffer; NULL: defaults
/// @param datagram  receives the handle, or NULL on failure; close it with unipc_datagram_close
/// @return          0; -EBADF; UNIPC_WRONG_KIND: no datagram socket; -ENOTSOCK; -EINVAL: NULL; -E2BIG
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// The caller owns `fd`; `options` is NULL or as large as it says; `datagram` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_from_fd(
    fd: c_int,
    options: *const unipc_datagram_options,
    datagram: *mut *mut unipc_datagram,
) -> c_int {
    const OPERATION: &str = "adopt datagram socket";
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(OPERATION, datagram, || {
            let options = datagram_options(OPERATION, options)?;
            adopt(fd, |descriptor| Datagram::adopt(descriptor, &options)).map(unipc_datagram)
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
/// `datagram` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_fd(datagram: *const unipc_datagram) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { fd_of(datagram, |datagram| datagram.0.as_fd()) }
}

/// Gives the descriptor away; the handle is gone. The path of a Unix socket stays.
///
/// @return  the descriptor, which is the caller's; -EINVAL: NULL
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `datagram` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_into_fd(datagram: *mut unipc_datagram) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { input("release datagram socket", datagram.cast_const()) }?;
        // SAFETY: a handle, made by `Box::into_raw`, that the caller gives back.
        Ok(OwnedFd::from(unsafe { Box::from_raw(datagram) }.0).into_raw_fd())
    })
}

/// Closes it; NULL is fine. The path that it was bound to is removed, unless another socket has taken it.
///
/// Threads: none may use the handle meanwhile. Fork: closing in a child removes no path. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `datagram` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_datagram_close(datagram: *mut unipc_datagram) {
    // SAFETY: the caller's promise.
    unsafe { close(datagram) }
}
