//! Measures each mechanism in each language beside raw C, always between two real processes, in one interleaved run.
//!
//! A machine drifts: its clock, its caches, its other tenants. So nothing is compared with a number of another hour: in every round each language
//! runs each case once, next to its reference, in an order that rotates; what is told are medians over the rounds, and ratios.

mod case;
mod contestant;
mod launch;
mod machine;
mod measure;
mod page;
mod place;
mod row;
mod table;
mod worker;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};

use case::Case;
use contestant::Contestants;
use machine::Machine;
use row::Row;

/// Measures unipc beside raw C
#[derive(Debug, Parser)]
#[command(name = "unipc-bench", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    /// The Rust worker
    #[command(hide = true)]
    Worker(worker::Job),
}

#[derive(Debug, clap::Args)]
struct Run {
    /// The directory of libunipc.so; by default that of this program
    #[arg(long, value_name = "DIRECTORY")]
    libraries: Option<PathBuf>,
    /// A Python that has the package installed; without it Python is skipped
    #[arg(long, value_name = "PROGRAM")]
    python: Option<PathBuf>,
    /// A bounded run, under a minute
    #[arg(long)]
    quick: bool,
    /// One case of each metric of each mechanism, once: whether it works here, not what it costs
    #[arg(long, conflicts_with_all = ["quick", "write_docs"])]
    smoke: bool,
    /// Only this mechanism; can be given several times
    #[arg(long, value_name = "MECHANISM")]
    only: Vec<String>,
    /// How often each language runs each case
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// How long one worker may measure, in milliseconds
    #[arg(long, value_name = "MS")]
    budget: Option<u64>,
    /// Where the results go as JSON
    #[arg(long, value_name = "FILE", default_value = "target/bench.json")]
    json: PathBuf,
    /// Prints the page of docs/measured.md instead of the table
    #[arg(long)]
    markdown: bool,
    /// Writes docs/measured.md, which tells of everything and of Python too
    #[arg(long, requires = "python", conflicts_with = "only")]
    write_docs: bool,
}

impl Run {
    fn plan(&self) -> measure::Plan {
        let (rounds, budget_ms, seconds) = match (self.smoke, self.quick) {
            (true, _) => (1, 0, 0),
            (_, true) => (3, 15, 45),
            _ => (11, 50, 330),
        };
        measure::Plan {
            calibrates: !self.smoke,
            rounds: self.rounds.unwrap_or(rounds),
            budget_ms: self.budget.unwrap_or(budget_ms),
            limit: Duration::from_secs(seconds),
        }
    }

    /// The cases that are asked for and that this machine can run.
    fn cases(&self, machine: &Machine) -> Result<Vec<Case>, String> {
        let all = case::all();
        for name in &self.only {
            if !all.iter().any(|case| case.belongs_to(name)) {
                let mut names: Vec<_> = all.iter().map(|case| case.mechanism).collect();
                names.dedup();
                return Err(format!("there is no mechanism {name:?}; there are {}", names.join(", ")));
            }
        }
        let is_wanted = |case: &Case| self.only.is_empty() || self.only.iter().any(|name| case.belongs_to(name));
        let mut cases: Vec<Case> = all.into_iter().filter(is_wanted).collect();
        if self.smoke {
            cases.dedup_by_key(|case| (case.mechanism, case.metric.name()));
        }
        if machine.cpus.1.is_none() {
            eprintln!("unipc-bench: there is one CPU; nothing is measured between two");
            cases.retain(|case| case.cores == 1);
        }
        Ok(cases)
    }
}

/// The root of the source tree, where the C and Python workers and the pages are.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn document(machine: &Machine, rows: &[Row]) -> String {
    let rows: Vec<Value> = rows.iter().map(Row::to_json).collect();
    format!("{:#}\n", json!({ "machine": machine.to_json(), "rows": rows }))
}

fn run(arguments: &Run) -> Result<bool, String> {
    let machine = Machine::look(arguments.python.as_deref());
    let cases = arguments.cases(&machine)?;
    let place = place::Place::new()?;
    let contestants = Contestants::prepare(&place, arguments.libraries.as_deref(), arguments.python.as_deref())?;
    if arguments.python.is_none() {
        eprintln!("unipc-bench: PYTHON IS SKIPPED: --python says where one with the package is");
    }
    let plan = arguments.plan();
    let results = measure::run(&plan, &cases, &contestants, &machine, &place);
    let rows = row::rows(&cases, &results);
    write(&arguments.json, &document(&machine, &rows))?;
    let page = page::page(&machine, &cases, &results, &rows);
    if arguments.write_docs && results.failures == 0 {
        write(&root().join("docs/measured.md"), &page)?;
    }
    if arguments.markdown {
        print!("{page}");
    } else {
        print!("{}", table::text(&cases, &results, &rows));
    }
    if results.failures > 0 {
        eprintln!("unipc-bench: {} workers FAILED, see above; their numbers are missing", results.failures);
    }
    Ok(results.failures == 0)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Part::Worker(job)) = &arguments.part {
        return worker::run(job);
    }
    match run(&arguments.run) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("unipc-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
