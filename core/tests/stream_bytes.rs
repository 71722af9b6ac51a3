//! Reading and writing, on every kind of stream alike.

mod support;

use std::io::{IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use support::alone::{Alone, flags, in_a_storm, is_root};
use support::process::Child;
use support::waits::ends_in_every_way;
use unipc::stream::{
    ByteStream, FifoOptions, FifoReader, FifoWriter, Listener, PipeReader, TcpListener, TcpOptions, TcpStream, UnixConnectOptions,
    UnixListenOptions, UnixListener, UnixStream, create_fifo, pipe, pipe_with_capacity,
};
use unipc::{Failure, Wait};

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(30);

fn fifo(alone: &Alone) -> (ByteStream, ByteStream) {
    let path = alone.path("fifo");
    let _ = std::fs::remove_file(&path);
    create_fifo(&path, &FifoOptions::default()).unwrap();
    let reader = FifoReader::open(&path, &FifoOptions { unpaired: true, ..FifoOptions::default() }, Wait::NEVER).unwrap();
    let writer = FifoWriter::open(&path, &FifoOptions::default(), Wait::NEVER).unwrap();
    (reader.into(), writer.into())
}

fn tcp() -> (ByteStream, ByteStream) {
    let listener = TcpListener::open(None, 0, &TcpOptions::default()).unwrap();
    let port = listener.port().unwrap().into();
    let client = TcpStream::connect(None, port, &TcpOptions::default(), HANG).unwrap();
    (listener.accept(HANG).unwrap().into(), client.into())
}

/// What reads and what writes, of each kind.
fn every_kind(alone: &Alone) -> Vec<(&'static str, ByteStream, ByteStream)> {
    let (pipe_reader, pipe_writer) = pipe().unwrap();
    let (unix_reader, unix_writer) = UnixStream::pair().unwrap();
    let (fifo_reader, fifo_writer) = fifo(alone);
    let (tcp_reader, tcp_writer) = tcp();
    vec![
        ("pipe", pipe_reader.into(), pipe_writer.into()),
        ("FIFO", fifo_reader, fifo_writer),
        ("Unix", unix_reader.into(), unix_writer.into()),
        ("TCP", tcp_reader, tcp_writer),
    ]
}

fn fill(writer: &ByteStream) {
    let block = [7; 100_000];
    while writer.write_within(&block, Duration::from_millis(50)).is_ok() {}
    // What a block that is larger than PIPE_BUF leaves free, and what a busy machine has yet to move to the other end.
    while writer.write_within(&[7], Duration::from_millis(200)).is_ok() {}
}

#[test]
fn every_wait_ends() {
    let alone = Alone::new();
    for (kind, reader, writer) in every_kind(&alone) {
        let before = (flags(&reader), flags(&writer));
        let mut buffer = [0; 10];
        ends_in_every_way(&format!("read {kind}"), |wait| reader.read_within(&mut buffer, wait).unwrap_err());
        fill(&writer);
        ends_in_every_way(&format!("write {kind}"), |wait| writer.write_within(&[1; 100_000], wait).unwrap_err());
        ends_in_every_way(&format!("write a little {kind}"), |wait| writer.write_within(&[1], wait).unwrap_err());
        assert_eq!((flags(&reader), flags(&writer)), before, "{kind}: the flags of a shared description changed");
        assert_eq!(before.0 & libc::O_NONBLOCK, 0, "{kind}");
    }
}

#[test]
fn a_timed_write_takes_what_there_is_room_for() {
    let alone = Alone::new();
    for (kind, reader, writer) in every_kind(&alone) {
        let data = vec![3; 8 << 20];
        let error = writer.write_all_within(&data, SHORT).unwrap_err();
        assert!(error.is(Errno::ETIMEDOUT), "{kind}: {error}");
        assert!(error.transferred() > 4096 && error.transferred() < data.len(), "{kind}: {}", error.transferred());
        let mut buffer = vec![0; error.transferred()];
        reader.read_exact_within(&mut buffer, HANG).unwrap();
        assert!(reader.read_within(&mut [0], Wait::NEVER).unwrap_err().is(Errno::EAGAIN), "{kind}: more arrived than was counted");
        assert_eq!(buffer, data[..buffer.len()]);
    }
}

#[test]
fn the_end_is_told_from_a_cut() {
    let alone = Alone::new();
    for (kind, reader, writer) in every_kind(&alone) {
        writer.write_all_within(b"123", HANG).unwrap();
        drop(writer);
        let mut buffer = [0; 10];
        let cut = reader.read_exact_within(&mut buffer, HANG).unwrap_err();
        assert!(cut.is_failure(Failure::Truncated), "{kind}: {cut}");
        assert_eq!(cut.transferred(), 3);
        let end = reader.read_exact_within(&mut buffer, HANG).unwrap_err();
        assert!(end.is_failure(Failure::End) && end.transferred() == 0, "{kind}: {end}");
        for wait in [Wait::NEVER, Wait::FOREVER, HANG.into()] {
            assert_eq!(reader.read_within(&mut buffer, wait).unwrap(), 0, "{kind}");
        }
        reader.read_exact_within(&mut [], Wait::NEVER).unwrap();
    }
}

/// Writes to streams whose readers are gone, plainly and with limits.
fn broken_writes(streams: &[(&'static str, ByteStream)]) {
    for (kind, writer) in streams {
        for wait in [Wait::NEVER, Wait::FOREVER, HANG.into(), Wait::NEVER] {
            let error = (0..1000).find_map(|_| writer.write_within(b"x", wait).err()).expect("a write without a reader fails");
            assert!(error.is(Errno::EPIPE) || error.is(Errno::ECONNRESET), "{kind}: {error}");
        }
    }
}

fn writers_without_readers(alone: &Alone) -> Vec<(&'static str, ByteStream)> {
    every_kind(alone).into_iter().map(|(kind, _, writer)| (kind, writer)).collect()
}

fn with_deadly_sigpipe() {
    // SAFETY: the test runner ignores SIGPIPE; C programs do not.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

#[test]
fn a_writer_without_reader_lives() {
    let alone = Alone::new();
    let streams = writers_without_readers(&alone);
    let child = Child::fork(|| {
        with_deadly_sigpipe();
        broken_writes(&streams);
        0
    });
    assert_eq!(child.wait(), 0);
}

/// A process that says that it ignores the signal writes by the plain call, and is told the same.
#[test]
fn a_process_that_ignores_the_signal_writes_plainly() {
    let alone = Alone::new();
    let streams = writers_without_readers(&alone);
    let kinds = every_kind(&alone);
    let child = Child::fork(|| {
        with_deadly_sigpipe();
        unipc::stream::ignore_sigpipe().unwrap();
        broken_writes(&streams);
        for (kind, reader, writer) in &kinds {
            let mut there = [0; 3];
            writer.write_all_within(b"abc", Wait::FOREVER).unwrap();
            reader.read_exact_within(&mut there, Wait::FOREVER).unwrap();
            assert_eq!(&there, b"abc", "{kind}");
        }
        0
    });
    assert_eq!(child.wait(), 0);
}

/// Makes the kernel look like one without preadv2 and pwritev2, for this process.
fn refuse_calls_with_flags() {
    let statement = |code: u32, jump_true, jump_false, k: u32| libc::sock_filter { code: code as u16, jt: jump_true, jf: jump_false, k };
    let refuse = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
    let filter = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 2, 0, libc::SYS_preadv2 as u32),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, 0, libc::SYS_pwritev2 as u32),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, refuse),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the program refers to a filter that lives through the call, and says how long it is.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program), 0);
    }
}

/// The reader goes in the middle of a write, which then reports a part, and has raised the signal all the same.
#[test]
fn a_reader_that_goes_in_the_middle_of_a_write_kills_nobody() {
    let alone = Alone::new();
    for (kind, reader, writer) in every_kind(&alone) {
        let reading = Child::fork(|| {
            reader.read_exact_within(&mut [0; 4096], HANG).unwrap();
            std::thread::sleep(SHORT);
            0
        });
        drop(reader);
        let writing = Child::fork(|| {
            with_deadly_sigpipe();
            refuse_calls_with_flags();
            let error = writer.write_all_within(&vec![7; 8 << 20], Wait::FOREVER).unwrap_err();
            assert!(error.is(Errno::EPIPE) || error.is(Errno::ECONNRESET), "{error}");
            assert!(error.transferred() >= 4096, "{error}");
            0
        });
        assert_eq!((kind, writing.wait(), reading.wait()), (kind, 0, 0));
    }
}

#[test]
fn an_older_kernel_will_do() {
    let alone = Alone::new();
    let broken = writers_without_readers(&alone);
    let streams = every_kind(&alone);
    let child = Child::fork(|| {
        with_deadly_sigpipe();
        refuse_calls_with_flags();
        broken_writes(&broken);
        for (kind, reader, writer) in &streams {
            ends_in_every_way(kind, |wait| reader.read_within(&mut [0; 10], wait).unwrap_err());
            fill(writer);
            ends_in_every_way(kind, |wait| writer.write_within(&[1; 100_000], wait).unwrap_err());
            assert_eq!((flags(reader) | flags(writer)) & libc::O_NONBLOCK, 0, "{kind}");
        }
        0
    });
    assert_eq!(child.wait(), 0);
}

#[test]
fn a_signal_that_was_pending_stays_and_a_new_one_goes() {
    let alone = Alone::new();
    let broken = writers_without_readers(&alone);
    let child = Child::fork(|| {
        with_deadly_sigpipe();
        refuse_calls_with_flags();
        // SAFETY: the sets are local and initialised before use; blocking a signal harms nobody in this child.
        unsafe {
            let (mut set, mut pending) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigemptyset(&mut set);
            libc::sigaddset(&mut set, libc::SIGPIPE);
            libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
            broken_writes(&broken);
            libc::sigpending(&mut pending);
            assert_eq!(libc::sigismember(&pending, libc::SIGPIPE), 0, "a write left its signal");
            libc::raise(libc::SIGPIPE);
            broken_writes(&broken);
            libc::sigpending(&mut pending);
            assert_eq!(libc::sigismember(&pending, libc::SIGPIPE), 1, "a write took a signal of somebody else");
        }
        0
    });
    assert_eq!(child.wait(), 0);
}

#[test]
fn of_two_readers_with_a_limit_one_gets_the_byte() {
    let alone = Alone::new();
    for (kind, reader, writer) in every_kind(&alone) {
        for _ in 0..20 {
            let results = std::thread::scope(|scope| {
                let readers = [(); 2].map(|()| scope.spawn(|| reader.read_within(&mut [0; 10], Duration::from_millis(20))));
                writer.write_all_within(b"x", HANG).unwrap();
                readers.map(|thread| thread.join().unwrap())
            });
            // Under load both may have run out before the byte came.
            let got = results.iter().filter(|result| result.as_ref().is_ok_and(|count| *count == 1)).count();
            assert!(got <= 1, "{kind}");
            assert!(results.iter().all(|result| result.as_ref().map_or_else(|error| error.is(Errno::ETIMEDOUT), |count| *count == 1)));
            if got == 0 {
                assert_eq!(reader.read_within(&mut [0; 10], HANG).unwrap(), 1, "{kind}");
            }
        }
    }
}

#[test]
fn nothing_is_lost_or_reordered_between_processes_in_a_storm() {
    const TOTAL: u64 = 4 << 20;
    let alone = Alone::new();
    for (kind, reader, writer) in every_kind(&alone) {
        let byte = |at: u64| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
        let child = Child::fork(|| {
            in_a_storm(|| {
                let (mut at, mut size) = (0, 1);
                while at < TOTAL {
                    size = size * 7 % 9973;
                    let piece: Vec<u8> = (at..(at + size).min(TOTAL)).map(byte).collect();
                    let wait = if size % 2 == 0 { Wait::FOREVER } else { HANG.into() };
                    match writer.write_within(&piece, wait) {
                        Ok(count) => at += count as u64,
                        Err(error) => panic!("{error}"),
                    }
                }
            });
            0
        });
        drop(writer);
        let (mut at, mut buffer) = (0, [0; 5000]);
        let total = in_a_storm(|| {
            loop {
                let length = 1 + at as usize % buffer.len();
                let count = reader.read_within(&mut buffer[..length], HANG).unwrap();
                if count == 0 {
                    // The child has the only writing end, and may not have exited yet.
                    break at;
                }
                assert!(buffer[..count].iter().enumerate().all(|(index, found)| *found == byte(at + index as u64)), "{kind} at {at}");
                at += count as u64;
                if at == TOTAL {
                    break at;
                }
            }
        });
        assert_eq!(total, TOTAL, "{kind}");
        assert_eq!(child.wait(), 0, "{kind}");
    }
}

#[test]
fn many_buffers_and_none() {
    let alone = Alone::new();
    for (kind, reader, writer) in every_kind(&alone) {
        for wait in [Wait::FOREVER, HANG.into()] {
            let parts: Vec<IoSlice<'_>> = (0..2000).map(|_| IoSlice::new(b"ab")).collect();
            let sent = writer.write_vectored_within(&parts, wait).unwrap();
            assert_eq!(sent, 2048, "{kind}");
            let mut places = vec![[0u8; 3]; 2000];
            let mut buffers: Vec<IoSliceMut<'_>> = places.iter_mut().map(|place| IoSliceMut::new(place)).collect();
            let count = reader.read_vectored_within(&mut buffers, wait).unwrap();
            assert!(count > 0 && places.concat()[..count].chunks(2).all(|pair| b"ab".starts_with(pair)), "{kind}");
            reader.read_exact_within(&mut vec![0; sent - count], HANG).unwrap();
        }
        assert_eq!(writer.write_vectored_within(&[], Wait::FOREVER).unwrap(), 0);
        assert_eq!(reader.read_vectored_within(&mut [], Wait::FOREVER).unwrap(), 0);
        assert_eq!(reader.read_vectored_within(&mut [IoSliceMut::new(&mut [])], Wait::FOREVER).unwrap(), 0);
        assert_eq!(reader.read_within(&mut [], Wait::FOREVER).unwrap(), 0);
        assert_eq!(writer.write_within(&[], Wait::FOREVER).unwrap(), 0);
    }
}

#[test]
fn only_pipes_have_a_capacity_and_only_sockets_shut_down() {
    let alone = Alone::new();
    let (reader, writer) = pipe_with_capacity(5000).unwrap();
    assert_eq!(reader.capacity().unwrap(), 8192);
    assert_eq!(writer.set_capacity(1 << 16).unwrap(), 1 << 16);
    assert_eq!(reader.capacity().unwrap(), 1 << 16);
    writer.write_all_within(&[0; 60_000], Wait::NEVER).unwrap();
    assert!(writer.set_capacity(4096).unwrap_err().is(Errno::EBUSY));
    for absurd in [0, 1 << 31, usize::MAX] {
        assert!(writer.set_capacity(absurd).unwrap_err().is(Errno::EINVAL), "{absurd}");
    }
    assert!(writer.shutdown(Shutdown::Write).unwrap_err().is(Errno::EOPNOTSUPP));
    assert!(pipe_with_capacity(usize::MAX).is_err());
    for (kind, reader, writer) in every_kind(&alone).into_iter().skip(2) {
        assert!(reader.capacity().unwrap_err().is(Errno::EOPNOTSUPP), "{kind}");
        writer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(reader.read_within(&mut [0], HANG).unwrap(), 0, "{kind}");
        reader.write_all_within(b"back", HANG).unwrap();
        writer.read_exact_within(&mut [0; 4], HANG).unwrap();
        assert!(writer.write_within(b"x", Wait::FOREVER).unwrap_err().is(Errno::EPIPE), "{kind}");
    }
}

fn socket(family: i32, kind: i32) -> OwnedFd {
    // SAFETY: socket takes integers, and what it gives is ours.
    unsafe { OwnedFd::from_raw_fd(libc::socket(family, kind, 0)) }
}

#[test]
fn only_what_carries_bytes_is_adopted() {
    let alone = Alone::new();
    let path = alone.path("listener");
    let listener = UnixListener::open(&path, &UnixListenOptions::default()).unwrap();
    let directory = std::fs::File::open("/tmp").unwrap();
    // SAFETY: eventfd takes integers, and what it gives is ours.
    let event = unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, 0)) };
    for refused in
        [listener.into(), directory.into(), event, socket(libc::AF_UNIX, libc::SOCK_DGRAM), socket(libc::AF_INET, libc::SOCK_DGRAM)]
    {
        let (given_back, error) = ByteStream::adopt(refused).unwrap_err();
        assert!(error.is_failure(Failure::WrongKind), "{error}");
        assert!(flags(&given_back) >= 0);
    }
    let (stream, _other) = UnixStream::pair().unwrap();
    let (_, error) = Listener::adopt(stream.into()).unwrap_err();
    assert!(error.is_failure(Failure::WrongKind), "{error}");
    let (reader, _writer) = pipe().unwrap();
    assert!(Listener::adopt(reader.into()).is_err());

    let (tcp, _client) = tcp();
    assert!(UnixStream::try_from(OwnedFd::from(tcp)).unwrap_err().is_failure(Failure::WrongKind));
    let (unix, _other) = UnixStream::pair().unwrap();
    assert!(TcpStream::try_from(OwnedFd::from(unix)).unwrap_err().is_failure(Failure::WrongKind));
    let (unix, _other) = UnixStream::pair().unwrap();
    assert!(PipeReader::try_from(OwnedFd::from(unix)).unwrap_err().is_failure(Failure::WrongKind));
}

#[test]
fn files_and_devices_are_streams_too() {
    let alone = Alone::new();
    let path = alone.path("file");
    std::fs::write(&path, "content").unwrap();
    let file = ByteStream::adopt(std::fs::File::open(&path).unwrap().into()).unwrap();
    let mut buffer = [0; 7];
    file.read_exact_within(&mut buffer, HANG).unwrap();
    assert_eq!(&buffer, b"content");
    assert_eq!(file.read_within(&mut buffer, Wait::NEVER).unwrap(), 0);
    let null = ByteStream::adopt(std::fs::File::options().read(true).write(true).open("/dev/null").unwrap().into()).unwrap();
    for wait in [Wait::FOREVER, Wait::NEVER, HANG.into()] {
        assert_eq!(null.write_within(b"gone", wait).unwrap(), 4);
        assert_eq!(null.read_within(&mut buffer, wait).unwrap(), 0);
    }
}

#[test]
fn an_adopted_description_that_does_not_block_is_waited_for_and_left_as_it_is() {
    let _alone = Alone::new();
    let (reader, writer) = pipe().unwrap();
    let reader = OwnedFd::from(reader);
    // SAFETY: F_SETFL with integers; the description is the test's.
    unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    let reader = ByteStream::adopt(reader).unwrap();
    let child = Child::fork(|| {
        std::thread::sleep(Duration::from_millis(20));
        i32::from(writer.write_all_within(b"x", HANG).is_err())
    });
    assert_eq!(reader.read_within(&mut [0; 10], Wait::FOREVER).unwrap(), 1);
    assert_eq!(child.wait(), 0);
    assert_eq!(flags(OwnedFd::from(reader).as_fd()) & libc::O_NONBLOCK, libc::O_NONBLOCK);
}

#[test]
fn what_needs_a_unix_peer_says_so() {
    let alone = Alone::new();
    for (kind, reader, _writer) in every_kind(&alone) {
        if kind == "Unix" {
            continue;
        }
        assert!(reader.peer_credentials().unwrap_err().is(Errno::EOPNOTSUPP) || kind != "TCP", "{kind}");
        assert!(reader.peer_credentials().is_err() && reader.peer_pidfd().is_err(), "{kind}");
    }
    assert!(UnixStream::connect(&alone.path("nobody"), &UnixConnectOptions::default(), Wait::NEVER).unwrap_err().is(Errno::ENOENT));
}

/// Becomes a user without rights, in a child.
fn drop_rights() {
    // SAFETY: setresuid takes integers.
    assert_eq!(unsafe { libc::setresuid(12345, 12345, 12345) }, 0);
}

#[test]
fn rights_that_are_gone_do_not_end_a_stream() {
    if !is_root() {
        eprintln!("needs root to become another user");
        return;
    }
    let alone = Alone::new();
    let (reader, writer) = fifo(&alone);
    let child = Child::fork(|| {
        drop_rights();
        ends_in_every_way("read", |wait| reader.read_within(&mut [0; 10], wait).unwrap_err());
        // More than fits: nothing may sleep for longer than its limit, also where only poll can be asked.
        let error = writer.write_all_within(&[9; 1 << 20], SHORT).unwrap_err();
        assert!(error.is(Errno::ETIMEDOUT), "{error}");
        let mut buffer = vec![0; error.transferred()];
        assert!(buffer.len() >= libc::PIPE_BUF);
        reader.read_exact_within(&mut buffer, HANG).unwrap();
        assert!(buffer.iter().all(|byte| *byte == 9));
        assert!(reader.read_within(&mut buffer, Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
        assert_eq!((flags(&reader) | flags(&writer)) & libc::O_NONBLOCK, 0);
        0
    });
    assert_eq!(child.wait(), 0);
}

#[test]
fn a_capacity_above_the_limit_names_it() {
    if !is_root() {
        eprintln!("needs root to become another user");
        return;
    }
    let _alone = Alone::new();
    let child = Child::fork(|| {
        drop_rights();
        let error = pipe_with_capacity(1 << 30).unwrap_err();
        let limit = std::fs::read_to_string("/proc/sys/fs/pipe-max-size").unwrap();
        assert!(error.is(Errno::EPERM) && error.to_string().contains(limit.trim()), "{error}");
        0
    });
    assert_eq!(child.wait(), 0);
}

/// Whether this kernel reads from an anonymous pipe without waiting, when asked to.
fn has_calls_with_flags() -> bool {
    let (reader, writer) = pipe().unwrap();
    writer.write_all_within(b"x", HANG).unwrap();
    let mut byte = 0u8;
    let vector = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: the vector is one byte that lives through the call.
    unsafe { libc::preadv2(reader.as_fd().as_raw_fd(), &vector, 1, -1, libc::RWF_NOWAIT) == 1 }
}

#[test]
fn what_a_fifo_cannot_a_pipe_still_can() {
    let alone = Alone::new();
    let (fifo_reader, fifo_writer) = fifo(&alone);
    let (pipe_reader, pipe_writer) = pipe().unwrap();
    let use_once = |reader: &ByteStream, writer: &ByteStream| {
        writer.write_all_within(b"x", HANG).unwrap();
        reader.read_exact_within(&mut [0], HANG).unwrap();
    };
    use_once(&fifo_reader, &fifo_writer);
    let null = ByteStream::adopt(std::fs::File::options().write(true).open("/dev/null").unwrap().into()).unwrap();
    null.write_all_within(b"x", HANG).unwrap();
    let before = std::fs::read_dir("/proc/self/fd").unwrap().count();
    use_once(&pipe_reader, &pipe_writer);
    let after = std::fs::read_dir("/proc/self/fd").unwrap().count();
    assert_eq!(after - before, if has_calls_with_flags() { 0 } else { 2 });
}

#[test]
fn a_source_that_always_is_ready_does_not_put_the_end_off() {
    let _alone = Alone::new();
    let zeros = ByteStream::adopt(OwnedFd::from(std::fs::File::open("/dev/zero").unwrap())).unwrap();
    let mut buffer = vec![0; 2 << 30];
    let start = std::time::Instant::now();
    let late = zeros.read_exact_within(&mut buffer, Duration::from_millis(20)).unwrap_err();
    assert!(late.is(Errno::ETIMEDOUT) && late.transferred() > 0 && start.elapsed() < HANG, "{late}");
    // Who does not wait gets all that is there.
    zeros.read_exact_within(&mut buffer[..32 << 20], Wait::NEVER).unwrap();
    let null = ByteStream::adopt(OwnedFd::from(std::fs::File::options().write(true).open("/dev/null").unwrap())).unwrap();
    let counts = std::sync::atomic::AtomicUsize::new(0);
    let is_wanted = || counts.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2;
    let given_up = null.write_all_within(&buffer[..64 << 20], Wait::FOREVER.while_wanted(&is_wanted)).unwrap_err();
    let asked = counts.into_inner();
    assert!(given_up.is(Errno::EINTR) && asked == 3 && given_up.transferred() == 16 << 20, "{given_up} {asked}");
}
