//! POSIX message queues between real processes, each test in an IPC namespace of its own.

mod support;

use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use support::contained::is_root;
use support::process::{Child, kills};
use support::queues::{Place, become_user, in_own_namespace, random_time, set_limit};
use support::shared::SharedPages;
use support::waits::ends_in_every_way;
use unipc::message::{HIGHEST_PRIORITY, Mq, MqAccess, MqOptions};
use unipc::{Error, Failure, Wait};

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);

fn sized(capacity: usize, largest: usize) -> MqOptions<'static> {
    MqOptions { capacity, largest, temporary: true, ..Default::default() }
}

fn plain() -> MqOptions<'static> {
    MqOptions::default()
}

fn errno_of<T: std::fmt::Debug>(result: Result<T, Error>) -> Errno {
    let error = result.unwrap_err();
    error.errno().unwrap_or_else(|| panic!("{error}"))
}

fn next(queue: &Mq) -> (Vec<u8>, u32) {
    let (message, info) = queue.receive_vec(HANG).unwrap();
    assert_eq!(info.size, message.len());
    (message, info.priority)
}

#[test]
fn the_highest_priority_comes_first_and_then_the_oldest() {
    in_own_namespace(|| {
        let queue = Mq::create("order", &sized(10, 16)).unwrap();
        let sender = Child::fork(|| {
            let queue = Mq::open("/order", &MqOptions { access: MqAccess::Send, ..plain() }).unwrap();
            for (message, priority) in [("low", 1), ("first", 5), ("second", 5), ("highest", HIGHEST_PRIORITY), ("none", 0), ("", 5)] {
                queue.send(message.as_bytes(), priority, HANG).unwrap();
            }
            0
        });
        assert_eq!(sender.wait(), 0);
        assert_eq!(queue.attributes().unwrap().queued, 6);
        let expected: [(&[u8], u32); 6] =
            [(b"highest", HIGHEST_PRIORITY), (b"first", 5), (b"second", 5), (b"", 5), (b"low", 1), (b"none", 0)];
        for (message, priority) in expected {
            assert_eq!(next(&queue), (message.to_vec(), priority));
        }
        assert_eq!(errno_of(queue.receive_vec(Wait::NEVER)), Errno::EAGAIN);
    });
}

#[test]
fn limits_of_a_queue_are_exact_and_named() {
    in_own_namespace(|| {
        let queue = Mq::create("limits", &sized(3, 8)).unwrap();
        assert_eq!((queue.capacity(), queue.largest()), (3, 8));
        for length in [7, 8] {
            queue.send(&vec![1; length], 0, Wait::NEVER).unwrap();
        }
        let error = queue.send(&[1; 9], 0, Wait::NEVER).unwrap_err();
        assert!(error.is(Errno::EMSGSIZE) && error.to_string().contains("9 bytes, the queue's limit is 8"), "{error}");
        queue.send(b"", 0, Wait::NEVER).unwrap();
        assert_eq!(errno_of(queue.send(b"", 0, Wait::NEVER)), Errno::EAGAIN);
        let error = queue.receive(&mut [0; 7], Wait::NEVER).unwrap_err();
        assert!(error.is(Errno::EMSGSIZE) && error.to_string().contains("7 bytes, and the queue needs 8"), "{error}");
        assert_eq!(queue.attributes().unwrap().queued, 3);
        assert_eq!(queue.receive(&mut [0; 8], Wait::NEVER).unwrap().size, 7);
        assert_eq!(queue.receive(&mut [0; 9], Wait::NEVER).unwrap().size, 8);
        queue.send(b"", HIGHEST_PRIORITY, Wait::NEVER).unwrap();
        let error = queue.send(b"", HIGHEST_PRIORITY + 1, Wait::NEVER).unwrap_err();
        assert!(error.is(Errno::EINVAL) && error.to_string().contains("32767"), "{error}");

        Mq::create(&"x".repeat(255), &sized(1, 1)).unwrap();
        assert_eq!(errno_of(Mq::create(&"x".repeat(256), &sized(1, 1))), Errno::ENAMETOOLONG);
        for name in ["", "/", "a/b", ".", "a\0b"] {
            assert_eq!(errno_of(Mq::create(name, &sized(1, 1))), Errno::EINVAL, "{name:?}");
            assert_eq!(errno_of(Mq::open(name, &plain())), Errno::EINVAL, "{name:?}");
            assert_eq!(errno_of(Mq::unlink(name)), Errno::EINVAL, "{name:?}");
        }
        assert_eq!(errno_of(Mq::create("mode", &MqOptions { mode: 0o1777, ..plain() })), Errno::EINVAL);
        assert_eq!(errno_of(Mq::create("limits", &plain())), Errno::EEXIST);
        assert_eq!(errno_of(Mq::open("nobody", &plain())), Errno::ENOENT);
        assert_eq!(errno_of(Mq::unlink("nobody")), Errno::ENOENT);
        let error = Mq::open("limits", &MqOptions { largest: 9, ..plain() }).unwrap_err();
        assert!(error.is_failure(Failure::WrongSize), "{error}");
        Mq::open("limits", &MqOptions { largest: 8, ..plain() }).unwrap();
    });
}

#[test]
fn limits_of_the_system_are_named_with_their_values() {
    if !is_root() {
        return;
    }
    in_own_namespace(|| {
        set_limit("fs/mqueue/msg_max", 7);
        set_limit("fs/mqueue/msgsize_max", 300);
        set_limit("fs/mqueue/queues_max", 2);
        let child = Child::fork(|| {
            become_user(12345);
            // Half of what was not asked for is the system's choice, within its limits.
            let queue = Mq::create("a", &sized(7, 0)).unwrap();
            assert_eq!((queue.capacity(), queue.largest()), (7, 300));
            drop(queue);
            let queue = Mq::create("a", &sized(0, 300)).unwrap();
            assert_eq!((queue.capacity(), queue.largest()), (7, 300));
            for (capacity, largest) in [(8, 300), (7, 301), (usize::MAX, 1)] {
                let error = Mq::create("b", &sized(capacity, largest)).unwrap_err();
                assert!(error.is(Errno::EINVAL), "{error}");
                assert!(error.to_string().contains("msg_max is 7") && error.to_string().contains("msgsize_max is 300"), "{error}");
            }
            let second = Mq::create("b", &sized(1, 1)).unwrap();
            let error = Mq::create("c", &sized(1, 1)).unwrap_err();
            assert!(error.is(Errno::ENOSPC) && error.to_string().contains("queues_max is 2"), "{error}");
            drop((queue, second));
            // 2 x (96 + 100) bytes: exactly enough, and one too few.
            for (limit, fits) in [(392, true), (391, false)] {
                let limit = libc::rlimit { rlim_cur: limit, rlim_max: 819_200 };
                // SAFETY: the limit is valid to read.
                assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_MSGQUEUE, &limit) }, 0);
                match Mq::create("d", &sized(2, 100)) {
                    Ok(_) => assert!(fits),
                    Err(error) => {
                        assert!(!fits && error.is(Errno::EMFILE) && error.to_string().contains("391 bytes (RLIMIT_MSGQUEUE)"), "{error}")
                    }
                }
            }
            let limit = libc::rlimit { rlim_cur: 3, rlim_max: 3 };
            // SAFETY: the limit is valid to read.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
            let taken: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/").ok()).collect();
            let error = Mq::create("e", &sized(1, 1)).unwrap_err();
            assert!(error.is(Errno::EMFILE) && error.to_string().contains("RLIMIT_NOFILE"), "{error}");
            drop(taken);
            0
        });
        assert_eq!(child.wait(), 0);
    });
}

#[test]
fn every_wait_ends() {
    in_own_namespace(|| {
        let queue = Mq::create("waits", &sized(1, 8)).unwrap();
        ends_in_every_way("receive", |wait| queue.receive(&mut [0; 8], wait).unwrap_err());
        ends_in_every_way("receive_vec", |wait| queue.receive_vec(wait).unwrap_err());
        queue.send(b"full", 0, Wait::NEVER).unwrap();
        ends_in_every_way("send", |wait| queue.send(b"more", 0, wait).unwrap_err());
        assert_eq!(next(&queue).0, b"full");
    });
}

#[test]
fn whoever_waits_is_woken_with_and_without_a_limit() {
    in_own_namespace(|| {
        let there = Mq::create("there", &sized(1, 8)).unwrap();
        let back = Mq::create("back", &sized(1, 8)).unwrap();
        for wait in [Wait::FOREVER, HANG.into()] {
            let echo = Child::fork(|| {
                for _ in 0..500 {
                    let (message, info) = there.receive_vec(wait).unwrap();
                    back.send(&message, info.priority, wait).unwrap();
                }
                0
            });
            for number in 0..500u32 {
                there.send(&number.to_le_bytes(), number, wait).unwrap();
                let (message, info) = back.receive_vec(wait).unwrap();
                assert_eq!((message, info.priority), (number.to_le_bytes().to_vec(), number));
            }
            assert_eq!(echo.wait(), 0);
        }
        // A sender that waits for room.
        there.send(b"1", 0, HANG).unwrap();
        for wait in [Wait::FOREVER, HANG.into()] {
            let sender = Child::fork(|| i32::from(there.send(b"2", 0, wait).is_err()));
            std::thread::sleep(Duration::from_millis(20));
            assert_eq!(next(&there).0.len(), 1);
            assert_eq!(sender.wait(), 0);
        }
        assert_eq!(next(&there).0, b"2");
    });
}

#[test]
fn strangers_are_refused_and_permissions_are_what_was_asked_for() {
    if !is_root() {
        return;
    }
    in_own_namespace(|| {
        // SAFETY: always succeeds.
        unsafe { libc::umask(0o777) };
        let queue = Mq::create("mine", &MqOptions { mode: 0o666, group: Some("12345".into()), temporary: true, ..plain() }).unwrap();
        let status = nix::sys::stat::fstat(queue.as_fd()).unwrap();
        assert_eq!((status.st_mode & 0o7777, status.st_gid), (0o666, 12345));
        let closed = Mq::create("closed", &sized(1, 1)).unwrap();
        assert_eq!(nix::sys::stat::fstat(closed.as_fd()).unwrap().st_mode & 0o7777, 0o600);
        let child = Child::fork(|| {
            become_user(12345);
            // Root's is trusted.
            Mq::open("mine", &plain()).unwrap().send(b"x", 0, Wait::NEVER).unwrap();
            assert_eq!(errno_of(Mq::open("closed", &plain())), Errno::EACCES);
            assert_eq!(errno_of(Mq::unlink("mine")), Errno::EPERM);
            let planted = Mq::create("planted", &MqOptions { mode: 0o666, ..plain() });
            drop(planted.unwrap());
            assert_eq!(errno_of(Mq::create("group", &MqOptions { group: Some("0".into()), ..plain() })), Errno::EPERM);
            assert_eq!(errno_of(Mq::open("group", &plain())), Errno::ENOENT, "a queue that could not be finished is gone");
            0
        });
        assert_eq!(child.wait(), 0);
        assert_eq!(errno_of(Mq::open("planted", &plain())), Errno::EPERM);
        assert_eq!(errno_of(Mq::open_or_create("planted", &plain())), Errno::EPERM);
        Mq::open("planted", &MqOptions { any_owner: true, ..plain() }).unwrap();
        Mq::unlink("planted").unwrap();
        assert_eq!(errno_of(Mq::create("group", &MqOptions { group: Some("no-such-group".into()), ..plain() })), Errno::EINVAL);
    });
}

#[test]
fn a_handle_does_what_it_was_opened_for() {
    in_own_namespace(|| {
        let _queue = Mq::create("access", &sized(2, 8)).unwrap();
        let sender = Mq::open("access", &MqOptions { access: MqAccess::Send, ..plain() }).unwrap();
        let receiver = Mq::open("access", &MqOptions { access: MqAccess::Receive, ..plain() }).unwrap();
        for wait in [Wait::NEVER, Wait::FOREVER] {
            let error = sender.receive_vec(wait).unwrap_err();
            assert!(error.is(Errno::EBADF) && error.to_string().contains("sending alone"), "{error}");
            let error = receiver.send(b"x", 0, wait).unwrap_err();
            assert!(error.is(Errno::EBADF) && error.to_string().contains("receiving alone"), "{error}");
        }
        sender.send(b"x", 0, Wait::NEVER).unwrap();
        assert_eq!(next(&receiver).0, b"x");
    });
}

#[test]
fn temporary_goes_with_its_creator_alone() {
    in_own_namespace(|| {
        let queue = Mq::create("t", &sized(1, 1)).unwrap();
        drop(Mq::open_or_create("t", &sized(1, 1)).unwrap());
        drop(Mq::open("t", &plain()).unwrap());
        let queue = {
            let mut kept = Some(queue);
            let child = Child::fork(|| {
                drop(kept.take());
                0
            });
            assert_eq!(child.wait(), 0);
            kept
        };
        drop(Mq::open("t", &plain()).unwrap());
        drop(queue);
        assert_eq!(errno_of(Mq::open("t", &plain())), Errno::ENOENT);

        // Somebody has taken the name meanwhile: it is theirs.
        let queue = Mq::create("t", &sized(1, 1)).unwrap();
        Mq::unlink("t").unwrap();
        let theirs = Mq::create("t", &MqOptions { temporary: false, ..sized(1, 1) }).unwrap();
        drop(queue);
        drop(Mq::open("t", &plain()).unwrap());
        drop(theirs);
        drop(Mq::open("t", &plain()).unwrap());
        Mq::unlink("t").unwrap();

        let queue = Mq::create("t", &sized(1, 1)).unwrap();
        drop(queue.into_descriptor());
        Mq::unlink("t").unwrap();
    });
}

#[test]
fn what_a_dead_creator_left_is_taken_up() {
    in_own_namespace(|| {
        let mut creator = Child::fork(|| {
            let queue = Mq::create("left", &sized(4, 8)).unwrap();
            queue.send(b"will", 3, Wait::NEVER).unwrap();
            // SAFETY: ends this child at once, without its drops.
            unsafe { libc::raise(libc::SIGKILL) };
            0
        });
        let patient = MqOptions { wait_for_creator: HANG.into(), ..plain() };
        let queue = Mq::open("left", &patient).unwrap();
        assert_eq!(next(&queue), (b"will".to_vec(), 3));
        creator.kill();
        let queue = Mq::open_or_create("left", &sized(9, 7)).unwrap();
        assert_eq!((queue.capacity(), queue.largest()), (4, 8), "as it was made");
        let error = Mq::open_or_create("left", &sized(9, 9)).unwrap_err();
        assert!(error.is_failure(Failure::WrongSize), "{error}");
        Mq::unlink("left").unwrap();
        let soon = MqOptions { wait_for_creator: Duration::from_millis(20).into(), ..plain() };
        assert_eq!(errno_of(Mq::open("left", &soon)), Errno::ENOENT);
    });
}

#[test]
fn its_descriptor_is_for_poll_and_for_others() {
    in_own_namespace(|| {
        let queue = Mq::create("poll", &sized(1, 8)).unwrap();
        let ready = |events: libc::c_short| {
            let mut polled = libc::pollfd { fd: queue.as_fd().as_raw_fd(), events, revents: 0 };
            // SAFETY: one valid entry.
            assert!(unsafe { libc::poll(&mut polled, 1, 0) } >= 0);
            polled.revents
        };
        assert_eq!((ready(libc::POLLIN), ready(libc::POLLOUT)), (0, libc::POLLOUT));
        queue.send(b"x", 0, Wait::NEVER).unwrap();
        assert_eq!((ready(libc::POLLIN), ready(libc::POLLIN), ready(libc::POLLOUT)), (libc::POLLIN, libc::POLLIN, 0));
        // SAFETY: F_GETFD returns an integer.
        assert_eq!(unsafe { libc::fcntl(queue.as_fd().as_raw_fd(), libc::F_GETFD) }, libc::FD_CLOEXEC);
        assert_eq!(support::alone::flags(&queue) & libc::O_NONBLOCK, 0);

        // One that somebody has made non-blocking waits all the same.
        let twin = Mq::from_descriptor(queue.as_fd().try_clone_to_owned().unwrap()).map_err(|refused| refused.1).unwrap();
        // SAFETY: F_SETFL takes an integer.
        assert_eq!(unsafe { libc::fcntl(twin.as_fd().as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) }, 0);
        assert_eq!(next(&twin).0, b"x");
        let sender = Child::fork(|| {
            std::thread::sleep(Duration::from_millis(20));
            i32::from(queue.send(b"late", 0, HANG).is_err())
        });
        assert_eq!(twin.receive_vec(Wait::FOREVER).unwrap().0, b"late");
        assert_eq!(sender.wait(), 0);
        drop(twin);
        let (refused, error) = Mq::from_descriptor(std::fs::File::open("/dev/null").unwrap().into()).unwrap_err();
        assert!(error.is_failure(Failure::WrongKind), "{error}");
        drop(refused);
    });
}

static NOTED: AtomicU32 = AtomicU32::new(0);
static VALUE: AtomicI64 = AtomicI64::new(0);

extern "C" fn note(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel gives a valid info.
    VALUE.store(unsafe { (*info).si_value() }.sival_ptr as i64, Ordering::SeqCst);
    NOTED.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn a_signal_tells_once_of_a_message_in_an_empty_queue() {
    in_own_namespace(|| {
        // SAFETY: an action of zero bytes has an empty mask; the handler only stores.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = note as extern "C" fn(_, _, _) as usize;
            action.sa_flags = libc::SA_SIGINFO;
            assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
        }
        let queue = Mq::create("notice", &sized(4, 8)).unwrap();
        for signal in [0, -1, 65, i32::MAX] {
            assert_eq!(errno_of(queue.notify_signal(signal, 0)), Errno::EINVAL);
        }
        queue.notify_signal(libc::SIGUSR1, -4711).unwrap();
        let other = Child::fork(|| {
            assert_eq!(errno_of(queue.notify_signal(libc::SIGUSR1, 0)), Errno::EBUSY);
            queue.cancel_notify().unwrap();
            queue.send(b"a", 0, Wait::NEVER).unwrap();
            queue.send(b"b", 0, Wait::NEVER).unwrap();
            0
        });
        assert_eq!(other.wait(), 0);
        assert_eq!((NOTED.load(Ordering::SeqCst), VALUE.load(Ordering::SeqCst)), (1, -4711));
        assert_eq!((next(&queue).0, next(&queue).0), (b"a".to_vec(), b"b".to_vec()));
        queue.send(b"c", 0, Wait::NEVER).unwrap();
        assert_eq!(NOTED.load(Ordering::SeqCst), 1, "asked for once");
        next(&queue);
        queue.notify_signal(libc::SIGUSR1, 1).unwrap();
        queue.cancel_notify().unwrap();
        queue.cancel_notify().unwrap();
        queue.send(b"d", 0, Wait::NEVER).unwrap();
        assert_eq!(NOTED.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_mounted_file_system_shows_the_same_queues() {
    in_own_namespace(|| {
        let place = Place::mount();
        let queue = Mq::create("seen", &sized(2, 8)).unwrap();
        queue.send(b"hello", 0, Wait::NEVER).unwrap();
        assert_eq!(place.names(), ["seen"]);
        assert!(std::fs::read_to_string(place.path("seen")).unwrap().starts_with("QSIZE:5"), "five bytes are in it");
        let file = std::fs::OpenOptions::new().read(true).write(true).open(place.path("seen")).unwrap();
        let twin = Mq::from_descriptor(file.into()).map_err(|refused| refused.1).unwrap();
        assert_eq!(next(&twin).0, b"hello");
        std::fs::remove_file(place.path("seen")).unwrap();
        assert_eq!(errno_of(Mq::open("seen", &plain())), Errno::ENOENT);
    });
}

/// A message that tells whether it is whole.
fn numbered(number: u64) -> [u8; 512] {
    let mut message = [number as u8; 512];
    message[..8].copy_from_slice(&number.to_le_bytes());
    message
}

fn number_of(message: &[u8]) -> u64 {
    let number = u64::from_le_bytes(message[..8].try_into().unwrap());
    assert_eq!(message, numbered(number), "a torn message");
    number
}

#[test]
fn a_sender_killed_at_any_moment_leaves_whole_messages_in_order() {
    in_own_namespace(|| {
        let queue = Mq::create("killed", &sized(8, 512)).unwrap();
        let sent = SharedPages::<AtomicU64>::zeroed();
        let (mut seed, mut expected) = (4711, 0);
        for _ in 0..kills() {
            let mut sender = Child::fork(|| {
                loop {
                    let number = sent.load(Ordering::SeqCst);
                    if queue.send(&numbered(number), 0, HANG).is_err() {
                        return 1;
                    }
                    sent.store(number + 1, Ordering::SeqCst);
                }
            });
            random_time(&mut seed, 2000);
            while let Ok((message, _)) = queue.receive_vec(Wait::NEVER) {
                assert_eq!(number_of(&message), expected);
                expected += 1;
                if expected.is_multiple_of(16) {
                    break;
                }
            }
            sender.kill();
            while let Ok((message, _)) = queue.receive_vec(Wait::NEVER) {
                assert_eq!(number_of(&message), expected);
                expected += 1;
            }
            let counted = sent.load(Ordering::SeqCst);
            assert!(expected == counted || expected == counted + 1, "{expected} received, {counted} counted");
            sent.store(expected, Ordering::SeqCst);
        }
        assert!(expected > 100, "{expected}");
    });
}

#[test]
fn a_receiver_killed_at_any_moment_takes_one_message_with_it_at_most() {
    in_own_namespace(|| {
        let queue = Mq::create("killed", &sized(8, 512)).unwrap();
        let got = SharedPages::<AtomicU64>::zeroed();
        let (mut seed, mut number) = (815, 0);
        for _ in 0..kills() {
            let first = number;
            got.store(0, Ordering::SeqCst);
            let mut receiver = Child::fork(|| {
                loop {
                    let Ok((message, _)) = queue.receive_vec(HANG) else { return 1 };
                    number_of(&message);
                    got.fetch_add(1, Ordering::SeqCst);
                }
            });
            for _ in 0..20 {
                queue.send(&numbered(number), 0, HANG).unwrap();
                number += 1;
            }
            random_time(&mut seed, 500);
            receiver.kill();
            let mut left = 0;
            while let Ok((message, _)) = queue.receive_vec(Wait::NEVER) {
                assert!(number_of(&message) >= first);
                left += 1;
            }
            let lost = 20 - left - got.load(Ordering::SeqCst);
            assert!(lost <= 1, "{lost} lost");
        }
    });
}
