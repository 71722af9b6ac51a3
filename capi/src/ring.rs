//! Many reads and writes at once: io_uring.

use std::ffi::{c_int, c_void};
use std::os::fd::{AsFd, BorrowedFd};

use unipc_core::Error;
use unipc_core::event::{Completion, Operation, Ring};

use crate::wait::waiting;
use crate::{bytes, close, fd_of, guard, guard_new, guard_unit, input, invalid, output};

/// what: reads up to `length` bytes, and 2147479552 at the most, at least one or the end; `data` is not looked at.
pub const UNIPC_RING_READ: u32 = 1;
/// what: writes of the `length` bytes at `data`, which are copied at once, as many as there is room for, at least one.
pub const UNIPC_RING_WRITE: u32 = 2;
/// offset: at the position of a file, which moves; and for everything that is no file.
pub const UNIPC_RING_POSITION: u64 = u64::MAX;

/// A read or write that is to be submitted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_ring_operation {
    /// comes back with the completion: a number, or (uint64_t)(uintptr_t)pointer
    pub token: u64,
    /// where in a file, whose position stays; or UNIPC_RING_POSITION
    pub offset: u64,
    /// what is to be written
    pub data: *const c_void,
    /// in bytes
    pub length: usize,
    /// any descriptor, which stays the caller's and may be closed once it is submitted
    pub fd: c_int,
    /// UNIPC_RING_READ or UNIPC_RING_WRITE
    pub what: u32,
}

/// What has become of an operation.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_ring_completion {
    /// what the operation was given
    pub token: u64,
    /// how many bytes were read or written, of a read 0 at the end; or -errno: -EPIPE, -ECANCELED, -EBADF, -EAGAIN of a description with O_NONBLOCK, and so on
    pub result: i64,
    /// what was read, or was to be written; it belongs to the ring, until the next unipc_ring_wait or unipc_ring_close
    pub data: *const c_void,
}

/// Many reads and writes handed to the kernel at once, and told as each completes, in any order (io_uring).
///
/// The ring owns the buffers: nothing of the caller's is written to, or read after unipc_ring_submit has returned. Two writes to one stream that are in flight
/// together may be done in either order, or in pieces: submit the next when the last has completed. A handle costs one descriptor. What is
/// in flight when the thread that has submitted it ends completes with -ECANCELED, if not at once then when its turn comes. After fork the child gets
/// UNIPC_FORKED, and makes its own.
pub struct unipc_ring {
    ring: Ring,
    told: Vec<Completion>,
}

/// Whether this machine has io_uring, by trying it. Many have not: the kernel is built without it, the sysctl kernel.io_uring_disabled turns it off, a
/// sandbox refuses it. unipc_error_text says which; plain reads and writes and unipc_poller do the same for more system calls.
///
/// @return  0; UNIPC_UNAVAILABLE: no; -EMFILE, -ENFILE, -ENOMEM: it cannot be told now
///
/// Threads: any. Signal-safe: no. Since 0.1. See io_uring(7).
#[unsafe(no_mangle)]
pub extern "C" fn unipc_ring_available() -> c_int {
    guard_unit(Ring::available)
}

/// Makes a ring.
///
/// @param capacity  how many operations may be in flight, 1 to 32768
/// @param ring      receives the handle, or NULL on failure; close it with unipc_ring_close
/// @return          0; UNIPC_UNAVAILABLE: see unipc_ring_available; -EMFILE, -ENFILE, -ENOMEM; -EINVAL: NULL, capacity
///
/// Threads: any. Fork: see unipc_ring. Signal-safe: no. Since 0.1. See io_uring_setup(2).
///
/// # Safety
/// `ring` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_ring_create(capacity: u32, ring: *mut *mut unipc_ring) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { guard_new("create ring", ring, || Ok(unipc_ring { ring: Ring::new(capacity as usize)?, told: Vec::new() })) }
}

/// The most bytes that the kernel moves in one operation.
const MOST: usize = 0x7fff_f000;
const SUBMIT: &str = "submit to ring";

/// A buffer of a size that the caller has chosen.
fn buffer(size: usize) -> Result<Vec<u8>, Error> {
    let mut buffer = Vec::new();
    match buffer.try_reserve_exact(size.min(MOST)) {
        Ok(()) => Ok(buffer),
        Err(_) => Err(Error::from_code(SUBMIT, -libc::ENOMEM).hint(format!("there is no memory for a buffer of {size} bytes"))),
    }
}

/// Submits operations, all or none, and does not wait for them. What is wrong with a descriptor, its completion tells. A write raises no SIGPIPE.
///
/// @param operations  what is to be done; not needed any more afterwards, nor is what they point to
/// @param count       how many, from 0
/// @return            0; -EAGAIN: there is no room for all; UNIPC_UNAVAILABLE: a sandbox was entered since that refuses it; UNIPC_FORKED; -ENOMEM;
///                    -EINVAL: NULL, what, length
///
/// Threads: one at a time. Signal-safe: no. Since 0.1. See io_uring_enter(2).
///
/// # Safety
/// `ring` is NULL or a live handle; `operations` is NULL or valid for reads of `count`, and the `data` of each write for its `length`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_ring_submit(ring: *mut unipc_ring, operations: *const unipc_ring_operation, count: usize) -> c_int {
    guard_unit(|| {
        // SAFETY: the caller's promise.
        let ring = unsafe { output(SUBMIT, ring) }?;
        if count > 0 {
            // SAFETY: the caller's promise, of the first.
            unsafe { input(SUBMIT, operations) }?;
        }
        let room = ring.ring.capacity() - ring.ring.in_flight();
        let mut list: Vec<Operation<'_>> = Vec::new();
        // One too many is enough for a refusal.
        // SAFETY: the caller's promise; not NULL if there is one.
        let given = if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(operations, count.min(room + 1)) } };
        // SAFETY: not -1; the kernel says whether it is open. Nothing uses it when all are submitted.
        let fds = given.iter().map(|one| unsafe { BorrowedFd::borrow_raw(if one.fd < 0 { c_int::MAX } else { one.fd }) });
        let fds: Vec<BorrowedFd<'_>> = fds.collect();
        for (one, fd) in given.iter().zip(&fds) {
            let operation = match one.what {
                UNIPC_RING_READ if one.length <= isize::MAX as usize => Operation::read(fd, buffer(one.length)?, one.token),
                UNIPC_RING_WRITE => {
                    // SAFETY: the caller's promise.
                    let given = unsafe { bytes(SUBMIT, one.data, one.length) }?;
                    let mut copy = buffer(given.len())?;
                    copy.extend_from_slice(&given[..given.len().min(MOST)]);
                    Operation::write(fd, copy, one.token)
                }
                UNIPC_RING_READ => return Err(invalid(SUBMIT, "no object is larger than PTRDIFF_MAX bytes")),
                _ => return Err(invalid(SUBMIT, "an operation is UNIPC_RING_READ or UNIPC_RING_WRITE")),
            };
            list.push(if one.offset == UNIPC_RING_POSITION { operation } else { operation.at(one.offset) });
        }
        ring.ring.submit(&mut list)
    })
}

/// Waits until something has completed. A time that is up cancels nothing.
///
/// @param completions  receives what has completed; their data is good until the next call, or unipc_ring_close
/// @param capacity     room for so many, at least 1
/// @param timeout      nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return             how many were told; 0: nothing is in flight; -EAGAIN, -ETIMEDOUT: nothing has completed; -ECANCELED: the bound stop token; UNIPC_FORKED; -EINVAL:
///                     NULL, capacity
///
/// Threads: one at a time. Signal-safe: no. Since 0.1. See io_uring(7).
///
/// # Safety
/// `ring` is NULL or a live handle; `completions` is NULL or has room for as many as told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_ring_wait(
    ring: *mut unipc_ring,
    completions: *mut unipc_ring_completion,
    capacity: c_int,
    timeout: i64,
) -> c_int {
    const OPERATION: &str = "wait for ring";
    guard(|| {
        // SAFETY: the caller's promise.
        let ring = unsafe { output(OPERATION, ring) }?;
        if completions.is_null() {
            return Err(invalid(OPERATION, "a NULL pointer where a result goes"));
        }
        let room = usize::try_from(capacity).ok().filter(|room| *room > 0);
        let room = room.ok_or_else(|| invalid(OPERATION, "there is room for one completion at least"))?;
        ring.told = Vec::new();
        ring.told = waiting(timeout, |wait| ring.ring.wait(room, wait))?;
        for (index, done) in ring.told.iter().enumerate() {
            let result = done.result.as_ref().map_or_else(|error| i64::from(error.code()), |count| *count as i64);
            let told = unipc_ring_completion { token: done.token, result, data: done.buffer.as_ptr().cast() };
            // SAFETY: there is room for as many as told, of which this is one.
            unsafe { completions.add(index).write(told) };
        }
        Ok(ring.told.len() as c_int)
    })
}

/// Asks the kernel to cancel the operations with this token. Each completes all the same: with -ECANCELED, or as if nothing had been asked.
///
/// @return  how many there are in flight; UNIPC_UNAVAILABLE: as unipc_ring_submit; UNIPC_FORKED; -EINVAL: NULL
///
/// Threads: one at a time. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `ring` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_ring_cancel(ring: *mut unipc_ring, token: u64) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe { output("cancel in ring", ring) }?.ring.cancel(token).map(|count| count as c_int))
}

/// The descriptor, for a poller: readable while something has completed that was not told. It belongs to the ring: do not close it.
///
/// @return  the descriptor; -EINVAL: NULL
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `ring` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_ring_fd(ring: *const unipc_ring) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { fd_of(ring, |ring| ring.ring.as_fd()) }
}

/// Closes the ring; NULL is fine. What is in flight is cancelled, and waited for: then the kernel touches no buffer any more.
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `ring` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_ring_close(ring: *mut unipc_ring) {
    // SAFETY: the caller's promise.
    unsafe { close(ring) }
}
