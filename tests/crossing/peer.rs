//! The Rust peer of the crossing tests: every role by the crate unipc. The protocol with the test is told in peer.h.

use std::io::{BufRead, Read};
use std::net::Shutdown;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use unipc::memory::{Memory, MemoryOptions, Shared};
use unipc::stream::{
    ByteStream, FifoOptions, FifoReader, FifoWriter, FrameLimit, Framed, UnixConnectOptions, UnixListenOptions, UnixListener, UnixStream,
    unlink_fifo,
};
use unipc::sync::{Barrier, Condvar, Event, Mutex, PosixSemaphore, PosixSemaphoreOptions, RwLock, Spinlock};
use unipc::{Errno, Failure, Result};

/// How long a peer is waited for that may have died.
const PATIENCE: Duration = Duration::from_secs(20);
const MOMENT: Duration = Duration::from_millis(1);
const BRIEFLY: Duration = Duration::from_millis(20);
const BYTES: usize = 200_001;
const CUT: usize = 1 << 20;
const PAGE: usize = 4096;
/// How often two peers use each lock together.
const TOGETHER: i64 = 500;
const SIZES: [usize; 6] = [0, 1, libc::PIPE_BUF - 1, libc::PIPE_BUF, libc::PIPE_BUF + 1, 70_000];

const SALT_BYTES: usize = 1;
const SALT_MEMORY: usize = 2;
const SALT_TO_SERVER: usize = 3;
const SALT_TO_CLIENT: usize = 4;
const SALT_FRAMES: usize = 5;

fn pattern(length: usize, salt: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 131 + (index >> 8) + salt * 17) as u8).collect()
}

fn say(line: &str) {
    println!("{line}");
}

fn await_go() {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).expect("standard input is readable");
    assert_eq!(line, "go\n");
}

/// Ends also when the test itself has been killed, and with it the other end of standard input.
fn await_death() -> ! {
    let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
    panic!("the test is gone");
}

/// The call must fail with this errno.
fn fails<T: std::fmt::Debug>(errno: Errno, result: Result<T>) {
    let error = result.expect_err("the call must fail");
    assert!(error.is(errno), "{error} is not {errno}");
}

// ---- one mutex and what it guards

unipc::shareable! {
    struct Counter { lock: Mutex, value: AtomicI64, backup: AtomicI64 }
}

fn open_counter(name: &str) -> Result<Shared<Counter>> {
    unipc::memory::open_or_create::<Counter>(name)
}

fn await_change(shared: &Counter, last: i64) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < end, "the other one does not count");
        std::thread::sleep(MOMENT);
        let _guard = shared.lock.lock(PATIENCE)?;
        if shared.value.load(Ordering::Relaxed) != last {
            return Ok(());
        }
    }
}

/// Each waits for the other's first, or two that are fast might never meet; and ten times it sleeps in the middle of counting, where the
/// mutex alone keeps the other one out.
fn count(name: &str, times: i64) -> Result<()> {
    let shared = open_counter(name)?;
    let (mut taken_turns, mut last) = (0, 0);
    say("ready");
    await_go();
    for number in 0..times {
        let guard = shared.lock.lock(PATIENCE)?;
        // A load and a store, not one step: the mutex alone keeps the other one out.
        let seen = shared.value.load(Ordering::Relaxed);
        if number % (times / 10) == 0 {
            std::thread::sleep(MOMENT);
        }
        taken_turns += i64::from(number > 0 && seen != last);
        last = seen + 1;
        shared.value.store(last, Ordering::Relaxed);
        drop(guard);
        if number == 0 {
            await_change(&shared, last)?;
        }
    }
    say(&format!("counted {taken_turns}"));
    Ok(())
}

fn hold(name: &str) -> Result<()> {
    let shared = open_counter(name)?;
    let _guard = shared.lock.lock(PATIENCE)?;
    shared.backup.store(shared.value.load(Ordering::Relaxed), Ordering::Relaxed);
    shared.value.store(-1, Ordering::Relaxed);
    say("locked");
    await_death()
}

fn recover(name: &str) -> Result<()> {
    let shared = open_counter(name)?;
    fails(Errno::EAGAIN, shared.lock.try_lock());
    say("waiting");
    fails(Errno::EOWNERDEAD, shared.lock.lock(PATIENCE));
    fails(Errno::EOWNERDEAD, shared.lock.try_lock());
    let mut guard = shared.lock.lock_recover(PATIENCE)?;
    assert!(guard.needs_repair());
    assert_eq!(shared.value.load(Ordering::Relaxed), -1);
    shared.value.store(shared.backup.load(Ordering::Relaxed), Ordering::Relaxed);
    guard.mark_consistent();
    drop(guard);
    say("repaired");
    Ok(())
}

fn clean(name: &str, value: i64) -> Result<()> {
    let shared = open_counter(name)?;
    let guard = shared.lock.lock(PATIENCE)?;
    assert_eq!(shared.value.load(Ordering::Relaxed), value);
    drop(guard);
    assert!(!shared.lock.lock_recover(PATIENCE)?.needs_repair());
    Ok(())
}

// ---- the other locks, and what they guard

unipc::shareable! {
    struct Table {
        mutex: Mutex,
        changed: Condvar,
        spinlock: Spinlock,
        there: Event,
        back: Event,
        barrier: Barrier,
        rwlock: RwLock,
        spun: AtomicI64,
        written: AtomicI64,
        backup: AtomicI64,
        turns: AtomicI64,
    }
}

/// A load and a store, not one step: a lock alone keeps the other one out.
fn add_one(value: &AtomicI64) -> i64 {
    let next = value.load(Ordering::Relaxed) + 1;
    value.store(next, Ordering::Relaxed);
    next
}

/// Every lock, many times each; number 0 goes first where somebody has to.
fn use_together(shared: &Table, number: i64) -> Result<()> {
    for _ in 0..TOGETHER {
        shared.barrier.wait(PATIENCE)?;
        let guard = shared.spinlock.lock(PATIENCE)?;
        add_one(&shared.spun);
        drop(guard);
        let guard = shared.rwlock.write(PATIENCE)?;
        shared.backup.store(add_one(&shared.written), Ordering::Relaxed);
        drop(guard);
        let guard = shared.rwlock.read(PATIENCE)?;
        assert_eq!(shared.backup.load(Ordering::Relaxed), shared.written.load(Ordering::Relaxed));
        drop(guard);
        let mut guard = shared.mutex.lock(PATIENCE)?;
        shared.changed.wait_while(&mut guard, PATIENCE, || shared.turns.load(Ordering::Relaxed) % 2 != number)?;
        add_one(&shared.turns);
        shared.changed.notify_one()?;
        drop(guard);
        if number == 0 {
            shared.there.set()?;
            shared.back.wait(PATIENCE)?;
        } else {
            shared.there.wait(PATIENCE)?;
            shared.back.set()?;
        }
    }
    shared.barrier.wait(PATIENCE)?;
    let counts = [&shared.spun, &shared.written, &shared.turns].map(|count| count.load(Ordering::Relaxed));
    assert_eq!(counts, [2 * TOGETHER; 3]);
    // Both have looked.
    shared.barrier.wait(PATIENCE).map(drop)
}

fn locks_first(name: &str) -> Result<()> {
    let shared = unipc::memory::open_or_create::<Table>(name)?;
    // SAFETY: valid places in the memory, which the other peer does not use before it is told.
    unsafe {
        Event::init((&raw const shared.there).cast_mut(), Event::automatic_reset(false));
        Event::init((&raw const shared.back).cast_mut(), Event::automatic_reset(false));
        Barrier::init((&raw const shared.barrier).cast_mut(), Barrier::new(2)?);
    }
    say("made");
    use_together(&shared, 0)?;
    let _spun = shared.spinlock.lock(PATIENCE)?;
    let _written = shared.rwlock.write(PATIENCE)?;
    shared.written.store(-1, Ordering::Relaxed);
    say("locked");
    await_death()
}

fn locks_second(name: &str) -> Result<()> {
    let shared = unipc::memory::open_or_create::<Table>(name)?;
    use_together(&shared, 1)?;
    say("together");
    await_go();
    fails(Errno::EOWNERDEAD, shared.rwlock.write(PATIENCE));
    let mut guard = shared.rwlock.read_recover(PATIENCE)?;
    assert!(guard.needs_repair());
    assert_eq!(shared.written.load(Ordering::Relaxed), -1);
    shared.written.store(shared.backup.load(Ordering::Relaxed), Ordering::Relaxed);
    guard.mark_consistent();
    drop(guard);
    drop(shared.rwlock.try_read()?);
    let mut guard = shared.spinlock.lock_recover(PATIENCE)?;
    assert!(guard.needs_repair());
    guard.mark_consistent();
    drop(guard);
    fails(Errno::EOWNERDEAD, shared.barrier.wait(PATIENCE));
    assert!(shared.barrier.reset()?);
    Ok(())
}

// ---- messages

fn frame(stream: impl Into<ByteStream>) -> Framed {
    Framed::new(stream.into(), FrameLimit::default())
}

fn send(framed: &Framed, size: usize, salt: usize) -> Result<()> {
    framed.send(&pattern(size, salt), PATIENCE)
}

fn receive(framed: &Framed, size: usize, salt: usize) -> Result<Vec<u8>> {
    let message = framed.receive_vec(PATIENCE)?;
    assert_eq!(message.len(), size);
    assert!(message == pattern(size, salt), "the {size} bytes are not those that were sent");
    Ok(message)
}

fn receive_failure(framed: &Framed, failure: Failure) {
    let error = framed.receive_vec(PATIENCE).expect_err("there is no message");
    assert!(error.is_failure(failure), "{error}");
}

// ---- one FIFO

fn open_writer(path: &str) -> Result<FifoWriter> {
    FifoWriter::open(path, &FifoOptions { wait_for_creator: PATIENCE.into(), ..Default::default() }, PATIENCE)
}

fn open_reader(path: &str) -> Result<FifoReader> {
    FifoReader::open_or_create(path, &FifoOptions::default(), PATIENCE)
}

fn fifo_read(path: &str) -> Result<()> {
    let reader = open_reader(path)?;
    let mut bytes = vec![0; BYTES];
    reader.read_exact_within(&mut bytes, PATIENCE)?;
    assert!(bytes == pattern(BYTES, SALT_BYTES), "the bytes are not those that were written");
    let framed = frame(reader);
    for (number, size) in SIZES.into_iter().enumerate() {
        receive(&framed, size, SALT_FRAMES + number)?;
    }
    receive_failure(&framed, Failure::End);
    receive_failure(&framed, Failure::End);
    drop(framed);
    unlink_fifo(path)
}

fn fifo_write(path: &str) -> Result<()> {
    let writer = open_writer(path)?;
    writer.write_all_within(&pattern(BYTES, SALT_BYTES), PATIENCE)?;
    let framed = frame(writer);
    for (number, size) in SIZES.into_iter().enumerate() {
        send(&framed, size, SALT_FRAMES + number)?;
    }
    Ok(())
}

fn fifo_read_cut(path: &str) -> Result<()> {
    let framed = frame(open_reader(path)?);
    say("open");
    await_go();
    receive(&framed, 5, SALT_FRAMES)?;
    receive_failure(&framed, Failure::Truncated);
    fails(Errno::EBADMSG, framed.receive_vec(PATIENCE));
    drop(framed);
    unlink_fifo(path)
}

fn fifo_write_cut(path: &str) -> Result<()> {
    let framed = frame(open_writer(path)?);
    send(&framed, 5, SALT_FRAMES)?;
    // Nobody reads: what does not fit into the FIFO is kept, and lost with the process.
    framed.send(&pattern(CUT, SALT_FRAMES), BRIEFLY)?;
    say("cut");
    await_death()
}

// ---- one Unix socket

fn listen_at(path: &str) -> Result<UnixListener> {
    let listener = UnixListener::open(path, &UnixListenOptions::default())?;
    say("listening");
    Ok(listener)
}

fn connect_to(path: &str) -> Result<UnixStream> {
    UnixStream::connect(path, &UnixConnectOptions { wait_for_listener: true, ..Default::default() }, PATIENCE)
}

fn tell_peer(stream: &UnixStream) -> Result<()> {
    let peer = stream.peer_credentials()?;
    // SAFETY: geteuid has no preconditions.
    assert_eq!(peer.uid, unsafe { libc::geteuid() });
    say(&format!("peer {}", peer.pid));
    Ok(())
}

fn unix_serve(path: &str) -> Result<()> {
    let listener = listen_at(path)?;
    let stream = listener.accept(PATIENCE)?;
    tell_peer(&stream)?;
    let framed = frame(stream);
    for (number, size) in SIZES.into_iter().enumerate() {
        framed.send(&receive(&framed, size, SALT_TO_SERVER + number)?, PATIENCE)?;
    }
    for (number, size) in SIZES.into_iter().enumerate() {
        send(&framed, size, SALT_TO_CLIENT + number)?;
        receive(&framed, size, SALT_TO_CLIENT + number)?;
    }
    receive_failure(&framed, Failure::End);
    // The client has ended its direction alone.
    framed.into_stream().write_all_within(b"last", PATIENCE)
}

fn unix_connect(path: &str) -> Result<()> {
    let stream = connect_to(path)?;
    tell_peer(&stream)?;
    let framed = frame(stream);
    for (number, size) in SIZES.into_iter().enumerate() {
        send(&framed, size, SALT_TO_SERVER + number)?;
        receive(&framed, size, SALT_TO_SERVER + number)?;
    }
    for (number, size) in SIZES.into_iter().enumerate() {
        framed.send(&receive(&framed, size, SALT_TO_CLIENT + number)?, PATIENCE)?;
    }
    let stream = framed.into_stream();
    stream.shutdown(Shutdown::Write)?;
    let mut last = [0; 4];
    stream.read_exact_within(&mut last, PATIENCE)?;
    assert_eq!(&last, b"last");
    assert_eq!(stream.read_within(&mut last, PATIENCE)?, 0);
    Ok(())
}

/// Takes one message, and leaves what else there is unread.
fn unix_serve_hold(path: &str) -> Result<()> {
    let listener = listen_at(path)?;
    let framed = frame(listener.accept(PATIENCE)?);
    receive(&framed, 5, SALT_TO_SERVER)?;
    say("served");
    await_death()
}

/// A server that dies with something unread resets the connection; else it ends.
fn unix_lose(path: &str, messages: i64) -> Result<()> {
    let framed = frame(connect_to(path)?);
    for _ in 0..messages {
        send(&framed, 5, SALT_TO_SERVER)?;
    }
    say("sent");
    if messages == 1 {
        receive_failure(&framed, Failure::End);
    } else {
        fails(Errno::ECONNRESET, framed.receive_vec(PATIENCE));
    }
    Ok(())
}

// ---- one memory and one named semaphore

fn memory_write(name: &str) -> Result<()> {
    let memory = Memory::create(name, &MemoryOptions::sized(PAGE))?;
    let filled = PosixSemaphore::create(name, &PosixSemaphoreOptions::default())?;
    say("created");
    await_go();
    memory.write(0, &pattern(PAGE, SALT_MEMORY))?;
    filled.post()?;
    say("posted");
    await_go();
    // The reader has done it.
    fails(Errno::ENOENT, Memory::unlink(name));
    PosixSemaphore::unlink(name)
}

fn memory_read(name: &str) -> Result<()> {
    fails(Errno::ENOENT, Memory::open(name, &MemoryOptions::default()));
    fails(Errno::ENOENT, PosixSemaphore::open(name, &PosixSemaphoreOptions::default()));
    say("starting");
    let memory = Memory::open(name, &MemoryOptions { wait_for_creator: PATIENCE.into(), ..MemoryOptions::sized(PAGE) })?;
    let options = PosixSemaphoreOptions { wait_for_creator: PATIENCE.into(), ..Default::default() };
    let filled = PosixSemaphore::open(name, &options)?;
    fails(Errno::EAGAIN, filled.try_wait());
    say("opened");
    filled.wait(PATIENCE)?;
    let mut bytes = vec![0; PAGE];
    assert_eq!(memory.size(), PAGE);
    memory.read(0, &mut bytes)?;
    assert!(bytes == pattern(PAGE, SALT_MEMORY), "the bytes are not those that were written");
    // It was one unit.
    fails(Errno::ETIMEDOUT, filled.wait(BRIEFLY));
    Memory::unlink(name)?;
    say("read");
    Ok(())
}

fn play(arguments: &[&str]) -> Result<()> {
    let number = |text: &str| text.parse().expect("the argument is a number");
    match *arguments {
        ["count", name, times] => count(name, number(times)),
        ["hold", name] => hold(name),
        ["recover", name] => recover(name),
        ["clean", name, value] => clean(name, number(value)),
        ["locks-first", name] => locks_first(name),
        ["locks-second", name] => locks_second(name),
        ["fifo-read", path] => fifo_read(path),
        ["fifo-write", path] => fifo_write(path),
        ["fifo-read-cut", path] => fifo_read_cut(path),
        ["fifo-write-cut", path] => fifo_write_cut(path),
        ["unix-serve", path] => unix_serve(path),
        ["unix-connect", path] => unix_connect(path),
        ["unix-serve-hold", path] => unix_serve_hold(path),
        ["unix-lose", path, messages] => unix_lose(path, number(messages)),
        ["memory-write", name] => memory_write(name),
        ["memory-read", name] => memory_read(name),
        _ => panic!("no such role: {arguments:?}"),
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let leaks = unipc_tests::Leaks::watch();
    play(&arguments).unwrap_or_else(|error| panic!("{error}"));
    say("done");
    drop(leaks);
}
