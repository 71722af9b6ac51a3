//! What the kernel knows about System V memory.

use pyo3::prelude::*;
use unipc::memory::SysvMemoryStatus as Told;

/// What the kernel knows about System V memory.
#[pyclass(frozen, get_all, module = "unipc")]
pub(crate) struct SysvMemoryStatus {
    /// The kernel's number of it, for open_sysv_id.
    id: i32,
    /// The key; 0 for a private one, and for one that is removed.
    key: i32,
    /// Bytes.
    size: u64,
    /// How many attachments there are, of all processes.
    attached: u64,
    /// The process that made it.
    creator: i32,
    /// The process that attached or detached last; 0 for none.
    last: i32,
    /// The user that owns it.
    owner: u32,
    /// The group that owns it.
    group: u32,
    /// The user that made it.
    creator_user: u32,
    /// The group that made it.
    creator_group: u32,
    /// The permissions.
    mode: u32,
    /// Whether it goes with the last attachment.
    is_removed: bool,
    /// When somebody last attached, in seconds since 1970; 0 for never.
    attach_time: i64,
    /// When somebody last detached; 0 for never.
    detach_time: i64,
    /// When it was made or its permissions changed.
    change_time: i64,
}

impl SysvMemoryStatus {
    pub(crate) fn of(found: Told) -> SysvMemoryStatus {
        SysvMemoryStatus {
            id: found.id,
            key: found.key,
            size: found.size,
            attached: found.attached,
            creator: found.creator_pid,
            last: found.last_pid,
            owner: found.uid,
            group: found.gid,
            creator_user: found.creator_uid,
            creator_group: found.creator_gid,
            mode: found.mode,
            is_removed: found.is_removed,
            attach_time: found.attached_at,
            detach_time: found.detached_at,
            change_time: found.changed_at,
        }
    }
}

#[pymethods]
impl SysvMemoryStatus {
    fn __repr__(&self) -> String {
        format!("<unipc.SysvMemoryStatus id={} key={:#010x} size={} attached={}>", self.id, self.key, self.size, self.attached)
    }
}
