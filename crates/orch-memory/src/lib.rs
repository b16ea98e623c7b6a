//! What orch remembers: the journal of runs, in memory ([`MemoryJournal`]), in a SQLite file ([`SqliteJournal`]), or in a
//! PostgreSQL database ([`PostgresJournal`]); and what is learned from it ([`LearnedMemory`]).
//!
//! A [`Journal`](orch_core::Journal) takes the turns of runs, each at an expected place and all or nothing, and gives them
//! back in order. [`SqliteJournal::open`] makes or opens a file with [`SqliteOptions`], [`PostgresJournal::open`] a database
//! with [`PostgresOptions`]; many processes may share either, those of a database from many machines.
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join(".orch/orch.db");
//! use orch_core::journal::{Append, Recorded, RunHead, RunSummary};
//! use orch_core::{ComplexTask, Counts, Event, Journal, RunId, RunPhase, RunSettings, Seq};
//! use orch_memory::{SqliteJournal, SqliteOptions};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let journal = SqliteJournal::open(&path, SqliteOptions::new()).await?;
//!
//! let now = "2026-01-01T00:00:00Z".parse()?;
//! let task = ComplexTask::new("t-1", "Audit the repository", "audit");
//! let head = RunHead::new(RunId::new(now, 4), "my-project".into(), &task, now);
//! let run = head.run;
//! let settings = RunSettings::default().into();
//! let event = Event::RunSubmitted { task: task.into(), settings, given: None, seed: 7, origin: Default::default() };
//! let events = [Recorded::new(Seq(1), now, event)];
//! let summary = RunSummary::new(RunPhase::Submitted, None, Counts::default());
//! journal.append(Append::new(head.into(), Seq(0), None, events.clone().into(), summary)).await?;
//!
//! assert_eq!(journal.load(run, Seq(0)).await?, events);
//! journal.close().await;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # The tables
//! All are named `orch_*` and migrate under `_orch_migrations`, so that file and database may have other tenants. Times are
//! microseconds since 1970. A run's row has an integer `id`, to which the other tables refer; its public id is the text `run`, so that
//! `sqlite3 orch.db` and `psql` show what `orch` shows. Tables of learned memory have the public id, since they may be in another file.
//!
//! | table | a row is | key |
//! |---|---|---|
//! | `orch_store` | the only row: the [id](StoreId) of the store | `place` |
//! | `orch_runs` | a run: head, phase, counts, last event, owner and epoch; brought up to date by every append | `id` |
//! | `orch_events` | an event: version of the vocabulary, time, JSON, digest; never changed | `run, seq` |
//! | `orch_blobs` | a piece of at most 1 MiB of something large, by the hash of the whole | `hash, piece` |
//! | `orch_resources` | what a run holds of what the runs of a project share: a lock | `project, kind, name` |
//! | `orch_owners` | a process that may own runs, and until when it is taken to live | `id` |
//! | `orch_processes` | the process of an attempt, until its run ends | |
//!
//! A store whose tables are older than the first migration is refused: no program reads them any more.
//!
//! # Damage is seen
//! The digest of an event is a hash over the digest of the event before and the event itself (`journal/chain.rs`), and the row of the
//! run has the digest of the last one. Loading follows the chain: a run of which an event was changed, removed or added is *broken*
//! there. [`Journal::load`](orch_core::Journal::load) refuses it with the event's place;
//! [`load_readable`](orch_core::Journal::load_readable) gives what stands before. A blob is checked against its name. Other runs are
//! not concerned. The chain shows damage; it keeps nobody out who may write to the store, and could make a new chain.
//!
//! An event above 16 KiB of JSON is a blob too; its row has the type and the blob's hash, and loading puts it together.
//!
//! # Promises
//! - One task appends, all that has gathered in one transaction; it answers after the commit. On SQLite at
//!   [`Synchronous::Full`] (the default) that means: on the disk; on PostgreSQL, what the server's `synchronous_commit` means.
//! - The WAL file beside a SQLite file belongs to it while anybody has the file open. When all have closed it (memory first, see
//!   [`LearnedMemory::close`]), the file alone is everything and can be copied. Dropping is not closing: a process may end before
//!   what was dropped is closed.
//! - A time finer than a microsecond is cut to it.
//!
//! # Two databases, one meaning
//! What is the same stands once: what is admitted (`admission`), how it is encoded (`prepared`, `codec`), the tables of the journal
//! (`journal/`, a module per table) and those of learned memory (`tables/`). Their functions are generic over a `Dialect` (`sql/`),
//! which says what differs. `sqlite/` and `postgres/` have what each does in its own way: opening, the writer, batches of events,
//! and hearing of changes.
//!
//! A new table is a migration of the same name in the folders of both databases, with the same columns: `TEXT`, `INTEGER` and
//! `BIGINT`, `BLOB` and `BYTEA`, `REAL` and `DOUBLE PRECISION`; text that is compared gets `COLLATE "C"` in PostgreSQL. Tables
//! that migrate together are a `Schema` in `sqlite/open.rs` and one in `postgres/open.rs`. Tests compare them. In SQLite only the
//! writer writes. In PostgreSQL others write at the same time: lock what a check depends on before it is read
//! (`postgres/append.rs`).
//!
//! # Features
//! `sqlite` (default): `SqliteJournal`. `postgres`: `PostgresJournal`, TLS by rustls. Without both only
//! [`MemoryJournal`] is left. `alma`: what ALMA, another memory of the project, knows ([`Alma`]). `embeddings`: an [`Embedder`] that
//! asks a server. `testing`: a PostgreSQL server for tests ([`testing`]).

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod admission;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod advice;
#[cfg(feature = "alma")]
mod alma;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod codec;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "embeddings"))]
mod embed;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod error;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod journal;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod learned;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod learned_memory;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod memory_error;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod prepared;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod schema;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod store_id;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod tables;
#[cfg(feature = "alma")]
mod telling;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod transfer;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod upkeep;

#[cfg(feature = "alma")]
pub use alma::{Alma, AlmaWritten};
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "embeddings"))]
pub use embed::{Embedder, HashedNgrams};
#[cfg(feature = "embeddings")]
pub use embed::{EmbeddingsEndpoint, EmbeddingsError};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use learned::{Heuristic, Rule, Ruling, Verdict};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use learned_memory::LearnedMemory;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use memory_error::MemoryError;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use store_id::{StoreId, StoreIdError};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use transfer::Imported;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use upkeep::{Forget, Forgotten, MemoryStats, WorkerRecord};

pub use orch_core::journal::MemoryJournal;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresError, PostgresJournal, PostgresOptions};
#[cfg(feature = "sqlite")]
pub use sqlite::{OpenError, SqliteJournal, SqliteOptions, StoreLost, Synchronous};
