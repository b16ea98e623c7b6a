//! How a PostgreSQL journal is opened.

use std::time::Duration;

/// How [`PostgresJournal::open`](super::PostgresJournal::open) opens a database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostgresOptions {
    /// Whether the database is only read: nothing is created or migrated, and every write fails.
    pub read_only: bool,
    /// How many connections there may be beside the one that appends and the one that listens, at least 1.
    pub connections: u32,
    /// How long to wait for a connection, or for a lock that another process holds, before giving up.
    pub patience: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { read_only: false, connections: 4, patience: Duration::from_secs(10) }
    }
}

impl PostgresOptions {
    /// Makes the default options: read and write, 4 connections, 10 s of patience.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether the database is only read.
    #[must_use]
    pub fn with_read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Sets how many connections read; 0 counts as 1.
    #[must_use]
    pub fn with_connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    /// Sets how long to wait for a connection or a lock.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}
