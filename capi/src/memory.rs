//! Memory that processes share.

use std::ffi::{c_char, c_int, c_void};
use std::os::fd::{AsRawFd, IntoRawFd};

use unipc_core::memory::{Access, HugePages, Memory, MemoryOptions, Seals};
use unipc_core::{Error, descriptor};

use crate::wait::waiting;
use crate::{
    Versioned, buffer, bytes, close, guard, guard_new, guard_unit, initialise, input, invalid, optional_text, options, output, switch, text,
};

/// The same pages in several processes: a kernel object with raw bytes and no header, mapped into this process.
///
/// A handle costs a descriptor (an anonymous memory: none) and a mapping, and another mapping per change of size. After fork the child has the
/// same pages; closing the handle there removes no name. Threads may use a handle together, except for resize, refresh, publish and close.
pub struct unipc_memory(pub(crate) Memory);

/// memory access: reading and writing, the default.
pub const UNIPC_READ_WRITE: u32 = 0;
/// memory access: reading. A store through the address is SIGSEGV, a write through this library -EACCES.
pub const UNIPC_READ_ONLY: u32 = 1;
/// memory access: reading, and writing a private copy that nobody else sees. For what exists; not for System V memory.
pub const UNIPC_COPY_ON_WRITE: u32 = 2;

/// huge_pages: huge pages if the system has some to spare, else ordinary ones; unipc_memory_page_size tells.
pub const UNIPC_HUGE_PAGES_TRY: u32 = 1;
/// huge_pages: huge pages, or UNIPC_UNAVAILABLE.
pub const UNIPC_HUGE_PAGES_REQUIRE: u32 = 2;

/// memory seal: no seal can be added any more.
pub const UNIPC_SEAL_SEAL: u32 = 1;
/// memory seal: it cannot become smaller.
pub const UNIPC_SEAL_SHRINK: u32 = 2;
/// memory seal: it cannot become larger.
pub const UNIPC_SEAL_GROW: u32 = 4;
/// memory seal: nobody can write.
pub const UNIPC_SEAL_WRITE: u32 = 8;
/// memory seal: nobody can write but through the mappings that there are.
pub const UNIPC_SEAL_FUTURE_WRITE: u32 = 16;
/// memory seal: its permissions for execution stay as they are.
pub const UNIPC_SEAL_EXEC: u32 = 32;

/// Options of memory. Begin with UNIPC_MEMORY_OPTIONS_INIT; zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_memory_options {
    /// sizeof(unipc_memory_options)
    pub struct_size: usize,
    /// create: the size in bytes, at least 1; open: the least that will do, 0 for any
    pub size: usize,
    /// create: the group, by name or number; NULL: the process's
    pub group: *const c_char,
    /// open: nanoseconds to wait for another process to create the object and give it its size
    pub wait_for_creator: i64,
    /// create: permissions, set whatever the umask says; 0: 0600
    pub mode: u32,
    /// UNIPC_READ_WRITE, UNIPC_READ_ONLY or UNIPC_COPY_ON_WRITE
    pub access: u32,
    /// open: 1 accepts objects of users other than oneself and root
    pub any_owner: u32,
    /// create: 1 removes the name when the creator closes its handle
    pub temporary: u32,
    /// create: 1 makes the object without its name, which unipc_memory_publish gives
    pub unpublished: u32,
    /// create: 1 does not reserve the pages; a store into a full system is then SIGBUS
    pub sparse: u32,
    /// where the mapping is to be, a multiple of the page size; NULL leaves it to the kernel
    pub address: *mut c_void,
    /// open a file or fd: where the mapped range begins, a multiple of the page size
    pub offset: u64,
    /// open a file or fd: bytes to map; 0: all to the end
    pub length: usize,
    /// open a file or fd: the seals (UNIPC_SEAL_*) that it must have, else -EPERM
    pub require_seals: u32,
    /// 1 has every page at hand before the call returns
    pub prefault: u32,
    /// 1 keeps the pages in memory, never in swap space; RLIMIT_MEMLOCK limits it
    pub pinned: u32,
    /// anonymous, memfd, System V: UNIPC_HUGE_PAGES_TRY or UNIPC_HUGE_PAGES_REQUIRE; 0: ordinary pages
    pub huge_pages: u32,
    /// memfd: 1 leaves out the seal against being executed
    pub executable: u32,
    /// 1: unipc_memory_read and unipc_memory_write go through the kernel, so that an object which others shrink is an error and no
    /// SIGBUS; always so for files
    pub checked: u32,
}

// SAFETY: repr(C), begins with the size, made of integers and a pointer that may be NULL.
unsafe impl Versioned for unipc_memory_options {}

/// Sets struct_size and zeroes the rest, as UNIPC_MEMORY_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `options` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_options_init(options: *mut unipc_memory_options) {
    // SAFETY: the caller's promise.
    unsafe { initialise(options) }
}

/// # Safety
/// `options` is NULL or as large as it says, with a group that is NULL or a string.
pub(crate) unsafe fn with_options<T>(
    operation: &'static str,
    options: *const unipc_memory_options,
    call: impl FnOnce(&MemoryOptions<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    // SAFETY: the caller's promise.
    let options = unsafe { self::options(operation, options) }?;
    // SAFETY: the caller's promise.
    let group = unsafe { optional_text(operation, options.group) }?.map(str::to_owned);
    let access = match options.access {
        UNIPC_READ_WRITE => Access::ReadWrite,
        UNIPC_READ_ONLY => Access::ReadOnly,
        UNIPC_COPY_ON_WRITE => Access::CopyOnWrite,
        _ => return Err(invalid(operation, "access is UNIPC_READ_WRITE, UNIPC_READ_ONLY or UNIPC_COPY_ON_WRITE")),
    };
    let huge_pages = match options.huge_pages {
        0 => HugePages::No,
        UNIPC_HUGE_PAGES_TRY => HugePages::Try,
        UNIPC_HUGE_PAGES_REQUIRE => HugePages::Require,
        _ => return Err(invalid(operation, "huge_pages is 0, UNIPC_HUGE_PAGES_TRY or UNIPC_HUGE_PAGES_REQUIRE")),
    };
    let memory_options = MemoryOptions {
        size: options.size,
        mode: options.mode,
        group,
        access,
        any_owner: switch(operation, options.any_owner)?,
        temporary: switch(operation, options.temporary)?,
        unpublished: switch(operation, options.unpublished)?,
        sparse: switch(operation, options.sparse)?,
        address: options.address.addr(),
        offset: options.offset,
        length: options.length,
        require_seals: seals(operation, options.require_seals)?,
        prefault: switch(operation, options.prefault)?,
        pinned: switch(operation, options.pinned)?,
        huge_pages,
        executable: switch(operation, options.executable)?,
        checked: switch(operation, options.checked)?,
        ..Default::default()
    };
    waiting(options.wait_for_creator, |wait_for_creator| call(&MemoryOptions { wait_for_creator, ..memory_options }))
}

/// Seals by their bits.
pub(crate) fn seals(operation: &'static str, bits: u32) -> Result<Seals, Error> {
    Seals::from_bits(bits).ok_or_else(|| invalid(operation, "a seal that this version does not know"))
}

type OpenNamed = fn(&str, &MemoryOptions<'_>) -> unipc_core::Result<Memory>;

/// The constructors with a name or path differ in the core's function alone.
///
/// # Safety
/// As `unipc_memory_create_posix`.
pub(crate) unsafe fn named(
    operation: &'static str,
    name: *const c_char,
    options: *const unipc_memory_options,
    memory: *mut *mut unipc_memory,
    open: OpenNamed,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(operation, memory, || {
            let name = text(operation, name)?;
            with_options(operation, options, |options| open(name, options)).map(unipc_memory)
        })
    }
}

/// Creates POSIX shared memory of zero bytes, /dev/shm/NAME. It has its size, its pages and its permissions before it has its name, and an
/// existing object is left alone.
///
/// @param name     at most 255 bytes; the leading slash is optional, no other is allowed
/// @param options  size (needed), mode, group, temporary, unpublished, sparse, access
/// @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
/// @return         0; -EEXIST; -EINVAL: NULL, a bad name, size, mode or group; -ENAMETOOLONG; -ENOSPC, -ENOMEM: no room, and the text says how much is
///                 left; -EPERM: a group of others; -EACCES; -EMFILE, -ENFILE; -E2BIG: an option that this version does not know
///
/// Threads: any. Signal-safe: no. Since 0.1. See shm_open(3), shm_overview(7).
///
/// # Safety
/// `name` is NULL or a string; `options` is NULL or as large as it says; `memory` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_create_posix(
    name: *const c_char,
    options: *const unipc_memory_options,
    memory: *mut *mut unipc_memory,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { named("create memory", name, options, memory, Memory::create) }
}

/// Opens POSIX shared memory that exists, and maps the whole of it. It never creates.
///
/// @param name     at most 255 bytes; the leading slash is optional, no other is allowed
/// @param options  access, size (the least that will do), any_owner, wait_for_creator; NULL: defaults
/// @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
/// @return         0; -ENOENT; UNIPC_WRONG_SIZE: smaller than asked for, or without a size yet (both also when the wait for the creator is over);
///                 -ECANCELED: the bound stop token; -EPERM: it belongs to another user; -EACCES; -ELOOP: a symbolic link; UNIPC_WRONG_KIND: no regular file;
///                 -EINVAL, -ENAMETOOLONG, -E2BIG, -EMFILE, -ENFILE, -ENOMEM
///
/// Threads: any. Signal-safe: no. Since 0.1. See shm_open(3).
///
/// # Safety
/// As unipc_memory_create_posix.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_open_posix(
    name: *const c_char,
    options: *const unipc_memory_options,
    memory: *mut *mut unipc_memory,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { named("open memory", name, options, memory, Memory::open) }
}

/// Opens POSIX shared memory, or creates it if there is none. unipc_memory_was_created tells which. With wait_for_creator it waits for one that has no
/// size yet.
///
/// @return  as unipc_memory_open_posix and unipc_memory_create_posix, but for -ENOENT and -EEXIST
///
/// Threads: any. Signal-safe: no. Since 0.1. See shm_open(3).
///
/// # Safety
/// As unipc_memory_create_posix.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_open_or_create_posix(
    name: *const c_char,
    options: *const unipc_memory_options,
    memory: *mut *mut unipc_memory,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { named("open or create memory", name, options, memory, Memory::open_or_create) }
}

/// Removes the name. Who has the memory mapped goes on using it.
///
/// @return  0; -ENOENT; -EACCES, -EPERM: not allowed; -EINVAL, -ENAMETOOLONG: a bad name
///
/// Threads: any. Signal-safe: no. Since 0.1. See shm_unlink(3).
///
/// # Safety
/// `name` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_unlink_posix(name: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| Memory::unlink(unsafe { text("unlink memory", name) }?))
}

/// Makes pages of zero bytes without a name, which children made by fork share.
///
/// @param options  size (needed), address, prefault, pinned, huge_pages; nothing else counts
/// @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
/// @return         0; -EINVAL: NULL, no size; -EEXIST: something is at the address; -ENOMEM; -EPERM, -EAGAIN: not to be pinned; UNIPC_UNAVAILABLE:
///                 no huge pages; -E2BIG
///
/// Threads: any. Signal-safe: no. Since 0.1. See mmap(2), MAP_ANONYMOUS.
///
/// # Safety
/// `options` is NULL or as large as it says; `memory` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_create_anonymous(options: *const unipc_memory_options, memory: *mut *mut unipc_memory) -> c_int {
    const OPERATION: &str = "create anonymous memory";
    // SAFETY: the caller's promise.
    unsafe { guard_new(OPERATION, memory, || with_options(OPERATION, options, Memory::anonymous_with).map(unipc_memory)) }
}

/// Gives a memory that was made unpublished its name, exclusively. After -EEXIST it can be tried again.
///
/// @return  0; -EEXIST; -EINVAL: NULL, or the memory has its name already
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1. See linkat(2).
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_publish(memory: *mut unipc_memory) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { output("publish memory", memory) }?.0.publish())
}

/// Whether this handle made the object: after unipc_memory_open_or_create_posix, who has to fill it.
///
/// @return  1: made by this handle; 0: it existed; -EINVAL: NULL
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_was_created(memory: *const unipc_memory) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| Ok(c_int::from(unsafe { input("ask memory", memory) }?.0.was_created())))
}

/// The first byte of the newest mapping. Addresses from before a resize or refresh stay valid until the handle is closed.
///
/// Other processes may write to the bytes at any time: keep to atomics, or to a lock that everybody keeps. If somebody shrinks the object, a
/// load behind its end is SIGBUS.
///
/// @return  the address, aligned to a page; NULL for NULL
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_address(memory: *const unipc_memory) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { memory.as_ref() }.map_or(std::ptr::null_mut(), |memory| memory.0.mapping().as_ptr().cast())
}

/// The bytes that are mapped: the object's size when this handle opened, resized or refreshed it, not rounded to pages. 0 for NULL.
///
/// Threads: any. Signal-safe: yes. Since 0.1.
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_size(memory: *const unipc_memory) -> usize {
    // SAFETY: the caller's promise.
    unsafe { memory.as_ref() }.map_or(0, |memory| memory.0.size())
}

/// Changes the size of the object, and maps the new one. Addresses from before stay valid; behind the end of a shrunk object lies SIGBUS.
///
/// More than this handle has mapped only ever makes the object grow: what another process has added meanwhile stays. Who shrinks it, or makes it
/// grow with the option sparse, needs a lock against the others.
///
/// @param size  bytes, at least 1
/// @return      0; -ENOSPC, -ENOMEM: no room; -EACCES: the handle is read-only; -EPERM: a sealed object; -EINVAL: NULL, no size; -EOPNOTSUPP:
///              anonymous or System V memory; -EBUSY: another process that is changing the size stops there for 10 s. After a failure nothing has changed.
///
/// Threads: none may use the handle meanwhile; addresses may be used. Signal-safe: no. Since 0.1. See ftruncate(2), fallocate(2).
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_resize(memory: *mut unipc_memory, size: usize) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { output("resize memory", memory) }?.0.resize(size))
}

/// Maps what another process has made of the object's size. Addresses from before stay valid.
///
/// @return  0; UNIPC_WRONG_SIZE: the object has no bytes; -EINVAL: NULL; -EOPNOTSUPP: anonymous or System V memory; -ENOMEM
///
/// Threads: none may use the handle meanwhile; addresses may be used. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_refresh(memory: *mut unipc_memory) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { output("refresh memory", memory) }?.0.refresh())
}

/// Copies bytes out, by relaxed atomic words: what others write meanwhile arrives as a mixture of old and new, and nothing worse. Of a file, and with
/// the option checked, it goes through the kernel: that somebody has made the object smaller is then an error and no SIGBUS.
///
/// @param offset  bytes from the start
/// @param buffer  where to; may be NULL if length is 0
/// @param length  bytes
/// @return        0; -EINVAL: NULL, or the bytes do not lie within the memory; then nothing was copied; UNIPC_WRONG_SIZE: the object has become
///                smaller; -EIO
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `memory` is NULL or a live handle; `buffer` is valid for writes of `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_read(memory: *const unipc_memory, offset: usize, buffer: *mut c_void, length: usize) -> c_int {
    const OPERATION: &str = "read memory";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input(OPERATION, memory)?.0.read(offset, self::buffer(OPERATION, buffer, length)?) })
}

/// Copies bytes in, by relaxed atomic words; of a file, and with the option checked, through the kernel.
///
/// @param offset  bytes from the start
/// @param data    where from; may be NULL if length is 0
/// @param length  bytes
/// @return        0; -EINVAL: NULL, or the bytes do not lie within the memory; -EACCES: the handle is read-only; then nothing was copied;
///                UNIPC_WRONG_SIZE: the object has become smaller; -EIO, -ENOSPC
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `memory` is NULL or a live handle; `data` is valid for reads of `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_write(memory: *mut unipc_memory, offset: usize, data: *const c_void, length: usize) -> c_int {
    const OPERATION: &str = "write memory";
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe { input(OPERATION, memory.cast_const())?.0.write(offset, bytes(OPERATION, data, length)?) })
}

/// The descriptor of the object, which stays the handle's: for sending, not for closing.
///
/// @return  the descriptor; -EOPNOTSUPP: anonymous or System V memory; -EINVAL: NULL
///
/// Threads: any. Signal-safe: yes, for memory that has a descriptor. Since 0.1.
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_fd(memory: *const unipc_memory) -> c_int {
    // Nothing is allocated, and no thread's state touched, but to tell of a failure.
    // SAFETY: the caller's promise.
    unsafe { memory.as_ref() }
        .map_or(-libc::EINVAL, |memory| guard(|| memory.0.descriptor("get descriptor of memory").map(|descriptor| descriptor.as_raw_fd())))
}

/// Maps an object by a descriptor from elsewhere: a memfd, a file, one that was received. The descriptor is taken over on success alone, and made
/// close-on-exec.
///
/// Towards a sender that is not trusted, require_seals has to name UNIPC_SEAL_SHRINK at least: else each access may be SIGBUS.
///
/// @param fd       an open descriptor
/// @param options  access, size (the least that will do), require_seals, offset, length, address, prefault, pinned, checked, sparse (for resize);
///                 NULL: defaults
/// @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
/// @return         0; -EBADF; UNIPC_WRONG_KIND: no file or memory; UNIPC_WRONG_SIZE; -EACCES: not open for that access; -EPERM: a seal is missing, or it is
///                 sealed against writing; -EINVAL, -E2BIG, -ENOMEM
///
/// Threads: any. Signal-safe: no. Since 0.1.
///
/// # Safety
/// The caller owns `fd`; `options` is NULL or as large as it says; `memory` is NULL or valid to write a pointer to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_from_fd(fd: c_int, options: *const unipc_memory_options, memory: *mut *mut unipc_memory) -> c_int {
    const OPERATION: &str = "map memory from descriptor";
    // SAFETY: the caller's promise.
    unsafe {
        guard_new(OPERATION, memory, || {
            with_options(OPERATION, options, |options| {
                Memory::from_descriptor(descriptor::adopt(fd)?, options).map_err(|(descriptor, error)| {
                    // It stays the caller's.
                    let _ = descriptor.into_raw_fd();
                    error
                })
            })
            .map(unipc_memory)
        })
    }
}

/// Gives the descriptor away and closes the handle: addresses are no longer valid. The name stays, also of a temporary memory.
///
/// @return  the descriptor, which is the caller's; -EOPNOTSUPP: anonymous or System V memory, and -EINVAL: NULL; then the handle stays
///
/// Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_into_fd(memory: *mut unipc_memory) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { input("release memory", memory.cast_const()) }?.0.descriptor("release memory")?;
        // SAFETY: a handle, made by `Box::into_raw`, that the caller gives back.
        let memory = unsafe { Box::from_raw(memory) };
        memory.0.into_descriptor().map(IntoRawFd::into_raw_fd).map_err(|refused| refused.1)
    })
}

/// Closes the handle and unmaps; NULL is fine. A temporary memory loses its name when its creator closes.
///
/// Threads: none may use the handle or an address meanwhile. Fork: closing in a child removes no name. Signal-safe: no. Since 0.1.
///
/// # Safety
/// `memory` is NULL or a live handle that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_close(memory: *mut unipc_memory) {
    // SAFETY: the caller's promise.
    unsafe { close(memory) }
}
