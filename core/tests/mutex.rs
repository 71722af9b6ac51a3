//! The mutex between real processes: first use, holders that die anywhere, repair.

mod support;

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use support::process::Child;
use support::shared::SharedPages;
use support::stepper::{Step, Stepper};
use support::waits::ends_in_every_way;
use unipc::Wait;
use unipc::sync::{Mutex, MutexKind};
use unipc_tests::Leaks;

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);

/// What the lock protects: the two are equal outside the critical section.
#[repr(C)]
struct Account {
    lock: Mutex,
    value: AtomicI64,
    backup: AtomicI64,
    phase: AtomicU32,
}

impl Account {
    fn increment(&self) {
        self.value.fetch_add(1, Ordering::Relaxed);
        self.backup.fetch_add(1, Ordering::Relaxed);
    }

    /// What a survivor does: lock, check, repair if it must.
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
}

#[test]
fn first_use_by_300_processes_at_once_on_zeroed_memory() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let children: Vec<Child> = (0..300)
        .map(|_| {
            Child::fork(|| {
                // Nobody starts before all are there, or the parent has given up.
                while account.phase.load(Ordering::Acquire) == 0 {
                    std::thread::yield_now();
                }
                for _ in 0..20 {
                    let Ok(_guard) = account.lock.lock(Wait::FOREVER) else { return 1 };
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
    assert_eq!(account.value.load(Ordering::Relaxed), 300 * 20);
}

#[test]
fn a_dead_holder_is_told_until_somebody_repairs() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let die_inside = || {
        let child = Child::fork(|| {
            std::mem::forget(account.lock.lock_recover(HANG));
            // SAFETY: the child kills itself.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
            0
        });
        assert_eq!(child.wait(), -libc::SIGKILL);
    };
    die_inside();
    for _ in 0..3 {
        assert!(account.lock.lock(HANG).unwrap_err().is(Errno::EOWNERDEAD));
        assert!(account.lock.try_lock().unwrap_err().is(Errno::EOWNERDEAD));
    }
    // The repairer dies, and then another gives up.
    die_inside();
    assert!(account.lock.lock_recover(HANG).unwrap().needs_repair());
    let mut guard = account.lock.lock_recover(HANG).unwrap();
    assert!(guard.needs_repair());
    guard.mark_consistent();
    assert!(!guard.needs_repair());
    drop(guard);
    assert!(!account.lock.lock_recover(HANG).unwrap().needs_repair());
    assert!(account.lock.lock(HANG).is_ok());
}

#[test]
fn a_waiter_gets_the_lock_of_a_holder_that_is_killed() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let mut holder = Child::fork(|| {
        std::mem::forget(account.lock.lock(HANG));
        account.phase.store(1, Ordering::Release);
        loop {
            // SAFETY: the child sleeps until it is killed.
            unsafe { libc::pause() };
        }
    });
    while account.phase.load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    assert!(account.lock.try_lock().unwrap_err().is(Errno::EAGAIN));
    assert!(account.lock.lock(Duration::from_millis(30)).unwrap_err().is(Errno::ETIMEDOUT));
    let waiter = Child::fork(|| i32::from(!account.survive()));
    holder.kill();
    assert_eq!(waiter.wait(), 0);
}

#[test]
fn only_the_holder_unlocks_and_marks() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    assert!(account.lock.unlock().unwrap_err().is(Errno::EPERM));
    assert!(account.lock.mark_consistent().unwrap_err().is(Errno::EPERM));
    let guard = account.lock.lock(HANG).unwrap();
    let child = Child::fork(|| {
        let refused = account.lock.unlock().unwrap_err().is(Errno::EPERM)
            && account.lock.mark_consistent().unwrap_err().is(Errno::EPERM)
            && account.lock.try_lock().unwrap_err().is(Errno::EAGAIN);
        i32::from(!refused)
    });
    assert_eq!(child.wait(), 0);
    drop(guard);
}

#[test]
fn kinds_differ_in_what_locking_twice_does() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let make = |kind| {
        // SAFETY: the pages are mapped and nobody uses the mutex.
        unsafe { Mutex::init(&raw mut (*account.as_ptr()).lock, kind) }.unwrap();
    };
    make(MutexKind::Plain);
    account.lock.lock_raw(HANG).unwrap();
    assert!(account.lock.lock(Duration::from_millis(20)).unwrap_err().is(Errno::ETIMEDOUT));
    account.lock.unlock().unwrap();
    make(MutexKind::Recursive);
    account.lock.lock_raw(HANG).unwrap();
    account.lock.lock_raw(HANG).unwrap();
    account.lock.unlock().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(account.lock.try_lock().unwrap_err().is(Errno::EAGAIN)));
    });
    account.lock.unlock().unwrap();
    assert!(account.lock.unlock().unwrap_err().is(Errno::EPERM));
    make(MutexKind::ErrorChecking);
    account.lock.lock_raw(HANG).unwrap();
    assert!(account.lock.lock(HANG).unwrap_err().is(Errno::EDEADLK));
    account.lock.unlock().unwrap();
}

#[test]
fn locking_ends_in_every_way() {
    support::waits::prepare();
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let mut holder = Child::fork(|| {
        std::mem::forget(account.lock.lock(HANG));
        account.phase.store(1, Ordering::Release);
        loop {
            // SAFETY: the child sleeps until it is killed.
            unsafe { libc::pause() };
        }
    });
    while account.phase.load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    ends_in_every_way("lock", |wait| account.lock.lock(wait).map(drop).unwrap_err());
    ends_in_every_way("lock to recover", |wait| account.lock.lock_recover(wait).map(drop).unwrap_err());
    holder.kill();
}

#[test]
fn a_child_does_not_inherit_the_lock() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    let guard = std::mem::ManuallyDrop::new(account.lock.lock(HANG).unwrap());
    let child = Child::fork(|| {
        drop(std::mem::ManuallyDrop::into_inner(guard));
        i32::from(!account.lock.try_lock().unwrap_err().is(Errno::EAGAIN))
    });
    assert_eq!(child.wait(), 0);
    assert!(account.lock.unlock().is_ok());
}

#[test]
fn another_pid_namespace_is_refused() {
    let _leaks = Leaks::watch();
    let account = SharedPages::<Account>::zeroed();
    drop(account.lock.lock(HANG).unwrap());
    let child = Child::fork(|| {
        // SAFETY: the next child of this one lives in a namespace of its own.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWPID) }, 0, "unshare needs root");
        let inner = Child::fork(|| match account.lock.lock(HANG) {
            Err(error) if error.is_failure(unipc::Failure::Incompatible) => 0,
            other => {
                eprintln!("{other:?}");
                1
            }
        });
        inner.wait()
    });
    assert_eq!(child.wait(), 0);
}

/// Kills a process at every instruction of lock, critical section and unlock; a survivor goes on each time.
#[test]
fn killed_at_every_instruction_uncontended() {
    let _leaks = Leaks::watch();
    let mut points = 0;
    loop {
        let account = SharedPages::<Account>::zeroed();
        let mut stepper = Stepper::start(warm_up, || {
            let guard = account.lock.lock_recover(HANG);
            account.increment();
            drop(guard);
            0
        });
        if !advance(&mut stepper, points) {
            break;
        }
        stepper.kill();
        account.survive();
        assert!(!account.survive(), "the repair is remembered");
        points += 1;
    }
    println!("killed at {points} instructions of lock and unlock; failures: 0");
    assert!(points > 100, "the stepper has not stepped through a lock: {points}");
}

/// The same with the lock held by another at first: the victim dies before, in and after its sleep, also as a woken waiter.
#[test]
fn killed_at_every_instruction_contended() {
    let _leaks = Leaks::watch();
    let mut points = 0;
    loop {
        let account = SharedPages::<Account>::zeroed();
        let mut guard = Some(account.lock.lock(HANG).unwrap());
        let mut stepper = Stepper::start(warm_up, || {
            let guard = account.lock.lock_recover(HANG);
            account.increment();
            drop(guard);
            0
        });
        let mut finished = false;
        for _ in 0..points {
            let mut step = stepper.step();
            if step == Step::Sleeping {
                // It sleeps for the lock: let it have it.
                drop(guard.take());
                step = stepper.finish(HANG);
            }
            assert_ne!(step, Step::Sleeping, "a waiter hangs though the lock is free");
            if let Step::Exited(status) = step {
                assert_eq!(status, 0);
                finished = true;
                break;
            }
        }
        if finished {
            break;
        }
        stepper.kill();
        drop(guard);
        account.survive();
        points += 1;
    }
    println!("killed at {points} instructions of a contended lock; failures: 0");
    assert!(points > 100, "the stepper has not stepped through a lock: {points}");
}

/// Kills the holder at every instruction of its unlock while another process waits: the waiter comes through.
#[test]
fn killed_at_every_instruction_of_unlock_with_a_waiter() {
    let _leaks = Leaks::watch();
    let mut points = 0;
    loop {
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
            let _ = account.lock.unlock();
            0
        });
        let waiter = Child::fork(|| {
            account.survive();
            0
        });
        wait_until_asleep(waiter.id());
        account.phase.store(2, Ordering::Release);
        if !advance(&mut stepper, points) {
            assert_eq!(waiter.wait(), 0);
            break;
        }
        stepper.kill();
        assert_eq!(waiter.wait(), 0);
        points += 1;
    }
    println!("killed at {points} instructions of unlock with a waiter; failures: 0");
    assert!(points > 50, "the stepper has not stepped through an unlock: {points}");
}

/// What happens once per process, the look at the pid namespace above all, is not stepped through.
fn warm_up() {
    drop(Mutex::default().lock(HANG));
}

/// Steps `count` instructions; `false` if the child came to its end before.
fn advance(stepper: &mut Stepper, count: u32) -> bool {
    for _ in 0..count {
        match stepper.step() {
            Step::Done => {}
            Step::Sleeping => assert_eq!(stepper.finish(HANG), Step::Done),
            Step::Exited(status) => {
                assert_eq!(status, 0);
                return false;
            }
        }
    }
    true
}

/// Until the kernel says that the process sleeps in the futex call.
fn wait_until_asleep(id: libc::pid_t) {
    let limit = Instant::now() + HANG;
    loop {
        let call = std::fs::read_to_string(format!("/proc/{id}/syscall")).unwrap_or_default();
        if call.split(' ').next() == Some(&libc::SYS_futex.to_string()) {
            return;
        }
        assert!(Instant::now() < limit, "the waiter does not wait: {call}");
        std::thread::yield_now();
    }
}
