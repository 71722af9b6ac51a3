//! Tests of message queues: each in an IPC namespace of its own, which has limits of its own to change, and which shows what was left behind.

use std::time::{Duration, Instant};

use super::contained::{contained, not_looked, own_mounts};

/// Where `/dev/mqueue` would be.
pub struct Place {
    directory: std::ffi::CString,
}

impl Place {
    /// Mounts the file system of the namespace's POSIX queues.
    pub fn mount() -> Place {
        let path = std::env::temp_dir().join(format!("unipc-test-mqueue-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        let directory = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: all strings are NUL-terminated and live through the call; no options are given.
        let result = unsafe { libc::mount(c"none".as_ptr(), directory.as_ptr(), c"mqueue".as_ptr(), 0, std::ptr::null()) };
        assert_eq!(result, 0, "mount: {}", std::io::Error::last_os_error());
        Place { directory }
    }

    /// The path of a queue.
    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory.to_str().unwrap())
    }

    /// What queues there are.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.to_str().unwrap()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // SAFETY: the path is NUL-terminated.
        unsafe { libc::umount2(self.directory.as_ptr(), libc::MNT_DETACH) };
        let _ = std::fs::remove_dir(self.directory.to_str().unwrap());
    }
}

/// The System V queues of the namespace: their lines in `/proc`.
pub fn sysv_queues() -> Vec<String> {
    let table = std::fs::read_to_string("/proc/sysvipc/msg").unwrap();
    table.lines().skip(1).map(str::to_owned).collect()
}

/// The semaphore sets of the namespace: their lines in `/proc`.
pub fn sysv_sets() -> Vec<String> {
    let table = std::fs::read_to_string("/proc/sysvipc/sem").unwrap();
    table.lines().skip(1).map(str::to_owned).collect()
}

/// Runs `work` in a process and an IPC namespace of its own, and fails if it panics, dies, or leaves a queue, a semaphore, a descriptor or a child behind.
pub fn in_own_namespace(work: impl FnOnce()) {
    super::waits::prepare();
    contained(|_| {
        if !own_mounts() {
            return;
        }
        // SAFETY: unshare takes integers.
        if unsafe { libc::unshare(libc::CLONE_NEWIPC) } != 0 {
            not_looked("this system gives no IPC namespace");
            return;
        }
        work();
        assert_eq!(Place::mount().names(), Vec::<String>::new());
        assert_eq!(sysv_queues(), Vec::<String>::new());
        assert_eq!(sysv_sets(), Vec::<String>::new());
    });
}

/// Sets a limit of the namespace, and gives what it was.
pub fn set_limit(limit: &str, value: u64) -> u64 {
    let path = format!("/proc/sys/{limit}");
    let before = std::fs::read_to_string(&path).unwrap().trim().parse().unwrap();
    std::fs::write(path, value.to_string()).unwrap();
    before
}

/// Becomes a user who is not root, and nobody of this system.
pub fn become_user(number: u32) {
    // SAFETY: these take integers, and no groups.
    let results =
        unsafe { (libc::setgroups(0, std::ptr::null()), libc::setresgid(number, number, number), libc::setresuid(number, number, number)) };
    assert_eq!(results, (0, 0, 0));
}

/// Lets a random time go by, up to this many microseconds, without sleeping longer than that.
pub fn random_time(seed: &mut u64, most: u64) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    let end = Instant::now() + Duration::from_micros(*seed % most);
    while Instant::now() < end {
        std::thread::yield_now();
    }
}
