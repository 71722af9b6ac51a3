//! Starts a worker, and ends it if it takes too long.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Runs a worker in a directory, and gives its samples in nanoseconds.
///
/// The worker is a process group of its own, so that its peer is killed with it. Its output ends when both have ended: a peer that hangs is
/// found like a worker that hangs. The group is killed before the worker is waited for, so its number cannot have been reused.
pub fn samples(command: &mut Command, directory: &Path, limit: Duration) -> Result<Vec<u64>, String> {
    command.current_dir(directory).process_group(0).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot be started: {error}"))?;
    let Some(mut output) = child.stdout.take() else { return Err("has no output".to_owned()) };
    let (sender, receiver) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let result = output.read_to_string(&mut text).map(|_| text);
        // Nobody listens any more if the time is over.
        let _ = sender.send(result);
    });
    let outcome = receiver.recv_timeout(limit);
    if outcome.is_err() {
        kill_group(&child);
    }
    let status = child.wait().map_err(|error| format!("cannot be waited for: {error}"))?;
    let _ = reader.join();
    let Ok(text) = outcome else { return Err(format!("was killed: it took longer than {limit:?}")) };
    if !status.success() {
        return Err(format!("failed: {status}"));
    }
    let text = text.map_err(|error| format!("cannot be read: {error}"))?;
    text.split_whitespace().map(|word| word.parse().map_err(|_| format!("printed {word:?}"))).collect()
}

fn kill_group(child: &Child) {
    if let Ok(group) = libc::pid_t::try_from(child.id()) {
        // SAFETY: our own child leads the group, and has not been waited for, so the number is still its own.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(text: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        command
    }

    #[test]
    fn samples_are_read() {
        assert_eq!(samples(&mut shell("echo 1 22 333"), Path::new("/"), Duration::from_secs(10)), Ok(vec![1, 22, 333]));
    }

    #[test]
    fn a_worker_that_hangs_is_killed_with_its_peer() {
        let directory = std::env::temp_dir();
        let file = directory.join(format!("unipc-bench-peer-{}", std::process::id()));
        let text = format!("sleep 100 & echo $! >{}; wait", file.display());
        let outcome = samples(&mut shell(&text), &directory, Duration::from_millis(500));
        assert!(outcome.is_err_and(|error| error.contains("was killed")));
        let peer = std::fs::read_to_string(&file).expect("the worker has written the number of its peer");
        let _ = std::fs::remove_file(&file);
        let state = std::fs::read_to_string(format!("/proc/{}/stat", peer.trim())).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z ") || state.contains(") X "), "{state}");
    }

    #[test]
    fn a_worker_that_fails_is_an_error() {
        for text in ["exit 3", "echo seven", "kill -9 $$"] {
            assert!(samples(&mut shell(text), Path::new("/"), Duration::from_secs(10)).is_err(), "{text}");
        }
    }
}
