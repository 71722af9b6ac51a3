//! Files replaced in one step: what readers see, what is kept, and what killed writers leave.

mod support;

use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use support::alone::Alone;
use support::contained::{is_root, mount_memory, own_mounts};
use support::process::{Child, kills};
use support::queues::{become_user, random_time};
use support::shared::SharedPages;
use unipc::file::exchange::{AppendOptions, Durability, ReplaceOptions, append, replace};
use unipc::file::lock::{FileLock, LockKind, LockMode};
use unipc::{Failure, Wait};

fn any() -> ReplaceOptions {
    ReplaceOptions::default()
}

/// Tests need not wait for the disk.
fn fast() -> ReplaceOptions {
    ReplaceOptions { durability: Durability::Nothing, ..any() }
}

fn mode_of(path: &str) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn sorted(alone: &Alone) -> Vec<String> {
    let mut names = alone.names();
    names.sort();
    names
}

#[test]
fn the_content_is_new_and_the_permissions_are_kept_or_as_asked() {
    let alone = Alone::new();
    let path = alone.path("file");
    // SAFETY: takes an integer; set back below.
    let before = unsafe { libc::umask(0o077) };
    for durability in [Durability::All, Durability::Content, Durability::Nothing] {
        replace(&path, b"first", &ReplaceOptions { durability, ..any() }).unwrap();
        assert_eq!((std::fs::read(&path).unwrap().as_slice(), mode_of(&path)), (b"first".as_slice(), 0o600));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o4644)).unwrap();
        replace(&path, b"", &ReplaceOptions { durability, ..any() }).unwrap();
        // A set-id bit is not for a new content.
        assert_eq!((std::fs::read(&path).unwrap().as_slice(), mode_of(&path)), (b"".as_slice(), 0o644));
        replace(&path, &[7; 300_000], &ReplaceOptions { mode: 0o666, durability, ..any() }).unwrap();
        assert_eq!((std::fs::read(&path).unwrap(), mode_of(&path)), (vec![7; 300_000], 0o666));
        std::fs::remove_file(&path).unwrap();
    }
    // SAFETY: as above.
    unsafe { libc::umask(before) };
    assert!(alone.names().is_empty());
}

#[test]
fn who_has_the_old_file_keeps_it() {
    let alone = Alone::new();
    let path = alone.path("file");
    replace(&path, b"old", &fast()).unwrap();
    std::fs::hard_link(&path, alone.path("link")).unwrap();
    let mut open = std::fs::File::open(&path).unwrap();
    replace(&path, b"new one", &fast()).unwrap();
    assert_eq!(std::io::read_to_string(&mut open).unwrap(), "old");
    assert_eq!(std::fs::read(alone.path("link")).unwrap(), b"old");
    assert_eq!(std::fs::read(&path).unwrap(), b"new one");
    // The new file is not locked by its maker.
    let lock = FileLock::open(&path, &unipc::file::lock::FileLockOptions { kind: LockKind::Flock, ..Default::default() }).unwrap();
    drop(lock.lock(LockMode::Exclusive, Wait::NEVER).unwrap());
}

#[test]
fn links_are_refused_or_followed() {
    let alone = Alone::new();
    let (file, link, second) = (alone.path("file"), alone.path("link"), alone.path("second"));
    symlink("file", &link).unwrap();
    symlink(&link, &second).unwrap();
    assert!(replace(&link, b"x", &fast()).unwrap_err().is(Errno::ELOOP));
    let follow = ReplaceOptions { follow_links: true, ..fast() };
    // What is not there is made where the last link points.
    for content in [b"first".as_slice(), b"second"] {
        replace(&second, content, &follow).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), content);
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink() && std::fs::symlink_metadata(&second).unwrap().is_symlink());
        assert!(std::fs::symlink_metadata(&file).unwrap().is_file());
    }
    symlink("loop", alone.path("loop")).unwrap();
    assert!(replace(&alone.path("loop"), b"x", &follow).unwrap_err().is(Errno::ELOOP));
    assert_eq!(sorted(&alone), ["file", "link", "loop", "second"]);
}

#[test]
fn what_cannot_be_replaced_is_refused_and_stays() {
    let alone = Alone::new();
    for bad in ["", "a\0b"] {
        assert!(replace(bad, b"x", &any()).unwrap_err().is(Errno::EINVAL));
    }
    assert!(replace(&"x/".repeat(2048), b"x", &any()).unwrap_err().is(Errno::ENAMETOOLONG));
    assert!(replace(&alone.path("no/file"), b"x", &any()).unwrap_err().is(Errno::ENOENT));
    let (directory, fifo) = (alone.path("directory"), alone.path("fifo"));
    std::fs::create_dir(&directory).unwrap();
    unipc::stream::create_fifo(&fifo, &Default::default()).unwrap();
    for path in [directory.as_str(), &fifo, "/dev/null"] {
        assert!(replace(path, b"x", &any()).unwrap_err().is_failure(Failure::WrongKind), "{path}");
    }
    let path = alone.path("file");
    assert!(replace(&path, b"x", &ReplaceOptions { mode: 0o1000, ..any() }).unwrap_err().is(Errno::EINVAL));
    assert!(replace(&path, b"x", &ReplaceOptions { group: Some("no such group".to_owned()), ..any() }).unwrap_err().is(Errno::EINVAL));
    assert_eq!(sorted(&alone), ["directory", "fifo"]);
    // The longest name, and one more byte.
    replace(&alone.path(&"n".repeat(255)), b"x", &fast()).unwrap();
    assert!(replace(&alone.path(&"n".repeat(256)), b"x", &fast()).unwrap_err().is(Errno::ENAMETOOLONG));
    assert_eq!(alone.names().len(), 3);
}

/// What a live writer has at a name in the middle: a locked file.
fn live(path: &str) -> OwnedFd {
    let file = FileLock::open_or_create(path, &unipc::file::lock::FileLockOptions { kind: LockKind::Flock, ..Default::default() }).unwrap();
    file.acquire(LockMode::Exclusive, unipc::file::lock::LockRange::WHOLE, None).unwrap();
    file.into()
}

#[test]
fn what_a_dead_writer_left_is_removed_and_a_live_ones_is_not() {
    let alone = Alone::new();
    let path = alone.path("file");
    let place = |number: u32| alone.path(&format!(".file.unipc-{number:x}"));
    std::fs::write(place(0), "left behind").unwrap();
    replace(&path, b"first", &fast()).unwrap();
    assert_eq!(sorted(&alone), ["file"]);
    let mut stopped = vec![live(&place(0))];
    std::fs::write(place(1), "left behind").unwrap();
    replace(&path, b"second", &fast()).unwrap();
    assert_eq!(sorted(&alone), [".file.unipc-0", "file"]);
    stopped.extend((1..15).map(|number| live(&place(number))));
    replace(&path, b"third", &fast()).unwrap();
    stopped.push(live(&place(15)));
    let error = replace(&path, b"fourth", &fast()).unwrap_err();
    assert!(error.is(Errno::EBUSY) && error.remedy().is_some(), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"third");
    drop(stopped);
    replace(&path, b"fifth", &fast()).unwrap();
    for number in 1..16 {
        std::fs::remove_file(place(number)).unwrap();
    }
    assert_eq!(sorted(&alone), ["file"]);
}

/// Large enough to be written in many steps.
const SIZE: usize = 200_000;

#[test]
fn readers_see_whole_contents_while_writers_are_killed() {
    let alone = Alone::new();
    let path = alone.path("file");
    replace(&path, &[0; SIZE], &fast()).unwrap();
    let stop = SharedPages::<AtomicU32>::zeroed();
    let reads = SharedPages::<AtomicU32>::zeroed();
    let readers: Vec<Child> = (0..2)
        .map(|_| {
            Child::fork(|| {
                while stop.load(Ordering::Relaxed) == 0 {
                    let bytes = std::fs::read(&path).unwrap();
                    assert!(bytes.len() == SIZE && bytes.iter().all(|byte| *byte == bytes[0]), "torn");
                    reads.fetch_add(1, Ordering::Relaxed);
                }
                0
            })
        })
        .collect();
    let (mut seed, mut left) = (0x51_7cc1_b727_220a, 0);
    for _ in 0..kills() {
        let writers: Vec<Child> = (0..2u8)
            .map(|number| {
                Child::fork(|| {
                    for version in 0.. {
                        replace(&path, &[number.wrapping_add(version); SIZE], &fast()).unwrap();
                    }
                    0
                })
            })
            .collect();
        random_time(&mut seed, 6000);
        drop(writers);
        left += alone.names().len() - 1;
    }
    stop.store(1, Ordering::Relaxed);
    for reader in readers {
        assert_eq!(reader.wait(), 0);
    }
    assert!(reads.load(Ordering::Relaxed) > 10);
    eprintln!("{} writers killed, {left} names seen behind them, {} whole contents read", 2 * kills(), reads.load(Ordering::Relaxed));
    // Whatever the last one has left goes with the next replacements: two names at most were in use.
    for _ in 0..2 {
        replace(&path, b"end", &fast()).unwrap();
    }
    assert!(alone.names().len() <= 2, "{:?}", alone.names());
}

#[test]
fn a_full_disk_leaves_the_old_content() {
    let alone = Alone::new();
    let directory = alone.path("small");
    std::fs::create_dir(&directory).unwrap();
    let child = Child::fork(|| {
        if !own_mounts() {
            return 0;
        }
        mount_memory(&std::ffi::CString::new(directory.clone()).unwrap(), c"size=1m");
        let path = format!("{directory}/file");
        replace(&path, &[1; 400 << 10], &any()).unwrap();
        let error = replace(&path, &[2; 900 << 10], &any()).unwrap_err();
        assert!(error.is(Errno::ENOSPC) && error.to_string().contains("900 KiB"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), vec![1; 400 << 10]);
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
        // Old and new have to fit side by side.
        replace(&path, &[3; 600 << 10], &any()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), vec![3; 600 << 10]);
        0
    });
    assert_eq!(child.wait(), 0);
}

#[test]
fn the_limit_on_the_size_of_files_leaves_the_old_content() {
    let alone = Alone::new();
    let path = alone.path("file");
    let child = Child::fork(|| {
        let limit = libc::rlimit { rlim_cur: 10_000, rlim_max: 10_000 };
        // SAFETY: the limit is valid to read; both hold for this child alone.
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
        }
        for (size, fits) in [(9_999, true), (10_000, true), (10_001, false)] {
            match replace(&path, &vec![1; size], &fast()) {
                Ok(()) => assert!(fits, "{size}"),
                Err(error) => assert!(error.is(Errno::EFBIG) && !fits, "{size} {error}"),
            }
        }
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 10_000);
        0
    });
    assert_eq!(child.wait(), 0);
    assert_eq!(sorted(&alone), ["file"]);
}

#[test]
fn owner_and_group_are_kept_or_taken_over() {
    let alone = Alone::new();
    if !is_root() {
        return;
    }
    let path = alone.path("file");
    std::fs::write(&path, "theirs").unwrap();
    chown(&path, Some(4711), Some(4712)).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    let found = || {
        let found = std::fs::metadata(&path).unwrap();
        (found.uid(), found.gid(), found.mode() & 0o7777)
    };
    replace(&path, b"by root", &fast()).unwrap();
    assert_eq!(found(), (4711, 4712, 0o640));
    replace(&path, b"by root", &ReplaceOptions { group: Some("4713".to_owned()), mode: 0o600, ..fast() }).unwrap();
    assert_eq!(found(), (4711, 4713, 0o600));
    // Another user, who may write to the directory, but give nothing away.
    let directory = std::path::Path::new(&path).parent().unwrap().to_owned();
    chown(&directory, Some(4714), None).unwrap();
    let as_other = |work: &dyn Fn()| {
        let child = Child::fork(|| {
            become_user(4714);
            work();
            0
        });
        assert_eq!(child.wait(), 0);
    };
    as_other(&|| {
        let error = replace(&path, b"by other", &fast()).unwrap_err();
        assert!(error.is(Errno::EPERM) && error.to_string().contains("4711"), "{error}");
    });
    assert_eq!((found(), std::fs::read(&path).unwrap().as_slice()), ((4711, 4713, 0o600), b"by root".as_slice()));
    as_other(&|| replace(&path, b"by other", &ReplaceOptions { take_ownership: true, ..fast() }).unwrap());
    assert_eq!((found(), std::fs::read(&path).unwrap().as_slice()), ((4714, 4714, 0o600), b"by other".as_slice()));
    as_other(&|| {
        let error = replace(&path, b"x", &ReplaceOptions { group: Some("0".to_owned()), take_ownership: true, ..fast() }).unwrap_err();
        assert!(error.is(Errno::EPERM), "{error}");
    });
    // And who may not write to it at all.
    chown(&directory, Some(0), None).unwrap();
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o755)).unwrap();
    as_other(&|| assert!(replace(&path, b"x", &fast()).unwrap_err().is(Errno::EACCES)));
    assert_eq!(sorted(&alone), ["file"]);
}

#[test]
fn the_name_of_a_first_record_is_on_the_disk_too() {
    let alone = Alone::new();
    let directory = alone.path("unreadable");
    std::fs::create_dir(&directory).unwrap();
    if is_root() {
        chown(&directory, Some(54_321), None).unwrap();
    }
    // Names can be made there, but it cannot be opened, as waiting for the disk needs it.
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o300)).unwrap();
    let path = format!("{directory}/log");
    let child = Child::fork(|| {
        if is_root() {
            become_user(54_321);
        }
        let (fast, sync) = (AppendOptions::default(), AppendOptions { sync: true, ..Default::default() });
        let error = append(&path, b"first", &sync, Wait::NEVER).unwrap_err();
        assert!(error.is(Errno::EACCES) && error.to_string().contains("name"), "{error}");
        append(&path, b"second", &sync, Wait::NEVER).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"first\nsecond\n");
        std::fs::remove_file(&path).unwrap();
        append(&path, b"first", &fast, Wait::NEVER).unwrap();
        0
    });
    assert_eq!(child.wait(), 0);
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
}
