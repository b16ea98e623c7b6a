//! Whom an event concerns: decided here for every kind of event, once.

use crate::{Event, Fence, InterventionSubject, ResultSource, SubtaskIndex};

/// Whom an event concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The run as a whole.
    Run,
    /// One subtask, and none of its attempts.
    Subtask(SubtaskIndex),
    /// One attempt, which came to this point of its life.
    Attempt {
        /// The attempt's subtask.
        subtask: SubtaskIndex,
        /// The attempt's number.
        fence: Fence,
        /// What became of the attempt.
        change: AttemptChange,
    },
    /// An attempt that the event names only by its number, and that stays as it is: its lease is longer, or a late report
    /// named it. The number in a late report may belong to no attempt.
    Fence(Fence),
}

/// The points in the life of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptChange {
    /// A pull worker may claim it.
    Offered,
    /// Its worker has begun.
    Started,
    /// Its result is stored and not yet accepted.
    Received,
    /// Its result is accepted.
    Accepted,
    /// It failed, or its result was refused.
    Failed,
    /// It died through no fault of its own.
    Lost,
    /// It is no longer wanted.
    Closed,
}

impl About {
    /// Returns the subtask that the event names.
    pub fn subtask(self) -> Option<SubtaskIndex> {
        match self {
            Self::Subtask(subtask) | Self::Attempt { subtask, .. } => Some(subtask),
            Self::Run | Self::Fence(_) => None,
        }
    }

    /// Returns the number of the attempt that the event names.
    pub fn fence(self) -> Option<Fence> {
        match self {
            Self::Fence(fence) | Self::Attempt { fence, .. } => Some(fence),
            Self::Run | Self::Subtask(_) => None,
        }
    }
}

impl Event {
    /// Returns whom the event concerns.
    pub fn about(&self) -> About {
        let attempt = |subtask: &SubtaskIndex, fence: &Fence, change| About::Attempt {
            subtask: *subtask,
            fence: *fence,
            change,
        };
        match self {
            Self::AttemptOffered { subtask, fence, .. } => {
                attempt(subtask, fence, AttemptChange::Offered)
            }
            Self::AttemptStarted { subtask, fence, .. } => {
                attempt(subtask, fence, AttemptChange::Started)
            }
            Self::ResultReceived { subtask, fence, .. } => {
                attempt(subtask, fence, AttemptChange::Received)
            }
            Self::SubtaskCompleted { subtask, source: ResultSource::Attempt { fence } } => {
                attempt(subtask, fence, AttemptChange::Accepted)
            }
            Self::AttemptFailed { subtask, fence, .. } => {
                attempt(subtask, fence, AttemptChange::Failed)
            }
            Self::AttemptLost { subtask, fence, .. } => {
                attempt(subtask, fence, AttemptChange::Lost)
            }
            Self::AttemptClosed { subtask, fence, .. } => {
                attempt(subtask, fence, AttemptChange::Closed)
            }
            Self::LeaseExtended { fence, .. } | Self::UsageNoted { fence, .. } => {
                About::Fence(*fence)
            }
            Self::RetryScheduled { subtask, .. }
            | Self::SubtaskFailed { subtask, .. }
            | Self::SubtaskSkipped { subtask, .. }
            | Self::InterventionMade {
                subject: InterventionSubject::Subtask { subtask }, ..
            }
            | Self::InterventionJudged { subtask, .. } => About::Subtask(*subtask),
            Self::RunSubmitted { .. }
            | Self::PlanAdopted { .. }
            | Self::ConcurrencyLimitChanged { .. }
            | Self::RunSuspended { .. }
            | Self::RunResumed { .. }
            | Self::CancelRequested { .. }
            | Self::RunEnded { .. } => About::Run,
        }
    }
}
