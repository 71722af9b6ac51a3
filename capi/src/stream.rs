//! Streams of bytes, and what listens for them.

use std::ffi::{c_char, c_int, c_void};
use std::io::{IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};

use unipc_core::stream::{self, ByteStream, FifoOptions, FifoReader, FifoWriter};
use unipc_core::{Error, Timeout, Wait, descriptor};

use crate::wait::waiting;
use crate::{
    Versioned, buffer, bytes, close, fd_of, guard, guard_new, guard_size, guard_unit, initialise, input, invalid, optional_text, options,
    output, store_text, switch, text,
};

/// A stream of bytes: a pipe end, a FIFO end, a Unix or TCP connection. Order is kept, nothing is lost, boundaries are not kept.
///
/// A handle costs one descriptor; a FIFO, and a pipe on a kernel before 6.4, a second one with the first call that has a limit. fork hands it on. Two threads may
/// use one handle, one reading and one writing. Closing it while another thread waits in it is not allowed: end the wait first, by a stop token or
/// unipc_stream_shutdown.
pub struct unipc_stream(pub(crate) ByteStream);

/// Options of unipc_pipe_create. Begin with UNIPC_PIPE_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_pipe_options {
    /// sizeof(unipc_pipe_options)
    pub struct_size: usize,
    /// the least number of bytes that it holds; 0: the system's, 64 KiB as a rule
    pub capacity: usize,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_pipe_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_PIPE_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_options_init(options: *mut unipc_pipe_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// Makes two handles at once, or none.
///
/// # Safety
/// Each out-pointer is NULL or valid to write a pointer to.
pub(crate) unsafe fn new_pair<T>(
    operation: &'static str,
    first: *mut *mut T,
    second: *mut *mut T,
    make: impl FnOnce() -> Result<(T, T), Error>,
) -> c_int {
    guard_unit(|| {
        // One by one, so that each is NULL after a failure, also if the other cannot be.
        for out in [first, second] {
            // SAFETY: the caller's promise.
            if let Some(out) = unsafe { out.as_mut() } {
                *out = std::ptr::null_mut();
            }
        }
        // SAFETY: the caller's promise.
        let (first, second) = unsafe { (output(operation, first)?, output(operation, second)?) };
        let ends = make()?;
        *first = Box::into_raw(Box::new(ends.0));
        *second = Box::into_raw(Box::new(ends.1));
        Ok(())
    })
}

/// Makes a pipe: what is written to one end comes out of the other. The end comes to the reader when the last copy of the writing end is closed.
///
/// @param options  the capacity; NULL: the system's
/// @param reader   receives the end that bytes come out of, or NULL on failure; close it with unipc_stream_close
/// @param writer   receives the end that bytes go into, or NULL on failure; close it with unipc_stream_close
/// @return         0; -EMFILE, -ENFILE; -EPERM: a capacity above /proc/sys/fs/pipe-max-size; -EINVAL: NULL, capacity; -E2BIG: an option that
///                 this version does not know
///
/// Threads: any. Signal-safe: no. Since 0.1. See pipe(2), pipe(7).
///
/// # Safety
/// `options` is NULL or as large as it says; the out-pointers are NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_create(
    options: *const unipc_pipe_options,
    reader: *mut *mut unipc_stream,
    writer: *mut *mut unipc_stream,
) -> c_int {
    const OPERATION: &str = "create pipe";
    // SAFETY: the caller's promise.
    unsafe {
        new_pair(OPERATION, reader, writer, || {
            let options = self::options(OPERATION, options)?;
            stream::pipe_with_capacity(options.capacity).map(|(reader, writer)| (unipc_stream(reader.into()), unipc_stream(writer.into())))
        })
    }
}

/// Options of FIFOs. Begin with UNIPC_FIFO_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_fifo_options {
    /// sizeof(unipc_fifo_options)
    pub struct_size: usize,
    /// open: the least number of bytes that it holds; 0: left as it is
    pub capacity: usize,
    /// create: the group, by name or number; NULL: the process's
    pub group: *const c_char,
    /// open: nanoseconds to wait for another process to create the path
    pub wait_for_creator: i64,
    /// create: permissions, set whatever the umask says; 0: 0600
    pub mode: u32,
    /// open: 1 accepts FIFOs of users other than oneself and root
    pub any_owner: u32,
    /// reader: 1 holds a writing end too, so that the end never comes between two clients; it does not wait for a writer
    pub keep_open: u32,
    /// reader: 1 does not wait for a writer
    pub unpaired: u32,
}

// SAFETY: repr(C), begins with the size, made of integers and a pointer that may be NULL.
unsafe impl Versioned for unipc_fifo_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_FIFO_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_fifo_options_init(options: *mut unipc_fifo_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// # Safety
/// `options` is NULL or as large as it says, with a group that is NULL or a string.
unsafe fn fifo_options(operation: &'static str, options: *const unipc_fifo_options) -> Result<FifoOptions, Error> {
    // SAFETY: the caller's promise.
    let options = unsafe { self::options(operation, options) }?;
    Ok(FifoOptions {
        mode: options.mode,
        // SAFETY: the caller's promise.
        group: unsafe { optional_text(operation, options.group) }?.map(str::to_owned),
        capacity: options.capacity,
        any_owner: switch(operation, options.any_owner)?,
        keep_open: switch(operation, options.keep_open)?,
        unpaired: switch(operation, options.unpaired)?,
        wait_for_creator: Timeout::from_nanoseconds(options.wait_for_creator),
    })
}

/// Makes a FIFO, exclusively.
///
/// @param path     where
/// @param options  mode, group; NULL: 0600
/// @return         0; -EEXIST: there is something at the path; -ENOENT: no such directory; -EACCES, -EROFS, -ENOSPC; -EINVAL: NULL, an empty path,
///                 mode or group; -ENAMETOOLONG; -E2BIG
///
/// Threads: any. Signal-safe: no. Since 0.1. See mkfifo(3), fifo(7).
///
/// # Safety
/// `path` is NULL or a string; `options` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_fifo_create(path: *const c_char, options: *const unipc_fifo_options) -> c_int {
    const OPERATION: &str = "create FIFO";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { stream::create_fifo(text(OPERATION, path)?, &fifo_options(OPERATION, options)?) })
}

/// Removes a FIFO. Who has it open goes on using it.
///
/// @return  0; -ENOENT; UNIPC_WRONG_KIND: no FIFO, it stays; -ELOOP: a symbolic link, it stays; -EACCES, -EPERM; -EINVAL: NULL or empty
///
/// Threads: any. Signal-safe: no. Since 0.1. See unlink(2).
///
/// # Safety
/// `path` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_fifo_unlink(path: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| stream::unlink_fifo(unsafe { text("unlink FIFO", path) }?))
}

type OpenFifo = fn(&str, &FifoOptions, Wait<'_>) -> unipc_core::Result<ByteStream>;

/// The four openings differ in the core's function alone.
///
/// # Safety
/// As `unipc_stream_open_fifo_reader`.
unsafe fn open_fifo(
    operation: &'static str,
    path: *const c_char,
    options: *const unipc_fifo_options,
    timeout: i64,
    stream: *mut *mut unipc_stream,
    open: OpenFifo,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(operation, stream, || {
            let (path, options) = (text(operation, path)?, fifo_options(operation, options)?);
            waiting(timeout, |wait| open(path, &options, wait)).map(unipc_stream)
        })
    }
}

/// Opens the reading end of a FIFO, and waits for a writer unless options say keep_open or unpaired. It never creates.
///
/// @param path     the FIFO
/// @param options  any_owner, keep_open, unpaired, capacity, wait_for_creator; NULL: defaults
/// @param timeout  nanoseconds for a writer to open; UNIPC_FOREVER; zero or less never waits
/// @param stream   receives the handle, or NULL on failure; close it with unipc_stream_close
/// @return         0; -ENOENT: also when the wait for the creator is over; -EAGAIN, -ETIMEDOUT: no writer; -ECANCELED: the bound stop token; -EPERM: it
///                 belongs to another user; -EACCES; -ELOOP: a symbolic link; UNIPC_WRONG_KIND: no FIFO; -EINVAL: NULL or empty; -E2BIG, -EMFILE, -ENFILE
///
/// Threads: any. Signal-safe: no. Since 0.1. See fifo(7).
///
/// # Safety
/// `path` is NULL or a string; `options` is NULL or as large as it says; `stream` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_open_fifo_reader(
    path: *const c_char,
    options: *const unipc_fifo_options,
    timeout: i64,
    stream: *mut *mut unipc_stream,
) -> c_int {
    let open: OpenFifo = |path, options, wait| FifoReader::open(path, options, wait).map(ByteStream::from);
    // SAFETY: the caller's promise.
    unsafe { open_fifo("open FIFO to read", path, options, timeout, stream, open) }
}

/// Opens the writing end of a FIFO, and waits for a reader. It never creates.
///
/// @return  as unipc_stream_open_fifo_reader; -EAGAIN, -ETIMEDOUT: no reader
///
/// Threads: any. Signal-safe: no. Since 0.1. See fifo(7).
///
/// # Safety
/// As unipc_stream_open_fifo_reader.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_open_fifo_writer(
    path: *const c_char,
    options: *const unipc_fifo_options,
    timeout: i64,
    stream: *mut *mut unipc_stream,
) -> c_int {
    let open: OpenFifo = |path, options, wait| FifoWriter::open(path, options, wait).map(ByteStream::from);
    // SAFETY: the caller's promise.
    unsafe { open_fifo("open FIFO to write", path, options, timeout, stream, open) }
}

/// unipc_stream_open_fifo_reader, and makes the FIFO if there is none, with the mode and group of the options.
///
/// @return  as unipc_stream_open_fifo_reader and unipc_fifo_create, but for -EEXIST
///
/// Threads: any. Signal-safe: no. Since 0.1. See fifo(7).
///
/// # Safety
/// As unipc_stream_open_fifo_reader.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_open_or_create_fifo_reader(
    path: *const c_char,
    options: *const unipc_fifo_options,
    timeout: i64,
    stream: *mut *mut unipc_stream,
) -> c_int {
    let open: OpenFifo = |path, options, wait| FifoReader::open_or_create(path, options, wait).map(ByteStream::from);
    // SAFETY: the caller's promise.
    unsafe { open_fifo("open or create FIFO to read", path, options, timeout, stream, open) }
}

/// unipc_stream_open_fifo_writer, and makes the FIFO if there is none, with the mode and group of the options.
///
/// @return  as unipc_stream_open_fifo_writer and unipc_fifo_create, but for -EEXIST
///
/// Threads: any. Signal-safe: no. Since 0.1. See fifo(7).
///
/// # Safety
/// As unipc_stream_open_fifo_reader.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_open_or_create_fifo_writer(
    path: *const c_char,
    options: *const unipc_fifo_options,
    timeout: i64,
    stream: *mut *mut unipc_stream,
) -> c_int {
    let open: OpenFifo = |path, options, wait| FifoWriter::open_or_create(path, options, wait).map(ByteStream::from);
    // SAFETY: the caller's promise.
    unsafe { open_fifo("open or create FIFO to write", path, options, timeout, stream, open) }
}

/// Two connected Unix sockets, for a process and the child that it forks.
///
/// @param first   receives one end, or NULL on failure; close it with unipc_stream_close
/// @param second  receives the other end, or NULL on failure; close it with unipc_stream_close
/// @return        0; -EMFILE, -ENFILE, -ENOBUFS; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See socketpair(2).
///
/// # Safety
/// The out-pointers are NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_pair_unix(first: *mut *mut unipc_stream, second: *mut *mut unipc_stream) -> c_int {
    let make = || stream::UnixStream::pair().map(|(first, second)| (unipc_stream(first.into()), unipc_stream(second.into())));
    // SAFETY: the caller's promise.
    unsafe { new_pair("create pair of Unix sockets", first, second, make) }
}

/// Ignores SIGPIPE in the whole process from now on, as most servers do; the programs that it starts begin with it ignored, too.
///
/// No writer needs it here: a write to a pipe whose reader is gone gives -EPIPE and no signal in any case. But a write that raises none costs the
/// kernel 0.1 microseconds more than a plain one; a process that has called this writes plainly. Whoever changes the disposition of SIGPIPE
/// afterwards has writes that raise it.
///
/// @return  0
///
/// Threads: any. Fork: the child ignores it, too. Signal-safe: no. Since 0.1. See sigaction(2), pwritev2(2).
#[unsafe(no_mangle)]
pub extern "C" fn unipc_ignore_sigpipe() -> c_int {
    guard_unit(stream::ignore_sigpipe)
}

/// Reads what there is, at least one byte.
///
/// @param buffer    where to; may be NULL if capacity is 0
/// @param capacity  bytes
/// @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return          how many bytes came; 0: the end (or capacity is 0); -EAGAIN, -ETIMEDOUT: nothing came; -ECANCELED: the bound stop token;
///                  -ECONNRESET; -EBADF: not open for reading; -EINVAL: NULL, capacity above PTRDIFF_MAX
///
/// Threads: one reader at a time gets bytes in order. Fork: the handle works in the child. Signal-safe: no. Since 0.1. See read(2), recv(2).
///
/// # Safety
/// `stream` is NULL or a live handle; `buffer` is valid for writes of `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_read(stream: *mut unipc_stream, buffer: *mut c_void, capacity: usize, timeout: i64) -> isize {
    const OPERATION: &str = "read stream";
    // SAFETY: the caller's promise.
    guard_size(|| unsafe {
        let (stream, buffer) = (input(OPERATION, stream.cast_const())?, self::buffer(OPERATION, buffer, capacity)?);
        waiting(timeout, |wait| stream.0.read_within(buffer, wait))
    })
}

/// Writes what there is room for, at least one byte. Nobody is killed by SIGPIPE.
///
/// @param data     where from; may be NULL if length is 0
/// @param length   bytes
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         how many bytes went out; -EAGAIN, -ETIMEDOUT: no room for any; -EPIPE: nobody reads any more; -ECONNRESET; -ECANCELED: the bound
///                 stop token; -EBADF: not open for writing; -EINVAL: NULL, length above PTRDIFF_MAX
///
/// Threads: pieces of at most PIPE_BUF bytes that several write into one pipe for ever stay whole. Fork: the handle works in the child.
/// Signal-safe: no. Since 0.1. See write(2), send(2).
///
/// # Safety
/// `stream` is NULL or a live handle; `data` is valid for reads of `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_write(stream: *mut unipc_stream, data: *const c_void, length: usize, timeout: i64) -> isize {
    const OPERATION: &str = "write stream";
    // SAFETY: the caller's promise.
    guard_size(|| unsafe {
        let (stream, data) = (input(OPERATION, stream.cast_const())?, bytes(OPERATION, data, length)?);
        waiting(timeout, |wait| stream.0.write_within(data, wait))
    })
}

/// Reports how many bytes had passed, in success and in failure.
///
/// # Safety
/// `transferred` is NULL or valid for writes.
unsafe fn report_transferred(transferred: *mut usize, whole: usize, result: Result<(), Error>) -> Result<(), Error> {
    let count = result.as_ref().map_or_else(Error::transferred, |()| whole);
    if !transferred.is_null() {
        // SAFETY: not NULL; the caller's promise.
        unsafe { transferred.write(count) };
    }
    result
}

/// Fills the buffer whole.
///
/// @param buffer       where to; may be NULL if length is 0
/// @param length       bytes
/// @param timeout      nanoseconds for all of it; UNIPC_FOREVER; zero or less never waits
/// @param transferred  receives how many bytes came, also in failure; may be NULL
/// @return             0; UNIPC_END: the end came before the first byte; UNIPC_TRUNCATED: it came in the middle; else as unipc_stream_read
///
/// Threads: as unipc_stream_read. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `stream` is NULL or a live handle; `buffer` is valid for writes of `length` bytes; `transferred` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_read_exact(
    stream: *mut unipc_stream,
    buffer: *mut c_void,
    length: usize,
    timeout: i64,
    transferred: *mut usize,
) -> c_int {
    const OPERATION: &str = "read stream exactly";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        report_transferred(transferred, 0, Ok(()))?;
        let (stream, buffer) = (input(OPERATION, stream.cast_const())?, self::buffer(OPERATION, buffer, length)?);
        report_transferred(transferred, length, waiting(timeout, |wait| stream.0.read_exact_within(buffer, wait)))
    })
}

/// Writes everything.
///
/// @param data         where from; may be NULL if length is 0
/// @param length       bytes
/// @param timeout      nanoseconds for all of it; UNIPC_FOREVER; zero or less never waits
/// @param transferred  receives how many bytes went out, also in failure; may be NULL
/// @return             0; else as unipc_stream_write, and a part may have gone out
///
/// Threads: as unipc_stream_write. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `stream` is NULL or a live handle; `data` is valid for reads of `length` bytes; `transferred` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_write_all(
    stream: *mut unipc_stream,
    data: *const c_void,
    length: usize,
    timeout: i64,
    transferred: *mut usize,
) -> c_int {
    const OPERATION: &str = "write stream whole";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        report_transferred(transferred, 0, Ok(()))?;
        let (stream, data) = (input(OPERATION, stream.cast_const())?, bytes(OPERATION, data, length)?);
        report_transferred(transferred, length, waiting(timeout, |wait| stream.0.write_all_within(data, wait)))
    })
}

/// A place to be filled. The layout of struct iovec.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_buffer {
    /// where; may be NULL if length is 0
    pub data: *mut c_void,
    /// bytes
    pub length: usize,
}

/// Bytes to be sent. The layout of struct iovec.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_bytes {
    /// where; may be NULL if length is 0
    pub data: *const c_void,
    /// bytes
    pub length: usize,
}

/// The most pieces of one vectored call that are looked at.
const MOST_PIECES: usize = 1024;

/// # Safety
/// `pieces` is NULL or valid for reads of `count` elements during `'a`.
unsafe fn pieces<'a, T>(operation: &'static str, pieces: *const T, count: usize) -> Result<&'a [T], Error> {
    if count == 0 {
        return Ok(&[]);
    }
    if pieces.is_null() {
        return Err(invalid(operation, "a NULL pointer where pieces are needed"));
    }
    // SAFETY: not NULL, and valid by the caller's promise; what lies behind the first 1024 is not looked at.
    Ok(unsafe { std::slice::from_raw_parts(pieces, count.min(MOST_PIECES)) })
}

/// Reads what there is, at least one byte, into several buffers one after the other. The first 1024 buffers count.
///
/// @param buffers  where to; may be NULL if count is 0
/// @param count    how many
/// @return         as unipc_stream_read
///
/// Threads: as unipc_stream_read. Signal-safe: no. Since 0.1. See readv(2).
///
/// # Safety
/// `stream` is NULL or a live handle; `buffers` is valid for reads of `count` elements, and each for writes of its length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_read_vectored(
    stream: *mut unipc_stream,
    buffers: *const unipc_buffer,
    count: usize,
    timeout: i64,
) -> isize {
    const OPERATION: &str = "read stream";
    // SAFETY: the caller's promise.
    guard_size(|| unsafe {
        let stream = input(OPERATION, stream.cast_const())?;
        let slice = |piece: &unipc_buffer| buffer(OPERATION, piece.data, piece.length).map(IoSliceMut::new);
        let mut slices = pieces(OPERATION, buffers, count)?.iter().map(slice).collect::<Result<Vec<_>, _>>()?;
        waiting(timeout, |wait| stream.0.read_vectored_within(&mut slices, wait))
    })
}

/// Writes what there is room for, at least one byte, from several pieces one after the other. The first 1024 pieces count.
///
/// @param parts  where from; may be NULL if count is 0
/// @param count  how many
/// @return       as unipc_stream_write
///
/// Threads: as unipc_stream_write. Signal-safe: no. Since 0.1. See writev(2).
///
/// # Safety
/// `stream` is NULL or a live handle; `parts` is valid for reads of `count` elements, and each for reads of its length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_write_vectored(
    stream: *mut unipc_stream,
    parts: *const unipc_bytes,
    count: usize,
    timeout: i64,
) -> isize {
    const OPERATION: &str = "write stream";
    // SAFETY: the caller's promise.
    guard_size(|| unsafe {
        let stream = input(OPERATION, stream.cast_const())?;
        let slice = |piece: &unipc_bytes| bytes(OPERATION, piece.data, piece.length).map(IoSlice::new);
        let slices = pieces(OPERATION, parts, count)?.iter().map(slice).collect::<Result<Vec<_>, _>>()?;
        waiting(timeout, |wait| stream.0.write_vectored_within(&slices, wait))
    })
}

/// shutdown: nothing more will be read.
pub const UNIPC_SHUTDOWN_READ: i32 = 1;
/// shutdown: nothing more will be written; the other side meets the end.
pub const UNIPC_SHUTDOWN_WRITE: i32 = 2;
/// shutdown: both.
pub const UNIPC_SHUTDOWN_BOTH: i32 = 3;

/// Ends one direction or both of a socket, for everybody who holds it.
///
/// @param how  UNIPC_SHUTDOWN_READ, UNIPC_SHUTDOWN_WRITE or UNIPC_SHUTDOWN_BOTH
/// @return     0; -EOPNOTSUPP: a pipe, whose end is closed instead; -ENOTCONN; -EINVAL: NULL, no such direction
///
/// Threads: any, also while others wait in the stream: they wake up. Signal-safe: no. Since 0.1. See shutdown(2).
///
/// # Safety
/// `stream` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_shutdown(stream: *mut unipc_stream, how: c_int) -> c_int {
    const OPERATION: &str = "shut stream down";
    guard_unit(|| {
        // SAFETY: the caller's promise.
        let stream = unsafe { input(OPERATION, stream.cast_const()) }?;
        let how = match how {
            UNIPC_SHUTDOWN_READ => Shutdown::Read,
            UNIPC_SHUTDOWN_WRITE => Shutdown::Write,
            UNIPC_SHUTDOWN_BOTH => Shutdown::Both,
            _ => return Err(invalid(OPERATION, "there is no such direction")),
        };
        stream.0.shutdown(how)
    })
}

/// How many bytes a pipe or FIFO holds.
///
/// @return  bytes; -EOPNOTSUPP: a socket; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See fcntl(2), F_GETPIPE_SZ.
///
/// # Safety
/// `stream` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_capacity(stream: *const unipc_stream) -> i64 {
    // SAFETY: the caller's promise. The kernel's limit is an int.
    guard(|| Ok(unsafe { input("get capacity of pipe", stream) }?.0.capacity()? as i64))
}

/// Sets how many bytes a pipe or FIFO holds.
///
/// @param capacity  bytes; rounded up to a power of two of pages
/// @return          what was got; -EPERM: above /proc/sys/fs/pipe-max-size; -EBUSY: below what it holds at the moment; -EOPNOTSUPP: a socket;
///                  -EINVAL: NULL, 0, or above INT32_MAX
///
/// Threads: any. Signal-safe: no. Since 0.1. See fcntl(2), F_SETPIPE_SZ.
///
/// # Safety
/// `stream` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_set_capacity(stream: *mut unipc_stream, capacity: usize) -> i64 {
    // SAFETY: the caller's promise. The kernel's limit is an int.
    guard(|| Ok(unsafe { input("set capacity of pipe", stream.cast_const()) }?.0.set_capacity(capacity)? as i64))
}

/// The address of the other end: "/path", "@name", "127.0.0.1:80", "[::1]:80"; empty for a Unix socket that has none.
///
/// @param buffer    where the text goes, always NUL-terminated; NULL if only the length is wanted
/// @param capacity  bytes in buffer; a longer text is cut
/// @return          the length of the whole text without the NUL; -ENOTSOCK: a pipe; -ENOTCONN; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See getpeername(2).
///
/// # Safety
/// `stream` is NULL or a live handle; `buffer` is NULL or valid for writes of `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_peer_address(stream: *const unipc_stream, buffer: *mut c_char, capacity: usize) -> isize {
    // SAFETY: the caller's promise.
    guard_size(|| unsafe { Ok(store_text(&input("get address of peer", stream)?.0.peer_address()?, buffer, capacity)) })
}

/// The descriptor, which stays the handle's: readable until a read that does not wait says -EAGAIN. For poll, epoll and event loops.
///
/// @return  the descriptor; -EINVAL: NULL
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `stream` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_fd(stream: *const unipc_stream) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { fd_of(stream, |stream| stream.0.as_fd()) }
}

/// Takes over a descriptor from elsewhere, gives it back if it is refused.
///
/// # Safety
/// The caller owns `fd`, and gives it away if this succeeds.
pub(crate) unsafe fn adopt<T>(fd: c_int, take: impl FnOnce(OwnedFd) -> Result<T, (OwnedFd, Error)>) -> Result<T, Error> {
    // SAFETY: the caller's promise; in failure the descriptor is let go, and stays the caller's.
    take(unsafe { descriptor::adopt(fd) }?).map_err(|(descriptor, error)| {
        let _ = descriptor.into_raw_fd();
        error
    })
}

/// Takes over a descriptor that carries bytes: a pipe, a FIFO, a connected stream socket, a terminal, a file. It is taken over on success alone, and
/// made close-on-exec.
///
/// @param fd      an open descriptor
/// @param stream  receives the handle, or NULL on failure; close it with unipc_stream_close
/// @return        0; -EBADF; UNIPC_WRONG_KIND: it carries no bytes, or listens; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// The caller owns `fd`; `stream` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_from_fd(fd: c_int, stream: *mut *mut unipc_stream) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { guard_new("adopt stream", stream, || adopt(fd, ByteStream::adopt).map(unipc_stream)) }
}

/// Gives the descriptor away; the handle is gone. A reader that was opened with keep_open meets the end from then on.
///
/// @return  the descriptor, which is the caller's; -EINVAL: NULL
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `stream` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_into_fd(stream: *mut unipc_stream) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { input("release stream", stream.cast_const()) }?;
        // SAFETY: a handle, made by `Box::into_raw`, that the caller gives back.
        Ok(OwnedFd::from(unsafe { Box::from_raw(stream) }.0).into_raw_fd())
    })
}

/// Closes the stream; NULL is fine.
///
/// Threads: none may use the handle meanwhile. Fork: the other process's copy stays open. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `stream` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stream_close(stream: *mut unipc_stream) {
    // SAFETY: the caller's promise.
    unsafe { close(stream) }
}
