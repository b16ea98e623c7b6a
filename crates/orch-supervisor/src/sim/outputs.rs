//! What a process wants done is done, after the laws have looked at it.

use orch_core::learned::{Day, Learned, Moments, Reward, WorkerStats};
use orch_core::{
    AggregationResult, Cause, DecompositionPlan, Event, Failure, MemorySnapshot, RunId, Seq,
    SubtaskIndex,
};
use serde_json::json;

use super::journal::Fate;
use super::processes::Address;
use super::violation::{Check, Law, ensure};
use super::world::{Happening, World, short};
use crate::driver::{AggregateRun, Input, Left, Output, PolicyQuestion, is_held_by_managed};
use crate::machine::Outcome;
use orch_core::journal::{Append, Recorded};

impl World {
    pub(super) fn output(&mut self, from: Address, output: Output) -> Check {
        match output {
            Output::Append(append) => self.send_append(from, append),
            Output::Load { run, after } => {
                let wait = self.latency();
                self.soon(wait, Happening::Load(from, run, after));
            }
            Output::Acquire { run } => {
                let wait = self.latency();
                self.soon(wait, Happening::Acquire(from, run));
            }
            Output::CheckOwner { run, lock } => {
                let store = self.journal.store();
                let owner = store.row(run).and_then(|row| row.owner);
                let is_gone = owner.is_some_and(|owner| self.is_dead(&owner.id));
                if is_gone && is_held_by_managed(run, &store.load(run, Seq(0)), &lock) {
                    self.counters.count("locks of a dead owner");
                    let wait = self.latency();
                    let input = Input::OwnerGone { run };
                    self.soon(wait, Happening::Deliver(from, Box::new(input)));
                }
            }
            Output::Release { run, epoch } => {
                let wait = self.latency();
                self.soon(wait, Happening::Release(run, epoch));
            }
            Output::Start(start) => return self.start(from, &start),
            Output::Stop { run, fence, grace_ms } => self.stop(from, run, fence, grace_ms),
            Output::Reap { run, fences } => {
                self.check_reaping(from, run, &fences)?;
                let wait = self.latency();
                self.soon(wait, Happening::Reap(from, run, fences));
            }
            Output::Recall { run, .. } => {
                self.processes[from.process].recalling.insert(run);
                let snapshot = self.remembered();
                let wait = self.latency();
                let input = Input::Recalled { run, snapshot };
                self.soon(wait, Happening::Deliver(from, Box::new(input)));
            }
            Output::Plan { run, given, .. } => return self.plan(from, run, given.as_deref()),
            Output::Ask(question) => self.ask_policy(from, question),
            Output::Aggregate(input) => return self.aggregate(from, &input),
            Output::Reply { reply, answer } => return self.answered(from, reply, answer),
            Output::Publish { head, events } => {
                return self.published(from, head.run, &events);
            }
            Output::Ended { run, result, .. } => {
                self.note(|| format!("{from} ended {}", short(run)));
                self.processes[from.process].published.remove(&run);
                return self.check_answer(run, &result);
            }
            Output::Left { run, why } => {
                self.note(|| format!("{from} left {}: {why:?}", short(run)));
                self.counters.count(match why {
                    Left::Suspended => "suspended runs",
                    Left::GivenUp => "runs that were given up as they were",
                    Left::OwnerChanged => "runs that went to another owner",
                    Left::Unreadable(_) => "runs that could not be read",
                });
                self.processes[from.process].leaves(run);
            }
        }
        Ok(())
    }

    /// What memory knows: nothing half of the time, else something about concurrency limits, costs and opinions.
    fn remembered(&mut self) -> MemorySnapshot {
        let mut learned = Learned::new();
        if self.dice.percent(50) {
            learned.tasks.concurrency_limit.record(self.dice.between(1, 9));
            let mut stats = WorkerStats::default();
            stats.history.record(Day(0), Moments::one(true, Reward::FULL));
            stats.cost_micro_usd.record(self.dice.between(1, 2_000));
            let of_type = stats.summary().map(|summary| ("w0".into(), summary));
            learned.workers.insert("a".into(), of_type.into_iter().collect());
        }
        learned.into()
    }

    fn send_append(&mut self, from: Address, append: Box<Append>) {
        let chances = self.scenario.chances;
        let wait = self.latency();
        if self.fault(chances.belated) {
            self.counters.count("belated appends");
            let belated = self.dice.between(1, 300);
            self.soon(wait + belated, Happening::Belated(from, append.clone()));
            self.soon(wait, Happening::Append(from, append, Fate::Lost));
            return;
        }
        let fate = if self.fault(chances.lost) {
            Fate::Lost
        } else if self.fault(chances.unknown) {
            Fate::Unknown
        } else {
            Fate::Fine
        };
        self.soon(wait, Happening::Append(from, append, fate));
    }

    fn plan(&mut self, from: Address, run: RunId, given: Option<&DecompositionPlan>) -> Check {
        let twice = !self.processes[from.process].planning.insert(run);
        ensure(!twice, Law::EffectsAreObligations, || {
            format!("{from} asks for two plans of {run}")
        })?;
        let plan = match given {
            Some(given) if !self.fault(2) => Ok(given.clone()),
            _none => Err(vec!["the simulated decomposer failed".to_owned()]),
        };
        let wait = self.latency();
        self.soon(wait, Happening::Deliver(from, Box::new(Input::Planned { run, plan })));
        Ok(())
    }

    /// A policy that is asked on a thread answers after a while, or does not.
    fn ask_policy(&mut self, from: Address, question: PolicyQuestion) {
        self.counters.count("questions to policies on threads");
        let (run, number) = (question.run, question.number);
        let (wait, input) = if self.fault(2) {
            let failure = Failure::new(Cause::Policy, "the policy did not answer within 1 s");
            (1_000, Input::Answered { run, number, answer: Err(failure) })
        } else {
            (self.latency(), question.ask_inline())
        };
        self.soon(wait, Happening::Deliver(from, Box::new(input)));
    }

    fn aggregate(&mut self, from: Address, input: &AggregateRun) -> Check {
        let run = input.run;
        let twice = !self.processes[from.process].aggregating.insert(run);
        ensure(!twice, Law::EffectsAreObligations, || {
            format!("{from} asks for two outputs of {run}")
        })?;
        if let Some(book) = self.books.get(&run) {
            let accepted: Vec<_> =
                book.accepted.keys().filter_map(|index| book.result_of(*index)).collect();
            let given: Vec<_> = input.results.iter().collect();
            ensure(given == accepted, Law::AcceptedIsKept, || {
                format!(
                    "the aggregation of {run} gets {} of {} accepted results",
                    given.len(),
                    accepted.len()
                )
            })?;
        }
        let outcome = if self.fault(2) {
            Outcome::Failed("the simulated aggregator failed".to_owned())
        } else {
            Outcome::Output(Box::new(AggregationResult::new(json!(input.results.len()))), None)
        };
        let wait = self.latency();
        self.soon(wait, Happening::Deliver(from, Box::new(Input::Aggregated { run, outcome })));
        Ok(())
    }

    /// Subscribers see the journal's events, in order, without gaps as long as the process follows the run.
    fn published(&mut self, from: Address, run: RunId, events: &[Recorded]) -> Check {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
        let written = self.books.get(&run).is_some_and(|book| last.seq <= book.seq);
        ensure(written, Law::CommitFirst, || {
            format!("{from} publishes event {} of run {run} before it is in the journal", last.seq)
        })?;
        let before = orch_core::Seq(first.seq.0 - 1);
        let stored = self.journal.store().load(run, before);
        let same = stored.len() >= events.len() && stored[..events.len()] == *events;
        ensure(same, Law::CommitFirst, || {
            format!("{from} publishes events of run {run} that the journal does not have")
        })?;
        let process = &mut self.processes[from.process];
        if !process.driver.as_ref().is_some_and(|driver| driver.carries_out(run)) {
            // A process that only passes a command on does not follow the run.
            process.published.remove(&run);
            return Ok(());
        }
        let earlier = process.published.insert(run, last.seq);
        ensure(earlier.is_none_or(|earlier| earlier == before), Law::PublishedInOrder, || {
            format!("{from} publishes event {} of run {run} after {earlier:?}", first.seq)
        })
    }

    fn check_reaping(&self, from: Address, run: RunId, fences: &[orch_core::Fence]) -> Check {
        let own = self
            .physicals
            .iter()
            .find(|p| p.by == from && p.run == run && fences.contains(&p.fence) && p.is_running());
        ensure(own.is_none(), Law::EffectsAreObligations, || {
            format!("{from} reaps attempt {:?}, which it runs itself", own.map(|p| p.fence))
        })
    }

    /// Everything accepted is in the answer.
    fn check_answer(&self, run: RunId, result: &orch_core::OrchestrationResult) -> Check {
        let Some(book) = self.books.get(&run) else { return Ok(()) };
        ensure(book.ended.is_some(), Law::CommitFirst, || {
            format!("run {run} has ended for its waiters before that is in the journal")
        })?;
        for index in book.accepted.keys() {
            let stored = book.result_of(*index);
            let kept = stored.is_some_and(|s| result.subtask_results.contains(&s.result));
            ensure(kept, Law::AcceptedIsKept, || {
                format!("the result of subtask {index} is not in the answer")
            })?;
        }
        let done = result.subtask_results.iter().filter(|r| r.success).count();
        ensure(done == book.accepted.len(), Law::AcceptedIsKept, || {
            format!("{done} results in the answer, {} were accepted", book.accepted.len())
        })
    }

    /// Attempts are started by the owner only.
    pub(super) fn check_writer(&self, by: Address, run: RunId, recorded: &Recorded) -> Check {
        let Event::AttemptStarted { fence, claimed: false, .. } = &recorded.event else {
            return Ok(());
        };
        ensure(self.is_owner(by, run), Law::OnlyTheOwner, || {
            format!("{by} begins attempt {fence} of run {run}, which it does not own")
        })
    }

    /// What was accepted stays so, whatever happens.
    pub(super) fn check_accepted(&self, run: RunId) -> Check {
        let Some(book) = self.books.get(&run) else { return Ok(()) };
        for (index, fence) in &book.accepted {
            let kept = is_done(book, *index, *fence);
            ensure(kept, Law::AcceptedIsKept, || {
                format!("subtask {index} of run {run} is not done any more")
            })?;
        }
        Ok(())
    }
}

fn is_done(book: &super::book::Book, index: SubtaskIndex, by: orch_core::Fence) -> bool {
    matches!(
        &book.fold.node(index).state,
        crate::machine::SubtaskState::Done { fence, .. } if *fence == by
    )
}
