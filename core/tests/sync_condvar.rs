//! The condition variable between real processes: no wake-up is lost, and nobody is stranded by a death or a stop.

mod support;

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
use unipc::sync::{Condvar, Mutex, MutexGuard};
use unipc::{Failure, Wait};
use unipc_tests::Leaks;

/// A room for one item, and what guards it.
#[repr(C)]
struct Table {
    lock: Mutex,
    filled: Condvar,
    emptied: Condvar,
    /// 0 for none.
    item: AtomicI64,
    sum: AtomicI64,
    phase: AtomicU32,
}

impl Table {
    fn has_no_item(&self) -> bool {
        self.item.load(Ordering::Relaxed) == 0
    }

    fn lock(&self) -> MutexGuard<'_> {
        let mut guard = self.lock.lock_recover(HANG).expect("the mutex can be locked");
        guard.mark_consistent();
        guard
    }

    fn put(&self, item: i64) {
        let mut guard = self.lock();
        self.emptied.wait_while(&mut guard, HANG, || !self.has_no_item()).expect("somebody takes it");
        self.item.store(item, Ordering::Relaxed);
        self.filled.notify_one().unwrap();
    }

    fn take(&self) -> i64 {
        let mut guard = self.lock();
        self.filled.wait_while(&mut guard, HANG, || self.has_no_item()).expect("somebody puts it");
        let item = self.item.swap(0, Ordering::Relaxed);
        self.emptied.notify_one().unwrap();
        item
    }
}

fn nothing(_: &SharedPages<Table>) {}

/// What happens once per process, the look at /proc, is not stepped through.
fn warm_up(_: &Table) {
    let (mutex, condvar) = (Mutex::default(), Condvar::new());
    let mut guard = mutex.lock(HANG).unwrap();
    condvar.notify_all().unwrap();
    assert!(condvar.wait(&mut guard, Duration::from_nanos(1)).is_err());
}

#[test]
fn waiting_ends_in_every_way_with_the_mutex_held() {
    support::waits::prepare();
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    let mut guard = table.lock.lock(HANG).unwrap();
    let is_held = || Child::fork(|| i32::from(!table.lock.try_lock().unwrap_err().is(Errno::EAGAIN))).wait() == 0;
    ends_in_every_way("wait", |wait| table.filled.wait(&mut guard, wait).unwrap_err());
    assert!(is_held());
    ends_in_every_way("wait while", |wait| table.filled.wait_while(&mut guard, wait, || true).unwrap_err());
    assert!(is_held());
    table.filled.wait_while(&mut guard, Wait::NEVER, || false).unwrap();
    drop(guard);
    let unheld = table.filled.wait_raw(&table.lock, HANG).unwrap_err();
    assert!(unheld.is(Errno::EPERM), "{unheld}");
    assert!(table.filled.wait_while_raw(&table.lock, HANG, &mut || true).unwrap_err().is(Errno::EPERM));
}

/// The time holds for all sleeps of a condition together, whoever wakes it in between.
#[test]
fn one_time_for_all_sleeps() {
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    let mut noise = Child::fork(|| {
        loop {
            table.filled.notify_all().unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let start = Instant::now();
    let mut guard = table.lock.lock(HANG).unwrap();
    let late = table.filled.wait_while(&mut guard, Duration::from_millis(1200), || true).unwrap_err();
    assert!(late.is(Errno::ETIMEDOUT) && start.elapsed() >= Duration::from_millis(1200) && start.elapsed() < HANG);
    noise.kill();
}

#[test]
fn items_pass_between_processes_and_none_is_lost() {
    const EACH: i64 = 3000;
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    let consumers: Vec<Child> = (0..3)
        .map(|_| {
            Child::fork(|| {
                for _ in 0..EACH {
                    table.sum.fetch_add(table.take(), Ordering::Relaxed);
                }
                0
            })
        })
        .collect();
    let producers: Vec<Child> = (0..3)
        .map(|number| {
            Child::fork(|| {
                (1..=EACH).for_each(|item| table.put(number * EACH + item));
                0
            })
        })
        .collect();
    for child in producers.into_iter().chain(consumers) {
        assert_eq!(child.wait(), 0);
    }
    assert_eq!(table.sum.load(Ordering::Relaxed), (1..=3 * EACH).sum::<i64>());
    assert!(table.has_no_item());
}

#[test]
fn a_signal_to_all_wakes_all() {
    const WAITERS: usize = 30;
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    let waiters: Vec<Child> = (0..WAITERS)
        .map(|_| {
            Child::fork(|| {
                let mut guard = table.lock();
                i32::from(table.filled.wait_while(&mut guard, HANG, || table.has_no_item()).is_err())
            })
        })
        .collect();
    wait_until(|| waiters.iter().all(|child| is_asleep(child.id())));
    let guard = table.lock();
    table.item.store(1, Ordering::Relaxed);
    table.filled.notify_all().unwrap();
    drop(guard);
    let start = Instant::now();
    waiters.into_iter().for_each(|child| assert_eq!(child.wait(), 0));
    println!("{WAITERS} waiters were through after {:?}", start.elapsed());
}

/// A holder that dies before it signals: a plain wait learns of it, and that outranks its time.
#[test]
fn a_dead_holder_is_told_to_who_waits() {
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    for wait in [HANG, Duration::from_millis(100)] {
        let phase = table.phase.load(Ordering::Relaxed);
        let waiter = Child::fork(|| {
            let mut guard = table.lock.lock(HANG).unwrap();
            table.phase.fetch_add(1, Ordering::Release);
            table.filled.wait(&mut guard, wait).expect("a death is no error of the wait");
            let told = guard.needs_repair();
            guard.mark_consistent();
            i32::from(!told || guard.needs_repair())
        });
        wait_until(|| table.phase.load(Ordering::Acquire) == phase + 1);
        let mut holder = Child::fork(|| {
            std::mem::forget(table.lock.lock(HANG).unwrap());
            table.phase.fetch_add(1, Ordering::Release);
            sleep_for_ever()
        });
        wait_until(|| table.phase.load(Ordering::Acquire) == phase + 2);
        // The second one's time runs out before.
        std::thread::sleep(Duration::from_millis(150));
        holder.kill();
        assert_eq!(waiter.wait(), 0);
    }
    assert!(!table.lock.lock_recover(HANG).unwrap().needs_repair());
}

#[test]
fn a_child_has_not_inherited_the_mutex() {
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    let guard = table.lock.lock(HANG).unwrap();
    let child = Child::fork(|| i32::from(!table.filled.wait_raw(&table.lock, HANG).unwrap_err().is(Errno::EPERM)));
    assert_eq!(child.wait(), 0);
    drop(guard);
}

#[test]
fn other_bytes_are_refused() {
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    for byte in [1, 0x5a, 0xff] {
        // SAFETY: the pages are mapped and nobody uses the condition variable.
        unsafe { (&raw mut (*table.as_ptr()).filled).write_bytes(byte, 1) };
        let mut guard = table.lock.lock(HANG).unwrap();
        let errors = [table.filled.wait(&mut guard, HANG).err(), table.filled.notify_one().err(), table.filled.notify_all().err()];
        assert!(errors.iter().all(|error| error.as_ref().is_some_and(|error| error.is_failure(Failure::Incompatible))), "{errors:?}");
    }
    // SAFETY: as above.
    unsafe { Condvar::init(&raw mut (*table.as_ptr()).filled) };
    let mut guard = table.lock.lock(HANG).unwrap();
    assert!(table.filled.wait(&mut guard, Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
    // A right beginning, and anything behind it.
    let identity = size_of::<u64>();
    for byte in [1u8, 0x5a, 0xff] {
        // SAFETY: as above; all behind the first word.
        unsafe {
            let start = (&raw mut (*table.as_ptr()).filled).cast::<u8>();
            start.add(identity).write_bytes(byte, size_of::<Condvar>() - identity);
        }
        assert!(table.filled.wait(&mut guard, Duration::from_millis(5)).unwrap_err().is(Errno::ETIMEDOUT));
        table.filled.notify_all().unwrap();
    }
}

/// The two that hold the table's promise after a death: one more item goes in and comes out.
fn survive(table: &Table, (): ()) {
    let mut guard = table.lock();
    table.item.store(0, Ordering::Relaxed);
    table.emptied.notify_all().unwrap();
    let late = table.filled.wait_while(&mut guard, Duration::from_nanos(1), || table.has_no_item());
    assert!(late.unwrap_err().is(Errno::ETIMEDOUT));
    drop(guard);
    let other = Child::fork(|| {
        table.put(7);
        0
    });
    assert_eq!(table.take(), 7);
    assert_eq!(other.wait(), 0);
}

fn put_one(table: &Table) -> i32 {
    table.put(1);
    0
}

/// The one that puts dies anywhere, while another sleeps for what it puts: that one gets the item, or learns of the death.
#[test]
fn killed_at_every_instruction_of_a_signal_with_a_waiter() {
    let _leaks = Leaks::watch();
    let longest = AtomicI64::new(0);
    let points = killed_at_every_instruction(
        "lock, change, signal, unlock",
        |table: &SharedPages<Table>| {
            let child = Child::fork(|| {
                let mut guard = table.lock.lock(HANG).unwrap();
                // A plain wait: nothing but the signal or the death wakes it.
                while table.has_no_item() && !guard.needs_repair() {
                    table.filled.wait(&mut guard, HANG).expect("the waiter is stranded");
                }
                guard.mark_consistent();
                0
            });
            wait_until(|| is_asleep(child.id()));
            child
        },
        warm_up,
        |table| {
            let guard = table.lock();
            table.item.store(1, Ordering::Relaxed);
            table.filled.notify_one().unwrap();
            drop(guard);
            0
        },
        |table, waiter| {
            let start = Instant::now();
            // Dead before it held the mutex: there was nothing to say.
            let guard = table.lock.lock_recover(HANG).unwrap();
            let says_nothing = !guard.needs_repair() && table.has_no_item();
            drop(guard);
            if says_nothing {
                table.put(1);
            }
            assert_eq!(waiter.wait(), 0);
            longest.fetch_max(start.elapsed().as_millis() as i64, Ordering::Relaxed);
            survive(table, ());
        },
    );
    println!("the waiter went on after {} ms at most", longest.into_inner());
    assert!(points > 50, "{points}");
}

/// A waiter dies anywhere, before, in or after its sleep: another that waits beside it is not stranded.
#[test]
fn killed_at_every_instruction_of_a_wait() {
    let _leaks = Leaks::watch();
    let wait = |table: &Table| {
        table.take();
        0
    };
    let points = killed_behind_its_sleep("a wait", nothing, warm_up, wait, |table, _: &mut ()| table.put(1), survive);
    assert!(points > 50, "{points}");
    let late = |table: &Table| {
        let mut guard = table.lock();
        i32::from(!table.filled.wait(&mut guard, Wait::NEVER).unwrap_err().is(Errno::EAGAIN))
    };
    let points = killed_at_every_instruction("a wait that ends at once", nothing, warm_up, late, survive);
    assert!(points > 100, "{points}");
}

/// The one that is woken dies on its way, and another sleeps on beside it for the same item.
#[test]
fn another_waiter_takes_what_a_dead_one_was_woken_for() {
    let _leaks = Leaks::watch();
    let take = |table: &Table| {
        table.take();
        0
    };
    let release = |table: &Table, second: &mut Option<Child>| {
        // The second comes behind the first, so that the signal is for the first.
        let child = Child::fork(|| {
            while table.take() != 2 {}
            0
        });
        wait_until(|| is_asleep(child.id()));
        *second = Some(child);
        table.put(1);
    };
    let points = killed_behind_its_sleep(
        "a wait beside another",
        |_| None,
        warm_up,
        take,
        release,
        |table, second| {
            table.put(2);
            assert_eq!(second.unwrap().wait(), 0);
            survive(table, ());
        },
    );
    assert!(points > 50, "{points}");
}

#[test]
fn stopped_at_every_instruction_nobody_hangs() {
    let _leaks = Leaks::watch();
    let other = |table: &Table| match table.lock.lock(Duration::from_millis(3)) {
        Ok(mut guard) => {
            let late = table.emptied.wait_while(&mut guard, Duration::from_millis(1), || !table.has_no_item());
            assert!(late.is_ok() || late.is_err_and(|error| error.is(Errno::ETIMEDOUT)));
            true
        }
        Err(error) => {
            assert!(error.is(Errno::ETIMEDOUT), "{error}");
            false
        }
    };
    let (points, refused) = stopped_at_every_instruction("put and signal", nothing, warm_up, put_one, other, |table| survive(table, ()));
    assert!(refused > 0 && refused < points, "{points} {refused}");
}

/// Processes that put and take, killed at moments of no choice; those that live go on.
#[test]
fn killed_at_random_moments() {
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    for round in 0..kills() {
        let mut children: Vec<Child> = (0..4)
            .map(|number| {
                Child::fork(|| {
                    table.phase.fetch_add(1, Ordering::Release);
                    loop {
                        if number % 2 == 0 {
                            table.put(1);
                        } else {
                            table.take();
                        }
                    }
                })
            })
            .collect();
        wait_until(|| u64::from(table.phase.load(Ordering::Acquire)) >= 4 * (round + 1));
        std::thread::sleep(Duration::from_micros(300 + round * 37 % 900));
        children.iter_mut().for_each(Child::kill);
        survive(&table, ());
    }
    println!("killed {} processes at random moments; failures: 0", 4 * kills());
}

/// A waiter looks by itself after half a second. Whoever holds the mutex just then, changes and signals has a waiter that must hear of it.
#[test]
fn a_signal_while_the_waiter_is_about_to_lock_is_heard() {
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    let waiter = Child::fork(|| {
        let mut guard = table.lock();
        table.phase.store(1, Ordering::Release);
        let start = Instant::now();
        table.filled.wait(&mut guard, HANG).unwrap();
        drop(guard);
        i32::from(start.elapsed() > HANG / 2)
    });
    wait_until(|| table.phase.load(Ordering::Acquire) == 1 && is_asleep(waiter.id()));
    std::thread::sleep(Duration::from_millis(350));
    let guard = table.lock();
    std::thread::sleep(Duration::from_millis(400));
    table.filled.notify_one().unwrap();
    drop(guard);
    assert_eq!(waiter.wait(), 0);
}
