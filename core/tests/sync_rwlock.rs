//! The reader-writer lock between real processes: shares and the whole, readers and writers that die or stop anywhere, repair.

mod support;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use support::objects::{
    HANG, killed_at_every_instruction, killed_behind_its_sleep, sleep_for_ever, stopped_at_every_instruction, wait_until,
};
use support::process::{Child, kills};
use support::shared::SharedPages;
use support::stepper::is_asleep;
use support::waits::ends_in_every_way;
use unipc::sync::{READERS, RwLock, RwLockGuard};
use unipc::{Failure, Wait};
use unipc_tests::Leaks;

/// What the lock protects: the two are equal outside of a writer's hold.
#[repr(C)]
struct Account {
    lock: RwLock,
    value: AtomicI64,
    backup: AtomicI64,
    phase: AtomicU32,
    inside: AtomicU32,
}

impl Account {
    fn increment(&self) {
        self.value.fetch_add(1, Ordering::Relaxed);
        self.backup.fetch_add(1, Ordering::Relaxed);
    }

    fn is_damaged(&self) -> bool {
        self.value.load(Ordering::Relaxed) != self.backup.load(Ordering::Relaxed)
    }

    fn repair(&self, guard: &mut RwLockGuard<'_>) -> bool {
        let told = guard.needs_repair();
        assert!(told || !self.is_damaged(), "damage without the word that repair is needed");
        if told {
            self.value.store(self.backup.load(Ordering::Relaxed), Ordering::Relaxed);
            guard.mark_consistent();
        }
        told
    }

    /// What a survivor does: it reads, repairs if it must, and writes.
    fn survive(&self) -> bool {
        let told = self.repair(&mut self.lock.read_recover(HANG).expect("a survivor gets a share"));
        assert!(!self.repair(&mut self.lock.write_recover(HANG).expect("a survivor gets the lock")), "the repair is remembered");
        drop(self.lock.try_read().expect("it is free"));
        told
    }

    /// A child that holds a share, or the whole, until it is killed.
    fn held_by_another(&self, whole: bool) -> Child {
        let phase = self.phase.load(Ordering::Acquire);
        let holder = Child::fork(|| {
            std::mem::forget(if whole { self.lock.write_recover(HANG) } else { self.lock.read_recover(HANG) }.unwrap());
            self.phase.fetch_add(1, Ordering::Release);
            sleep_for_ever()
        });
        wait_until(|| self.phase.load(Ordering::Acquire) == phase + 1);
        holder
    }
}

fn nothing(_: &SharedPages<Account>) {}

/// What happens once per process, the look at /proc, is not stepped through.
fn warm_up(_: &Account) {
    let lock = RwLock::new();
    drop(lock.read(HANG).unwrap());
    drop(lock.write(HANG).unwrap());
}

/// A lock that has been used, and is locked inline from now on; by all threads whose first place is in any line. It is made once.
fn used(account: &SharedPages<Account>) {
    static USED: OnceLock<Vec<u8>> = OnceLock::new();
    account.fill(USED.get_or_init(|| {
        let account = SharedPages::<Account>::zeroed();
        drop(account.lock.write(HANG).unwrap());
        let children: Vec<Child> = (0..16).map(|_| Child::fork(|| i32::from(account.lock.read(HANG).is_err()))).collect();
        children.into_iter().for_each(|child| assert_eq!(child.wait(), 0));
        drop(account.lock.read(HANG).unwrap());
        assert!(account.lock.read_at_once() && account.lock.unlock_at_once(), "nothing is done inline here");
        assert!(account.lock.write_at_once() && account.lock.unlock_at_once(), "nothing is done inline here");
        account.bytes()
    }));
}

#[test]
fn readers_share_and_a_writer_is_alone() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let first = account.lock.read(HANG).unwrap();
    let other = Child::fork(|| {
        let reads = account.lock.try_read().is_ok();
        let writes = account.lock.try_write().unwrap_err();
        let late = account.lock.write(Duration::from_millis(5)).unwrap_err();
        i32::from(!(reads && writes.is(Errno::EAGAIN) && late.is(Errno::ETIMEDOUT)))
    });
    assert_eq!(other.wait(), 0);
    drop(first);
    let whole = account.lock.write(HANG).unwrap();
    let other = Child::fork(|| {
        let refused = |result: unipc::Result<RwLockGuard<'_>>| result.is_err_and(|error| error.is(Errno::EAGAIN));
        i32::from(!(refused(account.lock.try_read()) && refused(account.lock.try_write())))
    });
    assert_eq!(other.wait(), 0);
    drop(whole);
    drop(account.lock.try_write().unwrap());
}

#[test]
fn locking_twice_is_refused_and_only_holders_unlock() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let lock = &account.lock;
    assert!(lock.unlock().unwrap_err().is(Errno::EPERM) && lock.mark_consistent().unwrap_err().is(Errno::EPERM));
    for whole in [false, true] {
        let guard = std::mem::ManuallyDrop::new(if whole { lock.write(HANG) } else { lock.read(HANG) }.unwrap());
        for wait in [Wait::NEVER, HANG.into()] {
            assert!(lock.read(wait).unwrap_err().is(Errno::EDEADLK) && lock.write(wait).unwrap_err().is(Errno::EDEADLK));
        }
        assert_eq!(lock.mark_consistent().is_ok(), whole);
        let child = Child::fork(|| {
            let refused = lock.unlock().unwrap_err().is(Errno::EPERM) && lock.mark_consistent().unwrap_err().is(Errno::EPERM);
            // The child did not inherit the lock.
            drop(std::mem::ManuallyDrop::into_inner(guard));
            i32::from(!(refused && lock.try_write().unwrap_err().is(Errno::EAGAIN)))
        });
        assert_eq!(child.wait(), 0);
        lock.unlock().unwrap();
        assert!(lock.unlock().unwrap_err().is(Errno::EPERM));
    }
}

#[test]
fn locking_ends_in_every_way() {
    support::waits::prepare();
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let lock = &account.lock;
    let mut reader = account.held_by_another(false);
    ends_in_every_way("write-lock beside a reader", |wait| lock.write(wait).map(drop).unwrap_err());
    drop(lock.try_read().expect("a writer that has given up turns nobody away"));
    reader.kill();
    let mut writer = account.held_by_another(true);
    ends_in_every_way("read-lock", |wait| lock.read(wait).map(drop).unwrap_err());
    ends_in_every_way("read-lock to recover", |wait| lock.read_recover(wait).map(drop).unwrap_err());
    ends_in_every_way("write-lock", |wait| lock.write(wait).map(drop).unwrap_err());
    ends_in_every_way("write-lock to recover", |wait| lock.write_recover(wait).map(drop).unwrap_err());
    writer.kill();
    assert!(account.survive());
}

#[test]
fn a_dead_reader_leaves_nothing_behind() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let mut readers: Vec<Child> = (0..3).map(|_| account.held_by_another(false)).collect();
    let writer = Child::fork(|| i32::from(account.lock.write(HANG).is_err()));
    wait_until(|| is_asleep(writer.id()));
    let start = Instant::now();
    readers.iter_mut().for_each(Child::kill);
    assert_eq!(writer.wait(), 0);
    println!("a writer goes on after the death of the last reader in {:?}", start.elapsed());
    assert!(!account.survive());
}

#[test]
fn a_dead_writer_is_told_until_somebody_repairs() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let lock = &account.lock;
    account.held_by_another(true).kill();
    for _ in 0..3 {
        assert!(lock.read(HANG).unwrap_err().is(Errno::EOWNERDEAD) && lock.try_write().unwrap_err().is(Errno::EOWNERDEAD));
    }
    // A reader who is to repair has the whole lock; it dies, another gives up.
    let mut repairer = account.held_by_another(false);
    assert!(lock.try_read().unwrap_err().is(Errno::EAGAIN));
    repairer.kill();
    assert!(lock.write_recover(Wait::NEVER).unwrap().needs_repair());
    let mut guard = lock.read_recover(HANG).unwrap();
    assert!(guard.needs_repair());
    let other = Child::fork(|| i32::from(lock.try_read().is_ok()));
    assert_eq!(other.wait(), 0);
    guard.mark_consistent();
    assert!(!guard.needs_repair());
    drop(guard);
    assert!(!account.survive());
    // Everybody who sleeps is told at once.
    let mut writer = account.held_by_another(true);
    let told = |whole: bool| {
        Child::fork(move || {
            let error = if whole { lock.write(HANG) } else { lock.read(HANG) }.map(drop).unwrap_err();
            i32::from(!error.is(Errno::EOWNERDEAD))
        })
    };
    let sleepers: Vec<Child> = (0..6).map(|index| told(index % 2 == 0)).collect();
    wait_until(|| sleepers.iter().all(|child| is_asleep(child.id())));
    let start = Instant::now();
    writer.kill();
    sleepers.into_iter().for_each(|child| assert_eq!(child.wait(), 0));
    println!("six sleepers learn of a death within {:?}", start.elapsed());
    assert!(account.survive());
}

#[test]
fn a_writer_that_waits_turns_new_readers_away() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let lock = &account.lock;
    let guard = lock.read(HANG).unwrap();
    let mut writer = Child::fork(|| {
        std::mem::forget(lock.write(HANG));
        0
    });
    wait_until(|| is_asleep(writer.id()));
    let reader = Child::fork(|| i32::from(!lock.try_read().unwrap_err().is(Errno::EAGAIN)));
    assert_eq!(reader.wait(), 0);
    // It dies while it waits: it has changed nothing, and readers go on.
    writer.kill();
    let reader = Child::fork(|| i32::from(lock.read(HANG).is_err()));
    assert_eq!(reader.wait(), 0);
    drop(guard);
    assert!(!account.survive());
}

/// One reader more than there are places waits, also for the place of a dead one, and a thread that stands elsewhere than at its first is known, too.
#[test]
fn all_places_taken() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let lock = &account.lock;
    let mut readers: Vec<Child> = (0..READERS)
        .map(|_| {
            Child::fork(|| {
                let guard = lock.read(HANG).unwrap();
                assert!(lock.read(HANG).unwrap_err().is(Errno::EDEADLK), "a second share");
                account.inside.fetch_add(1, Ordering::Release);
                while account.phase.load(Ordering::Acquire) == 0 {
                    std::thread::sleep(Duration::from_millis(1));
                }
                drop(guard);
                i32::from(!lock.unlock().unwrap_err().is(Errno::EPERM))
            })
        })
        .collect();
    wait_until(|| account.inside.load(Ordering::Acquire) == READERS as u32);
    assert!(lock.try_read().unwrap_err().is(Errno::EAGAIN));
    assert!(lock.read(Duration::from_millis(30)).unwrap_err().is(Errno::ETIMEDOUT));
    assert!(lock.try_write().unwrap_err().is(Errno::EAGAIN));
    readers.pop().unwrap().kill();
    drop(lock.read(HANG).unwrap());
    account.phase.store(1, Ordering::Release);
    drop(lock.write(HANG).unwrap());
    readers.into_iter().for_each(|child| assert_eq!(child.wait(), 0));
    drop(lock.try_write().unwrap());
    println!("{READERS} readers at a time");
}

#[test]
fn another_pid_namespace_and_other_bytes_are_refused() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let lock = &account.lock;
    drop(lock.read(HANG).unwrap());
    let is_refused = |lock: &RwLock| {
        let errors = [lock.read_raw(HANG).err(), lock.write_raw(HANG).err(), lock.unlock().err(), lock.mark_consistent().err()];
        errors.iter().all(|error| error.as_ref().is_some_and(|error| error.is_failure(Failure::Incompatible)))
    };
    let child = Child::fork(|| {
        // SAFETY: the next child of this one lives in a namespace of its own.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWPID) }, 0, "unshare needs root");
        Child::fork(|| i32::from(!is_refused(lock))).wait()
    });
    assert_eq!(child.wait(), 0);
    for byte in [1, 0x5a, 0xff] {
        // SAFETY: the pages are mapped and nobody uses the lock.
        unsafe { (&raw mut (*account.as_ptr()).lock).write_bytes(byte, 1) };
        assert!(is_refused(lock));
    }
    // SAFETY: as above.
    unsafe { RwLock::init(&raw mut (*account.as_ptr()).lock) };
    assert!(!account.survive());
    // A right beginning, and anything behind it: every call comes to an end.
    let identity = size_of::<u64>();
    for byte in [1u8, 0x20, 0x5a, 0x80, 0xff] {
        // SAFETY: as above; all behind the first word.
        unsafe { account.as_ptr().cast::<u8>().add(identity).write_bytes(byte, size_of::<RwLock>() - identity) };
        let _ = (lock.try_read().map(std::mem::forget), lock.write(Duration::from_millis(5)).map(std::mem::forget));
        let _ = (lock.read_recover(Duration::from_millis(5)).map(std::mem::forget), lock.unlock(), lock.mark_consistent());
    }
}

/// Writers keep the two equal, readers never see them differ, and no addition is lost.
#[test]
fn many_processes_read_and_write() {
    const ROUNDS: i64 = 1500;
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let work = |writes_every: i64| {
        for round in 0..ROUNDS {
            if round % writes_every == 0 {
                let Ok(_guard) = account.lock.write(HANG) else { return 1 };
                // Not atomic on purpose: only the lock makes it right.
                let value = account.value.load(Ordering::Relaxed);
                account.value.store(value + 1, Ordering::Relaxed);
                if round % 64 == 0 {
                    std::thread::yield_now();
                }
                account.backup.store(value + 1, Ordering::Relaxed);
            } else {
                let Ok(_guard) = account.lock.read(HANG) else { return 2 };
                if account.is_damaged() {
                    return 3;
                }
            }
        }
        0
    };
    let children: Vec<Child> = (0..8).map(|index| Child::fork(|| work(if index % 2 == 0 { 10 } else { 2 }))).collect();
    children.into_iter().for_each(|child| assert_eq!(child.wait(), 0));
    assert_eq!(account.value.load(Ordering::Relaxed), 4 * ROUNDS / 10 + 4 * ROUNDS / 2);
    assert!(!account.is_damaged());
}

fn write_and_count(account: &Account) -> i32 {
    let guard = account.lock.write_recover(HANG);
    account.increment();
    drop(guard);
    0
}

fn read_and_look(account: &Account) -> i32 {
    let guard = account.lock.read(HANG);
    let fine = guard.is_ok() && !account.is_damaged();
    drop(guard);
    i32::from(!fine)
}

/// A reader that was killed is no reason to repair.
fn survive_a_reader(account: &Account, (): ()) {
    assert!(!account.survive(), "a reader damages nothing");
}

fn survive(account: &Account, (): ()) {
    account.survive();
    assert!(!account.survive());
}

#[test]
fn killed_at_every_instruction_uncontended() {
    let _leaks = Leaks::watch();
    for (what, is_used) in [("the first", false), ("a later", true)] {
        let set_up = |account: &SharedPages<Account>| {
            if is_used {
                used(account)
            }
        };
        let points = [
            killed_at_every_instruction(&format!("{what} write-lock and unlock"), set_up, warm_up, write_and_count, survive),
            killed_at_every_instruction(&format!("{what} read-lock and unlock"), set_up, warm_up, read_and_look, survive_a_reader),
        ];
        assert!(points.iter().all(|points| *points > 30), "{points:?}");
    }
}

#[test]
fn stopped_at_every_instruction_nobody_hangs() {
    const PATIENCE: Duration = Duration::from_millis(3);
    let _leaks = Leaks::watch();
    let came_through = |result: unipc::Result<RwLockGuard<'_>>| match result {
        Ok(_) => true,
        Err(error) => {
            assert!(error.is(Errno::ETIMEDOUT), "{error}");
            false
        }
    };
    let reads = |account: &Account| came_through(account.lock.read(PATIENCE));
    let writes = |account: &Account| came_through(account.lock.write(PATIENCE));
    let after = |account: &Account| survive_a_reader(account, ());
    let (points, refused) = stopped_at_every_instruction("a write beside a reader", used, warm_up, write_and_count, reads, after);
    assert!(refused > 0 && refused < points);
    let (points, refused) = stopped_at_every_instruction("a read beside a writer", used, warm_up, read_and_look, writes, after);
    assert!(refused > 0 && refused < points);
    let (_, refused) = stopped_at_every_instruction("a read beside a reader", used, warm_up, read_and_look, reads, after);
    assert_eq!(refused, 0);
}

/// The lock is held by a reader or a writer at first: the victim dies after its sleep, as a woken waiter.
#[test]
fn killed_at_every_instruction_contended() {
    let _leaks = Leaks::watch();
    let release = |_: &Account, holder: &mut Child| holder.kill();
    let spun = |account: &Account| {
        warm_up(account);
        let _ = account.lock.write(Duration::from_nanos(1));
    };
    type Work = fn(&Account) -> i32;
    for (what, whole, work, needs_repair) in [
        ("a write beside a reader", false, write_and_count as Work, false),
        ("a write beside a writer that dies", true, write_and_count as Work, true),
        ("a read beside a writer that dies", true, |account: &Account| i32::from(account.lock.read_recover(HANG).is_err()), true),
    ] {
        let set_up = |account: &SharedPages<Account>| account.held_by_another(whole);
        let points = killed_behind_its_sleep(what, set_up, spun, work, release, |account, _| {
            assert!(account.survive() || !needs_repair, "a dead writer is forgotten");
        });
        assert!(points > 50, "{points}");
    }
}

/// The one that unlocks dies at every instruction while another sleeps for the lock: it comes through.
#[test]
fn killed_at_every_instruction_of_unlock_with_a_waiter() {
    let _leaks = Leaks::watch();
    for (what, whole, waits_to_write) in [
        ("unlock by a reader", false, true),
        ("unlock by a writer before a writer", true, true),
        ("unlock by a writer before a reader", true, false),
    ] {
        let points = killed_at_every_instruction(
            what,
            nothing,
            |account| {
                warm_up(account);
                if whole { account.lock.write_raw(HANG) } else { account.lock.read_raw(HANG) }.unwrap();
                // Its own child, which goes on when it is killed.
                let child = Child::fork(|| {
                    let guard = if waits_to_write { account.lock.write_recover(HANG) } else { account.lock.read_recover(HANG) };
                    let mut guard = guard.unwrap();
                    account.repair(&mut guard);
                    account.inside.fetch_add(1, Ordering::Release);
                    0
                });
                wait_until(|| is_asleep(child.id()));
                std::mem::forget(child);
            },
            |account| i32::from(account.lock.unlock().is_err()),
            |account, ()| {
                wait_until(|| account.inside.load(Ordering::Acquire) == 1);
                survive(account, ());
            },
        );
        assert!(points > 20, "{points}");
    }
}

/// Processes that read and write, killed at moments of no choice.
#[test]
fn killed_at_random_moments() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let mut repairs = 0;
    for round in 0..kills() {
        let mut children: Vec<Child> = (0..3)
            .map(|index| {
                Child::fork(|| {
                    account.phase.fetch_add(1, Ordering::Release);
                    loop {
                        let guard = if index == 0 { account.lock.write_recover(HANG) } else { account.lock.read_recover(HANG) };
                        let Ok(mut guard) = guard else { return 1 };
                        account.repair(&mut guard);
                        if index == 0 {
                            account.increment();
                        }
                    }
                })
            })
            .collect();
        wait_until(|| u64::from(account.phase.load(Ordering::Acquire)) >= 3 * (round + 1));
        std::thread::sleep(Duration::from_micros(300 + round * 37 % 900));
        children.iter_mut().for_each(Child::kill);
        repairs += u32::from(account.survive());
    }
    println!("killed {} processes at random moments, {repairs} repairs by the survivor; failures: 0", 3 * kills());
}
