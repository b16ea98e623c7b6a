//! `alma_orchestration_status`: how a run stands, or which runs are open.

use jiff::Timestamp;
use orch_core::journal::{RunFilter, RunRow};
use orch_core::{RunId, RunPhase, RunStatus, SubtaskStatus};
use serde_json::{Value, json};

use super::{NEXT_ROOM, finish, progress, retry_due, tried_again};
use crate::answer::{Answer, fitting, short};
use crate::args::Status;
use crate::call_context::CallContext;
use crate::desk::Desk;
use crate::error::ToolError;
use crate::hand_out::{Asked, make};
use crate::mode::Mode;
use crate::wait::wait;

/// The most runs that are listed.
const RUNS: u32 = 20;
/// How many subtasks a page of the detailed answer has at most.
const PAGE: usize = 50;
/// The most bytes of the line of a subtask.
const LINE_BYTES: usize = 900;
/// The most bytes of a list in an entry of it.
const LIST_BYTES: usize = 200;
/// The most bytes of workers beside a page of subtasks.
const WORKERS_BYTES: usize = 400;
/// What is kept free for how a run ended (errors, dropped values, files), and for the cursor.
const END_BYTES: usize = 1_600;
/// What is kept free for the cursor.
const CURSOR_BYTES: usize = 100;
/// The most bytes of a description or a reason.
const TEXT_BYTES: usize = 120;

/// Says how a run stands, or which runs are open.
pub(crate) async fn status(
    desk: &Desk,
    args: Status,
    call: CallContext,
) -> Result<Answer, ToolError> {
    let Some(id) = &args.orchestration_id else {
        if args.subtask_id.is_some() || args.detail || args.resume || args.wait_s > 0 {
            return Err(ToolError::Arguments(
                "`orchestration_id` is missing; without it no argument but `cursor` has a meaning."
                    .to_owned(),
            ));
        }
        return open_runs(desk, args.cursor.as_deref()).await;
    };
    let row = desk.find(id).await?;
    if args.resume {
        desk.resume(&row).await?;
    } else {
        desk.carry_on(&row).await?;
    }
    let run = row.head.run;
    let mut status = desk.attended(run).await?;
    if args.wait_s > 0 {
        status = wait(desk, run, call, args.wait_s).await?;
    }
    if let Some(subtask) = &args.subtask_id {
        return one(desk, &status, subtask.as_str()).await;
    }
    let from = args.cursor.as_deref().map(|cursor| offset(cursor, &status)).transpose()?;
    let mut answer = Answer::new(true);
    answer.set("orchestration_id", status.run_id);
    answer.set("task", short(&status.description, TEXT_BYTES));
    progress(&mut answer, &status);
    if args.detail || from.is_some() {
        page(&mut answer, &status, from.unwrap_or(0));
        finish(desk, &mut answer, &status).await?;
    } else {
        finish(desk, &mut answer, &status).await?;
        let now = (desk.now)();
        summary(&mut answer, &status, now);
        answer.set("next", next(&status, desk.mode(run).await?, now));
    }
    Ok(answer)
}

/// Lists open runs, from the newest that is older than the cursor.
async fn open_runs(desk: &Desk, cursor: Option<&str>) -> Result<Answer, ToolError> {
    let before = cursor.map(older_than).transpose()?;
    let filter = RunFilter::new()
        .with_project(desk.settings.project.clone())
        .with_open(true)
        .with_before(before)
        .with_limit(RUNS + 1);
    let rows = desk.journal().rows(&filter).await?;
    let mut runs = Vec::new();
    for row in rows.iter().take(RUNS as usize) {
        runs.push(run_line(desk, row).await?);
    }
    let mut answer = Answer::new(true);
    let (runs, _) = fitting(runs, answer.room().saturating_sub(200));
    let message = match (runs.len(), rows.len() > runs.len()) {
        (0, _) => "No orchestration is open in this project.".to_owned(),
        (open, false) => format!("{open} open, newest first."),
        (open, true) => format!("{open} open, newest first; older ones with cursor."),
    };
    answer.set("message", message);
    if let Some(last) =
        rows.get(..runs.len()).and_then(<[RunRow]>::last).filter(|_| rows.len() > runs.len())
    {
        answer.set("next_cursor", last.head.run);
    }
    answer.set("orchestrations", runs);
    Ok(answer)
}

async fn run_line(desk: &Desk, row: &RunRow) -> Result<Value, ToolError> {
    let counts = row.summary.counts;
    let mut line = json!({
        "orchestration_id": row.head.run,
        "task": short(&row.head.description, 60),
        "status": row.summary.phase,
        "done": counts.done,
        "total": counts.total,
        "submitted_at": row.head.created_at,
    });
    if desk.wants_resume(row).await? {
        line["next"] = json!("pass its id with resume to go on");
    }
    Ok(line)
}

fn older_than(cursor: &str) -> Result<RunId, ToolError> {
    cursor.trim().parse().map_err(|_| {
        ToolError::Arguments(
            "`cursor` is none of this list; pass `next_cursor` as it came.".to_owned(),
        )
    })
}

/// What is not done, a line each, and the workers.
fn summary(answer: &mut Answer, status: &RunStatus, now: Timestamp) {
    answer.set_list("worker_status", worker_lines(status), answer.room() / 2);
    let lines: Vec<Value> = status
        .subtasks
        .iter()
        .filter(|subtask| subtask.status != orch_core::SubtaskPhase::Done)
        .map(|subtask| short(&line(subtask, now), LINE_BYTES).into())
        .collect();
    answer.set_list("not_done", lines, answer.room().saturating_sub(NEXT_ROOM));
}

fn next(status: &RunStatus, mode: Mode, now: Timestamp) -> String {
    let said = match (status.status, mode) {
        (RunPhase::Ended, _) => "It is over; nothing is left to do.",
        (RunPhase::Suspended, _) => "It is suspended: pass resume to go on.",
        (_, Mode::Managed) => "The server's workers do it: pass wait_s until it is over.",
        (_, Mode::External | Mode::Mixed) => {
            let due = retry_due(status, now).map(|due| format!("{due} ")).unwrap_or_default();
            return due
                + "Pass subtask_id to get the prompt and attempt of a subtask again, detail for all of them, wait_s to wait; alma_claim_subtask for one that is offered.";
        }
    };
    said.to_owned()
}

fn worker_lines(status: &RunStatus) -> Vec<Value> {
    let line = |worker: &orch_core::WorkerStatus| {
        json!({
            "worker": worker.worker,
            "running": worker.running,
            "done": worker.done,
            "failed": worker.failed,
        })
    };
    status.worker_status.iter().map(line).collect()
}

fn line(subtask: &SubtaskStatus, now: Timestamp) -> String {
    let open: Vec<String> = subtask
        .open
        .iter()
        .map(|open| format!(" by {} until {}", open.worker, open.until.strftime("%H:%M:%SZ")))
        .collect();
    let reason = subtask.reason.clone().or(subtask.waits_for.as_ref().map(ToString::to_string));
    let reason = reason.map(|reason| format!(" ({})", short(&reason, TEXT_BYTES)));
    let again = subtask.retry_at.map(|at| tried_again(at, subtask.retry_by.as_ref(), now));
    let again = again.map(|again| format!(", {again}")).unwrap_or_default();
    format!(
        "{}: {}{again}{}{}",
        subtask.subtask_id,
        subtask.status,
        open.concat(),
        reason.unwrap_or_default()
    )
}

/// All that is known of the subtasks, a page of them.
fn page(answer: &mut Answer, status: &RunStatus, from: usize) {
    answer.set_list("worker_status", worker_lines(status), WORKERS_BYTES);
    answer.set("usage", status.usage);
    let rest = status.subtasks.get(from..).unwrap_or_default();
    let end = if status.status == RunPhase::Ended { END_BYTES } else { CURSOR_BYTES };
    let room = answer.room().saturating_sub(end);
    let (page, more) = fitting(rest.iter().take(PAGE).map(entry).collect(), room);
    let next = from + page.len();
    answer.set("subtasks", page);
    if more > 0 || rest.len() > PAGE {
        answer.set("next_cursor", next.to_string());
    }
}

/// A subtask with all that is known of it; long texts and lists are cut.
fn entry(subtask: &SubtaskStatus) -> Value {
    let mut entry = json!(subtask);
    let texts = [("description", Some(&subtask.description)), ("reason", subtask.reason.as_ref())];
    for (key, text) in texts {
        if let Some(text) = text {
            entry[key] = short(text, TEXT_BYTES).into();
        }
    }
    entry["task_type"] = short(&subtask.task_type, TEXT_BYTES).into();
    for key in ["dependencies", "locks", "open"] {
        let Some(list) = entry[key].as_array_mut().map(std::mem::take) else { continue };
        let (listed, more) = fitting(list, LIST_BYTES);
        entry[key] = listed.into();
        if more > 0 {
            entry[format!("{key}_more")] = more.into();
        }
    }
    entry
}

fn offset(cursor: &str, status: &RunStatus) -> Result<usize, ToolError> {
    let offset = cursor.parse().ok().filter(|offset| *offset <= status.subtasks.len());
    offset.ok_or_else(|| {
        ToolError::Arguments(
            "`cursor` is not one of this orchestration; pass `next_cursor` as it came.".to_owned(),
        )
    })
}

/// One subtask, with what its open attempt was handed out with.
async fn one(desk: &Desk, status: &RunStatus, id: &str) -> Result<Answer, ToolError> {
    let run = status.run_id;
    let view = desk.view(run).await?;
    super::report::find(&view, run, id)?;
    let found = status.subtasks.iter().enumerate().find(|(_, subtask)| subtask.subtask_id == *id);
    let mut answer = Answer::new(true);
    answer.set("orchestration_id", run);
    let Some((index, subtask)) = found else { return Ok(answer) };
    answer.set("subtask", short(&line(subtask, (desk.now)()), LINE_BYTES));
    let node = &view.subtasks[index];
    if let Some(open) = subtask.open.last().filter(|open| !desk.is_managed(&open.worker)) {
        let attempt = node.open(open.fence).map(|known| (open.fence, known.token));
        if let Some((fence, token)) = attempt {
            let asked = Asked {
                index,
                attempt: (fence, token),
                worker: &open.worker,
                lease_until: open.until,
                room: answer.room().saturating_sub(NEXT_ROOM),
            };
            let made = make(desk, run, &view, asked).await?;
            answer.set("handed_out", made);
        }
    }
    if let Some(stored) = node.accepted() {
        let room = answer.room().saturating_sub(NEXT_ROOM);
        match stored.blob {
            None if crate::answer::size(&stored.result.output) <= room => {
                answer.set("output", &stored.result.output);
            }
            None | Some(_) => {
                let path =
                    crate::prompt::accepted_file(&desk.files, desk.journal(), run, index, node)
                        .await?;
                answer.set("output_file", path);
            }
        }
    }
    Ok(answer)
}
