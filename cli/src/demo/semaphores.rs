//! System V semaphores and words that processes sleep on, with the bare calls beside them.

use std::io::{Error, ErrorKind, Result};
use std::sync::atomic::{AtomicU32, Ordering};

use unipc::memory::{self, Memory};
use unipc::sync::{SysvOperation, SysvSemaphores, SysvSemaphoresOptions, futex_wait, futex_wake};

use super::sync::wait_to_be_killed;
use super::{Outcome, PATIENCE, Peer, Report, Stage};

/// The semaphores of the set.
const THERE: usize = 0;
const BACK: usize = 1;
const RAW_THERE: usize = 2;
const RAW_BACK: usize = 3;
const HELD: usize = 4;

/// Bare calls on the same set.
struct RawSet(i32);

impl RawSet {
    fn change(&self, semaphore: usize, change: i16) -> Result<()> {
        let limit = libc::timespec { tv_sec: PATIENCE.as_secs() as libc::time_t, tv_nsec: 0 };
        let mut operation = libc::sembuf { sem_num: semaphore as u16, sem_op: change, sem_flg: 0 };
        loop {
            // SAFETY: one operation and a time, which live through the call.
            if unsafe { libc::syscall(libc::SYS_semtimedop, self.0, &raw mut operation, 1usize, &raw const limit) } == 0 {
                return Ok(());
            }
            retry()?;
        }
    }
}

/// The failure of the last call, unless a signal has ended it.
fn retry() -> Result<()> {
    match Error::last_os_error() {
        error if error.kind() == ErrorKind::Interrupted => Ok(()),
        error => Err(error),
    }
}

pub(super) fn sysv(stage: &Stage) -> Outcome<Report> {
    let options = SysvSemaphoresOptions { values: vec![0, 0, 0, 0, 1], temporary: true, ..Default::default() };
    let set = SysvSemaphores::create_private(&options)?;
    let mut peer = Peer::start("sysv-semaphores", &[&set.id().to_string(), &stage.rounds.to_string()])?;
    let raw = RawSet(set.id());
    let mut count = 0;
    let library = || {
        set.post(THERE)?;
        set.wait(BACK, PATIENCE)?;
        count += 1;
        Ok(())
    };
    let times = stage.time(library, || Ok(raw.change(RAW_THERE, 1).and_then(|()| raw.change(RAW_BACK, -1))?))?;
    set.wait(BACK, PATIENCE)?;
    match set.try_wait(HELD) {
        Err(error) if error.code() == -libc::EAGAIN => {}
        Err(error) => return Err(error.into()),
        Ok(()) => return Err("two processes hold the only unit".into()),
    }
    peer.kill()?;
    set.wait(HELD, PATIENCE)?;
    if count != stage.rounds {
        return Err(format!("{count} of {} units arrived", stage.rounds).into());
    }
    Ok(Report { sent: format!("{count} units"), arrived: format!("{count}, each answered; a killed holder's came back"), times })
}

pub(super) fn peer_of_sysv(id: &str, rounds: &str) -> Outcome<()> {
    let set = SysvSemaphores::open_id(id.parse()?, &SysvSemaphoresOptions::default())?;
    let raw = RawSet(set.id());
    for _ in 0..rounds.parse::<u32>()? {
        set.wait(THERE, PATIENCE)?;
        set.post(BACK)?;
        raw.change(RAW_THERE, -1)?;
        raw.change(RAW_BACK, 1)?;
    }
    set.operate(&[SysvOperation::take(HELD, 1).undo(), SysvOperation::give(BACK, 1)], PATIENCE)?;
    wait_to_be_killed()
}

unipc::shareable! {
    /// Each word counts the rounds that one side has begun.
    struct Words {
        there: AtomicU32,
        back: AtomicU32,
        raw_there: AtomicU32,
        raw_back: AtomicU32,
    }
}

fn ring(word: &AtomicU32) {
    word.fetch_add(1, Ordering::Release);
    futex_wake(word, 1);
}

fn await_round(word: &AtomicU32, round: u32) -> Outcome<()> {
    loop {
        let seen = word.load(Ordering::Acquire);
        if seen >= round {
            return Ok(());
        }
        futex_wait(word, seen, PATIENCE)?;
    }
}

fn raw_ring(word: &AtomicU32) {
    word.fetch_add(1, Ordering::Release);
    // SAFETY: the word lives through the call; the kernel only uses its address.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
}

fn raw_await_round(word: &AtomicU32, round: u32) -> Result<()> {
    let limit = libc::timespec { tv_sec: PATIENCE.as_secs() as libc::time_t, tv_nsec: 0 };
    loop {
        let seen = word.load(Ordering::Acquire);
        if seen >= round {
            return Ok(());
        }
        // SAFETY: the word and the time live through the call.
        let result = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, seen, &raw const limit) };
        if result != 0 && Error::last_os_error().kind() != ErrorKind::WouldBlock {
            retry()?;
        }
    }
}

pub(super) fn futex(stage: &Stage) -> Outcome<Report> {
    let name = stage.name("futex");
    let words = memory::create::<Words>(&name)?;
    let unnamed = Peer::start("futex", &[&name, &stage.rounds.to_string()]).and_then(|peer| {
        let (mut round, mut raw_round) = (0, 0);
        let library = || {
            round += 1;
            ring(&words.there);
            await_round(&words.back, round)
        };
        let raw = || {
            raw_round += 1;
            raw_ring(&words.raw_there);
            Ok(raw_await_round(&words.raw_back, raw_round)?)
        };
        let times = stage.time(library, raw)?;
        peer.finish()?;
        Ok(times)
    });
    let _ = Memory::unlink(&name);
    let (times, count) = (unnamed?, words.back.load(Ordering::Relaxed));
    if count != stage.rounds {
        return Err(format!("{count} of {} rounds were answered", stage.rounds).into());
    }
    Ok(Report { sent: format!("{count} changes of a word"), arrived: format!("{count}, each answered"), times })
}

pub(super) fn peer_of_futex(name: &str, rounds: &str) -> Outcome<()> {
    let words = memory::open::<Words>(name)?;
    for round in 1..=rounds.parse()? {
        await_round(&words.there, round)?;
        ring(&words.back);
        raw_await_round(&words.raw_there, round)?;
        raw_ring(&words.raw_back);
    }
    Ok(())
}
