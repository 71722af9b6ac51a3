//! The interpreter that has the module `unipc`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::{root, run};

/// The interpreter of the environment that `scripts/python-environment` makes or brings up to date, once per test program.
///
/// # Panics
/// If the script fails.
pub fn python() -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON
        .get_or_init(|| {
            let text = run(&mut Command::new(root().join("scripts/python-environment")));
            let environment = text.lines().last().expect("the last line is the environment's path");
            Path::new(environment).join("bin/python")
        })
        .clone()
}
