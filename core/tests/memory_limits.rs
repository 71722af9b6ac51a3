//! Memory that changes its size, and memory where there is none: full file systems, limits, signals, creators that are killed.

mod support;

use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use support::contained::{contained, mount_memory, not_looked, own_mounts};
use support::process::Child;
use support::shared::SharedPages;
use support::stepper::{Step, Stepper};
use unipc::memory::{Memory, MemoryOptions};
use unipc::{Stop, Timeout, Wait};

fn sized(size: usize) -> MemoryOptions<'static> {
    MemoryOptions::sized(size)
}

/// Runs `work` in a child whose `/dev/shm` is empty and small.
fn with_small_directory(options: &str, work: impl FnOnce()) {
    let child = Child::fork(|| {
        if own_mounts() {
            mount_memory(c"/dev/shm", &CString::new(options).unwrap());
            work();
        }
        0
    });
    assert_eq!(child.wait(), 0);
}

fn blocks_left() -> u64 {
    nix::sys::statvfs::statvfs("/dev/shm").unwrap().blocks_free() as u64
}

#[test]
fn a_full_directory_is_an_error_at_creation_with_both_numbers() {
    contained(|names| {
        with_small_directory("size=8m", || {
            let name = names.name("full");
            let before = blocks_left();
            for error in [
                Memory::create(&name, &sized(64 << 20)).unwrap_err(),
                Memory::open_or_create(&name, &sized(64 << 20)).unwrap_err(),
                Memory::create(&name, &MemoryOptions { unpublished: true, ..sized(64 << 20) }).unwrap_err(),
            ] {
                assert!(error.is(Errno::ENOSPC));
                let text = error.to_string();
                assert!(text.contains(&name) && text.contains("8 MiB left") && text.contains("64 MiB"), "{text}");
            }
            assert_eq!(blocks_left(), before);
            assert!(names.present().is_empty());

            let fits = Memory::create(&name, &sized(8 << 20)).unwrap();
            assert_eq!(blocks_left(), 0);
            fits.write((8 << 20) - 1, b"!").unwrap();
            let error = Memory::create(&names.name("more"), &sized(1)).unwrap_err();
            assert!(error.is(Errno::ENOSPC), "{error}");
            // A name that is taken is the better reason, and what exists is opened without room.
            assert!(Memory::create(&name, &sized(1)).unwrap_err().is(Errno::EEXIST));
            assert!(!Memory::open_or_create(&name, &sized(1)).unwrap().was_created());
            let sparse = Memory::create(&names.name("sparse"), &MemoryOptions { sparse: true, ..sized(64 << 20) }).unwrap();
            assert_eq!(sparse.size(), 64 << 20);
        });
    });
}

#[test]
fn growth_without_room_changes_nothing() {
    contained(|names| {
        with_small_directory("size=8m", || {
            let name = names.name("grow");
            let mut memory = Memory::create(&name, &sized(2 << 20)).unwrap();
            memory.write(0, b"kept").unwrap();
            let (before, address) = (blocks_left(), memory.mapping().as_ptr());
            let error = memory.resize(9 << 20).unwrap_err();
            assert!(error.is(Errno::ENOSPC) && error.to_string().contains("6 MiB left, 7 MiB are needed"), "{error}");
            assert_eq!((memory.size(), blocks_left(), memory.mapping().as_ptr()), (2 << 20, before, address));
            assert_eq!(std::fs::metadata(names.path("grow")).unwrap().len(), 2 << 20);
            memory.resize(8 << 20).unwrap();
            assert_eq!(blocks_left(), 0);
            memory.write((8 << 20) - 1, b"!").unwrap();
            memory.resize(1 << 20).unwrap();
            assert_eq!(blocks_left(), before + (1 << 20) / 4096);
        });
    });
}

#[test]
fn absurd_sizes_are_refused_and_leave_nothing() {
    contained(|names| {
        // In a small directory: if these were not refused, they would take all the memory of the machine.
        with_small_directory("size=8m", || {
            let name = names.name("absurd");
            for size in [0, isize::MAX as usize + 1, usize::MAX] {
                assert!(Memory::create(&name, &sized(size)).unwrap_err().is(Errno::EINVAL), "{size}");
                assert!(Memory::open_or_create(&name, &sized(size)).unwrap_err().is(Errno::EINVAL), "{size}");
                assert!(Memory::anonymous(size).unwrap_err().is(Errno::EINVAL), "{size}");
            }
            for size in [1 << 50, isize::MAX as usize] {
                for sparse in [false, true] {
                    let error = Memory::create(&name, &MemoryOptions { sparse, ..sized(size) }).unwrap_err();
                    let possible = [Errno::ENOSPC, Errno::ENOMEM, Errno::EFBIG, Errno::EINVAL];
                    assert!(possible.iter().any(|errno| error.is(*errno)), "{error}");
                }
                assert!(Memory::anonymous(size).unwrap_err().is(Errno::ENOMEM));
            }
            assert!(names.present().is_empty());
        });
    });
}

/// A limit on the size of files is met after several pieces have been reserved.
#[test]
fn growth_that_fails_half_way_gives_back_what_it_took() {
    contained(|names| {
        with_small_directory("size=16m", || {
            let mut memory = Memory::create(&names.name("half-way"), &sized(5000)).unwrap();
            let before = blocks_left();
            let limit = libc::rlimit { rlim_cur: 3 << 20, rlim_max: 3 << 20 };
            // SAFETY: the limit is valid to read; both hold for this child alone.
            unsafe {
                libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
                assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
            }
            let error = memory.resize(8 << 20).unwrap_err();
            assert!(error.is(Errno::EFBIG), "{error}");
            assert_eq!((memory.size(), blocks_left()), (5000, before));
            let error = Memory::create(&names.name("new"), &sized(8 << 20)).unwrap_err();
            assert!(error.is(Errno::EFBIG) && blocks_left() == before, "{error}");
        });
    });
}

/// The look at the room that is left can be right, and the reservation fail all the same.
#[test]
fn room_that_others_take_meanwhile_is_an_error_too() {
    contained(|names| {
        with_small_directory("size=64m", || {
            let gate = SharedPages::<AtomicU32>::zeroed();
            let children: Vec<Child> = (0..4)
                .map(|index| {
                    let (gate, names) = (&gate, &names);
                    Child::fork(move || {
                        let name = names.name(&format!("rival-{index}"));
                        gate.fetch_add(1, Ordering::SeqCst);
                        while gate.load(Ordering::SeqCst) < 4 {
                            std::thread::yield_now();
                        }
                        for _ in 0..20 {
                            match Memory::create(&name, &MemoryOptions { temporary: true, ..sized(40 << 20) }) {
                                Ok(memory) => memory.write((40 << 20) - 1, b"!").unwrap(),
                                Err(error) => assert!(error.is(Errno::ENOSPC), "{error}"),
                            }
                        }
                        0
                    })
                })
                .collect();
            for child in children {
                assert_eq!(child.wait(), 0);
            }
            assert_eq!(blocks_left(), (64 << 20) / 4096);
        });
    });
}

#[test]
fn those_who_race_to_create_do_not_make_each_other_fail() {
    const CREATORS: u32 = 8;
    contained(|names| {
        with_small_directory("size=64m", || {
            for round in 0..10 {
                let name = names.name(&format!("crowded-{round}"));
                let gate = SharedPages::<[AtomicU32; 2]>::zeroed();
                let children: Vec<Child> = (0..CREATORS)
                    .map(|_| {
                        Child::fork(|| {
                            gate[0].fetch_add(1, Ordering::SeqCst);
                            while gate[0].load(Ordering::SeqCst) < CREATORS {
                                std::thread::yield_now();
                            }
                            let memory = Memory::open_or_create(&name, &sized(40 << 20)).unwrap();
                            gate[1].fetch_add(u32::from(memory.was_created()), Ordering::SeqCst);
                            0
                        })
                    })
                    .collect();
                for child in children {
                    assert_eq!(child.wait(), 0, "round {round}");
                }
                assert_eq!(gate[1].load(Ordering::SeqCst), 1);
                Memory::unlink(&name).unwrap();
            }
        });
    });
}

#[test]
fn a_stop_token_ends_the_search_for_room() {
    contained(|names| {
        with_small_directory("size=8m", || {
            let stop = Stop::new().unwrap();
            stop.request();
            let impatient = MemoryOptions { wait_for_creator: Wait::new(Timeout::NEVER_WAIT, Some(&stop)), ..sized(64 << 20) };
            let error = Memory::open_or_create(&names.name("full"), &impatient).unwrap_err();
            assert!(error.is(Errno::ECANCELED), "{error}");
        });
    });
}

/// A control group that limits the memory of who enters it; removed when dropped.
struct Limited {
    directory: std::path::PathBuf,
}

impl Limited {
    /// `None` where this system lets us make none.
    fn new(bytes: u64) -> Option<Limited> {
        let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        let label = format!("unipc-test-{}", std::process::id());
        groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (root, file) = match fields.next()? {
                "" => ("/sys/fs/cgroup", "memory.max"),
                "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                _ => return None,
            };
            let directory = std::path::Path::new(root).join(fields.next()?.strip_prefix('/')?).join(&label);
            std::fs::create_dir(&directory).ok()?;
            let limited = Limited { directory };
            std::fs::write(limited.directory.join(file), bytes.to_string()).ok()?;
            Some(limited)
        })
    }

    /// Moves the calling process in.
    fn enter(&self) -> bool {
        std::fs::write(self.directory.join("cgroup.procs"), std::process::id().to_string()).is_ok()
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.directory);
    }
}

#[test]
fn a_memory_limit_is_an_error_and_not_a_death() {
    contained(|names| {
        let Some(limited) = Limited::new(48 << 20) else {
            return not_looked("this system lets us make no control group for memory");
        };
        let name = names.name("limited");
        let child = Child::fork(|| {
            if !limited.enter() {
                not_looked("this system lets us enter no control group");
                return 0;
            }
            let error = Memory::create(&name, &sized(256 << 20)).unwrap_err();
            assert!(error.is(Errno::ENOMEM), "{error}");
            assert!(error.to_string().contains("256 MiB are needed"), "{error}");
            assert!(names.present().is_empty());
            let mut memory = Memory::create(&name, &MemoryOptions { temporary: true, ..sized(8 << 20) }).unwrap();
            let error = memory.resize(256 << 20).unwrap_err();
            assert!(error.is(Errno::ENOMEM) && memory.size() == 8 << 20, "{error}");
            memory.resize(16 << 20).unwrap();
            0
        });
        assert_eq!(child.wait(), 0);
    });
}

#[test]
fn addresses_stay_valid_while_the_object_changes_its_size_in_two_processes() {
    contained(|names| {
        let name = names.name("resized");
        let mut memory = Memory::create(&name, &MemoryOptions { temporary: true, ..sized(4096) }).unwrap();
        // The address alone: the handle keeps it valid, and nobody else does.
        let first = memory.mapping().as_ptr();
        let phase = SharedPages::<AtomicU32>::zeroed();
        let await_phase = |wanted| {
            while phase.load(Ordering::Acquire) < wanted {
                std::thread::yield_now();
            }
        };
        let other = Child::fork(|| {
            let mut other = Memory::open(&name, &Default::default()).unwrap();
            let address = other.mapping().as_ptr();
            // SAFETY: the first page stays mapped as long as the handle, and part of the object at all its sizes; all access is atomic.
            let word = unsafe { AtomicU32::from_ptr(address.cast()) };
            phase.store(1, Ordering::Release);
            await_phase(2);
            assert_eq!(word.load(Ordering::Relaxed), 2);
            assert_eq!(other.size(), 4096);
            assert!(other.read((1 << 20) - 4, &mut [0; 4]).unwrap_err().is(Errno::EINVAL));
            other.refresh().unwrap();
            assert_eq!(other.size(), 1 << 20);
            let mut end = [0; 4];
            other.read((1 << 20) - 4, &mut end).unwrap();
            assert_eq!(&end, b"last");
            word.store(3, Ordering::Relaxed);
            assert_eq!(other.load_u32(0, Ordering::Relaxed).unwrap(), 3);
            phase.store(3, Ordering::Release);
            await_phase(4);
            other.refresh().unwrap();
            assert_eq!((other.size(), word.load(Ordering::Relaxed)), (100, 4));
            other.resize(10 << 20).unwrap();
            other.write((10 << 20) - 1, b"!").unwrap();
            phase.store(5, Ordering::Release);
            0
        });
        await_phase(1);
        memory.resize(1 << 20).unwrap();
        memory.write((1 << 20) - 4, b"last").unwrap();
        // SAFETY: as in the child.
        let word = unsafe { AtomicU32::from_ptr(first.cast()) };
        word.store(2, Ordering::Relaxed);
        phase.store(2, Ordering::Release);
        await_phase(3);
        assert_eq!((word.load(Ordering::Relaxed), memory.load_u32(0, Ordering::Relaxed).unwrap()), (3, 3));
        memory.resize(100).unwrap();
        word.store(4, Ordering::Relaxed);
        phase.store(4, Ordering::Release);
        await_phase(5);
        memory.refresh().unwrap();
        assert_eq!(memory.size(), 10 << 20);
        assert_eq!(other.wait(), 0);
        // What was cut off came back as zeroes.
        let mut bytes = vec![1; (1 << 20) - 100];
        memory.read(100, &mut bytes).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 0));
    });
}

#[test]
fn the_same_sizes_again_cost_no_more_mappings() {
    contained(|_| {
        let mappings = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
        let file = nix::sys::memfd::memfd_create(c"again", nix::sys::memfd::MFdFlags::MFD_CLOEXEC);
        let Ok(file) = file else { return not_looked("there is no memfd") };
        nix::unistd::ftruncate(&file, 4096).unwrap();
        let mut memory = Memory::from_descriptor(file, &Default::default()).map_err(|refused| refused.1).unwrap();
        memory.resize(8192).unwrap();
        let before = mappings();
        for _ in 0..1000 {
            memory.resize(4096).unwrap();
            memory.resize(8192).unwrap();
        }
        assert!(mappings() < before + 10);
    });
}

#[test]
fn who_grows_at_the_same_time_never_takes_from_another() {
    contained(|names| {
        const GROWERS: usize = 4;
        let name = names.name("growers");
        for _ in 0..30 {
            let memory = Memory::create(&name, &MemoryOptions { temporary: true, ..sized(1) }).unwrap();
            let gate = SharedPages::<AtomicU32>::zeroed();
            let children: Vec<Child> = (0..GROWERS)
                .map(|index| {
                    let (gate, name) = (&gate, &name);
                    Child::fork(move || {
                        let mut memory = Memory::open(name, &Default::default()).unwrap();
                        gate.fetch_add(1, Ordering::SeqCst);
                        while gate.load(Ordering::SeqCst) < GROWERS as u32 {
                            std::thread::yield_now();
                        }
                        let size = (index + 1) * (1 << 20) + index;
                        memory.resize(size).unwrap();
                        // A store into what another has taken back would be SIGBUS.
                        assert_eq!(memory.size(), size);
                        for _ in 0..50 {
                            memory.write(size - 1, b"!").unwrap();
                            memory.write(size / 2, b"!").unwrap();
                        }
                        0
                    })
                })
                .collect();
            for child in children {
                assert_eq!(child.wait(), 0);
            }
            let size = std::fs::metadata(names.path("growers")).unwrap().len();
            assert_eq!(size, (GROWERS * (1 << 20) + GROWERS - 1) as u64);
            drop(memory);
        }
    });
}

/// What is given back after a failure is what was taken, and nothing that somebody else has added.
#[test]
fn a_growth_that_fails_takes_nothing_from_one_that_does_not() {
    contained(|names| {
        const SMALL: usize = 5000;
        const LARGE: usize = (3 << 20) + 1;
        let name = names.name("contested");
        let _memory = Memory::create(&name, &MemoryOptions { temporary: true, ..sized(SMALL) }).unwrap();
        let gate = SharedPages::<[AtomicU32; 2]>::zeroed();
        let failing: Vec<Child> = (0..2)
            .map(|_| {
                Child::fork(|| {
                    let mut memory = Memory::open(&name, &Default::default()).unwrap();
                    let limit = libc::rlimit { rlim_cur: 4 << 20, rlim_max: 4 << 20 };
                    // SAFETY: the limit is valid to read; both hold for this child alone.
                    unsafe {
                        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
                        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
                    }
                    while gate[1].load(Ordering::SeqCst) == 0 {
                        let error = memory.resize(5 << 20).unwrap_err();
                        assert!(error.is(Errno::EFBIG), "{error}");
                        gate[0].fetch_add(1, Ordering::SeqCst);
                    }
                    0
                })
            })
            .collect();
        let growing = Child::fork(|| {
            let mut memory = Memory::open(&name, &Default::default()).unwrap();
            for _ in 0..300 {
                memory.resize(LARGE).unwrap();
                let path = names.path("contested");
                for _ in 0..2 {
                    let found = std::fs::metadata(&path).unwrap();
                    assert_eq!(found.len(), LARGE as u64);
                    assert!(found.blocks() * 512 >= LARGE as u64, "pages are missing: {} blocks", found.blocks());
                    std::thread::yield_now();
                }
                memory.resize(SMALL).unwrap();
            }
            0
        });
        let status = growing.wait();
        gate[1].store(1, Ordering::SeqCst);
        assert_eq!(status, 0);
        for child in failing {
            assert_eq!(child.wait(), 0);
        }
        assert!(gate[0].load(Ordering::SeqCst) > 10, "nobody failed meanwhile");
    });
}

/// Who has locked the whole object for itself, and changes its size then, is not in its own way.
#[test]
fn locks_of_the_whole_object_do_not_hold_up_growth() {
    contained(|names| {
        let name = names.name("locked");
        let mut memory = Memory::create(&name, &MemoryOptions { temporary: true, ..sized(5000) }).unwrap();
        let file = std::fs::File::options().read(true).write(true).open(names.path("locked")).unwrap();
        // SAFETY: zero bytes are a valid flock: from the beginning to wherever the end is.
        let mut range: libc::flock = unsafe { std::mem::zeroed() };
        range.l_type = libc::F_WRLCK as libc::c_short;
        // SAFETY: the range is valid to read.
        assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const range) }, 0);
        // SAFETY: flock takes integers.
        assert_eq!(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) }, 0);
        let start = Instant::now();
        memory.resize(2 << 20).unwrap();
        memory.resize(5000).unwrap();
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    });
}

/// Signals that interrupt system calls, until dropped.
struct Storm;

static STRUCK: AtomicU32 = AtomicU32::new(0);

extern "C" fn strike(_: libc::c_int) {
    STRUCK.fetch_add(1, Ordering::Relaxed);
}

impl Storm {
    fn every(microseconds: libc::suseconds_t) -> Storm {
        // SAFETY: a zeroed action is valid and lacks SA_RESTART; the handler only touches an atomic.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = strike as *const () as usize;
            assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
        }
        STRUCK.store(0, Ordering::Relaxed);
        Storm::set(microseconds);
        Storm
    }

    fn set(microseconds: libc::suseconds_t) {
        let interval = libc::timespec { tv_sec: 0, tv_nsec: microseconds * 1000 };
        let timing = libc::itimerspec { it_interval: interval, it_value: interval };
        static TIMER: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
        // SAFETY: a zeroed event is valid; the timer goes with the process.
        let timer = *TIMER.get_or_init(|| unsafe {
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_SIGNAL;
            event.sigev_signo = libc::SIGUSR1;
            let mut timer: libc::timer_t = std::ptr::null_mut();
            assert_eq!(libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer), 0);
            timer as usize
        });
        // SAFETY: the timer was made above; the times are valid to read.
        assert_eq!(unsafe { libc::timer_settime(timer as libc::timer_t, 0, &timing, std::ptr::null_mut()) }, 0);
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        Storm::set(0);
    }
}

#[test]
fn a_storm_of_signals_does_not_hold_up_creation() {
    contained(|names| {
        // 1 kHz, and faster than a piece of 1 MiB can be reserved.
        for microseconds in [1000, 50] {
            let storm = Storm::every(microseconds);
            let name = names.name("storm");
            let mut memory = Memory::create(&name, &MemoryOptions { temporary: true, ..sized(64 << 20) }).unwrap();
            memory.resize(96 << 20).unwrap();
            drop(storm);
            assert!(STRUCK.load(Ordering::Relaxed) > 3, "no storm");
            let status = std::fs::metadata(names.path("storm")).unwrap();
            use std::os::unix::fs::MetadataExt;
            assert_eq!((status.len(), status.blocks() * 512), (96 << 20, 96 << 20), "every page is reserved");
        }
    });
}

#[test]
fn a_storm_of_signals_does_not_move_the_deadline_of_a_wait_for_a_creator() {
    contained(|names| {
        let name = names.name("nobody");
        let limit = Duration::from_millis(100);
        let options = MemoryOptions { wait_for_creator: limit.into(), ..Default::default() };
        let storm = Storm::every(1000);
        let start = Instant::now();
        let error = Memory::open(&name, &options).unwrap_err();
        let elapsed = start.elapsed();
        drop(storm);
        assert!(error.is(Errno::ENOENT), "{error}");
        assert!(STRUCK.load(Ordering::Relaxed) > 3, "no storm");
        // The upper bound only catches a wait that starts over with every signal.
        assert!(elapsed >= limit && elapsed < 50 * limit, "{elapsed:?}");
    });
}

#[test]
fn a_stop_token_ends_the_wait_for_a_creator() {
    contained(|names| {
        let name = names.name("nobody");
        std::fs::File::create(names.path("empty")).unwrap();
        let stop = Stop::new().unwrap();
        let options = MemoryOptions { wait_for_creator: Wait::from(&stop), ..sized(1) };
        std::thread::scope(|scope| {
            scope.spawn(|| stop.request());
            assert!(Memory::open(&name, &options).unwrap_err().is(Errno::ECANCELED));
        });
        assert!(Memory::open_or_create(&names.name("empty"), &options).unwrap_err().is(Errno::ECANCELED));
        Memory::unlink(&names.name("empty")).unwrap();
    });
}

#[test]
fn without_proc_a_memory_gets_its_name_all_the_same() {
    contained(|names| {
        let child = Child::fork(|| {
            if !own_mounts() {
                return 0;
            }
            mount_memory(c"/proc", c"size=4k");
            let name = names.name("no-proc");
            let draft = MemoryOptions { unpublished: true, mode: 0o640, ..sized(5000) };
            drop(Memory::create(&name, &draft).unwrap());
            assert!(names.present().is_empty(), "{:?}", names.present());
            let mut memory = Memory::create(&name, &draft).unwrap();
            let mut kept = Some(memory);
            let child = Child::fork(|| {
                drop(kept.take());
                0
            });
            assert_eq!(child.wait(), 0);
            memory = kept.unwrap();
            memory.write(0, b"filled").unwrap();
            memory.publish().unwrap();
            assert_eq!(names.present().into_iter().collect::<Vec<_>>(), vec![name.clone()]);
            let opened = Memory::open(&name, &sized(5000)).unwrap();
            let mut bytes = [0; 6];
            opened.read(0, &mut bytes).unwrap();
            assert_eq!(&bytes, b"filled");
            assert!(Memory::create(&name, &sized(1)).unwrap_err().is(Errno::EEXIST));
            Memory::unlink(&name).unwrap();
            0
        });
        assert_eq!(child.wait(), 0);
    });
}

#[test]
fn a_missing_directory_is_named() {
    contained(|names| {
        let child = Child::fork(|| {
            if own_mounts() {
                mount_memory(c"/dev", c"size=4k");
                let error = Memory::create(&names.name("nowhere"), &sized(1)).unwrap_err();
                assert!(error.is(Errno::ENOENT) && error.to_string().contains("/dev/shm"), "{error}");
                let error = Memory::open_or_create(&names.name("nowhere"), &sized(1)).unwrap_err();
                assert!(error.is(Errno::ENOENT), "{error}");
            }
            0
        });
        assert_eq!(child.wait(), 0);
    });
}

#[test]
fn without_a_descriptor_to_spare_nothing_is_made() {
    contained(|names| {
        let full = Child::fork(|| {
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: the limit is valid to read; it holds for this child alone.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &none) }, 0);
            let error = Memory::create(&names.name("full"), &sized(1)).unwrap_err();
            assert!(error.is(Errno::EMFILE) && error.object().is_some(), "{error}");
            assert!(Memory::open(&names.name("full"), &Default::default()).unwrap_err().is(Errno::EMFILE));
            0
        });
        assert_eq!(full.wait(), 0);
    });
}

#[test]
fn a_creator_that_is_killed_anywhere_leaves_all_or_nothing() {
    contained(|names| {
        let name = names.name("killed");
        let (mut nothing, mut all) = (0, 0);
        for steps in (0u32..).step_by(97) {
            let mut stepper = Stepper::start(|| (), || i32::from(Memory::create(&name, &sized(9000)).is_err()));
            let mut exited = None;
            for _ in 0..steps {
                let mut step = stepper.step();
                // Nothing in a creation sleeps for long, but a busy machine may take its time.
                while step == Step::Sleeping {
                    step = stepper.finish(Duration::from_secs(20));
                }
                if let Step::Exited(status) = step {
                    exited = Some(status);
                    break;
                }
            }
            if exited.is_none() {
                stepper.kill();
            }
            match Memory::open(&name, &Default::default()) {
                Ok(memory) => {
                    assert_eq!(memory.size(), 9000);
                    Memory::unlink(&name).unwrap();
                    all += 1;
                }
                Err(error) => {
                    assert!(error.is(Errno::ENOENT) && exited.is_none(), "{error}");
                    nothing += 1;
                }
            }
            assert!(names.present().is_empty());
            if exited.is_some() {
                break;
            }
        }
        assert!(nothing > 10 && all > 1, "{nothing} {all}");
    });
}

#[test]
fn growth_is_seen_whole_or_not_at_all() {
    contained(|names| {
        const BEFORE: u64 = 5000;
        const AFTER: u64 = 64 << 20;
        let name = names.name("grown");
        let mut looks = 0;
        for _ in 0..5 {
            let _memory = Memory::create(&name, &MemoryOptions { temporary: true, ..sized(BEFORE as usize) }).unwrap();
            let other = Child::fork(|| i32::from(Memory::open(&name, &Default::default()).unwrap().resize(AFTER as usize).is_err()));
            loop {
                match std::fs::metadata(names.path("grown")).unwrap().len() {
                    BEFORE => looks += 1,
                    AFTER => break,
                    size => panic!("{size} bytes were seen"),
                }
            }
            assert_eq!(other.wait(), 0);
        }
        assert!(looks > 5, "nobody looked meanwhile");
    });
}
