//! Disagreements between results, and how an aggregation resolved them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::SubtaskId;
use crate::number::or_nan;
use crate::words::words;

/// A disagreement that an aggregation resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Conflict {
    /// What was kept and what was dropped, in a sentence with the value that was dropped.
    pub sentence: String,
    /// Whose value was kept and whose was dropped; `None` when the aggregator says it in words only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
}

impl Conflict {
    /// Makes a conflict of which there are only words.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), resolution: None }
    }

    /// Sets whose value was kept and whose was dropped.
    #[must_use]
    pub fn with_resolution(mut self, resolution: Resolution) -> Self {
        self.resolution = Some(resolution);
        self
    }
}

/// Whose value was kept, and whose was dropped, at one place of the output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resolution {
    /// The place, as a JSON Pointer (RFC 6901) into the output.
    pub path: String,
    /// Whose value is in the output.
    pub kept: Claimant,
    /// Whose value is not.
    pub dropped: Claimant,
    /// What decided.
    pub decided_by: DecidedBy,
}

/// A subtask that said something about a place of the output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claimant {
    /// The subtask.
    pub subtask: SubtaskId,
    /// How sure its result was, 0 to 1: the margin of a conflict is the difference between its two.
    #[serde(deserialize_with = "or_nan")]
    pub confidence: f64,
}

words! {
    /// What decided a conflict.
    pub enum DecidedBy as "decision" {
        /// The greater confidence.
        Confidence = "confidence",
        /// The later place in the plan, the confidences being equal.
        PlanOrder = "plan_order",
    }
}

/// Conflicts as a list of sentences: how results show them.
pub(crate) mod sentences {
    use super::{Conflict, Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        conflicts: &[Conflict],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(conflicts.iter().map(|conflict| &conflict.sentence))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Conflict>, D::Error> {
        let sentences = Vec::<String>::deserialize(deserializer)?;
        Ok(sentences.into_iter().map(Conflict::new).collect())
    }
}
