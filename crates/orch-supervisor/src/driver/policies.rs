//! The policies that a driver asks: synchronous user code, kept at arm's length.

use std::sync::Arc;

use orch_core::journal::Blob;
use orch_core::{
    Cause, Failure, FailureHandler, JsonMap, QualityGate, Router, StoredResult, Subtask,
    check_gates,
};

use crate::guard::inline::ask;
use crate::part::Part;

/// Who decides what the machine does not.
#[derive(Clone)]
pub(crate) struct Policies {
    /// Which worker gets a subtask.
    pub router: Part<dyn Router>,
    /// What follows from a failure.
    pub failure_handler: Part<dyn FailureHandler>,
    /// What every result must fulfil, beside the gates of its subtask.
    pub gates: Vec<Part<dyn QualityGate>>,
    /// Whether there is a memory to ask about a run before it starts.
    pub has_memory: bool,
}

impl Policies {
    /// Says why a result will not do, if so: the worker itself says that it failed, or a gate is not passed.
    pub(super) fn check(
        &self,
        subtask: &Subtask,
        body: &StoredResult,
        blob: Option<&Blob>,
    ) -> Option<Failure> {
        if !body.result.success {
            let message = body.result.error_message.clone();
            let message = message.unwrap_or_else(|| "the worker reported a failure".to_owned());
            // What it made all the same is evidence, never an input of others.
            let output = &body.result.output;
            let made = (!output.is_null()).then(|| ("output".to_owned(), output.clone()));
            let evidence: JsonMap = made.into_iter().collect();
            return Some(Failure::new(Cause::Reported, message).with_evidence(evidence));
        }
        if subtask.gates.is_empty() && subtask.artifacts.is_empty() && self.gates.is_empty() {
            return None;
        }
        let whole = match blob {
            Some(blob) => match serde_json::from_slice::<serde_json::Value>(&blob.bytes) {
                Ok(output) => Arc::new((*body.result).clone().with_output(output)),
                Err(error) => {
                    return Some(Failure::new(
                        Cause::BadOutput,
                        format!("the output is not JSON: {error}"),
                    ));
                }
            },
            None => body.result.clone(),
        };
        let gates: Vec<_> = self.gates.iter().map(|gate| gate.part.clone()).collect();
        match ask("quality gate", || check_gates(subtask, &whole, &gates)) {
            Ok(verdict) => verdict.err(),
            Err(failure) => Some(failure),
        }
    }
}
