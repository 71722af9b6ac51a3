//! System V shared memory between real processes, plain C and the system's tools among them.

mod support;

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use support::contained::{Names, contained, is_root, not_looked};
use support::process::{Child, kills};
use support::shared::SharedPages;
use support::waits::ends_in_every_way;
use unipc::memory::{Access, Memory, MemoryOptions};
use unipc::{Error, Failure};

const HANG: Duration = Duration::from_secs(20);
const STRANGER: u32 = 65534;

fn sized(size: usize) -> MemoryOptions<'static> {
    MemoryOptions::sized(size)
}

fn temporary(size: usize) -> MemoryOptions<'static> {
    MemoryOptions { temporary: true, ..sized(size) }
}

fn any() -> MemoryOptions<'static> {
    MemoryOptions::default()
}

fn read_only() -> MemoryOptions<'static> {
    MemoryOptions { access: Access::ReadOnly, ..any() }
}

fn as_stranger(work: impl FnOnce() -> i32) -> i32 {
    let child = Child::fork(|| {
        // SAFETY: these take integers; the child gives up its rights for good.
        unsafe {
            assert_eq!(libc::setgroups(0, std::ptr::null()), 0);
            assert_eq!(libc::setgid(STRANGER), 0);
            assert_eq!(libc::setuid(STRANGER), 0);
        }
        work()
    });
    child.wait()
}

fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output();
    let Ok(output) = output else {
        not_looked(&format!("there is no {program}"));
        return None;
    };
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn two_processes_share_a_segment() {
    contained(|names| {
        let key = names.key(1);
        let memory = Memory::create_sysv(key, &temporary(10_000)).unwrap();
        assert!(memory.was_created() && memory.size() == 10_000);
        assert_eq!(memory.load_u64(9992, Ordering::Relaxed).unwrap(), 0);
        let child = Child::fork(|| {
            let other = Memory::open_sysv(key, &sized(10_000)).unwrap();
            assert!(!other.was_created());
            other.write(4095, b"hello").unwrap();
            other.atomic_u32(0).unwrap().fetch_add(7, Ordering::Relaxed);
            let status = other.status_sysv().unwrap();
            // The child has inherited an attachment as well.
            i32::from(status.attached != 3 || status.last_pid != std::process::id() as i32)
        });
        let id = child.id();
        assert_eq!(child.wait(), 0);
        let mut bytes = [0; 5];
        memory.read(4095, &mut bytes).unwrap();
        assert_eq!(&bytes, b"hello");
        assert_eq!(memory.load_u32(0, Ordering::Relaxed).unwrap(), 7);
        let status = memory.status_sysv().unwrap();
        assert_eq!((status.key, status.size, status.attached, status.last_pid), (key, 10_000, 1, id));
        assert_eq!((status.creator_pid, status.mode, status.is_removed), (std::process::id() as i32, 0o600, false));
        assert_eq!((status.uid, status.creator_uid), (nix::unistd::getuid().as_raw(), nix::unistd::getuid().as_raw()));
        assert!(status.attached_at > 1_600_000_000 && status.detached_at >= status.attached_at - 1 && status.changed_at > 0);
        assert!(Memory::create_sysv(key, &sized(1)).unwrap_err().is(Errno::EEXIST));
        assert!(!Memory::open_or_create_sysv(key, &sized(1)).unwrap().was_created());
    });
}

#[test]
fn the_name_goes_at_once_and_the_pages_with_the_last() {
    contained(|names| {
        let key = names.key(1);
        let memory = Memory::create_sysv(key, &sized(100)).unwrap();
        let identifier = memory.status_sysv().unwrap().id;
        memory.write(0, b"kept").unwrap();
        Memory::remove_key_sysv(key).unwrap();
        assert!(memory.status_sysv().unwrap().is_removed);
        assert!(Memory::open_sysv(key, &any()).unwrap_err().is(Errno::ENOENT));
        assert!(Memory::remove_key_sysv(key).unwrap_err().is(Errno::ENOENT));
        let again = Memory::open_id_sysv(identifier, &any()).unwrap();
        drop(memory);
        let mut bytes = [0; 4];
        again.read(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"kept");
        again.remove_sysv().unwrap();
        drop(again);
        assert!(Memory::open_id_sysv(identifier, &any()).unwrap_err().is(Errno::EIDRM));
        assert!(names.segments().is_empty());
    });
}

#[test]
fn a_private_one_that_is_removed_at_birth_leaves_nothing_behind() {
    contained(|names| {
        let word = SharedPages::<AtomicU32>::zeroed();
        for _ in 0..20 {
            let mut creator = Child::fork(|| {
                let memory = Memory::create_private_sysv(&temporary(5000)).unwrap();
                let status = memory.status_sysv().unwrap();
                assert!(status.is_removed && status.key == 0);
                memory.write(0, b"private").unwrap();
                word.store(status.id as u32 + 1, Ordering::Release);
                std::thread::sleep(HANG);
                0
            });
            while word.load(Ordering::Acquire) == 0 {
                std::thread::yield_now();
            }
            let identifier = word.swap(0, Ordering::AcqRel) as i32 - 1;
            let memory = Memory::open_id_sysv(identifier, &any()).unwrap();
            creator.kill();
            let mut bytes = [0; 7];
            memory.read(0, &mut bytes).unwrap();
            assert_eq!(&bytes, b"private");
            drop(memory);
            assert!(Memory::open_id_sysv(identifier, &any()).unwrap_err().is(Errno::EIDRM));
        }
        assert!(names.segments().is_empty());
        let kept = Memory::create_private_sysv(&sized(1)).unwrap();
        assert!(!kept.status_sysv().unwrap().is_removed);
        kept.remove_sysv().unwrap();
    });
}

#[test]
fn temporary_goes_with_its_creator_alone() {
    contained(|names| {
        let key = names.key(1);
        let mut memory = Some(Memory::create_sysv(key, &temporary(1)).unwrap());
        drop(Memory::open_or_create_sysv(key, &temporary(1)).unwrap());
        let child = Child::fork(|| {
            drop(memory.take());
            0
        });
        assert_eq!(child.wait(), 0);
        let other = Memory::open_sysv(key, &any()).unwrap();
        drop(memory);
        assert!(Memory::open_sysv(key, &any()).unwrap_err().is(Errno::ENOENT));
        assert!(other.status_sysv().unwrap().is_removed);
    });
}

#[test]
fn plain_c_has_the_same_segments_both_ways() {
    contained(|names| {
        let memory = Memory::create_sysv(names.key(1), &MemoryOptions { mode: 0o640, ..temporary(77) }).unwrap();
        memory.write(0, b"from here").unwrap();
        // SAFETY: plain C calls; what is attached is detached before its address is forgotten.
        unsafe {
            let identifier = libc::shmget(names.key(1), 77, 0);
            assert_eq!(identifier, memory.status_sysv().unwrap().id);
            let address = libc::shmat(identifier, std::ptr::null(), 0).cast::<u8>();
            assert_eq!(std::slice::from_raw_parts(address, 9), b"from here");
            address.add(76).write(b'!');
            assert_eq!(libc::shmdt(address.cast()), 0);
        }
        let mut last = [0];
        memory.read(76, &mut last).unwrap();
        assert_eq!(&last, b"!");

        // SAFETY: as above.
        unsafe {
            let identifier = libc::shmget(names.key(2), 5000, libc::IPC_CREAT | libc::IPC_EXCL | 0o600);
            assert!(identifier >= 0);
            let address = libc::shmat(identifier, std::ptr::null(), 0).cast::<u8>();
            address.add(4990).copy_from(c"from there".as_ptr().cast(), 10);
            assert_eq!(libc::shmdt(address.cast()), 0);
        }
        let memory = Memory::open_or_create_sysv(names.key(2), &sized(4000)).unwrap();
        assert_eq!((memory.size(), memory.was_created()), (5000, false));
        let mut bytes = [0; 10];
        memory.read(4990, &mut bytes).unwrap();
        assert_eq!(&bytes, b"from there");
        let error = Memory::open_sysv(names.key(2), &sized(5001)).unwrap_err();
        assert!(error.is_failure(Failure::WrongSize) && error.to_string().contains("5000"), "{error}");
        Memory::remove_key_sysv(names.key(2)).unwrap();
    });
}

#[test]
fn the_tools_see_and_remove_it() {
    contained(|names| {
        let memory = Memory::create_sysv(names.key(1), &sized(4242)).unwrap();
        let status = memory.status_sysv().unwrap();
        let identifier = status.id.to_string();
        let Some(list) = run("ipcs", &["-m", "-i", &identifier]) else {
            return Memory::remove_key_sysv(names.key(1)).unwrap();
        };
        assert!(list.contains("bytes=4242") && list.contains("nattch=1") && list.contains("mode=0600"), "{list}");
        run("ipcrm", &["-m", &identifier]).unwrap();
        assert!(memory.status_sysv().unwrap().is_removed);
        assert!(Memory::open_sysv(names.key(1), &any()).unwrap_err().is(Errno::ENOENT));
        let Some(made) = run("ipcmk", &["-M", "3000", "-p", "0600"]) else { return };
        let identifier = made.trim().rsplit(' ').next().unwrap().parse().unwrap();
        let theirs = Memory::open_id_sysv(identifier, &any()).unwrap();
        assert_eq!(theirs.size(), 3000);
        theirs.remove_sysv().unwrap();
    });
}

#[test]
fn a_read_only_handle_reads_and_an_address_can_be_chosen() {
    contained(|names| {
        let key = names.key(1);
        let memory = Memory::create_sysv(key, &temporary(8192)).unwrap();
        memory.atomic_u32(4).unwrap().store(9, Ordering::Relaxed);
        let reader = Memory::open_sysv(key, &read_only()).unwrap();
        assert_eq!(reader.load_u32(4, Ordering::Relaxed).unwrap(), 9);
        assert!(reader.write(0, b"x").unwrap_err().is(Errno::EACCES));
        let violator = Child::fork(|| {
            // SAFETY: the very point: the page is attached for reading, and the store ends this child.
            unsafe { reader.mapping().as_ptr().write_volatile(1) };
            0
        });
        assert_eq!(violator.wait(), -libc::SIGSEGV);
        let address = 0x7_0000_0000;
        let there = Memory::open_sysv(key, &MemoryOptions { address, ..any() }).unwrap();
        assert_eq!(there.mapping().as_ptr().addr(), address);
        for address in [address, address + 1] {
            let error = Memory::open_sysv(key, &MemoryOptions { address, ..any() }).unwrap_err();
            assert!(error.is(Errno::EINVAL) && error.to_string().contains("0x70000000"), "{error}");
        }
        let copy = Memory::open_sysv(key, &MemoryOptions { access: Access::CopyOnWrite, ..any() }).unwrap_err();
        assert!(copy.is(Errno::EINVAL), "{copy}");
        let mut reader = reader;
        for error in [reader.resize(1).unwrap_err(), reader.refresh().unwrap_err(), reader.descriptor("look").unwrap_err()] {
            assert!(error.is(Errno::EOPNOTSUPP) || error.is(Errno::EACCES), "{error}");
        }
        let (reader, error) = *reader.into_descriptor().unwrap_err();
        assert!(error.is(Errno::EOPNOTSUPP));
        assert_eq!(reader.load_u32(4, Ordering::Relaxed).unwrap(), 9);
        assert!(Memory::anonymous(1).unwrap().status_sysv().unwrap_err().is(Errno::EOPNOTSUPP));
    });
}

#[test]
fn what_cannot_be_is_refused() {
    contained(|names| {
        let key = names.key(1);
        let errors = [
            Memory::create_sysv(0, &sized(1)).unwrap_err(),
            Memory::open_sysv(0, &any()).unwrap_err(),
            Memory::remove_key_sysv(0).unwrap_err(),
            Memory::create_sysv(key, &sized(0)).unwrap_err(),
            Memory::create_sysv(key, &sized(usize::MAX)).unwrap_err(),
            Memory::create_sysv(key, &MemoryOptions { mode: 0o4755, ..sized(1) }).unwrap_err(),
            Memory::create_sysv(key, &MemoryOptions { unpublished: true, ..sized(1) }).unwrap_err(),
            Memory::create_sysv(key, &MemoryOptions { access: Access::CopyOnWrite, ..sized(1) }).unwrap_err(),
            Memory::create_sysv(key, &MemoryOptions { group: Some("no-such-group-here".into()), ..sized(1) }).unwrap_err(),
            Memory::create_sysv(key, &MemoryOptions { address: 1, ..sized(1) }).unwrap_err(),
        ];
        for error in errors {
            assert!(error.is(Errno::EINVAL), "{error}");
        }
        assert!(Memory::create_sysv(key, &sized(1 << 50)).unwrap_err().is(Errno::ENOMEM));
        assert!(Memory::open_id_sysv(-1, &any()).unwrap_err().is(Errno::EIDRM));
        assert!(names.segments().is_empty());
    });
}

#[test]
fn the_segment_of_another_user_is_refused_unless_asked_for() {
    contained(|names| {
        if !is_root() {
            return;
        }
        let (key, open, private) = (names.key(1), names.key(2), names.key(3));
        let made = as_stranger(|| i32::from(Memory::create_sysv(key, &MemoryOptions { mode: 0o666, ..sized(10) }).is_err()));
        assert_eq!(made, 0);
        for error in [Memory::open_sysv(key, &any()).unwrap_err(), Memory::open_or_create_sysv(key, &sized(1)).unwrap_err()] {
            assert!(error.is(Errno::EPERM) && error.to_string().contains("65534"), "{error}");
        }
        drop(Memory::open_sysv(key, &MemoryOptions { any_owner: true, ..any() }).unwrap());
        Memory::remove_key_sysv(key).unwrap();

        let _open = Memory::create_sysv(open, &MemoryOptions { mode: 0o644, ..temporary(10) }).unwrap();
        let _private = Memory::create_sysv(private, &MemoryOptions { mode: 0o600, ..temporary(10) }).unwrap();
        let in_group = MemoryOptions { mode: 0o660, group: Some("4711".into()), ..temporary(10) };
        let grouped = Memory::create_sysv(names.key(4), &in_group).unwrap();
        let status = grouped.status_sysv().unwrap();
        assert_eq!((status.gid, status.creator_gid, status.mode), (4711, 0, 0o660));
        grouped.set_mode_sysv(0o604).unwrap();
        grouped.set_owner_sysv(Some(65534), None).unwrap();
        let status = grouped.status_sysv().unwrap();
        assert_eq!(
            (status.uid, status.gid, status.creator_uid, status.mode, status.id),
            (65534, 4711, 0, 0o604, grouped.id_sysv().unwrap())
        );
        assert!(grouped.set_mode_sysv(0o1000).unwrap_err().is(Errno::EINVAL));
        assert!(grouped.set_owner_sysv(Some(u32::MAX), None).unwrap_err().is(Errno::EINVAL));
        let error = Memory::open_sysv(names.key(4), &any()).unwrap_err();
        assert!(error.is(Errno::EPERM) && error.to_string().contains("65534"), "{error}");
        let status = as_stranger(|| {
            let error = Memory::open_sysv(private, &any()).unwrap_err();
            assert!(error.is(Errno::EACCES) && error.to_string().contains("user 0 and has mode 0o600"), "{error}");
            assert!(Memory::open_sysv(open, &any()).unwrap_err().is(Errno::EACCES));
            assert!(Memory::remove_key_sysv(open).unwrap_err().is(Errno::EPERM));
            assert!(Memory::open_sysv(open, &read_only()).unwrap().set_owner_sysv(Some(65534), None).unwrap_err().is(Errno::EPERM));
            let error = Memory::create_sysv(names.key(5), &MemoryOptions { group: Some("0".into()), ..sized(1) });
            // Who owns a segment may give it to any group: the kernel does not object.
            drop(error.map(|memory| memory.remove_sysv().unwrap()));
            i32::from(Memory::open_sysv(open, &read_only()).unwrap().size() != 10)
        });
        assert_eq!(status, 0);
    });
}

#[test]
fn of_thirty_who_open_or_create_one_creates() {
    contained(|names| {
        for round in 0..5 {
            let gate = SharedPages::<[AtomicU32; 2]>::zeroed();
            let children: Vec<Child> = (0..30)
                .map(|_| {
                    Child::fork(|| {
                        while gate[0].load(Ordering::Acquire) == 0 {
                            std::thread::yield_now();
                        }
                        let memory = Memory::open_or_create_sysv(names.key(1), &sized(300_000)).unwrap();
                        gate[1].fetch_add(u32::from(memory.was_created()), Ordering::Relaxed);
                        memory.atomic_u32(200_000).unwrap().fetch_add(1, Ordering::Relaxed);
                        0
                    })
                })
                .collect();
            gate[0].store(1, Ordering::Release);
            for child in children {
                assert_eq!(child.wait(), 0);
            }
            assert_eq!(gate[1].load(Ordering::Relaxed), 1, "round {round}");
            let memory = Memory::open_sysv(names.key(1), &any()).unwrap();
            assert_eq!(memory.load_u32(200_000, Ordering::Relaxed).unwrap(), 30);
            memory.remove_sysv().unwrap();
        }
    });
}

#[test]
fn waiting_for_a_creator_ends_in_every_way() {
    support::waits::prepare();
    contained(|names| {
        let patient = MemoryOptions { wait_for_creator: HANG.into(), ..any() };
        let creator = Child::fork(|| {
            std::thread::sleep(Duration::from_millis(20));
            i32::from(Memory::create_sysv(names.key(1), &sized(99)).is_err())
        });
        assert_eq!(Memory::open_sysv(names.key(1), &patient).unwrap().size(), 99);
        assert_eq!(creator.wait(), 0);
        Memory::remove_key_sysv(names.key(1)).unwrap();
        // The reason of a wait that has run out is what was waited for.
        let translate = |error: Error, wait_was_over: bool| match error.errno() {
            Some(Errno::ENOENT) if wait_was_over => Error::os("wait", Errno::ETIMEDOUT),
            Some(Errno::ENOENT) => Error::os("wait", Errno::EAGAIN),
            _ => error,
        };
        ends_in_every_way("open System V memory", |wait| {
            let start = std::time::Instant::now();
            let error = Memory::open_sysv(names.key(1), &MemoryOptions { wait_for_creator: wait, ..any() }).unwrap_err();
            translate(error, start.elapsed() > Duration::from_millis(10))
        });
    });
}

/// The limits of the kernel are met in an ipc namespace of one's own.
fn with_limits(work: impl FnOnce(&dyn Fn(&str, u64))) {
    let child = Child::fork(|| {
        // SAFETY: unshare takes an integer.
        if unsafe { libc::unshare(libc::CLONE_NEWIPC) } != 0 {
            not_looked("this system gives no ipc namespace");
            return 0;
        }
        work(&|name, value| std::fs::write(format!("/proc/sys/kernel/{name}"), value.to_string()).unwrap());
        0
    });
    assert_eq!(child.wait(), 0);
}

#[test]
fn the_limits_are_named_with_their_values() {
    contained(|names| {
        with_limits(|set| {
            set("shmmax", 10_000);
            assert_eq!(Memory::create_sysv(names.key(1), &temporary(9_999)).unwrap().size(), 9_999);
            assert_eq!(Memory::create_sysv(names.key(1), &temporary(10_000)).unwrap().size(), 10_000);
            let error = Memory::create_sysv(names.key(1), &temporary(10_001)).unwrap_err();
            assert!(error.is(Errno::EINVAL) && error.to_string().contains("kernel.shmmax allows 10000 bytes, 10001"), "{error}");

            set("shmmax", 1 << 30);
            set("shmall", 10);
            for size in [9 * 4096, 10 * 4096] {
                assert_eq!(Memory::create_sysv(names.key(1), &temporary(size)).unwrap().size(), size);
            }
            let error = Memory::create_sysv(names.key(1), &temporary(10 * 4096 + 1)).unwrap_err();
            assert!(error.is(Errno::ENOSPC) && error.to_string().contains("allows 10 pages, 0 are taken and 11 needed"), "{error}");

            set("shmall", 1 << 30);
            set("shmmni", 3);
            let all: Vec<Memory> = (1..=3).map(|number| Memory::create_sysv(names.key(number), &temporary(1)).unwrap()).collect();
            for error in
                [Memory::create_sysv(names.key(4), &temporary(1)).unwrap_err(), Memory::create_private_sysv(&temporary(1)).unwrap_err()]
            {
                assert!(error.is(Errno::ENOSPC) && error.to_string().contains("shmmni allows 3 segments, and there are 3"), "{error}");
            }
            drop(all);
            drop(Memory::create_sysv(names.key(4), &temporary(1)).unwrap());
            assert!(names.segments().is_empty());
        });
    });
}

/// Whatever moment the creator is killed at: no segment, or one of the right size and mode that works.
fn look_at_what_is_left(names: &Names, key: i32, counts: &mut [u32; 2]) {
    match Memory::open_sysv(key, &any()) {
        Err(error) => {
            assert!(error.is(Errno::ENOENT), "{error}");
            counts[0] += 1;
        }
        Ok(memory) => {
            let status = memory.status_sysv().unwrap();
            assert_eq!((status.size, status.mode), (200_000, 0o640));
            assert_eq!(memory.load_u64(199_992, Ordering::Relaxed).unwrap(), 0);
            memory.remove_sysv().unwrap();
            counts[1] += 1;
        }
    }
    assert!(names.segments().is_empty());
}

#[test]
fn a_creator_that_is_killed_at_random_leaves_nothing_half_made() {
    contained(|names| {
        let key = names.key(1);
        let mut counts = [0; 2];
        for round in 0..kills() {
            let mut creator = Child::fork(|| {
                loop {
                    let memory = Memory::create_sysv(key, &MemoryOptions { mode: 0o640, ..temporary(200_000) }).unwrap();
                    memory.atomic_u64(0).unwrap().store(1, Ordering::Relaxed);
                }
            });
            std::thread::sleep(Duration::from_micros(500 + round * 7919 % 2000));
            creator.kill();
            look_at_what_is_left(names, key, &mut counts);
        }
        assert!(counts[1] > 0, "{counts:?}");
    });
}
