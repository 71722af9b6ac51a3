//! Many reads and writes handed to the kernel at once: io_uring.
//!
//! A program puts operations together, submits them in one system call, and is told as each completes, in whatever order that is. Nothing has to be ready
//! before: what would have to wait waits in the kernel. So one thread keeps a thousand pipes and sockets busy for a handful of system calls.
//!
//! The race is over the buffer: until an operation has completed, the kernel writes into it at any moment, also after whoever has submitted it has given
//! up. So the buffer belongs to the [`Ring`] from [`submit`](Ring::submit) on, and comes back with the completion, never earlier; dropping the ring cancels what
//! is in flight and waits for it. The second race is over order: two writes to one stream that are in flight together may be done in either order,
//! or in pieces of each. The correct order is one read and one write at a time for each stream, the next submitted when the last has completed.
//!
//! Not every machine has it: kernels are built without it, the sysctl kernel.io_uring_disabled turns it off, and most sandboxes refuse it.
//! [`Ring::available`] says which; then plain reads and writes and a [`Poller`](super::Poller) do the same for more system calls.
//!
//! A write whose reader is gone is `EPIPE` and raises no SIGPIPE: sockets are sent to with `MSG_NOSIGNAL`, pipes written with `RWF_NOSIGNAL`, and before Linux 6.18
//! by a thread of the kernel, which no signal reaches.
//!
//! [io_uring(7)](https://man7.org/linux/man-pages/man7/io_uring.7.html)

use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::OnceLock;
use std::time::Duration;

use io_uring::{IoUring, Probe, opcode, squeue, types};
use nix::errno::Errno;

use crate::descriptor;
use crate::error::{Error, Failure, Result};
use crate::name;
use crate::process::Birth;
use crate::wait::{Deadline, Wait};

const CREATE: &str = "create ring";
const SUBMIT: &str = "submit to ring";

/// The most operations that a ring has room for.
const LARGEST: usize = 1 << 15;
/// The most bytes that the kernel moves in one operation.
const MOST: usize = 0x7fff_f000;
/// Marks what completes for nobody.
const NOBODY: u64 = u64::MAX;
/// Do not raise SIGPIPE.
const RWF_NOSIGNAL: i32 = 0x100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Read,
    Write,
}

impl Direction {
    fn operation(self) -> &'static str {
        match self {
            Direction::Read => "read through ring",
            Direction::Write => "write through ring",
        }
    }
}

/// A read or write that is to be submitted.
#[derive(Debug)]
pub struct Operation<'a> {
    direction: Direction,
    descriptor: BorrowedFd<'a>,
    buffer: Vec<u8>,
    token: u64,
    offset: u64,
}

impl<'a> Operation<'a> {
    /// Reads what there is, at least a byte or the end, and up to the capacity of `buffer`, whose contents are replaced.
    pub fn read(descriptor: &'a impl AsFd, buffer: Vec<u8>, token: u64) -> Operation<'a> {
        Operation { direction: Direction::Read, descriptor: descriptor.as_fd(), buffer, token, offset: u64::MAX }
    }

    /// Writes bytes, as many as there is room for, at least one.
    pub fn write(descriptor: &'a impl AsFd, bytes: Vec<u8>, token: u64) -> Operation<'a> {
        Operation { direction: Direction::Write, descriptor: descriptor.as_fd(), buffer: bytes, token, offset: u64::MAX }
    }

    /// At this place in a file, whose position stays; otherwise at its position, which moves.
    pub fn at(mut self, offset: u64) -> Operation<'a> {
        self.offset = offset;
        self
    }

    /// The buffer, of an operation that was not submitted.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}

/// What has become of an operation.
#[derive(Debug)]
pub struct Completion {
    /// What the operation was given.
    pub token: u64,
    /// How many bytes were read or written; of a read, 0 is the end. `ECANCELED` if it was cancelled, or its turn came when the thread that has
    /// submitted it had ended.
    pub result: Result<usize>,
    /// The buffer: of a read, what was read; of a write, what was to be written.
    pub buffer: Vec<u8>,
}

/// What the kernel is working on.
#[derive(Debug)]
struct Slot {
    direction: Direction,
    token: u64,
    buffer: Vec<u8>,
}

impl Slot {
    fn complete(mut self, result: i32) -> Completion {
        let result = match usize::try_from(result) {
            Ok(count) => {
                if self.direction == Direction::Read {
                    // SAFETY: the kernel has written so many bytes, and was given no more room than the capacity.
                    unsafe { self.buffer.set_len(count) };
                }
                Ok(count)
            }
            // Interrupted by nothing but a cancellation.
            Err(_) if result == -libc::EINTR => Err(Error::os(self.direction.operation(), Errno::ECANCELED)),
            Err(_) => Err(Error::os(self.direction.operation(), Errno::from_raw(-result))),
        };
        Completion { token: self.token, result, buffer: self.buffer }
    }
}

/// Operations in flight. It costs one descriptor and, for each operation that there is room for, about 100 bytes. It may go to another thread; one at a
/// time uses it. A child made by `fork` gets [`Failure::Forked`] and makes its own.
///
/// ```
/// use unipc::event::{Operation, Ring};
/// use unipc::stream::pipe;
/// if let Err(why) = Ring::available() {
///     println!("{why}");
///     return Ok(());
/// }
/// let mut ring = Ring::new(16)?;
/// let (reader, writer) = pipe()?;
/// ring.submit(&mut vec![
///     Operation::read(&reader, Vec::with_capacity(100), 1),
///     Operation::write(&writer, b"hello".to_vec(), 2),
/// ])?;
/// while ring.in_flight() > 0 {
///     for done in ring.wait(16, None)? {
///         assert_eq!((done.result?, done.buffer), (5, b"hello".to_vec()));
///     }
/// }
/// # Ok::<(), unipc::Error>(())
/// ```
pub struct Ring {
    ring: IoUring,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    /// What the kernel has not taken when it began to refuse.
    failed: VecDeque<Completion>,
    /// Why the kernel takes nothing any more: a sandbox that was entered since.
    refused: Option<Errno>,
    /// Pipes are written without a signal on demand; otherwise by a thread of the kernel.
    knows_nosignal: bool,
    birth: Birth,
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Ring({} of {} in flight)", self.slots.len() - self.free.len(), self.slots.len())
    }
}

impl Ring {
    /// Whether this machine has io_uring, by trying it. [`Failure::Unavailable`] says why not, and what would help; others are errors of [`Ring::new`].
    pub fn available() -> Result<()> {
        let mut ring = Ring::new(1)?;
        // SAFETY: it does nothing, so it needs nothing.
        let pushed = unsafe { ring.ring.submission().push(&opcode::Nop::new().build().user_data(NOBODY)) };
        debug_assert!(pushed.is_ok());
        ring.enter(1).map_err(|errno| explain("use ring", errno))
    }

    /// Makes a ring with room for so many operations in flight, 1 to 32768.
    ///
    /// Errors: [`Failure::Unavailable`] if the kernel has none, or will not give us one; `EINVAL`: capacity; `EMFILE`, `ENFILE`; `ENOMEM`: memory, and before Linux
    /// 5.12 `RLIMIT_MEMLOCK`.
    pub fn new(capacity: usize) -> Result<Ring> {
        if !(1..=LARGEST).contains(&capacity) {
            return Err(Error::os(CREATE, Errno::EINVAL).hint(format!("a ring has room for 1 to {LARGEST} operations")));
        }
        // Not more than LARGEST, so that it fits.
        let ring = IoUring::new(capacity as u32).map_err(|error| explain(CREATE, errno_of(&error)))?;
        check_operations(&ring)?;
        Ok(Ring {
            ring,
            slots: (0..capacity).map(|_| None).collect(),
            free: (0..capacity).rev().collect(),
            failed: VecDeque::new(),
            refused: None,
            knows_nosignal: knows_nosignal(),
            birth: Birth::now(),
        })
    }

    /// How many operations there is room for.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// How many operations were submitted and not told yet.
    pub fn in_flight(&self) -> usize {
        self.slots.len() - self.free.len() + self.failed.len()
    }

    /// Submits operations, all or none: those that are submitted leave the list. The descriptors may be closed afterwards.
    ///
    /// What is wrong with a descriptor, its completion tells. An operation on a description that does not block (`O_NONBLOCK`) does not wait: it completes
    /// with `EAGAIN`. Errors: `EAGAIN` while there is no room for all; [`Failure::Unavailable`] if a sandbox was entered since that refuses it;
    /// [`Failure::Forked`].
    pub fn submit(&mut self, operations: &mut Vec<Operation<'_>>) -> Result<()> {
        self.birth.check(SUBMIT)?;
        if let Some(errno) = self.refused {
            return Err(explain(SUBMIT, errno));
        }
        if operations.len() > self.capacity() - self.in_flight() {
            let (room, flying) = (self.capacity(), self.in_flight());
            return Err(
                Error::os(SUBMIT, Errno::EAGAIN).hint(format!("the ring has room for {room} operations, and {flying} are in flight"))
            );
        }
        let mut taken = Vec::with_capacity(operations.len());
        for operation in operations.drain(..) {
            let Some(index) = self.free.pop() else { break };
            let entry = self.entry(operation, index);
            // SAFETY: the buffer stays where it is until the operation has completed: the slot owns it. The descriptor is borrowed until the kernel
            // has taken the operation, or never will. There is room: the queue is as long as there are slots, and empty between calls.
            let pushed = unsafe { self.ring.submission().push(&entry) };
            debug_assert!(pushed.is_ok());
            taken.push(index);
        }
        if let Err(errno) = self.enter(0) {
            self.refused = Some(errno);
            let left = self.ring.submission().len();
            for index in taken.split_off(taken.len() - left) {
                self.free.push(index);
                self.failed.extend(self.slots[index].take().map(|slot| slot.complete(-(errno as i32))));
            }
        }
        Ok(())
    }

    fn entry(&mut self, operation: Operation<'_>, index: usize) -> squeue::Entry {
        let Operation { direction, descriptor, mut buffer, token, offset } = operation;
        let raw = types::Fd(descriptor.as_raw_fd());
        let entry = match direction {
            Direction::Read => {
                buffer.clear();
                let room = buffer.capacity().min(MOST) as u32;
                opcode::Read::new(raw, buffer.as_mut_ptr(), room).offset(offset).build()
            }
            Direction::Write => {
                let (start, length) = (buffer.as_ptr(), buffer.len().min(MOST) as u32);
                let kind = descriptor::status(descriptor).map(|status| name::kind(&status)).unwrap_or(0);
                let write = opcode::Write::new(raw, start, length).offset(offset);
                match kind {
                    libc::S_IFSOCK => opcode::Send::new(raw, start, length).flags(libc::MSG_NOSIGNAL).build(),
                    libc::S_IFIFO if self.knows_nosignal => write.rw_flags(RWF_NOSIGNAL).build(),
                    libc::S_IFIFO => write.build().flags(squeue::Flags::ASYNC),
                    _ => write.build(),
                }
            }
        };
        self.slots[index] = Some(Slot { direction, token, buffer });
        entry.user_data(index as u64)
    }

    /// Has the kernel take what is in the queue, and wait for so many completions.
    fn enter(&mut self, wanted: usize) -> std::result::Result<(), Errno> {
        let mut patience = 1000;
        loop {
            let result = self.ring.submit_and_wait(wanted).map_err(|error| errno_of(&error));
            let is_empty = self.ring.submission().is_empty();
            match result {
                Ok(_) | Err(Errno::EINTR) if is_empty => return Ok(()),
                Ok(_) | Err(Errno::EINTR) => {}
                // Short of memory, for a moment.
                Err(Errno::EAGAIN | Errno::EBUSY | Errno::ENOMEM) if patience > 0 => {
                    patience -= 1;
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Waits until something has completed, and gives that, at most `limit`. With nothing in flight it gives an empty list at once.
    ///
    /// A time that is up cancels nothing. Errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]); `EINVAL`: a limit of 0; [`Failure::Forked`].
    pub fn wait<'a>(&mut self, limit: usize, wait: impl Into<Wait<'a>>) -> Result<Vec<Completion>> {
        const OPERATION: &str = "wait for ring";
        self.birth.check(OPERATION)?;
        if limit == 0 {
            return Err(Error::os(OPERATION, Errno::EINVAL).hint("there is room for one completion at least"));
        }
        let mut deadline = Deadline::new(OPERATION, wait);
        let mut found = Vec::new();
        loop {
            self.harvest(limit, &mut found);
            if !found.is_empty() || self.in_flight() == 0 {
                return Ok(found);
            }
            deadline.ready(self.ring_descriptor(), libc::POLLIN)?;
        }
    }

    fn harvest(&mut self, limit: usize, found: &mut Vec<Completion>) {
        let wanted = limit.min(self.failed.len());
        found.extend(self.failed.drain(..wanted));
        // Not after a refusal: what stands in the queue then refers to buffers that were given back.
        if self.refused.is_none() && self.ring.submission().cq_overflow() {
            // The kernel keeps them, and puts them where they are seen when it is entered.
            let _ = self.ring.submit();
        }
        let mut queue = self.ring.completion();
        while found.len() < limit {
            let Some(entry) = queue.next() else { break };
            // Of a cancellation nobody is told.
            let Ok(index) = usize::try_from(entry.user_data()) else { continue };
            let Some(slot) = self.slots.get_mut(index).and_then(Option::take) else { continue };
            self.free.push(index);
            found.push(slot.complete(entry.result()));
        }
    }

    /// Asks the kernel to cancel the operations with this token. Each completes all the same: with `ECANCELED`, or as if nothing had been asked.
    /// Gives how many there are in flight.
    ///
    /// Errors: [`Failure::Unavailable`], [`Failure::Forked`].
    pub fn cancel(&mut self, token: u64) -> Result<usize> {
        const OPERATION: &str = "cancel in ring";
        self.birth.check(OPERATION)?;
        if let Some(errno) = self.refused {
            return Err(explain(OPERATION, errno));
        }
        self.cancel_if(|slot| slot.token == token).map_err(|errno| explain(OPERATION, errno))
    }

    fn cancel_if(&mut self, is_meant: impl Fn(&Slot) -> bool) -> std::result::Result<usize, Errno> {
        let mut count = 0;
        for (index, _) in self.slots.iter().enumerate().filter(|(_, slot)| slot.as_ref().is_some_and(&is_meant)) {
            let entry = opcode::AsyncCancel::new(index as u64).build().user_data(NOBODY);
            // SAFETY: it refers to no memory. There is room, as there is for an operation of each slot.
            let pushed = unsafe { self.ring.submission().push(&entry) };
            debug_assert!(pushed.is_ok());
            count += 1;
        }
        let entered = if count > 0 { self.enter(0) } else { Ok(()) };
        if let Err(errno) = entered {
            self.refused = Some(errno);
            return Err(errno);
        }
        Ok(count)
    }

    fn ring_descriptor(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is open as long as the ring is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.ring.as_raw_fd()) }
    }

    /// Cancels all, and waits until the kernel has let go of every buffer; whether it has.
    fn land(&mut self) -> bool {
        if self.free.len() < self.slots.len() && (self.refused.is_some() || self.cancel_if(|_| true).is_err()) {
            return false;
        }
        let mut found = Vec::new();
        loop {
            self.harvest(usize::MAX, &mut found);
            found.clear();
            if self.free.len() == self.slots.len() {
                return true;
            }
            if self.enter(1).is_err() {
                return false;
            }
        }
    }
}

impl AsFd for Ring {
    /// Readable while something has completed that [`wait`](Ring::wait) has not told, for a poller.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring_descriptor()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // What a child has are copies, which its parent's kernel does not know.
        if self.birth.check(SUBMIT).is_ok() && !self.land() {
            // The kernel may write to them for as long as it likes.
            self.slots.drain(..).flatten().for_each(|slot| std::mem::forget(slot.buffer));
        }
    }
}

/// Whether the kernel knows the operations that are submitted: rings are there since Linux 5.1, these since 5.6, which is also since when it tells.
fn check_operations(ring: &IoUring) -> Result<()> {
    let mut probe = Probe::new();
    let is_missing = match ring.submitter().register_probe(&mut probe).map_err(|error| errno_of(&error)) {
        Ok(()) => [opcode::Read::CODE, opcode::Write::CODE, opcode::Send::CODE, opcode::AsyncCancel::CODE]
            .into_iter()
            .any(|operation| !probe.is_supported(operation)),
        // A sandbox refuses the question alone.
        Err(errno) => errno == Errno::EINVAL,
    };
    if is_missing {
        let hint = "the io_uring of this kernel cannot read and write by itself, as since Linux 5.6: use plain reads and writes";
        return Err(Error::failure(CREATE, Failure::Unavailable).hint(hint));
    }
    Ok(())
}

fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

/// Whether pipes are written without a signal on demand: io_uring knows the flags that `pwritev2` knows.
fn knows_nosignal() -> bool {
    static KNOWS: OnceLock<bool> = OnceLock::new();
    *KNOWS.get_or_init(|| {
        let Ok((_reader, writer)) = crate::stream::pipe() else { return false };
        let part = libc::iovec { iov_base: [0u8].as_mut_ptr().cast(), iov_len: 1 };
        // SAFETY: the byte lives through the call. Offset -1 is the current position, which a pipe does not have.
        unsafe { libc::pwritev2(writer.as_fd().as_raw_fd(), &part, 1, -1, RWF_NOSIGNAL) == 1 }
    })
}

#[cold]
fn explain(operation: &'static str, errno: Errno) -> Error {
    let unavailable = Error::failure(operation, Failure::Unavailable);
    match errno {
        Errno::ENOSYS => unavailable.hint("this kernel has no io_uring, or a sandbox hides it: use plain reads and writes"),
        Errno::EPERM | Errno::EACCES => {
            let sysctl = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
            match sysctl.trim() {
                level @ ("1" | "2") => {
                    unavailable.hint(format!("the sysctl kernel.io_uring_disabled is {level}: use plain reads and writes"))
                }
                _ => unavailable.hint("a sandbox (seccomp) refuses io_uring: use plain reads and writes"),
            }
        }
        Errno::ENOMEM => Error::os(operation, errno).hint("before Linux 5.12 a ring counts against RLIMIT_MEMLOCK"),
        _ => Error::os(operation, errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::pipe;

    /// As before Linux 6.18: a thread of the kernel writes.
    #[test]
    fn an_older_kernel_writes_to_pipes_without_a_signal_too() {
        if let Err(why) = Ring::available() {
            println!("{why}");
            return;
        }
        let mut ring = Ring::new(4).unwrap();
        ring.knows_nosignal = false;
        // SAFETY: the default disposition, under which the signal kills; nothing here relies on another.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let (reader, writer) = pipe().unwrap();
        ring.submit(&mut vec![Operation::write(&writer, b"heard".to_vec(), 1)]).unwrap();
        assert_eq!(ring.wait(1, Duration::from_secs(20)).unwrap()[0].result.clone().unwrap(), 5);
        drop(reader);
        ring.submit(&mut vec![Operation::write(&writer, b"unheard".to_vec(), 2)]).unwrap();
        let done = ring.wait(1, Duration::from_secs(20)).unwrap();
        assert!(done[0].result.as_ref().unwrap_err().is(Errno::EPIPE));
        // One that waits in that thread is cancelled.
        let (_reader, writer) = pipe().unwrap();
        ring.submit(&mut vec![Operation::write(&writer, vec![0; 1 << 20], 3)]).unwrap();
        ring.submit(&mut vec![Operation::write(&writer, vec![0; 1 << 20], 4)]).unwrap();
        drop(ring);
    }
}
