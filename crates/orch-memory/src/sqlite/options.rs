//! How a SQLite journal is opened.

use std::time::Duration;

/// How far SQLite goes before it calls a commit done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Every commit waits for the disk: nothing acknowledged is lost even when the power fails.
    #[default]
    Full,
    /// Commits wait for the operating system only: survives a killed process, may lose the last commits when the power
    /// fails; the file stays sound.
    Normal,
}

/// How [`SqliteJournal::open`](super::SqliteJournal::open) opens a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// How durable a commit is.
    pub synchronous: Synchronous,
    /// Whether the file is only read: nothing is created or migrated, every write fails, and no writer is ever waited for.
    pub read_only: bool,
    /// How long to wait for another process's write transaction before giving up.
    pub busy_timeout: Duration,
    /// How many reads may go on at once, at least 1.
    pub readers: u32,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            synchronous: Synchronous::Full,
            read_only: false,
            busy_timeout: Duration::from_secs(5),
            readers: 4,
        }
    }
}

impl SqliteOptions {
    /// Makes the default options: `synchronous` full, read and write, 5 s of patience, 4 readers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how durable a commit is.
    #[must_use]
    pub fn with_synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// Sets whether the file is only read.
    #[must_use]
    pub fn with_read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Sets how long to wait for another process's write transaction.
    #[must_use]
    pub fn with_busy_timeout(mut self, busy_timeout: Duration) -> Self {
        self.busy_timeout = busy_timeout;
        self
    }

    /// Sets how many reads may go on at once; 0 counts as 1.
    #[must_use]
    pub fn with_readers(mut self, readers: u32) -> Self {
        self.readers = readers;
        self
    }
}
