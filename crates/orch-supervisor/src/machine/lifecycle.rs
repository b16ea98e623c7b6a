//! The course of a run: plan, suspend, resume, cancel, end.

use std::sync::Arc;

use jiff::Timestamp;
use orch_core::learned::Priors;
use orch_core::{
    AggregationResult, CancelReason, DecompositionPlan, EndStatus, Epoch, Event, Seq, SubtaskIndex,
    SubtaskPhase,
};
use serde_json::Value;

use super::command::{Answer, Decided, Outcome, Refusal};
use super::state::{Stage, State, after};

/// The most revisions of a plan, the first one apart.
const MAX_REVISIONS: u32 = 3;

pub(super) fn adopt_plan(
    state: &State,
    plan: Arc<DecompositionPlan>,
    base_seq: Seq,
    retire: Vec<SubtaskIndex>,
    priors: Priors,
) -> Result<Decided, Refusal> {
    match state.stage {
        Stage::Planning if state.revision == 0 => {}
        Stage::Planning | Stage::Active | Stage::Cancelling { .. } | Stage::Ended(_) => {
            return Err(Refusal::NotAsked { question: "the plan" });
        }
    }
    debug_assert!(state.revision < MAX_REVISIONS, "a run without a plan has no revision");
    if let Some(index) = retire.first() {
        return Err(Refusal::Plan(format!(
            "subtask {index} cannot be retired: there is no plan yet"
        )));
    }
    let issues = plan.validate_shape();
    if !issues.is_empty() {
        let issues: Vec<String> = issues.iter().map(ToString::to_string).collect();
        return Err(Refusal::Plan(issues.join("; ")));
    }
    Ok(Decided::events(vec![Event::PlanAdopted {
        revision: state.revision + 1,
        base_seq,
        retire,
        add: plan,
        priors,
    }]))
}

pub(super) fn fail_plan(state: &State, errors: Vec<String>) -> Result<Decided, Refusal> {
    if state.stage != Stage::Planning {
        return Err(Refusal::NotAsked { question: "the plan" });
    }
    Ok(Decided::events(vec![ended(EndStatus::Failed, Value::Null, errors)]))
}

fn ended(status: EndStatus, output: Value, errors: Vec<String>) -> Event {
    Event::RunEnded { status, output, blob: None, conflicts: Vec::new(), confidence: 0.0, errors }
}

pub(super) fn suspend(state: &State, reason: String) -> Result<Decided, Refusal> {
    if state.is_ended() {
        return Err(Refusal::Ended { run: state.run });
    }
    let events = if state.suspended { Vec::new() } else { vec![Event::RunSuspended { reason }] };
    Ok(Decided::events(events))
}

pub(super) fn resume(state: &State, epoch: Epoch) -> Result<Decided, Refusal> {
    if state.is_ended() {
        return Err(Refusal::Ended { run: state.run });
    }
    Ok(Decided::events(vec![Event::RunResumed { epoch }]))
}

/// Cancel is final. Asking again answers the same, and changes nothing.
pub(super) fn cancel(
    state: &State,
    reason: CancelReason,
    detail: String,
    now: Timestamp,
) -> Result<Decided, Refusal> {
    match &state.stage {
        Stage::Ended(_) => Ok(Decided::answered(Vec::new(), Answer::Cancelling(false))),
        Stage::Cancelling { reason: first, .. } => {
            Ok(Decided::answered(Vec::new(), Answer::Cancelling(*first == CancelReason::Requested)))
        }
        Stage::Planning | Stage::Active => {
            let until = after(now, state.settings.grace_ms);
            let event = Event::CancelRequested { reason, until, detail };
            Ok(Decided::answered(vec![event], Answer::Cancelling(true)))
        }
    }
}

pub(super) fn end(state: &State, outcome: Outcome) -> Result<Decided, Refusal> {
    if state.suspended || state.is_ended() || !state.wants_output() {
        return Err(Refusal::NotAsked { question: "the output" });
    }
    match outcome {
        Outcome::Output(result, blob) => {
            let AggregationResult { output, conflicts_resolved, confidence, .. } = *result;
            let event = Event::RunEnded {
                status: state.end_status(),
                output,
                blob: blob.as_ref().map(|b| b.name),
                conflicts: conflicts_resolved,
                confidence,
                errors: state.why_early(),
            };
            Ok(Decided {
                events: vec![event],
                answer: Answer::Done,
                blobs: blob.into_iter().collect(),
            })
        }
        Outcome::Failed(error) => {
            let status = match state.end_status() {
                EndStatus::Cancelled => EndStatus::Cancelled,
                EndStatus::Completed | EndStatus::Partial | EndStatus::Failed => EndStatus::Failed,
            };
            let errors = [error].into_iter().chain(state.why_early()).collect();
            Ok(Decided::events(vec![ended(status, Value::Null, errors)]))
        }
    }
}

impl State {
    /// Returns how the run would end now: by who is done, who had to be, and why it ends.
    pub(crate) fn end_status(&self) -> EndStatus {
        if let Stage::Cancelling { reason: CancelReason::Requested, .. } = self.stage {
            return EndStatus::Cancelled;
        }
        let settings = &self.settings.aggregation;
        let tally = self.tally();
        // A run that ends before it has a plan has done nothing of what it was to do.
        let success =
            self.revision > 0 && tally.required_done && tally.ratio() >= settings.min_success_ratio;
        if success && tally.done == tally.wanted {
            EndStatus::Completed
        } else if success && tally.done > 0 && settings.allow_partial {
            EndStatus::Partial
        } else {
            EndStatus::Failed
        }
    }

    /// Returns why the run ends before its time, in a sentence.
    fn why_early(&self) -> Vec<String> {
        match &self.stage {
            Stage::Cancelling { detail, .. } if !detail.is_empty() => vec![detail.clone()],
            Stage::Planning | Stage::Active | Stage::Cancelling { .. } | Stage::Ended(_) => {
                Vec::new()
            }
        }
    }

    fn tally(&self) -> Tally {
        let mut tally = Tally { required_done: true, ..Tally::default() };
        for node in &self.nodes {
            let phase = node.state.phase();
            if phase == SubtaskPhase::Retired {
                continue;
            }
            let done = phase == SubtaskPhase::Done;
            if node.spec.required == Some(true) {
                tally.required_done &= done;
            }
            if node.spec.required != Some(false) {
                tally.wanted += 1;
                tally.done += u32::from(done);
                tally.failed +=
                    u32::from(matches!(phase, SubtaskPhase::Failed | SubtaskPhase::Skipped));
            }
        }
        tally
    }
}

/// Who is done of those that count.
#[derive(Default)]
struct Tally {
    wanted: u32,
    done: u32,
    failed: u32,
    required_done: bool,
}

impl Tally {
    /// Done / (done + failed + skipped); 1 when nothing counts.
    fn ratio(&self) -> f64 {
        match self.done + self.failed {
            0 => 1.0,
            all => f64::from(self.done) / f64::from(all),
        }
    }
}
