//! Signals: sent in every way, caught, blocked, waited for, and everything put back.
//!
//! What a test changes of a process it changes in a child: dispositions, masks and signals belong to processes, and this one has threads of its own.

mod support;

use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use support::alone::{Alone, is_root};
use support::process::{Child, kills};
use support::shared::SharedPages;
use support::waits::ends_in_every_way;
use unipc::event::ProcessExit;
use unipc::event::signal::{self, Blocked, DefaultAction, Received, Signals, Target};
use unipc::{Failure, Result, Wait};

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);

/// Runs it in a child, and fails if it panics there.
fn in_child(work: impl FnOnce()) {
    let child = Child::fork(|| {
        // SAFETY: alarm takes an integer: a hang ends this child alone.
        unsafe { libc::alarm(100) };
        work();
        0
    });
    assert_eq!(child.wait(), 0, "see above");
}

fn own() -> i32 {
    std::process::id() as i32
}

fn first_real_time() -> i32 {
    *signal::real_time().start()
}

/// What the process does with a signal: the handler's address, SIG_DFL or SIG_IGN.
fn disposition(number: i32) -> usize {
    // SAFETY: zero bytes are a valid action; NULL changes nothing.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        assert_eq!(libc::sigaction(number, std::ptr::null(), &mut now), 0);
        now.sa_sigaction
    }
}

/// All dispositions and the thread's mask.
fn state() -> (Vec<usize>, Vec<bool>) {
    let numbers = || (1..=64).filter(|number| signal::describe(*number).is_some());
    // SAFETY: the set is filled by pthread_sigmask.
    let mask = unsafe {
        let mut mask: libc::sigset_t = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut mask);
        mask
    };
    // SAFETY: the set is initialised.
    (numbers().map(disposition).collect(), numbers().map(|number| unsafe { libc::sigismember(&mask, number) } == 1).collect())
}

fn is_readable(descriptor: impl AsFd) -> bool {
    let mut polled = [libc::pollfd { fd: descriptor.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 }];
    // SAFETY: the array is valid for its length.
    unsafe { libc::poll(polled.as_mut_ptr(), 1, 0) == 1 && polled[0].revents & libc::POLLIN != 0 }
}

type Open = fn(&[i32]) -> Result<Signals>;
const BOTH: [(&str, Open); 2] = [("catch", Signals::catch), ("block", Signals::block)];

#[test]
fn a_signal_says_who_sent_it_and_with_what() {
    let _alone = Alone::new();
    for (way, open) in BOTH {
        in_child(|| {
            // SAFETY: both always succeed.
            let (uid, pid) = unsafe { (libc::getuid(), own()) };
            let before = state();
            let usable = [libc::SIGHUP, libc::SIGTERM, first_real_time()];
            let signals = open(&usable).unwrap();
            assert!(!is_readable(&signals), "{way}");
            for number in usable {
                signal::send(Target::Process(pid), number).unwrap();
                assert!(is_readable(&signals));
                let got = signals.receive(HANG).unwrap();
                let expected =
                    Received { signal: number, code: libc::SI_USER, value: None, sender_pid: Some(pid), sender_uid: Some(uid), lost: 0 };
                assert_eq!(got, expected, "{way}");
                signal::send_value(Target::Process(pid), number, -42).unwrap();
                let got = signals.receive(HANG).unwrap();
                assert_eq!(got, Received { code: libc::SI_QUEUE, value: Some(-42), ..expected }, "{way}");
                signal::send(Target::Thread { process: pid, thread: pid }, number).unwrap();
                assert_eq!(signals.receive(HANG).unwrap(), Received { code: libc::SI_TKILL, ..expected });
                signal::send_value(Target::Thread { process: pid, thread: pid }, number, i32::MAX).unwrap();
                assert_eq!(signals.receive(HANG).unwrap(), Received { code: libc::SI_QUEUE, value: Some(i32::MAX), ..expected });
                let process = ProcessExit::open(pid).unwrap();
                signal::send(Target::Pidfd(process.as_fd()), number).unwrap();
                assert_eq!(signals.receive(HANG).unwrap(), expected);
                signal::send_value(Target::Pidfd(process.as_fd()), number, i32::MIN).unwrap();
                assert_eq!(signals.receive(HANG).unwrap(), Received { code: libc::SI_QUEUE, value: Some(i32::MIN), ..expected });
            }
            assert!(!is_readable(&signals));
            assert!(signals.receive(Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
            drop(signals);
            assert_eq!(state(), before, "{way}");
        });
    }
}

#[test]
fn waiting_for_a_signal_ends_in_every_way() {
    let _alone = Alone::new();
    for (way, open) in BOTH {
        in_child(|| {
            let signals = open(&[libc::SIGHUP]).unwrap();
            ends_in_every_way(way, |wait| signals.receive(wait).unwrap_err());
        });
    }
    in_child(|| {
        let _blocked = Blocked::new(&[libc::SIGHUP]).unwrap();
        ends_in_every_way("take", |wait| signal::take(&[libc::SIGHUP], wait).unwrap_err());
        signal::send_value(Target::Process(own()), libc::SIGHUP, 5).unwrap();
        assert_eq!(signal::take(&[libc::SIGHUP], HANG).unwrap().value, Some(5));
    });
}

#[test]
fn real_time_signals_queue_in_order_and_the_smallest_comes_first() {
    let _alone = Alone::new();
    const COUNT: i32 = 500;
    for (way, open) in BOTH {
        in_child(|| {
            let (low, high) = (first_real_time(), first_real_time() + 1);
            let blocked = Blocked::new(&[low, high]).unwrap();
            let signals = open(&[low, high]).unwrap();
            let sender = Child::fork(|| {
                // SAFETY: always succeeds.
                let parent = unsafe { libc::getppid() };
                for value in 0..COUNT {
                    signal::send_value(Target::Process(parent), high, value).unwrap();
                    signal::send_value(Target::Process(parent), low, value).unwrap();
                }
                0
            });
            let pid = sender.id();
            assert_eq!(sender.wait(), 0);
            drop(blocked);
            for number in [low, high] {
                for value in 0..COUNT {
                    let got = signals.receive(HANG).unwrap();
                    assert_eq!((got.signal, got.value, got.sender_pid), (number, Some(value), Some(pid)), "{way}");
                }
            }
            assert!(signals.receive(Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
        });
    }
}

#[test]
fn a_queue_that_is_full_says_so() {
    let _alone = Alone::new();
    in_child(|| {
        if is_root() {
            // Somebody who has no other signals queued.
            // SAFETY: these take integers.
            unsafe { assert_eq!(libc::setuid(54_321), 0) };
        }
        let limit = libc::rlimit { rlim_cur: 5, rlim_max: 5 };
        // SAFETY: the limit is valid to read.
        unsafe { assert_eq!(libc::setrlimit(libc::RLIMIT_SIGPENDING, &limit), 0) };
        let number = first_real_time();
        let signals = Signals::block(&[number]).unwrap();
        let send = |value| signal::send_value(Target::Process(own()), number, value);
        let sent = (0..10).take_while(|value| send(*value).is_ok()).count();
        assert!((1..=5).contains(&sent), "{sent}");
        let error = send(9).unwrap_err();
        assert!(error.is(Errno::EAGAIN) && error.to_string().contains("RLIMIT_SIGPENDING"), "{error}");
        for value in 0..sent {
            assert_eq!(signals.receive(HANG).unwrap().value, Some(value as i32));
        }
        send(9).unwrap();
        assert_eq!(signals.receive(HANG).unwrap().value, Some(9));
    });
}

#[test]
fn two_users_of_one_signal_do_not_disturb_each_other() {
    let _alone = Alone::new();
    in_child(|| {
        let before = state();
        let first = Signals::catch(&[libc::SIGTERM, libc::SIGHUP]).unwrap();
        let second = Signals::catch(&[libc::SIGTERM, libc::SIGTERM, libc::SIGUSR1]).unwrap();
        let caught = state();
        signal::send(Target::Process(own()), libc::SIGTERM).unwrap();
        signal::send(Target::Process(own()), libc::SIGHUP).unwrap();
        assert_eq!(first.receive(HANG).unwrap().signal, libc::SIGTERM);
        assert_eq!(first.receive(HANG).unwrap().signal, libc::SIGHUP);
        assert_eq!(second.receive(HANG).unwrap().signal, libc::SIGTERM);
        assert!(second.receive(Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
        drop(first);
        assert_eq!(disposition(libc::SIGHUP), libc::SIG_DFL);
        assert_ne!(disposition(libc::SIGTERM), libc::SIG_DFL);
        signal::send(Target::Process(own()), libc::SIGTERM).unwrap();
        assert_eq!(second.receive(HANG).unwrap().signal, libc::SIGTERM);
        let third = Signals::catch(&[libc::SIGHUP]).unwrap();
        assert_eq!(state(), caught);
        drop((second, third));
        assert_eq!(state(), before);
    });
}

static RAN: AtomicI32 = AtomicI32::new(0);

extern "C" fn counts(_: libc::c_int) {
    RAN.fetch_add(1, Ordering::SeqCst);
    Errno::set_raw(77);
}

fn install(number: i32, handler: usize) -> usize {
    // SAFETY: a valid action; the handlers used are async-signal-safe.
    unsafe {
        let (mut action, mut before): (libc::sigaction, libc::sigaction) = (std::mem::zeroed(), std::mem::zeroed());
        action.sa_sigaction = handler;
        assert_eq!(libc::sigaction(number, &action, &mut before), 0);
        before.sa_sigaction
    }
}

#[test]
fn a_handler_that_was_there_still_runs_and_comes_back() {
    let _alone = Alone::new();
    in_child(|| {
        let counting = counts as extern "C" fn(libc::c_int) as usize;
        install(libc::SIGUSR1, counting);
        let signals = Signals::catch(&[libc::SIGUSR1, libc::SIGHUP]).unwrap();
        for round in 1..=3 {
            signal::send(Target::Process(own()), libc::SIGUSR1).unwrap();
            assert_eq!(signals.receive(HANG).unwrap().signal, libc::SIGUSR1);
            assert_eq!(RAN.load(Ordering::SeqCst), round);
        }
        drop(signals);
        assert_eq!((disposition(libc::SIGUSR1), disposition(libc::SIGHUP)), (counting, libc::SIG_DFL));
        // Somebody who installs a handler over ours keeps it.
        let signals = Signals::catch(&[libc::SIGHUP]).unwrap();
        let ours = install(libc::SIGHUP, counting);
        drop(signals);
        assert_eq!(disposition(libc::SIGHUP), counting);
        // And when that one restores what it found, ours does no harm, and works again.
        install(libc::SIGHUP, ours);
        signal::send(Target::Process(own()), libc::SIGHUP).unwrap();
        let signals = Signals::catch(&[libc::SIGHUP]).unwrap();
        signal::send(Target::Process(own()), libc::SIGHUP).unwrap();
        assert_eq!(signals.receive(HANG).unwrap().signal, libc::SIGHUP);
        drop(signals);
        assert_eq!(disposition(libc::SIGHUP), libc::SIG_DFL);
        // An ignored signal is ignored again.
        install(libc::SIGHUP, libc::SIG_IGN);
        drop(Signals::catch(&[libc::SIGHUP]).unwrap());
        assert_eq!(disposition(libc::SIGHUP), libc::SIG_IGN);
    });
}

#[test]
fn the_handler_keeps_errno() {
    let _alone = Alone::new();
    in_child(|| {
        let signals = Signals::catch(&[first_real_time()]).unwrap();
        for _ in 0..5000 {
            Errno::set_raw(55);
            // SAFETY: raise takes an integer.
            unsafe { libc::raise(first_real_time()) };
            // The pipe overflows on the way, which sets errno inside.
            assert_eq!(Errno::last_raw(), 55);
        }
        drop(signals);
    });
}

#[test]
fn a_full_pipe_loses_no_kind_of_signal() {
    let _alone = Alone::new();
    in_child(|| {
        let numbers = [libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1];
        let signals = Signals::catch(&numbers).unwrap();
        const STORM: u64 = 10_000;
        for _ in 0..STORM {
            signal::send(Target::Process(own()), libc::SIGUSR1).unwrap();
        }
        signal::send(Target::Process(own()), libc::SIGTERM).unwrap();
        signal::send(Target::Process(own()), libc::SIGHUP).unwrap();
        let (mut seen, mut lost) = ([0u64; 65], 0);
        while let Ok(got) = signals.receive(Wait::NEVER) {
            seen[got.signal as usize] += 1;
            lost += got.lost;
        }
        assert!(!is_readable(&signals));
        assert_eq!((seen[libc::SIGTERM as usize], seen[libc::SIGHUP as usize]), (1, 1));
        assert!(seen[libc::SIGUSR1 as usize] > 2000);
        // Three of those that had no room are told all the same.
        assert_eq!(seen.iter().sum::<u64>() + lost, STORM + 2 + 3);
    });
}

#[test]
fn a_storm_from_many_threads_is_counted_whole() {
    let _alone = Alone::new();
    in_child(|| {
        let number = first_real_time();
        let signals = Signals::catch(&[number]).unwrap();
        const EACH: u64 = 3000;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..EACH {
                        signal::send(Target::Process(own()), number).unwrap();
                    }
                });
            }
            let mut sum = 0;
            let start = Instant::now();
            while sum < 4 * EACH && start.elapsed() < HANG {
                let got = signals.receive(HANG).unwrap();
                // A bare one stands for one of the lost.
                sum += if got.sender_pid.is_some() { 1 + got.lost } else { got.lost };
            }
            assert_eq!(sum, 4 * EACH);
        });
    });
}

#[test]
fn handles_come_and_go_in_a_storm() {
    let _alone = Alone::new();
    in_child(|| {
        let number = first_real_time();
        let over = AtomicU32::new(0);
        let steady = Signals::catch(&[number]).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while over.load(Ordering::SeqCst) == 0 {
                        signal::send(Target::Process(own()), number).unwrap();
                    }
                });
            }
            for _ in 0..2000 {
                let signals = Signals::catch(&[number]).unwrap();
                // A file that would get what is written to a descriptor that was closed too early.
                drop(signals);
                let (reader, writer) = unipc::stream::pipe().unwrap();
                assert!(reader.read_within(&mut [0], Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
                drop(writer);
                while steady.receive(Wait::NEVER).is_ok() {}
            }
            over.store(1, Ordering::SeqCst);
        });
        drop(steady);
    });
}

#[test]
fn there_are_64_handles() {
    let _alone = Alone::new();
    in_child(|| {
        let before = state();
        let mut all: Vec<Signals> = (0..64).map(|_| Signals::catch(&[libc::SIGHUP]).unwrap()).collect();
        let error = Signals::catch(&[libc::SIGHUP]).unwrap_err();
        assert!(error.is(Errno::EAGAIN) && error.to_string().contains("64"), "{error}");
        signal::send(Target::Process(own()), libc::SIGHUP).unwrap();
        assert!(all.iter().all(|signals| signals.receive(HANG).unwrap().signal == libc::SIGHUP));
        all.remove(17);
        all.push(Signals::catch(&[libc::SIGHUP]).unwrap());
        drop(all);
        assert_eq!(state(), before);
    });
}

#[test]
fn what_cannot_be_is_refused() {
    let _alone = Alone::new();
    let before = state();
    for (way, open) in BOTH {
        for wrong in [&[][..], &[0], &[-1], &[65], &[i32::MAX], &[32], &[libc::SIGKILL], &[libc::SIGHUP, libc::SIGSTOP], &[libc::SIGSEGV]] {
            assert!(open(wrong).unwrap_err().is(Errno::EINVAL), "{way} {wrong:?}");
        }
    }
    assert!(Blocked::new(&[libc::SIGKILL]).unwrap_err().is(Errno::EINVAL));
    assert!(signal::take(&[], Wait::NEVER).unwrap_err().is(Errno::EINVAL));
    assert_eq!(state(), before);
    type Send = fn(Target<'_>, i32) -> Result<()>;
    let sends: [Send; 2] = [signal::send, |target, number| signal::send_value(target, number, 0)];
    for send in sends {
        for target in
            [Target::Process(0), Target::Process(-1), Target::Group(1), Target::Group(-5), Target::Thread { process: 0, thread: 1 }]
        {
            assert!(send(target, libc::SIGCONT).unwrap_err().is(Errno::EINVAL), "{target}");
        }
        assert!(send(Target::Process(own()), 65).unwrap_err().is(Errno::EINVAL));
        assert!(send(Target::Process(i32::MAX), libc::SIGCONT).unwrap_err().is(Errno::ESRCH));
    }
    assert!(signal::send_value(Target::Group(0), libc::SIGCONT, 0).unwrap_err().is(Errno::EOPNOTSUPP));
    signal::send(Target::Process(own()), 0).unwrap();
    if is_root() {
        in_child(|| {
            // SAFETY: these take integers.
            let parent = unsafe {
                assert_eq!(libc::setuid(54_321), 0);
                libc::getppid()
            };
            assert!(signal::send(Target::Process(parent), libc::SIGHUP).unwrap_err().is(Errno::EPERM));
            let pidfd = ProcessExit::open(parent).unwrap();
            assert!(pidfd.send_signal(libc::SIGHUP).unwrap_err().is(Errno::EPERM));
        });
    }
}

#[test]
fn a_group_gets_it_all() {
    let _alone = Alone::new();
    let ready = SharedPages::<AtomicU32>::zeroed();
    let member = |group: i32| {
        Child::fork(|| {
            // SAFETY: setpgid takes integers.
            unsafe { assert_eq!(libc::setpgid(0, group), 0) };
            ready.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(HANG);
            0
        })
    };
    let await_ready = |count| {
        while ready.load(Ordering::SeqCst) < count {
            std::thread::yield_now();
        }
    };
    let first = member(0);
    await_ready(1);
    let second = member(first.id());
    await_ready(2);
    signal::send(Target::Group(first.id()), libc::SIGTERM).unwrap();
    assert_eq!((first.wait(), second.wait()), (-libc::SIGTERM, -libc::SIGTERM));
}

#[test]
fn blocks_are_counted_and_end_in_any_order() {
    let _alone = Alone::new();
    in_child(|| {
        let before = state();
        let first = Blocked::new(&[libc::SIGHUP, libc::SIGTERM]).unwrap();
        let second = Signals::block(&[libc::SIGTERM]).unwrap();
        drop(first);
        // Not delivered: the second still holds it back.
        signal::send(Target::Process(own()), libc::SIGTERM).unwrap();
        assert_eq!(second.receive(HANG).unwrap().signal, libc::SIGTERM);
        drop(second);
        assert_eq!(state(), before);
        // What was blocked before stays so.
        let outer = Blocked::new(&[libc::SIGHUP]).unwrap();
        let held = state();
        drop(Blocked::new(&[libc::SIGHUP, libc::SIGTERM]).unwrap());
        assert_eq!(state(), held);
        drop(outer);
        // Dropped in another thread it changes neither mask.
        let signals = Signals::block(&[libc::SIGHUP]).unwrap();
        let held = state();
        std::thread::spawn(move || {
            let inherited = state();
            drop(signals);
            assert_eq!(state(), inherited);
        })
        .join()
        .unwrap();
        assert_eq!(state(), held);
    });
    let child = Child::fork(|| {
        let blocked = Blocked::new(&[libc::SIGHUP]).unwrap();
        signal::send(Target::Process(own()), libc::SIGHUP).unwrap();
        drop(blocked);
        0
    });
    assert_eq!(child.wait(), -libc::SIGHUP, "what came meanwhile is delivered");
}

#[test]
fn a_child_made_by_fork_makes_its_own() {
    let _alone = Alone::new();
    for (way, open) in BOTH {
        in_child(|| {
            let before = state();
            let signals = open(&[libc::SIGHUP]).unwrap();
            let child = Child::fork(|| {
                assert!(signals.receive(Wait::NEVER).unwrap_err().is_failure(Failure::Forked), "{way}");
                signal::send(Target::Process(own()), libc::SIGHUP).unwrap();
                let mine = open(&[libc::SIGHUP]).unwrap();
                if way == "catch" {
                    signal::send(Target::Process(own()), libc::SIGHUP).unwrap();
                }
                assert_eq!(mine.receive(HANG).unwrap().sender_pid, Some(own()), "{way}");
                assert!(mine.receive(Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
                0
            });
            assert_eq!(child.wait(), 0);
            // Nothing of the child's came here.
            assert!(signals.receive(Wait::NEVER).unwrap_err().is(Errno::EAGAIN), "{way}");
            drop(signals);
            assert_eq!(state(), before);
            let signals = open(&[libc::SIGHUP]).unwrap();
            let dying = Child::fork(|| {
                drop(signals);
                // SAFETY: raise takes an integer. A signalfd leaves the child's mask alone.
                unsafe { libc::raise(libc::SIGHUP) };
                0
            });
            assert_eq!(dying.wait(), if way == "catch" { -libc::SIGHUP } else { 0 }, "{way}: the disposition was put back");
        });
    }
}

#[test]
fn a_child_is_told_of_by_sigchld() {
    let _alone = Alone::new();
    for (way, open) in BOTH {
        in_child(|| {
            let signals = open(&[libc::SIGCHLD]).unwrap();
            let child = Child::fork(|| 3);
            let got = signals.receive(HANG).unwrap();
            assert_eq!((got.signal, got.code, got.sender_pid), (libc::SIGCHLD, libc::CLD_EXITED, Some(child.id())), "{way}");
            assert_eq!(child.wait(), 3);
        });
    }
}

/// What a program prints, if it is there.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_table_agrees_with_kill() {
    let _alone = Alone::new();
    let all = signal::signals();
    assert!(all.windows(2).all(|pair| pair[0].number < pair[1].number));
    for shell in ["bash", "sh", "/bin/kill"] {
        for known in &all {
            let arguments: Vec<String> = match shell {
                "/bin/kill" => vec!["-l".to_owned(), known.number.to_string()],
                _ => vec!["-c".to_owned(), format!("kill -l {}", known.number)],
            };
            let Some(name) = output(shell, &arguments.iter().map(String::as_str).collect::<Vec<_>>()) else { continue };
            let name = name.trim();
            if name.is_empty() {
                // This kill knows no real-time signals.
                assert!(signal::real_time().contains(&known.number));
                continue;
            }
            // util-linux numbers all real-time signals from the first.
            assert_eq!(signal::number_of(name), Some(known.number), "{shell} {name}");
            if shell == "bash" {
                assert_eq!(format!("SIG{name}"), known.name);
            }
        }
    }
    assert_eq!(signal::describe(libc::SIGCHLD).unwrap().action, DefaultAction::Ignore);
}

#[test]
fn default_actions_are_what_the_kernel_does() {
    let _alone = Alone::new();
    for known in signal::signals() {
        let child = Child::fork(|| {
            // SAFETY: all take integers or valid places; no core file is wanted.
            unsafe {
                libc::setrlimit(libc::RLIMIT_CORE, &libc::rlimit { rlim_cur: 0, rlim_max: 0 });
                if !matches!(known.number, libc::SIGKILL | libc::SIGSTOP) {
                    libc::signal(known.number, libc::SIG_DFL);
                }
                libc::raise(known.number);
            }
            0
        });
        let mut status = 0;
        // SAFETY: the child is ours, the status valid to write to.
        assert_eq!(unsafe { libc::waitpid(child.id(), &mut status, libc::WUNTRACED) }, child.id());
        let mut child = child;
        match known.action {
            DefaultAction::Terminate | DefaultAction::Core => assert_eq!(libc::WTERMSIG(status), known.number, "{}", known.name),
            DefaultAction::Ignore | DefaultAction::Continue => assert!(libc::WIFEXITED(status), "{}", known.name),
            // An orphaned process group is not stopped by the terminal's.
            DefaultAction::Stop if libc::WIFSTOPPED(status) => {
                child.kill();
                continue;
            }
            DefaultAction::Stop => assert!(known.number != libc::SIGSTOP && libc::WIFEXITED(status), "{}", known.name),
        }
        child.forget();
    }
}

#[test]
fn kill_of_the_shell_is_received_and_ours_is_trapped() {
    let _alone = Alone::new();
    in_child(|| {
        let signals = Signals::catch(&[libc::SIGUSR1, first_real_time() + 3]).unwrap();
        let sent = Command::new("bash").args(["-c", &format!("kill -s USR1 {0}; kill -s RTMIN+3 {0}", own())]).status();
        if sent.is_ok_and(|status| status.success()) {
            assert_eq!(signals.receive(HANG).unwrap().signal, libc::SIGUSR1);
            assert_eq!(signals.receive(HANG).unwrap().signal, first_real_time() + 3);
        }
    });
    let (reader, writer) = unipc::stream::pipe().unwrap();
    let script = "trap 'echo trapped; exit 7' USR2; echo ready; while :; do sleep 0.01; done";
    let shell = unipc::process::Command::new("sh").arguments(["-c", script]).descriptor(1, &writer).spawn().unwrap();
    drop(writer);
    let mut ready = [0; 6];
    reader.read_exact_within(&mut ready, HANG).unwrap();
    shell.send_signal(libc::SIGUSR2).unwrap();
    let mut told = [0; 8];
    reader.read_exact_within(&mut told, HANG).unwrap();
    assert_eq!(&told, b"trapped\n");
    assert_eq!(shell.wait(HANG).unwrap().shell_status(), Some(7));
}

#[test]
fn a_sender_killed_at_random_moments_leaves_whole_records() {
    let _alone = Alone::new();
    in_child(|| {
        let number = first_real_time();
        let signals = Signals::catch(&[number]).unwrap();
        for round in 0..kills() {
            let mut sender = Child::fork(|| {
                // SAFETY: always succeeds.
                let parent = unsafe { libc::getppid() };
                // Not faster than the handler: the thread that runs it would do nothing else.
                for sent in 0..100_000 {
                    let _ = signal::send_value(Target::Process(parent), number, 0x0123_4567);
                    if sent % 20 == 19 {
                        std::thread::sleep(Duration::from_micros(50));
                    }
                }
                0
            });
            signals.receive(HANG).unwrap();
            std::thread::sleep(Duration::from_micros(round * 13 % 500));
            sender.kill();
            while let Ok(got) = signals.receive(Wait::NEVER) {
                assert!(got.value.is_none_or(|value| value == 0x0123_4567) && got.signal == number, "{got:?}");
            }
        }
    });
}
