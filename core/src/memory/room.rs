//! Whether there is room for pages that are about to be reserved.
//!
//! Pages are taken one after another. What does not fit takes all there is before it fails, and whoever needs a page meanwhile fails with it. A
//! memory limit (cgroup) or a machine without memory is not even an error: the kernel kills. So one looks first, at three limits: the file
//! system's, the control groups', the machine's. Others may take the room between the look and the reservation, which then fails by itself.
//!
//! [statfs(2)](https://man7.org/linux/man-pages/man2/statfs.2.html), [cgroups(7)](https://man7.org/linux/man-pages/man7/cgroups.7.html),
//! [proc_meminfo(5)](https://man7.org/linux/man-pages/man5/proc_meminfo.5.html)

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use nix::errno::Errno;

use crate::error::{Error, Result, check, human_size};

/// What takes no more than this is not worth the look at the memory limits.
const SMALL: u64 = 1 << 20;

/// Fails if `needed` more bytes of the open file have no room: `ENOSPC` for its file system, `ENOMEM` for the memory behind it.
pub(super) fn require(operation: &'static str, descriptor: BorrowedFd<'_>, needed: u64) -> Result<()> {
    let Some(system) = file_system(descriptor) else {
        return Ok(());
    };
    if system.left().is_some_and(|left| left < needed) {
        return Err(no_space(operation, descriptor, needed));
    }
    if system.is_memory() { require_memory(operation, needed) } else { Ok(()) }
}

/// Fails with `ENOMEM` if the machine or a control group has not so many bytes left.
pub(super) fn require_memory(operation: &'static str, needed: u64) -> Result<()> {
    if needed <= SMALL {
        return Ok(());
    }
    match least_memory() {
        Some((left, whose)) if left < needed => {
            let (left, needed) = (human_size(left), human_size(needed));
            Err(Error::os(operation, Errno::ENOMEM).hint(format!("{whose} has {left} left, {needed} are needed")))
        }
        _ => Ok(()),
    }
}

/// The error of a file system that is full.
#[cold]
pub(super) fn no_space(operation: &'static str, descriptor: BorrowedFd<'_>, needed: u64) -> Error {
    let error = Error::os(operation, Errno::ENOSPC);
    let needed = human_size(needed);
    match file_system(descriptor).and_then(|system| system.left()) {
        Some(left) => error.hint(format!("the file system has {} left, {needed} are needed", human_size(left))),
        None => error.hint(format!("{needed} are needed")),
    }
}

struct FileSystem(libc::statfs);

fn file_system(descriptor: BorrowedFd<'_>) -> Option<FileSystem> {
    let mut status = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the status is valid to write to.
    check(unsafe { libc::fstatfs(descriptor.as_raw_fd(), status.as_mut_ptr()) }).ok()?;
    // SAFETY: fstatfs has filled it in.
    Some(FileSystem(unsafe { status.assume_init() }))
}

impl FileSystem {
    /// `None` for a file system without a limit, which says that it has no blocks at all.
    fn left(&self) -> Option<u64> {
        (self.0.f_blocks != 0).then(|| self.0.f_bavail.saturating_mul(self.0.f_bsize as u64))
    }

    fn is_memory(&self) -> bool {
        self.0.f_type == libc::TMPFS_MAGIC
    }
}

/// The tightest limit on memory, and whose it is; `None` where nothing can be found out.
fn least_memory() -> Option<(u64, String)> {
    let information = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes = |key| value_of(&information, key).map(|number| number.saturating_mul(1024));
    // Pages of such a file can go to the swap space.
    let swap = kilobytes("SwapFree:").unwrap_or(0);
    let machine = kilobytes("MemAvailable:").map(|left| (left.saturating_add(swap), "the machine".to_owned()));
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limited = groups.lines().filter_map(memory_group).filter_map(|group| least_of_group(&group, swap));
    machine.into_iter().chain(limited).min()
}

/// A control group with a limit on memory, as `/proc/self/cgroup` names it.
struct Group<'a> {
    root: &'static str,
    path: &'a Path,
    files: &'static Files,
}

/// How the files of a control group are called.
struct Files {
    limit: &'static str,
    used: &'static str,
    reclaimable: [&'static str; 2],
    swap_limit: &'static str,
    swap_used: &'static str,
    /// Whether the limit on swap space is one on memory and swap space together.
    is_for_both: bool,
}

const SECOND: Files = Files {
    limit: "memory.max",
    used: "memory.current",
    reclaimable: ["inactive_file", "active_file"],
    swap_limit: "memory.swap.max",
    swap_used: "memory.swap.current",
    is_for_both: false,
};
const FIRST: Files = Files {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    reclaimable: ["total_inactive_file", "total_active_file"],
    swap_limit: "memory.memsw.limit_in_bytes",
    swap_used: "memory.memsw.usage_in_bytes",
    is_for_both: true,
};

/// A line is `number:controllers:/path`; the second version of control groups has number 0 and no controllers.
fn memory_group(line: &str) -> Option<Group<'_>> {
    let mut fields = line.splitn(3, ':');
    let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let path = Path::new(path.strip_prefix('/')?);
    if controllers.is_empty() {
        return Some(Group { root: "/sys/fs/cgroup", path, files: &SECOND });
    }
    let limits_memory = controllers.split(',').any(|controller| controller == "memory");
    limits_memory.then_some(Group { root: "/sys/fs/cgroup/memory", path, files: &FIRST })
}

/// The limits of all groups above count too. In a container the path may be the host's: then its root is the only one that is found.
fn least_of_group(group: &Group<'_>, swap: u64) -> Option<(u64, String)> {
    least_below(Path::new(group.root), group.path, group.files, swap)
}

/// `swap` is what the machine has left.
fn least_below(root: &Path, path: &Path, files: &Files, mut swap: u64) -> Option<(u64, String)> {
    let mut groups: Vec<&Path> = path.ancestors().collect();
    // From the root on: what a group may swap out, those above must allow too.
    groups.reverse();
    let left_in = |path: &Path| {
        let left = left_in_directory(&root.join(path), files, &mut swap)?;
        Some((left, format!("control group /{}", path.display())))
    };
    groups.into_iter().filter_map(left_in).min()
}

/// What one group leaves; `swap` is what the groups above leave of the swap space, and becomes what this one leaves.
fn left_in_directory(directory: &Path, files: &Files, swap: &mut u64) -> Option<u64> {
    let read = |file: &str| std::fs::read_to_string(directory.join(file)).ok();
    // "max" is no number: there is no limit. Nor is there where the kernel does not count.
    let number = |file: &str| read(file)?.trim().parse::<u64>().ok();
    let with_swap = number(files.swap_limit).zip(number(files.swap_used));
    if let Some((limit, used)) = with_swap.filter(|_| !files.is_for_both) {
        *swap = (*swap).min(limit.saturating_sub(used));
    }
    let (limit, used) = (number(files.limit)?, number(files.used)?);
    let statistics = read("memory.stat").unwrap_or_default();
    let reclaimable: u64 = files.reclaimable.iter().filter_map(|key| value_of(&statistics, key)).sum();
    let left = |limit: u64, used: u64| limit.saturating_sub(used.saturating_sub(reclaimable));
    let alone = left(limit, used).saturating_add(*swap);
    Some(with_swap.filter(|_| files.is_for_both).map_or(alone, |(limit, used)| alone.min(left(limit, used))))
}

/// The number behind a key at the beginning of a line.
pub(super) fn value_of(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next()? == key).then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn values_are_found_by_their_whole_key() {
        let text = "active_file_x 7\nactive_file 8\nMemAvailable:   12 kB\nbroken\n";
        assert_eq!(value_of(text, "active_file"), Some(8));
        assert_eq!(value_of(text, "MemAvailable:"), Some(12));
        assert_eq!(value_of(text, "broken"), None);
        assert_eq!(value_of(text, "missing"), None);
    }

    #[test]
    fn groups_of_both_versions_are_known() {
        let second = memory_group("0::/user.slice/a:b").unwrap();
        assert_eq!((second.root, second.path), ("/sys/fs/cgroup", Path::new("user.slice/a:b")));
        let first = memory_group("4:hugetlb,memory:/jobs").unwrap();
        assert_eq!((first.root, first.path), ("/sys/fs/cgroup/memory", Path::new("jobs")));
        assert!(memory_group("3:cpuset:/jobs").is_none());
        assert!(memory_group("nonsense").is_none());
    }

    #[test]
    fn a_group_has_left_what_is_neither_used_nor_reclaimable() {
        let directory = std::env::temp_dir().join(format!("unipc-room-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let write = |file: &str, text: &str| std::fs::write(directory.join(file), text).unwrap();
        write("memory.max", "1000\n");
        write("memory.current", "700\n");
        write("memory.stat", "anon 1\ninactive_file 100\nactive_file 50\n");
        let limited = left_in_directory(&directory, &SECOND, &mut 0);
        let swapping = left_in_directory(&directory, &SECOND, &mut 10);
        write("memory.max", "max\n");
        let unlimited = left_in_directory(&directory, &SECOND, &mut 0);
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(limited, Some(450));
        assert_eq!(swapping, Some(460));
        assert_eq!(unlimited, None);
    }

    #[test]
    fn a_group_swaps_what_it_and_those_above_may() {
        let root = std::env::temp_dir().join(format!("unipc-swap-{}", std::process::id()));
        std::fs::create_dir_all(root.join("jobs/one")).unwrap();
        let write = |file: &str, text: &str| std::fs::write(root.join(file), text).unwrap();
        write("jobs/one/memory.max", "1000\n");
        write("jobs/one/memory.current", "900\n");
        let least = |files, swap| least_below(&root, Path::new("jobs/one"), files, swap).unwrap();
        assert_eq!(least(&SECOND, 5000), (5100, "control group /jobs/one".to_owned()));
        write("jobs/one/memory.swap.max", "max\n");
        write("jobs/one/memory.swap.current", "0\n");
        assert_eq!(least(&SECOND, 5000).0, 5100);
        write("jobs/one/memory.swap.max", "50\n");
        write("jobs/one/memory.swap.current", "20\n");
        assert_eq!((least(&SECOND, 5000).0, least(&SECOND, 7).0), (130, 107));
        write("jobs/memory.swap.max", "0\n");
        write("jobs/memory.swap.current", "0\n");
        assert_eq!(least(&SECOND, 5000).0, 100);
        write("jobs/one/memory.limit_in_bytes", "1000\n");
        write("jobs/one/memory.usage_in_bytes", "900\n");
        assert_eq!(least(&FIRST, 5000).0, 5100);
        // A limit on both together.
        write("jobs/one/memory.memsw.limit_in_bytes", "1200\n");
        write("jobs/one/memory.memsw.usage_in_bytes", "910\n");
        assert_eq!((least(&FIRST, 5000).0, least(&FIRST, 7).0), (290, 107));
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn more_than_the_machine_has_is_refused_before_anything_is_taken() {
        // SAFETY: the name is a NUL-terminated literal.
        let raw = unsafe { libc::memfd_create(c"room".as_ptr(), libc::MFD_CLOEXEC) };
        // SAFETY: the kernel has just given us this descriptor.
        let memory = unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(raw) };
        let error = require("create", memory.as_fd(), u64::MAX / 2).unwrap_err();
        assert!(error.is(Errno::ENOMEM), "{error}");
        require("create", memory.as_fd(), 1 << 21).unwrap();
    }
}
