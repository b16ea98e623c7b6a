//! `orch memory`: what was learned, decisions about it, moving it, erasing it.

mod forget;
mod rules;
mod show;
mod stats;
mod transfer;

use std::sync::Arc;

use orch_app::{Access, Config};
use orch_core::ProjectId;
use orch_memory::LearnedMemory;

use crate::error::CliError;
use crate::report::Report;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Says how much is known.
    Stats,
    /// Lists the rules that were learned, the surest first.
    List,
    /// Explains in a sentence each what is known of workers, of a type of subtask, or of a rule.
    Show(show::Args),
    /// Keeps a rule as it is now, whatever is learned.
    Pin(rules::Decision),
    /// Never uses a rule.
    Forbid(rules::Decision),
    /// Takes back that a rule was pinned or forbidden.
    Release(rules::Which),
    /// Writes everything as JSON lines.
    Export(transfer::ExportArgs),
    /// Adds an export; the same again changes nothing.
    Import(transfer::ImportArgs),
    /// Forgets a worker, a type, the texts of a run, or all of the project; only says what it would be, without --yes.
    Forget(forget::Args),
    /// Gives room back that is not needed any more.
    Vacuum,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Box<dyn Report>, CliError> {
    let memory = Opened::of(session).await?;
    match args.what {
        What::Stats => stats::run(&memory).await,
        What::List => rules::list(&memory).await,
        What::Show(args) => show::run(&memory, &args).await,
        What::Pin(decision) => rules::pin(&memory, &decision).await,
        What::Forbid(decision) => rules::forbid(&memory, &decision).await,
        What::Release(which) => rules::release(&memory, &which).await,
        What::Export(args) => transfer::export(&memory, &args).await,
        What::Import(args) => transfer::import(&memory, &args).await,
        What::Forget(args) => forget::run(&memory, args).await,
        What::Vacuum => stats::vacuum(&memory).await,
    }
}

/// The memory of the project that the command was called in.
pub(super) struct Opened {
    pub(super) memory: Arc<LearnedMemory>,
    pub(super) journal: Arc<dyn orch_core::Journal>,
    pub(super) project: ProjectId,
    pub(super) config: Config,
}

impl Opened {
    /// Opens it, and learns what can be learned by now.
    pub(super) async fn of(session: &Session) -> Result<Self, CliError> {
        let (_, config) = session.project()?;
        let journal = orch_app::open_store(&config, Access::Existing).await?;
        let memory = orch_app::open_memory(&config, journal.clone(), Access::Existing).await?;
        let memory = memory.ok_or(CliError::NoMemory)?;
        Ok(Self { memory, journal, project: config.project.clone(), config })
    }
}
