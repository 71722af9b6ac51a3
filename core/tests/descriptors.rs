//! Descriptors over every type of Unix socket: all or nothing, and nothing leaks, whatever the peer sends.

mod support;

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use nix::errno::Errno;
use support::alone::{Alone, is_root};
use support::process::{Child, kills};
use support::waits::ends_in_every_way;
use unipc::message::{Datagram, DatagramOptions, MOST_DESCRIPTORS, Seqpacket, SeqpacketOptions, UnixDatagram};
use unipc::stream::{ByteStream, UnixStream, pipe};
use unipc::{Failure, Wait, descriptor};

const HANG: Duration = Duration::from_secs(20);

fn file(alone: &Alone, name: &str, content: &str) -> File {
    let mut file = File::options().read(true).write(true).create_new(true).open(alone.path(name)).unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file.rewind().unwrap();
    file
}

fn content(descriptor: OwnedFd) -> String {
    // SAFETY: F_GETFD returns an integer.
    let flags = unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_GETFD) };
    assert_ne!(flags & libc::FD_CLOEXEC, 0, "close-on-exec from birth");
    let mut text = String::new();
    File::from(descriptor).read_to_string(&mut text).unwrap();
    text
}

/// How many descriptors this process has.
fn count() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The three types behind one face.
enum Socket {
    Stream(ByteStream),
    Datagram(UnixDatagram),
    Seqpacket(Seqpacket),
}

impl Socket {
    fn pairs() -> Vec<(&'static str, Socket, Socket)> {
        let stream = UnixStream::pair().unwrap();
        let datagram = UnixDatagram::pair(&DatagramOptions::default()).unwrap();
        let seqpacket = Seqpacket::pair(&SeqpacketOptions::default()).unwrap();
        vec![
            ("stream", Socket::Stream(stream.0.into()), Socket::Stream(stream.1.into())),
            ("datagram", Socket::Datagram(datagram.0), Socket::Datagram(datagram.1)),
            ("seqpacket", Socket::Seqpacket(seqpacket.0), Socket::Seqpacket(seqpacket.1)),
        ]
    }

    fn send<'a>(&self, data: &[u8], descriptors: &[BorrowedFd<'_>], wait: impl Into<Wait<'a>>) -> unipc::Result<()> {
        match self {
            Socket::Stream(stream) => stream.send_descriptors(data, descriptors, wait),
            Socket::Datagram(socket) => socket.send_descriptors(None, data, descriptors, wait),
            Socket::Seqpacket(socket) => socket.send_descriptors(data, descriptors, wait),
        }
    }

    fn receive<'a>(&self, buffer: &mut [u8], maximum: usize, wait: impl Into<Wait<'a>>) -> unipc::Result<(usize, Vec<OwnedFd>)> {
        match self {
            Socket::Stream(stream) => stream.receive_descriptors(buffer, maximum, wait),
            Socket::Datagram(socket) => {
                socket.receive_descriptors(buffer, maximum, wait).map(|received| (received.info.size, received.descriptors))
            }
            Socket::Seqpacket(socket) => {
                socket.receive_descriptors(buffer, maximum, wait).map(|received| (received.info.size, received.descriptors))
            }
        }
    }

    /// An ordinary read.
    fn read(&self, buffer: &mut [u8]) -> unipc::Result<usize> {
        match self {
            Socket::Stream(stream) => stream.read_within(buffer, HANG),
            Socket::Datagram(socket) => socket.receive(buffer, HANG).map(|info| info.size),
            Socket::Seqpacket(socket) => socket.receive(buffer, HANG).map(|info| info.size),
        }
    }
}

#[test]
fn one_and_several_with_data_between_two_processes() {
    let alone = Alone::new();
    let files: Vec<File> = (0..5).map(|index| file(&alone, &index.to_string(), &format!("content {index}"))).collect();
    for (what, first, second) in Socket::pairs() {
        let child = Child::fork(|| {
            for count in 1..=files.len() {
                let passed: Vec<BorrowedFd<'_>> = files[..count].iter().map(AsFd::as_fd).collect();
                for file in &files {
                    let mut file = file;
                    file.rewind().unwrap();
                }
                first.send(b"files", &passed, HANG).unwrap();
                // They are read, and their position is shared, before the next ones go.
                assert_eq!(first.read(&mut [0; 8]).unwrap(), 2);
            }
            0
        });
        for count in 1..=files.len() {
            let mut buffer = [0; 16];
            let (size, descriptors) = second.receive(&mut buffer, 5, HANG).unwrap();
            assert_eq!((&buffer[..size], descriptors.len()), (&b"files"[..], count), "{what}");
            for (index, descriptor) in descriptors.into_iter().enumerate() {
                assert_eq!(content(descriptor), format!("content {index}"));
            }
            second.send(b"ok", &[], HANG).unwrap();
        }
        assert_eq!(child.wait(), 0);
    }
}

#[test]
fn the_limit_of_the_kernel_and_that_of_the_caller() {
    let _alone = Alone::new();
    let (reader, _writer) = pipe().unwrap();
    let one = reader.as_fd();
    for (what, first, second) in Socket::pairs() {
        let before = count();
        for sent in [MOST_DESCRIPTORS - 1, MOST_DESCRIPTORS] {
            first.send(b"x", &vec![one; sent], HANG).unwrap();
            assert_eq!(second.receive(&mut [0; 4], MOST_DESCRIPTORS, HANG).unwrap().1.len(), sent, "{what}");
        }
        let error = first.send(b"x", &vec![one; MOST_DESCRIPTORS + 1], HANG).unwrap_err();
        assert!(error.is(Errno::EINVAL) && error.to_string().contains("253"), "{error}");
        for maximum in [1, 2, 3, 4, 7, 8, 252] {
            for sent in [maximum - 1, maximum, maximum + 1, MOST_DESCRIPTORS] {
                first.send(b"x", &vec![one; sent], HANG).unwrap();
                match second.receive(&mut [0; 4], maximum, HANG) {
                    Ok((1, descriptors)) => assert!(sent <= maximum && descriptors.len() == sent, "{what} {sent} of {maximum}"),
                    Ok(other) => panic!("{other:?}"),
                    Err(error) => assert!(sent > maximum && error.is(Errno::EPROTO), "{what} {sent} of {maximum}: {error}"),
                }
                assert_eq!(count(), before, "{what} {sent} of {maximum}");
            }
        }
    }
}

/// Pairs as another program might hand them over: they tell credentials, and where the kernel can, pidfds.
fn talkative_pairs() -> Vec<(&'static str, Socket, OwnedFd)> {
    let adopted = |kind| {
        let mut pair = [-1; 2];
        // SAFETY: there is room for two descriptors.
        assert_eq!(unsafe { libc::socketpair(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0, pair.as_mut_ptr()) }, 0);
        for option in [libc::SO_PASSCRED, 76] {
            let on: libc::c_int = 1;
            // SAFETY: the value is valid to read. An older kernel does not know the second one.
            unsafe { libc::setsockopt(pair[0], libc::SOL_SOCKET, option, (&raw const on).cast(), size_of::<libc::c_int>() as u32) };
        }
        // SAFETY: the kernel has just given them.
        unsafe { (OwnedFd::from_raw_fd(pair[0]), OwnedFd::from_raw_fd(pair[1])) }
    };
    let (stream, datagram, seqpacket) = (adopted(libc::SOCK_STREAM), adopted(libc::SOCK_DGRAM), adopted(libc::SOCK_SEQPACKET));
    let Datagram::Unix(socket) = Datagram::adopt(datagram.0, &DatagramOptions::default()).unwrap() else { panic!("it is one") };
    vec![
        ("stream", Socket::Stream(ByteStream::adopt(stream.0).unwrap()), stream.1),
        ("datagram", Socket::Datagram(socket), datagram.1),
        ("seqpacket", Socket::Seqpacket(Seqpacket::adopt(seqpacket.0, &SeqpacketOptions::default()).unwrap()), seqpacket.1),
    ]
}

#[test]
fn what_another_program_has_switched_on_takes_no_room() {
    let _alone = Alone::new();
    let (reader, _writer) = pipe().unwrap();
    for (what, ours, theirs) in talkative_pairs() {
        let theirs = match ours {
            Socket::Stream(_) => Socket::Stream(ByteStream::adopt(theirs).unwrap()),
            Socket::Seqpacket(_) => Socket::Seqpacket(Seqpacket::adopt(theirs, &SeqpacketOptions::default()).unwrap()),
            Socket::Datagram(_) => match Datagram::adopt(theirs, &DatagramOptions::default()).unwrap() {
                Datagram::Unix(socket) => Socket::Datagram(socket),
                other => panic!("{other:?}"),
            },
        };
        let before = count();
        for maximum in [1, 2, 3, 4, 8, MOST_DESCRIPTORS] {
            for sent in [0, 1, maximum, (maximum + 1).min(MOST_DESCRIPTORS), MOST_DESCRIPTORS] {
                theirs.send(b"x", &vec![reader.as_fd(); sent], HANG).unwrap();
                match ours.receive(&mut [0; 4], maximum, HANG) {
                    Ok((1, descriptors)) => assert!(sent <= maximum && descriptors.len() == sent, "{what} {sent} of {maximum}"),
                    Ok(other) => panic!("{other:?}"),
                    Err(error) => assert!(sent > maximum && error.is(Errno::EPROTO), "{what} {sent} of {maximum}: {error}"),
                }
                theirs.send(b"x", &vec![reader.as_fd(); sent], HANG).unwrap();
                assert_eq!(ours.read(&mut [0; 4]).unwrap(), 1, "{what}");
                assert_eq!(count(), before, "{what} {sent} of {maximum}");
            }
        }
    }
}

#[test]
fn what_nobody_asked_for_does_not_leak() {
    let _alone = Alone::new();
    let (reader, _writer) = pipe().unwrap();
    let mut pairs = Socket::pairs();
    let (first, second) = UnixDatagram::pair(&DatagramOptions { credentials: true, pidfds: true, ..Default::default() }).unwrap();
    pairs.push(("datagram that tells its sender", Socket::Datagram(first), Socket::Datagram(second)));
    for (what, first, second) in pairs {
        let before = count();
        for sent in [1, 2, 3, 8, MOST_DESCRIPTORS] {
            let passed = vec![reader.as_fd(); sent];
            first.send(b"abc", &passed, HANG).unwrap();
            assert_eq!(second.read(&mut [0; 8]).unwrap(), 3, "{what}");
            first.send(b"abc", &passed, HANG).unwrap();
            assert_eq!(second.receive(&mut [0; 8], 0, HANG).unwrap().0, 3, "{what}");
            first.send(b"abcdef", &passed, HANG).unwrap();
            if let Socket::Stream(_) = second {
                assert_eq!(second.read(&mut [0; 3]).unwrap() + second.read(&mut [0; 3]).unwrap(), 6);
            } else {
                // It does not fit, and takes its descriptors with it.
                assert!(second.receive(&mut [0; 3], MOST_DESCRIPTORS, HANG).unwrap_err().is(Errno::EMSGSIZE), "{what}");
            }
            // Never received at all.
            first.send(b"abc", &passed, HANG).unwrap();
            assert_eq!(second.read(&mut [0; 8]).unwrap(), 3, "{what}");
        }
        assert_eq!(count(), before, "{what}");
    }
}

#[test]
fn a_receiver_without_room_gets_none_and_keeps_none() {
    let alone = Alone::new();
    let sent = file(&alone, "file", "content");
    for (what, first, second) in Socket::pairs() {
        let child = Child::fork(|| {
            let few = libc::rlimit { rlim_cur: 32, rlim_max: 64 };
            // SAFETY: the limit is valid to read.
            unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &few) };
            let mut hoard: Vec<OwnedFd> = Vec::new();
            // SAFETY: dup takes an integer.
            while let raw @ 0.. = unsafe { libc::dup(0) } {
                // SAFETY: the descriptor is fresh, and ours.
                hoard.push(unsafe { OwnedFd::from_raw_fd(raw) });
            }
            let full = hoard.len();
            for room in [0, 1, 2] {
                hoard.truncate(full - room);
                first.send(b"x", &[sent.as_fd(); 3], HANG).unwrap();
                let error = second.receive(&mut [0; 4], 5, HANG).unwrap_err();
                assert!(error.is(Errno::EMFILE), "{what}, room for {room}: {error}");
                // What was free is free again.
                // SAFETY: dup takes an integer.
                let again: Vec<i32> = (0..room).map(|_| unsafe { libc::dup(0) }).collect();
                assert!(again.iter().all(|raw| *raw >= 0), "{what}, room for {room}");
                for raw in again {
                    // SAFETY: it is the test's.
                    unsafe { libc::close(raw) };
                }
            }
            hoard.truncate(full - 3);
            first.send(b"x", &[sent.as_fd(); 3], HANG).unwrap();
            assert_eq!(second.receive(&mut [0; 4], 5, HANG).unwrap().1.len(), 3);
            0
        });
        assert_eq!(child.wait(), 0);
    }
}

#[test]
fn on_a_stream_the_descriptors_keep_their_place() {
    let alone = Alone::new();
    let files = [file(&alone, "0", "zero"), file(&alone, "1", "one")];
    let (first, second) = UnixStream::pair().unwrap();
    first.write_all_within(b"before ", HANG).unwrap();
    first.send_descriptors(b"first ", &[files[0].as_fd()], HANG).unwrap();
    first.send_descriptors(b"second ", &[files[1].as_fd()], HANG).unwrap();
    first.write_all_within(b"after", HANG).unwrap();
    let mut buffer = [0; 64];
    let mut got = Vec::new();
    while got.len() < b"before first second after".len() {
        let (size, descriptors) = second.receive_descriptors(&mut buffer, 1, HANG).unwrap();
        got.extend_from_slice(&buffer[..size]);
        let names: Vec<String> = descriptors.into_iter().map(content).collect();
        match got.len() {
            13 => assert_eq!(names, ["zero"]),
            20 => assert_eq!(names, ["one"]),
            _ => assert_eq!(names, [""; 0], "{}", String::from_utf8_lossy(&got)),
        }
    }
    // A short buffer takes them with the first byte.
    files.iter().for_each(|mut file| file.rewind().unwrap());
    first.send_descriptors(b"long", &[files[0].as_fd()], HANG).unwrap();
    assert_eq!(second.receive_descriptors(&mut buffer[..1], 1, HANG).unwrap().1.len(), 1);
    assert_eq!(second.receive_descriptors(&mut buffer, 1, HANG).unwrap().into_same(), (3, 0));
    // More than the socket holds goes out in pieces, the descriptors with the first.
    let child = Child::fork(|| {
        first.send_descriptors(&vec![7; 1 << 20], &[files[1].as_fd()], HANG).unwrap();
        0
    });
    let (mut total, mut passed) = (0, 0);
    let mut large = vec![0; 1 << 16];
    while total < 1 << 20 {
        let (size, descriptors) = second.receive_descriptors(&mut large, 1, HANG).unwrap();
        assert!(descriptors.is_empty() || total == 0);
        (total, passed) = (total + size, passed + descriptors.len());
    }
    assert_eq!((passed, child.wait()), (1, 0));
}

/// `OwnedFd` cannot be compared: sizes and counts can.
trait Same {
    fn into_same(self) -> (usize, usize);
}

impl Same for (usize, Vec<OwnedFd>) {
    fn into_same(self) -> (usize, usize) {
        (self.0, self.1.len())
    }
}

#[test]
fn where_it_cannot_be() {
    let _alone = Alone::new();
    let (reader, writer) = pipe().unwrap();
    assert!(writer.send_descriptors(b"x", &[reader.as_fd()], HANG).unwrap_err().is(Errno::EOPNOTSUPP));
    assert!(reader.receive_descriptors(&mut [0], 1, HANG).unwrap_err().is(Errno::EOPNOTSUPP));
    let listener = unipc::stream::TcpListener::open(None, 0, &Default::default()).unwrap();
    let tcp = unipc::stream::TcpStream::connect(None, listener.port().unwrap().into(), &Default::default(), HANG).unwrap();
    assert!(tcp.send_descriptors(b"x", &[reader.as_fd()], HANG).unwrap_err().is(Errno::EOPNOTSUPP));
    assert!(tcp.peer_groups().unwrap_err().is(Errno::EOPNOTSUPP));
    let (first, second) = UnixStream::pair().unwrap();
    assert!(first.send_descriptors(b"", &[reader.as_fd()], HANG).unwrap_err().is(Errno::EINVAL));
    assert!(second.receive_descriptors(&mut [], 1, HANG).unwrap_err().is(Errno::EINVAL));
    ends_in_every_way("receive descriptors", |wait| second.receive_descriptors(&mut [0], 1, wait).unwrap_err());
    while first.write_within(&[0; 4096], Wait::NEVER).is_ok() {}
    ends_in_every_way("send descriptors", |wait| {
        let error = first.send_descriptors(b"x", &[reader.as_fd()], wait).unwrap_err();
        assert_eq!(error.transferred(), 0);
        error
    });
    drop(second);
    assert!(first.send_descriptors(b"x", &[reader.as_fd()], HANG).unwrap_err().is(Errno::EPIPE));
    let (first, second) = UnixStream::pair().unwrap();
    drop(first);
    assert_eq!(second.receive_descriptors(&mut [0], 1, HANG).unwrap().into_same(), (0, 0));
}

#[test]
fn a_sender_killed_at_random_moments_leaves_no_descriptor_behind() {
    let _alone = Alone::new();
    let (reader, _writer) = pipe().unwrap();
    let (before, mut received) = (count(), 0);
    for round in 0..kills() {
        for (what, first, second) in Socket::pairs() {
            let mut child = Child::fork(|| {
                for sent in (1..=20).cycle() {
                    first.send(b"0123456789", &vec![reader.as_fd(); sent], HANG).unwrap();
                }
                0
            });
            drop(first);
            second.receive(&mut [0; 10], 20, HANG).unwrap();
            std::thread::sleep(Duration::from_micros(round * 37 % 500));
            child.kill();
            let wait = if what == "datagram" { Wait::NEVER } else { HANG.into() };
            let mut expected = 2;
            loop {
                match second.receive(&mut [0; 10], 20, wait) {
                    Ok((0, _)) => break,
                    Ok((10, descriptors)) => assert_eq!(descriptors.len(), expected, "{what}"),
                    Ok(other) => panic!("{what}: {other:?}"),
                    Err(error) => {
                        assert!(error.is_failure(Failure::End) || error.is(Errno::EAGAIN), "{what}: {error}");
                        break;
                    }
                }
                received += 1;
                expected = expected % 20 + 1;
            }
        }
    }
    assert_eq!(count(), before);
    eprintln!("300 senders killed, {received} messages, no descriptor left behind");
}

#[test]
fn a_privileged_side_opens_for_an_unprivileged_one() {
    if !is_root() {
        eprintln!("needs root to play another user");
        return;
    }
    let alone = Alone::new();
    file(&alone, "restricted", "secret").set_permissions(std::fs::Permissions::from_mode(0o600)).unwrap();
    for (_, first, second) in Socket::pairs() {
        let path = alone.path("restricted");
        let child = Child::fork(|| {
            // SAFETY: setresuid takes integers.
            assert_eq!(unsafe { libc::setresuid(12345, 12345, 12345) }, 0);
            assert!(File::open(&path).is_err());
            let (_, mut descriptors) = second.receive(&mut [0; 8], 1, HANG).unwrap();
            assert_eq!(content(descriptors.pop().unwrap()), "secret");
            0
        });
        let restricted = File::open(&path).unwrap();
        first.send(b"here", &[restricted.as_fd()], HANG).unwrap();
        assert_eq!(child.wait(), 0);
    }
}

#[test]
fn a_descriptor_is_taken_from_a_process() {
    let alone = Alone::new();
    let (reader, writer) = pipe().unwrap();
    let shared = file(&alone, "file", "content");
    let child = Child::fork(|| {
        let _ = reader.read_within(&mut [0], HANG);
        0
    });
    // SAFETY: pidfd_open takes integers.
    let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) };
    assert!(raw >= 0);
    // SAFETY: the kernel has just given it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(raw as i32) };
    match descriptor::take(pidfd.as_fd(), shared.as_raw_fd()) {
        Ok(taken) => assert_eq!(content(taken), "content"),
        Err(error) => assert!(error.is(Errno::EPERM) || error.is_failure(Failure::Unavailable), "{error}"),
    }
    assert!(descriptor::take(pidfd.as_fd(), 100_000).is_err());
    assert!(descriptor::take(shared.as_fd(), 0).unwrap_err().is(Errno::EBADF));
    writer.write_all_within(b"x", HANG).unwrap();
    assert_eq!(child.wait(), 0);
}
