//! Taking down the run of a dead owner: it is acquired and suspended, only to free a lock that is wanted here.
//!
//! Suspending frees the locks of managed attempts, and of no others: what a pull worker has claimed goes on without an owner.

use orch_core::journal::Recorded;
use orch_core::{Epoch, LockName, RunId};

use super::Driver;
use super::io::{Left, Output};
use super::recovery::fold;
use super::run::{Run, Work};
use crate::machine::AttemptKind;

/// Why a run is suspended whose owner died.
pub(super) const TAKEN_DOWN: &str =
    "its process has ended, and another run wants a lock that it held";

impl Driver {
    /// The owner of a run has died, and managed attempts of the run hold a lock that is wanted here. What these attempts have left
    /// is ended, they are lost, and the run is suspended: that frees its locks, and it can be resumed.
    pub(super) fn take_down(&mut self, run: RunId) {
        let is_cared_for = |entry: &Run| {
            let wanted = entry.wants_ownership || entry.resuming.is_some();
            entry.is_owned() || wanted || entry.acquiring || entry.turn.is_some()
        };
        if self.runs.get(&run).is_some_and(is_cared_for) || self.shutting_down.is_some() {
            return;
        }
        let entry = self.runs.get_or_unloaded(run);
        entry.wants_ownership = true;
        entry.takes_down = true;
        entry.acquiring = true;
        self.outputs.push(Output::Acquire { run });
    }

    /// The run could not be acquired. The run that wants its lock asks for it again, and that begins another take-down.
    pub(super) fn not_taken_down(&mut self, run: RunId) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        entry.wants_ownership = false;
        self.outputs.push(Output::Left { run, why: Left::OwnerChanged });
        self.reconcile_or_forget(run);
    }
}

impl Run {
    /// Somebody wants the run to go on: it is not taken down any more.
    pub(super) fn stay_up(&mut self) {
        self.takes_down = false;
        self.inbox.retain(|queued| !matches!(queued.work, Work::TakeDown(_)));
    }

    /// Tells whether the run is still only here to be taken down, as it was when it was acquired in `epoch`.
    pub(super) fn is_taken_down_in(&self, epoch: Epoch) -> bool {
        self.epoch == Some(epoch) && self.resuming.is_none()
    }
}

/// Tells whether a managed attempt holds `lock` after these events, which are all of the run.
pub(crate) fn is_held_by_managed(run: RunId, events: &[Recorded], lock: &LockName) -> bool {
    let Ok(state) = fold(run, events) else { return false };
    let holder = state.locks().get(lock).and_then(|fence| state.attempt(*fence));
    holder.is_some_and(|attempt| attempt.kind == AttemptKind::Managed)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use orch_core::{ComplexTask, DecompositionPlan, RunSettings, Subtask};

    use super::*;
    use crate::driver::{Input, Response, Submission};
    use crate::machine::Answer;
    use crate::sim::{policies_of_defaults, worker_of};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn driver() -> Driver {
        let mut driver = Driver::new(policies_of_defaults(), 2, 0);
        driver.step([Input::Register(worker_of("w", 1))], NOW);
        driver
    }

    /// Returns the events of a run that has a managed attempt, as its owner wrote them before it died.
    fn left_behind(run: RunId) -> Vec<Recorded> {
        let plan = DecompositionPlan::new([Subtask::new("s", "Do it", "w").with_locks(["file"])]);
        let submission = Submission {
            run,
            task: Arc::new(ComplexTask::new("t", "Do it", "test")),
            settings: Arc::new(RunSettings::default()),
            given: Some(Arc::new(plan.clone())),
            request_key: None,
            by: None,
            origin: Arc::default(),
            reply: 0,
        };
        let (mut driver, mut written) = (driver(), Vec::new());
        let mut inputs = vec![Input::Submit(Box::new(submission))];
        while !inputs.is_empty() {
            for output in driver.step(std::mem::take(&mut inputs), NOW) {
                if let Output::Append(append) = &output {
                    written.extend(append.events.iter().cloned());
                    inputs.push(Input::Appended { run });
                }
                if let Output::Plan { .. } = &output {
                    inputs.push(Input::Planned { run, plan: Ok(plan.clone()) });
                }
            }
        }
        assert!(is_held_by_managed(run, &written, &"file".into()));
        written
    }

    /// Takes a run down, while somebody resumes it after `before` of three steps; tells whether it is suspended in the end.
    fn is_suspended_when_resumed_after(before: usize) -> bool {
        let run = RunId::new(NOW, 7);
        let events = left_behind(run);
        let mut driver = driver();
        let mut answered = false;
        let mut epoch = Epoch(1);
        let mut inputs = vec![Input::OwnerGone { run }];
        for step in 0..20 {
            if step == before {
                inputs.push(Input::Resume { run, reply: 1 });
            }
            for output in driver.step(std::mem::take(&mut inputs), NOW) {
                if let Output::Acquire { .. } = &output {
                    epoch = Epoch(epoch.0 + 1);
                    inputs.push(Input::Acquired { run, epoch });
                } else if let Output::Load { after, .. } = &output {
                    inputs.push(Input::Loaded { run, after: *after, events: events.clone() });
                } else if let Output::Reply { answer, .. } = output {
                    assert_eq!(answer, Ok(Response::Answer(Answer::Done)));
                    answered = true;
                }
            }
        }
        assert!(answered || driver.is_in_flight(run));
        driver.state(run).is_some_and(crate::machine::State::is_suspended)
    }

    #[test]
    fn a_resume_wins_against_a_take_down_that_has_not_been_decided() {
        for before in 0..=2 {
            assert!(!is_suspended_when_resumed_after(before), "after {before} steps");
        }
        assert!(is_suspended_when_resumed_after(99), "nobody resumes it");
    }
}
