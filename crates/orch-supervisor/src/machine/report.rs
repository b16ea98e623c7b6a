//! All that follows from a report: received, checked, accepted once.

use std::sync::Arc;

use jiff::Timestamp;
use orch_core::{
    AttemptClosedReason, Cause, Event, Evidence, EvidenceKind, Failure, Fence, ResultSource,
    SubtaskIndex, SubtaskPhase,
};

use super::attempt::{Attempt, AttemptKind, Closed, Slot};
use super::command::{Answer, Decided, Refusal, Report, ReportAnswer};
use super::concurrency_limit;
use super::node::SubtaskState;
use super::state::{MAX_EVIDENCE, State};

pub(super) fn decide(state: &State, report: Report, now: Timestamp) -> Result<Decided, Refusal> {
    let named = match &report.subtask {
        Some(id) => Some(state.index_of(id).ok_or_else(|| state.no_subtask(id.as_str()))?),
        None => None,
    };
    let asked_before = report.request_key.as_ref().and_then(|key| state.reports.get(key)).copied();
    // A key says which attempt is meant, unless the reporter names another one.
    let asked_before =
        asked_before.filter(|fence| report.attempt.is_none_or(|(named, _)| named == *fence));
    let Some(fence) = asked_before.or(report.attempt.map(|(fence, _)| fence)) else {
        return without_attempt(state, named, report, now);
    };
    let Some(slot) = state.slot(fence) else { return stale(state, fence, named, report) };
    let (subtask, token) = match slot {
        Slot::Open(attempt) => (attempt.subtask, attempt.token),
        Slot::Closed(closed) => (closed.subtask, closed.token),
    };
    let forged = report.attempt.is_some_and(|(f, t)| f == fence && t != token);
    if forged || named.is_some_and(|index| index != subtask) {
        return stale(state, fence, named, report);
    }
    match slot {
        Slot::Open(attempt) if named.is_some() => from_outside(state, fence, attempt, report, now),
        Slot::Open(attempt) => Ok(receive(state, fence, attempt, report, now)),
        Slot::Closed(closed) => again(state, fence, closed, report),
    }
}

/// A report by somebody else than the process that makes the attempt, who names the subtask.
///
/// On an attempt that the engine runs only its supervisor reports, when nothing of it runs any more: with another's word for
/// it, its locks would be free and its successor started while it still works.
fn from_outside(
    state: &State,
    fence: Fence,
    attempt: &Attempt,
    report: Report,
    now: Timestamp,
) -> Result<Decided, Refusal> {
    match attempt.kind {
        AttemptKind::Offered | AttemptKind::Claimed => {
            Ok(receive(state, fence, attempt, report, now))
        }
        AttemptKind::Managed => {
            let node = state.node(attempt.subtask);
            let subtask = node.spec.id.clone();
            Err(Refusal::NotReady { subtask, status: node.state.phase() })
        }
    }
}

/// A report that names no attempt counts while exactly one is open.
fn without_attempt(
    state: &State,
    named: Option<SubtaskIndex>,
    report: Report,
    now: Timestamp,
) -> Result<Decided, Refusal> {
    let Some(index) = named else { return Err(Refusal::NotOpen { fence: Fence(0) }) };
    let open: Vec<Fence> = state
        .open
        .iter()
        .copied()
        .filter(|f| state.attempt(*f).is_some_and(|a| a.subtask == index))
        .collect();
    if let ([fence], false) = (open.as_slice(), open.is_empty())
        && let Some(attempt) = state.attempt(*fence)
    {
        return from_outside(state, *fence, attempt, report, now);
    }
    if let SubtaskState::Done { fence, .. } | SubtaskState::Checking { fence, .. } =
        &state.node(index).state
        && let Some(Slot::Closed(closed)) = state.slot(*fence)
    {
        return again(state, *fence, closed, report);
    }
    let node = state.node(index);
    let subtask = node.spec.id.clone();
    if open.is_empty() {
        return Err(Refusal::NotReady { subtask, status: node.state.phase() });
    }
    Err(Refusal::WhichAttempt { subtask, open: open.len() })
}

/// The first report of an open attempt.
fn receive(
    state: &State,
    fence: Fence,
    attempt: &Attempt,
    report: Report,
    now: Timestamp,
) -> Decided {
    let subtask = attempt.subtask;
    let is_gate = report.failure.as_ref().is_some_and(|f| f.cause == Cause::Gate);
    let mut events = Vec::with_capacity(3);
    let mut answer = ReportAnswer::Accepted;
    if report.failure.is_none() || is_gate {
        let late = attempt.kind == AttemptKind::Claimed && now > attempt.until;
        events.push(Event::ResultReceived {
            subtask,
            fence,
            digest: report.digest,
            result: report.body,
            late,
            request_key: report.request_key.clone(),
        });
    }
    match report.failure {
        None => complete(state, subtask, fence, &mut events),
        Some(failure) => {
            if is_gate {
                answer = ReportAnswer::Rejected { reason: failure.message.clone() };
            }
            let (usage, request_key) =
                if is_gate { (None, None) } else { (report.usage, report.request_key) };
            let digest = (!is_gate).then_some(report.digest);
            failed(state, subtask, fence, failure, &mut events, |failure| Event::AttemptFailed {
                subtask,
                fence,
                failure,
                digest,
                usage,
                request_key,
            });
        }
    }
    Decided { events, answer: Answer::Report(answer), blobs: report.blob.into_iter().collect() }
}

/// Accepts the received result of `fence`, and closes all other attempts of the subtask.
fn complete(state: &State, subtask: SubtaskIndex, fence: Fence, events: &mut Vec<Event>) {
    events.push(Event::SubtaskCompleted { subtask, source: ResultSource::Attempt { fence } });
    if let SubtaskState::Running { attempts } = &state.node(subtask).state {
        events.extend(attempts.iter().filter(|other| **other != fence).map(|other| {
            Event::AttemptClosed { subtask, fence: *other, reason: AttemptClosedReason::Superseded }
        }));
    }
    judge(state, subtask, true, events);
    if let Some(limit) = concurrency_limit::after_success(state) {
        events.push(Event::ConcurrencyLimitChanged { concurrency_limit: limit });
    }
}

/// Adds what follows from a failed attempt: the event itself, the judgement of an intervention, the concurrency limit.
pub(super) fn failed(
    state: &State,
    subtask: SubtaskIndex,
    fence: Fence,
    failure: Failure,
    events: &mut Vec<Event>,
    event: impl FnOnce(Box<Failure>) -> Event,
) {
    let cause = failure.cause;
    events.push(event(Box::new(failure)));
    judge(state, subtask, false, events);
    if let Some(limit) = concurrency_limit::after_failure(state, fence, cause) {
        events.push(Event::ConcurrencyLimitChanged { concurrency_limit: limit });
    }
}

fn judge(state: &State, subtask: SubtaskIndex, helped: bool, events: &mut Vec<Event>) {
    if state.node(subtask).trouble.as_ref().is_some_and(|t| t.intervened) {
        events.push(Event::InterventionJudged { subtask, helped });
    }
}

/// A report on an attempt that is over: the same again, something else, or too late.
fn again(state: &State, fence: Fence, closed: &Closed, report: Report) -> Result<Decided, Refusal> {
    match &closed.report {
        Some((digest, first)) if *digest == report.digest => {
            let first = Box::new(first.clone());
            Ok(Decided::answered(Vec::new(), Answer::Report(ReportAnswer::Duplicate { first })))
        }
        Some(_) => {
            let blob = report.blob.clone();
            let events = keep(state, fence, closed.subtask, EvidenceKind::Conflicting, &report);
            let reason =
                format!("conflicting_report: attempt {fence} has reported something else before");
            let answer = Answer::Report(ReportAnswer::Rejected { reason });
            Ok(Decided { events, answer, blobs: blob.into_iter().collect() })
        }
        None => stale(state, fence, Some(closed.subtask), report),
    }
}

fn stale(
    state: &State,
    fence: Fence,
    subtask: Option<SubtaskIndex>,
    report: Report,
) -> Result<Decided, Refusal> {
    let Some(subtask) = subtask else { return Err(Refusal::NotOpen { fence }) };
    let events = keep(state, fence, subtask, EvidenceKind::Stale, &report);
    let blobs = if events.is_empty() { Vec::new() } else { report.blob.into_iter().collect() };
    Ok(Decided { events, answer: Answer::Report(ReportAnswer::Stale), blobs })
}

/// Keeps what an attempt has reported that was stopped.
pub(super) fn keep_stopped(state: &State, report: &Report) -> Result<Decided, Refusal> {
    let Some((fence, _)) = report.attempt else { return Ok(Decided::events(Vec::new())) };
    let attempt = state.attempt(fence).ok_or(Refusal::NotOpen { fence })?;
    let events = keep(state, fence, attempt.subtask, EvidenceKind::Stopped, report);
    Ok(Decided::events(events))
}

/// Keeps a refused report as evidence and counts what it used, once; an ended run takes nothing any more.
fn keep(
    state: &State,
    fence: Fence,
    subtask: SubtaskIndex,
    kind: EvidenceKind,
    report: &Report,
) -> Vec<Event> {
    if state.is_ended() || state.evidence.contains(&(fence, report.digest)) {
        return Vec::new();
    }
    let usage = report.usage.or_else(|| report.body.result.usage().ok().flatten());
    let evidence = (state.evidence.len() < MAX_EVIDENCE).then(|| {
        Box::new(Evidence {
            kind,
            subtask,
            digest: report.digest,
            result: Arc::clone(&report.body),
        })
    });
    if usage.is_none() && evidence.is_none() {
        return Vec::new();
    }
    vec![Event::UsageNoted { fence, usage, evidence }]
}

impl State {
    /// Refuses a name that no subtask has.
    pub(super) fn no_subtask(&self, name: &str) -> Refusal {
        let known = self.nodes.iter().map(|node| node.spec.id.as_str());
        let nearest = orch_core::nearest(name, known).map(ToOwned::to_owned);
        Refusal::NoSubtask { subtask: name.to_owned(), nearest }
    }

    /// Tells whether a subtask is one that may be claimed: offered, or held by attempts that have all lapsed.
    pub(super) fn is_claimable(&self, index: SubtaskIndex, now: Timestamp) -> bool {
        if self.node(index).spec.deadline.is_some_and(|deadline| deadline <= now) {
            return false;
        }
        match &self.node(index).state {
            SubtaskState::Offered { .. } => true,
            SubtaskState::Running { attempts } => attempts.iter().all(|fence| {
                self.attempt(*fence)
                    .is_some_and(|a| a.kind == AttemptKind::Claimed && a.until < now)
            }),
            SubtaskState::Waiting { .. }
            | SubtaskState::Ready
            | SubtaskState::Checking { .. }
            | SubtaskState::Undecided
            | SubtaskState::Backoff { .. }
            | SubtaskState::Done { .. }
            | SubtaskState::Failed { .. }
            | SubtaskState::Skipped { .. }
            | SubtaskState::Cancelled
            | SubtaskState::Retired { .. } => false,
        }
    }

    pub(super) fn status_of(&self, index: SubtaskIndex) -> SubtaskPhase {
        self.node(index).state.phase()
    }
}
