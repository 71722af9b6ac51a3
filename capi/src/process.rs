//! Processes: their end, children, pipelines.

use std::ffi::{CStr, OsStr, c_char, c_int};
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use unipc_core::Error;
use unipc_core::event::{ExitStatus, ProcessExit};
use unipc_core::process::{Command, Pipeline};

use crate::stream::adopt;
use crate::wait::waiting;
use crate::{Versioned, close, fd_of, guard, guard_new, guard_unit, initialise, input, invalid, options, output, store, switch};

/// It is no child of ours, or somebody else has waited for it: the kernel does not tell us how it has ended.
pub const UNIPC_EXIT_UNKNOWN: u32 = 0;
/// The process has exited with a code.
pub const UNIPC_EXIT_CODE: u32 = 1;
/// A signal has ended the process.
pub const UNIPC_EXIT_SIGNAL: u32 = 2;

/// How a process has ended. Begin with UNIPC_EXIT_STATUS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_exit_status {
    /// sizeof(unipc_exit_status)
    pub struct_size: usize,
    /// UNIPC_EXIT_CODE, UNIPC_EXIT_SIGNAL or UNIPC_EXIT_UNKNOWN
    pub kind: u32,
    /// the code, 0 to 255, or the signal
    pub value: i32,
    /// 1 if it left a core dump
    pub dumped_core: u32,
    /// as a shell has it in $?: the code, or 128 and the signal; -1: unknown
    pub shell_status: i32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_exit_status {}

/// Sets struct_size and zeroes the rest, as UNIPC_EXIT_STATUS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `status` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_exit_status_init(status: *mut unipc_exit_status) {
    // SAFETY: the caller's promise.
    unsafe { initialise(status) }
}

/// A process whose end can be waited for, whatever becomes of its number. A handle costs one descriptor.
pub struct unipc_process(ProcessExit);

/// The process that has this number now.
///
/// @param pid      its number
/// @param process  receives the handle, or NULL on failure; close it with unipc_process_close
/// @return         0; -ESRCH: nobody; -EINVAL: NULL, 0 or less, a thread's number; -EMFILE, -ENFILE; UNIPC_UNAVAILABLE: before Linux 5.3
///
/// Threads: any. Fork: the child is not the parent of the process, and learns no status. Signal-safe: no. Since 0.1. See pidfd_open(2).
///
/// # Safety
/// `process` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_process_open(pid: i32, process: *mut *mut unipc_process) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { guard_new("open process", process, || ProcessExit::open(pid).map(unipc_process)) }
}

/// Takes over a pidfd from elsewhere. It is taken over on success alone, and made close-on-exec.
///
/// @param fd       an open descriptor
/// @param process  receives the handle, or NULL on failure; close it with unipc_process_close
/// @return         0; -EBADF; UNIPC_WRONG_KIND: no pidfd; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// The caller owns `fd`; `process` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_process_from_fd(fd: c_int, process: *mut *mut unipc_process) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { guard_new("adopt pidfd", process, || adopt(fd, ProcessExit::adopt).map(unipc_process)) }
}

/// The number that the process had when the handle was made.
///
/// @return  the number; 0: it was adopted when the process was gone, or in a pid namespace that is not ours; -EINVAL: NULL
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `process` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_process_pid(process: *const unipc_process) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { process.as_ref() }.map_or(-libc::EINVAL, |process| process.0.pid())
}

/// Waits for the end of the process. A child is thereby waited for, and its number free; asking again gives the same answer.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param status   receives how it has ended; may be NULL
/// @return         0; -EAGAIN, -ETIMEDOUT: it runs; -ECANCELED: the bound stop token; -EINVAL: NULL handle
///
/// Threads: any. Signal-safe: no. Since 0.1. See waitid(2).
///
/// # Safety
/// `process` is NULL or a live handle; `status` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_process_wait(process: *mut unipc_process, timeout: i64, status: *mut unipc_exit_status) -> c_int {
    const OPERATION: &str = "wait for process";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let process = input(OPERATION, process.cast_const())?;
        let ended = waiting(timeout, |wait| process.0.wait(wait))?;
        if status.is_null() {
            return Ok(());
        }
        let (kind, value, dumped_core) = match ended {
            ExitStatus::Exited(code) => (UNIPC_EXIT_CODE, code, false),
            ExitStatus::Killed { signal, dumped_core } => (UNIPC_EXIT_SIGNAL, signal, dumped_core),
            _ => (UNIPC_EXIT_UNKNOWN, 0, false),
        };
        let shell_status = ended.shell_status().unwrap_or(-1);
        store(OPERATION, status, &unipc_exit_status { struct_size: 0, kind, value, dumped_core: u32::from(dumped_core), shell_status })
    })
}

/// Sends a signal to this process and to no other.
///
/// @param signal  its number
/// @return        0; -ESRCH: it was waited for; -EPERM; -EINVAL: no signal, NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See pidfd_send_signal(2).
///
/// # Safety
/// `process` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_process_send_signal(process: *mut unipc_process, signal: c_int) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("send signal", process.cast_const()) }?.0.send_signal(signal))
}

/// The pidfd, for poll, epoll and event loops: readable when the process has ended. It stays the handle's.
///
/// @return  the descriptor; -EINVAL: NULL
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `process` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_process_fd(process: *const unipc_process) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { fd_of(process, |process| process.0.as_fd()) }
}

/// Gives the pidfd away; the handle is gone. A child has to be waited for by the caller.
///
/// @return  the descriptor, which is the caller's; -EINVAL: NULL
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `process` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_process_into_fd(process: *mut unipc_process) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { input("release process", process.cast_const()) }?;
        // SAFETY: a handle, made by `Box::into_raw`, that the caller gives back.
        Ok(OwnedFd::from(unsafe { Box::from_raw(process) }.0).into_raw_fd())
    })
}

/// Closes the handle; NULL is fine. Nothing is done to the process. A child that was not waited for is waited for by the library, when it starts or closes
/// another; until it has ended the library keeps its descriptor.
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `process` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_process_close(process: *mut unipc_process) {
    // SAFETY: the caller's promise.
    unsafe { close(process) }
}

/// A descriptor that a child gets.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_child_fd {
    /// its number in the child: 0 for its standard input, 1 for its output, 2 for its errors, or any other
    pub child: i32,
    /// what it is a copy of: a descriptor of this process; -1: /dev/null
    pub fd: i32,
}

/// A program to be started. Begin with UNIPC_COMMAND_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_command {
    /// sizeof(unipc_command)
    pub struct_size: usize,
    /// the program's name for itself and its arguments; the last is NULL
    pub arguments: *const *const c_char,
    /// a path, or a name that is looked for in PATH; NULL: the first argument
    pub program: *const c_char,
    /// all variables as NAME=value, the last is NULL; NULL: those of this process
    pub environment: *const *const c_char,
    /// where it starts; NULL: where this process is
    pub directory: *const c_char,
    /// the descriptors that it gets besides 0, 1 and 2, or instead of them; every other one is closed
    pub fds: *const unipc_child_fd,
    /// how many
    pub fd_count: usize,
    /// 1: it leads a process group of its own
    pub new_group: u32,
}

// SAFETY: repr(C), begins with the size, made of integers and pointers that may be NULL; the padding at the end is the struct's own.
unsafe impl Versioned for unipc_command {}

/// Sets struct_size and zeroes the rest, as UNIPC_COMMAND_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `command` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_command_init(command: *mut unipc_command) {
    // SAFETY: the caller's promise.
    unsafe { initialise(command) }
}

/// The strings of a list that ends with NULL. They are bytes, as the kernel takes them.
///
/// # Safety
/// `list` is valid up to its NULL, and the strings live during `'a`.
unsafe fn strings<'a>(list: *const *const c_char) -> Vec<&'a OsStr> {
    let mut found = Vec::new();
    // SAFETY: the caller's promise.
    unsafe {
        let mut next = list;
        while !(*next).is_null() {
            found.push(OsStr::from_bytes(CStr::from_ptr(*next).to_bytes()));
            next = next.add(1);
        }
    }
    found
}

/// # Safety
/// `command` is NULL or as large as it says; its pointers are NULL or valid as their fields say, and its descriptors stay open during `'a`.
unsafe fn command_of<'a>(operation: &'static str, command: *const unipc_command) -> Result<Command<'a>, Error> {
    if command.is_null() {
        return Err(invalid(operation, "a NULL pointer where a command is needed"));
    }
    // SAFETY: the caller's promise.
    let given = unsafe { options(operation, command) }?;
    // SAFETY: the caller's promise.
    let arguments = if given.arguments.is_null() { Vec::new() } else { unsafe { strings(given.arguments) } };
    let Some(first) = arguments.first() else { return Err(invalid(operation, "a command has at least one argument, its name")) };
    let string = |text: *const c_char| {
        // SAFETY: not NULL; the caller's promise.
        (!text.is_null()).then(|| OsStr::from_bytes(unsafe { CStr::from_ptr(text) }.to_bytes()))
    };
    let mut built = Command::new(string(given.program).unwrap_or(first)).argument_zero(first).arguments(&arguments[1..]);
    if !given.environment.is_null() {
        // SAFETY: the caller's promise.
        let variables = unsafe { strings(given.environment) };
        let pairs = variables.iter().map(|variable| {
            let bytes = variable.as_bytes();
            let middle = bytes.iter().position(|byte| *byte == b'=').unwrap_or(bytes.len());
            (OsStr::from_bytes(&bytes[..middle]), OsStr::from_bytes(bytes.get(middle + 1..).unwrap_or(&[])))
        });
        built = built.environment(pairs);
    }
    if let Some(directory) = string(given.directory) {
        built = built.directory(directory);
    }
    if given.fd_count != 0 && (given.fds.is_null() || given.fd_count > 1 << 16) {
        return Err(invalid(operation, "a NULL pointer where descriptors are needed, or too many of them"));
    }
    for index in 0..given.fd_count {
        // SAFETY: within the array, by the caller's promise.
        let named = unsafe { *given.fds.add(index) };
        built = match named.fd {
            -1 => built.null(named.child),
            // SAFETY: not negative; it stays open by the caller's promise, and the command only refers to it.
            fd if fd >= 0 => built.borrowed_descriptor(named.child, unsafe { BorrowedFd::borrow_raw(fd) }),
            _ => return Err(invalid(operation, "a descriptor is at least 0, or -1 for /dev/null")),
        };
    }
    Ok(if switch(operation, given.new_group)? { built.new_group() } else { built })
}

/// Starts a child. It has the descriptors that were named and 0, 1 and 2, no signal blocked, and SIGPIPE ends it, as programs expect. A text without #! is run
/// by /bin/sh, as by a shell.
///
/// @param command  what to start
/// @param process  receives the handle, or NULL on failure; close it with unipc_process_close
/// @return         0; -ENOENT: no such program, or directory; -EACCES: it may not be executed; -ENOEXEC: it is no program, and there is no /bin/sh;
///                 -EAGAIN: the limit of processes; UNIPC_UNAVAILABLE: before Linux 5.3; -EMFILE, -ENFILE, -ENOMEM; -E2BIG: arguments too long, or an option that this version does not know; -EBADF; -EINVAL: NULL, no arguments, a negative
///                 number; no process is left then
///
/// Threads: any. Signal-safe: no. Since 0.1. See execve(2).
///
/// # Safety
/// `command` is NULL or as large as it says, with pointers as its fields say; `process` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_process_spawn(command: *const unipc_command, process: *mut *mut unipc_process) -> c_int {
    const OPERATION: &str = "start process";
    // SAFETY: the caller's promise.
    unsafe { guard_new(OPERATION, process, || command_of(OPERATION, command)?.spawn().map(unipc_process)) }
}

/// Programs that run at the same time, each reading what the one before it writes. A handle costs one descriptor for each stage.
pub struct unipc_pipeline(Pipeline);

/// Starts commands with pipes between them, as a shell does. Descriptor 1 of each and 0 of the next are set here.
///
/// A program that does not exist, or may not be executed, counts as a stage that ended with 127 or 126.
///
/// @param commands  pointers to them, in order
/// @param count     how many
/// @param pipeline  receives the handle, or NULL on failure; close it with unipc_pipeline_close
/// @return          0; else as unipc_process_spawn, and the stages that had been started are killed
///
/// Threads: any. Signal-safe: no. Since 0.1. See pipe(7).
///
/// # Safety
/// `commands` is valid for reads of `count` pointers, each as for unipc_process_spawn; `pipeline` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_spawn(
    commands: *const *const unipc_command,
    count: usize,
    pipeline: *mut *mut unipc_pipeline,
) -> c_int {
    const OPERATION: &str = "start pipeline";
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(OPERATION, pipeline, || {
            if commands.is_null() || count > 1 << 16 {
                return Err(invalid(OPERATION, "commands are an array of at most 65536 pointers"));
            }
            let commands: Result<Vec<_>, _> = (0..count).map(|index| command_of(OPERATION, *commands.add(index))).collect();
            Pipeline::spawn(&commands?).map(unipc_pipeline)
        })
    }
}

/// Waits until every stage has ended.
///
/// @param timeout   nanoseconds for all of them; UNIPC_FOREVER; zero or less never waits
/// @param statuses  receives how each has ended, as a shell has it in $?: the code, or 128 and the signal; -1: unknown; may be NULL if capacity is 0
/// @param capacity  how many there is room for; those beyond it are not told
/// @return          how many stages there are; -EAGAIN, -ETIMEDOUT: some run; -ECANCELED: the bound stop token; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `pipeline` is NULL or a live handle; `statuses` is valid for writes of `capacity` integers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_wait(pipeline: *mut unipc_pipeline, timeout: i64, statuses: *mut c_int, capacity: usize) -> c_int {
    const OPERATION: &str = "wait for pipeline";
    // SAFETY: the caller's promise.
    guard(|| unsafe {
        let pipeline = input(OPERATION, pipeline.cast_const())?;
        if capacity != 0 {
            output(OPERATION, statuses)?;
        }
        let ended = waiting(timeout, |wait| pipeline.0.wait(wait))?;
        for (index, status) in ended.iter().take(capacity).enumerate() {
            statuses.add(index).write(status.shell_status().unwrap_or(-1));
        }
        Ok(ended.len() as c_int)
    })
}

/// Sends a signal to every stage that runs.
///
/// @param signal  its number
/// @return        0; -EPERM; -EINVAL: no signal, NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See pidfd_send_signal(2).
///
/// # Safety
/// `pipeline` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_send_signal(pipeline: *mut unipc_pipeline, signal: c_int) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("send signal", pipeline.cast_const()) }?.0.send_signal(signal))
}

/// Closes the handle; NULL is fine. Nothing is done to the programs; see unipc_process_close.
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `pipeline` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_close(pipeline: *mut unipc_pipeline) {
    // SAFETY: the caller's promise.
    unsafe { close(pipeline) }
}
