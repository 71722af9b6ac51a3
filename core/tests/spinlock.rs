//! The spinlock between real processes: holders that die anywhere, holders that stop, repair.

mod support;

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use support::objects::{
    HANG, for_every_point, killed_at_every_instruction, killed_behind_its_sleep, sleep_for_ever, stopped_at_every_instruction, wait_until,
};
use support::process::{Child, kills};
use support::shared::SharedPages;
use support::stepper::{Stepper, is_asleep};
use support::waits::ends_in_every_way;
use unipc::Wait;
use unipc::sync::{Spinlock, SpinlockGuard};
use unipc_tests::Leaks;

/// What the lock protects: the two are equal outside the critical section.
#[repr(C)]
struct Account {
    lock: Spinlock,
    value: AtomicI64,
    backup: AtomicI64,
    phase: AtomicU32,
}

impl Account {
    fn increment(&self) {
        self.value.fetch_add(1, Ordering::Relaxed);
        self.backup.fetch_add(1, Ordering::Relaxed);
    }

    fn survive(&self) -> bool {
        let mut guard = self.lock.lock_recover(HANG).expect("a survivor gets the lock");
        let damaged = self.value.load(Ordering::Relaxed) != self.backup.load(Ordering::Relaxed);
        assert!(guard.needs_repair() || !damaged, "damage without the word that repair is needed");
        let told = guard.needs_repair();
        if told {
            self.value.store(self.backup.load(Ordering::Relaxed), Ordering::Relaxed);
            guard.mark_consistent();
        }
        told
    }

    /// A child that holds the lock until it is killed.
    fn held_by_another(&self) -> Child {
        let holder = Child::fork(|| {
            std::mem::forget(self.lock.lock_recover(HANG));
            self.phase.store(1, Ordering::Release);
            sleep_for_ever()
        });
        wait_until(|| self.phase.load(Ordering::Acquire) == 1);
        holder
    }
}

/// What happens once per process, the look at /proc, is not stepped through.
fn warm_up() {
    drop(Spinlock::new().lock(HANG));
}

#[test]
fn many_processes_count_on_zeroed_memory() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let children: Vec<Child> = (0..60)
        .map(|_| {
            Child::fork(|| {
                wait_until(|| account.phase.load(Ordering::Acquire) == 1);
                for _ in 0..200 {
                    let Ok(_guard) = account.lock.lock(HANG) else { return 1 };
                    // Not atomic on purpose: only the lock makes it right.
                    let value = account.value.load(Ordering::Relaxed);
                    account.value.store(value + 1, Ordering::Relaxed);
                }
                0
            })
        })
        .collect();
    account.phase.store(1, Ordering::Release);
    for child in children {
        assert_eq!(child.wait(), 0);
    }
    assert_eq!(account.value.load(Ordering::Relaxed), 60 * 200);
}

#[test]
fn a_dead_holder_is_told_until_somebody_repairs() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    account.held_by_another().kill();
    for _ in 0..3 {
        assert!(account.lock.lock(HANG).unwrap_err().is(Errno::EOWNERDEAD));
        assert!(account.lock.try_lock().unwrap_err().is(Errno::EOWNERDEAD));
    }
    // The repairer dies, and then another gives up.
    account.phase.store(0, Ordering::Release);
    account.held_by_another().kill();
    assert!(account.lock.lock_recover(Wait::NEVER).unwrap().needs_repair());
    let mut guard = account.lock.lock_recover(HANG).unwrap();
    assert!(guard.needs_repair());
    guard.mark_consistent();
    assert!(!guard.needs_repair());
    drop(guard);
    assert!(!account.lock.lock_recover(HANG).unwrap().needs_repair());
    assert!(account.lock.try_lock().is_ok());
}

#[test]
fn a_dead_thread_of_a_process_that_lives_is_found() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    std::thread::scope(|scope| {
        scope.spawn(|| account.lock.lock_raw(HANG).unwrap());
    });
    assert!(account.survive());
    assert!(!account.survive());
}

#[test]
fn a_waiter_gets_the_lock_of_a_holder_that_is_killed() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let mut holder = account.held_by_another();
    assert!(account.lock.try_lock().unwrap_err().is(Errno::EAGAIN));
    let waiter = Child::fork(|| i32::from(!account.survive()));
    wait_until(|| is_asleep(waiter.id()));
    let start = Instant::now();
    holder.kill();
    assert_eq!(waiter.wait(), 0);
    println!("the waiter of a dead holder goes on after {:?}", start.elapsed());
}

#[test]
fn only_the_holder_unlocks_and_marks() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    assert!(account.lock.unlock().unwrap_err().is(Errno::EPERM));
    assert!(account.lock.mark_consistent().unwrap_err().is(Errno::EPERM));
    let guard = std::mem::ManuallyDrop::new(account.lock.lock(HANG).unwrap());
    assert!(account.lock.lock(HANG).unwrap_err().is(Errno::EDEADLK));
    assert!(account.lock.try_lock().unwrap_err().is(Errno::EDEADLK));
    let child = Child::fork(|| {
        let refused = account.lock.unlock().unwrap_err().is(Errno::EPERM)
            && account.lock.mark_consistent().unwrap_err().is(Errno::EPERM)
            && account.lock.try_lock().unwrap_err().is(Errno::EAGAIN);
        // The child did not inherit the lock.
        drop::<SpinlockGuard>(std::mem::ManuallyDrop::into_inner(guard));
        i32::from(!refused)
    });
    assert_eq!(child.wait(), 0);
    account.lock.unlock().unwrap();
    // SAFETY: the pages are mapped and nobody uses the spinlock.
    unsafe {
        (&raw mut (*account.as_ptr()).lock).write_bytes(0xa5, 1);
        assert!(account.lock.lock(HANG).unwrap_err().is_failure(unipc::Failure::Incompatible));
        Spinlock::init(&raw mut (*account.as_ptr()).lock);
    }
    drop(account.lock.lock(HANG).unwrap());
}

#[test]
fn locking_ends_in_every_way() {
    support::waits::prepare();
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let mut holder = account.held_by_another();
    ends_in_every_way("lock", |wait| account.lock.lock(wait).map(drop).unwrap_err());
    ends_in_every_way("lock to recover", |wait| account.lock.lock_recover(wait).map(drop).unwrap_err());
    holder.kill();
}

#[test]
fn another_pid_namespace_is_refused() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    drop(account.lock.lock(HANG).unwrap());
    let child = Child::fork(|| {
        // SAFETY: the next child of this one lives in a namespace of its own.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWPID) }, 0, "unshare needs root");
        let inner = Child::fork(|| {
            let is_refused = |result: unipc::Result<()>| result.is_err_and(|error| error.is_failure(unipc::Failure::Incompatible));
            i32::from(!(is_refused(account.lock.lock_raw(HANG)) && is_refused(account.lock.unlock())))
        });
        inner.wait()
    });
    assert_eq!(child.wait(), 0);
}

fn lock_and_count(account: &Account) -> i32 {
    let guard = account.lock.lock_recover(HANG);
    account.increment();
    drop(guard);
    0
}

/// Kills a process at every instruction of first use, lock, critical section and unlock; a survivor goes on each time.
#[test]
fn killed_at_every_instruction_uncontended() {
    let _leaks = Leaks::watch();
    let survive = |account: &Account, ()| {
        account.survive();
        assert!(!account.survive(), "the repair is remembered");
    };
    let points = killed_at_every_instruction("first use, lock and unlock", |_| (), |_| warm_up(), lock_and_count, survive);
    assert!(points > 50, "the stepper has not stepped through a lock: {points}");
}

/// Stops a process at every instruction; another does not wait longer than it wants, and both come through.
#[test]
fn stopped_at_every_instruction_nobody_hangs() {
    let _leaks = Leaks::watch();
    let other = |account: &Account| match account.lock.lock(Duration::from_millis(4)) {
        Ok(_guard) => {
            account.increment();
            true
        }
        Err(error) => {
            assert!(error.is(Errno::ETIMEDOUT), "{error}");
            false
        }
    };
    let after = |account: &Account| assert!(!account.survive(), "nobody has died");
    let (points, refused) = stopped_at_every_instruction("lock and unlock", |_| (), |_| warm_up(), lock_and_count, other, after);
    assert!(points > 50 && refused > 0 && refused < points, "{points} {refused}");
}

/// The lock is held by another at first: the victim dies behind its sleep, as a woken waiter, or as one that has found the holder dead.
#[test]
fn killed_at_every_instruction_contended() {
    let _leaks = Leaks::watch();
    for (what, dies) in [("a lock that is let go", false), ("a lock of one that dies", true)] {
        let set_up = |account: &SharedPages<Account>| {
            let holder = Child::fork(|| {
                account.lock.lock_raw(HANG).unwrap();
                account.phase.store(1, Ordering::Release);
                while account.phase.load(Ordering::Acquire) != 2 {
                    std::thread::sleep(Duration::from_micros(100));
                }
                i32::from(account.lock.unlock().is_err())
            });
            wait_until(|| account.phase.load(Ordering::Acquire) == 1);
            holder
        };
        let release = |account: &Account, holder: &mut Child| {
            if dies {
                holder.kill();
            } else {
                account.phase.store(2, Ordering::Release);
            }
        };
        let points = killed_behind_its_sleep(
            what,
            set_up,
            |_| warm_up(),
            lock_and_count,
            release,
            |account, holder| {
                if !dies {
                    assert_eq!(holder.wait(), 0);
                }
                assert!(account.survive() || !dies, "a dead holder is forgotten");
                assert!(!account.survive());
            },
        );
        assert!(points > 50, "{points}");
    }
}

/// Kills the holder at every instruction of its unlock while another process sleeps for the lock: it comes through.
#[test]
fn killed_at_every_instruction_of_unlock_with_a_waiter() {
    let _leaks = Leaks::watch();
    let longest = AtomicU64::new(0);
    let points = for_every_point(|point| {
        let account = SharedPages::<Account>::zeroed();
        let begin = || {
            account.lock.lock_raw(HANG).unwrap();
            account.phase.store(1, Ordering::Release);
        };
        let mut stepper = Stepper::start(begin, || {
            while account.phase.load(Ordering::Acquire) != 2 {
                std::hint::spin_loop();
            }
            account.increment();
            i32::from(account.lock.unlock().is_err())
        });
        let waiter = Child::fork(|| {
            account.survive();
            0
        });
        wait_until(|| is_asleep(waiter.id()));
        account.phase.store(2, Ordering::Release);
        if !stepper.advance(point) {
            assert_eq!(waiter.wait(), 0);
            return false;
        }
        let start = Instant::now();
        stepper.kill();
        assert_eq!(waiter.wait(), 0);
        longest.fetch_max(start.elapsed().as_millis() as u64, Ordering::Relaxed);
        true
    });
    let longest = longest.into_inner();
    println!("killed at {points} instructions of unlock with a waiter, who waited {longest} ms at most; failures: 0");
    assert!(points > 20, "the stepper has not stepped through an unlock: {points}");
}

/// Processes that lock, change and unlock, killed at moments of no choice.
#[test]
fn killed_at_random_moments() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let mut repairs = 0;
    for round in 0..kills() {
        let mut children: Vec<Child> = (0..2)
            .map(|_| {
                Child::fork(|| {
                    account.phase.fetch_add(1, Ordering::Release);
                    loop {
                        account.survive();
                        let Ok(mut guard) = account.lock.lock_recover(HANG) else { return 1 };
                        if guard.needs_repair() {
                            account.value.store(account.backup.load(Ordering::Relaxed), Ordering::Relaxed);
                            guard.mark_consistent();
                        }
                        account.increment();
                    }
                })
            })
            .collect();
        wait_until(|| account.phase.load(Ordering::Acquire) as u64 >= 2 * (round + 1));
        std::thread::sleep(Duration::from_micros(300 + round * 37 % 900));
        for child in &mut children {
            child.kill();
        }
        repairs += u32::from(account.survive());
    }
    println!("killed {} processes at random moments, {repairs} repairs by the survivor; failures: 0", 2 * kills());
}

/// Start times are told with the offset of the reader's time namespace: they cannot be compared then, and the holder lives.
#[test]
fn a_living_holder_of_another_time_namespace_is_not_taken_for_dead() {
    let _leaks = Leaks::watch();
    // SAFETY: geteuid has no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        println!("NOT TESTED: another time namespace; that takes root");
        return;
    }
    let account = SharedPages::<Account>::zeroed();
    let guard = account.lock.lock(HANG).unwrap();
    let other = Child::fork(|| {
        // SAFETY: unshare takes a number.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWTIME) }, 0);
        std::fs::write("/proc/self/timens_offsets", "boottime 1000 0").unwrap();
        // The namespace is that of the children.
        Child::fork(|| {
            let error = account.lock.lock(Duration::from_millis(300)).unwrap_err();
            i32::from(!error.is(Errno::ETIMEDOUT))
        })
        .wait()
    });
    assert_eq!(other.wait(), 0);
    drop(guard);
    drop(account.lock.lock(Wait::NEVER).unwrap());
}
