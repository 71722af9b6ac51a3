//! Finds what a test has left behind: descriptors, shared mappings, names, children and threads.
//!
//! Other tests of the same process would be seen too, so whoever watches waits for whoever watches already; every test of a program that uses
//! the fixture begins with it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

static WATCHING: Mutex<()> = Mutex::new(());

/// How long something may take to go by itself: a thread that has been told to end, a child that was killed, a name of another program.
const PATIENCE: Duration = Duration::from_secs(10);

/// Watches from its making until its drop, which panics if there is more than before.
#[derive(Debug)]
pub struct Leaks {
    before: Held,
    name: String,
    patience: Duration,
    _alone: MutexGuard<'static, ()>,
}

/// The name of the thread that watches, and so of those that it starts. The harness names threads after their tests, and cuts long names short: of two
/// tests that begin alike, the second may wait for its turn already.
const WATCHER: &str = "watcher";

fn rename(name: &str) {
    // Cannot fail for the thread itself.
    let _ = std::fs::write("/proc/thread-self/comm", name);
}

impl Leaks {
    /// Looks at what this process holds now.
    pub fn watch() -> Leaks {
        Leaks::watch_with(PATIENCE)
    }

    /// The same, and what there is more is told after so long.
    pub fn watch_with(patience: Duration) -> Leaks {
        let alone = WATCHING.lock().unwrap_or_else(PoisonError::into_inner);
        let name = std::fs::read_to_string("/proc/thread-self/comm").unwrap_or_default();
        rename(WATCHER);
        Leaks { before: Held::now(), name, patience, _alone: alone }
    }
}

impl Drop for Leaks {
    fn drop(&mut self) {
        if std::thread::panicking() {
            rename(&self.name);
            return;
        }
        let start = Instant::now();
        let mut extra = Held::now().more_than(&self.before);
        while !extra.is_empty() && start.elapsed() < self.patience {
            std::thread::sleep(Duration::from_millis(5));
            extra = Held::now().more_than(&self.before);
        }
        rename(&self.name);
        assert!(extra.is_empty(), "left behind: {extra:#?}");
    }
}

/// What a process holds: a line for each thing, and how many of it there are.
#[derive(Debug)]
struct Held(BTreeMap<String, usize>);

impl Held {
    fn now() -> Held {
        let mut held = Held(BTreeMap::new());
        held.add("descriptor", descriptors());
        held.add("shared mapping", shared_mappings());
        held.add("name", names("/dev/shm").into_iter().filter(|name| !is_of_another_run(name)));
        let own = format!("-{}-", std::process::id());
        let is_own = |name: &String| name.contains("unipc") && name.contains(&own);
        held.add("name", names(&std::env::temp_dir().to_string_lossy()).into_iter().filter(is_own));
        held.add("process", children());
        held.0.insert("threads".to_owned(), threads());
        held
    }

    fn add(&mut self, kind: &str, things: impl IntoIterator<Item = String>) {
        for thing in things {
            *self.0.entry(format!("{kind} {thing}")).or_default() += 1;
        }
    }

    fn more_than(&self, before: &Held) -> Vec<String> {
        let more = self.0.iter().filter(|(thing, count)| **count > before.0.get(*thing).copied().unwrap_or(0));
        more.map(|(thing, count)| format!("{thing} ({count}, {} before)", before.0.get(thing).copied().unwrap_or(0))).collect()
    }
}

fn descriptors() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let targets = entries.flatten().filter_map(|entry| {
        let target = std::fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned();
        Some(format!("{} -> {target}", entry.file_name().to_string_lossy()))
    });
    // The descriptor that lists them is none of the test's.
    targets.filter(|line| !line.ends_with(&format!("/proc/{}/fd", std::process::id()))).collect()
}

/// The threads that this one has started, and theirs: a thread inherits the name of the one that starts it.
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    tasks.filter(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim_end() == WATCHER)).count()
}

fn shared_mappings() -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let shared = maps.lines().filter(|line| line.split_whitespace().nth(1).is_some_and(|rights| rights.ends_with('s')));
    shared.map(|line| line.split_whitespace().skip(4).collect::<Vec<_>>().join(" ")).collect()
}

/// Whether a name carries the number of a living process that is not this one, as the names of tests do: what others do at the same time is their
/// affair.
fn is_of_another_run(name: &str) -> bool {
    let numbers = name.split(|character: char| !character.is_ascii_digit()).filter_map(|digits| digits.parse::<u32>().ok());
    numbers
        .filter(|number| *number > 1 && *number != std::process::id())
        .any(|number| std::path::Path::new("/proc").join(number.to_string()).exists())
}

fn names(directory: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path().to_string_lossy().into_owned()).collect()
}

fn children() -> Vec<String> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let lists = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}
