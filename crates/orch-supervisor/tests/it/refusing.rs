//! A store that refuses: the engine waits for it, does not hammer it, and ends in time when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use orch_core::journal::{
    AcquireError, Append, AppendError, AttemptProcess, JournalError, MemoryJournal, Owner,
    Recorded, RunFilter, RunRow,
};
use orch_core::{
    BlobRef, EndStatus, Epoch, Event, Journal, LockName, OwnerId, ProjectId, RequestKey, RunId,
    RunPhase, Seq, StopSignal, WorkerCapability,
};
use orch_supervisor::{Supervisor, worker_fn};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "the clock of these tests is tokio's, and stands still"
)]
fn now() -> Instant {
    Instant::now()
}

use crate::locks::{AllGone, locked};
use crate::support::{Diary, plan, settings, sleeper, submit, virtual_time};

/// More tries than this are a busy loop: the test must end, not hang.
const TOO_MANY: u64 = 5_000;

/// How a store behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Works,
    /// It reads, and refuses to write: a full disk, a database that has become a replica.
    Full,
    /// It refuses everything: a server that is down.
    Down,
    /// It answers nothing that is to be written: somebody else holds the lock.
    Locked,
    /// It panics whatever it is asked for.
    Panics,
}

/// A journal in memory that can be made to refuse.
#[derive(Clone)]
struct Moody {
    journal: Arc<MemoryJournal>,
    mood: watch::Sender<Mood>,
    tries: Arc<AtomicU64>,
    /// How many blobs are still to be refused.
    refuse_blobs: Arc<AtomicU32>,
    /// How many acquisitions of runs are still to be refused.
    refuse_acquires: Arc<AtomicU32>,
}

impl Moody {
    fn new() -> Self {
        Self {
            journal: Arc::new(MemoryJournal::new()),
            mood: watch::Sender::new(Mood::Works),
            tries: Arc::default(),
            refuse_blobs: Arc::default(),
            refuse_acquires: Arc::default(),
        }
    }

    fn becomes(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// How often it was asked for something that it refused.
    fn tries(&self) -> u64 {
        self.tries.load(Ordering::SeqCst)
    }

    fn refused(&self) -> orch_core::BoxError {
        let tries = self.tries.fetch_add(1, Ordering::SeqCst);
        assert!(tries < TOO_MANY, "the engine hammers a store that refuses");
        assert!(*self.mood.borrow() != Mood::Panics, "the store is broken");
        "the disk is full".into()
    }

    async fn writes(&self) -> Result<(), orch_core::BoxError> {
        let mut mood = self.mood.subscribe();
        let _ = mood.wait_for(|mood| *mood != Mood::Locked).await;
        if *mood.borrow() == Mood::Works { Ok(()) } else { Err(self.refused()) }
    }

    async fn reads(&self) -> Result<(), JournalError> {
        if !matches!(*self.mood.borrow(), Mood::Down | Mood::Panics) {
            return Ok(());
        }
        Err(JournalError::Store { doing: "read".to_owned(), source: self.refused() })
    }

    async fn changes(&self) -> Result<(), JournalError> {
        let writes = self.writes().await;
        writes.map_err(|source| JournalError::Store { doing: "write".to_owned(), source })
    }
}

#[async_trait]
impl Journal for Moody {
    async fn append(&self, append: Append) -> Result<(), AppendError> {
        let run = append.head.run;
        self.writes().await.map_err(|source| AppendError::Store { run, source })?;
        self.journal.append(append).await
    }

    async fn load(&self, run: RunId, after: Seq) -> Result<Vec<Recorded>, JournalError> {
        self.reads().await?;
        self.journal.load(run, after).await
    }

    async fn row(&self, run: RunId) -> Result<Option<RunRow>, JournalError> {
        self.reads().await?;
        self.journal.row(run).await
    }

    async fn rows(&self, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError> {
        self.reads().await?;
        self.journal.rows(filter).await
    }

    async fn heads(&self, runs: &[RunId]) -> Result<Vec<(RunId, Seq)>, JournalError> {
        self.reads().await?;
        self.journal.heads(runs).await
    }

    async fn run_of_request(
        &self,
        project: &ProjectId,
        key: &RequestKey,
    ) -> Result<Option<RunId>, JournalError> {
        self.reads().await?;
        self.journal.run_of_request(project, key).await
    }

    async fn lock_holder(
        &self,
        project: &ProjectId,
        lock: &LockName,
    ) -> Result<Option<RunId>, JournalError> {
        self.reads().await?;
        self.journal.lock_holder(project, lock).await
    }

    async fn blob(&self, name: BlobRef) -> Result<Vec<u8>, JournalError> {
        self.reads().await?;
        if takes_one(&self.refuse_blobs) {
            let source = self.refused();
            return Err(JournalError::Store { doing: "load a blob".to_owned(), source });
        }
        self.journal.blob(name).await
    }

    async fn register(&self, owner: &Owner) -> Result<(), JournalError> {
        self.changes().await?;
        self.journal.register(owner).await
    }

    async fn acquire(
        &self,
        run: RunId,
        owner: &OwnerId,
        now: Timestamp,
        dead: Option<Epoch>,
    ) -> Result<Epoch, AcquireError> {
        self.changes().await?;
        if takes_one(&self.refuse_acquires) {
            let source = self.refused();
            return Err(JournalError::Store { doing: "acquire".to_owned(), source }.into());
        }
        self.journal.acquire(run, owner, now, dead).await
    }

    async fn release(&self, run: RunId, epoch: Epoch) -> Result<(), JournalError> {
        self.changes().await?;
        self.journal.release(run, epoch).await
    }

    async fn foreign_change(&self) -> Result<(), JournalError> {
        self.reads().await?;
        self.journal.foreign_change().await
    }

    async fn note_process(&self, note: AttemptProcess) -> Result<(), JournalError> {
        self.changes().await?;
        self.journal.note_process(note).await
    }

    async fn processes(&self, run: RunId) -> Result<Vec<AttemptProcess>, JournalError> {
        self.reads().await?;
        self.journal.processes(run).await
    }

    async fn close(&self) {}
}

/// Counts down; tells whether it was above zero.
fn takes_one(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
}

fn on(journal: &Moody, diary: &Diary) -> Supervisor {
    virtual_time().journal(Arc::new(journal.clone())).worker(sleeper(8, diary)).build()
}

async fn after(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Ten minutes of a store that refuses: about 20 tries for the run, 120 heartbeats, and nothing is lost.
#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_is_not_hammered_and_the_run_ends_when_it_works_again() {
    for mood in [Mood::Full, Mood::Down, Mood::Locked, Mood::Panics] {
        let (journal, diary) = (Moody::new(), Diary::default());
        let supervisor = on(&journal, &diary);
        let run = submit(&supervisor, plan("a 1s -> b 2s -> c 1s; d 2s -> c")).await;
        after(2).await;
        journal.becomes(mood);
        after(600).await;
        let tries = journal.tries();
        journal.becomes(Mood::Works);
        let since = now();
        let result = supervisor.wait(run).await.unwrap();
        assert_eq!(result.status, EndStatus::Completed, "{mood:?}");
        assert!(tries < 250, "{mood:?}: {tries} tries in 10 minutes");
        assert!(since.elapsed() < Duration::from_secs(40), "{mood:?}: {:?}", since.elapsed());
        let begun = diary.lines().iter().filter(|line| line.starts_with('+')).count();
        assert_eq!(begun, 4, "{mood:?}: nothing is done again: {:?}", diary.lines());
    }
}

/// Who asks a paused run for something is answered at once, and not when the pause is over.
#[tokio::test(start_paused = true)]
async fn who_asks_meanwhile_is_told_at_once_to_ask_again() {
    let (journal, diary) = (Moody::new(), Diary::default());
    let supervisor = on(&journal, &diary);
    let run = submit(&supervisor, plan("a 1s -> b 2s")).await;
    journal.becomes(Mood::Full);
    after(300).await;
    let since = now();
    let refused = supervisor.cancel(run).await.unwrap_err();
    assert!(refused.to_string().contains("again"), "{refused}");
    assert_eq!(since.elapsed(), Duration::ZERO);
    journal.becomes(Mood::Works);
    assert!(supervisor.cancel(run).await.unwrap(), "a person's word is tried at once");
    assert_eq!(since.elapsed(), Duration::ZERO);
}

/// Ends within its grace time and 2 s, whatever the store does; workers are told at once.
#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_in_time_whatever_the_store_does() {
    for mood in [Mood::Works, Mood::Full, Mood::Down, Mood::Locked, Mood::Panics] {
        for (is_stubborn, refuses_since) in [(false, 0), (true, 0), (false, 100), (true, 100)] {
            let case = format!("{mood:?}, stubborn: {is_stubborn}, for {refuses_since} s");
            let (journal, diary) = (Moody::new(), Diary::default());
            let noted = diary.clone();
            let stopper =
                worker_fn("stopper", [WorkerCapability::new("work", ["work"])], move |ctx| {
                    until_stopped(ctx.stop.clone(), noted.clone(), is_stubborn)
                });
            let supervisor =
                virtual_time().journal(Arc::new(journal.clone())).worker(stopper).build();
            let run = submit(&supervisor, plan("a -> b")).await;
            after(1).await;
            journal.becomes(mood);
            after(refuses_since).await;
            let since = now();
            supervisor.shutdown(Duration::from_secs(5)).await;
            let took = since.elapsed();
            assert!(took <= Duration::from_secs(7), "{case}: {took:?}");
            let told = diary.lines().into_iter().filter(|line| line == "told").count();
            assert_eq!(told, 1, "{case}: {:?}", diary.lines());
            if mood == Mood::Works {
                let row = journal.row(run).await.unwrap().unwrap();
                assert_eq!(row.summary.phase, RunPhase::Suspended, "{case}");
                assert_eq!(row.owner, None, "{case}");
            }
        }
    }
}

async fn until_stopped(
    stop: StopSignal,
    diary: Diary,
    is_stubborn: bool,
) -> Result<Value, orch_core::WorkerError> {
    stop.stopped().await;
    diary.note("told");
    if is_stubborn {
        std::future::pending::<()>().await;
    }
    Err(orch_core::WorkerError::new(orch_core::Cause::Cancelled, "stopped"))
}

/// A run whose owner could not say that it goes is free when its time is over.
#[tokio::test(start_paused = true)]
async fn what_could_not_be_suspended_can_be_taken_over_when_the_owners_time_is_over() {
    let (journal, diary) = (Moody::new(), Diary::default());
    let (first, second) = (on(&journal, &diary), on(&journal, &diary));
    let run = submit(&first, plan("a 1s -> b 60s")).await;
    after(2).await;
    journal.becomes(Mood::Full);
    first.shutdown(Duration::from_secs(5)).await;
    journal.becomes(Mood::Works);
    after(20).await;
    second.resume(run).await.unwrap();
    assert!(second.wait(run).await.unwrap().success);
}

/// A large result that cannot be read for a while fails neither the worker that needs it nor the run.
#[tokio::test(start_paused = true)]
async fn a_blob_that_cannot_be_read_for_a_while_fails_nothing() {
    let journal = Moody::new();
    let large = || {
        worker_fn("large", [WorkerCapability::new("work", ["work"])], |_| async {
            Ok(Value::from("x".repeat(100_000)))
        })
    };
    // The store refuses for longer than an attempt may take, which is no failure of its worker.
    for timeout_ms in [600_000_u64, 5_000] {
        let settings = settings().with_attempt_timeout_ms(timeout_ms);
        let builder = virtual_time().journal(Arc::new(journal.clone())).settings(settings);
        let supervisor = builder.worker(large()).build();
        journal.refuse_blobs.store(20, Ordering::SeqCst);
        let run = submit(&supervisor, plan("a -> b")).await;
        let result = supervisor.wait(run).await.unwrap();
        assert_eq!(result.status, EndStatus::Completed, "{timeout_ms} ms: {:?}", result.errors);
        assert_eq!(journal.refuse_blobs.load(Ordering::SeqCst), 0, "{timeout_ms} ms");
        let events = journal.load(run, Seq(0)).await.unwrap();
        let failed = events.iter().any(|e| matches!(e.event, Event::AttemptFailed { .. }));
        assert!(!failed, "{timeout_ms} ms: nobody is blamed");
    }
}

/// The run that wants the lock asks again, and that begins another take-down.
#[tokio::test(start_paused = true)]
async fn a_lock_of_a_dead_run_is_freed_though_the_store_refused_the_first_tries() {
    let (journal, diary) = (Moody::new(), Diary::default());
    let with_reaper = |journal: &Moody| {
        let journal = Arc::new(journal.clone());
        virtual_time().journal(journal).worker(sleeper(8, &diary)).reaper(AllGone).build()
    };
    let (dead, living) = (with_reaper(&journal), with_reaper(&journal));
    let holder = submit(&dead, locked(600)).await;
    after(1).await;
    journal.refuse_acquires.store(3, Ordering::SeqCst);
    let second = submit(&living, locked(1)).await;
    let result = tokio::time::timeout(Duration::from_secs(60), living.wait(second)).await;
    assert_eq!(result.unwrap().unwrap().status, EndStatus::Completed);
    assert_eq!(journal.refuse_acquires.load(Ordering::SeqCst), 0);
    let row = journal.row(holder).await.unwrap().unwrap();
    assert_eq!((row.summary.phase, row.owner), (RunPhase::Suspended, None));
}
