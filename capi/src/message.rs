//! What is known of a message, for all kinds.

use std::mem::offset_of;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};

use unipc_core::Error;
use unipc_core::message::MessageInfo;

use crate::{Versioned, initialise, store};

/// What is known of a message that was received. Begin with UNIPC_MESSAGE_INFO_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_message_info {
    /// sizeof(unipc_message_info)
    pub struct_size: usize,
    /// bytes; also with -EMSGSIZE: how large a buffer must be
    pub size: u64,
    /// its number in the order of sending; 0 where the mechanism counts none
    pub sequence: u64,
    /// how many before it were lost to this receiver
    pub lost: u64,
    /// the type of a System V message, else 0
    pub r#type: i64,
    /// its priority, 0 where the mechanism has none; the highest comes first
    pub priority: u32,
    /// how often it has been delivered, this time included; 0 where the mechanism does not count
    pub attempts: u32,
    /// 1 if the next three say who sent it, as the kernel vouches for
    pub has_sender: u32,
    /// the sending process; 0 in a pid namespace that is not ours
    pub sender_pid: i32,
    /// its effective user
    pub sender_uid: u32,
    /// its effective group
    pub sender_gid: u32,
    /// 1 if the next is a pidfd of the sender, which the caller closes; only where the socket was asked for pidfds
    pub has_sender_pidfd: u32,
    /// a pidfd of the sending process
    pub sender_pidfd: i32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_message_info {}

/// Sets struct_size and zeroes the rest, as UNIPC_MESSAGE_INFO_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `info` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_message_info_init(info: *mut unipc_message_info) {
    // SAFETY: the caller's promise.
    unsafe { initialise(info) }
}

/// Tells the caller what is known of a message, if the caller wants to know.
///
/// # Safety
/// `out` is NULL or as large as it says.
pub(crate) unsafe fn store_info(operation: &'static str, out: *mut unipc_message_info, info: &MessageInfo) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    unsafe { store_info_and_pidfd(operation, out, info, None) }
}

/// [`store_info`] with a pidfd, which is closed if the caller's struct has no room for it.
///
/// # Safety
/// As [`store_info`].
pub(crate) unsafe fn store_info_and_pidfd(
    operation: &'static str,
    out: *mut unipc_message_info,
    info: &MessageInfo,
    pidfd: Option<OwnedFd>,
) -> Result<(), Error> {
    if out.is_null() {
        return Ok(());
    }
    const NEEDED: usize = offset_of!(unipc_message_info, sender_pidfd) + size_of::<i32>();
    // SAFETY: the caller's promise; the first field is the size.
    let pidfd = pidfd.filter(|_| unsafe { out.cast::<usize>().read() } >= NEEDED);
    let (pid, uid, gid) = info.sender.map_or((0, 0, 0), |sender| (sender.pid, sender.uid, sender.gid));
    let told = unipc_message_info {
        struct_size: 0,
        size: info.size as u64,
        sequence: info.sequence,
        lost: info.lost,
        r#type: info.kind,
        priority: info.priority,
        attempts: info.attempts,
        has_sender: u32::from(info.sender.is_some()),
        sender_pid: pid,
        sender_uid: uid,
        sender_gid: gid,
        has_sender_pidfd: u32::from(pidfd.is_some()),
        sender_pidfd: pidfd.as_ref().map_or(0, |pidfd| pidfd.as_raw_fd()),
    };
    // SAFETY: the caller's promise.
    unsafe { store(operation, out, &told) }?;
    // From here on it is the caller's.
    pidfd.map(IntoRawFd::into_raw_fd);
    Ok(())
}
