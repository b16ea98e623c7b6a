//! How runs of this server are known again: the request key of a run, and what is noted with it.
//!
//! The body of a request is all of its arguments but the key: task, plan, workers, mode and the rest. Another body is another
//! request. A key of the client is `mcp/key/KEY`: it always means the same run, and with another body it is refused. Without one,
//! the key is made of the digest of project and body, and of what came before: the id of the newest run with that digest from the last 10 minutes, or else the
//! number of the 10-minute window. So two clients that ask at the same moment get the same run, a client that asks again while it
//! is open and younger than 10 minutes gets it too, and one that asks after it has ended gets a new one.

use jiff::Timestamp;
use orch_core::journal::{RunFilter, RunRow};
use orch_core::{Digest, RequestKey, RunPhase, RunSettings, WorkerName};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::args::Delegate;
use crate::desk::Desk;
use crate::error::ToolError;
use crate::mode::Mode;
use orch_core::RunView;

/// How long a task counts as the same request, in seconds.
const WINDOW_S: i64 = 10 * 60;
const OURS: &str = "mcp/";
/// Where it is noted what a run needs to know of its request.
const NOTE: &str = "orch_mcp";

/// What is noted with a run: a process that takes it over has to know it too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// Agents that the client has named and no file describes.
    #[serde(default)]
    pub(crate) guests: Vec<WorkerName>,
    /// Who does it.
    #[serde(default)]
    pub(crate) mode: Mode,
    /// The digest of the request's body.
    #[serde(default)]
    pub(crate) body: Option<Digest>,
}

/// What a request for a task leads to.
pub(crate) enum Request {
    /// To this run, which is open.
    Open(Box<RunRow>),
    /// To a run with this key.
    Key(RequestKey),
}

/// Tells whether a run was delegated through a server such as this.
pub(crate) fn is_ours(row: &RunRow) -> bool {
    row.head.request_key.as_ref().is_some_and(|key| key.as_str().starts_with(OURS))
}

/// Returns the key that a client's own key stands for.
pub(crate) fn of_client(key: &str) -> RequestKey {
    RequestKey::new(format!("{OURS}key/{key}"))
}

/// Returns the digest of the body of a request.
pub(crate) fn body(desk: &Desk, args: &Delegate) -> Result<Digest, ToolError> {
    let digest = Digest::of_json(&(&desk.settings.project, args));
    digest.map_err(|error| ToolError::Arguments(error.to_string()))
}

/// Finds the open run of the same body, or the key of a new one.
pub(crate) async fn of_body(desk: &Desk, digest: Digest) -> Result<Request, ToolError> {
    let project = &desk.settings.project;
    let prefix = format!("{OURS}{digest}/");
    let now = (desk.now)();
    let filter = RunFilter::new()
        .with_project(project.clone())
        .with_request_prefix(prefix.clone())
        .with_limit(1_u32);
    let newest = desk.journal().rows(&filter).await?.pop();
    Ok(match newest.filter(|row| is_recent(row, now)) {
        Some(row) if row.summary.phase != RunPhase::Ended => Request::Open(Box::new(row)),
        Some(row) => Request::Key(RequestKey::new(format!("{prefix}{}", row.head.run))),
        None => Request::Key(RequestKey::new(format!("{prefix}{}", now.as_second() / WINDOW_S))),
    })
}

fn is_recent(row: &RunRow, now: Timestamp) -> bool {
    now.as_second() - row.head.created_at.as_second() < WINDOW_S
}

impl Note {
    /// Writes the note into the settings of a run.
    pub(crate) fn in_settings(&self, settings: RunSettings) -> RunSettings {
        let mut annotations = settings.annotations.clone();
        annotations.insert(NOTE.to_owned(), json!(self));
        settings.with_annotations(annotations)
    }

    /// Returns the note of a run; only runs of such a server have one.
    pub(crate) fn of(view: &RunView) -> Option<Self> {
        Self::deserialize(view.settings.as_ref()?.annotations.get(NOTE)?).ok()
    }
}
