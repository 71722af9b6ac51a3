//! System V message queues, and System V keys.

use std::ffi::{c_char, c_int, c_void};

use unipc_core::Error;
use unipc_core::message::{MessageInfo, SysvQueue, SysvQueueOptions, Which};
use unipc_core::name::sysv_key;

use crate::message::{store_info, unipc_message_info};
use crate::wait::waiting;
use crate::{
    Versioned, buffer, bytes, close, guard, guard_new, guard_size, guard_unit, initialise, input, invalid, optional_text, options, output,
    store, switch, text,
};

/// The key of a System V object that belongs to a file: the number that ftok gives, so that plain C programs agree.
///
/// Two files may give one key, and a file that is deleted and made anew gives another one: a key says where to look, and not that the right object is
/// there.
///
/// @param path  a file or directory that exists
/// @param id    1 to 255, for several objects of one file
/// @param key   receives the key, 0 on failure
/// @return      0; -ENOENT; -EACCES; -EINVAL: NULL, another id; -ENAMETOOLONG, -ENOTDIR, -ELOOP
///
/// Threads: any. Signal-safe: no. Since 0.1. See ftok(3), sysvipc(7).
///
/// # Safety
/// `path` is NULL or a string; `key` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_key(path: *const c_char, id: c_int, key: *mut i32) -> c_int {
    const OPERATION: &str = "make System V key";
    guard_unit(|| {
        // SAFETY: the caller's promise.
        let key = unsafe { output(OPERATION, key) }?;
        *key = 0;
        let id = u8::try_from(id).map_err(|_| invalid(OPERATION, "the id is a number from 1 to 255"))?;
        // SAFETY: the caller's promise.
        *key = sysv_key(unsafe { text(OPERATION, path) }?, id)?;
        Ok(())
    })
}

/// A System V message queue: messages with a type, of which a receiver chooses. What plain C programs get with msgget. It stays until it is removed or
/// the machine restarts.
///
/// A handle costs memory alone. After fork the child has the queue as well; closing the handle there removes nothing. Threads may use a handle
/// together, except for close. It is no descriptor: who waits with a limit probes, and is up to 10 ms late.
pub struct unipc_sysv_queue(pub(crate) SysvQueue);

/// receive flag: the type is the one not to receive.
pub const UNIPC_SYSV_QUEUE_EXCEPT: u32 = 1;
/// receive flag: what does not fit into the buffer is lost, and nobody can tell whether something was.
pub const UNIPC_SYSV_QUEUE_CUT: u32 = 2;

/// Options of System V message queues. Begin with UNIPC_SYSV_QUEUE_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_sysv_queue_options {
    /// sizeof(unipc_sysv_queue_options)
    pub struct_size: usize,
    /// create: how many bytes of messages it holds; 0: the system's choice, kernel.msgmnb
    pub limit: usize,
    /// create: the group, by name or number; NULL: the process's
    pub group: *const c_char,
    /// open: nanoseconds to wait for another process to create the queue
    pub wait_for_creator: i64,
    /// create: permissions; 0: 0600
    pub mode: u32,
    /// open: 1 accepts queues of users other than oneself and root
    pub any_owner: u32,
    /// create: 1 removes the queue when the creator closes its handle
    pub temporary: u32,
    /// zero
    pub reserved: u32,
}

// SAFETY: repr(C), begins with the size, made of integers and a pointer that may be NULL.
unsafe impl Versioned for unipc_sysv_queue_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_SYSV_QUEUE_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_queue_options_init(options: *mut unipc_sysv_queue_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// What a System V message queue is like. Begin with UNIPC_SYSV_QUEUE_STATUS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_sysv_queue_status {
    /// sizeof(unipc_sysv_queue_status)
    pub struct_size: usize,
    /// how many messages are in it
    pub messages: u64,
    /// how many bytes these have
    pub bytes: u64,
    /// how many bytes it holds, and how many messages
    pub limit: u64,
    /// when it was sent to last: seconds since 1970, 0 for never
    pub sent_at: i64,
    /// when it was received from last: seconds since 1970, 0 for never
    pub received_at: i64,
    /// when it was made, or its limit or rights were changed: seconds since 1970
    pub changed_at: i64,
    /// the kernel's number of it
    pub id: i32,
    /// its key; 0: private
    pub key: i32,
    /// the process that sent last, 0 for none
    pub last_sender_pid: i32,
    /// the process that received last, 0 for none
    pub last_receiver_pid: i32,
    /// its permissions
    pub mode: u32,
    /// its owner
    pub uid: u32,
    /// its group
    pub gid: u32,
    /// who made it, and has an owner's rights as well
    pub creator_uid: u32,
    /// the group of who made it
    pub creator_gid: u32,
    /// zero
    pub reserved: u32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_sysv_queue_status {}

/// Sets struct_size and zeroes the rest, as UNIPC_SYSV_QUEUE_STATUS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `status` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_queue_status_init(status: *mut unipc_sysv_queue_status) {
    // SAFETY: the caller's promise.
    unsafe { initialise(status) }
}

/// # Safety
/// `options` is NULL or as large as it says, with a group that is NULL or a string.
unsafe fn with_options(
    operation: &'static str,
    options: *const unipc_sysv_queue_options,
    call: impl FnOnce(&SysvQueueOptions<'_>) -> Result<SysvQueue, Error>,
) -> Result<unipc_sysv_queue, Error> {
    // SAFETY: the caller's promise.
    let options = unsafe { self::options(operation, options) }?;
    // SAFETY: the caller's promise.
    let group = unsafe { optional_text(operation, options.group) }?.map(str::to_owned);
    let (any_owner, temporary) = (switch(operation, options.any_owner)?, switch(operation, options.temporary)?);
    if options.reserved != 0 {
        return Err(invalid(operation, "a reserved field is not zero"));
    }
    waiting(options.wait_for_creator, |wait_for_creator| {
        call(&SysvQueueOptions { limit: options.limit, mode: options.mode, group, any_owner, temporary, wait_for_creator })
    })
    .map(unipc_sysv_queue)
}

type OpenNumbered = fn(i32, &SysvQueueOptions<'_>) -> unipc_core::Result<SysvQueue>;

/// The constructors differ in the core's function alone.
///
/// # Safety
/// As `unipc_sysv_queue_create`.
unsafe fn numbered(
    operation: &'static str,
    number: i32,
    options: *const unipc_sysv_queue_options,
    queue: *mut *mut unipc_sysv_queue,
    open: OpenNumbered,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { guard_new(operation, queue, || with_options(operation, options, |options| open(number, options))) }
}

/// Creates a System V message queue under a key. An existing one is left alone.
///
/// @param key      not 0; unipc_sysv_key makes one of a path
/// @param options  limit, mode, group, temporary; NULL: defaults
/// @param queue    receives the handle, or NULL on failure; close it with unipc_sysv_queue_close
/// @return         0; -EEXIST; -EINVAL: NULL, the key 0, a bad mode or group; -ENOSPC: too many queues; -EPERM: a limit above kernel.msgmnb, or a group
///                 of others; -ENOMEM, -E2BIG. The text names the limit and its value.
///
/// Threads: any. Signal-safe: no. Since 0.1. See msgget(2), sysvipc(7).
///
/// # Safety
/// `options` is NULL or as large as it says; `queue` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_queue_create(
    key: i32,
    options: *const unipc_sysv_queue_options,
    queue: *mut *mut unipc_sysv_queue,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { numbered("create System V queue", key, options, queue, SysvQueue::create) }
}

/// Creates a System V message queue without a key, for children made by fork, and for who is told its unipc_sysv_queue_id. It stays after its
/// creator all the same, unless it is temporary.
///
/// @return  as unipc_sysv_queue_create, but for -EEXIST
///
/// Threads: any. Signal-safe: no. Since 0.1. See msgget(2), IPC_PRIVATE.
///
/// # Safety
/// As unipc_sysv_queue_create.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_queue_create_private(
    options: *const unipc_sysv_queue_options,
    queue: *mut *mut unipc_sysv_queue,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { numbered("create private System V queue", 0, options, queue, |_, options| SysvQueue::create_private(options)) }
}

/// Opens a System V message queue that exists. It never creates.
///
/// @param key      not 0; unipc_sysv_key makes one of a path
/// @param options  any_owner, wait_for_creator; NULL: defaults
/// @param queue    receives the handle, or NULL on failure; close it with unipc_sysv_queue_close
/// @return         0; -ENOENT: also when the wait for the creator is over; -ECANCELED: the bound stop token; -EPERM: it belongs to another user, or was
///                 made by one; -EINVAL: NULL, the key 0; -EACCES, -E2BIG
///
/// Threads: any. Signal-safe: no. Since 0.1. See msgget(2).
///
/// # Safety
/// As unipc_sysv_queue_create.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_queue_open(
    key: i32,
    options: *const unipc_sysv_queue_options,
    queue: *mut *mut unipc_sysv_queue,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { numbered("open System V queue", key, options, queue, SysvQueue::open) }
}

/// Opens a System V message queue, or creates it if there is none. The limit counts only for the one who creates.
///
/// @return  as unipc_sysv_queue_open and unipc_sysv_queue_create, but for -ENOENT, -EEXIST and -ECANCELED: it never waits
///
/// Threads: any. Signal-safe: no. Since 0.1. See msgget(2).
///
/// # Safety
/// As unipc_sysv_queue_create.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_queue_open_or_create(
    key: i32,
    options: *const unipc_sysv_queue_options,
    queue: *mut *mut unipc_sysv_queue,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { numbered("open or create System V queue", key, options, queue, SysvQueue::open_or_create) }
}

/// Opens a System V message queue by its number, which its creator has told.
///
/// @param id       what unipc_sysv_queue_id gave there
/// @param options  any_owner; NULL: defaults
/// @param queue    receives the handle, or NULL on failure; close it with unipc_sysv_queue_close
/// @return         0; -EIDRM: there is none; -EPERM: it belongs to another user, or was made by one; -EINVAL: NULL; -EACCES, -E2BIG
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// As unipc_sysv_queue_create.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_queue_open_id(
    id: c_int,
    options: *const unipc_sysv_queue_options,
    queue: *mut *mut unipc_sysv_queue,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { numbered("open System V queue", id, options, queue, SysvQueue::open_id) }
}

/// Removes the queue of a key, with all that is in it. Who waits in it is told, by -EIDRM.
///
/// @return  0; -ENOENT; -EPERM: neither owner nor creator; -EINVAL: the key 0
///
/// Threads: any. Signal-safe: no. Since 0.1. See msgctl(2), IPC_RMID.
#[unsafe(no_mangle)]
pub extern "C" fn unipc_sysv_queue_remove_key(key: i32) -> c_int {
    guard_unit(|| SysvQueue::remove_key(key))
}

/// Removes the queue with all that is in it. Who waits in it is told, by -EIDRM. The handle stays to be closed.
///
/// @return  0; -EIDRM: it is gone already; -EPERM: neither owner nor creator; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See msgctl(2), IPC_RMID.
///
/// # Safety
/// `queue` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_queue_remove(queue: *mut unipc_sysv_queue) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("remove System V queue", queue.cast_const()) }?.0.remove())
}

/// The kernel's number for the queue, as ipcs -q shows it; never negative.
///
/// @return  the number; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `queue` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_queue_id(queue: *const unipc_sysv_queue) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe { input("ask System V queue", queue) }.map(|queue| queue.0.id()))
}

/// Sends a message.
///
/// @param data     where from; may be NULL if length is 0
/// @param length   bytes
/// @param type     at least 1
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         0; -EMSGSIZE: above kernel.msgmax, or above all that the queue holds; -EINVAL: NULL, no such type; -EACCES; -EIDRM: the queue was
///                 removed, before or meanwhile; -ENOMEM; -EAGAIN, -ETIMEDOUT, -ECANCELED: the queue is full, nothing was sent
///
/// Threads: any. Signal-safe: no. Since 0.1. See msgsnd(2).
///
/// # Safety
/// `queue` is NULL or a live handle; `data` is valid for reads of `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_queue_send(
    queue: *mut unipc_sysv_queue,
    data: *const c_void,
    length: usize,
    r#type: i64,
    timeout: i64,
) -> c_int {
    const OPERATION: &str = "send to System V queue";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let (queue, data) = (input(OPERATION, queue.cast_const())?, bytes(OPERATION, data, length)?);
        waiting(timeout, |wait| queue.0.send(data, r#type, wait))
    })
}

/// Receives a message.
///
/// @param type      0: the oldest; n: the oldest of type n; -n: of the lowest type there is, up to n
/// @param flags     0, or of UNIPC_SYSV_QUEUE_EXCEPT (any type but n) and UNIPC_SYSV_QUEUE_CUT
/// @param buffer    where to; may be NULL if capacity is 0
/// @param capacity  bytes
/// @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param info      receives size and type; with -E2BIG the size that the buffer needs, 0 if the kernel does not let us look; may be NULL
/// @return          its length, 0 for an empty message; -E2BIG: the buffer is too small, the message stays; -EACCES; -EIDRM: the queue was removed,
///                  before or meanwhile; -EINVAL: NULL, unknown flags, EXCEPT without a type; -EAGAIN, -ETIMEDOUT, -ECANCELED: there is no such message
///
/// Threads: any. Signal-safe: no. Since 0.1. See msgrcv(2).
///
/// # Safety
/// `queue` is NULL or a live handle; `buffer` is valid for writes of `capacity` bytes; `info` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_queue_receive(
    queue: *mut unipc_sysv_queue,
    r#type: i64,
    flags: u32,
    buffer: *mut c_void,
    capacity: usize,
    timeout: i64,
    info: *mut unipc_message_info,
) -> isize {
    const OPERATION: &str = "receive from System V queue";
    // SAFETY: the caller's promise.
    guard_size(|| unsafe {
        let (queue, buffer) = (input(OPERATION, queue.cast_const())?, self::buffer(OPERATION, buffer, capacity)?);
        let which = selected(OPERATION, r#type, flags)?;
        // A message whose info cannot be told would be lost.
        store_info(OPERATION, info, &MessageInfo::default())?;
        let result = waiting(timeout, |wait| match flags & UNIPC_SYSV_QUEUE_CUT {
            0 => queue.0.receive(buffer, which, wait),
            _ => queue.0.receive_cut(buffer, which, wait),
        });
        match result {
            Ok(received) => store_info(OPERATION, info, &received).map(|()| received.size),
            Err(error) => {
                if error.code() == -libc::E2BIG && !info.is_null() {
                    let size = queue.0.next_size(which).ok().flatten().unwrap_or(0);
                    store_info(OPERATION, info, &MessageInfo { size, ..Default::default() })?;
                }
                Err(error)
            }
        }
    })
}

pub(crate) fn selected(operation: &'static str, kind: i64, flags: u32) -> Result<Which, Error> {
    if flags & !(UNIPC_SYSV_QUEUE_EXCEPT | UNIPC_SYSV_QUEUE_CUT) != 0 {
        return Err(invalid(operation, "the flags are UNIPC_SYSV_QUEUE_EXCEPT and UNIPC_SYSV_QUEUE_CUT"));
    }
    Ok(match (kind, flags & UNIPC_SYSV_QUEUE_EXCEPT) {
        (kind, UNIPC_SYSV_QUEUE_EXCEPT) => Which::AllBut(kind),
        (0, _) => Which::Any,
        (1.., _) => Which::Type(kind),
        _ => Which::LowestUpTo(kind.saturating_neg()),
    })
}

/// What the queue is like now.
///
/// @param status  receives it; begin with UNIPC_SYSV_QUEUE_STATUS_INIT
/// @return        0; -EACCES: no right to read; -EIDRM: it was removed; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See msgctl(2), IPC_STAT.
///
/// # Safety
/// `queue` is NULL or a live handle; `status` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_queue_get_status(queue: *const unipc_sysv_queue, status: *mut unipc_sysv_queue_status) -> c_int {
    const OPERATION: &str = "ask System V queue";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let found = input(OPERATION, queue)?.0.status()?;
        let told = unipc_sysv_queue_status {
            struct_size: 0,
            messages: found.messages,
            bytes: found.bytes,
            limit: found.limit,
            sent_at: found.sent_at,
            received_at: found.received_at,
            changed_at: found.changed_at,
            id: found.id,
            key: found.key,
            last_sender_pid: found.last_sender_pid,
            last_receiver_pid: found.last_receiver_pid,
            mode: found.mode,
            uid: found.uid,
            gid: found.gid,
            creator_uid: found.creator_uid,
            creator_gid: found.creator_gid,
            reserved: 0,
        };
        store(OPERATION, status, &told)
    })
}

/// Changes how many bytes of messages the queue holds.
///
/// @param bytes  at least 1
/// @return       0; -EPERM: above kernel.msgmnb, or neither owner nor creator; -EACCES; -EIDRM: it was removed; -EINVAL: NULL, no bytes
///
/// Threads: any. Signal-safe: no. Since 0.1. See msgctl(2), IPC_SET.
///
/// # Safety
/// `queue` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_queue_set_limit(queue: *mut unipc_sysv_queue, bytes: usize) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("set limit of System V queue", queue.cast_const()) }?.0.set_limit(bytes))
}

/// Changes the permissions.
///
/// @param mode  up to 0777; 0: 0600
/// @return      0; -EPERM: neither owner nor creator; -EACCES; -EIDRM: it was removed; -EINVAL: NULL, other bits
///
/// Threads: any. Signal-safe: no. Since 0.1. See msgctl(2), IPC_SET.
///
/// # Safety
/// `queue` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_queue_set_mode(queue: *mut unipc_sysv_queue, mode: u32) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("set mode of System V queue", queue.cast_const()) }?.0.set_mode(mode))
}

/// Changes owner and group. Whoever made the queue keeps an owner's rights.
///
/// @param uid  the owner; UINT32_MAX leaves it
/// @param gid  the group; UINT32_MAX leaves it
/// @return     0; -EPERM: neither owner nor creator; -EACCES; -EIDRM: it was removed; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See msgctl(2), IPC_SET.
///
/// # Safety
/// `queue` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_queue_set_owner(queue: *mut unipc_sysv_queue, uid: u32, gid: u32) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("set owner of System V queue", queue.cast_const()) }?.0.set_owner(owner(uid), owner(gid)))
}

/// Who is to own a System V object, in C: `UINT32_MAX` leaves it.
pub(crate) fn owner(number: u32) -> Option<u32> {
    (number != u32::MAX).then_some(number)
}

/// Closes the handle; NULL is fine. A temporary queue is removed when its creator closes.
///
/// Threads: none may use the handle meanwhile. Fork: closing in a child removes nothing. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `queue` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_queue_close(queue: *mut unipc_sysv_queue) {
    // SAFETY: the caller's promise.
    unsafe { close(queue) }
}
