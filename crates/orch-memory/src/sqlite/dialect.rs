//! What is particular about the SQL of SQLite.

use sqlx::Sqlite;

use crate::sql::{Dialect, dialect_functions};

impl Dialect for Sqlite {
    const BEGIN_READ: &'static str = "BEGIN";
    /// With the lock on the file from the start: one that it gets later could be refused.
    const BEGIN_WRITE: &'static str = "BEGIN IMMEDIATE";
    const FIND_TABLE: &'static str =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1";
    const BODY: &'static str = "CAST(body AS BLOB)";
    const LIST: &'static str = "json_each($1) AS u";
    /// Begins the transaction, too: every statement costs a change of threads.
    const HEADS: &'static str = "BEGIN IMMEDIATE; \
         SELECT r.id, r.run, r.seq, r.epoch, r.phase, coalesce( \
         (SELECT lower(hex(e.digest)) FROM orch_events AS e WHERE e.run = r.id AND e.seq = r.seq), \
         r.digest) FROM {list} \
         JOIN orch_runs AS r ON r.run = u.value ->> 0";
    const INSERT_PIECE: &'static str =
        "INSERT INTO orch_blobs (hash, piece, bytes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    const LOCK_MEMORY: Option<&'static str> = None;
    const SUMMARIES: &'static str = "SELECT task_type, '{' || string_agg(json_quote(worker) || ':' || summary, ',') || '}' \
         FROM orch_worker_stats WHERE project = $1 AND summary <> 'null' GROUP BY task_type";
    const VACUUM: &'static [&'static str] = &["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"];

    dialect_functions!();
}
