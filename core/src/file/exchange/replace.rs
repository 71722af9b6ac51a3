//! A content replaced in one step.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;

use super::{LONGEST_PATH, directory_of};
use crate::descriptor::{c_path, open_raw};
use crate::error::{Context, Error, Result, check, human_size};
use crate::file::lock::{FileLock, FileLockOptions, LockKind, LockMode, LockRange};
use crate::memory::publish::Draft;
use crate::name::{self, Identity};
use crate::wait::Wait;

const OPERATION: &str = "replace file";

/// What is on the disk when [`replace`] returns. Readers see the old content or the new one in each case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The content and its name: it survives a crash of the machine.
    #[default]
    All,
    /// The content: after a crash it is the old or the new one.
    Content,
    /// Nothing in particular: after a crash the file may be empty.
    Nothing,
}

/// How a file is replaced.
#[derive(Debug, Clone, Default)]
pub struct ReplaceOptions {
    /// The permissions, set whatever the umask says; 0 is those of the file that is replaced, or 0600.
    pub mode: u32,
    /// The group, by name or number; `None` is that of the file that is replaced, or the process's.
    pub group: Option<String>,
    /// The new file may belong to this process's user and group, where the old one's cannot be kept: without it that is `EPERM`.
    pub take_ownership: bool,
    /// Follow a symbolic link at the end of the path, and replace what it points to; without it, a link is `ELOOP`.
    pub follow_links: bool,
    /// What is on the disk in the end.
    pub durability: Durability,
}

/// Names for the moment between linking and renaming. One is enough unless a writer was stopped in that moment.
const PLACES: u32 = 16;

/// Replaces a file's content in one step, or makes the file.
///
/// Permissions, owner and group stay, unless asked for otherwise; ACLs and extended attributes do not. Hard links to the old file keep the old content. A
/// writer that is killed leaves the old content, and at most one complete file `.NAME.unipc-0` beside it, which the next one removes; where the file
/// system has no nameless files (NFS, some FUSE), perhaps an incomplete `.unipc-…` too.
///
/// Errors: `ENOENT` and `ENOTDIR` of the directory, `EACCES`, `EROFS`, `ENOSPC`, `EDQUOT`, `EIO`; `EFBIG` with `RLIMIT_FSIZE` (the process must ignore
/// SIGXFSZ); `EPERM`: another user's file, whose owner cannot be kept; `ELOOP`; [`Failure::WrongKind`](crate::Failure::WrongKind) for what is no
/// regular file; `EBUSY`: 16 writers stand still in the middle. The old content is there still,
/// but when the directory cannot be opened or written back, which comes after the rename and says so.
///
/// ```
/// use unipc::file::exchange::{ReplaceOptions, replace};
/// # let path = std::env::temp_dir().join(format!("unipc-doc-replace-{}", std::process::id()));
/// # let path = path.to_str().unwrap();
/// replace(path, b"colour = red\n", &ReplaceOptions::default())?;
/// # std::fs::remove_file(path).unwrap();
/// # Ok::<(), unipc::Error>(())
/// ```
pub fn replace(path: &str, data: &[u8], options: &ReplaceOptions) -> Result<()> {
    name::path(OPERATION, path, LONGEST_PATH)?;
    let target = if options.follow_links { resolved(path)? } else { path.to_owned() };
    let old = match name::status(&target) {
        Ok(found) if name::kind(&found) == libc::S_IFREG => Some(found),
        Ok(found) => return Err(name::wrong_kind(OPERATION, &target, "a regular file", &found)),
        Err(Errno::ENOENT) => None,
        Err(errno) => return Err(Error::os(OPERATION, errno).on(path)),
    };
    let directory = directory_of(&target);
    let draft = Draft::create(OPERATION, directory, 0, 0o600, None, false).map_err(|error| error.on(path))?;
    write_all(draft.descriptor(), data).map_err(|errno| match errno {
        Errno::ENOSPC | Errno::EDQUOT => {
            let hint = format!("{} are needed; the old content is still there", human_size(data.len() as u64));
            Error::os(OPERATION, errno).on(path).hint(hint)
        }
        _ => Error::os(OPERATION, errno).on(path),
    })?;
    set_ownership(draft.descriptor(), old.as_ref(), options).map_err(|error| error.on(path))?;
    if options.durability != Durability::Nothing {
        sync(draft.descriptor()).during_on(OPERATION, path)?;
    }
    give_name(draft, &target).map_err(|error| error.on(path))?;
    if options.durability == Durability::All {
        open_raw(directory, libc::O_RDONLY | libc::O_DIRECTORY, 0)
            .and_then(|directory| sync(directory.as_fd()))
            .map_err(|errno| Error::os(OPERATION, errno).on(path).hint("the new content is in place, but perhaps not on the disk"))?;
    }
    Ok(())
}

/// Where the links lead. What is not there is made where the last of them points.
fn resolved(path: &str) -> Result<String> {
    let mut path = path.to_owned();
    for _ in 0..40 {
        let target = match std::fs::read_link(&path) {
            Ok(target) => target,
            // No link, or nothing at all.
            Err(_) => return Ok(path),
        };
        let target = target.to_str().ok_or_else(|| Error::os(OPERATION, Errno::EILSEQ).on(path.as_str()))?;
        path = if target.starts_with('/') { target.to_owned() } else { format!("{}/{target}", directory_of(&path)) };
    }
    Err(Error::os(OPERATION, Errno::ELOOP).on(path))
}

/// Links the file to a name of its own and renames that over the target.
///
/// Who is killed between the two leaves the name behind, so there are few of them and all know them: the file at a name is locked while its writer lives, and
/// what nobody has locked is removed.
fn give_name(draft: Draft, target: &str) -> Result<()> {
    let lock = locked(draft.descriptor())?;
    for attempt in 0..PLACES * 4 {
        let place = place(target, attempt % PLACES);
        match draft.publish(&place) {
            Ok(()) => {}
            Err(Errno::EEXIST) => {
                reclaim(&place);
                match draft.publish(&place) {
                    Ok(()) => {}
                    Err(Errno::EEXIST) => continue,
                    Err(errno) => return Err(Error::os(OPERATION, errno)),
                }
            }
            Err(errno) => return Err(Error::os(OPERATION, errno)),
        }
        let (from, to) = (c_path(&place).during(OPERATION)?, c_path(target).during(OPERATION)?);
        // SAFETY: both paths are NUL-terminated and live through the call.
        match check(unsafe { libc::rename(from.as_ptr(), to.as_ptr()) }) {
            // Nobody who opens the file from here on is to find it locked.
            Ok(_) => return lock.unlock(WHOLE),
            // Whoever removed what a dead writer had left at this name was slow, and removed ours.
            Err(Errno::ENOENT) => {}
            Err(errno) => {
                if let Ok(identity) = draft.identity() {
                    let _ = name::unlink_if_same(&place, identity);
                }
                return Err(Error::os(OPERATION, errno));
            }
        }
    }
    Err(Error::os(OPERATION, Errno::EBUSY).hint("other writers have been stopped in the middle"))
}

const WHOLE: LockRange = LockRange::WHOLE;

/// The lock lives as long as the open file, which the draft has as well.
fn locked(descriptor: BorrowedFd<'_>) -> Result<FileLock> {
    let twin = descriptor.try_clone_to_owned().during(OPERATION)?;
    let lock = FileLock::adopt(twin, LockKind::Flock).map_err(|(_, error)| error)?;
    lock.acquire(LockMode::Exclusive, WHOLE, Wait::NEVER)?;
    Ok(lock)
}

/// The name for the moment. Long names share theirs with others that begin alike, which is no harm.
fn place(target: &str, number: u32) -> String {
    let name = target.rsplit('/').next().unwrap_or(target);
    let mut length = name.len().min(200);
    while !name.is_char_boundary(length) {
        length -= 1;
    }
    format!("{}/.{}.unipc-{number:x}", directory_of(target), &name[..length])
}

/// Removes what a dead writer has left at a name.
fn reclaim(place: &str) {
    let options = FileLockOptions { kind: LockKind::Flock, read_only: true, ..Default::default() };
    let Ok(lock) = FileLock::open(place, &options) else { return };
    let Ok(found) = crate::descriptor::status(lock.as_fd()) else { return };
    if lock.acquire(LockMode::Exclusive, WHOLE, Wait::NEVER).is_ok() {
        let _ = name::unlink_if_same(place, Identity::of(&found));
        let _ = lock.unlock(WHOLE);
    }
}

/// Owner, group and permissions, as asked for or as they were.
fn set_ownership(descriptor: BorrowedFd<'_>, old: Option<&libc::stat>, options: &ReplaceOptions) -> Result<()> {
    let asked = options.group.as_deref().map(|group| name::group(OPERATION, group)).transpose()?;
    let fresh = crate::descriptor::status(descriptor).during(OPERATION)?;
    let group = asked.or(old.map(|old| old.st_gid)).unwrap_or(fresh.st_gid);
    let owner = old.map_or(fresh.st_uid, |old| old.st_uid);
    if let Err(errno) = change_owner(descriptor, &fresh, owner, group) {
        let may_differ = errno == Errno::EPERM && options.take_ownership && asked.is_none();
        if !may_differ {
            let hint =
                format!("user {owner} and group {group} cannot be given to the new file; let it be taken over, or name a group of yours");
            return Err(Error::os(OPERATION, errno).hint(hint));
        }
        // The group alone, if that goes.
        let _ = change_owner(descriptor, &fresh, fresh.st_uid, group);
    }
    let mode = match (options.mode, old) {
        (0, Some(old)) => old.st_mode & 0o777,
        (mode, _) => name::permissions(OPERATION, mode)?,
    };
    // SAFETY: fchmod takes integers.
    check(unsafe { libc::fchmod(descriptor.as_raw_fd(), mode) }).during(OPERATION)?;
    Ok(())
}

fn change_owner(descriptor: BorrowedFd<'_>, now: &libc::stat, owner: u32, group: u32) -> std::result::Result<(), Errno> {
    if (now.st_uid, now.st_gid) == (owner, group) {
        return Ok(());
    }
    // All ones leave a field as it is: to set what is set takes a privilege, too.
    let owner = if now.st_uid == owner { libc::uid_t::MAX } else { owner };
    // SAFETY: fchown takes integers.
    check(unsafe { libc::fchown(descriptor.as_raw_fd(), owner, group) }).map(drop)
}

fn write_all(descriptor: BorrowedFd<'_>, mut data: &[u8]) -> std::result::Result<(), Errno> {
    while !data.is_empty() {
        match nix::unistd::write(descriptor, data) {
            Ok(count) => data = &data[count..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

pub(super) fn sync(descriptor: BorrowedFd<'_>) -> std::result::Result<(), Errno> {
    match nix::unistd::fsync(descriptor) {
        // Some file systems have nothing to wait for.
        Err(Errno::EINVAL) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_for_the_moment_fit_and_stand_beside_the_target() {
        assert_eq!(place("/etc/app.conf", 0), "/etc/.app.conf.unipc-0");
        assert_eq!(place("app.conf", 15), "./.app.conf.unipc-f");
        assert_eq!(place("/app", 1), "//.app.unipc-1");
        let long = place(&format!("/d/{}", "ü".repeat(127)), 3);
        assert!(long.len() - 3 <= 255 && long.starts_with("/d/.üü") && long.ends_with(".unipc-3"), "{long}");
    }
}
