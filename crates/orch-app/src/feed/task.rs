//! The task behind one sink: it notes at once what has happened, and tells it as fast as the sink takes it.

use std::pin::pin;

use orch_supervisor::Lifecycle;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;

use super::teller::Teller;
use super::waiting::Waiting;

/// Runs until all is told that has happened before `finish`. Returns how many events could not be told.
pub(super) async fn feed(
    mut events: UnboundedReceiver<Lifecycle>,
    mut teller: Teller,
    mut finish: oneshot::Receiver<()>,
) -> usize {
    let (mut waiting, mut lost, mut is_ending) = (Waiting::default(), 0, false);
    loop {
        let Some(due) = waiting.next() else {
            if is_ending {
                return lost;
            }
            tokio::select! {
                // What happened before the end was asked for is noted before that is seen.
                biased;
                news = events.recv() => match news {
                    Some(news) => waiting.note(&news),
                    None => is_ending = true,
                },
                _ = &mut finish => is_ending = true,
            }
            continue;
        };
        let mut telling = pin!(teller.tell(due));
        lost += loop {
            tokio::select! {
                // Events are in memory until they are noted.
                biased;
                Some(news) = events.recv() => waiting.note(&news),
                lost = &mut telling => break lost,
            }
        };
    }
}
