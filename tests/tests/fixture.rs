//! The fixture that finds leaks finds them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::time::Duration;

use unipc_tests::{Leaks, TemporaryDirectory};

/// What the fixture says when `body` leaves its result behind.
fn complaint<T>(body: impl FnOnce() -> T) -> (String, T) {
    let leaks = Leaks::watch_with(Duration::from_millis(300));
    let left = body();
    let panic = catch_unwind(AssertUnwindSafe(|| drop(leaks))).expect_err("the leak must be found");
    (panic.downcast_ref::<String>().cloned().unwrap_or_default(), left)
}

#[test]
fn a_test_that_leaves_nothing_passes() {
    let _leaks = Leaks::watch();
    let _directory = TemporaryDirectory::new();
    drop(std::fs::File::open("/dev/null"));
}

#[test]
fn a_descriptor_is_found() {
    let (text, _left) = complaint(|| std::fs::File::open("/dev/null"));
    assert!(text.contains("descriptor") && text.contains("/dev/null"), "{text}");
}

#[test]
fn a_name_is_found() {
    let (text, left) = complaint(TemporaryDirectory::new);
    assert!(text.contains(&*left.path().to_string_lossy()), "{text}");
}

#[test]
fn a_child_is_found() {
    let (text, mut left) = complaint(|| Command::new("cat").stdin(Stdio::piped()).spawn().unwrap());
    drop(left.stdin.take());
    left.wait().unwrap();
    assert!(text.contains(&format!("process {}", left.id())), "{text}");
}

#[test]
fn a_thread_is_found() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let (text, left) = complaint(|| std::thread::spawn(move || receiver.recv()));
    drop(sender);
    let _ = left.join().unwrap();
    assert!(text.contains("threads"), "{text}");
}

#[test]
fn a_shared_mapping_is_found() {
    let map = || {
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing.
        unsafe { libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_READ, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1, 0) }
    };
    let (text, left) = complaint(map);
    // SAFETY: the mapping made above, which nothing refers to.
    unsafe { libc::munmap(left, 4096) };
    assert!(text.contains("shared mapping"), "{text}");
}
