//! Locks on files: of the three kinds, between processes, and what loses them.

mod support;

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use support::alone::Alone;
use support::contained::{is_root, not_looked, own_mounts};
use support::process::{Child, kills};
use support::queues::{become_user, random_time};
use support::shared::SharedPages;
use support::waits::ends_in_every_way;
use unipc::file::lock::{FileLock, FileLockOptions, LockKind, LockMode, LockRange};
use unipc::{Failure, Wait};

const HANG: Duration = Duration::from_secs(20);
const KINDS: [LockKind; 3] = [LockKind::Ofd, LockKind::Flock, LockKind::Record];
const RANGED: [LockKind; 2] = [LockKind::Ofd, LockKind::Record];
use LockMode::{Exclusive, Shared};

fn options(kind: LockKind) -> FileLockOptions {
    FileLockOptions { kind, ..Default::default() }
}

fn open(path: &str, kind: LockKind) -> FileLock {
    FileLock::open_or_create(path, &options(kind)).unwrap()
}

fn range(start: u64, length: u64) -> LockRange {
    LockRange { start, length }
}

/// Whether another process could lock the range at this moment.
fn is_free(path: &str, kind: LockKind, mode: LockMode, range: LockRange) -> bool {
    let path = path.to_owned();
    let child = Child::fork(move || match FileLock::open(&path, &options(kind)).unwrap().acquire(mode, range, Wait::NEVER) {
        Ok(()) => 0,
        Err(error) if error.is(Errno::EAGAIN) => 1,
        Err(error) => panic!("{error}"),
    });
    match child.wait() {
        0 => true,
        1 => false,
        status => panic!("{status}"),
    }
}

/// A child that holds a lock until it is killed.
fn holder(path: &str, kind: LockKind, mode: LockMode, range: LockRange) -> Child {
    let ready = SharedPages::<std::sync::atomic::AtomicU32>::zeroed();
    let child = Child::fork(|| {
        let lock = open(path, kind);
        lock.acquire(mode, range, HANG).unwrap();
        ready.store(1, std::sync::atomic::Ordering::Release);
        loop {
            std::thread::sleep(HANG);
        }
    });
    let start = Instant::now();
    while ready.load(std::sync::atomic::Ordering::Acquire) == 0 {
        assert!(start.elapsed() < HANG);
        std::thread::yield_now();
    }
    child
}

#[test]
fn exclusive_keeps_all_out_and_shared_the_exclusive() {
    let alone = Alone::new();
    let path = alone.path("lock");
    for kind in KINDS {
        let lock = open(&path, kind);
        let guard = lock.lock(Exclusive, None).unwrap();
        assert!(!is_free(&path, kind, Exclusive, LockRange::WHOLE) && !is_free(&path, kind, Shared, LockRange::WHOLE), "{kind:?}");
        drop(guard);
        let guard = lock.lock(Shared, Wait::NEVER).unwrap();
        assert!(!is_free(&path, kind, Exclusive, LockRange::WHOLE) && is_free(&path, kind, Shared, LockRange::WHOLE), "{kind:?}");
        drop(guard);
        assert!(is_free(&path, kind, Exclusive, LockRange::WHOLE), "{kind:?}");
    }
}

#[test]
fn a_wait_ends_in_every_way_and_with_the_holder() {
    let alone = Alone::new();
    let path = alone.path("lock");
    for kind in KINDS {
        let mut child = holder(&path, kind, Exclusive, LockRange::WHOLE);
        let lock = open(&path, kind);
        ends_in_every_way(&format!("lock {kind:?}"), |wait| lock.lock(Exclusive, wait).unwrap_err());
        ends_in_every_way(&format!("share {kind:?}"), |wait| lock.acquire(Shared, LockRange::WHOLE, wait).unwrap_err());
        // Plain, which is one blocking call, in a storm of signals.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(20));
                child.kill();
            });
            drop(support::alone::in_a_storm(|| lock.lock(Exclusive, None)).unwrap());
        });
    }
}

#[test]
fn a_timed_wait_gets_what_becomes_free() {
    let alone = Alone::new();
    let path = alone.path("lock");
    for kind in KINDS {
        let mut child = holder(&path, kind, Shared, LockRange::WHOLE);
        let lock = open(&path, kind);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(20));
                child.kill();
            });
            drop(lock.lock(Exclusive, HANG).unwrap());
        });
    }
}

#[test]
fn ranges_are_apart_to_the_byte() {
    let alone = Alone::new();
    let path = alone.path("lock");
    for kind in RANGED {
        let lock = open(&path, kind);
        let guard = lock.lock_range(Exclusive, range(10, 10), None).unwrap();
        for (start, length, free) in
            [(0, 10, true), (0, 11, false), (19, 1, false), (20, 1, true), (20, 0, true), (0, 0, false), (15, 1, false)]
        {
            assert_eq!(is_free(&path, kind, Shared, range(start, length)), free, "{kind:?} {start} {length}");
        }
        // A part of it is given back.
        lock.unlock(range(12, 2)).unwrap();
        assert!(is_free(&path, kind, Exclusive, range(12, 2)));
        assert!(!is_free(&path, kind, Exclusive, range(11, 1)) && !is_free(&path, kind, Exclusive, range(14, 1)));
        drop(guard);
        assert!(is_free(&path, kind, Exclusive, LockRange::WHOLE));
        // The last byte that a file can have, and beyond.
        let last = i64::MAX as u64;
        drop(lock.lock_range(Exclusive, range(last, 1), None).unwrap());
        drop(lock.lock_range(Exclusive, range(last, 0), None).unwrap());
        for (start, length) in [(last, 2), (last + 1, 1), (0, last + 1), (u64::MAX, u64::MAX)] {
            assert!(lock.acquire(Shared, range(start, length), None).unwrap_err().is(Errno::EINVAL), "{start} {length}");
        }
    }
    let error = open(&path, LockKind::Flock).acquire(Exclusive, range(0, 1), None).unwrap_err();
    assert!(error.is(Errno::EINVAL) && error.remedy().is_some());
}

#[test]
fn upgrade_and_downgrade_keep_the_lock() {
    let alone = Alone::new();
    let path = alone.path("lock");
    for kind in KINDS {
        let lock = open(&path, kind);
        let mut guard = lock.lock(Shared, None).unwrap();
        guard.upgrade(None).unwrap();
        assert_eq!(guard.mode(), Some(Exclusive));
        assert!(!is_free(&path, kind, Shared, LockRange::WHOLE));
        guard.downgrade().unwrap();
        assert!(is_free(&path, kind, Shared, LockRange::WHOLE) && !is_free(&path, kind, Exclusive, LockRange::WHOLE));
        // Another sharer: the upgrade fails, the shared lock is still held.
        let mut child = holder(&path, kind, Shared, LockRange::WHOLE);
        ends_in_every_way(&format!("upgrade {kind:?}"), |wait| guard.upgrade(wait).unwrap_err());
        assert_eq!(guard.mode(), Some(Shared));
        child.kill();
        assert!(!is_free(&path, kind, Exclusive, LockRange::WHOLE), "{kind:?}");
        guard.upgrade(Wait::NEVER).unwrap();
    }
}

#[test]
fn what_is_not_held_is_not_upgraded_and_not_downgraded() {
    let alone = Alone::new();
    let path = alone.path("lock");
    for kind in KINDS {
        let lock = open(&path, kind);
        let refuses = |range: LockRange| {
            for error in [lock.upgrade(range, Wait::NEVER).unwrap_err(), lock.downgrade(range).unwrap_err()] {
                assert!(error.is(Errno::EPERM) && error.remedy().is_some(), "{kind:?} {range:?}: {error}");
            }
        };
        refuses(LockRange::WHOLE);
        assert!(is_free(&path, kind, Exclusive, LockRange::WHOLE), "{kind:?}");
        lock.unlock(LockRange::WHOLE).unwrap();
        lock.acquire(Shared, LockRange::WHOLE, Wait::NEVER).unwrap();
        // Both may be asked for twice.
        for _ in 0..2 {
            lock.upgrade(LockRange::WHOLE, Wait::NEVER).unwrap();
        }
        for _ in 0..2 {
            lock.downgrade(LockRange::WHOLE).unwrap();
        }
        lock.unlock(LockRange::WHOLE).unwrap();
        refuses(LockRange::WHOLE);
        if kind == LockKind::Flock {
            continue;
        }
        // A part is not the whole, pieces of both modes are.
        lock.acquire(Shared, range(10, 10), Wait::NEVER).unwrap();
        lock.acquire(Exclusive, range(20, 10), Wait::NEVER).unwrap();
        for beyond in [range(9, 1), range(9, 2), range(29, 2), range(30, 1), range(10, 0), LockRange::WHOLE] {
            refuses(beyond);
        }
        assert!(is_free(&path, kind, Exclusive, range(0, 10)) && is_free(&path, kind, Exclusive, range(30, 0)), "{kind:?}");
        lock.upgrade(range(15, 10), Wait::NEVER).unwrap();
        lock.downgrade(range(10, 20)).unwrap();
        assert!(is_free(&path, kind, Shared, range(10, 20)) && !is_free(&path, kind, Exclusive, range(29, 1)), "{kind:?}");
    }
    // A record lock is the process's, whichever handle took it, and a child has none.
    let (first, second) = (open(&path, LockKind::Record), open(&path, LockKind::Record));
    first.acquire(Shared, range(0, 10), Wait::NEVER).unwrap();
    second.acquire(Shared, range(10, 10), Wait::NEVER).unwrap();
    second.upgrade(range(0, 20), Wait::NEVER).unwrap();
    first.downgrade(range(5, 10)).unwrap();
}

#[test]
fn a_flock_that_fails_to_upgrade_may_be_lost_and_says_so() {
    let alone = Alone::new();
    let path = alone.path("lock");
    let first = open(&path, LockKind::Flock);
    let second = open(&path, LockKind::Flock);
    let third = open(&path, LockKind::Flock);
    let mut guard = first.lock(Shared, None).unwrap();
    let sharer = second.lock(Shared, None).unwrap();
    std::thread::scope(|scope| {
        // It takes the file exclusively as soon as both sharers are out of the way: the one lets go, the other's is given back by its upgrade.
        scope.spawn(|| {
            let mut wins = third.lock(Exclusive, Duration::from_millis(1));
            drop(sharer);
            while wins.is_err() {
                wins = third.lock(Exclusive, Wait::NEVER);
            }
            std::thread::sleep(Duration::from_millis(300));
        });
        let error = loop {
            match guard.upgrade(Duration::from_millis(100)) {
                Ok(()) => guard.downgrade().unwrap(),
                Err(error) if error.is(Errno::ENOLCK) => break Some(error),
                Err(error) => {
                    assert!(error.is(Errno::ETIMEDOUT), "{error}");
                    assert_eq!(guard.mode(), Some(Shared));
                }
            }
        };
        let error = error.unwrap();
        assert!(error.to_string().contains("lost"), "{error}");
        assert_eq!(guard.mode(), None);
    });
}

#[test]
fn the_holder_is_told() {
    let alone = Alone::new();
    let path = alone.path("lock");
    for kind in KINDS {
        let lock = open(&path, kind);
        assert_eq!(lock.find_holder(Exclusive, LockRange::WHOLE).unwrap(), None);
        let of = if kind == LockKind::Flock { LockRange::WHOLE } else { range(5, 7) };
        let mut child = holder(&path, kind, Shared, of);
        assert_eq!(lock.find_holder(Shared, LockRange::WHOLE).unwrap(), None);
        let found = lock.find_holder(Exclusive, LockRange::WHOLE).unwrap().unwrap();
        assert_eq!((found.mode, found.range), (Shared, of));
        assert_eq!(found.process, (kind != LockKind::Ofd).then_some(child.id()), "{kind:?}");
        // What one holds oneself is not in the way.
        let own = lock.lock(Shared, None).unwrap();
        child.kill();
        assert_eq!(lock.find_holder(Exclusive, LockRange::WHOLE).unwrap(), None, "{kind:?}");
        drop(own);
    }
    // Record locks and OFD locks see each other.
    let mut child = holder(&path, LockKind::Record, Exclusive, LockRange::WHOLE);
    let found = open(&path, LockKind::Ofd).find_holder(Shared, LockRange::WHOLE).unwrap().unwrap();
    assert_eq!(found.process, Some(child.id()));
    assert!(open(&path, LockKind::Flock).lock(Exclusive, Wait::NEVER).is_ok());
    child.kill();
    // Another handle of the same process, of a flock: both have lines that look the same but for the mode.
    let (first, second) = (open(&path, LockKind::Flock), open(&path, LockKind::Flock));
    let _first = first.lock(Shared, None).unwrap();
    let _second = second.lock(Shared, None).unwrap();
    assert_eq!(first.find_holder(Exclusive, LockRange::WHOLE).unwrap().unwrap().process, Some(std::process::id() as i32));
}

/// Runs `work` as the first process of a pid namespace of its own.
fn in_pid_namespace(work: impl FnOnce() -> i32) -> i32 {
    let child = Child::fork(|| {
        // SAFETY: unshare takes integers; it counts for the children of this child.
        if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
            not_looked("this system gives no pid namespace");
            return 0;
        }
        Child::fork(work).wait()
    });
    child.wait()
}

#[test]
fn a_holder_in_another_pid_namespace_is_told_without_a_number() {
    let alone = Alone::new();
    let path = alone.path("lock");
    for kind in KINDS {
        let lock = open(&path, kind);
        let guard = lock.lock(Exclusive, None).unwrap();
        let ask = || FileLock::open(&path, &options(kind)).unwrap().find_holder(Exclusive, LockRange::WHOLE).unwrap();
        let status = in_pid_namespace(|| {
            assert_eq!(std::process::id(), 1);
            // /proc is still that of the outer namespace, whose numbers mean others here.
            let found = ask().unwrap();
            assert_eq!((found.process, found.mode), (None, Exclusive), "{kind:?}");
            if own_mounts() {
                // SAFETY: all strings are NUL-terminated literals; there are no options.
                let result = unsafe { libc::mount(c"proc".as_ptr(), c"/proc".as_ptr(), c"proc".as_ptr(), 0, std::ptr::null()) };
                assert_eq!(result, 0, "mount: {}", std::io::Error::last_os_error());
                // The kernel leaves a flock out of a list where its holder has no number.
                assert_eq!(ask().is_none(), kind == LockKind::Flock, "{kind:?}");
                assert!(ask().is_none_or(|found| found.process.is_none()));
            }
            // It holds all the same.
            assert!(open(&path, kind).lock(Shared, Wait::NEVER).unwrap_err().is(Errno::EAGAIN), "{kind:?}");
            0
        });
        assert_eq!(status, 0, "{kind:?}");
        drop(guard);
        // From above one sees in, and the number is one of ours; below the holder's namespace it has none.
        let status = Child::fork(|| {
            // SAFETY: as above.
            if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
                return 0;
            }
            let holder = holder(&path, kind, Exclusive, LockRange::WHOLE);
            let found = ask().unwrap();
            assert_eq!(found.process, (kind != LockKind::Ofd).then_some(holder.id()), "{kind:?}");
            Child::fork(|| in_pid_namespace(|| i32::from(ask().unwrap().process.is_some()))).wait()
        });
        assert_eq!(status.wait(), 0, "{kind:?}");
        assert_eq!(lock.find_holder(Exclusive, LockRange::WHOLE).unwrap(), None, "{kind:?}");
    }
}

#[test]
fn close_of_another_descriptor_loses_record_locks_and_no_others() {
    let alone = Alone::new();
    let path = alone.path("lock");
    for (kind, keeps) in [(LockKind::Ofd, true), (LockKind::Flock, true), (LockKind::Record, false)] {
        let lock = open(&path, kind);
        let _guard = lock.lock(Exclusive, None).unwrap();
        drop(std::fs::File::open(&path).unwrap());
        assert_eq!(!is_free(&path, kind, Exclusive, LockRange::WHOLE), keeps, "{kind:?}");
    }
}

#[test]
fn dup_shares_the_lock() {
    let alone = Alone::new();
    let path = alone.path("lock");
    for (kind, keeps) in [(LockKind::Ofd, true), (LockKind::Flock, true), (LockKind::Record, false)] {
        let lock = open(&path, kind);
        lock.acquire(Exclusive, LockRange::WHOLE, None).unwrap();
        let twin = lock.as_fd().try_clone_to_owned().unwrap();
        drop(lock);
        assert_eq!(!is_free(&path, kind, Exclusive, LockRange::WHOLE), keeps, "{kind:?}");
        let lock = FileLock::adopt(twin, kind).unwrap();
        lock.unlock(LockRange::WHOLE).unwrap();
        assert!(is_free(&path, kind, Exclusive, LockRange::WHOLE));
    }
}

#[test]
fn fork_shares_the_lock_but_for_records_and_a_guard_is_the_parents() {
    let alone = Alone::new();
    let path = alone.path("lock");
    for kind in KINDS {
        let lock = open(&path, kind);
        let guard = std::cell::RefCell::new(Some(lock.lock(Exclusive, None).unwrap()));
        let dropper = Child::fork(|| {
            drop(guard.borrow_mut().take());
            // The child's copy of the handle.
            // SAFETY: the child ends without using it.
            unsafe { libc::close(lock.as_fd().as_raw_fd()) };
            0
        });
        assert_eq!(dropper.wait(), 0);
        assert!(!is_free(&path, kind, Shared, LockRange::WHOLE), "{kind:?}: a guard dropped in the child");
        drop(guard);
        assert!(is_free(&path, kind, Exclusive, LockRange::WHOLE), "{kind:?}");

        // The child has the lock as well, unless it is of the process.
        lock.acquire(Exclusive, LockRange::WHOLE, None).unwrap();
        let mut sleeper = Child::fork(|| {
            loop {
                std::thread::sleep(HANG);
            }
        });
        drop(lock);
        assert_eq!(is_free(&path, kind, Exclusive, LockRange::WHOLE), kind == LockKind::Record, "{kind:?}");
        sleeper.kill();
        assert!(is_free(&path, kind, Exclusive, LockRange::WHOLE));

        // An unlock in the child is one for both, unless the lock is of the process.
        let lock = open(&path, kind);
        let _guard = lock.lock(Exclusive, None).unwrap();
        assert_eq!(Child::fork(|| i32::from(lock.unlock(LockRange::WHOLE).is_err())).wait(), 0);
        assert_eq!(is_free(&path, kind, Exclusive, LockRange::WHOLE), kind != LockKind::Record, "{kind:?}");
    }
}

#[test]
fn handles_of_one_process_keep_each_other_out_but_for_records() {
    let alone = Alone::new();
    let path = alone.path("lock");
    for kind in KINDS {
        let (first, second) = (open(&path, kind), open(&path, kind));
        let _first = first.lock(Exclusive, None).unwrap();
        assert_eq!(second.lock(Exclusive, Wait::NEVER).is_ok(), kind == LockKind::Record, "{kind:?}");
    }
}

#[test]
fn a_circle_of_record_locks_is_told() {
    let alone = Alone::new();
    let path = alone.path("lock");
    let turn = SharedPages::<std::sync::atomic::AtomicU32>::zeroed();
    let await_turn = |value| {
        while turn.load(std::sync::atomic::Ordering::Acquire) < value {
            std::thread::yield_now();
        }
    };
    let child = Child::fork(|| {
        let lock = open(&path, LockKind::Record);
        let _second = lock.lock_range(Exclusive, range(1, 1), None).unwrap();
        turn.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        await_turn(2);
        let outcome = lock.acquire(Exclusive, range(0, 1), None);
        match outcome {
            Ok(()) => 0,
            Err(error) if error.is(Errno::EDEADLK) => 1,
            Err(_) => 2,
        }
    });
    let lock = open(&path, LockKind::Record);
    let first = lock.lock_range(Exclusive, range(0, 1), None).unwrap();
    turn.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
    await_turn(2);
    let own = lock.acquire(Exclusive, range(1, 1), None);
    drop(first);
    let childs = child.wait();
    // One of the two was told; the other got it when that one let go.
    match own {
        Ok(()) => assert_eq!(childs, 1),
        Err(error) => {
            assert!(error.is(Errno::EDEADLK) && error.remedy().is_some(), "{error}");
            assert_eq!(childs, 0);
        }
    }
}

#[test]
fn a_killed_holder_lets_go_a_hundred_times() {
    let alone = Alone::new();
    let path = alone.path("lock");
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    for round in 0..kills() {
        let kind = KINDS[round as usize % 3];
        let mut child = Child::fork(|| {
            let lock = open(&path, kind);
            loop {
                drop(lock.lock(Exclusive, None).unwrap());
                drop(lock.lock(Shared, None).unwrap());
            }
        });
        random_time(&mut seed, 2000);
        child.kill();
        drop(open(&path, kind).lock(Exclusive, Wait::NEVER).unwrap());
    }
}

#[test]
fn two_processes_count_without_losing_one() {
    let alone = Alone::new();
    for kind in KINDS {
        let path = alone.path(&format!("count-{kind:?}"));
        std::fs::write(&path, "0").unwrap();
        let add = || {
            let lock = open(&path, kind);
            for round in 0..300 {
                let wait = if round % 2 == 0 { Wait::FOREVER } else { HANG.into() };
                let _guard = lock.lock(Exclusive, wait).unwrap();
                // By the lock's own descriptor: the close of another would lose a record lock.
                let mut text = [0; 16];
                let length = nix_pread(&lock, &mut text);
                let count: u32 = std::str::from_utf8(&text[..length]).unwrap().parse().unwrap();
                nix_pwrite(&lock, (count + 1).to_string().as_bytes());
            }
        };
        let child = Child::fork(|| {
            add();
            0
        });
        add();
        assert_eq!(child.wait(), 0);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "600", "{kind:?}");
    }
}

fn nix_pread(file: &FileLock, buffer: &mut [u8]) -> usize {
    // SAFETY: the buffer is valid for its length.
    let count = unsafe { libc::pread(file.as_fd().as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    usize::try_from(count).unwrap()
}

fn nix_pwrite(file: &FileLock, data: &[u8]) {
    // SAFETY: the data is valid for its length.
    let count = unsafe { libc::pwrite(file.as_fd().as_raw_fd(), data.as_ptr().cast(), data.len(), 0) };
    assert_eq!(usize::try_from(count).unwrap(), data.len());
}

#[test]
fn what_cannot_be_locked_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let alone = Alone::new();
    let path = alone.path("lock");
    for bad in ["", "a\0b"] {
        assert!(FileLock::open(bad, &Default::default()).unwrap_err().is(Errno::EINVAL));
    }
    assert!(FileLock::open(&path, &Default::default()).unwrap_err().is(Errno::ENOENT));
    assert!(FileLock::open_or_create(&alone.path("no/lock"), &Default::default()).unwrap_err().is(Errno::ENOENT));
    assert!(FileLock::open_or_create(&path, &FileLockOptions { mode: 0o1000, ..Default::default() }).unwrap_err().is(Errno::EINVAL));
    assert!(alone.names().is_empty());
    // SAFETY: takes an integer; the umask is set back below.
    let before = unsafe { libc::umask(0o077) };
    let lock = FileLock::open_or_create(&path, &FileLockOptions { mode: 0o664, ..Default::default() }).unwrap();
    // SAFETY: as above.
    unsafe { libc::umask(before) };
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o664);
    drop(lock);
    let read_only = FileLock::open(&path, &FileLockOptions { read_only: true, ..Default::default() }).unwrap();
    drop(read_only.lock(Shared, None).unwrap());
    let error = read_only.lock(Exclusive, None).unwrap_err();
    assert!(error.is(Errno::EBADF) && error.remedy().is_some(), "{error}");
    assert!(read_only.lock(Exclusive, Wait::NEVER).unwrap_err().is(Errno::EBADF));
    let flock = FileLock::open(&path, &FileLockOptions { read_only: true, kind: LockKind::Flock, ..Default::default() }).unwrap();
    drop(flock.lock(Exclusive, None).unwrap());

    let link = alone.path("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(FileLock::open(&link, &Default::default()).unwrap_err().is(Errno::ELOOP));
    assert!(FileLock::open_or_create(&link, &Default::default()).unwrap_err().is(Errno::ELOOP));
    let fifo = alone.path("fifo");
    unipc::stream::create_fifo(&fifo, &Default::default()).unwrap();
    for other in [fifo.as_str(), "/dev/null", "/tmp"] {
        for read_only in [false, true] {
            let options = FileLockOptions { read_only, any_owner: true, ..Default::default() };
            assert!(FileLock::open(other, &options).unwrap_err().is_failure(Failure::WrongKind), "{other}");
        }
    }
    // A directory by its descriptor, for a flock.
    let directory = FileLock::adopt(std::fs::File::open("/tmp").unwrap().into(), LockKind::Flock).unwrap();
    drop(directory.lock(Shared, None).unwrap());
}

#[test]
fn files_of_another_user_are_refused_unless_asked_for() {
    let alone = Alone::new();
    if !is_root() {
        return;
    }
    let path = alone.path("lock");
    let directory = std::path::Path::new(&path).parent().unwrap();
    std::os::unix::fs::chown(directory, Some(4711), None).unwrap();
    let other = Child::fork(|| {
        become_user(4711);
        drop(FileLock::open_or_create(&path, &FileLockOptions { mode: 0o666, ..Default::default() }).unwrap());
        0
    });
    assert_eq!(other.wait(), 0);
    assert!(FileLock::open(&path, &Default::default()).unwrap_err().is(Errno::EPERM));
    assert!(FileLock::open_or_create(&path, &Default::default()).unwrap_err().is(Errno::EPERM));
    let any = FileLock::open(&path, &FileLockOptions { any_owner: true, kind: LockKind::Record, ..Default::default() }).unwrap();
    // The other user is kept out, and told by whom.
    let _guard = any.lock(Exclusive, None).unwrap();
    let parent = std::process::id() as i32;
    let other = Child::fork(|| {
        become_user(4711);
        let lock = FileLock::open(&path, &FileLockOptions { kind: LockKind::Record, ..Default::default() }).unwrap();
        assert!(lock.lock(Shared, Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
        assert_eq!(lock.find_holder(Shared, LockRange::WHOLE).unwrap().unwrap().process, Some(parent));
        0
    });
    assert_eq!(other.wait(), 0);
}

#[test]
fn util_linux_flock_and_pythons_fcntl_meet_ours() {
    let alone = Alone::new();
    let path = alone.path("lock");
    let lock = open(&path, LockKind::Flock);
    let tool = |mode: &str| {
        let status = Command::new("flock").args(["--nonblock", mode, &path, "true"]).status().unwrap();
        status.success()
    };
    let guard = lock.lock(Shared, None).unwrap();
    assert!(tool("--shared") && !tool("--exclusive"));
    drop(guard);
    assert!(tool("--exclusive"));
    // The other way round.
    let mut theirs = Command::new("flock").args(["--exclusive", &path, "cat"]).stdin(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while lock.lock(Exclusive, Wait::NEVER).is_ok() {
        assert!(start.elapsed() < HANG);
        std::thread::sleep(Duration::from_millis(1));
    }
    ends_in_every_way("lock against flock(1)", |wait| lock.lock(Shared, wait).unwrap_err());
    drop(theirs.stdin.take());
    assert!(theirs.wait().unwrap().success());
    drop(lock.lock(Exclusive, HANG).unwrap());

    let script = "import fcntl, sys\nf = open(sys.argv[1], 'r+b')\ntry:\n    fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 10)\nexcept OSError:\n    sys.exit(7)\nprint('held', flush=True)\nsys.stdin.read()\n";
    for kind in RANGED {
        let lock = open(&path, kind);
        let guard = lock.lock_range(Shared, range(14, 1), None).unwrap();
        let run = || Command::new("python3").args(["-c", script, &path]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        assert_eq!(run().wait().unwrap().code(), Some(7), "{kind:?}");
        drop(guard);
        let mut theirs = run();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(theirs.stdout.take().unwrap()), &mut line).unwrap();
        assert_eq!(line, "held\n");
        assert!(lock.acquire(Shared, range(10, 1), Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
        let found = lock.find_holder(Shared, LockRange::WHOLE).unwrap().unwrap();
        assert_eq!((found.process, found.range), (Some(theirs.id() as i32), range(10, 5)));
        drop(theirs.stdin.take());
        assert!(theirs.wait().unwrap().success());
    }
}

#[test]
fn a_handle_is_one_descriptor_closed_on_exec() {
    let alone = Alone::new();
    let lock = open(&alone.path("lock"), LockKind::Ofd);
    // SAFETY: F_GETFD returns an integer.
    assert_eq!(unsafe { libc::fcntl(lock.as_fd().as_raw_fd(), libc::F_GETFD) }, libc::FD_CLOEXEC);
    assert_eq!(support::alone::flags(&lock) & libc::O_NONBLOCK, 0);
    // SAFETY: dup gives a descriptor that is ours.
    let plain = unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(libc::dup(lock.as_fd().as_raw_fd())) };
    let adopted = FileLock::adopt(plain, LockKind::Ofd).unwrap();
    // SAFETY: as above.
    assert_eq!(unsafe { libc::fcntl(adopted.as_fd().as_raw_fd(), libc::F_GETFD) }, libc::FD_CLOEXEC);
}
