//! What follows from commands, one run at a time: no driver, no journal, time by hand.

use std::sync::Arc;

use jiff::Timestamp;
use orch_core::journal::Recorded;
use orch_core::learned::Priors;
use orch_core::{
    AggregationResult, AggregationSettings, Budget, CancelReason, Cause, ComplexTask, Constraints,
    DecompositionPlan, Digest, EndStatus, Epoch, Event, ExecutionStrategy, Failure, Fence,
    LossCause, ResultSource, RunId, RunPhase, RunSettings, Seq, StoredResult, Subtask,
    SubtaskPhase, Token, Usage, WorkerResult,
};
use serde_json::json;

use super::*;

mod claims;

/// One run and its time.
struct Scenario {
    state: State,
    now: Timestamp,
}

fn settings() -> RunSettings {
    RunSettings::default().with_strategy(ExecutionStrategy::Parallel).with_lease_ms(10_000_u64)
}

fn start_of_time() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

impl Scenario {
    fn with(settings: RunSettings, subtasks: impl IntoIterator<Item = Subtask>) -> Self {
        Self::expecting(settings, subtasks, Priors::default())
    }

    fn expecting(
        settings: RunSettings,
        subtasks: impl IntoIterator<Item = Subtask>,
        priors: Priors,
    ) -> Self {
        let (now, run) = (start_of_time(), RunId::new(start_of_time(), 1));
        let task = Arc::new(ComplexTask::new("t", "a test", "test"));
        let settings = Arc::new(settings);
        let event =
            Event::RunSubmitted { task, settings, given: None, seed: 1, origin: Arc::default() };
        let state = submit(run, event, now).unwrap();
        let mut scenario = Self { state, now };
        let plan = Arc::new(DecompositionPlan::new(subtasks));
        let (base_seq, retire) = (Seq(1), Vec::new());
        scenario.ask(Command::AdoptPlan { plan, base_seq, retire, priors }).unwrap();
        scenario
    }

    fn of(ids: &[&str]) -> Self {
        Self::with(settings(), ids.iter().map(|id| Subtask::new(*id, *id, "work")))
    }

    /// Decides and applies; returns the answer and the names of the events.
    fn ask(&mut self, command: Command) -> Result<(Answer, Vec<&'static str>), Refusal> {
        self.state.advance(self.now);
        let decided = decide(&self.state, command, self.now)?;
        let names = decided.events.iter().map(Event::name).collect();
        for event in &decided.events {
            self.state.apply(self.state.seq().next(), self.now, event);
        }
        Ok((decided.answer, names))
    }

    #[track_caller]
    fn emits(&mut self, command: Command, expected: &[&str]) {
        assert_eq!(self.ask(command).unwrap().1, expected);
    }

    fn pass(&mut self, ms: u64) {
        self.now = after(self.now, ms);
    }

    fn index(&self, id: &str) -> orch_core::SubtaskIndex {
        self.state.index_of(&id.into()).unwrap()
    }

    fn start_as(&mut self, id: &str, kind: AttemptKind) -> Fence {
        let fence = self.state.fence_of_next();
        let (subtask, token) = (self.index(id), Token(fence.0));
        let worker = "anna".into();
        let card = Digest::of_bytes(b"card");
        let start = Start { subtask, worker, kind, token, timeout_ms: 60_000, card, route: None };
        self.ask(Command::Start(start)).unwrap();
        fence
    }

    fn start(&mut self, id: &str) -> Fence {
        self.start_as(id, AttemptKind::Managed)
    }

    fn report_of(fence: Fence, output: &str, failure: Option<Failure>) -> Report {
        let result = WorkerResult::success("", "anna", json!(output));
        Report {
            subtask: None,
            attempt: Some((fence, Token(fence.0))),
            digest: Digest::of_bytes(output.as_bytes()),
            body: Arc::new(StoredResult { result: Arc::new(result), blob: None }),
            blob: None,
            failure,
            usage: None,
            request_key: None,
        }
    }

    fn done(&mut self, fence: Fence) {
        let report = Self::report_of(fence, "fine", None);
        self.ask(Command::Report(report)).unwrap();
    }

    fn fail(&mut self, fence: Fence, cause: Cause) -> Vec<&'static str> {
        let report = Self::report_of(fence, "", Some(Failure::new(cause, "it went wrong")));
        self.ask(Command::Report(report)).unwrap().1
    }

    fn give_up(&mut self, id: &str) -> Vec<&'static str> {
        let subtask = self.index(id);
        self.ask(Command::GiveUp { subtask, failure: None, reason: "enough".into() }).unwrap().1
    }

    fn claim_all(
        &mut self,
        wants: impl IntoIterator<Item = Want>,
        key: Option<&str>,
    ) -> Result<(Vec<Claimed>, Vec<&'static str>), Refusal> {
        let next = self.state.fence_of_next().0;
        let wants = wants.into_iter().zip(next..).map(|(want, token)| want.token(Token(token)));
        let (wants, request_key) = (wants.collect(), key.map(Into::into));
        let claim = Claim { wants, foreign_locks: Vec::new(), request_key };
        let (Answer::Claim(claimed), events) = self.ask(Command::Claim(claim))? else {
            panic!("a claim is answered as one")
        };
        Ok((claimed, events))
    }

    fn claim(&mut self, id: Option<&str>, key: Option<&str>) -> Result<Option<Claimed>, Refusal> {
        let want = Want::new("anna").subtask(id.map(Into::into)).slots(8);
        Ok(self.claim_all([want], key)?.0.pop())
    }

    fn phase(&self, id: &str) -> SubtaskPhase {
        self.state.node(self.index(id)).state.phase()
    }
}

#[test]
fn time_without_an_owner_is_not_active_time() {
    let budget = Budget::default().with_max_active_ms(3_600_000_u64);
    let mut run = Scenario::with(settings().with_budget(budget), [Subtask::new("a", "a", "work")]);
    let fence = run.start("a");
    run.pass(4 * 3_600_000);
    run.emits(Command::Resume { epoch: Epoch(2) }, &["run_resumed"]);
    run.emits(Command::Lose { fences: vec![fence], cause: LossCause::Restart }, &["attempt_lost"]);
    run.emits(Command::Tick, &[]);
    run.pass(3_600_000);
    run.emits(Command::Tick, &["cancel_requested"]);
}

#[test]
fn a_clock_jump_gives_everything_live_a_fresh_interval() {
    let mut run = Scenario::of(&["claimed", "managed", "offered"]);
    run.start_as("claimed", AttemptKind::Offered);
    let claimed = run.claim(Some("claimed"), None).unwrap().unwrap();
    let managed = run.start("managed");
    run.pass(3_600_000);
    run.emits(Command::ExtendLeases, &["lease_extended", "lease_extended"]);
    assert!(run.state.attempt(claimed.fence).unwrap().until > run.now);
    assert!(run.state.must_run(managed), "it is not stopped for time that nobody had");
    run.emits(Command::Tick, &[]);
}

#[test]
fn the_same_refused_report_counts_once() {
    let mut run = Scenario::of(&["a"]);
    let fence = run.start("a");
    run.done(fence);
    let costly = |output: &str| {
        let mut report = Scenario::report_of(fence, output, None);
        report.usage = Some(Usage::default().with_cost_usd(1.0));
        Command::Report(report)
    };
    let (answer, events) = run.ask(costly("something else")).unwrap();
    assert!(
        matches!(answer, Answer::Report(ReportAnswer::Rejected { reason }) if reason.starts_with("conflicting_report"))
    );
    assert_eq!(events, ["usage_noted"]);
    run.emits(costly("something else"), &[]);
    run.emits(costly("a third thing"), &["usage_noted"]);
    assert_eq!(run.state.usage().cost_usd, Some(2.0));
}

#[test]
fn a_request_key_does_not_override_a_named_attempt() {
    let mut run = Scenario::of(&["a", "b"]);
    run.start_as("a", AttemptKind::Offered);
    run.start_as("b", AttemptKind::Offered);
    let a = run.claim(Some("a"), Some("k")).unwrap().unwrap();
    let b = run.claim(Some("b"), None).unwrap().unwrap();
    let mut report = Scenario::report_of(b.fence, "b's", None);
    report.attempt = Some((b.fence, b.token));
    report.request_key = Some("k".into());
    run.emits(Command::Report(report.clone()), &["result_received", "subtask_completed"]);
    assert_eq!((run.phase("a"), run.phase("b")), (SubtaskPhase::Running, SubtaskPhase::Done));
    report.attempt = Some((a.fence, a.token));
    run.emits(Command::Report(report), &["result_received", "subtask_completed"]);
}

#[test]
fn failures_skip_what_cannot_start_and_name_the_root() {
    let mut run = Scenario::with(
        settings(),
        [
            Subtask::new("a", "a", "work"),
            Subtask::new("b", "b", "work").with_dependencies(["a"]),
            Subtask::new("c", "c", "work").with_dependencies(["b"]),
            Subtask::new("d", "d", "work").with_dependencies(["b"]).with_tolerates(["b"]),
        ],
    );
    let fence = run.start("a");
    assert_eq!(run.fail(fence, Cause::Auth), ["attempt_failed"]);
    assert_eq!(run.give_up("a"), ["subtask_failed", "subtask_skipped", "subtask_skipped"]);
    assert_eq!(run.phase("c"), SubtaskPhase::Skipped);
    assert_eq!(run.phase("d"), SubtaskPhase::Ready, "it tolerates that b is not there");
    let status = run.state.status();
    assert_eq!(status.subtasks[2].reason.as_deref(), Some("`a` failed, which it depends on"));
}

#[test]
fn a_budget_waits_for_what_may_still_end_and_learns_what_things_cost() {
    let budget = Budget::default().with_max_cost_micro_usd(1_500_000_u64);
    let cheap = Constraints::new().with_max_cost_usd(0.25);
    let mut run = Scenario::with(
        settings().with_budget(budget),
        [
            Subtask::new("a", "a", "work"),
            Subtask::new("b", "b", "work"),
            Subtask::new("cheap", "c", "work").with_constraints(cheap),
        ],
    );
    let first = run.start("a");
    assert_eq!(
        run.state.may_start(run.index("b")),
        Err(Blocked::Budget("its cost is unknown, and another of unknown cost is running"))
    );
    assert_eq!(run.state.may_start(run.index("cheap")), Ok(Some(250_000)));
    let mut report = Scenario::report_of(first, "fine", None);
    let metadata = [("usage".to_owned(), json!({ "cost_usd": 1.0 }))]
        .into_iter()
        .collect::<orch_core::JsonMap>();
    report.body = Arc::new(StoredResult {
        result: Arc::new(WorkerResult::success("a", "anna", json!(1)).with_metadata(metadata)),
        blob: None,
    });
    run.ask(Command::Report(report)).unwrap();
    assert_eq!(
        run.state.may_start(run.index("b")),
        Err(Blocked::Budget("the cost budget does not cover it"))
    );
    run.emits(Command::Tick, &[]);
    let cheap = run.start("cheap");
    run.fail(cheap, Cause::Reported);
    run.emits(Command::Tick, &[]);
    run.give_up("cheap");
    run.emits(Command::Tick, &["cancel_requested"]);
}

#[test]
fn how_a_run_ends() {
    let end =
        |done: &[&str], failed: &[&str], cancel: Option<CancelReason>, settings: RunSettings| {
            let required = |id: &str| match id {
                "must" => Some(true),
                "may" => Some(false),
                _ => None,
            };
            let all = ["must", "may", "a", "b", "c", "d", "e"];
            let subtasks = all.map(|id| Subtask::new(id, id, "work").with_required(required(id)));
            let mut run = Scenario::with(settings, subtasks);
            for id in all {
                if done.contains(&id) {
                    let fence = run.start(id);
                    run.done(fence);
                } else if failed.contains(&id) {
                    let fence = run.start(id);
                    run.fail(fence, Cause::Auth);
                    run.give_up(id);
                }
            }
            if let Some(reason) = cancel {
                run.emits(Command::Cancel { reason, detail: String::new() }, &["cancel_requested"]);
            }
            assert_eq!(run.state.phase(), RunPhase::Aggregating);
            let outcome = Outcome::Output(Box::new(AggregationResult::new(json!(1))), None);
            run.emits(Command::End { outcome }, &["run_ended"]);
            run.state.end().unwrap().status
        };
    let strict =
        || settings().with_aggregation(AggregationSettings::default().with_allow_partial(false));
    let most = ["must", "may", "a", "b", "c", "d"];
    assert_eq!(
        end(&["must", "may", "a", "b", "c", "d", "e"], &[], None, settings()),
        EndStatus::Completed
    );
    assert_eq!(
        end(&["must", "a", "b", "c", "d", "e"], &["may"], None, settings()),
        EndStatus::Completed
    );
    assert_eq!(end(&most, &["e"], None, settings()), EndStatus::Partial, "5 of 6 are above 0.8");
    assert_eq!(end(&most, &["e"], None, strict()), EndStatus::Failed);
    assert_eq!(
        end(&["must", "may", "a", "b", "c"], &["d", "e"], None, settings()),
        EndStatus::Failed,
        "4 of 6"
    );
    assert_eq!(
        end(&["may", "a", "b", "c", "d", "e"], &["must"], None, settings()),
        EndStatus::Failed
    );
    assert_eq!(end(&most, &[], Some(CancelReason::Requested), settings()), EndStatus::Cancelled);
    assert_eq!(end(&most, &[], Some(CancelReason::Deadline), settings()), EndStatus::Partial);
    assert_eq!(
        end(&["a"], &[], Some(CancelReason::Budget), settings()),
        EndStatus::Failed,
        "must is missing"
    );
}

#[test]
fn a_run_begins_with_what_earlier_ones_have_taught() {
    let budget = Budget::default().with_max_cost_micro_usd(100_u64);
    let adaptive = settings().with_strategy(ExecutionStrategy::Adaptive).with_max_parallel(8_u32);
    let ids: Vec<Subtask> = (0..20).map(|i| Subtask::new(format!("s{i}"), "s", "work")).collect();
    let priors: Priors =
        serde_json::from_value(json!({ "concurrency_limit": 4, "cost_micro_usd": { "work": 40 } }))
            .unwrap();
    let mut run = Scenario::expecting(adaptive.with_budget(budget), ids, priors);
    assert_eq!(run.state.limit(), 4);
    let (first, _) = (run.start("s0"), run.start("s1"));
    let refused = run.state.may_start(run.index("s2")).unwrap_err();
    assert_eq!(refused, Blocked::Budget("the cost budget does not cover it"), "2 x 40 of 100");
    run.fail(first, Cause::RateLimit);
    assert_eq!(run.state.limit(), 2, "what is expected does not outlive what is seen");
}

#[test]
fn the_concurrency_limit_doubles_after_a_full_window_and_halves_once() {
    let adaptive = settings().with_strategy(ExecutionStrategy::Adaptive).with_max_parallel(8_u32);
    let ids: Vec<Subtask> = (0..20).map(|i| Subtask::new(format!("s{i}"), "s", "work")).collect();
    let mut run = Scenario::with(adaptive, ids);
    let mut next = 0..20;
    let mut begin = |run: &mut Scenario| run.start(&format!("s{}", next.next().unwrap()));
    let first = begin(&mut run);
    assert!(run.state.room().is_err(), "one at first");
    run.done(first);
    assert_eq!(run.state.limit(), 2);
    let (a, b) = (begin(&mut run), begin(&mut run));
    run.done(a);
    assert_eq!(run.state.limit(), 2, "half a window");
    run.done(b);
    assert_eq!(run.state.limit(), 4);
    let four: Vec<Fence> = (0..4).map(|_| begin(&mut run)).collect();
    assert_eq!(
        run.fail(four[0], Cause::RateLimit),
        ["attempt_failed", "concurrency_limit_changed"]
    );
    assert_eq!(run.state.limit(), 2);
    assert_eq!(
        run.fail(four[1], Cause::Timeout),
        ["attempt_failed"],
        "it was started before the change"
    );
    run.done(four[2]);
    run.done(four[3]);
    assert_eq!(run.state.limit(), 4, "two successes are a full window");
    let later = begin(&mut run);
    assert_eq!(
        run.fail(later, Cause::Reported),
        ["attempt_failed"],
        "an error of the work says nothing about the concurrency limit"
    );
}

#[test]
fn subtasks_that_kill_their_supervisors_fail() {
    let mut run = Scenario::of(&["killer"]);
    for _ in 0..9 {
        let fence = run.start("killer");
        run.emits(
            Command::Lose { fences: vec![fence], cause: LossCause::Restart },
            &["attempt_lost"],
        );
    }
    let fence = run.start("killer");
    run.emits(
        Command::Lose { fences: vec![fence], cause: LossCause::Restart },
        &["attempt_lost", "subtask_failed"],
    );
    assert_eq!(run.phase("killer"), SubtaskPhase::Failed);
}

#[test]
fn events_that_do_not_follow_are_not_folded() {
    let mut run = Scenario::of(&["a"]);
    run.start("a");
    let next = run.state.seq().next();
    let at = run.now;
    let (subtask, stranger, token) = (run.index("a"), orch_core::SubtaskIndex(7), Token(1));
    let started = |fence, subtask| Event::AttemptOffered {
        subtask,
        fence,
        token,
        worker: "anna".into(),
        card: None,
        until: at,
        route: None,
    };
    for (seq, event, said) in [
        (next.next(), Event::ConcurrencyLimitChanged { concurrency_limit: 2 }, "follows event"),
        (next, started(Fence(2), stranger), "names subtask 7 of 1"),
        (next, started(Fence(5), subtask), "begins attempt 5, not 2"),
        (
            next,
            Event::SubtaskCompleted { subtask, source: ResultSource::Attempt { fence: Fence(9) } },
            "names attempt 9 of 1",
        ),
        (next, Event::LeaseExtended { fence: Fence(0), until: at }, "names attempt 0"),
    ] {
        let refused = run.state.fits(&Recorded::new(seq, at, event)).unwrap_err();
        assert!(refused.contains(said), "{refused}");
    }
    assert_eq!(
        run.state.fits(&Recorded::new(
            next,
            at,
            Event::ConcurrencyLimitChanged { concurrency_limit: 2 }
        )),
        Ok(())
    );
}

#[test]
fn a_policy_that_fails_says_nothing_about_the_worker() {
    for (cause, tried) in [(Cause::Policy, 0), (Cause::Reported, 1)] {
        let mut run = Scenario::of(&["a"]);
        let fence = run.start("a");
        run.fail(fence, cause);
        let node = run.state.node(run.index("a"));
        assert_eq!(node.failures, 1, "{cause:?}");
        assert_eq!(node.trouble.as_ref().unwrap().tried.len(), tried, "{cause:?}");
    }
}
