//! Atomics in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, AtomicU64, Ordering};

use pyo3::exceptions::PyPermissionError;
use pyo3::prelude::*;
use unipc::memory::{Access, Mapping, Memory};
use unipc::sync::{futex_requeue, futex_wait, futex_wake};

use crate::error::{Raise, invalid};
use crate::wait::waiting;

/// Which integer it is.
#[derive(Clone, Copy)]
pub(crate) enum Width {
    U32,
    I32,
    U64,
    I64,
}

/// An integer in memory that processes change without tearing, made by Memory.atomic_u32 and so
/// on.
///
/// order is "relaxed", "acquire", "release", "acquire_release" or "sequential", as in C11 7.17.
/// It keeps the pages mapped.
/// Errors: OverflowError for a value that the word does not hold; ValueError for an order that
/// the operation does not have; PermissionError for a change of read-only memory.
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Atomic {
    mapping: Arc<Mapping>,
    offset: usize,
    width: Width,
}

impl Atomic {
    /// The core checks the place: inside, and aligned.
    pub(crate) fn of(memory: &Memory, offset: usize, width: Width) -> unipc::Result<Atomic> {
        match width {
            Width::U32 | Width::I32 => memory.load_u32(offset, Ordering::Relaxed).map(drop)?,
            Width::U64 | Width::I64 => memory.load_u64(offset, Ordering::Relaxed).map(drop)?,
        }
        Ok(Atomic { mapping: Arc::clone(memory.mapping()), offset, width })
    }

    fn place(&self) -> *mut u8 {
        // SAFETY: the offset lies inside the mapping, as `of` says.
        unsafe { self.mapping.as_ptr().add(self.offset) }
    }

    fn writable_place(&self) -> PyResult<*mut u8> {
        match self.mapping.access() {
            Access::ReadWrite | Access::CopyOnWrite => Ok(self.place()),
            Access::ReadOnly => Err(PyPermissionError::new_err((libc::EACCES, "the memory is read-only"))),
        }
    }
}

impl Atomic {
    /// The word that the kernel can put a thread to sleep on.
    fn word(&self) -> PyResult<&AtomicU32> {
        match self.width {
            // SAFETY: a place of the mapping, aligned, mapped while `self` lives; it is only loaded, so reading suffices.
            Width::U32 | Width::I32 => Ok(unsafe { AtomicU32::from_ptr(self.place().cast()) }),
            Width::U64 | Width::I64 => Err(invalid("the kernel puts nobody to sleep on 64 bits; take a word of 32")),
        }
    }
}

fn order(name: &str) -> PyResult<Ordering> {
    match name {
        "relaxed" => Ok(Ordering::Relaxed),
        "acquire" => Ok(Ordering::Acquire),
        "release" => Ok(Ordering::Release),
        "acquire_release" => Ok(Ordering::AcqRel),
        "sequential" => Ok(Ordering::SeqCst),
        _ => Err(invalid("the order is \"relaxed\", \"acquire\", \"release\", \"acquire_release\" or \"sequential\"")),
    }
}

/// Does the same with the atomic of each width: `$atomic` is it, `$integer` its value's type.
macro_rules! with_atomic {
    ($width:expr, $place:expr, |$atomic:ident: $integer:ident| $body:expr) => {{
        let place = $place;
        match $width {
            Width::U32 => with_atomic!(@ AtomicU32, u32, place, $atomic, $integer, $body),
            Width::I32 => with_atomic!(@ AtomicI32, i32, place, $atomic, $integer, $body),
            Width::U64 => with_atomic!(@ AtomicU64, u64, place, $atomic, $integer, $body),
            Width::I64 => with_atomic!(@ AtomicI64, i64, place, $atomic, $integer, $body),
        }
    }};
    (@ $type:ty, $value:ty, $place:ident, $atomic:ident, $integer:ident, $body:expr) => {{
        type $integer = $value;
        // SAFETY: a place of the mapping, aligned, mapped while `self` lives; everybody changes it atomically.
        let $atomic = unsafe { <$type>::from_ptr($place.cast()) };
        $body
    }};
}

#[pymethods]
impl Atomic {
    /// The value. The order is "relaxed", "acquire" or "sequential".
    #[pyo3(signature = (order="sequential"))]
    fn load<'py>(&self, py: Python<'py>, order: &str) -> PyResult<Bound<'py, PyAny>> {
        let order = self::order(order)?;
        if matches!(order, Ordering::Release | Ordering::AcqRel) {
            return Err(invalid("a load cannot release"));
        }
        with_atomic!(self.width, self.place(), |atomic: Integer| {
            let value: Integer = atomic.load(order);
            Ok(value.into_pyobject(py)?.into_any())
        })
    }

    /// Sets the value. The order is "relaxed", "release" or "sequential".
    #[pyo3(signature = (value, order="sequential"))]
    fn store(&self, value: &Bound<'_, PyAny>, order: &str) -> PyResult<()> {
        let order = self::order(order)?;
        if matches!(order, Ordering::Acquire | Ordering::AcqRel) {
            return Err(invalid("a store cannot acquire"));
        }
        with_atomic!(self.width, self.writable_place()?, |atomic: Integer| {
            atomic.store(value.extract::<Integer>()?, order);
            Ok(())
        })
    }

    /// Sets the value and gives the former one.
    #[pyo3(signature = (value, order="sequential"))]
    fn exchange<'py>(&self, value: &Bound<'py, PyAny>, order: &str) -> PyResult<Bound<'py, PyAny>> {
        let order = self::order(order)?;
        with_atomic!(self.width, self.writable_place()?, |atomic: Integer| {
            let former = atomic.swap(value.extract::<Integer>()?, order);
            Ok(former.into_pyobject(value.py())?.into_any())
        })
    }

    /// Adds, wrapping around, and gives the former value.
    #[pyo3(signature = (value, order="sequential"))]
    fn fetch_add<'py>(&self, value: &Bound<'py, PyAny>, order: &str) -> PyResult<Bound<'py, PyAny>> {
        let order = self::order(order)?;
        with_atomic!(self.width, self.writable_place()?, |atomic: Integer| {
            let former = atomic.fetch_add(value.extract::<Integer>()?, order);
            Ok(former.into_pyobject(value.py())?.into_any())
        })
    }

    /// Subtracts, wrapping around, and gives the former value.
    #[pyo3(signature = (value, order="sequential"))]
    fn fetch_sub<'py>(&self, value: &Bound<'py, PyAny>, order: &str) -> PyResult<Bound<'py, PyAny>> {
        let order = self::order(order)?;
        with_atomic!(self.width, self.writable_place()?, |atomic: Integer| {
            let former = atomic.fetch_sub(value.extract::<Integer>()?, order);
            Ok(former.into_pyobject(value.py())?.into_any())
        })
    }

    /// Clears the bits that value does not have, and gives the former value.
    #[pyo3(signature = (value, order="sequential"))]
    fn fetch_and<'py>(&self, value: &Bound<'py, PyAny>, order: &str) -> PyResult<Bound<'py, PyAny>> {
        let order = self::order(order)?;
        with_atomic!(self.width, self.writable_place()?, |atomic: Integer| {
            let former = atomic.fetch_and(value.extract::<Integer>()?, order);
            Ok(former.into_pyobject(value.py())?.into_any())
        })
    }

    /// Sets the bits that value has, and gives the former value.
    #[pyo3(signature = (value, order="sequential"))]
    fn fetch_or<'py>(&self, value: &Bound<'py, PyAny>, order: &str) -> PyResult<Bound<'py, PyAny>> {
        let order = self::order(order)?;
        with_atomic!(self.width, self.writable_place()?, |atomic: Integer| {
            let former = atomic.fetch_or(value.extract::<Integer>()?, order);
            Ok(former.into_pyobject(value.py())?.into_any())
        })
    }

    /// Flips the bits that value has, and gives the former value.
    #[pyo3(signature = (value, order="sequential"))]
    fn fetch_xor<'py>(&self, value: &Bound<'py, PyAny>, order: &str) -> PyResult<Bound<'py, PyAny>> {
        let order = self::order(order)?;
        with_atomic!(self.width, self.writable_place()?, |atomic: Integer| {
            let former = atomic.fetch_xor(value.extract::<Integer>()?, order);
            Ok(former.into_pyobject(value.py())?.into_any())
        })
    }

    /// Sleeps while the value is expected, also on read-only memory; for words of 32 bits.
    ///
    /// It returns at once if the value is another, when it is woken, and within half a second also
    /// when a waker has changed it and was killed before it could wake. It may return for no
    /// reason: look again, in a loop.
    /// Errors: BlockingIOError, TimeoutError while the value is expected; ValueError for 64 bits.
    /// Source: futex(2).
    #[pyo3(signature = (expected, *, timeout=None))]
    fn futex_wait(&self, py: Python<'_>, expected: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<()> {
        let expected = match self.width {
            Width::U32 => expected.extract::<u32>()?,
            _ => expected.extract::<i32>()? as u32,
        };
        let word = self.word()?;
        waiting(py, timeout, &|| true, |wait| futex_wait(word, expected, wait))
    }

    /// Wakes up to count of those who sleep on the word, of any process, and gives how many; change
    /// the value first.
    /// Errors: ValueError for 64 bits.
    #[pyo3(signature = (count=1))]
    fn futex_wake(&self, count: u32) -> PyResult<usize> {
        Ok(futex_wake(self.word()?, count))
    }

    /// Wakes up to wake of those who sleep on the word, and has up to move of the others sleep on
    /// another one, if the value still is expected; gives how many both are.
    /// Errors: BlockingIOError if the value is another; ValueError for 64 bits.
    #[pyo3(signature = (expected, wake, other, r#move))]
    fn futex_requeue(&self, py: Python<'_>, expected: u32, wake: u32, other: &Atomic, r#move: u32) -> PyResult<usize> {
        futex_requeue(self.word()?, expected, wake, other.word()?, r#move).raise(py)
    }

    /// Sets the value to desired if it is expected; gives whether it was, and the former value.
    #[pyo3(signature = (expected, desired, order="sequential"))]
    fn compare_exchange<'py>(
        &self,
        expected: &Bound<'py, PyAny>,
        desired: &Bound<'py, PyAny>,
        order: &str,
    ) -> PyResult<(bool, Bound<'py, PyAny>)> {
        let order = self::order(order)?;
        // A failed exchange only reads.
        let failure = match order {
            Ordering::Release => Ordering::Relaxed,
            Ordering::AcqRel => Ordering::Acquire,
            order => order,
        };
        with_atomic!(self.width, self.writable_place()?, |atomic: Integer| {
            let result = atomic.compare_exchange(expected.extract::<Integer>()?, desired.extract::<Integer>()?, order, failure);
            let former = result.unwrap_or_else(|former| former);
            Ok((result.is_ok(), former.into_pyobject(expected.py())?.into_any()))
        })
    }
}
