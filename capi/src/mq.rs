//! POSIX message queues.

use std::ffi::{c_char, c_int, c_void};
use std::os::fd::{AsFd, IntoRawFd};

use unipc_core::message::{MessageInfo, Mq, MqAccess, MqOptions};
use unipc_core::{Error, descriptor};

use crate::message::{store_info, unipc_message_info};
use crate::wait::waiting;
use crate::{
    Versioned, buffer, bytes, close, fd_of, guard, guard_new, guard_size, guard_unit, initialise, input, invalid, optional_text, options,
    store, switch, text,
};

/// A POSIX message queue: a bounded number of messages of a bounded size, the highest priority first, the oldest first within one. What plain C programs
/// open with mq_open. A message outlives its sender; the queue stays until it is unlinked or the machine restarts.
///
/// A handle costs a descriptor. After fork the child has the queue as well; closing the handle there removes no name. Threads may use a handle
/// together, except for close.
pub struct unipc_mq(Mq);

/// queue access: sending and receiving, the default.
pub const UNIPC_MQ_BOTH: u32 = 0;
/// queue access: receiving alone.
pub const UNIPC_MQ_RECEIVE: u32 = 1;
/// queue access: sending alone.
pub const UNIPC_MQ_SEND: u32 = 2;

/// The highest priority of a message in a POSIX queue.
pub const UNIPC_MQ_HIGHEST_PRIORITY: u32 = 32767;

const _: () = assert!(UNIPC_MQ_HIGHEST_PRIORITY == unipc_core::message::HIGHEST_PRIORITY);

/// Options of POSIX message queues. Begin with UNIPC_MQ_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_mq_options {
    /// sizeof(unipc_mq_options)
    pub struct_size: usize,
    /// create: how many messages it holds; 0: the system's choice, mostly 10
    pub capacity: usize,
    /// create: the largest message in bytes; 0: the system's choice, mostly 8192; open: the least that will do, 0 for any
    pub largest: usize,
    /// create: the group, by name or number; NULL: the process's
    pub group: *const c_char,
    /// open: nanoseconds to wait for another process to create the queue
    pub wait_for_creator: i64,
    /// create: permissions, set whatever the umask says; 0: 0600
    pub mode: u32,
    /// UNIPC_MQ_BOTH, UNIPC_MQ_RECEIVE or UNIPC_MQ_SEND
    pub access: u32,
    /// open: 1 accepts queues of users other than oneself and root
    pub any_owner: u32,
    /// create: 1 removes the name when the creator closes its handle
    pub temporary: u32,
}

// SAFETY: repr(C), begins with the size, made of integers and a pointer that may be NULL.
unsafe impl Versioned for unipc_mq_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_MQ_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mq_options_init(options: *mut unipc_mq_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// What a POSIX message queue is like. Begin with UNIPC_MQ_ATTRIBUTES_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_mq_attributes {
    /// sizeof(unipc_mq_attributes)
    pub struct_size: usize,
    /// how many messages it holds
    pub capacity: usize,
    /// the largest message in bytes, and so the smallest buffer to receive into
    pub largest: usize,
    /// how many messages are in it now
    pub queued: usize,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_mq_attributes {}

/// Sets struct_size and zeroes the rest, as UNIPC_MQ_ATTRIBUTES_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `attributes` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mq_attributes_init(attributes: *mut unipc_mq_attributes) {
    // SAFETY: the caller's promise.
    unsafe { initialise(attributes) }
}

type OpenNamed = fn(&str, &MqOptions<'_>) -> unipc_core::Result<Mq>;

/// The three constructors differ in the core's function alone.
///
/// # Safety
/// As `unipc_mq_create`.
unsafe fn named(
    operation: &'static str,
    name: *const c_char,
    options: *const unipc_mq_options,
    mq: *mut *mut unipc_mq,
    open: OpenNamed,
) -> c_int {
    let body = || {
        // SAFETY: the caller's promise.
        let name = unsafe { text(operation, name) }?;
        // SAFETY: the caller's promise.
        let options = unsafe { self::options(operation, options) }?;
        // SAFETY: the caller's promise.
        let group = unsafe { optional_text(operation, options.group) }?.map(str::to_owned);
        let access = match options.access {
            UNIPC_MQ_BOTH => MqAccess::Both,
            UNIPC_MQ_RECEIVE => MqAccess::Receive,
            UNIPC_MQ_SEND => MqAccess::Send,
            _ => return Err(invalid(operation, "access is UNIPC_MQ_BOTH, UNIPC_MQ_RECEIVE or UNIPC_MQ_SEND")),
        };
        let (any_owner, temporary) = (switch(operation, options.any_owner)?, switch(operation, options.temporary)?);
        let (capacity, largest, mode) = (options.capacity, options.largest, options.mode);
        waiting(options.wait_for_creator, |wait_for_creator| {
            open(name, &MqOptions { capacity, largest, mode, group, access, any_owner, temporary, wait_for_creator })
        })
        .map(unipc_mq)
    };
    // SAFETY: the caller's promise.
    unsafe { guard_new(operation, mq, body) }
}

/// Creates a POSIX message queue. An existing one is left alone.
///
/// @param name     at most 255 bytes; the leading slash is optional, no other is allowed
/// @param options  capacity, largest, mode, group, access, temporary; NULL: defaults
/// @param mq       receives the handle, or NULL on failure; close it with unipc_mq_close
/// @return         0; -EEXIST; -EINVAL: NULL, a bad name, mode, group or access, or sizes beyond the system's limits; -EMFILE: RLIMIT_MSGQUEUE has no
///                 room for it, or no descriptor is left; -ENOSPC: too many queues; -EPERM: a group of others; -ENAMETOOLONG, -ENFILE, -ENOMEM; -E2BIG:
///                 an option that this version does not know; UNIPC_UNAVAILABLE: a kernel without them. The text names the limit and its value.
///
/// Threads: any. Signal-safe: no. Since 0.1. See mq_open(3), mq_overview(7).
///
/// # Safety
/// `name` is NULL or a string; `options` is NULL or as large as it says; `mq` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mq_create(name: *const c_char, options: *const unipc_mq_options, mq: *mut *mut unipc_mq) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { named("create message queue", name, options, mq, Mq::create) }
}

/// Opens a POSIX message queue that exists. It never creates.
///
/// @param name     at most 255 bytes; the leading slash is optional, no other is allowed
/// @param options  access, largest (the least that will do), any_owner, wait_for_creator; NULL: defaults
/// @param mq       receives the handle, or NULL on failure; close it with unipc_mq_close
/// @return         0; -ENOENT: also when the wait for the creator is over; -ECANCELED: the bound stop token; -EPERM: it belongs to another user; -EACCES;
///                 UNIPC_WRONG_SIZE: its messages are smaller than asked for; -EINVAL, -ENAMETOOLONG, -E2BIG, -EMFILE, -ENFILE
///
/// Threads: any. Signal-safe: no. Since 0.1. See mq_open(3).
///
/// # Safety
/// As unipc_mq_create.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mq_open(name: *const c_char, options: *const unipc_mq_options, mq: *mut *mut unipc_mq) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { named("open message queue", name, options, mq, Mq::open) }
}

/// Opens a POSIX message queue, or creates it if there is none. The capacity counts only for the one who creates.
///
/// @return  as unipc_mq_open and unipc_mq_create, but for -ENOENT, -EEXIST and -ECANCELED: it never waits
///
/// Threads: any. Signal-safe: no. Since 0.1. See mq_open(3).
///
/// # Safety
/// As unipc_mq_create.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mq_open_or_create(name: *const c_char, options: *const unipc_mq_options, mq: *mut *mut unipc_mq) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { named("open or create message queue", name, options, mq, Mq::open_or_create) }
}

/// Removes the name. Who has the queue open goes on using it.
///
/// @return  0; -ENOENT; -EACCES, -EPERM: not allowed; -EINVAL, -ENAMETOOLONG: a bad name
///
/// Threads: any. Signal-safe: no. Since 0.1. See mq_unlink(3).
///
/// # Safety
/// `name` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mq_unlink(name: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| Mq::unlink(unsafe { text("unlink message queue", name) }?))
}

/// Sends a message.
///
/// @param data      where from; may be NULL if length is 0
/// @param length    bytes, at most the queue's largest
/// @param priority  at most UNIPC_MQ_HIGHEST_PRIORITY; the highest is received first
/// @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return          0; -EMSGSIZE: larger than the queue takes; -EINVAL: NULL, no such priority; -EBADF: open for receiving alone; -EAGAIN, -ETIMEDOUT,
///                  -ECANCELED: the queue is full, nothing was sent
///
/// Threads: any. Signal-safe: no. Since 0.1. See mq_send(3).
///
/// # Safety
/// `mq` is NULL or a live handle; `data` is valid for reads of `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mq_send(mq: *mut unipc_mq, data: *const c_void, length: usize, priority: u32, timeout: i64) -> c_int {
    const OPERATION: &str = "send to message queue";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let (mq, data) = (input(OPERATION, mq.cast_const())?, bytes(OPERATION, data, length)?);
        waiting(timeout, |wait| mq.0.send(data, priority, wait))
    })
}

/// Receives the oldest message of the highest priority.
///
/// @param buffer    where to
/// @param capacity  bytes, at least the queue's largest (unipc_mq_largest), however small the message
/// @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param info      receives size and priority; with -EMSGSIZE the size that the buffer needs; may be NULL
/// @return          its length, 0 for an empty message; -EMSGSIZE: the buffer is too small, the message stays; -EBADF: open for sending alone;
///                  -EAGAIN, -ETIMEDOUT, -ECANCELED: the queue is empty; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See mq_receive(3).
///
/// # Safety
/// `mq` is NULL or a live handle; `buffer` is valid for writes of `capacity` bytes; `info` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mq_receive(
    mq: *mut unipc_mq,
    buffer: *mut c_void,
    capacity: usize,
    timeout: i64,
    info: *mut unipc_message_info,
) -> isize {
    const OPERATION: &str = "receive from message queue";
    // SAFETY: the caller's promise.
    guard_size(|| unsafe {
        let (mq, buffer) = (input(OPERATION, mq.cast_const())?, self::buffer(OPERATION, buffer, capacity)?);
        // A message whose info cannot be told would be lost.
        store_info(OPERATION, info, &MessageInfo::default())?;
        match waiting(timeout, |wait| mq.0.receive(buffer, wait)) {
            Ok(received) => store_info(OPERATION, info, &received).map(|()| received.size),
            Err(error) => {
                let size = if error.code() == -libc::EMSGSIZE { mq.0.largest() } else { 0 };
                store_info(OPERATION, info, &MessageInfo { size, ..Default::default() })?;
                Err(error)
            }
        }
    })
}

/// The largest message in bytes, and so the smallest buffer to receive into. It never changes. 0 for NULL.
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `mq` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mq_largest(mq: *const unipc_mq) -> usize {
    // SAFETY: the caller's promise.
    unsafe { mq.as_ref() }.map_or(0, |mq| mq.0.largest())
}

/// What the queue is like now.
///
/// @param attributes  receives it; begin with UNIPC_MQ_ATTRIBUTES_INIT
/// @return            0; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See mq_getattr(3).
///
/// # Safety
/// `mq` is NULL or a live handle; `attributes` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mq_get_attributes(mq: *const unipc_mq, attributes: *mut unipc_mq_attributes) -> c_int {
    const OPERATION: &str = "ask message queue";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let found = input(OPERATION, mq)?.0.attributes()?;
        let told = unipc_mq_attributes { struct_size: 0, capacity: found.capacity, largest: found.largest, queued: found.queued };
        store(OPERATION, attributes, &told)
    })
}

/// Asks for a signal when a message comes into the empty queue and nobody waits in a receive. Once: ask again, and then empty the queue, or a message
/// that came in between is told of by nobody. unipc_mq_fd is there for poll, and has no such limits.
///
/// @param signal  its number
/// @param value   what the handler finds in si_value
/// @return        0; -EBUSY: somebody is told of this queue already; -EINVAL: NULL, no such signal
///
/// Closing any handle of the queue ends it. Threads: any. Fork: the child is not told. Signal-safe: no. Since 0.1. See mq_notify(3), sigevent(3type).
///
/// # Safety
/// `mq` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mq_notify_signal(mq: *mut unipc_mq, signal: c_int, value: isize) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("ask for notice of message queue", mq.cast_const()) }?.0.notify_signal(signal, value))
}

/// Takes back what unipc_mq_notify_signal has asked for.
///
/// @return  0, also if this process has not asked; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See mq_notify(3).
///
/// # Safety
/// `mq` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mq_cancel_notify(mq: *mut unipc_mq) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("cancel notice of message queue", mq.cast_const()) }?.0.cancel_notify())
}

/// The descriptor, which stays the handle's: readable while there is a message, writable while there is room. For poll, epoll and event loops.
///
/// @return  the descriptor; -EINVAL: NULL
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `mq` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mq_fd(mq: *const unipc_mq) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { fd_of(mq, |mq| mq.0.as_fd()) }
}

/// Makes a handle of a descriptor from elsewhere: inherited, or what mq_open gave on Linux. It is taken over on success alone, and made close-on-exec.
///
/// @param fd  an open descriptor
/// @param mq  receives the handle, or NULL on failure; close it with unipc_mq_close
/// @return    0; -EBADF; UNIPC_WRONG_KIND: no message queue; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// The caller owns `fd`; `mq` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mq_from_fd(fd: c_int, mq: *mut *mut unipc_mq) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        guard_new("adopt message queue", mq, || {
            let refused = |(descriptor, error): (std::os::fd::OwnedFd, Error)| {
                // It stays the caller's.
                let _ = descriptor.into_raw_fd();
                error
            };
            Mq::from_descriptor(descriptor::adopt(fd)?).map_err(refused).map(unipc_mq)
        })
    }
}

/// Gives the descriptor away and closes the handle. The name stays, also of a temporary queue.
///
/// @return  the descriptor, which is the caller's; -EINVAL: NULL
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `mq` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mq_into_fd(mq: *mut unipc_mq) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { input("release message queue", mq.cast_const()) }?;
        // SAFETY: a handle, made by `Box::into_raw`, that the caller gives back.
        let mq = unsafe { Box::from_raw(mq) };
        Ok(mq.0.into_descriptor().into_raw_fd())
    })
}

/// Closes the handle; NULL is fine. A temporary queue loses its name when its creator closes.
///
/// Threads: none may use the handle meanwhile. Fork: closing in a child removes no name. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `mq` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mq_close(mq: *mut unipc_mq) {
    // SAFETY: the caller's promise.
    unsafe { close(mq) }
}
