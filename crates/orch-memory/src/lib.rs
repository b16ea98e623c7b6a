//! What orch remembers: today the journal of runs, in memory ([`MemoryJournal`]) or in a SQLite file ([`SqliteJournal`]).
//!
//! A [`Journal`](orch_core::Journal) takes the turns of runs, each at an expected place and all or nothing, and gives them
//! back in order. [`SqliteJournal::open`] makes or opens a file with [`SqliteOptions`]; many processes may share it.
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
//! let event = Event::RunSubmitted { task: task.into(), settings, given: None };
//! let events = [Recorded { seq: Seq(1), at: now, event }];
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
//! # The file
//! All tables are named `orch_*` and migrate under `_orch_migrations`, so that the file may have other tenants. Times are
//! microseconds since 1970; ids of runs are text, so that `sqlite3 orch.db` shows what `orch` shows. (As integers they would
//! save 40 bytes and half a microsecond per event.)
//!
//! | table | a row is | key |
//! |---|---|---|
//! | `orch_runs` | a run: head, phase, counts, last event, owner and epoch; brought up to date by every append | `run` |
//! | `orch_events` | an event: version of the vocabulary, time, JSON; never changed | `run, seq` |
//! | `orch_blobs` | a piece of at most 1 MiB of something large, by the hash of the whole | `hash, piece` |
//! | `orch_locks` | a lock that a run holds | `project, name` |
//! | `orch_owners` | a process that may own runs, and until when it is taken to live | `id` |
//! | `orch_processes` | the process of an attempt, until its run ends | |
//!
//! An event above 16 KiB of JSON is a blob too; its row has the type and the blob's hash, and loading puts it together.
//!
//! # Promises
//! - One task writes, all that has gathered in one transaction; it answers after the commit. At
//!   [`Synchronous::Full`] (the default) that means: on the disk.
//! - The WAL file beside the journal belongs to it: copy both, or close the journal first.
//! - A time finer than a microsecond is cut to it.
//!
//! # Features
//! `sqlite` (default): [`SqliteJournal`]. Without it only [`MemoryJournal`] is left.

#[cfg(feature = "sqlite")]
mod codec;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use orch_core::journal::MemoryJournal;
#[cfg(feature = "sqlite")]
pub use sqlite::{OpenError, SqliteJournal, SqliteOptions, Synchronous};
