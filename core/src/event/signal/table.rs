//! The signals of this system, as data: [signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html).

use std::ops::RangeInclusive;

/// What a signal does to a process that has not said what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DefaultAction {
    /// The process ends.
    Terminate,
    /// The process ends and leaves a core dump, where that is allowed.
    Core,
    /// Nothing.
    Ignore,
    /// The process stops.
    Stop,
    /// The process goes on if it was stopped.
    Continue,
}

impl DefaultAction {
    /// One word for it.
    pub fn name(self) -> &'static str {
        match self {
            DefaultAction::Terminate => "terminate",
            DefaultAction::Core => "core dump",
            DefaultAction::Ignore => "ignore",
            DefaultAction::Stop => "stop",
            DefaultAction::Continue => "continue",
        }
    }
}

/// A signal and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// Its number on this system.
    pub number: i32,
    /// `SIGUSR1`, `SIGRTMIN+3`.
    pub name: String,
    /// What it does to a process that has not said otherwise.
    pub action: DefaultAction,
    /// When it comes.
    pub description: &'static str,
    /// What programs do with it.
    pub usage: &'static str,
}

type Row = (i32, &'static str, DefaultAction, &'static str, &'static str);

use DefaultAction::{Continue, Core, Ignore, Stop, Terminate};

#[rustfmt::skip]
const STANDARD: &[Row] = &[
    (libc::SIGHUP, "SIGHUP", Terminate, "the terminal was closed", "a daemon reads its configuration anew"),
    (libc::SIGINT, "SIGINT", Terminate, "interrupt from the keyboard (Ctrl-C)", "end what is under way, in good order"),
    (libc::SIGQUIT, "SIGQUIT", Core, "quit from the keyboard (Ctrl-\\)", "end at once and leave a core dump"),
    (libc::SIGILL, "SIGILL", Core, "an instruction that does not exist", "a bug; do not catch"),
    (libc::SIGTRAP, "SIGTRAP", Core, "a breakpoint or trace trap", "debuggers"),
    (libc::SIGABRT, "SIGABRT", Core, "abort was called", "the program found itself broken"),
    (libc::SIGBUS, "SIGBUS", Core, "memory that is not there: a mapped file was shortened", "a bug, or a peer that shrank a memory"),
    (libc::SIGFPE, "SIGFPE", Core, "arithmetic without a result: division by zero", "a bug; do not catch"),
    (libc::SIGKILL, "SIGKILL", Terminate, "end; cannot be caught, blocked or ignored", "the last resort: nothing is cleaned up"),
    (libc::SIGUSR1, "SIGUSR1", Terminate, "whatever the program says", "free for use; say what it means"),
    (libc::SIGSEGV, "SIGSEGV", Core, "memory that the process may not touch", "a bug; do not catch"),
    (libc::SIGUSR2, "SIGUSR2", Terminate, "whatever the program says", "free for use; say what it means"),
    (libc::SIGPIPE, "SIGPIPE", Terminate, "a pipe was written to that nobody reads", "filters end with it; servers look at EPIPE"),
    (libc::SIGALRM, "SIGALRM", Terminate, "the timer of alarm or setitimer", "a limit in time; a timerfd is easier"),
    (libc::SIGTERM, "SIGTERM", Terminate, "the polite request to end", "finish, clean up, exit"),
    #[cfg(any(target_arch = "x86", target_arch = "x86_64", target_arch = "arm", target_arch = "aarch64", target_arch = "riscv64"))]
    (libc::SIGSTKFLT, "SIGSTKFLT", Terminate, "unused: a fault of the coprocessor's stack", "none"),
    (libc::SIGCHLD, "SIGCHLD", Ignore, "a child has ended, stopped or gone on", "wait for children; several may share one signal"),
    (libc::SIGCONT, "SIGCONT", Continue, "go on after a stop", "job control; repaint the terminal"),
    (libc::SIGSTOP, "SIGSTOP", Stop, "stop; cannot be caught, blocked or ignored", "hold a process still"),
    (libc::SIGTSTP, "SIGTSTP", Stop, "stop from the keyboard (Ctrl-Z)", "job control"),
    (libc::SIGTTIN, "SIGTTIN", Stop, "a background process reads from the terminal", "job control"),
    (libc::SIGTTOU, "SIGTTOU", Stop, "a background process writes to the terminal", "job control"),
    (libc::SIGURG, "SIGURG", Ignore, "urgent data on a socket", "rare"),
    (libc::SIGXCPU, "SIGXCPU", Core, "the limit of CPU time is exceeded", "save and end"),
    (libc::SIGXFSZ, "SIGXFSZ", Core, "the limit of a file's size is exceeded", "ignore it and look at EFBIG"),
    (libc::SIGVTALRM, "SIGVTALRM", Terminate, "the timer of the process's CPU time", "profilers"),
    (libc::SIGPROF, "SIGPROF", Terminate, "the timer of profilers", "profilers"),
    (libc::SIGWINCH, "SIGWINCH", Ignore, "the terminal has another size", "draw anew"),
    (libc::SIGIO, "SIGIO", Terminate, "a descriptor is ready, where that was asked for", "poll and epoll are easier"),
    (libc::SIGPWR, "SIGPWR", Terminate, "the power fails", "an init process shuts down"),
    (libc::SIGSYS, "SIGSYS", Core, "a system call that does not exist or is forbidden", "sandboxes"),
];

/// The numbers of the real-time signals, without those that the C library keeps for itself.
pub fn real_time() -> RangeInclusive<i32> {
    libc::SIGRTMIN()..=libc::SIGRTMAX()
}

/// The largest number of a signal.
pub(super) const LARGEST: i32 = 64;

/// Every signal of this system, by number.
pub fn signals() -> Vec<Signal> {
    (1..=LARGEST).filter_map(describe).collect()
}

/// What is known of a signal; `None` for a number that is none, and for the two that the C library keeps for itself.
pub fn describe(number: i32) -> Option<Signal> {
    if let Some((number, name, action, description, usage)) = STANDARD.iter().copied().find(|row| row.0 == number) {
        return Some(Signal { number, name: name.to_owned(), action, description, usage });
    }
    real_time().contains(&number).then(|| Signal {
        number,
        name: real_time_name(number),
        action: Terminate,
        description: "real-time: queued, in order, with a value",
        usage: "free for use; say what it means",
    })
}

/// As `kill -l` names them: the lower half from the first, the upper half from the last.
fn real_time_name(number: i32) -> String {
    let (first, last) = real_time().into_inner();
    match (number - first, last - number) {
        (0, _) => "SIGRTMIN".to_owned(),
        (_, 0) => "SIGRTMAX".to_owned(),
        (up, down) if up <= down => format!("SIGRTMIN+{up}"),
        (_, down) => format!("SIGRTMAX-{down}"),
    }
}

/// The number of a signal: `SIGTERM`, `TERM`, `term`, `15`, `SIGRTMIN+3`, and the other names `SIGIOT`, `SIGPOLL`, `SIGCLD`.
pub fn number_of(name: &str) -> Option<i32> {
    let name = name.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    if let Ok(number) = name.parse() {
        return describe(number).map(|signal| signal.number);
    }
    let name = match name {
        "IOT" => "ABRT",
        "POLL" => "IO",
        "CLD" => "CHLD",
        other => other,
    };
    if let Some(row) = STANDARD.iter().find(|row| &row.1[3..] == name) {
        return Some(row.0);
    }
    let (first, last) = real_time().into_inner();
    let number = match name.split_at_checked(5)? {
        ("RTMIN", "") => first,
        ("RTMAX", "") => last,
        ("RTMIN", rest) => first.checked_add(rest.strip_prefix('+')?.parse().ok()?)?,
        ("RTMAX", rest) => last.checked_sub(rest.strip_prefix('-')?.parse().ok()?)?,
        _ => return None,
    };
    real_time().contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_inverse() {
        let all = signals();
        assert_eq!(all.iter().filter(|signal| !real_time().contains(&signal.number)).count(), STANDARD.len());
        for signal in all {
            assert_eq!(number_of(&signal.name), Some(signal.number), "{signal:?}");
            assert_eq!(number_of(&signal.name[3..].to_lowercase()), Some(signal.number));
            assert_eq!(number_of(&signal.number.to_string()), Some(signal.number));
        }
        assert_eq!(number_of("SIGRTMIN+20"), Some(libc::SIGRTMIN() + 20));
        for nonsense in [
            "",
            "SIG",
            "0",
            "-1",
            "32",
            "33",
            "65",
            "USR3",
            "RTMIN-1",
            "RTMIN+31",
            "RTMAX-31",
            "RTMAX+1",
            "RTMIN+99999999999",
            "é",
            "RTMI\u{e9}",
        ] {
            assert_eq!(number_of(nonsense), None, "{nonsense}");
        }
    }
}
