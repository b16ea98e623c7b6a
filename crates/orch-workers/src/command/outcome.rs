//! From a program that has ended to a result or a typed failure.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use orch_core::{
    Cause, JsonMap, Reading, Subtask, WorkerError, WorkerName, WorkerResult, last_line, read_json,
    read_report,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::capture::Ends;
use super::child::{Ending, Finished};
use super::{CommandConfig, OutputMode};

/// How much of the stdout of a program that failed is kept as evidence, in bytes: half from its beginning, half from its end.
const STDOUT_EVIDENCE: usize = 8 << 10;

/// Judges what became of an attempt at `subtask`.
pub(super) fn judge(
    worker: &WorkerName,
    subtask: &Subtask,
    config: &CommandConfig,
    program: &str,
    finished: &Finished,
) -> Result<WorkerResult, WorkerError> {
    let status = finished.status;
    let succeeded = status.code().is_some_and(|code| config.success_exit_codes.contains(&code));
    let error = |cause, what: String| {
        let evidence = evidence_of_failure(finished);
        // As a rule the reason.
        let last = last_line(&evidence).map(|line| format!(": {line}")).unwrap_or_default();
        WorkerError::new(cause, format!("`{program}` {what}{last}")).with_evidence(evidence)
    };
    let result = || result(worker, subtask, config.output, finished);
    // A program that was asked to end may still hand over what it has.
    let handed_over =
        || (succeeded && !finished.stdout.is_empty()).then(|| result().ok()).flatten();
    match finished.ending {
        Ending::Own if succeeded => result().map_err(|message| {
            WorkerError::new(Cause::BadOutput, format!("`{program}`: {message}"))
                .with_evidence(evidence_of_failure(finished))
        }),
        Ending::Own => {
            let (cause, what) = of_status(status);
            Err(error(cause, what))
        }
        Ending::TimedOut => {
            handed_over().ok_or_else(|| error(Cause::Timeout, "ran out of time".to_owned()))
        }
        Ending::Stopped => {
            handed_over().ok_or_else(|| error(Cause::Cancelled, "was asked to stop".to_owned()))
        }
        Ending::OutputLimit => Err(WorkerError::new(
            Cause::OutputLimit,
            format!("`{program}` wrote more than {} bytes", config.max_output_bytes),
        )
        .with_evidence(evidence_of_failure(finished))),
    }
}

/// The causes of exit codes, after `sysexits.h` and the shells.
fn of_status(status: ExitStatus) -> (Cause, String) {
    let Some(code) = status.code() else {
        // The standard library's text names the signal.
        return (Cause::Crash, format!("was killed: {status}"));
    };
    let (cause, meaning) = match code {
        64 => (Cause::InvalidInput, " (wrong usage)"),
        65 => (Cause::InvalidInput, " (bad data)"),
        66 => (Cause::InvalidInput, " (no input)"),
        69 => (Cause::Unavailable, " (unavailable)"),
        75 => (Cause::Reported, " (try again later)"),
        77 => (Cause::Auth, " (not allowed)"),
        126 => (Cause::Unavailable, " (not executable)"),
        127 => (Cause::Unavailable, " (not found)"),
        _ => (Cause::Reported, ""),
    };
    (cause, format!("exited with code {code}{meaning}"))
}

/// Returns what is known of a program that failed: also the two ends of what it wrote to stdout, where many programs say
/// what they found.
fn evidence_of_failure(finished: &Finished) -> JsonMap {
    let mut evidence = evidence(finished);
    if !finished.stdout.is_empty() {
        let mut ends = Ends::new(STDOUT_EVIDENCE);
        ends.push(&finished.stdout);
        evidence.insert("stdout".into(), ends.text().into());
        evidence.insert("stdout_bytes".into(), ends.total().into());
    }
    evidence
}

fn evidence(finished: &Finished) -> JsonMap {
    let mut evidence = JsonMap::new();
    let mut note = |key: &str, value: Value| evidence.insert(key.into(), value);
    if let Some(code) = finished.status.code() {
        note("exit_code", code.into());
    }
    if let Some(signal) = finished.status.signal() {
        note("signal", signal.into());
    }
    match finished.ending {
        Ending::Own => None,
        Ending::TimedOut => note("ended_by", "timeout".into()),
        Ending::Stopped => note("ended_by", "stop".into()),
        Ending::OutputLimit => note("ended_by", "output_limit".into()),
    };
    if finished.stderr.total() > 0 {
        note("stderr", finished.stderr.text().into());
        note("stderr_bytes", finished.stderr.total().into());
    }
    if finished.held_open {
        note("output_held_open", true.into());
    }
    if let Some(left_behind) = &finished.left_behind {
        note("left_behind", left_behind.as_str().into());
    }
    evidence
}

/// Reads stdout; `Err` says in words what is wrong with it.
fn result(
    worker: &WorkerName,
    subtask: &Subtask,
    mode: OutputMode,
    finished: &Finished,
) -> Result<WorkerResult, String> {
    let mut evidence = evidence(finished);
    let whole = match mode {
        OutputMode::Text => {
            let text = String::from_utf8_lossy(&finished.stdout);
            if let std::borrow::Cow::Owned(_) = text {
                evidence.insert("stdout_lossy".into(), true.into());
            }
            Whole::new(without_last_newline(&text).into())
        }
        OutputMode::Json => read_output(&finished.stdout)?,
    };
    let mut result = WorkerResult::success(subtask.id.clone(), worker.clone(), whole.output)
        .with_confidence(whole.confidence)
        .with_metadata(whole.metadata);
    match read_report(&result.output, whole.success, whole.error_message.as_deref()) {
        Reading::Failure { sign, message, .. } => {
            result.success = false;
            let why = || format!("{} and gives no reason", sign.clause());
            result.error_message = Some(message.unwrap_or_else(why));
        }
        // A program that has nothing to say has done its work: its exit code says so.
        Reading::Result { .. } | Reading::Blank => result.error_message = whole.error_message,
    }
    add_evidence(&mut result, evidence)?;
    Ok(result)
}

fn without_last_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// A whole result, as a program writes it under the key `$orch`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    #[serde(default)]
    output: Value,
    success: Option<bool>,
    error_message: Option<String>,
    #[serde(default = "sure")]
    confidence: f64,
    #[serde(default)]
    metadata: JsonMap,
}

impl Whole {
    /// An output of which nothing more is said.
    fn new(output: Value) -> Self {
        let metadata = JsonMap::new();
        Self { output, success: None, error_message: None, confidence: sure(), metadata }
    }
}

fn sure() -> f64 {
    1.0
}

fn read_output(stdout: &[u8]) -> Result<Whole, String> {
    let value = read_json(stdout).map_err(|error| error.to_string())?;
    let whole = match &value {
        Value::Object(map) if map.len() == 1 => map.get("$orch"),
        Value::Object(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_) => None,
    };
    let Some(whole) = whole else { return Ok(Whole::new(value)) };
    let whole = Whole::deserialize(whole).map_err(|e| format!("`$orch`: {e}"))?;
    if !(0.0..=1.0).contains(&whole.confidence) {
        return Err(format!("`$orch`: confidence {} is not in 0 to 1", whole.confidence));
    }
    Ok(whole)
}

/// Puts our evidence beside the program's own, which gives way; checks the well-known metadata on the way.
fn add_evidence(result: &mut WorkerResult, ours: JsonMap) -> Result<(), String> {
    let said = |e: orch_core::MetadataError| format!("`$orch`: {e}");
    result.usage().map_err(said)?;
    result.artifacts().map_err(said)?;
    result.lessons().map_err(said)?;
    let mut all = result.evidence().map_err(said)?.unwrap_or_default();
    all.extend(ours);
    result.metadata.insert("evidence".into(), json!(all));
    Ok(())
}
