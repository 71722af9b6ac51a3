//! The command `unipc`: shows and tries the ways that processes talk to each other.

mod demo;
mod mechanisms;

use std::process::ExitCode;

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
    /// The other process of a demonstration
    #[command(name = "__peer", hide = true)]
    Peer(demo::PeerArguments),
}

/// Runs the command with the arguments of this process.
pub fn main() -> ExitCode {
    match Arguments::parse().verb {
        Verb::Demo(arguments) => demo::run(&arguments),
        Verb::Mechanisms(arguments) => mechanisms::run(&arguments),
        Verb::Peer(arguments) => demo::run_peer(&arguments),
    }
}

/// Prints a line. A reader that has gone, as of `unipc mechanisms | head`, is no failure of ours.
fn print(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
