//! Content hashes: BLAKE3 over canonical JSON (RFC 8785), so that equal values have equal digests in every process.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A BLAKE3 hash of some content; 64 hex digits in JSON.
///
/// ```
/// use orch_core::Digest;
/// use serde_json::json;
///
/// assert_eq!(Digest::of_json(&json!({ "a": 1, "b": 2 }))?, Digest::of_json(&json!({ "b": 2, "a": 1 }))?);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Returns the digest of `bytes`.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Returns the digest of `value` in its canonical form, in which the order of keys does not count.
    ///
    /// # Errors
    /// When `value` has no JSON form, for example a map whose keys are no strings.
    pub fn of_json(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        let mut value = serde_json::to_value(value)?;
        keep_large_integers(&mut value);
        let bytes = if is_plain(&value) {
            value.sort_all_objects();
            serde_json::to_vec(&value)?
        } else {
            serde_json_canonicalizer::to_vec(&value)?
        };
        Ok(Self::of_bytes(&bytes))
    }

    /// Returns the hash itself.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Puts a text in the place of every integer that the canonical form would round, since it takes all numbers for doubles:
/// two reports with different ids of 64 bits are not the same report.
fn keep_large_integers(value: &mut Value) {
    const EXACT: u64 = 1 << 53;
    match value {
        Value::Number(number) => {
            let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if magnitude.is_some_and(|magnitude| magnitude > EXACT) {
                // No text that anybody writes begins so.
                *value = Value::String(format!("\u{0}integer {number}"));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(keep_large_integers),
        Value::Object(map) => map.values_mut().for_each(keep_large_integers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Tells whether the shortest JSON with sorted keys is the canonical form already: no number is a fraction, and keys are
/// ASCII, where the order of bytes is that of UTF-16. Most results are so, and the general way takes five times as long.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Number(number) => !number.is_f64(),
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(map) => map.iter().all(|(key, item)| key.is_ascii() && is_plain(item)),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({:.12})", blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl std::str::FromStr for Digest {
    type Err = blake3::HexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        blake3::Hash::from_hex(text).map(|hash| Self(*hash.as_bytes()))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(|_| serde::de::Error::custom("a digest is 64 hex digits"))
    }
}

/// Names a stored blob: large outputs are kept by hash, beside the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRef {
    /// The hash of the blob's bytes.
    pub hash: Digest,
    /// The length in bytes.
    pub size: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Values of every kind, with keys and numbers on both sides of what is plain.
    fn values() -> impl Strategy<Value = Value> {
        let integers = prop_oneof![any::<i64>(), -9_i64..9, Just(1 << 53), Just(-(1 << 53))];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            integers.prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            let keys = prop_oneof!["[a-c_]{0,3}", any::<String>()];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((keys, inner), 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn plain_values_are_written_as_the_general_way_writes_them(value in values()) {
            let mut exact = value.clone();
            keep_large_integers(&mut exact);
            let bytes = serde_json_canonicalizer::to_vec(&exact).unwrap();
            prop_assert_eq!(Digest::of_json(&value).unwrap(), Digest::of_bytes(&bytes));
        }
    }
}
