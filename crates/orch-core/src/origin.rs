//! Where a run comes from, and who caused what happened in it.

use serde::{Deserialize, Serialize};

use crate::number::is_zero;
use crate::setters::setters;
use crate::{Fence, RunId, SubtaskId, WorkerName};

/// Where a run comes from.
///
/// ```
/// use orch_core::{Client, Origin};
///
/// let origin = Origin::new().with_client(Client::new("claude-code", "2.1.0"));
/// assert_eq!((origin.depth, origin.client.unwrap().to_string()), (0, "claude-code 2.1.0".to_owned()));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Origin {
    /// The attempt that submitted the run; `None` when no other run did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentAttempt>,
    /// How many runs stand above this one: 0 when no other run submitted it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub depth: u32,
    /// The W3C trace context in which the run was submitted; `None` when the submitter named none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The program that submitted the run; `None` when it did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
}

impl Origin {
    /// Makes the origin of a run of which nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

setters! { Origin {
    /// Sets the attempt that submitted the run.
    with_parent => parent: Option<ParentAttempt>,
    /// Sets how many runs stand above this one.
    with_depth => depth: u32,
    /// Sets the W3C trace context of the submitter.
    with_traceparent => traceparent: Option<String>,
    /// Sets the program that submitted the run.
    with_client => client: Option<Client>,
} }

/// An attempt that submitted a run of its own. The store of its run may be another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ParentAttempt {
    /// The run of the attempt.
    pub run: RunId,
    /// The subtask of the attempt.
    pub subtask: SubtaskId,
    /// The number of the attempt in its run.
    pub fence: Fence,
}

impl ParentAttempt {
    /// Names an attempt.
    pub fn new(run: RunId, subtask: impl Into<SubtaskId>, fence: Fence) -> Self {
        Self { run, subtask: subtask.into(), fence }
    }
}

/// A program that uses the engine, by its own word: an MCP client, the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Client {
    /// The name, at most 128 characters.
    pub name: String,
    /// The version, at most 128 characters; empty when unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// The most characters of what a client says of itself.
const MAX_CLIENT_CHARS: usize = 128;

impl Client {
    /// Names a client; what is too long is cut.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        let cut = |text: String| text.chars().take(MAX_CLIENT_CHARS).collect();
        Self { name: cut(name.into()), version: cut(version.into()) }
    }
}

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.version.as_str() {
            "" => f.write_str(&self.name),
            version => write!(f, "{} {version}", self.name),
        }
    }
}

/// Who caused an event, as far as the process knows that recorded it. What the engine decides by itself has no actor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Actor {
    /// The name of the process that took the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// The name of the user whom the process belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The program that gave the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
    /// The worker that claimed, or that reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<WorkerName>,
}

impl Actor {
    /// Makes an actor of whom nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

setters! { Actor {
    /// Sets the name of the process.
    with_process => process: Option<String>,
    /// Sets the name of the user.
    with_user => user: Option<String>,
    /// Sets the program.
    with_client => client: Option<Client>,
    /// Sets the worker.
    with_agent => agent: Option<WorkerName>,
} }

/// Tells whether a text is a W3C trace context of version 00: version, trace, span and flags in lower-case hex, neither trace
/// nor span all zeros.
///
/// ```
/// use orch_core::is_traceparent;
///
/// assert!(is_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
/// assert!(!is_traceparent("00-00000000000000000000000000000000-b7ad6b7169203331-01"));
/// ```
pub fn is_traceparent(text: &str) -> bool {
    let is_hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |part: &str, length| is_hex(part, length) && part.bytes().any(|b| b != b'0');
    let parts: Vec<&str> = text.splitn(5, '-').collect();
    matches!(parts[..], ["00", trace, span, flags]
        if is_id(trace, 32) && is_id(span, 16) && is_hex(flags, 2))
}
