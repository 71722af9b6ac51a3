//! Signals.

use std::ffi::{c_char, c_int};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

use unipc_core::Error;
use unipc_core::event::signal::{self, Blocked, Received, Signals, Target};

use crate::wait::waiting;
use crate::{Versioned, close, fd_of, guard, guard_new, guard_unit, initialise, input, invalid, options, store, switch, text};

/// What is known of a signal that was received. Begin with UNIPC_SIGNAL_INFO_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_signal_info {
    /// sizeof(unipc_signal_info)
    pub struct_size: usize,
    /// how many signals to this handle had no room before this one
    pub lost: u64,
    /// its number
    pub signal: i32,
    /// why it came: SI_USER, SI_QUEUE, CLD_EXITED and so on, of sigaction(2)
    pub code: i32,
    /// 1 if it was sent with a value
    pub has_value: u32,
    /// the value; anybody who may send the signal may choose it
    pub value: i32,
    /// 1 if the next two say who sent it, or which child it is about
    pub has_sender: u32,
    /// that process; 0 in a pid namespace that is not ours
    pub sender_pid: i32,
    /// its real user
    pub sender_uid: u32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_signal_info {}

/// Sets struct_size and zeroes the rest, as UNIPC_SIGNAL_INFO_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `info` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_signal_info_init(info: *mut unipc_signal_info) {
    // SAFETY: the caller's promise.
    unsafe { initialise(info) }
}

/// A wrong size is found out before there is a signal that it could cost.
///
/// # Safety
/// `out` is NULL or as large as it says.
unsafe fn check_info(operation: &'static str, out: *mut unipc_signal_info) -> Result<(), Error> {
    if out.is_null() {
        return Ok(());
    }
    // SAFETY: all-zero bytes are valid, as the trait promises; the rest is the caller's promise.
    unsafe { store(operation, out, &std::mem::zeroed()) }
}

/// # Safety
/// `out` is NULL or as large as it says.
unsafe fn store_received(operation: &'static str, out: *mut unipc_signal_info, received: &Received) -> Result<c_int, Error> {
    if !out.is_null() {
        let told = unipc_signal_info {
            struct_size: 0,
            lost: received.lost,
            signal: received.signal,
            code: received.code,
            has_value: u32::from(received.value.is_some()),
            value: received.value.unwrap_or(0),
            has_sender: u32::from(received.sender_pid.is_some()),
            sender_pid: received.sender_pid.unwrap_or(0),
            sender_uid: received.sender_uid.unwrap_or(0),
        };
        // SAFETY: the caller's promise.
        unsafe { store(operation, out, &told) }?;
    }
    Ok(received.signal)
}

/// # Safety
/// `signals` is NULL or valid for reads of `count` integers.
unsafe fn numbers<'a>(operation: &'static str, signals: *const c_int, count: usize) -> Result<&'a [c_int], Error> {
    if signals.is_null() || count > 1 << 16 {
        return Err(invalid(operation, "signals are an array of 1 to 65536 numbers"));
    }
    // SAFETY: not NULL, and valid by the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(signals, count) })
}

/// Options of unipc_signals_open. Begin with UNIPC_SIGNALS_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_signals_options {
    /// sizeof(unipc_signals_options)
    pub struct_size: usize,
    /// 0: a handler records the signals (the self-pipe). 1: the signals are blocked in the calling thread and read from a signalfd; call it before other
    /// threads are made, or block them there too
    pub block: u32,
}

// SAFETY: repr(C), begins with the size, made of integers; the padding at the end is the struct's own.
unsafe impl Versioned for unipc_signals_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_SIGNALS_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_signals_options_init(options: *mut unipc_signals_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// Signals that become something to read. A handle costs two descriptors, one if it blocks.
pub struct unipc_signals(Signals);

/// Takes signals from now on. Any number of handles may take the same signal in handlers, and each gets it; handlers that were there before still run. Of handles
/// that block, one gets it.
///
/// @param numbers  the signals: SIGTERM and so on
/// @param count    how many
/// @param options  NULL: in a handler
/// @param signals  receives the handle, or NULL on failure; close it with unipc_signals_close
/// @return         0; -EINVAL: NULL, no signals, one that cannot be caught (SIGKILL, SIGSTOP) or that says that the program cannot go on (SIGSEGV,
///                 SIGBUS, SIGFPE, SIGILL); -EMFILE, -ENFILE; -EAGAIN: there are 64 handles with handlers already, or eight
///                 handlers of ours under those of others; -E2BIG
///
/// Threads: any; one that blocks speaks of the calling thread. Fork: refused in the child, which opens its own. Signal-safe: no. Since 0.1. See
/// sigaction(2), signalfd(2).
///
/// # Safety
/// `numbers` is valid for reads of `count` integers; `options` is NULL or as large as it says; `signals` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_signals_open(
    numbers: *const c_int,
    count: usize,
    options: *const unipc_signals_options,
    signals: *mut *mut unipc_signals,
) -> c_int {
    const OPERATION: &str = "open signals";
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(OPERATION, signals, || {
            let (numbers, options) = (self::numbers(OPERATION, numbers, count)?, self::options(OPERATION, options)?);
            let open = if switch(OPERATION, options.block)? { Signals::block } else { Signals::catch };
            open(numbers).map(unipc_signals)
        })
    }
}

/// Waits for the next signal.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param info     receives what is known of it; may be NULL
/// @return         its number; -EAGAIN, -ETIMEDOUT: none; -ECANCELED: the bound stop token; UNIPC_FORKED; -EINVAL: NULL
///
/// Threads: any; each signal is told to one. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `signals` is NULL or a live handle; `info` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_signals_receive(signals: *mut unipc_signals, timeout: i64, info: *mut unipc_signal_info) -> c_int {
    const OPERATION: &str = "receive signal";
    // SAFETY: the caller's promise.
    guard(|| unsafe {
        let signals = input(OPERATION, signals.cast_const())?;
        check_info(OPERATION, info)?;
        let received = waiting(timeout, |wait| signals.0.receive(wait))?;
        store_received(OPERATION, info, &received)
    })
}

/// The descriptor, for poll, epoll and event loops: readable while there is a signal to receive. It stays the handle's.
///
/// @return  the descriptor; -EINVAL: NULL
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `signals` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_signals_fd(signals: *const unipc_signals) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { fd_of(signals, |signals| signals.0.as_fd()) }
}

/// Takes the signals no longer; NULL is fine. After the last handle of a signal what was there before is restored: the handler, or the mask of
/// the thread that opened it, if it is the one that closes. A blocked signal that is pending then is delivered.
///
/// Threads: none may use the handle meanwhile. Fork: in the child, the child's own handlers are restored. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `signals` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_signals_close(signals: *mut unipc_signals) {
    // SAFETY: the caller's promise.
    unsafe { close(signals) }
}

/// Waits for one of these signals, which the caller has blocked (unipc_signal_block_create), without a handle.
///
/// @param numbers  the signals; of several that are pending the smallest comes first
/// @param count    how many
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param info     receives what is known of it; may be NULL
/// @return         its number; -EAGAIN, -ETIMEDOUT: none; -ECANCELED: the bound stop token; -EINVAL: as unipc_signals_open
///
/// Threads: any. Signal-safe: no. Since 0.1. See sigtimedwait(2).
///
/// # Safety
/// `numbers` is valid for reads of `count` integers; `info` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_signal_take(numbers: *const c_int, count: usize, timeout: i64, info: *mut unipc_signal_info) -> c_int {
    const OPERATION: &str = "wait for signal";
    // SAFETY: the caller's promise.
    guard(|| unsafe {
        let numbers = self::numbers(OPERATION, numbers, count)?;
        check_info(OPERATION, info)?;
        let received = waiting(timeout, |wait| signal::take(numbers, wait))?;
        store_received(OPERATION, info, &received)
    })
}

/// Signals that the calling thread holds back.
pub struct unipc_signal_block(#[expect(dead_code, reason = "held for its drop")] Blocked);

/// Holds signals back in the calling thread, until the block is closed. Blocks may be nested, and end in any order.
///
/// @param numbers  the signals
/// @param count    how many
/// @param block    receives the handle, or NULL on failure; close it with unipc_signal_block_close in the same thread
/// @return         0; -EINVAL: as unipc_signals_open
///
/// Threads: speaks of the calling one; threads that it makes inherit the mask. Signal-safe: no. Since 0.1. See pthread_sigmask(3).
///
/// # Safety
/// `numbers` is valid for reads of `count` integers; `block` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_signal_block_create(numbers: *const c_int, count: usize, block: *mut *mut unipc_signal_block) -> c_int {
    const OPERATION: &str = "block signals";
    // SAFETY: the caller's promise.
    unsafe { guard_new(OPERATION, block, || Blocked::new(self::numbers(OPERATION, numbers, count)?).map(unipc_signal_block)) }
}

/// Lets the signals through again; what came meanwhile is delivered. NULL is fine. In another thread it changes no mask.
///
/// Threads: the one that made it. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `block` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_signal_block_close(block: *mut unipc_signal_block) {
    // SAFETY: the caller's promise.
    unsafe { close(block) }
}

/// Sends a signal to a process.
///
/// @param pid     the process, above 0; its number may have been reused: unipc_process_send_signal cannot meet a stranger
/// @param signal  its number; 0 sends none and asks whether one could be sent
/// @return        0; -ESRCH: nobody; -EPERM; -EINVAL: no signal, or 0 or less for the process
///
/// Threads: any. Signal-safe: no; kill is. Since 0.1. See kill(2).
#[unsafe(no_mangle)]
pub extern "C" fn unipc_signal_send(pid: i32, signal: c_int) -> c_int {
    guard_unit(|| signal::send(Target::Process(pid), signal))
}

/// Sends a signal to every process of a group.
///
/// @param group   the group; 0: the caller's own
/// @param signal  its number; 0 sends none and asks whether one could be sent
/// @return        0; -ESRCH: nobody; -EPERM: none of them may be sent it; -EINVAL: no signal, or a group of 1 or below 0, which would mean everybody
///
/// Threads: any. Signal-safe: no. Since 0.1. See killpg(3).
#[unsafe(no_mangle)]
pub extern "C" fn unipc_signal_send_group(group: i32, signal: c_int) -> c_int {
    guard_unit(|| signal::send(Target::Group(group), signal))
}

/// Sends a signal to one thread.
///
/// @param pid     its process, as getpid gives it there
/// @param thread  the thread, as gettid gives it there
/// @param signal  its number
/// @return        0; -ESRCH: nobody; -EPERM; -EINVAL: no signal, numbers of 0 or less
///
/// Threads: any. Signal-safe: no. Since 0.1. See tgkill(2).
#[unsafe(no_mangle)]
pub extern "C" fn unipc_signal_send_thread(pid: i32, thread: i32, signal: c_int) -> c_int {
    guard_unit(|| signal::send(Target::Thread { process: pid, thread }, signal))
}

/// Sends a signal by a pidfd.
///
/// @param pidfd   of the process
/// @param signal  its number
/// @return        0; -ESRCH: it was waited for; -EBADF: no pidfd; -EPERM; -EINVAL: no signal, a negative descriptor; UNIPC_UNAVAILABLE
///
/// Threads: any. Signal-safe: no. Since 0.1. See pidfd_send_signal(2).
///
/// # Safety
/// `pidfd` stays open during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_signal_send_pidfd(pidfd: c_int, signal: c_int) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| signal::send(Target::Pidfd(unsafe { borrow(pidfd) }?), signal))
}

/// # Safety
/// The descriptor stays open.
unsafe fn borrow<'a>(descriptor: c_int) -> Result<BorrowedFd<'a>, Error> {
    if descriptor < 0 {
        return Err(invalid("send signal", "a negative descriptor"));
    }
    // SAFETY: not negative; the caller's promise.
    Ok(unsafe { BorrowedFd::borrow_raw(descriptor) })
}

/// Sends a signal with a value to a process. Real-time signals (SIGRTMIN and above) queue, in order, each with its value; of another that is
/// pending already nothing arrives.
///
/// @param pid     the process, above 0
/// @param signal  its number
/// @param value   what the receiver gets
/// @return        0; -EAGAIN: as many are queued as RLIMIT_SIGPENDING allows; -ESRCH; -EPERM; -EINVAL
///
/// Threads: any. Signal-safe: no. Since 0.1. See sigqueue(3).
#[unsafe(no_mangle)]
pub extern "C" fn unipc_signal_queue(pid: i32, signal: c_int, value: i32) -> c_int {
    guard_unit(|| signal::send_value(Target::Process(pid), signal, value))
}

/// unipc_signal_queue to one thread.
///
/// @return  as unipc_signal_queue
///
/// Threads: any. Signal-safe: no. Since 0.1. See rt_tgsigqueueinfo(2).
#[unsafe(no_mangle)]
pub extern "C" fn unipc_signal_queue_thread(pid: i32, thread: i32, signal: c_int, value: i32) -> c_int {
    guard_unit(|| signal::send_value(Target::Thread { process: pid, thread }, signal, value))
}

/// unipc_signal_queue by a pidfd.
///
/// @return  as unipc_signal_queue; -EBADF: no pidfd
///
/// Threads: any. Signal-safe: no. Since 0.1. See pidfd_send_signal(2).
///
/// # Safety
/// `pidfd` stays open during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_signal_queue_pidfd(pidfd: c_int, signal: c_int, value: i32) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| signal::send_value(Target::Pidfd(unsafe { borrow(pidfd) }?), signal, value))
}

/// What is known of a signal of this system. Begin with UNIPC_SIGNAL_DESCRIPTION_INIT. The strings live as long as the program.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_signal_description {
    /// sizeof(unipc_signal_description)
    pub struct_size: usize,
    /// "SIGUSR1", "SIGRTMIN+3"
    pub name: *const c_char,
    /// "terminate", "core dump", "ignore", "stop" or "continue"
    pub default_action: *const c_char,
    /// when it comes
    pub description: *const c_char,
    /// what programs do with it
    pub usage: *const c_char,
    /// its number
    pub number: i32,
}

// SAFETY: repr(C), begins with the size, made of pointers that may be NULL and an integer; the padding at the end is the struct's own.
unsafe impl Versioned for unipc_signal_description {}

/// Sets struct_size and zeroes the rest, as UNIPC_SIGNAL_DESCRIPTION_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `description` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_signal_description_init(description: *mut unipc_signal_description) {
    // SAFETY: the caller's promise.
    unsafe { initialise(description) }
}

/// The texts of a signal, NUL-terminated.
struct Texts {
    number: i32,
    texts: [std::ffi::CString; 4],
}

fn texts() -> &'static [Texts] {
    static TEXTS: OnceLock<Vec<Texts>> = OnceLock::new();
    TEXTS.get_or_init(|| {
        let c = |text: &str| std::ffi::CString::new(text).unwrap_or_default();
        let texts = |signal: signal::Signal| Texts {
            number: signal.number,
            texts: [c(&signal.name), c(signal.action.name()), c(signal.description), c(signal.usage)],
        };
        signal::signals().into_iter().map(texts).collect()
    })
}

/// Tells what a signal is. Numbers from 1 to 64, of which some are none, are all that there are.
///
/// @param number       of the signal
/// @param description  receives what is known of it
/// @return             0; -EINVAL: no signal (also the two that the C library keeps for itself), NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See signal(7).
///
/// # Safety
/// `description` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_signal_describe(number: c_int, description: *mut unipc_signal_description) -> c_int {
    const OPERATION: &str = "describe signal";
    guard_unit(|| {
        let found = texts().iter().find(|texts| texts.number == number);
        let Texts { number, texts: [name, action, meaning, usage] } = found.ok_or_else(|| invalid(OPERATION, "there is no such signal"))?;
        let told = unipc_signal_description {
            struct_size: 0,
            name: name.as_ptr(),
            default_action: action.as_ptr(),
            description: meaning.as_ptr(),
            usage: usage.as_ptr(),
            number: *number,
        };
        // SAFETY: the caller's promise.
        unsafe { store(OPERATION, description, &told) }
    })
}

/// The number of a signal.
///
/// @param name  "SIGTERM", "TERM", "term", "15", "SIGRTMIN+3"
/// @return      the number; -EINVAL: there is no such signal, NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See signal(7).
///
/// # Safety
/// `name` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_signal_number(name: *const c_char) -> c_int {
    const OPERATION: &str = "find signal";
    guard(|| {
        // SAFETY: the caller's promise.
        let name = unsafe { text(OPERATION, name) }?;
        signal::number_of(name).ok_or_else(|| invalid(OPERATION, "there is no such signal").on(name))
    })
}
