//! Many at once, through two handles.

use futures_util::future::join_all;

use super::{accepted, append, last};
use crate::journal::{AcquireError, AppendError, Journal, Owner, ProcessId};
use crate::testing::{SampleRun, Writers, time};
use crate::{OwnerId, Seq};

const MANY: u32 = 16;

/// Returns the handle for contender number `n`: half use each.
fn handle(writers: &Writers, n: u32) -> &dyn Journal {
    writers.both()[n as usize % 2]
}

/// Of many appends at the same place exactly one is written, the others are told of it.
pub async fn one_of_many_appends_at_one_seq_wins(writers: &Writers) {
    let run = SampleRun::new(1);
    for round in 0..5_u64 {
        let attempts = (0..MANY).map(|n| handle(writers, n).append(run.step(round, 1)));
        let mut winners = 0;
        for result in join_all(attempts).await {
            match result {
                Ok(()) => winners += 1,
                Err(AppendError::Conflict { actual, .. }) => assert_eq!(actual, Seq(round + 1)),
                Err(other) => panic!("no conflict but {other:?}"),
            }
        }
        assert_eq!((winners, last(&*writers.first, run.id()).await), (1, round + 1));
    }
}

/// Writers of different runs do not stand in each other's way.
pub async fn appends_to_many_runs_all_land(writers: &Writers) {
    const APPENDS: u64 = 10;
    let runs: Vec<_> = (1..=64).map(SampleRun::new).collect();
    let work = (0..).zip(&runs).map(async |(n, run)| {
        for seq in 0..APPENDS {
            append(handle(writers, n), run.step(seq * 2, 2)).await;
        }
    });
    join_all(work).await;
    for run in &runs {
        for journal in writers.both() {
            assert_eq!(last(journal, run.id()).await, APPENDS * 2);
        }
    }
}

/// Of many runs that want one lock exactly one gets it, the others are told which.
pub async fn one_of_many_takers_of_a_lock_wins(writers: &Writers) {
    let runs: Vec<_> = (1..=MANY).map(SampleRun::new).collect();
    let take = (0..)
        .zip(&runs)
        .map(|(n, run)| handle(writers, n).append(run.step(0, 1).with_take(vec!["lock".into()])));
    let results = join_all(take).await;
    let winners: Vec<_> =
        runs.iter().zip(&results).filter(|(_, result)| result.is_ok()).map(|(r, _)| r).collect();
    assert_eq!(winners.len(), 1, "{results:?}");
    for result in results {
        match result {
            Ok(()) => {}
            Err(AppendError::LockHeld { holder, .. }) => assert_eq!(holder, winners[0].id()),
            Err(other) => panic!("no held lock but {other:?}"),
        }
    }
}

/// Of many submits under one request key exactly one makes a run, the others are told which.
pub async fn one_of_many_submits_of_a_request_wins(writers: &Writers) {
    let runs: Vec<_> = (1..=MANY).map(|n| SampleRun::new(n).with_request_key("k")).collect();
    let submits = (0..).zip(&runs).map(|(n, run)| handle(writers, n).append(run.step(0, 1)));
    let results = join_all(submits).await;
    let existing = writers.first.run_of_request(&"p".into(), &"k".into()).await;
    let winner = existing.expect("the journal reads").expect("one submit has won");
    for (run, result) in runs.iter().zip(results) {
        match result {
            Err(AppendError::RequestTaken { existing, .. }) => assert_eq!(existing, winner),
            other => accepted(other),
        }
        assert_eq!(last(&*writers.second, run.id()).await, u64::from(run.id() == winner));
    }
}

/// Of many processes that want one run exactly one owns it, the others are told which.
pub async fn one_of_many_acquirers_wins(writers: &Writers) {
    let run = SampleRun::new(1);
    append(&*writers.first, run.step(0, 1)).await;
    let owners: Vec<OwnerId> = (0..MANY).map(|n| OwnerId::new(format!("owner-{n}"))).collect();
    for id in &owners {
        let owner = Owner::new(id.clone(), "orch", ProcessId::new(1, 0, ""), time(100));
        writers.first.register(&owner).await.expect("the owner registers");
    }
    let acquire = (0..)
        .zip(&owners)
        .map(|(n, owner)| handle(writers, n).acquire(run.id(), owner, time(1), None));
    let results = join_all(acquire).await;
    let row = writers.first.row(run.id()).await.expect("the journal reads");
    let winner = row.expect("the run exists").owner.expect("the run is owned").id;
    let mut wins = 0;
    for (owner, result) in owners.iter().zip(results) {
        match result {
            Ok(_) => {
                assert_eq!(*owner, winner);
                wins += 1;
            }
            Err(AcquireError::Owned { owner: named, .. }) => assert_eq!(named.id, winner),
            Err(other) => panic!("not owned but {other:?}"),
        }
    }
    assert_eq!(wins, 1);
}
