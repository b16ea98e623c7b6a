//! Whether there are workers for a plan.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::{PlanIssue, Unserved};
use crate::{Constraints, DecompositionPlan, Subtask, Worker, WorkerName, could_do, nearest};

pub(super) fn issues(
    plan: &DecompositionPlan,
    workers: &[Arc<dyn Worker>],
    task: Option<&Constraints>,
) -> Vec<PlanIssue> {
    if workers.is_empty() {
        return if plan.subtasks.is_empty() { Vec::new() } else { vec![PlanIssue::NoWorkers] };
    }
    let mut service = Service { workers, last_able: HashMap::new(), nearest_type: HashMap::new() };
    plan.subtasks.iter().filter_map(|s| service.issue(s, task)).collect()
}

struct Service<'a> {
    workers: &'a [Arc<dyn Worker>],
    /// Who could do the last subtask of a type. Asked first about the next one, which it can do nearly always: so the
    /// answer stays the workers' own, and a large plan takes one question per subtask.
    last_able: HashMap<&'a str, usize>,
    /// The known type nearest to a type that nobody handles.
    nearest_type: HashMap<&'a str, Option<String>>,
}

impl<'a> Service<'a> {
    fn issue(&mut self, subtask: &'a Subtask, task: Option<&Constraints>) -> Option<PlanIssue> {
        let constraints = combined(subtask, task);
        let constraints = constraints.as_deref();
        let required = constraints.and_then(|c| c.require_worker.as_ref());
        if let Some(worker) = required.filter(|w| !self.workers.iter().any(|x| x.name() == *w)) {
            let names = self.workers.iter().map(|w| w.name().as_str());
            let nearest = nearest(worker.as_str(), names).map(WorkerName::new);
            let (subtask, worker) = (subtask.id.clone(), worker.clone());
            return Some(PlanIssue::UnknownRequiredWorker { subtask, worker, nearest });
        }
        let able = self.count_able(subtask, constraints);
        if able == 0 {
            let why = self.unserved(subtask);
            let (subtask, task_type) = (subtask.id.clone(), subtask.task_type.clone());
            return Some(PlanIssue::Unservable { subtask, task_type, why });
        }
        let replicas = subtask.replicas;
        (able < replicas).then(|| PlanIssue::TooManyReplicas {
            subtask: subtask.id.clone(),
            replicas,
            able,
        })
    }

    /// Counts the workers that can and may do `subtask`, up to the number that it needs.
    fn count_able(&mut self, subtask: &'a Subtask, constraints: Option<&Constraints>) -> u32 {
        let able = |worker: &Arc<dyn Worker>| could_do(worker.as_ref(), subtask, constraints);
        let hint = self.last_able.get(subtask.task_type.as_str());
        if subtask.replicas <= 1 && hint.is_some_and(|place| able(&self.workers[*place])) {
            return 1;
        }
        let mut count = 0;
        for (place, _) in self.workers.iter().enumerate().filter(|(_, worker)| able(worker)) {
            self.last_able.insert(&subtask.task_type, place);
            count += 1;
            if count >= subtask.replicas {
                break;
            }
        }
        count
    }

    fn unserved(&mut self, subtask: &'a Subtask) -> Unserved {
        let able = self.workers.iter().filter(|worker| could_do(worker.as_ref(), subtask, None));
        let able: Vec<_> = able.map(|worker| worker.name().clone()).collect();
        if !able.is_empty() {
            return Unserved::Excluded { able };
        }
        let wanted = subtask.task_type.as_str();
        let nearest = self.nearest_type.entry(wanted).or_insert_with(|| {
            let capabilities = self.workers.iter().flat_map(|w| w.capabilities());
            let known = capabilities.flat_map(|c| &c.task_types).map(String::as_str);
            nearest(wanted, known.filter(|t| *t != wanted && *t != "*")).map(str::to_owned)
        });
        Unserved::NoCapability { nearest: nearest.clone() }
    }
}

fn combined<'a>(
    subtask: &'a Subtask,
    task: Option<&'a Constraints>,
) -> Option<Cow<'a, Constraints>> {
    match (&subtask.constraints, task) {
        (Some(inner), Some(outer)) => Some(Cow::Owned(inner.within(outer))),
        (Some(inner), None) => Some(Cow::Borrowed(inner)),
        (None, outer) => outer.map(Cow::Borrowed),
    }
}
