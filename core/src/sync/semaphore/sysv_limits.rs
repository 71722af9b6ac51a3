//! The system's limits on System V semaphores, for errors that name them.

/// The largest value: `SEMVMX`. It is the kernel's, and cannot be changed.
pub(super) const LARGEST_VALUE: u32 = 32767;

/// `/proc/sys/kernel/sem`.
pub(super) struct Limits {
    /// `SEMMSL`
    pub(super) in_a_set: u64,
    /// `SEMMNS`
    pub(super) semaphores: u64,
    /// `SEMOPM`
    pub(super) operations: u64,
    /// `SEMMNI`
    pub(super) sets: u64,
}

pub(super) fn limits() -> Option<Limits> {
    let text = std::fs::read_to_string("/proc/sys/kernel/sem").ok()?;
    let numbers: Vec<u64> = text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [in_a_set, semaphores, operations, sets] = numbers[..] else { return None };
    Some(Limits { in_a_set, semaphores, operations, sets })
}

/// How many sets there are, and how many semaphores they have.
pub(super) fn in_use() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/sysvipc/sem").unwrap_or_default();
    let counts = text.lines().skip(1).filter_map(|line| line.split_ascii_whitespace().nth(3)?.parse::<u64>().ok());
    counts.fold((0, 0), |(sets, semaphores), count| (sets + 1, semaphores + count))
}
