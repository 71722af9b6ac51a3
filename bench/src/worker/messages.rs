//! Round trips and batches of messages, on a stream or by what keeps their boundaries.

use std::rc::Rc;

use unipc::Wait;
use unipc::message::{
    DatagramOptions, Mq, MqOptions, Seqpacket, SeqpacketOptions, SysvQueue, SysvQueueOptions, UdpOptions, UdpSocket, UnixDatagram, Which,
};
use unipc::stream::{ByteStream, FifoOptions, FifoReader, FifoWriter, TcpListener, TcpOptions, TcpStream, UnixStream, create_fifo, pipe};

use super::{Job, Outcome, with_peer};

/// The largest message of a queue.
const LARGEST: usize = 8192;

/// The two directions of a connection, as one process sees it: one object or two.
enum Ends {
    Stream { reader: Rc<ByteStream>, writer: Rc<ByteStream> },
    Datagram(UnixDatagram),
    Udp(UdpSocket),
    Seqpacket(Seqpacket),
    Mq { from: Rc<Mq>, to: Rc<Mq>, room: Box<[u8; LARGEST]> },
    SysvQueue { from: Rc<SysvQueue>, to: Rc<SysvQueue> },
}

impl Ends {
    fn of_two(reader: impl Into<ByteStream>, writer: impl Into<ByteStream>) -> Ends {
        Ends::Stream { reader: Rc::new(reader.into()), writer: Rc::new(writer.into()) }
    }

    fn of_one(stream: impl Into<ByteStream>) -> Ends {
        let stream = Rc::new(stream.into());
        Ends::Stream { reader: Rc::clone(&stream), writer: stream }
    }

    fn of_mqs(from: &Rc<Mq>, to: &Rc<Mq>) -> Ends {
        Ends::Mq { from: Rc::clone(from), to: Rc::clone(to), room: Box::new([0; LARGEST]) }
    }

    fn write(&self, message: &[u8]) -> Outcome<()> {
        Ok(match self {
            Ends::Stream { writer, .. } => writer.write_all_within(message, Wait::FOREVER),
            Ends::Datagram(socket) => socket.send(message, Wait::FOREVER),
            Ends::Udp(socket) => socket.send(message, Wait::FOREVER),
            Ends::Seqpacket(socket) => socket.send(message, Wait::FOREVER),
            Ends::Mq { to, .. } => to.send(message, 0, Wait::FOREVER),
            Ends::SysvQueue { to, .. } => to.send(message, 1, Wait::FOREVER),
        }?)
    }

    fn read(&mut self, message: &mut [u8]) -> Outcome<()> {
        let info = match self {
            Ends::Stream { reader, .. } => return Ok(reader.read_exact_within(message, Wait::FOREVER)?),
            Ends::Datagram(socket) => socket.receive(message, Wait::FOREVER)?,
            Ends::Udp(socket) => socket.receive(message, Wait::FOREVER)?,
            Ends::Seqpacket(socket) => socket.receive(message, Wait::FOREVER)?,
            Ends::Mq { from, room, .. } => {
                // A buffer must have room for the largest.
                let info = from.receive(&mut room[..], Wait::FOREVER)?;
                message.copy_from_slice(&room[..message.len()]);
                info
            }
            Ends::SysvQueue { from, .. } => from.receive(message, Which::Any, Wait::FOREVER)?,
        };
        if info.size == message.len() { Ok(()) } else { Err(format!("a message of {} bytes came", info.size).into()) }
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
fn compare_whole(ends: &mut Ends, message: &mut [u8]) -> Outcome<()> {
    for (i, byte) in message.iter_mut().enumerate() {
        *byte = (i * 7 + 1) as u8;
    }
    let mut back = vec![0; message.len()];
    ends.write(message)?;
    ends.read(&mut back)?;
    if back == message { Ok(()) } else { Err("a message came back changed".into()) }
}

fn lead(job: &Job, mut ends: Ends) -> Outcome<Vec<u64>> {
    let mut message = vec![0; job.size];
    compare_whole(&mut ends, &mut message)?;
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

fn follow(job: &Job, mut ends: Ends) -> Outcome<()> {
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
    with_peer(job, || follow(job, peer()?), || lead(job, own()?))
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

fn on_udp(job: &Job) -> Outcome<Vec<u64>> {
    let open = || UdpSocket::open(Some("127.0.0.1"), 0, &UdpOptions::default());
    let (own, peer) = (open()?, open()?);
    own.connect(&peer.address()?)?;
    peer.connect(&own.address()?)?;
    converse(job, || Ok(Ends::Udp(peer)), || Ok(Ends::Udp(own)))
}

fn on_mqs(job: &Job) -> Outcome<Vec<u64>> {
    let open = |what| {
        let name = format!("unipc-bench-{}-{what}", std::process::id());
        let mq = Mq::create(&name, &MqOptions { capacity: 10, largest: LARGEST, ..Default::default() })?;
        // The peer inherits it.
        Mq::unlink(&name).map(|()| Rc::new(mq))
    };
    let (there, back) = (open("there")?, open("back")?);
    converse(job, || Ok(Ends::of_mqs(&there, &back)), || Ok(Ends::of_mqs(&back, &there)))
}

fn on_sysv_queues(job: &Job) -> Outcome<Vec<u64>> {
    let open = || SysvQueue::create_private(&SysvQueueOptions { temporary: true, ..Default::default() }).map(Rc::new);
    let (there, back) = (open()?, open()?);
    let ends = |from: &Rc<SysvQueue>, to: &Rc<SysvQueue>| Ends::SysvQueue { from: Rc::clone(from), to: Rc::clone(to) };
    converse(job, || Ok(ends(&there, &back)), || Ok(ends(&back, &there)))
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
        "datagram" => {
            let (own, peer) = UnixDatagram::pair(&DatagramOptions::default())?;
            converse(job, || Ok(Ends::Datagram(peer)), || Ok(Ends::Datagram(own)))
        }
        "seqpacket" => {
            let (own, peer) = Seqpacket::pair(&SeqpacketOptions::default())?;
            converse(job, || Ok(Ends::Seqpacket(peer)), || Ok(Ends::Seqpacket(own)))
        }
        "udp" => on_udp(job),
        "mq" => on_mqs(job),
        "sysv-queue" => on_sysv_queues(job),
        other => Err(format!("there is no mechanism {other}").into()),
    }
}
