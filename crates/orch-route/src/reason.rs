//! The reason of a decision, as a sentence.

use std::fmt::Write;

use orch_core::{Subtask, Worker};

use crate::candidate::{Candidate, Ranking};
use crate::strategy::Order;

/// Returns why the first of `ranking.candidates` was chosen, with the components of its score.
pub(crate) fn sentence(
    order: Order,
    chosen: &Candidate<'_>,
    ranking: &Ranking<'_>,
    subtask: &Subtask,
) -> String {
    let mut text = format!("{}: `{}` with ", title(order), chosen.worker.name());
    append_key(&mut text, order, chosen);
    append(&mut text, format_args!(" ({}", type_match(chosen.worker, subtask)));
    append(&mut text, format_args!(", success {:.2}", chosen.standing.success));
    append(&mut text, format_args!(", load {:.2}", chosen.standing.load));
    append(
        &mut text,
        format_args!("{}), ", if chosen.is_preferred() { ", preferred" } else { "" }),
    );
    match ranking.candidates.get(1) {
        Some(next) => {
            append(&mut text, format_args!("ahead of `{}` with ", next.worker.name()));
            append_key(&mut text, order, next);
        }
        None => text.push_str("nobody else fits"),
    }
    let others = ranking.candidates.len().saturating_sub(2);
    if others > 0 {
        append(&mut text, format_args!(" and {others} more"));
    }
    for (name, returned) in &ranking.invalid {
        append(
            &mut text,
            format_args!(
                "; `{name}` is left out, its can_handle returned {returned}, which is not from 0 to 1"
            ),
        );
    }
    text
}

fn title(order: Order) -> &'static str {
    match order {
        Order::BestFit => "best fit",
        Order::LeastLoaded => "least loaded",
        Order::RoundRobin => "next in turn",
    }
}

/// Appends what the strategy compares.
fn append_key(text: &mut String, order: Order, candidate: &Candidate<'_>) {
    match order {
        Order::BestFit => append(text, format_args!("{:.2}", candidate.score)),
        Order::LeastLoaded => append(text, format_args!("load {:.2}", candidate.standing.load)),
        Order::RoundRobin => append(text, format_args!("{} turns so far", candidate.turns)),
    }
}

fn type_match(worker: &dyn Worker, subtask: &Subtask) -> String {
    let kind = &subtask.task_type;
    let covering = worker.capabilities().iter().filter(|c| c.covers(kind));
    match covering.map(|c| c.proficiency).max_by(f64::total_cmp) {
        Some(proficiency) => format!("proficiency {proficiency:.2} at `{kind}`"),
        None => format!("no capability for `{kind}`, but its can_handle takes it"),
    }
}

fn append(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(more);
}
