//! Following a run while its store may be lost.

use std::time::Duration;

use orch_supervisor::{Lifecycle, Supervisor};
use tokio::sync::broadcast::Receiver;

use crate::error::CliError;
use crate::follow::{End, Following};
use crate::session::Session;
use crate::signals::Signals;

/// How long attempts get to end when the store is lost.
const GRACE: Duration = Duration::from_secs(5);

/// Follows a run to its end. When its store is lost meanwhile, what runs is stopped, and the error says what happened: an end that
/// nobody can read any more is none.
pub(super) async fn to_the_end(
    session: &Session,
    supervisor: &Supervisor,
    following: Following<'_>,
    events: Receiver<Lifecycle>,
    signals: &mut Signals,
) -> Result<End, CliError> {
    let run = following.run;
    let watched = tokio::select! {
        end = following.until_the_end(events, signals) => match (end, session.stores.check().await) {
            (Ok(End::Killed), _) => {
                session.stores.leave_open();
                return Ok(End::Killed);
            }
            (end, Ok(())) => Ok(end),
            (_, Err(lost)) => Err(lost),
        },
        lost = session.stores.lost() => Err(lost),
    };
    match watched {
        Ok(end) => end,
        Err(lost) => {
            tokio::select! {
                () = supervisor.shutdown(GRACE) => {}
                () = signals.next() => {}
            }
            Err(CliError::StoreLost { run, lost })
        }
    }
}
