//! Children that run another program.
//!
//! What a child inherits by accident is a bug that shows elsewhere: a pipe whose writing end the child also holds never ends; a listening
//! socket that it holds keeps the port; a signal that its parent had blocked or ignored never reaches it. So a child started here has exactly the
//! descriptors that were named for it, and 0, 1 and 2; no signal blocked; and SIGPIPE as every filter expects it.
//!
//! Until `exec` the child borrows the memory of its parent, whose thread waits (as `vfork` does): a large program starts a child as fast as a small one.
//! So the child may do almost nothing: everything is prepared before; the child only makes system calls, on a stack of its own. Signals are blocked meanwhile,
//! so that no handler of the parent runs in it. Whether the program could be started comes back through a pipe that closes itself when it could: a missing
//! program is an error here, and never a second parent.
//!
//! The child is born with its pidfd (`CLONE_PIDFD`), so there is no moment in which its number could be somebody else's.
//!
//! [clone(2)](https://man7.org/linux/man-pages/man2/clone.2.html), [execve(2)](https://man7.org/linux/man-pages/man2/execve.2.html),
//! [close_range(2)](https://man7.org/linux/man-pages/man2/close_range.2.html)

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use nix::errno::Errno;

use crate::error::{Context, Result, check};
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

    /// Starts it. Of this process's descriptors it has those that were named, and 0, 1 and 2.
    ///
    /// Errors: `ENOENT` for a program or a directory that does not exist, `EACCES` for one that may not be executed, and what else `execve` says;
    /// `EAGAIN` beyond the limit of processes; `EMFILE`; `EINVAL` for a NUL inside an argument, or a negative descriptor. No process is left then.
    pub fn spawn(&self) -> Result<ProcessExit> {
        let object = self.program.to_string_lossy();
        reap_left(None);
        Prepared::of(self).and_then(Prepared::start).during_on(OPERATION, &object)
    }
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
    report: (OwnedFd, OwnedFd),
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
        let mut ends = [-1; 2];
        // SAFETY: the array has room for the two descriptors.
        check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
        // SAFETY: the kernel has just given us these descriptors; nobody else owns them.
        let (reader, writer) = unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) };
        let writer = above(writer.as_raw_fd(), highest)?;
        let mut kept: Vec<RawFd> = [0, 1, 2].into_iter().chain(copies.iter().map(|copy| copy.1)).chain([writer.as_raw_fd()]).collect();
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
            report: (reader, writer),
            new_group: command.new_group,
        })
    }

    fn start(self) -> std::result::Result<ProcessExit, Errno> {
        let pointers = |strings: &[CString]| strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>();
        let (arguments, environment) = (pointers(&self.arguments), pointers(&self.environment));
        // The shell, the script, and the arguments but the first.
        let mut of_shell = vec![c"/bin/sh".as_ptr(), std::ptr::null()];
        of_shell.extend(&arguments[1.min(arguments.len() - 1)..]);

        let stack = Stack::new()?;
        let mut pidfd: libc::c_int = -1;
        let mut part = Part { prepared: &self, arguments: &arguments, environment: &environment, of_shell: &mut of_shell };
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
        let before = block_all();
        // SAFETY: the child has a stack of its own, and this thread goes on when it has left the memory, so all that it refers to lives. It runs
        // `play` alone, which makes system calls and leaves.
        let pid = check(unsafe { libc::clone(play, stack.top(), flags, (&raw mut part).cast(), &raw mut pidfd) });
        // SAFETY: the mask is the one that was there.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut()) };
        let pid = pid?;
        // SAFETY: the kernel has just given us this descriptor, close-on-exec; nobody else owns it.
        let process = ProcessExit::of(unsafe { OwnedFd::from_raw_fd(pidfd) }, pid, true);
        let Prepared { report: (reader, writer), .. } = self;
        drop(writer);
        match read_report(&reader) {
            None => Ok(process),
            Some(errno) => {
                // It exits at once, so this does not wait long.
                let _ = process.wait(None);
                Err(errno)
            }
        }
    }

    /// What the child does. Only system calls: no memory, no lock, no unwinding. What it writes to, errno and `of_shell`, is nobody else's meanwhile.
    ///
    /// # Safety
    /// Called in a fresh child, with all signals blocked. The pointers end with NULL.
    unsafe fn become_program(
        &self,
        arguments: &[*const libc::c_char],
        environment: &[*const libc::c_char],
        of_shell: &mut [*const libc::c_char],
    ) -> ! {
        // SAFETY: the caller's promise; all pointers are valid, and everything they refer to was made before.
        unsafe {
            for (source, target) in &self.copies {
                if libc::dup2(source.as_raw_fd(), *target) < 0 {
                    self.fail();
                }
            }
            let mut first = 0;
            for kept in &self.kept {
                if *kept > first {
                    close_range(first, *kept - 1);
                }
                first = *kept + 1;
            }
            close_range(first, libc::c_int::MAX);
            if self.new_group && libc::setpgid(0, 0) < 0 {
                self.fail();
            }
            if self.directory.as_ref().is_some_and(|directory| libc::chdir(directory.as_ptr()) < 0) {
                self.fail();
            }
            default_dispositions();
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
            let mut refused = Errno::ENOENT;
            for candidate in &self.candidates {
                libc::execve(candidate.as_ptr(), arguments.as_ptr(), environment.as_ptr());
                if Errno::last() == Errno::ENOEXEC {
                    of_shell[1] = candidate.as_ptr();
                    libc::execve(of_shell[0], of_shell.as_ptr(), environment.as_ptr());
                }
                match Errno::last() {
                    Errno::ENOENT | Errno::ENOTDIR => {}
                    // Perhaps there is another further down the path; if not, this is what to say.
                    Errno::EACCES => refused = Errno::EACCES,
                    _ => self.fail(),
                }
            }
            Errno::set(refused);
            self.fail()
        }
    }

    /// Tells the parent errno, and ends.
    fn fail(&self) -> ! {
        let bytes = Errno::last_raw().to_ne_bytes();
        // SAFETY: the bytes are valid to read; _exit leaves without anything of the parent's.
        unsafe {
            libc::write(self.report.1.as_raw_fd(), bytes.as_ptr().cast(), bytes.len());
            libc::_exit(127)
        }
    }
}

/// What the child is told.
struct Part<'a> {
    prepared: &'a Prepared,
    arguments: &'a [*const libc::c_char],
    environment: &'a [*const libc::c_char],
    of_shell: &'a mut [*const libc::c_char],
}

extern "C" fn play(part: *mut libc::c_void) -> libc::c_int {
    // SAFETY: the parent's part, which waits; everything was prepared.
    unsafe {
        let part = &mut *part.cast::<Part<'_>>();
        part.prepared.become_program(part.arguments, part.environment, part.of_shell)
    }
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

/// Closes the descriptors from `first` to `last`.
///
/// # Safety
/// Called in a fresh child.
unsafe fn close_range(first: RawFd, last: RawFd) {
    // SAFETY: in the child nobody uses them any more.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, last, 0) == 0 {
            return;
        }
        // Before Linux 5.9, or refused: one by one, as many as there can be.
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        let end = (limit.rlim_cur as i64).min(1 << 20) as RawFd;
        for number in first..=last.min(end) {
            libc::close(number);
        }
    }
}

/// Blocks every signal in the calling thread, and gives the mask from before.
fn block_all() -> libc::sigset_t {
    // SAFETY: the sets are initialised before they are used.
    unsafe {
        let mut all = std::mem::zeroed();
        let mut before = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        before
    }
}

/// The errno that the child has told; `None` if the pipe was closed by its `exec`, or by a death before, which the status tells.
fn read_report(reader: &OwnedFd) -> Option<Errno> {
    let mut bytes = [0; 4];
    loop {
        // SAFETY: the buffer is valid to write to.
        match check(unsafe { libc::read(reader.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len()) }) {
            Err(Errno::EINTR) => {}
            Ok(4) => return Some(Errno::from_raw(i32::from_ne_bytes(bytes))),
            _ => return None,
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
