//! A file that cannot grow: the append fails, all before it stays.

use std::path::Path;

use orch_core::Journal;
use orch_core::journal::AppendError;
use orch_core::testing::SampleRun;

use crate::children::{Worker, say};
use crate::support::{TempFile, assert_sound, labelled, load, open, raw};

/// The child: appends until it fails, and says how far it came.
pub(crate) async fn append_until_full(file: &Path) {
    let run = SampleRun::new(1);
    let journal = open(file).await;
    for last in 0_u64.. {
        let append = run.append(last, vec![labelled("x".repeat(10_000))]);
        let Err(error) = journal.append(append).await else { continue };
        assert!(matches!(error, AppendError::Store { .. }), "{error:?}");
        assert_eq!(load(&journal, &run).await.len() as u64, last);
        say(last);
        return;
    }
}

#[tokio::test]
async fn a_full_disk_fails_appends_and_harms_nothing() {
    let (file, run) = (TempFile::new(), SampleRun::new(1));
    let mut child = Worker::start_limited("append_until_full", file.path(), 1_024);
    let last: u64 = child.hear().unwrap().parse().unwrap();
    assert!(child.ends_well());
    assert!(last > 10, "{last}");
    assert_sound(&mut raw(&file).await).await;
    let journal = open(&file).await;
    assert_eq!(load(&journal, &run).await.len() as u64, last);
    journal.append(run.step(last, 1)).await.unwrap();
}
