//! Files as memory: bytes that outlive the processes and the machine's restart, read and written as memory is.
//!
//! Three races belong to it. A reader that comes before the content: [`Memory::create_file`] makes the file complete before it has its name, and
//! `unpublished` lets its maker fill it first. Two versions at once: a file that is written in place shows half of each, so whoever replaces a content
//! makes a new file and renames it over the old; who has the old one mapped keeps it whole. And the file that another process shortens: a load
//! behind the new end is SIGBUS. [`Memory::read`] and [`Memory::write`] of a file therefore go through the kernel, where it is an error; the address and
//! the atomics cannot.
//!
//! Other processes see a store at once. The disk sees it when the kernel likes, or when [`Memory::flush`] returns. The pages of a new file are
//! reserved, so that a full disk is an error at creation; file systems that cannot reserve (NFS, some FUSE) still answer with SIGBUS at the store.
//!
//! [mmap(2)](https://man7.org/linux/man-pages/man2/mmap.2.html), [msync(2)](https://man7.org/linux/man-pages/man2/msync.2.html),
//! [rename(2)](https://man7.org/linux/man-pages/man2/rename.2.html)

use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::options::{Access, MemoryOptions};
use super::{Memory, publish::open_object};
use crate::descriptor;
use crate::error::{Context, Error, Failure, Result, check};
use crate::name::{self, Identity};
use crate::wait::{Wait, await_creator};

/// The longest path on Linux, in bytes.
const LONGEST_PATH: usize = 4095;

/// How [`Memory::flush`] writes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flush {
    /// Only schedule it, and do not wait until the bytes are on the disk. On Linux the kernel schedules it by itself, and this does nothing.
    pub no_wait: bool,
    /// Also ask that other mappings of the file show what was written. On Linux they do anyway; `EBUSY` for pinned pages.
    pub invalidate: bool,
}

impl Memory {
    /// Creates a file of zero bytes, exclusively, and maps it: `EEXIST` if the path is taken. The options are those of [`Memory::create`].
    ///
    /// Errors: those of [`Memory::create`], and `ENOENT`, `ENOTDIR`, `EROFS`, `EDQUOT`; `EFBIG` with `RLIMIT_FSIZE` (the process must ignore SIGXFSZ).
    pub fn create_file(path: &str, options: &MemoryOptions<'_>) -> Result<Memory> {
        const OPERATION: &str = "create file memory";
        name::path(OPERATION, path, LONGEST_PATH)?;
        Memory::create_at(OPERATION, directory_of(path), from_the_root(path), path, &of_file(options))
    }

    /// Opens a file and maps it, or the range that `offset` and `length` of the options say. Symbolic links at the end of the path are not followed.
    ///
    /// Errors: as [`Memory::open`]; `EINVAL` for an offset that is no multiple of the page size.
    pub fn open_file(path: &str, options: &MemoryOptions<'_>) -> Result<Memory> {
        const OPERATION: &str = "open file memory";
        name::path(OPERATION, path, LONGEST_PATH)?;
        let may_come = |error: &Error| error.is(Errno::ENOENT) || error.is_failure(Failure::WrongSize);
        await_creator(OPERATION, options.wait_for_creator, may_come, || {
            let (descriptor, status) = open_object(OPERATION, path, path, options.access, options.any_owner)?;
            Memory::map_found(OPERATION, path, descriptor, &status, &of_file(options))
        })
    }

    /// Opens a file and maps it, or creates it if there is none; [`Memory::was_created`] tells.
    pub fn open_or_create_file(path: &str, options: &MemoryOptions<'_>) -> Result<Memory> {
        const OPERATION: &str = "open or create file memory";
        name::path(OPERATION, path, LONGEST_PATH)?;
        options.check_creation(OPERATION, path)?;
        let at_once = MemoryOptions { wait_for_creator: Wait::NEVER, ..options.clone() };
        Memory::open_else_create(OPERATION, options, || Memory::open_file(path, &at_once), || Memory::create_file(path, options))
    }

    /// Writes what was stored in a range to the disk, and waits until it is there; a length of 0 is all to the end.
    ///
    /// Memory that is on no disk is flushed at once. Errors: `EIO`: the bytes are not on the disk; `EINVAL` beyond the size; `EBUSY` for
    /// [`Flush::invalidate`] on pinned pages; `EOPNOTSUPP` for a private copy, which goes nowhere.
    pub fn flush(&self, offset: usize, length: usize, how: Flush) -> Result<()> {
        const OPERATION: &str = "flush memory";
        if self.mapping.access() == Access::CopyOnWrite {
            return Err(self.error(OPERATION, Errno::EOPNOTSUPP).hint("what is written to a private copy goes nowhere"));
        }
        let (start, whole) = self.whole_pages(OPERATION, offset, length)?;
        let flags = if how.no_wait { libc::MS_ASYNC } else { libc::MS_SYNC } | if how.invalidate { libc::MS_INVALIDATE } else { 0 };
        // SAFETY: the range lies within the mapping, and its content does not change.
        check(unsafe { libc::msync(self.mapping.as_ptr().add(start).cast(), whole, flags) }).during_on(OPERATION, self.label())?;
        Ok(())
    }

    /// Whether [`Memory::read`] and [`Memory::write`] go through the kernel.
    pub fn is_checked(&self) -> bool {
        // The kernel does not know of a private copy, and what is anonymous or System V cannot shrink.
        self.kept.checked && self.mapping.access() != Access::CopyOnWrite && self.descriptor("").is_ok()
    }

    /// [`Memory::read`] by `pread`.
    pub(super) fn read_checked(&self, offset: usize, buffer: &mut [u8]) -> Result<()> {
        const OPERATION: &str = "read memory";
        let (descriptor, start) = (self.descriptor(OPERATION)?, self.kept.place.offset + offset as u64);
        let mut done = 0;
        while done < buffer.len() {
            let rest = &mut buffer[done..];
            let at = libc::off_t::try_from(start + done as u64).map_err(|_| self.error(OPERATION, Errno::EINVAL))?;
            // SAFETY: the rest is valid to write to.
            match check(unsafe { libc::pread(descriptor.as_raw_fd(), rest.as_mut_ptr().cast(), rest.len(), at) }) {
                Ok(0) => return Err(self.shrunk(OPERATION, descriptor)),
                Ok(count) => done += count as usize,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(self.error(OPERATION, errno)),
            }
        }
        Ok(())
    }

    /// [`Memory::write`] by `pwrite`, which would also make the object longer: so one looks first. Who shrinks it between the two gets it back as long as the
    /// write reaches, with zeros before it.
    pub(super) fn write_checked(&self, offset: usize, data: &[u8]) -> Result<()> {
        const OPERATION: &str = "write memory";
        let (descriptor, start) = (self.descriptor(OPERATION)?, self.kept.place.offset + offset as u64);
        let found = descriptor::status(descriptor).during_on(OPERATION, self.label())?.st_size as u64;
        if found < start + data.len() as u64 && !data.is_empty() {
            return Err(self.shrunk(OPERATION, descriptor));
        }
        let mut done = 0;
        while done < data.len() {
            let rest = &data[done..];
            let at = libc::off_t::try_from(start + done as u64).map_err(|_| self.error(OPERATION, Errno::EINVAL))?;
            // SAFETY: the rest is valid to read.
            match check(unsafe { libc::pwrite(descriptor.as_raw_fd(), rest.as_ptr().cast(), rest.len(), at) }) {
                Ok(count) => done += count as usize,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(self.error(OPERATION, errno).after(done)),
            }
        }
        Ok(())
    }

    #[cold]
    fn shrunk(&self, operation: &'static str, descriptor: BorrowedFd<'_>) -> Error {
        let found = descriptor::status(descriptor).map_or(0, |status| status.st_size);
        let remedy = format!("another process has made it smaller: it has {found} bytes now");
        Error::failure(operation, Failure::WrongSize).on(self.label()).hint(remedy)
    }
}

/// The options for a file, whose copies always are checked.
fn of_file<'a>(options: &MemoryOptions<'a>) -> MemoryOptions<'a> {
    MemoryOptions { checked: true, ..options.clone() }
}

/// The path that holds also when the working directory has become another: for the name that is given or removed later. Where the way from the root is too
/// long, or not ours to go, the path as it is.
fn from_the_root(path: &str) -> PathBuf {
    let same = |one: &Path, other: &Path| {
        let identity = |path: &Path| nix::sys::stat::stat(path).map(|status| Identity::of(&status));
        identity(one).is_ok_and(|found| identity(other) == Ok(found))
    };
    let absolute = std::path::absolute(path).ok().filter(|absolute| {
        let is_short = absolute.as_os_str().len() <= LONGEST_PATH;
        is_short && absolute.parent().is_some_and(|parent| path.starts_with('/') || same(parent, Path::new(directory_of(path))))
    });
    absolute.unwrap_or_else(|| PathBuf::from(path))
}

fn directory_of(path: &str) -> &str {
    match path.rsplit_once('/') {
        None => ".",
        Some(("", _)) => "/",
        Some((directory, _)) => directory,
    }
}
