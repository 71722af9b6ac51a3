//! The interleaved run.

use std::time::{Duration, Instant};

use crate::case::{Case, Metric};
use crate::contestant::{Contestant, Contestants};
use crate::launch;
use crate::machine::Machine;
use crate::place::Place;

/// What one worker may take at most, whatever was asked of it. It measures for a tenth of a second.
const LIMIT: Duration = Duration::from_secs(20);

/// Few enough that a run on a fast machine does not become longer, many enough for a p99.9.
const MOST_SAMPLES: usize = 5000;
const FEWEST_SAMPLES: usize = 3;

#[derive(Debug)]
pub struct Plan {
    pub rounds: u32,
    /// Whether it is tried at first how many samples fit into the budget.
    pub calibrates: bool,
    /// How long one worker may measure.
    pub budget_ms: u64,
    /// No further round begins that would probably end after this.
    pub limit: Duration,
}

/// What one contestant took for one case.
#[derive(Debug)]
pub struct Result {
    pub case: usize,
    pub who: Contestant,
    /// Nanoseconds of each sample, round by round.
    pub rounds: Vec<Vec<u64>>,
    /// What calibration says that a sample takes.
    cost: u64,
    has_failed: bool,
}

#[derive(Debug)]
pub struct Results {
    pub list: Vec<Result>,
    pub rounds: usize,
    /// How many workers have failed; each was told when it did.
    pub failures: usize,
}

impl Results {
    pub fn find(&self, case: usize, who: Contestant) -> Option<&Result> {
        self.list.iter().find(|result| result.case == case && result.who == who && !result.rounds.is_empty())
    }

    pub fn has(&self, who: Contestant) -> bool {
        self.list.iter().any(|result| result.who == who)
    }
}

struct Runner<'a> {
    cases: &'a [Case],
    contestants: &'a Contestants,
    machine: &'a Machine,
    place: &'a Place,
    failures: usize,
}

impl Runner<'_> {
    /// Starts a worker once. What fails is told, and not tried again: it would take its whole limit each time.
    fn run(&mut self, result: &mut Result, samples: usize) -> Option<Vec<u64>> {
        if result.has_failed {
            return None;
        }
        let case = &self.cases[result.case];
        let mut command = self.contestants.command(result.who, case, samples, self.machine.place(case.cores));
        let outcome = self.place.fresh().and_then(|directory| {
            let times = launch::samples(&mut command, &directory, LIMIT)?;
            if times.len() == samples { Ok(times) } else { Err(format!("printed {} samples instead of {samples}", times.len())) }
        });
        outcome
            .map_err(|error| {
                let (place, who) = (format!("{} bytes, cores: {}", case.size, case.cores), result.who.title());
                eprintln!("unipc-bench: {who}, {}, {}, {place}: {error}", case.mechanism, case.title());
                self.failures += 1;
                result.has_failed = true;
            })
            .ok()
    }
}

/// Enough to see what a sample takes.
fn trial(case: &Case) -> usize {
    if case.metric == Metric::RoundTrip { 50 } else { 3 }
}

/// As many samples as the slowest can do in the time, and the same number for all: a p99.9 of few samples is another thing than one of many.
fn samples(plan: &Plan, case: usize, list: &[Result]) -> usize {
    let slowest = list.iter().filter(|result| result.case == case).map(|result| result.cost).max().unwrap_or(1).max(1);
    usize::try_from(plan.budget_ms * 1_000_000 / slowest).unwrap_or(MOST_SAMPLES).clamp(FEWEST_SAMPLES, MOST_SAMPLES)
}

/// Runs every case in every language once, then all of that again, round after round. The order rotates, so that nobody always comes first or always
/// behind the same other.
pub fn run(plan: &Plan, cases: &[Case], contestants: &Contestants, machine: &Machine, place: &Place) -> Results {
    let start = Instant::now();
    let mut runner = Runner { cases, contestants, machine, place, failures: 0 };
    let mut list = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        for who in contestants.present().filter(|who| who.runs(case)) {
            list.push(Result { case: number, who, rounds: Vec::new(), cost: 0, has_failed: false });
        }
    }
    let calibrating = if plan.calibrates { "; calibrating" } else { "" };
    eprintln!("unipc-bench: {} workers a round, {} rounds{calibrating}", list.len(), plan.rounds);
    for result in list.iter_mut().filter(|_| plan.calibrates) {
        if let Some(mut times) = runner.run(result, trial(&cases[result.case])) {
            times.sort_unstable();
            result.cost = times[times.len() / 2];
        }
    }
    let samples: Vec<usize> = (0..cases.len()).map(|case| samples(plan, case, &list)).collect();
    let mut rounds = 0;
    while rounds < plan.rounds as usize {
        let start_of_round = Instant::now();
        eprintln!("unipc-bench: round {} of {}", rounds + 1, plan.rounds);
        run_round(&mut runner, &mut list, &samples, rounds);
        rounds += 1;
        if rounds < plan.rounds as usize && start.elapsed() + start_of_round.elapsed() > plan.limit {
            eprintln!("unipc-bench: the time is up after {rounds} rounds");
            break;
        }
    }
    Results { list, rounds, failures: runner.failures }
}

fn run_round(runner: &mut Runner<'_>, list: &mut [Result], samples: &[usize], round: usize) {
    for of_case in list.chunk_by_mut(|one, next| one.case == next.case) {
        for turn in 0..of_case.len() {
            let result = &mut of_case[(turn + round) % of_case.len()];
            if let Some(times) = runner.run(result, samples[result.case]) {
                result.rounds.push(times);
            }
        }
    }
}
