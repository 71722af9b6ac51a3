//! Sources without a descriptor, which are asked on the schedule.
//!
//! Each question takes nothing: a message stays in its queue, a unit in its semaphore. So what was told may be gone when one comes to
//! take it, as with any level: take without waiting, and go on waiting if there is nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};

use super::interest::{Interest, Ready};
use crate::error::Result;
use crate::message::{SysvQueue, SysvQueueOptions, Which};
use crate::sync::{PosixSemaphore, Semaphore};

/// Says what is ready now, without waiting and without taking anything.
///
/// It is called with the poller locked: so it must not call the poller, and it is not called any more once the source's removal has returned.
pub type Probe = Box<dyn Fn(Interest) -> Result<Ready> + Send + Sync>;

/// Of a System V queue, also one that somebody else has made: readable while there is a message of the choice, writable while it is not full.
///
/// It takes the right to read it. A choice other than any looks at message after message, to which the kernel walks from the first: with more than
/// 600 of them in the queue it goes on with the next question where this one has ended, so that it is told later. Where the kernel does not let us look
/// at single messages (it is built without `CONFIG_CHECKPOINT_RESTORE`), any message counts for any choice. When the queue is removed it is an
/// error, and a hang-up.
pub fn sysv_queue(id: i32, which: Which) -> Result<Probe> {
    // Looking at one's own needs no other owner check: who has the identifier has opened it.
    let queue = SysvQueue::open_id(id, &SysvQueueOptions { any_owner: true, ..Default::default() })?;
    let from = AtomicIsize::new(0);
    Ok(Box::new(move |interest| ask_queue(&queue, which, interest, &from)))
}

/// How many messages the kernel may pass on the way to those that a question looks at: half a millisecond's.
const STEPS: libc::c_long = 200_000;

fn ask_queue(queue: &SysvQueue, which: Which, interest: Interest, from: &AtomicIsize) -> Result<Ready> {
    let status = queue.status()?;
    let mut ready = Ready::NOTHING;
    if interest.contains(Interest::READABLE) && status.messages > 0 && has_one(queue, which, from)? {
        ready = ready | Ready::READABLE;
    }
    if interest.contains(Interest::WRITABLE) && status.bytes < status.limit && status.messages < status.limit {
        ready = ready | Ready::WRITABLE;
    }
    Ok(ready)
}

fn has_one(queue: &SysvQueue, which: Which, from: &AtomicIsize) -> Result<bool> {
    if which == Which::Any {
        return Ok(true);
    }
    // One at a time asks: the poller is locked.
    let mut index = from.load(Ordering::Relaxed) as libc::c_long;
    let found = queue.has_one(which, &mut index, STEPS);
    from.store(index as isize, Ordering::Relaxed);
    match found {
        Ok(found) => Ok(found),
        Err(error) if error.is_failure(crate::Failure::Unavailable) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Of a POSIX semaphore, also a foreign one: readable while a unit is free.
pub fn posix_semaphore(semaphore: Arc<PosixSemaphore>) -> Probe {
    Box::new(move |_| Ok(free(semaphore.value()?)))
}

/// Of a semaphore in memory: readable while a unit is free.
///
/// # Safety
/// The semaphore stays where it is until the source is removed, or the poller dropped.
pub unsafe fn semaphore(semaphore: *const Semaphore) -> Probe {
    struct Place(*const Semaphore);
    // SAFETY: a semaphore may be used from any thread.
    unsafe impl Send for Place {}
    // SAFETY: as above.
    unsafe impl Sync for Place {}
    impl Place {
        fn value(&self) -> Result<u32> {
            // SAFETY: the caller's promise.
            unsafe { &*self.0 }.value()
        }
    }
    let place = Place(semaphore);
    Box::new(move |_| Ok(free(place.value()?)))
}

/// Of one semaphore of a System V set, by the set's identifier: readable while its value is at least `units`; of 0 units, while it is 0.
///
/// It takes the right to read it. When the set is removed it is an error, and a hang-up.
pub fn sysv_semaphore(id: i32, index: u16, units: u16) -> Probe {
    Box::new(move |_| {
        // SAFETY: GETVAL takes no argument, and gives an integer.
        let value = unsafe { libc::semctl(id, libc::c_int::from(index), libc::GETVAL) };
        let value = crate::error::check(value)
            .map_err(|errno| crate::Error::os("ask System V semaphore", errno).on(format!("id {id}, index {index}")))?;
        let is_ready = if units == 0 { value == 0 } else { value >= i32::from(units) };
        Ok(if is_ready { Ready::READABLE } else { Ready::NOTHING })
    })
}

fn free(units: u32) -> Ready {
    if units > 0 { Ready::READABLE } else { Ready::NOTHING }
}
