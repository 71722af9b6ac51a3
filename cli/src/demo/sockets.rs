//! Sockets that keep boundaries: the peer sends back what it receives, the first time with its own number; and descriptors that travel: the peer writes
//! into what it was sent.
//!
//! Datagrams have no end: an empty one says that it is over, and when the rounds come to a halt the own socket is shut down, which wakes who waits.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Stdio;

use unipc::message::{Datagram, DatagramOptions, Seqpacket, SeqpacketListener, SeqpacketOptions, UdpOptions, UdpSocket, UnixDatagram};
use unipc::stream::{ByteStream, UnixConnectOptions, UnixListenOptions, UnixStream};
use unipc::{Failure, Wait};

use super::messages::{SIZE, answer, end_with_parent, met, round};
use super::raw_sockets::{Carrier, Packets};
use super::{Outcome, PATIENCE, Peer, Report, Stage};

/// Addresses of both sides, which wait for each other.
const CONNECT: UnixConnectOptions = UnixConnectOptions { any_owner: false, wait_for_listener: true };

fn converse(stage: &Stage, greeting: &str, ours: &Datagram, peer: Peer) -> Outcome<Report> {
    let mut first = [0; SIZE];
    ours.send(None, greeting.as_bytes(), PATIENCE)?;
    let size = ours.receive(&mut first, PATIENCE)?.size;
    let arrived = met(greeting, &first[..size], &peer)?;
    let mut numbers = (0, 0);
    let library = || {
        round(&mut numbers.0, |message, place| {
            ours.send(None, message, Wait::FOREVER)?;
            Ok(ours.receive(place, Wait::FOREVER)?.size)
        })
    };
    let raw_ours = Packets::of(ours);
    let raw = || {
        round(&mut numbers.1, |message, place| {
            raw_ours.send(message)?;
            Ok(raw_ours.receive(place)?)
        })
    };
    let times = stage.time_until(&|| raw_ours.wake(), library, raw)?;
    ours.send(None, b"", PATIENCE)?;
    peer.finish()?;
    Ok(Report { sent: greeting.to_owned(), arrived, times })
}

/// The peer: answers until an empty message, by the library and by the raw calls in turn, as it is asked.
fn echo(ours: &Datagram) -> Outcome<()> {
    let mut message = [0; SIZE];
    let size = ours.receive(&mut message, PATIENCE)?.size;
    ours.send(None, answer(&message[..size], std::process::id()).as_bytes(), PATIENCE)?;
    let raw_ours = Packets::of(ours);
    loop {
        let size = ours.receive(&mut message, Wait::FOREVER)?.size;
        if size == 0 {
            return Ok(());
        }
        ours.send(None, &message[..size], Wait::FOREVER)?;
        let size = raw_ours.receive(&mut message)?;
        if size == 0 {
            return Ok(());
        }
        raw_ours.send(&message[..size])?;
    }
}

/// A receiver at `own` that speaks with `other`.
fn datagram_between(own: &str, other: &str) -> Outcome<Datagram> {
    let socket = UnixDatagram::open(own, &DatagramOptions::default())?;
    socket.connect(other, &CONNECT, PATIENCE)?;
    Ok(Datagram::Unix(socket))
}

pub(super) fn datagram(stage: &Stage) -> Outcome<Report> {
    let (there, back) = (stage.path("datagram-there"), stage.path("datagram-back"));
    let peer = Peer::start("datagram", &[&there, &back])?;
    converse(stage, "hello by datagram", &datagram_between(&back, &there)?, peer)
}

pub(super) fn peer_of_datagram(own: &str, other: &str) -> Outcome<()> {
    end_with_parent();
    echo(&datagram_between(own, other)?)
}

pub(super) fn udp(stage: &Stage) -> Outcome<Report> {
    let socket = UdpSocket::open(None, 0, &UdpOptions::default())?;
    let peer = Peer::start("udp", &[&socket.address()?])?;
    // The peer's address comes with its first message.
    let (_, address) = socket.receive_from(&mut [0; SIZE], PATIENCE)?;
    socket.connect(&address)?;
    converse(stage, "hello by UDP", &Datagram::Udp(socket), peer)
}

pub(super) fn peer_of_udp(other: &str) -> Outcome<()> {
    end_with_parent();
    let socket = UdpSocket::open(None, 0, &UdpOptions::default())?;
    socket.connect(other)?;
    socket.send(b"here", PATIENCE)?;
    echo(&Datagram::Udp(socket))
}

pub(super) fn seqpacket(stage: &Stage) -> Outcome<Report> {
    let path = stage.path("seqpacket");
    let listener = SeqpacketListener::open(&path, &UnixListenOptions::default())?;
    let peer = Peer::start("seqpacket", &[&path])?;
    let ours = listener.accept(&SeqpacketOptions { credentials: true, ..Default::default() }, PATIENCE)?;
    let greeting = "hello by seqpacket";
    let mut first = [0; SIZE];
    ours.send(greeting.as_bytes(), PATIENCE)?;
    let info = ours.receive(&mut first, PATIENCE)?;
    let arrived = met(greeting, &first[..info.size], &peer)?;
    if info.sender.is_none_or(|sender| u32::try_from(sender.pid) != Ok(peer.id())) {
        return Err(format!("the message is from {:?}", info.sender).into());
    }
    let mut numbers = (0, 0);
    let library = || {
        round(&mut numbers.0, |message, place| {
            ours.send(message, Wait::FOREVER)?;
            Ok(ours.receive(place, Wait::FOREVER)?.size)
        })
    };
    let raw_ours = Packets::of(&ours);
    let raw = || {
        round(&mut numbers.1, |message, place| {
            raw_ours.send(message)?;
            Ok(raw_ours.receive(place)?)
        })
    };
    let times = stage.time_watched(&peer, library, raw)?;
    drop(ours);
    peer.finish()?;
    Ok(Report { sent: greeting.to_owned(), arrived, times })
}

pub(super) fn peer_of_seqpacket(path: &str) -> Outcome<()> {
    let ours = Seqpacket::connect(path, &UnixConnectOptions::default(), &SeqpacketOptions::default(), PATIENCE)?;
    let mut message = [0; SIZE];
    let size = ours.receive(&mut message, PATIENCE)?.size;
    ours.send(answer(&message[..size], std::process::id()).as_bytes(), PATIENCE)?;
    let raw_ours = Packets::of(&ours);
    loop {
        match ours.receive(&mut message, Wait::FOREVER) {
            Ok(info) => ours.send(&message[..info.size], Wait::FOREVER)?,
            Err(error) if error.is_failure(Failure::End) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let size = raw_ours.receive(&mut message)?;
        if size == 0 {
            return Ok(());
        }
        raw_ours.send(&message[..size])?;
    }
}

/// One byte and one descriptor.
fn take(stream: &ByteStream, wait: Wait<'_>) -> Outcome<Option<OwnedFd>> {
    let (size, mut descriptors) = stream.receive_descriptors(&mut [0], 1, wait)?;
    match (size, descriptors.pop()) {
        (0, _) => Ok(None),
        (_, Some(descriptor)) => Ok(Some(descriptor)),
        (_, None) => Err("a byte came without a descriptor".into()),
    }
}

/// Whether both are open descriptions of the same file.
fn require_same(sent: BorrowedFd<'_>, back: Option<OwnedFd>) -> Outcome<()> {
    let place = |descriptor: BorrowedFd<'_>| -> Outcome<(u64, u64)> {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::File::from(descriptor.try_clone_to_owned()?).metadata()?;
        Ok((metadata.dev(), metadata.ino()))
    };
    match back {
        Some(back) if place(sent)? == place(back.as_fd())? => Ok(()),
        Some(_) => Err("another file came back".into()),
        None => Err("the second process has ended".into()),
    }
}

pub(super) fn descriptors(stage: &Stage) -> Outcome<Report> {
    let (ours, theirs) = UnixStream::pair()?;
    let ours = ByteStream::from(ours);
    let peer = Peer::start_with("fd-passing", &[], OwnedFd::from(theirs), Stdio::null())?;
    // The peer gets the only other end of a pipe, and what it writes there arrives here.
    let (reader, writer) = unipc::stream::pipe()?;
    let greeting = "a pipe to write into";
    ours.send_descriptors(b"p", &[writer.as_fd()], PATIENCE)?;
    drop(writer);
    let mut arrived = String::new();
    std::fs::File::from(OwnedFd::from(reader)).take(SIZE as u64).read_to_string(&mut arrived)?;
    if arrived != answer(b"written there", peer.id()) {
        return Err(format!("{arrived:?} was written").into());
    }
    let file = std::fs::File::open("/proc/self/exe")?;
    let library = || {
        ours.send_descriptors(b"f", &[file.as_fd()], Wait::FOREVER)?;
        require_same(file.as_fd(), take(&ours, Wait::FOREVER)?)
    };
    let carrier = Carrier::of(&ours);
    let raw = || {
        carrier.send(file.as_fd())?;
        require_same(file.as_fd(), carrier.receive()?)
    };
    let times = stage.time_watched(&peer, library, raw)?;
    drop(ours);
    peer.finish()?;
    Ok(Report { sent: greeting.to_owned(), arrived, times })
}

pub(super) fn peer_of_descriptors() -> Outcome<()> {
    let ours = ByteStream::adopt(std::io::stdin().as_fd().try_clone_to_owned()?).map_err(|(_, error)| error)?;
    let pipe = take(&ours, PATIENCE.into())?.ok_or("nothing came")?;
    let pipe = ByteStream::adopt(pipe).map_err(|(_, error)| error)?;
    pipe.write_all_within(answer(b"written there", std::process::id()).as_bytes(), PATIENCE)?;
    drop(pipe);
    let carrier = Carrier::of(&ours);
    while let Some(descriptor) = take(&ours, Wait::FOREVER)? {
        ours.send_descriptors(b"f", &[descriptor.as_fd()], Wait::FOREVER)?;
        let Some(descriptor) = carrier.receive()? else { break };
        carrier.send(descriptor.as_fd())?;
    }
    Ok(())
}
