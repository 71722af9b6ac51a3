//! `unipc signals`: every signal of this system, what it does by default, and what programs do with it.

use serde_json::{Value, json};
use unipc::event::signal::{self, Signal};

use crate::mechanisms::aligned;
use crate::print;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// These only: names or numbers
    #[arg(value_name = "SIGNAL")]
    wanted: Vec<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> u8 {
    let mut chosen = Vec::new();
    for name in &arguments.wanted {
        match signal::number_of(name).and_then(signal::describe) {
            Some(known) => chosen.push(known),
            None => {
                eprintln!("unipc: there is no signal {name:?}; `unipc signals` lists them");
                return 2;
            }
        }
    }
    if arguments.wanted.is_empty() {
        chosen = signal::signals();
    }
    if arguments.json {
        print(&format!("{:#}", chosen.iter().map(as_json).collect::<Value>()));
        return 0;
    }
    let mut rows = vec![["NUMBER", "NAME", "DEFAULT", "WHEN IT COMES", "USE"].map(str::to_owned)];
    rows.extend(chosen.into_iter().map(|known| {
        [known.number.to_string(), known.name, known.action.name().to_owned(), known.description.to_owned(), known.usage.to_owned()]
    }));
    aligned(&rows).iter().for_each(|line| print(line));
    0
}

fn as_json(known: &Signal) -> Value {
    json!({
        "number": known.number,
        "name": known.name,
        "default_action": known.action.name(),
        "description": known.description,
        "usage": known.usage,
    })
}
