//! A plan that the user gave: what it leaves out is filled in and noted, what it says stays.

use std::sync::Arc;

use orch_core::{ComplexTask, DecompositionPlan, Subtask, infer_task_type};

use crate::eligible_workers::{EligibleWorkers, type_of};

/// The most ids that one note lists.
const MAX_LISTED: usize = 5;

/// Returns the plan with types, parents, estimates and total filled in where they are missing, and a note for each of these.
pub(crate) fn completed(
    given: &DecompositionPlan,
    task: &ComplexTask,
    eligible: EligibleWorkers<'_>,
) -> DecompositionPlan {
    let mut plan = given.clone();
    fill_types(&mut plan, task, eligible);
    fill_parents(&mut plan, task);
    fill_estimates(&mut plan);
    plan
}

/// A missing type is the one that the description suggests or else the task's, the first that somebody handles.
fn fill_types(plan: &mut DecompositionPlan, task: &ComplexTask, eligible: EligibleWorkers<'_>) {
    let mut filled = Vec::new();
    for subtask in plan.subtasks.iter_mut().filter(|subtask| subtask.task_type.is_empty()) {
        let inferred = infer_task_type(&subtask.description);
        let own = (inferred != "general").then_some(inferred);
        let candidates: Vec<&str> = own.into_iter().chain([type_of(task), "general"]).collect();
        let of_kind = |kind: &str| {
            let mut typed = Subtask::clone(subtask);
            kind.clone_into(&mut typed.task_type);
            typed
        };
        let served =
            candidates.iter().map(|kind| of_kind(kind)).find(|typed| eligible.serves(typed));
        let typed = served.unwrap_or_else(|| of_kind(candidates[0]));
        filled.push(format!("`{}` ({})", typed.id, typed.task_type));
        *subtask = Arc::new(typed);
    }
    note(plan, "task_type was missing and inferred for", &filled);
}

fn fill_parents(plan: &mut DecompositionPlan, task: &ComplexTask) {
    let mut filled = Vec::new();
    for subtask in plan.subtasks.iter_mut().filter(|subtask| subtask.parent_task_id == "") {
        Arc::make_mut(subtask).parent_task_id = task.id.clone();
        filled.push(format!("`{}`", subtask.id));
    }
    note(plan, "parent_task_id was missing and set for", &filled);
}

/// A missing estimate is the median of the given ones. When none is given nothing is known, and nothing is made up.
fn fill_estimates(plan: &mut DecompositionPlan) {
    let mut known: Vec<u64> =
        plan.subtasks.iter().filter_map(|s| s.estimated_duration_ms).collect();
    if known.is_empty() {
        return;
    }
    known.sort_unstable();
    let median = known[known.len() / 2];
    let mut filled = Vec::new();
    for subtask in plan.subtasks.iter_mut().filter(|s| s.estimated_duration_ms.is_none()) {
        Arc::make_mut(subtask).estimated_duration_ms = Some(median);
        filled.push(format!("`{}`", subtask.id));
    }
    let what = format!(
        "estimated_duration_ms was missing and set to {median}, the median of the others, for"
    );
    note(plan, &what, &filled);
    let total = plan.remaining_path().into_iter().max().unwrap_or(0);
    if plan.estimated_total_duration_ms == 0 && total > 0 {
        plan.estimated_total_duration_ms = total;
        plan.notes.push(format!(
            "estimated_total_duration_ms was missing; the longest path takes {total}"
        ));
    }
}

/// The factor that a plan has when it says nothing is replaced by what its dependencies allow; any other stands.
///
/// Expects a valid plan: it makes every replica a subtask, and a plan that nobody has checked may ask for billions of them.
pub(crate) fn fill_parallelism(plan: &mut DecompositionPlan) {
    let derived = plan.expand_replicas().parallelism();
    if plan.parallelism_factor == 1.0 && derived > 1.0 {
        plan.parallelism_factor = derived;
        plan.notes.push(format!("parallelism_factor was 1; the dependencies allow {derived:.2}"));
    }
}

fn note(plan: &mut DecompositionPlan, what: &str, filled: &[String]) {
    if filled.is_empty() {
        return;
    }
    let listed = filled.iter().take(MAX_LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = match filled.len().saturating_sub(MAX_LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    plan.notes.push(format!("{what} {listed}{more}"));
}
