//! Small texts that several commands show.

use std::fmt::Display;

use jiff::Timestamp;
use orch_core::{Counts, EndStatus, RunPhase, RunStatus, SubtaskPhase, SubtaskStatus, printable};
use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use crate::columns::{Columns, padded};

/// The longest line of a list where no terminal says how wide it is.
pub(crate) const LIST_COLUMNS: usize = 200;
/// The longest line about a subtask where no terminal says how wide it is: a log is to have the whole reason.
pub(crate) const LINE_COLUMNS: usize = 2_000;

/// Writes what others have named or said on one line that a terminal only shows.
pub(crate) fn shown(text: impl Display) -> String {
    printable(&text.to_string()).into_owned()
}

/// Writes a span as people do: `0.31 s`, `12.4 s`, `3m 05s`.
pub(crate) fn span(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{:.2} s", ms as f64 / 1e3),
        10_000..60_000 => format!("{:.1} s", ms as f64 / 1e3),
        _ => format!("{}m {:02}s", ms / 60_000, ms / 1_000 % 60),
    }
}

/// Returns the milliseconds from one time to another.
pub(crate) fn millis(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

/// Writes a time without its fraction.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Writes how a run stands in one word: how it ended, once it has.
pub(crate) fn standing(status: &RunStatus) -> &'static str {
    match (status.status, status.end_status) {
        (RunPhase::Ended, Some(end)) => end.as_str(),
        (phase, _) => phase.as_str(),
    }
}

fn mark(phase: SubtaskPhase) -> char {
    match phase {
        SubtaskPhase::Done => '✓',
        SubtaskPhase::Failed => '✗',
        SubtaskPhase::Skipped | SubtaskPhase::Cancelled | SubtaskPhase::Retired => '-',
        SubtaskPhase::Running | SubtaskPhase::Checking => '>',
        SubtaskPhase::Waiting
        | SubtaskPhase::Ready
        | SubtaskPhase::Offered
        | SubtaskPhase::Backoff => '.',
    }
}

/// Writes one line per subtask: status, worker, duration, and why it is not done.
pub(crate) fn subtasks(status: &RunStatus, columns: Columns) -> String {
    let width = |text: fn(&SubtaskStatus) -> String| {
        status.subtasks.iter().map(|subtask| text(subtask).width()).max().unwrap_or(0)
    };
    let (ids, workers) = (width(id), width(worker));
    let mut text = String::new();
    for subtask in &status.subtasks {
        let took = subtask.duration_ms.map(span).unwrap_or_default();
        let line = format!(
            "  {} {}  {:9}  {}  {:>8}",
            mark(subtask.status),
            padded(&id(subtask), ids),
            subtask.status,
            padded(&worker(subtask), workers),
            took
        );
        let mut line = line.trim_end().to_owned();
        if subtask.attempts > 1 {
            line.push_str(&format!("  {} attempts", subtask.attempts));
        }
        if let Some(reason) = &subtask.reason {
            line.push_str(&format!("  {}", shown(reason)));
        }
        text.push_str(&columns.cut(&line));
        text.push('\n');
        if let Some(wait) = &subtask.waits_for {
            // Whole: it ends with what to do.
            text.push_str(&format!("      {}\n", shown(wait)));
        }
    }
    text
}

fn id(subtask: &SubtaskStatus) -> String {
    shown(&subtask.subtask_id)
}

fn worker(subtask: &SubtaskStatus) -> String {
    let open = || subtask.open.last().map(|attempt| shown(&attempt.worker));
    subtask.worker.as_ref().map(shown).or_else(open).unwrap_or_default()
}

/// Writes how a run stands by the answer of a tool.
pub(crate) fn standing_of(answer: &Value) -> String {
    let status = answer["status"].as_str().unwrap_or_default();
    let read: Counts = serde_json::from_value(answer["counts"].clone()).unwrap_or_default();
    format!("{status}, {}", counts(&read))
}

/// Tells whether a run is over by the answer of a tool.
pub(crate) fn is_over(answer: &Value) -> bool {
    serde_json::from_value::<EndStatus>(answer["status"].clone()).is_ok()
}

/// Writes how many subtasks stand where.
pub(crate) fn counts(counts: &Counts) -> String {
    let parts = [
        ("running", counts.running),
        ("ready", counts.ready),
        ("waiting", counts.waiting),
        ("failed", counts.failed),
        ("skipped", counts.skipped),
        ("cancelled", counts.cancelled),
    ];
    let rest = parts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!(", {count} {name}"));
    format!("{} of {} done{}", counts.done, counts.total, rest.collect::<String>())
}
