//! The barrier between real processes: rounds, parties that die or stop anywhere, what is broken and mended again.

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
use unipc::sync::{Barrier, PARTIES};
use unipc::{Failure, Wait};
use unipc_tests::Leaks;

#[repr(C)]
struct Table {
    barrier: Barrier,
    /// How far each party has come.
    steps: [AtomicI64; PARTIES],
    lasts: AtomicU32,
    phase: AtomicU32,
}

fn make(table: &SharedPages<Table>, parties: u32) {
    // SAFETY: the pages are mapped, and nobody uses the barrier yet.
    unsafe { Barrier::init(&raw mut (*table.as_ptr()).barrier, Barrier::new(parties).unwrap()) };
}

fn table_of(parties: u32) -> SharedPages<Table> {
    let table = SharedPages::<Table>::zeroed();
    make(&table, parties);
    table
}

fn two(table: &SharedPages<Table>) {
    make(table, 2);
}

/// What happens once per process, the look at /proc, is not stepped through.
fn warm_up(_: &Table) {
    let barrier = Barrier::new(1).unwrap();
    assert!(barrier.wait(HANG).unwrap());
    barrier.leave().unwrap();
}

fn warm_up_and_join(table: &Table) {
    warm_up(table);
    table.barrier.join().unwrap();
}

fn is_dead(error: &unipc::Error) -> bool {
    error.is(Errno::EOWNERDEAD)
}

/// Nobody is ever more than a step ahead, and each round has one last.
#[test]
fn many_processes_in_step() {
    const ROUNDS: i64 = 400;
    let _leaks = Leaks::watch();
    for parties in [1, 2, 3, 8] {
        let table = table_of(parties);
        let party = |number: usize| {
            for round in 1..=ROUNDS {
                table.steps[number].store(round, Ordering::Relaxed);
                match table.barrier.wait(HANG) {
                    Ok(is_last) => table.lasts.fetch_add(u32::from(is_last), Ordering::Relaxed),
                    Err(_) => return 1,
                };
                let all = table.steps[..parties as usize].iter().map(|step| step.load(Ordering::Relaxed));
                if all.into_iter().any(|step| step != round && step != round + 1) {
                    return 2;
                }
            }
            0
        };
        let children: Vec<Child> = (0..parties as usize).map(|number| Child::fork(|| party(number))).collect();
        children.into_iter().for_each(|child| assert_eq!(child.wait(), 0));
        assert_eq!(table.lasts.load(Ordering::Relaxed), ROUNDS as u32);
    }
}

#[test]
fn from_one_to_all_places() {
    let _leaks = Leaks::watch();
    for wrong in [0, PARTIES as u32 + 1, u32::MAX] {
        assert!(Barrier::new(wrong).unwrap_err().is(Errno::EINVAL));
    }
    let table = table_of(PARTIES as u32);
    let children: Vec<Child> = (0..PARTIES)
        .map(|_| {
            Child::fork(|| {
                let fine = (0..5).all(|_| table.barrier.wait(HANG).is_ok());
                table.phase.fetch_add(1, Ordering::Release);
                wait_until(|| table.phase.load(Ordering::Acquire) > PARTIES as u32);
                i32::from(!fine || table.barrier.leave().is_err())
            })
        })
        .collect();
    wait_until(|| table.phase.load(Ordering::Acquire) == PARTIES as u32);
    assert!(table.barrier.join().unwrap_err().is(Errno::EUSERS));
    assert!(table.barrier.wait(HANG).unwrap_err().is(Errno::EUSERS));
    table.phase.fetch_add(1, Ordering::Release);
    children.into_iter().for_each(|child| assert_eq!(child.wait(), 0));
    // They have left in good order.
    table.barrier.join().unwrap();
    assert!(table.barrier.wait(Duration::from_millis(200)).unwrap_err().is(Errno::ETIMEDOUT));
    table.barrier.leave().unwrap();
    assert!(table.barrier.leave().unwrap_err().is(Errno::EPERM));
}

#[test]
fn waiting_ends_in_every_way_and_breaks_nothing() {
    support::waits::prepare();
    let _leaks = Leaks::watch();
    let table = table_of(2);
    ends_in_every_way("wait at a barrier", |wait| table.barrier.wait(wait).unwrap_err());
    assert!(!table.barrier.is_broken().unwrap());
    let other = Child::fork(|| i32::from(table.barrier.wait(HANG).is_err() || table.barrier.leave().is_err()));
    table.barrier.wait(HANG).unwrap();
    assert_eq!(other.wait(), 0);
}

#[test]
fn what_was_not_made_or_is_something_else_is_refused() {
    let _leaks = Leaks::watch();
    let table = SharedPages::<Table>::zeroed();
    let errors = |table: &Table| {
        let barrier = &table.barrier;
        [barrier.wait(HANG).err(), barrier.join().err(), barrier.leave().err(), barrier.reset().err(), barrier.is_broken().err()]
            .map(Option::unwrap)
    };
    assert!(errors(&table).iter().all(|error| error.is(Errno::EINVAL)));
    for byte in [1, 0x5a, 0xff] {
        // SAFETY: the pages are mapped and nobody uses the barrier.
        unsafe { (&raw mut (*table.as_ptr()).barrier).write_bytes(byte, 1) };
        assert!(errors(&table).iter().all(|error| error.is_failure(Failure::Incompatible)));
    }
    // A right beginning, and anything behind it: every call comes to an end.
    two(&table);
    let identity = size_of::<u64>();
    for byte in [0u8, 1, 2, 0x5a, 0x80, 0xff] {
        // SAFETY: as above; all behind the first word.
        unsafe { table.as_ptr().cast::<u8>().add(identity).write_bytes(byte, size_of::<Barrier>() - identity) };
        for _ in 0..3 {
            let _ = (table.barrier.wait(Duration::from_millis(5)), table.barrier.join(), table.barrier.reset(), table.barrier.leave());
        }
    }
    two(&table);
    table.barrier.join().unwrap();
    let child = Child::fork(|| {
        // A child is no party.
        assert!(table.barrier.leave().unwrap_err().is(Errno::EPERM));
        // SAFETY: the next child of this one lives in a namespace of its own.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWPID) }, 0, "unshare needs root");
        Child::fork(|| i32::from(!errors(&table).iter().all(|error| error.is_failure(Failure::Incompatible)))).wait()
    });
    assert_eq!(child.wait(), 0);
}

/// A party that dies outside of any wait breaks the barrier for all, until it is reset and another has taken the place.
#[test]
fn a_dead_party_breaks_it_for_all() {
    let _leaks = Leaks::watch();
    let table = table_of(4);
    let mut dead = Child::fork(|| {
        table.barrier.join().unwrap();
        table.phase.fetch_add(1, Ordering::Release);
        sleep_for_ever()
    });
    let survivor = || {
        let first = table.barrier.wait(HANG).unwrap_err();
        let second = table.barrier.wait(HANG).unwrap_err();
        assert!(is_dead(&first) && is_dead(&second) && table.barrier.join().is_err_and(|error| is_dead(&error)), "{first} {second}");
        table.phase.fetch_add(1, Ordering::Release);
        // Somebody mends what is half done.
        wait_until(|| !table.barrier.is_broken().unwrap());
        i32::from(table.barrier.wait(HANG).is_err() || table.barrier.leave().is_err())
    };
    let survivors: Vec<Child> = (0..3).map(|_| Child::fork(survivor)).collect();
    wait_until(|| table.phase.load(Ordering::Acquire) == 1 && survivors.iter().all(|child| is_asleep(child.id())));
    let start = Instant::now();
    dead.kill();
    wait_until(|| table.phase.load(Ordering::Acquire) == 4);
    println!("three parties learn of a death within {:?}", start.elapsed());
    assert!(table.barrier.reset().unwrap() && !table.barrier.reset().unwrap());
    table.barrier.wait(HANG).unwrap();
    survivors.into_iter().for_each(|child| assert_eq!(child.wait(), 0));
    table.barrier.leave().unwrap();
}

/// Who still sleeps when a break has come and gone has not come through.
#[test]
fn a_stopped_party_learns_of_a_break_that_was_mended() {
    let _leaks = Leaks::watch();
    let table = table_of(3);
    let stopped = Child::fork(|| i32::from(!is_dead(&table.barrier.wait(HANG).unwrap_err())));
    wait_until(|| is_asleep(stopped.id()));
    // SAFETY: the child is ours.
    unsafe { libc::kill(stopped.id(), libc::SIGSTOP) };
    assert_eq!(Child::fork(|| i32::from(table.barrier.join().is_err())).wait(), 0);
    assert!(is_dead(&table.barrier.wait(HANG).unwrap_err()));
    assert!(table.barrier.reset().unwrap());
    // SAFETY: as above.
    unsafe { libc::kill(stopped.id(), libc::SIGCONT) };
    assert_eq!(stopped.wait(), 0);
}

/// What the other of two does after a death: it comes through, or learns of it; then it resets, and goes on with another.
fn survive(table: &Table, (): ()) {
    let barrier = &table.barrier;
    match barrier.wait(HANG) {
        // The dead one had come before it died; the next round finds it.
        Ok(_) => assert!(is_dead(&barrier.wait(HANG).unwrap_err())),
        Err(error) => assert!(is_dead(&error), "{error}"),
    }
    assert!(barrier.reset().unwrap());
    let other = Child::fork(|| i32::from(barrier.wait(HANG).is_err() || barrier.leave().is_err()));
    barrier.wait(HANG).expect("a round with another one");
    assert_eq!(other.wait(), 0);
    barrier.leave().unwrap();
}

fn wait(table: &Table) -> i32 {
    i32::from(table.barrier.wait(HANG).is_err())
}

#[test]
fn killed_at_every_instruction_of_a_wait() {
    let _leaks = Leaks::watch();
    let late = |table: &Table| i32::from(!table.barrier.wait(Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
    let points = killed_at_every_instruction("a wait that ends at once", two, warm_up_and_join, late, survive);
    assert!(points > 50, "{points}");
    let come = |table: &Table, _: &mut ()| {
        // A party of its own, which leaves in good order.
        let other = Child::fork(|| i32::from(table.barrier.wait(HANG).is_err() || table.barrier.leave().is_err()));
        assert_eq!(other.wait(), 0);
    };
    let points = killed_behind_its_sleep("a wait", two, warm_up_and_join, wait, come, survive);
    assert!(points > 5, "{points}");
}

/// The last to come dies at every instruction while another waits for it.
#[test]
fn killed_at_every_instruction_of_the_last_arrival() {
    let _leaks = Leaks::watch();
    let set_up = |table: &SharedPages<Table>| {
        two(table);
        let waiter = Child::fork(|| {
            let result = table.barrier.wait(HANG);
            let fine = result.is_ok() || result.is_err_and(|error| is_dead(&error));
            // Broken, it keeps its place, and is dead with it.
            let _ = table.barrier.leave();
            i32::from(!fine)
        });
        wait_until(|| is_asleep(waiter.id()));
        waiter
    };
    let points = killed_at_every_instruction("the last arrival", set_up, warm_up_and_join, wait, |table, waiter| {
        assert_eq!(waiter.wait(), 0);
        survive(table, ());
    });
    assert!(points > 50, "{points}");
}

/// One that dies in the middle of joining or leaving is a party, or is none.
#[test]
fn killed_at_every_instruction_of_join_leave_and_reset() {
    let _leaks = Leaks::watch();
    let is_usable = |table: &Table, (): ()| {
        let barrier = &table.barrier;
        let other = Child::fork(|| {
            let fine = match barrier.wait(HANG) {
                Ok(_) => barrier.leave().is_ok(),
                Err(error) => is_dead(&error),
            };
            i32::from(!fine)
        });
        match barrier.wait(HANG) {
            Ok(_) => {}
            Err(error) => assert!(is_dead(&error), "{error}"),
        }
        assert_eq!(other.wait(), 0);
        barrier.reset().unwrap();
        // It is no party if the other one had broken the barrier before it came.
        let _ = barrier.leave();
    };
    let join_and_leave = |table: &Table| i32::from(table.barrier.join().is_err() || table.barrier.leave().is_err());
    let points = killed_at_every_instruction("join and leave", two, warm_up, join_and_leave, is_usable);
    assert!(points > 50, "{points}");
    let broken = |table: &SharedPages<Table>| {
        two(table);
        assert_eq!(Child::fork(|| i32::from(table.barrier.join().is_err())).wait(), 0);
        assert!(is_dead(&table.barrier.wait(HANG).unwrap_err()));
        table.barrier.leave().unwrap();
    };
    let points = killed_at_every_instruction(
        "reset",
        broken,
        warm_up,
        |table| i32::from(table.barrier.reset().is_err()),
        |table, ()| {
            table.barrier.reset().unwrap();
            survive_reset(table);
        },
    );
    assert!(points > 50, "{points}");
}

fn survive_reset(table: &Table) {
    let other = Child::fork(|| i32::from(table.barrier.wait(HANG).is_err() || table.barrier.leave().is_err()));
    table.barrier.wait(HANG).unwrap();
    assert_eq!(other.wait(), 0);
    table.barrier.leave().unwrap();
}

#[test]
fn stopped_at_every_instruction_nobody_hangs() {
    let _leaks = Leaks::watch();
    let other = |table: &Table| {
        let result = table.barrier.wait(Duration::from_millis(3));
        table.barrier.leave().unwrap();
        match result {
            Ok(_) => true,
            Err(error) => {
                assert!(error.is(Errno::ETIMEDOUT), "{error}");
                false
            }
        }
    };
    let late = |table: &Table| {
        let result = table.barrier.wait(Wait::NEVER);
        i32::from(!(result.is_ok() || result.is_err_and(|error| error.is(Errno::EAGAIN))))
    };
    let (points, refused) = stopped_at_every_instruction("a wait that ends at once", two, warm_up_and_join, late, other, |_| ());
    assert!(refused > 0 && refused < points, "{points} {refused}");
}

/// Parties in step, killed at moments of no choice: the rest learns of it each time.
#[test]
fn killed_at_random_moments() {
    let _leaks = Leaks::watch();
    for round in 0..kills() {
        let table = table_of(3);
        let party = || {
            // Who is killed before it has joined is not missed.
            table.barrier.join().expect("there is a place");
            table.phase.fetch_add(1, Ordering::Release);
            loop {
                if let Err(error) = table.barrier.wait(HANG) {
                    assert!(is_dead(&error), "{error}");
                    return 0;
                }
            }
        };
        let mut children: Vec<Child> = (0..3).map(|_| Child::fork(party)).collect();
        wait_until(|| table.phase.load(Ordering::Acquire) == 3);
        std::thread::sleep(Duration::from_micros(100 + round * 37 % 900));
        children.remove(round as usize % 3).kill();
        children.into_iter().for_each(|child| assert_eq!(child.wait(), 0));
    }
    println!("killed {} parties at random moments; failures: 0", kills());
}

#[test]
fn when_all_parties_have_died_newcomers_are_told_and_a_reset_makes_room() {
    let _leaks = Leaks::watch();
    let table = table_of(2);
    for _ in 0..2 {
        assert_eq!(Child::fork(|| i32::from(table.barrier.join().is_err())).wait(), 0);
    }
    assert!(is_dead(&table.barrier.join().unwrap_err()));
    assert!(table.barrier.reset().unwrap());
    survive_reset(&table);
}
