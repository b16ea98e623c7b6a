//! `alma_cancel_orchestration`: ends a run with what it has.

use orch_core::{RunPhase, SubtaskPhase};
use serde_json::json;

use super::{finish, progress};
use crate::answer::{Answer, fitting};
use crate::args::Cancel;
use crate::desk::Desk;
use crate::error::ToolError;

/// The most bytes of ids that are listed.
const IDS_BYTES: usize = 800;

/// Cancels a run.
pub(crate) async fn cancel(desk: &Desk, args: Cancel) -> Result<Answer, ToolError> {
    let row = desk.find(&args.orchestration_id).await?;
    let run = row.head.run;
    let cancelled = desk.retried(|| desk.supervisor.cancel(run)).await?;
    let status = desk.settled(run).await?;
    let mut answer = Answer::new(cancelled);
    answer.set("orchestration_id", run);
    progress(&mut answer, &status);
    let message = match (cancelled, status.status == RunPhase::Ended) {
        (false, _) => "It was over before; nothing was cancelled.".to_owned(),
        (true, true) => "It is cancelled.".to_owned(),
        (true, false) => format!(
            "It is being cancelled: nothing new starts, and reports on what is open count for up to {} s more.",
            desk.settings.grace_ms.div_ceil(1_000)
        ),
    };
    answer.set("message", message);
    let open = status.subtasks.iter().filter(|subtask| subtask.status == SubtaskPhase::Running);
    let (open, more) = fitting(open.map(|subtask| &subtask.subtask_id).collect(), IDS_BYTES);
    let mut summary = json!({
        "kept": status.counts.done,
        "not_done": status.counts.total - status.counts.done,
        "open": open,
    });
    if more > 0 {
        summary["open_more"] = json!(more);
    }
    answer.set("cleanup_summary", summary);
    finish(desk, &mut answer, &status).await?;
    Ok(answer)
}
