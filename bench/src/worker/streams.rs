//! Round trips and batches of messages on a stream.

use std::rc::Rc;

use unipc::Wait;
use unipc::stream::{ByteStream, FifoOptions, FifoReader, FifoWriter, TcpListener, TcpOptions, TcpStream, UnixStream, create_fifo, pipe};

use super::{Job, Outcome, with_peer};

/// The two directions of a connection, as one process sees it: one stream or two.
struct Ends {
    reader: Rc<ByteStream>,
    writer: Rc<ByteStream>,
}

impl Ends {
    fn of_two(reader: impl Into<ByteStream>, writer: impl Into<ByteStream>) -> Ends {
        Ends { reader: Rc::new(reader.into()), writer: Rc::new(writer.into()) }
    }

    fn of_one(stream: impl Into<ByteStream>) -> Ends {
        let stream = Rc::new(stream.into());
        Ends { reader: Rc::clone(&stream), writer: stream }
    }

    fn write(&self, message: &[u8]) -> Outcome<()> {
        Ok(self.writer.write_all_within(message, Wait::FOREVER)?)
    }

    fn read(&self, message: &mut [u8]) -> Outcome<()> {
        Ok(self.reader.read_exact_within(message, Wait::FOREVER)?)
    }
}

/// Every message carries its number in its first and its last byte, so that both are touched on either side.
fn stamp(message: &mut [u8], number: usize) {
    message[0] = number as u8;
    message[message.len() - 1] = number as u8;
}

fn check(message: &[u8], number: usize) -> Outcome<()> {
    if message[0] != number as u8 || message[message.len() - 1] != number as u8 {
        return Err(format!("message {number} is another").into());
    }
    Ok(())
}

/// Before the clock runs, every byte crosses twice and is compared.
fn compare_whole(ends: &Ends, message: &mut [u8]) -> Outcome<()> {
    for (i, byte) in message.iter_mut().enumerate() {
        *byte = (i * 7 + 1) as u8;
    }
    let mut back = vec![0; message.len()];
    ends.write(message)?;
    ends.read(&mut back)?;
    if back == message { Ok(()) } else { Err("a message came back changed".into()) }
}

fn lead(job: &Job, ends: &Ends) -> Outcome<Vec<u64>> {
    let mut message = vec![0; job.size];
    compare_whole(ends, &mut message)?;
    let mut number = 0;
    if job.is_round_trip() {
        return job.time(|| {
            number += 1;
            stamp(&mut message, number);
            ends.write(&message)?;
            ends.read(&mut message)?;
            check(&message, number)
        });
    }
    // A sample ends when the other side says that it has read the whole batch.
    job.time(|| {
        for _ in 0..job.batch {
            stamp(&mut message, number);
            ends.write(&message)?;
            number += 1;
        }
        ends.read(&mut [0])
    })
}

fn follow(job: &Job, ends: &Ends) -> Outcome<()> {
    let mut message = vec![0; job.size];
    ends.read(&mut message)?;
    ends.write(&message)?;
    for number in 0..job.operations() {
        ends.read(&mut message)?;
        if job.is_round_trip() {
            ends.write(&message)?;
            continue;
        }
        check(&message, number)?;
        if (number + 1).is_multiple_of(job.batch) {
            ends.write(&message[..1])?;
        }
    }
    Ok(())
}

/// Opens each side in its own process, and lets them talk.
fn converse(job: &Job, peer: impl FnOnce() -> Outcome<Ends>, own: impl FnOnce() -> Outcome<Ends>) -> Outcome<Vec<u64>> {
    with_peer(job, || follow(job, &peer()?), || lead(job, &own()?))
}

fn on_fifos(job: &Job) -> Outcome<Vec<u64>> {
    let options = FifoOptions::default();
    create_fifo("there", &options)?;
    create_fifo("back", &options)?;
    let peer = || {
        let reader = FifoReader::open("there", &options, Wait::FOREVER)?;
        Ok(Ends::of_two(reader, FifoWriter::open("back", &options, Wait::FOREVER)?))
    };
    let own = || {
        let writer = FifoWriter::open("there", &options, Wait::FOREVER)?;
        Ok(Ends::of_two(FifoReader::open("back", &options, Wait::FOREVER)?, writer))
    };
    converse(job, peer, own)
}

fn on_tcp(job: &Job) -> Outcome<Vec<u64>> {
    const HOST: Option<&str> = Some("127.0.0.1");
    let listener = TcpListener::open(HOST, 0, &TcpOptions::default())?;
    let port = u32::from(listener.port()?);
    let peer = || Ok(Ends::of_one(TcpStream::connect(HOST, port, &TcpOptions::default(), Wait::FOREVER)?));
    converse(job, peer, || Ok(Ends::of_one(listener.accept(Wait::FOREVER)?)))
}

pub(super) fn measure(job: &Job) -> Outcome<Vec<u64>> {
    // As the raw worker does.
    unipc::stream::ignore_sigpipe()?;
    match job.mechanism.as_str() {
        "pipe" => {
            let ((there_reader, there_writer), (back_reader, back_writer)) = (pipe()?, pipe()?);
            converse(job, || Ok(Ends::of_two(there_reader, back_writer)), || Ok(Ends::of_two(back_reader, there_writer)))
        }
        "fifo" => on_fifos(job),
        "unix" => {
            let (own, peer) = UnixStream::pair()?;
            converse(job, || Ok(Ends::of_one(peer)), || Ok(Ends::of_one(own)))
        }
        "tcp" => on_tcp(job),
        other => Err(format!("there is no mechanism {other}").into()),
    }
}
