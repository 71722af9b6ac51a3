//! What System V memory is like.

use pyo3::prelude::*;
use unipc::memory::SysvMemoryStatus as Told;

/// What System V memory is like at a moment. Times are in seconds since 1970, 0 for never.
#[pyclass(frozen, get_all, module = "unipc")]
pub(crate) struct SysvMemoryStatus {
    /// The kernel's number of it.
    id: i32,
    /// Its key; 0 for a private one, and for one that is removed.
    key: i32,
    /// Bytes.
    size: u64,
    /// How many attachments there are, of all processes.
    attached: u64,
    /// Whether it goes with the last attachment.
    is_removed: bool,
    /// The process that made it.
    creator_pid: i32,
    /// The process that attached or detached last, 0 for none.
    last_pid: i32,
    /// When somebody attached last.
    attached_at: i64,
    /// When somebody detached last.
    detached_at: i64,
    /// When it was made, or its rights were changed.
    changed_at: i64,
    /// Its permissions.
    mode: u32,
    /// Its owner.
    uid: u32,
    /// Its group.
    gid: u32,
    /// Who made it, and has an owner's rights as well.
    creator_uid: u32,
    /// The group of who made it.
    creator_gid: u32,
}

impl SysvMemoryStatus {
    pub(crate) fn of(found: Told) -> SysvMemoryStatus {
        SysvMemoryStatus {
            id: found.id,
            key: found.key,
            size: found.size,
            attached: found.attached,
            is_removed: found.is_removed,
            creator_pid: found.creator_pid,
            last_pid: found.last_pid,
            attached_at: found.attached_at,
            detached_at: found.detached_at,
            changed_at: found.changed_at,
            mode: found.mode,
            uid: found.uid,
            gid: found.gid,
            creator_uid: found.creator_uid,
            creator_gid: found.creator_gid,
        }
    }
}

#[pymethods]
impl SysvMemoryStatus {
    fn __repr__(&self) -> String {
        format!("<unipc.SysvMemoryStatus id={} key={:#010x} size={} attached={}>", self.id, self.key, self.size, self.attached)
    }
}
