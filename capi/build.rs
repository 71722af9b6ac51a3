//! What the linker is told about the shared library.
//!
//! Its soname: what the loader looks for is the number of the ABI, not of the version.
//!
//! And which versions of glibc's functions it wants. The linker takes the newest, so a library built on a new system would not load on an older
//! one, though it uses nothing that is new: glibc 2.33 and 2.34 gave new versions to functions that did not change. `glibc.c` leads each to its
//! first version, by the linker's `--wrap`. Programs that link the static library are built for their own system and need none of it.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=glibc.c");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libunipc.so.0");
    if std::env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("gnu") && std::env::var("HOST") == std::env::var("TARGET") {
        want_first_versions();
    }
}

fn want_first_versions() {
    let source = std::fs::read_to_string("glibc.c").expect("glibc.c is readable");
    let object = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it")).join("glibc.o");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let status = Command::new(&compiler).args(["-c", "-O2", "-fPIC", "-ffunction-sections", "glibc.c", "-o"]).arg(&object).status();
    assert!(status.is_ok_and(|status| status.success()), "{compiler} cannot compile glibc.c");
    println!("cargo:rustc-cdylib-link-arg={}", object.display());
    let names = source.lines().filter_map(|line| line.strip_prefix("FIRST(").or(line.strip_prefix("int __wrap_")));
    for name in names.filter_map(|rest| rest.split([',', '(']).next()) {
        println!("cargo:rustc-cdylib-link-arg=-Wl,--wrap={name}");
    }
    // Before glibc 2.34 these were libraries of their own; since then they are empty, and always there.
    println!("cargo:rustc-cdylib-link-arg=-Wl,--push-state,--no-as-needed,-l:libpthread.so.0,-l:libdl.so.2,-l:librt.so.1,--pop-state");
}
