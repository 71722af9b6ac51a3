//! Files as memory: names, ranges, the way to the disk, peers that shorten them, full disks, creators that are killed.

mod support;

use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use support::contained::{contained, is_root, mount_memory, own_mounts};
use support::process::{Child, kills};
use support::shared::SharedPages;
use unipc::memory::{Access, Advice, Flush, Memory, MemoryOptions};
use unipc::{Error, Failure};
use unipc_tests::TemporaryDirectory;

fn sized(size: usize) -> MemoryOptions<'static> {
    MemoryOptions::sized(size)
}

fn any() -> MemoryOptions<'static> {
    MemoryOptions::default()
}

fn with(access: Access) -> MemoryOptions<'static> {
    MemoryOptions { access, ..any() }
}

/// A test in a directory of its own.
fn in_directory(work: impl FnOnce(&dyn Fn(&str) -> String)) {
    contained(|_| {
        let directory = TemporaryDirectory::new();
        work(&|name| directory.path().join(name).to_str().unwrap().to_owned());
    });
}

fn text(memory: &Memory, offset: usize, length: usize) -> String {
    let mut bytes = vec![0; length];
    memory.read(offset, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn two_processes_and_plain_reads_see_the_same_bytes() {
    in_directory(|path| {
        let file = path("shared");
        let memory = Memory::create_file(&file, &MemoryOptions { mode: 0o640, ..sized(10_000) }).unwrap();
        assert!(memory.was_created());
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
        assert!(std::fs::metadata(&file).unwrap().blocks() * 512 >= 10_000, "the room is not reserved");
        let child = Child::fork(|| {
            let other = Memory::open_file(&file, &sized(10_000)).unwrap();
            other.write(4090, b"from child").unwrap();
            other.atomic_u32(0).unwrap().fetch_add(5, Ordering::Relaxed);
            other.flush(0, 0, Flush::default()).unwrap();
            i32::from(other.was_created())
        });
        assert_eq!(child.wait(), 0);
        assert_eq!(text(&memory, 4090, 10), "from child");
        assert_eq!(memory.load_u32(0, Ordering::Relaxed).unwrap(), 5);
        assert_eq!(&std::fs::read(&file).unwrap()[4090..4100], b"from child");
        // Written by plain C, seen here; written through the address, read there.
        std::fs::File::options().write(true).open(&file).unwrap().write_all_at(b"plain", 9_000).unwrap();
        assert_eq!(text(&memory, 9_000, 5), "plain");
        assert!(Memory::create_file(&file, &sized(1)).unwrap_err().is(Errno::EEXIST));
        assert!(!Memory::open_or_create_file(&file, &sized(1)).unwrap().was_created());
        assert!(Memory::open_or_create_file(&path("fresh"), &sized(1)).unwrap().was_created());
    });
}

#[test]
fn ranges_begin_at_pages_and_lie_within_the_file() {
    in_directory(|path| {
        let file = path("range");
        let content: Vec<u8> = (0..20_000u32).map(|index| (index / 100) as u8).collect();
        std::fs::write(&file, &content).unwrap();
        let range = |offset, length| MemoryOptions { offset, length, ..any() };
        for (offset, length, size) in [(0, 0, 20_000), (4096, 0, 15_904), (4096, 100, 100), (16_384, 3616, 3616), (0, 1, 1)] {
            let mut memory = Memory::open_file(&file, &range(offset, length)).unwrap();
            assert_eq!(memory.size(), size);
            let mut bytes = vec![0; size];
            memory.read(0, &mut bytes).unwrap();
            assert_eq!(bytes, content[offset as usize..][..size]);
            // SAFETY: nobody writes or shrinks meanwhile.
            assert_eq!(unsafe { memory.view() }, bytes);
            memory.refresh().unwrap();
            assert_eq!(memory.size(), size);
            if offset != 0 {
                assert!(memory.resize(size + 1).unwrap_err().is(Errno::EINVAL));
            }
            memory.write(0, &bytes[..1]).unwrap();
            memory.flush(0, 0, Flush::default()).unwrap();
        }
        assert_eq!(std::fs::read(&file).unwrap(), content);
        for offset in [1, 4095, 4097] {
            let error = Memory::open_file(&file, &range(offset, 1)).unwrap_err();
            assert!(error.is(Errno::EINVAL) && error.to_string().contains("page size, 4096"), "{error}");
        }
        for (offset, length) in [(20_480, 0), (16_384, 3617), (0, 20_001), (u64::MAX - 4095, 1)] {
            let error = Memory::open_file(&file, &range(offset, length)).unwrap_err();
            assert!(error.is_failure(Failure::WrongSize) && error.to_string().contains("20000"), "{error}");
        }
    });
}

#[test]
fn it_grows_and_shrinks_and_others_follow() {
    in_directory(|path| {
        let file = path("grow");
        let mut memory = Memory::create_file(&file, &sized(100)).unwrap();
        let mut other = Memory::open_file(&file, &any()).unwrap();
        memory.write(0, b"kept").unwrap();
        memory.resize(50_000).unwrap();
        memory.write(49_990, b"the end").unwrap();
        assert_eq!(other.size(), 100);
        other.refresh().unwrap();
        assert_eq!((other.size(), text(&other, 49_990, 7).as_str(), text(&other, 0, 4).as_str()), (50_000, "the end", "kept"));
        memory.resize(10).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().len(), 10);
        let error = other.read(49_990, &mut [0; 7]).unwrap_err();
        assert!(error.is_failure(Failure::WrongSize), "{error}");
        other.refresh().unwrap();
        assert_eq!(other.size(), 10);
        for access in [Access::ReadOnly, Access::CopyOnWrite] {
            assert!(Memory::open_file(&file, &with(access)).unwrap().resize(20).unwrap_err().is(Errno::EACCES));
        }
    });
}

#[test]
fn a_private_copy_is_seen_by_nobody() {
    in_directory(|path| {
        let file = path("copy");
        std::fs::write(&file, "0123456789").unwrap();
        let copy = Memory::open_file(&file, &with(Access::CopyOnWrite)).unwrap();
        copy.write(0, b"private").unwrap();
        copy.atomic_u32(0).unwrap().fetch_add(0, Ordering::Relaxed);
        assert_eq!(text(&copy, 0, 10), "private789");
        assert_eq!(std::fs::read(&file).unwrap(), b"0123456789");
        assert!(copy.flush(0, 0, Flush::default()).unwrap_err().is(Errno::EOPNOTSUPP));
        copy.advise(0, 0, Advice::DontNeed).unwrap();
        assert_eq!(text(&copy, 0, 10), "0123456789");
        let error = Memory::create_file(&path("new"), &MemoryOptions { access: Access::CopyOnWrite, ..sized(1) }).unwrap_err();
        assert!(error.is(Errno::EINVAL), "{error}");
        // Who may only read may have a copy.
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o444)).unwrap();
        drop(Memory::open_file(&file, &with(Access::CopyOnWrite)).unwrap());
        let reader = Memory::open_file(&file, &with(Access::ReadOnly)).unwrap();
        assert!(reader.write(0, b"x").unwrap_err().is(Errno::EACCES));
        reader.flush(0, 0, Flush::default()).unwrap();
    });
}

#[test]
fn flush_takes_ranges_and_both_ways() {
    in_directory(|path| {
        let memory = Memory::create_file(&path("flush"), &sized(20_000)).unwrap();
        for no_wait in [false, true] {
            for invalidate in [false, true] {
                let how = Flush { no_wait, invalidate };
                for (offset, length) in [(0, 0), (5000, 10), (4096, 4096), (19_999, 1), (20_000, 0)] {
                    memory.flush(offset, length, how).unwrap();
                }
                for (offset, length) in [(0, 20_001), (20_001, 0), (1, usize::MAX)] {
                    assert!(memory.flush(offset, length, how).unwrap_err().is(Errno::EINVAL), "{offset} {length}");
                }
            }
        }
        let pinned = Memory::open_file(&path("flush"), &MemoryOptions { pinned: true, ..any() }).unwrap();
        let error = pinned.flush(0, 0, Flush { invalidate: true, ..Default::default() }).unwrap_err();
        assert!(error.is(Errno::EBUSY), "{error}");
        Memory::anonymous(1).unwrap().flush(0, 0, Flush::default()).unwrap();
    });
}

#[test]
fn what_is_no_file_of_ours_is_refused() {
    in_directory(|path| {
        for name in ["", "a\0b"] {
            for error in [Memory::create_file(name, &sized(1)).unwrap_err(), Memory::open_file(name, &any()).unwrap_err()] {
                assert!(error.is(Errno::EINVAL), "{error}");
            }
        }
        let long = "x/".repeat(2048);
        assert!(Memory::open_file(&long, &any()).unwrap_err().is(Errno::ENAMETOOLONG));
        assert!(Memory::open_file(&path("nothing"), &any()).unwrap_err().is(Errno::ENOENT));
        assert!(Memory::create_file(&path("no/directory"), &sized(1)).unwrap_err().is(Errno::ENOENT));
        std::fs::write(path("target"), "precious").unwrap();
        std::os::unix::fs::symlink(path("target"), path("link")).unwrap();
        assert!(Memory::open_file(&path("link"), &any()).unwrap_err().is(Errno::ELOOP));
        assert!(Memory::create_file(&path("link"), &sized(1)).unwrap_err().is(Errno::EEXIST));
        nix::unistd::mkfifo(path("fifo").as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(Memory::open_file(&path("fifo"), &any()).unwrap_err().is_failure(Failure::WrongKind));
        std::fs::write(path("empty"), "").unwrap();
        assert!(Memory::open_file(&path("empty"), &any()).unwrap_err().is_failure(Failure::WrongSize));
        if is_root() {
            std::os::unix::fs::chown(path("target"), Some(65534), None).unwrap();
            let error = Memory::open_file(&path("target"), &any()).unwrap_err();
            assert!(error.is(Errno::EPERM) && error.to_string().contains("65534"), "{error}");
            drop(Memory::open_file(&path("target"), &MemoryOptions { any_owner: true, ..any() }).unwrap());
        }
    });
}

#[test]
fn temporary_and_unpublished_files() {
    in_directory(|path| {
        let file = path("temporary");
        drop(Memory::create_file(&file, &MemoryOptions { temporary: true, ..sized(1) }).unwrap());
        assert!(std::fs::metadata(&file).is_err());
        let mut draft = Memory::create_file(&file, &MemoryOptions { unpublished: true, ..sized(100) }).unwrap();
        assert!(Memory::open_file(&file, &any()).unwrap_err().is(Errno::ENOENT));
        draft.write(0, b"complete").unwrap();
        draft.publish().unwrap();
        assert_eq!(text(&Memory::open_file(&file, &any()).unwrap(), 0, 8), "complete");
        // A relative path is one of the working directory.
        std::env::set_current_dir(std::path::Path::new(&file).parent().unwrap()).unwrap();
        drop(Memory::create_file("relative", &sized(1)).unwrap());
        assert_eq!(std::fs::metadata(path("relative")).unwrap().len(), 1);
        // Also when the process works elsewhere by then.
        let temporary = Memory::create_file("brief", &MemoryOptions { temporary: true, ..sized(1) }).unwrap();
        let mut later = Memory::create_file("./later", &MemoryOptions { unpublished: true, temporary: true, ..sized(1) }).unwrap();
        std::fs::create_dir("other").unwrap();
        std::env::set_current_dir("other").unwrap();
        drop(temporary);
        assert!(std::fs::metadata(path("brief")).is_err());
        later.publish().unwrap();
        assert_eq!(std::fs::metadata(path("later")).unwrap().len(), 1);
        std::env::set_current_dir("/").unwrap();
        drop(later);
        assert!(std::fs::metadata(path("later")).is_err());
    });
}

#[test]
fn a_content_replaced_by_rename_is_the_old_or_the_new() {
    in_directory(|path| {
        const SIZE: usize = 20_000;
        let file = path("configuration");
        let publish = |version: u8| {
            let mut memory = Memory::create_file(&path("new"), &MemoryOptions { unpublished: true, ..sized(SIZE) }).unwrap();
            memory.write(0, &[version; SIZE]).unwrap();
            memory.publish().unwrap();
            std::fs::rename(path("new"), &file).unwrap();
        };
        publish(1);
        let stop = SharedPages::<AtomicU32>::zeroed();
        let readers: Vec<Child> = (0..3)
            .map(|_| {
                Child::fork(|| {
                    let mut bytes = [0; SIZE];
                    let mut last = 0;
                    while stop.load(Ordering::Relaxed) == 0 {
                        Memory::open_file(&file, &with(Access::ReadOnly)).unwrap().read(0, &mut bytes).unwrap();
                        assert!(bytes.iter().all(|byte| *byte == bytes[0]) && bytes[0] >= last);
                        last = bytes[0];
                    }
                    0
                })
            })
            .collect();
        let old = Memory::open_file(&file, &with(Access::ReadOnly)).unwrap();
        (2..=200).for_each(publish);
        stop.store(1, Ordering::Relaxed);
        for reader in readers {
            assert_eq!(reader.wait(), 0);
        }
        assert_eq!(text(&old, SIZE - 2, 2), "\u{1}\u{1}");
    });
}

#[test]
fn copies_survive_a_peer_that_shortens_the_file() {
    in_directory(|path| {
        const SIZE: usize = 64 << 10;
        let file = path("shrunk");
        let memory = Memory::create_file(&file, &sized(SIZE)).unwrap();
        let stop = SharedPages::<AtomicU32>::zeroed();
        let peer = Child::fork(|| {
            let file = std::fs::File::options().write(true).open(&file).unwrap();
            while stop.load(Ordering::Relaxed) == 0 {
                file.set_len(100).unwrap();
                file.set_len(SIZE as u64).unwrap();
            }
            0
        });
        let mut bytes = [0; SIZE];
        let mut counts = [0; 2];
        let start = std::time::Instant::now();
        // On a busy machine the peer may sleep for long at either size.
        while counts.iter().any(|count| *count < 500) && start.elapsed() < Duration::from_secs(20) {
            for result in [memory.read(0, &mut bytes), memory.write(SIZE / 2, &bytes[..1000])] {
                match result {
                    Ok(()) => counts[0] += 1,
                    Err(error) => {
                        assert!(error.is_failure(Failure::WrongSize), "{error}");
                        counts[1] += 1;
                    }
                }
            }
        }
        stop.store(1, Ordering::Relaxed);
        assert_eq!(peer.wait(), 0);
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    });
}

#[test]
fn a_full_disk_is_an_error_at_creation_and_at_growth() {
    in_directory(|path| {
        let directory = path("small");
        std::fs::create_dir(&directory).unwrap();
        let child = Child::fork(|| {
            if !own_mounts() {
                return 0;
            }
            mount_memory(&std::ffi::CString::new(directory.clone()).unwrap(), c"size=8m");
            let file = |name: &str| format!("{directory}/{name}");
            let told = |error: Error, left: &str| {
                assert!(error.is(Errno::ENOSPC) && error.to_string().contains(left), "{error}");
            };
            told(Memory::create_file(&file("full"), &sized((8 << 20) + 1)).unwrap_err(), "8 MiB left");
            assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
            drop(Memory::create_file(&file("fits"), &MemoryOptions { temporary: true, ..sized((8 << 20) - 1) }).unwrap());
            drop(Memory::create_file(&file("fits"), &MemoryOptions { temporary: true, ..sized(8 << 20) }).unwrap());
            let mut memory = Memory::create_file(&file("grows"), &sized(4 << 20)).unwrap();
            told(memory.resize(9 << 20).unwrap_err(), "4 MiB left");
            assert_eq!(std::fs::metadata(file("grows")).unwrap().len(), 4 << 20);
            memory.resize(8 << 20).unwrap();
            memory.write((8 << 20) - 1, b"!").unwrap();
            0
        });
        assert_eq!(child.wait(), 0);
    });
}

#[test]
fn the_limit_on_the_size_of_files_is_an_error() {
    in_directory(|path| {
        let limit = libc::rlimit { rlim_cur: 1 << 20, rlim_max: 1 << 20 };
        // SAFETY: the limit is valid to read; both hold for this child alone.
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
        }
        for size in [(1 << 20) - 1, 1 << 20] {
            drop(Memory::create_file(&path("limited"), &MemoryOptions { temporary: true, ..sized(size) }).unwrap());
        }
        let error = Memory::create_file(&path("limited"), &sized((1 << 20) + 1)).unwrap_err();
        assert!(error.is(Errno::EFBIG), "{error}");
        assert!(std::fs::metadata(path("limited")).is_err());
        let mut memory = Memory::create_file(&path("limited"), &sized(5000)).unwrap();
        assert!(memory.resize((1 << 20) + 1).unwrap_err().is(Errno::EFBIG));
        assert_eq!((memory.size(), std::fs::metadata(path("limited")).unwrap().len()), (5000, 5000));
    });
}

#[test]
fn a_creator_that_is_killed_at_random_leaves_nothing_half_made() {
    in_directory(|path| {
        const SIZE: usize = 300_000;
        let file = path("killed");
        let mut counts = [0; 2];
        for round in 0..kills() {
            let mut creator = Child::fork(|| {
                loop {
                    let options = MemoryOptions { unpublished: true, mode: 0o640, ..sized(SIZE) };
                    let mut memory = Memory::create_file(&file, &options).unwrap();
                    memory.write(0, &[7; SIZE]).unwrap();
                    memory.publish().unwrap();
                    std::fs::remove_file(&file).unwrap();
                }
            });
            std::thread::sleep(Duration::from_micros(500 + round * 7919 % 3000));
            creator.kill();
            match Memory::open_file(&file, &any()) {
                Ok(memory) => {
                    let mut bytes = vec![0; SIZE];
                    memory.read(0, &mut bytes).unwrap();
                    assert!(memory.size() == SIZE && bytes.iter().all(|byte| *byte == 7));
                    assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
                    std::fs::remove_file(&file).unwrap();
                    counts[1] += 1;
                }
                Err(error) => {
                    assert!(error.is(Errno::ENOENT), "{error}");
                    counts[0] += 1;
                }
            }
            let directory = std::path::Path::new(&file).parent().unwrap();
            assert_eq!(std::fs::read_dir(directory).unwrap().count(), 0);
        }
        assert_eq!(counts[0] + counts[1], 100);
    });
}
