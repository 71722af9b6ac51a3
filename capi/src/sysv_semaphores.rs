//! System V semaphore sets.

use std::ffi::{c_char, c_int};

use unipc_core::Error;
use unipc_core::sync::{SysvOperation, SysvSemaphores, SysvSemaphoresOptions};

use crate::sysv_queue::owner;
use crate::wait::waiting;
use crate::{Versioned, close, guard, guard_new, guard_unit, initialise, input, invalid, optional_text, options, store, switch};

/// A set of System V semaphores, what plain C programs get with semget: several semaphores of which one call takes and gives atomically, and whose units
/// come back from the dead. It stays until it is removed or the machine restarts.
///
/// A handle costs memory alone. After fork the child has the set as well; closing the handle there removes nothing. Threads may use a handle together,
/// except for close. It is no descriptor.
pub struct unipc_sysv_semaphores(pub(crate) SysvSemaphores);

/// operation flag: when the process ends, the kernel takes the change back. Who takes so gives back so, in the same process.
pub const UNIPC_SYSV_SEMAPHORES_UNDO: u32 = 1;
/// operation flag: if this operation would have to wait, the call fails with -EAGAIN at once, whatever its timeout.
pub const UNIPC_SYSV_SEMAPHORES_AT_ONCE: u32 = 2;

/// One of the operations that unipc_sysv_semaphores_operate does together.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_sysv_operation {
    /// which semaphore, from 0
    pub semaphore: u16,
    /// above 0: so many units are given; below: taken, as soon as there are as many; 0: waits until there is none
    pub change: i16,
    /// 0, or of UNIPC_SYSV_SEMAPHORES_UNDO and UNIPC_SYSV_SEMAPHORES_AT_ONCE
    pub flags: u32,
}

/// Options of System V semaphores. Begin with UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_sysv_semaphores_options {
    /// sizeof(unipc_sysv_semaphores_options)
    pub struct_size: usize,
    /// create: how many semaphores; open: how many there must be at least; 0: 1
    pub count: usize,
    /// create: how many units each has at first, count of them, at most 32767; NULL: value for all
    pub values: *const u32,
    /// create: the group, by name or number; NULL: the process's
    pub group: *const c_char,
    /// open: nanoseconds to wait for another process to create the set
    pub wait_for_creator: i64,
    /// create, without values: how many units each has at first, at most 32767
    pub value: u32,
    /// create: permissions, of which "execute" means nothing; 0: 0600
    pub mode: u32,
    /// open: 1 accepts sets of users other than oneself and root
    pub any_owner: u32,
    /// create: 1 removes the set when the creator closes its handle
    pub temporary: u32,
}

// SAFETY: repr(C), begins with the size, made of integers and pointers that may be NULL.
unsafe impl Versioned for unipc_sysv_semaphores_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_options_init(options: *mut unipc_sysv_semaphores_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// What a set of System V semaphores is like. Begin with UNIPC_SYSV_SEMAPHORES_STATUS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_sysv_semaphores_status {
    /// sizeof(unipc_sysv_semaphores_status)
    pub struct_size: usize,
    /// how many semaphores it has
    pub count: usize,
    /// when it was operated on last: seconds since 1970, 0 for never
    pub operated_at: i64,
    /// when it was made, or its values or rights were set: seconds since 1970
    pub changed_at: i64,
    /// the kernel's number of it
    pub id: i32,
    /// its key; 0: private
    pub key: i32,
    /// its permissions
    pub mode: u32,
    /// its owner
    pub uid: u32,
    /// its group
    pub gid: u32,
    /// who made it, and has an owner's rights as well
    pub creator_uid: u32,
    /// the group of who made it
    pub creator_gid: u32,
    /// zero
    pub reserved: u32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_sysv_semaphores_status {}

/// Sets struct_size and zeroes the rest, as UNIPC_SYSV_SEMAPHORES_STATUS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `status` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_status_init(status: *mut unipc_sysv_semaphores_status) {
    // SAFETY: the caller's promise.
    unsafe { initialise(status) }
}

/// Numbers that the caller passes.
///
/// # Safety
/// `values` is NULL or valid for reads of `count` numbers during `'a`.
unsafe fn numbers<'a>(operation: &'static str, values: *const u32, count: usize) -> Result<&'a [u32], Error> {
    // A length that no set has is refused before it is believed.
    if values.is_null() || count > MOST {
        return Err(invalid(operation, "NULL where values are needed, or more of them than a set has semaphores"));
    }
    // SAFETY: not NULL, of a possible length, and valid by the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(values, count) })
}

/// Semaphores are numbered by 16 bits.
const MOST: usize = 65535;

/// # Safety
/// `options` is NULL or as large as it says, with a group that is NULL or a string, and values that are NULL or as many as it says.
unsafe fn with_options(
    operation: &'static str,
    options: *const unipc_sysv_semaphores_options,
    call: impl FnOnce(&SysvSemaphoresOptions<'_>) -> Result<SysvSemaphores, Error>,
) -> Result<unipc_sysv_semaphores, Error> {
    // SAFETY: the caller's promise.
    let options = unsafe { self::options(operation, options) }?;
    let count = options.count.max(1);
    if count > MOST {
        return Err(invalid(operation, "a set has at most 65535 semaphores"));
    }
    let values = match options.values.is_null() {
        true => vec![options.value; count],
        // SAFETY: the caller's promise.
        false => unsafe { numbers(operation, options.values, count) }?.to_vec(),
    };
    // SAFETY: the caller's promise.
    let group = unsafe { optional_text(operation, options.group) }?.map(str::to_owned);
    let (mode, any_owner, temporary) = (options.mode, switch(operation, options.any_owner)?, switch(operation, options.temporary)?);
    waiting(options.wait_for_creator, |wait_for_creator| {
        call(&SysvSemaphoresOptions { values, mode, group, any_owner, temporary, wait_for_creator })
    })
    .map(unipc_sysv_semaphores)
}

type OpenNumbered = fn(i32, &SysvSemaphoresOptions<'_>) -> unipc_core::Result<SysvSemaphores>;

/// The constructors differ in the core's function alone.
///
/// # Safety
/// As `unipc_sysv_semaphores_create`.
unsafe fn numbered(
    operation: &'static str,
    number: i32,
    options: *const unipc_sysv_semaphores_options,
    set: *mut *mut unipc_sysv_semaphores,
    open: OpenNumbered,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { guard_new(operation, set, || with_options(operation, options, |options| open(number, options))) }
}

/// Creates a set of System V semaphores under a key. An existing one is left alone.
///
/// @param key      not 0; unipc_sysv_key makes one of a path
/// @param options  count, value or values, mode, group, temporary; NULL: one semaphore without a unit
/// @param set      receives the handle, or NULL on failure; close it with unipc_sysv_semaphores_close
/// @return         0; -EEXIST; -ERANGE: a value above 32767; -EINVAL: NULL, the key 0, too many semaphores (SEMMSL), a bad mode or group; -ENOSPC: too
///                 many sets or semaphores in all (SEMMNI, SEMMNS); -EPERM: a group of others; -ENOMEM, -E2BIG. The text names the limit and its value.
///
/// Threads: any. Signal-safe: no. Since 0.1. See semget(2), sysvipc(7).
///
/// # Safety
/// `options` is NULL or as large as it says; `set` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_create(
    key: i32,
    options: *const unipc_sysv_semaphores_options,
    set: *mut *mut unipc_sysv_semaphores,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { numbered("create System V semaphores", key, options, set, SysvSemaphores::create) }
}

/// Creates a set of System V semaphores without a key, for children made by fork, and for who is told its unipc_sysv_semaphores_id. It stays after its
/// creator all the same, unless it is temporary.
///
/// @return  as unipc_sysv_semaphores_create, but for -EEXIST
///
/// Threads: any. Signal-safe: no. Since 0.1. See semget(2), IPC_PRIVATE.
///
/// # Safety
/// As unipc_sysv_semaphores_create.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_create_private(
    options: *const unipc_sysv_semaphores_options,
    set: *mut *mut unipc_sysv_semaphores,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { numbered("create private System V semaphores", 0, options, set, |_, options| SysvSemaphores::create_private(options)) }
}

/// Opens a set of System V semaphores that exists. It never creates.
///
/// @param key      not 0; unipc_sysv_key makes one of a path
/// @param options  count, any_owner, wait_for_creator; NULL: defaults
/// @param set      receives the handle, or NULL on failure; close it with unipc_sysv_semaphores_close
/// @return         0; -ENOENT: none, or its creator has not given it its values yet, also when the wait for the creator is over; -ECANCELED: the bound
///                 stop token; -EPERM: it belongs to another user, or was made by one; UNIPC_WRONG_SIZE: it has fewer than count; -EINVAL: NULL, the
///                 key 0; -EACCES, -E2BIG
///
/// Threads: any. Signal-safe: no. Since 0.1. See semget(2).
///
/// # Safety
/// As unipc_sysv_semaphores_create.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_open(
    key: i32,
    options: *const unipc_sysv_semaphores_options,
    set: *mut *mut unipc_sysv_semaphores,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { numbered("open System V semaphores", key, options, set, SysvSemaphores::open) }
}

/// Opens a set of System V semaphores, or creates it if there is none. The values count only for the one who creates.
/// A set whose creator was killed before it had its values is removed and made anew.
///
/// @return  as unipc_sysv_semaphores_open and unipc_sysv_semaphores_create, but for -ENOENT and -EEXIST; -EBUSY: a creator that lives does not finish, for
///          a second or as long as wait_for_creator says
///
/// Threads: any. Signal-safe: no. Since 0.1. See semget(2).
///
/// # Safety
/// As unipc_sysv_semaphores_create.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_open_or_create(
    key: i32,
    options: *const unipc_sysv_semaphores_options,
    set: *mut *mut unipc_sysv_semaphores,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { numbered("open or create System V semaphores", key, options, set, SysvSemaphores::open_or_create) }
}

/// Opens a set of System V semaphores by its number, which its creator has told.
///
/// @param id       what unipc_sysv_semaphores_id gave there
/// @param options  count, any_owner; NULL: defaults
/// @param set      receives the handle, or NULL on failure; close it with unipc_sysv_semaphores_close
/// @return         0; -EIDRM: there is none; -ENOENT: its creator has not given it its values yet; UNIPC_WRONG_SIZE: it has fewer than count; -EPERM: it
///                 belongs to another user, or was made by one; -EINVAL: NULL; -EACCES, -E2BIG
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// As unipc_sysv_semaphores_create.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_open_id(
    id: c_int,
    options: *const unipc_sysv_semaphores_options,
    set: *mut *mut unipc_sysv_semaphores,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { numbered("open System V semaphores", id, options, set, SysvSemaphores::open_id) }
}

/// Removes the set of a key. Who waits in it is told, by -EIDRM.
///
/// @return  0; -ENOENT; -EPERM: neither owner nor creator; -EINVAL: the key 0
///
/// Threads: any. Signal-safe: no. Since 0.1. See semctl(2), IPC_RMID.
#[unsafe(no_mangle)]
pub extern "C" fn unipc_sysv_semaphores_remove_key(key: i32) -> c_int {
    guard_unit(|| SysvSemaphores::remove_key(key))
}

/// Removes the set. Who waits in it is told, by -EIDRM. The handle stays to be closed.
///
/// @return  0; -EIDRM: it is gone already; -EPERM: neither owner nor creator; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See semctl(2), IPC_RMID.
///
/// # Safety
/// `set` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_remove(set: *mut unipc_sysv_semaphores) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("remove System V semaphores", set.cast_const()) }?.0.remove())
}

/// The kernel's number for the set, as ipcs -s shows it; never negative.
///
/// @return  the number; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `set` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_id(set: *const unipc_sysv_semaphores) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe { input("ask System V semaphores", set) }.map(|set| set.0.id()))
}

/// How many semaphores the set has; at least 1.
///
/// @return  the number; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `set` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_count(set: *const unipc_sysv_semaphores) -> c_int {
    // SAFETY: the caller's promise. A set has at most 65535 semaphores.
    guard(|| unsafe { input(ASK, set) }.map(|set| set.0.len() as c_int))
}

const OPERATE: &str = "operate on System V semaphores";
const ASK: &str = "ask System V semaphores";
const SET: &str = "set System V semaphores";

fn operation(semaphore: u32, change: i32, flags: u32) -> Result<SysvOperation, Error> {
    if flags & !(UNIPC_SYSV_SEMAPHORES_UNDO | UNIPC_SYSV_SEMAPHORES_AT_ONCE) != 0 {
        return Err(invalid(OPERATE, "the flags are UNIPC_SYSV_SEMAPHORES_UNDO and UNIPC_SYSV_SEMAPHORES_AT_ONCE"));
    }
    let (undo, at_once) = (flags & UNIPC_SYSV_SEMAPHORES_UNDO != 0, flags & UNIPC_SYSV_SEMAPHORES_AT_ONCE != 0);
    Ok(SysvOperation { semaphore: semaphore as usize, change, undo, at_once })
}

/// # Safety
/// `set` is NULL or a live handle.
unsafe fn operate_one(set: *mut unipc_sysv_semaphores, semaphore: u32, change: i32, flags: u32, timeout: i64) -> c_int {
    guard_unit(|| {
        // SAFETY: the caller's promise.
        let set = unsafe { input(OPERATE, set.cast_const()) }?;
        let operation = operation(semaphore, change, flags)?;
        waiting(timeout, |wait| set.0.operate(&[operation], wait))
    })
}

/// Takes a unit of a semaphore.
///
/// @param semaphore  which, from 0
/// @param flags      0, or of UNIPC_SYSV_SEMAPHORES_UNDO and UNIPC_SYSV_SEMAPHORES_AT_ONCE
/// @param timeout    nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return           0: taken; -EAGAIN: none is free and the timeout is zero; -ETIMEDOUT; -ECANCELED: the bound stop token; else as
///                   unipc_sysv_semaphores_operate. A negative result: not taken.
///
/// Threads: any. Fork: what is to be undone stays the parent's. Signal-safe: no. Since 0.1. See semop(2).
///
/// # Safety
/// `set` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_wait(set: *mut unipc_sysv_semaphores, semaphore: u32, flags: u32, timeout: i64) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { operate_one(set, semaphore, -1, flags, timeout) }
}

/// Takes a unit of a semaphore if one is free: else -EAGAIN.
///
/// @return  as unipc_sysv_semaphores_wait
///
/// Threads: any. Signal-safe: no. Since 0.1. See semop(2), IPC_NOWAIT.
///
/// # Safety
/// `set` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_try_wait(set: *mut unipc_sysv_semaphores, semaphore: u32, flags: u32) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { operate_one(set, semaphore, -1, flags, 0) }
}

/// Gives a unit of a semaphore back, and wakes who waits for it.
///
/// @param semaphore  which, from 0
/// @param flags      0, or UNIPC_SYSV_SEMAPHORES_UNDO if it was taken so
/// @return           0; -ERANGE: its value is 32767; else as unipc_sysv_semaphores_operate
///
/// Threads: any. Signal-safe: no. Since 0.1. See semop(2).
///
/// # Safety
/// `set` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_post(set: *mut unipc_sysv_semaphores, semaphore: u32, flags: u32) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { operate_one(set, semaphore, 1, flags, 0) }
}

/// Waits until a semaphore has no unit.
///
/// @param semaphore  which, from 0
/// @param timeout    nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @return           0; -EAGAIN, -ETIMEDOUT, -ECANCELED: it has units; else as unipc_sysv_semaphores_operate
///
/// Threads: any. Signal-safe: no. Since 0.1. See semop(2).
///
/// # Safety
/// `set` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_wait_zero(set: *mut unipc_sysv_semaphores, semaphore: u32, timeout: i64) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { operate_one(set, semaphore, 0, 0, timeout) }
}

/// Does all the operations in one step, in their order, or none: as soon as all of them can be done.
///
/// @param operations  what to do
/// @param count       how many
/// @param timeout     nanoseconds; UNIPC_FOREVER; zero or less never waits. It stands on the monotonic clock, whatever signals come
/// @return            0: all done; -EAGAIN, -ETIMEDOUT, -ECANCELED: none could be, within the time; -EFBIG: no such semaphore; -ERANGE: a value would be
///                    above 32767, or what there is to undo; -E2BIG: too many operations (SEMOPM); -EACCES; -EIDRM: the set was removed, before or
///                    meanwhile; -ENOMEM; -EINVAL: NULL, no operation, unknown flags
///
/// Threads: any. Fork: what is to be undone stays the parent's. Signal-safe: no. Since 0.1. See semop(2), semtimedop(2).
///
/// # Safety
/// `set` is NULL or a live handle; `operations` is NULL or valid for reads of `count` operations.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_operate(
    set: *mut unipc_sysv_semaphores,
    operations: *const unipc_sysv_operation,
    count: usize,
    timeout: i64,
) -> c_int {
    guard_unit(|| {
        // SAFETY: the caller's promise.
        let set = unsafe { input(OPERATE, set.cast_const()) }?;
        if operations.is_null() || count > isize::MAX as usize / size_of::<unipc_sysv_operation>() {
            return Err(invalid(OPERATE, "NULL where operations are needed, or more than there can be"));
        }
        // SAFETY: not NULL, of a possible length, and valid by the caller's promise.
        let operations = unsafe { std::slice::from_raw_parts(operations, count) };
        let operations =
            operations.iter().map(|one| operation(one.semaphore.into(), one.change.into(), one.flags)).collect::<Result<Vec<_>, _>>()?;
        waiting(timeout, |wait| set.0.operate(&operations, wait))
    })
}

/// How many units of a semaphore are free at this moment.
///
/// @param semaphore  which, from 0
/// @return           the value; -EFBIG: no such semaphore; -EACCES: no right to read; -EIDRM; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See semctl(2), GETVAL.
///
/// # Safety
/// `set` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_value(set: *const unipc_sysv_semaphores, semaphore: u32) -> c_int {
    // SAFETY: the caller's promise. A value is at most 32767.
    guard(|| unsafe { input(ASK, set) }?.0.value(semaphore as usize).map(|value| value as c_int))
}

/// Sets how many units a semaphore has, whoever holds some, and makes the kernel forget what was to be undone to it.
///
/// @param semaphore  which, from 0
/// @param value      at most 32767
/// @return           0; -ERANGE: a larger value; -EFBIG: no such semaphore; -EACCES; -EIDRM; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See semctl(2), SETVAL.
///
/// # Safety
/// `set` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_set_value(set: *mut unipc_sysv_semaphores, semaphore: u32, value: u32) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input(SET, set.cast_const()) }?.0.set_value(semaphore as usize, value))
}

/// How many units each semaphore has at this moment, all at once.
///
/// @param values  receives them
/// @param count   for how many there is room: unipc_sysv_semaphores_count at least
/// @return        how many there are; -EINVAL: NULL, not enough room; -EACCES; -EIDRM
///
/// Threads: any. Signal-safe: no. Since 0.1. See semctl(2), GETALL.
///
/// # Safety
/// `set` is NULL or a live handle; `values` is NULL or valid for writes of `count` numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_get_values(set: *const unipc_sysv_semaphores, values: *mut u32, count: usize) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        let set = unsafe { input(ASK, set) }?;
        if values.is_null() || count < set.0.len() {
            return Err(invalid(ASK, "there is no room for as many values as the set has semaphores"));
        }
        let found = set.0.values()?;
        // SAFETY: there is room for them.
        unsafe { std::ptr::copy_nonoverlapping(found.as_ptr(), values, found.len()) };
        Ok(found.len() as c_int)
    })
}

/// Sets how many units each semaphore has, all at once; the kernel forgets what was to be undone.
///
/// @param values  as many as the set has semaphores, each at most 32767
/// @param count   how many these are
/// @return        0; -EINVAL: NULL, another count; -ERANGE: a larger value; -EACCES; -EIDRM
///
/// Threads: any. Signal-safe: no. Since 0.1. See semctl(2), SETALL.
///
/// # Safety
/// `set` is NULL or a live handle; `values` is NULL or valid for reads of `count` numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_set_values(set: *mut unipc_sysv_semaphores, values: *const u32, count: usize) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input(SET, set.cast_const())?.0.set_values(numbers(SET, values, count)?) })
}

/// How many wait for units of a semaphore at this moment. Who waits with a stop token is not counted now and then, for a moment.
///
/// @param semaphore  which, from 0
/// @return           the number; -EFBIG: no such semaphore; -EACCES: no right to read; -EIDRM; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See semctl(2), GETNCNT.
///
/// # Safety
/// `set` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_waiters(set: *const unipc_sysv_semaphores, semaphore: u32) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe { input(ASK, set) }?.0.waiters(semaphore as usize).map(|count| count as c_int))
}

/// How many wait until a semaphore has no unit, at this moment.
///
/// @return  as unipc_sysv_semaphores_waiters
///
/// Threads: any. Signal-safe: no. Since 0.1. See semctl(2), GETZCNT.
///
/// # Safety
/// `set` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_waiters_for_zero(set: *const unipc_sysv_semaphores, semaphore: u32) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe { input(ASK, set) }?.0.waiters_for_zero(semaphore as usize).map(|count| count as c_int))
}

/// The process that operated on a semaphore last, or set it.
///
/// @return  its number, 0 for none or one of another pid namespace; else as unipc_sysv_semaphores_waiters
///
/// Threads: any. Signal-safe: no. Since 0.1. See semctl(2), GETPID.
///
/// # Safety
/// `set` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_last_process(set: *const unipc_sysv_semaphores, semaphore: u32) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe { input(ASK, set) }?.0.last_process(semaphore as usize))
}

/// What the set is like now.
///
/// @param status  receives it; begin with UNIPC_SYSV_SEMAPHORES_STATUS_INIT
/// @return        0; -EACCES: no right to read; -EIDRM: it was removed; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See semctl(2), IPC_STAT.
///
/// # Safety
/// `set` is NULL or a live handle; `status` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_get_status(
    set: *const unipc_sysv_semaphores,
    status: *mut unipc_sysv_semaphores_status,
) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let found = input(ASK, set)?.0.status()?;
        let told = unipc_sysv_semaphores_status {
            struct_size: 0,
            count: found.count,
            operated_at: found.operated_at,
            changed_at: found.changed_at,
            id: found.id,
            key: found.key,
            mode: found.mode,
            uid: found.uid,
            gid: found.gid,
            creator_uid: found.creator_uid,
            creator_gid: found.creator_gid,
            reserved: 0,
        };
        store(ASK, status, &told)
    })
}

/// Changes the permissions.
///
/// @param mode  up to 0777, of which "execute" means nothing; 0: 0600
/// @return      0; -EPERM: neither owner nor creator; -EACCES; -EIDRM: it was removed; -EINVAL: NULL, other bits
///
/// Threads: any. Signal-safe: no. Since 0.1. See semctl(2), IPC_SET.
///
/// # Safety
/// `set` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_set_mode(set: *mut unipc_sysv_semaphores, mode: u32) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("set mode of System V semaphores", set.cast_const()) }?.0.set_mode(mode))
}

/// Changes owner and group. Whoever made the set keeps an owner's rights.
///
/// @param uid  the owner; UINT32_MAX leaves it
/// @param gid  the group; UINT32_MAX leaves it
/// @return     0; -EPERM: neither owner nor creator; -EACCES; -EIDRM: it was removed; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1. See semctl(2), IPC_SET.
///
/// # Safety
/// `set` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_set_owner(set: *mut unipc_sysv_semaphores, uid: u32, gid: u32) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input("set owner of System V semaphores", set.cast_const()) }?.0.set_owner(owner(uid), owner(gid)))
}

/// Closes the handle; NULL is fine. A temporary set is removed when its creator closes.
///
/// Threads: none may use the handle meanwhile. Fork: closing in a child removes nothing. What the process has to undo stays to be undone. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `set` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_sysv_semaphores_close(set: *mut unipc_sysv_semaphores) {
    // SAFETY: the caller's promise.
    unsafe { close(set) }
}
