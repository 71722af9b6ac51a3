//! Streams: the peer sends back what it reads, the first time with its own number, so that the answer proves who has read it.

use std::os::fd::{AsFd, OwnedFd};

use unipc::event::{Operation, Ring};
use unipc::stream::{
    ByteStream, FifoOptions, FifoReader, FifoWriter, FrameLimit, Framed, TcpListener, TcpOptions, TcpStream, TransferOptions,
    UnixConnectOptions, UnixListenOptions, UnixListener, UnixStream, create_fifo, transfer,
};
use unipc::{Failure, Wait};

use super::raw::End;
use super::{Outcome, PATIENCE, Peer, Report, Stage};

/// Streams keep no boundaries; here every message has this size.
const BLOCK: usize = 64;

fn block(text: &str) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block[..text.len()].copy_from_slice(text.as_bytes());
    block
}

fn numbered(number: u64) -> [u8; BLOCK] {
    let mut message = [0; BLOCK];
    message[..8].copy_from_slice(&number.to_le_bytes());
    message
}

/// What the peer answers to the first message.
fn answer(heard: &[u8], process: u32) -> String {
    format!("{} (process {process})", String::from_utf8_lossy(heard).trim_end_matches('\0'))
}

fn converse(stage: &Stage, greeting: &str, peer: Peer, reader: ByteStream, writer: ByteStream) -> Outcome<Report> {
    let mut block_back = [0; BLOCK];
    writer.write_all_within(&block(greeting), PATIENCE)?;
    reader.read_exact_within(&mut block_back, PATIENCE)?;
    let arrived = String::from_utf8_lossy(&block_back).trim_end_matches('\0').to_owned();
    if arrived != answer(greeting.as_bytes(), peer.id()) {
        return Err(format!("{arrived:?} came back").into());
    }
    let mut number = 0u64;
    let library = || {
        number += 1;
        let message = numbered(number);
        writer.write_all_within(&message, Wait::FOREVER)?;
        reader.read_exact_within(&mut block_back, Wait::FOREVER)?;
        if message == block_back { Ok(()) } else { Err(format!("message {number} came back changed").into()) }
    };
    let (raw_reader, raw_writer) = (End::of(&reader), End::of(&writer));
    let (mut raw_number, mut raw_back) = (0u64, [0; BLOCK]);
    let raw = || {
        raw_number += 1;
        let message = numbered(raw_number);
        raw_writer.write_all(&message)?;
        let is_whole = raw_reader.read_exact(&mut raw_back)?;
        if is_whole && message == raw_back { Ok(()) } else { Err(format!("raw message {raw_number} came back changed").into()) }
    };
    let times = stage.time_watched(&peer, library, raw)?;
    drop((reader, writer));
    peer.finish()?;
    Ok(Report { sent: greeting.to_owned(), arrived, times })
}

/// The peer: answers until the other side ends, by the library and by the raw calls in turn, as it is asked.
fn echo(reader: &ByteStream, writer: &ByteStream) -> Outcome<()> {
    let mut message = [0; BLOCK];
    reader.read_exact_within(&mut message, PATIENCE)?;
    writer.write_all_within(&block(&answer(&message, std::process::id())), PATIENCE)?;
    let (raw_reader, raw_writer) = (End::of(reader), End::of(writer));
    loop {
        match reader.read_exact_within(&mut message, Wait::FOREVER) {
            Ok(()) => writer.write_all_within(&message, Wait::FOREVER)?,
            Err(error) if error.is_failure(Failure::End) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        if !raw_reader.read_exact(&mut message)? {
            return Ok(());
        }
        raw_writer.write_all(&message)?;
    }
}

fn adopt(descriptor: impl AsFd) -> Outcome<ByteStream> {
    let own: OwnedFd = descriptor.as_fd().try_clone_to_owned()?;
    Ok(ByteStream::adopt(own).map_err(|(_, error)| error)?)
}

fn duplicate(stream: &ByteStream) -> Outcome<ByteStream> {
    adopt(stream)
}

pub(super) fn pipe(stage: &Stage) -> Outcome<Report> {
    let (there_reader, there_writer) = unipc::stream::pipe()?;
    let (back_reader, back_writer) = unipc::stream::pipe()?;
    let peer = Peer::start_with("pipe", &[], OwnedFd::from(there_reader), OwnedFd::from(back_writer))?;
    converse(stage, "hello through a pipe", peer, back_reader.into(), there_writer.into())
}

/// How many messages stand in the file.
const STORED: u64 = 4096;

/// From a file into a pipe without passing through this process. The other process is that of the pipe, and sends it back.
pub(super) fn transferred(stage: &Stage) -> Outcome<Report> {
    let (there_reader, writer) = unipc::stream::pipe()?;
    let (reader, back_writer) = unipc::stream::pipe()?;
    let peer = Peer::start_with("pipe", &[], OwnedFd::from(there_reader), OwnedFd::from(back_writer))?;
    let path = stage.path("blocks");
    let blocks: Vec<u8> = (0..STORED).flat_map(numbered).collect();
    std::fs::write(&path, block("hello from a file").into_iter().chain(blocks).collect::<Vec<u8>>())?;
    let file = std::fs::File::open(&path)?;
    let send = |index: u64, wait| {
        let options = TransferOptions { length: Some(BLOCK as u64), source_offset: Some(index * BLOCK as u64), ..Default::default() };
        transfer(&file, &writer, &options, wait)
    };
    let mut message_back = [0; BLOCK];
    let way = send(0, PATIENCE.into())?.way;
    reader.read_exact_within(&mut message_back, PATIENCE)?;
    let arrived = String::from_utf8_lossy(&message_back).trim_end_matches('\0').to_owned();
    if arrived != answer(b"hello from a file", peer.id()) {
        return Err(format!("{arrived:?} came back").into());
    }
    let mut number = 0;
    let library = || {
        number += 1;
        send(1 + number % STORED, Wait::FOREVER)?;
        reader.read_exact_within(&mut message_back, Wait::FOREVER)?;
        if message_back == numbered(number % STORED) { Ok(()) } else { Err(format!("message {number} came back changed").into()) }
    };
    let (raw_reader, raw_writer) = (End::of(&reader), End::of(&writer));
    let (mut raw_number, mut raw_back) = (0, [0; BLOCK]);
    let raw = || {
        raw_number += 1;
        raw_writer.splice(&file, (1 + raw_number % STORED) * BLOCK as u64, BLOCK)?;
        let is_whole = raw_reader.read_exact(&mut raw_back)?;
        let is_same = is_whole && raw_back == numbered(raw_number % STORED);
        if is_same { Ok(()) } else { Err(format!("raw message {raw_number} came back changed").into()) }
    };
    let times = stage.time_watched(&peer, library, raw)?;
    drop((reader, writer));
    peer.finish()?;
    Ok(Report { sent: format!("hello from a file, by {}", way.name()), arrived, times })
}

/// Both directions in one submission. The other process is that of the pipe.
pub(super) fn submitted(stage: &Stage) -> Outcome<Report> {
    let mut ring = Ring::new(2)?;
    let (there_reader, writer) = unipc::stream::pipe()?;
    let (reader, back_writer) = unipc::stream::pipe()?;
    let peer = Peer::start_with("pipe", &[], OwnedFd::from(there_reader), OwnedFd::from(back_writer))?;
    let mut exchange = |message: [u8; BLOCK], wait: Wait<'_>| -> Outcome<Vec<u8>> {
        // Less than PIPE_BUF, so that it comes whole.
        let operations = [Operation::write(&writer, message.to_vec(), 1), Operation::read(&reader, Vec::with_capacity(BLOCK), 2)];
        ring.submit(&mut operations.into())?;
        let mut back = Vec::new();
        while ring.in_flight() > 0 {
            let completions = ring.wait(2, wait)?;
            if completions.is_empty() {
                return Err("nothing completes".into());
            }
            for completion in completions {
                completion.result?;
                if completion.token == 2 {
                    back = completion.buffer;
                }
            }
        }
        Ok(back)
    };
    let arrived = exchange(block("hello through a ring"), PATIENCE.into())?;
    let arrived = String::from_utf8_lossy(&arrived).trim_end_matches('\0').to_owned();
    if arrived != answer(b"hello through a ring", peer.id()) {
        return Err(format!("{arrived:?} came back").into());
    }
    let mut number = 0;
    let library = || {
        number += 1;
        let same = exchange(numbered(number), Wait::FOREVER)? == numbered(number);
        if same { Ok(()) } else { Err(format!("message {number} came back changed").into()) }
    };
    let (raw_reader, raw_writer) = (End::of(&reader), End::of(&writer));
    let (mut raw_number, mut raw_back) = (0, [0; BLOCK]);
    let raw = || {
        raw_number += 1;
        raw_writer.write_all(&numbered(raw_number))?;
        let is_same = raw_reader.read_exact(&mut raw_back)? && raw_back == numbered(raw_number);
        if is_same { Ok(()) } else { Err(format!("raw message {raw_number} came back changed").into()) }
    };
    let times = stage.time_watched(&peer, library, raw)?;
    drop((reader, writer));
    peer.finish()?;
    Ok(Report { sent: "hello through a ring".to_owned(), arrived, times })
}

pub(super) fn peer_of_pipe() -> Outcome<()> {
    echo(&adopt(std::io::stdin())?, &adopt(std::io::stdout())?)
}

pub(super) fn fifo(stage: &Stage) -> Outcome<Report> {
    let (there, back) = (stage.path("there"), stage.path("back"));
    let options = FifoOptions::default();
    create_fifo(&there, &options)?;
    create_fifo(&back, &options)?;
    let peer = Peer::start("fifo", &[&there, &back])?;
    let writer = FifoWriter::open(&there, &options, PATIENCE)?;
    let reader = FifoReader::open(&back, &options, PATIENCE)?;
    converse(stage, "hello through a FIFO", peer, reader.into(), writer.into())
}

pub(super) fn peer_of_fifo(there: &str, back: &str) -> Outcome<()> {
    let options = FifoOptions::default();
    let reader = FifoReader::open(there, &options, PATIENCE)?;
    let writer = FifoWriter::open(back, &options, PATIENCE)?;
    echo(&reader, &writer)
}

fn converse_both_ways(stage: &Stage, greeting: &str, peer: Peer, stream: ByteStream) -> Outcome<Report> {
    let reader = duplicate(&stream)?;
    converse(stage, greeting, peer, reader, stream)
}

pub(super) fn unix(stage: &Stage, path: &str) -> Outcome<Report> {
    let listener = UnixListener::open(path, &UnixListenOptions::default())?;
    let peer = Peer::start("unix", &[path])?;
    let stream = listener.accept(PATIENCE)?;
    let credentials = stream.peer_credentials()?;
    if u32::try_from(credentials.pid) != Ok(peer.id()) {
        return Err(format!("process {} has connected", credentials.pid).into());
    }
    converse_both_ways(stage, "hello through a Unix socket", peer, stream.into())
}

pub(super) fn peer_of_unix(path: &str) -> Outcome<()> {
    let stream = UnixStream::connect(path, &UnixConnectOptions::default(), PATIENCE)?;
    echo(&stream, &stream)
}

pub(super) fn pair(stage: &Stage) -> Outcome<Report> {
    let (ours, theirs) = UnixStream::pair()?;
    let peer = Peer::start_with("unix-pair", &[], OwnedFd::from(theirs), std::process::Stdio::null())?;
    converse_both_ways(stage, "hello through a pair", peer, ours.into())
}

pub(super) fn peer_of_pair() -> Outcome<()> {
    let stream = adopt(std::io::stdin())?;
    echo(&stream, &stream)
}

pub(super) fn tcp(stage: &Stage, host: &str) -> Outcome<Report> {
    let listener = TcpListener::open(Some(host), 0, &TcpOptions::default())?;
    let port = listener.port()?.to_string();
    let peer = Peer::start("tcp", &[host, &port])?;
    let stream = listener.accept(PATIENCE)?;
    converse_both_ways(stage, "hello through TCP", peer, stream.into())
}

pub(super) fn peer_of_tcp(host: &str, port: &str) -> Outcome<()> {
    let stream = TcpStream::connect(Some(host), port.parse()?, &TcpOptions::default(), PATIENCE)?;
    echo(&stream, &stream)
}

/// How many messages the demonstration of framing sends before it reads.
const AT_ONCE: usize = 3;

pub(super) fn framed(stage: &Stage) -> Outcome<Report> {
    let (ours, theirs) = UnixStream::pair()?;
    let peer = Peer::start_with("framed", &[], OwnedFd::from(theirs), std::process::Stdio::null())?;
    let framed = Framed::new(ours.into(), FrameLimit::default());
    // Sent before anything is read: three messages in one stream, and three come out.
    let messages: [&[u8]; AT_ONCE] = [b"hello", b"", b"in three messages"];
    for message in messages {
        framed.send(message, PATIENCE)?;
    }
    let mut arrived = Vec::new();
    for message in messages {
        let back = framed.receive_vec(PATIENCE)?;
        if back != message {
            return Err("a message came back changed".into());
        }
        arrived.push(format!("{} bytes", back.len()));
    }
    let mut buffer = [0; BLOCK];
    let library = || {
        framed.send(&[7; BLOCK], Wait::FOREVER)?;
        match framed.receive(&mut buffer, Wait::FOREVER)? {
            BLOCK => Ok(()),
            other => Err(format!("a message of {other} bytes came back").into()),
        }
    };
    let (end, mut raw_buffer) = (End::of(&framed), [0; BLOCK]);
    let raw = || {
        end.send(&[7; BLOCK])?;
        if end.receive(&mut raw_buffer)? { Ok(()) } else { Err("the second process has ended".into()) }
    };
    let times = stage.time_watched(&peer, library, raw)?;
    drop(framed);
    let arrived = format!("{} (process {})", arrived.join(", "), peer.id());
    peer.finish()?;
    Ok(Report { sent: "3 messages at once".to_owned(), arrived, times })
}

pub(super) fn peer_of_framed() -> Outcome<()> {
    let framed = Framed::new(adopt(std::io::stdin())?, FrameLimit::default());
    for _ in 0..AT_ONCE {
        let message = framed.receive_vec(PATIENCE)?;
        framed.send(&message, PATIENCE)?;
    }
    let (end, mut message) = (End::of(&framed), [0; BLOCK]);
    loop {
        match framed.receive(&mut message, Wait::FOREVER) {
            Ok(length) => framed.send(&message[..length], Wait::FOREVER)?,
            Err(error) if error.is_failure(Failure::End) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        if !end.receive(&mut message)? {
            return Ok(());
        }
        end.send(&message)?;
    }
}
