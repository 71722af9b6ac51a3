//! memfds and their seals.

use std::ffi::{c_char, c_int};
use std::os::fd::IntoRawFd;

use unipc_core::memory::Memory;

use crate::memory::{named, seals, unipc_memory, unipc_memory_options};
use crate::{guard, guard_unit, input, output};

/// Makes memory of zero bytes without a name, known by its descriptor, which can be sealed. Others get it by inheritance or through a Unix socket.
///
/// @param name     only shows in /proc; at most 249 bytes, and need not be unique
/// @param options  size (needed), mode, group, sparse, address, prefault, pinned, huge_pages, executable, checked
/// @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
/// @return         0; -EINVAL: NULL, a bad size, mode or group; -ENAMETOOLONG; -EPERM: a mode with x without the option executable; -ENOMEM; -EMFILE,
///                 -ENFILE; UNIPC_UNAVAILABLE: no huge pages; -E2BIG
///
/// Threads: any. Signal-safe: no. Since 0.1. See memfd_create(2).
///
/// # Safety
/// As unipc_memory_create_posix.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_create_memfd(
    name: *const c_char,
    options: *const unipc_memory_options,
    memory: *mut *mut unipc_memory,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { named("create memfd", name, options, memory, Memory::memfd) }
}

/// Adds seals to a memfd, for good. UNIPC_SEAL_WRITE makes this handle a read-only one, and addresses from before are no longer valid, also when it
/// fails: ask unipc_memory_address again.
///
/// @param seals  UNIPC_SEAL_*, or-ed
/// @return       0; -EPERM: sealed against seals, as POSIX shared memory always is, or the descriptor cannot write; -EBUSY: UNIPC_SEAL_WRITE while
///               somebody has it mapped for writing; -EINVAL: NULL, an unknown seal, a file on a disk; -EACCES; -EOPNOTSUPP: anonymous or System V memory
///
/// Threads: none may use the handle meanwhile, nor, for UNIPC_SEAL_WRITE, an address. Signal-safe: no. Since 0.1. See F_ADD_SEALS(2const).
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_seal(memory: *mut unipc_memory, seals: u32) -> c_int {
    const OPERATION: &str = "seal memory";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { output(OPERATION, memory) }?.0.seal(self::seals(OPERATION, seals)?))
}

/// What a memory is sealed against. POSIX shared memory cannot be sealed: it has UNIPC_SEAL_SEAL from birth.
///
/// @return  UNIPC_SEAL_*, or-ed, 0 for none; -EINVAL: NULL, or what cannot be sealed: a file on a disk; -EOPNOTSUPP: anonymous or System V memory
///
/// Threads: any. Signal-safe: no. Since 0.1. See F_GET_SEALS(2const).
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_seals(memory: *const unipc_memory) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe { input("get seals of memory", memory) }?.0.seals().map(|seals| seals.bits() as c_int))
}

/// A new descriptor of the same object that can only read, to be handed out. Who may also open the object by /proc/PID/fd can get one that writes,
/// unless it is sealed.
///
/// @return  the descriptor, which is the caller's; -EOPNOTSUPP: anonymous or System V memory; -EINVAL: NULL; -ENOENT: no /proc; -EACCES, -EMFILE, -ENFILE
///
/// Threads: any. Signal-safe: no. Since 0.1. See proc_pid_fd(5).
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_read_only_fd(memory: *const unipc_memory) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe { input("reopen memory for reading", memory) }?.0.read_only_descriptor().map(IntoRawFd::into_raw_fd))
}
