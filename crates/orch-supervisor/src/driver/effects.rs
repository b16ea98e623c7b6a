//! What follows when an append is confirmed, or when time has passed: the difference between what must be going on and
//! what is.

use std::collections::BTreeSet;
use std::sync::Arc;

use orch_core::{
    AttemptInfo, DecompositionPlan, Epoch, Fence, PlanLimits, RunId, RunSettings, Seq,
    has_nested_too_deep,
};

use super::Driver;
use super::inquiry::Inquiry;
use super::io::{AttemptEnd, Left, Output, Response, ResultBlobs, StartAttempt};
use super::recovery::last_epoch;
use super::run::Work;
use crate::machine::{Command, Refusal, State};

impl Driver {
    /// The append in flight is durable.
    pub(super) fn appended(&mut self, run: RunId) {
        self.let_out(run);
        let mut is_new = false;
        if let Some(entry) = self.runs.get_mut(&run) {
            if let Some(turn) = entry.turn.take() {
                entry.pauses.reset();
                entry.done_with(&turn.decided);
                is_new = turn.events.first().is_some_and(|first| first.seq == Seq(0).next());
            }
            if entry.state.is_none() {
                // It was acquired anew meanwhile.
                return self.reload(run);
            }
        }
        self.show_durable(run);
        self.catch_up(run);
        if is_new {
            // The process that writes the first event of a run owns it.
            return self.acquired(run, Epoch(0).next());
        }
        self.reconcile(run);
        self.dirty.insert(run);
    }

    /// Answers those who asked how the run stands while an append was in flight.
    pub(super) fn show_durable(&mut self, run: RunId) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        let waiting = std::mem::take(&mut entry.statuses);
        let status = entry.state.as_ref().filter(|_| !waiting.is_empty()).map(State::status);
        for reply in waiting {
            let answer = match &status {
                Some(status) => Ok(Response::Status(Box::new(status.clone()))),
                None => Err(Refusal::NoRun { run }),
            };
            self.outputs.push(Output::Reply { reply, answer });
        }
    }

    /// Lets out what a turn promised: replies, published events, effects.
    pub(super) fn let_out(&mut self, run: RunId) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        let (Some(turn), Some(head)) = (&mut entry.turn, &entry.head) else { return };
        entry.begun |= entry.epoch.is_some() && last_epoch(&turn.events) == entry.epoch;
        let replies = std::mem::take(&mut turn.replies);
        let (head, events) = (head.clone(), turn.events.clone());
        entry.published = events.last().map(|last| last.seq);
        let (mut touched, all) = (std::mem::take(&mut turn.touched), turn.all);
        touched.extend(entry.state.iter().flat_map(|state| state.overdue()));
        for (reply, answer) in replies {
            self.outputs.push(Output::Reply { reply, answer });
        }
        self.outputs.push(Output::Publish { head, events });
        if all {
            self.reconcile_all_attempts(run);
        } else {
            self.reconcile_attempts(run, touched);
        }
    }

    /// Brings everything that is going on in line with what must be.
    pub(super) fn reconcile_all_attempts(&mut self, run: RunId) {
        let Some(entry) = self.runs.get(&run) else { return };
        let open = entry.state.iter().flat_map(|state| state.open().iter().copied());
        let known = entry.running.keys().chain(entry.taken.keys()).copied();
        let fences: BTreeSet<Fence> = open.chain(known).collect();
        self.reconcile_attempts(run, fences);
    }

    /// Stops attempts whose time is over.
    pub(super) fn reconcile_overdue_attempts(&mut self, run: RunId) {
        let Some(entry) = self.runs.get(&run) else { return };
        let overdue: BTreeSet<Fence> =
            entry.state.iter().flat_map(|state| state.overdue().iter().copied()).collect();
        self.reconcile_attempts(run, overdue);
    }

    fn reconcile_attempts(&mut self, run: RunId, fences: BTreeSet<Fence>) {
        for fence in fences {
            let Some(entry) = self.runs.get_mut(&run) else { return };
            let Some(state) = &entry.state else { return };
            let wanted = state.must_run(fence) && entry.carries_out();
            let is_running = entry.running.contains_key(&fence);
            if entry.concluding.contains(&fence) {
                continue;
            }
            if wanted && !is_running {
                self.start_attempt(run, fence);
                if self.shutting_down.is_some() {
                    self.stop_running(run);
                }
            } else if is_running && !wanted && entry.stopping.insert(fence) {
                let grace_ms = state.settings().grace_ms;
                self.outputs.push(Output::Stop { run, fence, grace_ms });
            } else if !is_running && !wanted {
                // Decided and unwanted before it ever ran: it is over without having begun.
                let must_close = entry.carries_out() && state.must_stop(fence);
                if let Some(worker) = entry.taken.remove(&fence) {
                    self.pool.give_back(&worker, run);
                }
                if must_close {
                    self.close_unrun(run, fence);
                }
            }
        }
    }

    fn start_attempt(&mut self, run: RunId, fence: Fence) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        let Some(state) = &entry.state else { return };
        let Some(attempt) = state.attempt(fence) else { return };
        let name = attempt.worker.clone();
        let held = entry.taken.remove(&fence).is_some();
        let worker = self.pool.worker(&name).cloned();
        // One whose append was thought to have failed has no slot any more, and perhaps there is none left.
        let worker = worker.filter(|_| held || self.pool.has_slot(&name));
        let Some(worker) = worker else {
            if held {
                self.pool.give_back(&name, run);
            }
            self.close_unrun(run, fence);
            return;
        };
        entry.running.insert(fence, name.clone());
        if !held {
            self.pool.take(&name, run);
        }
        let start = describe(state, fence, worker);
        self.outputs.extend(start.map(|start| Output::Start(Box::new(start))));
    }

    /// Tells everything that runs for a run to end, whatever the journal says: this process is about to.
    pub(super) fn stop_running(&mut self, run: RunId) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        let settings = entry.state.as_ref().map(|state| state.settings().grace_ms);
        let grace_ms = settings.unwrap_or_else(|| RunSettings::default().grace_ms);
        for fence in entry.running.keys().copied() {
            if entry.stopping.insert(fence) {
                self.outputs.push(Output::Stop { run, fence, grace_ms });
            }
        }
    }

    /// An attempt that was never run is closed, so that another can take its place: nobody has failed.
    fn close_unrun(&mut self, run: RunId, fence: Fence) {
        if let Some(entry) = self.runs.get_mut(&run) {
            entry.concluding.insert(fence);
        }
        self.enqueue(run, Work::Command(Command::Close { fence }));
    }

    /// A managed attempt is over.
    pub(super) fn finished(&mut self, run: RunId, fence: Fence, end: Box<AttemptEnd>) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        entry.stopping.remove(&fence);
        entry.concluding.insert(fence);
        if let Some(worker) = entry.running.remove(&fence) {
            self.pool.give_back(&worker, run);
        }
        self.enqueue(run, Work::Finished(fence, end));
    }

    /// The decomposer has answered.
    pub(super) fn planned(&mut self, run: RunId, plan: Result<DecompositionPlan, Vec<String>>) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        if !entry.carries_out() {
            // The process that carries it out now asks for a plan of its own.
            entry.plan.take_back();
            return self.reconcile(run);
        }
        let Some(state) = &entry.state else {
            // It is being loaded; should it still need a plan then, it asks for one again.
            entry.plan.take_back();
            return;
        };
        entry.plan = Inquiry::Answered(());
        let task = state.task().clone();
        let limits = PlanLimits::from(&**state.settings());
        let plan = plan.and_then(|plan| {
            let workers = self.workers_of(run);
            let issues = plan.validate_within(&workers, limits, task.constraints.as_ref());
            let deep = plan.subtasks.iter().find(|subtask| has_nested_too_deep(&subtask.context));
            if let Some(subtask) = deep {
                let what = format!("the context of subtask `{}`", subtask.id);
                Err(vec![Refusal::TooDeep { what }.to_string()])
            } else if issues.is_empty() {
                Ok(plan)
            } else {
                Err(issues.iter().map(ToString::to_string).collect())
            }
        });
        let plan = plan.map(|plan| {
            let mut plan = plan.expand_replicas();
            for subtask in &mut plan.subtasks {
                if subtask.parent_task_id != task.id {
                    Arc::make_mut(subtask).parent_task_id = task.id.clone();
                }
            }
            Arc::new(plan)
        });
        self.enqueue(run, Work::Planned(plan));
    }

    /// Ends the ownership of a run on which nothing more is to be done here.
    pub(super) fn leave(&mut self, run: RunId, why: Left) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        entry.begun = false;
        (entry.plan, entry.output) = (Inquiry::NotAsked, Inquiry::NotAsked);
        entry.asked.clear();
        entry.memory.take_back();
        if let Some(epoch) = entry.epoch.take() {
            if why != Left::OwnerChanged {
                self.outputs.push(Output::Release { run, epoch });
            }
            self.outputs.push(Output::Left { run, why });
        }
        entry.wants_ownership = false;
        // Somebody wants it to go on here, which was not begun yet: as it stands now, that must be asked for again.
        let resuming = if entry.acquiring { None } else { entry.resuming.take() };
        self.refuse(resuming, Refusal::Retry);
        // A run that is released keeps no place before others.
        self.pool.wait(run, false, &BTreeSet::new());
    }

    /// Takes back the slots of attempts that will not start.
    pub(super) fn give_back_taken(&mut self, run: RunId) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        for worker in std::mem::take(&mut entry.taken).into_values() {
            self.pool.give_back(&worker, run);
        }
    }
}

fn describe(
    state: &State,
    fence: Fence,
    worker: Arc<dyn orch_core::Worker>,
) -> Option<StartAttempt> {
    let attempt = state.attempt(fence)?;
    let node = state.node(attempt.subtask);
    let timeout = attempt.until.as_millisecond().saturating_sub(attempt.since.as_millisecond());
    let timeout_ms = u64::try_from(timeout).unwrap_or(0);
    let trouble = node.trouble.as_ref();
    let info = AttemptInfo::new(state.run(), fence, attempt.token, &node.spec.id, timeout_ms)
        .with_number(node.attempts)
        .with_run_depth(state.origin().depth)
        .with_max_cost_micro_usd(attempt.reserved)
        .with_guidance(trouble.and_then(|t| t.guidance.clone()))
        .with_last_failure(trouble.and_then(|t| t.last.clone()));
    Some(StartAttempt {
        run: state.run(),
        worker,
        subtask: node.spec.clone(),
        project: state.settings().project.clone(),
        context: state.context().clone(),
        attempt: info,
        inputs: state.inputs(attempt.subtask),
        absent: state.absences(attempt.subtask),
        until: attempt.until,
    })
}

/// What became of a run, and where its large parts are.
pub(crate) fn finish(
    state: &State,
    slots: &std::collections::BTreeMap<orch_core::WorkerName, u32>,
) -> (orch_core::OrchestrationResult, ResultBlobs) {
    let result = state.result(slots);
    let by_id = |id: &orch_core::SubtaskId| {
        state.node(state.index_of(id)?).state.accepted().and_then(|stored| stored.blob)
    };
    let large = result
        .subtask_results
        .iter()
        .enumerate()
        .filter_map(|(i, r)| by_id(&r.subtask_id).map(|blob| (i, blob)));
    let blobs =
        ResultBlobs { output: state.end().and_then(|end| end.blob), results: large.collect() };
    (result, blobs)
}
