//! Memory with a type: `&T`, never `&mut T`, since others have the same pages.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::atomic::{AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize};

use super::{Memory, MemoryOptions};
use crate::error::Result;
use crate::sync::{Barrier, Condvar, Event, Mutex, RwLock, Semaphore, Spinlock};

/// May live in shared memory.
///
/// [`shareable!`](crate::shareable) implements it for structs and checks each field.
///
/// # Safety
/// The type has a fixed layout (`repr(C)`), holds no pointer and nothing that belongs to one process, changes only through atomics or the objects of
/// [`crate::sync`], is valid for any bytes that a process of the same trust leaves there, and all-zero bytes are its first value.
pub unsafe trait Shareable: Sync {}

macro_rules! shareable_primitives {
    ($($name:ty),*) => { $(
        // SAFETY: an atomic integer has the layout of its integer, and zero is a value of it.
        unsafe impl Shareable for $name {}
    )* };
}

shareable_primitives!(AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize);

// SAFETY: made for this: atomics and the C library's process-shared mutex; zero bytes are valid.
unsafe impl Shareable for Mutex {}
// SAFETY: made for this: atomics; zero bytes are valid.
unsafe impl Shareable for Semaphore {}
// SAFETY: as above.
unsafe impl Shareable for Spinlock {}
// SAFETY: as above.
unsafe impl Shareable for RwLock {}
// SAFETY: as above.
unsafe impl Shareable for Condvar {}
// SAFETY: as above.
unsafe impl Shareable for Event {}
// SAFETY: as above; zero bytes are one that refuses to be used before it is initialised.
unsafe impl Shareable for Barrier {}
// SAFETY: an array is its elements.
unsafe impl<T: Shareable, const N: usize> Shareable for [T; N] {}

/// Declares a struct that may live in shared memory: `repr(C)`, every field [`Shareable`].
///
/// ```
/// use std::sync::atomic::AtomicI64;
/// unipc::shareable! {
///     /// A counter whose lock holder may die.
///     pub struct Counter { pub lock: unipc::sync::Mutex, pub value: AtomicI64 }
/// }
/// let counter = unipc::memory::anonymous::<Counter>()?;
/// let guard = counter.lock.lock(unipc::Wait::FOREVER)?;
/// counter.value.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
/// # drop(guard);
/// # Ok::<(), unipc::Error>(())
/// ```
#[macro_export]
macro_rules! shareable {
    ($(#[$attribute:meta])* $visibility:vis struct $name:ident {
        $($(#[$field_attribute:meta])* $field_visibility:vis $field:ident : $type:ty),* $(,)?
    }) => {
        $(#[$attribute])*
        #[repr(C)]
        $visibility struct $name { $($(#[$field_attribute])* $field_visibility $field: $type),* }

        // SAFETY: repr(C), and each field is checked to be shareable below.
        unsafe impl $crate::memory::Shareable for $name {}

        const _: () = {
            const fn checked<T: $crate::memory::Shareable>() {}
            $(checked::<$type>();)*
        };
    };
}

/// A `T` in shared memory. It derefs to `&T`.
pub struct Shared<T: Shareable> {
    memory: Memory,
    of: PhantomData<T>,
}

impl<T: Shareable> fmt::Debug for Shared<T> {
    /// The memory and not the value, which others may be changing.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Shared").field(&self.memory).finish()
    }
}

impl<T: Shareable> Shared<T> {
    fn new(memory: Memory) -> Shared<T> {
        Shared { memory, of: PhantomData }
    }

    /// The memory that it lives in.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }
}

impl<T: Shareable> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the memory has room for a T, page-aligned, mapped for reading and writing while `self` lives; the trait promises the rest.
        unsafe { &*self.memory.mapping().as_ptr().cast::<T>() }
    }
}

fn options<T>() -> MemoryOptions<'static> {
    const { assert!(align_of::<T>() <= 4096 && size_of::<T>() > 0) };
    MemoryOptions::sized(size_of::<T>())
}

/// Creates POSIX shared memory that holds a `T` of zero bytes. Errors as [`Memory::create`].
pub fn create<T: Shareable>(name: &str) -> Result<Shared<T>> {
    Memory::create(name, &options::<T>()).map(Shared::new)
}

/// Opens POSIX shared memory that holds a `T`. Errors as [`Memory::open`].
pub fn open<T: Shareable>(name: &str) -> Result<Shared<T>> {
    Memory::open(name, &options::<T>()).map(Shared::new)
}

/// Opens POSIX shared memory that holds a `T`, or creates it of zero bytes. Errors as [`Memory::open_or_create`].
pub fn open_or_create<T: Shareable>(name: &str) -> Result<Shared<T>> {
    Memory::open_or_create(name, &options::<T>()).map(Shared::new)
}

/// Makes a `T` of zero bytes for children made by `fork`. Errors as [`Memory::anonymous`].
pub fn anonymous<T: Shareable>() -> Result<Shared<T>> {
    Memory::anonymous(options::<T>().size).map(Shared::new)
}
