//! Memory that processes share.

use std::os::fd::{AsRawFd, IntoRawFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use unipc::memory::{self, Access, Flush, Mapping, MemoryOptions, Seals};

use crate::atomic::{Atomic, Width};
use crate::buffer::Buffer;
use crate::error::Raise;
use crate::handle::{Handle, reduce};
use crate::memory_options::{access, advice, huge, made, named, of_file, seals};
use crate::stream::{adopt, new_bytes};
use crate::sysv_memory::SysvMemoryStatus;

/// The same pages in several processes: raw bytes, which plain C programs share, mapped into
/// this process.
///
/// It has the buffer protocol: memoryview(memory), numpy.frombuffer(memory) and ctypes'
/// from_buffer(memory) are views without a copy. The pages stay mapped while any view lives,
/// also after close. What others write meanwhile is seen at once; order needs a Mutex or an
/// Atomic.
///
/// A memory costs a descriptor (an anonymous one: none) and a mapping; a mapping that a view
/// was made of stays until this object has gone, also behind a resize, since some users of the
/// buffer protocol keep the object and not the view. Children made by fork have the same pages;
/// pickling a named one opens it by its name. `with` closes it.
///
/// Who may write the object may make it smaller: through a view, and through read and write
/// unless they are checked, an access behind its new end is then a fatal signal, SIGBUS.
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Memory {
    pub(crate) handle: Handle<memory::Memory>,
    /// Every mapping that a view was made of. Locked under the interpreter's lock alone, and never
    /// over Python code.
    exported: Mutex<Vec<Arc<Mapping>>>,
    #[pyo3(get)]
    /// The name, of a named one.
    pub(crate) name: Option<String>,
    read_only: AtomicBool,
    #[pyo3(get)]
    /// Whether what is written is a private copy.
    copy_on_write: bool,
    #[pyo3(get)]
    /// Whether this handle made the object.
    was_created: bool,
    #[pyo3(get)]
    /// Whether it was asked for whoever owns it.
    pub(crate) any_owner: bool,
    #[pyo3(get)]
    /// Whether read and write go through the kernel.
    checked: bool,
}

/// A copy of more bytes than this runs without the interpreter's lock.
const LONG: usize = 1 << 16;

impl Memory {
    pub(crate) fn of(memory: memory::Memory, name: Option<String>) -> Memory {
        let (access, was_created, checked) = (memory.mapping().access(), memory.was_created(), memory.is_checked());
        Memory {
            handle: Handle::new("memory", memory),
            exported: Mutex::default(),
            name,
            read_only: AtomicBool::new(access == Access::ReadOnly),
            copy_on_write: access == Access::CopyOnWrite,
            was_created,
            any_owner: false,
            checked,
        }
    }

    /// A copy, which may wait for a disk or for pages.
    fn copy(&self, py: Python<'_>, length: usize, call: impl FnOnce(&memory::Memory) -> unipc::Result<()> + Send) -> PyResult<()> {
        if length > LONG || self.checked {
            return self.handle.long(py, call);
        }
        self.handle.with(py, call)
    }

    /// A change of the size: what was mapped before goes, unless a view or an atomic is there.
    fn remap(&self, py: Python<'_>, call: impl FnOnce(&mut memory::Memory) -> unipc::Result<()> + Send) -> PyResult<()> {
        self.handle.change(py, |memory| {
            let result = call(memory);
            memory.release_earlier();
            result
        })
    }

    /// A mapping that stays as long as this object, whoever points into it.
    fn export(&self, py: Python<'_>) -> PyResult<Arc<Mapping>> {
        let mapping = self.handle.with(py, |memory| Ok(Arc::clone(memory.mapping())))?;
        let mut exported = self.exported.lock().unwrap_or_else(PoisonError::into_inner);
        if !exported.iter().any(|known| Arc::ptr_eq(known, &mapping)) {
            exported.push(Arc::clone(&mapping));
        }
        Ok(mapping)
    }
}

#[pymethods]
impl Memory {
    /// Creates POSIX shared memory of zero bytes, exclusively. It has its size, pages and
    /// permissions before it has its name.
    ///
    /// name: at most 255 bytes; the leading slash is optional. size: bytes, at least 1. mode: the
    /// permissions, set whatever the umask says; 0 is 0o600. group: by name or number. temporary
    /// removes the name when this handle is closed. unpublished gives the name later, by publish.
    /// sparse does not reserve the pages: a store into a full system is then a fatal signal.
    /// Errors: FileExistsError; ValueError, OSError with EINVAL, ENAMETOOLONG; OSError with ENOSPC,
    /// ENOMEM: no room, and the text says how much is left; PermissionError.
    /// Source: shm_open(3), shm_overview(7).
    #[staticmethod]
    #[pyo3(signature = (name, size, *, mode=0, group=None, temporary=false, unpublished=false, sparse=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn create(
        py: Python<'_>,
        name: String,
        size: usize,
        mode: u32,
        group: Option<String>,
        temporary: bool,
        unpublished: bool,
        sparse: bool,
    ) -> PyResult<Memory> {
        let options = MemoryOptions { size, mode, group, temporary, unpublished, sparse, ..Default::default() };
        named(py, name, Some(0.0), options, memory::Memory::create)
    }

    /// Opens POSIX shared memory that exists, and maps the whole of it.
    ///
    /// size: the least that will do; 0 for any. copy_on_write: what is written is a private copy.
    /// any_owner accepts an object of a user other than oneself and root. wait_for_creator: seconds
    /// to wait for another process to create it and give it its size, None for ever. checked: read
    /// and write go through the kernel, so that an object which others shrink is WrongSize and no
    /// fatal signal.
    /// Errors: FileNotFoundError; PermissionError; WrongKind; WrongSize if it is smaller, or has no
    /// size yet; OSError with ELOOP for a link.
    #[staticmethod]
    #[pyo3(
        signature = (name, *, size=0, read_only=false, copy_on_write=false, any_owner=false, wait_for_creator=Some(0.0), checked=false),
        text_signature = "(name, *, size=0, read_only=False, copy_on_write=False, any_owner=False, wait_for_creator=0, checked=False)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn open(
        py: Python<'_>,
        name: String,
        size: usize,
        read_only: bool,
        copy_on_write: bool,
        any_owner: bool,
        wait_for_creator: Option<f64>,
        checked: bool,
    ) -> PyResult<Memory> {
        let options = MemoryOptions { size, access: access(read_only, copy_on_write)?, any_owner, checked, ..Default::default() };
        named(py, name, wait_for_creator, options, memory::Memory::open)
    }

    /// Opens the memory, or creates it if there is none; was_created tells.
    /// Arguments and errors as open and create.
    #[staticmethod]
    #[pyo3(
        signature = (name, size, *, mode=0, group=None, any_owner=false, temporary=false, sparse=false, wait_for_creator=Some(0.0)),
        text_signature = "(name, size, *, mode=0, group=None, any_owner=False, temporary=False, sparse=False, wait_for_creator=0)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn open_or_create(
        py: Python<'_>,
        name: String,
        size: usize,
        mode: u32,
        group: Option<String>,
        any_owner: bool,
        temporary: bool,
        sparse: bool,
        wait_for_creator: Option<f64>,
    ) -> PyResult<Memory> {
        let options = MemoryOptions { size, mode, group, any_owner, temporary, sparse, ..Default::default() };
        named(py, name, wait_for_creator, options, memory::Memory::open_or_create)
    }

    /// Makes pages without a name, for children made by fork. prefault has every page at hand;
    /// pinned keeps the pages out of swap space; huge_pages: "try" or "require".
    /// Source: mmap(2).
    #[staticmethod]
    #[pyo3(signature = (size, *, prefault=false, pinned=false, huge_pages=None))]
    fn anonymous(py: Python<'_>, size: usize, prefault: bool, pinned: bool, huge_pages: Option<&str>) -> PyResult<Memory> {
        let options = MemoryOptions { size, prefault, pinned, huge_pages: huge(huge_pages)?, ..Default::default() };
        made(py, Some(0.0), options, memory::Memory::anonymous_with)
    }

    /// Creates a file of zero bytes, exclusively, and maps it. It has its size, its blocks and its
    /// permissions before it has its name.
    ///
    /// Arguments and errors as create. read and write of a file go through the kernel: a file that
    /// another process shortens is WrongSize; through a view it is a fatal signal.
    /// Source: mmap(2).
    #[staticmethod]
    #[pyo3(signature = (path, size, *, mode=0, group=None, temporary=false, unpublished=false, sparse=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn create_file(
        py: Python<'_>,
        path: PathBuf,
        size: usize,
        mode: u32,
        group: Option<String>,
        temporary: bool,
        unpublished: bool,
        sparse: bool,
    ) -> PyResult<Memory> {
        let options = MemoryOptions { size, mode, group, temporary, unpublished, sparse, ..Default::default() };
        of_file(py, path, Some(0.0), options, memory::Memory::create_file)
    }

    /// Opens a file and maps it, or length bytes of it from offset, a multiple of the page size; a
    /// length of 0 is all to the end.
    ///
    /// Other arguments as open.
    /// Errors: as open; ValueError, OSError with EINVAL for an offset between two pages.
    /// Source: mmap(2).
    #[staticmethod]
    #[pyo3(
        signature = (
            path, *, size=0, read_only=false, copy_on_write=false, offset=0, length=0, any_owner=false, wait_for_creator=Some(0.0)
        ),
        text_signature = "(path, *, size=0, read_only=False, copy_on_write=False, offset=0, length=0, any_owner=False, wait_for_creator=0)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn open_file(
        py: Python<'_>,
        path: PathBuf,
        size: usize,
        read_only: bool,
        copy_on_write: bool,
        offset: u64,
        length: usize,
        any_owner: bool,
        wait_for_creator: Option<f64>,
    ) -> PyResult<Memory> {
        let access = access(read_only, copy_on_write)?;
        let options = MemoryOptions { size, access, offset, length, any_owner, ..Default::default() };
        of_file(py, path, wait_for_creator, options, memory::Memory::open_file)
    }

    /// Opens a file and maps it, or creates it if there is none; was_created tells.
    /// Arguments and errors as open_file and create_file.
    #[staticmethod]
    #[pyo3(
        signature = (path, size, *, mode=0, group=None, any_owner=false, temporary=false, sparse=false, wait_for_creator=Some(0.0)),
        text_signature = "(path, size, *, mode=0, group=None, any_owner=False, temporary=False, sparse=False, wait_for_creator=0)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn open_or_create_file(
        py: Python<'_>,
        path: PathBuf,
        size: usize,
        mode: u32,
        group: Option<String>,
        any_owner: bool,
        temporary: bool,
        sparse: bool,
        wait_for_creator: Option<f64>,
    ) -> PyResult<Memory> {
        let options = MemoryOptions { size, mode, group, any_owner, temporary, sparse, ..Default::default() };
        of_file(py, path, wait_for_creator, options, memory::Memory::open_or_create_file)
    }

    /// Makes memory known by its descriptor, which can be sealed. name only shows in /proc.
    ///
    /// size: bytes, at least 1. mode, group, sparse: as create. prefault has every page at hand;
    /// pinned keeps the pages out of swap space; huge_pages: "try" (page_size tells what came of
    /// it) or "require". executable leaves out the seal against being executed. checked: as open.
    /// Errors: ValueError, OSError with ENOMEM, EINVAL, ENAMETOOLONG; PermissionError for a group
    /// of others; Unavailable for huge pages that there are not.
    /// Source: memfd_create(2).
    #[staticmethod]
    #[pyo3(signature = (
        name, size, *, mode=0, group=None, sparse=false, prefault=false, pinned=false, huge_pages=None, executable=false, checked=false
    ))]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn memfd(
        py: Python<'_>,
        name: &str,
        size: usize,
        mode: u32,
        group: Option<String>,
        sparse: bool,
        prefault: bool,
        pinned: bool,
        huge_pages: Option<&str>,
        executable: bool,
        checked: bool,
    ) -> PyResult<Memory> {
        let huge_pages = huge(huge_pages)?;
        let options = MemoryOptions { size, mode, group, sparse, prefault, pinned, huge_pages, executable, checked, ..Default::default() };
        made(py, Some(0.0), options, |options| memory::Memory::memfd(name, options))
    }

    /// Creates System V shared memory of zero bytes, exclusively. key is not 0; sysv_key makes one
    /// of a path. temporary removes it when this handle is closed; it goes with the last
    /// attachment.
    ///
    /// Errors: FileExistsError; OSError with ENOSPC, ENOMEM, EINVAL: no room, and the text has the
    /// kernel's limits.
    /// Source: shmget(2), shmat(2).
    #[staticmethod]
    #[pyo3(signature = (key, size, *, mode=0, group=None, temporary=false, sparse=false, huge_pages=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn create_sysv(
        py: Python<'_>,
        key: i32,
        size: usize,
        mode: u32,
        group: Option<String>,
        temporary: bool,
        sparse: bool,
        huge_pages: Option<&str>,
    ) -> PyResult<Memory> {
        let options = MemoryOptions { size, mode, group, temporary, sparse, huge_pages: huge(huge_pages)?, ..Default::default() };
        made(py, Some(0.0), options, |options| memory::Memory::create_sysv(key, options))
    }

    /// Creates System V shared memory without a key, for children and for those who are told
    /// status_sysv().id. With temporary it is removed at once, and its pages go with the last
    /// process, however that ends.
    #[staticmethod]
    #[pyo3(signature = (size, *, mode=0, group=None, temporary=false, sparse=false))]
    fn create_private_sysv(
        py: Python<'_>,
        size: usize,
        mode: u32,
        group: Option<String>,
        temporary: bool,
        sparse: bool,
    ) -> PyResult<Memory> {
        let options = MemoryOptions { size, mode, group, temporary, sparse, ..Default::default() };
        made(py, Some(0.0), options, memory::Memory::create_private_sysv)
    }

    /// Attaches to System V shared memory that exists. Arguments and errors as open.
    #[staticmethod]
    #[pyo3(
        signature = (key, *, size=0, read_only=false, any_owner=false, wait_for_creator=Some(0.0)),
        text_signature = "(key, *, size=0, read_only=False, any_owner=False, wait_for_creator=0)"
    )]
    fn open_sysv(
        py: Python<'_>,
        key: i32,
        size: usize,
        read_only: bool,
        any_owner: bool,
        wait_for_creator: Option<f64>,
    ) -> PyResult<Memory> {
        let options = MemoryOptions { size, access: access(read_only, false)?, any_owner, ..Default::default() };
        made(py, wait_for_creator, options, |options| memory::Memory::open_sysv(key, options))
    }

    /// Attaches to System V shared memory by the kernel's number, also to one that is removed and
    /// still attached somewhere.
    #[staticmethod]
    #[pyo3(signature = (id, *, size=0, read_only=false, any_owner=false))]
    fn open_id_sysv(py: Python<'_>, id: i32, size: usize, read_only: bool, any_owner: bool) -> PyResult<Memory> {
        let options = MemoryOptions { size, access: access(read_only, false)?, any_owner, ..Default::default() };
        made(py, Some(0.0), options, |options| memory::Memory::open_id_sysv(id, options))
    }

    /// Attaches to System V shared memory, or creates it if there is none; was_created tells.
    #[staticmethod]
    #[pyo3(
        signature = (key, size, *, mode=0, group=None, any_owner=false, temporary=false, sparse=false, wait_for_creator=Some(0.0)),
        text_signature = "(key, size, *, mode=0, group=None, any_owner=False, temporary=False, sparse=False, wait_for_creator=0)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn open_or_create_sysv(
        py: Python<'_>,
        key: i32,
        size: usize,
        mode: u32,
        group: Option<String>,
        any_owner: bool,
        temporary: bool,
        sparse: bool,
        wait_for_creator: Option<f64>,
    ) -> PyResult<Memory> {
        let options = MemoryOptions { size, mode, group, any_owner, temporary, sparse, ..Default::default() };
        made(py, wait_for_creator, options, |options| memory::Memory::open_or_create_sysv(key, options))
    }

    /// Removes the System V memory of a key: the key is free at once, the pages go with the last
    /// process that is attached.
    /// Errors: FileNotFoundError; PermissionError.
    #[staticmethod]
    fn remove_key_sysv(py: Python<'_>, key: i32) -> PyResult<()> {
        py.detach(|| memory::Memory::remove_key_sysv(key)).raise(py)
    }

    /// Removes this System V memory, as remove_key_sysv.
    /// Errors: PermissionError; OSError with EOPNOTSUPP for other memory, as in those that follow.
    fn remove_sysv(&self, py: Python<'_>) -> PyResult<()> {
        self.handle.long(py, memory::Memory::remove_sysv)
    }

    /// What the System V memory is like now. Errors: PermissionError without the right to read.
    fn status_sysv(&self, py: Python<'_>) -> PyResult<SysvMemoryStatus> {
        self.handle.with(py, memory::Memory::status_sysv).map(SysvMemoryStatus::of)
    }

    /// Changes the permissions of System V memory; 0 is 0o600. Who is attached stays so.
    /// Errors: PermissionError; OSError with EINVAL.
    fn set_mode_sysv(&self, py: Python<'_>, mode: u32) -> PyResult<()> {
        self.handle.with(py, |memory| memory.set_mode_sysv(mode))
    }

    /// Changes owner, group or both of System V memory; None leaves it. Whoever made it keeps an
    /// owner's rights. Errors: PermissionError.
    #[pyo3(signature = (uid=None, gid=None))]
    fn set_owner_sysv(&self, py: Python<'_>, uid: Option<u32>, gid: Option<u32>) -> PyResult<()> {
        self.handle.with(py, |memory| memory.set_owner_sysv(uid, gid))
    }

    /// Removes a name. Who has the memory mapped goes on using it.
    /// Errors: FileNotFoundError; PermissionError. Source: shm_unlink(3).
    #[staticmethod]
    fn unlink(py: Python<'_>, name: &str) -> PyResult<()> {
        py.detach(|| memory::Memory::unlink(name)).raise(py)
    }

    /// Maps an object by a descriptor from elsewhere: a memfd, a file, something received. The
    /// descriptor is the memory's from now on, unless this fails. size: the least that will do.
    /// require_seals: the seals that it must have (PermissionError); from a stranger SEAL_SHRINK at
    /// least, or each access may be a fatal signal. offset, length: as open_file. checked: as open.
    /// Errors: OSError with EBADF; WrongKind; WrongSize; PermissionError.
    #[staticmethod]
    #[pyo3(signature = (fd, *, size=0, read_only=false, copy_on_write=false, require_seals=0, offset=0, length=0, checked=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn from_fd(
        py: Python<'_>,
        fd: i32,
        size: usize,
        read_only: bool,
        copy_on_write: bool,
        require_seals: u32,
        offset: u64,
        length: usize,
        checked: bool,
    ) -> PyResult<Memory> {
        let (access, require_seals) = (access(read_only, copy_on_write)?, seals(require_seals)?);
        let options = MemoryOptions { size, access, require_seals, offset, length, checked, ..Default::default() };
        let memory = adopt(py, fd, |descriptor| memory::Memory::from_descriptor(descriptor, &options))?;
        Ok(Memory::of(memory, None))
    }

    /// No seal can be added any more.
    #[classattr]
    const SEAL_SEAL: u32 = 1;
    /// It cannot become smaller.
    #[classattr]
    const SEAL_SHRINK: u32 = 2;
    /// It cannot become larger.
    #[classattr]
    const SEAL_GROW: u32 = 4;
    /// Nobody can write.
    #[classattr]
    const SEAL_WRITE: u32 = 8;
    /// Nobody can write but through the mappings that there are.
    #[classattr]
    const SEAL_FUTURE_WRITE: u32 = 16;
    /// Its permissions for execution stay as they are.
    #[classattr]
    const SEAL_EXEC: u32 = 32;

    /// Adds seals to a memfd, for good. SEAL_WRITE makes this handle a read-only one, and is
    /// refused once a view of it was made.
    ///
    /// Errors: PermissionError: sealed against seals; OSError with EBUSY: mapped for writing
    /// somewhere, EINVAL: no memfd.
    fn seal(&self, py: Python<'_>, seals: u32) -> PyResult<()> {
        let seals = self::seals(seals)?;
        let access = self.handle.change(py, |memory| memory.seal(seals).map(|()| memory.mapping().access()))?;
        self.read_only.store(access == Access::ReadOnly, Ordering::Relaxed);
        Ok(())
    }

    /// What it is sealed against: SEAL_*, or-ed.
    /// Errors: OSError with EINVAL for what cannot be sealed.
    fn seals(&self, py: Python<'_>) -> PyResult<u32> {
        self.handle.with(py, |memory| memory.seals().map(Seals::bits))
    }

    /// A new descriptor of the same object that can only read, for handing out; the caller closes
    /// it.
    fn read_only_fd(&self, py: Python<'_>) -> PyResult<i32> {
        self.handle.with(py, |memory| memory.read_only_descriptor().map(IntoRawFd::into_raw_fd))
    }

    /// Writes what was stored in a range of a file to the disk, and waits for it; a size of 0 is
    /// all to the end. Other processes see it without.
    ///
    /// Errors: OSError with EIO, EINVAL, EBUSY (invalidate of pinned pages), EOPNOTSUPP (a private
    /// copy).
    /// Source: msync(2).
    #[pyo3(signature = (offset=0, size=0, *, wait=true, invalidate=false))]
    fn flush(&self, py: Python<'_>, offset: usize, size: usize, wait: bool, invalidate: bool) -> PyResult<()> {
        self.handle.long(py, |memory| memory.flush(offset, size, Flush { no_wait: !wait, invalidate }))
    }

    /// Tells the kernel how a range will be used: "normal", "random", "sequential", "will need" or
    /// "don't need".
    /// Source: madvise(2).
    #[pyo3(signature = (advice, offset=0, size=0))]
    fn advise(&self, py: Python<'_>, advice: &str, offset: usize, size: usize) -> PyResult<()> {
        let advice = self::advice(advice)?;
        self.handle.long(py, |memory| memory.advise(offset, size, advice))
    }

    /// Has every page at hand, so that no later use of one waits for the kernel.
    /// Errors: WrongSize if it was shrunk; OSError with ENOMEM.
    fn prefault(&self, py: Python<'_>) -> PyResult<()> {
        self.handle.long(py, |memory| memory.prefault())
    }

    /// Keeps the pages in memory, never in swap space.
    /// Errors: OSError with ENOMEM, EPERM and the value of RLIMIT_MEMLOCK. Source: mlock(2).
    fn pin(&self, py: Python<'_>) -> PyResult<()> {
        self.handle.change(py, memory::Memory::pin)
    }

    /// Lets the pages go to swap space again.
    fn unpin(&self, py: Python<'_>) -> PyResult<()> {
        self.handle.change(py, memory::Memory::unpin)
    }

    /// The size of the pages that the mapping got: what became of huge_pages="try". It reads
    /// /proc/self/smaps.
    #[getter]
    fn page_size(&self, py: Python<'_>) -> PyResult<usize> {
        self.handle.long(py, memory::Memory::page_size)
    }

    /// Whether stores through a view are refused.
    #[getter]
    fn read_only(&self) -> bool {
        self.read_only.load(Ordering::Relaxed)
    }

    /// Where the mapped range begins in the file, if a part is mapped and not the whole; else None.
    #[getter]
    fn offset(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        self.handle.with(py, |memory| Ok(memory.part()))
    }

    /// Gives the descriptor to the caller, who closes it; the memory is closed, and its name stays.
    /// Errors: OSError with EOPNOTSUPP for an anonymous one.
    fn into_fd(&self, py: Python<'_>) -> PyResult<i32> {
        // What has none stays open.
        self.handle.with(py, |memory| memory.descriptor("release memory").map(drop))?;
        let memory = self.handle.take()?;
        let released = py.detach(|| memory.into_descriptor());
        Ok(released.map_err(|refused| refused.1).raise(py)?.into_raw_fd())
    }

    /// Gives an unpublished memory its name, exclusively: after FileExistsError it can be tried
    /// again.
    fn publish(&self, py: Python<'_>) -> PyResult<()> {
        self.handle.change(py, memory::Memory::publish)
    }

    /// Changes the size of the object. Views from before stay valid and keep their size; behind the
    /// end of a shrunk object lies a fatal signal.
    ///
    /// Errors, after which nothing has changed: OSError with ENOSPC, ENOMEM, EOPNOTSUPP for
    /// anonymous memory; PermissionError.
    fn resize(&self, py: Python<'_>, size: usize) -> PyResult<()> {
        self.remap(py, |memory| memory.resize(size))
    }

    /// Maps what another process has made of the object's size.
    fn refresh(&self, py: Python<'_>) -> PyResult<()> {
        self.remap(py, memory::Memory::refresh)
    }

    /// Copies bytes out.
    /// Errors: OSError with EINVAL beyond the size; WrongSize if reads are checked, and the object
    /// has been made smaller.
    fn read<'py>(&self, py: Python<'py>, offset: usize, size: usize) -> PyResult<Bound<'py, PyBytes>> {
        // Beyond the size nothing is worth the memory.
        let size = size.min(self.size(py)?.saturating_add(1));
        let (bytes, mut fresh) = new_bytes(py, size)?;
        self.copy(py, size, |memory| memory.read(offset, fresh.bytes_mut()))?;
        Ok(bytes)
    }

    /// Copies bytes out into a buffer, and fills it. Errors as read.
    fn read_into(&self, py: Python<'_>, offset: usize, buffer: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut buffer = Buffer::writable(buffer)?;
        self.copy(py, buffer.len(), |memory| memory.read(offset, buffer.bytes_mut()))
    }

    /// Copies bytes in.
    /// Errors: OSError with EINVAL beyond the size; PermissionError for a read-only handle;
    /// WrongSize as read.
    fn write(&self, py: Python<'_>, offset: usize, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let data = Buffer::readable(data)?;
        self.copy(py, data.len(), |memory| memory.write(offset, data.bytes()))
    }

    /// The 32-bit word at a multiple of 4 bytes as an atomic, without a sign.
    /// Errors: OSError with EINVAL.
    fn atomic_u32(&self, py: Python<'_>, offset: usize) -> PyResult<Atomic> {
        self.handle.with(py, |memory| Atomic::of(memory, offset, Width::U32))
    }

    /// The 32-bit word at a multiple of 4 bytes as an atomic, with a sign.
    /// Errors: OSError with EINVAL.
    fn atomic_i32(&self, py: Python<'_>, offset: usize) -> PyResult<Atomic> {
        self.handle.with(py, |memory| Atomic::of(memory, offset, Width::I32))
    }

    /// The 64-bit word at a multiple of 8 bytes as an atomic, without a sign.
    /// Errors: OSError with EINVAL.
    fn atomic_u64(&self, py: Python<'_>, offset: usize) -> PyResult<Atomic> {
        self.handle.with(py, |memory| Atomic::of(memory, offset, Width::U64))
    }

    /// The 64-bit word at a multiple of 8 bytes as an atomic, with a sign.
    /// Errors: OSError with EINVAL.
    fn atomic_i64(&self, py: Python<'_>, offset: usize) -> PyResult<Atomic> {
        self.handle.with(py, |memory| Atomic::of(memory, offset, Width::I64))
    }

    /// How many bytes are mapped: the size that the object had when it was opened, resized or
    /// refreshed by this handle.
    #[getter]
    fn size(&self, py: Python<'_>) -> PyResult<usize> {
        self.handle.with(py, |memory| Ok(memory.size()))
    }

    /// The descriptor, which stays the memory's.
    /// Errors: OSError with EOPNOTSUPP for an anonymous one.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        self.handle.with(py, |memory| memory.descriptor("get descriptor of memory").map(|descriptor| descriptor.as_raw_fd()))
    }

    /// Closes the memory; again is fine. The pages stay mapped while a view of them, or what was
    /// made of one, lives.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.handle.close());
    }

    /// Whether the memory is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.handle.is_closed()
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.size(py)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (kind, error, traceback, /))]
    fn __exit__(&self, py: Python<'_>, kind: Py<PyAny>, error: Py<PyAny>, traceback: Py<PyAny>) {
        let _ = (kind, error, traceback);
        self.close(py);
    }

    /// # Safety
    /// The interpreter passes a view to be filled.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: std::ffi::c_int) -> PyResult<()> {
        let mapping = slf.get().export(slf.py())?;
        let read_only = std::ffi::c_int::from(slf.get().read_only());
        // The object keeps the mapping for as long as it lives, and the view keeps the object.
        // SAFETY: the caller's promise; the mapping is valid for its length.
        let result =
            unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), mapping.as_ptr().cast(), mapping.len() as isize, read_only, flags) };
        if result == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reduce(slf.as_any(), "reduce_memory")
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let name = self.name.as_deref().map_or_else(String::new, |name| format!(" {name:?}"));
        match self.size(py) {
            Ok(size) => format!("<unipc.Memory{name} size={size}>"),
            Err(_) => format!("<unipc.Memory{name} closed>"),
        }
    }
}
