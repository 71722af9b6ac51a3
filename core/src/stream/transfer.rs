//! Bytes from one descriptor to another without passing through the process: splice, sendfile, copy_file_range; and tee and vmsplice.
//!
//! Which call the kernel takes depends on the pair: a pipe on either side, a file to a socket, a file to a file on the same file system. [`transfer`]
//! takes the fastest that the pair allows, goes on with the next when the kernel refuses one, down to reading and writing, and says which it was.
//!
//! Two things are easily lost. *Bytes between the two*: where they pass through a pipe or a buffer of ours, what was taken from the source and not
//! yet delivered is lost when the destination breaks, or its time is up. So nothing is taken before the destination has room for it. *Time*:
//! `SPLICE_F_NONBLOCK` concerns the pipe alone, and a blocking socket sleeps for as long as it likes. So with a limit a socket is polled before, and
//! gets pieces that fit into what poll promises to be free; that is as good unless somebody else writes to the same blocking socket.
//!
//! None of the calls has a flag against SIGPIPE: it is blocked for the thread meanwhile, and the one that was raised is taken back.
//!
//! Files are read and written at their position, which moves as with `read` and `write`, unless an offset is given: then the position stays.
//!
//! [splice(2)](https://man7.org/linux/man-pages/man2/splice.2.html), [sendfile(2)](https://man7.org/linux/man-pages/man2/sendfile.2.html),
//! [copy_file_range(2)](https://man7.org/linux/man-pages/man2/copy_file_range.2.html), [tee(2)](https://man7.org/linux/man-pages/man2/tee.2.html),
//! [vmsplice(2)](https://man7.org/linux/man-pages/man2/vmsplice.2.html)

use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use super::endpoint::{self, Endpoint, Kind};
use crate::descriptor;
use crate::error::{Context, Error, Result, check};
use crate::name;
use crate::wait::{Deadline, Wait, is_ready};

const TRANSFER: &str = "transfer between descriptors";

/// The most that one call is asked for.
const PIECE: u64 = 1 << 30;
/// The same where the call must come back to look at the time.
const PIECE_IN_TIME: u64 = 16 << 20;
/// What a buffer, or a pipe of the usual capacity, holds.
const BUFFER: usize = 64 << 10;

/// How bytes got from one descriptor to the other. The numbers are part of the C ABI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum TransferWay {
    /// Through a buffer of the process: `read` and `write`.
    ReadWrite = 1,
    /// `splice`: one of the two is a pipe, and its pages change hands.
    Splice = 2,
    /// `splice` into a pipe of the call's own, and out of it again.
    SpliceTwice = 3,
    /// `sendfile`: the file's pages go to the socket.
    Sendfile = 4,
    /// `copy_file_range`: within a file system, which may share the blocks instead of copying them.
    CopyFileRange = 5,
}

impl TransferWay {
    /// All of them, for tables and bindings.
    pub const ALL: [TransferWay; 5] =
        [TransferWay::ReadWrite, TransferWay::Splice, TransferWay::SpliceTwice, TransferWay::Sendfile, TransferWay::CopyFileRange];

    /// The way of a number of the C ABI.
    pub fn from_number(number: u32) -> Option<TransferWay> {
        TransferWay::ALL.into_iter().find(|way| *way as u32 == number)
    }

    /// The name of the system calls.
    pub fn name(self) -> &'static str {
        match self {
            TransferWay::ReadWrite => "read and write",
            TransferWay::Splice => "splice",
            TransferWay::SpliceTwice => "splice twice",
            TransferWay::Sendfile => "sendfile",
            TransferWay::CopyFileRange => "copy_file_range",
        }
    }
}

/// What is to be transferred, and how.
#[derive(Debug, Clone, Copy, Default)]
pub struct TransferOptions {
    /// How many bytes; `None`: to the end of the source.
    pub length: Option<u64>,
    /// Where in a file to begin reading; its position stays. `None`: at its position, which moves.
    pub source_offset: Option<u64>,
    /// Where in a file to begin writing; its position stays. `None`: at its position, which moves.
    pub destination_offset: Option<u64>,
    /// This way alone: a pair that it is not for is an error. `None`: the fastest that there is.
    pub way: Option<TransferWay>,
}

/// What was transferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transferred {
    /// How many bytes the destination got.
    pub bytes: u64,
    /// The way that it went in the end.
    pub way: TransferWay,
    /// The source has ended.
    pub at_end: bool,
}

/// Transfers from any descriptor to any: pipes, sockets, files, terminals.
///
/// A failure says how many bytes the destination had got ([`Error::transferred`]); where some were taken from the source and did not arrive, its text
/// says how many. That can happen by the ways [`SpliceTwice`](TransferWay::SpliceTwice) and [`ReadWrite`](TransferWay::ReadWrite) alone.
///
/// Errors: `EPIPE`, `ECONNRESET` if nobody reads any more; `ENOSPC`, `EDQUOT`, `EFBIG`, `EIO`; `ESPIPE` for an offset in what is no file; `EINVAL`, `EXDEV`
/// and others if [`TransferOptions::way`] is not for the pair; `EBADF`; `EMFILE`, `ENFILE`; `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]).
///
/// ```
/// use unipc::stream::{TransferWay, pipe, transfer};
/// let (reader, writer) = pipe()?;
/// let file = std::fs::File::open("Cargo.toml").unwrap();
/// let done = transfer(&file, &writer, &Default::default(), None)?;
/// assert_eq!((done.way, done.at_end), (TransferWay::Splice, true));
/// assert_eq!(done.bytes, file.metadata().unwrap().len());
/// # drop(reader);
/// # Ok::<(), unipc::Error>(())
/// ```
pub fn transfer<'a>(
    source: impl AsFd,
    destination: impl AsFd,
    options: &TransferOptions,
    wait: impl Into<Wait<'a>>,
) -> Result<Transferred> {
    let source = Side::new(source.as_fd(), options.source_offset)?;
    let destination = Side::new(destination.as_fd(), options.destination_offset)?;
    if options.way == Some(TransferWay::Sendfile) && options.destination_offset.is_some() {
        return Err(Error::os(TRANSFER, Errno::EINVAL).hint("sendfile writes at the position of a file"));
    }
    let may_break = matches!(destination.kind, SideKind::Pipe | SideKind::Socket);
    let mut transfer = Transfer {
        ways: ways(&source, &destination, options.way),
        left: options.length.unwrap_or(u64::MAX),
        source,
        destination,
        done: 0,
        held: 0,
        through: None,
        deadline: Deadline::new(TRANSFER, wait),
    };
    if !may_break || endpoint::is_sigpipe_ignored() {
        return transfer.run();
    }
    endpoint::without_sigpipe(|| transfer.run(), |_| false)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SideKind {
    Pipe,
    Socket,
    /// Has offsets, and never makes wait.
    File,
    Other,
}

struct Side<'a> {
    descriptor: BorrowedFd<'a>,
    kind: SideKind,
    offset: Option<libc::loff_t>,
}

impl Side<'_> {
    fn new(descriptor: BorrowedFd<'_>, offset: Option<u64>) -> Result<Side<'_>> {
        let status = descriptor::status(descriptor).during(TRANSFER)?;
        let kind = match name::kind(&status) {
            libc::S_IFIFO => SideKind::Pipe,
            libc::S_IFSOCK => SideKind::Socket,
            libc::S_IFREG | libc::S_IFBLK => SideKind::File,
            _ => SideKind::Other,
        };
        if offset.is_some() && kind != SideKind::File {
            return Err(Error::os(TRANSFER, Errno::ESPIPE).hint("only a file has offsets"));
        }
        let offset = match offset.map(libc::loff_t::try_from) {
            None => None,
            Some(Ok(offset)) => Some(offset),
            Some(Err(_)) => return Err(Error::os(TRANSFER, Errno::EINVAL).hint("no file has such an offset")),
        };
        Ok(Side { descriptor, kind, offset })
    }

    fn is_nonblocking(&self) -> bool {
        // SAFETY: F_GETFL returns an integer; of a failure it has all bits.
        unsafe { libc::fcntl(self.raw(), libc::F_GETFL) & libc::O_NONBLOCK != 0 }
    }

    fn raw(&self) -> libc::c_int {
        self.descriptor.as_raw_fd()
    }

    fn offset(&mut self) -> *mut libc::loff_t {
        self.offset.as_mut().map_or(std::ptr::null_mut(), |offset| &raw mut *offset)
    }

    fn is_ready(&self, events: libc::c_short) -> bool {
        self.kind == SideKind::File || is_ready(self.descriptor, events)
    }

    /// How much a destination surely takes at once when poll has said that there is room.
    fn room(&self) -> u64 {
        match self.kind {
            SideKind::File => PIECE_IN_TIME,
            SideKind::Pipe | SideKind::Other => libc::PIPE_BUF as u64,
            SideKind::Socket if self.is_nonblocking() => PIECE_IN_TIME,
            // Poll says yes when a third of a TCP socket's buffer is free, or three quarters of a Unix socket's.
            SideKind::Socket => u64::from(self.send_buffer() / 4).clamp(libc::PIPE_BUF as u64, 1 << 20),
        }
    }

    fn send_buffer(&self) -> u32 {
        let mut size: libc::c_int = 0;
        let mut length = size_of_val(&size) as libc::socklen_t;
        // SAFETY: the value and its length are valid to write to.
        unsafe { libc::getsockopt(self.raw(), libc::SOL_SOCKET, libc::SO_SNDBUF, (&raw mut size).cast(), &mut length) };
        size.max(0) as u32
    }

    /// For reading and writing as every stream does.
    fn endpoint(&self) -> Result<Endpoint> {
        let kind = match self.kind {
            SideKind::Pipe => Kind::Pipe,
            SideKind::Socket => Kind::Socket,
            SideKind::File | SideKind::Other => Kind::Other,
        };
        Ok(Endpoint::new(self.descriptor.try_clone_to_owned().during(TRANSFER)?, kind))
    }
}

/// The ways for a pair, the best last.
fn ways(source: &Side<'_>, destination: &Side<'_>, only: Option<TransferWay>) -> Vec<TransferWay> {
    use SideKind::{File, Pipe, Socket};
    use TransferWay::{CopyFileRange, ReadWrite, Sendfile, Splice, SpliceTwice};
    if let Some(way) = only {
        return vec![way];
    }
    match (source.kind, destination.kind) {
        (Pipe, _) | (_, Pipe) => vec![ReadWrite, Splice],
        // sendfile writes at the position alone.
        (File, File) if destination.offset.is_some() => vec![ReadWrite, CopyFileRange],
        (File, File) => vec![ReadWrite, Sendfile, CopyFileRange],
        (File, _) => vec![ReadWrite, Sendfile],
        (Socket, _) => vec![ReadWrite, SpliceTwice],
        _ => vec![ReadWrite],
    }
}

/// What bytes pass through that do not go straight from one to the other.
enum Through {
    Pipe { reader: OwnedFd, writer: OwnedFd },
    Buffer { source: Endpoint, destination: Endpoint, bytes: Vec<u8>, first: usize },
}

struct Transfer<'a, 'w> {
    source: Side<'a>,
    destination: Side<'a>,
    /// The ways that are left, the best last.
    ways: Vec<TransferWay>,
    left: u64,
    done: u64,
    /// Taken from the source, and not delivered yet.
    held: usize,
    through: Option<Through>,
    deadline: Deadline<'w>,
}

type Attempt = std::result::Result<usize, Stuck>;

/// Why one call has moved nothing.
enum Stuck {
    Os(Errno),
    /// The deadline has spoken, or what cannot be told by an errno.
    For(Error),
}

impl From<Errno> for Stuck {
    fn from(errno: Errno) -> Stuck {
        Stuck::Os(errno)
    }
}

impl From<Error> for Stuck {
    fn from(error: Error) -> Stuck {
        Stuck::For(error)
    }
}

impl Transfer<'_, '_> {
    fn run(&mut self) -> Result<Transferred> {
        self.run_on().map_err(|error| {
            let error = error.after(usize::try_from(self.done).unwrap_or(usize::MAX));
            if self.held == 0 { error } else { error.hint(format!("{} bytes were taken from the source and did not arrive", self.held)) }
        })
    }

    fn run_on(&mut self) -> Result<Transferred> {
        while self.left > 0 || self.held > 0 {
            let way = self.way();
            match self.step(way) {
                Ok(0) if self.is_doubtful(way) => drop(self.ways.pop()),
                Ok(0) => return Ok(self.result(true)),
                Ok(count) => {
                    self.done += count as u64;
                    self.look_at_the_time()?;
                }
                Err(Stuck::Os(Errno::EINTR)) => {}
                Err(Stuck::Os(Errno::EAGAIN)) => self.sleep()?,
                Err(Stuck::Os(errno)) if is_refusal(errno) && self.ways.len() > 1 => self.give_way()?,
                Err(Stuck::Os(errno)) => return Err(self.explain(errno, way)),
                Err(Stuck::For(error)) => return Err(error),
            }
        }
        Ok(self.result(false))
    }

    fn way(&self) -> TransferWay {
        self.ways.last().copied().unwrap_or(TransferWay::ReadWrite)
    }

    /// Goes on with the next way, and with what is in our pipe: a file that is only appended to is no destination of splice.
    #[cold]
    fn give_way(&mut self) -> Result<()> {
        self.ways.pop();
        if let (1.., Some(Through::Pipe { reader, .. })) = (self.held, &self.through) {
            let mut bytes = vec![0; BUFFER];
            Endpoint::new(reader.try_clone().during(TRANSFER)?, Kind::Pipe).read_exact(&mut bytes[..self.held], Wait::FOREVER)?;
            self.through = Some(self.buffer(bytes)?);
        }
        Ok(())
    }

    fn buffer(&self, bytes: Vec<u8>) -> Result<Through> {
        Ok(Through::Buffer { source: self.source.endpoint()?, destination: self.destination.endpoint()?, bytes, first: 0 })
    }

    fn result(&self, at_end: bool) -> Transferred {
        Transferred { bytes: self.done, way: self.way(), at_end }
    }

    /// Some file systems call a file empty here that has something to read: those of the kernel's own, as /proc.
    fn is_doubtful(&self, way: TransferWay) -> bool {
        way == TransferWay::CopyFileRange && self.done == 0 && self.ways.len() > 1
    }

    /// A source that always has something would never let us look.
    fn look_at_the_time(&mut self) -> Result<()> {
        if !self.deadline.is_plain() && !self.deadline.never_waits() && self.left > 0 {
            self.deadline.remaining()?;
        }
        Ok(())
    }

    /// Until the side that has made us wait is ready.
    fn sleep(&mut self) -> Result<()> {
        if self.held == 0 && !self.source.is_ready(libc::POLLIN) {
            self.deadline.ready(self.source.descriptor, libc::POLLIN)
        } else if !self.destination.is_ready(libc::POLLOUT) {
            self.deadline.ready(self.destination.descriptor, libc::POLLOUT)
        } else {
            // Ready for a little, and not for what we have.
            self.deadline.pause()
        }
    }

    fn step(&mut self, way: TransferWay) -> Attempt {
        match way {
            TransferWay::Splice => self.splice(),
            TransferWay::SpliceTwice => self.splice_twice(),
            TransferWay::Sendfile => self.sendfile(),
            TransferWay::CopyFileRange => self.copy_file_range(),
            TransferWay::ReadWrite => self.read_write(),
        }
    }

    /// How much the next call is asked for; `EAGAIN` where it would sleep, and must not.
    fn piece(&self, source_may_sleep: bool, destination_may_sleep: bool) -> std::result::Result<usize, Errno> {
        if self.deadline.is_plain() {
            return Ok(self.left.min(PIECE) as usize);
        }
        if source_may_sleep && !self.source.is_ready(libc::POLLIN) {
            return Err(Errno::EAGAIN);
        }
        if !destination_may_sleep {
            return Ok(self.left.min(PIECE_IN_TIME) as usize);
        }
        if !self.destination.is_ready(libc::POLLOUT) {
            return Err(Errno::EAGAIN);
        }
        Ok(self.left.min(self.destination.room()) as usize)
    }

    fn moved(&mut self, result: libc::ssize_t) -> Attempt {
        let count = check(result)? as usize;
        self.left -= count as u64;
        Ok(count)
    }

    fn splice(&mut self) -> Attempt {
        // A pipe is told by a flag not to sleep.
        let piece = self.piece(self.source.kind != SideKind::Pipe, self.destination.kind != SideKind::Pipe)?;
        let flags = libc::SPLICE_F_MOVE | if self.deadline.is_plain() { 0 } else { libc::SPLICE_F_NONBLOCK };
        let (from, to) = (self.source.raw(), self.destination.raw());
        // SAFETY: the offsets are NULL or valid to read and write.
        let result = unsafe { libc::splice(from, self.source.offset(), to, self.destination.offset(), piece, flags) };
        self.moved(result)
    }

    fn sendfile(&mut self) -> Attempt {
        let piece = self.piece(false, self.destination.kind != SideKind::File)?;
        // SAFETY: the offset is NULL or valid to read and write.
        let result = unsafe { libc::sendfile(self.destination.raw(), self.source.raw(), self.source.offset(), piece) };
        self.moved(result)
    }

    fn copy_file_range(&mut self) -> Attempt {
        let piece = self.piece(false, false)?;
        let (from, to) = (self.source.raw(), self.destination.raw());
        // SAFETY: the offsets are NULL or valid to read and write. By its number: older C libraries do not have it.
        let result = unsafe {
            libc::syscall(libc::SYS_copy_file_range, from, self.source.offset(), to, self.destination.offset(), piece, 0 as libc::c_uint)
        };
        self.moved(result as libc::ssize_t)
    }

    fn splice_twice(&mut self) -> Attempt {
        if !matches!(self.through, Some(Through::Pipe { .. })) {
            let (reader, writer) = private_pipe()?;
            self.through = Some(Through::Pipe { reader, writer });
        }
        if self.held == 0 {
            let piece = self.piece(true, true)?.min(BUFFER);
            let Some(Through::Pipe { writer, .. }) = &self.through else { return Err(Errno::EINVAL.into()) };
            let writer = writer.as_raw_fd();
            // The flag is for our pipe, which has room.
            let flags = libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK;
            // SAFETY: the offset is NULL or valid to read and write; a pipe has none.
            let result = unsafe { libc::splice(self.source.raw(), self.source.offset(), writer, std::ptr::null_mut(), piece, flags) };
            self.held = self.moved(result)?;
            if self.held == 0 {
                return Ok(0);
            }
        } else if !self.deadline.is_plain() && !self.destination.is_ready(libc::POLLOUT) {
            return Err(Errno::EAGAIN.into());
        }
        let Some(Through::Pipe { reader, .. }) = &self.through else { return Err(Errno::EINVAL.into()) };
        let (reader, held) = (reader.as_raw_fd(), self.held);
        let flags = libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK;
        // SAFETY: the offset is NULL or valid to read and write; a pipe has none.
        let result = unsafe { libc::splice(reader, std::ptr::null_mut(), self.destination.raw(), self.destination.offset(), held, flags) };
        let count = check(result)? as usize;
        self.held -= count;
        Ok(count)
    }

    fn read_write(&mut self) -> Attempt {
        if !matches!(self.through, Some(Through::Buffer { .. })) {
            self.through = Some(self.buffer(vec![0; BUFFER])?);
        }
        // The endpoints sleep themselves; what would be lost must have room before it is taken.
        if self.held == 0 && !self.deadline.is_plain() && !self.destination.is_ready(libc::POLLOUT) {
            self.deadline.ready(self.destination.descriptor, libc::POLLOUT)?;
        }
        let most = if self.deadline.is_plain() { self.left } else { self.left.min(self.destination.room()) };
        let Some(Through::Buffer { source, destination, bytes, first }) = &mut self.through else { return Err(Errno::EINVAL.into()) };
        if self.held == 0 {
            let room = &mut bytes[..most.min(BUFFER as u64) as usize];
            let count = match &mut self.source.offset {
                None => source.read_until(room, &mut self.deadline)?,
                Some(offset) => {
                    // SAFETY: the buffer is valid for writes of its length.
                    let count = unsafe { libc::pread(self.source.descriptor.as_raw_fd(), room.as_mut_ptr().cast(), room.len(), *offset) };
                    let count = check(count)? as usize;
                    *offset += count as libc::loff_t;
                    count
                }
            };
            self.left -= count as u64;
            self.held = count;
            *first = 0;
            if count == 0 {
                return Ok(0);
            }
        }
        let held = &bytes[*first..*first + self.held];
        let count = match &mut self.destination.offset {
            None => destination.write_until(&[IoSlice::new(held)], &mut self.deadline)?,
            Some(offset) => {
                // SAFETY: the bytes are valid for reads of their length.
                let count = unsafe { libc::pwrite(self.destination.descriptor.as_raw_fd(), held.as_ptr().cast(), held.len(), *offset) };
                let count = check(count)? as usize;
                *offset += count as libc::loff_t;
                count
            }
        };
        self.held -= count;
        *first += count;
        Ok(count)
    }

    #[cold]
    fn explain(&self, errno: Errno, way: TransferWay) -> Error {
        let error = Error::os(TRANSFER, errno);
        match errno {
            _ if is_refusal(errno) && way != TransferWay::ReadWrite => error.hint(format!("{} is not for this pair", way.name())),
            Errno::EPIPE => error.hint("nobody reads at the destination any more"),
            _ => error,
        }
    }
}

/// Whether the kernel does not take this call for this pair; another may do.
fn is_refusal(errno: Errno) -> bool {
    // EBADF: a file that is only appended to, to copy_file_range; EPERM, ENOSYS: a sandbox.
    matches!(
        errno,
        Errno::EINVAL | Errno::EXDEV | Errno::ESPIPE | Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EPERM | Errno::EBADF | Errno::ETXTBSY
    )
}

fn private_pipe() -> Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    // SAFETY: the array has room for the two descriptors.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }).during(TRANSFER)?;
    // SAFETY: the kernel has just given us these descriptors; nobody else owns them.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// Duplicates what is in a pipe into another, without taking it out: at least a byte, at most `length`. 0 is the end, or a length of 0.
///
/// The next call begins with the same byte again, unless somebody has read it meanwhile: so read, or [`transfer`], what was duplicated.
///
/// Errors: `EINVAL` for what is no pipe, or twice the same; `EPIPE`; `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]).
pub fn tee<'a>(source: impl AsFd, destination: impl AsFd, length: usize, wait: impl Into<Wait<'a>>) -> Result<usize> {
    const OPERATION: &str = "duplicate pipe";
    let (source, destination) = (source.as_fd(), destination.as_fd());
    attempt_on_pipe(OPERATION, wait.into(), Some(source), destination, |flags| {
        // SAFETY: tee takes integers.
        unsafe { libc::tee(source.as_raw_fd(), destination.as_raw_fd(), length.min(PIECE as usize), flags) }
    })
}

/// Lends bytes to a pipe instead of copying them into it: at least a byte; says how many. They never change, so that it does not matter when they are read.
///
/// Errors: `EBADF` for what is no pipe that can be written to; `EPIPE`; `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]).
pub fn vmsplice<'a>(pipe: impl AsFd, data: &'static [u8], wait: impl Into<Wait<'a>>) -> Result<usize> {
    // SAFETY: what is borrowed for ever does not change.
    unsafe { vmsplice_unchecked(pipe, data, wait) }
}

/// [`vmsplice`] of bytes that can change later. The pipe holds the *pages*: who reads sees what stands there then, also after the memory was given back
/// to an allocator and used for something else.
///
/// # Safety
/// The memory is neither changed nor freed until the bytes were read, and copied, at the other end. An empty pipe does not tell: who has spliced them on
/// still refers to the pages.
pub unsafe fn vmsplice_unchecked<'a>(pipe: impl AsFd, data: &[u8], wait: impl Into<Wait<'a>>) -> Result<usize> {
    const OPERATION: &str = "lend memory to pipe";
    if data.is_empty() {
        return Ok(0);
    }
    let pipe = pipe.as_fd();
    let part = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    attempt_on_pipe(OPERATION, wait.into(), None, pipe, |flags| {
        // SAFETY: the part is valid for reads; that it stays as it is is the caller's promise.
        unsafe { libc::vmsplice(pipe.as_raw_fd(), &part, 1, flags) }
    })
}

/// Repeats a call on pipes that takes `SPLICE_F_NONBLOCK`, as the wait says, and without SIGPIPE.
fn attempt_on_pipe(
    operation: &'static str,
    wait: Wait<'_>,
    source: Option<BorrowedFd<'_>>,
    destination: BorrowedFd<'_>,
    mut call: impl FnMut(libc::c_uint) -> libc::ssize_t,
) -> Result<usize> {
    let mut deadline = Deadline::new(operation, wait);
    let flags = if deadline.is_plain() { 0 } else { libc::SPLICE_F_NONBLOCK };
    let mut repeat = || loop {
        match check(call(flags)) {
            Ok(count) => return Ok(count as usize),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => match source.filter(|source| !is_ready(*source, libc::POLLIN)) {
                Some(source) => deadline.ready(source, libc::POLLIN)?,
                None if is_ready(destination, libc::POLLOUT) => deadline.pause()?,
                None => deadline.ready(destination, libc::POLLOUT)?,
            },
            Err(errno) => return Err(Error::os(operation, errno)),
        }
    };
    if endpoint::is_sigpipe_ignored() {
        return repeat();
    }
    endpoint::without_sigpipe(repeat, |_| false)
}
