//! Runs as a journal keeps and lists them.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{JournalError, Owner};
use crate::setters::setters;
use crate::{
    Actor, ComplexTask, Counts, EndStatus, Epoch, Event, ProjectId, RequestKey, RunId, RunPhase,
    Seq, TaskId,
};

/// An event with its place and time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// The place in the run.
    pub seq: Seq,
    /// When it happened: wall time, never going back within a run.
    pub at: Timestamp,
    /// Who caused it; `None` when the engine decided it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Arc<Actor>>,
    /// What happened.
    pub event: Event,
}

impl Recorded {
    /// Makes a record of what the engine decided by itself.
    pub fn new(seq: Seq, at: Timestamp, event: Event) -> Self {
        Self { seq, at, by: None, event }
    }
}

setters! { Recorded {
    /// Sets who caused it.
    with_by => by: Option<Arc<Actor>>,
} }

/// The events of a run as far as they can be read.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Readable {
    /// The events, in order, up to the first that cannot be read.
    pub events: Vec<Recorded>,
    /// Why the next event cannot be read; `None` when all can.
    pub broken: Option<JournalError>,
}

impl Readable {
    /// Makes the events of a run that has none.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns all events.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn into_whole(self) -> Result<Vec<Recorded>, JournalError> {
        self.broken.map_or(Ok(self.events), Err)
    }
}

/// What never changes about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunHead {
    /// The run.
    pub run: RunId,
    /// The project.
    pub project: ProjectId,
    /// The task's id.
    pub task_id: TaskId,
    /// The task's type.
    pub task_type: String,
    /// The task in words.
    pub description: String,
    /// The submitter's name for the request, unique in the project.
    pub request_key: Option<RequestKey>,
    /// When it was submitted.
    pub created_at: Timestamp,
}

impl RunHead {
    /// Makes the head of a run without a request key.
    pub fn new(run: RunId, project: ProjectId, task: &ComplexTask, created_at: Timestamp) -> Self {
        Self {
            run,
            project,
            task_id: task.id.clone(),
            task_type: task.task_type.clone(),
            description: task.description.clone(),
            request_key: None,
            created_at,
        }
    }
}

setters! { RunHead {
    /// Sets the submitter's name for the request.
    with_request_key => request_key: Option<RequestKey>,
} }

/// Where a run stands, kept beside its events so that lists need no folding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunSummary {
    /// Where it stands.
    pub phase: RunPhase,
    /// How it ended, once it has.
    pub end: Option<EndStatus>,
    /// How many subtasks stand where.
    pub counts: Counts,
}

impl RunSummary {
    /// Makes a summary.
    pub fn new(phase: RunPhase, end: Option<EndStatus>, counts: Counts) -> Self {
        Self { phase, end, counts }
    }
}

/// A run as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunRow {
    /// What never changes.
    pub head: RunHead,
    /// Where it stands.
    pub summary: RunSummary,
    /// The last event.
    pub seq: Seq,
    /// When the last event happened.
    pub updated_at: Timestamp,
    /// The epoch of the last owner.
    pub epoch: Epoch,
    /// How often the row was written: by each append, and whenever the owner has changed.
    pub rev: u64,
    /// Who owns it.
    pub owner: Option<Owner>,
}

impl RunRow {
    /// Makes the row of a run that nobody owns.
    pub fn new(head: RunHead, summary: RunSummary, seq: Seq, updated_at: Timestamp) -> Self {
        Self { head, summary, seq, updated_at, epoch: Epoch(0), rev: 0, owner: None }
    }
}

setters! { RunRow {
    /// Sets the epoch of the last owner.
    with_epoch => epoch: Epoch,
    /// Sets how often the row was written.
    with_rev => rev: u64,
    /// Sets who owns it.
    with_owner => owner: Option<Owner>,
} }

/// Which runs to list. Newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunFilter {
    /// Only those of this project.
    pub project: Option<ProjectId>,
    /// Only those that have not ended.
    pub open: bool,
    /// Only those whose id begins so.
    pub prefix: Option<String>,
    /// Only those that were submitted under a request key that begins so.
    pub request_prefix: Option<String>,
    /// Only those that are older than this one.
    pub before: Option<RunId>,
    /// At most so many; 0 means 100.
    pub limit: u32,
}

impl RunFilter {
    /// Makes a filter that lets the newest 100 runs through.
    pub fn new() -> Self {
        Self::default()
    }
}

setters! { RunFilter {
    /// Sets the project.
    with_project => project: Option<ProjectId>,
    /// Sets whether only runs that have not ended are listed.
    with_open => open: bool,
    /// Sets how the ids begin.
    with_prefix => prefix: Option<String>,
    /// Sets how the request keys begin.
    with_request_prefix => request_prefix: Option<String>,
    /// Sets the run that all are older than.
    with_before => before: Option<RunId>,
    /// Sets how many are listed at most.
    with_limit => limit: u32,
} }
