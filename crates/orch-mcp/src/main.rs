//! `orch-mcp`: the MCP server of a project, over stdio or HTTP. stdout carries protocol messages only; logs go to stderr.

#[cfg(feature = "http")]
#[path = "main/http.rs"]
mod http;
#[path = "main/install.rs"]
mod install;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use orch_app::{EndDeadline, Signals, Trust};
use orch_mcp::StdioTransport;
use orch_mcp::standalone::{Options, Standalone};
use rmcp::ServiceExt as _;
use tracing_subscriber::EnvFilter;

/// Serve a project to MCP clients over stdin and stdout or HTTP: their agents do the subtasks, orch schedules them.
#[derive(Debug, Parser)]
#[command(name = "orch-mcp", version, max_term_width = 100)]
struct Args {
    /// Project folder [default: the current folder].
    #[arg(long, value_name = "FOLDER", global = true)]
    project: Option<PathBuf>,
    /// Configuration file [default: the project's].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Trust the folder: its configuration while this server runs, its store from now on. Without this or ORCH_TRUST=1 the
    /// server does not use commands, servers and variables of a configuration that it found.
    #[arg(long)]
    trust: bool,
    /// How long commands may continue after the client has closed stdin, for example 30s; then their runs are suspended.
    #[arg(long, value_name = "SPAN", default_value = "5s", value_parser = span)]
    grace: Duration,
    #[cfg(feature = "http")]
    #[command(flatten)]
    http: http::HttpArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Install(install::InstallArgs),
}

fn span(text: &str) -> Result<Duration, jiff::Error> {
    jiff::fmt::friendly::SpanParser::new().parse_unsigned_duration(text)
}

/// How long attempts get to end after a signal, once they are told to.
const GRACE: Duration = Duration::from_secs(5);
/// How long they get when the client has closed stdin: their grace time is over then.
const AFTER_GRACE: Duration = Duration::from_millis(250);
/// How long calls that are in flight when the client closes stdin get at least: it may have sent all that it wants, and wait for answers.
const MIN_CALL_TIME: Duration = Duration::from_secs(1);
/// How long shutting the runtime down may take, and how long ending what attempts have left.
const STEP_LIMIT: Duration = Duration::from_millis(300);
/// What is kept of the time for the end to end what attempts have left.
const ORPHANS_RESERVE: Duration = Duration::from_millis(50);

/// What is logged unless `ORCH_LOG` says otherwise. What `rmcp` warns of are errors of the client, which gets them as answers; that
/// a pooled connection broke is the database's fault, which the engine says once.
const LOG: &str = "warn,rmcp::service=error,sqlx_core::pool=error";

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // It may quote a file, or what a client sent. Nobody is left to be told when it cannot be written.
            let text = format!("Error: {error:?}");
            let _ = writeln!(std::io::stderr(), "{}", orch_core::printable_lines(&text));
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> anyhow::Result<()> {
    if let Some(Command::Install(install)) = &args.command {
        return install::install(&folder(args.project.as_deref())?, install);
    }
    let filter = EnvFilter::try_from_env("ORCH_LOG").unwrap_or_else(|_| EnvFilter::new(LOG));
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let format = tracing_subscriber::fmt().with_ansi(std::io::stderr().is_terminal() && !no_colour);
    let format = format.fmt_fields(orch_app::log_fields());
    format.with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let orphans = orch_app::Orphans::adopt(&runtime);
    let end = EndDeadline::new();
    let served = runtime.block_on(serve(args, &end));
    match served {
        // A read of stdin that is still waiting must not keep the process.
        Ok(Ended::InTime) => runtime.shutdown_background(),
        // Dropping the tasks kills the process groups of attempts that are still there.
        Ok(Ended::CutOff) | Err(_) => {
            runtime.shutdown_timeout(end.time_for(STEP_LIMIT, ORPHANS_RESERVE));
        }
    }
    orphans.end(end.time_for(STEP_LIMIT, Duration::ZERO));
    served.map(drop)
}

fn folder(project: Option<&Path>) -> anyhow::Result<PathBuf> {
    match project {
        Some(folder) => folder.canonicalize().with_context(|| folder.display().to_string()),
        None => Ok(std::env::current_dir()?),
    }
}

/// How a server has ended.
enum Ended {
    /// Everything is written.
    InTime,
    /// There was no time for that.
    CutOff,
}

async fn serve(args: Args, end: &EndDeadline) -> anyhow::Result<Ended> {
    let folder = folder(args.project.as_deref())?;
    let mut options = Options::new(folder);
    options.config = args.config;
    options.trust = Trust::of_call(args.trust, Trust::Withheld);
    options.state_dir = orch_app::state_dir();
    options.home = std::env::var_os("HOME").map(PathBuf::from);
    orch_app::survive_file_limits()?;
    let standalone = Standalone::open(&options, end.clone()).await?;
    let mut signals = Signals::listen(GRACE, end.clone())?;
    // The first signal ends the session.
    let stop = async {
        signals.next().await;
    };
    #[cfg(feature = "http")]
    let served = match args.http.address {
        Some(address) => args.http.serve(address, &standalone, stop).await,
        None => stdio(&standalone, args.grace, end, stop).await,
    };
    #[cfg(not(feature = "http"))]
    let served = stdio(&standalone, args.grace, end, stop).await;
    // A client that has gone has had its grace time.
    let stop = if signals.is_stopping() { GRACE } else { AFTER_GRACE };
    // The workers are told at once; dropping the engine ends those that are left.
    let closed = signals.within_time(standalone.close(stop)).await;
    served?;
    Ok(match closed {
        Some(()) => Ended::InTime,
        None => {
            tracing::warn!("ended before everything was written; what was accepted is not lost");
            Ended::CutOff
        }
    })
}

/// Serves one client over stdin and stdout, until it goes or `stop` is ready. When it goes, commands have `grace` to end, and so
/// have calls that it has not got its answers to.
async fn stdio(
    standalone: &Standalone,
    grace: Duration,
    end: &EndDeadline,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut transport = StdioTransport::new(tokio::io::stdin(), tokio::io::stdout());
    let hung_up = transport.hung_up();
    let session = async {
        let served = match standalone.server.clone().serve(transport).await {
            Ok(running) => running.waiting().await.map(|_| ()).context("the session failed"),
            // A client that goes away before it has said hello is no failure of ours.
            Err(error) => {
                tracing::warn!(%error, "no session");
                Ok(())
            }
        };
        // The session may be over before it is seen below that the client has hung up.
        end.begin(grace);
        standalone.server.drain(grace).await;
        served
    };
    let out_of_time = async {
        hung_up.await;
        end.begin(grace);
        tokio::time::sleep(grace.max(MIN_CALL_TIME)).await;
    };
    tokio::select! {
        served = session => served,
        () = out_of_time => Ok(()),
        () = stop => Ok(()),
    }
}
