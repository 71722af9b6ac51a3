//! Locks and semaphores in the user's memory, and named semaphores.

use std::ffi::{CString, c_char, c_int, c_void};

use unipc_core::Error;
use unipc_core::sync::{Mutex, MutexKind, PosixSemaphore, PosixSemaphoreOptions, Semaphore};

use crate::error::UNIPC_NEEDS_REPAIR;
use crate::wait::waiting;
use crate::{Versioned, close, guard, guard_new, guard_unit, initialise, input, invalid, optional_text, options, store, switch, text};

/// A mutex for memory that processes share, whose holder may die. All-zero bytes are a valid, unlocked, plain mutex, so several processes may
/// use freshly made memory without a race over who initialises it.
///
/// It is owned by a thread. It must not be moved or copied while in use. Processes that share it live in one pid namespace and use one C library;
/// others get UNIPC_INCOMPATIBLE. Unlock it before the memory is unmapped. It trusts everyone who can write the page.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_mutex {
    /// Not for use.
    pub opaque: [u64; 16],
}

/// A counting semaphore for memory that processes share. All-zero bytes are a valid plain semaphore of value 0.
///
/// It must not be moved or copied while in use. It trusts everyone who can write the page.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_semaphore {
    /// Not for use.
    pub opaque: [u64; 64],
}

const _: () = {
    assert!(size_of::<unipc_mutex>() == size_of::<Mutex>() && align_of::<unipc_mutex>() == align_of::<Mutex>());
    assert!(size_of::<unipc_semaphore>() == size_of::<Semaphore>());
    assert!(align_of::<unipc_semaphore>() == align_of::<Semaphore>());
    assert!(UNIPC_SEMAPHORE_PLACES as usize == unipc_core::sync::PLACES);
};

/// The core's object at a place of the caller's; NULL or a misaligned address is `EINVAL`.
///
/// # Safety
/// `place` is NULL or valid for reads and writes of a `T` during `'a`, by atomic means alone.
pub(crate) unsafe fn in_place<'a, T, U>(operation: &'static str, place: *const U) -> Result<&'a T, Error> {
    if !place.cast::<T>().is_aligned() {
        return Err(invalid(operation, "an object in memory stands at a multiple of 8 bytes"));
    }
    // SAFETY: aligned; the caller's promise for the rest.
    unsafe { input(operation, place.cast()) }
}

/// Whether the call could be done at once, without a guard: the attempt cannot panic. `false` goes the slow way, which says what is wrong.
///
/// # Safety
/// As [`in_place`].
#[inline(always)]
pub(crate) unsafe fn at_once<T, U>(place: *const U, attempt: impl FnOnce(&T) -> bool) -> bool {
    let place = place.cast::<T>();
    // SAFETY: not NULL and aligned; the caller's promise for the rest.
    !place.is_null() && place.is_aligned() && attempt(unsafe { &*place })
}

/// mutex kind: the holder who locks again waits for itself, until its timeout. The kind of zero bytes.
pub const UNIPC_MUTEX_PLAIN: u32 = 0;
/// mutex kind: the holder who locks again holds the lock once more, and must unlock as often.
pub const UNIPC_MUTEX_RECURSIVE: u32 = 1;
/// mutex kind: the holder who locks again is told, -EDEADLK.
pub const UNIPC_MUTEX_ERROR_CHECKING: u32 = 2;

/// Options of unipc_mutex_init. Begin with UNIPC_MUTEX_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_mutex_options {
    /// sizeof(unipc_mutex_options)
    pub struct_size: usize,
    /// UNIPC_MUTEX_PLAIN, UNIPC_MUTEX_RECURSIVE or UNIPC_MUTEX_ERROR_CHECKING
    pub kind: u32,
    /// zero
    pub reserved: u32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_mutex_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_MUTEX_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mutex_options_init(options: *mut unipc_mutex_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// Makes the mutex anew, unlocked, whatever bytes stood there. Zero bytes need no init. Nobody may use the mutex meanwhile.
///
/// @param mutex    where, at a multiple of 8 bytes
/// @param options  the kind; NULL: plain
/// @return         0; -EINVAL: NULL, misaligned, unknown kind; -E2BIG: an option that this version does not know;
///                 UNIPC_UNAVAILABLE: the C library's robust mutexes cannot start from zero bytes
///
/// Threads: none may use the mutex meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `mutex` is NULL or valid for writes; `options` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mutex_init(mutex: *mut unipc_mutex, options: *const unipc_mutex_options) -> c_int {
    const OPERATION: &str = "initialise mutex";
    guard_unit(|| {
        // SAFETY: the caller's promise, for both.
        let options = unsafe { self::options(OPERATION, options) }?;
        // SAFETY: as above; any bytes are a valid `Mutex` to refer to.
        unsafe { in_place::<Mutex, _>(OPERATION, mutex) }?;
        let kind = match options.kind {
            UNIPC_MUTEX_PLAIN => MutexKind::Plain,
            UNIPC_MUTEX_RECURSIVE => MutexKind::Recursive,
            UNIPC_MUTEX_ERROR_CHECKING => MutexKind::ErrorChecking,
            _ => return Err(invalid(OPERATION, "there is no such kind of mutex")),
        };
        // SAFETY: not NULL, aligned, and used by nobody else, as the caller promises.
        unsafe { Mutex::init(mutex.cast(), kind) }
    })
}

/// Locks the mutex, and fails if a holder died inside and nobody has repaired since. Use unipc_mutex_lock_recover to repair.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         0: held; -EOWNERDEAD: not held, a holder died; -EAGAIN: another holds it and the timeout is zero; -ETIMEDOUT; -ECANCELED:
///                 the bound stop token; -EDEADLK: the caller holds it already (error checking); -EINVAL: NULL or misaligned;
///                 UNIPC_INCOMPATIBLE: no mutex of this ABI and pid namespace. A negative result: not held.
///
/// Threads: any; the lock is the calling thread's. Fork: the child does not hold it. Signal-safe: no. Since 0.1.
/// See pthread_mutex_lock(3p), pthread_mutexattr_setrobust(3).
///
/// # Safety
/// `mutex` is NULL or an object in memory that is only used through these functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mutex_lock(mutex: *mut unipc_mutex, timeout: i64) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe { if at_once(mutex, Mutex::lock_at_once) { 0 } else { lock_slowly(mutex, timeout) } }
}

/// # Safety
/// As [`unipc_mutex_lock`].
#[cold]
unsafe extern "C" fn lock_slowly(mutex: *mut unipc_mutex, timeout: i64) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| waiting(timeout, |wait| unsafe { in_place::<Mutex, _>("lock mutex", mutex) }?.lock_raw(wait)))
}

/// unipc_mutex_lock without waiting: -EAGAIN if another holds it.
///
/// @return  as unipc_mutex_lock
///
/// Threads: any. Signal-safe: no. Since 0.1. See pthread_mutex_trylock(3p).
///
/// # Safety
/// As unipc_mutex_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mutex_try_lock(mutex: *mut unipc_mutex) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { unipc_mutex_lock(mutex, 0) }
}

/// Locks the mutex also when the last holder died inside.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         0: held; UNIPC_NEEDS_REPAIR: held, and a holder died since the last unipc_mutex_mark_consistent: repair what the mutex protects,
///                 then mark it. Negative: not held, as unipc_mutex_lock but for -EOWNERDEAD.
///
/// Unlocking without marking, or dying, passes the need for repair on to the next. Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// As unipc_mutex_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mutex_lock_recover(mutex: *mut unipc_mutex, timeout: i64) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe { if at_once(mutex, Mutex::lock_at_once) { 0 } else { lock_recover_slowly(mutex, timeout) } }
}

/// # Safety
/// As [`unipc_mutex_lock_recover`].
#[cold]
unsafe extern "C" fn lock_recover_slowly(mutex: *mut unipc_mutex, timeout: i64) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        let mutex: &Mutex = unsafe { in_place("lock mutex to recover", mutex) }?;
        let needs_repair = waiting(timeout, |wait| mutex.lock_recover_raw(wait))?;
        Ok(if needs_repair { UNIPC_NEEDS_REPAIR } else { 0 })
    })
}

/// Ends the need for repair, after the repair. The caller holds the mutex, and goes on holding it.
///
/// @return  0; -EPERM: the calling thread does not hold the mutex; -EINVAL; UNIPC_INCOMPATIBLE
///
/// Threads: the holder. Signal-safe: no. Since 0.1.
///
/// # Safety
/// As unipc_mutex_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mutex_mark_consistent(mutex: *mut unipc_mutex) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { in_place::<Mutex, _>("mark mutex consistent", mutex) }?.mark_consistent())
}

/// Unlocks the mutex.
///
/// @return  0; -EPERM: the calling thread does not hold the mutex; -EINVAL; UNIPC_INCOMPATIBLE
///
/// Threads: the holder. Signal-safe: no. Since 0.1. See pthread_mutex_unlock(3p).
///
/// # Safety
/// As unipc_mutex_lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_mutex_unlock(mutex: *mut unipc_mutex) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe { if at_once(mutex, Mutex::unlock_at_once) { 0 } else { unlock_slowly(mutex) } }
}

/// # Safety
/// As [`unipc_mutex_unlock`].
#[cold]
unsafe extern "C" fn unlock_slowly(mutex: *mut unipc_mutex) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { in_place::<Mutex, _>("unlock mutex", mutex) }?.unlock())
}

/// semaphore flag: who holds each unit is written down, and a dead process's units come back.
pub const UNIPC_SEMAPHORE_RECOVER: u32 = 1;
/// The most units of a semaphore with UNIPC_SEMAPHORE_RECOVER.
pub const UNIPC_SEMAPHORE_PLACES: u32 = 56;

/// Options of unipc_semaphore_init. Begin with UNIPC_SEMAPHORE_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_semaphore_options {
    /// sizeof(unipc_semaphore_options)
    pub struct_size: usize,
    /// how many units are free at first: at most INT32_MAX; with UNIPC_SEMAPHORE_RECOVER 1 to UNIPC_SEMAPHORE_PLACES
    pub value: u32,
    /// 0 or UNIPC_SEMAPHORE_RECOVER
    pub flags: u32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_semaphore_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_SEMAPHORE_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_semaphore_options_init(options: *mut unipc_semaphore_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// Makes the semaphore anew, whatever bytes stood there. Zero bytes need no init. Nobody may use the semaphore meanwhile.
///
/// @param semaphore  where, at a multiple of 8 bytes
/// @param options    the value and whether to recover; NULL: a plain one of value 0
/// @return           0; -EINVAL: NULL, misaligned, value or flags out of range; -E2BIG: an option that this version does not know
///
/// Threads: none may use the semaphore meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `semaphore` is NULL or valid for writes; `options` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_semaphore_init(semaphore: *mut unipc_semaphore, options: *const unipc_semaphore_options) -> c_int {
    const OPERATION: &str = "initialise semaphore";
    guard_unit(|| {
        // SAFETY: the caller's promise, for both.
        let options = unsafe { self::options(OPERATION, options) }?;
        // SAFETY: as above; any bytes are a valid `Semaphore` to refer to.
        unsafe { in_place::<Semaphore, _>(OPERATION, semaphore) }?;
        let fresh = match options.flags {
            0 => Semaphore::new(options.value)?,
            UNIPC_SEMAPHORE_RECOVER => Semaphore::recovering(options.value)?,
            _ => return Err(invalid(OPERATION, "there is no such flag")),
        };
        // SAFETY: not NULL, aligned, and used by nobody else, as the caller promises.
        unsafe { Semaphore::init(semaphore.cast(), fresh) };
        Ok(())
    })
}

/// Takes a unit.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         0: taken; -EAGAIN: none is free and the timeout is zero; -ETIMEDOUT; -ECANCELED: the bound stop token; -EINVAL: NULL or
///                 misaligned; UNIPC_INCOMPATIBLE: no semaphore of this ABI (recovering: and pid namespace). A negative result: not taken.
///
/// Threads: any. Fork: units stay the parent's. Signal-safe: no. Since 0.1. See sem_wait(3).
///
/// # Safety
/// `semaphore` is NULL or an object in memory that is only used through these functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_semaphore_wait(semaphore: *mut unipc_semaphore, timeout: i64) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe { if at_once(semaphore, Semaphore::take_at_once) { 0 } else { wait_slowly(semaphore, timeout) } }
}

/// # Safety
/// As [`unipc_semaphore_wait`].
#[cold]
unsafe extern "C" fn wait_slowly(semaphore: *mut unipc_semaphore, timeout: i64) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| waiting(timeout, |wait| unsafe { in_place::<Semaphore, _>("wait for semaphore", semaphore) }?.wait(wait)))
}

/// Takes a unit if one is free: else -EAGAIN.
///
/// @return  as unipc_semaphore_wait
///
/// Threads: any. Signal-safe: no. Since 0.1. See sem_trywait(3).
///
/// # Safety
/// As unipc_semaphore_wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_semaphore_try_wait(semaphore: *mut unipc_semaphore) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { unipc_semaphore_wait(semaphore, 0) }
}

/// Gives a unit back, or adds one, and wakes one who waits.
///
/// @return  0; -EOVERFLOW: the value is INT32_MAX; -EPERM: with UNIPC_SEMAPHORE_RECOVER, this process holds no unit; -EINVAL;
///          UNIPC_INCOMPATIBLE
///
/// Threads: any. Signal-safe: no. Since 0.1. See sem_post(3).
///
/// # Safety
/// As unipc_semaphore_wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_semaphore_post(semaphore: *mut unipc_semaphore) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe { if at_once(semaphore, Semaphore::post_at_once) { 0 } else { post_slowly(semaphore) } }
}

/// # Safety
/// As [`unipc_semaphore_post`].
#[cold]
unsafe extern "C" fn post_slowly(semaphore: *mut unipc_semaphore) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { in_place::<Semaphore, _>("post semaphore", semaphore) }?.post())
}

/// How many units are free at this moment. With UNIPC_SEMAPHORE_RECOVER a dead holder's unit counts when somebody who found none free has freed it.
///
/// @return  the value; -EINVAL; UNIPC_INCOMPATIBLE
///
/// Threads: any. Signal-safe: no. Since 0.1. See sem_getvalue(3).
///
/// # Safety
/// As unipc_semaphore_wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_semaphore_value(semaphore: *const unipc_semaphore) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        let semaphore: &Semaphore = unsafe { in_place("read semaphore", semaphore) }?;
        // A value is at most INT32_MAX.
        Ok(semaphore.value()? as c_int)
    })
}

/// A named semaphore, the same object that sem_open(3) gives: /dev/shm/sem.NAME.
///
/// It belongs to nobody: the unit of a process that dies is lost. Where that must not be, use an in-place semaphore with
/// UNIPC_SEMAPHORE_RECOVER. A handle costs one mapping and no descriptor.
pub struct unipc_posix_semaphore(pub(crate) PosixSemaphore);

/// Options of named semaphores. Begin with UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_posix_semaphore_options {
    /// sizeof(unipc_posix_semaphore_options)
    pub struct_size: usize,
    /// create: the group, by name or number; NULL: the process's
    pub group: *const c_char,
    /// open: nanoseconds to wait for another process to create it
    pub wait_for_creator: i64,
    /// create: how many units are free at first, at most INT32_MAX
    pub value: u32,
    /// create: permissions, set whatever the umask says; 0: 0600
    pub mode: u32,
    /// open: 1 accepts semaphores of users other than oneself and root
    pub any_owner: u32,
    /// create: 1 removes the name when the creator closes its handle
    pub temporary: u32,
}

// SAFETY: repr(C), begins with the size, made of integers and a pointer that may be NULL.
unsafe impl Versioned for unipc_posix_semaphore_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_posix_semaphore_options_init(options: *mut unipc_posix_semaphore_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

type OpenNamed = fn(&str, &PosixSemaphoreOptions<'_>) -> unipc_core::Result<PosixSemaphore>;

/// The three constructors differ in the core's function alone.
///
/// # Safety
/// As `unipc_posix_semaphore_create`.
unsafe fn named(
    operation: &'static str,
    name: *const c_char,
    options: *const unipc_posix_semaphore_options,
    semaphore: *mut *mut unipc_posix_semaphore,
    open: OpenNamed,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(operation, semaphore, || {
            let name = text(operation, name)?;
            let options = self::options(operation, options)?;
            let group = optional_text(operation, options.group)?.map(str::to_owned);
            let (any_owner, temporary) = (switch(operation, options.any_owner)?, switch(operation, options.temporary)?);
            let (value, mode) = (options.value, options.mode);
            waiting(options.wait_for_creator, |wait_for_creator| {
                open(name, &PosixSemaphoreOptions { value, mode, group, any_owner, temporary, wait_for_creator }).map(unipc_posix_semaphore)
            })
        })
    }
}

/// Creates a named semaphore. Nobody meets it half made, and an existing one is left alone.
///
/// @param name       at most 251 bytes; the leading slash is optional, no other is allowed
/// @param options    value, mode, group, temporary; NULL: value 0, mode 0600
/// @param semaphore  receives the handle, or NULL on failure; close it with unipc_posix_semaphore_close
/// @return           0; -EEXIST; -EINVAL: NULL, a bad name, mode, value or group; -ENAMETOOLONG; -ENOSPC, -EACCES; -EMFILE, -ENFILE, -ENOMEM;
///                   -E2BIG: an option that this version does not know
///
/// Threads: any. Signal-safe: no. Since 0.1. See sem_open(3), sem_overview(7).
///
/// # Safety
/// `name` is NULL or a string; `options` is NULL or as large as it says; `semaphore` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_posix_semaphore_create(
    name: *const c_char,
    options: *const unipc_posix_semaphore_options,
    semaphore: *mut *mut unipc_posix_semaphore,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { named("create named semaphore", name, options, semaphore, PosixSemaphore::create) }
}

/// Opens a named semaphore that exists. It never creates.
///
/// @param name       at most 251 bytes; the leading slash is optional, no other is allowed
/// @param options    any_owner, wait_for_creator; NULL: fail at once, and only for objects of oneself and root
/// @param semaphore  receives the handle, or NULL on failure; close it with unipc_posix_semaphore_close
/// @return           0; -ENOENT: also when the wait for the creator is over; -ECANCELED: the bound stop token; -EPERM: it belongs to another user; -EACCES;
///                   -ELOOP: a symbolic link; UNIPC_WRONG_KIND: no regular file; UNIPC_WRONG_SIZE: no semaphore of this C library; -EINVAL, -ENAMETOOLONG,
///                   -E2BIG, -EMFILE, -ENFILE, -ENOMEM
///
/// Threads: any. Signal-safe: no. Since 0.1. See sem_open(3).
///
/// # Safety
/// As unipc_posix_semaphore_create.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_posix_semaphore_open(
    name: *const c_char,
    options: *const unipc_posix_semaphore_options,
    semaphore: *mut *mut unipc_posix_semaphore,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { named("open named semaphore", name, options, semaphore, PosixSemaphore::open) }
}

/// Opens a named semaphore, or creates it if there is none. The value counts only for the one who creates.
///
/// @return  as unipc_posix_semaphore_open and unipc_posix_semaphore_create, but for -ENOENT, -EEXIST and -ECANCELED: it never waits
///
/// Threads: any. Signal-safe: no. Since 0.1. See sem_open(3).
///
/// # Safety
/// As unipc_posix_semaphore_create.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_posix_semaphore_open_or_create(
    name: *const c_char,
    options: *const unipc_posix_semaphore_options,
    semaphore: *mut *mut unipc_posix_semaphore,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { named("open or create named semaphore", name, options, semaphore, PosixSemaphore::open_or_create) }
}

/// Removes the name. Who has the semaphore open goes on using it.
///
/// @return  0; -ENOENT; -EACCES, -EPERM: not allowed; -EINVAL, -ENAMETOOLONG: a bad name
///
/// Threads: any. Signal-safe: no. Since 0.1. See sem_unlink(3).
///
/// # Safety
/// `name` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_posix_semaphore_unlink(name: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| PosixSemaphore::unlink(unsafe { text("unlink named semaphore", name) }?))
}

/// What a named semaphore is like. Begin with UNIPC_POSIX_SEMAPHORE_STATUS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_posix_semaphore_status {
    /// sizeof(unipc_posix_semaphore_status)
    pub struct_size: usize,
    /// how many units are free; -1 where we may not read it
    pub value: i64,
    /// its permissions
    pub mode: u32,
    /// its owner
    pub uid: u32,
    /// its group
    pub gid: u32,
    /// zero
    pub reserved: u32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_posix_semaphore_status {}

/// Sets struct_size and zeroes the rest, as UNIPC_POSIX_SEMAPHORE_STATUS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `status` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_posix_semaphore_status_init(status: *mut unipc_posix_semaphore_status) {
    // SAFETY: the caller's promise.
    unsafe { initialise(status) }
}

/// What the semaphore of a name is like now, whoever owns it.
///
/// @param name    at most 251 bytes; the leading slash is optional, no other is allowed
/// @param status  receives it; begin with UNIPC_POSIX_SEMAPHORE_STATUS_INIT
/// @return        0; -ENOENT; -ELOOP, UNIPC_WRONG_KIND, UNIPC_WRONG_SIZE: no semaphore of this C library; -EINVAL: NULL, a bad name; -ENAMETOOLONG
///
/// Threads: any. Signal-safe: no. Since 0.1. See sem_overview(7).
///
/// # Safety
/// `name` is NULL or a string; `status` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_posix_semaphore_get_status(name: *const c_char, status: *mut unipc_posix_semaphore_status) -> c_int {
    const OPERATION: &str = "ask named semaphore";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let found = PosixSemaphore::status(text(OPERATION, name)?)?;
        let told = unipc_posix_semaphore_status {
            struct_size: 0,
            value: found.value.map_or(-1, i64::from),
            mode: found.mode,
            uid: found.uid,
            gid: found.gid,
            reserved: 0,
        };
        store(OPERATION, status, &told)
    })
}

/// Tells the names of the named semaphores that there are, everybody's, in their order.
///
/// @param visit     is called for each with its name, which stays until it returns; not 0 ends the walk. It must return, not throw or jump.
/// @param argument  handed to it
/// @return          0, or what visit has given that was not 0; -EACCES, -EMFILE, -ENFILE: the directory cannot be read; -ENOENT: there is none; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See sem_overview(7).
///
/// # Safety
/// `visit` is NULL or a function that may be called with `argument`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_posix_semaphore_list(
    visit: Option<unsafe extern "C" fn(name: *const c_char, argument: *mut c_void) -> c_int>,
    argument: *mut c_void,
) -> c_int {
    guard(|| {
        let visit = visit.ok_or_else(|| invalid("list named semaphores", "a NULL pointer where a function is needed"))?;
        for found in PosixSemaphore::list()? {
            // The name of a file has no NUL.
            let Ok(name) = CString::new(found.name) else { continue };
            // SAFETY: the caller's promise.
            let answer = unsafe { visit(name.as_ptr(), argument) };
            if answer != 0 {
                return Ok(answer);
            }
        }
        Ok(0)
    })
}

/// Takes a unit.
///
/// @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return         0: taken; -EAGAIN: none is free and the timeout is zero; -ETIMEDOUT; -ECANCELED: the bound stop token; -EINVAL: NULL
///
/// Threads: any. Fork: the handle works in the child. Signal-safe: no. Since 0.1. See sem_wait(3).
///
/// # Safety
/// `semaphore` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_posix_semaphore_wait(semaphore: *mut unipc_posix_semaphore, timeout: i64) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe {
        if at_once(semaphore, |handle: &unipc_posix_semaphore| handle.0.take_at_once()) { 0 } else { posix_wait_slowly(semaphore, timeout) }
    }
}

/// # Safety
/// As [`unipc_posix_semaphore_wait`].
#[cold]
unsafe extern "C" fn posix_wait_slowly(semaphore: *mut unipc_posix_semaphore, timeout: i64) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| waiting(timeout, |wait| unsafe { input("wait for named semaphore", semaphore) }?.0.wait(wait)))
}

/// Takes a unit if one is free: else -EAGAIN.
///
/// @return  as unipc_posix_semaphore_wait
///
/// Threads: any. Signal-safe: no. Since 0.1. See sem_trywait(3).
///
/// # Safety
/// `semaphore` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_posix_semaphore_try_wait(semaphore: *mut unipc_posix_semaphore) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { unipc_posix_semaphore_wait(semaphore, 0) }
}

/// Gives a unit back, or adds one, and wakes one who waits.
///
/// @return  0; -EOVERFLOW: the value is INT32_MAX; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See sem_post(3).
///
/// # Safety
/// `semaphore` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_posix_semaphore_post(semaphore: *mut unipc_posix_semaphore) -> c_int {
    // SAFETY: the caller's promise, for both.
    unsafe { if at_once(semaphore, |handle: &unipc_posix_semaphore| handle.0.post_at_once()) { 0 } else { posix_post_slowly(semaphore) } }
}

/// # Safety
/// As [`unipc_posix_semaphore_post`].
#[cold]
unsafe extern "C" fn posix_post_slowly(semaphore: *mut unipc_posix_semaphore) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("post named semaphore", semaphore) }?.0.post())
}

/// How many units are free at this moment.
///
/// @return  the value; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See sem_getvalue(3).
///
/// # Safety
/// `semaphore` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_posix_semaphore_value(semaphore: *const unipc_posix_semaphore) -> c_int {
    // SAFETY: the caller's promise. A value is at most INT32_MAX.
    guard(|| Ok(unsafe { input("read named semaphore", semaphore) }?.0.value()? as c_int))
}

/// Closes the handle; NULL is fine. A temporary semaphore loses its name when its creator closes.
///
/// Threads: none may use the handle meanwhile. Fork: closing in a child removes no name. Signal-safe: no. Since 0.1. See sem_close(3).
///
/// # Safety
/// `semaphore` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_posix_semaphore_close(semaphore: *mut unipc_posix_semaphore) {
    // SAFETY: the caller's promise.
    unsafe { close(semaphore) }
}
