//! Memory: one word says whose turn it is, the text stands beside it.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use unipc::memory::{Memory, MemoryOptions, Seals};

use super::raw::Page;
use super::{Outcome, PATIENCE, Peer, Report, Stage};

const SIZE: usize = 4096;
/// Where the text stands; the turn stands at 0.
const TEXT: usize = 64;
const LONGEST: usize = 64;
/// Where the turn of the raw counterpart stands, on a page that was mapped without the library.
const RAW_TURN: usize = 256;

/// Waits until the word is `turn`: a spin, which is what memory alone offers.
fn await_turn(word: &AtomicU32, turn: u32) -> Outcome<()> {
    let start = Instant::now();
    let mut looks = 0u32;
    while word.load(Ordering::Acquire) != turn {
        looks += 1;
        if looks.is_multiple_of(1024) {
            if start.elapsed() > PATIENCE {
                return Err("the other process does not answer".into());
            }
            std::thread::yield_now();
        }
        std::hint::spin_loop();
    }
    Ok(())
}

fn read_text(memory: &Memory) -> Outcome<String> {
    let mut text = [0; LONGEST];
    memory.read(TEXT, &mut text)?;
    Ok(String::from_utf8_lossy(&text).trim_end_matches('\0').to_owned())
}

/// The first process: writes the text, gives the turn away, and takes it back.
fn lead(stage: &Stage, memory: &Memory, page: &Page, greeting: &str, process: u32) -> Outcome<Report> {
    let word = memory.atomic_u32(0)?;
    memory.write(TEXT, greeting.as_bytes())?;
    word.store(1, Ordering::Release);
    await_turn(word, 2)?;
    let arrived = read_text(memory)?;
    if arrived != format!("{greeting} (process {process})") {
        return Err(format!("{arrived:?} stands there").into());
    }
    let take_turn = |word: &AtomicU32, turn: &mut u32| {
        *turn += 2;
        word.store(*turn - 1, Ordering::Release);
        await_turn(word, *turn)
    };
    let (mut turn, mut raw_turn) = (2, 2);
    let times = stage.time(|| take_turn(word, &mut turn), || take_turn(page.word(RAW_TURN), &mut raw_turn))?;
    Ok(Report { sent: greeting.to_owned(), arrived, times })
}

/// The second process: adds its number to the text, and answers each turn.
fn follow(memory: &Memory, page: &Page, rounds: u32) -> Outcome<()> {
    let word = memory.atomic_u32(0)?;
    await_turn(word, 1)?;
    let text = format!("{} (process {})", read_text(memory)?, std::process::id());
    memory.write(TEXT, text.as_bytes())?;
    word.store(2, Ordering::Release);
    for round in 1..=rounds {
        for word in [word, page.word(RAW_TURN)] {
            await_turn(word, 2 * round + 1)?;
            word.store(2 * round + 2, Ordering::Release);
        }
    }
    Ok(())
}

pub(super) fn memory(stage: &Stage) -> Outcome<Report> {
    let name = stage.name("memory");
    let memory = Memory::create(&name, &MemoryOptions { temporary: true, ..MemoryOptions::sized(SIZE) })?;
    let peer = Peer::start("memory", &[&name, &stage.rounds.to_string()])?;
    let report = lead(stage, &memory, &Page::open(&name)?, "hello through memory", peer.id())?;
    peer.finish()?;
    Ok(report)
}

pub(super) fn peer_of_memory(name: &str, rounds: &str) -> Outcome<()> {
    follow(&Memory::open(name, &MemoryOptions::default())?, &Page::open(name)?, rounds.parse()?)
}

pub(super) fn file(stage: &Stage) -> Outcome<Report> {
    let path = stage.path("file");
    let memory = Memory::create_file(&path, &MemoryOptions { temporary: true, ..MemoryOptions::sized(SIZE) })?;
    let peer = Peer::start("memory-file", &[&path, &stage.rounds.to_string()])?;
    let report = lead(stage, &memory, &Page::of(memory.descriptor("demo")?)?, "hello through a file", peer.id())?;
    memory.flush(0, 0, Default::default())?;
    peer.finish()?;
    Ok(report)
}

pub(super) fn peer_of_file(path: &str, rounds: &str) -> Outcome<()> {
    let memory = Memory::open_file(path, &MemoryOptions::default())?;
    follow(&memory, &Page::of(memory.descriptor("demo")?)?, rounds.parse()?)
}

/// The peer has the memory as its standard input, and takes it because it is sealed.
pub(super) fn memfd(stage: &Stage) -> Outcome<Report> {
    let mut memory = Memory::memfd("unipc-demo", &MemoryOptions::sized(SIZE))?;
    memory.seal(Seals::SHRINK | Seals::GROW)?;
    let descriptor = memory.descriptor("demo")?;
    let peer = Peer::start_with("memfd", &[&stage.rounds.to_string()], descriptor.try_clone_to_owned()?, std::process::Stdio::null())?;
    let report = lead(stage, &memory, &Page::of(descriptor)?, "hello through a memfd", peer.id())?;
    peer.finish()?;
    Ok(report)
}

pub(super) fn peer_of_memfd(rounds: &str) -> Outcome<()> {
    let descriptor = std::io::stdin().as_fd().try_clone_to_owned()?;
    let options = MemoryOptions { require_seals: Seals::SHRINK, ..Default::default() };
    let memory = Memory::from_descriptor(descriptor, &options).map_err(|(_, error)| error)?;
    follow(&memory, &Page::of(memory.descriptor("demo")?)?, rounds.parse()?)
}

pub(super) fn sysv(stage: &Stage) -> Outcome<Report> {
    let memory = Memory::create_private_sysv(&MemoryOptions { temporary: true, ..MemoryOptions::sized(SIZE) })?;
    let identifier = memory.id_sysv()?;
    let peer = Peer::start("sysv-memory", &[&identifier.to_string(), &stage.rounds.to_string()])?;
    let report = lead(stage, &memory, &Page::attach(identifier)?, "hello through System V memory", peer.id())?;
    peer.finish()?;
    Ok(report)
}

pub(super) fn peer_of_sysv(identifier: &str, rounds: &str) -> Outcome<()> {
    let identifier = identifier.parse()?;
    let memory = Memory::open_id_sysv(identifier, &MemoryOptions::default())?;
    follow(&memory, &Page::attach(identifier)?, rounds.parse()?)
}

pub(super) fn anonymous(stage: &Stage) -> Outcome<Report> {
    let memory = Memory::anonymous(SIZE)?;
    let page = Page::anonymous()?;
    // SAFETY: this program has one thread, so the child finds every lock of the libraries free.
    let child = unsafe { libc::fork() };
    if child < 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    if child == 0 {
        let status = i32::from(follow(&memory, &page, stage.rounds).is_err());
        // SAFETY: ends the child at once; nothing of the parent's is run or written twice.
        unsafe { libc::_exit(status) };
    }
    let report = lead(stage, &memory, &page, "hello through a fork", child as u32);
    if report.is_err() {
        // SAFETY: our own child, which has not been waited for, so the number is still its own.
        unsafe { libc::kill(child, libc::SIGKILL) };
    }
    let status = wait_for(child)?;
    if report.is_ok() && status != 0 {
        return Err(format!("the second process failed: {status:#x}").into());
    }
    report
}

fn wait_for(child: libc::pid_t) -> Outcome<libc::c_int> {
    let mut status = 0;
    loop {
        // SAFETY: the status is valid to write to.
        if unsafe { libc::waitpid(child, &mut status, 0) } >= 0 {
            return Ok(status);
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(error.into());
        }
    }
}
