//! Which run is meant.

use std::sync::Arc;
use std::time::Duration;

use orch_core::journal::{Journal, RunFilter, RunRow};
use orch_core::{ProjectId, RunId, RunStatus};
use orch_supervisor::Supervisor;

use crate::error::CliError;

/// What stands for the newest run, for when something follows it.
const LATEST: &str = "latest";
/// The most candidates that are listed.
const LISTED: u32 = 20;

/// Finds the run whose id begins with `prefix`; the newest when nothing, or `latest`, is given.
pub(crate) async fn find(journal: &dyn Journal, prefix: Option<&str>) -> Result<RunId, CliError> {
    let Some(prefix) = prefix.filter(|prefix| *prefix != LATEST) else {
        let newest = journal.rows(&RunFilter::new().with_limit(1_u32)).await?;
        return newest.first().map(|row| row.head.run).ok_or(CliError::NoRuns);
    };
    let lower = prefix.to_lowercase();
    let rows = journal.rows(&RunFilter::new().with_prefix(lower).with_limit(LISTED)).await?;
    match rows.as_slice() {
        [] => Err(CliError::UnknownRun(prefix.to_owned())),
        [only] => Ok(only.head.run),
        several => Err(CliError::AmbiguousRun {
            prefix: prefix.to_owned(),
            candidates: several.iter().map(candidate).collect(),
        }),
    }
}

/// Finds the run whose id begins with `prefix`; the newest open one of a project when nothing, or `latest`, is given.
pub(crate) async fn find_open(
    journal: &dyn Journal,
    project: &ProjectId,
    prefix: Option<&str>,
) -> Result<RunId, CliError> {
    if prefix.is_some_and(|prefix| prefix != LATEST) {
        return find(journal, prefix).await;
    }
    let open = RunFilter::new().with_project(project.clone()).with_open(true).with_limit(1_u32);
    journal.rows(&open).await?.first().map(|row| row.head.run).ok_or(CliError::NoOpenRun)
}

/// Returns how a run stands, whoever carries it out; also after this process has stopped to.
pub(crate) async fn status(store: &Arc<dyn Journal>, run: RunId) -> Result<RunStatus, CliError> {
    let reader = Supervisor::builder().journal(store.clone()).build();
    let status = reader.status(run).await;
    reader.shutdown(Duration::ZERO).await;
    Ok(status?)
}

fn candidate(row: &RunRow) -> String {
    format!("  {}  {}", row.head.run, row.head.description)
}
