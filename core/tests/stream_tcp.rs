//! TCP on loopback: addresses, options, full queues and refusals.

mod support;

use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use socket2::SockRef;
use support::alone::{Alone, flags, in_a_storm};
use support::process::Child;
use support::waits::ends_in_every_way;
use unipc::stream::{Listener, TcpListener, TcpOptions, TcpStream};
use unipc::{Stop, Wait};

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(30);

fn plain() -> TcpOptions {
    TcpOptions::default()
}

fn listen() -> (TcpListener, u32) {
    let listener = TcpListener::open(None, 0, &plain()).unwrap();
    let port = listener.port().unwrap().into();
    (listener, port)
}

/// A port that nobody listens on.
fn unused_port() -> u32 {
    listen().1
}

fn has_ipv6() -> bool {
    std::net::TcpListener::bind("[::1]:0").is_ok()
}

#[test]
fn every_way_to_name_loopback() {
    let _alone = Alone::new();
    let mut hosts = vec![(None, 0, "127.0.0.1"), (Some("127.0.0.1"), 4, "127.0.0.1"), (Some("localhost"), 4, "127.0.0.1")];
    if has_ipv6() {
        hosts.extend([(None, 6, "[::1]"), (Some("::1"), 0, "[::1]"), (Some("[::1]"), 6, "[::1]")]);
    }
    for (host, family, text) in hosts {
        for resolve_on_thread in [false, true] {
            let options = TcpOptions { family, resolve_on_thread, ..plain() };
            let listener = TcpListener::open(host, 0, &options).unwrap();
            let port = listener.port().unwrap();
            assert_eq!(listener.address().unwrap(), format!("{text}:{port}"));
            let client = Child::fork(|| {
                let stream = TcpStream::connect(host, port.into(), &options, HANG).unwrap();
                assert_eq!(stream.peer_address().unwrap(), format!("{text}:{port}"));
                assert_eq!(flags(&stream) & libc::O_NONBLOCK, 0);
                stream.write_all_within(b"ping", HANG).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                let mut buffer = [0; 5];
                stream.read_exact_within(&mut buffer, HANG).unwrap();
                i32::from(&buffer != b"pong!")
            });
            let stream = listener.accept(HANG).unwrap();
            assert!(stream.peer_address().unwrap().starts_with(&format!("{text}:")));
            let mut buffer = [0; 4];
            stream.read_exact_within(&mut buffer, HANG).unwrap();
            assert_eq!(stream.read_within(&mut buffer, HANG).unwrap(), 0);
            stream.write_all_within(b"pong!", HANG).unwrap();
            assert_eq!(client.wait(), 0);
        }
    }
}

#[test]
fn nonsense_is_refused_with_its_limit() {
    let _alone = Alone::new();
    for port in [65_536, u32::MAX] {
        for error in [TcpListener::open(None, port, &plain()).unwrap_err(), TcpStream::connect(None, port, &plain(), HANG).unwrap_err()] {
            assert!(error.is(Errno::EINVAL) && error.to_string().contains("65535"), "{error}");
        }
    }
    assert!(TcpStream::connect(None, 0, &plain(), HANG).unwrap_err().is(Errno::EINVAL));
    assert!(TcpListener::open(Some(""), 0, &plain()).unwrap_err().is(Errno::EINVAL));
    assert!(TcpListener::open(None, 0, &TcpOptions { family: 5, ..plain() }).unwrap_err().is(Errno::EINVAL));
    assert!(TcpListener::open(Some("127.0.0.1"), 0, &TcpOptions { family: 6, ..plain() }).unwrap_err().is(Errno::EADDRNOTAVAIL));
    assert!(TcpListener::open(Some("a\0b"), 0, &plain()).is_err());
    // An address of the documentation, which is nobody's.
    assert!(TcpListener::open(Some("192.0.2.1"), 0, &plain()).unwrap_err().is(Errno::EADDRNOTAVAIL));
}

#[test]
fn a_refusal_names_the_address() {
    let _alone = Alone::new();
    let port = unused_port();
    for wait in [Wait::FOREVER, HANG.into()] {
        let error = TcpStream::connect(None, port, &plain(), wait).unwrap_err();
        assert!(error.is(Errno::ECONNREFUSED) && error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    }
    let (_listener, port) = listen();
    assert!(TcpListener::open(None, port, &plain()).unwrap_err().is(Errno::EADDRINUSE));
}

#[test]
fn a_caller_who_does_not_wait_is_served_if_it_can_be() {
    let _alone = Alone::new();
    let (listener, port) = listen();
    // The kernel may leave the handshake to a thread of its own when it is busy.
    let stream = (0..1000).find_map(|_| TcpStream::connect(None, port, &plain(), Wait::NEVER).ok());
    stream.expect("a connection within the machine").write_all_within(b"x", HANG).unwrap();
    listener.accept(HANG).unwrap();
}

#[test]
fn accepting_ends() {
    let _alone = Alone::new();
    let (listener, _) = listen();
    ends_in_every_way("listener.accept", |wait| listener.accept(wait).unwrap_err());
}

#[test]
fn a_full_queue_is_waited_for() {
    let _alone = Alone::new();
    let listener = TcpListener::open(None, 0, &TcpOptions { backlog: 1, ..plain() }).unwrap();
    let port = listener.port().unwrap().into();
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect(None, port, &plain(), SHORT) {
        queued.push(stream);
        assert!(queued.len() < 100);
    }
    ends_in_every_way("TcpStream::connect", |wait| TcpStream::connect(None, port, &plain(), wait).unwrap_err());
    std::thread::scope(|scope| {
        let late = scope.spawn(|| in_a_storm(|| TcpStream::connect(None, port, &plain(), HANG)).unwrap());
        for _ in &queued {
            listener.accept(HANG).unwrap();
        }
        late.join().unwrap();
    });
}

#[test]
fn a_listener_that_comes_later_is_waited_for() {
    let _alone = Alone::new();
    let port = unused_port();
    let patient = TcpOptions { wait_for_listener: true, ..plain() };
    let error = TcpStream::connect(None, port, &patient, SHORT).unwrap_err();
    assert!(error.is(Errno::ETIMEDOUT) && error.to_string().contains(&port.to_string()), "{error}");
    let stop = Stop::new().unwrap();
    stop.request();
    assert!(TcpStream::connect(None, port, &patient, &stop).unwrap_err().is(Errno::ECANCELED));
    let server = Child::fork(|| {
        std::thread::sleep(SHORT);
        let listener = TcpListener::open(None, port, &plain()).unwrap();
        i32::from(listener.accept(HANG).is_err())
    });
    TcpStream::connect(None, port, &patient, HANG).unwrap();
    assert_eq!(server.wait(), 0);
}

#[test]
fn options_reach_both_ends() {
    let _alone = Alone::new();
    let asked = TcpOptions {
        nodelay: Some(false),
        keep_alive: Some(true),
        keep_alive_idle: 33,
        keep_alive_interval: 7,
        keep_alive_count: 4,
        ..plain()
    };
    for options in [plain(), asked] {
        let listener = TcpListener::open(None, 0, &options).unwrap();
        let client = TcpStream::connect(None, listener.port().unwrap().into(), &options, HANG).unwrap();
        let server = listener.accept(HANG).unwrap();
        for stream in [SockRef::from(&client), SockRef::from(&server)] {
            assert_eq!(stream.tcp_nodelay().unwrap(), options.nodelay.unwrap_or(true));
            assert_eq!(stream.keepalive().unwrap(), options.keep_alive == Some(true));
            if options.keep_alive == Some(true) {
                assert_eq!(stream.tcp_keepalive_time().unwrap().as_secs(), 33);
                assert_eq!(stream.tcp_keepalive_interval().unwrap().as_secs(), 7);
                assert_eq!(stream.tcp_keepalive_retries().unwrap(), 4);
            }
        }
    }
    let shared = TcpOptions { reuse_port: true, ..plain() };
    let first = TcpListener::open(None, 0, &shared).unwrap();
    TcpListener::open(None, first.port().unwrap().into(), &shared).unwrap();
}

#[test]
fn a_listener_is_adopted_and_released_as_it_was() {
    let _alone = Alone::new();
    let (listener, port) = listen();
    assert_eq!(flags(&listener) & libc::O_NONBLOCK, libc::O_NONBLOCK);
    let released = OwnedFd::from(listener);
    assert_eq!(flags(&released) & libc::O_NONBLOCK, 0);
    for flag in [0, libc::O_NONBLOCK] {
        // SAFETY: F_SETFL with integers; the description is the test's.
        unsafe { libc::fcntl(released.as_raw_fd(), libc::F_SETFL, flag) };
        let adopted = Listener::adopt(released.try_clone().unwrap()).unwrap();
        assert_eq!(adopted.address().unwrap(), format!("127.0.0.1:{port}"));
        let client = TcpStream::connect(None, port, &plain(), HANG).unwrap();
        adopted.accept(HANG).unwrap();
        drop(client);
        assert!(adopted.accept(SHORT).unwrap_err().is(Errno::ETIMEDOUT));
        assert_eq!(flags(OwnedFd::from(adopted)) & libc::O_NONBLOCK, flag);
    }
}

/// With one port to choose from, a socket that connects to it gets it itself.
#[test]
fn nobody_is_connected_to_himself() {
    let _alone = Alone::new();
    for host in ["127.0.0.1", "0.0.0.0", "::1", "::"].into_iter().filter(|host| has_ipv6() || !host.contains(':')) {
        // Each in a network of its own: the port rests after its use.
        let child = Child::fork(|| {
            // SAFETY: unshare takes integers.
            let has_own = unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0
                && std::process::Command::new("ip").args(["link", "set", "lo", "up"]).status().is_ok_and(|status| status.success())
                && std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "45679 45679").is_ok();
            if !has_own {
                support::contained::not_looked("this needs a network namespace, and ip");
                return 0;
            }
            let error = TcpStream::connect(Some(host), 45679, &plain(), HANG).expect_err(host);
            assert!(error.is(Errno::ECONNREFUSED), "{error}");
            assert!(error.to_string().contains("nobody listens"), "not tried: {error}");
            0
        });
        assert_eq!(child.wait(), 0, "{host}");
    }
}

#[test]
fn a_peer_that_is_killed_ends_the_stream() {
    let _alone = Alone::new();
    let (listener, port) = listen();
    let mut client = Child::fork(|| {
        let stream = TcpStream::connect(None, port, &plain(), HANG).unwrap();
        stream.write_all_within(b"half", HANG).unwrap();
        loop {
            // SAFETY: sleeps until killed.
            unsafe { libc::pause() };
        }
    });
    let stream = listener.accept(HANG).unwrap();
    stream.read_exact_within(&mut [0; 4], HANG).unwrap();
    client.kill();
    assert_eq!(stream.read_within(&mut [0; 4], HANG).unwrap(), 0);
    let error = (0..1000).find_map(|_| stream.write_all_within(&[0; 10_000], HANG).err()).expect("nobody reads any more");
    assert!(error.is(Errno::EPIPE) || error.is(Errno::ECONNRESET), "{error}");
}
