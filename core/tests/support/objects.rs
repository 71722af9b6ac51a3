//! Objects in shared memory under the knife: a process that uses one is killed, or stopped, between any two instructions.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::process::Child;
use super::shared::SharedPages;
use super::stepper::{Step, Stepper};

/// A hang, generously.
pub const HANG: Duration = Duration::from_secs(20);

/// Waits until it is so.
pub fn wait_until(condition: impl Fn() -> bool) {
    let limit = Instant::now() + HANG;
    while !condition() {
        assert!(Instant::now() < limit, "it does not come");
        // Others are at work meanwhile.
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// Sleeps until it is killed.
pub fn sleep_for_ever() -> ! {
    loop {
        // SAFETY: pause has no preconditions.
        unsafe { libc::pause() };
    }
}

/// How many points are tried side by side: survivors of some wait for half a second.
const WORKERS: usize = 8;

/// Calls `try_point` for 0, 1, 2 ... in several threads until it gives `false`. Gives how often it gave `true`. Each thread keeps to a processor with the
/// children that it makes: to step a child there is a switch between the two, on two processors it is a wake-up.
pub fn for_every_point(try_point: impl Fn(u32) -> bool + Sync) -> u32 {
    let (next, end) = (AtomicU32::new(0), AtomicU32::new(u32::MAX));
    let all = sched_getaffinity(Pid::this()).expect("sched_getaffinity");
    let processors: Vec<usize> = (0..CpuSet::count()).filter(|&index| all.is_set(index) == Ok(true)).collect();
    std::thread::scope(|scope| {
        for processor in processors.iter().cycle().take(WORKERS) {
            let (next, end, try_point) = (&next, &end, &try_point);
            scope.spawn(move || {
                let mut own = CpuSet::new();
                own.set(*processor).and_then(|()| sched_setaffinity(Pid::from_raw(0), &own)).expect("sched_setaffinity");
                while end.load(Ordering::Relaxed) == u32::MAX {
                    let point = next.fetch_add(1, Ordering::Relaxed);
                    if !try_point(point) {
                        end.fetch_min(point, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    end.into_inner()
}

/// Kills a process at every instruction of `work`, each time on fresh zeroed pages that `set_up` has prepared; `survive` looks at what is left. Gives the
/// number of instructions.
pub fn killed_at_every_instruction<T: Sync, S>(
    what: &str,
    set_up: impl Fn(&SharedPages<T>) -> S + Sync,
    prepare: impl Fn(&T) + Sync,
    work: impl Fn(&T) -> i32 + Sync,
    survive: impl Fn(&T, S) + Sync,
) -> u32 {
    let points = for_every_point(|point| {
        let pages = SharedPages::<T>::zeroed();
        let state = set_up(&pages);
        let mut stepper = Stepper::start(|| prepare(&pages), || work(&pages));
        let is_inside = stepper.advance(point);
        if is_inside {
            stepper.kill();
        }
        survive(&pages, state);
        is_inside
    });
    println!("killed at {points} instructions of {what}; failures: 0");
    points
}

/// The same with a process that must sleep at first, until `release` is called; the points are those behind that. Of a long way, with a look into
/// /proc on it, every 61st instruction but of the end each.
pub fn killed_behind_its_sleep<T: Sync, S>(
    what: &str,
    set_up: impl Fn(&SharedPages<T>) -> S + Sync,
    prepare: impl Fn(&T) + Sync,
    work: impl Fn(&T) -> i32 + Sync,
    release: impl Fn(&T, &mut S) + Sync,
    survive: impl Fn(&T, S) + Sync,
) -> u32 {
    const END: u32 = 250;
    let start = |pages: &SharedPages<T>| {
        let mut state = set_up(pages);
        let mut stepper = Stepper::start(|| prepare(pages), || work(pages));
        assert!(stepper.run_into_sleep(), "{what}: it does not sleep");
        release(pages, &mut state);
        assert_eq!(stepper.finish(HANG), Step::Done, "{what}: a process hangs");
        (stepper, state)
    };
    let length: u32 = {
        let pages = SharedPages::<T>::zeroed();
        let (mut stepper, state) = start(&pages);
        let length = (0..).find(|_| !stepper.advance(1));
        survive(&pages, state);
        length.unwrap_or_default()
    };
    let begin_of_end = length.saturating_sub(END);
    let points: Vec<u32> = (0..begin_of_end).step_by(if length > 3 * END { 61 } else { 1 }).chain(begin_of_end..length).collect();
    let count = for_every_point(|index| {
        let Some(point) = points.get(index as usize) else { return false };
        let pages = SharedPages::<T>::zeroed();
        let (mut stepper, state) = start(&pages);
        // The way is not always of the same length.
        if stepper.advance(*point) {
            stepper.kill();
        }
        survive(&pages, state);
        true
    });
    println!("killed at {count} of {length} instructions behind the sleep of {what}; failures: 0");
    count
}

/// Stops a process at every instruction of `work`; `other`, in a process of its own, gives whether it got what it wanted in the time that it was patient.
/// Gives the number of instructions, and how often it did not.
pub fn stopped_at_every_instruction<T: Sync>(
    what: &str,
    set_up: impl Fn(&SharedPages<T>) + Sync,
    prepare: impl Fn(&T) + Sync,
    work: impl Fn(&T) -> i32 + Sync,
    other: impl Fn(&T) -> bool + Sync,
    after: impl Fn(&T) + Sync,
) -> (u32, u32) {
    let refused = AtomicU32::new(0);
    let points = for_every_point(|point| {
        let pages = SharedPages::<T>::zeroed();
        set_up(&pages);
        let mut stepper = Stepper::start(|| prepare(&pages), || work(&pages));
        if !stepper.advance(point) {
            return false;
        }
        let stopped = stepper.stop();
        let status = Child::fork(|| i32::from(!other(&pages))).wait();
        assert!(status == 0 || status == 1, "{what}: {status}");
        refused.fetch_add(status as u32, Ordering::Relaxed);
        assert_eq!(stopped.go_on(), 0, "{what}");
        after(&pages);
        true
    });
    let refused = refused.into_inner();
    println!("stopped at {points} instructions of {what}, {refused} of them inside; failures: 0");
    (points, refused)
}
