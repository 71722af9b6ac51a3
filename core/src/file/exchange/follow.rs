//! Records read as they come.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::watch::{LONGEST_SLEEP, Watch};
use super::{LONGEST_PATH, TORN, directory_of};
use crate::descriptor::{open_raw, status};
use crate::error::{Context, Error, Failure, Result, check};
use crate::file::lock::{FileLock, LockKind, LockMode, LockRange};
use crate::name::{self, Identity};
use crate::wait::{Deadline, Wait, await_creator};

const OPERATION: &str = "receive from file";
const OPEN: &str = "follow file";

/// How much is read at once, and looked back for the beginning of a line.
const CHUNK: usize = 64 << 10;

/// The longest record, unless another limit is set.
const LONGEST_RECORD: usize = 1 << 20;

/// How a file is followed.
#[derive(Debug, Clone)]
pub struct FollowerOptions<'a> {
    /// Begin behind what is there already: at the first record that is not complete yet.
    pub from_end: bool,
    /// Begin at this byte, where an earlier follower has left off: [`Followed::end`] of its last record.
    pub start: u64,
    /// The longest record in bytes; 0 is 1 MiB. A longer one is `EMSGSIZE` once, and passed over.
    pub largest: usize,
    /// Accept files of users other than oneself and root.
    pub any_owner: bool,
    /// Follow a symbolic link at the end of the path. That it points elsewhere is seen within half a second.
    pub follow_links: bool,
    /// How long to wait for the file to be there.
    pub wait_for_creator: Wait<'a>,
}

impl Default for FollowerOptions<'_> {
    fn default() -> Self {
        FollowerOptions { from_end: false, start: 0, largest: 0, any_owner: false, follow_links: false, wait_for_creator: Wait::NEVER }
    }
}

/// What a follower has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileEvent {
    /// A whole record.
    Record,
    /// Another file has the name; what comes next is its beginning.
    Replaced,
    /// The file is shorter than what was read; what comes next is its beginning.
    Truncated,
    /// No file has the name any more; all of the old one has been received.
    Deleted,
}

/// What was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed {
    /// What has happened.
    pub event: FileEvent,
    /// Length of the record; 0 for what is none.
    pub size: usize,
    /// Where in the file the record begins.
    pub offset: u64,
    /// Where the next one begins.
    pub end: u64,
    /// Torn records that were passed over since the last one that was received.
    pub torn: u64,
}

#[derive(Debug)]
struct Opened {
    descriptor: OwnedFd,
    identity: Identity,
}

/// What the end of a file turned out to be.
enum Look {
    /// Nothing new.
    Same,
    /// More has come meanwhile.
    More,
    /// The old file is locked: somebody may still be adding to it.
    Busy,
    Event(FileEvent),
}

/// Receives the records of a file in their order: whole lines, without the newline. It costs two descriptors, and at most the longest record and 64 KiB of memory.
///
/// It sees that the file was replaced or deleted when it has received all of the old one, and that it was truncated when the file is shorter than what it
/// has read: one that has grown again by then goes unseen, and bytes that are changed in place may be received as a mixture. What [`append`](super::append)
/// and [`replace`](super::replace()) do is always received whole.
///
/// After `fork` one of the two goes on with it: the other may be woken up to half a second late.
#[derive(Debug)]
pub struct Follower {
    path: String,
    largest: usize,
    any_owner: bool,
    follow_links: bool,
    file: Option<Opened>,
    /// Kept as long as the follower, so that its descriptor is one and the same, whether it tells at the moment or not.
    watch: Option<Watch>,
    tells: bool,
    buffer: Vec<u8>,
    /// The first byte of the buffer that was not received, and how far there is no newline behind it.
    start: usize,
    searched: usize,
    /// Where that first byte stands in the file.
    offset: u64,
    /// In the middle of a line that is not wanted: it is too long, or we came in the middle.
    skipping: bool,
    torn: u64,
}

impl Follower {
    /// Opens a regular file to follow it. It takes the right to read it.
    ///
    /// Errors: `ENOENT`, at the end of [`FollowerOptions::wait_for_creator`]; `EACCES`; `EPERM`: another user's; `ELOOP`; [`Failure::WrongKind`] for what is
    /// no regular file; `EINVAL`: both a start and the end; `EMFILE`.
    pub fn open(path: &str, options: &FollowerOptions<'_>) -> Result<Follower> {
        name::path(OPEN, path, LONGEST_PATH)?;
        if options.from_end && options.start != 0 {
            return Err(Error::os(OPEN, Errno::EINVAL).on(path).hint("it begins at the end or at a given byte, not both"));
        }
        let largest = if options.largest == 0 { LONGEST_RECORD } else { options.largest.min(isize::MAX as usize - CHUNK) };
        let mut follower = Follower {
            path: path.to_owned(),
            largest,
            any_owner: options.any_owner,
            follow_links: options.follow_links,
            file: None,
            watch: None,
            tells: false,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            offset: options.start,
            skipping: false,
            torn: 0,
        };
        let may_come = |error: &Error| error.is(Errno::ENOENT);
        let file = await_creator(OPEN, options.wait_for_creator, may_come, || follower.open_file(OPEN))?;
        follower.file = Some(file);
        follower.watch = Watch::new();
        follower.watch_file();
        if options.from_end {
            follower.go_to_end()?;
        }
        Ok(follower)
    }

    /// Receives the next record into a buffer, whatever happens to the file meanwhile: it waits for another when it is deleted.
    ///
    /// Errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED`: no whole record has come; `EMSGSIZE` for a record that is larger than the buffer, and stays:
    /// [`Error::transferred`] is its size; or for one beyond the limit, which is passed over: it is 0. Where another file has the name, also what opening it
    /// says, as of [`Follower::open`], until it can be opened.
    pub fn receive<'a>(&mut self, buffer: &mut [u8], wait: impl Into<Wait<'a>>) -> Result<Followed> {
        self.copied(false, buffer, wait.into())
    }

    /// As [`Follower::receive`], and tells what has happened to the file.
    pub fn receive_event<'a>(&mut self, buffer: &mut [u8], wait: impl Into<Wait<'a>>) -> Result<Followed> {
        self.copied(true, buffer, wait.into())
    }

    /// As [`Follower::receive`] with a buffer that fits.
    pub fn receive_vec<'a>(&mut self, wait: impl Into<Wait<'a>>) -> Result<(Vec<u8>, Followed)> {
        self.owned(false, wait.into())
    }

    /// As [`Follower::receive_event`] with a buffer that fits.
    pub fn receive_event_vec<'a>(&mut self, wait: impl Into<Wait<'a>>) -> Result<(Vec<u8>, Followed)> {
        self.owned(true, wait.into())
    }

    /// The path that is followed.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Readable until a call that does not wait says `EAGAIN`. Whoever waits for it receives every half second all the same, as a call that waits does: it
    /// does not tell that the directory was renamed and made anew, that a link that is followed points elsewhere, or of a mapping. [`Failure::Unavailable`] where there is no inotify, or it does not tell: then probe.
    pub fn fd(&self) -> Result<BorrowedFd<'_>> {
        const OPERATION: &str = "get descriptor of follower";
        let none = || Error::failure(OPERATION, Failure::Unavailable).on(self.path.as_str()).hint("inotify is not to be had here; probe");
        Ok(self.told_by().ok_or_else(none)?.as_fd())
    }

    fn told_by(&self) -> Option<&Watch> {
        self.watch.as_ref().filter(|_| self.tells)
    }

    fn copied(&mut self, events: bool, buffer: &mut [u8], wait: Wait<'_>) -> Result<Followed> {
        let found = self.next(events, wait)?;
        let record = &self.buffer[self.start..self.start + found.size];
        let Some(place) = buffer.get_mut(..found.size) else {
            let hint = format!("the record has {} bytes, the buffer {}", found.size, buffer.len());
            return Err(self.error(Errno::EMSGSIZE).after(found.size).hint(hint));
        };
        place.copy_from_slice(record);
        self.received(&found);
        Ok(found)
    }

    fn owned(&mut self, events: bool, wait: Wait<'_>) -> Result<(Vec<u8>, Followed)> {
        let found = self.next(events, wait)?;
        let record = self.buffer[self.start..self.start + found.size].to_vec();
        self.received(&found);
        Ok((record, found))
    }

    /// Goes on behind a record.
    fn received(&mut self, found: &Followed) {
        if found.event == FileEvent::Record {
            self.pass(found.size + 1);
        }
        self.torn = 0;
    }

    /// The next record, which stays at the beginning of the buffer, or event.
    fn next(&mut self, events: bool, wait: Wait<'_>) -> Result<Followed> {
        let mut deadline = Deadline::new(OPERATION, wait);
        let mut has_drained = false;
        let mut read = 0;
        loop {
            if let Some(size) = self.find_record()? {
                let end = self.offset + size as u64 + 1;
                return Ok(Followed { event: FileEvent::Record, size, offset: self.offset, end, torn: self.torn });
            }
            // What is passed over may come without an end: lines that are too long, files without a record.
            if read > self.largest.saturating_add(CHUNK) {
                read = 0;
                if let Err(error) = deadline.remaining() {
                    self.watch_again();
                    return Err(error.on(self.path.as_str()));
                }
            }
            let count = self.fill()?;
            read += count;
            if count > 0 {
                continue;
            }
            match self.look()? {
                Look::More => continue,
                Look::Event(event) if events => return Ok(Followed { event, size: 0, offset: 0, end: 0, torn: self.torn }),
                Look::Event(_) => {
                    read += CHUNK;
                    continue;
                }
                Look::Same if !has_drained && self.told_by().is_some_and(Watch::drain) => {
                    // What was told may have come after the look.
                    has_drained = true;
                    continue;
                }
                Look::Same => match self.told_by() {
                    Some(watch) => deadline.ready_or(watch.as_fd(), libc::POLLIN, LONGEST_SLEEP),
                    None => deadline.pause(),
                },
                Look::Busy => deadline.pause(),
            }
            .map_err(|error| error.on(self.path.as_str()))?;
            (has_drained, read) = (false, 0);
        }
    }

    /// The length of the whole record that the buffer begins with. Torn ones are passed over.
    fn find_record(&mut self) -> Result<Option<usize>> {
        loop {
            let found = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
            let Some(end) = found.map(|index| self.searched + index) else {
                self.searched = self.buffer.len();
                let length = self.searched - self.start;
                if self.skipping || length > self.largest {
                    self.pass(length);
                    if !std::mem::replace(&mut self.skipping, true) {
                        return Err(self.too_long());
                    }
                }
                return Ok(None);
            };
            // If it is received only later it is found again.
            self.searched = end;
            let line = &self.buffer[self.start..end];
            let (length, is_torn) = (line.len(), line.last() == Some(&TORN));
            if !self.skipping && !is_torn && length <= self.largest {
                return Ok(Some(length));
            }
            self.pass(length + 1);
            if std::mem::replace(&mut self.skipping, false) {
                continue;
            }
            if !is_torn {
                return Err(self.too_long());
            }
            self.torn += 1;
        }
    }

    fn pass(&mut self, count: usize) {
        self.start += count;
        self.searched = self.start;
        self.offset += count as u64;
        if self.start == self.buffer.len() {
            self.buffer.clear();
            (self.start, self.searched) = (0, 0);
        }
    }

    /// Forgets what is left of a file.
    fn forget(&mut self) {
        if self.start < self.buffer.len() || self.skipping {
            self.torn += 1;
        }
        self.buffer.clear();
        (self.start, self.searched, self.offset, self.skipping) = (0, 0, 0, false);
    }

    /// Where in the file the next read begins.
    fn reach(&self) -> u64 {
        self.offset + (self.buffer.len() - self.start) as u64
    }

    /// Reads on; how many bytes there were.
    fn fill(&mut self) -> Result<usize> {
        let Some(file) = &self.file else { return Ok(0) };
        let Ok(at) = libc::off_t::try_from(self.reach()) else { return Ok(0) };
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        let length = self.buffer.len();
        self.buffer.resize(length + CHUNK, 0);
        let count = loop {
            let place = &mut self.buffer[length..];
            // SAFETY: the place is valid to write to.
            match check(unsafe { libc::pread(file.descriptor.as_raw_fd(), place.as_mut_ptr().cast(), place.len(), at) }) {
                Ok(count) => break Ok(count as usize),
                Err(Errno::EINTR) => {}
                Err(errno) => break Err(errno),
            }
        };
        self.buffer.truncate(length + *count.as_ref().unwrap_or(&0));
        count.map_err(|errno| self.error(errno))
    }

    /// What has become of the file, when there is nothing more to read.
    fn look(&mut self) -> Result<Look> {
        let Some(file) = &self.file else {
            return match self.open_file(OPERATION) {
                Ok(file) => Ok(self.begin(file)),
                Err(error) if error.is(Errno::ENOENT) => Ok(Look::Same),
                Err(error) => Err(error),
            };
        };
        let size = status(file.descriptor.as_fd()).during_on(OPERATION, &self.path)?.st_size as u64;
        if size < self.reach() {
            self.forget();
            return Ok(Look::Event(FileEvent::Truncated));
        }
        let now = if self.follow_links { nix::sys::stat::stat(self.path.as_str()) } else { name::status(&self.path) };
        let is_gone = match now {
            Ok(found) if Identity::of(&found) == file.identity => return Ok(Look::Same),
            Ok(_) => false,
            Err(Errno::ENOENT | Errno::ENOTDIR) => true,
            Err(errno) => return Err(self.error(errno)),
        };
        // Who has the lock may still add a record; who gets it later looks at the name first.
        let twin = file.descriptor.try_clone().during_on(OPERATION, &self.path)?;
        let lock = FileLock::adopt(twin, LockKind::Flock).map_err(|(_, error)| error)?;
        match lock.acquire(LockMode::Shared, LockRange::WHOLE, Wait::NEVER) {
            Err(error) if error.is(Errno::EAGAIN) => return Ok(Look::Busy),
            // A file system without locks: what is there is all that we can know of.
            _ => {}
        }
        let more = self.fill();
        let _ = lock.unlock(LockRange::WHOLE);
        if more? > 0 {
            return Ok(Look::More);
        }
        self.forget();
        self.file = None;
        self.watch_directory();
        if is_gone {
            return Ok(Look::Event(FileEvent::Deleted));
        }
        match self.open_file(OPERATION) {
            Ok(file) => Ok(self.begin(file)),
            // Gone in this moment.
            Err(error) if error.is(Errno::ENOENT) => Ok(Look::Event(FileEvent::Deleted)),
            Err(error) => Err(error),
        }
    }

    /// Goes on with another file.
    fn begin(&mut self, file: Opened) -> Look {
        self.file = Some(file);
        self.watch_file();
        Look::Event(FileEvent::Replaced)
    }

    /// There is something left, so the descriptor is to be readable.
    fn watch_again(&mut self) {
        match self.file {
            Some(_) => self.watch_file(),
            None => self.watch_directory(),
        }
    }

    fn watch_directory(&mut self) {
        self.tells = self.watch.as_mut().is_some_and(|watch| watch.on_directory(directory_of(&self.path)));
    }

    fn watch_file(&mut self) {
        let (Some(file), Some(watch)) = (&self.file, &mut self.watch) else { return };
        self.tells = watch.on_file(file.descriptor.as_fd());
    }

    fn open_file(&self, operation: &'static str) -> Result<Opened> {
        let path = self.path.as_str();
        // Not blocking, or a FIFO would wait for its other side.
        let links = if self.follow_links { 0 } else { libc::O_NOFOLLOW };
        let descriptor = match open_raw(path, libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY | links, 0) {
            Ok(descriptor) => descriptor,
            // What a socket says to it, which is none of these.
            Err(errno @ Errno::ENXIO) => {
                let Ok(found) = name::status(path) else { return Err(Error::os(operation, errno).on(path)) };
                return Err(name::wrong_kind(operation, path, "a regular file", &found));
            }
            Err(errno) => return Err(Error::os(operation, errno).on(path)),
        };
        let found = status(descriptor.as_fd()).during_on(operation, path)?;
        if name::kind(&found) != libc::S_IFREG {
            return Err(name::wrong_kind(operation, path, "a regular file", &found));
        }
        name::trust_owner(operation, path, found.st_uid, self.any_owner)?;
        Ok(Opened { descriptor, identity: Identity::of(&found) })
    }

    /// Goes behind the last newline: what stands after it is not complete yet.
    fn go_to_end(&mut self) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let size = status(file.descriptor.as_fd()).during_on(OPEN, &self.path)?.st_size as u64;
        let lowest = size.saturating_sub(self.largest as u64 + 1);
        let mut end = size;
        while end > lowest {
            let begin = end.saturating_sub(CHUNK as u64).max(lowest);
            let mut chunk = vec![0; (end - begin) as usize];
            // SAFETY: the chunk is valid to write to.
            let count =
                check(unsafe { libc::pread(file.descriptor.as_raw_fd(), chunk.as_mut_ptr().cast(), chunk.len(), begin as libc::off_t) })
                    .during_on(OPEN, &self.path)?;
            if let Some(index) = chunk[..count as usize].iter().rposition(|byte| *byte == b'\n') {
                self.offset = begin + index as u64 + 1;
                return Ok(());
            }
            end = begin;
        }
        // The file is the beginning of one record; or in one that is too long.
        (self.offset, self.skipping) = if lowest == 0 { (0, false) } else { (size, true) };
        Ok(())
    }

    #[cold]
    fn error(&self, errno: Errno) -> Error {
        Error::os(OPERATION, errno).on(self.path.as_str())
    }

    #[cold]
    fn too_long(&self) -> Error {
        self.error(Errno::EMSGSIZE).hint(format!("a record is longer than the limit, {} bytes, and is passed over", self.largest))
    }
}
