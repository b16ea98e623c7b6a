//! The events of a run as a person follows them. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use orch_core::journal::Recorded;
use orch_core::{
    Event, Fence, InterventionSubject, ResultSource, Seq, SkipReason, SubtaskId, SubtaskIndex,
    WorkerName,
};

use crate::text::{millis, shown, span};

/// How many subtasks are where, and who works on what.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// The last event that was seen.
    pub(super) seq: Seq,
    pub(super) finished: u64,
    pub(super) running: BTreeMap<Fence, Running>,
    subtasks: Vec<SubtaskId>,
}

/// An attempt that goes on.
#[derive(Debug)]
pub(super) struct Running {
    subtask: SubtaskIndex,
    pub(super) worker: WorkerName,
    since: Timestamp,
    /// Whether somebody is still to claim it.
    offered: bool,
}

impl Board {
    pub(super) fn total(&self) -> u64 {
        self.subtasks.len() as u64
    }

    /// Returns what a running attempt is about.
    pub(super) fn label(&self, attempt: &Running) -> String {
        let how = if attempt.offered { "offered to " } else { "" };
        format!("{} ({how}{})", self.name(attempt.subtask), shown(&attempt.worker))
    }

    fn name(&self, subtask: SubtaskIndex) -> String {
        self.subtasks.get(subtask.get()).map_or_else(|| "?".to_owned(), shown)
    }

    fn closed(&mut self, at: Timestamp, fence: Fence) -> (String, String) {
        match self.running.remove(&fence) {
            Some(attempt) => (self.label(&attempt), span(millis(attempt.since, at))),
            None => ("?".to_owned(), String::new()),
        }
    }

    fn finish(&mut self) -> String {
        self.finished += 1;
        format!("[{}/{}]", self.finished, self.total())
    }

    /// Takes an event, and returns the line to show for it. An event that was seen before changes nothing.
    pub(super) fn apply(&mut self, recorded: &Recorded) -> Option<String> {
        if recorded.seq <= self.seq {
            return None;
        }
        self.seq = recorded.seq;
        let at = recorded.at;
        match &recorded.event {
            Event::PlanAdopted { add, .. } => {
                self.subtasks.extend(add.subtasks.iter().map(|subtask| subtask.id.clone()));
                let notes: String =
                    add.notes.iter().map(|note| format!("\n  {}", shown(note))).collect();
                Some(format!(
                    "plan: {} subtasks ({}){notes}",
                    add.subtasks.len(),
                    shown(add.source)
                ))
            }
            Event::AttemptOffered { subtask, fence, worker, .. } => {
                self.began(at, *subtask, *fence, worker, true)
            }
            Event::AttemptStarted { subtask, fence, worker, .. } => {
                self.began(at, *subtask, *fence, worker, false)
            }
            Event::SubtaskCompleted { source: ResultSource::Attempt { fence }, .. } => {
                let (label, took) = self.closed(at, *fence);
                Some(format!("✓ {label} {took} {}", self.finish()))
            }
            Event::AttemptFailed { fence, failure, .. } => {
                let (label, took) = self.closed(at, *fence);
                Some(format!("! {label} {took}: {}", shown(failure)))
            }
            Event::AttemptLost { fence, cause, .. } => {
                let (label, _) = self.closed(at, *fence);
                Some(format!("! {label}: lost ({cause})"))
            }
            Event::AttemptClosed { fence, reason, .. } => {
                let (label, _) = self.closed(at, *fence);
                Some(format!("- {label}: {reason}"))
            }
            Event::RetryScheduled { subtask, until, worker, reason, .. } => {
                let by = worker
                    .as_ref()
                    .map(|worker| format!(" by {}", shown(worker)))
                    .unwrap_or_default();
                let pause = span(millis(at, *until));
                Some(format!("↻ {}: again{by} in {pause} ({})", self.name(*subtask), shown(reason)))
            }
            Event::SubtaskFailed { subtask, failure, reason } => {
                let name = self.name(*subtask);
                let why = shown(format_args!("{failure} ({reason})"));
                Some(format!("✗ {name}: {why} {}", self.finish()))
            }
            Event::SubtaskSkipped {
                subtask,
                because: SkipReason::Dependency { subtask: because },
            } => {
                let (name, root) = (self.name(*subtask), self.name(*because));
                Some(format!("- {name}: skipped, as `{root}` failed {}", self.finish()))
            }
            Event::InterventionMade {
                subject: InterventionSubject::Subtask { subtask },
                intervention,
            } => Some(format!("~ {}: {intervention:?}", self.name(*subtask))),
            Event::RunSuspended { reason } => Some(format!("suspended: {}", shown(reason))),
            Event::RunResumed { .. } => Some("resumed".to_owned()),
            Event::CancelRequested { reason, detail, .. } => {
                Some(format!("cancelling ({reason}) {}", shown(detail)).trim_end().to_owned())
            }
            Event::RunSubmitted { .. }
            | Event::LeaseExtended { .. }
            | Event::ResultReceived { .. }
            | Event::InterventionJudged { .. }
            | Event::ConcurrencyLimitChanged { .. }
            | Event::UsageNoted { .. }
            | Event::RunEnded { .. } => None,
        }
    }

    fn began(
        &mut self,
        at: Timestamp,
        subtask: SubtaskIndex,
        fence: Fence,
        worker: &WorkerName,
        offered: bool,
    ) -> Option<String> {
        let attempt = Running { subtask, worker: worker.clone(), since: at, offered };
        let line = format!("> {}", self.label(&attempt));
        self.running.insert(fence, attempt);
        Some(line)
    }
}
