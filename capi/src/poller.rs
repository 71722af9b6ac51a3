//! One wait over many.

use std::ffi::c_int;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Mutex;

use unipc_core::event::{Events, Interest, Poller, Probe, Ready, Source, probe};
use unipc_core::sync::Semaphore;
use unipc_core::{Error, Result};

use crate::sync::{in_place, unipc_posix_semaphore, unipc_semaphore};
use crate::sysv_queue::{selected, unipc_sysv_queue};
use crate::sysv_semaphores::unipc_sysv_semaphores;
use crate::wait::waiting;
use crate::{close, fd_of, guard, guard_new, guard_unit, input, invalid, output};

/// interest and ready: there is something to read, to receive, to take or to accept, or the other side will write no more.
pub const UNIPC_POLLER_READABLE: u32 = 1;
/// interest and ready: there is room.
pub const UNIPC_POLLER_WRITABLE: u32 = 2;
/// interest and ready: urgent data, or something exceptional, as POLLPRI.
pub const UNIPC_POLLER_PRIORITY: u32 = 4;
/// interest: told when it becomes so, not as long as it is so. Whoever is told goes on until -EAGAIN, or is not told again.
pub const UNIPC_POLLER_EDGE: u32 = 16;
/// interest: told once; unipc_poller_modify arms it again.
pub const UNIPC_POLLER_ONE_SHOT: u32 = 32;
/// ready, unasked: the other side has gone; what it has written before can still be read.
pub const UNIPC_POLLER_HANG_UP: u32 = 64;
/// ready, unasked: the other side of a socket will write no more.
pub const UNIPC_POLLER_PEER_CLOSED: u32 = 128;
/// ready, unasked: something is wrong with it, and the next call on it says what. A pipe's writing end says so when there is no reader.
pub const UNIPC_POLLER_ERROR: u32 = 256;
/// ready: nothing has happened to a source: unipc_poller_wake was called.
pub const UNIPC_POLLER_WOKEN: u32 = 512;

const _: () = {
    assert!(UNIPC_POLLER_READABLE | UNIPC_POLLER_WRITABLE | UNIPC_POLLER_PRIORITY == 7 && UNIPC_POLLER_EDGE | UNIPC_POLLER_ONE_SHOT == 48);
    assert!(UNIPC_POLLER_HANG_UP | UNIPC_POLLER_PEER_CLOSED | UNIPC_POLLER_ERROR | UNIPC_POLLER_WOKEN == 960);
};

/// Something has happened to a source.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_poller_event {
    /// what the source was registered with; 0 of a wake-up
    pub token: u64,
    /// the source, as the function that has registered it has told it
    pub source: u64,
    /// of UNIPC_POLLER_READABLE, ..._WRITABLE, ..._PRIORITY, ..._HANG_UP, ..._PEER_CLOSED, ..._ERROR; or UNIPC_POLLER_WOKEN
    pub ready: u32,
    /// 0
    pub reserved: u32,
}

/// One wait over many: over descriptors of every kind (unipc_stream_fd, unipc_mq_fd, unipc_eventfd_fd and so on), and over objects that have none, which
/// are asked from every 50 microseconds to every 10 milliseconds, without anything being taken: so of those take without waiting when they are told.
///
/// Each source has a token, a number or a pointer, which comes back with what happened. A handle costs two descriptors, and 100 bytes or so for each source.
/// Any thread may use it at any time, except for close. After fork the child would share it with its parent: it gets UNIPC_FORKED and makes its own.
pub struct unipc_poller {
    poller: Poller,
    /// Room that the last wait has left for the next.
    spare: Mutex<Option<Events>>,
}

/// Makes a poller without sources.
///
/// @param poller  receives the handle, or NULL on failure; close it with unipc_poller_close
/// @return        0; -EMFILE, -ENFILE, -ENOMEM; -EINVAL: NULL
///
/// Threads: any. Fork: see unipc_poller. Signal-safe: no. Since 0.1. See epoll(7).
///
/// # Safety
/// `poller` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_poller_create(poller: *mut *mut unipc_poller) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { guard_new("create poller", poller, || Ok(unipc_poller { poller: Poller::new()?, spare: Mutex::new(None) })) }
}

const ADD: &str = "add to poller";

fn interest(operation: &'static str, bits: u32) -> Result<Interest> {
    Interest::from_bits(bits).ok_or_else(|| invalid(operation, "the interest is made of READABLE, WRITABLE, PRIORITY, EDGE and ONE_SHOT"))
}

/// The adding functions differ in what they add.
///
/// # Safety
/// `poller` is NULL or a live handle; `source` is NULL or valid for writes.
unsafe fn add(poller: *mut unipc_poller, bits: u32, source: *mut u64, add: impl FnOnce(&Poller, Interest) -> Result<Source>) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let poller = input(ADD, poller.cast_const())?;
        let added = add(&poller.poller, interest(ADD, bits)?)?;
        if let Some(source) = source.as_mut() {
            *source = added.bits();
        }
        Ok(())
    })
}

/// Watches a descriptor, until unipc_poller_remove: do that before closing it. Threads that wait see it at once.
///
/// A descriptor that is closed before, while there is a copy of it somewhere (dup, fork, sent over a socket), may go on being told until it is removed.
/// Regular files and directories always are ready for whatever is asked.
///
/// @param fd        any descriptor; it stays the caller's
/// @param interest  of UNIPC_POLLER_READABLE, ..._WRITABLE, ..._PRIORITY, and UNIPC_POLLER_EDGE, UNIPC_POLLER_ONE_SHOT; 0: hang-ups and errors alone
/// @param token     comes back with every event: a number, or (uint64_t)(uintptr_t)pointer
/// @param source    receives a number to modify and remove the source by, which is never given twice; may be NULL
/// @return          0; -EBADF; -EEXIST: it is registered already (a dup can be, beside it); -ENOSPC: the limit fs.epoll.max_user_watches; -ELOOP, -EINVAL: the poller
///                  itself; -ENOMEM; UNIPC_FORKED; -EINVAL: NULL, interest
///
/// Threads: any. Signal-safe: no. Since 0.1. See epoll_ctl(2).
///
/// # Safety
/// `poller` is NULL or a live handle; `source` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_poller_add(poller: *mut unipc_poller, fd: c_int, interest: u32, token: u64, source: *mut u64) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        add(poller, interest, source, |poller, interest| {
            if fd < 0 {
                return Err(Error::from_code(ADD, -libc::EBADF).on(fd.to_string()));
            }
            // Not -1, and borrowed for this call alone; the kernel looks whether there is such a descriptor.
            poller.add(BorrowedFd::borrow_raw(fd), interest, token)
        })
    }
}

/// Watches a System V message queue, also one that a stranger feeds: readable while there is a message of the choice, writable while it is not full. A
/// queue that is removed is UNIPC_POLLER_ERROR and UNIPC_POLLER_HANG_UP.
///
/// A choice other than any looks at message after message: with more than 600 of them in the queue it is told later.
///
/// @param queue     the queue; the handle may be closed afterwards
/// @param type      0: any message; n > 0: of type n; n < 0: of a type up to -n
/// @param flags     0, or UNIPC_SYSV_QUEUE_EXCEPT: of any type but n
/// @param interest  as unipc_poller_add
/// @param token     as unipc_poller_add
/// @param source    as unipc_poller_add
/// @return          0; -EACCES: no right to read; -EIDRM: it was removed; -ENOMEM; UNIPC_FORKED; -EINVAL: NULL, interest, type, flags
///
/// Threads: any. Signal-safe: no. Since 0.1. See msgctl(2), msgop(2).
///
/// # Safety
/// `poller` and `queue` are NULL or live handles; `source` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_poller_add_sysv_queue(
    poller: *mut unipc_poller,
    queue: *const unipc_sysv_queue,
    r#type: i64,
    flags: u32,
    interest: u32,
    token: u64,
    source: *mut u64,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        add(poller, interest, source, |poller, interest| {
            let queue = input(ADD, queue)?;
            let probe = probe::sysv_queue(queue.0.id(), selected(ADD, r#type, flags)?)?;
            poller.add_probe(probe, interest, token)
        })
    }
}

/// Watches one semaphore of a System V set, also one that a stranger uses: readable while its value is at least `units`. A set that is removed is
/// UNIPC_POLLER_ERROR and UNIPC_POLLER_HANG_UP.
///
/// @param set       the set; the handle may be closed afterwards
/// @param index     which semaphore, from 0
/// @param units     how many there have to be; 0: readable while there is none
/// @param interest  as unipc_poller_add
/// @param token     as unipc_poller_add
/// @param source    as unipc_poller_add
/// @return          0; -EACCES: no right to read; -EIDRM: it was removed; -ENOMEM; UNIPC_FORKED; -EINVAL: NULL, interest, index
///
/// Threads: any. Signal-safe: no. Since 0.1. See semctl(2).
///
/// # Safety
/// `poller` and `set` are NULL or live handles; `source` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_poller_add_sysv_semaphore(
    poller: *mut unipc_poller,
    set: *const unipc_sysv_semaphores,
    index: u16,
    units: u16,
    interest: u32,
    token: u64,
    source: *mut u64,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        add(poller, interest, source, |poller, interest| {
            poller.add_probe(probe::sysv_semaphore(input(ADD, set)?.0.id(), index, units), interest, token)
        })
    }
}

/// An address of the caller's that stays good until the source is removed.
struct Place<T>(*const T);

// SAFETY: what stands there may be used from any thread.
unsafe impl<T: Sync> Send for Place<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Place<T> {}

impl<T> Place<T> {
    fn get(&self) -> &T {
        // SAFETY: the promise of who has registered it.
        unsafe { &*self.0 }
    }
}

/// Watches a named semaphore, also one that a stranger uses: readable while a unit is free.
///
/// @param semaphore  the semaphore; close the handle after its removal here, or after closing the poller
/// @param interest   as unipc_poller_add
/// @param token      as unipc_poller_add
/// @param source     as unipc_poller_add
/// @return           0; -ENOMEM; UNIPC_FORKED; -EINVAL: NULL, interest
///
/// Threads: any. Signal-safe: no. Since 0.1. See sem_getvalue(3).
///
/// # Safety
/// `poller` and `semaphore` are NULL or live handles, the latter until the source is removed; `source` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_poller_add_posix_semaphore(
    poller: *mut unipc_poller,
    semaphore: *const unipc_posix_semaphore,
    interest: u32,
    token: u64,
    source: *mut u64,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        add(poller, interest, source, |poller, interest| {
            let place = Place(std::ptr::from_ref(input(ADD, semaphore)?));
            let probe: Probe = Box::new(move |_| Ok(if place.get().0.value()? > 0 { Ready::READABLE } else { Ready::NOTHING }));
            poller.add_probe(probe, interest, token)
        })
    }
}

/// Watches a semaphore in memory: readable while a unit is free.
///
/// @param semaphore  where it stands; it stays there until its removal here, or until the poller is closed
/// @param interest   as unipc_poller_add
/// @param token      as unipc_poller_add
/// @param source     as unipc_poller_add
/// @return           0; -ENOMEM; UNIPC_INCOMPATIBLE; UNIPC_FORKED; -EINVAL: NULL, not aligned, interest
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `poller` is NULL or a live handle; `semaphore` is NULL or valid until the source is removed; `source` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_poller_add_semaphore(
    poller: *mut unipc_poller,
    semaphore: *const unipc_semaphore,
    interest: u32,
    token: u64,
    source: *mut u64,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        add(poller, interest, source, |poller, interest| {
            let place: &Semaphore = in_place(ADD, semaphore)?;
            poller.add_probe(probe::semaphore(place), interest, token)
        })
    }
}

/// Watches a source for something else; one that is told once is armed again.
///
/// @param source    as it was told
/// @param interest  as unipc_poller_add
/// @return          0; -ENOENT: no such source; -EBADF: its descriptor was closed, remove it; UNIPC_FORKED; -EINVAL: NULL, interest
///
/// Threads: any. Signal-safe: no. Since 0.1. See epoll_ctl(2).
///
/// # Safety
/// `poller` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_poller_modify(poller: *mut unipc_poller, source: u64, interest: u32) -> c_int {
    const OPERATION: &str = "modify source of poller";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let poller = input(OPERATION, poller.cast_const())?;
        poller.poller.modify(Source::from_bits(source), self::interest(OPERATION, interest)?)
    })
}

/// Watches a source no more. No wait that begins after this has returned tells its token, nor does one that sleeps meanwhile; and nothing is asked of the
/// source any more.
///
/// An event that another call of unipc_poller_wait has told already stands in its caller's array all the same: who removes sources between two events of
/// an array asks unipc_poller_is_registered before the next. What a token points to is freed by the thread that waits, or after that thread has
/// answered a wake-up (unipc_poller_wake) that came after the removal.
///
/// @param source  as it was told
/// @return        0; -ENOENT: no such source, or no more; UNIPC_FORKED; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See epoll_ctl(2).
///
/// # Safety
/// `poller` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_poller_remove(poller: *mut unipc_poller, source: u64) -> c_int {
    const OPERATION: &str = "remove from poller";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input(OPERATION, poller.cast_const()) }?.poller.remove(Source::from_bits(source)))
}

/// Whether a source is registered and was not removed since: asked of the later events of an array when the work on the earlier ones removes sources.
///
/// @param source  as it was told, or as it stands in an event
/// @return        1 or 0; UNIPC_FORKED; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `poller` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_poller_is_registered(poller: *const unipc_poller, source: u64) -> c_int {
    const OPERATION: &str = "look for source of poller";
    // SAFETY: the caller's promise.
    guard(|| unsafe { input(OPERATION, poller) }?.poller.is_registered(Source::from_bits(source)).map(c_int::from))
}

/// The most events that one call tells, for which there is to be memory.
const MOST: usize = 1 << 16;

/// Waits until something happens. Of more sources than there is room for all are told in turn.
///
/// @param events    receives what has happened
/// @param capacity  room for so many, at least 1; more than 65536 are not told at once
/// @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return          how many were told; rarely 0: the sources of all were removed meanwhile; -EAGAIN, -ETIMEDOUT: nothing has happened; -ECANCELED: the bound
///                  stop token; UNIPC_FORKED; -EINVAL: NULL, capacity
///
/// Threads: any, several at once; each wake-up and each source that is told once goes to one. Signal-safe: no. Since 0.1. See epoll_wait(2).
///
/// # Safety
/// `poller` is NULL or a live handle; `events` is NULL or has room for as many as told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_poller_wait(
    poller: *mut unipc_poller,
    events: *mut unipc_poller_event,
    capacity: c_int,
    timeout: i64,
) -> c_int {
    const OPERATION: &str = "wait for events";
    guard(|| {
        // SAFETY: the caller's promise.
        let poller = unsafe { input(OPERATION, poller.cast_const()) }?;
        // SAFETY: the caller's promise, of the first.
        unsafe { output(OPERATION, events) }?;
        let room = usize::try_from(capacity).ok().filter(|room| *room > 0);
        let room = room.ok_or_else(|| invalid(OPERATION, "there is room for one event at least"))?.min(MOST);
        // Of several threads at once all but one make room of their own.
        let spare = poller.spare.try_lock().ok().and_then(|mut spare| spare.take()).filter(|spare| spare.capacity() == room);
        let mut found = spare.unwrap_or_else(|| Events::with_capacity(room));
        let result = waiting(timeout, |wait| poller.poller.wait(&mut found, wait));
        let mut count = 0;
        if result.is_ok() {
            for event in found.by_ref().take(room) {
                let told = unipc_poller_event { token: event.token, source: event.source.bits(), ready: event.ready.bits(), reserved: 0 };
                // SAFETY: there is room for as many as told, of which this is one.
                unsafe { events.add(count).write(told) };
                count += 1;
            }
        }
        if let Ok(mut spare) = poller.spare.try_lock() {
            *spare = Some(found);
        }
        result.map(|_| count as c_int)
    })
}

/// Ends a wait that lasts, or else the next: it tells UNIPC_POLLER_WOKEN. Several before one is told are one. errno is left as it was.
///
/// @return  0; UNIPC_FORKED; -EINVAL: NULL
///
/// Threads: any. Signal-safe: yes. Since 0.1. See eventfd(2).
///
/// # Safety
/// `poller` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_poller_wake(poller: *const unipc_poller) -> c_int {
    // Not through the guard: nothing here allocates, locks or panics, as a signal handler needs it.
    // SAFETY: the caller's promise.
    match unsafe { poller.as_ref() } {
        Some(poller) => poller.poller.wake().map_or_else(|error| error.code(), |()| 0),
        None => -libc::EINVAL,
    }
}

/// The descriptor, for a loop inside another: readable while a descriptor among the sources is ready. It knows nothing of what is asked, nor of files. It
/// belongs to the poller: do not close it.
///
/// @return  the descriptor; -EINVAL: NULL
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `poller` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_poller_fd(poller: *const unipc_poller) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { fd_of(poller, |poller| poller.poller.as_fd()) }
}

/// Whether some source has no descriptor and has to be asked: unipc_poller_fd tells nothing of those.
///
/// @return  1 or 0; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `poller` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_poller_is_asking(poller: *const unipc_poller) -> c_int {
    // SAFETY: the caller's promise.
    match unsafe { poller.as_ref() } {
        Some(poller) => c_int::from(poller.poller.is_asking()),
        None => -libc::EINVAL,
    }
}

/// Closes the poller; NULL is fine. Its sources stay open.
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `poller` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_poller_close(poller: *mut unipc_poller) {
    // SAFETY: the caller's promise.
    unsafe { close(poller) }
}
