//! What is particular about the SQL of PostgreSQL.

use sqlx::Postgres;

use crate::sql::{Dialect, dialect_functions};

impl Dialect for Postgres {
    const BEGIN_READ: &'static str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
    const BEGIN_WRITE: &'static str = "BEGIN ISOLATION LEVEL READ COMMITTED";
    const FIND_TABLE: &'static str = "SELECT CAST(to_regclass($1) AS TEXT)";
    const BODY: &'static str = "convert_to(body, 'UTF8')";
    const LIST: &'static str = "json_array_elements($1::json) AS u (value)";
    /// A statement that has waited for the lock sees the new row of a run and not its new event, so the row's digest stands in.
    const HEADS: &'static str = "SELECT r.id, r.run, r.seq, r.epoch, r.phase, coalesce( \
         (SELECT encode(e.digest, 'hex') FROM orch_events AS e WHERE e.run = r.id AND e.seq = r.seq), \
         r.digest) FROM {list} \
         JOIN orch_runs AS r ON r.run = u.value ->> 0 \
         ORDER BY r.run FOR UPDATE OF r";
    /// Does not wait for the disk: the server writes its log in order, so the commit of the append that names the blob makes what was
    /// committed before it durable, too.
    const INSERT_PIECE: &'static str = "WITH unhurried AS (SELECT set_config('synchronous_commit', 'off', true)) \
         INSERT INTO orch_blobs (hash, piece, bytes) SELECT $1, $2, $3 FROM unhurried \
         ON CONFLICT DO NOTHING";
    /// Writers wait for each other here, so that they cannot do so in a circle.
    const LOCK_MEMORY: Option<&'static str> =
        Some("SELECT pg_advisory_xact_lock(hashtextextended('orch memory', 0))");
    const SUMMARIES: &'static str = "SELECT task_type, '{' || string_agg(to_json(worker)::text || ':' || summary, ',') || '}' \
         FROM orch_worker_stats WHERE project = $1 AND summary <> 'null' GROUP BY task_type";
    const VACUUM: &'static [&'static str] = &[
        "VACUUM (ANALYZE) orch_folded, orch_worker_stats, orch_task_stats, orch_past, orch_rulings, orch_untold",
    ];

    dialect_functions!();
}
