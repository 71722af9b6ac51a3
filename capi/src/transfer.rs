//! Bytes between descriptors, without a copy where that can be.

use std::ffi::{c_int, c_void};
use std::os::fd::BorrowedFd;

use unipc_core::stream::{self, TransferOptions, TransferWay};
use unipc_core::{Error, Result};

use crate::wait::waiting;
use crate::{Versioned, bytes, guard_size, guard_unit, initialise, invalid, options, store, switch};

/// way: read and write, through a buffer of the process.
pub const UNIPC_TRANSFER_READ_WRITE: u32 = 1;
/// way: splice; one of the two is a pipe.
pub const UNIPC_TRANSFER_SPLICE: u32 = 2;
/// way: splice into a pipe of the call's own, and out of it again.
pub const UNIPC_TRANSFER_SPLICE_TWICE: u32 = 3;
/// way: sendfile, from a file.
pub const UNIPC_TRANSFER_SENDFILE: u32 = 4;
/// way: copy_file_range, from file to file.
pub const UNIPC_TRANSFER_COPY_FILE_RANGE: u32 = 5;

const _: () = {
    assert!(UNIPC_TRANSFER_READ_WRITE == TransferWay::ReadWrite as u32 && UNIPC_TRANSFER_SPLICE == TransferWay::Splice as u32);
    assert!(UNIPC_TRANSFER_SPLICE_TWICE == TransferWay::SpliceTwice as u32 && UNIPC_TRANSFER_SENDFILE == TransferWay::Sendfile as u32);
    assert!(UNIPC_TRANSFER_COPY_FILE_RANGE == TransferWay::CopyFileRange as u32);
};

/// Options of unipc_transfer. Begin with UNIPC_TRANSFER_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_transfer_options {
    /// sizeof(unipc_transfer_options)
    pub struct_size: usize,
    /// how many bytes; 0: to the end of the source
    pub length: u64,
    /// with use_source_offset: where in the source, a file, to begin; its position stays
    pub source_offset: u64,
    /// with use_destination_offset: where in the destination, a file, to begin; its position stays
    pub destination_offset: u64,
    /// 0: the source is read at its position, which moves
    pub use_source_offset: u32,
    /// 0: the destination is written at its position, which moves
    pub use_destination_offset: u32,
    /// one of UNIPC_TRANSFER_...: this way alone; 0: the fastest that there is for the pair
    pub way: u32,
}

// SAFETY: repr(C), begins with the size, made of integers; the padding at the end is the struct's own.
unsafe impl Versioned for unipc_transfer_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_TRANSFER_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_transfer_options_init(options: *mut unipc_transfer_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// What was transferred. Begin with UNIPC_TRANSFER_RESULT_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_transfer_result {
    /// sizeof(unipc_transfer_result)
    pub struct_size: usize,
    /// how many bytes the destination has got, also in failure
    pub bytes: u64,
    /// the way that it went in the end, one of UNIPC_TRANSFER_...; 0 in failure
    pub way: u32,
    /// 1: the source has ended
    pub at_end: u32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_transfer_result {}

/// Sets struct_size and zeroes the rest, as UNIPC_TRANSFER_RESULT_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `result` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_transfer_result_init(result: *mut unipc_transfer_result) {
    // SAFETY: the caller's promise.
    unsafe { initialise(result) }
}

const TRANSFER: &str = "transfer between descriptors";

/// # Safety
/// As [`options`].
unsafe fn transfer_options(given: *const unipc_transfer_options) -> Result<TransferOptions> {
    // SAFETY: the caller's promise.
    let given = unsafe { options(TRANSFER, given) }?;
    let offset = |flag, offset| switch(TRANSFER, flag).map(|used| used.then_some(offset));
    let way = match given.way {
        0 => None,
        number => Some(TransferWay::from_number(number).ok_or_else(|| invalid(TRANSFER, "the way is one of UNIPC_TRANSFER_..., or 0"))?),
    };
    Ok(TransferOptions {
        length: (given.length != 0).then_some(given.length),
        source_offset: offset(given.use_source_offset, given.source_offset)?,
        destination_offset: offset(given.use_destination_offset, given.destination_offset)?,
        way,
    })
}

/// A descriptor of the caller's, for the length of a call; the kernel looks whether there is such a one.
fn borrowed<'a>(operation: &'static str, fd: c_int) -> Result<BorrowedFd<'a>> {
    if fd < 0 {
        return Err(Error::from_code(operation, -libc::EBADF).on(fd.to_string()));
    }
    // SAFETY: not -1; the caller keeps it open through the call.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Transfers bytes from any descriptor to any: pipes, sockets, files, terminals, by the fastest way that the pair allows.
///
/// A file is read or written at its position, which moves, unless an offset is used. A failure tells how many bytes the destination has got. Bytes
/// that were taken from the source and did not arrive are lost, and the text of the error says how many: that can happen from one socket to another, when the
/// destination breaks or, if somebody else writes to it, when the time is up.
///
/// @param source       a descriptor that can be read; it stays the caller's
/// @param destination  a descriptor that can be written to; it stays the caller's
/// @param options      length, offsets, way; NULL: all there is, from the positions, by the fastest way
/// @param timeout      nanoseconds for all of it; UNIPC_FOREVER; zero or less never waits
/// @param result       receives what was transferred, also in failure; may be NULL
/// @return             0; -EPIPE, -ECONNRESET: nobody reads any more, no SIGPIPE is raised; -ENOSPC, -EDQUOT, -EFBIG, -EIO; -EAGAIN, -ETIMEDOUT;
///                     -ECANCELED: the bound stop token; -EBADF; -ESPIPE: an offset in what is no file; -EMFILE, -ENFILE; -EINVAL: a way, or options, that are not
///                     for the pair; -E2BIG
///
/// Threads: any. Signal-safe: no. Since 0.1. See splice(2), sendfile(2), copy_file_range(2).
///
/// # Safety
/// `options` and `result` are NULL or as large as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_transfer(
    source: c_int,
    destination: c_int,
    options: *const unipc_transfer_options,
    timeout: i64,
    result: *mut unipc_transfer_result,
) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let tell = |bytes, way, at_end| match result.is_null() {
            true => Ok(()),
            false => store(TRANSFER, result, &unipc_transfer_result { struct_size: 0, bytes, way, at_end }),
        };
        // What cannot be told is not begun.
        tell(0, 0, 0)?;
        let options = transfer_options(options)?;
        let (source, destination) = (borrowed(TRANSFER, source)?, borrowed(TRANSFER, destination)?);
        match waiting(timeout, |wait| stream::transfer(source, destination, &options, wait)) {
            Ok(done) => tell(done.bytes, done.way as u32, u32::from(done.at_end)),
            Err(error) => tell(error.transferred() as u64, 0, 0).and(Err(error)),
        }
    })
}

/// Duplicates what is in a pipe into another, without taking it out: at least a byte.
///
/// The next call begins with the same byte again, unless somebody has read it meanwhile: so read, or transfer, what was duplicated.
///
/// @param source       the reading end of a pipe; it stays the caller's
/// @param destination  the writing end of another; it stays the caller's
/// @param length       at most so many bytes
/// @param timeout      nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return             how many bytes; 0: the end, or length is 0; -EAGAIN, -ETIMEDOUT: nothing there, or no room; -ECANCELED: the bound stop token; -EPIPE; -EBADF;
///                     -EINVAL: no pipe, or twice the same
///
/// Threads: any. Signal-safe: no. Since 0.1. See tee(2).
#[unsafe(no_mangle)]
pub extern "C" fn unipc_transfer_tee(source: c_int, destination: c_int, length: usize, timeout: i64) -> isize {
    const OPERATION: &str = "duplicate pipe";
    guard_size(|| {
        let (source, destination) = (borrowed(OPERATION, source)?, borrowed(OPERATION, destination)?);
        waiting(timeout, |wait| stream::tee(source, destination, length, wait))
    })
}

/// Lends bytes to a pipe instead of copying them into it: at least a byte.
///
/// The pipe holds the pages, not the bytes: who reads later sees what stands there then. So the memory must neither be changed nor freed until the other end has
/// read the bytes into memory of its own, which only an answer of that process tells; that the pipe is empty does not, for they may have been spliced on.
/// It is for data that never changes: constants, a file that nobody writes, a sealed memfd.
///
/// @param pipe     the writing end of a pipe; it stays the caller's
/// @param data     where the bytes stand, and stay
/// @param length   bytes
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         how many bytes, less than length if there is no room for more; -EAGAIN, -ETIMEDOUT: no room; -ECANCELED: the bound stop token; -EPIPE;
///                 -EBADF: no pipe that can be written to; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See vmsplice(2).
///
/// # Safety
/// `data` is NULL or valid for reads of `length` bytes, and stays as it is as said above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_transfer_vmsplice(pipe: c_int, data: *const c_void, length: usize, timeout: i64) -> isize {
    const OPERATION: &str = "lend memory to pipe";
    guard_size(|| {
        // SAFETY: the caller's promise.
        let data = unsafe { bytes(OPERATION, data, length) }?;
        let pipe = borrowed(OPERATION, pipe)?;
        // SAFETY: the caller's promise.
        waiting(timeout, |wait| unsafe { stream::vmsplice_unchecked(pipe, data, wait) })
    })
}

/// What the system calls of a way are called: "sendfile".
///
/// @return  a string that lives for ever; NULL: no such way
///
/// Threads: any. Signal-safe: yes. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn unipc_transfer_way_name(way: u32) -> *const std::ffi::c_char {
    match TransferWay::from_number(way) {
        Some(TransferWay::ReadWrite) => c"read and write".as_ptr(),
        Some(TransferWay::Splice) => c"splice".as_ptr(),
        Some(TransferWay::SpliceTwice) => c"splice twice".as_ptr(),
        Some(TransferWay::Sendfile) => c"sendfile".as_ptr(),
        Some(TransferWay::CopyFileRange) => c"copy_file_range".as_ptr(),
        _ => std::ptr::null(),
    }
}
