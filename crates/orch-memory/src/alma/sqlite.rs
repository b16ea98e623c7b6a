//! Reading ALMA's SQLite file: a connection per question, as ALMA has one per operation. Nothing is locked, nothing is cached.

use std::path::Path;
use std::time::Duration;

use orch_core::BoxError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::row::{Kind, LOOKED_AT, Row, Wanted};

/// How long to wait for ALMA, which may be recovering the file.
const PATIENCE: Duration = Duration::from_secs(1);

/// What every statement is given: the project, its agents, the type of the task, and how many rows are looked at. Outcomes that orch
/// has written have types of their own, so they are not among them: what they say is in learned memory.
const fn statement(kind: Kind) -> &'static str {
    match kind {
        Kind::Heuristic => {
            "SELECT json_object('condition', condition, 'strategy', strategy, 'confidence', confidence) \
             FROM heuristics WHERE project_id = ?1 AND agent IN (SELECT value FROM json_each(?2)) \
             AND (condition = 'task type: ' || ?3 OR condition NOT LIKE 'task type: %') \
             ORDER BY created_at DESC LIMIT ?4"
        }
        Kind::Outcome => {
            "SELECT json_object('task_description', task_description, 'strategy_used', strategy_used, \
             'error_message', error_message, 'success', json(iif(success, 'true', 'false'))) \
             FROM outcomes WHERE project_id = ?1 AND agent IN (SELECT value FROM json_each(?2)) \
             AND coalesce(task_type, 'general') = ?3 ORDER BY timestamp DESC LIMIT ?4"
        }
        Kind::Preference => {
            "SELECT json_object('preference', preference, 'confidence', confidence) \
             FROM preferences ORDER BY timestamp DESC LIMIT ?4"
        }
        Kind::Knowledge => {
            "SELECT json_object('domain', domain, 'fact', fact, 'confidence', confidence) \
             FROM domain_knowledge WHERE project_id = ?1 AND agent IN (SELECT value FROM json_each(?2)) \
             ORDER BY last_verified DESC LIMIT ?4"
        }
        Kind::AntiPattern => {
            "SELECT json_object('pattern', pattern, 'why_bad', why_bad, 'better_alternative', better_alternative) \
             FROM anti_patterns WHERE project_id = ?1 AND agent IN (SELECT value FROM json_each(?2)) \
             ORDER BY last_seen DESC LIMIT ?4"
        }
    }
}

/// Returns the rows that are wanted, the newest first; none where there is no file yet.
pub(super) async fn read(file: &Path, wanted: &Wanted<'_>) -> Result<Vec<(Kind, Row)>, BoxError> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    let options = SqliteConnectOptions::new()
        .filename(file)
        .read_only(true)
        .busy_timeout(PATIENCE)
        .disable_statement_logging();
    let mut conn = options.connect().await?;
    let read = read_all(&mut conn, wanted).await;
    // Also after a failure: what is only dropped may be open still when the process ends.
    conn.close().await?;
    read
}

async fn read_all(
    conn: &mut SqliteConnection,
    wanted: &Wanted<'_>,
) -> Result<Vec<(Kind, Row)>, BoxError> {
    let agents = serde_json::to_string(wanted.agents)?;
    let mut all = Vec::new();
    for kind in Kind::ALL {
        let rows = rows(conn, kind, wanted, &agents).await?;
        all.extend(rows.into_iter().map(|row| (kind, row)));
    }
    Ok(all)
}

async fn rows(
    conn: &mut SqliteConnection,
    kind: Kind,
    wanted: &Wanted<'_>,
    agents: &str,
) -> Result<Vec<Row>, BoxError> {
    let rows: Vec<String> = sqlx::query_scalar(statement(kind))
        .bind(wanted.project_id)
        .bind(agents)
        .bind(wanted.task_type)
        .bind(i64::try_from(LOOKED_AT)?)
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| Ok(serde_json::from_str(row)?)).collect()
}
