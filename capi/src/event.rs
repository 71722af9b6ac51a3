//! Event counters and timers.

use std::ffi::c_int;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::time::Duration;

use unipc_core::event::{Clock, EventCounter, EventCounterOptions, Timer};

use crate::stream::adopt;
use crate::wait::waiting;
use crate::{Versioned, close, fd_of, guard, guard_new, guard_unit, initialise, input, invalid, options, output, switch};

/// Options of event counters. Begin with UNIPC_EVENTFD_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_eventfd_options {
    /// sizeof(unipc_eventfd_options)
    pub struct_size: usize,
    /// what the counter begins with
    pub initial: u32,
    /// 1: each take takes one, not all
    pub semaphore: u32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_eventfd_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_EVENTFD_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_eventfd_options_init(options: *mut unipc_eventfd_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// A counter that wakes: what is added before the other side looks is summed. The sender writes its data first and then adds; the receiver takes first and
/// then reads all the data there is. A handle costs one descriptor.
pub struct unipc_eventfd(EventCounter);

/// Makes a counter. Its description does not block (O_NONBLOCK): whoever reads it by plain calls polls before.
///
/// @param options  NULL: begins with 0, and is taken whole
/// @param counter  receives the handle, or NULL on failure; close it with unipc_eventfd_close
/// @return         0; -EMFILE, -ENFILE, -ENOMEM; -EINVAL: NULL, a switch that is not 0 or 1; -E2BIG
///
/// Threads: any. Fork: parent and child share the counter. Signal-safe: no. Since 0.1. See eventfd(2).
///
/// # Safety
/// `options` is NULL or as large as it says; `counter` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_eventfd_create(options: *const unipc_eventfd_options, counter: *mut *mut unipc_eventfd) -> c_int {
    const OPERATION: &str = "create event counter";
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(OPERATION, counter, || {
            let options = self::options(OPERATION, options)?;
            let options = EventCounterOptions { initial: options.initial, semaphore: switch(OPERATION, options.semaphore)? };
            EventCounter::create(&options).map(unipc_eventfd)
        })
    }
}

/// Takes over an eventfd from elsewhere. It is taken over on success alone, and made close-on-exec. One that blocks stays so, and as the kernel has no write
/// to it that does not wait, unipc_eventfd_add outwaits its limit if another takes, in this moment, the room that it has asked for; so does
/// unipc_eventfd_take before Linux 5.8.
///
/// @param fd       an open descriptor
/// @param counter  receives the handle, or NULL on failure; close it with unipc_eventfd_close
/// @return         0; -EBADF; UNIPC_WRONG_KIND: no eventfd; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// The caller owns `fd`; `counter` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_eventfd_from_fd(fd: c_int, counter: *mut *mut unipc_eventfd) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { guard_new("adopt event counter", counter, || adopt(fd, EventCounter::adopt).map(unipc_eventfd)) }
}

/// Adds to the counter and wakes who waits. It waits itself only while the sum would exceed 2^64 - 2.
///
/// @param value    how much; 0 wakes nobody
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         0; -EAGAIN, -ETIMEDOUT: no room; -ECANCELED: the bound stop token; -EINVAL: NULL, 2^64 - 1
///
/// Threads: any. Signal-safe: no; in a handler write(2) eight bytes to unipc_eventfd_fd. Since 0.1. See eventfd(2).
///
/// # Safety
/// `counter` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_eventfd_add(counter: *mut unipc_eventfd, value: u64, timeout: i64) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let counter = input("add to event counter", counter.cast_const())?;
        waiting(timeout, |wait| counter.0.add(value, wait))
    })
}

/// Takes what the counter has and leaves 0; of one in semaphore mode, takes 1. Waits while it is 0.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param value    receives how much; may be NULL
/// @return         0; -EAGAIN, -ETIMEDOUT: it is 0; -ECANCELED: the bound stop token; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See eventfd(2).
///
/// # Safety
/// `counter` is NULL or a live handle; `value` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_eventfd_take(counter: *mut unipc_eventfd, timeout: i64, value: *mut u64) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let counter = input("take from event counter", counter.cast_const())?;
        let taken = waiting(timeout, |wait| counter.0.take(wait))?;
        if let Some(value) = value.as_mut() {
            *value = taken;
        }
        Ok(())
    })
}

/// What the counter has at this moment; nothing is taken.
///
/// @param value  receives it
/// @return       0; UNIPC_UNAVAILABLE: /proc is not there; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See proc_pid_fdinfo(5).
///
/// # Safety
/// `counter` is NULL or a live handle; `value` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_eventfd_value(counter: *const unipc_eventfd, value: *mut u64) -> c_int {
    const OPERATION: &str = "read event counter";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        *output(OPERATION, value)? = input(OPERATION, counter)?.0.value()?;
        Ok(())
    })
}

/// The descriptor, for poll, epoll and event loops: readable while the counter is not 0. It stays the handle's.
///
/// @return  the descriptor; -EINVAL: NULL
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `counter` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_eventfd_fd(counter: *const unipc_eventfd) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { fd_of(counter, |counter| counter.0.as_fd()) }
}

/// Gives the descriptor away, which does not block if the counter was made here; the handle is gone.
///
/// @return  the descriptor, which is the caller's; -EINVAL: NULL
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `counter` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_eventfd_into_fd(counter: *mut unipc_eventfd) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { input("release event counter", counter.cast_const()) }?;
        // SAFETY: a handle, made by `Box::into_raw`, that the caller gives back.
        Ok(OwnedFd::from(unsafe { Box::from_raw(counter) }.0).into_raw_fd())
    })
}

/// Closes the counter; NULL is fine.
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `counter` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_eventfd_close(counter: *mut unipc_eventfd) {
    // SAFETY: the caller's promise.
    unsafe { close(counter) }
}

/// The clock that is never set, and stands still while the machine sleeps: CLOCK_MONOTONIC.
pub const UNIPC_CLOCK_MONOTONIC: u32 = 0;
/// The clock that is never set, and goes on while the machine sleeps: CLOCK_BOOTTIME.
pub const UNIPC_CLOCK_BOOTTIME: u32 = 1;

/// Options of timers. Begin with UNIPC_TIMER_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_timer_options {
    /// sizeof(unipc_timer_options)
    pub struct_size: usize,
    /// UNIPC_CLOCK_MONOTONIC or UNIPC_CLOCK_BOOTTIME
    pub clock: u32,
}

// SAFETY: repr(C), begins with the size, made of integers; the padding at the end is the struct's own.
unsafe impl Versioned for unipc_timer_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_TIMER_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_timer_options_init(options: *mut unipc_timer_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// A timer that is a descriptor; expirations that nobody took are counted. A handle costs one descriptor.
pub struct unipc_timer(Timer);

/// Makes a timer that is not set.
///
/// @param options  NULL: UNIPC_CLOCK_MONOTONIC
/// @param timer    receives the handle, or NULL on failure; close it with unipc_timer_close
/// @return         0; -EMFILE, -ENFILE, -ENOMEM; -EINVAL: NULL, clock; -E2BIG
///
/// Threads: any. Fork: parent and child share the timer and its expirations. Signal-safe: no. Since 0.1. See timerfd_create(2).
///
/// # Safety
/// `options` is NULL or as large as it says; `timer` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_timer_create(options: *const unipc_timer_options, timer: *mut *mut unipc_timer) -> c_int {
    const OPERATION: &str = "create timer";
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(OPERATION, timer, || {
            let clock = match self::options(OPERATION, options)?.clock {
                UNIPC_CLOCK_MONOTONIC => Clock::Monotonic,
                UNIPC_CLOCK_BOOTTIME => Clock::Boottime,
                _ => return Err(invalid(OPERATION, "the clock is UNIPC_CLOCK_MONOTONIC or UNIPC_CLOCK_BOOTTIME")),
            };
            Timer::create(clock).map(unipc_timer)
        })
    }
}

/// Takes over a timerfd of one of the two clocks from elsewhere, set or not. It is taken over on success alone, and made close-on-exec.
///
/// @param fd     an open descriptor
/// @param timer  receives the handle, or NULL on failure; close it with unipc_timer_close
/// @return       0; -EBADF; UNIPC_WRONG_KIND: no timerfd, or of a clock that can be set; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// The caller owns `fd`; `timer` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_timer_from_fd(fd: c_int, timer: *mut *mut unipc_timer) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { guard_new("adopt timer", timer, || adopt(fd, Timer::adopt).map(unipc_timer)) }
}

fn duration(nanoseconds: i64) -> Duration {
    Duration::from_nanos(nanoseconds.max(0) as u64)
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Expires after a time, once or again and again. What was set before is forgotten, with the expirations that nobody took.
///
/// @param first     nanoseconds until the first expiration; zero or less: at once
/// @param interval  nanoseconds between two; zero or less: there is only one
/// @return          0; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See timerfd_settime(2).
///
/// # Safety
/// `timer` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_timer_set(timer: *mut unipc_timer, first: i64, interval: i64) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("set timer", timer.cast_const()) }?.0.set(duration(first), duration(interval)))
}

/// Expires at a time of its clock, at once if that is past; and then again and again, if so asked, without drift.
///
/// @param at        nanoseconds as unipc_timer_now gives them
/// @param interval  nanoseconds between two expirations; zero or less: there is only one
/// @return          0; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See timerfd_settime(2).
///
/// # Safety
/// `timer` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_timer_set_at(timer: *mut unipc_timer, at: i64, interval: i64) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("set timer", timer.cast_const()) }?.0.set_at(duration(at), duration(interval)))
}

/// Does not expire any more; expirations that nobody took are forgotten.
///
/// @return  0; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See timerfd_settime(2).
///
/// # Safety
/// `timer` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_timer_cancel(timer: *mut unipc_timer) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("cancel timer", timer.cast_const()) }?.0.cancel())
}

/// Waits for an expiration. A timer that is not set never expires.
///
/// @param timeout      nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param expirations  receives how many there were since the last call, or since it was set; may be NULL
/// @return             0; -EAGAIN, -ETIMEDOUT: none; -ECANCELED: the bound stop token; -EINVAL: NULL
///
/// Threads: any; each expiration is told to one. Signal-safe: no. Since 0.1. See timerfd_create(2).
///
/// # Safety
/// `timer` is NULL or a live handle; `expirations` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_timer_wait(timer: *mut unipc_timer, timeout: i64, expirations: *mut u64) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let timer = input("wait for timer", timer.cast_const())?;
        let counted = waiting(timeout, |wait| timer.0.wait(wait))?;
        if let Some(expirations) = expirations.as_mut() {
            *expirations = counted;
        }
        Ok(())
    })
}

/// When it will expire next.
///
/// @param remaining  receives nanoseconds; 0: it is not set, or will not expire any more; may be NULL
/// @param interval   receives nanoseconds; 0: there is only one expiration; may be NULL
/// @return           0; -EINVAL: NULL handle
///
/// Threads: any. Signal-safe: no. Since 0.1. See timerfd_gettime(2).
///
/// # Safety
/// `timer` is NULL or a live handle; the others are NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_timer_state(timer: *const unipc_timer, remaining: *mut i64, interval: *mut i64) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let state = input("read timer", timer)?.0.state()?;
        let store = |place: *mut i64, time: Option<Duration>| {
            if !place.is_null() {
                place.write(time.map_or(0, nanoseconds));
            }
        };
        store(remaining, state.remaining);
        store(interval, state.interval);
        Ok(())
    })
}

/// The time by the timer's clock, in nanoseconds: what unipc_timer_set_at takes.
///
/// @return  the time; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See clock_gettime(2).
///
/// # Safety
/// `timer` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_timer_now(timer: *const unipc_timer) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { timer.as_ref() }.map_or(i64::from(-libc::EINVAL), |timer| nanoseconds(timer.0.clock().now()))
}

/// The descriptor, for poll, epoll and event loops: readable while there is an expiration that nobody took. It stays the handle's.
///
/// @return  the descriptor; -EINVAL: NULL
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `timer` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_timer_fd(timer: *const unipc_timer) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { fd_of(timer, |timer| timer.0.as_fd()) }
}

/// Gives the descriptor away, which does not block if the timer was made here; the handle is gone.
///
/// @return  the descriptor, which is the caller's; -EINVAL: NULL
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `timer` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_timer_into_fd(timer: *mut unipc_timer) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { input("release timer", timer.cast_const()) }?;
        // SAFETY: a handle, made by `Box::into_raw`, that the caller gives back.
        Ok(OwnedFd::from(unsafe { Box::from_raw(timer) }.0).into_raw_fd())
    })
}

/// Closes the timer; NULL is fine.
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `timer` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_timer_close(timer: *mut unipc_timer) {
    // SAFETY: the caller's promise.
    unsafe { close(timer) }
}
