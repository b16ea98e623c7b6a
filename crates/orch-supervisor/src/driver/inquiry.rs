//! Questions about a run to the parts of the user that answer later: memory, decomposer, aggregator.

use std::sync::Arc;

use orch_core::learned::Learned;
use orch_core::{MemorySnapshot, OutcomeCounts};

/// What has come of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inquiry<T> {
    NotAsked,
    Asked,
    Answered(T),
}

impl<T> Inquiry<T> {
    /// Asks the question, unless that was done before; tells whether it is to be sent.
    pub(super) fn ask(&mut self) -> bool {
        let is_new = matches!(self, Self::NotAsked);
        if is_new {
            *self = Self::Asked;
        }
        is_new
    }

    /// Gives up waiting for the answer: should it still be needed, the question is asked again.
    pub(super) fn take_back(&mut self) {
        if self.is_asked() {
            *self = Self::NotAsked;
        }
    }

    /// Tells whether the answer is waited for.
    pub(super) fn is_asked(&self) -> bool {
        matches!(self, Self::Asked)
    }
}

/// What memory knows for a run.
#[derive(Debug)]
pub(super) enum Recalled {
    /// There is no plan yet.
    Whole(MemorySnapshot),
    /// Of a snapshot only what is asked for later: past runs with their plans would be many times the run itself.
    Known(Arc<OutcomeCounts>),
}

impl Inquiry<Recalled> {
    /// Returns what memory knows of workers.
    pub(super) fn outcome_counts(&self) -> Option<&Arc<OutcomeCounts>> {
        match self {
            Self::NotAsked | Self::Asked => None,
            Self::Answered(Recalled::Whole(snapshot)) => Some(&snapshot.outcome_counts),
            Self::Answered(Recalled::Known(outcome_counts)) => Some(outcome_counts),
        }
    }

    /// Returns what memory knows, as long as there is no plan.
    pub(super) fn learned(&self) -> Option<&Arc<Learned>> {
        match self {
            Self::NotAsked | Self::Asked | Self::Answered(Recalled::Known(_)) => None,
            Self::Answered(Recalled::Whole(snapshot)) => Some(&snapshot.learned),
        }
    }

    /// Forgets what was only needed for the plan.
    pub(super) fn forget_plans(&mut self) {
        if let Self::Answered(Recalled::Whole(snapshot)) = self {
            *self = Self::Answered(Recalled::Known(snapshot.outcome_counts.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_sent_once_until_it_is_taken_back() {
        let mut inquiry = Inquiry::<()>::NotAsked;
        assert!(inquiry.ask() && !inquiry.ask());
        inquiry.take_back();
        assert!(inquiry.ask(), "it is needed again");
        inquiry = Inquiry::Answered(());
        inquiry.take_back();
        assert!(!inquiry.ask(), "an answer stays");
    }
}
