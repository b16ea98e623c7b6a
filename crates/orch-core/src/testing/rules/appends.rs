//! Appends: order, conflicts, fencing, summaries, request keys.

use super::{accepted, append, last, load, refused};
use crate::journal::{AppendError, Journal, Owner, ProcessId, RunSummary};
use crate::testing::{SampleRun, Writers, time};
use crate::{Counts, EndStatus, Epoch, Event, ProjectId, RequestKey, RunPhase, Seq};

/// What was appended is loaded in order, from any place, by any writer, with its times.
pub async fn appends_are_loaded_in_order(writers: &Writers) {
    let run = SampleRun::new(1);
    append(&*writers.first, run.step(0, 3)).await;
    append(&*writers.second, run.step(3, 2)).await;
    let changes = [1, 2, 3, 1, 2]
        .map(|concurrency_limit| Event::ConcurrencyLimitChanged { concurrency_limit });
    let all: Vec<(u64, Event)> = (1..).zip(changes).collect();
    for journal in writers.both() {
        for after in [0, 1, 3, 4, 5, 99] {
            let expected: Vec<_> = all.iter().filter(|(seq, _)| *seq > after).cloned().collect();
            assert_eq!(load(journal, run.id(), after).await, expected, "after {after}");
        }
        let times: Vec<_> = journal.load(run.id(), Seq(0)).await.expect("the journal loads");
        assert!(times.iter().map(|r| r.at).eq((1..=5).map(time)), "{times:?}");
        let row = journal.row(run.id()).await.expect("the journal reads").expect("the run exists");
        assert_eq!((row.seq, row.updated_at, &row.head), (Seq(5), time(5), &*run.head));
        assert_eq!((row.epoch, row.owner), (Epoch(0), None));
        assert_eq!(load(journal, SampleRun::new(2).id(), 0).await, []);
        assert_eq!(journal.row(SampleRun::new(2).id()).await.expect("the journal reads"), None);
    }
}

/// An append at another place than the end is refused, says where the end is, and leaves no trace.
pub async fn conflict_names_the_actual_seq_and_writes_nothing(writers: &Writers) {
    let run = SampleRun::new(1);
    for (end, wrong) in [(0, 1), (0, 7), (2, 0), (2, 1), (2, 3)] {
        if (end, wrong) == (2, 0) {
            append(&*writers.first, run.step(0, 2)).await;
        }
        for journal in writers.both() {
            let tried = run.step(wrong, 1).with_take(vec!["lock".into()]);
            let error = refused(journal.append(tried).await);
            let AppendError::Conflict { run: of, expected, actual } = error else {
                panic!("no conflict but {error:?}");
            };
            assert_eq!((of, expected, actual), (run.id(), Seq(wrong), Seq(end)));
            assert_eq!(last(journal, run.id()).await, end);
        }
    }
    // The refused appends have not taken the lock either.
    append(&*writers.first, SampleRun::new(2).step(0, 1).with_take(vec!["lock".into()])).await;
}

/// A writer that gives another epoch than the owner's is refused and leaves no trace; one that gives none is not asked.
pub async fn other_epochs_are_fenced(writers: &Writers) {
    let run = SampleRun::new(1);
    append(&*writers.first, run.step(0, 1)).await;
    let owned = |epoch: Epoch, expected: u64| {
        let mut append = run.step(expected, 1).with_take(vec!["lock".into()]);
        append.epoch = Some(epoch);
        append
    };
    let mut end = 1;
    let mut owner_of = Epoch(0);
    for name in ["a", "b"] {
        let owner = Owner::new(name, name, ProcessId::new(1, 2, "boot"), time(100));
        writers.first.register(&owner).await.expect("the owner registers");
        let dead = Some(owner_of);
        let epoch = writers.first.acquire(run.id(), &owner.id, time(1), dead).await;
        let epoch = epoch.expect("the run is acquired");
        for wrong in [owner_of, epoch.next()] {
            let error = refused(writers.second.append(owned(wrong, end)).await);
            let AppendError::Fenced { run: of, epoch: given, actual } = error else {
                panic!("not fenced but {error:?}");
            };
            assert_eq!((of, given, actual), (run.id(), wrong, epoch));
            assert_eq!(last(&*writers.first, run.id()).await, end);
        }
        let mut right = run.step(end, 1);
        right.epoch = Some(epoch);
        accepted(writers.first.append(right).await);
        accepted(writers.second.append(run.step(end + 1, 1)).await);
        end += 2;
        owner_of = epoch;
    }
    // The fenced appends have not taken the lock either.
    append(&*writers.first, SampleRun::new(2).step(0, 1).with_take(vec!["lock".into()])).await;
}

/// The row shows the summary of the last append, with every count.
pub async fn summary_and_counts_are_kept(writers: &Writers) {
    let counts = Counts {
        total: 28,
        waiting: 1,
        ready: 2,
        running: 3,
        done: 4,
        failed: 5,
        skipped: 6,
        cancelled: u32::MAX,
    };
    let mut summaries: Vec<_> =
        RunPhase::ALL.iter().map(|phase| RunSummary::new(*phase, None, counts)).collect();
    summaries.pop();
    summaries.extend(
        EndStatus::ALL.iter().map(|end| RunSummary::new(RunPhase::Ended, Some(*end), counts)),
    );
    for (number, summary) in (1..).zip(summaries) {
        let run = SampleRun::new(number);
        append(&*writers.first, run.step(0, 1)).await;
        let mut step = run.step(1, 1);
        step.summary = summary;
        append(&*writers.first, step).await;
        for journal in writers.both() {
            let row = journal.row(run.id()).await.expect("the journal reads");
            assert_eq!(row.expect("the run exists").summary, summary);
        }
    }
}

/// Within a project a request key stands for the run that was first submitted under it.
pub async fn request_keys_name_one_run_per_project(writers: &Writers) {
    let find = async |journal: &dyn Journal, project: &str, key: &str| {
        let (project, key) = (ProjectId::new(project), RequestKey::new(key));
        journal.run_of_request(&project, &key).await.expect("the journal reads")
    };
    let run = SampleRun::new(1).with_request_key("k");
    append(&*writers.first, run.step(0, 1)).await;
    append(&*writers.first, run.step(1, 1)).await;
    let again = SampleRun::new(2).with_request_key("k");
    let error = refused(writers.second.append(again.step(0, 1)).await);
    let AppendError::RequestTaken { run: of, key, existing } = error else {
        panic!("no taken request but {error:?}");
    };
    assert_eq!((of, key, existing), (again.id(), RequestKey::new("k"), run.id()));
    let other = SampleRun::in_project(3, "q").with_request_key("k");
    append(&*writers.second, other.step(0, 1)).await;
    append(&*writers.second, SampleRun::new(4).with_request_key("l").step(0, 1)).await;
    for journal in writers.both() {
        assert_eq!(last(journal, again.id()).await, 0);
        assert_eq!(find(journal, "p", "k").await, Some(run.id()));
        assert_eq!(find(journal, "q", "k").await, Some(other.id()));
        assert_eq!(find(journal, "q", "l").await, None);
        let row = journal.row(run.id()).await.expect("the journal reads");
        assert_eq!(row.expect("the run exists").head.request_key, Some(RequestKey::new("k")));
    }
}
