//! Messages: what was sent in one piece is received in one piece, or not at all.

mod limits;
mod mq;
mod sysv_queue;

pub use mq::{HIGHEST_PRIORITY, Mq, MqAccess, MqAttributes, MqOptions};
pub use sysv_queue::{SysvQueue, SysvQueueOptions, SysvQueueStatus, Which};

use crate::stream::Credentials;

/// What is known of a message besides its bytes. What a mechanism does not know is zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MessageInfo {
    /// Its length in bytes.
    pub size: usize,
    /// Its number in the order of sending.
    pub sequence: u64,
    /// How many before it were lost to this receiver.
    pub lost: u64,
    /// The type of a System V message.
    pub kind: i64,
    /// Its priority; the highest comes first.
    pub priority: u32,
    /// How often it has been delivered, this time included.
    pub attempts: u32,
    /// Who sent it, as the kernel vouches for.
    pub sender: Option<Credentials>,
}
