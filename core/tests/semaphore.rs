//! Semaphores between real processes: in place, recovering, and by name.

mod support;

use std::ffi::CString;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use support::process::Child;
use support::shared::SharedPages;
use support::stepper::{Stepper, is_asleep};
use support::waits::ends_in_every_way;
use unipc::Failure;
use unipc::sync::{PLACES, PosixSemaphore, PosixSemaphoreOptions, Semaphore};
use unipc_tests::Leaks;

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);

#[repr(C)]
struct Pool {
    units: Semaphore,
    inside: AtomicI64,
    phase: AtomicU32,
}

fn pool(semaphore: Semaphore) -> SharedPages<Pool> {
    let pool = SharedPages::<Pool>::zeroed();
    // SAFETY: the pages are mapped and nobody uses the semaphore yet.
    unsafe { Semaphore::init(&raw mut (*pool.as_ptr()).units, semaphore) };
    pool
}

fn pause_for_ever() -> ! {
    loop {
        // SAFETY: sleeps until killed.
        unsafe { libc::pause() };
    }
}

fn wait_for_phase(pool: &Pool, phase: u32) {
    while pool.phase.load(Ordering::Acquire) < phase {
        std::thread::yield_now();
    }
}

#[test]
fn zero_bytes_are_a_semaphore_of_value_zero() {
    let _leaks = Leaks::watch();
    let pool = SharedPages::<Pool>::zeroed();
    assert!(pool.units.try_wait().unwrap_err().is(Errno::EAGAIN));
    assert!(pool.units.wait(Duration::from_millis(20)).unwrap_err().is(Errno::ETIMEDOUT));
    let waiter = Child::fork(|| i32::from(pool.units.wait(HANG).is_err()));
    pool.units.post().unwrap();
    assert_eq!(waiter.wait(), 0);
    assert_eq!(pool.units.value().unwrap(), 0);
}

#[test]
fn never_more_inside_than_units() {
    let _leaks = Leaks::watch();
    for semaphore in [Semaphore::new(3).unwrap(), Semaphore::recovering(3).unwrap()] {
        let pool = pool(semaphore);
        let children: Vec<Child> = (0..12)
            .map(|_| {
                Child::fork(|| {
                    for _ in 0..300 {
                        if pool.units.wait(HANG).is_err() {
                            return 1;
                        }
                        let inside = pool.inside.fetch_add(1, Ordering::SeqCst) + 1;
                        if inside > 3 {
                            return 2;
                        }
                        pool.inside.fetch_sub(1, Ordering::SeqCst);
                        if pool.units.post().is_err() {
                            return 3;
                        }
                    }
                    0
                })
            })
            .collect();
        for child in children {
            assert_eq!(child.wait(), 0);
        }
        assert_eq!(pool.units.value().unwrap(), 3);
    }
}

#[test]
fn a_dead_holders_units_come_back() {
    let _leaks = Leaks::watch();
    let pool = pool(Semaphore::recovering(2).unwrap());
    let mut holder = Child::fork(|| {
        pool.units.wait(HANG).unwrap();
        pool.units.wait(HANG).unwrap();
        pool.phase.store(1, Ordering::Release);
        pause_for_ever()
    });
    wait_for_phase(&pool, 1);
    assert!(pool.units.try_wait().unwrap_err().is(Errno::EAGAIN), "a living holder keeps its units");
    let waiter = Child::fork(|| {
        pool.phase.store(2, Ordering::Release);
        i32::from(pool.units.wait(HANG).is_err() || pool.units.wait(HANG).is_err())
    });
    wait_for_phase(&pool, 2);
    holder.kill();
    assert_eq!(waiter.wait(), 0);
    // And without waiting: the second holder is dead by now, too.
    assert!(pool.units.try_wait().is_ok());
    assert!(pool.units.try_wait().is_ok());
    assert!(pool.units.try_wait().unwrap_err().is(Errno::EAGAIN));
}

#[test]
fn only_a_holder_gives_a_recovering_unit_back() {
    let _leaks = Leaks::watch();
    let pool = pool(Semaphore::recovering(1).unwrap());
    assert!(pool.units.post().unwrap_err().is(Errno::EPERM));
    pool.units.wait(HANG).unwrap();
    let child = Child::fork(|| i32::from(!pool.units.post().unwrap_err().is(Errno::EPERM)));
    assert_eq!(child.wait(), 0, "a child does not hold its parent's unit");
    pool.units.post().unwrap();
    assert_eq!(pool.units.value().unwrap(), 1);
}

#[test]
fn limits_are_errors() {
    let _leaks = Leaks::watch();
    assert!(Semaphore::new(i32::MAX as u32 + 1).unwrap_err().is(Errno::EINVAL));
    assert!(Semaphore::recovering(0).unwrap_err().is(Errno::EINVAL));
    assert!(Semaphore::recovering(PLACES as u32).is_ok());
    let error = Semaphore::recovering(PLACES as u32 + 1).unwrap_err();
    assert!(error.to_string().contains("56"), "{error}");
    let full = pool(Semaphore::new(i32::MAX as u32).unwrap());
    assert!(full.units.post().unwrap_err().is(Errno::EOVERFLOW));
    assert_eq!(full.units.value().unwrap(), i32::MAX as u32);
}

#[test]
fn waiting_ends_in_every_way() {
    support::waits::prepare();
    let _leaks = Leaks::watch();
    let empty = pool(Semaphore::new(0).unwrap());
    ends_in_every_way("plain", |wait| empty.units.wait(wait).unwrap_err());
    let taken = pool(Semaphore::recovering(1).unwrap());
    taken.units.wait(HANG).unwrap();
    ends_in_every_way("recovering", |wait| taken.units.wait(wait).unwrap_err());
    let name = Name::new("ways");
    let named = PosixSemaphore::create(&name.0, &of_value(0)).unwrap();
    ends_in_every_way("named", |wait| named.wait(wait).unwrap_err());
}

/// Kills a process at every instruction of wait and post; the unit is never lost, and never doubled.
#[test]
fn killed_at_every_instruction_a_recovering_unit_survives() {
    let _leaks = Leaks::watch();
    let mut points = 0;
    loop {
        let pool = pool(Semaphore::recovering(1).unwrap());
        let warm_up = || {
            let other = Semaphore::recovering(1).unwrap();
            other.wait(HANG).unwrap();
            other.post().unwrap();
        };
        let mut stepper = Stepper::start(warm_up, || {
            let fine = pool.units.wait(HANG).is_ok() && pool.units.post().is_ok();
            i32::from(!fine)
        });
        if !stepper.advance(points) {
            break;
        }
        stepper.kill();
        pool.units.wait(HANG).expect("the unit comes back");
        assert!(pool.units.try_wait().unwrap_err().is(Errno::EAGAIN), "one unit is one unit");
        pool.units.post().unwrap();
        points += 1;
    }
    println!("killed at {points} instructions of wait and post; failures: 0");
    assert!(points > 50, "{points}");
}

/// Kills or stops a process at every instruction of its post to a plain semaphore on which another sleeps: it has posted or not, no unit is doubled,
/// and the sleeper waits no longer than it wants.
#[test]
fn killed_and_stopped_at_every_instruction_of_post_with_a_sleeper() {
    const PATIENCE: Duration = Duration::from_millis(4);
    let _leaks = Leaks::watch();
    for dies in [true, false] {
        let (mut points, mut posts) = (0, 0);
        loop {
            let pool = pool(Semaphore::new(1).unwrap());
            pool.units.wait(HANG).unwrap();
            let waiter = Child::fork(|| {
                pool.phase.store(1, Ordering::Release);
                let patience = if dies { HANG } else { PATIENCE };
                match pool.units.wait(patience) {
                    Ok(()) => 0,
                    Err(error) => {
                        if error.is(Errno::ETIMEDOUT) {
                            1
                        } else {
                            2
                        }
                    }
                }
            });
            wait_for_phase(&pool, 1);
            while dies && !is_asleep(waiter.id()) {
                std::thread::yield_now();
            }
            let mut stepper = Stepper::start(|| (), || i32::from(pool.units.post().is_err()));
            if !stepper.advance(points) {
                break;
            }
            if dies {
                stepper.kill();
                // The sleeper takes this unit, or that of the dead.
                pool.units.post().unwrap();
                assert_eq!(waiter.wait(), 0);
                let left = pool.units.value().unwrap();
                // Who dies later than one that has posted, has posted.
                assert!(left == 1 || (left == 0 && posts == 0), "{left} units at {points}");
                posts += left;
            } else {
                let stopped = stepper.stop();
                let result = waiter.wait();
                assert!(result < 2, "the sleeper's wait has failed");
                assert_eq!(stopped.go_on(), 0);
                assert_eq!(pool.units.value().unwrap(), u32::from(result == 1), "one post is one unit");
            }
            points += 1;
        }
        println!("{} at {points} instructions of post with a sleeper; failures: 0", if dies { "killed" } else { "stopped" });
        assert!(points > 20, "{points}");
    }
}

/// A name that no other test, and no other run, uses; removed at the end.
struct Name(String);

impl Name {
    fn new(what: &str) -> Name {
        Name(format!("unipc-test-{what}-{}", std::process::id()))
    }

    fn path(&self) -> String {
        format!("/dev/shm/sem.{}", self.0)
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = PosixSemaphore::unlink(&self.0);
    }
}

fn of_value(value: u32) -> PosixSemaphoreOptions<'static> {
    PosixSemaphoreOptions { value, ..Default::default() }
}

#[test]
fn create_is_exclusive_and_open_never_creates() {
    let _leaks = Leaks::watch();
    let name = Name::new("exclusive");
    assert!(PosixSemaphore::open(&name.0, &of_value(0)).unwrap_err().is(Errno::ENOENT));
    let first = PosixSemaphore::create(&name.0, &of_value(2)).unwrap();
    assert!(PosixSemaphore::create(&name.0, &of_value(7)).unwrap_err().is(Errno::EEXIST));
    let second = PosixSemaphore::open_or_create(&format!("/{}", name.0), &of_value(9)).unwrap();
    second.wait(HANG).unwrap();
    assert_eq!((first.value().unwrap(), second.value().unwrap()), (1, 1));
    PosixSemaphore::unlink(&name.0).unwrap();
    assert!(PosixSemaphore::unlink(&name.0).unwrap_err().is(Errno::ENOENT));
    first.post().unwrap();
    assert_eq!(second.value().unwrap(), 2);
}

#[test]
fn sem_open_is_the_other_process_both_ways() {
    let _leaks = Leaks::watch();
    let name = Name::new("interworking");
    let c_name = CString::new(format!("/{}", name.0)).unwrap();
    let ours = PosixSemaphore::create(&name.0, &of_value(0)).unwrap();
    let child = Child::fork(|| {
        // SAFETY: plain use of the C library's functions on a semaphore that exists.
        unsafe {
            let theirs = libc::sem_open(c_name.as_ptr(), 0);
            i32::from(theirs == libc::SEM_FAILED || libc::sem_post(theirs) != 0)
        }
    });
    ours.wait(HANG).expect("their post arrives");
    assert_eq!(child.wait(), 0);
    let waiter = Child::fork(|| {
        // SAFETY: as above.
        unsafe {
            let theirs = libc::sem_open(c_name.as_ptr(), 0);
            i32::from(theirs == libc::SEM_FAILED || libc::sem_wait(theirs) != 0)
        }
    });
    ours.post().unwrap();
    assert_eq!(waiter.wait(), 0, "our post arrives");

    PosixSemaphore::unlink(&name.0).unwrap();
    // SAFETY: as above; the two arguments more are a mode and a value.
    let theirs = unsafe { libc::sem_open(c_name.as_ptr(), libc::O_CREAT | libc::O_EXCL, 0o600, 3) };
    assert_ne!(theirs, libc::SEM_FAILED);
    let ours = PosixSemaphore::open(&name.0, &of_value(0)).unwrap();
    assert_eq!(ours.value().unwrap(), 3);
    // SAFETY: it is open, and closed once.
    unsafe { libc::sem_close(theirs) };
}

#[test]
fn what_is_no_semaphore_is_refused() {
    let _leaks = Leaks::watch();
    let name = Name::new("refused");
    let open = || PosixSemaphore::open(&name.0, &of_value(0)).unwrap_err();
    std::os::unix::fs::symlink("/etc/hostname", name.path()).unwrap();
    assert!(open().is(Errno::ELOOP));
    std::fs::remove_file(name.path()).unwrap();
    std::fs::create_dir(name.path()).unwrap();
    assert!(open().is_failure(Failure::WrongKind));
    std::fs::remove_dir(name.path()).unwrap();
    std::fs::write(name.path(), "short").unwrap();
    assert!(open().is_failure(Failure::WrongSize));
    std::os::unix::fs::chown(name.path(), Some(65534), None).unwrap();
    assert!(open().is(Errno::EPERM), "a stranger's object");
}

#[test]
fn the_mode_is_exact_and_a_temporary_name_goes_with_its_creator() {
    let _leaks = Leaks::watch();
    use std::os::unix::fs::PermissionsExt;
    let name = Name::new("temporary");
    let options = PosixSemaphoreOptions { mode: 0o622, temporary: true, ..Default::default() };
    let semaphore = PosixSemaphore::create(&name.0, &options).unwrap();
    assert_eq!(std::fs::metadata(name.path()).unwrap().permissions().mode() & 0o7777, 0o622);
    drop(PosixSemaphore::open(&name.0, &PosixSemaphoreOptions { temporary: true, ..Default::default() }).unwrap());
    let child = Child::fork(|| {
        // SAFETY: the child has a copy of its own of everything, and does not touch the original again.
        drop(unsafe { std::ptr::read(&semaphore) });
        0
    });
    assert_eq!(child.wait(), 0);
    assert!(std::fs::exists(name.path()).unwrap(), "neither an opener nor a child removes the name");
    drop(semaphore);
    assert!(!std::fs::exists(name.path()).unwrap());
}

#[test]
fn waiting_for_a_creator() {
    let _leaks = Leaks::watch();
    let name = Name::new("creator");
    let patient = PosixSemaphoreOptions { wait_for_creator: HANG.into(), ..Default::default() };
    let opener = Child::fork(|| match PosixSemaphore::open(&name.0, &patient) {
        Ok(semaphore) => i32::from(semaphore.wait(HANG).is_err()),
        Err(_) => 2,
    });
    let _semaphore = PosixSemaphore::create(&name.0, &of_value(1)).unwrap();
    assert_eq!(opener.wait(), 0);
}

#[test]
fn the_named_ones_are_listed_and_described() {
    let _leaks = Leaks::watch();
    let name = Name::new("listed");
    let described = || PosixSemaphore::list().unwrap().into_iter().find(|status| status.name == name.0);
    assert_eq!(described(), None);
    assert!(PosixSemaphore::status(&name.0).unwrap_err().is(Errno::ENOENT));
    let semaphore = PosixSemaphore::create(&name.0, &PosixSemaphoreOptions { value: 3, mode: 0o622, ..Default::default() }).unwrap();
    semaphore.try_wait().unwrap();
    let status = PosixSemaphore::status(&format!("/{}", name.0)).unwrap();
    // SAFETY: both always succeed.
    let own = unsafe { (libc::geteuid(), libc::getegid()) };
    assert_eq!((&*status.name, status.value, status.mode, status.uid, status.gid), (&*name.0, Some(2), 0o622, own.0, own.1));
    assert_eq!(described(), Some(status.clone()));
    if own.0 == 0 {
        // A stranger is told what anybody sees of a file.
        let stranger = Child::fork(|| {
            support::queues::become_user(12345);
            let hidden = unipc::sync::PosixSemaphoreStatus { value: None, ..status };
            i32::from(described() != Some(hidden))
        });
        assert_eq!(stranger.wait(), 0);
    }
    drop(semaphore);
    PosixSemaphore::unlink(&name.0).unwrap();
    std::fs::write(name.path(), "short").unwrap();
    assert_eq!(described(), None);
    assert!(PosixSemaphore::status(&name.0).unwrap_err().is_failure(Failure::WrongSize));
    std::fs::remove_file(name.path()).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", name.path()).unwrap();
    assert!(PosixSemaphore::status(&name.0).unwrap_err().is(Errno::ELOOP));
}

/// Whoever may put files where named semaphores are can truncate them at any moment, and that is nobody else's end.
#[test]
fn a_semaphore_that_is_cut_off_while_one_looks_harms_nobody() {
    let _leaks = Leaks::watch();
    let name = Name::new("cut");
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(name.path()).unwrap();
    let mut owner = Child::fork(|| {
        loop {
            file.set_len(32).unwrap();
            file.set_len(0).unwrap();
        }
    });
    let looker = Child::fork(|| {
        let start = std::time::Instant::now();
        let (mut seen, mut refused) = (0, 0);
        while start.elapsed() < Duration::from_secs(1) || (seen == 0 || refused == 0) && start.elapsed() < HANG {
            match PosixSemaphore::status(&name.0) {
                Ok(status) => seen += i32::from(status.value == Some(0)),
                Err(error) => refused += i32::from(error.is_failure(Failure::WrongSize)),
            }
        }
        i32::from(seen == 0 || refused == 0)
    });
    let status = looker.wait();
    owner.kill();
    std::fs::remove_file(name.path()).unwrap();
    assert_eq!(status, 0);
}
