//! The stop token.

use std::cell::RefCell;
use std::ffi::c_int;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use unipc_core::{Stop, Timeout, Wait};

use crate::{close, fd_of, guard_new, guard_unit, input};

thread_local! {
    static BOUND: RefCell<Option<Stop>> = const { RefCell::new(None) };
}

/// Runs a call with the timeout that the caller gave and the token that the thread has bound.
#[inline]
pub(crate) fn waiting<T>(timeout: i64, call: impl FnOnce(Wait<'_>) -> T) -> T {
    let stop = bound();
    call(Wait::new(Timeout::from_nanoseconds(timeout), stop.as_ref()))
}

/// Whether any thread has ever bound a token: most programs do not, and then nobody looks.
static IN_USE: AtomicBool = AtomicBool::new(false);

/// The token that the calling thread has bound. A thread that is ending has none any more.
#[inline]
fn bound() -> Option<Stop> {
    #[cold]
    fn look() -> Option<Stop> {
        BOUND.try_with(|bound| bound.borrow().clone()).ok().flatten()
    }
    if IN_USE.load(Ordering::Relaxed) { look() } else { None }
}

/// A stop token: ends waits from a signal handler or from another thread. Each wait of a thread that has bound the token then fails with
/// -ECANCELED, now and until unipc_stop_reset.
///
/// A handle costs one descriptor and one page. After fork, parent and child share the token: a request in either ends the waits of both, and a reset in either
/// holds for both.
pub struct unipc_stop(Stop);

/// Makes a stop token.
///
/// @param stop  receives the handle, or NULL on failure; close it with unipc_stop_close
/// @return      0; -EMFILE, -ENFILE: no descriptor left; -ENOMEM; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See eventfd(2).
///
/// # Safety
/// `stop` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stop_create(stop: *mut *mut unipc_stop) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { guard_new("create stop token", stop, || Stop::new().map(unipc_stop)) }
}

/// Ends every wait that uses the token. errno is left as it was.
///
/// @return  0; -EINVAL: NULL
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `stop` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stop_request(stop: *const unipc_stop) -> c_int {
    // Not through the guard: nothing here allocates, locks or panics, as a signal handler needs it.
    // SAFETY: the caller's promise.
    match unsafe { stop.as_ref() } {
        Some(stop) => {
            stop.0.request();
            0
        }
        None => -libc::EINVAL,
    }
}

/// Makes the token usable again. A request that comes at the same time may be lost.
///
/// @return  0; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `stop` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stop_reset(stop: *const unipc_stop) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("reset stop token", stop) }.map(|stop| stop.0.reset()))
}

/// Whether a request stands.
///
/// @return  1 or 0; -EINVAL: NULL
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `stop` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stop_is_requested(stop: *const unipc_stop) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { stop.as_ref() }.map_or(-libc::EINVAL, |stop| c_int::from(stop.0.is_requested()))
}

/// Binds the token to the calling thread: every call of this library in which the thread sleeps looks at it. A thread has one token at most;
/// binding another replaces it. The thread keeps the token alive, also after unipc_stop_close.
///
/// @param stop  the token, or NULL to bind none
/// @return      0
///
/// Threads: speaks of the calling one. Fork: the child's thread keeps the binding. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `stop` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stop_bind(stop: *const unipc_stop) -> c_int {
    guard_unit(|| {
        // SAFETY: the caller's promise.
        let token = unsafe { stop.as_ref() }.map(|stop| stop.0.clone());
        // The thread sees its own store; for others' bindings it does not matter.
        IN_USE.store(true, Ordering::Relaxed);
        let _ = BOUND.try_with(|bound| bound.replace(token));
        Ok(())
    })
}

/// A descriptor that is readable while a request stands, for poll, epoll and event loops. It belongs to the token: do not read or close it.
///
/// @return  the descriptor; -EINVAL: NULL
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `stop` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stop_fd(stop: *const unipc_stop) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { fd_of(stop, |stop| stop.0.as_fd()) }
}

/// Closes the handle; NULL is fine. A thread that has bound the token keeps it alive.
///
/// A signal handler must not use the handle any more. Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `stop` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_stop_close(stop: *mut unipc_stop) {
    // SAFETY: the caller's promise.
    unsafe { close(stop) }
}
