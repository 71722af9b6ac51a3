//! Processes: children that run another program, pipelines of them, and which process this is.
//!
//! [`Command`] starts a child with exactly the descriptors that are named for it, [`Pipeline`] several with pipes between them;
//! [`ProcessExit`](crate::event::ProcessExit) waits for the end.
//!
//! A handle that was made before `fork` may find itself in the child. `getpid` cannot tell: it costs a system call, and a number can come again.
//! A page that the kernel wipes in the child (`MADV_WIPEONFORK`) can: a zero where a mark was means "forked since", also after a raw `clone`.
//!
//! [madvise(2)](https://man7.org/linux/man-pages/man2/madvise.2.html), [pid_namespaces(7)](https://man7.org/linux/man-pages/man7/pid_namespaces.7.html)

mod pipeline;
mod spawn;

use std::cell::Cell;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

pub use pipeline::Pipeline;
pub use spawn::Command;

use crate::error::{Error, Failure, Result};

/// What stands in the wiped page. All of it is zero in a fresh child.
#[repr(C)]
struct Wiped {
    /// Non-zero; different in every process of a line of forks.
    mark: AtomicU64,
    /// The inode number of the pid namespace, once asked for.
    pid_namespace: AtomicU32,
    /// What `/proc` is worth, as a [`Procfs`], once asked for; else 0.
    procfs: AtomicU32,
    /// This process as a [`ProcessId`] word, once asked for.
    own: AtomicU64,
    /// See [`inline_namespace`].
    inline_namespace: AtomicU64,
}

impl Wiped {
    const fn zeroed() -> Wiped {
        Wiped {
            mark: AtomicU64::new(0),
            pid_namespace: AtomicU32::new(0),
            procfs: AtomicU32::new(0),
            own: AtomicU64::new(0),
            inline_namespace: AtomicU64::new(0),
        }
    }
}

/// Counts forks along a line of processes; outside the wiped page, so that a child continues where its parent was.
static LAST_MARK: AtomicU64 = AtomicU64::new(0);

/// Stands for the page before there is one, and stays zero.
static NOT_MAPPED: Wiped = Wiped::zeroed();

/// Where there is no memory for the page, or the kernel is older than 4.14, an ordinary static serves, and a child takes itself for its parent.
static FALLBACK: Wiped = Wiped::zeroed();

static PAGE: AtomicPtr<Wiped> = AtomicPtr::new((&raw const NOT_MAPPED).cast_mut());

/// The page if there is one, for those who only compare, and take a zero for "find out".
#[inline]
fn page() -> &'static Wiped {
    // SAFETY: always points to a `Wiped` that lives for ever and is only used through atomics.
    unsafe { &*PAGE.load(Ordering::Acquire) }
}

/// The page. Two threads may map one at the same time, and one is given back: no lock, which a thread could hold while another forks, and which
/// nobody would release in the child.
fn wiped() -> &'static Wiped {
    if std::ptr::eq(page(), &NOT_MAPPED) {
        let mapped = map_wiped_page();
        let own = std::ptr::from_ref(mapped).cast_mut();
        let none = (&raw const NOT_MAPPED).cast_mut();
        if PAGE.compare_exchange(none, own, Ordering::AcqRel, Ordering::Acquire).is_err() && !std::ptr::eq(mapped, &FALLBACK) {
            // SAFETY: nobody else has seen this page.
            unsafe { libc::munmap(own.cast(), SIZE) };
        }
    }
    page()
}

const SIZE: usize = 4096;

fn map_wiped_page() -> &'static Wiped {
    // SAFETY: a fresh private anonymous mapping, at an address of the kernel's choice, disturbs nothing.
    let page = unsafe {
        libc::mmap(std::ptr::null_mut(), SIZE, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
    };
    if page == libc::MAP_FAILED {
        return &FALLBACK;
    }
    // SAFETY: the page is ours alone, and nothing lives in it yet.
    if unsafe { libc::madvise(page, SIZE, libc::MADV_WIPEONFORK) } != 0 {
        // SAFETY: as above; it is given back unused.
        unsafe { libc::munmap(page, SIZE) };
        return &FALLBACK;
    }
    // SAFETY: the page is zeroed, which is a valid `Wiped`, aligned, large enough, and never unmapped; it is only used through atomics.
    unsafe { &*page.cast::<Wiped>() }
}

/// The process that made a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Birth(u64);

impl Birth {
    /// This process, now.
    pub(crate) fn now() -> Birth {
        let wiped = wiped();
        let mark = wiped.mark.load(Ordering::Relaxed);
        if mark != 0 {
            return Birth(mark);
        }
        let fresh = LAST_MARK.fetch_add(1, Ordering::Relaxed) + 1;
        match wiped.mark.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Birth(fresh),
            Err(other_thread) => Birth(other_thread),
        }
    }

    /// The mark as a word, for tables of atomics; never zero.
    pub(crate) fn mark(self) -> u64 {
        self.0
    }

    /// The process of a mark.
    pub(crate) fn of_mark(mark: u64) -> Birth {
        Birth(mark)
    }

    /// Whether this still is the process that made the handle. Async-signal-safe once any handle was made.
    pub(crate) fn is_here(self) -> bool {
        wiped().mark.load(Ordering::Relaxed) == self.0
    }

    /// Refuses the use of a handle in a child made by `fork`.
    pub(crate) fn check(self, operation: &'static str) -> Result<()> {
        if self.is_here() { Ok(()) } else { Err(Error::failure(operation, Failure::Forked)) }
    }
}

/// The inode number of the pid namespace that this process lives in; 1 where /proc does not tell.
///
/// Thread and process numbers mean something only within one namespace.
pub(crate) fn pid_namespace() -> u32 {
    let known = &wiped().pid_namespace;
    match known.load(Ordering::Relaxed) {
        0 => {
            let number = read_pid_namespace().unwrap_or(1);
            known.store(number, Ordering::Relaxed);
            number
        }
        number => number,
    }
}

/// The pid namespace in the upper half of a word, as it stands in shared objects, if this process has allowed itself the inline paths of objects
/// that are bound to one; else 0, which no namespace has.
///
/// Two loads. A fresh child starts with 0, so that what it inherited is never taken for its own namespace.
#[inline]
pub(crate) fn inline_namespace() -> u64 {
    page().inline_namespace.load(Ordering::Relaxed)
}

/// The pid namespace in the upper half of a word, as it stands in shared objects, if this process has asked for it; else 0, which no namespace has.
#[inline]
pub(crate) fn known_pid_namespace() -> u64 {
    u64::from(page().pid_namespace.load(Ordering::Relaxed)) << 32
}

/// Allows this process the inline paths.
pub(crate) fn allow_inline() {
    wiped().inline_namespace.store(u64::from(pid_namespace()) << 32, Ordering::Relaxed);
}

fn read_pid_namespace() -> Option<u32> {
    let link = std::fs::read_link("/proc/self/ns/pid").ok()?;
    link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok()
}

/// A process as its holder record names it: the number, and when it started, so that a number that comes again is not mistaken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessId {
    pub(crate) number: u32,
    /// The low 32 bits of the start time in clock ticks since boot.
    pub(crate) started: u32,
}

/// The start time of a process whose /proc could not be read, or does not count from where others count.
const UNKNOWN_START: u32 = u32::MAX;

/// What this process can learn from `/proc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Procfs {
    /// Its numbers are ours, and its times everybody's.
    Whole = 1,
    /// Its numbers are ours; its times are those of a time namespace, which other processes of the same pid namespace may not be in.
    OtherTimes = 2,
    /// It belongs to an outer pid namespace: its numbers mean others.
    OtherNumbers = 3,
}

impl Procfs {
    /// `None` if it cannot be asked, now or at all.
    fn here() -> Option<Procfs> {
        let known = &wiped().procfs;
        match known.load(Ordering::Relaxed) {
            0 => {
                let found = Procfs::look()?;
                known.store(found as u32, Ordering::Relaxed);
                Some(found)
            }
            1 => Some(Procfs::Whole),
            2 => Some(Procfs::OtherTimes),
            _ => Some(Procfs::OtherNumbers),
        }
    }

    fn look() -> Option<Procfs> {
        /// The kernel gives its first time namespace this inode number.
        const FIRST: &str = "time:[4026531834]";
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        // The process's numbers from the namespace of this /proc inwards. A kernel without namespaces tells none.
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).map_or(1, |line| line.split_ascii_whitespace().count());
        if numbers != 1 {
            return Some(Procfs::OtherNumbers);
        }
        // Before Linux 5.6 there is one time for all.
        let times = std::fs::read_link("/proc/self/ns/time").ok();
        Some(if times.is_none_or(|link| link.as_os_str() == FIRST) { Procfs::Whole } else { Procfs::OtherTimes })
    }
}

/// Whether the numbers in `/proc` are ours: it may have been mounted in an outer pid namespace, where this process has another number besides.
pub(crate) fn procfs_is_of_our_namespace() -> bool {
    Procfs::here().is_some_and(|procfs| procfs != Procfs::OtherNumbers)
}

/// Whether two start times are those of different processes: both must be known.
fn differ(started: u32, other: u32) -> bool {
    started != other && started != UNKNOWN_START && other != UNKNOWN_START
}

impl ProcessId {
    /// This process.
    pub(crate) fn own() -> ProcessId {
        let known = &wiped().own;
        match known.load(Ordering::Relaxed) {
            0 => {
                let number = std::process::id();
                let own = ProcessId { number, started: read_process(number).map_or(UNKNOWN_START, |process| process.started) };
                known.store(own.word(), Ordering::Relaxed);
                own
            }
            word => ProcessId::from_word(word),
        }
    }

    /// A process of which nothing but the number is known.
    pub(crate) fn of_number(number: u32) -> ProcessId {
        ProcessId { number, started: UNKNOWN_START }
    }

    /// The process as one word, never zero.
    pub(crate) fn word(self) -> u64 {
        u64::from(self.number) << 32 | u64::from(self.started)
    }

    pub(crate) fn from_word(word: u64) -> ProcessId {
        ProcessId { number: (word >> 32) as u32, started: word as u32 }
    }

    /// Whether the process certainly does not run any more. A zombie with no thread left is dead.
    pub(crate) fn is_dead(self) -> bool {
        match read_process(self.number) {
            Some(process) => process.is_over || differ(process.started, self.started),
            None => !exists(self.number),
        }
    }
}

/// A thread as the owner record of an object in shared memory names it: never zero, and its three highest bits are free for the object's use.
///
/// The upper half is the thread's number, which no other thread or process of the pid namespace has, and which is less than 2^22; the lower when it
/// started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThreadId(u64);

thread_local! {
    /// The mark of the process that looked, and what it found.
    static THREAD: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

impl ThreadId {
    /// The calling thread. The first call in a thread, and in a fresh child, reads /proc.
    #[inline]
    pub(crate) fn own() -> ThreadId {
        ThreadId::known().map_or_else(ThreadId::find_out, ThreadId)
    }

    /// The calling thread, if it has been found out before: a few instructions that cannot panic.
    #[inline]
    pub(crate) fn known() -> Option<u64> {
        let (mark, word) = THREAD.get();
        (mark != 0 && mark == page().mark.load(Ordering::Relaxed)).then_some(word)
    }

    #[cold]
    fn find_out() -> ThreadId {
        // SAFETY: gettid has no preconditions.
        let number = unsafe { libc::gettid() } as u32;
        let own = ProcessId { number, started: read_process(number).map_or(UNKNOWN_START, |thread| thread.started) }.word();
        THREAD.set((Birth::now().mark(), own));
        ThreadId(own)
    }

    pub(crate) fn word(self) -> u64 {
        self.0
    }

    pub(crate) fn from_word(word: u64) -> ThreadId {
        ThreadId(word)
    }

    /// Whether the thread certainly does not run any more.
    pub(crate) fn is_dead(self) -> bool {
        let ProcessId { number, started } = ProcessId::from_word(self.0);
        match read_process(number) {
            Some(thread) => thread.has_exited || differ(thread.started, started),
            None => !exists(number),
        }
    }
}

struct ProcessStatus {
    started: u32,
    /// The thread of this number has come to its end, whatever the others of its process do.
    has_exited: bool,
    is_over: bool,
}

/// What `/proc/N/stat` says: [proc_pid_stat(5)](https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html).
fn read_process(number: u32) -> Option<ProcessStatus> {
    let procfs = Procfs::here().filter(|procfs| *procfs != Procfs::OtherNumbers)?;
    let text = std::fs::read(format!("/proc/{number}/stat")).ok()?;
    // The name in parentheses may hold anything, parentheses too: the fields start behind the last one.
    let behind_name = text.iter().rposition(|byte| *byte == b')')? + 1;
    let fields: Vec<&str> = std::str::from_utf8(&text[behind_name..]).ok()?.split_ascii_whitespace().collect();
    let state = fields.first()?;
    let threads: u32 = fields.get(17)?.parse().ok()?;
    let started: u64 = fields.get(19)?.parse().ok()?;
    // A leader that has exited is a zombie while its other threads go on.
    let has_exited = matches!(*state, "Z" | "X" | "x");
    let started = if procfs == Procfs::Whole { started as u32 } else { UNKNOWN_START };
    Some(ProcessStatus { started, has_exited, is_over: has_exited && threads <= 1 })
}

fn exists(number: u32) -> bool {
    // SAFETY: signal 0 is only a question.
    let result = unsafe { libc::kill(number as libc::pid_t, 0) };
    result == 0 || nix::errno::Errno::last() != nix::errno::Errno::ESRCH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_not_its_parent() {
        let birth = Birth::now();
        let own = ProcessId::own();
        allow_inline();
        assert_eq!(inline_namespace(), u64::from(pid_namespace()) << 32);
        assert!(birth.is_here());
        // SAFETY: the child only looks at atomics and leaves by _exit.
        match unsafe { libc::fork() } {
            0 => {
                let forked = !birth.is_here() && birth.check("use").is_err() && Birth::now() != birth && inline_namespace() == 0;
                // SAFETY: ends the child at once, without the parent's exit handlers.
                unsafe { libc::_exit(i32::from(!forked)) };
            }
            child => {
                assert!(child > 0);
                let mut status = -1;
                // SAFETY: the status is valid to write to; the child is ours.
                unsafe { libc::waitpid(child, &mut status, 0) };
                assert_eq!(status, 0);
                assert!(birth.is_here());
                assert_eq!(own, ProcessId::own());
                assert!(ProcessId { number: child as u32, started: own.started }.is_dead());
            }
        }
    }

    #[test]
    fn we_live_and_a_zombie_does_not() {
        let own = ProcessId::own();
        assert!(!own.is_dead());
        assert!(ProcessId { started: own.started.wrapping_sub(77), ..own }.is_dead());
        let mut child = std::process::Command::new("true").stdin(std::process::Stdio::null()).spawn().unwrap();
        let zombie = ProcessId { number: child.id(), started: UNKNOWN_START };
        let limit = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !zombie.is_dead() {
            assert!(std::time::Instant::now() < limit, "a zombie counts as alive");
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }

    #[test]
    fn a_thread_lives_until_its_end() {
        let own = ThreadId::own();
        assert_eq!(own, ThreadId::own());
        assert!(!own.is_dead());
        let other = std::thread::spawn(ThreadId::own).join().unwrap();
        assert_ne!(own, other);
        let limit = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !other.is_dead() {
            assert!(std::time::Instant::now() < limit, "a thread that is joined counts as alive");
            std::thread::yield_now();
        }
        assert!(!own.is_dead());
    }

    #[test]
    fn the_pid_namespace_has_a_number() {
        assert!(pid_namespace() > 1);
    }
}
