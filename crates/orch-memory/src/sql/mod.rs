//! SQL that both databases understand, written once.
//!
//! ```text
//! sql("SELECT .. WHERE run = $1").bind(run) --> Statement<D> --> fetch_all(&mut Conn<D>) --> rows as tuples or structs
//! ```
//! Functions are generic over a [`Dialect`], which says what differs: a few texts, and how a value is bound and read. With sqlx's own
//! traits every such function would need a bound for each type that it binds or reads.

mod columns;
mod statement;
mod value;

use std::pin::Pin;

use orch_core::BoxError;
use sqlx::pool::PoolConnection;
use sqlx::{Database, SqlStr, Transaction};

pub(crate) use columns::{Column, FromColumns, row};
pub(crate) use statement::{Statement, sql, with_list};
pub(crate) use value::Value;

/// What a database will have answered; boxed, since a macro writes the functions, where `async_trait` does not look.
pub(crate) type Answer<'c, T> = Pin<Box<dyn Future<Output = sqlx::Result<T>> + Send + 'c>>;

/// A database of sqlx with what is particular about its SQL.
pub(crate) trait Dialect: Database {
    /// Begins a transaction that sees everything as it is at one moment.
    const BEGIN_READ: &'static str;
    /// Begins a transaction that writes, and sees what was committed while a statement waited for a lock.
    const BEGIN_WRITE: &'static str;
    /// Reads the name of the table `$1`, if there is one.
    const FIND_TABLE: &'static str;
    /// The body of an event as bytes: a damaged one need not be a text.
    const BODY: &'static str;
    /// The rows `u.value` of the JSON array `$1`.
    const LIST: &'static str;
    /// Reads where the runs of a list stand, so that they stay so until the end of the transaction. The digest is that of the last
    /// event, which the next one is chained to: the copy in the run's row may be damaged.
    const HEADS: &'static str;
    /// Inserts a piece of a blob, unless it is there.
    const INSERT_PIECE: &'static str;
    /// Keeps all other writers of learned memory waiting; `None` where the beginning of a transaction does so already.
    const LOCK_MEMORY: Option<&'static str>;
    /// Reads the summaries of all workers of project `$1`, those of a type in one row.
    const SUMMARIES: &'static str;
    /// Gives room back that learned memory does not need any more.
    const VACUUM: &'static [&'static str];

    /// Adds a value to the arguments of a statement.
    fn bind(arguments: &mut Self::Arguments, value: Value<'_>) -> Result<(), BoxError>;
    /// Reads a column of text; `None` when it is null.
    fn text(row: &Self::Row, column: usize) -> sqlx::Result<Option<String>>;
    /// Reads a column of integers; `None` when it is null.
    fn integer(row: &Self::Row, column: usize) -> sqlx::Result<Option<i64>>;
    /// Reads a column of bytes; `None` when it is null.
    fn bytes(row: &Self::Row, column: usize) -> sqlx::Result<Option<Vec<u8>>>;

    /// Executes a statement, and returns how many rows it has changed.
    fn execute(
        conn: &mut Self::Connection,
        text: SqlStr,
        arguments: Self::Arguments,
    ) -> Answer<'_, u64>;
    /// Executes a statement, and returns all rows.
    fn fetch_all(
        conn: &mut Self::Connection,
        text: SqlStr,
        arguments: Self::Arguments,
    ) -> Answer<'_, Vec<Self::Row>>;
}

/// Writes the functions of a [`Dialect`] that are the same for every database, but that only its own types can be given to.
macro_rules! dialect_functions {
    () => {
        fn bind(
            arguments: &mut Self::Arguments,
            value: crate::sql::Value<'_>,
        ) -> Result<(), orch_core::BoxError> {
            match value {
                crate::sql::Value::Text(text) => sqlx::Arguments::add(arguments, text),
                crate::sql::Value::Integer(integer) => sqlx::Arguments::add(arguments, integer),
                crate::sql::Value::Bytes(bytes) => sqlx::Arguments::add(arguments, bytes),
            }
        }

        fn text(row: &Self::Row, column: usize) -> sqlx::Result<Option<String>> {
            sqlx::Row::try_get(row, column)
        }

        fn integer(row: &Self::Row, column: usize) -> sqlx::Result<Option<i64>> {
            sqlx::Row::try_get(row, column)
        }

        fn bytes(row: &Self::Row, column: usize) -> sqlx::Result<Option<Vec<u8>>> {
            sqlx::Row::try_get(row, column)
        }

        fn execute(
            conn: &mut Self::Connection,
            text: sqlx::SqlStr,
            arguments: Self::Arguments,
        ) -> crate::sql::Answer<'_, u64> {
            Box::pin(async move {
                Ok(sqlx::query_with(text, arguments).execute(conn).await?.rows_affected())
            })
        }

        fn fetch_all(
            conn: &mut Self::Connection,
            text: sqlx::SqlStr,
            arguments: Self::Arguments,
        ) -> crate::sql::Answer<'_, Vec<Self::Row>> {
            sqlx::Executor::fetch_all(conn, sqlx::query_with(text, arguments))
        }
    };
}
pub(crate) use dialect_functions;

/// A connection that knows its dialect, so that callers need not name it.
pub(crate) struct Conn<'c, D: Dialect>(&'c mut D::Connection);

impl<'c, D: Dialect> Conn<'c, D> {
    /// Lends a connection.
    pub(crate) fn new(conn: &'c mut D::Connection) -> Self {
        Self(conn)
    }
}

impl<'c, D: Dialect> From<&'c mut PoolConnection<D>> for Conn<'c, D> {
    fn from(conn: &'c mut PoolConnection<D>) -> Self {
        Self(conn)
    }
}

impl<'c, D: Dialect> From<&'c mut Transaction<'static, D>> for Conn<'c, D> {
    fn from(transaction: &'c mut Transaction<'static, D>) -> Self {
        Self(transaction)
    }
}
