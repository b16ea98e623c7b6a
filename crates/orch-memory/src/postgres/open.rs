//! Opening a database: connection, migrations.

use orch_core::BoxError;
use sqlx::Postgres;
use sqlx::postgres::PgConnection;

use super::options::PostgresOptions;
use super::store::Store;
use crate::schema::{Schema, Tables};
use crate::sql::Conn;

/// Why a database could not be opened as a journal. No variant has the password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// What was given is no URL of a PostgreSQL database: correct it.
    #[error("that is no URL such as postgres://user@host:5432/database")]
    Url {
        /// What is wrong with it.
        source: BoxError,
    },
    /// The URL has a parameter that means nothing: correct it or leave it out.
    #[error("the URL of the database has an unknown parameter `{name}`")]
    Parameter {
        /// The parameter.
        name: String,
    },
    /// The driver would use a variable of the environment, which is not meant for this database: unset it, or say in the URL what
    /// it says.
    #[error(
        "the environment variable {variable} is set, and the database driver would use it for a database of a project; unset it, \
         and say in the URL what the project needs (sslcert, sslkey, options)"
    )]
    Environment {
        /// The variable.
        variable: &'static str,
    },
    /// The URL names no user, and the system knows no name for that of this process: say it in the URL.
    #[error(
        "the URL of the database names no user, and the system has no name for you; write postgres://USER@HOST/DATABASE"
    )]
    User {
        /// What happened.
        source: BoxError,
    },
    /// There is no server, it does not let us in, or there is no such database.
    #[error("cannot connect to {store}")]
    Connect {
        /// The address without the password.
        store: String,
        /// What happened.
        source: BoxError,
    },
    /// A later version of orch has changed the tables: use that version.
    #[error(
        "{store} was written by a later version of orch: its tables have version {version}, and this program knows {known}"
    )]
    Newer {
        /// The address without the password.
        store: String,
        /// The version of its tables.
        version: i64,
        /// The latest version that this program knows.
        known: i64,
    },
    /// An early version of orch has made the tables, and no program brings them up to date: move them away.
    #[error(
        "{store} has tables of an early version of orch, which this program cannot read; move them away (another schema, or \
         another database), and new ones are made"
    )]
    Outdated {
        /// The address without the password.
        store: String,
    },
    /// There are no tables, and a journal that is only read does not make them: open it for writing once.
    #[error("{store} has no tables of orch")]
    Missing {
        /// The address without the password.
        store: String,
    },
    /// The tables are old, and a journal that is only read does not change them: open it for writing once.
    #[error("{store} has tables of an older version of orch")]
    Older {
        /// The address without the password.
        store: String,
    },
    /// The tables cannot be made or read.
    #[error("cannot use {store}")]
    Store {
        /// The address without the password.
        store: String,
        /// What happened.
        source: BoxError,
    },
}

/// The tables of the journal.
pub(super) const JOURNAL: Schema = Schema {
    migrations: || sqlx::migrate!("migrations/postgres"),
    table: "_orch_migrations",
    applied: "SELECT version, checksum FROM _orch_migrations WHERE success ORDER BY version DESC LIMIT 1",
};

/// The tables of learned memory.
pub(super) const MEMORY: Schema = Schema {
    migrations: || sqlx::migrate!("migrations/memory/postgres"),
    table: "_orch_memory_migrations",
    applied: "SELECT version, checksum FROM _orch_memory_migrations WHERE success ORDER BY version DESC LIMIT 1",
};

/// Connects, and makes the tables or brings them up to date unless they are only to be read.
pub(super) async fn open(
    store: &Store,
    options: &PostgresOptions,
    schema: &Schema,
) -> Result<PgConnection, PostgresError> {
    let name = store.name();
    let mut conn = store
        .connect()
        .await
        .map_err(|source| PostgresError::Connect { store: name.clone(), source: source.into() })?;
    let tables = schema.look(&mut Conn::<Postgres>::new(&mut conn)).await;
    let tables = tables
        .map_err(|source| PostgresError::Store { store: name.clone(), source: source.into() })?;
    match tables {
        Tables::Current => return Ok(conn),
        Tables::Newer { version, known } => {
            return Err(PostgresError::Newer { store: name, version, known });
        }
        Tables::Outdated => return Err(PostgresError::Outdated { store: name }),
        Tables::Missing if options.read_only => return Err(PostgresError::Missing { store: name }),
        Tables::Older if options.read_only => return Err(PostgresError::Older { store: name }),
        Tables::Missing | Tables::Older => {}
    }
    // Of several processes that find old tables one migrates, the others wait for its lock and find nothing left to do.
    schema
        .migrations()
        .run(&mut conn)
        .await
        .map_err(|source| PostgresError::Store { store: name, source: source.into() })?;
    Ok(conn)
}
