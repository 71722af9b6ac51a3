//! The clock: what the library takes, and what the raw calls take, by turns.
//!
//! Both are timed in the same rounds, so that what disturbs the one disturbs the other; a ratio of numbers from two different moments would say more
//! about the moments.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::{Outcome, PATIENCE, Peer, Stage};

/// Medians over the rounds, in nanoseconds.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) library: f64,
    pub(super) raw: f64,
}

impl Times {
    /// Above 1: the library is slower.
    pub(super) fn ratio(self) -> f64 {
        self.library / self.raw.max(1.0)
    }
}

fn nanoseconds(operation: &mut impl FnMut() -> Outcome<()>) -> Outcome<u64> {
    let start = Instant::now();
    operation()?;
    Ok(start.elapsed().as_nanos() as u64)
}

fn median(mut times: Vec<u64>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2] as f64
}

fn time_rounds(rounds: u32, mut library: impl FnMut() -> Outcome<()>, mut raw: impl FnMut() -> Outcome<()>) -> Outcome<Times> {
    let mut times = (Vec::with_capacity(rounds as usize), Vec::with_capacity(rounds as usize));
    for _ in 0..rounds {
        times.0.push(nanoseconds(&mut library)?);
        times.1.push(nanoseconds(&mut raw)?);
    }
    Ok(Times { library: median(times.0), raw: median(times.1) })
}

/// Operations that are shorter than the clock is exact are timed by the hundred.
const BATCH: usize = 100;

impl Stage {
    /// Times each of the rounds: the library's first, then the raw one.
    pub(super) fn time(&self, library: impl FnMut() -> Outcome<()>, raw: impl FnMut() -> Outcome<()>) -> Outcome<Times> {
        self.time_and_tell(library, raw, &AtomicU64::new(0))
    }

    fn time_and_tell(
        &self,
        mut library: impl FnMut() -> Outcome<()>,
        mut raw: impl FnMut() -> Outcome<()>,
        done: &AtomicU64,
    ) -> Outcome<Times> {
        let told = || {
            done.fetch_add(1, Ordering::Relaxed);
            raw()
        };
        time_rounds(self.rounds, &mut library, told)
    }

    /// [`time`](Stage::time) for what takes long: no more rounds than this.
    pub(super) fn time_few(&self, most: u32, library: impl FnMut() -> Outcome<()>, raw: impl FnMut() -> Outcome<()>) -> Outcome<Times> {
        time_rounds(self.rounds.min(most), library, raw)
    }

    /// [`time`](Stage::time) for operations of a few nanoseconds.
    pub(super) fn time_batches(&self, mut library: impl FnMut() -> Outcome<()>, mut raw: impl FnMut() -> Outcome<()>) -> Outcome<Times> {
        let times = self.time(|| (0..BATCH).try_for_each(|_| library()), || (0..BATCH).try_for_each(|_| raw()))?;
        Ok(Times { library: times.library / BATCH as f64, raw: times.raw / BATCH as f64 })
    }

    /// [`time`](Stage::time) for calls that wait for ever, because the raw ones have no other way. When the rounds come to a halt, the peer is killed,
    /// and whoever reads from it meets the end.
    pub(super) fn time_watched(
        &self,
        peer: &Peer,
        library: impl FnMut() -> Outcome<()>,
        raw: impl FnMut() -> Outcome<()>,
    ) -> Outcome<Times> {
        let kill = || {
            // SAFETY: our own child, which is not waited for while it is borrowed, so the number is still its own.
            unsafe { libc::kill(peer.id() as libc::pid_t, libc::SIGKILL) };
        };
        self.time_until(&kill, library, raw)
    }

    /// [`time_watched`](Stage::time_watched), when it takes something else to wake who waits.
    pub(super) fn time_until(
        &self,
        give_up: &(dyn Fn() + Sync),
        library: impl FnMut() -> Outcome<()>,
        raw: impl FnMut() -> Outcome<()>,
    ) -> Outcome<Times> {
        let done = AtomicU64::new(0);
        let (over, is_over) = channel::<()>();
        std::thread::scope(|scope| {
            let done = &done;
            scope.spawn(move || watch(give_up, done, &is_over));
            let times = self.time_and_tell(library, raw, done);
            drop(over);
            times
        })
    }
}

/// How often the watch looks; patience is ten looks.
const LOOK: Duration = Duration::from_millis(PATIENCE.as_millis() as u64 / 10);

fn watch(give_up: &dyn Fn(), done: &AtomicU64, is_over: &Receiver<()>) {
    let (mut last, mut since) = (0, Instant::now());
    while is_over.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        let now = done.load(Ordering::Relaxed);
        if now != last {
            (last, since) = (now, Instant::now());
        } else if since.elapsed() >= PATIENCE {
            give_up();
        }
    }
}
