//! System V semaphore sets between real processes, each test in an IPC namespace of its own.

mod support;

use std::process::Command;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use support::contained::is_root;
use support::process::{Child, kills};
use support::queues::{become_user, in_own_namespace, random_time, sysv_sets};
use support::shared::SharedPages;
use support::waits::ends_in_every_way;
use unipc::sync::{SysvOperation, SysvSemaphores, SysvSemaphoresOptions};
use unipc::{Error, Failure, Wait};

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);
const KEY: i32 = 0x4711_0815;

fn of(values: &[u32]) -> SysvSemaphoresOptions<'static> {
    SysvSemaphoresOptions { values: values.to_vec(), ..Default::default() }
}

fn temporary(values: &[u32]) -> SysvSemaphoresOptions<'static> {
    SysvSemaphoresOptions { temporary: true, ..of(values) }
}

fn plain() -> SysvSemaphoresOptions<'static> {
    SysvSemaphoresOptions::default()
}

fn errno_of<T: std::fmt::Debug>(result: Result<T, Error>) -> Errno {
    let error = result.unwrap_err();
    error.errno().unwrap_or_else(|| panic!("{error}"))
}

fn take(semaphore: usize, units: u16) -> SysvOperation {
    SysvOperation::take(semaphore, units)
}

fn give(semaphore: usize, units: u16) -> SysvOperation {
    SysvOperation::give(semaphore, units)
}

/// How often something is killed.

#[test]
fn several_operations_are_one_step() {
    in_own_namespace(|| {
        let set = SysvSemaphores::create(KEY, &temporary(&[3, 0, 5])).unwrap();
        assert_eq!((set.len(), set.values().unwrap()), (3, vec![3, 0, 5]));
        let child = Child::fork(|| {
            let set = SysvSemaphores::open(KEY, &of(&[0; 3])).unwrap();
            set.operate(&[take(0, 2), give(1, 4), take(2, 5), SysvOperation::zero(2)], HANG).unwrap();
            0
        });
        let id = child.id();
        assert_eq!(child.wait(), 0);
        assert_eq!(set.values().unwrap(), [1, 4, 0]);
        assert_eq!((set.last_process(0).unwrap(), set.last_process(2).unwrap()), (id, id));
        // All or none, in their order.
        assert_eq!(errno_of(set.operate(&[give(1, 1), take(0, 2)], Wait::NEVER)), Errno::EAGAIN);
        assert_eq!(set.values().unwrap(), [1, 4, 0]);
        set.operate(&[give(0, 1), take(0, 2)], Wait::NEVER).unwrap();
        assert_eq!(errno_of(set.operate(&[take(2, 1), give(2, 1)], Wait::NEVER)), Errno::EAGAIN);
        assert_eq!(set.value(0).unwrap(), 0);
        set.wait_zero(0, HANG).unwrap();
        assert_eq!(errno_of(set.wait_zero(1, Wait::NEVER)), Errno::EAGAIN);
        set.post(0).unwrap();
        set.wait(0, HANG).unwrap();
        assert_eq!(errno_of(set.try_wait(0)), Errno::EAGAIN);
        // More than fit on the stack, of one that does not wait.
        let many: Vec<_> = (0..20).flat_map(|_| [give(0, 1), take(0, 1)]).collect();
        set.operate(&many, HANG).unwrap();
        for wait in [Wait::FOREVER, HANG.into(), Wait::NEVER] {
            let start = Instant::now();
            let error = set.operate(&[take(1, 1), take(0, 1).at_once()], wait).unwrap_err();
            assert!(error.is(Errno::EAGAIN) && start.elapsed() < HANG / 2, "{error}");
        }
        assert_eq!(set.values().unwrap(), [0, 4, 0]);
    });
}

#[test]
fn limits_are_exact_and_named() {
    in_own_namespace(|| {
        let set = SysvSemaphores::create_private(&temporary(&[32767, 32766])).unwrap();
        let error = set.post(0).unwrap_err();
        assert!(error.is(Errno::ERANGE) && error.to_string().contains("32767 (SEMVMX)"), "{error}");
        set.post(1).unwrap();
        assert_eq!(errno_of(set.post(1)), Errno::ERANGE);
        set.operate(&[SysvOperation { semaphore: 0, change: -32767, undo: false, at_once: false }], Wait::NEVER).unwrap();
        set.operate(&[give(0, 32767)], Wait::NEVER).unwrap();
        for change in [32768, 65535, i32::MAX, i32::MIN, -32769] {
            let operation = SysvOperation { semaphore: 0, change, undo: false, at_once: false };
            assert_eq!(errno_of(set.operate(&[operation], Wait::NEVER)), Errno::ERANGE, "{change}");
        }
        assert_eq!(errno_of(set.operate(&[give(1, 1).undo(); 2], Wait::NEVER)), Errno::ERANGE);
        for value in [32768, 65536, u32::MAX] {
            let error = SysvSemaphores::create(KEY, &of(&[1, value])).unwrap_err();
            assert!(error.is(Errno::ERANGE) && error.to_string().contains("semaphore 1") && error.to_string().contains("32767"), "{error}");
            assert_eq!(errno_of(set.set_value(0, value)), Errno::ERANGE);
            assert_eq!(errno_of(set.set_values(&[value, 0])), Errno::ERANGE);
        }
        for semaphore in [2, 3, 65535, 65536, usize::MAX] {
            let error = set.post(semaphore).unwrap_err();
            assert!(error.is(Errno::EFBIG) && error.to_string().contains("has 2 semaphores"), "{error}");
            assert_eq!(errno_of(set.value(semaphore)), Errno::EFBIG);
            assert_eq!(errno_of(set.set_value(semaphore, 0)), Errno::EFBIG);
            assert_eq!(errno_of(set.waiters(semaphore)), Errno::EFBIG);
            assert_eq!(errno_of(set.waiters_for_zero(semaphore)), Errno::EFBIG);
            assert_eq!(errno_of(set.last_process(semaphore)), Errno::EFBIG);
        }
        for values in [&[][..], &[1], &[1, 2, 3]] {
            assert_eq!(errno_of(set.set_values(values)), Errno::EINVAL);
        }
        assert_eq!(errno_of(set.operate(&[], Wait::NEVER)), Errno::EINVAL);
        assert_eq!(errno_of(SysvSemaphores::create(KEY, &of(&[]))), Errno::EINVAL);
        assert_eq!(errno_of(SysvSemaphores::create(KEY, &SysvSemaphoresOptions { mode: 0o1000, ..plain() })), Errno::EINVAL);
    });
}

#[test]
fn limits_of_the_system_are_named_with_their_values() {
    if !is_root() {
        return;
    }
    in_own_namespace(|| {
        // SEMMSL SEMMNS SEMOPM SEMMNI
        std::fs::write("/proc/sys/kernel/sem", "4 9 12 3").unwrap();
        let full = SysvSemaphores::create(KEY, &temporary(&[1; 4])).unwrap();
        let error = SysvSemaphores::create(KEY + 1, &of(&[0; 5])).unwrap_err();
        assert!(
            error.is(Errno::EINVAL) && error.to_string().contains("5 semaphores in a set; /proc/sys/kernel/sem allows 4 (SEMMSL)"),
            "{error}"
        );
        full.operate(&[give(0, 1); 11], HANG).unwrap();
        full.operate(&[take(0, 1); 12], HANG).unwrap();
        for wait in [Wait::NEVER, Wait::FOREVER] {
            let error = full.operate(&[give(0, 1); 13], wait).unwrap_err();
            assert!(
                error.is(Errno::E2BIG) && error.to_string().contains("13 operations at once; /proc/sys/kernel/sem allows 12 (SEMOPM)"),
                "{error}"
            );
        }
        let second = SysvSemaphores::create_private(&temporary(&[0; 3])).unwrap();
        let error = SysvSemaphores::create_private(&of(&[0; 3])).unwrap_err();
        assert!(
            error.is(Errno::ENOSPC) && error.to_string().contains("9 semaphores (SEMMNS), of which 7 are taken and 3 needed"),
            "{error}"
        );
        let third = SysvSemaphores::create_private(&temporary(&[0; 2])).unwrap();
        let error = SysvSemaphores::create_private(&plain()).unwrap_err();
        assert!(error.is(Errno::ENOSPC) && error.to_string().contains("allows 3 sets (SEMMNI), and there are 3"), "{error}");
        drop((second, third));
    });
}

#[test]
fn keys_and_identifiers_find_a_set() {
    in_own_namespace(|| {
        assert_eq!(errno_of(SysvSemaphores::open(KEY, &plain())), Errno::ENOENT);
        assert_eq!(errno_of(SysvSemaphores::remove_key(KEY)), Errno::ENOENT);
        let set = SysvSemaphores::open_or_create(KEY, &of(&[7, 8])).unwrap();
        assert_eq!(set.key(), Some(KEY));
        assert_eq!(errno_of(SysvSemaphores::create(KEY, &of(&[1, 2]))), Errno::EEXIST);
        let again = SysvSemaphores::open_or_create(KEY, &temporary(&[1, 2])).unwrap();
        assert_eq!((again.id(), again.values().unwrap()), (set.id(), vec![7, 8]), "values count for the creator alone");
        drop(again);
        let error = SysvSemaphores::open(KEY, &of(&[0; 3])).unwrap_err();
        assert!(error.is_failure(Failure::WrongSize) && error.to_string().contains("has 2 semaphores, and 3 are needed"), "{error}");
        assert!(SysvSemaphores::open_or_create(KEY, &of(&[0; 3])).unwrap_err().is_failure(Failure::WrongSize));
        let twin = SysvSemaphores::open_id(set.id(), &plain()).unwrap();
        assert_eq!((twin.len(), twin.key()), (2, None));
        SysvSemaphores::remove_key(KEY).unwrap();
        let error = set.post(0).unwrap_err();
        assert!(error.is(Errno::EIDRM) && error.to_string().contains("0x47110815") && error.to_string().contains("was removed"), "{error}");
        for result in [twin.wait(0, Wait::FOREVER), set.remove(), set.set_mode(0o666), set.set_values(&[1, 2]), set.set_value(0, 1)] {
            assert_eq!(errno_of(result), Errno::EIDRM);
        }
        assert_eq!(errno_of(set.status()), Errno::EIDRM);
        assert_eq!(errno_of(set.values()), Errno::EIDRM);
        assert_eq!(errno_of(set.waiters(0)), Errno::EIDRM);
        assert_eq!(errno_of(set.set_owner(None, Some(1))), Errno::EIDRM);
        assert_eq!(errno_of(SysvSemaphores::open_id(set.id(), &plain())), Errno::EIDRM);
        assert_eq!(errno_of(SysvSemaphores::create(0, &plain())), Errno::EINVAL);
        assert_eq!(errno_of(SysvSemaphores::open(0, &plain())), Errno::EINVAL);
        assert_eq!(errno_of(SysvSemaphores::remove_key(0)), Errno::EINVAL);
        let creator = Child::fork(|| {
            std::thread::sleep(Duration::from_millis(30));
            drop(SysvSemaphores::create(KEY, &of(&[5])).unwrap());
            0
        });
        let set = SysvSemaphores::open(KEY, &SysvSemaphoresOptions { wait_for_creator: HANG.into(), ..plain() }).unwrap();
        assert_eq!(set.value(0).unwrap(), 5, "nobody meets zeros");
        set.remove().unwrap();
        assert_eq!(creator.wait(), 0);
    });
}

#[test]
fn every_wait_ends() {
    in_own_namespace(|| {
        let set = SysvSemaphores::create_private(&temporary(&[0, 1])).unwrap();
        ends_in_every_way("wait", |wait| set.wait(0, wait).unwrap_err());
        ends_in_every_way("wait_zero", |wait| set.wait_zero(1, wait).unwrap_err());
        ends_in_every_way("operate", |wait| set.operate(&[take(1, 1), take(0, 1).undo()], wait).unwrap_err());
        assert_eq!(set.values().unwrap(), [0, 1]);
        assert_eq!((set.waiters(0).unwrap(), set.waiters_for_zero(1).unwrap()), (0, 0));
    });
}

#[test]
fn whoever_waits_is_counted_and_woken() {
    in_own_namespace(|| {
        let set = SysvSemaphores::create_private(&temporary(&[0, 1])).unwrap();
        for wait in [Wait::FOREVER, HANG.into()] {
            let waiters: Vec<_> = (0..3).map(|_| Child::fork(|| i32::from(set.wait(0, wait).is_err()))).collect();
            let zero = Child::fork(|| i32::from(set.wait_zero(1, wait).is_err()));
            let start = Instant::now();
            while (set.waiters(0).unwrap(), set.waiters_for_zero(1).unwrap()) != (3, 1) {
                assert!(start.elapsed() < HANG);
                std::thread::yield_now();
            }
            set.operate(&[give(0, 3), take(1, 1)], Wait::NEVER).unwrap();
            waiters.into_iter().for_each(|waiter| assert_eq!(waiter.wait(), 0));
            assert_eq!(zero.wait(), 0);
            set.post(1).unwrap();
            let echo = Child::fork(|| {
                (0..200).for_each(|_| set.operate(&[take(0, 1), give(1, 1)], wait).unwrap());
                0
            });
            (0..200).for_each(|_| {
                set.post(0).unwrap();
                set.operate(&[take(1, 1)], wait).unwrap();
            });
            assert_eq!(echo.wait(), 0);
        }
        for wait in [Wait::FOREVER, HANG.into()] {
            let set = SysvSemaphores::create_private(&temporary(&[0])).unwrap();
            let waiter = Child::fork(|| i32::from(!set.wait(0, wait).is_err_and(|error| error.is(Errno::EIDRM))));
            std::thread::sleep(Duration::from_millis(20));
            set.remove().unwrap();
            assert_eq!(waiter.wait(), 0);
        }
    });
}

#[test]
fn what_is_undone_comes_back_and_nothing_else() {
    in_own_namespace(|| {
        let set = SysvSemaphores::create_private(&temporary(&[10, 0])).unwrap();
        let child = Child::fork(|| {
            set.operate(&[take(0, 3).undo(), take(0, 1), give(1, 2).undo(), give(1, 1)], Wait::NEVER).unwrap();
            // A child undoes nothing of its parent's.
            assert_eq!(Child::fork(|| 0).wait(), 0);
            assert_eq!(set.values().unwrap(), [6, 3]);
            0
        });
        assert_eq!(child.wait(), 0);
        assert_eq!(set.values().unwrap(), [9, 1]);
        // A value that was set is not changed by what was to be undone.
        let child = Child::fork(|| {
            set.operate(&[take(0, 3).undo(), take(1, 1).undo()], Wait::NEVER).unwrap();
            set.set_value(0, 4).unwrap();
            0
        });
        assert_eq!(child.wait(), 0);
        assert_eq!(set.values().unwrap(), [4, 1]);
        // One who waits gets what a dead one held.
        set.set_values(&[1, 0]).unwrap();
        let mut holder = Child::fork(|| {
            set.operate(&[take(0, 1).undo()], HANG).unwrap();
            set.post(1).unwrap();
            std::thread::sleep(HANG);
            1
        });
        set.wait(1, HANG).unwrap();
        assert_eq!(errno_of(set.try_wait(0)), Errno::EAGAIN);
        let waiter = Child::fork(|| i32::from(set.wait(0, Wait::FOREVER).is_err()));
        std::thread::sleep(Duration::from_millis(5));
        holder.kill();
        assert_eq!(waiter.wait(), 0);
    });
}

#[test]
fn a_holder_killed_at_any_moment_gives_back_exactly_what_it_held() {
    in_own_namespace(|| {
        const UNITS: u32 = 5;
        let set = SysvSemaphores::create_private(&temporary(&[UNITS, UNITS])).unwrap();
        let rounds = SharedPages::<AtomicU64>::zeroed();
        let mut seed = 4711;
        for _ in 0..kills() {
            let mut holders: Vec<_> = (0..2)
                .map(|_| {
                    Child::fork(|| {
                        loop {
                            let units = 1 + (rounds.fetch_add(1, Ordering::Relaxed) % 3) as u16;
                            if set.operate(&[take(0, units).undo(), take(1, 1).undo()], HANG).is_err()
                                || set.operate(&[give(1, 1).undo(), give(0, units).undo()], HANG).is_err()
                            {
                                return 1;
                            }
                        }
                    })
                })
                .collect();
            random_time(&mut seed, 2000);
            holders.iter_mut().for_each(Child::kill);
            assert_eq!(set.values().unwrap(), [UNITS, UNITS]);
        }
        assert!(rounds.load(Ordering::Relaxed) > 100);
    });
}

#[test]
fn a_creator_killed_at_any_moment_is_no_obstacle() {
    in_own_namespace(|| {
        let mut seed = 1147;
        for round in 0..kills() {
            let mut creator = Child::fork(|| {
                loop {
                    let set = SysvSemaphores::open_or_create(KEY, &of(&[3, 4])).unwrap();
                    set.remove().unwrap();
                }
            });
            random_time(&mut seed, 500);
            creator.kill();
            // Whether it is there, half there or not at all.
            let start = Instant::now();
            let set = SysvSemaphores::open_or_create(KEY, &of(&[3, 4])).unwrap();
            assert!(start.elapsed() < HANG / 4, "{:?} in round {round}", start.elapsed());
            assert_eq!(set.values().unwrap(), [3, 4]);
            set.remove().unwrap();
        }
    });
}

/// A set as the kernel gives it, before it has values.
fn raw_set(mode: i32) -> i32 {
    // SAFETY: semget takes integers.
    let id = unsafe { libc::semget(KEY, 1, libc::IPC_CREAT | libc::IPC_EXCL | mode) };
    assert!(id >= 0, "{}", std::io::Error::last_os_error());
    id
}

#[test]
fn an_unfinished_set_is_waited_for_and_taken_over_from_the_dead() {
    in_own_namespace(|| {
        // One that nobody has set a value of: its maker was killed, or sleeps.
        let id = raw_set(0o610);
        let error = SysvSemaphores::open(KEY, &plain()).unwrap_err();
        assert!(error.is(Errno::ENOENT) && error.to_string().contains("not finished"), "{error}");
        assert_eq!(errno_of(SysvSemaphores::open_id(id, &plain())), Errno::ENOENT);
        let start = Instant::now();
        let set = SysvSemaphores::open_or_create(KEY, &of(&[9])).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(100));
        assert_ne!(set.id(), id);
        assert_eq!(set.value(0).unwrap(), 9);
        set.remove().unwrap();
        // One whose maker is alive, and then dead.
        let mut creator = Child::fork(|| {
            let id = raw_set(0o610);
            // SAFETY: SETVAL takes a number.
            unsafe { libc::semctl(id, 0, libc::SETVAL, 1) };
            std::thread::sleep(HANG);
            0
        });
        let start = Instant::now();
        while sysv_sets().is_empty() {
            assert!(start.elapsed() < HANG);
        }
        let wait_for_creator = Duration::from_millis(200).into();
        let error = SysvSemaphores::open_or_create(KEY, &SysvSemaphoresOptions { wait_for_creator, ..plain() }).unwrap_err();
        assert!(error.is(Errno::EBUSY) && error.to_string().contains(&format!("process {}", creator.id())), "{error}");
        creator.kill();
        let start = Instant::now();
        SysvSemaphores::open_or_create(KEY, &of(&[2])).unwrap().remove().unwrap();
        assert!(start.elapsed() < Duration::from_millis(90), "{:?}", start.elapsed());
        // One whose maker died before its last step, which gives the rights.
        let id = raw_set(0o610);
        let creator = Child::fork(|| {
            let mut steps = [libc::sembuf { sem_num: 0, sem_op: 1, sem_flg: 0 }, libc::sembuf { sem_num: 0, sem_op: -1, sem_flg: 0 }];
            // SAFETY: SETVAL takes a number; the operations are valid for theirs.
            i32::from(unsafe { libc::semctl(id, 0, libc::SETVAL, 1) + libc::semop(id, steps.as_mut_ptr(), 2) } != 0)
        });
        assert_eq!(creator.wait(), 0);
        assert_eq!(errno_of(SysvSemaphores::open(KEY, &plain())), Errno::ENOENT);
        let options = SysvSemaphoresOptions { mode: 0o660, ..of(&[2]) };
        let set = SysvSemaphores::open_or_create(KEY, &options).unwrap();
        assert_eq!((set.id() == id, set.value(0).unwrap(), set.status().unwrap().mode), (false, 2, 0o660));
        set.remove().unwrap();
        // A plain program's set of zeros is finished.
        let id = raw_set(0o600);
        let set = SysvSemaphores::open_or_create(KEY, &of(&[9])).unwrap();
        assert_eq!((set.id(), set.value(0).unwrap()), (id, 0));
        set.remove().unwrap();
    });
}

#[test]
fn many_who_begin_at_once_have_one_set_with_its_values() {
    in_own_namespace(|| {
        let gate = SharedPages::<AtomicU32>::zeroed();
        for round in 0..50 {
            gate.store(0, Ordering::SeqCst);
            let children: Vec<_> = (0..4)
                .map(|_| {
                    Child::fork(|| {
                        gate.fetch_add(1, Ordering::SeqCst);
                        while gate.load(Ordering::SeqCst) < 4 {
                            std::thread::yield_now();
                        }
                        let set = SysvSemaphores::open_or_create(KEY, &of(&[1, 0])).unwrap();
                        for _ in 0..20 {
                            set.wait(0, HANG).unwrap();
                            set.operate(&[give(1, 1), give(0, 1)], HANG).unwrap();
                        }
                        0
                    })
                })
                .collect();
            children.into_iter().for_each(|child| assert_eq!(child.wait(), 0));
            let set = SysvSemaphores::open(KEY, &plain()).unwrap();
            assert_eq!(set.values().unwrap(), [1, 80], "round {round}");
            set.remove().unwrap();
        }
    });
}

#[test]
fn strangers_are_refused_and_rights_are_what_was_asked_for() {
    if !is_root() {
        return;
    }
    in_own_namespace(|| {
        // SAFETY: always succeeds.
        unsafe { libc::umask(0o777) };
        let options = SysvSemaphoresOptions { mode: 0o622, group: Some("12345".into()), ..temporary(&[1]) };
        let set = SysvSemaphores::create(KEY, &options).unwrap();
        let status = set.status().unwrap();
        assert_eq!((status.mode, status.gid, status.uid, status.creator_uid, status.count), (0o622, 12345, 0, 0, 1));
        set.set_mode(0o713).unwrap();
        assert_eq!(set.status().unwrap().mode, 0o602, "to execute means nothing");
        assert_eq!(errno_of(set.set_mode(0o1000)), Errno::EINVAL);
        assert_eq!(errno_of(set.set_owner(Some(u32::MAX), None)), Errno::EINVAL);
        let closed = SysvSemaphores::create(KEY + 1, &temporary(&[1])).unwrap();
        assert_eq!(closed.status().unwrap().mode, 0o600);
        set.set_mode(0o622).unwrap();
        let child = Child::fork(|| {
            become_user(12345);
            // Root's is trusted, also by who may only operate on it.
            let mine = SysvSemaphores::open(KEY, &plain()).unwrap();
            mine.wait(0, HANG).unwrap();
            mine.post(0).unwrap();
            for errno in [errno_of(mine.value(0)), errno_of(mine.values()), errno_of(mine.status()), errno_of(mine.waiters(0))] {
                assert_eq!(errno, Errno::EACCES);
            }
            assert_eq!(errno_of(mine.remove()), Errno::EPERM);
            assert_eq!(errno_of(mine.set_mode(0o666)), Errno::EACCES);
            assert_eq!(errno_of(SysvSemaphores::remove_key(KEY)), Errno::EPERM);
            assert_eq!(errno_of(SysvSemaphores::open(KEY + 1, &plain()).unwrap().post(0)), Errno::EACCES);
            drop(SysvSemaphores::create(KEY + 2, &SysvSemaphoresOptions { mode: 0o666, ..plain() }).unwrap());
            0
        });
        assert_eq!(child.wait(), 0);
        for error in [SysvSemaphores::open(KEY + 2, &plain()).unwrap_err(), SysvSemaphores::open_or_create(KEY + 2, &plain()).unwrap_err()]
        {
            assert!(error.is(Errno::EPERM) && error.to_string().contains("12345"), "{error}");
        }
        let theirs = SysvSemaphores::open(KEY + 2, &SysvSemaphoresOptions { any_owner: true, ..plain() }).unwrap();
        theirs.set_owner(Some(54321), Some(54321)).unwrap();
        let status = theirs.status().unwrap();
        assert_eq!((status.uid, status.gid, status.creator_uid), (54321, 54321, 12345));
        theirs.set_owner(None, Some(1)).unwrap();
        assert_eq!((theirs.status().unwrap().uid, theirs.status().unwrap().gid), (54321, 1));
        // The creator keeps an owner's rights, so its owner does not trust it.
        let child = Child::fork(|| {
            become_user(54321);
            assert_eq!(errno_of(SysvSemaphores::open(KEY + 2, &plain())), Errno::EPERM);
            SysvSemaphores::open(KEY + 2, &SysvSemaphoresOptions { any_owner: true, ..plain() }).unwrap().remove().unwrap();
            0
        });
        assert_eq!(child.wait(), 0);
    });
}

#[test]
fn temporary_goes_with_its_creator_alone() {
    in_own_namespace(|| {
        let set = SysvSemaphores::create(KEY, &temporary(&[1])).unwrap();
        drop(SysvSemaphores::open_or_create(KEY, &temporary(&[1])).unwrap());
        let mut kept = Some(set);
        let child = Child::fork(|| {
            let set = kept.take().unwrap();
            set.wait(0, Wait::NEVER).unwrap();
            drop(set);
            0
        });
        assert_eq!(child.wait(), 0);
        let set = kept.unwrap();
        assert_eq!(set.value(0).unwrap(), 0, "the handle works in the child, and goes there alone");
        SysvSemaphores::remove_key(KEY).unwrap();
        let theirs = SysvSemaphores::create(KEY, &of(&[2])).unwrap();
        drop(set);
        assert_eq!(theirs.value(0).unwrap(), 2);
        theirs.remove().unwrap();
        let left = Child::fork(|| {
            let set = SysvSemaphores::create(KEY, &temporary(&[6])).unwrap();
            set.post(0).unwrap();
            // SAFETY: ends this child at once, without its drops.
            unsafe { libc::raise(libc::SIGKILL) };
            0
        });
        assert_eq!(left.wait(), -libc::SIGKILL);
        let set = SysvSemaphores::open_or_create(KEY, &of(&[1])).unwrap();
        assert_eq!(set.value(0).unwrap(), 7, "what was left behind is taken up");
        set.remove().unwrap();
    });
}

#[test]
fn ipcs_and_ipcrm_know_the_sets() {
    in_own_namespace(|| {
        let set = SysvSemaphores::create(KEY, &SysvSemaphoresOptions { mode: 0o640, ..of(&[1, 2, 3]) }).unwrap();
        let listed = Command::new("ipcs").arg("-s").output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let line = listed.lines().find(|line| line.starts_with("0x47110815")).unwrap_or_else(|| panic!("{listed}"));
        let fields: Vec<&str> = line.split_whitespace().collect();
        assert_eq!((fields[1], fields[3], fields[4]), (&*set.id().to_string(), "640", "3"));
        let shown = Command::new("ipcs").args(["-s", "-i", &set.id().to_string()]).output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        let row = shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|row| row.first() == Some(&"2")).unwrap();
        assert_eq!(row[1], "3", "the third has three units: {shown}");
        assert!(set.status().unwrap().operated_at > 1_600_000_000, "who waits for sem_otime need not wait");
        assert!(Command::new("ipcrm").args(["-s", &set.id().to_string()]).status().unwrap().success());
        assert_eq!(errno_of(set.try_wait(0)), Errno::EIDRM);
        // ipcmk makes sets without values.
        let made = Command::new("ipcmk").args(["-S", "2", "-p", "600"]).output().unwrap();
        let id = String::from_utf8(made.stdout).unwrap().split_whitespace().last().unwrap().parse().unwrap();
        let set = SysvSemaphores::open_id(id, &of(&[0; 2])).unwrap();
        set.operate(&[give(0, 2), give(1, 1)], Wait::NEVER).unwrap();
        assert_eq!(set.values().unwrap(), [2, 1]);
        set.remove().unwrap();
    });
}
