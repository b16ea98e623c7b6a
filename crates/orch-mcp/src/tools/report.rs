//! `alma_report_subtask`: what an agent made of a subtask.

use orch_core::{Fence, MemoryScope, RunId, Token, WorkerName, check_lesson, nearest};
use orch_supervisor::ReportAnswer;

use super::reported::reported;
use super::{finish, hand_over, progress};
use crate::answer::{Answer, short};
use crate::args::{Next, Report};
use crate::desk::Desk;
use crate::error::ToolError;
use crate::hand_out::Wanted;
use crate::handle;
use crate::names;
use crate::prompt::result_file;
use orch_core::{RunView, SubtaskView};

/// The most bytes of sentences about lessons that are refused.
const LESSONS_BYTES: usize = 600;

/// Takes a report.
pub(crate) async fn report(desk: &Desk, args: Report) -> Result<Answer, ToolError> {
    let row = desk.find(&args.orchestration_id).await?;
    let run = row.head.run;
    let view = desk.view(run).await?;
    let node = find(&view, run, args.subtask_id.as_str())?;
    let attempt = attempt(args.attempt.as_deref())?;
    let named = args.worker.as_ref().map(|name| names::read(&desk.supervisor, "worker", name));
    let worker = worker(node, attempt, named.transpose()?.as_ref());
    // The worker of the attempt has learned it, also when another one says so.
    let pupil = self::worker(node, attempt, None);
    let (lessons, refused) = lessons(desk, &pupil, &node.spec.task_type, &args.lessons);
    let read = |path: &str| {
        let expected = expected_file(&view, run, args.subtask_id.as_str(), attempt);
        desk.files.read_result(run, path, &expected)
    };
    let reported = reported(read, &args, worker.clone(), attempt, &lessons)?;
    desk.carry_on(&row).await?;
    let said = desk.retried(|| desk.supervisor.report(run, reported.report.clone())).await?;
    let status = desk.attended(run).await?;

    let (word, message) = words(&said);
    let mut answer = Answer::new(is_success(&said));
    answer.set("answer", word).set("message", message);
    if let Some(read_as) = reported.read_as {
        answer.set("read_as", read_as);
    }
    answer.set("orchestration_id", run).set("subtask_id", &args.subtask_id);
    if !refused.is_empty() {
        answer.set_list("lessons_refused", refused, LESSONS_BYTES);
    }
    progress(&mut answer, &status);
    finish(desk, &mut answer, &status).await?;
    let wanted = match args.next {
        Next::All => Wanted { most: usize::MAX, ..Wanted::default() },
        Next::Own => Wanted { most: 1, worker: Some(&worker), ..Wanted::default() },
        Next::None => Wanted::default(),
    };
    hand_over(desk, &mut answer, status, wanted, 0).await?;
    Ok(answer)
}

/// Finds a subtask of a run by its id.
pub(super) fn find<'a>(
    view: &'a RunView,
    run: orch_core::RunId,
    id: &str,
) -> Result<&'a SubtaskView, ToolError> {
    if let Some((_, node)) = view.find(id) {
        return Ok(node);
    }
    let known = view.subtasks.iter().map(|node| node.spec.id.as_str());
    let hint = match nearest(id, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it has: {}.", short(&known.collect::<Vec<_>>().join(", "), 300)),
    };
    Err(ToolError::NoSubtask { run, id: short(id, 60), hint })
}

fn attempt(text: Option<&str>) -> Result<Option<(Fence, Token)>, ToolError> {
    let read = |text: &str| {
        handle::read(text).ok_or_else(|| {
            ToolError::Arguments(format!(
                "`attempt` is `{}`; pass it exactly as it was handed out, or leave it out.",
                short(text, 40)
            ))
        })
    };
    text.map(read).transpose()
}

/// Returns who reports: the worker that the call names, else the worker of the attempt.
fn worker(
    node: &SubtaskView,
    attempt: Option<(Fence, Token)>,
    said: Option<&WorkerName>,
) -> WorkerName {
    let open = attempt.and_then(|(fence, _)| node.open(fence));
    let worker = said.or(open.map(|open| &open.worker)).or(node.worker());
    worker.cloned().unwrap_or_else(|| WorkerName::new("agent"))
}

/// Returns the lessons that the worker may keep, and a sentence about each that it may not.
fn lessons(
    desk: &Desk,
    worker: &WorkerName,
    topic: &str,
    said: &[String],
) -> (Vec<String>, Vec<String>) {
    let known = desk.worker(worker);
    let scope = known.as_ref().and_then(|worker| worker.scope().cloned());
    let scope = scope.unwrap_or_else(|| MemoryScope::new(worker.as_str()));
    let (mut kept, mut refused) = (Vec::new(), Vec::new());
    for lesson in said {
        match check_lesson(lesson, &scope, topic, kept.len()) {
            Ok(()) => kept.push(lesson.clone()),
            Err(error) => {
                refused.push(format!("`{}` is not learned: {error}.", short(lesson, 60)));
            }
        }
    }
    (kept, refused)
}

/// Says where an attempt writes its result.
fn expected_file(
    view: &RunView,
    run: RunId,
    subtask: &str,
    attempt: Option<(Fence, Token)>,
) -> String {
    let file = view.find(subtask).and_then(|(index, node)| {
        let fence = attempt.map(|(fence, _)| fence).or(node.last_open())?;
        Some(result_file(run, (index, node), fence))
    });
    match file {
        Some(file) => format!("`{file}`"),
        None => "the `result_file` that was handed out".to_owned(),
    }
}

fn is_success(answer: &ReportAnswer) -> bool {
    match answer {
        ReportAnswer::Accepted | ReportAnswer::Received | ReportAnswer::Duplicate { .. } => true,
        ReportAnswer::Stale | ReportAnswer::Rejected { .. } => false,
    }
}

fn words(answer: &ReportAnswer) -> (&'static str, String) {
    match answer {
        ReportAnswer::Accepted => ("accepted", "The report is accepted.".to_owned()),
        ReportAnswer::Received => {
            ("received", "The result is stored and still being checked.".to_owned())
        }
        ReportAnswer::Duplicate { .. } => {
            ("duplicate", "The same report came before; it counts once.".to_owned())
        }
        ReportAnswer::Stale => (
            "stale",
            "This attempt is over or was never handed out: its report is kept as evidence and does not count. Go on with `ready`."
                .to_owned(),
        ),
        ReportAnswer::Rejected { reason } => {
            ("rejected", format!("The report does not count: {}.", short(reason, 300)))
        }
    }
}
