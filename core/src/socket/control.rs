//! What travels beside the bytes of a message: descriptors, and the sender's credentials.
//!
//! A descriptor that the kernel has installed is ours whatever else goes wrong, also when the control data was cut off in the middle. So the walk
//! below owns every descriptor first and judges afterwards; the ready-made iterators give up at the truncation, and what was installed before it leaks.
//!
//! No more descriptors are installed than there is room for, so the room is little more than what the caller allows. The rest is closed by the kernel,
//! which sets `MSG_CTRUNC`; so does a process that has no descriptor left. The little is for what nobody here has asked for: a socket that came from
//! elsewhere may have been told to give credentials, which stand before the descriptors and would take their room.
//!
//! [cmsg(3)](https://man7.org/linux/man-pages/man3/cmsg.3.html), [unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html),
//! [recvmsg(2)](https://man7.org/linux/man-pages/man2/recvmsg.2.html)

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use super::peer::Credentials;
use crate::error::{Error, Result, check};

/// The most descriptors of one message: the kernel's `SCM_MAX_FD`.
pub const MOST_DESCRIPTORS: usize = 253;

pub(crate) const SO_PASSPIDFD: libc::c_int = 76;
const SCM_PIDFD: libc::c_int = 4;

const HEADER: usize = size_of::<libc::cmsghdr>();
const ALIGNMENT: usize = size_of::<usize>();

const fn aligned(length: usize) -> usize {
    length.next_multiple_of(ALIGNMENT)
}

/// The room that control data of this length takes.
const fn space(length: usize) -> usize {
    aligned(HEADER) + aligned(length)
}

const CREDENTIALS: usize = space(size_of::<libc::ucred>());
const PIDFD: usize = space(size_of::<libc::c_int>());
const TIME: usize = space(size_of::<libc::timespec>());
const MOST: usize = CREDENTIALS + PIDFD + TIME + space(MOST_DESCRIPTORS * size_of::<libc::c_int>());

/// Aligned as a header needs it.
type Room = [MaybeUninit<u64>; WORDS];

const WORDS: usize = MOST.div_ceil(8);

/// What a receiver wants to have beside the bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted {
    /// The most descriptors.
    pub(crate) descriptors: usize,
    pub(crate) credentials: bool,
    pub(crate) pidfd: bool,
    /// A time, which stands beside every message, also beside an empty one.
    pub(crate) time: bool,
    pub(crate) address: bool,
}

impl Wanted {
    fn room(self) -> usize {
        // The pidfd comes last: who could fill the room before it would keep it out.
        let descriptors = if self.pidfd { MOST_DESCRIPTORS } else { self.descriptors.min(MOST_DESCRIPTORS) };
        if descriptors != 0 {
            return aligned(HEADER) + descriptors * size_of::<libc::c_int>() + CREDENTIALS + PIDFD + TIME;
        }
        let fixed = [(self.credentials, CREDENTIALS), (self.time, TIME)];
        fixed.iter().filter(|(wanted, _)| *wanted).map(|(_, length)| length).sum::<usize>()
    }
}

/// A message that the kernel has handed over.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// The size of the whole message, also of one that did not fit.
    pub(crate) size: usize,
    pub(crate) descriptors: Vec<OwnedFd>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) pidfd: Option<OwnedFd>,
    /// Whether anything stood beside the bytes.
    pub(crate) has_control: bool,
    /// Whether there were more descriptors than could be installed.
    pub(crate) is_cut: bool,
    pub(crate) address: Option<Box<(libc::sockaddr_storage, libc::socklen_t)>>,
}

impl Arrived {
    /// All of the descriptors or none: `EPROTO` if the peer sent more than were asked for, `EMFILE` if this process could not take them.
    pub(crate) fn judge(&self, operation: &'static str, maximum: usize) -> Result<()> {
        if self.descriptors.len() > maximum || (self.is_cut && self.descriptors.len() == maximum) {
            let remedy = format!("the peer sent more than {maximum} descriptors; all are closed");
            return Err(Error::os(operation, Errno::EPROTO).hint(remedy));
        }
        if self.is_cut {
            return Err(Error::os(operation, Errno::EMFILE).hint("no descriptor is left for what the peer sent; all are closed"));
        }
        Ok(())
    }
}

/// `recvmsg(2)`, with everything that was installed in safe hands.
#[allow(clippy::unnecessary_cast, reason = "with other C libraries the field is narrower")]
pub(crate) fn receive(
    socket: BorrowedFd<'_>,
    buffers: &mut [IoSliceMut<'_>],
    wanted: Wanted,
    flags: libc::c_int,
) -> std::result::Result<Arrived, Errno> {
    let mut room: Room = [MaybeUninit::uninit(); WORDS];
    // SAFETY: a msghdr of zero bytes is one without address, buffers and control data; zero bytes are a valid address of no family.
    let (mut message, mut address): (libc::msghdr, libc::sockaddr_storage) = unsafe { std::mem::zeroed() };
    message.msg_iov = buffers.as_mut_ptr().cast();
    message.msg_iovlen = buffers.len() as _;
    if wanted.room() != 0 {
        message.msg_control = room.as_mut_ptr().cast();
        message.msg_controllen = wanted.room() as _;
    }
    if wanted.address {
        message.msg_name = (&raw mut address).cast();
        message.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    }
    // SAFETY: an IoSliceMut has the layout of an iovec; buffers, address and room are valid for writes of the lengths given.
    let size = check(unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, flags | libc::MSG_CMSG_CLOEXEC) })? as usize;
    let is_cut = message.msg_flags & libc::MSG_CTRUNC != 0;
    let mut arrived = Arrived { size, descriptors: Vec::new(), credentials: None, pidfd: None, has_control: false, is_cut, address: None };
    // SAFETY: the kernel has written that many bytes of the room.
    let control =
        unsafe { std::slice::from_raw_parts(room.as_ptr().cast::<u8>(), (message.msg_controllen as usize).min(size_of::<Room>())) };
    walk(control, &mut arrived);
    if wanted.address {
        arrived.address = Some(Box::new((address, message.msg_namelen)));
    }
    Ok(arrived)
}

#[allow(clippy::unnecessary_cast, reason = "with other C libraries the field is narrower")]
fn walk(control: &[u8], arrived: &mut Arrived) {
    let mut rest = control;
    while rest.len() >= HEADER {
        // SAFETY: a header's worth of bytes is there; it is made of integers.
        let header = unsafe { rest.as_ptr().cast::<libc::cmsghdr>().read_unaligned() };
        let length = header.cmsg_len as usize;
        if length < HEADER {
            return;
        }
        let data = rest.get(aligned(HEADER)..length.min(rest.len())).unwrap_or(&[]);
        arrived.has_control = true;
        if header.cmsg_level == libc::SOL_SOCKET {
            take(header.cmsg_type, data, arrived);
        }
        rest = rest.get(aligned(length.min(rest.len()))..).unwrap_or(&[]);
    }
}

fn take(kind: libc::c_int, data: &[u8], arrived: &mut Arrived) {
    let number = |bytes: &[u8]| libc::c_int::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    match kind {
        // SAFETY: the kernel has just given us these descriptors, close-on-exec; nobody else owns them.
        libc::SCM_RIGHTS => arrived.descriptors.extend(data.chunks_exact(4).map(|raw| unsafe { OwnedFd::from_raw_fd(number(raw)) })),
        SCM_PIDFD if data.len() >= 4 => {
            let raw = number(data);
            // A negative number is the reason why there is none.
            // SAFETY: as above.
            arrived.pidfd = (raw >= 0).then(|| unsafe { OwnedFd::from_raw_fd(raw) });
        }
        libc::SCM_CREDENTIALS if data.len() >= size_of::<libc::ucred>() => {
            // SAFETY: as many bytes as it has are there; it is made of integers.
            let found = unsafe { data.as_ptr().cast::<libc::ucred>().read_unaligned() };
            arrived.credentials = Some(Credentials { pid: found.pid, uid: found.uid, gid: found.gid });
        }
        _ => {}
    }
}

/// `sendmsg(2)` with descriptors, to an address or to whom the socket is connected to; never with SIGPIPE.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    address: Option<(&libc::sockaddr_storage, libc::socklen_t)>,
    data: &[u8],
    descriptors: &[BorrowedFd<'_>],
    flags: libc::c_int,
) -> std::result::Result<usize, Errno> {
    let mut room: Room = [MaybeUninit::uninit(); WORDS];
    // SAFETY: a msghdr of zero bytes is one without address, buffers and control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    let mut part = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    if let Some((storage, length)) = address {
        message.msg_name = std::ptr::from_ref(storage).cast_mut().cast();
        message.msg_namelen = length;
    }
    if !descriptors.is_empty() {
        if descriptors.len() > MOST_DESCRIPTORS {
            return Err(Errno::EINVAL);
        }
        let length = aligned(HEADER) + size_of_val(descriptors);
        // SAFETY: zero bytes are a valid header.
        let mut header: libc::cmsghdr = unsafe { std::mem::zeroed() };
        header.cmsg_len = length as _;
        header.cmsg_level = libc::SOL_SOCKET;
        header.cmsg_type = libc::SCM_RIGHTS;
        let start = room.as_mut_ptr().cast::<u8>();
        // SAFETY: the room is aligned for a header, and holds it and the most descriptors; a BorrowedFd has the layout of its number.
        unsafe {
            start.cast::<libc::cmsghdr>().write(header);
            start.add(aligned(HEADER)).copy_from_nonoverlapping(descriptors.as_ptr().cast(), size_of_val(descriptors));
        }
        message.msg_control = start.cast();
        message.msg_controllen = length as _;
    }
    // SAFETY: the message refers to data, address and control data that are valid for reads and live through the call.
    check(unsafe { libc::sendmsg(socket.as_raw_fd(), &message, flags | libc::MSG_NOSIGNAL) }).map(|size| size as usize)
}

/// Refuses more descriptors than one message can carry.
pub(crate) fn check_count(operation: &'static str, count: usize) -> Result<()> {
    if count > MOST_DESCRIPTORS {
        let remedy = format!("{count} descriptors; one message carries at most {MOST_DESCRIPTORS}");
        return Err(Error::os(operation, Errno::EINVAL).hint(remedy));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_control_data_ends_the_walk() {
        let arrived = |control: &[u8]| {
            let mut arrived = Arrived {
                size: 0,
                descriptors: Vec::new(),
                credentials: None,
                pidfd: None,
                has_control: false,
                is_cut: false,
                address: None,
            };
            walk(control, &mut arrived);
            (arrived.descriptors.len(), arrived.credentials)
        };
        assert_eq!(arrived(&[]), (0, None));
        assert_eq!(arrived(&[0; 64]), (0, None));
        assert_eq!(arrived(&[0xff; 64]), (0, None));
    }
}
