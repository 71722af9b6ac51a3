//! The command: what it promises about its output and its exit status.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use unipc_tests::{Leaks, libraries, output, run};

const MECHANISMS: &[&str] = &[
    "pipe",
    "fifo",
    "transfer",
    "unix",
    "unix-abstract",
    "unix-pair",
    "tcp4",
    "tcp6",
    "framed",
    "mq",
    "sysv-queue",
    "datagram",
    "seqpacket",
    "udp",
    "fd-passing",
    "memory",
    "anonymous",
    "memory-file",
    "memfd",
    "sysv-memory",
    "mutex",
    "spinlock",
    "rwlock",
    "condvar",
    "event",
    "barrier",
    "semaphore",
    "semaphore-recover",
    "posix-semaphore",
    "sysv-semaphores",
    "futex",
    "eventfd",
    "timer",
    "poller",
    "ring",
    "signal",
    "process-exit",
    "pipeline",
    "file-lock",
    "flock",
    "record-lock",
    "file-replace",
    "file-append",
];

fn unipc(arguments: &[&str]) -> Command {
    let mut command = Command::new(libraries().directory.join("unipc"));
    command.args(arguments);
    command
}

#[test]
fn demo_runs_every_mechanism_and_leaves_nothing() {
    libraries();
    let _leaks = Leaks::watch();
    let text = run(&mut unipc(&["demo", "--rounds", "100"]));
    let mut shown = 0;
    for name in MECHANISMS {
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap_or_default();
        // A machine may be without rings; then it says why.
        if *name == "ring" && line.ends_with("NOT HERE") {
            assert!(text.contains("ring: use ring: ") || text.contains("ring: create ring: "), "{text}");
            continue;
        }
        shown += 1;
        assert!(line.ends_with("OK") && line.contains(" x raw "), "{name}: {text}");
    }
    assert!(text.contains(&format!("{} mechanisms: {shown} OK, 0 failed", MECHANISMS.len())), "{text}");
}

#[test]
fn demo_of_one_mechanism_as_json_says_who_read_what() {
    let text = run(&mut unipc(&["demo", "--only", "pipe", "--rounds", "10", "--json"]));
    assert!(text.contains("\"ok\": true") && text.contains("hello through a pipe (process "), "{text}");
    assert!(!text.contains("\"fifo\""), "{text}");
    for field in ["median_nanoseconds", "raw_median_nanoseconds", "ratio"] {
        let value = text.split(&format!("\"{field}\": ")).nth(1).and_then(|rest| rest.split([',', '\n']).next());
        assert!(value.and_then(|value| value.parse().ok()).is_some_and(|value: f64| value > 0.0), "{field}: {text}");
    }
}

/// Runs a demonstration that takes long, and does something to its second process; gives what is then printed.
fn demo_with_peer_hit_by(signal: libc::c_int, mechanism: &str) -> Output {
    let child = unipc(&["demo", "--only", mechanism, "--rounds", "1000000"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let child = child.expect("the command starts");
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let start = Instant::now();
    let peer = loop {
        let list = std::fs::read_to_string(&children).expect("the demonstration runs");
        if let Some(peer) = list.split_whitespace().next() {
            break peer.parse().expect("a number");
        }
        assert!(start.elapsed() < Duration::from_secs(10), "there is no second process");
    };
    std::thread::sleep(Duration::from_millis(300));
    // SAFETY: the child of our child, which has not been waited for.
    assert_eq!(unsafe { libc::kill(peer, signal) }, 0);
    child.wait_with_output().expect("the command ends")
}

#[test]
fn a_second_process_that_dies_or_hangs_is_a_failed_line() {
    libraries();
    let _leaks = Leaks::watch();
    for (signal, mechanism) in [(libc::SIGKILL, "pipe"), (libc::SIGKILL, "unix-pair"), (libc::SIGKILL, "framed"), (libc::SIGSTOP, "pipe")] {
        let start = Instant::now();
        let result = demo_with_peer_hit_by(signal, mechanism);
        let text = String::from_utf8_lossy(&result.stdout);
        assert!(!result.status.success() && text.contains("FAILED"), "{signal} {mechanism}: {text}");
        assert!(start.elapsed() < Duration::from_secs(100), "{signal} {mechanism}");
    }
}

#[test]
fn a_demonstration_that_fails_is_told_and_counted() {
    let missing = std::env::temp_dir().join("unipc-no-such-directory");
    let result = output(unipc(&["demo", "--only", "fifo"]).env("TMPDIR", &missing));
    assert!(!result.status.success());
    assert!(String::from_utf8_lossy(&result.stderr).contains("unipc-no-such-directory"));
}

#[test]
fn a_mechanism_without_a_place_to_live_fails_by_name() {
    // With a limit of no file size at all, memory cannot be made; the summary and the exit status say so.
    let command = format!("ulimit -f 0; exec {} demo --only memory --only pipe", libraries().directory.join("unipc").display());
    let result = output(Command::new("sh").args(["-c", &command]));
    let text = String::from_utf8_lossy(&result.stdout);
    assert!(!result.status.success(), "{text}");
}

#[test]
fn an_unknown_mechanism_is_an_error_that_lists_what_there_is() {
    for verb in [["demo", "--only", "telepathy"].as_slice(), ["mechanisms", "telepathy"].as_slice()] {
        let result = output(&mut unipc(verb));
        assert_eq!(result.status.code(), Some(2));
        let text = String::from_utf8_lossy(&result.stderr);
        assert!(text.contains("telepathy") && text.contains("posix-semaphore"), "{text}");
    }
}

#[test]
fn mechanisms_tells_every_characteristic() {
    let _leaks = Leaks::watch();
    let text = run(&mut unipc(&["mechanisms", "--json"]));
    for name in MECHANISMS {
        assert!(text.contains(&format!("\"name\": \"{name}\"")), "{name}: {text}");
    }
    for characteristic in ["relatedness", "readers_and_writers", "passes_descriptors", "cross_machine", "complexity"] {
        assert_eq!(text.matches(&format!("\"{characteristic}\"")).count(), MECHANISMS.len(), "{characteristic}");
    }
    let table = run(&mut unipc(&["mechanisms"]));
    assert!(table.lines().any(|line| line.starts_with("pipe") && line.contains("supported")), "{table}");
}

#[test]
fn signals_are_listed_and_found() {
    let _leaks = Leaks::watch();
    let text = run(&mut unipc(&["signals"]));
    // The heading, and all but the two that the C library keeps for itself.
    assert_eq!(text.lines().count(), 1 + 62, "{text}");
    let term = text.lines().find(|line| line.contains("SIGTERM")).expect("it is there");
    assert!(term.starts_with("15") && term.contains("terminate") && term.contains("request to end"), "{term}");
    let one = run(&mut unipc(&["signals", "--json", "usr1", "SIGRTMIN+3"]));
    assert!(one.contains("\"SIGUSR1\"") && one.contains("\"SIGRTMIN+3\"") && !one.contains("SIGTERM"), "{one}");
    let wrong = output(&mut unipc(&["signals", "SIGNOTHING"]));
    assert_eq!(wrong.status.code(), Some(2));
}
