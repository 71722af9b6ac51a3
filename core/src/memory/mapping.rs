//! An address range of a memory.
//!
//! The kernel keeps the pages while anything maps them, whatever becomes of the name and the descriptor; so a mapping is complete in itself. Its
//! length is logical: what was asked for, not the pages that the kernel rounds it up to.
//!
//! The trap is the object that somebody shrinks: touching a page behind its new end is SIGBUS. Whoever may write the object may shrink it.
//!
//! [mmap(2)](https://man7.org/linux/man-pages/man2/mmap.2.html)

use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

use nix::errno::Errno;

/// What a mapping may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Reading and writing.
    #[default]
    ReadWrite,
    /// Reading. A write through the address is a fault; a write through this library is `EACCES`.
    ReadOnly,
}

/// An address range of a memory, unmapped when dropped.
#[derive(Debug)]
pub struct Mapping {
    address: NonNull<u8>,
    length: usize,
    access: Access,
}

// SAFETY: a mapping is an address range of the process, not of a thread; all access through it is atomic or marked unsafe.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `length` bytes of an object. `EINVAL` for no bytes, or more than an address range can have.
    pub(crate) fn of(descriptor: BorrowedFd<'_>, length: usize, access: Access) -> Result<Mapping, Errno> {
        Mapping::map(descriptor.as_raw_fd(), libc::MAP_SHARED, length, access)
    }

    /// Maps zeroed pages that children made by `fork` share.
    pub(crate) fn anonymous(length: usize) -> Result<Mapping, Errno> {
        Mapping::map(-1, libc::MAP_SHARED | libc::MAP_ANONYMOUS, length, Access::ReadWrite)
    }

    fn map(descriptor: libc::c_int, flags: libc::c_int, length: usize, access: Access) -> Result<Mapping, Errno> {
        if length == 0 || length > isize::MAX as usize {
            return Err(Errno::EINVAL);
        }
        let protection = match access {
            Access::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
            Access::ReadOnly => libc::PROT_READ,
        };
        // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
        let address = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, descriptor, 0) };
        if address == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let address = NonNull::new(address.cast()).ok_or(Errno::ENOMEM)?;
        Ok(Mapping { address, length, access })
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
        // SAFETY: mapped by us with this length, and whoever used the address has given it up with the mapping.
        unsafe { libc::munmap(self.address.as_ptr().cast(), self.length) };
    }
}
