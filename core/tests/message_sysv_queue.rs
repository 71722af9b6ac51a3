//! System V message queues between real processes, each test in an IPC namespace of its own.

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use support::contained::is_root;
use support::process::{Child, kills};
use support::queues::{become_user, in_own_namespace, random_time, set_limit, sysv_queues};
use support::shared::SharedPages;
use support::waits::ends_in_every_way;
use unipc::message::{SysvQueue, SysvQueueOptions, Which};
use unipc::{Error, Failure, Wait};

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);
const KEY: i32 = 0x4711_0815;

fn temporary() -> SysvQueueOptions<'static> {
    SysvQueueOptions { temporary: true, ..Default::default() }
}

fn plain() -> SysvQueueOptions<'static> {
    SysvQueueOptions::default()
}

fn errno_of<T: std::fmt::Debug>(result: Result<T, Error>) -> Errno {
    let error = result.unwrap_err();
    error.errno().unwrap_or_else(|| panic!("{error}"))
}

/// The next message of a choice.
fn next(queue: &SysvQueue, which: Which) -> (String, i64) {
    let (message, info) = queue.receive_vec(which, HANG).unwrap();
    assert_eq!(info.size, message.len());
    (String::from_utf8(message).unwrap(), info.kind)
}

#[test]
fn a_receiver_chooses_by_type() {
    in_own_namespace(|| {
        let queue = SysvQueue::create(KEY, &temporary()).unwrap();
        let fill = || {
            let sender = Child::fork(|| {
                let queue = SysvQueue::open(KEY, &plain()).unwrap();
                for (message, kind) in [("c", 3), ("a", 1), ("b", 2), ("B", 2), ("", i64::MAX)] {
                    queue.send(message.as_bytes(), kind, HANG).unwrap();
                }
                0
            });
            assert_eq!(sender.wait(), 0);
        };
        fill();
        assert_eq!(queue.next_size(Which::Type(i64::MAX)).unwrap(), Some(0));
        assert_eq!(queue.next_size(Which::Type(4)).unwrap(), None);
        assert_eq!(next(&queue, Which::Type(2)), ("b".into(), 2));
        assert_eq!(next(&queue, Which::AllBut(3)), ("a".into(), 1));
        assert_eq!(next(&queue, Which::LowestUpTo(i64::MAX)), ("B".into(), 2));
        assert_eq!(errno_of(queue.receive_vec(Which::LowestUpTo(2), Wait::NEVER)), Errno::EAGAIN);
        assert_eq!(errno_of(queue.receive_vec(Which::Type(1), Wait::NEVER)), Errno::EAGAIN);
        assert_eq!(next(&queue, Which::Any), ("c".into(), 3));
        assert_eq!(errno_of(queue.receive_vec(Which::AllBut(i64::MAX), Wait::NEVER)), Errno::EAGAIN);
        assert_eq!(next(&queue, Which::Any), (String::new(), i64::MAX));
        for kind in [0, -1, i64::MIN] {
            assert_eq!(errno_of(queue.send(b"x", kind, Wait::NEVER)), Errno::EINVAL);
            for which in [Which::Type(kind), Which::LowestUpTo(kind), Which::AllBut(kind)] {
                assert_eq!(errno_of(queue.receive_vec(which, Wait::NEVER)), Errno::EINVAL);
            }
        }
    });
}

#[test]
fn limits_are_exact_and_named() {
    in_own_namespace(|| {
        set_limit("kernel/msgmax", 9000);
        let queue = SysvQueue::create_private(&SysvQueueOptions { limit: 9500, ..temporary() }).unwrap();
        for length in [0, 1, 7, 8, 4095, 4096, 4097, 8999, 9000] {
            let message: Vec<u8> = (0..length).map(|place| place as u8).collect();
            queue.send(&message, 1, Wait::NEVER).unwrap();
            assert_eq!(queue.receive_vec(Which::Any, Wait::NEVER).unwrap().0, message);
            let mut buffer = vec![0; length];
            queue.send(&message, 1, Wait::NEVER).unwrap();
            assert_eq!(queue.receive(&mut buffer, Which::Any, Wait::NEVER).unwrap().size, length);
            assert_eq!(buffer, message);
        }
        let error = queue.send(&[0; 9001], 1, HANG).unwrap_err();
        assert!(error.is(Errno::EMSGSIZE) && error.to_string().contains("9001 bytes; /proc/sys/kernel/msgmax is 9000"), "{error}");
        queue.set_limit(100).unwrap();
        for wait in [Wait::NEVER, HANG.into(), Wait::FOREVER] {
            let error = queue.send(&[0; 101], 1, wait).unwrap_err();
            assert!(error.is(Errno::EMSGSIZE) && error.to_string().contains("101 bytes, the queue holds 100"), "{error}");
        }
        queue.send(&[7; 99], 1, Wait::NEVER).unwrap();
        assert_eq!(errno_of(queue.send(&[0; 2], 1, Wait::NEVER)), Errno::EAGAIN);
        queue.send(&[8; 1], 2, Wait::NEVER).unwrap();

        let error = queue.receive(&mut [0; 98], Which::Any, Wait::NEVER).unwrap_err();
        assert!(error.is(Errno::E2BIG) && error.to_string().contains("98 bytes, the message 99"), "{error}");
        assert_eq!(queue.status().unwrap().messages, 2, "it stays");
        assert_eq!(queue.next_size(Which::Any).unwrap(), Some(99));
        assert_eq!(queue.next_size(Which::AllBut(1)).unwrap(), Some(1));
        assert_eq!(queue.next_size(Which::LowestUpTo(9)).unwrap(), Some(99));
        let mut cut = [0; 98];
        assert_eq!(queue.receive_cut(&mut cut, Which::Any, Wait::NEVER).unwrap().size, 98);
        assert_eq!(cut, [7; 98]);
        assert_eq!(queue.receive(&mut [0; 1], Which::Any, Wait::NEVER).unwrap().kind, 2);
        // What was sent before the limits were lowered arrives.
        queue.set_limit(9000).unwrap();
        queue.send(&[1; 9000], 1, Wait::NEVER).unwrap();
        set_limit("kernel/msgmax", 10);
        // It cannot be looked at, and is there all the same.
        for limit in [9000, 10] {
            queue.set_limit(limit).unwrap();
            let error = queue.next_size(Which::Any).unwrap_err();
            assert!(error.is_failure(Failure::Unavailable) && error.to_string().contains("msgmax"), "{error}");
        }
        assert_eq!(errno_of(queue.receive(&mut [0; 8], Which::Any, Wait::NEVER)), Errno::E2BIG);
        assert_eq!(queue.receive_vec(Which::Any, Wait::NEVER).unwrap().0, [1; 9000]);
        assert_eq!(errno_of(queue.set_limit(0)), Errno::EINVAL);
    });
}

#[test]
fn limits_of_the_system_are_named_with_their_values() {
    if !is_root() {
        return;
    }
    in_own_namespace(|| {
        set_limit("kernel/msgmni", 1);
        set_limit("kernel/msgmnb", 5000);
        let child = Child::fork(|| {
            become_user(12345);
            let queue = SysvQueue::create(KEY, &SysvQueueOptions { limit: 5000, ..temporary() }).unwrap();
            let error = SysvQueue::create_private(&temporary()).unwrap_err();
            assert!(error.is(Errno::ENOSPC) && error.to_string().contains("kernel/msgmni is 1"), "{error}");
            let error = queue.set_limit(5001).unwrap_err();
            assert!(error.is(Errno::EPERM) && error.to_string().contains("kernel/msgmnb is 5000"), "{error}");
            assert_eq!(queue.status().unwrap().limit, 5000);
            drop(queue);
            assert_eq!(errno_of(SysvQueue::create(KEY, &SysvQueueOptions { limit: 5001, ..plain() })), Errno::EPERM);
            assert_eq!(sysv_queues(), Vec::<String>::new(), "a queue that could not be finished is gone");
            0
        });
        assert_eq!(child.wait(), 0);
        // Who has CAP_SYS_RESOURCE may; not every root has it.
        match SysvQueue::create(KEY, &SysvQueueOptions { limit: 5001, ..temporary() }) {
            Ok(queue) => assert_eq!(queue.status().unwrap().limit, 5001),
            Err(error) => assert!(error.is(Errno::EPERM), "{error}"),
        }
    });
}

#[test]
fn keys_and_identifiers_find_a_queue() {
    in_own_namespace(|| {
        assert_eq!(errno_of(SysvQueue::open(KEY, &plain())), Errno::ENOENT);
        assert_eq!(errno_of(SysvQueue::remove_key(KEY)), Errno::ENOENT);
        let queue = SysvQueue::open_or_create(KEY, &plain()).unwrap();
        assert_eq!(queue.key(), Some(KEY));
        assert_eq!(errno_of(SysvQueue::create(KEY, &plain())), Errno::EEXIST);
        assert_eq!(SysvQueue::open_or_create(KEY, &temporary()).unwrap().id(), queue.id());
        let twin = SysvQueue::open_id(queue.id(), &plain()).unwrap();
        twin.send(b"x", 1, Wait::NEVER).unwrap();
        assert_eq!(next(&queue, Which::Any), ("x".into(), 1));
        SysvQueue::remove_key(KEY).unwrap();
        let error = queue.send(b"x", 1, Wait::NEVER).unwrap_err();
        assert!(error.is(Errno::EIDRM) && error.to_string().contains("0x47110815") && error.to_string().contains("was removed"), "{error}");
        assert_eq!(errno_of(twin.receive_vec(Which::Any, Wait::FOREVER)), Errno::EIDRM);
        assert_eq!(errno_of(queue.remove()), Errno::EIDRM);
        assert_eq!(errno_of(queue.status()), Errno::EIDRM);
        assert_eq!(errno_of(queue.set_mode(0o666)), Errno::EIDRM);
        assert_eq!(errno_of(SysvQueue::open_id(queue.id(), &plain())), Errno::EIDRM);
        assert_eq!(errno_of(SysvQueue::create(0, &plain())), Errno::EINVAL);
        assert_eq!(errno_of(SysvQueue::open(0, &plain())), Errno::EINVAL);
        assert_eq!(errno_of(SysvQueue::remove_key(0)), Errno::EINVAL);
        let first = SysvQueue::create_private(&temporary()).unwrap();
        let second = SysvQueue::create_private(&temporary()).unwrap();
        assert!(first.id() != second.id() && first.key().is_none());

        let creator = Child::fork(|| {
            std::thread::sleep(Duration::from_millis(30));
            drop(SysvQueue::create(KEY, &plain()).unwrap());
            0
        });
        SysvQueue::open(KEY, &SysvQueueOptions { wait_for_creator: HANG.into(), ..plain() }).unwrap().remove().unwrap();
        assert_eq!(creator.wait(), 0);
    });
}

#[test]
fn every_wait_ends() {
    in_own_namespace(|| {
        let queue = SysvQueue::create_private(&SysvQueueOptions { limit: 8, ..temporary() }).unwrap();
        for which in [Which::Any, Which::Type(1), Which::LowestUpTo(1), Which::AllBut(2)] {
            ends_in_every_way("receive", |wait| queue.receive(&mut [0; 8], which, wait).unwrap_err());
            queue.send(b"x", 2, Wait::NEVER).unwrap();
            if which != Which::Any {
                ends_in_every_way("receive_vec", |wait| queue.receive_vec(which, wait).unwrap_err());
                ends_in_every_way("receive_cut", |wait| queue.receive_cut(&mut [], which, wait).unwrap_err());
            }
            next(&queue, Which::Any);
        }
        queue.send(&[0; 8], 1, Wait::NEVER).unwrap();
        ends_in_every_way("send", |wait| queue.send(b"x", 1, wait).unwrap_err());
    });
}

#[test]
fn whoever_waits_is_woken_with_and_without_a_limit() {
    in_own_namespace(|| {
        let queue = SysvQueue::create_private(&temporary()).unwrap();
        for wait in [Wait::FOREVER, HANG.into()] {
            let echo = Child::fork(|| {
                for _ in 0..50 {
                    let (message, _) = queue.receive_vec(Which::Type(1), wait).unwrap();
                    queue.send(&message, 2, wait).unwrap();
                }
                0
            });
            for number in 0..50u32 {
                queue.send(&number.to_le_bytes(), 1, wait).unwrap();
                assert_eq!(queue.receive_vec(Which::Type(2), wait).unwrap().0, number.to_le_bytes());
            }
            assert_eq!(echo.wait(), 0);
        }
        // A message that comes late is seen at most 10 ms later; a hundred times that is a hang.
        let sender = Child::fork(|| {
            std::thread::sleep(Duration::from_millis(100));
            i32::from(queue.send(b"late", 1, HANG).is_err())
        });
        let start = Instant::now();
        assert_eq!(next(&queue, Which::Any).0, "late");
        assert!(start.elapsed() < Duration::from_millis(1100), "{:?}", start.elapsed());
        assert_eq!(sender.wait(), 0);
        // A sender that waits for room.
        queue.set_limit(4).unwrap();
        queue.send(b"full", 1, HANG).unwrap();
        for wait in [Wait::FOREVER, HANG.into()] {
            let sender = Child::fork(|| i32::from(queue.send(b"more", 1, wait).is_err()));
            std::thread::sleep(Duration::from_millis(20));
            next(&queue, Which::Any);
            assert_eq!(sender.wait(), 0);
        }
        next(&queue, Which::Any);
    });
}

#[test]
fn a_removal_ends_every_wait() {
    in_own_namespace(|| {
        for is_full in [false, true] {
            for wait in [Wait::FOREVER, HANG.into()] {
                let queue = SysvQueue::create_private(&SysvQueueOptions { limit: 1, ..temporary() }).unwrap();
                if is_full {
                    queue.send(b"x", 1, Wait::NEVER).unwrap();
                }
                let waiter = Child::fork(|| {
                    let result = if is_full { queue.send(b"y", 1, wait) } else { queue.receive_vec(Which::Any, wait).map(drop) };
                    i32::from(!result.is_err_and(|error| error.is(Errno::EIDRM)))
                });
                std::thread::sleep(Duration::from_millis(20));
                queue.remove().unwrap();
                assert_eq!(waiter.wait(), 0);
            }
        }
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
        let options = SysvQueueOptions { mode: 0o622, group: Some("12345".into()), ..temporary() };
        let queue = SysvQueue::create(KEY, &options).unwrap();
        let status = queue.status().unwrap();
        assert_eq!((status.mode, status.gid, status.uid, status.creator_uid), (0o622, 12345, 0, 0));
        queue.set_mode(0o602).unwrap();
        assert_eq!(queue.status().unwrap().mode, 0o602);
        assert_eq!(errno_of(queue.set_mode(0o1000)), Errno::EINVAL);
        let closed = SysvQueue::create(KEY + 1, &temporary()).unwrap();
        assert_eq!(closed.status().unwrap().mode, 0o600);
        queue.set_mode(0o622).unwrap();
        let child = Child::fork(|| {
            become_user(12345);
            // Root's is trusted, also by who may only send to it.
            let mine = SysvQueue::open(KEY, &plain()).unwrap();
            mine.send(b"x", 1, HANG).unwrap();
            assert_eq!(errno_of(mine.receive_vec(Which::Any, Wait::NEVER)), Errno::EACCES);
            assert_eq!(errno_of(mine.status()), Errno::EACCES);
            assert_eq!(errno_of(mine.remove()), Errno::EPERM);
            assert_eq!(errno_of(SysvQueue::open(KEY + 1, &plain()).unwrap().send(b"x", 1, Wait::NEVER)), Errno::EACCES);
            drop(SysvQueue::create(KEY + 2, &SysvQueueOptions { mode: 0o666, ..plain() }).unwrap());
            0
        });
        assert_eq!(child.wait(), 0);
        for error in [SysvQueue::open(KEY + 2, &plain()).unwrap_err(), SysvQueue::open_or_create(KEY + 2, &plain()).unwrap_err()] {
            assert!(error.is(Errno::EPERM) && error.to_string().contains("12345"), "{error}");
        }
        let theirs = SysvQueue::open(KEY + 2, &SysvQueueOptions { any_owner: true, ..plain() }).unwrap();
        theirs.set_owner(Some(54321), None).unwrap();
        let status = theirs.status().unwrap();
        assert_eq!((status.uid, status.gid, status.creator_uid, status.id, status.key), (54321, 12345, 12345, theirs.id(), KEY + 2));
        theirs.set_owner(Some(12345), Some(12345)).unwrap();
        assert_eq!(errno_of(theirs.set_owner(None, Some(u32::MAX))), Errno::EINVAL);
        // Another stranger is told of it by /proc alone.
        theirs.set_mode(0o622).unwrap();
        let child = Child::fork(|| {
            become_user(54321);
            assert_eq!(errno_of(SysvQueue::open(KEY + 2, &plain())), Errno::EPERM);
            SysvQueue::open(KEY + 2, &SysvQueueOptions { any_owner: true, ..plain() }).unwrap().send(b"x", 1, HANG).unwrap();
            0
        });
        assert_eq!(child.wait(), 0);
        theirs.remove().unwrap();
    });
}

#[test]
fn temporary_goes_with_its_creator_alone() {
    in_own_namespace(|| {
        let queue = SysvQueue::create(KEY, &temporary()).unwrap();
        drop(SysvQueue::open_or_create(KEY, &temporary()).unwrap());
        let queue = {
            let mut kept = Some(queue);
            let child = Child::fork(|| {
                let queue = kept.take().unwrap();
                queue.send(b"of a child", 1, Wait::NEVER).unwrap();
                drop(queue);
                0
            });
            assert_eq!(child.wait(), 0);
            kept.unwrap()
        };
        assert_eq!(next(&queue, Which::Any).0, "of a child");
        SysvQueue::remove_key(KEY).unwrap();
        let theirs = SysvQueue::create(KEY, &plain()).unwrap();
        drop(queue);
        theirs.status().unwrap();
        theirs.remove().unwrap();
        let left = Child::fork(|| {
            let queue = SysvQueue::create(KEY, &temporary()).unwrap();
            queue.send(b"will", 1, Wait::NEVER).unwrap();
            // SAFETY: ends this child at once, without its drops.
            unsafe { libc::raise(libc::SIGKILL) };
            0
        });
        assert_eq!(left.wait(), -libc::SIGKILL);
        let queue = SysvQueue::open_or_create(KEY, &plain()).unwrap();
        assert_eq!(next(&queue, Which::Any).0, "will");
        queue.remove().unwrap();
    });
}

#[test]
fn the_status_tells_who_and_when() {
    in_own_namespace(|| {
        let queue = SysvQueue::create_private(&temporary()).unwrap();
        let status = queue.status().unwrap();
        assert_eq!((status.messages, status.bytes, status.last_sender_pid, status.last_receiver_pid), (0, 0, 0, 0));
        assert_eq!((status.sent_at, status.received_at), (0, 0));
        assert!(status.changed_at > 1_600_000_000);
        let child = Child::fork(|| {
            queue.send(b"four", 1, Wait::NEVER).unwrap();
            queue.send(b"x", 1, Wait::NEVER).unwrap();
            0
        });
        let id = child.id();
        assert_eq!(child.wait(), 0);
        next(&queue, Which::Any);
        let status = queue.status().unwrap();
        assert_eq!((status.messages, status.bytes, status.last_sender_pid), (1, 1, id));
        assert_eq!(status.last_receiver_pid, std::process::id() as i32);
        assert!(status.sent_at > 1_600_000_000 && status.received_at >= status.sent_at);
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
fn a_peer_killed_at_any_moment_leaves_whole_messages_in_order() {
    in_own_namespace(|| {
        let queue = SysvQueue::create_private(&temporary()).unwrap();
        let sent = SharedPages::<AtomicU64>::zeroed();
        let (mut seed, mut expected) = (4711, 0);
        for _ in 0..kills() {
            let mut sender = Child::fork(|| {
                loop {
                    let number = sent.load(Ordering::SeqCst);
                    if queue.send(&numbered(number), 1 + number as i64 % 3, HANG).is_err() {
                        return 1;
                    }
                    sent.store(number + 1, Ordering::SeqCst);
                }
            });
            random_time(&mut seed, 2000);
            sender.kill();
            while let Ok((message, _)) = queue.receive_vec(Which::Any, Wait::NEVER) {
                assert_eq!(number_of(&message), expected);
                expected += 1;
            }
            let counted = sent.load(Ordering::SeqCst);
            assert!(expected == counted || expected == counted + 1, "{expected} received, {counted} counted");
            sent.store(expected, Ordering::SeqCst);
        }
        assert!(expected > 100, "{expected}");
        // And receivers: each takes one message with it at most.
        for _ in 0..kills() {
            sent.store(0, Ordering::SeqCst);
            let mut receiver = Child::fork(|| {
                loop {
                    let Ok((message, _)) = queue.receive_vec(Which::Any, Wait::FOREVER) else { return 1 };
                    number_of(&message);
                    sent.fetch_add(1, Ordering::SeqCst);
                }
            });
            for number in 0..20 {
                queue.send(&numbered(number), 1, HANG).unwrap();
            }
            random_time(&mut seed, 500);
            receiver.kill();
            let mut left = 0;
            while let Ok((message, _)) = queue.receive_vec(Which::Any, Wait::NEVER) {
                number_of(&message);
                left += 1;
            }
            let lost = 20 - left - sent.load(Ordering::SeqCst);
            assert!(lost <= 1, "{lost} lost");
        }
    });
}
