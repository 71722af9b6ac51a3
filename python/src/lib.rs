//! The extension module of the Python package `unipc`. Each module translates one module of the core: arguments in, a call, a result out.
//!
//! The doc comments of classes and methods are the documentation that `help` shows.

#![expect(clippy::wrong_self_convention, reason = "into_fd and the like are the names of Python methods, which take a shared self")]

mod atomic;
mod barrier;
mod buffer;
mod condvar;
mod datagram;
mod error;
mod event;
mod file_exchange;
mod file_lock;
mod framed;
mod handle;
mod in_place;
mod listener;
mod memory;
mod memory_options;
mod message;
mod mq;
mod mutex;
mod poller;
mod process;
mod ring;
mod rwlock;
mod semaphore;
mod seqpacket;
mod signal;
mod spinlock;
mod stream;
mod sync_event;
mod sysv_memory;
mod sysv_queue;
mod sysv_semaphores;
mod transfer;
mod wait;

use pyo3::prelude::*;

/// Runs the command unipc with these arguments, the first of which is the program's name; gives
/// its exit status.
#[pyfunction]
fn main(py: Python<'_>, arguments: Vec<std::ffi::OsString>) -> u8 {
    // The command starts itself for its other process.
    let interpreter = py.import("sys").and_then(|sys| sys.getattr("executable")).and_then(|path| path.extract::<std::ffi::OsString>());
    let command = interpreter.map(|interpreter| vec![interpreter, "-m".into(), "unipc".into()]).unwrap_or_default();
    py.detach(|| unipc_cli::run(arguments, command))
}

#[pymodule]
mod _unipc {
    #[pymodule_export]
    use super::atomic::Atomic;
    #[pymodule_export]
    use super::barrier::Barrier;
    #[pymodule_export]
    use super::condvar::Condvar;
    #[pymodule_export]
    use super::datagram::Datagram;
    #[pymodule_export]
    use super::event::{EventFd, Timer};
    #[pymodule_export]
    use super::file_exchange::{FileEvent, FileFollower, append_record, replace_file};
    #[pymodule_export]
    use super::file_lock::{FileLock, FileLockHolder, HeldFile};
    #[pymodule_export]
    use super::framed::Framed;
    #[pymodule_export]
    use super::handle::remove_names;
    #[pymodule_export]
    use super::listener::Listener;
    #[pymodule_export]
    use super::main;
    #[pymodule_export]
    use super::memory::Memory;
    #[pymodule_export]
    use super::message::Message;
    #[pymodule_export]
    use super::mq::Mq;
    #[pymodule_export]
    use super::mutex::{Guard, Mutex};
    #[pymodule_export]
    use super::poller::{Poller, PollerEvent, PollerEvents};
    #[pymodule_export]
    use super::process::{ExitStatus, Pipeline, Process};
    #[pymodule_export]
    use super::ring::{Ring, RingCompletion};
    #[pymodule_export]
    use super::rwlock::{RwLock, RwLockGuard};
    #[pymodule_export]
    use super::semaphore::{PosixSemaphore, PosixSemaphoreStatus, Semaphore};
    #[pymodule_export]
    use super::seqpacket::{Seqpacket, SeqpacketListener};
    #[pymodule_export]
    use super::signal::{
        BlockedSignals, ReceivedSignal, SignalDescription, Signals, send_signal, send_signal_to_group, signal_table, take_signal,
    };
    #[pymodule_export]
    use super::spinlock::{Spinlock, SpinlockGuard};
    #[pymodule_export]
    use super::stream::{Credentials, Stream, create_fifo, pipe, take_descriptor, unlink_fifo};
    #[pymodule_export]
    use super::sync_event::Event;
    #[pymodule_export]
    use super::sysv_memory::SysvMemoryStatus;
    #[pymodule_export]
    use super::sysv_queue::{SysvQueue, SysvQueueStatus, sysv_key};
    #[pymodule_export]
    use super::sysv_semaphores::{SysvOperation, SysvSemaphores, SysvSemaphoresStatus};
    #[pymodule_export]
    use super::transfer::{Transferred, tee, transfer};
    #[pymodule_export]
    use super::wait::{Bound, Stop};

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &pyo3::Bound<'_, PyModule>) -> PyResult<()> {
        super::handle::watch_forks();
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
