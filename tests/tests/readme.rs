//! The programs that the README shows are compiled and run as they stand there. Its Rust is a doctest of the core crate.

use std::path::Path;
use std::process::Command;

use unipc_tests::{Leaks, TemporaryDirectory, WARNINGS, libraries, root, run};

/// The fenced blocks of a language, with the one name that they share made this test's own.
fn blocks(language: &str, name: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README is readable");
    let fence = format!("```{language}\n");
    let blocks = readme.split(&fence).skip(1).filter_map(|rest| rest.split("\n```").next());
    blocks.map(|block| format!("{block}\n").replace("\"counter\"", &format!("\"{name}\""))).collect()
}

fn compile(compiler: &str, standard: &str, source: &Path) -> std::path::PathBuf {
    let program = source.with_extension("");
    run(Command::new(compiler)
        .arg(standard)
        .args(WARNINGS)
        .arg("-I")
        .arg(root().join("include"))
        .arg(source)
        .arg(&libraries().archive)
        .args(unipc_tests::static_libraries())
        .arg("-o")
        .arg(&program));
    program
}

#[test]
fn the_programs_of_the_readme_compile_and_count_on_together() {
    libraries();
    let _leaks = Leaks::watch();
    let directory = TemporaryDirectory::new();
    let name = format!("unipc-readme-{}", std::process::id());
    let c = blocks("c", &name);
    let cpp = blocks("cpp", &name);
    assert_eq!((c.len(), cpp.len()), (2, 1), "the README shows two programs in C and one in C++");
    let write = |file: &str, text: &str| {
        let path = directory.path().join(file);
        std::fs::write(&path, text).expect("the temporary directory is writable");
        path
    };
    let in_c = compile("cc", "-std=c11", &write("counter.c", &c[0]));
    let in_cpp = compile("c++", "-std=c++17", &write("counter_cpp.cpp", &cpp[0]));
    let server = compile("cc", "-std=c11", &write("server.c", &c[1]));
    let counted: String = [&in_c, &in_cpp, &in_c].into_iter().map(|program| run(&mut Command::new(program))).collect();
    std::fs::remove_file(format!("/dev/shm/{name}")).expect("the programs share a memory of that name");
    assert_eq!(counted, "1\n2\n3\n");
    assert_eq!(run(&mut Command::new(server)), "hello\n");
}
