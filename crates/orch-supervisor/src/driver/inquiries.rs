//! Questions to policies that the shell asks on threads: what is open, and what was answered.
//!
//! A question belongs to a subtask and to its attempt; an answer that comes when the subtask is elsewhere is dropped, and the
//! question is asked anew. All of it is volatile: when the run is released it is forgotten, and its next owner asks again.

use jiff::Timestamp;
use orch_core::{
    Failure, FailureDecision, FailureEvent, RouteError, RoutingDecision, RunId, SubtaskIndex,
    WorkerName,
};

use super::Driver;
use super::io::{Input, Output};
use super::run::{Queued, Run, Work};
use crate::guard::inline;
use crate::machine::{Command, Report, State};

/// Which policy is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// The router.
    Router,
    /// The failure handler.
    FailureHandler,
    /// All gates together.
    Gates,
}

/// What a policy answers.
#[derive(Debug, Clone)]
pub(crate) enum PolicyAnswer {
    /// Of the router.
    Route {
        /// The workers among which it chose.
        among: Vec<WorkerName>,
        /// Its decision.
        decision: Result<RoutingDecision, RouteError>,
    },
    /// What follows from a failure.
    Failure(FailureDecision),
    /// Whether the run is to end early.
    Abort(bool),
    /// Which gate was not passed, if any.
    Gates(Option<Failure>),
}

/// A question to a policy, with all that it needs to know.
pub(crate) struct PolicyQuestion {
    /// The run.
    pub run: RunId,
    /// Names the question; the answer carries it.
    pub number: u64,
    /// Who is asked.
    pub policy: Policy,
    ask: Box<dyn FnOnce() -> PolicyAnswer + Send>,
}

impl PolicyQuestion {
    /// Asks the policy. It may take long, and it may panic.
    pub(crate) fn ask(self) -> PolicyAnswer {
        (self.ask)()
    }

    /// Asks the policy here and now, and returns the answer as input; for those who have no threads.
    pub(crate) fn ask_inline(self) -> Input {
        let (run, number) = (self.run, self.number);
        let answer = inline::ask("policy", || self.ask());
        Input::Answered { run, number, answer }
    }
}

/// What a question of a run is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Route(SubtaskIndex),
    Failure(SubtaskIndex),
    Abort,
}

/// A question that was asked, with its answer once that is there.
pub(super) struct Asked {
    number: u64,
    /// The attempt, or the count of failures, that it was asked about.
    about: u32,
    answer: Option<Result<PolicyAnswer, Failure>>,
}

/// What is known of a question.
pub(super) enum Known {
    /// It is to be asked, perhaps again.
    Nothing,
    /// There is no answer yet.
    Open,
    Answer(Result<PolicyAnswer, Failure>),
}

/// Whether the gates have looked at the result in a piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GateCheck {
    NotAsked,
    Open(u64),
    Checked(Option<Failure>),
}

impl Run {
    /// Takes the answer to a question, if it is there and about what is asked now.
    pub(super) fn take_answer(&mut self, subject: Subject, about: u32) -> Known {
        if self.is_asked(subject) {
            return Known::Open;
        }
        match self.asked.remove(&subject) {
            Some(Asked { about: then, answer: Some(answer), .. }) if then == about => {
                Known::Answer(answer)
            }
            Some(_) | None => Known::Nothing,
        }
    }

    /// Tells whether a question waits for its answer.
    pub(super) fn is_asked(&self, subject: Subject) -> bool {
        self.asked.get(&subject).is_some_and(|asked| asked.answer.is_none())
    }

    /// Tells whether any question about subtasks waits for its answer.
    pub(super) fn has_open_questions(&self) -> bool {
        self.asked.values().any(|asked| asked.answer.is_none())
    }
}

impl Driver {
    /// Asks a policy about a subject, on a thread.
    pub(super) fn ask_about(
        &mut self,
        run: RunId,
        (subject, about): (Subject, u32),
        policy: Policy,
        ask: impl FnOnce() -> PolicyAnswer + Send + 'static,
    ) {
        let number = self.ask_policy(run, policy, ask);
        if let Some(entry) = self.runs.get_mut(&run) {
            entry.asked.insert(subject, Asked { number, about, answer: None });
        }
    }

    fn ask_policy(
        &mut self,
        run: RunId,
        policy: Policy,
        ask: impl FnOnce() -> PolicyAnswer + Send + 'static,
    ) -> u64 {
        self.questions += 1;
        let number = self.questions;
        let question = PolicyQuestion { run, number, policy, ask: Box::new(ask) };
        self.outputs.push(Output::Ask(question));
        number
    }

    /// A policy has answered, or will not.
    pub(super) fn answered(
        &mut self,
        run: RunId,
        number: u64,
        answer: Result<PolicyAnswer, Failure>,
    ) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        let is_checked = |queued: &&mut Queued| queued.gates == GateCheck::Open(number);
        if let Some(asked) = entry.asked.values_mut().find(|asked| asked.number == number) {
            asked.answer = Some(answer);
        } else if let Some(queued) = entry.inbox.iter_mut().find(is_checked) {
            queued.gates = GateCheck::Checked(match answer {
                Ok(PolicyAnswer::Gates(verdict)) => verdict,
                Ok(
                    PolicyAnswer::Route { .. } | PolicyAnswer::Failure(_) | PolicyAnswer::Abort(_),
                ) => None,
                Err(failure) => Some(failure),
            });
        }
        self.dirty.insert(run);
    }

    /// Takes the first piece of work that can be decided now. Gates that run on a thread are asked, and the work waits for them.
    pub(super) fn next_work(&mut self, run: RunId) -> Option<Queued> {
        loop {
            let entry = self.runs.get_mut(&run)?;
            let place = entry.inbox.iter().position(Queued::is_decidable)?;
            let mut queued = entry.inbox.remove(place)?;
            let Some(question) = self.gate_question(run, &queued) else { return Some(queued) };
            queued.gates = GateCheck::Open(self.ask_policy(run, Policy::Gates, question));
            self.runs.get_mut(&run)?.inbox.insert(place, queued);
        }
    }

    /// Returns the attempts that are over and whose results gates are looking at.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn at_gates(&self, run: RunId) -> Vec<orch_core::Fence> {
        let fence_of = |queued: &Queued| match &queued.work {
            Work::Finished(fence, _) if !queued.is_decidable() => Some(*fence),
            Work::Finished(..)
            | Work::Submit(_)
            | Work::Command(_)
            | Work::Dead(_)
            | Work::Planned(_)
            | Work::End(_)
            | Work::Resume(_)
            | Work::TakeDown(_)
            | Work::Suspend(_) => None,
        };
        self.runs.get(&run).iter().flat_map(|run| &run.inbox).filter_map(fence_of).collect()
    }

    fn gate_question(
        &self,
        run: RunId,
        queued: &Queued,
    ) -> Option<impl FnOnce() -> PolicyAnswer + Send + use<>> {
        let is_inline = self.policies.gates.iter().all(|gate| gate.is_inline);
        if is_inline || queued.gates != GateCheck::NotAsked {
            return None;
        }
        let state = self.runs.get(&run)?.state.as_ref()?;
        let (index, body, blob) = if let Work::Finished(fence, end) = &queued.work
            && end.failure.is_none()
        {
            (state.attempt(*fence)?.subtask, end.body.clone(), end.blob.clone())
        } else if let Work::Command(Command::Report(report)) = &queued.work
            && report.failure.is_none()
        {
            (reported_subtask(state, report)?, report.body.clone(), report.blob.clone())
        } else {
            return None;
        };
        let (policies, spec) = (self.policies.clone(), state.node(index).spec.clone());
        body.result
            .success
            .then_some(move || PolicyAnswer::Gates(policies.check(&spec, &body, blob.as_ref())))
    }

    /// Asks the failure handler whether the run is to end early; `is_due` says that more has failed.
    pub(super) fn should_abort(&mut self, run: RunId, is_due: bool, now: Timestamp) -> bool {
        let Some(entry) = self.runs.get_mut(&run) else { return false };
        // An answer about fewer failures is out of date.
        let is_due = is_due || entry.asked.contains_key(&Subject::Abort);
        let Some(state) = entry.state.as_ref().filter(|_| is_due) else { return false };
        let (failures, task) = (final_failures(state, now), state.task().clone());
        let handler = self.policies.failure_handler.clone();
        if handler.is_inline {
            let ask = || handler.part.should_abort(&failures, &task);
            return inline::ask("failure handler", ask).unwrap_or(false);
        }
        let about = u32::try_from(failures.len()).unwrap_or(u32::MAX);
        match entry.take_answer(Subject::Abort, about) {
            Known::Answer(answer) => matches!(answer, Ok(PolicyAnswer::Abort(true))),
            Known::Nothing => {
                let ask = move || PolicyAnswer::Abort(handler.part.should_abort(&failures, &task));
                self.ask_about(run, (Subject::Abort, about), Policy::FailureHandler, ask);
                false
            }
            Known::Open => false,
        }
    }
}

/// Returns the failures of subtasks that have failed for good.
fn final_failures(state: &State, now: Timestamp) -> Vec<FailureEvent> {
    let failure_of = |node: &crate::machine::Node| {
        let failure = node.state.failure()?;
        let worker = node.trouble.as_ref().and_then(|t| t.tried.last().cloned());
        let worker = worker.unwrap_or_else(|| WorkerName::new(""));
        Some(FailureEvent::new(node.spec.id.clone(), worker, failure, now))
    };
    state.nodes().iter().filter_map(failure_of).collect()
}

/// Returns the subtask that a report is about.
pub(super) fn reported_subtask(state: &State, report: &Report) -> Option<SubtaskIndex> {
    let by_fence = report.attempt.and_then(|(fence, _)| state.attempt(fence)).map(|a| a.subtask);
    by_fence.or_else(|| report.subtask.as_ref().and_then(|id| state.index_of(id)))
}
