//! The self-pipe: a handler that writes what it was told into a pipe, and nothing else.
//!
//! What makes a handler safe here: it reads atomics of a fixed table, writes to descriptors that do not block, keeps errno, and calls the handler that was
//! there before. It takes no lock and no memory.
//!
//! The race is with the end of a handle: a handler in another thread may have looked up the descriptor that is about to be closed, and would write into whatever
//! file gets the number next. So a handler counts itself into the place that it uses, looks again, and the end waits until nobody is inside.
//!
//! In a child made by `fork` the handlers are still there, and the pipe is the parent's: a handler writes only for handles that its own process has made.
//!
//! [sigaction(2)](https://man7.org/linux/man-pages/man2/sigaction.2.html), [pipe(2)](https://man7.org/linux/man-pages/man2/pipe.2.html)

use std::cell::UnsafeCell;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::received::Record;
use super::table::LARGEST;
use super::{Received, set_of};
use crate::error::{Context, Error, Result, check};
use crate::event::read_record;
use crate::process::Birth;
use crate::wait::Deadline;

/// How many handles there can be in a process.
const PLACES: usize = 64;

/// How long the end of a handle waits for handlers that are in the middle of a write, which takes microseconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a handler knows of a handle.
struct Place {
    is_taken: AtomicBool,
    /// The signals of the handle, one bit each; 0: the handle is ending.
    signals: AtomicU64,
    writer: AtomicI32,
    /// The process that made the handle.
    birth: AtomicU64,
    /// How many handlers are inside.
    users: AtomicU32,
    /// Signals of which one at least had no room in the pipe, and that the receiver has to be told of.
    overflow: AtomicU64,
    lost: AtomicU64,
}

impl Place {
    const fn free() -> Place {
        Place {
            is_taken: AtomicBool::new(false),
            signals: AtomicU64::new(0),
            writer: AtomicI32::new(-1),
            birth: AtomicU64::new(0),
            users: AtomicU32::new(0),
            overflow: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    /// Async-signal-safe, as all that follows.
    fn record(&self, bit: u64, record: &Record) {
        if self.signals.load(Ordering::SeqCst) & bit == 0 || !Birth::of_mark(self.birth.load(Ordering::SeqCst)).is_here() {
            return;
        }
        self.users.fetch_add(1, Ordering::SeqCst);
        // Again: it may have begun to end before we were counted.
        if self.signals.load(Ordering::SeqCst) & bit != 0 && !self.write(record) {
            self.lost.fetch_add(1, Ordering::SeqCst);
            self.overflow.fetch_or(bit, Ordering::SeqCst);
            // If the receiver has emptied the pipe in this moment, this wakes it; if the pipe still is full, it will look.
            self.write(&Record::bare(0));
        }
        self.users.fetch_sub(1, Ordering::SeqCst);
    }

    fn write(&self, record: &Record) -> bool {
        let bytes = record.as_bytes();
        // SAFETY: the bytes are valid to read. Records are smaller than PIPE_BUF: the pipe takes them whole or not at all.
        unsafe { libc::write(self.writer.load(Ordering::SeqCst), bytes.as_ptr().cast(), bytes.len()) == bytes.len() as isize }
    }
}

static TABLE: [Place; PLACES] = [const { Place::free() }; PLACES];

/// How many handlers there are, which differ in whom they call. A handler that somebody has put another over stays where it is, and must go on
/// calling the one that was there before it. Were it put on top as well, it and the one in between would call each other for ever.
const LAYERS: usize = 8;

static HANDLERS: [Function; LAYERS] =
    [handler::<0>, handler::<1>, handler::<2>, handler::<3>, handler::<4>, handler::<5>, handler::<6>, handler::<7>];

/// What one of our handlers was put over.
#[derive(Clone, Copy)]
struct Layer {
    before: Option<libc::sigaction>,
    /// It is where it was put, or somebody who was put over it may call it.
    is_used: bool,
}

/// How many handles want a signal, and where our handlers are.
struct Disposition {
    holders: u32,
    layers: [Layer; LAYERS],
}

struct Dispositions(UnsafeCell<[Disposition; LARGEST as usize + 1]>);

// SAFETY: it is reached through `Turn` alone, of which there is one.
unsafe impl Sync for Dispositions {}

static DISPOSITIONS: Dispositions = Dispositions(UnsafeCell::new(
    [const { Disposition { holders: 0, layers: [Layer { before: None, is_used: false }; LAYERS] } }; LARGEST as usize + 1],
));

/// What our handlers look at of a signal.
struct Called {
    /// The one that was put on top last: it records, the others only pass on.
    newest: AtomicUsize,
    /// Whom each of ours calls: the handler that was there before it; 0 for none.
    chained: [AtomicUsize; LAYERS],
}

static CALLED: [Called; LARGEST as usize + 1] =
    [const { Called { newest: AtomicUsize::new(0), chained: [const { AtomicUsize::new(0) }; LAYERS] } }; LARGEST as usize + 1];

/// A lock that a child made by `fork` finds free, whatever its parent's other threads were doing.
struct Turn;

static TURN: AtomicU64 = AtomicU64::new(0);

impl Turn {
    fn take() -> Turn {
        let own = Birth::now().mark();
        loop {
            match TURN.compare_exchange(0, own, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return Turn,
                Err(holder) if holder == own => std::thread::yield_now(),
                // Its holder lives in our parent.
                Err(holder) => {
                    if TURN.compare_exchange(holder, own, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                        return Turn;
                    }
                }
            }
        }
    }
}

impl Turn {
    fn disposition(&mut self, number: i32) -> &mut Disposition {
        // SAFETY: only who has the turn comes here, one at a time, and the borrow ends with it.
        unsafe { &mut (*DISPOSITIONS.0.get())[number as usize] }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TURN.store(0, Ordering::SeqCst);
    }
}

#[derive(Debug)]
pub(super) struct SelfPipe {
    reader: OwnedFd,
    place: usize,
    signals: Vec<i32>,
    birth: Birth,
    /// One thread at a time moves what had no room into the pipe.
    refill: Mutex<()>,
}

impl SelfPipe {
    pub(super) fn new(operation: &'static str, signals: &[i32]) -> Result<SelfPipe> {
        set_of(operation, signals)?;
        let mut signals = signals.to_vec();
        signals.sort_unstable();
        signals.dedup();
        let mut ends = [-1; 2];
        // SAFETY: the array has room for the two descriptors.
        check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) }).during(operation)?;
        // SAFETY: the kernel has just given us these descriptors; nobody else owns them.
        let (reader, writer) = unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) };

        let birth = Birth::now();
        let mut turn = Turn::take();
        let free = TABLE.iter().position(|place| !place.is_taken.load(Ordering::SeqCst));
        let index = free.ok_or_else(|| Error::os(operation, Errno::EAGAIN).hint(format!("there are {PLACES} handles already")))?;
        let place = &TABLE[index];
        place.is_taken.store(true, Ordering::SeqCst);
        place.writer.store(writer.into_raw_fd(), Ordering::SeqCst);
        place.birth.store(birth.mark(), Ordering::SeqCst);
        place.overflow.store(0, Ordering::SeqCst);
        place.lost.store(0, Ordering::SeqCst);
        place.users.store(0, Ordering::SeqCst);
        place.signals.store(signals.iter().map(|number| bit(*number)).fold(0, |all, one| all | one), Ordering::SeqCst);
        for (done, number) in signals.iter().enumerate() {
            if let Err(errno) = install(&mut turn, *number) {
                signals[..done].iter().for_each(|number| uninstall(&mut turn, *number));
                place.end(birth);
                let error = Error::os(operation, errno).on(number.to_string());
                let tangled = "too many handlers of this signal lie over each other: install them once, or before ours";
                return Err(if errno == Errno::EAGAIN { error.hint(tangled) } else { error });
            }
        }
        Ok(SelfPipe { reader, place: index, signals, birth, refill: Mutex::new(()) })
    }

    pub(super) fn receive(&self, deadline: &mut Deadline<'_>) -> Result<Received> {
        let place = &TABLE[self.place];
        loop {
            self.birth.check(deadline.operation())?;
            let mut bytes = [0; size_of::<Record>()];
            let size = read_record(self.as_fd(), &mut bytes, deadline)?;
            if size != bytes.len() {
                return Err(Error::os(deadline.operation(), Errno::EIO));
            }
            self.report_overflow(place);
            let record = Record::from_bytes(&bytes);
            if record.signal != 0 {
                return Ok(Received { lost: place.lost.swap(0, Ordering::SeqCst), ..Received::from(record) });
            }
        }
    }

    /// There is room now: the pipe gets the signals that had none. While there is none for them it is full, and so it is readable.
    fn report_overflow(&self, place: &Place) {
        if place.overflow.load(Ordering::SeqCst) == 0 {
            return;
        }
        let _one_at_a_time = self.refill.lock().unwrap_or_else(PoisonError::into_inner);
        for number in self.signals.iter().copied() {
            if place.overflow.load(Ordering::SeqCst) & bit(number) != 0 {
                if !place.write(&Record::bare(number)) {
                    return;
                }
                place.overflow.fetch_and(!bit(number), Ordering::SeqCst);
            }
        }
    }
}

impl Drop for SelfPipe {
    fn drop(&mut self) {
        let mut turn = Turn::take();
        self.signals.iter().for_each(|number| uninstall(&mut turn, *number));
        TABLE[self.place].end(self.birth);
    }
}

impl AsFd for SelfPipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

impl Place {
    /// Gives the place back. Not async-signal-safe.
    fn end(&self, birth: Birth) {
        self.signals.store(0, Ordering::SeqCst);
        // In a child made by fork, those who were inside were the parent's.
        let start = Instant::now();
        while birth.is_here() && self.users.load(Ordering::SeqCst) != 0 {
            if start.elapsed() > PATIENCE {
                // A thread was stopped in the middle of its handler. The descriptor and the place stay its own.
                return;
            }
            std::thread::yield_now();
        }
        // SAFETY: it was ours alone, and no handler uses it any more.
        drop(unsafe { OwnedFd::from_raw_fd(self.writer.swap(-1, Ordering::SeqCst)) });
        self.is_taken.store(false, Ordering::SeqCst);
    }
}

fn bit(number: i32) -> u64 {
    1 << (number - 1)
}

/// Puts one of our handlers there, for the first of its users.
fn install(turn: &mut Turn, number: i32) -> std::result::Result<(), Errno> {
    let place = turn.disposition(number);
    if place.holders == 0 {
        let before = action(number)?;
        let layer = match layer_of(&before) {
            Some(ours) => ours,
            None => free_layer(place, function_of(&before)).ok_or(Errno::EAGAIN)?,
        };
        let called = &CALLED[number as usize];
        if layer_of(&before).is_none() {
            // Before ours can run: it must not miss a call.
            called.chained[layer].store(function_of(&before), Ordering::SeqCst);
            place.layers[layer].before = Some(before);
        }
        // System calls go on afterwards or fail as they did with the handler that was there: it may be there to end them.
        let restarts = match place.layers[layer].before {
            Some(before) if function_of(&before) != 0 => before.sa_flags & libc::SA_RESTART,
            _ => libc::SA_RESTART,
        };
        // SAFETY: zero bytes are a valid action; the mask is initialised by sigfillset. While the handler runs no other starts, so that records keep
        // the order of delivery.
        let ours = unsafe {
            let mut ours: libc::sigaction = std::mem::zeroed();
            ours.sa_sigaction = HANDLERS[layer] as usize;
            ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | restarts;
            libc::sigfillset(&mut ours.sa_mask);
            ours
        };
        called.newest.store(layer, Ordering::SeqCst);
        // SAFETY: the action is valid, its function async-signal-safe.
        check(unsafe { libc::sigaction(number, &ours, std::ptr::null_mut()) })?;
        place.layers[layer].is_used = true;
    }
    place.holders += 1;
    Ok(())
}

/// A handler of ours that nobody on top calls: one that was put over the same before, which has not called it then; else one that was nowhere yet; else one
/// that is nowhere now.
fn free_layer(place: &Disposition, function: usize) -> Option<usize> {
    let find = |is_fit: &dyn Fn(&Layer) -> bool| place.layers.iter().position(is_fit);
    find(&|layer| layer.before.is_some_and(|before| function_of(&before) == function))
        .or_else(|| find(&|layer| layer.before.is_none()))
        .or_else(|| find(&|layer| !layer.is_used))
}

/// Puts back what was there before, after the last user.
fn uninstall(turn: &mut Turn, number: i32) {
    let place = turn.disposition(number);
    place.holders = place.holders.saturating_sub(1);
    if place.holders > 0 {
        return;
    }
    // Somebody who has put a handler over ours may call ours: it stays, and only passes on.
    let Some(layer) = action(number).ok().and_then(|current| layer_of(&current)) else { return };
    let layer = &mut place.layers[layer];
    if let Some(before) = layer.before {
        // SAFETY: it is the action that was there.
        unsafe { libc::sigaction(number, &before, std::ptr::null_mut()) };
        layer.is_used = false;
    }
}

fn action(number: i32) -> std::result::Result<libc::sigaction, Errno> {
    // SAFETY: zero bytes are a valid action to write to.
    let mut current: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: NULL changes nothing; the place is valid to write to.
    check(unsafe { libc::sigaction(number, std::ptr::null(), &mut current) })?;
    Ok(current)
}

/// The handler of an action, or 0 for SIG_DFL and SIG_IGN.
fn function_of(action: &libc::sigaction) -> usize {
    match action.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => 0,
        function => function,
    }
}

/// Which of our handlers it is.
fn layer_of(action: &libc::sigaction) -> Option<usize> {
    HANDLERS.iter().position(|ours| *ours as usize == action.sa_sigaction)
}

type Function = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// The handlers of all signals.
extern "C" fn handler<const LAYER: usize>(number: libc::c_int, information: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let errno = Errno::last_raw();
    let called = &CALLED[number as usize];
    // Whoever was put between two of ours may have taken the upper one away, and put back the lower.
    let records = || called.newest.load(Ordering::SeqCst) == LAYER || action(number).is_ok_and(|top| layer_of(&top) == Some(LAYER));
    if records() {
        // SAFETY: SA_SIGINFO gives a valid pointer; who chains to us without one is served all the same.
        let record = unsafe { information.as_ref() }.map_or(Record::bare(number), Record::of);
        for place in &TABLE {
            place.record(bit(number), &record);
        }
    }
    Errno::set_raw(errno);
    let chained = called.chained[LAYER].load(Ordering::SeqCst);
    if chained != 0 {
        // SAFETY: it was a handler of this signal. The kernel gives three arguments to handlers of one, too.
        let chained: Function = unsafe { std::mem::transmute(chained) };
        chained(number, information, context);
    }
}
