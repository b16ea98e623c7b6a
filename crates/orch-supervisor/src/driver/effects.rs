//! What follows when an append is confirmed, or when time has passed: the difference between what must be going on and
//! what is.

use std::collections::BTreeSet;
use std::sync::Arc;

use orch_core::{
    AttemptInfo, ComplexTask, DecompositionPlan, Epoch, Fence, PlanLimits, RunId, RunSettings, Seq,
    has_nested_too_deep,
};

use super::Driver;
use super::io::{AggregateRun, AttemptEnd, Left, Output, Response, ResultBlobs, StartAttempt};
use super::recovery::last_epoch;
use super::run::{Recalled, Work};
use crate::machine::{Answer, Command, Refusal, State};

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
            // Whoever writes the first event of a run owns it.
            return self.acquired(run, Epoch(0).next());
        }
        self.settle(run);
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
            self.reconcile_all(run);
        } else {
            self.reconcile(run, touched);
        }
    }

    /// Brings everything that is going on in line with what must be.
    pub(super) fn reconcile_all(&mut self, run: RunId) {
        let Some(entry) = self.runs.get(&run) else { return };
        let open = entry.state.iter().flat_map(|state| state.open().iter().copied());
        let known = entry.running.keys().chain(entry.taken.keys()).copied();
        let fences: BTreeSet<Fence> = open.chain(known).collect();
        self.reconcile(run, fences);
    }

    /// Stops attempts whose time is over.
    pub(super) fn reconcile_overdue(&mut self, run: RunId) {
        let Some(entry) = self.runs.get(&run) else { return };
        let overdue: BTreeSet<Fence> =
            entry.state.iter().flat_map(|state| state.overdue().iter().copied()).collect();
        self.reconcile(run, overdue);
    }

    fn reconcile(&mut self, run: RunId, fences: BTreeSet<Fence>) {
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
            // Whoever carries it out now asks for a plan of its own.
            entry.planning = false;
            return self.settle(run);
        }
        let Some(state) = &entry.state else {
            // It is being loaded; should it still need a plan then, it asks for one again.
            entry.planning = false;
            return;
        };
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

    /// Asks for what is missing, ends what is over, forgets what is done. Called when nothing is in flight.
    pub(super) fn settle(&mut self, run: RunId) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        if entry.turn.is_some() || entry.state.is_none() {
            return;
        }
        if entry.is_owned() {
            self.settle_owned(run);
        } else {
            self.settle_foreign(run);
        }
        let is_idle = self.runs.get(&run).is_some_and(super::run::Run::is_idle);
        if is_idle && !self.settling.contains_key(&run) {
            self.pool.wait(run, false, &BTreeSet::new());
            self.runs.remove(&run);
        }
    }

    /// Answers who wants a run to go on that does so already, or has ended.
    fn answer_resumption(&mut self, run: RunId) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        let Some(state) = &entry.state else { return };
        if entry.acquiring || (!state.is_ended() && (state.is_suspended() || !entry.begun)) {
            return;
        }
        let Some(reply) = entry.resuming.take() else { return };
        let answer = if state.is_ended() {
            Err(Refusal::Ended { run })
        } else {
            Ok(Response::Answer(Answer::Done))
        };
        self.outputs.push(Output::Reply { reply, answer });
    }

    fn settle_owned(&mut self, run: RunId) {
        self.answer_resumption(run);
        let Some(entry) = self.runs.get_mut(&run) else { return };
        let Some(state) = &entry.state else { return };
        if state.is_ended() && !entry.begun {
            // It was over before this process acquired it: whoever carried it out has told what became of it.
            entry.wants_ownership = false;
            if let Some(epoch) = entry.epoch.take() {
                self.outputs.push(Output::Release { run, epoch });
            }
            return;
        }
        if state.is_ended() {
            let slots = self.pool.slots();
            let (result, blobs) = finish(state, &slots);
            let outcome = self.policies.has_memory.then(|| Box::new(state.outcome("", &slots)));
            entry.epoch = None;
            entry.begun = false;
            entry.wants_ownership = false;
            self.outputs.push(Output::Ended { run, outcome, result: Box::new(result), blobs });
            return;
        }
        if !entry.begun {
            return;
        }
        // What this very process still runs, of an earlier ownership, ends by itself: it has been told to.
        let is_elsewhere =
            |f: &&Fence| !entry.running.contains_key(f) && !entry.concluding.contains(f);
        let orphans: BTreeSet<Fence> =
            state.orphans().difference(&entry.reaping).filter(is_elsewhere).copied().collect();
        if !orphans.is_empty() && entry.retry_at.is_none() {
            entry.reaping.extend(orphans.iter().copied());
            self.outputs.push(Output::Reap { run, fences: orphans.into_iter().collect() });
            return;
        }
        if entry.resuming.is_some() && state.is_suspended() {
            // Somebody wants it to go on, who asked while it was being suspended.
            if !std::mem::replace(&mut entry.acquiring, true) {
                self.outputs.push(Output::Acquire { run });
            }
            return;
        }
        let managed_open = !entry.running.is_empty() || !state.orphans().is_empty();
        if state.is_suspended() && !managed_open && entry.inbox.is_empty() {
            self.leave(run, Left::Suspended);
            return;
        }
        if self.policies.has_memory && matches!(entry.recalled, Recalled::NotAsked) {
            entry.recalled = Recalled::Asked;
            let project = state.settings().project.clone();
            self.outputs.push(Output::Recall { run, project, task: asked_about(state) });
        }
        // What memory knows is there before the first subtask starts.
        let may_plan = !matches!(entry.recalled, Recalled::Asked);
        if state.must_plan() && may_plan && !std::mem::replace(&mut entry.planning, true) {
            self.outputs.push(Output::Plan {
                run,
                task: state.task().clone(),
                given: state.given().cloned(),
                max_subtasks: state.settings().max_subtasks,
                learned: entry.recalled.learned().cloned(),
            });
        }
        if !state.must_plan() {
            entry.recalled.is_planned();
        }
        // An answer whose append failed is decided anew, and need not be asked for again.
        let is_answered = || entry.inbox.iter().any(|queued| matches!(queued.work, Work::End(_)));
        if state.must_aggregate()
            && !is_answered()
            && !std::mem::replace(&mut entry.aggregating, true)
        {
            self.outputs.push(Output::Aggregate(Box::new(aggregate(state))));
        }
    }

    /// A run that was just submitted, or that is to be resumed, is acquired first.
    fn settle_foreign(&mut self, run: RunId) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        if self.shutting_down.is_some() && !entry.acquiring {
            entry.wants_ownership = false;
            let reply = entry.resuming.take();
            return self.refuse(reply, Refusal::ShuttingDown);
        }
        if entry.wants_ownership && !entry.acquiring && entry.retry_at.is_none() {
            entry.acquiring = true;
            self.outputs.push(Output::Acquire { run });
        }
    }

    /// Ends the ownership of a run on which nothing more is to be done here.
    pub(super) fn leave(&mut self, run: RunId, why: Left) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        entry.begun = false;
        (entry.planning, entry.aggregating) = (false, false);
        entry.asked.clear();
        if matches!(entry.recalled, Recalled::Asked) {
            entry.recalled = Recalled::NotAsked;
        }
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
        // Whoever is gone keeps no place before others.
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

/// What memory is asked about: who has a plan needs no example of one, which would cost more than all the rest.
fn asked_about(state: &State) -> Arc<ComplexTask> {
    let task = state.task();
    match state.given() {
        Some(_) => Arc::new(ComplexTask::new(task.id.clone(), "", task.task_type.clone())),
        None => task.clone(),
    }
}

fn aggregate(state: &State) -> AggregateRun {
    AggregateRun {
        run: state.run(),
        task: state.task().clone(),
        settings: state.aggregation(),
        subtasks: state.nodes().iter().map(|node| node.spec.clone()).collect(),
        results: state.results(),
        failed: state.without_result(),
    }
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
