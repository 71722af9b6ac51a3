//! POSIX message queues: a bounded number of messages of a bounded size, the highest priority first, first come first served within one.
//!
//! A queue is a kernel object with a name: a message outlives its sender, and the queue outlives both, until it is unlinked or the machine restarts.
//!
//! Three races belong to it. Two processes that both create: [`Mq::create`] is exclusive, [`Mq::open_or_create`] opens first. A queue that
//! somebody has planted under the name: whoever opens one looks at its owner, on the open descriptor. And a waiting that never ends: a full
//! queue blocks the sender for ever when the receiver has died, so every call takes a limit. What is lost otherwise: `mq_timedsend` counts
//! on the realtime clock, which jumps, and `O_NONBLOCK` is shared with everybody who has inherited the descriptor.
//!
//! So a wait with a limit or a stop token is `ppoll` on the queue, which on Linux is a descriptor, and then `mq_timedsend` with a deadline
//! in the past, which is an attempt. The system calls are made directly: glibc 2.34 has moved their wrappers from one library to another.
//! No mounted `/dev/mqueue` is needed.
//!
//! [mq_overview(7)](https://man7.org/linux/man-pages/man7/mq_overview.7.html),
//! [mq_notify(3)](https://man7.org/linux/man-pages/man3/mq_notify.3.html)

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;

use super::{MessageInfo, limits};
use crate::descriptor::{access_mode, c_path, close_on_exec, open_raw, set_permissions, status};
use crate::error::{Context, Error, Failure, Result, check, human_size};
use crate::name::{self, LONGEST_NAME};
use crate::process::Birth;
use crate::wait::{Deadline, Wait, await_creator};

/// The highest priority of a message.
pub const HIGHEST_PRIORITY: u32 = 32767;

/// What a queue is opened for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MqAccess {
    /// Sending and receiving.
    #[default]
    Both,
    /// Receiving alone.
    Receive,
    /// Sending alone.
    Send,
}

/// How a queue is made and opened.
#[derive(Debug, Clone)]
pub struct MqOptions<'a> {
    /// Create: how many messages it holds; 0 is the system's choice, 10 mostly.
    pub capacity: usize,
    /// Create: the largest message in bytes; 0 is the system's choice, 8192 mostly. Open: the least that will do, 0 for any.
    pub largest: usize,
    /// Create: the permissions, set whatever the umask says; 0 is 0600.
    pub mode: u32,
    /// Create: the group, by name or number.
    pub group: Option<String>,
    /// What for.
    pub access: MqAccess,
    /// Open: accept a queue of a user other than oneself and root.
    pub any_owner: bool,
    /// Create: remove the name when the creator drops its handle.
    pub temporary: bool,
    /// Open: how long to wait for another process to create it.
    pub wait_for_creator: Wait<'a>,
}

impl Default for MqOptions<'_> {
    /// Of the system's size, for the owner alone, for sending and receiving, not waiting for a creator.
    fn default() -> Self {
        MqOptions {
            capacity: 0,
            largest: 0,
            mode: 0,
            group: None,
            access: MqAccess::Both,
            any_owner: false,
            temporary: false,
            wait_for_creator: Wait::NEVER,
        }
    }
}

/// What a queue is like at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MqAttributes {
    /// How many messages it holds; it never changes.
    pub capacity: usize,
    /// The largest message in bytes; it never changes.
    pub largest: usize,
    /// How many messages are in it now.
    pub queued: usize,
}

/// A POSIX message queue. It costs a descriptor, works in children made by `fork`, and stays until it is unlinked.
///
/// Dropping any handle of a queue ends this process's [`notify_signal`](Mq::notify_signal) of it, as the kernel has it.
#[derive(Debug)]
pub struct Mq {
    // Before the descriptor, by which it knows whether the name still is its own.
    temporary: Option<Temporary>,
    descriptor: OwnedFd,
    name: Option<Box<str>>,
    capacity: usize,
    largest: usize,
    /// Whether the last receive had to sleep: then the next begins with `ppoll`, since its attempt would be in vain.
    sleeps: AtomicBool,
}

impl Mq {
    /// Creates a queue, exclusively: `EEXIST` if the name is taken.
    ///
    /// Errors: `EINVAL` for a bad name, mode or group, or sizes beyond the system's limits; `ENAMETOOLONG`; `EMFILE` when `RLIMIT_MSGQUEUE` has
    /// no room for it, or no descriptor is left; `ENOSPC` for too many queues; `EPERM` for a group of others. The text says which limit it was.
    pub fn create(name: &str, options: &MqOptions<'_>) -> Result<Mq> {
        const OPERATION: &str = "create message queue";
        let bare = name::object_name(OPERATION, name, LONGEST_NAME)?;
        let mode = name::permissions(OPERATION, options.mode).map_err(|error| error.on(name))?;
        let group = options.group.as_deref().map(|group| name::group(OPERATION, group)).transpose()?;
        let wanted = wanted(options);
        // Not more than the owner's rights until the group is right.
        let flags = libc::O_CREAT | libc::O_EXCL | flags_of(options.access);
        let descriptor =
            open_queue(bare, flags, 0o600, wanted.as_ref()).map_err(|errno| explain(OPERATION, name, errno, wanted.as_ref()))?;
        let prepared = set_permissions(descriptor.as_fd(), mode, group).and_then(|()| attributes(descriptor.as_fd()));
        let attributes = prepared.map_err(|errno| {
            let _ = unlink(bare);
            Error::os(OPERATION, errno).on(name)
        })?;
        let temporary =
            options.temporary.then(|| Temporary { name: bare.into(), descriptor: descriptor.as_raw_fd(), birth: Some(Birth::now()) });
        Ok(Mq { temporary, ..Mq::of(descriptor, &attributes, Some(name)) })
    }

    /// Opens a queue that exists.
    ///
    /// Errors: `ENOENT`; `EPERM` if it belongs to another user; `EACCES`; [`Failure::WrongSize`] if its messages are smaller than asked for;
    /// `EMFILE`, `ENFILE`.
    pub fn open(name: &str, options: &MqOptions<'_>) -> Result<Mq> {
        const OPERATION: &str = "open message queue";
        let bare = name::object_name(OPERATION, name, LONGEST_NAME)?;
        let missing = |error: &Error| error.is(Errno::ENOENT);
        await_creator(OPERATION, options.wait_for_creator, missing, || open(OPERATION, name, bare, options))
    }

    /// Opens the queue, or creates it if there is none. The capacity counts only for the one who creates.
    pub fn open_or_create(name: &str, options: &MqOptions<'_>) -> Result<Mq> {
        let at_once = MqOptions { wait_for_creator: Wait::NEVER, ..options.clone() };
        loop {
            match Mq::open(name, &at_once) {
                Err(error) if error.is(Errno::ENOENT) => {}
                other => return other,
            }
            match Mq::create(name, options) {
                Err(error) if error.is(Errno::EEXIST) => {}
                other => return other,
            }
        }
    }

    /// Removes the name of a temporary one now, as dropping the handle does, and lets it be used on: for the end of a process, whose threads may still
    /// have it.
    pub fn remove_temporary(&self) {
        if let Some(temporary) = &self.temporary {
            temporary.remove();
        }
    }

    /// Removes the name. Who has the queue open goes on using it.
    pub fn unlink(name: &str) -> Result<()> {
        const OPERATION: &str = "unlink message queue";
        unlink(name::object_name(OPERATION, name, LONGEST_NAME)?).during_on(OPERATION, name)
    }

    /// A queue of a descriptor from elsewhere. What is no message queue is given back, with [`Failure::WrongKind`].
    pub fn from_descriptor(descriptor: OwnedFd) -> std::result::Result<Mq, (OwnedFd, Error)> {
        const OPERATION: &str = "adopt message queue";
        let found = attributes(descriptor.as_fd()).map_err(|errno| match errno {
            Errno::EBADF => Error::failure(OPERATION, Failure::WrongKind).hint("the descriptor is no message queue"),
            errno => Error::os(OPERATION, errno),
        });
        match found.and_then(|found| close_on_exec(descriptor.as_fd()).during(OPERATION).map(|()| found)) {
            Ok(found) => Ok(Mq::of(descriptor, &found, None)),
            Err(error) => Err((descriptor, error)),
        }
    }

    /// The descriptor, for somebody else to own. The name stays, also of a temporary queue.
    pub fn into_descriptor(mut self) -> OwnedFd {
        if let Some(temporary) = &mut self.temporary {
            temporary.birth = None;
        }
        self.descriptor
    }

    /// Sends a message, of a priority up to [`HIGHEST_PRIORITY`]; the highest is received first.
    ///
    /// Errors: `EMSGSIZE` above the queue's limit; `EINVAL` for a priority that there is not; `EBADF` on a queue opened for receiving; `EAGAIN`,
    /// `ETIMEDOUT`, `ECANCELED` while it is full (see [`Wait`]).
    pub fn send<'a>(&self, message: &[u8], priority: u32, wait: impl Into<Wait<'a>>) -> Result<()> {
        const OPERATION: &str = "send to message queue";
        if priority > HIGHEST_PRIORITY {
            let remedy = format!("the priority is {priority}, the highest {HIGHEST_PRIORITY}");
            return Err(self.named(Error::os(OPERATION, Errno::EINVAL).hint(remedy)));
        }
        let mut deadline = Deadline::new(OPERATION, wait);
        let mut is_plain = deadline.is_plain();
        loop {
            let until = PAST;
            let until = if is_plain { std::ptr::null() } else { &raw const until };
            // SAFETY: the message is valid for its length, the time NULL or a timespec.
            let result = check(unsafe {
                libc::syscall(libc::SYS_mq_timedsend, self.descriptor.as_raw_fd(), message.as_ptr(), message.len(), priority, until)
            });
            match result {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                // A description that somebody has made non-blocking says EAGAIN.
                Err(Errno::ETIMEDOUT | Errno::EAGAIN) => {
                    is_plain = false;
                    deadline.ready(self.as_fd(), libc::POLLOUT).map_err(|error| self.named(error))?;
                }
                Err(errno) => return Err(self.explain_transfer(OPERATION, errno, message.len())),
            }
        }
    }

    /// Receives the oldest message of the highest priority; tells its length and priority.
    ///
    /// The buffer must hold the largest message that the queue takes, whatever comes: else `EMSGSIZE`, and the message stays
    /// ([`largest`](Mq::largest) says what is needed). Other errors: `EBADF` on a queue opened for sending; `EAGAIN`, `ETIMEDOUT`, `ECANCELED`
    /// while it is empty.
    pub fn receive<'a>(&self, buffer: &mut [u8], wait: impl Into<Wait<'a>>) -> Result<MessageInfo> {
        // SAFETY: bytes that are initialised may be taken for bytes that need not be; receiving only ever initialises.
        let buffer = unsafe { &mut *(std::ptr::from_mut(buffer) as *mut [MaybeUninit<u8>]) };
        self.receive_raw(buffer, wait.into())
    }

    /// [`receive`](Mq::receive) into a vector of the right size.
    pub fn receive_vec<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<(Vec<u8>, MessageInfo)> {
        let mut message = Vec::new();
        if message.try_reserve_exact(self.largest).is_err() {
            return Err(self.named(Error::os("receive from message queue", Errno::ENOMEM)));
        }
        let info = self.receive_raw(message.spare_capacity_mut(), wait.into())?;
        // SAFETY: the kernel has filled as many bytes.
        unsafe { message.set_len(info.size) };
        Ok((message, info))
    }

    fn receive_raw(&self, buffer: &mut [MaybeUninit<u8>], wait: Wait<'_>) -> Result<MessageInfo> {
        const OPERATION: &str = "receive from message queue";
        let mut deadline = Deadline::new(OPERATION, wait);
        let mut is_plain = deadline.is_plain();
        if !is_plain && !deadline.never_waits() && buffer.len() >= self.largest && self.sleeps.load(Ordering::Relaxed) {
            deadline.ready(self.as_fd(), libc::POLLIN).map_err(|error| self.named(error))?;
            self.sleeps.store(false, Ordering::Relaxed);
        }
        loop {
            let until = PAST;
            let until = if is_plain { std::ptr::null() } else { &raw const until };
            let mut priority: libc::c_uint = 0;
            // SAFETY: the buffer is valid for its length, the priority valid to write to, the time NULL or a timespec.
            let result = check(unsafe {
                let (place, length) = (buffer.as_mut_ptr(), buffer.len());
                libc::syscall(libc::SYS_mq_timedreceive, self.descriptor.as_raw_fd(), place, length, &mut priority, until)
            });
            match result {
                Ok(size) => return Ok(MessageInfo { size: size as usize, priority, ..Default::default() }),
                Err(Errno::EINTR) => {}
                Err(Errno::ETIMEDOUT | Errno::EAGAIN) => {
                    is_plain = false;
                    deadline.ready(self.as_fd(), libc::POLLIN).map_err(|error| self.named(error))?;
                    self.sleeps.store(true, Ordering::Relaxed);
                }
                Err(errno) => return Err(self.explain_transfer(OPERATION, errno, buffer.len())),
            }
        }
    }

    /// Asks for a signal, with a value, when a message comes into the empty queue and nobody waits in a receive. Once: ask again, and then
    /// empty the queue, or a message that came in between is told of by nobody.
    ///
    /// Only one process can be told: else `EBUSY`. `EINVAL` for what is no signal. [`AsFd`] is there for poll, and has no such limits.
    pub fn notify_signal(&self, signal: i32, value: isize) -> Result<()> {
        const OPERATION: &str = "ask for notice of message queue";
        // Signal 0 would be accepted, and never be sent.
        if signal <= 0 {
            return Err(self.named(Error::os(OPERATION, Errno::EINVAL).hint("there is no such signal")));
        }
        // SAFETY: zero bytes are a valid sigevent.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = signal;
        event.sigev_value.sival_ptr = value as *mut libc::c_void;
        self.set_notice(OPERATION, &event)
    }

    /// Takes back what [`notify_signal`](Mq::notify_signal) has asked for. Nothing happens if this process has not asked.
    pub fn cancel_notify(&self) -> Result<()> {
        self.set_notice("cancel notice of message queue", std::ptr::null())
    }

    fn set_notice(&self, operation: &'static str, event: *const libc::sigevent) -> Result<()> {
        // SAFETY: the event is NULL or valid to read.
        let result = check(unsafe { libc::syscall(libc::SYS_mq_notify, self.descriptor.as_raw_fd(), event) });
        result.map(drop).map_err(|errno| {
            let error = self.named(Error::os(operation, errno));
            if errno == Errno::EBUSY { error.hint("somebody is told of this queue already, and only one can be") } else { error }
        })
    }

    /// What the queue is like now.
    pub fn attributes(&self) -> Result<MqAttributes> {
        attributes(self.as_fd()).map_err(|errno| self.named(Error::os("ask message queue", errno)))
    }

    /// How many messages it holds.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The largest message in bytes, and so the smallest buffer to receive into.
    pub fn largest(&self) -> usize {
        self.largest
    }

    fn of(descriptor: OwnedFd, attributes: &MqAttributes, name: Option<&str>) -> Mq {
        let MqAttributes { capacity, largest, .. } = *attributes;
        Mq { temporary: None, descriptor, name: name.map(Into::into), capacity, largest, sleeps: AtomicBool::new(false) }
    }

    fn named(&self, error: Error) -> Error {
        match &self.name {
            Some(name) => error.on(name.clone()),
            None => error,
        }
    }

    #[cold]
    fn explain_transfer(&self, operation: &'static str, errno: Errno, length: usize) -> Error {
        let error = self.named(Error::os(operation, errno));
        let is_access = |wanted| access_mode(self.as_fd()) == Ok(wanted);
        match errno {
            Errno::EMSGSIZE if operation.starts_with("send") => {
                error.hint(format!("the message has {length} bytes, the queue's limit is {}", self.largest))
            }
            Errno::EMSGSIZE => error.hint(format!("the buffer has {length} bytes, and the queue needs {}", self.largest)),
            Errno::EBADF if is_access(libc::O_RDONLY) => error.hint("it is open for receiving alone"),
            Errno::EBADF if is_access(libc::O_WRONLY) => error.hint("it is open for sending alone"),
            _ => error,
        }
    }
}

impl AsFd for Mq {
    /// Readable while there is a message, writable while there is room: for poll, epoll and event loops.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// A deadline that makes a timed call an attempt.
const PAST: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 0 };

/// `struct mq_attr` as the kernel has it.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct KernelAttributes {
    flags: libc::c_long,
    capacity: libc::c_long,
    largest: libc::c_long,
    queued: libc::c_long,
    reserved: [libc::c_long; 4],
}

/// A name that its maker removes when it drops its handle: not in a child made by `fork`.
///
/// A queue has one name and cannot be renamed, so its count of links says whether the name still is its own. Between the question and the removal
/// somebody else may unlink and create anew: the kernel has no call that does both.
#[derive(Debug)]
struct Temporary {
    name: Box<str>,
    /// The handle's, which is still open when this is dropped.
    descriptor: libc::c_int,
    /// `None` once the name is to stay.
    birth: Option<Birth>,
}

impl Temporary {
    fn remove(&self) {
        // SAFETY: the handle's descriptor is open until after this.
        let descriptor = unsafe { BorrowedFd::borrow_raw(self.descriptor) };
        if self.birth.is_some_and(Birth::is_here) && status(descriptor).is_ok_and(|status| status.st_nlink > 0) {
            // Nobody is left to tell.
            let _ = unlink(&self.name);
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        self.remove();
    }
}

fn flags_of(access: MqAccess) -> libc::c_int {
    match access {
        MqAccess::Both => libc::O_RDWR,
        MqAccess::Receive => libc::O_RDONLY,
        MqAccess::Send => libc::O_WRONLY,
    }
}

/// What the kernel is to be asked for; `None` leaves both sizes to it. It takes both or none.
fn wanted(options: &MqOptions<'_>) -> Option<KernelAttributes> {
    if options.capacity == 0 && options.largest == 0 {
        return None;
    }
    let size = |asked: usize, limit: &str, otherwise: u64| match asked {
        0 => {
            let of_system = |what| limits::system(&format!("fs/mqueue/{limit}_{what}"));
            of_system("default").unwrap_or(otherwise).min(of_system("max").unwrap_or(otherwise)) as libc::c_long
        }
        asked => libc::c_long::try_from(asked).unwrap_or(libc::c_long::MAX),
    };
    Some(KernelAttributes {
        capacity: size(options.capacity, "msg", 10),
        largest: size(options.largest, "msgsize", 8192),
        ..Default::default()
    })
}

fn open(operation: &'static str, name: &str, bare: &str, options: &MqOptions<'_>) -> Result<Mq> {
    let descriptor = open_queue(bare, flags_of(options.access), 0, None).map_err(|errno| explain(operation, name, errno, None))?;
    let owner = status(descriptor.as_fd()).during_on(operation, name)?.st_uid;
    name::trust_owner(operation, name, owner, options.any_owner)?;
    let attributes = attributes(descriptor.as_fd()).during_on(operation, name)?;
    if attributes.largest < options.largest {
        let remedy = format!("its messages have at most {} bytes, and {} are needed", attributes.largest, options.largest);
        return Err(Error::failure(operation, Failure::WrongSize).on(name).hint(remedy));
    }
    Ok(Mq::of(descriptor, &attributes, Some(name)))
}

/// `mq_open`, close-on-exec. The kernel wants the name without its slash.
fn open_queue(
    bare: &str,
    flags: libc::c_int,
    mode: libc::mode_t,
    attributes: Option<&KernelAttributes>,
) -> std::result::Result<OwnedFd, Errno> {
    let name = c_path(bare)?;
    let attributes = attributes.map_or(std::ptr::null(), std::ptr::from_ref);
    loop {
        // SAFETY: the name is NUL-terminated, the attributes NULL or valid to read.
        match check(unsafe { libc::syscall(libc::SYS_mq_open, name.as_ptr(), flags | libc::O_CLOEXEC, mode, attributes) }) {
            // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
            Ok(raw) => return Ok(unsafe { OwnedFd::from_raw_fd(raw as libc::c_int) }),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

fn unlink(bare: &str) -> std::result::Result<(), Errno> {
    let name = c_path(bare)?;
    // SAFETY: the name is NUL-terminated and lives through the call.
    check(unsafe { libc::syscall(libc::SYS_mq_unlink, name.as_ptr()) })?;
    Ok(())
}

/// `EBADF` for a descriptor that is no queue.
fn attributes(descriptor: BorrowedFd<'_>) -> std::result::Result<MqAttributes, Errno> {
    let mut found = KernelAttributes::default();
    let none = std::ptr::null::<KernelAttributes>();
    // SAFETY: nothing is set, and the place is valid to write to.
    check(unsafe { libc::syscall(libc::SYS_mq_getsetattr, descriptor.as_raw_fd(), none, &mut found) })?;
    Ok(MqAttributes { capacity: found.capacity as usize, largest: found.largest as usize, queued: found.queued as usize })
}

/// Names the limit that was met.
#[cold]
fn explain(operation: &'static str, name: &str, errno: Errno, wanted: Option<&KernelAttributes>) -> Error {
    let error = Error::os(operation, errno).on(name);
    let (capacity, largest) = wanted.map_or((0, 0), |wanted| (wanted.capacity as u64, wanted.largest as u64));
    match errno {
        Errno::ENOSYS => Error::failure(operation, Failure::Unavailable).on(name).hint("this kernel has no POSIX message queues"),
        Errno::EMFILE if open_raw("/", libc::O_PATH, 0).is_err() => error.hint("no descriptor is left: RLIMIT_NOFILE"),
        Errno::EMFILE => {
            // The kernel counts 48 bytes for a message and 48 for a priority in use.
            let needed =
                if wanted.is_some() { human_size(capacity.saturating_mul(largest.saturating_add(96))) } else { "its bytes".to_owned() };
            let limit = limits::queue_bytes().map_or("unlimited".to_owned(), human_size);
            error.hint(format!("all queues of this user together may have {limit} (RLIMIT_MSGQUEUE); {needed} more would be too much"))
        }
        Errno::EINVAL | Errno::EOVERFLOW => error.hint(format!(
            "{capacity} messages of {largest} bytes are wanted; {}, {}; beyond it takes CAP_SYS_RESOURCE, up to 65536 messages of 16 MiB",
            limits::told("fs/mqueue/msg_max"),
            limits::told("fs/mqueue/msgsize_max")
        )),
        Errno::ENOSPC => error.hint(format!("there are too many queues: {}", limits::told("fs/mqueue/queues_max"))),
        _ => error,
    }
}
