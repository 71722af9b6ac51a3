//! A barrier in shared memory: nobody goes on before all have come, round after round.
//!
//! For computations in steps, each of which needs all of the last one's results. An ordinary barrier counts to N, and when one of the N is killed the
//! others wait for it for ever. Here the parties stand in the barrier by name: the N places are fixed when it is made, and each thread takes one when it
//! [joins](Barrier::join), at its first [`wait`](Barrier::wait) at the latest. Whoever waits looks every 100 ms whether a party is dead, wherever
//! it died, and then *breaks* the barrier: every wait, of now and later, fails with `EOWNERDEAD`, until somebody has mended what is half done and
//! [resets](Barrier::reset) it. That frees the places of the dead, so that others can join.
//!
//! One word holds the round, whether the barrier is broken, and how many have come. Arriving is one compare-and-swap of it; that of the last party
//! starts the next round in the same step, and whoever sleeps sees the changed word. So a round is over for all or for none, also if the last
//! to come is killed before it rings: then the others wake by their look, and the next round finds it dead. A wait that ends early, for lack of time or
//! by a stop token, takes its arrival back in the same way; it breaks nothing.
//!
//! The order that makes this hold: join *before* the others rely on you. A party that is killed before it has joined is not known to anybody, and
//! its place stays free. And leave *before* you end: who ends without has died, as far as the others can see.
//!
//! [pthread_barrier_wait(3p)](https://man7.org/linux/man-pages/man3/pthread_barrier_wait.3p.html),
//! [futex(2)](https://man7.org/linux/man-pages/man2/futex.2.html)

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use nix::errno::Errno;

use super::identity::{Identity, Kind};
use super::{LOOK_FOR_DEAD, futex};
use crate::error::{Error, Result};
use crate::process::ThreadId;
use crate::wait::{self, Deadline, Wait};

/// The most parties of a barrier.
pub const PARTIES: usize = 56;

/// The parties share one look for the dead: it costs a file in /proc for each.
const BETWEEN_LOOKS: i64 = LOOK_FOR_DEAD / 2;

/// A barrier for memory that processes share. Zero bytes are none: it must be [made](Barrier::new) with the number of its parties.
///
/// 512 bytes. A party is a thread. It must not be moved or copied while in use, and only processes of one pid namespace can share it; others are refused with
/// [`Failure::Incompatible`](crate::Failure::Incompatible). A child made by `fork` is no party.
#[repr(C, align(8))]
#[derive(Debug)]
pub struct Barrier {
    identity: Identity,
    state: AtomicU64,
    /// How many; never changed.
    parties: AtomicU32,
    reserved: AtomicU32,
    /// When somebody last looked for the dead, on the monotonic clock.
    looked: AtomicU64,
    /// A [`ThreadId`] each; 0 for nobody.
    places: [AtomicU64; PARTIES],
    room: [u64; 4],
}

const _: () = assert!(size_of::<Barrier>() == 512 && align_of::<Barrier>() == 8);

/// sleepers 1 | 0 15 | arrived 16 | breaks 8 | round 23 | broken 1
///
/// The kernel looks at the lower half, which changes at the end of a round, when the barrier breaks, and when that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State(u64);

const SLEEPERS: u64 = 1 << 63;
const ARRIVED: u64 = 1 << 32;
const BREAK: u32 = 1 << 24;
const ROUND: u32 = 2;
const BROKEN: u32 = 1;

impl State {
    fn low(self) -> u32 {
        self.0 as u32
    }

    fn is_broken(self) -> bool {
        self.low() & BROKEN != 0
    }

    fn arrived(self) -> u32 {
        (self.0 / ARRIVED) as u32 & 0xffff
    }

    /// The next round, in which nobody has come yet and nobody sleeps.
    fn next_round(self) -> State {
        let round = self.low().wrapping_add(ROUND) & (BREAK - 1);
        State(u64::from(self.low() & !(BREAK - 1) | round))
    }

    fn mended(self) -> State {
        State(u64::from(self.next_round().low().wrapping_add(BREAK) & !BROKEN))
    }
}

impl Barrier {
    /// A barrier for so many parties, to be put into memory before others use it. `EINVAL` for none or more than [`PARTIES`].
    pub fn new(parties: u32) -> Result<Barrier> {
        const OPERATION: &str = "initialise barrier";
        if parties == 0 || parties as usize > PARTIES {
            return Err(Error::os(OPERATION, Errno::EINVAL).hint(format!("a barrier has 1 to {PARTIES} parties, not {parties}")));
        }
        let barrier = Barrier {
            identity: Identity::unused(),
            state: AtomicU64::new(0),
            parties: AtomicU32::new(parties),
            reserved: AtomicU32::new(0),
            looked: AtomicU64::new(0),
            places: [const { AtomicU64::new(0) }; PARTIES],
            room: [0; 4],
        };
        barrier.identity.claim(Kind::Barrier, OPERATION, || ())?;
        Ok(barrier)
    }

    /// Writes a new barrier to `place`, whatever bytes stood there.
    ///
    /// # Safety
    /// `place` is valid for writes of a `Barrier` and aligned, and nobody uses the barrier meanwhile.
    pub unsafe fn init(place: *mut Barrier, barrier: Barrier) {
        // SAFETY: the caller's promise.
        unsafe {
            (*place).identity.clear();
            place.write(barrier);
        }
    }

    /// Makes the calling thread a party, if it is none yet.
    ///
    /// Errors: `EUSERS` if all places are taken; `EOWNERDEAD` if the barrier is broken; `EINVAL` if it was not initialised;
    /// [`Failure::Incompatible`](crate::Failure::Incompatible).
    pub fn join(&self) -> Result<()> {
        const OPERATION: &str = "join barrier";
        self.check(OPERATION)?;
        if self.state().is_broken() { Err(broken(OPERATION)) } else { self.take_place(OPERATION) }
    }

    /// Gives the calling thread's place up, for another to join. `EPERM` if it is no party.
    pub fn leave(&self) -> Result<()> {
        const OPERATION: &str = "leave barrier";
        self.check(OPERATION)?;
        let own = ThreadId::own().word();
        match self.places().iter().find(|place| place.load(Ordering::Relaxed) == own) {
            Some(place) => {
                place.store(0, Ordering::Release);
                Ok(())
            }
            None => Err(Error::os(OPERATION, Errno::EPERM).hint("the calling thread is no party of the barrier")),
        }
    }

    /// Waits until all parties have come; joins at first, if need be. Gives `true` to one of them, the last to come.
    ///
    /// Errors: `EOWNERDEAD` if a party has died, for all until [`reset`](Barrier::reset); `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]), with the
    /// arrival taken back; and those of [`join`](Barrier::join).
    pub fn wait<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<bool> {
        const OPERATION: &str = "wait at barrier";
        self.check(OPERATION)?;
        let arrival = self.state();
        if arrival.is_broken() {
            return Err(broken(OPERATION));
        }
        self.take_place(OPERATION)?;
        match self.arrive() {
            None => Err(broken(OPERATION)),
            Some(arrival) if arrival.arrived() + 1 >= self.count() => Ok(true),
            Some(arrival) => self.wait_for_others(arrival.low(), Deadline::new(OPERATION, wait)).map(|()| false),
        }
    }

    /// Ends the break, when what the dead has left half done is mended: frees the places of the dead, and starts a round in which nobody has come.
    /// Gives whether the barrier was broken.
    pub fn reset(&self) -> Result<bool> {
        self.check("reset barrier")?;
        let first = self.state();
        if !first.is_broken() {
            return Ok(false);
        }
        for place in self.places() {
            // Somebody else's reset has ended the break that this one is for; another may have come since.
            if self.state().low() != first.low() {
                return Ok(false);
            }
            let party = place.load(Ordering::Relaxed);
            if party != 0 && ThreadId::from_word(party).is_dead() {
                let _ = place.compare_exchange(party, 0, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
        Ok(self.change(|state| (state.low() == first.low()).then(|| state.mended())).is_some())
    }

    /// Whether a party has died, and nobody has reset the barrier since.
    pub fn is_broken(&self) -> Result<bool> {
        self.check("read barrier")?;
        Ok(self.state().is_broken())
    }

    fn check(&self, operation: &'static str) -> Result<()> {
        if self.identity.is_unused() {
            return Err(Error::os(operation, Errno::EINVAL).hint("a barrier must be initialised with the number of its parties"));
        }
        if self.identity.is_ready(Kind::Barrier) { Ok(()) } else { self.identity.claim(Kind::Barrier, operation, || ()) }
    }

    fn state(&self) -> State {
        State(self.state.load(Ordering::Acquire))
    }

    fn count(&self) -> u32 {
        self.parties.load(Ordering::Relaxed).min(PARTIES as u32)
    }

    fn places(&self) -> &[AtomicU64] {
        &self.places[..self.count() as usize]
    }

    /// Changes the state in one step, and wakes those who sleep for another. Gives the state from before, if `next` gave one.
    fn change(&self, next: impl Fn(State) -> Option<State>) -> Option<State> {
        let next = |word| next(State(word)).map(|state| state.0);
        let before = State(self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).ok()?);
        if before.0 & SLEEPERS != 0 && self.state().low() != before.low() {
            futex::wake(self.half(), i32::MAX);
        }
        Some(before)
    }

    fn take_place(&self, operation: &'static str) -> Result<()> {
        let own = ThreadId::own().word();
        let places = self.places();
        let start = (own >> 32) as usize % places.len().max(1);
        let in_turn = || places[start..].iter().chain(&places[..start]);
        if in_turn().any(|place| place.load(Ordering::Relaxed) == own) {
            return Ok(());
        }
        let take = |place: &AtomicU64| place.compare_exchange(0, own, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if in_turn().any(take) {
            return Ok(());
        }
        // Perhaps by the dead, of whom nobody has been told yet.
        let round = self.state().low();
        if self.finds_dead_party(own) {
            self.break_it(round);
            return Err(broken(operation));
        }
        let remedy =
            format!("all {} places are taken; a party that ends leaves, and a dead one's place is free after a reset", places.len());
        Err(Error::os(operation, Errno::EUSERS).hint(remedy))
    }

    /// Counts the caller in, or, as the last, starts the next round. Gives the state from before; `None` if the barrier is broken.
    fn arrive(&self) -> Option<State> {
        let parties = self.count();
        self.change(|state| match state.arrived() + 1 {
            _ if state.is_broken() => None,
            last if last >= parties => Some(state.next_round()),
            _ => Some(State(state.0 + ARRIVED)),
        })
    }

    /// Until the lower half is not what it was any more.
    fn wait_for_others(&self, arrival: u32, mut deadline: Deadline<'_>) -> Result<()> {
        let (operation, own) = (deadline.operation(), ThreadId::own().word());
        let mut spins = futex::spins(&deadline);
        loop {
            let state = self.state();
            if state.low() != arrival {
                return if is_over(arrival, state) { Ok(()) } else { Err(broken(operation)) };
            }
            if spins > 0 {
                spins -= 1;
                std::hint::spin_loop();
                continue;
            }
            if self.may_look() && self.finds_dead_party(own) {
                self.break_it(arrival);
                continue;
            }
            let until = match deadline.until(LOOK_FOR_DEAD) {
                Ok(until) => until,
                Err(error) if self.take_back(arrival) => return Err(error),
                Err(_) => continue,
            };
            if state.0 & SLEEPERS == 0
                && self.state.compare_exchange(state.0, state.0 | SLEEPERS, Ordering::Relaxed, Ordering::Relaxed).is_err()
            {
                continue;
            }
            futex::wait(self.half(), arrival, until);
        }
    }

    /// Takes the arrival back, unless the round is over or the barrier broken.
    fn take_back(&self, arrival: u32) -> bool {
        self.change(|state| (state.low() == arrival && state.arrived() > 0).then(|| State(state.0 - ARRIVED))).is_some()
    }

    /// Breaks the barrier, unless the round is over: then that counts.
    fn break_it(&self, round: u32) {
        self.change(|state| (state.low() == round).then(|| State(state.0 | u64::from(BROKEN))));
    }

    /// Whether no other party has looked for the dead just now; then it is the caller's turn.
    fn may_look(&self) -> bool {
        let (now, last) = (wait::now(), self.looked.load(Ordering::Relaxed));
        let is_recent = (0..BETWEEN_LOOKS).contains(&now.wrapping_sub(last as i64));
        !is_recent && self.looked.compare_exchange(last, now as u64, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn finds_dead_party(&self, own: u64) -> bool {
        let is_dead = |place: &AtomicU64| {
            let party = place.load(Ordering::Acquire);
            // A party that has left before it ended is no party any more.
            party != 0 && party != own && ThreadId::from_word(party).is_dead() && place.load(Ordering::Acquire) == party
        };
        self.places().iter().any(is_dead)
    }

    /// The half that the kernel looks at. Only its address is used: the word is always used whole.
    fn half(&self) -> &AtomicU32 {
        let lower = if cfg!(target_endian = "big") { 1 } else { 0 };
        // SAFETY: a half of the word is aligned, and lives as long; nobody loads or stores through the reference.
        unsafe { &*self.state.as_ptr().cast::<AtomicU32>().add(lower) }
    }
}

/// Whether the round of an arrival was completed. Completing a round and mending a break both begin a new one, and while somebody waits no other round
/// than its own can be completed; so it was if there was one new round more than there were mendings.
fn is_over(arrival: u32, now: State) -> bool {
    let rounds = (now.low() / ROUND).wrapping_sub(arrival / ROUND) & (BREAK / ROUND - 1);
    let mendings = (now.low() / BREAK).wrapping_sub(arrival / BREAK);
    rounds.wrapping_sub(mendings) & 0xff != 0
}

#[cold]
fn broken(operation: &'static str) -> Error {
    Error::os(operation, Errno::EOWNERDEAD).hint("a party died; mend what it has left half done, and reset the barrier")
}
