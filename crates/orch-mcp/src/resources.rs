//! What a client can read without a tool: the runs of the project, and each of them with its plan, graph and results.
//!
//! Reading carries nothing out: who wants a run to go on calls a tool.

use orch_core::journal::RunFilter;
use orch_core::{RunId, RunStatus};
use rmcp::ErrorData;
use rmcp::model::{
    ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate,
};
use serde_json::{Value, json};

use crate::answer::{Answer, fitting, short};
use crate::desk::Desk;
use crate::error::ToolError;
use crate::prompt::accepted_file;
use crate::tools::{finish, progress};
use orch_core::RunView;

/// All runs; a slash and an id after it is one of them.
const ALL: &str = "alma://orchestrations";
const MIME: &str = "application/json";
/// The most runs that are listed.
const RUNS: u32 = 50;
/// The most bytes of the list of subtasks, and the most subtasks in the graph.
const SUBTASKS_BYTES: usize = 32 * 1024;
const NODES: usize = 200;
/// The most bytes of a description.
const TEXT_BYTES: usize = 120;

/// Lists what can be read: the list of runs, then the newest runs.
pub(crate) async fn list(desk: &Desk) -> Result<ListResourcesResult, ErrorData> {
    let all = Resource::new(ALL, "orchestrations")
        .with_title("Orchestrations")
        .with_description("The orchestrations of this project, newest first")
        .with_mime_type(MIME);
    let rows = desk.journal().rows(&filter(desk)).await.map_err(|e| failed(&e.into()))?;
    let runs = rows.iter().map(|row| {
        Resource::new(format!("{ALL}/{}", row.head.run), row.head.run.to_string())
            .with_title(short(&row.head.description, TEXT_BYTES))
            .with_mime_type(MIME)
    });
    Ok(ListResourcesResult::with_all_items([all].into_iter().chain(runs).collect()))
}

/// Lists what can be read by the id of a run.
pub(crate) fn templates() -> ListResourceTemplatesResult {
    let one = ResourceTemplate::new(format!("{ALL}/{{orchestration_id}}"), "orchestration")
        .with_title("Orchestration")
        .with_description("One orchestration: its plan, its graph as Mermaid, its results")
        .with_mime_type(MIME);
    ListResourceTemplatesResult::with_all_items(vec![one])
}

/// Reads one.
pub(crate) async fn read(desk: &Desk, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let found = match uri.strip_prefix(ALL) {
        Some("") => runs(desk).await,
        Some(rest) if rest.starts_with('/') => run(desk, &rest[1..]).await,
        Some(_) | None => {
            let message = format!("There is no resource `{}`; there is {ALL}", short(uri, 80));
            return Err(ErrorData::resource_not_found(message, None));
        }
    };
    let value = found.map_err(|error| failed(&error))?;
    let contents = ResourceContents::text(value.to_string(), uri).with_mime_type(MIME);
    Ok(ReadResourceResult::new(vec![contents]))
}

fn failed(error: &ToolError) -> ErrorData {
    match error {
        ToolError::NoRun(_) | ToolError::RunLost { .. } => {
            ErrorData::resource_not_found(error.to_string(), None)
        }
        ToolError::Arguments(_)
        | ToolError::NoSubtask { .. }
        | ToolError::File(_)
        | ToolError::NoPlan { .. }
        | ToolError::NoManagedWorkers
        | ToolError::Withheld(_)
        | ToolError::NotOurs(_)
        | ToolError::KeyReused { .. }
        | ToolError::NotClaimable { .. }
        | ToolError::Engine(_)
        | ToolError::Store(_)
        | ToolError::StoreLost(_) => ErrorData::internal_error(error.to_string(), None),
    }
}

fn filter(desk: &Desk) -> RunFilter {
    RunFilter::new().with_project(desk.settings.project.clone()).with_limit(RUNS)
}

async fn runs(desk: &Desk) -> Result<Value, ToolError> {
    let rows = desk.journal().rows(&filter(desk)).await?;
    let line = |row: &orch_core::journal::RunRow| {
        json!({
            "orchestration_id": row.head.run,
            "uri": format!("{ALL}/{}", row.head.run),
            "task": short(&row.head.description, TEXT_BYTES),
            "status": row.summary.end.map_or_else(|| row.summary.phase.to_string(), |end| end.to_string()),
            "done": row.summary.counts.done,
            "total": row.summary.counts.total,
            "submitted_at": row.head.created_at,
        })
    };
    Ok(json!({ "orchestrations": rows.iter().map(line).collect::<Vec<Value>>() }))
}

async fn run(desk: &Desk, id: &str) -> Result<Value, ToolError> {
    let run = desk.find(id).await?.head.run;
    let status = desk.supervisor.status(run).await?;
    let view = desk.view(run).await?;
    let mut answer = Answer::new(true);
    answer.set("orchestration_id", run).set("task", short(&status.description, 10 * TEXT_BYTES));
    progress(&mut answer, &status);
    finish(desk, &mut answer, &status).await?;
    let (subtasks, more) = fitting(subtasks(desk, run, &status, &view).await?, SUBTASKS_BYTES);
    let more = more + status.subtasks.len().saturating_sub(NODES);
    answer.set("subtasks", subtasks);
    if more > 0 {
        answer.set("subtasks_more", more);
    }
    answer.set("graph", mermaid(&status, &view));
    Ok(answer.into_resource().into())
}

async fn subtasks(
    desk: &Desk,
    run: RunId,
    status: &RunStatus,
    view: &RunView,
) -> Result<Vec<Value>, ToolError> {
    let mut lines = Vec::new();
    for (index, (node, subtask)) in
        view.subtasks.iter().zip(&status.subtasks).enumerate().take(NODES)
    {
        let mut line = json!({
            "subtask_id": node.spec.id,
            "description": short(&node.spec.description, TEXT_BYTES),
            "dependencies": node.spec.dependencies,
            "status": subtask.status,
            "worker": subtask.worker.as_ref().or(node.worker()),
        });
        if let Some(path) = accepted_file(&desk.files, desk.journal(), run, index, node).await? {
            line["result_file"] = path.into();
        }
        lines.push(line);
    }
    Ok(lines)
}

/// Writes the graph as Mermaid: nodes by their place in the plan, as ids may be any text.
fn mermaid(status: &RunStatus, view: &RunView) -> String {
    let mut text = "graph TD\n".to_owned();
    for (index, (node, subtask)) in
        view.subtasks.iter().zip(&status.subtasks).enumerate().take(NODES)
    {
        let label = short(&format!("{}: {}", node.spec.id, subtask.status), TEXT_BYTES);
        let label = label.replace('#', "#35;").replace('"', "#quot;");
        text.push_str(&format!("  s{index}[\"{label}\"]\n"));
        for id in &node.spec.dependencies {
            if let Some((from, _)) = view.find(id.as_str()).filter(|(from, _)| *from < NODES) {
                text.push_str(&format!("  s{from} --> s{index}\n"));
            }
        }
    }
    text
}
