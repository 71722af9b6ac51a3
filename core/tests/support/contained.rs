//! Tests that leave nothing behind.
//!
//! The work runs in a process of its own, so that other tests do not disturb the count, and so that it may change its umask, its user, its limits
//! and its mounts.

use std::collections::BTreeSet;
use std::io::Write;

use super::process::Child;

/// Longer than any test takes; a hang ends with SIGALRM.
const LIMIT_IN_SECONDS: u32 = 120;

/// The status of a child that has more than it had before.
pub const LEFT_BEHIND: i32 = 102;

/// Gives the names of a test's objects, which nobody else uses.
#[derive(Clone)]
pub struct Names {
    prefix: String,
    owner: u32,
}

impl Names {
    /// A name for an object.
    pub fn name(&self, label: &str) -> String {
        format!("{}{label}", self.prefix)
    }

    /// Where the object of that name is.
    pub fn path(&self, label: &str) -> String {
        format!("/dev/shm/{}", self.name(label))
    }

    /// A key of a System V object, of which a test may have 16.
    pub fn key(&self, number: u8) -> i32 {
        (0x55 << 24 | (self.owner & 0xf_ffff) << 4 | u32::from(number & 15)) as i32
    }

    /// The System V segments that this test has made.
    pub fn segments(&self) -> BTreeSet<String> {
        let text = std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
        let own = self.owner.to_string();
        let is_own = |line: &&str| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let key = fields.first().and_then(|key| key.parse::<i32>().ok()).unwrap_or(0);
            key & !15 == self.key(0) || fields.get(4) == Some(&own.as_str())
        };
        text.lines().skip(1).filter(is_own).map(str::to_owned).collect()
    }

    /// What there is in `/dev/shm` of this test, names for the time being included.
    pub fn present(&self) -> BTreeSet<String> {
        let for_now = format!(".unipc-{:x}-", std::process::id());
        let entries = std::fs::read_dir("/dev/shm").expect("/dev/shm");
        entries
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name in UTF-8"))
            .filter(|name| name.contains(&self.prefix) || name.starts_with(&for_now))
            .collect()
    }
}

/// What a process has that it could leak.
#[derive(Debug, PartialEq, Eq)]
struct Possessions {
    descriptors: BTreeSet<String>,
    shared_mappings: Vec<String>,
    threads: usize,
    names: BTreeSet<String>,
    segments: BTreeSet<String>,
}

impl Possessions {
    fn count(names: &Names) -> Possessions {
        // The descriptor of the listing itself is gone, so reading its link fails.
        let descriptors = std::fs::read_dir("/proc/self/fd")
            .expect("/proc/self/fd")
            .map(|entry| entry.expect("a descriptor").path())
            .collect::<Vec<_>>()
            .into_iter()
            .filter_map(|path| Some(format!("{} {}", path.display(), std::fs::read_link(&path).ok()?.display())))
            .collect();
        let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc/self/maps");
        let shared = |line: &&str| line.split(' ').nth(1).is_some_and(|permissions| permissions.ends_with('s'));
        Possessions {
            descriptors,
            shared_mappings: maps.lines().filter(shared).map(str::to_owned).collect(),
            threads: std::fs::read_dir("/proc/self/task").expect("/proc/self/task").count(),
            names: names.present(),
            segments: names.segments(),
        }
    }
}

/// Runs `work` in a child, and fails if it panics, dies, or has more descriptors, shared mappings, threads, children or names than before.
pub fn contained(work: impl FnOnce(&Names)) {
    assert_eq!(outcome(work, true), 0, "see above");
}

/// What `contained` judges by: 0, [`LEFT_BEHIND`], 101 for a panic, minus the signal for a death. `tell` says what it was on stderr.
pub fn outcome(work: impl FnOnce(&Names), tell: bool) -> i32 {
    let child = Child::fork(|| {
        // The harness's capture ends with this process: tell it on the real stderr.
        std::panic::set_hook(Box::new(|panic| drop(writeln!(std::io::stderr(), "{panic}"))));
        // SAFETY: alarm takes an integer; its signal ends this child alone.
        unsafe { libc::alarm(LIMIT_IN_SECONDS) };
        let names = Names { prefix: format!("unipc-test-{}-", std::process::id()), owner: std::process::id() };
        let before = Possessions::count(&names);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&names)));
        let after = Possessions::count(&names);
        for name in names.present() {
            let path = format!("/dev/shm/{name}");
            let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir(&path));
        }
        if outcome.is_err() {
            return 101;
        }
        // SAFETY: asks for children without waiting; NULL is no place for a status.
        let has_children = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } != -1;
        if before == after && !has_children {
            return 0;
        }
        if tell {
            let _ = writeln!(std::io::stderr(), "left behind: children: {has_children}\n{before:#?}\n{after:#?}");
        }
        LEFT_BEHIND
    });
    child.wait()
}

/// Says on the real stderr why a test has not looked.
pub fn not_looked(reason: &str) {
    let _ = writeln!(std::io::stderr(), "NOT TESTED: {reason}");
}

/// Gives this process a view of the file system that it can change; false where the system does not let it.
pub fn own_mounts() -> bool {
    // SAFETY: unshare takes integers.
    let has_own = unsafe { libc::unshare(libc::CLONE_NEWNS) } == 0 || become_root_of_a_namespace();
    if !has_own {
        not_looked("this system gives no mount namespace");
        return false;
    }
    let none = std::ptr::null();
    // SAFETY: the strings are NUL-terminated literals; NULL stands for what does not apply.
    let result = unsafe { libc::mount(c"none".as_ptr(), c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) };
    assert_eq!(result, 0, "mount: {}", std::io::Error::last_os_error());
    true
}

/// Who is not root can be it in a user namespace, where the system allows that.
fn become_root_of_a_namespace() -> bool {
    // SAFETY: these take integers or nothing.
    let (user, group, result) = unsafe { (libc::geteuid(), libc::getegid(), libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS)) };
    let write = |file: &str, text: String| std::fs::write(format!("/proc/self/{file}"), text).is_ok();
    result == 0
        && write("setgroups", "deny".to_owned())
        && write("uid_map", format!("0 {user} 1"))
        && write("gid_map", format!("0 {group} 1"))
}

/// Puts an empty file system in memory over a directory, for this process alone.
pub fn mount_memory(directory: &std::ffi::CStr, options: &std::ffi::CStr) {
    // SAFETY: all strings are NUL-terminated and live through the call.
    let result = unsafe { libc::mount(c"tmpfs".as_ptr(), directory.as_ptr(), c"tmpfs".as_ptr(), 0, options.as_ptr().cast()) };
    assert_eq!(result, 0, "mount: {}", std::io::Error::last_os_error());
}

/// Whether this process may give files to other users; says so if not.
pub fn is_root() -> bool {
    // SAFETY: geteuid always succeeds.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        not_looked("this needs root");
    }
    root
}
