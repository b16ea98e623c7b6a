//! One module per subcommand: its arguments, and a function that returns what it found or did.

pub(crate) mod cancel;
pub(crate) mod claim;
pub(crate) mod feedback;
mod finished;
mod followed;
pub(crate) mod memory;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod show;
pub(crate) mod status;
mod task;

use orch_app::EndDeadline;

use crate::args::{Args, Command};
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Report;
use crate::session::{Session, style};

/// Does what was asked, writes it, and returns how to exit.
pub(crate) async fn run(args: Args, end: &EndDeadline) -> Exit {
    let style = style(&args);
    match report_of(args, end).await {
        Ok(report) => crate::report::write(&*report, style),
        Err(error) => crate::report::write_error(&error, style),
    }
}

async fn report_of(args: Args, end: &EndDeadline) -> Result<Box<dyn Report>, CliError> {
    let session = Session::new(&args, end.clone())?;
    let report = carry_out(&session, args.command).await;
    session.close().await;
    report
}

async fn carry_out(session: &Session, command: Command) -> Result<Box<dyn Report>, CliError> {
    match command {
        Command::Run(args) => run::run(session, args).await,
        Command::Plan(args) => plan::run(session, args).await,
        Command::Status(args) => status::run(session, args).await,
        Command::Show(args) => show::run(session, args).await,
        Command::Resume(args) => resume::run(session, args).await,
        Command::Cancel(args) => cancel::run(session, args).await,
        Command::Memory(args) => memory::run(session, args).await,
        Command::Feedback(args) => feedback::run(session, args).await,
        Command::Claim(args) => claim::run(session, args).await,
        Command::Report(args) => report::run(session, args).await,
    }
}
