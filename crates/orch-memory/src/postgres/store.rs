//! The database behind all connections: its address, and how a session with it is set up.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

use super::address::connect_options;
use super::open::PostgresError;
use super::options::PostgresOptions;

/// Where the database is, and how a session with it is set up.
#[derive(Clone)]
pub(super) struct Store {
    connect: PgConnectOptions,
    /// The statements that set a session up.
    session: String,
    read_only: bool,
    patience: Duration,
}

impl Store {
    /// Reads a URL, see [`connect_options`].
    pub(super) fn new(url: &str, options: &PostgresOptions) -> Result<Self, PostgresError> {
        let connect = connect_options(url)?;
        let patience = options.patience.as_millis();
        // A process that stands still in a transaction must not stop all others.
        let mut session = format!(
            "SET lock_timeout = {patience}; SET idle_in_transaction_session_timeout = '30s'"
        );
        if options.read_only {
            session.push_str("; SET default_transaction_read_only = on");
        }
        // A slow commit is the server's affair, not worth a line of SQL in the log.
        let connect = connect.disable_statement_logging();
        let (read_only, patience) = (options.read_only, options.patience);
        Ok(Self { connect, session, read_only, patience })
    }

    /// Returns the address without the password.
    pub(super) fn name(&self) -> String {
        let (user, database) =
            (self.connect.get_username(), self.connect.get_database().unwrap_or_default());
        match self.connect.get_socket() {
            Some(socket) => format!("postgres://{user}@{}/{database}", socket.display()),
            None => {
                let (host, port) = (self.connect.get_host(), self.connect.get_port());
                format!("postgres://{user}@{host}:{port}/{database}")
            }
        }
    }

    /// Connects.
    pub(super) async fn connect(&self) -> sqlx::Result<PgConnection> {
        let connecting = tokio::time::timeout(self.patience, self.connect.connect());
        let mut conn = connecting
            .await
            .map_err(|_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))??;
        set_up(&mut conn, &self.session).await?;
        Ok(conn)
    }

    /// Returns a pool of at most `connections`, which connects when it is used.
    pub(super) fn pool(&self, connections: u32) -> PgPool {
        let (session, read_only) = (self.session.clone(), self.read_only);
        PgPoolOptions::new()
            .test_before_acquire(false)
            .before_acquire(move |conn, _| Box::pin(is_usable(conn, read_only)))
            .max_connections(connections)
            .acquire_timeout(self.patience)
            .after_connect(move |conn, _| {
                let session = session.clone();
                Box::pin(async move { set_up(conn, &session).await })
            })
            .connect_lazy_with(self.connect.clone())
    }
}

/// Tells whether a connection that was used before still answers, and may still write if it is to. A session keeps its
/// settings: one from a time when the database only accepted reads stays so.
async fn is_usable(conn: &mut PgConnection, read_only: bool) -> sqlx::Result<bool> {
    let writes: bool =
        sqlx::query_scalar("SELECT current_setting('transaction_read_only') = 'off'")
            .fetch_one(conn)
            .await?;
    Ok(writes || read_only)
}

/// Tells whether a session refused to write because the database accepts reads only.
pub(super) fn is_read_only(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.as_deref() == Some("25006")
}

async fn set_up(conn: &mut PgConnection, session: &str) -> sqlx::Result<()> {
    // The text is made of constants and numbers only.
    conn.execute(AssertSqlSafe(session.to_owned())).await?;
    Ok(())
}
