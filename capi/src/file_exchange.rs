//! Files that processes exchange: replaced, appended to, followed.

use std::ffi::{c_char, c_int, c_void};
use std::os::fd::AsRawFd;

use unipc_core::Error;
use unipc_core::file::exchange::{self, AppendOptions, Durability, FileEvent, Followed, Follower, FollowerOptions, ReplaceOptions};

use crate::wait::waiting;
use crate::{
    Versioned, buffer, bytes, close, guard, guard_new, guard_size, guard_unit, initialise, input, invalid, optional_text, options, output,
    store, switch, text,
};

/// file replace: content and name are on the disk when the call returns.
pub const UNIPC_FILE_SYNC_ALL: u32 = 0;
/// file replace: the content is on the disk: after a crash of the machine it is the old or the new one.
pub const UNIPC_FILE_SYNC_CONTENT: u32 = 1;
/// file replace: nothing is waited for: after a crash of the machine the file may be empty. Readers see the old or the new content all the same.
pub const UNIPC_FILE_SYNC_NOTHING: u32 = 2;

/// Options of unipc_file_replace. Begin with UNIPC_FILE_REPLACE_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_file_replace_options {
    /// sizeof(unipc_file_replace_options)
    pub struct_size: usize,
    /// the group, by name or number; NULL: that of the old file, or the process's
    pub group: *const c_char,
    /// permissions, set whatever the umask says; 0: those of the old file, or 0600
    pub mode: u32,
    /// UNIPC_FILE_SYNC_ALL, UNIPC_FILE_SYNC_CONTENT or UNIPC_FILE_SYNC_NOTHING
    pub sync: u32,
    /// 1: where owner and group of the old file cannot be kept, the new one may be the process's; 0: that is -EPERM
    pub take_ownership: u32,
    /// 1 follows a symbolic link at the end of the path, and replaces what it points to; 0: a link is -ELOOP
    pub follow_links: u32,
}

// SAFETY: repr(C), begins with the size, made of integers and a pointer that may be NULL.
unsafe impl Versioned for unipc_file_replace_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_FILE_REPLACE_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_replace_options_init(options: *mut unipc_file_replace_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// Replaces a file's content in one step, or makes the file. Who opens it has the old content or the new one, whole, whoever is killed meanwhile; who has the
/// old one open keeps it.
///
/// Permissions, owner and group stay, unless asked for otherwise; ACLs, extended attributes and other hard links do not come along. A writer that is killed
/// leaves at most a file .NAME.unipc-0 beside it, which the next one removes.
///
/// @param path     at most 4095 bytes
/// @param data     the content; NULL if length is 0
/// @param length   bytes
/// @param options  NULL: defaults
/// @return         0; -ENOENT, -ENOTDIR: of the directory; -EACCES, -EROFS, -ENOSPC, -EDQUOT, -EIO; -EFBIG: with RLIMIT_FSIZE, ignoring SIGXFSZ; -EPERM:
///                 owner or group cannot be kept, or given; -ELOOP: a symbolic link; UNIPC_WRONG_KIND: no regular file; -EBUSY: 16 writers stand still in
///                 the middle; -EINVAL: NULL, a bad path, mode or group; -ENAMETOOLONG, -E2BIG, -EMFILE, -ENFILE. The old content is still there; only what
///                 the directory itself says comes after the step, and unipc_error_text tells.
///
/// It does not wait for others. Threads: any. Signal-safe: no. Since 0.1. See rename(2), fsync(2).
///
/// # Safety
/// `path` is NULL or a string; `data` is valid for reads of `length` bytes; `options` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_replace(
    path: *const c_char,
    data: *const c_void,
    length: usize,
    options: *const unipc_file_replace_options,
) -> c_int {
    const OPERATION: &str = "replace file";
    guard_unit(|| {
        // SAFETY: the caller's promise.
        let (path, data) = unsafe { (text(OPERATION, path)?, bytes(OPERATION, data, length)?) };
        // SAFETY: the caller's promise.
        let options = unsafe { self::options(OPERATION, options) }?;
        // SAFETY: the caller's promise.
        let group = unsafe { optional_text(OPERATION, options.group) }?.map(str::to_owned);
        let durability = match options.sync {
            UNIPC_FILE_SYNC_ALL => Durability::All,
            UNIPC_FILE_SYNC_CONTENT => Durability::Content,
            UNIPC_FILE_SYNC_NOTHING => Durability::Nothing,
            _ => return Err(invalid(OPERATION, "sync is UNIPC_FILE_SYNC_ALL, UNIPC_FILE_SYNC_CONTENT or UNIPC_FILE_SYNC_NOTHING")),
        };
        let (take_ownership, follow_links) = (switch(OPERATION, options.take_ownership)?, switch(OPERATION, options.follow_links)?);
        let options = ReplaceOptions { mode: options.mode, group, take_ownership, follow_links, durability };
        exchange::replace(path, data, &options)
    })
}

/// Options of unipc_file_append. Begin with UNIPC_FILE_APPEND_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_file_append_options {
    /// sizeof(unipc_file_append_options)
    pub struct_size: usize,
    /// the group of a file that is made, by name or number; NULL: the process's
    pub group: *const c_char,
    /// permissions of a file that is made, set whatever the umask says; 0: 0600
    pub mode: u32,
    /// 1 accepts files of users other than oneself and root
    pub any_owner: u32,
    /// 1 waits until the record is on the disk, and with the first of a file its name
    pub sync: u32,
    /// zero
    pub reserved: u32,
}

// SAFETY: repr(C), begins with the size, made of integers and a pointer that may be NULL.
unsafe impl Versioned for unipc_file_append_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_FILE_APPEND_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_append_options_init(options: *mut unipc_file_append_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// The last byte of a line that its writer did not finish: the next unipc_file_append writes it, and a follower passes over such lines.
pub const UNIPC_FILE_TORN: u32 = 0x18;

const _: () = assert!(UNIPC_FILE_TORN == exchange::TORN as u32);

/// Appends a record, which is a line, to a file that others append to; the file is made if there is none. Readers see the record whole or not at all.
///
/// Writers keep each other out by a flock of the file, as flock(1) takes it. A writer that is killed in the middle leaves a torn record, bytes without a
/// newline; the next one ends it with UNIPC_FILE_TORN and a newline, and its own record stands whole behind it. Each call opens the file and closes it, so
/// the file may be rotated by a rename at any time.
///
/// @param path     at most 4095 bytes; a symbolic link at its end is not followed
/// @param record   bytes without a newline, which is added, and not ending with UNIPC_FILE_TORN; NULL if length is 0
/// @param length   bytes
/// @param options  NULL: defaults
/// @param timeout  nanoseconds to wait for other writers; UNIPC_FOREVER; zero or less never waits. The kernel has no limit for this wait: any limit but
///                 UNIPC_FOREVER probes, from every 50 us to every 10 ms, as does a thread that has bound a stop token
/// @return         0; -EAGAIN, -ETIMEDOUT, -ECANCELED: another is appending, or was stopped at it; -ENOSPC, -EDQUOT, -EIO, -EFBIG: not appended, though a torn
///                 part of it may stand there; -ENOENT: of the directory; -EACCES: it takes reading and writing; -EPERM: another user's; -ELOOP,
///                 UNIPC_WRONG_KIND: no regular file; -EINVAL: NULL, a newline inside, a bad path, mode or group; -ENAMETOOLONG, -E2BIG, -EMFILE
///
/// Threads: any. Signal-safe: no. Since 0.1. See open(2), flock(2).
///
/// # Safety
/// `path` is NULL or a string; `record` is valid for reads of `length` bytes; `options` is NULL or as large as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_append(
    path: *const c_char,
    record: *const c_void,
    length: usize,
    options: *const unipc_file_append_options,
    timeout: i64,
) -> c_int {
    const OPERATION: &str = "append record";
    guard_unit(|| {
        // SAFETY: the caller's promise.
        let (path, record) = unsafe { (text(OPERATION, path)?, bytes(OPERATION, record, length)?) };
        // SAFETY: the caller's promise.
        let options = unsafe { self::options(OPERATION, options) }?;
        // SAFETY: the caller's promise.
        let group = unsafe { optional_text(OPERATION, options.group) }?.map(str::to_owned);
        require_zero(OPERATION, options.reserved)?;
        let (any_owner, sync) = (switch(OPERATION, options.any_owner)?, switch(OPERATION, options.sync)?);
        let options = AppendOptions { mode: options.mode, group, any_owner, sync };
        waiting(timeout, |wait| exchange::append(path, record, &options, wait))
    })
}

fn require_zero(operation: &'static str, reserved: u32) -> Result<(), Error> {
    if reserved == 0 { Ok(()) } else { Err(invalid(operation, "a reserved field is not zero")) }
}

/// Receives the records that are appended to a file: whole lines, in their order, without the newline. It sees the file replaced, truncated, deleted and made
/// again.
///
/// A handle costs two descriptors, and at most the longest record and 64 KiB of memory. One thread at a time uses it. After fork one of the two processes goes on
/// with it: the other may be woken up to half a second late.
pub struct unipc_file_follower(Follower);

/// Options of file followers. Begin with UNIPC_FILE_FOLLOWER_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_file_follower_options {
    /// sizeof(unipc_file_follower_options)
    pub struct_size: usize,
    /// begin at this byte, where an earlier follower has left off: the end of its last record
    pub start: u64,
    /// the longest record in bytes; 0: 1 MiB
    pub largest: usize,
    /// nanoseconds to wait for another process to create the file
    pub wait_for_creator: i64,
    /// 1: begin behind what is there already, at the first record that is not complete yet
    pub from_end: u32,
    /// 1 accepts files of users other than oneself and root
    pub any_owner: u32,
    /// 1 follows a symbolic link at the end of the path; that it points elsewhere is seen within half a second
    pub follow_links: u32,
    /// zero
    pub reserved: u32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_file_follower_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_FILE_FOLLOWER_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_follower_options_init(options: *mut unipc_file_follower_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// file event: a whole record.
pub const UNIPC_FILE_RECORD: u32 = 0;
/// file event: another file has the name; what comes next is its beginning.
pub const UNIPC_FILE_REPLACED: u32 = 1;
/// file event: the file is shorter than what was read; what comes next is its beginning.
pub const UNIPC_FILE_TRUNCATED: u32 = 2;
/// file event: no file has the name any more; all of the old one has been received.
pub const UNIPC_FILE_DELETED: u32 = 3;

/// What a follower has received. Begin with UNIPC_FILE_FOLLOWER_INFO_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_file_follower_info {
    /// sizeof(unipc_file_follower_info)
    pub struct_size: usize,
    /// length of the record; with -EMSGSIZE what the buffer needs, or 0 if the record was passed over
    pub size: usize,
    /// where in the file the record begins
    pub offset: u64,
    /// where the next one begins
    pub end: u64,
    /// torn records that were passed over since the last one that was received
    pub torn: u64,
    /// UNIPC_FILE_RECORD, UNIPC_FILE_REPLACED, UNIPC_FILE_TRUNCATED or UNIPC_FILE_DELETED
    pub event: u32,
    /// zero
    pub reserved: u32,
}

// SAFETY: repr(C), begins with the size, made of integers.
unsafe impl Versioned for unipc_file_follower_info {}

/// Sets struct_size and zeroes the rest, as UNIPC_FILE_FOLLOWER_INFO_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `info` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_follower_info_init(info: *mut unipc_file_follower_info) {
    // SAFETY: the caller's promise.
    unsafe { initialise(info) }
}

/// Stores what is known in `info`, if there is one.
///
/// # Safety
/// `info` is NULL or as large as it says.
unsafe fn store_followed(info: *mut unipc_file_follower_info, found: &Followed) -> Result<(), Error> {
    if info.is_null() {
        return Ok(());
    }
    let event = match found.event {
        FileEvent::Record => UNIPC_FILE_RECORD,
        FileEvent::Replaced => UNIPC_FILE_REPLACED,
        FileEvent::Truncated => UNIPC_FILE_TRUNCATED,
        FileEvent::Deleted => UNIPC_FILE_DELETED,
    };
    let Followed { size, offset, end, torn, .. } = *found;
    let told = unipc_file_follower_info { struct_size: 0, size, offset, end, torn, event, reserved: 0 };
    // SAFETY: the caller's promise.
    unsafe { store("receive from file", info, &told) }
}

/// Opens a regular file to follow it. It takes the right to read it.
///
/// @param path      at most 4095 bytes
/// @param options   NULL: defaults
/// @param follower  receives the handle, or NULL on failure; close it with unipc_file_follower_close
/// @return          0; -ENOENT: not there, also when the wait for it is over; -ECANCELED: the bound stop token; -EACCES; -EPERM: another user's; -ELOOP: a
///                  symbolic link; UNIPC_WRONG_KIND: no regular file; -EINVAL: NULL, a bad path, both start and from_end; -ENAMETOOLONG, -E2BIG, -EMFILE
///
/// Threads: any. Signal-safe: no. Since 0.1. See inotify(7).
///
/// # Safety
/// `path` is NULL or a string; `options` is NULL or as large as it says; `follower` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_follower_open(
    path: *const c_char,
    options: *const unipc_file_follower_options,
    follower: *mut *mut unipc_file_follower,
) -> c_int {
    const OPERATION: &str = "follow file";
    let body = || {
        // SAFETY: the caller's promise.
        let path = unsafe { text(OPERATION, path) }?;
        // SAFETY: the caller's promise.
        let options = unsafe { self::options(OPERATION, options) }?;
        require_zero(OPERATION, options.reserved)?;
        let (from_end, any_owner) = (switch(OPERATION, options.from_end)?, switch(OPERATION, options.any_owner)?);
        let follow_links = switch(OPERATION, options.follow_links)?;
        let (start, largest) = (options.start, options.largest);
        waiting(options.wait_for_creator, |wait_for_creator| {
            Follower::open(path, &FollowerOptions { from_end, start, largest, any_owner, follow_links, wait_for_creator })
        })
        .map(unipc_file_follower)
    };
    // SAFETY: the caller's promise.
    unsafe { guard_new(OPERATION, follower, body) }
}

/// Receives the next record, without its newline; and what happens to the file, if it can be told.
///
/// Replacement and deletion come after the last record of the old file. A file that was truncated and has grown again by then goes unseen.
///
/// @param buffer    where to
/// @param capacity  bytes
/// @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
/// @param info      receives what has come, and with -EMSGSIZE the size that the buffer needs. NULL: records alone are received, whatever happens to the file
/// @return          its length, 0 for an empty record, and for what is none; -EAGAIN, -ETIMEDOUT, -ECANCELED: no whole record has come; -EMSGSIZE: the buffer is
///                  too small, and the record stays; or it was longer than the longest, and is passed over; -EINVAL: NULL. Where another file has
///                  the name, what opening it says, as unipc_file_follower_open, until it can be opened
///
/// Threads: one at a time. Signal-safe: no. Since 0.1. See inotify(7).
///
/// # Safety
/// `follower` is NULL or a live handle, which nothing else uses meanwhile; `buffer` is valid for writes of `capacity` bytes; `info` is NULL or as large as
/// it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_follower_receive(
    follower: *mut unipc_file_follower,
    buffer: *mut c_void,
    capacity: usize,
    timeout: i64,
    info: *mut unipc_file_follower_info,
) -> isize {
    const OPERATION: &str = "receive from file";
    const NOTHING: Followed = Followed { event: FileEvent::Record, size: 0, offset: 0, end: 0, torn: 0 };
    guard_size(|| {
        // SAFETY: the caller's promise.
        let (follower, buffer) = unsafe { (output(OPERATION, follower)?, self::buffer(OPERATION, buffer, capacity)?) };
        // A record whose info cannot be told would be lost.
        // SAFETY: the caller's promise.
        unsafe { store_followed(info, &NOTHING) }?;
        let received = waiting(timeout, |wait| match info.is_null() {
            true => follower.0.receive(buffer, wait),
            false => follower.0.receive_event(buffer, wait),
        });
        let told = match &received {
            Ok(found) => *found,
            Err(error) => Followed { size: error.transferred(), ..NOTHING },
        };
        // SAFETY: the caller's promise.
        unsafe { store_followed(info, &told) }?;
        received.map(|found| found.size)
    })
}

/// The descriptor, which stays the handle's: readable until a call that does not wait says -EAGAIN. Do not read from it, and do not close it.
/// Receive every half second besides, as a call that waits does: it does not tell that the directory was renamed and made anew, that a link that is followed
/// points elsewhere, or of a store to a mapping.
///
/// @return  the descriptor; UNIPC_UNAVAILABLE: inotify is not to be had, or does not tell, as on network file systems: then probe; -EINVAL: NULL
///
/// Threads: one at a time. Signal-safe: no. Since 0.1. See inotify(7).
///
/// # Safety
/// `follower` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_follower_fd(follower: *const unipc_file_follower) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe { input("get descriptor of follower", follower) }?.0.fd().map(|descriptor| descriptor.as_raw_fd()))
}

/// Closes the handle; NULL is fine.
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `follower` is NULL or a live handle, which is gone after this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_file_follower_close(follower: *mut unipc_file_follower) {
    // SAFETY: the caller's promise.
    unsafe { close(follower) }
}
