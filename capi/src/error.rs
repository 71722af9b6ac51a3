//! Results: codes, and the sentence behind the last failure.

use std::cell::RefCell;
use std::ffi::{c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

use unipc_core::{Error, Failure, Reason};

use crate::store_text;

/// The major version. While it is 0, the ABI may change with every minor version, and the soname with it.
pub const UNIPC_VERSION_MAJOR: i32 = 0;
/// The minor version.
pub const UNIPC_VERSION_MINOR: i32 = 1;
/// The patch version.
pub const UNIPC_VERSION_PATCH: i32 = 0;

/// A switch in an options struct that has a default of its own: on.
pub const UNIPC_ON: u32 = 1;
/// A switch in an options struct that has a default of its own: off.
pub const UNIPC_OFF: u32 = 2;

/// lock_recover: the lock is held, and its last holder died. Repair what it protects, then mark it consistent.
pub const UNIPC_NEEDS_REPAIR: i32 = 1;
/// The other side has ended: nothing more will come.
pub const UNIPC_END: i32 = -10001;
/// The handle was made by the parent process and does not work in a child made by fork.
pub const UNIPC_FORKED: i32 = -10002;
/// A bug in this library was caught at its border; nothing was acquired.
pub const UNIPC_PANIC: i32 = -10003;
/// This build or this system cannot do it.
pub const UNIPC_UNAVAILABLE: i32 = -10004;
/// The name belongs to an object of another kind: a file that is no FIFO, no socket, no memory.
pub const UNIPC_WRONG_KIND: i32 = -10005;
/// The object is smaller than what was asked for.
pub const UNIPC_WRONG_SIZE: i32 = -10006;
/// An object in memory was made by another ABI, is of another kind, or belongs to another pid namespace.
pub const UNIPC_INCOMPATIBLE: i32 = -10007;
/// The stream ended inside a message, or inside what was to be read whole.
pub const UNIPC_TRUNCATED: i32 = -10008;

const _: () = {
    assert!(UNIPC_END == Failure::End as i32);
    assert!(UNIPC_FORKED == Failure::Forked as i32);
    assert!(UNIPC_PANIC == Failure::Panic as i32);
    assert!(UNIPC_UNAVAILABLE == Failure::Unavailable as i32);
    assert!(UNIPC_WRONG_KIND == Failure::WrongKind as i32);
    assert!(UNIPC_WRONG_SIZE == Failure::WrongSize as i32);
    assert!(UNIPC_INCOMPATIBLE == Failure::Incompatible as i32);
    assert!(UNIPC_TRUNCATED == Failure::Truncated as i32);
};

thread_local! {
    static LAST: RefCell<Option<Error>> = const { RefCell::new(None) };
}

/// Keeps the failure for [`unipc_error_text`] and gives its code.
#[cold]
pub(crate) fn remember(failure: Error) -> c_int {
    let code = failure.code();
    // A thread that is ending has no place any more; the code is enough.
    let _ = LAST.try_with(|last| last.replace(Some(failure)));
    code
}

/// The version of the library that is running, "0.1.0".
///
/// Threads: any. Signal-safe: yes. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn unipc_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The sentence for a result code: what was tried, on which object, why it failed, and the remedy where one is known.
///
/// If the last failure of this thread had this code, the sentence is about that failure; else it explains the code alone.
///
/// @param code      what a function of this library returned
/// @param buffer    where the text goes, always NUL-terminated; NULL if only the length is wanted
/// @param capacity  bytes in buffer; a longer text is cut at a whole character
/// @return          the length of the whole text in bytes without the NUL (so compare with capacity, as with snprintf)
///
/// Threads: any; each has its own last failure. Fork: the child keeps the forking thread's. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `buffer` is valid for writes of `capacity` bytes, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_error_text(code: c_int, buffer: *mut c_char, capacity: usize) -> isize {
    // SAFETY: the caller's promise.
    catch_unwind(AssertUnwindSafe(|| unsafe { store_text(&sentence(code), buffer, capacity) } as isize)).unwrap_or(UNIPC_PANIC as isize)
}

/// The name of a result code: "EAGAIN", "UNIPC_END"; "success" for zero and more, "unknown" for a number that is no code.
///
/// The text is static. Threads: any. Signal-safe: yes. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn unipc_error_name(code: c_int) -> *const c_char {
    let name: &'static std::ffi::CStr = match Reason::from_code(code) {
        Some(Reason::Failure(failure)) => failure_name(failure),
        Some(Reason::Os(errno)) => errno_name(errno as i32),
        None if code >= 0 => c"success",
        None => c"unknown",
    };
    name.as_ptr()
}

/// Writes "what: sentence" and a newline to standard error.
///
/// @param what  what the program was doing; may be NULL
/// @param code  what a function of this library returned
/// @return      1, so that main can `return unipc_error_print("counter", r);`
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `what` is NULL or a NUL-terminated string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_error_print(what: *const c_char, code: c_int) -> c_int {
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let line = if what.is_null() {
            format!("{}\n", sentence(code))
        } else {
            // SAFETY: not NULL, and a string by the caller's promise.
            format!("{}: {}\n", unsafe { std::ffi::CStr::from_ptr(what) }.to_string_lossy(), sentence(code))
        };
        // A closed standard error is no reason to fail.
        let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), line.as_bytes());
    }));
    1
}

fn sentence(code: c_int) -> String {
    let last = LAST.try_with(|last| last.borrow().as_ref().filter(|last| last.code() == code).map(Error::to_string));
    if let Ok(Some(text)) = last {
        return text;
    }
    match Reason::from_code(code) {
        Some(reason) => reason.to_string(),
        None if code == UNIPC_NEEDS_REPAIR => "success; after lock_recover: held, and what it protects needs repair".into(),
        None if code >= 0 => "success".into(),
        None => format!("unknown code {code}"),
    }
}

fn failure_name(failure: Failure) -> &'static std::ffi::CStr {
    match failure {
        Failure::End => c"UNIPC_END",
        Failure::Forked => c"UNIPC_FORKED",
        Failure::Panic => c"UNIPC_PANIC",
        Failure::Unavailable => c"UNIPC_UNAVAILABLE",
        Failure::WrongKind => c"UNIPC_WRONG_KIND",
        Failure::WrongSize => c"UNIPC_WRONG_SIZE",
        Failure::Incompatible => c"UNIPC_INCOMPATIBLE",
        Failure::Truncated => c"UNIPC_TRUNCATED",
        _ => c"unknown",
    }
}

/// The symbol of an errno. glibc has `strerrorname_np` only since 2.32, later than the oldest that we run on.
fn errno_name(errno: i32) -> &'static std::ffi::CStr {
    const NAMES: &[(i32, &std::ffi::CStr)] = &[
        (libc::EPERM, c"EPERM"),
        (libc::ENOENT, c"ENOENT"),
        (libc::ESRCH, c"ESRCH"),
        (libc::EINTR, c"EINTR"),
        (libc::EIO, c"EIO"),
        (libc::ENXIO, c"ENXIO"),
        (libc::E2BIG, c"E2BIG"),
        (libc::EBADF, c"EBADF"),
        (libc::ECHILD, c"ECHILD"),
        (libc::EAGAIN, c"EAGAIN"),
        (libc::ENOMEM, c"ENOMEM"),
        (libc::EACCES, c"EACCES"),
        (libc::EFAULT, c"EFAULT"),
        (libc::EBUSY, c"EBUSY"),
        (libc::EEXIST, c"EEXIST"),
        (libc::EXDEV, c"EXDEV"),
        (libc::ENODEV, c"ENODEV"),
        (libc::ENOTDIR, c"ENOTDIR"),
        (libc::EISDIR, c"EISDIR"),
        (libc::EINVAL, c"EINVAL"),
        (libc::ENFILE, c"ENFILE"),
        (libc::EMFILE, c"EMFILE"),
        (libc::EFBIG, c"EFBIG"),
        (libc::ENOSPC, c"ENOSPC"),
        (libc::ESPIPE, c"ESPIPE"),
        (libc::EROFS, c"EROFS"),
        (libc::EPIPE, c"EPIPE"),
        (libc::ERANGE, c"ERANGE"),
        (libc::EDEADLK, c"EDEADLK"),
        (libc::ENAMETOOLONG, c"ENAMETOOLONG"),
        (libc::ENOSYS, c"ENOSYS"),
        (libc::ELOOP, c"ELOOP"),
        (libc::ENOMSG, c"ENOMSG"),
        (libc::EIDRM, c"EIDRM"),
        (libc::ENODATA, c"ENODATA"),
        (libc::EPROTO, c"EPROTO"),
        (libc::EBADMSG, c"EBADMSG"),
        (libc::EOVERFLOW, c"EOVERFLOW"),
        (libc::ENOTSOCK, c"ENOTSOCK"),
        (libc::EDESTADDRREQ, c"EDESTADDRREQ"),
        (libc::EMSGSIZE, c"EMSGSIZE"),
        (libc::EPROTOTYPE, c"EPROTOTYPE"),
        (libc::EOPNOTSUPP, c"EOPNOTSUPP"),
        (libc::EAFNOSUPPORT, c"EAFNOSUPPORT"),
        (libc::EADDRINUSE, c"EADDRINUSE"),
        (libc::EADDRNOTAVAIL, c"EADDRNOTAVAIL"),
        (libc::ENETUNREACH, c"ENETUNREACH"),
        (libc::ECONNABORTED, c"ECONNABORTED"),
        (libc::ECONNRESET, c"ECONNRESET"),
        (libc::ENOBUFS, c"ENOBUFS"),
        (libc::EISCONN, c"EISCONN"),
        (libc::ENOTCONN, c"ENOTCONN"),
        (libc::ETIMEDOUT, c"ETIMEDOUT"),
        (libc::ECONNREFUSED, c"ECONNREFUSED"),
        (libc::EHOSTUNREACH, c"EHOSTUNREACH"),
        (libc::EALREADY, c"EALREADY"),
        (libc::EINPROGRESS, c"EINPROGRESS"),
        (libc::ECANCELED, c"ECANCELED"),
        (libc::EOWNERDEAD, c"EOWNERDEAD"),
        (libc::ENOTRECOVERABLE, c"ENOTRECOVERABLE"),
        (libc::EUSERS, c"EUSERS"),
        (libc::EDQUOT, c"EDQUOT"),
    ];
    NAMES.iter().find(|(number, _)| *number == errno).map_or(c"unknown", |(_, name)| name)
}
