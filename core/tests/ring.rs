//! Many reads and writes at once: what completes, with what, and what never outlives the ring.
#![cfg(feature = "io_uring")]

mod support;

use std::collections::HashSet;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use support::alone::{Alone, in_a_storm};
use support::contained::contained;
use support::process::{Child, kills};
use support::waits::ends_in_every_way;
use unipc::Failure;
use unipc::event::{Completion, Events, Interest, Operation, Poller, Ring};
use unipc::stream::{UnixStream, pipe};

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);

/// Whether there is anything to test; if not, says why.
fn is_here() -> bool {
    Ring::available().map_err(|why| println!("{why}")).is_ok()
}

fn room(size: usize) -> Vec<u8> {
    Vec::with_capacity(size)
}

fn one(ring: &mut Ring) -> Completion {
    let mut done = ring.wait(1, HANG).unwrap();
    assert_eq!(done.len(), 1);
    done.remove(0)
}

fn errno(done: Completion) -> Errno {
    done.result.unwrap_err().errno().unwrap()
}

#[test]
fn a_thousand_in_flight_over_pipes_and_sockets_of_another_process() {
    if !is_here() {
        return;
    }
    const EACH: usize = 500;
    let _alone = Alone::new();
    let pipes: Vec<_> = (0..EACH / 4).map(|_| pipe().unwrap()).collect();
    let sockets: Vec<_> = (0..EACH / 4).map(|_| UnixStream::pair().unwrap()).collect();
    let child = Child::fork(|| {
        // From the last to the first, so that nothing completes in the order in which it was submitted.
        for (number, ((_, writer), (_, far))) in pipes.iter().zip(&sockets).enumerate().rev() {
            writer.write_all_within(&[number as u8; 4], HANG).unwrap();
            let mut greeting = [0; 4];
            far.read_exact_within(&mut greeting, HANG).unwrap();
            assert_eq!(greeting, [number as u8 + 1; 4]);
            far.write_all_within(&[number as u8 + 2; 4], HANG).unwrap();
        }
        0
    });
    let mut ring = Ring::new(1000).unwrap();
    let mut operations = Vec::new();
    for (number, ((reader, _), (near, _))) in pipes.iter().zip(&sockets).enumerate() {
        let token = 8 * number as u64;
        operations.push(Operation::read(reader, room(4), token));
        operations.push(Operation::read(near, room(4), token + 1));
        operations.push(Operation::write(near, vec![number as u8 + 1; 4], token + 2));
    }
    let mut expected: HashSet<u64> = operations.iter().map(token_of).collect();
    ring.submit(&mut operations).unwrap();
    assert!(operations.is_empty());
    while ring.in_flight() > 0 {
        for done in ring.wait(100, HANG).unwrap() {
            assert!(expected.remove(&done.token), "told twice");
            let (number, kind) = ((done.token / 8) as u8, (done.token % 8) as u8);
            assert_eq!(done.result.unwrap(), 4);
            assert_eq!(done.buffer, [number + [0, 2, 1][usize::from(kind)]; 4]);
        }
    }
    assert!(expected.is_empty());
    assert_eq!(child.wait(), 0);
    assert!(ring.wait(1, None).unwrap().is_empty());

    // A thousand that wait, on one descriptor: each byte wakes one of them.
    let (reader, writer) = pipe().unwrap();
    ring.submit(&mut (0..1000).map(|token| Operation::read(&reader, room(1), token)).collect()).unwrap();
    assert_eq!(ring.in_flight(), 1000);
    let refused = ring.submit(&mut vec![Operation::read(&reader, room(1), 0)]).unwrap_err();
    assert!(refused.is(Errno::EAGAIN) && refused.to_string().contains("1000 are in flight"), "{refused}");
    writer.write_all_within(&[7; 1000], HANG).unwrap();
    let mut told = HashSet::new();
    while ring.in_flight() > 0 {
        told.extend(ring.wait(1000, HANG).unwrap().into_iter().map(|done| (done.token, done.buffer == [7])));
    }
    assert!(told.len() == 1000 && told.iter().all(|(_, is_right)| *is_right));
}

fn token_of(operation: &Operation<'_>) -> u64 {
    // It has no use but here.
    let text = format!("{operation:?}");
    text.split("token: ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap()
}

#[test]
fn the_end_and_a_broken_stream_are_told() {
    if !is_here() {
        return;
    }
    let _alone = Alone::new();
    let mut ring = Ring::new(8).unwrap();
    let (reader, writer) = pipe().unwrap();
    ring.submit(&mut vec![Operation::read(&reader, room(10), 1)]).unwrap();
    drop(writer);
    let done = one(&mut ring);
    assert_eq!((done.result.unwrap(), done.buffer.len(), done.buffer.capacity() >= 10), (0, 0, true));
    // The disposition that would kill, at its default as a C program has it.
    let child = Child::fork(|| {
        // SAFETY: the child alone.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let mut ring = Ring::new(8).unwrap();
        let (reader, writer) = pipe().unwrap();
        let (near, far) = UnixStream::pair().unwrap();
        drop((reader, far));
        ring.submit(&mut vec![Operation::write(&writer, vec![1], 1), Operation::write(&near, vec![1], 2)]).unwrap();
        assert_eq!([errno(one(&mut ring)), errno(one(&mut ring))], [Errno::EPIPE; 2]);
        // One that has waited when the reader goes.
        let (reader, writer) = pipe().unwrap();
        let size = writer.capacity().unwrap();
        writer.write_all_within(&vec![0; size], HANG).unwrap();
        ring.submit(&mut vec![Operation::write(&writer, vec![1], 3)]).unwrap();
        assert!(ring.wait(1, Duration::from_millis(5)).unwrap_err().is(Errno::ETIMEDOUT));
        drop(reader);
        assert_eq!(errno(one(&mut ring)), Errno::EPIPE);
        0
    });
    assert_eq!(child.wait(), 0);
    // A direction that there is not, and files with their offsets.
    let (reader, _writer) = pipe().unwrap();
    ring.submit(&mut vec![Operation::write(&reader, vec![1], 4)]).unwrap();
    assert_eq!(errno(one(&mut ring)), Errno::EBADF);
    let path = _alone.path("file");
    std::fs::write(&path, b"0123456789").unwrap();
    let file = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    ring.submit(&mut vec![Operation::write(&file, b"xy".to_vec(), 5).at(4)]).unwrap();
    assert_eq!(one(&mut ring).result.unwrap(), 2);
    ring.submit(&mut vec![Operation::read(&file, room(6), 6).at(3)]).unwrap();
    assert_eq!(one(&mut ring).buffer, b"3xy678");
    ring.submit(&mut vec![Operation::read(&file, room(2), 7)]).unwrap();
    assert_eq!(one(&mut ring).buffer, b"01");
}

#[test]
fn every_wait_ends_and_cancels_nothing() {
    if !is_here() {
        return;
    }
    let _alone = Alone::new();
    let mut ring = Ring::new(4).unwrap();
    let (reader, writer) = pipe().unwrap();
    ring.submit(&mut vec![Operation::read(&reader, room(9), 1)]).unwrap();
    ends_in_every_way("ring", |wait| ring.wait(4, wait).unwrap_err());
    assert_eq!(ring.in_flight(), 1);
    assert!(ring.wait(0, None).unwrap_err().is(Errno::EINVAL));
    let poller = Poller::new().unwrap();
    poller.add(&ring, Interest::READABLE, 5).unwrap();
    let mut events = Events::with_capacity(1);
    assert!(poller.wait(&mut events, Duration::from_millis(5)).unwrap_err().is(Errno::ETIMEDOUT));
    writer.write_all_within(b"at last", HANG).unwrap();
    poller.wait(&mut events, HANG).unwrap();
    assert_eq!(in_a_storm(|| one(&mut ring)).buffer, b"at last");
    // Capacity, at its limits.
    for wrong in [0, (1 << 15) + 1, usize::MAX] {
        assert!(Ring::new(wrong).unwrap_err().is(Errno::EINVAL));
    }
    assert_eq!(Ring::new(1).unwrap().capacity(), 1);
}

#[test]
fn what_is_cancelled_or_dropped_is_over() {
    if !is_here() {
        return;
    }
    let _alone = Alone::new();
    let (reader, writer) = pipe().unwrap();
    let (near, _far) = UnixStream::pair().unwrap();
    let mut ring = Ring::new(64).unwrap();
    // Closed when it is in flight: the kernel holds it.
    let copy = reader.as_fd().try_clone_to_owned().unwrap();
    ring.submit(&mut vec![Operation::read(&copy, room(9), 1), Operation::read(&near, room(9), 2)]).unwrap();
    drop(copy);
    assert_eq!((ring.cancel(7).unwrap(), ring.cancel(1).unwrap()), (0, 1));
    let done = one(&mut ring);
    assert_eq!((done.token, errno(done)), (1, Errno::ECANCELED));
    // So often that there is no room for what the cancellations say.
    for _ in 0..1000 {
        ring.submit(&mut (0..32).map(|_| Operation::read(&reader, room(9), 3)).collect()).unwrap();
        assert_eq!(ring.cancel(3).unwrap(), 32);
        let mut left = 32;
        while left > 0 {
            left -= ring.wait(5, HANG).unwrap().into_iter().filter(|done| done.token == 3).count();
        }
    }
    for in_flight in [0, 1, 63] {
        ring.submit(&mut (0..in_flight).map(|token| Operation::read(&reader, vec![0; 100_000], token)).collect()).unwrap();
        let start = Instant::now();
        drop(ring);
        assert!(start.elapsed() < HANG);
        // None of them takes anything any more.
        writer.write_all_within(b"mine", HANG).unwrap();
        let mut bytes = [0; 4];
        reader.read_exact_within(&mut bytes, HANG).unwrap();
        assert_eq!(&bytes, b"mine");
        ring = Ring::new(64).unwrap();
    }
    // It goes to another thread; what a thread has submitted takes nothing more when that has ended, and is over when the ring is.
    for is_told in [true, false] {
        let (sent, reader) = (ring, &reader);
        ring = std::thread::scope(|scope| {
            let submit = move || {
                let mut ring = sent;
                ring.submit(&mut vec![Operation::read(reader, room(9), 9)]).unwrap();
                ring
            };
            scope.spawn(submit).join().unwrap()
        });
        if is_told {
            writer.write_all_within(b"mine", HANG).unwrap();
            assert_eq!(errno(one(&mut ring)), Errno::ECANCELED);
            let mut bytes = [0; 4];
            reader.read_exact_within(&mut bytes, HANG).unwrap();
        }
    }
}

#[test]
fn a_peer_that_is_killed_at_any_moment_ends_what_waits_for_it() {
    if !is_here() {
        return;
    }
    let _alone = Alone::new();
    let mut ring = Ring::new(8).unwrap();
    let mut random = 1u64;
    for _ in 0..kills() {
        let (reader, writer) = pipe().unwrap();
        let (near, far) = UnixStream::pair().unwrap();
        let mut child = Child::fork(|| {
            let mut taken = [0; 100];
            while writer.write_all_within(&[5; 100], HANG).is_ok() && far.read_exact_within(&mut taken, HANG).is_ok() {}
            0
        });
        drop((writer, far));
        ring.submit(&mut vec![Operation::read(&reader, room(100), 1), Operation::write(&near, vec![6; 100], 2)]).unwrap();
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let end = Instant::now() + Duration::from_micros((random >> 33) % 2000);
        let (mut is_killed, mut over) = (false, 0);
        while over < 2 {
            if !is_killed && Instant::now() >= end {
                child.kill();
                is_killed = true;
            }
            for done in ring.wait(8, HANG).unwrap() {
                match (done.token, done.result) {
                    (_, Ok(0)) => over += 1,
                    (2, Err(error)) if error.is(Errno::EPIPE) || error.is(Errno::ECONNRESET) => over += 1,
                    (1, Ok(_)) => {
                        assert!(done.buffer.iter().all(|byte| *byte == 5));
                        ring.submit(&mut vec![Operation::read(&reader, done.buffer, 1)]).unwrap();
                    }
                    (2, Ok(_)) => ring.submit(&mut vec![Operation::write(&near, done.buffer, 2)]).unwrap(),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[test]
fn a_child_makes_its_own() {
    if !is_here() {
        return;
    }
    let _alone = Alone::new();
    let mut ring = Ring::new(8).unwrap();
    let (reader, writer) = pipe().unwrap();
    ring.submit(&mut vec![Operation::read(&reader, room(9), 1)]).unwrap();
    let mut slot = Some(ring);
    let child = Child::fork(|| {
        let mut ring = slot.take().unwrap();
        assert!(ring.submit(&mut vec![Operation::read(&reader, room(9), 2)]).unwrap_err().is_failure(Failure::Forked));
        assert!(ring.wait(1, None).unwrap_err().is_failure(Failure::Forked));
        assert!(ring.cancel(1).unwrap_err().is_failure(Failure::Forked));
        drop(ring);
        let mut own = Ring::new(1).unwrap();
        own.submit(&mut vec![Operation::write(&writer, b"child".to_vec(), 3)]).unwrap();
        assert_eq!(one(&mut own).result.unwrap(), 5);
        0
    });
    assert_eq!(child.wait(), 0);
    assert_eq!(one(slot.as_mut().unwrap()).buffer, b"child");
}

/// Has these calls fail from now on, in this process.
fn refuse(calls: &[(libc::c_long, libc::c_int)]) {
    let statement = |code: u32, yes, no, k| libc::sock_filter { code: code as u16, jt: yes, jf: no, k };
    let mut program = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
    for (number, errno) in calls {
        program.push(statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, *number as u32));
        program.push(statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | *errno as u32));
    }
    program.push(statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW));
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: these take integers, and a program that is valid to read.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &filter), 0);
    }
}

#[test]
fn a_sandbox_that_refuses_it_is_an_error_that_says_so() {
    let refusals =
        [(libc::SYS_io_uring_setup, libc::EPERM), (libc::SYS_io_uring_setup, libc::ENOSYS), (libc::SYS_io_uring_enter, libc::EPERM)];
    contained(|_| {
        for refusal in refusals {
            let child = Child::fork(|| {
                refuse(&[refusal]);
                let error = Ring::available().unwrap_err();
                assert!(error.is_failure(Failure::Unavailable) && error.to_string().contains("sandbox"), "{error}");
                0
            });
            assert_eq!(child.wait(), 0);
        }
    });
}

#[test]
fn a_kernel_without_the_operations_says_so() {
    if !is_here() {
        return;
    }
    contained(|_| {
        for (errno, is_old) in [(libc::EINVAL, true), (libc::EPERM, false), (libc::ENOSYS, false)] {
            let child = Child::fork(|| {
                // Linux 5.4 and 5.5 have rings, and do not know the question either.
                refuse(&[(libc::SYS_io_uring_register, errno)]);
                match (Ring::available(), Ring::new(4)) {
                    (Err(error), Err(again)) if is_old => {
                        assert!(error.is_failure(Failure::Unavailable) && error.to_string().contains("5.6"), "{error}");
                        assert!(again.is_failure(Failure::Unavailable), "{again}");
                    }
                    (told, made) => assert!(!is_old && told.is_ok() && made.is_ok(), "{told:?}"),
                }
                0
            });
            assert_eq!(child.wait(), 0);
        }
    });
}

#[test]
fn a_sandbox_that_is_entered_later_loses_no_buffer() {
    if !is_here() {
        return;
    }
    contained(|_| {
        let child = Child::fork(|| {
            let mut ring = Ring::new(4).unwrap();
            let (reader, writer) = pipe().unwrap();
            ring.submit(&mut vec![Operation::read(&reader, room(9), 1)]).unwrap();
            refuse(&[(libc::SYS_io_uring_enter, libc::EPERM)]);
            ring.submit(&mut vec![Operation::read(&reader, room(9), 2)]).unwrap();
            let done = one(&mut ring);
            assert_eq!((done.token, errno(done)), (2, Errno::EPERM));
            let mut operations = vec![Operation::read(&reader, b"kept".to_vec(), 3)];
            assert!(ring.submit(&mut operations).unwrap_err().is_failure(Failure::Unavailable));
            assert_eq!(operations.remove(0).into_buffer(), b"kept");
            assert!(ring.cancel(1).unwrap_err().is_failure(Failure::Unavailable));
            // What the kernel has taken goes on.
            writer.write_all_within(b"on", HANG).unwrap();
            assert_eq!(one(&mut ring).buffer, b"on");
            assert!(reader.as_fd().as_raw_fd() >= 0);
            0
        });
        assert_eq!(child.wait(), 0);
    });
}
