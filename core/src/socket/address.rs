//! Addresses of sockets, in the kernel's form and as text: `/path`, `@name`, `127.0.0.1:80`, `[::1]:80`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;

use crate::error::{Context, Error, Result, check};
use crate::name;

/// The longest path, and the longest abstract name, in bytes.
pub const LONGEST_PATH: usize = 107;

/// Checks a path, or an abstract name that begins with `@`.
pub(crate) fn check_path(operation: &'static str, path: &str) -> Result<()> {
    match path.strip_prefix('@') {
        Some("") => Err(Error::os(operation, Errno::EINVAL).on(path).hint("an abstract name has at least one character")),
        Some(name) => name::path(operation, name, LONGEST_PATH),
        None => name::path(operation, path, LONGEST_PATH),
    }
}

const PATH_OFFSET: usize = std::mem::offset_of!(libc::sockaddr_un, sun_path);

/// The kernel's form: a path with its NUL, an abstract name behind a NUL and without one at the end.
pub(crate) fn of_unix(path: &str) -> std::result::Result<(libc::sockaddr_un, libc::socklen_t), Errno> {
    // SAFETY: zero bytes are a valid sockaddr_un.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    if path.len() > LONGEST_PATH + usize::from(path.starts_with('@')) {
        return Err(Errno::ENAMETOOLONG);
    }
    for (place, byte) in address.sun_path.iter_mut().zip(path.bytes()) {
        *place = byte as libc::c_char;
    }
    let mut length = PATH_OFFSET + path.len();
    if path.starts_with('@') {
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
        Some((0, name)) => format!("@{}", String::from_utf8_lossy(name)),
        Some(_) => String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or(&[])).into_owned(),
    }
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
            Some(SocketAddr::from((ip, u16::from_be(address.sin6_port))).to_string())
        }
        _ => None,
    }
}
