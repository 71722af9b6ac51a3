//! Descriptors that travel, and more about the peer that sends them.

use std::ffi::{c_char, c_int, c_void};
use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd};

use unipc_core::Error;

use crate::stream::unipc_stream;
use crate::wait::waiting;
use crate::{buffer, bytes, guard, guard_size, guard_unit, input, invalid, output, store_text};

/// The most descriptors of one message.
pub const UNIPC_MOST_FDS: u32 = 253;

const _: () = assert!(UNIPC_MOST_FDS as usize == unipc_core::message::MOST_DESCRIPTORS);

/// Descriptors that the caller passes, which stay the caller's.
///
/// # Safety
/// `fds` is NULL or valid for reads of `count` numbers during `'a`, each of an open descriptor or of none.
pub(crate) unsafe fn descriptors<'a>(operation: &'static str, fds: *const c_int, count: usize) -> Result<&'a [BorrowedFd<'a>], Error> {
    if count == 0 {
        return Ok(&[]);
    }
    if fds.is_null() {
        return Err(invalid(operation, "a NULL pointer where descriptors are needed"));
    }
    if count > UNIPC_MOST_FDS as usize {
        return Err(invalid(operation, "one message carries at most 253 descriptors"));
    }
    // SAFETY: the caller's promise.
    let numbers = unsafe { std::slice::from_raw_parts(fds, count) };
    if numbers.iter().any(|number| *number < 0) {
        return Err(Error::from_code(operation, -libc::EBADF));
    }
    // SAFETY: a BorrowedFd has the layout of its number, and none of them is -1. The kernel refuses those that are not open.
    Ok(unsafe { std::slice::from_raw_parts(fds.cast(), count) })
}

/// Where received descriptors go: checked before anything is received.
///
/// # Safety
/// `fds` is NULL or valid for writes of `maximum` numbers; `count` is NULL or valid to write.
pub(crate) unsafe fn check_room(operation: &'static str, fds: *mut c_int, maximum: usize, count: *mut usize) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    *unsafe { output(operation, count) }? = 0;
    if fds.is_null() && maximum != 0 {
        return Err(invalid(operation, "a NULL pointer where descriptors go"));
    }
    Ok(())
}

/// Gives received descriptors to the caller.
///
/// # Safety
/// As [`check_room`], which has succeeded; there are no more than `maximum`.
pub(crate) unsafe fn hand_over(descriptors: Vec<OwnedFd>, fds: *mut c_int, count: *mut usize) {
    // SAFETY: the caller's promise.
    unsafe { count.write(descriptors.len()) };
    for (index, descriptor) in descriptors.into_iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { fds.add(index).write(descriptor.into_raw_fd()) };
    }
}

/// Writes everything to a Unix stream, and sends descriptors with the first byte. They stay the caller's, too.
///
/// @param data         at least one byte: without one the kernel sends nothing
/// @param length       bytes
/// @param fds          descriptors
/// @param fd_count     how many, at most UNIPC_MOST_FDS
/// @param timeout      nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param transferred  receives how many bytes went out, also in failure: if any, the descriptors did as well; may be NULL
/// @return             0; -EAGAIN, -ETIMEDOUT; -ECANCELED: the bound stop token; -EPIPE, -ECONNRESET; -EOPNOTSUPP: no Unix socket; -EBADF; -ETOOMANYREFS: too
///                     many are on their way; -EINVAL: NULL, no byte, too many
///
/// Threads: one writer at a time. Signal-safe: no. Since 0.1. See unix(7), SCM_RIGHTS.
///
/// # Safety
/// `stream` is NULL or a live handle; `data` and `fds` are valid for reads; `transferred` is NULL or valid to write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_send_fds(
    stream: *mut unipc_stream,
    data: *const c_void,
    length: usize,
    fds: *const c_int,
    fd_count: usize,
    timeout: i64,
    transferred: *mut usize,
) -> c_int {
    const OPERATION: &str = "send descriptors";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        if let Some(transferred) = transferred.as_mut() {
            *transferred = 0;
        }
        let (stream, data) = (input(OPERATION, stream.cast_const())?, bytes(OPERATION, data, length)?);
        let fds = descriptors(OPERATION, fds, fd_count)?;
        let result = waiting(timeout, |wait| stream.0.send_descriptors(data, fds, wait));
        if let Some(transferred) = transferred.as_mut() {
            *transferred = result.as_ref().map_or_else(Error::transferred, |()| length);
        }
        result
    })
}

/// Reads what there is from a Unix stream, at least one byte, and takes the descriptors that come with it. They are close-on-exec. A read takes
/// descriptors of one send only, and nothing that was written after them. An ordinary read closes what comes.
///
/// @param buffer    where the bytes go
/// @param capacity  at least one
/// @param fds       receives the descriptors, which are then the caller's
/// @param maximum   how many there is room for
/// @param fd_count  receives how many came; 0 in failure
/// @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return          how many bytes came; 0: the end; -EPROTO: the peer sent more than maximum; -EMFILE: this process has no room for them (in both cases
///                  all are closed, and the bytes are lost); -EAGAIN, -ETIMEDOUT; -ECANCELED: the bound stop token; -ECONNRESET; -EOPNOTSUPP: no Unix
///                  socket; -EINVAL: NULL, an empty buffer
///
/// Threads: one reader at a time. Signal-safe: no. Since 0.1. See unix(7), recvmsg(2).
///
/// # Safety
/// `stream` is NULL or a live handle; `buffer` and `fds` are valid for writes; `fd_count` is NULL or valid to write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_receive_fds(
    stream: *mut unipc_stream,
    buffer: *mut c_void,
    capacity: usize,
    fds: *mut c_int,
    maximum: usize,
    fd_count: *mut usize,
    timeout: i64,
) -> isize {
    const OPERATION: &str = "receive descriptors";
    // SAFETY: the caller's promise.
    guard_size(|| unsafe {
        check_room(OPERATION, fds, maximum, fd_count)?;
        let (stream, buffer) = (input(OPERATION, stream.cast_const())?, self::buffer(OPERATION, buffer, capacity)?);
        let (size, received) = waiting(timeout, |wait| stream.0.receive_descriptors(buffer, maximum, wait))?;
        hand_over(received, fds, fd_count);
        Ok(size)
    })
}

/// Writes groups into the caller's array, as many as fit; gives how many there are.
///
/// # Safety
/// `groups` is NULL or valid for writes of `capacity` numbers.
pub(crate) unsafe fn store_groups(found: &[u32], groups: *mut u32, capacity: usize) -> usize {
    if !groups.is_null() {
        let count = found.len().min(capacity);
        // SAFETY: the caller's promise.
        unsafe { groups.copy_from_nonoverlapping(found.as_ptr(), count) };
    }
    found.len()
}

/// The supplementary groups of the process at the other end of a Unix socket, as it had them when the connection was made.
///
/// @param groups    receives them; NULL if only the count is wanted
/// @param capacity  how many there is room for
/// @return          how many there are; -EOPNOTSUPP: no Unix socket; -ENODATA: nobody is there; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See unix(7), SO_PEERGROUPS.
///
/// # Safety
/// `stream` is NULL or a live handle; `groups` is NULL or valid for writes of `capacity` numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_peer_groups(stream: *const unipc_stream, groups: *mut u32, capacity: usize) -> isize {
    // SAFETY: the caller's promise.
    guard_size(|| unsafe { Ok(store_groups(&input("get groups of peer", stream)?.0.peer_groups()?, groups, capacity)) })
}

/// What the security module (SELinux, AppArmor, Smack) calls the process at the other end of a Unix socket.
///
/// @param buffer    where the text goes, always NUL-terminated; NULL if only the length is wanted
/// @param capacity  bytes in buffer; a longer text is cut
/// @return          the length of the whole text without the NUL; UNIPC_UNAVAILABLE: no such module; -EOPNOTSUPP: no Unix socket; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See unix(7), SO_PEERSEC.
///
/// # Safety
/// `stream` is NULL or a live handle; `buffer` is NULL or valid for writes of `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_peer_label(stream: *const unipc_stream, buffer: *mut c_char, capacity: usize) -> isize {
    // SAFETY: the caller's promise.
    guard_size(|| unsafe { Ok(store_text(&input("get label of peer", stream)?.0.peer_label()?, buffer, capacity)) })
}

/// A copy of another process's descriptor, close-on-exec. It takes the right to trace the process.
///
/// @param pidfd   the process
/// @param number  what it calls the descriptor
/// @return        a descriptor that is the caller's; -EPERM; -EBADF: it has no such descriptor, or pidfd is none; -ESRCH: it has ended; -EMFILE;
///                UNIPC_UNAVAILABLE: before Linux 5.6, or a sandbox refuses the call
///
/// Threads: any. Signal-safe: no. Since 0.1. See pidfd_getfd(2), ptrace(2).
#[unsafe(no_mangle)]
pub extern "C" fn unipc_descriptor_take(pidfd: c_int, number: c_int) -> c_int {
    const OPERATION: &str = "take descriptor of process";
    guard(|| {
        if pidfd < 0 {
            return Err(Error::from_code(OPERATION, -libc::EBADF));
        }
        // SAFETY: it is no -1; the kernel refuses what is not open.
        let pidfd = unsafe { BorrowedFd::borrow_raw(pidfd) };
        unipc_core::descriptor::take(pidfd, number).map(IntoRawFd::into_raw_fd)
    })
}
