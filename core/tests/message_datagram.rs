//! Datagram sockets, Unix and UDP.

mod support;

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use support::alone::{Alone, in_a_storm, is_root};
use support::process::{Child, kills};
use support::shared::SharedPages;
use support::waits::ends_in_every_way;
use unipc::message::{Datagram, DatagramOptions, UdpOptions, UdpSocket, UnixDatagram};
use unipc::stream::{UnixConnectOptions, UnixListener};
use unipc::{Failure, Wait};

const HANG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(30);

fn open(path: &str) -> unipc::Result<UnixDatagram> {
    UnixDatagram::open(path, &DatagramOptions::default())
}

fn unnamed() -> UnixDatagram {
    UnixDatagram::unnamed(&DatagramOptions::default()).unwrap()
}

fn receive(socket: &UnixDatagram) -> unipc::Result<Vec<u8>> {
    let mut buffer = vec![0; 1 << 17];
    let size = socket.receive(&mut buffer, HANG)?.size;
    buffer.truncate(size);
    Ok(buffer)
}

#[test]
fn many_senders_one_receiver_and_answers() {
    let alone = Alone::new();
    let path = alone.path("log");
    let abstract_name = format!("@unipc-dgram-{}", std::process::id());
    for address in [path.as_str(), &abstract_name] {
        let log = open(address).unwrap();
        assert_eq!(log.address().unwrap(), address);
        let senders: Vec<Child> = (0..5)
            .map(|sender| {
                Child::fork(move || {
                    let own = open("@").unwrap();
                    assert!(own.address().unwrap().starts_with('@'));
                    for message in 0..20 {
                        own.send_to(address, format!("{sender} {message}").as_bytes(), HANG).unwrap();
                        assert_eq!(receive(&own).unwrap(), format!("{message}").as_bytes());
                    }
                    0
                })
            })
            .collect();
        let mut next = [0; 5];
        for _ in 0..100 {
            let mut buffer = [0; 100];
            let (info, sender) = log.receive_from(&mut buffer, HANG).unwrap();
            let text = std::str::from_utf8(&buffer[..info.size]).unwrap();
            let (who, message) = text.split_once(' ').unwrap();
            let count: &mut i32 = &mut next[who.parse::<usize>().unwrap()];
            assert_eq!(message, count.to_string());
            *count += 1;
            log.send_to(&sender, message.as_bytes(), HANG).unwrap();
        }
        for sender in senders {
            assert_eq!(sender.wait(), 0);
        }
    }
    assert_eq!(alone.names(), [""; 0]);
}

#[test]
fn boundaries_and_sizes() {
    let _alone = Alone::new();
    let (first, second) = UnixDatagram::pair(&DatagramOptions::default()).unwrap();
    for size in [9, 10, 11, 0, 1] {
        first.send(&[3; 11][..size], HANG).unwrap();
        assert_eq!(second.next_size(HANG).unwrap(), size);
        match second.receive(&mut [0; 10], HANG) {
            Ok(info) => assert!(size <= 10 && info.size == size),
            Err(error) => assert!(size == 11 && error.is(Errno::EMSGSIZE) && error.transferred() == 11, "{error}"),
        }
    }
    assert!(first.send(&vec![0; 1 << 24], HANG).unwrap_err().is(Errno::EMSGSIZE));
    let (info, sender) = {
        first.send(b"x", HANG).unwrap();
        second.receive_from(&mut [0; 4], HANG).unwrap()
    };
    assert_eq!((info.size, sender.as_str(), info.sender), (1, "", None));
    let large = DatagramOptions { send_buffer: 1 << 17, ..Default::default() };
    let (first, second) = UnixDatagram::pair(&large).unwrap();
    first.send(&vec![5; 1 << 16], HANG).unwrap();
    assert_eq!(receive(&second).unwrap(), vec![5; 1 << 16]);
}

#[test]
fn a_missing_receiver_is_told() {
    let alone = Alone::new();
    let path = alone.path("receiver");
    let sender = unnamed();
    for error in [sender.send_to(&path, b"x", HANG).unwrap_err(), sender.connect(&path, &Default::default(), HANG).unwrap_err()] {
        assert!(error.is(Errno::ENOENT) && error.object() == Some(&path), "{error}");
    }
    assert!(sender.send(b"x", HANG).unwrap_err().is(Errno::ENOTCONN));
    let patient = UnixConnectOptions { wait_for_listener: true, ..Default::default() };
    assert!(sender.connect(&path, &patient, SHORT).unwrap_err().is(Errno::ETIMEDOUT));
    let receiver = open(&path).unwrap();
    sender.connect(&path, &Default::default(), HANG).unwrap();
    sender.send(b"x", HANG).unwrap();
    let _ = OwnedFd::from(receiver);
    for error in [sender.send(b"x", HANG).unwrap_err(), sender.send_to(&path, b"x", HANG).unwrap_err()] {
        assert!(error.is(Errno::ECONNREFUSED) && error.to_string().contains("nobody"), "{error}");
    }
    let receiver = open(&path).unwrap();
    sender.connect(&path, &Default::default(), HANG).unwrap();
    sender.send(b"again", HANG).unwrap();
    assert_eq!(receive(&receiver).unwrap(), b"again");
    drop(receiver);
    let _listener = UnixListener::open(&path, &Default::default()).unwrap();
    assert!(sender.send_to(&path, b"x", HANG).unwrap_err().is(Errno::EPROTOTYPE));
}

#[test]
fn waits_end_and_a_full_receiver_is_waited_for() {
    let alone = Alone::new();
    let path = alone.path("receiver");
    let receiver = open(&path).unwrap();
    ends_in_every_way("receive", |wait| receiver.receive(&mut [0; 4], wait).unwrap_err());
    ends_in_every_way("next size", |wait| receiver.next_size(wait).unwrap_err());
    let connected = unnamed();
    connected.connect(&path, &Default::default(), HANG).unwrap();
    let loose = unnamed();
    while connected.send(b"x", Wait::NEVER).is_ok() {}
    ends_in_every_way("send", |wait| connected.send(b"x", wait).unwrap_err());
    ends_in_every_way("send to", |wait| loose.send_to(&path, b"x", wait).unwrap_err());
    for wait in [Wait::FOREVER, HANG.into()] {
        for is_connected in [true, false] {
            while connected.send(b"x", Wait::NEVER).is_ok() {}
            std::thread::scope(|scope| {
                let (connected, loose, path) = (&connected, &loose, &path);
                let send = move || if is_connected { connected.send(b"last", wait) } else { loose.send_to(path, b"last", wait) };
                let late = scope.spawn(move || in_a_storm(send));
                std::thread::sleep(SHORT);
                while receive(&receiver).unwrap() != b"last" {}
                late.join().unwrap().unwrap();
            });
        }
    }
}

#[test]
fn waiting_for_a_full_receiver_does_not_spin() {
    let alone = Alone::new();
    let path = alone.path("receiver");
    let _receiver = open(&path).unwrap();
    let sender = unnamed();
    while sender.send_to(&path, b"x", Wait::NEVER).is_ok() {}
    let used = || {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the time is valid to write to.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let before = used();
    assert!(sender.send_to(&path, b"x", 10 * SHORT).unwrap_err().is(Errno::ETIMEDOUT));
    assert!(used() - before < 3 * SHORT, "{:?}", used() - before);
}

#[test]
fn whom_a_sender_is_connected_to_does_not_hold_up_others() {
    let _alone = Alone::new();
    let name = |who: &str| format!("@unipc-{who}-{}", std::process::id());
    let (full, other) = (open(&name("full")).unwrap(), open(&name("other")).unwrap());
    let (sender, filler) = (unnamed(), unnamed());
    sender.connect(&name("full"), &UnixConnectOptions::default(), Wait::NEVER).unwrap();
    while sender.send(b"x", Wait::NEVER).is_ok() {}
    while filler.send_to(&name("other"), b"x", Wait::NEVER).is_ok() {}
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(SHORT);
            receive(&other).unwrap();
        });
        sender.send_to(&name("other"), b"y", Duration::from_secs(5)).unwrap();
    });
    // And its own buffer, when it fills up with what others do not receive.
    let small = UnixDatagram::unnamed(&DatagramOptions { send_buffer: 4608, ..Default::default() }).unwrap();
    small.connect(&name("full"), &UnixConnectOptions::default(), Wait::NEVER).unwrap();
    while receive_now(&other) {}
    while small.send_to(&name("other"), &[0; 2000], Wait::NEVER).is_ok() {}
    assert!(small.send_to(&name("other"), &[0; 2000], SHORT).unwrap_err().is(Errno::ETIMEDOUT));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(SHORT);
            while receive_now(&other) {}
        });
        small.send_to(&name("other"), b"z", Duration::from_secs(5)).unwrap();
    });
    drop(full);
}

fn receive_now(socket: &UnixDatagram) -> bool {
    socket.receive(&mut [0; 1 << 12], Wait::NEVER).is_ok()
}

#[test]
fn a_live_path_is_kept_and_a_dead_one_reclaimed() {
    let alone = Alone::new();
    let path = alone.path("receiver");
    let receiver = open(&path).unwrap();
    for _ in 0..5 {
        assert!(open(&path).unwrap_err().is(Errno::EADDRINUSE));
        assert!(UnixListener::open(&path, &Default::default()).unwrap_err().is(Errno::EADDRINUSE));
    }
    drop(receiver);
    assert_eq!(alone.names(), [""; 0]);
    // Left behind as by a killed process, of either type.
    drop(std::os::unix::net::UnixDatagram::bind(&path).unwrap());
    let receiver = open(&path).unwrap();
    let _ = OwnedFd::from(receiver);
    let receiver = open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let successor = open(&path).unwrap();
    drop(receiver);
    unnamed().send_to(&path, b"x", HANG).unwrap();
    let child = Child::fork(|| {
        // SAFETY: the child has a copy, whose drop must leave the path alone.
        drop(unsafe { std::ptr::read(&successor) });
        0
    });
    assert_eq!(child.wait(), 0);
    unnamed().send_to(&path, b"x", HANG).unwrap();
    drop(successor);
    std::fs::write(alone.path("file"), "precious").unwrap();
    std::os::unix::fs::symlink(alone.path("nowhere"), alone.path("link")).unwrap();
    assert!(open(&alone.path("file")).unwrap_err().is_failure(Failure::WrongKind));
    assert!(open(&alone.path("link")).unwrap_err().is(Errno::ELOOP));
    assert!(open(&alone.path("no/such")).unwrap_err().is(Errno::ENOENT));
    assert!(open("").unwrap_err().is(Errno::EINVAL));
    let base = alone.path("");
    let longest = format!("{base}{}", "x".repeat(107 - base.len()));
    assert_eq!(open(&longest).unwrap().address().unwrap(), longest);
    assert!(open(&format!("{longest}x")).unwrap_err().is(Errno::ENAMETOOLONG));
}

#[test]
fn no_peer_passes_for_another() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram as Plain};
    let alone = Alone::new();
    let path = alone.path("receiver");
    let receiver = open(&path).unwrap();
    let service = format!("unipc-svc-{}", std::process::id());
    let (home, directory) = (std::env::current_dir().unwrap(), std::path::PathBuf::from(alone.path("")));
    std::env::set_current_dir(&directory).unwrap();
    let file = Plain::bind(format!("@{service}")).unwrap();
    let longer = Plain::bind_addr(&SocketAddr::from_abstract_name(format!("{service}\0x")).unwrap()).unwrap();
    let genuine = Plain::bind_addr(&SocketAddr::from_abstract_name(&service).unwrap()).unwrap();
    for (sender, told, may_be_answered) in
        [(&file, format!("./@{service}"), true), (&longer, format!("\\@{service}\\x00x"), false), (&genuine, format!("@{service}"), true)]
    {
        sender.send_to(b"question", &path).unwrap();
        let (_, address) = receiver.receive_from(&mut [0; 10], HANG).unwrap();
        assert_eq!(address, told);
        let answered = receiver.send_to(&address, told.as_bytes(), HANG);
        if may_be_answered {
            answered.unwrap();
            let mut answer = [0; 100];
            let size = sender.recv(&mut answer).unwrap();
            assert_eq!(&answer[..size], told.as_bytes());
        } else {
            assert!(answered.unwrap_err().is(Errno::EINVAL));
            assert!(open(&address).unwrap_err().is(Errno::EINVAL));
        }
    }
    std::fs::remove_file(directory.join(format!("@{service}"))).unwrap();
    std::env::set_current_dir(home).unwrap();
}

#[test]
fn of_ten_reclaimers_one_wins() {
    let alone = Alone::new();
    let path = alone.path("receiver");
    for round in 0..20 {
        drop(std::os::unix::net::UnixDatagram::bind(&path).unwrap());
        let ready = SharedPages::<[AtomicU32; 2]>::zeroed();
        let children: Vec<Child> = (0..10)
            .map(|_| {
                Child::fork(|| {
                    ready[0].fetch_add(1, Ordering::AcqRel);
                    while ready[0].load(Ordering::Acquire) < 10 {
                        std::thread::yield_now();
                    }
                    let result = open(&path);
                    ready[1].fetch_add(1, Ordering::AcqRel);
                    while ready[1].load(Ordering::Acquire) < 10 {
                        std::thread::yield_now();
                    }
                    match result {
                        Ok(_) => 10,
                        Err(error) if error.is(Errno::EADDRINUSE) => 20,
                        Err(_) => 1,
                    }
                })
            })
            .collect();
        let statuses: Vec<i32> = children.into_iter().map(Child::wait).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 10).count(), 1, "round {round}: {statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 20).count(), 9, "round {round}: {statuses:?}");
        assert_eq!(alone.names(), [""; 0]);
    }
}

#[test]
fn the_mode_is_exact() {
    let alone = Alone::new();
    let path = alone.path("receiver");
    // SAFETY: umask takes and gives an integer; the tests of this program take turns.
    let umask = unsafe { libc::umask(0o077) };
    for (asked, got) in [(0, 0o600), (0o666, 0o666), (0o722, 0o722)] {
        // SAFETY: always succeeds.
        let group = unsafe { libc::getegid() };
        let options = DatagramOptions { mode: asked, group: Some(group.to_string()), ..Default::default() };
        let _receiver = UnixDatagram::open(&path, &options).unwrap();
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        assert_eq!((metadata.permissions().mode() & 0o7777, metadata.gid()), (got, group));
    }
    // SAFETY: as above.
    unsafe { libc::umask(umask) };
    assert!(UnixDatagram::open(&path, &DatagramOptions { mode: 0o1777, ..Default::default() }).unwrap_err().is(Errno::EINVAL));
}

#[test]
fn another_users_receiver_is_refused_and_his_messages_are_his() {
    if !is_root() {
        eprintln!("needs root to play another user");
        return;
    }
    let alone = Alone::new();
    std::fs::set_permissions(alone.path(""), std::fs::Permissions::from_mode(0o777)).unwrap();
    let (ours, theirs) = (alone.path("ours"), alone.path("theirs"));
    let options = DatagramOptions { mode: 0o666, credentials: true, pidfds: true, ..Default::default() };
    let receiver = UnixDatagram::open(&ours, &options).unwrap();
    let stranger = Child::fork(|| {
        // SAFETY: setresgid and setresuid take integers.
        unsafe {
            assert_eq!(libc::setresgid(12345, 12345, 12345), 0);
            assert_eq!(libc::setresuid(12345, 12345, 12345), 0);
        }
        let socket = UnixDatagram::open(&theirs, &DatagramOptions { mode: 0o666, ..Default::default() }).unwrap();
        socket.send_to(&ours, b"hello", HANG).unwrap();
        receive(&socket).unwrap();
        0
    });
    let received = receiver.receive_descriptors(&mut [0; 10], 0, HANG).unwrap();
    let sender = received.info.sender.unwrap();
    assert_eq!((sender.pid, sender.uid, sender.gid), (stranger.id(), 12345, 12345));
    assert_eq!(received.address, theirs);
    let error = unnamed().connect(&theirs, &Default::default(), HANG).unwrap_err();
    assert!(error.is(Errno::EPERM) && error.to_string().contains("12345"), "{error}");
    unnamed().connect(&theirs, &UnixConnectOptions { any_owner: true, ..Default::default() }, HANG).unwrap();
    receiver.send_to(&received.address, b"answer", HANG).unwrap();
    assert_eq!(stranger.wait(), 0);
}

#[test]
fn a_sender_killed_at_random_moments_leaves_whole_messages() {
    let alone = Alone::new();
    let path = alone.path("receiver");
    let receiver = open(&path).unwrap();
    let mut seen = 0;
    for round in 0..kills() {
        let mut child = Child::fork(|| {
            let sender = unnamed();
            for size in (1..=4096).cycle() {
                sender.send_to(&path, &vec![size as u8; size], HANG).unwrap();
            }
            0
        });
        // At least one message, and then some.
        let mut messages = vec![receive(&receiver).unwrap()];
        std::thread::sleep(Duration::from_micros(round * 37 % 1000));
        child.kill();
        let mut buffer = vec![0; 5000];
        while let Ok(info) = receiver.receive(&mut buffer, Wait::NEVER) {
            messages.push(buffer[..info.size].to_vec());
        }
        for (index, message) in messages.iter().enumerate() {
            assert_eq!(*message, vec![(index + 1) as u8; index + 1]);
        }
        seen += messages.len();
    }
    eprintln!("100 senders killed, {seen} messages, none torn");
}

#[test]
fn what_is_adopted_is_a_datagram_socket() {
    let _alone = Alone::new();
    let (stream, _peer) = unipc::stream::UnixStream::pair().unwrap();
    let (_, error) = Datagram::adopt(stream.into(), &DatagramOptions::default()).unwrap_err();
    assert!(error.is_failure(Failure::WrongKind), "{error}");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let adopted = Datagram::adopt(socket.into(), &DatagramOptions::default()).unwrap();
    assert_eq!(adopted.address().unwrap(), address);
    assert_eq!(adopted.udp().unwrap().address().unwrap(), address);
    let (first, second) = std::os::unix::net::UnixDatagram::pair().unwrap();
    let adopted = Datagram::adopt(first.into(), &DatagramOptions { credentials: true, ..Default::default() }).unwrap();
    second.send(b"x").unwrap();
    assert_eq!(adopted.receive(&mut [0; 4], HANG).unwrap().sender.unwrap().pid, std::process::id() as i32);
    assert!(adopted.udp().unwrap_err().is(Errno::EOPNOTSUPP));
}

fn udp(host: Option<&str>, options: UdpOptions) -> UdpSocket {
    UdpSocket::open(host, 0, &options).unwrap()
}

#[test]
fn udp_on_loopback() {
    let _alone = Alone::new();
    for host in [None, Some("127.0.0.1"), Some("::1"), Some("localhost")] {
        let Ok(server) = UdpSocket::open(host, 0, &UdpOptions::default()) else {
            assert_eq!(host, Some("::1"), "no IPv6 here");
            continue;
        };
        let address = server.address().unwrap();
        assert!(address.ends_with(&format!(":{}", server.port().unwrap())));
        let child = Child::fork(|| {
            let client = UdpSocket::open(host, 0, &UdpOptions::default()).unwrap();
            client.connect(&address).unwrap();
            for message in [&b"one"[..], b"", b"three"] {
                client.send(message, HANG).unwrap();
            }
            let mut buffer = [0; 10];
            assert_eq!(client.receive(&mut buffer, HANG).unwrap().size, 6);
            0
        });
        let mut buffer = [0; 5];
        let mut sender = String::new();
        for size in [3, 0, 5] {
            let (info, from) = server.receive_from(&mut buffer, HANG).unwrap();
            assert_eq!(info.size, size);
            sender = from;
        }
        server.send_to(&sender, b"answer", HANG).unwrap();
        assert_eq!(child.wait(), 0);
        server.send_to(&address, &[0; 6], HANG).unwrap();
        assert_eq!(server.next_size(HANG).unwrap(), 6);
        let error = server.receive(&mut buffer, HANG).unwrap_err();
        assert!(error.is(Errno::EMSGSIZE) && error.transferred() == 6, "{error}");
        ends_in_every_way("receive", |wait| server.receive(&mut [0; 10], wait).unwrap_err());
        assert!(server.send(b"x", HANG).unwrap_err().is(Errno::EDESTADDRREQ));
        assert!(server.send_to(&address, &[0; 65536], HANG).unwrap_err().is(Errno::EMSGSIZE));
        for wrong in ["", "x", "127.0.0.1", "127.0.0.1:0", "1.2.3.4:70000", "localhost:1"] {
            assert!(server.send_to(wrong, b"x", HANG).unwrap_err().is(Errno::EINVAL), "{wrong}");
        }
    }
    assert!(UdpSocket::open(None, 65536, &UdpOptions::default()).unwrap_err().is(Errno::EINVAL));
    assert!(UdpSocket::open(None, 0, &UdpOptions { family: 5, ..Default::default() }).unwrap_err().is(Errno::EINVAL));
    let taken = udp(None, UdpOptions::default());
    assert!(UdpSocket::open(None, taken.port().unwrap().into(), &UdpOptions::default()).unwrap_err().is(Errno::EADDRINUSE));
}

#[test]
fn a_connected_udp_socket_learns_that_nobody_is_there() {
    let _alone = Alone::new();
    let server = udp(None, UdpOptions::default());
    let client = udp(None, UdpOptions::default());
    client.connect(&server.address().unwrap()).unwrap();
    drop(server);
    client.send(b"x", HANG).unwrap();
    assert!(client.receive(&mut [0; 4], HANG).unwrap_err().is(Errno::ECONNREFUSED));
}

#[test]
fn a_group_on_loopback() {
    let _alone = Alone::new();
    for (any, family, group) in [("0.0.0.0", 4, "239.255.77.1"), ("::", 6, "ff01::7701")] {
        let options = UdpOptions { reuse_address: true, family, multicast_interface: Some("lo".into()), ..Default::default() };
        let Ok(first) = UdpSocket::open(Some(any), 0, &options) else {
            assert_eq!(family, 6, "no IPv6 here");
            continue;
        };
        let port = u32::from(first.port().unwrap());
        let second = UdpSocket::open(Some(any), port, &options).unwrap();
        for member in [&first, &second] {
            member.join(group, Some("lo")).unwrap();
        }
        assert!(first.join(group, Some("lo")).unwrap_err().is(Errno::EADDRINUSE));
        let sender = UdpSocket::open(Some(any), 0, &options).unwrap();
        let address = if family == 4 { format!("{group}:{port}") } else { format!("[{group}%{}]:{port}", loopback_index()) };
        match sender.send_to(&address, b"to all", HANG) {
            Err(error) if family == 6 && error.is(Errno::ENETUNREACH) => {
                eprintln!("this machine has no route for groups of IPv6 on loopback");
                continue;
            }
            sent => sent.unwrap(),
        }
        for member in [&first, &second] {
            assert_eq!(member.receive(&mut [0; 10], HANG).unwrap().size, 6);
        }
        second.leave(group, Some("lo")).unwrap();
        assert!(second.leave(group, Some("lo")).unwrap_err().is(Errno::EADDRNOTAVAIL));
        // The loopback device hands back what is sent on it, whatever the options say: they are only taken here.
        drop(UdpSocket::open(Some(any), 0, &UdpOptions { multicast_loop: Some(false), multicast_ttl: Some(0), ..options }).unwrap());
        sender.send_to(&address, b"to one", HANG).unwrap();
        let mut buffer = [0; 10];
        assert_eq!(first.receive(&mut buffer, HANG).unwrap().size, 6);
        assert_eq!(&buffer[..6], b"to one");
        for wrong in ["127.0.0.1", "x", if family == 4 { "ff01::1" } else { "224.0.0.1" }] {
            assert!(first.join(wrong, None).unwrap_err().is(Errno::EINVAL), "{wrong}");
        }
        assert!(first.join(group, Some("no-such-if")).unwrap_err().is(Errno::ENODEV));
    }
}

fn loopback_index() -> u32 {
    // SAFETY: the name is NUL-terminated.
    unsafe { libc::if_nametoindex(c"lo".as_ptr()) }
}

#[test]
fn broadcast_is_asked_for() {
    let _alone = Alone::new();
    let receiver = udp(Some("0.0.0.0"), UdpOptions::default());
    let address = format!("127.255.255.255:{}", receiver.port().unwrap());
    let shy = udp(Some("0.0.0.0"), UdpOptions::default());
    assert!(shy.send_to(&address, b"x", HANG).unwrap_err().is(Errno::EACCES));
    let loud = udp(Some("0.0.0.0"), UdpOptions { broadcast: true, ..Default::default() });
    loud.send_to(&address, b"all", HANG).unwrap();
    assert_eq!(receiver.receive(&mut [0; 10], HANG).unwrap().size, 3);
    let _ = receiver.as_fd();
}

/// An error queued for who asked for such (IP_RECVERR) has poll return at once, as long as nobody reads it. It is not told by receiving.
#[test]
fn a_queued_error_makes_nobody_spin() {
    let _alone = Alone::new();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let one: libc::c_int = 1;
    let length = size_of_val(&one) as libc::socklen_t;
    // SAFETY: the value is valid for its length.
    let set = unsafe {
        use std::os::fd::AsRawFd;
        libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_IP, libc::IP_RECVERR, (&raw const one).cast(), length)
    };
    assert_eq!(set, 0);
    let address = socket.local_addr().unwrap();
    socket.send_to(b"x", nobody).unwrap();
    let adopted = Datagram::adopt(socket.into(), &DatagramOptions::default()).unwrap();
    let socket = adopted.udp().unwrap();
    assert!(socket.receive(&mut [0; 9], HANG).unwrap_err().is(Errno::ECONNREFUSED));
    type Receive = fn(&UdpSocket, Duration) -> unipc::Result<usize>;
    let ways: [Receive; 3] = [
        |socket, wait| socket.receive(&mut [0; 9], wait).map(|info| info.size),
        |socket, wait| socket.receive_from(&mut [0; 9], wait).map(|received| received.0.size),
        |socket, wait| socket.next_size(wait),
    ];
    for way in ways {
        let before = time_of_thread();
        assert!(way(socket, Duration::from_millis(300)).unwrap_err().is(Errno::ETIMEDOUT));
        let spent = time_of_thread() - before;
        assert!(spent < Duration::from_millis(100), "{spent:?}");
    }
    for way in ways {
        let received = std::thread::scope(|scope| {
            let receiver = scope.spawn(move || way(socket, HANG).unwrap());
            std::thread::sleep(SHORT);
            std::net::UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"four", address).unwrap();
            receiver.join().unwrap()
        });
        assert_eq!(received, 4);
    }
}

/// How long this thread has been running.
fn time_of_thread() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is valid to write to.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
