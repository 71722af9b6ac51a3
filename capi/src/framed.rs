//! Messages on streams.

use std::ffi::{c_int, c_void};
use std::os::fd::AsFd;

use unipc_core::Wait;
use unipc_core::message::MessageInfo;
use unipc_core::stream::{FrameLimit, Framed};

use crate::message::{store_info, unipc_message_info};
use crate::stream::unipc_stream;
use crate::wait::waiting;
use crate::{Versioned, buffer, bytes, close, fd_of, guard_new, guard_size, guard_unit, initialise, input, options};

/// Messages over any stream. On the wire: the length in four bytes, most significant first, then that many bytes.
///
/// fork hands it on, but only one of the two processes can go on in the middle of a message; a child made while another thread was inside a call gets
/// UNIPC_FORKED for that direction. One thread at a time.
pub struct unipc_framed(Framed);

/// Options of unipc_framed_create. Begin with UNIPC_FRAMED_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_framed_options {
    /// sizeof(unipc_framed_options)
    pub struct_size: usize,
    /// the largest message, in either direction, in bytes: at most UINT32_MAX; 0: 16 MiB
    pub largest: usize,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_framed_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_FRAMED_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_framed_options_init(options: *mut unipc_framed_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// Frames a stream.
///
/// @param stream   taken over on success alone: then the handle is gone
/// @param options  largest; NULL: 16 MiB
/// @param framed   receives the handle, or NULL on failure; close it with unipc_framed_close
/// @return         0; -EINVAL: NULL, or largest above UINT32_MAX; -E2BIG
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `stream` is NULL or a live handle; `options` is NULL or as large as it says; `framed` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_framed_create(
    stream: *mut unipc_stream,
    options: *const unipc_framed_options,
    framed: *mut *mut unipc_framed,
) -> c_int {
    const OPERATION: &str = "frame stream";
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(OPERATION, framed, || {
            let options = self::options(OPERATION, options)?;
            input(OPERATION, stream.cast_const())?;
            // The stream is taken only when nothing can fail any more.
            let largest = FrameLimit::new(options.largest)?;
            Ok(unipc_framed(Framed::new(Box::from_raw(stream).0, largest)))
        })
    }
}

/// Sends a message.
///
/// If time runs out after a part of it went out, the message counts as sent: its rest is kept, and goes out with the next unipc_framed_send or
/// unipc_framed_flush, before anything else.
///
/// @param data     where from; may be NULL if length is 0
/// @param length   bytes, 0 for an empty message
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         0; -EMSGSIZE: larger than the limit; -EAGAIN, -ETIMEDOUT, -ECANCELED: nothing of it went out; -EPIPE, -ECONNRESET: nobody reads
///                 any more; -EINVAL: NULL
///
/// Threads: one sends while another receives; a second sender gets -EBUSY. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `framed` is NULL or a live handle; `data` is valid for reads of `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_framed_send(framed: *mut unipc_framed, data: *const c_void, length: usize, timeout: i64) -> c_int {
    const OPERATION: &str = "send framed message";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let (framed, data) = (input(OPERATION, framed.cast_const())?, bytes(OPERATION, data, length)?);
        waiting(timeout, |wait| framed.0.send(data, wait))
    })
}

/// Receives a message.
///
/// @param buffer    where to; may be NULL if capacity is 0
/// @param capacity  bytes
/// @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param info      receives the size, also with -EMSGSIZE; may be NULL
/// @return          its length, 0 for an empty message; UNIPC_END: the stream has ended between messages; UNIPC_TRUNCATED: inside one; -EMSGSIZE: the
///                  buffer is too small, the message stays; -EBADMSG: its header claims more than the limit, and what follows cannot be told
///                  apart any more (also ever after UNIPC_TRUNCATED); -EAGAIN, -ETIMEDOUT, -ECANCELED: what has come of it is kept; -ECONNRESET; -EINVAL: NULL
///
/// Threads: one receives while another sends; a second receiver gets -EBUSY. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `framed` is NULL or a live handle; `buffer` is valid for writes of `capacity` bytes; `info` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_framed_receive(
    framed: *mut unipc_framed,
    buffer: *mut c_void,
    capacity: usize,
    timeout: i64,
    info: *mut unipc_message_info,
) -> isize {
    const OPERATION: &str = "receive framed message";
    // SAFETY: the caller's promise.
    guard_size(|| unsafe {
        let (framed, buffer) = (input(OPERATION, framed.cast_const())?, self::buffer(OPERATION, buffer, capacity)?);
        // A wrong size is found out before there is a message that it could cost.
        store_info(OPERATION, info, &MessageInfo::default())?;
        let result = waiting(timeout, |wait| framed.0.receive(buffer, wait));
        let size = result.as_ref().ok().copied().or(framed.0.next_size()).unwrap_or(0);
        store_info(OPERATION, info, &MessageInfo { size, ..Default::default() })?;
        result
    })
}

/// Writes what unipc_framed_send has kept.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         0: nothing is kept any more; -EAGAIN, -ETIMEDOUT, -ECANCELED: something still is; -EPIPE, -ECONNRESET; -EINVAL: NULL
///
/// Threads: as unipc_framed_send. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `framed` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_framed_flush(framed: *mut unipc_framed, timeout: i64) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| waiting(timeout, |wait| unsafe { input("flush framed stream", framed.cast_const()) }?.0.flush(wait)))
}

/// The descriptor, which stays the handle's: readable while there is something to receive. For poll, epoll and event loops.
///
/// @return  the descriptor; -EINVAL: NULL
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `framed` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_framed_fd(framed: *const unipc_framed) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { fd_of(framed, |framed| framed.0.as_fd()) }
}

/// Gives the stream back, and the framing is gone. What was received or kept in part is lost.
///
/// @return  the stream; NULL for NULL
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `framed` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_framed_into_stream(framed: *mut unipc_framed) -> *mut unipc_stream {
    if framed.is_null() {
        return std::ptr::null_mut();
    }
    // SAFETY: a handle, made by `Box::into_raw`, that the caller gives back.
    let framed = unsafe { Box::from_raw(framed) };
    Box::into_raw(Box::new(unipc_stream(framed.0.into_stream())))
}

/// Closes the stream and its framing; NULL is fine. What unipc_framed_send has kept is written if that needs no waiting.
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `framed` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_framed_close(framed: *mut unipc_framed) {
    // Nobody is to be told of what the flush could not do, so it is not remembered as a failure either.
    // SAFETY: the caller's promise.
    if let Some(framed) = unsafe { framed.as_mut() } {
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| framed.0.flush(Wait::NEVER)));
    }
    // SAFETY: the caller's promise.
    unsafe { close(framed) }
}
