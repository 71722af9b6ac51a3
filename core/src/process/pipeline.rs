//! Pipelines: what one program writes the next one reads, as `first | second | third` in a shell.
//!
//! Each end of each pipe is in one process alone: else a stage that has read everything waits for an end that never comes, or one that nobody reads any more is
//! never told. A stage whose program cannot be started counts as one that ended with 127 (not found) or 126 (not executable), as in a shell: its neighbours
//! meet the end of its pipes, and the others go on.

use nix::errno::Errno;

use super::spawn::Command;
use crate::error::{Error, Result};
use crate::event::{ExitStatus, ProcessExit};
use crate::stream::{PipeReader, pipe};
use crate::wait::{Deadline, Wait};

/// A stage that was started, or what became of it instead.
#[derive(Debug)]
enum Stage {
    Started(ProcessExit),
    Refused(Error),
}

/// Programs that run at the same time, each reading what the one before it writes.
///
/// It costs one descriptor for each stage. Dropping it does nothing to the programs.
#[derive(Debug)]
pub struct Pipeline {
    stages: Vec<Stage>,
}

impl Pipeline {
    /// Starts the commands, with pipes between them: the descriptor 1 of each and 0 of the next are set here. 0 of the first and 1 of the last are what
    /// the commands say.
    ///
    /// Errors: `EINVAL` for none; what [`Command::spawn`] says, except for a program that does not exist or may not be executed, which is the status of its
    /// stage. The stages that had been started then are killed.
    pub fn spawn(commands: &[Command<'_>]) -> Result<Pipeline> {
        if commands.is_empty() {
            return Err(Error::os("start pipeline", Errno::EINVAL).hint("no command is given"));
        }
        let mut pipeline = Pipeline { stages: Vec::with_capacity(commands.len()) };
        let mut from_before: Option<PipeReader> = None;
        for (number, command) in commands.iter().enumerate() {
            let is_last = number + 1 == commands.len();
            let next = if is_last { Ok(None) } else { pipe().map(Some) };
            let started = next.and_then(|ends| {
                let mut command = command.clone();
                let (reader, writer) = ends.map_or((None, None), |(reader, writer)| (Some(reader), Some(writer)));
                if let Some(before) = &from_before {
                    command = command.descriptor(0, before);
                }
                if let Some(writer) = &writer {
                    command = command.descriptor(1, writer);
                }
                let stage = match command.try_spawn() {
                    Ok(process) => Stage::Started(process),
                    Err(refusal) if refusal.is_of_program && is_status(&refusal.error) => Stage::Refused(refusal.error),
                    Err(refusal) => return Err(refusal.error),
                };
                Ok((stage, reader))
            });
            match started {
                Ok((stage, reader)) => {
                    pipeline.stages.push(stage);
                    // Our copies of both ends go, the writing one with the closure, so that only the stages hold them.
                    from_before = reader;
                }
                Err(error) => {
                    drop(from_before);
                    pipeline.kill();
                    return Err(error);
                }
            }
        }
        Ok(pipeline)
    }

    /// Waits until every stage has ended, and gives how each has, in order. Asking again gives the same answer.
    ///
    /// Errors: `EAGAIN`, `ETIMEDOUT`, `ECANCELED` (see [`Wait`]).
    pub fn wait<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<Vec<ExitStatus>> {
        let mut deadline = Deadline::new("wait for pipeline", wait);
        let mut statuses = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            statuses.push(match stage {
                Stage::Refused(error) => ExitStatus::Exited(status_of(error)),
                Stage::Started(process) => process.wait_within(&mut deadline)?,
            });
        }
        Ok(statuses)
    }

    /// Sends a signal to every stage that still runs. One that it cannot be sent to (`EPERM`: it has become another user) holds up nothing: the others get it,
    /// and the first error is told.
    pub fn send_signal(&self, signal: i32) -> Result<()> {
        let mut outcome = Ok(());
        for process in self.processes() {
            match process.send_signal(signal) {
                Err(error) if !error.is(Errno::ESRCH) => outcome = outcome.and(Err(error)),
                _ => {}
            }
        }
        outcome
    }

    fn processes(&self) -> impl Iterator<Item = &ProcessExit> {
        self.stages.iter().filter_map(|stage| if let Stage::Started(process) = stage { Some(process) } else { None })
    }

    /// The process numbers of the stages; 0 for one that could not be started.
    pub fn pids(&self) -> Vec<i32> {
        let pid = |stage: &Stage| if let Stage::Started(process) = stage { process.pid() } else { 0 };
        self.stages.iter().map(pid).collect()
    }

    /// Why a stage could not be started; `None` if it was.
    pub fn error(&self, stage: usize) -> Option<&Error> {
        match self.stages.get(stage)? {
            Stage::Refused(error) => Some(error),
            Stage::Started(_) => None,
        }
    }

    /// Waits for those that the signal has reached. The others are waited for when they have ended.
    fn kill(&self) {
        let is_dying = |process: &&ProcessExit| process.send_signal(libc::SIGKILL).map_or_else(|error| error.is(Errno::ESRCH), |()| true);
        let dying: Vec<&ProcessExit> = self.processes().filter(is_dying).collect();
        for process in dying {
            let _ = process.wait(None);
        }
    }
}

/// Whether a shell would give this failure as a status.
fn is_status(error: &Error) -> bool {
    matches!(
        error.errno(),
        Some(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES | Errno::ENOEXEC | Errno::EISDIR | Errno::ELOOP | Errno::ENAMETOOLONG)
    )
}

fn status_of(error: &Error) -> i32 {
    match error.errno() {
        Some(Errno::ENOENT | Errno::ENOTDIR) => 127,
        _ => 126,
    }
}
