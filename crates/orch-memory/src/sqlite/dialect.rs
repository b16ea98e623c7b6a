//! What is particular about the SQL of SQLite.

use sqlx::Sqlite;

use crate::sql::{Dialect, dialect_functions};

impl Dialect for Sqlite {
    const BEGIN_READ: &'static str = "BEGIN";
    /// With the lock on the file from the start: one that it gets later could be refused.
    const BEGIN_WRITE: &'static str = "BEGIN IMMEDIATE";
    const LOCK_MEMORY: Option<&'static str> = None;
    const SUMMARIES: &'static str = "SELECT task_type, '{' || string_agg(json_quote(worker) || ':' || summary, ',') || '}' \
         FROM orch_worker_stats WHERE project = $1 AND summary <> 'null' GROUP BY task_type";
    const VACUUM: &'static [&'static str] = &["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"];

    dialect_functions!();
}
