//! Suspend, resume, cancel, shut down, drop; two supervisors on one journal.

use std::sync::Arc;
use std::time::Duration;

use orch_core::journal::{Append, Journal, MemoryJournal, Recorded, RunFilter};
use orch_core::{
    Actor, Client, DecomposeError, Decomposer, DecompositionPlan, DecompositionRequest, EndStatus,
    Event, Fence, ResultSource, RunPhase, Seq, SubtaskIndex,
};
use orch_supervisor::{Refusal, Supervisor, SupervisorError};

use crate::support::{Diary, plan, sleeper, submit, virtual_time};

async fn at(seconds: u64) {
    tokio::time::sleep(Duration::from_millis(seconds * 1_000 + 500)).await;
}

fn on(journal: &MemoryJournal, diary: &Diary) -> Supervisor {
    virtual_time().journal(Arc::new(journal.second_writer())).worker(sleeper(8, diary)).build()
}

#[tokio::test(start_paused = true)]
async fn suspend_loses_nothing_and_resume_goes_on() {
    let diary = Diary::default();
    let supervisor = virtual_time().worker(sleeper(8, &diary)).build();
    let run = submit(&supervisor, plan("a 1s -> b 30s -> c 1s")).await;
    at(1).await;
    supervisor.suspend(run, "lunch").await.unwrap();
    assert!(matches!(supervisor.wait(run).await, Err(SupervisorError::Suspended(r)) if r == run));
    let status = supervisor.status(run).await.unwrap();
    assert_eq!((status.status, status.counts.done), (RunPhase::Suspended, 1));
    supervisor.resume(run).await.unwrap();
    let result = supervisor.wait(run).await.unwrap();
    assert_eq!(result.status, EndStatus::Completed);
    let started =
        diary.lines().into_iter().filter(|line| line.starts_with('+')).collect::<Vec<_>>();
    assert_eq!(started, ["+a", "+b", "+b", "+c"], "b was lost and made again, a was not");
}

#[tokio::test(start_paused = true)]
async fn all_who_resume_a_run_at_once_are_told_that_it_goes_on() {
    let diary = Diary::default();
    let supervisor = virtual_time().worker(sleeper(8, &diary)).build();
    let run = submit(&supervisor, plan("a 1s -> b 30s")).await;
    at(1).await;
    supervisor.suspend(run, "lunch").await.unwrap();
    let resume = || supervisor.resume(run);
    let (first, second, third) = tokio::join!(resume(), resume(), resume());
    assert!(
        [&first, &second, &third].iter().all(|told| told.is_ok()),
        "{first:?} {second:?} {third:?}"
    );
    assert_eq!(supervisor.wait(run).await.unwrap().status, EndStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn events_say_who_caused_them_and_what_the_engine_decided_has_nobody() {
    let diary = Diary::default();
    let builder = virtual_time().name("shop").user("ann".to_owned()).worker(sleeper(8, &diary));
    let supervisor = builder.build();
    let ann = Actor::new().with_process("shop".to_owned()).with_user("ann".to_owned());
    let client = Client::new("console", "3");
    let on_behalf = ann.clone().with_client(client.clone());
    let run = submit(&supervisor, plan("a 1s -> b 30s")).await;
    at(1).await;
    supervisor.for_client(client).cancel(run).await.unwrap();
    supervisor.wait(run).await.unwrap();
    let events = supervisor.journal().load(run, Seq(0)).await.unwrap();
    let caused: Vec<_> = events
        .iter()
        .filter_map(|e| Some((e.event.name(), Actor::clone(e.by.as_deref()?))))
        .collect();
    assert_eq!(caused, [("run_submitted", ann), ("cancel_requested", on_behalf)]);
}

#[tokio::test(start_paused = true)]
async fn cancel_is_final_and_keeps_what_is_done() {
    let diary = Diary::default();
    let supervisor = virtual_time().worker(sleeper(8, &diary)).build();
    let run = submit(&supervisor, plan("a 1s -> b 100s -> c")).await;
    at(2).await;
    assert!(supervisor.cancel(run).await.unwrap());
    let result = supervisor.wait(run).await.unwrap();
    assert_eq!(result.status, EndStatus::Cancelled);
    assert_eq!(result.aggregated_output, serde_json::json!(["a"]));
    assert!(!supervisor.cancel(run).await.unwrap(), "there is nothing left to cancel");
    assert!(matches!(
        supervisor.resume(run).await,
        Err(SupervisorError::Refused(Refusal::Ended { .. }))
    ));
    assert!(!diary.lines().contains(&"+c".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn whoever_resumes_a_run_that_ended_elsewhere_is_told_so() {
    let (journal, diary) = (MemoryJournal::new(), Diary::default());
    let supervisor = on(&journal, &diary);
    let run = submit(&supervisor, plan("a 1s")).await;
    supervisor.wait(run).await.unwrap();
    assert!(matches!(
        on(&journal, &diary).resume(run).await,
        Err(SupervisorError::Refused(Refusal::Ended { .. }))
    ));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_suspends() {
    let (journal, diary) = (MemoryJournal::new(), Diary::default());
    let supervisor = on(&journal, &diary);
    let run = submit(&supervisor, plan("a 100s")).await;
    at(1).await;
    drop(supervisor);
    at(20).await;
    let row = journal.row(run).await.unwrap().unwrap();
    assert_eq!(row.summary.phase, RunPhase::Suspended);
    assert_eq!(row.owner, None);
    let again = on(&journal, &diary);
    again.resume(run).await.unwrap();
    assert!(again.wait(run).await.unwrap().success);
}

#[tokio::test(start_paused = true)]
async fn shutdown_suspends_and_refuses_what_comes_after() {
    let (journal, diary) = (MemoryJournal::new(), Diary::default());
    let supervisor = on(&journal, &diary);
    let run = submit(&supervisor, plan("a 100s")).await;
    at(1).await;
    supervisor.shutdown(Duration::from_secs(1)).await;
    assert_eq!(journal.row(run).await.unwrap().unwrap().summary.phase, RunPhase::Suspended);
    assert!(matches!(supervisor.status(run).await, Err(SupervisorError::ShutDown)));
    supervisor.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_living_owner_keeps_its_run_and_is_named() {
    let (journal, diary) = (MemoryJournal::new(), Diary::default());
    let first = on(&journal, &diary);
    let run = submit(&first, plan("a 60s -> b")).await;
    at(1).await;
    let second = on(&journal, &diary);
    for _ in 0..3 {
        at(10).await;
        let refused = second.resume(run).await;
        assert!(
            matches!(&refused, Err(SupervisorError::Refused(Refusal::Owned { owner })) if owner.contains("supervisor")),
            "{refused:?}"
        );
    }
    assert!(
        second.wait(run).await.unwrap().success,
        "a caller that waits in another process sees the end too"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancel_from_another_process_stops_the_run_within_a_second() {
    let (journal, diary) = (MemoryJournal::new(), Diary::default());
    let first = on(&journal, &diary);
    let run = submit(&first, plan("a 100s -> b")).await;
    at(1).await;
    let second = on(&journal, &diary);
    assert!(second.cancel(run).await.unwrap());
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(
        first.status(run).await.unwrap().status,
        RunPhase::Cancelling,
        "the owner has heard of it"
    );
    let result = first.wait(run).await.unwrap();
    assert_eq!(result.status, EndStatus::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_of_a_suspended_run_ends_it() {
    let (journal, diary) = (MemoryJournal::new(), Diary::default());
    let first = on(&journal, &diary);
    let run = submit(&first, plan("a 1s -> b 100s")).await;
    at(2).await;
    first.shutdown(Duration::ZERO).await;
    let second = on(&journal, &diary);
    assert!(second.cancel(run).await.unwrap());
    let result = second.wait(run).await.unwrap();
    assert_eq!(
        (result.status, result.aggregated_output),
        (EndStatus::Cancelled, serde_json::json!(["a"]))
    );
}

#[tokio::test]
async fn a_run_that_does_not_exist_is_said_to_be_none() {
    let supervisor = Supervisor::builder().build();
    let other = {
        let supervisor = Supervisor::builder().build();
        submit(&supervisor, plan("a")).await
    };
    assert!(matches!(supervisor.status(other).await, Err(SupervisorError::NoRun(r)) if r == other));
    assert!(matches!(supervisor.wait(other).await, Err(SupervisorError::NoRun(_))));
    assert!(matches!(
        supervisor.cancel(other).await,
        Err(SupervisorError::Refused(Refusal::NoRun { .. }))
    ));
    assert!(matches!(
        supervisor.resume(other).await,
        Err(SupervisorError::Refused(Refusal::NoRun { .. }))
    ));
    assert!(supervisor.runs(&RunFilter::new()).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_cannot_be_read_is_refused_and_harms_no_other() {
    let (journal, diary) = (MemoryJournal::new(), Diary::default());
    let supervisor = on(&journal, &diary);
    let run = submit(&supervisor, plan("a 100s")).await;
    at(1).await;
    supervisor.suspend(run, "a break").await.unwrap();
    at(10).await;
    let row = journal.row(run).await.unwrap().unwrap();
    let wrong = Event::SubtaskCompleted {
        subtask: SubtaskIndex(9),
        source: ResultSource::Attempt { fence: Fence(1) },
    };
    let events = [Recorded::new(row.seq.next(), row.updated_at, wrong)];
    let append = Append::new(Arc::new(row.head), row.seq, None, events.into(), row.summary);
    journal.append(append).await.unwrap();
    let refused = supervisor.resume(run).await;
    assert!(
        matches!(&refused, Err(SupervisorError::Refused(Refusal::Unreadable { reason, .. })) if reason.contains("subtask 9")),
        "{refused:?}"
    );
    assert!(matches!(supervisor.status(run).await, Err(SupervisorError::Journal(_))));
    let other = submit(&supervisor, plan("b 1s")).await;
    assert!(supervisor.wait(other).await.unwrap().success);
    supervisor.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_even_if_a_decomposer_does_not() {
    struct Endless;
    #[async_trait::async_trait]
    impl Decomposer for Endless {
        async fn decompose(
            &self,
            _: DecompositionRequest<'_>,
        ) -> Result<DecompositionPlan, DecomposeError> {
            std::future::pending().await
        }
    }
    let supervisor = virtual_time().decomposer(Endless).build();
    let run = submit(&supervisor, plan("a")).await;
    supervisor.shutdown(Duration::from_secs(1)).await;
    assert!(matches!(supervisor.wait(run).await, Err(SupervisorError::ShutDown)));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_change_hears_of_it_in_any_process() {
    let (journal, diary) = (MemoryJournal::new(), Diary::default());
    let (owner, other) = (on(&journal, &diary), on(&journal, &diary));
    let run = submit(&owner, plan("a 5s -> b 5s")).await;
    let seen = owner.status(run).await.unwrap().seq;
    for supervisor in [&owner, &other] {
        assert!(supervisor.changed(run, Seq(0)).await.unwrap() >= seen, "what has happened");
    }
    at(0).await;
    let seen = owner.status(run).await.unwrap().seq;
    let quiet = tokio::time::timeout(Duration::from_secs(3), other.changed(run, seen)).await;
    assert!(quiet.is_err(), "nothing has happened: {quiet:?}");
    let (here, there) = tokio::join!(owner.changed(run, seen), other.changed(run, seen));
    assert!(here.unwrap() > seen && there.unwrap() > seen);
    owner.shutdown(Duration::ZERO).await;
    let gone = owner.changed(run, Seq(u64::MAX)).await;
    assert!(matches!(gone, Err(SupervisorError::ShutDown)), "{gone:?}");
}
