//! What a run needs now, and what of it this process has to see to: called when nothing of the run is in flight.
//!
//! ```text
//! reconcile: owned?   yes: answer who resumed -> end what has ended -> reap -> leave when suspended -> ask memory, planner, aggregator
//!                     no:  acquire what was submitted or resumed here
//!            idle?    forget it
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use orch_core::{ComplexTask, Fence, RunId};

use super::Driver;
use super::effects::finish;
use super::io::{AggregateRun, Left, Output, Response};
use super::run::{Run, Work};
use crate::machine::{Answer, Refusal, State};

impl Driver {
    /// Asks for what is missing, ends what is over, forgets what is done. Does nothing while an append is in flight or the run
    /// is not loaded.
    pub(super) fn reconcile(&mut self, run: RunId) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        if entry.turn.is_some() || entry.state.is_none() {
            return;
        }
        if entry.is_owned() {
            self.reconcile_owned(run);
        } else {
            self.reconcile_foreign(run);
        }
        let is_idle = self.runs.get(&run).is_some_and(Run::is_idle);
        if is_idle && !self.settling.contains_key(&run) {
            self.pool.wait(run, false, &BTreeSet::new());
            self.runs.remove(&run);
        }
    }

    /// Each step returns whether it was the last one for now.
    fn reconcile_owned(&mut self, run: RunId) {
        self.answer_resumption(run);
        let is_over = self.end_ended(run)
            || !self.carries_out(run)
            || self.reap_orphans(run)
            || self.acquire_anew(run)
            || self.leave_suspended(run);
        if !is_over {
            self.ask_memory(run);
            self.ask_decomposer(run);
            self.ask_aggregator(run);
        }
    }

    /// Acquires a run that was submitted here or is to be resumed here.
    fn reconcile_foreign(&mut self, run: RunId) {
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

    /// Answers the caller who resumed a run that goes on by now, or has ended.
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

    /// Ends the ownership of a run that has ended, and tells what became of it.
    fn end_ended(&mut self, run: RunId) -> bool {
        let Some(entry) = self.runs.get_mut(&run) else { return true };
        let Some(state) = entry.state.as_ref().filter(|state| state.is_ended()) else {
            return false;
        };
        entry.wants_ownership = false;
        let epoch = entry.epoch.take();
        if !std::mem::take(&mut entry.begun) {
            // It was over before this process acquired it: the owner of that time has told what became of it.
            self.outputs.extend(epoch.map(|epoch| Output::Release { run, epoch }));
            return true;
        }
        let slots = self.pool.slots();
        let (result, blobs) = finish(state, &slots);
        let outcome = self.policies.has_memory.then(|| Box::new(state.outcome("", &slots)));
        self.outputs.push(Output::Ended { run, outcome, result: Box::new(result), blobs });
        true
    }

    /// Has attempts of an earlier owner ended.
    fn reap_orphans(&mut self, run: RunId) -> bool {
        let Some(entry) = self.runs.get_mut(&run) else { return true };
        let Some(state) = &entry.state else { return true };
        // What this very process still runs, of an earlier ownership, ends by itself: it has been told to.
        let is_elsewhere =
            |f: &&Fence| !entry.running.contains_key(f) && !entry.concluding.contains(f);
        let orphans: BTreeSet<Fence> =
            state.orphans().difference(&entry.reaping).filter(is_elsewhere).copied().collect();
        if orphans.is_empty() || entry.retry_at.is_some() {
            return false;
        }
        entry.reaping.extend(orphans.iter().copied());
        self.outputs.push(Output::Reap { run, fences: orphans.into_iter().collect() });
        true
    }

    /// Acquires a suspended run once more, for a caller who resumed it while it was being suspended.
    fn acquire_anew(&mut self, run: RunId) -> bool {
        let Some(entry) = self.runs.get_mut(&run) else { return true };
        if entry.resuming.is_none() || !entry.state.as_ref().is_some_and(State::is_suspended) {
            return false;
        }
        if !std::mem::replace(&mut entry.acquiring, true) {
            self.outputs.push(Output::Acquire { run });
        }
        true
    }

    /// Leaves a suspended run once nothing of it runs any more.
    fn leave_suspended(&mut self, run: RunId) -> bool {
        let Some(entry) = self.runs.get(&run) else { return true };
        let Some(state) = &entry.state else { return true };
        let is_open = !entry.running.is_empty() || !state.orphans().is_empty();
        let is_over = state.is_suspended() && !is_open && entry.inbox.is_empty();
        if is_over {
            self.leave(run, Left::Suspended);
        }
        is_over
    }

    fn ask_memory(&mut self, run: RunId) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        let Some(state) = &entry.state else { return };
        if self.policies.has_memory && entry.memory.ask() {
            let project = state.settings().project.clone();
            self.outputs.push(Output::Recall { run, project, task: asked_about(state) });
        }
    }

    /// Asks for a plan. What memory knows is there before.
    fn ask_decomposer(&mut self, run: RunId) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        let Some(state) = &entry.state else { return };
        if !state.must_plan() {
            // A run that was suspended before it had a plan needs it when it goes on.
            if !state.is_suspended() {
                entry.memory.forget_plans();
            }
            return;
        }
        if !entry.memory.is_asked() && entry.plan.ask() {
            self.outputs.push(Output::Plan {
                run,
                task: state.task().clone(),
                given: state.given().cloned(),
                max_subtasks: state.settings().max_subtasks,
                learned: entry.memory.learned().cloned(),
            });
        }
    }

    fn ask_aggregator(&mut self, run: RunId) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        let Some(state) = &entry.state else { return };
        // An answer whose append failed is decided anew, and need not be asked for again.
        let is_answered = || entry.inbox.iter().any(|queued| matches!(queued.work, Work::End(_)));
        if state.must_aggregate() && !is_answered() && entry.output.ask() {
            self.outputs.push(Output::Aggregate(Box::new(aggregate(state))));
        }
    }
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
