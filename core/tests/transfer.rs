//! Bytes from any descriptor to any: every pair byte-exact and by the way that it says, every wait with an end, nothing killed by SIGPIPE.

mod support;

use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::time::Duration;

use nix::errno::Errno;
use support::alone::Alone;
use support::contained::contained;
use support::process::{Child, kills};
use support::queues::random_time;
use support::waits::ends_in_every_way;
use unipc::Wait;
use unipc::stream::{TransferOptions, TransferWay, Transferred, UnixStream, pipe, tee, transfer, vmsplice};

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);
const SIZE: usize = 1_000_003;
const LARGE: u64 = 64 << 20;

fn data() -> Vec<u8> {
    (0..SIZE as u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn tcp() -> (OwnedFd, OwnedFd) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near.into(), listener.accept().unwrap().0.into())
}

fn make_nonblocking(descriptor: &OwnedFd) {
    // SAFETY: these take and return integers.
    unsafe {
        let flags = libc::fcntl(descriptor.as_raw_fd(), libc::F_GETFL);
        libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK);
    }
}

fn connection(kind: &str) -> (OwnedFd, OwnedFd) {
    match kind.trim_end_matches(", not blocking") {
        "pipe" => pipe().map(|(reader, writer)| (writer.into(), reader.into())).unwrap(),
        "unix" => UnixStream::pair().map(|(near, far)| (near.into(), far.into())).unwrap(),
        "tcp" => tcp(),
        other => panic!("{other}"),
    }
}

/// Runs `work` with a source that gives all the data and then ends.
fn with_source<T>(kind: &str, alone: &Alone, work: impl FnOnce(OwnedFd) -> T) -> T {
    if kind == "file" {
        std::fs::write(alone.path("source"), data()).unwrap();
        return work(std::fs::File::open(alone.path("source")).unwrap().into());
    }
    let (near, far) = connection(kind);
    if kind.ends_with("not blocking") {
        make_nonblocking(&far);
    }
    std::thread::scope(|scope| {
        scope.spawn(move || std::fs::File::from(near).write_all(&data()));
        work(far)
    })
}

/// Runs `work` with a destination, and gives what arrived there, too.
fn with_destination<T>(kind: &str, alone: &Alone, work: impl FnOnce(OwnedFd) -> T) -> (T, Vec<u8>) {
    if kind == "file" || kind == "append" {
        let path = alone.path("destination");
        let _ = std::fs::remove_file(&path);
        let file = std::fs::File::options().create(true).write(kind == "file").append(kind == "append").open(&path).unwrap();
        let result = work(file.into());
        return (result, std::fs::read(path).unwrap());
    }
    let (near, far) = connection(kind);
    if kind.ends_with("not blocking") {
        make_nonblocking(&near);
    }
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut got = Vec::new();
            std::fs::File::from(far).read_to_end(&mut got).unwrap();
            got
        });
        let result = work(near);
        (result, reader.join().unwrap())
    })
}

#[test]
fn every_pair_is_byte_exact_and_says_its_way() {
    use TransferWay::{CopyFileRange, ReadWrite, Sendfile, Splice, SpliceTwice};
    let alone = Alone::new();
    let expected = data();
    let pairs: &[(&str, &str, TransferWay)] = &[
        ("file", "file", CopyFileRange),
        ("file", "append", ReadWrite),
        ("file", "pipe", Splice),
        ("file", "unix", Sendfile),
        ("file", "tcp", Sendfile),
        ("file", "tcp, not blocking", Sendfile),
        ("file", "unix, not blocking", Sendfile),
        ("pipe", "file", Splice),
        ("pipe", "append", ReadWrite),
        ("pipe", "pipe", Splice),
        ("pipe, not blocking", "pipe, not blocking", Splice),
        ("pipe", "unix", Splice),
        ("pipe", "tcp", Splice),
        ("unix", "file", SpliceTwice),
        ("unix", "append", ReadWrite),
        ("unix", "pipe", Splice),
        ("unix", "tcp", SpliceTwice),
        ("tcp", "file", SpliceTwice),
        ("tcp", "pipe", Splice),
        ("tcp", "unix", SpliceTwice),
        ("tcp, not blocking", "tcp, not blocking", SpliceTwice),
        ("unix, not blocking", "unix, not blocking", SpliceTwice),
    ];
    for (from, to, way) in pairs {
        for wait in [Wait::FOREVER, Wait::from(HANG)] {
            for only in [None, Some(ReadWrite)] {
                let options = TransferOptions { way: only, ..Default::default() };
                let run =
                    |source: OwnedFd| with_destination(to, &alone, |destination| transfer(source, destination, &options, wait).unwrap());
                let (done, got) = with_source(from, &alone, run);
                assert!(got == expected, "{from} to {to}: {} bytes of {SIZE}", got.len());
                let way = only.unwrap_or(*way);
                assert_eq!(done, Transferred { bytes: SIZE as u64, way, at_end: true }, "{from} to {to}, {wait:?}");
            }
        }
    }
}

#[test]
fn lengths_and_offsets() {
    let alone = Alone::new();
    let expected = data();
    std::fs::write(alone.path("source"), &expected).unwrap();
    let mut source = std::fs::File::open(alone.path("source")).unwrap();
    for way in [None, Some(TransferWay::ReadWrite), Some(TransferWay::CopyFileRange)] {
        let mut target = std::fs::File::create_new(alone.path("target")).unwrap();
        let options = TransferOptions { length: Some(1000), source_offset: Some(500), destination_offset: Some(10), way };
        let done = transfer(&source, &target, &options, None).unwrap();
        assert_eq!((done.bytes, done.at_end), (1000, false));
        assert_eq!((source.stream_position().unwrap(), target.stream_position().unwrap()), (0, 0));
        let got = std::fs::read(alone.path("target")).unwrap();
        assert_eq!((&got[..10], &got[10..]), (&[0; 10][..], &expected[500..1500]));
        // At the positions.
        source.seek(SeekFrom::Start(7)).unwrap();
        let done = transfer(&source, &target, &TransferOptions { length: Some(100), way, ..Default::default() }, HANG).unwrap();
        assert_eq!(done.bytes, 100);
        assert_eq!((source.stream_position().unwrap(), target.stream_position().unwrap()), (107, 100));
        assert_eq!(&std::fs::read(alone.path("target")).unwrap()[..100], &expected[7..107]);
        source.rewind().unwrap();
        for length in [0, 1, SIZE as u64 - 1, SIZE as u64, SIZE as u64 + 1] {
            target.rewind().unwrap();
            let options = TransferOptions { length: Some(length), source_offset: Some(0), way, ..Default::default() };
            let done = transfer(&source, &target, &options, None).unwrap();
            assert_eq!((done.bytes, done.at_end), (length.min(SIZE as u64), length > SIZE as u64));
        }
        std::fs::remove_file(alone.path("target")).unwrap();
    }
    let (reader, writer) = pipe().unwrap();
    let at = |source_offset, destination_offset| TransferOptions { source_offset, destination_offset, ..Default::default() };
    assert!(transfer(&reader, &source, &at(Some(0), None), None).unwrap_err().is(Errno::ESPIPE));
    assert!(transfer(&source, &writer, &at(None, Some(0)), None).unwrap_err().is(Errno::ESPIPE));
    assert!(transfer(&source, &writer, &at(Some(u64::MAX), None), None).unwrap_err().is(Errno::EINVAL));
    assert!(transfer(&writer, &reader, &Default::default(), None).unwrap_err().is(Errno::EBADF));
    let both = TransferOptions { way: Some(TransferWay::Sendfile), destination_offset: Some(1), ..Default::default() };
    assert!(transfer(&source, &source, &both, None).unwrap_err().is(Errno::EINVAL));
}

#[test]
fn files_that_are_made_when_they_are_read() {
    let alone = Alone::new();
    let target = std::fs::File::create(alone.path("target")).unwrap();
    let done = transfer(std::fs::File::open("/proc/version").unwrap(), &target, &Default::default(), None).unwrap();
    let expected = std::fs::read("/proc/version").unwrap();
    assert_eq!(done.bytes, expected.len() as u64);
    assert_eq!(std::fs::read(alone.path("target")).unwrap(), expected);
}

#[test]
fn every_wait_ends() {
    let alone = Alone::new();
    // More than any socket holds.
    std::fs::File::create(alone.path("source")).unwrap().set_len(LARGE).unwrap();
    let file = std::fs::File::open(alone.path("source")).unwrap();
    let again = || file.try_clone().unwrap();
    let ways = [None, Some(TransferWay::ReadWrite)];
    for way in ways {
        let options = TransferOptions { way, ..Default::default() };
        for (from, to) in [("pipe", "pipe"), ("unix", "unix"), ("tcp", "unix"), ("unix", "pipe"), ("pipe", "tcp")] {
            let ((_near, source), (destination, _far)) = (connection(from), connection(to));
            ends_in_every_way(&format!("{from} to {to}, empty"), |wait| transfer(&source, &destination, &options, wait).unwrap_err());
        }
        for to in ["pipe", "unix", "tcp"] {
            let (destination, _far) = connection(to);
            let mut sent = 0;
            ends_in_every_way(&format!("file to {to}, full"), |wait| {
                again().rewind().unwrap();
                let error = transfer(&file, &destination, &options, wait).unwrap_err();
                sent += error.transferred();
                error
            });
            assert!(sent > 4000 && (sent as u64) < 9 * LARGE, "{to}: {sent}");
            // What was told is what the destination has got, and where the file's position is.
            let mut file = again();
            file.rewind().unwrap();
            let (destination, far) = connection(to);
            let error = transfer(&file, &destination, &options, Duration::from_millis(50)).unwrap_err();
            drop(destination);
            let mut got = Vec::new();
            std::fs::File::from(far).read_to_end(&mut got).unwrap();
            assert_eq!(got.len(), error.transferred(), "{to}: {error}");
            assert_eq!(file.stream_position().unwrap(), got.len() as u64, "{to}: nothing was taken that did not arrive");
        }
    }
    // A source that never ends lets it look at the time all the same.
    let (zero, null) = (std::fs::File::open("/dev/zero").unwrap(), std::fs::File::create("/dev/null").unwrap());
    let error = transfer(&zero, &null, &Default::default(), Duration::from_millis(50)).unwrap_err();
    assert!(error.is(Errno::ETIMEDOUT) && error.transferred() > 0);
    let done = transfer(&zero, &null, &TransferOptions { length: Some(100_000), ..Default::default() }, Wait::NEVER).unwrap();
    assert_eq!(done.bytes, 100_000);
}

#[test]
fn a_destination_that_nobody_reads_is_an_error_and_no_signal() {
    let alone = Alone::new();
    std::fs::write(alone.path("source"), data()).unwrap();
    contained(|_| {
        // SAFETY: SIG_DFL is a disposition: SIGPIPE would end this process.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        for way in [None, Some(TransferWay::ReadWrite)] {
            for from in ["file", "pipe", "unix"] {
                for to in ["pipe", "unix", "tcp"] {
                    for wait in [Wait::FOREVER, Wait::from(HANG)] {
                        let (destination, far) = connection(to);
                        drop(far);
                        let (source, feeder): (OwnedFd, Option<OwnedFd>) = match from {
                            "file" => (std::fs::File::open(alone.path("source")).unwrap().into(), None),
                            kind => {
                                let (near, source) = connection(kind);
                                std::fs::File::from(near.try_clone().unwrap()).write_all(&[7; 50_000]).unwrap();
                                (source, Some(near))
                            }
                        };
                        drop(feeder);
                        let options = TransferOptions { way, ..Default::default() };
                        // TCP may take the first bytes before it learns of the end.
                        let mut last = transfer(&source, &destination, &options, wait);
                        for _ in 0..5 {
                            if last.is_ok() {
                                last = transfer(std::fs::File::open(alone.path("source")).unwrap(), &destination, &options, wait);
                            }
                        }
                        let error = last.unwrap_err();
                        assert!(error.is(Errno::EPIPE) || error.is(Errno::ECONNRESET), "{from} to {to}: {error}");
                    }
                }
            }
        }
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        assert!(vmsplice(&writer, b"x", None).unwrap_err().is(Errno::EPIPE));
        // SAFETY: the set is valid to write to.
        let pending = unsafe {
            let mut pending = std::mem::zeroed();
            libc::sigpending(&mut pending);
            libc::sigismember(&pending, libc::SIGPIPE)
        };
        assert_eq!(pending, 0);
    });
}

#[test]
fn a_reader_that_is_killed() {
    let alone = Alone::new();
    std::fs::write(alone.path("source"), data()).unwrap();
    let rounds: u64 = kills();
    let mut seed = 5;
    for round in 0..rounds {
        let to = ["pipe", "unix", "tcp"][round as usize % 3];
        let (destination, far) = connection(to);
        let mut child = Child::fork(|| {
            let mut far = std::fs::File::from(far.try_clone().unwrap());
            let mut buffer = [0; 1000];
            while far.read(&mut buffer).is_ok_and(|count| count > 0) {}
            0
        });
        drop(far);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                random_time(&mut seed, 2000);
                child.kill();
            });
            let wait = if round % 2 == 0 { Wait::FOREVER } else { Wait::from(HANG) };
            let outcome = loop {
                let file = std::fs::File::open(alone.path("source")).unwrap();
                match transfer(&file, &destination, &Default::default(), wait) {
                    Ok(done) => assert_eq!(done.bytes, SIZE as u64),
                    Err(error) => break error,
                }
            };
            assert!(outcome.is(Errno::EPIPE) || outcome.is(Errno::ECONNRESET), "{outcome}");
        });
    }
    println!("{rounds} readers killed");
}

#[test]
fn tee_takes_nothing_out() {
    let _alone = Alone::new();
    let ((reader, writer), (copy, twin)) = (pipe().unwrap(), pipe().unwrap());
    ends_in_every_way("tee of an empty pipe", |wait| tee(&reader, &twin, 100, wait).unwrap_err());
    writer.write_all_within(b"both of us", None).unwrap();
    assert_eq!(tee(&reader, &twin, 4, None).unwrap(), 4);
    assert_eq!(tee(&reader, &twin, 100, HANG).unwrap(), 10);
    let mut got = [0; 14];
    copy.read_exact_within(&mut got, HANG).unwrap();
    assert_eq!(&got, b"bothboth of us");
    reader.read_exact_within(&mut got[..10], HANG).unwrap();
    assert_eq!(&got[..10], b"both of us");
    while twin.write_within(&[1; 4096], Wait::NEVER).is_ok() {}
    writer.write_all_within(b"x", None).unwrap();
    ends_in_every_way("tee to a full pipe", |wait| tee(&reader, &twin, 100, wait).unwrap_err());
    let (unix, _far) = UnixStream::pair().unwrap();
    assert!(tee(&unix, &twin, 1, None).unwrap_err().is(Errno::EINVAL));
    drop(copy);
    assert!(tee(&reader, &twin, 1, None).unwrap_err().is(Errno::EPIPE));
    reader.read_exact_within(&mut got[..1], HANG).unwrap();
    drop(writer);
    let (_other, into) = pipe().unwrap();
    assert_eq!(tee(&reader, &into, 1, None).unwrap(), 0);
}

#[test]
fn vmsplice_lends() {
    static LENT: [u8; 20_000] = [42; 20_000];
    let _alone = Alone::new();
    let (mut reader, writer) = pipe().unwrap();
    assert_eq!(vmsplice(&writer, &LENT, None).unwrap(), LENT.len());
    assert_eq!(vmsplice(&writer, &[], None).unwrap(), 0);
    let mut got = vec![0; LENT.len()];
    reader.read_exact(&mut got).unwrap();
    assert_eq!(got, LENT);
    while vmsplice(&writer, &LENT, Wait::NEVER).is_ok() {}
    ends_in_every_way("vmsplice into a full pipe", |wait| vmsplice(&writer, &LENT, wait).unwrap_err());
    let file = std::fs::File::open("/dev/null").unwrap();
    assert!(vmsplice(&file, &LENT, None).unwrap_err().is(Errno::EBADF));
}

/// What the trace looks at.
#[test]
#[ignore = "run by the test that traces it"]
fn transfers_to_trace() {
    let alone = Alone::new();
    for (from, to) in [("file", "tcp"), ("pipe", "pipe"), ("unix", "tcp"), ("file", "file")] {
        let run =
            |source: OwnedFd| with_destination(to, &alone, |destination| transfer(source, destination, &Default::default(), None).unwrap());
        let (done, got) = with_source(from, &alone, run);
        println!("{from} to {to}: {} bytes by {}", got.len(), done.way.name());
    }
    let ((reader, writer), (_copy, twin)) = (pipe().unwrap(), pipe().unwrap());
    vmsplice(&writer, b"lent", None).unwrap();
    tee(&reader, &twin, 4, None).unwrap();
}

#[test]
fn the_calls_that_are_named_are_made() {
    let alone = Alone::new();
    let trace = alone.path("trace");
    let own = std::env::current_exe().unwrap();
    let calls = "trace=sendfile,splice,copy_file_range,tee,vmsplice";
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o", &trace, "-e", calls]).arg(own).args(["--exact", "transfers_to_trace", "--ignored", "--nocapture"]);
    let output = strace.output().expect("strace is installed by scripts/setup");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for told in [
        "file to tcp: 1000003 bytes by sendfile",
        "pipe to pipe: 1000003 bytes by splice",
        "unix to tcp: 1000003 bytes by splice twice",
        "file to file: 1000003 bytes by copy_file_range",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let trace = std::fs::read_to_string(trace).unwrap();
    for call in ["sendfile", "splice", "copy_file_range", "tee", "vmsplice"] {
        let made = |line: &&str| line.contains(&format!("{call}(")) || line.contains(&format!("<... {call} resumed>"));
        let moved = |line: &&str| line.rsplit(" = ").next().and_then(|count| count.parse::<u64>().ok()).is_some_and(|count| count > 0);
        assert!(trace.lines().filter(made).any(|line| moved(&line)), "{call}: {trace}");
    }
}

/// A sandbox that refuses the calls: EPERM, or ENOSYS as an old kernel would.
#[test]
fn where_the_calls_are_refused_it_reads_and_writes() {
    let alone = Alone::new();
    std::fs::write(alone.path("source"), data()).unwrap();
    for errno in [libc::EPERM, libc::ENOSYS] {
        let child = Child::fork(|| {
            refuse(&[libc::SYS_sendfile, libc::SYS_splice, libc::SYS_copy_file_range], errno);
            for to in ["file", "pipe", "unix"] {
                for from in ["file", "unix"] {
                    let run = |source: OwnedFd| {
                        with_destination(to, &alone, |destination| transfer(source, destination, &Default::default(), HANG).unwrap())
                    };
                    let (done, got) = with_source(from, &alone, run);
                    assert!(got == data());
                    assert_eq!(done.way, TransferWay::ReadWrite);
                }
            }
            0
        });
        assert_eq!(child.wait(), 0);
    }
}

/// Has the kernel refuse system calls from now on.
fn refuse(calls: &[libc::c_long], errno: libc::c_int) {
    let statement = |code: u32, jump_true, jump_false, k| libc::sock_filter { code: code as u16, jt: jump_true, jf: jump_false, k };
    let mut filter = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
    for (index, call) in calls.iter().enumerate() {
        filter.push(statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, (calls.len() - index) as u8, 0, *call as u32));
    }
    filter.push(statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW));
    filter.push(statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32));
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program lives through the calls.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program), 0);
    }
}
