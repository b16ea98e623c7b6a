//! `cargo xtask bench mcp`: how long the calls of the real server take over stdio, with many runs in its store.
//!
//! Beside every kind of call stands, of the same rounds, what is beneath all of them: a round trip that does nothing (`ping`),
//! and a write to the same disk that waits for it.

mod load;
mod server;
mod times;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::{Options, build, load as machine_load};
use crate::project::Project;
use crate::stopwatch::Stopwatch;
use load::{Client, cancel, status};
use server::Server;
use times::{Spread, Times};

/// How much is measured.
struct Sizes {
    runs: usize,
    rounds: usize,
    large: usize,
    reports: u64,
}

const SUBTASKS: usize = 20;
const LARGE: usize = 1_000;

/// What must hold, in milliseconds and MiB.
const CALL_MS: f64 = 10.0;
const LARGE_MS: f64 = 150.0;
const MEMORY_MIB: f64 = 200.0;

/// What was measured.
#[derive(Default, Serialize)]
struct Measured {
    calls: BTreeMap<&'static str, Spread>,
    accepted: u64,
    lost: u64,
    lost_after_kill: u64,
    peak_mib: f64,
    restart_ms: f64,
    peak_mib_after_restart: f64,
}

/// Builds the server, measures and prints.
pub(super) fn run(
    project: &Project,
    options: &Options,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let program = build::server(project)?;
    let sizes = match options.quick {
        true => Sizes { runs: 50, rounds: 50, large: 3, reports: 500 },
        false => Sizes { runs: 1_000, rounds: 1_000, large: 20, reports: 10_000 },
    };
    let folder = project.target().join("bench-mcp");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(folder.join(".git"))?;
    let before = machine_load();
    let measured = measure(&program, &folder, &sizes)?;
    fs::remove_dir_all(&folder)?;
    if options.json {
        writeln!(out, "{}", serde_json::to_string(&measured)?)?;
    } else {
        let machine = format!("{before} at the start, {} at the end", machine_load());
        write!(out, "{}", table(&machine, &sizes, &measured))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(program: &Path, folder: &Path, sizes: &Sizes) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    let mut times: BTreeMap<&'static str, Times> = BTreeMap::new();
    let (mut server, _) = Server::start(program, folder)?;
    let mut client = Client::default();
    for _ in 0..sizes.runs {
        let (run, time) = client.delegate(&mut server, SUBTASKS)?;
        times.entry("delegate, while the store fills").or_default().add(time);
        client.runs.push(run);
    }
    rounds(&mut server, &mut client, folder, sizes.rounds, &mut times)?;
    for _ in 0..sizes.large {
        let (run, time) = client.delegate(&mut server, LARGE)?;
        times.entry("delegate of 1,000").or_default().add(time);
        times.entry("cancel of 1,000").or_default().add(cancel(&mut server, &run)?);
        client.drop_run(&run);
    }
    let mut reports = 0;
    while reports < sizes.reports
        && let Some(time) = client.report(&mut server)?
    {
        times.entry("report, all of them").or_default().add(time);
        reports += 1;
    }
    (measured.accepted, measured.lost) = client.lost(&mut server)?;
    measured.peak_mib = mib(server.peak_kib()?);
    drop(server);
    let (mut server, time) = Server::start(program, folder)?;
    measured.restart_ms = time.as_secs_f64() * 1e3;
    (_, measured.lost_after_kill) = client.lost(&mut server)?;
    measured.peak_mib_after_restart = mib(server.peak_kib()?);
    measured.calls = times.into_iter().map(|(name, times)| (name, times.spread())).collect();
    Ok(measured)
}

/// Every kind of call by turns, so that a change of the machine's load meets all of them.
fn rounds(
    server: &mut Server,
    client: &mut Client,
    folder: &Path,
    rounds: usize,
    times: &mut BTreeMap<&'static str, Times>,
) -> anyhow::Result<()> {
    let mut disk = File::create(folder.join("floor"))?;
    let nothing = json!({});
    for round in 0..rounds {
        // Large steps, so that neighbours in time are none in the store.
        let run = client.runs[(round * 617) % client.runs.len()].clone();
        let mut add = |name, time| times.entry(name).or_default().add(time);
        add("floor: write to the disk", synced(&mut disk)?);
        add("floor: ping", server.request("ping", &nothing)?.1);
        add("tools/list", server.request("tools/list", &nothing)?.1);
        add("status", status(server, &run)?.1);
        add("status of all", server.tool("alma_orchestration_status", &nothing)?.1);
        add("claim", client.claim(server, &run)?);
        if let Some(time) = client.report(server)? {
            add("report", time);
        }
        let (new, time) = client.delegate(server, SUBTASKS)?;
        add("delegate", time);
        add("cancel", cancel(server, &new)?);
        client.drop_run(&new);
    }
    Ok(())
}

/// A page that is on the disk when this returns.
fn synced(file: &mut File) -> anyhow::Result<Duration> {
    let watch = Stopwatch::start();
    file.write_all(&[7; 4_096])?;
    file.sync_data()?;
    Ok(watch.elapsed())
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

fn table(machine: &str, sizes: &Sizes, measured: &Measured) -> String {
    let mut text = format!(
        "{machine}. {} runs of {SUBTASKS} subtasks in the store.\n\n\
         | call | calls | p50 ms | p99 ms | max ms | aim, p99 |\n|---|--:|--:|--:|--:|---|\n",
        sizes.runs
    );
    for (name, spread) in &measured.calls {
        let Spread { calls, p50_ms, p99_ms, max_ms } = spread;
        let aim = match *name {
            "delegate of 1,000" => verdict(*p99_ms, LARGE_MS, "ms"),
            name if name.starts_with("floor") => String::new(),
            _ => verdict(*p99_ms, CALL_MS, "ms"),
        };
        text +=
            &format!("| {name} | {calls} | {p50_ms:.2} | {p99_ms:.2} | {max_ms:.2} | {aim} |\n");
    }
    let Measured { accepted, lost, lost_after_kill, .. } = measured;
    text += &format!(
        "\n{accepted} reports accepted, {lost} lost; {lost_after_kill} lost after kill -9. Peak of the server {:.0} MiB: {}; of \
         the one started after it, which has looked at every run, {:.0} MiB: {}. It said hello after {:.0} ms.\n",
        measured.peak_mib,
        verdict(measured.peak_mib, MEMORY_MIB, "MiB"),
        measured.peak_mib_after_restart,
        verdict(measured.peak_mib_after_restart, MEMORY_MIB, "MiB"),
        measured.restart_ms,
    );
    text
}

fn verdict(seen: f64, aim: f64, unit: &str) -> String {
    let word = if seen < aim { "met" } else { "**missed**" };
    format!("{aim} {unit}: {word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_below_the_aim_has_missed_it() {
        assert_eq!(verdict(9.99, 10.0, "ms"), "10 ms: met");
        assert_eq!(verdict(10.0, 10.0, "ms"), "10 ms: **missed**");
        assert_eq!(verdict(f64::NAN, 10.0, "ms"), "10 ms: **missed**", "what was not measured");
    }
}
