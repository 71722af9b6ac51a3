//! Installing into an empty place, building programs against what is there, and uninstalling.

use std::path::{Path, PathBuf};
use std::process::Command;

use unipc_tests::{Leaks, TemporaryDirectory, WARNINGS, libraries, root, run};

const EXPECTED: &str = concat!("installed ", env!("CARGO_PKG_VERSION"), "\n");

fn install(action: &str, destination: &Path, prefix: &str, more: &[(&str, &str)]) {
    let mut command = Command::new(root().join("scripts/install"));
    command.arg(action).env_remove("LIBDIR").env_remove("INCLUDEDIR");
    command.env("DESTDIR", destination).env("PREFIX", prefix).env("BUILT", &libraries().directory).envs(more.iter().copied());
    run(&mut command);
}

/// Every file and link below a directory, and every empty directory.
fn everything(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("the directory is readable") {
        let path = entry.expect("the directory is readable").path();
        let below = if path.is_dir() && !path.is_symlink() { everything(&path) } else { Vec::new() };
        if below.is_empty() {
            found.push(path);
        }
        found.extend(below);
    }
    found
}

fn small_program() -> PathBuf {
    root().join("tests/c/small.c")
}

/// What pkg-config says for the installation, which has been moved to where DESTDIR is.
fn pkg_config(libdir: &Path, arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new("pkg-config");
    command.args(arguments).env("PKG_CONFIG_LIBDIR", libdir.join("pkgconfig")).env_remove("PKG_CONFIG_PATH");
    run(&mut command).split_whitespace().map(str::to_owned).collect()
}

#[test]
fn programs_build_with_pkg_config_and_nothing_is_left_after_uninstalling() {
    let _leaks = Leaks::watch();
    let place = TemporaryDirectory::new();
    install("install", place.path(), "/opt/unipc", &[]);
    let libdir = place.path().join("opt/unipc/lib");

    let shared = place.path().join("shared");
    let fixed = place.path().join("static");
    let link = |program: &Path, arguments: &[&str]| {
        let arguments = pkg_config(&libdir, arguments);
        run(Command::new("cc").arg("-std=c11").args(WARNINGS).arg(small_program()).arg("-o").arg(program).args(arguments));
        let needed = run(Command::new("readelf").arg("-d").arg(program));
        assert_eq!(needed.contains("[libunipc.so.0]"), program == shared, "{needed}");
        assert_eq!(run(Command::new(program).env("LD_LIBRARY_PATH", &libdir)), EXPECTED);
    };
    link(&shared, &["--cflags", "--libs", "unipc"]);
    link(&fixed, &["--cflags", "--libs", "unipc-static"]);
    // The linker prefers the shared library wherever there is one.
    std::fs::remove_file(libdir.join("libunipc.so")).unwrap();
    link(&fixed, &["--static", "--cflags", "--libs", "unipc"]);

    assert_eq!(
        run(Command::new(place.path().join("opt/unipc/bin/unipc")).arg("--version")),
        concat!("unipc ", env!("CARGO_PKG_VERSION"), "\n")
    );
    std::fs::remove_file(shared).unwrap();
    std::fs::remove_file(fixed).unwrap();
    install("uninstall", place.path(), "/opt/unipc", &[]);
    let left: Vec<_> = everything(place.path()).into_iter().filter(|path| !path.ends_with("opt/unipc")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn programs_build_with_cmake() {
    let _leaks = Leaks::watch();
    let place = TemporaryDirectory::new();
    install("install", place.path(), "/usr", &[("LIBDIR", "/usr/lib/here"), ("INCLUDEDIR", "/usr/include/unipc-0")]);
    let project = place.path().join("project");
    std::fs::create_dir(&project).unwrap();
    let lists = format!(
        "cmake_minimum_required(VERSION 3.13)\nproject(small C)\nfind_package(unipc {} REQUIRED)\n\
         add_executable(shared {1})\ntarget_link_libraries(shared unipc::unipc)\n\
         add_executable(fixed {1})\ntarget_link_libraries(fixed unipc::static)\n",
        env!("CARGO_PKG_VERSION"),
        small_program().display()
    );
    std::fs::write(project.join("CMakeLists.txt"), lists).unwrap();
    let build = place.path().join("build");
    let package = place.path().join("usr/lib/here/cmake/unipc");
    run(Command::new("cmake").arg("-S").arg(&project).arg("-B").arg(&build).arg(format!("-Dunipc_DIR={}", package.display())));
    run(Command::new("cmake").arg("--build").arg(&build));
    let loaded = run(Command::new("readelf").arg("-d").arg(build.join("shared")));
    assert!(loaded.contains("[libunipc.so.0]"), "{loaded}");
    let loaded = run(Command::new("readelf").arg("-d").arg(build.join("fixed")));
    assert!(!loaded.contains("libunipc"), "{loaded}");
    assert_eq!(run(&mut Command::new(build.join("shared"))), EXPECTED);
    assert_eq!(run(&mut Command::new(build.join("fixed"))), EXPECTED);
}

#[test]
fn another_minor_version_is_refused() {
    let _leaks = Leaks::watch();
    let place = TemporaryDirectory::new();
    install("install", place.path(), "/usr", &[]);
    let project = place.path().join("project");
    std::fs::create_dir(&project).unwrap();
    let lists = "cmake_minimum_required(VERSION 3.13)\nproject(small C)\nfind_package(unipc 99.1 REQUIRED)\n";
    std::fs::write(project.join("CMakeLists.txt"), lists).unwrap();
    let package = place.path().join("usr/lib/cmake/unipc");
    let output = unipc_tests::output(
        Command::new("cmake")
            .arg("-S")
            .arg(&project)
            .arg("-B")
            .arg(place.path().join("build"))
            .arg(format!("-Dunipc_DIR={}", package.display())),
    );
    assert!(!output.status.success());
}
