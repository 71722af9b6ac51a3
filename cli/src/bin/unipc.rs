//! The command `unipc`.

use std::process::ExitCode;

fn main() -> ExitCode {
    unipc_cli::main()
}
