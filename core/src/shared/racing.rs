//! Copies into and out of memory that others may be writing at the same moment.
//!
//! An ordinary copy from such memory is a data race, which the language leaves undefined: the compiler may read twice and believe that both are the
//! same. Here every access is one relaxed atomic of a byte or a word, so that a race yields some mixture of old and new bytes, and nothing worse.
//! Order is no business of a copy: the caller's acquire and release give it.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

const WORD: usize = size_of::<u64>();

/// Copies `length` bytes out of shared memory.
///
/// # Safety
/// `source` is valid for reads of `length` bytes and `destination` for writes; the destination is the caller's alone. Others access the source
/// only atomically, or from other processes.
pub(crate) unsafe fn copy_out(source: *const u8, destination: *mut u8, length: usize) {
    let head = source.align_offset(WORD).min(length);
    let words = (length - head) / WORD;
    // SAFETY: every access lies within `length` bytes; the word accesses begin where the source is aligned; the destination need not be.
    unsafe {
        for index in 0..head {
            destination.add(index).write(load_byte(source.add(index)));
        }
        for index in 0..words {
            let at = head + index * WORD;
            let word = AtomicU64::from_ptr(source.add(at).cast_mut().cast()).load(Ordering::Relaxed);
            destination.add(at).cast::<u64>().write_unaligned(word);
        }
        for index in head + words * WORD..length {
            destination.add(index).write(load_byte(source.add(index)));
        }
    }
}

/// Copies `length` bytes into shared memory.
///
/// # Safety
/// `source` is valid for reads of `length` bytes and the caller's alone; `destination` is valid for writes. Others access the destination only
/// atomically, or from other processes.
pub(crate) unsafe fn copy_in(source: *const u8, destination: *mut u8, length: usize) {
    let head = destination.align_offset(WORD).min(length);
    let words = (length - head) / WORD;
    // SAFETY: as in `copy_out`, with the roles exchanged.
    unsafe {
        for index in 0..head {
            store_byte(destination.add(index), source.add(index).read());
        }
        for index in 0..words {
            let at = head + index * WORD;
            let word = source.add(at).cast::<u64>().read_unaligned();
            AtomicU64::from_ptr(destination.add(at).cast()).store(word, Ordering::Relaxed);
        }
        for index in head + words * WORD..length {
            store_byte(destination.add(index), source.add(index).read());
        }
    }
}

/// # Safety
/// `place` is valid for reads, and changed only atomically or by other processes.
unsafe fn load_byte(place: *const u8) -> u8 {
    // SAFETY: the caller's promise; loading does not write.
    unsafe { AtomicU8::from_ptr(place.cast_mut()) }.load(Ordering::Relaxed)
}

/// # Safety
/// `place` is valid for writes, and accessed only atomically or by other processes.
unsafe fn store_byte(place: *mut u8, value: u8) {
    // SAFETY: the caller's promise.
    unsafe { AtomicU8::from_ptr(place) }.store(value, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alignment_and_length_copies_exactly_its_bytes() {
        let pattern: Vec<u8> = (0..64).map(|byte| byte as u8 + 1).collect();
        for from in 0..9 {
            for to in 0..9 {
                for length in 0..40 {
                    let mut shared = vec![0u64; 8];
                    let shared = shared.as_mut_ptr().cast::<u8>();
                    let mut back = [0u8; 64];
                    // SAFETY: all ranges lie within the 64 bytes of each buffer, and nobody else uses them.
                    unsafe {
                        copy_in(pattern.as_ptr().add(from), shared.add(to), length);
                        copy_out(shared, back.as_mut_ptr(), 64);
                    }
                    assert_eq!(back[to..to + length], pattern[from..from + length]);
                    assert!(back[..to].iter().chain(&back[to + length..]).all(|byte| *byte == 0));
                    // SAFETY: as above.
                    unsafe { copy_out(shared.add(to), back.as_mut_ptr().add(from), length) };
                    assert_eq!(back[from..from + length], pattern[from..from + length]);
                }
            }
        }
    }
}
