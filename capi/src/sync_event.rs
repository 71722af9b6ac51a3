//! Events in the user's memory.

use std::ffi::c_int;

use unipc_core::Error;
use unipc_core::sync::Event;

use crate::sync::{at_once, in_place};
use crate::wait::waiting;
use crate::{Versioned, guard, guard_unit, initialise, invalid, switch};

/// event flag: each setting lets one waiter through, and is over then.
pub const UNIPC_EVENT_AUTOMATIC_RESET: u32 = 1;

/// An event for memory that processes share: something has happened, and whoever waits for it goes on. All-zero bytes are a valid one, of manual
/// reset, that is not set.
///
/// It must not be moved or copied while in use. It belongs to nobody: any process may set, reset and wait, across pid namespaces too. It trusts
/// everyone who can write the page.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_event {
    /// Not for use.
    pub opaque: [u64; 16],
}

const _: () = assert!(size_of::<unipc_event>() == size_of::<Event>() && align_of::<unipc_event>() == align_of::<Event>());

/// Options of unipc_event_init. Begin with UNIPC_EVENT_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_event_options {
    /// sizeof(unipc_event_options)
    pub struct_size: usize,
    /// 0: once set it lets everybody through, until unipc_event_reset; UNIPC_EVENT_AUTOMATIC_RESET: each setting lets one through
    pub flags: u32,
    /// 1: it is set at first
    pub set: u32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_event_options {}

/// # Safety
/// As [`unipc_event_wait`].
unsafe fn event<'a>(operation: &'static str, event: *const unipc_event) -> Result<&'a Event, Error> {
    // SAFETY: the caller's promise.
    unsafe { in_place(operation, event) }
}

/// Sets struct_size and zeroes the rest, as UNIPC_EVENT_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_event_options_init(options: *mut unipc_event_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// Makes the event anew, whatever bytes stood there. Zero bytes need no init. Nobody may use the event meanwhile.
///
/// @param event    where, at a multiple of 8 bytes
/// @param options  its kind, and whether it is set; NULL: manual reset, not set
/// @return         0; -EINVAL: NULL, misaligned, flags out of range; -E2BIG: an option that this version does not know
///
/// Threads: none may use the event meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `event` is NULL or valid for writes; `options` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_event_init(event: *mut unipc_event, options: *const unipc_event_options) -> c_int {
    const OPERATION: &str = "initialise event";
    guard_unit(|| {
        // SAFETY: the caller's promise, for both.
        let options = unsafe { crate::options(OPERATION, options) }?;
        // SAFETY: as above; any bytes are a valid `Event` to refer to.
        unsafe { self::event(OPERATION, event) }?;
        let set = switch(OPERATION, options.set)?;
        let fresh = match options.flags {
            0 => Event::manual_reset(set),
            UNIPC_EVENT_AUTOMATIC_RESET => Event::automatic_reset(set),
            _ => return Err(invalid(OPERATION, "there is no such flag")),
        };
        // SAFETY: not NULL, aligned, and used by nobody else, as the caller promises.
        unsafe { Event::init(event.cast(), fresh) };
        Ok(())
    })
}

/// Sets the event: of manual reset, everybody who waits goes on, and everybody who comes, until unipc_event_reset; of automatic reset, one. Setting it
/// again before it is taken changes nothing.
///
/// @return  0; -EINVAL: NULL or misaligned; UNIPC_INCOMPATIBLE: no event of this ABI
///
/// Threads: any. Signal-safe: no. Since 0.1. See futex(2).
///
/// # Safety
/// As unipc_event_wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_event_set(event: *mut unipc_event) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe { if at_once(event, Event::set_at_once) { 0 } else { set_slowly(event) } }
}

/// # Safety
/// As [`unipc_event_wait`].
#[cold]
unsafe extern "C" fn set_slowly(event: *mut unipc_event) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { self::event("set event", event) }?.set())
}

/// Ends the setting. Who waited while it was set goes on all the same, if it is of manual reset.
///
/// @return  1: it was set; 0: it was not; -EINVAL: NULL or misaligned; UNIPC_INCOMPATIBLE
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// As unipc_event_wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_event_reset(event: *mut unipc_event) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe { self::event("reset event", event) }?.reset().map(c_int::from))
}

/// Whether the event is set at this moment.
///
/// @return  1 or 0; -EINVAL: NULL or misaligned; UNIPC_INCOMPATIBLE
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// As unipc_event_wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_event_is_set(event: *const unipc_event) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe { self::event("read event", event) }?.is_set().map(c_int::from))
}

/// Waits until the event is set. One of automatic reset is not set any more then.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         0; -EAGAIN: it is not set and the timeout is zero; -ETIMEDOUT; -ECANCELED: the bound stop token; -EINVAL: NULL or misaligned;
///                 UNIPC_INCOMPATIBLE: no event of this ABI
///
/// Threads: any. Fork: the child may wait, too. Signal-safe: no. Since 0.1. See futex(2).
///
/// # Safety
/// `event` is NULL or an object in memory that is only used through these functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_event_wait(event: *mut unipc_event, timeout: i64) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe { if at_once(event, Event::pass_at_once) { 0 } else { wait_slowly(event, timeout) } }
}

/// # Safety
/// As [`unipc_event_wait`].
#[cold]
unsafe extern "C" fn wait_slowly(event: *mut unipc_event, timeout: i64) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| waiting(timeout, |wait| unsafe { self::event("wait for event", event) }?.wait(wait)))
}

/// unipc_event_wait without waiting: -EAGAIN if it is not set.
///
/// @return  as unipc_event_wait
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// As unipc_event_wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_event_try_wait(event: *mut unipc_event) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { unipc_event_wait(event, 0) }
}
