//! An attempt in a run: open, with what is needed to end it, or closed, with what it reported.

use jiff::Timestamp;
pub(crate) use orch_core::AttemptKind;
use orch_core::{Digest, SubtaskIndex, Token, WorkerName};

use super::command::ReportAnswer;

/// What is known of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Slot {
    /// It is open.
    Open(Box<Attempt>),
    /// It is over.
    Closed(Closed),
}

/// An open attempt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attempt {
    /// The subtask.
    pub subtask: SubtaskIndex,
    /// The secret.
    pub token: Token,
    /// Who makes it.
    pub worker: WorkerName,
    /// How.
    pub kind: AttemptKind,
    /// Since when.
    pub since: Timestamp,
    /// When it times out, or its lease or offer ends.
    pub until: Timestamp,
    /// What is set aside for its cost, in millionths of a US dollar.
    pub reserved: Option<u64>,
}

/// An attempt that is over.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Closed {
    /// The subtask.
    pub subtask: SubtaskIndex,
    /// The secret.
    pub token: Token,
    /// What it reported, if it did, and what the answer was.
    pub report: Option<(Digest, ReportAnswer)>,
}
