//! `unipc mechanisms`: the table of characteristics, and what this machine has of it.

use serde_json::{Map, Value, json};
use unipc::advise::{Mechanism, mechanisms};

use crate::print;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Everything about these only
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Every characteristic of every mechanism
    #[arg(long)]
    all: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> u8 {
    let mut chosen: Vec<&Mechanism> = Vec::new();
    for name in &arguments.names {
        match Mechanism::find(name) {
            Some(mechanism) => chosen.push(mechanism),
            None => {
                eprintln!("unipc: there is no mechanism {name:?}; there are {}", names());
                return 2;
            }
        }
    }
    let in_full = arguments.all || !chosen.is_empty();
    if chosen.is_empty() {
        chosen.extend(mechanisms());
    }
    if arguments.json {
        let list: Vec<Value> = chosen.into_iter().map(as_json).collect();
        print(&format!("{:#}", Value::from(list)));
    } else if in_full {
        chosen.into_iter().for_each(print_in_full);
    } else {
        print_table(&chosen);
        print("\n`unipc mechanisms NAME` tells all fifteen characteristics of one, `unipc mechanisms --all` of each.");
    }
    0
}

/// The names of all mechanisms, for messages.
pub fn names() -> String {
    mechanisms().map(|mechanism| mechanism.name).collect::<Vec<_>>().join(", ")
}

fn as_json(mechanism: &Mechanism) -> Value {
    let availability = mechanism.probe();
    let mut object = Map::new();
    object.insert("name".into(), mechanism.name.into());
    object.insert("title".into(), mechanism.title.into());
    object.insert("shape".into(), mechanism.shape.name().into());
    object.insert("availability".into(), json!({ "state": availability.name(), "detail": availability.detail() }));
    let characteristics = mechanism.characteristics();
    object.extend(characteristics.map(|(name, text)| (name.replace([' ', '-'], "_"), Value::from(text))));
    Value::Object(object)
}

fn print_in_full(mechanism: &Mechanism) {
    print(&format!("{}: {} ({})", mechanism.name, mechanism.title, mechanism.shape.name()));
    print(&format!("  {:<20} {}", "here", mechanism.probe()));
    for (name, text) in mechanism.characteristics() {
        print(&format!("  {name:<20} {text}"));
    }
    print("");
}

/// The characteristics that choose between mechanisms, a line for each mechanism.
fn print_table(mechanisms: &[&Mechanism]) {
    let mut rows = vec![["NAME", "HERE", "RELATEDNESS", "NAMING", "DIRECTION", "BOUNDARIES"].map(str::to_owned)];
    for mechanism in mechanisms {
        let columns = [mechanism.relatedness, mechanism.naming, mechanism.direction, mechanism.boundaries];
        let [relatedness, naming, direction, boundaries] = columns.map(|text| first_clause(text).to_owned());
        rows.push([mechanism.name.to_owned(), mechanism.probe().name().to_owned(), relatedness, naming, direction, boundaries]);
    }
    for line in aligned(&rows) {
        print(&line);
    }
    for mechanism in mechanisms {
        if let Some(detail) = mechanism.probe().detail() {
            print(&format!("{}: {detail}", mechanism.name));
        }
    }
}

fn first_clause(text: &str) -> &str {
    text.split([';', ':']).next().unwrap_or(text)
}

/// Rows as lines whose columns stand below each other.
pub fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(text, width)| format!("{text:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
