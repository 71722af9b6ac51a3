//! Reading and writing a descriptor that carries bytes, with a deadline.
//!
//! The kernel has no read that takes a timeout. To poll first and then read is not enough: another reader may take the bytes in between, and the
//! read sleeps for ever; a write into a nearly full pipe sleeps even when poll says that there is room. So an attempt that must not sleep says so
//! itself: by `MSG_DONTWAIT` on a socket, by `RWF_NOWAIT` on a pipe, and where the kernel does not take that (before 6.4; any FIFO), through a
//! non-blocking description of our own. `O_NONBLOCK` is never set on the description that we were given: others may share it, and it would change under them.
//!
//! A writer whose reader is gone gets `EPIPE`, and no signal: `MSG_NOSIGNAL` on a socket, `RWF_NOSIGNAL` on a pipe (Linux 6.18); before that,
//! SIGPIPE is blocked for the thread around the write, and the one that the write has raised is taken back. A process that ignores SIGPIPE anyway
//! can say so ([`ignore_sigpipe`]) and write without that.
//!
//! [preadv2(2)](https://man7.org/linux/man-pages/man2/preadv2.2.html), [pipe(7)](https://man7.org/linux/man-pages/man7/pipe.7.html),
//! [send(2)](https://man7.org/linux/man-pages/man2/send.2.html)

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use libc::{c_int, c_short};
use nix::errno::Errno;

use crate::descriptor::{self, reopen};
use crate::error::{Context, Error, Failure, Result, check};
use crate::wait::{Deadline, PIECE, Wait, is_ready};
use crate::{name, socket};

/// The most buffers of one system call: `UIO_MAXIOV`.
const MOST_BUFFERS: usize = 1024;

const READ: &str = "read stream";
const READ_EXACTLY: &str = "read stream exactly";
const WRITE: &str = "write stream";
const WRITE_WHOLE: &str = "write stream whole";

/// Do not wait.
const RWF_NOWAIT: c_int = 0x8;
/// Do not raise SIGPIPE.
const RWF_NOSIGNAL: c_int = 0x100;

/// How the kernel wants to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A pipe or a FIFO.
    Pipe,
    Socket,
    /// A file or a terminal: `read` and `write` work on it, and only poll tells whether they would sleep.
    Other,
}

/// A descriptor that carries bytes.
#[derive(Debug)]
pub(crate) struct Endpoint {
    descriptor: OwnedFd,
    kind: Kind,
    /// A non-blocking description of the same pipe, where the kernel does not take `RWF_NOWAIT`; made when first needed.
    twin: OnceLock<OwnedFd>,
    /// How many reads with a limit still begin with poll, since an attempt has found nothing: a reader that waits for each message, as in a
    /// conversation, would begin each time with an attempt in vain.
    polls_first: AtomicU8,
    /// Whether it is a Unix socket, once somebody has asked: [`KNOWN`](Endpoint::KNOWN), and 1 for yes.
    unix: AtomicU8,
}

/// What one attempt in vain is worth. Where bytes always are there, as in a bulk transfer, no read begins with poll.
const POLLS_AFTER_VAIN_READ: u8 = 8;

impl Endpoint {
    pub(crate) fn new(descriptor: OwnedFd, kind: Kind) -> Endpoint {
        Endpoint { descriptor, kind, twin: OnceLock::new(), polls_first: AtomicU8::new(0), unix: AtomicU8::new(0) }
    }

    const KNOWN: u8 = 2;

    /// Whether it is a Unix socket: such carry descriptors.
    pub(crate) fn is_unix(&self) -> bool {
        let mut unix = self.unix.load(Ordering::Relaxed);
        if unix == 0 {
            let is_so = self.kind == Kind::Socket && socket::family(self.descriptor.as_fd()) == Ok(libc::AF_UNIX);
            unix = Endpoint::KNOWN | u8::from(is_so);
            self.unix.store(unix, Ordering::Relaxed);
        }
        unix == Endpoint::KNOWN | 1
    }

    /// Takes over any descriptor that carries bytes. What is refused is given back.
    pub(crate) fn adopt(descriptor: OwnedFd) -> std::result::Result<Endpoint, (OwnedFd, Error)> {
        let accepted = kind_of(descriptor.as_fd())
            .and_then(|kind| descriptor::close_on_exec(descriptor.as_fd()).during("adopt stream").map(|()| kind));
        match accepted {
            Ok(kind) => Ok(Endpoint::new(descriptor, kind)),
            Err(error) => Err((descriptor, error)),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn into_descriptor(self) -> OwnedFd {
        self.descriptor
    }

    /// Reads what there is, at least a byte; 0 is the end.
    #[inline]
    pub(crate) fn read(&self, buffer: &mut [u8], wait: Wait<'_>) -> Result<usize> {
        if wait.is_plain() && !buffer.is_empty() {
            let count = self.read_plainly(buffer);
            return if count >= 0 { Ok(count as usize) } else { self.read_after_failure(buffer, wait) };
        }
        self.read_vectored(&mut [IoSliceMut::new(buffer)], wait)
    }

    /// One blocking call, as the kernel answers it.
    #[inline]
    fn read_plainly(&self, buffer: &mut [u8]) -> isize {
        let (raw, start, length) = (self.descriptor.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len());
        if self.kind == Kind::Socket {
            // SAFETY: the buffer is valid for writes of its length.
            return unsafe { libc::recv(raw, start, length, 0) };
        }
        // SAFETY: as above.
        unsafe { libc::read(raw, start, length) }
    }

    /// Goes on after an attempt that was interrupted, or found the description non-blocking; gives any other errno.
    #[cold]
    fn read_after_failure(&self, buffer: &mut [u8], wait: Wait<'_>) -> Result<usize> {
        match Errno::last() {
            Errno::EINTR | Errno::EAGAIN => self.read_vectored(&mut [IoSliceMut::new(buffer)], wait),
            errno => Err(Error::os(READ, errno)),
        }
    }

    pub(crate) fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>], wait: Wait<'_>) -> Result<usize> {
        let count = buffers.len().min(MOST_BUFFERS);
        let buffers = &mut buffers[..count];
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Ok(0);
        }
        self.transfer(READ, wait, libc::POLLIN, |may_sleep| self.read_once(buffers, may_sleep))
    }

    /// Writes as much as there is room for, at least a byte.
    #[inline]
    pub(crate) fn write(&self, data: &[u8], wait: Wait<'_>) -> Result<usize> {
        if wait.is_plain() && !data.is_empty() && !NO_NOSIGNAL.load(Ordering::Relaxed) {
            let count = self.write_plainly(data);
            return if count >= 0 { Ok(count as usize) } else { self.write_after_failure(data, wait) };
        }
        self.write_vectored(&[IoSlice::new(data)], wait)
    }

    /// One blocking call, as the kernel answers it.
    #[inline]
    fn write_plainly(&self, data: &[u8]) -> isize {
        let (raw, start, length) = (self.descriptor.as_raw_fd(), data.as_ptr().cast(), data.len());
        if self.kind == Kind::Socket {
            // SAFETY: the data is valid for reads of its length.
            return unsafe { libc::send(raw, start, length, libc::MSG_NOSIGNAL) };
        }
        if self.kind == Kind::Other || IS_SIGPIPE_IGNORED.load(Ordering::Relaxed) {
            // SAFETY: as above.
            return unsafe { libc::write(raw, start, length) };
        }
        let part = libc::iovec { iov_base: start.cast_mut(), iov_len: length };
        // SAFETY: the iovec and what it refers to live through the call. Offset -1 is the current position, which a pipe does not have.
        unsafe { libc::pwritev2(raw, &part, 1, -1, RWF_NOSIGNAL) }
    }

    /// Goes on after an attempt that was interrupted, found the description non-blocking, or a kernel that does not know it; gives any other errno.
    #[cold]
    fn write_after_failure(&self, data: &[u8], wait: Wait<'_>) -> Result<usize> {
        match Errno::last() {
            errno if errno == Errno::EINTR || errno == Errno::EAGAIN || is_unknown(&Err(errno)) => {
                self.write_vectored(&[IoSlice::new(data)], wait)
            }
            errno => Err(Error::os(WRITE, errno)),
        }
    }

    pub(crate) fn write_vectored(&self, parts: &[IoSlice<'_>], wait: Wait<'_>) -> Result<usize> {
        let parts = &parts[..parts.len().min(MOST_BUFFERS)];
        if parts.iter().all(|part| part.is_empty()) {
            return Ok(0);
        }
        self.transfer(WRITE, wait, libc::POLLOUT, |may_sleep| self.write_once(parts, may_sleep))
    }

    /// [`read`](Endpoint::read) as a part of a longer call, in pieces: one call of the kernel goes on for as long as there is something to read.
    pub(crate) fn read_until(&self, buffer: &mut [u8], deadline: &mut Deadline<'_>) -> Result<usize> {
        let length = buffer.len().min(PIECE);
        let buffers = &mut [IoSliceMut::new(&mut buffer[..length])];
        deadline.look()?;
        let count = self.transfer_until(deadline, libc::POLLIN, |may_sleep| self.read_once(buffers, may_sleep))?;
        deadline.passed(count);
        Ok(count)
    }

    /// [`write_vectored`](Endpoint::write_vectored) as a part of a longer call.
    pub(crate) fn write_until(&self, parts: &[IoSlice<'_>], deadline: &mut Deadline<'_>) -> Result<usize> {
        deadline.look()?;
        let count = self.transfer_until(deadline, libc::POLLOUT, |may_sleep| self.write_once(parts, may_sleep))?;
        deadline.passed(count);
        Ok(count)
    }

    /// Fills the buffer. [`Failure::End`] if nothing comes any more, [`Failure::Truncated`] if the end comes in the middle.
    #[inline]
    pub(crate) fn read_exact(&self, buffer: &mut [u8], wait: Wait<'_>) -> Result<()> {
        if !wait.is_plain() || buffer.is_empty() {
            return self.read_rest(buffer, 0, wait);
        }
        // Mostly all of it comes at once.
        match self.read(buffer, wait) {
            Ok(count) if count == buffer.len() => Ok(()),
            Ok(0) => Err(Error::failure(READ_EXACTLY, Failure::End)),
            Ok(count) => self.read_rest(buffer, count, wait),
            Err(error) => Err(Error::new(READ_EXACTLY, error.reason())),
        }
    }

    #[cold]
    fn read_rest(&self, buffer: &mut [u8], mut done: usize, wait: Wait<'_>) -> Result<()> {
        let mut deadline = Deadline::new(READ_EXACTLY, wait);
        while done < buffer.len() {
            match self.read_until(&mut buffer[done..], &mut deadline) {
                Ok(0) if done == 0 => return Err(Error::failure(READ_EXACTLY, Failure::End)),
                Ok(0) => {
                    let remedy = format!("{done} of {} bytes came", buffer.len());
                    return Err(Error::failure(READ_EXACTLY, Failure::Truncated).hint(remedy).after(done));
                }
                Ok(count) => done += count,
                Err(error) => return Err(error.after(done)),
            }
        }
        Ok(())
    }

    /// Writes everything; an error says how much went out before it.
    #[inline]
    pub(crate) fn write_all(&self, data: &[u8], wait: Wait<'_>) -> Result<()> {
        if !wait.is_plain() || data.is_empty() {
            return self.write_rest(data, 0, wait);
        }
        // Mostly there is room for all of it.
        match self.write(data, wait) {
            Ok(count) if count == data.len() => Ok(()),
            Ok(count) => self.write_rest(data, count, wait),
            Err(error) => Err(Error::new(WRITE_WHOLE, error.reason())),
        }
    }

    #[cold]
    fn write_rest(&self, data: &[u8], mut done: usize, wait: Wait<'_>) -> Result<()> {
        let mut deadline = Deadline::new(WRITE_WHOLE, wait);
        while done < data.len() {
            let attempt = self.write_until(&[piece(&data[done..])], &mut deadline);
            done += attempt.map_err(|error| error.after(done))?;
        }
        Ok(())
    }

    /// Ends one direction or both of a socket. `EOPNOTSUPP` for a pipe: close its end instead.
    pub(crate) fn shutdown(&self, how: std::net::Shutdown) -> Result<()> {
        const OPERATION: &str = "shut stream down";
        if self.kind != Kind::Socket {
            return Err(Error::os(OPERATION, Errno::EOPNOTSUPP).hint("a pipe has one direction: close its end"));
        }
        let how = match how {
            std::net::Shutdown::Read => libc::SHUT_RD,
            std::net::Shutdown::Write => libc::SHUT_WR,
            std::net::Shutdown::Both => libc::SHUT_RDWR,
        };
        // SAFETY: shutdown takes integers.
        check(unsafe { libc::shutdown(self.descriptor.as_raw_fd(), how) }).during(OPERATION)?;
        Ok(())
    }

    #[inline]
    fn transfer(
        &self,
        operation: &'static str,
        wait: Wait<'_>,
        events: c_short,
        attempt: impl FnMut(bool) -> std::result::Result<usize, Errno>,
    ) -> Result<usize> {
        self.transfer_until(&mut Deadline::new(operation, wait), events, attempt)
    }

    /// Attempts, and sleeps in poll while the attempt would; in the plain case the attempt itself sleeps.
    #[inline]
    fn transfer_until(
        &self,
        deadline: &mut Deadline<'_>,
        events: c_short,
        mut attempt: impl FnMut(bool) -> std::result::Result<usize, Errno>,
    ) -> Result<usize> {
        let may_sleep = deadline.is_plain();
        if !may_sleep && events == libc::POLLIN && self.takes_poll_first() && !deadline.never_waits() {
            deadline.ready(self.as_fd(), events)?;
        }
        loop {
            match attempt(may_sleep) {
                Ok(count) => return Ok(count),
                Err(Errno::EINTR) => {}
                // Also in the plain case, if somebody has made the description non-blocking.
                Err(Errno::EAGAIN) => {
                    if events == libc::POLLIN {
                        self.polls_first.store(POLLS_AFTER_VAIN_READ, Ordering::Relaxed);
                    }
                    deadline.ready(self.as_fd(), events)?;
                }
                Err(errno) => return Err(Error::os(deadline.operation(), errno)),
            }
        }
    }

    fn takes_poll_first(&self) -> bool {
        let left = self.polls_first.load(Ordering::Relaxed);
        if left == 0 {
            return false;
        }
        // Two readers at once may count one too few, which does not matter.
        self.polls_first.store(left - 1, Ordering::Relaxed);
        true
    }

    #[inline]
    fn read_once(&self, buffers: &mut [IoSliceMut<'_>], may_sleep: bool) -> std::result::Result<usize, Errno> {
        let vectors: *mut libc::iovec = buffers.as_mut_ptr().cast();
        let raw = self.descriptor.as_raw_fd();
        if self.kind == Kind::Socket {
            let flags = if may_sleep { 0 } else { libc::MSG_DONTWAIT };
            if let [buffer] = buffers {
                // SAFETY: the buffer is valid for writes of its length.
                return size(unsafe { libc::recv(raw, buffer.as_mut_ptr().cast(), buffer.len(), flags) });
            }
            let mut message = message(vectors, buffers.len());
            // SAFETY: the message refers to buffers that are valid for writes and live through the call; no address or control data is asked for.
            return size(unsafe { libc::recvmsg(raw, &mut message, flags) });
        }
        if may_sleep || self.is_other_and_ready(libc::POLLIN)? {
            if let [buffer] = buffers {
                // SAFETY: the buffer is valid for writes of its length.
                return size(unsafe { libc::read(raw, buffer.as_mut_ptr().cast(), buffer.len()) });
            }
            // SAFETY: an IoSliceMut has the layout of an iovec; the buffers are valid for writes.
            return size(unsafe { libc::readv(raw, vectors, buffers.len() as c_int) });
        }
        if self.twin.get().is_none() {
            // SAFETY: as above. Offset -1 is the current position, which a pipe does not have.
            let result = size(unsafe { libc::preadv2(raw, vectors, buffers.len() as c_int, -1, RWF_NOWAIT) });
            if !is_unknown(&result) {
                return result;
            }
        }
        let target = match self.twin() {
            Ok(twin) => twin,
            Err(_) if is_ready(self.as_fd(), libc::POLLIN) => raw,
            Err(_) => return Err(Errno::EAGAIN),
        };
        // SAFETY: as above.
        size(unsafe { libc::readv(target, vectors, buffers.len() as c_int) })
    }

    #[inline]
    fn write_once(&self, parts: &[IoSlice<'_>], may_sleep: bool) -> std::result::Result<usize, Errno> {
        let vectors: *const libc::iovec = parts.as_ptr().cast();
        let raw = self.descriptor.as_raw_fd();
        if self.kind == Kind::Socket {
            let flags = libc::MSG_NOSIGNAL | if may_sleep { 0 } else { libc::MSG_DONTWAIT };
            if let [part] = parts {
                // SAFETY: the data is valid for reads of its length.
                return size(unsafe { libc::send(raw, part.as_ptr().cast(), part.len(), flags) });
            }
            let message = message(vectors.cast_mut(), parts.len());
            // SAFETY: the message refers to data that is valid for reads and lives through the call.
            return size(unsafe { libc::sendmsg(raw, &message, flags) });
        }
        if self.kind == Kind::Other {
            if !may_sleep {
                self.is_other_and_ready(libc::POLLOUT)?;
            }
            // SAFETY: an IoSlice has the layout of an iovec; the data is valid for reads. Only pipes and sockets raise SIGPIPE.
            return size(unsafe { libc::writev(raw, vectors, parts.len() as c_int) });
        }
        if may_sleep {
            return write_pipe(raw, parts, 0);
        }
        if self.twin.get().is_none() {
            let result = write_pipe(raw, parts, RWF_NOWAIT);
            if !is_unknown(&result) {
                return result;
            }
        }
        match self.twin() {
            Ok(twin) => write_pipe(twin, parts, 0),
            Err(_) if is_ready(self.as_fd(), libc::POLLOUT) => write_pipe_in_small(raw, parts),
            Err(_) => Err(Errno::EAGAIN),
        }
    }

    /// Whether a plain call will do since poll has been asked; EAGAIN if poll says no.
    #[inline]
    fn is_other_and_ready(&self, events: c_short) -> std::result::Result<bool, Errno> {
        match self.kind {
            Kind::Other if is_ready(self.as_fd(), events) => Ok(true),
            Kind::Other => Err(Errno::EAGAIN),
            Kind::Pipe | Kind::Socket => Ok(false),
        }
    }

    /// A non-blocking description of our own for the same pipe.
    ///
    /// It cannot be had without /proc, without a free descriptor, or when our rights are no longer those that the pipe was opened with. Then poll is
    /// asked before each call, which is as good unless another process uses the same end.
    #[cold]
    fn twin(&self) -> std::result::Result<c_int, Errno> {
        if let Some(twin) = self.twin.get() {
            return Ok(twin.as_raw_fd());
        }
        let access = descriptor::access_mode(self.as_fd())?;
        let fresh = reopen(self.as_fd(), access | libc::O_NONBLOCK)?;
        Ok(self.twin.get_or_init(|| fresh).as_raw_fd())
    }
}

impl AsFd for Endpoint {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Whether [`ignore_sigpipe`] has been called.
static IS_SIGPIPE_IGNORED: AtomicBool = AtomicBool::new(false);

/// Ignores SIGPIPE in the whole process from now on, as most servers do; the programs that it starts begin with it ignored, too.
///
/// No writer needs it here: a write to a pipe whose reader is gone is `EPIPE` in any case. But the kernel's write that raises no signal takes a
/// list of buffers, which costs 0.1 µs more than the plain one; a process that has called this writes plainly. Whoever changes the disposition
/// of SIGPIPE afterwards has writes that raise it.
///
/// [sigaction(2)](https://man7.org/linux/man-pages/man2/sigaction.2.html)
pub fn ignore_sigpipe() -> Result<()> {
    // SAFETY: an action of zero bytes has no flags and an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = libc::SIG_IGN;
    // SAFETY: the action is valid; the former one is not asked for.
    check(unsafe { libc::sigaction(libc::SIGPIPE, &action, std::ptr::null_mut()) }).during("ignore SIGPIPE")?;
    IS_SIGPIPE_IGNORED.store(true, Ordering::Relaxed);
    Ok(())
}

/// Whether the process has said that it ignores SIGPIPE.
pub(super) fn is_sigpipe_ignored() -> bool {
    IS_SIGPIPE_IGNORED.load(Ordering::Relaxed)
}

/// Whether the kernel does not know `RWF_NOSIGNAL`.
static NO_NOSIGNAL: AtomicBool = AtomicBool::new(false);

/// Whether the answer is about the flags, not about the pipe: an unknown flag is EOPNOTSUPP, an unknown or forbidden system call ENOSYS or EPERM.
///
/// A FIFO does not take `RWF_NOWAIT` where an anonymous pipe does, so what one descriptor answers says nothing about another.
fn is_unknown(result: &std::result::Result<usize, Errno>) -> bool {
    matches!(result, Err(Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EPERM | Errno::EINVAL | Errno::ESPIPE))
}

/// Writes to a pipe with these flags, and without SIGPIPE.
#[inline]
fn write_pipe(raw: c_int, parts: &[IoSlice<'_>], flags: c_int) -> std::result::Result<usize, Errno> {
    let (vectors, count): (*const libc::iovec, _) = (parts.as_ptr().cast(), parts.len() as c_int);
    if NO_NOSIGNAL.load(Ordering::Relaxed) {
        return write_pipe_quietly(raw, parts, flags);
    }
    // SAFETY: an IoSlice has the layout of an iovec; the data is valid for reads. Offset -1 is the current position, which a pipe does not have.
    let result = size(unsafe { libc::pwritev2(raw, vectors, count, -1, flags | RWF_NOSIGNAL) });
    if !is_unknown(&result) {
        return result;
    }
    let result = write_pipe_quietly(raw, parts, flags);
    if !is_unknown(&result) {
        // The other flags were fine, so it was this one.
        NO_NOSIGNAL.store(true, Ordering::Relaxed);
    }
    result
}

/// [`write_pipe`] where the kernel cannot leave the signal out.
#[cold]
fn write_pipe_quietly(raw: c_int, parts: &[IoSlice<'_>], flags: c_int) -> std::result::Result<usize, Errno> {
    let (vectors, count): (*const libc::iovec, _) = (parts.as_ptr().cast(), parts.len() as c_int);
    let write = || match flags {
        // SAFETY: as in `write_pipe`.
        0 => size(unsafe { libc::writev(raw, vectors, count) }),
        // SAFETY: as in `write_pipe`.
        flags => size(unsafe { libc::pwritev2(raw, vectors, count, -1, flags) }),
    };
    let length = parts.iter().map(|part| part.len()).sum();
    // What was written whole met a reader all the time.
    without_sigpipe(write, |written| *written == Ok(length))
}

/// Writes so little that a pipe which poll calls ready takes it without sleeping: `PIPE_BUF` bytes.
#[cold]
fn write_pipe_in_small(raw: c_int, parts: &[IoSlice<'_>]) -> std::result::Result<usize, Errno> {
    if parts.iter().map(|part| part.len()).sum::<usize>() <= libc::PIPE_BUF {
        return write_pipe(raw, parts, 0);
    }
    let first = parts.iter().find(|part| !part.is_empty()).map_or(&[][..], |part| part);
    write_pipe(raw, &[IoSlice::new(&first[..first.len().min(libc::PIPE_BUF)])], 0)
}

/// What a call of the kernel is given of data that may be long.
pub(crate) fn piece(data: &[u8]) -> IoSlice<'_> {
    IoSlice::new(&data[..data.len().min(PIECE)])
}

#[inline]
fn size(result: libc::ssize_t) -> std::result::Result<usize, Errno> {
    check(result).map(|size| size as usize)
}

fn message(vectors: *mut libc::iovec, count: usize) -> libc::msghdr {
    // SAFETY: a msghdr of zero bytes is one without address, buffers and control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = vectors;
    message.msg_iovlen = count as _;
    message
}

/// Runs writes with SIGPIPE blocked for this thread, and takes back the one that they raise. One that was pending before stays.
///
/// Also a write that reports a part of the bytes may have raised it, if the reader went in the middle; `is_quiet` tells which outcomes surely did not.
#[cold]
pub(super) fn without_sigpipe<T>(write: impl FnOnce() -> T, is_quiet: impl FnOnce(&T) -> bool) -> T {
    // SAFETY: the sets are local and initialised before use; the thread's mask is put back as it was.
    unsafe {
        let mut pipe = std::mem::zeroed();
        let mut before = std::mem::zeroed();
        libc::sigemptyset(&mut pipe);
        libc::sigaddset(&mut pipe, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &pipe, &mut before);
        // Only one that is blocked stays pending.
        let was_blocked = libc::sigismember(&before, libc::SIGPIPE) == 1;
        let was_pending = was_blocked && {
            let mut pending = std::mem::zeroed();
            libc::sigpending(&mut pending);
            libc::sigismember(&pending, libc::SIGPIPE) == 1
        };
        let result = write();
        if !was_pending && !is_quiet(&result) {
            let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            while libc::sigtimedwait(&pipe, std::ptr::null_mut(), &at_once) == -1 && Errno::last() == Errno::EINTR {}
        }
        if !was_blocked {
            libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        }
        result
    }
}

/// What an adopted descriptor is: a stream socket, or something that `read` and `write` work on.
fn kind_of(descriptor: BorrowedFd<'_>) -> Result<Kind> {
    const OPERATION: &str = "adopt stream";
    let status = descriptor::status(descriptor).during(OPERATION)?;
    match name::kind(&status) {
        libc::S_IFIFO => Ok(Kind::Pipe),
        libc::S_IFCHR | libc::S_IFREG => Ok(Kind::Other),
        libc::S_IFSOCK => {
            crate::socket::require_stream(OPERATION, descriptor, false)?;
            Ok(Kind::Socket)
        }
        _ => Err(name::wrong_kind(OPERATION, &descriptor.as_raw_fd().to_string(), "a stream", &status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signal_of_a_write_that_did_a_part_is_taken_back() {
        // SAFETY: the sets are local and initialised before use; the mask is this thread's.
        unsafe {
            let (mut pipe, mut pending) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigemptyset(&mut pipe);
            libc::sigaddset(&mut pipe, libc::SIGPIPE);
            libc::pthread_sigmask(libc::SIG_BLOCK, &pipe, std::ptr::null_mut());
            let write = || libc::pthread_kill(libc::pthread_self(), libc::SIGPIPE);
            for (is_quiet, stays) in [(false, 0), (true, 1), (false, 1)] {
                assert_eq!(without_sigpipe(write, |_| is_quiet), 0);
                libc::sigpending(&mut pending);
                assert_eq!(libc::sigismember(&pending, libc::SIGPIPE), stays);
            }
        }
    }
}
