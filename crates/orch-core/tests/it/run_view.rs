//! What a run's events make of its view.

use std::sync::Arc;

use jiff::Timestamp;
use orch_core::testing::time;
use orch_core::{
    AttemptClosedReason, AttemptEnd, AttemptKind, CancelReason, Cause, ComplexTask,
    DecompositionPlan, Digest, EndStatus, Epoch, Event, Failure, Fence, LossCause, Recorded,
    ResultSource, RunPhase, RunSettings, RunView, Seq, SkipReason, StoredResult, Subtask,
    SubtaskIndex, Token, WorkerResult,
};
use proptest::prelude::*;
use serde_json::Value;

fn submitted() -> Event {
    Event::RunSubmitted {
        task: Arc::new(ComplexTask::new("t", "Do it", "general")),
        settings: Arc::new(RunSettings::default()),
        given: None,
        seed: 7,
        origin: Arc::default(),
    }
}

/// `b` needs `a`; `c` needs `a` and goes on without it.
fn planned() -> Event {
    let subtask = |id: &str| Subtask::new(id, "Do a part", "general");
    let add = DecompositionPlan::new([
        subtask("a"),
        subtask("b").with_dependencies(["a"]),
        subtask("c").with_dependencies(["a"]).with_tolerates(["a"]),
    ]);
    revised(1, &[], add)
}

fn revised(revision: u32, retire: &[u32], add: DecompositionPlan) -> Event {
    Event::PlanAdopted {
        revision,
        base_seq: Seq(1),
        retire: retire.iter().map(|index| SubtaskIndex(*index)).collect(),
        add: Arc::new(add),
        priors: Default::default(),
    }
}

fn offered(subtask: u32, fence: u64) -> Event {
    Event::AttemptOffered {
        subtask: SubtaskIndex(subtask),
        fence: Fence(fence),
        token: Token(1),
        worker: "puller".into(),
        until: time(60),
        card: None,
        route: None,
    }
}

fn started(subtask: u32, fence: u64, claimed: bool) -> Event {
    Event::AttemptStarted {
        subtask: SubtaskIndex(subtask),
        fence: Fence(fence),
        token: Token(2),
        worker: if claimed { "puller".into() } else { "runner".into() },
        claimed,
        until: time(90),
        card: None,
        reserved_micro_usd: None,
        request_key: None,
        route: None,
    }
}

fn received(subtask: u32, fence: u64) -> Event {
    let result = Arc::new(WorkerResult::success("a", "runner", Value::Null));
    Event::ResultReceived {
        subtask: SubtaskIndex(subtask),
        fence: Fence(fence),
        digest: Digest::of_bytes(b"report"),
        result: Arc::new(StoredResult { result, blob: None }),
        late: false,
        request_key: None,
    }
}

fn completed(subtask: u32, fence: u64) -> Event {
    Event::SubtaskCompleted {
        subtask: SubtaskIndex(subtask),
        source: ResultSource::Attempt { fence: Fence(fence) },
    }
}

fn failed(subtask: u32, fence: u64) -> Event {
    Event::AttemptFailed {
        subtask: SubtaskIndex(subtask),
        fence: Fence(fence),
        failure: Box::new(Failure::new(Cause::Crash, "it broke")),
        digest: None,
        usage: None,
        request_key: None,
    }
}

fn lost(subtask: u32, fence: u64) -> Event {
    let cause = LossCause::Restart;
    Event::AttemptLost { subtask: SubtaskIndex(subtask), fence: Fence(fence), cause }
}

fn closed(subtask: u32, fence: u64, reason: AttemptClosedReason) -> Event {
    Event::AttemptClosed { subtask: SubtaskIndex(subtask), fence: Fence(fence), reason }
}

fn retried(subtask: u32, seconds: u32) -> Event {
    Event::RetryScheduled {
        subtask: SubtaskIndex(subtask),
        retry: 1,
        until: time(seconds),
        worker: None,
        reason: String::new(),
    }
}

fn subtask_failed(subtask: u32) -> Event {
    let failure = Box::new(Failure::new(Cause::Crash, "it broke"));
    Event::SubtaskFailed { subtask: SubtaskIndex(subtask), failure, reason: String::new() }
}

fn skipped(subtask: u32) -> Event {
    Event::SubtaskSkipped {
        subtask: SubtaskIndex(subtask),
        because: SkipReason::Dependency { subtask: SubtaskIndex(0) },
    }
}

fn cancelled() -> Event {
    let (reason, until) = (CancelReason::Requested, time(99));
    Event::CancelRequested { reason, until, detail: String::new() }
}

fn ended(status: EndStatus) -> Event {
    Event::RunEnded {
        status,
        output: Value::Null,
        blob: None,
        conflicts: Vec::new(),
        confidence: 1.0,
        errors: Vec::new(),
    }
}

/// Numbers the events from 1, a second each.
fn recorded(events: Vec<Event>) -> Vec<Recorded> {
    let seconds = (1..).map(|n: u32| (Seq(u64::from(n)), time(n)));
    seconds.zip(events).map(|((seq, at), event)| Recorded::new(seq, at, event)).collect()
}

fn fold(view: &mut RunView, events: &[Recorded]) {
    events.iter().for_each(|recorded| view.apply(recorded));
}

/// Checks where the run and its subtasks stand after a submission, a plan, and `events`.
#[track_caller]
fn check(events: Vec<Event>, expected: &str) -> RunView {
    let mut view = RunView::default();
    fold(&mut view, &recorded([vec![submitted(), planned()], events].concat()));
    let now = view.at.unwrap();
    let phases: Vec<_> =
        view.subtasks.iter().map(|s| format!("{} {}", s.spec.id, s.phase_at(now))).collect();
    assert_eq!(format!("{}: {}", view.phase(), phases.join(", ")), expected);
    let finished = view.subtasks.iter().filter(|s| s.phase.is_final()).count();
    let retired = view.subtasks.len() - view.counts().total as usize;
    assert_eq!(view.counts().finished() as usize + retired, finished);
    view
}

#[test]
fn a_run_without_a_plan_is_planning() {
    let mut view = RunView::default();
    assert_eq!(view.phase(), RunPhase::Submitted);
    fold(&mut view, &recorded(vec![submitted()]));
    assert_eq!(view.phase(), RunPhase::Planning);
}

#[test]
fn a_subtask_goes_from_its_offer_to_its_result() {
    check(vec![], "active: a ready, b waiting, c waiting");
    check(vec![offered(0, 1)], "active: a offered, b waiting, c waiting");
    let claimed = vec![offered(0, 1), started(0, 1, true)];
    let view = check(claimed.clone(), "active: a running, b waiting, c waiting");
    let attempt = view.subtasks[0].open(Fence(1)).unwrap();
    let kind = AttemptKind::Claimed;
    assert_eq!((attempt.kind, attempt.token, attempt.since), (kind, Token(2), time(4)));
    let received = [claimed, vec![received(0, 1)]].concat();
    let view = check(received.clone(), "active: a checking, b waiting, c waiting");
    assert!(view.subtasks[0].open(Fence(1)).is_none() && view.subtasks[0].accepted().is_none());
    let view =
        check([received, vec![completed(0, 1)]].concat(), "active: a done, b ready, c ready");
    assert_eq!(view.subtasks[0].accepted().unwrap().result.worker_name, "runner");
    assert_eq!(view.subtasks[0].attempts[&Fence(1)].end, Some((time(6), AttemptEnd::Accepted)));
}

#[test]
fn a_failed_attempt_waits_for_its_retry_or_ends_its_subtask() {
    let failure = vec![started(0, 1, false), failed(0, 1)];
    let with = |events: Vec<Event>| [failure.clone(), events].concat();
    check(with(vec![]), "active: a backoff, b waiting, c waiting");
    check(with(vec![retried(0, 9)]), "active: a backoff, b waiting, c waiting");
    check(with(vec![retried(0, 5)]), "active: a ready, b waiting, c waiting");
    let resumed = Event::RunResumed { epoch: Epoch(2) };
    check(with(vec![retried(0, 6), resumed]), "active: a ready, b waiting, c waiting");
    check(with(vec![subtask_failed(0), skipped(1)]), "active: a failed, b skipped, c ready");
    check(vec![started(0, 1, false), lost(0, 1)], "active: a ready, b waiting, c waiting");
}

#[test]
fn an_attempt_that_ends_leaves_another_one_running() {
    let both = vec![started(0, 1, true), started(0, 2, true)];
    let with = |events: Vec<Event>| [both.clone(), events].concat();
    let closed = closed(0, 1, AttemptClosedReason::Superseded);
    check(with(vec![closed.clone()]), "active: a running, b waiting, c waiting");
    check(with(vec![received(0, 2), closed]), "active: a checking, b waiting, c waiting");
    check(with(vec![received(0, 2), failed(0, 2)]), "active: a running, b waiting, c waiting");
}

#[test]
fn a_run_that_ends_early_starts_nothing() {
    let running = vec![started(0, 1, false), cancelled()];
    check(running.clone(), "cancelling: a running, b cancelled, c cancelled");
    let lost = [running.clone(), vec![lost(0, 1)]].concat();
    check(lost, "aggregating: a cancelled, b cancelled, c cancelled");
    let undecided = vec![started(0, 1, false), failed(0, 1), cancelled()];
    check(undecided, "cancelling: a backoff, b cancelled, c cancelled");
    let over = [running, vec![ended(EndStatus::Cancelled)]].concat();
    let view = check(over, "ended: a cancelled, b cancelled, c cancelled");
    assert_eq!(view.end_status, Some(EndStatus::Cancelled));
}

#[test]
fn a_revision_retires_subtasks_and_links_new_ones() {
    let add = DecompositionPlan::new([Subtask::new("d", "", "").with_dependencies(["a", "c"])]);
    let done = vec![started(0, 1, false), received(0, 1), completed(0, 1)];
    let events = [done, vec![revised(2, &[1], add)]].concat();
    let view = check(events, "active: a done, b retired, c ready, d waiting");
    assert_eq!((view.revision, view.counts().total), (2, 3));
}

#[test]
fn a_new_owner_gives_leases_a_fresh_interval() {
    let suspended = Event::RunSuspended { reason: String::new() };
    let events = vec![offered(0, 1), suspended, Event::RunResumed { epoch: Epoch(2) }];
    let view = check(events, "active: a offered, b waiting, c waiting");
    let (_, _, offer) = view.open_attempts().next().unwrap();
    assert_eq!(offer.until, time(5) + std::time::Duration::from_secs(24 * 60 * 60));
}

#[test]
fn events_that_name_nothing_known_change_nothing_but_the_number() {
    let mut view = RunView::default();
    let events = recorded(vec![submitted(), planned(), completed(7, 7), lost(0, 9), skipped(9)]);
    fold(&mut view, &events[..2]);
    let before = view.clone();
    fold(&mut view, &events[2..]);
    (view.seq, view.at) = (before.seq, before.at);
    assert_eq!(view, before);
}

fn any_event() -> impl Strategy<Value = Event> {
    (0..14_u8, 0..4_u32, 1..6_u64, any::<bool>()).prop_map(
        |(kind, subtask, fence, flag)| match kind {
            0 => offered(subtask, fence),
            1..=3 => started(subtask, fence, flag),
            4 | 5 => received(subtask, fence),
            6 => completed(subtask, fence),
            7 => failed(subtask, fence),
            8 => lost(subtask, fence),
            9 => closed(subtask, fence, AttemptClosedReason::Cancelled),
            10 => retried(subtask, u32::from(flag) * 99),
            11 if flag => subtask_failed(subtask),
            11 => skipped(subtask),
            12 => Event::LeaseExtended { fence: Fence(fence), until: Timestamp::MAX },
            _ if flag => Event::RunResumed { epoch: Epoch(fence) },
            _ => cancelled(),
        },
    )
}

proptest! {
    /// Whatever the events are: a copy that was kept goes on as the view that it is of.
    #[test]
    fn a_kept_view_goes_on_as_one_that_is_folded_anew(
        events in proptest::collection::vec(any_event(), 0..40),
        share in 0.0..1.0_f64,
    ) {
        let events = recorded([vec![submitted(), planned()], events].concat());
        let (early, late) = events.split_at((events.len() as f64 * share) as usize);
        let (mut kept, mut whole) = (RunView::default(), RunView::default());
        fold(&mut kept, early);
        let mut kept = kept.clone();
        fold(&mut kept, late);
        fold(&mut whole, &events);
        prop_assert_eq!(kept.counts(), whole.counts());
        prop_assert!(whole.open_attempts().all(|(_, index, _)| index.get() < 3));
        prop_assert_eq!(kept, whole);
    }
}
