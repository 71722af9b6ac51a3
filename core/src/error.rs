//! What can go wrong, told so that the reader can act: the operation, the object, the reason, and the remedy where one is known.
//!
//! Two audiences share one [`Error`]. A program looks at [`Error::code`]: `-errno` wherever an errno says it, and a
//! [`Failure`] below -10000 for the few things that POSIX has no word for. A person reads the sentence that [`Display`](std::fmt::Display) writes.
//! Nothing is allocated for an error that has neither name nor remedy, so a `try_lock` that fails stays as cheap as one that succeeds.

use std::borrow::Cow;
use std::fmt;

use nix::errno::Errno;

/// The result of every operation of this library.
pub type Result<T> = std::result::Result<T, Error>;

/// Failures that no errno describes. The numbers are part of the C ABI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
#[non_exhaustive]
pub enum Failure {
    /// The other side has ended: nothing more will come.
    End = -10001,
    /// The handle was made by the parent process and does not work in a child made by `fork`.
    Forked = -10002,
    /// A bug in this library was caught at its border.
    Panic = -10003,
    /// This build or this system cannot do it.
    Unavailable = -10004,
    /// The name belongs to an object of another kind: a file that is no FIFO, no socket, no memory.
    WrongKind = -10005,
    /// The object is smaller than what was asked for.
    WrongSize = -10006,
    /// An object in memory was made by another ABI, is of another kind, or belongs to another pid namespace.
    Incompatible = -10007,
    /// The stream ended inside a message, or inside what was to be read whole.
    Truncated = -10008,
}

impl Failure {
    /// All of them, for tables and bindings.
    pub const ALL: [Failure; 8] = [
        Failure::End,
        Failure::Forked,
        Failure::Panic,
        Failure::Unavailable,
        Failure::WrongKind,
        Failure::WrongSize,
        Failure::Incompatible,
        Failure::Truncated,
    ];

    /// The name of the constant in the C header.
    pub fn name(self) -> &'static str {
        match self {
            Failure::End => "UNIPC_END",
            Failure::Forked => "UNIPC_FORKED",
            Failure::Panic => "UNIPC_PANIC",
            Failure::Unavailable => "UNIPC_UNAVAILABLE",
            Failure::WrongKind => "UNIPC_WRONG_KIND",
            Failure::WrongSize => "UNIPC_WRONG_SIZE",
            Failure::Incompatible => "UNIPC_INCOMPATIBLE",
            Failure::Truncated => "UNIPC_TRUNCATED",
        }
    }

    /// One clause that says what happened.
    pub fn description(self) -> &'static str {
        match self {
            Failure::End => "the other side has ended",
            Failure::Forked => "the handle belongs to the parent process",
            Failure::Panic => "internal error",
            Failure::Unavailable => "not available here",
            Failure::WrongKind => "the name belongs to an object of another kind",
            Failure::WrongSize => "the object is smaller than what was asked for",
            Failure::Incompatible => "the object belongs to another ABI, kind or pid namespace",
            Failure::Truncated => "the stream ended in the middle",
        }
    }
}

/// Why an operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// What the kernel or the C library said, or would have said.
    Os(Errno),
    /// What only this library can say.
    Failure(Failure),
}

impl Reason {
    /// The C ABI's code: `-errno`, or the failure's number.
    pub fn code(self) -> i32 {
        match self {
            Reason::Os(errno) => -(errno as i32),
            Reason::Failure(failure) => failure as i32,
        }
    }

    /// The reason that a C code stands for; `None` for zero, positive and unknown numbers.
    pub fn from_code(code: i32) -> Option<Reason> {
        if let Some(failure) = Failure::ALL.into_iter().find(|failure| *failure as i32 == code) {
            return Some(Reason::Failure(failure));
        }
        if !(-4095..0).contains(&code) {
            return None;
        }
        match Errno::from_raw(-code) {
            Errno::UnknownErrno => None,
            errno => Some(Reason::Os(errno)),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The C library speaks of connections here, whatever timed out.
            Reason::Os(Errno::ETIMEDOUT) => formatter.write_str("Timed out"),
            Reason::Os(Errno::EAGAIN) => formatter.write_str("It would have to wait"),
            Reason::Os(Errno::ECANCELED) => formatter.write_str("Stopped"),
            Reason::Os(errno) => formatter.write_str(errno.desc()),
            Reason::Failure(failure) => formatter.write_str(failure.description()),
        }
    }
}

/// A failed operation.
///
/// Shown as `operation object: reason; remedy`, for instance
/// `create memory "frames": No space left on device; /dev/shm has 4 MiB left and 64 MiB are needed`.
#[derive(Debug, Clone, thiserror::Error)]
pub struct Error {
    operation: &'static str,
    reason: Reason,
    /// Apart, so that a result is small: it is returned from every call, and mostly it is none.
    details: Option<Box<Details>>,
}

#[derive(Debug, Clone, Default)]
struct Details {
    object: Option<Box<str>>,
    remedy: Option<Cow<'static, str>>,
    transferred: usize,
}

impl Error {
    /// An error of `operation` for `reason`.
    #[cold]
    pub fn new(operation: &'static str, reason: Reason) -> Error {
        Error { operation, reason, details: None }
    }

    /// An error of `operation` that an errno describes.
    #[cold]
    pub fn os(operation: &'static str, errno: Errno) -> Error {
        Error::new(operation, Reason::Os(errno))
    }

    /// An error of `operation` that only this library can describe.
    #[cold]
    pub fn failure(operation: &'static str, failure: Failure) -> Error {
        Error::new(operation, Reason::Failure(failure))
    }

    /// The error that a code of the C ABI stands for; a number that is no code counts as `EINVAL`.
    #[cold]
    pub fn from_code(operation: &'static str, code: i32) -> Error {
        Error::new(operation, Reason::from_code(code).unwrap_or(Reason::Os(Errno::EINVAL)))
    }

    /// Names the object that the operation was tried on.
    pub fn on(mut self, object: impl Into<Box<str>>) -> Error {
        self.details().object = Some(object.into());
        self
    }

    /// Adds what the limit was, or what can be done.
    pub fn hint(mut self, remedy: impl Into<Cow<'static, str>>) -> Error {
        self.details().remedy = Some(remedy.into());
        self
    }

    /// Notes how many bytes had passed when the call failed.
    pub fn after(mut self, transferred: usize) -> Error {
        if transferred != 0 {
            self.details().transferred = transferred;
        }
        self
    }

    fn details(&mut self) -> &mut Details {
        self.details.get_or_insert_default()
    }

    /// What was tried, as a verb phrase: `create memory`.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The object it was tried on, where it has a name.
    pub fn object(&self) -> Option<&str> {
        self.details.as_ref()?.object.as_deref()
    }

    /// Why it failed.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The remedy or the limit, where one is known.
    pub fn remedy(&self) -> Option<&str> {
        self.details.as_ref()?.remedy.as_deref()
    }

    /// The errno, where one describes the failure.
    pub fn errno(&self) -> Option<Errno> {
        match self.reason {
            Reason::Os(errno) => Some(errno),
            Reason::Failure(_) => None,
        }
    }

    /// The code of the C ABI.
    pub fn code(&self) -> i32 {
        self.reason.code()
    }

    /// How many bytes had passed when `read_exact` or `write_all` failed; how large a message was that did not fit (`EMSGSIZE`).
    pub fn transferred(&self) -> usize {
        self.details.as_ref().map_or(0, |details| details.transferred)
    }

    /// Whether the failure is this errno.
    pub fn is(&self, errno: Errno) -> bool {
        self.reason == Reason::Os(errno)
    }

    /// Whether the caller has ended the wait: by its stop token, or because it was asked.
    pub(crate) fn is_given_up(&self) -> bool {
        self.is(Errno::ECANCELED) || self.is(Errno::EINTR)
    }

    /// Whether a wait has ended without what was waited for, for any reason.
    pub(crate) fn is_end_of_wait(&self) -> bool {
        self.is_given_up() || self.is(Errno::EAGAIN) || self.is(Errno::ETIMEDOUT)
    }

    /// Whether the failure is this one.
    pub fn is_failure(&self, failure: Failure) -> bool {
        self.reason == Reason::Failure(failure)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.operation)?;
        if let Some(object) = self.object() {
            // Names come from strangers: control bytes must not reach a terminal.
            write!(formatter, " {object:?}")?;
        }
        write!(formatter, ": {}", self.reason)?;
        match self.remedy() {
            Some(remedy) => write!(formatter, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> std::io::Error {
        let kind = match error.reason {
            Reason::Os(errno) => std::io::Error::from(errno).kind(),
            Reason::Failure(Failure::End | Failure::Truncated) => std::io::ErrorKind::UnexpectedEof,
            Reason::Failure(Failure::Unavailable) => std::io::ErrorKind::Unsupported,
            Reason::Failure(_) => std::io::ErrorKind::Other,
        };
        std::io::Error::new(kind, error)
    }
}

/// Turns the kernel's -1 into the errno that it left behind.
pub(crate) fn check<T: nix::errno::ErrnoSentinel + PartialEq>(result: T) -> std::result::Result<T, Errno> {
    Errno::result(result)
}

/// Names the operation that an errno came from.
pub(crate) trait Context<T> {
    fn during(self, operation: &'static str) -> Result<T>;
    fn during_on(self, operation: &'static str, object: &str) -> Result<T>;
}

impl<T> Context<T> for std::result::Result<T, Errno> {
    fn during(self, operation: &'static str) -> Result<T> {
        self.map_err(|errno| Error::os(operation, errno))
    }

    fn during_on(self, operation: &'static str, object: &str) -> Result<T> {
        self.map_err(|errno| Error::os(operation, errno).on(object))
    }
}

impl<T> Context<T> for std::io::Result<T> {
    fn during(self, operation: &'static str) -> Result<T> {
        self.map_err(errno_of).during(operation)
    }

    fn during_on(self, operation: &'static str, object: &str) -> Result<T> {
        self.map_err(errno_of).during_on(operation, object)
    }
}

/// The errno inside an `io::Error`; EIO for one that the standard library made up.
fn errno_of(error: std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

/// "64 MiB", "4 KiB", "17 bytes": sizes as people read them.
pub(crate) fn human_size(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in UNITS {
        if bytes >> shift != 0 {
            let tenths = (u128::from(bytes) * 10) >> shift;
            return if tenths % 10 == 0 { format!("{} {unit}", tenths / 10) } else { format!("{}.{} {unit}", tenths / 10, tenths % 10) };
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_operation_object_reason_and_remedy() {
        let error = Error::os("create memory", Errno::ENOSPC).on("frames").hint("/dev/shm is full");
        assert_eq!(error.to_string(), "create memory \"frames\": No space left on device; /dev/shm is full");
        assert_eq!(error.code(), -libc::ENOSPC);
    }

    #[test]
    fn control_bytes_in_a_name_are_escaped() {
        let error = Error::os("open", Errno::ENOENT).on("a\u{1b}[2J\n");
        assert!(!error.to_string().contains('\u{1b}'));
        assert!(!error.to_string().contains('\n'));
    }

    #[test]
    fn codes_and_reasons_are_inverse() {
        for failure in Failure::ALL {
            assert_eq!(Reason::from_code(failure as i32), Some(Reason::Failure(failure)));
        }
        assert_eq!(Reason::from_code(-libc::EAGAIN), Some(Reason::Os(Errno::EAGAIN)));
        for code in [0, 1, i32::MIN, -9999, -20000] {
            assert_eq!(Reason::from_code(code), None);
        }
    }

    #[test]
    fn sizes_are_readable() {
        assert_eq!(human_size(17), "17 bytes");
        assert_eq!(human_size(4096), "4 KiB");
        assert_eq!(human_size(1536 * 1024), "1.5 MiB");
        assert_eq!(human_size(u64::MAX), "16777215.9 TiB");
    }
}
