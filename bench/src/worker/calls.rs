//! What is done and undone, or done on one side and seen on the other.

use std::cell::{Cell, OnceCell, RefCell};
use std::fs::File;
use std::hint::black_box;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use unipc::Wait;
use unipc::event::{Clock, EventCounter, EventCounterOptions, Events, Interest, Poller, ProcessExit, Timer};
use unipc::memory::{self, Memory};
use unipc::process::Command;
use unipc::stream::{TransferOptions, UnixStream, transfer};
use unipc::sync::{futex_wait, futex_wake};

use super::sync::{Turns, alone, in_turns};
use super::{Job, Outcome};

pub(super) fn copy(job: &Job) -> Outcome<Vec<u64>> {
    let memory = Memory::anonymous(job.size)?;
    let bytes = RefCell::new(vec![0; job.size]);
    alone(job, || memory.write(0, &bytes.borrow()), || memory.read(0, &mut bytes.borrow_mut()))
}

pub(super) fn timer(job: &Job) -> Outcome<Vec<u64>> {
    let timer = Timer::create(Clock::Monotonic)?;
    alone(job, || timer.set(Duration::from_secs(1), Duration::ZERO), || timer.cancel())
}

pub(super) fn blocks(job: &Job) -> Outcome<Vec<u64>> {
    unipc::stream::ignore_sigpipe()?;
    let file = File::options().read(true).write(true).create(true).truncate(false).open("blocks")?;
    file.set_len(job.size as u64)?;
    let nowhere = File::options().write(true).open("/dev/null")?;
    let (reader, writer): (PipeReader, PipeWriter) = std::io::pipe()?;
    let length = Some(job.size as u64);
    let from_file = TransferOptions { length, source_offset: Some(0), ..Default::default() };
    let from_pipe = TransferOptions { length, ..Default::default() };
    alone(
        job,
        || transfer(&file, &writer, &from_file, Wait::FOREVER).map(drop),
        || transfer(&reader, &nowhere, &from_pipe, Wait::FOREVER).map(drop),
    )
}

pub(super) fn spawn(job: &Job) -> Outcome<Vec<u64>> {
    let child: Cell<Option<ProcessExit>> = Cell::new(None);
    let start = || {
        child.set(Some(Command::new("/bin/true").argument_zero("true").spawn()?));
        Ok(())
    };
    alone(job, start, || child.take().map_or(Ok(()), |child| child.wait(Wait::FOREVER).map(drop)))
}

pub(super) fn descriptors(job: &Job) -> Outcome<Vec<u64>> {
    let (one, other) = UnixStream::pair()?;
    let passed = File::options().write(true).open("/dev/null")?;
    alone(
        job,
        || one.send_descriptors(b"x", &[passed.as_fd()], Wait::FOREVER),
        || other.receive_descriptors(&mut [0], 1, Wait::FOREVER).map(drop),
    )
}

/// Each process watches the counter that it takes from.
pub(super) fn poller(job: &Job) -> Outcome<Vec<u64>> {
    let create = || EventCounter::create(&EventCounterOptions::default());
    let (there, back) = (create()?, create()?);
    fn turns(counter: &EventCounter) -> Turns<impl Fn() -> unipc::Result<()>, impl Fn() -> unipc::Result<()>> {
        let watcher: OnceCell<(Poller, RefCell<Events>)> = OnceCell::new();
        let wait = move || {
            if watcher.get().is_none() {
                let poller = Poller::new()?;
                poller.add(counter, Interest::READABLE, 7)?;
                let _ = watcher.set((poller, RefCell::new(Events::with_capacity(8))));
            }
            let Some((poller, events)) = watcher.get() else { return Ok(()) };
            let mut events = events.borrow_mut();
            poller.wait(&mut events, Wait::FOREVER)?;
            assert_eq!(events.next().map(|event| event.token), Some(7), "another source");
            counter.take(Wait::FOREVER).map(drop)
        };
        Turns { post: || counter.add(1, Wait::FOREVER), wait }
    }
    let (there, back) = (turns(&there), turns(&back));
    if job.is_round_trip() { in_turns(job, there, back) } else { alone(job, there.post, there.wait) }
}

unipc::shareable! {
    struct Words {
        words: [AtomicU32; 2],
    }
}

pub(super) fn futex(job: &Job) -> Outcome<Vec<u64>> {
    let table = memory::anonymous::<Words>()?;
    let turns = |index: usize| {
        let word = black_box(&table.words[index]);
        let post = move || {
            word.store(1, Ordering::SeqCst);
            futex_wake(word, 1);
            Ok(())
        };
        let wait = move || {
            while word.load(Ordering::SeqCst) == 0 {
                match futex_wait(word, 0, Wait::FOREVER) {
                    Err(error) if !error.is(Errno::EAGAIN) => return Err(error),
                    _ => {}
                }
            }
            word.store(0, Ordering::SeqCst);
            Ok(())
        };
        Turns { post, wait }
    };
    in_turns(job, turns(0), turns(1))
}
