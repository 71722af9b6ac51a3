//! The raw calls for sockets that keep boundaries, and for descriptors that travel: as one would write them without unipc.

use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A signal is no failure.
fn retry() -> Result<()> {
    let error = Error::last_os_error();
    if error.kind() == ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}

/// A connected socket that keeps boundaries.
#[derive(Clone, Copy)]
pub(super) struct Packets<'a>(BorrowedFd<'a>);

impl<'a> Packets<'a> {
    pub(super) fn of(socket: &'a impl AsFd) -> Packets<'a> {
        Packets(socket.as_fd())
    }

    pub(super) fn send(self, message: &[u8]) -> Result<()> {
        // SAFETY: the bytes are valid to read.
        while unsafe { libc::send(self.0.as_raw_fd(), message.as_ptr().cast(), message.len(), libc::MSG_NOSIGNAL) } < 0 {
            retry()?;
        }
        Ok(())
    }

    pub(super) fn receive(self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            // SAFETY: the bytes are valid to write.
            match usize::try_from(unsafe { libc::recv(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) }) {
                Ok(size) => return Ok(size),
                Err(_) => retry()?,
            }
        }
    }

    /// Wakes who receives, with nothing.
    pub(super) fn wake(self) {
        // SAFETY: shutdown takes integers.
        unsafe { libc::shutdown(self.0.as_raw_fd(), libc::SHUT_RDWR) };
    }
}

/// Room for the control data of one descriptor, aligned as it has to be.
#[repr(C, align(8))]
struct Control([u8; 24]);

/// A Unix stream over which descriptors travel, each with one byte.
#[derive(Clone, Copy)]
pub(super) struct Carrier<'a>(BorrowedFd<'a>);

impl<'a> Carrier<'a> {
    pub(super) fn of(socket: &'a impl AsFd) -> Carrier<'a> {
        Carrier(socket.as_fd())
    }

    pub(super) fn send(self, descriptor: BorrowedFd<'_>) -> Result<()> {
        let (mut byte, mut control) = ([b'f'], Control([0; 24]));
        self.call(&mut byte, &mut control, |message| {
            let header = first_header(message);
            // SAFETY: the room holds a header and one descriptor, which CMSG_DATA points to.
            unsafe {
                (*header).cmsg_level = libc::SOL_SOCKET;
                (*header).cmsg_type = libc::SCM_RIGHTS;
                (*header).cmsg_len = libc::CMSG_LEN(size_of::<libc::c_int>() as u32) as _;
                libc::CMSG_DATA(header).cast::<libc::c_int>().write_unaligned(descriptor.as_raw_fd());
                libc::sendmsg(self.0.as_raw_fd(), message, libc::MSG_NOSIGNAL)
            }
        })?;
        Ok(())
    }

    /// `None` is the end.
    pub(super) fn receive(self) -> Result<Option<OwnedFd>> {
        let (mut byte, mut control) = ([0], Control([0; 24]));
        let mut received = None;
        let count = self.call(&mut byte, &mut control, |message| {
            // SAFETY: message, byte and control data are valid to write.
            let count = unsafe { libc::recvmsg(self.0.as_raw_fd(), message, libc::MSG_CMSG_CLOEXEC) };
            let header = first_header(message);
            // SAFETY: a header stands there if it is not NULL, and a descriptor that is ours if it says so.
            unsafe {
                if count > 0 && !header.is_null() && (*header).cmsg_type == libc::SCM_RIGHTS {
                    received = Some(OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<libc::c_int>().read_unaligned()));
                }
            }
            count
        })?;
        match (count, received) {
            (0, _) => Ok(None),
            (_, Some(descriptor)) => Ok(Some(descriptor)),
            (_, None) => Err(ErrorKind::InvalidData.into()),
        }
    }

    fn call(self, byte: &mut [u8; 1], control: &mut Control, mut call: impl FnMut(&mut libc::msghdr) -> isize) -> Result<usize> {
        loop {
            let mut piece = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
            // SAFETY: zero bytes are a message of nothing.
            let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
            message.msg_iov = &raw mut piece;
            message.msg_iovlen = 1;
            message.msg_control = control.0.as_mut_ptr().cast();
            // SAFETY: CMSG_SPACE computes.
            message.msg_controllen = unsafe { libc::CMSG_SPACE(size_of::<libc::c_int>() as u32) } as _;
            match usize::try_from(call(&mut message)) {
                Ok(count) => return Ok(count),
                Err(_) => retry()?,
            }
        }
    }
}

fn first_header(message: &libc::msghdr) -> *mut libc::cmsghdr {
    // SAFETY: the message describes its control data.
    unsafe { libc::CMSG_FIRSTHDR(message) }
}
