//! memfds: memory without a name, known by its descriptor, which can be sealed.
//!
//! It goes to another process by inheritance or through a socket. Whoever has the descriptor can change the size, and a load behind a new end is SIGBUS;
//! so a receiver that does not trust the sender looks at the seals first, and only then maps ([`MemoryOptions::require_seals`]): a seal once seen
//! never goes away. The sender fills, seals, and then sends. A seal against writing needs that nobody has the memory mapped for writing; a seal against
//! *future* writing lets the mappings stay that there are, so that one process writes what all others can only read.
//!
//! A descriptor that can only read is no protection by itself: who may open the object by `/proc/self/fd` opens it for writing again. The mode (0600)
//! keeps other users out; against one's own user only seals help.
//!
//! [memfd_create(2)](https://man7.org/linux/man-pages/man2/memfd_create.2.html), [F_ADD_SEALS(2const)](https://man7.org/linux/man-pages/man2/F_ADD_SEALS.2const.html)

use std::ffi::CString;
use std::fmt;
use std::ops::BitOr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;

use nix::errno::Errno;

use super::mapping::{Mapping, Place};
use super::options::{Access, HugePages, MemoryOptions};
use super::publish::set_size;
use super::{Memory, pages};
use crate::descriptor;
use crate::error::{Context, Error, Failure, Result, check};
use crate::name;

/// The longest name of a memfd, in bytes; it only shows in `/proc`.
const LONGEST_MEMFD_NAME: usize = 249;

/// What can no longer be done to a memory. The numbers are the kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Seals(u32);

impl Seals {
    /// No seal.
    pub const NONE: Seals = Seals(0);
    /// No seal can be added any more.
    pub const SEAL: Seals = Seals(libc::F_SEAL_SEAL as u32);
    /// It cannot become smaller.
    pub const SHRINK: Seals = Seals(libc::F_SEAL_SHRINK as u32);
    /// It cannot become larger.
    pub const GROW: Seals = Seals(libc::F_SEAL_GROW as u32);
    /// Nobody can write.
    pub const WRITE: Seals = Seals(libc::F_SEAL_WRITE as u32);
    /// Nobody can write, but through the mappings that there are.
    pub const FUTURE_WRITE: Seals = Seals(libc::F_SEAL_FUTURE_WRITE as u32);
    /// Its mode cannot make it executable, or cannot cease to.
    pub const EXEC: Seals = Seals(libc::F_SEAL_EXEC as u32);

    const NAMES: [(Seals, &str); 6] = [
        (Seals::SEAL, "seal"),
        (Seals::SHRINK, "shrink"),
        (Seals::GROW, "grow"),
        (Seals::WRITE, "write"),
        (Seals::FUTURE_WRITE, "future write"),
        (Seals::EXEC, "exec"),
    ];

    /// The seals of the kernel's number; `None` for one that is not known here.
    pub fn from_bits(bits: u32) -> Option<Seals> {
        (bits & !0x3f == 0).then_some(Seals(bits))
    }

    /// The kernel's number.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of `others` are among these.
    pub fn contains(self, others: Seals) -> bool {
        self.0 & others.0 == others.0
    }

    /// The seals that are wanted and not here. Who can never write cannot write in the future.
    fn missing(self, wanted: Seals) -> Seals {
        let implied = if self.contains(Seals::WRITE) { Seals::FUTURE_WRITE.0 } else { 0 };
        Seals(wanted.0 & !(self.0 | implied))
    }

    fn of(descriptor: BorrowedFd<'_>) -> std::result::Result<Seals, Errno> {
        // SAFETY: F_GET_SEALS returns an integer.
        check(unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_GET_SEALS) }).map(|bits| Seals(bits as u32))
    }
}

impl BitOr for Seals {
    type Output = Seals;

    fn bitor(self, others: Seals) -> Seals {
        Seals(self.0 | others.0)
    }
}

impl fmt::Display for Seals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Seals::NAMES.iter().filter(|(seal, _)| self.contains(*seal)).map(|(_, name)| *name);
        formatter.write_str(names.next().unwrap_or("none"))?;
        names.try_for_each(|name| write!(formatter, ", {name}"))
    }
}

/// Refuses what lacks a seal that the receiver needs.
pub(super) fn require_seals(operation: &'static str, name: &str, descriptor: BorrowedFd<'_>, wanted: Seals) -> Result<()> {
    if wanted == Seals::NONE {
        return Ok(());
    }
    // What knows no seals has none.
    let missing = Seals::of(descriptor).unwrap_or(Seals::NONE).missing(wanted);
    if missing == Seals::NONE {
        return Ok(());
    }
    let remedy = format!("it lacks the seals that were required: {missing}; whoever holds it may still change what we rely on");
    Err(Error::os(operation, Errno::EPERM).on(name).hint(remedy))
}

impl Memory {
    /// Makes a memfd of zero bytes, which can be sealed. `name` only shows in `/proc`, and need not be unique. It has no x permission and cannot get it, unless
    /// [`MemoryOptions::executable`] (before Linux 6.3 that is not sealed). Size, mode, group, sparse, address, prefault, pinned, huge pages and checked count.
    ///
    /// Errors: `EINVAL` for a bad name, size or mode; `ENOMEM`; `EMFILE`, `ENFILE`; [`Failure::Unavailable`] for huge pages that there are not.
    pub fn memfd(name: &str, options: &MemoryOptions<'_>) -> Result<Memory> {
        const OPERATION: &str = "create memfd";
        options.check_creation(OPERATION, name)?;
        if options.huge_pages != HugePages::No {
            match huge(OPERATION, name, options) {
                Err(error) if options.huge_pages == HugePages::Try && error.is_failure(Failure::Unavailable) => {}
                other => return other,
            }
        }
        let descriptor = create(OPERATION, name, options, 0)?;
        set_size(OPERATION, descriptor.as_fd(), 0, options.size, !options.sparse, true).map_err(|error| error.on(name))?;
        let mapping = Mapping::at(descriptor.as_fd(), options.size, options.access, options.place()).during_on(OPERATION, name)?;
        pages::settle(OPERATION, name, &mapping, options)?;
        Ok(Memory { was_created: true, ..Memory::of_open(descriptor, mapping, name, options, options.place()) })
    }

    /// Adds seals, for good. [`Seals::WRITE`] makes this handle a read-only one: its address moves unless the place is free at once, and addresses from before
    /// are no longer valid.
    ///
    /// Errors: `EPERM` if it is sealed against seals, as POSIX shared memory always is: seals are for memfds; `EBUSY` for [`Seals::WRITE`] while somebody has
    /// it mapped for writing; `EINVAL` for a file on a disk, or a seal that an older kernel does not know; `EACCES` for a read-only handle; `EOPNOTSUPP`
    /// for what has no descriptor.
    pub fn seal(&mut self, seals: Seals) -> Result<()> {
        const OPERATION: &str = "seal memory";
        self.descriptor(OPERATION)?;
        let is_writable = self.mapping.access() == Access::ReadWrite;
        if !seals.contains(Seals::WRITE) || !is_writable {
            return self.add_seals(OPERATION, seals);
        }
        if Arc::strong_count(&self.mapping) > 1 || self.earlier.iter().any(|mapping| Arc::strong_count(mapping) > 1) {
            return Err(self.error(OPERATION, Errno::EBUSY).hint("a view of this handle can still write"));
        }
        self.earlier.clear();
        // Our own writable mapping is in the way. A read-only one counts as such too, unless its descriptor cannot write.
        let read_only = descriptor::reopen(self.descriptor(OPERATION)?, libc::O_RDONLY).during_on(OPERATION, self.label())?;
        let (length, place) = (self.size(), self.kept.place);
        let former = self.mapping.as_ptr().addr();
        let fresh = Mapping::at(read_only.as_fd(), length, Access::ReadOnly, Place { address: 0, ..place });
        self.mapping = Arc::new(fresh.during_on(OPERATION, self.label())?);
        let sealed = self.add_seals(OPERATION, seals);
        let (descriptor, access) = match &sealed {
            Ok(()) => (read_only.as_fd(), Access::ReadOnly),
            Err(_) => (self.descriptor(OPERATION)?, Access::ReadWrite),
        };
        // Back to where it was, if the place is still free.
        let again = Mapping::at(descriptor, length, access, Place { address: former, ..place })
            .or_else(|_| Mapping::at(descriptor, length, access, Place { address: 0, ..place }));
        if let Ok(mapping) = again {
            self.mapping = Arc::new(mapping);
        }
        sealed
    }

    fn add_seals(&self, operation: &'static str, seals: Seals) -> Result<()> {
        // SAFETY: F_ADD_SEALS takes an integer.
        let added = check(unsafe { libc::fcntl(self.descriptor(operation)?.as_raw_fd(), libc::F_ADD_SEALS, seals.0 as libc::c_int) });
        added.map(drop).map_err(|errno| {
            let error = self.error(operation, errno);
            match errno {
                Errno::EBUSY => error.hint("somebody has it mapped for writing"),
                Errno::EINVAL => error.hint("only memfds can be sealed, or the kernel does not know the seal"),
                Errno::EPERM => match self.seals() {
                    // Born so: other memory of tmpfs, which is what POSIX shared memory is.
                    Ok(present) if present == Seals::SEAL => {
                        error.hint("only memfds that nobody has sealed against seals can be sealed; POSIX shared memory cannot")
                    }
                    Ok(present) if present.contains(Seals::SEAL) => error.hint("it is sealed against further seals"),
                    _ => error.hint("the descriptor cannot write"),
                },
                _ => error,
            }
        })
    }

    /// What it is sealed against; POSIX shared memory is against seals. `EINVAL` for what cannot be sealed: a file on a disk; `EOPNOTSUPP` for what has no descriptor.
    pub fn seals(&self) -> Result<Seals> {
        const OPERATION: &str = "get seals of memory";
        Seals::of(self.descriptor(OPERATION)?).during_on(OPERATION, self.label())
    }

    /// A new descriptor of the same object that can only read, to be handed out. Who gets it cannot map it for writing; who may also open the object by
    /// `/proc` can get one that writes, unless it is sealed.
    ///
    /// Errors: `EOPNOTSUPP` for what has no descriptor; `ENOENT` without `/proc`; `EACCES`, `EMFILE`, `ENFILE`.
    pub fn read_only_descriptor(&self) -> Result<OwnedFd> {
        const OPERATION: &str = "reopen memory for reading";
        descriptor::reopen(self.descriptor(OPERATION)?, libc::O_RDONLY).during_on(OPERATION, self.label())
    }
}

/// A memfd of huge pages, all of which are there; else [`Failure::Unavailable`], or another error if it is not for want of such pages.
fn huge(operation: &'static str, name: &str, options: &MemoryOptions<'_>) -> Result<Memory> {
    let unavailable = |errno: Errno| pages::no_huge(operation, name, Some(errno));
    let Some(page) = pages::default_huge() else { return Err(unavailable(Errno::ENOSYS)) };
    let size = options.size.checked_next_multiple_of(page).ok_or_else(|| Error::os(operation, Errno::EINVAL).on(name))?;
    let descriptor = create(operation, name, options, libc::MFD_HUGETLB)?;
    let length = libc::off_t::try_from(size).map_err(|_| Error::os(operation, Errno::EINVAL).on(name))?;
    // SAFETY: ftruncate takes integers.
    check(unsafe { libc::ftruncate(descriptor.as_raw_fd(), length) }).map_err(unavailable)?;
    let place = Place { huge: page, ..options.place() };
    // Mapping reserves the pages.
    let mapping = Mapping::at(descriptor.as_fd(), size, options.access, place).map_err(unavailable)?;
    pages::settle(operation, name, &mapping, &MemoryOptions { huge_pages: HugePages::No, ..options.clone() })?;
    // Huge pages cannot be written by write(2).
    let options = MemoryOptions { checked: false, ..options.clone() };
    Ok(Memory { was_created: true, ..Memory::of_open(descriptor, mapping, name, &options, place) })
}

/// An empty memfd with its permissions.
fn create(operation: &'static str, name: &str, options: &MemoryOptions<'_>, flags: libc::c_uint) -> Result<OwnedFd> {
    if name.len() > LONGEST_MEMFD_NAME {
        let remedy = format!("the name has {} bytes, the limit is {LONGEST_MEMFD_NAME}", name.len());
        return Err(Error::os(operation, Errno::ENAMETOOLONG).on(name).hint(remedy));
    }
    let mode = name::permissions(operation, options.mode).map_err(|error| error.on(name))?;
    let group = options.group.as_deref().map(|group| name::group(operation, group)).transpose()?;
    let c_name = CString::new(name).map_err(|_| Error::os(operation, Errno::EINVAL).on(name).hint("a name has no NUL byte"))?;
    let execution = if options.executable { libc::MFD_EXEC } else { libc::MFD_NOEXEC_SEAL };
    let make = |extra| {
        // SAFETY: the name is NUL-terminated and lives through the call.
        check(unsafe { libc::memfd_create(c_name.as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING | flags | extra) })
    };
    // A kernel before 6.3 knows neither flag.
    let made = match make(execution) {
        Err(Errno::EINVAL) => make(0),
        other => other,
    };
    let raw = match made {
        Ok(raw) => raw,
        Err(errno) if flags & libc::MFD_HUGETLB != 0 && !matches!(errno, Errno::EMFILE | Errno::ENFILE) => {
            return Err(pages::no_huge(operation, name, Some(errno)));
        }
        Err(errno) => return Err(Error::os(operation, errno).on(name)),
    };
    // SAFETY: the kernel has just given us this descriptor.
    let descriptor = unsafe { OwnedFd::from_raw_fd(raw) };
    descriptor::set_permissions(descriptor.as_fd(), mode, group).map_err(|errno| {
        let error = Error::os(operation, errno).on(name);
        if mode & 0o111 != 0 && !options.executable { error.hint("a mode with x needs the option executable") } else { error }
    })?;
    Ok(descriptor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_against_writing_is_one_against_future_writing() {
        let wanted = Seals::FUTURE_WRITE | Seals::SHRINK;
        assert_eq!((Seals::WRITE | Seals::GROW).missing(wanted), Seals::SHRINK);
        assert_eq!(Seals::FUTURE_WRITE.missing(Seals::WRITE), Seals::WRITE);
        assert_eq!((Seals::WRITE | Seals::GROW | Seals::SHRINK).missing(wanted), Seals::NONE);
    }

    #[test]
    fn seals_are_words_for_people_and_numbers_for_the_kernel() {
        assert_eq!((Seals::SHRINK | Seals::FUTURE_WRITE).to_string(), "shrink, future write");
        assert_eq!(Seals::NONE.to_string(), "none");
        assert_eq!(Seals::from_bits(0x3f).map(Seals::bits), Some(0x3f));
        assert_eq!(Seals::from_bits(0x40), None);
    }
}
