//! Named semaphores: the objects that `sem_open` gives, in `/dev/shm/sem.NAME`.
//!
//! Two races spoil the ordinary use. A creator that opens the file first and initialises it second is met half-way by an opener: here the semaphore
//! is complete before it has a name. And `sem_open` with `O_CREAT` adopts whatever somebody has planted under the name, with whatever value it
//! has: here [`create`](PosixSemaphore::create) is exclusive, and [`open`](PosixSemaphore::open) looks at the owner.
//!
//! A named semaphore has no owner of units: what a process that is killed held is lost. [`Semaphore::recovering`](super::Semaphore::recovering)
//! does not lose it.
//!
//! [sem_overview(7)](https://man7.org/linux/man-pages/man7/sem_overview.7.html),
//! [sem_open(3)](https://man7.org/linux/man-pages/man3/sem_open.3.html)

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use libc::sem_t;
use nix::errno::Errno;

use super::LARGEST_VALUE;
use crate::error::{Context, Error, Failure, Result, check};
use crate::memory::publish::{DIRECTORY, Draft, open_object};
use crate::memory::{Access, Mapping};
use crate::name::{self, LONGEST_NAME, OwnedName};
use crate::sync::{LONGEST_SLEEP, native};
use crate::wait::{Deadline, Wait, await_creator};

/// What glibc puts before the name of a semaphore's file.
const PREFIX: &str = "sem.";

/// How a named semaphore is made and opened.
#[derive(Debug, Clone)]
pub struct PosixSemaphoreOptions<'a> {
    /// Create: how many units are free at first, at most `i32::MAX`.
    pub value: u32,
    /// Create: the permissions, set whatever the umask says; 0 is 0600.
    pub mode: u32,
    /// Create: the group, by name or number.
    pub group: Option<String>,
    /// Open: accept a semaphore of a user other than oneself and root.
    pub any_owner: bool,
    /// Create: remove the name when the creator drops its handle.
    pub temporary: bool,
    /// Open: how long to wait for another process to create it.
    pub wait_for_creator: Wait<'a>,
}

impl Default for PosixSemaphoreOptions<'_> {
    /// No unit free, for the owner alone, not waiting for a creator.
    fn default() -> Self {
        PosixSemaphoreOptions { value: 0, mode: 0, group: None, any_owner: false, temporary: false, wait_for_creator: Wait::NEVER }
    }
}

/// What a named semaphore is like at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PosixSemaphoreStatus {
    /// Its name, without a slash.
    pub name: String,
    /// How many units are free; `None` where we may not read it.
    pub value: Option<u32>,
    /// Its permissions.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// A named semaphore. It costs one mapping and no descriptor, works in children made by `fork`, and stays until it is unlinked.
#[derive(Debug)]
pub struct PosixSemaphore {
    mapping: Mapping,
    temporary: Option<OwnedName>,
}

impl PosixSemaphore {
    /// Creates the semaphore, exclusively: `EEXIST` if the name is taken.
    pub fn create(name: &str, options: &PosixSemaphoreOptions<'_>) -> Result<PosixSemaphore> {
        const OPERATION: &str = "create named semaphore";
        let path = path(OPERATION, name)?;
        let mode = name::permissions(OPERATION, options.mode)?;
        let group = options.group.as_deref().map(|group| name::group(OPERATION, group)).transpose()?;
        let draft = Draft::create(OPERATION, DIRECTORY, size_of::<sem_t>(), mode, group, true).map_err(|error| error.on(name))?;
        let mapping = Mapping::of(draft.descriptor(), size_of::<sem_t>(), Access::ReadWrite).during_on(OPERATION, name)?;
        initialise(&mapping, OPERATION, options.value)?;
        let identity = draft.identity().during_on(OPERATION, name)?;
        draft.publish(&path).during_on(OPERATION, name)?;
        Ok(PosixSemaphore { mapping, temporary: options.temporary.then(|| OwnedName::new(path, identity)) })
    }

    /// Opens a semaphore that exists.
    ///
    /// Errors: `ENOENT`; `EPERM` if it belongs to another user; `ELOOP` for a link; [`Failure::WrongKind`] for what is no regular file;
    /// [`Failure::WrongSize`] for a file that this C library's `sem_open` has not made.
    pub fn open(name: &str, options: &PosixSemaphoreOptions<'_>) -> Result<PosixSemaphore> {
        const OPERATION: &str = "open named semaphore";
        let path = path(OPERATION, name)?;
        let missing = |error: &Error| error.is(Errno::ENOENT);
        await_creator(OPERATION, options.wait_for_creator, missing, || open(OPERATION, name, &path, options.any_owner))
    }

    /// Opens the semaphore, or creates it if there is none. The value counts only for the one who creates.
    pub fn open_or_create(name: &str, options: &PosixSemaphoreOptions<'_>) -> Result<PosixSemaphore> {
        let at_once = PosixSemaphoreOptions { wait_for_creator: Wait::NEVER, ..options.clone() };
        loop {
            match PosixSemaphore::open(name, &at_once) {
                Err(error) if error.is(Errno::ENOENT) => {}
                other => return other,
            }
            match PosixSemaphore::create(name, options) {
                Err(error) if error.is(Errno::EEXIST) => {}
                other => return other,
            }
        }
    }

    /// Removes the name of a temporary one now, as dropping the handle does, and lets it be used on: for the end of a process, whose threads may still
    /// have it.
    pub fn remove_temporary(&self) {
        if let Some(name) = &self.temporary {
            name.remove();
        }
    }

    /// Removes the name. Who has the semaphore open goes on using it.
    pub fn unlink(name: &str) -> Result<()> {
        const OPERATION: &str = "unlink named semaphore";
        name::unlink(&path(OPERATION, name)?).during_on(OPERATION, name)
    }

    /// What the semaphore of a name is like now, whoever owns it.
    ///
    /// Errors: `ENOENT`; `ELOOP`, [`Failure::WrongKind`] and [`Failure::WrongSize`] for what is no semaphore of this C library.
    pub fn status(name: &str) -> Result<PosixSemaphoreStatus> {
        const OPERATION: &str = "ask named semaphore";
        let path = path(OPERATION, name)?;
        let status = name::status(&path).during_on(OPERATION, name)?;
        if name::kind(&status) != libc::S_IFREG {
            return Err(name::wrong_kind(OPERATION, name, "a semaphore", &status));
        }
        check_size(OPERATION, name, &status)?;
        let name = name.strip_prefix('/').unwrap_or(name).to_owned();
        let mut told = PosixSemaphoreStatus { name, value: None, mode: status.st_mode & 0o777, uid: status.st_uid, gid: status.st_gid };
        if let Ok((descriptor, status)) = open_object(OPERATION, &path, &told.name, Access::ReadOnly, true) {
            check_size(OPERATION, &told.name, &status)?;
            told.value = Some(value_in(OPERATION, &told.name, descriptor.as_fd())?);
        }
        Ok(told)
    }

    /// The named semaphores that there are, everybody's, in the order of their names.
    pub fn list() -> Result<Vec<PosixSemaphoreStatus>> {
        let entries = std::fs::read_dir(DIRECTORY).during_on("list named semaphores", DIRECTORY)?;
        let names = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.strip_prefix(PREFIX).map(str::to_owned));
        // What has gone meanwhile, or is none, does not count.
        let mut found: Vec<_> = names.filter_map(|name| PosixSemaphore::status(&name).ok()).collect();
        found.sort_unstable_by(|first, second| first.name.cmp(&second.name));
        Ok(found)
    }

    /// Takes a unit if one is free. For bindings, whose calls begin with it.
    #[doc(hidden)]
    #[inline]
    pub fn take_at_once(&self) -> bool {
        // SAFETY: the mapping holds an initialised semaphore.
        unsafe { libc::sem_trywait(self.native()) == 0 }
    }

    /// Gives a unit back unless the limit is reached. For bindings, whose calls begin with it.
    #[doc(hidden)]
    #[inline]
    pub fn post_at_once(&self) -> bool {
        // SAFETY: the mapping holds an initialised semaphore.
        unsafe { libc::sem_post(self.native()) == 0 }
    }

    /// Takes a unit. Errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]).
    #[inline]
    pub fn wait<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<()> {
        const OPERATION: &str = "wait for named semaphore";
        if self.take_at_once() {
            return Ok(());
        }
        self.wait_sleeping(OPERATION, Deadline::new(OPERATION, wait))
    }

    /// Takes a unit if one is free: else `EAGAIN`.
    pub fn try_wait(&self) -> Result<()> {
        self.wait(Wait::NEVER)
    }

    /// Gives a unit back, and wakes one who waits. `EOVERFLOW` beyond `i32::MAX`.
    pub fn post(&self) -> Result<()> {
        // SAFETY: the mapping holds an initialised semaphore.
        check(unsafe { libc::sem_post(self.native()) }).during("post named semaphore")?;
        Ok(())
    }

    /// How many units are free at this moment.
    pub fn value(&self) -> Result<u32> {
        value_of(self.native()).during("read named semaphore")
    }

    /// A waker may be killed before it rings, as in [`Semaphore`](super::Semaphore), so no sleep is longer than half a second.
    #[cold]
    fn wait_sleeping(&self, operation: &'static str, mut deadline: Deadline<'_>) -> Result<()> {
        loop {
            let until = deadline.until(LONGEST_SLEEP)?;
            // SAFETY: the mapping holds an initialised semaphore.
            match check(unsafe { native::wait_until(self.native(), until) }) {
                Ok(_) => return Ok(()),
                Err(Errno::ETIMEDOUT | Errno::EINTR) => {}
                Err(errno) => return Err(Error::os(operation, errno)),
            }
        }
    }

    fn native(&self) -> *mut sem_t {
        self.mapping.as_ptr().cast()
    }
}

fn path(operation: &'static str, name: &str) -> Result<String> {
    let name = name::object_name(operation, name, LONGEST_NAME - PREFIX.len())?;
    Ok(format!("{DIRECTORY}/{PREFIX}{name}"))
}

fn open(operation: &'static str, name: &str, path: &str, any_owner: bool) -> Result<PosixSemaphore> {
    let (descriptor, status) = open_object(operation, path, name, Access::ReadWrite, any_owner)?;
    check_size(operation, name, &status)?;
    let mapping = Mapping::of(descriptor.as_fd(), size_of::<sem_t>(), Access::ReadWrite).during_on(operation, name)?;
    Ok(PosixSemaphore { mapping, temporary: None })
}

fn check_size(operation: &'static str, name: &str, status: &libc::stat) -> Result<()> {
    if status.st_size == size_of::<sem_t>() as i64 {
        return Ok(());
    }
    Err(wrong_size(operation, name, status.st_size))
}

#[cold]
fn wrong_size(operation: &'static str, name: &str, size: i64) -> Error {
    let remedy = format!("a semaphore has {} bytes, this file {size}", size_of::<sem_t>());
    Error::failure(operation, Failure::WrongSize).on(name).hint(remedy)
}

/// The value of a semaphore that may be a stranger's, from a copy of its bytes: were it mapped, a load after its owner has cut it off would be SIGBUS.
fn value_in(operation: &'static str, name: &str, descriptor: BorrowedFd<'_>) -> Result<u32> {
    let mut copy = MaybeUninit::<sem_t>::zeroed();
    // SAFETY: the copy is valid to write to. A sem_t has no invalid bytes.
    let size = check(unsafe { libc::pread(descriptor.as_raw_fd(), copy.as_mut_ptr().cast(), size_of::<sem_t>(), 0) })
        .during_on(operation, name)?;
    if size as usize != size_of::<sem_t>() {
        return Err(wrong_size(operation, name, size as i64));
    }
    value_of(copy.as_mut_ptr()).during_on(operation, name)
}

/// The value of a semaphore that is valid for reading at least, and initialised.
fn value_of(semaphore: *mut sem_t) -> std::result::Result<u32, Errno> {
    let mut value = 0;
    // SAFETY: the callers have a semaphore there; the value is valid to write to.
    check(unsafe { libc::sem_getvalue(semaphore, &mut value) })?;
    // POSIX lets a system tell the number of sleepers as a negative value.
    Ok(value.max(0) as u32)
}

fn initialise(mapping: &Mapping, operation: &'static str, value: u32) -> Result<()> {
    if value > LARGEST_VALUE {
        let remedy = format!("the value is {value}, the limit {LARGEST_VALUE}");
        return Err(Error::os(operation, Errno::EINVAL).hint(remedy));
    }
    let mut semaphore = MaybeUninit::<sem_t>::zeroed();
    // SAFETY: the place is local and valid; 1 makes it process-shared.
    check(unsafe { libc::sem_init(semaphore.as_mut_ptr(), 1, value) }).during(operation)?;
    // SAFETY: the mapping has room for it, page-aligned, and nobody else knows the object yet. A sem_t may be moved before its first use: it is
    // the bytes that sem_open writes into a new file, too.
    unsafe { mapping.as_ptr().cast::<MaybeUninit<sem_t>>().write(semaphore) };
    Ok(())
}
