//! `--set key=value`: changes of a task's context.

use orch_core::JsonMap;
use serde_json::Value;

use crate::document::{Document, MAX_DEPTH};
use crate::issue::{Issue, hint};

/// The most characters of an argument that a message repeats.
const MAX_SHOWN: usize = 80;

/// What becomes of a key that the task does not declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// It is an error that names the nearest.
    Refused,
    /// It is added.
    Added,
}

/// Applies `key=value` pairs in order; a dotted key goes into maps. The value is YAML, but what is declared as text stays text.
pub(super) fn apply(
    context: &mut JsonMap,
    sets: &[String],
    unknown: Unknown,
    issues: &mut Vec<Issue>,
) {
    for set in sets {
        if let Err(message) = apply_one(context, set, unknown) {
            issues.push(Issue::new(format!("--set {}", shown(set)), message));
        }
    }
}

/// Returns as much of an argument as helps to find it.
fn shown(set: &str) -> String {
    if set.chars().count() <= MAX_SHOWN {
        return set.to_owned();
    }
    set.chars().take(MAX_SHOWN).chain(['…']).collect()
}

fn apply_one(context: &mut JsonMap, set: &str, unknown: Unknown) -> Result<(), String> {
    let Some((key, text)) = set.split_once('=').filter(|(key, _)| !key.is_empty()) else {
        return Err("give it as key=value".to_owned());
    };
    if key.split('.').count() > MAX_DEPTH {
        return Err(format!("the key has more than {MAX_DEPTH} parts"));
    }
    let mut map = context;
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        if unknown == Unknown::Refused && !map.contains_key(part) {
            let known: Vec<&str> = map.keys().map(String::as_str).collect();
            return Err(format!("the task's context has no `{part}`; {}", hint(part, known)));
        }
        if parts.peek().is_none() {
            let value = value_of(text, map.get(part))?;
            map.insert(part.to_owned(), value);
            return Ok(());
        }
        let next = map.entry(part).or_insert_with(|| Value::Object(JsonMap::new()));
        let Value::Object(inner) = next else {
            return Err(format!("`{part}` is not a map, so it has no members"));
        };
        map = inner;
    }
    Ok(())
}

fn value_of(text: &str, declared: Option<&Value>) -> Result<Value, String> {
    if declared.is_some_and(Value::is_string) || text.is_empty() {
        return Ok(Value::String(text.to_owned()));
    }
    let document =
        Document::parse(text, None).map_err(|issues| format!("the value is not YAML: {issues}"))?;
    Ok(document.root.to_json())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(unknown: Unknown, set: &str, expected: Result<Value, &str>) {
        let Value::Object(mut context) = json!({"repo": ".", "depth": 3, "deep": {"x": [1]}})
        else {
            panic!()
        };
        let result = apply_one(&mut context, set, unknown).map(|()| Value::Object(context));
        match (result, expected) {
            (Ok(context), Ok(expected)) => {
                for (key, value) in expected.as_object().unwrap() {
                    assert_eq!(&context[key], value, "{set}");
                }
            }
            (Err(message), Err(expected)) => assert!(message.contains(expected), "{message}"),
            (result, expected) => panic!("{set}: {result:?}, not {expected:?}"),
        }
    }

    #[test]
    fn values_are_yaml_but_declared_text_stays_text() {
        use Unknown::{Added, Refused};
        check(Refused, "repo=../x", Ok(json!({"repo": "../x"})));
        check(Refused, "repo=123", Ok(json!({"repo": "123"})));
        check(Refused, "repo=a=b", Ok(json!({"repo": "a=b"})));
        check(Refused, "depth=5", Ok(json!({"depth": 5})));
        check(Refused, "depth=[1, 2]", Ok(json!({"depth": [1, 2]})));
        check(Refused, "depth=", Ok(json!({"depth": ""})));
        check(Refused, "deep.x=true", Ok(json!({"deep": {"x": true}})));
        check(Added, "new.a=1", Ok(json!({"new": {"a": 1}})));
        check(Refused, "repp=x", Err("did you mean `repo`?"));
        check(Refused, "deep.lorem=1", Err("known: x"));
        check(Refused, "depth.y=1", Err("`depth` is not a map"));
        check(Refused, "repo", Err("key=value"));
        check(Refused, "=x", Err("key=value"));
        check(Refused, "depth={", Err("not YAML"));
        let parts = |count: usize| "a.".repeat(count - 1) + "a=1";
        check(Added, &parts(32), Ok(json!({})));
        check(Added, &parts(33), Err("more than 32 parts"));
        check(Added, &parts(50_000), Err("more than 32 parts"));
    }
}
