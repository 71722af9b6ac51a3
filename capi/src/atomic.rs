//! Atomics in memory, for languages that have none of their own.

use std::ffi::c_int;
use std::sync::atomic::Ordering;

use unipc_core::Error;

use crate::memory::unipc_memory;
use crate::{guard, guard_unit, input, invalid, output};

/// memory order: no order with other accesses.
pub const UNIPC_RELAXED: i32 = 0;
/// memory order: what follows a load sees what came before the store that it read.
pub const UNIPC_ACQUIRE: i32 = 1;
/// memory order: what came before a store is seen by who acquires it.
pub const UNIPC_RELEASE: i32 = 2;
/// memory order: both, for an operation that reads and writes.
pub const UNIPC_ACQUIRE_RELEASE: i32 = 3;
/// memory order: one order of all such operations, for everybody.
pub const UNIPC_SEQUENTIAL: i32 = 4;

const LOAD: &str = "load from memory";
const STORE: &str = "store to memory";
const ADD: &str = "add to memory";
const SUBTRACT: &str = "subtract from memory";
const AND: &str = "and with memory";
const OR: &str = "or with memory";
const XOR: &str = "exclusive-or with memory";
const EXCHANGE: &str = "exchange in memory";
const COMPARE: &str = "compare and exchange in memory";

/// The order of an operation that reads and writes.
fn order(operation: &'static str, order: c_int) -> Result<Ordering, Error> {
    match order {
        UNIPC_RELAXED => Ok(Ordering::Relaxed),
        UNIPC_ACQUIRE => Ok(Ordering::Acquire),
        UNIPC_RELEASE => Ok(Ordering::Release),
        UNIPC_ACQUIRE_RELEASE => Ok(Ordering::AcqRel),
        UNIPC_SEQUENTIAL => Ok(Ordering::SeqCst),
        _ => Err(invalid(operation, "there is no such memory order")),
    }
}

fn load_order(order: c_int) -> Result<Ordering, Error> {
    match self::order(LOAD, order)? {
        Ordering::Release | Ordering::AcqRel => Err(invalid(LOAD, "a load cannot release")),
        order => Ok(order),
    }
}

fn store_order(order: c_int) -> Result<Ordering, Error> {
    match self::order(STORE, order)? {
        Ordering::Acquire | Ordering::AcqRel => Err(invalid(STORE, "a store cannot acquire")),
        order => Ok(order),
    }
}

/// What a failed exchange may do at most: it reads only.
fn failure_order(order: Ordering) -> Ordering {
    match order {
        Ordering::Release => Ordering::Relaxed,
        Ordering::AcqRel => Ordering::Acquire,
        order => order,
    }
}

/// Stores a result where the caller wants one.
///
/// # Safety
/// `place` is NULL or valid for writes.
unsafe fn store_optional<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: not NULL; the caller's promise.
        unsafe { place.write(value) }
    }
}

/// Loads the 32-bit word at an offset, atomically. Works on a read-only handle.
///
/// @param offset  bytes from the start, a multiple of 4
/// @param order   UNIPC_RELAXED, UNIPC_ACQUIRE or UNIPC_SEQUENTIAL
/// @param value   receives the word
/// @return        0; -EINVAL: NULL, not within the memory, not aligned, or no such order
///
/// Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
///
/// # Safety
/// `memory` is NULL or a live handle; `value` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_load_u32(memory: *const unipc_memory, offset: usize, order: c_int, value: *mut u32) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        *output(LOAD, value)? = input(LOAD, memory)?.0.load_u32(offset, load_order(order)?)?;
        Ok(())
    })
}

/// Stores the 32-bit word at an offset, atomically.
///
/// @param offset  bytes from the start, a multiple of 4
/// @param order   UNIPC_RELAXED, UNIPC_RELEASE or UNIPC_SEQUENTIAL
/// @return        0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
///
/// Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_store_u32(memory: *mut unipc_memory, offset: usize, order: c_int, value: u32) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        input(STORE, memory.cast_const())?.0.atomic_u32(offset)?.store(value, store_order(order)?);
        Ok(())
    })
}

/// Adds to the 32-bit word at an offset, atomically; it wraps around.
///
/// @param offset    bytes from the start, a multiple of 4
/// @param order     any of the five
/// @param previous  receives the word from before; may be NULL
/// @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
///
/// Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
///
/// # Safety
/// `memory` is NULL or a live handle; `previous` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_fetch_add_u32(
    memory: *mut unipc_memory,
    offset: usize,
    order: c_int,
    operand: u32,
    previous: *mut u32,
) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let word = input(ADD, memory.cast_const())?.0.atomic_u32(offset)?;
        store_optional(previous, word.fetch_add(operand, self::order(ADD, order)?));
        Ok(())
    })
}

/// Subtracts from the 32-bit word at an offset, atomically; it wraps around.
///
/// @param offset    bytes from the start, a multiple of 4
/// @param order     any of the five
/// @param previous  receives the word from before; may be NULL
/// @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
///
/// Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
///
/// # Safety
/// `memory` is NULL or a live handle; `previous` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_fetch_sub_u32(
    memory: *mut unipc_memory,
    offset: usize,
    order: c_int,
    operand: u32,
    previous: *mut u32,
) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let word = input(SUBTRACT, memory.cast_const())?.0.atomic_u32(offset)?;
        store_optional(previous, word.fetch_sub(operand, self::order(SUBTRACT, order)?));
        Ok(())
    })
}

/// Clears the bits of the 32-bit word at an offset that the operand does not have, atomically.
///
/// @param offset    bytes from the start, a multiple of 4
/// @param order     any of the five
/// @param previous  receives the word from before; may be NULL
/// @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
///
/// Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
///
/// # Safety
/// `memory` is NULL or a live handle; `previous` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_fetch_and_u32(
    memory: *mut unipc_memory,
    offset: usize,
    order: c_int,
    operand: u32,
    previous: *mut u32,
) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let word = input(AND, memory.cast_const())?.0.atomic_u32(offset)?;
        store_optional(previous, word.fetch_and(operand, self::order(AND, order)?));
        Ok(())
    })
}

/// Sets the bits of the 32-bit word at an offset that the operand has, atomically.
///
/// @param offset    bytes from the start, a multiple of 4
/// @param order     any of the five
/// @param previous  receives the word from before; may be NULL
/// @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
///
/// Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
///
/// # Safety
/// `memory` is NULL or a live handle; `previous` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_fetch_or_u32(
    memory: *mut unipc_memory,
    offset: usize,
    order: c_int,
    operand: u32,
    previous: *mut u32,
) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let word = input(OR, memory.cast_const())?.0.atomic_u32(offset)?;
        store_optional(previous, word.fetch_or(operand, self::order(OR, order)?));
        Ok(())
    })
}

/// Flips the bits of the 32-bit word at an offset that the operand has, atomically.
///
/// @param offset    bytes from the start, a multiple of 4
/// @param order     any of the five
/// @param previous  receives the word from before; may be NULL
/// @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
///
/// Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
///
/// # Safety
/// `memory` is NULL or a live handle; `previous` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_fetch_xor_u32(
    memory: *mut unipc_memory,
    offset: usize,
    order: c_int,
    operand: u32,
    previous: *mut u32,
) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let word = input(XOR, memory.cast_const())?.0.atomic_u32(offset)?;
        store_optional(previous, word.fetch_xor(operand, self::order(XOR, order)?));
        Ok(())
    })
}

/// Exchanges the 32-bit word at an offset, atomically.
///
/// @param offset    bytes from the start, a multiple of 4
/// @param order     any of the five
/// @param previous  receives the word from before; may be NULL
/// @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
///
/// Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
///
/// # Safety
/// `memory` is NULL or a live handle; `previous` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_exchange_u32(
    memory: *mut unipc_memory,
    offset: usize,
    order: c_int,
    value: u32,
    previous: *mut u32,
) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let word = input(EXCHANGE, memory.cast_const())?.0.atomic_u32(offset)?;
        store_optional(previous, word.swap(value, self::order(EXCHANGE, order)?));
        Ok(())
    })
}

/// Exchanges the 32-bit word at an offset if it is what the caller expects, atomically.
///
/// @param offset    bytes from the start, a multiple of 4
/// @param order     any of the five, for the exchange; without one, the load is ordered alike
/// @param expected  what the word must be; receives what it is if it is not
/// @param desired   what it becomes
/// @return          1: exchanged; 0: not; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
///
/// Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
///
/// # Safety
/// `memory` is NULL or a live handle; `expected` is NULL or valid for reads and writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_compare_exchange_u32(
    memory: *mut unipc_memory,
    offset: usize,
    order: c_int,
    expected: *mut u32,
    desired: u32,
) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe {
        let word = input(COMPARE, memory.cast_const())?.0.atomic_u32(offset)?;
        let (expected, order) = (output(COMPARE, expected)?, self::order(COMPARE, order)?);
        match word.compare_exchange(*expected, desired, order, failure_order(order)) {
            Ok(_) => Ok(1),
            Err(found) => {
                *expected = found;
                Ok(0)
            }
        }
    })
}

/// Loads the 64-bit word at an offset, atomically. Works on a read-only handle.
///
/// @param offset  bytes from the start, a multiple of 8
/// @param order   UNIPC_RELAXED, UNIPC_ACQUIRE or UNIPC_SEQUENTIAL
/// @param value   receives the word
/// @return        0; -EINVAL: NULL, not within the memory, not aligned, or no such order
///
/// Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
///
/// # Safety
/// `memory` is NULL or a live handle; `value` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_load_u64(memory: *const unipc_memory, offset: usize, order: c_int, value: *mut u64) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        *output(LOAD, value)? = input(LOAD, memory)?.0.load_u64(offset, load_order(order)?)?;
        Ok(())
    })
}

/// Stores the 64-bit word at an offset, atomically.
///
/// @param offset  bytes from the start, a multiple of 8
/// @param order   UNIPC_RELAXED, UNIPC_RELEASE or UNIPC_SEQUENTIAL
/// @return        0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
///
/// Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
///
/// # Safety
/// `memory` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_store_u64(memory: *mut unipc_memory, offset: usize, order: c_int, value: u64) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        input(STORE, memory.cast_const())?.0.atomic_u64(offset)?.store(value, store_order(order)?);
        Ok(())
    })
}

/// Adds to the 64-bit word at an offset, atomically; it wraps around.
///
/// @param offset    bytes from the start, a multiple of 8
/// @param order     any of the five
/// @param previous  receives the word from before; may be NULL
/// @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
///
/// Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
///
/// # Safety
/// `memory` is NULL or a live handle; `previous` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_fetch_add_u64(
    memory: *mut unipc_memory,
    offset: usize,
    order: c_int,
    operand: u64,
    previous: *mut u64,
) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let word = input(ADD, memory.cast_const())?.0.atomic_u64(offset)?;
        store_optional(previous, word.fetch_add(operand, self::order(ADD, order)?));
        Ok(())
    })
}

/// Subtracts from the 64-bit word at an offset, atomically; it wraps around.
///
/// @param offset    bytes from the start, a multiple of 8
/// @param order     any of the five
/// @param previous  receives the word from before; may be NULL
/// @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
///
/// Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
///
/// # Safety
/// `memory` is NULL or a live handle; `previous` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_fetch_sub_u64(
    memory: *mut unipc_memory,
    offset: usize,
    order: c_int,
    operand: u64,
    previous: *mut u64,
) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let word = input(SUBTRACT, memory.cast_const())?.0.atomic_u64(offset)?;
        store_optional(previous, word.fetch_sub(operand, self::order(SUBTRACT, order)?));
        Ok(())
    })
}

/// Clears the bits of the 64-bit word at an offset that the operand does not have, atomically.
///
/// @param offset    bytes from the start, a multiple of 8
/// @param order     any of the five
/// @param previous  receives the word from before; may be NULL
/// @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
///
/// Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
///
/// # Safety
/// `memory` is NULL or a live handle; `previous` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_fetch_and_u64(
    memory: *mut unipc_memory,
    offset: usize,
    order: c_int,
    operand: u64,
    previous: *mut u64,
) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let word = input(AND, memory.cast_const())?.0.atomic_u64(offset)?;
        store_optional(previous, word.fetch_and(operand, self::order(AND, order)?));
        Ok(())
    })
}

/// Sets the bits of the 64-bit word at an offset that the operand has, atomically.
///
/// @param offset    bytes from the start, a multiple of 8
/// @param order     any of the five
/// @param previous  receives the word from before; may be NULL
/// @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
///
/// Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
///
/// # Safety
/// `memory` is NULL or a live handle; `previous` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_fetch_or_u64(
    memory: *mut unipc_memory,
    offset: usize,
    order: c_int,
    operand: u64,
    previous: *mut u64,
) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let word = input(OR, memory.cast_const())?.0.atomic_u64(offset)?;
        store_optional(previous, word.fetch_or(operand, self::order(OR, order)?));
        Ok(())
    })
}

/// Flips the bits of the 64-bit word at an offset that the operand has, atomically.
///
/// @param offset    bytes from the start, a multiple of 8
/// @param order     any of the five
/// @param previous  receives the word from before; may be NULL
/// @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
///
/// Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
///
/// # Safety
/// `memory` is NULL or a live handle; `previous` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_fetch_xor_u64(
    memory: *mut unipc_memory,
    offset: usize,
    order: c_int,
    operand: u64,
    previous: *mut u64,
) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let word = input(XOR, memory.cast_const())?.0.atomic_u64(offset)?;
        store_optional(previous, word.fetch_xor(operand, self::order(XOR, order)?));
        Ok(())
    })
}

/// Exchanges the 64-bit word at an offset, atomically.
///
/// @param offset    bytes from the start, a multiple of 8
/// @param order     any of the five
/// @param previous  receives the word from before; may be NULL
/// @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
///
/// Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
///
/// # Safety
/// `memory` is NULL or a live handle; `previous` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_exchange_u64(
    memory: *mut unipc_memory,
    offset: usize,
    order: c_int,
    value: u64,
    previous: *mut u64,
) -> c_int {
    // SAFETY: the caller's promise.
    guard_unit(|| unsafe {
        let word = input(EXCHANGE, memory.cast_const())?.0.atomic_u64(offset)?;
        store_optional(previous, word.swap(value, self::order(EXCHANGE, order)?));
        Ok(())
    })
}

/// Exchanges the 64-bit word at an offset if it is what the caller expects, atomically.
///
/// @param offset    bytes from the start, a multiple of 8
/// @param order     any of the five, for the exchange; without one, the load is ordered alike
/// @param expected  what the word must be; receives what it is if it is not
/// @param desired   what it becomes
/// @return          1: exchanged; 0: not; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
///
/// Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
///
/// # Safety
/// `memory` is NULL or a live handle; `expected` is NULL or valid for reads and writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_memory_compare_exchange_u64(
    memory: *mut unipc_memory,
    offset: usize,
    order: c_int,
    expected: *mut u64,
    desired: u64,
) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe {
        let word = input(COMPARE, memory.cast_const())?.0.atomic_u64(offset)?;
        let (expected, order) = (output(COMPARE, expected)?, self::order(COMPARE, order)?);
        match word.compare_exchange(*expected, desired, order, failure_order(order)) {
            Ok(_) => Ok(1),
            Err(found) => {
                *expected = found;
                Ok(0)
            }
        }
    })
}
