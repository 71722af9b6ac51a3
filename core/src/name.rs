//! Names of objects, and whose they are.
//!
//! A name is checked, never shortened: what is too long, has a slash inside, or is not there is an error that states the limit. An object in a
//! directory that everybody may write to (`/dev/shm`, `/tmp`) may have been planted by somebody else, so whoever opens one looks at its owner, on
//! the open descriptor and not on the path, and removal compares the inode.
//!
//! [shm_overview(7)](https://man7.org/linux/man-pages/man7/shm_overview.7.html), [sem_overview(7)](https://man7.org/linux/man-pages/man7/sem_overview.7.html)

use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::descriptor::c_path;
use crate::error::{Error, Failure, Result, check};
use crate::process::Birth;

/// The longest name of a file on Linux, in bytes.
pub const LONGEST_NAME: usize = 255;

/// The access mode of everything this library creates, unless told otherwise: for the owner alone.
pub const DEFAULT_MODE: u32 = 0o600;

/// Checks the name of a memory or semaphore and takes the optional leading slash away.
///
/// `longest` is the limit in bytes without the slash. `EINVAL` for an empty name, `.`, `..`, a slash or NUL inside; `ENAMETOOLONG`.
pub(crate) fn object_name<'a>(operation: &'static str, name: &'a str, longest: usize) -> Result<&'a str> {
    let bare = name.strip_prefix('/').unwrap_or(name);
    let wrong = |remedy: &'static str| Err(Error::os(operation, Errno::EINVAL).on(name).hint(remedy));
    if bare.is_empty() {
        return wrong("a name has at least one character");
    }
    if bare == "." || bare == ".." {
        return wrong("\".\" and \"..\" are directories");
    }
    if bare.contains('/') {
        return wrong("a name has no slash but an optional first one");
    }
    if bare.contains('\0') {
        return wrong("a name has no NUL byte");
    }
    if bare.len() > longest {
        let remedy = format!("the name has {} bytes, the limit is {longest}", bare.len());
        return Err(Error::os(operation, Errno::ENAMETOOLONG).on(name).hint(remedy));
    }
    Ok(bare)
}

/// Checks a path: not empty, no NUL, at most `longest` bytes.
pub(crate) fn path(operation: &'static str, path: &str, longest: usize) -> Result<()> {
    if path.is_empty() {
        return Err(Error::os(operation, Errno::EINVAL).on(path).hint("a path has at least one character"));
    }
    if path.contains('\0') {
        return Err(Error::os(operation, Errno::EINVAL).on(path).hint("a path has no NUL byte"));
    }
    if path.len() > longest {
        let remedy = format!("the path has {} bytes, the limit is {longest}", path.len());
        return Err(Error::os(operation, Errno::ENAMETOOLONG).on(path).hint(remedy));
    }
    Ok(())
}

/// The key of a System V object that belongs to a file, as `ftok` computes it, so that plain C programs with the same path and id agree.
///
/// It is made of the id and of the low bits of the file's device and inode. Two files may give one key, and a file that is deleted and made anew gives
/// another one: a key says where to look, and not that the right object is there. `EINVAL` for an id of 0, which POSIX leaves open; `ENOENT` and
/// what else `stat` says if there is no such file.
///
/// [ftok(3)](https://man7.org/linux/man-pages/man3/ftok.3.html)
pub fn sysv_key(path: &str, id: u8) -> Result<i32> {
    const OPERATION: &str = "make System V key";
    self::path(OPERATION, path, libc::PATH_MAX as usize - 1)?;
    if id == 0 {
        return Err(Error::os(OPERATION, Errno::EINVAL).on(path).hint("the id is a number from 1 to 255"));
    }
    let status = nix::sys::stat::stat(path).map_err(|errno| Error::os(OPERATION, errno).on(path))?;
    let key = (u32::from(id) << 24) | ((status.st_dev as u32 & 0xff) << 16) | (status.st_ino as u32 & 0xffff);
    Ok(key as i32)
}

/// Refuses an object of a user who is neither we nor root.
pub(crate) fn trust_owner(operation: &'static str, name: &str, owner: u32, any_owner: bool) -> Result<()> {
    // SAFETY: geteuid always succeeds.
    let own = unsafe { libc::geteuid() };
    if any_owner || owner == own || owner == 0 {
        return Ok(());
    }
    let remedy = format!("it belongs to user {owner}, we are user {own}; ask for any owner to use it all the same");
    Err(Error::os(operation, Errno::EPERM).on(name).hint(remedy))
}

/// Checks permission bits: only the nine of `rwxrwxrwx`; zero is the default.
pub(crate) fn permissions(operation: &'static str, mode: u32) -> Result<u32> {
    match mode {
        0 => Ok(DEFAULT_MODE),
        1..=0o777 => Ok(mode),
        _ => Err(Error::os(operation, Errno::EINVAL).hint(format!("mode {mode:#o} has bits beyond 0777"))),
    }
}

/// The number of a group given by name or number.
pub(crate) fn group(operation: &'static str, group: &str) -> Result<u32> {
    if let Ok(number) = group.parse::<u32>() {
        // The all-ones number means "leave as it is" to chown.
        if number != u32::MAX {
            return Ok(number);
        }
    }
    match nix::unistd::Group::from_name(group) {
        Ok(Some(entry)) => Ok(entry.gid.as_raw()),
        Ok(None) => Err(Error::os(operation, Errno::EINVAL).on(group).hint("there is no such group")),
        Err(errno) => Err(Error::os(operation, errno).on(group)),
    }
}

/// What tells one file from its successor of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(crate) fn of(status: &libc::stat) -> Identity {
        Identity { device: status.st_dev, inode: status.st_ino }
    }
}

/// The status of what a path names, links not followed.
pub(crate) fn status(path: impl AsRef<Path>) -> std::result::Result<libc::stat, Errno> {
    nix::sys::stat::lstat(path.as_ref())
}

/// Removes `path` if it still is the object that we know; whoever has put another there keeps it.
pub(crate) fn unlink_if_same(path: impl AsRef<Path>, identity: Identity) -> std::result::Result<(), Errno> {
    let path = path.as_ref();
    if Identity::of(&status(path)?) != identity {
        return Ok(());
    }
    unlink(path)
}

/// A name that its maker removes when it is done with the object: not in a child made by `fork`, and not if another object has taken the name.
#[derive(Debug)]
pub(crate) struct OwnedName {
    path: PathBuf,
    identity: Identity,
    /// `None` once the name is to stay.
    birth: Option<Birth>,
}

impl OwnedName {
    /// The name that this process has just given to an object.
    pub(crate) fn new(path: impl Into<PathBuf>, identity: Identity) -> OwnedName {
        OwnedName { path: path.into(), identity, birth: Some(Birth::now()) }
    }

    /// The path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the name now, if it still is its maker's.
    pub(crate) fn remove(&self) {
        if self.birth.is_some_and(Birth::is_here) {
            // Nobody is left to tell if the directory does not let us.
            let _ = unlink_if_same(&self.path, self.identity);
        }
    }

    /// Leaves the name where it is, for good.
    pub(crate) fn keep(mut self) {
        self.birth = None;
    }
}

impl Drop for OwnedName {
    fn drop(&mut self) {
        self.remove();
    }
}

/// `unlink(2)`.
pub(crate) fn unlink(path: impl AsRef<Path>) -> std::result::Result<(), Errno> {
    let path = c_path(path.as_ref())?;
    // SAFETY: the path is NUL-terminated and lives through the call.
    check(unsafe { libc::unlink(path.as_ptr()) })?;
    Ok(())
}

/// The file type bits of a status: `S_IFREG`, `S_IFIFO`, `S_IFSOCK`.
pub(crate) fn kind(status: &libc::stat) -> libc::mode_t {
    status.st_mode & libc::S_IFMT
}

/// What a file is, in words, for the error that refuses it.
pub(crate) fn kind_in_words(status: &libc::stat) -> &'static str {
    match kind(status) {
        libc::S_IFREG => "a regular file",
        libc::S_IFDIR => "a directory",
        libc::S_IFLNK => "a symbolic link",
        libc::S_IFIFO => "a FIFO",
        libc::S_IFSOCK => "a socket",
        libc::S_IFCHR => "a character device",
        libc::S_IFBLK => "a block device",
        _ => "something else",
    }
}

/// The error for an object that is not of the wanted kind. A link is `ELOOP`: it is not followed.
pub(crate) fn wrong_kind(operation: &'static str, name: &str, wanted: &str, status: &libc::stat) -> Error {
    let error = match kind(status) {
        libc::S_IFLNK => Error::os(operation, Errno::ELOOP),
        _ => Error::failure(operation, Failure::WrongKind),
    };
    error.on(name).hint(format!("{wanted} was expected, and this is {}", kind_in_words(status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leading_slash_is_optional() {
        assert_eq!(object_name("open", "/counter", 255).unwrap(), "counter");
        assert_eq!(object_name("open", "counter", 255).unwrap(), "counter");
    }

    #[test]
    fn bad_names_are_refused_and_the_limit_is_named() {
        for name in ["", "/", ".", "/..", "a/b", "//a", "a/", "a\0b"] {
            assert!(object_name("open", name, 255).unwrap_err().is(Errno::EINVAL), "{name:?}");
        }
        assert!(object_name("open", &"x".repeat(255), 255).is_ok());
        let error = object_name("open", &"x".repeat(256), 255).unwrap_err();
        assert!(error.is(Errno::ENAMETOOLONG));
        assert!(error.to_string().contains("255"), "{error}");
    }

    #[test]
    fn modes_beyond_the_nine_bits_are_refused() {
        assert_eq!(permissions("create", 0).unwrap(), 0o600);
        assert_eq!(permissions("create", 0o777).unwrap(), 0o777);
        assert!(permissions("create", 0o1777).is_err());
    }

    #[test]
    fn an_owner_who_is_neither_we_nor_root_is_refused() {
        let own = nix::unistd::geteuid().as_raw();
        assert!(trust_owner("open", "x", own, false).is_ok());
        assert!(trust_owner("open", "x", 0, false).is_ok());
        let stranger = own + 4711;
        assert!(trust_owner("open", "x", stranger, false).unwrap_err().is(Errno::EPERM));
        assert!(trust_owner("open", "x", stranger, true).is_ok());
    }

    #[test]
    fn system_v_keys_are_those_of_ftok() {
        for (path, id) in [("/", 1), ("/tmp", b'A'), ("/proc/self/exe", 255)] {
            let c_path = c_path(path).unwrap();
            // SAFETY: the path is NUL-terminated and lives through the call.
            assert_eq!(sysv_key(path, id).unwrap(), unsafe { libc::ftok(c_path.as_ptr(), id.into()) }, "{path}");
        }
        assert!(sysv_key("/no/such/file", 1).unwrap_err().is(Errno::ENOENT));
        for (path, id) in [("/tmp", 0), ("", 1), ("/tmp\0x", 1)] {
            assert!(sysv_key(path, id).unwrap_err().is(Errno::EINVAL), "{path:?}");
        }
    }

    #[test]
    fn groups_are_names_or_numbers() {
        assert_eq!(group("create", "0").unwrap(), 0);
        assert_eq!(group("create", "root").unwrap(), 0);
        assert!(group("create", "no-such-group-here").unwrap_err().is(Errno::EINVAL));
        assert!(group("create", "4294967295").is_err());
    }
}
