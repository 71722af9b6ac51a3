//! FIFOs: made, opened from both sides, kept open between clients.

mod support;

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use support::alone::{Alone, flags, in_a_storm, is_root};
use support::process::Child;
use support::shared::SharedPages;
use support::waits::ends_in_every_way;
use unipc::stream::{FifoOptions, FifoReader, FifoWriter, create_fifo, unlink_fifo};
use unipc::{Failure, Stop, Timeout, Wait};

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(30);

fn plain() -> FifoOptions {
    FifoOptions::default()
}

fn make(alone: &Alone) -> String {
    let path = alone.path("fifo");
    create_fifo(&path, &plain()).unwrap();
    path
}

#[test]
fn creating_is_exclusive_and_exact() {
    let alone = Alone::new();
    let path = make(&alone);
    assert!(create_fifo(&path, &plain()).unwrap_err().is(Errno::EEXIST));
    unlink_fifo(&path).unwrap();
    // SAFETY: always succeeds.
    let group = unsafe { libc::getegid() };
    // SAFETY: umask takes and gives an integer; the tests of this program take turns.
    let umask = unsafe { libc::umask(0o777) };
    for (asked, got) in [(0, 0o600), (0o666, 0o666), (0o240, 0o240)] {
        create_fifo(&path, &FifoOptions { mode: asked, group: Some(group.to_string()), ..plain() }).unwrap();
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        assert_eq!((metadata.permissions().mode() & 0o7777, metadata.gid()), (got, group));
        unlink_fifo(&path).unwrap();
    }
    // SAFETY: as above.
    unsafe { libc::umask(umask) };
    for options in [FifoOptions { mode: 0o1000, ..plain() }, FifoOptions { group: Some("no-such-group-here".into()), ..plain() }] {
        assert!(create_fifo(&path, &options).unwrap_err().is(Errno::EINVAL));
    }
    assert_eq!(alone.names(), [""; 0]);
    let missing = create_fifo(&alone.path("no/such"), &plain()).unwrap_err();
    assert!(missing.is(Errno::ENOENT) && missing.to_string().contains("directory"), "{missing}");
    for nothing in ["", "a\0b"] {
        assert!(create_fifo(nothing, &plain()).unwrap_err().is(Errno::EINVAL));
    }
    for too_long in ["x".repeat(5000), alone.path(&"x".repeat(256))] {
        assert!(create_fifo(&too_long, &plain()).unwrap_err().is(Errno::ENAMETOOLONG));
    }
}

#[test]
fn only_a_fifo_is_opened_or_removed() {
    let alone = Alone::new();
    let path = make(&alone);
    std::fs::write(alone.path("file"), "precious").unwrap();
    std::fs::create_dir(alone.path("directory")).unwrap();
    symlink(&path, alone.path("link")).unwrap();
    let errors = |name: &str| {
        let path = alone.path(name);
        [
            FifoReader::open(&path, &plain(), Wait::NEVER).unwrap_err(),
            FifoWriter::open(&path, &plain(), Wait::NEVER).unwrap_err(),
            FifoReader::open_or_create(&path, &plain(), HANG).unwrap_err(),
            FifoWriter::open_or_create(&path, &plain(), HANG).unwrap_err(),
            unlink_fifo(&path).unwrap_err(),
        ]
    };
    for name in ["file", "directory"] {
        for error in errors(name) {
            assert!(error.is_failure(Failure::WrongKind), "{name}: {error}");
        }
    }
    for error in errors("link") {
        assert!(error.is(Errno::ELOOP), "{error}");
    }
    assert!(unlink_fifo(&alone.path("nothing")).unwrap_err().is(Errno::ENOENT));
    assert_eq!(std::fs::read_to_string(alone.path("file")).unwrap(), "precious");
    assert_eq!(alone.names().len(), 4);
}

#[test]
fn opening_without_the_other_side_ends() {
    let alone = Alone::new();
    let path = make(&alone);
    ends_in_every_way("FifoReader::open", |wait| FifoReader::open(&path, &plain(), wait).unwrap_err());
    ends_in_every_way("FifoWriter::open", |wait| FifoWriter::open(&path, &plain(), wait).unwrap_err());
    ends_in_every_way("FifoReader::open_or_create", |wait| FifoReader::open_or_create(&path, &plain(), wait).unwrap_err());
}

#[test]
fn both_sides_meet_in_whichever_way_they_wait() {
    let alone = Alone::new();
    let path = make(&alone);
    for reader_wait in [Wait::FOREVER, HANG.into()] {
        for writer_wait in [Wait::FOREVER, HANG.into()] {
            for reader_is_late in [false, true] {
                let child = Child::fork(|| {
                    if !reader_is_late {
                        std::thread::sleep(SHORT);
                    }
                    let writer = in_a_storm(|| FifoWriter::open(&path, &plain(), writer_wait).unwrap());
                    assert_eq!(flags(&writer) & libc::O_NONBLOCK, 0);
                    writer.write_all_within(b"hello", HANG).unwrap();
                    0
                });
                if reader_is_late {
                    std::thread::sleep(SHORT);
                }
                let reader = in_a_storm(|| FifoReader::open(&path, &plain(), reader_wait).unwrap());
                assert_eq!(flags(&reader) & libc::O_NONBLOCK, 0);
                reader.read_exact_within(&mut [0; 5], HANG).unwrap();
                assert_eq!(reader.read_within(&mut [0], HANG).unwrap(), 0);
                assert_eq!(child.wait(), 0);
            }
        }
    }
}

#[test]
fn a_writer_that_has_opened_and_says_nothing_is_met() {
    let alone = Alone::new();
    let path = make(&alone);
    let met = SharedPages::<AtomicU32>::zeroed();
    let child = Child::fork(|| {
        let writer = FifoWriter::open(&path, &plain(), HANG).unwrap();
        while met.load(Ordering::Acquire) == 0 {
            std::thread::yield_now();
        }
        writer.write_all_within(b"x", HANG).unwrap();
        0
    });
    let reader = FifoReader::open(&path, &plain(), HANG).unwrap();
    assert!(reader.read_within(&mut [0], Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
    met.store(1, Ordering::Release);
    assert_eq!(reader.read_within(&mut [0], HANG).unwrap(), 1);
    assert_eq!(child.wait(), 0);
}

#[test]
fn a_writer_that_came_and_left_is_met_too() {
    let alone = Alone::new();
    let path = make(&alone);
    for words in ["", "left this"] {
        let child = Child::fork(|| {
            let writer = FifoWriter::open(&path, &plain(), HANG).unwrap();
            writer.write_all_within(words.as_bytes(), HANG).unwrap();
            0
        });
        let reader = FifoReader::open(&path, &plain(), HANG).unwrap();
        let mut buffer = vec![0; words.len()];
        reader.read_exact_within(&mut buffer, HANG).unwrap();
        assert_eq!((buffer, reader.read_within(&mut [0], HANG).unwrap()), (words.into(), 0));
        assert_eq!(child.wait(), 0);
    }
}

#[test]
fn a_server_that_keeps_open_never_meets_the_end() {
    let alone = Alone::new();
    let path = make(&alone);
    let server = FifoReader::open(&path, &FifoOptions { keep_open: true, ..plain() }, Wait::NEVER).unwrap();
    for round in 0..20 {
        let client = Child::fork(|| {
            let writer = FifoWriter::open(&path, &plain(), Wait::NEVER).unwrap();
            writer.write_all_within(&[round; 3], HANG).unwrap();
            0
        });
        let mut buffer = [0; 3];
        server.read_exact_within(&mut buffer, HANG).unwrap();
        assert_eq!((buffer, client.wait()), ([round; 3], 0));
        assert!(server.read_within(&mut buffer, Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
        assert!(server.read_within(&mut buffer, Duration::from_millis(2)).unwrap_err().is(Errno::ETIMEDOUT));
    }
    drop(server);
    assert!(FifoWriter::open(&path, &plain(), Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
}

#[test]
fn an_unpaired_reader_waits_for_its_first_writer_like_a_paired_one_meets_the_end() {
    let alone = Alone::new();
    let path = make(&alone);
    let reader = FifoReader::open(&path, &FifoOptions { unpaired: true, ..plain() }, Wait::NEVER).unwrap();
    let child = Child::fork(|| {
        let writer = FifoWriter::open(&path, &plain(), Wait::NEVER).unwrap();
        writer.write_all_within(b"now", HANG).unwrap();
        0
    });
    assert_eq!(child.wait(), 0);
    reader.read_exact_within(&mut [0; 3], HANG).unwrap();
    assert_eq!(reader.read_within(&mut [0], Wait::NEVER).unwrap(), 0);
}

#[test]
fn a_creator_that_comes_later_is_waited_for() {
    let alone = Alone::new();
    let path = alone.path("fifo");
    assert!(FifoReader::open(&path, &plain(), HANG).unwrap_err().is(Errno::ENOENT));
    let soon = FifoOptions { wait_for_creator: SHORT.into(), ..plain() };
    assert!(FifoWriter::open(&path, &soon, HANG).unwrap_err().is(Errno::ENOENT));
    let patient = FifoOptions { wait_for_creator: Timeout::FOREVER, ..plain() };
    let stop = Stop::new().unwrap();
    stop.request();
    assert!(FifoWriter::open(&path, &patient, &stop).unwrap_err().is(Errno::ECANCELED));
    let child = Child::fork(|| {
        std::thread::sleep(SHORT);
        let reader = FifoReader::open_or_create(&path, &plain(), HANG).unwrap();
        i32::from(reader.read_exact_within(&mut [0], HANG).is_err())
    });
    let writer = FifoWriter::open(&path, &patient, HANG).unwrap();
    writer.write_all_within(b"x", HANG).unwrap();
    assert_eq!(child.wait(), 0);
}

#[test]
fn the_capacity_is_set_when_opening() {
    let alone = Alone::new();
    let path = make(&alone);
    let options = FifoOptions { unpaired: true, capacity: 1 << 17, ..plain() };
    let reader = FifoReader::open(&path, &options, Wait::NEVER).unwrap();
    assert_eq!(reader.capacity().unwrap(), 1 << 17);
    let absurd = FifoOptions { unpaired: true, capacity: usize::MAX, ..plain() };
    assert!(FifoReader::open(&path, &absurd, Wait::NEVER).unwrap_err().is(Errno::EINVAL));
}

#[test]
fn a_strangers_fifo_is_refused() {
    if !is_root() {
        eprintln!("needs root to play another user");
        return;
    }
    let alone = Alone::new();
    let path = make(&alone);
    std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
    for error in [
        FifoReader::open(&path, &FifoOptions { unpaired: true, ..plain() }, Wait::NEVER).unwrap_err(),
        FifoWriter::open_or_create(&path, &plain(), Wait::NEVER).unwrap_err(),
    ] {
        assert!(error.is(Errno::EPERM) && error.to_string().contains("12345"), "{error}");
    }
    FifoReader::open(&path, &FifoOptions { unpaired: true, any_owner: true, ..plain() }, Wait::NEVER).unwrap();
}

#[test]
fn openers_who_create_at_once_share_one_fifo() {
    let alone = Alone::new();
    for round in 0..20 {
        let path = alone.path(&round.to_string());
        let ready = SharedPages::<AtomicU32>::zeroed();
        let meet = || {
            ready.fetch_add(1, Ordering::AcqRel);
            while ready.load(Ordering::Acquire) < 2 {
                std::hint::spin_loop();
            }
        };
        let writer = Child::fork(|| {
            meet();
            let writer = FifoWriter::open_or_create(&path, &plain(), HANG).unwrap();
            writer.write_all_within(b"x", HANG).unwrap();
            0
        });
        meet();
        let reader = FifoReader::open_or_create(&path, &plain(), HANG).unwrap();
        reader.read_exact_within(&mut [0], HANG).unwrap();
        assert_eq!(writer.wait(), 0);
    }
}
