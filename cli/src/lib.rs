//! The command `unipc`: shows and tries the ways that processes talk to each other.

mod demo;
mod mechanisms;
mod signals;

use std::ffi::{OsStr, OsString};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;

use clap::{Parser, Subcommand};

/// Every way that processes on a machine talk to each other: shown, and tried for real.
#[derive(Debug, Parser)]
#[command(name = "unipc", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run each mechanism between two processes: what was sent, what arrived, and how long a round trip takes
    Demo(demo::Arguments),
    /// What each mechanism is like, and whether this machine has it
    Mechanisms(mechanisms::Arguments),
    /// The signals of this system: number, name, what they do by default, and what programs do with them
    Signals(signals::Arguments),
    /// The other process of a demonstration
    #[command(name = "__peer", hide = true)]
    Peer(demo::PeerArguments),
}

/// Runs the command with the arguments of this process.
pub fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os(), vec!["/proc/self/exe".into()]))
}

/// Runs the command with these arguments, the first of which is the program's name, and gives its exit status. `itself` is what starts the command
/// from the beginning: a program, and what stands before the arguments.
pub fn run(arguments: impl IntoIterator<Item = OsString>, itself: Vec<OsString>) -> u8 {
    // The first call counts; a process is one program.
    let _ = ITSELF.set(itself);
    match Arguments::try_parse_from(arguments).map(|arguments| arguments.verb) {
        Ok(Verb::Demo(arguments)) => demo::run(&arguments),
        Ok(Verb::Mechanisms(arguments)) => mechanisms::run(&arguments),
        Ok(Verb::Signals(arguments)) => signals::run(&arguments),
        Ok(Verb::Peer(arguments)) => demo::run_peer(&arguments),
        // Help and version come this way, too.
        Err(message) => {
            let _ = message.print();
            message.exit_code() as u8
        }
    }
}

static ITSELF: OnceLock<Vec<OsString>> = OnceLock::new();

/// This very command, for its other process.
fn itself() -> Command {
    let words = ITSELF.get().map_or(&[][..], Vec::as_slice);
    let (program, rest) =
        words.split_first().map_or((OsStr::new("/proc/self/exe"), &[][..]), |(program, rest)| (program.as_os_str(), rest));
    let mut command = Command::new(program);
    command.args(rest);
    command
}

/// Prints a line. A reader that has gone, as of `unipc mechanisms | head`, is no failure of ours.
fn print(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
