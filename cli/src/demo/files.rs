//! Files: locks that two processes take in turn, a content that is replaced, records that are appended.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use unipc::Wait;
use unipc::file::exchange::{AppendOptions, Durability, Follower, FollowerOptions, ReplaceOptions, append, replace};
use unipc::file::lock::{FileLock, FileLockOptions, LockKind, LockMode, LockRange};

use super::messages::end_with_parent;
use super::{Outcome, PATIENCE, Peer, Report, Stage, raw};

/// Two processes that wait for each other by turns take their time: no more rounds of that than these.
const ADDITIONS: u32 = 1000;

fn kind_of(name: &str) -> Outcome<LockKind> {
    match name {
        "file-lock" => Ok(LockKind::Ofd),
        "flock" => Ok(LockKind::Flock),
        "record-lock" => Ok(LockKind::Record),
        other => Err(format!("there is no lock {other:?}").into()),
    }
}

/// The file's number, read and written by the lock's own descriptor: the close of another would lose a record lock.
fn number(file: &std::fs::File) -> Outcome<u64> {
    let mut bytes = [0; 8];
    match file.read_at(&mut bytes, 0)? {
        8 => Ok(u64::from_le_bytes(bytes)),
        _ => Ok(0),
    }
}

/// The lock, and the same open file to read and write.
fn open(path: &str, kind: LockKind) -> Outcome<(FileLock, std::fs::File)> {
    let lock = FileLock::open_or_create(path, &FileLockOptions { kind, ..Default::default() })?;
    let file = lock.as_fd().try_clone_to_owned()?.into();
    Ok((lock, file))
}

fn add(lock: &FileLock, file: &std::fs::File, times: u32) -> Outcome<()> {
    for _ in 0..times {
        let _held = lock.lock(LockMode::Exclusive, PATIENCE)?;
        file.write_all_at(&(number(file)? + 1).to_le_bytes(), 0)?;
    }
    Ok(())
}

fn wait_until(mut is_so: impl FnMut() -> Outcome<bool>) -> Outcome<()> {
    let start = Instant::now();
    while !is_so()? {
        if start.elapsed() > PATIENCE {
            return Err("the other process does not answer".into());
        }
        std::thread::sleep(Duration::from_micros(50));
    }
    Ok(())
}

pub(super) fn lock(stage: &Stage, name: &str) -> Outcome<Report> {
    let kind = kind_of(name)?;
    let path = stage.path(name);
    let times = stage.rounds.min(ADDITIONS);
    let (lock, file) = open(&path, kind)?;
    let mut peer = Peer::start("lock", &[name, &path, &times.to_string()])?;
    add(&lock, &file, times)?;
    // When the sum is complete the other process takes the lock, and keeps it.
    wait_until(|| Ok(lock.find_holder(LockMode::Exclusive, LockRange::WHOLE)?.is_some() && number(&file)? == 2 * u64::from(times)))?;
    let holder = lock.find_holder(LockMode::Exclusive, LockRange::WHOLE)?.and_then(|holder| holder.process);
    // Not every kind tells, and no kind tells the wrong one.
    if holder.is_some_and(|holder| holder != peer.id() as i32) {
        return Err(format!("{holder:?} was said to hold the lock").into());
    }
    peer.kill()?;
    drop(lock.lock(LockMode::Exclusive, PATIENCE)?);
    let library = || {
        drop(lock.lock(LockMode::Exclusive, Wait::NEVER)?);
        Ok(())
    };
    let measured = stage.time(library, || Ok(raw::lock_and_unlock(lock.as_fd(), kind)?))?;
    let told = holder.map_or_else(|| "killed holder let go".to_owned(), |holder| format!("killed holder {holder} let go"));
    Ok(Report { sent: format!("2 x {times} additions"), arrived: format!("{}; {told}", number(&file)?), times: measured })
}

pub(super) fn peer_of_lock(name: &str, path: &str, times: &str) -> Outcome<()> {
    let times = times.parse()?;
    let (lock, file) = open(path, kind_of(name)?)?;
    add(&lock, &file, times)?;
    wait_until(|| Ok(number(&file)? == 2 * u64::from(times)))?;
    let _held = lock.lock(LockMode::Exclusive, PATIENCE)?;
    super::sync::wait_to_be_killed()
}

/// The first record of a file that is to come.
fn first_record(path: &str) -> Outcome<String> {
    let options = FollowerOptions { wait_for_creator: PATIENCE.into(), ..Default::default() };
    let (record, _) = Follower::open(path, &options)?.receive_vec(PATIENCE)?;
    Ok(String::from_utf8_lossy(&record).into_owned())
}

fn answer(heard: &str, process: u32) -> String {
    format!("{heard} (process {process})")
}

fn expect(arrived: String, greeting: &str, peer: &Peer) -> Outcome<String> {
    if arrived == answer(greeting, peer.id()) { Ok(arrived) } else { Err(format!("{arrived:?} came back").into()) }
}

pub(super) fn replaced(stage: &Stage) -> Outcome<Report> {
    let (there, back) = (stage.path("replaced-there"), stage.path("replaced-back"));
    let fast = ReplaceOptions { durability: Durability::Nothing, ..Default::default() };
    let greeting = "hello, file";
    let peer = Peer::start("file-replace", &[&there, &back])?;
    replace(&there, format!("{greeting}\n").as_bytes(), &fast)?;
    let arrived = expect(first_record(&back)?, greeting, &peer)?;
    peer.finish()?;
    let (path, temporary) = (CString::new(stage.path("raw"))?, CString::new(stage.path("raw-new"))?);
    let data = [b'x'; 64];
    let times = stage.time(|| Ok(replace(&there, &data, &fast)?), || Ok(raw::replace(&path, &temporary, &data)?))?;
    Ok(Report { sent: greeting.to_owned(), arrived, times })
}

pub(super) fn peer_of_replaced(there: &str, back: &str) -> Outcome<()> {
    let heard = answer(&first_record(there)?, std::process::id());
    Ok(replace(back, format!("{heard}\n").as_bytes(), &ReplaceOptions { durability: Durability::Nothing, ..Default::default() })?)
}

/// A record of the rounds, with its newline, and what ends them.
const ROUND: &[u8] = b"0123456789012345678901234567890123456789012345678901234567890ab\n";
const END: &[u8] = b"the end; 789012345678901234567890123456789012345678901234567890\n";

fn add_record(path: &str, record: &[u8], wait: Wait<'_>) -> Outcome<()> {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    Ok(append(path, record, &AppendOptions::default(), wait)?)
}

pub(super) fn appended(stage: &Stage) -> Outcome<Report> {
    let names = ["log-there", "log-back", "raw-log-there", "raw-log-back"].map(|name| stage.path(name));
    let [there, back, raw_there, raw_back] = &names;
    for path in [there, back] {
        std::fs::File::create_new(path)?;
    }
    let (raw_there, mut raw_back) = (raw::Log::open(raw_there)?, raw::Log::open(raw_back)?);
    let mut follower = Follower::open(back, &FollowerOptions::default())?;
    let peer = Peer::start("file-append", &names.each_ref().map(String::as_str))?;
    let greeting = "hello, log";
    append(there, greeting.as_bytes(), &AppendOptions::default(), PATIENCE)?;
    let arrived = expect(String::from_utf8_lossy(&follower.receive_vec(PATIENCE)?.0).into_owned(), greeting, &peer)?;
    let mut place = [0; ROUND.len()];
    let library = || {
        add_record(there, ROUND, PATIENCE.into())?;
        let found = follower.receive(&mut place, PATIENCE)?;
        if place[..found.size] == ROUND[..ROUND.len() - 1] { Ok(()) } else { Err("another record came back".into()) }
    };
    let mut raw_place = [0; ROUND.len()];
    let raw = || {
        raw_there.append(ROUND)?;
        raw_back.receive(&mut raw_place)?;
        if raw_place == ROUND { Ok(()) } else { Err("another record came back".into()) }
    };
    // Who waits without a limit, which is the raw one, is told.
    let give_up = || drop(raw::Log::open(&names[3]).and_then(|log| log.append(END)));
    let times = stage.time_until(&give_up, library, raw)?;
    add_record(there, END, PATIENCE.into())?;
    peer.finish()?;
    Ok(Report { sent: greeting.to_owned(), arrived, times })
}

pub(super) fn peer_of_appended(there: &str, back: &str, raw_there: &str, raw_back: &str) -> Outcome<()> {
    end_with_parent();
    let mut follower = Follower::open(there, &FollowerOptions::default())?;
    let (mut raw_there, raw_back) = (raw::Log::open(raw_there)?, raw::Log::open(raw_back)?);
    let heard = String::from_utf8_lossy(&follower.receive_vec(PATIENCE)?.0).into_owned();
    append(back, answer(&heard, std::process::id()).as_bytes(), &AppendOptions::default(), PATIENCE)?;
    let mut record = [0; ROUND.len()];
    loop {
        let size = follower.receive(&mut record, Wait::FOREVER)?.size;
        if record[..size] != ROUND[..ROUND.len() - 1] {
            return Ok(());
        }
        add_record(back, ROUND, Wait::FOREVER)?;
        raw_there.receive(&mut record)?;
        raw_back.append(&record)?;
    }
}
