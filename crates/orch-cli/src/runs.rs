//! Which run is meant.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use orch_core::journal::{Journal, RunFilter};
use orch_core::{ProjectId, RunId, RunStatus};
use orch_memory::LearnedMemory;

use crate::error::CliError;
use crate::text;

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
    only(prefix, begin_with(journal, prefix).await?)
}

/// Finds the run whose id begins with `prefix`, also when only memory knows it: runs come there by imports, too.
pub(crate) async fn find_remembered(
    journal: &dyn Journal,
    memory: &LearnedMemory,
    project: &ProjectId,
    prefix: &str,
) -> Result<RunId, CliError> {
    if prefix == LATEST {
        return find(journal, None).await;
    }
    let mut found = begin_with(journal, prefix).await?;
    found.extend(memory.runs(project, &prefix.to_lowercase()).await?);
    only(prefix, found)
}

/// The runs of the journal whose ids begin so, each with its task.
async fn begin_with(
    journal: &dyn Journal,
    prefix: &str,
) -> Result<BTreeMap<RunId, String>, CliError> {
    let filter = RunFilter::new().with_prefix(prefix.to_lowercase()).with_limit(LISTED);
    let rows = journal.rows(&filter).await?;
    Ok(rows.into_iter().map(|row| (row.head.run, row.head.description)).collect())
}

fn only(prefix: &str, found: BTreeMap<RunId, String>) -> Result<RunId, CliError> {
    let mut runs = found.keys();
    match (runs.next(), runs.next()) {
        (None, _) => Err(CliError::UnknownRun(prefix.to_owned())),
        (Some(run), None) => Ok(*run),
        (Some(_), Some(_)) => Err(CliError::AmbiguousRun {
            prefix: prefix.to_owned(),
            // The newest first, as their ids begin with the time.
            candidates: found
                .iter()
                .rev()
                .map(|(run, task)| format!("  {run}  {}", text::shown(task)))
                .collect(),
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

/// Returns how a run of any process stands, also after this process has stopped to carry it out.
pub(crate) async fn status(store: &Arc<dyn Journal>, run: RunId) -> Result<RunStatus, CliError> {
    let reader = orch_app::reader(store.clone());
    let status = reader.status(run).await;
    reader.shutdown(Duration::ZERO).await;
    Ok(status?)
}
