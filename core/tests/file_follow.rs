//! Records appended to a file and received from it: whole ones only, whatever happens to writers and to the file.

mod support;

use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt, chown, symlink};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use support::alone::Alone;
use support::contained::{is_root, mount_memory, own_mounts};
use support::process::{Child, kills};
use support::queues::{become_user, random_time};
use support::shared::SharedPages;
use support::waits::ends_in_every_way;
use unipc::file::exchange::{AppendOptions, FileEvent, Follower, FollowerOptions, ReplaceOptions, append, replace};
use unipc::file::lock::{FileLock, FileLockOptions, LockKind, LockMode};
use unipc::{Failure, Wait};

const HANG: Duration = Duration::from_secs(20);

fn add(path: &str, record: &[u8]) {
    append(path, record, &AppendOptions::default(), HANG).unwrap();
}

/// What programs do that know nothing of us.
fn plain(path: &str, bytes: &[u8]) {
    std::fs::File::options().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
}

fn follow(path: &str) -> Follower {
    Follower::open(path, &FollowerOptions::default()).unwrap()
}

fn receive(follower: &mut Follower) -> String {
    String::from_utf8(follower.receive_vec(HANG).unwrap().0).unwrap()
}

fn event(follower: &mut Follower) -> FileEvent {
    follower.receive_event_vec(HANG).unwrap().1.event
}

fn is_at_end(follower: &mut Follower) -> bool {
    follower.receive_event_vec(Wait::NEVER).is_err_and(|error| error.is(Errno::EAGAIN))
}

fn flock(path: &str) -> FileLock {
    FileLock::open(path, &FileLockOptions { kind: LockKind::Flock, ..Default::default() }).unwrap()
}

/// The follower without inotify: as on a system that has no more of them.
fn follow_by_probing(path: &str) -> Follower {
    // SAFETY: a structure of integers; both calls read or write it.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        // The next descriptor, which the file gets, is the last.
        let next = libc::dup(0);
        libc::close(next);
        let low = libc::rlimit { rlim_cur: next as libc::rlim_t + 1, rlim_max: limit.rlim_max };
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &low), 0);
        let follower = follow(path);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
        assert!(follower.fd().unwrap_err().is_failure(Failure::Unavailable));
        follower
    }
}

#[test]
fn records_are_received_in_order_and_when_they_are_whole() {
    let alone = Alone::new();
    let path = alone.path("log");
    add(&path, b"first");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let mut follower = follow(&path);
    add(&path, b"");
    append(&path, b"third", &AppendOptions { sync: true, ..Default::default() }, None).unwrap();
    plain(&path, b"plain\nhalf");
    let mut buffer = [0; 16];
    let mut expected = 0;
    for text in ["first", "", "third", "plain"] {
        let found = follower.receive(&mut buffer, Wait::NEVER).unwrap();
        assert_eq!((&buffer[..found.size], found.offset, found.torn), (text.as_bytes(), expected, 0));
        expected += text.len() as u64 + 1;
        assert_eq!(found.end, expected);
    }
    assert!(is_at_end(&mut follower));
    plain(&path, b" and half\n");
    assert_eq!(receive(&mut follower), "half and half");
    for bad in [b"a\nb".as_slice(), b"\n", b"torn\x18", b"\x18"] {
        assert!(append(&path, bad, &AppendOptions::default(), None).unwrap_err().is(Errno::EINVAL));
    }
    add(&path, b"\x18 is fine elsewhere");
    assert_eq!(receive(&mut follower), "\u{18} is fine elsewhere");
}

#[test]
fn a_torn_record_is_ended_by_the_next_writer_and_passed_over() {
    let alone = Alone::new();
    let path = alone.path("log");
    add(&path, b"whole");
    let mut follower = follow(&path);
    plain(&path, b"half of a rec");
    assert_eq!(receive(&mut follower), "whole");
    assert!(is_at_end(&mut follower));
    add(&path, b"next");
    // A writer that was killed as it ended the torn one.
    plain(&path, b"again\x18");
    add(&path, b"last");
    assert_eq!(std::fs::read(&path).unwrap(), b"whole\nhalf of a rec\x18\nnext\nagain\x18\x18\nlast\n");
    for text in ["next", "last"] {
        let (record, found) = follower.receive_vec(HANG).unwrap();
        assert_eq!((record.as_slice(), found.torn), (text.as_bytes(), 1));
    }
}

#[test]
fn every_wait_ends_in_every_way() {
    let alone = Alone::new();
    let path = alone.path("log");
    add(&path, b"first");
    let (mut follower, mut probing) = (follow(&path), follow_by_probing(&path));
    let held = flock(&path);
    let guard = held.lock(LockMode::Exclusive, None).unwrap();
    ends_in_every_way("append", |wait| append(&path, b"x", &AppendOptions::default(), wait).unwrap_err());
    for follower in [&mut follower, &mut probing] {
        assert_eq!(receive(follower), "first");
        ends_in_every_way("receive at the end", |wait| follower.receive(&mut [], wait).unwrap_err());
    }
    // The old file is not left while somebody may be adding to it.
    std::fs::rename(&path, alone.path("old")).unwrap();
    for follower in [&mut follower, &mut probing] {
        ends_in_every_way("receive from a locked old file", |wait| follower.receive_event(&mut [], wait).unwrap_err());
    }
    drop(guard);
    for follower in [&mut follower, &mut probing] {
        assert_eq!(event(follower), FileEvent::Deleted);
        ends_in_every_way("receive where no file is", |wait| follower.receive(&mut [], wait).unwrap_err());
    }
    ends_in_every_way("wait for creator", |wait| {
        let error = Follower::open(&path, &FollowerOptions { wait_for_creator: wait, ..Default::default() }).unwrap_err();
        // At the end of its time it says what there is not.
        if error.is(Errno::ENOENT) {
            unipc::Error::os("open", if is_never(wait) { Errno::EAGAIN } else { Errno::ETIMEDOUT })
        } else {
            error
        }
    });
}

fn is_never(wait: Wait<'_>) -> bool {
    format!("{wait:?}") == format!("{:?}", Wait::NEVER)
}

#[test]
fn replacement_truncation_and_deletion_are_told() {
    let alone = Alone::new();
    let path = alone.path("log");
    for is_probing in [false, true] {
        add(&path, b"one");
        let mut follower = if is_probing { follow_by_probing(&path) } else { follow(&path) };
        assert_eq!(receive(&mut follower), "one");
        // The rest of the old file comes first.
        add(&path, b"two");
        plain(&path, b"torn");
        replace(&path, b"three\nfour\n", &ReplaceOptions::default()).unwrap();
        assert_eq!(receive(&mut follower), "two");
        let (_, found) = follower.receive_event_vec(HANG).unwrap();
        assert_eq!((found.event, found.torn), (FileEvent::Replaced, 1));
        let (record, found) = follower.receive_event_vec(HANG).unwrap();
        assert_eq!((record.as_slice(), found.offset, found.torn), (b"three".as_slice(), 0, 0));
        assert_eq!(receive(&mut follower), "four");
        std::fs::write(&path, "5\n").unwrap();
        assert_eq!(event(&mut follower), FileEvent::Truncated);
        assert_eq!(receive(&mut follower), "5");
        plain(&path, b"6\n");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(receive(&mut follower), "6");
        assert_eq!(event(&mut follower), FileEvent::Deleted);
        assert!(is_at_end(&mut follower));
        let (late, start) = (path.clone(), Instant::now());
        let creator = Child::fork(|| {
            std::thread::sleep(Duration::from_millis(30));
            add(&late, b"seven");
            0
        });
        assert_eq!(event(&mut follower), FileEvent::Replaced);
        assert_eq!(receive(&mut follower), "seven");
        assert!(start.elapsed() < HANG);
        assert_eq!(creator.wait(), 0);
        // Who asks for records alone is told of nothing else.
        std::fs::rename(&path, alone.path("old")).unwrap();
        assert!(follower.receive_vec(Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
        add(&path, b"eight");
        assert_eq!(receive(&mut follower), "eight");
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_waiter_is_woken_by_what_comes() {
    let alone = Alone::new();
    let path = alone.path("log");
    add(&path, b"0");
    for is_probing in [false, true] {
        let mut follower = if is_probing { follow_by_probing(&path) } else { follow(&path) };
        while !is_at_end(&mut follower) {}
        let writer = Child::fork(|| {
            for number in 0..20 {
                std::thread::sleep(Duration::from_millis(2));
                if number == 10 {
                    std::fs::rename(&path, format!("{path}.old")).unwrap();
                }
                add(&path, number.to_string().as_bytes());
            }
            0
        });
        let start = Instant::now();
        for number in 0..20 {
            assert_eq!(receive(&mut follower), number.to_string());
        }
        // Ten times less than a sleep that nobody ends each time.
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert_eq!(writer.wait(), 0);
    }
}

#[test]
fn the_descriptor_is_readable_until_there_is_nothing() {
    let alone = Alone::new();
    let path = alone.path("log");
    add(&path, b"0");
    let mut follower = follow(&path);
    let is_readable = |follower: &Follower| {
        use std::os::fd::AsRawFd;
        let mut polled = libc::pollfd { fd: follower.fd().unwrap().as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd.
        assert!(unsafe { libc::poll(&mut polled, 1, 0) } >= 0);
        polled.revents & libc::POLLIN != 0
    };
    // What was there before the watch, what came at once, what comes one by one, by rename, after deletion.
    for round in 0..4 {
        for number in 0..3 {
            assert!(is_readable(&follower), "{round} {number}");
            let text = receive(&mut follower);
            if number == 0 {
                assert_eq!(text, "0");
                (1..3).for_each(|number: u32| add(&path, number.to_string().as_bytes()));
            }
        }
        assert!(is_at_end(&mut follower) && !is_readable(&follower), "{round}");
        match round {
            0 => add(&path, b"0"),
            1 => replace(&path, b"0\n", &ReplaceOptions::default()).unwrap(),
            _ => {
                std::fs::remove_file(&path).unwrap();
                assert!(is_readable(&follower));
                assert_eq!(event(&mut follower), FileEvent::Deleted);
                assert!(is_at_end(&mut follower) && !is_readable(&follower));
                add(&path, b"0");
            }
        }
    }
}

#[test]
fn records_have_a_limit_and_one_too_many_is_told_once() {
    let alone = Alone::new();
    let path = alone.path("log");
    for limit in [1, 100, 65_536, 100_000] {
        let _ = std::fs::remove_file(&path);
        for size in [limit - 1, limit, limit + 1, 3 * limit + 70_000, 0] {
            add(&path, &vec![b'x'; size]);
        }
        let mut follower = Follower::open(&path, &FollowerOptions { largest: limit, ..Default::default() }).unwrap();
        for size in [limit - 1, limit] {
            if size > 0 {
                // It stays until the buffer is large enough.
                let error = follower.receive(&mut vec![0; size - 1], HANG).unwrap_err();
                assert!(error.is(Errno::EMSGSIZE) && error.transferred() == size, "{error}");
            }
            assert_eq!(follower.receive(&mut vec![0; size], HANG).unwrap().size, size);
        }
        for _ in 0..2 {
            let error = follower.receive_vec(HANG).unwrap_err();
            assert!(error.is(Errno::EMSGSIZE) && error.transferred() == 0 && error.to_string().contains(&limit.to_string()), "{error}");
        }
        assert_eq!(receive(&mut follower), "");
        assert!(is_at_end(&mut follower));
    }
}

#[test]
fn one_begins_at_the_start_at_the_end_or_where_another_left_off() {
    let alone = Alone::new();
    let path = alone.path("log");
    let at_end = FollowerOptions { from_end: true, ..Default::default() };
    for text in ["", "beginning", "one\n", "one\ntwo\nhal"] {
        std::fs::write(&path, text).unwrap();
        let mut follower = Follower::open(&path, &at_end).unwrap();
        assert!(is_at_end(&mut follower), "{text:?}");
        plain(&path, b"!\n");
        let last = format!("{text}!");
        assert_eq!(receive(&mut follower), last.rsplit('\n').next().unwrap());
    }
    // In the middle of a line that is longer than any record.
    std::fs::write(&path, vec![b'x'; 200_000]).unwrap();
    let mut follower = Follower::open(&path, &FollowerOptions { largest: 1000, ..at_end.clone() }).unwrap();
    plain(&path, b"rest\nnext\n");
    assert_eq!(receive(&mut follower), "next");

    std::fs::write(&path, "one\ntwo\nthree\n").unwrap();
    let mut first = follow(&path);
    receive(&mut first);
    let end = first.receive_vec(HANG).unwrap().1.end;
    let mut second = Follower::open(&path, &FollowerOptions { start: end, ..Default::default() }).unwrap();
    assert_eq!(receive(&mut second), "three");
    // The file has been cut off since.
    let mut late = Follower::open(&path, &FollowerOptions { start: 1 << 40, ..Default::default() }).unwrap();
    assert_eq!(event(&mut late), FileEvent::Truncated);
    assert_eq!(receive(&mut late), "one");
    let both = FollowerOptions { start: 1, ..at_end };
    assert!(Follower::open(&path, &both).unwrap_err().is(Errno::EINVAL));
    assert!(
        Follower::open(&path, &FollowerOptions { start: u64::MAX, ..Default::default() })
            .is_ok_and(|mut late| event(&mut late) == FileEvent::Truncated)
    );
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let alone = Alone::new();
    let path = alone.path("log");
    for bad in ["", "a\0b"] {
        assert!(Follower::open(bad, &Default::default()).unwrap_err().is(Errno::EINVAL));
        assert!(append(bad, b"", &Default::default(), None).unwrap_err().is(Errno::EINVAL));
    }
    assert!(Follower::open(&path, &Default::default()).unwrap_err().is(Errno::ENOENT));
    let error = append(&alone.path("no/log"), b"", &Default::default(), None).unwrap_err();
    assert!(error.is(Errno::ENOENT) && error.to_string().starts_with("append record"), "{error}");
    let fifo = alone.path("fifo");
    unipc::stream::create_fifo(&fifo, &Default::default()).unwrap();
    let socket = alone.path("socket");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for other in [fifo.as_str(), &socket, "/dev/null", "/tmp"] {
        assert!(Follower::open(other, &Default::default()).unwrap_err().is_failure(Failure::WrongKind), "{other}");
        assert!(append(other, b"", &Default::default(), None).unwrap_err().is_failure(Failure::WrongKind), "{other}");
    }
    drop(listener);
    add(&path, b"first");
    let link = alone.path("link");
    symlink("log", &link).unwrap();
    assert!(Follower::open(&link, &Default::default()).unwrap_err().is(Errno::ELOOP));
    assert!(append(&link, b"", &Default::default(), None).unwrap_err().is(Errno::ELOOP));
    let mut follower = Follower::open(&link, &FollowerOptions { follow_links: true, ..Default::default() }).unwrap();
    assert_eq!(receive(&mut follower), "first");
    // The link leads elsewhere.
    add(&alone.path("other"), b"second");
    symlink("other", alone.path("new")).unwrap();
    std::fs::rename(alone.path("new"), &link).unwrap();
    assert_eq!(event(&mut follower), FileEvent::Replaced);
    assert_eq!(receive(&mut follower), "second");
    // Something else has taken the name: told at each call, and over when it is gone.
    let mut follower = follow(&path);
    assert_eq!(receive(&mut follower), "first");
    std::fs::rename(&fifo, &path).unwrap();
    for _ in 0..2 {
        assert!(follower.receive_vec(HANG).unwrap_err().is_failure(Failure::WrongKind));
    }
    std::fs::remove_file(&path).unwrap();
    add(&path, b"third");
    assert_eq!(receive(&mut follower), "third");
}

#[test]
fn the_tools_join_in() {
    let alone = Alone::new();
    let path = alone.path("log");
    add(&path, b"ours");
    let script = "for i in 1 2 3; do flock \"$0\" sh -c 'echo theirs $1 >>\"$0\"' \"$0\" $i; done";
    assert!(Command::new("sh").args(["-c", script, &path]).status().unwrap().success());
    add(&path, b"ours");
    let python = "import fcntl, sys\nwith open(sys.argv[1], 'a') as f:\n    fcntl.flock(f, fcntl.LOCK_EX)\n    f.write('python\\n')\n";
    assert!(Command::new("python3").args(["-c", python, &path]).status().unwrap().success());
    let lines: Vec<String> = std::fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines, ["ours", "theirs 1", "theirs 2", "theirs 3", "ours", "python"]);
    let mut follower = follow(&path);
    for line in lines {
        assert_eq!(receive(&mut follower), line);
    }
    // Their lock keeps ours out.
    let mut holder = Command::new("flock").args([&path, "cat"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while append(&path, b"early", &AppendOptions::default(), Wait::NEVER).is_ok() {
        assert!(start.elapsed() < HANG);
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    add(&path, b"late");
}

/// A record that says how long it is and of which byte: torn or mixed, it would show.
fn checked_record(seed: u64, longest: u64) -> Vec<u8> {
    let length = seed % longest;
    let mut record = format!("{length}:").into_bytes();
    record.resize(record.len() + length as usize, b'a' + (seed % 26) as u8);
    record
}

fn check_record(record: &[u8]) {
    let text = std::str::from_utf8(record).unwrap();
    let (length, body) = text.split_once(':').expect("a record has a length");
    assert!(body.len() == length.parse::<usize>().unwrap() && body.bytes().all(|byte| byte == body.as_bytes()[0]), "torn");
}

#[test]
fn writers_killed_at_random_leave_no_torn_record_to_receive() {
    let alone = Alone::new();
    let path = alone.path("log");
    add(&path, &checked_record(5, 10));
    let mut follower = follow(&path);
    let (mut seed, mut whole, mut torn) = (0x2545_f491_4f6c_dd1d_u64, 0u64, 0u64);
    for round in 0..kills() {
        let writers: Vec<Child> = (0..2u64)
            .map(|number| {
                Child::fork(|| {
                    let mut own = number + 7919 * (round + 1);
                    loop {
                        own = own.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        add(&path, &checked_record(own >> 20, 400_000));
                    }
                })
            })
            .collect();
        random_time(&mut seed, 4000);
        drop(writers);
        // The next writer is this process: whatever stands at the end torn is ended by it.
        append(&path, &checked_record(round, 100), &AppendOptions::default(), Wait::NEVER).unwrap();
        loop {
            match follower.receive_vec(Wait::NEVER) {
                Ok((record, found)) => {
                    check_record(&record);
                    (whole, torn) = (whole + 1, torn + found.torn);
                }
                Err(error) => break assert!(error.is(Errno::EAGAIN), "{error}"),
            }
        }
        if round % 10 == 9 {
            replace(&path, b"", &ReplaceOptions::default()).unwrap();
        }
    }
    eprintln!("{} writers killed: {whole} whole records received, {torn} torn ones passed over", 2 * kills());
    assert!(whole > 100 && torn > 0, "{whole} {torn}");
}

#[test]
fn a_file_rotated_while_it_is_written_loses_nothing() {
    let alone = Alone::new();
    let path = alone.path("log");
    const RECORDS: u32 = 1500;
    add(&path, b"begin");
    let mut follower = follow(&path);
    let done = SharedPages::<AtomicU32>::zeroed();
    let seen = SharedPages::<AtomicU32>::zeroed();
    let writers: Vec<Child> = (0..2)
        .map(|number| {
            Child::fork(|| {
                (0..RECORDS).for_each(|record| add(&path, format!("{number} {record}").as_bytes()));
                done.fetch_add(1, Ordering::Release);
                0
            })
        })
        .collect();
    let rotator = Child::fork(|| {
        let mut rotations = 0;
        while done.load(Ordering::Acquire) < 2 {
            std::thread::sleep(Duration::from_millis(2));
            // Not twice within a look of the follower: it would never see the file in between.
            if seen.load(Ordering::Acquire) == rotations && std::fs::rename(&path, format!("{path}.old")).is_ok() {
                rotations += 1;
            }
        }
        0
    });
    let mut next = [0, 0];
    let mut files = 0;
    assert_eq!(receive(&mut follower), "begin");
    while next != [RECORDS; 2] {
        let (record, found) = follower.receive_event_vec(HANG).unwrap();
        if found.event != FileEvent::Record {
            files += u32::from(found.event == FileEvent::Replaced);
            seen.store(files, Ordering::Release);
            continue;
        }
        let text = String::from_utf8(record).unwrap();
        let (writer, number) = text.split_once(' ').unwrap();
        let writer: usize = writer.parse().unwrap();
        assert_eq!(number, next[writer].to_string(), "after {files} files");
        next[writer] += 1;
    }
    for child in writers.into_iter().chain([rotator]) {
        assert_eq!(child.wait(), 0);
    }
    eprintln!("{} records through {files} replaced files", 2 * RECORDS);
}

#[test]
fn a_full_disk_leaves_whole_records_and_takes_more_when_it_has_room() {
    let alone = Alone::new();
    let directory = alone.path("small");
    std::fs::create_dir(&directory).unwrap();
    let child = Child::fork(|| {
        if !own_mounts() {
            return 0;
        }
        mount_memory(&std::ffi::CString::new(directory.clone()).unwrap(), c"size=1m");
        let (path, ballast) = (format!("{directory}/log"), format!("{directory}/ballast"));
        std::fs::write(&ballast, vec![0; 700_000]).unwrap();
        add(&path, b"first");
        let mut follower = follow(&path);
        let error = append(&path, &vec![b'x'; 500_000], &AppendOptions::default(), HANG).unwrap_err();
        assert!(error.is(Errno::ENOSPC), "{error}");
        assert!(std::fs::metadata(&path).unwrap().len() > 10, "this test wants a torn record");
        assert!(append(&path, &[b'y'; 5000], &AppendOptions::default(), HANG).unwrap_err().is(Errno::ENOSPC));
        assert_eq!(receive(&mut follower), "first");
        assert!(is_at_end(&mut follower));
        std::fs::remove_file(&ballast).unwrap();
        add(&path, b"second");
        let (record, found) = follower.receive_vec(HANG).unwrap();
        assert_eq!((record.as_slice(), found.torn), (b"second".as_slice(), 1));
        0
    });
    assert_eq!(child.wait(), 0);
}

#[test]
fn files_of_another_user_are_refused_unless_asked_for() {
    let alone = Alone::new();
    if !is_root() {
        return;
    }
    let path = alone.path("log");
    add(&path, b"theirs");
    let directory = std::path::Path::new(&path).parent().unwrap().to_owned();
    chown(&path, Some(4711), Some(4711)).unwrap();
    chown(&directory, Some(4711), None).unwrap();
    let any = FollowerOptions { any_owner: true, ..Default::default() };
    assert!(Follower::open(&path, &Default::default()).unwrap_err().is(Errno::EPERM));
    assert!(append(&path, b"ours", &Default::default(), None).unwrap_err().is(Errno::EPERM));
    append(&path, b"ours", &AppendOptions { any_owner: true, ..Default::default() }, None).unwrap();
    let mut follower = Follower::open(&path, &any).unwrap();
    assert_eq!((receive(&mut follower).as_str(), receive(&mut follower).as_str()), ("theirs", "ours"));
    let child = Child::fork(|| {
        become_user(4712);
        // Directory and file are closed to it.
        assert!(Follower::open(&path, &any).unwrap_err().is(Errno::EACCES));
        assert!(append(&path, b"x", &AppendOptions { any_owner: true, ..Default::default() }, None).unwrap_err().is(Errno::EACCES));
        0
    });
    assert_eq!(child.wait(), 0);
    // Who may only read may follow, also through a replacement: its lock takes no right to write.
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let ready = SharedPages::<AtomicU32>::zeroed();
    let reader = Child::fork(|| {
        become_user(4712);
        let mut follower = Follower::open(&path, &any).unwrap();
        assert!(append(&path, b"x", &AppendOptions { any_owner: true, ..Default::default() }, None).unwrap_err().is(Errno::EACCES));
        assert_eq!((receive(&mut follower).as_str(), receive(&mut follower).as_str()), ("theirs", "ours"));
        ready.store(1, Ordering::Release);
        assert_eq!(event(&mut follower), FileEvent::Replaced);
        assert_eq!(receive(&mut follower), "new");
        0
    });
    while ready.load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    replace(&path, b"new\n", &ReplaceOptions::default()).unwrap();
    assert_eq!(reader.wait(), 0);
}

#[test]
fn bytes_that_come_one_by_one_are_one_record() {
    let alone = Alone::new();
    let path = alone.path("log");
    let file = std::fs::File::create(&path).unwrap();
    let mut follower = follow(&path);
    let text = b"slowly but whole\n";
    for (index, byte) in text.iter().enumerate() {
        assert!(is_at_end(&mut follower));
        file.write_all_at(&[*byte], index as u64).unwrap();
    }
    assert_eq!(receive(&mut follower), "slowly but whole");
    assert_eq!(follower.path(), path);
}

#[test]
fn what_never_ends_is_not_waited_for() {
    let alone = Alone::new();
    let path = alone.path("log");
    let file = std::fs::File::create(&path).unwrap();
    let mut follower = Follower::open(&path, &FollowerOptions { largest: 1000, ..Default::default() }).unwrap();
    // A line that is longer than it can be read in a while; it is told once, and passed over in pieces.
    file.set_len(300 << 20).unwrap();
    assert!(follower.receive_vec(Wait::NEVER).unwrap_err().is(Errno::EMSGSIZE));
    let mut calls = 0;
    plain(&path, b"\nfound\n");
    loop {
        match follower.receive_vec(Wait::NEVER) {
            Ok((record, _)) => break assert_eq!(record, b"found"),
            Err(error) => assert!(error.is(Errno::EAGAIN), "{error}"),
        }
        // There is more, and the descriptor says so.
        let mut polled = libc::pollfd { fd: std::os::fd::AsRawFd::as_raw_fd(&follower.fd().unwrap()), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd.
        assert_eq!(unsafe { libc::poll(&mut polled, 1, 0) }, 1);
        calls += 1;
    }
    assert!(calls > 100, "{calls}");
}

#[test]
fn a_child_forked_while_its_parent_appends_does_not_keep_the_lock() {
    let alone = Alone::new();
    let path = alone.path("log");
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                add(&path, &[b'x'; 10_000]);
            }
        });
        let children: Vec<Child> = (0..50)
            .map(|_| {
                Child::fork(|| {
                    std::thread::sleep(HANG);
                    0
                })
            })
            .collect();
        is_over.store(true, Ordering::Relaxed);
        // Each of them may have a copy of the descriptor, and lives on.
        add(&path, b"last");
        drop(children);
    });
}
