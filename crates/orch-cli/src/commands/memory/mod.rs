//! `orch memory`: what was learned, decisions about it, moving it, erasing it.

mod forget;
mod rules;
mod show;
mod stats;
mod transfer;

use std::sync::Arc;

use orch_app::{Access, Config, Part};
use orch_core::{Journal, ProjectId};
use orch_memory::LearnedMemory;

use crate::error::CliError;
use crate::report::{self, Report};
use crate::session::Session;

const STATS_EXAMPLES: &str = "Examples:
  orch memory stats
  orch memory stats --json | jq .outcomes";

const LIST_EXAMPLES: &str = "Examples:
  orch memory list
  orch memory list --json | jq '.rules[].heuristic.id'";

const PIN_EXAMPLES: &str = "Examples:
  orch memory pin route_0f3a
  orch memory pin route_0f3a --note 'agreed in the team'";

const FORBID_EXAMPLES: &str = "Examples:
  orch memory forbid split_77c1
  orch memory forbid split_77c1 --note 'too many small subtasks'";

const RELEASE_EXAMPLES: &str = "Examples:
  orch memory release split_77c1";

const VACUUM_EXAMPLES: &str = "Examples:
  orch memory vacuum                 after `orch memory forget`, while no run goes on";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show how much was learned.
    #[command(after_help = STATS_EXAMPLES)]
    Stats,
    /// List learned rules: pinned ones first, then by confidence.
    #[command(after_help = LIST_EXAMPLES)]
    List,
    /// Explain what is known of workers, of a type of subtask, or of a rule.
    Show(show::Args),
    /// Pin a rule: prefer the workers or plans that it names, whatever is learned later.
    #[command(after_help = PIN_EXAMPLES)]
    Pin(rules::Decision),
    /// Stop using a rule in plans and prompts. Routing still uses the counts behind it.
    #[command(after_help = FORBID_EXAMPLES)]
    Forbid(rules::Decision),
    /// Undo pin or forbid.
    #[command(after_help = RELEASE_EXAMPLES)]
    Release(rules::Which),
    /// Export everything as JSON lines.
    Export(transfer::ExportArgs),
    /// Import an export; makes the store if there is none. Importing the same again changes nothing.
    Import(transfer::ImportArgs),
    /// Forget a worker, a type, the texts of a run, or the whole project. Without --yes: only show what would be forgotten.
    Forget(forget::Args),
    /// Reclaim unused space.
    #[command(after_help = VACUUM_EXAMPLES)]
    Vacuum,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Box<dyn Report>, CliError> {
    let open = || Opened::open(session);
    match args.what {
        What::Stats => stats::run(&open().await?).await,
        What::List => rules::list(&open().await?).await,
        What::Show(args) => show::run(&open().await?, &args).await,
        What::Pin(decision) => rules::pin(&open().await?, &decision).await,
        What::Forbid(decision) => rules::forbid(&open().await?, &decision).await,
        What::Release(which) => rules::release(&open().await?, &which).await,
        What::Export(args) => transfer::export(&open().await?, &args).await,
        What::Import(args) => transfer::import(session, &args).await,
        What::Forget(args) => forget::run(&open().await?, args).await,
        What::Vacuum => stats::vacuum(&open().await?).await,
    }
}

/// Loads the configuration of the project, and says what of it is not used.
fn configured(session: &Session) -> Result<Config, CliError> {
    let (_, config) = session.project()?;
    report::note_withheld(&config, &[Part::Embeddings, Part::AlmaVariables]);
    Ok(config)
}

/// The memory of the project that the command was called in.
pub(super) struct Opened {
    pub(super) memory: Arc<LearnedMemory>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) project: ProjectId,
    pub(super) config: Config,
}

impl Opened {
    /// Opens it, and learns what can be learned by now.
    pub(super) async fn open(session: &Session) -> Result<Self, CliError> {
        let config = configured(session)?;
        let journal = session.stores.journal(&config, Access::Existing).await?;
        let memory = session.stores.memory(&config, journal.clone(), Access::Existing).await?;
        Self::with(config, journal, memory)
    }

    /// Opens it as it is, or makes it, for an import.
    pub(super) async fn to_import(session: &Session) -> Result<Self, CliError> {
        let config = configured(session)?;
        let journal = session.stores.journal(&config, Access::Create).await?;
        let memory =
            session.stores.memory_as_it_is(&config, journal.clone(), Access::Create).await?;
        Self::with(config, journal, memory)
    }

    fn with(
        config: Config,
        journal: Arc<dyn Journal>,
        memory: Option<Arc<LearnedMemory>>,
    ) -> Result<Self, CliError> {
        let memory = memory.ok_or(CliError::NoMemory)?;
        Ok(Self { memory, journal, project: config.project.clone(), config })
    }
}
