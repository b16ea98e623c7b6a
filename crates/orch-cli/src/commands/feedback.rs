//! `orch feedback`: what a person thinks of the output of a run.

use orch_core::{Memory, RunId};
use serde_json::{Value, json};

use super::memory::Opened;
use crate::error::CliError;
use crate::report::{Report, Text};
use crate::runs;
use crate::session::Session;

const EXAMPLES: &str = "Examples:
  orch feedback --score 0.9                            the latest run
  orch feedback 01a2 --score 0.2 --note 'too short'    a run, by the beginning of its id";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Run id, or a unique prefix of it [default: the latest].
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// From 0 (useless) to 1 (perfect); replaces an earlier rating.
    #[arg(long, value_parser = score)]
    score: f64,
    /// Reason for the rating.
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Box<dyn Report>, CliError> {
    let opened = Opened::open(session).await?;
    let run = runs::find(&*opened.journal, args.run.as_deref()).await?;
    opened.memory.feedback(run, args.score, &args.note).await.map_err(CliError::Feedback)?;
    Ok(Box::new(Noted { run, score: args.score }))
}

fn score(text: &str) -> Result<f64, &'static str> {
    let score = text.parse().ok().filter(|score| (0.0..=1.0).contains(score));
    score.ok_or("a score is a number from 0 to 1")
}

struct Noted {
    run: RunId,
    score: f64,
}

impl Report for Noted {
    fn text(&self) -> Text {
        let remarks = format!(
            "run {} is worth {}; its workers' rewards were changed\n",
            self.run, self.score
        );
        Text { remarks, ..Text::default() }
    }

    fn json(&self) -> Value {
        json!({ "orchestration_id": self.run, "score": self.score })
    }
}
