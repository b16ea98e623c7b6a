//! The prompt that teaches a client the loop.

use orch_core::JsonMap;
use rmcp::ErrorData;
use rmcp::model::{GetPromptResult, Prompt, PromptArgument, PromptMessage, Role};

use crate::answer::short;
use crate::schema::INSTRUCTIONS;

const NAME: &str = "orchestrate";
const DESCRIPTION: &str = "Split a large task among your agents, and make one result of theirs";

/// Lists the prompts.
pub(crate) fn prompts() -> Vec<Prompt> {
    let task = PromptArgument::new("task").with_description("What is to be done");
    vec![
        Prompt::new(NAME, Some(DESCRIPTION), Some(vec![task.with_required(true)]))
            .with_title("Orchestrate a task"),
    ]
}

/// Fills a prompt in.
pub(crate) fn get(name: &str, arguments: Option<&JsonMap>) -> Result<GetPromptResult, ErrorData> {
    if name != NAME {
        let message = format!("There is no prompt `{}`; there is `{NAME}`", short(name, 60));
        return Err(ErrorData::invalid_params(message, None));
    }
    let task = arguments.and_then(|arguments| arguments.get("task")?.as_str()).map(str::trim);
    let Some(task) = task.filter(|task| !task.is_empty()) else {
        let message = "`task` is missing: say what is to be done";
        return Err(ErrorData::invalid_params(message, None));
    };
    let text = format!(
        "Do this task by orchestration, with the tools of this server: do not do its parts yourself.\n\nTask: {task}\n\n{INSTRUCTIONS}\n\nWhen it is over, say in a few sentences what came of it, and which parts failed and why."
    );
    let message = PromptMessage::new_text(Role::User, text);
    Ok(GetPromptResult::new(vec![message]).with_description(DESCRIPTION))
}
