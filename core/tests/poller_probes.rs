//! A poller over objects that have no descriptor: foreign System V queues and semaphores, POSIX semaphores, made and used by plain calls.

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use support::alone::Alone;
use support::process::Child;
use support::waits::ends_in_every_way;
use unipc::Wait;
use unipc::event::{Events, Interest, Poller, Ready, probe};
use unipc::message::Which;
use unipc::sync::{PosixSemaphore, PosixSemaphoreOptions, Semaphore};

const HANG: Duration = Duration::from_secs(20);

fn found<'a>(poller: &Poller, wait: impl Into<Wait<'a>>) -> Vec<(u64, Ready)> {
    let mut events = Events::with_capacity(8);
    match poller.wait(&mut events, wait) {
        Ok(_) => events.map(|event| (event.token, event.ready)).collect(),
        Err(error) if error.is(Errno::EAGAIN) || error.is(Errno::ETIMEDOUT) => Vec::new(),
        Err(error) => panic!("{error}"),
    }
}

/// A queue that knows nothing of this library; removed at the end.
struct PlainQueue(i32);

impl PlainQueue {
    fn new() -> PlainQueue {
        // SAFETY: msgget takes integers.
        let id = unsafe { libc::msgget(libc::IPC_PRIVATE, 0o600) };
        assert!(id >= 0);
        PlainQueue(id)
    }

    fn send(&self, kind: i64, size: usize) -> bool {
        let mut message = vec![0u64; 1 + size / 8 + 1];
        message[0] = kind as u64;
        // SAFETY: a type and as many bytes as told stand there.
        unsafe { libc::msgsnd(self.0, message.as_ptr().cast(), size, libc::IPC_NOWAIT) == 0 }
    }

    fn receive(&self, kind: i64) -> bool {
        let mut message = vec![0u64; 2048];
        // SAFETY: there is room for a type and as many bytes as told.
        unsafe { libc::msgrcv(self.0, message.as_mut_ptr().cast(), 8192, kind, libc::IPC_NOWAIT) >= 0 }
    }

    fn count(&self) -> u64 {
        // SAFETY: the structure is valid to write to.
        unsafe {
            let mut status: libc::msqid_ds = std::mem::zeroed();
            assert_eq!(libc::msgctl(self.0, libc::IPC_STAT, &mut status), 0);
            status.msg_qnum as u64
        }
    }

    fn remove(&self) {
        // SAFETY: no structure is needed to remove.
        unsafe { libc::msgctl(self.0, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}

impl Drop for PlainQueue {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A set that knows nothing of this library; removed at the end.
struct PlainSet(i32);

impl PlainSet {
    fn new() -> PlainSet {
        // SAFETY: semget takes integers.
        let id = unsafe { libc::semget(libc::IPC_PRIVATE, 2, 0o600) };
        assert!(id >= 0);
        PlainSet(id)
    }

    fn change(&self, index: u16, by: i16) {
        let mut operation = libc::sembuf { sem_num: index, sem_op: by, sem_flg: libc::IPC_NOWAIT as i16 };
        // SAFETY: one operation stands there.
        assert_eq!(unsafe { libc::semop(self.0, &mut operation, 1) }, 0);
    }

    fn value(&self, index: i32) -> i32 {
        // SAFETY: GETVAL takes no argument.
        unsafe { libc::semctl(self.0, index, libc::GETVAL) }
    }

    fn remove(&self) {
        // SAFETY: IPC_RMID takes no argument.
        unsafe { libc::semctl(self.0, 0, libc::IPC_RMID) };
    }
}

impl Drop for PlainSet {
    fn drop(&mut self) {
        self.remove();
    }
}

#[test]
fn a_foreign_queue_is_told_and_nothing_is_taken() {
    let _alone = Alone::new();
    let queue = PlainQueue::new();
    let poller = Poller::new().unwrap();
    let mut events = Events::with_capacity(8);
    poller.add_probe(probe::sysv_queue(queue.0, Which::Any).unwrap(), Interest::READABLE, 1).unwrap();
    poller.add_probe(probe::sysv_queue(queue.0, Which::Type(7)).unwrap(), Interest::READABLE, 7).unwrap();
    let full = poller.add_probe(probe::sysv_queue(queue.0, Which::Any).unwrap(), Interest::WRITABLE | Interest::EDGE, 3).unwrap();
    assert_eq!(found(&poller, Wait::NEVER), [(3, Ready::WRITABLE)]);
    ends_in_every_way("wait for a foreign queue", |wait| poller.wait(&mut events, wait).unwrap_err());
    for wait in [Wait::FOREVER, Wait::from(HANG)] {
        let child = Child::fork(|| {
            std::thread::sleep(Duration::from_millis(30));
            i32::from(!queue.send(5, 10))
        });
        assert_eq!(found(&poller, wait), [(1, Ready::READABLE)]);
        assert_eq!(found(&poller, wait), [(1, Ready::READABLE)]);
        assert_eq!(child.wait(), 0);
        assert_eq!(queue.count(), 1);
        assert!(queue.receive(5));
        assert_eq!(found(&poller, Wait::NEVER), []);
    }
    queue.send(5, 0);
    queue.send(7, 0);
    let mut both = found(&poller, HANG);
    both.sort_by_key(|(token, _)| *token);
    assert_eq!(both, [(1, Ready::READABLE), (7, Ready::READABLE)]);
    assert!(queue.receive(7));
    assert_eq!(found(&poller, HANG), [(1, Ready::READABLE)]);
    assert!(queue.receive(5));
    // Full, and with room again: an edge.
    while queue.send(9, 4096) {}
    while queue.send(9, 64) {}
    while queue.send(9, 0) {}
    assert_eq!(found(&poller, HANG), [(1, Ready::READABLE)]);
    // The one of the type is the last of very many: it is found in time, in several questions.
    assert!(queue.count() > 1000);
    assert!(queue.receive(9) && queue.send(7, 0));
    let start = Instant::now();
    while !found(&poller, HANG).contains(&(7, Ready::READABLE)) {
        assert!(start.elapsed() < HANG);
    }
    assert!(queue.receive(7) && queue.send(9, 0));
    assert!(queue.receive(0));
    let mut both = found(&poller, HANG);
    both.sort_by_key(|(token, _)| *token);
    assert_eq!(both, [(1, Ready::READABLE), (3, Ready::WRITABLE)]);
    poller.remove(full).unwrap();
    while queue.receive(0) {}
    queue.remove();
    let mut all = found(&poller, HANG);
    all.sort_by_key(|(token, _)| *token);
    assert_eq!(all, [(1, Ready::ERROR | Ready::HANG_UP), (7, Ready::ERROR | Ready::HANG_UP)]);
    assert!(probe::sysv_queue(queue.0, Which::Any).is_err());
}

#[test]
fn a_foreign_set_is_told_and_nothing_is_taken() {
    let _alone = Alone::new();
    let set = PlainSet::new();
    let poller = Poller::new().unwrap();
    let mut events = Events::with_capacity(8);
    for (index, units, token) in [(0, 1, 1), (1, 2, 2)] {
        poller.add_probe(probe::sysv_semaphore(set.0, index, units), Interest::READABLE, token).unwrap();
    }
    ends_in_every_way("wait for a foreign semaphore", |wait| poller.wait(&mut events, wait).unwrap_err());
    let child = Child::fork(|| {
        std::thread::sleep(Duration::from_millis(30));
        set.change(0, 1);
        0
    });
    assert_eq!(found(&poller, None), [(1, Ready::READABLE)]);
    assert_eq!(child.wait(), 0);
    assert_eq!(set.value(0), 1);
    set.change(0, -1);
    set.change(1, 1);
    assert_eq!(found(&poller, Wait::NEVER), []);
    set.change(1, 1);
    assert_eq!(found(&poller, HANG), [(2, Ready::READABLE)]);
    set.change(1, -2);
    let zero = poller.add_probe(probe::sysv_semaphore(set.0, 1, 0), Interest::READABLE, 3).unwrap();
    assert_eq!(found(&poller, HANG), [(3, Ready::READABLE)]);
    poller.remove(zero).unwrap();
    assert!(poller.add_probe(probe::sysv_semaphore(set.0, 2, 1), Interest::READABLE, 4).unwrap_err().is(Errno::EINVAL));
    set.remove();
    assert_eq!(found(&poller, HANG).len(), 2);
    assert!(found(&poller, HANG).iter().all(|(_, ready)| ready.contains(Ready::ERROR)));
}

#[test]
fn semaphores_by_name_and_in_memory_are_told() {
    let _alone = Alone::new();
    let name = format!("unipc-test-poller-{}", std::process::id());
    let options = PosixSemaphoreOptions { temporary: true, ..Default::default() };
    let named = Arc::new(PosixSemaphore::create(&name, &options).unwrap());
    let in_memory = Box::new(Semaphore::new(0).unwrap());
    let poller = Poller::new().unwrap();
    let mut events = Events::with_capacity(8);
    let first = poller.add_probe(probe::posix_semaphore(Arc::clone(&named)), Interest::READABLE, 1).unwrap();
    // SAFETY: the box lives longer than the source.
    let second = poller.add_probe(unsafe { probe::semaphore(&*in_memory) }, Interest::READABLE | Interest::ONE_SHOT, 2).unwrap();
    ends_in_every_way("wait for semaphores", |wait| poller.wait(&mut events, wait).unwrap_err());
    let child = Child::fork(|| {
        std::thread::sleep(Duration::from_millis(30));
        let path = std::ffi::CString::new(format!("/{name}")).unwrap();
        // SAFETY: the name is NUL-terminated; what sem_open gives is a semaphore.
        unsafe {
            let plain = libc::sem_open(path.as_ptr(), 0);
            i32::from(plain == libc::SEM_FAILED || libc::sem_post(plain) != 0)
        }
    });
    assert_eq!(found(&poller, None), [(1, Ready::READABLE)]);
    assert_eq!(child.wait(), 0);
    assert_eq!(named.value().unwrap(), 1);
    named.try_wait().unwrap();
    in_memory.post().unwrap();
    assert_eq!(found(&poller, HANG), [(2, Ready::READABLE)]);
    assert_eq!(found(&poller, Wait::NEVER), []);
    poller.modify(second, Interest::READABLE).unwrap();
    assert_eq!(found(&poller, HANG), [(2, Ready::READABLE)]);
    poller.remove(second).unwrap();
    poller.remove(first).unwrap();
    // Nobody is asked any more: the poller has no share of it left.
    assert_eq!(Arc::strong_count(&named), 1);
}

/// What is asked is told 10 ms late at most by design; and the asking costs next to nothing.
#[test]
fn asking_is_cheap_and_not_late() {
    let _alone = Alone::new();
    let set = PlainSet::new();
    let poller = Poller::new().unwrap();
    poller.add_probe(probe::sysv_semaphore(set.0, 0, 1), Interest::READABLE, 1).unwrap();
    let before = cpu_time();
    assert_eq!(found(&poller, Duration::from_secs(1)), []);
    let spent = cpu_time() - before;
    println!("a second of asking took {spent:?} of the processor");
    assert!(spent < Duration::from_millis(200), "{spent:?}");
    let mut latest = Duration::ZERO;
    for _ in 0..5 {
        std::thread::scope(|scope| {
            let poster = scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(100));
                set.change(0, 1);
                Instant::now()
            });
            assert_eq!(found(&poller, HANG), [(1, Ready::READABLE)]);
            latest = latest.max(poster.join().unwrap().elapsed());
            set.change(0, -1);
        });
    }
    println!("told {latest:?} late");
    assert!(latest < Duration::from_secs(1));
}

fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place is valid, and the clock exists.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
