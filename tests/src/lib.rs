//! What the tests of the whole share: where things are, building and running, directories that go away, and the fixture that finds what a
//! test has left behind.

mod leaks;
mod python;

/// The Rust programs of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

pub use leaks::Leaks;
pub use python::python;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Warnings that every C and C++ program here is compiled with.
pub const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// The root of the source tree.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the tree").to_owned()
}

/// Where the built libraries lie.
#[derive(Debug)]
pub struct Libraries {
    /// The directory of both.
    pub directory: PathBuf,
    /// libunipc.so
    pub shared: PathBuf,
    /// libunipc.a
    pub archive: PathBuf,
}

/// Builds the libraries and the command as they are installed, once per test program.
pub fn libraries() -> &'static Libraries {
    static LIBRARIES: OnceLock<Libraries> = OnceLock::new();
    LIBRARIES.get_or_init(|| {
        run(Command::new(env!("CARGO"))
            .args(["build", "--release", "--quiet", "--package", "unipc-capi", "--package", "unipc-cli"])
            .current_dir(root()));
        let directory = target().join("release");
        Libraries { shared: directory.join("libunipc.so"), archive: directory.join("libunipc.a"), directory }
    })
}

/// Cargo's directory for what it builds.
pub fn target() -> PathBuf {
    if let Some(directory) = std::env::var_os("CARGO_TARGET_DIR") {
        return root().join(directory);
    }
    root().join("target")
}

/// The system libraries that a program with libunipc.a needs, as the compiler names them.
pub fn static_libraries() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("scripts/static-libraries")).expect("scripts/static-libraries is readable");
    text.split_whitespace().map(str::to_owned).collect()
}

/// Runs a command that must succeed, and gives what it printed.
///
/// # Panics
/// With all its output if it fails.
pub fn run(command: &mut Command) -> String {
    let output = output(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("the output is UTF-8")
}

/// Runs a command to its end, whatever that is.
///
/// # Panics
/// If it cannot be started.
pub fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"))
}

/// Whether a program can be found.
pub fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// A directory that is removed with everything in it.
#[derive(Debug)]
pub struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    /// A new, empty one.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn new() -> TemporaryDirectory {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("unipc-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        TemporaryDirectory(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for TemporaryDirectory {
    fn default() -> Self {
        TemporaryDirectory::new()
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
