//! `orch`: the command line of the orchestration engine.
//!
//! `args` says what can be asked; one module per subcommand in `commands` does it and returns a [`Report`](report::Report);
//! `report` writes that for people or as JSON. Data goes to stdout, the rest to stderr.

mod args;
mod columns;
mod commands;
mod conflicts;
mod desk;
mod error;
mod events;
mod exit;
mod follow;
mod lock_waits;
mod logging;
mod progress;
mod report;
mod runs;
mod session;
mod task_source;
mod text;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use orch_app::EndDeadline;

/// How long each of the last steps may take when there is time: to shut the runtime down, and to end what attempts have left.
const STEP_LIMIT: Duration = Duration::from_secs(1);
/// What is kept of the time for the end to end what attempts have left.
const ORPHANS_RESERVE: Duration = Duration::from_millis(50);

/// Returns the same error about the same arguments, which it may quote, as they may be shown.
fn of_printable(said: clap::Error) -> clap::Error {
    let shown = std::env::args_os()
        .map(|argument| orch_core::printable(&argument.to_string_lossy()).into_owned());
    args::Args::try_parse_from(shown).err().unwrap_or(said)
}

fn main() -> ExitCode {
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(said) => return report::of_arguments(&of_printable(said)).into(),
    };
    logging::start(args.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report::failed(&error.into()).into(),
    };
    let orphans = orch_app::Orphans::adopt(&runtime);
    let end = EndDeadline::new();
    let exit = runtime.block_on(async {
        match orch_app::survive_file_limits() {
            Ok(()) => commands::run(args, &end).await,
            Err(error) => report::failed(&error.into()),
        }
    });
    // Dropping the tasks kills the process groups of attempts that are still there, after a second Ctrl-C.
    runtime.shutdown_timeout(end.time_for(STEP_LIMIT, ORPHANS_RESERVE));
    orphans.end(end.time_for(STEP_LIMIT, Duration::ZERO));
    exit.into()
}
