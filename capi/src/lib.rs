//! The C ABI of unipc. Each module translates one module of the core: arguments in, a call, a result out.
//!
//! The doc comments become the header `include/unipc.h`, which is the manual of the library. Every body runs inside [`guard`], so that a
//! panic arrives in C as `UNIPC_PANIC` and never unwinds through a foreign frame.

#![allow(non_camel_case_types, reason = "the names of the C types")]

pub mod atomic;
pub mod barrier;
pub mod condvar;
pub mod datagram;
pub mod descriptors;
pub mod error;
pub mod event;
pub mod file_exchange;
pub mod file_lock;
pub mod framed;
pub mod futex;
pub mod memory;
pub mod memory_file;
pub mod memory_memfd;
pub mod memory_sysv;
pub mod message;
pub mod mq;
pub mod poller;
pub mod process;
pub mod ring;
pub mod rwlock;
pub mod seqpacket;
pub mod signal;
pub mod socket;
pub mod spinlock;
pub mod stream;
pub mod sync;
pub mod sync_event;
pub mod sysv_queue;
pub mod sysv_semaphores;
pub mod transfer;
pub mod wait;

use std::ffi::{CStr, c_char, c_int};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use unipc_core::{Error, Failure};

/// Runs the body of an exported function: a failure is remembered for this thread and becomes its code, a panic becomes `UNIPC_PANIC`.
fn guard<T: From<i32>>(body: impl FnOnce() -> Result<T, Error>) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => value,
        Ok(Err(failure)) => T::from(error::remember(failure)),
        Err(_) => T::from(Failure::Panic as i32),
    }
}

/// [`guard`] for functions that return a size or a negative code.
fn guard_size(body: impl FnOnce() -> Result<usize, Error>) -> isize {
    match catch_unwind(AssertUnwindSafe(body)) {
        // No buffer is larger than isize::MAX.
        Ok(Ok(value)) => value as isize,
        Ok(Err(failure)) => error::remember(failure) as isize,
        Err(_) => Failure::Panic as i32 as isize,
    }
}

/// [`guard`] for functions that have only success to report.
fn guard_unit(body: impl FnOnce() -> Result<(), Error>) -> c_int {
    guard(|| body().map(|()| 0))
}

/// [`guard`] for constructors: stores the new handle in `*out`, or NULL there if there is none.
///
/// # Safety
/// `out` is NULL or valid to write a pointer to.
unsafe fn guard_new<T>(operation: &'static str, out: *mut *mut T, body: impl FnOnce() -> Result<T, Error>) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { output(operation, out) }?;
        *out = std::ptr::null_mut();
        *out = Box::into_raw(Box::new(body()?));
        Ok(0)
    })
}

/// Runs the body of a `close` function, which cannot fail; NULL is fine.
///
/// # Safety
/// `handle` is NULL or a handle of this library that was not closed yet.
unsafe fn close<T>(handle: *mut T) {
    if handle.is_null() {
        return;
    }
    // SAFETY: handles are made by `Box::into_raw`; the caller gives this one back.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(unsafe { Box::from_raw(handle) })));
}

/// The descriptor of a handle. Not through [`guard`]: nothing here allocates, locks or panics, so that a signal handler may ask.
///
/// # Safety
/// `handle` is NULL or a live handle.
unsafe fn fd_of<T>(handle: *const T, descriptor: impl FnOnce(&T) -> BorrowedFd<'_>) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { handle.as_ref() }.map_or(-libc::EINVAL, |handle| descriptor(handle).as_raw_fd())
}

/// The error for an argument that cannot be.
#[cold]
fn invalid(operation: &'static str, what: &'static str) -> Error {
    Error::from_code(operation, -libc::EINVAL).hint(what)
}

/// The object behind a handle or an in-place object; NULL is `EINVAL`.
///
/// # Safety
/// `pointer` is NULL or valid for reads of `T` during `'a`.
unsafe fn input<'a, T>(operation: &'static str, pointer: *const T) -> Result<&'a T, Error> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| invalid(operation, "a NULL pointer where an object is needed"))
}

/// A place that a result goes to; NULL is `EINVAL`.
///
/// # Safety
/// `pointer` is NULL or valid for reads and writes of `T` during `'a`, and nothing else uses it meanwhile.
unsafe fn output<'a, T>(operation: &'static str, pointer: *mut T) -> Result<&'a mut T, Error> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_mut() }.ok_or_else(|| invalid(operation, "a NULL pointer where a result goes"))
}

/// Bytes that the caller passes. NULL is fine for none at all; no object is larger than `PTRDIFF_MAX`.
///
/// # Safety
/// `data` is NULL or valid for reads of `length` bytes during `'a`.
unsafe fn bytes<'a>(operation: &'static str, data: *const std::ffi::c_void, length: usize) -> Result<&'a [u8], Error> {
    check_length(operation, data.is_null(), length)?;
    if length == 0 {
        return Ok(&[]);
    }
    // SAFETY: not NULL, of a possible length, and valid by the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(data.cast(), length) })
}

/// A buffer that the caller wants filled. NULL is fine for an empty one.
///
/// # Safety
/// `data` is NULL or valid for writes of `length` bytes during `'a`, and nothing else uses them meanwhile.
unsafe fn buffer<'a>(operation: &'static str, data: *mut std::ffi::c_void, length: usize) -> Result<&'a mut [u8], Error> {
    check_length(operation, data.is_null(), length)?;
    if length == 0 {
        return Ok(&mut []);
    }
    // SAFETY: not NULL, of a possible length, and valid by the caller's promise. Bytes have no invalid values; they are only written.
    Ok(unsafe { std::slice::from_raw_parts_mut(data.cast(), length) })
}

fn check_length(operation: &'static str, is_null: bool, length: usize) -> Result<(), Error> {
    if is_null && length != 0 {
        return Err(invalid(operation, "a NULL pointer where bytes are needed"));
    }
    if length > isize::MAX as usize {
        return Err(invalid(operation, "no object is larger than PTRDIFF_MAX bytes"));
    }
    Ok(())
}

/// A name or path; NULL and bytes that are not UTF-8 are `EINVAL`.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string that lives during `'a`.
unsafe fn text<'a>(operation: &'static str, text: *const c_char) -> Result<&'a str, Error> {
    if text.is_null() {
        return Err(invalid(operation, "a NULL pointer where a string is needed"));
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_str().map_err(|_| invalid(operation, "a string that is not UTF-8"))
}

/// An optional name; NULL is none.
///
/// # Safety
/// As [`text`].
unsafe fn optional_text<'a>(operation: &'static str, pointer: *const c_char) -> Result<Option<&'a str>, Error> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    unsafe { text(operation, pointer) }.map(Some)
}

/// A switch in an options struct: 0 or 1.
fn switch(operation: &'static str, value: u32) -> Result<bool, Error> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(invalid(operation, "a switch is 0 or 1")),
    }
}

/// Options and results whose first field is `size_t struct_size`.
///
/// # Safety
/// The type is `repr(C)`, begins with a `usize` that is the struct's size, and all-zero bytes are a valid value of it.
unsafe trait Versioned: Copy {}

/// Reads the caller's options, whose struct may be older (shorter: the rest is zero) or newer (longer: the rest must be zero) than ours.
///
/// NULL gives all defaults. `EINVAL` for a size that holds not even the size field, `E2BIG` for options that this library does not know.
///
/// # Safety
/// `options` is NULL or valid for reads of as many bytes as its first field says.
unsafe fn options<T: Versioned>(operation: &'static str, options: *const T) -> Result<T, Error> {
    // SAFETY: all-zero bytes are valid, as the trait promises.
    let mut own: T = unsafe { std::mem::zeroed() };
    if options.is_null() {
        return Ok(own);
    }
    // SAFETY: every versioned struct begins with its size.
    let size = unsafe { options.cast::<usize>().read_unaligned() };
    if size < size_of::<usize>() || size > 1 << 16 {
        return Err(invalid(operation, "struct_size is not set; begin with the _INIT macro"));
    }
    // SAFETY: the caller promises `size` readable bytes, and `own` has room for those that are copied.
    unsafe { std::ptr::copy_nonoverlapping(options.cast::<u8>(), (&raw mut own).cast(), size.min(size_of::<T>())) };
    // SAFETY: as above, for the part that only the caller's struct has.
    let tail = unsafe { bytes(operation, options.cast(), size) }?.get(size_of::<T>()..).unwrap_or(&[]);
    if tail.iter().any(|byte| *byte != 0) {
        return Err(Error::from_code(operation, -libc::E2BIG).hint("an option is set that this version does not know"));
    }
    Ok(own)
}

/// Writes a result into the caller's struct, as much of it as that has room for.
///
/// # Safety
/// `out` is valid for reads and writes of as many bytes as its first field says.
unsafe fn store<T: Versioned>(operation: &'static str, out: *mut T, value: &T) -> Result<(), Error> {
    // SAFETY: the caller's promise; the first field is the size.
    let size = *unsafe { output(operation, out.cast::<usize>()) }?;
    if size < size_of::<usize>() || size > 1 << 16 {
        return Err(invalid(operation, "struct_size is not set; begin with the _INIT macro"));
    }
    let head = size_of::<usize>();
    let length = size.min(size_of::<T>()) - head;
    // SAFETY: both are valid for `head + length` bytes; the size field stays the caller's.
    unsafe {
        std::ptr::copy_nonoverlapping(std::ptr::from_ref(value).cast::<u8>().add(head), out.cast::<u8>().add(head), length);
    }
    Ok(())
}

/// Writes what the `_init` functions write: the size, and zero.
///
/// # Safety
/// `out` is NULL or valid for writes of `T`.
unsafe fn initialise<T: Versioned>(out: *mut T) {
    if out.is_null() {
        return;
    }
    // SAFETY: the caller's promise; all-zero bytes are valid and the first field is the size.
    unsafe {
        out.write_bytes(0, 1);
        out.cast::<usize>().write(size_of::<T>());
    }
}

/// Copies text into the caller's buffer, NUL-terminated, shortened to what fits; gives the length of the whole.
///
/// # Safety
/// `buffer` is NULL or valid for writes of `capacity` bytes.
unsafe fn store_text(text: &str, destination: *mut c_char, capacity: usize) -> usize {
    if destination.is_null() || capacity == 0 {
        return text.len();
    }
    // Never half a character.
    let length = (0..=text.len().min(capacity - 1)).rev().find(|length| text.is_char_boundary(*length)).unwrap_or(0);
    // SAFETY: `length < capacity`, so the text and its NUL fit.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr().cast(), destination, length);
        destination.add(length).write(0);
    }
    text.len()
}
