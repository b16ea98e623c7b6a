//! Random operations on `MemoryStore` keep its laws, against the simplest model of them.

use std::collections::BTreeMap;

use orch_core::journal::{AcquireError, AppendError, MemoryStore, Owner, ProcessId, RunFilter};
use orch_core::testing::{SampleRun, time};
use orch_core::{Epoch, LockName, RunPhase, Seq};
use proptest::collection::vec;
use proptest::prelude::*;

const RUNS: usize = 3;
const LOCKS: [&str; 3] = ["x", "y", "z"];
const OWNERS: [&str; 2] = ["a", "b"];

/// `off` and `epoch` are 0 for the right number, else they make a wrong one of it.
#[derive(Debug, Clone)]
enum Operation {
    Append {
        run: usize,
        off: u64,
        epoch: Option<u64>,
        take: Vec<usize>,
        free: Vec<usize>,
        end: bool,
    },
    Acquire {
        run: usize,
        owner: usize,
        dead: bool,
        now: u32,
    },
    Release {
        run: usize,
        off: u64,
    },
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let locks = || vec(0..LOCKS.len(), 0..3);
    let append = (
        0..RUNS,
        prop_oneof![4 => Just(0_u64), 1 => 1_u64..3],
        proptest::option::of(prop_oneof![3 => Just(0_u64), 1 => 1_u64..3]),
        locks(),
        locks(),
        proptest::bool::weighted(0.1),
    )
        .prop_map(|(run, off, epoch, take, free, end)| Operation::Append {
            run,
            off,
            epoch,
            take,
            free,
            end,
        });
    let acquire = (0..RUNS, 0..OWNERS.len(), any::<bool>(), 0_u32..200)
        .prop_map(|(run, owner, dead, now)| Operation::Acquire { run, owner, dead, now });
    let release = (0..RUNS, 0_u64..2).prop_map(|(run, off)| Operation::Release { run, off });
    vec(prop_oneof![4 => append, 2 => acquire, 1 => release], 1..40)
}

/// What should be true, kept apart from the store.
#[derive(Default)]
struct Model {
    seq: [u64; RUNS],
    epoch: [u64; RUNS],
    owner: [Option<usize>; RUNS],
    locks: BTreeMap<usize, usize>,
}

fn names(locks: &[usize]) -> Vec<LockName> {
    locks.iter().map(|lock| LockName::new(LOCKS[*lock])).collect()
}

fn append(model: &mut Model, store: &mut MemoryStore, runs: &[SampleRun], operation: &Operation) {
    let Operation::Append { run, off, epoch, take, free, end } = operation else { return };
    let (run, expected) = (*run, model.seq[*run] ^ *off);
    let mut append = if *end { runs[run].end(expected) } else { runs[run].step(expected, 2) };
    append.epoch = epoch.map(|off| Epoch(model.epoch[run] ^ off));
    let append = append.with_take(names(take)).with_free(names(free));
    let held = |(place, lock): (usize, &usize)| {
        take[..place].contains(lock)
            || model.locks.get(lock).is_some_and(|by| *by != run || !free.contains(lock))
    };
    let held = take.iter().enumerate().any(held);
    match store.append(append) {
        Ok(()) => {
            assert!(*off == 0 && !held && epoch.is_none_or(|off| off == 0));
            model.seq[run] += if *end { 1 } else { 2 };
            model.locks.retain(|lock, by| !(*by == run && free.contains(lock)));
            model.locks.extend(take.iter().map(|lock| (*lock, run)));
            if *end {
                model.owner[run] = None;
                model.locks.retain(|_, by| *by != run);
            }
        }
        Err(AppendError::Conflict { actual, .. }) => {
            assert!(*off != 0);
            assert_eq!(actual, Seq(model.seq[run]));
        }
        Err(AppendError::Fenced { actual, .. }) => {
            assert!(epoch.is_some_and(|off| off != 0));
            assert_eq!(actual, Epoch(model.epoch[run]));
        }
        Err(AppendError::LockHeld { lock, holder, .. }) => {
            assert!(held);
            let place = LOCKS.iter().position(|name| lock == *name).unwrap();
            let by = model.locks.get(&place).copied().unwrap_or(run);
            assert_eq!(holder, runs[by].id());
        }
        Err(other) => panic!("unexpected: {other:?}"),
    }
}

fn acquire(model: &mut Model, store: &mut MemoryStore, runs: &[SampleRun], operation: &Operation) {
    let Operation::Acquire { run, owner, dead, now } = *operation else { return };
    let dead = dead.then_some(Epoch(model.epoch[run]));
    let free = model.owner[run].is_none_or(|by| by == owner) || dead.is_some() || now >= 100;
    match store.acquire(runs[run].id(), &OWNERS[owner].into(), time(now), dead) {
        Ok(epoch) => {
            assert!(free);
            assert!(epoch > Epoch(model.epoch[run]), "epochs grow");
            (model.epoch[run], model.owner[run]) = (epoch.0, Some(owner));
        }
        Err(AcquireError::Owned { owner: by, .. }) => {
            assert!(!free);
            assert_eq!(by.id, OWNERS[model.owner[run].unwrap()]);
        }
        Err(AcquireError::NotFound(_)) => assert_eq!(model.seq[run], 0),
        Err(other) => panic!("unexpected: {other:?}"),
    }
}

fn release(model: &mut Model, store: &mut MemoryStore, runs: &[SampleRun], operation: &Operation) {
    let Operation::Release { run, off } = *operation else { return };
    store.release(runs[run].id(), Epoch(model.epoch[run] ^ off));
    if off == 0 {
        model.owner[run] = None;
    }
}

fn agree(model: &Model, store: &MemoryStore, runs: &[SampleRun]) {
    for (place, run) in runs.iter().enumerate() {
        let seqs: Vec<_> = store.load(run.id(), Seq(0)).iter().map(|r| r.seq.0).collect();
        assert!(
            seqs.iter().copied().eq(1..=model.seq[place]),
            "events are numbered without gaps: {seqs:?}"
        );
        let Some(row) = store.row(run.id()) else {
            assert_eq!(model.seq[place], 0);
            continue;
        };
        assert_eq!((row.seq, row.epoch), (Seq(model.seq[place]), Epoch(model.epoch[place])));
        let owner = model.owner[place].map(|owner| OWNERS[owner]);
        assert_eq!(row.owner.as_ref().map(|o| o.id.as_str()), owner);
        assert_eq!(store.load(run.id(), row.seq), []);
    }
    let open = store.rows(&RunFilter::new().with_open(true));
    assert!(open.iter().all(|row| row.summary.phase != RunPhase::Ended));
}

proptest! {
    #[test]
    fn the_store_agrees_with_its_model(operations in operations()) {
        let runs: Vec<_> = (1..=RUNS as u32).map(SampleRun::new).collect();
        let (mut store, mut model) = (MemoryStore::new(), Model::default());
        for name in OWNERS {
            store.register(&Owner::new(name, name, ProcessId::new(1, 0, ""), time(100)));
        }
        for operation in &operations {
            append(&mut model, &mut store, &runs, operation);
            acquire(&mut model, &mut store, &runs, operation);
            release(&mut model, &mut store, &runs, operation);
            agree(&model, &store, &runs);
        }
    }
}
