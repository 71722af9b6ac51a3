//! Every row of `examples-c/listings.tsv`: its programs compile without a warning and do what the row says, with either library.

use std::process::Command;

use unipc_tests::{Leaks, TemporaryDirectory, libraries, root, run};

fn run_all(form: &str) {
    let place = TemporaryDirectory::new();
    let examples = root().join("examples-c");
    run(Command::new(examples.join("build.sh")).arg(place.path()).arg(form).arg(root().join("include")).arg(&libraries().directory));
    let text = run(Command::new(examples.join("run.sh")).arg(place.path()));
    let manifest = std::fs::read_to_string(examples.join("listings.tsv")).expect("the manifest is readable");
    let rows = manifest.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
    assert!(rows > 0 && text.contains(&format!("{rows} passed, 0 failed")), "{rows} rows: {text}");
}

#[test]
fn every_row_holds_with_the_shared_and_the_static_library() {
    libraries();
    let _leaks = Leaks::watch();
    run_all("shared");
    run_all("static");
}
