//! An attempt as text for a language model.

use std::fmt::Write;

use orch_core::{FAILED_PREFIX, JsonMap, WorkerContext};
use serde_json::Value;

/// A program exits with 0 whatever its model says: see [`read_report`](orch_core::read_report).
const ENDING: &str = "If you cannot do it, answer with one line that begins with";

/// Returns the description, then what else is there, each under a heading of its own, and how to say that it failed.
pub(super) fn prompt(context: &WorkerContext) -> String {
    let mut text = format!("{}\n", context.subtask.description);
    if let Some(guidance) = &context.attempt.guidance {
        section(&mut text, "Guidance", guidance);
    }
    if let Some(failure) = &context.attempt.last_failure {
        section(&mut text, "The attempt before this one failed", &failure.to_string());
    }
    object(&mut text, "Context of the whole task", &context.parent_context);
    object(&mut text, "Context", &context.subtask.context);
    if let Some(slice) = &context.memory_slice {
        let remembered = slice.to_prompt();
        if !remembered.is_empty() {
            write!(text, "\n{remembered}").expect("a string takes all text");
        }
    }
    for result in &context.sibling_results {
        section(&mut text, &format!("Result of `{}`", result.subtask_id), &plain(&result.output));
    }
    for absence in &context.absent {
        let heading = format!("No result of `{}` ({})", absence.subtask_id, absence.status);
        section(&mut text, &heading, &absence.reason);
    }
    write!(text, "\n{ENDING} {FAILED_PREFIX} and says why.\n").expect("a string takes all text");
    text
}

fn object(text: &mut String, heading: &str, map: &JsonMap) {
    if !map.is_empty() {
        section(text, heading, &format!("{:#}", Value::Object(map.clone())));
    }
}

fn section(text: &mut String, heading: &str, body: &str) {
    write!(text, "\n## {heading}\n{}\n", body.trim_end()).expect("a string takes all text");
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| format!("{value:#}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use orch_core::{
        Absence, AttemptInfo, Cause, Failure, Fence, MemorySlice, Subtask, SubtaskPhase, Token,
        WorkerResult,
    };
    use serde_json::json;

    use super::*;

    const LAST: &str =
        "\nIf you cannot do it, answer with one line that begins with FAILED: and says why.\n";

    fn context(subtask: Subtask) -> WorkerContext {
        let run = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let attempt = AttemptInfo::new(run, Fence(1), Token(1), &subtask.id, 1_000);
        WorkerContext::new(subtask, attempt)
    }

    #[test]
    fn a_bare_subtask_is_its_description() {
        assert_eq!(prompt(&context(Subtask::new("a", "Do it", "x"))), format!("Do it\n{LAST}"));
    }

    #[test]
    fn everything_that_is_there_is_said() {
        let mut subtask = Subtask::new("a", "Do it", "x");
        subtask.context.insert("k".into(), json!(1));
        let mut context = context(subtask);
        Arc::make_mut(&mut context.parent_context).insert("p".into(), json!("q"));
        context.attempt.guidance = Some("Look twice".into());
        context.attempt.last_failure = Some(Failure::new(Cause::Reported, "no luck"));
        let known = vec!["Short answers.".to_owned()];
        context.memory_slice = Some(MemorySlice::new().with_preferences(known));
        context.sibling_results = vec![
            Arc::new(WorkerResult::success("t", "w", json!("text\n"))),
            Arc::new(WorkerResult::success("j", "w", json!([1]))),
        ];
        context.absent = vec![Absence::new("z", SubtaskPhase::Failed, "broke")];
        assert_eq!(
            prompt(&context),
            "Do it\n\n## Guidance\nLook twice\n\
             \n## The attempt before this one failed\nerror (reported): no luck\n\
             \n## Context of the whole task\n{\n  \"p\": \"q\"\n}\n\
             \n## Context\n{\n  \"k\": 1\n}\n\
             \n## Preferences\n- Short answers.\n\
             \n## Result of `t`\ntext\n\
             \n## Result of `j`\n[\n  1\n]\n\
             \n## No result of `z` (failed)\nbroke\n"
                .to_owned()
                + LAST
        );
    }
}
