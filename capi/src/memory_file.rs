//! Files as memory, and what the kernel can be told about pages.

use std::ffi::{c_char, c_int};

use unipc_core::memory::{Advice, Flush, Memory};

use crate::memory::{named, unipc_memory, unipc_memory_options};
use crate::{guard_size, guard_unit, input, invalid, output};

/// flush: do not wait until the bytes are on the disk.
pub const UNIPC_FLUSH_NO_WAIT: u32 = 1;
/// flush: other mappings are to show what was written. On Linux they always do; -EBUSY for pinned pages.
pub const UNIPC_FLUSH_INVALIDATE: u32 = 2;

/// advice: nothing special.
pub const UNIPC_ADVICE_NORMAL: u32 = 0;
/// advice: the range will be used in no order.
pub const UNIPC_ADVICE_RANDOM: u32 = 1;
/// advice: the range will be used from its beginning to its end.
pub const UNIPC_ADVICE_SEQUENTIAL: u32 = 2;
/// advice: the range will be used soon.
pub const UNIPC_ADVICE_WILL_NEED: u32 = 3;
/// advice: the range will not be used soon. The object keeps its bytes; a private copy loses what was written to it.
pub const UNIPC_ADVICE_DONT_NEED: u32 = 4;

/// Creates a file of zero bytes, exclusively, and maps it. It has its size, its blocks and its permissions before it has its name; with the
/// option unpublished its content too.
///
/// @param path     at most 4095 bytes
/// @param options  size (needed), mode, group, temporary, unpublished, sparse, access, address, prefault, pinned
/// @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
/// @return         0; -EEXIST; -EINVAL: NULL, a bad path, size, mode or group; -ENOENT, -ENOTDIR: no such directory; -ENAMETOOLONG; -ENOSPC, -EDQUOT: no
///                 room; -EFBIG: RLIMIT_FSIZE, if SIGXFSZ is ignored; -EROFS, -EACCES, -EPERM; -EMFILE, -ENFILE, -ENOMEM; -E2BIG
///
/// Threads: any. Signal-safe: no. Since 0.1. See mmap(2), fallocate(2).
///
/// # Safety
/// As unipc_memory_create_posix.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_create_file(
    path: *const c_char,
    options: *const unipc_memory_options,
    memory: *mut *mut unipc_memory,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { named("create file memory", path, options, memory, Memory::create_file) }
}

/// Opens a file and maps it, or a range of it. A symbolic link at the end of the path is not followed.
///
/// unipc_memory_read and unipc_memory_write of a file go through the kernel, so that a file which another process shortens is
/// UNIPC_WRONG_SIZE; through the address it is SIGBUS.
///
/// @param path     at most 4095 bytes
/// @param options  access, size (the least that the file must have), offset, length, any_owner, wait_for_creator, address, prefault, pinned; NULL: defaults
/// @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
/// @return         0; -ENOENT; UNIPC_WRONG_SIZE: smaller than asked for, or empty (both also when the wait for the creator is over); -ECANCELED: the bound
///                 stop token; -EPERM: it belongs to another user; -EACCES; -ELOOP: a symbolic link; UNIPC_WRONG_KIND: no regular file; -EINVAL: also an
///                 offset that is no multiple of the page size; -ENAMETOOLONG, -E2BIG, -EMFILE, -ENFILE, -ENOMEM
///
/// Threads: any. Signal-safe: no. Since 0.1. See mmap(2).
///
/// # Safety
/// As unipc_memory_create_posix.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_open_file(
    path: *const c_char,
    options: *const unipc_memory_options,
    memory: *mut *mut unipc_memory,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { named("open file memory", path, options, memory, Memory::open_file) }
}

/// Opens a file and maps it, or creates it if there is none. unipc_memory_was_created tells which.
///
/// @return  as unipc_memory_open_file and unipc_memory_create_file, but for -ENOENT of the file and -EEXIST
///
/// Threads: any. Signal-safe: no. Since 0.1. See mmap(2).
///
/// # Safety
/// As unipc_memory_create_posix.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_open_or_create_file(
    path: *const c_char,
    options: *const unipc_memory_options,
    memory: *mut *mut unipc_memory,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { named("open or create file memory", path, options, memory, Memory::open_or_create_file) }
}

/// Writes what was stored in a range of a mapped file to the disk, and waits until it is there. Other processes see it without.
///
/// @param offset  bytes from the start
/// @param length  bytes; 0: all to the end
/// @param flags   UNIPC_FLUSH_NO_WAIT and UNIPC_FLUSH_INVALIDATE, or 0
/// @return        0; -EIO: the bytes are not on the disk; -EINVAL: NULL, beyond the size, an unknown flag; -EBUSY: UNIPC_FLUSH_INVALIDATE of pinned
///                pages; -EOPNOTSUPP: a private copy
///
/// Threads: any. Signal-safe: no. Since 0.1. See msync(2).
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_flush(memory: *const unipc_memory, offset: usize, length: usize, flags: u32) -> c_int {
    const OPERATION: &str = "flush memory";
    guard_unit(|| {
        // SAFETY: the caller's promise.
        let memory = unsafe { input(OPERATION, memory) }?;
        if flags & !(UNIPC_FLUSH_NO_WAIT | UNIPC_FLUSH_INVALIDATE) != 0 {
            return Err(invalid(OPERATION, "a flag that this version does not know"));
        }
        let how = Flush { no_wait: flags & UNIPC_FLUSH_NO_WAIT != 0, invalidate: flags & UNIPC_FLUSH_INVALIDATE != 0 };
        memory.0.flush(offset, length, how)
    })
}

/// Tells the kernel how a range will be used. Wrong advice costs time and nothing else, but see UNIPC_ADVICE_DONT_NEED.
///
/// @param offset  bytes from the start
/// @param length  bytes; 0: all to the end
/// @param advice  one of UNIPC_ADVICE_*
/// @return        0; -EINVAL: NULL, beyond the size, unknown advice, or UNIPC_ADVICE_DONT_NEED of pinned pages; -EIO, -ENOMEM
///
/// Threads: any. Signal-safe: no. Since 0.1. See madvise(2).
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_advise(memory: *const unipc_memory, offset: usize, length: usize, advice: u32) -> c_int {
    const OPERATION: &str = "advise on memory";
    guard_unit(|| {
        // SAFETY: the caller's promise.
        let memory = unsafe { input(OPERATION, memory) }?;
        let advice = match advice {
            UNIPC_ADVICE_NORMAL => Advice::Normal,
            UNIPC_ADVICE_RANDOM => Advice::Random,
            UNIPC_ADVICE_SEQUENTIAL => Advice::Sequential,
            UNIPC_ADVICE_WILL_NEED => Advice::WillNeed,
            UNIPC_ADVICE_DONT_NEED => Advice::DontNeed,
            _ => return Err(invalid(OPERATION, "advice that this version does not know")),
        };
        memory.0.advise(offset, length, advice)
    })
}

/// Has every page of the newest mapping at hand, so that no later use of one waits for the kernel.
///
/// @return  0; UNIPC_WRONG_SIZE: the object has been shrunk, or its file system is full; -ENOMEM; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See madvise(2), MADV_POPULATE_WRITE.
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_prefault(memory: *const unipc_memory) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("prefault memory", memory) }?.0.prefault())
}

/// Keeps the newest mapping, and those that a change of size makes, in memory: never in swap space. A child made by fork does not inherit it.
///
/// @return  0; -ENOMEM, -EPERM, -EAGAIN: more than RLIMIT_MEMLOCK, whose value the text has; -EINVAL: NULL
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1. See mlock(2).
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_pin(memory: *mut unipc_memory) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { output("pin memory", memory) }?.0.pin())
}

/// Lets the pages go to swap space again.
///
/// @return  0; -EINVAL: NULL
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1. See munlock(2).
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_unpin(memory: *mut unipc_memory) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { output("unpin memory", memory) }?.0.unpin())
}

/// The size of the pages that the mapping got: what became of UNIPC_HUGE_PAGES_TRY. Huge pages that the kernel has joined by itself do not show. It
/// reads /proc/self/smaps.
///
/// @return  bytes; -EINVAL: NULL; -ENOENT: no /proc
///
/// Threads: any. Signal-safe: no. Since 0.1. See proc_pid_smaps(5).
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_page_size(memory: *const unipc_memory) -> isize {
    // SAFETY: the caller's promise.
    guard_size(|| unsafe { input("get page size of memory", memory) }?.0.page_size())
}
