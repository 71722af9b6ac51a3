//! Messages on streams: partial, too large, cut off, late.

mod support;

use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::errno::Errno;
use support::alone::{Alone, in_a_storm};
use support::process::Child;
use unipc::stream::{ByteStream, FrameLimit, Framed, LARGEST_BY_DEFAULT, UnixStream, pipe, pipe_with_capacity};
use unipc::{Failure, Stop, Wait};

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(30);

fn framed(stream: impl Into<ByteStream>) -> Framed {
    Framed::new(stream.into(), FrameLimit::default())
}

/// A receiver, and a raw stream to feed it with.
fn fed(largest: usize) -> (Framed, UnixStream) {
    let (feeder, receiver) = UnixStream::pair().unwrap();
    (Framed::new(receiver.into(), FrameLimit::new(largest).unwrap()), feeder)
}

fn message(size: usize, seed: usize) -> Vec<u8> {
    (0..size).map(|index| (index.wrapping_mul(31) ^ index >> 8 ^ seed) as u8).collect()
}

#[test]
fn messages_of_every_size_pass_between_processes_in_a_storm() {
    let _alone = Alone::new();
    let sizes = [0, 1, 3, 4, 5, 4091, 4092, 4093, 65_531, 65_532, 65_533, 1 << 20, LARGEST_BY_DEFAULT, 0, 7];
    let (reader, writer) = pipe().unwrap();
    let child = Child::fork(|| {
        let sender = framed(writer);
        in_a_storm(|| sizes.iter().enumerate().for_each(|(seed, size)| sender.send(&message(*size, seed), HANG).unwrap()));
        0
    });
    let receiver = framed(reader);
    let mut buffer = vec![0; LARGEST_BY_DEFAULT];
    in_a_storm(|| {
        for (seed, size) in sizes.iter().enumerate() {
            if seed % 2 == 0 {
                assert_eq!(receiver.receive(&mut buffer, HANG).unwrap(), *size);
                assert!(buffer[..*size] == message(*size, seed));
            } else {
                assert!(receiver.receive_vec(HANG).unwrap() == message(*size, seed));
            }
        }
    });
    assert_eq!(child.wait(), 0);
}

#[test]
fn byte_by_byte_nothing_is_lost() {
    let _alone = Alone::new();
    for uses_vector in [false, true] {
        let (receiver, feeder) = fed(0);
        let mut wire = vec![0, 0, 0, 6];
        wire.extend_from_slice(b"abcdef");
        for round in 0..3 {
            for (at, byte) in wire.iter().enumerate() {
                let mut buffer = [0xee; 6];
                let early = if uses_vector ^ (at % 3 == round) {
                    receiver.receive_vec(Wait::NEVER).unwrap_err()
                } else {
                    receiver.receive(&mut buffer, Wait::NEVER).unwrap_err()
                };
                assert!(early.is(Errno::EAGAIN), "{at}: {early}");
                feeder.write_all_within(&[*byte], HANG).unwrap();
            }
            let mut buffer = [0xee; 6];
            if uses_vector {
                assert_eq!(receiver.receive_vec(Wait::NEVER).unwrap(), b"abcdef");
            } else {
                assert_eq!(receiver.receive(&mut buffer, Wait::NEVER).unwrap(), 6);
                assert_eq!(&buffer, b"abcdef");
            }
        }
    }
}

#[test]
fn a_header_that_claims_too_much_is_refused_for_good() {
    let _alone = Alone::new();
    for (largest, claim) in [(0, u32::MAX), (0, LARGEST_BY_DEFAULT as u32 + 1), (10, 11)] {
        let (receiver, feeder) = fed(largest);
        feeder.write_all_within(&claim.to_be_bytes(), HANG).unwrap();
        let error = receiver.receive_vec(HANG).unwrap_err();
        assert!(error.is(Errno::EBADMSG) && error.to_string().contains(&claim.to_string()), "{error}");
        feeder.write_all_within(&[0, 0, 0, 0], HANG).unwrap();
        assert!(receiver.receive(&mut [0; 100], HANG).unwrap_err().is(Errno::EBADMSG));
        assert!(receiver.receive_vec(Wait::NEVER).unwrap_err().is(Errno::EBADMSG));
    }
    assert!(FrameLimit::new(u32::MAX as usize).is_ok());
    assert!(FrameLimit::new(u32::MAX as usize + 1).unwrap_err().is(Errno::EINVAL));
}

#[test]
fn memory_is_taken_as_bytes_arrive() {
    let _alone = Alone::new();
    let child = Child::fork(|| {
        let (receiver, feeder) = fed(u32::MAX as usize);
        feeder.write_all_within(&[0xff, 0xff, 0xff, 0xff, 1, 2, 3], HANG).unwrap();
        // Far less than the header claims.
        let little = libc::rlimit { rlim_cur: 1 << 30, rlim_max: 1 << 30 };
        // SAFETY: the limit is valid to read.
        unsafe { libc::setrlimit(libc::RLIMIT_AS, &little) };
        assert!(receiver.receive_vec(Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
        assert!(receiver.receive(&mut [0; 100], Wait::NEVER).unwrap_err().is(Errno::EMSGSIZE));
        assert_eq!(receiver.next_size(), Some(u32::MAX as usize));
        0
    });
    assert_eq!(child.wait(), 0);
}

#[test]
fn a_small_buffer_loses_nothing() {
    let _alone = Alone::new();
    let (receiver, feeder) = fed(0);
    feeder.write_all_within(b"\0\0\0\x05hello\0\0\0\0", HANG).unwrap();
    for size in [0, 1, 4] {
        let error = receiver.receive(&mut vec![0; size], HANG).unwrap_err();
        assert!(error.is(Errno::EMSGSIZE), "{error}");
        assert_eq!(receiver.next_size(), Some(5));
    }
    let mut buffer = [0; 5];
    assert_eq!(receiver.receive(&mut buffer, HANG).unwrap(), 5);
    assert_eq!((&buffer, receiver.next_size()), (b"hello", None));
    assert_eq!(receiver.receive(&mut [], HANG).unwrap(), 0);
}

#[test]
fn no_more_is_read_than_the_message() {
    let _alone = Alone::new();
    let (receiver, feeder) = fed(0);
    feeder.write_all_within(b"\0\0\0\x02ab\0\0\0\x01c", HANG).unwrap();
    assert_eq!(receiver.receive_vec(HANG).unwrap(), b"ab");
    let mut waiting = 0;
    // SAFETY: FIONREAD writes an integer.
    assert_eq!(unsafe { libc::ioctl(receiver.as_fd().as_raw_fd(), libc::FIONREAD, &mut waiting) }, 0);
    assert_eq!(waiting, 5);
    let mut rest = [0; 5];
    receiver.into_stream().read_exact_within(&mut rest, HANG).unwrap();
    assert_eq!(&rest, b"\0\0\0\x01c");
}

#[test]
fn a_sender_killed_half_way_is_told_from_one_that_has_ended() {
    let _alone = Alone::new();
    for (wire, failure) in [
        (&b"\0\0\0\x02ok"[..], Failure::End),
        (b"\0\0\0\x02ok\0\0", Failure::Truncated),
        (b"\0\0\0\x02ok\0\0\0\x09", Failure::Truncated),
        (b"\0\0\0\x02ok\0\0\0\x09half", Failure::Truncated),
    ] {
        let (reader, writer) = pipe().unwrap();
        let child = Child::fork(|| {
            writer.write_all_within(wire, HANG).unwrap();
            // SAFETY: the signal goes to the child itself.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
            0
        });
        drop(writer);
        let receiver = framed(reader);
        assert_eq!(receiver.receive_vec(HANG).unwrap(), b"ok");
        let error = receiver.receive(&mut [0; 100], HANG).unwrap_err();
        assert!(error.is_failure(failure), "{error}");
        let again = receiver.receive(&mut [0; 100], HANG).unwrap_err();
        assert!(if failure == Failure::End { again.is_failure(failure) } else { again.is(Errno::EBADMSG) }, "{again}");
        assert_eq!(child.wait(), -libc::SIGKILL);
    }
}

#[test]
fn every_wait_ends() {
    let _alone = Alone::new();
    let (reader, writer) = pipe_with_capacity(4096).unwrap();
    let (receiver, sender) = (framed(reader), framed(writer));
    let stop = Stop::new().unwrap();
    stop.request();
    let waits = [(Wait::NEVER, Errno::EAGAIN), (SHORT.into(), Errno::ETIMEDOUT), (Wait::from(&stop), Errno::ECANCELED)];
    for (wait, errno) in waits {
        assert!(receiver.receive_vec(wait).unwrap_err().is(errno));
        assert!(receiver.receive(&mut [0], wait).unwrap_err().is(errno));
    }
    // Part of the first goes out, and it counts as sent.
    let first = message(1 << 20, 1);
    sender.send(&first, SHORT).unwrap();
    for (wait, errno) in waits {
        assert!(sender.flush(wait).unwrap_err().is(errno));
        let error = in_a_storm(|| sender.send(b"never", wait).unwrap_err());
        assert!(error.is(errno), "{error}");
    }
    let child = Child::fork(|| {
        assert!(receiver.receive_vec(HANG).unwrap() == first);
        assert_eq!(receiver.receive_vec(HANG).unwrap(), b"second");
        0
    });
    sender.send(b"second", HANG).unwrap();
    sender.flush(Wait::NEVER).unwrap();
    assert_eq!(child.wait(), 0);
}

#[test]
fn a_large_rest_is_written_in_reasonable_time() {
    let _alone = Alone::new();
    let (reader, writer) = pipe_with_capacity(4096).unwrap();
    let (receiver, sender) = (framed(reader), framed(writer));
    let large = message(LARGEST_BY_DEFAULT, 3);
    sender.send(&large, Wait::NEVER).unwrap();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| receiver.receive_vec(2 * HANG).unwrap() == large);
        sender.flush(2 * HANG).unwrap();
        assert!(thread.join().unwrap());
    });
}

#[test]
fn what_is_above_the_limit_is_not_sent() {
    let _alone = Alone::new();
    let (reader, writer) = pipe().unwrap();
    let sender = Framed::new(writer.into(), FrameLimit::new(3).unwrap());
    let error = sender.send(b"four", HANG).unwrap_err();
    assert!(error.is(Errno::EMSGSIZE) && error.to_string().contains('3'), "{error}");
    assert!(reader.read_within(&mut [0; 10], Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
    sender.send(b"yes", HANG).unwrap();
    assert_eq!(framed(reader).receive_vec(HANG).unwrap(), b"yes");
}

#[test]
fn behind_a_message_that_was_cut_off_nothing_is_sent() {
    let _alone = Alone::new();
    let (reader, writer) = pipe_with_capacity(4096).unwrap();
    let sender = framed(writer);
    std::thread::scope(|scope| {
        // The message has begun to go out when the first byte comes.
        scope.spawn(move || reader.read_within(&mut [0], HANG).map(|_| drop(reader)).unwrap());
        let error = sender.send(&message(1 << 20, 0), HANG).unwrap_err();
        assert!(error.is(Errno::EPIPE), "{error}");
    });
    for error in [sender.send(b"", HANG).unwrap_err(), sender.flush(HANG).unwrap_err()] {
        assert!(error.is(Errno::EPIPE) && error.to_string().contains("cut off"), "{error}");
    }
}

#[test]
fn one_limit_holds_for_header_and_body() {
    let _alone = Alone::new();
    let (receiver, feeder) = fed(0);
    let feeding = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(160));
        feeder.write_all_within(&100u32.to_be_bytes(), HANG).unwrap();
        std::thread::sleep(Duration::from_millis(160));
        feeder.write_all_within(&[7; 100], HANG).unwrap();
        feeder
    });
    let start = std::time::Instant::now();
    assert!(receiver.receive_cow(&mut [0; 10], Duration::from_millis(200)).unwrap_err().is(Errno::ETIMEDOUT));
    assert!(start.elapsed() < Duration::from_millis(310), "{:?}", start.elapsed());
    // Nothing is lost by that, and either room will do.
    assert_eq!(receiver.receive_cow(&mut [0; 10], HANG).unwrap(), [7; 100].as_slice());
    let feeder = feeding.join().unwrap();
    feeder.write_all_within(&[0, 0, 0, 1, 9], HANG).unwrap();
    assert!(matches!(receiver.receive_cow(&mut [0; 10], HANG).unwrap(), std::borrow::Cow::Borrowed([9])));
}

#[test]
fn a_child_is_told_that_its_parent_was_in_the_middle() {
    let _alone = Alone::new();
    let (receiver, feeder) = fed(0);
    let stop = Stop::new().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| receiver.receive(&mut [0; 10], &stop).unwrap_err());
        while receiver.receive(&mut [], Wait::NEVER).unwrap_err().is(Errno::EAGAIN) {
            std::thread::yield_now();
        }
        let child = Child::fork(|| {
            let refused = receiver.receive(&mut [0; 10], HANG).unwrap_err();
            let sent = receiver.send(b"from the child", HANG);
            i32::from(!refused.is_failure(Failure::Forked) || sent.is_err())
        });
        assert_eq!(child.wait(), 0);
        assert!(receiver.receive(&mut [0; 10], HANG).unwrap_err().is(Errno::EBUSY));
        stop.request();
        assert!(waiting.join().unwrap().is(Errno::ECANCELED));
    });
    assert_eq!(framed(feeder).receive_vec(HANG).unwrap(), b"from the child");
}
