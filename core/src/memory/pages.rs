//! The pages of a memory: at hand before they are used, kept out of the swap space, larger than usual.
//!
//! A page comes into being when it is first touched, and that touch waits for the kernel; prefaulting does it beforehand. What is reserved can still
//! be swapped out; pinning forbids it, within `RLIMIT_MEMLOCK`. Huge pages come from a pool that the administrator fills (`vm.nr_hugepages`) and are
//! reserved when they are mapped: either there are enough then, or it is an error, and never a signal later.
//!
//! [madvise(2)](https://man7.org/linux/man-pages/man2/madvise.2.html), [mlock(2)](https://man7.org/linux/man-pages/man2/mlock.2.html),
//! [getrlimit(2)](https://man7.org/linux/man-pages/man2/getrlimit.2.html)

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::OnceLock;

use nix::errno::Errno;

use super::mapping::Mapping;
use super::options::{Access, HugePages, MemoryOptions};
use super::{Memory, room};
use crate::error::{Context, Error, Failure, Result, check, human_size};
use crate::wait::timespec;

/// What the kernel is told about the use of a range. Wrong advice costs time and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(i32)]
pub enum Advice {
    /// Nothing special.
    #[default]
    Normal = libc::MADV_NORMAL,
    /// In no order: do not read ahead.
    Random = libc::MADV_RANDOM,
    /// From the beginning to the end: read far ahead.
    Sequential = libc::MADV_SEQUENTIAL,
    /// Soon: begin to read it.
    WillNeed = libc::MADV_WILLNEED,
    /// Not soon: this process's pages may go. The object keeps its bytes; a private copy loses what was written to it.
    DontNeed = libc::MADV_DONTNEED,
}

/// The size of ordinary pages.
pub(super) fn ordinary() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    // SAFETY: sysconf takes an integer.
    *SIZE.get_or_init(|| usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096))
}

/// The size of the huge pages that are the system's default; `None` where there are none at all.
pub(super) fn default_huge() -> Option<usize> {
    let information = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes = room::value_of(&information, "Hugepagesize:")?;
    usize::try_from(kilobytes).ok()?.checked_mul(1024)
}

/// The size of the pages of an object that has huge ones.
pub(super) fn huge_of(descriptor: BorrowedFd<'_>) -> Option<usize> {
    let mut status = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the status is valid to write to.
    check(unsafe { libc::fstatfs(descriptor.as_raw_fd(), status.as_mut_ptr()) }).ok()?;
    // SAFETY: fstatfs has filled it in.
    let status = unsafe { status.assume_init() };
    (status.f_type == libc::HUGETLBFS_MAGIC).then(|| usize::try_from(status.f_bsize).ok())?
}

/// The error of huge pages that could not be had.
#[cold]
pub(super) fn no_huge(operation: &'static str, name: &str, why: Option<Errno>) -> Error {
    let error = Error::failure(operation, Failure::Unavailable).on(name);
    let Some(errno) = why else { return error.hint("huge pages are for anonymous memory, memfds and System V memory") };
    let information = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let free = room::value_of(&information, "HugePages_Free:").unwrap_or(0);
    error.hint(format!("no huge pages ({}): {free} are free; vm.nr_hugepages sets how many there are", errno.desc()))
}

/// Does to a fresh mapping what the options ask for.
pub(super) fn settle(operation: &'static str, name: &str, mapping: &Mapping, options: &MemoryOptions<'_>) -> Result<()> {
    if options.huge_pages == HugePages::Try {
        join(mapping);
    }
    if options.prefault {
        prefault(mapping).map_err(|errno| no_pages(operation, name, errno, mapping.len()))?;
    }
    if options.pinned {
        pin(operation, name, mapping)?;
    }
    Ok(())
}

/// Asks for huge pages made of ordinary ones. It is a wish: nobody is told whether it came true.
pub(super) fn join(mapping: &Mapping) {
    // SAFETY: the advice changes no content.
    unsafe { libc::madvise(mapping.as_ptr().cast(), mapping.len(), libc::MADV_HUGEPAGE) };
}

/// Sees to it that every page is there.
pub(super) fn prefault(mapping: &Mapping) -> std::result::Result<(), Errno> {
    let advice = match mapping.access() {
        Access::ReadOnly => libc::MADV_POPULATE_READ,
        Access::ReadWrite | Access::CopyOnWrite => libc::MADV_POPULATE_WRITE,
    };
    loop {
        // SAFETY: populating changes no content.
        match check(unsafe { libc::madvise(mapping.as_ptr().cast(), mapping.len(), advice) }) {
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            // Before Linux 5.14 there is no such advice.
            Err(Errno::EINVAL | Errno::ENOSYS | Errno::EPERM) => break,
            other => return other.map(drop),
        }
    }
    touch(mapping)
}

/// Touches every page, so that the kernel makes it.
///
/// A load or store of our own would be SIGBUS where the object has been shrunk. So the kernel touches: a futex call on the page's first word that wakes
/// nobody and sleeps for no time fails with `EFAULT` there.
fn touch(mapping: &Mapping) -> std::result::Result<(), Errno> {
    for offset in (0..mapping.len()).step_by(ordinary()) {
        // SAFETY: within the mapping, whose pages are whole.
        let word: *mut u32 = unsafe { mapping.as_ptr().add(offset) }.cast();
        loop {
            let touched = if mapping.access() == Access::ReadOnly { load_there(word) } else { add_nothing(word) };
            match touched {
                // The word was another one, or the same for no time.
                Ok(_) | Err(Errno::EAGAIN | Errno::ETIMEDOUT) => break,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
    Ok(())
}

/// Has the kernel load a word, by comparing it.
fn load_there(word: *mut u32) -> std::result::Result<libc::c_long, Errno> {
    const HARDLY_THERE: u32 = 0x9d2c_5680;
    let at_once = timespec(0);
    // SAFETY: the kernel checks the address; the time lives through the call.
    check(unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, HARDLY_THERE, &raw const at_once) })
}

/// Has the kernel add 0 to a word, atomically. Nobody sleeps on ours; who sleeps on that word may at most be woken for no reason.
fn add_nothing(word: *mut u32) -> std::result::Result<libc::c_long, Errno> {
    // FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, -2048)
    const ADD_NOTHING: u32 = 1 << 28 | 0x800;
    let (own, none) = (0u32, 0 as libc::c_long);
    let wake_and_add = libc::FUTEX_WAKE_OP | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: our word lives through the call; the kernel checks the other address, and changes nothing there.
    check(unsafe { libc::syscall(libc::SYS_futex, &raw const own, wake_and_add, 0, none, word, ADD_NOTHING) })
}

/// The error of pages that the kernel could not provide.
#[cold]
pub(super) fn no_pages(operation: &'static str, name: &str, errno: Errno, length: usize) -> Error {
    match errno {
        // The kernel's word for what would have been SIGBUS.
        Errno::EFAULT => {
            let remedy = "the object ends before the mapping does, or its file system is full";
            Error::failure(operation, Failure::WrongSize).on(name).hint(remedy)
        }
        _ => Error::os(operation, errno).on(name).hint(format!("{} of pages were asked for", human_size(length as u64))),
    }
}

/// Keeps the pages in memory.
fn pin(operation: &'static str, name: &str, mapping: &Mapping) -> Result<()> {
    // SAFETY: mlock changes no content.
    let locked = check(unsafe { libc::mlock(mapping.as_ptr().cast(), mapping.len()) });
    locked.map(drop).map_err(|errno| not_pinned(operation, name, errno, mapping.len()))
}

#[cold]
fn not_pinned(operation: &'static str, name: &str, errno: Errno, length: usize) -> Error {
    let error = Error::os(operation, errno).on(name);
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: the limit is valid to write to.
    if unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, limit.as_mut_ptr()) } != 0 {
        return error;
    }
    // SAFETY: getrlimit has filled it in.
    let limit = unsafe { limit.assume_init() }.rlim_cur;
    let length = human_size(length as u64);
    if limit == libc::RLIM_INFINITY {
        return error.hint(format!("{length} were to be pinned, and RLIMIT_MEMLOCK sets no limit"));
    }
    error.hint(format!("{length} were to be pinned, and RLIMIT_MEMLOCK allows {} in all", human_size(limit)))
}

impl Memory {
    /// Has every page at hand, so that no later use of one waits for it. On a handle that writes, the kernel is asked as for a write.
    ///
    /// Errors: `ENOMEM`; [`Failure::WrongSize`] if the object has been shrunk or its file system is full.
    pub fn prefault(&self) -> Result<()> {
        prefault(&self.mapping).map_err(|errno| no_pages("prefault memory", self.label(), errno, self.size()))
    }

    /// Keeps the newest mapping in memory, and those that a change of size makes: not in the swap space, until it is unmapped or
    /// [`Memory::unpin`]. A child made by `fork` does not inherit it.
    ///
    /// Errors: `ENOMEM`, `EPERM`, `EAGAIN`, with the value of `RLIMIT_MEMLOCK`, which does not bind who has `CAP_IPC_LOCK`.
    pub fn pin(&mut self) -> Result<()> {
        pin("pin memory", self.label(), &self.mapping)?;
        self.kept.pinned = true;
        Ok(())
    }

    /// Lets the pages go to the swap space again.
    pub fn unpin(&mut self) -> Result<()> {
        self.kept.pinned = false;
        // SAFETY: munlock changes no content.
        check(unsafe { libc::munlock(self.mapping.as_ptr().cast(), self.mapping.len()) }).during_on("unpin memory", self.label())?;
        Ok(())
    }

    /// The size of the pages that the mapping got, in bytes: what became of [`HugePages::Try`]. Huge pages that the kernel has joined from ordinary ones
    /// do not show. It reads `/proc/self/smaps`.
    pub fn page_size(&self) -> Result<usize> {
        const OPERATION: &str = "get page size of memory";
        let text = std::fs::read_to_string("/proc/self/smaps").during(OPERATION)?;
        Ok(kernel_page_size(&text, self.mapping.as_ptr().addr()).unwrap_or_else(ordinary))
    }

    /// Tells the kernel how a range will be used; a length of 0 is all to the end. `EINVAL` beyond the size, or for a pinned range and
    /// [`Advice::DontNeed`].
    pub fn advise(&self, offset: usize, length: usize, advice: Advice) -> Result<()> {
        const OPERATION: &str = "advise on memory";
        let (mut start, mut whole) = self.whole_pages(OPERATION, offset, length)?;
        // Only what the range has entirely may go.
        if advice == Advice::DontNeed {
            let end = start + whole;
            // Behind the end of the memory nobody has anything.
            let end = if end == self.size() { end } else { end - end % ordinary() };
            start = offset.next_multiple_of(ordinary());
            whole = end.saturating_sub(start);
        }
        if whole == 0 {
            return Ok(());
        }
        // SAFETY: the range lies within the mapping. A private copy that goes back to the object's bytes is what the caller has asked for.
        check(unsafe { libc::madvise(self.mapping.as_ptr().add(start).cast(), whole, advice as libc::c_int) })
            .during_on(OPERATION, self.label())?;
        Ok(())
    }

    /// The pages around a range: where they begin, and how many bytes to the range's end.
    pub(super) fn whole_pages(&self, operation: &'static str, offset: usize, length: usize) -> Result<(usize, usize)> {
        let length = if length == 0 { self.size().saturating_sub(offset) } else { length };
        self.range(operation, offset, length)?;
        let start = offset - offset % ordinary();
        Ok((start, offset + length - start))
    }
}

/// What `smaps` says of the mapping that has an address.
fn kernel_page_size(smaps: &str, address: usize) -> Option<usize> {
    let mut is_ours = false;
    for line in smaps.lines() {
        if let Some(kilobytes) = line.strip_prefix("KernelPageSize:") {
            if is_ours {
                return kilobytes.trim().strip_suffix(" kB")?.parse::<usize>().ok()?.checked_mul(1024);
            }
        } else if let Some((start, end)) = line.split(' ').next().and_then(|range| range.split_once('-')) {
            let number = |text| usize::from_str_radix(text, 16);
            if let (Ok(start), Ok(end)) = (number(start), number(end)) {
                is_ours = (start..end).contains(&address);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_size_is_that_of_the_mapping_around_the_address() {
        let smaps = "1000-3000 rw-s 00000000 00:01 7 /memfd:a b (deleted)\nSize:  8 kB\nKernelPageSize:        4 kB\n\
                     200000-400000 rw-s 00000000 00:01 7 /anon_hugepage (deleted)\nKernelPageSize:     2048 kB\nVmFlags: rd\n";
        assert_eq!(kernel_page_size(smaps, 0x1000), Some(4096));
        assert_eq!(kernel_page_size(smaps, 0x3000), None);
        assert_eq!(kernel_page_size(smaps, 0x3fffff), Some(2 << 20));
    }

    #[test]
    fn touching_reaches_every_page() {
        for access in [Access::ReadWrite, Access::ReadOnly] {
            // SAFETY: the name is a literal; the descriptor that comes is ours.
            let raw = unsafe { libc::memfd_create(c"touch".as_ptr(), libc::MFD_CLOEXEC) };
            // SAFETY: as above.
            let file = std::fs::File::from(unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(raw) });
            file.set_len(10 * 4096 + 1).unwrap();
            let mapping = Mapping::of(std::os::fd::AsFd::as_fd(&file), 10 * 4096 + 1, access).unwrap();
            touch(&mapping).unwrap();
            let mut present = [0u8; 11];
            // SAFETY: there is a byte for each page.
            assert_eq!(unsafe { libc::mincore(mapping.as_ptr().cast(), mapping.len(), present.as_mut_ptr()) }, 0);
            assert!(present.iter().all(|page| page & 1 == 1), "{access:?} {present:?}");
            file.set_len(4 * 4096).unwrap();
            assert_eq!(touch(&mapping), Err(Errno::EFAULT), "{access:?}");
        }
    }
}
