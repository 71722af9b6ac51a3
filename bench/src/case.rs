//! What is measured: each mechanism, in each of its metrics, sizes and placements.

/// What the numbers of a case are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// There and back, in nanoseconds.
    RoundTrip,
    /// One way, messages per second.
    Rate,
    /// Nanoseconds per operation.
    Operation,
}

impl Metric {
    /// The name in the results and on the workers' command line.
    pub fn name(self) -> &'static str {
        match self {
            Metric::RoundTrip => "round_trip_ns",
            Metric::Rate => "messages_per_s",
            Metric::Operation => "ns_per_op",
        }
    }

    /// The metric's number for a sample that took `nanoseconds` for `batch` operations.
    pub fn value(self, nanoseconds: f64, batch: usize) -> f64 {
        match self {
            Metric::RoundTrip | Metric::Operation => nanoseconds / batch as f64,
            Metric::Rate => batch as f64 * 1e9 / nanoseconds.max(1.0),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub mechanism: &'static str,
    pub metric: Metric,
    /// Bytes of a message; 0 where there is none.
    pub size: usize,
    /// 1: both processes on one CPU; 2: each on its own.
    pub cores: usize,
    /// Operations in a sample.
    pub batch: usize,
}

const STREAMS: [&str; 4] = ["pipe", "fifo", "unix", "tcp"];
const STREAM_SIZES: [usize; 2] = [64, 65536];

/// A queue has 8 KiB for a message unless its user has privilege.
const MESSAGES: [&str; 5] = ["datagram", "seqpacket", "udp", "mq", "sysv-queue"];
const MESSAGE_SIZES: [usize; 2] = [64, 4096];

/// Operations that are too short for the clock are timed by the thousand. Those that two processes fight for are timed for so long that it does not
/// matter when the second one has woken up; on one core each has turns of the scheduler's.
const BATCH: usize = 1000;
const CONTENDED_BATCH: usize = 300_000;

/// A batch of messages is so long that the one acknowledgement at its end does not count.
fn messages_in_batch(size: usize) -> usize {
    if size < 4096 {
        5000
    } else if size < 65536 {
        1000
    } else {
        200
    }
}

impl Case {
    pub fn has_peer(&self) -> bool {
        self.metric != Metric::Operation || self.mechanism.ends_with("-contended")
    }

    /// How a process waits for the other: in the kernel, or by looking again and again for as long as that pays.
    pub fn wait(&self) -> &'static str {
        if ["spinlock", "spinlock-contended", "barrier"].contains(&self.mechanism) { "spin" } else { "block" }
    }

    /// Whether Python has calls of its own for it.
    pub fn is_in_python(&self) -> bool {
        ["pipe", "fifo", "unix", "tcp", "datagram", "seqpacket", "udp", "file-lock", "eventfd", "signal"].contains(&self.mechanism)
    }

    /// Whether somebody who says `name` means this case: the mechanism, or a variant of it.
    pub fn belongs_to(&self, name: &str) -> bool {
        self.mechanism.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }

    /// What one reads in the table.
    pub fn title(&self) -> &'static str {
        match (self.metric, self.mechanism) {
            (Metric::RoundTrip, _) => "round trip",
            (Metric::Rate, _) => "one way, per second",
            (Metric::Operation, "mutex" | "spinlock" | "rwlock-read" | "rwlock-write" | "file-lock") => "lock and unlock",
            (Metric::Operation, "mutex-contended" | "spinlock-contended") => "lock and unlock, two at it",
            (Metric::Operation, "event") => "set and wait",
            (Metric::Operation, "eventfd") => "add and take",
            (Metric::Operation, "poller") => "add, be told, take",
            (Metric::Operation, "memory") => "copy in and out",
            (Metric::Operation, "timer") => "set and cancel",
            (Metric::Operation, "transfer") => "file to pipe to nowhere",
            (Metric::Operation, "spawn") => "start and wait",
            (Metric::Operation, "fd-passing") => "send and receive",
            (Metric::Operation, _) => "post and wait",
        }
    }
}

/// Every case, those of a mechanism together.
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    let carriers = STREAMS.map(|name| (name, STREAM_SIZES)).into_iter().chain(MESSAGES.map(|name| (name, MESSAGE_SIZES)));
    for (mechanism, sizes) in carriers {
        for metric in [Metric::RoundTrip, Metric::Rate] {
            // UDP loses what comes faster than it is read.
            if metric == Metric::Rate && mechanism == "udp" {
                continue;
            }
            for size in sizes {
                let batch = if metric == Metric::Rate { messages_in_batch(size) } else { 1 };
                cases.extend([1, 2].map(|cores| Case { mechanism, metric, size, cores, batch }));
            }
        }
    }
    let in_memory = |mechanism, metric, cores, batch| Case { mechanism, metric, size: 0, cores, batch };
    for mechanism in ["mutex", "spinlock", "rwlock-read", "rwlock-write", "file-lock"] {
        cases.push(in_memory(mechanism, Metric::Operation, 1, BATCH));
    }
    cases.extend([1, 2].map(|cores| in_memory("mutex-contended", Metric::Operation, cores, CONTENDED_BATCH)));
    // On one core, one that spins waits for the scheduler.
    cases.push(in_memory("spinlock-contended", Metric::Operation, 2, CONTENDED_BATCH));
    let notices = ["semaphore", "posix-semaphore", "sysv-semaphore", "event", "condvar", "barrier", "futex", "eventfd", "poller", "signal"];
    for mechanism in notices {
        // Some take two.
        if !["condvar", "barrier", "futex", "signal"].contains(&mechanism) {
            cases.push(in_memory(mechanism, Metric::Operation, 1, BATCH));
        }
        cases.extend([1, 2].map(|cores| in_memory(mechanism, Metric::RoundTrip, cores, 1)));
    }
    let alone = |mechanism, size, batch| Case { mechanism, metric: Metric::Operation, size, cores: 1, batch };
    cases.extend([alone("fd-passing", 0, 100), alone("transfer", 65536, 100), alone("timer", 0, BATCH), alone("spawn", 0, 1)]);
    cases.extend([64, 4096].map(|size| alone("memory", size, BATCH)));
    cases
}
