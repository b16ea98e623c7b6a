//! What a run has used and set aside: reserve, then settle. Integers only; what is unknown stays unknown.

use std::collections::BTreeMap;

use orch_core::{Budget, Usage};

/// The books of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Ledger {
    /// Known cost so far, in millionths of a US dollar.
    pub(super) spent: u64,
    /// What attempts of unknown cost had set aside, and are taken to have spent.
    presumed: u64,
    /// Set aside for open attempts, in millionths of a US dollar.
    pub(super) reserved: u64,
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    /// Open attempts for which nothing could be set aside.
    pub(super) unpriced: u32,
    /// The greatest cost seen per type of subtask, or what earlier runs let expect if that is more: what the next one is
    /// expected to cost.
    learned: BTreeMap<String, u64>,
    /// Whether any usage was reported at all.
    pub(super) any_usage: bool,
    /// Whether any cost was reported.
    pub(super) any_cost: bool,
}

impl Ledger {
    /// Returns what to set aside for an attempt: its declared cap, else, under a cost budget, the greatest cost seen of its
    /// type.
    pub(super) fn reservation(
        &self,
        budget: &Budget,
        task_type: &str,
        cap: Option<u64>,
    ) -> Option<u64> {
        cap.or_else(|| budget.max_cost_micro_usd.and_then(|_| self.learned.get(task_type).copied()))
    }

    fn committed(&self) -> u64 {
        self.spent.saturating_add(self.presumed).saturating_add(self.reserved)
    }

    /// Says why an attempt with this reservation may not start under `budget`, if so. Of those whose cost is unknown, so
    /// many are about to end.
    pub(super) fn refuses(
        &self,
        budget: &Budget,
        reservation: Option<u64>,
        ending: u32,
    ) -> Option<&'static str> {
        let tokens = self.input_tokens.saturating_add(self.output_tokens);
        if budget.max_tokens.is_some_and(|max| tokens >= max) {
            return Some("the token budget is used up");
        }
        let limit = budget.max_cost_micro_usd?.saturating_sub(budget.aggregation_reserve_micro_usd);
        match reservation {
            Some(cost) if self.committed().saturating_add(cost) > limit => {
                Some("the cost budget does not cover it")
            }
            Some(_) => None,
            None if self.committed() >= limit => Some("the cost budget is used up"),
            None if self.unpriced > ending => {
                Some("its cost is unknown, and another of unknown cost is running")
            }
            None => None,
        }
    }

    pub(super) fn reserve(&mut self, reservation: Option<u64>) {
        match reservation {
            Some(cost) => self.reserved = self.reserved.saturating_add(cost),
            None => self.unpriced += 1,
        }
    }

    /// Ends the reservation of a started attempt. Without known cost it settles at what was set aside.
    pub(super) fn settle(
        &mut self,
        reservation: Option<u64>,
        task_type: &str,
        usage: Option<&Usage>,
    ) {
        match reservation {
            Some(cost) => self.reserved = self.reserved.saturating_sub(cost),
            None => self.unpriced = self.unpriced.saturating_sub(1),
        }
        match usage.and_then(Usage::cost_micro_usd) {
            Some(cost) => self.expect(task_type, cost),
            None => self.presumed = self.presumed.saturating_add(reservation.unwrap_or(0)),
        }
        if let Some(usage) = usage {
            self.note(usage);
        }
    }

    /// Expects attempts of a type to cost at least so much.
    pub(super) fn expect(&mut self, task_type: &str, cost: u64) {
        let learned = self.learned.entry(task_type.to_owned()).or_default();
        *learned = cost.max(*learned);
    }

    /// Counts usage.
    pub(super) fn note(&mut self, usage: &Usage) {
        self.any_usage = true;
        if let Some(cost) = usage.cost_micro_usd() {
            self.any_cost = true;
            self.spent = self.spent.saturating_add(cost);
        }
        self.input_tokens = self.input_tokens.saturating_add(usage.input_tokens.unwrap_or(0));
        self.output_tokens = self.output_tokens.saturating_add(usage.output_tokens.unwrap_or(0));
    }
}
