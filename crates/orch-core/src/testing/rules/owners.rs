//! Ownership of runs, and the processes of their attempts.

use jiff::Timestamp;

use super::append;
use crate::journal::{AcquireError, AttemptProcess, Journal, Owner, ProcessId, RunRow};
use crate::testing::{SampleRun, Writers, time};
use crate::{Epoch, Fence, OwnerId, RunId};

/// Returns an owner that is taken to live until 100 s.
fn owner(name: &str) -> Owner {
    Owner::new(name, format!("orch {name}"), ProcessId::new(u32::MAX, 1 << 40, "boot"), time(100))
}

async fn register(journal: &dyn Journal, owner: &Owner) {
    journal.register(owner).await.expect("the owner registers");
}

async fn acquire(
    journal: &dyn Journal,
    run: RunId,
    owner: &Owner,
    now: Timestamp,
    dead: Option<Epoch>,
) -> Epoch {
    journal.acquire(run, &owner.id, now, dead).await.expect("the run is acquired")
}

async fn is_owned(journal: &dyn Journal, run: RunId, asker: &Owner, by: &Owner, epoch: Epoch) {
    let wrong = Some(Epoch(epoch.0.wrapping_sub(1)));
    for dead in [None, wrong, Some(epoch.next())] {
        let error = journal.acquire(run, &asker.id, time(99), dead).await;
        let error = error.expect_err("the run is owned");
        let AcquireError::Owned { run: of, owner, epoch: held } = error else {
            panic!("not owned but {error:?}");
        };
        assert_eq!((of, &*owner, held), (run, by, epoch), "dead: {dead:?}");
    }
}

async fn row(journal: &dyn Journal, run: RunId) -> RunRow {
    journal.row(run).await.expect("the journal reads").expect("the run exists")
}

/// A run that nobody owns goes to the first process that asks; every ownership has a greater epoch than all before.
pub async fn free_runs_are_acquired_with_growing_epochs(writers: &Writers) {
    let run = SampleRun::new(1);
    append(&*writers.first, run.step(0, 1)).await;
    let (a, b) = (owner("a"), owner("b"));
    register(&*writers.first, &a).await;
    register(&*writers.second, &b).await;
    let mut before = Epoch(0);
    for (journal, owner) in
        [(&writers.first, &a), (&writers.first, &a), (&writers.second, &b), (&writers.first, &a)]
    {
        let epoch = acquire(&**journal, run.id(), owner, time(1), None).await;
        assert!(epoch > before, "epoch {epoch} follows {before}");
        for journal in writers.both() {
            let row = row(journal, run.id()).await;
            assert_eq!((row.epoch, row.owner.as_ref()), (epoch, Some(owner)));
        }
        // An owner that asks again gets a new epoch; others must wait for the release.
        let again = acquire(&**journal, run.id(), owner, time(1), None).await;
        assert!(again > epoch, "epoch {again} follows {epoch}");
        journal.release(run.id(), again).await.expect("the run is released");
        assert_eq!(row(&**journal, run.id()).await.owner, None);
        before = again;
    }
}

/// A new run may have an owner from its first event on, who then writes with epoch 1, and whom others must wait for; one that is not
/// registered keeps nobody out.
pub async fn a_new_run_may_be_owned_at_once(writers: &Writers) {
    let (a, b) = (owner("a"), owner("b"));
    register(&*writers.first, &a).await;
    register(&*writers.second, &b).await;
    let run = SampleRun::new(1);
    append(&*writers.first, run.step(0, 1).with_owner(Some(a.id.clone()))).await;
    let first = Epoch(1);
    for journal in writers.both() {
        let row = row(journal, run.id()).await;
        assert_eq!((row.epoch, row.owner.as_ref()), (first, Some(&a)));
    }
    is_owned(&*writers.second, run.id(), &b, &a, first).await;
    let mut next = run.step(1, 1).with_owner(Some(b.id.clone()));
    next.epoch = Some(first);
    append(&*writers.first, next).await;
    assert_eq!(row(&*writers.first, run.id()).await.owner, Some(a), "an old run keeps its owner");

    let run = SampleRun::new(2);
    append(&*writers.first, run.step(0, 1).with_owner(Some("nobody".into()))).await;
    let epoch = acquire(&*writers.second, run.id(), &b, time(1), None).await;
    assert!(epoch > first, "epoch {epoch} follows {first}");
}

/// Acquiring names what is missing: the run or the owner.
pub async fn only_registered_owners_acquire_existing_runs(writers: &Writers) {
    let (run, unknown) = (SampleRun::new(1), SampleRun::new(2));
    append(&*writers.first, run.step(0, 1)).await;
    register(&*writers.first, &owner("a")).await;
    let error = writers.first.acquire(unknown.id(), &"a".into(), time(1), None).await;
    let error = error.expect_err("there is no such run");
    assert!(matches!(error, AcquireError::NotFound(id) if id == unknown.id()), "{error:?}");
    let error = writers.first.acquire(run.id(), &"b".into(), time(1), None).await;
    let error = error.expect_err("there is no such owner");
    let b = OwnerId::new("b");
    assert!(matches!(&error, AcquireError::Unregistered(id) if *id == b), "{error:?}");
    assert_eq!(row(&*writers.second, run.id()).await.epoch, Epoch(0));
}

/// While an owner lives, others are refused and told who it is.
pub async fn living_owners_are_named(writers: &Writers) {
    let run = SampleRun::new(1);
    append(&*writers.first, run.step(0, 1)).await;
    let (a, b) = (owner("a"), owner("b"));
    register(&*writers.first, &a).await;
    register(&*writers.second, &b).await;
    let epoch = acquire(&*writers.first, run.id(), &a, time(1), None).await;
    for journal in writers.both() {
        is_owned(journal, run.id(), &b, &a, epoch).await;
        assert_eq!(row(journal, run.id()).await.epoch, epoch);
    }
}

/// An owner's time ends at `until`; registering again makes it longer.
pub async fn owners_expire_unless_they_register_again(writers: &Writers) {
    let run = SampleRun::new(1);
    append(&*writers.first, run.step(0, 1)).await;
    let (mut a, b) = (owner("a"), owner("b"));
    a.until = time(10);
    register(&*writers.first, &a).await;
    register(&*writers.second, &b).await;
    let epoch = acquire(&*writers.first, run.id(), &a, time(1), None).await;
    a.until = time(100);
    register(&*writers.first, &a).await;
    is_owned(&*writers.second, run.id(), &b, &a, epoch).await;
    let next = acquire(&*writers.second, run.id(), &b, time(100), None).await;
    assert!(next > epoch);
    assert_eq!(row(&*writers.first, run.id()).await.owner, Some(b));
}

/// A process that knows that the owner with this epoch is dead takes its place at once.
pub async fn owners_known_to_be_dead_are_replaced(writers: &Writers) {
    let run = SampleRun::new(1);
    append(&*writers.first, run.step(0, 1)).await;
    let (a, b) = (owner("a"), owner("b"));
    register(&*writers.first, &a).await;
    register(&*writers.second, &b).await;
    let epoch = acquire(&*writers.first, run.id(), &a, time(1), None).await;
    let next = acquire(&*writers.second, run.id(), &b, time(1), Some(epoch)).await;
    assert!(next > epoch);
    // The news of that death says nothing about the owner that came after.
    is_owned(&*writers.first, run.id(), &a, &b, next).await;
}

/// A release with an old epoch, or of a run that does not exist, does nothing.
pub async fn release_ends_only_its_own_epoch(writers: &Writers) {
    let run = SampleRun::new(1);
    append(&*writers.first, run.step(0, 1)).await;
    let (a, b) = (owner("a"), owner("b"));
    register(&*writers.first, &a).await;
    register(&*writers.first, &b).await;
    let old = acquire(&*writers.first, run.id(), &a, time(1), None).await;
    let epoch = acquire(&*writers.first, run.id(), &a, time(1), None).await;
    for journal in writers.both() {
        journal.release(run.id(), old).await.expect("an old release is no error");
        journal.release(run.id(), epoch.next()).await.expect("a wrong release is no error");
        let unknown = SampleRun::new(2).id();
        journal.release(unknown, epoch).await.expect("releasing nothing is no error");
        is_owned(journal, run.id(), &b, &a, epoch).await;
    }
    writers.second.release(run.id(), epoch).await.expect("the run is released");
    let row = row(&*writers.first, run.id()).await;
    assert_eq!((row.owner, row.epoch), (None, epoch));
    assert!(acquire(&*writers.first, run.id(), &b, time(1), None).await > epoch);
}

/// The end of a run is the end of its ownership.
pub async fn ended_runs_have_no_owner(writers: &Writers) {
    let run = SampleRun::new(1);
    append(&*writers.first, run.step(0, 1)).await;
    let a = owner("a");
    register(&*writers.first, &a).await;
    let epoch = acquire(&*writers.first, run.id(), &a, time(1), None).await;
    let mut end = run.end(1);
    end.epoch = Some(epoch);
    append(&*writers.first, end).await;
    let row = row(&*writers.second, run.id()).await;
    assert_eq!((row.owner, row.epoch), (None, epoch));
}

/// The processes of attempts are known to every writer, until their run ends.
pub async fn processes_are_noted_until_the_run_ends(writers: &Writers) {
    let (run, other) = (SampleRun::new(1), SampleRun::new(2));
    append(&*writers.first, run.step(0, 1)).await;
    append(&*writers.first, other.step(0, 1)).await;
    let note = |run: &SampleRun, fence: u64, pid: u32| {
        AttemptProcess::new(run.id(), Fence(fence), ProcessId::new(pid, u64::from(pid) << 32, "b"))
    };
    let mine = [note(&run, 1, 10), note(&run, 1, 11), note(&run, 2, 12)];
    let others = [note(&other, 1, 13)];
    for note in mine.iter().chain(&others) {
        writers.first.note_process(note.clone()).await.expect("the process is noted");
    }
    let noted = async |journal: &dyn Journal, run: &SampleRun| {
        let mut noted = journal.processes(run.id()).await.expect("the journal reads");
        noted.sort_by_key(|note| note.process.pid);
        noted
    };
    for journal in writers.both() {
        assert_eq!(noted(journal, &run).await, mine);
        assert_eq!(noted(journal, &SampleRun::new(3)).await, []);
    }
    append(&*writers.second, run.end(1)).await;
    for journal in writers.both() {
        assert_eq!(noted(journal, &run).await, []);
        assert_eq!(noted(journal, &other).await, others);
    }
}
