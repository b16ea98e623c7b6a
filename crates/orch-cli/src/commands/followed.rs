//! Following a run while its store may be lost.

use orch_app::Signals;
use orch_supervisor::{Lifecycle, Supervisor};
use tokio::sync::broadcast::Receiver;

use crate::error::CliError;
use crate::follow::{End, Following, GRACE};
use crate::session::Session;

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
        end = following.until_the_end(events, signals) => match end {
            // There is no time left, or a store that does not answer.
            Ok(end @ (End::Killed | End::NotWritten)) => {
                session.stores.leave_open();
                return Ok(end);
            }
            end => session.stores.check().await.map(|()| end),
        },
        lost = session.stores.lost() => Err(lost),
    };
    match watched {
        Ok(end) => end,
        Err(lost) => {
            // Those who have no time leave.
            signals.stop();
            signals.within_time(supervisor.shutdown(GRACE)).await;
            Err(CliError::StoreLost { run, lost })
        }
    }
}
