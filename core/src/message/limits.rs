//! The system's limits on message queues, for errors that name them.

/// A limit below `/proc/sys`; `None` where it cannot be read.
pub(super) fn system(limit: &str) -> Option<u64> {
    std::fs::read_to_string(format!("/proc/sys/{limit}")).ok()?.trim().parse().ok()
}

/// "/proc/sys/fs/mqueue/msg_max is 10".
pub(super) fn told(limit: &str) -> String {
    match system(limit) {
        Some(value) => format!("/proc/sys/{limit} is {value}"),
        None => format!("/proc/sys/{limit} cannot be read"),
    }
}

/// The bytes that all POSIX queues of this user may take; `None` without a limit.
pub(super) fn queue_bytes() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is valid to write to.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_MSGQUEUE, &mut limit) } == 0;
    #[allow(clippy::useless_conversion, reason = "on 32-bit systems the field is narrower")]
    (known && limit.rlim_cur != libc::RLIM_INFINITY).then(|| u64::from(limit.rlim_cur))
}
