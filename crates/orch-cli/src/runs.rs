//! Which run is meant.

use orch_core::RunId;
use orch_core::journal::{Journal, RunFilter, RunRow};

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

fn candidate(row: &RunRow) -> String {
    format!("  {}  {}", row.head.run, row.head.description)
}
