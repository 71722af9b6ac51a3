//! Streams whose other side is killed at random moments: who reads gets what was written, from its beginning and without a gap, and then an end; who
//! writes gets an error, and no signal. And the next one can come.

mod support;

use std::time::Duration;

use nix::errno::Errno;
use support::alone::Alone;
use support::process::{Child, kills};
use support::queues::random_time;
use unipc::stream::{
    ByteStream, FifoOptions, FifoReader, FifoWriter, FrameLimit, Framed, TcpListener, TcpOptions, TcpStream, UnixConnectOptions,
    UnixListenOptions, UnixListener, UnixStream, create_fifo, pipe,
};
use unipc::{Error, Failure, Wait};

const HANG: Duration = Duration::from_secs(20);

/// The two sides of one kind of stream, each opened by the process that uses it.
trait Kind {
    /// What has to be there before the fork, anew for each round; gives what the child inherits and what stays.
    fn prepare(&mut self, child_writes: bool) -> (Option<ByteStream>, Option<ByteStream>);
    fn open_reader(&self) -> ByteStream;
    fn open_writer(&self) -> ByteStream;
    fn accepts(&self) -> Option<ByteStream> {
        None
    }
}

struct Pipes;

impl Kind for Pipes {
    fn prepare(&mut self, child_writes: bool) -> (Option<ByteStream>, Option<ByteStream>) {
        let (reader, writer) = pipe().unwrap();
        let (reader, writer) = (Some(reader.into()), Some(writer.into()));
        if child_writes { (writer, reader) } else { (reader, writer) }
    }

    fn open_reader(&self) -> ByteStream {
        unreachable!("a pipe is inherited")
    }

    fn open_writer(&self) -> ByteStream {
        unreachable!("a pipe is inherited")
    }
}

struct Fifo(String);

impl Kind for Fifo {
    fn prepare(&mut self, _: bool) -> (Option<ByteStream>, Option<ByteStream>) {
        (None, None)
    }

    fn open_reader(&self) -> ByteStream {
        FifoReader::open(&self.0, &FifoOptions::default(), HANG).unwrap().into()
    }

    fn open_writer(&self) -> ByteStream {
        FifoWriter::open(&self.0, &FifoOptions::default(), HANG).unwrap().into()
    }
}

struct Unix(String, UnixListener);

impl Kind for Unix {
    fn prepare(&mut self, _: bool) -> (Option<ByteStream>, Option<ByteStream>) {
        (None, None)
    }

    fn open_reader(&self) -> ByteStream {
        UnixStream::connect(&self.0, &UnixConnectOptions::default(), HANG).unwrap().into()
    }

    fn open_writer(&self) -> ByteStream {
        self.open_reader()
    }

    fn accepts(&self) -> Option<ByteStream> {
        Some(self.1.accept(HANG).unwrap().into())
    }
}

struct Tcp(TcpListener);

impl Kind for Tcp {
    fn prepare(&mut self, _: bool) -> (Option<ByteStream>, Option<ByteStream>) {
        (None, None)
    }

    fn open_reader(&self) -> ByteStream {
        let port = u32::from(self.0.port().unwrap());
        TcpStream::connect(None, port, &TcpOptions::default(), HANG).unwrap().into()
    }

    fn open_writer(&self) -> ByteStream {
        self.open_reader()
    }

    fn accepts(&self) -> Option<ByteStream> {
        Some(self.0.accept(HANG).unwrap().into())
    }
}

/// A period that is no divisor of any buffer.
const PERIOD: usize = 65521;

fn pattern() -> Vec<u8> {
    (0..2 * PERIOD).map(|i| (i % PERIOD * 31 / 7) as u8).collect()
}

fn write_for_ever(stream: &ByteStream, piece: usize) -> Error {
    let pattern = pattern();
    let mut at = 0;
    loop {
        if let Err(error) = stream.write_all_within(&pattern[at..at + piece], HANG) {
            return error;
        }
        at = (at + piece) % PERIOD;
    }
}

/// Reads to the end; how much came.
fn read_to_the_end(stream: &ByteStream) -> usize {
    let pattern = pattern();
    let (mut total, mut buffer) = (0, vec![0; 10_007]);
    loop {
        match stream.read_within(&mut buffer, HANG) {
            Ok(0) => return total,
            Ok(count) => {
                let at = total % PERIOD;
                assert!(buffer[..count] == pattern[at..at + count], "a gap at {total}");
                total += count;
            }
            Err(error) => {
                assert!(error.is(Errno::ECONNRESET), "{error}");
                return total;
            }
        }
    }
}

fn a_killed_writer(mut kind: impl Kind) {
    let (mut seed, mut total) = (4711, 0);
    for round in 0..kills() as usize {
        let (theirs, ours) = kind.prepare(true);
        let mut writer = Child::fork(|| {
            let opened = theirs.is_none().then(|| kind.open_writer());
            let stream = theirs.as_ref().or(opened.as_ref()).unwrap();
            write_for_ever(stream, 1 + round * 400);
            1
        });
        drop(theirs);
        let stream = ours.unwrap_or_else(|| kind.accepts().unwrap_or_else(|| kind.open_reader()));
        random_time(&mut seed, 2000);
        writer.kill();
        total += read_to_the_end(&stream);
    }
    assert!(total > 0);
}

fn a_killed_reader(mut kind: impl Kind) {
    let mut seed = 815;
    for round in 0..kills() as usize {
        let (theirs, ours) = kind.prepare(false);
        let mut reader = Child::fork(|| {
            let opened = theirs.is_none().then(|| kind.open_reader());
            let stream = theirs.as_ref().or(opened.as_ref()).unwrap();
            read_to_the_end(stream);
            1
        });
        drop(theirs);
        let stream = ours.unwrap_or_else(|| kind.accepts().unwrap_or_else(|| kind.open_writer()));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                random_time(&mut seed, 2000);
                reader.kill();
            });
            let error = write_for_ever(&stream, 1 + round * 400);
            assert!(error.is(Errno::EPIPE) || error.is(Errno::ECONNRESET), "{error}");
        });
    }
}

fn unix(alone: &Alone) -> Unix {
    let path = alone.path("socket");
    let listener = UnixListener::open(&path, &UnixListenOptions::default()).unwrap();
    Unix(path, listener)
}

fn fifo(alone: &Alone) -> Fifo {
    let path = alone.path("fifo");
    create_fifo(&path, &FifoOptions::default()).unwrap();
    Fifo(path)
}

fn tcp() -> Tcp {
    Tcp(TcpListener::open(None, 0, &TcpOptions::default()).unwrap())
}

#[test]
fn a_killed_writer_of_a_pipe_ends_it() {
    let _alone = Alone::new();
    a_killed_writer(Pipes);
}

#[test]
fn a_killed_reader_of_a_pipe_is_an_error() {
    let _alone = Alone::new();
    a_killed_reader(Pipes);
}

#[test]
fn a_killed_writer_of_a_fifo_ends_it() {
    let alone = Alone::new();
    a_killed_writer(fifo(&alone));
}

#[test]
fn a_killed_reader_of_a_fifo_is_an_error() {
    let alone = Alone::new();
    a_killed_reader(fifo(&alone));
}

#[test]
fn a_killed_writer_on_a_unix_socket_ends_it() {
    let alone = Alone::new();
    a_killed_writer(unix(&alone));
}

#[test]
fn a_killed_reader_on_a_unix_socket_is_an_error() {
    let alone = Alone::new();
    a_killed_reader(unix(&alone));
}

#[test]
fn a_killed_writer_on_tcp_ends_it() {
    let _alone = Alone::new();
    a_killed_writer(tcp());
}

#[test]
fn a_killed_reader_on_tcp_is_an_error() {
    let _alone = Alone::new();
    a_killed_reader(tcp());
}

#[test]
fn a_killed_sender_of_framed_messages_leaves_whole_ones_and_a_half_one_is_told() {
    let alone = Alone::new();
    let kind = unix(&alone);
    let limit = FrameLimit::new(1 << 20).unwrap();
    let (mut seed, mut received, mut torn) = (99, 0, 0);
    for _ in 0..kills() {
        let mut sender = Child::fork(|| {
            let framed = Framed::new(kind.open_writer(), limit);
            for size in (0..600_000usize).step_by(29_989).cycle() {
                framed.send(&vec![size as u8; size], HANG).unwrap();
            }
            1
        });
        let framed = Framed::new(kind.accepts().unwrap(), limit);
        random_time(&mut seed, 2000);
        sender.kill();
        for size in (0..600_000usize).step_by(29_989).cycle() {
            match framed.receive_vec(Wait::from(HANG)) {
                Ok(message) => assert!(message == vec![size as u8; size], "message of {} bytes, not of {size}", message.len()),
                Err(error) if error.is_failure(Failure::End) => break,
                Err(error) => {
                    assert!(error.is_failure(Failure::Truncated), "{error}");
                    torn += 1;
                    break;
                }
            }
            received += 1;
        }
    }
    println!("{received} whole messages from {} killed senders, {torn} of them killed in the middle of one", kills());
    assert!(received > 0 && torn > 0);
}
