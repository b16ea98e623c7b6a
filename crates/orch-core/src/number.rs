//! Numbers that JSON does not have.

use serde::{Deserialize, Deserializer};

/// Reads null as NaN. JSON has no NaN and no infinities, so they are written as null; whatever a policy or a worker came up
/// with, a stored event must stay readable.
pub(crate) fn or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Option::deserialize(deserializer).map(|number| number.unwrap_or(f64::NAN))
}
