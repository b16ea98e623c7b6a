//! Plays simulated histories of the engine: `cargo xtask sim --cases 1000000`, or one of them, `--seed S --trace`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use orch_supervisor::sim::{Case, Counters, Law, Played, Violation, simulate};

const USAGE: &str = "\
usage: sim --cases N [--from SEED] [--threads N] [--all]
       sim --seed SEED [--size N] [--faults N] [--trace]";

/// Every so many cases one is played twice, to see that it goes the same way.
const TWICE: u64 = 16;

#[derive(Default)]
struct Arguments {
    cases: u64,
    from: u64,
    threads: u64,
    seed: Option<u64>,
    size: Option<u32>,
    faults: Option<u32>,
    trace: bool,
    /// Goes on after a failure, and lists all laws that do not hold.
    all: bool,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match arguments.seed {
        Some(seed) => replay(seed, &arguments),
        None => play_many(&arguments),
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments { threads: 2, ..Arguments::default() };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--cases" => arguments.cases = number(&value()?)?,
            "--from" => arguments.from = number(&value()?)?,
            "--threads" => arguments.threads = number::<u64>(&value()?)?.max(1),
            "--seed" => arguments.seed = Some(number(&value()?)?),
            "--size" => arguments.size = Some(number(&value()?)?),
            "--faults" => arguments.faults = Some(number(&value()?)?),
            "--all" => arguments.all = true,
            "--trace" => arguments.trace = true,
            other => return Err(format!("there is no argument `{other}`")),
        }
    }
    if arguments.seed.is_none() && arguments.cases == 0 {
        return Err("say how many cases, or which seed".to_owned());
    }
    Ok(arguments)
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

fn replay(seed: u64, arguments: &Arguments) -> ExitCode {
    let mut case = Case::numbered(seed);
    case.size = arguments.size.unwrap_or(case.size);
    case.faults = arguments.faults.unwrap_or(case.faults);
    let played = simulate(case, arguments.trace);
    for line in &played.trace {
        say(line);
    }
    match played.violation {
        None => {
            say(&format!("{case}: all laws hold\n{}", played.counters));
            ExitCode::SUCCESS
        }
        Some(violation) => {
            say(&format!("{case}: {violation}"));
            ExitCode::FAILURE
        }
    }
}

/// What all threads have seen together.
#[derive(Default)]
struct Seen {
    next: AtomicU64,
    played: AtomicU64,
    stop: AtomicBool,
    counters: Mutex<Counters>,
    /// Per law that did not hold: how often, and the first time.
    failed: Mutex<BTreeMap<Law, (u64, Case, Violation)>>,
}

fn play_many(arguments: &Arguments) -> ExitCode {
    // A panic is reported as a violation, with the case that leads to it.
    std::panic::set_hook(Box::new(|_| {}));
    let seen = Seen::default();
    let since = clock();
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| play_some(arguments, &seen));
        }
    });
    let seconds = clock().duration_since(since).as_secs_f64();
    let played = seen.played.load(Ordering::SeqCst);
    let counters = seen.counters.into_inner().unwrap_or_default();
    say(&format!(
        "{counters}{played} cases in {seconds:.1} s, {:.0} cases/s",
        played as f64 / seconds
    ));
    let failed = seen.failed.into_inner().unwrap_or_default();
    for (times, case, violation) in failed.values() {
        say(&format!("{times} times {violation}\n  replay with: cargo xtask sim {case} --trace"));
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the speed of the simulator is that of the real clock"
)]
fn clock() -> std::time::Instant {
    std::time::Instant::now()
}

fn play_some(arguments: &Arguments, seen: &Seen) {
    let mut counters = Counters::default();
    while !seen.stop.load(Ordering::Relaxed) {
        let number = seen.next.fetch_add(1, Ordering::SeqCst);
        if number >= arguments.cases {
            break;
        }
        let case = Case::numbered(arguments.from + number);
        let played = simulate(case, false);
        counters.add(&played.counters);
        let done = seen.played.fetch_add(1, Ordering::SeqCst) + 1;
        if done.is_multiple_of(50_000) {
            eprintln!("{done} cases");
        }
        if let Some(violation) = verdict(case, played) {
            seen.stop.store(!arguments.all, Ordering::SeqCst);
            if let Ok(mut failed) = seen.failed.lock() {
                failed.entry(violation.law).or_insert((0, case, violation)).0 += 1;
            }
        }
    }
    if let Ok(mut all) = seen.counters.lock() {
        all.add(&counters);
    }
}

fn verdict(case: Case, played: Played) -> Option<Violation> {
    if played.violation.is_none() && case.seed.is_multiple_of(TWICE) {
        let again = simulate(case, false);
        if again.digest != played.digest {
            let detail = "two plays of the case differ".to_owned();
            return Some(Violation { law: Law::SameSeedSameEvents, detail });
        }
    }
    played.violation
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
