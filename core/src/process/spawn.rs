//! Children that run another program.
//!
//! What a child inherits by accident is a bug that shows elsewhere: a pipe whose writing end the child also holds never ends; a listening
//! socket that it holds keeps the port; a signal that its parent had blocked or ignored never reaches it. So a child started here has exactly the
//! descriptors that were named for it, and 0, 1 and 2; no signal blocked; and SIGPIPE as every filter expects it.
//!
//! Until `exec` the child borrows the memory of its parent, whose thread waits (as `vfork` does): a large program starts a child as fast as a small one.
//! So the child may do almost nothing: everything is prepared before; the child only makes system calls, on a stack of its own. Signals are blocked meanwhile,
//! so that no handler of the parent runs in it, and so is the cancellation of the thread, whose state the two share. What could not be done stands in that memory
//! when the parent goes on: a missing program is an error here, and never a second parent. (Where `vfork` is emulated with a memory of its own for the child, by
//! some emulators and valgrind, it is a child that exits with 127.)
//!
//! The child is born with its pidfd (`CLONE_PIDFD`), so there is no moment in which its number could be somebody else's.
//!
//! [clone(2)](https://man7.org/linux/man-pages/man2/clone.2.html), [execve(2)](https://man7.org/linux/man-pages/man2/execve.2.html),
//! [close_range(2)](https://man7.org/linux/man-pages/man2/close_range.2.html)

use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::error::{Error, Failure, Result, check};
use crate::event::{ProcessExit, reap_left};

const OPERATION: &str = "start process";

/// A program to be started.
///
/// ```
/// use std::io::Read;
/// use unipc::process::Command;
/// let (mut reader, writer) = unipc::stream::pipe()?;
/// let child = Command::new("echo").argument("hello").descriptor(1, &writer).spawn()?;
/// drop(writer);
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "hello\n");
/// assert!(child.wait(None)?.is_success());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Command<'a> {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Option<Vec<(OsString, OsString)>>,
    directory: Option<PathBuf>,
    descriptors: Vec<(RawFd, Option<BorrowedFd<'a>>)>,
    new_group: bool,
}

impl<'a> Command<'a> {
    /// The program: a path, or a name that is looked for in the directories of PATH.
    pub fn new(program: impl AsRef<OsStr>) -> Command<'a> {
        let program = program.as_ref().to_owned();
        Command { arguments: vec![program.clone()], program, environment: None, directory: None, descriptors: Vec::new(), new_group: false }
    }

    /// One more argument.
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Command<'a> {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// More arguments.
    pub fn arguments(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command<'a> {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// What the program finds as its own name, instead of what it was started by.
    pub fn argument_zero(mut self, name: impl AsRef<OsStr>) -> Command<'a> {
        self.arguments[0] = name.as_ref().to_owned();
        self
    }

    /// The whole environment, instead of a copy of this process's. The program is looked for in its PATH.
    pub fn environment(mut self, variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>) -> Command<'a> {
        let owned = |(name, value): (_, _)| (AsRef::<OsStr>::as_ref(&name).to_owned(), AsRef::<OsStr>::as_ref(&value).to_owned());
        self.environment = Some(variables.into_iter().map(owned).collect());
        self
    }

    /// The directory that it starts in. A relative path of the program is then relative to it.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Command<'a> {
        self.directory = Some(directory.into());
        self
    }

    /// The child's descriptor `number` is a copy of `descriptor`.
    pub fn descriptor(mut self, number: RawFd, descriptor: &'a impl AsFd) -> Command<'a> {
        self.set(number, Some(descriptor.as_fd()));
        self
    }

    /// [`Command::descriptor`] for a borrowed descriptor.
    pub fn borrowed_descriptor(mut self, number: RawFd, descriptor: BorrowedFd<'a>) -> Command<'a> {
        self.set(number, Some(descriptor));
        self
    }

    /// The child's descriptor `number` is `/dev/null`.
    pub fn null(mut self, number: RawFd) -> Command<'a> {
        self.set(number, None);
        self
    }

    /// The child leads a process group of its own, so that a signal to the group reaches its descendants too.
    pub fn new_group(mut self) -> Command<'a> {
        self.new_group = true;
        self
    }

    fn set(&mut self, number: RawFd, descriptor: Option<BorrowedFd<'a>>) {
        self.descriptors.retain(|(known, _)| *known != number);
        self.descriptors.push((number, descriptor));
    }

    /// What it is called.
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// Starts it. Of this process's descriptors it has those that were named, and 0, 1 and 2. A text that does not begin with `#!` is run by
    /// `/bin/sh`, as by every shell.
    ///
    /// Errors: `ENOENT` for a program or a directory that does not exist, `EACCES` for one that may not be executed or entered, and what else `execve` says;
    /// `EAGAIN` beyond the limit of processes; `EMFILE`; `EINVAL` for a NUL inside an argument, or a negative descriptor;
    /// [`Failure::Unavailable`](crate::Failure::Unavailable) without pidfds (before Linux 5.3). No process is left then.
    pub fn spawn(&self) -> Result<ProcessExit> {
        self.try_spawn().map_err(|refusal| refusal.error)
    }

    pub(super) fn try_spawn(&self) -> std::result::Result<ProcessExit, Refusal> {
        reap_left(None);
        Prepared::of(self).map_err(Failed::Before).and_then(Prepared::start).map_err(|failed| {
            let program = || self.program.to_string_lossy();
            let error = match &failed {
                Failed::NoPidfd => {
                    Error::failure(OPERATION, Failure::Unavailable).on(program()).hint("this kernel has no pidfds; Linux 5.3 has")
                }
                Failed::Child(Step::Directory, errno) => {
                    let directory = self.directory.as_deref().unwrap_or(Path::new("")).to_string_lossy();
                    Error::os(OPERATION, *errno).on(directory).hint(format!("{} was to start in this directory", program()))
                }
                Failed::Before(errno) | Failed::Child(_, errno) => Error::os(OPERATION, *errno).on(program()),
            };
            Refusal { error, is_of_program: matches!(failed, Failed::Child(Step::Program, _)) }
        })
    }
}

/// Why no process was started.
pub(super) struct Refusal {
    pub(super) error: Error,
    /// The program is what cannot be executed; else something about it.
    pub(super) is_of_program: bool,
}

enum Failed {
    Before(Errno),
    Child(Step, Errno),
    NoPidfd,
}

/// What the child does before it is another program.
#[derive(Debug, Clone, Copy)]
enum Step {
    Descriptors,
    Group,
    Directory,
    Program,
}

/// Everything that the child needs, made before it is.
struct Prepared {
    /// The places where the program may be, in turn.
    candidates: Vec<CString>,
    /// A place for the shell before them: a text without `#!` is a program for it, as it is to every shell.
    arguments: Vec<CString>,
    environment: Vec<CString>,
    directory: Option<CString>,
    /// Sources lie above all targets, so that no copy overwrites one that is needed yet.
    copies: Vec<(OwnedFd, RawFd)>,
    /// The descriptors that stay, in order.
    kept: Vec<RawFd>,
    new_group: bool,
}

impl Prepared {
    fn of(command: &Command<'_>) -> std::result::Result<Prepared, Errno> {
        let highest = command.descriptors.iter().map(|(number, _)| *number).max().unwrap_or(0).max(2);
        if command.descriptors.iter().any(|(number, _)| *number < 0) {
            return Err(Errno::EINVAL);
        }
        let mut null = None;
        let mut copies = Vec::new();
        for (number, source) in &command.descriptors {
            let source = match source {
                Some(source) => above(source.as_raw_fd(), highest)?,
                None => {
                    if null.is_none() {
                        null = Some(crate::descriptor::open_raw("/dev/null", libc::O_RDWR, 0)?);
                    }
                    above(null.as_ref().map_or(-1, OwnedFd::as_raw_fd), highest)?
                }
            };
            copies.push((source, *number));
        }
        let mut kept: Vec<RawFd> = [0, 1, 2].into_iter().chain(copies.iter().map(|copy| copy.1)).collect();
        kept.sort_unstable();
        kept.dedup();

        let environment = match &command.environment {
            Some(given) => given.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            None => std::env::vars_os().collect::<Vec<_>>(),
        };
        let search = environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
        let variables = environment.iter().map(|(name, value)| {
            let text = [name.as_bytes(), b"=", value.as_bytes()].concat();
            c_string(OsStr::from_bytes(&text))
        });
        Ok(Prepared {
            candidates: candidates(&command.program, search)?,
            arguments: command.arguments.iter().map(|argument| c_string(argument)).collect::<std::result::Result<_, _>>()?,
            environment: variables.collect::<std::result::Result<_, _>>()?,
            directory: command.directory.as_ref().map(|directory| c_string(directory.as_os_str())).transpose()?,
            copies,
            kept,
            new_group: command.new_group,
        })
    }

    fn start(self) -> std::result::Result<ProcessExit, Failed> {
        let pointers = |strings: &[CString]| strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>();
        let (arguments, environment) = (pointers(&self.arguments), pointers(&self.environment));
        // The shell, the script, and the arguments but the first.
        let mut of_shell = vec![c"/bin/sh".as_ptr(), std::ptr::null()];
        of_shell.extend(&arguments[1.min(arguments.len() - 1)..]);

        let stack = Stack::new().map_err(Failed::Before)?;
        let mut pidfd: libc::c_int = -1;
        let mut part = Part { prepared: &self, arguments: &arguments, environment: &environment, of_shell: &mut of_shell, failure: None };
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
        let quiet = Quiet::begin();
        // SAFETY: the child has a stack of its own, and this thread goes on when it has left the memory, so all that it refers to lives. It runs
        // `play` alone, which makes system calls and leaves.
        let pid = check(unsafe { libc::clone(play, stack.top(), flags, (&raw mut part).cast(), &raw mut pidfd) });
        // Also when the thread is cancelled right away.
        let process = pid.map_err(Failed::Before).and_then(|pid| born(pid, pidfd));
        let failure = part.failure;
        drop(quiet);
        let process = process?;
        match failure {
            None => Ok(process),
            Some((step, errno)) => {
                // It exits at once, so this does not wait long.
                let _ = process.wait(None);
                Err(Failed::Child(step, errno))
            }
        }
    }

    /// What the child does. Only system calls: no memory, no lock, no unwinding.
    ///
    /// # Safety
    /// Called in a fresh child, with all signals blocked. The pointers end with NULL.
    unsafe fn become_program(
        &self,
        arguments: &[*const libc::c_char],
        environment: &[*const libc::c_char],
        of_shell: &mut [*const libc::c_char],
    ) -> (Step, Errno) {
        // SAFETY: the caller's promise; all pointers are valid, and everything they refer to was made before.
        unsafe {
            for (source, target) in &self.copies {
                if libc::dup2(source.as_raw_fd(), *target) < 0 {
                    return (Step::Descriptors, Errno::last());
                }
            }
            close_all_but(&self.kept);
            if self.new_group && libc::setpgid(0, 0) < 0 {
                return (Step::Group, Errno::last());
            }
            if self.directory.as_ref().is_some_and(|directory| libc::chdir(directory.as_ptr()) < 0) {
                return (Step::Directory, Errno::last());
            }
            default_dispositions();
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
            let mut refused = Errno::ENOENT;
            for candidate in &self.candidates {
                libc::execve(candidate.as_ptr(), arguments.as_ptr(), environment.as_ptr());
                match Errno::last() {
                    Errno::ENOENT | Errno::ENOTDIR => {}
                    // Perhaps there is another further down the path; if not, this is what to say.
                    Errno::EACCES => refused = Errno::EACCES,
                    Errno::ENOEXEC => {
                        of_shell[1] = candidate.as_ptr();
                        libc::execve(of_shell[0], of_shell.as_ptr(), environment.as_ptr());
                        return (Step::Program, Errno::ENOEXEC);
                    }
                    errno => return (Step::Program, errno),
                }
            }
            (Step::Program, refused)
        }
    }
}

/// The handle of a fresh child.
fn born(pid: libc::pid_t, pidfd: libc::c_int) -> std::result::Result<ProcessExit, Failed> {
    let mut pidfd = pidfd;
    if pidfd < 0 {
        // A kernel that does not know CLONE_PIDFD, before Linux 5.2, passes over it. Until somebody waits for the child its number is its own.
        // SAFETY: no memory is involved.
        pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as libc::c_int;
    }
    if pidfd < 0 {
        // SAFETY: our own child.
        unsafe {
            libc::kill(pid, libc::SIGKILL);
            libc::waitpid(pid, std::ptr::null_mut(), 0);
        }
        return Err(Failed::NoPidfd);
    }
    // SAFETY: the kernel has just given us this descriptor, close-on-exec; nobody else owns it.
    Ok(ProcessExit::of(unsafe { OwnedFd::from_raw_fd(pidfd) }, pid, true))
}

/// What the child is told, and tells.
struct Part<'a> {
    prepared: &'a Prepared,
    arguments: &'a [*const libc::c_char],
    environment: &'a [*const libc::c_char],
    of_shell: &'a mut [*const libc::c_char],
    failure: Option<(Step, Errno)>,
}

extern "C" fn play(part: *mut libc::c_void) -> libc::c_int {
    // SAFETY: the parent's part, which waits; everything was prepared. The end is the kernel's alone, without handlers of the parent's.
    unsafe {
        let part = &mut *part.cast::<Part<'_>>();
        part.failure = Some(part.prepared.become_program(part.arguments, part.environment, part.of_shell));
        libc::syscall(libc::SYS_exit_group, 127);
    }
    127
}

/// Where the child runs until it has a memory of its own. Pages that it does not touch cost nothing.
struct Stack(*mut libc::c_void);

impl Stack {
    const SIZE: usize = 256 << 10;

    fn new() -> std::result::Result<Stack, Errno> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK | libc::MAP_NORESERVE;
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let address = unsafe { libc::mmap(std::ptr::null_mut(), Stack::SIZE, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        if address == libc::MAP_FAILED { Err(Errno::last()) } else { Ok(Stack(address)) }
    }

    /// It grows downwards on all processors that Rust knows.
    fn top(&self) -> *mut libc::c_void {
        // SAFETY: the end of the mapping.
        unsafe { self.0.byte_add(Stack::SIZE) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: mapped by us with this size; the child has left it.
        unsafe { libc::munmap(self.0, Stack::SIZE) };
    }
}

/// Makes the C library's numbers free of the parent's handlers: `exec` does that, but a signal may come before it. What is ignored stays ignored, but
/// for SIGPIPE.
///
/// # Safety
/// Called in a fresh child.
unsafe fn default_dispositions() {
    // SAFETY: zero bytes are a valid action, SIG_DFL with an empty mask.
    unsafe {
        let default: libc::sigaction = std::mem::zeroed();
        for number in 1..=64 {
            let mut current: libc::sigaction = std::mem::zeroed();
            let is_known = libc::sigaction(number, std::ptr::null(), &mut current) == 0;
            if is_known && (number == libc::SIGPIPE || current.sa_sigaction != libc::SIG_IGN) {
                libc::sigaction(number, &default, std::ptr::null_mut());
            }
        }
    }
}

/// Closes every descriptor but these, which are in order. By the numbers of the calls: `close` of the C library is a point of cancellation.
///
/// # Safety
/// Called in a fresh child.
unsafe fn close_all_but(kept: &[RawFd]) {
    // SAFETY: the call takes numbers; in the child nobody uses the descriptors any more.
    let close = |first: RawFd, last: RawFd| unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) == 0 };
    let mut first = 0;
    let are_closed = kept.iter().all(|kept| {
        let gap = (first, *kept - 1);
        first = *kept + 1;
        gap.0 > gap.1 || close(gap.0, gap.1)
    });
    if are_closed && close(first, libc::c_int::MAX) {
        return;
    }
    // Before Linux 5.9, or refused.
    // SAFETY: the caller's promise.
    unsafe { close_listed(kept) };
}

/// Closes what `/proc` lists; without it, as many as there can be now.
///
/// # Safety
/// Called in a fresh child.
unsafe fn close_listed(kept: &[RawFd]) {
    let is_kept = |number: RawFd| kept.binary_search(&number).is_ok();
    // SAFETY: as in the caller; the buffer is as large as is told, and the kernel's entries lie within what it has filled.
    unsafe {
        let close = |number: RawFd| libc::syscall(libc::SYS_close, number);
        let place = libc::syscall(libc::SYS_openat, libc::AT_FDCWD, c"/proc/self/fd".as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY) as RawFd;
        if place < 0 {
            let mut limit: libc::rlimit = std::mem::zeroed();
            libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
            let end = (limit.rlim_max as i64).clamp(0, 1 << 20) as RawFd;
            (0..end).filter(|number| !is_kept(*number)).for_each(|number| {
                close(number);
            });
            return;
        }
        let mut entries = [0u64; 512];
        loop {
            let filled = libc::syscall(libc::SYS_getdents64, place, entries.as_mut_ptr(), size_of_val(&entries));
            if filled <= 0 {
                break;
            }
            let mut entry = entries.as_ptr().cast::<libc::dirent64>();
            let end = entries.as_ptr().byte_add(filled as usize).cast::<libc::dirent64>();
            while entry < end {
                let name = CStr::from_ptr((&raw const (*entry).d_name).cast());
                let number = name.to_bytes().iter().try_fold(0, |number: RawFd, digit| {
                    digit.is_ascii_digit().then(|| number.wrapping_mul(10).wrapping_add(RawFd::from(digit - b'0')))
                });
                if let Some(number) = number.filter(|number| *number != place && !is_kept(*number)) {
                    close(number);
                }
                entry = entry.byte_add(usize::from((*entry).d_reclen));
            }
        }
        close(place);
    }
}

unsafe extern "C" {
    // POSIX, in every C library of Linux; the crate `libc` does not have it.
    fn pthread_setcancelstate(state: libc::c_int, before: *mut libc::c_int) -> libc::c_int;
}

/// While it lives, no signal is delivered to the calling thread, and no cancellation acted upon.
struct Quiet {
    mask: libc::sigset_t,
    cancellation: libc::c_int,
}

impl Quiet {
    fn begin() -> Quiet {
        const PTHREAD_CANCEL_DISABLE: libc::c_int = 1;
        // SAFETY: the sets are initialised before they are used; the places are valid to write to.
        unsafe {
            let mut all = std::mem::zeroed();
            let mut quiet = Quiet { mask: std::mem::zeroed(), cancellation: 0 };
            pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &mut quiet.cancellation);
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut quiet.mask);
            quiet
        }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // SAFETY: both are what they were.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &self.mask, std::ptr::null_mut());
            pthread_setcancelstate(self.cancellation, std::ptr::null_mut());
        }
    }
}

/// A copy with a number above `highest`.
fn above(descriptor: RawFd, highest: RawFd) -> std::result::Result<OwnedFd, Errno> {
    let least = highest.checked_add(1).ok_or(Errno::EINVAL)?;
    // SAFETY: F_DUPFD_CLOEXEC takes and returns an integer.
    let copy = check(unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, least) })?;
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

fn c_string(text: &OsStr) -> std::result::Result<CString, Errno> {
    CString::new(text.as_bytes()).map_err(|_| Errno::EINVAL)
}

/// The paths that a program may be at.
fn candidates(program: &OsStr, search: Option<&OsStr>) -> std::result::Result<Vec<CString>, Errno> {
    if program.is_empty() {
        return Err(Errno::ENOENT);
    }
    if program.as_bytes().contains(&b'/') {
        return Ok(vec![c_string(program)?]);
    }
    let directories = std::env::split_paths(search.unwrap_or(OsStr::new("/bin:/usr/bin")));
    // An empty directory is the present one.
    directories
        .map(|directory| c_string(&PathBuf::from(OsString::from_vec(directory.into_os_string().into_vec())).join(program).into_os_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the kernel has no `close_range`. In a child, which loses its descriptors.
    #[test]
    fn what_proc_lists_is_closed_above_the_limit_too() {
        let file = std::fs::File::open("/dev/null").unwrap();
        // SAFETY: the calls take numbers; the child leaves by _exit, and between the two it makes system calls alone.
        let status = unsafe {
            let pid = libc::fork();
            if pid == 0 {
                let high = libc::fcntl(file.as_raw_fd(), libc::F_DUPFD, 900);
                let low = libc::rlimit { rlim_cur: 64, rlim_max: 1024 };
                libc::setrlimit(libc::RLIMIT_NOFILE, &low);
                close_listed(&[0, 1, 2, 20]);
                let is_open = |number| libc::fcntl(number, libc::F_GETFD) >= 0;
                libc::_exit(i32::from(high < 900 || is_open(high) || is_open(file.as_raw_fd()) || !is_open(2)));
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(pid, &mut status, 0), pid);
            status
        };
        assert_eq!(status, 0);
    }
}
