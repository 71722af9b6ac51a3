//! The mutex between real processes: first use, holders that die anywhere, repair.

mod support;

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use support::objects::{HANG, for_every_point, killed_at_every_instruction, stopped_at_every_instruction, wait_until};
use support::process::Child;
use support::shared::SharedPages;
use support::stepper::{Step, Stepper, is_asleep};
use support::waits::ends_in_every_way;
use unipc::Wait;
use unipc::sync::{Mutex, MutexKind};
use unipc_tests::Leaks;

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

/// A mutex that has been used, and is locked inline from now on.
fn used(account: &SharedPages<Account>) {
    drop(account.lock.lock(HANG).unwrap());
    assert!(account.lock.lock_at_once() && account.lock.unlock_at_once(), "nothing is done inline here");
}

fn lock_and_count(account: &Account) -> i32 {
    let guard = account.lock.lock_recover(HANG);
    account.increment();
    drop(guard);
    0
}

/// Kills a process at every instruction of lock, critical section and unlock, by the C library at the first use and inline later; a survivor goes on
/// each time.
#[test]
fn killed_at_every_instruction_uncontended() {
    let _leaks = Leaks::watch();
    let survive = |account: &Account, ()| {
        account.survive();
        assert!(!account.survive(), "the repair is remembered");
    };
    let points = [
        killed_at_every_instruction("first use and unlock", |_| (), |_| warm_up(), lock_and_count, survive),
        killed_at_every_instruction("lock and unlock", used, |_| warm_up(), lock_and_count, survive),
    ];
    assert!(points.iter().all(|points| *points > 50), "the stepper has not stepped through a lock: {points:?}");
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
    let (points, refused) = stopped_at_every_instruction("lock and unlock", used, |_| warm_up(), lock_and_count, other, after);
    assert!(points > 50 && refused > 0 && refused < points, "{points} {refused}");
}

/// The same with the lock held by another at first: the victim dies before, in and after its sleep, also as a woken waiter.
#[test]
fn killed_at_every_instruction_contended() {
    let _leaks = Leaks::watch();
    let points = for_every_point(|point| {
        let account = SharedPages::<Account>::zeroed();
        let mut guard = Some(account.lock.lock(HANG).unwrap());
        let mut stepper = Stepper::start(warm_up, || lock_and_count(&account));
        for _ in 0..point {
            let mut step = stepper.step();
            if step == Step::Sleeping {
                // It sleeps for the lock: let it have it.
                drop(guard.take());
                step = stepper.finish(HANG);
            }
            assert_ne!(step, Step::Sleeping, "a waiter hangs though the lock is free");
            if let Step::Exited(status) = step {
                assert_eq!(status, 0);
                return false;
            }
        }
        stepper.kill();
        drop(guard);
        account.survive();
        true
    });
    println!("killed at {points} instructions of a contended lock; failures: 0");
    assert!(points > 100, "the stepper has not stepped through a lock: {points}");
}

/// Kills the holder at every instruction of its unlock while another process waits: the waiter comes through.
#[test]
fn killed_at_every_instruction_of_unlock_with_a_waiter() {
    let _leaks = Leaks::watch();
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
            let _ = account.lock.unlock();
            0
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
        stepper.kill();
        assert_eq!(waiter.wait(), 0);
        true
    });
    println!("killed at {points} instructions of unlock with a waiter; failures: 0");
    assert!(points > 50, "the stepper has not stepped through an unlock: {points}");
}

/// What happens once per process, the look at the pid namespace above all, is not stepped through.
fn warm_up() {
    drop(Mutex::default().lock(HANG));
}

/// Three mutexes that one thread holds in any order: the C library's, ours, and the C library's with priority inheritance, of which the list of
/// held mutexes keeps a mark in the pointers.
struct Neighbours {
    mutexes: SharedPages<(UnsafeCell<libc::pthread_mutex_t>, Mutex, UnsafeCell<libc::pthread_mutex_t>)>,
}

// SAFETY: process-shared mutexes are made for use from everywhere.
unsafe impl Sync for Neighbours {}

/// The one that is ours.
const OURS: usize = 1;

impl Neighbours {
    fn new() -> Neighbours {
        let mutexes = SharedPages::<(UnsafeCell<libc::pthread_mutex_t>, Mutex, UnsafeCell<libc::pthread_mutex_t>)>::zeroed();
        for (mutex, protocol) in [(&mutexes.0, libc::PTHREAD_PRIO_NONE), (&mutexes.2, libc::PTHREAD_PRIO_INHERIT)] {
            let mut attributes = MaybeUninit::uninit();
            let attributes = attributes.as_mut_ptr();
            // SAFETY: the attributes are initialised first, and the mutex is nobody's yet.
            let results = unsafe {
                [
                    libc::pthread_mutexattr_init(attributes),
                    libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED),
                    libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST),
                    libc::pthread_mutexattr_setprotocol(attributes, protocol),
                    libc::pthread_mutex_init(mutex.get(), attributes),
                ]
            };
            assert_eq!(results, [0; 5]);
        }
        drop(mutexes.1.lock(HANG).unwrap());
        Neighbours { mutexes }
    }

    fn ours(&self) -> &Mutex {
        &self.mutexes.1
    }

    /// The C library's view of each.
    fn native(&self, index: usize) -> *mut libc::pthread_mutex_t {
        // Behind the first word, what needs repair, and what is reserved.
        const OFFSET: usize = 16;
        match index {
            0 => self.mutexes.0.get(),
            OURS => std::ptr::from_ref(&self.mutexes.1).cast_mut().wrapping_byte_add(OFFSET).cast(),
            _ => self.mutexes.2.get(),
        }
    }

    fn lock(&self, index: usize, by_us: bool) -> bool {
        match index {
            OURS if by_us => self.ours().lock_raw(HANG).is_ok(),
            // SAFETY: the mutex is initialised.
            _ => unsafe { libc::pthread_mutex_lock(self.native(index)) == 0 },
        }
    }

    fn unlock(&self, index: usize, by_us: bool) -> bool {
        match index {
            OURS if by_us => self.ours().unlock().is_ok(),
            // SAFETY: the mutex is initialised, and knows its holder.
            _ => unsafe { libc::pthread_mutex_unlock(self.native(index)) == 0 },
        }
    }

    /// Locks what a dead process has left, and gives whether it held it.
    fn has_died_holding(&self, index: usize) -> bool {
        let native = self.native(index);
        // SAFETY: the mutex is initialised, and ours if its holder has died.
        unsafe {
            let result = libc::pthread_mutex_trylock(native);
            assert!(result == 0 || result == libc::EOWNERDEAD, "mutex {index}: {result}");
            if result != 0 {
                assert_eq!(libc::pthread_mutex_consistent(native), 0);
            }
            assert_eq!(libc::pthread_mutex_unlock(native), 0);
            result != 0
        }
    }
}

const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// Ours stands in one list with the C library's: whatever the order, and whoever locks and unlocks ours, a death anywhere leaves every mutex that
/// was held marked, and no other.
#[test]
fn neighbours_in_the_list_of_held_mutexes() {
    let _leaks = Leaks::watch();
    let mut deaths = 0;
    for (locked, unlocked) in ORDERS.into_iter().flat_map(|locked| ORDERS.map(|unlocked| (locked, unlocked))) {
        for (we_lock, we_unlock) in [(true, true), (true, false), (false, true)] {
            let neighbours = Neighbours::new();
            for last in 0..=6 {
                let child = Child::fork(|| {
                    warm_up();
                    let fine = (0..last).all(|step| match step {
                        0..3 => neighbours.lock(locked[step], we_lock),
                        _ => neighbours.unlock(unlocked[step - 3], we_unlock),
                    });
                    if fine {
                        // SAFETY: the child kills itself.
                        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
                    }
                    1
                });
                assert_eq!(child.wait(), -libc::SIGKILL, "{locked:?} {unlocked:?} {we_lock} {we_unlock} {last}");
                let held = |index| {
                    locked.iter().take(last).any(|it| *it == index) && !unlocked.iter().take(last.max(3) - 3).any(|it| *it == index)
                };
                for index in 0..3 {
                    assert_eq!(
                        neighbours.has_died_holding(index),
                        held(index),
                        "{index} of {locked:?} {unlocked:?} {we_lock} {we_unlock} {last}"
                    );
                }
                deaths += 1;
            }
        }
    }
    println!("died {deaths} times with neighbours in the list; failures: 0");
}

/// Dies at every instruction of our lock and unlock, between neighbours on both sides: they are marked each time.
#[test]
fn killed_at_every_instruction_between_neighbours() {
    let _leaks = Leaks::watch();
    let mut points = [0; 4];
    for (case, ([old, new], unlocks)) in [([0, 2], false), ([2, 0], false), ([0, 2], true), ([2, 0], true)].into_iter().enumerate() {
        points[case] = for_every_point(|point| {
            let neighbours = Neighbours::new();
            let begin = || {
                warm_up();
                assert!(neighbours.lock(old, false) && (!unlocks || neighbours.lock(OURS, true)) && neighbours.lock(new, false));
            };
            let mut stepper = Stepper::start(begin, || {
                let fine = if unlocks { neighbours.unlock(OURS, true) } else { neighbours.lock(OURS, true) };
                i32::from(!fine)
            });
            if !stepper.advance(point) {
                return false;
            }
            stepper.kill();
            for index in [old, new] {
                assert!(neighbours.has_died_holding(index), "mutex {index} is forgotten at {point} of case {case}");
            }
            // Held or not, it can be locked.
            neighbours.has_died_holding(OURS);
            true
        });
    }
    println!("killed at {points:?} instructions of lock and unlock with neighbours in the list; failures: 0");
    assert!(points.iter().all(|count| *count > 20), "{points:?}");
}

/// A waiter that comes at any instruction of the unlock gets the lock, whether the holder goes on or dies. The waiter is the C library, which sleeps
/// until it is woken: no look of our own hides a wake-up that does not come.
#[test]
fn a_waiter_comes_at_every_instruction_of_unlock() {
    let _leaks = Leaks::watch();
    for dies in [false, true] {
        let points = for_every_point(|point| {
            let neighbours = Neighbours::new();
            let is_through = SharedPages::<AtomicU32>::zeroed();
            let begin = || {
                warm_up();
                assert!(neighbours.lock(OURS, true));
            };
            let mut stepper = Stepper::start(begin, || i32::from(!neighbours.unlock(OURS, true)));
            if !stepper.advance(point) {
                return false;
            }
            let waiter = Child::fork(|| {
                // SAFETY: alarm takes an integer, and its signal ends this child alone; the mutex is initialised.
                let result = unsafe {
                    libc::alarm(HANG.as_secs() as u32);
                    libc::pthread_mutex_lock(neighbours.native(OURS))
                };
                is_through.store(1, Ordering::Release);
                i32::from(result != 0 && (result != libc::EOWNERDEAD || !dies))
            });
            wait_until(|| is_through.load(Ordering::Acquire) == 1 || is_asleep(waiter.id()));
            if dies {
                stepper.kill();
            } else {
                assert_eq!(stepper.stop().go_on(), 0);
            }
            assert_eq!(waiter.wait(), 0);
            true
        });
        let end = if dies { "dies" } else { "goes on" };
        println!("a waiter at {points} instructions of unlock, the holder {end}; failures: 0");
        assert!(points > 20, "{points}");
    }
}

/// What is locked here is unlocked by the C library and the other way round, by threads of several processes; no wake-up is lost.
#[test]
fn we_and_the_c_library_take_turns() {
    const ROUNDS: i64 = 4000;
    let _leaks = Leaks::watch();
    let neighbours = Neighbours::new();
    let account = SharedPages::<Account>::zeroed();
    let children: Vec<Child> = (0..3)
        .map(|_| {
            Child::fork(|| {
                let turns = || {
                    (0..ROUNDS).all(|round| {
                        let locked = neighbours.lock(OURS, round % 3 != 0);
                        // Not atomic on purpose: only the lock makes it right.
                        let value = account.value.load(Ordering::Relaxed);
                        if round % 64 == 0 {
                            std::thread::yield_now();
                        }
                        account.value.store(value + 1, Ordering::Relaxed);
                        locked && neighbours.unlock(OURS, round % 2 != 0)
                    })
                };
                let fine = std::thread::scope(|scope| scope.spawn(turns).join().unwrap() && turns());
                i32::from(!fine)
            })
        })
        .collect();
    for child in children {
        assert_eq!(child.wait(), 0);
    }
    assert_eq!(account.value.load(Ordering::Relaxed), 3 * 2 * ROUNDS);
}

/// Only a program that goes past this library can bring a mutex there; then nobody locks it any more, and nobody hangs.
#[test]
fn a_mutex_that_the_c_library_has_given_up_is_refused() {
    let _leaks = Leaks::watch();
    let neighbours = Neighbours::new();
    let child = Child::fork(|| {
        neighbours.lock(OURS, true);
        0
    });
    assert_eq!(child.wait(), 0);
    // SAFETY: the mutex is initialised; its holder has died, and it is unlocked without being made consistent.
    unsafe {
        assert_eq!(libc::pthread_mutex_lock(neighbours.native(OURS)), libc::EOWNERDEAD);
        assert_eq!(libc::pthread_mutex_unlock(neighbours.native(OURS)), 0);
    }
    assert!(neighbours.ours().lock(HANG).unwrap_err().is(Errno::ENOTRECOVERABLE));
    assert!(neighbours.lock(0, false) && neighbours.unlock(0, false));
}

/// A child made by a raw `clone` has the parent's memory, and another namespace if asked for: what the parent knew does not count in it.
#[test]
fn a_raw_child_in_another_pid_namespace_is_refused() {
    let _leaks = Leaks::watch();
    let neighbours = Neighbours::new();
    for _ in 0..2 {
        neighbours.ours().lock_raw(HANG).unwrap();
        neighbours.ours().unlock().unwrap();
    }
    let flags = libc::CLONE_NEWPID | libc::SIGCHLD;
    // SAFETY: a fork of which the C library does not know; the child leaves by _exit.
    let child = unsafe { libc::syscall(libc::SYS_clone, flags, 0usize, 0usize, 0usize, 0usize) };
    if child == 0 {
        let ours = neighbours.ours();
        let is_refused = |result: unipc::Result<()>| result.is_err_and(|error| error.is_failure(unipc::Failure::Incompatible));
        let fine = is_refused(ours.lock_raw(HANG)) && is_refused(ours.unlock()) && is_refused(ours.lock_raw(HANG));
        // SAFETY: ends the child without the exit handlers that belong to the parent.
        unsafe { libc::_exit(i32::from(!fine)) };
    }
    assert!(child > 0, "clone needs root");
    let mut status = -1;
    // SAFETY: the child is ours and the status valid to write to.
    assert_eq!(unsafe { libc::waitpid(child as libc::pid_t, &mut status, 0) }, child as libc::pid_t);
    assert_eq!(status, 0);
}
