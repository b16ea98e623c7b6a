//! What an agent is told: all that it needs, in at most 2 KB. What does not fit is in a file that the prompt names.

use std::time::Duration;

use orch_core::journal::{Journal, JournalError};
use orch_core::{Fence, RunId};
use serde_json::Value;

use crate::answer::size;
use crate::error::ToolError;
use crate::files::{FileError, Files, folder_of, name_of};
use orch_core::{RunView, SubtaskView};

/// The most bytes of a prompt, as it is written in JSON.
pub(crate) const MAX_PROMPT_BYTES: usize = 2_048;

/// What an agent gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) text: String,
    /// Where it writes its result, in the project.
    pub(crate) result_file: String,
}

/// What an agent is told beside what the plan says.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The lines of [`inputs`].
    pub(crate) inputs: Vec<String>,
    pub(crate) time_limit: Option<Duration>,
    /// What memory says, under headings; may be empty.
    pub(crate) remembered: String,
}

/// Makes the prompt of an attempt, and the files that it points to.
pub(crate) fn prompt(
    files: &Files,
    run: RunId,
    view: &RunView,
    (index, fence): (usize, Fence),
    told: &Told,
) -> Result<Prompt, FileError> {
    let node = &view.subtasks[index];
    files.make_folder(run)?;
    let name = name_of(index, node.spec.id.as_str());
    let result_file = result_file(run, (index, node), fence);
    let text = write(view, node, told, &result_file);
    if size(&text) <= MAX_PROMPT_BYTES {
        return Ok(Prompt { text, result_file });
    }
    let text = in_file(files, run, &format!("{name}.{fence}"), text, &result_file)?;
    Ok(Prompt { text, result_file })
}

/// Writes a prompt to a file, and returns one that names it.
pub(crate) fn in_file(
    files: &Files,
    run: RunId,
    name: &str,
    prompt: String,
    result_file: &str,
) -> Result<String, FileError> {
    let path = files.keep(run, &format!("prompts/{name}"), &Value::String(prompt))?;
    let mut text =
        format!("Your whole assignment is in the file {path}: read it first, then do it.\n");
    text.push_str(&ending(result_file));
    Ok(text)
}

/// Returns where an attempt writes its result, in the project.
pub(crate) fn result_file(
    run: RunId,
    (index, node): (usize, &SubtaskView),
    fence: Fence,
) -> String {
    format!("{}/{}.{fence}.md", folder_of(run), name_of(index, node.spec.id.as_str()))
}

/// Writes the results of a subtask's direct dependencies to files, and returns a line on each: its path, or that it is absent.
pub(crate) async fn inputs(
    files: &Files,
    journal: &dyn Journal,
    run: RunId,
    view: &RunView,
    index: usize,
) -> Result<Vec<String>, ToolError> {
    let mut lines = Vec::new();
    for id in &view.subtasks[index].spec.dependencies {
        let Some((index, dependency)) = view.find(id.as_str()) else { continue };
        lines.push(match accepted_file(files, journal, run, index, dependency).await? {
            Some(path) => format!("- {id}: {path}"),
            None => format!("- {id}: there is no result; go on without it"),
        });
    }
    Ok(lines)
}

/// Writes the accepted result of a subtask to its file, and returns the path.
pub(crate) async fn accepted_file(
    files: &Files,
    journal: &dyn Journal,
    run: RunId,
    index: usize,
    node: &SubtaskView,
) -> Result<Option<String>, ToolError> {
    let Some(stored) = node.accepted() else { return Ok(None) };
    let name = format!("accepted/{}", name_of(index, node.spec.id.as_str()));
    let path = match stored.blob {
        None => files.keep(run, &name, &stored.result.output)?,
        Some(blob) => {
            let bytes = journal.blob(blob).await?;
            let output: Value =
                serde_json::from_slice(&bytes).map_err(|error| JournalError::Corrupt {
                    what: format!("blob {}", blob.hash),
                    reason: error.to_string(),
                })?;
            files.keep(run, &name, &output)?
        }
    };
    Ok(Some(path))
}

fn write(view: &RunView, node: &SubtaskView, told: &Told, result_file: &str) -> String {
    let spec = &node.spec;
    let mut text = String::new();
    if let Some(task) = view.task.as_ref().filter(|task| task.description != spec.description) {
        text.push_str(&format!("You do one part of a larger task: {}\n\n", task.description));
    }
    text.push_str(&format!("Your part, `{}`: {}\n", spec.id, spec.description));
    let outer = view.task.as_ref().map(|task| &task.context);
    for (what, context) in
        [("Context of the task", outer), ("Context of your part", Some(&spec.context))]
    {
        if let Some(context) = context.filter(|context| !context.is_empty()) {
            text.push_str(&format!("{what}: {}\n", Value::Object(context.clone())));
        }
    }
    if !told.remembered.is_empty() {
        text.push_str(&format!("\n{}\n", told.remembered));
    }
    if !told.inputs.is_empty() {
        text.push_str("Read these results of earlier parts first:\n");
        told.inputs.iter().for_each(|line| text.push_str(&format!("{line}\n")));
    }
    if let Some(limit) = told.time_limit {
        text.push_str(&format!("Take at most {} s.\n", limit.as_secs().max(1)));
    }
    text.push_str(&ending(result_file));
    text
}

fn ending(result_file: &str) -> String {
    format!(
        "Do this part only. Write your whole result to the file {result_file} (paths are relative to the project), then answer with one line that sums it up. If you cannot do it, write no file and answer with one line that begins with FAILED: and says why.\n"
    )
}
