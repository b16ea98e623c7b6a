//! From a tree to a typed struct, with everything that is wrong at once.
//!
//! Serde stops at the first error. So what is wrong is noted and taken out, and the rest is read again: what has a default
//! then has it, and the next error shows.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::document::{Document, Kind, Step};
use crate::issue::{Issue, hint};

/// More errors than this in one part of a file are not looked for.
const MAX_ISSUES: usize = 50;

/// Reads the map at `steps`; `None` when it cannot be read even without what is wrong in it.
pub(crate) fn decode<T: DeserializeOwned>(
    document: &Document,
    steps: &[Step],
    issues: &mut Vec<Issue>,
) -> Option<T> {
    let node = document.root.get(steps)?;
    if !matches!(node.kind, Kind::Map(_)) {
        issues.push(document.issue(steps, "is not a map"));
        return None;
    }
    let mut value = node.to_json();
    let mut taken: Vec<String> = Vec::new();
    for _ in 0..MAX_ISSUES {
        let error = match serde_path_to_error::deserialize::<_, T>(&value) {
            Ok(decoded) => return Some(decoded),
            Err(error) => error,
        };
        let inner = error.inner().to_string();
        let path = path_of(error.path(), &inner);
        if missing_field(&inner).is_some_and(|field| taken.iter().any(|taken| taken == field)) {
            return None;
        }
        let full: Vec<Step> = steps.iter().chain(&path).cloned().collect();
        issues.push(issue(document, &full, &inner));
        taken.push(take_out(&mut value, &path)?);
    }
    None
}

fn path_of(path: &Path, message: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = path
        .iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { variant } => Some(Step::Key(variant.clone())),
            Segment::Unknown => None,
        })
        .collect();
    // The path may end before the key that is not known.
    if let Some(field) = quoted_after(message, "unknown field `")
        && steps.last() != Some(&Step::Key(field.to_owned()))
    {
        steps.push(Step::Key(field.to_owned()));
    }
    steps
}

fn issue(document: &Document, steps: &[Step], message: &str) -> Issue {
    if let Some(field) = quoted_after(message, "unknown field `") {
        let known = known_words(message);
        return document
            .key_issue(steps, format!("unknown field `{field}`; {}", hint(field, known)));
    }
    if let Some(word) = quoted_after(message, "unknown variant `") {
        let known = known_words(message);
        return document.issue(steps, format!("unknown word `{word}`; {}", hint(word, known)));
    }
    document
        .issue(steps, message.replace("invalid type: ", "is ").replace("invalid value: ", "is "))
}

fn quoted_after<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.strip_prefix(start)?.split('`').next()
}

fn missing_field(message: &str) -> Option<&str> {
    quoted_after(message, "missing field `")
}

/// Serde lists the known words in backticks after "expected".
fn known_words(message: &str) -> Vec<&str> {
    let expected = message.split_once("expected ").map_or("", |(_, rest)| rest);
    expected.split('`').skip(1).step_by(2).collect()
}

/// Takes what is wrong out of its map: the innermost that is not within a list, whose places must not shift. Returns its key.
fn take_out(value: &mut Value, path: &[Step]) -> Option<String> {
    let until_list = path.iter().take_while(|step| matches!(step, Step::Key(_))).count();
    let (last, parents) = path[..until_list].split_last()?;
    let mut map = value;
    for step in parents {
        let Step::Key(key) = step else { return None };
        map = map.get_mut(key)?;
    }
    let Step::Key(key) = last else { return None };
    map.as_object_mut()?.shift_remove(key).map(|_| key.clone())
}
