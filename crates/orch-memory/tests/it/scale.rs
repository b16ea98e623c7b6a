//! A large run, whole: 100,000 subtasks.

use std::time::Instant;

use orch_core::learned::Priors;
use orch_core::testing::{SampleRun, sample_plan};
use orch_core::{Event, Fence, Journal, ResultSource, Seq, SubtaskIndex, Token, WorkerName};

use crate::support::{TempFile, load, open};

const SUBTASKS: u32 = 100_000;
/// Subtasks per append.
const TURN: u32 = 500;

fn started(subtask: u32) -> Event {
    Event::AttemptStarted {
        subtask: SubtaskIndex(subtask),
        fence: Fence(subtask.into()),
        token: Token(u64::from(subtask) << 32),
        worker: WorkerName::new("worker-1"),
        card: None,
        claimed: false,
        until: orch_core::testing::time(subtask),
        reserved_micro_usd: None,
        request_key: None,
        route: None,
    }
}

fn turn(first: u32) -> Vec<Event> {
    let subtasks = first..first + TURN;
    let completed = |n| Event::SubtaskCompleted {
        subtask: SubtaskIndex(n),
        source: ResultSource::Attempt { fence: Fence(n.into()) },
    };
    subtasks.clone().map(started).chain(subtasks.map(completed)).collect()
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "reports how long it took")]
async fn a_run_of_100_000_subtasks_is_stored_and_loaded() {
    let (file, run) = (TempFile::new(), SampleRun::new(1));
    let journal = open(&file).await;
    let plan = Event::PlanAdopted {
        revision: 1,
        base_seq: Seq(0),
        retire: Vec::new(),
        add: sample_plan(SUBTASKS).into(),
        priors: Priors::default(),
    };
    let start = Instant::now();
    journal.append(run.append(0, vec![plan.clone()])).await.unwrap();
    let planned = start.elapsed();
    let mut last = 1;
    for first in (0..SUBTASKS).step_by(TURN as usize) {
        journal.append(run.append(last, turn(first))).await.unwrap();
        last += u64::from(TURN) * 2;
    }
    let appended = start.elapsed();
    let events = load(&journal, &run).await;
    let loaded = start.elapsed();
    journal.close().await;
    let size = file.path().metadata().unwrap().len();
    println!(
        "plan {planned:?}, {} more events {:?}, all loaded {:?}, {} MiB",
        events.len() - 1,
        appended - planned,
        loaded - appended,
        size >> 20,
    );
    assert_eq!(events.len() as u64, last);
    assert_eq!(events[0].event, plan);
    let expected = (0..SUBTASKS).step_by(TURN as usize).flat_map(turn);
    assert!(events[1..].iter().map(|recorded| &recorded.event).eq(&expected.collect::<Vec<_>>()));
}
