//! System V message queues: messages with a type, of which a receiver chooses.
//!
//! A queue is found by a number, its key, which [`sysv_key`](crate::name::sysv_key) makes of a path. It outlives its users until it is removed or
//! the machine restarts, and a private one (no key) does so, too: whoever is killed leaves it behind, and `ipcs -q` shows it.
//!
//! Three races belong to it. Two processes that both create: [`SysvQueue::create`] is exclusive, [`SysvQueue::open_or_create`] opens first.
//! A queue that somebody has made under the key before: whoever opens one looks at who owns and who made it. And a removal while somebody waits,
//! or between two calls: both are told as `EIDRM`, and an identifier that the kernel gives out again is another number.
//!
//! It is no descriptor, and the kernel gives its waits no limit. A wait with a limit or a stop token therefore probes, from every 50 µs to every
//! 10 ms; without either it is one plain blocking system call. A message that could never fit would wait for ever: it is an error.
//!
//! [sysvipc(7)](https://man7.org/linux/man-pages/man7/sysvipc.7.html), [msgop(2)](https://man7.org/linux/man-pages/man2/msgop.2.html),
//! [msgctl(2)](https://man7.org/linux/man-pages/man2/msgctl.2.html)

use std::mem::MaybeUninit;

use libc::c_long;
use nix::errno::Errno;

use super::{MessageInfo, limits};
use crate::error::{Error, Failure, Result, check};
use crate::name;
use crate::process::Birth;
use crate::sysv::{Row, check_key, check_owner, gone, key_in_words, on_key};
use crate::wait::{Deadline, Wait, await_creator};

const OPEN: &str = "open System V queue";
const CREATE: &str = "create System V queue";
const SEND: &str = "send to System V queue";
const RECEIVE: &str = "receive from System V queue";

/// How a queue is made and opened.
#[derive(Debug, Clone)]
pub struct SysvQueueOptions<'a> {
    /// Create: how many bytes of messages it holds; 0 is the system's choice, `kernel.msgmnb`, and more than that takes `CAP_SYS_RESOURCE`.
    pub limit: usize,
    /// Create: the permissions; 0 is 0600.
    pub mode: u32,
    /// Create: the group, by name or number.
    pub group: Option<String>,
    /// Open: accept a queue of a user other than oneself and root.
    pub any_owner: bool,
    /// Create: remove the queue when the creator drops its handle.
    pub temporary: bool,
    /// Open: how long to wait for another process to create it.
    pub wait_for_creator: Wait<'a>,
}

impl Default for SysvQueueOptions<'_> {
    /// Of the system's size, for the owner alone, not waiting for a creator.
    fn default() -> Self {
        SysvQueueOptions { limit: 0, mode: 0, group: None, any_owner: false, temporary: false, wait_for_creator: Wait::NEVER }
    }
}

/// Which message a receiver wants. Within a choice the oldest comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Which {
    /// The oldest, whatever its type.
    #[default]
    Any,
    /// The oldest of this type, at least 1.
    Type(i64),
    /// Of the lowest type there is, up to this one, at least 1.
    LowestUpTo(i64),
    /// The oldest of any type but this one, at least 1.
    AllBut(i64),
}

/// What a queue is like at a moment. Times are in seconds since 1970, 0 for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SysvQueueStatus {
    /// The kernel's number of it.
    pub id: i32,
    /// Its key; 0 for a private one.
    pub key: i32,
    /// How many messages are in it.
    pub messages: u64,
    /// How many bytes these have.
    pub bytes: u64,
    /// How many bytes it holds, and how many messages.
    pub limit: u64,
    /// The process that sent last, 0 for none.
    pub last_sender_pid: i32,
    /// The process that received last, 0 for none.
    pub last_receiver_pid: i32,
    /// When it was sent to last.
    pub sent_at: i64,
    /// When it was received from last.
    pub received_at: i64,
    /// When it was made, or its limit or rights were changed.
    pub changed_at: i64,
    /// Its permissions.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Who made it, and has an owner's rights as well.
    pub creator_uid: u32,
    /// The group of who made it.
    pub creator_gid: u32,
}

/// A System V message queue. A handle costs nothing but memory, works in children made by `fork`, and the queue stays until it is removed.
#[derive(Debug)]
pub struct SysvQueue {
    id: i32,
    key: Option<i32>,
    /// Who removes it at the end.
    temporary: Option<Birth>,
}

impl SysvQueue {
    /// Creates a queue, exclusively: `EEXIST` if the key is taken.
    ///
    /// Errors: `EINVAL` for the key 0 ([`create_private`](SysvQueue::create_private) makes queues without a key), a bad mode or group; `ENOSPC` for too many
    /// queues; `EPERM` for a limit that takes privilege, or a group of others; `ENOMEM`. The text names the limit.
    pub fn create(key: i32, options: &SysvQueueOptions<'_>) -> Result<SysvQueue> {
        check_key(CREATE, key, "queues")?;
        make(key, options)
    }

    /// Creates a queue without a key, for who is told its [`id`](SysvQueue::id), and for children made by `fork`. Errors as [`create`](SysvQueue::create).
    pub fn create_private(options: &SysvQueueOptions<'_>) -> Result<SysvQueue> {
        make(libc::IPC_PRIVATE, options)
    }

    /// Opens a queue that exists.
    ///
    /// Errors: `ENOENT`; `EPERM` if it belongs to, or was made by, another user; `EINVAL` for the key 0.
    pub fn open(key: i32, options: &SysvQueueOptions<'_>) -> Result<SysvQueue> {
        check_key(OPEN, key, "queues")?;
        let missing = |error: &Error| error.is(Errno::ENOENT);
        await_creator(OPEN, options.wait_for_creator, missing, || {
            // SAFETY: msgget takes integers.
            let id = check(unsafe { libc::msgget(key, 0) }).map_err(|errno| on_key(OPEN, errno, key))?;
            match adopt(id, Some(key), options.any_owner) {
                // Removed since: so there is none.
                Err(error) if error.is(Errno::EIDRM) => Err(on_key(OPEN, Errno::ENOENT, key)),
                other => other,
            }
        })
    }

    /// Opens the queue, or creates it if there is none. The limit counts only for the one who creates.
    pub fn open_or_create(key: i32, options: &SysvQueueOptions<'_>) -> Result<SysvQueue> {
        let at_once = SysvQueueOptions { wait_for_creator: Wait::NEVER, ..options.clone() };
        loop {
            match SysvQueue::open(key, &at_once) {
                Err(error) if error.is(Errno::ENOENT) => {}
                other => return other,
            }
            match SysvQueue::create(key, options) {
                Err(error) if error.is(Errno::EEXIST) => {}
                other => return other,
            }
        }
    }

    /// Opens a queue by its identifier, which its maker has told. Errors: `EIDRM` if there is none; `EPERM` as [`open`](SysvQueue::open).
    pub fn open_id(id: i32, options: &SysvQueueOptions<'_>) -> Result<SysvQueue> {
        adopt(id, None, options.any_owner)
    }

    /// Removes the queue of a key, with all that is in it: who waits in it is told, by `EIDRM`. `ENOENT` if there is none; `EPERM`.
    pub fn remove_key(key: i32) -> Result<()> {
        const OPERATION: &str = "remove System V queue";
        check_key(OPERATION, key, "queues")?;
        // SAFETY: msgget takes integers.
        let id = check(unsafe { libc::msgget(key, 0) }).map_err(|errno| on_key(OPERATION, errno, key))?;
        SysvQueue { id, key: Some(key), temporary: None }.remove()
    }

    /// Removes the queue with all that is in it: who waits in it is told, by `EIDRM`. `EIDRM` if it is gone already; `EPERM` for a stranger.
    pub fn remove(&self) -> Result<()> {
        const OPERATION: &str = "remove System V queue";
        control(self.id, libc::IPC_RMID, std::ptr::null_mut()).map_err(|errno| self.explain(OPERATION, gone(errno)))
    }

    /// The kernel's number for it, as `ipcs -q` shows it.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// The key that it was made or opened by.
    pub fn key(&self) -> Option<i32> {
        self.key
    }

    /// Sends a message of a type, at least 1.
    ///
    /// Errors: `EINVAL` for another type; `EMSGSIZE` above `kernel.msgmax`, or above the queue's own limit; `EACCES`; `EIDRM` when the queue is
    /// removed, before or meanwhile; `EAGAIN`, `ETIMEDOUT`, `ECANCELED` while it is full (see [`Wait`]).
    pub fn send<'a>(&self, message: &[u8], kind: i64, wait: impl Into<Wait<'a>>) -> Result<()> {
        check_type(SEND, kind)?;
        with_room(message.len(), |room| {
            let packed = pack(room.ok_or_else(|| self.named(Error::os(SEND, Errno::ENOMEM)))?, kind, message);
            let mut deadline = Deadline::new(SEND, wait);
            let mut is_first = true;
            let mut flags = libc::IPC_NOWAIT;
            loop {
                // SAFETY: a type and as many bytes as told stand there.
                match check(unsafe { libc::msgsnd(self.id, packed, message.len(), flags) }) {
                    Ok(_) => return Ok(()),
                    Err(Errno::EINTR) => {}
                    Err(Errno::EAGAIN) if is_first => {
                        is_first = false;
                        self.refuse_what_never_fits(message.len())?;
                        if deadline.is_plain() {
                            flags = 0;
                        } else {
                            deadline.pause().map_err(|error| self.named(error))?;
                        }
                    }
                    Err(Errno::EAGAIN) => deadline.pause().map_err(|error| self.named(error))?,
                    Err(errno) => return Err(self.explain_send(errno, message.len())),
                }
            }
        })
    }

    /// Receives a message; tells its length and type ([`MessageInfo::kind`]).
    ///
    /// Errors: `E2BIG` if the buffer is too small: the message stays, and the text and [`next_size`](SysvQueue::next_size) say what it takes, where
    /// the kernel lets us look; `EINVAL` for a type below 1; `EACCES`; `EIDRM` when the queue is removed, before or meanwhile; `EAGAIN`, `ETIMEDOUT`,
    /// `ECANCELED` while there is no such message.
    pub fn receive<'a>(&self, buffer: &mut [u8], which: Which, wait: impl Into<Wait<'a>>) -> Result<MessageInfo> {
        self.receive_into(buffer, which, 0, wait.into())
    }

    /// As [`receive`](SysvQueue::receive), but what does not fit into the buffer is lost, and nobody can tell whether something was.
    pub fn receive_cut<'a>(&self, buffer: &mut [u8], which: Which, wait: impl Into<Wait<'a>>) -> Result<MessageInfo> {
        self.receive_into(buffer, which, libc::MSG_NOERROR, wait.into())
    }

    /// [`receive`](SysvQueue::receive) into a vector of the right size.
    pub fn receive_vec<'a>(&self, which: Which, wait: impl Into<Wait<'a>>) -> Result<(Vec<u8>, MessageInfo)> {
        let wait = wait.into();
        let selected = selection(which)?;
        let mut deadline = Deadline::new(RECEIVE, wait);
        let mut capacity = SMALL;
        loop {
            let outcome = with_room(capacity, |room| {
                let room = room.ok_or_else(|| self.named(Error::os(RECEIVE, Errno::ENOMEM)))?;
                match self.receive_raw(room, capacity, selected, 0, &mut deadline)? {
                    Some(info) => Ok(Some((payload(room, info.size).to_vec(), info))),
                    None => Ok(None),
                }
            })?;
            match outcome {
                Some(received) => return Ok(received),
                None if capacity > i32::MAX as usize / 2 => return Err(self.too_small(selected, capacity)),
                // Mostly the next size is enough: no message is larger than msgmax was when it was sent.
                None => capacity = (2 * capacity).max(limits::system("kernel/msgmax").unwrap_or(0).min(i32::MAX as u64) as usize),
            }
        }
    }

    /// The length of the message that such a receive would give now, `None` if there is none. Somebody else may receive it first.
    ///
    /// [`Failure::Unavailable`] where the kernel does not let us look: it is built without `CONFIG_CHECKPOINT_RESTORE`, or `kernel.msgmax` has been lowered
    /// below the size of a message that is there.
    pub fn next_size(&self, which: Which) -> Result<Option<usize>> {
        self.look_ahead(selection(which)?, &mut 0, c_long::MAX)
    }

    /// Whether there is such a message, looking from the one at `from` on, and no longer than `budget` steps: the kernel walks to each from the first.
    ///
    /// `from` is where the next look goes on, from the first when the last has been seen.
    pub(crate) fn has_one(&self, which: Which, from: &mut c_long, budget: c_long) -> Result<bool> {
        self.look_ahead(selection(which)?, from, budget).map(|size| size.is_some())
    }

    /// What the queue is like now. `EACCES` without the right to read; `EIDRM`.
    pub fn status(&self) -> Result<SysvQueueStatus> {
        const OPERATION: &str = "ask System V queue";
        raw_status(self.id).map(|raw| told(self.id, &raw)).map_err(|errno| self.explain(OPERATION, gone(errno)))
    }

    /// Changes how many bytes of messages it holds. `EINVAL` for none; `EPERM` above `kernel.msgmnb` without
    /// privilege, or for a stranger; `EIDRM`.
    pub fn set_limit(&self, bytes: usize) -> Result<()> {
        const OPERATION: &str = "set limit of System V queue";
        if bytes == 0 {
            return Err(self.named(Error::os(OPERATION, Errno::EINVAL).hint("a queue holds at least one byte")));
        }
        self.change(OPERATION, |raw| raw.msg_qbytes = bytes as libc::msglen_t)
    }

    /// Changes the permissions; 0 is 0600. `EINVAL` for bits beyond 0777; `EPERM` for a stranger; `EIDRM`.
    pub fn set_mode(&self, mode: u32) -> Result<()> {
        const OPERATION: &str = "set mode of System V queue";
        let mode = name::permissions(OPERATION, mode)?;
        self.change(OPERATION, |raw| raw.msg_perm.mode = mode as _)
    }

    /// Changes owner, group or both; `None` leaves it. Whoever made the queue keeps an owner's rights. `EPERM` for a stranger; `EINVAL`; `EIDRM`.
    pub fn set_owner(&self, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
        const OPERATION: &str = "set owner of System V queue";
        check_owner(OPERATION, uid, gid).map_err(|error| self.named(error))?;
        self.change(OPERATION, |raw| {
            raw.msg_perm.uid = uid.unwrap_or(raw.msg_perm.uid);
            raw.msg_perm.gid = gid.unwrap_or(raw.msg_perm.gid);
        })
    }

    fn change(&self, operation: &'static str, change: impl FnOnce(&mut libc::msqid_ds)) -> Result<()> {
        let mut raw = raw_status(self.id).map_err(|errno| self.explain(operation, gone(errno)))?;
        change(&mut raw);
        let is_more = limits::system("kernel/msgmnb").is_some_and(|limit| limit_of(&raw) > limit);
        control(self.id, libc::IPC_SET, &mut raw).map_err(|errno| {
            let error = self.explain(operation, gone(errno));
            match errno {
                Errno::EPERM if is_more => error.hint(format!("{}; beyond it takes CAP_SYS_RESOURCE", limits::told("kernel/msgmnb"))),
                _ => error,
            }
        })
    }

    fn receive_into(&self, buffer: &mut [u8], which: Which, flags: libc::c_int, wait: Wait<'_>) -> Result<MessageInfo> {
        let selected = selection(which)?;
        let mut deadline = Deadline::new(RECEIVE, wait);
        with_room(buffer.len(), |room| {
            let room = room.ok_or_else(|| self.named(Error::os(RECEIVE, Errno::ENOMEM)))?;
            match self.receive_raw(room, buffer.len(), selected, flags, &mut deadline)? {
                Some(info) => {
                    buffer[..info.size].copy_from_slice(payload(room, info.size));
                    Ok(info)
                }
                None => Err(self.too_small(selected, buffer.len())),
            }
        })
    }

    /// `None` if the message is larger than the room.
    fn receive_raw(
        &self,
        room: &mut [MaybeUninit<c_long>],
        capacity: usize,
        (selector, except): Selection,
        flags: libc::c_int,
        deadline: &mut Deadline<'_>,
    ) -> Result<Option<MessageInfo>> {
        let flags = flags | except | if deadline.is_plain() { 0 } else { libc::IPC_NOWAIT };
        loop {
            // SAFETY: there is room for a type and as many bytes as told.
            match check(unsafe { libc::msgrcv(self.id, room.as_mut_ptr().cast(), capacity, selector, flags) }) {
                Ok(size) => {
                    // SAFETY: the kernel has written the type there.
                    let kind = kind_of(unsafe { room[0].assume_init() });
                    return Ok(Some(MessageInfo { size: size as usize, kind, ..Default::default() }));
                }
                Err(Errno::EINTR) => {}
                Err(Errno::E2BIG) => return Ok(None),
                Err(Errno::ENOMSG) => deadline.pause().map_err(|error| self.named(error))?,
                Err(errno) => return Err(self.explain(RECEIVE, gone(errno))),
            }
        }
    }

    /// A message larger than the whole queue would wait for ever.
    fn refuse_what_never_fits(&self, length: usize) -> Result<()> {
        match raw_status(self.id) {
            Ok(raw) if length as u64 > limit_of(&raw) => {
                let remedy = format!("the message has {length} bytes, the queue holds {}", raw.msg_qbytes);
                Err(self.named(Error::os(SEND, Errno::EMSGSIZE).hint(remedy)))
            }
            // Who may not read may not ask.
            _ => Ok(()),
        }
    }

    #[cold]
    fn explain_send(&self, errno: Errno, length: usize) -> Error {
        // The kernel has one word for a message that is too long and a queue that is gone.
        if errno == Errno::EINVAL && !is_gone(self.id) {
            let remedy = format!("the message has {length} bytes; {}", limits::told("kernel/msgmax"));
            return self.named(Error::os(SEND, Errno::EMSGSIZE).hint(remedy));
        }
        self.explain(SEND, gone(errno))
    }

    #[cold]
    fn too_small(&self, selected: Selection, capacity: usize) -> Error {
        let error = self.named(Error::os(RECEIVE, Errno::E2BIG));
        match self.look_ahead(selected, &mut 0, c_long::MAX) {
            Ok(Some(size)) if size > capacity => error.hint(format!("the buffer has {capacity} bytes, the message {size}")),
            _ => error.hint(format!("the buffer has {capacity} bytes, and the message more")),
        }
    }

    /// Copies the messages one after the other, and takes none, until it meets the one that such a receive would give.
    fn look_ahead(&self, (selector, except): Selection, from: &mut c_long, budget: c_long) -> Result<Option<usize>> {
        const OPERATION: &str = "look ahead in System V queue";
        let largest = |raw: libc::msqid_ds| limit_of(&raw).max(limits::system("kernel/msgmax").unwrap_or(0));
        let capacity =
            raw_status(self.id).map(largest).map_err(|errno| self.explain(OPERATION, gone(errno)))?.min(i32::MAX as u64) as usize;
        with_room(capacity, |room| {
            let room = room.ok_or_else(|| self.named(Error::os(OPERATION, Errno::ENOMEM)))?;
            let mut best: Option<(c_long, usize)> = None;
            let mut steps: c_long = 0;
            for index in std::mem::take(from).. {
                steps = steps.saturating_add(index);
                if steps > budget {
                    *from = index;
                    break;
                }
                let flags = libc::MSG_COPY | libc::IPC_NOWAIT;
                // SAFETY: there is room for a type and as many bytes as told.
                let size = match check(unsafe { libc::msgrcv(self.id, room.as_mut_ptr().cast(), capacity, index, flags) }) {
                    Ok(size) => size as usize,
                    Err(Errno::ENOMSG) => break,
                    Err(Errno::EINTR) => continue,
                    Err(Errno::ENOSYS) => {
                        let remedy = "this kernel is built without CONFIG_CHECKPOINT_RESTORE, and so without MSG_COPY";
                        return Err(self.named(Error::failure(OPERATION, Failure::Unavailable).hint(remedy)));
                    }
                    // The kernel copies no message that is larger than it would take now, and has the same word for a queue that is gone.
                    Err(Errno::EINVAL | Errno::E2BIG) if !is_gone(self.id) => {
                        let remedy = format!("a message is larger than one may be now; {}", limits::told("kernel/msgmax"));
                        return Err(self.named(Error::failure(OPERATION, Failure::Unavailable).hint(remedy)));
                    }
                    Err(errno) => return Err(self.explain(OPERATION, gone(errno))),
                };
                // SAFETY: the kernel has written the type there.
                let kind = unsafe { room[0].assume_init() };
                let is_lower = kind <= selector.saturating_neg() && best.is_none_or(|(lowest, _)| kind < lowest);
                match selector {
                    0 => return Ok(Some(size)),
                    1.. if (kind == selector) == (except == 0) => return Ok(Some(size)),
                    ..0 if is_lower => best = Some((kind, size)),
                    _ => {}
                }
            }
            Ok(best.map(|(_, size)| size))
        })
    }

    fn named(&self, error: Error) -> Error {
        error.on(match self.key {
            Some(key) => key_in_words(key),
            None => format!("id {}", self.id),
        })
    }

    #[cold]
    fn explain(&self, operation: &'static str, errno: Errno) -> Error {
        let error = self.named(Error::os(operation, errno));
        if errno == Errno::EIDRM { error.hint("the queue was removed") } else { error }
    }
}

impl Drop for SysvQueue {
    fn drop(&mut self) {
        self.remove_temporary();
    }
}

impl SysvQueue {
    /// Removes a temporary one now, as dropping the handle does: for the end of a process, whose threads may still have it.
    pub fn remove_temporary(&self) {
        if self.temporary.is_some_and(Birth::is_here) {
            // An identifier is never another queue's. Nobody is left to tell if it is gone.
            let _ = control(self.id, libc::IPC_RMID, std::ptr::null_mut());
        }
    }
}

/// Messages up to this many bytes pass through the stack: the kernel wants type and bytes in one piece.
const SMALL: usize = 4096;
const HEAD: usize = size_of::<c_long>();

/// The kernel's selector, and `MSG_EXCEPT` or 0.
type Selection = (c_long, libc::c_int);

fn selection(which: Which) -> Result<Selection> {
    let checked = |kind| check_type(RECEIVE, kind).map(|()| kind as c_long);
    Ok(match which {
        Which::Any => (0, 0),
        Which::Type(kind) => (checked(kind)?, 0),
        Which::LowestUpTo(kind) => (-checked(kind)?, 0),
        Which::AllBut(kind) => (checked(kind)?, libc::MSG_EXCEPT),
    })
}

/// On 32-bit systems a type has 32 bits.
fn check_type(operation: &'static str, kind: i64) -> Result<()> {
    if kind >= 1 && c_long::try_from(kind).is_ok() {
        return Ok(());
    }
    Err(Error::os(operation, Errno::EINVAL).hint(format!("the type is {kind}, and types are from 1 to {}", c_long::MAX)))
}

#[allow(clippy::useless_conversion, reason = "on 32-bit systems the field is narrower")]
fn kind_of(raw: c_long) -> i64 {
    i64::from(raw)
}

/// Gives room for a type and `capacity` bytes, `None` if there is no memory for it.
fn with_room<T>(capacity: usize, work: impl FnOnce(Option<&mut [MaybeUninit<c_long>]>) -> T) -> T {
    if capacity <= SMALL {
        return work(Some(&mut [MaybeUninit::uninit(); SMALL / HEAD + 1]));
    }
    let mut room: Vec<c_long> = Vec::new();
    if room.try_reserve_exact(capacity.div_ceil(HEAD) + 1).is_err() {
        return work(None);
    }
    work(Some(room.spare_capacity_mut()))
}

/// Puts a message behind its type.
fn pack(room: &mut [MaybeUninit<c_long>], kind: i64, message: &[u8]) -> *const libc::c_void {
    room[0].write(kind as c_long);
    // SAFETY: the room has as many bytes behind the type, and is nobody else's.
    unsafe { std::ptr::copy_nonoverlapping(message.as_ptr(), room.as_mut_ptr().add(1).cast(), message.len()) };
    room.as_ptr().cast()
}

/// The first `size` bytes behind the type, which the kernel has written.
fn payload(room: &[MaybeUninit<c_long>], size: usize) -> &[u8] {
    assert!(size <= (room.len() - 1) * HEAD);
    // SAFETY: within the room, and written by the kernel, as the callers know.
    unsafe { std::slice::from_raw_parts(room.as_ptr().add(1).cast(), size) }
}

fn make(key: i32, options: &SysvQueueOptions<'_>) -> Result<SysvQueue> {
    let mode = name::permissions(CREATE, options.mode)?;
    let group = options.group.as_deref().map(|group| name::group(CREATE, group)).transpose()?;
    // Not more than the owner's rights until the group is right. No umask counts here.
    let flags = libc::IPC_CREAT | libc::IPC_EXCL | if group.is_some() { 0o600 } else { mode as libc::c_int };
    // SAFETY: msgget takes integers.
    let id = check(unsafe { libc::msgget(key, flags) }).map_err(|errno| match errno {
        Errno::ENOSPC => on_key(CREATE, errno, key).hint(format!("there are too many queues: {}", limits::told("kernel/msgmni"))),
        Errno::ENOSYS => Error::failure(CREATE, Failure::Unavailable).hint("this kernel has no System V message queues"),
        _ => on_key(CREATE, errno, key),
    })?;
    let key = (key != libc::IPC_PRIVATE).then_some(key);
    // Removed again if it cannot be made what it is to be.
    let mut queue = SysvQueue { id, key, temporary: Some(Birth::now()) };
    if group.is_some() || options.limit != 0 {
        queue.change(CREATE, |raw| {
            raw.msg_perm.mode = mode as _;
            raw.msg_perm.gid = group.unwrap_or(raw.msg_perm.gid);
            if options.limit != 0 {
                raw.msg_qbytes = options.limit as libc::msglen_t;
            }
        })?;
    }
    if !options.temporary {
        queue.temporary = None;
    }
    Ok(queue)
}

/// Looks at whose the queue is.
fn adopt(id: i32, key: Option<i32>, any_owner: bool) -> Result<SysvQueue> {
    let queue = SysvQueue { id, key, temporary: None };
    let owners = match raw_status(id) {
        Ok(raw) => Some((raw.msg_perm.uid, raw.msg_perm.cuid)),
        // Who may send but not receive may not ask, but /proc tells.
        Err(Errno::EACCES) => Row::find("msg", "msqid", id).and_then(|row| row.owners()),
        Err(errno) => return Err(queue.explain(OPEN, gone(errno))),
    };
    let object = key.map_or_else(|| format!("id {id}"), key_in_words);
    match owners {
        Some((owner, creator)) => {
            name::trust_owner(OPEN, &object, owner, any_owner)?;
            name::trust_owner(OPEN, &object, creator, any_owner)?;
        }
        None if any_owner => {}
        None => return Err(Error::os(OPEN, Errno::EACCES).on(object).hint("we may not ask whose it is")),
    }
    Ok(queue)
}

fn control(id: i32, command: libc::c_int, status: *mut libc::msqid_ds) -> std::result::Result<(), Errno> {
    // SAFETY: the status is NULL, where the command needs none, or valid.
    check(unsafe { libc::msgctl(id, command, status) }).map(drop)
}

fn raw_status(id: i32) -> std::result::Result<libc::msqid_ds, Errno> {
    // SAFETY: zero bytes are a valid status.
    let mut raw: libc::msqid_ds = unsafe { std::mem::zeroed() };
    control(id, libc::IPC_STAT, &mut raw)?;
    Ok(raw)
}

#[allow(clippy::useless_conversion, reason = "on 32-bit systems the field is narrower")]
fn limit_of(raw: &libc::msqid_ds) -> u64 {
    u64::from(raw.msg_qbytes)
}

#[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "on 32-bit systems the fields are narrower")]
fn told(id: i32, raw: &libc::msqid_ds) -> SysvQueueStatus {
    SysvQueueStatus {
        id,
        key: raw.msg_perm.__key,
        messages: u64::from(raw.msg_qnum),
        bytes: u64::from(raw.__msg_cbytes),
        limit: u64::from(raw.msg_qbytes),
        last_sender_pid: raw.msg_lspid,
        last_receiver_pid: raw.msg_lrpid,
        sent_at: i64::from(raw.msg_stime),
        received_at: i64::from(raw.msg_rtime),
        changed_at: i64::from(raw.msg_ctime),
        mode: raw.msg_perm.mode as u32 & 0o777,
        uid: raw.msg_perm.uid,
        gid: raw.msg_perm.gid,
        creator_uid: raw.msg_perm.cuid,
        creator_gid: raw.msg_perm.cgid,
    }
}

fn is_gone(id: i32) -> bool {
    matches!(raw_status(id), Err(Errno::EINVAL | Errno::EIDRM))
}
