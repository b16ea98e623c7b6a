//! A turn: all that has arrived for a run is decided, the policies are asked, and the events go out in one append.

use std::sync::Arc;

use jiff::Timestamp;
use orch_core::journal::{Append, Blob, Recorded, RunHead};
use orch_core::learned::Priors;
use orch_core::{
    Actor, Cause, Event, Failure, FailureContext, FailureEvent, Fence, LockName, LossCause, RunId,
    Seq, StoredResult, Subtask, SubtaskIndex, Token, last_line,
};
use rand::Rng as _;

use super::Driver;
use super::changes::{concerned, lock_changes};
use super::draws::draw;
use super::follow::{Follows, follow};
use super::inquiries::{GateCheck, Known, Policy, PolicyAnswer, Subject, reported_subtask};
use super::inquiry::Inquiry;
use super::io::{AttemptEnd, Output, ReplyId, Response, Submission};
use super::run::{Queued, Turn, Work};
use super::take_down::TAKEN_DOWN;
use crate::guard::inline::ask;
use crate::machine::{Answer, Command, Decided, Refusal, Report, Slot, State, decide, submit};

/// The most commands that one turn decides: the append stays of bounded size.
const MAX_COMMANDS: usize = 4_096;

/// What a turn has gathered so far.
pub(super) struct Staged {
    pub(super) now: Timestamp,
    base: Seq,
    events: Vec<Recorded>,
    replies: Vec<(ReplyId, Result<Response, Refusal>)>,
    decided: Vec<Queued>,
    blobs: Vec<Blob>,
    /// Who caused what is decided now; `None` while the engine decides by itself.
    by: Option<Arc<Actor>>,
}

impl Driver {
    /// Takes one turn of `run`, unless an append is in flight or the state is not there.
    pub(super) fn turn(&mut self, run: RunId, now: Timestamp) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        if entry.turn.is_some() {
            return;
        }
        let first = entry.inbox.iter().find(|queued| queued.is_decidable());
        let first = first.map(|queued| &queued.work);
        // What fell due while nobody could be heard is looked at after live leases and attempts got a fresh interval.
        let refreshes =
            matches!(first, Some(Work::Resume(_) | Work::Command(Command::ExtendLeases)));
        if entry.state.is_none() && !matches!(first, Some(Work::Submit(_))) {
            return;
        }
        let base = entry.state.as_ref().map_or(Seq(0), State::seq);
        let now = entry.state.as_ref().map_or(now, |state| now.max(state.at()));
        let mut staged = Staged {
            now,
            base,
            events: Vec::new(),
            replies: Vec::new(),
            decided: Vec::new(),
            blobs: Vec::new(),
            by: None,
        };
        if let Some(state) = &mut entry.state {
            state.advance(now);
        }
        if !refreshes {
            self.execute(run, Command::Tick, &mut staged);
        }
        self.decide_inbox(run, &mut staged);
        if self.runs.get(&run).is_some_and(super::run::Run::is_owned) {
            self.ask_failure_handler(run, &mut staged);
            self.dispatch(run, &mut staged);
            self.execute(run, Command::Tick, &mut staged);
        }
        self.commit(run, staged);
    }

    fn decide_inbox(&mut self, run: RunId, staged: &mut Staged) {
        for _ in 0..MAX_COMMANDS {
            let Some(queued) = self.next_work(run) else { return };
            let before = staged.events.len();
            staged.by.clone_from(&queued.by);
            let answer = self.decide_work(run, queued.work.clone(), &queued.gates, staged);
            staged.by = None;
            if let Some(reply) = queued.reply {
                staged.replies.push((reply, answer));
            }
            staged.decided.push(queued);
            if self.takes_locks(run, &staged.events[before..]) {
                // Before the attempt can end, it must have had its locks: an append frees first, then takes.
                break;
            }
        }
        // The rest waits for the next turn, which follows the commit of this one.
        self.dirty.insert(run);
    }

    fn takes_locks(&self, run: RunId, events: &[Recorded]) -> bool {
        let state = self.runs.get(&run).and_then(|entry| entry.state.as_ref());
        events.iter().any(|recorded| locks_taken(state, &recorded.event).next().is_some())
    }

    fn decide_work(
        &mut self,
        run: RunId,
        work: Work,
        gates: &GateCheck,
        staged: &mut Staged,
    ) -> Result<Response, Refusal> {
        let command = match work {
            Work::Submit(submission) => return self.begin(&submission, staged),
            Work::Command(Command::Report(report)) => {
                Command::Report(self.gate(run, report, gates))
            }
            Work::Command(Command::Claim(mut claim)) => {
                claim.foreign_locks =
                    self.runs.get(&run).map(super::run::Run::locked_elsewhere).unwrap_or_default();
                for want in &mut claim.wants {
                    want.card = self.card_for(run, &want.worker);
                }
                Command::Claim(claim)
            }
            Work::Command(command) => command,
            Work::Finished(fence, end) => {
                let said = what_it_said(fence, &end);
                let command = self.conclude(run, (fence, *end), gates, staged.now);
                let counts_for_nothing = matches!(
                    command,
                    Command::Lose { cause: LossCause::Suspended, .. } | Command::Close { .. }
                );
                if let Some(said) = said.filter(|_| counts_for_nothing) {
                    self.execute(run, Command::Keep(said), staged);
                }
                command
            }
            Work::Dead(fences) => Command::Lose { fences, cause: LossCause::Restart },
            Work::Planned(Ok(plan)) => {
                let learned = self.runs.get(&run).and_then(|entry| entry.memory.learned());
                let priors = learned.map(|it| Priors::of(it, &plan)).unwrap_or_default();
                let (base_seq, retire) = (staged.base, Vec::new());
                let adopted = Command::AdoptPlan { plan, base_seq, retire, priors };
                let answer = self.try_execute(run, adopted, staged);
                let Err(Refusal::Plan(reason)) = answer else { return answer };
                Command::FailPlan { errors: vec![reason] }
            }
            Work::Planned(Err(errors)) => Command::FailPlan { errors },
            Work::End(outcome) => {
                let ended = self.try_execute(run, Command::End { outcome }, staged);
                if let (Err(_), Some(entry)) = (&ended, self.runs.get_mut(&run)) {
                    // Not wanted now; should it be later, it is made again.
                    entry.output = Inquiry::NotAsked;
                }
                return ended;
            }
            Work::Resume(epoch) => match self.runs.get(&run) {
                // Of a run that has ended nobody is the owner any more, and it says so itself.
                Some(entry) if entry.state.as_ref().is_some_and(State::is_ended) => {
                    Command::Resume { epoch }
                }
                Some(entry) if entry.epoch != Some(epoch) => return Err(Refusal::Retry),
                // An append of unknown outcome had resumed it.
                Some(entry) if entry.begun => return Ok(Response::Answer(Answer::Done)),
                Some(_) | None => Command::Resume { epoch },
            },
            Work::Suspend(reason) => Command::Suspend { reason },
            Work::TakeDown(epoch) => {
                let entry = self.runs.get(&run);
                if !entry.is_some_and(|entry| entry.is_taken_down_in(epoch)) {
                    return Ok(Response::Answer(Answer::Done));
                }
                Command::Suspend { reason: TAKEN_DOWN.to_owned() }
            }
        };
        self.try_execute(run, command, staged)
    }

    /// The first event of a run.
    fn begin(&mut self, submission: &Submission, staged: &mut Staged) -> Result<Response, Refusal> {
        let event = Event::RunSubmitted {
            task: submission.task.clone(),
            settings: submission.settings.clone(),
            given: submission.given.clone(),
            seed: self.rng.next_u64(),
            origin: submission.origin.clone(),
        };
        let head = RunHead::new(
            submission.run,
            submission.settings.project.clone(),
            &submission.task,
            staged.now,
        )
        .with_request_key(submission.request_key.clone());
        let Some(entry) = self.runs.get_mut(&submission.run) else {
            return Err(Refusal::ShuttingDown);
        };
        entry.head = Some(Arc::new(head));
        entry.state = submit(submission.run, event.clone(), staged.now);
        staged.base = Seq(0);
        let recorded = Recorded::new(Seq(1), staged.now, event);
        staged.events.push(recorded.with_by(staged.by.clone()));
        Ok(Response::Run(submission.run))
    }

    /// Turns the end of a managed attempt into what it means: a report, a loss, or nothing that anybody waits for.
    fn conclude(
        &mut self,
        run: RunId,
        (fence, mut end): (Fence, AttemptEnd),
        gates: &GateCheck,
        now: Timestamp,
    ) -> Command {
        let Some(entry) = self.runs.get(&run) else { return Command::Tick };
        let Some(state) = &entry.state else { return Command::Tick };
        let attempt = match state.slot(fence) {
            Some(Slot::Open(attempt)) => attempt,
            // Nobody waits for a failure of an attempt that is over; a result is kept as evidence.
            Some(Slot::Closed(closed)) if end.failure.is_none() || closed.report.is_some() => {
                return Command::Report(report_of(fence, closed.token, end));
            }
            Some(Slot::Closed(_)) | None => return Command::Tick,
        };
        let (worker, token) = (attempt.worker.clone(), attempt.token);
        let spec = state.node(attempt.subtask).spec.clone();
        let lost = state.orphans().contains(&fence) || !entry.carries_out();
        if lost && end.failure.is_some() {
            // It was stopped or killed because the run has another owner, or this one anew: no failure of its own.
            return Command::Lose { fences: vec![fence], cause: LossCause::OwnerChanged };
        }
        if state.must_stop(fence) && end.failure.is_some() {
            if state.is_suspended() {
                return Command::Lose { fences: vec![fence], cause: LossCause::Suspended };
            }
            // It waited for its inputs all the time: the worker has not been called, and another attempt waits on.
            if !state.is_overdue(fence) || !end.has_begun {
                return Command::Close { fence };
            }
            end.failure = Some(timed_out(&spec, end.failure, now));
        }
        if end.failure.is_none() {
            end.failure = self.verdict(gates, &spec, &end.body, end.blob.as_ref());
        }
        if end.has_begun {
            self.pool.observe(&worker, &spec.task_type, end.failure.as_ref(), now);
        }
        Command::Report(report_of(fence, token, end))
    }

    /// Lets the gates look at a reported result.
    fn gate(&self, run: RunId, mut report: Report, gates: &GateCheck) -> Report {
        if report.failure.is_some() {
            return report;
        }
        let Some(state) = self.runs.get(&run).and_then(|entry| entry.state.as_ref()) else {
            return report;
        };
        if let Some(index) = reported_subtask(state, &report) {
            let spec = state.node(index).spec.clone();
            report.failure = self.verdict(gates, &spec, &report.body, report.blob.as_ref());
        }
        report
    }

    /// Returns what the gates said on their thread, or asks them here.
    fn verdict(
        &self,
        gates: &GateCheck,
        spec: &Subtask,
        body: &StoredResult,
        blob: Option<&Blob>,
    ) -> Option<Failure> {
        match gates {
            GateCheck::Checked(verdict) if body.result.success => verdict.clone(),
            GateCheck::Checked(_) | GateCheck::NotAsked | GateCheck::Open(_) => {
                self.policies.check(spec, body, blob)
            }
        }
    }

    fn try_execute(
        &mut self,
        run: RunId,
        command: Command,
        staged: &mut Staged,
    ) -> Result<Response, Refusal> {
        let Some(entry) = self.runs.get_mut(&run) else { return Err(Refusal::NoRun { run }) };
        let Some(state) = &mut entry.state else { return Err(Refusal::NoRun { run }) };
        let Decided { events, answer, blobs } = decide(state, command, staged.now)?;
        for event in events {
            let seq = state.seq().next();
            state.apply(seq, staged.now, &event);
            let recorded = Recorded::new(seq, staged.now, event);
            staged.events.push(recorded.with_by(staged.by.clone()));
        }
        staged.blobs.extend(blobs);
        Ok(Response::Answer(answer))
    }

    /// Executes a command of the engine's own, which may be refused without anybody minding.
    pub(super) fn execute(&mut self, run: RunId, command: Command, staged: &mut Staged) -> bool {
        self.try_execute(run, command, staged).is_ok()
    }

    /// Asks the failure handler about every failure that nobody has decided about.
    fn ask_failure_handler(&mut self, run: RunId, staged: &mut Staged) {
        let mut finally = false;
        while let Some(state) = self.runs.get(&run).and_then(|entry| entry.state.as_ref()) {
            if state.is_suspended() {
                return;
            }
            let is_active = state.is_active();
            let is_open = |index: &SubtaskIndex| {
                is_active
                    && self.runs.get(&run).is_some_and(|run| run.is_asked(Subject::Failure(*index)))
            };
            let next = state.undecided().iter().copied().find(|index| !is_open(index));
            let Some(index) = next else { break };
            let command = if is_active {
                match self.what_follows(run, index, staged.now) {
                    Follows::Asked => continue,
                    Follows::This(command) => Some(*command),
                    Follows::Nothing => None,
                }
            } else {
                None
            };
            let ending = || Command::GiveUp {
                subtask: index,
                failure: None,
                reason: "the run is ending".to_owned(),
            };
            let command = command.unwrap_or_else(ending);
            finally |= matches!(command, Command::GiveUp { .. });
            if !self.execute(run, command, staged) {
                break;
            }
        }
        if self.should_abort(run, finally, staged.now) {
            let detail = "too much has failed".to_owned();
            self.execute(
                run,
                Command::Cancel { reason: orch_core::CancelReason::Aborted, detail },
                staged,
            );
        }
    }

    fn what_follows(&mut self, run: RunId, index: SubtaskIndex, now: Timestamp) -> Follows {
        match self.ask_what_follows(run, index, now) {
            None => Follows::Nothing,
            Some(Known::Open | Known::Nothing) => Follows::Asked,
            Some(Known::Answer(answer)) => Follows::This(Box::new(follow(index, answer, now))),
        }
    }

    /// Asks the failure handler, inline or on a thread; `None` when there is nothing to ask.
    fn ask_what_follows(
        &mut self,
        run: RunId,
        index: SubtaskIndex,
        now: Timestamp,
    ) -> Option<Known> {
        let handler = self.policies.failure_handler.clone();
        let about = self.runs.get(&run)?.state.as_ref()?.node(index).failures;
        let subject = Subject::Failure(index);
        if !handler.is_inline {
            let known = self.runs.get_mut(&run)?.take_answer(subject, about);
            if !matches!(known, Known::Nothing) {
                return Some(known);
            }
        }
        let entry = self.runs.get(&run)?;
        let state = entry.state.as_ref()?;
        let node = state.node(index);
        let draw = draw(state.seed(), index, node.failures);
        let trouble = node.trouble.as_ref()?;
        let failure = trouble.last.as_ref()?;
        let worker =
            trouble.tried.last().cloned().unwrap_or_else(|| orch_core::WorkerName::new(""));
        let event = FailureEvent::new(node.spec.id.clone(), worker, failure, now);
        let scene = self.scene(run, state, state.constraints_of(&node.spec), &node.spec, now);
        if handler.is_inline {
            let routing = scene.context(self.pool.loads(), state.outcome_counts());
            let policy = &state.settings().retry;
            let context = FailureContext::new(policy, routing, &trouble.tried, draw)
                .with_failures(node.failures);
            let ask_it = || handler.part.handle_failure(&event, &node.spec, &context);
            return Some(Known::Answer(ask("failure handler", ask_it).map(PolicyAnswer::Failure)));
        }
        let scene = scene.into_owned();
        let (loads, outcome_counts) = (self.pool.loads().clone(), state.outcome_counts().clone());
        let (settings, tried) = (state.settings().clone(), trouble.tried.clone());
        let (spec, failures) = (node.spec.clone(), node.failures);
        self.ask_about(run, (subject, about), Policy::FailureHandler, move || {
            let routing = scene.context(&loads, &outcome_counts);
            let context =
                FailureContext::new(&settings.retry, routing, &tried, draw).with_failures(failures);
            PolicyAnswer::Failure(handler.part.handle_failure(&event, &spec, &context))
        });
        Some(Known::Nothing)
    }

    /// Sends the turn's events to the journal; without events what it promised can be carried out at once.
    fn commit(&mut self, run: RunId, staged: Staged) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        let Staged { base, events, replies, decided, blobs, .. } = staged;
        if events.is_empty() {
            entry.done_with(&decided);
            for (reply, answer) in replies {
                self.outputs.push(Output::Reply { reply, answer });
            }
            self.reconcile_overdue_attempts(run);
            self.reconcile(run);
            return;
        }
        let (Some(state), Some(head)) = (&entry.state, entry.head.clone()) else { return };
        let events: Arc<[Recorded]> = events.into();
        let (take, free) = lock_changes(state, &events);
        let append = Append::new(head, base, entry.epoch, events.clone(), state.summary())
            .with_blobs(blobs)
            .with_take(take)
            .with_free(free);
        let (touched, all) = concerned(&events);
        entry.turn = Some(Turn { events, replies, decided, touched, all });
        self.outputs.push(Output::Append(Box::new(append)));
    }
}

/// What an attempt that was stopped for its time failed of.
fn timed_out(spec: &orch_core::Subtask, seen: Option<Failure>, now: Timestamp) -> Failure {
    let evidence = seen.map(|f| f.evidence).unwrap_or_default();
    let (cause, what) = match spec.deadline {
        Some(deadline) if deadline <= now => {
            (Cause::Deadline, "the deadline of the subtask has passed")
        }
        _ => (Cause::Timeout, "the attempt took too long and was stopped"),
    };
    let last = last_line(&evidence).map(|line| format!(": {line}")).unwrap_or_default();
    Failure::new(cause, format!("{what}{last}")).with_evidence(evidence)
}

/// What a failed attempt left behind, to be kept with the attempt if it counts for nothing; `None` when it is nothing.
fn what_it_said(fence: Fence, end: &AttemptEnd) -> Option<Report> {
    let evidence = &end.failure.as_ref()?.evidence;
    last_line(evidence)?;
    let mut result = (*end.body.result).clone();
    result.metadata.insert("evidence".into(), evidence.clone().into());
    let stored = StoredResult { result: Arc::new(result), blob: None };
    let end = AttemptEnd { body: Arc::new(stored), blob: None, ..end.clone() };
    Some(report_of(fence, Token(0), end))
}

fn report_of(fence: Fence, token: orch_core::Token, end: AttemptEnd) -> Report {
    let usage = end.body.result.usage().ok().flatten();
    Report {
        subtask: None,
        attempt: Some((fence, token)),
        digest: end.digest,
        body: end.body,
        blob: end.blob,
        failure: end.failure,
        usage,
        request_key: None,
    }
}

/// Returns the time to the task's deadline, in milliseconds.
pub(super) fn time_left(state: &State, now: Timestamp) -> Option<u64> {
    let deadline = state.task().deadline?;
    Some(u64::try_from(deadline.as_millisecond() - now.as_millisecond()).unwrap_or(0))
}

/// The locks that an event takes.
fn locks_taken<'a>(state: Option<&'a State>, event: &Event) -> impl Iterator<Item = &'a LockName> {
    let subtask =
        if let Event::AttemptStarted { subtask, .. } = event { Some(subtask) } else { None };
    let node = state.zip(subtask).map(|(state, subtask)| state.node(*subtask));
    node.into_iter().flat_map(|node| &node.spec.locks)
}
