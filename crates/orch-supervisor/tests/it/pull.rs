//! Pull workers: offers, claims, leases, reports.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orch_core::journal::MemoryJournal;
use orch_core::{
    Cause, DecomposeError, Decomposer, DecompositionPlan, DecompositionRequest, EndStatus, Failure,
    RunPhase, Subtask, SubtaskId, SubtaskPhase, Worker, WorkerCapability, WorkerContext,
    WorkerError, WorkerKind, WorkerName, WorkerResult,
};
use orch_supervisor::{
    Refusal, ReportAnswer, SubmitOptions, SubtaskReport, Supervisor, SupervisorError, Want,
};
use serde_json::json;

use crate::support::{plan, settings, submit, task, virtual_time};

#[expect(
    clippy::disallowed_methods,
    reason = "the clock of these tests is tokio's, and stands still"
)]
fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

pub(crate) struct Agent(WorkerName, Vec<WorkerCapability>);

#[async_trait]
impl Worker for Agent {
    fn name(&self) -> &WorkerName {
        &self.0
    }
    fn capabilities(&self) -> &[WorkerCapability] {
        &self.1
    }
    fn kind(&self) -> WorkerKind {
        WorkerKind::Pull
    }
    async fn execute(&self, _: WorkerContext) -> Result<WorkerResult, WorkerError> {
        Err(WorkerError::new(Cause::Unavailable, "a pull worker is never called"))
    }
}

pub(crate) fn agent() -> Agent {
    Agent("agent".into(), vec![WorkerCapability::new("work", ["work"])])
}

fn result(output: &str) -> WorkerResult {
    WorkerResult::success("", "agent", json!(output))
}

async fn supervisor() -> Supervisor {
    virtual_time()
        .settings(settings().with_lease_ms(10_000_u64).with_offer_timeout_ms(60_000_u64))
        .worker(agent())
        .build()
}

/// How long anything may take that follows at once; no time passes when it does.
const AT_ONCE: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn claim_report_and_the_next_one() {
    let supervisor = supervisor().await;
    let run = submit(&supervisor, plan("a -> b")).await;
    let offered = supervisor.settled(run, AT_ONCE).await.unwrap();
    assert_eq!(offered.subtasks[0].status, SubtaskPhase::Offered);
    let claimed =
        supervisor.claim(run, "agent", None, 1, Some("k1".into())).await.unwrap().unwrap();
    let again = supervisor.claim(run, "agent", None, 1, Some("k1".into())).await.unwrap().unwrap();
    assert_eq!(claimed, again, "the same request, the same lease");
    let more = supervisor.claim(run, "agent", None, 1, None).await;
    assert!(
        matches!(more, Err(SupervisorError::Refused(Refusal::NoSlot { held: 1, slots: 1, .. }))),
        "{more:?}"
    );
    let report = || SubtaskReport::new("a", result("done")).attempt(claimed.fence, claimed.token);
    assert_eq!(supervisor.report(run, report()).await.unwrap(), ReportAnswer::Accepted);
    let first = Box::new(ReportAnswer::Accepted);
    assert_eq!(supervisor.report(run, report()).await.unwrap(), ReportAnswer::Duplicate { first });
    let other =
        SubtaskReport::new("a", result("something else")).attempt(claimed.fence, claimed.token);
    assert!(matches!(supervisor.report(run, other).await.unwrap(), ReportAnswer::Rejected { .. }));
    supervisor.settled(run, AT_ONCE).await.unwrap();
    let answer = supervisor.report(run, SubtaskReport::new("b", result("b"))).await.unwrap();
    assert_eq!(answer, ReportAnswer::Accepted, "an offer may be reported on without a claim");
    let result = supervisor.wait(run).await.unwrap();
    assert_eq!(result.aggregated_output, json!(["done", "b"]));
}

#[tokio::test(start_paused = true)]
async fn a_run_has_settled_when_all_is_done_that_follows_at_once() {
    let supervisor = supervisor().await;
    let begin = now();
    let run = submit(&supervisor, plan("a -> c; b -> c")).await;
    let phases = |status: &orch_core::RunStatus| {
        status.subtasks.iter().map(|subtask| subtask.status).collect::<Vec<_>>()
    };
    let offered = supervisor.settled(run, AT_ONCE).await.unwrap();
    let (waiting, offer) = (SubtaskPhase::Waiting, SubtaskPhase::Offered);
    assert_eq!(phases(&offered), [offer, waiting, offer], "planned and offered");
    for id in ["a", "b"] {
        supervisor.report(run, SubtaskReport::new(id, result(id))).await.unwrap();
    }
    let next = supervisor.settled(run, AT_ONCE).await.unwrap();
    assert_eq!(phases(&next), [SubtaskPhase::Done, offer, SubtaskPhase::Done]);
    supervisor.report(run, SubtaskReport::new("c", result("c"))).await.unwrap();
    let ended = supervisor.settled(run, AT_ONCE).await.unwrap();
    assert_eq!(ended.end_status, Some(EndStatus::Completed), "the output is made");
    assert_eq!(begin.elapsed(), Duration::ZERO, "nobody waited for a clock");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_does_not_settle_is_shown_when_the_time_is_over() {
    struct Slow;
    #[async_trait]
    impl Decomposer for Slow {
        async fn decompose(
            &self,
            _: DecompositionRequest<'_>,
        ) -> Result<DecompositionPlan, DecomposeError> {
            tokio::time::sleep(AT_ONCE + Duration::from_secs(2)).await;
            Ok(plan("a"))
        }
    }
    let supervisor = virtual_time().decomposer(Slow).worker(agent()).build();
    let run = supervisor.submit(task()).await.unwrap();
    let begin = now();
    let status = supervisor.settled(run, AT_ONCE).await.unwrap();
    assert_eq!((status.status, begin.elapsed()), (orch_core::RunPhase::Planning, AT_ONCE));
    let status = supervisor.settled(run, AT_ONCE).await.unwrap();
    assert_eq!((status.status, status.counts.ready), (orch_core::RunPhase::Active, 1));
    let settled = begin.elapsed();
    assert_eq!(settled, AT_ONCE + Duration::from_secs(2), "as soon as there was a plan");
    let unknown =
        supervisor.settled(orch_core::RunId::new(jiff::Timestamp::UNIX_EPOCH, 7), AT_ONCE);
    assert!(matches!(unknown.await, Err(SupervisorError::NoRun(_))));
    assert_eq!(begin.elapsed(), settled);
}

#[tokio::test(start_paused = true)]
async fn several_are_claimed_at_once() {
    let supervisor = supervisor().await;
    let run = submit(&supervisor, plan("a; b; c")).await;
    let before = supervisor.settled(run, AT_ONCE).await.unwrap().seq;
    let wants = ["a", "b", "a"].map(|id| Want::new("agent").subtask(SubtaskId::from(id)).slots(4));
    let claimed = supervisor.claim_all(run, wants.clone(), Some("k".into())).await.unwrap();
    let got: Vec<_> = claimed.iter().map(|got| got.subtask.description.as_str()).collect();
    assert_eq!(got, ["a", "b"]);
    assert_eq!(supervisor.claim_all(run, wants, Some("k".into())).await.unwrap(), claimed);
    assert_eq!(supervisor.status(run).await.unwrap().seq.0, before.0 + 2);
}

#[tokio::test(start_paused = true)]
async fn a_late_report_counts_until_somebody_else_has_claimed() {
    let supervisor = supervisor().await;
    let run = submit(&supervisor, plan("a; b")).await;
    supervisor.settled(run, AT_ONCE).await.unwrap();
    let slow = supervisor.claim(run, "agent", Some("a".into()), 4, None).await.unwrap().unwrap();
    let lost = supervisor.claim(run, "agent", Some("b".into()), 4, None).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    let taken = supervisor.claim(run, "agent", Some("b".into()), 4, None).await.unwrap().unwrap();
    assert!(taken.fence > lost.fence);
    let late = SubtaskReport::new("a", result("late")).attempt(slow.fence, slow.token);
    assert_eq!(supervisor.report(run, late).await.unwrap(), ReportAnswer::Accepted);
    let too_late = SubtaskReport::new("b", result("too late")).attempt(lost.fence, lost.token);
    assert_eq!(supervisor.report(run, too_late).await.unwrap(), ReportAnswer::Stale);
    let fresh = SubtaskReport::new("b", result("fresh")).attempt(taken.fence, taken.token);
    assert_eq!(supervisor.report(run, fresh).await.unwrap(), ReportAnswer::Accepted);
    assert_eq!(supervisor.wait(run).await.unwrap().aggregated_output, json!(["late", "fresh"]));
}

#[tokio::test(start_paused = true)]
async fn heartbeats_keep_a_lease_alive() {
    let supervisor = supervisor().await;
    let run = submit(&supervisor, plan("a")).await;
    supervisor.settled(run, AT_ONCE).await.unwrap();
    let claimed = supervisor.claim(run, "agent", None, 1, None).await.unwrap().unwrap();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(8)).await;
        let until = supervisor.heartbeat(run, claimed.fence, claimed.token).await.unwrap();
        assert!(until > claimed.lease_until);
    }
    let stolen = supervisor.claim(run, "agent", Some("a".into()), 4, None).await;
    assert!(
        matches!(stolen, Err(SupervisorError::Refused(Refusal::NotReady { .. }))),
        "{stolen:?}"
    );
    let forged = supervisor.heartbeat(run, claimed.fence, orch_core::Token(7)).await;
    assert!(matches!(forged, Err(SupervisorError::Refused(Refusal::NotOpen { .. }))));
}

#[tokio::test(start_paused = true)]
async fn an_offer_that_nobody_takes_fails_so_that_the_run_ends() {
    let supervisor = supervisor().await;
    let run = submit(&supervisor, plan("a")).await;
    let result = supervisor.wait(run).await.unwrap();
    assert_eq!(result.status, EndStatus::Failed);
    assert!(result.errors[0].contains("did not take it"), "{:?}", result.errors);
    assert_eq!(result.total_duration_ms, 60_000);
}

#[tokio::test(start_paused = true)]
async fn reports_of_failures_and_of_nonsense() {
    let supervisor = supervisor().await;
    let run = submit(&supervisor, plan("alpha; beta")).await;
    supervisor.settled(run, AT_ONCE).await.unwrap();
    let unknown = supervisor.report(run, SubtaskReport::new("alhpa", result("x"))).await;
    assert!(
        matches!(&unknown, Err(SupervisorError::Refused(Refusal::NoSubtask { nearest: Some(n), .. })) if n == "alpha"),
        "{unknown:?}"
    );
    let forged =
        SubtaskReport::new("alpha", result("x")).attempt(orch_core::Fence(1), orch_core::Token(1));
    assert_eq!(supervisor.report(run, forged).await.unwrap(), ReportAnswer::Stale);
    let failure = Failure::new(Cause::InvalidInput, "cannot read it");
    let failed = SubtaskReport::new("alpha", WorkerResult::failure("", "agent", "cannot read it"))
        .failure(failure);
    assert_eq!(supervisor.report(run, failed).await.unwrap(), ReportAnswer::Accepted);
    assert_eq!(
        supervisor.report(run, SubtaskReport::new("beta", result("b"))).await.unwrap(),
        ReportAnswer::Accepted
    );
    let result = supervisor.wait(run).await.unwrap();
    assert_eq!(result.aggregated_output, json!(["b"]).as_array().map(|_| json!(["b"])).unwrap());
    assert!(result.errors[0].contains("cannot read it"));
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_what_another_run_has_locked_is_refused_and_works_later() {
    let supervisor = supervisor().await;
    let locked = || DecompositionPlan::new([Subtask::new("a", "a", "work").with_locks(["file"])]);
    let (one, two) = (submit(&supervisor, locked()).await, submit(&supervisor, locked()).await);
    supervisor.settled(one, AT_ONCE).await.unwrap();
    supervisor.settled(two, AT_ONCE).await.unwrap();
    let first = supervisor.claim(one, "agent", None, 1, None).await.unwrap().unwrap();
    let second = supervisor.claim(two, "agent", Some("a".into()), 1, None).await;
    assert!(matches!(second, Err(SupervisorError::Refused(Refusal::Blocked { .. }))), "{second:?}");
    let report = SubtaskReport::new("a", result("one")).attempt(first.fence, first.token);
    supervisor.report(one, report).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(
        supervisor.claim(two, "agent", None, 1, None).await.unwrap().is_some(),
        "the lock is free again"
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_a_quiet_run_neither_suspends_it_nor_lengthens_a_lease() {
    let journal = MemoryJournal::new();
    let visitor = || {
        virtual_time()
            .settings(settings().with_lease_ms(10_000_u64).with_offer_timeout_ms(60_000_u64))
            .journal(Arc::new(journal.second_writer()))
            .worker(agent())
            .build()
    };
    // The time of each begins with it.
    let (first, last) = (visitor(), visitor());
    let run = submit(&first, plan("a -> b")).await;
    first.settled(run, AT_ONCE).await.unwrap();
    let lost = first.claim(run, "agent", None, 1, None).await.unwrap().unwrap();
    first.leave(Duration::ZERO).await;
    assert_eq!(last.status(run).await.unwrap().status, RunPhase::Active);
    tokio::time::sleep(Duration::from_secs(11)).await;
    let taken = last.claim(run, "agent", None, 1, None).await.unwrap().unwrap();
    assert_ne!(taken.fence, lost.fence, "the lease has lapsed");
    let report = SubtaskReport::new("a", result("a")).attempt(taken.fence, taken.token);
    assert_eq!(last.report(run, report).await.unwrap(), ReportAnswer::Accepted);
    assert_eq!(last.status(run).await.unwrap().subtasks[1].status, SubtaskPhase::Ready);
    last.resume(run).await.unwrap();
    last.settled(run, AT_ONCE).await.unwrap();
    let answer = last.report(run, SubtaskReport::new("b", result("b"))).await.unwrap();
    assert_eq!(answer, ReportAnswer::Accepted, "the owner has offered it");
    assert_eq!(last.wait(run).await.unwrap().status, EndStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_resumption_that_names_no_guests_keeps_those_of_the_run() {
    let supervisor = virtual_time().build();
    let guests: Vec<Arc<dyn Worker>> = vec![Arc::new(agent())];
    let options = SubmitOptions::new().plan(plan("a -> b")).guests(guests);
    let run = supervisor.submit_with(task(), options).await.unwrap();
    supervisor.settled(run, AT_ONCE).await.unwrap();
    supervisor.resume(run).await.unwrap();
    for id in ["a", "b"] {
        let claimed = supervisor.claim(run, "agent", None, 1, None).await.unwrap();
        let claimed = claimed.expect("the guest is still offered work");
        assert_eq!(claimed.subtask.id, id);
        let report = SubtaskReport::new(id, result(id)).attempt(claimed.fence, claimed.token);
        supervisor.report(run, report).await.unwrap();
        supervisor.settled(run, AT_ONCE).await.unwrap();
    }
    assert_eq!(supervisor.wait(run).await.unwrap().status, EndStatus::Completed);
}
