//! `merge`: one structure of all outputs.
//!
//! Every place of the output is claimed by the results that say something about it. The strongest claim there (the higher
//! confidence, then the later in the plan) decides of which kind the value is. Claims that go with it are joined, objects
//! key by key and lists by union; each of the others loses and is listed as a conflict.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::sync::Arc;

use orch_core::{Claimant, Conflict, DecidedBy, JsonMap, Resolution, SubtaskId, WorkerResult};
use serde_json::Value;

use crate::confidence;

/// Merges the outputs; returns the merged object, and a conflict for each claim that lost.
///
/// The output of a subtask in `apart` stands whole under its id, whatever it is.
pub(crate) fn merge(
    results: &[Arc<WorkerResult>],
    apart: &HashSet<&SubtaskId>,
) -> (Value, Vec<Conflict>) {
    let as_object = |result| as_object(result, apart);
    let roots: Vec<Cow<'_, JsonMap>> = results.iter().map(|result| as_object(&**result)).collect();
    let claims = results.iter().zip(&roots).enumerate().map(|(index, (result, root))| {
        let (subtask, confidence) = (&result.subtask_id, confidence::of_result(result));
        (Author { index, subtask, confidence }, &**root)
    });
    let mut merger = Merger { path: String::new(), conflicts: Vec::new() };
    let output = merger.objects(claims);
    (output, merger.conflicts)
}

/// An output that is no object, or is to stand apart, stands under the id of its subtask.
fn as_object<'a>(result: &'a WorkerResult, apart: &HashSet<&SubtaskId>) -> Cow<'a, JsonMap> {
    match &result.output {
        Value::Object(map) if !apart.contains(&result.subtask_id) => Cow::Borrowed(map),
        Value::Object(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_) => {
            let entry = (result.subtask_id.to_string(), result.output.clone());
            Cow::Owned(JsonMap::from_iter([entry]))
        }
    }
}

/// Who says something, and how sure.
#[derive(Clone, Copy)]
struct Author<'a> {
    index: usize,
    subtask: &'a SubtaskId,
    confidence: f64,
}

impl Author<'_> {
    fn claimant(&self) -> Claimant {
        Claimant { subtask: self.subtask.clone(), confidence: self.confidence }
    }
}

/// What an author says about one place.
#[derive(Clone, Copy)]
struct Claim<'a> {
    author: Author<'a>,
    value: &'a Value,
}

impl Claim<'_> {
    /// Tells whether both can be in the output.
    fn goes_with(&self, other: &Self) -> bool {
        match (self.value, other.value) {
            (Value::Object(_), Value::Object(_)) | (Value::Array(_), Value::Array(_)) => true,
            (a, b) => a == b,
        }
    }
}

/// Where in the output the merge is, as a JSON Pointer (RFC 6901), and what lost so far.
struct Merger {
    path: String,
    conflicts: Vec<Conflict>,
}

impl Merger {
    fn objects<'a>(&mut self, objects: impl Iterator<Item = (Author<'a>, &'a JsonMap)>) -> Value {
        let mut places: Vec<(&str, Vec<Claim<'a>>)> = Vec::new();
        let mut place_of: HashMap<&str, usize> = HashMap::new();
        for (author, object) in objects {
            for (key, value) in object {
                let place = *place_of.entry(key).or_insert_with(|| {
                    places.push((key, Vec::new()));
                    places.len() - 1
                });
                places[place].1.push(Claim { author, value });
            }
        }
        let joined =
            places.into_iter().map(|(key, claims)| (key.to_owned(), self.at(key, &claims)));
        Value::Object(joined.collect())
    }

    /// Decides the value at `key` below the current path.
    fn at(&mut self, key: &str, claims: &[Claim<'_>]) -> Value {
        let parent = self.path.len();
        self.path.push('/');
        self.path.push_str(&key.replace('~', "~0").replace('/', "~1"));
        let value = self.value(claims);
        self.path.truncate(parent);
        value
    }

    fn value(&mut self, claims: &[Claim<'_>]) -> Value {
        let Some(strongest) = claims.iter().max_by(|a, b| by_strength(&a.author, &b.author)) else {
            return Value::Null; // Unreachable: a place exists because of a claim.
        };
        let (kept, lost): (Vec<Claim<'_>>, Vec<Claim<'_>>) =
            claims.iter().partition(|claim| claim.goes_with(strongest));
        for loser in lost {
            self.conflicts.push(conflict(&self.path, strongest, &loser));
        }
        match strongest.value {
            Value::Object(_) => {
                self.objects(kept.iter().filter_map(|c| Some((c.author, c.value.as_object()?))))
            }
            Value::Array(_) => union(kept.iter().filter_map(|c| c.value.as_array())),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                strongest.value.clone()
            }
        }
    }
}

fn by_strength(a: &Author<'_>, b: &Author<'_>) -> std::cmp::Ordering {
    a.confidence.total_cmp(&b.confidence).then(a.index.cmp(&b.index))
}

/// Joins lists in plan order; an element that an earlier list has is not repeated.
fn union<'a>(lists: impl Iterator<Item = &'a Vec<Value>>) -> Value {
    let mut known: HashSet<&Value> = HashSet::new();
    let mut joined = Vec::new();
    for list in lists {
        joined.extend(list.iter().filter(|element| !known.contains(element)).cloned());
        known.extend(list);
    }
    Value::Array(joined)
}

fn conflict(path: &str, winner: &Claim<'_>, loser: &Claim<'_>) -> Conflict {
    let decided_by = if winner.author.confidence == loser.author.confidence {
        DecidedBy::PlanOrder
    } else {
        DecidedBy::Confidence
    };
    let resolution = Resolution {
        path: path.to_owned(),
        kept: winner.author.claimant(),
        dropped: loser.author.claimant(),
        decided_by,
    };
    Conflict::new(sentence(path, winner, loser, decided_by)).with_resolution(resolution)
}

fn sentence(path: &str, winner: &Claim<'_>, loser: &Claim<'_>, decided_by: DecidedBy) -> String {
    let (stands, dropped) = (brief(winner.value), loser.value);
    let (by, of) = (signed(&winner.author), signed(&loser.author));
    let mut text = format!("at {path}: {stands} of {by} stands, {dropped} of {of} is dropped");
    if decided_by == DecidedBy::PlanOrder {
        // Writing to a string cannot fail.
        let _ = write!(text, "; `{}` comes later in the plan", winner.author.subtask);
    }
    text
}

/// A value that stands can be seen in the output, so that its kind says enough; one that is dropped is shown whole.
fn brief(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

fn signed(author: &Author<'_>) -> String {
    format!("`{}` (confidence {:.2})", author.subtask, author.confidence)
}
