//! Locks on files.

use std::ffi::{c_char, c_int};
use std::os::fd::{AsFd, IntoRawFd};

use unipc_core::file::lock::{FileLock, FileLockOptions, LockKind, LockMode, LockRange};
use unipc_core::{Error, descriptor};

use crate::wait::waiting;
use crate::{
    Versioned, close, fd_of, guard, guard_new, guard_unit, initialise, input, invalid, optional_text, options, store, switch, text,
};

/// A file, opened to be locked: against other processes that ask for the lock too, and against nobody else. The kernel drops the lock when its holder
/// dies. A lock file stays where it is: who unlinks it while another has it open leaves that one with a lock that nobody else will find.
///
/// A handle costs a descriptor. Handles that are to keep each other out, in threads too, are opened each for itself; to lock twice through one handle
/// changes its lock. What loses the lock depends on the kind, see UNIPC_FILE_LOCK_OFD, UNIPC_FILE_LOCK_FLOCK and UNIPC_FILE_LOCK_RECORD.
pub struct unipc_file_lock(FileLock);

/// file lock: a lock of the open file, on ranges of bytes. After fork the child shares it: the lock ends when both have closed, or either has unlocked.
/// It meets record locks.
pub const UNIPC_FILE_LOCK_OFD: u32 = 0;
/// file lock: a lock of the open file, on the whole of it, as flock(1) takes it. After fork as UNIPC_FILE_LOCK_OFD. Its upgrade lets others in between.
pub const UNIPC_FILE_LOCK_FLOCK: u32 = 1;
/// file lock: a lock of the process, on ranges of bytes. When the process closes any descriptor of the file, whoever opened it, all its record locks on
/// the file are lost. A child made by fork has none. It does not keep threads apart. It meets OFD locks.
pub const UNIPC_FILE_LOCK_RECORD: u32 = 2;

/// file lock: one holder.
pub const UNIPC_FILE_LOCK_EXCLUSIVE: u32 = 0;
/// file lock: any number of holders, all of them shared.
pub const UNIPC_FILE_LOCK_SHARED: u32 = 1;

/// Options of file locks. Begin with UNIPC_FILE_LOCK_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_file_lock_options {
    /// sizeof(unipc_file_lock_options)
    pub struct_size: usize,
    /// create: the group, by name or number; NULL: the process's
    pub group: *const c_char,
    /// UNIPC_FILE_LOCK_OFD, UNIPC_FILE_LOCK_FLOCK or UNIPC_FILE_LOCK_RECORD
    pub kind: u32,
    /// create: permissions, set whatever the umask says; 0: 0600
    pub mode: u32,
    /// 1 opens to read only: enough for a flock, and for shared locks of the other kinds
    pub read_only: u32,
    /// open: 1 accepts files of users other than oneself and root
    pub any_owner: u32,
}

// SAFETY: repr(C), begins with the size, made of integers and a pointer that may be NULL.
unsafe impl Versioned for unipc_file_lock_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_FILE_LOCK_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_lock_options_init(options: *mut unipc_file_lock_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// A lock that is in the way. Begin with UNIPC_FILE_LOCK_HOLDER_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_file_lock_holder {
    /// sizeof(unipc_file_lock_holder)
    pub struct_size: usize,
    /// the first byte that it is on
    pub start: u64,
    /// how many bytes; 0: all from the start
    pub length: u64,
    /// the process; 0: the kernel does not tell, as of OFD locks and of processes in another pid namespace
    pub process: i32,
    /// UNIPC_FILE_LOCK_EXCLUSIVE or UNIPC_FILE_LOCK_SHARED
    pub mode: u32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_file_lock_holder {}

/// Sets struct_size and zeroes the rest, as UNIPC_FILE_LOCK_HOLDER_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `holder` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_lock_holder_init(holder: *mut unipc_file_lock_holder) {
    // SAFETY: the caller's promise.
    unsafe { initialise(holder) }
}

fn kind_of(operation: &'static str, kind: u32) -> Result<LockKind, Error> {
    match kind {
        UNIPC_FILE_LOCK_OFD => Ok(LockKind::Ofd),
        UNIPC_FILE_LOCK_FLOCK => Ok(LockKind::Flock),
        UNIPC_FILE_LOCK_RECORD => Ok(LockKind::Record),
        _ => Err(invalid(operation, "the kind is UNIPC_FILE_LOCK_OFD, UNIPC_FILE_LOCK_FLOCK or UNIPC_FILE_LOCK_RECORD")),
    }
}

fn mode_of(operation: &'static str, mode: u32) -> Result<LockMode, Error> {
    match mode {
        UNIPC_FILE_LOCK_EXCLUSIVE => Ok(LockMode::Exclusive),
        UNIPC_FILE_LOCK_SHARED => Ok(LockMode::Shared),
        _ => Err(invalid(operation, "the mode is UNIPC_FILE_LOCK_EXCLUSIVE or UNIPC_FILE_LOCK_SHARED")),
    }
}

/// The two constructors differ in the core's function alone.
///
/// # Safety
/// As `unipc_file_lock_open`.
unsafe fn named(
    operation: &'static str,
    path: *const c_char,
    options: *const unipc_file_lock_options,
    lock: *mut *mut unipc_file_lock,
    open: fn(&str, &FileLockOptions) -> unipc_core::Result<FileLock>,
) -> c_int {
    let body = || {
        // SAFETY: the caller's promise.
        let path = unsafe { text(operation, path) }?;
        // SAFETY: the caller's promise.
        let options = unsafe { self::options(operation, options) }?;
        // SAFETY: the caller's promise.
        let group = unsafe { optional_text(operation, options.group) }?.map(str::to_owned);
        let (read_only, any_owner) = (switch(operation, options.read_only)?, switch(operation, options.any_owner)?);
        let options = FileLockOptions { kind: kind_of(operation, options.kind)?, read_only, mode: options.mode, group, any_owner };
        open(path, &options).map(unipc_file_lock)
    };
    // SAFETY: the caller's promise.
    unsafe { guard_new(operation, lock, body) }
}

/// Opens a regular file that exists, to be locked. Symbolic links at the end of the path are not followed.
///
/// @param path     at most 4095 bytes
/// @param options  kind, read_only, any_owner; NULL: defaults
/// @param lock     receives the handle, or NULL on failure; close it with unipc_file_lock_close
/// @return         0; -ENOENT; -EACCES; -EPERM: it belongs to another user; -ELOOP: a symbolic link; UNIPC_WRONG_KIND: no regular file; -EINVAL: NULL, a
///                 bad path or kind; -ENAMETOOLONG, -E2BIG, -EMFILE, -ENFILE
///
/// Threads: any. Fork: the child's copy is the same holder, but for record locks. Signal-safe: no. Since 0.1. See open(2).
///
/// # Safety
/// `path` is NULL or a string; `options` is NULL or as large as it says; `lock` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_lock_open(
    path: *const c_char,
    options: *const unipc_file_lock_options,
    lock: *mut *mut unipc_file_lock,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { named("open file to lock", path, options, lock, FileLock::open) }
}

/// Opens a regular file to be locked, or makes an empty one if there is none.
///
/// @param path     at most 4095 bytes
/// @param options  kind, mode, group, read_only, any_owner; NULL: defaults
/// @param lock     receives the handle, or NULL on failure; close it with unipc_file_lock_close
/// @return         as unipc_file_lock_open; -ENOENT: of the directory; -EROFS, -ENOSPC, -EDQUOT; -EINVAL: also a bad mode or group
///
/// Threads: any. Fork: as unipc_file_lock_open. Signal-safe: no. Since 0.1. See open(2).
///
/// # Safety
/// As unipc_file_lock_open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_lock_open_or_create(
    path: *const c_char,
    options: *const unipc_file_lock_options,
    lock: *mut *mut unipc_file_lock,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { named("open or create file to lock", path, options, lock, FileLock::open_or_create) }
}

/// Takes over a descriptor of a file, to be locked; of a directory too, for a flock. It becomes close-on-exec. When it is refused it stays the caller's.
///
/// @param kind  UNIPC_FILE_LOCK_OFD, UNIPC_FILE_LOCK_FLOCK or UNIPC_FILE_LOCK_RECORD
/// @param lock  receives the handle, or NULL on failure; close it with unipc_file_lock_close
/// @return      0; -EBADF: no open descriptor; -EINVAL: NULL, a bad kind
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `lock` is NULL or valid to write a pointer to; the caller owns the descriptor and gives it away.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_lock_from_fd(fd: c_int, kind: u32, lock: *mut *mut unipc_file_lock) -> c_int {
    const OPERATION: &str = "adopt file to lock";
    let body = || {
        let kind = kind_of(OPERATION, kind)?;
        // SAFETY: the caller gives it away.
        let descriptor = unsafe { descriptor::adopt(fd) }?;
        FileLock::adopt(descriptor, kind).map(unipc_file_lock).map_err(|(descriptor, error)| {
            let _ = descriptor.into_raw_fd();
            error
        })
    };
    // SAFETY: the caller's promise.
    unsafe { guard_new(OPERATION, lock, body) }
}

/// Locks a range. What this handle holds in it is converted; see unipc_file_lock_upgrade for that.
///
/// @param mode     UNIPC_FILE_LOCK_EXCLUSIVE or UNIPC_FILE_LOCK_SHARED
/// @param start    the first byte; 0 for a flock
/// @param length   bytes; 0: all from the start, however the file grows
/// @param timeout  nanoseconds, or UNIPC_FOREVER. The kernel has no limit for these waits: any limit but UNIPC_FOREVER probes, from every 50 us to every
///                 10 ms, as does a thread that has bound a stop token
/// @return         0; -EAGAIN, -ETIMEDOUT, -ECANCELED: another holds it; -EDEADLK: record locks whose holders wait for each other, with UNIPC_FOREVER;
///                 -EBADF: exclusive, but open to read only; -ENOLCK: no room, or a file system without locks; -EINVAL: NULL, a bad mode, a range beyond
///                 2^63 - 1 or of a flock
///
/// Threads: any; those of one handle do not keep each other out. Signal-safe: no. Since 0.1. See fcntl_locking(2), flock(2).
///
/// # Safety
/// `lock` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_lock_lock(lock: *const unipc_file_lock, mode: u32, start: u64, length: u64, timeout: i64) -> c_int {
    const OPERATION: &str = "lock file";
    guard_unit(|| {
        // SAFETY: the caller's promise.
        let lock = unsafe { input(OPERATION, lock) }?;
        let mode = mode_of(OPERATION, mode)?;
        waiting(timeout, |wait| lock.0.acquire(mode, LockRange { start, length }, wait))
    })
}

/// Makes a shared lock exclusive, and waits until the other sharers have gone. One that is exclusive already stays so.
///
/// OFD and record locks stay shared meanwhile, and when it fails; two that upgrade at once wait for each other, so give it a limit. A flock is given back
/// first: others may have changed the file before the exclusive lock is there. When that fails, the shared lock is taken again.
///
/// @param start    the first byte; 0 for a flock
/// @param length   bytes; 0: all from the start
/// @param timeout  nanoseconds, or UNIPC_FOREVER
/// @return         as unipc_file_lock_lock; -EPERM: not all of it is held, and nothing is locked (without /proc it cannot be told, and is locked); -ENOLCK:
///                 also of a flock, another took it meanwhile, and nothing is held any more
///
/// Threads: any. Signal-safe: no. Since 0.1. See flock(2).
///
/// # Safety
/// `lock` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_lock_upgrade(lock: *const unipc_file_lock, start: u64, length: u64, timeout: i64) -> c_int {
    guard_unit(|| {
        // SAFETY: the caller's promise.
        let lock = unsafe { input("upgrade file lock", lock) }?;
        waiting(timeout, |wait| lock.0.upgrade(LockRange { start, length }, wait))
    })
}

/// Makes an exclusive lock shared. It does not wait, and lets nobody write in between. One that is shared already stays so.
///
/// @param start   the first byte; 0 for a flock
/// @param length  bytes; 0: all from the start
/// @return        0; -EPERM: not all of it is held, and nothing is locked, as unipc_file_lock_upgrade; -EINVAL: NULL, a range beyond 2^63 - 1 or of a flock;
///                -ENOLCK
///
/// Threads: any. Signal-safe: no. Since 0.1. See fcntl_locking(2), flock(2).
///
/// # Safety
/// `lock` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_lock_downgrade(lock: *const unipc_file_lock, start: u64, length: u64) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("downgrade file lock", lock) }?.0.downgrade(LockRange { start, length }))
}

/// Gives a range back, or a part of one. What is not held is no error: it is free.
///
/// @param start   the first byte; 0 for a flock
/// @param length  bytes; 0: all from the start
/// @return        0; -EINVAL: NULL, a range beyond 2^63 - 1 or of a flock; -ENOLCK: no room for the parts that remain
///
/// Threads: any. Fork: in the child it unlocks for the parent too, but for record locks. Signal-safe: no. Since 0.1. See fcntl_locking(2), flock(2).
///
/// # Safety
/// `lock` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_lock_unlock(lock: *const unipc_file_lock, start: u64, length: u64) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("unlock file", lock) }?.0.unlock(LockRange { start, length }))
}

/// A lock of others that keeps this handle from locking a range. It may be gone when this returns.
///
/// @param mode    UNIPC_FILE_LOCK_EXCLUSIVE or UNIPC_FILE_LOCK_SHARED: what one would lock
/// @param start   the first byte; 0 for a flock
/// @param length  bytes; 0: all from the start
/// @param holder  receives who holds it, if somebody does; NULL: only whether
/// @return        1: there is one; 0: none; -EINVAL: NULL, a bad mode or range; UNIPC_UNAVAILABLE: a flock, without /proc/locks
///
/// Threads: any. Signal-safe: no. Since 0.1. See fcntl_locking(2), proc_locks(5).
///
/// # Safety
/// `lock` is NULL or a live handle; `holder` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_lock_find_holder(
    lock: *const unipc_file_lock,
    mode: u32,
    start: u64,
    length: u64,
    holder: *mut unipc_file_lock_holder,
) -> c_int {
    const OPERATION: &str = "find holder of file lock";
    guard(|| {
        // SAFETY: the caller's promise.
        let lock = unsafe { input(OPERATION, lock) }?;
        let found = lock.0.find_holder(mode_of(OPERATION, mode)?, LockRange { start, length })?;
        let Some(found) = found else { return Ok(0) };
        if !holder.is_null() {
            let told = unipc_file_lock_holder {
                struct_size: 0,
                start: found.range.start,
                length: found.range.length,
                process: found.process.unwrap_or(0),
                mode: match found.mode {
                    LockMode::Exclusive => UNIPC_FILE_LOCK_EXCLUSIVE,
                    LockMode::Shared => UNIPC_FILE_LOCK_SHARED,
                },
            };
            // SAFETY: the caller's promise.
            unsafe { store(OPERATION, holder, &told) }?;
        }
        Ok(1)
    })
}

/// The descriptor, which stays the handle's: to read and write the file. Do not close it.
///
/// @return  the descriptor; -EINVAL: NULL
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `lock` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_lock_fd(lock: *const unipc_file_lock) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { fd_of(lock, |lock| lock.0.as_fd()) }
}

/// Gives the descriptor away and closes the handle. Its locks stay until the descriptor is closed.
///
/// @return  the descriptor, which is the caller's; -EINVAL: NULL
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `lock` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_lock_into_fd(lock: *mut unipc_file_lock) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { input("release file lock", lock.cast_const()) }?;
        // SAFETY: a handle, made by `Box::into_raw`, that the caller gives back.
        let lock = unsafe { Box::from_raw(lock) };
        Ok(std::os::fd::OwnedFd::from(lock.0).into_raw_fd())
    })
}

/// Closes the handle; NULL is fine. What it holds is given back, unless another descriptor of the same open file is left, as in a child made by fork.
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `lock` is NULL or a live handle, which is gone after this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_lock_close(lock: *mut unipc_file_lock) {
    // SAFETY: the caller's promise.
    unsafe { close(lock) }
}
