//! Writing into ALMA's SQLite file, as ALMA does: its own tables, which must be there, and nothing else of the file.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use orch_core::BoxError;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::told::{Outcome, PREFIX, Told, Workflow};
use crate::sqlite::is_busy;

/// How long to wait for ALMA's write transaction: as long as ALMA waits for ours.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why ALMA was not told. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// Somebody else is writing: try again.
    #[error("ALMA's file is in use")]
    Busy(#[source] sqlx::Error),
    /// There is no such file, or it has another shape: trying again is of no use.
    #[error("ALMA's file does not take it")]
    Refused(#[source] BoxError),
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> Self {
        if is_busy(&error) { Self::Busy(error) } else { Self::Refused(error.into()) }
    }
}

/// Writes what is not there yet, in one transaction. With `dimension`, each outcome gets a vector as ALMA's provider `mock` makes
/// them, unless the file has others: one of another length would break every search of ALMA.
pub(super) async fn write(
    file: &Path,
    project_id: &str,
    dimension: Option<u32>,
    told: &Told,
) -> Result<(), WriteError> {
    let mut conn = connect(file).await?;
    let written = write_all(&mut conn, project_id, dimension, told).await;
    // Also after a failure: what is only dropped may be open still when the process ends.
    conn.close().await?;
    written
}

async fn write_all(
    conn: &mut SqliteConnection,
    project_id: &str,
    dimension: Option<u32>,
    told: &Told,
) -> Result<(), WriteError> {
    let mut transaction = conn.begin_with("BEGIN IMMEDIATE").await?;
    let dimension = match dimension {
        Some(dimension) => fitting(&mut transaction, dimension).await?,
        None => None,
    };
    for outcome in &told.outcomes {
        insert_outcome(&mut transaction, project_id, outcome).await?;
        if let Some(dimension) = dimension {
            insert_vector(&mut transaction, outcome, dimension).await?;
        }
    }
    if let Some(workflow) = &told.workflow {
        insert_workflow(&mut transaction, project_id, workflow).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Returns how many outcomes of a project orch has written, and how many of them have a vector.
pub(super) async fn count(file: &Path, project_id: &str) -> Result<(u64, u64), WriteError> {
    let mut conn = connect(file).await?;
    let counted = sqlx::query_as(
        "SELECT count(*), count(e.id) FROM outcomes AS o LEFT JOIN embeddings AS e \
         ON e.memory_type = 'outcomes' AND e.memory_id = o.id \
         WHERE o.project_id = ? AND o.task_type LIKE ? || '%'",
    )
    .bind(project_id)
    .bind(PREFIX)
    .fetch_one(&mut conn)
    .await;
    conn.close().await?;
    let (outcomes, vectors): (i64, i64) = counted?;
    Ok((outcomes.cast_unsigned(), vectors.cast_unsigned()))
}

async fn connect(file: &Path) -> Result<SqliteConnection, WriteError> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(false)
        .busy_timeout(PATIENCE)
        .disable_statement_logging();
    Ok(options.connect().await?)
}

/// Returns the dimension unless the vectors of outcomes that are there have another.
async fn fitting(conn: &mut SqliteConnection, dimension: u32) -> Result<Option<u32>, sqlx::Error> {
    let bytes: Option<i64> = sqlx::query_scalar(
        "SELECT length(embedding) FROM embeddings WHERE memory_type = 'outcomes' LIMIT 1",
    )
    .fetch_optional(conn)
    .await?;
    Ok(Some(dimension).filter(|_| bytes.is_none_or(|bytes| bytes == 4 * i64::from(dimension))))
}

async fn insert_outcome(
    conn: &mut SqliteConnection,
    project_id: &str,
    outcome: &Outcome,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO outcomes (id, agent, project_id, task_type, task_description, success, \
         strategy_used, duration_ms, timestamp, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(&outcome.id)
    .bind(outcome.agent.as_str())
    .bind(project_id)
    .bind(&outcome.task_type)
    .bind(&outcome.task_description)
    .bind(outcome.success)
    .bind(&outcome.strategy_used)
    .bind(outcome.duration_ms.cast_signed())
    .bind(time(outcome.at))
    .bind(outcome.metadata.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_vector(
    conn: &mut SqliteConnection,
    outcome: &Outcome,
    dimension: u32,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO embeddings (memory_type, memory_id, embedding) VALUES ('outcomes', ?, ?) \
         ON CONFLICT (memory_type, memory_id) DO NOTHING",
    )
    .bind(&outcome.id)
    .bind(mock_vector(&outcome.embedded(), dimension))
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_workflow(
    conn: &mut SqliteConnection,
    project_id: &str,
    workflow: &Workflow,
) -> Result<(), sqlx::Error> {
    let run = workflow.run.to_string();
    sqlx::query(
        "INSERT INTO workflow_outcomes (id, workflow_id, run_id, agent, project_id, result, summary, \
         strategies_used, successful_patterns, failed_patterns, extracted_heuristics, \
         extracted_anti_patterns, duration_seconds, node_count, error_message, metadata, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, '[]', '[]', '[]', '[]', '[]', ?, ?, ?, ?, ?) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(&run)
    .bind(&workflow.workflow_id)
    .bind(&run)
    .bind(&workflow.agent)
    .bind(project_id)
    .bind(workflow.result)
    .bind(&workflow.summary)
    .bind(workflow.duration_seconds)
    .bind(workflow.node_count)
    .bind(&workflow.error_message)
    .bind(workflow.metadata.to_string())
    .bind(time(workflow.at))
    .execute(conn)
    .await?;
    Ok(())
}

/// A time as ALMA writes it: ALMA sorts them as text.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

/// The vector that ALMA's provider `mock` makes of a text: byte `i mod 32` of its SHA-256 as a number from -1 to 1, in little-endian
/// `f32`.
fn mock_vector(text: &str, dimension: u32) -> Vec<u8> {
    let hash = Sha256::digest(text.as_bytes());
    let numbers = hash.iter().map(|byte| (f64::from(*byte) / 127.5 - 1.0) as f32);
    numbers.cycle().take(dimension as usize).flat_map(f32::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_alma_does() {
        for (at, expected) in [
            ("2026-11-24T12:02:18.628462Z", "2026-11-24T12:02:18.628462+00:00"),
            ("2026-11-24T12:02:18Z", "2026-11-24T12:02:18.000000+00:00"),
            ("2026-11-24T12:02:18.0000019Z", "2026-11-24T12:02:18.000001+00:00"),
        ] {
            assert_eq!(time(at.parse().unwrap()), expected);
        }
    }
}
