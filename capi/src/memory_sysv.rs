//! System V shared memory.

use std::ffi::c_int;

use unipc_core::memory::{Memory, MemoryOptions};

use crate::memory::{unipc_memory, unipc_memory_options, with_options};
use crate::sysv_queue::owner;
use crate::{Versioned, guard, guard_new, guard_unit, initialise, input, store};

/// What System V memory is like. Begin with UNIPC_SYSV_MEMORY_STATUS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_sysv_memory_status {
    /// sizeof(unipc_sysv_memory_status)
    pub struct_size: usize,
    /// bytes
    pub size: u64,
    /// attachments of all processes
    pub attached: u64,
    /// when somebody attached last: seconds since 1970, 0 for never
    pub attached_at: i64,
    /// when somebody detached last: seconds since 1970, 0 for never
    pub detached_at: i64,
    /// when it was made, or its rights were changed: seconds since 1970
    pub changed_at: i64,
    /// the kernel's number of it
    pub id: i32,
    /// its key; 0: private, or removed
    pub key: i32,
    /// the process that made it
    pub creator_pid: i32,
    /// the process that attached or detached last, 0 for none
    pub last_pid: i32,
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
    /// 1: it goes with the last attachment
    pub is_removed: u32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_sysv_memory_status {}

/// Sets struct_size and zeroes the rest, as UNIPC_SYSV_MEMORY_STATUS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `status` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_memory_status_init(status: *mut unipc_sysv_memory_status) {
    // SAFETY: the caller's promise.
    unsafe { initialise(status) }
}

type OpenNumbered = fn(i32, &MemoryOptions<'_>) -> unipc_core::Result<Memory>;

/// The constructors with a number differ in the core's function alone.
///
/// # Safety
/// As `unipc_memory_create_sysv`.
unsafe fn numbered(
    operation: &'static str,
    number: i32,
    options: *const unipc_memory_options,
    memory: *mut *mut unipc_memory,
    open: OpenNumbered,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { guard_new(operation, memory, || with_options(operation, options, |options| open(number, options)).map(unipc_memory)) }
}

/// Creates System V shared memory of zero bytes, exclusively. It stays until it is removed or the machine restarts.
///
/// The kernel reserves no pages by itself: unless sparse is set, they are made here, and what the machine or its control group has not is -ENOMEM.
///
/// @param key      not 0; unipc_sysv_key makes one of a path
/// @param options  size (needed), mode, group, access, temporary (removed when the creator closes its handle, gone with the last attachment), sparse,
///                 address, prefault, pinned, huge_pages
/// @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
/// @return         0; -EEXIST; -EINVAL: NULL, key 0, a bad size, mode, group or address, more than kernel.shmmax, or unpublished, which cannot be;
///                 -ENOSPC: kernel.shmmni or kernel.shmall, and the text has the values; -ENOMEM; -EPERM; UNIPC_UNAVAILABLE: no huge pages; -E2BIG
///
/// Threads: any. Signal-safe: no. Since 0.1. See shmget(2), shmat(2).
///
/// # Safety
/// `options` is NULL or as large as it says; `memory` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_create_sysv(key: i32, options: *const unipc_memory_options, memory: *mut *mut unipc_memory) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { numbered("create System V memory", key, options, memory, Memory::create_sysv) }
}

/// Creates System V shared memory without a key: for children, and for those who are told its id (unipc_memory_id_sysv). With temporary it is removed
/// at once: others can still attach by the id, and its pages go with the last process, however that ends.
///
/// @param options  as unipc_memory_create_sysv
/// @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
/// @return         as unipc_memory_create_sysv, but for -EEXIST
///
/// Threads: any. Signal-safe: no. Since 0.1. See shmget(2), IPC_PRIVATE.
///
/// # Safety
/// As unipc_memory_create_sysv.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_create_private_sysv(options: *const unipc_memory_options, memory: *mut *mut unipc_memory) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { numbered("create private System V memory", 0, options, memory, |_, options| Memory::create_private_sysv(options)) }
}

/// Attaches to System V shared memory that exists. It never creates.
///
/// @param key      not 0
/// @param options  access, size (the least that will do), any_owner, wait_for_creator, address, prefault, pinned; NULL: defaults
/// @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
/// @return         0; -ENOENT: also when the wait for the creator is over; -ECANCELED: the bound stop token; -EPERM: it belongs to another user, or was
///                 made by one; -EACCES; UNIPC_WRONG_SIZE: smaller than asked for; -EINVAL: NULL, key 0, an address that is not free; -ENOMEM; -E2BIG
///
/// Threads: any. Signal-safe: no. Since 0.1. See shmget(2), shmat(2).
///
/// # Safety
/// As unipc_memory_create_sysv.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_open_sysv(key: i32, options: *const unipc_memory_options, memory: *mut *mut unipc_memory) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { numbered("open System V memory", key, options, memory, Memory::open_sysv) }
}

/// Attaches to System V shared memory by its id, also to one that is removed and still attached somewhere.
///
/// @param id       what unipc_memory_id_sysv gave there
/// @param options  as unipc_memory_open_sysv, but for wait_for_creator
/// @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
/// @return         as unipc_memory_open_sysv, but for -ENOENT and -ECANCELED; -EIDRM: there is none
///
/// Threads: any. Signal-safe: no. Since 0.1. See shmat(2).
///
/// # Safety
/// As unipc_memory_create_sysv.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_open_id_sysv(id: i32, options: *const unipc_memory_options, memory: *mut *mut unipc_memory) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { numbered("open System V memory", id, options, memory, Memory::open_id_sysv) }
}

/// Attaches to System V shared memory, or creates it if there is none. unipc_memory_was_created tells which.
///
/// @return  as unipc_memory_open_sysv and unipc_memory_create_sysv, but for -ENOENT and -EEXIST
///
/// Threads: any. Signal-safe: no. Since 0.1. See shmget(2).
///
/// # Safety
/// As unipc_memory_create_sysv.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_open_or_create_sysv(
    key: i32,
    options: *const unipc_memory_options,
    memory: *mut *mut unipc_memory,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { numbered("open or create System V memory", key, options, memory, Memory::open_or_create_sysv) }
}

/// Removes the memory of a key: the key is free at once, the pages go with the last process that is attached.
///
/// @return  0; -ENOENT; -EPERM: neither owner nor creator; -EINVAL: the key 0
///
/// Threads: any. Signal-safe: no. Since 0.1. See shmctl(2), IPC_RMID.
#[unsafe(no_mangle)]
pub extern "C" fn unipc_memory_remove_key_sysv(key: i32) -> c_int {
    guard_unit(|| Memory::remove_key_sysv(key))
}

/// Removes the System V memory that a handle is attached to, as unipc_memory_remove_key_sysv. The handle stays to be closed.
///
/// @return  0, also if it was removed already; -EPERM: neither owner nor creator; -EINVAL: NULL; -EOPNOTSUPP: other memory
///
/// Threads: any. Signal-safe: no. Since 0.1. See shmctl(2), IPC_RMID.
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_remove_sysv(memory: *mut unipc_memory) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("remove System V memory", memory.cast_const()) }?.0.remove_sysv())
}

/// The kernel's number for the System V memory that a handle is attached to, as ipcs -m shows it; never negative.
///
/// @return  the number; -EINVAL: NULL; -EOPNOTSUPP: other memory
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_id_sysv(memory: *const unipc_memory) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe { input("ask System V memory", memory) }?.0.id_sysv())
}

/// What the System V memory that a handle is attached to is like now.
///
/// @param status  receives it; begin with UNIPC_SYSV_MEMORY_STATUS_INIT
/// @return        0; -EACCES: no right to read; -EINVAL: NULL, no struct_size; -EOPNOTSUPP: other memory
///
/// Threads: any. Signal-safe: no. Since 0.1. See shmctl(2), IPC_STAT.
///
/// # Safety
/// `memory` is NULL or a live handle; `status` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_get_status_sysv(memory: *const unipc_memory, status: *mut unipc_sysv_memory_status) -> c_int {
    const OPERATION: &str = "ask System V memory";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let found = input(OPERATION, memory)?.0.status_sysv()?;
        let told = unipc_sysv_memory_status {
            struct_size: 0,
            size: found.size,
            attached: found.attached,
            attached_at: found.attached_at,
            detached_at: found.detached_at,
            changed_at: found.changed_at,
            id: found.id,
            key: found.key,
            creator_pid: found.creator_pid,
            last_pid: found.last_pid,
            mode: found.mode,
            uid: found.uid,
            gid: found.gid,
            creator_uid: found.creator_uid,
            creator_gid: found.creator_gid,
            is_removed: u32::from(found.is_removed),
        };
        store(OPERATION, status, &told)
    })
}

/// Changes the permissions of System V memory. Who is attached stays so.
///
/// @param mode  up to 0777; 0: 0600
/// @return      0; -EPERM: neither owner nor creator; -EACCES; -EINVAL: NULL, other bits; -EOPNOTSUPP: other memory
///
/// Threads: any. Signal-safe: no. Since 0.1. See shmctl(2), IPC_SET.
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_set_mode_sysv(memory: *mut unipc_memory, mode: u32) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("set mode of System V memory", memory.cast_const()) }?.0.set_mode_sysv(mode))
}

/// Changes owner and group of System V memory. Whoever made it keeps an owner's rights.
///
/// @param uid  the owner; UINT32_MAX leaves it
/// @param gid  the group; UINT32_MAX leaves it
/// @return     0; -EPERM: neither owner nor creator; -EACCES; -EINVAL: NULL; -EOPNOTSUPP: other memory
///
/// Threads: any. Signal-safe: no. Since 0.1. See shmctl(2), IPC_SET.
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_set_owner_sysv(memory: *mut unipc_memory, uid: u32, gid: u32) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("set owner of System V memory", memory.cast_const()) }?.0.set_owner_sysv(owner(uid), owner(gid)))
}
