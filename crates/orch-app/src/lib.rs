//! What the binaries of orch share: from files that people write to a running supervisor.
//!
//! - [`Config`] is `orch.yaml`, [`TaskFile`] a task; both say everything that is wrong at once, with line, column and the
//!   nearest known name ([`Issue`]). [`ProjectLocation`] is where they are found.
//! - [`Workers`], [`check`], [`open_store`], [`open_memory`] and [`supervisor`] wire the parts together; [`Stores`] closes what was opened;
//!   [`forecast`] says what a run is expected to be.
//! - [`Orphans`] sees to it that no process outlives the attempt that started it.
//! - [`Feeds`] bring what happens to files and webhooks ([`LifecycleEvent`]).
//! - [`Trust`] is how far the user has vouched for what is found.
//! - [`Signals`] say when a process is to suspend what runs; [`EndDeadline`] is how long its end may take.
//! - [`RunAnnotation`] is what is kept with a run, so that another process resumes it with the same configuration.
//!
//! ```
//! use orch_app::{Access, Config, ProjectLocation, TaskFile, Trust, Workers};
//!
//! # let folder = tempfile::tempdir()?;
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! std::fs::write(folder.path().join("orch.yaml"), "
//! workers:
//!   greeter:
//!     command: [echo, 'Hello {{ subtask.context.name }}']
//!     capabilities: [{ name: greet, task_types: [greeting] }]
//! ")?;
//! std::fs::write(folder.path().join("task.yaml"), "
//! description: Greet everybody
//! subtasks:
//!   - { id: ann, task_type: greeting, description: Greet Ann, context: { name: Ann } }
//! ")?;
//!
//! let location = ProjectLocation::find(folder.path(), None, None)?.with_trust(Trust::ThisCall, None);
//! let config = Config::load(&location)?;
//! let workers = Workers::new(&config)?;
//! let task = TaskFile::load(&folder.path().join("task.yaml"), &[])?;
//! let settings = task.settings(config.settings());
//! orch_app::check(&config, &workers, &task, &settings)?;
//!
//! let store = orch_app::open_store(&config, Access::Create).await?;
//! let memory = orch_app::open_memory(&config, store.clone(), Access::Create).await?;
//! let supervisor = orch_app::supervisor(&config, &workers, store, memory, "example");
//! let run = supervisor.submit_with(task.task.clone(), task.options(settings)).await?;
//! let result = supervisor.wait(run).await?;
//! assert_eq!(result.aggregated_output, serde_json::json!({ "ann": "Hello Ann" }));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod config;
mod decode;
mod document;
mod end_deadline;
mod error;
mod feed;
mod history;
mod issue;
mod log_fields;
mod origin;
mod orphans;
mod run_annotation;
mod signals;
mod store;
mod stores;
mod task;
mod trust;
mod wire;

pub use config::{
    ALMA_FILE, Alma, AlmaStorage, AlmaUse, Config, Decomposition, Embeddings, FILE_NAME, Limits,
    MemoryConfig, MemoryStore, PostgresUrl, ProjectLocation, PullConfig, Retry, Routing, Store,
    Webhook, WorkerConfig,
};
pub use end_deadline::EndDeadline;
pub use error::AppError;
#[cfg(feature = "webhooks")]
pub use feed::WebhookSink;
pub use feed::{Feeds, FileSink, LifecycleEvent, Sink};
pub use history::{AttemptRecord, SubtaskHistory, history};
pub use issue::{Issue, Issues};
pub use log_fields::log_fields;
pub use origin::origin_from_environment;
pub use orphans::Orphans;
pub use run_annotation::RunAnnotation;
pub use signals::{Signals, Urge, survive_file_limits};
pub use store::{Access, catch_up, open_memory, open_memory_as_it_is, open_store};
pub use stores::Stores;
pub use task::{Show, ShowItem, TaskFile};
pub use trust::{Part, Trust, state_dir};
pub use wire::{Workers, check, forecast, reader, supervisor, with_causes};
