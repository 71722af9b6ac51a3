//! The programs of the README are whole, compile, and do what it says.

use std::path::Path;
use std::process::Command;

use unipc_tests::{Leaks, TemporaryDirectory, WARNINGS, libraries, python, root, run, static_libraries};

/// A program of the README with the counter renamed, compiled; it stands where it is compiled.
fn compile(place: &Path, language: &str, which: u32, counter: &str) -> Command {
    let text = run(Command::new(root().join("scripts/readme-program")).args([language, &which.to_string()]));
    assert!(text.contains("main"), "the README has no program {which} in {language}");
    let source = place.join(format!("readme-{which}.{language}"));
    std::fs::write(&source, text.replace("\"counter\"", &format!("\"{counter}\""))).unwrap();
    if language == "python" {
        let mut command = Command::new(python());
        command.arg(source);
        return command;
    }
    let (compiler, standard) = if language == "c" { ("cc", "-std=c11") } else { ("c++", "-std=c++17") };
    let program = place.join(format!("readme-{which}-{language}"));
    run(Command::new(compiler)
        .arg(standard)
        .args(WARNINGS)
        .arg("-I")
        .arg(root().join("include"))
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .arg(&libraries().archive)
        .args(static_libraries()));
    Command::new(program)
}

#[test]
fn the_counter_counts_on_from_one_language_to_the_other() {
    let _leaks = Leaks::watch();
    let place = TemporaryDirectory::new();
    let counter = format!("unipc-readme-{}", std::process::id());
    let mut c = compile(place.path(), "c", 1, &counter);
    let mut cpp = compile(place.path(), "cpp", 1, &counter);
    let mut python = compile(place.path(), "python", 1, &counter);
    let printed = [run(&mut c), run(&mut cpp), run(&mut python), run(&mut c)];
    std::fs::remove_file(Path::new("/dev/shm").join(counter)).unwrap();
    assert_eq!(printed, ["1\n", "2\n", "3\n", "4\n"]);
}

#[test]
fn the_server_is_heard() {
    let _leaks = Leaks::watch();
    let place = TemporaryDirectory::new();
    for language in ["c", "python"] {
        assert_eq!(run(&mut compile(place.path(), language, 2, "")), "hello\n", "{language}");
    }
}
