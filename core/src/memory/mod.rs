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

mod file;
mod mapping;
mod memfd;
mod options;
mod pages;
pub(crate) mod publish;
mod room;
mod sysv;
mod typed;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use nix::errno::Errno;

pub use file::Flush;
pub use mapping::Mapping;
pub use memfd::Seals;
pub use options::{Access, HugePages, MemoryOptions};
pub use pages::Advice;
pub use sysv::SysvMemoryStatus;
pub use typed::{Shareable, Shared, anonymous, create, open, open_or_create};

use crate::descriptor;
use crate::error::{Context, Error, Failure, Result};
use crate::name::{self, LONGEST_NAME, OwnedName};
use crate::shared::racing;
use crate::wait::{Deadline, Wait, await_creator};
use mapping::Place;
use publish::{DIRECTORY, Draft, SizeLock, open_object, set_size};

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
    kept: Kept,
    temporary: Option<OwnedName>,
}

#[derive(Debug)]
enum Object {
    Anonymous,
    Open(OwnedFd),
    Draft { draft: Draft, path: PathBuf, temporary: bool },
    Sysv(sysv::Segment),
}

/// What holds for later mappings of the handle too.
#[derive(Debug, Clone, Copy)]
struct Kept {
    reserve: bool,
    prefault: bool,
    pinned: bool,
    /// Copies go through the kernel.
    checked: bool,
    /// A part is mapped, and not the whole.
    is_part: bool,
    place: Place,
}

impl Kept {
    fn of(options: &MemoryOptions<'_>, place: Place) -> Kept {
        let MemoryOptions { sparse, prefault, pinned, checked, .. } = *options;
        Kept { reserve: !sparse, prefault, pinned, checked, is_part: options.is_part(), place: Place { address: 0, ..place } }
    }
}

impl Memory {
    /// Creates POSIX shared memory of zero bytes, exclusively: `EEXIST` if the name is taken.
    ///
    /// Errors: `EINVAL` for a bad name, mode, group or size; `ENAMETOOLONG`; `ENOSPC` when `/dev/shm` has no room, `ENOMEM` when the machine or
    /// a control group has none, both found out now and not at some later store; `EPERM` for a group of others; `EACCES`, `EMFILE`, `ENFILE`.
    pub fn create(name: &str, options: &MemoryOptions<'_>) -> Result<Memory> {
        const OPERATION: &str = "create memory";
        let path = path(OPERATION, name)?;
        Memory::create_at(OPERATION, DIRECTORY, path.into(), name, options)
    }

    /// Makes a file in a directory, and gives it its path when it is complete.
    fn create_at(operation: &'static str, directory: &str, path: PathBuf, name: &str, options: &MemoryOptions<'_>) -> Result<Memory> {
        options.check_creation(operation, name)?;
        let mode = name::permissions(operation, options.mode).map_err(|error| error.on(name))?;
        let group = options.group.as_deref().map(|group| name::group(operation, group)).transpose()?;
        if options.huge_pages == HugePages::Require {
            return Err(pages::no_huge(operation, name, None));
        }
        // Before room is taken for nothing, and perhaps not found: a name that is taken is the better reason.
        if !options.unpublished && name::status(&path).is_ok() {
            return Err(Error::os(operation, Errno::EEXIST).on(name));
        }
        let draft = Draft::create(operation, directory, options.size, mode, group, !options.sparse).map_err(|error| error.on(name))?;
        let place = options.place();
        let mapping = Mapping::at(draft.descriptor(), options.size, options.access, place).during_on(operation, name)?;
        pages::settle(operation, name, &mapping, options)?;
        let mut memory = Memory {
            object: Object::Draft { draft, path, temporary: options.temporary },
            mapping: Arc::new(mapping),
            earlier: Vec::new(),
            name: Some(name.into()),
            was_created: true,
            kept: Kept { is_part: false, ..Kept::of(options, place) },
            temporary: None,
        };
        if !options.unpublished {
            memory.publish_as(operation)?;
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
            Memory::map_found(OPERATION, name, descriptor, &status, &whole(options))
        })
    }

    /// Opens the memory, or creates it if there is none; [`Memory::was_created`] tells.
    pub fn open_or_create(name: &str, options: &MemoryOptions<'_>) -> Result<Memory> {
        const OPERATION: &str = "open or create memory";
        options.check_creation(OPERATION, name)?;
        let at_once = MemoryOptions { wait_for_creator: Wait::NEVER, ..options.clone() };
        Memory::open_else_create(OPERATION, options, || Memory::open(name, &at_once), || Memory::create(name, options))
    }

    /// Opens, and creates if there is none, until one of the two is done.
    fn open_else_create(
        operation: &'static str,
        options: &MemoryOptions<'_>,
        open: impl Fn() -> Result<Memory>,
        create: impl Fn() -> Result<Memory>,
    ) -> Result<Memory> {
        // Made by a program that gives the size after the name: wait for it, if at all.
        let unfinished = |error: &Error| error.is_failure(Failure::WrongSize);
        await_creator(operation, options.wait_for_creator, unfinished, || {
            // Those who lose the race hold room for a moment, and more of them than there is room for may all fail at first.
            let mut crowded = Deadline::new(operation, options.wait_for_creator.with_timeout(Duration::from_millis(500)));
            loop {
                match open() {
                    Err(error) if error.is(Errno::ENOENT) => {}
                    other => return other,
                }
                match create() {
                    Err(error) if error.is(Errno::EEXIST) => {}
                    Err(error) if error.is(Errno::ENOSPC) || error.is(Errno::ENOMEM) => match crowded.pause() {
                        Ok(()) => {}
                        Err(stopped) if stopped.is_given_up() => return Err(stopped),
                        Err(_) => return Err(error),
                    },
                    other => return other,
                }
            }
        })
    }

    /// Makes pages without a name, for children made by `fork`.
    pub fn anonymous(size: usize) -> Result<Memory> {
        Memory::anonymous_with(&MemoryOptions::sized(size))
    }

    /// Makes pages without a name. Size, address, prefault, pinned and huge pages count among the options.
    pub fn anonymous_with(options: &MemoryOptions<'_>) -> Result<Memory> {
        const OPERATION: &str = "create anonymous memory";
        options.check_creation(OPERATION, "")?;
        let (mapping, place) = Memory::map_anonymous(OPERATION, options)?;
        pages::settle(OPERATION, "anonymous", &mapping, options)?;
        Ok(Memory {
            object: Object::Anonymous,
            mapping: Arc::new(mapping),
            earlier: Vec::new(),
            name: None,
            was_created: true,
            kept: Kept::of(options, place),
            temporary: None,
        })
    }

    fn map_anonymous(operation: &'static str, options: &MemoryOptions<'_>) -> Result<(Mapping, Place)> {
        let place = options.place();
        if options.huge_pages != HugePages::No {
            let huge = Place { huge: pages::default_huge().unwrap_or(0), ..place };
            let size = options.size.checked_next_multiple_of(huge.huge.max(1)).unwrap_or(usize::MAX);
            let mapped = if huge.huge == 0 { Err(Errno::ENOSYS) } else { Mapping::anonymous(size, huge) };
            match mapped {
                Ok(mapping) => return Ok((mapping, huge)),
                Err(errno) if options.huge_pages == HugePages::Require => return Err(pages::no_huge(operation, "anonymous", Some(errno))),
                Err(_) => {}
            }
        }
        Ok((Mapping::anonymous(options.size, place).during(operation)?, place))
    }

    /// Maps an object by a descriptor from elsewhere: a memfd, a file, something received. Of the options, those of opening count.
    ///
    /// From somebody who is not trusted, [`MemoryOptions::require_seals`] is needed, or each access may be SIGBUS.
    pub fn from_descriptor(descriptor: OwnedFd, options: &MemoryOptions<'_>) -> std::result::Result<Memory, (OwnedFd, Error)> {
        const OPERATION: &str = "map memory from descriptor";
        let name = format!("descriptor {}", descriptor.as_raw_fd());
        let name = name.as_str();
        let attempt = descriptor::status(descriptor.as_fd()).during(OPERATION).and_then(|status| {
            if name::kind(&status) != libc::S_IFREG {
                return Err(name::wrong_kind(OPERATION, name, "a regular file or memory", &status));
            }
            let mapped = Memory::map(OPERATION, name, descriptor.as_fd(), &status, options)?;
            descriptor::close_on_exec(descriptor.as_fd()).during(OPERATION)?;
            Ok(mapped)
        });
        match attempt {
            Ok((mapping, place)) => Ok(Memory::of_open(descriptor, mapping, name, options, place)),
            Err(error) => Err((descriptor, error)),
        }
    }

    fn map_found(
        operation: &'static str,
        name: &str,
        descriptor: OwnedFd,
        status: &libc::stat,
        options: &MemoryOptions<'_>,
    ) -> Result<Memory> {
        let (mapping, place) = Memory::map(operation, name, descriptor.as_fd(), status, options)?;
        Ok(Memory::of_open(descriptor, mapping, name, options, place))
    }

    /// Maps of an object what the options say, after a look at its seals and its size.
    fn map(
        operation: &'static str,
        name: &str,
        descriptor: BorrowedFd<'_>,
        status: &libc::stat,
        options: &MemoryOptions<'_>,
    ) -> Result<(Mapping, Place)> {
        memfd::require_seals(operation, name, descriptor, options.require_seals)?;
        // A size holds only from the seals on: until then somebody may have shrunk the object, and sealed it after that.
        let sealed = match options.require_seals {
            Seals::NONE => None,
            _ => Some(descriptor::status(descriptor).during_on(operation, name)?),
        };
        let status = sealed.as_ref().unwrap_or(status);
        check_found_size(operation, name, status, options.size)?;
        let (place, length) = options.range(operation, name, descriptor, status.st_size as u64)?;
        let mapping = Mapping::at(descriptor, length, options.access, place).map_err(|errno| {
            let error = Error::os(operation, errno).on(name);
            let is_sealed = errno == Errno::EPERM && options.access == Access::ReadWrite;
            if is_sealed { error.hint("it is sealed against writing; it can be opened for reading") } else { error }
        })?;
        pages::settle(operation, name, &mapping, options)?;
        Ok((mapping, place))
    }

    fn of_open(descriptor: OwnedFd, mapping: Mapping, name: &str, options: &MemoryOptions<'_>, place: Place) -> Memory {
        Memory {
            object: Object::Open(descriptor),
            mapping: Arc::new(mapping),
            earlier: Vec::new(),
            name: Some(name.into()),
            was_created: false,
            kept: Kept::of(options, place),
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

    /// Removes the name of a temporary one now, as dropping the handle does, and lets it be used on: for the end of a process, whose threads may still
    /// have it.
    pub fn remove_temporary(&self) {
        if let Some(name) = &self.temporary {
            name.remove();
        }
        if let Object::Sysv(segment) = &self.object {
            segment.remove_temporary();
        }
    }

    /// Whether this handle made the object.
    pub fn was_created(&self) -> bool {
        self.was_created
    }

    /// The bytes that are mapped: the size the object had when it was opened, resized or refreshed by this handle.
    pub fn size(&self) -> usize {
        self.mapping.len()
    }

    /// Where the mapped range begins in the object, if a part is mapped and not the whole.
    pub fn part(&self) -> Option<u64> {
        self.kept.is_part.then_some(self.kept.place.offset)
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
    /// object; `EOPNOTSUPP` for anonymous memory; `EBUSY` if another process that is changing the size stops there for 10 s.
    pub fn resize(&mut self, size: usize) -> Result<()> {
        const OPERATION: &str = "resize memory";
        check_size(OPERATION, self.label(), size)?;
        if self.mapping.access() != Access::ReadWrite {
            return Err(self.error(OPERATION, Errno::EACCES).hint("the handle is read-only, or a private copy"));
        }
        let descriptor = self.descriptor(OPERATION)?;
        let size = size.checked_next_multiple_of(self.kept.place.huge.max(1)).unwrap_or(size);
        if self.kept.is_part {
            return Err(self.error(OPERATION, Errno::EINVAL).hint("a part of the object is mapped; the whole can change its size"));
        }
        let lock = SizeLock::take(OPERATION, descriptor).map_err(|error| error.on(self.label()))?;
        let old = descriptor::status(descriptor).during_on(OPERATION, self.label())?.st_size as u64;
        // Mapped before there is anything behind it: whichever of the two fails, nothing has changed.
        let fresh = self.map_again(OPERATION, size)?;
        let has_grown_enough = size >= self.size() && old >= size as u64;
        if !has_grown_enough {
            set_size(OPERATION, descriptor, old, size, self.kept.reserve && self.kept.place.huge == 0, lock.is_exclusive())
                .map_err(|error| error.on(self.label()))?;
        }
        if let Err(error) = self.settle_again(OPERATION, &fresh) {
            if !has_grown_enough && size as u64 > old && lock.is_exclusive() {
                publish::give_back(descriptor, size as u64, old);
            }
            return Err(error);
        }
        drop(lock);
        self.replace_mapping(fresh);
        Ok(())
    }

    /// Maps what another process has made of the object's size. Addresses from before stay valid.
    pub fn refresh(&mut self) -> Result<()> {
        const OPERATION: &str = "refresh memory";
        let status = descriptor::status(self.descriptor(OPERATION)?).during_on(OPERATION, self.label())?;
        check_found_size(OPERATION, self.label(), &status, 0)?;
        let size = status.st_size as usize;
        if self.kept.is_part {
            // The part stays the part, as long as it is there.
            let needed = self.kept.place.offset as usize + self.size();
            return check_found_size(OPERATION, self.label(), &status, needed);
        }
        let fresh = self.map_again(OPERATION, size)?;
        self.settle_again(OPERATION, &fresh)?;
        self.replace_mapping(fresh);
        Ok(())
    }

    /// Unmaps what is left from before changes of size and nobody holds an `Arc` of ([`Memory::mapping`]). For those who hold one wherever they keep
    /// an address; else every address from before stays valid.
    pub fn release_earlier(&mut self) {
        self.earlier.retain(|mapping| Arc::strong_count(mapping) > 1);
    }

    /// Does to a further mapping what was asked for the first.
    fn settle_again(&self, operation: &'static str, fresh: &Mapping) -> Result<()> {
        let Kept { prefault, pinned, .. } = self.kept;
        pages::settle(operation, self.label(), fresh, &MemoryOptions { prefault, pinned, ..Default::default() })
    }

    /// A mapping of another length; the one that there is, or was, where one fits.
    fn map_again(&self, operation: &'static str, size: usize) -> Result<Arc<Mapping>> {
        if let Some(fitting) = self.earlier.iter().chain([&self.mapping]).find(|mapping| mapping.len() == size) {
            return Ok(Arc::clone(fitting));
        }
        let fresh = Mapping::at(self.descriptor(operation)?, size, self.mapping.access(), self.kept.place);
        fresh.map(Arc::new).map_err(|errno| self.error(operation, errno))
    }

    fn replace_mapping(&mut self, fresh: Arc<Mapping>) {
        let former = std::mem::replace(&mut self.mapping, fresh);
        self.earlier.retain(|known| !Arc::ptr_eq(known, &self.mapping));
        if !Arc::ptr_eq(&former, &self.mapping) {
            self.earlier.push(former);
        }
    }

    /// Copies bytes out. What others write meanwhile arrives as a mixture. `EINVAL` beyond the size. Where copies are checked, as those of files are,
    /// [`Failure::WrongSize`] if somebody has made the object smaller.
    pub fn read(&self, offset: usize, buffer: &mut [u8]) -> Result<()> {
        let source = self.range("read memory", offset, buffer.len())?;
        if self.is_checked() {
            return self.read_checked(offset, buffer);
        }
        // SAFETY: the range lies inside the mapping, the buffer is ours alone.
        unsafe { racing::copy_out(source, buffer.as_mut_ptr(), buffer.len()) };
        Ok(())
    }

    /// Copies bytes in. `EINVAL` beyond the size; `EACCES` for a read-only handle; [`Failure::WrongSize`] as [`Memory::read`].
    pub fn write(&self, offset: usize, data: &[u8]) -> Result<()> {
        const OPERATION: &str = "write memory";
        let destination = self.range(OPERATION, offset, data.len())?;
        self.require_writable(OPERATION)?;
        if self.is_checked() {
            return self.write_checked(offset, data);
        }
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
            Access::ReadWrite | Access::CopyOnWrite => Ok(()),
            Access::ReadOnly => Err(self.error(operation, Errno::EACCES).hint("the handle is read-only")),
        }
    }

    /// The descriptor of the object; `EOPNOTSUPP` for anonymous memory, which has none.
    pub fn descriptor(&self, operation: &'static str) -> Result<BorrowedFd<'_>> {
        match &self.object {
            Object::Open(descriptor) => Ok(descriptor.as_fd()),
            Object::Draft { draft, .. } => Ok(draft.descriptor()),
            Object::Anonymous | Object::Sysv(_) => Err(no_descriptor(operation)),
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
            object @ (Object::Anonymous | Object::Sysv(_)) => {
                self.object = object;
                Err(Box::new((self, no_descriptor("release memory"))))
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

#[cold]
fn no_descriptor(operation: &'static str) -> Error {
    Error::os(operation, Errno::EOPNOTSUPP).hint("anonymous and System V memory have no descriptor")
}

/// POSIX shared memory is mapped as a whole.
fn whole<'a>(options: &MemoryOptions<'a>) -> MemoryOptions<'a> {
    MemoryOptions { offset: 0, length: 0, ..options.clone() }
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
