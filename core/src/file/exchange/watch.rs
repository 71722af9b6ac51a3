//! What wakes a follower: inotify, where it is to be had and tells the truth.
//!
//! It does not tell of what other machines write to a network file system, of stores to a mapping, of a directory on the way that is renamed, nor of a
//! symbolic link that points elsewhere; so nobody sleeps longer than [`LONGEST_SLEEP`] on its word,
//! and on network file systems one probes. The descriptor is to be readable as long as the follower may have something that was not looked for: a watch
//! begins with an event that we cause ourselves.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use crate::descriptor::{c_path, open_raw};
use crate::error::check;

/// The longest sleep before the next look, in nanoseconds.
pub(super) const LONGEST_SLEEP: i64 = 500_000_000;

/// Written to, truncated, linked or unlinked, renamed; and closed after writing, when its lock is given back.
const OF_FILE: u32 = libc::IN_MODIFY | libc::IN_ATTRIB | libc::IN_MOVE_SELF | libc::IN_DELETE_SELF | libc::IN_CLOSE_WRITE;
/// A name has come.
const OF_DIRECTORY: u32 = libc::IN_CREATE | libc::IN_MOVED_TO | libc::IN_ONLYDIR;

/// File systems that other machines, or programs, change without the kernel's knowledge: NFS, SMB and its older forms, FUSE, 9p, Ceph, AFS.
const REMOTE: &[i64] = &[0x6969, 0xFF53_4D42, 0xFE53_4D42, 0x517B, 0x6573_5546, 0x0102_1997, 0x00C3_6400, 0x5346_414F];

/// An inotify descriptor with one watch at a time.
#[derive(Debug)]
pub(super) struct Watch {
    descriptor: OwnedFd,
    current: Option<libc::c_int>,
}

impl Watch {
    /// `None` where the system has no more of them.
    pub(super) fn new() -> Option<Watch> {
        // SAFETY: inotify_init1 takes an integer.
        let raw = check(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) }).ok()?;
        // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
        Some(Watch { descriptor: unsafe { OwnedFd::from_raw_fd(raw) }, current: None })
    }

    /// Watches an open file, whatever its name becomes; false if that cannot be.
    pub(super) fn on_file(&mut self, file: BorrowedFd<'_>) -> bool {
        !is_remote(file) && self.on(&format!("/proc/self/fd/{}", file.as_raw_fd()), OF_FILE)
    }

    /// Watches for names that come into a directory; false if that cannot be.
    pub(super) fn on_directory(&mut self, path: &str) -> bool {
        open_raw(path, libc::O_PATH | libc::O_DIRECTORY, 0).is_ok_and(|directory| !is_remote(directory.as_fd()))
            && self.on(path, OF_DIRECTORY)
    }

    fn on(&mut self, path: &str, events: u32) -> bool {
        if let Some(old) = self.current.take() {
            // SAFETY: inotify_rm_watch takes integers. A watch that has ended by itself is EINVAL.
            unsafe { libc::inotify_rm_watch(self.descriptor.as_raw_fd(), old) };
        }
        // Fires once, at our own opening.
        let caused = self.add(path, libc::IN_OPEN | libc::IN_ONESHOT).and_then(|_| open_raw(path, libc::O_RDONLY | libc::O_NONBLOCK, 0));
        self.current = caused.and_then(|_| self.add(path, events)).ok();
        self.current.is_some()
    }

    fn add(&self, path: &str, events: u32) -> std::result::Result<libc::c_int, Errno> {
        let path = c_path(path)?;
        // SAFETY: the path is NUL-terminated and lives through the call.
        check(unsafe { libc::inotify_add_watch(self.descriptor.as_raw_fd(), path.as_ptr(), events) })
    }

    /// Takes what has been told; whether there was anything.
    pub(super) fn drain(&self) -> bool {
        let mut events = [0u8; 4096];
        let mut found = false;
        // There is a limit to what the kernel keeps, and somebody may be adding to it all the time.
        for _ in 0..256 {
            // SAFETY: the buffer is valid for its length.
            if unsafe { libc::read(self.descriptor.as_raw_fd(), events.as_mut_ptr().cast(), events.len()) } <= 0 {
                break;
            }
            found = true;
        }
        found
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "the type's width differs by system")]
fn is_remote(file: BorrowedFd<'_>) -> bool {
    // SAFETY: a structure of integers, of which all zero is a valid one.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is valid to write to.
    let result = unsafe { libc::fstatfs(file.as_raw_fd(), &mut found) };
    result != 0 || REMOTE.contains(&((found.f_type as i64) & 0xFFFF_FFFF))
}
