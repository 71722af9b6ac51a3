//! `unipc demo`: each mechanism, for real, between two processes.
//!
//! The other process is this program again, started with the hidden verb `__peer`; only anonymous memory needs `fork`, which is safe here because
//! the program has a single thread. The peer says what arrived at it, so that what is shown has crossed twice. Every wait has a limit: a peer
//! that dies or hangs is a failed line, not a hung demonstration.
//!
//! Each round is also done by the raw calls of the C library, by both processes: what the library costs is a ratio within one run.

mod events;
mod files;
mod locks;
mod messages;
mod raw;
mod raw_locks;
mod raw_sockets;
mod semaphores;
mod shared;
mod sockets;
mod streams;
mod sync;
mod times;

use std::error::Error;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use unipc::advise::{Availability, Mechanism, mechanisms};

use crate::mechanisms::{aligned, names};
use crate::print;
use times::Times;

/// What a demonstration returns, and what went wrong in it.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// The limit of each wait. What is waited for takes microseconds.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only this mechanism; can be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How many round trips to time
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rounds: u32,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub struct PeerArguments {
    mechanism: String,
    rest: Vec<String>,
}

/// What one demonstration showed.
struct Report {
    sent: String,
    arrived: String,
    times: Times,
}

/// How a demonstration ended.
enum Ending {
    Shown(Report),
    /// The machine does not have what is optional.
    NotHere(String),
    Failed(Box<dyn Error>),
}

/// What every demonstration is given.
struct Stage {
    rounds: u32,
    directory: Directory,
}

impl Stage {
    /// A name for an object that nobody else uses.
    fn name(&self, what: &str) -> String {
        format!("unipc-demo-{}-{what}", std::process::id())
    }

    fn path(&self, what: &str) -> String {
        self.directory.0.join(what).to_string_lossy().into_owned()
    }
}

/// A directory for sockets and FIFOs, for the owner alone, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> std::io::Result<Directory> {
        use std::os::unix::fs::DirBuilderExt;
        let path = std::env::temp_dir().join(format!("unipc-demo-{}", std::process::id()));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Directory(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The other process. It is killed and collected when the demonstration is over, whatever became of it.
struct Peer(Child);

impl Peer {
    fn start(mechanism: &str, rest: &[&str]) -> Outcome<Peer> {
        Peer::start_with(mechanism, rest, Stdio::null(), Stdio::null())
    }

    fn start_with(mechanism: &str, rest: &[&str], stdin: impl Into<Stdio>, stdout: impl Into<Stdio>) -> Outcome<Peer> {
        let mut command = crate::itself();
        command.arg("__peer").arg(mechanism).args(rest).stdin(stdin).stdout(stdout);
        Ok(Peer(command.spawn().map_err(|error| format!("the second process cannot be started: {error}"))?))
    }

    fn id(&self) -> u32 {
        self.0.id()
    }

    /// Kills it in the middle of what it does.
    fn kill(&mut self) -> Outcome<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Waits for it to end by itself, in good order.
    fn finish(mut self) -> Outcome<()> {
        let start = Instant::now();
        let mut pause = Duration::from_micros(50);
        loop {
            if let Some(status) = self.0.try_wait()? {
                return if status.success() { Ok(()) } else { Err(format!("the second process failed: {status}").into()) };
            }
            if start.elapsed() > PATIENCE {
                return Err("the second process does not end".into());
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn demonstrate(stage: &Stage, mechanism: &str) -> Outcome<Report> {
    match mechanism {
        "pipe" => streams::pipe(stage),
        "fifo" => streams::fifo(stage),
        "transfer" => streams::transferred(stage),
        "unix" => streams::unix(stage, &stage.path("socket")),
        "unix-abstract" => streams::unix(stage, &format!("@{}", stage.name("socket"))),
        "unix-pair" => streams::pair(stage),
        "tcp4" => streams::tcp(stage, "127.0.0.1"),
        "tcp6" => streams::tcp(stage, "::1"),
        "framed" => streams::framed(stage),
        "mq" => messages::mq(stage),
        "sysv-queue" => messages::sysv_queue(stage),
        "datagram" => sockets::datagram(stage),
        "seqpacket" => sockets::seqpacket(stage),
        "udp" => sockets::udp(stage),
        "fd-passing" => sockets::descriptors(stage),
        "memory" => shared::memory(stage),
        "anonymous" => shared::anonymous(stage),
        "memory-file" => shared::file(stage),
        "memfd" => shared::memfd(stage),
        "sysv-memory" => shared::sysv(stage),
        "mutex" => sync::mutex(stage),
        "spinlock" => locks::spinlock(stage),
        "rwlock" => locks::rwlock(stage),
        "condvar" => locks::condvar(stage),
        "event" => locks::event(stage),
        "barrier" => locks::barrier(stage),
        "semaphore" => sync::semaphore(stage),
        "semaphore-recover" => sync::semaphore_recover(stage),
        "posix-semaphore" => sync::posix_semaphore(stage),
        "sysv-semaphores" => semaphores::sysv(stage),
        "futex" => semaphores::futex(stage),
        "eventfd" => events::eventfd(stage),
        "timer" => events::timer(stage),
        "poller" => events::poller(stage),
        "ring" => streams::submitted(stage),
        "signal" => events::signal(stage),
        "process-exit" => events::process_exit(stage),
        "pipeline" => events::pipeline(stage),
        "file-lock" | "flock" | "record-lock" => files::lock(stage, mechanism),
        "file-replace" => files::replaced(stage),
        "file-append" => files::appended(stage),
        other => Err(format!("there is no demonstration of {other}").into()),
    }
}

/// Kernels and sandboxes without io_uring are many, and what it does is done otherwise.
fn is_optional(mechanism: &Mechanism) -> bool {
    mechanism.name == "ring"
}

fn ending_of(stage: &Stage, mechanism: &Mechanism) -> Ending {
    if is_optional(mechanism)
        && let Availability::Unavailable(why) = mechanism.probe()
    {
        return Ending::NotHere(why);
    }
    match demonstrate(stage, mechanism.name) {
        Ok(report) => Ending::Shown(report),
        Err(error) => Ending::Failed(error),
    }
}

/// Plays the other process.
pub fn run_peer(arguments: &PeerArguments) -> u8 {
    let rest: Vec<&str> = arguments.rest.iter().map(String::as_str).collect();
    let outcome = match (arguments.mechanism.as_str(), rest.as_slice()) {
        ("pipe", []) => streams::peer_of_pipe(),
        ("fifo", [there, back]) => streams::peer_of_fifo(there, back),
        ("unix", [path]) => streams::peer_of_unix(path),
        ("unix-pair", []) => streams::peer_of_pair(),
        ("tcp", [host, port]) => streams::peer_of_tcp(host, port),
        ("framed", []) => streams::peer_of_framed(),
        ("mq", [there, back]) => messages::peer_of_mq(there, back),
        ("sysv-queue", [id]) => messages::peer_of_sysv_queue(id),
        ("datagram", [own, other]) => sockets::peer_of_datagram(own, other),
        ("seqpacket", [path]) => sockets::peer_of_seqpacket(path),
        ("udp", [other]) => sockets::peer_of_udp(other),
        ("fd-passing", []) => sockets::peer_of_descriptors(),
        ("memory", [name, rounds]) => shared::peer_of_memory(name, rounds),
        ("memory-file", [path, rounds]) => shared::peer_of_file(path, rounds),
        ("memfd", [rounds]) => shared::peer_of_memfd(rounds),
        ("sysv-memory", [identifier, rounds]) => shared::peer_of_sysv(identifier, rounds),
        ("mutex", [name, rounds]) => sync::peer_of_mutex(name, rounds),
        ("spinlock", [name, rounds]) => locks::peer_of_spinlock(name, rounds),
        ("rwlock", [name, rounds]) => locks::peer_of_rwlock(name, rounds),
        ("condvar", [name, rounds]) => locks::peer_of_condvar(name, rounds),
        ("event", [name, rounds]) => locks::peer_of_event(name, rounds),
        ("barrier", [name, rounds]) => locks::peer_of_barrier(name, rounds),
        ("semaphore", [name, rounds]) => sync::peer_of_semaphore(name, rounds),
        ("semaphore-recover", [name, rounds]) => sync::peer_of_semaphore_recover(name, rounds),
        ("posix-semaphore", [there, back, rounds]) => sync::peer_of_posix_semaphore(there, back, rounds),
        ("sysv-semaphores", [id, rounds]) => semaphores::peer_of_sysv(id, rounds),
        ("futex", [name, rounds]) => semaphores::peer_of_futex(name, rounds),
        ("eventfd", []) => events::peer_of_eventfd(),
        ("signal", []) => events::peer_of_signal(),
        ("exit", []) => Ok(()),
        ("wait", []) => sync::wait_to_be_killed(),
        ("pipeline", []) => events::peer_of_pipeline(),
        ("lock", [name, path, times]) => files::peer_of_lock(name, path, times),
        ("file-replace", [there, back]) => files::peer_of_replaced(there, back),
        ("file-append", [there, back, raw_there, raw_back]) => files::peer_of_appended(there, back, raw_there, raw_back),
        _ => Err("these are no arguments of a demonstration's second process".into()),
    };
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("unipc: second process of {}: {error}", arguments.mechanism);
            1
        }
    }
}

pub fn run(arguments: &Arguments) -> u8 {
    let mut chosen: Vec<&Mechanism> = Vec::new();
    for name in &arguments.only {
        let Some(mechanism) = Mechanism::find(name) else {
            eprintln!("unipc: there is no mechanism {name:?}; there are {}", names());
            return 2;
        };
        chosen.push(mechanism);
    }
    if chosen.is_empty() {
        chosen.extend(mechanisms());
    }
    let directory = match Directory::new() {
        Ok(directory) => directory,
        Err(error) => {
            eprintln!("unipc: no directory for sockets in {}: {error}", std::env::temp_dir().display());
            return 1;
        }
    };
    let stage = Stage { rounds: arguments.rounds, directory };
    let results: Vec<_> = chosen.into_iter().map(|mechanism| (mechanism, ending_of(&stage, mechanism))).collect();
    if arguments.json {
        print_json(&results, stage.rounds);
    } else {
        print_text(&results, stage.rounds);
    }
    if results.iter().any(|(_, ending)| matches!(ending, Ending::Failed(_))) { 1 } else { 0 }
}

fn print_text(results: &[(&Mechanism, Ending)], rounds: u32) {
    let mut rows = vec![["MECHANISM", "SENT", "ARRIVED", "ROUND TRIP", "TO RAW CALLS", "RESULT"].map(str::to_owned)];
    let mut remarks = Vec::new();
    let [mut shown, mut failed, mut not_here] = [0; 3];
    for (mechanism, ending) in results {
        let nothing = |result: &str| [mechanism.name, "-", "-", "-", "-", result].map(str::to_owned);
        rows.push(match ending {
            Ending::Shown(Report { sent, arrived, times }) => {
                shown += 1;
                let ratio = format!("{:.2} x raw", times.ratio());
                [mechanism.name.to_owned(), sent.clone(), arrived.clone(), duration(times.library), ratio, "OK".to_owned()]
            }
            Ending::NotHere(why) => {
                not_here += 1;
                remarks.push(format!("{}: {why}", mechanism.name));
                nothing("NOT HERE")
            }
            Ending::Failed(error) => {
                failed += 1;
                remarks.push(format!("{}: {error}", mechanism.name));
                nothing("FAILED")
            }
        });
    }
    aligned(&rows).iter().chain(&remarks).for_each(|line| print(line));
    let missing = if not_here > 0 { format!(", {not_here} not here") } else { String::new() };
    print(&format!(
        "\n{} mechanisms: {shown} OK, {failed} failed{missing}; round trips are medians of {rounds}, of locks and semaphore-recover: taking and giving back, of file-replace: one replacement\n\
         raw: the same by bare calls of the C library, in the same rounds; that of semaphore-recover loses the unit of a dead process",
        results.len()
    ));
}

fn print_json(results: &[(&Mechanism, Ending)], rounds: u32) {
    let list: Vec<Value> = results
        .iter()
        .map(|(mechanism, ending)| match ending {
            Ending::Shown(report) => json!({
                "mechanism": mechanism.name, "ok": true, "sent": report.sent, "arrived": report.arrived,
                "rounds": rounds, "median_nanoseconds": report.times.library.round() as u64,
                "raw_median_nanoseconds": report.times.raw.round() as u64, "ratio": (report.times.ratio() * 1000.0).round() / 1000.0,
            }),
            Ending::NotHere(why) => json!({ "mechanism": mechanism.name, "ok": Value::Null, "unavailable": why }),
            Ending::Failed(error) => json!({ "mechanism": mechanism.name, "ok": false, "error": error.to_string() }),
        })
        .collect();
    print(&format!("{:#}", Value::from(list)));
}

fn duration(nanoseconds: f64) -> String {
    if nanoseconds < 1000.0 { format!("{nanoseconds:.0} ns") } else { format!("{:.2} µs", nanoseconds / 1000.0) }
}
