//! What must hold between the parts of a state at every moment.

use orch_core::{Counts, SubtaskIndex, SubtaskPhase};

use super::attempt::AttemptKind;
use super::node::SubtaskState;
use super::state::State;

impl State {
    /// Checks that no part of the state contradicts another.
    ///
    /// # Panics
    /// With what does not hold: a bug of the machine.
    pub(crate) fn check_invariants(&self) {
        let mut counts = Counts::default();
        for (place, node) in self.nodes.iter().enumerate() {
            let index = SubtaskIndex(u32::try_from(place).unwrap_or(u32::MAX));
            let phase = node.state.phase();
            if let Some(count) = counts.of(phase) {
                *count += 1;
                counts.total += 1;
            }
            self.check_node(index, phase);
        }
        assert_eq!(counts, self.counts, "counts match the subtasks");
        assert_eq!(self.ready.iter().count(), self.ready.len(), "the ready queue knows its length");
        let in_flight = self
            .open
            .iter()
            .filter(|f| self.attempt(**f).is_some_and(|a| a.kind != AttemptKind::Offered));
        assert_eq!(
            in_flight.count(),
            self.in_flight as usize,
            "in_flight counts open attempts that are no offers"
        );
        assert!(
            self.open.iter().all(|f| self.attempt(*f).is_some()),
            "every open fence names an open attempt"
        );
        assert!(
            self.locks.values().all(|f| self.open.contains(f)),
            "locks are held by open attempts"
        );
        assert!(self.orphans.is_subset(&self.open), "orphans are open");
        assert!(self.overdue.is_subset(&self.open), "only open attempts are overdue");
        assert!(!self.is_ended() || self.open.is_empty(), "nothing is open after the end");
    }

    fn check_node(&self, index: SubtaskIndex, phase: SubtaskPhase) {
        let node = self.node(index);
        let queued = self.ready.class(node.class).contains(self.key(index));
        assert_eq!(
            queued,
            phase == SubtaskPhase::Ready,
            "subtask {index} is queued exactly when it is ready"
        );
        let undecided = node.state == SubtaskState::Undecided;
        assert_eq!(
            self.undecided.contains(&index),
            undecided,
            "subtask {index} is asked about exactly when undecided"
        );
        match &node.state {
            SubtaskState::Waiting { unmet } => assert_eq!(
                self.unmet(index),
                unmet.get(),
                "subtask {index} waits for what is missing"
            ),
            SubtaskState::Offered { fence } => {
                assert!(self.attempt(*fence).is_some_and(|a| a.subtask == index))
            }
            SubtaskState::Running { attempts } => {
                assert!(!attempts.is_empty(), "subtask {index} runs in an attempt");
                assert!(
                    attempts.iter().all(|f| self.attempt(*f).is_some_and(|a| a.subtask == index))
                );
            }
            SubtaskState::Ready
            | SubtaskState::Checking { .. }
            | SubtaskState::Undecided
            | SubtaskState::Backoff { .. }
            | SubtaskState::Done { .. }
            | SubtaskState::Failed { .. }
            | SubtaskState::Skipped { .. }
            | SubtaskState::Cancelled
            | SubtaskState::Retired { .. } => {}
        }
    }

    fn unmet(&self, index: SubtaskIndex) -> u32 {
        let missing = self.node(index).dependencies.iter().filter(|(on, tolerated)| {
            let phase = self.node(*on).state.phase();
            !(phase == SubtaskPhase::Done || (*tolerated && phase.is_final()))
        });
        u32::try_from(missing.count()).unwrap_or(u32::MAX)
    }
}
