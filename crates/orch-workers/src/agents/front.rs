//! Front matter: where it begins and ends, and its fields, also when it is no YAML.
//!
//! Descriptions are written by people and by models: they hold colons, quotes and whole dialogues, and the coding agents that
//! read them do not mind. So the front matter is read as YAML first; when that fails, line by line: a line that begins with a
//! field's name and a colon begins that field, and every other line goes on with the field before it.

use orch_core::JsonMap;
use serde_json::Value;

use super::fault::AgentFault;

/// The fields of agent files that readers know. In the reading line by line only these begin a field while the description
/// is read, as its dialogues have lines such as `user: hello`.
const KNOWN: [&str; 18] = [
    "name",
    "description",
    "tools",
    "disallowedTools",
    "model",
    "permissionMode",
    "maxTurns",
    "skills",
    "mcpServers",
    "hooks",
    "memory",
    "background",
    "effort",
    "isolation",
    "color",
    "initialPrompt",
    "version",
    "x-orch",
];

/// A file, split.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) fields: JsonMap,
    /// What follows the front matter, line ends as `\n`.
    pub(super) body: String,
    /// The front matter as it is written.
    text: String,
}

impl Front {
    /// Splits a file and reads its fields. The number is the line of the fault.
    pub(super) fn parse(file: &str) -> Result<Self, (usize, AgentFault)> {
        let file = file.strip_prefix('\u{feff}').unwrap_or(file).replace("\r\n", "\n");
        let rest = match file.split_once('\n') {
            Some((first, rest)) if is_fence(first) => rest,
            Some(_) | None => return Err((1, AgentFault::NoFrontMatter)),
        };
        let mut end = 0;
        for line in rest.split_inclusive('\n') {
            if is_fence(line) {
                let text = rest[..end].to_owned();
                let body = rest[end + line.len()..].trim_start_matches('\n').to_owned();
                return Ok(Self { fields: fields(&text), body, text });
            }
            end += line.len();
        }
        Err((1, AgentFault::Unclosed))
    }

    /// Returns the line of the file in which `key` stands; that of the opening `---` when it does not.
    pub(super) fn line_of(&self, key: &str) -> usize {
        let stands = |line: &str| {
            let line = line.trim_start();
            let line = line.trim_start_matches(['"', '\'']);
            line.strip_prefix(key)
                .is_some_and(|rest| rest.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
        };
        self.text.lines().position(stands).map_or(1, |place| place + 2)
    }
}

fn is_fence(line: &str) -> bool {
    line.trim_end() == "---"
}

fn fields(text: &str) -> JsonMap {
    match yaml(text) {
        Some(Value::Object(fields)) => fields,
        Some(_) | None => by_lines(text),
    }
}

/// Reads YAML, within limits that no agent file needs.
fn yaml(text: &str) -> Option<Value> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_nodes: 10_000, max_aliases: 100, max_depth: 32 },
    };
    serde_saphyr::from_str_with_options(text, options).ok()
}

fn by_lines(text: &str) -> JsonMap {
    let mut chunks: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        let begun = |key: &str| chunks.iter().any(|(other, _)| *other == key);
        let in_description = chunks.last().is_some_and(|(key, _)| *key == "description");
        match key_of(line) {
            Some((key, rest)) if !begun(key) && (KNOWN.contains(&key) || !in_description) => {
                chunks.push((key, rest.to_owned()));
            }
            Some(_) | None => {
                if let Some((_, chunk)) = chunks.last_mut() {
                    chunk.push('\n');
                    chunk.push_str(line);
                }
            }
        }
    }
    chunks.into_iter().map(|(key, chunk)| (key.to_owned(), value_of(key, &chunk))).collect()
}

/// A field's name at the very beginning of a line, and what follows its colon.
fn key_of(line: &str) -> Option<(&str, &str)> {
    let (key, rest) = line.split_once(':')?;
    let is_name = key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    (is_name && (rest.is_empty() || rest.starts_with(' '))).then_some((key, rest))
}

/// A description is text whatever it looks like; any other field is YAML when it can be.
fn value_of(key: &str, chunk: &str) -> Value {
    if key != "description"
        && let Some(Value::Object(mut field)) = yaml(&format!("{key}:{chunk}\n"))
        && let Some(value) = field.remove(key)
    {
        return value;
    }
    let text = chunk.trim();
    let inner = ['"', '\'']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(text);
    // Files written by tools keep a dialogue in one line, with the line breaks spelt out.
    Value::String(inner.replace("\\n", "\n"))
}
