//! The results for people: a table for each mechanism.

use crate::case::{Case, Metric};
use crate::contestant::{ALL, Contestant};
use crate::measure::Results;
use crate::row::{Row, summary};

/// What stands behind a ratio that is notable.
pub const MARK: &str = "!";

/// One mechanism's table: its name, the titles of the columns, and the lines.
pub struct Table {
    pub mechanism: &'static str,
    pub titles: Vec<&'static str>,
    pub lines: Vec<Vec<String>>,
}

fn size(bytes: usize) -> String {
    match bytes {
        0 => "-".to_owned(),
        bytes if bytes.is_multiple_of(1024) => format!("{} KiB", bytes / 1024),
        bytes => format!("{bytes} B"),
    }
}

/// Three digits that count, and a unit.
fn number(metric: Metric, value: f64) -> String {
    let units: &[(f64, &str)] = match metric {
        Metric::Rate => &[(1e6, "M"), (1e3, "k"), (1.0, "")],
        _ => &[(1e6, "ms"), (1e3, "µs"), (1.0, "ns")],
    };
    let (factor, unit) = *units.iter().find(|(factor, _)| value >= *factor).unwrap_or(&(1.0, units[2].1));
    let scaled = value / factor;
    let digits = if scaled < 10.0 { 2 } else { usize::from(scaled < 100.0) };
    format!("{scaled:.digits$} {unit}").trim_end().to_owned()
}

fn columns(results: &Results) -> impl Iterator<Item = Contestant> {
    ALL.into_iter().filter(|who| results.has(*who))
}

fn cells(number_of_case: usize, case: &Case, results: &Results, rows: &[Row]) -> Vec<String> {
    let cores = if case.has_peer() { case.cores.to_string() } else { "-".to_owned() };
    let mut cells = vec![case.title().to_owned(), size(case.size), cores];
    for who in columns(results) {
        let row = rows.iter().find(|row| row.case == number_of_case && row.who == who);
        let own = row.map(|row| row.own).or_else(|| Some(summary(case, results.find(number_of_case, who)?)));
        cells.push(own.map_or("-".to_owned(), |own| number(case.metric, own.p50)));
        if who.language().is_some() {
            cells.push(row.map_or("-".to_owned(), |row| {
                let mark = if row.is_notable() { MARK } else { "" };
                format!("{:.2} {mark}", row.ratio).trim_end().to_owned()
            }));
        }
    }
    cells
}

/// A table for each mechanism.
pub fn tables(cases: &[Case], results: &Results, rows: &[Row]) -> Vec<Table> {
    let mut titles = vec!["what", "size", "cores"];
    for who in columns(results) {
        titles.push(who.title());
        titles.extend(who.language().map(|_| "ratio"));
    }
    let numbered: Vec<(usize, &Case)> = cases.iter().enumerate().collect();
    numbered
        .chunk_by(|(_, one), (_, next)| one.mechanism == next.mechanism)
        .map(|cases| Table {
            mechanism: cases[0].1.mechanism,
            titles: titles.clone(),
            lines: cases.iter().map(|(number, case)| cells(*number, case, results, rows)).collect(),
        })
        .collect()
}

/// Lines with columns that are all as wide as their widest cell in any of the tables.
pub fn text(cases: &[Case], results: &Results, rows: &[Row]) -> String {
    let tables = tables(cases, results, rows);
    let Some(first) = tables.first() else { return String::new() };
    let width = |column: usize| {
        let cells = tables.iter().flat_map(|table| &table.lines).map(|line| line[column].chars().count());
        cells.max().unwrap_or(0).max(first.titles[column].len())
    };
    let widths: Vec<usize> = (0..first.titles.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let mut text = String::new();
    for table in &tables {
        text += &format!("\n{}\n", table.mechanism);
        text += &line(&table.titles);
        for cells in &table.lines {
            text += &line(&cells.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
    text + "\nMedians; a ratio above 1 is slower than the raw calls, and "
        + MARK
        + " says that it is by more than 3 % and by more than the spread.\n"
}
