//! What a report brings: its output, and whether it is a result or a failure.

use orch_core::{
    Cause, Failure, Fence, JsonMap, Reading, Token, Usage, WorkerName, WorkerResult, nearest,
    read_report,
};
use orch_supervisor::SubtaskReport;
use serde_json::Value;

use crate::answer::short;
use crate::args::{Report, UsageArg};
use crate::error::ToolError;
use crate::files::FileError;

/// The causes that a report may name.
const CAUSES: [Cause; 6] = [
    Cause::Reported,
    Cause::Timeout,
    Cause::RateLimit,
    Cause::Auth,
    Cause::InvalidInput,
    Cause::Unavailable,
];

/// A report for the engine.
pub(super) struct Reported {
    pub(super) report: SubtaskReport,
    /// How it was read and why, unless it is simply a result.
    pub(super) read_as: Option<String>,
}

/// Makes the report of what `worker` did; `read` reads a file that an agent wrote.
pub(super) fn reported(
    read: impl FnOnce(&str) -> Result<Value, FileError>,
    args: &Report,
    worker: WorkerName,
    attempt: Option<(Fence, Token)>,
    lessons: &[String],
) -> Result<Reported, ToolError> {
    let (output, left_out) = output(read, args)?;
    let (failure, read_as) = match read_report(&output, args.success, args.error_message.as_deref())
    {
        Reading::Failure { sign, message, cause } => {
            let cause = args.cause.as_ref().map(|word| word.as_str().into()).or(cause);
            let read_as = format!("a failure, since {}{left_out}", sign.clause());
            (Some(failure(message, cause)?), Some(read_as))
        }
        Reading::Result { despite: Some(sign) } => {
            let clause = sign.clause();
            (None, Some(format!("a result, since `success` is true, although {clause}")))
        }
        Reading::Result { despite: None } if args.cause.is_some() => {
            return Err(ToolError::Arguments(
                "`cause` belongs to a failure; pass `error_message` with it, or leave it out."
                    .to_owned(),
            ));
        }
        Reading::Result { despite: None } => (None, None),
        Reading::Blank => return Err(blank(args)),
    };
    let subtask = args.subtask_id.clone();
    let result = match &failure {
        None => WorkerResult::success(subtask.clone(), worker, output),
        Some(failure) => WorkerResult::failure(subtask.clone(), worker, failure.message.clone())
            .with_output(output),
    };
    let mut metadata = metadata(args.usage.as_ref())?;
    if !lessons.is_empty() {
        metadata.insert("lessons".to_owned(), lessons.into());
    }
    let mut report = SubtaskReport::new(subtask, result.with_metadata(metadata));
    report.attempt = attempt;
    report.failure = failure;
    report.request_key = args.request_key.clone();
    Ok(Reported { report, read_as })
}

/// Returns the output that is reported, and a clause about a file that is left out.
fn output(
    read: impl FnOnce(&str) -> Result<Value, FileError>,
    args: &Report,
) -> Result<(Value, String), ToolError> {
    let says_failed = args.success == Some(false)
        || (args.success.is_none() && args.error_message.as_deref().is_some_and(is_filled));
    match (&args.result, &args.result_file) {
        (Some(result), None) => Ok((result.clone(), String::new())),
        (None, Some(path)) => match read(path) {
            Ok(output) => Ok((output, String::new())),
            // An agent that cannot do its part writes no file.
            Err(error) if says_failed => {
                Ok((Value::Null, format!("; the file is left out: {}", short(&error.to_string(), 300))))
            }
            Err(error) => Err(error.into()),
        },
        (Some(_), Some(_)) => {
            Err(ToolError::Arguments("Pass `result` or `result_file`, not both.".to_owned()))
        }
        (None, None) if says_failed => Ok((Value::Null, String::new())),
        (None, None) => Err(ToolError::Arguments(
            "Pass `result`, or `result_file` when the agent wrote one; for a failure pass `error_message`."
                .to_owned(),
        )),
    }
}

fn is_filled(text: &str) -> bool {
    !text.trim().is_empty()
}

fn blank(args: &Report) -> ToolError {
    let what = match &args.result_file {
        Some(path) => format!("The result_file `{}`", short(path, 200)),
        None => "The `result`".to_owned(),
    };
    ToolError::Arguments(format!(
        "{what} is empty: report what the agent made, or pass `error_message` when it made nothing."
    ))
}

fn failure(message: Option<String>, cause: Option<Value>) -> Result<Failure, ToolError> {
    let Some(message) = message else {
        return Err(ToolError::Arguments(
            "A failure needs `error_message`: say in a sentence what went wrong.".to_owned(),
        ));
    };
    let cause = match cause {
        None => Cause::Reported,
        Some(word) => {
            let known = CAUSES.into_iter().find(|cause| word.as_str() == Some(cause.as_str()));
            known.ok_or_else(|| {
                let near = word.as_str().and_then(|word| nearest(word, CAUSES.map(Cause::as_str)));
                let near =
                    near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
                let (word, known) = (short(&word.to_string(), 60), CAUSES.map(Cause::as_str));
                let known = known.join(", ");
                ToolError::Arguments(format!("`cause` is {word}{near}; pass one of: {known}."))
            })?
        }
    };
    Ok(Failure::new(cause, message))
}

fn metadata(usage: Option<&UsageArg>) -> Result<JsonMap, ToolError> {
    let Some(usage) = usage else { return Ok(JsonMap::new()) };
    if usage.cost_usd.is_some_and(|cost| cost < 0.0) {
        return Err(ToolError::Arguments("`usage.cost_usd` must not be negative.".to_owned()));
    }
    let usage = Usage::default()
        .with_input_tokens(usage.input_tokens)
        .with_output_tokens(usage.output_tokens)
        .with_cost_usd(usage.cost_usd);
    let usage = serde_json::to_value(usage).unwrap_or_default();
    Ok(JsonMap::from_iter([("usage".to_owned(), usage)]))
}
