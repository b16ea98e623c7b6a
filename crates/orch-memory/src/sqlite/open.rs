//! Opening a file: folder, connections, migrations.

use std::path::Path;
use std::time::Duration;

use orch_core::BoxError;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Sqlite};

use super::error::{OpenError, SQLITE_BUSY, SQLITE_NOTADB, primary_code};
use super::options::{SqliteOptions, Synchronous};
use crate::journal::read_store_id as read_id;
use crate::schema::{Schema, Tables, table_exists};
use crate::sql::{Conn, sql};
use crate::store_id::StoreId;

/// The tables of the journal.
pub(super) const JOURNAL: Schema = Schema {
    migrations: || sqlx::migrate!("migrations/sqlite"),
    table: "_orch_migrations",
    applied: "SELECT version, checksum FROM _orch_migrations WHERE success ORDER BY version DESC LIMIT 1",
};

/// The tables of learned memory.
pub(super) const MEMORY: Schema = Schema {
    migrations: || sqlx::migrate!("migrations/memory/sqlite"),
    table: "_orch_memory_migrations",
    applied: "SELECT version, checksum FROM _orch_memory_migrations WHERE success ORDER BY version DESC LIMIT 1",
};

/// The connection of the writer and the pool of the readers.
pub(super) struct Connections {
    pub(super) writer: SqliteConnection,
    /// How to make the writer's connection again; never creates a file.
    pub(super) reconnect: SqliteConnectOptions,
    pub(super) readers: SqlitePool,
}

/// Opens `path`, creates and migrates it unless it is only to be read.
pub(super) async fn open(
    path: &Path,
    options: &SqliteOptions,
    schema: &Schema,
) -> Result<Connections, OpenError> {
    let connect = connect_options(path, options);
    let writer = if options.read_only {
        open_existing(path, &connect, schema).await?
    } else {
        create_folder(path)?;
        create_file(path)?;
        open_or_create(path, &connect, schema, options.busy_timeout).await?
    };
    let readers = SqlitePoolOptions::new()
        .max_connections(options.readers.max(1))
        // The connections are to a file: they do not grow stale.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(reader_options(path, options));
    Ok(Connections { writer, reconnect: connect.create_if_missing(false), readers })
}

fn connect_options(path: &Path, options: &SqliteOptions) -> SqliteConnectOptions {
    let base = base_options(path, options);
    if options.read_only {
        // Not a read-only connection: when such a one is the last to go, it leaves the WAL file behind. Where the file may not be
        // written, SQLite falls back to one.
        return base.create_if_missing(false).pragma("query_only", "ON");
    }
    base.create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match options.synchronous {
            Synchronous::Full => SqliteSynchronous::Full,
            Synchronous::Normal => SqliteSynchronous::Normal,
        })
        .foreign_keys(true)
}

fn reader_options(path: &Path, options: &SqliteOptions) -> SqliteConnectOptions {
    // Whole pages of rows go through the channel between SQLite's thread and ours without waking either for each row.
    base_options(path, options).read_only(true).row_buffer_size(1_024)
}

fn base_options(path: &Path, options: &SqliteOptions) -> SqliteConnectOptions {
    // A slow commit is the disk's affair, not worth a line of SQL in the log.
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(options.busy_timeout)
        .disable_statement_logging()
}

fn create_folder(path: &Path) -> Result<(), OpenError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|source| OpenError::Folder { path: folder.to_owned(), source })
}

/// Makes the file, so that only its owner can read it: SQLite would make it as the umask says. The files beside it (`-wal`, `-shm`)
/// get the same permissions from SQLite.
fn create_file(path: &Path) -> Result<(), OpenError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(OpenError::Store { path: path.to_owned(), source: Box::new(error) })
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

async fn open_existing(
    path: &Path,
    connect: &SqliteConnectOptions,
    schema: &Schema,
) -> Result<SqliteConnection, OpenError> {
    let mut conn = connect_existing(path, connect).await?;
    let refusal = match look(&mut conn, path, schema).await {
        Ok(Standing::Current) => return Ok(conn),
        Ok(Standing::Behind) => OpenError::Older { path: path.to_owned() },
        Err(error) => error,
    };
    Err(refused(conn, refusal).await)
}

/// Closes the connection to a file that is refused: if it were only dropped, it might be open still when the process ends.
async fn refused(conn: SqliteConnection, refusal: OpenError) -> OpenError {
    if let Err(error) = conn.close().await {
        tracing::debug!(%error, "a file that was refused was not closed cleanly");
    }
    refusal
}

async fn connect_existing(
    path: &Path,
    connect: &SqliteConnectOptions,
) -> Result<SqliteConnection, OpenError> {
    if !path.exists() {
        return Err(OpenError::Missing { path: path.to_owned() });
    }
    connect.connect().await.map_err(|error| classify(path, error))
}

/// Reads the id of the store at `path`, which may belong to anybody. Another store may be open that this one has taken the place of,
/// and the WAL file beside it may be of that one, which must not get into it: so the file is read alone first, and in no case by a
/// connection that could write.
pub(super) async fn read_store_id(path: &Path) -> Result<Option<StoreId>, OpenError> {
    let connect = base_options(path, &SqliteOptions::new()).read_only(true);
    let alone = connect.clone().immutable(true);
    match id_through(path, &alone).await {
        Ok(Some(id)) => Ok(Some(id)),
        Err(error @ OpenError::Missing { .. }) => Err(error),
        // All of a new store may be in its WAL file still.
        Ok(None) | Err(_) if is_in_use(path) => id_through(path, &connect).await,
        // Its owner may just have brought that into the file.
        Ok(None) | Err(_) => id_through(path, &alone).await,
    }
}

/// Tells whether both files are beside a SQLite file that a connection which reads its WAL needs, and would make if they were not.
fn is_in_use(path: &Path) -> bool {
    ["-wal", "-shm"].into_iter().all(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        Path::new(&name).exists()
    })
}

async fn id_through(
    path: &Path,
    connect: &SqliteConnectOptions,
) -> Result<Option<StoreId>, OpenError> {
    let mut conn = connect_existing(path, connect).await?;
    let id = find_store_id(&mut conn).await;
    conn.close().await.map_err(|error| classify(path, error))?;
    id.map_err(|source| match source.downcast() {
        Ok(error) => classify(path, *error),
        Err(source) => OpenError::Store { path: path.to_owned(), source },
    })
}

async fn find_store_id(conn: &mut SqliteConnection) -> Result<Option<StoreId>, BoxError> {
    let conn = &mut Conn::<Sqlite>::new(conn);
    check_schema(conn).await?;
    match table_exists(conn, "orch_store").await? {
        true => read_id(conn).await.map(Some),
        false => Ok(None),
    }
}

/// Turning a fresh file to WAL mode needs the file alone and does not wait for others, so processes that open it at the
/// same time are refused at once: they try again for as long as they would have waited.
async fn open_or_create(
    path: &Path,
    connect: &SqliteConnectOptions,
    schema: &Schema,
    patience: Duration,
) -> Result<SqliteConnection, OpenError> {
    const PAUSE: Duration = Duration::from_millis(10);
    let mut tries = patience.as_millis() / PAUSE.as_millis();
    loop {
        match connect_and_migrate(path, connect, schema).await {
            Err(OpenError::Busy { .. }) if tries > 0 => {
                tries -= 1;
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

async fn connect_and_migrate(
    path: &Path,
    connect: &SqliteConnectOptions,
    schema: &Schema,
) -> Result<SqliteConnection, OpenError> {
    let mut conn = connect.connect().await.map_err(|error| classify(path, error))?;
    match bring_up_to_date(&mut conn, path, schema).await {
        Ok(()) => Ok(conn),
        Err(error) => Err(refused(conn, error).await),
    }
}

async fn bring_up_to_date(
    conn: &mut SqliteConnection,
    path: &Path,
    schema: &Schema,
) -> Result<(), OpenError> {
    match look(conn, path, schema).await? {
        Standing::Current => Ok(()),
        Standing::Behind => migrate(conn, path, schema).await,
    }
}

/// How tables are that this program can use.
enum Standing {
    Current,
    /// Missing or old.
    Behind,
}

/// Looks at the tables, by reading only.
async fn look(
    conn: &mut SqliteConnection,
    path: &Path,
    schema: &Schema,
) -> Result<Standing, OpenError> {
    let conn = &mut Conn::<Sqlite>::new(conn);
    let path = path.to_owned();
    let failed = |error| classify(&path, error);
    check_schema(conn).await.map_err(failed)?;
    match schema.look(conn).await.map_err(failed)? {
        Tables::Current => Ok(Standing::Current),
        Tables::Missing | Tables::Older => Ok(Standing::Behind),
        Tables::Outdated => Err(OpenError::Outdated { path }),
        Tables::Newer { version, known } => Err(OpenError::Newer { path, version, known }),
    }
}

/// Checks that the texts of the schema are texts: the driver takes them for such, and panics over one that a damage has changed.
async fn check_schema(conn: &mut Conn<'_, Sqlite>) -> sqlx::Result<()> {
    let query = sql("SELECT CAST(sql AS BLOB) FROM sqlite_master WHERE sql IS NOT NULL");
    let texts: Vec<Vec<u8>> = query.fetch_all(conn).await?;
    let damaged = texts.iter().find_map(|text| std::str::from_utf8(text).err());
    damaged.map_or(Ok(()), |error| Err(sqlx::Error::Decode(error.into())))
}

async fn migrate(
    conn: &mut SqliteConnection,
    path: &Path,
    schema: &Schema,
) -> Result<(), OpenError> {
    let store = |error| classify(path, error);
    // One write transaction around all: the migrator itself takes no lock on SQLite, and another process may migrate too.
    let mut transaction = conn.begin_with("BEGIN IMMEDIATE").await.map_err(store)?;
    schema.migrations().run(&mut *transaction).await.map_err(|error| of_migration(path, error))?;
    transaction.commit().await.map_err(store)
}

fn of_migration(path: &Path, error: MigrateError) -> OpenError {
    if let MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) = error {
        return classify(path, error);
    }
    OpenError::Store { path: path.to_owned(), source: Box::new(error) }
}

fn classify(path: &Path, error: sqlx::Error) -> OpenError {
    let path = path.to_owned();
    match primary_code(&error) {
        Some(SQLITE_NOTADB) => OpenError::NotADatabase { path },
        Some(SQLITE_BUSY) => OpenError::Busy { path, source: Box::new(error) },
        Some(_) | None => OpenError::Store { path, source: Box::new(error) },
    }
}
