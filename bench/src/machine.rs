//! Where it was measured: without that, a number says little.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

#[derive(Debug)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub kernel: String,
    pub date: String,
    pub rustc: String,
    pub cc: String,
    pub python: Option<String>,
    /// The CPU of the measuring process, and one for its peer that is not the same core.
    pub cpus: (usize, Option<usize>),
}

impl Machine {
    pub fn look(python: Option<&Path>) -> Machine {
        let cpus = allowed();
        Machine {
            cpu: model(),
            cores: cpus.len(),
            kernel: read("/proc/sys/kernel/osrelease"),
            date: first_line(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"])),
            rustc: first_line(Command::new("rustc").arg("--version")),
            cc: first_line(Command::new("cc").arg("--version")),
            python: python.map(|program| first_line(Command::new(program).arg("--version"))),
            cpus: pair(&cpus),
        }
    }

    pub fn to_json(&self) -> Value {
        json!({
            "cpu": self.cpu, "cores": self.cores, "kernel": self.kernel, "date": self.date, "rustc": self.rustc, "cc": self.cc,
            "python": self.python,
        })
    }

    /// The CPUs of both processes of a case on so many cores.
    pub fn place(&self, cores: usize) -> (usize, usize) {
        let (own, other) = self.cpus;
        (own, if cores == 2 { other.unwrap_or(own) } else { own })
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn first_line(command: &mut Command) -> String {
    let Ok(output) = command.output() else { return "unknown".to_owned() };
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or("unknown").to_owned()
}

fn model() -> String {
    let text = read("/proc/cpuinfo");
    let line = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    line.map_or(std::env::consts::ARCH, |(_, name)| name.trim()).to_owned()
}

/// The CPUs that we may run on.
fn allowed() -> Vec<usize> {
    // SAFETY: zero bytes are an empty set of CPUs.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is valid to write to, and of the size that is told.
    if unsafe { libc::sched_getaffinity(0, size_of_val(&set), &mut set) } != 0 {
        return vec![0];
    }
    // SAFETY: CPU_ISSET checks its index.
    (0..libc::CPU_SETSIZE as usize).filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) }).collect()
}

/// Two threads of one core share its caches and its units, and are no two cores; they are taken only if there is nothing else.
fn pair(cpus: &[usize]) -> (usize, Option<usize>) {
    let first = cpus.first().copied().unwrap_or(0);
    let core = |cpu| read(&format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"));
    let other = cpus.iter().skip(1).find(|cpu| core(**cpu) != core(first)).or(cpus.get(1));
    (first, other.copied())
}
