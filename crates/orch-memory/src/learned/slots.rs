//! How busy the workers of a run were.

use std::collections::BTreeMap;

use orch_core::learned::PastStep;
use orch_core::{Fence, WorkerName};

/// How many attempts each worker has made at once, at most: as many slots it has used. How many it has is not in the journal.
#[derive(Debug, Default)]
pub(super) struct Slots {
    open: BTreeMap<Fence, WorkerName>,
    used: BTreeMap<WorkerName, Used>,
}

#[derive(Debug, Default)]
struct Used {
    now: u32,
    most: u32,
}

impl Slots {
    /// Notes that an attempt was begun.
    pub(super) fn take(&mut self, fence: Fence, worker: &WorkerName) {
        if self.open.insert(fence, worker.clone()).is_none() {
            let used = self.used.entry(worker.clone()).or_default();
            used.now += 1;
            used.most = used.most.max(used.now);
        }
    }

    /// Notes that an attempt is over.
    pub(super) fn give_back(&mut self, fence: Fence) {
        let worker = self.open.remove(&fence);
        if let Some(used) = worker.and_then(|worker| self.used.get_mut(&worker)) {
            used.now -= 1;
        }
    }

    /// Returns the share of the wall time in which the slots of each worker were busy with what was accepted of it.
    pub(super) fn utilization(
        &self,
        steps: &[PastStep],
        wall_ms: u64,
    ) -> BTreeMap<WorkerName, f64> {
        let mut busy: BTreeMap<WorkerName, f64> = BTreeMap::new();
        for step in steps {
            if let Some(worker) = &step.worker {
                *busy.entry(worker.clone()).or_default() += step.duration_ms as f64;
            }
        }
        for (worker, busy) in &mut busy {
            let slots = self.used.get(worker).map_or(1, |used| used.most);
            *busy = (*busy / wall_ms.max(1) as f64 / f64::from(slots)).min(1.0);
        }
        busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(worker: &str, duration_ms: u64) -> PastStep {
        let mut step = PastStep::new("s", "t", "");
        (step.worker, step.duration_ms) = (Some(worker.into()), duration_ms);
        step
    }

    #[test]
    fn a_worker_is_as_busy_as_the_slots_that_it_used() {
        let mut slots = Slots::default();
        let (ann, bob): (WorkerName, WorkerName) = ("ann".into(), "bob".into());
        for fence in [1, 2, 2] {
            slots.take(Fence(fence), &ann);
        }
        slots.give_back(Fence(1));
        slots.take(Fence(3), &ann);
        slots.take(Fence(4), &bob);
        for fence in [2, 3, 4, 4, 9] {
            slots.give_back(Fence(fence));
        }
        let steps = [step("ann", 50), step("ann", 100), step("bob", 900), step("eve", 20)];
        let expected = [("ann".into(), 0.75), ("bob".into(), 1.0), ("eve".into(), 0.2)];
        assert_eq!(slots.utilization(&steps, 100), expected.into());
    }
}
