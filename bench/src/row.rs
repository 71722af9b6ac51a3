//! One line of the results: what a language took for a case, beside its reference.

use serde_json::{Value, json};

use crate::case::{Case, Metric};
use crate::contestant::{Contestant, calls};
use crate::measure::{Result, Results};

/// Above this a ratio is worth a look, if the difference is also larger than the spread.
pub const NOTABLE: f64 = 1.03;

/// What became of the samples of one contestant in one case, in the unit of the metric.
#[derive(Debug, Clone, Copy)]
pub struct Summary {
    /// The median over the rounds of each round's median.
    pub p50: f64,
    /// Over the samples of all rounds; of a rate: what 99 % of the batches reach.
    pub p99: f64,
    pub p999: f64,
    /// The distance between the first and the third quarter of the rounds' medians.
    pub spread: f64,
}

#[derive(Debug)]
pub struct Row {
    pub case: usize,
    pub who: Contestant,
    pub own: Summary,
    pub reference: Summary,
    /// Above 1 is slower, whatever the metric.
    pub ratio: f64,
    of: Case,
}

/// The value below which a share of a sorted list lies (nearest rank). The list is not empty.
fn quantile<T: Copy>(sorted: &[T], share: f64) -> T {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// Each element of `rounds` has samples.
pub fn summary(case: &Case, result: &Result) -> Summary {
    let value = |time: u64| case.metric.value(time as f64, case.batch);
    let mut medians: Vec<u64> = result
        .rounds
        .iter()
        .map(|times| {
            let mut times = times.clone();
            times.sort_unstable();
            quantile(&times, 0.5)
        })
        .collect();
    medians.sort_unstable();
    let mut all = result.rounds.concat();
    all.sort_unstable();
    Summary {
        p50: value(quantile(&medians, 0.5)),
        p99: value(quantile(&all, 0.99)),
        p999: value(quantile(&all, 0.999)),
        spread: (value(quantile(&medians, 0.75)) - value(quantile(&medians, 0.25))).abs(),
    }
}

fn row(number: usize, case: &Case, who: Contestant, results: &Results) -> Option<Row> {
    who.language()?;
    let own = summary(case, results.find(number, who)?);
    let reference = summary(case, results.find(number, who.reference(case))?);
    let ratio = if case.metric == Metric::Rate { reference.p50 / own.p50 } else { own.p50 / reference.p50 };
    Some(Row { case: number, who, own, reference, ratio, of: *case })
}

pub fn rows(cases: &[Case], results: &Results) -> Vec<Row> {
    results.list.iter().filter_map(|result| row(result.case, &cases[result.case], result.who, results)).collect()
}

impl Row {
    /// Slower than the reference, by more than what a repetition varies.
    pub fn is_notable(&self) -> bool {
        let difference = (self.own.p50 - self.reference.p50).abs();
        self.ratio > NOTABLE && difference > self.own.spread.max(self.reference.spread)
    }

    pub fn to_json(&self) -> Value {
        // Locks take a few nanoseconds: with fewer digits the ratio would not be that of the numbers beside it.
        let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
        json!({
            "mechanism": self.of.mechanism,
            "language": self.who.language(),
            "size": self.of.size,
            "cores": self.of.cores,
            "wait": self.of.wait(),
            "metric": self.of.metric.name(),
            "p50": rounded(self.own.p50),
            "p99": rounded(self.own.p99),
            "p999": rounded(self.own.p999),
            "spread": rounded(self.own.spread),
            "reference": calls(self.who.reference(&self.of), &self.of),
            "reference_p50": rounded(self.reference.p50),
            "ratio": rounded(self.ratio),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_elements() {
        let list: Vec<u32> = (1..=1000).collect();
        assert_eq!([0.0, 0.5, 0.99, 0.999, 1.0].map(|share| quantile(&list, share)), [1, 500, 990, 999, 1000]);
        assert_eq!([0.25, 0.5, 0.75, 0.999].map(|share| quantile(&[7, 8, 9], share)), [7, 8, 9, 9]);
        assert_eq!(quantile(&[7], 0.5), 7);
    }
}
