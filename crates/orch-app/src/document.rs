//! A YAML or JSON file as a tree that knows its places, so that what is wrong with a value can be shown where it stands.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use orch_core::NumberFault;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::Spanned;

use crate::issue::{Issue, Issues};

/// Line and column, from 1.
type Position = (u64, u64);

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) kind: Kind,
    /// Where it is written, in bytes: elsewhere for an alias. `None` when nobody knows.
    written: Option<Range<usize>>,
}

/// What a value is. Maps keep the order of the file.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key with its place.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) at: Position,
    pub(crate) text: String,
}

/// How deep maps and lists may lie in each other. A run is stored as JSON, which is read up to a depth of 128.
pub(crate) const MAX_DEPTH: usize = 32;

/// A file, read.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) file: Option<PathBuf>,
    pub(crate) root: Node,
}

/// One step on the way to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

impl Document {
    /// Reads a text. JSON is YAML.
    pub(crate) fn parse(text: &str, file: Option<&Path>) -> Result<Self, Issues> {
        // The default budget refuses an alias bomb only after most of a second.
        let options = serde_saphyr::options! {
            strict_booleans: true,
            with_snippet: false,
            budget: serde_saphyr::budget! { max_nodes: 200_000, max_aliases: 100, max_depth: MAX_DEPTH },
        };
        // An empty file is an empty map: all defaults.
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            let root = Node { at: (1, 1), kind: Kind::Map(Vec::new()), written: None };
            return Ok(Self { file: file.map(Path::to_owned), root });
        }
        match serde_saphyr::from_str_with_options::<Node>(text, options) {
            Ok(root) => {
                let document = Self { file: file.map(Path::to_owned), root };
                Issues::or(document.changed_numbers(text), document)
            }
            Err(error) => Err(Issues(vec![Issue {
                file: file.map(Path::to_owned),
                at: error.location().map(|at| (at.line(), at.column())),
                field: String::new(),
                message: in_our_words(first_line(&error.without_snippet().to_string())),
            }])),
        }
    }

    /// Finds the numbers that are not what `text` says: where YAML's integers end, the parser goes on with fractions and texts.
    fn changed_numbers(&self, text: &str) -> Vec<Issue> {
        let mut issues = Vec::new();
        let mut steps = Vec::new();
        self.root.visit(&mut steps, &mut |steps, node| {
            let suspect = match &node.kind {
                Kind::Number(number) => number.is_f64(),
                Kind::Text(text) => {
                    text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+'))
                }
                Kind::Null | Kind::Bool(_) | Kind::List(_) | Kind::Map(_) => false,
            };
            let written = node.written.clone().filter(|_| suspect);
            let fault = written.and_then(|range| NumberFault::of(text.get(range)?.trim()));
            issues.extend(fault.map(|fault| self.issue(steps, fault.to_string())));
        });
        issues
    }

    /// Makes an issue of the value at `steps`.
    pub(crate) fn issue(&self, steps: &[Step], message: impl Into<String>) -> Issue {
        let at = self.root.position(steps);
        Issue {
            file: self.file.clone(),
            at: Some(at),
            field: dotted(steps),
            message: message.into(),
        }
    }

    /// Makes an issue of a key of the map at `steps`.
    pub(crate) fn key_issue(&self, steps: &[Step], message: impl Into<String>) -> Issue {
        let mut issue = self.issue(steps, message);
        if let Some((Step::Key(last), parents)) = steps.split_last()
            && let Some(parent) = self.root.get(parents)
            && let Some((key, _)) = parent.entries().iter().find(|(key, _)| key.text == *last)
        {
            issue.at = Some(key.at);
        }
        issue
    }
}

/// The parser says the place too, which we show ourselves.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let line = line
        .split_once(": ")
        .filter(|(head, _)| head.starts_with("error"))
        .map_or(line, |(_, rest)| rest);
    line.split(" at line ").next().unwrap_or(line).to_owned()
}

/// The parser names a number out of range as it is written, between backticks.
fn in_our_words(message: String) -> String {
    let number = message.strip_prefix("non-finite float `").and_then(|rest| rest.split('`').next());
    match number.and_then(NumberFault::of) {
        Some(fault) => fault.to_string(),
        None => message,
    }
}

pub(crate) fn dotted(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

impl Node {
    /// Returns the members of a map; none of anything else.
    pub(crate) fn entries(&self) -> &[(Key, Node)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => &[],
        }
    }

    /// Shows `see` every value with the way to it.
    fn visit(&self, steps: &mut Vec<Step>, see: &mut impl FnMut(&[Step], &Self)) {
        see(steps, self);
        let mut go_on = |step, node: &Self| {
            steps.push(step);
            node.visit(steps, see);
            steps.pop();
        };
        match &self.kind {
            Kind::List(items) => {
                items.iter().enumerate().for_each(|(index, node)| go_on(Step::Index(index), node));
            }
            Kind::Map(entries) => {
                entries.iter().for_each(|(key, node)| go_on(Step::Key(key.text.clone()), node));
            }
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => {}
        }
    }

    /// Returns the value at `steps`.
    pub(crate) fn get(&self, steps: &[Step]) -> Option<&Self> {
        let Some((step, rest)) = steps.split_first() else { return Some(self) };
        let child = match (step, &self.kind) {
            (Step::Key(key), Kind::Map(entries)) => {
                entries.iter().find(|(k, _)| k.text == *key).map(|(_, node)| node)
            }
            (Step::Index(index), Kind::List(items)) => items.get(*index),
            (Step::Key(_) | Step::Index(_), _) => None,
        };
        child.and_then(|child| child.get(rest))
    }

    /// Returns the place of the value at `steps`, or of the nearest above it that exists.
    fn position(&self, steps: &[Step]) -> Position {
        (0..=steps.len())
            .rev()
            .find_map(|length| self.get(&steps[..length]))
            .map_or((1, 1), |node| node.at)
    }

    /// Returns the value without its places.
    pub(crate) fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => items.iter().map(Self::to_json).collect(),
            Kind::Map(entries) => Value::Object(
                entries.iter().map(|(key, node)| (key.text.clone(), node.to_json())).collect(),
            ),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        let at = position(&spanned.referenced);
        Ok(Self { at, written: written(&spanned.defined), kind: spanned.value })
    }
}

fn written(location: &serde_saphyr::Location) -> Option<Range<usize>> {
    let span = location.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    Some(start..start + usize::try_from(span.byte_len()?).ok()?)
}

fn position(location: &serde_saphyr::Location) -> Position {
    (location.line(), location.column())
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        Kind::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Kind, E> {
        Number::from_f64(value)
            .map(Kind::Number)
            .ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let key = Key { at: position(&key.referenced), text: key.value };
            entries.push((key, map.next_value()?));
        }
        Ok(Kind::Map(entries))
    }
}
