//! Children and strangers: started, watched, killed, and nothing left of them.

mod support;

use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use support::alone::{Alone, in_a_storm};
use support::process::{Child, kills};
use support::waits::ends_in_every_way;
use unipc::event::{ExitStatus, ProcessExit};
use unipc::process::{Command, Pipeline};
use unipc::stream::pipe;
use unipc::{Failure, Wait};

/// A hang, generously.
const HANG: Duration = Duration::from_secs(20);

fn sh(script: &str) -> Command<'static> {
    Command::new("sh").arguments(["-c", script])
}

/// What a command prints, and how it ends.
fn output(command: &Command<'_>) -> (String, ExitStatus) {
    let (mut reader, writer) = pipe().unwrap();
    let process = command.clone().descriptor(1, &writer).spawn().unwrap();
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    (text, process.wait(HANG).unwrap())
}

#[test]
fn a_child_tells_how_it_ended() {
    let _alone = Alone::new();
    for code in [0, 1, 255] {
        let process = sh(&format!("exit {code}")).spawn().unwrap();
        assert_eq!(process.wait(HANG).unwrap(), ExitStatus::Exited(code));
        assert_eq!(process.wait(Wait::NEVER).unwrap().shell_status(), Some(code), "asked again");
        assert!(process.send_signal(libc::SIGTERM).unwrap_err().is(Errno::ESRCH));
    }
    let killed = sh("kill -9 $$").spawn().unwrap();
    let status = killed.wait(HANG).unwrap();
    assert_eq!((status, status.shell_status()), (ExitStatus::Killed { signal: 9, dumped_core: false }, Some(137)));
    assert_eq!(status.to_string(), "killed by SIGKILL");
    let sleeper = Command::new("sleep").argument("100").spawn().unwrap();
    ends_in_every_way("wait for process", |wait| sleeper.wait(wait).unwrap_err());
    sleeper.send_signal(libc::SIGTERM).unwrap();
    assert_eq!(sleeper.wait(None).unwrap().shell_status(), Some(128 + libc::SIGTERM));
}

#[test]
fn a_stranger_tells_only_that_it_ended() {
    let _alone = Alone::new();
    // The grandchild is no child of ours.
    let (mut reader, writer) = pipe().unwrap();
    let parent = sh("sleep 100 & echo $!; wait").descriptor(1, &writer).spawn().unwrap();
    drop(writer);
    let mut text = [0; 32];
    let size = reader.read(&mut text).unwrap();
    let pid: i32 = std::str::from_utf8(&text[..size]).unwrap().trim().parse().unwrap();
    let stranger = ProcessExit::open(pid).unwrap();
    assert_eq!(stranger.pid(), pid);
    assert!(stranger.wait(Wait::NEVER).unwrap_err().is(Errno::EAGAIN));
    stranger.send_signal(libc::SIGKILL).unwrap();
    assert_eq!(stranger.wait(HANG).unwrap(), ExitStatus::Unknown);
    assert_eq!(parent.wait(HANG).unwrap(), ExitStatus::Exited(0));
    for nobody in [0, -1, i32::MAX] {
        assert!(ProcessExit::open(nobody).is_err());
    }
    assert!(ProcessExit::open(i32::MAX).unwrap_err().is(Errno::ESRCH));
}

#[test]
fn a_pidfd_travels_and_nothing_else_is_adopted() {
    let _alone = Alone::new();
    let child = Child::fork(|| 5);
    let pid = child.id();
    let pidfd = OwnedFd::from(ProcessExit::open(pid).unwrap());
    let process = ProcessExit::adopt(pidfd).unwrap();
    assert_eq!(process.pid(), pid);
    assert_eq!(process.wait(HANG).unwrap(), ExitStatus::Exited(5), "a child of ours, whoever made it");
    let mut child = child;
    child.forget();
    let file: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
    let (_, error) = ProcessExit::adopt(file).unwrap_err();
    assert!(error.is_failure(Failure::WrongKind), "{error}");
}

#[test]
fn a_child_has_the_descriptors_that_were_named_and_no_other() {
    let alone = Alone::new();
    // One that somebody forgot to make close-on-exec.
    let (leaky, _other) = pipe().unwrap();
    // SAFETY: dup takes and gives an integer; the copy is closed below.
    let forgotten = unsafe { libc::fcntl(leaky.as_fd().as_raw_fd(), libc::F_DUPFD, 60) };
    std::fs::write(alone.path("a"), "aa").unwrap();
    std::fs::write(alone.path("b"), "bb").unwrap();
    let (a, b) = (std::fs::File::open(alone.path("a")).unwrap(), std::fs::File::open(alone.path("b")).unwrap());
    let list = "ls /proc/self/fd | tr '\\n' ' '";
    // The last is that of ls itself, which lists them.
    let (text, _) = output(&sh(list).descriptor(7, &a).descriptor(40, &b));
    let mut numbers: Vec<i32> = text.split_whitespace().map(|number| number.parse().unwrap()).filter(|number| *number != 3).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 7, 40]);
    // Each named as the other's number, and one twice.
    let (low, high) = (a.as_raw_fd().min(b.as_raw_fd()), a.as_raw_fd().max(b.as_raw_fd()));
    let (at_low, at_high) = if a.as_raw_fd() == low { (&b, &a) } else { (&a, &b) };
    let script = format!("cat <&{low}; cat <&{high}");
    let (text, _) = output(&sh(&script).descriptor(low, at_low).descriptor(high, at_high));
    assert_eq!(text, if a.as_raw_fd() == low { "bbaa" } else { "aabb" });
    let twice = std::fs::File::open(alone.path("a")).unwrap();
    let (text, _) = output(&sh("cat <&8; cat <&9; echo end").descriptor(8, &twice).descriptor(9, &twice).null(0));
    assert_eq!(text, "aaend\n", "copies share one position");
    let (text, _) = output(&sh("readlink /proc/self/fd/0").null(0));
    assert_eq!(text, "/dev/null\n");
    assert!(sh("true").descriptor(-1, &a).spawn().unwrap_err().is(Errno::EINVAL));
    // SAFETY: it is the test's own.
    unsafe { libc::close(forgotten) };
}

#[test]
fn environment_directory_and_arguments_arrive() {
    let alone = Alone::new();
    let (text, _) = output(
        &sh("echo $A-$HOME; pwd; echo \"$0|$1|$2\"")
            .arguments(["zero", "", "a b"])
            .directory(alone.path(""))
            .environment([("A", "1"), ("PATH", "/usr/bin:/bin")]),
    );
    assert_eq!(text, format!("1-\n{}\nzero||a b\n", alone.path("").trim_end_matches('/')));
    let (text, _) = output(&Command::new("cat").argument_zero("feline").argument("/proc/self/cmdline"));
    assert_eq!(text, "feline\0/proc/self/cmdline\0");
    assert!(Command::new("true").argument("a\0b").spawn().unwrap_err().is(Errno::EINVAL));
    assert!(Command::new("a\0b").spawn().unwrap_err().is(Errno::EINVAL));
}

#[test]
fn what_cannot_be_started_is_an_error_and_no_second_parent() {
    let alone = Alone::new();
    std::fs::write(alone.path("script"), "echo run by the shell: $1").unwrap();
    let script = alone.path("script");
    for _ in 0..20 {
        let missing = Command::new("no-such-program-here").spawn().unwrap_err();
        assert!(missing.is(Errno::ENOENT) && missing.to_string().contains("no-such-program-here"), "{missing}");
        assert!(Command::new("/no/such/program").spawn().unwrap_err().is(Errno::ENOENT));
        assert!(Command::new("").spawn().unwrap_err().is(Errno::ENOENT));
        assert!(Command::new(&script).spawn().unwrap_err().is(Errno::EACCES));
        assert!(Command::new(alone.path("")).spawn().unwrap_err().is(Errno::EACCES));
        let error = Command::new("true").directory("/no/such").spawn().unwrap_err();
        assert!(error.is(Errno::ENOENT) && error.to_string().contains("/no/such"), "{error}");
    }
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (text, _) = output(&Command::new(&script).argument("yes"));
    assert_eq!(text, "run by the shell: yes\n");
    // Found further down, past one that may not be executed.
    std::fs::create_dir(alone.path("first")).unwrap();
    std::fs::write(alone.path("first/true"), "").unwrap();
    let search = format!("{}:/usr/bin:/bin", alone.path("first"));
    assert!(Command::new("true").environment([("PATH", &search)]).spawn().unwrap().wait(HANG).unwrap().is_success());
    assert!(Command::new("true").environment([("PATH", &alone.path("first"))]).spawn().unwrap_err().is(Errno::EACCES));
}

#[test]
fn signals_are_as_a_program_expects_them() {
    let _alone = Alone::new();
    let child = Child::fork(|| {
        // Everything blocked, SIGPIPE ignored as Rust does, another caught.
        // SAFETY: valid arguments.
        unsafe {
            let mut all = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, std::ptr::null_mut());
            libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        }
        let _caught = unipc::event::signal::Signals::catch(&[libc::SIGTERM]).unwrap();
        let (text, _) = output(&sh("grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status").environment([("PATH", "/usr/bin:/bin")]));
        let of = |name: &str| u64::from_str_radix(text.lines().find(|line| line.starts_with(name)).unwrap()[7..].trim(), 16).unwrap();
        assert_eq!(of("SigBlk"), 0, "{text}");
        assert_eq!(of("SigIgn") & (1 << (libc::SIGPIPE - 1)), 0, "{text}");
        assert_eq!(of("SigCgt") & (1 << (libc::SIGTERM - 1)), 0, "{text}");
        // SAFETY: the set is filled.
        unsafe {
            let mut mask = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut mask);
            assert_eq!(libc::sigismember(&mask, libc::SIGTERM), 1, "the parent's mask is what it was");
            libc::sigemptyset(&mut mask);
            libc::pthread_sigmask(libc::SIG_SETMASK, &mask, std::ptr::null_mut());
        }
        let (text, status) = output(&sh("yes | head -n 1; yes & kill -PIPE $!; wait $!"));
        assert!(text.starts_with("y\n"));
        assert_eq!(status.shell_status(), Some(128 + libc::SIGPIPE));
        0
    });
    assert_eq!(child.wait(), 0);
}

#[test]
fn stdin_ends_when_its_writer_does() {
    let _alone = Alone::new();
    let (reader, mut writer) = pipe().unwrap();
    let (mut results, to) = pipe().unwrap();
    let child = Command::new("cat").descriptor(0, &reader).descriptor(1, &to).spawn().unwrap();
    drop((reader, to));
    writer.write_all(b"data for the child").unwrap();
    assert!(child.wait(Duration::from_millis(20)).unwrap_err().is(Errno::ETIMEDOUT));
    drop(writer);
    let mut text = String::new();
    results.read_to_string(&mut text).unwrap();
    assert_eq!(text, "data for the child");
    assert!(child.wait(HANG).unwrap().is_success());
}

#[test]
fn a_group_is_killed_whole() {
    let _alone = Alone::new();
    let (mut reader, writer) = pipe().unwrap();
    let leader = sh("sleep 100 & echo started; wait").descriptor(1, &writer).new_group().spawn().unwrap();
    drop(writer);
    reader.read_exact(&mut [0; 8]).unwrap();
    unipc::event::signal::send(unipc::event::signal::Target::Group(leader.pid()), libc::SIGKILL).unwrap();
    assert_eq!(leader.wait(HANG).unwrap().shell_status(), Some(137));
    assert_eq!(reader.read(&mut [0]).unwrap(), 0, "the grandchild is gone, too");
}

#[test]
fn a_child_killed_at_random_moments_is_reaped() {
    let _alone = Alone::new();
    for round in 0..kills() {
        let (mut reader, writer) = pipe().unwrap();
        let child = sh("while :; do echo line; done").descriptor(1, &writer).spawn().unwrap();
        drop(writer);
        std::thread::sleep(Duration::from_micros(round * 37 % 3000));
        child.send_signal(libc::SIGKILL).unwrap();
        assert_eq!(child.wait(HANG).unwrap().shell_status(), Some(137));
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
    }
}

#[test]
fn a_handle_that_is_dropped_leaves_no_zombie() {
    let _alone = Alone::new();
    for _ in 0..10 {
        drop(Command::new("true").spawn().unwrap());
    }
    let limit = std::time::Instant::now() + HANG;
    // SAFETY: asks for children without waiting for any; takes no status.
    while unsafe { libc::waitid(libc::P_ALL, 0, std::ptr::null_mut(), libc::WEXITED | libc::WNOHANG | libc::WNOWAIT) } == 0 {
        assert!(std::time::Instant::now() < limit, "a zombie stays");
        drop(Command::new("true").spawn().unwrap());
        let last = Command::new("true").spawn().unwrap();
        last.wait(HANG).unwrap();
    }
}

/// Also when several threads drop and start at the same moment.
#[test]
fn no_handle_is_lost_when_threads_drop_theirs_at_once() {
    let _alone = Alone::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..100).for_each(|_| drop(Command::new("true").spawn().unwrap())));
        }
    });
    let limit = std::time::Instant::now() + HANG;
    let children = || std::fs::read_to_string(format!("/proc/self/task/{}/children", std::process::id())).unwrap();
    while children().split_whitespace().next().is_some() {
        assert!(std::time::Instant::now() < limit, "zombies stay: {}", children());
        Command::new("true").spawn().unwrap().wait(HANG).unwrap();
    }
}

/// What another thread forks meanwhile, without a program of its own, has copies of all descriptors.
#[test]
fn a_start_does_not_wait_for_a_child_of_another_thread() {
    let _alone = Alone::new();
    let is_over = AtomicBool::new(false);
    let limit = std::time::Instant::now() + HANG;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut children = Vec::new();
            while !is_over.load(Ordering::Relaxed) && children.len() < 500 {
                children.push(Child::fork(|| {
                    // Ends by itself behind every limit of the test.
                    std::thread::sleep(2 * HANG);
                    0
                }));
            }
        });
        for _ in 0..50 {
            Command::new("true").spawn().unwrap().wait(HANG).unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(std::time::Instant::now() < limit, "a start has waited for a child of the other thread");
}

#[test]
fn threads_start_children_at_once_and_hold_none_of_each_others_pipes() {
    let _alone = Alone::new();
    std::thread::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || {
                for round in 0..25 {
                    let (reader, mut writer) = pipe().unwrap();
                    let (mut results, to) = pipe().unwrap();
                    let child = Command::new("cat").descriptor(0, &reader).descriptor(1, &to).spawn().unwrap();
                    drop((reader, to));
                    write!(writer, "{number} {round}").unwrap();
                    drop(writer);
                    let mut text = String::new();
                    results.read_to_string(&mut text).unwrap();
                    assert_eq!(text, format!("{number} {round}"));
                    assert!(child.wait(HANG).unwrap().is_success());
                }
            });
        }
    });
}

#[test]
fn starting_is_not_disturbed_by_a_storm() {
    let _alone = Alone::new();
    in_a_storm(|| {
        for _ in 0..20 {
            assert_eq!(output(&Command::new("echo").argument("x")), ("x\n".to_owned(), ExitStatus::Exited(0)));
            assert!(Command::new("no-such-program-here").spawn().unwrap_err().is(Errno::ENOENT));
        }
    });
}

#[test]
fn a_pipeline_does_what_the_shells_does() {
    let _alone = Alone::new();
    let cases: [&[&str]; 8] = [
        &["printf 'b\\na\\nc\\n'", "sort", "tr a-z A-Z"],
        &["yes", "head -n 3", "wc -l"],
        &["exit 3", "cat; exit 4", "cat; exit 5"],
        &["true", "no-such-program-here", "cat"],
        &["no-such-program-here", "wc -c"],
        &["echo one"],
        &["kill -TERM $$", "cat"],
        &["seq 100000", "sed -n '$p'", "/dev/null", "wc -c"],
    ];
    for stages in cases {
        let is_plain = |stage: &str| stage.starts_with("no-such") || stage.starts_with("/dev");
        let shell_stages: Vec<String> = stages
            .iter()
            .map(|stage| {
                if is_plain(stage) { (*stage).to_owned() } else { format!("sh -c \"{}\"", stage.replace('\\', "\\\\").replace('$', "\\$")) }
            })
            .collect();
        let script = format!("{} ; echo ${{PIPESTATUS[@]}}", shell_stages.join(" | "));
        let (mut expected, _) = output(&Command::new("bash").arguments(["-c", &script]));
        let (mut reader, writer) = pipe().unwrap();
        let mut commands: Vec<_> = stages.iter().map(|stage| if is_plain(stage) { Command::new(stage) } else { sh(stage) }).collect();
        let last = commands.pop().unwrap().descriptor(1, &writer);
        let pipeline = Pipeline::spawn(&[commands, vec![last]].concat()).unwrap();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let statuses = pipeline.wait(HANG).unwrap();
        let statuses: Vec<String> = statuses.iter().map(|status| status.shell_status().unwrap().to_string()).collect();
        text.push_str(&format!("{}\n", statuses.join(" ")));
        // yes is killed by SIGPIPE, if it did not find out before.
        for text in [&mut text, &mut expected] {
            *text = text.replace("\n141 0 0\n", "\n1 0 0\n");
        }
        assert_eq!(text, expected, "{stages:?}");
    }
}

#[test]
fn a_pipeline_is_waited_for_and_killed_whole() {
    let _alone = Alone::new();
    let pipeline = Pipeline::spawn(&[sh("sleep 100"), sh("cat"), Command::new("no-such-program-here")]).unwrap();
    assert_eq!(pipeline.pids()[2], 0);
    assert!(pipeline.error(2).unwrap().is(Errno::ENOENT) && pipeline.error(0).is_none() && pipeline.error(3).is_none());
    ends_in_every_way("wait for pipeline", |wait| pipeline.wait(wait).unwrap_err());
    pipeline.send_signal(libc::SIGKILL).unwrap();
    let statuses: Vec<_> = pipeline.wait(HANG).unwrap().into_iter().map(|status| status.shell_status().unwrap()).collect();
    assert_eq!((statuses[0], statuses[2]), (137, 127));
    assert_eq!(pipeline.wait(Wait::NEVER).unwrap().len(), 3);
    assert!(Pipeline::spawn(&[]).unwrap_err().is(Errno::EINVAL));
    let nowhere = |program: &str| Command::new(program).directory("/no/such");
    assert!(Pipeline::spawn(&[nowhere("true"), nowhere("cat")]).unwrap_err().to_string().contains("/no/such"));
    assert!(Pipeline::spawn(&[sh("sleep 100"), sh("a\0b")]).unwrap_err().is(Errno::EINVAL));
}

/// A stage that has become another user cannot be signalled by ours: the others are, and a pipeline that fails does not wait for it.
#[test]
fn a_stage_of_another_user_shields_nobody() {
    let alone = Alone::new();
    // SAFETY: geteuid has no preconditions.
    assert_eq!(unsafe { libc::geteuid() }, 0, "this takes root");
    let become_root = alone.path("setpriv");
    std::fs::copy("/usr/bin/setpriv", &become_root).expect("setpriv, of util-linux");
    std::fs::set_permissions(&become_root, std::fs::Permissions::from_mode(0o4755)).unwrap();
    std::fs::set_permissions(alone.path(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    let child = Child::fork(|| {
        // SAFETY: takes numbers; the child is another user from here on.
        assert_eq!(unsafe { libc::setresgid(65534, 65534, 65534) | libc::setresuid(65534, 65534, 65534) }, 0);
        let as_root = || Command::new(&become_root).arguments(["--reuid=0", "--clear-groups", "sleep", "40"]);
        let pipeline = Pipeline::spawn(&[as_root(), sh("sleep 100")]).unwrap();
        // Until it is root.
        let status = format!("/proc/{}/status", pipeline.pids()[0]);
        while !std::fs::read_to_string(&status).unwrap().contains("Uid:\t0\t0\t0\t") {
            std::thread::yield_now();
        }
        assert!(pipeline.send_signal(libc::SIGKILL).unwrap_err().is(Errno::EPERM));
        let second = ProcessExit::open(pipeline.pids()[1]).unwrap();
        second.wait(HANG).unwrap();
        // The third is too large.
        let start = std::time::Instant::now();
        let too_large = Command::new("true").argument("x".repeat(1 << 22));
        assert!(Pipeline::spawn(&[as_root(), too_large]).unwrap_err().is(Errno::E2BIG));
        i32::from(start.elapsed() > HANG)
    });
    assert_eq!(child.wait(), 0);
}

#[test]
fn a_child_made_by_fork_learns_that_it_ended_but_not_how() {
    let _alone = Alone::new();
    let process = sh("exit 9").spawn().unwrap();
    let child = Child::fork(|| {
        assert_eq!(process.wait(HANG).unwrap(), ExitStatus::Unknown);
        0
    });
    assert_eq!(child.wait(), 0);
    assert_eq!(process.wait(HANG).unwrap(), ExitStatus::Exited(9));
}
