//! What the three kinds of System V objects have in common: keys, limits, and the tables in `/proc/sysvipc`.
//!
//! [sysvipc(7)](https://man7.org/linux/man-pages/man7/sysvipc.7.html), [proc_sysvipc(5)](https://man7.org/linux/man-pages/man5/proc_sysvipc.5.html)

use nix::errno::Errno;

use crate::error::{Error, Result};

/// The key 0 is `IPC_PRIVATE`.
pub(crate) fn check_key(operation: &'static str, key: i32, objects: &'static str) -> Result<()> {
    if key != libc::IPC_PRIVATE {
        return Ok(());
    }
    Err(Error::os(operation, Errno::EINVAL).hint(format!("the key 0 makes private {objects}, which nobody finds by it")))
}

pub(crate) fn key_in_words(key: i32) -> String {
    format!("key {key:#010x}")
}

#[cold]
pub(crate) fn on_key(operation: &'static str, errno: Errno, key: i32) -> Error {
    Error::os(operation, errno).on(key_in_words(key))
}

/// What `set_owner` of each kind takes: the number that means "none" in the kernel is nobody's.
pub(crate) fn check_owner(operation: &'static str, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
    if uid != Some(u32::MAX) && gid != Some(u32::MAX) {
        return Ok(());
    }
    Err(Error::os(operation, Errno::EINVAL).hint("there is no such user or group"))
}

/// The kernel's word for an identifier that is gone is `EINVAL` as often as `EIDRM`.
pub(crate) fn gone(errno: Errno) -> Errno {
    if errno == Errno::EINVAL { Errno::EIDRM } else { errno }
}

/// The line of an object in a table of `/proc/sysvipc`, which tells everybody what the object itself may not.
pub(crate) struct Row {
    columns: Vec<String>,
    fields: Vec<String>,
}

impl Row {
    /// `table` is `msg`, `sem` or `shm`, `of_id` what the column of identifiers is called there.
    pub(crate) fn find(table: &str, of_id: &str, id: i32) -> Option<Row> {
        let text = std::fs::read_to_string(format!("/proc/sysvipc/{table}")).ok()?;
        let words = |line: &str| line.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let mut lines = text.lines();
        let columns = words(lines.next()?);
        let place = columns.iter().position(|column| column == of_id)?;
        let fields = lines.map(words).find(|fields| fields.get(place).is_some_and(|field| field.parse() == Ok(id)))?;
        Some(Row { columns, fields })
    }

    fn field(&self, column: &str) -> Option<&str> {
        let place = self.columns.iter().position(|name| name == column)?;
        self.fields.get(place).map(String::as_str)
    }

    /// A column of plain numbers.
    pub(crate) fn number<T: std::str::FromStr>(&self, column: &str) -> Option<T> {
        self.field(column)?.parse().ok()
    }

    /// The nine bits of the permissions.
    pub(crate) fn mode(&self) -> Option<u32> {
        u32::from_str_radix(self.field("perms")?, 8).ok().map(|mode| mode & 0o777)
    }

    /// Owner and creator.
    pub(crate) fn owners(&self) -> Option<(u32, u32)> {
        Some((self.number("uid")?, self.number("cuid")?))
    }
}
