//! Processes: their end, children, pipelines.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyMapping, PyMappingMethods, PyString};
use unipc::event::{self, ProcessExit, signal::Target};
use unipc::process::{self, Command};

use crate::error::{Raise, invalid};
use crate::handle::{Handle, describe, fileno, reduce};
use crate::signal::send;
use crate::stream::adopt;

/// How a process has ended.
#[pyclass(frozen, eq, hash, module = "unipc")]
#[derive(PartialEq, Hash)]
pub(crate) struct ExitStatus {
    /// What it exited with, or None.
    #[pyo3(get)]
    code: Option<i32>,
    /// The signal that ended it, or None.
    #[pyo3(get)]
    signal: Option<i32>,
    /// Whether it left a core dump.
    #[pyo3(get)]
    dumped_core: bool,
    /// As a shell has it in $?: the code, or 128 and the signal; None: it was no child of ours, and
    /// the kernel does not tell.
    #[pyo3(get)]
    shell_status: Option<i32>,
    text: String,
}

impl From<event::ExitStatus> for ExitStatus {
    fn from(status: event::ExitStatus) -> ExitStatus {
        let (code, signal, dumped_core) = match status {
            event::ExitStatus::Exited(code) => (Some(code), None, false),
            event::ExitStatus::Killed { signal, dumped_core } => (None, Some(signal), dumped_core),
            _ => (None, None, false),
        };
        ExitStatus { code, signal, dumped_core, shell_status: status.shell_status(), text: status.to_string() }
    }
}

#[pymethods]
impl ExitStatus {
    fn __repr__(&self) -> String {
        format!("<unipc.ExitStatus {}>", self.text)
    }
}

/// A descriptor that a child gets: a number, an object with fileno(), or None for /dev/null.
fn descriptor(object: &Bound<'_, PyAny>) -> PyResult<Option<i32>> {
    if object.is_none() {
        return Ok(None);
    }
    let number: i32 = if object.is_instance_of::<PyInt>() {
        object.extract()?
    } else if object.hasattr("fileno")? {
        object.call_method0("fileno")?.extract()?
    } else {
        return Err(PyTypeError::new_err("a descriptor is a number, an object with fileno(), or None"));
    };
    if number < 0 { Err(invalid("a descriptor is not negative")) } else { Ok(Some(number)) }
}

/// The variables of a mapping.
fn variables(mapping: &Bound<'_, PyMapping>) -> PyResult<HashMap<OsString, OsString>> {
    let variables = mapping.items()?.iter().map(|item| item.extract()).collect::<PyResult<HashMap<OsString, OsString>>>()?;
    match variables.keys().find(|name| name.is_empty() || name.as_bytes().contains(&b'=')) {
        Some(name) => Err(invalid(format!("{name:?} cannot be the name of a variable"))),
        None => Ok(variables),
    }
}

/// # Safety
/// The descriptors stay open as long as the command.
unsafe fn with_descriptor<'a>(command: Command<'a>, child: i32, descriptor: Option<i32>) -> Command<'a> {
    match descriptor {
        None => command.null(child),
        // SAFETY: not negative, and the caller's promise.
        Some(number) => command.borrowed_descriptor(child, unsafe { BorrowedFd::borrow_raw(number) }),
    }
}

/// The words of a command. A whole line is none: no shell takes it apart.
struct Words(Vec<PathBuf>);

impl<'py> FromPyObject<'_, 'py> for Words {
    type Error = PyErr;

    fn extract(object: pyo3::Borrowed<'_, 'py, PyAny>) -> PyResult<Words> {
        if object.is_instance_of::<PyString>() {
            return Err(PyTypeError::new_err(format!("a command is a list of words, like [\"ls\", \"-l\"], not {}", object.repr()?)));
        }
        object.extract().map(Words)
    }
}

fn command<'a>(
    arguments: &[PathBuf],
    program: Option<&PathBuf>,
    environment: Option<&HashMap<OsString, OsString>>,
    directory: Option<&PathBuf>,
) -> PyResult<Command<'a>> {
    let Some(first) = arguments.first() else { return Err(invalid("a command has at least one argument, its name")) };
    let mut command = Command::new(program.unwrap_or(first)).argument_zero(first).arguments(&arguments[1..]);
    if let Some(environment) = environment {
        command = command.environment(environment);
    }
    Ok(match directory {
        Some(directory) => command.directory(directory),
        None => command,
    })
}

/// A process whose end can be waited for, whatever becomes of its number.
///
/// It costs one descriptor, a pidfd, and travels to multiprocessing children, which are told
/// that the process has ended and not how. `with` closes the object and does nothing to the
/// process; a child that was not waited for is waited for when this module starts or closes
/// another.
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Process {
    handle: Handle<ProcessExit>,
    #[pyo3(get)]
    /// The number that the process had when this was made.
    pid: i32,
}

impl Process {
    fn of(process: ProcessExit) -> Process {
        let pid = process.pid();
        Process { handle: Handle::new("process", process), pid }
    }
}

#[pymethods]
impl Process {
    /// The process that has this number now.
    /// Errors: ProcessLookupError; OSError with EINVAL; Unavailable before Linux 5.3.
    /// Source: pidfd_open(2).
    #[staticmethod]
    fn open(py: Python<'_>, pid: i32) -> PyResult<Process> {
        ProcessExit::open(pid).raise(py).map(Process::of)
    }

    /// Takes over a pidfd from elsewhere. In failure it stays the caller's.
    /// Errors: WrongKind; OSError with EBADF.
    #[staticmethod]
    fn from_fd(py: Python<'_>, fd: i32) -> PyResult<Process> {
        adopt(py, fd, ProcessExit::adopt).map(Process::of)
    }

    /// Starts a child. It has the descriptors that are named in fds, and 0, 1 and 2; every other
    /// one is closed in it, no signal is blocked, and SIGPIPE ends it.
    ///
    /// arguments: its name for itself and the others. program: a path or a name to be found in
    /// PATH, if not the first argument. environment: all variables, instead of this process's;
    /// ValueError for a name that is empty or has an equals sign. fds: from its number in the child
    /// to a descriptor, an object with fileno(), or None for /dev/null. new_group: it leads a
    /// process group.
    /// Errors: FileNotFoundError, PermissionError; BlockingIOError at the limit of processes.
    /// Source: execve(2).
    #[staticmethod]
    #[pyo3(signature = (arguments, *, program=None, environment=None, directory=None, fds=None, new_group=false))]
    fn spawn(
        py: Python<'_>,
        arguments: Words,
        program: Option<PathBuf>,
        environment: Option<&Bound<'_, PyMapping>>,
        directory: Option<PathBuf>,
        fds: Option<&Bound<'_, PyMapping>>,
        new_group: bool,
    ) -> PyResult<Process> {
        let environment = environment.map(variables).transpose()?;
        let mut command = command(&arguments.0, program.as_ref(), environment.as_ref(), directory.as_ref())?;
        let fds = fds.map(PyMappingMethods::items).transpose()?;
        for item in fds.iter().flatten() {
            let (child, object): (i32, Bound<'_, PyAny>) = item.extract()?;
            // SAFETY: the mapping keeps the objects until the end of this call; who closes a descriptor that it names gets an error, or another file.
            command = unsafe { with_descriptor(command, child, descriptor(&object)?) };
        }
        if new_group {
            command = command.new_group();
        }
        py.detach(|| command.spawn()).raise(py).map(Process::of)
    }

    /// Waits for the end of the process and gives how it has ended. A child is thereby waited for;
    /// asking again gives the same answer.
    /// Errors: BlockingIOError, TimeoutError. Source: waitid(2).
    #[pyo3(signature = (*, timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<ExitStatus> {
        self.handle.wait(py, timeout, |process, wait| process.wait(wait)).map(ExitStatus::from)
    }

    /// Sends a signal, with a value if one is given, to this process and to no other.
    /// Errors: ProcessLookupError once it was waited for; PermissionError; OSError with EINVAL.
    /// Source: pidfd_send_signal(2).
    #[pyo3(signature = (signal, *, value=None))]
    fn send_signal(&self, py: Python<'_>, signal: i32, value: Option<i32>) -> PyResult<()> {
        send(Target::Pidfd(self.handle.share()?.as_fd()), signal, value).raise(py)
    }

    /// The pidfd, which stays the object's: readable when the process has ended.
    fn fileno(&self) -> PyResult<i32> {
        fileno(&self.handle)
    }

    /// Gives the pidfd away; this object is closed.
    /// Errors: ValueError while another thread uses it.
    fn into_fd(&self) -> PyResult<i32> {
        Ok(OwnedFd::from(self.handle.take()?).into_raw_fd())
    }

    /// Closes the object; again is fine. Who waits wakes with ValueError.
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
        reduce(slf.as_any(), "reduce_descriptor")
    }

    fn __repr__(&self) -> String {
        format!("<unipc.Process pid={} {}>", self.pid, describe(&self.handle))
    }
}

/// Programs that run at the same time, each reading what the one before it writes, as in a
/// shell.
///
/// A program that does not exist, or may not be executed, counts as a stage that ended with 127
/// or 126. It costs one descriptor for each stage. `with` closes the object and does nothing to
/// the programs.
#[pyclass(frozen, weakref, module = "unipc")]
pub(crate) struct Pipeline {
    handle: Handle<process::Pipeline>,
    #[pyo3(get)]
    /// The process numbers of the stages; 0 for one that could not be started.
    pids: Vec<i32>,
}

#[pymethods]
impl Pipeline {
    /// Starts commands, each a list of arguments, with pipes between them. stdin is the first
    /// one's, stdout the last one's, stderr everybody's: a descriptor or an object with fileno();
    /// None is this process's.
    /// Errors: ValueError for a command without arguments; OSError with EINVAL for no commands;
    /// else errors as Process.spawn.
    /// Source: pipe(2), execve(2).
    #[staticmethod]
    #[pyo3(signature = (commands, *, stdin=None, stdout=None, stderr=None, environment=None, directory=None))]
    fn spawn(
        py: Python<'_>,
        commands: Vec<Words>,
        stdin: Option<Bound<'_, PyAny>>,
        stdout: Option<Bound<'_, PyAny>>,
        stderr: Option<Bound<'_, PyAny>>,
        environment: Option<&Bound<'_, PyMapping>>,
        directory: Option<PathBuf>,
    ) -> PyResult<Pipeline> {
        let environment = environment.map(variables).transpose()?;
        let mut stages = Vec::with_capacity(commands.len());
        for (index, arguments) in commands.iter().enumerate() {
            let mut stage = command(&arguments.0, None, environment.as_ref(), directory.as_ref())?;
            let ends = [(0, stdin.as_ref(), index == 0), (1, stdout.as_ref(), index + 1 == commands.len()), (2, stderr.as_ref(), true)];
            for (number, object, is_its) in ends {
                if let (Some(object), true) = (object, is_its) {
                    // SAFETY: as in `Process::spawn`.
                    stage = unsafe { with_descriptor(stage, number, descriptor(object)?) };
                }
            }
            stages.push(stage);
        }
        let pipeline = py.detach(|| process::Pipeline::spawn(&stages)).raise(py)?;
        let pids = pipeline.pids();
        Ok(Pipeline { handle: Handle::new("pipeline", pipeline), pids })
    }

    /// Waits until every stage has ended, and gives how each has, in order. Asking again gives the
    /// same answer.
    /// Errors: BlockingIOError, TimeoutError.
    #[pyo3(signature = (*, timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Vec<ExitStatus>> {
        let statuses = self.handle.wait(py, timeout, |pipeline, wait| pipeline.wait(wait))?;
        Ok(statuses.into_iter().map(ExitStatus::from).collect())
    }

    /// Sends a signal to every stage that runs. Errors: PermissionError; OSError with EINVAL.
    fn send_signal(&self, py: Python<'_>, signal: i32) -> PyResult<()> {
        self.handle.share()?.send_signal(signal).raise(py)
    }

    /// Closes the object; again is fine. Who waits wakes with ValueError.
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
        format!("<unipc.Pipeline pids={:?}{}>", self.pids, if self.handle.is_closed() { " closed" } else { "" })
    }
}
