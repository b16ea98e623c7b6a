//! How deep a value may be that is to be stored.

use serde_json::Value;

use crate::JsonMap;

/// How many lists and maps may lie in each other in a context, an output or metadata. Events are read as JSON up to a depth of 128, and
/// such a value lies some levels below its event: a run with a deeper one could be written, and never read again.
pub const MAX_NESTING: usize = 64;

/// Tells whether more than [`MAX_NESTING`] lists and maps lie in each other.
pub fn is_nested_too_deep(value: &Value) -> bool {
    is_deeper(value, MAX_NESTING)
}

/// Tells whether a value of the map [is nested too deep](is_nested_too_deep).
pub fn has_nested_too_deep(map: &JsonMap) -> bool {
    map.values().any(is_nested_too_deep)
}

/// Goes no deeper than `levels`, however deep the value is.
fn is_deeper(value: &Value, levels: usize) -> bool {
    let below = |inner: &Value| is_deeper(inner, levels - 1);
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(below),
        Value::Object(map) => levels == 0 || map.values().any(below),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(1), |inner, level| match level % 2 {
            0 => json!([0, inner]),
            _ => json!({ "a": 0, "b": inner }),
        })
    }

    #[test]
    fn only_what_is_deeper_than_the_limit_is_too_deep() {
        for (levels, expected) in [(0, false), (1, false), (64, false), (65, true), (100, true)] {
            assert_eq!(is_nested_too_deep(&nested(levels)), expected, "{levels}");
        }
    }
}
