//! Files between processes: locks that keep them apart, and contents that they exchange.

pub mod exchange;
pub mod lock;
