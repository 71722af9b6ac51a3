//! The same pages in several processes.
//!
//! A *memory* is a kernel object with raw bytes, without a header of ours: plain C programs share it. A [`Mapping`] is an address range of one.
//!
//! Three races belong to it. Two processes that both create: [`Memory::create`] is exclusive, [`Memory::open_or_create`] tells who made it. An
//! opener that comes before the size and the content: an object has both before it has a name ([`MemoryOptions::unpublished`],
//! [`Memory::publish`]). And accesses at the same moment: the bytes are read and written by copies and atomics for which a race is data, while
//! order needs a lock ([`crate::sync`]) or atomics.
//!
//! [shm_overview(7)](https://man7.org/linux/man-pages/man7/shm_overview.7.html), [mmap(2)](https://man7.org/linux/man-pages/man2/mmap.2.html)

mod mapping;
pub(crate) mod publish;
mod room;
mod typed;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use nix::errno::Errno;

pub use mapping::{Access, Mapping};
pub use typed::{Shareable, Shared, anonymous, create, open, open_or_create};

use crate::descriptor;
use crate::error::{Context, Error, Failure, Result};
use crate::name::{self, LONGEST_NAME, OwnedName};
use crate::shared::racing;
use crate::wait::{Deadline, Wait, await_creator};
use publish::{DIRECTORY, Draft, open_object, set_size};

/// How a memory is made and opened.
#[derive(Debug, Clone)]
pub struct MemoryOptions<'a> {
    /// Create: the size in bytes, at least one. Open: the least that will do, 0 for any.
    pub size: usize,
    /// Create: the permissions, set whatever the umask says; 0 is 0600.
    pub mode: u32,
    /// Create: the group, by name or number.
    pub group: Option<String>,
    /// What for.
    pub access: Access,
    /// Open: accept an object of a user other than oneself and root.
    pub any_owner: bool,
    /// Create: remove the name when the creator drops its handle.
    pub temporary: bool,
    /// Create: give the name later, by [`Memory::publish`].
    pub unpublished: bool,
    /// Create: do not reserve the pages. A store into a full system is then SIGBUS.
    pub sparse: bool,
    /// Open: how long to wait for another process to create the object and give it its size.
    pub wait_for_creator: Wait<'a>,
}

impl Default for MemoryOptions<'_> {
    /// Of any size, for the owner alone, read and written, every page reserved, not waiting for a creator.
    fn default() -> Self {
        MemoryOptions {
            size: 0,
            mode: 0,
            group: None,
            access: Access::ReadWrite,
            any_owner: false,
            temporary: false,
            unpublished: false,
            sparse: false,
            wait_for_creator: Wait::NEVER,
        }
    }
}

impl MemoryOptions<'_> {
    /// The defaults, with a size.
    pub fn sized(size: usize) -> Self {
        MemoryOptions { size, ..Default::default() }
    }
}

/// A memory that this process has mapped.
///
/// It costs a descriptor (an anonymous one: none) and a mapping, and another mapping per change of size. `fork` hands it on: the child has
/// the same pages, and dropping the handle there removes no name.
#[derive(Debug)]
pub struct Memory {
    object: Object,
    mapping: Arc<Mapping>,
    /// Whoever holds an address from before a change of size goes on using it.
    earlier: Vec<Arc<Mapping>>,
    name: Option<Box<str>>,
    was_created: bool,
    reserve: bool,
    temporary: Option<OwnedName>,
}

#[derive(Debug)]
enum Object {
    Anonymous,
    Open(OwnedFd),
    Draft { draft: Draft, path: String, temporary: bool },
}

impl Memory {
    /// Creates POSIX shared memory of zero bytes, exclusively: `EEXIST` if the name is taken.
    ///
    /// Errors: `EINVAL` for a bad name, mode, group or size; `ENAMETOOLONG`; `ENOSPC` when `/dev/shm` has no room, `ENOMEM` when the machine or
    /// a control group has none, both found out now and not at some later store; `EPERM` for a group of others; `EACCES`, `EMFILE`, `ENFILE`.
    pub fn create(name: &str, options: &MemoryOptions<'_>) -> Result<Memory> {
        const OPERATION: &str = "create memory";
        let path = path(OPERATION, name)?;
        check_size(OPERATION, name, options.size)?;
        let mode = name::permissions(OPERATION, options.mode).map_err(|error| error.on(name))?;
        let group = options.group.as_deref().map(|group| name::group(OPERATION, group)).transpose()?;
        // Before room is taken for nothing, and perhaps not found: a name that is taken is the better reason.
        if !options.unpublished && name::status(&path).is_ok() {
            return Err(Error::os(OPERATION, Errno::EEXIST).on(name));
        }
        let reserve = !options.sparse;
        let draft = Draft::create(OPERATION, DIRECTORY, options.size, mode, group, reserve).map_err(|error| error.on(name))?;
        let mapping = Mapping::of(draft.descriptor(), options.size, options.access).during_on(OPERATION, name)?;
        let mut memory = Memory {
            object: Object::Draft { draft, path, temporary: options.temporary },
            mapping: Arc::new(mapping),
            earlier: Vec::new(),
            name: Some(name.into()),
            was_created: true,
            reserve,
            temporary: None,
        };
        if !options.unpublished {
            memory.publish_as(OPERATION)?;
        }
        Ok(memory)
    }

    /// Opens POSIX shared memory that exists, and maps the whole of it.
    ///
    /// Errors: `ENOENT`; `EPERM` if it belongs to another user; `EACCES`; `ELOOP` for a link; [`Failure::WrongKind`] for what is no regular
    /// file; [`Failure::WrongSize`] if it is smaller than asked for, or has no size yet.
    pub fn open(name: &str, options: &MemoryOptions<'_>) -> Result<Memory> {
        const OPERATION: &str = "open memory";
        let path = path(OPERATION, name)?;
        let may_come = |error: &Error| error.is(Errno::ENOENT) || error.is_failure(Failure::WrongSize);
        await_creator(OPERATION, options.wait_for_creator, may_come, || {
            let (descriptor, status) = open_object(OPERATION, &path, name, options.access, options.any_owner)?;
            Memory::map_whole(OPERATION, name, descriptor, &status, options)
        })
    }

    /// Opens the memory, or creates it if there is none; [`Memory::was_created`] tells.
    pub fn open_or_create(name: &str, options: &MemoryOptions<'_>) -> Result<Memory> {
        const OPERATION: &str = "open or create memory";
        check_size(OPERATION, name, options.size)?;
        // Made by a program that gives the size after the name: wait for it, if at all.
        let unfinished = |error: &Error| error.is_failure(Failure::WrongSize);
        await_creator(OPERATION, options.wait_for_creator, unfinished, || Memory::open_else_create(OPERATION, name, options))
    }

    fn open_else_create(operation: &'static str, name: &str, options: &MemoryOptions<'_>) -> Result<Memory> {
        let at_once = MemoryOptions { wait_for_creator: Wait::NEVER, ..options.clone() };
        // Those who lose the race hold room for a moment, and more of them than there is room for may all fail at first.
        let mut crowded = Deadline::new(operation, options.wait_for_creator.with_timeout(Duration::from_millis(500)));
        loop {
            match Memory::open(name, &at_once) {
                Err(error) if error.is(Errno::ENOENT) => {}
                other => return other,
            }
            match Memory::create(name, options) {
                Err(error) if error.is(Errno::EEXIST) => {}
                Err(error) if error.is(Errno::ENOSPC) || error.is(Errno::ENOMEM) => match crowded.pause() {
                    Ok(()) => {}
                    Err(stopped) if stopped.is_given_up() => return Err(stopped),
                    Err(_) => return Err(error),
                },
                other => return other,
            }
        }
    }

    /// Makes pages without a name, for children made by `fork`. Only the size counts among the options.
    pub fn anonymous(size: usize) -> Result<Memory> {
        const OPERATION: &str = "create anonymous memory";
        check_size(OPERATION, "", size)?;
        let mapping = Mapping::anonymous(size).during(OPERATION)?;
        Ok(Memory {
            object: Object::Anonymous,
            mapping: Arc::new(mapping),
            earlier: Vec::new(),
            name: None,
            was_created: true,
            reserve: false,
            temporary: None,
        })
    }

    /// Maps an object by a descriptor from elsewhere: a memfd, a file, something received. The size and access of the options count.
    pub fn from_descriptor(descriptor: OwnedFd, options: &MemoryOptions<'_>) -> std::result::Result<Memory, (OwnedFd, Error)> {
        const OPERATION: &str = "map memory from descriptor";
        let name = format!("descriptor {}", descriptor.as_raw_fd());
        let name = name.as_str();
        let attempt = descriptor::status(descriptor.as_fd()).during(OPERATION).and_then(|status| {
            if name::kind(&status) != libc::S_IFREG {
                return Err(name::wrong_kind(OPERATION, name, "a regular file or memory", &status));
            }
            check_found_size(OPERATION, name, &status, options.size)?;
            let mapping = Mapping::of(descriptor.as_fd(), status.st_size as usize, options.access).during_on(OPERATION, name)?;
            descriptor::close_on_exec(descriptor.as_fd()).during(OPERATION)?;
            Ok(mapping)
        });
        match attempt {
            Ok(mapping) => Ok(Memory::of_open(descriptor, mapping, name, !options.sparse)),
            Err(error) => Err((descriptor, error)),
        }
    }

    fn map_whole(
        operation: &'static str,
        name: &str,
        descriptor: OwnedFd,
        status: &libc::stat,
        options: &MemoryOptions<'_>,
    ) -> Result<Memory> {
        check_found_size(operation, name, status, options.size)?;
        let mapping = Mapping::of(descriptor.as_fd(), status.st_size as usize, options.access).during_on(operation, name)?;
        Ok(Memory::of_open(descriptor, mapping, name, !options.sparse))
    }

    fn of_open(descriptor: OwnedFd, mapping: Mapping, name: &str, reserve: bool) -> Memory {
        Memory {
            object: Object::Open(descriptor),
            mapping: Arc::new(mapping),
            earlier: Vec::new(),
            name: Some(name.into()),
            was_created: false,
            reserve,
            temporary: None,
        }
    }

    /// Gives an unpublished memory its name, exclusively: after `EEXIST` it can be tried again. `EINVAL` if it has a name already.
    pub fn publish(&mut self) -> Result<()> {
        self.publish_as("publish memory")
    }

    fn publish_as(&mut self, operation: &'static str) -> Result<()> {
        let Object::Draft { draft, path, temporary } = &self.object else {
            return Err(self.error(operation, Errno::EINVAL).hint("it is not a memory that waits for its name"));
        };
        let identity = draft.identity().during(operation)?;
        draft.publish(path).map_err(|errno| self.error(operation, errno))?;
        let owned = temporary.then(|| OwnedName::new(path.clone(), identity));
        if let Object::Draft { draft, .. } = std::mem::replace(&mut self.object, Object::Anonymous) {
            self.object = Object::Open(draft.into_descriptor());
        }
        self.temporary = owned;
        Ok(())
    }

    /// Removes a name. Who has the memory mapped goes on using it.
    pub fn unlink(name: &str) -> Result<()> {
        const OPERATION: &str = "unlink memory";
        name::unlink(&path(OPERATION, name)?).during_on(OPERATION, name)
    }

    /// Whether this handle made the object.
    pub fn was_created(&self) -> bool {
        self.was_created
    }

    /// The bytes that are mapped: the size the object had when it was opened, resized or refreshed by this handle.
    pub fn size(&self) -> usize {
        self.mapping.len()
    }

    /// The newest mapping. A clone keeps the pages mapped when the handle is gone.
    pub fn mapping(&self) -> &Arc<Mapping> {
        &self.mapping
    }

    /// Changes the size of the object and maps the new one. Addresses from before stay valid; behind the end of a shrunk object lies SIGBUS.
    ///
    /// More than this handle has mapped only ever makes the object grow: what another process has added stays. Who shrinks it, or makes it grow
    /// without reserving ([`MemoryOptions::sparse`]), needs a lock against the others.
    ///
    /// Errors, after which nothing has changed: `ENOSPC`, `ENOMEM`; `EACCES` for a read-only handle; `EINVAL` for no size; `EPERM` for a sealed
    /// object; `EOPNOTSUPP` for anonymous memory.
    pub fn resize(&mut self, size: usize) -> Result<()> {
        const OPERATION: &str = "resize memory";
        check_size(OPERATION, self.label(), size)?;
        if self.mapping.access() == Access::ReadOnly {
            return Err(self.error(OPERATION, Errno::EACCES).hint("the handle is read-only"));
        }
        let descriptor = self.descriptor(OPERATION)?;
        let old = descriptor::status(descriptor).during_on(OPERATION, self.label())?.st_size as u64;
        // Mapped before there is anything behind it: whichever of the two fails, nothing has changed.
        let fresh = self.map_again(OPERATION, size)?;
        let has_grown_enough = size >= self.size() && old >= size as u64;
        if !has_grown_enough {
            set_size(OPERATION, descriptor, old, size, self.reserve).map_err(|error| error.on(self.label()))?;
        }
        self.replace_mapping(fresh);
        Ok(())
    }

    /// Maps what another process has made of the object's size. Addresses from before stay valid.
    pub fn refresh(&mut self) -> Result<()> {
        const OPERATION: &str = "refresh memory";
        let status = descriptor::status(self.descriptor(OPERATION)?).during_on(OPERATION, self.label())?;
        check_found_size(OPERATION, self.label(), &status, 0)?;
        let fresh = self.map_again(OPERATION, status.st_size as usize)?;
        self.replace_mapping(fresh);
        Ok(())
    }

    /// A mapping of another length; the one that there is, or was, where one fits.
    fn map_again(&self, operation: &'static str, size: usize) -> Result<Arc<Mapping>> {
        if let Some(fitting) = self.earlier.iter().chain([&self.mapping]).find(|mapping| mapping.len() == size) {
            return Ok(Arc::clone(fitting));
        }
        let fresh = Mapping::of(self.descriptor(operation)?, size, self.mapping.access());
        fresh.map(Arc::new).map_err(|errno| self.error(operation, errno))
    }

    fn replace_mapping(&mut self, fresh: Arc<Mapping>) {
        let former = std::mem::replace(&mut self.mapping, fresh);
        self.earlier.retain(|known| !Arc::ptr_eq(known, &self.mapping));
        if !Arc::ptr_eq(&former, &self.mapping) {
            self.earlier.push(former);
        }
    }

    /// Copies bytes out. What others write meanwhile arrives as a mixture. `EINVAL` beyond the size.
    pub fn read(&self, offset: usize, buffer: &mut [u8]) -> Result<()> {
        let source = self.range("read memory", offset, buffer.len())?;
        // SAFETY: the range lies inside the mapping, the buffer is ours alone.
        unsafe { racing::copy_out(source, buffer.as_mut_ptr(), buffer.len()) };
        Ok(())
    }

    /// Copies bytes in. `EINVAL` beyond the size; `EACCES` for a read-only handle.
    pub fn write(&self, offset: usize, data: &[u8]) -> Result<()> {
        const OPERATION: &str = "write memory";
        let destination = self.range(OPERATION, offset, data.len())?;
        self.require_writable(OPERATION)?;
        // SAFETY: the range lies inside the mapping, which is writable; the data is ours for the time.
        unsafe { racing::copy_in(data.as_ptr(), destination, data.len()) };
        Ok(())
    }

    /// Reads an aligned word; works on a read-only handle. `EINVAL` for a place that is not inside or not aligned.
    ///
    /// # Panics
    /// As [`AtomicU32::load`], for a release order.
    pub fn load_u32(&self, offset: usize, order: Ordering) -> Result<u32> {
        // SAFETY: the place is valid, aligned, and changed only atomically or by other processes; a load does not write.
        Ok(unsafe { AtomicU32::from_ptr(self.place("read memory", offset)?) }.load(order))
    }

    /// Reads an aligned double word; works on a read-only handle. `EINVAL` for a place that is not inside or not aligned.
    ///
    /// # Panics
    /// As [`AtomicU64::load`], for a release order.
    pub fn load_u64(&self, offset: usize, order: Ordering) -> Result<u64> {
        // SAFETY: as in `load_u32`.
        Ok(unsafe { AtomicU64::from_ptr(self.place("read memory", offset)?) }.load(order))
    }

    /// An atomic at a place. `EINVAL` for a place that is not inside or not aligned; `EACCES` for a read-only handle.
    pub fn atomic_u32(&self, offset: usize) -> Result<&AtomicU32> {
        // SAFETY: `writable_place` gives a valid, aligned place that lives as long as the handle.
        Ok(unsafe { AtomicU32::from_ptr(self.writable_place(offset)?) })
    }

    /// As [`Memory::atomic_u32`].
    pub fn atomic_u64(&self, offset: usize) -> Result<&AtomicU64> {
        // SAFETY: as in `atomic_u32`.
        Ok(unsafe { AtomicU64::from_ptr(self.writable_place(offset)?) })
    }

    /// As [`Memory::atomic_u32`].
    pub fn atomic_i32(&self, offset: usize) -> Result<&AtomicI32> {
        // SAFETY: as in `atomic_u32`.
        Ok(unsafe { AtomicI32::from_ptr(self.writable_place(offset)?) })
    }

    /// As [`Memory::atomic_u32`].
    pub fn atomic_i64(&self, offset: usize) -> Result<&AtomicI64> {
        // SAFETY: as in `atomic_u32`.
        Ok(unsafe { AtomicI64::from_ptr(self.writable_place(offset)?) })
    }

    /// The bytes as an ordinary slice.
    ///
    /// # Safety
    /// Nobody, in any process, writes to the memory or shrinks it while the slice lives.
    pub unsafe fn view(&self) -> &[u8] {
        // SAFETY: mapped for reading, for as long as the handle; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts(self.mapping.as_ptr(), self.mapping.len()) }
    }

    fn writable_place<T>(&self, offset: usize) -> Result<*mut T> {
        const OPERATION: &str = "use atomic in memory";
        let place = self.place(OPERATION, offset)?;
        self.require_writable(OPERATION)?;
        Ok(place)
    }

    fn place<T>(&self, operation: &'static str, offset: usize) -> Result<*mut T> {
        let place = self.range(operation, offset, size_of::<T>())?;
        if !offset.is_multiple_of(align_of::<T>()) {
            let remedy = format!("offset {offset} is not a multiple of {}", align_of::<T>());
            return Err(self.error(operation, Errno::EINVAL).hint(remedy));
        }
        Ok(place.cast())
    }

    fn range(&self, operation: &'static str, offset: usize, length: usize) -> Result<*mut u8> {
        let size = self.mapping.len();
        if offset > size || length > size - offset {
            let remedy = format!("{length} bytes at {offset} do not lie within the {size} bytes of the memory");
            return Err(self.error(operation, Errno::EINVAL).hint(remedy));
        }
        // SAFETY: the offset lies within the mapping or at its end.
        Ok(unsafe { self.mapping.as_ptr().add(offset) })
    }

    fn require_writable(&self, operation: &'static str) -> Result<()> {
        match self.mapping.access() {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(self.error(operation, Errno::EACCES).hint("the handle is read-only")),
        }
    }

    /// The descriptor of the object; `EOPNOTSUPP` for anonymous memory, which has none.
    pub fn descriptor(&self, operation: &'static str) -> Result<BorrowedFd<'_>> {
        match &self.object {
            Object::Open(descriptor) => Ok(descriptor.as_fd()),
            Object::Draft { draft, .. } => Ok(draft.descriptor()),
            Object::Anonymous => Err(Error::os(operation, Errno::EOPNOTSUPP).hint("anonymous memory has no descriptor")),
        }
    }

    /// Unmaps, and gives the descriptor away. The name stays, also of a temporary memory. `EOPNOTSUPP` for anonymous memory.
    pub fn into_descriptor(mut self) -> std::result::Result<OwnedFd, Box<(Memory, Error)>> {
        if let Some(name) = self.temporary.take() {
            name.keep();
        }
        match std::mem::replace(&mut self.object, Object::Anonymous) {
            Object::Open(descriptor) => Ok(descriptor),
            Object::Draft { draft, .. } => Ok(draft.into_descriptor()),
            Object::Anonymous => {
                let error = self.error("release memory", Errno::EOPNOTSUPP).hint("anonymous memory has no descriptor");
                Err(Box::new((self, error)))
            }
        }
    }

    fn label(&self) -> &str {
        self.name.as_deref().unwrap_or("anonymous")
    }

    #[cold]
    fn error(&self, operation: &'static str, errno: Errno) -> Error {
        Error::os(operation, errno).on(self.label())
    }
}

fn path(operation: &'static str, name: &str) -> Result<String> {
    Ok(format!("{DIRECTORY}/{}", name::object_name(operation, name, LONGEST_NAME)?))
}

fn check_size(operation: &'static str, name: &str, size: usize) -> Result<()> {
    if size == 0 || size > isize::MAX as usize {
        let remedy = format!("a memory has 1 to {} bytes, not {size}", isize::MAX);
        return Err(Error::os(operation, Errno::EINVAL).on(name).hint(remedy));
    }
    Ok(())
}

fn check_found_size(operation: &'static str, name: &str, status: &libc::stat, needed: usize) -> Result<()> {
    let found = status.st_size as usize;
    if found == 0 {
        let error = Error::failure(operation, Failure::WrongSize).on(name);
        return Err(error.hint("its creator has not given it a size yet"));
    }
    if found < needed {
        let remedy = format!("it has {found} bytes, {needed} are needed");
        return Err(Error::failure(operation, Failure::WrongSize).on(name).hint(remedy));
    }
    Ok(())
}
