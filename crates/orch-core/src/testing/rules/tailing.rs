//! Hearing of what other writers append. A call may wake for nothing, so the rules ask for more until they see the append;
//! a wake-up that was lost never ends.

use futures_util::FutureExt;
use futures_util::future::join;

use super::append;
use crate::RunId;
use crate::journal::Journal;
use crate::testing::{SampleRun, Writers};

const ROUNDS: u64 = 10;

async fn head(journal: &dyn Journal, run: RunId) -> u64 {
    journal.heads(&[run]).await.expect("the journal reads").first().map_or(0, |(_, seq)| seq.0)
}

async fn heard(journal: &dyn Journal) {
    journal.foreign_change().await.expect("the journal listens");
}

async fn hears_of(journal: &dyn Journal, run: RunId, seq: u64) {
    while head(journal, run).await < seq {
        heard(journal).await;
    }
}

/// A writer that waits is woken by another's append, in both directions and again and again.
pub async fn foreign_appends_wake_who_waits(writers: &Writers) {
    let run = SampleRun::new(1);
    for seq in 0..ROUNDS {
        let [listener, writer] = writers.both();
        let (listener, writer) = if seq % 2 == 0 { (listener, writer) } else { (writer, listener) };
        // Listening begins before the append, since `join` polls in order.
        join(
            async {
                heard(listener).await;
                hears_of(listener, run.id(), seq + 1).await;
            },
            append(writer, run.step(seq, 1)),
        )
        .await;
    }
}

/// An append between two calls, after the caller has looked, wakes the second call; own appends beside it change nothing.
pub async fn foreign_appends_between_calls_are_not_lost(writers: &Writers) {
    let (run, own) = (SampleRun::new(1), SampleRun::new(2));
    for seq in 0..ROUNDS {
        append(&*writers.second, run.step(seq, 1)).await;
        append(&*writers.first, own.step(seq, 1)).await;
        heard(&*writers.first).await;
        hears_of(&*writers.first, run.id(), seq + 1).await;
    }
}

/// A call that was given up has taken no news with it.
pub async fn foreign_appends_survive_a_dropped_call(writers: &Writers) {
    let run = SampleRun::new(1);
    for seq in 0..ROUNDS {
        // Given up after one poll, before the append and after it: either a call has answered, or the next one must.
        let _ = writers.first.foreign_change().now_or_never();
        append(&*writers.second, run.step(seq, 1)).await;
        let answered = writers.first.foreign_change().now_or_never();
        if answered.is_none() {
            heard(&*writers.first).await;
        }
        hears_of(&*writers.first, run.id(), seq + 1).await;
    }
}
