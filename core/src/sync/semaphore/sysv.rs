//! System V semaphore sets: several semaphores of which one call takes and gives atomically, and whose units come back from the dead.
//!
//! A set is found by a number, its key, which [`sysv_key`](crate::name::sysv_key) makes of a path. It outlives its users until it is removed or the
//! machine restarts.
//!
//! The famous race: the kernel makes the set and gives it its first values in two steps, and whoever opens it in between finds zeros. Here a set
//! is made with permissions that nobody asks for (`rw---x---`), then gets its values, and its true permissions last; who opens one that has not got
//! there is told that there is none yet, and waits or creates. A creator that is killed on the way leaves an unfinished set behind: `GETPID` tells who it was,
//! and [`open_or_create`](SysvSemaphores::open_or_create) removes it and begins anew. The first operation is done before the set is finished, so
//! that plain C programs, which by custom wait for `sem_otime`, need not wait for ever.
//!
//! [`SysvOperation::undo`] has the kernel take an operation back when the process ends, however it does. It is the process that is remembered, not the
//! thread, and not a child: who takes with `undo` gives back with `undo`, in the same process, or the value is wrong afterwards.
//! [`set_value`](SysvSemaphores::set_value) makes the kernel forget it.
//!
//! It is no descriptor. The kernel bounds a wait itself (`semtimedop`, on the monotonic clock); with a stop token, or a caller who is asked, a wait
//! is cut into slices of 50 ms, and whoever waits leaves the queue of those who wait between two of them.
//!
//! [sysvipc(7)](https://man7.org/linux/man-pages/man7/sysvipc.7.html), [semop(2)](https://man7.org/linux/man-pages/man2/semop.2.html),
//! [semctl(2)](https://man7.org/linux/man-pages/man2/semctl.2.html)

use libc::{c_int, sembuf, semid_ds};
use nix::errno::Errno;

use super::sysv_limits::{LARGEST_VALUE, in_use, limits};
use crate::error::{Error, Failure, Result, check};
use crate::name;
use crate::process::{Birth, ProcessId};
use crate::sysv::{Row, check_key, check_owner, gone, key_in_words, on_key};
use crate::wait::{Deadline, Timeout, Wait, await_creator, now, timespec};

const OPEN: &str = "open System V semaphores";
const CREATE: &str = "create System V semaphores";
const OPERATE: &str = "operate on System V semaphores";
const ASK: &str = "ask System V semaphores";
const SET: &str = "set System V semaphores";

/// The permissions of a set that is not finished: the group may "execute", which means nothing for a set, and so nobody asks for it. They alone are the mark:
/// an operation is done before them.
const UNFINISHED: u32 = 0o610;

/// How long an unfinished set is given, where the caller does not say. Creation takes microseconds.
const TIME_TO_FINISH: Timeout = Timeout::from_nanoseconds(1_000_000_000);

/// How long a creator is given for its first step, which tells its number. If it only slept, its next step tells it, and it begins anew.
const TIME_TO_SIGN: i64 = 100_000_000;

unsafe extern "C" {
    /// [semop(2)](https://man7.org/linux/man-pages/man2/semop.2.html)
    fn semtimedop(id: c_int, operations: *mut sembuf, count: libc::size_t, timeout: *const libc::timespec) -> c_int;
}

/// How a set is made and opened.
#[derive(Debug, Clone)]
pub struct SysvSemaphoresOptions<'a> {
    /// Create: how many units each semaphore has at first, at most 32767 each. Open: so many semaphores there must be at least.
    pub values: Vec<u32>,
    /// Create: the permissions, of which "execute" means nothing; 0 is 0600.
    pub mode: u32,
    /// Create: the group, by name or number.
    pub group: Option<String>,
    /// Open: accept a set of a user other than oneself and root.
    pub any_owner: bool,
    /// Create: remove the set when the creator drops its handle.
    pub temporary: bool,
    /// Open: how long to wait for another process to create it.
    pub wait_for_creator: Wait<'a>,
}

impl Default for SysvSemaphoresOptions<'_> {
    /// One semaphore, no unit free, for the owner alone, not waiting for a creator.
    fn default() -> Self {
        SysvSemaphoresOptions { values: vec![0], mode: 0, group: None, any_owner: false, temporary: false, wait_for_creator: Wait::NEVER }
    }
}

/// One of the operations that [`SysvSemaphores::operate`] does together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SysvOperation {
    /// Which semaphore, from 0.
    pub semaphore: usize,
    /// Above 0: how many units are given. Below: how many are taken, as soon as there are as many. 0: waits until there is none.
    pub change: i32,
    /// When the process ends, the kernel takes the change back.
    pub undo: bool,
    /// If this one would have to wait, the call fails with `EAGAIN` at once, whatever its limit (`IPC_NOWAIT`).
    pub at_once: bool,
}

impl SysvOperation {
    fn of(semaphore: usize, change: i32) -> SysvOperation {
        SysvOperation { semaphore, change, undo: false, at_once: false }
    }

    /// Takes units.
    pub fn take(semaphore: usize, units: u16) -> SysvOperation {
        SysvOperation::of(semaphore, -i32::from(units))
    }

    /// Gives units.
    pub fn give(semaphore: usize, units: u16) -> SysvOperation {
        SysvOperation::of(semaphore, units.into())
    }

    /// Waits until no unit is free.
    pub fn zero(semaphore: usize) -> SysvOperation {
        SysvOperation::of(semaphore, 0)
    }

    /// The same, taken back when the process ends.
    pub fn undo(self) -> SysvOperation {
        SysvOperation { undo: true, ..self }
    }

    /// The same, without waiting.
    pub fn at_once(self) -> SysvOperation {
        SysvOperation { at_once: true, ..self }
    }
}

/// What a set is like at a moment. Times are in seconds since 1970, 0 for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SysvSemaphoresStatus {
    /// The kernel's number of it.
    pub id: i32,
    /// Its key; 0 for a private one.
    pub key: i32,
    /// How many semaphores it has.
    pub count: usize,
    /// When it was operated on last.
    pub operated_at: i64,
    /// When it was made, or its values or rights were set.
    pub changed_at: i64,
    /// Its permissions.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Who made it, and has an owner's rights as well.
    pub creator_uid: u32,
    /// The group of who made it.
    pub creator_gid: u32,
}

/// A set of System V semaphores. A handle costs nothing but memory, works in children made by `fork`, and the set stays until it is removed.
#[derive(Debug)]
pub struct SysvSemaphores {
    id: i32,
    key: Option<i32>,
    /// It never changes.
    count: usize,
    /// Who removes it at the end.
    temporary: Option<Birth>,
}

impl SysvSemaphores {
    /// Creates a set, exclusively: `EEXIST` if the key is taken.
    ///
    /// Errors: `EINVAL` for the key 0 ([`create_private`](SysvSemaphores::create_private) makes sets without a key), no semaphore or too many (`SEMMSL`), a bad
    /// mode or group; `ERANGE` for a value above 32767; `ENOSPC` for too many sets or semaphores in all (`SEMMNI`, `SEMMNS`); `EPERM` for a group of
    /// others; `ENOMEM`. The text names the limit and its value.
    pub fn create(key: i32, options: &SysvSemaphoresOptions<'_>) -> Result<SysvSemaphores> {
        check_key(CREATE, key, "semaphores")?;
        make(key, options)
    }

    /// Creates a set without a key, for who is told its [`id`](SysvSemaphores::id), and for children made by `fork`. Errors as
    /// [`create`](SysvSemaphores::create).
    pub fn create_private(options: &SysvSemaphoresOptions<'_>) -> Result<SysvSemaphores> {
        make(libc::IPC_PRIVATE, options)
    }

    /// Opens a set that exists and has its first values.
    ///
    /// Errors: `ENOENT`, also while its creator has not finished it; `EPERM` if it belongs to, or was made by, another user;
    /// [`Failure::WrongSize`] if it has fewer semaphores than the options have values; `EINVAL` for the key 0.
    pub fn open(key: i32, options: &SysvSemaphoresOptions<'_>) -> Result<SysvSemaphores> {
        check_key(OPEN, key, "semaphores")?;
        let missing = |error: &Error| error.is(Errno::ENOENT);
        await_creator(OPEN, options.wait_for_creator, missing, || match adopt(find(OPEN, key)?, Some(key), options) {
            // Removed since: so there is none.
            Err(error) if error.is(Errno::EIDRM) => Err(on_key(OPEN, Errno::ENOENT, key)),
            other => other,
        })
    }

    /// Opens the set, or creates it if there is none. The values count only for the one who creates.
    ///
    /// A set whose creator was killed before it was finished is removed and made anew. `EBUSY` if a creator that lives does not finish: for
    /// one second, or as long as the options wait.
    pub fn open_or_create(key: i32, options: &SysvSemaphoresOptions<'_>) -> Result<SysvSemaphores> {
        let patience = options.wait_for_creator;
        let patience = if Deadline::new(OPEN, patience).never_waits() { patience.with_timeout(TIME_TO_FINISH) } else { patience };
        let mut deadline = Deadline::new(OPEN, patience);
        let at_once = SysvSemaphoresOptions { wait_for_creator: Wait::NEVER, ..options.clone() };
        let mut met = (-1, 0);
        loop {
            match SysvSemaphores::open(key, &at_once) {
                Err(error) if error.is(Errno::ENOENT) => {}
                other => return other,
            }
            match SysvSemaphores::create(key, options) {
                Err(error) if error.is(Errno::EEXIST) => {}
                other => return other,
            }
            // Somebody was faster, and has not finished yet; or never will.
            let Some(id) = unfinished(key) else { continue };
            if met.0 != id {
                met = (id, now());
            }
            let creator = last_process(id, 0).unwrap_or(0);
            let is_over = match creator {
                0 => now() - met.1 >= TIME_TO_SIGN,
                _ => ProcessId::of_number(creator as u32).is_dead(),
            };
            if is_over {
                // A creator that slept for so long and finishes between the look and this is robbed: the kernel has no call that compares and removes.
                remove(id).or_else(|errno| if gone(errno) == Errno::EIDRM { Ok(()) } else { Err(on_key(OPEN, errno, key)) })?;
                continue;
            }
            deadline.pause().map_err(|error| match (error.is_given_up(), creator) {
                (true, _) => error,
                (_, 0) => on_key(OPEN, Errno::EBUSY, key).hint("another process is creating them, and has not finished"),
                _ => on_key(OPEN, Errno::EBUSY, key).hint(format!("process {creator} is creating them, and has not finished")),
            })?;
        }
    }

    /// Opens a set by its identifier, which its maker has told. Errors: `EIDRM` if there is none; else as [`open`](SysvSemaphores::open).
    pub fn open_id(id: i32, options: &SysvSemaphoresOptions<'_>) -> Result<SysvSemaphores> {
        adopt(id, None, options)
    }

    /// Removes the set of a key: who waits in it is told, by `EIDRM`. `ENOENT` if there is none; `EPERM` for a stranger.
    pub fn remove_key(key: i32) -> Result<()> {
        const OPERATION: &str = "remove System V semaphores";
        check_key(OPERATION, key, "semaphores")?;
        remove(find(OPERATION, key)?).map_err(|errno| on_key(OPERATION, errno, key))
    }

    /// Removes the set: who waits in it is told, by `EIDRM`. `EIDRM` if it is gone already; `EPERM` for a stranger.
    pub fn remove(&self) -> Result<()> {
        remove(self.id).map_err(|errno| self.explain("remove System V semaphores", errno))
    }

    /// The kernel's number for it, as `ipcs -s` shows it.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// The key that it was made or opened by.
    pub fn key(&self) -> Option<i32> {
        self.key
    }

    /// How many semaphores it has.
    #[allow(clippy::len_without_is_empty, reason = "no set is empty")]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Takes a unit of a semaphore. Errors as [`operate`](SysvSemaphores::operate).
    pub fn wait<'a>(&self, semaphore: usize, wait: impl Into<Wait<'a>>) -> Result<()> {
        self.operate(&[SysvOperation::take(semaphore, 1)], wait)
    }

    /// Takes a unit if one is free: else `EAGAIN`.
    pub fn try_wait(&self, semaphore: usize) -> Result<()> {
        self.wait(semaphore, Wait::NEVER)
    }

    /// Gives a unit back, and wakes who waits for it. Errors as [`operate`](SysvSemaphores::operate).
    pub fn post(&self, semaphore: usize) -> Result<()> {
        self.operate(&[SysvOperation::give(semaphore, 1)], Wait::NEVER)
    }

    /// Waits until a semaphore has no unit. Errors as [`operate`](SysvSemaphores::operate).
    pub fn wait_zero<'a>(&self, semaphore: usize, wait: impl Into<Wait<'a>>) -> Result<()> {
        self.operate(&[SysvOperation::zero(semaphore)], wait)
    }

    /// Does all the operations in one step, in their order, or none: as soon as all of them can be done.
    ///
    /// Errors: `EFBIG` for a semaphore that the set does not have; `ERANGE` if a value would be above 32767, or what there is to undo would;
    /// `EINVAL` for no operation, `E2BIG` for too many (`SEMOPM`); `EACCES`; `ENOMEM` for no room to note what is to be undone; `EIDRM` when the set is
    /// removed, before or meanwhile; `EAGAIN`, `ETIMEDOUT`, `ECANCELED` while it would have to wait (see [`Wait`]).
    pub fn operate<'a>(&self, operations: &[SysvOperation], wait: impl Into<Wait<'a>>) -> Result<()> {
        const FEW: usize = 8;
        let blank = sembuf { sem_num: 0, sem_op: 0, sem_flg: 0 };
        if operations.len() <= FEW {
            return self.run(operations, &mut [blank; FEW][..operations.len()], wait.into());
        }
        // Counted before room is made for them.
        if limits().is_some_and(|limits| operations.len() as u64 > limits.operations) {
            return Err(self.too_many(operations.len()));
        }
        self.run(operations, &mut vec![blank; operations.len()], wait.into())
    }

    fn run(&self, operations: &[SysvOperation], raw: &mut [sembuf], wait: Wait<'_>) -> Result<()> {
        self.translate(operations, raw)?;
        let mut deadline = Deadline::new(OPERATE, wait);
        if deadline.is_plain() {
            loop {
                // SAFETY: the operations are valid for their number.
                match check(unsafe { libc::semop(self.id, raw.as_mut_ptr(), raw.len()) }) {
                    Err(Errno::EINTR) => {}
                    Err(errno) => return Err(self.explain_operation(errno, operations)),
                    Ok(_) => return Ok(()),
                }
            }
        }
        // An attempt first, which needs no clock.
        raw.iter_mut().for_each(|one| one.sem_flg |= libc::IPC_NOWAIT as i16);
        // SAFETY: as above.
        match check(unsafe { libc::semop(self.id, raw.as_mut_ptr(), raw.len()) }) {
            Err(Errno::EAGAIN) => {}
            Err(errno) => return Err(self.explain_operation(errno, operations)),
            Ok(_) => return Ok(()),
        }
        self.translate(operations, raw)?;
        loop {
            let length = deadline.slice(i64::MAX).map_err(|error| self.named(error))?;
            let start = now();
            // SAFETY: as above, and the time is a valid timespec.
            match check(unsafe { semtimedop(self.id, raw.as_mut_ptr(), raw.len(), &timespec(length)) }) {
                Err(Errno::EINTR) => {}
                // The slice is over, and not an operation that does not wait.
                Err(Errno::EAGAIN) if now() - start >= length => {}
                Err(errno) => return Err(self.explain_operation(errno, operations)),
                Ok(_) => return Ok(()),
            }
        }
    }

    /// The operations as the kernel wants them.
    fn translate(&self, operations: &[SysvOperation], raw: &mut [sembuf]) -> Result<()> {
        if operations.is_empty() {
            return Err(self.named(Error::os(OPERATE, Errno::EINVAL).hint("there is no operation to do")));
        }
        for (one, raw) in operations.iter().zip(raw) {
            self.check_index(OPERATE, one.semaphore)?;
            let Ok(change) = i16::try_from(one.change) else { return Err(self.out_of_range(OPERATE)) };
            let flags = if one.undo { libc::SEM_UNDO } else { 0 } | if one.at_once { libc::IPC_NOWAIT } else { 0 };
            // A set has at most SEMMSL semaphores, which is below 65536.
            *raw = sembuf { sem_num: one.semaphore as u16, sem_op: change, sem_flg: flags as i16 };
        }
        Ok(())
    }

    /// How many units of a semaphore are free at this moment. `EFBIG`; `EACCES`; `EIDRM`.
    pub fn value(&self, semaphore: usize) -> Result<u32> {
        self.ask(semaphore, libc::GETVAL).map(|value| value as u32)
    }

    /// How many units each semaphore has at this moment, all at once. `EACCES`; `EIDRM`.
    pub fn values(&self) -> Result<Vec<u32>> {
        let mut values = vec![0u16; self.count];
        // SAFETY: there is room for as many values as the set has semaphores.
        check(unsafe { libc::semctl(self.id, 0, libc::GETALL, Argument { values: values.as_mut_ptr() }) })
            .map_err(|errno| self.explain(ASK, errno))?;
        Ok(values.into_iter().map(u32::from).collect())
    }

    /// Sets how many units a semaphore has, whoever holds some, and makes the kernel forget what was to be undone to it. `ERANGE` above 32767;
    /// `EFBIG`; `EACCES`; `EIDRM`.
    pub fn set_value(&self, semaphore: usize, value: u32) -> Result<()> {
        self.check_index(SET, semaphore)?;
        let [value] = self.checked(SET, &[value])?[..] else { return Err(self.out_of_range(SET)) };
        // SAFETY: SETVAL takes a number.
        check(unsafe { libc::semctl(self.id, semaphore as c_int, libc::SETVAL, Argument { value: value.into() }) })
            .map(drop)
            .map_err(|errno| self.explain(SET, errno))
    }

    /// Sets how many units each semaphore has, all at once. `EINVAL` for another number of values than there are semaphores; else as
    /// [`set_value`](SysvSemaphores::set_value).
    pub fn set_values(&self, values: &[u32]) -> Result<()> {
        if values.len() != self.count {
            let remedy = format!("the set has {} semaphores, and {} values were given", self.count, values.len());
            return Err(self.named(Error::os(SET, Errno::EINVAL).hint(remedy)));
        }
        let mut values = self.checked(SET, values)?;
        // SAFETY: there are as many values as the set has semaphores.
        check(unsafe { libc::semctl(self.id, 0, libc::SETALL, Argument { values: values.as_mut_ptr() }) })
            .map(drop)
            .map_err(|errno| self.explain(SET, errno))
    }

    /// How many wait for units of a semaphore at this moment (`GETNCNT`). `EFBIG`; `EACCES`; `EIDRM`.
    pub fn waiters(&self, semaphore: usize) -> Result<u32> {
        self.ask(semaphore, libc::GETNCNT).map(|count| count as u32)
    }

    /// How many wait until a semaphore has no unit, at this moment (`GETZCNT`). `EFBIG`; `EACCES`; `EIDRM`.
    pub fn waiters_for_zero(&self, semaphore: usize) -> Result<u32> {
        self.ask(semaphore, libc::GETZCNT).map(|count| count as u32)
    }

    /// The process that operated on a semaphore last, or set it; 0 for none, or one of another pid namespace. `EFBIG`; `EACCES`; `EIDRM`.
    pub fn last_process(&self, semaphore: usize) -> Result<i32> {
        self.ask(semaphore, libc::GETPID)
    }

    /// What the set is like now. `EACCES` without the right to read; `EIDRM`.
    pub fn status(&self) -> Result<SysvSemaphoresStatus> {
        raw_status(self.id).map(|raw| told(self.id, &raw)).map_err(|errno| self.explain(ASK, errno))
    }

    /// Changes the permissions; 0 is 0600. `EINVAL` for bits beyond 0777; `EPERM` for a stranger; `EIDRM`.
    pub fn set_mode(&self, mode: u32) -> Result<()> {
        const OPERATION: &str = "set mode of System V semaphores";
        let mode = permissions(OPERATION, mode)?;
        self.change(OPERATION, |raw| raw.sem_perm.mode = mode as _)
    }

    /// Changes owner, group or both; `None` leaves it. Whoever made the set keeps an owner's rights. `EPERM` for a stranger; `EINVAL`; `EIDRM`.
    pub fn set_owner(&self, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
        const OPERATION: &str = "set owner of System V semaphores";
        check_owner(OPERATION, uid, gid).map_err(|error| self.named(error))?;
        self.change(OPERATION, |raw| {
            raw.sem_perm.uid = uid.unwrap_or(raw.sem_perm.uid);
            raw.sem_perm.gid = gid.unwrap_or(raw.sem_perm.gid);
        })
    }

    fn change(&self, operation: &'static str, change: impl FnOnce(&mut semid_ds)) -> Result<()> {
        let attempt = || {
            let mut raw = raw_status(self.id)?;
            change(&mut raw);
            // SAFETY: the status is valid.
            check(unsafe { libc::semctl(self.id, 0, libc::IPC_SET, Argument { status: &mut raw }) }).map(drop)
        };
        attempt().map_err(|errno| self.explain(operation, errno))
    }

    fn ask(&self, semaphore: usize, command: c_int) -> Result<c_int> {
        self.check_index(ASK, semaphore)?;
        // SAFETY: the commands that ask for one number take no argument.
        check(unsafe { libc::semctl(self.id, semaphore as c_int, command) }).map_err(|errno| self.explain(ASK, errno))
    }

    fn check_index(&self, operation: &'static str, semaphore: usize) -> Result<()> {
        if semaphore < self.count {
            return Ok(());
        }
        let remedy = format!("the set has {} semaphores, numbered from 0, and no {semaphore}", self.count);
        Err(self.named(Error::os(operation, Errno::EFBIG).hint(remedy)))
    }

    fn checked(&self, operation: &'static str, values: &[u32]) -> Result<Vec<u16>> {
        check_values(operation, values).map_err(|error| self.named(error))
    }

    fn named(&self, error: Error) -> Error {
        error.on(match self.key {
            Some(key) => key_in_words(key),
            None => format!("id {}", self.id),
        })
    }

    #[cold]
    fn explain(&self, operation: &'static str, errno: Errno) -> Error {
        let error = self.named(Error::os(operation, gone(errno)));
        match gone(errno) {
            Errno::EIDRM => error.hint("the set was removed"),
            Errno::EPERM => error.hint("only its owner and its creator may"),
            _ => error,
        }
    }

    #[cold]
    fn explain_operation(&self, errno: Errno, operations: &[SysvOperation]) -> Error {
        match errno {
            Errno::ERANGE => self.out_of_range(OPERATE),
            Errno::E2BIG => self.too_many(operations.len()),
            Errno::EAGAIN => self.named(Error::os(OPERATE, errno)),
            _ => self.explain(OPERATE, errno),
        }
    }

    #[cold]
    fn out_of_range(&self, operation: &'static str) -> Error {
        let remedy = format!("a value is at most {LARGEST_VALUE} (SEMVMX), and so is what a process has to undo");
        self.named(Error::os(operation, Errno::ERANGE).hint(remedy))
    }

    #[cold]
    fn too_many(&self, count: usize) -> Error {
        let most = limits().map_or(0, |limits| limits.operations);
        let remedy = format!("{count} operations at once; /proc/sys/kernel/sem allows {most} (SEMOPM)");
        self.named(Error::os(OPERATE, Errno::E2BIG).hint(remedy))
    }

    /// Gives a new set its values, then its rights: that finishes it.
    fn finish(&self, values: &[u32], mode: u32, group: Option<u32>) -> Result<()> {
        self.set_values(values)?;
        // Sets the time of the last operation and changes nothing. If it cannot, somebody has operated already, or the owner has no right to.
        let [take, give, zero] = [SysvOperation::take(0, 1), SysvOperation::give(0, 1), SysvOperation::zero(0)];
        if self.operate(&[take, give], Wait::NEVER).is_err() {
            let _ = self.operate(&[zero], Wait::NEVER);
        }
        self.change(CREATE, |raw| {
            raw.sem_perm.mode = mode as _;
            raw.sem_perm.gid = group.unwrap_or(raw.sem_perm.gid);
        })
    }
}

impl Drop for SysvSemaphores {
    fn drop(&mut self) {
        self.remove_temporary();
    }
}

impl SysvSemaphores {
    /// Removes a temporary one now, as dropping the handle does: for the end of a process, whose threads may still have it.
    pub fn remove_temporary(&self) {
        if self.temporary.is_some_and(Birth::is_here) {
            // An identifier is never another set's. Nobody is left to tell if it is gone.
            let _ = remove(self.id);
        }
    }
}

/// What `semctl` takes.
#[repr(C)]
union Argument {
    value: c_int,
    values: *mut u16,
    status: *mut semid_ds,
}

fn check_values(operation: &'static str, values: &[u32]) -> Result<Vec<u16>> {
    let narrow = |(place, value): (usize, &u32)| match *value {
        value if value <= LARGEST_VALUE => Ok(value as u16),
        value => {
            let remedy = format!("semaphore {place} was to have {value} units, the limit (SEMVMX) is {LARGEST_VALUE}");
            Err(Error::os(operation, Errno::ERANGE).hint(remedy))
        }
    };
    values.iter().enumerate().map(narrow).collect()
}

/// "Execute" means nothing, and one such bit is our mark.
fn permissions(operation: &'static str, mode: u32) -> Result<u32> {
    name::permissions(operation, mode).map(|mode| mode & 0o666)
}

fn make(key: i32, options: &SysvSemaphoresOptions<'_>) -> Result<SysvSemaphores> {
    let mode = permissions(CREATE, options.mode)?;
    let group = options.group.as_deref().map(|group| name::group(CREATE, group)).transpose()?;
    let count = options.values.len();
    check_values(CREATE, &options.values)?;
    if count == 0 {
        return Err(Error::os(CREATE, Errno::EINVAL).hint("a set has at least one semaphore"));
    }
    loop {
        let flags = libc::IPC_CREAT | libc::IPC_EXCL | UNFINISHED as c_int;
        // SAFETY: semget takes integers.
        let id = check(unsafe { libc::semget(key, count.try_into().unwrap_or(c_int::MAX), flags) })
            .map_err(|errno| explain_creation(key, errno, count))?;
        // Removed again if it cannot be finished.
        let mut set = SysvSemaphores { id, key: (key != libc::IPC_PRIVATE).then_some(key), count, temporary: Some(Birth::now()) };
        match set.finish(&options.values, mode, group) {
            // Somebody took us for dead, so long did it take.
            Err(error) if error.is(Errno::EIDRM) => continue,
            other => other?,
        }
        if !options.temporary {
            set.temporary = None;
        }
        return Ok(set);
    }
}

#[cold]
fn explain_creation(key: i32, errno: Errno, count: usize) -> Error {
    let error = on_key(CREATE, errno, key);
    match (errno, limits()) {
        (Errno::EINVAL, Some(limits)) => {
            error.hint(format!("{count} semaphores in a set; /proc/sys/kernel/sem allows {} (SEMMSL)", limits.in_a_set))
        }
        (Errno::ENOSPC, Some(limits)) => {
            let (sets, semaphores) = in_use();
            error.hint(format!(
                "/proc/sys/kernel/sem allows {} sets (SEMMNI), and there are {sets}; {} semaphores (SEMMNS), of which {semaphores} are taken and {count} needed",
                limits.sets, limits.semaphores
            ))
        }
        (Errno::ENOSYS, _) => Error::failure(CREATE, Failure::Unavailable).hint("this kernel has no System V semaphores"),
        _ => error,
    }
}

/// The set of a key, finished or not, whoever has made it.
fn find(operation: &'static str, key: i32) -> Result<i32> {
    // SAFETY: semget takes integers.
    check(unsafe { libc::semget(key, 0, 0) }).map_err(|errno| on_key(operation, errno, key))
}

/// What must be known of a set before it is used.
struct Facts {
    count: usize,
    mode: u32,
    owners: (u32, u32),
}

impl Facts {
    fn of(id: i32) -> std::result::Result<Facts, Errno> {
        match raw_status(id) {
            Ok(raw) => {
                let told = told(id, &raw);
                let owners = (raw.sem_perm.uid, raw.sem_perm.cuid);
                Ok(Facts { count: told.count, mode: raw.sem_perm.mode as u32 & 0o777, owners })
            }
            // Who may operate but not read may not ask, but /proc tells.
            Err(Errno::EACCES) => Facts::in_proc(id).ok_or(Errno::EACCES),
            Err(errno) => Err(errno),
        }
    }

    fn in_proc(id: i32) -> Option<Facts> {
        let row = Row::find("sem", "semid", id)?;
        Some(Facts { count: row.number("nsems")?, mode: row.mode()?, owners: row.owners()? })
    }

    fn is_unfinished(&self) -> bool {
        self.mode == UNFINISHED
    }
}

/// Looks at whose the set is, and whether it is finished.
fn adopt(id: i32, key: Option<i32>, options: &SysvSemaphoresOptions<'_>) -> Result<SysvSemaphores> {
    let mut set = SysvSemaphores { id, key, count: 0, temporary: None };
    let facts = Facts::of(id).map_err(|errno| set.explain(OPEN, errno))?;
    let object = key.map_or_else(|| format!("id {id}"), key_in_words);
    name::trust_owner(OPEN, &object, facts.owners.0, options.any_owner)?;
    name::trust_owner(OPEN, &object, facts.owners.1, options.any_owner)?;
    if facts.is_unfinished() {
        let remedy = "its creator has not finished it yet, or was killed before; open_or_create waits, and makes it anew";
        return Err(set.named(Error::os(OPEN, Errno::ENOENT).hint(remedy)));
    }
    if facts.count < options.values.len() {
        let remedy = format!("the set has {} semaphores, and {} are needed", facts.count, options.values.len());
        return Err(set.named(Error::failure(OPEN, Failure::WrongSize).hint(remedy)));
    }
    set.count = facts.count;
    Ok(set)
}

/// The set of a key if it is there, not finished, and ours to remove.
fn unfinished(key: i32) -> Option<i32> {
    let id = find(OPEN, key).ok()?;
    Facts::of(id).is_ok_and(|facts| facts.is_unfinished()).then_some(id)
}

fn remove(id: i32) -> std::result::Result<(), Errno> {
    // SAFETY: IPC_RMID takes no argument.
    check(unsafe { libc::semctl(id, 0, libc::IPC_RMID) }).map(drop)
}

fn last_process(id: i32, semaphore: c_int) -> std::result::Result<i32, Errno> {
    // SAFETY: GETPID takes no argument.
    check(unsafe { libc::semctl(id, semaphore, libc::GETPID) })
}

fn raw_status(id: i32) -> std::result::Result<semid_ds, Errno> {
    // SAFETY: zero bytes are a valid status.
    let mut raw: semid_ds = unsafe { std::mem::zeroed() };
    // SAFETY: the status is valid to write to.
    check(unsafe { libc::semctl(id, 0, libc::IPC_STAT, Argument { status: &mut raw }) })?;
    Ok(raw)
}

#[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "on 32-bit systems the fields are narrower")]
fn told(id: i32, raw: &semid_ds) -> SysvSemaphoresStatus {
    SysvSemaphoresStatus {
        id,
        key: raw.sem_perm.__key,
        count: raw.sem_nsems as usize,
        operated_at: i64::from(raw.sem_otime),
        changed_at: i64::from(raw.sem_ctime),
        mode: raw.sem_perm.mode as u32 & 0o777,
        uid: raw.sem_perm.uid,
        gid: raw.sem_perm.gid,
        creator_uid: raw.sem_perm.cuid,
        creator_gid: raw.sem_perm.cgid,
    }
}
