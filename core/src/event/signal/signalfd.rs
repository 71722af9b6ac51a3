//! Signals read from a descriptor instead of delivered: [signalfd(2)](https://man7.org/linux/man-pages/man2/signalfd.2.html).
//!
//! The records are 128 bytes of the kernel's own layout. What a read gives is what is pending for the *reading* process and thread, so a child made by fork
//! would read its own signals from the parent's descriptor: it is refused.

use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use super::mask::Held;
use super::received::Record;
use super::{Received, set_of};
use crate::error::{Context, Result, check};
use crate::event::read_record;
use crate::process::Birth;
use crate::wait::Deadline;

#[derive(Debug)]
pub(super) struct SignalFd {
    // Dropped first: nothing is read any more when the signals are let through.
    descriptor: OwnedFd,
    _held: Held,
    birth: Birth,
}

impl SignalFd {
    pub(super) fn new(operation: &'static str, signals: &[i32]) -> Result<SignalFd> {
        let set = set_of(operation, signals)?;
        let held = Held::new(operation, signals)?;
        // SAFETY: the set is initialised; -1 asks for a new descriptor.
        let raw = check(unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) }).during(operation)?;
        // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
        Ok(SignalFd { descriptor: unsafe { OwnedFd::from_raw_fd(raw) }, _held: held, birth: Birth::now() })
    }

    pub(super) fn receive(&self, deadline: &mut Deadline<'_>) -> Result<Received> {
        self.birth.check(deadline.operation())?;
        let mut bytes = [0u8; size_of::<libc::signalfd_siginfo>()];
        read_record(self.as_fd(), &mut bytes, deadline)?;
        // SAFETY: the kernel has filled the record, which is made of integers.
        let told: libc::signalfd_siginfo = unsafe { std::ptr::read_unaligned(bytes.as_ptr().cast()) };
        Ok(Received::from(Record {
            signal: told.ssi_signo as i32,
            code: told.ssi_code,
            value: told.ssi_int,
            pid: told.ssi_pid as i32,
            uid: told.ssi_uid,
            is_bare: 0,
        }))
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
