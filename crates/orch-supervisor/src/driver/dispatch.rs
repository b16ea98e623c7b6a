//! Which ready subtasks start in this turn, and on which worker.

use std::collections::BTreeSet;

use jiff::Timestamp;
use orch_core::{
    Cause, Constraints, Failure, RoutingContext, RoutingDecision, RoutingNote, RunId, SubtaskIndex,
    WorkerKind, WorkerName,
};

use super::Driver;
use super::turn::{Staged, time_left};
use crate::guard::inline::ask;
use crate::machine::{AttemptKind, Blocked, ClassId, Command, Start, State};

/// What a subtask could be given to.
enum Place {
    /// This worker, for this reason.
    Here(RoutingDecision),
    /// Nobody at the moment; these could if they were free.
    Later(Vec<WorkerName>),
    /// Nobody, ever.
    Nowhere(Failure),
}

/// What a turn found to be in the way.
#[derive(Default)]
struct InTheWay {
    classes: BTreeSet<ClassId>,
    workers: BTreeSet<WorkerName>,
    process: bool,
}

impl Driver {
    /// Starts ready subtasks, best first, until nothing more fits.
    pub(super) fn dispatch(&mut self, run: RunId, staged: &mut Staged) {
        let mut way = InTheWay::default();
        while let Some((class, index)) = self.next_candidate(run, &mut way.classes) {
            if !self.pool.has_room(run) {
                way.process = true;
                break;
            }
            if self.is_too_late(run, index, staged) {
                continue;
            }
            match self.place(run, class, index, staged.now) {
                Place::Here(decision) => {
                    if !self.start(run, index, decision, staged) {
                        way.classes.insert(class);
                    }
                }
                Place::Later(workers) => {
                    way.classes.insert(class);
                    way.workers.extend(workers);
                }
                Place::Nowhere(failure) => {
                    let reason = String::new();
                    let command =
                        Command::GiveUp { subtask: index, failure: Some(failure), reason };
                    if !self.execute(run, command, staged) {
                        way.classes.insert(class);
                    }
                }
            }
        }
        self.pool.wait(run, way.process, &way.workers);
    }

    /// Returns the best ready subtask that nothing found so far is in the way of.
    fn next_candidate(
        &self,
        run: RunId,
        classes: &mut BTreeSet<ClassId>,
    ) -> Option<(ClassId, SubtaskIndex)> {
        let entry = self.runs.get(&run)?;
        let state = entry.state.as_ref()?;
        if !state.is_active() || state.room().is_err() || self.shutting_down.is_some() {
            return None;
        }
        loop {
            let (class, index) = state.next_ready(classes)?;
            let foreign =
                state.class(class).locks.iter().any(|lock| entry.foreign_locks.contains_key(lock));
            match state.may_start(index) {
                _ if foreign => classes.insert(class),
                Ok(_) => return Some((class, index)),
                Err(Blocked::Lock(_) | Blocked::Budget(_) | Blocked::Full { .. }) => {
                    classes.insert(class)
                }
            };
        }
    }

    fn is_too_late(&mut self, run: RunId, index: SubtaskIndex, staged: &mut Staged) -> bool {
        let state = self.runs.get(&run).and_then(|entry| entry.state.as_ref());
        let deadline = state.and_then(|state| state.node(index).spec.deadline);
        if deadline.is_none_or(|deadline| deadline > staged.now) {
            return false;
        }
        let failure = Failure::new(Cause::Deadline, "the deadline of the subtask has passed");
        self.execute(
            run,
            Command::GiveUp { subtask: index, failure: Some(failure), reason: String::new() },
            staged,
        )
    }

    /// Asks the router among those who are free.
    fn place(&self, run: RunId, class: ClassId, index: SubtaskIndex, now: Timestamp) -> Place {
        let Some(entry) = self.runs.get(&run) else { return Place::Later(Vec::new()) };
        let Some(state) = &entry.state else { return Place::Later(Vec::new()) };
        let class = state.class(class);
        let spec = &state.node(index).spec;
        let distinct = class
            .group
            .as_ref()
            .map(|group| without_group(state, group, class.constraints.as_ref()));
        let own = self.without_gone(run, state, index, class.constraints.as_ref());
        let constraints = distinct.as_ref().or(own.as_ref()).or(class.constraints.as_ref());
        let available = self.available_to(run, &spec.task_type, now);
        let context = RoutingContext::new(&available, self.pool.loads(), state.tallies())
            .with_history(entry.recalled.tallies().map(AsRef::as_ref))
            .with_constraints(constraints)
            .with_time_budget_ms(time_left(state, now));
        let router = &self.policies.router;
        match ask("router", || router.route(spec, &context)) {
            Ok(Ok(decision)) if available.iter().any(|w| *w.name() == decision.primary_worker) => {
                Place::Here(decision)
            }
            Ok(Ok(decision)) => {
                let message = format!(
                    "the router chose `{}`, which is not available",
                    decision.primary_worker
                );
                Place::Nowhere(Failure::new(Cause::Policy, message))
            }
            Ok(Err(error)) => {
                // Those who were to be had were refused; waiting makes sense only for others.
                let mut capable = self.pool.capable(spec, constraints);
                capable.retain(|name| available.iter().all(|free| free.name() != name));
                if capable.is_empty() {
                    return Place::Nowhere(Failure::new(Cause::NoWorker, error.to_string()));
                }
                Place::Later(capable)
            }
            Err(failure) => Place::Nowhere(failure),
        }
    }

    /// A retry that was planned for a worker that has left since may go to any that the subtask itself admits.
    fn without_gone(
        &self,
        run: RunId,
        state: &State,
        index: SubtaskIndex,
        planned: Option<&Constraints>,
    ) -> Option<Constraints> {
        let required = planned?.require_worker.as_ref()?;
        if self.worker_for(run, required).is_some() {
            return None;
        }
        Some(state.constraints_of(&state.node(index).spec).unwrap_or_default())
    }

    fn start(
        &mut self,
        run: RunId,
        index: SubtaskIndex,
        decision: RoutingDecision,
        staged: &mut Staged,
    ) -> bool {
        let token = self.token();
        let Some(state) = self.runs.get(&run).and_then(|entry| entry.state.as_ref()) else {
            return false;
        };
        let Some(worker) = self.worker_for(run, &decision.primary_worker) else { return false };
        let own = state.node(index).spec.timeout_ms;
        let of_worker =
            || worker.timeout().map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX));
        let timeout_ms = own.or_else(of_worker).unwrap_or(state.settings().attempt_timeout_ms);
        let kind = match worker.kind() {
            WorkerKind::Managed => AttemptKind::Managed,
            WorkerKind::Pull => AttemptKind::Offered,
        };
        let name = decision.primary_worker.clone();
        let route = RoutingNote {
            confidence: decision.confidence,
            reason: decision.reasoning,
            fallback: decision.fallback_workers,
        };
        let Some(card) = self.card_for(run, &name) else { return false };
        let fence = state.fence_of_next();
        let task_type = state.node(index).spec.task_type.clone();
        let start = Start {
            subtask: index,
            worker: name.clone(),
            kind,
            token,
            timeout_ms,
            card,
            route: Some(Box::new(route)),
        };
        let started = self.execute(run, Command::Start(start), staged);
        if started && kind == AttemptKind::Managed {
            self.pool.take(&name, run);
            self.pool.probe(&name, &task_type, staged.now);
            if let Some(entry) = self.runs.get_mut(&run) {
                entry.taken.insert(fence, name);
            }
        }
        started
    }
}

/// Members of a group go to distinct workers.
fn without_group(state: &State, group: &str, constraints: Option<&Constraints>) -> Constraints {
    let mut all = constraints.cloned().unwrap_or_default();
    all.exclude_workers.extend(state.workers_of_group(group));
    all
}
