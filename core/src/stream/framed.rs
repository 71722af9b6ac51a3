//! Messages on a stream of bytes: a length, then the bytes.
//!
//! A length comes from a stranger, so it is compared with a limit before anything is allocated, and memory is taken as bytes arrive, not as the
//! header claims. A wait that runs out in the middle of a message loses nothing: the next call goes on where it stopped. Never is more read than
//! the current message, so the descriptor stays readable while there is something to receive.
//!
//! One thread may send while another receives. Two in one direction at once would mix their messages: the second is refused, with `EBUSY`. In a child made
//! by `fork` while a thread of the parent was in the middle of a message, that direction is refused for good, as [`Failure::Forked`].
//!
//! On the wire: the length in four bytes, most significant first, then that many bytes. A length of zero is an empty message.

use std::borrow::Cow;
use std::io::IoSlice;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;

use super::ByteStream;
use super::endpoint::{Endpoint, piece};
use crate::error::{Error, Failure, Result};
use crate::process::Birth;
use crate::wait::{Deadline, Wait};

const SEND: &str = "send framed message";
const RECEIVE: &str = "receive framed message";
const HEADER: usize = 4;

/// The largest message if nothing else is said: 16 MiB.
pub const LARGEST_BY_DEFAULT: usize = 16 << 20;

/// The largest message that a [`Framed`] sends or takes: below 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLimit(usize);

impl Default for FrameLimit {
    fn default() -> FrameLimit {
        FrameLimit(LARGEST_BY_DEFAULT)
    }
}

impl FrameLimit {
    /// A limit in bytes; 0 is [`LARGEST_BY_DEFAULT`]. `EINVAL` for more than the four bytes of a header can say.
    pub fn new(bytes: usize) -> Result<FrameLimit> {
        match u32::try_from(bytes) {
            Ok(0) => Ok(FrameLimit::default()),
            Ok(_) => Ok(FrameLimit(bytes)),
            Err(_) => {
                let remedy = format!("a message has at most {} bytes, not {bytes}", u32::MAX);
                Err(Error::os("frame stream", Errno::EINVAL).hint(remedy))
            }
        }
    }
}

/// Messages over any [`ByteStream`].
#[derive(Debug)]
pub struct Framed {
    stream: ByteStream,
    largest: usize,
    incoming: Direction<Incoming>,
    outgoing: Direction<Outgoing>,
}

/// What is known of one direction, for one call at a time.
#[derive(Debug, Default)]
struct Direction<T> {
    /// The process whose call is at it, 0 for none. In a child, a thread of the parent is at it for ever.
    holder: AtomicU64,
    state: Mutex<T>,
}

/// The part of a message that has arrived.
#[derive(Debug, Default)]
struct Incoming {
    header: [u8; HEADER],
    header_length: usize,
    body: Vec<u8>,
    /// Where the next message begins is not known any more.
    is_broken: bool,
}

/// What is left of a message that was accepted while the stream was full.
#[derive(Debug, Default)]
struct Outgoing {
    rest: Vec<u8>,
    /// How much of that has gone out since.
    sent: usize,
    /// A message was cut off on its way out: whatever came behind it would be taken for its rest.
    is_cut_off: bool,
}

impl Framed {
    /// Frames a stream. No message may be larger than `largest` bytes, in either direction.
    pub fn new(stream: ByteStream, largest: FrameLimit) -> Framed {
        Framed { stream, largest: largest.0, incoming: Direction::default(), outgoing: Direction::default() }
    }

    /// Sends a message.
    ///
    /// If the wait ends after a part of it went out, the message counts as sent: its rest is kept, and goes out with the next
    /// [`send`](Framed::send) or [`flush`](Framed::flush), before anything else.
    ///
    /// Errors: `EMSGSIZE` above the limit; `EAGAIN`, `ETIMEDOUT`, `ECANCELED`, and then nothing of the message went out; `EPIPE`, `ECONNRESET`; `EBUSY`
    /// while another thread sends; [`Failure::Forked`] if one of the parent process did.
    pub fn send<'a>(&self, message: &[u8], wait: impl Into<Wait<'a>>) -> Result<()> {
        if message.len() > self.largest {
            let remedy = format!("the message has {} bytes, the limit is {}", message.len(), self.largest);
            return Err(Error::os(SEND, Errno::EMSGSIZE).hint(remedy));
        }
        let mut outgoing = claim(SEND, &self.outgoing)?;
        let mut deadline = Deadline::new(SEND, wait);
        outgoing.flush(&self.stream.endpoint, &mut deadline)?;
        // The limit is below 4 GiB.
        let header = (message.len() as u32).to_be_bytes();
        let total = HEADER + message.len();
        let mut sent = 0;
        while sent < total {
            let head = &header[sent.min(HEADER)..];
            let body = &message[sent.saturating_sub(HEADER)..];
            match self.stream.endpoint.write_until(&[IoSlice::new(head), piece(body)], &mut deadline) {
                Ok(count) => sent += count,
                Err(error) if sent == 0 => return Err(error),
                Err(error) if error.is_end_of_wait() => return outgoing.keep(head, body),
                Err(error) => {
                    outgoing.is_cut_off = true;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Writes what [`send`](Framed::send) has kept. Errors as there.
    pub fn flush<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<()> {
        const OPERATION: &str = "flush framed stream";
        claim(OPERATION, &self.outgoing)?.flush(&self.stream.endpoint, &mut Deadline::new(OPERATION, wait))
    }

    /// Receives a message into a buffer, and gives its length; 0 is an empty message.
    ///
    /// Errors: [`Failure::End`] between messages, [`Failure::Truncated`] inside one; `EMSGSIZE` if the buffer is too small: the message stays, and
    /// [`next_size`](Framed::next_size) says how large it is; `EBADMSG` if it is above the limit, and then for ever, since where the next one
    /// begins is not known; `EAGAIN`, `ETIMEDOUT`, `ECANCELED`; `EBUSY` while another thread receives, [`Failure::Forked`] if one of the parent process did.
    pub fn receive<'a>(&self, buffer: &mut [u8], wait: impl Into<Wait<'a>>) -> Result<usize> {
        let mut incoming = claim(RECEIVE, &self.incoming)?;
        let mut deadline = Deadline::new(RECEIVE, wait);
        let length = incoming.receive_header(&self.stream.endpoint, self.largest, &mut deadline)?;
        if length > buffer.len() {
            let remedy = format!("the message has {length} bytes, the buffer {}", buffer.len());
            return Err(Error::os(RECEIVE, Errno::EMSGSIZE).hint(remedy));
        }
        incoming.receive_body(&self.stream.endpoint, &mut buffer[..length], &mut deadline)?;
        Ok(length)
    }

    /// Receives a message into a new vector. Errors as [`receive`](Framed::receive).
    pub fn receive_vec<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<Vec<u8>> {
        let mut incoming = claim(RECEIVE, &self.incoming)?;
        let mut deadline = Deadline::new(RECEIVE, wait);
        let length = incoming.receive_header(&self.stream.endpoint, self.largest, &mut deadline)?;
        incoming.receive_vec(&self.stream.endpoint, length, &mut deadline)
    }

    /// Receives a message into a buffer, or into a new vector if it does not fit, within one wait. Errors as [`receive`](Framed::receive).
    pub fn receive_cow<'a, 'b>(&self, buffer: &'b mut [u8], wait: impl Into<Wait<'a>>) -> Result<Cow<'b, [u8]>> {
        let mut incoming = claim(RECEIVE, &self.incoming)?;
        let mut deadline = Deadline::new(RECEIVE, wait);
        let length = incoming.receive_header(&self.stream.endpoint, self.largest, &mut deadline)?;
        if length > buffer.len() {
            return incoming.receive_vec(&self.stream.endpoint, length, &mut deadline).map(Cow::Owned);
        }
        let buffer = &mut buffer[..length];
        incoming.receive_body(&self.stream.endpoint, buffer, &mut deadline)?;
        Ok(Cow::Borrowed(buffer))
    }

    /// The size of the message whose receiving has begun, for instance after `EMSGSIZE`. `None` also while another thread receives.
    pub fn next_size(&self) -> Option<usize> {
        claim(RECEIVE, &self.incoming).ok()?.length()
    }

    /// The stream underneath. What was received or kept in part is lost.
    pub fn into_stream(self) -> ByteStream {
        self.stream
    }
}

/// One direction of the stream, for one call.
struct Claimed<'a, T> {
    /// Given back first.
    state: MutexGuard<'a, T>,
    _claim: Claim<'a>,
}

struct Claim<'a>(&'a AtomicU64);

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

impl<T> Deref for Claimed<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.state
    }
}

impl<T> DerefMut for Claimed<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.state
    }
}

/// Who finds the direction taken does not wait: no timeout could end that.
fn claim<'a, T>(operation: &'static str, direction: &'a Direction<T>) -> Result<Claimed<'a, T>> {
    let own = Birth::now().mark();
    if let Err(holder) = direction.holder.compare_exchange(0, own, Ordering::Acquire, Ordering::Relaxed) {
        Birth::of_mark(holder).check(operation)?;
        return Err(Error::os(operation, Errno::EBUSY).hint("another thread is at it"));
    }
    let claim = Claim(&direction.holder);
    // A call that panicked has left the state of a message cut off, which the next read or write will tell.
    let state = direction.state.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Claimed { state, _claim: claim })
}

impl Outgoing {
    /// Puts the rest of a message by.
    #[cold]
    fn keep(&mut self, head: &[u8], body: &[u8]) -> Result<()> {
        if self.rest.try_reserve_exact(head.len() + body.len()).is_err() {
            self.is_cut_off = true;
            return Err(Error::os(SEND, Errno::ENOMEM).hint("no memory to keep the rest of the message"));
        }
        self.rest.extend_from_slice(head);
        self.rest.extend_from_slice(body);
        Ok(())
    }

    fn flush(&mut self, endpoint: &Endpoint, deadline: &mut Deadline<'_>) -> Result<()> {
        if self.is_cut_off {
            return Err(Error::os(deadline.operation(), Errno::EPIPE).hint("an earlier message was cut off"));
        }
        while self.sent < self.rest.len() {
            self.sent += endpoint.write_until(&[piece(&self.rest[self.sent..])], deadline)?;
        }
        // A message is rarely kept: the memory goes with it.
        if self.sent != 0 {
            *self = Outgoing::default();
        }
        Ok(())
    }
}

impl Incoming {
    fn length(&self) -> Option<usize> {
        (self.header_length == HEADER).then(|| u32::from_be_bytes(self.header) as usize)
    }

    fn receive_header(&mut self, endpoint: &Endpoint, largest: usize, deadline: &mut Deadline<'_>) -> Result<usize> {
        if self.is_broken {
            return Err(Error::os(RECEIVE, Errno::EBADMSG).hint("an earlier message was too large or cut off"));
        }
        while self.header_length < HEADER {
            match endpoint.read_until(&mut self.header[self.header_length..], deadline)? {
                0 if self.header_length == 0 => return Err(Error::failure(RECEIVE, Failure::End)),
                0 => {
                    self.is_broken = true;
                    return Err(Error::failure(RECEIVE, Failure::Truncated).hint("the stream ended inside a header"));
                }
                count => self.header_length += count,
            }
        }
        let length = u32::from_be_bytes(self.header) as usize;
        if length > largest {
            self.is_broken = true;
            let remedy = format!("the header claims {length} bytes, the limit is {largest}");
            return Err(Error::os(RECEIVE, Errno::EBADMSG).hint(remedy));
        }
        Ok(length)
    }

    /// Reads straight into the caller's buffer; what has come when the wait ends is put by.
    fn receive_body(&mut self, endpoint: &Endpoint, buffer: &mut [u8], deadline: &mut Deadline<'_>) -> Result<()> {
        let before = self.body.len();
        let mut done = before;
        while done < buffer.len() {
            match endpoint.read_until(&mut buffer[done..], deadline) {
                Ok(0) => return Err(self.truncated(buffer.len())),
                Ok(count) => done += count,
                Err(error) => {
                    self.is_broken = reserve(&mut self.body, done - before).is_err();
                    if !self.is_broken {
                        self.body.extend_from_slice(&buffer[before..done]);
                    }
                    return Err(error);
                }
            }
        }
        buffer[..before].copy_from_slice(&self.body);
        self.body.clear();
        self.header_length = 0;
        Ok(())
    }

    fn receive_vec(&mut self, endpoint: &Endpoint, length: usize, deadline: &mut Deadline<'_>) -> Result<Vec<u8>> {
        while self.body.len() < length {
            // As much as has arrived at the most doubles what is taken next.
            let have = self.body.len();
            let piece = (length - have).min(have.max(1 << 16));
            reserve(&mut self.body, piece)?;
            self.body.resize(have + piece, 0);
            let result = endpoint.read_until(&mut self.body[have..], deadline);
            let count = *result.as_ref().unwrap_or(&0);
            self.body.truncate(have + count);
            if result? == 0 {
                return Err(self.truncated(length));
            }
        }
        self.header_length = 0;
        Ok(std::mem::take(&mut self.body))
    }

    #[cold]
    fn truncated(&mut self, length: usize) -> Error {
        self.is_broken = true;
        Error::failure(RECEIVE, Failure::Truncated).hint(format!("the stream ended inside a message of {length} bytes"))
    }
}

impl AsFd for Framed {
    /// Readable while there is something to receive.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Takes memory, as a failure and not as the end of the process if there is none.
fn reserve(body: &mut Vec<u8>, more: usize) -> Result<()> {
    body.try_reserve(more).map_err(|_| Error::os(RECEIVE, Errno::ENOMEM).hint(format!("{more} bytes for a part of a message")))
}
