//! Message queues: the peer sends back what it receives, the first time with its own number, so that the answer proves who has received it.
//!
//! A queue does not end when the other side does. When the rounds come to a halt the peer is gone or stuck; then the queue itself tells the one who
//! waits: by an empty message, or by its removal.

use unipc::Wait;
use unipc::message::{Mq, MqOptions, SysvQueue, SysvQueueOptions, Which};

use super::{Outcome, PATIENCE, Peer, Report, Stage, raw};

/// Every message has this size.
pub(super) const SIZE: usize = 64;

/// The types of what goes there and of what comes back, in the one System V queue.
const THERE: i64 = 1;
const BACK: i64 = 2;

fn numbered(number: u64) -> [u8; SIZE] {
    let mut message = [0; SIZE];
    message[..8].copy_from_slice(&number.to_le_bytes());
    message
}

/// What the peer answers to the first message.
pub(super) fn answer(heard: &[u8], process: u32) -> String {
    format!("{} (process {process})", String::from_utf8_lossy(heard))
}

/// A round: what goes there comes back.
pub(super) fn round(number: &mut u64, exchange: impl FnOnce(&[u8], &mut [u8; SIZE]) -> Outcome<usize>) -> Outcome<()> {
    *number += 1;
    let (message, mut back) = (numbered(*number), [0; SIZE]);
    let size = exchange(&message, &mut back)?;
    if size == SIZE && message == back { Ok(()) } else { Err(format!("message {number} came back changed, or not at all").into()) }
}

/// Ends this process with its parent: its waits have no limit.
pub(super) fn end_with_parent() {
    // SAFETY: prctl takes integers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

pub(super) fn met(greeting: &str, arrived: &[u8], peer: &Peer) -> Outcome<String> {
    let arrived = String::from_utf8_lossy(arrived).into_owned();
    if arrived == answer(greeting.as_bytes(), peer.id()) { Ok(arrived) } else { Err(format!("{arrived:?} came back").into()) }
}

pub(super) fn mq(stage: &Stage) -> Outcome<Report> {
    let options = MqOptions { capacity: 8, largest: SIZE, temporary: true, ..Default::default() };
    let names = [stage.name("there"), stage.name("back")];
    let (there, back) = (Mq::create(&names[0], &options)?, Mq::create(&names[1], &options)?);
    let peer = Peer::start("mq", &[&names[0], &names[1]])?;
    let greeting = "hello, queue";
    there.send(greeting.as_bytes(), 1, PATIENCE)?;
    let arrived = met(greeting, &back.receive_vec(PATIENCE)?.0, &peer)?;
    let mut numbers = (0, 0);
    let library = || {
        round(&mut numbers.0, |message, place| {
            there.send(message, 0, Wait::FOREVER)?;
            Ok(back.receive(place, Wait::FOREVER)?.size)
        })
    };
    let (raw_there, raw_back) = (raw::Queue::of(&there), raw::Queue::of(&back));
    let raw = || {
        round(&mut numbers.1, |message, place| {
            raw_there.send(message)?;
            Ok(raw_back.receive(place)?)
        })
    };
    let times = stage.time_until(&|| drop(back.send(b"", 0, Wait::NEVER)), library, raw)?;
    there.send(b"", 0, PATIENCE)?;
    peer.finish()?;
    Ok(Report { sent: greeting.to_owned(), arrived, times })
}

pub(super) fn peer_of_mq(there: &str, back: &str) -> Outcome<()> {
    end_with_parent();
    let options = MqOptions::default();
    let (there, back) = (Mq::open(there, &options)?, Mq::open(back, &options)?);
    let (heard, info) = there.receive_vec(PATIENCE)?;
    back.send(answer(&heard, std::process::id()).as_bytes(), info.priority, PATIENCE)?;
    let (raw_there, raw_back) = (raw::Queue::of(&there), raw::Queue::of(&back));
    let mut message = [0; SIZE];
    loop {
        let size = there.receive(&mut message, Wait::FOREVER)?.size;
        if size == 0 {
            return Ok(());
        }
        back.send(&message[..size], 0, Wait::FOREVER)?;
        let size = raw_there.receive(&mut message)?;
        if size == 0 {
            return Ok(());
        }
        raw_back.send(&message[..size])?;
    }
}

pub(super) fn sysv_queue(stage: &Stage) -> Outcome<Report> {
    let queue = SysvQueue::create_private(&SysvQueueOptions { temporary: true, ..Default::default() })?;
    let peer = Peer::start("sysv-queue", &[&queue.id().to_string()])?;
    let greeting = "hello, typed queue";
    queue.send(greeting.as_bytes(), THERE, PATIENCE)?;
    let arrived = met(greeting, &queue.receive_vec(Which::Type(BACK), PATIENCE)?.0, &peer)?;
    let mut numbers = (0, 0);
    let library = || {
        round(&mut numbers.0, |message, place| {
            queue.send(message, THERE, Wait::FOREVER)?;
            Ok(queue.receive(place, Which::Type(BACK), Wait::FOREVER)?.size)
        })
    };
    let raw_queue = raw::TypedQueue::<SIZE>::of(queue.id());
    let raw = || {
        round(&mut numbers.1, |message, place| {
            raw_queue.send(message, THERE)?;
            Ok(raw_queue.receive(place, BACK)?)
        })
    };
    let times = stage.time_until(&|| drop(queue.remove()), library, raw)?;
    queue.send(b"", THERE, PATIENCE)?;
    peer.finish()?;
    Ok(Report { sent: greeting.to_owned(), arrived, times })
}

pub(super) fn peer_of_sysv_queue(id: &str) -> Outcome<()> {
    end_with_parent();
    let queue = SysvQueue::open_id(id.parse()?, &SysvQueueOptions::default())?;
    let (heard, _) = queue.receive_vec(Which::Type(THERE), PATIENCE)?;
    queue.send(answer(&heard, std::process::id()).as_bytes(), BACK, PATIENCE)?;
    let raw_queue = raw::TypedQueue::<SIZE>::of(queue.id());
    let mut message = [0; SIZE];
    loop {
        let size = queue.receive(&mut message, Which::Type(THERE), Wait::FOREVER)?.size;
        if size == 0 {
            return Ok(());
        }
        queue.send(&message[..size], BACK, Wait::FOREVER)?;
        let size = raw_queue.receive(&mut message, THERE)?;
        if size == 0 {
            return Ok(());
        }
        raw_queue.send(&message[..size], BACK)?;
    }
}
