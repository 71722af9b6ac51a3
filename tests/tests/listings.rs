//! Every row of `examples-c/listings.tsv`: its programs compile without a warning and do what the row says, with either library; their Python
//! twins do the same, also each with the other half of a pair in C or C++.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use unipc_tests::{Leaks, TemporaryDirectory, libraries, python, root, run};

/// A row of the manifest.
struct Row {
    programs: String,
    expected: String,
    twin: String,
}

fn rows() -> Vec<Row> {
    let manifest = std::fs::read_to_string(root().join("examples-c/listings.tsv")).expect("the manifest is readable");
    let rows = manifest.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(row).collect::<Vec<_>>();
    assert!(!rows.is_empty());
    rows
}

fn row(line: &str) -> Row {
    let fields = line.split('\t').collect::<Vec<_>>();
    let [_, programs, expected, twin] = fields[..] else { panic!("not four columns: {line}") };
    assert!([programs, expected, twin].iter().all(|field| !field.is_empty()), "an empty column: {line}");
    Row { programs: programs.to_owned(), expected: expected.to_owned(), twin: twin.to_owned() }
}

/// The objects of one form are linked for the other, too.
fn build(place: &Path, form: &str, objects: &Path) {
    let build = root().join("examples-c/build.sh");
    run(Command::new(build).env("OBJECTS", objects).arg(place).arg(form).arg(root().join("include")).arg(&libraries().directory));
}

/// Runs what the arguments choose, which must be so many runs.
fn run_all(count: usize, arguments: &[&Path]) {
    let text = run(Command::new(root().join("examples-c/run.sh")).args(arguments));
    assert!(text.contains(&format!("\n{count} passed, 0 failed")), "{count} runs: {text}");
}

#[test]
fn every_row_holds_with_the_shared_and_the_static_library_and_every_pair_with_either_half_in_python() {
    let _leaks = Leaks::watch();
    let objects = TemporaryDirectory::new();
    for form in ["shared", "static"] {
        let place = TemporaryDirectory::new();
        build(place.path(), form, objects.path());
        run_all(rows().len(), &[place.path()]);
        if form == "shared" {
            let pairs = rows().iter().filter(|row| row.programs.contains(',')).count();
            assert!(pairs > 0);
            run_all(2 * pairs, &[Path::new("--mixed"), &python(), place.path()]);
        }
    }
}

#[test]
fn every_python_twin_prints_the_same() {
    let _leaks = Leaks::watch();
    let expected = rows().into_iter().map(|row| row.expected).collect::<BTreeSet<_>>();
    run_all(expected.len(), &[Path::new("--python"), &python()]);
}

#[test]
fn every_python_program_is_somebodys_twin() {
    let rows = rows();
    let twins = rows.iter().flat_map(|row| row.twin.split(',')).map(PathBuf::from).collect::<BTreeSet<_>>();
    let mut programs = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("python/examples")).expect("the directory is readable") {
        let name = PathBuf::from(entry.expect("the directory is readable").file_name());
        if name.extension().is_some_and(|extension| extension == "py") && name != Path::new("example.py") {
            programs.insert(name);
        }
    }
    assert_eq!(programs, twins);
}
