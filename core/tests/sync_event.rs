//! Events in memory between real processes: both kinds, no lost wake-up, deaths and stops anywhere.

mod support;

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use support::objects::{HANG, killed_at_every_instruction, killed_behind_its_sleep, stopped_at_every_instruction, wait_until};
use support::process::Child;
use support::shared::SharedPages;
use support::stepper::is_asleep;
use support::waits::ends_in_every_way;
use unipc::Failure;
use unipc::sync::Event;
use unipc_tests::Leaks;

/// What processes share: two events, zero bytes at first, and a count.
#[repr(C)]
struct Table {
    event: Event,
    back: Event,
    count: AtomicI64,
    phase: AtomicU32,
}

/// Makes both events turnstiles.
fn automatic(table: &SharedPages<Table>) {
    // SAFETY: the pages are mapped, and nobody uses the events yet.
    unsafe {
        Event::init(&raw mut (*table.as_ptr()).event, Event::automatic_reset(false));
        Event::init(&raw mut (*table.as_ptr()).back, Event::automatic_reset(false));
    }
}

fn nothing(_: &SharedPages<Table>) {}

/// What happens once per process is not stepped through.
fn warm_up(_: &Table) {
    let event = Event::default();
    event.set().unwrap();
    event.wait(HANG).unwrap();
}

#[test]
fn a_gate_stays_open_until_it_is_closed() {
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    let event = &table.event;
    assert!(!event.is_set().unwrap() && !event.reset().unwrap());
    assert!(event.try_wait().unwrap_err().is(Errno::EAGAIN));
    event.set().unwrap();
    event.set().unwrap();
    for _ in 0..3 {
        event.wait(HANG).unwrap();
        event.try_wait().unwrap();
    }
    assert!(event.is_set().unwrap() && event.reset().unwrap() && !event.is_set().unwrap());
    assert!(event.wait(Duration::from_millis(5)).unwrap_err().is(Errno::ETIMEDOUT));
    assert!(Event::manual_reset(true).try_wait().is_ok());
}

#[test]
fn a_turnstile_lets_one_through() {
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    automatic(&table);
    let event = &table.event;
    event.set().unwrap();
    event.set().unwrap();
    assert!(event.is_set().unwrap());
    event.wait(HANG).unwrap();
    assert!(!event.is_set().unwrap() && event.try_wait().unwrap_err().is(Errno::EAGAIN));
    event.set().unwrap();
    assert!(event.reset().unwrap() && event.try_wait().is_err());
    let set = Event::automatic_reset(true);
    assert!(set.try_wait().is_ok() && set.try_wait().is_err());
}

#[test]
fn waiting_ends_in_every_way() {
    support::waits::prepare();
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    ends_in_every_way("wait for a gate", |wait| table.event.wait(wait).unwrap_err());
    automatic(&table);
    ends_in_every_way("wait for a turnstile", |wait| table.event.wait(wait).unwrap_err());
}

#[test]
fn every_waiter_goes_through_a_gate_that_is_closed_at_once() {
    const WAITERS: usize = 20;
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    for _ in 0..10 {
        let children: Vec<Child> = (0..WAITERS).map(|_| Child::fork(|| i32::from(table.event.wait(HANG).is_err()))).collect();
        wait_until(|| children.iter().all(|child| is_asleep(child.id())));
        table.event.set().unwrap();
        table.event.reset().unwrap();
        for child in children {
            assert_eq!(child.wait(), 0);
        }
    }
}

#[test]
fn two_processes_take_turns() {
    const TURNS: i64 = 20_000;
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    automatic(&table);
    let other = Child::fork(|| {
        for turn in 0..TURNS {
            if table.event.wait(HANG).is_err() || table.count.load(Ordering::Relaxed) != 2 * turn + 1 {
                return 1;
            }
            table.count.store(2 * turn + 2, Ordering::Relaxed);
            table.back.set().unwrap();
        }
        0
    });
    for turn in 0..TURNS {
        table.count.store(2 * turn + 1, Ordering::Relaxed);
        table.event.set().unwrap();
        table.back.wait(HANG).expect("the other one answers");
        assert_eq!(table.count.load(Ordering::Relaxed), 2 * turn + 2);
    }
    assert_eq!(other.wait(), 0);
}

/// As many come through as were let through, and each setting is taken before the next is made.
#[test]
fn a_turnstile_counts_right_among_several() {
    const EACH: i64 = 2000;
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    automatic(&table);
    let children: Vec<Child> = (0..4)
        .map(|_| {
            Child::fork(|| {
                for _ in 0..EACH {
                    if table.event.wait(HANG).is_err() {
                        return 1;
                    }
                    table.count.fetch_add(1, Ordering::Relaxed);
                    table.back.set().unwrap();
                }
                0
            })
        })
        .collect();
    for _ in 0..4 * EACH {
        table.event.set().unwrap();
        table.back.wait(HANG).unwrap();
    }
    for child in children {
        assert_eq!(child.wait(), 0);
    }
    assert_eq!(table.count.load(Ordering::Relaxed), 4 * EACH);
    assert!(!table.event.is_set().unwrap());
}

#[test]
fn a_child_and_another_namespace_share_it() {
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    table.event.reset().unwrap();
    let child = Child::fork(|| {
        // SAFETY: the next child of this one lives in a namespace of its own.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWPID) }, 0, "unshare needs root");
        Child::fork(|| i32::from(table.event.set().is_err())).wait()
    });
    table.event.wait(HANG).unwrap();
    assert_eq!(child.wait(), 0);
}

#[test]
fn other_bytes_are_refused() {
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    for byte in [1, 0x5a, 0xff] {
        // SAFETY: the pages are mapped and nobody uses the event.
        unsafe { (&raw mut (*table.as_ptr()).event).write_bytes(byte, 1) };
        let event = &table.event;
        let errors = [event.set().err(), event.wait(HANG).err(), event.reset().err(), event.is_set().err()];
        assert!(errors.iter().all(|error| error.as_ref().is_some_and(|error| error.is_failure(Failure::Incompatible))), "{errors:?}");
    }
    // SAFETY: as above.
    unsafe { Event::init(&raw mut (*table.as_ptr()).event, Event::manual_reset(true)) };
    table.event.try_wait().unwrap();
}

#[test]
fn killed_and_stopped_at_every_instruction_of_set() {
    let _leaks = Leaks::watch();
    let set = |table: &Table| i32::from(table.event.set().is_err());
    let goes_on = |table: &Table, ()| {
        table.event.set().unwrap();
        table.event.wait(HANG).unwrap();
        assert!(!table.event.is_set().unwrap());
    };
    let points = killed_at_every_instruction("the first set of a gate", nothing, warm_up, set, |table, ()| {
        table.event.set().unwrap();
        table.event.wait(HANG).unwrap();
        table.event.wait(HANG).unwrap();
    });
    assert!(points > 20, "{points}");
    let points = killed_at_every_instruction("set of a turnstile", automatic, warm_up, set, goes_on);
    assert!(points > 10, "{points}");
    let (points, _) = stopped_at_every_instruction(
        "set of a turnstile",
        automatic,
        warm_up,
        set,
        |table| table.event.wait(Duration::from_millis(2)).is_ok(),
        |table| goes_on(table, ()),
    );
    assert!(points > 10, "{points}");
}

/// The setter dies at every instruction while another process sleeps for it: the sleeper comes through, or was never meant to.
#[test]
fn killed_at_every_instruction_of_set_with_a_waiter() {
    let _leaks = Leaks::watch();
    for (what, is_automatic) in [("set of a gate with a waiter", false), ("set of a turnstile with a waiter", true)] {
        let points = killed_at_every_instruction(
            what,
            |table: &SharedPages<Table>| {
                if is_automatic {
                    automatic(table);
                }
                let child = Child::fork(|| i32::from(table.event.wait(HANG).is_err()));
                wait_until(|| is_asleep(child.id()));
                child
            },
            warm_up,
            |table| i32::from(table.event.set().is_err()),
            |table, waiter| {
                let is_set = table.event.is_set().unwrap();
                if !is_set && is_asleep(waiter.id()) {
                    table.event.set().unwrap();
                }
                assert_eq!(waiter.wait(), 0);
            },
        );
        assert!(points > 10, "{points}");
    }
}

#[test]
fn killed_at_every_instruction_of_wait() {
    let _leaks = Leaks::watch();
    let wait = |table: &Table| i32::from(table.event.wait(HANG).is_err());
    let set = |table: &Table, _: &mut ()| table.event.set().unwrap();
    let is_usable = |table: &Table, ()| {
        table.event.set().unwrap();
        table.event.wait(HANG).unwrap();
    };
    let open = |table: &SharedPages<Table>| {
        automatic(table);
        table.event.set().unwrap();
    };
    assert!(killed_at_every_instruction("wait for a set turnstile", open, warm_up, wait, is_usable) > 10);
    assert!(killed_behind_its_sleep("wait for a gate", nothing, warm_up, wait, set, is_usable) > 20);
    assert!(killed_behind_its_sleep("wait for a turnstile", automatic, warm_up, wait, set, is_usable) > 20);
}

/// Setting an event that is set already still says that what was written before is there: whoever takes the earlier setting sees it, or finds the
/// event set anew.
#[test]
fn a_setting_of_a_set_event_hands_over_what_was_written() {
    const ROUNDS: i64 = 300_000;
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    automatic(&table);
    let (go, done) = (&table.phase, &table.back);
    let setter = Child::fork(|| {
        for round in 1..=ROUNDS as u32 {
            while go.load(Ordering::Acquire) < round {
                std::hint::spin_loop();
            }
            for _ in 0..round % 40 {
                std::hint::spin_loop();
            }
            table.count.store(1, Ordering::Relaxed);
            table.event.set().unwrap();
            done.set().unwrap();
        }
        0
    });
    let mut lost = 0;
    for round in 1..=ROUNDS as u32 {
        table.count.store(0, Ordering::Relaxed);
        table.event.set().unwrap();
        go.store(round, Ordering::Release);
        for _ in 0..round / 40 % 40 {
            std::hint::spin_loop();
        }
        table.event.try_wait().unwrap();
        let seen = table.count.load(Ordering::Relaxed);
        done.wait(HANG).unwrap();
        lost += u32::from(seen == 0 && !table.event.is_set().unwrap());
        table.event.reset().unwrap();
    }
    assert_eq!(setter.wait(), 0);
    assert_eq!(lost, 0, "settings that nobody was told of");
}
