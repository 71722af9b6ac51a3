//! The measurement runs, in its shortest form, and its results have the shape that others read. No speed is asserted.

use std::process::Command;

use serde_json::Value;
use unipc_tests::{Leaks, TemporaryDirectory, libraries, output, python, run};

fn bench() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unipc-bench"));
    command.arg("--libraries").arg(&libraries().directory).arg("--smoke");
    command
}

const FIELDS: [&str; 13] =
    ["mechanism", "language", "size", "cores", "wait", "metric", "p50", "p99", "p999", "spread", "reference", "reference_p50", "ratio"];

fn check(row: &Value) {
    let fields = row.as_object().unwrap_or_else(|| panic!("{row}"));
    assert_eq!(fields.len(), FIELDS.len(), "{row}");
    assert!(FIELDS.iter().all(|name| fields.contains_key(*name)), "{row}");
    assert!(["c", "rust", "python"].contains(&row["language"].as_str().expect("text")), "{row}");
    let spins = ["spinlock", "spinlock-contended", "barrier"].contains(&row["mechanism"].as_str().expect("text"));
    assert_eq!(row["wait"], if spins { "spin" } else { "block" }, "{row}");
    assert!([1, 2].contains(&row["cores"].as_u64().expect("a number")), "{row}");
    assert!(["round_trip_ns", "messages_per_s", "ns_per_op"].contains(&row["metric"].as_str().expect("text")), "{row}");
    let has_python_calls = !NOT_IN_PYTHON.contains(&row["mechanism"].as_str().expect("text"));
    let is_beside_python = row["language"] == "python" && has_python_calls;
    assert!(row["reference"].as_str().expect("text").starts_with(if is_beside_python { "raw Python" } else { "raw C" }), "{row}");
    for name in ["p50", "p99", "p999", "reference_p50", "ratio"] {
        assert!(row[name].as_f64().expect("a number") > 0.0, "{name}: {row}");
    }
    let [own, reference, ratio] = ["p50", "reference_p50", "ratio"].map(|name| row[name].as_f64().expect("a number"));
    let expected = if row["metric"] == "messages_per_s" { reference / own } else { own / reference };
    assert!((ratio - expected).abs() <= 0.001 + expected / 100.0, "above 1 is slower: {row}");
    assert!(row["spread"].as_f64().expect("a number") >= 0.0, "{row}");
}

const MECHANISMS: &[&str] = &[
    "pipe",
    "fifo",
    "unix",
    "tcp",
    "datagram",
    "seqpacket",
    "udp",
    "mq",
    "sysv-queue",
    "mutex",
    "mutex-contended",
    "spinlock",
    "spinlock-contended",
    "rwlock-read",
    "rwlock-write",
    "file-lock",
    "semaphore",
    "posix-semaphore",
    "sysv-semaphore",
    "event",
    "condvar",
    "barrier",
    "futex",
    "eventfd",
    "poller",
    "signal",
    "fd-passing",
    "transfer",
    "timer",
    "spawn",
    "memory",
];

/// What Python has no calls of its own for.
const NOT_IN_PYTHON: &[&str] = &[
    "mq",
    "sysv-queue",
    "mutex",
    "mutex-contended",
    "spinlock",
    "spinlock-contended",
    "rwlock-read",
    "rwlock-write",
    "semaphore",
    "posix-semaphore",
    "sysv-semaphore",
    "event",
    "condvar",
    "barrier",
    "futex",
    "poller",
    "fd-passing",
    "transfer",
    "timer",
    "spawn",
    "memory",
];

/// Measures everything, and looks at everything that comes out.
fn measure_everything(command: &mut Command, languages: &[&str]) {
    let directory = TemporaryDirectory::new();
    let _leaks = Leaks::watch();
    let json = directory.path().join("bench.json");
    let table = run(command.arg("--json").arg(&json));
    let text = std::fs::read_to_string(&json).expect("the results are written");
    let results: Value = serde_json::from_str(&text).expect("the results are JSON");
    for name in ["cpu", "cores", "kernel", "date", "rustc", "cc", "python"] {
        assert!(results["machine"].get(name).is_some(), "{name}: {}", results["machine"]);
    }
    let rows = results["rows"].as_array().expect("rows are a list");
    rows.iter().for_each(check);
    for mechanism in MECHANISMS {
        assert!(table.lines().any(|line| line == *mechanism), "{mechanism}: {table}");
        for language in languages {
            assert!(rows.iter().any(|row| row["mechanism"] == *mechanism && row["language"] == *language), "{mechanism} {language}");
        }
    }
    // Streams and messages both ways, but UDP; locks; notices, some of them alone too; and what one process does alone.
    assert_eq!(rows.len(), languages.len() * (4 * 2 + 5 * 2 - 1 + 7 + 10 + 6 + 5), "{table}");
}

#[test]
fn every_mechanism_is_measured_in_every_language_and_nothing_is_left() {
    measure_everything(bench().arg("--python").arg(python()), &["c", "rust", "python"]);
}

#[test]
fn one_mechanism_as_a_page() {
    let directory = TemporaryDirectory::new();
    let page = run(bench().args(["--only", "mutex", "--markdown", "--json"]).arg(directory.path().join("bench.json")));
    assert!(page.starts_with("# Measured") && page.contains("make bench"), "{page}");
    assert!(page.contains("### mutex\n") && page.contains("### mutex-contended\n") && !page.contains("### pipe"), "{page}");
    assert!(page.contains("| what | size | cores | raw C | C ABI | ratio | Rust | ratio |"), "{page}");
}

#[test]
fn an_unknown_mechanism_is_an_error_that_lists_what_there_is() {
    let result = output(bench().args(["--only", "telepathy"]));
    let text = String::from_utf8_lossy(&result.stderr);
    assert!(!result.status.success() && text.contains("telepathy") && text.contains("posix-semaphore"), "{text}");
}
