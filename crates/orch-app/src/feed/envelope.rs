//! Events as outsiders see them: ALMA's envelope, subtasks by their ids, no secrets, nothing that workers write.

use std::collections::BTreeMap;

use jiff::Timestamp;
use orch_core::journal::Recorded;
use orch_core::{
    Cause, Event, Failure, Fence, JsonMap, ProjectId, RunId, Seq, SkipReason, SubtaskId, WorkerName,
};
use serde::Serialize;
use serde_json::json;

/// What an event is about, in ALMA's words.
const MEMORY_TYPE: &str = "orchestration";

/// Something that happened in a run, in the envelope of ALMA's `MemoryEvent`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LifecycleEvent {
    /// The kind of event, dotted: `orchestration.ended`, `subtask.completed`; see [`Event::dotted_type`].
    pub event_type: &'static str,
    /// The worker that it concerns; absent when it concerns none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<WorkerName>,
    /// The project of the run.
    pub project_id: ProjectId,
    /// Always `orchestration`.
    pub memory_type: &'static str,
    /// The run.
    pub memory_id: RunId,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What happened: `subtask_id` and `attempt` where there are such, and what belongs to the kind of event. Nothing that
    /// workers write is in it: no outputs, no messages of errors.
    pub payload: JsonMap,
    /// `sequence_number`: the place of the event in its run, from 1 without gaps. `by`: who caused it, an
    /// [`Actor`](orch_core::Actor); absent when the engine decided it by itself.
    pub metadata: JsonMap,
}

/// Turns the events of one run into envelopes. It must see all of them, from the first on.
#[derive(Debug)]
pub(super) struct Narrator {
    run: RunId,
    project: ProjectId,
    /// The last event that was seen.
    pub(super) seq: Seq,
    subtasks: Vec<SubtaskId>,
    workers: BTreeMap<Fence, WorkerName>,
}

impl Narrator {
    pub(super) fn new(run: RunId, project: ProjectId) -> Self {
        Self { run, project, seq: Seq(0), subtasks: Vec::new(), workers: BTreeMap::new() }
    }

    /// Returns the envelope of the next event.
    pub(super) fn tell(&mut self, recorded: &Recorded) -> LifecycleEvent {
        self.seq = recorded.seq;
        let mut payload = JsonMap::new();
        let agent = self.fill(&mut payload, &recorded.event);
        let mut metadata = JsonMap::new();
        metadata.insert("sequence_number".to_owned(), json!(recorded.seq));
        if let Some(by) = &recorded.by {
            metadata.insert("by".to_owned(), json!(by));
        }
        LifecycleEvent {
            event_type: recorded.event.dotted_type(),
            agent,
            project_id: self.project.clone(),
            memory_type: MEMORY_TYPE,
            memory_id: self.run,
            timestamp: recorded.at,
            payload,
            metadata,
        }
    }

    /// Fills in what belongs to the kind of event, and returns the worker that it concerns.
    fn fill(&mut self, payload: &mut JsonMap, event: &Event) -> Option<WorkerName> {
        let mut set = |key: &str, value: serde_json::Value| {
            payload.insert(key.to_owned(), value);
        };
        set("orchestration_id", json!(self.run));
        let about = event.about();
        if let Some(id) = about.subtask().and_then(|index| self.subtasks.get(index.get())) {
            set("subtask_id", json!(id));
        }
        if let Some(fence) = about.fence() {
            set("attempt", json!(fence));
        }
        match event {
            Event::RunSubmitted { task, settings, origin, .. } => {
                set("description", json!(task.description));
                set("task_type", json!(task.task_type));
                set("strategy", json!(settings.strategy));
                if !origin.is_empty() {
                    set("origin", json!(origin));
                }
            }
            Event::PlanAdopted { revision, retire, add, .. } => {
                let retired: Vec<_> =
                    retire.iter().filter_map(|index| self.subtasks.get(index.get())).collect();
                set("revision", json!(revision));
                set("retired", json!(retired));
                let added: Vec<_> = add.subtasks.iter().map(|subtask| &subtask.id).collect();
                set("added", json!(added));
                self.subtasks.extend(added.into_iter().cloned());
            }
            Event::AttemptOffered { fence, worker, until, route, .. }
            | Event::AttemptStarted { fence, worker, until, route, .. } => {
                set("until", json!(until));
                if let Some(route) = route {
                    set("reason", json!(route.reason));
                }
                self.workers.insert(*fence, worker.clone());
            }
            Event::LeaseExtended { until, .. } => set("until", json!(until)),
            Event::ResultReceived { result, late, .. } => {
                set("late", json!(late));
                set("duration_ms", json!(result.result.duration_ms));
                set("confidence", json!(result.result.confidence));
            }
            Event::SubtaskCompleted { .. } | Event::RunResumed { .. } => {}
            Event::AttemptFailed { failure, .. } => fail(&mut set, failure),
            Event::AttemptLost { cause, .. } => set("cause", json!(cause)),
            Event::AttemptClosed { reason, .. } => set("reason", json!(reason)),
            Event::RetryScheduled { retry, until, worker, reason, .. } => {
                set("retry", json!(retry));
                set("until", json!(until));
                set("reason", json!(reason));
                return worker.clone();
            }
            Event::SubtaskFailed { failure, reason, .. } => {
                fail(&mut set, failure);
                set("reason", json!(reason));
            }
            Event::SubtaskSkipped {
                because: SkipReason::Dependency { subtask: because }, ..
            } => {
                set("because", json!(self.subtasks.get(because.get())));
            }
            // Its reason may quote what a worker said.
            Event::InterventionMade { intervention, .. } => {
                set("intervention", json!(intervention.intervention_type));
            }
            Event::InterventionJudged { helped, .. } => set("helped", json!(helped)),
            Event::ConcurrencyLimitChanged { concurrency_limit } => {
                set("concurrency_limit", json!(concurrency_limit))
            }
            Event::UsageNoted { usage, .. } => set("usage", json!(usage)),
            Event::RunSuspended { reason } => set("reason", json!(reason)),
            Event::CancelRequested { reason, until, detail } => {
                set("reason", json!(reason));
                set("until", json!(until));
                set("detail", json!(detail));
            }
            Event::RunEnded { status, conflicts, confidence, errors, .. } => {
                set("status", json!(status));
                set("confidence", json!(confidence));
                // Each is a sentence with the values in it.
                set("conflicts", json!(conflicts.len()));
                set("errors", json!(errors));
            }
        }
        about.fence().and_then(|fence| self.workers.get(&fence)).cloned()
    }
}

/// Says of a failure what the engine knows. Its message is not told: it may be the worker's own, or quote its stderr.
fn fail(set: &mut impl FnMut(&str, serde_json::Value), failure: &Failure) {
    set("failure_type", json!(failure.failure_type));
    set("cause", json!(failure.cause));
    for key in ["exit_code", "signal"] {
        if let Some(number) = failure.evidence.get(key).filter(|value| value.is_i64()) {
            set(key, number.clone());
        }
    }
    if let Some(gate) = failure.evidence.get("gate").filter(|_| failure.cause == Cause::Gate) {
        set("gate", gate.clone());
    }
}

#[cfg(test)]
mod tests {
    use orch_core::{Intervention, InterventionSubject, InterventionType, SubtaskIndex};

    use super::*;

    #[track_caller]
    fn check(event: Event, expected: serde_json::Value) {
        let mut narrator = Narrator::new(RunId::new(Timestamp::UNIX_EPOCH, 0), ProjectId::new("p"));
        let recorded = Recorded::new(Seq(1), Timestamp::UNIX_EPOCH, event);
        let mut payload = narrator.tell(&recorded).payload;
        payload.remove("orchestration_id");
        assert_eq!(json!(payload), expected);
    }

    #[test]
    fn of_failures_and_interventions_no_words_are_told() {
        let failed = |cause, evidence: serde_json::Value| Event::SubtaskFailed {
            subtask: SubtaskIndex(0),
            failure: Box::new(
                Failure::new(cause, "secret")
                    .with_evidence(evidence.as_object().cloned().unwrap_or_default()),
            ),
            reason: "no retry".to_owned(),
        };
        check(
            failed(Cause::Crash, json!({ "signal": 9, "exit_code": "secret", "stderr": "secret" })),
            json!({ "failure_type": "error", "cause": "crash", "signal": 9, "reason": "no retry" }),
        );
        check(
            failed(Cause::Gate, json!({ "gate": "non_empty", "output": "secret" })),
            json!({ "failure_type": "quality", "cause": "gate", "gate": "non_empty", "reason": "no retry" }),
        );
        check(
            failed(Cause::Reported, json!({ "gate": "secret" })),
            json!({ "failure_type": "error", "cause": "reported", "reason": "no retry" }),
        );
        let intervention = Intervention::new(InterventionType::Escalate, "secret", "secret");
        check(
            Event::InterventionMade {
                subject: InterventionSubject::Subtask { subtask: SubtaskIndex(0) },
                intervention: Box::new(intervention),
            },
            json!({ "intervention": "escalate" }),
        );
    }
}
