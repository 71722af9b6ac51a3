//! Files that processes exchange: replaced in one step, appended to in whole records, followed as they grow.
//!
//! The race is the reader that comes in the middle. Who opens a file and writes into it shows an empty file, then half of one. There are two orders that do
//! not, and both never change a byte that a reader may have seen:
//!
//! - [`replace()`]: write a new file that has no name yet, have it on the disk, rename it over the old one. A reader has the old content or the new one, whole,
//!   also when the writer is killed or the machine goes down; who has the old one open keeps it.
//! - [`append`]: take the lock, look whether the file still has its name, add one line in one write. A reader takes what ends in a newline.
//!
//! A writer that is killed in the middle leaves a torn record: bytes without a newline. It is not taken away, since somebody may be reading it; the next writer
//! ends it with [`TORN`] and a newline, and [`Follower`] passes over lines that end so. Its record then stands whole behind it.
//!
//! A follower must see the file grow, see it replaced (first the rest of the old one, then the new one from its start), truncated, and deleted. Before it
//! leaves an old file it takes the writers' lock: who appends later looks at the name first, and goes to the new one too. So a file may be rotated by a rename,
//! and nothing is lost.
//!
//! [rename(2)](https://man7.org/linux/man-pages/man2/rename.2.html), [fsync(2)](https://man7.org/linux/man-pages/man2/fsync.2.html),
//! [open(2)](https://man7.org/linux/man-pages/man2/open.2.html), [flock(2)](https://man7.org/linux/man-pages/man2/flock.2.html),
//! [inotify(7)](https://man7.org/linux/man-pages/man7/inotify.7.html)

mod append;
mod follow;
mod replace;
mod watch;

pub use append::{AppendOptions, append};
pub use follow::{FileEvent, Followed, Follower, FollowerOptions};
pub use replace::{Durability, ReplaceOptions, replace};

/// The longest path on Linux, in bytes.
const LONGEST_PATH: usize = libc::PATH_MAX as usize - 1;

/// The last byte of a line that its writer did not finish: CAN, "disregard what precedes".
pub const TORN: u8 = 0x18;

/// The directory that a path is in.
fn directory_of(path: &str) -> &str {
    match path.rsplit_once('/') {
        None => ".",
        Some(("", _)) => "/",
        Some((directory, _)) => directory,
    }
}
