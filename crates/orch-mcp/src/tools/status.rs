//! `alma_orchestration_status`: how a run stands, or which runs are open.

use orch_core::journal::RunFilter;
use orch_core::{RunStatus, SubtaskStatus};
use serde_json::{Value, json};

use super::{NEXT_ROOM, finish, progress};
use crate::answer::{Answer, fitting, short};
use crate::args::Status;
use crate::desk::Desk;
use crate::error::ToolError;
use crate::hand_out::make;

/// The most runs that are listed.
const RUNS: u32 = 20;
/// How many subtasks a page of the detailed answer has.
const PAGE: usize = 50;
/// The most bytes of a description or a reason.
const TEXT_BYTES: usize = 120;

/// Says how a run stands, or which runs are open.
pub(crate) async fn status(desk: &Desk, args: Status) -> Result<Answer, ToolError> {
    let Some(id) = &args.orchestration_id else {
        if args.subtask_id.is_some() || args.cursor.is_some() || args.detail {
            return Err(ToolError::Arguments(
                "`orchestration_id` is missing; without it no other argument has a meaning."
                    .to_owned(),
            ));
        }
        return open_runs(desk).await;
    };
    let row = desk.find(id).await?;
    desk.carry_on(&row).await?;
    let status = desk.settled(row.head.run).await?;
    if let Some(subtask) = &args.subtask_id {
        return one(desk, &status, subtask.as_str()).await;
    }
    let from = args.cursor.as_deref().map(|cursor| offset(cursor, &status)).transpose()?;
    let mut answer = Answer::new(true);
    answer.set("orchestration_id", status.run_id);
    answer.set("task", short(&status.description, TEXT_BYTES));
    progress(&mut answer, &status);
    finish(desk, &mut answer, &status).await?;
    if args.detail || from.is_some() {
        page(&mut answer, &status, from.unwrap_or(0));
    } else {
        summary(&mut answer, &status);
    }
    Ok(answer)
}

async fn open_runs(desk: &Desk) -> Result<Answer, ToolError> {
    let filter = RunFilter::new()
        .with_project(desk.settings.project.clone())
        .with_open(true)
        .with_limit(RUNS);
    let rows = desk.journal().rows(&filter).await?;
    let runs = rows.iter().map(|row| {
        let counts = row.summary.counts;
        json!({
            "orchestration_id": row.head.run,
            "task": short(&row.head.description, 60),
            "status": row.summary.phase,
            "done": counts.done,
            "total": counts.total,
            "submitted_at": row.head.created_at,
        })
    });
    let mut answer = Answer::new(true);
    let (runs, more) = fitting(runs.collect(), answer.room().saturating_sub(200));
    let message = match (runs.len(), more) {
        (0, _) => "No orchestration is open in this project.".to_owned(),
        (open, 0) => format!("{open} open, newest first."),
        (open, more) => format!("{open} open, newest first, and {more} older ones."),
    };
    answer.set("message", message).set("orchestrations", runs);
    Ok(answer)
}

/// What is not done, a line each, and the workers.
fn summary(answer: &mut Answer, status: &RunStatus) {
    let (workers, _) = fitting(worker_lines(status), answer.room() / 2);
    answer.set("worker_status", workers);
    let lines: Vec<Value> = status
        .subtasks
        .iter()
        .filter(|subtask| subtask.status != orch_core::SubtaskPhase::Done)
        .map(|subtask| line(subtask).into())
        .collect();
    let room = answer.room().saturating_sub(NEXT_ROOM);
    let (lines, more) = fitting(lines, room);
    answer.set("not_done", lines);
    if more > 0 {
        answer.set("not_done_more", more);
    }
    answer.set(
        "next",
        "Pass subtask_id to get the prompt and attempt of a subtask again, detail for all of them, alma_claim_subtask for one that is offered.",
    );
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

fn line(subtask: &SubtaskStatus) -> String {
    let open: Vec<String> = subtask
        .open
        .iter()
        .map(|open| format!(" by {} until {}", open.worker, open.until.strftime("%H:%M:%SZ")))
        .collect();
    let reason = subtask.reason.as_ref().map(|reason| format!(" ({})", short(reason, TEXT_BYTES)));
    format!(
        "{}: {}{}{}",
        subtask.subtask_id,
        subtask.status,
        open.concat(),
        reason.unwrap_or_default()
    )
}

/// All that is known of the subtasks, a page of them.
fn page(answer: &mut Answer, status: &RunStatus, from: usize) {
    answer.set("worker_status", worker_lines(status));
    answer.set("usage", status.usage);
    let rest = status.subtasks.get(from..).unwrap_or_default();
    answer.set("subtasks", &rest[..rest.len().min(PAGE)]);
    if rest.len() > PAGE {
        answer.set("next_cursor", (from + PAGE).to_string());
    }
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
    answer.set("subtask", line(subtask));
    let node = &view.nodes[index];
    if let Some(open) = subtask.open.last() {
        let attempt = node.open.get(&open.fence).map(|known| (open.fence, known.token));
        if let Some((fence, token)) = attempt {
            let made =
                make(desk, run, &view, index, (fence, token), &open.worker, open.until).await?;
            answer.set("handed_out", made);
        }
    }
    if let Some(stored) = &node.accepted {
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
