//! Handles that any thread may close while others use them, and that work in children made by fork.
//!
//! A call takes a share of the object for its length, so the descriptor that it waits on stays its own, and no other file's, until it has woken: who closes
//! the handle marks it, and the last call that leaves ends the object. There is no lock, which a thread could hold over Python code, or a fork could
//! leave held for ever. The shares are counted in one word, together with the process that they are of: the threads of the parent do not exist in a child,
//! so there their shares do not count, except those of the thread that has forked, which goes on in the child (a signal handler may fork inside a wait).

use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use unipc::wait::Deadline;
use unipc::{Errno, Failure, Timeout, Wait, memory, message, stream, sync};

use crate::error::{self, Raise, invalid};
use crate::wait::{Failed, attempted, noted, waiting};

/// The longest that a close waits for the calls inside, which are told within 50 ms.
const PATIENCE: Duration = Duration::from_millis(500);

/// Which process this is: one more in every child.
static GENERATION: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// The waits that this thread is in, the innermost first: several, if a signal handler waits as well.
    static CALLS: Cell<*const Call<'static>> = const { Cell::new(std::ptr::null()) };
}

/// Has children counted, from the first call on.
pub(crate) fn watch_forks() {
    static ONCE: Once = Once::new();
    // SAFETY: the function stays loaded as long as the process, as extension modules do. Out of memory, which is the only failure, forks go unnoticed.
    ONCE.call_once(|| unsafe {
        libc::pthread_atfork(None, None, Some(in_child));
    });
}

/// Runs in the child, in its only thread, before anything else.
unsafe extern "C" fn in_child() {
    let own = GENERATION.load(Ordering::Relaxed).wrapping_add(1);
    GENERATION.store(own, Ordering::Relaxed);
    let mut next = CALLS.get();
    // SAFETY: the calls are in frames of this thread that have not returned.
    while let Some(call) = unsafe { next.as_ref() } {
        let state = State(call.state.load(Ordering::Relaxed));
        let users = if state.generation() == own { state.users() } else { 0 };
        call.state.store(State::new(own, state.0 & State::CLOSED, users + 1).0, Ordering::Relaxed);
        call.generation.set(own);
        next = call.outer;
    }
}

fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// What is going on with an object: the process that it is said of, whether the handle is closed, whether a call changes the object, how many calls use it.
#[derive(Clone, Copy)]
struct State(u64);

impl State {
    const CLOSED: u64 = 1 << 31;
    const CHANGING: u64 = 1 << 30;

    fn new(generation: u32, flags: u64, users: u64) -> State {
        State(u64::from(generation) << 32 | flags | users)
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn is_closed(self) -> bool {
        self.0 & State::CLOSED != 0
    }

    fn is_changing(self) -> bool {
        self.0 & State::CHANGING != 0
    }

    fn users(self) -> u64 {
        self.0 & (State::CHANGING - 1)
    }
}

/// Why there is no share.
enum Refusal {
    Closed,
    /// A call changes the object, or uses it where a change was asked for.
    Busy,
    /// A thread of the parent process was changing it at the moment of the fork.
    Forked,
}

const TURN: &str = "wait for another thread's call";

impl Refusal {
    /// Sleeps before the next attempt, if one is worth it. A handle that is closed is told as a wait that is not wanted any more.
    fn pause(&self, deadline: &mut Deadline<'_>) -> unipc::Result<()> {
        match self {
            Refusal::Busy => deadline.pause(),
            Refusal::Closed => Err(unipc::Error::os(TURN, Errno::EINTR)),
            Refusal::Forked => {
                Err(unipc::Error::failure(TURN, Failure::Forked).hint("one of the parent's threads was in the middle of it"))
            }
        }
    }
}

/// An object, until it is closed.
struct Place<T> {
    state: AtomicU64,
    object: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: the object is shared between threads, changed and ended by one alone, as the state says.
unsafe impl<T: Send + Sync> Sync for Place<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Send for Place<T> {}

impl<T> Place<T> {
    /// Adds a user, with `flags` as the only one.
    #[inline]
    fn enter(&self, flags: u64) -> Result<u32, Refusal> {
        let own = generation();
        let mut seen = State(self.state.load(Ordering::Relaxed));
        loop {
            let users = if seen.generation() == own { seen.users() } else { 0 };
            if seen.0 & (State::CLOSED | State::CHANGING) != 0 || (flags != 0 && users != 0) {
                return Err(match seen {
                    state if state.is_closed() => Refusal::Closed,
                    state if state.generation() != own => Refusal::Forked,
                    _ => Refusal::Busy,
                });
            }
            let next = State::new(own, flags, users + 1);
            match self.state.compare_exchange_weak(seen.0, next.0, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Ok(own),
                Err(other) => seen = State(other),
            }
        }
    }

    /// Takes a user away; the last one of a closed object ends it.
    #[inline]
    fn leave(&self, flags: u64, generation: u32) {
        // A fork has come in between, and in this process the user was never counted.
        if generation != self::generation() {
            return;
        }
        let former = State(self.state.fetch_sub(flags + 1, Ordering::AcqRel));
        if former.is_closed() && former.users() == 1 {
            // SAFETY: closed, and nobody uses it: nobody will again.
            unsafe { self.end() };
        }
    }

    /// Marks it closed, and ends the object unless somebody uses it. What a thread of the parent process was changing is left as it is.
    fn close(&self) {
        let own = generation();
        let mut seen = State(self.state.load(Ordering::Relaxed));
        loop {
            let is_own = seen.generation() == own;
            // Closed by the parent, while one of its threads was to end it.
            let is_abandoned = !is_own && seen.users() != 0;
            if seen.is_closed() && !is_abandoned {
                return;
            }
            let kept = if is_own { seen.0 & (State::CHANGING | (State::CHANGING - 1)) } else { 0 };
            let next = State::new(own, State::CLOSED, 0).0 | kept;
            match self.state.compare_exchange_weak(seen.0, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => {
                    if kept == 0 && !seen.is_changing() {
                        // SAFETY: as in `leave`.
                        unsafe { self.end() };
                    }
                    return;
                }
                Err(other) => seen = State(other),
            }
        }
    }

    /// Takes the object out, if nobody uses it.
    fn take(&self) -> Result<T, Refusal> {
        let generation = self.enter(State::CHANGING)?;
        // From here on it is closed for everybody else, and for `leave`, which is not called.
        self.state.store(State::new(generation, State::CLOSED, 0).0, Ordering::Release);
        // SAFETY: it was there, nobody else uses it, and nobody will again.
        Ok(unsafe { (*self.object.get()).assume_init_read() })
    }

    /// # Safety
    /// Nobody uses it, and nobody will.
    #[cold]
    unsafe fn end(&self) {
        // SAFETY: it is there until now, and the caller's promise.
        unsafe { (*self.object.get()).assume_init_drop() };
    }

    /// How many calls of other threads use it.
    fn others(&self) -> u64 {
        let state = State(self.state.load(Ordering::Acquire));
        if state.generation() != generation() {
            return 0;
        }
        let mut users = state.users();
        let mut next = CALLS.get();
        // SAFETY: the calls are in frames of this thread that have not returned.
        while let Some(call) = unsafe { next.as_ref() } {
            users -= u64::from(std::ptr::eq(call.state, &self.state)).min(users);
            next = call.outer;
        }
        users
    }
}

impl<T> Drop for Place<T> {
    fn drop(&mut self) {
        self.close();
    }
}

/// What has a name that goes with its maker.
pub(crate) trait Temporary {
    /// Removes the name; what has it stays as it is.
    fn remove_temporary(&self);
}

macro_rules! temporary {
    ($($object:ty),*) => { $(
        impl Temporary for $object {
            fn remove_temporary(&self) {
                <$object>::remove_temporary(self);
            }
        }
    )* };
}

temporary!(
    memory::Memory,
    sync::PosixSemaphore,
    sync::SysvSemaphores,
    message::Mq,
    message::SysvQueue,
    message::Datagram,
    message::SeqpacketListener,
    stream::Listener
);

/// What the end of the process looks at.
trait AtExit: Send + Sync {
    /// Removes the name, or says that a call of another thread has to end before: it changes the object, or is about to end it.
    fn finish(&self) -> bool;
}

impl<T: Temporary + Send + Sync> AtExit for Place<T> {
    fn finish(&self) -> bool {
        match self.enter(0) {
            Ok(generation) => {
                Share { place: self, generation }.remove_temporary();
                true
            }
            Err(Refusal::Closed) => self.others() == 0,
            Err(Refusal::Busy) => false,
            Err(Refusal::Forked) => true,
        }
    }
}

/// An object of the core, until it is closed.
pub(crate) struct Handle<T> {
    what: &'static str,
    place: Arc<Place<T>>,
}

/// The use of an object for the length of a call. It is not held over Python code, which may fork.
pub(crate) struct Share<'a, T> {
    place: &'a Place<T>,
    generation: u32,
}

impl<T> Deref for Share<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: it is there as long as anybody uses it, and nobody changes it meanwhile.
        unsafe { (*self.place.object.get()).assume_init_ref() }
    }
}

impl<T> Drop for Share<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.place.leave(0, self.generation);
    }
}

/// A wait, which a signal handler may fork in.
struct Call<'a> {
    state: &'a AtomicU64,
    generation: Cell<u32>,
    outer: *const Call<'static>,
}

/// The share of a wait: it counts in a child that is forked inside of it.
struct Inside<'a, T> {
    place: &'a Place<T>,
    call: &'a Call<'a>,
}

// SAFETY: it goes no further than into the closure that runs without the interpreter's lock, in the thread that made it.
unsafe impl<T: Send + Sync> Send for Inside<'_, T> {}

impl<'a, T> Inside<'a, T> {
    fn new(place: &'a Place<T>, call: &'a Call<'a>) -> Inside<'a, T> {
        CALLS.set(std::ptr::from_ref(call).cast());
        Inside { place, call }
    }

    fn object(&self) -> &T {
        // SAFETY: as in `Share::deref`.
        unsafe { (*self.place.object.get()).assume_init_ref() }
    }
}

impl<T> Drop for Inside<'_, T> {
    fn drop(&mut self) {
        CALLS.set(self.call.outer);
        self.place.leave(0, self.call.generation.get());
    }
}

/// The change of an object for the length of a call.
struct Change<'a, T> {
    place: &'a Place<T>,
    generation: u32,
}

impl<T> Drop for Change<'_, T> {
    fn drop(&mut self) {
        self.place.leave(State::CHANGING, self.generation);
    }
}

impl<T: Send + Sync> Handle<T> {
    pub(crate) fn new(what: &'static str, object: T) -> Handle<T> {
        let state = AtomicU64::new(State::new(generation(), 0, 0).0);
        Handle { what, place: Arc::new(Place { state, object: UnsafeCell::new(MaybeUninit::new(object)) }) }
    }

    /// A share of the object. `ValueError` when it is closed.
    #[inline]
    pub(crate) fn share(&self) -> PyResult<Share<'_, T>> {
        match self.place.enter(0) {
            Ok(generation) => Ok(Share { place: &self.place, generation }),
            Err(refusal) => Err(self.refused(&refusal)),
        }
    }

    /// A call that may wait, and ends with `ValueError` when another thread closes the object.
    #[inline]
    pub(crate) fn wait<R: Send>(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        call: impl FnOnce(&T, Wait<'_>) -> unipc::Result<R> + Send,
    ) -> PyResult<R> {
        self.attempt(py, timeout, call).map_err(|(error, _)| error)
    }

    /// [`wait`](Handle::wait) for a call that may do a part: what it raises says in any case how much had passed. `passed` is how many bytes a result stands
    /// for, which is lost to an exception of a signal's handler.
    #[inline]
    pub(crate) fn wait_for<R: Send>(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        passed: impl FnOnce(&R) -> usize,
        call: impl FnOnce(&T, Wait<'_>) -> unipc::Result<R> + Send,
    ) -> PyResult<R> {
        self.attempt(py, timeout, call).map_err(|failed| noted(py, failed, passed))
    }

    #[inline]
    fn attempt<R: Send>(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        call: impl FnOnce(&T, Wait<'_>) -> unipc::Result<R> + Send,
    ) -> Result<R, Failed<R>> {
        let nothing_done = || Err(unipc::Error::os("use handle", Errno::EBADF));
        let generation = self.place.enter(0).map_err(|refusal| (self.refused(&refusal), nothing_done()))?;
        let frame = Call { state: &self.place.state, generation: Cell::new(generation), outer: CALLS.get() };
        let inside = Inside::new(&self.place, &frame);
        attempted(py, timeout, &|| !self.is_closed(), move |wait| {
            let inside = inside;
            call(inside.object(), wait)
        })
    }

    /// [`wait`](Handle::wait) with the object for this call alone. While another thread has it so, this waits as well, within the one time.
    pub(crate) fn wait_alone<R: Send>(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        call: impl FnOnce(&mut T, Wait<'_>) -> unipc::Result<R> + Send,
    ) -> PyResult<R> {
        waiting(py, timeout, &|| !self.is_closed(), |wait| {
            let mut deadline = Deadline::new(TURN, wait);
            let mut wait = wait;
            let generation = loop {
                match self.place.enter(State::CHANGING) {
                    Ok(generation) => break generation,
                    Err(refusal) => refusal.pause(&mut deadline)?,
                }
                // The rest is what the call has.
                if let Some(left) = deadline.remaining()? {
                    wait = wait.with_timeout(Timeout::from_nanoseconds(left));
                }
            };
            let change = Change { place: &self.place, generation };
            // SAFETY: it is there, and nobody else uses it.
            call(unsafe { (*change.place.object.get()).assume_init_mut() }, wait)
        })
    }

    /// A call that does not wait and is soon done. If another thread changes the object, it waits for that.
    pub(crate) fn with<R>(&self, py: Python<'_>, call: impl FnOnce(&T) -> unipc::Result<R>) -> PyResult<R> {
        let share = self.share_in_turn(py)?;
        let result = call(&share);
        drop(share);
        result.raise(py)
    }

    /// A call that may take its time, without the interpreter's lock.
    pub(crate) fn long<R: Send>(&self, py: Python<'_>, call: impl FnOnce(&T) -> unipc::Result<R> + Send) -> PyResult<R> {
        let share = self.share_in_turn(py)?;
        py.detach(move || {
            let share = share;
            call(&share)
        })
        .raise(py)
    }

    /// A call that changes the object, alone, without the interpreter's lock.
    pub(crate) fn change<R: Send>(&self, py: Python<'_>, call: impl FnOnce(&mut T) -> unipc::Result<R> + Send) -> PyResult<R> {
        self.in_turn(py, |handle| {
            let generation = handle.place.enter(State::CHANGING)?;
            Ok(Change { place: &handle.place, generation })
        })
        .and_then(|change| {
            py.detach(move || {
                let change = change;
                // SAFETY: it is there, and nobody else uses it.
                call(unsafe { (*change.place.object.get()).assume_init_mut() })
            })
            .raise(py)
        })
    }

    fn share_in_turn(&self, py: Python<'_>) -> PyResult<Share<'_, T>> {
        self.in_turn(py, |handle| Ok(Share { place: &handle.place, generation: handle.place.enter(0)? }))
    }

    /// Enters, now or when others have left.
    fn in_turn<'a, E: Send>(&'a self, py: Python<'_>, enter: impl Fn(&'a Handle<T>) -> Result<E, Refusal> + Sync) -> PyResult<E> {
        match enter(self) {
            Ok(entered) => return Ok(entered),
            Err(Refusal::Busy) => {}
            Err(refusal) => return Err(self.refused(&refusal)),
        }
        waiting(py, None, &|| !self.is_closed(), |wait| {
            let mut deadline = Deadline::new(TURN, wait);
            loop {
                match enter(self) {
                    Ok(entered) => return Ok(entered),
                    Err(refusal) => refusal.pause(&mut deadline)?,
                }
            }
        })
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        State(self.place.state.load(Ordering::Relaxed)).is_closed()
    }

    /// Lets go of the object; it is gone when the last call that uses it has returned.
    pub(crate) fn close(&self) {
        self.place.close();
    }

    /// Closes, and gives the calls inside the time to leave: what is free then can be had again.
    pub(crate) fn close_wholly(&self, py: Python<'_>) {
        py.detach(|| {
            self.place.close();
            let end = Instant::now() + PATIENCE;
            while self.place.others() != 0 && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    }

    /// Takes the object out of the handle, which is then closed. `ValueError` while a call uses it.
    pub(crate) fn take(&self) -> PyResult<T> {
        self.place.take().map_err(|refusal| self.refused(&refusal))
    }

    /// Removes its name at the end of the process, if it still has it: also if threads run on that have the object, when Python no longer ends what modules
    /// have, and in the children of multiprocessing, which never do.
    pub(crate) fn remove_at_exit(&self, py: Python<'_>) -> PyResult<()>
    where
        T: Temporary + 'static,
    {
        let place: Arc<dyn AtExit> = Arc::clone(&self.place) as _;
        let is_first = {
            let mut at_exit = AT_EXIT.lock().unwrap_or_else(PoisonError::into_inner);
            let own = generation();
            // What the parent has made is the parent's to end.
            let is_first = at_exit.generation != Some(own);
            if is_first {
                *at_exit = Names { generation: Some(own), places: Vec::new() };
            }
            if at_exit.places.len() == at_exit.places.capacity() {
                at_exit.places.retain(|place| place.strong_count() != 0);
            }
            at_exit.places.push(Arc::downgrade(&place));
            is_first
        };
        if is_first {
            py.import("unipc._at_exit")?.call_method0("register")?;
        }
        Ok(())
    }

    #[cold]
    fn refused(&self, refusal: &Refusal) -> PyErr {
        match refusal {
            Refusal::Closed => invalid(format!("the {} is closed", self.what)),
            Refusal::Busy => invalid(format!("another thread uses the {}", self.what)),
            Refusal::Forked => {
                let error = unipc::Error::failure("use handle", Failure::Forked);
                Python::attach(|py| error::raise(py, &error.hint(format!("one of its threads was changing the {}", self.what))))
            }
        }
    }
}

/// What may have names at the end of this process. Locked under the interpreter's lock alone and never over Python code, so that no fork finds it held.
static AT_EXIT: Mutex<Names> = Mutex::new(Names { generation: None, places: Vec::new() });

struct Names {
    generation: Option<u32>,
    places: Vec<Weak<dyn AtExit>>,
}

/// Removes the names that go with this process.
#[pyfunction(name = "_remove_names")]
pub(crate) fn remove_names(py: Python<'_>) {
    let mut places: Vec<_> = {
        let at_exit = AT_EXIT.lock().unwrap_or_else(PoisonError::into_inner);
        let is_own = at_exit.generation == Some(generation());
        at_exit.places.iter().filter(|_| is_own).filter_map(Weak::upgrade).collect()
    };
    py.detach(|| {
        let end = Instant::now() + PATIENCE;
        loop {
            places.retain(|place| !place.finish());
            if places.is_empty() || Instant::now() >= end {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}

/// `fd=5`, or `closed`.
pub(crate) fn describe<T: Send + Sync + std::os::fd::AsFd>(handle: &Handle<T>) -> String {
    use std::os::fd::AsRawFd;
    handle.share().map_or_else(|_| "closed".to_owned(), |object| format!("fd={}", object.as_fd().as_raw_fd()))
}

/// The descriptor, which stays the object's.
pub(crate) fn fileno<T: Send + Sync + std::os::fd::AsFd>(handle: &Handle<T>) -> PyResult<i32> {
    use std::os::fd::AsRawFd;
    Ok(handle.share()?.as_fd().as_raw_fd())
}

/// What a step of an iteration gives: the close of the handle by another thread is the end.
pub(crate) fn until_closed<T: Send + Sync, R>(py: Python<'_>, handle: &Handle<T>, step: PyResult<R>) -> PyResult<Option<R>> {
    match step {
        Err(error) if handle.is_closed() && error.is_instance_of::<pyo3::exceptions::PyValueError>(py) => Ok(None),
        other => other.map(Some),
    }
}

/// What to call, and with what, to have an object again on the other side of a pickle: `unipc._pickling` knows.
pub(crate) fn reduce<'py>(object: &pyo3::Bound<'py, PyAny>, how: &str) -> PyResult<pyo3::Bound<'py, PyAny>> {
    object.py().import("unipc._pickling")?.call_method1(how, (object,))
}
