//! What is particular about the SQL of PostgreSQL.

use sqlx::Postgres;

use crate::sql::{Dialect, dialect_functions};

impl Dialect for Postgres {
    const BEGIN_READ: &'static str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
    const BEGIN_WRITE: &'static str = "BEGIN ISOLATION LEVEL READ COMMITTED";
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
