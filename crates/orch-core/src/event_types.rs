//! What events are made of: results as they are stored, and the closed sets of reasons.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::lenient;
use crate::number::or_nan;
use crate::words::words;
use crate::{
    BlobRef, DecompositionStrategy, Digest, Fence, SubtaskIndex, WorkerName, WorkerResult,
};

/// A result as the journal keeps it: a large output is a blob beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredResult {
    /// The result; its output is null when it is in `blob`.
    #[serde(deserialize_with = "lenient::read")]
    pub result: Arc<WorkerResult>,
    /// Where the output is when it is large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<BlobRef>,
}

/// Where an accepted result comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ResultSource {
    /// An attempt of the subtask made it.
    Attempt {
        /// The attempt.
        fence: Fence,
    },
}

/// Why a subtask will not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SkipReason {
    /// A subtask that it needs, directly or through others, has failed.
    Dependency {
        /// The subtask that has failed.
        subtask: SubtaskIndex,
    },
}

/// What an intervention is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum InterventionSubject {
    /// The course of a subtask.
    Subtask {
        /// The subtask.
        subtask: SubtaskIndex,
    },
}

/// Why a worker was chosen; shown by `orch why`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoutingNote {
    /// How sure the router was, 0 to 1.
    #[serde(deserialize_with = "or_nan")]
    pub confidence: f64,
    /// Why, in a sentence.
    pub reason: String,
    /// Who would have been next, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<WorkerName>,
}

words! {
    /// What made a plan.
    #[derive(Default)]
    pub enum PlanSource as "plan source" {
        /// The user gave it.
        #[default]
        Explicit = "explicit",
        /// The task as one subtask.
        Single = "single",
        /// A planner worker.
        Planner = "planner",
        /// The workers' capabilities.
        CapabilityBased = "capability_based",
        /// A phase template.
        PhaseBased = "phase_based",
        /// Items or domains of the context.
        DomainBased = "domain_based",
        /// A plan of a similar task.
        Memory = "memory",
    }
}

impl PlanSource {
    /// Returns the strategy behind a plan from this source; plans from elsewhere count as a mixture.
    pub fn strategy(self) -> DecompositionStrategy {
        match self {
            Self::CapabilityBased => DecompositionStrategy::CapabilityBased,
            Self::PhaseBased => DecompositionStrategy::PhaseBased,
            Self::DomainBased => DecompositionStrategy::DomainBased,
            Self::Explicit | Self::Single | Self::Planner | Self::Memory => {
                DecompositionStrategy::Hybrid
            }
        }
    }
}

words! {
    /// How an attempt was lost.
    pub enum LossCause as "loss cause" {
        /// Its supervisor died.
        Restart = "restart",
        /// The run was suspended.
        Suspended = "suspended",
        /// The run went to another owner.
        OwnerChanged = "owner_changed",
    }
}

words! {
    /// Why an attempt was closed.
    pub enum AttemptClosedReason as "reason" {
        /// Another attempt was accepted, or took its place.
        Superseded = "superseded",
        /// The run was cancelled.
        Cancelled = "cancelled",
        /// The subtask is no longer wanted.
        Retired = "retired",
    }
}

words! {
    /// Why a run is to end early.
    pub enum CancelReason as "reason" {
        /// Somebody asked for it.
        Requested = "requested",
        /// The deadline has passed.
        Deadline = "deadline",
        /// The budget is used up.
        Budget = "budget",
        /// Too much failed.
        Aborted = "aborted",
    }
}

words! {
    /// How a run ended.
    pub enum EndStatus as "status" {
        /// All is done.
        Completed = "completed",
        /// Enough is done, or some is and partial results are allowed.
        Partial = "partial",
        /// Too little is done.
        Failed = "failed",
        /// It was cancelled.
        Cancelled = "cancelled",
    }
}

words! {
    /// Why a report does not count.
    pub enum EvidenceKind as "evidence" {
        /// The attempt is over, or never was.
        Stale = "stale",
        /// The attempt has reported before, something else.
        Conflicting = "conflicting",
        /// The attempt was stopped, because its run was suspended or cancelled or another attempt was first.
        Stopped = "stopped",
    }
}

/// A report that does not count, kept to be looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Why it does not count.
    pub kind: EvidenceKind,
    /// The subtask that it named.
    pub subtask: SubtaskIndex,
    /// The digest of the report.
    pub digest: Digest,
    /// What was reported.
    pub result: Arc<StoredResult>,
}
