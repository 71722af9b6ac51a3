//! Seqpacket sockets: boundaries, the end told from nothing, and peers that misbehave.

mod support;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use support::alone::{Alone, flags, in_a_storm, is_root};
use support::process::{Child, kills};
use support::shared::SharedPages;
use support::waits::ends_in_every_way;
use unipc::message::{Seqpacket, SeqpacketListener, SeqpacketOptions};
use unipc::stream::{UnixConnectOptions, UnixListenOptions, UnixListener, UnixStream};
use unipc::{Failure, Wait};

const HANG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(30);

fn listen(path: &str) -> unipc::Result<SeqpacketListener> {
    SeqpacketListener::open(path, &UnixListenOptions::default())
}

fn connect<'a>(path: &str, wait: impl Into<Wait<'a>>) -> unipc::Result<Seqpacket> {
    Seqpacket::connect(path, &UnixConnectOptions::default(), &SeqpacketOptions::default(), wait)
}

fn pair() -> (Seqpacket, Seqpacket) {
    Seqpacket::pair(&SeqpacketOptions::default()).unwrap()
}

fn receive(socket: &Seqpacket) -> unipc::Result<Vec<u8>> {
    let mut buffer = vec![0; 1 << 17];
    let size = socket.receive(&mut buffer, HANG)?.size;
    buffer.truncate(size);
    Ok(buffer)
}

#[test]
fn boundaries_are_kept_both_ways_between_two_processes() {
    let alone = Alone::new();
    for address in [alone.path("server"), format!("@unipc-seq-{}", std::process::id())] {
        let listener = listen(&address).unwrap();
        assert_eq!(listener.address().unwrap(), address);
        let client = Child::fork(|| {
            let socket = connect(&address, HANG).unwrap();
            assert_eq!(socket.peer_address().unwrap(), address);
            for message in [&b"one"[..], b"", b"three"] {
                socket.send(message, HANG).unwrap();
                assert_eq!(receive(&socket).unwrap(), message);
            }
            0
        });
        let socket = listener.accept(&SeqpacketOptions::default(), HANG).unwrap();
        assert_eq!(socket.peer_credentials().unwrap().pid, client.id());
        assert_eq!(socket.peer_address().unwrap(), "");
        for message in [&b"one"[..], b"", b"three"] {
            assert_eq!(receive(&socket).unwrap(), message);
            socket.send(message, HANG).unwrap();
        }
        assert!(receive(&socket).unwrap_err().is_failure(Failure::End));
        assert!(receive(&socket).unwrap_err().is_failure(Failure::End), "the end stays");
        assert_eq!(client.wait(), 0);
    }
    assert_eq!(alone.names(), [""; 0]);
}

#[test]
fn an_empty_message_is_not_the_end() {
    let _alone = Alone::new();
    for wait in [Wait::FOREVER, HANG.into(), Wait::NEVER] {
        let (first, second) = pair();
        for _ in 0..3 {
            first.send(b"", HANG).unwrap();
        }
        // Hung up already, and still there are three.
        drop(first);
        for _ in 0..3 {
            assert_eq!(second.next_size(wait).unwrap(), 0);
            assert_eq!(second.receive(&mut [0; 5], wait).unwrap().size, 0);
        }
        assert!(second.next_size(wait).unwrap_err().is_failure(Failure::End));
        assert!(second.receive(&mut [0; 5], wait).unwrap_err().is_failure(Failure::End));
        assert!(second.send(b"x", wait).unwrap_err().is(Errno::EPIPE));
    }
}

#[test]
fn messages_at_the_size_of_the_buffer() {
    let _alone = Alone::new();
    let (first, second) = pair();
    for (size, fits) in [(9, true), (10, true), (11, false), (1, true), (0, true)] {
        first.send(&[7; 11][..size], HANG).unwrap();
        assert_eq!(second.next_size(HANG).unwrap(), size);
        let mut buffer = [0; 10];
        match second.receive(&mut buffer, HANG) {
            Ok(info) => assert_eq!((fits, info.size), (true, size)),
            Err(error) => {
                assert!(!fits && error.is(Errno::EMSGSIZE), "{size}: {error}");
                assert_eq!(error.transferred(), 11);
            }
        }
    }
    first.send(b"x", HANG).unwrap();
    assert!(second.receive(&mut [], HANG).unwrap_err().is(Errno::EMSGSIZE));
    first.send(b"", HANG).unwrap();
    assert_eq!(second.receive(&mut [], HANG).unwrap().size, 0);
    let error = first.send(&vec![0; 1 << 24], HANG).unwrap_err();
    assert!(error.is(Errno::EMSGSIZE) && error.to_string().contains("16777216"), "{error}");
}

#[test]
fn waits_end() {
    let alone = Alone::new();
    let (first, second) = pair();
    ends_in_every_way("receive", |wait| second.receive(&mut [0; 10], wait).unwrap_err());
    ends_in_every_way("next size", |wait| second.next_size(wait).unwrap_err());
    let message = [1; 4096];
    let mut sent = 0;
    while first.send(&message, Wait::NEVER).is_ok() {
        sent += 1;
    }
    ends_in_every_way("send", |wait| first.send(&message, wait).unwrap_err());
    for _ in 0..sent {
        assert_eq!(receive(&second).unwrap(), message);
    }
    let listener = listen(&alone.path("server")).unwrap();
    ends_in_every_way("accept", |wait| listener.accept(&SeqpacketOptions::default(), wait).unwrap_err());
    let listener = SeqpacketListener::open(&alone.path("full"), &UnixListenOptions { backlog: 1, ..Default::default() }).unwrap();
    let mut queued = Vec::new();
    while let Ok(socket) = connect(&alone.path("full"), Wait::NEVER) {
        queued.push(socket);
    }
    ends_in_every_way("connect", |wait| connect(&alone.path("full"), wait).unwrap_err());
    drop(listener);
}

#[test]
fn a_full_peer_is_waited_for() {
    let _alone = Alone::new();
    for wait in [Wait::FOREVER, HANG.into()] {
        let (first, second) = pair();
        while first.send(&[1; 4096], Wait::NEVER).is_ok() {}
        std::thread::scope(|scope| {
            let late = scope.spawn(|| in_a_storm(|| first.send(b"last", wait)));
            std::thread::sleep(SHORT);
            while receive(&second).unwrap() != b"last" {}
            late.join().unwrap().unwrap();
        });
    }
}

#[test]
fn a_path_is_as_a_streams() {
    let alone = Alone::new();
    let path = alone.path("server");
    let listener = listen(&path).unwrap();
    assert!(listen(&path).unwrap_err().is(Errno::EADDRINUSE));
    assert!(UnixListener::open(&path, &Default::default()).unwrap_err().is(Errno::EADDRINUSE));
    let wrong = UnixStream::connect(&path, &Default::default(), HANG).unwrap_err();
    assert!(wrong.is(Errno::EPROTOTYPE), "{wrong}");
    drop(listener);
    assert!(connect(&path, Wait::NEVER).unwrap_err().is(Errno::ENOENT));
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let listener = listen(&path).unwrap();
    drop(connect(&path, HANG).unwrap());
    let child = Child::fork(|| {
        // SAFETY: the child has a copy, whose drop must leave the path alone.
        drop(unsafe { std::ptr::read(&listener) });
        0
    });
    assert_eq!(child.wait(), 0);
    drop(connect(&path, HANG).unwrap());
    let kept = OwnedFd::from(listener);
    assert_eq!(flags(&kept) & libc::O_NONBLOCK, 0);
    let adopted = SeqpacketListener::adopt(kept).unwrap();
    drop(adopted.accept(&SeqpacketOptions::default(), HANG).unwrap());
    drop(adopted);
    assert_eq!(alone.names(), ["server"]);
}

#[test]
fn what_is_no_seqpacket_is_given_back() {
    let _alone = Alone::new();
    let (stream, _peer) = UnixStream::pair().unwrap();
    let (descriptor, error) = Seqpacket::adopt(stream.into(), &SeqpacketOptions::default()).unwrap_err();
    assert!(error.is_failure(Failure::WrongKind), "{error}");
    drop(descriptor);
    let (first, second) = pair();
    let adopted = Seqpacket::adopt(first.into(), &SeqpacketOptions { credentials: true, ..Default::default() }).unwrap();
    second.send(b"x", HANG).unwrap();
    assert_eq!(adopted.receive(&mut [0; 4], HANG).unwrap().sender.unwrap().pid, std::process::id() as i32);
}

#[test]
fn a_peer_that_does_not_take_everything_is_told_after_its_last_message() {
    let _alone = Alone::new();
    let (first, second) = pair();
    first.send(b"unread", HANG).unwrap();
    second.send(b"answer", HANG).unwrap();
    drop(second);
    assert_eq!(receive(&first).unwrap(), b"answer");
    assert!(receive(&first).unwrap_err().is(Errno::ECONNRESET));
    assert!(receive(&first).unwrap_err().is_failure(Failure::End));
}

#[test]
fn one_direction_can_end() {
    let _alone = Alone::new();
    let (first, second) = pair();
    first.send(b"last", HANG).unwrap();
    first.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(receive(&second).unwrap(), b"last");
    assert!(receive(&second).unwrap_err().is_failure(Failure::End));
    second.send(b"still", HANG).unwrap();
    assert_eq!(receive(&first).unwrap(), b"still");
}

#[test]
fn every_message_tells_its_sender() {
    let _alone = Alone::new();
    let options = SeqpacketOptions { credentials: true, pidfds: true, ..Default::default() };
    let (first, second) = Seqpacket::pair(&options).unwrap();
    let child = Child::fork(|| {
        if is_root() {
            // SAFETY: setresuid takes integers.
            assert_eq!(unsafe { libc::setresuid(12345, 12345, 12345) }, 0);
        }
        second.send(b"", HANG).unwrap();
        // SAFETY: sleeps until killed.
        unsafe { libc::pause() };
        0
    });
    let received = first.receive_descriptors(&mut [0; 8], 0, HANG).unwrap();
    let sender = received.info.sender.unwrap();
    assert_eq!(sender.pid, child.id());
    if is_root() {
        assert_eq!(sender.uid, 12345);
        assert_eq!(first.peer_credentials().unwrap().uid, 0, "the pair's maker, not the sender");
    }
    if let Some(pidfd) = received.sender_pidfd {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).unwrap();
        assert!(info.contains(&format!("Pid:\t{}\n", child.id())), "{info}");
    }
    let mut groups = first.peer_groups().unwrap();
    let mut own: Vec<u32> = nix_groups();
    groups.sort();
    own.sort();
    assert_eq!(groups, own);
    match first.peer_label() {
        Ok(label) => assert!(!label.is_empty()),
        Err(error) => assert!(error.is_failure(Failure::Unavailable), "{error}"),
    }
}

fn tells(socket: BorrowedFd<'_>) -> bool {
    let (mut value, mut size): (libc::c_int, libc::socklen_t) = (0, 4);
    // SAFETY: value and size are valid to write.
    let result = unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PASSCRED, (&raw mut value).cast(), &mut size) };
    assert_eq!(result, 0);
    value != 0
}

#[test]
fn a_connection_tells_senders_from_birth() {
    let alone = Alone::new();
    let path = alone.path("server");
    let listener = listen(&path).unwrap();
    let client = connect(&path, HANG).unwrap();
    // SAFETY: no address is wanted.
    let raw = unsafe { libc::accept4(listener.as_fd().as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_CLOEXEC) };
    assert!(raw >= 0);
    // SAFETY: the kernel has just given it.
    let accepted = unsafe { OwnedFd::from_raw_fd(raw) };
    assert!(tells(accepted.as_fd()), "set later it would miss what is sent in between");
    drop((accepted, client));
    let _client = connect(&path, HANG).unwrap();
    assert!(!tells(listener.accept(&SeqpacketOptions::default(), HANG).unwrap().as_fd()));
    assert!(!tells(OwnedFd::from(listener).as_fd()), "another program did not ask for it");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn the_first_messages_of_a_connection_tell_their_sender_too() {
    let alone = Alone::new();
    let path = alone.path("server");
    let ours = listen(&path).unwrap();
    let adopted = SeqpacketListener::adopt(OwnedFd::from(listen(&alone.path("adopted")).unwrap())).unwrap();
    for (listener, path) in [(&ours, path), (&adopted, alone.path("adopted"))] {
        // Of an adopted one this is known from the first accept on.
        let _ = listener.accept(&SeqpacketOptions { credentials: true, ..Default::default() }, Wait::NEVER);
        let child = Child::fork(|| {
            for _ in 0..200 {
                let client = connect(&path, HANG).unwrap();
                // While the other side accepts; not so many that they fill the queue.
                for _ in 0..100 {
                    client.send(b"x", HANG).unwrap();
                }
            }
            0
        });
        for round in 0..200 {
            let options = SeqpacketOptions { credentials: round % 3 != 0, pidfds: round % 2 == 0, ..Default::default() };
            let connection = listener.accept(&options, HANG).unwrap();
            for message in 0..100 {
                let received = connection.receive_descriptors(&mut [0; 8], 1, HANG).unwrap();
                let sender = received.info.sender.map(|sender| sender.pid);
                assert_eq!(sender, options.credentials.then(|| child.id()), "round {round}, message {message}");
                assert!(received.sender_pidfd.is_none() || options.pidfds);
            }
        }
        assert_eq!(child.wait(), 0);
    }
    std::fs::remove_file(alone.path("adopted")).unwrap();
}

fn nix_groups() -> Vec<u32> {
    let mut groups = vec![0; 65536];
    // SAFETY: the room is valid for writes of that many groups.
    let count = unsafe { libc::getgroups(groups.len() as i32, groups.as_mut_ptr()) };
    groups.truncate(count as usize);
    groups
}

#[test]
fn a_peer_killed_at_random_moments_leaves_whole_messages() {
    let alone = Alone::new();
    let path = alone.path("server");
    let listener = listen(&path).unwrap();
    let started = SharedPages::<AtomicU32>::zeroed();
    let mut seen = 0u64;
    for round in 0..kills() {
        started.store(0, Ordering::Release);
        let mut child = Child::fork(|| {
            let socket = connect(&path, HANG).unwrap();
            for size in (1..=4096).cycle() {
                let message = vec![size as u8; size];
                socket.send(&message, HANG).unwrap();
                started.store(1, Ordering::Release);
            }
            0
        });
        let socket = listener.accept(&SeqpacketOptions::default(), HANG).unwrap();
        while started.load(Ordering::Acquire) == 0 {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(round * 37 % 2000));
        child.kill();
        let mut expected = 1;
        loop {
            match receive(&socket) {
                Ok(message) => {
                    assert_eq!(message, vec![expected as u8; expected]);
                    expected = expected % 4096 + 1;
                    seen += 1;
                }
                Err(error) => {
                    assert!(error.is_failure(Failure::End), "{error}");
                    break;
                }
            }
        }
    }
    eprintln!("100 peers killed, {seen} messages, none torn");
}

#[test]
fn the_handle_works_in_a_child() {
    let _alone = Alone::new();
    let (first, second) = pair();
    let child = Child::fork(|| {
        second.send(b"child", HANG).unwrap();
        0
    });
    assert_eq!(receive(&first).unwrap(), b"child");
    assert_eq!(child.wait(), 0);
    second.send(b"parent", HANG).unwrap();
    assert_eq!(receive(&first).unwrap(), b"parent");
    // SAFETY: F_GETFD returns an integer.
    assert_ne!(unsafe { libc::fcntl(first.as_fd().as_raw_fd(), libc::F_GETFD) } & libc::FD_CLOEXEC, 0);
}
