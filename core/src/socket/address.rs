//! Addresses of sockets, in the kernel's form and as text: `/path`, `@name`, `127.0.0.1:80`, `[::1]:80`, `[fe80::1%2]:80`.
//!
//! A peer chooses its own name, and the text of one must not be that of another: a relative path that begins with `@` is told with a `./` before it, and
//! what is no text, or has a NUL inside, in an escaped form that begins with a backslash and is no address.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;

use crate::error::{Context, Error, Result, check};
use crate::name;

/// The longest path, and the longest abstract name, in bytes.
pub const LONGEST_PATH: usize = 107;

/// Checks a path, or an abstract name that begins with `@`.
pub(crate) fn check_path(operation: &'static str, path: &str) -> Result<()> {
    if path.starts_with('\\') {
        let remedy = "that is how a name is told that is no text; a path that begins with a backslash is written with ./ before it";
        return Err(Error::os(operation, Errno::EINVAL).on(path).hint(remedy));
    }
    match path.strip_prefix('@') {
        Some("") => Err(Error::os(operation, Errno::EINVAL).on(path).hint("an abstract name has at least one character")),
        Some(name) => name::path(operation, name, LONGEST_PATH),
        None => name::path(operation, path, LONGEST_PATH),
    }
}

const PATH_OFFSET: usize = std::mem::offset_of!(libc::sockaddr_un, sun_path);

/// The kernel's form: a path with its NUL, an abstract name behind a NUL and without one at the end.
pub(crate) fn of_unix(path: &str) -> std::result::Result<(libc::sockaddr_un, libc::socklen_t), Errno> {
    of_bytes(path.as_bytes())
}

/// As [`of_unix`], for a path that may be no text.
pub(crate) fn of_bytes(path: &[u8]) -> std::result::Result<(libc::sockaddr_un, libc::socklen_t), Errno> {
    let is_abstract = path.starts_with(b"@");
    // SAFETY: zero bytes are a valid sockaddr_un.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    if path.len() > LONGEST_PATH + usize::from(is_abstract) {
        return Err(Errno::ENAMETOOLONG);
    }
    for (place, byte) in address.sun_path.iter_mut().zip(path) {
        *place = *byte as libc::c_char;
    }
    let mut length = PATH_OFFSET + path.len();
    if is_abstract {
        address.sun_path[0] = 0;
    } else {
        length += 1;
    }
    Ok((address, length as libc::socklen_t))
}

pub(crate) fn unix_to_text(address: &libc::sockaddr_un, length: libc::socklen_t) -> String {
    let used = (length as usize).clamp(PATH_OFFSET, PATH_OFFSET + address.sun_path.len()) - PATH_OFFSET;
    let bytes: Vec<u8> = address.sun_path[..used].iter().map(|byte| *byte as u8).collect();
    match bytes.split_first() {
        None => String::new(),
        Some((0, name)) => name_to_text(b"@", name),
        Some(_) => {
            let path = bytes.split(|byte| *byte == 0).next().unwrap_or(&[]);
            // A listener's, from before it was linked into its place; what it says holds in the process alone that has bound it.
            if path.starts_with(b"/proc/self/fd/") { String::new() } else { path_to_text(Path::new(std::ffi::OsStr::from_bytes(path))) }
        }
    }
}

/// The text of a path: what begins like another kind of address gets a `./`.
pub(crate) fn path_to_text(path: &Path) -> String {
    let path = path.as_os_str().as_bytes();
    name_to_text(if matches!(path.first(), Some(b'@' | b'\\')) { b"./" } else { b"" }, path)
}

/// A name that has a NUL inside, or is no UTF-8, is escaped.
fn name_to_text(prefix: &[u8], name: &[u8]) -> String {
    let whole = [prefix, name].concat();
    if whole.contains(&0) || std::str::from_utf8(&whole).is_err() {
        return format!("\\{}", whole.escape_ascii());
    }
    String::from_utf8(whole).unwrap_or_default()
}

type GetName = unsafe extern "C" fn(libc::c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> libc::c_int;

/// The address that getsockname or getpeername gives, as text.
pub(crate) fn text(operation: &'static str, descriptor: BorrowedFd<'_>, get: GetName) -> Result<String> {
    // SAFETY: zero bytes are a valid address of no family.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: the storage is valid for writes of `length` bytes.
    check(unsafe { get(descriptor.as_raw_fd(), (&raw mut storage).cast(), &mut length) }).during(operation)?;
    Ok(to_text(&storage, length))
}

/// Any address as text; empty for none.
pub(crate) fn to_text(storage: &libc::sockaddr_storage, length: libc::socklen_t) -> String {
    if (length as usize) < size_of::<libc::sa_family_t>() {
        return String::new();
    }
    if libc::c_int::from(storage.ss_family) == libc::AF_UNIX {
        // SAFETY: the family says that it is a sockaddr_un, and the storage is large enough for one.
        return unix_to_text(unsafe { &*std::ptr::from_ref(storage).cast() }, length);
    }
    inet_to_text(storage).unwrap_or_default()
}

/// `None` for an address that is neither IPv4 nor IPv6.
fn inet_to_text(storage: &libc::sockaddr_storage) -> Option<String> {
    match libc::c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says what it is, and the storage is large enough and aligned for every address.
            let address = unsafe { &*std::ptr::from_ref(storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
            Some(SocketAddr::from((ip, u16::from_be(address.sin_port))).to_string())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let address = unsafe { &*std::ptr::from_ref(storage).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
            // The kernel gives a scope where the address needs one. What the sender has put into the flow label is no part of the address.
            Some(SocketAddrV6::new(ip, u16::from_be(address.sin6_port), 0, address.sin6_scope_id).to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> String {
        // SAFETY: zero bytes are a valid sockaddr_un.
        let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
        for (place, byte) in address.sun_path.iter_mut().zip(bytes) {
            *place = *byte as libc::c_char;
        }
        unix_to_text(&address, (PATH_OFFSET + bytes.len()) as libc::socklen_t)
    }

    #[test]
    fn every_name_has_a_text_of_its_own() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"\0svc", "@svc"),
            (b"/run/svc\0", "/run/svc"),
            (b"@svc\0", "./@svc"),
            (b"\\@svc\0", "./\\@svc"),
            (b"./@svc\0", "./@svc"),
            (b"\0svc\0evil", "\\@svc\\x00evil"),
            (b"\0svc\xff", "\\@svc\\xff"),
            (b"\0\\svc", "@\\svc"),
            (b"/run/\xff\0", "\\/run/\\xff"),
            (b"@\xff\0", "\\./@\\xff"),
            (b"/proc/self/fd/7/.unipc-1\0", ""),
        ] {
            assert_eq!(told(bytes), text);
            let may_be_used = !text.is_empty() && !text.starts_with('\\');
            assert_eq!(check_path("send", text).is_ok(), may_be_used, "{text}");
        }
    }

    #[test]
    fn the_scope_is_part_of_an_address() {
        let address: SocketAddr = "[fe80::1%7]:80".parse().unwrap();
        let address = socket2::SockAddr::from(address);
        // SAFETY: zero bytes are a valid address of no family.
        let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        // SAFETY: the address is valid for reads of its length, which no address has more of than the storage.
        unsafe { (&raw mut storage).cast::<u8>().copy_from_nonoverlapping(address.as_ptr().cast(), address.len() as usize) };
        assert_eq!(to_text(&storage, address.len()), "[fe80::1%7]:80");
    }
}
