//! System V semaphore sets.

use pyo3::prelude::*;
use unipc::sync::{self, SysvSemaphoresOptions};
use unipc::{Errno, Wait};

use crate::error::Raise;
use crate::handle::{Handle, reduce};
use crate::in_place::tried;
use crate::wait::waiting;

/// One of the operations that SysvSemaphores.operate does together.
///
/// change: above 0 so many units are given; below they are taken, as soon as there are as many;
/// 0 waits until there is none. undo: when the process ends, the kernel takes the change back.
/// at_once: if this one would have to wait, the call fails with BlockingIOError at once.
/// Source: semop(2).
#[pyclass(frozen, get_all, eq, hash, module = "unipc")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct SysvOperation {
    /// Which semaphore, from 0.
    semaphore: usize,
    /// How many units are given, or taken.
    change: i32,
    /// Whether the kernel takes it back when the process ends.
    undo: bool,
    /// Whether the call does not wait for this one.
    at_once: bool,
}

#[pymethods]
impl SysvOperation {
    #[new]
    #[pyo3(signature = (semaphore, change, *, undo=false, at_once=false))]
    fn new(semaphore: usize, change: i32, undo: bool, at_once: bool) -> SysvOperation {
        SysvOperation { semaphore, change, undo, at_once }
    }

    fn __repr__(&self) -> String {
        let undo = if self.undo { ", undo=True" } else { "" };
        let at_once = if self.at_once { ", at_once=True" } else { "" };
        format!("SysvOperation({}, {}{undo}{at_once})", self.semaphore, self.change)
    }
}

impl SysvOperation {
    fn core(&self) -> sync::SysvOperation {
        sync::SysvOperation { semaphore: self.semaphore, change: self.change, undo: self.undo, at_once: self.at_once }
    }
}

/// What a set of System V semaphores is like at a moment. Times are in seconds since 1970, 0
/// for never.
#[pyclass(frozen, get_all, module = "unipc")]
pub(crate) struct SysvSemaphoresStatus {
    /// The kernel's number of it.
    id: i32,
    /// Its key; 0 for a private one.
    key: i32,
    /// How many semaphores it has.
    count: usize,
    /// When it was operated on last.
    operated_at: i64,
    /// When it was made, or its values or rights were set.
    changed_at: i64,
    /// Its permissions.
    mode: u32,
    /// Its owner.
    uid: u32,
    /// Its group.
    gid: u32,
    /// Who made it, and has an owner's rights as well.
    creator_uid: u32,
    /// The group of who made it.
    creator_gid: u32,
}

#[pymethods]
impl SysvSemaphoresStatus {
    fn __repr__(&self) -> String {
        format!("SysvSemaphoresStatus(count={}, mode={:#o}, uid={})", self.count, self.mode, self.uid)
    }
}

/// A set of System V semaphores, of which one call takes and gives atomically, and whose units
/// come back from the dead. What plain C programs get with semget.
///
/// It stays until it is removed or the machine restarts. A handle costs memory alone and works
/// in children made by fork; pickling opens the set by its id. len() is how many semaphores it
/// has. `with` closes it.
/// Source: sysvipc(7), semop(2).
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct SysvSemaphores {
    handle: Handle<sync::SysvSemaphores>,
    count: usize,
    #[pyo3(get)]
    /// The kernel's number for it, as ipcs -s shows it.
    id: i32,
    #[pyo3(get)]
    /// The key that it was made or opened by; None for a private one.
    key: Option<i32>,
    #[pyo3(get)]
    /// Whether it was asked for whoever owns it.
    any_owner: bool,
}

/// The constructors differ in the core's function alone.
fn made(
    py: Python<'_>,
    patience: Option<f64>,
    options: SysvSemaphoresOptions<'_>,
    open: impl FnOnce(&SysvSemaphoresOptions<'_>) -> unipc::Result<sync::SysvSemaphores> + Send,
) -> PyResult<SysvSemaphores> {
    let (any_owner, temporary) = (options.any_owner, options.temporary);
    let call = |wait_for_creator: Wait<'_>| open(&SysvSemaphoresOptions { wait_for_creator, ..options });
    let set = waiting(py, patience, &|| true, call)?;
    let (count, id, key) = (set.len(), set.id(), set.key());
    let handle = Handle::new("set of semaphores", set);
    if temporary {
        handle.remove_at_exit(py)?;
    }
    Ok(SysvSemaphores { handle, count, id, key, any_owner })
}

/// One semaphore without a unit, where nothing else is said.
fn first(values: Option<Vec<u32>>) -> Vec<u32> {
    values.unwrap_or_else(|| vec![0])
}

/// Opening looks at how many there are, and not at their values.
fn at_least(count: usize, any_owner: bool) -> SysvSemaphoresOptions<'static> {
    // No set has more.
    SysvSemaphoresOptions { values: vec![0; count.min(1 << 16)], any_owner, ..Default::default() }
}

impl SysvSemaphores {
    /// The kernel's number for it.
    pub(crate) fn identifier(&self) -> i32 {
        self.id
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    fn operate_all(&self, py: Python<'_>, timeout: Option<f64>, operations: &[sync::SysvOperation]) -> PyResult<()> {
        match self.handle.share()?.operate(operations, Wait::NEVER) {
            Err(error) if error.is(Errno::EAGAIN) && timeout != Some(0.0) => {
                self.handle.wait(py, timeout, |set, wait| set.operate(operations, wait))
            }
            other => other.raise(py),
        }
    }
}

#[pymethods]
impl SysvSemaphores {
    /// Creates a set under a key, exclusively. Nobody meets it without its values.
    ///
    /// key: not 0; sysv_key makes one of a path. values: how many units each semaphore has at
    /// first, at most 32767; None is one semaphore without a unit. mode: the permissions; 0 is
    /// 0o600. group: by name or number. temporary removes the set when this handle is closed.
    /// Errors: FileExistsError; OSError with ENOSPC: too many sets or semaphores in all; with
    /// EINVAL: too many in a set, none; with ERANGE: a larger value; PermissionError: a group of
    /// others. The text names the limit.
    /// Source: semget(2).
    #[staticmethod]
    #[pyo3(signature = (key, values=None, *, mode=0, group=None, temporary=false))]
    fn create(
        py: Python<'_>,
        key: i32,
        values: Option<Vec<u32>>,
        mode: u32,
        group: Option<String>,
        temporary: bool,
    ) -> PyResult<SysvSemaphores> {
        let values = first(values);
        let options = SysvSemaphoresOptions { values, mode, group, temporary, ..Default::default() };
        made(py, Some(0.0), options, |options| sync::SysvSemaphores::create(key, options))
    }

    /// Creates a set without a key, for children and for who is told its id. Unless it is
    /// temporary, it stays.
    /// Errors as create.
    #[staticmethod]
    #[pyo3(signature = (values=None, *, mode=0, group=None, temporary=false))]
    fn create_private(
        py: Python<'_>,
        values: Option<Vec<u32>>,
        mode: u32,
        group: Option<String>,
        temporary: bool,
    ) -> PyResult<SysvSemaphores> {
        let values = first(values);
        let options = SysvSemaphoresOptions { values, mode, group, temporary, ..Default::default() };
        made(py, Some(0.0), options, sync::SysvSemaphores::create_private)
    }

    /// Opens a set that exists and has its first values. count: so many semaphores there must be at
    /// least. any_owner accepts one that a user other than oneself and root owns or made;
    /// wait_for_creator: seconds, None for ever.
    /// Errors: FileNotFoundError; PermissionError; WrongSize.
    #[staticmethod]
    #[pyo3(
        signature = (key, *, count=1, any_owner=false, wait_for_creator=Some(0.0)),
        text_signature = "(key, *, count=1, any_owner=False, wait_for_creator=0)"
    )]
    fn open(py: Python<'_>, key: i32, count: usize, any_owner: bool, wait_for_creator: Option<f64>) -> PyResult<SysvSemaphores> {
        made(py, wait_for_creator, at_least(count, any_owner), |options| sync::SysvSemaphores::open(key, options))
    }

    /// Opens a set, or creates it if there is none: the values count only for the one who creates.
    /// A set whose creator was killed before it had its values is made anew. wait_for_creator:
    /// seconds for a creator that lives to finish, None for ever; 0 is one second.
    /// Errors as open and create; OSError with EBUSY if it does not.
    #[staticmethod]
    #[pyo3(
        signature = (key, values=None, *, mode=0, group=None, any_owner=false, temporary=false, wait_for_creator=Some(0.0)),
        text_signature = "(key, values=None, *, mode=0, group=None, any_owner=False, temporary=False, wait_for_creator=0)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keywords")]
    fn open_or_create(
        py: Python<'_>,
        key: i32,
        values: Option<Vec<u32>>,
        mode: u32,
        group: Option<String>,
        any_owner: bool,
        temporary: bool,
        wait_for_creator: Option<f64>,
    ) -> PyResult<SysvSemaphores> {
        let values = first(values);
        let options = SysvSemaphoresOptions { values, mode, group, any_owner, temporary, ..Default::default() };
        made(py, wait_for_creator, options, |options| sync::SysvSemaphores::open_or_create(key, options))
    }

    /// Opens a set by its id, which its creator has told.
    /// Errors: OSError with EIDRM if there is none; else as open.
    #[staticmethod]
    #[pyo3(signature = (id, *, count=1, any_owner=false))]
    fn open_id(py: Python<'_>, id: i32, count: usize, any_owner: bool) -> PyResult<SysvSemaphores> {
        made(py, Some(0.0), at_least(count, any_owner), |options| sync::SysvSemaphores::open_id(id, options))
    }

    /// Removes the set of a key. Errors: FileNotFoundError; PermissionError. Source: semctl(2).
    #[staticmethod]
    fn remove_key(py: Python<'_>, key: i32) -> PyResult<()> {
        sync::SysvSemaphores::remove_key(key).raise(py)
    }

    /// Removes the set: who waits in it gets OSError with EIDRM.
    /// Errors: OSError with EIDRM if it is gone already; PermissionError.
    fn remove(&self, py: Python<'_>) -> PyResult<()> {
        self.handle.with(py, |set| set.remove())
    }

    /// Takes a unit. undo: when the process ends, the kernel gives it back.
    /// Errors: BlockingIOError, TimeoutError; else as operate.
    #[pyo3(signature = (semaphore=0, *, undo=false, timeout=None))]
    fn wait(&self, py: Python<'_>, semaphore: usize, undo: bool, timeout: Option<f64>) -> PyResult<()> {
        self.operate_all(py, timeout, &[sync::SysvOperation { semaphore, change: -1, undo, at_once: false }])
    }

    /// Takes a unit if one is free; whether it did. Errors as operate.
    #[pyo3(signature = (semaphore=0, *, undo=false))]
    fn try_wait(&self, py: Python<'_>, semaphore: usize, undo: bool) -> PyResult<bool> {
        tried(py, self.handle.share()?.operate(&[sync::SysvOperation { semaphore, change: -1, undo, at_once: false }], Wait::NEVER))
    }

    /// Gives a unit back, with undo if it was taken so.
    /// Errors: OSError with ERANGE beyond 32767; else as operate.
    #[pyo3(signature = (semaphore=0, *, undo=false))]
    fn post(&self, py: Python<'_>, semaphore: usize, undo: bool) -> PyResult<()> {
        self.operate_all(py, Some(0.0), &[sync::SysvOperation { semaphore, change: 1, undo, at_once: false }])
    }

    /// Waits until a semaphore has no unit. Errors: BlockingIOError, TimeoutError; else as operate.
    #[pyo3(signature = (semaphore=0, *, timeout=None))]
    fn wait_zero(&self, py: Python<'_>, semaphore: usize, timeout: Option<f64>) -> PyResult<()> {
        self.operate_all(py, timeout, &[sync::SysvOperation { semaphore, change: 0, undo: false, at_once: false }])
    }

    /// Does all the operations in one step, in their order, or none: as soon as all of them can be
    /// done.
    ///
    /// Errors: BlockingIOError, TimeoutError while they cannot; OSError with EFBIG for a semaphore
    /// that the set does not have, with ERANGE for a value above 32767, with E2BIG for too many
    /// operations, EINVAL for none, with EIDRM when the set is removed; PermissionError.
    /// Source: semop(2).
    #[pyo3(signature = (operations, *, timeout=None))]
    fn operate(&self, py: Python<'_>, operations: Vec<Py<SysvOperation>>, timeout: Option<f64>) -> PyResult<()> {
        let operations: Vec<_> = operations.iter().map(|operation| operation.get().core()).collect();
        self.operate_all(py, timeout, &operations)
    }

    /// How many units of a semaphore are free at this moment.
    /// Errors: OSError with EFBIG, EIDRM; PermissionError.
    #[pyo3(signature = (semaphore=0))]
    fn value(&self, py: Python<'_>, semaphore: usize) -> PyResult<u32> {
        self.handle.with(py, |set| set.value(semaphore))
    }

    /// Sets how many units a semaphore has, whoever holds some, and makes the kernel forget what
    /// was to be undone to it.
    /// Errors: OSError with ERANGE above 32767, with EFBIG, EIDRM; PermissionError.
    fn set_value(&self, py: Python<'_>, semaphore: usize, value: u32) -> PyResult<()> {
        self.handle.with(py, |set| set.set_value(semaphore, value))
    }

    /// How many units each semaphore has at this moment, all at once.
    /// Errors: OSError with EIDRM; PermissionError.
    fn values(&self, py: Python<'_>) -> PyResult<Vec<u32>> {
        self.handle.with(py, |set| set.values())
    }

    /// Sets how many units each semaphore has, all at once.
    /// Errors as set_value; OSError with EINVAL for another number of values.
    fn set_values(&self, py: Python<'_>, values: Vec<u32>) -> PyResult<()> {
        self.handle.with(py, |set| set.set_values(&values))
    }

    /// How many wait for units of a semaphore at this moment. Errors as value.
    #[pyo3(signature = (semaphore=0))]
    fn waiters(&self, py: Python<'_>, semaphore: usize) -> PyResult<u32> {
        self.handle.with(py, |set| set.waiters(semaphore))
    }

    /// How many wait until a semaphore has no unit, at this moment. Errors as value.
    #[pyo3(signature = (semaphore=0))]
    fn waiters_for_zero(&self, py: Python<'_>, semaphore: usize) -> PyResult<u32> {
        self.handle.with(py, |set| set.waiters_for_zero(semaphore))
    }

    /// The process that operated on a semaphore last, or set it; 0 for none. Errors as value.
    #[pyo3(signature = (semaphore=0))]
    fn last_process(&self, py: Python<'_>, semaphore: usize) -> PyResult<i32> {
        self.handle.with(py, |set| set.last_process(semaphore))
    }

    /// What the set is like now.
    /// Errors: PermissionError without the right to read; OSError with EIDRM.
    fn status(&self, py: Python<'_>) -> PyResult<SysvSemaphoresStatus> {
        let found = self.handle.with(py, |set| set.status())?;
        Ok(SysvSemaphoresStatus {
            id: found.id,
            key: found.key,
            count: found.count,
            operated_at: found.operated_at,
            changed_at: found.changed_at,
            mode: found.mode,
            uid: found.uid,
            gid: found.gid,
            creator_uid: found.creator_uid,
            creator_gid: found.creator_gid,
        })
    }

    /// Changes the permissions, of which "execute" means nothing; 0 is 0o600.
    /// Errors: PermissionError; OSError with EINVAL, EIDRM.
    fn set_mode(&self, py: Python<'_>, mode: u32) -> PyResult<()> {
        self.handle.with(py, |set| set.set_mode(mode))
    }

    /// Changes owner, group or both; None leaves it. Whoever made the set keeps an owner's rights.
    /// Errors: PermissionError; OSError with EIDRM.
    #[pyo3(signature = (uid=None, gid=None))]
    fn set_owner(&self, py: Python<'_>, uid: Option<u32>, gid: Option<u32>) -> PyResult<()> {
        self.handle.with(py, |set| set.set_owner(uid, gid))
    }

    /// Closes the handle; again is fine. Who waits in it wakes with ValueError. What the process
    /// has to undo stays to be undone.
    fn close(&self) {
        self.handle.close();
    }

    /// Whether the handle is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.handle.is_closed()
    }

    fn __len__(&self) -> usize {
        self.count
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
        reduce(slf.as_any(), "reduce_sysv_semaphores")
    }

    fn __repr__(&self) -> String {
        format!("<unipc.SysvSemaphores id={} count={}{}>", self.id, self.count, if self.handle.is_closed() { " closed" } else { "" })
    }
}
