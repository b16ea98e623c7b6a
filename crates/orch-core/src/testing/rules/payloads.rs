//! What is stored comes back as it was: blobs and events.

use std::sync::Arc;

use super::{append, load, refused};
use crate::journal::{Append, Blob, Journal, JournalError};
use crate::learned::Priors;
use crate::testing::{SampleRun, Writers, sample_events, sample_plan};
use crate::{Event, Seq};

fn with_blobs(run: &SampleRun, expected: u64, blobs: &[Blob]) -> Append {
    run.step(expected, 1).with_blobs(blobs.to_vec())
}

async fn holds(journal: &dyn Journal, blob: &Blob) {
    let bytes = journal.blob(blob.name).await.expect("the blob is there");
    assert!(bytes == *blob.bytes, "blob of {} bytes came back as {}", blob.name.size, bytes.len());
}

/// Blobs come back byte by byte: an empty one, every byte, lengths around 1 MiB, 3 MiB; also when stored twice.
pub async fn blobs_round_trip(writers: &Writers) {
    const MIB: usize = 1 << 20;
    let run = SampleRun::new(1);
    let blob = |length: usize| Blob::new((0..length).map(|i| (i % 251) as u8).collect::<Vec<_>>());
    let mut blobs: Vec<_> =
        [0, 1, 300, MIB - 1, MIB, MIB + 1, 3 * MIB].into_iter().map(blob).collect();
    blobs.push(Blob::new((0..=u8::MAX).collect::<Vec<_>>()));
    append(&*writers.first, with_blobs(&run, 0, &blobs)).await;
    append(&*writers.second, with_blobs(&run, 1, &blobs[2..4])).await;
    append(&*writers.first, with_blobs(&SampleRun::new(2), 0, &blobs[..1])).await;
    for journal in writers.both() {
        for blob in &blobs {
            holds(journal, blob).await;
        }
    }
}

/// A blob that was never stored is refused by name.
pub async fn unknown_blobs_are_named(writers: &Writers) {
    let unknown = Blob::new(*b"unknown").name;
    let error = writers.first.blob(unknown).await.expect_err("there is no such blob");
    assert!(matches!(error, JournalError::NoBlob(name) if name == unknown), "{error:?}");
}

/// A refused append may leave its blobs behind; a later append that names them still works.
pub async fn blobs_of_refused_appends_do_no_harm(writers: &Writers) {
    let run = SampleRun::new(1);
    let blobs = [Blob::new(*b"one"), Blob::new(*b"two")];
    refused(writers.first.append(with_blobs(&run, 5, &blobs)).await);
    append(&*writers.second, with_blobs(&run, 0, &blobs)).await;
    for blob in &blobs {
        holds(&*writers.first, blob).await;
    }
}

/// Appends `events` in one piece and compares what is loaded: as values, and as text, since keys keep their order.
async fn round_trips(writers: &Writers, events: Vec<Event>) {
    let run = SampleRun::new(1);
    append(&*writers.first, run.append(0, events.clone())).await;
    for journal in writers.both() {
        let loaded = load(journal, run.id(), 0).await;
        assert_eq!(loaded.len(), events.len());
        for ((seq, loaded), event) in loaded.iter().zip(&events) {
            assert_eq!(loaded, event, "event {seq}");
            let text = |event| serde_json::to_string(event).expect("events have a JSON form");
            assert_eq!(text(loaded), text(event), "event {seq}");
        }
    }
}

/// Every kind of event comes back exactly.
pub async fn every_event_round_trips_exactly(writers: &Writers) {
    round_trips(writers, sample_events()).await;
}

/// So does a plan of 2,000 subtasks.
pub async fn large_plans_round_trip_exactly(writers: &Writers) {
    let add = Arc::new(sample_plan(2_000));
    round_trips(
        writers,
        vec![Event::PlanAdopted {
            revision: 1,
            base_seq: Seq(0),
            retire: Vec::new(),
            add,
            priors: Priors::default(),
        }],
    )
    .await;
}
