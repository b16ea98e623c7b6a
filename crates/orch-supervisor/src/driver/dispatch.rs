//! Which ready subtasks start in this turn, and on which worker.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use orch_core::{
    Cause, Constraints, Failure, OutcomeCounts, RouteError, RoutingContext, RoutingDecision,
    RoutingNote, RunId, Subtask, SubtaskIndex, Worker, WorkerKind, WorkerName,
};

use super::Driver;
use super::inquiries::{Known, Policy, PolicyAnswer, Subject};
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
    /// The router has not answered yet.
    Asked,
}

/// Among whom a policy chooses, and what it may know of them. It borrows what is large until a thread is to have it.
pub(super) struct Scene<'a> {
    pub(super) available: Cow<'a, [Arc<dyn Worker>]>,
    pub(super) constraints: Option<Constraints>,
    pub(super) history: Option<Arc<OutcomeCounts>>,
    time_left: Option<u64>,
}

impl Scene<'_> {
    pub(super) fn into_owned(self) -> Scene<'static> {
        Scene { available: Cow::Owned(self.available.into_owned()), ..self }
    }

    pub(super) fn context<'b>(
        &'b self,
        loads: &'b BTreeMap<WorkerName, f64>,
        outcome_counts: &'b OutcomeCounts,
    ) -> RoutingContext<'b> {
        RoutingContext::new(&self.available, loads, outcome_counts)
            .with_history(self.history.as_deref())
            .with_constraints(self.constraints.as_ref())
            .with_time_budget_ms(self.time_left)
    }

    fn names(&self) -> Vec<WorkerName> {
        self.available.iter().map(|worker| worker.name().clone()).collect()
    }
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
                Place::Asked => {
                    way.classes.insert(class);
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
    fn place(&mut self, run: RunId, class: ClassId, index: SubtaskIndex, now: Timestamp) -> Place {
        let router = self.policies.router.clone();
        let subject = Subject::Route(index);
        let Some(entry) = self.runs.get_mut(&run) else { return Place::Later(Vec::new()) };
        let Some(state) = &entry.state else { return Place::Later(Vec::new()) };
        let about = state.node(index).attempts;
        let known =
            if router.is_inline { Known::Nothing } else { entry.take_answer(subject, about) };
        if matches!(known, Known::Open) {
            return Place::Asked;
        }
        let Some(entry) = self.runs.get(&run) else { return Place::Later(Vec::new()) };
        let Some(state) = &entry.state else { return Place::Later(Vec::new()) };
        let spec = state.node(index).spec.clone();
        let scene = self.scene(run, state, self.admitted(run, state, class, index), &spec, now);
        if router.is_inline {
            let context = scene.context(self.pool.loads(), state.outcome_counts());
            return match ask("router", || router.part.route(&spec, &context)) {
                Ok(decision) => self.judge(&scene, &spec, decision),
                Err(failure) => Place::Nowhere(failure),
            };
        }
        match known {
            Known::Answer(Err(failure)) => return Place::Nowhere(failure),
            Known::Answer(Ok(PolicyAnswer::Route { among, decision }))
                if still_holds(&among, &decision, &scene) =>
            {
                return self.judge(&scene, &spec, decision);
            }
            // Others are free now than when it was asked.
            Known::Answer(Ok(_)) | Known::Nothing | Known::Open => {}
        }
        let (among, scene) = (scene.names(), scene.into_owned());
        let (loads, outcome_counts) = (self.pool.loads().clone(), state.outcome_counts().clone());
        self.ask_about(run, (subject, about), Policy::Router, move || {
            let context = scene.context(&loads, &outcome_counts);
            PolicyAnswer::Route { among, decision: router.part.route(&spec, &context) }
        });
        Place::Asked
    }

    /// Returns what a subtask needs of a worker now.
    fn admitted(
        &self,
        run: RunId,
        state: &State,
        class: ClassId,
        index: SubtaskIndex,
    ) -> Option<Constraints> {
        let class = state.class(class);
        let constraints = class.constraints.as_ref();
        let distinct = class.group.as_ref().map(|group| without_group(state, group, constraints));
        let own = || self.without_gone(run, state, index, constraints);
        distinct.or_else(own).or_else(|| constraints.cloned())
    }

    /// Gathers what a policy may know that chooses a worker for a subtask.
    pub(super) fn scene<'a>(
        &'a self,
        run: RunId,
        state: &State,
        constraints: Option<Constraints>,
        spec: &Subtask,
        now: Timestamp,
    ) -> Scene<'a> {
        Scene {
            available: self.available_to(run, &spec.task_type, now),
            constraints,
            history: self.runs.get(&run).and_then(|entry| entry.memory.outcome_counts().cloned()),
            time_left: time_left(state, now),
        }
    }

    /// Checks the router's decision.
    fn judge(
        &self,
        scene: &Scene<'_>,
        spec: &Subtask,
        decision: Result<RoutingDecision, RouteError>,
    ) -> Place {
        match decision {
            Ok(decision)
                if scene.available.iter().any(|w| *w.name() == decision.primary_worker) =>
            {
                Place::Here(decision)
            }
            Ok(decision) => {
                let message = format!(
                    "the router chose `{}`, which is not available",
                    decision.primary_worker
                );
                Place::Nowhere(Failure::new(Cause::Policy, message))
            }
            Err(error) => {
                // Those who were to be had were refused; waiting makes sense only for others.
                let mut capable = self.pool.capable(spec, scene.constraints.as_ref());
                capable.retain(|name| scene.available.iter().all(|free| free.name() != name));
                if capable.is_empty() {
                    return Place::Nowhere(Failure::new(Cause::NoWorker, error.to_string()));
                }
                Place::Later(capable)
            }
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

/// Tells whether a decision that was made among other workers is as good as one that is made now.
fn still_holds(
    among: &[WorkerName],
    decision: &Result<RoutingDecision, RouteError>,
    scene: &Scene<'_>,
) -> bool {
    match decision {
        // Who was not there to be chosen is a wrong answer, not an old one.
        Ok(decision) => {
            let chosen = &decision.primary_worker;
            !among.contains(chosen) || scene.available.iter().any(|w| w.name() == chosen)
        }
        Err(_) => scene.available.iter().map(|worker| worker.name()).eq(among),
    }
}

/// Members of a group go to distinct workers.
fn without_group(state: &State, group: &str, constraints: Option<&Constraints>) -> Constraints {
    let mut all = constraints.cloned().unwrap_or_default();
    all.exclude_workers.extend(state.workers_of_group(group));
    all
}
