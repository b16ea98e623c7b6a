//! `capability_based`: one subtask per clause of the description, for a worker that can do it.

use orch_core::{ComplexTask, PlanSource, Subtask, SubtaskId};

use crate::clauses::{Clause, Link, clauses};
use crate::draft::{Draft, NotApplicable};
use crate::ids::Ids;
use crate::order::{Waits, waits};
use crate::profiles::{CapabilityProfiles, Match};
use crate::words::stems;

/// How sure the strategy is at best: words are no proof.
const BEST_CONFIDENCE: f64 = 0.9;

/// Drafts a plan.
///
/// A clause that matches no profile goes with the clause before it, so that no word is lost. Confidence is the mean quality of
/// the matches, times the share of meaningful words in clauses that match, times 0.9.
pub(crate) fn draft(
    task: &ComplexTask,
    profiles: &CapabilityProfiles<'_>,
    max: usize,
) -> Result<Draft, NotApplicable> {
    let text = &task.description;
    let parts = Parts::new(text, profiles);
    let count = parts.matched.len();
    if count == 0 {
        return Err(NotApplicable::NoMatch);
    }
    if count > max {
        return Err(NotApplicable::TooMany { what: "the description".to_owned(), count, max });
    }
    let quality = parts.matched.iter().map(|(_, found)| found.quality).sum::<f64>() / count as f64;
    let waits = waits(parts.matched.iter().map(|(c, _)| (c.link, &text[c.at.clone()])));
    let (subtasks, notes) = subtasks(text, parts.matched, &waits);
    Ok(Draft {
        subtasks,
        source: PlanSource::CapabilityBased,
        confidence: quality * parts.covered * BEST_CONFIDENCE,
        notes,
    })
}

/// The clauses that match a profile, with what goes with them.
struct Parts {
    matched: Vec<(Clause, Match)>,
    /// The share of meaningful words in clauses that match, 0 to 1.
    covered: f64,
}

impl Parts {
    fn new(text: &str, profiles: &CapabilityProfiles<'_>) -> Self {
        let mut matched: Vec<(Clause, Match)> = Vec::new();
        let (mut all, mut in_matched) = (0_usize, 0_usize);
        // A beginning that matches nothing, and the link that the next clause takes over from one.
        let (mut beginning, mut taken_over) = (None, None);
        for mut clause in clauses(text) {
            let part = &text[clause.at.clone()];
            let words = stems(part).len();
            all += words;
            if let Some(found) = profiles.best(part) {
                in_matched += words;
                clause.at.start = beginning.take().unwrap_or(clause.at.start);
                clause.link = link_after_gap(clause.link, taken_over.take());
                matched.push((clause, found));
                continue;
            }
            taken_over = Some(link_after_gap(clause.link, taken_over));
            match matched.last_mut() {
                Some((last, _)) => last.at.end = clause.at.end,
                None => beginning = beginning.or(Some(clause.at.start)),
            }
        }
        Self { matched, covered: if all == 0 { 0.0 } else { in_matched as f64 / all as f64 } }
    }
}

/// Returns how a clause follows the last one that matched, when the one between did not and had the link `skipped`.
fn link_after_gap(link: Link, skipped: Option<Link>) -> Link {
    match link {
        Link::Beside => skipped.unwrap_or(link),
        Link::Sentence | Link::SentenceAfter | Link::After => link,
    }
}

fn subtasks(
    text: &str,
    matched: Vec<(Clause, Match)>,
    waits: &[Waits],
) -> (Vec<Subtask>, Vec<String>) {
    let mut ids = Ids::default();
    let names: Vec<SubtaskId> =
        matched.iter().map(|(_, found)| ids.like(&found.task_type)).collect();
    let notes = names.iter().zip(waits).filter_map(|(id, waits)| note(id, waits, &names)).collect();
    let subtasks =
        matched.into_iter().zip(&names).zip(waits).map(|(((clause, found), id), waits)| {
            Subtask::new(id.clone(), &text[clause.at], found.task_type)
                .with_constraints(found.constraints)
                .with_dependencies(waits.needs.iter().map(|place| names[*place].clone()))
        });
    (subtasks.collect(), notes)
}

fn note(id: &SubtaskId, waits: &Waits, names: &[SubtaskId]) -> Option<String> {
    let needed: Vec<_> = waits.needs.iter().map(|place| format!("`{}`", names[*place])).collect();
    Some(format!("`{id}` waits for {}: {}", needed.join(", "), waits.reason?))
}
