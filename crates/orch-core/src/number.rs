//! Numbers in JSON: those that it does not have, and those that are left out.

use serde::{Deserialize, Deserializer};

/// Reads null as NaN. JSON has no NaN and no infinities, so they are written as null; whatever a policy or a worker came up
/// with, a stored event must stay readable.
pub(crate) fn or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Option::deserialize(deserializer).map(|number| number.unwrap_or(f64::NAN))
}

/// Tells whether a number is 0, and so left out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(crate) fn is_zero(number: &u32) -> bool {
    *number == 0
}
