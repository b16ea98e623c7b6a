//! What can be said of a run in three sentences.

use std::collections::BTreeMap;

use super::PastStep;
use crate::WorkerName;

/// The most sentences.
const SENTENCES: usize = 3;

/// Says what was most remarkable in a run, in at most three sentences: what failed, what was tried again, what took longest,
/// who did best; `None` when nothing was tried.
pub fn lessons(steps: &[PastStep]) -> Option<String> {
    let sentences = [failed(steps), retried(steps), slowest(steps), best(steps)];
    let said: Vec<String> = sentences.into_iter().flatten().take(SENTENCES).collect();
    (!said.is_empty()).then(|| said.join(" "))
}

fn failed(steps: &[PastStep]) -> Option<String> {
    let failed: Vec<&PastStep> =
        steps.iter().filter(|step| !step.success && step.failures > 0).collect();
    let first = failed.first()?;
    let others = match failed.len() - 1 {
        0 => String::new(),
        1 => " and one more subtask".to_owned(),
        more => format!(" and {more} more subtasks"),
    };
    let by = first.worker.as_ref().map(|worker| format!(", last tried by `{worker}`"));
    Some(format!("`{}`{others} failed{}.", first.id, by.unwrap_or_default()))
}

fn retried(steps: &[PastStep]) -> Option<String> {
    // The first of equals, in plan order.
    let most = steps.iter().rev().filter(|step| step.success).max_by_key(|step| step.failures)?;
    let worker = most.worker.as_ref()?;
    match most.failures {
        0 => None,
        1 => Some(format!("`{}` failed once before `{worker}` did it.", most.id)),
        times => Some(format!("`{}` failed {times} times before `{worker}` did it.", most.id)),
    }
}

fn slowest(steps: &[PastStep]) -> Option<String> {
    let slowest = steps.iter().rev().max_by_key(|step| step.duration_ms)?;
    let worker = slowest.worker.as_ref().filter(|_| slowest.duration_ms > 0)?;
    let seconds = slowest.duration_ms as f64 / 1e3;
    Some(format!("`{}` took longest: {seconds:.1} s by `{worker}`.", slowest.id))
}

fn best(steps: &[PastStep]) -> Option<String> {
    let mut of: BTreeMap<&WorkerName, u32> = BTreeMap::new();
    for step in steps.iter().filter(|step| step.success && step.failures == 0) {
        if let Some(worker) = &step.worker {
            *of.entry(worker).or_default() += 1;
        }
    }
    let (worker, done) = of.into_iter().rev().max_by_key(|(_, done)| *done)?;
    Some(format!("`{worker}` did {done} of {} at the first try.", steps.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(id: &str, worker: &str, success: bool, failures: u32, duration_ms: u64) -> PastStep {
        let worker = (!worker.is_empty()).then(|| worker.into());
        PastStep { worker, success, failures, duration_ms, ..PastStep::new(id, "t", "") }
    }

    #[track_caller]
    fn check(steps: &[PastStep], expected: Option<&str>) {
        assert_eq!(lessons(steps).as_deref(), expected);
    }

    #[test]
    fn the_most_remarkable_comes_first_and_three_sentences_are_enough() {
        check(&[], None);
        check(&[step("a", "", false, 0, 0)], None);
        check(
            &[step("a", "w", true, 0, 1_500), step("b", "v", true, 0, 1_500)],
            Some("`a` took longest: 1.5 s by `w`. `v` did 1 of 2 at the first try."),
        );
        check(
            &[
                step("a", "w", true, 2, 100),
                step("b", "v", false, 3, 0),
                step("c", "v", false, 1, 0),
                step("d", "w", true, 0, 400),
            ],
            Some(
                "`b` and one more subtask failed, last tried by `v`. `a` failed 2 times before `w` did it. \
                 `d` took longest: 0.4 s by `w`.",
            ),
        );
    }
}
