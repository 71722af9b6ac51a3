//! Descriptors over a Unix stream.
//!
//! A descriptor travels with the first byte that it was sent with; without a byte the kernel sends nothing at all. A read takes descriptors of one send
//! only, and ends with the bytes of that send: what was written later never is in the same read, what was written earlier may stand before. So a
//! reader that knows how many bytes come with the descriptors loses nothing by asking for that many; a reader that does not ask for descriptors (an
//! ordinary read) gets the bytes, and the kernel closes what came with them.
//!
//! [unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html)

use std::io::IoSliceMut;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::ByteStream;
use crate::error::{Error, Result};
use crate::socket::control;
use crate::wait::{Deadline, Wait};

const SEND: &str = "send descriptors";
const RECEIVE: &str = "receive descriptors";

impl ByteStream {
    /// Writes everything, and sends descriptors with the first byte.
    ///
    /// If it fails and [`Error::transferred`] is zero, nothing was sent; otherwise the descriptors were.
    ///
    /// Errors: `EINVAL` without a byte, or above [`MOST_DESCRIPTORS`](crate::message::MOST_DESCRIPTORS); `EOPNOTSUPP` for anything but a Unix socket;
    /// `ETOOMANYREFS` if too many are on their way; `EPIPE`; `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]).
    pub fn send_descriptors<'a>(&self, data: &[u8], descriptors: &[BorrowedFd<'_>], wait: impl Into<Wait<'a>>) -> Result<()> {
        self.require_unix(SEND)?;
        control::check_count(SEND, descriptors.len())?;
        if data.is_empty() {
            return Err(Error::os(SEND, Errno::EINVAL).hint("descriptors travel with at least one byte"));
        }
        let mut deadline = Deadline::new(SEND, wait);
        let mut done = 0;
        while done < data.len() {
            let flags = if deadline.is_plain() { 0 } else { libc::MSG_DONTWAIT };
            let with_it = if done == 0 { descriptors } else { &[] };
            match control::send(self.as_fd(), None, &data[done..], with_it, flags) {
                Ok(count) => done += count,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => deadline.ready(self.as_fd(), libc::POLLOUT).map_err(|error| error.after(done))?,
                Err(errno @ Errno::ETOOMANYREFS) => {
                    return Err(Error::os(SEND, errno).hint("too many descriptors are on their way already").after(done));
                }
                Err(errno) => return Err(Error::os(SEND, errno).after(done)),
            }
        }
        Ok(())
    }

    /// Reads what there is, at least one byte, and takes up to `maximum` descriptors that come with it; 0 bytes are the end. The descriptors are
    /// close-on-exec.
    ///
    /// Errors: `EPROTO` if the peer sent more than `maximum`, `EMFILE` if this process has no room for them: what came is closed, and the bytes are lost;
    /// `EINVAL` for an empty buffer; `EOPNOTSUPP` for anything but a Unix socket; `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]).
    pub fn receive_descriptors<'a>(&self, buffer: &mut [u8], maximum: usize, wait: impl Into<Wait<'a>>) -> Result<(usize, Vec<OwnedFd>)> {
        self.require_unix(RECEIVE)?;
        if buffer.is_empty() {
            return Err(Error::os(RECEIVE, Errno::EINVAL).hint("descriptors travel with at least one byte"));
        }
        let mut deadline = Deadline::new(RECEIVE, wait);
        let wanted = control::Wanted { descriptors: maximum, ..Default::default() };
        let flags = if deadline.is_plain() { 0 } else { libc::MSG_DONTWAIT };
        loop {
            match control::receive(self.as_fd(), &mut [IoSliceMut::new(buffer)], wanted, flags) {
                Ok(arrived) => {
                    if maximum != 0 {
                        arrived.judge(RECEIVE, maximum)?;
                        return Ok((arrived.size, arrived.descriptors));
                    }
                    return Ok((arrived.size, Vec::new()));
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => deadline.ready(self.as_fd(), libc::POLLIN)?,
                Err(errno) => return Err(Error::os(RECEIVE, errno)),
            }
        }
    }

    fn require_unix(&self, operation: &'static str) -> Result<()> {
        if self.endpoint.is_unix() {
            return Ok(());
        }
        Err(Error::os(operation, Errno::EOPNOTSUPP).hint("only a Unix socket carries descriptors"))
    }
}
