//! The uncontended robust mutex without a call into the C library.
//!
//! When a thread dies, the kernel walks the thread's list of held mutexes and marks each. There is one list per thread, and it belongs to the C
//! library. But how an entry is linked is no secret: the kernel reads the pointers forward and the head, and get_robust_list(2) tells where the
//! head is. So the common case, a healthy plain mutex that is free, or held by the caller with nobody waiting, is done here, by the same stores in
//! the same order as in glibc. The mutex stays the C library's own: what is locked here is unlocked by `pthread_mutex_unlock` and the other way
//! round, and everything that is not the common case is left to it.
//!
//! The order that makes a death at any instruction harmless: the thread announces in the head which mutex it is about to change (`pending`),
//! changes lock word and list, and takes the announcement back. The kernel looks at the list and at the announced mutex, and marks those whose
//! lock word names the dead thread.
//!
//! * Locking: the lock word first, the list second. Until the word names the thread, the links are another's.
//! * Unlocking: the list first, the lock word second. Once the word is zero, the links are the next holder's.
//!
//! Nothing of this is believed unseen: [`is_understood`] locks and unlocks mutexes through the C library, compares every word with what is
//! assumed here, and says no at the first difference. Head and thread number are read where the C library itself reads them, in the
//! thread's descriptor, so that nothing can be out of date after `fork`.
//!
//! [The robust futex ABI](https://docs.kernel.org/locking/robust-futex-ABI.html),
//! [get_robust_list(2)](https://man7.org/linux/man-pages/man2/get_robust_list.2.html),
//! [PR_GET_TID_ADDRESS(2const)](https://man7.org/linux/man-pages/man2/PR_GET_TID_ADDRESS.2const.html)

use std::mem::offset_of;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicIsize, AtomicPtr, AtomicU8, AtomicU32, Ordering, compiler_fence};

use libc::{c_void, pthread_mutex_t};

use super::futex;
use super::mutex::MutexKind;
use super::native;

/// glibc's mutex on 64-bit systems.
#[repr(C)]
struct Fields {
    /// The thread that holds it, and [`WAITERS`].
    lock: AtomicU32,
    /// How often it is held: counts in recursive mutexes, and stays 1 in others.
    count: AtomicU32,
    /// The thread that holds it, or that the mutex is beyond repair.
    owner: AtomicU32,
    users: AtomicU32,
    kind: AtomicU32,
    other: AtomicU32,
    previous: AtomicPtr<c_void>,
    next: AtomicPtr<c_void>,
}

const _: () = assert!(size_of::<Fields>() == size_of::<pthread_mutex_t>() && align_of::<Fields>() <= align_of::<pthread_mutex_t>());

/// Robust, process-shared, and of the type `PTHREAD_MUTEX_NORMAL` by request, which glibc tells from the default.
const PLAIN: u32 = 16 | 128 | 512;
/// In the lock word: somebody sleeps.
const WAITERS: u32 = 1 << 31;

/// A place in the list. It points at the `next` of an entry, or at the head, which is the `next` of none. The pointer back stands right before
/// it. The lowest bit of a pointer forward tells the kernel that the entry is of the kind that inherits priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Node(*mut c_void);

impl Node {
    fn of(fields: &Fields) -> Node {
        // From the whole, not from the field: the pointer back is reached by it, too.
        Node(std::ptr::from_ref(fields).cast_mut().cast::<c_void>().wrapping_byte_add(offset_of!(Fields, next)))
    }

    fn entry(self) -> *mut AtomicPtr<c_void> {
        self.0.map_addr(|address| address & !1).cast()
    }

    /// # Safety
    /// The node is in the list of the calling thread.
    unsafe fn next<'a>(self) -> &'a AtomicPtr<c_void> {
        // SAFETY: the caller's promise. Nobody but the thread changes its list, and it only does so atomically here.
        unsafe { &*self.entry() }
    }

    /// # Safety
    /// As [`next`](Node::next).
    unsafe fn previous<'a>(self) -> &'a AtomicPtr<c_void> {
        // SAFETY: as above; the C library keeps the pointer back right before the pointer forward, in the head, too.
        unsafe { &*self.entry().sub(1) }
    }
}

/// The head of the calling thread's list, inside the C library's descriptor of the thread:
/// thread number, unused, pointer back, `next`, distance from a node to its lock word, `pending`.
#[derive(Clone, Copy)]
struct Head(*mut c_void);

const WORD: usize = size_of::<usize>();

impl Head {
    /// # Safety
    /// [`is_understood`] has said yes.
    #[inline(always)]
    unsafe fn own() -> Head {
        Head(thread_pointer().wrapping_byte_offset(OFFSET.load(Ordering::Relaxed)))
    }

    fn node(self) -> Node {
        Node(self.0)
    }

    /// # Safety
    /// The head is the calling thread's.
    #[inline(always)]
    unsafe fn thread(self) -> u32 {
        // SAFETY: the thread number stands two words before the head, as the test has seen. It is written when the thread starts, and in a
        // child when it is made.
        unsafe { self.0.byte_sub(2 * WORD).cast::<u32>().read_volatile() }
    }

    /// Says which mutex the thread is about to change, or NULL. Not moved over other accesses by the compiler: the kernel must find it as it was
    /// at the instruction at which the thread dies. The kernel looks in the thread's own context, so that no other order matters.
    ///
    /// # Safety
    /// The head is the calling thread's.
    #[inline(always)]
    unsafe fn announce(self, node: Node) {
        compiler_fence(Ordering::SeqCst);
        // SAFETY: the third word of the head, by the kernel's ABI.
        unsafe { AtomicPtr::from_ptr(self.0.byte_add(2 * WORD).cast::<*mut c_void>()) }.store(node.0, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
    }
}

const NOTHING: Node = Node(null_mut());

/// From the thread pointer to the head: one number for all threads, since both belong to the descriptor that the C library has of each.
static OFFSET: AtomicIsize = AtomicIsize::new(0);

#[inline(always)]
fn thread_pointer() -> *mut c_void {
    let pointer: *mut c_void;
    // SAFETY: reads a register. Not `pure`: a coroutine may go on in another thread. On x86-64 the first word of the descriptor is its address, by
    // the processor's ABI for thread-local storage.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!("mov {}, fs:0", out(reg) pointer, options(readonly, nostack, preserves_flags));
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    pointer
}

/// Locks if the mutex is plain, healthy and free. `false`: nothing has changed, ask the C library.
///
/// # Safety
/// `mutex` points to an initialised mutex, and [`is_understood`] has said yes.
#[inline(always)]
pub(super) unsafe fn lock(mutex: *mut pthread_mutex_t) -> bool {
    // SAFETY: the caller's promise; the mutex is only changed atomically, or by the C library.
    let (fields, head) = unsafe { (&*mutex.cast::<Fields>(), Head::own()) };
    if fields.kind.load(Ordering::Relaxed) != PLAIN {
        return false;
    }
    let node = Node::of(fields);
    // SAFETY: the head is the calling thread's. The first entry is the head itself or a mutex that the thread holds. Once the lock word names the
    // thread, the links are its own.
    unsafe {
        let thread = head.thread();
        head.announce(node);
        if fields.lock.compare_exchange(0, thread, Ordering::Acquire, Ordering::Relaxed).is_err() {
            head.announce(NOTHING);
            return false;
        }
        if fields.owner.load(Ordering::Relaxed) != 0 {
            return give_back(fields, head);
        }
        fields.count.store(1, Ordering::Relaxed);
        let first = Node(head.node().next().load(Ordering::Relaxed));
        first.previous().store(node.0, Ordering::Relaxed);
        fields.next.store(first.0, Ordering::Relaxed);
        fields.previous.store(head.0, Ordering::Relaxed);
        // The kernel may walk the list from here on: the entry is complete.
        compiler_fence(Ordering::SeqCst);
        head.node().next().store(node.0, Ordering::Relaxed);
        head.announce(NOTHING);
        fields.owner.store(thread, Ordering::Relaxed);
        fields.users.store(fields.users.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
    true
}

/// Unlocks if the mutex is plain, healthy, and held by the caller, with nobody waiting. `false`: nothing has changed, ask the C library.
///
/// # Safety
/// As [`lock`].
#[inline(always)]
pub(super) unsafe fn unlock(mutex: *mut pthread_mutex_t) -> bool {
    // SAFETY: the caller's promise; the mutex is only changed atomically, or by the C library.
    let (fields, head) = unsafe { (&*mutex.cast::<Fields>(), Head::own()) };
    // SAFETY: the head is the calling thread's.
    let thread = unsafe { head.thread() };
    let is_common = fields.lock.load(Ordering::Relaxed) == thread
        && fields.owner.load(Ordering::Relaxed) == thread
        && fields.kind.load(Ordering::Relaxed) == PLAIN;
    if !is_common {
        return false;
    }
    // SAFETY: as above. The lock word names the thread, so the mutex and its neighbours are in the thread's list.
    unsafe {
        head.announce(Node::of(fields));
        let (previous, next) = (Node(fields.previous.load(Ordering::Relaxed)), Node(fields.next.load(Ordering::Relaxed)));
        next.previous().store(previous.0, Ordering::Relaxed);
        previous.next().store(next.0, Ordering::Relaxed);
        // The kernel follows `next`: it is out of the list before it changes.
        compiler_fence(Ordering::SeqCst);
        fields.previous.store(null_mut(), Ordering::Relaxed);
        fields.next.store(null_mut(), Ordering::Relaxed);
        fields.owner.store(0, Ordering::Relaxed);
        fields.users.store(fields.users.load(Ordering::Relaxed).wrapping_sub(1), Ordering::Relaxed);
        if fields.lock.swap(0, Ordering::Release) & WAITERS != 0 {
            return wake(fields, head);
        }
        head.announce(NOTHING);
    }
    true
}

/// Undoes a lock that is not in the list yet: the mutex is beyond repair, which the C library shall say. Gives `false`.
///
/// # Safety
/// As [`Head::announce`]; the lock word names the calling thread.
#[cold]
#[inline(never)]
unsafe fn give_back(fields: &Fields, head: Head) -> bool {
    fields.lock.swap(0, Ordering::Release);
    // SAFETY: the caller's promise.
    !unsafe { wake(fields, head) }
}

/// A waiter came between the look at the lock word and the unlocking. Ends the announcement after the ring, and gives `true`: if the thread dies
/// between the two, the kernel rings.
///
/// # Safety
/// As [`Head::announce`].
#[cold]
#[inline(never)]
unsafe fn wake(fields: &Fields, head: Head) -> bool {
    futex::wake(&fields.lock, 1);
    // SAFETY: the caller's promise.
    unsafe { head.announce(NOTHING) };
    true
}

/// Whether the C library's robust mutexes and lists are what this module takes them for. A child inherits the answer, since it is about the C
/// library alone. Several threads may ask at the same time, without a lock that a child could inherit, too.
pub(super) fn is_understood() -> bool {
    const YES: u8 = 1;
    const NO: u8 = 2;
    static ANSWER: AtomicU8 = AtomicU8::new(0);
    match ANSWER.load(Ordering::Acquire) {
        0 => {
            let is_understood = try_out();
            ANSWER.store(if is_understood { YES } else { NO }, Ordering::Release);
            is_understood
        }
        answer => answer == YES,
    }
}

fn try_out() -> bool {
    let Some(head) = registered_head().filter(|_| !is_watched()) else { return false };
    OFFSET.store((head.0.addr() as isize).wrapping_sub(thread_pointer().addr() as isize), Ordering::Relaxed);
    // SAFETY: the kernel has said that this is the calling thread's head.
    unsafe { behaves_as_expected(head) }
}

/// Whether the calling thread has the list and the number that the C library believes it has: not so in a child made by a raw `clone`, of which
/// the C library does not know.
pub(super) fn is_registered() -> bool {
    // SAFETY: nothing is done with the head but to compare it.
    registered_head().is_some_and(|head| head.0 == unsafe { Head::own() }.0)
}

/// What the kernel knows of the calling thread: where its list begins, and where its number stands.
fn registered_head() -> Option<Head> {
    let (mut head, mut length, mut place) = (null_mut::<c_void>(), 0usize, null_mut::<c_void>());
    // SAFETY: the places are valid to write to; 0 is the calling thread. A kernel built without the second question fails.
    let (listed, placed) = unsafe {
        (
            libc::syscall(libc::SYS_get_robust_list, 0usize, &raw mut head, &raw mut length),
            libc::prctl(libc::PR_GET_TID_ADDRESS, &raw mut place, 0usize, 0usize, 0usize),
        )
    };
    if listed != 0 || placed != 0 || head.is_null() || length != 3 * WORD {
        return None;
    }
    // SAFETY: always succeeds.
    let descriptor = unsafe { libc::pthread_self() } as usize;
    const LARGEST_DESCRIPTOR: usize = 1 << 13;
    let inside = (2 * WORD..LARGEST_DESCRIPTOR).contains(&head.addr().wrapping_sub(descriptor));
    if !inside || place.addr() != head.addr() - 2 * WORD {
        return None;
    }
    // SAFETY: the kernel has registered three words of this thread here, and the number two words before them, in the same descriptor.
    let (distance, number) = unsafe { (head.cast::<isize>().add(1).read(), Head(head).thread()) };
    let to_lock_word = offset_of!(Fields, lock) as isize - offset_of!(Fields, next) as isize;
    // SAFETY: gettid always succeeds.
    let own = unsafe { libc::syscall(libc::SYS_gettid) } as u32;
    (distance == to_lock_word && number == own).then_some(Head(head))
}

/// Whether somebody stands between the program and the C library's mutexes, who would miss what is done here: the thread sanitizer.
fn is_watched() -> bool {
    // SAFETY: the name is NUL-terminated; nothing is done with the answer but to compare it with NULL.
    !unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__tsan_init".as_ptr()) }.is_null()
}

/// Holds three mutexes, one let go in the middle and taken again: first by the C library alone, and only if everything is as expected by both.
///
/// # Safety
/// The head is the calling thread's.
unsafe fn behaves_as_expected(head: Head) -> bool {
    let mutexes = [const { Fields::zeroed() }; 3];
    let natives = mutexes.each_ref().map(|fields| std::ptr::from_ref(fields).cast_mut().cast::<pthread_mutex_t>());
    // SAFETY: zero bytes, aligned, and not used by anybody else; and the head is this thread's, so its first entry is in its list.
    let first = unsafe {
        natives.iter().for_each(|native| native::set_kind(*native, MutexKind::Plain));
        Node(head.node().next().load(Ordering::Relaxed))
    };
    let by_library: [unsafe fn(*mut pthread_mutex_t) -> bool; 2] = [library_lock, library_unlock];
    let by_us: [unsafe fn(*mut pthread_mutex_t) -> bool; 2] = [lock, unlock];
    let ways = [(by_library, by_library), (by_library, by_us), (by_us, by_library), (by_us, by_us)];
    // SAFETY: the head is this thread's; the mutexes are initialised, and unlocked again in the end. The first way comes before those that rely on
    // the layout.
    ways.into_iter().all(|([take, _], [_, give])| unsafe { in_turn(head, first, &mutexes, natives, take, give) })
}

/// One round of [`behaves_as_expected`]; the outer two mutexes are the C library's, so that it is our neighbour on both sides.
///
/// # Safety
/// As there; `take` and `give` lock and unlock.
unsafe fn in_turn(
    head: Head,
    first: Node,
    [old, middle, new]: &[Fields; 3],
    natives: [*mut pthread_mutex_t; 3],
    take: unsafe fn(*mut pthread_mutex_t) -> bool,
    give: unsafe fn(*mut pthread_mutex_t) -> bool,
) -> bool {
    // SAFETY: the caller's promise. Every mutex is unlocked by the thread that holds it, whatever was found.
    unsafe {
        let is_list = |entries: &[&Fields]| is_list(head, first, entries);
        let thread = head.thread();
        let mut fine = is_list(&[]);
        fine &= library_lock(natives[0]) && is_list(&[old]) && old.is_held(thread);
        fine &= take(natives[1]) && is_list(&[middle, old]) && middle.is_held(thread);
        fine &= library_lock(natives[2]) && is_list(&[new, middle, old]) && new.is_held(thread);
        fine &= give(natives[1]) && is_list(&[new, old]) && middle.is_free();
        fine &= library_unlock(natives[2]) && is_list(&[old]) && new.is_free();
        fine &= take(natives[1]) && is_list(&[middle, old]) && middle.is_held(thread);
        fine &= library_unlock(natives[0]) && is_list(&[middle]) && old.is_free();
        fine &= give(natives[1]) && is_list(&[]) && middle.is_free();
        // After a difference some may still be held.
        for native in natives.into_iter().filter(|_| !fine) {
            library_unlock(native);
        }
        fine
    }
}

unsafe fn library_lock(mutex: *mut pthread_mutex_t) -> bool {
    // SAFETY: the caller passes an initialised mutex.
    unsafe { libc::pthread_mutex_trylock(mutex) == 0 }
}

unsafe fn library_unlock(mutex: *mut pthread_mutex_t) -> bool {
    // SAFETY: the caller passes an initialised mutex, which knows its holder.
    unsafe { libc::pthread_mutex_unlock(mutex) == 0 }
}

/// Whether the thread's list consists of these, the newest first, and then of what was there before; and nothing is announced.
///
/// # Safety
/// As [`behaves_as_expected`].
unsafe fn is_list(head: Head, first: Node, entries: &[&Fields]) -> bool {
    // SAFETY: only the head, the entries and the former first are looked into, all of the calling thread's list.
    unsafe {
        let mut last = head.node();
        for node in entries.iter().map(|entry| Node::of(entry)).chain([first]) {
            if last.next().load(Ordering::Relaxed) != node.0 || node.previous().load(Ordering::Relaxed) != last.0 {
                return false;
            }
            last = node;
        }
        head.0.byte_add(2 * WORD).cast::<*mut c_void>().read_volatile().is_null()
    }
}

impl Fields {
    const fn zeroed() -> Fields {
        const fn word() -> AtomicU32 {
            AtomicU32::new(0)
        }
        const fn link() -> AtomicPtr<c_void> {
            AtomicPtr::new(null_mut())
        }
        Fields { lock: word(), count: word(), owner: word(), users: word(), kind: word(), other: word(), previous: link(), next: link() }
    }

    /// All words but the links.
    fn words(&self) -> [u32; 6] {
        [&self.lock, &self.count, &self.owner, &self.users, &self.kind, &self.other].map(|word| word.load(Ordering::Relaxed))
    }

    fn is_held(&self, thread: u32) -> bool {
        self.words() == [thread, 1, thread, 1, PLAIN, 0]
    }

    fn is_free(&self) -> bool {
        let links = [&self.previous, &self.next].map(|link| link.load(Ordering::Relaxed));
        self.words() == [0, 1, 0, 0, PLAIN, 0] && links == [null_mut(); 2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_c_library_is_understood_in_every_thread_and_in_a_child() {
        assert!(is_understood() && is_registered());
        let round = || {
            let head = registered_head().expect("the kernel knows the list");
            // SAFETY: the head is the calling thread's.
            is_registered() && unsafe { behaves_as_expected(head) }
        };
        assert!(round() && std::thread::spawn(round).join().unwrap());
        // SAFETY: the child only locks mutexes on its stack and leaves by _exit.
        match unsafe { libc::fork() } {
            // SAFETY: ends the child at once, without the parent's exit handlers.
            0 => unsafe { libc::_exit(i32::from(!round())) },
            child => {
                let mut status = -1;
                // SAFETY: the status is valid to write to; the child is ours.
                unsafe { libc::waitpid(child, &mut status, 0) };
                assert_eq!(status, 0);
            }
        }
    }

    #[test]
    fn a_raw_child_is_not_registered() {
        assert!(is_understood());
        // SAFETY: without flags a clone is a fork of which the C library does not know; the child asks the kernel and leaves by _exit.
        match unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0usize, 0usize, 0usize, 0usize) } {
            // SAFETY: ends the child at once, without the parent's exit handlers.
            0 => unsafe { libc::_exit(i32::from(is_registered())) },
            child => {
                let mut status = -1;
                // SAFETY: the status is valid to write to; the child is ours.
                unsafe { libc::waitpid(child as libc::pid_t, &mut status, 0) };
                assert_eq!(status, 0);
            }
        }
    }
}
