//! Tells a sink what is due, from the journal.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use orch_core::RunId;
use orch_core::journal::{Journal, JournalError};

use super::Sink;
use super::envelope::Narrator;
use super::waiting::Due;

/// How long a store that has failed is left alone.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// Tells one sink.
pub(super) struct Teller {
    journal: Arc<dyn Journal>,
    sink: Box<dyn Sink>,
    /// How far runs are told that are not over.
    narrators: BTreeMap<RunId, Narrator>,
}

impl Teller {
    pub(super) fn new(journal: Arc<dyn Journal>, sink: Box<dyn Sink>) -> Self {
        Self { journal, sink, narrators: BTreeMap::new() }
    }

    /// Tells what is due of a run. Returns how many events could not be told.
    pub(super) async fn tell(&mut self, due: Due) -> usize {
        let known = self.narrators.remove(&due.run);
        // What happened before the run was met is not told, but says who is who.
        let first = known.as_ref().map_or(due.first, |narrator| narrator.seq.next());
        let mut narrator = known.unwrap_or_else(|| Narrator::new(due.run, due.project));
        let mut told = Vec::new();
        if narrator.seq < due.last {
            match patiently(due.run, || self.journal.load(due.run, narrator.seq)).await {
                Ok(events) => {
                    for recorded in &events {
                        let event = narrator.tell(recorded);
                        told.extend((recorded.seq >= first).then_some(event));
                    }
                }
                Err(error) => {
                    tracing::warn!(run = %due.run, %error, "the events of a run cannot be read, and are not told");
                }
            }
        }
        // More than was due when others have gone on with the run meanwhile; less when it cannot be read.
        let missing = (due.last.next().0).saturating_sub(first.0.max(narrator.seq.next().0));
        if !due.is_over && missing == 0 {
            self.narrators.insert(due.run, narrator);
        }
        let lost = if told.is_empty() { 0 } else { self.sink.deliver(told).await };
        lost + usize::try_from(missing).unwrap_or(usize::MAX)
    }
}

/// Asks a store until it answers: what it cannot do now it may do later.
async fn patiently<T, F: Future<Output = Result<T, JournalError>>>(
    run: RunId,
    mut ask: impl FnMut() -> F,
) -> Result<T, JournalError> {
    loop {
        match ask().await {
            Err(error @ JournalError::Store { .. }) => {
                tracing::warn!(%run, %error, "the events of a run cannot be read; they are told later");
                tokio::time::sleep(RETRY_DELAY).await;
            }
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use orch_core::Seq;
    use orch_core::journal::MemoryJournal;
    use orch_core::testing::SampleRun;

    use super::super::LifecycleEvent;
    use super::*;

    struct Nowhere;

    #[async_trait]
    impl Sink for Nowhere {
        async fn deliver(&mut self, _: Vec<LifecycleEvent>) -> usize {
            0
        }
    }

    fn due(of: &SampleRun, first: u64, last: u64, is_over: bool) -> Due {
        let (run, project) = (of.head.run, of.head.project.clone());
        Due { run, project, first: Seq(first), last: Seq(last), is_over }
    }

    #[tokio::test]
    async fn what_is_not_there_is_counted_and_what_is_over_is_forgotten() {
        let (journal, run) = (MemoryJournal::new(), SampleRun::new(1));
        journal.append(run.step(0, 5)).await.unwrap();
        let mut teller = Teller::new(Arc::new(journal), Box::new(Nowhere));
        for (due, lost, known) in [
            (due(&SampleRun::new(2), 3, 7, false), 5, 0),
            (due(&run, 2, 3, false), 0, 1),
            // The journal had them all by then.
            (due(&run, 4, 5, true), 0, 0),
            (due(&run, 4, 8, false), 3, 0),
        ] {
            let case = format!("{due:?}");
            assert_eq!(teller.tell(due).await, lost, "{case}");
            assert_eq!(teller.narrators.len(), known, "{case}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_fails_is_asked_again_and_one_that_is_damaged_is_not() {
        let run = RunId::new(jiff::Timestamp::UNIX_EPOCH, 0);
        let mut answers = vec![Ok(7), Err(failed()), Err(failed())];
        let answer = patiently(run, || std::future::ready(answers.pop().unwrap())).await;
        assert_eq!(answer.unwrap(), 7);
        let damaged =
            || JournalError::Corrupt { what: "event 1".to_owned(), reason: "no JSON".to_owned() };
        let answer = patiently(run, || std::future::ready(Err::<(), _>(damaged()))).await;
        assert_eq!(answer.unwrap_err().to_string(), damaged().to_string());
    }

    fn failed() -> JournalError {
        JournalError::Store { doing: "load run x".to_owned(), source: "it is away".into() }
    }
}
