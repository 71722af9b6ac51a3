//! Memory between real processes: names, kinds, owners, permissions, races, and what is left behind.

mod support;

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use support::contained::{LEFT_BEHIND, Names, contained, is_root, outcome};
use support::process::Child;
use support::shared::SharedPages;
use unipc::memory::{self, Access, Memory, MemoryOptions};
use unipc::{Error, Failure, Wait};

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);
/// A user that owns nothing here.
const STRANGER: u32 = 65534;

fn sized(size: usize) -> MemoryOptions<'static> {
    MemoryOptions::sized(size)
}

fn read_only() -> MemoryOptions<'static> {
    MemoryOptions { access: Access::ReadOnly, ..Default::default() }
}

fn bytes(memory: &Memory) -> Vec<u8> {
    let mut bytes = vec![0xAA; memory.size()];
    memory.read(0, &mut bytes).unwrap();
    bytes
}

fn open_error(name: &str) -> Error {
    Memory::open(name, &Default::default()).unwrap_err()
}

/// Runs `work` in a child, as the stranger; its answer is the exit status.
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

#[test]
fn what_is_left_behind_is_found() {
    let leak = |work: fn(&Names)| outcome(work, false);
    assert_eq!(leak(|_| {}), 0);
    assert_eq!(leak(|_| std::mem::forget(std::fs::File::open("/dev/null").unwrap())), LEFT_BEHIND);
    assert_eq!(leak(|_| std::mem::forget(Memory::anonymous(1).unwrap())), LEFT_BEHIND);
    assert_eq!(leak(|names| drop(Memory::create(&names.name("left"), &sized(1)).unwrap())), LEFT_BEHIND);
    assert_eq!(leak(|_| std::mem::forget(Child::fork(|| 0))), LEFT_BEHIND);
    assert_eq!(leak(|_| std::mem::forget(std::thread::spawn(|| std::thread::sleep(HANG)))), LEFT_BEHIND);
    assert_eq!(leak(|_| std::process::abort()), -libc::SIGABRT);
}

#[test]
fn two_processes_share_bytes_and_atomics() {
    contained(|names| {
        let name = names.name("shared");
        let memory = Memory::create(&name, &sized(10_000)).unwrap();
        assert!(memory.was_created());
        assert!(bytes(&memory).iter().all(|byte| *byte == 0));
        memory.write(4099, b"hello").unwrap();
        let child = Child::fork(|| {
            let other = Memory::open(&format!("/{name}"), &sized(10_000)).unwrap();
            assert!(!other.was_created());
            assert_eq!(other.size(), 10_000);
            assert_eq!(&bytes(&other)[4098..4105], b"\0hello\0");
            for _ in 0..10_000 {
                other.atomic_u64(16).unwrap().fetch_add(1, Ordering::Relaxed);
                other.atomic_i32(24).unwrap().fetch_sub(1, Ordering::Relaxed);
            }
            other.write(9_995, b"child").unwrap();
            0
        });
        for _ in 0..10_000 {
            memory.atomic_u64(16).unwrap().fetch_add(1, Ordering::Relaxed);
            memory.atomic_i32(24).unwrap().fetch_sub(1, Ordering::Relaxed);
        }
        assert_eq!(child.wait(), 0);
        assert_eq!(memory.load_u64(16, Ordering::Acquire).unwrap(), 20_000);
        assert_eq!(memory.load_u32(24, Ordering::Acquire).unwrap() as i32, -20_000);
        assert_eq!(&bytes(&memory)[9_995..], b"child");
        Memory::unlink(&name).unwrap();
        assert!(Memory::unlink(&name).unwrap_err().is(Errno::ENOENT));
        assert_eq!(&bytes(&memory)[9_995..], b"child");
    });
}

#[test]
fn plain_shm_open_has_the_same_objects_both_ways() {
    contained(|names| {
        let name = names.name("plain");
        let slashed = CString::new(format!("/{name}")).unwrap();
        let memory = Memory::create(&name, &MemoryOptions { mode: 0o640, ..sized(77) }).unwrap();
        memory.write(0, b"from here").unwrap();
        // SAFETY: plain C calls with valid strings and places; the mapping is unmapped before its address is forgotten.
        unsafe {
            let raw = libc::shm_open(slashed.as_ptr(), libc::O_RDWR, 0);
            assert!(raw >= 0);
            let file = std::fs::File::from_raw_fd(raw);
            assert_eq!(file.metadata().unwrap().len(), 77);
            assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o640);
            let address = libc::mmap(std::ptr::null_mut(), 77, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, raw, 0);
            assert_ne!(address, libc::MAP_FAILED);
            assert_eq!(std::slice::from_raw_parts(address.cast::<u8>(), 9), b"from here");
            address.cast::<u8>().add(76).write(b'!');
            libc::munmap(address, 77);
            assert_eq!(libc::shm_unlink(slashed.as_ptr()), 0);
        }
        assert_eq!(bytes(&memory)[76], b'!');
        assert!(open_error(&name).is(Errno::ENOENT));

        // SAFETY: as above.
        unsafe {
            let raw = libc::shm_open(slashed.as_ptr(), libc::O_RDWR | libc::O_CREAT | libc::O_EXCL, 0o600);
            assert!(raw >= 0);
            let file = OwnedFd::from_raw_fd(raw);
            assert_eq!(libc::ftruncate(raw, 5000), 0);
            assert_eq!(libc::pwrite(file.as_raw_fd(), c"from there".as_ptr().cast(), 10, 4990), 10);
        }
        let memory = Memory::open_or_create(&name, &sized(4000)).unwrap();
        assert!(!memory.was_created());
        assert_eq!(memory.size(), 5000);
        assert_eq!(&bytes(&memory)[4990..], b"from there");
        Memory::unlink(&name).unwrap();
    });
}

#[test]
fn bad_names_are_refused_by_every_function() {
    contained(|_| {
        let long = "x".repeat(256);
        let cases = [("", Errno::EINVAL), ("/", Errno::EINVAL), (".", Errno::EINVAL), ("..", Errno::EINVAL), ("/..", Errno::EINVAL)];
        let more = [("a/b", Errno::EINVAL), ("//a", Errno::EINVAL), ("a/", Errno::EINVAL), ("a\0b", Errno::EINVAL)];
        for (name, errno) in cases.into_iter().chain(more).chain([(long.as_str(), Errno::ENAMETOOLONG)]) {
            let errors = [
                Memory::create(name, &sized(1)).unwrap_err(),
                open_error(name),
                Memory::open_or_create(name, &sized(1)).unwrap_err(),
                Memory::unlink(name).unwrap_err(),
                Memory::create(name, &MemoryOptions { unpublished: true, ..sized(1) }).unwrap_err(),
            ];
            for error in errors {
                assert!(error.is(errno), "{name:?}: {error}");
                assert_eq!(error.object(), Some(name));
            }
        }
        assert!(open_error(&long).to_string().contains("limit is 255"));
    });
}

#[test]
fn the_longest_name_works() {
    contained(|names| {
        let name = names.name(&"n".repeat(255 - names.name("").len()));
        let memory = Memory::create(&name, &sized(1)).unwrap();
        drop(Memory::open(&format!("/{name}"), &Default::default()).unwrap());
        drop(memory);
        Memory::unlink(&name).unwrap();
    });
}

#[test]
fn sizes_are_logical_and_every_access_is_checked() {
    contained(|names| {
        let name = names.name("small");
        let memory = Memory::create(&name, &sized(10)).unwrap();
        assert_eq!((memory.size(), memory.mapping().len()), (10, 10));
        assert_eq!(Memory::open(&name, &Default::default()).unwrap().size(), 10);
        memory.write(10, &[]).unwrap();
        memory.read(0, &mut [0; 10]).unwrap();
        let beyond = [(0, 11), (10, 1), (11, 0), (usize::MAX, 1), (usize::MAX, 0), (2, usize::MAX >> 40), (1, 10)];
        for (offset, length) in beyond {
            assert!(memory.read(offset, &mut vec![0; length]).unwrap_err().is(Errno::EINVAL), "{offset} {length}");
            assert!(memory.write(offset, &vec![0; length]).unwrap_err().is(Errno::EINVAL), "{offset} {length}");
        }
        for offset in [1, 2, 3, 8, 12, usize::MAX - 3, usize::MAX] {
            assert!(memory.atomic_u32(offset).unwrap_err().is(Errno::EINVAL), "{offset}");
            assert!(memory.atomic_i32(offset).unwrap_err().is(Errno::EINVAL), "{offset}");
            assert!(memory.atomic_u64(offset).unwrap_err().is(Errno::EINVAL), "{offset}");
            assert!(memory.atomic_i64(offset).unwrap_err().is(Errno::EINVAL), "{offset}");
            assert!(memory.load_u64(offset, Ordering::Relaxed).unwrap_err().is(Errno::EINVAL), "{offset}");
        }
        assert!(memory.atomic_u64(4).unwrap_err().is(Errno::EINVAL));
        assert!(memory.atomic_u32(4).is_ok() && memory.atomic_u64(0).is_ok());
        Memory::unlink(&name).unwrap();
    });
}

#[test]
fn an_object_of_the_wrong_size_is_told_with_both_sizes() {
    contained(|names| {
        let name = names.name("wrong-size");
        let memory = Memory::create(&name, &sized(100)).unwrap();
        for error in [Memory::open(&name, &sized(101)).unwrap_err(), Memory::open_or_create(&name, &sized(101)).unwrap_err()] {
            assert!(error.is_failure(Failure::WrongSize));
            assert!(error.to_string().contains("100") && error.to_string().contains("101"), "{error}");
        }
        assert_eq!(Memory::open(&name, &sized(100)).unwrap().size(), 100);
        assert_eq!(memory.size(), 100);
        Memory::unlink(&name).unwrap();
        std::fs::File::create(names.path("wrong-size")).unwrap();
        let error = open_error(&name);
        assert!(error.is_failure(Failure::WrongSize) && error.to_string().contains("not given it a size"), "{error}");
        assert!(Memory::open_or_create(&name, &sized(1)).unwrap_err().is_failure(Failure::WrongSize));
        Memory::unlink(&name).unwrap();
    });
}

#[test]
fn what_somebody_planted_under_the_name_is_refused_and_left_alone() {
    contained(|names| {
        let (name, path) = (names.name("planted"), names.path("planted"));
        let refused = |expected: &dyn Fn(&Error) -> bool| {
            for error in
                [open_error(&name), Memory::open(&name, &read_only()).unwrap_err(), Memory::open_or_create(&name, &sized(1)).unwrap_err()]
            {
                assert!(expected(&error), "{error}");
            }
            assert!(Memory::create(&name, &sized(1)).unwrap_err().is(Errno::EEXIST));
        };
        std::fs::write(names.path("target"), "precious").unwrap();
        std::os::unix::fs::symlink(names.path("target"), &path).unwrap();
        refused(&|error| error.is(Errno::ELOOP) && error.to_string().contains("link"));
        Memory::unlink(&name).unwrap();
        assert_eq!(std::fs::read(names.path("target")).unwrap(), b"precious");
        std::fs::remove_file(names.path("target")).unwrap();

        std::os::unix::fs::symlink("/dev/shm/nowhere/at-all", &path).unwrap();
        refused(&|error| error.is(Errno::ELOOP));
        std::fs::remove_file(&path).unwrap();

        std::fs::create_dir(&path).unwrap();
        refused(&|error| error.is_failure(Failure::WrongKind) && error.to_string().contains("a directory"));
        assert!(Memory::unlink(&name).is_err());
        std::fs::remove_dir(&path).unwrap();

        nix::unistd::mkfifo(path.as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        refused(&|error| error.is_failure(Failure::WrongKind) && error.to_string().contains("a FIFO"));
        std::fs::remove_file(&path).unwrap();

        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        refused(&|error| error.is_failure(Failure::WrongKind) && error.to_string().contains("a socket"));
        std::fs::remove_file(&path).unwrap();
    });
}

#[test]
fn the_object_of_another_user_is_refused_unless_asked_for() {
    contained(|names| {
        if !is_root() {
            return;
        }
        let name = names.name("foreign");
        std::fs::write(names.path("foreign"), "theirs").unwrap();
        std::os::unix::fs::chown(names.path("foreign"), Some(STRANGER), Some(STRANGER)).unwrap();
        for error in [open_error(&name), Memory::open_or_create(&name, &sized(1)).unwrap_err()] {
            assert!(error.is(Errno::EPERM) && error.to_string().contains("65534"), "{error}");
        }
        let memory = Memory::open(&name, &MemoryOptions { any_owner: true, ..Default::default() }).unwrap();
        assert_eq!(bytes(&memory), b"theirs");
        // Root's objects are trusted by all, as far as their mode lets them.
        let private = names.name("private");
        let public = names.name("public");
        let _private = Memory::create(&private, &MemoryOptions { temporary: true, ..sized(1) }).unwrap();
        let _public = Memory::create(&public, &MemoryOptions { temporary: true, mode: 0o644, ..sized(1) }).unwrap();
        let status = as_stranger(|| {
            let error = open_error(&private);
            assert!(error.is(Errno::EACCES) && error.to_string().contains("0o600"), "{error}");
            assert!(open_error(&public).is(Errno::EACCES));
            assert!(Memory::unlink(&public).is_err());
            let memory = Memory::open(&public, &read_only()).unwrap();
            i32::from(memory.size() != 1)
        });
        assert_eq!(status, 0);
        Memory::unlink(&name).unwrap();
    });
}

#[test]
fn the_mode_is_exact_whatever_the_umask() {
    contained(|names| {
        let created = |mode: u32| {
            let memory = Memory::create(&names.name("mode"), &MemoryOptions { mode, temporary: true, ..sized(1) }).unwrap();
            let found = std::fs::metadata(names.path("mode")).unwrap().mode() & 0o7777;
            drop(memory);
            found
        };
        for umask in [0o077, 0o777, 0] {
            // SAFETY: umask takes an integer; this process belongs to the test.
            unsafe { libc::umask(umask) };
            for mode in [0o600, 0o666, 0o640, 0o400, 0o777] {
                assert_eq!(created(mode), mode, "umask {umask:o}");
            }
            assert_eq!(created(0), 0o600, "umask {umask:o}");
        }
        let odd = MemoryOptions { mode: 0o4755, ..sized(1) };
        assert!(Memory::create(&names.name("mode"), &odd).unwrap_err().is(Errno::EINVAL));
    });
}

#[test]
fn the_group_is_set_or_the_object_is_not_made() {
    contained(|names| {
        if !is_root() {
            return;
        }
        let in_group = |group: &str| MemoryOptions { group: Some(group.to_owned()), mode: 0o660, temporary: true, ..sized(1) };
        let name = names.name("group");
        let memory = Memory::create(&name, &in_group("4711")).unwrap();
        let status = std::fs::metadata(names.path("group")).unwrap();
        assert_eq!((status.gid(), status.mode() & 0o7777), (4711, 0o660));
        drop(memory);
        assert!(Memory::create(&name, &in_group("no-such-group-here")).unwrap_err().is(Errno::EINVAL));
        let status = as_stranger(|| {
            let error = Memory::create(&name, &in_group("0")).unwrap_err();
            assert!(error.is(Errno::EPERM) && error.to_string().contains("group 0"), "{error}");
            i32::from(!names.present().is_empty())
        });
        assert_eq!(status, 0);
    });
}

#[test]
fn of_fifty_who_open_or_create_one_creates() {
    contained(|names| {
        struct Gate {
            open: AtomicU32,
            created: AtomicU32,
        }
        for round in 0..5 {
            let name = names.name("race");
            let gate = SharedPages::<Gate>::zeroed();
            let children: Vec<Child> = (0..50)
                .map(|_| {
                    Child::fork(|| {
                        while gate.open.load(Ordering::Acquire) == 0 {
                            std::thread::yield_now();
                        }
                        let memory = Memory::open_or_create(&name, &sized(3 << 20)).unwrap();
                        gate.created.fetch_add(u32::from(memory.was_created()), Ordering::Relaxed);
                        memory.atomic_u32(3 << 19).unwrap().fetch_add(1, Ordering::Relaxed);
                        i32::from(memory.size() != 3 << 20)
                    })
                })
                .collect();
            gate.open.store(1, Ordering::Release);
            for child in children {
                assert_eq!(child.wait(), 0);
            }
            assert_eq!(gate.created.load(Ordering::Relaxed), 1, "round {round}");
            let memory = Memory::open(&name, &Default::default()).unwrap();
            assert_eq!(memory.load_u32(3 << 19, Ordering::Relaxed).unwrap(), 50);
            Memory::unlink(&name).unwrap();
        }
    });
}

#[test]
fn an_opener_never_sees_what_is_not_filled() {
    contained(|names| {
        const SIZE: usize = 64 << 10;
        let name = names.name("publish");
        let patient = MemoryOptions { wait_for_creator: HANG.into(), ..Default::default() };
        for round in 0..100u8 {
            let opener = Child::fork(|| {
                let memory = loop {
                    match Memory::open(&name, &Default::default()) {
                        Err(error) if error.is(Errno::ENOENT) => std::thread::yield_now(),
                        other => break other.unwrap(),
                    }
                };
                i32::from(bytes(&memory) != vec![round + 1; SIZE])
            });
            let patient_opener = Child::fork(|| {
                let memory = Memory::open(&name, &patient).unwrap();
                i32::from(bytes(&memory) != vec![round + 1; SIZE])
            });
            let mut memory = Memory::create(&name, &MemoryOptions { unpublished: true, temporary: true, ..sized(SIZE) }).unwrap();
            assert!(open_error(&name).is(Errno::ENOENT));
            memory.write(0, &vec![round + 1; SIZE]).unwrap();
            memory.publish().unwrap();
            assert_eq!(opener.wait(), 0);
            assert_eq!(patient_opener.wait(), 0);
            assert!(memory.publish().unwrap_err().is(Errno::EINVAL));
        }
    });
}

#[test]
fn a_draft_can_wait_for_its_name_or_be_thrown_away() {
    contained(|names| {
        let name = names.name("draft");
        let draft = MemoryOptions { unpublished: true, ..sized(100) };
        drop(Memory::create(&name, &draft).unwrap());
        assert!(names.present().is_empty());
        let mut second = Memory::create(&name, &draft).unwrap();
        second.write(0, b"second").unwrap();
        let first = Memory::create(&name, &sized(1)).unwrap();
        assert!(second.publish().unwrap_err().is(Errno::EEXIST));
        Memory::unlink(&name).unwrap();
        second.resize(5000).unwrap();
        second.publish().unwrap();
        let opened = Memory::open(&name, &sized(5000)).unwrap();
        assert_eq!(&bytes(&opened)[..7], b"second\0");
        assert_eq!(first.size(), 1);
        Memory::unlink(&name).unwrap();
    });
}

#[test]
fn temporary_goes_with_its_creator_alone() {
    contained(|names| {
        let temporary = MemoryOptions { temporary: true, ..sized(1) };
        let name = names.name("temporary");
        let memory = Memory::create(&name, &temporary).unwrap();
        let opened = Memory::open_or_create(&name, &temporary).unwrap();
        assert!(!opened.was_created());
        drop(opened);
        assert_eq!(names.present().len(), 1, "an opener has removed the name");
        let memory = {
            let mut kept = Some(memory);
            let child = Child::fork(|| {
                drop(kept.take());
                0
            });
            assert_eq!(child.wait(), 0);
            kept
        };
        assert_eq!(names.present().len(), 1, "a child has removed the name");
        drop(memory);
        assert!(names.present().is_empty());

        // Somebody has taken the name meanwhile: it is theirs.
        let memory = Memory::create(&name, &temporary).unwrap();
        Memory::unlink(&name).unwrap();
        let theirs = Memory::create(&name, &sized(1)).unwrap();
        drop(memory);
        assert_eq!(names.present().len(), 1);
        drop(theirs);
        Memory::unlink(&name).unwrap();

        let memory = Memory::create(&name, &temporary).unwrap();
        let descriptor = memory.into_descriptor().map_err(|refused| refused.1).unwrap();
        assert_eq!(names.present().len(), 1, "who gives the descriptor away keeps the name");
        drop(descriptor);
        Memory::unlink(&name).unwrap();
    });
}

#[test]
fn waiting_for_a_creator_means_name_and_size() {
    contained(|names| {
        let (name, path) = (names.name("late"), names.path("late"));
        let soon = MemoryOptions { wait_for_creator: Duration::from_millis(20).into(), ..Default::default() };
        let patient = MemoryOptions { wait_for_creator: HANG.into(), ..sized(4096) };
        let start = Instant::now();
        assert!(Memory::open(&name, &soon).unwrap_err().is(Errno::ENOENT));
        assert!(start.elapsed() >= Duration::from_millis(20));

        let gate = SharedPages::<AtomicU32>::zeroed();
        let creator = Child::fork(|| {
            let wait_for = |value| {
                while gate.load(Ordering::Acquire) < value {
                    std::thread::yield_now();
                }
            };
            wait_for(1);
            let file = std::fs::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
            gate.store(2, Ordering::Release);
            wait_for(3);
            file.set_len(4095).unwrap();
            file.set_len(4096).unwrap();
            0
        });
        gate.store(1, Ordering::Release);
        while gate.load(Ordering::Acquire) != 2 {
            std::thread::yield_now();
        }
        // The name is there, the size is not.
        assert!(open_error(&name).is_failure(Failure::WrongSize));
        assert!(Memory::open(&name, &soon).unwrap_err().is_failure(Failure::WrongSize));
        gate.store(3, Ordering::Release);
        let memory = Memory::open_or_create(&name, &patient).unwrap();
        assert_eq!((memory.size(), memory.was_created()), (4096, false));
        assert_eq!(creator.wait(), 0);
        Memory::unlink(&name).unwrap();

        // Whoever waits for the size of an object that is taken away makes one.
        std::fs::File::create(&path).unwrap();
        let remover = Child::fork(|| i32::from(Memory::unlink(&name).is_err()));
        let memory = Memory::open_or_create(&name, &patient).unwrap();
        assert_eq!((memory.size(), memory.was_created()), (4096, true));
        assert_eq!(remover.wait(), 0);
        Memory::unlink(&name).unwrap();
    });
}

#[test]
fn a_read_only_handle_reads() {
    contained(|names| {
        let name = names.name("read-only");
        let memory = Memory::create(&name, &MemoryOptions { temporary: true, ..sized(64) }).unwrap();
        memory.atomic_u32(8).unwrap().store(77, Ordering::Relaxed);
        let mut reader = Memory::open(&name, &read_only()).unwrap();
        assert_eq!(reader.load_u32(8, Ordering::Acquire).unwrap(), 77);
        assert_eq!(reader.load_u64(8, Ordering::SeqCst).unwrap(), 77);
        assert_eq!(bytes(&reader)[8], 77);
        assert!(reader.write(0, b"x").unwrap_err().is(Errno::EACCES));
        assert!(reader.atomic_u32(8).unwrap_err().is(Errno::EACCES));
        assert!(reader.atomic_i64(8).unwrap_err().is(Errno::EACCES));
        assert!(reader.resize(128).unwrap_err().is(Errno::EACCES));
        reader.refresh().unwrap();
        let violator = Child::fork(|| {
            // SAFETY: the very point: the page is mapped for reading, and the store ends this child.
            unsafe { reader.mapping().as_ptr().write_volatile(1) };
            0
        });
        assert_eq!(violator.wait(), -libc::SIGSEGV);
    });
}

#[test]
fn copies_that_race_mix_whole_words() {
    contained(|_| {
        const SIZE: usize = 4096;
        let memory = Memory::anonymous(SIZE + 8).unwrap();
        let writer = Child::fork(|| {
            for round in 0.. {
                memory.write(0, &[round as u8; SIZE]).unwrap();
                if memory.load_u32(SIZE, Ordering::Relaxed).unwrap() != 0 {
                    break;
                }
            }
            0
        });
        let mut copy = [0; SIZE];
        for _ in 0..20_000 {
            memory.read(0, &mut copy).unwrap();
            assert!(copy.chunks(8).all(|word| word.iter().all(|byte| *byte == word[0])));
        }
        memory.atomic_u32(SIZE).unwrap().store(1, Ordering::Relaxed);
        assert_eq!(writer.wait(), 0);
    });
}

#[test]
fn anonymous_memory_is_shared_with_children() {
    contained(|_| {
        let mut memory = Memory::anonymous(100).unwrap();
        let child = Child::fork(|| {
            memory.write(90, b"from child").unwrap();
            0
        });
        assert_eq!(child.wait(), 0);
        assert_eq!(&bytes(&memory)[90..], b"from child");
        assert!(memory.resize(200).unwrap_err().is(Errno::EOPNOTSUPP));
        assert!(memory.refresh().unwrap_err().is(Errno::EOPNOTSUPP));
        assert!(memory.publish().unwrap_err().is(Errno::EINVAL));
        assert!(memory.descriptor("look").unwrap_err().is(Errno::EOPNOTSUPP));
        let (memory, error) = *memory.into_descriptor().unwrap_err();
        assert!(error.is(Errno::EOPNOTSUPP));
        assert_eq!(&bytes(&memory)[90..], b"from child");
    });
}

unipc::shareable! {
    /// What the typed tests share.
    struct Counter { lock: unipc::sync::Mutex, value: AtomicI64, seen: [AtomicU32; 4] }
}

#[test]
fn a_type_in_memory_is_used_by_several_processes() {
    contained(|names| {
        let name = names.name("counter");
        let count = |index: usize| {
            let counter = memory::open_or_create::<Counter>(&name).unwrap();
            for _ in 0..1000 {
                let guard = counter.lock.lock(HANG).unwrap();
                let value = counter.value.load(Ordering::Relaxed);
                counter.value.store(value + 1, Ordering::Relaxed);
                drop(guard);
            }
            counter.seen[index].store(1, Ordering::Relaxed);
            0
        };
        let children: Vec<Child> = (0..4).map(|index| Child::fork(move || count(index))).collect();
        for child in children {
            assert_eq!(child.wait(), 0);
        }
        assert!(memory::create::<Counter>(&name).unwrap_err().is(Errno::EEXIST));
        let counter = memory::open::<Counter>(&name).unwrap();
        assert_eq!(counter.value.load(Ordering::Relaxed), 4000);
        assert!(counter.seen.iter().all(|seen| seen.load(Ordering::Relaxed) == 1));
        assert!(!counter.memory().was_created());
        assert!(counter.lock.lock(Wait::NEVER).is_ok());
        assert!(memory::open::<[Counter; 2]>(&name).unwrap_err().is_failure(Failure::WrongSize));
        Memory::unlink(&name).unwrap();
        let alone = memory::anonymous::<Counter>().unwrap();
        assert_eq!(alone.value.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn a_descriptor_from_elsewhere_is_mapped_or_given_back() {
    contained(|_| {
        let make = |flags| {
            // SAFETY: the name is a literal; the descriptor that comes is ours.
            let raw = unsafe { libc::memfd_create(c"elsewhere".as_ptr(), libc::MFD_CLOEXEC | flags) };
            assert!(raw >= 0);
            // SAFETY: as above.
            std::fs::File::from(unsafe { OwnedFd::from_raw_fd(raw) })
        };
        let file = make(0);
        let (descriptor, error) = Memory::from_descriptor(OwnedFd::from(file), &Default::default()).unwrap_err();
        assert!(error.is_failure(Failure::WrongSize), "{error}");
        let file = std::fs::File::from(descriptor);
        file.set_len(4000).unwrap();
        let (descriptor, error) = Memory::from_descriptor(file.into(), &sized(4001)).unwrap_err();
        assert!(error.is_failure(Failure::WrongSize), "{error}");
        let mut memory = Memory::from_descriptor(descriptor, &sized(4000)).map_err(|refused| refused.1).unwrap();
        assert!(!memory.was_created());
        memory.write(3999, b"!").unwrap();
        memory.resize(6000).unwrap();
        assert_eq!(bytes(&memory)[3999], b'!');
        let released = memory.into_descriptor().map_err(|refused| refused.1).unwrap();
        assert_eq!(std::fs::File::from(released).metadata().unwrap().len(), 6000);

        let (pipe, _writer) = nix::unistd::pipe().unwrap();
        let (_pipe, error) = Memory::from_descriptor(pipe, &Default::default()).unwrap_err();
        assert!(error.is_failure(Failure::WrongKind), "{error}");

        let sealed = make(libc::MFD_ALLOW_SEALING);
        sealed.set_len(100).unwrap();
        let seals = libc::F_SEAL_GROW | libc::F_SEAL_SHRINK;
        // SAFETY: F_ADD_SEALS takes an integer.
        assert_eq!(unsafe { libc::fcntl(sealed.as_fd().as_raw_fd(), libc::F_ADD_SEALS, seals) }, 0);
        let mut memory = Memory::from_descriptor(sealed.into(), &Default::default()).map_err(|refused| refused.1).unwrap();
        for size in [50, 200] {
            assert!(memory.resize(size).unwrap_err().is(Errno::EPERM));
        }
        assert_eq!(memory.size(), 100);
        memory.resize(100).unwrap();
    });
}

#[test]
fn what_nobody_holds_can_be_given_back() {
    contained(|names| {
        let name = names.name("growing");
        let mut memory = Memory::create(&name, &MemoryOptions { temporary: true, ..sized(4096) }).unwrap();
        let held = Arc::clone(memory.mapping());
        // The draft's name is the inode's, so it is counted by that.
        let inode = std::fs::metadata(format!("/dev/shm/{name}")).unwrap().ino().to_string();
        let is_ours = |line: &&str| line.split_whitespace().nth(4) == Some(&inode);
        let count = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().filter(is_ours).count();
        for pages in 2..10 {
            memory.resize(4096 * pages).unwrap();
        }
        assert_eq!(count(), 9);
        memory.release_earlier();
        assert_eq!(count(), 2);
        assert_eq!(held.len(), 4096);
        drop(held);
        memory.release_earlier();
        assert_eq!(count(), 1);
    });
}
