//! An address range of a memory.
//!
//! The kernel keeps the pages while anything maps them, whatever becomes of the name and the descriptor; so a mapping is complete in itself. Its
//! length is logical: what was asked for, not the pages that the kernel rounds it up to.
//!
//! The trap is the object that somebody shrinks: touching a page behind its new end is SIGBUS. Whoever may write the object may shrink it.
//!
//! [mmap(2)](https://man7.org/linux/man-pages/man2/mmap.2.html), [shmat(2)](https://man7.org/linux/man-pages/man2/shmat.2.html)

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr::NonNull;

use nix::errno::Errno;

use super::options::Access;
use super::pages;
use crate::descriptor;

/// An address range of a memory, unmapped when dropped.
#[derive(Debug)]
pub struct Mapping {
    address: NonNull<u8>,
    length: usize,
    access: Access,
    release: Release,
}

/// How the range goes.
#[derive(Debug)]
enum Release {
    /// `munmap`, of whole pages.
    Unmap(usize),
    /// `shmdt`.
    Detach,
}

/// Which part of an object, and where in the process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    /// Where in the object the range begins: a multiple of the page size.
    pub(crate) offset: u64,
    /// Where it is to be; 0 leaves it to the kernel.
    pub(crate) address: usize,
    /// The size of the object's pages, if they are huge; else 0.
    pub(crate) huge: usize,
}

// SAFETY: a mapping is an address range of the process, not of a thread; all access through it is atomic or marked unsafe.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `length` bytes of an object. `EINVAL` for no bytes, or more than an address range can have.
    pub(crate) fn of(descriptor: BorrowedFd<'_>, length: usize, access: Access) -> Result<Mapping, Errno> {
        Mapping::at(descriptor, length, access, Place::default())
    }

    /// Maps `length` bytes of an object. Also `EEXIST` if something else is at the wanted address.
    pub(crate) fn at(descriptor: BorrowedFd<'_>, length: usize, access: Access, place: Place) -> Result<Mapping, Errno> {
        match Mapping::map(descriptor.as_raw_fd(), 0, length, access, place) {
            // Before Linux 6.7, what is sealed against writing can be mapped shared only by a descriptor that cannot write.
            Err(Errno::EPERM) if access == Access::ReadOnly => {
                let read_only = descriptor::reopen(descriptor, libc::O_RDONLY)?;
                Mapping::map(read_only.as_fd().as_raw_fd(), 0, length, access, place)
            }
            other => other,
        }
    }

    /// Maps zeroed pages that children made by `fork` share.
    pub(crate) fn anonymous(length: usize, place: Place) -> Result<Mapping, Errno> {
        let huge = if place.huge == 0 { 0 } else { libc::MAP_HUGETLB };
        Mapping::map(-1, libc::MAP_ANONYMOUS | huge, length, Access::ReadWrite, place)
    }

    fn map(descriptor: libc::c_int, mut flags: libc::c_int, length: usize, access: Access, place: Place) -> Result<Mapping, Errno> {
        if length == 0 || length > isize::MAX as usize {
            return Err(Errno::EINVAL);
        }
        let offset = libc::off_t::try_from(place.offset).map_err(|_| Errno::EINVAL)?;
        let page = if place.huge == 0 { pages::ordinary() } else { place.huge };
        // Huge pages are unmapped by whole ones alone.
        let whole = length.checked_next_multiple_of(page).ok_or(Errno::ENOMEM)?;
        let (protection, sharing) = match access {
            Access::ReadWrite => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED),
            Access::ReadOnly => (libc::PROT_READ, libc::MAP_SHARED),
            Access::CopyOnWrite => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE),
        };
        flags |= sharing;
        if place.address != 0 {
            flags |= libc::MAP_FIXED_NOREPLACE;
        }
        let wanted = std::ptr::without_provenance_mut(place.address);
        // SAFETY: a new mapping that replaces no other disturbs nothing.
        let address = unsafe { libc::mmap(wanted, whole, protection, flags, descriptor, offset) };
        if address == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let mapping =
            Mapping { address: NonNull::new(address.cast()).ok_or(Errno::ENOMEM)?, length, access, release: Release::Unmap(whole) };
        // A kernel before 4.17 takes the address for a wish.
        if place.address != 0 && address.addr() != place.address { Err(Errno::EEXIST) } else { Ok(mapping) }
    }

    /// Attaches a System V segment of `length` bytes, at `address` unless that is 0.
    pub(crate) fn attach(identifier: libc::c_int, length: usize, access: Access, address: usize) -> Result<Mapping, Errno> {
        let flags = match access {
            Access::ReadWrite => 0,
            Access::ReadOnly => libc::SHM_RDONLY,
            Access::CopyOnWrite => return Err(Errno::EINVAL),
        };
        let wanted = std::ptr::without_provenance_mut(address);
        // SAFETY: without SHM_REMAP nothing that is mapped is replaced.
        let address = unsafe { libc::shmat(identifier, wanted, flags) };
        if address.addr() == usize::MAX {
            return Err(Errno::last());
        }
        let address = NonNull::new(address.cast()).ok_or(Errno::ENOMEM)?;
        Ok(Mapping { address, length, access, release: Release::Detach })
    }

    /// The first byte.
    ///
    /// Others may write to the range at any time. References to ordinary data in it are therefore wrong, except where a lock that everybody keeps
    /// makes them right.
    pub fn as_ptr(&self) -> *mut u8 {
        self.address.as_ptr()
    }

    /// The length in bytes, as it was asked for.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Never: there is no mapping without a byte.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// What the mapping may be used for.
    pub fn access(&self) -> Access {
        self.access
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let address = self.address.as_ptr().cast();
        // SAFETY: mapped by us with this length, and whoever used the address has given it up with the mapping.
        unsafe {
            match self.release {
                Release::Unmap(whole) => libc::munmap(address, whole),
                Release::Detach => libc::shmdt(address),
            }
        };
    }
}
