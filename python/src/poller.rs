//! One wait over many.

use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use unipc::event::{self, Event, Events, Interest, Probe, Ready, Source, probe};
use unipc::{Errno, Error};

use crate::error::{Raise, invalid};
use crate::handle::{Handle, describe, fileno, reduce};
use crate::semaphore::{PosixSemaphore, Semaphore};
use crate::sysv_queue::{SysvQueue, which};
use crate::sysv_semaphores::SysvSemaphores;

/// A poller, and the Python objects that its tokens stand for. Nothing that is done under the lock needs the interpreter's.
struct Inner {
    poller: event::Poller,
    tokens: Mutex<Tokens>,
}

#[derive(Default)]
struct Tokens {
    /// By the number that the core knows.
    objects: HashMap<u64, Py<PyAny>>,
    numbers: HashMap<u64, u64>,
    last: u64,
}

impl Inner {
    fn locked(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a child made by fork, in which a thread that is not there may hold the lock.
    fn check(&self) -> unipc::Result<()> {
        self.poller.is_registered(Source::from_bits(u64::MAX)).map(drop)
    }

    fn add(&self, token: Py<PyAny>, add: impl FnOnce(&event::Poller, u64) -> unipc::Result<Source>) -> unipc::Result<u64> {
        self.check()?;
        // Locked until the number is known: another thread may be told, and remove the source, at once.
        let mut tokens = self.locked();
        tokens.last += 1;
        let number = tokens.last;
        let source = add(&self.poller, number)?.bits();
        tokens.objects.insert(number, token);
        tokens.numbers.insert(source, number);
        Ok(source)
    }

    /// Gives the token back, which is dropped when nothing is locked: that may run Python code.
    fn remove(&self, source: u64) -> unipc::Result<Option<Py<PyAny>>> {
        self.check()?;
        let mut tokens = self.locked();
        self.poller.remove(Source::from_bits(source))?;
        let number = tokens.numbers.remove(&source);
        Ok(number.and_then(|number| tokens.objects.remove(&number)))
    }
}

impl std::os::fd::AsFd for Inner {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }
}

/// Something that has happened to a source of a Poller. The properties say what: hang_up,
/// peer_closed and error are told unasked.
#[pyclass(frozen, module = "unipc")]
pub(crate) struct PollerEvent {
    #[pyo3(get)]
    /// What the source was registered with; None of a wake-up.
    token: Py<PyAny>,
    #[pyo3(get)]
    /// The source, as add has told it.
    source: u64,
    ready: Ready,
}

#[pymethods]
impl PollerEvent {
    /// There is something to read, to receive, to take or to accept, or the end.
    #[getter]
    fn readable(&self) -> bool {
        self.ready.contains(Ready::READABLE)
    }

    /// There is room.
    #[getter]
    fn writable(&self) -> bool {
        self.ready.contains(Ready::WRITABLE)
    }

    /// Urgent data, or something exceptional.
    #[getter]
    fn priority(&self) -> bool {
        self.ready.contains(Ready::PRIORITY)
    }

    /// The other side has gone. What it has written before can still be read.
    #[getter]
    fn hang_up(&self) -> bool {
        self.ready.contains(Ready::HANG_UP)
    }

    /// The other side of a socket will write no more.
    #[getter]
    fn peer_closed(&self) -> bool {
        self.ready.contains(Ready::PEER_CLOSED)
    }

    /// Something is wrong with it; the next call on it says what.
    #[getter]
    fn error(&self) -> bool {
        self.ready.contains(Ready::ERROR)
    }

    /// Nothing has happened to a source: Poller.wake was called.
    #[getter]
    fn woken(&self) -> bool {
        self.ready.is_woken()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<unipc.PollerEvent {} token={}>", format!("{:?}", self.ready).to_lowercase(), self.token.bind(py).repr()?))
    }
}

/// What Poller.wait gives: an iterator over events. Each is looked at when it is asked for: one
/// whose source was removed meanwhile is left out.
#[pyclass(frozen, module = "unipc")]
pub(crate) struct PollerEvents {
    poller: Py<Poller>,
    events: Mutex<Events>,
}

#[pymethods]
impl PollerEvents {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<PollerEvent>> {
        // A closed poller has no events any more.
        let Ok(inner) = self.poller.get().handle.share() else { return Ok(None) };
        if inner.check().is_err() {
            return Ok(None);
        }
        loop {
            let next = self.events.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(Event { token, source, ready }) = next else { return Ok(None) };
            if ready.is_woken() {
                return Ok(Some(PollerEvent { token: py.None(), source: source.bits(), ready }));
            }
            let token = inner.locked().objects.get(&token).map(|token| token.clone_ref(py));
            if let Some(token) = token {
                return Ok(Some(PollerEvent { token, source: source.bits(), ready }));
            }
        }
    }

    /// How many are left, at most.
    fn __len__(&self) -> usize {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).left()
    }
}

fn interest(readable: bool, writable: bool, priority: bool, edge: bool, one_shot: bool) -> Interest {
    let parts = [
        (readable, Interest::READABLE),
        (writable, Interest::WRITABLE),
        (priority, Interest::PRIORITY),
        (edge, Interest::EDGE),
        (one_shot, Interest::ONE_SHOT),
    ];
    parts.iter().filter(|(is_asked, _)| *is_asked).fold(Interest::NONE, |all, (_, part)| all | *part)
}

fn closed() -> Error {
    Error::os("ask a closed object", Errno::EBADF)
}

/// What an object without a descriptor is asked; None for all others.
fn probe_of(py: Python<'_>, object: &Bound<'_, PyAny>, kind: i64) -> PyResult<Option<Probe>> {
    let level = |units: u32| if units > 0 { Ready::READABLE } else { Ready::NOTHING };
    if let Ok(queue) = object.cast::<SysvQueue>() {
        return probe::sysv_queue(queue.get().identifier(), which(kind, false)?).raise(py).map(Some);
    }
    if let Ok(semaphore) = object.cast::<PosixSemaphore>() {
        let semaphore = semaphore.clone().unbind();
        return Ok(Some(Box::new(move |_| semaphore.get().free().ok_or_else(closed)?.map(level))));
    }
    if let Ok(semaphore) = object.cast::<Semaphore>() {
        let semaphore = semaphore.clone().unbind();
        return Ok(Some(Box::new(move |_| semaphore.get().object().value().map(level))));
    }
    if object.is_instance_of::<SysvSemaphores>() {
        return Err(PyTypeError::new_err("semaphores of a SysvSemaphores are watched one by one, by add_sysv_semaphore"));
    }
    Ok(None)
}

/// The number of an int, or of an object with fileno().
pub(crate) fn number_of(object: &Bound<'_, PyAny>) -> PyResult<i32> {
    // SAFETY: the object is alive and the interpreter's lock is held.
    let number = unsafe { pyo3::ffi::PyObject_AsFileDescriptor(object.as_ptr()) };
    if number < 0 { Err(PyErr::fetch(object.py())) } else { Ok(number) }
}

/// One wait over many: over everything that has a fileno(), and over what has none and is
/// asked, without anything being taken: a SysvQueue, a PosixSemaphore, a Semaphore, and by its
/// number a System V semaphore. These are asked from every 50 microseconds to every 10
/// milliseconds; take from them without waiting.
///
/// Remove a source before closing it. It costs two descriptors. Any thread may use it at any
/// time; a child made by fork gets Forked, and makes its own. `with` closes it.
/// Errors: OSError with EMFILE, ENFILE. Source: epoll(7).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Poller {
    handle: Handle<Inner>,
}

#[pymethods]
impl Poller {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Poller> {
        let poller = event::Poller::new().raise(py)?;
        Ok(Poller { handle: Handle::new("poller", Inner { poller, tokens: Mutex::default() }) })
    }

    /// Watches an object: an int, something with fileno(), a SysvQueue, a PosixSemaphore, a
    /// Semaphore. Gives the source, a number to modify and remove it by.
    ///
    /// token: comes back with every event; the object itself, if it is not given. readable,
    /// writable, priority: what for; hang-ups and errors are told in any case. edge: told when it
    /// becomes so, not as long as it is so. one_shot: told once, until modify. type: of a queue, as
    /// in receive. Regular files always are ready.
    /// Errors: FileExistsError if it is registered; OSError with EBADF, ENOSPC
    /// (fs.epoll.max_user_watches); PermissionError: no right to look; Forked.
    #[pyo3(signature = (source, token=None, *, readable=true, writable=false, priority=false, edge=false, one_shot=false, r#type=0))]
    #[expect(clippy::too_many_arguments, reason = "keywords of Python")]
    fn add(
        &self,
        py: Python<'_>,
        source: &Bound<'_, PyAny>,
        token: Option<Py<PyAny>>,
        readable: bool,
        writable: bool,
        priority: bool,
        edge: bool,
        one_shot: bool,
        r#type: i64,
    ) -> PyResult<u64> {
        let interest = interest(readable, writable, priority, edge, one_shot);
        let token = token.unwrap_or_else(|| source.clone().unbind());
        if let Some(probe) = probe_of(py, source, r#type)? {
            return self.handle.long(py, |inner| inner.add(token, |poller, number| poller.add_probe(probe, interest, number)));
        }
        let descriptor = number_of(source)?;
        self.handle.long(py, |inner| {
            // SAFETY: not -1, and borrowed for this call alone; the kernel looks whether there is such a descriptor.
            inner.add(token, |poller, number| poller.add(unsafe { BorrowedFd::borrow_raw(descriptor) }, interest, number))
        })
    }

    /// Watches one semaphore of a System V set: readable while its value is at least units; of 0
    /// units, while it is 0.
    ///
    /// semaphores: a SysvSemaphores, or the number of a set as ipcs -s shows it. index: which of
    /// the set. token, edge, one_shot: as add.
    /// Errors: PermissionError: no right to read; OSError with EINVAL, EIDRM; Forked.
    #[pyo3(signature = (semaphores, index=0, token=None, *, units=1, edge=false, one_shot=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords of Python")]
    fn add_sysv_semaphore(
        &self,
        py: Python<'_>,
        semaphores: &Bound<'_, PyAny>,
        index: u16,
        token: Option<Py<PyAny>>,
        units: u16,
        edge: bool,
        one_shot: bool,
    ) -> PyResult<u64> {
        let token = token.unwrap_or_else(|| semaphores.clone().unbind());
        let interest = interest(true, false, false, edge, one_shot);
        let probe = match semaphores.cast::<SysvSemaphores>() {
            Ok(set) => {
                let ask = probe::sysv_semaphore(set.get().identifier(), index, units);
                let set = set.clone().unbind();
                Box::new(move |given| if set.get().is_closed() { Err(closed()) } else { ask(given) })
            }
            Err(_) => probe::sysv_semaphore(semaphores.extract()?, index, units),
        };
        self.handle.long(py, |inner| inner.add(token, |poller, number| poller.add_probe(probe, interest, number)))
    }

    /// Watches a source for something else; one that is told once is armed again.
    /// Errors: FileNotFoundError: no such source; OSError with EBADF: it was closed before it was
    /// removed; Forked.
    #[pyo3(signature = (source, *, readable=true, writable=false, priority=false, edge=false, one_shot=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords of Python")]
    fn modify(
        &self,
        py: Python<'_>,
        source: u64,
        readable: bool,
        writable: bool,
        priority: bool,
        edge: bool,
        one_shot: bool,
    ) -> PyResult<()> {
        let interest = interest(readable, writable, priority, edge, one_shot);
        self.handle.long(py, |inner| inner.poller.modify(Source::from_bits(source), interest))
    }

    /// Watches a source no more: no event of it is given once this has returned, also none that an
    /// earlier wait has found.
    /// Errors: FileNotFoundError: no such source; Forked.
    fn remove(&self, py: Python<'_>, source: u64) -> PyResult<()> {
        self.handle.long(py, |inner| inner.remove(source)).map(drop)
    }

    /// Waits until something happens; gives an iterator over the events, at most maximum. Of more
    /// sources that are ready all are told in turn.
    /// Errors: BlockingIOError, TimeoutError: nothing has happened; Forked.
    #[pyo3(signature = (*, maximum=64, timeout=None))]
    fn wait(slf: Bound<'_, Self>, maximum: usize, timeout: Option<f64>) -> PyResult<PollerEvents> {
        if maximum == 0 || maximum > 1 << 20 {
            return Err(invalid("maximum is 1 to 1048576"));
        }
        let mut events = Events::with_capacity(maximum);
        slf.get().handle.wait(slf.py(), timeout, |inner, wait| inner.poller.wait(&mut events, wait))?;
        Ok(PollerEvents { poller: slf.unbind(), events: Mutex::new(events) })
    }

    /// Ends a wait that lasts, or else the next: it gives an event that is woken. Several before
    /// one is told are one.
    /// Errors: Forked.
    fn wake(&self, py: Python<'_>) -> PyResult<()> {
        self.handle.share()?.poller.wake().raise(py)
    }

    /// The descriptor, for a loop inside another: readable while a descriptor among the sources is
    /// ready. It knows nothing of what is asked, nor of files.
    fn fileno(&self) -> PyResult<i32> {
        fileno(&self.handle)
    }

    /// Whether some source has no descriptor and is asked: the poller's descriptor tells nothing of
    /// those.
    fn is_asking(&self) -> PyResult<bool> {
        Ok(self.handle.share()?.poller.is_asking())
    }

    /// How many sources there are. Errors: Forked.
    fn source_count(&self, py: Python<'_>) -> PyResult<usize> {
        self.handle.long(py, |inner| inner.poller.source_count())
    }

    /// Closes the poller; again is fine. Its sources stay open. Who waits in it wakes with
    /// ValueError.
    fn close(&self) {
        self.handle.close();
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.handle.is_closed()
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (kind, error, traceback, /))]
    fn __exit__(&self, kind: Py<PyAny>, error: Py<PyAny>, traceback: Py<PyAny>) {
        let _ = (kind, error, traceback);
        self.handle.close();
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reduce(slf.as_any(), "refuse")
    }

    fn __repr__(&self) -> String {
        format!("<unipc.Poller {}>", describe(&self.handle))
    }
}
