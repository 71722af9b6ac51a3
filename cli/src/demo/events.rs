//! Events: a counter, a timer, signals, and processes that end.
//!
//! A counter and a signal have no end when the other side goes. When the rounds come to a halt, the one who waits is told by a notice of another value.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use unipc::Wait;
use unipc::event::signal::{self, Signals, Target};
use unipc::event::{Clock, EventCounter, Events, ExitStatus, Interest, Poller, Timer};
use unipc::process::{Command, Pipeline};
use unipc::stream::pipe;

use super::messages::end_with_parent;
use super::{Outcome, PATIENCE, Peer, Report, Stage, raw};

/// What is added, or sent, for one round; anything else is the end.
const ONE: u64 = 1;
const END: u64 = 2;

/// One that blocks, for the raw calls.
fn counter() -> Outcome<EventCounter> {
    adopt(raw::counter()?)
}

fn adopt(descriptor: OwnedFd) -> Outcome<EventCounter> {
    EventCounter::adopt(descriptor).map_err(|(_, error)| error.into())
}

/// One round of a notice: what came back must be what was sent.
fn expect(value: u64) -> Outcome<()> {
    if value == ONE { Ok(()) } else { Err(format!("a notice of {value} came back").into()) }
}

pub(super) fn eventfd(stage: &Stage) -> Outcome<Report> {
    let (there, back) = (counter()?, counter()?);
    let peer = Peer::start_with("eventfd", &[], there.as_fd().try_clone_to_owned()?, back.as_fd().try_clone_to_owned()?)?;
    there.add(5, PATIENCE)?;
    let arrived = back.take(PATIENCE)?;
    if arrived != 7 {
        return Err(format!("{arrived} came back for 5").into());
    }
    let library = || {
        there.add(ONE, Wait::FOREVER)?;
        expect(back.take(Wait::FOREVER)?)
    };
    let (raw_there, raw_back) = (raw::End::of(&there), raw::End::of(&back));
    let raw = || {
        raw_there.write_all(&ONE.to_ne_bytes())?;
        let mut value = [0; 8];
        raw_back.read_exact(&mut value)?;
        expect(u64::from_ne_bytes(value))
    };
    let times = stage.time_until(&|| drop(back.add(END, Wait::NEVER)), library, raw)?;
    there.add(END, PATIENCE)?;
    peer.finish()?;
    Ok(Report { sent: "5".to_owned(), arrived: format!("{arrived}, which is 5 and 2 of the other process"), times })
}

/// The other process is that of the counter: it adds, and the poller tells which of its sources that is.
pub(super) fn poller(stage: &Stage) -> Outcome<Report> {
    let (there, back, timer) = (counter()?, counter()?, Timer::create(Clock::Monotonic)?);
    let peer = Peer::start_with("eventfd", &[], there.as_fd().try_clone_to_owned()?, back.as_fd().try_clone_to_owned()?)?;
    let poller = Poller::new()?;
    poller.add(&back, Interest::READABLE, 1)?;
    poller.add(&timer, Interest::READABLE, 2)?;
    let mut events = Events::with_capacity(8);
    timer.set(Duration::from_micros(1), Duration::ZERO)?;
    there.add(5, PATIENCE)?;
    let mut told = Vec::new();
    while told.len() < 2 {
        poller.wait(&mut events, PATIENCE)?;
        for event in &mut events {
            told.push(match event.token {
                1 => format!("the counter: {}", back.take(Wait::NEVER)?),
                _ => format!("the timer: {}", timer.wait(Wait::NEVER)?),
            });
        }
    }
    told.sort();
    let library = || {
        there.add(ONE, Wait::FOREVER)?;
        poller.wait(&mut events, Wait::FOREVER)?;
        if events.next().map(|event| event.token) != Some(1) {
            return Err("the event is of another source".into());
        }
        expect(back.take(Wait::FOREVER)?)
    };
    let (raw_there, raw_back) = (raw::End::of(&there), raw::End::of(&back));
    let raw = || {
        raw_there.write_all(&ONE.to_ne_bytes())?;
        raw::await_readable(&back)?;
        let mut value = [0; 8];
        raw_back.read_exact(&mut value)?;
        expect(u64::from_ne_bytes(value))
    };
    let times = stage.time_until(&|| drop(back.add(END, Wait::NEVER)), library, raw)?;
    there.add(END, PATIENCE)?;
    peer.finish()?;
    Ok(Report { sent: "to a counter, and by a timer".to_owned(), arrived: told.join(", "), times })
}

pub(super) fn peer_of_eventfd() -> Outcome<()> {
    end_with_parent();
    let there = adopt(std::io::stdin().as_fd().try_clone_to_owned()?)?;
    let back = adopt(std::io::stdout().as_fd().try_clone_to_owned()?)?;
    back.add(there.take(PATIENCE)? + 2, PATIENCE)?;
    let (raw_there, raw_back) = (raw::End::of(&there), raw::End::of(&back));
    let mut value = [0; 8];
    loop {
        let notice = there.take(Wait::FOREVER)?;
        if notice != ONE {
            return Ok(());
        }
        back.add(notice, Wait::FOREVER)?;
        raw_there.read_exact(&mut value)?;
        if u64::from_ne_bytes(value) != ONE {
            return Ok(());
        }
        raw_back.write_all(&value)?;
    }
}

pub(super) fn timer(stage: &Stage) -> Outcome<Report> {
    let timer = Timer::create(Clock::Monotonic)?;
    let period = Duration::from_millis(2);
    timer.set(period, period)?;
    let (start, mut expirations) = (Clock::Monotonic.now(), 0);
    while expirations < 5 {
        expirations += timer.wait(PATIENCE)?;
    }
    let took = Clock::Monotonic.now() - start;
    if took + Duration::from_millis(1) < 5 * period {
        return Err(format!("5 periods of {period:?} passed in {took:?}").into());
    }
    let soon = Duration::from_micros(1);
    let library = || {
        timer.set(soon, Duration::ZERO)?;
        expect(timer.wait(PATIENCE)?)
    };
    let raw = || {
        raw::set_timer(&timer, libc::timespec { tv_sec: 0, tv_nsec: 1000 })?;
        raw::await_readable(&timer)?;
        let mut value = [0; 8];
        raw::End::of(&timer).read_exact(&mut value)?;
        expect(u64::from_ne_bytes(value))
    };
    let times = stage.time(library, raw)?;
    Ok(Report { sent: "every 2 ms, 5 times".to_owned(), arrived: format!("{expirations} in {:.1} ms", took.as_secs_f64() * 1e3), times })
}

fn real_time_signal() -> i32 {
    *signal::real_time().start()
}

pub(super) fn signal(stage: &Stage) -> Outcome<Report> {
    let number = real_time_signal();
    let signals = Signals::block(&[number])?;
    let peer = Peer::start("signal", &[])?;
    let process = i32::try_from(peer.id())?;
    // The peer says that it listens; a signal before that would end it.
    let first = signals.receive(PATIENCE)?;
    if first.sender_pid != Some(process) {
        return Err(format!("a signal of process {:?} came, not of {process}", first.sender_pid).into());
    }
    signal::send_value(Target::Process(process), number, 42)?;
    let answer = signals.receive(PATIENCE)?;
    if answer.value != Some(43) || answer.sender_pid != Some(process) {
        return Err(format!("{answer:?} came back for 42").into());
    }
    let one = ONE as i32;
    let library = || {
        signal::send_value(Target::Process(process), number, one)?;
        expect(signals.receive(Wait::FOREVER)?.value.unwrap_or_default() as u64)
    };
    let raw = || {
        raw::send_signal(process, number, one)?;
        expect(raw::receive_signal(number)? as u64)
    };
    let give_up = || drop(signal::send_value(Target::Process(std::process::id() as i32), number, END as i32));
    let times = stage.time_until(&give_up, library, raw)?;
    signal::send_value(Target::Process(process), number, END as i32)?;
    peer.finish()?;
    Ok(Report { sent: "42 to a process".to_owned(), arrived: format!("43 from process {process}"), times })
}

pub(super) fn peer_of_signal() -> Outcome<()> {
    end_with_parent();
    let number = real_time_signal();
    let signals = Signals::block(&[number])?;
    let parent = std::os::unix::process::parent_id() as i32;
    signal::send_value(Target::Process(parent), number, 0)?;
    let greeting = signals.receive(PATIENCE)?;
    signal::send_value(Target::Process(parent), number, greeting.value.unwrap_or_default() + 1)?;
    let one = ONE as i32;
    loop {
        if signals.receive(Wait::FOREVER)?.value != Some(one) {
            return Ok(());
        }
        signal::send_value(Target::Process(parent), number, one)?;
        if raw::receive_signal(number)? != one {
            return Ok(());
        }
        raw::send_signal(parent, number, one)?;
    }
}

/// This program as the other process, once for the library and once for the raw calls.
fn command_line(mechanism: &str) -> Vec<std::ffi::OsString> {
    let command = crate::itself();
    let arguments = command.get_args().map(std::ffi::OsStr::to_owned);
    let mut line: Vec<_> = std::iter::once(command.get_program().to_owned()).chain(arguments).collect();
    line.extend(["__peer", mechanism].map(Into::into));
    line
}

fn command<'a>(line: &[std::ffi::OsString]) -> Command<'a> {
    Command::new(&line[0]).arguments(&line[1..])
}

pub(super) fn process_exit(stage: &Stage) -> Outcome<Report> {
    let process = command(&command_line("wait")).spawn()?;
    process.send_signal(libc::SIGKILL)?;
    let status = process.wait(PATIENCE)?;
    if !matches!(status, ExitStatus::Killed { signal: libc::SIGKILL, .. }) {
        return Err(format!("a killed process was said to be {status:?}").into());
    }
    let line = command_line("exit");
    let texts = line.iter().map(|part| CString::new(part.as_bytes())).collect::<std::result::Result<Vec<_>, _>>()?;
    let texts: Vec<_> = texts.iter().map(CString::as_c_str).collect();
    let library = || match command(&line).spawn()?.wait(PATIENCE)? {
        ExitStatus::Exited(0) => Ok(()),
        other => Err(format!("the process was {other:?}").into()),
    };
    let raw = || match raw::spawn_and_wait(texts[0], &texts)? {
        0 => Ok(()),
        other => Err(format!("the process had the status {other}").into()),
    };
    // A process takes a thousand times as long as what else is timed.
    let times = stage.time_few(20, library, raw)?;
    Ok(Report { sent: "SIGKILL to a process".to_owned(), arrived: "killed by signal 9".to_owned(), times })
}

pub(super) fn pipeline(stage: &Stage) -> Outcome<Report> {
    let ((input, writer), (reader, output)) = (pipe()?, pipe()?);
    let line = command_line("pipeline");
    let pipeline = Pipeline::spawn(&[command(&line).descriptor(0, &input), command(&line), command(&line).descriptor(1, &output)])?;
    drop((input, output));
    let greeting = "hello, pipeline";
    writer.write_all_within(greeting.as_bytes(), PATIENCE)?;
    let mut arrived = [0; 15];
    reader.read_exact_within(&mut arrived, PATIENCE)?;
    if arrived != greeting.as_bytes() {
        return Err(format!("{:?} came back", String::from_utf8_lossy(&arrived)).into());
    }
    let library = || {
        writer.write_all_within(&ONE.to_ne_bytes(), Wait::FOREVER)?;
        let mut value = [0; 8];
        reader.read_exact_within(&mut value, Wait::FOREVER)?;
        expect(u64::from_ne_bytes(value))
    };
    let (raw_writer, raw_reader) = (raw::End::of(&writer), raw::End::of(&reader));
    let raw = || {
        raw_writer.write_all(&ONE.to_ne_bytes())?;
        let mut value = [0; 8];
        raw_reader.read_exact(&mut value)?;
        expect(u64::from_ne_bytes(value))
    };
    let times = stage.time_until(&|| drop(pipeline.send_signal(libc::SIGKILL)), library, raw)?;
    drop(writer);
    let statuses = pipeline.wait(PATIENCE)?;
    if !statuses.iter().all(|status| status.is_success()) {
        return Err(format!("the stages were {statuses:?}").into());
    }
    Ok(Report { sent: greeting.to_owned(), arrived: "the same, through 3 processes; 0 0 0".to_owned(), times })
}

/// One stage: what it reads it writes.
pub(super) fn peer_of_pipeline() -> Outcome<()> {
    end_with_parent();
    // Without a buffer: the others wait for every piece.
    let mut output = std::fs::File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    std::io::copy(&mut std::io::stdin().lock(), &mut output)?;
    Ok(())
}
