//! The first word of every object in the user's memory: what it is, and who may use it.
//!
//! Zero means never used. Whoever comes first claims the object for its kind, ABI and pid namespace; everybody else compares. The claim takes
//! two steps, since the C library's part must be set up between them, and each step can be repeated by anyone, so that it does not matter who is
//! killed where.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Failure, Result};
use crate::process::{inline_namespace, known_pid_namespace, pid_namespace};

/// The pid namespace of processes that cannot tell theirs.
const UNKNOWN_NAMESPACE: u32 = 1;

/// Of which C library and word size the object's inner parts are.
const ABI: u64 = {
    let libc = if cfg!(target_env = "gnu") {
        1
    } else if cfg!(target_env = "musl") {
        2
    } else {
        3
    };
    let order = if cfg!(target_endian = "big") { 1 << 7 } else { 0 };
    libc | (size_of::<usize>() as u64 * 4) | order
};

const READY: u64 = 1;

/// The kinds of objects. The numbers stand in shared memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Mutex = 1,
    Semaphore = 2,
    RecoveringSemaphore = 3,
    Spinlock = 4,
    Event = 5,
    AutomaticEvent = 6,
    RwLock = 7,
    Condvar = 8,
    Barrier = 9,
}

impl Kind {
    /// Whether owners are told by thread or process numbers, which mean something in one namespace only.
    fn has_owners(self) -> bool {
        !matches!(self, Kind::Semaphore | Kind::Event | Kind::AutomaticEvent | Kind::Condvar)
    }

    /// Which layout of the kind this library knows. Semaphores: 2 since value and sleepers are one word.
    #[inline(always)]
    const fn version(self) -> u64 {
        match self {
            Kind::Semaphore | Kind::RecoveringSemaphore => 2,
            _ => 1,
        }
    }

    /// The lower half of the word of a ready object.
    #[inline(always)]
    const fn ready(self) -> u64 {
        ABI << 24 | (self as u64) << 16 | self.version() << 8 | READY
    }

    fn name(number: u64) -> &'static str {
        match number {
            1 => "a mutex",
            2 => "a semaphore",
            3 => "a recovering semaphore",
            4 => "a spinlock",
            5 => "a manual-reset event",
            6 => "an automatic-reset event",
            7 => "a reader-writer lock",
            8 => "a condition variable",
            9 => "a barrier",
            _ => "no object of this library",
        }
    }
}

/// namespace 32 | ABI 8 | kind 8 | layout version 8 | ready 8
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Identity(AtomicU64);

impl Identity {
    pub(super) const fn unused() -> Identity {
        Identity(AtomicU64::new(0))
    }

    fn word(kind: Kind) -> u64 {
        let namespace = if kind.has_owners() { pid_namespace() } else { 0 };
        u64::from(namespace) << 32 | (kind.ready() & !READY)
    }

    /// Whether the object, of a kind that has no owners, is set up: a comparison with a constant.
    #[inline(always)]
    pub(super) fn is_ready_for_anyone(&self, kind: Kind) -> bool {
        self.0.load(Ordering::Acquire) == kind.ready()
    }

    /// Whether the object, of a kind whose owners need nothing of the C library, is set up for us; `false` also if this process has not asked yet
    /// which pid namespace it lives in.
    #[inline(always)]
    pub(super) fn is_ready_here(&self, kind: Kind) -> bool {
        self.0.load(Ordering::Acquire) == known_pid_namespace() | kind.ready()
    }

    /// Whether the object is set up for us, and this process has [allowed](crate::process::allow_inline) itself the inline path.
    #[inline(always)]
    pub(super) fn is_ready_inline(&self, kind: Kind) -> bool {
        self.0.load(Ordering::Acquire) == inline_namespace() | kind.ready()
    }

    /// Whether the object is set up for us.
    pub(super) fn is_ready(&self, kind: Kind) -> bool {
        self.0.load(Ordering::Acquire) == Identity::word(kind) | READY
    }

    /// Whether nobody has used the object yet.
    pub(super) fn is_unused(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }

    /// Claims an unused object, runs `set_up`, which must be repeatable, and declares the object ready. Refuses another's.
    pub(super) fn claim(&self, kind: Kind, operation: &'static str, set_up: impl FnOnce()) -> Result<()> {
        let own = Identity::word(kind);
        let found = match self.0.compare_exchange(0, own, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => own,
            Err(found) => found,
        };
        compare(found & !READY, own, operation)?;
        if found & READY == 0 {
            set_up();
            // Fails when another has done it in the meantime, which is as good.
            let _ = self.0.compare_exchange(found, found | READY, Ordering::AcqRel, Ordering::Acquire);
        }
        Ok(())
    }

    /// Takes the object out of use while it is written anew.
    pub(super) fn clear(&self) {
        self.0.store(0, Ordering::Release);
    }
}

fn compare(found: u64, own: u64, operation: &'static str) -> Result<()> {
    let incompatible = |remedy: String| Err(Error::failure(operation, Failure::Incompatible).hint(remedy));
    let field = |word: u64, shift: u32| word >> shift & 0xff;
    if field(found, 16) == field(own, 16) && field(found, 8) != field(own, 8) {
        return incompatible("it was made by another version of this library".into());
    }
    if field(found, 16) != field(own, 16) {
        let (found, own) = (Kind::name(field(found, 16)), Kind::name(field(own, 16)));
        return incompatible(format!("{found} stands here, not {own}; memory must be zero before its first use"));
    }
    if field(found, 24) != field(own, 24) {
        return incompatible("it was made by a program of another C library or word size".into());
    }
    let (theirs, ours) = ((found >> 32) as u32, (own >> 32) as u32);
    if theirs != ours && theirs != UNKNOWN_NAMESPACE && ours != UNKNOWN_NAMESPACE {
        return incompatible(format!("its owners live in pid namespace {theirs}, this process in {ours}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_and_a_namespace_are_refused_to_others() {
        let identity = Identity::unused();
        identity.claim(Kind::Mutex, "lock", || ()).unwrap();
        assert!(identity.is_ready(Kind::Mutex));
        let error = identity.claim(Kind::Semaphore, "wait", || ()).unwrap_err();
        assert!(error.is_failure(Failure::Incompatible), "{error}");
        let elsewhere = Identity(AtomicU64::new(identity.0.load(Ordering::Relaxed) ^ 7 << 32));
        let error = elsewhere.claim(Kind::Mutex, "lock", || ()).unwrap_err();
        assert!(error.to_string().contains("namespace"), "{error}");
        let other_libc = Identity(AtomicU64::new(identity.0.load(Ordering::Relaxed) ^ 1 << 24));
        assert!(other_libc.claim(Kind::Mutex, "lock", || ()).unwrap_err().to_string().contains("C library"));
        let other_layout = Identity(AtomicU64::new(identity.0.load(Ordering::Relaxed) ^ 8 << 8));
        assert!(other_layout.claim(Kind::Mutex, "lock", || ()).unwrap_err().to_string().contains("version"));
    }

    #[test]
    fn a_claim_that_was_killed_half_way_is_finished_by_the_next() {
        let identity = Identity(AtomicU64::new(Identity::word(Kind::Mutex)));
        assert!(!identity.is_ready(Kind::Mutex));
        let mut set_up = false;
        identity.claim(Kind::Mutex, "lock", || set_up = true).unwrap();
        assert!(set_up && identity.is_ready(Kind::Mutex));
        // Also that of one that could not tell its namespace.
        let word = Identity::word(Kind::Mutex);
        let identity = Identity(AtomicU64::new(u64::from(UNKNOWN_NAMESPACE) << 32 | word & 0xffff_ffff));
        let mut count = 0;
        for _ in 0..2 {
            identity.claim(Kind::Mutex, "lock", || count += 1).unwrap();
        }
        assert_eq!(count, 1);
    }
}
