//! One wait over many: descriptors of every kind, and objects that have none.
//!
//! A source is registered with a token, which comes back with what has happened to it. Descriptors are watched by epoll; what has no descriptor (a
//! System V queue or semaphore, a POSIX semaphore) is asked on the schedule of every probe, from every 50 µs to every 10 ms while nothing
//! happens; a file, which is always ready, is told as such.
//!
//! Three races belong to it.
//!
//! *The event of a source that is removed meanwhile.* The kernel gives a batch; whoever handles its first event may remove the source of its last.
//! So an event here is a key, and becomes a token only when [`Events`] hands it out, under the lock that [`Poller::remove`] takes: **no hand-out
//! that begins after `remove` has returned gives the token**, whichever thread removes, and also if the kernel had reported the event before. A
//! hand-out that another thread has begun before may give it still, and be worked on when `remove` returns: whoever frees what the token stands for
//! in another thread than the one that collects lets that one pass first ([`Poller::wake`], and wait for its answer). A place that is used again
//! has another key.
//!
//! *The descriptor that is closed before it is removed.* Closing the last copy of it removes it from epoll by itself. If there are others
//! (`dup`, `fork`, sent over a socket), epoll goes on reporting it, and nobody can take it out under a number that it has no longer. The correct order:
//! remove, then close. Otherwise its token may go on coming until the source is removed; the poller then notices at the next such report, and moves
//! all its sources to a fresh epoll, without the one that nobody can name.
//!
//! *The wake-up between the look and the sleep.* [`Poller::wake`] is a descriptor that stays readable until it is told.
//!
//! After `fork` parent and child would share one epoll, and the child's changes would be the parent's: the child's calls are refused.
//!
//! [epoll(7)](https://man7.org/linux/man-pages/man7/epoll.7.html), [epoll_ctl(2)](https://man7.org/linux/man-pages/man2/epoll_ctl.2.html),
//! [epoll_wait(2)](https://man7.org/linux/man-pages/man2/epoll_wait.2.html)

mod interest;
pub mod probe;
mod table;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;

pub use interest::{Interest, Ready};
pub use probe::Probe;

use crate::error::{Context, Error, Result, check};
use crate::process::Birth;
use crate::wait::{Deadline, Wait};
use table::{Entry, Origin, Table, WAKE};

const ADD: &str = "add to poller";
const WAIT: &str = "wait for events";

/// What [`Poller::add`] gives, to change and to remove the source by. It is never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(u64);

impl Source {
    /// The C ABI's form.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// The source of a C ABI's number; one that there is not is refused when it is used.
    pub fn from_bits(bits: u64) -> Source {
        Source(bits)
    }
}

/// Something has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// What the source was registered with; 0 of a wake-up.
    pub token: u64,
    /// The source; of a wake-up none that there is.
    pub source: Source,
    /// What has happened to it.
    pub ready: Ready,
}

/// One wait over many. It costs two descriptors, and 100 bytes or so for each source, beside the kernel's. Any thread may use it at any time.
///
/// ```
/// use unipc::event::{EventCounter, Events, Interest, Poller};
/// let poller = Poller::new()?;
/// let counter = EventCounter::create(&Default::default())?;
/// let source = poller.add(&counter, Interest::READABLE, 7)?;
/// counter.add(1, None)?;
///
/// let mut events = Events::with_capacity(64);
/// poller.wait(&mut events, None)?;
/// for event in &mut events {
///     assert_eq!(event.token, 7);
/// }
/// poller.remove(source)?;
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Debug)]
pub struct Poller {
    /// Its number stays; what it stands for is another epoll after a [rebuild](Poller::rebuild).
    epoll: OwnedFd,
    /// An eventfd, readable while a wake-up was not told.
    wake: OwnedFd,
    birth: Birth,
    shared: Arc<Mutex<Table>>,
    gate: Gate,
    /// Whether some source has to be asked.
    is_asking: AtomicBool,
    /// Counts waits: with little room, those that are asked and those that epoll reports go first in turns.
    turn: AtomicUsize,
}

/// Who sleeps, and whether somebody wants them out of their sleep.
#[derive(Debug, Default)]
struct Gate {
    sleepers: AtomicUsize,
    is_closed: AtomicBool,
}

impl Gate {
    /// Sleeps, unless the gate is closed: then `None`.
    fn pass<T>(&self, sleep: impl FnOnce() -> T) -> Option<T> {
        // Either the one who closes sees us, or we see that it is closed.
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let result = if self.is_closed.load(Ordering::SeqCst) { None } else { Some(sleep()) };
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        result
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} sources", self.len())
    }
}

impl Poller {
    /// Makes a poller without sources. Errors: `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new() -> Result<Poller> {
        const OPERATION: &str = "create poller";
        // SAFETY: eventfd takes integers.
        let wake = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) }).during(OPERATION)?;
        // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
        let wake = unsafe { OwnedFd::from_raw_fd(wake) };
        let epoll = fresh_epoll(wake.as_fd()).during(OPERATION)?;
        Ok(Poller {
            epoll,
            wake,
            birth: Birth::now(),
            shared: Arc::default(),
            gate: Gate::default(),
            is_asking: AtomicBool::new(false),
            turn: AtomicUsize::new(0),
        })
    }

    /// Watches a descriptor from now on, until it is [removed](Poller::remove): do that before closing it. Threads that wait see it at once.
    ///
    /// Regular files and directories always are ready for whatever is asked: so says poll, and so does this, where epoll refuses them.
    ///
    /// Errors: `EEXIST` if it is registered already; `ENOSPC` at the limit `fs.epoll.max_user_watches`; `EBADF`, `ELOOP`, `EINVAL` for the poller itself;
    /// `ENOMEM`; [`Failure::Forked`](crate::Failure::Forked).
    pub fn add(&self, descriptor: impl AsFd, interest: Interest, token: u64) -> Result<Source> {
        let descriptor = descriptor.as_fd().as_raw_fd();
        self.add_as(token, interest, |key, table| match self.register(key, descriptor, interest, table) {
            Ok(()) => Ok(Origin::Descriptor(descriptor)),
            Err(Errno::EPERM) => Ok(Origin::AlwaysReady),
            Err(errno) => Err(explain_add(errno, descriptor)),
        })
    }

    /// Watches an object without a descriptor, by asking it; see [`probe`] for those there are. It is asked at once, and what that fails with this does.
    ///
    /// From then on a wait sleeps 10 ms at most before it asks again, and 50 µs at first.
    pub fn add_probe(&self, probe: Probe, interest: Interest, token: u64) -> Result<Source> {
        probe(interest)?;
        self.add_as(token, interest, |_, _| Ok(Origin::Asked(probe)))
    }

    fn add_as(&self, token: u64, interest: Interest, origin: impl FnOnce(u64, &Table) -> Result<Origin>) -> Result<Source> {
        self.birth.check(ADD)?;
        let mut table = self.table();
        let Some(key) = table.next_key() else { return Err(Error::os(ADD, Errno::ENOSPC)) };
        let origin = origin(key, &table)?;
        table.insert(Entry::new(token, interest, origin));
        if table.is_asking() && !self.is_asking.load(Ordering::Relaxed) {
            // Who sleeps until the kernel reports something would never ask.
            self.evacuated(|| self.is_asking.store(true, Ordering::SeqCst));
        }
        Ok(Source(key))
    }

    fn register(&self, key: u64, descriptor: RawFd, interest: Interest, table: &Table) -> std::result::Result<(), Errno> {
        match control(self.raw(), libc::EPOLL_CTL_ADD, descriptor, interest.to_epoll(), key) {
            // Left over from a source that was closed before it was removed, of which this is a copy under the same number.
            Err(Errno::EEXIST) if !table.has_descriptor(descriptor) => {
                control(self.raw(), libc::EPOLL_CTL_MOD, descriptor, interest.to_epoll(), key)
            }
            other => other,
        }
    }

    /// Watches a source for something else; a source that is told once is armed again.
    ///
    /// Errors: `ENOENT` if there is no such source; `EBADF` if its descriptor was closed since: remove it.
    pub fn modify(&self, source: Source, interest: Interest) -> Result<()> {
        const OPERATION: &str = "modify source of poller";
        self.birth.check(OPERATION)?;
        let mut table = self.table();
        let entry = table.get_mut(source.0).ok_or_else(|| unknown(OPERATION))?;
        let was_closed = |errno| Error::os(OPERATION, errno).hint("its descriptor was closed before it was removed");
        match entry.origin {
            Origin::Descriptor(descriptor) => match control(self.raw(), libc::EPOLL_CTL_MOD, descriptor, interest.to_epoll(), source.0) {
                Ok(()) => {}
                Err(Errno::EBADF | Errno::ENOENT) => return Err(was_closed(Errno::EBADF)),
                Err(errno) => return Err(Error::os(OPERATION, errno)),
            },
            Origin::Gone => return Err(was_closed(Errno::EBADF)),
            Origin::AlwaysReady | Origin::Asked(_) => {}
        }
        entry.rearm(interest);
        Ok(())
    }

    /// Watches a source no more. No hand-out that begins after this has returned gives its token, and nothing is asked of it any more.
    ///
    /// Errors: `ENOENT` if there is no such source, or no more; [`Failure::Forked`](crate::Failure::Forked).
    pub fn remove(&self, source: Source) -> Result<()> {
        const OPERATION: &str = "remove from poller";
        self.birth.check(OPERATION)?;
        let mut table = self.table();
        let entry = table.remove(source.0).ok_or_else(|| unknown(OPERATION))?;
        if let Origin::Descriptor(descriptor) = entry.origin {
            // Closed before: the kernel has let go of it, unless there are copies.
            if control(self.raw(), libc::EPOLL_CTL_DEL, descriptor, 0, 0).is_err() {
                table.has_leftovers = true;
            }
        }
        self.is_asking.store(table.is_asking(), Ordering::SeqCst);
        // Then the entry: what a probe owns may do anything when it goes, also use the poller.
        drop(table);
        drop(entry);
        Ok(())
    }

    /// Waits until something happens, and gives how many events there are to hand out: as many as there is room for, the others next time. Those whose
    /// source is removed meanwhile are not handed out.
    ///
    /// Who has more sources ready than room gets all of them in turn. Errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]);
    /// [`Failure::Forked`](crate::Failure::Forked).
    pub fn wait<'a>(&self, events: &mut Events, wait: impl Into<Wait<'a>>) -> Result<usize> {
        self.birth.check(WAIT)?;
        events.begin(self);
        let mut deadline = Deadline::new(WAIT, wait);
        loop {
            let may_sleep = deadline.is_plain() && !self.is_asking.load(Ordering::SeqCst);
            self.collect(events, may_sleep)?;
            if !events.found.is_empty() {
                return Ok(events.found.len());
            }
            if !may_sleep {
                self.sleep(&mut deadline)?;
            }
        }
    }

    /// Ends a wait that lasts, or else the next: it gets an event that [is a wake-up](Ready::is_woken). Several before one is told are one.
    ///
    /// Async-signal-safe; errno is left as it was. Errors: [`Failure::Forked`](crate::Failure::Forked).
    pub fn wake(&self) -> Result<()> {
        self.birth.check("wake poller")?;
        let saved = Errno::last_raw();
        let one = 1u64.to_ne_bytes();
        // SAFETY: the buffer is valid for its length. A full counter fails with EAGAIN and is readable all the same.
        unsafe { libc::write(self.wake.as_raw_fd(), one.as_ptr().cast(), one.len()) };
        Errno::set_raw(saved);
        Ok(())
    }

    /// Whether there is such a source, and it was not removed since.
    pub fn is_registered(&self, source: Source) -> Result<bool> {
        self.birth.check("look for source of poller")?;
        Ok(self.table().get(source.0).is_some())
    }

    /// How many sources there are.
    pub fn source_count(&self) -> Result<usize> {
        self.birth.check("count sources of poller")?;
        Ok(self.table().len())
    }

    /// Whether some source has no descriptor and has to be asked: the [descriptor](Poller::as_fd) of the poller tells nothing of those.
    pub fn is_asking(&self) -> bool {
        self.is_asking.load(Ordering::SeqCst)
    }

    /// One sleep. The caller is asked before, outside of the gate: to answer may take a lock that somebody holds who waits for the sleepers.
    fn sleep(&self, deadline: &mut Deadline<'_>) -> Result<()> {
        let remaining = deadline.remaining()?;
        // Looked at inside the gate: who starts the asking has nobody sleep who has not seen it.
        let slept = self.gate.pass(|| deadline.sleep_beside(self.as_fd(), remaining, self.is_asking.load(Ordering::SeqCst)));
        slept.unwrap_or_else(|| self.await_gate())
    }

    fn sleep_in_kernel(&self, room: &mut [libc::epoll_event]) -> Result<usize> {
        let slept = self.gate.pass(|| if self.is_asking.load(Ordering::SeqCst) { Ok(0) } else { self.ask_kernel(room, -1) });
        slept.unwrap_or_else(|| self.await_gate().map(|()| 0))
    }

    /// Until who has closed the gate has opened it.
    fn await_gate(&self) -> Result<()> {
        drop(self.table());
        Ok(())
    }

    /// Asks those that have to be asked, then the kernel; sleeps there if that is all the wait there is.
    fn collect(&self, events: &mut Events, may_sleep: bool) -> Result<()> {
        let capacity = events.capacity;
        let asked = if self.is_asking.load(Ordering::SeqCst) { self.table().ask(capacity) } else { Vec::new() };
        let asked_first = self.turn.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        let room = if asked_first { capacity - asked.len() } else { capacity };
        let count = match room {
            0 => 0,
            _ if may_sleep => self.sleep_in_kernel(&mut events.raw[..room])?,
            _ => self.ask_kernel(&mut events.raw[..room], 0)?,
        };
        if count + asked.len() == 0 {
            return Ok(());
        }
        let mut table = self.table();
        let mut meets_leftover = false;
        for raw in &events.raw[..count] {
            let (key, ready) = (raw.u64, Ready::of_epoll(raw.events));
            if key == WAKE {
                if ready.contains(Ready::READABLE) && self.take_wake() {
                    events.found.push(Found { key, ready: Ready::WOKEN });
                }
            } else if table.accept(key, ready) {
                events.found.push(Found { key, ready });
            } else {
                meets_leftover = true;
            }
        }
        for (key, ready) in asked.into_iter().take(capacity - events.found.len()) {
            if table.accept(key, ready) {
                events.found.push(Found { key, ready });
            }
        }
        if meets_leftover && table.has_leftovers {
            self.rebuild(&mut table);
        }
        Ok(())
    }

    fn ask_kernel(&self, room: &mut [libc::epoll_event], timeout: libc::c_int) -> Result<usize> {
        let most = libc::c_int::try_from(room.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: there is room for as many events as told.
        match check(unsafe { libc::epoll_wait(self.raw(), room.as_mut_ptr(), most, timeout) }) {
            Ok(count) => Ok(count as usize),
            Err(Errno::EINTR) => Ok(0),
            Err(errno) => Err(Error::os(WAIT, errno)),
        }
    }

    /// Whether this thread is the one to tell a wake-up.
    fn take_wake(&self) -> bool {
        let mut counter = [0u8; 8];
        // SAFETY: the buffer is valid for its length.
        unsafe { libc::read(self.wake.as_raw_fd(), counter.as_mut_ptr().cast(), counter.len()) == 8 }
    }

    /// Does something while nobody sleeps in epoll. The table is locked: who comes out of sleep waits for it.
    ///
    /// An eventfd always has room: watched for that, too, it wakes every sleeper, and stays ready until the last is out.
    fn evacuated(&self, work: impl FnOnce()) {
        self.gate.is_closed.store(true, Ordering::SeqCst);
        if self.gate.sleepers.load(Ordering::SeqCst) != 0 {
            let both = (libc::EPOLLIN | libc::EPOLLOUT) as u32;
            let _ = control(self.raw(), libc::EPOLL_CTL_MOD, self.wake.as_raw_fd(), both, WAKE);
            while self.gate.sleepers.load(Ordering::SeqCst) != 0 {
                std::thread::sleep(std::time::Duration::from_micros(20));
            }
            let _ = control(self.raw(), libc::EPOLL_CTL_MOD, self.wake.as_raw_fd(), libc::EPOLLIN as u32, WAKE);
        }
        work();
        self.gate.is_closed.store(false, Ordering::SeqCst);
    }

    /// Moves all sources to a fresh epoll, so that those which nobody can take out of the old one are left behind.
    ///
    /// Which descriptors still are what they were the old one knows: it changes no entry of a file that the number does not stand for now.
    #[cold]
    fn rebuild(&self, table: &mut Table) {
        table.has_leftovers = false;
        self.evacuated(|| {
            let Ok(fresh) = fresh_epoll(self.wake.as_fd()) else { return };
            let mut gone = Vec::new();
            for (key, descriptor, entry) in table.descriptors() {
                // One that was told once is told nothing, whatever its new entry reports.
                let events = entry.interest.to_epoll();
                if control(self.raw(), libc::EPOLL_CTL_MOD, descriptor, events, key).is_err() {
                    gone.push(key);
                } else if control(fresh.as_raw_fd(), libc::EPOLL_CTL_ADD, descriptor, events, key).is_err() {
                    // No room for both at once: the old one, with what it should not have, is better than none.
                    return;
                }
            }
            // SAFETY: both are open descriptors of ours; the number keeps its owner.
            if unsafe { libc::dup3(fresh.as_raw_fd(), self.raw(), libc::O_CLOEXEC) } >= 0 {
                table.note_gone(&gone);
            }
        });
    }

    fn raw(&self) -> RawFd {
        self.epoll.as_raw_fd()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        locked(&self.shared)
    }
}

impl AsFd for Poller {
    /// Readable while a descriptor among the sources is ready: for a loop in another loop. It knows nothing of sources that are asked, nor of files.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

/// What a wait has found, to be handed out one by one: an iterator, which the next wait fills again.
#[derive(Debug)]
pub struct Events {
    capacity: usize,
    raw: Vec<libc::epoll_event>,
    found: Vec<Found>,
    next: usize,
    /// Whose events they are.
    of: Option<(Arc<Mutex<Table>>, Birth)>,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    key: u64,
    ready: Ready,
}

impl Events {
    /// Room for so many events of one wait, at least one, and 65536 at the most.
    pub fn with_capacity(capacity: usize) -> Events {
        let capacity = capacity.clamp(1, 1 << 16);
        let raw = vec![libc::epoll_event { events: 0, u64: 0 }; capacity];
        Events { capacity, raw, found: Vec::with_capacity(capacity), next: 0, of: None }
    }

    /// How many there is room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many are left to hand out, at most: those whose source is removed meanwhile are not.
    pub fn left(&self) -> usize {
        self.found.len() - self.next
    }

    fn begin(&mut self, poller: &Poller) {
        self.found.clear();
        self.next = 0;
        if self.of.as_ref().is_none_or(|(table, _)| !Arc::ptr_eq(table, &poller.shared)) {
            self.of = Some((Arc::clone(&poller.shared), poller.birth));
        }
    }
}

impl Iterator for Events {
    type Item = Event;

    /// The next event whose source still is registered, and interested in it.
    fn next(&mut self) -> Option<Event> {
        let (shared, birth) = self.of.as_ref()?;
        // In a child the lock may be held by a thread that is not there.
        if !birth.is_here() {
            return None;
        }
        loop {
            let Found { key, ready } = *self.found.get(self.next)?;
            self.next += 1;
            if key == WAKE {
                return Some(Event { token: 0, source: Source(key), ready });
            }
            let table = locked(shared);
            let Some(entry) = table.get(key) else { continue };
            let ready = ready.masked(entry.interest.told());
            if ready != Ready::NOTHING {
                return Some(Event { token: entry.token, source: Source(key), ready });
            }
        }
    }
}

/// Nothing that is done under the lock leaves the table half changed, also if a probe panics.
fn locked(shared: &Mutex<Table>) -> MutexGuard<'_, Table> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fresh_epoll(wake: BorrowedFd<'_>) -> std::result::Result<OwnedFd, Errno> {
    // SAFETY: epoll_create1 takes an integer.
    let epoll = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
    control(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, wake.as_raw_fd(), libc::EPOLLIN as u32, WAKE)?;
    Ok(epoll)
}

fn control(epoll: RawFd, operation: libc::c_int, descriptor: RawFd, events: u32, key: u64) -> std::result::Result<(), Errno> {
    let mut event = libc::epoll_event { events, u64: key };
    // SAFETY: the event is valid; the rest are integers.
    check(unsafe { libc::epoll_ctl(epoll, operation, descriptor, &mut event) })?;
    Ok(())
}

#[cold]
fn explain_add(errno: Errno, descriptor: RawFd) -> Error {
    let error = Error::os(ADD, errno).on(descriptor.to_string());
    match errno {
        Errno::EEXIST => error.hint("the descriptor is registered already; a copy of it can be registered beside it"),
        Errno::ELOOP | Errno::EINVAL => error.hint("a poller cannot watch itself, nor a circle of others"),
        Errno::ENOSPC => {
            let limit = std::fs::read_to_string("/proc/sys/fs/epoll/max_user_watches").unwrap_or_default();
            error.hint(format!("the limit of all the user's pollers is fs.epoll.max_user_watches, {}", limit.trim()))
        }
        _ => error,
    }
}

#[cold]
fn unknown(operation: &'static str) -> Error {
    Error::os(operation, Errno::ENOENT).hint("there is no such source, or no more")
}
