//! kill -9: what was acknowledged is there, what was not is there whole or not at all.

use orch_core::journal::AppendError;
use orch_core::testing::SampleRun;

use crate::children::{Worker, say};
use crate::support::{TempFile, TestDatabase, assert_sound, load, open_at, raw};

/// Events per append.
const STEP: u64 = 3;

/// The child: appends and says how far it is known to have come.
pub(crate) async fn append_until_killed(place: &str) {
    let run = SampleRun::new(1);
    let journal = open_at(place).await;
    let mut last = journal.row(run.id()).await.unwrap().map_or(0, |row| row.seq.0);
    loop {
        journal.append(run.step(last, STEP as u32)).await.unwrap();
        last += STEP;
        say(last);
    }
}

/// Kills a process that appends to the journal at `place`, and checks what is there; tells whether the last append was there
/// and had not been acknowledged yet.
async fn kill_once(place: &str, appends: usize) -> bool {
    let run = SampleRun::new(1);
    let mut child = Worker::start("append_until_killed", place);
    let mut acknowledged = 0;
    for _ in 0..=appends {
        acknowledged = child.hear().unwrap().parse().unwrap();
    }
    child.kill();
    while let Some(said) = child.hear() {
        acknowledged = said.parse().unwrap_or(acknowledged);
    }
    assert!(!child.ends_well());

    let journal = open_at(place).await;
    // A server may still be busy with the last commit of the dead: a process that appends waits for it.
    let behind = journal.append(run.step(1_000_000, 1)).await.unwrap_err();
    assert!(matches!(behind, AppendError::Conflict { .. }), "{behind:?}");
    let events = load(&*journal, &run).await;
    let stored = events.len() as u64;
    assert!(events.iter().map(|event| event.seq.0).eq(1..=stored));
    let known = stored == acknowledged || stored == acknowledged + STEP;
    assert!(known, "{stored} of {acknowledged}");
    assert_eq!(journal.row(run.id()).await.unwrap().unwrap().seq.0, stored);
    stored > acknowledged
}

/// After how many appends to kill; where exactly in the next one, the machine decides.
fn moments(count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(|round| (round * 7_919) % 40)
}

#[tokio::test]
async fn killed_processes_lose_nothing_that_was_acknowledged() {
    let (file, mut unheard) = (TempFile::new(), 0);
    for moment in moments(20) {
        unheard += u32::from(kill_once(file.place(), moment).await);
        assert_sound(&mut raw(&file).await).await;
    }
    println!("{unheard} of 20 kills fell between commit and acknowledgement");
}

#[tokio::test]
async fn killed_processes_lose_nothing_that_was_acknowledged_in_postgres() {
    let Some(database) = TestDatabase::create() else { return };
    let mut unheard = 0;
    for moment in moments(10) {
        unheard += u32::from(kill_once(&database.url(), moment).await);
    }
    println!("{unheard} of 10 kills fell between commit and acknowledgement");
}
