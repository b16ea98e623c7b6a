//! One agent file: its fields, checked.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_core::{JsonMap, MAX_NAME_LENGTH, MemoryScope, nearest};
use serde::Deserialize;
use serde_json::Value;

use super::fault::{AgentFault, AgentIssue};
use super::front::Front;

/// The key under which orch has its own fields.
const EXTRA: &str = "x-orch";
/// The fields under it.
pub(super) const EXTRAS: [&str; 6] =
    ["task_types", "proficiency", "max_concurrency", "timeout", "memory_tokens", "scope"];

/// An agent as its file describes it.
///
/// ```
/// use orch_workers::AgentFile;
///
/// let agent = AgentFile::parse("reviewer.md", "---
/// name: reviewer
/// description: Use after code was written: finds bugs.
/// tools: Read, Grep
/// ---
/// You are a careful reviewer.
/// ")?;
/// assert_eq!(agent.description, "Use after code was written: finds bugs.");
/// assert_eq!(agent.tools.as_deref(), Some(&["Read".to_owned(), "Grep".to_owned()][..]));
/// # Ok::<(), orch_workers::AgentIssue>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AgentFile {
    /// The file.
    pub path: PathBuf,
    /// The name: lowercase letters, digits and hyphens.
    pub name: String,
    /// When to use it, in words.
    pub description: String,
    /// The tools that it may use; `None` for all.
    pub tools: Option<Vec<String>>,
    /// What orch wants to know beyond that.
    pub extras: AgentExtras,
    /// All other fields, as they stand in the file.
    pub other: JsonMap,
    /// The text below the front matter: the agent's system prompt.
    pub prompt: String,
}

/// The fields under `x-orch`.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct AgentExtras {
    /// The types of subtask that it handles; empty: it is matched by its description.
    pub task_types: Vec<String>,
    /// How good it is, 0 to 1.
    pub proficiency: Option<f64>,
    /// How many subtasks it may hold at once.
    pub max_concurrency: Option<NonZeroU32>,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// How many tokens of memory its prompt may have; 0 for none.
    pub memory_tokens: u32,
    /// What it may learn and read, and whose work it takes, under its name.
    pub scope: Option<MemoryScope>,
}

impl AgentFile {
    /// Tells whether `name` can be that of an agent: 1 to 128 lowercase letters, digits and hyphens.
    pub fn is_name(name: &str) -> bool {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (1..=MAX_NAME_LENGTH).contains(&name.len()) && name.chars().all(fits)
    }

    /// Reads the text of an agent file; `path` is only noted.
    ///
    /// # Errors
    /// With the first thing that is wrong.
    pub fn parse(path: impl Into<PathBuf>, text: &str) -> Result<Self, AgentIssue> {
        let path = path.into();
        let issue = |line, fault| AgentIssue { path: path.clone(), line, fault };
        let mut front = Front::parse(text).map_err(|(line, fault)| issue(line, fault))?;
        let fields = std::mem::take(&mut front.fields);
        read(&path, fields).map(|agent| Self { prompt: front.body.clone(), ..agent }).map_err(
            |(key, fault)| {
                let line = front.line_of(&key);
                issue(line, fault)
            },
        )
    }
}

/// A fault, and the key that it is about.
type Fault = (String, AgentFault);

fn read(path: &Path, mut fields: JsonMap) -> Result<AgentFile, Fault> {
    let name = required(&mut fields, "name")?;
    if !AgentFile::is_name(&name) {
        return Err(("name".into(), AgentFault::BadName { name }));
    }
    let description = required(&mut fields, "description")?;
    let tools = match fields.shift_remove("tools") {
        None | Some(Value::Null) => None,
        Some(value) => Some(words("tools", &value)?),
    };
    let extras = match fields.shift_remove(EXTRA) {
        None | Some(Value::Null) => AgentExtras::default(),
        Some(Value::Object(extras)) => extras_of(&name, extras)?,
        Some(_) => return Err(bad(EXTRA, "a map")),
    };
    let path = path.to_owned();
    Ok(AgentFile { path, name, description, tools, extras, other: fields, prompt: String::new() })
}

/// A text that must be there. Numbers and booleans are names and descriptions too: YAML has only taken them for something else.
fn required(fields: &mut JsonMap, key: &'static str) -> Result<String, Fault> {
    let text = match fields.shift_remove(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
        Some(Value::Array(_) | Value::Object(_)) => return Err(bad(key, "a text")),
    };
    if text.is_empty() { Err((key.into(), AgentFault::Missing { field: key })) } else { Ok(text) }
}

fn extras_of(name: &str, fields: JsonMap) -> Result<AgentExtras, Fault> {
    let mut extras = AgentExtras::default();
    for (key, value) in fields {
        match key.as_str() {
            "task_types" => extras.task_types = words("x-orch.task_types", &value)?,
            "proficiency" => extras.proficiency = Some(proficiency(&value)?),
            "max_concurrency" => extras.max_concurrency = Some(count(&value)?),
            "timeout" => extras.timeout = Some(span(&value)?),
            "memory_tokens" => extras.memory_tokens = tokens(&value)?,
            "scope" => extras.scope = Some(scope(name, value)?),
            other => {
                let nearest = nearest(other, EXTRAS);
                return Err((key.clone(), AgentFault::UnknownExtra { key, nearest }));
            }
        }
    }
    Ok(extras)
}

fn proficiency(value: &Value) -> Result<f64, Fault> {
    let share = value.as_f64().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| bad("x-orch.proficiency", "a number from 0 to 1"))
}

fn count(value: &Value) -> Result<NonZeroU32, Fault> {
    let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
    count
        .and_then(NonZeroU32::new)
        .ok_or_else(|| bad("x-orch.max_concurrency", "a whole number from 1"))
}

fn tokens(value: &Value) -> Result<u32, Fault> {
    let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
    count.ok_or_else(|| bad("x-orch.memory_tokens", "a whole number from 0"))
}

/// The scope of the agent `name`. Rules that mean nothing for a worker are refused, as they are in `orch.yaml`.
fn scope(name: &str, value: Value) -> Result<MemoryScope, Fault> {
    let fault = |reason: String| ("scope".to_owned(), AgentFault::BadScope { reason });
    let mut scope = MemoryScope::deserialize(value).map_err(|error| fault(error.to_string()))?;
    if !scope.agent_name.is_empty() && scope.agent_name != name {
        return Err(fault(format!("it names `{}`; leave `agent_name` out", scope.agent_name)));
    }
    name.clone_into(&mut scope.agent_name);
    match scope.misplaced(false).first() {
        Some(error) => Err(fault(error.to_string())),
        None => Ok(scope),
    }
}

fn span(value: &Value) -> Result<Duration, Fault> {
    let parse = |text: &str| jiff::fmt::friendly::SpanParser::new().parse_unsigned_duration(text);
    let span = value.as_str().and_then(|text| parse(text).ok()).filter(|span| !span.is_zero());
    span.ok_or_else(|| bad("x-orch.timeout", "a span such as `90s` or `1h 30m`"))
}

/// A list of words, or one text with commas. A comma in parentheses separates nothing: `Agent(a, b), Read` are two.
fn words(field: &str, value: &Value) -> Result<Vec<String>, Fault> {
    const EXPECTED: &str = "a list of words, or one text with commas";
    let words: Vec<String> = match value {
        Value::String(text) => split(text),
        Value::Array(items) => {
            let texts = items.iter().map(|item| item.as_str().map(|text| text.trim().to_owned()));
            texts.collect::<Option<_>>().ok_or_else(|| bad(field, EXPECTED))?
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            return Err(bad(field, EXPECTED));
        }
    };
    Ok(words.into_iter().filter(|word| !word.is_empty()).collect())
}

fn split(text: &str) -> Vec<String> {
    let (mut words, mut depth) = (vec![String::new()], 0_u32);
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c == ',' && depth == 0 {
            words.push(String::new());
        } else if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words.into_iter().map(|word| word.trim().to_owned()).collect()
}

fn bad(field: &str, expected: &'static str) -> Fault {
    let key = field.rsplit('.').next().unwrap_or(field).to_owned();
    (key, AgentFault::BadField { field: field.to_owned(), expected })
}
