//! The raw counterparts: the same round trips by nothing but calls of the C library, as one would write them without unipc.
//!
//! They use the same objects as the library does: the same descriptors, the same named semaphores and memories. What the library makes is
//! what the system calls know, so the two can take turns on it.

use std::ffi::{CStr, CString};
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64};

use unipc::file::lock::LockKind;

use super::PATIENCE;

fn check(result: libc::c_int) -> Result<libc::c_int> {
    if result < 0 { Err(Error::last_os_error()) } else { Ok(result) }
}

/// pthread functions return the error.
fn check_pthread(error: libc::c_int) -> Result<()> {
    if error == 0 { Ok(()) } else { Err(Error::from_raw_os_error(error)) }
}

/// A descriptor, and which of the calls it wants: a socket can be told not to raise SIGPIPE.
#[derive(Clone, Copy)]
pub(super) struct End<'a> {
    descriptor: BorrowedFd<'a>,
    is_socket: bool,
}

impl<'a> End<'a> {
    pub(super) fn of(stream: &'a impl AsFd) -> End<'a> {
        let descriptor = stream.as_fd();
        // SAFETY: zero bytes are a stat.
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open, the place valid to write to.
        let known = unsafe { libc::fstat(descriptor.as_raw_fd(), &mut stat) } == 0;
        End { descriptor, is_socket: known && stat.st_mode & libc::S_IFMT == libc::S_IFSOCK }
    }

    fn write_some(self, data: &[u8]) -> isize {
        let (fd, data, length) = (self.descriptor.as_raw_fd(), data.as_ptr().cast(), data.len());
        if self.is_socket {
            // SAFETY: the bytes are valid to read.
            return unsafe { libc::send(fd, data, length, libc::MSG_NOSIGNAL) };
        }
        // SAFETY: the bytes are valid to read.
        unsafe { libc::write(fd, data, length) }
    }

    fn read_some(self, buffer: &mut [u8]) -> isize {
        let (fd, buffer, length) = (self.descriptor.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len());
        if self.is_socket {
            // SAFETY: the bytes are valid to write.
            return unsafe { libc::recv(fd, buffer, length, 0) };
        }
        // SAFETY: the bytes are valid to write.
        unsafe { libc::read(fd, buffer, length) }
    }

    pub(super) fn write_all(self, mut data: &[u8]) -> Result<()> {
        while !data.is_empty() {
            match usize::try_from(self.write_some(data)) {
                Ok(count) => data = &data[count..],
                Err(_) => retry()?,
            }
        }
        Ok(())
    }

    /// From a file into a pipe.
    pub(super) fn splice(self, file: &impl AsFd, offset: u64, mut length: usize) -> Result<()> {
        let (from, to) = (file.as_fd().as_raw_fd(), self.descriptor.as_raw_fd());
        let mut offset = offset as libc::loff_t;
        while length > 0 {
            // SAFETY: the offset is valid to read and write.
            match usize::try_from(unsafe { libc::splice(from, &mut offset, to, ptr::null_mut(), length, 0) }) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => length -= count,
                Err(_) => retry()?,
            }
        }
        Ok(())
    }

    /// Whether the buffer was filled; if not, the end came before the first byte.
    pub(super) fn read_exact(self, buffer: &mut [u8]) -> Result<bool> {
        let mut done = 0;
        while done < buffer.len() {
            match usize::try_from(self.read_some(&mut buffer[done..])) {
                Ok(0) if done == 0 => return Ok(false),
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => done += count,
                Err(_) => retry()?,
            }
        }
        Ok(true)
    }

    /// A message as the library frames it: its length in four bytes, then the message, in one call.
    pub(super) fn send(self, message: &[u8]) -> Result<()> {
        let header = (message.len() as u32).to_be_bytes();
        let mut parts = [IoSlice::new(&header), IoSlice::new(message)];
        let mut parts = &mut parts[..];
        while !parts.is_empty() {
            // SAFETY: zero bytes are a header of nothing.
            let mut call: libc::msghdr = unsafe { std::mem::zeroed() };
            call.msg_iov = parts.as_mut_ptr().cast();
            call.msg_iovlen = parts.len() as _;
            // SAFETY: an IoSlice has the layout of an iovec, and its bytes are valid to read.
            match usize::try_from(unsafe { libc::sendmsg(self.descriptor.as_raw_fd(), &call, libc::MSG_NOSIGNAL) }) {
                Ok(count) => IoSlice::advance_slices(&mut parts, count),
                Err(_) => retry()?,
            }
        }
        Ok(())
    }

    /// A message of a known size, in two calls; `false` is the end.
    pub(super) fn receive(self, buffer: &mut [u8]) -> Result<bool> {
        let mut header = [0; 4];
        if !self.read_exact(&mut header)? {
            return Ok(false);
        }
        if u32::from_be_bytes(header) as usize != buffer.len() || !self.read_exact(buffer)? {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(true)
    }
}

/// A POSIX message queue. The system calls themselves: which library has their wrappers depends on its version.
#[derive(Clone, Copy)]
pub(super) struct Queue<'a>(BorrowedFd<'a>);

impl<'a> Queue<'a> {
    pub(super) fn of(queue: &'a impl AsFd) -> Queue<'a> {
        Queue(queue.as_fd())
    }

    pub(super) fn send(self, message: &[u8]) -> Result<()> {
        let (fd, none) = (self.0.as_raw_fd(), ptr::null::<libc::timespec>());
        // SAFETY: the bytes are valid to read; no limit is given.
        while unsafe { libc::syscall(libc::SYS_mq_timedsend, fd, message.as_ptr(), message.len(), 0, none) } < 0 {
            retry()?;
        }
        Ok(())
    }

    pub(super) fn receive(self, buffer: &mut [u8]) -> Result<usize> {
        let (fd, none) = (self.0.as_raw_fd(), ptr::null::<libc::timespec>());
        loop {
            let (place, length, priority) = (buffer.as_mut_ptr(), buffer.len(), ptr::null_mut::<libc::c_uint>());
            // SAFETY: the bytes are valid to write; nobody wants the priority; no limit is given.
            match usize::try_from(unsafe { libc::syscall(libc::SYS_mq_timedreceive, fd, place, length, priority, none) }) {
                Ok(size) => return Ok(size),
                Err(_) => retry()?,
            }
        }
    }
}

/// A System V message queue for messages of up to `N` bytes.
#[derive(Clone, Copy)]
pub(super) struct TypedQueue<const N: usize>(libc::c_int);

#[repr(C)]
struct Typed<const N: usize> {
    kind: libc::c_long,
    text: [u8; N],
}

impl<const N: usize> TypedQueue<N> {
    pub(super) fn of(id: i32) -> TypedQueue<N> {
        TypedQueue(id)
    }

    pub(super) fn send(self, message: &[u8], kind: i64) -> Result<()> {
        let mut typed = Typed { kind: kind as libc::c_long, text: [0; N] };
        typed.text[..message.len()].copy_from_slice(message);
        // SAFETY: a type and as many bytes stand there.
        while unsafe { libc::msgsnd(self.0, (&raw const typed).cast(), message.len(), 0) } < 0 {
            retry()?;
        }
        Ok(())
    }

    pub(super) fn receive(self, buffer: &mut [u8], kind: i64) -> Result<usize> {
        let mut typed = Typed { kind: 0, text: [0; N] };
        loop {
            // SAFETY: there is room for a type and as many bytes.
            match usize::try_from(unsafe { libc::msgrcv(self.0, (&raw mut typed).cast(), N, kind as libc::c_long, 0) }) {
                Ok(size) => {
                    buffer[..size].copy_from_slice(&typed.text[..size]);
                    return Ok(size);
                }
                Err(_) => retry()?,
            }
        }
    }
}

/// A timer of the system.
/// An event counter whose reads and writes wait.
pub(super) fn counter() -> Result<OwnedFd> {
    // SAFETY: eventfd takes integers.
    let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    if descriptor < 0 { Err(Error::last_os_error()) } else { Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }) }
}

pub(super) fn set_timer(timer: &impl AsFd, first: libc::timespec) -> Result<()> {
    let setting = libc::itimerspec { it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 }, it_value: first };
    // SAFETY: the setting is valid to read; nobody wants the old one.
    check(unsafe { libc::timerfd_settime(timer.as_fd().as_raw_fd(), 0, &setting, ptr::null_mut()) }).map(drop)
}

/// A descriptor of this process that is readable, in a moment or at once.
pub(super) fn await_readable(descriptor: &impl AsFd) -> Result<()> {
    let mut wanted = libc::pollfd { fd: descriptor.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one record, valid to write to.
    check(unsafe { libc::poll(&mut wanted, 1, PATIENCE.as_millis() as libc::c_int) }).map(drop)
}

/// A signal with a value, to a process.
pub(super) fn send_signal(process: i32, signal: i32, value: i32) -> Result<()> {
    // SAFETY: a union of an integer and a pointer; the integer is what the receiver reads.
    check(unsafe { libc::sigqueue(process, signal, libc::sigval { sival_ptr: value as usize as *mut libc::c_void }) }).map(drop)
}

/// The value of the next signal with this number, which the calling thread blocks.
pub(super) fn receive_signal(signal: i32) -> Result<i32> {
    // SAFETY: zero bytes are an empty set and no information; both are valid to write to.
    unsafe {
        let (mut set, mut information): (libc::sigset_t, libc::siginfo_t) = (std::mem::zeroed(), std::mem::zeroed());
        check(libc::sigaddset(&mut set, signal))?;
        while libc::sigwaitinfo(&set, &mut information) < 0 {
            retry()?;
        }
        Ok(information.si_value().sival_ptr as usize as i32)
    }
}

/// Starts a program and waits for its end; gives its status as `wait` does.
pub(super) fn spawn_and_wait(program: &CStr, arguments: &[&CStr]) -> Result<i32> {
    let mut pointers: Vec<*mut libc::c_char> = arguments.iter().map(|argument| argument.as_ptr().cast_mut()).collect();
    pointers.push(ptr::null_mut());
    let (mut process, mut status) = (0, 0);
    unsafe extern "C" {
        static environ: *const *mut libc::c_char;
    }
    // SAFETY: the strings end with zero, their list with null; the environment is this process's, and nobody changes it in this program.
    check_pthread(unsafe { libc::posix_spawn(&mut process, program.as_ptr(), ptr::null(), ptr::null(), pointers.as_ptr(), environ) })?;
    // SAFETY: the status is valid to write to.
    while unsafe { libc::waitpid(process, &mut status, 0) } < 0 {
        retry()?;
    }
    Ok(status)
}

/// A signal is no failure.
fn retry() -> Result<()> {
    let error = Error::last_os_error();
    if error.kind() == ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}

/// A page of shared memory.
pub(super) struct Page(*mut libc::c_void);

const PAGE: usize = 4096;

impl Page {
    fn map(fd: libc::c_int, flags: libc::c_int) -> Result<Page> {
        // SAFETY: a new mapping at an address that the kernel chooses.
        let address = unsafe { libc::mmap(ptr::null_mut(), PAGE, libc::PROT_READ | libc::PROT_WRITE, flags, fd, 0) };
        if address == libc::MAP_FAILED { Err(Error::last_os_error()) } else { Ok(Page(address)) }
    }

    /// A POSIX shared memory that exists and has a page.
    pub(super) fn open(name: &str) -> Result<Page> {
        let name = CString::new(format!("/{name}"))?;
        // SAFETY: the name is a C string.
        let fd = check(unsafe { libc::shm_open(name.as_ptr(), libc::O_RDWR, 0) })?;
        let page = Page::map(fd, libc::MAP_SHARED);
        // SAFETY: our own descriptor, which the mapping does not need.
        unsafe { libc::close(fd) };
        page
    }

    /// The first page of an open object.
    pub(super) fn of(object: impl AsFd) -> Result<Page> {
        Page::map(object.as_fd().as_raw_fd(), libc::MAP_SHARED)
    }

    /// A System V segment of a page.
    pub(super) fn attach(identifier: i32) -> Result<Page> {
        // SAFETY: a new mapping at an address that the kernel chooses; unmapping it detaches.
        let address = unsafe { libc::shmat(identifier, ptr::null(), 0) };
        if address == libc::MAP_FAILED { Err(Error::last_os_error()) } else { Ok(Page(address)) }
    }

    pub(super) fn anonymous() -> Result<Page> {
        Page::map(-1, libc::MAP_SHARED | libc::MAP_ANONYMOUS)
    }

    /// The word at a place, in bytes.
    pub(super) fn word(&self, place: usize) -> &AtomicU32 {
        assert!(place < PAGE && place.is_multiple_of(size_of::<AtomicU32>()));
        // SAFETY: within the mapping, aligned, and reached as an atomic by everybody.
        unsafe { AtomicU32::from_ptr(self.0.cast::<u8>().add(place).cast()) }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: our own mapping, which nothing borrows any more.
        unsafe { libc::munmap(self.0, PAGE) };
    }
}

/// Room for an object of the C library in memory that processes share.
pub(super) type Room = [AtomicU64; 8];

/// A robust process-shared mutex.
#[derive(Clone, Copy)]
pub(super) struct Mutex<'a>(&'a Room);

impl<'a> Mutex<'a> {
    /// Makes one. Nobody uses the room meanwhile.
    pub(super) fn init(room: &'a Room) -> Result<Mutex<'a>> {
        const { assert!(size_of::<libc::pthread_mutex_t>() <= size_of::<Room>()) };
        let mut attributes = std::mem::MaybeUninit::uninit();
        // SAFETY: the attributes are initialised first; the room is large enough, aligned, and nobody else's.
        unsafe {
            check_pthread(libc::pthread_mutexattr_init(attributes.as_mut_ptr()))?;
            check_pthread(libc::pthread_mutexattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED))?;
            check_pthread(libc::pthread_mutexattr_setrobust(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_ROBUST))?;
            check_pthread(libc::pthread_mutex_init(Mutex(room).pointer(), attributes.as_ptr()))?;
        }
        Ok(Mutex(room))
    }

    /// One that another process made, or that is made here.
    pub(super) fn of(room: &'a Room) -> Mutex<'a> {
        Mutex(room)
    }

    pub(super) fn pointer(self) -> *mut libc::pthread_mutex_t {
        ptr::from_ref(self.0).cast_mut().cast()
    }

    pub(super) fn lock(self) -> Result<()> {
        // SAFETY: an initialised mutex.
        check_pthread(unsafe { libc::pthread_mutex_lock(self.pointer()) })
    }

    pub(super) fn unlock(self) -> Result<()> {
        // SAFETY: an initialised mutex.
        check_pthread(unsafe { libc::pthread_mutex_unlock(self.pointer()) })
    }
}

/// A semaphore of the C library.
pub(super) struct Semaphore(*mut libc::sem_t);

impl Semaphore {
    /// One in memory, of value 0, that another process made or that is made here. The memory outlives it.
    pub(super) fn in_place(room: &Room) -> Semaphore {
        const { assert!(size_of::<libc::sem_t>() <= size_of::<Room>()) };
        Semaphore(ptr::from_ref(room).cast_mut().cast())
    }

    /// Sets its value. Nobody uses it meanwhile.
    pub(super) fn init(&self, value: u32) -> Result<()> {
        // SAFETY: room for a semaphore that nobody uses.
        check(unsafe { libc::sem_init(self.0, 1, value) }).map(drop)
    }

    /// A named one that exists. It stays open until the process ends.
    pub(super) fn open(name: &str) -> Result<Semaphore> {
        let name = CString::new(format!("/{name}"))?;
        // SAFETY: the name is a C string.
        let semaphore = unsafe { libc::sem_open(name.as_ptr(), 0) };
        if semaphore == libc::SEM_FAILED { Err(Error::last_os_error()) } else { Ok(Semaphore(semaphore)) }
    }

    pub(super) fn post(&self) -> Result<()> {
        // SAFETY: a semaphore.
        check(unsafe { libc::sem_post(self.0) }).map(drop)
    }

    /// Waits within the limit that the library's own waits have: a try, and then until a deadline.
    pub(super) fn wait(&self) -> Result<()> {
        // SAFETY: a semaphore.
        if unsafe { libc::sem_trywait(self.0) } == 0 {
            return Ok(());
        }
        let mut deadline = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the time is valid to write to.
        check(unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut deadline) })?;
        deadline.tv_sec += PATIENCE.as_secs() as libc::time_t;
        // SAFETY: a semaphore, and a time.
        while unsafe { libc::sem_timedwait(self.0, &deadline) } != 0 {
            retry()?;
        }
        Ok(())
    }
}

/// Locks a file and unlocks it, as the kind says, without waiting.
pub(super) fn lock_and_unlock(file: BorrowedFd<'_>, kind: LockKind) -> Result<()> {
    let fd = file.as_raw_fd();
    if kind == LockKind::Flock {
        for how in [libc::LOCK_EX | libc::LOCK_NB, libc::LOCK_UN] {
            // SAFETY: flock takes integers.
            check(unsafe { libc::flock(fd, how) })?;
        }
        return Ok(());
    }
    let command = if kind == LockKind::Ofd { libc::F_OFD_SETLK } else { libc::F_SETLK };
    for what in [libc::F_WRLCK, libc::F_UNLCK] {
        // SAFETY: zero bytes are a request for all of the file.
        let mut request: libc::flock = unsafe { std::mem::zeroed() };
        request.l_type = what as libc::c_short;
        // SAFETY: the request is valid to read.
        check(unsafe { libc::fcntl(fd, command, &request) })?;
    }
    Ok(())
}

/// A new file of this content, renamed over the old one.
pub(super) fn replace(path: &CStr, temporary: &CStr, data: &[u8]) -> Result<()> {
    let file = open(temporary, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL)?;
    End { descriptor: file.as_fd(), is_socket: false }.write_all(data)?;
    // SAFETY: both paths are NUL-terminated.
    check(unsafe { libc::rename(temporary.as_ptr(), path.as_ptr()) }).map(drop)
}

fn open(path: &CStr, flags: libc::c_int) -> Result<OwnedFd> {
    // SAFETY: the path is NUL-terminated.
    let fd = check(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC, 0o600 as libc::c_uint) })?;
    // SAFETY: the kernel has just given us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A file that is appended to under a flock, and read by one who is woken by inotify.
pub(super) struct Log {
    path: CString,
    file: OwnedFd,
    watch: OwnedFd,
    at: libc::off_t,
}

impl Log {
    pub(super) fn open(path: &str) -> Result<Log> {
        let path = CString::new(path)?;
        let file = open(&path, libc::O_RDWR | libc::O_CREAT)?;
        // SAFETY: inotify_init1 takes an integer.
        let raw = check(unsafe { libc::inotify_init1(libc::IN_CLOEXEC) })?;
        // SAFETY: the kernel has just given us this descriptor.
        let watch = unsafe { OwnedFd::from_raw_fd(raw) };
        // SAFETY: the path is NUL-terminated.
        check(unsafe { libc::inotify_add_watch(watch.as_raw_fd(), path.as_ptr(), libc::IN_MODIFY) })?;
        Ok(Log { path, file, watch, at: 0 })
    }

    /// Opened each time, since the file may have been renamed.
    pub(super) fn append(&self, record: &[u8]) -> Result<()> {
        let file = open(&self.path, libc::O_WRONLY | libc::O_APPEND)?;
        // SAFETY: flock takes integers.
        check(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) })?;
        End { descriptor: file.as_fd(), is_socket: false }.write_all(record)
    }

    /// What is next, all of the buffer.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Result<()> {
        let mut done = 0;
        while done < buffer.len() {
            let rest = &mut buffer[done..];
            // SAFETY: the rest is valid to write to.
            let count = unsafe { libc::pread(self.file.as_raw_fd(), rest.as_mut_ptr().cast(), rest.len(), self.at) };
            let count = usize::try_from(count).map_err(|_| Error::last_os_error())?;
            (done, self.at) = (done + count, self.at + count as libc::off_t);
            let mut events = [0u8; 4096];
            // SAFETY: the events are valid to write to.
            if count == 0 && unsafe { libc::read(self.watch.as_raw_fd(), events.as_mut_ptr().cast(), events.len()) } < 0 {
                retry()?;
            }
        }
        Ok(())
    }
}
