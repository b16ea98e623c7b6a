//! `budget`: what a run may use up.

use orch_core::Budget;
use serde::Deserialize;

use super::span::Span;

/// What a run may use up, as it is written.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BudgetSection {
    max_cost_usd: Option<f64>,
    max_tokens: Option<u64>,
    max_active: Option<Span>,
    aggregation_reserve_usd: Option<f64>,
}

impl BudgetSection {
    /// Returns the budget in whole millionths and milliseconds, or the field that is wrong and why.
    pub(crate) fn checked(&self) -> Result<Budget, (&'static str, String)> {
        let max_cost = micro("max_cost_usd", self.max_cost_usd)?;
        let reserve = micro("aggregation_reserve_usd", self.aggregation_reserve_usd)?.unwrap_or(0);
        if max_cost.is_some_and(|most| reserve > most) {
            return Err(("aggregation_reserve_usd", "is more than max_cost_usd".to_owned()));
        }
        Ok(Budget::default()
            .with_max_cost_micro_usd(max_cost)
            .with_max_tokens(self.max_tokens)
            .with_max_active_ms(self.max_active.map(Span::as_millis))
            .with_aggregation_reserve_micro_usd(reserve))
    }
}

fn micro(field: &'static str, usd: Option<f64>) -> Result<Option<u64>, (&'static str, String)> {
    match usd {
        None => Ok(None),
        // The cast saturates.
        Some(usd) if usd >= 0.0 && usd.is_finite() => Ok(Some((usd * 1e6).round() as u64)),
        Some(usd) => Err((field, format!("is {usd}; give US dollars, at least 0"))),
    }
}
