//! Writes `include/unipc.h` from the doc comments and types of `capi/src`, and compares it with the committed file.
//!
//! The header is read from top to bottom as a manual, so cbindgen runs once per module, in the order of the shapes, and the parts are joined
//! here. `UNIPC_BLESS=1 cargo test -p unipc-capi --test header` writes the file.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The modules in the order of the header, and what each section is called.
const PARTS: &[(&str, &str)] = &[
    ("error.rs", "General: versions, results, errors"),
    ("wait.rs", "Stop tokens: ending a wait early"),
    ("stream.rs", "Streams: bytes without boundaries"),
    ("socket.rs", "Sockets: connections and listeners"),
    ("descriptors.rs", "Descriptors that travel, and who sends them"),
    ("transfer.rs", "Transfers: bytes between descriptors, without a copy where that can be"),
    ("message.rs", "Messages: what is known of one"),
    ("framed.rs", "Messages framed on a stream"),
    ("mq.rs", "POSIX message queues"),
    ("sysv_queue.rs", "System V keys and message queues"),
    ("datagram.rs", "Datagrams: messages without a connection, Unix and UDP"),
    ("seqpacket.rs", "Seqpackets: messages on a connection"),
    ("memory.rs", "Memory: the same pages in several processes"),
    ("memory_file.rs", "Files as memory, and pages"),
    ("memory_memfd.rs", "Memory that can be sealed: memfd"),
    ("memory_sysv.rs", "System V shared memory"),
    ("atomic.rs", "Atomics in memory"),
    ("sync.rs", "Synchronisation: waiting for each other"),
    ("sysv_semaphores.rs", "System V semaphores"),
    ("futex.rs", "Futexes: sleeping on a word in memory"),
    ("spinlock.rs", "Spinlocks in memory"),
    ("sync_event.rs", "Events in memory"),
    ("rwlock.rs", "Reader-writer locks in memory"),
    ("condvar.rs", "Condition variables in memory"),
    ("barrier.rs", "Barriers in memory"),
    ("event.rs", "Events: counters and timers"),
    ("signal.rs", "Signals: sent, received, described"),
    ("poller.rs", "Pollers: one wait over many"),
    ("ring.rs", "Rings: many reads and writes at once (io_uring)"),
    ("process.rs", "Processes: their end, children, pipelines"),
    ("file_lock.rs", "Locks on files"),
    ("file_exchange.rs", "Files replaced, appended to, followed"),
];

/// The longest line of a declaration.
const LINE: usize = 110;

const PREAMBLE: &str = r#"/* unipc: every way that processes on a machine talk to each other. SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Generated from the sources of the library; do not edit.
 *
 * Compile and link with   cc program.c $(pkg-config --cflags --libs unipc)
 *
 * What holds for every function:
 *
 * - A result of zero or more is success. A negative result is -errno, or one of the UNIPC_* codes below -10000; then nothing was acquired, and
 *   handles that were to be received are NULL. unipc_error_text tells the whole story of the calling thread's last failure.
 * - A timeout is in nanoseconds: UNIPC_FOREVER, or for instance 100 * UNIPC_MILLISECOND. Zero or less never waits: what would have to gives -EAGAIN.
 *   Running out of time gives -ETIMEDOUT. A signal does not end a wait; a stop token does, with -ECANCELED.
 * - Options may be NULL. A struct of options begins as its _INIT macro; zero in a field is the default of the field.
 * - NULL where it is not allowed gives -EINVAL. Closing NULL is fine.
 * - A thread is not cancelled (pthread_cancel) while it is inside a call: a stop token ends waits.
 * - Descriptors are close-on-exec. Names are checked, never shortened. Objects of other users are refused unless any_owner is set.
 */
#ifndef UNIPC_H
#define UNIPC_H

#include <stddef.h>
#include <stdint.h>

/* Times, in nanoseconds. */
#define UNIPC_NANOSECOND INT64_C(1)
#define UNIPC_MICROSECOND INT64_C(1000)
#define UNIPC_MILLISECOND INT64_C(1000000)
#define UNIPC_SECOND INT64_C(1000000000)
#define UNIPC_MINUTE INT64_C(60000000000)
/* Wait without a limit. */
#define UNIPC_FOREVER INT64_MAX

#ifdef __cplusplus
extern "C" {
#endif
"#;

const END: &str = r#"
#ifdef __cplusplus
}
#endif

#endif /* UNIPC_H */
"#;

fn crate_directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// One module as C.
fn part(file: &str) -> String {
    let directory = crate_directory();
    let config = cbindgen::Config::from_file(directory.join("cbindgen.toml")).expect("cbindgen.toml is readable");
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        .with_src(directory.join("src").join(file))
        .generate()
        .unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut text = Vec::new();
    bindings.write(&mut text);
    String::from_utf8(text).expect("cbindgen writes UTF-8")
}

/// The comments for readers of C: without the sections that are about Rust, without Rust's links, short ones on one line.
fn for_c(part: &str) -> String {
    let mut result = String::new();
    let mut lines = part.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim() != "/**" {
            writeln!(result, "{}", wrapped(&in_parentheses(&without_tags(line)))).unwrap();
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let mut comment: Vec<&str> = lines.by_ref().map(str::trim).take_while(|line| *line != "*/").collect();
        if let Some(rust) = comment.iter().position(|line| *line == "* # Safety") {
            comment.truncate(rust);
        }
        while comment.last().is_some_and(|line| *line == "*") {
            comment.pop();
        }
        let comment: Vec<String> = comment.iter().map(|line| unlinked(line.strip_prefix('*').expect("a comment's line"))).collect();
        match comment.as_slice() {
            [] => {}
            [only] => writeln!(result, "{indent}/**{only} */").unwrap(),
            several => {
                writeln!(result, "{indent}/**").unwrap();
                several.iter().for_each(|line| writeln!(result, "{indent} *{line}").unwrap());
                writeln!(result, "{indent} */").unwrap();
            }
        }
    }
    result
}

/// `[`name`]` and `` `name` `` are `name` in C.
fn unlinked(line: &str) -> String {
    assert!(!line.contains("*/") && !line.contains("/*"), "a comment mark in a comment: {line}");
    line.replace("[`", "").replace("`]", "").replace('`', "")
}

/// `struct unipc_x *` is `unipc_x *`, but where the type is declared.
fn without_tags(line: &str) -> String {
    if line.starts_with("typedef struct") {
        return line.to_owned();
    }
    line.replace("struct unipc_", "unipc_")
}

/// A negative constant must stay one in `2 UNIPC_END`.
fn in_parentheses(line: &str) -> String {
    match line.strip_prefix("#define ").and_then(|rest| rest.split_once(" -")) {
        Some((name, number)) => format!("#define {name} (-{number})"),
        None => line.to_owned(),
    }
}

/// A long declaration on several lines.
fn wrapped(line: &str) -> String {
    let mut result = String::new();
    let mut width = 0;
    for word in line.split_inclusive(", ") {
        if width + word.len() > LINE {
            result.truncate(result.trim_end().len());
            result.push_str("\n    ");
            width = 4;
        }
        result.push_str(word);
        width += word.len();
    }
    result
}

/// A struct of the header: its name and its fields' declarations.
struct Struct {
    name: String,
    fields: Vec<String>,
}

fn structs(header: &str) -> Vec<Struct> {
    let mut found = Vec::new();
    let mut lines = header.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("typedef struct ").and_then(|rest| rest.strip_suffix(" {")) else { continue };
        let fields = lines.by_ref().take_while(|line| !line.starts_with('}')).map(str::trim);
        let fields = fields.filter(|line| line.ends_with(';')).map(|line| line.trim_end_matches(';').to_owned()).collect();
        found.push(Struct { name: name.to_owned(), fields });
    }
    found
}

/// The initialisers. Every field is named by its place: the one form that C99 to C23 and C++11 to C++20 take without a warning.
fn initialisers(structs: &[Struct]) -> String {
    let mut result = section("Initialisers: the size, and zero");
    for Struct { name, fields } in structs.iter().filter(|found| found.fields[0] == "size_t struct_size") {
        let rest: String = fields[1..].iter().map(|field| if field.contains('*') { ", NULL" } else { ", 0" }).collect();
        writeln!(result, "#define {}_INIT {{ sizeof({name}){rest} }}", name.to_uppercase()).unwrap();
    }
    result
}

/// Objects in the user's memory never change their size.
fn layout_asserts(structs: &[Struct]) -> String {
    let mut result = section("Layout: objects in memory keep their size and alignment for ever");
    let in_place = structs.iter().filter_map(|found| {
        let words: usize = found.fields[0].strip_prefix("uint64_t opaque[")?.strip_suffix(']')?.parse().ok()?;
        Some((&found.name, words * 8))
    });
    let (mut c, mut cpp) = (String::new(), String::new());
    for (name, size) in in_place {
        writeln!(c, "_Static_assert(sizeof({name}) == {size}, \"size of {name}\");").unwrap();
        writeln!(c, "_Static_assert(_Alignof({name}) == 8, \"alignment of {name}\");").unwrap();
        writeln!(cpp, "static_assert(sizeof({name}) == {size}, \"size of {name}\");").unwrap();
        writeln!(cpp, "static_assert(alignof({name}) == 8, \"alignment of {name}\");").unwrap();
    }
    write!(result, "#if defined(__cplusplus)\n{cpp}#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L\n{c}#endif\n").unwrap();
    result
}

fn section(title: &str) -> String {
    format!("\n/* ---- {title} {} */\n\n", "-".repeat(100 - title.len()))
}

fn header() -> String {
    let mut header = PREAMBLE.to_owned();
    for (file, title) in PARTS {
        header.push_str(&section(title));
        header.push_str(for_c(&part(file)).trim());
        header.push('\n');
    }
    let structs = structs(&header);
    header.push_str(&initialisers(&structs));
    header.push_str(&layout_asserts(&structs));
    header.push_str(END);
    header
}

#[test]
fn the_header_is_what_the_sources_say() {
    let path = crate_directory().join("../include/unipc.h");
    let header = header();
    if std::env::var_os("UNIPC_BLESS").is_some() {
        std::fs::write(&path, &header).expect("the header can be written");
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let line = committed.lines().zip(header.lines()).position(|(old, new)| old != new);
    let differs = line.map_or("its length".to_owned(), |line| format!("line {}", line + 1));
    assert!(committed == header, "include/unipc.h differs in {differs}; UNIPC_BLESS=1 writes it anew");
}

#[test]
fn every_module_is_in_the_header() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in std::fs::read_dir(source).expect("the sources are readable") {
        let name = entry.expect("the sources are readable").file_name().into_string().expect("names are UTF-8");
        assert!(name == "lib.rs" || PARTS.iter().any(|(file, _)| *file == name), "{name} is in no part of the header");
    }
}

/// A function of the header.
struct Function {
    name: String,
    comment: String,
    declaration: String,
}

fn functions(header: &str) -> Vec<Function> {
    let mut found = Vec::new();
    let mut lines = header.lines();
    while let Some(first) = lines.next() {
        let Some(text) = first.strip_prefix("/**") else { continue };
        let mut comment = text.trim_end_matches("*/").to_owned();
        if !first.ends_with("*/") {
            for line in lines.by_ref().take_while(|line| !line.ends_with("*/")) {
                comment.push('\n');
                comment.push_str(line.trim_start_matches([' ', '*']).trim_end());
            }
        }
        let mut declaration = String::new();
        for line in lines.by_ref().take_while(|line| !line.is_empty() && !line.starts_with(['#', '}']) && !line.ends_with('{')) {
            declaration.push_str(line);
            if line.ends_with(';') {
                break;
            }
        }
        let Some((head, _)) = declaration.split_once('(').filter(|_| !declaration.starts_with("typedef")) else { continue };
        let name = head.rsplit([' ', '*']).next().expect("a declaration has a name").to_owned();
        found.push(Function { name, comment, declaration });
    }
    found
}

/// What a function's comment says that it returns.
fn returned(function: &Function) -> &str {
    let Some((_, text)) = function.comment.split_once("@return") else { return "" };
    text.split("\n\n").next().unwrap_or(text)
}

/// The negative results that a comment lists, with those of the functions that it refers to ("as unipc_x and unipc_y, but for -EEXIST").
fn results(functions: &[Function], function: &Function, depth: usize) -> BTreeSet<String> {
    assert!(depth < 8, "{} refers to itself", function.name);
    let codes = |text: &str| -> BTreeSet<String> {
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && !['_', '-'].contains(&letter));
        words.filter(|word| word.starts_with("-E") || word.starts_with("UNIPC_")).map(str::to_owned).collect()
    };
    let text = returned(function).replace('\n', " ");
    let without = text.split_once("but for ").map(|(_, rest)| codes(rest.split([';', ':']).next().unwrap_or(rest))).unwrap_or_default();
    let mut all = codes(&text);
    for part in text.split(';').map(str::trim_start) {
        let refers = part.starts_with("as ") || part.contains(" as unipc_");
        let named =
            part.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').filter(|word| refers && word.starts_with("unipc_"));
        for other in named.filter_map(|name| functions.iter().find(|other| other.name == name && name != function.name)) {
            all.extend(results(functions, other, depth + 1));
        }
    }
    all.difference(&without).cloned().collect()
}

#[test]
fn every_comment_says_what_holds_for_all() {
    let header = header();
    let functions = functions(&header);
    assert!(functions.len() > 300, "only {} functions were found", functions.len());
    let waits_for_creator: Vec<String> = structs(&header)
        .into_iter()
        .filter(|found| found.fields.iter().any(|field| field.ends_with(" wait_for_creator")))
        .map(|found| found.name)
        .collect();
    let mut missing = String::new();
    for function in &functions {
        let (name, declaration) = (function.name.as_str(), function.declaration.as_str());
        let listed = results(&functions, function, 0);
        let mut require = |holds: bool, what: &str| {
            if !holds {
                writeln!(missing, "{name}: {what}").unwrap();
            }
        };
        for word in ["Threads:", "Signal-safe:", "Since 0.1."] {
            require(function.comment.contains(word), word);
        }
        if name.ends_with("_close") {
            require(function.comment.contains("Signal-safe: no"), "closing frees memory");
        }
        if name.ends_with("_fd")
            && declaration.contains("(const ")
            && !function.comment.contains("caller's")
            && name != "unipc_file_follower_fd"
        {
            require(function.comment.contains("Signal-safe: yes"), "a handle's descriptor can be had in a signal handler");
        }
        if declaration.contains("int64_t timeout") {
            for code in ["-EAGAIN", "-ETIMEDOUT", "-ECANCELED"] {
                require(listed.contains(code), code);
            }
        }
        let opens = waits_for_creator.iter().any(|options| declaration.contains(&format!("const {options} *")));
        if opens && !["_create", "_open_id", "_from_fd"].iter().any(|part| name.contains(part) && !name.contains("or_create")) {
            require(
                listed.contains("-ECANCELED") || returned(function).contains("it never waits"),
                "-ECANCELED, from waiting for the creator",
            );
        }
        if declaration.contains("_options *options") && !name.ends_with("_init") {
            require(listed.contains("-E2BIG"), "-E2BIG");
        }
        let speaks_for_itself = ["unipc_error_text", "unipc_error_print", "unipc_stop_bind"].contains(&name);
        if declaration.contains('*') && !declaration.starts_with("void") && !declaration.starts_with("const char") && !speaks_for_itself {
            let has_codes = ["int ", "int64_t ", "ptrdiff_t "].iter().any(|kind| declaration.starts_with(kind));
            require(!has_codes || listed.contains("-EINVAL"), "-EINVAL for NULL");
        }
    }
    assert!(missing.is_empty(), "the comments lack:\n{missing}");
}
