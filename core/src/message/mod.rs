//! Messages: what was sent in one piece is received in one piece, or not at all.

mod datagram;
mod limits;
mod mq;
mod packet;
mod seqpacket;
mod sysv_queue;
mod udp;

pub use datagram::{Datagram, DatagramOptions, UnixDatagram};
pub use mq::{HIGHEST_PRIORITY, Mq, MqAccess, MqAttributes, MqOptions};
pub use packet::Received;
pub use seqpacket::{Seqpacket, SeqpacketListener, SeqpacketOptions};
pub use sysv_queue::{SysvQueue, SysvQueueOptions, SysvQueueStatus, Which};
pub use udp::{UdpOptions, UdpSocket};

pub use crate::socket::control::MOST_DESCRIPTORS;
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
