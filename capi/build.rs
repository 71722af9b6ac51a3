//! Gives the shared library its soname: what the loader looks for is the ABI's number, not the version's.

fn main() {
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libunipc.so.0");
    println!("cargo:rerun-if-changed=build.rs");
}
