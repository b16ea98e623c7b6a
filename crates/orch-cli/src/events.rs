//! What happens in a run, for other programs: to a file, to stdout, to the webhooks of the configuration.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_app::{Config, Feeds, FileSink, Sink, WebhookSink};
use orch_supervisor::Supervisor;
use serde_json::Value;

use crate::error::CliError;
use crate::exit::Exit;
use crate::progress::View;
use crate::report::{Report, Text};
use crate::session::Session;

/// How long a command stays for events that are not delivered yet.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(crate) struct EventArgs {
    /// Append events to FILE, one JSON object a line; `-` is stdout, and the output goes to stderr.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

impl EventArgs {
    /// Opens everything that is told what happens, so that what is wrong with it is said before the run begins.
    pub(crate) fn sinks(&self, session: &Session, config: &Config) -> Result<Sinks, CliError> {
        let mut sinks = Sinks::default();
        if let Some(file) = &self.events {
            if self.is_stdout() && session.style.json {
                return Err(CliError::TwoDocuments);
            }
            sinks.asked_for.push(Box::new(match self.is_stdout() {
                true => FileSink::new(io::stdout()),
                false => FileSink::append(file)
                    .map_err(|source| CliError::Events { file: file.clone(), source })?,
            }));
        }
        for webhook in &config.webhooks {
            sinks.configured.push(Box::new(WebhookSink::new(webhook)?));
        }
        Ok(sinks)
    }

    /// Returns the report, away from stdout when that is for events.
    pub(crate) fn beside(&self, report: impl Report + 'static) -> Box<dyn Report> {
        if self.is_stdout() { Box::new(Aside(report)) } else { Box::new(report) }
    }

    fn is_stdout(&self) -> bool {
        self.events.as_deref() == Some(Path::new("-"))
    }
}

/// Everything that is told what happens, opened.
#[derive(Default)]
pub(crate) struct Sinks {
    /// What `--events` names: events that are missing there are a failure.
    asked_for: Vec<Box<dyn Sink>>,
    configured: Vec<Box<dyn Sink>>,
}

impl Sinks {
    /// Starts to tell what happens from now on.
    pub(crate) fn start(self, supervisor: &Supervisor) -> EventFeeds {
        EventFeeds {
            asked_for: Feeds::start(supervisor, self.asked_for),
            configured: Feeds::start(supervisor, self.configured),
        }
    }
}

/// The feeds of a run.
pub(crate) struct EventFeeds {
    asked_for: Feeds,
    configured: Feeds,
}

impl EventFeeds {
    /// Waits until everything is told, and says so when it is not. Returns whether all is told that `--events` asked for.
    pub(crate) async fn finish(self, view: &View) -> bool {
        let (asked_for, configured) = tokio::join!(
            self.asked_for.finish(DELIVERY_TIMEOUT),
            self.configured.finish(DELIVERY_TIMEOUT)
        );
        for (lost, is_cut) in [asked_for, configured] {
            if is_cut {
                view.say(&format!(
                    "not all events were delivered within {} s",
                    DELIVERY_TIMEOUT.as_secs()
                ));
            } else if lost > 0 {
                view.say(&format!("{lost} events were not delivered"));
            }
        }
        asked_for == (0, false)
    }
}

/// A report whose data goes where the remarks go.
struct Aside<R>(R);

impl<R: Report> Report for Aside<R> {
    fn text(&self) -> Text {
        let Text { data, remarks, notice, exact: _ } = self.0.text();
        let both = [data, remarks].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
        Text { remarks: both.join("\n"), notice, ..Text::default() }
    }

    fn json(&self) -> Value {
        self.0.json()
    }

    fn exit(&self) -> Exit {
        self.0.exit()
    }
}
