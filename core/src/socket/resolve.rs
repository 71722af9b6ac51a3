//! Hosts and ports of the internet protocols: literals, and names through the resolver of the C library.
//!
//! [getaddrinfo(3)](https://man7.org/linux/man-pages/man3/getaddrinfo.3.html)

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use nix::errno::Errno;

use crate::error::{Error, Result};

pub(crate) fn check_port(operation: &'static str, port: u32) -> Result<u16> {
    u16::try_from(port).map_err(|_| Error::os(operation, Errno::EINVAL).hint(format!("a port is at most 65535, not {port}")))
}

#[cold]
pub(crate) fn no_address(operation: &'static str, host: Option<&str>) -> Error {
    let error = Error::os(operation, Errno::EADDRNOTAVAIL).on(host.unwrap_or("loopback"));
    error.hint("it has no address of that family")
}

pub(crate) fn resolve(operation: &'static str, host: Option<&str>, port: u16, family: u32) -> Result<Vec<SocketAddr>> {
    if !matches!(family, 0 | 4 | 6) {
        return Err(Error::os(operation, Errno::EINVAL).hint("the family is 4, 6, or 0 for both"));
    }
    let wanted = |address: &IpAddr| family == 0 || (family == 4) == address.is_ipv4();
    let found: Vec<SocketAddr> = match host {
        None if family == 6 => vec![SocketAddr::from((Ipv6Addr::LOCALHOST, port))],
        None => vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))],
        Some("") => return Err(Error::os(operation, Errno::EINVAL).hint("a host has at least one character")),
        Some(host) => match literal(host) {
            Some(address) => vec![SocketAddr::from((address, port))],
            None => look_up(operation, host, port)?,
        },
    };
    let found: Vec<SocketAddr> = found.into_iter().filter(|address| wanted(&address.ip())).collect();
    if found.is_empty() { Err(no_address(operation, host)) } else { Ok(found) }
}

/// The resolver's own failures have no errno.
fn look_up(operation: &'static str, host: &str, port: u16) -> Result<Vec<SocketAddr>> {
    let failed = |error: std::io::Error| match error.raw_os_error() {
        Some(errno) => Error::os(operation, Errno::from_raw(errno)).on(host),
        None => Error::os(operation, Errno::EADDRNOTAVAIL).on(host).hint(error.to_string()),
    };
    Ok((without_brackets(host), port).to_socket_addrs().map_err(failed)?.collect())
}

pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    without_brackets(host).parse().ok()
}

/// An IPv6 literal may stand in brackets, as in a URI; one with a scope ("[fe80::1%eth0]") is for the resolver.
fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}
