//! System V shared memory: segments that have a number instead of a name.
//!
//! A *key* is what programs agree on (see [`sysv_key`](crate::name::sysv_key)); the *identifier* is what the kernel calls one segment, and no later one. Creation gives size, mode and
//! zeroed pages in one step, so that no opener meets a half-made segment; but there is no way to fill one before others can find it. A segment stays
//! until it is removed, also without any process; what is removed loses its key at once, and its pages with the last process that is attached. So a
//! private segment that is removed at birth ([`MemoryOptions::temporary`]) can leave nothing behind, and children and whoever knows the id can still
//! attach to it (on Linux). Lost otherwise: segments of killed programs, which `ipcs -m` lists and `ipcrm` removes.
//!
//! The kernel limits the bytes of one segment (`kernel.shmmax`), the pages of all (`kernel.shmall`) and their number (`kernel.shmmni`). It reserves no
//! pages: what is not made `sparse` is therefore prefaulted here. After that a full machine swaps; a control group's limit can still be met by
//! those who attach later, when swapped pages come back.
//!
//! [shmget(2)](https://man7.org/linux/man-pages/man2/shmget.2.html), [shmctl(2)](https://man7.org/linux/man-pages/man2/shmctl.2.html),
//! [shmat(2)](https://man7.org/linux/man-pages/man2/shmat.2.html)

use std::mem::MaybeUninit;
use std::sync::Arc;

use nix::errno::Errno;

use super::mapping::{Mapping, Place};
use super::options::{Access, HugePages, MemoryOptions};
use super::{Kept, Memory, Object, pages, room};
use crate::error::{Context, Error, Failure, Result, check, human_size};
use crate::name;
use crate::process::Birth;
use crate::sysv::{Row, check_owner, gone, key_in_words};
use crate::wait::{Wait, await_creator};

/// What a segment is like at a moment. Times are in seconds since 1970, 0 for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SysvMemoryStatus {
    /// The kernel's number of it.
    pub id: i32,
    /// Its key; 0 for a private one, and for one that is removed.
    pub key: i32,
    /// Bytes.
    pub size: u64,
    /// How many attachments there are, of all processes.
    pub attached: u64,
    /// Whether it goes with the last attachment.
    pub is_removed: bool,
    /// The process that made it.
    pub creator_pid: i32,
    /// The process that attached or detached last, 0 for none.
    pub last_pid: i32,
    /// When somebody attached last.
    pub attached_at: i64,
    /// When somebody detached last.
    pub detached_at: i64,
    /// When it was made, or its rights were changed.
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

/// A segment that this process is attached to.
#[derive(Debug)]
pub(super) struct Segment {
    id: libc::c_int,
    /// Who removes it when the handle goes.
    remover: Option<Birth>,
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.remove_temporary();
    }
}

impl Segment {
    pub(super) fn remove_temporary(&self) {
        if self.remover.is_some_and(Birth::is_here) {
            // Another may have removed it, and nobody is left to tell.
            let _ = remove(self.id);
        }
    }
}

/// Bits of a mode that the libc crate does not name.
const SHM_DEST: u32 = 0o1000;

impl Memory {
    /// Creates System V shared memory of zero bytes, exclusively: `EEXIST` if the key is taken.
    ///
    /// Size, mode, group, access, temporary (gone when the creator's handle is dropped and nobody is attached), sparse, address, prefault, pinned and huge pages count.
    ///
    /// Errors: `EINVAL` for key 0, a bad size, mode or group, or more than `kernel.shmmax`; `ENOSPC` at the limits `kernel.shmmni` and `kernel.shmall`; `ENOMEM`;
    /// `EPERM` for a group of others; [`Failure::Unavailable`] for huge pages that there are not.
    pub fn create_sysv(key: i32, options: &MemoryOptions<'_>) -> Result<Memory> {
        const OPERATION: &str = "create System V memory";
        check_key(OPERATION, key)?;
        create(OPERATION, key, &key_in_words(key), options)
    }

    /// Creates System V shared memory without a key, for children, and for those who are told the id. With [`MemoryOptions::temporary`] it is
    /// removed at once, and its pages go with the last process, however that ends.
    pub fn create_private_sysv(options: &MemoryOptions<'_>) -> Result<Memory> {
        create("create private System V memory", libc::IPC_PRIVATE, "private", options)
    }

    /// Attaches to System V shared memory that exists. Access, size (the least that will do), any_owner, wait_for_creator, address, prefault and pinned count.
    ///
    /// Errors: `ENOENT`; `EPERM` if it belongs to another user; `EACCES`; [`Failure::WrongSize`]; `EINVAL` for key 0 or an address that is not free; `ENOMEM`.
    pub fn open_sysv(key: i32, options: &MemoryOptions<'_>) -> Result<Memory> {
        const OPERATION: &str = "open System V memory";
        check_key(OPERATION, key)?;
        let label = key_in_words(key);
        await_creator(OPERATION, options.wait_for_creator, |error| error.is(Errno::ENOENT), || open(OPERATION, key, &label, options))
    }

    /// Attaches to System V shared memory by the kernel's number, as [`Memory::id_sysv`] tells it; also to one that is removed. Errors: `EIDRM` if there
    /// is none; else as [`Memory::open_sysv`].
    pub fn open_id_sysv(id: i32, options: &MemoryOptions<'_>) -> Result<Memory> {
        attach("open System V memory", id, &format!("id {id}"), options)
    }

    /// Attaches to System V shared memory, or creates it if there is none; [`Memory::was_created`] tells.
    pub fn open_or_create_sysv(key: i32, options: &MemoryOptions<'_>) -> Result<Memory> {
        const OPERATION: &str = "open or create System V memory";
        check_key(OPERATION, key)?;
        options.check_creation(OPERATION, &key_in_words(key))?;
        let at_once = MemoryOptions { wait_for_creator: Wait::NEVER, ..options.clone() };
        Memory::open_else_create(OPERATION, options, || Memory::open_sysv(key, &at_once), || Memory::create_sysv(key, options))
    }

    /// Removes the segment of a key: the key is free at once, the pages go with the last process that is attached. `ENOENT` if there is none; `EPERM`
    /// for a stranger.
    pub fn remove_key_sysv(key: i32) -> Result<()> {
        const OPERATION: &str = "remove System V memory";
        check_key(OPERATION, key)?;
        let label = key_in_words(key);
        remove(find(key).during_on(OPERATION, &label)?).map_err(|errno| explain(OPERATION, &label, errno))
    }

    /// Removes the segment that this handle is attached to, as [`Memory::remove_key_sysv`]; once more is no error, as it is still there for those who are
    /// attached. `EPERM` for a stranger; `EOPNOTSUPP` for other memory, as in those that follow.
    pub fn remove_sysv(&self) -> Result<()> {
        const OPERATION: &str = "remove System V memory";
        remove(self.segment(OPERATION)?).map_err(|errno| explain(OPERATION, self.label(), errno))
    }

    /// The kernel's number for it, as `ipcs -m` shows it.
    pub fn id_sysv(&self) -> Result<i32> {
        self.segment("ask System V memory")
    }

    /// What the segment is like now. `EACCES` without the right to read.
    pub fn status_sysv(&self) -> Result<SysvMemoryStatus> {
        const OPERATION: &str = "ask System V memory";
        let id = self.segment(OPERATION)?;
        let raw = status(id).map_err(|errno| explain(OPERATION, self.label(), errno))?;
        let permissions = raw.shm_perm;
        Ok(SysvMemoryStatus {
            id,
            key: permissions.__key,
            size: raw.shm_segsz as u64,
            attached: raw.shm_nattch,
            is_removed: u32::from(permissions.mode) & SHM_DEST != 0,
            creator_pid: raw.shm_cpid,
            last_pid: raw.shm_lpid,
            attached_at: raw.shm_atime,
            detached_at: raw.shm_dtime,
            changed_at: raw.shm_ctime,
            mode: u32::from(permissions.mode) & 0o777,
            uid: permissions.uid,
            gid: permissions.gid,
            creator_uid: permissions.cuid,
            creator_gid: permissions.cgid,
        })
    }

    /// Changes the permissions; 0 is 0600. Who is attached stays so. `EINVAL` for bits beyond 0777; `EPERM` for a stranger.
    pub fn set_mode_sysv(&self, mode: u32) -> Result<()> {
        const OPERATION: &str = "set mode of System V memory";
        let mode = name::permissions(OPERATION, mode)?;
        self.change_sysv(OPERATION, |raw| raw.mode = mode as _)
    }

    /// Changes owner, group or both; `None` leaves it. Whoever made the segment keeps an owner's rights. `EPERM` for a stranger; `EINVAL`.
    pub fn set_owner_sysv(&self, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
        const OPERATION: &str = "set owner of System V memory";
        check_owner(OPERATION, uid, gid).map_err(|error| error.on(self.label()))?;
        self.change_sysv(OPERATION, |raw| {
            raw.uid = uid.unwrap_or(raw.uid);
            raw.gid = gid.unwrap_or(raw.gid);
        })
    }

    fn change_sysv(&self, operation: &'static str, change: impl FnOnce(&mut libc::ipc_perm)) -> Result<()> {
        change_permissions(self.segment(operation)?, change).map_err(|errno| explain(operation, self.label(), errno))
    }

    fn segment(&self, operation: &'static str) -> Result<libc::c_int> {
        match &self.object {
            Object::Sysv(segment) => Ok(segment.id),
            _ => Err(self.error(operation, Errno::EOPNOTSUPP).hint("this is no System V memory")),
        }
    }
}

fn check_key(operation: &'static str, key: i32) -> Result<()> {
    crate::sysv::check_key(operation, key, "memory")
}

fn create(operation: &'static str, key: i32, label: &str, options: &MemoryOptions<'_>) -> Result<Memory> {
    options.check_creation(operation, label)?;
    if options.unpublished {
        let remedy = "System V memory has its key from the beginning; a private one is known to nobody until its id is told";
        return Err(Error::os(operation, Errno::EINVAL).on(label).hint(remedy));
    }
    let mode = name::permissions(operation, options.mode).map_err(|error| error.on(label))?;
    let group = options.group.as_deref().map(|group| name::group(operation, group)).transpose()?;
    if options.huge_pages != HugePages::No {
        match make(operation, key, label, mode, group, options, true) {
            Err(error) if options.huge_pages == HugePages::Try && error.is_failure(Failure::Unavailable) => {}
            other => return other,
        }
    }
    if !options.sparse && key != libc::IPC_PRIVATE && find(key).is_ok() {
        // Before it is looked whether there is room: a key that is taken is the better reason.
        return Err(Error::os(operation, Errno::EEXIST).on(label));
    }
    make(operation, key, label, mode, group, options, false)
}

fn make(
    operation: &'static str,
    key: i32,
    label: &str,
    mode: u32,
    group: Option<u32>,
    options: &MemoryOptions<'_>,
    huge: bool,
) -> Result<Memory> {
    if !options.sparse && !huge {
        room::require_memory(operation, options.size as u64).map_err(|error| error.on(label))?;
    }
    // Nobody else may enter before the group is right.
    let first_mode = if group.is_some() { 0o600 } else { mode };
    let flags = libc::IPC_CREAT
        | libc::IPC_EXCL
        | first_mode as libc::c_int
        | if huge { libc::SHM_HUGETLB } else { 0 }
        | if options.sparse { libc::SHM_NORESERVE } else { 0 };
    // SAFETY: shmget takes integers.
    let id = check(unsafe { libc::shmget(key, options.size, flags) })
        .map_err(|errno| explain_create(operation, label, errno, options.size, huge))?;
    // What fails from here on takes it back.
    let mut segment = Segment { id, remover: Some(Birth::now()) };
    let mapping = Mapping::attach(id, options.size, options.access, options.address)
        .map_err(|errno| explain_attach(operation, label, errno, options))?;
    if key == libc::IPC_PRIVATE && options.temporary {
        remove(id).during_on(operation, label)?;
    }
    if !options.sparse && options.access == Access::ReadWrite && !huge {
        pages::prefault(&mapping).map_err(|errno| pages::no_pages(operation, label, errno, options.size))?;
    }
    let options = MemoryOptions { huge_pages: if huge { HugePages::No } else { options.huge_pages }, ..options.clone() };
    pages::settle(operation, label, &mapping, &options)?;
    if let Some(group) = group {
        let change = |raw: &mut libc::ipc_perm| (raw.mode, raw.gid) = (mode as _, group);
        change_permissions(id, change).during_on(operation, label)?;
    }
    if !options.temporary || key == libc::IPC_PRIVATE {
        segment.remover = None;
    }
    Ok(Memory { was_created: true, ..of_segment(segment, mapping, label, &options) })
}

fn of_segment(segment: Segment, mapping: Mapping, label: &str, options: &MemoryOptions<'_>) -> Memory {
    Memory {
        object: Object::Sysv(segment),
        mapping: Arc::new(mapping),
        earlier: Vec::new(),
        name: Some(label.into()),
        was_created: false,
        kept: Kept::of(options, Place::default()),
        temporary: None,
    }
}

fn open(operation: &'static str, key: i32, label: &str, options: &MemoryOptions<'_>) -> Result<Memory> {
    match attach(operation, find(key).during_on(operation, label)?, label, options) {
        // Removed since: so there is none.
        Err(error) if error.is(Errno::EIDRM) => Err(Error::os(operation, Errno::ENOENT).on(label)),
        other => other,
    }
}

fn attach(operation: &'static str, id: i32, label: &str, options: &MemoryOptions<'_>) -> Result<Memory> {
    let status = status(id).map_err(|errno| explain_open(operation, label, errno, id))?;
    for user in [status.shm_perm.uid, status.shm_perm.cuid] {
        name::trust_owner(operation, label, user, options.any_owner)?;
    }
    let size = status.shm_segsz;
    if size < options.size {
        let remedy = format!("it has {size} bytes, {} are needed", options.size);
        return Err(Error::failure(operation, Failure::WrongSize).on(label).hint(remedy));
    }
    let mapping =
        Mapping::attach(id, size, options.access, options.address).map_err(|errno| explain_attach(operation, label, errno, options))?;
    pages::settle(operation, label, &mapping, options)?;
    Ok(of_segment(Segment { id, remover: None }, mapping, label, options))
}

/// The id of the segment that has a key.
fn find(key: i32) -> std::result::Result<libc::c_int, Errno> {
    // SAFETY: shmget takes integers; no permission is asked for yet.
    check(unsafe { libc::shmget(key, 0, 0) })
}

fn status(id: libc::c_int) -> std::result::Result<libc::shmid_ds, Errno> {
    let mut status = MaybeUninit::<libc::shmid_ds>::zeroed();
    // SAFETY: the status is valid to write to.
    check(unsafe { libc::shmctl(id, libc::IPC_STAT, status.as_mut_ptr()) })?;
    // SAFETY: shmctl has filled it in, and zero bytes were valid before.
    Ok(unsafe { status.assume_init() })
}

fn remove(id: libc::c_int) -> std::result::Result<(), Errno> {
    // SAFETY: IPC_RMID takes no argument.
    check(unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) }).map(drop)
}

fn change_permissions(id: libc::c_int, change: impl FnOnce(&mut libc::ipc_perm)) -> std::result::Result<(), Errno> {
    let mut status = status(id)?;
    change(&mut status.shm_perm);
    // SAFETY: the status is valid to read.
    check(unsafe { libc::shmctl(id, libc::IPC_SET, &mut status) }).map(drop)
}

#[cold]
fn explain(operation: &'static str, label: &str, errno: Errno) -> Error {
    let error = Error::os(operation, gone(errno)).on(label);
    match gone(errno) {
        Errno::EIDRM => error.hint("the memory was removed"),
        Errno::EPERM => error.hint("only its owner and its creator may"),
        _ => error,
    }
}

#[cold]
fn explain_open(operation: &'static str, label: &str, errno: Errno, id: i32) -> Error {
    let error = explain(operation, label, errno);
    match row_of(id) {
        Some((owner, mode)) if errno == Errno::EACCES => error.hint(format!("it belongs to user {owner} and has mode {mode:#o}")),
        _ => error,
    }
}

#[cold]
fn explain_attach(operation: &'static str, label: &str, errno: Errno, options: &MemoryOptions<'_>) -> Error {
    let error = Error::os(operation, errno).on(label);
    match errno {
        Errno::EINVAL if options.access == Access::CopyOnWrite => error.hint("System V memory has no private copies"),
        Errno::EINVAL if options.address != 0 => {
            error.hint(format!("address {:#x} is not free, or no multiple of the page size", options.address))
        }
        Errno::EINVAL | Errno::EIDRM => explain(operation, label, errno),
        _ => error,
    }
}

/// Which of the kernel's limits a segment has met.
#[cold]
fn explain_create(operation: &'static str, label: &str, errno: Errno, size: usize, huge: bool) -> Error {
    if huge && !matches!(errno, Errno::EEXIST | Errno::ENOSPC) {
        return pages::no_huge(operation, label, Some(errno));
    }
    let error = Error::os(operation, errno).on(label);
    let limit = |name: &str| -> Option<u64> { std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()?.trim().parse().ok() };
    match errno {
        Errno::EINVAL => match limit("shmmax") {
            Some(most) if size as u64 > most => error.hint(format!("kernel.shmmax allows {most} bytes, {size} are needed")),
            _ => error,
        },
        Errno::ENOSPC => {
            let (count, used) = in_use();
            let (most, all) = (limit("shmmni").unwrap_or(0), limit("shmall").unwrap_or(0));
            let needed = size.div_ceil(pages::ordinary());
            error.hint(format!(
                "kernel.shmmni allows {most} segments, and there are {count}; kernel.shmall allows {all} pages, {used} are taken and {needed} needed"
            ))
        }
        Errno::ENOMEM => error.hint(format!("{} were asked for", human_size(size as u64))),
        _ => error,
    }
}

/// The number of segments that there are, and of their pages.
fn in_use() -> (usize, u64) {
    let text = std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let sizes = text.lines().skip(1).filter_map(|line| line.split_ascii_whitespace().nth(3)?.parse::<u64>().ok());
    sizes.fold((0, 0), |(count, used), size| (count + 1, used + size.div_ceil(pages::ordinary() as u64)))
}

/// Owner and mode of a segment that we may not look at.
fn row_of(id: i32) -> Option<(u32, u32)> {
    let row = Row::find("shm", "shmid", id)?;
    Some((row.number("uid")?, row.mode()?))
}
