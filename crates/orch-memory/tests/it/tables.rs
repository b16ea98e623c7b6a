//! The tables of both databases are the same: names, columns, types by meaning, keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::Journal;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::support::{TempFile, TestDatabase, memory_at, open_at, raw};

/// What stands for the hidden column of SQLite.
const ROWID: &str = "rowid";

/// Columns by table, in order: name, type, whether it may be null, place in the primary key.
type Tables = BTreeMap<String, Vec<(String, String, bool, i64)>>;

async fn of_sqlite(conn: &mut SqliteConnection) -> Tables {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'orch\\_%' ESCAPE '\\'",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    let mut tables = Tables::new();
    for name in names {
        let columns: Vec<(String, String, bool, i64)> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT name, type, NOT \"notnull\", pk FROM pragma_table_xinfo('{name}') ORDER BY cid"
        )))
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        tables.insert(name, columns);
    }
    tables
}

async fn of_postgres(conn: &mut PgConnection) -> Tables {
    let rows: Vec<(String, String, String, bool, i64)> = sqlx::query_as(
        "SELECT c.table_name::text, c.column_name::text, CASE c.data_type WHEN 'text' THEN 'TEXT' \
         WHEN 'bigint' THEN 'INTEGER' WHEN 'bytea' THEN 'BLOB' WHEN 'double precision' THEN 'REAL' \
         ELSE c.data_type END, c.is_nullable = 'YES', coalesce(k.ordinal_position, 0)::bigint \
         FROM information_schema.columns AS c LEFT JOIN information_schema.key_column_usage AS k \
         USING (table_schema, table_name, column_name) \
         WHERE c.table_schema = 'public' AND c.table_name LIKE 'orch\\_%' AND c.column_name <> $1 \
         ORDER BY c.table_name, c.ordinal_position",
    )
    .bind(ROWID)
    .fetch_all(conn)
    .await
    .unwrap();
    let mut tables = Tables::new();
    for (table, column, kind, nullable, key) in rows {
        tables.entry(table).or_default().push((column, kind, nullable, key));
    }
    tables
}

#[tokio::test]
async fn both_databases_have_the_same_tables() {
    let Some(database) = TestDatabase::create() else { return };
    let file = TempFile::new();
    for place in [file.place().to_owned(), database.url()] {
        let journal: Arc<dyn Journal> = open_at(&place).await.into();
        memory_at(&place, &journal).await;
        journal.close().await;
    }
    let sqlite = of_sqlite(&mut raw(&file).await).await;
    let postgres = of_postgres(&mut PgConnection::connect(&database.url()).await.unwrap()).await;
    assert!(sqlite.len() >= 11, "{sqlite:?}");
    assert_eq!(
        sqlite.keys().collect::<Vec<_>>(),
        postgres.keys().collect::<Vec<_>>(),
        "the same tables"
    );
    for (table, columns) in &sqlite {
        assert_eq!(columns, &postgres[table], "{table}");
    }
}

/// All rows of all tables as text, sorted.
pub(crate) async fn sqlite_rows(conn: &mut SqliteConnection) -> Vec<String> {
    let mut rows = Vec::new();
    for (table, columns) in of_sqlite(conn).await {
        let sql = selection(&table, &columns, |column| format!("hex({column})"));
        let found: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *conn).await.unwrap();
        rows.extend(found);
    }
    rows.sort();
    rows
}

/// All rows of all tables as text, sorted.
pub(crate) async fn postgres_rows(conn: &mut PgConnection) -> Vec<String> {
    let mut rows = Vec::new();
    for (table, columns) in of_postgres(conn).await {
        let sql = selection(&table, &columns, |column| format!("upper(encode({column}, 'hex'))"));
        let found: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *conn).await.unwrap();
        rows.extend(found);
    }
    rows.sort();
    rows
}

fn selection(
    table: &str,
    columns: &[(String, String, bool, i64)],
    bytes: fn(&str) -> String,
) -> String {
    let values = columns.iter().map(|(name, kind, ..)| {
        let value = if kind == "BLOB" { bytes(name) } else { name.clone() };
        format!("coalesce(CAST({value} AS TEXT), 'null')")
    });
    let values: Vec<_> = values.collect();
    format!("SELECT '{table}: ' || {} FROM {table}", values.join(" || ' | ' || "))
}
