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
        serde_json_canonicalizer::to_vec(&value).map(|bytes| Self::of_bytes(&bytes))
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
