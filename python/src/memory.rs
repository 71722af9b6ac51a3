//! Memory that processes share.

use std::os::fd::{AsRawFd, IntoRawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use unipc::Wait;
use unipc::memory::{self, Access, Mapping, MemoryOptions};

use crate::atomic::{Atomic, Width};
use crate::buffer::Buffer;
use crate::error::{Raise, invalid};
use crate::handle::reduce;
use crate::stream::adopt;
use crate::wait::waiting;

/// The same pages in several processes: raw bytes, which plain C programs share, mapped into this process.
///
/// It has the buffer protocol: memoryview(memory), numpy.frombuffer(memory) and ctypes' from_buffer(memory) are views without a copy. The pages stay
/// mapped while any view lives, also after close. What others write meanwhile is seen at once; order needs a Mutex or an Atomic.
///
/// A memory costs a descriptor (an anonymous one: none) and a mapping. Children made by fork have the same pages; pickling a named one opens it by
/// its name. `with` closes it.
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Memory {
    memory: Mutex<Option<memory::Memory>>,
    /// Every mapping that a view was made of: some users of the buffer protocol keep the object and not the view.
    exported: Mutex<Vec<Arc<Mapping>>>,
    #[pyo3(get)]
    /// The name, of a named one.
    name: Option<String>,
    #[pyo3(get)]
    /// Whether stores through a view are refused.
    read_only: bool,
    #[pyo3(get)]
    /// Whether this handle made the object.
    was_created: bool,
}

impl Memory {
    fn of(memory: memory::Memory, name: Option<String>) -> Memory {
        let (read_only, was_created) = (memory.mapping().access() == Access::ReadOnly, memory.was_created());
        Memory { memory: Mutex::new(Some(memory)), exported: Mutex::default(), name, read_only, was_created }
    }

    /// The memory, for a call that does not wait for the interpreter's lock.
    fn locked(&self) -> MutexGuard<'_, Option<memory::Memory>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<R>(&self, py: Python<'_>, call: impl FnOnce(&memory::Memory) -> unipc::Result<R>) -> PyResult<R> {
        call(self.locked().as_ref().ok_or_else(closed)?).raise(py)
    }

    fn change<R: Send>(&self, py: Python<'_>, call: impl FnOnce(&mut memory::Memory) -> unipc::Result<R> + Send) -> PyResult<R> {
        py.detach(|| self.locked().as_mut().map(call)).ok_or_else(closed)?.raise(py)
    }

    /// A mapping that stays as long as this object, whoever points into it.
    fn export(&self) -> PyResult<Arc<Mapping>> {
        let mapping = Arc::clone(self.locked().as_ref().ok_or_else(closed)?.mapping());
        let mut exported = self.exported.lock().unwrap_or_else(PoisonError::into_inner);
        if !exported.iter().any(|known| Arc::ptr_eq(known, &mapping)) {
            exported.push(Arc::clone(&mapping));
        }
        Ok(mapping)
    }

    fn atomic(&self, py: Python<'_>, offset: usize, width: Width) -> PyResult<Atomic> {
        // The core checks place and alignment.
        self.with(py, |memory| match width {
            Width::U32 | Width::I32 => memory.load_u32(offset, std::sync::atomic::Ordering::Relaxed).map(drop),
            Width::U64 | Width::I64 => memory.load_u64(offset, std::sync::atomic::Ordering::Relaxed).map(drop),
        })?;
        Ok(Atomic::new(self.export()?, offset, width))
    }
}

fn closed() -> PyErr {
    invalid("the memory is closed")
}

type OpenNamed = fn(&str, &MemoryOptions<'_>) -> unipc::Result<memory::Memory>;

/// The three constructors differ in the core's function alone.
fn named(py: Python<'_>, name: String, patience: Option<f64>, options: MemoryOptions<'_>, open: OpenNamed) -> PyResult<Memory> {
    let call = |wait_for_creator: Wait<'_>| open(&name, &MemoryOptions { wait_for_creator, ..options });
    let memory = waiting(py, patience, &|| true, call)?;
    Ok(Memory::of(memory, Some(name)))
}

fn access(read_only: bool) -> Access {
    if read_only { Access::ReadOnly } else { Access::ReadWrite }
}

#[pymethods]
impl Memory {
    /// Creates POSIX shared memory of zero bytes, exclusively. It has its size, pages and permissions before it has its name.
    ///
    /// name: at most 255 bytes; the leading slash is optional. size: bytes, at least 1. mode: the permissions, set whatever the umask says; 0 is
    /// 0o600. group: by name or number. temporary removes the name when this handle is closed. unpublished gives the name later, by publish.
    /// sparse does not reserve the pages: a store into a full system is then a fatal signal.
    /// Errors: FileExistsError; ValueError, OSError with EINVAL, ENAMETOOLONG; OSError with ENOSPC, ENOMEM: no room, and the text says how much is
    /// left; PermissionError. Source: shm_open(3), shm_overview(7).
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
    /// size: the least that will do; 0 for any. any_owner accepts an object of a user other than oneself and root. wait_for_creator: seconds to wait
    /// for another process to create it and give it its size, None for ever.
    /// Errors: FileNotFoundError; PermissionError; WrongKind; WrongSize if it is smaller, or has no size yet; OSError with ELOOP for a link.
    #[staticmethod]
    #[pyo3(
        signature = (name, *, size=0, read_only=false, any_owner=false, wait_for_creator=Some(0.0)),
        text_signature = "(name, *, size=0, read_only=False, any_owner=False, wait_for_creator=0)"
    )]
    fn open(
        py: Python<'_>,
        name: String,
        size: usize,
        read_only: bool,
        any_owner: bool,
        wait_for_creator: Option<f64>,
    ) -> PyResult<Memory> {
        let options = MemoryOptions { size, access: access(read_only), any_owner, ..Default::default() };
        named(py, name, wait_for_creator, options, memory::Memory::open)
    }

    /// Opens the memory, or creates it if there is none; was_created tells. Arguments and errors as open and create.
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

    /// Makes pages without a name, for children made by fork. Source: mmap(2).
    #[staticmethod]
    fn anonymous(py: Python<'_>, size: usize) -> PyResult<Memory> {
        memory::Memory::anonymous(size).raise(py).map(|memory| Memory::of(memory, None))
    }

    /// Removes a name. Who has the memory mapped goes on using it. Errors: FileNotFoundError; PermissionError. Source: shm_unlink(3).
    #[staticmethod]
    fn unlink(py: Python<'_>, name: &str) -> PyResult<()> {
        memory::Memory::unlink(name).raise(py)
    }

    /// Maps an object by a descriptor from elsewhere: a memfd, a file, something received. The descriptor is the memory's from now on, unless this
    /// fails. size: the least that will do. Errors: OSError with EBADF; WrongKind; WrongSize.
    #[staticmethod]
    #[pyo3(signature = (fd, *, size=0, read_only=false))]
    fn from_fd(py: Python<'_>, fd: i32, size: usize, read_only: bool) -> PyResult<Memory> {
        let options = MemoryOptions { size, access: access(read_only), ..Default::default() };
        let memory = adopt(py, fd, |descriptor| memory::Memory::from_descriptor(descriptor, &options))?;
        Ok(Memory::of(memory, None))
    }

    /// Gives the descriptor to the caller, who closes it; the memory is closed, and its name stays. Errors: OSError with EOPNOTSUPP for an anonymous
    /// one.
    fn into_fd(&self, py: Python<'_>) -> PyResult<i32> {
        let mut place = self.locked();
        match place.take().ok_or_else(closed)?.into_descriptor() {
            Ok(descriptor) => Ok(descriptor.into_raw_fd()),
            Err(refused) => {
                let (memory, error) = *refused;
                *place = Some(memory);
                Err(crate::error::raise(py, &error))
            }
        }
    }

    /// Gives an unpublished memory its name, exclusively: after FileExistsError it can be tried again.
    fn publish(&self, py: Python<'_>) -> PyResult<()> {
        self.change(py, memory::Memory::publish)
    }

    /// Changes the size of the object. Views from before stay valid and keep their size; behind the end of a shrunk object lies a fatal signal.
    ///
    /// Errors, after which nothing has changed: OSError with ENOSPC, ENOMEM, EOPNOTSUPP for anonymous memory; PermissionError.
    fn resize(&self, py: Python<'_>, size: usize) -> PyResult<()> {
        self.change(py, |memory| memory.resize(size))
    }

    /// Maps what another process has made of the object's size.
    fn refresh(&self, py: Python<'_>) -> PyResult<()> {
        self.change(py, memory::Memory::refresh)
    }

    /// Copies bytes out. Errors: OSError with EINVAL beyond the size.
    fn read<'py>(&self, py: Python<'py>, offset: usize, size: usize) -> PyResult<Bound<'py, PyBytes>> {
        // Beyond the size nothing is worth the memory.
        let size = if size > self.size()? { self.size()?.saturating_add(1) } else { size };
        PyBytes::new_with(py, size, |bytes| self.with(py, |memory| memory.read(offset, bytes)))
    }

    /// Copies bytes out into a buffer, and fills it. Errors as read.
    fn read_into(&self, py: Python<'_>, offset: usize, buffer: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut buffer = Buffer::writable(buffer)?;
        self.with(py, |memory| memory.read(offset, buffer.bytes_mut()))
    }

    /// Copies bytes in. Errors: OSError with EINVAL beyond the size; PermissionError for a read-only handle.
    fn write(&self, py: Python<'_>, offset: usize, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let data = Buffer::readable(data)?;
        self.with(py, |memory| memory.write(offset, data.bytes()))
    }

    /// The 32-bit word at a multiple of 4 bytes as an atomic, without a sign. Errors: OSError with EINVAL.
    fn atomic_u32(&self, py: Python<'_>, offset: usize) -> PyResult<Atomic> {
        self.atomic(py, offset, Width::U32)
    }

    /// The 32-bit word at a multiple of 4 bytes as an atomic, with a sign. Errors: OSError with EINVAL.
    fn atomic_i32(&self, py: Python<'_>, offset: usize) -> PyResult<Atomic> {
        self.atomic(py, offset, Width::I32)
    }

    /// The 64-bit word at a multiple of 8 bytes as an atomic, without a sign. Errors: OSError with EINVAL.
    fn atomic_u64(&self, py: Python<'_>, offset: usize) -> PyResult<Atomic> {
        self.atomic(py, offset, Width::U64)
    }

    /// The 64-bit word at a multiple of 8 bytes as an atomic, with a sign. Errors: OSError with EINVAL.
    fn atomic_i64(&self, py: Python<'_>, offset: usize) -> PyResult<Atomic> {
        self.atomic(py, offset, Width::I64)
    }

    /// How many bytes are mapped: the size that the object had when it was opened, resized or refreshed by this handle.
    #[getter]
    fn size(&self) -> PyResult<usize> {
        self.locked().as_ref().map(memory::Memory::size).ok_or_else(closed)
    }

    /// The descriptor, which stays the memory's. Errors: OSError with EOPNOTSUPP for an anonymous one.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        self.with(py, |memory| memory.descriptor("get descriptor of memory").map(|descriptor| descriptor.as_raw_fd()))
    }

    /// Closes the memory; again is fine. The pages stay mapped while a view of them, or what was made of one, lives.
    fn close(&self) {
        let memory = self.locked().take();
        drop(memory);
    }

    /// Whether the memory is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.locked().is_none()
    }

    fn __len__(&self) -> PyResult<usize> {
        self.size()
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (kind, error, traceback, /))]
    fn __exit__(&self, kind: Py<PyAny>, error: Py<PyAny>, traceback: Py<PyAny>) {
        let _ = (kind, error, traceback);
        self.close();
    }

    /// # Safety
    /// The interpreter passes a view to be filled.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: std::ffi::c_int) -> PyResult<()> {
        let mapping = slf.get().export()?;
        let read_only = std::ffi::c_int::from(slf.get().read_only);
        // The object keeps the mapping for as long as it lives, and the view keeps the object.
        // SAFETY: the caller's promise; the mapping is valid for its length.
        let result =
            unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), mapping.as_ptr().cast(), mapping.len() as isize, read_only, flags) };
        if result == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reduce(slf.as_any(), "reduce_memory")
    }

    fn __repr__(&self) -> String {
        let name = self.name.as_deref().map_or_else(String::new, |name| format!(" {name:?}"));
        match self.size() {
            Ok(size) => format!("<unipc.Memory{name} size={size}>"),
            Err(_) => format!("<unipc.Memory{name} closed>"),
        }
    }
}
