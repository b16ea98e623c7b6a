//! `show`: what of the output a person wants to see.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What of the output is shown to a person, in this order; all of it when nothing is listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Show(pub Vec<ShowItem>);

/// A part of the output, as a JSON Pointer such as `/report/path`; written `Label: /pointer` to be shown on a line of its own
/// behind a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ItemText", into = "ItemText")]
#[non_exhaustive]
pub struct ShowItem {
    /// What stands before it.
    pub label: Option<String>,
    /// Where it is in the output.
    pub pointer: String,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ItemText {
    Pointer(String),
    Labelled(BTreeMap<String, String>),
}

impl TryFrom<ItemText> for ShowItem {
    type Error = String;

    fn try_from(text: ItemText) -> Result<Self, String> {
        let (label, pointer) = match text {
            ItemText::Pointer(pointer) => (None, pointer),
            ItemText::Labelled(map) => match map.into_iter().collect::<Vec<_>>().as_slice() {
                [(label, pointer)] => (Some(label.clone()), pointer.clone()),
                _ => return Err("give one `Label: /pointer` per item".to_owned()),
            },
        };
        if !pointer.starts_with('/') {
            return Err(format!("`{pointer}` is not a JSON Pointer; write `/{pointer}`"));
        }
        Ok(Self { label, pointer })
    }
}

impl From<ShowItem> for ItemText {
    fn from(item: ShowItem) -> Self {
        match item.label {
            None => Self::Pointer(item.pointer),
            Some(label) => Self::Labelled(BTreeMap::from([(label, item.pointer)])),
        }
    }
}

impl Show {
    /// Returns what a person sees of `output`: texts as they are, anything else as JSON. Parts that are not there are left out;
    /// when none is, all is shown.
    pub fn text_of(&self, output: &Value) -> String {
        let parts: Vec<String> = self.0.iter().filter_map(|item| item.text_of(output)).collect();
        if parts.is_empty() { plain(output) } else { parts.join("\n") }
    }
}

impl ShowItem {
    fn text_of(&self, output: &Value) -> Option<String> {
        let text = plain(output.pointer(&self.pointer)?);
        Some(match &self.label {
            Some(label) => format!("{label}: {text}"),
            None => text,
        })
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim_end().to_owned(),
        Value::Null => String::new(),
        // A `Value` always has a JSON form.
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            serde_json::to_string_pretty(other).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_listed_is_shown() {
        let output = json!({"summary": "All is well\n", "report": {"path": "a.md"}, "n": [1]});
        for (show, text) in [
            (json!(["/summary"]), "All is well"),
            (json!(["/summary", {"Report": "/report/path"}]), "All is well\nReport: a.md"),
            (json!(["/gone", "/n"]), "[\n  1\n]"),
        ] {
            let show: Show = serde_json::from_value(show).unwrap();
            assert_eq!(show.text_of(&output), text);
            let again: Show = serde_json::from_value(serde_json::to_value(&show).unwrap()).unwrap();
            assert_eq!(again, show);
        }
        assert_eq!(Show::default().text_of(&json!("text")), "text");
        assert_eq!(Show::default().text_of(&json!(null)), "");
        assert!(
            Show(vec![ShowItem { label: None, pointer: "/gone".into() }])
                .text_of(&output)
                .contains("All is well")
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for (item, said) in
            [(json!("summary"), "write `/summary`"), (json!({"a": "/a", "b": "/b"}), "one `Label")]
        {
            assert!(
                serde_json::from_value::<ShowItem>(item).unwrap_err().to_string().contains(said)
            );
        }
    }
}
