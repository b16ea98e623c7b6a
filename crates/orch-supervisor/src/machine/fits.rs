//! Whether stored events can be folded: a journal may be damaged, or written by somebody else.

use orch_core::journal::Recorded;
use orch_core::{Event, Fence, InterventionSubject, ResultSource, SkipReason, SubtaskIndex};

use super::state::State;

impl State {
    /// Tells whether `recorded` may follow what has been folded so far.
    ///
    /// # Errors
    /// With what does not fit, in a sentence.
    pub(crate) fn fits(&self, recorded: &Recorded) -> Result<(), String> {
        let seq = recorded.seq;
        if seq != self.seq.next() {
            return Err(format!("event {seq} follows event {}", self.seq));
        }
        if self.is_ended() {
            return Err(format!("event {seq} follows the end of the run"));
        }
        let subtask = |index: SubtaskIndex| match self.nodes.get(index.get()) {
            Some(_) => Ok(()),
            None => Err(format!("event {seq} names subtask {index} of {}", self.nodes.len())),
        };
        let known = |fence: Fence| match self.slot(fence) {
            Some(_) => Ok(()),
            None => Err(format!("event {seq} names attempt {fence} of {}", self.slots.len())),
        };
        match &recorded.event {
            Event::RunSubmitted { .. } => Err(format!("event {seq} submits the run once more")),
            Event::PlanAdopted { retire, .. } => {
                retire.iter().try_for_each(|index| subtask(*index))
            }
            Event::AttemptOffered { subtask: index, fence, .. } => {
                subtask(*index).and_then(|()| self.is_next(*fence, seq))
            }
            Event::AttemptStarted { subtask: index, fence, .. } => subtask(*index).and_then(|()| {
                if self.attempt(*fence).is_some() { Ok(()) } else { self.is_next(*fence, seq) }
            }),
            Event::ResultReceived { subtask: index, fence, .. }
            | Event::SubtaskCompleted { subtask: index, source: ResultSource::Attempt { fence } }
            | Event::AttemptFailed { subtask: index, fence, .. }
            | Event::AttemptLost { subtask: index, fence, .. }
            | Event::AttemptClosed { subtask: index, fence, .. } => {
                subtask(*index).and_then(|()| known(*fence))
            }
            Event::LeaseExtended { fence, .. } => known(*fence),
            Event::SubtaskSkipped {
                subtask: index,
                because: SkipReason::Dependency { subtask: because },
            } => subtask(*index).and_then(|()| subtask(*because)),
            Event::RetryScheduled { subtask: index, .. }
            | Event::SubtaskFailed { subtask: index, .. }
            | Event::InterventionMade {
                subject: InterventionSubject::Subtask { subtask: index },
                ..
            }
            | Event::InterventionJudged { subtask: index, .. } => subtask(*index),
            // A stale report may name any attempt.
            Event::UsageNoted { .. }
            | Event::ConcurrencyLimitChanged { .. }
            | Event::RunSuspended { .. }
            | Event::RunResumed { .. }
            | Event::CancelRequested { .. }
            | Event::RunEnded { .. } => Ok(()),
        }
    }

    fn is_next(&self, fence: Fence, seq: orch_core::Seq) -> Result<(), String> {
        let next = self.next_fence();
        if fence == next {
            Ok(())
        } else {
            Err(format!("event {seq} begins attempt {fence}, not {next}"))
        }
    }
}
