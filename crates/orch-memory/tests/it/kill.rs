//! kill -9: what was acknowledged is there, what was not is there whole or not at all.

use std::path::Path;

use orch_core::Journal;
use orch_core::testing::SampleRun;
use orch_memory::{SqliteJournal, SqliteOptions};

use crate::children::{Worker, say};
use crate::support::{TempFile, assert_sound, load, open, raw};

/// Events per append.
const STEP: u64 = 3;

/// The child: appends and says how far it is known to have come.
pub(crate) async fn append_until_killed(file: &Path) {
    let run = SampleRun::new(1);
    let journal = SqliteJournal::open(file, SqliteOptions::new()).await.unwrap();
    let mut last = journal.row(run.id()).await.unwrap().map_or(0, |row| row.seq.0);
    loop {
        journal.append(run.step(last, STEP as u32)).await.unwrap();
        last += STEP;
        say(last);
    }
}

#[tokio::test]
async fn killed_processes_lose_nothing_that_was_acknowledged() {
    let (file, run) = (TempFile::new(), SampleRun::new(1));
    let mut unheard = 0;
    for round in 0..20_usize {
        let mut child = Worker::start("append_until_killed", file.path());
        let mut acknowledged = 0;
        // Somewhere in the appends that follow; where exactly, the machine decides.
        for _ in 0..=(round * 7_919) % 40 {
            acknowledged = child.hear().unwrap().parse().unwrap();
        }
        child.kill();
        while let Some(said) = child.hear() {
            acknowledged = said.parse().unwrap_or(acknowledged);
        }
        assert!(!child.ends_well());

        assert_sound(&mut raw(&file).await).await;
        let journal = open(&file).await;
        let events = load(&journal, &run).await;
        let stored = events.len() as u64;
        assert!(events.iter().map(|event| event.seq.0).eq(1..=stored));
        assert!(
            stored == acknowledged || stored == acknowledged + STEP,
            "{stored} of {acknowledged}"
        );
        assert_eq!(journal.row(run.id()).await.unwrap().unwrap().seq.0, stored);
        unheard += u32::from(stored > acknowledged);
    }
    println!("{unheard} of 20 kills fell between commit and acknowledgement");
}
