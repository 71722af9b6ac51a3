//! Unix sockets: paths that are published, reclaimed and never stolen, and peers that are known.

mod support;

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use support::alone::{Alone, flags, in_a_storm, is_root};
use support::process::Child;
use support::shared::SharedPages;
use support::waits::ends_in_every_way;
use unipc::stream::{Listener, UnixConnectOptions, UnixListenOptions, UnixListener, UnixStream};
use unipc::{Failure, Stop, Wait};

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(30);

fn listen(path: &str) -> unipc::Result<UnixListener> {
    UnixListener::open(path, &UnixListenOptions::default())
}

fn connect<'a>(path: &str, wait: impl Into<Wait<'a>>) -> unipc::Result<UnixStream> {
    UnixStream::connect(path, &UnixConnectOptions::default(), wait)
}

/// Leaves a path behind as a killed server does.
fn leave_stale(path: &str) {
    let socket = std::os::unix::net::UnixListener::bind(path).unwrap();
    drop(socket);
    assert!(connect(path, Wait::NEVER).unwrap_err().is(Errno::ECONNREFUSED));
}

#[test]
fn both_ways_and_who_it_is() {
    let alone = Alone::new();
    let path = alone.path("server");
    let abstract_name = format!("@unipc-test-{}", std::process::id());
    for address in [path.as_str(), &abstract_name] {
        let listener = listen(address).unwrap();
        assert_eq!(listener.address().unwrap(), address);
        let client = Child::fork(|| {
            let stream = connect(address, HANG).unwrap();
            assert_eq!(stream.peer_address().unwrap(), address);
            // SAFETY: getppid takes nothing.
            assert_eq!(stream.peer_credentials().unwrap().pid, unsafe { libc::getppid() });
            stream.write_all_within(b"ping", HANG).unwrap();
            stream.read_exact_within(&mut [0; 4], HANG).unwrap();
            0
        });
        let stream = listener.accept(HANG).unwrap();
        let credentials = stream.peer_credentials().unwrap();
        // SAFETY: both take nothing and always succeed.
        let own = unsafe { (libc::geteuid(), libc::getegid()) };
        assert_eq!((credentials.pid, credentials.uid, credentials.gid), (client.id(), own.0, own.1));
        assert_eq!(stream.peer_address().unwrap(), "");
        match stream.peer_pidfd() {
            Ok(pidfd) => {
                let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).unwrap();
                assert!(info.contains(&format!("Pid:\t{}\n", client.id())), "{info}");
            }
            Err(error) => assert!(error.is_failure(Failure::Unavailable), "{error}"),
        }
        stream.read_exact_within(&mut [0; 4], HANG).unwrap();
        stream.write_all_within(b"pong", HANG).unwrap();
        assert_eq!(client.wait(), 0);
    }
    assert_eq!(alone.names(), [""; 0]);
}

#[test]
fn a_path_has_107_bytes_at_most() {
    let alone = Alone::new();
    let base = alone.path("");
    let longest = format!("{base}{}", "x".repeat(107 - base.len()));
    let listener = listen(&longest).unwrap();
    connect(&longest, HANG).unwrap();
    assert_eq!(listener.address().unwrap(), longest);
    for too_long in [format!("{longest}x"), format!("@{}", "x".repeat(108)), "x".repeat(5000)] {
        for error in [listen(&too_long).unwrap_err(), connect(&too_long, HANG).unwrap_err()] {
            assert!(error.is(Errno::ENAMETOOLONG) && error.to_string().contains("107"), "{error}");
        }
    }
    let abstract_name = format!("@{:x<107}", std::process::id());
    let _listener = listen(&abstract_name).unwrap();
    connect(&abstract_name, HANG).unwrap();
    for nothing in ["", "@", "a\0b"] {
        assert!(listen(nothing).unwrap_err().is(Errno::EINVAL), "{nothing:?}");
        assert!(connect(nothing, HANG).unwrap_err().is(Errno::EINVAL), "{nothing:?}");
    }
    for no_name in [alone.path("."), alone.path(".."), alone.path("x/"), "/".into()] {
        assert!(listen(&no_name).is_err(), "{no_name}");
    }
    let missing = listen(&alone.path("no/such")).unwrap_err();
    assert!(missing.is(Errno::ENOENT) && missing.to_string().contains("directory"), "{missing}");
}

#[test]
fn a_live_server_keeps_its_path_and_is_not_disturbed() {
    let alone = Alone::new();
    let path = alone.path("server");
    let listener = listen(&path).unwrap();
    for _ in 0..10 {
        let error = listen(&path).unwrap_err();
        assert!(error.is(Errno::EADDRINUSE), "{error}");
    }
    assert!(listener.accept(Wait::NEVER).unwrap_err().is(Errno::EAGAIN), "the question became a client");
    connect(&path, HANG).unwrap();
    assert_eq!(alone.names(), ["server"]);
    drop(listener);
    assert!(connect(&path, Wait::NEVER).unwrap_err().is(Errno::ENOENT));
}

#[test]
fn a_dead_servers_path_is_reclaimed() {
    let alone = Alone::new();
    let path = alone.path("server");
    let ready = SharedPages::<AtomicU32>::zeroed();
    let mut server = Child::fork(|| {
        let _listener = listen(&path).unwrap();
        ready.store(1, Ordering::Release);
        loop {
            // SAFETY: sleeps until killed.
            unsafe { libc::pause() };
        }
    });
    while ready.load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    assert!(listen(&path).unwrap_err().is(Errno::EADDRINUSE));
    server.kill();
    let listener = listen(&path).unwrap();
    connect(&path, HANG).unwrap();
    drop(listener);
    assert_eq!(alone.names(), [""; 0]);
}

#[test]
fn what_is_no_socket_is_never_touched() {
    let alone = Alone::new();
    std::fs::write(alone.path("file"), "precious").unwrap();
    std::fs::create_dir(alone.path("directory")).unwrap();
    unipc::stream::create_fifo(&alone.path("fifo"), &Default::default()).unwrap();
    leave_stale(&alone.path("stale"));
    std::os::unix::fs::symlink(alone.path("stale"), alone.path("link")).unwrap();
    let mut before = alone.names();
    for name in ["file", "directory", "fifo"] {
        for error in [listen(&alone.path(name)).unwrap_err(), connect(&alone.path(name), HANG).unwrap_err()] {
            assert!(error.is_failure(Failure::WrongKind), "{name}: {error}");
        }
    }
    for error in [listen(&alone.path("link")).unwrap_err(), connect(&alone.path("link"), HANG).unwrap_err()] {
        assert!(error.is(Errno::ELOOP), "{error}");
    }
    let mut after = alone.names();
    before.sort();
    after.sort();
    assert_eq!(before, after);
    assert_eq!(std::fs::read_to_string(alone.path("file")).unwrap(), "precious");

    let datagrams = std::os::unix::net::UnixDatagram::bind(alone.path("datagrams")).unwrap();
    assert!(listen(&alone.path("datagrams")).unwrap_err().is(Errno::EADDRINUSE));
    assert!(std::fs::symlink_metadata(alone.path("datagrams")).unwrap().file_type().is_socket());
    drop(datagrams);
    listen(&alone.path("datagrams")).unwrap();
}

#[test]
fn of_twenty_reclaimers_one_wins() {
    let alone = Alone::new();
    let path = alone.path("server");
    for round in 0..10 {
        leave_stale(&path);
        #[repr(C)]
        struct Shared {
            ready: AtomicU32,
            decided: AtomicU32,
            over: AtomicU32,
        }
        let shared = SharedPages::<Shared>::zeroed();
        let wait_until = |word: &AtomicU32, value| {
            while word.load(Ordering::Acquire) < value {
                std::thread::yield_now();
            }
        };
        let children: Vec<Child> = (0..20)
            .map(|_| {
                Child::fork(|| {
                    shared.ready.fetch_add(1, Ordering::AcqRel);
                    wait_until(&shared.ready, 20);
                    let result = listen(&path);
                    shared.decided.fetch_add(1, Ordering::AcqRel);
                    match result {
                        Ok(listener) => {
                            // The test connects, and whoever answers is the winner.
                            let found = listener.accept(HANG).is_ok();
                            wait_until(&shared.over, 1);
                            if found { 10 } else { 1 }
                        }
                        Err(error) if error.is(Errno::EADDRINUSE) => 20,
                        Err(_) => 2,
                    }
                })
            })
            .collect();
        wait_until(&shared.decided, 20);
        let stream = connect(&path, HANG);
        shared.over.store(1, Ordering::Release);
        let statuses: Vec<i32> = children.into_iter().map(Child::wait).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 10).count(), 1, "round {round}: {statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 20).count(), 19, "round {round}: {statuses:?}");
        stream.unwrap();
        assert_eq!(alone.names(), [""; 0]);
    }
}

#[test]
fn a_handover_never_loses_the_path() {
    let alone = Alone::new();
    let path = alone.path("server");
    // Two servers take turns as fast as they can: each path that a listener believes to have must lead to it while it has it.
    let work = || {
        for _ in 0..10_000 {
            let Ok(listener) = listen(&path) else { continue };
            let stream = match connect(&path, HANG) {
                Ok(stream) => stream,
                Err(error) => {
                    eprintln!("{error}");
                    return 1;
                }
            };
            // SAFETY: getpid takes nothing.
            if stream.peer_credentials().unwrap().pid != unsafe { libc::getpid() } {
                return 2;
            }
            drop(listener);
        }
        0
    };
    let servers = [Child::fork(work), Child::fork(work), Child::fork(work)];
    for server in servers {
        assert_eq!(server.wait(), 0);
    }
    assert_eq!(alone.names(), [""; 0]);
}

#[test]
fn a_path_appears_when_it_listens() {
    let alone = Alone::new();
    const COUNT: u32 = 300;
    let progress = SharedPages::<AtomicU32>::zeroed();
    let path = |index: u32| alone.path(&index.to_string());
    let connector = Child::fork(|| {
        for index in 0..COUNT {
            loop {
                match connect(&path(index), HANG) {
                    Ok(_) => break,
                    Err(error) if error.is(Errno::ENOENT) => {}
                    Err(error) => {
                        eprintln!("{error}");
                        return 1;
                    }
                }
            }
            progress.store(index + 1, Ordering::Release);
        }
        0
    });
    for index in 0..COUNT {
        let _listener = listen(&path(index)).unwrap();
        let start = Instant::now();
        while progress.load(Ordering::Acquire) <= index && start.elapsed() < HANG {
            std::hint::spin_loop();
        }
    }
    assert_eq!(connector.wait(), 0);
}

#[test]
fn the_mode_is_exact_and_the_path_is_only_its_makers() {
    let alone = Alone::new();
    let path = alone.path("server");
    // SAFETY: always succeeds.
    let group = unsafe { libc::getegid() };
    // SAFETY: umask takes and gives an integer; the tests of this program take turns.
    let umask = unsafe { libc::umask(0o077) };
    for (asked, got) in [(0, 0o600), (0o666, 0o666), (0o720, 0o720)] {
        let options = UnixListenOptions { mode: asked, group: Some(group.to_string()), backlog: 5 };
        let _listener = UnixListener::open(&path, &options).unwrap();
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, got);
        assert_eq!((metadata.gid(), metadata.nlink()), (group, 1));
    }
    // SAFETY: as above.
    unsafe { libc::umask(umask) };
    for options in [
        UnixListenOptions { mode: 0o1777, ..Default::default() },
        UnixListenOptions { group: Some("no-such-group-here".into()), ..Default::default() },
    ] {
        assert!(UnixListener::open(&path, &options).unwrap_err().is(Errno::EINVAL));
    }
    assert_eq!(alone.names(), [""; 0]);
}

#[test]
fn a_directory_that_is_no_text_is_the_directory() {
    use std::os::unix::ffi::OsStrExt;
    let alone = Alone::new();
    let odd = std::path::Path::new(&alone.path("")).join(std::ffi::OsStr::from_bytes(b"\xff"));
    std::fs::create_dir_all(odd.join("sub")).unwrap();
    let home = std::env::current_dir().unwrap();
    std::env::set_current_dir(&odd).unwrap();
    let listener = listen("sub/server").unwrap();
    assert!(odd.join("sub/server").exists() && !odd.join("server").exists());
    connect("sub/server", HANG).unwrap();
    let address = listener.address().unwrap();
    assert!(address.starts_with('\\') && address.ends_with("\\xff/sub/server"), "{address}");
    assert!(connect(&address, HANG).unwrap_err().is(Errno::EINVAL));
    // It is removed from wherever one is.
    std::env::set_current_dir(home).unwrap();
    drop(listener);
    assert!(!odd.join("sub/server").exists());
    std::fs::remove_dir_all(&odd).unwrap();
}

#[test]
fn dropping_removes_only_ones_own_path() {
    let alone = Alone::new();
    let path = alone.path("server");
    let listener = listen(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let successor = listen(&path).unwrap();
    drop(listener);
    connect(&path, HANG).unwrap();

    let mut inherited = Some(successor);
    let child = Child::fork(|| {
        drop(inherited.take());
        0
    });
    assert_eq!(child.wait(), 0);
    connect(&path, HANG).unwrap();

    let successor = inherited.take().unwrap();
    assert_eq!(flags(&successor) & libc::O_NONBLOCK, libc::O_NONBLOCK);
    let released = OwnedFd::from(successor);
    assert_eq!(flags(&released) & libc::O_NONBLOCK, 0);
    connect(&path, HANG).unwrap();

    // SAFETY: F_SETFL with integers; the description is the test's.
    unsafe { libc::fcntl(released.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    let adopted = Listener::adopt(released).unwrap();
    // The kernel only knows the name that it was bound under.
    assert_eq!(adopted.address().unwrap(), "");
    for _ in 0..2 {
        adopted.accept(HANG).unwrap();
    }
    let released = OwnedFd::from(adopted);
    assert_eq!(flags(&released) & libc::O_NONBLOCK, libc::O_NONBLOCK, "the flags of an adopted description changed");
    drop(released);
    assert_eq!(alone.names(), ["server"]);
}

#[test]
fn a_full_queue_is_waited_for() {
    let alone = Alone::new();
    let path = alone.path("server");
    let listener = UnixListener::open(&path, &UnixListenOptions { backlog: 1, ..Default::default() }).unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = connect(&path, Wait::NEVER) {
        queued.push(stream);
        assert!(queued.len() < 100);
    }
    ends_in_every_way("connect", |wait| connect(&path, wait).unwrap_err());
    let impatient = UnixConnectOptions { wait_for_listener: true, ..Default::default() };
    ends_in_every_way("connect, wait for listener", |wait| UnixStream::connect(&path, &impatient, wait).unwrap_err());
    for wait in [Wait::FOREVER, HANG.into()] {
        std::thread::scope(|scope| {
            let late = scope.spawn(|| in_a_storm(|| connect(&path, wait)).unwrap());
            std::thread::sleep(SHORT);
            let accepted = listener.accept(HANG).unwrap();
            let stream = late.join().unwrap();
            assert_eq!(flags(&stream) & libc::O_NONBLOCK, 0);
            let patience = socket2::SockRef::from(&stream).write_timeout().unwrap();
            assert_eq!(patience, None, "the limit of connecting stayed on the stream");
            drop(accepted);
        });
    }
}

#[test]
fn accepting_ends() {
    let alone = Alone::new();
    let listener = listen(&alone.path("server")).unwrap();
    ends_in_every_way("accept", |wait| listener.accept(wait).unwrap_err());
    let adopted = Listener::adopt(std::os::unix::net::UnixListener::bind(alone.path("blocking")).unwrap().into()).unwrap();
    ends_in_every_way("accept on a blocking listener", |wait| adopted.accept(wait).unwrap_err());
}

#[test]
fn of_several_acceptors_one_gets_the_connection() {
    let alone = Alone::new();
    let path = alone.path("server");
    let listener = listen(&path).unwrap();
    for _ in 0..10 {
        let children: Vec<Child> = (0..4).map(|_| Child::fork(|| i32::from(listener.accept(20 * SHORT).is_ok()))).collect();
        let _stream = connect(&path, HANG).unwrap();
        assert_eq!(children.into_iter().map(Child::wait).sum::<i32>(), 1);
    }
}

fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is valid to write to.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn without_descriptors_accepting_neither_spins_nor_loses_a_connection() {
    let alone = Alone::new();
    let path = alone.path("server");
    let listener = listen(&path).unwrap();
    let child = Child::fork(|| {
        let mut hoard: Vec<OwnedFd> = Vec::new();
        let hoard_all = |hoard: &mut Vec<OwnedFd>| {
            // SAFETY: dup takes an integer.
            while let raw @ 0.. = unsafe { libc::dup(0) } {
                // SAFETY: the descriptor is fresh, and ours.
                hoard.push(unsafe { OwnedFd::from_raw_fd(raw) });
            }
        };
        let few = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
        // SAFETY: the limit is valid to read.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &few) };
        hoard_all(&mut hoard);
        // Nobody has come: that there is no descriptor does not matter yet.
        assert!(listener.accept(Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
        assert!(listener.accept(SHORT).unwrap_err().is(Errno::ETIMEDOUT));
        hoard.truncate(hoard.len() - 2);
        let stream = connect(&path, HANG).unwrap();
        hoard_all(&mut hoard);
        for wait in [Wait::NEVER, Wait::FOREVER, HANG.into()] {
            let error = listener.accept(wait).unwrap_err();
            assert!(error.is(Errno::EMFILE), "{error}");
        }
        let (start, before) = (Instant::now(), processor_time());
        for _ in 0..10 {
            assert!(listener.accept(Wait::FOREVER).unwrap_err().is(Errno::EMFILE));
        }
        // Ten calls that spin would use all of it, or be over at once and be called again.
        assert!(start.elapsed() > Duration::from_millis(500), "{:?}", start.elapsed());
        assert!(processor_time() - before < start.elapsed() / 4, "{:?}", processor_time() - before);
        hoard.clear();
        let accepted = listener.accept(HANG).unwrap();
        stream.write_all_within(b"x", HANG).unwrap();
        accepted.read_exact_within(&mut [0], HANG).unwrap();
        0
    });
    assert_eq!(child.wait(), 0);
}

#[test]
fn a_listener_that_comes_later_is_waited_for() {
    let alone = Alone::new();
    let path = alone.path("server");
    let patient = UnixConnectOptions { wait_for_listener: true, ..Default::default() };
    for is_stale in [false, true] {
        if is_stale {
            leave_stale(&path);
        }
        let error = UnixStream::connect(&path, &patient, SHORT).unwrap_err();
        assert!(error.is(Errno::ETIMEDOUT), "{error}");
        let stop = Stop::new().unwrap();
        stop.request();
        assert!(UnixStream::connect(&path, &patient, &stop).unwrap_err().is(Errno::ECANCELED));
        let server = Child::fork(|| {
            std::thread::sleep(SHORT);
            let listener = listen(&path).unwrap();
            i32::from(listener.accept(HANG).is_err())
        });
        UnixStream::connect(&path, &patient, HANG).unwrap();
        // The child leaves without dropping.
        assert_eq!(server.wait(), 0);
        let _ = std::fs::remove_file(&path);
    }
}

#[test]
fn a_strangers_listener_is_refused() {
    if !is_root() {
        eprintln!("needs root to play another user");
        return;
    }
    let alone = Alone::new();
    let path = alone.path("server");
    std::fs::set_permissions(alone.path(""), std::fs::Permissions::from_mode(0o777)).unwrap();
    let ready = SharedPages::<AtomicU32>::zeroed();
    let mut stranger = Child::fork(|| {
        // SAFETY: setresuid takes integers.
        assert_eq!(unsafe { libc::setresuid(12345, 12345, 12345) }, 0);
        let listener = UnixListener::open(&path, &UnixListenOptions { mode: 0o666, ..Default::default() }).unwrap();
        ready.store(1, Ordering::Release);
        while listener.accept(HANG).is_ok() {}
        0
    });
    while ready.load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    let error = connect(&path, HANG).unwrap_err();
    assert!(error.is(Errno::EPERM) && error.to_string().contains("12345"), "{error}");
    let any = UnixConnectOptions { any_owner: true, ..Default::default() };
    assert_eq!(UnixStream::connect(&path, &any, HANG).unwrap().peer_credentials().unwrap().uid, 12345);
    assert!(listen(&path).unwrap_err().is(Errno::EADDRINUSE));
    stranger.kill();
}

#[test]
fn a_pair_is_for_relatives() {
    let _alone = Alone::new();
    let (first, second) = UnixStream::pair().unwrap();
    let child = Child::fork(|| {
        let mut byte = [0];
        second.read_exact_within(&mut byte, HANG).unwrap();
        second.write_all_within(&[byte[0] + 1], HANG).unwrap();
        0
    });
    first.write_all_within(&[41], HANG).unwrap();
    let mut byte = [0];
    first.read_exact_within(&mut byte, HANG).unwrap();
    assert_eq!((byte, child.wait()), ([42], 0));
    // SAFETY: F_GETFD returns an integer.
    let descriptor_flags = unsafe { libc::fcntl(first.as_fd().as_raw_fd(), libc::F_GETFD) };
    assert_eq!(descriptor_flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
}
