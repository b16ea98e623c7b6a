//! Who may carry out a run, and what its attempts have started.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Fence, OwnerId, RunId};

/// A process that may own runs, with what is needed to find out whether it still lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Owner {
    /// This start of the process.
    pub id: OwnerId,
    /// Its name for humans, for example `orch run on host x`.
    pub name: String,
    /// The process.
    pub process: ProcessId,
    /// Until when it is taken to live without being asked.
    pub until: Timestamp,
}

impl Owner {
    /// Makes an owner.
    pub fn new(
        id: impl Into<OwnerId>,
        name: impl Into<String>,
        process: ProcessId,
        until: Timestamp,
    ) -> Self {
        Self { id: id.into(), name: name.into(), process, until }
    }
}

/// A process on a machine, named so that a reused number is not mistaken for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProcessId {
    /// The number.
    pub pid: u32,
    /// When it was started, in the clock ticks of its boot; 0 when unknown.
    pub start: u64,
    /// The boot of the machine; empty when unknown.
    pub boot: String,
}

impl ProcessId {
    /// Makes a process id.
    pub fn new(pid: u32, start: u64, boot: impl Into<String>) -> Self {
        Self { pid, start, boot: boot.into() }
    }
}

/// The process of an attempt, noted so that it can be killed after its supervisor died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttemptProcess {
    /// The run.
    pub run: RunId,
    /// The attempt.
    pub fence: Fence,
    /// The process, leader of its group.
    pub process: ProcessId,
}

impl AttemptProcess {
    /// Makes a note.
    pub fn new(run: RunId, fence: Fence, process: ProcessId) -> Self {
        Self { run, fence, process }
    }
}
