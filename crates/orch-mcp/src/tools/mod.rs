//! One module per tool, and what their answers share.

pub(crate) mod cancel;
pub(crate) mod claim;
pub(crate) mod delegate;
pub(crate) mod report;
mod reported;
pub(crate) mod status;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use orch_core::{RunId, RunPhase, RunStatus, SubtaskStatus, WorkerName};
use serde_json::{Value, json};

use crate::answer::{Answer, short, size};
use crate::desk::Desk;
use crate::error::ToolError;
use crate::hand_out::{Wanted, hand_out};
use crate::mode::Mode;

/// What is kept free of an answer for its end: the sentence about what comes next, and the names of its fields.
const NEXT_ROOM: usize = 560;
/// The most errors and the most conflicts of a run that are listed, and the most bytes of each.
const SENTENCES: usize = 3;
const SENTENCE_BYTES: usize = 200;

/// Adds how far a run is.
pub(crate) fn progress(answer: &mut Answer, status: &RunStatus) {
    let counts = status.counts;
    let word = status.end_status.map_or_else(|| status.status.to_string(), |end| end.to_string());
    answer.set("status", word);
    answer.set("progress", (status.progress * 1000.0).round() / 1000.0);
    let mut shown = json!({ "total": counts.total, "done": counts.done });
    for (name, count) in [
        ("waiting", counts.waiting),
        ("ready", counts.ready),
        ("running", counts.running),
        ("failed", counts.failed),
        ("skipped", counts.skipped),
        ("cancelled", counts.cancelled),
    ] {
        if count > 0 {
            shown[name] = json!(count);
        }
    }
    answer.set("counts", shown);
}

/// Hands out work as far as it fits, `reserve` bytes kept free, and says what the caller does next.
async fn hand_over(
    desk: &Desk,
    answer: &mut Answer,
    mut status: RunStatus,
    wanted: Wanted<'_>,
    reserve: usize,
) -> Result<RunStatus, ToolError> {
    let id = |subtask: &SubtaskStatus| size(&subtask.subtask_id);
    let longest = status.subtasks.iter().map(id).max().unwrap_or_default();
    let room = answer.room().saturating_sub(NEXT_ROOM + longest + reserve);
    let (ready, more) = hand_out(desk, &status, wanted, room).await?;
    if !ready.is_empty() {
        // What was handed out is running now.
        status = desk.supervisor.status(status.run_id).await?;
        progress(answer, &status);
    }
    answer.set("next_subtask", ready.first().map(|first| &first.subtask_id));
    answer.set("ready", &ready);
    if more > 0 {
        answer.set("more_ready", more);
    }
    let due = retry_due(&status, (desk.now)());
    answer.set("next", next(&status, desk.mode(status.run_id).await?, (ready.len(), more), due));
    Ok(status)
}

/// Says what the caller does next: how much was handed out, how much more could be, and which retry is due.
fn next(
    status: &RunStatus,
    mode: Mode,
    (given, more): (usize, usize),
    due: Option<String>,
) -> String {
    match status.status {
        RunPhase::Ended => return "The orchestration is over; nothing is left to do.".to_owned(),
        RunPhase::Suspended => {
            return "It is suspended: call alma_orchestration_status with resume to go on."
                .to_owned();
        }
        RunPhase::Submitted
        | RunPhase::Planning
        | RunPhase::Active
        | RunPhase::Cancelling
        | RunPhase::Aggregating => {}
    }
    let claim = "call alma_claim_subtask for the next one that is ready";
    let wait = "call alma_orchestration_status with wait_s until it is over";
    let said = match (given, more) {
        (0, 0) if mode == Mode::Managed => format!("The server's workers do it: {wait}."),
        (0, 0) if mode == Mode::Mixed => {
            format!("Nothing is ready for your agents; report what they have, and {wait}.")
        }
        (0, 0) if status.counts.running > 0 && due.is_some() => {
            "Report on what is running.".to_owned()
        }
        (0, 0) if status.counts.running > 0 => {
            "Nothing new is ready; report on what is running.".to_owned()
        }
        (0, 0) if due.is_some() => String::new(),
        (0, 0) => "Nothing is ready now; call alma_orchestration_status.".to_owned(),
        (0, _) => format!("{more} more are ready: {claim}."),
        (_, more) => {
            let first = "Start agent `worker` with `prompt` verbatim for each entry of `ready`, all at once; as each ends call alma_report_subtask with its `attempt` and `result_file`, or with `error_message` if its answer begins with FAILED:";
            match more {
                0 => format!("{first}."),
                _ => format!("{first}; {more} more are ready: {claim}."),
            }
        }
    };
    match due {
        // What the server's workers do is no business of the caller's.
        Some(due) if mode != Mode::Managed => [due, said].join(" ").trim_end().to_owned(),
        Some(_) | None => said,
    }
}

/// Says which retry is due next: of what, by whom, in how many seconds, and how the caller gets it.
pub(crate) fn retry_due(status: &RunStatus, now: Timestamp) -> Option<String> {
    let waits = || status.subtasks.iter().filter_map(|subtask| Some((subtask.retry_at?, subtask)));
    let (at, subtask) = waits().min_by_key(|(at, _)| *at)?;
    let id = short(subtask.subtask_id.as_str(), 60);
    let when = tried_again(at, subtask.retry_by.as_ref(), now);
    let others = match waits().count() - 1 {
        0 => String::new(),
        others => format!(", and {others} more after that"),
    };
    Some(format!("`{id}` is {when}{others}: call alma_claim_subtask then."))
}

/// Says by whom and when something is tried again.
pub(crate) fn tried_again(at: Timestamp, by: Option<&WorkerName>, now: Timestamp) -> String {
    let by = by.map(|worker| format!(" by {}", short(worker.as_str(), 60))).unwrap_or_default();
    let millis = at.duration_since(now).as_millis().max(0);
    match (millis + 999) / 1_000 {
        0 => format!("tried again{by} now"),
        seconds => format!("tried again{by} in {seconds} s"),
    }
}

/// Adds how a run ended, and its output: in the answer when it is small, else as a file.
pub(crate) async fn finish(
    desk: &Desk,
    answer: &mut Answer,
    status: &RunStatus,
) -> Result<(), ToolError> {
    if status.status != RunPhase::Ended {
        return Ok(());
    }
    let run = status.run_id;
    let result = desk.supervisor.result(run).await?;
    let Some(result) = result else { return Ok(()) };
    sentences(answer, "errors", &result.errors);
    conflicts(desk, answer, run, &result.conflicts_resolved)?;
    let output = &result.aggregated_output;
    if size(output) + NEXT_ROOM <= answer.room() {
        answer.set("aggregated_output", output);
    } else {
        let path = desk.files.keep(run, "result", output)?;
        answer.set("output_file", path);
    }
    Ok(())
}

/// Says which values the output lacks because results disagreed: the first few here, all of them in a file.
fn conflicts(
    desk: &Desk,
    answer: &mut Answer,
    run: RunId,
    conflicts: &[String],
) -> Result<(), ToolError> {
    if conflicts.is_empty() {
        return Ok(());
    }
    answer.set("values_dropped", conflicts.len());
    sentences(answer, "conflicts", conflicts);
    let path = desk.files.keep(run, "conflicts", &json!(conflicts))?;
    answer.set("conflicts_file", path);
    Ok(())
}

/// Adds the first of many sentences, cut.
fn sentences(answer: &mut Answer, field: &'static str, all: &[String]) {
    if all.is_empty() {
        return;
    }
    let mut shown: Vec<Value> =
        all.iter().take(SENTENCES).map(|sentence| short(sentence, SENTENCE_BYTES).into()).collect();
    if let Some(more) = all.len().checked_sub(SENTENCES).filter(|more| *more > 0) {
        shown.push(format!("and {more} more").into());
    }
    answer.set(field, shown);
}
