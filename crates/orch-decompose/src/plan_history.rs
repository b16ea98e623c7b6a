//! What earlier runs say about the ways to make a plan.

use orch_core::PlanSource;
use orch_core::learned::Learned;

use crate::draft::Draft;

/// How plans for tasks of this type went in earlier runs; nothing is known without `Learned`.
#[derive(Clone, Copy)]
pub(crate) struct PlanHistory<'a>(pub(crate) Option<&'a Learned>);

impl PlanHistory<'_> {
    /// Returns `usual`, unless runs with plans made as `other` were surely better, or a person has pinned the rule that says
    /// so; the plan then has a note.
    pub(crate) fn choose(&self, usual: Draft, mut other: Draft) -> Draft {
        match self.prefers(other.source, usual.source) {
            Some(note) => {
                other.notes.push(note);
                other
            }
            None => usual,
        }
    }

    /// Both ways must have a rule, so that each has been tried often enough; what is compared is what the one is worth with
    /// 95 % certainty and what the other was worth on average.
    fn prefers(&self, other: PlanSource, usual: PlanSource) -> Option<String> {
        let learned = self.0?;
        let better = learned.plan_rule(other)?;
        if better.confidence >= 1.0 {
            return Some(format!("{usual} was not used: rule {} is pinned", better.id));
        }
        learned.plan_rule(usual)?;
        let worth = learned.worth_of_plans(usual)?;
        (better.confidence > worth).then(|| {
            format!(
                "{usual} was not used: its runs were worth {worth:.2} of 1 on average, and those of {other} are worth more than {:.2}",
                better.confidence
            )
        })
    }
}
