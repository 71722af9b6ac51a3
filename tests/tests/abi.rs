//! The ABI compared with golden files: what the library exports, what it needs, and the layout of every public struct and constant.
//!
//! `UNIPC_BLESS=1` writes the files; read the difference before committing it, and `docs/abi.md` before that.

use std::fmt::Write as _;
use std::process::Command;

use unipc_tests::{TemporaryDirectory, WARNINGS, libraries, root, run};

fn compare(name: &str, found: &str) {
    let path = root().join("tests/golden").join(name);
    if std::env::var_os("UNIPC_BLESS").is_some() {
        std::fs::write(&path, found).expect("the golden file can be written");
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let gone: Vec<&str> = golden.lines().filter(|line| !found.lines().any(|other| other == *line)).collect();
    let new: Vec<&str> = found.lines().filter(|line| !golden.lines().any(|other| other == *line)).collect();
    assert!(golden == found, "{name} differs; gone: {gone:#?}; new: {new:#?}");
}

fn header() -> String {
    std::fs::read_to_string(root().join("include/unipc.h")).expect("the header is readable")
}

#[test]
fn the_shared_library_exports_what_it_should_and_nothing_else() {
    let table = run(Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(&libraries().shared));
    let mut symbols: Vec<&str> = table.lines().filter_map(|line| line.split_whitespace().next()).collect();
    symbols.sort_unstable();
    assert!(symbols.iter().all(|symbol| symbol.starts_with("unipc_")), "{symbols:?}");
    compare("symbols.txt", &(symbols.join("\n") + "\n"));
    let header = header();
    for symbol in symbols {
        assert!(header.contains(&format!("{symbol}(")), "{symbol} is not in the header");
    }
}

#[test]
fn the_shared_library_needs_nothing_newer_than_glibc_2_31() {
    let symbols = run(Command::new("readelf").args(["--dyn-syms", "--wide"]).arg(&libraries().shared));
    let mut seen = 0;
    for line in symbols.lines() {
        let Some((_, version)) = line.split_once("@GLIBC_") else { continue };
        let version = version.split_whitespace().next().unwrap_or_default();
        let number: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
        assert!(number.as_slice() <= [2, 31].as_slice(), "{line}");
        seen += 1;
    }
    assert!(seen > 20, "no versions to look at: {symbols}");
}

#[test]
fn the_shared_library_needs_the_c_library_alone_and_has_its_soname() {
    let dynamic = run(Command::new("readelf").args(["-d", "--wide"]).arg(&libraries().shared));
    assert!(dynamic.contains("Library soname: [libunipc.so.0]"), "{dynamic}");
    let needed = dynamic.lines().filter(|line| line.contains("(NEEDED)"));
    let names: Vec<&str> = needed.filter_map(|line| line.split(['[', ']']).nth(1)).collect();
    // All of them come with glibc, but libgcc_s, which unwinds. On glibc 2.34 and later the last three are empty.
    const KNOWN: [&str; 6] = ["libc.so", "libgcc_s.so", "ld-linux", "libpthread.so", "libdl.so", "librt.so"];
    for name in &names {
        assert!(KNOWN.iter().any(|known| name.starts_with(known)), "{name}");
    }
    assert!(names.contains(&"libc.so.6"), "{names:?}");
}

#[test]
fn the_static_library_has_the_same_functions() {
    let defined = |library: &std::path::Path, more: &[&str]| {
        let table = run(Command::new("nm").args(["--defined-only", "--extern-only", "--format=posix"]).args(more).arg(library));
        let names = table.lines().filter_map(|line| line.split_whitespace().next()).filter(|name| name.starts_with("unipc_"));
        names.map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(defined(&libraries().archive, &[]), defined(&libraries().shared, &["-D"]));
}

/// A C program that prints the layout of what the header declares.
fn layout_program(header: &str) -> String {
    let mut body = String::new();
    let mut lines = header.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("typedef struct ").and_then(|rest| rest.strip_suffix(" {")) {
            writeln!(body, "  printf(\"{name} size %zu alignment %zu\\n\", sizeof({name}), _Alignof({name}));").unwrap();
            for field in lines.by_ref().take_while(|line| !line.starts_with('}')).filter(|line| line.ends_with(';')) {
                let field = field.trim_end_matches(';').split('[').next().and_then(|declaration| declaration.rsplit([' ', '*']).next());
                let field = field.expect("a field has a name");
                let size = format!("sizeof((({name} *)0)->{field})");
                writeln!(body, "  printf(\"{name}.{field} offset %zu size %zu\\n\", offsetof({name}, {field}), {size});").unwrap();
            }
        }
        let constant = line.strip_prefix("#define UNIPC_").and_then(|rest| rest.split_once(' '));
        if let Some((name, value)) = constant.filter(|(_, value)| !value.starts_with('{')) {
            assert!(!value.is_empty());
            writeln!(body, "  printf(\"UNIPC_{name} %lld size %zu\\n\", (long long)UNIPC_{name}, sizeof(UNIPC_{name}));").unwrap();
        }
    }
    format!("#include <unipc.h>\n#include <stdio.h>\nint main(void) {{\n{body}  return 0;\n}}\n")
}

#[test]
fn sizes_offsets_and_constants_are_what_they_were() {
    let directory = TemporaryDirectory::new();
    let (source, program) = (directory.path().join("layout.c"), directory.path().join("layout"));
    std::fs::write(&source, layout_program(&header())).unwrap();
    run(Command::new("cc").arg("-std=c11").args(WARNINGS).arg("-I").arg(root().join("include")).arg(&source).arg("-o").arg(&program));
    let layout = run(&mut Command::new(&program));
    assert!(layout.contains("unipc_mutex size 128 alignment 8"), "{layout}");
    compare("layout.txt", &layout);
}
