//! Files between processes: locks that keep them apart.

pub mod lock;
