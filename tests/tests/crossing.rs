//! An object is the same object from every language: each ordered pair of C, Python and Rust uses one mutex, one of each other lock, one FIFO, one
//! Unix socket and one memory with a named semaphore together; and so does each of the three with a program that knows the C library alone, where
//! that has the object.
//!
//! The peers stand in tests/crossing; peer.h tells how they speak with the test, which starts them, tells them when to go on, and kills
//! them.

use std::fmt;
use std::io::{PipeReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use unipc_tests::{Leaks, TemporaryDirectory, WARNINGS, libraries, python, root, run, static_libraries};

/// How long a line of a peer may take, and its end. Ten times what a busy machine needs, and more than the 20 s that a peer waits itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often each of two counts.
const TIMES: i64 = 5000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    C,
    Python,
    Rust,
    /// C without unipc.
    Plain,
}

use Language::{C, Plain, Python, Rust};

impl Language {
    fn command(self) -> Command {
        let source = |name: &str| root().join("tests/crossing").join(name);
        match self {
            C => Command::new(&c_peers().unipc),
            Plain => Command::new(&c_peers().plain),
            Rust => Command::new(env!("CARGO_BIN_EXE_crossing-peer")),
            Python => {
                let mut command = Command::new(python());
                // No files beside the sources.
                command.arg("-B").arg(source("peer.py"));
                command
            }
        }
    }
}

struct CPeers {
    unipc: PathBuf,
    plain: PathBuf,
}

/// The two C programs, compiled once per run of this program.
fn c_peers() -> &'static CPeers {
    static PEERS: OnceLock<CPeers> = OnceLock::new();
    PEERS.get_or_init(|| {
        let compile = |name: &str, more: &[String]| {
            let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("crossing-{name}"));
            let fresh = program.with_extension(std::process::id().to_string());
            let mut command = Command::new("cc");
            command.args(["-std=c11", "-O1", "-g"]).args(WARNINGS).arg("-o").arg(&fresh);
            run(command.arg(root().join("tests/crossing").join(name).with_extension("c")).args(more));
            // The program of another run may be at work.
            std::fs::rename(&fresh, &program).expect("the program can be put into place");
            program
        };
        let include = |path: &str| format!("-I{}", root().join(path).display());
        let mut more = vec![include("include"), include("tests/c"), libraries().archive.display().to_string()];
        more.extend(static_libraries());
        CPeers { unipc: compile("peer", &more), plain: compile("plain", &["-pthread".to_owned(), "-lrt".to_owned()]) }
    })
}

/// Who plays which side, for the messages.
#[derive(Debug, Clone, Copy)]
struct Pairing {
    what: &'static str,
    first: Language,
    second: Language,
}

impl fmt::Display for Pairing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} between {:?} and {:?}", self.what, self.first, self.second)
    }
}

/// Runs `body` for every ordered pair, each time with an empty directory that it leaves empty, and says how many pairs there were.
fn every_pairing(what: &'static str, with_plain: bool, mut body: impl FnMut(Pairing, &Path)) {
    let all = [C, Python, Rust, Plain];
    for language in all {
        // What has to be built is built before anybody looks for what is left.
        drop(language.command());
    }
    let _leaks = Leaks::watch();
    let directory = TemporaryDirectory::new();
    let start = Instant::now();
    let mut count = 0;
    for first in all {
        for second in all {
            let plain = [first, second].iter().filter(|language| **language == Plain).count();
            if plain == 0 || (plain == 1 && with_plain) {
                let pairing = Pairing { what, first, second };
                body(pairing, directory.path());
                assert_empty(pairing, directory.path());
                count += 1;
            }
        }
    }
    assert_eq!(count, if with_plain { 15 } else { 9 });
    println!("{what}: {count} pairings in {:.1} s", start.elapsed().as_secs_f64());
}

/// Nothing may be left in the directory; no name for the time being either.
fn assert_empty(pairing: Pairing, directory: &Path) {
    let left: Vec<_> = std::fs::read_dir(directory).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "{pairing}: left behind: {left:?}");
}

/// A peer at work. It is killed when it is dropped.
struct Peer {
    pairing: Pairing,
    language: Language,
    role: &'static str,
    child: Child,
    /// Standard output and standard error, in the order in which they came.
    output: PipeReader,
    heard: Vec<u8>,
}

impl Peer {
    fn start(pairing: Pairing, language: Language, role: &'static str, arguments: &[&str]) -> Peer {
        let (output, input) = std::io::pipe().expect("a pipe can be made");
        let mut command = language.command();
        command.arg(role).args(arguments).stdin(Stdio::piped());
        command.stdout(input.try_clone().expect("a descriptor is free")).stderr(input);
        let child = command.spawn().unwrap_or_else(|error| panic!("{pairing}: {command:?} cannot be started: {error}"));
        Peer { pairing, language, role, child, output, heard: Vec::new() }
    }

    fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line must be this one.
    fn expect(&mut self, line: &str) {
        let heard = self.line(line);
        if heard != line {
            self.fail(&format!("said {heard:?} instead of {line:?}"));
        }
    }

    /// The number in the next line, which must begin with this word.
    fn expect_number(&mut self, word: &str) -> i64 {
        let heard = self.line(word);
        let number = heard.strip_prefix(word).and_then(|rest| rest.trim().parse().ok());
        number.unwrap_or_else(|| self.fail(&format!("said {heard:?} instead of {word:?} and a number")))
    }

    fn go(&mut self) {
        let told = self.child.stdin.as_mut().map(|input| input.write_all(b"go\n"));
        if !matches!(told, Some(Ok(()))) {
            self.fail("does not listen any more");
        }
    }

    /// Kills it with SIGKILL, wherever it is.
    fn kill(mut self) {
        self.child.kill().expect("a child can be killed");
        let status = self.end();
        if status.signal() != Some(libc::SIGKILL) {
            self.fail(&format!("ended by itself with {status}"));
        }
    }

    /// It has nothing more to say, and ends well.
    fn finish(mut self) {
        self.expect("done");
        let status = self.end();
        let rest = self.rest();
        if !status.success() || !rest.is_empty() {
            panic!("{}: {:?} as {} ended with {status}: {rest}", self.pairing, self.language, self.role);
        }
    }

    fn line(&mut self, wanted: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(length) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=length).collect();
                return String::from_utf8_lossy(&line[..length]).into_owned();
            }
            match self.hear(end.saturating_duration_since(Instant::now())) {
                None => self.fail(&format!("did not say {wanted:?} within {PATIENCE:?}")),
                Some(0) => self.fail(&format!("ended before it said {wanted:?}")),
                Some(_) => {}
            }
        }
    }

    /// Takes what there is of its output: `None` if nothing comes in time, 0 if nothing will.
    fn hear(&mut self, patience: Duration) -> Option<usize> {
        let mut watched = libc::pollfd { fd: self.output.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd, which lives through the call.
        if unsafe { libc::poll(&raw mut watched, 1, patience.as_millis() as libc::c_int) } < 1 {
            return None;
        }
        let mut buffer = [0; 4096];
        let count = self.output.read(&mut buffer).unwrap_or(0);
        self.heard.extend_from_slice(&buffer[..count]);
        Some(count)
    }

    fn end(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            if Instant::now() > end {
                self.fail(&format!("did not end within {PATIENCE:?}"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What it has said besides, once it has ended.
    fn rest(&mut self) -> String {
        while self.hear(Duration::from_millis(500)).is_some_and(|count| count > 0) {}
        String::from_utf8_lossy(&std::mem::take(&mut self.heard)).into_owned()
    }

    fn fail(&mut self, what: &str) -> ! {
        let rest = self.rest();
        panic!("{}: {:?} as {} (process {}) {what}; the rest of its output: {rest}", self.pairing, self.language, self.role, self.id());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            // It may know the reason for what another one is blamed for.
            let rest = self.rest();
            if !rest.is_empty() {
                eprintln!("{}: {:?} as {} had also said: {rest}", self.pairing, self.language, self.role);
            }
        }
    }
}

/// A name in /dev/shm, for a memory and a semaphore, which is free when the test ends, however it ends.
struct Name(String);

impl Name {
    fn new(what: &str, pairing: Pairing) -> Name {
        Name(format!("unipc-crossing-{}-{what}-{:?}-{:?}", std::process::id(), pairing.first, pairing.second))
    }

    fn path(&self) -> PathBuf {
        Path::new("/dev/shm").join(&self.0)
    }

    fn semaphore_path(&self) -> PathBuf {
        Path::new("/dev/shm").join(format!("sem.{}", self.0))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.path());
        let _ = std::fs::remove_file(self.semaphore_path());
    }
}

#[test]
fn one_mutex() {
    let mut taken_turns = 0;
    every_pairing("one mutex", false, |pairing, _| {
        let name = Name::new("mutex", pairing);
        let Pairing { first, second, .. } = pairing;
        let peer = |language, role, arguments: &[&str]| Peer::start(pairing, language, role, &[&[name.0.as_str()], arguments].concat());

        let times = TIMES.to_string();
        let mut counting = [peer(first, "count", &[&times]), peer(second, "count", &[&times])];
        counting.iter_mut().for_each(|peer| peer.expect("ready"));
        counting.iter_mut().for_each(Peer::go);
        for peer in &mut counting {
            let turns = peer.expect_number("counted");
            // That the sum comes out right means little unless they got in each other's way.
            assert!(turns > 0, "{pairing}: {:?} counted without the other", peer.language);
            taken_turns += turns;
        }
        counting.into_iter().for_each(Peer::finish);
        let sum = (2 * TIMES).to_string();
        let bytes = std::fs::read(name.path()).unwrap();
        assert_eq!(i64::from_ne_bytes(bytes[128..136].try_into().unwrap()), 2 * TIMES, "{pairing}");

        let mut holder = peer(first, "hold", &[]);
        holder.expect("locked");
        let mut repairer = peer(second, "recover", &[]);
        repairer.expect("waiting");
        holder.kill();
        repairer.expect("repaired");
        repairer.finish();
        peer(first, "clean", &[&sum]).finish();
    });
    println!("one mutex: the other one had counted in between {taken_turns} times");
}

/// A barrier, a spinlock, a reader-writer lock, a condition variable with its mutex, and two events.
#[test]
fn one_of_each_lock() {
    every_pairing("one of each lock", false, |pairing, _| {
        let name = Name::new("locks", pairing);
        let arguments = [name.0.as_str()];
        let mut first = Peer::start(pairing, pairing.first, "locks-first", &arguments);
        first.expect("made");
        let mut second = Peer::start(pairing, pairing.second, "locks-second", &arguments);
        second.expect("together");
        first.expect("locked");
        first.kill();
        second.go();
        second.finish();
    });
}

#[test]
fn one_fifo() {
    every_pairing("one FIFO", true, |pairing, directory| {
        let path = directory.join("fifo");
        let path = [path.to_str().unwrap()];
        let reader = Peer::start(pairing, pairing.second, "fifo-read", &path);
        let writer = Peer::start(pairing, pairing.first, "fifo-write", &path);
        writer.finish();
        reader.finish();

        // The reader reads when the writer has been killed in the middle of a message.
        let mut reader = Peer::start(pairing, pairing.second, "fifo-read-cut", &path);
        let mut writer = Peer::start(pairing, pairing.first, "fifo-write-cut", &path);
        reader.expect("open");
        writer.expect("cut");
        writer.kill();
        reader.go();
        reader.finish();
    });
}

#[test]
fn one_unix_socket() {
    every_pairing("one Unix socket", true, |pairing, directory| {
        let path = directory.join("socket");
        let path = path.to_str().unwrap();
        let Pairing { first, second, .. } = pairing;
        let serve = |server: Language, client: Language| {
            let mut server = Peer::start(pairing, server, "unix-serve", &[path]);
            server.expect("listening");
            let mut client = Peer::start(pairing, client, "unix-connect", &[path]);
            server.expect(&format!("peer {}", client.id()));
            client.expect(&format!("peer {}", server.id()));
            client.finish();
            server.finish();
        };
        serve(first, second);
        assert_empty(pairing, directory);

        // Each server but the first finds the path of one that has been killed.
        for messages in ["1", "2"] {
            let mut server = Peer::start(pairing, first, "unix-serve-hold", &[path]);
            let mut client = Peer::start(pairing, second, "unix-lose", &[path, messages]);
            server.expect("listening");
            client.expect("sent");
            server.expect("served");
            server.kill();
            client.finish();
        }
        serve(second, first);
    });
}

#[test]
fn one_memory_and_semaphore() {
    every_pairing("one memory and semaphore", true, |pairing, _| {
        let name = Name::new("memory", pairing);
        let arguments = [name.0.as_str()];
        let mut reader = Peer::start(pairing, pairing.second, "memory-read", &arguments);
        reader.expect("starting");
        // Time to look in vain.
        std::thread::sleep(Duration::from_millis(10));
        let mut writer = Peer::start(pairing, pairing.first, "memory-write", &arguments);
        writer.expect("created");
        reader.expect("opened");
        writer.go();
        writer.expect("posted");
        reader.expect("read");
        writer.go();
        writer.finish();
        reader.finish();
        let left: Vec<_> = [name.path(), name.semaphore_path()].into_iter().filter(|path| path.exists()).collect();
        assert!(left.is_empty(), "{pairing}: left behind: {left:?}");
    });
}
