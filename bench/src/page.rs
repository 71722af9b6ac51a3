//! The page docs/measured.md, which `make bench` writes.

use crate::case::Case;
use crate::machine::Machine;
use crate::measure::Results;
use crate::row::Row;
use crate::table::{MARK, Table, tables};

const HEAD: &str = "# Measured\n\n\
What unipc costs beside the bare calls of the system, in each language. `make bench` measures it again, on your machine, in a few minutes, and\n\
puts every number into `target/bench.json`; `make bench BENCH=--write-docs` writes this page, too.\n";

const METHOD: &str = "## How\n\n\
- Two real processes, each pinned to a CPU; *cores* says whether they share one (1) or have one each (2). A wait is in the\n  \
  kernel; of *spinlock* and *barrier* it begins with some microseconds of spinning where there is more than one processor.\n\
- *raw C* is what a careful C programmer writes without a library: `write` and `read`, `send` and `recv`, a robust process-shared\n  \
  `pthread_mutex_t`, `sem_t`, the system call of the mechanism; `target/bench.json` names the calls of each row. *raw Python* is `os.write` and `os.read`, the methods of `socket`. All waits of unipc are for ever, which is what the bare\n  \
  calls do. The programs are in `bench/`.\n\
- **ratio** is that to raw C, for streams in Python that to raw Python. Above 1 is always slower, also where more per second is better.\n\
- In each round every language runs each case once, next to its reference, in an order that rotates; so what drifts, drifts for all. A number is the median\n  \
  over the rounds of each round's median.\n\
- A ratio has the mark `!` if it is above 1.03 and the difference is larger than the spread: the distance between the first and the third quarter of\n  \
  the rounds, of either side.\n\
- Every message carries its number in its first and last byte, and is looked at by the receiver; before the clock runs, one message is compared byte by\n  \
  byte. *One way* ends when the receiver says that it has read all of a batch.\n\
- *Two at it*: both processes add to one number under the lock, without a pause, until it is reached; the time is that of one addition. A lock\n  \
  that lets the last holder in again is faster here than one that takes turns.\n\
- Operations below a microsecond are timed by the thousand, or more.\n\
- `target/bench.json` also has the p99 and p99.9 of all samples (of a rate: what so many of the batches reach), and the spread, in the unit of the metric.\n";

/// The differences that are the price of something, so that nobody has to guess.
const REASONS: &str = "## Why, where it costs\n\n\
- *semaphore* and *futex*, round trip: a wait sleeps half a second at most and looks again, so a poster that is killed between its post and its wake-up strands nobody.\n  \
  The timer that the kernel sets for that is the difference; with `sem_wait` such a waiter sleeps for ever.\n\
- *posix-semaphore, post and wait* from C: a `sem_t` is the C library's, so that other programs can share it; there is one more call between.\n\
- *event*, *condvar*, *barrier*, round trip: the same half second at most, and a look for dead parties; a condition variable's mutex is robust on both sides.\n\
- *eventfd*, *poller*, round trip: a counter of ours does not block, so that no other adder or taker makes a call wait longer than it wants; to wait is a poll and a\n  \
read.\n\
- *spawn*: the child is born with its pidfd, gets no descriptor by accident and no blocked signal; `posix_spawn` leaves all that to the caller.\n\
- *transfer*: it is asked what the two ends are, each time, to choose the way.\n\
- *memory*, small: the place is checked; the C compiler writes a known `memcpy` in place.\n\
- *spinlock*, *rwlock* from C: who holds it is written down, by a number that each thread keeps for itself; in a shared library that is a call. The pthread\n  \
  ones know no holder, and a dead one blocks everybody.\n\
- *seqpacket*: an empty message is told from the end by `recvmsg` and a time stamp; `recv` cannot tell them apart.\n\
- *pipe* and *fifo*: a write must not kill the process by SIGPIPE. A program that says that it ignores the signal (`unipc_ignore_sigpipe`, as measured here)\n  \
  gets a plain `write`; without that it is `pwritev2` with a flag, 0.1 \u{b5}s more on the machine above. Python ignores SIGPIPE by itself.\n\
- *Python*: a method call, the conversion of its arguments and the check for signals cost 0.1 to 0.2 \u{b5}s, and a wait lets go of the interpreter lock. It reads\n  \
  into a fresh `bytes`; `read_into` a buffer of yours saves that.\n";

fn markdown(table: &Table) -> String {
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let ruler: Vec<&str> = (0..table.titles.len()).map(|column| if column == 0 { "---" } else { "---:" }).collect();
    let mut text = format!("\n### {}\n\n", table.mechanism);
    text += &line(table.titles.clone());
    text += &format!("|{}|\n", ruler.join("|"));
    for cells in &table.lines {
        text += &line(cells.iter().map(String::as_str).collect());
    }
    text
}

fn place(machine: &Machine, rounds: usize) -> String {
    let python = machine.python.as_deref().unwrap_or("no Python");
    let other = machine.cpus.1.map_or_else(|| "no other".to_owned(), |cpu| cpu.to_string());
    format!(
        "## Where\n\n{}, {} cores (CPU {} and {other} were used); Linux {}; {}; {}; {python}; {}. {rounds} rounds.\n",
        machine.cpu, machine.cores, machine.cpus.0, machine.kernel, machine.rustc, machine.cc, machine.date
    )
}

/// How many ratios there are, and how many of them have the mark.
fn summary(rows: &[Row]) -> String {
    let marked = rows.iter().filter(|row| row.is_notable()).count();
    format!("{} ratios; {marked} of them have the mark `{MARK}`.\n", rows.len())
}

/// The whole page.
pub fn page(machine: &Machine, cases: &[Case], results: &Results, rows: &[Row]) -> String {
    let tables: String = tables(cases, results, rows).iter().map(markdown).collect();
    [HEAD, METHOD, &place(machine, results.rounds), REASONS, &format!("## What\n\n{}{tables}", summary(rows))].join("\n")
}
