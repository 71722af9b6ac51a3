//! Copies into and out of memory that others may be writing at the same moment.
//!
//! An ordinary copy from such memory is a data race, which the language leaves undefined: the compiler may read twice and believe that both are the
//! same. Here every access is one relaxed atomic of a byte or a word, so that a race yields some mixture of old and new bytes, and nothing worse.
//! Where the compiler has no wide accesses to offer that may race, the processor has: long copies are a loop of its own instructions, which the
//! compiler does not look into. An aligned word is whole there too, since each access is of two such words or of four.
//! Order is no business of a copy: the caller's acquire and release give it.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

const WORD: usize = size_of::<u64>();

/// Copies whole blocks, as many as fit in `length`; gives how many bytes that is.
///
/// # Safety
/// `source` is valid for reads of `length` bytes and `destination` for writes. Either may be accessed by others at the same time, as in the callers.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
unsafe fn copy_blocks(source: *const u8, destination: *mut u8, length: usize) -> usize {
    // Copies so many blocks, each of four registers.
    macro_rules! copy {
        ($count:expr, $move:literal, $register:literal, $width:literal, $end:literal) => {
            std::arch::asm!(
                "2:",
                concat!($move, " ", $register, "0, [{from}]"),
                concat!($move, " ", $register, "1, [{from} + ", $width, "]"),
                concat!($move, " ", $register, "2, [{from} + 2 * ", $width, "]"),
                concat!($move, " ", $register, "3, [{from} + 3 * ", $width, "]"),
                concat!($move, " [{to}], ", $register, "0"),
                concat!($move, " [{to} + ", $width, "], ", $register, "1"),
                concat!($move, " [{to} + 2 * ", $width, "], ", $register, "2"),
                concat!($move, " [{to} + 3 * ", $width, "], ", $register, "3"),
                concat!("add {from}, 4 * ", $width),
                concat!("add {to}, 4 * ", $width),
                "dec {left}",
                "jnz 2b",
                $end,
                from = inout(reg) source => _,
                to = inout(reg) destination => _,
                left = inout(reg) $count => _,
                out("xmm0") _,
                out("xmm1") _,
                out("xmm2") _,
                out("xmm3") _,
                out("xmm4") _,
                out("xmm5") _,
                out("xmm6") _,
                out("xmm7") _,
                out("xmm8") _,
                out("xmm9") _,
                out("xmm10") _,
                out("xmm11") _,
                out("xmm12") _,
                out("xmm13") _,
                out("xmm14") _,
                out("xmm15") _,
                options(nostack),
            )
        };
    }
    const SSE: usize = 64;
    const AVX: usize = 128;
    // SAFETY: the accesses lie within as many blocks as are asked for, which are not none. The registers are told, of which `vzeroupper` changes all; the
    // stack is not used. Every x86-64 has SSE.
    unsafe {
        if length >= 2 * AVX && std::arch::is_x86_feature_detected!("avx") {
            copy!(length / AVX, "vmovups", "ymm", "32", "vzeroupper");
            length / AVX * AVX
        } else if length >= SSE {
            copy!(length / SSE, "movups", "xmm", "16", "");
            length / SSE * SSE
        } else {
            0
        }
    }
}

/// # Safety
/// None is needed: it copies nothing.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
#[inline]
unsafe fn copy_blocks(_: *const u8, _: *mut u8, _: usize) -> usize {
    0
}

/// Copies `length` bytes out of shared memory.
///
/// # Safety
/// `source` is valid for reads of `length` bytes and `destination` for writes; the destination is the caller's alone. Others access the source
/// only atomically, or from other processes.
pub(crate) unsafe fn copy_out(source: *const u8, destination: *mut u8, length: usize) {
    let head = source.align_offset(WORD).min(length);
    // SAFETY: every access lies within `length` bytes; the word accesses begin where the source is aligned; the destination need not be.
    unsafe {
        for index in 0..head {
            destination.add(index).write(load_byte(source.add(index)));
        }
        let head = head + copy_blocks(source.add(head), destination.add(head), length - head);
        let words = (length - head) / WORD;
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
    // SAFETY: as in `copy_out`, with the roles exchanged.
    unsafe {
        for index in 0..head {
            store_byte(destination.add(index), source.add(index).read());
        }
        let head = head + copy_blocks(source.add(head), destination.add(head), length - head);
        let words = (length - head) / WORD;
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
        const SIZE: usize = 640;
        let pattern: Vec<u8> = (0..SIZE).map(|byte| byte as u8 | 1).collect();
        for from in 0..9 {
            for to in 0..9 {
                for length in (0..SIZE - 16).step_by(if cfg!(debug_assertions) { 3 } else { 1 }) {
                    let mut shared = [0u64; SIZE / WORD];
                    let shared = shared.as_mut_ptr().cast::<u8>();
                    let mut back = [0u8; SIZE];
                    // SAFETY: all ranges lie within the bytes of each buffer, and nobody else uses them.
                    unsafe {
                        copy_in(pattern.as_ptr().add(from), shared.add(to), length);
                        copy_out(shared, back.as_mut_ptr(), SIZE);
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
