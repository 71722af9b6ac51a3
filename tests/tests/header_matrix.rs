//! The headers compile alone, in every language that they promise, without a warning; so does every initialiser.

use std::process::Command;

use unipc_tests::{TemporaryDirectory, WARNINGS, has, root, run};

const C: [&str; 4] = ["c99", "c11", "c17", "c2x"];
const CPP: [&str; 4] = ["c++11", "c++14", "c++17", "c++20"];

fn compilers<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let found: Vec<&str> = names.iter().copied().filter(|name| has(name)).collect();
    assert!(!found.is_empty(), "none of {names:?} is there");
    found
}

/// A program that includes the header twice and uses every initialiser.
fn program() -> String {
    let header = std::fs::read_to_string(root().join("include/unipc.h")).expect("the header is readable");
    let macros = header.lines().filter_map(|line| line.strip_prefix("#define ")?.split_once("_INIT {"));
    let uses: String = macros
        .map(|(name, _)| format!("  {{ {0} options = {1}_INIT; {0}_init(&options); (void)options; }}\n", name.to_lowercase(), name))
        .collect();
    assert!(uses.contains("unipc_memory_options"), "{uses}");
    format!("#include <unipc.h>\n#include <unipc.h>\nint main(void) {{\n{uses}  return UNIPC_FOREVER == UNIPC_SECOND;\n}}\n")
}

fn compile(compiler: &str, standard: &str, language: &str, file: &std::path::Path, more: &[&str]) {
    run(Command::new(compiler)
        .arg(format!("-std={standard}"))
        .args(["-x", language, "-fsyntax-only"])
        .args(WARNINGS)
        .args(more)
        .arg("-I")
        .arg(root().join("include"))
        .arg(file));
}

#[test]
fn unipc_h_compiles_as_every_c_and_cpp() {
    let directory = TemporaryDirectory::new();
    let file = directory.path().join("program.c");
    std::fs::write(&file, program()).unwrap();
    for compiler in compilers(&["gcc", "clang"]) {
        C.iter().for_each(|standard| compile(compiler, standard, "c", &file, &["-Wstrict-prototypes"]));
    }
    for compiler in compilers(&["g++", "clang++"]) {
        CPP.iter().for_each(|standard| compile(compiler, standard, "c++", &file, &[]));
    }
}

#[test]
fn unipc_hpp_and_each_part_of_it_compile_with_and_without_exceptions() {
    let directory = TemporaryDirectory::new();
    let parts = std::fs::read_dir(root().join("include/unipc")).unwrap();
    let mut headers: Vec<String> = parts.map(|part| format!("unipc/{}", part.unwrap().file_name().display())).collect();
    headers.push("unipc.hpp".into());
    for header in headers {
        let file = directory.path().join("program.cpp");
        std::fs::write(&file, format!("#include <{header}>\n#include <{header}>\nint main() {{ return 0; }}\n")).unwrap();
        for compiler in compilers(&["g++", "clang++"]) {
            for standard in ["c++17", "c++20"] {
                compile(compiler, standard, "c++", &file, &[]);
                compile(compiler, standard, "c++", &file, &["-fno-exceptions"]);
            }
        }
    }
}
