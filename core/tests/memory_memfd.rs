//! memfds and their seals, sent between processes; pages at hand, pinned and huge.

mod support;

use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use support::contained::{contained, is_root, not_looked};
use support::process::Child;
use support::shared::SharedPages;
use unipc::memory::{Access, Advice, HugePages, Memory, MemoryOptions, Seals};
use unipc::{Error, Failure};

fn sized(size: usize) -> MemoryOptions<'static> {
    MemoryOptions::sized(size)
}

fn read_only() -> MemoryOptions<'static> {
    MemoryOptions { access: Access::ReadOnly, ..Default::default() }
}

fn adopt(descriptor: OwnedFd, options: &MemoryOptions<'_>) -> Result<Memory, Error> {
    Memory::from_descriptor(descriptor, options).map_err(|refused| refused.1)
}

fn duplicate(memory: &Memory) -> OwnedFd {
    memory.descriptor("duplicate").unwrap().try_clone_to_owned().unwrap()
}

/// Sends a descriptor as plain C does.
fn send(stream: &UnixStream, descriptor: impl AsFd) {
    let mut control = [0u64; 4];
    let data = [IoSlice::new(b"!")];
    // SAFETY: zero bytes are a valid header; the control buffer is large enough for one descriptor and aligned as it must be.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = data.as_ptr().cast_mut().cast();
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(4) as _;
        let header = libc::CMSG_FIRSTHDR(&message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(header).cast::<i32>().write_unaligned(descriptor.as_fd().as_raw_fd());
        assert_eq!(libc::sendmsg(stream.as_raw_fd(), &message, libc::MSG_NOSIGNAL), 1);
    }
}

/// Receives a descriptor as plain C does.
fn receive(stream: &UnixStream) -> OwnedFd {
    let mut control = [0u64; 4];
    let mut byte = [0];
    let mut data = [IoSliceMut::new(&mut byte)];
    // SAFETY: as in `send`; the descriptor that comes is ours.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = data.as_mut_ptr().cast();
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control) as _;
        assert_eq!(libc::recvmsg(stream.as_raw_fd(), &mut message, libc::MSG_CMSG_CLOEXEC), 1);
        let header = libc::CMSG_FIRSTHDR(&message);
        assert!(!header.is_null());
        OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<i32>().read_unaligned())
    }
}

#[test]
fn a_sealed_memory_travels_over_a_socket() {
    contained(|_| {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let child = Child::fork(|| {
            let mut memory = Memory::memfd("bulk", &sized(100_000)).unwrap();
            memory.write(99_990, b"the bulk").unwrap();
            memory.seal(Seals::SHRINK | Seals::GROW | Seals::WRITE | Seals::SEAL).unwrap();
            assert_eq!(memory.mapping().access(), Access::ReadOnly);
            assert!(memory.write(0, b"x").unwrap_err().is(Errno::EACCES));
            send(&theirs, memory.read_only_descriptor().unwrap());
            let loose = Memory::memfd("loose", &sized(100)).unwrap();
            send(&theirs, loose.descriptor("send").unwrap());
            i32::from((&theirs).read(&mut [0]).unwrap() != 1)
        });
        let required = MemoryOptions { require_seals: Seals::SHRINK | Seals::WRITE, ..read_only() };
        let memory = adopt(receive(&ours), &required).unwrap();
        let mut bytes = [0; 8];
        memory.read(99_990, &mut bytes).unwrap();
        assert_eq!(&bytes, b"the bulk");
        assert!(memory.seals().unwrap().contains(Seals::SHRINK | Seals::GROW | Seals::WRITE | Seals::SEAL));
        let (descriptor, error) = Memory::from_descriptor(receive(&ours), &required).unwrap_err();
        assert!(error.is(Errno::EPERM) && error.to_string().contains("lacks the seals that were required: shrink, write"), "{error}");
        // Given back, and fit for who trusts it.
        assert_eq!(adopt(descriptor, &read_only()).unwrap().size(), 100);
        (&ours).write_all(b"!").unwrap();
        assert_eq!(child.wait(), 0);
    });
}

#[test]
fn each_seal_holds() {
    contained(|_| {
        let mut memory = Memory::memfd("seals", &sized(8192)).unwrap();
        let at_birth = memory.seals().unwrap();
        assert!(at_birth == Seals::EXEC || at_birth == Seals::NONE, "{at_birth}");
        memory.seal(Seals::GROW).unwrap();
        assert!(memory.resize(8193).unwrap_err().is(Errno::EPERM));
        memory.resize(4096).unwrap();
        memory.seal(Seals::SHRINK).unwrap();
        assert!(memory.resize(4095).unwrap_err().is(Errno::EPERM));
        memory.seal(Seals::FUTURE_WRITE).unwrap();
        memory.write(0, b"still").unwrap();
        let error = adopt(duplicate(&memory), &Default::default()).unwrap_err();
        assert!(error.is(Errno::EPERM) && error.to_string().contains("opened for reading"), "{error}");
        let reader = adopt(duplicate(&memory), &MemoryOptions { require_seals: Seals::FUTURE_WRITE, ..read_only() }).unwrap();
        memory.write(0, b"STILL").unwrap();
        let mut bytes = [0; 5];
        reader.read(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"STILL");
        memory.seal(Seals::SEAL).unwrap();
        let error = memory.seal(Seals::GROW).unwrap_err();
        assert!(error.is(Errno::EPERM) && error.to_string().contains("further seals"), "{error}");
        let named = MemoryOptions { temporary: true, ..sized(4096) };
        let error = Memory::create(&format!("unsealable.{}", std::process::id()), &named).unwrap().seal(Seals::GROW).unwrap_err();
        assert!(error.is(Errno::EPERM) && error.to_string().contains("only memfds"), "{error}");
        // What is written to is not sealed against it.
        let error = reader.read_only_descriptor().and_then(|descriptor| adopt(descriptor, &read_only())).unwrap().seal(Seals::GROW);
        assert!(error.unwrap_err().is(Errno::EPERM));
    });
}

#[test]
fn a_seal_against_writing_waits_for_no_writer() {
    contained(|_| {
        let mut memory = Memory::memfd("write", &sized(4096)).unwrap();
        memory.write(0, b"kept").unwrap();
        let address = memory.mapping().as_ptr();
        let other = adopt(duplicate(&memory), &Default::default()).unwrap();
        let error = memory.seal(Seals::WRITE).unwrap_err();
        assert!(error.is(Errno::EBUSY), "{error}");
        memory.write(0, b"KEPT").unwrap();
        drop(other);
        let view = std::sync::Arc::clone(memory.mapping());
        let error = memory.seal(Seals::WRITE).unwrap_err();
        assert!(error.is(Errno::EBUSY) && error.to_string().contains("view"), "{error}");
        drop(view);
        memory.seal(Seals::WRITE).unwrap();
        assert_eq!(memory.mapping().as_ptr(), address);
        assert_eq!(memory.mapping().access(), Access::ReadOnly);
        let mut bytes = [0; 4];
        memory.read(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"KEPT");
        // Also by a descriptor that could write before.
        let reader = adopt(duplicate(&memory), &read_only()).unwrap();
        reader.read(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"KEPT");
        assert!(adopt(duplicate(&memory), &Default::default()).unwrap_err().is(Errno::EPERM));
        // A private copy is no write.
        let copy = adopt(duplicate(&memory), &MemoryOptions { access: Access::CopyOnWrite, ..Default::default() }).unwrap();
        copy.write(0, b"copy").unwrap();
        memory.read(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"KEPT");
    });
}

#[test]
fn plain_memfd_create_interworks_both_ways() {
    contained(|_| {
        // SAFETY: the name is a literal; the descriptor that comes is ours.
        let raw = unsafe { libc::memfd_create(c"plain".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) };
        // SAFETY: as above.
        let file = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(raw) });
        file.set_len(5000).unwrap();
        let mut memory = adopt(file.try_clone().unwrap().into(), &sized(5000)).unwrap();
        memory.write(4999, b"!").unwrap();
        memory.seal(Seals::SHRINK).unwrap();
        assert_eq!(file.set_len(1).unwrap_err().raw_os_error(), Some(libc::EPERM));
        let memory = Memory::memfd("", &sized(77)).unwrap();
        memory.write(70, b"7 bytes").unwrap();
        let mut text = Vec::new();
        std::fs::File::from(memory.into_descriptor().map_err(|refused| refused.1).unwrap()).read_to_end(&mut text).unwrap();
        assert_eq!((text.len(), &text[70..]), (77, &b"7 bytes"[..]));
    });
}

#[test]
fn it_is_for_its_owner_and_not_to_be_executed() {
    contained(|_| {
        let status = |options| {
            let memory = Memory::memfd("mode", &options).unwrap();
            std::fs::File::from(duplicate(&memory)).metadata().unwrap().mode() & 0o7777
        };
        assert_eq!(status(sized(1)), 0o600);
        assert_eq!(status(MemoryOptions { mode: 0o640, ..sized(1) }), 0o640);
        assert_eq!(status(MemoryOptions { mode: 0o700, executable: true, ..sized(1) }), 0o700);
        let plain = Memory::memfd("plain", &sized(1)).unwrap();
        if plain.seals().unwrap() == Seals::EXEC {
            let error = Memory::memfd("mode", &MemoryOptions { mode: 0o700, ..sized(1) }).unwrap_err();
            assert!(error.is(Errno::EPERM) && error.to_string().contains("executable"), "{error}");
        } else {
            not_looked("this kernel has no MFD_NOEXEC_SEAL");
        }
        for (name, errno) in [("a\0b".to_owned(), Errno::EINVAL), ("n".repeat(250), Errno::ENAMETOOLONG)] {
            assert!(Memory::memfd(&name, &sized(1)).unwrap_err().is(errno));
        }
        drop(Memory::memfd(&"n".repeat(249), &sized(1)).unwrap());
        for size in [0, usize::MAX] {
            assert!(Memory::memfd("size", &sized(size)).unwrap_err().is(Errno::EINVAL));
        }
        assert!(Memory::memfd("huge", &sized(1 << 50)).unwrap_err().is(Errno::ENOMEM));
    });
}

/// Who may not open the object anew has its lock all the same, and a sealed size stays what it is.
#[test]
fn another_user_who_has_the_descriptor_can_change_the_size() {
    contained(|_| {
        if !is_root() {
            return;
        }
        let mut memory = Memory::memfd("handed-on", &sized(5000)).unwrap();
        let theirs = duplicate(&memory);
        let child = Child::fork(|| {
            // SAFETY: these take integers; the child gives up its rights for good.
            unsafe {
                assert_eq!(libc::setgroups(0, std::ptr::null()), 0);
                assert_eq!(libc::setgid(65534), 0);
                assert_eq!(libc::setuid(65534), 0);
            }
            assert!(std::fs::File::open(format!("/proc/self/fd/{}", theirs.as_raw_fd())).is_err());
            let mut memory = adopt(theirs, &MemoryOptions { any_owner: true, ..Default::default() }).unwrap();
            memory.resize(20_000).unwrap();
            memory.resize(10_000).unwrap();
            0
        });
        assert_eq!(child.wait(), 0);
        memory.refresh().unwrap();
        assert_eq!(memory.size(), 10_000);
        memory.resize(30_000).unwrap();
        memory.seal(Seals::GROW).unwrap();
        assert!(memory.resize(40_000).unwrap_err().is(Errno::EPERM));
        memory.resize(4_000).unwrap();
    });
}

#[test]
fn what_cannot_be_sealed_says_so() {
    contained(|names| {
        let mut anonymous = Memory::anonymous(1).unwrap();
        assert!(anonymous.seal(Seals::GROW).unwrap_err().is(Errno::EOPNOTSUPP));
        assert!(anonymous.seals().unwrap_err().is(Errno::EOPNOTSUPP));
        assert!(anonymous.read_only_descriptor().unwrap_err().is(Errno::EOPNOTSUPP));
        let name = names.name("posix");
        let mut posix = Memory::create(&name, &MemoryOptions { temporary: true, ..sized(1) }).unwrap();
        assert_eq!(posix.seals().unwrap(), Seals::SEAL);
        assert!(posix.seal(Seals::GROW).unwrap_err().is(Errno::EPERM));
        let required = MemoryOptions { require_seals: Seals::SHRINK, ..Default::default() };
        assert!(Memory::open(&name, &required).unwrap_err().is(Errno::EPERM));
        assert!(adopt(posix.read_only_descriptor().unwrap(), &Default::default()).unwrap_err().is(Errno::EACCES));
        assert_eq!(adopt(posix.read_only_descriptor().unwrap(), &read_only()).unwrap().size(), 1);
    });
}

#[test]
fn checked_copies_survive_a_peer_that_shrinks() {
    contained(|_| {
        let memory = Memory::memfd("shrunk", &MemoryOptions { checked: true, ..sized(1 << 20) }).unwrap();
        let plain = adopt(duplicate(&memory), &Default::default()).unwrap();
        let file = std::fs::File::from(duplicate(&memory));
        file.set_len(4096).unwrap();
        let error = memory.read(8192, &mut [0; 10]).unwrap_err();
        assert!(error.is_failure(Failure::WrongSize) && error.to_string().contains("4096 bytes now"), "{error}");
        let error = memory.write(8192, &[1; 10]).unwrap_err();
        assert!(error.is_failure(Failure::WrongSize), "{error}");
        assert_eq!(file.metadata().unwrap().len(), 4096);
        memory.write(4090, &[1; 6]).unwrap();
        assert!(memory.write(4090, &[1; 7]).unwrap_err().is_failure(Failure::WrongSize));
        // Without, it is the signal.
        let victim = Child::fork(|| {
            let _ = plain.read(8192, &mut [0; 10]);
            0
        });
        assert_eq!(victim.wait(), -libc::SIGBUS);
    });
}

#[test]
fn prefaulted_pages_are_there() {
    contained(|names| {
        let options = MemoryOptions { prefault: true, ..sized(50 * 4096) };
        let name = names.name("prefault");
        let resident = |memory: &Memory| {
            let mut present = vec![0u8; memory.size().div_ceil(4096)];
            // SAFETY: there is a byte for each page.
            let result = unsafe { libc::mincore(memory.mapping().as_ptr().cast(), memory.size(), present.as_mut_ptr()) };
            assert_eq!(result, 0);
            present.iter().all(|page| page & 1 == 1)
        };
        let sparse = MemoryOptions { sparse: true, prefault: false, ..options.clone() };
        assert!(!resident(&Memory::memfd("cold", &sparse).unwrap()));
        let mut cold = Memory::memfd("cold", &sparse).unwrap();
        cold.prefault().unwrap();
        assert!(resident(&cold));
        cold.resize(100 * 4096).unwrap();
        assert!(!resident(&cold));
        let mut warm = Memory::memfd("warm", &MemoryOptions { sparse: true, ..options.clone() }).unwrap();
        assert!(resident(&warm));
        warm.resize(100 * 4096).unwrap();
        assert!(resident(&warm));
        assert!(resident(&Memory::anonymous_with(&options).unwrap()));
        assert!(resident(&Memory::create(&name, &MemoryOptions { temporary: true, ..options }).unwrap()));
    });
}

#[test]
fn what_is_pinned_is_locked_and_the_limit_is_named() {
    contained(|_| {
        let locked = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
            line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap()
        };
        let mut memory = Memory::memfd("pinned", &MemoryOptions { pinned: true, ..sized(16 * 4096) }).unwrap();
        assert_eq!(locked(), 64);
        memory.unpin().unwrap();
        assert_eq!(locked(), 0);
        memory.pin().unwrap();
        assert_eq!(locked(), 64);
        drop(memory);
        if !is_root() {
            return;
        }
        let child = Child::fork(|| {
            let limit = libc::rlimit { rlim_cur: 16 * 4096, rlim_max: 16 * 4096 };
            // SAFETY: the limit is valid to read; both hold for this child alone.
            unsafe {
                assert_eq!(libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit), 0);
                assert_eq!(libc::setuid(65534), 0);
            }
            for pages in [15, 16] {
                drop(Memory::memfd("pinned", &MemoryOptions { pinned: true, ..sized(pages * 4096) }).unwrap());
            }
            let error = Memory::memfd("pinned", &MemoryOptions { pinned: true, ..sized(16 * 4096 + 1) }).unwrap_err();
            assert!(error.is(Errno::ENOMEM) && error.to_string().contains("RLIMIT_MEMLOCK allows 64 KiB"), "{error}");
            let mut memory = Memory::memfd("pinned", &MemoryOptions { pinned: true, ..sized(8 * 4096) }).unwrap();
            // Old and new mapping are both pinned.
            let error = memory.resize(9 * 4096).unwrap_err();
            assert!(error.is(Errno::ENOMEM), "{error}");
            assert_eq!((memory.size(), std::fs::File::from(duplicate(&memory)).metadata().unwrap().len()), (8 * 4096, 8 * 4096));
            0
        });
        assert_eq!(child.wait(), 0);
    });
}

#[test]
fn huge_pages_are_had_or_it_is_told_that_not() {
    contained(|names| {
        let information = std::fs::read_to_string("/proc/meminfo").unwrap();
        let value = |key: &str| {
            let line = information.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("0");
            line.split_ascii_whitespace().next().unwrap().parse::<usize>().unwrap()
        };
        let (free, huge) = (value("HugePages_Free:"), value("Hugepagesize:") * 1024);
        let wish = |huge_pages| MemoryOptions { huge_pages, temporary: true, ..sized(5000) };
        type Make = fn(&MemoryOptions<'_>) -> Result<Memory, Error>;
        let kinds: [(&str, Make); 3] = [
            ("memfd", |options| Memory::memfd("huge", options)),
            ("anonymous", Memory::anonymous_with),
            ("System V", Memory::create_private_sysv),
        ];
        for (kind, make) in kinds {
            assert_eq!(make(&wish(HugePages::No)).unwrap().page_size().unwrap(), 4096);
            let tried = make(&wish(HugePages::Try)).unwrap();
            tried.write(4990, b"works").unwrap();
            let required = make(&wish(HugePages::Require));
            if free < 2 {
                assert_eq!(tried.page_size().unwrap(), 4096);
                let error = required.unwrap_err();
                assert!(error.is_failure(Failure::Unavailable) && error.to_string().contains("vm.nr_hugepages"), "{error}");
                not_looked(&format!("{kind}: the system has no huge pages to spare"));
                continue;
            }
            assert_eq!((tried.page_size().unwrap(), required.unwrap().page_size().unwrap()), (huge, huge), "{kind}");
        }
        if free >= 2 {
            let mut memory = Memory::memfd("huge", &wish(HugePages::Require)).unwrap();
            assert_eq!(memory.size(), huge);
            memory.seal(Seals::SHRINK).unwrap();
            let again = adopt(duplicate(&memory), &MemoryOptions { require_seals: Seals::SHRINK, ..Default::default() }).unwrap();
            assert_eq!((again.size(), again.page_size().unwrap()), (huge, huge));
            drop(again);
            memory.resize(huge + 1).unwrap();
            assert_eq!(memory.size(), 2 * huge);
            let error = Memory::memfd("huge", &MemoryOptions { size: (free + 1) * huge, ..wish(HugePages::Require) }).unwrap_err();
            assert!(error.is_failure(Failure::Unavailable), "{error}");
        }
        let error = Memory::create(&names.name("huge"), &wish(HugePages::Require)).unwrap_err();
        assert!(error.is_failure(Failure::Unavailable), "{error}");
        assert_eq!(Memory::create(&names.name("huge"), &wish(HugePages::Try)).unwrap().size(), 5000);
    });
}

#[test]
fn advice_and_addresses_are_checked() {
    contained(|_| {
        let memory = Memory::memfd("advice", &sized(10_000)).unwrap();
        memory.write(5000, b"kept").unwrap();
        for advice in [Advice::Normal, Advice::Random, Advice::Sequential, Advice::WillNeed, Advice::DontNeed] {
            for (offset, length) in [(0, 0), (1, 9_999), (10_000, 0), (4095, 2), (5000, 1)] {
                memory.advise(offset, length, advice).unwrap();
            }
            for (offset, length) in [(0, 10_001), (10_001, 0), (usize::MAX, 1), (1, usize::MAX)] {
                assert!(memory.advise(offset, length, advice).unwrap_err().is(Errno::EINVAL), "{offset} {length}");
            }
        }
        let mut bytes = [0; 4];
        memory.read(5000, &mut bytes).unwrap();
        assert_eq!(&bytes, b"kept");
        // A private copy loses what the range has entirely, and nothing beside it.
        let copy = adopt(duplicate(&memory), &MemoryOptions { access: Access::CopyOnWrite, ..Default::default() }).unwrap();
        let left = |offset: usize, length: usize| {
            copy.write(0, &[b'x'; 10_000]).unwrap();
            copy.advise(offset, length, Advice::DontNeed).unwrap();
            [0, 4095, 4096, 8191, 8192, 9_999].map(|place| {
                let mut byte = [0];
                copy.read(place, &mut byte).unwrap();
                byte[0] == b'x'
            })
        };
        assert_eq!(left(0, 100), [true; 6]);
        assert_eq!(left(50, 4146), [true; 6]);
        assert_eq!(left(50, 8142), [true, true, false, false, true, true]);
        assert_eq!(left(0, 8193), [false, false, false, false, true, true]);
        assert_eq!(left(1, 0), [true, true, false, false, false, false]);
        assert_eq!(left(8193, 0), [true; 6]);
        assert_eq!(left(0, 0), [false; 6]);
        let address = 0x7_0000_0000;
        let there = Memory::memfd("there", &MemoryOptions { address, ..sized(1) }).unwrap();
        assert_eq!(there.mapping().as_ptr().addr(), address);
        assert!(Memory::memfd("there", &MemoryOptions { address, ..sized(1) }).unwrap_err().is(Errno::EEXIST));
        assert!(Memory::memfd("there", &MemoryOptions { address: 1, ..sized(1) }).unwrap_err().is(Errno::EINVAL));
    });
}

#[test]
fn a_receiver_that_requires_seals_is_safe_from_a_sender_that_shrinks() {
    contained(|_| {
        // A hostile sender: shrinks all the time, and sends now what is sealed, now what is not.
        let word = SharedPages::<AtomicU32>::zeroed();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let sender = Child::fork(|| {
            for round in 0..200u32 {
                let mut memory = Memory::memfd("bait", &sized(8192)).unwrap();
                if round % 2 == 0 {
                    memory.seal(Seals::SHRINK).unwrap();
                }
                let file = std::fs::File::from(duplicate(&memory));
                send(&theirs, &file);
                while word.load(Ordering::Acquire) == round {
                    let _ = file.set_len(0);
                    let _ = file.set_len(8192);
                }
            }
            0
        });
        let mut accepted = 0;
        for _ in 0..200 {
            let options = MemoryOptions { require_seals: Seals::SHRINK, ..read_only() };
            if let Ok(memory) = adopt(receive(&ours), &options) {
                let mut bytes = [1; 8192];
                memory.read(0, &mut bytes).unwrap();
                assert!(bytes.iter().all(|byte| *byte == 0));
                accepted += 1;
            }
            word.fetch_add(1, Ordering::AcqRel);
        }
        assert_eq!(accepted, 100);
        assert_eq!(sender.wait(), 0);
    });
}

#[test]
fn a_sender_that_shrinks_and_seals_before_the_look_at_the_seals_is_seen_through() {
    contained(|_| {
        let bait = Memory::memfd("bait", &sized(20 * 4096)).unwrap();
        let file = std::fs::File::from(duplicate(&bait));
        let work = || {
            let options = MemoryOptions { require_seals: Seals::SHRINK, ..read_only() };
            adopt(duplicate(&bait), &options).unwrap().size() as i32 / 4096
        };
        let shrink_and_seal = || {
            file.set_len(3 * 4096).unwrap();
            // SAFETY: takes an integer.
            assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, libc::F_SEAL_SHRINK) }, 0);
        };
        assert_eq!(between_its_steps(libc::F_GET_SEALS, work, shrink_and_seal), 3);
    });
}

/// Runs `work` in a child, and `meanwhile` here when the child is about to make this fcntl call, once; what the child gave.
fn between_its_steps(command: libc::c_int, work: impl FnOnce() -> i32, meanwhile: impl FnOnce()) -> i32 {
    let child = Child::fork(|| {
        // SAFETY: the child asks to be traced by its parent and stops itself.
        unsafe {
            assert_eq!(libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0), 0);
            libc::raise(libc::SIGSTOP);
        }
        filter_calls(&[(libc::SYS_fcntl, 1, command as u32, libc::SECCOMP_RET_TRACE)]);
        work()
    });
    let stop = || {
        let mut status = 0;
        // SAFETY: the child is ours and the status valid to write to.
        assert_eq!(unsafe { libc::waitpid(child.id(), &mut status, 0) }, child.id());
        assert!(libc::WIFSTOPPED(status), "{status:#x}");
        status >> 8
    };
    let ask = |request, data: libc::c_int| {
        // SAFETY: the child is traced by us and stopped; these requests take integers.
        assert_eq!(unsafe { libc::ptrace(request, child.id(), 0, libc::c_long::from(data)) }, 0);
    };
    assert_eq!(stop(), libc::SIGSTOP);
    ask(libc::PTRACE_SETOPTIONS, libc::PTRACE_O_TRACESECCOMP);
    ask(libc::PTRACE_CONT, 0);
    assert_eq!(stop(), libc::SIGTRAP | libc::PTRACE_EVENT_SECCOMP << 8);
    meanwhile();
    ask(libc::PTRACE_DETACH, 0);
    child.wait()
}

/// From now on, in this process, system calls with these numbers fail with an errno when an argument has this value.
fn refuse_calls(calls: &[(libc::c_long, u32, u32, libc::c_int)]) {
    let refuse = |errno| libc::SECCOMP_RET_ERRNO | errno as u32;
    filter_calls(&calls.iter().map(|&(number, argument, value, errno)| (number, argument, value, refuse(errno))).collect::<Vec<_>>());
}

/// From now on, in this process, the kernel does this with system calls of these numbers when an argument has this value.
fn filter_calls(calls: &[(libc::c_long, u32, u32, u32)]) {
    let statement = |code: u32, yes, no, k| libc::sock_filter { code: code as u16, jt: yes, jf: no, k };
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let mut program = Vec::new();
    for (number, argument, value, action) in calls {
        program.push(statement(load, 0, 0, 0));
        program.push(statement(equal, 0, 3, *number as u32));
        program.push(statement(load, 0, 0, 16 + 8 * argument));
        program.push(statement(equal, 0, 1, *value));
        program.push(statement(libc::BPF_RET | libc::BPF_K, 0, 0, *action));
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
fn an_older_kernel_has_less_and_does_it_all_the_same() {
    contained(|_| {
        let child = Child::fork(|| {
            let closed = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
            refuse_calls(&[
                (libc::SYS_memfd_create, 1, closed | libc::MFD_NOEXEC_SEAL, libc::EINVAL),
                (libc::SYS_memfd_create, 1, closed | libc::MFD_EXEC, libc::EINVAL),
                (libc::SYS_madvise, 2, libc::MADV_POPULATE_WRITE as u32, libc::EINVAL),
                (libc::SYS_madvise, 2, libc::MADV_POPULATE_READ as u32, libc::EINVAL),
            ]);
            let options = MemoryOptions { prefault: true, sparse: true, ..sized(20 * 4096) };
            let mut memory = Memory::memfd("older", &options).unwrap();
            assert_eq!(memory.seals().unwrap(), Seals::NONE);
            memory.seal(Seals::SHRINK).unwrap();
            let mut present = [0u8; 20];
            // SAFETY: there is a byte for each page.
            assert_eq!(unsafe { libc::mincore(memory.mapping().as_ptr().cast(), memory.size(), present.as_mut_ptr()) }, 0);
            assert!(present.iter().all(|page| page & 1 == 1));
            drop(Memory::memfd("older", &MemoryOptions { executable: true, mode: 0o700, ..sized(1) }).unwrap());
            let reader = adopt(memory.read_only_descriptor().unwrap(), &MemoryOptions { prefault: true, ..read_only() });
            let reader = reader.unwrap();
            let shrinking = Memory::memfd("shrinking", &sized(4 * 4096)).unwrap();
            std::fs::File::from(duplicate(&shrinking)).set_len(4096).unwrap();
            let error = shrinking.prefault().unwrap_err();
            assert!(error.is_failure(Failure::WrongSize), "{error}");
            reader.prefault().unwrap();
            drop(Memory::create_private_sysv(&MemoryOptions { temporary: true, ..sized(5000) }).unwrap());
            0
        });
        assert_eq!(child.wait(), 0);
    });
}
