//! The command `unipc`: shows and tries the ways that processes talk to each other.

use std::process::ExitCode;

/// Runs the command with the arguments of this process.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
