//! Locks: all or nothing, exclusive in their project, freed with their run.

use super::{append, last, refused};
use crate::journal::{Append, AppendError};
use crate::testing::{SampleRun, Writers};
use crate::{LockName, RunId};

fn locks(names: &[&str]) -> Vec<LockName> {
    names.iter().map(|name| LockName::new(*name)).collect()
}

fn taking(run: &SampleRun, expected: u64, names: &[&str]) -> Append {
    run.step(expected, 1).with_take(locks(names))
}

#[track_caller]
fn is_held(error: AppendError, run: &SampleRun, lock: &str, holder: RunId) {
    let AppendError::LockHeld { run: of, lock: named, holder: by } = error else {
        panic!("no held lock but {error:?}");
    };
    assert_eq!((of, named, by), (run.id(), LockName::new(lock), holder));
}

/// Every writer can ask which run holds a lock.
pub async fn the_holder_of_a_lock_is_known(writers: &Writers) {
    let (a, b) = (SampleRun::in_project(1, "p"), SampleRun::in_project(2, "q"));
    append(&*writers.first, taking(&a, 0, &["x", "y"])).await;
    append(&*writers.first, taking(&b, 0, &["x"])).await;
    append(&*writers.first, a.step(1, 1).with_free(locks(&["y"]))).await;
    for (project, lock, holder) in
        [("p", "x", Some(a.id())), ("q", "x", Some(b.id())), ("p", "y", None), ("q", "y", None)]
    {
        for journal in writers.both() {
            let found = journal.lock_holder(&project.into(), &LockName::new(lock)).await;
            assert_eq!(found.expect("the journal reads"), holder, "{lock} of {project}");
        }
    }
}

/// When one of the locks is held, nothing is written, and none of the others is taken.
pub async fn one_held_lock_refuses_the_whole_append(writers: &Writers) {
    let (a, b, c) = (SampleRun::new(1), SampleRun::new(2), SampleRun::new(3));
    append(&*writers.first, taking(&a, 0, &["held"])).await;
    let error = refused(writers.second.append(taking(&b, 0, &["x", "held", "y"])).await);
    is_held(error, &b, "held", a.id());
    for journal in writers.both() {
        assert_eq!(last(journal, b.id()).await, 0);
    }
    append(&*writers.first, taking(&c, 0, &["x", "y"])).await;
}

/// A lock of the same name in another project is another lock.
pub async fn locks_belong_to_their_project(writers: &Writers) {
    let (a, b) = (SampleRun::in_project(1, "p"), SampleRun::in_project(2, "q"));
    append(&*writers.first, taking(&a, 0, &["lock"])).await;
    append(&*writers.first, taking(&b, 0, &["lock"])).await;
    append(&*writers.first, b.step(1, 1).with_free(locks(&["lock"]))).await;
    let c = SampleRun::in_project(3, "p");
    is_held(refused(writers.first.append(taking(&c, 0, &["lock"])).await), &c, "lock", a.id());
}

/// One append may free a lock for one attempt and take it for the next.
pub async fn locks_are_freed_and_retaken_in_one_append(writers: &Writers) {
    let (a, b) = (SampleRun::new(1), SampleRun::new(2));
    append(&*writers.first, taking(&a, 0, &["x", "y"])).await;
    append(&*writers.first, taking(&a, 1, &["x"]).with_free(locks(&["x", "y"]))).await;
    is_held(refused(writers.second.append(taking(&b, 0, &["x"])).await), &b, "x", a.id());
    append(&*writers.second, taking(&b, 0, &["y"])).await;
}

/// Freeing a lock that another run holds, or nobody, does nothing.
pub async fn only_own_locks_are_freed(writers: &Writers) {
    let (a, b) = (SampleRun::new(1), SampleRun::new(2));
    append(&*writers.first, taking(&a, 0, &["lock"])).await;
    append(&*writers.second, b.step(0, 1).with_free(locks(&["lock", "unknown"]))).await;
    is_held(refused(writers.second.append(taking(&b, 1, &["lock"])).await), &b, "lock", a.id());
    let theft = taking(&b, 1, &["lock"]).with_free(locks(&["lock"]));
    is_held(refused(writers.second.append(theft).await), &b, "lock", a.id());
    append(&*writers.first, a.step(1, 1).with_free(locks(&["lock"]))).await;
    append(&*writers.second, taking(&b, 1, &["lock"])).await;
}

/// A run cannot hold a lock twice: locks belong to attempts.
pub async fn locks_are_exclusive_within_a_run_too(writers: &Writers) {
    let (a, b) = (SampleRun::new(1), SampleRun::new(2));
    append(&*writers.first, taking(&a, 0, &["lock"])).await;
    is_held(refused(writers.first.append(taking(&a, 1, &["lock"])).await), &a, "lock", a.id());
    let twice = taking(&b, 0, &["twice", "twice"]);
    is_held(refused(writers.first.append(twice).await), &b, "twice", b.id());
    assert_eq!((last(&*writers.first, a.id()).await, last(&*writers.first, b.id()).await), (1, 0));
    append(&*writers.second, taking(&SampleRun::new(3), 0, &["twice"])).await;
}

/// Whatever a run holds is free once it has ended; what others hold stays.
pub async fn the_end_of_a_run_frees_its_locks(writers: &Writers) {
    let (a, b, c) = (SampleRun::new(1), SampleRun::new(2), SampleRun::new(3));
    append(&*writers.first, taking(&a, 0, &["x", "y"])).await;
    append(&*writers.first, taking(&b, 0, &["z"])).await;
    append(&*writers.first, a.end(1)).await;
    append(&*writers.second, taking(&c, 0, &["x", "y"])).await;
    is_held(refused(writers.second.append(taking(&c, 1, &["z"])).await), &c, "z", b.id());
}
