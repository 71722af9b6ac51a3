//! System V shared memory.

use std::ffi::c_int;

use unipc_core::memory::{Memory, MemoryOptions};

use crate::memory::{unipc_memory, unipc_memory_options, with_options};
use crate::{Versioned, guard_new, guard_unit, initialise, input, store};

/// What the kernel knows about System V memory. Begin with UNIPC_SYSV_MEMORY_STATUS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_sysv_memory_status {
    /// sizeof(unipc_sysv_memory_status)
    pub struct_size: usize,
    /// bytes
    pub size: u64,
    /// attachments of all processes
    pub attached: u64,
    /// when somebody last attached, in seconds since 1970; 0: never
    pub attach_time: i64,
    /// when somebody last detached; 0: never
    pub detach_time: i64,
    /// when it was made or its permissions changed
    pub change_time: i64,
    /// the kernel's number of it, for unipc_memory_open_sysv_id
    pub id: i32,
    /// the key; 0: private, or removed
    pub key: i32,
    /// the process that made it
    pub creator: i32,
    /// the process that attached or detached last; 0: none
    pub last: i32,
    /// the user that owns it
    pub owner: u32,
    /// the group that owns it
    pub group: u32,
    /// the user that made it
    pub creator_user: u32,
    /// the group that made it
    pub creator_group: u32,
    /// permissions
    pub mode: u32,
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

/// Creates System V shared memory without a key: for children, and for those who are told its id (unipc_memory_status_sysv). With temporary it is removed
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
/// @return  as unipc_memory_open_sysv
///
/// Threads: any. Signal-safe: no. Since 0.1. See shmat(2).
///
/// # Safety
/// As unipc_memory_create_sysv.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_open_sysv_id(id: i32, options: *const unipc_memory_options, memory: *mut *mut unipc_memory) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { numbered("open System V memory", id, options, memory, Memory::open_sysv_identifier) }
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
/// @return  0; -ENOENT; -EPERM: it is neither ours nor made by us; -EINVAL: key 0
///
/// Threads: any. Signal-safe: no. Since 0.1. See shmctl(2), IPC_RMID.
#[unsafe(no_mangle)]
pub extern "C" fn unipc_memory_unlink_sysv(key: i32) -> c_int {
    guard_unit(|| Memory::unlink_sysv(key))
}

/// Removes the System V memory that a handle is attached to, as unipc_memory_unlink_sysv; for a private one.
///
/// @return  0; -ENOENT; -EPERM; -EINVAL: NULL; -EOPNOTSUPP: other memory
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

/// What the kernel knows about the System V memory that a handle is attached to.
///
/// @param status  begins with its size (UNIPC_SYSV_MEMORY_STATUS_INIT); receives the rest
/// @return        0; -EINVAL: NULL, no struct_size; -EACCES: no permission to read; -ENOENT; -EOPNOTSUPP: other memory
///
/// Threads: any. Signal-safe: no. Since 0.1. See shmctl(2), IPC_STAT.
///
/// # Safety
/// `memory` is NULL or a live handle; `status` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_status_sysv(memory: *const unipc_memory, status: *mut unipc_sysv_memory_status) -> c_int {
    const OPERATION: &str = "get status of System V memory";
    guard_unit(|| {
        // SAFETY: the caller's promise.
        let found = unsafe { input(OPERATION, memory) }?.0.sysv_status()?;
        let value = unipc_sysv_memory_status {
            struct_size: size_of::<unipc_sysv_memory_status>(),
            size: found.size,
            attached: found.attached,
            attach_time: found.attach_time,
            detach_time: found.detach_time,
            change_time: found.change_time,
            id: found.identifier,
            key: found.key,
            creator: found.creator,
            last: found.last,
            owner: found.owner,
            group: found.group,
            creator_user: found.creator_user,
            creator_group: found.creator_group,
            mode: found.mode,
            is_removed: u32::from(found.is_removed),
        };
        // SAFETY: the caller's promise.
        unsafe { store(OPERATION, status, &value) }
    })
}
