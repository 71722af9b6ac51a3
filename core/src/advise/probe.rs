//! The trials behind [`Mechanism::probe`](super::Mechanism::probe): each makes the object, uses it once, and removes it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Availability;
use crate::error::{Context, Error, Result};
use crate::event::signal::{self, Target};
use crate::event::{Clock, EventCounter, EventCounterOptions, Events, ExitStatus, Interest, Poller, ProcessExit, Timer};
use crate::file::exchange::{AppendOptions, Durability, Follower, FollowerOptions, ReplaceOptions, append, replace};
use crate::file::lock::{FileLock, FileLockOptions, LockKind, LockMode};
use crate::memory::{Access, Memory, MemoryOptions, Seals};
use crate::message::{
    DatagramOptions, Mq, MqOptions, Seqpacket, SeqpacketListener, SeqpacketOptions, SysvQueue, SysvQueueOptions, UdpOptions, UdpSocket,
    UnixDatagram, Which,
};
use crate::process::{Command, Pipeline};
use crate::stream::{
    self, ByteStream, FifoOptions, FifoReader, FifoWriter, TransferOptions, TransferWay, UnixConnectOptions, UnixListenOptions, create_fifo,
};
use crate::sync::{
    Barrier, Condvar, Event, Mutex, PosixSemaphore, PosixSemaphoreOptions, RwLock, Semaphore, Spinlock, SysvOperation, SysvSemaphores,
    SysvSemaphoresOptions, futex_wait, futex_wake,
};
use crate::wait::{Timeout, Wait};

const OPERATION: &str = "probe";
const GREETING: &[u8] = b"probe";

/// Longer than any answer from this process can take; a probe never hangs.
const PATIENCE: Timeout = Timeout::from_nanoseconds(10_000_000_000);

fn availability(trial: Result<()>) -> Availability {
    match trial {
        Ok(()) => Availability::Supported,
        Err(error) => Availability::Unavailable(error.to_string()),
    }
}

/// A name that nobody else uses: of this process, this moment, and this call.
fn fresh_name(kind: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("unipc-probe-{kind}-{}-{}-{count}", std::process::id(), crate::wait::now())
}

fn temporary_path(kind: &str) -> Result<String> {
    let path = std::env::temp_dir().join(fresh_name(kind));
    path.into_os_string().into_string().map_err(|_| Error::os(OPERATION, nix::errno::Errno::EINVAL))
}

/// What goes in at one end comes out at the other.
fn pass(from: &ByteStream, to: &ByteStream) -> Result<()> {
    from.write_all_within(GREETING, PATIENCE)?;
    let mut arrived = [0; GREETING.len()];
    to.read_exact_within(&mut arrived, PATIENCE)?;
    require_same(&arrived)
}

fn require_same(arrived: &[u8]) -> Result<()> {
    if arrived == GREETING {
        return Ok(());
    }
    Err(wrong("other bytes arrived than were sent"))
}

fn wrong(what: &'static str) -> Error {
    Error::os(OPERATION, nix::errno::Errno::EIO).hint(what)
}

fn adopt(descriptor: impl Into<std::os::fd::OwnedFd>) -> Result<ByteStream> {
    ByteStream::adopt(descriptor.into()).map_err(|(_, error)| error)
}

pub(super) fn pipe() -> Availability {
    availability(crate::stream::pipe().and_then(|(reader, writer)| pass(&writer, &reader)))
}

pub(super) fn fifo() -> Availability {
    fn trial() -> Result<()> {
        let path = temporary_path("fifo")?;
        create_fifo(&path, &FifoOptions::default())?;
        let passed = FifoReader::open(&path, &FifoOptions { unpaired: true, ..Default::default() }, Wait::NEVER)
            .and_then(|reader| FifoWriter::open(&path, &FifoOptions::default(), PATIENCE).and_then(|writer| pass(&writer, &reader)));
        crate::stream::unlink_fifo(&path)?;
        passed
    }
    availability(trial())
}

pub(super) fn unix() -> Availability {
    fn trial() -> Result<()> {
        let path = temporary_path("unix")?;
        let listener = std::os::unix::net::UnixListener::bind(&path).during_on(OPERATION, &path)?;
        let passed = std::os::unix::net::UnixStream::connect(&path)
            .and_then(|client| listener.accept().map(|(server, _)| (client, server)))
            .during_on(OPERATION, &path)
            .and_then(|(client, server)| pass(&adopt(client)?, &adopt(server)?));
        std::fs::remove_file(&path).during_on(OPERATION, &path)?;
        passed
    }
    availability(trial())
}

pub(super) fn unix_abstract() -> Availability {
    fn trial() -> Result<()> {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
        let address = SocketAddr::from_abstract_name(fresh_name("unix")).during(OPERATION)?;
        let listener = UnixListener::bind_addr(&address).during(OPERATION)?;
        let client = UnixStream::connect_addr(&address).during(OPERATION)?;
        let (server, _) = listener.accept().during(OPERATION)?;
        pass(&adopt(client)?, &adopt(server)?)
    }
    availability(trial())
}

pub(super) fn unix_pair() -> Availability {
    fn trial() -> Result<()> {
        let (first, second) = std::os::unix::net::UnixStream::pair().during(OPERATION)?;
        pass(&adopt(first)?, &adopt(second)?)
    }
    availability(trial())
}

fn tcp(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address).during(OPERATION)?;
    let address = listener.local_addr().during(OPERATION)?;
    let client = std::net::TcpStream::connect(address).during(OPERATION)?;
    let (server, _) = listener.accept().during(OPERATION)?;
    pass(&adopt(client)?, &adopt(server)?)
}

pub(super) fn tcp4() -> Availability {
    availability(tcp((Ipv4Addr::LOCALHOST, 0).into()))
}

pub(super) fn tcp6() -> Availability {
    availability(tcp((Ipv6Addr::LOCALHOST, 0).into()))
}

pub(super) fn mq() -> Availability {
    fn trial() -> Result<()> {
        let name = fresh_name("mq");
        let first = Mq::create(&name, &MqOptions { capacity: 1, largest: GREETING.len(), temporary: true, ..Default::default() })?;
        let second = Mq::open(&name, &MqOptions::default())?;
        second.send(GREETING, 1, PATIENCE)?;
        require_same(&first.receive_vec(PATIENCE)?.0)
    }
    availability(trial())
}

pub(super) fn sysv_queue() -> Availability {
    fn trial() -> Result<()> {
        let queue = SysvQueue::create_private(&SysvQueueOptions { temporary: true, ..Default::default() })?;
        queue.send(GREETING, 1, PATIENCE)?;
        require_same(&queue.receive_vec(Which::Type(1), PATIENCE)?.0)
    }
    availability(trial())
}

pub(super) fn datagram() -> Availability {
    fn trial() -> Result<()> {
        let options = DatagramOptions::default();
        let path = temporary_path("datagram")?;
        let receiver = UnixDatagram::open(&path, &options)?;
        UnixDatagram::unnamed(&options)?.send_to(&path, GREETING, PATIENCE)?;
        let mut arrived = [0; GREETING.len()];
        receiver.receive(&mut arrived, PATIENCE)?;
        require_same(&arrived)
    }
    availability(trial())
}

pub(super) fn seqpacket() -> Availability {
    fn trial() -> Result<()> {
        let (options, path) = (SeqpacketOptions::default(), temporary_path("seqpacket")?);
        let listener = SeqpacketListener::open(&path, &UnixListenOptions::default())?;
        let first = Seqpacket::connect(&path, &UnixConnectOptions::default(), &options, PATIENCE)?;
        let second = listener.accept(&options, PATIENCE)?;
        first.send(GREETING, PATIENCE)?;
        let mut arrived = [0; GREETING.len()];
        second.receive(&mut arrived, PATIENCE)?;
        require_same(&arrived)
    }
    availability(trial())
}

pub(super) fn udp() -> Availability {
    fn trial() -> Result<()> {
        let receiver = UdpSocket::open(None, 0, &UdpOptions::default())?;
        let sender = UdpSocket::open(None, 0, &UdpOptions::default())?;
        sender.send_to(&receiver.address()?, GREETING, PATIENCE)?;
        let mut arrived = [0; GREETING.len()];
        receiver.receive(&mut arrived, PATIENCE)?;
        require_same(&arrived)
    }
    availability(trial())
}

pub(super) fn descriptors() -> Availability {
    fn trial() -> Result<()> {
        let (first, second) = crate::stream::UnixStream::pair()?;
        let (reader, writer) = crate::stream::pipe()?;
        first.send_descriptors(b"d", &[writer.as_fd()], PATIENCE)?;
        let Some(passed) = second.receive_descriptors(&mut [0], 1, PATIENCE)?.1.pop() else {
            return Err(wrong("no descriptor arrived"));
        };
        pass(&adopt(passed)?, &reader)
    }
    availability(trial())
}

pub(super) fn memory() -> Availability {
    fn trial() -> Result<()> {
        let name = fresh_name("memory");
        let options = MemoryOptions { temporary: true, ..MemoryOptions::sized(4096) };
        let first = Memory::create(&name, &options)?;
        first.write(0, GREETING)?;
        let second = Memory::open(&name, &MemoryOptions::default())?;
        let mut arrived = [0; GREETING.len()];
        second.read(0, &mut arrived)?;
        require_same(&arrived)
    }
    availability(trial())
}

pub(super) fn anonymous() -> Availability {
    availability(Memory::anonymous(4096).and_then(|memory| memory.write(0, GREETING)))
}

/// What is written through one memory is read through another.
fn share(first: &Memory, second: &Memory) -> Result<()> {
    first.write(0, GREETING)?;
    let mut arrived = [0; GREETING.len()];
    second.read(0, &mut arrived)?;
    require_same(&arrived)
}

pub(super) fn memory_file() -> Availability {
    fn trial() -> Result<()> {
        let path = temporary_path("file")?;
        let first = Memory::create_file(&path, &MemoryOptions { temporary: true, ..MemoryOptions::sized(4096) })?;
        share(&first, &Memory::open_file(&path, &MemoryOptions::default())?)?;
        first.flush(0, 0, Default::default())
    }
    availability(trial())
}

pub(super) fn memfd() -> Availability {
    fn trial() -> Result<()> {
        let mut first = Memory::memfd("probe", &MemoryOptions::sized(4096))?;
        first.seal(Seals::SHRINK)?;
        let options = MemoryOptions { access: Access::ReadOnly, require_seals: Seals::SHRINK, ..Default::default() };
        let second = Memory::from_descriptor(first.read_only_descriptor()?, &options).map_err(|(_, error)| error)?;
        share(&first, &second)
    }
    availability(trial())
}

pub(super) fn sysv_memory() -> Availability {
    fn trial() -> Result<()> {
        let first = Memory::create_private_sysv(&MemoryOptions { temporary: true, ..MemoryOptions::sized(4096) })?;
        let identifier = first.id_sysv()?;
        share(&first, &Memory::open_id_sysv(identifier, &MemoryOptions::default())?)
    }
    availability(trial())
}

pub(super) fn mutex() -> Availability {
    availability(crate::memory::anonymous::<Mutex>().and_then(|mutex| {
        drop(mutex.lock(PATIENCE)?);
        drop(mutex.lock_recover(PATIENCE)?);
        Ok(())
    }))
}

pub(super) fn spinlock() -> Availability {
    availability(crate::memory::anonymous::<Spinlock>().and_then(|spinlock| {
        drop(spinlock.lock(PATIENCE)?);
        drop(spinlock.lock_recover(PATIENCE)?);
        Ok(())
    }))
}

pub(super) fn rwlock() -> Availability {
    availability(crate::memory::anonymous::<RwLock>().and_then(|rwlock| {
        drop(rwlock.read(PATIENCE)?);
        drop(rwlock.write(PATIENCE)?);
        Ok(())
    }))
}

pub(super) fn condvar() -> Availability {
    fn trial() -> Result<()> {
        let (mutex, condvar) = (crate::memory::anonymous::<Mutex>()?, crate::memory::anonymous::<Condvar>()?);
        let mut guard = mutex.lock(PATIENCE)?;
        condvar.notify_all()?;
        condvar.wait_while(&mut guard, PATIENCE, || false)
    }
    availability(trial())
}

pub(super) fn event() -> Availability {
    availability(crate::memory::anonymous::<Event>().and_then(|event| {
        event.set()?;
        event.wait(PATIENCE)
    }))
}

pub(super) fn barrier() -> Availability {
    availability(Barrier::new(1).and_then(|barrier| {
        barrier.wait(PATIENCE)?;
        barrier.leave()
    }))
}

pub(super) fn semaphore() -> Availability {
    availability(crate::memory::anonymous::<Semaphore>().and_then(|semaphore| {
        semaphore.post()?;
        semaphore.wait(PATIENCE)
    }))
}

pub(super) fn semaphore_recover() -> Availability {
    availability(Semaphore::recovering(1).and_then(|semaphore| {
        semaphore.wait(PATIENCE)?;
        semaphore.post()
    }))
}

pub(super) fn sysv_semaphores() -> Availability {
    fn trial() -> Result<()> {
        let first = SysvSemaphores::create_private(&SysvSemaphoresOptions { values: vec![1, 0], temporary: true, ..Default::default() })?;
        let second = SysvSemaphores::open_id(first.id(), &SysvSemaphoresOptions::default())?;
        second.operate(&[SysvOperation::take(0, 1), SysvOperation::give(1, 1).undo()], PATIENCE)?;
        first.operate(&[SysvOperation::take(1, 1).undo()], PATIENCE)
    }
    availability(trial())
}

pub(super) fn futex() -> Availability {
    availability(crate::memory::anonymous::<std::sync::atomic::AtomicU32>().and_then(|word| {
        futex_wake(&word, 1);
        // Another value, so it does not sleep; and one that does, for a moment.
        futex_wait(&word, 1, PATIENCE)?;
        match futex_wait(&word, 0, Timeout::from_nanoseconds(1)) {
            Err(error) if error.is(nix::errno::Errno::ETIMEDOUT) => Ok(()),
            Err(error) => Err(error),
            Ok(()) => Err(wrong("a word was woken by nobody")),
        }
    }))
}

pub(super) fn posix_semaphore() -> Availability {
    fn trial() -> Result<()> {
        let name = fresh_name("semaphore");
        let options = PosixSemaphoreOptions { value: 1, temporary: true, ..Default::default() };
        let first = PosixSemaphore::create(&name, &options)?;
        let second = PosixSemaphore::open(&name, &PosixSemaphoreOptions::default())?;
        second.wait(PATIENCE)?;
        first.post()
    }
    availability(trial())
}

pub(super) fn eventfd() -> Availability {
    fn trial() -> Result<()> {
        let counter = EventCounter::create(&EventCounterOptions::default())?;
        counter.add(1, PATIENCE)?;
        counter.take(PATIENCE).map(drop)
    }
    availability(trial())
}

pub(super) fn poller() -> Availability {
    fn trial() -> Result<()> {
        let (poller, counter) = (Poller::new()?, EventCounter::create(&EventCounterOptions::default())?);
        let source = poller.add(&counter, Interest::READABLE, 1)?;
        counter.add(1, PATIENCE)?;
        poller.wait(&mut Events::with_capacity(1), PATIENCE)?;
        poller.remove(source)
    }
    availability(trial())
}

/// Without the calls it reads and writes.
pub(super) fn transfer() -> Availability {
    fn trial() -> Result<TransferWay> {
        let ((reader, writer), (copy, twin)) = (stream::pipe()?, stream::pipe()?);
        writer.write_all_within(GREETING, PATIENCE)?;
        drop(writer);
        let done = stream::transfer(&reader, &twin, &TransferOptions::default(), PATIENCE)?;
        let mut arrived = [0; GREETING.len()];
        copy.read_exact_within(&mut arrived, PATIENCE)?;
        require_same(&arrived).map(|()| done.way)
    }
    match trial() {
        Ok(TransferWay::ReadWrite) => Availability::Emulated("splice is refused here, so it reads and writes".to_owned()),
        Ok(_) => Availability::Supported,
        Err(error) => Availability::Unavailable(error.to_string()),
    }
}

pub(super) fn timer() -> Availability {
    fn trial() -> Result<()> {
        let timer = Timer::create(Clock::Monotonic)?;
        timer.set(Duration::from_nanos(1), Duration::ZERO)?;
        timer.wait(PATIENCE).map(drop)
    }
    availability(trial())
}

/// A signal would disturb the process that asks; signal 0 goes the same way, and does nothing.
#[cfg(feature = "io_uring")]
pub(super) fn ring() -> Availability {
    use crate::event::{Operation, Ring};
    fn trial() -> Result<()> {
        let (reader, writer) = crate::stream::pipe()?;
        let mut ring = Ring::new(2)?;
        ring.submit(&mut vec![
            Operation::read(&reader, Vec::with_capacity(GREETING.len()), 1),
            Operation::write(&writer, GREETING.to_vec(), 2),
        ])?;
        while ring.in_flight() > 0 {
            for completion in ring.wait(2, PATIENCE)? {
                completion.result?;
                require_same(&completion.buffer)?;
            }
        }
        Ok(())
    }
    availability(trial())
}

#[cfg(not(feature = "io_uring"))]
pub(super) fn ring() -> Availability {
    Availability::Unavailable("this program was built without the feature io_uring".to_owned())
}

pub(super) fn signal() -> Availability {
    availability(signal::send(Target::Process(std::process::id() as i32), 0))
}

/// This process has not ended, and that is the right answer.
pub(super) fn process_exit() -> Availability {
    availability(ProcessExit::open(std::process::id() as i32).and_then(|itself| match itself.wait(Wait::NEVER) {
        Err(error) if error.code() == -libc::EAGAIN => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(wrong("a process that runs was said to have ended")),
    }))
}

pub(super) fn pipeline() -> Availability {
    fn trial() -> Result<()> {
        let stages = [Command::new("true"), Command::new("true")];
        let statuses = Pipeline::spawn(&stages)?.wait(PATIENCE)?;
        if statuses.iter().all(|status| *status == ExitStatus::Exited(0)) { Ok(()) } else { Err(wrong("a stage has failed")) }
    }
    availability(trial())
}

/// One handle keeps another out; a process does not keep itself out of a record lock.
fn lock_of(kind: LockKind) -> Availability {
    let trial = || {
        let path = temporary_path("lock")?;
        let options = FileLockOptions { kind, ..Default::default() };
        let outcome = FileLock::open_or_create(&path, &options).and_then(|first| {
            let second = FileLock::open(&path, &options)?;
            let _held = first.lock(LockMode::Exclusive, PATIENCE)?;
            match second.lock(LockMode::Shared, Wait::NEVER) {
                Err(error) if error.is(nix::errno::Errno::EAGAIN) => Ok(()),
                Err(error) => Err(error),
                Ok(_) if kind == LockKind::Record => Ok(()),
                Ok(_) => Err(wrong("two held the file at once")),
            }
        });
        crate::name::unlink(&path).during_on(OPERATION, &path)?;
        outcome
    };
    availability(trial())
}

pub(super) fn file_lock() -> Availability {
    lock_of(LockKind::Ofd)
}

pub(super) fn flock() -> Availability {
    lock_of(LockKind::Flock)
}

pub(super) fn record_lock() -> Availability {
    lock_of(LockKind::Record)
}

pub(super) fn file_replace() -> Availability {
    fn trial() -> Result<()> {
        let path = temporary_path("file")?;
        let options = ReplaceOptions { durability: Durability::Nothing, ..Default::default() };
        replace(&path, b"old", &options)?;
        let outcome = replace(&path, GREETING, &options)
            .and_then(|()| std::fs::read(&path).during_on(OPERATION, &path))
            .and_then(|content| require_same(&content));
        crate::name::unlink(&path).during_on(OPERATION, &path)?;
        outcome
    }
    availability(trial())
}

/// Without inotify a follower probes.
pub(super) fn file_append() -> Availability {
    fn trial() -> Result<bool> {
        let path = temporary_path("log")?;
        append(&path, GREETING, &AppendOptions::default(), PATIENCE)?;
        let outcome = Follower::open(&path, &FollowerOptions::default()).and_then(|mut follower| {
            require_same(&follower.receive_vec(PATIENCE)?.0)?;
            Ok(follower.fd().is_ok())
        });
        crate::name::unlink(&path).during_on(OPERATION, &path)?;
        outcome
    }
    match trial() {
        Ok(true) => Availability::Supported,
        Ok(false) => Availability::Emulated("readers probe: inotify is not to be had".to_owned()),
        Err(error) => Availability::Unavailable(error.to_string()),
    }
}
