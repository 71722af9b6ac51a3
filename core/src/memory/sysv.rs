//! System V shared memory: segments that have a number instead of a name.
//!
//! A *key* is what programs agree on (see [`sysv_key`](crate::name::sysv_key)); the *identifier* is what the kernel calls one segment, and no later one. Creation gives size, mode and
//! zeroed pages in one step, so that no opener meets a half-made segment; but there is no way to fill one before others can find it. A segment stays
//! until it is removed, also without any process; what is removed loses its key at once, and its pages with the last process that is attached. So a
//! private segment that is removed at birth ([`MemoryOptions::temporary`]) can leave nothing behind, and children and whoever knows the identifier can still
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
use crate::sysv::{Row, key_in_words};
use crate::wait::{Wait, await_creator};

/// What the kernel knows about a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SysvStatus {
    /// The kernel's number of the segment.
    pub identifier: i32,
    /// The key; 0 for a private one, and for one that is removed.
    pub key: i32,
    /// Bytes.
    pub size: u64,
    /// How many attachments there are, of all processes.
    pub attached: u64,
    /// The process that made it.
    pub creator: i32,
    /// The process that attached or detached last; 0 for none.
    pub last: i32,
    /// The user that owns it.
    pub owner: u32,
    /// The group that owns it.
    pub group: u32,
    /// The user that made it.
    pub creator_user: u32,
    /// The group that made it.
    pub creator_group: u32,
    /// The permissions.
    pub mode: u32,
    /// Whether it goes with the last attachment.
    pub is_removed: bool,
    /// When somebody last attached, in seconds since 1970; 0 for never.
    pub attach_time: i64,
    /// When somebody last detached; 0 for never.
    pub detach_time: i64,
    /// When it was made or its permissions changed.
    pub change_time: i64,
}

/// A segment that this process is attached to.
#[derive(Debug)]
pub(super) struct Segment {
    identifier: libc::c_int,
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
            let _ = remove(self.identifier);
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

    /// Creates System V shared memory without a key, for children, and for those who are told the identifier. With [`MemoryOptions::temporary`] it is
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

    /// Attaches to System V shared memory by the kernel's number, as [`Memory::sysv_status`] tells it; also to one that is removed. Errors as
    /// [`Memory::open_sysv`].
    pub fn open_sysv_identifier(identifier: i32, options: &MemoryOptions<'_>) -> Result<Memory> {
        attach("open System V memory", identifier, &format!("identifier {identifier}"), options)
    }

    /// Attaches to System V shared memory, or creates it if there is none; [`Memory::was_created`] tells.
    pub fn open_or_create_sysv(key: i32, options: &MemoryOptions<'_>) -> Result<Memory> {
        const OPERATION: &str = "open or create System V memory";
        check_key(OPERATION, key)?;
        options.check_creation(OPERATION, &key_in_words(key))?;
        let at_once = MemoryOptions { wait_for_creator: Wait::NEVER, ..options.clone() };
        Memory::open_else_create(OPERATION, options, || Memory::open_sysv(key, &at_once), || Memory::create_sysv(key, options))
    }

    /// Removes the segment of a key: the key is free at once, the pages go with the last process that is attached. `ENOENT`; `EPERM` unless one owns it.
    pub fn unlink_sysv(key: i32) -> Result<()> {
        const OPERATION: &str = "unlink System V memory";
        check_key(OPERATION, key)?;
        let label = key_in_words(key);
        let identifier = find(key).during_on(OPERATION, &label)?;
        remove(identifier).map_err(|errno| gone(OPERATION, &label, errno))
    }

    /// Removes the segment that this handle is attached to, as [`Memory::unlink_sysv`]. `EOPNOTSUPP` for other memory.
    pub fn remove_sysv(&self) -> Result<()> {
        const OPERATION: &str = "remove System V memory";
        remove(self.segment(OPERATION)?).map_err(|errno| gone(OPERATION, self.label(), errno))
    }

    /// What the kernel knows about the segment. `EACCES` without permission to read; `EOPNOTSUPP` for other memory.
    pub fn sysv_status(&self) -> Result<SysvStatus> {
        const OPERATION: &str = "get status of System V memory";
        let identifier = self.segment(OPERATION)?;
        let status = status(identifier).map_err(|errno| gone(OPERATION, self.label(), errno))?;
        let permissions = status.shm_perm;
        Ok(SysvStatus {
            identifier,
            key: permissions.__key,
            size: status.shm_segsz as u64,
            attached: status.shm_nattch,
            creator: status.shm_cpid,
            last: status.shm_lpid,
            owner: permissions.uid,
            group: permissions.gid,
            creator_user: permissions.cuid,
            creator_group: permissions.cgid,
            mode: u32::from(permissions.mode) & 0o777,
            is_removed: u32::from(permissions.mode) & SHM_DEST != 0,
            attach_time: status.shm_atime,
            detach_time: status.shm_dtime,
            change_time: status.shm_ctime,
        })
    }

    fn segment(&self, operation: &'static str) -> Result<libc::c_int> {
        match &self.object {
            Object::Sysv(segment) => Ok(segment.identifier),
            _ => Err(self.error(operation, Errno::EOPNOTSUPP).hint("this is no System V memory")),
        }
    }
}

fn check_key(operation: &'static str, key: i32) -> Result<()> {
    if key == libc::IPC_PRIVATE {
        return Err(Error::os(operation, Errno::EINVAL)
            .on(key_in_words(key))
            .hint("key 0 is nobody's: private memory has a function of its own"));
    }
    Ok(())
}

fn create(operation: &'static str, key: i32, label: &str, options: &MemoryOptions<'_>) -> Result<Memory> {
    options.check_creation(operation, label)?;
    if options.unpublished {
        let remedy = "System V memory has its key from the beginning; a private one is known to nobody until its identifier is told";
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
    let identifier = check(unsafe { libc::shmget(key, options.size, flags) })
        .map_err(|errno| explain_create(operation, label, errno, options.size, huge))?;
    // What fails from here on takes it back.
    let mut segment = Segment { identifier, remover: Some(Birth::now()) };
    let mapping = Mapping::attach(identifier, options.size, options.access, options.address)
        .map_err(|errno| explain_attach(operation, label, errno, options))?;
    if key == libc::IPC_PRIVATE && options.temporary {
        remove(identifier).during_on(operation, label)?;
    }
    if !options.sparse && options.access == Access::ReadWrite && !huge {
        pages::prefault(&mapping).map_err(|errno| pages::no_pages(operation, label, errno, options.size))?;
    }
    let options = MemoryOptions { huge_pages: if huge { HugePages::No } else { options.huge_pages }, ..options.clone() };
    pages::settle(operation, label, &mapping, &options)?;
    if let Some(group) = group {
        set_permissions(identifier, mode, group).during_on(operation, label)?;
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
    let identifier = find(key).during_on(operation, label)?;
    attach(operation, identifier, label, options)
}

fn attach(operation: &'static str, identifier: i32, label: &str, options: &MemoryOptions<'_>) -> Result<Memory> {
    let status = status(identifier).map_err(|errno| explain_open(operation, label, errno, identifier))?;
    for user in [status.shm_perm.uid, status.shm_perm.cuid] {
        name::trust_owner(operation, label, user, options.any_owner)?;
    }
    let size = status.shm_segsz;
    if size < options.size {
        let remedy = format!("it has {size} bytes, {} are needed", options.size);
        return Err(Error::failure(operation, Failure::WrongSize).on(label).hint(remedy));
    }
    let mapping = Mapping::attach(identifier, size, options.access, options.address)
        .map_err(|errno| explain_attach(operation, label, errno, options))?;
    pages::settle(operation, label, &mapping, options)?;
    Ok(of_segment(Segment { identifier, remover: None }, mapping, label, options))
}

/// The identifier of the segment that has a key.
fn find(key: i32) -> std::result::Result<libc::c_int, Errno> {
    // SAFETY: shmget takes integers; no permission is asked for yet.
    check(unsafe { libc::shmget(key, 0, 0) })
}

fn status(identifier: libc::c_int) -> std::result::Result<libc::shmid_ds, Errno> {
    let mut status = MaybeUninit::<libc::shmid_ds>::zeroed();
    // SAFETY: the status is valid to write to.
    check(unsafe { libc::shmctl(identifier, libc::IPC_STAT, status.as_mut_ptr()) })?;
    // SAFETY: shmctl has filled it in, and zero bytes were valid before.
    Ok(unsafe { status.assume_init() })
}

fn remove(identifier: libc::c_int) -> std::result::Result<(), Errno> {
    // SAFETY: IPC_RMID takes no argument.
    check(unsafe { libc::shmctl(identifier, libc::IPC_RMID, std::ptr::null_mut()) }).map(drop)
}

fn set_permissions(identifier: libc::c_int, mode: u32, group: u32) -> std::result::Result<(), Errno> {
    let mut status = status(identifier)?;
    status.shm_perm.gid = group;
    status.shm_perm.mode = mode as _;
    // SAFETY: the status is valid to read.
    check(unsafe { libc::shmctl(identifier, libc::IPC_SET, &mut status) }).map(drop)
}

/// A segment that another has removed meanwhile is not there.
#[cold]
fn gone(operation: &'static str, label: &str, errno: Errno) -> Error {
    match errno {
        Errno::EINVAL | Errno::EIDRM => Error::os(operation, Errno::ENOENT).on(label),
        Errno::EPERM => Error::os(operation, errno).on(label).hint("only its owner and its creator may"),
        _ => Error::os(operation, errno).on(label),
    }
}

#[cold]
fn explain_open(operation: &'static str, label: &str, errno: Errno, identifier: i32) -> Error {
    let error = gone(operation, label, errno);
    match row_of(identifier) {
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
        Errno::EINVAL | Errno::EIDRM => gone(operation, label, errno),
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
fn row_of(identifier: i32) -> Option<(u32, u32)> {
    let row = Row::find("shm", "shmid", identifier)?;
    Some((row.number("uid")?, row.mode()?))
}
