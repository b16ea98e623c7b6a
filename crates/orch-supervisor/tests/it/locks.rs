//! Locks of runs whose owner has died: freed where suspending the run frees them, and only there.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orch_core::journal::{AttemptProcess, MemoryJournal, ProcessId};
use orch_core::{
    BoxError, DecompositionPlan, EndStatus, Fence, Journal, Reaper, RunId, RunPhase, WorkerResult,
};
use orch_supervisor::SubtaskReport;

use crate::pull::agent;
use crate::support::{Diary, plan, sleeper, submit, virtual_time};

/// A reaper to which every process is gone.
pub(crate) struct AllGone;

#[async_trait]
impl Reaper for AllGone {
    async fn reap(&self, _: RunId, _: &[Fence], _: &[AttemptProcess]) -> Result<(), BoxError> {
        Ok(())
    }

    fn is_gone(&self, _: &ProcessId) -> bool {
        true
    }
}

/// A plan of one subtask that takes `seconds` and needs a lock.
pub(crate) fn locked(seconds: u64) -> DecompositionPlan {
    let mut plan = plan(&format!("a {seconds}s"));
    Arc::make_mut(&mut plan.subtasks[0]).locks = vec!["file".into()];
    plan
}

/// To suspend the run would free nothing: the lock stays with who has claimed the work, and who wants it is told.
#[tokio::test(start_paused = true)]
async fn a_run_whose_lock_is_with_claimed_work_is_not_taken_down() {
    let (journal, diary) = (MemoryJournal::new(), Diary::default());
    let on = || virtual_time().journal(Arc::new(journal.second_writer())).reaper(AllGone);
    let (dead, living) = (on().worker(agent()).build(), on().worker(sleeper(8, &diary)).build());
    let holder = submit(&dead, locked(1)).await;
    dead.settled(holder, Duration::from_secs(5)).await.unwrap();
    let claimed = dead.claim(holder, "agent", None, 1, None).await.unwrap().unwrap();

    let second = submit(&living, locked(1)).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let row = journal.row(holder).await.unwrap().unwrap();
    assert_eq!(row.summary.phase, RunPhase::Active, "nothing is gained by suspending it");
    assert!(row.owner.is_some(), "nor by owning it");
    let told = living.status(second).await.unwrap().subtasks.remove(0).waits_for.unwrap();
    assert_eq!((told.held_by, told.owner_ended), (holder, true), "{told:?}");

    let result = WorkerResult::success("", "agent", "done".into());
    let report = SubtaskReport::new("a", result).attempt(claimed.fence, claimed.token);
    living.report(holder, report).await.unwrap();
    assert_eq!(living.wait(second).await.unwrap().status, EndStatus::Completed);
}
