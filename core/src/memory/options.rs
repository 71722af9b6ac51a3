//! How a memory is made, opened and mapped.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;

use super::mapping::Place;
use super::memfd::Seals;
use super::pages;
use crate::error::{Error, Failure, Result};
use crate::wait::Wait;

/// What a mapping may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Reading and writing.
    #[default]
    ReadWrite,
    /// Reading. A write through the address is a fault; a write through this library is `EACCES`.
    ReadOnly,
    /// Reading and writing a private copy: the first write to a page copies it, and nobody else sees it. What others write to the rest may show or
    /// not. For what exists; not for System V memory.
    CopyOnWrite,
}

/// Whether the pages are to be huge ones: fewer entries in the processor's tables, for memory of many megabytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HugePages {
    /// Ordinary pages.
    #[default]
    No,
    /// Huge pages if the system has some to spare; else ordinary ones, which the kernel is asked to join. [`Memory::page_size`](super::Memory::page_size)
    /// tells what came of it.
    Try,
    /// Huge pages or an error.
    Require,
}

/// How a memory is made and opened.
#[derive(Debug, Clone)]
pub struct MemoryOptions<'a> {
    /// Create: the size in bytes, at least one; with huge pages rounded up to whole ones. Open: the least that will do, 0 for any.
    pub size: usize,
    /// Create: the permissions, set whatever the umask says; 0 is 0600.
    pub mode: u32,
    /// Create: the group, by name or number.
    pub group: Option<String>,
    /// What for.
    pub access: Access,
    /// Open: accept an object of a user other than oneself and root.
    pub any_owner: bool,
    /// Create: remove the name when the creator drops its handle. System V memory goes when nobody is attached any more.
    pub temporary: bool,
    /// Create: give the name later, by [`Memory::publish`](super::Memory::publish). Not for System V memory.
    pub unpublished: bool,
    /// Create: do not reserve the pages. A store into a full system is then SIGBUS.
    pub sparse: bool,
    /// Open: how long to wait for another process to create the object and give it its size.
    pub wait_for_creator: Wait<'a>,
    /// Where the mapping is to be, a multiple of the page size; `EEXIST` if something else is there. 0 leaves it to the kernel.
    pub address: usize,
    /// Open a file or descriptor: where the mapped range begins, a multiple of the page size.
    pub offset: u64,
    /// Open a file or descriptor: how many bytes to map; 0 for all to the end.
    pub length: usize,
    /// Open a descriptor: the seals that it must have; `EPERM` if it lacks one.
    pub require_seals: Seals,
    /// Have every page at hand before the call returns, so that the first use of one does not wait.
    pub prefault: bool,
    /// Keep the pages in memory, never in swap space. `RLIMIT_MEMLOCK` limits it.
    pub pinned: bool,
    /// Whether the pages are to be huge.
    pub huge_pages: HugePages,
    /// memfd: leave out the seal against being executed.
    pub executable: bool,
    /// `read` and `write` go through the kernel, so that an object which others shrink is an error and no SIGBUS. Always so for files.
    pub checked: bool,
}

impl Default for MemoryOptions<'_> {
    /// Of any size, for the owner alone, read and written, every page reserved, not waiting for a creator.
    fn default() -> Self {
        MemoryOptions {
            size: 0,
            mode: 0,
            group: None,
            access: Access::ReadWrite,
            any_owner: false,
            temporary: false,
            unpublished: false,
            sparse: false,
            wait_for_creator: Wait::NEVER,
            address: 0,
            offset: 0,
            length: 0,
            require_seals: Seals::NONE,
            prefault: false,
            pinned: false,
            huge_pages: HugePages::No,
            executable: false,
            checked: false,
        }
    }
}

impl MemoryOptions<'_> {
    /// The defaults, with a size.
    pub fn sized(size: usize) -> Self {
        MemoryOptions { size, ..Default::default() }
    }

    /// The place of a whole object with ordinary pages.
    pub(super) fn place(&self) -> Place {
        Place { offset: 0, address: self.address, huge: 0 }
    }

    /// Refuses what no new object can have.
    pub(super) fn check_creation(&self, operation: &'static str, name: &str) -> Result<()> {
        super::check_size(operation, name, self.size)?;
        if self.access == Access::CopyOnWrite {
            return Err(Error::os(operation, Errno::EINVAL).on(name).hint("a private copy of a new memory would be of no use"));
        }
        Ok(())
    }

    /// Which bytes of an object of `found` bytes are wanted, and where: the place and the length.
    pub(super) fn range(&self, operation: &'static str, name: &str, descriptor: BorrowedFd<'_>, found: u64) -> Result<(Place, usize)> {
        let page = pages::ordinary() as u64;
        if !self.offset.is_multiple_of(page) {
            let remedy = format!("offset {} is not a multiple of the page size, {page}", self.offset);
            return Err(Error::os(operation, Errno::EINVAL).on(name).hint(remedy));
        }
        let rest = found.saturating_sub(self.offset);
        if rest == 0 || rest < self.length as u64 {
            let (offset, length) = (self.offset, self.length.max(1));
            let remedy = format!("it has {found} bytes, {length} from offset {offset} are needed");
            return Err(Error::failure(operation, Failure::WrongSize).on(name).hint(remedy));
        }
        let length = if self.length == 0 { usize::try_from(rest).unwrap_or(usize::MAX) } else { self.length };
        Ok((Place { offset: self.offset, address: self.address, huge: pages::huge_of(descriptor).unwrap_or(0) }, length))
    }

    /// Whether a part is mapped, and not the whole.
    pub(super) fn is_part(&self) -> bool {
        self.offset != 0 || self.length != 0
    }
}
