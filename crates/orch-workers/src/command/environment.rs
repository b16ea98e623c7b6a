//! The environment of a program: what is listed, what is set, and the names of its attempt. Nothing else.

use std::ffi::OsString;

use orch_core::{AttemptInfo, SubtaskId};

use super::CommandConfig;
use super::CommandError;

/// The variables that tell a program which attempt it is; set for every program, never by configuration.
const RESERVED: [&str; 8] = [
    crate::process::ATTEMPT_VARIABLE,
    "ORCH_ATTEMPT_TOKEN",
    "ORCH_ATTEMPT_NUMBER",
    "ORCH_IDEMPOTENCY_KEY",
    "ORCH_RUN_ID",
    "ORCH_SUBTASK_ID",
    "ORCH_RUN_DEPTH",
    "TRACEPARENT",
];

/// Refuses names that no variable can have, and those that only we set.
pub(super) fn check_names(config: &CommandConfig) -> Result<(), CommandError> {
    for name in config.env.keys().chain(&config.env_allow) {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(CommandError::VariableName { name: name.clone() });
        }
        if RESERVED.contains(&name.as_str()) {
            return Err(CommandError::ReservedVariable { name: name.clone() });
        }
    }
    Ok(())
}

/// Returns the whole environment of an attempt: later entries win over earlier ones of the same name.
pub(super) fn of_attempt(
    allowed: &[String],
    set: impl IntoIterator<Item = (String, String)>,
    attempt: &AttemptInfo,
    subtask: &SubtaskId,
) -> Vec<(String, OsString)> {
    let inherited = allowed.iter().filter_map(|n| Some((n.clone(), std::env::var_os(n)?)));
    let set = set.into_iter().map(|(name, value)| (name, value.into()));
    let own = RESERVED.into_iter().zip([
        crate::process::attempt_name(attempt.run_id, attempt.fence),
        attempt.token.to_string(),
        attempt.number.to_string(),
        attempt.idempotency_key.clone(),
        attempt.run_id.to_string(),
        subtask.to_string(),
        attempt.run_depth.to_string(),
        attempt.traceparent.clone(),
    ]);
    let own = own.map(|(name, value)| (name.to_owned(), value.into()));
    inherited.chain(set).chain(own).collect()
}
