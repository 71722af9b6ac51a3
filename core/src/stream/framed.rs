//! Messages on a stream of bytes: a length, then the bytes.
//!
//! A length comes from a stranger, so it is compared with a limit before anything is allocated, and memory is taken as bytes arrive, not as the
//! header claims. A wait that runs out in the middle of a message loses nothing: the next call goes on where it stopped. Never is more read than
//! the current message, so the descriptor stays readable while there is something to receive.
//!
//! On the wire: the length in four bytes, most significant first, then that many bytes. A length of zero is an empty message.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;

use super::ByteStream;
use crate::error::{Error, Failure, Result};
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
    incoming: Incoming,
    /// What is left of a message that was accepted while the stream was full.
    outgoing: Vec<u8>,
    /// How much of that has gone out since.
    outgoing_sent: usize,
    /// A message was cut off on its way out: whatever came behind it would be taken for its rest.
    is_cut_off: bool,
    is_broken: bool,
}

/// The part of a message that has arrived.
#[derive(Debug, Default)]
struct Incoming {
    header: [u8; HEADER],
    header_length: usize,
    body: Vec<u8>,
}

impl Incoming {
    fn length(&self) -> Option<usize> {
        (self.header_length == HEADER).then(|| u32::from_be_bytes(self.header) as usize)
    }
}

impl Framed {
    /// Frames a stream. No message may be larger than `largest` bytes, in either direction.
    pub fn new(stream: ByteStream, largest: FrameLimit) -> Framed {
        let (incoming, outgoing) = (Incoming::default(), Vec::new());
        Framed { stream, largest: largest.0, incoming, outgoing, outgoing_sent: 0, is_cut_off: false, is_broken: false }
    }

    /// Sends a message.
    ///
    /// If the wait ends after a part of it went out, the message counts as sent: its rest is kept, and goes out with the next
    /// [`send`](Framed::send) or [`flush`](Framed::flush), before anything else.
    ///
    /// Errors: `EMSGSIZE` above the limit; `EAGAIN`, `ETIMEDOUT`, `ECANCELED`, and then nothing of the message went out; `EPIPE`, `ECONNRESET`.
    pub fn send<'a>(&mut self, message: &[u8], wait: impl Into<Wait<'a>>) -> Result<()> {
        if message.len() > self.largest {
            let remedy = format!("the message has {} bytes, the limit is {}", message.len(), self.largest);
            return Err(Error::os(SEND, Errno::EMSGSIZE).hint(remedy));
        }
        let mut deadline = Deadline::new(SEND, wait);
        self.flush_until(&mut deadline)?;
        // The limit is below 4 GiB.
        let header = (message.len() as u32).to_be_bytes();
        let total = HEADER + message.len();
        let mut sent = 0;
        while sent < total {
            let head = &header[sent.min(HEADER)..];
            let body = &message[sent.saturating_sub(HEADER)..];
            match self.stream.endpoint.write_until(&[IoSlice::new(head), IoSlice::new(body)], &mut deadline) {
                Ok(count) => sent += count,
                Err(error) if sent == 0 => return Err(error),
                Err(error) if is_end_of_wait(&error) => return self.keep(head, body),
                Err(error) => {
                    self.is_cut_off = true;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Writes what [`send`](Framed::send) has kept. Errors as there.
    pub fn flush<'a>(&mut self, wait: impl Into<Wait<'a>>) -> Result<()> {
        self.flush_until(&mut Deadline::new("flush framed stream", wait))
    }

    /// Receives a message into a buffer, and gives its length; 0 is an empty message.
    ///
    /// Errors: [`Failure::End`] between messages, [`Failure::Truncated`] inside one; `EMSGSIZE` if the buffer is too small: the message stays, and
    /// [`next_size`](Framed::next_size) says how large it is; `EBADMSG` if it is above the limit, and then for ever, since where the next one
    /// begins is not known; `EAGAIN`, `ETIMEDOUT`, `ECANCELED`.
    pub fn receive<'a>(&mut self, buffer: &mut [u8], wait: impl Into<Wait<'a>>) -> Result<usize> {
        let mut deadline = Deadline::new(RECEIVE, wait);
        let length = self.receive_header(&mut deadline)?;
        if length > buffer.len() {
            let remedy = format!("the message has {length} bytes, the buffer {}", buffer.len());
            return Err(Error::os(RECEIVE, Errno::EMSGSIZE).hint(remedy));
        }
        self.receive_body(&mut buffer[..length], &mut deadline)?;
        Ok(length)
    }

    /// Receives a message into a new vector. Errors as [`receive`](Framed::receive).
    pub fn receive_vec<'a>(&mut self, wait: impl Into<Wait<'a>>) -> Result<Vec<u8>> {
        let mut deadline = Deadline::new(RECEIVE, wait);
        let length = self.receive_header(&mut deadline)?;
        while self.incoming.body.len() < length {
            // As much as has arrived at the most doubles what is taken next.
            let have = self.incoming.body.len();
            let piece = (length - have).min(have.max(1 << 16));
            reserve(&mut self.incoming.body, piece)?;
            self.incoming.body.resize(have + piece, 0);
            let result = self.stream.endpoint.read_until(&mut self.incoming.body[have..], &mut deadline);
            let count = *result.as_ref().unwrap_or(&0);
            self.incoming.body.truncate(have + count);
            if result? == 0 {
                return Err(self.truncated(length));
            }
        }
        let message = std::mem::take(&mut self.incoming.body);
        self.incoming.header_length = 0;
        Ok(message)
    }

    /// The size of the message whose receiving has begun, for instance after `EMSGSIZE`.
    pub fn next_size(&self) -> Option<usize> {
        self.incoming.length()
    }

    /// The stream underneath. What was received or kept in part is lost.
    pub fn into_stream(self) -> ByteStream {
        self.stream
    }

    /// Puts the rest of a message by.
    #[cold]
    fn keep(&mut self, head: &[u8], body: &[u8]) -> Result<()> {
        if self.outgoing.try_reserve_exact(head.len() + body.len()).is_err() {
            self.is_cut_off = true;
            return Err(Error::os(SEND, Errno::ENOMEM).hint("no memory to keep the rest of the message"));
        }
        self.outgoing.extend_from_slice(head);
        self.outgoing.extend_from_slice(body);
        Ok(())
    }

    fn flush_until(&mut self, deadline: &mut Deadline<'_>) -> Result<()> {
        if self.is_cut_off {
            return Err(Error::os(deadline.operation(), Errno::EPIPE).hint("an earlier message was cut off"));
        }
        while self.outgoing_sent < self.outgoing.len() {
            let rest = &self.outgoing[self.outgoing_sent..];
            self.outgoing_sent += self.stream.endpoint.write_until(&[IoSlice::new(rest)], deadline)?;
        }
        // A message is rarely kept: the memory goes with it.
        if self.outgoing_sent != 0 {
            (self.outgoing, self.outgoing_sent) = (Vec::new(), 0);
        }
        Ok(())
    }

    fn receive_header(&mut self, deadline: &mut Deadline<'_>) -> Result<usize> {
        if self.is_broken {
            return Err(Error::os(RECEIVE, Errno::EBADMSG).hint("an earlier message was too large or cut off"));
        }
        while self.incoming.header_length < HEADER {
            let rest = &mut self.incoming.header[self.incoming.header_length..];
            match self.stream.endpoint.read_until(rest, deadline)? {
                0 if self.incoming.header_length == 0 => return Err(Error::failure(RECEIVE, Failure::End)),
                0 => {
                    self.is_broken = true;
                    return Err(Error::failure(RECEIVE, Failure::Truncated).hint("the stream ended inside a header"));
                }
                count => self.incoming.header_length += count,
            }
        }
        let length = u32::from_be_bytes(self.incoming.header) as usize;
        if length > self.largest {
            self.is_broken = true;
            let remedy = format!("the header claims {length} bytes, the limit is {}", self.largest);
            return Err(Error::os(RECEIVE, Errno::EBADMSG).hint(remedy));
        }
        Ok(length)
    }

    /// Reads straight into the caller's buffer; what has come when the wait ends is put by.
    fn receive_body(&mut self, buffer: &mut [u8], deadline: &mut Deadline<'_>) -> Result<()> {
        let before = self.incoming.body.len();
        let mut done = before;
        while done < buffer.len() {
            match self.stream.endpoint.read_until(&mut buffer[done..], deadline) {
                Ok(0) => return Err(self.truncated(buffer.len())),
                Ok(count) => done += count,
                Err(error) => {
                    self.is_broken = reserve(&mut self.incoming.body, done - before).is_err();
                    if !self.is_broken {
                        self.incoming.body.extend_from_slice(&buffer[before..done]);
                    }
                    return Err(error);
                }
            }
        }
        buffer[..before].copy_from_slice(&self.incoming.body);
        self.incoming.body.clear();
        self.incoming.header_length = 0;
        Ok(())
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

fn is_end_of_wait(error: &Error) -> bool {
    [Errno::EAGAIN, Errno::ETIMEDOUT, Errno::ECANCELED].iter().any(|errno| error.is(*errno))
}
