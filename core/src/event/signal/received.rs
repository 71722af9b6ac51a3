//! What is known of a signal that was received.

/// A signal that was received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    /// Its number.
    pub signal: i32,
    /// Why it came, `si_code`: `SI_USER`, `SI_QUEUE`, `CLD_EXITED` and so on.
    pub code: i32,
    /// The value that it was sent with, if it was sent with one. Anybody who may send the signal may choose it.
    pub value: Option<i32>,
    /// The process that sent it, or the child that it is about; 0 in a pid namespace that is not ours.
    pub sender_pid: Option<i32>,
    /// The real user of that process.
    pub sender_uid: Option<u32>,
    /// How many signals to this handle had no room before this one.
    pub lost: u64,
}

/// What fits into a pipe in one piece. A handler writes it, so it is made of integers alone.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(super) struct Record {
    pub(super) signal: i32,
    pub(super) code: i32,
    pub(super) value: i32,
    pub(super) pid: i32,
    pub(super) uid: u32,
    pub(super) is_bare: u32,
}

impl Record {
    /// Async-signal-safe.
    pub(super) fn of(information: &libc::siginfo_t) -> Record {
        // SAFETY: the fields are those of a signal that somebody sent, or of SIGCHLD; of any other they are some integers of the same union, and
        // `Received` looks at the code before it tells them.
        let (pid, uid, value) = unsafe { (information.si_pid(), information.si_uid(), information.si_value()) };
        Record { signal: information.si_signo, code: information.si_code, value: integer_of(value.sival_ptr as u64), pid, uid, is_bare: 0 }
    }

    /// Of a signal of which no more than the number is known.
    pub(super) fn bare(signal: i32) -> Record {
        Record { signal, is_bare: 1, ..Record::default() }
    }

    pub(super) fn as_bytes(&self) -> &[u8; size_of::<Record>()] {
        // SAFETY: six integers of four bytes without padding.
        unsafe { &*std::ptr::from_ref(self).cast() }
    }

    pub(super) fn from_bytes(bytes: &[u8; size_of::<Record>()]) -> Record {
        let word = |index: usize| i32::from_ne_bytes(bytes[index * 4..index * 4 + 4].try_into().unwrap_or_default());
        Record { signal: word(0), code: word(1), value: word(2), pid: word(3), uid: word(4) as u32, is_bare: word(5) as u32 }
    }
}

impl Received {
    pub(super) fn of(information: &libc::siginfo_t) -> Received {
        Received::from(Record::of(information))
    }
}

impl From<Record> for Received {
    fn from(record: Record) -> Received {
        let is_about_child = record.signal == libc::SIGCHLD && (libc::CLD_EXITED..=libc::CLD_CONTINUED).contains(&record.code);
        let is_sent = matches!(record.code, libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL | libc::SI_MESGQ);
        let has_sender = record.is_bare == 0 && (is_sent || is_about_child);
        let has_value = record.is_bare == 0 && matches!(record.code, libc::SI_QUEUE | libc::SI_TIMER | libc::SI_MESGQ);
        Received {
            signal: record.signal,
            code: record.code,
            value: has_value.then_some(record.value),
            sender_pid: has_sender.then_some(record.pid),
            sender_uid: has_sender.then_some(record.uid),
            lost: 0,
        }
    }
}

/// The integer of a `union sigval` of which the pointer was read: the first four bytes in memory.
fn integer_of(pointer: u64) -> i32 {
    let bytes = (pointer as usize).to_ne_bytes();
    i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// The `union sigval` with this integer.
pub(super) fn value_of(integer: i32) -> libc::sigval {
    let mut bytes = [0; size_of::<usize>()];
    bytes[..4].copy_from_slice(&integer.to_ne_bytes());
    libc::sigval { sival_ptr: usize::from_ne_bytes(bytes) as *mut libc::c_void }
}
